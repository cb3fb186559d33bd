"""Lists of the whole market, of futures on NSE: gainers and losers, put-call ratios, build-up of open interest."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date
from typing import Any, NamedTuple

import numpy as np
from aiohttp import web

from tests.broker.board import Board
from tests.broker.envelopes import TRY_LATER, refusal, success

_SERIES = ("NEAR", "NEXT", "FAR")
_ROWS = 10


class Moved(NamedTuple):
    """A future, and how far it and its open interest have moved today."""

    line: int
    price: float
    price_change: float
    price_percent: float
    interest: int
    interest_change: int
    interest_percent: float


_GAINERS: dict[str, tuple[Callable[[Moved], float], bool]] = {
    "PercOIGainers": (lambda one: one.interest_percent, True),
    "PercOILosers": (lambda one: one.interest_percent, False),
    "PercPriceGainers": (lambda one: one.price_percent, True),
    "PercPriceLosers": (lambda one: one.price_percent, False),
}
_BUILD_UPS = {
    "Long Built Up": (1, 1),
    "Short Built Up": (-1, 1),
    "Short Covering": (1, -1),
    "Long Unwinding": (-1, -1),
}
"""Words -> signs of the changes of price and open interest."""


def gainers_and_losers(board: Board, body: Mapping[str, Any]) -> web.Response:
    """Answer of `gainersLosers`."""
    by = _GAINERS.get(str(body.get("datatype")))
    moved = _moved(board, body.get("expirytype"))
    if by is None or moved is None:
        return refusal(*TRY_LATER)
    measure, rising = by
    chosen = sorted((one for one in moved if (measure(one) > 0) == rising), key=measure, reverse=rising)[:_ROWS]
    return success(
        [
            {
                "tradingSymbol": board.instruments.symbol[one.line],
                "percentChange": round(measure(one), 2),
                "symbolToken": int(board.instruments.token[one.line]),
                "opnInterest": one.interest,
                "netChangeOpnInterest": float(one.interest_change),
            }
            for one in chosen
        ]
    )


def build_up(board: Board, body: Mapping[str, Any]) -> web.Response:
    """Answer of `OIBuildup`: all values as text."""
    signs = _BUILD_UPS.get(str(body.get("datatype")))
    moved = _moved(board, body.get("expirytype"))
    if signs is None or moved is None:
        return refusal(*TRY_LATER)
    return success(
        [
            {
                "symbolToken": board.instruments.token[one.line],
                "ltp": f"{one.price:.2f}",
                "netChange": f"{one.price_change:.2f}",
                "percentChange": f"{one.price_percent:.2f}",
                "opnInterest": str(one.interest),
                "netChangeOpnInterest": f"{one.interest_change:.1f}",
                "tradingSymbol": board.instruments.symbol[one.line],
            }
            for one in moved
            if (np.sign(one.price_change), np.sign(one.interest_change)) == signs
        ]
    )


def put_call_ratios(board: Board) -> web.Response:
    """Answer of `putCallRatio`: volumes of all strikes of a name, under its nearest future."""
    instruments, volume = board.instruments, np.nan_to_num(board.values.volume)
    traded: dict[tuple[str, str], float] = {}
    for i in range(instruments.futures_from):
        key = (instruments.name[i], instruments.kind[i])
        traded[key] = traded.get(key, 0.0) + float(volume[i])
    rows = []
    for line in _series(board, "NEAR") or []:
        calls = traded.get((instruments.name[line], "CE"), 0.0)
        if calls:
            pcr = round(traded.get((instruments.name[line], "PE"), 0.0) / calls, 2)
            rows.append({"pcr": pcr, "tradingSymbol": instruments.symbol[line]})
    return success(rows)


def _series(board: Board, which: Any) -> list[int] | None:
    """Lines of the NEAR, NEXT or FAR futures of NSE; None for other words."""
    if which not in _SERIES:
        return None
    instruments = board.instruments
    by_name: dict[str, list[int]] = {}
    for line in range(instruments.futures_from, instruments.underlyings_from):
        if instruments.exchange[line] == "NFO":
            by_name.setdefault(instruments.name[line], []).append(line)
    place = _SERIES.index(which)
    ordered = [sorted(lines, key=lambda line: instruments.expiry[line] or date.max) for lines in by_name.values()]
    return [lines[place] for lines in ordered if len(lines) > place]


def _moved(board: Board, which: Any) -> list[Moved] | None:
    lines = _series(board, which)
    if lines is None:
        return None
    values, found = board.values, []
    for line in lines:
        price, close = float(values.last[line]), float(values.close[line])
        # Yesterday's open interest of futures is in no source: today's first one stands for it.
        first = next((int(e.open_interest[line]) for e in board.tape if e.open_interest[line] >= 0), 0)
        now = float(np.nan_to_num(values.open_interest[line]))
        if not price > 0 or not close > 0 or not first:
            continue
        change = price - close
        found.append(
            Moved(line, price, change, 100.0 * change / close, int(now), int(now) - first, 100.0 * (now / first - 1.0))
        )
    return found
