"""Quotes as the broker's REST answers give them, and the order book that both REST and the feed show.

Main entries: `record`, `levels`. The market knows the best bid and ask; the levels behind them are made up from the
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


def record(mode: str, line: int, values: Values, place: int, instruments: Instruments, book: Levels) -> dict[str, Any]:
    """One fetched instrument; `place` is where the line stands in `values` and `book`."""

    def of(name: str) -> float:
        value = float(getattr(values, name)[place])
        return round(value, 2) if np.isfinite(value) else 0.0

    found: dict[str, Any] = {
        "exchange": instruments.exchange[line],
        "tradingSymbol": instruments.symbol[line],
        "symbolToken": instruments.token[line],
        "ltp": of("last"),
    }
    if mode == "LTP":
        return found
    found |= {name: of(name) for name in ("open", "high", "low", "close")}
    if mode == "OHLC":
        return found
    change = of("last") - of("close") if of("close") else 0.0
    one = np.array([line])
    here = values.at(np.array([place]))
    lower, upper = circuits(one, here, instruments)
    index, cash = bool(instruments.is_index[line]), bool(instruments.is_cash[line])
    year_low = min((low for low in (of("low"), of("close")) if low), default=0.0) if cash else 0.0
    shown = {
        name: [
            {"price": round(float(p), 2), "quantity": int(q), "orders": int(o)}
            for p, q, o in zip(side.price[place], side.quantity[place], side.orders[place], strict=True)
            if q
        ]
        for name, side in (("buy", book.buy), ("sell", book.sell))
    }
    buy, sell = total_quantities(Levels(_one(book.buy, place), _one(book.sell, place)))
    found |= {
        "lastTradeQty": 0 if index or not of("volume") else int(instruments.lot[line]),
        "exchFeedTime": stamp(float(values.stamped_at[place])),
        "exchTradeTime": stamp(float(values.traded_at[place])),
        "netChange": round(change, 2),
        "percentChange": round(100.0 * change / of("close"), 2) if of("close") else 0.0,
        "avgPrice": 0.0 if index else of("average"),
        "tradeVolume": 0 if index else int(of("volume")),
        "opnInterest": 0 if cash else int(of("open_interest")),
        "lowerCircuit": float(lower[0]),
        "upperCircuit": float(upper[0]),
        "totBuyQuan": int(buy[0]),
        "totSellQuan": int(sell[0]),
        "52WeekLow": year_low,
        "52WeekHigh": max(of("high"), of("close")),
        "depth": shown,
    }
    return found


def _one(side: Side, place: int) -> Side:
    return Side(side.price[[place]], side.quantity[[place]], side.orders[[place]])
