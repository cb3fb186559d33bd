"""The weekday rules of expiries, as a cross-check of the instrument master and nothing more.

Main entry: `expiry_disagreement`, a warning sentence where master and rule differ. Nothing else may rest on a
date computed here: holidays are added at a few days' notice, and the master knows. The rules are those of
NIFTY, SENSEX and stocks; before 2025 some other indices had weekdays of their own.
"""

from __future__ import annotations

from datetime import date, timedelta
from typing import Literal

from optionscanner.errors import UnknownDate
from optionscanner.model.calendar import WEEKDAYS, TradingCalendar

Cycle = Literal["weekly", "monthly"]

_ONE_DAY = timedelta(days=1)


def expected_weekly_expiries(
    calendar: TradingCalendar, exchange: str, *, first: date, last: date
) -> tuple[date, ...]:
    """Weekly expiries of an exchange ("NFO", "BFO") from `first` to `last` by the weekday rule.

    Contracts of a holiday expire on the trading day before it. `UnknownDate` outside the calendar.
    """
    calendar.check_covered(first)
    calendar.check_covered(last)
    expected = set()
    # an expiry after `last` can be moved back into the window by a holiday
    day = first
    while day <= min(last + 6 * _ONE_DAY, calendar.covers_to):
        if day.weekday() == _weekday(calendar, exchange, day):
            expected.add(_moved_for_holidays(calendar, day))
        day += _ONE_DAY
    return tuple(sorted(moved for moved in expected if first <= moved <= last))


def expected_monthly_expiry(calendar: TradingCalendar, exchange: str, year: int, month: int) -> date:
    """Monthly expiry by the rule: the last such weekday of the month, or the trading day before a holiday."""
    day = date(year + month // 12, month % 12 + 1, 1) - _ONE_DAY
    calendar.check_covered(day)
    while day.weekday() != _weekday(calendar, exchange, day):
        day -= _ONE_DAY
    return _moved_for_holidays(calendar, day)


def expiry_disagreement(
    calendar: TradingCalendar, *, exchange: str, underlying: str, expiry: date, cycle: Cycle
) -> str | None:
    """A warning sentence where the instrument master and the weekday rule disagree on an expiry, else None.

    `cycle` is "weekly" for underlyings with weekly contracts, "monthly" for the others. None as well for an
    expiry that the calendar does not cover: there is nothing to compare with.
    """
    if not calendar.covers_from <= expiry <= calendar.covers_to:
        return None
    if cycle == "monthly":
        expected = [expected_monthly_expiry(calendar, exchange, expiry.year, expiry.month)]
    else:
        first = max(expiry - 7 * _ONE_DAY, calendar.covers_from)
        last = min(expiry + 7 * _ONE_DAY, calendar.covers_to)
        expected = list(expected_weekly_expiries(calendar, exchange, first=first, last=last))
    if expiry in expected:
        return None
    nearest = min(expected, key=lambda day: abs(day - expiry))
    return (
        f"{underlying} on {exchange}: the instrument master lists the {cycle} expiry {expiry} "
        f"({WEEKDAYS[expiry.weekday()]}), the rule expects {nearest} ({WEEKDAYS[nearest.weekday()]}); "
        "the master is used, check the exchange's circular."
    )


def _weekday(calendar: TradingCalendar, exchange: str, day: date) -> int:
    own = [rule for rule in calendar.expiry_rules if rule.exchange == exchange]
    rules = [rule for rule in own if rule.effective_from <= day]
    if not rules:
        known = ", ".join(sorted({rule.exchange for rule in calendar.expiry_rules}))
        raise UnknownDate(f"no expiry rule for exchange {exchange!r} on {day}; exchanges with rules: {known}")
    return rules[-1].weekday


def _moved_for_holidays(calendar: TradingCalendar, day: date) -> date:
    while not calendar.is_expiry_day(day):
        day -= _ONE_DAY
    return day
