"""Every reading of the open-interest and exposure desk in one cycle: `python -m tests.benchmarks.desk`.

215 underlyings with two futures each, 223 chains (nine of NIFTY, one of which expires today), some 18,000 legs. A cycle
a minute; in each every leg trades, every chain's open interest is published anew, so that every window, flip, skew and
straddle is sought again. All engines of the pipeline run in their order; those of the desk are all but the few named in
`OTHERS`, so that an engine that is added counts. Beside them, in the same run, one program that goes underlying by
underlying with a pandas frame for each chain; every number of both must agree. Times are of one processor, so that a
busy machine does not count. Exit code 1 where the desk takes more than its limit.
"""

import argparse
import os
import sys
import time
from collections import defaultdict
from dataclasses import replace

import numpy as np
import pandas as pd

from optionscanner.analytics.pipeline import ENGINES, Inputs
from optionscanner.analytics.pricing import price_market
from optionscanner.model.contracts import Layout, SegmentKey
from optionscanner.model.picture import MarketPicture
from optionscanner.model.settings import EngineSettings
from optionscanner.model.state import State
from tests.benchmarks import exposure, open_interest_windows, volatility
from tests.builders import MONTHLY, WEEKLY, ist

SETTINGS = EngineSettings()
OTHERS = ("price", "flow", "activity", "readiness", "alerts")
"""Engines of the scanner, which the desk builds on."""
LIMIT_MS = 25.0
STEP = 60
COVERED = 33
"""Cycles after which every window is covered; those before are not counted."""


class Market(volatility.Trading):
    """The market of the volatility benchmark with futures."""

    def __init__(self, seed):
        super().__init__(seed, with_futures(exposure.market_layout()))
        count = len(self.layout.future_keys)
        self.futures = np.round(self.draw.gamma(2.0, 4_000.0, count)) * exposure.LOT

    def observation(self, at):
        made = super().observation(at)
        owner = self.layout.future_underlying
        self.futures = np.maximum(self.futures + np.round(self.draw.normal(0, 40, len(owner))) * exposure.LOT, 0)
        years = np.array([self.layout.future_expiry[i] - WEEKLY.toordinal() for i in range(len(owner))]) / 365
        quotes = {
            "last": np.round(self.spot[owner] * np.exp(0.055 * years), 2),
            "volume": np.full(len(owner), at),
            "open_interest": self.futures,
        }
        return replace(made, futures=np.arange(len(owner)), future_values=quotes)


def with_futures(layout):
    """The layout with a future of this month and of a later one for every name."""
    ladders = {k: layout.strike[s:e] for k, s, e in zip(layout.segment_keys, layout.starts, layout.ends, strict=True)}
    months = (MONTHLY, MONTHLY.replace(month=MONTHLY.month + 1))
    return Layout.build(
        layout.underlyings,
        ladders,
        lot_sizes=dict.fromkeys(ladders, exposure.LOT),
        horizons={key.expiry: ist(15, 30, day=key.expiry) for key in ladders},
        futures={SegmentKey(name, month): exposure.LOT for name in layout.names for month in months},
    )


class Name:
    """One underlying as a program by frames has it: it keeps what it has seen, and computes everything anew."""

    def __init__(self, history):
        self.volatility = volatility.Name(history)

    def run(self, chains, seen, frames):
        """(by chain: open interest, exposure, changes), 30-day volatility and straddles of the name."""
        by_chain = []
        for (frame, terms), past in zip(chains, seen, strict=True):
            by_chain.append({
                "open_interest": open_interest(frame, terms["reference"]),
                "exposure": exposure.by_frame(frame, terms),
                "changes": open_interest_windows.changes_of(past),
            })
        return by_chain, self.volatility.run(frames)


def open_interest(frame, reference):
    """Sums, ratio, walls and maximum pain of one chain; of several strikes the one nearest the reference."""
    call, put, strike = frame["call_oi"], frame["put_oi"], frame["strike"].to_numpy()
    at = np.subtract.outer(strike, strike)
    away = (frame["strike"] - reference).abs()
    pain = (np.maximum(at, 0) * call.to_numpy() + np.maximum(-at, 0) * put.to_numpy()).sum(axis=1)
    nearest = {name: away[chosen].idxmin() for name, chosen in (
        ("call_wall", call == call.max()), ("put_wall", put == put.max()), ("max_pain", pain == pain.min()),
    )}  # fmt: skip
    return {
        "call_open_interest": call.sum(),
        "put_open_interest": put.sum(),
        "put_call_ratio": put.sum() / call.sum(),
        **{name: frame["strike"][row] for name, row in nearest.items()},
    }


def compare(layout, made, found):
    """Every number of both."""
    years = {}
    for u, (by_chain, year) in found.items():
        years[u] = year
        for s, numbers in zip(np.flatnonzero(layout.segment_underlying == u).tolist(), by_chain, strict=True):
            for table in ("open_interest", "exposure"):
                for name, value in numbers[table].items():
                    ours = made[table][name][s]
                    assert np.isclose(ours, value, rtol=1e-9, equal_nan=True), (table, name, s, ours, value)
            rows = slice(int(layout.starts[s]), int(layout.ends[s]))
            for minutes, (change, pct, _) in numbers["changes"].items():
                legs = made["open_interest_legs"]
                assert np.array_equal(legs[f"change_{minutes}"][rows], change.to_numpy()), (s, minutes)
                assert np.array_equal(legs[f"pct_{minutes}"][rows], pct.to_numpy(), equal_nan=True), (s, minutes)
    volatility.compare(layout, made, years)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cycles", type=int, default=75, help="cycles of the engines")
    parser.add_argument("--frames", type=int, default=3, help="cycles of the frames, the last ones")
    given = parser.parse_args()
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    market = Market(215)
    layout = market.layout
    picture, rivals = MarketPicture(market.day), [Name(row) for row in market.day.daily.iv_history]
    kept = open_interest_windows.Frames(layout)
    state, pricing, taken = State.fresh(layout), None, defaultdict(list)

    def timed(name, call):
        begun = time.process_time()
        result = call()
        taken[name].append(1000 * (time.process_time() - begun))
        return result

    for cycle in range(given.cycles):
        at = ist(15, 27, day=WEEKLY) - STEP * (given.cycles - cycle)
        picture.observe(market.observation(at))
        chains = picture.frozen(at)
        assert chains.updated.all()
        pricing = timed("pricing", lambda c=chains, p=pricing: price_market(c, SETTINGS.pricing, p))
        inputs = Inputs(chains, pricing, state, {}, SETTINGS)
        for engine in ENGINES:
            state, reading = timed(engine.name, lambda e=engine, x=inputs: e.run(x))
            inputs = replace(inputs, state=state, made={**inputs.made, engine.name: reading})
        kept.add(chains)
        smiles = volatility.frames_of(chains, pricing)
        if cycle < given.cycles - given.frames:
            # The straddles of the frames go on from cycle to cycle.
            for u, frames in smiles.items():
                rivals[u].volatility.run(frames)
            continue
        ours = {u: np.flatnonzero(layout.segment_underlying == u).tolist() for u in range(len(layout.names))}
        ladders = {u: [exposure.frame_of(chains, pricing, s) for s in own] for u, own in ours.items()}
        past = {u: [kept.seen[s] for s in own] for u, own in ours.items()}
        found = timed(
            "frames", lambda p=ladders, o=past, v=smiles: {u: rivals[u].run(p[u], o[u], v[u]) for u in p}
        )
        compare(layout, inputs.made, found)

    legs = int(np.isfinite(chains.legs.open_interest).sum())
    flips = int(np.isfinite(inputs.made["exposure"]["gamma_flip"]).sum())
    names = len(layout.names)
    print(f"{names} underlyings, {layout.segments} chains, {legs:,} legs, all updated; {given.cycles} cycles")
    print(f"pandas {pd.__version__}; equal in {given.frames} cycles; chains with a flip in the last: {flips}")
    print(f"{'ms of one processor per cycle':<44}{'median':>12}{'95 %':>12}")
    desk = [engine.name for engine in ENGINES if engine.name not in OTHERS]
    total = np.sum([taken[name] for name in desk], axis=0)
    shown = {"the desk, all readings": total, **{f"  {name}": taken[name] for name in desk}}
    shown["all engines of a cycle"] = np.sum([taken[engine.name] for engine in ENGINES], axis=0)
    shown["forwards, volatilities and Greeks"] = taken["pricing"]
    for name, milliseconds in shown.items():
        low, high = np.percentile(milliseconds[COVERED:], [50, 95])
        print(f"{name:<44}{low:>12.2f}{high:>12.2f}")
    print(f"{'the desk, a frame per chain':<44}{np.median(taken['frames']):>12.2f}{max(taken['frames']):>12.2f}")
    median = float(np.median(total[COVERED:]))
    print(f"limit {LIMIT_MS:g} ms a cycle: {'kept' if median <= LIMIT_MS else 'exceeded'}")
    return 0 if median <= LIMIT_MS else 1


if __name__ == "__main__":
    sys.exit(main())
