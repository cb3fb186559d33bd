"""The morning: daily files fetched where that is wanted, and whatever is new in their folder brought in.

Main entries: `begun` for a session, `Morning` for one pass, `Mornings` for a program that runs for days: at its start,
at 09:00 of every trading day, and again while files are missing. A morning never ends a session: what goes wrong is a
sentence.
"""

from __future__ import annotations

import logging
import math
import os
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from threading import Event
from types import TracebackType

from apscheduler.schedulers.background import BackgroundScheduler

from optionscanner import __version__, console
from optionscanner.adapters.nse.fetch import FAILED, FETCHED, NOT_YET, REFUSED, THERE, Fetched, Fetcher, wanted_files
from optionscanner.adapters.nse.folder import changed, paths_of
from optionscanner.app_daily import import_daily
from optionscanner.clocks import WallClock
from optionscanner.config import Config
from optionscanner.errors import OptionScannerError, UnknownDate, reason_of
from optionscanner.model.calendar import IST, TradingCalendar
from optionscanner.model.reports import HealthItem

AGENT = f"OptionScanner/{__version__} (daily files; a few requests a day)"
STARTS, LAST = time(9, 0), time(12, 0)
"""First pass of a trading day, and the last one while files are missing."""
AGAIN = timedelta(minutes=30)
LOOK_S = 30
"""Between two looks at the clock."""
_LONGEST_REST = 14
"""Days without trading in a row, and some."""
_STAMP = ".imported"
"""Its own time of change is when the folder was last brought in."""

log = logging.getLogger(__name__)
Say = Callable[[str], None]


@dataclass
class Morning:
    """One pass for a trading day."""

    config: Config
    place: Path
    """The file of daily values."""
    calendar: TradingCalendar
    say: Say
    warn: Say
    now: Callable[[], float]
    """Seconds since 1970 UTC."""
    wait: Callable[[float], bool]
    """Waits so many seconds; True where the program is asked to stop."""

    def fetch(self, today: date) -> tuple[Fetched, ...]:
        """What `today` takes, from the exchanges; () where the calendar does not know the sessions before it.

        Raises OSError where the folder cannot be used.
        """
        try:
            previous = self.calendar.previous_trading_day(today)
            before = self.calendar.previous_trading_day(previous)
        except UnknownDate as error:
            self.warn(f"daily files: nothing was fetched: {error}")
            return ()
        daily = self.config.daily
        wanted = wanted_files(daily.bases, daily.patterns, today=today, previous=previous, before=before)
        done = Fetcher(daily.folder, agent=AGENT, now=self.now, wait=self.wait).fetch(wanted)
        for one in done:
            if one.state == FETCHED:
                self.say(f"daily files: {one.sentence}")
            elif one.state in (REFUSED, FAILED):
                self.warn(f"daily files: {one.sentence}")
        return done

    def bring_in(self) -> bool:
        """Import what came into the folder since the last time; whether there was anything.

        Raises OptionScannerError or OSError where it cannot be read or kept.
        """
        folder = self.config.daily.folder
        if not folder.is_dir():
            return False
        stamp, begun = folder / _STAMP, self.now()
        since = stamp.stat().st_mtime if stamp.exists() else None
        if since is not None and not any(changed(path) >= since for path in paths_of(folder)):
            return False
        import_daily(
            folder, self.place, config=self.config, calendar=self.calendar, say=self.say, warn=self.warn, since=since
        )
        stamp.touch()
        _set_time(stamp, begun)
        return True

    def run(self, today: date | None, *, fetch: bool) -> tuple[Fetched, ...]:
        """Fetch what `today` takes, where that is wanted, and bring in; what goes wrong is told."""
        done: tuple[Fetched, ...] = ()
        try:
            if fetch and today is not None:
                done = self.fetch(today)
            self.bring_in()
        except OptionScannerError as error:
            self.warn(f"daily files: {error}")
        except OSError as error:
            self.warn(f"daily files: {error.filename or self.config.daily.folder}: {reason_of(error)}")
        return done


@dataclass
class Mornings:
    """Keeps the daily values up to date while the program runs, over midnights, weekends and holidays.

    `on_day` is called after each pass of a trading day with its date, e.g. to prepare a live session's day.
    """

    morning: Morning
    on_day: Callable[[date], None] | None = None
    _due: float = float("-inf")
    """When the next pass is made [s since 1970 UTC]; the first one at once."""
    _day: date | None = None
    """Trading day of the newest pass."""
    _passed_at: float = float("nan")
    _done: tuple[Fetched, ...] = ()
    _scheduler: BackgroundScheduler | None = None

    def __enter__(self) -> Mornings:
        """Begin, in a thread of its own."""
        self._scheduler = BackgroundScheduler(
            timezone=UTC,
            executors={"default": {"type": "threadpool", "max_workers": 1}},
            job_defaults={"coalesce": True, "max_instances": 1, "misfire_grace_time": None},
        )
        # Looks at the clock instead of waiting for an hour: a machine sleeps, and its clock is set.
        self._scheduler.add_job(self.look, "interval", seconds=LOOK_S, next_run_time=datetime.now(UTC))
        self._scheduler.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        assert self._scheduler is not None, "entered"
        self._scheduler.shutdown(wait=True)

    def look(self) -> None:
        """Make a pass if one is due."""
        now = self.morning.now()
        if now < self._due:
            return
        day = self._trading_day(now)
        if day != self._day:
            # Midnight came: what was done was for another day.
            self._day, self._done = day, ()
        self._done, self._passed_at = self.morning.run(day, fetch=self.morning.config.daily.fetch), now
        following = self.next_pass(now)
        self._due = float("inf") if following is None else following
        log.info("morning day=%s there=%d wanted=%d", day, self._count(FETCHED, THERE), len(self._done))
        if self.on_day is not None and day is not None:
            self.on_day(day)

    def next_pass(self, now: float) -> float | None:
        """When a pass is due after one at `now` [s since 1970 UTC]; None where the calendar ends before.

        At 09:00 of the next trading day; sooner, every half hour until noon, while fetched files are missing.
        """
        at = datetime.fromtimestamp(now, IST)
        lacking = self._day == at.date() and bool(self._done) and self._count(FETCHED, THERE) < len(self._done)
        if lacking and at.time() >= STARTS and (at + AGAIN).time() <= LAST:
            return (at + AGAIN).timestamp()
        day = at.date() if at.time() < STARTS else at.date() + timedelta(days=1)
        for ahead in range(_LONGEST_REST):
            on = day + timedelta(days=ahead)
            if self._trades(on):
                return datetime.combine(on, STARTS, IST).timestamp()
        return None

    def _trading_day(self, now: float) -> date | None:
        """The day of this moment in India, where the exchanges trade on it."""
        today = datetime.fromtimestamp(now, IST).date()
        return today if self._trades(today) else None

    def _trades(self, day: date) -> bool:
        try:
            return self.morning.calendar.is_trading_day(day)
        except UnknownDate:
            return False

    def _count(self, *states: str) -> int:
        return sum(one.state in states for one in self._done)

    def health(self) -> HealthItem:
        """What SYSTEM_HEALTH says about it."""
        config = self.morning.config.daily
        at = f"{datetime.fromtimestamp(self._due, IST):%a %d-%b %H:%M}" if math.isfinite(self._due) else ""
        if not config.fetch:
            value = f"off, folder read {at}" if at else "off"
            return HealthItem("Fetch of daily files", value, "", "OK", self._passed_at, "")
        count = f"{self._count(FETCHED, THERE)} of {len(self._done)}" if self._done else "none yet"
        trouble = [one.sentence for one in self._done if one.state in (NOT_YET, REFUSED, FAILED)]
        value, state = f"{count}, next {at or 'not known'}", "WARN" if trouble else "OK"
        return HealthItem("Fetch of daily files", value, "", state, self._passed_at, "; ".join(trouble[:2]))


def begun(config: Config, place: Path, calendar: TradingCalendar, wall: WallClock, stop: Event) -> Mornings:
    """What is new in the folder is brought in, for the session that starts; enter the result to go on with that.

    Only the start speaks to the terminal: during a session SYSTEM_HEALTH and the log say how the mornings went.
    """
    morning = Morning(config, place, calendar, console.say, console.warn, wall.now, stop.wait)
    morning.run(None, fetch=False)
    return Mornings(replace(morning, say=log.info, warn=log.warning))


def _set_time(path: Path, instant: float) -> None:
    os.utime(path, (instant, instant))
