"""Reads recordings of the exchange's option-chain page of 2019: several underlyings every 15 minutes, bid and ask.

Main entries: `matches`, `read`, `unusable`. Open interest comes in units and volume in contracts. Two layouts: one
file per chain and instant, whose name and folder say what it is, and tables of whole days made from them. A chain
taken from the page's default view has no expiry anywhere, so it cannot be used.
"""

from __future__ import annotations

from pathlib import PurePath

import numpy as np
import pyarrow as pa

from optionscanner.adapters.recorded.path_facts import (
    dates_in,
    near_parts,
    nearest_date,
    symbol_at_start,
    time_at_end,
)
from optionscanner.adapters.recorded.quotes import (
    IST_OFFSET,
    Quotes,
    encoded_names,
    parse_dates,
    parse_instants,
    parse_numbers,
    unchanged_where_untraded,
)
from optionscanner.errors import RecordingError
from optionscanner.model.contracts import Bools

_RAW_SIDES, _DAY_SIDES = {"call": "call", "put": "put"}, {"call": "ce_", "put": "pe_"}
_RAW_NAMES = {
    "last": "ltp",
    "net_change": "netchng",
    "bid": "bidprice",
    "ask": "askprice",
    "bid_quantity": "bidqty",
    "ask_quantity": "askqty",
    "volume": "volume",
    "open_interest": "oi",
    "open_interest_change": "chnginoi",
}
"""our quantity of a side -> the raw file's name, after ``call`` or ``put``"""
_DAY_NAMES = {
    "last": "ltp",
    "net_change": "change",
    "bid": "bid",
    "ask": "ask",
    "bid_quantity": "bid_qty",
    "ask_quantity": "ask_qty",
    "volume": "volume",
    "open_interest": "oi",
    "open_interest_change": "chg_oi",
}
"""the same of the table of whole days, after ``ce_`` or ``pe_``"""
_RAW_FILE = frozenset({"strikeprice"}) | {f"{s}{n}" for s in _RAW_SIDES.values() for n in _RAW_NAMES.values()}
_DAY_TABLE = frozenset({"ts", "symbol", "expiry", "tree", "strike", "spot"}) | {
    f"{s}{n}" for s in _DAY_SIDES.values() for n in _DAY_NAMES.values()
}

_FIRST_TRADES = np.timedelta64(9 * 60 + 15, "m")
"""Time of day in India of the open: until the first trades the page shows the previous close."""


def matches(columns: frozenset[str]) -> bool:
    """Whether a file with these lower-case columns is of this kind."""
    return columns >= _RAW_FILE or columns >= _DAY_TABLE


def read(table: pa.Table, where: PurePath) -> Quotes:
    """The rows of one file, in its units; an expiry that is not known is NaT.

    Raises RecordingError where the path of a raw file lacks its symbol, date or time.
    """
    raw = "strikeprice" in table.column_names
    sides, names = (_RAW_SIDES, _RAW_NAMES) if raw else (_DAY_SIDES, _DAY_NAMES)
    quantities = {
        f"{side}_{quantity}": parse_numbers(table[f"{prefix}{name}"])
        for side, prefix in sides.items()
        for quantity, name in names.items()
    }
    rows = table.num_rows
    underlyings: tuple[str, ...]
    if raw:
        symbol, observed_at, expiry = _facts_of(where)
        underlyings, codes = (symbol,), np.zeros(rows, dtype=np.int32)
        at, expiries = np.full(rows, observed_at), np.full(rows, expiry)
        strike = parse_numbers(table["strikeprice"])
        if "currentval" in table.column_names:
            quantities["spot"] = parse_numbers(table["currentval"])
    else:
        underlyings, codes = encoded_names(table["symbol"])
        at, expiries = parse_instants(table["ts"]), parse_dates(table["expiry"])
        strike = parse_numbers(table["strike"])
        quantities["spot"] = parse_numbers(table["spot"])
    return Quotes(
        names=underlyings,
        name_code=codes,
        observed_at=at,
        # the page's own stamp was not recorded
        stamped_at=np.full(rows, np.datetime64("NaT"), dtype="datetime64[ms]"),
        expiry=expiries,
        strike=strike,
        quantities=unchanged_where_untraded(quantities),
    )


def unusable(quotes: Quotes) -> list[tuple[str, Bools]]:
    """What no day can use: (what it is, (n,) the rows), for sentences that begin with the number of rows."""
    nameless = np.isnat(quotes.expiry)
    clock = quotes.observed_at + IST_OFFSET - quotes.day
    volume = np.nan_to_num(quotes.quantities["call_volume"]) + np.nan_to_num(quotes.quantities["put_volume"])
    early = ~nameless & (clock <= _FIRST_TRADES) & (volume == 0)
    return [
        ("of the page's default view, which does not name its expiry: they belong to no contract", nameless),
        ("taken at the open or before it, when the page still shows the previous close", early),
    ]


def _facts_of(where: PurePath) -> tuple[str, np.datetime64, np.datetime64]:
    """Symbol, instant (UTC) and expiry (NaT where no folder names it) of a raw file from its path."""
    parts = near_parts(where)
    symbol, clock = symbol_at_start(parts[0]), time_at_end(parts[0])
    day = nearest_date(parts[:1])
    if symbol is None or clock is None or day is None:
        facts = {"symbol": symbol, "date": day, "time of day": clock}
        raise RecordingError(
            f"it does not say what it is, and its name has no "
            f"{' and no '.join(word for word, fact in facts.items() if fact is None)}; "
            "call it by the recorder's pattern, such as 29AUG2019/NIFTY_27-08-2019_1000.csv"
        )
    folder = dates_in(parts[1]) if len(parts) > 1 else []
    expiry = np.datetime64(folder[0], "D") if folder else np.datetime64("NaT", "D")
    local = np.datetime64(day, "ms") + np.timedelta64(clock.hour * 3600 + clock.minute * 60 + clock.second, "s")
    return symbol, (local - IST_OFFSET).astype("datetime64[ms]"), expiry
