"""Makes the tables of one recorded day out of the quotes of its files.

Main entry: `assemble`. What was seen is kept as it was seen, outside the session's hours too; only what cannot be a
value becomes null (a price of 0 does not exist on the exchange). Derived are the times of change (`clocks.py`), the
contracts with lot, tick and previous figures (`instruments.py`), and the previous closes of the underlyings.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date

import numpy as np
import pyarrow as pa

from optionscanner.adapters.recorded import clocks
from optionscanner.adapters.recorded.closing import Baseline
from optionscanner.adapters.recorded.instruments import (
    contract_numbers,
    instruments_table,
    lots_of_chains,
    rows_with_lot,
)
from optionscanner.adapters.recorded.lots import Lot, LotTable
from optionscanner.adapters.recorded.manifest import Refusal
from optionscanner.adapters.recorded.names import cash_exchange, derivatives_exchange
from optionscanner.adapters.recorded.quotes import Quotes, count_observations, joined
from optionscanner.adapters.recorded.tables import SIDES, table_of
from optionscanner.model.calendar import TradingSession
from optionscanner.model.contracts import Floats, Ints, paise

PERCENT_ROUNDING = 0.0005
"""The recorder writes the day's change in percent with three decimals: the true figure lies within half of the last."""


_OF_DAY = ("open", "high", "low")
"""The underlying's day so far, where a source gives it."""


@dataclass(frozen=True)
class Part:
    """The rows of one file on one day, in units."""

    quotes: Quotes
    lots: Mapping[tuple[str, date], Lot]
    """(underlying, expiry) -> lot, where the file's kind gives it."""


@dataclass(frozen=True)
class Assembled:
    """The tables of a day and what was counted on the way."""

    tables: Mapping[str, pa.Table]
    exchange_stamps: bool
    observation_step_seconds: float | None
    observations: int
    """Distinct (underlying, expiry, instant) groups in the recording."""
    rows: int
    replaced_rows: int
    """Rows of which another row of the same contract and instant came later; the later one is kept."""
    refused: tuple[Refusal, ...]
    notes: tuple[str, ...]


def assemble(parts: Sequence[Part], session: TradingSession, *, baseline: Baseline, table: LotTable) -> Assembled:
    """The recorded day's tables from the parts of its files; later parts win over earlier ones.

    `baseline`: the previous session's closing figures, may be empty; `table`: to cross-check inferred lot sizes.
    """
    quotes, replaced = _without_repeats(joined([part.quotes for part in parts]))
    known = {contract: lot for part in parts for contract, lot in part.lots.items()}
    lots, refused, notes = lots_of_chains(quotes, known, session.date, table)
    keep = rows_with_lot(quotes, lots)
    if not keep.all():
        quotes = quotes.take(keep)
    cleaned = _without_zero_prices(quotes)
    contract = contract_numbers(cleaned)
    options = _options(cleaned, contract, session)
    underlyings, closes_note = _underlyings(cleaned, session)
    instruments, previous_note = instruments_table(quotes, contract, lots, baseline)
    instants = np.unique(quotes.observed_at)
    stamped = not bool(np.isnat(quotes.stamped_at).all())
    return Assembled(
        tables={"options": options, "underlyings": underlyings, "instruments": instruments},
        exchange_stamps=stamped,
        observation_step_seconds=_median_step(instants, session),
        observations=count_observations(quotes),
        rows=len(quotes),
        replaced_rows=replaced,
        refused=tuple(refused),
        notes=(*notes, *closes_note, *previous_note, *_PLAIN_NOTES),
    )


_PLAIN_NOTES = (
    "Prices, spots, highs and lows of 0 were recorded as null: the exchange has no such price.",
    "price_at is the time of the observation at which the last price or the day's volume was last seen to change (the "
    "exchange's stamp where there is one, at latest the close); null for a leg that has not traded on the day. "
    "open_interest_at likewise, the first observation from the open on counting as a change.",
)


def _without_repeats(quotes: Quotes) -> tuple[Quotes, int]:
    """Rows sorted by contract and time, of equal ones the last; and how many were dropped."""
    rank = np.argsort(np.argsort(np.array(quotes.names))) if quotes.names else np.empty(0, dtype=np.int64)
    arrival = np.arange(len(quotes))
    order = np.lexsort((arrival, quotes.observed_at, paise(quotes.strike), quotes.expiry, rank[quotes.name_code]))
    ordered = quotes.take(order)
    contract = contract_numbers(ordered)
    last = np.ones(len(quotes), dtype=bool)
    last[:-1] = (contract[1:] != contract[:-1]) | (ordered.observed_at[1:] != ordered.observed_at[:-1])
    return ordered.take(last) if not last.all() else ordered, int(np.count_nonzero(~last))


def _without_zero_prices(quotes: Quotes) -> Quotes:
    """The quotes with prices of 0 as NaN, and no quantity beside an absent bid or ask."""
    cleaned = dict(quotes.quantities)
    of_legs = (f"{side}_{name}" for side in SIDES for name in ("last", "bid", "ask"))
    prices = ["spot", *_OF_DAY, "previous_close", *of_legs]
    for name in prices:
        if name in cleaned:
            cleaned[name] = np.where(cleaned[name] == 0, np.nan, cleaned[name])
    for name in (f"{side}_{end}" for side in SIDES for end in ("bid", "ask")):
        if name in cleaned:
            cleaned[f"{name}_quantity"] = np.where(np.isnan(cleaned[name]), np.nan, cleaned[f"{name}_quantity"])
    plain = {f: getattr(quotes, f) for f in ("names", "name_code", "observed_at", "stamped_at", "expiry", "strike")}
    return Quotes(**plain, quantities=cleaned)


def _options(quotes: Quotes, contract: Ints, session: TradingSession) -> pa.Table:
    inside = quotes.observed_at >= np.datetime64(_milliseconds(session.opens.timestamp()), "ms")
    said_at = np.where(np.isnat(quotes.stamped_at), quotes.observed_at, quotes.stamped_at)
    at = said_at.astype("datetime64[ms]").astype(np.int64)
    starts = clocks.group_starts(contract, inside)
    columns: dict[str, np.ndarray | pa.Array] = {
        "observed_at": quotes.observed_at,
        "exchange": _words(quotes, [derivatives_exchange(name) for name in quotes.names]),
        "underlying": _words(quotes, quotes.names),
        "expiry": quotes.expiry,
        "strike": quotes.strike,
    }
    if not np.isnat(quotes.stamped_at).all():
        columns["stamped_at"] = quotes.stamped_at
    quoted = ("last", "bid", "ask", "bid_quantity", "ask_quantity", "volume", "open_interest")
    for side in SIDES:
        mine = {name: quotes.quantities[f"{side}_{name}"] for name in quoted if f"{side}_{name}" in quotes.quantities}
        columns |= {f"{side}_{name}": values for name, values in mine.items()}
        columns[f"{side}_price_at"] = clocks.price_times(
            last=mine["last"],
            volume=mine.get("volume"),
            at=at,
            starts=starts,
            inside=inside,
            closes=_milliseconds(session.closes.timestamp()),
        ).view("datetime64[ms]")
        columns[f"{side}_open_interest_at"] = clocks.interest_times(
            open_interest=mine["open_interest"], at=at, starts=starts, inside=inside
        ).view("datetime64[ms]")
    return table_of("options", columns)


def _underlyings(quotes: Quotes, session: TradingSession) -> tuple[pa.Table, list[str]]:
    """One row per underlying and instant, where the source has spots at all; and a note."""
    if "spot" not in quotes.quantities:
        return table_of("underlyings", _no_underlyings()), []
    at = quotes.observed_at.astype("datetime64[ms]").astype(np.int64)
    order = np.lexsort((at, quotes.name_code))
    name, at = quotes.name_code[order], at[order]
    first = np.ones(len(order), dtype=bool)
    first[1:] = (name[1:] != name[:-1]) | (at[1:] != at[:-1])
    seen = quotes.take(order[first])
    spot = seen.quantities["spot"]
    inside = seen.observed_at >= np.datetime64(_milliseconds(session.opens.timestamp()), "ms")
    percent = seen.quantities.get("percent_change", np.full(len(seen), np.nan))
    previous = previous_closes(spot, percent, np.where(inside, seen.name_code, -1), len(seen.names))
    stated = seen.quantities.get("previous_close", np.full(len(seen), np.nan))
    columns: dict[str, np.ndarray | pa.Array] = {
        "observed_at": seen.observed_at,
        "exchange": _words(seen, [cash_exchange(n) for n in seen.names]),
        "underlying": _words(seen, seen.names),
        "spot": spot,
        "previous_close": np.where(np.isfinite(stated), stated, previous[seen.name_code]),
        "spot_at": np.where(np.isnan(spot), np.datetime64("NaT", "ms"), seen.observed_at),
        **{n: seen.quantities[n] for n in _OF_DAY if n in seen.quantities},
    }
    notes = []
    if np.isfinite(previous).any():
        notes.append(
            "previous_close of underlyings was worked out from the spots and the day's change in percent (three "
            f"decimals) of the whole day, for {np.isfinite(previous).sum()} of {len(previous)} underlyings: the only "
            "whole paisa that fits, else the only multiple of five, else the middle of the range."
        )
    counts = np.bincount(seen.name_code, minlength=len(seen.names))
    spots = np.bincount(seen.name_code, weights=np.isfinite(spot), minlength=len(seen.names))
    absent = [name for name, rows, known in zip(seen.names, counts, spots, strict=True) if rows and not known]
    if absent:
        notes.append(f"No spot all day: {', '.join(absent)}.")
    return table_of("underlyings", columns), notes


def previous_closes(spot: Floats, percent_change: Floats, group: Ints, groups: int) -> Floats:
    """(groups,) yesterday's close [₹] from spots and their rounded change in percent; NaN where they contradict.

    Each row bounds it: close × (1 + percent / 100) = spot, with the percentage known to `PERCENT_ROUNDING`. All rows of
    a group together leave a narrow range. Closes are whole paise, those of indices and of most stocks multiples of
    five, so mostly one figure is left; else it is the middle of the range. `group` -1: not used.
    """
    low, high = np.full(groups, -np.inf), np.full(groups, np.inf)
    use = (group >= 0) & (spot > 0) & np.isfinite(percent_change) & (percent_change > -99)
    growth = 1 + percent_change[use] / 100
    slack = PERCENT_ROUNDING / 100 * (1 + 1e-6)
    np.maximum.at(low, group[use], spot[use] / (growth + slack))
    np.minimum.at(high, group[use], spot[use] / (growth - slack))
    with np.errstate(invalid="ignore"):
        close = (low + high) / 2
        for steps in (20, 100):  # in a rupee; the finer one last, it decides where it can
            first, last = np.ceil(low * steps - 1e-6), np.floor(high * steps + 1e-6)
            close = np.where(last == first, first / steps, close)
        return np.where(np.isfinite(low) & np.isfinite(high) & (low <= high), close, np.nan)


def _no_underlyings() -> dict[str, np.ndarray]:
    return {
        "observed_at": np.empty(0, dtype="datetime64[ms]"),
        "exchange": np.empty(0, dtype=object),
        "underlying": np.empty(0, dtype=object),
    }


def _words(quotes: Quotes, words: Sequence[str]) -> pa.Array:
    """(n,) the word of each row's underlying."""
    codes = pa.array(quotes.name_code, type=pa.int32())
    return pa.DictionaryArray.from_arrays(codes, pa.array(list(words), type=pa.string())).cast(pa.string())


def _median_step(instants: np.ndarray, session: TradingSession) -> float | None:
    """Median seconds between the distinct instants within the session; None for fewer than two."""
    at = instants.astype("datetime64[ms]").astype(np.int64)
    inside = at[(at >= _milliseconds(session.opens.timestamp())) & (at < _milliseconds(session.closes.timestamp()))]
    return float(np.median(np.diff(inside))) / 1000 if len(inside) > 1 else None


def _milliseconds(seconds: float) -> int:
    return round(seconds * 1000)
