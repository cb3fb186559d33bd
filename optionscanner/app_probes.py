"""Lines of SYSTEM_HEALTH that need the outside world: disk, memory, the history's file, the computer's clock.

Main entry: `session_health`, for `app.py`. A probe never raises: health must not take the day with it.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from math import isnan
from pathlib import Path

import psutil

from optionscanner.clocks import WallClock
from optionscanner.errors import reason_of
from optionscanner.health import Health
from optionscanner.history.store import SqliteHistory
from optionscanner.model.calendar import TradingCalendar
from optionscanner.model.context import DayContext
from optionscanner.model.day_plan import change_words
from optionscanner.model.reports import Event, HealthItem
from optionscanner.model.settings import EngineSettings
from optionscanner.ports import Market

LEAST_DISK_MB = 500.0
"""Free disk under which a trading day may not fit any more."""


def session_health(
    settings: EngineSettings,
    market: Market,
    history: SqliteHistory,
    *,
    place: Path,
    calendar: TradingCalendar,
    wall: WallClock,
) -> Health:
    """Health of a session that begins: counters from what `history`, the file at `place`, holds of it already."""
    stored = history.accounting()
    health = Health(settings, expected=market.total_observations(), processed=stored.processed)
    health.since_yesterday = _since_yesterday(market.day)
    health.refused.update(stored.refused)
    health.add_alerts(history.alerts())
    process = psutil.Process()

    def disk() -> HealthItem:
        try:
            free = shutil.disk_usage(place.parent).free / 1e6
        except OSError as error:
            gone = f"{place.parent} cannot be reached ({reason_of(error)}): make it again"
            return HealthItem("Disk free", "unknown", "", "BAD", float("nan"), gone)
        low = free < LEAST_DISK_MB
        what = "free some space: cycles are not stored once the disk is full" if low else ""
        return HealthItem(
            "Disk free", f"{free:,.0f} MB", f"{LEAST_DISK_MB:,.0f} MB", "BAD" if low else "OK", float("nan"), what
        )

    def memory() -> HealthItem:
        used = process.memory_info().rss / 1e6
        return HealthItem("Memory", f"{used:,.0f} MB", "", "OK", float("nan"), "")

    def file_size() -> HealthItem:
        try:
            size = place.stat().st_size / 1e6
        except OSError:
            size = 0.0  # the line above, History, tells what is wrong with it
        anew = history.begun_anew_at
        what = "" if isnan(anew) else "deleted or replaced while running, begun anew; earlier rows are not in it"
        return HealthItem("History file", f"{size:,.1f} MB", "", "WARN" if what else "OK", anew, what)

    def calendar_end() -> HealthItem:
        warning = calendar.coverage_warning(market.day.session.date) or ""
        until = f"{calendar.covers_to:%d-%b-%Y}"
        return HealthItem("Calendar covers to", until, "", "WARN" if warning else "OK", float("nan"), warning)

    daily = _daily_files(market.day)
    health.probes = (file_size, disk, memory, calendar_end, _clock_probe(wall), lambda: daily)
    return health


def _since_yesterday(day: DayContext) -> Event:
    """The first of the day's events: lots, expiries, symbols and bans against the session before."""
    words, others = change_words(day.daily, day.layout.names)
    return Event(day.session.opens.timestamp(), "since yesterday", words, others, 1)


def _daily_files(day: DayContext) -> HealthItem:
    """Which daily files serve the day; what is missing by name."""
    daily = day.daily
    if daily is None:
        return HealthItem("Daily files", "none", "", "WARN", float("nan"), "bring them in with --import-daily")
    value = f"{len(daily.found)} of {len(daily.found) + len(daily.missing)} for {daily.previous_session:%d-%b-%Y}"
    status = "WARN" if daily.missing else "OK"
    return HealthItem("Daily files", value, "", status, float("nan"), "; ".join(daily.missing.values()))


def _clock_probe(wall: WallClock) -> Callable[[], HealthItem]:
    def clock() -> HealthItem:
        wall.now()
        back = wall.set_back
        what = "the computer's clock was set back; session time never goes back, it waits" if back else ""
        found = f"set back by {back:.1f} s" if back else "steady"
        return HealthItem("Computer's clock", found, "", "WARN" if back else "OK", float("nan"), what)

    return clock
