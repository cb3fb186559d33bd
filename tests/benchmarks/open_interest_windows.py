"""Open interest over time, columns beside frames: `python -m tests.benchmarks.open_interest_windows`.

215 underlyings, 223 chains (nine of NIFTY), some 18,000 legs; an observation a minute, every chain of which is new. The
frames hold each chain's observations of the last 40 minutes and look the same changes up with pandas; every number of
both must agree. Times are of one processor, so that a busy machine does not count; memory is that of the ring.
"""

import argparse
import os
import time
from collections import defaultdict, deque
from dataclasses import replace

import numpy as np
import pandas as pd

from optionscanner.analytics.build_up import build_up, futures
from optionscanner.analytics.open_interest_change import open_interest_change
from optionscanner.analytics.open_interest_windows import open_interest_legs
from optionscanner.model.anchors import WINDOWS
from optionscanner.model.picture import MarketPicture
from optionscanner.model.settings import EngineSettings
from optionscanner.model.state import State
from tests.benchmarks.exposure import EXPIRIES, NAMES, Market
from tests.builders import ist

SETTINGS = EngineSettings()
STEP = 60


class Frames:
    """The last observations of every chain, a frame each: what a program by underlying would keep."""

    def __init__(self, layout):
        self.layout = layout
        self.seen = [deque(maxlen=40) for _ in range(layout.segments)]

    def add(self, chains):
        layout, interest = self.layout, chains.legs.open_interest
        for s, (start, end) in enumerate(zip(layout.starts, layout.ends, strict=True)):
            columns = {"call": interest[start:end, 0], "put": interest[start:end, 1]}
            self.seen[s].append((chains.stamped_at[s], pd.DataFrame(columns, index=layout.strike[start:end])))

    def changes(self):
        """Chain -> window -> changes by strike; None where the window is not covered."""
        return [changes_of(seen) for seen in self.seen]


def changes_of(seen):
    """Window -> changes of one chain by strike, in units and per cent, and their sums; covered windows only."""
    end, now = seen[-1]
    made = {}
    for minutes in WINDOWS:
        since = [f for stamp, f in seen if end - 60 * minutes - 180 <= stamp <= end - 60 * minutes]
        if since:
            change = now - since[-1]
            made[minutes] = change, 100 * change / since[-1].where(since[-1] > 0), change.sum()
    return made


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cycles", type=int, default=90, help="cycles of the engines")
    parser.add_argument("--frames", type=int, default=3, help="cycles of the frames, the last ones")
    given = parser.parse_args()
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    market = Market(215)
    picture, frames = MarketPicture(market.day), Frames(market.layout)
    state, taken = State.fresh(market.layout), defaultdict(list)

    def timed(name, call):
        begun = time.process_time()
        result = call()
        taken[name].append(1000 * (time.process_time() - begun))
        return result

    for cycle in range(given.cycles):
        at = ist(9, 20) + STEP * cycle
        picture.observe(market.observation(at))
        chains = picture.frozen(at)
        before = state
        state, legs = timed("open_interest_legs", lambda c=chains, s=state: open_interest_legs(c, s, SETTINGS))
        _, change = timed(
            "open_interest_change", lambda c=chains, s=state, r=legs: open_interest_change(c, s, r, SETTINGS)
        )
        state, each = timed("futures", lambda c=chains, s=state: futures(c, s, SETTINGS))
        timed("build_up", lambda c=chains, s=state, f=each: build_up(c, s, f, SETTINGS))
        quiet = replace(chains, updated=np.arange(market.layout.segments) < EXPIRIES)
        timed("legs, NIFTY alone updated", lambda c=quiet, s=before: open_interest_legs(c, s, SETTINGS))
        frames.add(chains)
        if cycle >= given.cycles - given.frames:
            found = timed("frames", frames.changes)
            compare(market.layout, legs, change, found)

    count = int(np.isfinite(chains.legs.open_interest).sum())
    kept = (*state.anchors.values.values(), *state.anchors.prices.values(), state.anchors.at)
    ring = sum(values.nbytes for values in kept)
    print(f"{NAMES} underlyings, {market.layout.segments} chains, {count:,} legs, all updated; {given.cycles} cycles")
    print(f"equal in {given.frames} cycles; the ring holds {len(state.anchors.values)} slots, {ring / 1e6:.1f} MB")
    print(f"{'ms of one processor per cycle':<44}{'median':>12}{'95 %':>12}")
    names = ("open_interest_legs", "open_interest_change", "futures", "build_up")
    shown = {"all four": np.sum([taken[n] for n in names], axis=0), **{n: taken[n] for n in names}}
    shown["legs, NIFTY alone updated"] = taken["legs, NIFTY alone updated"]
    shown["changes alone, a frame per chain"] = taken["frames"]
    for name, milliseconds in shown.items():
        low, high = np.percentile(milliseconds[-45:], [50, 95])
        print(f"{name:<44}{low:>12.2f}{high:>12.2f}")


def compare(layout, legs, change, found):
    """Every change of every leg and chain, to the last bit."""
    for s, of_chain in enumerate(found):
        rows = slice(int(layout.starts[s]), int(layout.ends[s]))
        for minutes in WINDOWS:
            expected, pct, total = of_chain[minutes]
            assert np.array_equal(legs[f"change_{minutes}"][rows], expected.to_numpy()), (s, minutes)
            assert np.array_equal(legs[f"pct_{minutes}"][rows], pct.to_numpy(), equal_nan=True), (s, minutes)
            assert change[f"call_change_{minutes}"][s] == total["call"], (s, minutes)


if __name__ == "__main__":
    main()
