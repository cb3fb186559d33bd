"""Reads the table that the exchange's option-chain page exports: one chain at one instant, with bid and ask.

Main entries: `header_of`, `matches`, `read`. Two header lines, Indian digit grouping in quotes, ``-`` for "nothing".
Open interest and volume come in contracts; bid and ask quantities are units. The file says neither date, time, symbol,
expiry nor spot: all but the spot must stand in its name or its folders.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import PurePath

import numpy as np
import pyarrow as pa

from optionscanner.adapters.recorded.path_facts import DATE, dates_in, near_parts, nearest_date, time_at_end
from optionscanner.adapters.recorded.quotes import Quotes, parse_numbers, unchanged_where_untraded
from optionscanner.errors import RecordingError, UnknownDate
from optionscanner.model.calendar import IST, TradingCalendar
from optionscanner.model.expiry_rules import expected_monthly_expiry, expected_weekly_expiries

_FIRST_LINE = ("CALLS", "PUTS")
_STRIKE = "STRIKE"
_SIDES = {"call": "calls", "put": "puts"}
_NAMES = {
    "last": "ltp",
    "net_change": "chng",
    "bid": "bid",
    "ask": "ask",
    "bid_quantity": "bid qty",
    "ask_quantity": "ask qty",
    "volume": "volume",
    "open_interest": "oi",
    "open_interest_change": "chng in oi",
}
"""our quantity of a side -> the page's name"""
_COLUMNS = frozenset({"strike"}) | {f"{side}_{name}" for side in _SIDES.values() for name in _NAMES.values()}

_EXPIRY = re.compile(rf"(?i)(?:expiry[-_ ]?|option-chain-ed-[a-z0-9&]+-)({DATE})")
_SYMBOL = re.compile(r"(?i)^([a-z][a-z0-9&]*)[-_]option[-_]chain|^option-chain-ed-([a-z][a-z0-9&]*)-")
_WITH_WEEKLY = "NIFTY"
"""The one underlying of the exchange with weekly contracts since November 2024."""


def header_of(first: str, second: str) -> list[str] | None:
    """Column names from the two header lines, ``calls_oi`` to ``puts_oi``; None where they are not this page's.

    The blank cells at both ends of a line are columns of their own, named by their position.
    """
    if tuple(cell.strip().upper() for cell in first.split(",") if cell.strip()) != _FIRST_LINE:
        return None
    cells = [cell.strip().upper() for cell in second.strip("\r\n").split(",")]
    if cells.count(_STRIKE) != 1:
        return None
    strike = cells.index(_STRIKE)
    names = []
    for place, cell in enumerate(cells):
        side = _SIDES["call"] if place < strike else _SIDES["put"]
        named = "strike" if place == strike else f"{side}_{cell.lower()}"
        names.append(named if cell else f"blank {place}")
    return names


def matches(columns: frozenset[str]) -> bool:
    """Whether a file with these lower-case columns is of this kind."""
    return columns >= _COLUMNS


@dataclass(frozen=True, slots=True)
class PathFacts:
    """What the path of an export says."""

    symbol: str
    at: datetime
    """When it was exported, in India."""
    expiry: date


def facts_of(where: PurePath, calendar: TradingCalendar) -> PathFacts:
    """Symbol, time and expiry from the path, nearest part first; raises RecordingError naming what it does not say.

    An expiry is marked as such (``expiry_2026-05-26``, ``option-chain-ED-NIFTY-26-May-2026``). Without one, the chain
    is the page's default, the nearest expiry: which that is, is certain only on a day on which contracts expire.
    """
    parts = near_parts(where)
    marked = [day for part in parts for match in _EXPIRY.finditer(part) for day in dates_in(match[1])]
    rest = [_EXPIRY.sub("", part) for part in parts]
    named = _SYMBOL.search(parts[0])
    symbol = None if named is None else (named[1] or named[2]).upper()
    day, clock = nearest_date(rest), time_at_end(rest[0])
    if symbol is None or day is None or clock is None:
        facts = {"symbol": symbol, "date": day, "time of day": clock}
        lacking = [word for word, fact in facts.items() if fact is None]
        raise RecordingError(
            f"it does not say what it is, and its path names no {' and no '.join(lacking)}; "
            "put it into a folder of its date under a name such as 2026-05-26/nifty_option_chain_103337.csv"
        )
    expiry = marked[0] if marked else _expiring_today(symbol, day, calendar)
    return PathFacts(symbol, datetime.combine(day, clock, tzinfo=IST), expiry)


def read(table: pa.Table, where: PurePath, calendar: TradingCalendar) -> Quotes:
    """The rows of one export, counts in contracts, NaN for "nothing"; raises RecordingError as `facts_of` does."""
    facts = facts_of(where, calendar)
    rows = table.num_rows
    return Quotes(
        names=(facts.symbol,),
        name_code=np.zeros(rows, dtype=np.int32),
        observed_at=np.full(rows, np.datetime64(round(facts.at.timestamp() * 1000), "ms")),
        stamped_at=np.full(rows, np.datetime64("NaT"), dtype="datetime64[ms]"),
        expiry=np.full(rows, np.datetime64(facts.expiry)),
        strike=parse_numbers(table["strike"]),
        quantities=unchanged_where_untraded(
            {
                f"{side}_{quantity}": parse_numbers(table[f"{prefix}_{name}"])
                for side, prefix in _SIDES.items()
                for quantity, name in _NAMES.items()
            }
        ),
    )


def _expiring_today(symbol: str, day: date, calendar: TradingCalendar) -> date:
    """`day`, where contracts of the symbol expire on it by the weekday rule; raises RecordingError elsewhere."""
    try:
        if symbol == _WITH_WEEKLY:
            today = day in expected_weekly_expiries(calendar, "NFO", first=day, last=day)
        else:
            today = expected_monthly_expiry(calendar, "NFO", day.year, day.month) == day
    except UnknownDate as error:
        raise RecordingError(f"its path names {day:%d-%b-%Y}, which the calendar does not know: {error}") from error
    if not today:
        raise RecordingError(
            f"it does not say its expiry, nor does its path, and contracts of {symbol} do not expire on "
            f"{day:%d-%b-%Y} itself; put it into a folder such as {day.isoformat()}/expiry_{day.isoformat()}, with "
            "the chain's own expiry"
        )
    return day
