"""Reads the one-minute recordings of the exchange's own option-chain page: every expiry, with bid and ask.

Main entries: `matches`, `read`. Open interest and volume come in contracts, sometimes fractional ones (`units.py`). Bid
and ask quantities are units already. The page gives no spot.
"""

from __future__ import annotations

import pyarrow as pa

from optionscanner.adapters.recorded.quotes import (
    Quotes,
    encoded_names,
    parse_dates,
    parse_instants,
    parse_numbers,
)

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

_LEGS = frozenset(f"{side}_{name}" for side in _SIDES.values() for name in _NAMES.values())
_RAW_FILE = frozenset({"fetch_time", "collection_timestamp", "symbol", "expiry_date", "strike_price"})
_DAY_TABLE = frozenset({"fetch_time", "collected_at", "symbol", "expiry", "strike_price"})


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
