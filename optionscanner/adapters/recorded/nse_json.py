"""Reads the option chain as the exchange's site serves it, in JSON, and tables made from such answers.

Main entries: `flattened`, `matches`, `read`. Every expiry of one underlying, with bid and ask, and the underlying's
value. Open interest and volume come in contracts, sometimes fractional ones; bid and ask quantities are units. An
answer carries the exchange's stamp and not when it was fetched; the tables have both.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import PurePath
from typing import Any

import numpy as np
import pyarrow as pa

from optionscanner.adapters.recorded.path_facts import symbol_at_start
from optionscanner.adapters.recorded.quotes import Quotes, encoded_names, parse_dates, parse_instants, parse_numbers
from optionscanner.errors import RecordingError

_SIDES = {"call": "ce", "put": "pe"}
_NAMES = {
    "last": "ltp",
    "bid": "bid",
    "ask": "ask",
    "bid_quantity": "bid_qty",
    "ask_quantity": "ask_qty",
    "volume": "volume",
    "open_interest": "oi",
    "open_interest_change": "chg_oi",
}
"""our quantity of a side -> the table's name, after ``ce_`` or ``pe_``"""
_OF_ANSWERS = {"net_change": "change"}
"""the same, of what only the answers have"""
_OF_INDEX = ("open", "high", "low", "previous_close")

_COLUMNS = frozenset({"ts", "underlying", "expiry", "strike"}) | {
    f"{side}_{name}" for side in _SIDES.values() for name in _NAMES.values()
}

_LEG_FIELDS = {
    "oi": "openInterest",
    "chg_oi": "changeinOpenInterest",
    "volume": "totalTradedVolume",
    "ltp": "lastPrice",
    "change": "change",
    "bid_qty": "bidQty",
    "bid": "bidprice",
    "ask_qty": "askQty",
    "ask": "askPrice",
}
"""the table's name -> the answer's field of a leg"""
_INDEX_FIELDS = {"open": "open", "high": "high", "low": "low", "previous_close": "previousClose"}

_STAMP_FORMAT, _EXPIRY_FORMAT = "%d-%b-%Y %H:%M:%S", "%d-%b-%Y"


def flattened(answer: Any) -> pa.Table:
    """One answer of the exchange as a table with the columns that `read` knows, a row per strike and expiry.

    Raises RecordingError where it is no option chain, or says neither when it was made nor of what it is.
    """
    records = answer.get("records") if isinstance(answer, dict) else None
    rows = records.get("data") if isinstance(records, dict) else None
    if not isinstance(records, dict) or not isinstance(rows, list) or not rows:
        raise RecordingError(
            "it is JSON, but no option chain of the exchange, which has rows in records.data; import the whole answer"
        )
    rows = [row for row in rows if isinstance(row, dict)]
    legs = {side: [_mapping(row.get(side.upper())) for row in rows] for side in _SIDES.values()}
    symbols = {str(leg["underlying"]) for side in legs.values() for leg in side if leg.get("underlying")}
    stamp = records.get("timestamp")
    if len(symbols) != 1 or not isinstance(stamp, str):
        raise RecordingError(
            f"its legs must name one underlying and records.timestamp the time, they give "
            f"{', '.join(sorted(symbols)) or 'no underlying'} and {stamp!r}; import the whole answer"
        )
    columns: dict[str, Any] = {
        "ts": [stamp] * len(rows),
        "symbol": list(symbols) * len(rows),
        "underlying": _floats([records.get("underlyingValue")] * len(rows)),
        "expiry": pa.array([_text(row.get("expiryDate")) for row in rows], type=pa.string()),
        "strike": _floats([row.get("strikePrice") for row in rows]),
    }
    for side, found in legs.items():
        columns |= {f"{side}_{name}": _floats([leg.get(field) for leg in found]) for name, field in _LEG_FIELDS.items()}
    index = _mapping(records.get("index"))
    columns |= {name: _floats([index.get(field)] * len(rows)) for name, field in _INDEX_FIELDS.items()}
    return pa.table(columns)


def matches(columns: frozenset[str]) -> bool:
    """Whether a file with these lower-case columns is of this kind."""
    return columns >= _COLUMNS


def read(table: pa.Table, where: PurePath) -> Quotes:
    """The rows of one file, as the exchange had them: counts in contracts, zeros for "nothing".

    A table of answers does not name the underlying: the file's name must begin with it. Raises RecordingError where
    it does not. An answer was seen when it was stamped, for want of another time.
    """
    columns = set(table.column_names)
    stamped_at = parse_instants(table["ts"], None if pa.types.is_timestamp(table["ts"].type) else _STAMP_FORMAT)
    if "symbol" in columns:
        names, codes = encoded_names(table["symbol"])
    else:
        symbol = symbol_at_start(where.name)
        if symbol is None:
            raise RecordingError(
                "it does not say of which underlying its chains are, and its name does not begin with it; "
                f"call it NIFTY_{where.name}, if it is of NIFTY"
            )
        names, codes = (symbol,), np.zeros(table.num_rows, dtype=np.int32)
    known = {**_NAMES, **_OF_ANSWERS}
    quantities = {
        f"{side}_{quantity}": parse_numbers(table[f"{prefix}_{name}"])
        for side, prefix in _SIDES.items()
        for quantity, name in known.items()
        if f"{prefix}_{name}" in columns
    }
    quantities |= {name: parse_numbers(table[name]) for name in _OF_INDEX if name in columns}
    expiry = table["expiry"]
    return Quotes(
        names=names,
        name_code=codes,
        observed_at=parse_instants(table["captured_at"]) if "captured_at" in columns else stamped_at.copy(),
        stamped_at=stamped_at,
        expiry=parse_dates(expiry, None if pa.types.is_date(expiry.type) else _EXPIRY_FORMAT),
        strike=parse_numbers(table["strike"]),
        quantities={**quantities, "spot": parse_numbers(table["underlying"])},
    )


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) else None


def _floats(values: list[Any]) -> np.ndarray:
    """float64, NaN for what is no finite number; the site writes some numbers as text."""
    return np.array([_float(value) for value in values], dtype=np.float64)


def _float(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return math.nan
    try:
        number = float(value)
    except (ValueError, OverflowError):
        return math.nan
    return number if math.isfinite(number) else math.nan
