"""The contracts of a recorded day, with what the raw files do not state: lot and tick size, yesterday's figures.

Main entries: `instruments_table`, `lots_of_chains`. Quotes are sorted by contract here.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from itertools import pairwise

import numpy as np
import pyarrow as pa

from optionscanner.adapters.recorded.closing import Baseline
from optionscanner.adapters.recorded.lots import Lot, LotTable, inferred_lot
from optionscanner.adapters.recorded.manifest import Refusal
from optionscanner.adapters.recorded.names import derivatives_exchange, kind_of
from optionscanner.adapters.recorded.quotes import Quotes, count_observations, iso
from optionscanner.adapters.recorded.tables import SIDES, table_of
from optionscanner.model.contracts import Bools, Floats, Ints, paise

TICKS = (0.05, 0.01)
"""₹: the ticks of options, the coarser first (NSE/FAOP/70382: 0.01 for stocks under ₹250, reviewed monthly)."""

_ABSURD = 1e12
"""₹: no price; a misread number."""

MIN_SHARE_ON_TICK = 0.95
"""Share of distinct prices that a tick must divide; some prices are older than the last review of ticks."""


def contract_numbers(quotes: Quotes) -> Ints:
    """(n,) 0, 0, 1, ... : number of the (underlying, expiry, strike) of each row, in the order of the rows."""
    strikes = paise(quotes.strike)
    new = np.ones(len(quotes), dtype=bool)
    new[1:] = (
        (quotes.name_code[1:] != quotes.name_code[:-1])
        | (quotes.expiry[1:] != quotes.expiry[:-1])
        | (strikes[1:] != strikes[:-1])
    )
    return np.cumsum(new) - 1


def _chains(quotes: Quotes) -> list[tuple[tuple[str, date], slice]]:
    """((underlying, expiry), its rows) of sorted quotes."""
    if not len(quotes):
        return []
    new = (quotes.name_code[1:] != quotes.name_code[:-1]) | (quotes.expiry[1:] != quotes.expiry[:-1])
    starts = np.concatenate([[0], np.flatnonzero(new) + 1, [len(quotes)]])
    return [
        ((quotes.names[quotes.name_code[a]], iso(quotes.expiry[a])), slice(int(a), int(b))) for a, b in pairwise(starts)
    ]


def lots_of_chains(
    quotes: Quotes, known: Mapping[tuple[str, date], Lot], day: date, table: LotTable
) -> tuple[dict[tuple[str, date], Lot], list[Refusal], list[str]]:
    """The lot of each chain; chains without any are refused, disagreements with the table are noted."""
    lots: dict[tuple[str, date], Lot] = {}
    refused: list[Refusal] = []
    notes: list[str] = []
    for contract, rows in _chains(quotes):
        lot = known.get(contract) or _measured_lot(quotes, rows)
        name = f"{contract[0]} {contract[1]:%d-%b-%Y}"
        if lot is None:
            reason = "no open interest or volume from which its lot size could be inferred"
            chain = quotes.take(np.arange(rows.start, rows.stop))
            refused.append(Refusal(name, reason, len(chain), count_observations(chain)))
            continue
        lots[contract] = lot
        listed = table.lookup(*contract, on=day)
        if listed is not None and listed.size != lot.size:
            notes.append(
                f"{name}: lot size {lot.size:g} ({lot.source}) differs from {listed.size:g} in the lot table "
                f"({listed.source})."
            )
    return lots, refused, notes


def _measured_lot(quotes: Quotes, rows: slice) -> Lot | None:
    for quantity, words in (("open_interest", "open interest"), ("volume", "volume")):
        seen = [quotes.quantities[f"{s}_{quantity}"][rows] for s in SIDES if f"{s}_{quantity}" in quotes.quantities]
        lot = inferred_lot(np.concatenate(seen), words) if seen else None
        if lot is not None:
            return lot
    return None


def rows_with_lot(quotes: Quotes, lots: Mapping[tuple[str, date], Lot]) -> Bools:
    """(n,) True where the row's chain has a lot."""
    keep = np.ones(len(quotes), dtype=bool)
    for contract, rows in _chains(quotes):
        keep[rows] = contract in lots
    return keep


def instruments_table(
    quotes: Quotes, contract: Ints, lots: Mapping[tuple[str, date], Lot], baseline: Baseline
) -> tuple[pa.Table, list[str]]:
    """Two rows per strike, call and put; and notes on where the previous session's figures come from."""
    first = np.flatnonzero(np.diff(contract, prepend=-1))
    one = quotes.take(first)
    keys = [(one.names[code], iso(expiry)) for code, expiry in zip(one.name_code, one.expiry, strict=True)]
    mine = [lots[key] for key in keys]
    tick_of = dict(_ticks(quotes))
    strikes = paise(one.strike)
    columns: dict[str, list[object]] = {}
    known = 0
    for side, option_type in zip(SIDES, ("CE", "PE"), strict=True):
        interest, close = _previous_by_change(quotes, contract, len(first), side)
        for i, (key, strike) in enumerate(zip(keys, strikes, strict=True)):
            closed = baseline.get((*key, int(strike), side))
            if closed is not None:
                interest[i], close[i] = closed.open_interest, closed.last
        known += int(np.isfinite(interest).sum())
        rows = {
            "exchange": [derivatives_exchange(name) for name, _ in keys],
            "underlying": [name for name, _ in keys],
            "kind": [kind_of(name) for name, _ in keys],
            "expiry": [expiry for _, expiry in keys],
            "strike": one.strike.tolist(),
            "option_type": [option_type] * len(keys),
            "lot_size": [lot.size for lot in mine],
            "lot_size_source": [lot.source for lot in mine],
            "tick_size": [tick_of[key] for key in keys],
            "effective_from": [lot.effective_from for lot in mine],
            "previous_open_interest": interest.tolist(),
            "previous_close": close.tolist(),
        }
        for name, values in rows.items():
            columns.setdefault(name, []).extend(values)
    table = table_of("instruments", {name: pa.array(values, from_pandas=True) for name, values in columns.items()})
    total = 2 * len(first)
    return table, [
        f"Open interest of the previous session is known for {known} of {total} contracts.",
        "tick_size is the coarser of ₹0.05 and ₹0.01 that divides the prices seen of the chain.",
    ]


def _ticks(quotes: Quotes) -> list[tuple[tuple[str, date], float]]:
    """((underlying, expiry), tick [₹]) of each chain; NaN where no price was seen."""
    found = []
    names = [f"{side}_{name}" for side in SIDES for name in ("last", "bid", "ask")]
    for contract, rows in _chains(quotes):
        seen = [quotes.quantities[name][rows] for name in names if name in quotes.quantities]
        quoted = np.concatenate(seen)
        prices = np.unique(paise(quoted[(quoted > 0) & (quoted < _ABSURD)]))
        fitting = [tick for tick in TICKS if len(prices) and np.mean(prices % paise(tick) == 0) >= MIN_SHARE_ON_TICK]
        found.append((contract, fitting[0] if fitting else float("nan")))
    return found


def _previous_by_change(quotes: Quotes, contract: Ints, contracts: int, side: str) -> tuple[Floats, Floats]:
    """(contracts,) yesterday's open interest [units] and close [₹] where the source gives the change since then.

    Change and level are not updated at the same instant, so the day's most frequent difference counts.
    """
    q = quotes.quantities
    interest, close = np.full(contracts, np.nan), np.full(contracts, np.nan)
    if f"{side}_open_interest_change" in q:
        interest = _most_frequent(contract, q[f"{side}_open_interest"] - q[f"{side}_open_interest_change"], contracts)
        interest[interest < 0] = np.nan
    if f"{side}_net_change" in q:
        # a leg that has not traded today shows neither a price nor a change of it
        traded = q[f"{side}_last"] > 0
        difference = np.where(traded, q[f"{side}_last"] - q[f"{side}_net_change"], np.nan)
        close = _most_frequent(contract, np.rint(difference * 100) / 100, contracts)
        close[~(close > 0)] = np.nan
    return interest, close


def _most_frequent(group: Ints, values: Floats, groups: int) -> Floats:
    """(groups,) the most frequent value of each group, the smallest of ties, NaN without any."""
    out = np.full(groups, np.nan)
    usable = np.isfinite(values)
    group, values = group[usable], values[usable]
    if not len(values):
        return out
    order = np.lexsort((values, group))
    group, values = group[order], values[order]
    run = np.ones(len(values), dtype=bool)
    run[1:] = (group[1:] != group[:-1]) | (values[1:] != values[:-1])
    starts = np.flatnonzero(run)
    counts = np.diff(np.append(starts, len(values)))
    # written in rising order of count, so the most frequent one stays; the reversal lets the smallest of ties win
    by_count = np.argsort(counts[::-1], kind="stable")
    out[group[starts][::-1][by_count]] = values[starts][::-1][by_count]
    return out
