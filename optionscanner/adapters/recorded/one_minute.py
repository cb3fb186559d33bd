"""Reads the one-minute recordings of the exchange's own option-chain page: every expiry, with bid and ask.

Main entries: `matches`, `read`, `in_units`. Open interest and volume come in contracts, sometimes fractional ones:
while two lot sizes coexist the exchange divides units by the newer lot (4.33 contracts of 75 are 325 units), so
nothing is rounded before the conversion. Bid and ask quantities are units already. The page gives no spot.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date

import numpy as np
import pyarrow as pa

from optionscanner.adapters.recorded.lots import MIN_SHARE, Lot, LotTable, inferred_lot, share_divisible
from optionscanner.adapters.recorded.quotes import (
    Quotes,
    encoded_names,
    iso,
    parse_dates,
    parse_instants,
    parse_numbers,
)
from optionscanner.errors import RecordingError
from optionscanner.model.contracts import Floats

_SIDES = {"call": "calls", "put": "puts"}
_NAMES = {
    "last": "ltp",
    "net_change": "net_chng",
    "bid": "bid_price",
    "ask": "ask_price",
    "bid_quantity": "bid_qty",
    "ask_quantity": "ask_qty",
    "volume": "volume",
    "open_interest": "oi",
    "open_interest_change": "chng_in_oi",
}
"""our quantity of a side -> the page's name, after ``calls_`` or ``puts_``"""
_IN_CONTRACTS = ("volume", "open_interest", "open_interest_change")

_LEGS = frozenset(f"{side}_{name}" for side in _SIDES.values() for name in _NAMES.values())
_RAW_FILE = frozenset({"fetch_time", "collection_timestamp", "symbol", "expiry_date", "strike_price"})
_DAY_TABLE = frozenset({"fetch_time", "collected_at", "symbol", "expiry", "strike_price"})

_WHOLE_UNITS = 1e-3
"""How near to a whole unit a converted count must be to be taken as that: fractions of contracts are written as
floats with some 15 digits, so 2589.714285714286 × 35 misses 90,640 by far less."""


def matches(columns: frozenset[str]) -> bool:
    """Whether a file with these lower-case columns is of this kind."""
    return columns >= _LEGS and any(columns >= marks for marks in (_RAW_FILE, _DAY_TABLE))


def read(table: pa.Table) -> Quotes:
    """The rows of one file, as the page had them: counts in contracts, zeros for "nothing"."""
    raw = "collected_at" not in table.column_names
    names, codes = encoded_names(table["symbol"])
    return Quotes(
        names=names,
        name_code=codes,
        observed_at=(
            parse_instants(table["collection_timestamp"], "%Y%m%d_%H%M%S")
            if raw
            else parse_instants(table["collected_at"])
        ),
        stamped_at=parse_instants(table["fetch_time"], "%d-%b-%Y %H:%M:%S"),
        expiry=parse_dates(table["expiry_date"], "%d-%b-%Y") if raw else parse_dates(table["expiry"]),
        strike=parse_numbers(table["strike_price"]),
        quantities={
            f"{side}_{quantity}": parse_numbers(table[f"{prefix}_{name}"])
            for side, prefix in _SIDES.items()
            for quantity, name in _NAMES.items()
        },
    )


def in_units(quotes: Quotes, day: date, table: LotTable) -> tuple[Quotes, Mapping[tuple[str, date], Lot]]:
    """The same rows with open interest and volume in units, and (underlying, expiry) -> the lot used.

    The lot is the table's, checked against the bid and ask quantities, which are multiples of it; where the table
    knows none it is inferred from them. Raises RecordingError where they disagree or neither gives a lot.
    """
    sizes = np.full(len(quotes), np.nan)
    lots: dict[tuple[str, date], Lot] = {}
    for code, name in enumerate(quotes.names):
        of_name = quotes.name_code == code
        for expiry in np.unique(quotes.expiry[of_name]):
            rows = np.flatnonzero(of_name & (quotes.expiry == expiry))
            lot = _lot_of(quotes, rows, (name, iso(expiry)), day, table)
            lots[name, iso(expiry)] = lot
            sizes[rows] = lot.size
    converted = {
        name: _units(values, sizes) if name.split("_", 1)[1] in _IN_CONTRACTS else values
        for name, values in quotes.quantities.items()
    }
    return Quotes(**{**{f: getattr(quotes, f) for f in _PLAIN}, "quantities": converted}), lots


_PLAIN = ("names", "name_code", "observed_at", "stamped_at", "expiry", "strike")


def _lot_of(quotes: Quotes, rows: np.ndarray, contract: tuple[str, date], day: date, table: LotTable) -> Lot:
    name, expiry = contract
    quoted = np.concatenate(
        [quotes.quantities[f"{side}_{end}_quantity"][rows] for side in _SIDES for end in ("bid", "ask")]
    )
    known = table.lookup(name, expiry, on=day)
    share = np.nan if known is None else share_divisible(quoted, known.size)
    if known is not None and not share < MIN_SHARE:
        checked = "" if np.isnan(share) else f"; divides {share:.1%} of the bid and ask quantities seen"
        return Lot(known.size, known.source + checked, known.effective_from)
    measured = inferred_lot(quoted, "bid and ask quantity")
    if known is not None and measured is not None:
        raise RecordingError(
            f"{name} {expiry:%d-%b-%Y}: the lot size on {day:%d-%b-%Y} must be {known.size:g} by the table "
            f"({known.source}), but its bid and ask quantities are multiples of {measured.size:g}; "
            "correct optionscanner/model/data/lot_sizes.csv"
        )
    if measured is None:
        raise RecordingError(
            f"{name} {expiry:%d-%b-%Y}: no lot size for {day:%d-%b-%Y} in optionscanner/model/data/lot_sizes.csv and "
            "no bid or ask quantity to infer it from, so contracts cannot become units; add the lot size there"
        )
    return measured


def _units(contracts: Floats, lot_size: Floats) -> Floats:
    units = contracts * lot_size
    whole = np.rint(units)
    return np.where(np.abs(units - whole) <= _WHOLE_UNITS, whole, units)
