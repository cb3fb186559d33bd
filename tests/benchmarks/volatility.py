"""Volatility and straddle per cycle, columns beside frames, in one run: `python -m tests.benchmarks.volatility`.

215 underlyings, 223 chains (nine of NIFTY), some 18,000 legs, all updated in every cycle; a year of daily volatility;
one of NIFTY's chains expires today, in the last half hour. The frames go underlying by underlying, with a pandas frame
for each chain; every number of both must agree. Times are of one processor, so that a busy machine does not count.
"""

import argparse
import os
import time
from collections import defaultdict
from dataclasses import replace
from datetime import date, datetime

import numpy as np
import pandas as pd

from optionscanner.analytics.price import price
from optionscanner.analytics.pricing import price_market
from optionscanner.analytics.settlement import settlement
from optionscanner.analytics.straddle import straddle
from optionscanner.analytics.volatility import volatility
from optionscanner.analytics.volatility_rank import volatility_rank
from optionscanner.model.calendar import IST
from optionscanner.model.daily import DailyContext
from optionscanner.model.picture import MarketPicture
from optionscanner.model.settings import EngineSettings
from optionscanner.model.state import State
from tests.benchmarks.exposure import EXPIRIES, NAMES, Market
from tests.builders import TRADING_DATE, WEEKLY, ist, trading_session

SETTINGS = EngineSettings()
SESSIONS = 252
STEP = 15


def with_year(day, draw):
    """The day, with a year of daily volatility and a settlement window from 15:00."""
    blank = np.full(NAMES, np.nan)
    history = np.exp(np.cumsum(draw.normal(0.0, 0.03, (NAMES, SESSIONS)), axis=1)) * 0.25
    history[:, ::40] = np.nan
    futures = np.full(len(day.layout.future_expiry), np.nan)
    daily = DailyContext(
        previous_session=TRADING_DATE, spot_open=blank, spot_high=blank, spot_low=blank, spot_close=blank,
        future_open_interest=futures, future_close=futures, banned=blank, ban_entered=(), ban_left=(),
        iv_dates=(date(2025, 1, 1),) * SESSIONS, iv_history=history, positions=None, positions_before=None,
        fii_crore={}, vix_close=np.nan, vix_history=np.empty(0), lot_changes=(), events=(),
    )  # fmt: skip
    session = trading_session(WEEKLY)
    session = replace(session, settlement_from=datetime.fromtimestamp(ist(15, 0, day=WEEKLY), IST))
    close = np.full(day.layout.segments, session.closes.timestamp())
    return replace(day, daily=daily, session=session, contract_close=close)


class Trading(Market):
    """The market of the exposure benchmark, in which every leg trades a random number of lots a cycle."""

    def __init__(self, seed, layout=None):
        super().__init__(seed, layout)
        self.day = with_year(self.day, self.draw)
        self.traded = np.zeros((self.layout.rows, 2))

    def observation(self, at):
        made = super().observation(at)
        self.traded = self.traded + self.draw.integers(0, 50, self.traded.shape) * 500.0
        return replace(made, legs={**made.legs, "volume": self.traded})


class Name:
    """One underlying as a program by frames has it."""

    def __init__(self, history):
        self.history = pd.Series(history).dropna()
        self.first, self.chains = None, defaultdict(lambda: {"value": 0.0, "units": 0.0, "rolls": 0, "held": None})

    def run(self, chains):
        """Readings of the name, from (frame, terms) of each expiry in order."""
        terms = pd.DataFrame([t for _, t in chains])
        known = terms[terms["iv"].notna() & (terms["years"] > 0)]
        total, target = known["iv"] ** 2 * known["years"], 30 / 365
        inside = len(known) > 1 and known["years"].iloc[0] < target <= known["years"].iloc[-1]
        if inside:
            monthly = np.sqrt(np.interp(target, known["years"], total) / target)
        else:
            near = known.iloc[(known["years"] - target).abs().argmin()]
            monthly = near["iv"] if 7 <= 365 * near["years"] <= 60 else np.nan
        self.first = monthly if self.first is None else self.first
        year = {
            "iv_30": monthly,
            "iv_30_change": monthly - self.first,
            "iv_rank": np.clip((monthly - self.history.min()) / (self.history.max() - self.history.min()), 0, 1) * 100,
            "iv_percentile": 100 * (self.history < monthly).mean(),
            "sessions": len(self.history),
        }
        return year, [self.of_chain(i, frame, t, terms) for i, (frame, t) in enumerate(chains)]

    def of_chain(self, number, frame, terms, every):
        """Skew, slope and straddle of one expiry."""
        made = {}
        for side, out in (("call", frame["strike"] >= terms["forward"]), ("put", frame["strike"] <= terms["forward"])):
            smile = frame[out & (frame[f"{side}_reason"] == 0)].set_index(f"{side}_delta")["iv"]
            smile.index = smile.index.to_series().abs()
            smile = smile.sort_index()
            upper = smile[smile.index >= 0.25].head(1)
            lower = smile[smile.index <= 0.25].tail(1)
            both = len(upper) and len(lower) and upper.index[0] - lower.index[0] <= SETTINGS.volatility.delta_gap
            points = ([lower.index[0], upper.index[0]], [lower.iloc[0], upper.iloc[0]]) if both else None
            made[f"{side}_iv_25"] = np.interp(0.25, *points) if both else np.nan
        made["risk_reversal_25"] = made["call_iv_25"] - made["put_iv_25"]
        made["slope_next"] = every["iv"].diff().shift(-1).iloc[number]
        kept = self.chains[number]
        now = frame.set_index("strike")
        if kept["held"] is not None:
            strike, units = kept["held"]
            traded = now.loc[strike, ["call_volume", "put_volume"]].sum() - units
            if traded > 0:
                kept["value"] += traded * now.loc[strike, "straddle"]
                kept["units"] += traded
            kept["rolls"] += strike != terms["atm"]
        kept["held"] = terms["atm"], now.loc[terms["atm"], ["call_volume", "put_volume"]].sum()
        made["vwap"] = kept["value"] / kept["units"] if kept["units"] else np.nan
        made["rolls"] = kept["rolls"]
        return made


def frames_of(chains, pricing):
    """(frame, terms) of every chain, in lists by underlying."""
    layout, made = chains.layout, defaultdict(list)
    for s, (start, end) in enumerate(zip(layout.starts, layout.ends, strict=True)):
        rows = slice(int(start), int(end))
        columns = {"strike": layout.strike[rows], "iv": pricing.surface_volatility[rows]}
        columns["straddle"] = pricing.price[rows].sum(axis=1)
        for side, name in enumerate(("call", "put")):
            columns[f"{name}_delta"] = pricing.delta[rows, side]
            columns[f"{name}_reason"] = pricing.iv_reason[rows, side]
            columns[f"{name}_volume"] = chains.legs.volume[rows, side]
        terms = {"forward": pricing.forward[s], "years": pricing.time_to_expiry[s], "iv": pricing.atm_volatility[s]}
        terms["atm"] = layout.strike[pricing.atm_row[s]]
        made[layout.segment_underlying[s]].append((pd.DataFrame(columns), terms))
    return made


def compare(layout, made, found):
    """Every number of both."""
    for u, (year, by_chain) in found.items():
        for name, expected in year.items():
            assert np.isclose(made["volatility_rank"][name][u], expected, rtol=1e-9, equal_nan=True), (u, name)
        for s, numbers in zip(np.flatnonzero(layout.segment_underlying == u), by_chain, strict=True):
            for name, expected in numbers.items():
                table = "straddle" if name in ("vwap", "rolls") else "volatility"
                assert np.isclose(made[table][name][s], expected, rtol=1e-9, atol=1e-12, equal_nan=True), (u, s, name)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cycles", type=int, default=100, help="cycles of the engines")
    parser.add_argument("--frames", type=int, default=4, help="cycles of the frames, the first ones")
    given = parser.parse_args()
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    market = Trading(215)
    picture, rivals = MarketPicture(market.day), [Name(row) for row in market.day.daily.iv_history]
    state, pricing, taken = State.fresh(market.layout), None, defaultdict(list)

    def timed(name, call):
        begun = time.process_time()
        result = call()
        taken[name].append(1000 * (time.process_time() - begun))
        return result

    for cycle in range(given.cycles):
        at = ist(15, 0, day=WEEKLY) + STEP * cycle
        picture.observe(market.observation(at))
        chains = picture.frozen(at)
        pricing = price_market(chains, SETTINGS.pricing, pricing)
        state, shown = price(chains, pricing, state, SETTINGS)
        made = {}
        for engine in (volatility, volatility_rank, straddle):
            state, made[engine.__name__] = timed(
                engine.__name__, lambda e=engine, c=chains, p=pricing, s=state: e(c, p, s, SETTINGS)
            )
        state, settled = timed("settlement", lambda c=chains, s=state, r=shown: settlement(c, s, r, SETTINGS))
        if cycle < given.frames:
            parts = frames_of(chains, pricing)
            found = timed("frames", lambda p=parts: {u: rivals[u].run(frames) for u, frames in p.items()})
            compare(market.layout, made, found)

    assert len(settled) == 1 and np.isfinite(settled["estimate"]).all()
    skewed = int(np.isfinite(made["volatility"]["risk_reversal_25"]).sum())
    print(
        f"{NAMES} underlyings, {market.layout.segments} chains, {EXPIRIES} of NIFTY, all updated; {given.cycles} cycles"
    )
    print(f"equal in {given.frames} cycles; 25-delta skew in {skewed} chains, {SESSIONS} sessions of history")
    print(f"{'ms of one processor per cycle':<44}{'median':>12}{'95 %':>12}")
    names = ("volatility", "volatility_rank", "straddle", "settlement")
    shown = {"all four": np.sum([taken[n] for n in names], axis=0), **{n: taken[n] for n in names}}
    shown["the first three, a frame per chain"] = taken["frames"]
    for name, milliseconds in shown.items():
        low, high = np.percentile(milliseconds, [50, 95])
        print(f"{name:<44}{low:>12.2f}{high:>12.2f}")


if __name__ == "__main__":
    main()
