"""How long to wait for a program that refuses calls: longer each time, without end, and told after a while. Pure."""

from __future__ import annotations

from dataclasses import dataclass

FIRST_S, LONGEST_S = 0.1, 1.0
TOLD_AFTER_S = 5.0


@dataclass
class Patience:
    """Refusals in a row: 100 ms, 200 ms ... 1 s between tries, never a busy loop, never an end."""

    since: float = 0.0
    """When the first of them came [s, monotonic clock]; 0 while there is none."""
    times: int = 0

    def refused(self, now: float) -> float:
        """Seconds to wait before the next try."""
        self.since = self.since or now
        self.times += 1
        return min(FIRST_S * self.times, LONGEST_S)

    def served(self) -> None:
        """A call went through."""
        self.since, self.times = 0.0, 0

    def worth_telling(self, now: float) -> bool:
        """Whether it has lasted long enough for the user to be told."""
        return bool(self.since) and now - self.since >= TOLD_AFTER_S
