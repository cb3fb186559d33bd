"""Reads the one-minute recordings with the recorder's own greeks: a row per leg, last prices, spot; no bid or ask.

Main entries: `matches`, `read`. Open interest and volume come in contracts. The recorder's volatility and greeks rest
on the spot instead of the forward and are not read.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
import pyarrow as pa

from optionscanner.adapters.recorded.quotes import Quotes, encoded_names, parse_dates, parse_instants, parse_numbers

_COLUMNS = frozenset(
    {"timestamp", "symbol", "expiry", "strike", "option_type", "spot", "ltp", "volume", "oi", "oi_chg", "delta"}
)
_NAMES = {"last": "ltp", "volume": "volume", "open_interest": "oi", "open_interest_change": "oi_chg"}
_SIDES = {"call": "CE", "put": "PE"}
_OURS = {"NIFTY50": "NIFTY"}
"""the recorder's name of an underlying -> the derivatives' symbol"""


def matches(columns: frozenset[str]) -> bool:
    """Whether a file with these lower-case columns is of this kind."""
    return columns >= _COLUMNS


def read(table: pa.Table) -> Quotes:
    """The rows of one file, both legs of a strike in one row, in the file's units (contracts).

    A row that is neither call nor put loses its strike, so that it is refused with the other unreadable ones.
    """
    names, codes = encoded_names(table["symbol"])
    kind = np.array(table["option_type"].cast(pa.string()).to_pylist(), dtype=object)
    strike = np.where(np.isin(kind, list(_SIDES.values())), parse_numbers(table["strike"]), np.nan)
    keys = pd.DataFrame(
        {
            "name": codes,
            "at": parse_instants(table["timestamp"], "%Y%m%d%H%M"),
            "expiry": parse_dates(table["expiry"], "%d-%b-%Y"),
            "strike": strike,
        }
    )
    group = keys.groupby(list(keys.columns), sort=False, dropna=False).ngroup().to_numpy()
    rows = int(group.max()) + 1 if len(group) else 0
    first = np.full(rows, len(group), dtype=np.int64)
    np.minimum.at(first, group, np.arange(len(group)))
    quantities = {}
    for quantity, name in _NAMES.items():
        values = parse_numbers(table[name])
        for side, word in _SIDES.items():
            mine = kind == word
            column = np.full(rows, np.nan)
            column[group[mine]] = values[mine]
            quantities[f"{side}_{quantity}"] = column
    # the spot went through 32 bits: 24045.85 became 24045.849609375
    quantities["spot"] = np.rint(parse_numbers(table["spot"])[first] * 100) / 100
    return Quotes(
        names=tuple(_OURS.get(name, name) for name in names),
        name_code=codes[first],
        observed_at=keys["at"].to_numpy().astype("datetime64[ms]")[first],
        # the recorder's own clock is all there is
        stamped_at=np.full(rows, np.datetime64("NaT"), dtype="datetime64[ms]"),
        expiry=keys["expiry"].to_numpy().astype("datetime64[D]")[first],
        strike=strike[first],
        quantities=quantities,
    )
