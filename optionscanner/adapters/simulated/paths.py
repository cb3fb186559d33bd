"""Spot and volatility of every name through the day, on a fixed grid of five seconds.

Main entry: `make_paths`. One market factor and an own one per name, heavy-tailed steps, more movement after the open
and before the close, an opening gap, planted scenes (`scenes.py`). Each name draws from a stream of its own, named by
the symbol: taking a name out of the universe, or adding one, leaves the others as they were.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from optionscanner.adapters.simulated.scenes import Plan, shaped_spot, shaped_volatility
from optionscanner.adapters.simulated.streams import GRID, SLOW_GRID, stream
from optionscanner.adapters.simulated.universe import Name
from optionscanner.model.contracts import Floats, Ints

# Shares of a day's variance: the session's, and what is left for the opening gap after a quiet night.
_SESSION_VARIANCE, _GAP_VARIANCE = 0.8, 0.12
_TRADING_DAYS = 252
# Student t with four degrees of freedom has variance 2: steps with occasional jumps.
_TAIL_DEGREES = 4.0


@dataclass(frozen=True, eq=False)
class Paths:
    """(N, U) on the grid of `GRID` seconds from the open, (K, U) on the slow one; U names in order."""

    spot: Floats
    """(N, U) ₹, rounded to the tick of the cash market."""
    high: Floats
    """(N, U) highest spot so far [₹]."""
    low: Floats
    volatility: Floats
    """(K, U) at-the-money implied volatility of a short expiry, decimal a year; straight lines between points."""
    pressure: Floats
    """(K, U) dimensionless, about -1 to 1: above 0 puts are being written, below 0 calls."""
    pace: Floats
    """(K, U) share of the day's volume done so far, 0-1."""
    plans: Mapping[str, Plan]
    """symbol -> scene in it."""

    def volatility_at(self, point: Ints, name: Ints) -> Floats:
        """At-the-money volatility, decimal, at points of the fine grid; arguments broadcast."""
        ratio = SLOW_GRID // GRID
        before = np.minimum(point // ratio, len(self.volatility) - 2)
        part = (point - before * ratio) / ratio
        left, right = self.volatility[before, name], self.volatility[before + 1, name]
        return np.asarray(left + (right - left) * part)


def make_paths(
    seed: int, names: Sequence[Name], *, duration: int, plans: Mapping[str, Plan] | None = None
) -> Paths:
    """The day's paths of `names` over `duration` seconds, a multiple of `SLOW_GRID`, with the scenes in them."""
    plans = plans or {}
    carried_out = {}
    steps = duration // GRID
    slow_steps = duration // SLOW_GRID
    weight = _seasonality(steps)
    market = stream(seed, "market")
    market_gap = market.standard_normal()
    market_moves = _tailed(market, steps)
    market_volatility = reverting(market.standard_normal(slow_steps + 1), persistence=0.97) * 0.03

    spots, volatilities, pressures, paces = [], [], [], []
    for name in names:
        own = stream(seed, f"path {name.symbol}")
        share = name.market_correlation * (1.0 if name.kind == "INDEX" else 0.85)
        rest = np.sqrt(1.0 - share**2)
        daily = name.annual_volatility / np.sqrt(_TRADING_DAYS)
        gap = daily * np.sqrt(_GAP_VARIANCE) * (share * market_gap + rest * own.standard_normal())
        own_moves = _tailed(own, steps) * _spells(own, slow_steps)
        moves = daily * np.sqrt(_SESSION_VARIANCE * weight) * (share * market_moves + rest * own_moves)
        exact = name.spot * np.exp(gap + np.concatenate([[0.0], np.cumsum(moves)]))
        # Trading follows the move that the day brings by itself; what a scene trades stands in its plan.
        without = np.log(exact[:: SLOW_GRID // GRID])
        plan = plans.get(name.symbol)
        if plan is not None:
            plan, exact = shaped_spot(plan, exact, daily=daily, level=name.spot)
        if plan is not None:
            carried_out[name.symbol] = plan
        spots.append(np.round(np.round(exact / name.tick) * name.tick, 2))

        at_slow = np.log(exact[:: SLOW_GRID // GRID])
        since_open = (at_slow - at_slow[0]) / daily
        wobble = reverting(_tailed(own, slow_steps + 1), persistence=0.95) * 0.03
        # Volatility rises when the price falls, more so for indices.
        leverage = -0.06 if name.kind == "INDEX" else -0.02
        level = market_volatility + wobble + leverage * np.tanh(since_open)
        volatility = name.annual_volatility * 1.04 * np.exp(level)
        volatilities.append(volatility if plan is None else shaped_volatility(plan, volatility))

        pressures.append(_pressure(own, slow_steps))
        paces.append(_pace(own, without / daily, slow_steps))
    spot = np.column_stack(spots)
    return Paths(
        spot=spot,
        high=np.maximum.accumulate(spot, axis=0),
        low=np.minimum.accumulate(spot, axis=0),
        volatility=np.column_stack(volatilities),
        pressure=np.column_stack(pressures),
        pace=np.column_stack(paces),
        plans=carried_out,
    )


def _seasonality(steps: int) -> Floats:
    """(steps,) shares of the session's variance or volume, adding up to 1: busy open, quiet noon, busy close."""
    done = (np.arange(steps) + 0.5) / steps
    weight = 1.0 + 2.5 * np.exp(-done / 0.08) + 0.9 * np.exp(-(1.0 - done) / 0.07)
    return np.asarray(weight / weight.sum())


def _tailed(source: np.random.Generator, count: int) -> Floats:
    """(count,) independent steps of mean 0 and variance 1 with heavy tails."""
    return np.asarray(source.standard_t(_TAIL_DEGREES, count) / np.sqrt(_TAIL_DEGREES / (_TAIL_DEGREES - 2.0)))


def _spells(source: np.random.Generator, slow_steps: int) -> Floats:
    """(N,) how much more or less than usual a price moves, for minutes at a time; of mean square 1."""
    spread = 0.85
    level = spread * reverting(source.standard_normal(slow_steps), persistence=0.6) - spread**2
    return np.repeat(np.exp(level), SLOW_GRID // GRID)


def reverting(noise: Floats, *, persistence: float) -> Floats:
    """Noise of variance 1 as a mean-reverting path of variance 1."""
    path = np.empty_like(noise)
    path[0] = noise[0]
    fresh = np.sqrt(1.0 - persistence**2)
    for step in range(1, len(noise)):
        path[step] = persistence * path[step - 1] + fresh * noise[step]
    return path


def _pressure(own: np.random.Generator, steps: int) -> Floats:
    """(steps + 1,) who writes: a name's temper of the day, and moods that pass within a few steps."""
    temper = own.normal(-0.03, 0.07)
    moods = 0.25 * reverting(own.standard_normal(steps + 1), persistence=0.65)
    return np.asarray(temper + moods)


def _pace(own: np.random.Generator, move: Floats, steps: int) -> Floats:
    """(steps + 1,) share of the day's volume done, 0-1: seasonal, in bursts, busier when the price moves."""
    bursts = np.exp(0.35 * reverting(own.standard_normal(steps), persistence=0.8))
    pace = _seasonality(steps) * bursts * (1.0 + 3.0 * np.abs(np.diff(move)))
    done = np.concatenate([[0.0], np.cumsum(pace)])
    return np.asarray(done / done[-1])
