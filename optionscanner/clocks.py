"""The two clocks behind `ports.Clock`: the machine's, which never runs backwards, and the one that a replay moves."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable
from datetime import datetime
from typing import Protocol
from zoneinfo import ZoneInfo

from optionscanner.errors import ConfigError, SourceError

_INDIA = ZoneInfo("Asia/Kolkata")

# A longer wait would delay Ctrl-C on Windows, where a lock that is being waited for holds back signal handlers.
_LONGEST_WAIT = 0.2
_MEANWHILE_EVERY = 0.1


class RealTime(Protocol):
    """The part of the standard module `time` that clocks stand on."""

    def time(self) -> float:
        """Seconds since 1970 UTC, as the machine is set."""

    def monotonic(self) -> float:
        """Seconds that only ever grow."""


class Stop(Protocol):
    """The part of `threading.Event` that clocks wait with; set when the program is asked to stop."""

    def is_set(self) -> bool:
        """Whether the program is asked to stop."""

    def wait(self, timeout: float) -> bool:
        """Return after `timeout` real seconds, or as soon as the program is asked to stop."""


class WallClock:
    """The machine's clock; safe to read from several threads.

    When the machine's clock is set back, time goes on from where it stood at half the pace until the machine has
    caught up, so that what is stored stays in order and nothing waits for hours. When it is set forward, or the machine
    slept, time follows at once.
    """

    def __init__(self, stop: Stop, real: RealTime = time) -> None:
        self._stop = stop
        self._real = real
        self._lock = threading.Lock()
        self._now = self._seen = real.time()
        self._seen_at = real.monotonic()
        self._set_back = 0.0

    @property
    def set_back(self) -> float:
        """Largest step [s] by which the machine's clock was set back while the program ran; 0 if it never was."""
        return self._set_back

    @property
    def ahead(self) -> float:
        """Seconds by which `now` still leads the machine's clock after that was set back; else 0."""
        return max(self.now() - self._real.time(), 0.0)

    def now(self) -> float:
        """Seconds since 1970 UTC; never less than before."""
        with self._lock:
            machine, tick = self._real.time(), self._real.monotonic()
            elapsed = max(tick - self._seen_at, 0.0)
            if machine < self._seen:
                self._set_back = max(self._set_back, self._seen + elapsed - machine)
            self._seen, self._seen_at = machine, tick
            self._now = max(machine, self._now + elapsed / 2) if machine < self._now else machine
            return self._now

    def wait_until(self, instant: float) -> None:
        """Return at `instant` [s since 1970 UTC] or as soon as the program is asked to stop."""
        while not self._stop.is_set():
            left = instant - self.now()
            if not left > 0:
                return
            self._stop.wait(min(left, _LONGEST_WAIT))


class ManualClock:
    """A session's own time, moved by whoever replays it.

    Parameters
    ----------
    start
        First value of `now` [s since 1970 UTC]; nothing is waited for before the first instant.
    speed
        Session seconds per real second in `wait_until`; None to wait for nothing.
    """

    def __init__(self, start: float, speed: float | None, stop: Stop, real: RealTime = time) -> None:
        if speed is not None and not (math.isfinite(speed) and speed > 0):
            raise ConfigError(f"the speed of a replay must be a number above 0, came {speed}; give --speed another")
        self._now = start
        self._speed = speed
        self._stop = stop
        self._real = real
        self._due: float | None = None
        """Real time at which `_now` was, or should have been, reached; None before the first instant."""

    def now(self) -> float:
        """The session's time, seconds since 1970 UTC."""
        return self._now

    def advance_to(self, instant: float) -> None:
        """The session's time is `instant` [s since 1970 UTC] from here on; the same instant again changes nothing.

        Raises SourceError for an earlier one.
        """
        if not instant >= self._now:
            raise SourceError(
                f"the session's clock must not go back: it stands at {_words(self._now)} and the source came with "
                f"{_words(instant)}; import the recording again from its raw files"
            )
        if instant > self._now:
            self._now = instant
            self._due = self._real.monotonic()

    def wait_until(self, instant: float, meanwhile: Callable[[], None] | None = None) -> None:
        """Advance to `instant` [s since 1970 UTC] when it is due at this speed, or return when asked to stop.

        Work done since the last instant counts as waiting; a replay that came late does not hurry to catch up.
        `meanwhile` is called ten times a second, and its work counts as waiting too.
        """
        if not instant >= self._now:
            self.advance_to(instant)  # raises
        if self._speed is None or self._due is None:
            self.advance_to(instant)
            return
        due = self._due + (instant - self._now) / self._speed
        while (left := due - self._real.monotonic()) > 0:
            if self._stop.is_set():
                return
            if meanwhile is not None:
                meanwhile()
                left = min(due - self._real.monotonic(), _MEANWHILE_EVERY)
            if left > 0:
                self._stop.wait(min(left, _LONGEST_WAIT))
        if not self._stop.is_set():
            late = self._real.monotonic() - due
            self.advance_to(instant)
            self._due = due if late < _LONGEST_WAIT else self._real.monotonic()


def _words(instant: float) -> str:
    if not math.isfinite(instant):
        return str(instant)
    return f"{datetime.fromtimestamp(instant, _INDIA):%Y-%m-%d %H:%M:%S.%f}"[:-3] + " IST"
