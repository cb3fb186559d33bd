"""Candles and past open interest, from the tape of the day and what is known of the sessions before."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, NamedTuple

import numpy as np
from aiohttp import web

from optionscanner.model.contracts import Floats
from tests.broker.board import Board
from tests.broker.envelopes import TRY_LATER, refusal, success
from tests.broker.quotes import INDIA

INTERVALS = {
    "ONE_MINUTE": (1, 30),
    "THREE_MINUTE": (3, 60),
    "FIVE_MINUTE": (5, 100),
    "TEN_MINUTE": (10, 100),
    "FIFTEEN_MINUTE": (15, 200),
    "THIRTY_MINUTE": (30, 200),
    "ONE_HOUR": (60, 400),
    "ONE_DAY": (None, 2000),
}
"""Name -> minutes of a bar (None = the session), most days in one request."""

_EXCHANGES = ("NSE", "NFO", "BSE", "BFO", "MCX")


class Bar(NamedTuple):
    """One bar; prices in ₹, volume and open interest in units."""

    at: datetime
    open: float
    high: float
    low: float
    close: float
    volume: int
    open_interest: int


class Asked(NamedTuple):
    """A request for history that the broker accepts."""

    line: int | None
    """None for a token without history, such as the old index tokens."""
    minutes: int | None
    first: datetime
    last: datetime


def candles(board: Board, body: Mapping[str, Any]) -> web.Response:
    """Answer of `getCandleData`."""
    asked = _asked(board, body)
    if asked is None:
        return refusal(*TRY_LATER)
    return success(
        [[bar.at.isoformat(), bar.open, bar.high, bar.low, bar.close, bar.volume] for bar in _bars(board, asked)]
    )


def past_interest(board: Board, body: Mapping[str, Any]) -> web.Response:
    """Answer of `getOIData`: live contracts only."""
    asked = _asked(board, body)
    if asked is None:
        return refusal(*TRY_LATER)
    if asked.line is None or board.instruments.is_cash[asked.line]:
        return success([])
    return success(
        [{"time": bar.at.isoformat(), "oi": bar.open_interest} for bar in _bars(board, asked) if bar.open_interest >= 0]
    )


def _asked(board: Board, body: Mapping[str, Any]) -> Asked | None:
    """What is asked for; None where the broker answers AB1004: dates out of order, too many days, unknown words."""
    interval = INTERVALS.get(str(body.get("interval")))
    if interval is None or body.get("exchange") not in _EXCHANGES:
        return None
    try:
        first, last = (
            datetime.strptime(str(body.get(key)), "%Y-%m-%d %H:%M").replace(tzinfo=INDIA)
            for key in ("fromdate", "todate")
        )
    except ValueError:
        return None
    minutes, most_days = interval
    if first >= last or last - first > timedelta(days=most_days):
        return None
    line = board.instruments.by_token.get((str(body["exchange"]), str(body.get("symboltoken"))))
    return Asked(line, minutes, first, last)


def _bars(board: Board, asked: Asked) -> list[Bar]:
    """Bars that begin within what is asked for, ascending; bars in which nothing was traded are left out."""
    if asked.line is None:
        return []
    found = [*_earlier(board, asked), *_today(board, asked)]
    # Bars of a day stand at midnight, and a request from 09:15 means that day too.
    first = _midnight(asked.first) if asked.minutes is None else asked.first
    return [bar for bar in found if first <= bar.at <= asked.last]


def _earlier(board: Board, asked: Asked) -> list[Bar]:
    """Bars of sessions before: each day of the close alone, with the night's step as its range."""
    source, values, line = board.source, board.values, asked.line
    year = source.year
    if asked.minutes is None and year is not None and board.instruments.name[line] in year.symbols:
        if not board.instruments.is_cash[line]:
            return []
        column = year.close[:, year.symbols.index(board.instruments.name[line])]
        opens = np.append(column[:1], column[:-1])
        return [
            Bar(_midnight(day), float(o), float(max(o, c)), float(min(o, c)), float(c), 0, -1)
            for day, o, c in zip(year.dates, opens, column, strict=True)
        ]
    close, interest = float(values.close[line]), float(values.previous_open_interest[line])
    if not np.isfinite(close):
        return []
    last_minute = source.closes - source.opens - 60.0 * (asked.minutes or 0)
    at = _midnight(source.previous_date) + (
        timedelta(0) if asked.minutes is None else timedelta(hours=9, minutes=15, seconds=last_minute)
    )
    return [Bar(at, close, close, close, close, 0, int(interest) if np.isfinite(interest) else -1)]


def _today(board: Board, asked: Asked) -> list[Bar]:
    source, line, tape = board.source, asked.line, board.tape
    price = np.array([entry.price[line] for entry in tape], dtype=np.int64)
    volume = np.array([entry.volume[line] for entry in tape], dtype=np.int64)
    interest = np.array([entry.open_interest[line] for entry in tape], dtype=np.int64)
    at = np.array([entry.at for entry in tape])
    inside = (price > 0) & (at >= source.opens) & (at <= source.closes)
    length = (source.closes - source.opens + 60.0) if asked.minutes is None else 60.0 * asked.minutes
    bar = np.floor((np.minimum(at, source.closes - 1.0) - source.opens) / length)
    index = bool(board.instruments.is_index[line])
    bars, done = [], 0
    for number in np.unique(bar[inside]):
        here = np.flatnonzero(inside & (bar == number))
        prices = price[here] / 100.0
        traded = max(int(volume[here[-1]]) - done, 0)
        done = max(done, int(volume[here[-1]]))
        if not traded and not index:
            continue
        begins = datetime.fromtimestamp(source.opens + number * length, INDIA)
        bars.append(
            Bar(
                _midnight(begins) if asked.minutes is None else begins,
                *(_of_the_day(board, line) if asked.minutes is None else _of_a_bar(prices)),
                float(prices[-1]),
                0 if index else traded,
                int(interest[here[-1]]),
            )
        )
    return bars


def _of_a_bar(prices: Floats) -> tuple[float, float, float]:
    """Open, high, low."""
    return float(prices[0]), float(prices.max()), float(prices.min())


def _of_the_day(board: Board, line: int) -> tuple[float, float, float]:
    """Open, high, low as quotes have them, which know more than the tape."""
    values = board.values
    return float(values.open[line]), float(values.high[line]), float(values.low[line])


def _midnight(day: Any) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=INDIA)
