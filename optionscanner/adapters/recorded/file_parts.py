"""Looks at one raw file: which days it has, and whether what it has of each day can be used at all.

Main entries: `inspected`, `part_of`. A file is wholly unusable for a day when nothing in it is that day's market; rows
outside the session's hours in a usable file are kept, because the recording is what was seen.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

import numpy as np

from optionscanner.adapters.recorded.assemble import Part
from optionscanner.adapters.recorded.lots import LotTable
from optionscanner.adapters.recorded.manifest import Refusal
from optionscanner.adapters.recorded.names import kind_of
from optionscanner.adapters.recorded.quotes import IST_OFFSET, Quotes, count_observations, iso
from optionscanner.adapters.recorded.raw_files import RawFile
from optionscanner.adapters.recorded.sources import Kind, open_table, recognise
from optionscanner.adapters.recorded.units import in_units
from optionscanner.errors import RecordingError, UnknownDate
from optionscanner.model.calendar import TradingCalendar, TradingSession

_QUANTITIES_OF_MARKET = ("last", "bid", "ask", "volume", "open_interest")


@dataclass(frozen=True, slots=True)
class FilePart:
    """One readable file's rows of one day, known by counts only; the rows are read again when the day is made."""

    place: RawFile
    kind: Kind
    day: date
    observations: int
    rows: int
    streams: frozenset[tuple[str, str]]
    """(kind of file, INDEX or STOCK): what the days must have in common."""


@dataclass(frozen=True, slots=True)
class Rules:
    """What decides whether a file is usable."""

    calendar: TradingCalendar
    lots: LotTable


def inspected(place: RawFile, rules: Rules, companions: list[RawFile]) -> tuple[list[FilePart], list[Refusal], int]:
    """The usable days of one file, what was refused of it, and how many observations it has.

    A file of past sessions' last snapshots has no observations; it is added to `companions`.
    """
    try:
        opened = open_table(place)
        kind = recognise(opened.table)
        quotes = kind.read(opened.table, place.where, rules.calendar)
        if not len(quotes) and not opened.broken_lines:
            raise RecordingError("it has a header and no rows")
    except RecordingError as error:
        return [], [Refusal(place.name, str(error))], 0
    if kind.name == "closing":
        companions.append(place)
        return [], [], 0
    refused = []
    total = count_observations(quotes)
    left = np.ones(len(quotes), dtype=bool)
    for what, rows in kind.unusable(quotes):
        if rows.any():
            reason = f"{counted(int(rows.sum()), 'row')} {what}"
            before, left = left, left & ~rows
            lost = count_observations(quotes.take(before)) - count_observations(quotes.take(left))
            refused.append(Refusal(place.name, reason, int(rows.sum()), lost))
    quotes = quotes.take(left)
    good = _readable(quotes)
    if opened.broken_lines or not good.all():
        kept = quotes.take(good)
        lost = count_observations(quotes) - count_observations(kept)
        number = opened.broken_lines + int((~good).sum())
        reason = f"{counted(number, 'row')} cut off, or without a readable name, expiry, strike or time"
        refused.append(Refusal(place.name, reason, number, lost))
        quotes = kept
    parts = []
    for day in np.unique(quotes.day):
        mine = quotes.take(quotes.day == day)
        observations = count_observations(mine)
        wrong = _unusable(mine, kind, iso(day), rules)
        if wrong:
            refused.append(Refusal(place.name, wrong, len(mine), observations))
            continue
        named = {kind_of(mine.names[code]) for code in np.unique(mine.name_code)}
        streams = frozenset((kind.name, name) for name in named)
        parts.append(FilePart(place, kind, iso(day), observations, len(mine), streams))
    return parts, refused, total


def _readable(quotes: Quotes) -> np.ndarray:
    return np.asarray(
        (quotes.name_code >= 0)
        & ~np.isnat(quotes.observed_at)
        & ~np.isnat(quotes.expiry)
        & np.isfinite(quotes.strike)
        & (quotes.strike > 0)
    )


def _unusable(quotes: Quotes, kind: Kind, day: date, rules: Rules) -> str | None:
    """Why one file's rows of one day cannot be used at all, None where they can."""
    first, last = (_clock(at) for at in (quotes.observed_at.min(), quotes.observed_at.max()))
    when = f"recorded on {day:%d-%b-%Y} at {first}" + ("" if first == last else f" to {last}")
    try:
        session = rules.calendar.session_on(day)
    except UnknownDate as error:
        return f"{when}, a date that the calendar does not know: {error}"
    stamps = quotes.stamped_at[~np.isnat(quotes.stamped_at)]
    stamp = "" if not len(stamps) else f"; the exchange's stamp is {iso(stamps.max()):%d-%b-%Y} {_clock(stamps.max())}"
    if session is None:
        why = rules.calendar.closed_reason(day)
        return f"{when}, when the market was closed ({why}): a stale copy of an earlier session{stamp}"
    if len(stamps) and (stamps + IST_OFFSET).max().astype("datetime64[D]") < np.datetime64(day):
        return f"{when}, but stale: every quote is of an earlier day{stamp}"
    if not _anything(quotes):
        early = f", before the open at {session.opens:%H:%M}" if quotes.observed_at.max() < _opens(session) else ""
        return f"{when}{early}: every price, volume and open interest in its {len(quotes):,} rows is zero or empty"
    if quotes.observed_at.max() < _opens(session):
        return f"{when}, before the open at {session.opens:%H:%M}: it shows the previous session, not this day"
    if kind.in_contracts:
        try:
            in_units(quotes, day, rules.lots, kind.in_contracts)
        except RecordingError as error:
            return str(error)
    return None


def _anything(quotes: Quotes) -> bool:
    """Whether any quantity of the market is there at all."""
    names = [name for name in quotes.quantities if name.split("_", 1)[-1] in _QUANTITIES_OF_MARKET]
    return any(bool((np.nan_to_num(quotes.quantities[name]) != 0).any()) for name in names)


def part_of(part: FilePart, rules: Rules) -> Part:
    """The rows of a usable part, read again, in units."""
    quotes = part.kind.read(open_table(part.place).table, part.place.where, rules.calendar)
    good = _readable(quotes) & (quotes.day == np.datetime64(part.day))
    for _, rows in part.kind.unusable(quotes):
        good &= ~rows
    quotes = quotes.take(good)
    if part.kind.in_contracts:
        return Part(*in_units(quotes, part.day, rules.lots, part.kind.in_contracts))
    return Part(quotes, {})


def _opens(session: TradingSession) -> np.datetime64:
    return np.datetime64(round(session.opens.timestamp() * 1000), "ms")


def counted(number: int, noun: str) -> str:
    """``1 file``, ``2 files``."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def _clock(at: np.datetime64) -> str:
    """Time of day in India, HH:MM."""
    return str((at + IST_OFFSET).astype("datetime64[m]")).split("T")[1]
