"""Planted scenes: what happens in the simulated day on purpose, with the answer key against which detectors are scored.

Main entries: `plan_scenes`, `Plan.scene`, `written_key`. A name has at most one scene a day; which one, when and which
way follows from the seed and the name alone, whatever the strength. `plan_scenes` decides, `shaped_spot`,
`shaped_volatility` and `plant_positions` carry it out. A scene begins at an instant at which its name's open interest
is published, so that the next publication, one step later, is the first to show it.

Sizes at strength 1 are percentiles of 206 stocks on the recorded reference day (30 January 2026, 98 observations about
five minutes apart), measured on their nearest chains:

===================================================  ======  ======  ======  ======
                                                        95 %    97 %    99 %  99.9 %
===================================================  ======  ======  ======  ======
size of a step's ATM-weighted flow, in usual steps       3.6     4.6     7.5    18.0
move of the spot in 30 minutes, in the day's sd          0.50    0.58    0.75    1.16
change of a near leg's volatility in 30 minutes [pt]     1.8     2.2     3.2     5.9
volume of a near leg in 5 minutes over its OI            0.15    0.20    0.38    1.28
change of a near leg's OI in 5 minutes, share            0.04    0.05    0.10    0.43
===================================================  ======  ======  ======  ======

The usual step is the mean size of the name's own steps that day, or until the onset where that is larger. A scene
opens with two steps of the 99.9th percentile and goes on with the 97th: events that a day has a few hundred and some
thousands of among 19,000 steps.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np

from optionscanner.adapters.simulated.books import booked
from optionscanner.adapters.simulated.streams import GRID, SLOW_GRID, stream
from optionscanner.adapters.simulated.universe import Name
from optionscanner.model.calendar import IST
from optionscanner.model.contracts import Floats, Ints

SUPPORT, BREAKOUT, COVERING, ACCUMULATION = (
    "put-writing support", "call-buying breakout", "short covering", "OTM accumulation",
)  # fmt: skip
CROSSING, FLIP_FLOP, CRUSH, QUIET = "gamma-flip crossing", "regime flip-flop", "IV crush", "quiet name"

MIRRORED: Mapping[str, str] = {
    SUPPORT: "call-writing cap",
    BREAKOUT: "put-buying breakdown",
    COVERING: "long unwinding",
    ACCUMULATION: "OTM put accumulation",
}
"""What the bullish scenes are called where they are planted the other way round, calls for puts and down for up."""

# Share of names that get each scene; the rest of the names have none.
_SHARES = {
    SUPPORT: 0.18,
    BREAKOUT: 0.16,
    COVERING: 0.12,
    ACCUMULATION: 0.10,
    CROSSING: 0.04,
    FLIP_FLOP: 0.04,
    CRUSH: 0.04,
    QUIET: 0.06,
}
_FIRST_STEP, _LAST_STEP = 14, 96
_STEPS = {FLIP_FLOP: 25, CRUSH: 8}
_USUAL_STEPS = 12
_PHASE = 5
"""Steps after which a flip-flop turns."""

_ONSET, _GOING_ON, _COVERING_ON = 18.0, 4.6, 2.0
"""Flow of a step in usual steps: 99.9th and 97th percentile; less while calls last that can still be bought back."""
_ONSET_STEPS = 2
_MOVE = {SUPPORT: 0.50, BREAKOUT: 0.75, COVERING: 0.58, ACCUMULATION: 0.50}
"""Move of the spot over the scene in daily standard deviations: 95th, 99th and 97th percentile of half an hour."""
_OVERSHOOT = 0.35
_LARGEST_CROSSING = 1.16
_VOLATILITY = {SUPPORT: -0.10, BREAKOUT: 0.10, ACCUMULATION: 0.10, CRUSH: -0.12}
"""Relative change of volatility over the scene: three to four points of a stock's usual 33, the 99th percentile."""
_EARLY, _EARLY_SHARE = 0.25, 0.5
"""A move is quickest at first: this share of it in this part of the scene."""
_STILL = 0.65
"""How much smaller all else becomes while a scene rules the price."""
_FADING = 0.95
_FAR = 0.05
"""Distance of an accumulated strike from the money: the documented 1.05 times ATM."""
_FAR_ONSET, _FAR_ON = 0.43, 0.04
"""Rise of the accumulated leg's open interest in a step: 99.9th and 95th percentile."""
_LEG_ON = 0.15
"""Volume of the busiest leg after the onset, over its open interest: 95th percentile."""
_LEAST_LOTS = 650.0
_ABOVE_THE_CHAIN = 1.25


@dataclass(frozen=True, slots=True)
class Scene:
    """One line of the answer key."""

    name: str
    underlying: str
    begins: float
    """Seconds since 1970 UTC: the last instant at which published open interest shows nothing of it."""
    ends: float
    direction: int
    """1 bullish, -1 bearish, 0 neither: volatility, silence, or turns both ways. A crossing: way of the spot."""
    size: float
    """Of its first steps, in usual steps of the name's flow; a crossing's move in daily standard deviations, a
    crush's relative fall of volatility, a quiet name's missing share of flow."""


@dataclass(frozen=True, slots=True)
class Plan:
    """A scene as it is carried out."""

    kind: str
    """The bullish name, whatever the direction."""
    underlying: str
    step: int
    """Point of the slow grid whose published open interest is the last without it."""
    steps: int
    delay: int
    """Seconds after each grid point at which the name's open interest is published."""
    direction: int
    strength: float
    size: float

    @property
    def begins(self) -> int:
        """Seconds from the open, on the fine grid."""
        return 0 if self.kind == QUIET else self.step * SLOW_GRID - (-self.delay // GRID) * GRID

    def ends(self, duration: int) -> int:
        """Seconds from the open."""
        return duration if self.kind == QUIET else self.begins + self.steps * SLOW_GRID

    def scene(self, opens: float, duration: int) -> Scene:
        """Its line of the answer key; `opens` in seconds since 1970 UTC."""
        name = MIRRORED.get(self.kind, self.kind) if self.direction < 0 else self.kind
        return Scene(
            name=name,
            underlying=self.underlying,
            begins=opens + self.begins,
            ends=opens + self.ends(duration),
            direction=self.direction,
            size=round(self.size, 4),
        )


def published_after(seed: int, symbol: str) -> int:
    """Seconds after each point of the slow grid at which a name's open interest is published."""
    return int(stream(seed, f"publication {symbol}").integers(0, SLOW_GRID))


def plan_scenes(seed: int, names: Sequence[Name], strength: float) -> dict[str, Plan]:
    """The scenes of a day by symbol; none at strength 0. Raises ValueError for a strength below 0 or not a number."""
    if not strength >= 0.0 or not np.isfinite(strength):
        raise ValueError(f"strength of the scenes must be a number from 0, was {strength}")
    plans = {}
    for name in names if strength else ():
        own = stream(seed, f"scene {name.symbol}")
        limits = np.cumsum(list(_SHARES.values()))
        place = int(np.searchsorted(limits, own.random(), side="right"))
        step, up = int(own.integers(_FIRST_STEP, _LAST_STEP)), own.random() < 0.5
        if place == len(limits):
            continue
        kind = list(_SHARES)[place]
        if name.kind == "INDEX" and kind not in (FLIP_FLOP, CRUSH):
            continue  # an index moves with its members, never by itself
        if kind == ACCUMULATION and name.spot < 400.0:
            kind = SUPPORT  # five per cent away their options are worth next to nothing
        if kind in (SUPPORT, BREAKOUT) and name.spot < 150.0:
            kind = COVERING  # options of less than a rupee are no event
        directed = kind in MIRRORED or kind == CROSSING
        plans[name.symbol] = Plan(
            kind=kind,
            underlying=name.symbol,
            step=min(step, _LAST_STEP + _USUAL_STEPS - _STEPS.get(kind, _USUAL_STEPS)),
            steps=_STEPS.get(kind, _USUAL_STEPS),
            delay=published_after(seed, name.symbol),
            direction=(1 if up else -1) if directed else 0,
            strength=strength,
            size=strength * _ONSET,
        )
    return plans


def written_key(scenes: Sequence[Scene]) -> str:
    """The answer key as CSV text: name, underlying, from and to (India), direction (BULLISH, BEARISH, blank), size."""
    text = io.StringIO()
    lines = csv.writer(text, lineterminator="\n")
    lines.writerow(("name", "underlying", "from", "to", "direction", "size"))
    words = {1: "BULLISH", -1: "BEARISH", 0: ""}
    for scene in scenes:
        times = [datetime.fromtimestamp(at, IST).isoformat() for at in (scene.begins, scene.ends)]
        lines.writerow((scene.name, scene.underlying, *times, words[scene.direction], f"{scene.size:g}"))
    return text.getvalue()


def _progress(part: Floats) -> Floats:
    """Share of a scene's move that is done when `part` of its time has passed."""
    early = np.clip(part / _EARLY, 0.0, 1.0) * _EARLY_SHARE
    return np.asarray(early + np.clip((part - _EARLY) / (1.0 - _EARLY), 0.0, 1.0) * (1.0 - _EARLY_SHARE))


def shaped_spot(plan: Plan, exact: Floats, *, daily: float, level: float) -> tuple[Plan | None, Floats]:
    """The plan as it turned out, and the spot (N,) [₹] with the scene in it.

    `daily` is the day's standard deviation, decimal; `level` [₹] is where the dealers' gamma of a crossing changes its
    sign. The plan is None where that is too far to be crossed.
    """
    path = np.log(exact)
    moves = np.diff(path)
    still = 1.0 - _STILL * min(plan.strength, 1.0)
    if plan.kind == QUIET:
        return plan, np.exp(np.concatenate([path[:1], path[0] + np.cumsum(moves * still)]))
    first, last = plan.begins // GRID, min((plan.begins + plan.steps * SLOW_GRID) // GRID, len(moves))
    move = plan.direction * _MOVE.get(plan.kind, 0.0) * daily * plan.strength
    if plan.kind == CROSSING:
        way = -1 if path[first] > np.log(level) else 1
        move = np.log(level) - path[first] + way * _OVERSHOOT * daily * plan.strength
        if abs(move) > _LARGEST_CROSSING * daily:
            return None, exact
        plan = _turned(plan, way, abs(move) / daily)
    if move:
        done = _progress(np.arange(last - first + 1) / (plan.steps * SLOW_GRID // GRID))
        moves[first:last] = moves[first:last] * still + move * np.diff(done)
    return plan, np.exp(np.concatenate([path[:1], path[0] + np.cumsum(moves)]))


def _turned(plan: Plan, direction: int, size: float) -> Plan:
    return Plan(
        plan.kind, plan.underlying, plan.step, plan.steps, plan.delay, direction, plan.strength, size
    )


def shaped_volatility(plan: Plan, volatility: Floats) -> Floats:
    """(K,) volatility, decimal, with the scene in it: stiller and moving while it lasts, fading back after it."""
    change = _VOLATILITY.get(plan.kind)
    if change is None:
        return volatility
    level = np.log(volatility)
    part = (np.arange(len(level)) * SLOW_GRID - plan.begins) / (plan.steps * SLOW_GRID)
    inside = (part > 0) & (part <= 1.0)
    start = level[min(plan.step, len(level) - 1)]
    still = _STILL * min(plan.strength, 1.0)
    offset = np.where(inside, still * (start - level) + np.log1p(change) * plan.strength * _progress(part), 0.0)
    last = int(np.flatnonzero(inside)[-1])
    fading = 1.0 if plan.kind == CRUSH else _FADING
    offset[last + 1 :] = offset[last] * fading ** np.arange(1, len(level) - last)
    return np.asarray(np.exp(level + offset))


def plant_positions(
    plan: Plan, steps: Floats, trades: Floats, *, strikes: Floats, strike_step: float, spot: Floats, level: float,
    gamma_width: float,
) -> None:
    """Put a scene into the opening interest, its steps and the trades (K, n, 2) [lots] of a name's nearest chain.

    `strikes` (n,), `spot` (K,) and `level`, around which the interest of a crossing stands, [₹]; `gamma_width` is the
    standard deviation of the log price until expiry, over which gamma falls off around the level.
    """
    if plan.kind == QUIET:
        steps[1:] *= 1.0 - 0.95 * min(plan.strength, 1.0)
        trades *= 1.0 - 0.8 * min(plan.strength, 1.0)
        return
    if plan.kind == CROSSING:
        # Dealers long calls above the level and short puts below it: there their gamma changes its sign.
        less = 1.0 - 0.7 * min(plan.strength, 1.0)
        steps[0, strikes < level, 0] = np.rint(steps[0, strikes < level, 0] * less)
        steps[0, strikes > level, 1] = np.rint(steps[0, strikes > level, 1] * less)
        # When the scene begins both are of one size at the level, so that the sign changes there and not beside it.
        near = np.exp(-0.5 * (np.log(strikes / level) / gamma_width) ** 2)
        gamma = near @ np.maximum(steps[: plan.step + 1].sum(axis=0), 0.0)
        share = np.min(gamma) / np.where(gamma > 0, gamma, np.inf)
        steps *= 1.0 - min(plan.strength, 1.0) * (1.0 - share)
    if plan.kind in (CROSSING, CRUSH):
        return
    weight = np.exp(-np.abs(strikes[None, :] - spot[:, None]) / (2.0 * strike_step))
    sizes = np.abs(np.sum(weight[1:] * (steps[1:, :, 1] - steps[1:, :, 0]), axis=1))
    # What is usual at the onset: mornings are busier than the day.
    usual = float(max(sizes.mean(), sizes[: plan.step].mean()))
    points = plan.step + 1 + np.arange(plan.steps)
    flow = plan.strength * usual * _profile(plan)
    bought = np.zeros(plan.steps)
    leg: tuple[int, int] | None = None
    if plan.kind == BREAKOUT:
        # Options are bought out of the money while the other side is written against the move, by more.
        side = 0 if plan.direction > 0 else 1
        leg = (_busiest(steps, trades, plan, _nearest(strikes, spot[plan.step], plan.direction, 1, 3), side), side)
        bought = 0.35 * np.abs(flow)
        steps[points, leg[0], leg[1]] += bought / np.maximum(weight[points, leg[0]], 0.05)
        flow = flow + plan.direction * bought
    elif plan.kind == ACCUMULATION:
        side = 0 if plan.direction > 0 else 1
        far = np.flatnonzero(plan.direction * (strikes / spot[plan.step] - 1.0) >= _FAR)
        nearest = far[np.argsort(np.abs(strikes[far] - spot[plan.step]), kind="stable")[:3]]
        if len(nearest):
            leg = (_busiest(steps, trades, plan, nearest, side), side)
            rise = np.where(np.arange(plan.steps) < _ONSET_STEPS, _FAR_ONSET, _FAR_ON) * plan.strength
            held = max(float(steps[: plan.step + 1, leg[0], leg[1]].sum()), 50.0)
            steps[points, leg[0], leg[1]] += rise * held
    if plan.kind == COVERING:
        side = 0 if plan.direction > 0 else 1
        near = np.argsort(np.abs(strikes - spot[plan.step]), kind="stable")[:8]
        _spread(steps, points, (near, side), flow=-np.abs(flow), weight=weight)
        return
    if plan.kind == FLIP_FLOP:
        near = np.argsort(np.abs(strikes - spot[plan.step]), kind="stable")[:4]
        for way, side in ((1.0, 1), (-1.0, 0)):
            _spread(steps, points, (near, side), flow=np.maximum(way * flow, 0.0), weight=weight)
        return
    side = 1 if plan.direction > 0 else 0
    near = _nearest(strikes, spot[plan.step], -plan.direction, 0, 4)
    _spread(steps, points, (near, side), flow=np.abs(flow), weight=weight)
    if leg is None:
        leg = (_busiest(steps, trades, plan, near, side), side)
    _burst(plan, steps, trades, leg)


def _profile(plan: Plan) -> Floats:
    """(steps,) signed flow of each step in usual steps, at strength 1."""
    place = np.arange(plan.steps)
    if plan.kind == FLIP_FLOP:
        return np.where(place // _PHASE % 2 == 0, _ONSET, -_ONSET)
    going_on = _COVERING_ON if plan.kind == COVERING else _GOING_ON
    return plan.direction * np.where(place < _ONSET_STEPS, _ONSET, going_on)


def _nearest(strikes: Floats, spot: float, way: int, first: int, last: int) -> Ints:
    """Strikes from the `first` to before the `last` one, counted from the money upwards (way 1) or downwards (-1)."""
    money = int(np.argmin(np.abs(strikes - spot)))
    return np.clip(money + way * np.arange(first, last), 0, len(strikes) - 1)


def _spread(
    steps: Floats, points: Ints, legs: tuple[Ints, int], *, flow: Floats, weight: Floats
) -> None:
    """Add the ATM-weighted `flow` [lots] of each point to legs, in the proportion of what they hold."""
    rows, side = legs
    held = np.maximum(steps[0, rows, side], 1.0)
    share = weight[points][:, rows] * held
    share /= share.sum(axis=1, keepdims=True)
    added = share * flow[:, None] / weight[points][:, rows]
    for row, lots in zip(rows, added.T, strict=True):  # near the end of a ladder a row may come twice
        steps[points, row, side] += lots


def _ratios(steps: Floats, trades: Floats, point: int) -> Floats:
    """(n, 2) volume of the day over open interest at a point."""
    interest, volume = booked(steps[: point + 1], trades[: point + 1])
    return np.asarray(volume[-1] / np.maximum(interest[-1], 1))


def _busiest(steps: Floats, trades: Floats, plan: Plan, rows: Ints, side: int) -> int:
    """The row of the leg that has traded most for its open interest: the strike in favour that day."""
    return int(rows[np.argmax(_ratios(steps, trades, plan.step)[rows, side])])


def _burst(plan: Plan, steps: Floats, trades: Floats, leg: tuple[int, int]) -> None:
    """Trades that lift a leg among the busiest of its chain within the first step, and keep it there."""
    row, side = leg
    after = plan.step + _ONSET_STEPS
    interest, volume = booked(steps[: after + 1], trades[: after + 1])
    ratios = volume[-1] / np.maximum(interest[-1], 1)
    target = _ABOVE_THE_CHAIN * float(np.percentile(ratios[ratios > 0], 97.0))
    held, done = float(interest[-1, row, side]), float(volume[-1, row, side])
    trades[plan.step + 1, row, side] += plan.strength * max(target * held - done, _LEAST_LOTS - done, 0.0)
    later = slice(plan.step + 2, plan.step + 1 + plan.steps)
    trades[later, row, side] += plan.strength * _LEG_ON * held
