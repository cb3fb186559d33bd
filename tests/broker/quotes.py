"""Quotes as the broker's REST answers give them, and the order book that both REST and the feed show.

Main entries: `records`, `levels`. The market knows the best bid and ask; the levels behind them are made up from the
line and the price alone, so that a quote and a packet of one instant agree.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np

from optionscanner.model.contracts import Floats, Ints
from tests.broker.board import Values
from tests.broker.instruments import Instruments

INDIA = ZoneInfo("Asia/Kolkata")
MODES = ("LTP", "OHLC", "FULL")
MOST_TOKENS = 50
CIRCUIT_FLOOR = 0.05
_BAND = 0.1


@dataclass(frozen=True, eq=False)
class Side:
    """(n, k) levels of one side, best first; 0 where there is none."""

    price: Floats
    quantity: Ints
    orders: Ints


@dataclass(frozen=True, eq=False)
class Levels:
    """Both sides of the book."""

    buy: Side
    sell: Side


def levels(lines: Ints, values: Values, instruments: Instruments, *, count: int = 5) -> Levels:
    """The book of some lines; a side without a price or a quantity is empty."""
    step = np.arange(count)
    tick = np.maximum(instruments.tick[lines], 0.01)[:, None]
    lot = instruments.lot[lines][:, None]
    sides = []
    for way, price, quantity in ((-1, values.bid, values.bid_quantity), (1, values.ask, values.ask_quantity)):
        size = np.nan_to_num(quantity)[:, None]
        at = np.round(np.nan_to_num(price)[:, None] + way * step * tick, 2)
        more = lot * ((lines[:, None] * 7 + step * 11) % 13)
        there = (at > 0) & (np.nan_to_num(price) > 0)[:, None] & (size > 0)
        units = np.where(there, size + np.where(step == 0, 0, more), 0).astype(np.int64)
        orders = np.where(there, 1 + (units // lot) % 40, 0).astype(np.int64)
        sides.append(Side(np.where(there, at, 0.0), units, orders))
    return Levels(*sides)


def total_quantities(book: Levels) -> tuple[Floats, Floats]:
    """(n,) all that is bid for and offered [units]; some of it lies behind the levels that are shown."""
    return (book.buy.quantity.sum(axis=1) * 12.0, book.sell.quantity.sum(axis=1) * 11.0)


def circuits(lines: Ints, values: Values, instruments: Instruments) -> tuple[Floats, Floats]:
    """(n,) lowest and highest price of the day [₹]; made up: a tenth around a close, wide for options."""
    near = np.nan_to_num(np.where(np.isfinite(values.close), values.close, values.last))
    straight = np.isnan(instruments.strike[lines])
    lower = np.where(straight, near * (1.0 - _BAND), CIRCUIT_FLOOR)
    upper = np.where(straight, near * (1.0 + _BAND), np.maximum(near * 5.0, 20.0))
    index = instruments.is_index[lines]
    return np.where(index, 0.0, np.round(lower, 2)), np.where(index, 0.0, np.round(upper, 2))


def stamp(instant: float) -> str:
    """An instant as quotes and orders write it: IST, without a zone, such as ``21-Jun-2023 10:46:10``."""
    return f"{datetime.fromtimestamp(instant, INDIA):%d-%b-%Y %H:%M:%S}" if np.isfinite(instant) else ""


def records(mode: str, lines: Ints, values: Values, instruments: Instruments) -> list[dict[str, Any]]:
    """Fetched instruments in a mode of `MODES`; `values` holds only these lines."""
    told = [
        {
            "exchange": instruments.exchange[i],
            "tradingSymbol": instruments.symbol[i],
            "symbolToken": instruments.token[i],
        }
        for i in lines
    ]
    columns = {"ltp": _rupees(values.last)}
    if mode != "LTP":
        columns |= {name: _rupees(getattr(values, name)) for name in ("open", "high", "low", "close")}
    if mode == "FULL":
        columns |= _full(lines, values, instruments)
    return [
        row | dict(zip(columns, said, strict=True))
        for row, said in zip(told, zip(*columns.values(), strict=True), strict=True)
    ]


def _full(lines: Ints, values: Values, instruments: Instruments) -> dict[str, list[Any]]:
    """What FULL has more than OHLC, column by column."""
    index, cash = instruments.is_index[lines], instruments.is_cash[lines]
    book = levels(lines, values, instruments)
    buy, sell = total_quantities(book)
    lower, upper = circuits(lines, values, instruments)
    known = np.nan_to_num(values.close) > 0
    with np.errstate(divide="ignore", invalid="ignore"):
        change = np.where(known, values.last - values.close, 0.0)
        percent = np.where(known, 100.0 * change / values.close, 0.0)
    volume = np.where(index, 0.0, values.volume)
    depths = zip(_shown(book.buy), _shown(book.sell), strict=True)
    return {
        "lastTradeQty": _units(np.where(np.nan_to_num(volume) > 0, instruments.lot[lines], 0)),
        "exchFeedTime": [stamp(at) for at in values.stamped_at.tolist()],
        "exchTradeTime": [stamp(at) for at in values.traded_at.tolist()],
        "netChange": _rupees(change),
        "percentChange": _rupees(percent),
        "avgPrice": _rupees(np.where(index, 0.0, values.average)),
        "tradeVolume": _units(volume),
        "opnInterest": _units(np.where(cash, 0.0, values.open_interest)),
        "lowerCircuit": _rupees(lower),
        "upperCircuit": _rupees(upper),
        "totBuyQuan": _units(buy),
        "totSellQuan": _units(sell),
        "52WeekLow": _rupees(np.where(cash, np.fmin(values.low, values.close), 0.0)),
        "52WeekHigh": _rupees(np.fmax(values.high, values.close)),
        "depth": [{"buy": bought, "sell": sold} for bought, sold in depths],
    }


def _shown(side: Side) -> list[list[dict[str, float]]]:
    rows = zip(side.price.tolist(), side.quantity.tolist(), side.orders.tolist(), strict=True)
    return [[{"price": p, "quantity": q, "orders": o} for p, q, o in zip(*row, strict=True) if q] for row in rows]


def _rupees(values: Floats) -> list[float]:
    return np.round(np.nan_to_num(values), 2).tolist()


def _units(values: Floats | Ints) -> list[int]:
    return np.rint(np.nan_to_num(values)).astype(np.int64).tolist()
