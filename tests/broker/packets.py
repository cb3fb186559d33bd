"""Packets of the feed, byte for byte: LTP (51 bytes), QUOTE (123), SNAP_QUOTE (379) and DEPTH (443).

Main entry: `packets`. Little endian, prices in paise, quantities in units. The client's own decoder is the judge of
these layouts (`tests/test_broker_feed.py`).
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from optionscanner.model.contracts import Floats, Ints
from tests.broker.board import Values
from tests.broker.instruments import Instruments
from tests.broker.quotes import Levels, circuits, levels, total_quantities

LTP, QUOTE, SNAP_QUOTE, DEPTH = 1, 2, 3, 4

_BEST = [("flag", "<i2"), ("quantity", "<i8"), ("price", "<i8"), ("orders", "<i2")]
_HEAD = [("mode", "i1"), ("exchange_type", "i1"), ("token", "S25")]
_LTP = [*_HEAD, ("sequence", "<i8"), ("exchange_ms", "<i8"), ("last", "<i8")]
_QUOTE = [
    *_LTP,
    ("last_quantity", "<i8"),
    ("average", "<i8"),
    ("volume", "<i8"),
    ("total_buy", "<f8"),
    ("total_sell", "<f8"),
    ("open", "<i8"),
    ("high", "<i8"),
    ("low", "<i8"),
    ("close", "<i8"),
]
_SNAP = [
    *_QUOTE,
    ("traded_s", "<i8"),
    ("open_interest", "<i8"),
    ("open_interest_change", "<f8"),
    ("best", _BEST, (10,)),
    ("upper_circuit", "<i8"),
    ("lower_circuit", "<i8"),
    ("year_high", "<i8"),
    ("year_low", "<i8"),
]
_DEPTH = [
    *_HEAD,
    ("exchange_ms", "<i8"),
    ("received_ms", "<i8"),
    ("levels", [("quantity", "<i4"), ("price", "<i4"), ("orders", "<i2")], (40,)),
]
LAYOUTS = {LTP: np.dtype(_LTP), QUOTE: np.dtype(_QUOTE), SNAP_QUOTE: np.dtype(_SNAP), DEPTH: np.dtype(_DEPTH)}
"""Mode of a subscription -> layout of its packet."""

JUNK_INTEREST = 1_234_500
"""Open interest that the feed carries for shares; it means nothing."""


def packets(
    mode: int, lines: Ints, values: Values, instruments: Instruments, *, garbage_change: bool = False
) -> npt.NDArray[np.void]:
    """(n,) packets of some lines in one mode; `values` holds only these lines."""
    out = np.zeros(len(lines), dtype=LAYOUTS[mode])
    out["mode"] = mode
    out["exchange_type"] = instruments.feed_type[lines]
    out["token"] = [instruments.token[line].encode("ascii") for line in lines]
    out["exchange_ms"] = _whole(values.stamped_at * 1000.0)
    if mode == DEPTH:
        out["received_ms"] = out["exchange_ms"]
        _fill_depth(out, levels(lines, values, instruments, count=20))
        return out
    out["sequence"] = values.sequence
    out["last"] = _paise(values.last)
    if mode == LTP:
        return out
    index = instruments.is_index[lines]
    book = levels(lines, values, instruments)
    buy, sell = total_quantities(book)
    out["last_quantity"] = np.where(index | (np.nan_to_num(values.volume) == 0), 0, instruments.lot[lines])
    out["average"] = np.where(index, 0, _paise(values.average))
    out["volume"] = np.where(index, 0, _whole(values.volume))
    out["total_buy"], out["total_sell"] = buy, sell
    for name in ("open", "high", "low", "close"):
        out[name] = _paise(getattr(values, name))
    if mode == SNAP_QUOTE:
        out["traded_s"] = _whole(np.floor(values.traded_at))
        shares = instruments.is_cash[lines] & ~index
        out["open_interest"] = np.where(shares, JUNK_INTEREST, np.where(index, 0, _whole(values.open_interest)))
        out["open_interest_change"] = interest_change(values)
        if garbage_change:
            out["open_interest_change"] = 1e200 * np.arange(1, len(out) + 1)
        _fill_best(out, book)
        lower, upper = circuits(lines, values, instruments)
        out["upper_circuit"], out["lower_circuit"] = _paise(upper), _paise(lower)
        out["year_high"] = _paise(np.fmax(values.high, values.close))
        out["year_low"] = np.where(instruments.is_cash[lines], _paise(np.fmin(values.low, values.close)), 0)
    return out


def interest_change(values: Values) -> Floats:
    """(n,) change of open interest since the previous session's close, per cent; 0 where one of them is unknown."""
    with np.errstate(divide="ignore", invalid="ignore"):
        change = (values.open_interest / values.previous_open_interest - 1.0) * 100.0
    return np.where(np.isfinite(change), change, 0.0)


def _fill_best(out: npt.NDArray[np.void], book: Levels) -> None:
    for first, flag, side in ((0, 1, book.buy), (5, 0, book.sell)):
        best = out["best"][:, first : first + 5]
        best["flag"] = flag
        best["price"] = _paise(side.price)
        best["quantity"], best["orders"] = side.quantity, side.orders


def _fill_depth(out: npt.NDArray[np.void], book: Levels) -> None:
    for first, side in ((0, book.buy), (20, book.sell)):
        part = out["levels"][:, first : first + 20]
        part["price"] = _paise(side.price)
        part["quantity"] = np.minimum(side.quantity, np.iinfo(np.int32).max)
        part["orders"] = side.orders


def _paise(prices: Floats) -> Ints:
    return _whole(prices * 100.0)


def _whole(values: Floats) -> Ints:
    return np.rint(np.nan_to_num(values)).astype(np.int64)
