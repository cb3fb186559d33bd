"""FULL quotes of the broker as columns, like the packets of its feed. Pure.

Main entry: `quotes_of`. A row that names no instrument that was asked for is left out and counted; a value that cannot
be is NaN. Prices are rupees, quantities units of the underlying, times IST without a zone.
Source: market quote page of https://smartapi.angelone.in/docs.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from typing import Any

import numpy as np

from optionscanner.adapters.angel.packets import Floats, Segment, Words, key_of

SEGMENTS = {"NSE": Segment.NSE, "NFO": Segment.NFO, "BSE": Segment.BSE, "BFO": Segment.BFO}
"""Name of an exchange segment in requests and in the instrument master -> its number on the feed."""

_IST = timezone(timedelta(hours=5, minutes=30))  # India has had no summer time since 1945
_LARGEST = 1e12
"""₹, or units: a thousand times the largest open interest of one contract; what is larger was misread."""

_PRICES = {"last": "ltp", "open": "open", "high": "high", "low": "low", "previous_close": "close"}
_QUANTITIES = {"volume": "tradeVolume", "open_interest": "opnInterest"}
_TIMES = {"stamped_at": "exchFeedTime", "traded_at": "exchTradeTime"}
_SIDES = {"bid": "buy", "ask": "sell"}
_COLUMNS = (*_PRICES, *_QUANTITIES, *_TIMES, "bid", "bid_quantity", "ask", "ask_quantity")


@dataclass(frozen=True, eq=False, slots=True)
class Quotes:
    """Quotes in the order of the reply; every column has shape (n,). NaN = not given, or impossible."""

    key: Words
    """Which instrument it is, see `packets.key_of`."""
    last: Floats
    open: Floats
    high: Floats
    low: Floats
    previous_close: Floats
    bid: Floats
    ask: Floats
    """[₹]."""
    bid_quantity: Floats
    ask_quantity: Floats
    volume: Floats
    open_interest: Floats
    """[units]."""
    stamped_at: Floats
    """Exchange time of the quote [s since 1970 UTC]; moves on a closed day too."""
    traded_at: Floats
    """Instant of the last trade [s since 1970 UTC]."""

    def __len__(self) -> int:
        return len(self.key)


def quotes_of(data: Mapping[str, Any], asked: Collection[int]) -> tuple[Quotes, int]:
    """Read the data of a reply: the quotes of instruments among the `asked` (keys), and how many rows were left out.

    An instrument that stands there twice is taken the first time.
    """
    rows = data.get("fetched")
    found: dict[int, list[float]] = {}
    left_out = 0
    for row in rows if isinstance(rows, list) else ():
        key = _key(row)
        if key is None or key not in asked or key in found:
            left_out += 1
        else:
            found[key] = _values(row)
    columns = np.array(list(found.values()), dtype=np.float64).reshape(-1, len(_COLUMNS)).T
    return Quotes(np.array(list(found), dtype=np.uint64), **dict(zip(_COLUMNS, columns, strict=True))), left_out


def _key(row: Any) -> int | None:
    if not isinstance(row, dict):
        return None
    segment, token = SEGMENTS.get(str(row.get("exchange"))), row.get("symbolToken")
    if segment is None or not isinstance(token, str | int):
        return None
    try:
        return key_of(segment, str(token))
    except ValueError:
        return None


def _values(row: Mapping[str, Any]) -> list[float]:
    best = [_best(row.get("depth"), side) for side in _SIDES.values()]
    return [
        *(_price(row.get(name)) for name in _PRICES.values()),
        *(_quantity(row.get(name)) for name in _QUANTITIES.values()),
        *(_instant(row.get(name)) for name in _TIMES.values()),
        *(value for level in best for value in level),
    ]


def _best(depth: Any, side: str) -> tuple[float, float]:
    """Price and quantity of the first level of one side; NaN where that side is empty."""
    levels = depth.get(side) if isinstance(depth, dict) else None
    if not isinstance(levels, Sequence) or isinstance(levels, str) or not levels or not isinstance(levels[0], dict):
        return math.nan, math.nan
    price = _price(levels[0].get("price"))
    return price, _quantity(levels[0].get("quantity")) if math.isfinite(price) else math.nan


def _price(value: Any) -> float:
    """₹; NaN for 0, which stands for none."""
    number = _number(value)
    return number if 0 < number <= _LARGEST else math.nan


def _quantity(value: Any) -> float:
    number = _number(value)
    return number if 0 <= number <= _LARGEST else math.nan


def _number(value: Any) -> float:
    """A JSON number, or one written as text, as some of the broker's endpoints do."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return math.nan
    try:
        return float(value)
    except (ValueError, OverflowError):
        return math.nan


def _instant(value: Any) -> float:
    """Seconds since 1970 UTC of a time such as ``21-Jun-2023 10:46:10``."""
    if not isinstance(value, str) or len(value) > 32:
        return math.nan
    try:
        instant = datetime.strptime(value, "%d-%b-%Y %H:%M:%S").replace(tzinfo=_IST)
    except ValueError:
        return math.nan
    return instant.timestamp() if 2000 <= instant.year < 2100 else math.nan
