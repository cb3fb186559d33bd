"""Gamma flips: the price at which the gamma exposure of a group of strikes changes its sign.

`profile_flips` revalues every group over a grid of moves of the underlying and refines each change of sign;
`cumulative_flips` is the documented rule on today's exposures, strike by strike.

A group is a chain, or all expiries of a name: all forwards are taken to move by one factor m, with volatility per
strike and time held. The exposure of a strike at m·F is n·D·m·F·phi(d1(m))/v x 0.01, with
d1 = (ln(F/K) + ln m)/v + v/2, so that only exp(-d1²/2) differs along the grid.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from optionscanner.analytics import segments
from optionscanner.model.contracts import Floats, Ints, Layout

GRID_POINTS = 121
_BLOCK_ROWS = 400
"""Strikes revalued at a time: their grid stays in the processor's cache."""
_ITERATIONS = 80
_PRECISION = 1e-13
"""Relative step at which a root counts as found."""


@dataclass(frozen=True, eq=False)
class Ladders:
    """(n,) strikes of G groups, one after the other. Strikes without weight take no part."""

    starts: Ints
    """(G,) first strike of each group."""
    log_moneyness: Floats
    """ln(F/K)."""
    width: Floats
    """Volatility times the square root of the time left, decimal."""
    weight: Floats
    """Signed units x D x F / width, up to a common factor."""

    @classmethod
    def of(
        cls, starts: Ints, *, forward: Floats, strike: Floats, width: Floats, discount: Floats, units: Floats
    ) -> Ladders:
        """From (n,) forwards and strikes [₹], widths, discount factors and signed units; NaN anywhere is no weight."""
        weight = units * discount * forward / np.where(width > 0, width, np.nan)
        known = np.isfinite(weight) & (forward > 0)
        return cls(
            starts,
            np.log(np.where(known, forward, 1.0) / np.where(known, strike, 1.0)),
            np.where(known, width, 1.0),
            np.where(known, weight, 0.0),
        )


@dataclass(frozen=True, eq=False)
class Flips:
    """(G,) one answer per group."""

    move: Floats
    """Price at the crossing nearest to now over the price now, 1 = now; NaN where there is none in range."""
    above: Floats
    """Sign of the exposure just above it, 1 or -1; NaN where there is none."""
    crossings: Floats
    """Changes of sign in range, 0 and more."""


def profile_flips(ladders: Ladders, *, range_pct: float) -> Flips:
    """The flips of all groups: the exposure on `GRID_POINTS` prices within ± `range_pct`, each bracket refined.

    Points where the exposure is exactly 0 decide nothing: a group that cancels everywhere has no flip. Two crossings
    between neighbouring points are not seen, nor are they worth anything.
    """
    groups = len(ladders.starts)
    none = np.full(groups, np.nan)
    if not groups:
        return Flips(none, none, none)
    grid = np.log(np.linspace(1.0 - range_pct / 100.0, 1.0 + range_pct / 100.0, GRID_POINTS))
    value = profile(ladders, grid)
    sign = np.sign(value)
    last = np.maximum.accumulate(np.where(sign != 0, np.arange(GRID_POINTS), -1), axis=1)
    before = np.concatenate([np.full((groups, 1), -1), last[:, :-1]], axis=1)
    earlier = np.where(before >= 0, np.take_along_axis(sign, np.maximum(before, 0), axis=1), 0.0)
    group, right = np.nonzero((sign != 0) & (earlier != 0) & (sign != earlier))
    left = before[group, right]
    # Where the straight line between both ends is 0.
    share = value[group, left] / (value[group, left] - value[group, right])
    root = _refined(ladders, group, grid[left], grid[right], sign_high=sign[group, right], share=share)
    distance = np.abs(np.expm1(root))
    order = np.lexsort((root, distance, group))
    nearest = order[np.diff(group[order], prepend=-1) > 0]
    move, above = none.copy(), none.copy()
    move[group[nearest]] = np.exp(root[nearest])
    above[group[nearest]] = sign[group[nearest], right[nearest]]
    return Flips(move, above, np.bincount(group, minlength=groups).astype(np.float64))


def profile(ladders: Ladders, log_moves: Floats) -> Floats:
    """(G, n) exposure of each group over m at each logarithm of a move m, up to the common factor."""
    out = np.empty((len(ladders.starts), len(log_moves)))
    ends = np.append(ladders.starts[1:], len(ladders.weight))
    for first, last in _blocks(ladders.starts):
        rows = slice(ladders.starts[first], ends[last - 1])
        inverse = 1.0 / ladders.width[rows]
        centre = ladders.log_moneyness[rows] * inverse + ladders.width[rows] / 2
        d1 = np.multiply.outer(inverse, log_moves)
        d1 += centre[:, None]
        np.multiply(d1, d1, out=d1)
        d1 *= -0.5
        np.exp(d1, out=d1)
        d1 *= ladders.weight[rows][:, None]
        out[first:last] = np.add.reduceat(d1, ladders.starts[first:last] - ladders.starts[first], axis=0)
    return out


def _blocks(starts: Ints) -> Iterator[tuple[int, int]]:
    """Runs of whole groups of about `_BLOCK_ROWS` strikes, as (first, one past the last)."""
    _, first = np.unique(starts // _BLOCK_ROWS, return_index=True)
    edges = [*first.tolist(), len(starts)]
    yield from itertools.pairwise(edges)


def _refined(
    ladders: Ladders, group: Ints, low: Floats, high: Floats, *, sign_high: Floats, share: Floats
) -> Floats:
    """(B,) root within each bracket of logarithmic moves, by Newton's steps; bisected where one would leave it.

    The first step begins at the `share` (B,) of the bracket, between 0 and 1. Each bracket goes its own way, so no
    root depends on what else is sought.
    """
    found = low + share * (high - low)
    low, high = low.copy(), high.copy()
    taken = high - low
    open_ = np.arange(len(group))
    inside = _Strikes.of(ladders, group)
    for _ in range(_ITERATIONS):
        if not len(open_):
            break
        x = found[open_]
        value, slope = inside.value_and_slope(x)
        right = np.sign(value) == sign_high[open_]
        high[open_] = top = np.where(right, x, high[open_])
        low[open_] = bottom = np.where(right, low[open_], x)
        with np.errstate(divide="ignore", invalid="ignore"):
            step = x - value / slope
        # Far out the exposure falls like an exponential, along which Newton creeps: its steps must halve.
        away = np.abs(step - x)
        good = (step > bottom) & (step < top) & (away <= taken[open_] / 2)
        # At the root itself rounding points anywhere, also out of the bracket.
        good |= away <= _PRECISION
        moved = np.where(good, step, (bottom + top) / 2)
        moved = np.where(value == 0, x, moved)
        taken[open_] = np.abs(moved - x)
        found[open_] = moved
        # Most are found after three steps; the strikes of those are left out of the next.
        going = taken[open_] > _PRECISION
        if not going.all():
            open_ = open_[going]
            inside = _Strikes.of(ladders, group[open_])
    return found


@dataclass(frozen=True, eq=False)
class _Strikes:
    """The strikes of some groups, one after the other; a group may come several times."""

    starts: Ints
    size: Ints
    inverse: Floats
    centre: Floats
    weight: Floats

    @classmethod
    def of(cls, ladders: Ladders, group: Ints) -> _Strikes:
        ends = np.append(ladders.starts[1:], len(ladders.weight))
        size = (ends - ladders.starts)[group]
        starts = np.cumsum(size) - size
        rows = np.arange(size.sum()) - np.repeat(starts - ladders.starts[group], size)
        inverse = 1.0 / ladders.width[rows]
        centre = ladders.log_moneyness[rows] * inverse + ladders.width[rows] / 2
        return cls(starts, size, inverse, centre, ladders.weight[rows])

    def value_and_slope(self, x: Floats) -> tuple[Floats, Floats]:
        """Exposure of each group at its logarithm of a move `x`, and its slope along it."""
        d1 = np.repeat(x, self.size) * self.inverse + self.centre
        density = self.weight * np.exp(-0.5 * d1 * d1)
        slope = -np.add.reduceat(density * d1 * self.inverse, self.starts)
        return np.add.reduceat(density, self.starts), slope


def cumulative_flips(layout: Layout, net: Floats, reference: Floats) -> Floats:
    """(S,) the documented flip [₹]: where exposure cumulated from the lowest strike changes sign; NaN where nowhere.

    `net` (R,) is the exposure of each strike, `reference` (S,) [₹] decides which change is nearest; the lower of a tie.
    Between strikes K1 and K2 with sums c1 and c2 it is K1 + (K2 - K1)|c1|/(|c1| + |c2|); a sum of exactly 0 after one
    that is not gives its strike.
    """
    running = segments.running_total(layout, net)
    before, strike_before = np.roll(running, 1), np.roll(layout.strike, 1)
    inner = np.ones(layout.rows, dtype=bool)
    inner[layout.starts] = False
    crossing = inner & (np.sign(before) * np.sign(running) < 0)
    sizes = np.where(crossing, np.abs(before) + np.abs(running), 1.0)
    between = strike_before + (layout.strike - strike_before) * np.abs(before) / sizes
    level = np.where(crossing, between, np.where(inner & (running == 0) & (before != 0), layout.strike, np.nan))
    distance = np.abs(level - reference[layout.row_segment])
    distance = np.where(np.isfinite(distance), distance, np.inf)
    least = np.minimum.reduceat(distance, layout.starts) if layout.rows else np.empty(0)
    nearest = segments.first_row(layout, np.isfinite(distance) & (distance == least[layout.row_segment]))
    return segments.at(level, nearest)
