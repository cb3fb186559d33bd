"""The four tables of a recorded day, format version 1: column names, types, units and which columns must be there.

Main entries: `SCHEMAS`, `REQUIRED`, `table_of`. Users keep recorded days, so a change here is a new format version.
Times are UTC to the millisecond; prices are ₹; quantities, volume and open interest are units of the underlying.
A null, or an absent optional column, means that the source had none.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

FORMAT_VERSION = 1

SIDES = ("call", "put")
LEG_COLUMNS = (
    "last",
    "bid",
    "ask",
    "bid_quantity",
    "ask_quantity",
    "volume",
    "open_interest",
    "price_at",
    "open_interest_at",
)
"""Per side in `options` as ``{side}_{name}``; without a prefix in `futures`."""

UNITS = {
    "observed_at": "UTC, when the collector saw it",
    "stamped_at": "UTC, when the market said it; null = as observed_at",
    "last, bid, ask, spot, open, high, low, previous_close, strike, tick_size": "₹ (index points)",
    "bid_quantity, ask_quantity, volume, open_interest, previous_open_interest": "units of the underlying",
    "price_at, open_interest_at, spot_at": "UTC, when the value last changed or was seen",
    "lot_size": "units per contract",
}

_INSTANT = pa.timestamp("ms", tz="UTC")


def _leg_type(name: str) -> pa.DataType:
    return _INSTANT if name.endswith("_at") else pa.float64()


SCHEMAS: Mapping[str, pa.Schema] = {
    "options": pa.schema(
        [
            ("observed_at", _INSTANT),
            ("stamped_at", _INSTANT),
            ("exchange", pa.string()),
            ("underlying", pa.string()),
            ("expiry", pa.date32()),
            ("strike", pa.float64()),
            *[(f"{side}_{name}", _leg_type(name)) for side in SIDES for name in LEG_COLUMNS],
        ]
    ),
    "futures": pa.schema(
        [
            ("observed_at", _INSTANT),
            ("stamped_at", _INSTANT),
            ("exchange", pa.string()),
            ("underlying", pa.string()),
            ("expiry", pa.date32()),
            *[(name, _leg_type(name)) for name in LEG_COLUMNS],
        ]
    ),
    "underlyings": pa.schema(
        [
            ("observed_at", _INSTANT),
            ("stamped_at", _INSTANT),
            ("exchange", pa.string()),
            ("underlying", pa.string()),
            *[(name, pa.float64()) for name in ("spot", "open", "high", "low", "previous_close", "volume")],
            ("spot_at", _INSTANT),
        ]
    ),
    "instruments": pa.schema(
        [
            ("exchange", pa.string()),
            ("underlying", pa.string()),
            ("kind", pa.string()),
            ("expiry", pa.date32()),
            ("strike", pa.float64()),
            ("option_type", pa.string()),
            ("lot_size", pa.float64()),
            ("lot_size_source", pa.string()),
            ("tick_size", pa.float64()),
            ("effective_from", pa.date32()),
            ("previous_open_interest", pa.float64()),
            ("previous_close", pa.float64()),
        ]
    ),
}
"""Table name -> its full schema, in the order in which columns are written."""

REQUIRED: Mapping[str, tuple[str, ...]] = {
    "options": ("observed_at", "exchange", "underlying", "expiry", "strike"),
    "futures": ("observed_at", "exchange", "underlying", "expiry"),
    "underlyings": ("observed_at", "exchange", "underlying"),
    "instruments": ("exchange", "underlying", "kind", "expiry", "option_type", "lot_size"),
}
"""Table name -> columns that must be there and hold no null."""

SORT_KEYS: Mapping[str, tuple[str, ...]] = {
    "options": ("observed_at", "exchange", "underlying", "expiry", "strike"),
    "futures": ("observed_at", "exchange", "underlying", "expiry"),
    "underlyings": ("observed_at", "exchange", "underlying"),
    "instruments": ("exchange", "underlying", "expiry", "strike", "option_type"),
}

ALLOWED_WORDS: Mapping[tuple[str, str], frozenset[str]] = {
    ("options", "exchange"): frozenset({"NFO", "BFO"}),
    ("futures", "exchange"): frozenset({"NFO", "BFO"}),
    ("underlyings", "exchange"): frozenset({"NSE", "BSE"}),
    ("instruments", "exchange"): frozenset({"NFO", "BFO"}),
    ("instruments", "kind"): frozenset({"INDEX", "STOCK"}),
    ("instruments", "option_type"): frozenset({"CE", "PE", "FUT"}),
}
"""(table, column) -> the only words it may hold."""


def table_of(name: str, columns: Mapping[str, npt.NDArray[Any] | pa.Array | pa.ChunkedArray]) -> pa.Table:
    """The table `name` with exactly these columns, typed by its schema; NaN and NaT become null.

    Instants are ``datetime64`` in UTC without a zone. Columns that are wholly missing may simply be left out.
    """
    schema = SCHEMAS[name]
    unknown = sorted(set(columns) - set(schema.names))
    if unknown:
        raise ValueError(f"table {name} has no column {', '.join(unknown)}; it has {', '.join(schema.names)}")
    fields = [schema.field(column) for column in schema.names if column in columns]
    arrays = [_arrow(columns[field.name], field.type) for field in fields]
    return pa.Table.from_arrays(arrays, schema=pa.schema(fields))


def empty_table(name: str) -> pa.Table:
    """The table `name` without rows: what a source writes that has nothing of the kind."""
    return SCHEMAS[name].empty_table().select(list(REQUIRED[name]))


def _arrow(values: npt.NDArray[Any] | pa.Array | pa.ChunkedArray, type_: pa.DataType) -> pa.Array | pa.ChunkedArray:
    if isinstance(values, pa.Array | pa.ChunkedArray):
        return values.cast(type_)
    if pa.types.is_timestamp(type_):
        # to naive milliseconds first: Arrow reads datetime64 as UTC and refuses a silent change of unit
        return pa.array(values.astype("datetime64[ms]"), type=pa.timestamp("ms")).cast(type_)
    if pa.types.is_date32(type_):
        return pa.array(values.astype("datetime64[D]"), type=type_)
    if pa.types.is_floating(type_):
        return pa.array(np.asarray(values, dtype=np.float64), type=type_, from_pandas=True)
    return pa.array(values, type=type_, from_pandas=True)
