"""Reads the five-minute recordings of all F&O chains: last price, open interest, volume, spot; no bid or ask.

Main entries: `matches`, `read`. Three layouts of the same recorder: the CSV files for stocks (the older ones without
volumes and the day's range), those for indices, and the tables of whole days made from them. Open interest and volume
are units already. The recorder's ``Max_Pain`` is a payout per strike, not a strike, and is not read.
"""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from optionscanner.adapters.recorded.quotes import Quotes, encoded_names, parse_dates, parse_instants, parse_numbers

_KEYS = frozenset({"expiry", "strike", "ce_ltp", "ce_oi", "pe_ltp", "pe_oi"})
_STOCK_FILE = frozenset({"stock", "stock_ltp", "timestamp"})
_INDEX_FILE = frozenset({"symbol", "spot", "%change", "timestamp"})
_DAY_TABLE = frozenset({"symbol", "spot", "ts", "ce_vol", "pe_vol", "pct_change"})

_NAMES = {
    "call_last": ("ce_ltp",),
    "call_open_interest": ("ce_oi",),
    "call_volume": ("ce_volume", "ce_vol"),
    "put_last": ("pe_ltp",),
    "put_open_interest": ("pe_oi",),
    "put_volume": ("pe_volume", "pe_vol"),
    "spot": ("stock_ltp", "spot"),
    "high": ("stock_high", "day_high"),
    "low": ("stock_low", "day_low"),
    "percent_change": ("stock_%_change", "%change", "pct_change"),
}
"""our quantity -> the layouts' names for it"""


def matches(columns: frozenset[str]) -> bool:
    """Whether a file with these lower-case columns is of this kind."""
    return columns >= _KEYS and any(columns >= marks for marks in (_STOCK_FILE, _INDEX_FILE, _DAY_TABLE))


def read(table: pa.Table) -> Quotes:
    """The rows of one file, in the file's units (units of the underlying) and with its zeros.

    A stock file is sometimes written under the index columns: what a row is follows from its name, not from the header.
    """
    columns = set(table.column_names)
    names, codes = encoded_names(table["stock" if "stock" in columns else "symbol"])
    observed_at = parse_instants(table["ts" if "ts" in columns else "timestamp"])
    quantities = {}
    for quantity, known in _NAMES.items():
        found = [name for name in known if name in columns]
        if found:
            quantities[quantity] = parse_numbers(table[found[0]])
    return Quotes(
        names=names,
        name_code=codes,
        observed_at=observed_at,
        # the recorder's own clock is all there is
        stamped_at=np.full(len(observed_at), np.datetime64("NaT"), dtype="datetime64[ms]"),
        expiry=parse_dates(table["expiry"]),
        strike=parse_numbers(table["strike"]),
        quantities=quantities,
    )
