"""Detectors scored against the simulated market's answer key: `python -m tests.benchmarks.scenes --seed 1 --seeds 20`.

A regime find is a newly confirmed regime, bullish or bearish, of a name's nearest chain; every new confirmation
counts. A scan find is a newly aligned event: the first of a name and direction after half an hour without one. A find
is right when a directed scene of that name and direction began and no third publication of open interest has
followed: within two OI steps of the onset. Further finds of a scene that was found are neither right nor false, nor
are finds in a flip-flop, which turns both ways, nor scan finds in a covering, where no volume is planted. All others
are false, late ones too.

Alerts are scored as well. OTM_ACCUMULATION like a scan find, on the accumulations alone: every other one is false,
though the rule is met. Of GAMMA_FLIP only recall is known, because spots cross their gamma flip unplanned too: a
crossing is found where an alert from its beginning to ten minutes after its end names the sign on the side that spot
goes to.

precision = right / (right + false); recall = scenes found / scenes. Intervals are Wilson's at 95 %. Readiness is that
of every name and cycle: inside a scene with an event from its second OI step to its end; outside, at no time of any
scene or within half an hour after one.
"""

import argparse
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from math import sqrt

import numpy as np

from optionscanner.adapters.simulated import SimulatedMarket
from optionscanner.adapters.simulated.scenes import (
    ACCUMULATION,
    BREAKOUT,
    COVERING,
    CROSSING,
    FLIP_FLOP,
    MIRRORED,
    SUPPORT,
)
from optionscanner.model.calendar import load_calendar
from optionscanner.model.settings import EngineSettings
from tests.engine_builders import run
from tests.recorded_days import TapeClock

STEP = 180.0
QUIET_TIME = 1_800.0
DIRECTED = {SUPPORT, BREAKOUT, ACCUMULATION, COVERING}
WITH_EVENT = {SUPPORT, BREAKOUT, ACCUMULATION}
BACK = {mirrored: name for name, mirrored in MIRRORED.items()}


def kind_of(scene):
    """The bullish name of a scene."""
    return BACK.get(scene.name, scene.name)


@dataclass
class Score:
    """Counts of one detector."""

    scenes: int = 0
    found: int = 0
    false: int = 0
    ignored: int = 0
    by_kind: dict = field(default_factory=dict)

    def add(self, other):
        for name in ("scenes", "found", "false", "ignored"):
            setattr(self, name, getattr(self, name) + getattr(other, name))
        for kind, (found, count) in other.by_kind.items():
            had = self.by_kind.get(kind, (0, 0))
            self.by_kind[kind] = (had[0] + found, had[1] + count)


def watch(seed, strength, step, symbols=None):
    """(market, regime finds, scan finds, cycle times, readiness (T, U), alerts by kind).

    A find or alert is (name, instant, direction); the direction of a gamma flip is the sign of gamma after it.
    """
    clock = TapeClock()
    market = SimulatedMarket(
        seed=seed, clock=clock, calendar=load_calendar(), step=step, strength=strength, symbols=symbols
    )
    settings, state, pricing, before = EngineSettings(), None, None, None
    regimes, events, newest, times, readiness = [], [], {}, [], []
    alerts = {"OTM_ACCUMULATION": [], "GAMMA_FLIP": []}
    for clock.instant in market.instants():
        chains = market.latest()
        state, made, pricing = run(chains, state, settings, pricing)
        front = chains.layout.underlying_front
        regime = np.nan_to_num(state.segment["regime"])[front]
        begun = np.flatnonzero((regime != 0) & (regime != (0 if before is None else before)))
        regimes.extend((chains.layout.names[u], clock.instant, int(regime[u])) for u in begun)
        before = regime
        scan = made["activity"]
        expiry = {chains.layout.names[u]: chains.layout.segment_keys[s].expiry.isoformat() for u, s in enumerate(front)}
        aligned = {
            (scan["underlying"][i], 1 if scan["direction"][i] == "BULLISH" else -1)
            for i in np.flatnonzero(scan["aligned"] == 1)
            if scan["expiry"][i] == expiry[scan["underlying"][i]]
        }
        for name, way in sorted(aligned):
            if clock.instant - newest.get((name, way), -np.inf) > QUIET_TIME:
                events.append((name, clock.instant, way))
            newest[name, way] = clock.instant
        times.append(clock.instant)
        readiness.append(made["readiness"]["readiness"])
        told = made["alerts"]
        for name, alert, way, reason in zip(*(told[n] for n in told.spec.names[1:]), strict=True):
            if alert in alerts:
                up = way == "BULLISH" or "gamma POSITIVE" in reason
                alerts[alert].append((name, clock.instant, 1 if up else -1))
    return market, regimes, events, np.array(times), np.array(readiness), alerts


def score(scenes, finds, kinds):
    """Score of the finds on the scenes of these kinds."""
    made = Score(scenes=sum(kind_of(s) in kinds for s in scenes))
    own = {s.underlying: s for s in scenes}
    found = set()
    for name, at, way in finds:
        scene = own.get(name)
        right_place = scene is not None and scene.begins < at and way == scene.direction
        if right_place and kind_of(scene) in kinds and at < scene.begins + 3 * STEP and name not in found:
            found.add(name)
        elif (
            scene is not None
            and scene.begins < at <= scene.ends + QUIET_TIME
            and (
                (right_place and name in found)
                or (kind_of(scene) in {FLIP_FLOP} | (DIRECTED - kinds) and scene.direction in (0, way))
            )
        ):
            made.ignored += 1
        else:
            made.false += 1
    made.found = len(found)
    for kind in kinds:
        mine = [s.underlying for s in scenes if kind_of(s) == kind]
        made.by_kind[kind] = (len(found.intersection(mine)), len(mine))
    return made


def crossings(scenes, flips):
    """Score of gamma flips on the planted crossings: recall alone."""
    planted = [s for s in scenes if kind_of(s) == CROSSING]
    found = sum(
        any(f[0] == s.underlying and s.begins < f[1] <= s.ends + 600.0 and f[2] == s.direction for f in flips)
        for s in planted
    )
    return Score(scenes=len(planted), found=found, ignored=len(flips) - found)


def day(seed, strength, step):
    """Scores of one simulated day, and readiness inside and outside."""
    market, regimes, events, times, readiness, alerts = watch(seed, strength, step)
    scenes, names = market.answer_key(), market.day.layout.names
    outside = np.ones(readiness.shape, dtype=bool)
    inside = np.zeros(readiness.shape, dtype=bool)
    for scene in scenes:
        u = names.index(scene.underlying)
        outside[(times >= scene.begins) & (times <= scene.ends + QUIET_TIME), u] = False
        if kind_of(scene) in WITH_EVENT:
            inside[(times >= scene.begins + 2 * STEP) & (times <= scene.ends), u] = True
    hours = len(names) * (times[-1] - times[0]) / 3_600
    return (
        score(scenes, regimes, DIRECTED),
        score(scenes, events, WITH_EVENT),
        score(scenes, alerts["OTM_ACCUMULATION"], {ACCUMULATION}),
        crossings(scenes, alerts["GAMMA_FLIP"]),
        readiness[inside],
        readiness[outside],
        hours,
    )


def interval(hits, count):
    """Wilson's 95 % interval of a share."""
    if not count:
        return float("nan"), float("nan")
    z, share = 1.96, hits / count
    middle = (share + z * z / (2 * count)) / (1 + z * z / count)
    half = z * sqrt(share * (1 - share) / count + z * z / (4 * count * count)) / (1 + z * z / count)
    return middle - half, middle + half


def shown(hits, count):
    low, high = interval(hits, count)
    return f"{hits / count:.3f} ({low:.3f} to {high:.3f}; {hits} of {count})" if count else "none"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seed", type=int, default=1, help="the first seed")
    parser.add_argument("--seeds", type=int, default=1, help="how many, one after the other")
    parser.add_argument("--strength", type=float, default=1.0, help="0 plants nothing")
    parser.add_argument("--step", type=int, default=60, help="seconds between observations")
    parser.add_argument("--processes", type=int, default=2)
    given = parser.parse_args()
    regime, scan, otm, gamma, inside, outside, hours = Score(), Score(), Score(), Score(), [], [], 0.0
    with ProcessPoolExecutor(given.processes) as pool:
        work = partial(day, strength=given.strength, step=given.step)
        for *parts, during, beside, lasted in pool.map(work, range(given.seed, given.seed + given.seeds)):
            for total, part in zip((regime, scan, otm, gamma), parts, strict=True):
                total.add(part)
            inside.append(during)
            outside.append(beside)
            hours += lasted
    print(f"seeds {given.seed} to {given.seed + given.seeds - 1}, strength {given.strength:g}, {hours:,.0f} name-hours")
    print(f"gamma   recall    {shown(gamma.found, gamma.scenes)}; {gamma.ignored} flips besides")
    for name, made in (("regime", regime), ("scan", scan), ("otm", otm)):
        print(f"{name:<8}precision {shown(made.found, made.found + made.false)}")
        print(f"{'':<8}recall    {shown(made.found, made.scenes)}")
        print(f"{'':<8}false     {100 * made.false / hours:.2f} per hundred names and hour; {made.ignored} not counted")
        for kind, (found, count) in sorted(made.by_kind.items()):
            if count:
                print(f"{'':<10}{kind:<24}{found} of {count}")
    for name, parts in (("during scenes with an event", inside), ("outside", outside)):
        values = np.concatenate(parts)
        if len(values):
            low, middle, high = np.nanpercentile(values, [25, 50, 75])
            print(f"readiness {name}: median {middle:.0f}, quartiles {low:.0f} and {high:.0f}, {len(values):,} values")


if __name__ == "__main__":
    main()
