"""The year behind the simulated day: closes, closing open interest and volatility of 252 sessions.

Main entry: `daily_history`. The last row is the session before the simulated one and agrees with it: the close is the
previous close, open interest the day's opening one, volatility its long-run level. The rest is walked backwards from
there, each name by a stream of its own beside a market factor; equal seeds give equal years in any company.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np

from optionscanner.adapters.simulated.streams import stream
from optionscanner.adapters.simulated.universe import SESSION_DATE, Name
from optionscanner.model.calendar import TradingCalendar
from optionscanner.model.contracts import Floats

SESSIONS = 252

_TAIL_DEGREES = 4.0
_REVERSION = 0.04
"""Share of a distance from its level that volatility loses in a day."""
_VOLATILITY_STEP = 0.045
_LEVERAGE = -1.5
"""Relative change of volatility for a return of one, as when prices fall."""
_PRUNED, _CYCLE = 0.4, 21
"""Open interest grows over the month and loses this share when the month's contracts expire."""


@dataclass(frozen=True, eq=False)
class DailyHistory:
    """One row per session, ascending, one column per underlying: (D, U)."""

    dates: tuple[date, ...]
    symbols: tuple[str, ...]
    close: Floats
    """₹, index points."""
    call_open_interest: Floats
    """Of all expiries at the close, units."""
    put_open_interest: Floats
    """Units."""
    atm_iv: Floats
    """At-the-money volatility of the nearest month at the close, decimal a year."""


def daily_history(
    seed: int, names: Sequence[Name], calendar: TradingCalendar, *, open_interest: Floats
) -> DailyHistory:
    """The 252 sessions before the simulated one.

    `open_interest` (U, 2) [units] is what the day opens with. Raises UnknownDate where the calendar ends before.
    """
    dates: list[date] = []
    day = SESSION_DATE
    while len(dates) < SESSIONS:
        day -= timedelta(days=1)
        if calendar.is_trading_day(day):
            dates.append(day)
    market = stream(seed, "year")
    common = _tailed(market)
    columns = [_one(seed, name, common, open_interest[u]) for u, name in enumerate(names)]
    close, calls, puts, volatility = (np.column_stack([c[i] for c in columns]) for i in range(4))
    return DailyHistory(
        dates=tuple(reversed(dates)),
        symbols=tuple(name.symbol for name in names),
        close=close,
        call_open_interest=calls,
        put_open_interest=puts,
        atm_iv=volatility,
    )


def _tailed(source: np.random.Generator) -> Floats:
    """(D,) steps of variance 1 with heavy tails; the last leads to the simulated day's previous close."""
    return np.asarray(source.standard_t(_TAIL_DEGREES, SESSIONS) / np.sqrt(_TAIL_DEGREES / (_TAIL_DEGREES - 2.0)))


def _one(seed: int, name: Name, common: Floats, open_interest: Floats) -> tuple[Floats, Floats, Floats, Floats]:
    """Close, call and put open interest, and volatility of a name, each (D,)."""
    own = stream(seed, f"year {name.symbol}")
    share = name.market_correlation
    move = share * common + np.sqrt(1.0 - share**2) * _tailed(own)
    returns = move * name.annual_volatility / np.sqrt(SESSIONS)
    path = np.cumsum(returns)
    exact = name.spot * np.exp(path - path[-1])
    close = np.round(np.round(exact / name.tick) * name.tick, 2)

    level = np.zeros(SESSIONS)
    shocks = _VOLATILITY_STEP * own.standard_normal(SESSIONS) + _LEVERAGE * returns
    for i in range(1, SESSIONS):
        level[i] = (1.0 - _REVERSION) * level[i - 1] + shocks[i]
    # It ends at its long-run level: the difference is taken out evenly over the year.
    level -= level[-1] * np.linspace(0.0, 1.0, SESSIONS)
    volatility = name.annual_volatility * 1.04 * np.exp(level)

    into_month = (np.arange(SESSIONS) - SESSIONS) % _CYCLE / _CYCLE
    season = np.log(1.0 - _PRUNED * (1.0 - into_month))
    sides = []
    for held in open_interest:
        walk = np.cumsum(0.02 * own.standard_normal(SESSIONS)) + season
        lots = np.rint(held / name.lot_size * np.exp(0.8 * (walk - walk[-1])))
        sides.append(np.maximum(lots, 0.0) * name.lot_size)
    return close, sides[0], sides[1], volatility
