"""Open interest and volume of every leg and future through the day, on a grid of three minutes.

Main entry: `make_interest`. Positions are opened and closed near the money; who writes follows the name's pressure
(`paths.py`). Volume is at least what positions changed by. The exchange publishes open interest every three minutes,
all legs of a name together, each name at a second of its own; volume runs on in between.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from optionscanner.adapters.simulated.books import Lots, booked
from optionscanner.adapters.simulated.paths import Paths, reverting
from optionscanner.adapters.simulated.scenes import plant_positions, published_after
from optionscanner.adapters.simulated.streams import GRID, SLOW_GRID, stream
from optionscanner.adapters.simulated.universe import SESSION_DATE, Name, listed_expiries
from optionscanner.model.contracts import Floats, Ints, Layout

Points = npt.NDArray[np.int16]

# Share of a chain's open interest that changes hands between writers and buyers in three minutes of a usual hour;
# gives changes like those of Indian stock options: some 0.2 % in a step, 5 % over a day.
_STEP_SHARE = 0.0045
_GROWTH = 0.3
_CROWD, _BLOCKS, _BLOCK_SHARE, _MOVED = 0.25, 1.2, 0.3, 0.6
_OPENING_SHARE = 0.004
_FUTURE_SHARE = 0.35


@dataclass(frozen=True, eq=False)
class Interest:
    """K points `SLOW_GRID` seconds apart, R rows, F futures; positions and trades in lots."""

    published_after: Ints
    """(U,) seconds after each grid point at which a name's open interest of that point is published."""
    open_interest: Lots
    """(K, R, 2) lots."""
    changed: Points
    """(K, R, 2) newest grid point, up to this one, at which open interest changed; 0 = not today."""
    volume: Floats
    """(K, R, 2) lots traded so far, with a fraction that makes the next trade due."""
    traded: Floats
    """(K, R, 2) seconds from the open of the last trade up to this point, a multiple of `GRID`; -1 = none today."""
    future_open_interest: Lots
    """(K, F) lots."""
    future_volume: Floats
    """(F,) lots in the whole day."""
    stock_volume: Floats
    """(U,) units of the underlying in the whole day; NaN for indices, which do not trade."""

    def volume_at(self, second: int) -> tuple[Floats, Floats]:
        """Lots traded up to a second from the open, a multiple of `GRID`, and when each leg last traded.

        Returns two (R, 2) arrays: whole lots, and seconds from the open (-1 where a leg has not traded).
        """
        before = min(second // SLOW_GRID, len(self.volume) - 2)
        into = second - before * SLOW_GRID
        start, end = self.volume[before], self.volume[before + 1]
        lots = np.floor(start + (end - start) * (into / SLOW_GRID))
        new = lots > np.floor(start)
        with np.errstate(invalid="ignore", divide="ignore"):
            due = before * SLOW_GRID + SLOW_GRID * (lots - start) / (end - start)
        when = np.minimum(np.ceil(np.where(new, due, 0.0) / GRID) * GRID, second)
        return lots, np.where(new, when, self.traded[before])

    def point_at(self, second: int) -> Ints:
        """(U,) grid point whose open interest is the published one at a second from the open."""
        return np.maximum((second - self.published_after) // SLOW_GRID, 0)


def make_interest(seed: int, names: Sequence[Name], layout: Layout, paths: Paths) -> Interest:
    """Positions and trades of the whole day."""
    points = len(paths.pressure)
    interest = np.zeros((points, layout.rows, 2), dtype=np.int32)
    volume = np.zeros((points, layout.rows, 2))
    delays = np.array([published_after(seed, name.symbol) for name in names], dtype=np.int64)
    future_interest = np.zeros((points, len(layout.future_expiry)), dtype=np.int32)
    future_volume = np.zeros(len(layout.future_expiry))
    stock_volume = np.full(len(names), np.nan)

    for u, name in enumerate(names):
        own = stream(seed, f"interest {name.symbol}")
        appetite = float(np.exp(own.normal(-0.1, 0.6)))
        shares = {expiry.day.toordinal(): expiry.share for expiry in listed_expiries(name)}
        total = sum(shares.values())
        for s in np.flatnonzero(layout.segment_underlying == u):
            expiry = int(layout.segment_expiry[s])
            rows = slice(int(layout.starts[s]), int(layout.ends[s]))
            days = expiry - SESSION_DATE.toordinal()
            ladder = _Ladder(
                strikes=layout.strike[rows],
                step=name.strike_step,
                close=name.spot,
                spot=paths.spot[:: SLOW_GRID // GRID, u],
                width=name.spot * name.annual_volatility * np.sqrt((days + 15.0) / 365.0),
                lots=name.open_interest_lots * shares[expiry] / total,
                turnover=_turnover(name, appetite, expiry - int(min(shares))),
            )
            steps, trades = _chain(own, ladder, pressure=paths.pressure[:, u], pace=paths.pace[:, u])
            plan = paths.plans.get(name.symbol)
            if plan is not None and expiry == min(shares):
                plant_positions(
                    plan,
                    steps,
                    trades,
                    strikes=ladder.strikes,
                    strike_step=ladder.step,
                    spot=ladder.spot,
                    level=name.spot,
                    gamma_width=name.annual_volatility * np.sqrt(max(days, 1.0) / 365.0),
                )
            interest[:, rows], volume[:, rows] = booked(steps, trades)
        for f in np.flatnonzero(layout.future_underlying == u):
            lots = name.open_interest_lots * shares[int(layout.future_expiry[f])] / total * _FUTURE_SHARE
            future_interest[:, f] = _future_interest(own, lots, paths.pressure[:, u])
            future_volume[f] = lots * own.uniform(0.3, 0.9)
        if name.kind == "STOCK":
            stock_volume[u] = name.open_interest_lots * name.lot_size * own.uniform(0.05, 0.3)

    return Interest(
        published_after=delays,
        open_interest=interest,
        changed=_last_change(interest),
        volume=volume,
        traded=_last_trade(volume),
        future_open_interest=future_interest,
        future_volume=future_volume,
        stock_volume=stock_volume,
    )


@dataclass(frozen=True, eq=False)
class _Ladder:
    """One chain as positions see it."""

    strikes: Floats
    step: float
    close: float
    """previous close of the underlying [₹]"""
    spot: Floats
    """(K,) ₹"""
    width: float
    """₹ over which interest falls off from the money"""
    lots: float
    """open interest of all its legs at the previous close"""
    turnover: float
    """lots traded in the day for each lot of open interest"""


def _turnover(name: Name, appetite: float, days_after_front: int) -> float:
    """Day's volume over open interest: several times for the nearest index expiry, about once for a stock."""
    if name.kind == "STOCK":
        return appetite
    nearest = 5.0 if name.expiries == "weekly" else 2.5
    return nearest * appetite * float(np.exp(-days_after_front / 12.0)) + 0.1


def _chain(own: np.random.Generator, chain: _Ladder, *, pressure: Floats, pace: Floats) -> tuple[Floats, Floats]:
    """Opening interest and its steps (K, n, 2), and trades (K, n, 2), both per point and in lots."""
    count, points = len(chain.strikes), len(pace)
    side = np.array([1.0, -1.0])
    # Distance from the money in widths, growing out of the money for calls and puts alike.
    at_close = (chain.strikes[:, None] - chain.close) / chain.width * side
    spot = chain.spot[:, None, None]
    out = (chain.strikes[:, None] - spot) / chain.width * side

    # Most interest stands a little out of the money; strikes at the money hold more than a bell would give them.
    previous = np.exp(-0.5 * ((at_close - 0.45) / 0.7) ** 2) + 1.2 * np.exp(-0.5 * (at_close / 0.16) ** 2)
    previous = previous * np.exp(own.normal(0.0, 0.5, (count, 2))) + 0.008
    previous *= _round_number(chain.strikes, chain.step)[:, None]
    put_call_ratio = np.exp(own.normal(-0.12, 0.22))
    sides = np.array([1.0, put_call_ratio]) / (1.0 + put_call_ratio)
    opening = np.rint(previous / previous.sum(axis=0) * sides * chain.lots)

    # Which strikes are in favour today; a strike that holds much also trades much.
    active = np.exp(-0.5 * ((out - 0.2) / 0.4) ** 2) + 0.0005
    active *= np.exp(own.normal(0.0, 0.6, (count, 2))) * (opening / opening.sum(axis=0)) ** 0.7
    active /= active.sum(axis=1, keepdims=True)

    busy = np.diff(pace) * (points - 1)
    # A name's own liveliness, and spells in which everything happens at once: the tails of recorded flows.
    liveliness = np.exp(own.normal(-0.25, 0.55))
    spells = np.exp(0.75 * reverting(own.standard_normal(points - 1), persistence=0.8) - 0.28)
    lively = liveliness * spells[:, None, None]
    crowd = pressure[1:, None] + _CROWD * own.standard_t(3.0, (points - 1, 1))
    growth = _GROWTH * (np.exp(own.normal(0.0, 0.9)) - 0.5) * np.linspace(1.5, -0.5, points - 1)
    written = growth[:, None, None] - side * crowd[:, :, None]
    # Single legs move in blocks: many steps bring nothing to a leg, a few bring much.
    blocks = own.standard_t(3.0, (points - 1, count, 2)) * (own.random((points - 1, count, 2)) < _BLOCK_SHARE)
    scale = chain.lots * _STEP_SHARE * np.sqrt(busy)[:, None, None] * active[1:] * lively
    moves = scale * (written + _BLOCKS * blocks)
    moves[own.random((points - 1, count, 2)) > _MOVED] = 0.0

    trades = chain.turnover * chain.lots * 0.5 * np.diff(pace)[:, None, None] * active[1:]
    trades *= np.exp(1.2 * own.standard_normal((points - 1, count, 2), dtype=np.float32) - 0.72)
    trades *= spells[:, None, None] ** 0.5
    first = chain.turnover * chain.lots * 0.5 * _OPENING_SHARE * active[:1]
    return np.concatenate([opening[None], moves]), np.concatenate([first, trades])


def _round_number(strikes: Floats, step: float) -> Floats:
    """(n,) how much more a strike attracts: round ones most."""
    number = np.rint(strikes / step).astype(np.int64)
    return np.asarray(1.0 + 0.8 * (number % 5 == 0) + 0.7 * (number % 10 == 0))


def _future_interest(own: np.random.Generator, lots: float, pressure: Floats) -> Lots:
    """(K,) open interest of a future [lots]: grows with the pressure's size, wobbles."""
    steps = 0.0012 * (np.abs(pressure[1:]) - 0.15 + 0.5 * own.standard_normal(len(pressure) - 1))
    path = lots * np.exp(np.concatenate([[0.0], np.cumsum(steps)]))
    return np.asarray(np.rint(path), dtype=np.int32)


def _last_change(interest: Lots) -> Points:
    """(K, R, 2) newest point up to each at which the value differs from the point before; 0 for none."""
    point = np.arange(len(interest), dtype=np.int16)[1:, None, None]
    changed = np.zeros(interest.shape, dtype=np.int16)
    changed[1:] = np.where(np.diff(interest, axis=0) != 0, point, 0)
    return np.asarray(np.maximum.accumulate(changed, axis=0))


def _last_trade(volume: Floats) -> Floats:
    """(K, R, 2) seconds from the open of the newest trade up to each point, on the fine grid; -1 for none."""
    whole = np.floor(volume)
    traded = np.full(volume.shape, -1.0, dtype=np.float32)
    traded[0][whole[0] > 0] = 0.0
    start = np.arange(len(volume) - 1)[:, None, None] * float(SLOW_GRID)
    with np.errstate(invalid="ignore", divide="ignore"):
        due = start + SLOW_GRID * (whole[1:] - volume[:-1]) / np.diff(volume, axis=0)
    on_grid = np.minimum(np.ceil(due / GRID) * GRID, start + SLOW_GRID)
    traded[1:] = np.where(whole[1:] > whole[:-1], on_grid, -1.0)
    return np.asarray(np.maximum.accumulate(traded, axis=0))
