"""Engines per cycle, columns beside one pandas frame per underlying, in one run: `python -m tests.benchmarks.engines`.

A seeded market of 215 underlyings and 17,200 legs, all updated in every cycle. Both versions read the same prices,
volatilities and deltas, and must give the same numbers and words in every cycle. The frames have the engines of
`COMPARED`; what the desk adds is in `tests.benchmarks.desk`. Forwards, volatilities and Greeks are timed by themselves.
Times are of one processor, so that a busy machine does not count.
"""

import argparse
import os
import time
from collections import defaultdict
from dataclasses import replace

import numpy as np
import pandas as pd
from scipy.special import ndtr

from optionscanner.analytics.pipeline import ENGINES, Inputs
from optionscanner.analytics.pricing import price_market
from optionscanner.model.observations import Observation
from optionscanner.model.picture import MarketPicture
from optionscanner.model.settings import EngineSettings
from optionscanner.model.state import State
from tests.benchmarks.frames import NameEngine, frame_of
from tests.builders import day_of, full_layout, ist

SETTINGS = EngineSettings()
LOT = 500.0
COMPARED = ("price", "open_interest", "flow", "activity", "readiness", "alerts")


class Market:
    """Everything trades in every cycle; open interest steps in three minutes of six cycles."""

    def __init__(self, seed):
        self.layout = full_layout()
        draw = self.draw = np.random.default_rng(seed)
        day = day_of(self.layout)
        shape = (self.layout.rows, 2)
        previous = draw.integers(1, 4_000, shape) * LOT
        self.day = replace(day, previous_open_interest=previous, refresh=np.full(len(self.layout.names), 60.0))
        self.spot = draw.uniform(1_120.0, 1_270.0, len(self.layout.names))
        self.level = draw.uniform(0.15, 0.4, self.layout.rows // 40)[self.layout.row_segment]
        self.volume, self.interest, self.cycle = np.zeros(shape), previous.copy(), 0
        self.lean = draw.uniform(-1, 1, len(self.layout.names))[self.layout.row_segment][:, None] * [-1, 1]

    def observation(self, at):
        """The next poll of the whole market."""
        layout, draw = self.layout, self.draw
        self.spot = self.spot * np.exp(draw.normal(0, 0.0005, len(self.spot)))
        years = (layout.segment_horizon[0] - at) / (365 * 86_400)
        forward = (self.spot * np.exp(0.055 * years))[layout.row_segment]
        width = self.level * np.sqrt(years)
        d1 = np.log(forward / layout.strike) / width + width / 2
        call = forward * ndtr(d1) - layout.strike * ndtr(d1 - width)
        fair = np.maximum(np.stack([call, call - forward + layout.strike], axis=1), 0.05)
        last = np.maximum(np.round((fair + draw.normal(0, 0.1, fair.shape)) / 0.05), 1) * 0.05
        half = 0.05 * draw.integers(1, 4, fair.shape)
        near = np.exp(-np.abs(layout.strike - forward) / 60)[:, None]
        self.volume = self.volume + np.round(draw.exponential(400, fair.shape) * near + 1) * LOT
        if self.cycle % 6 == 0:
            self.interest = np.maximum(self.interest + np.round(draw.normal(self.lean * 8, 20)) * LOT, LOT)
        self.cycle += 1
        everyone = np.arange(layout.segments)
        return Observation(
            observed_at=at,
            segments=everyone,
            stamped_at=np.full(layout.segments, at),
            rows=np.arange(layout.rows),
            legs={
                "last": last,
                "bid": np.maximum(last - half, 0.05),
                "ask": last + half,
                "volume": self.volume,
                "open_interest": self.interest,
            },
            underlyings=everyone,
            underlying_values={"spot": np.round(self.spot, 2), "previous_close": np.full(layout.segments, 1_200.0)},
            futures=everyone,
            future_values={"last": np.round(self.spot * 1.004, 2), "volume": np.full(layout.segments, 1.0 + at)},
        )


def close(ours, theirs, what):
    """Equal to nine digits, NaN to NaN; words exactly."""
    for name, expected in theirs.items():
        found = ours[name]
        if isinstance(expected, str):
            assert found == expected, (what, name, found, expected)
        else:
            assert np.isclose(found, expected, rtol=1e-9, atol=1e-9, equal_nan=True), (what, name, found, expected)


def compare(made, frames):
    """Every number and word of the frames' readings against the engines'."""
    shown = made["activity"].frame()
    for i, (name, readings) in enumerate(frames.items()):
        for table in ("price", "open_interest", "flow", "readiness"):
            close({n: v[i] for n, v in made[table].columns.items()}, readings[table], (name, table))
        own = shown[shown["underlying"] == name]
        theirs = readings["activity"].iloc[: len(own)]
        for ours, column in (
            ("strike", "strike"), ("volume_oi_ratio", "ratio"), ("percentile", "percentile"), ("score", "score"),
            ("open_interest_flow", "flow"), ("premium_change", "premium_change"), ("iv_change", "iv_change"),
            ("delta", "delta"), ("strike_offset", "offset"), ("last_price", "last_price"), ("aligned", "aligned"),
        ):  # fmt: skip
            assert np.allclose(own[ours], theirs[column], rtol=1e-9, atol=1e-9, equal_nan=True), (name, ours)
        for word in ("option_type", "side", "direction", "reason"):
            assert own[word].tolist() == theirs[word].tolist(), (name, word)
    events = sum(len(r["activity"]) for r in frames.values())
    assert len(shown) == min(events, SETTINGS.activity.shown) or len(shown) >= SETTINGS.activity.shown
    told = sorted(alert for readings in frames.values() for alert in readings["alerts"])
    columns = (made["alerts"][n].tolist() for n in ("underlying", "alert", "direction"))
    own = [row for row in zip(*columns, strict=True) if row[1] in ("READINESS", "REGIME_FLIP")]
    assert sorted(own) == told
    return len(shown), len(told)


def show(name, milliseconds):
    low, high = np.percentile(milliseconds, [50, 95])
    print(f"{name:<44}{low:>12.2f}{high:>12.2f}")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cycles", type=int, default=300, help="cycles of the engines")
    parser.add_argument("--frames", type=int, default=32, help="cycles of the frames, the first ones")
    given = parser.parse_args()
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    market = Market(215)
    picture = MarketPicture(market.day)
    rivals = [NameEngine(SETTINGS) for _ in range(market.layout.segments)]
    state, pricing = State.fresh(market.layout), None
    taken = defaultdict(list)
    events = told = 0

    def timed(name, call):
        begun = time.process_time()
        result = call()
        taken[name].append(1000 * (time.process_time() - begun))
        return result

    for cycle in range(given.cycles):
        at = ist(9, 20) + 30 * cycle
        picture.observe(market.observation(at))
        chains = picture.frozen(at)
        assert chains.updated.all()
        pricing = timed("pricing", lambda c=chains, p=pricing: price_market(c, SETTINGS.pricing, p))
        inputs = Inputs(chains, pricing, state, {}, SETTINGS)
        for engine in ENGINES:
            state, reading = timed(engine.name, lambda e=engine, x=inputs: e.run(x))
            inputs = replace(inputs, state=state, made={**inputs.made, engine.name: reading})
        if cycle < given.frames:
            parts = [frame_of(chains, pricing, s) for s in range(market.layout.segments)]
            frames = timed("frames", lambda p=parts: [r.run(*part) for r, part in zip(rivals, p, strict=True)])
            seen = compare(inputs.made, dict(zip(market.layout.names, frames, strict=True)))
            events, told = events + seen[0], told + seen[1]

    legs = int(np.isfinite(chains.legs.last).sum())
    print(f"{market.layout.segments} underlyings, {legs:,} legs, all updated; {given.cycles} cycles, one thread")
    print(f"pandas {pd.__version__}; equal in {given.frames} cycles with {events:,} events and {told:,} alerts")
    print(f"{'ms per cycle':<44}{'median':>12}{'95 %':>12}")
    show("engines that the frames have", np.sum([taken[name][1:] for name in COMPARED], axis=0))
    for name in COMPARED:
        show(f"  {name}", taken[name][1:])
    show("all engines of a cycle", np.sum([taken[engine.name][1:] for engine in ENGINES], axis=0))
    show("the first, a frame per underlying", taken["frames"][1:])
    show("forwards, volatilities and Greeks", taken["pricing"][1:])


if __name__ == "__main__":
    main()
