"""When the Indian derivatives market trades: sessions, hours, holidays, expiry horizons, from dated tables.

Main entry: `load_calendar()`. The tables lie beside this module in ``data/calendar_*.csv``, each row with its
source. NSE and BSE share the dates. A date that the tables do not cover is *unknown*, never "a weekday, so
open": asking about it raises `UnknownDate`. Expiry dates come from the instrument master of the day, not from
here (`expiry_rules` only cross-checks them). Nothing here reads a clock.
"""

from __future__ import annotations

import csv
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import date, datetime, time, timedelta
from importlib import resources
from typing import Literal
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt

from optionscanner.errors import UnknownDate

IST = ZoneInfo("Asia/Kolkata")
SECONDS_PER_YEAR = 365 * 86_400
"""ACT/365: a leap year changes nothing."""

SessionKind = Literal["regular", "full", "split", "muhurat", "fictitious"]
UnderlyingKind = Literal["INDEX", "STOCK"]
SettledBy = Literal["average", "auction"]

WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_ONE_DAY = timedelta(days=1)


@dataclass(frozen=True)
class TradingSession:
    """One day's trading of futures and options; all instants aware, Asia/Kolkata."""

    date: date
    opens: datetime
    closes: datetime
    kind: SessionKind
    """regular; full = a whole session on a Saturday or Sunday; split = with a pause; muhurat = the Diwali
    hour; fictitious = entered by a simulated source"""
    description: str
    source: str
    pause: tuple[datetime, datetime] | None = None
    """(from, to) without trading, on split days"""
    expiring_index_closes: datetime | None = None
    """when index contracts that expire on this day stop, if before `closes`"""
    confirmed: bool = True
    """False: the hours rest on one secondary source"""
    settlement_from: datetime | None = None
    """from when on prices count for what contracts that expire on this day settle at; None where not known"""
    settles_by: SettledBy = "average"
    """average: mean over the window to 15:30; auction: price of the cash market's closing auction"""

    def is_open(self, at: datetime) -> bool:
        """Whether futures and options trade at `at`: from the open, until just before the close."""
        if self.pause is not None and self.pause[0] <= at < self.pause[1]:
            return False
        return self.opens <= at < self.closes

    def closed_words(self, at: datetime, *, next_open: datetime | None = None) -> str:
        """Why nothing trades at `at`, and from when on: `CLOSED, next Mon 02-Feb 09:15`; "" from open to close.

        `next_open`: when the following session opens, None where the calendar does not know.
        """
        if at < self.opens:
            return f"PRE-OPEN, opens {self.opens:%H:%M}"
        if self.pause is not None and self.pause[0] <= at < self.pause[1]:
            return f"CLOSED, next {self.pause[1]:%H:%M}"
        # The last prices of the session are of the close itself.
        if at <= self.closes:
            return ""
        return f"CLOSED at {self.closes:%H:%M}" if next_open is None else f"CLOSED, next {next_open:%a %d-%b %H:%M}"


@dataclass(frozen=True)
class HoursRule:
    """Hours of a regular session from a date on (IST)."""

    effective_from: date
    opens: time
    closes: time
    expiring_index_closes: time
    settlement_from: time
    settles_by: SettledBy
    confirmed: bool
    note: str
    source: str


@dataclass(frozen=True)
class ExpiryRule:
    """The weekday on which an exchange's contracts expire, for expiries from a date on."""

    exchange: str
    effective_from: date
    weekday: int
    """0 = Monday, as `date.weekday()`"""
    source: str


@dataclass(frozen=True)
class _SpecialSession:
    """A session of the table whose hours may not be known yet."""

    date: date
    kind: SessionKind
    opens: time | None
    closes: time | None
    pause: tuple[time, time] | None
    description: str
    source: str


@dataclass(frozen=True)
class TradingCalendar:
    """Sessions of the derivatives market between two dates; never changed after `load_calendar`."""

    covers_from: date
    covers_to: date
    hours: tuple[HoursRule, ...]
    """ascending by `effective_from`"""
    holidays: Mapping[date, str]
    """weekday without trading -> why"""
    specials: Mapping[date, _SpecialSession]
    """date -> session that the weekly pattern would not give"""
    expiry_rules: tuple[ExpiryRule, ...]
    horizons: tuple[tuple[date, time], ...]
    """(effective from, time of the expiry day to which time to expiry counts), ascending"""
    earlier: tuple[tuple[date, date], ...] = ()
    """(first, last): stretches before `covers_from` that are known as well, of which there are recordings"""
    entered: Mapping[date, TradingSession] = field(default_factory=dict)
    """date -> session entered by a source (`with_session`); stands before everything else"""

    def with_session(self, session: TradingSession) -> TradingCalendar:
        """This calendar with one more session, e.g. the fictitious day of the simulated market."""
        return replace(self, entered={**self.entered, session.date: session})

    def with_expiry_horizons(self, horizons: Mapping[date, time]) -> TradingCalendar:
        """This calendar with other horizon times: effective from -> time IST (configuration)."""
        merged = dict(self.horizons) | dict(horizons)
        return replace(self, horizons=tuple(sorted(merged.items())))

    def is_trading_day(self, day: date) -> bool:
        """Whether there is a session on `day`, even one whose hours are not announced.

        Raises `UnknownDate` outside the covered dates.
        """
        if day in self.entered:
            return True
        self.check_covered(day)
        return day in self.specials or (day.weekday() < 5 and day not in self.holidays)

    def closed_reason(self, day: date) -> str:
        """Why there is no session on `day` ("Holi", "Sunday"); `ValueError` on a trading day."""
        if self.is_trading_day(day):
            raise ValueError(f"{day} is a trading day; closed_reason answers for closed days only")
        return self.holidays.get(day) or WEEKDAYS[day.weekday()]

    def session_on(self, day: date) -> TradingSession | None:
        """The session of `day`, or None where the market is known to be closed.

        Raises `UnknownDate` outside the covered dates, and on a trading day whose hours are not known.
        """
        if day in self.entered:
            return self.entered[day]
        if not self.is_trading_day(day):
            return None
        rule = self._hours_on(day)
        special = self.specials.get(day)
        if special is None:
            return TradingSession(
                date=day,
                opens=_at(day, rule.opens),
                closes=_at(day, rule.closes),
                kind="regular",
                description=rule.note,
                source=rule.source,
                expiring_index_closes=_at(day, rule.expiring_index_closes),
                settlement_from=_at(day, rule.settlement_from),
                settles_by=rule.settles_by,
                confirmed=rule.confirmed,
            )
        if special.opens is None or special.closes is None:
            raise UnknownDate(
                f"{day} has a session ({special.description}) whose hours are not known ({special.source}); "
                "enter opens and closes in optionscanner/model/data/calendar_days.csv"
            )
        pause = special.pause
        return TradingSession(
            date=day,
            opens=_at(day, special.opens),
            closes=_at(day, special.closes),
            kind=special.kind,
            description=special.description,
            source=special.source,
            pause=None if pause is None else (_at(day, pause[0]), _at(day, pause[1])),
        )

    def next_session(self, after: datetime) -> TradingSession:
        """The session in progress at `after`, else the next one to open.

        Raises `UnknownDate` past the covered dates.
        """
        day = _in_ist(after).date()
        while True:
            session = self.session_on(day)
            if session is not None and session.closes > after:
                return session
            day += _ONE_DAY

    def next_open(self, after: TradingSession) -> datetime | None:
        """When the session that follows opens; None where the covered dates end before."""
        try:
            return self.next_session(after.closes).opens
        except UnknownDate:
            return None

    def previous_trading_day(self, day: date) -> date:
        """The last trading day before `day`; `UnknownDate` when that lies before the covered dates."""
        day -= _ONE_DAY
        while not self.is_trading_day(day):
            day -= _ONE_DAY
        return day

    def trading_days(self, first: date, last: date) -> tuple[date, ...]:
        """Trading days from `first` to `last`, both included."""
        every = (first + timedelta(days=offset) for offset in range((last - first).days + 1))
        return tuple(day for day in every if self.is_trading_day(day))

    def is_expiry_day(self, day: date) -> bool:
        """Whether contracts could expire on `day`: a trading day other than the Diwali hour.

        That hour is held on a holiday: NIFTY contracts of 21 October 2025 expired on the 20th.
        """
        special = self.specials.get(day)
        return self.is_trading_day(day) and (special is None or special.kind != "muhurat")

    def last_trade(self, expiry: date, *, kind: UnderlyingKind, date: date) -> datetime:
        """When a contract of that expiry stops trading on `date`.

        From 7 December 2026 expiring index contracts stop before the others. `ValueError` on a closed day or
        past the expiry.
        """
        if date > expiry:
            raise ValueError(f"a contract that expired on {expiry} does not trade on {date}")
        session = self.session_on(date)
        if session is None:
            raise ValueError(f"no contract trades on {date}: {self.closed_reason(date)}")
        if kind == "INDEX" and date == expiry and session.expiring_index_closes is not None:
            return session.expiring_index_closes
        return session.closes

    def expiry_horizon(self, expiry: date) -> datetime:
        """The instant to which time to expiry counts: 15:30 of the expiry day unless configured.

        Answers for every date: contracts are listed years ahead of the published holidays.
        """
        chosen = self.horizons[0][1]
        for effective_from, at in self.horizons:
            if effective_from <= expiry:
                chosen = at
        return _at(expiry, chosen)

    def coverage_warning(self, today: date, *, days_ahead: int = 30) -> str | None:
        """A sentence when the covered dates end within `days_ahead` days of `today`, or ended; else None."""
        left = (self.covers_to - today).days
        if left > days_ahead:
            return None
        when = f"ends on {self.covers_to}, in {left} days" if left >= 0 else f"ended on {self.covers_to}"
        return (
            f"The trading calendar {when}; later dates are unknown and will be refused. "
            "Add the exchange's next holiday list to optionscanner/model/data/calendar_days.csv and its year "
            "to calendar_coverage.csv."
        )

    def _hours_on(self, day: date) -> HoursRule:
        return [rule for rule in self.hours if rule.effective_from <= day][-1]

    def check_covered(self, day: date) -> None:
        """Raise `UnknownDate` unless the tables cover `day`."""
        known = ((self.covers_from, self.covers_to), *self.earlier)
        if not any(first <= day <= last for first, last in known):
            raise UnknownDate(
                f"{day} is not in the trading calendar, which covers {self.covers_from} to {self.covers_to}; "
                "whether the market trades is unknown. Add the exchange's holiday list to "
                "optionscanner/model/data/calendar_days.csv and the year to calendar_coverage.csv."
            )


def years_to_expiry(
    now_epoch_seconds: npt.ArrayLike, horizon_epoch_seconds: npt.ArrayLike
) -> npt.NDArray[np.float64]:
    """Time to expiry in years, ACT/365, 0 from the horizon on; arguments broadcast, NaN stays NaN.

    T = max(0, horizon - now) / (365 · 86400), both in seconds since 1970 UTC; see tests/reference/tte.csv.
    """
    horizon = np.asarray(horizon_epoch_seconds, dtype=np.float64)
    seconds = horizon - np.asarray(now_epoch_seconds, dtype=np.float64)
    return np.asarray(np.maximum(seconds, 0.0) / SECONDS_PER_YEAR)


def load_calendar() -> TradingCalendar:
    """The calendar of the tables that come with the package: 2024 to 2026, and a week of August 2019."""
    holidays: dict[date, str] = {}
    specials: dict[date, _SpecialSession] = {}
    for row in _rows("calendar_days.csv"):
        day = date.fromisoformat(row["date"])
        if row["kind"] == "holiday":
            holidays[day] = row["description"]
        else:
            specials[day] = _special(day, row)
    years = sorted(int(row["year"]) for row in _rows("calendar_coverage.csv"))
    if years != list(range(years[0], years[-1] + 1)):
        raise UnknownDate(f"calendar_coverage.csv must list consecutive years, lists {years}; add the others")
    settled: dict[str, SettledBy] = {"average": "average", "auction": "auction"}
    hours = [
        HoursRule(
            effective_from=date.fromisoformat(row["effective_from"]),
            opens=time.fromisoformat(row["opens"]),
            closes=time.fromisoformat(row["closes"]),
            expiring_index_closes=time.fromisoformat(row["expiring_index_closes"]),
            settlement_from=time.fromisoformat(row["settlement_from"]),
            settles_by=settled[row["settles_by"]],
            confirmed={"yes": True, "no": False}[row["confirmed"]],
            note=row["note"],
            source=row["source"],
        )
        for row in _rows("calendar_hours.csv")
    ]
    rules = [
        ExpiryRule(
            exchange=row["exchange"],
            effective_from=date.fromisoformat(row["effective_from"]),
            weekday=WEEKDAYS.index(row["weekday"]),
            source=row["source"],
        )
        for row in _rows("calendar_expiry_rules.csv")
    ]
    earlier = [
        (date.fromisoformat(row["first"]), date.fromisoformat(row["last"])) for row in _rows("calendar_earlier.csv")
    ]
    horizons = [
        (date.fromisoformat(row["effective_from"]), time.fromisoformat(row["time"]))
        for row in _rows("calendar_horizons.csv")
    ]
    return TradingCalendar(
        covers_from=date(years[0], 1, 1),
        covers_to=date(years[-1], 12, 31),
        hours=tuple(sorted(hours, key=lambda rule: rule.effective_from)),
        holidays=holidays,
        specials=specials,
        expiry_rules=tuple(sorted(rules, key=lambda rule: rule.effective_from)),
        horizons=tuple(sorted(horizons)),
        earlier=tuple(sorted(earlier)),
    )


def _special(day: date, row: Mapping[str, str]) -> _SpecialSession:
    kinds: dict[str, SessionKind] = {"full": "full", "split": "split", "muhurat": "muhurat"}
    pause = None
    if row["pause_from"]:
        pause = (time.fromisoformat(row["pause_from"]), time.fromisoformat(row["pause_to"]))
    return _SpecialSession(
        date=day,
        kind=kinds[row["kind"]],
        opens=time.fromisoformat(row["opens"]) if row["opens"] else None,
        closes=time.fromisoformat(row["closes"]) if row["closes"] else None,
        pause=pause,
        description=row["description"],
        source=row["source"],
    )


def _rows(name: str) -> list[dict[str, str]]:
    table = resources.files("optionscanner.model").joinpath("data", name)
    return list(csv.DictReader(table.read_text(encoding="utf-8").splitlines()))


def _at(day: date, at: time) -> datetime:
    return datetime.combine(day, at, tzinfo=IST)


def _in_ist(at: datetime) -> datetime:
    if at.tzinfo is None:
        raise ValueError(f"an instant needs its time zone, {at.isoformat()} has none; use Asia/Kolkata")
    return at.astimezone(IST)
