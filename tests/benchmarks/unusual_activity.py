"""Unusual activity per cycle, columns beside a pandas loop, in one run: `python -m tests.benchmarks.unusual_activity`.

The market of the engines' benchmark: 215 underlyings, 17,200 legs, all updated in every cycle, open interest stepping
in every sixth. Both sides get the same steps of the flow and must give the same signals in every cycle. Measured are
the three readings together: what is usual at this time of the day, the signals, and their sum per name. Times are of
one processor, so that a busy machine does not count.
"""

import argparse
import os
import time
from collections import defaultdict
from dataclasses import replace

import numpy as np
import pandas as pd

from optionscanner.analytics.pipeline import ENGINES, Inputs
from optionscanner.analytics.pricing import price_market
from optionscanner.model.picture import MarketPicture
from optionscanner.model.settings import EngineSettings
from optionscanner.model.state import State
from tests.benchmarks.engines import Market
from tests.builders import ist

SETTINGS = EngineSettings()
MEASURED = ("volume_oi_profile", "unusual_activity", "unusual_activity_total")
LEFT_OUT = ("straddle", "settlement", "exposure_market", "futures", "build_up", "readiness", "alerts")


def frame_of(chains, pricing, state, segment):
    """A row per leg, as a source and the flow would hand them over."""
    rows = slice(int(chains.layout.starts[segment]), int(chains.layout.ends[segment]))
    count = int(chains.layout.ends[segment] - chains.layout.starts[segment])
    columns = {"strike": np.repeat(chains.layout.strike[rows], 2), "put": np.tile([False, True], count)}
    for name, values in (
        ("volume", chains.legs.volume), ("held", chains.legs.open_interest), ("price", pricing.price),
        ("flow", state.leg["open_interest_flow"]), ("premium", state.leg["price_change"]),
        ("iv", state.leg["iv_change"]),
    ):  # fmt: skip
        columns[name] = values[rows].ravel()
    single = {
        "lot": float(chains.layout.segment_lot_size[segment]),
        "atm": float(chains.layout.strike[pricing.atm_row[segment]]),
        "is_index": bool(chains.layout.is_index[chains.layout.segment_underlying[segment]]),
        "stepped_at": float(state.segment["stepped_at"][segment]),
    }
    return pd.DataFrame(columns), single


class Name:
    """One underlying as a program by frames has it."""

    def __init__(self):
        self.usual = self.count = self.times = None
        self.stepped_at = np.nan

    def run(self, frame, single, ratio, extreme, regime):
        """(signals as (rule, strike, direction, value) in their order, high, medium)."""
        scan, rules = SETTINGS.activity, SETTINGS.unusual
        if self.usual is None:
            self.usual, self.count = (pd.Series(v, index=frame.index) for v in (np.nan, 0.0))
            self.times = self.usual
        if single["stepped_at"] == single["stepped_at"] and single["stepped_at"] != self.stepped_at:
            self.stepped_at = single["stepped_at"]
            times = frame["flow"] / self.usual.clip(lower=single["lot"])
            self.times = times.where(self.count >= rules.least_changes)
            weight = np.maximum(1.0 / (self.count + 1.0), 2.0 / 21.0)
            before = self.usual.fillna(0.0)
            self.usual = (before + weight * (frame["flow"].abs() - before)).where(frame["flow"].notna(), self.usual)
            self.count = self.count + frame["flow"].notna()
        frame = frame.assign(times=self.times, ratio=frame["volume"] / frame["held"].clip(lower=single["lot"]))
        traded = frame["volume"] > 0
        frame["percentile"] = 100.0 * (frame["ratio"].where(traded).rank(method="min") - 1) / max(traded.sum() - 1, 1)
        frame["out"] = (frame["strike"] / single["atm"] - 1) * 100 * np.where(frame["put"], -1, 1)
        pressed = ((frame["premium"] > 0) & (frame["iv"] >= -scan.iv_dead_band)).astype(int) - (
            (frame["premium"] < 0) & (frame["iv"] <= scan.iv_dead_band)
        )
        frame["way"] = pressed * np.where(frame["put"], -1, 1)
        worth = frame[
            (frame["flow"] > 0)
            & (frame["flow"] > scan.min_rise_pct / 100 * (frame["held"] - frame["flow"]))
            & (frame["volume"] >= scan.min_contracts * single["lot"])
            & (frame["price"] >= scan.min_premium)
        ]
        far = worth[(worth["out"] > rules.otm_pct + 1e-9) & (worth["times"] > rules.otm_times)].assign(
            rule="ACCUMULATION", urgency=2, value=lambda f: f["times"]
        )
        busy = worth[(worth["ratio"] > scan.stock_ratio) & (worth["percentile"] >= scan.percentile)].assign(
            rule="VOLUME", urgency=1, value=lambda f: f["ratio"]
        )
        found = pd.concat([far, busy]) if traded.sum() - 1 >= rules.least_legs else far
        found = found.assign(unknown=found["way"] == 0, less=-found["value"]).sort_values(["urgency"], ascending=False)
        rows = [(r.rule, r.strike, r.way, r.value) for r in found.itertuples()]
        if extreme:
            rows.append(("PCR", np.nan, 1 if extreme == "HIGH" else -1, ratio))
        if regime == "NEGATIVE":
            rows.append(("GAMMA", np.nan, 0, np.nan))
        return rows, int((found["urgency"] == 2).sum()), int((found["urgency"] == 1).sum())


def compare(made, frames, names):
    """The engines' signals against the frames'; how many there were."""
    total, count = made["unusual_activity_total"], 0
    ways = {"BULLISH": 1, "BEARISH": -1, "": 0}
    rows = made["unusual_activity"].frame().itertuples()
    ours = defaultdict(list)
    for row in rows:
        kind = next(k for k in ("GAMMA", "PCR", "ACCUMULATION", "VOLUME") if k in row.rule)
        value = np.nan if kind == "GAMMA" else round(row.value, 9)
        ours[row.underlying].append((kind, row.strike, ways[row.direction], value))
    for i, name in enumerate(names):
        theirs, high, medium = frames[i]
        rounded = [(kind, strike, way, round(value, 9)) for kind, strike, way, value in theirs]
        assert sorted(map(repr, rounded)) == sorted(map(repr, ours[name])), (name, rounded, ours[name])
        assert (total["high"][i], total["medium"][i]) == (high, medium), name
        count += len(theirs)
    return count


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cycles", type=int, default=120, help="cycles of the engines")
    parser.add_argument("--frames", type=int, default=60, help="cycles of the frames, the first ones")
    given = parser.parse_args()
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    market = Market(215)
    picture, rivals = MarketPicture(market.day), [Name() for _ in range(market.layout.segments)]
    state, pricing, signals = State.fresh(market.layout), None, 0
    ours, theirs = [], []
    for cycle in range(given.cycles):
        at = ist(9, 20) + 30 * cycle
        picture.observe(market.observation(at))
        chains = picture.frozen(at)
        pricing = price_market(chains, SETTINGS.pricing, pricing)
        inputs, taken = Inputs(chains, pricing, state, {}, SETTINGS), 0.0
        for engine in ENGINES:
            if engine.name in LEFT_OUT:
                continue
            begun = time.process_time()
            state, reading = engine.run(inputs)
            taken += (time.process_time() - begun) * (engine.name in MEASURED)
            inputs = replace(inputs, state=state, made={**inputs.made, engine.name: reading})
        ours.append(1000 * taken)
        if cycle < given.frames:
            made = inputs.made
            parts = [
                (
                    *frame_of(chains, pricing, state, s),
                    float(made["open_interest"]["put_call_ratio"][s]),
                    str(made["open_interest"]["put_call_extreme"][s]),
                    str(made["exposure_total"]["regime"][s]),
                )
                for s in range(market.layout.segments)
            ]
            begun = time.process_time()
            frames = [rival.run(*part) for rival, part in zip(rivals, parts, strict=True)]
            theirs.append(1000 * (time.process_time() - begun))
            signals += compare(made, frames, market.layout.names)
    print(f"{market.layout.segments} underlyings, {2 * market.layout.rows:,} legs, all updated; one processor")
    print(f"pandas {pd.__version__}; equal in {len(theirs)} cycles with {signals:,} signals")
    print(f"{'ms per cycle':<44}{'median':>12}{'95 %':>12}")
    for name, values in (("unusual activity", ours[1:]), ("the same, a frame per underlying", theirs[1:])):
        low, high = np.percentile(values, [50, 95])
        print(f"{name:<44}{low:>12.2f}{high:>12.2f}")


if __name__ == "__main__":
    main()
