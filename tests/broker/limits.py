"""How many requests the broker takes: sliding windows of a second, a minute and an hour for each client code.

The table is the one that the broker published in July 2026. Lists of the whole market, intraday lists and charges are
not in it and get one a second; open interest is not in it either and shares the budget of candles.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

WINDOWS = (1.0, 60.0, 3600.0)
"""Seconds."""
WINDOW_NAMES = ("second", "minute", "hour")

Allowed = tuple[int | None, int | None, int | None]

LIMITS: dict[str, Allowed] = {
    "login": (1, None, None),
    "token": (1, None, 1000),
    "profile": (3, None, 1000),
    "logout": (1, None, None),
    "rms": (2, None, None),
    "order": (9, 500, 1000),
    "order book": (1, None, None),
    "trade book": (1, None, None),
    "position": (1, None, None),
    "holding": (1, None, None),
    "all holding": (1, None, None),
    "search": (1, None, None),
    "ltp": (10, 500, 5000),
    "order details": (10, 500, 5000),
    "convert": (10, 500, 5000),
    "margin": (10, 500, 5000),
    "quote": (10, 500, 5000),
    "gtt change": (9, 500, 5000),
    "gtt list": (10, 500, 5000),
    "candles": (3, 180, 5000),
    "greeks": (1, None, None),
    "gainers": (1, None, None),
    "put call ratio": (1, None, None),
    "build-up": (1, None, None),
    "intraday": (1, None, None),
    "charges": (1, None, None),
    "edis": (1, None, None),
}
"""Group of requests -> requests allowed in a second, a minute and an hour; None for any number."""


@dataclass
class Use:
    """What was asked of one group."""

    asked: int = 0
    served: int = 0
    refused: dict[str, int] = field(default_factory=lambda: dict.fromkeys(WINDOW_NAMES, 0))
    """Name of the window that was full -> how often. A refused request does not count in any window."""
    most: dict[str, int] = field(default_factory=lambda: dict.fromkeys(WINDOW_NAMES, 0))
    """Name of the window -> the most that was ever served within one."""


class Limiter:
    """Counts requests by (client code, group). Not safe for several threads: the server's own calls it."""

    def __init__(
        self,
        now: Callable[[], float],
        limits: dict[str, Allowed] | None = None,
        *,
        on: bool = True,
        grace: float = 0.0,
    ) -> None:
        """`now` [s] only ever grows; windows are shorter by `grace` [s]."""
        self._now = now
        self._grace = grace
        self._limits = dict(LIMITS if limits is None else limits)
        self._on = on
        self._served: dict[tuple[str, str], deque[float]] = {}
        self.use: dict[str, Use] = {group: Use() for group in self._limits}

    @property
    def violations(self) -> int:
        """Requests refused because a window was full."""
        return sum(sum(use.refused.values()) for use in self.use.values())

    def take(self, client: str, group: str) -> str | None:
        """Count one request of a client; the name of a window that is full, or None where it is served."""
        now, use = self._now(), self.use[group]
        times = self._served.setdefault((client, group), deque())
        while times and times[0] <= now - WINDOWS[-1]:
            times.popleft()
        use.asked += 1
        within = [len(times) - bisect_right(times, now - window + self._grace) for window in WINDOWS]
        for name, count, allowed in zip(WINDOW_NAMES, within, self._limits[group], strict=True):
            if self._on and allowed is not None and count >= allowed:
                use.refused[name] += 1
                return name
        times.append(now)
        use.served += 1
        for name, count in zip(WINDOW_NAMES, within, strict=True):
            use.most[name] = max(use.most[name], count + 1)
        return None

    def report(self) -> dict[str, Any]:
        """Use of every group that was asked for anything, for people and JSON."""
        return {
            group: {
                "asked": use.asked,
                "served": use.served,
                "refused": dict(use.refused),
                "most": dict(use.most),
                "allowed": dict(zip(WINDOW_NAMES, self._limits[group], strict=True)),
            }
            for group, use in self.use.items()
            if use.asked
        }
