"""Exposure per cycle, columns beside one pandas frame per chain, in one run: `python -m tests.benchmarks.exposure`.

215 underlyings, 223 chains (nine of NIFTY), some 18,000 legs, all updated in every cycle: every gamma flip is sought
anew. The frames read the same Greeks; every number of both must agree. One thread: the process is bound to one
processor.
"""

import argparse
import os
import time
from collections import defaultdict
from dataclasses import replace
from datetime import timedelta

import numpy as np
import pandas as pd
from scipy.optimize import brentq
from scipy.special import ndtr

from optionscanner.analytics.exposure import exposure, exposure_legs
from optionscanner.analytics.exposure_total import exposure_market, exposure_total
from optionscanner.analytics.pricing import price_market
from optionscanner.model.contracts import Layout, SegmentKey
from optionscanner.model.observations import Observation
from optionscanner.model.picture import MarketPicture
from optionscanner.model.settings import EngineSettings
from optionscanner.model.state import State
from tests.builders import MONTHLY, NIFTY, WEEKLY, day_of, full_layout, ist

SETTINGS = EngineSettings()
LOT = 500.0
NAMES = 215
EXPIRIES = 9


def market_layout():
    """One chain of 40 strikes for each name, eight more for NIFTY."""
    plain = full_layout(underlyings=NAMES)
    ladders = {k: plain.strike[s:e] for k, s, e in zip(plain.segment_keys, plain.starts, plain.ends, strict=True)}
    nifty = [WEEKLY + timedelta(days=7 * i) for i in range(EXPIRIES)]
    ladders |= {SegmentKey(NIFTY.name, expiry): ladders[SegmentKey(NIFTY.name, MONTHLY)] for expiry in nifty}
    return Layout.build(
        plain.underlyings,
        ladders,
        lot_sizes=dict.fromkeys(ladders, LOT),
        horizons={key.expiry: ist(15, 30, day=key.expiry) for key in ladders},
    )


class Market:
    """Everything trades in every cycle."""

    def __init__(self, seed, layout=None):
        self.layout = layout or market_layout()
        draw = self.draw = np.random.default_rng(seed)
        self.day = day_of(self.layout)
        self.spot = draw.uniform(1_120.0, 1_270.0, NAMES)
        self.level = draw.uniform(0.15, 0.4, NAMES)[self.layout.segment_underlying[self.layout.row_segment]]
        lean = 1.0 + 0.01 * (self.layout.strike - 1_200.0)[:, None] * [1, -1] / 2
        self.interest = np.round(draw.gamma(2.0, 300.0, (self.layout.rows, 2)) * np.clip(lean, 0.1, 2.0)) * LOT

    def observation(self, at):
        """The next poll of the whole market."""
        layout, draw = self.layout, self.draw
        owner = layout.segment_underlying[layout.row_segment]
        self.spot = self.spot * np.exp(draw.normal(0, 0.0005, NAMES))
        years = ((layout.segment_horizon - at) / (365 * 86_400))[layout.row_segment]
        forward = self.spot[owner] * np.exp(0.055 * years)
        width = self.level * np.sqrt(years)
        d1 = np.log(forward / layout.strike) / width + width / 2
        call = forward * ndtr(d1) - layout.strike * ndtr(d1 - width)
        fair = np.maximum(np.stack([call, call - forward + layout.strike], axis=1), 0.05)
        last = np.maximum(np.round(fair / 0.05), 1) * 0.05
        self.interest = np.maximum(self.interest + np.round(draw.normal(0, 20, last.shape)) * LOT, 0)
        return Observation(
            observed_at=at,
            segments=np.arange(layout.segments),
            stamped_at=np.full(layout.segments, at),
            rows=np.arange(layout.rows),
            legs={
                "last": last,
                "bid": np.maximum(last - 0.05, 0.05),
                "ask": last + 0.05,
                "volume": np.full(last.shape, at - ist(9, 15)) * LOT,
                "open_interest": self.interest,
            },
            underlyings=np.arange(NAMES),
            underlying_values={"spot": np.round(self.spot, 2)},
            futures=np.empty(0, dtype=np.int64),
            future_values={},
        )


def frame_of(chains, pricing, segment):
    """One chain as a frame, a row per strike, and what holds for the chain."""
    layout = chains.layout
    rows = slice(int(layout.starts[segment]), int(layout.ends[segment]))
    columns = {"strike": layout.strike[rows], "iv": pricing.surface_volatility[rows]}
    for side, name in enumerate(("call", "put")):
        columns[f"{name}_oi"] = chains.legs.open_interest[rows, side]
        for greek in ("gamma", "delta", "vanna", "charm"):
            columns[f"{name}_{greek}"] = getattr(pricing, greek)[rows, side]
    return pd.DataFrame(columns), {
        "forward": pricing.forward[segment],
        "reference": pricing.reference[segment],
        "time": pricing.time_to_expiry[segment],
    }


def by_frame(frame, chain):
    """GEX, hedge flows, walls and flip of one chain, with pandas and scipy's root finder."""
    forward, reference = chain["forward"], chain["reference"]
    money = forward / 1e7
    call = frame["call_gamma"] * frame["call_oi"] * forward * money * 0.01
    put = frame["put_gamma"] * frame["put_oi"] * forward * money * 0.01
    found = {"gex": call.sum() - put.sum(), "call_gex": call.sum(), "put_gex": put.sum()}
    for name, greek in (("dex", "delta"), ("vex", "vanna"), ("cex", "charm")):
        flow = frame[f"put_{greek}"] * frame["put_oi"] - frame[f"call_{greek}"] * frame["call_oi"]
        found[name] = flow.sum() * money
    found["call_gamma_wall"] = frame["strike"][call.idxmax()]
    found["put_gamma_wall"] = frame["strike"][put.idxmax()]
    net = (frame["call_oi"] - frame["put_oi"]).to_numpy()
    strike, width = frame["strike"].to_numpy(), (frame["iv"] * np.sqrt(chain["time"])).to_numpy()

    def total(move):
        d1 = np.log(forward * move / strike) / width + width / 2
        return float(np.nansum(net * np.exp(-d1 * d1 / 2) / width))

    grid = np.linspace(0.9, 1.1, 121)
    values = np.array([total(m) for m in grid])
    roots = [
        brentq(total, grid[i], grid[i + 1], xtol=1e-14)
        for i in np.flatnonzero(np.sign(values[:-1]) * np.sign(values[1:]) < 0)
    ]
    found["gamma_flip"] = min(roots, key=lambda m: abs(m - 1)) * reference if roots else np.nan
    return found


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cycles", type=int, default=200, help="cycles of the engine")
    parser.add_argument("--frames", type=int, default=4, help="cycles of the frames, the first ones")
    given = parser.parse_args()
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    market = Market(215)
    picture = MarketPicture(market.day)
    state, pricing = State.fresh(market.layout), None
    taken = defaultdict(list)

    def timed(name, call):
        wall, begun = time.perf_counter(), time.process_time()
        result = call()
        taken[name].append(1000 * (time.process_time() - begun))
        taken[f"{name} on the clock"].append(1000 * (time.perf_counter() - wall))
        return result

    for cycle in range(given.cycles):
        at = ist(9, 20) + 30 * cycle
        picture.observe(market.observation(at))
        chains = picture.frozen(at)
        assert chains.updated.all()
        pricing = price_market(chains, SETTINGS.pricing, pricing)
        _, legs = timed("exposure_legs", lambda c=chains, p=pricing, s=state: exposure_legs(c, p, s, SETTINGS))
        state, by_expiry = timed(
            "exposure", lambda c=chains, p=pricing, s=state, x=legs: exposure(c, p, s, x, SETTINGS)
        )
        _, totals = timed(
            "exposure_total",
            lambda c=chains, p=pricing, s=state, x={"exposure_legs": legs, "exposure": by_expiry}: exposure_total(
                c, p, s, x, SETTINGS
            ),
        )
        timed("exposure_market", lambda c=chains, s=state, t=totals: exposure_market(c, s, t, SETTINGS))
        quiet = replace(chains, updated=np.arange(market.layout.segments) < EXPIRIES)
        timed(
            "exposure, NIFTY alone updated",
            lambda c=quiet, p=pricing, s=state, x=legs: exposure(c, p, s, x, SETTINGS),
        )
        if cycle < given.frames:
            parts = [frame_of(chains, pricing, s) for s in range(market.layout.segments)]
            frames = timed("frames", lambda p=parts: [by_frame(*part) for part in p])
            for i, expected in enumerate(frames):
                for name, value in expected.items():
                    assert np.isclose(by_expiry[name][i], value, rtol=1e-9, equal_nan=True), (i, name, value)

    quoted = int(np.isfinite(chains.legs.last).sum())
    flips = int(np.isfinite(by_expiry["gamma_flip"]).sum())
    print(f"{NAMES} underlyings, {market.layout.segments} chains, {quoted:,} legs, all updated; {given.cycles} cycles")
    print(f"equal in {given.frames} cycles; chains with a flip in the last: {flips}")
    print(f"{'ms of one processor per cycle':<44}{'median':>12}{'95 %':>12}")
    names = ("exposure_legs", "exposure", "exposure_total", "exposure_market")
    shown = {"all four": np.sum([taken[n] for n in names], axis=0), **{n: taken[n] for n in names}}
    shown["all four on the clock"] = np.sum([taken[f"{n} on the clock"] for n in names], axis=0)
    shown["exposure, NIFTY alone updated"] = taken["exposure, NIFTY alone updated"]
    shown["the same without sums, a frame per chain"] = taken["frames"]
    for name, milliseconds in shown.items():
        low, high = np.percentile(milliseconds[1:], [50, 95])
        print(f"{name:<44}{low:>12.2f}{high:>12.2f}")


if __name__ == "__main__":
    main()
