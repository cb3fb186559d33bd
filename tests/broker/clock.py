"""The broker's own time: it runs at any speed, stands still, or is set."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable


class BrokerClock:
    """Seconds since 1970 UTC, `speed` of them a real second; safe to use from several threads."""

    def __init__(self, start: float, speed: float, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._base = start
        self._since = monotonic()
        self._speed = speed

    @property
    def speed(self) -> float:
        """The broker's seconds per real second."""
        return self._speed

    def now(self) -> float:
        """The broker's time, seconds since 1970 UTC."""
        with self._lock:
            return self._base + (self._monotonic() - self._since) * self._speed

    def run(self, speed: float) -> None:
        """Go on from here at another speed; 0 stands still."""
        now = self.now()
        with self._lock:
            self._base, self._since, self._speed = now, self._monotonic(), speed

    def set(self, instant: float) -> None:
        """It is `instant` [s since 1970 UTC] now; the market does not go back, so neither should this."""
        with self._lock:
            self._base, self._since = instant, self._monotonic()


class SetClock:
    """A clock (`ports.Clock`) that stands where it was put: for stepping a market through every one of its instants."""

    def __init__(self, instant: float = 0.0) -> None:
        self.instant = instant

    def now(self) -> float:
        """The time that was set, seconds since 1970 UTC."""
        return self.instant

    def wait_until(self, instant: float) -> None:
        """It is `instant` now."""
        self.instant = instant
