"""Greeks as the broker publishes them, all as text: implied volatility from the last price by an independent library.

The broker does not say how it computes them; here Black (1976) on spot grown to the expiry, as good as any.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import date, datetime
from typing import Any

import numpy as np
from aiohttp import web

from tests.broker.board import Board
from tests.broker.envelopes import refusal, success

RATE = 0.06
_YEAR = 365.0 * 86_400.0


def option_greeks(board: Board, body: Mapping[str, Any]) -> web.Response:
    """Answer of `optionGreek`; AB9019 for what is not an NSE option chain."""
    # Slow to import, and wanted by few.
    from vollib.black.greeks import analytical
    from vollib.black.implied_volatility import implied_volatility

    instruments, values = board.instruments, board.values
    wanted = _expiry(body.get("expirydate"))
    lines = [
        i
        for i in range(instruments.futures_from)
        if instruments.name[i] == body.get("name")
        and instruments.expiry[i] == wanted
        and instruments.exchange[i] == "NFO"
    ]
    if not lines or wanted is None:
        return refusal("AB9019", "No Data Available")
    spot = float(values.last[instruments.cash_line(str(body["name"]))])
    layout = board.source.market.day.layout
    horizon = layout.segment_horizon[layout.segment_of(str(body["name"]), wanted)]
    rows = []
    for line in lines:
        price, strike, side = float(values.last[line]), float(instruments.strike[line]), instruments.kind[line]
        years = max(float(horizon - np.nan_to_num(values.stamped_at[line])) / _YEAR, 1e-6)
        flag, forward = side[0].lower(), spot * math.exp(RATE * years)
        least = math.exp(-RATE * years) * max((forward - strike) * (1 if flag == "c" else -1), 0.0)
        found = (0.0,) * 5
        if price > least + 0.01 and spot > 0:
            volatility = implied_volatility(price, forward, strike, RATE, years, flag)
            given = (flag, forward, strike, years, RATE, volatility)
            named = (analytical.delta, analytical.gamma, analytical.theta, analytical.vega)
            found = (*(float(greek(*given)) for greek in named), 100.0 * volatility)
        delta, gamma, theta, vega, percent = (f"{value:.6f}" for value in found)
        rows.append(
            {
                "name": str(body["name"]),
                "expiry": f"{wanted:%d%b%Y}".upper(),
                "strikePrice": f"{strike:.6f}",
                "optionType": side,
                "delta": delta,
                "gamma": gamma,
                "theta": theta,
                "vega": vega,
                "impliedVolatility": percent,
                "tradeVolume": f"{float(np.nan_to_num(values.volume[line])):.2f}",
            }
        )
    return success(rows)


def _expiry(text: Any) -> date | None:
    """Exactly as in the master: upper case."""
    if not isinstance(text, str) or text != text.upper():
        return None
    try:
        return datetime.strptime(text, "%d%b%Y").date()  # noqa: DTZ007 - a date has no zone
    except ValueError:
        return None
