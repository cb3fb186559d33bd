"""The engines on real days: facts worked out independently, and the laws that the invented markets obey."""

import json
from dataclasses import replace
from datetime import date, datetime
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from optionscanner.analytics.pipeline import ENGINES, Inputs
from optionscanner.analytics.pricing import price_market
from optionscanner.model.columns import ALERTS, READINGS
from optionscanner.model.picture import BorderSettings
from optionscanner.model.settings import EngineSettings
from tests.builders import IST, ist
from tests.engine_builders import assert_same, frozen, run
from tests.recorded_days import august_29, january_30, pictures_of
from tests.test_exposure import assert_flip, legs_of, looped_sums
from tests.test_pipeline import part_of, with_made

__all__ = ["august_29", "january_30"]
pytestmark = pytest.mark.data
SETTINGS = EngineSettings()
NOON = ist(12, 30)


class Replay:
    """A whole day through the engines; keeps the readings at the facts' instants, and one picture of noon."""

    def __init__(self, folder: Path, facts: list[dict], border: BorderSettings | None = None) -> None:
        self.facts, self.found, self.noon, self.last = facts, {}, None, None
        state = pricing = None
        self.refused = self.accepted = 0
        self.steps, self.signals = [], []
        for chains in pictures_of(folder, border):
            before = state, pricing
            state, made, pricing = run(chains, state, pricing=pricing)
            self.accepted += int((chains.polls.refused == 0).sum())
            self.refused += int((chains.polls.refused != 0).sum())
            self.signals.append(made["unusual_activity"].frame())
            self._note_step(chains, state)
            for i, fact in enumerate(facts):
                stamp = datetime.fromisoformat(fact["ts"]).replace(tzinfo=IST).timestamp()
                s = chains.layout.segment_of(fact["symbol"], date.fromisoformat(fact["expiry"]))
                if i not in self.found and abs(chains.stamped_at[s] - stamp) < 1:
                    self.found[i] = {n: made[t][n][s] for t in ("open_interest", "price") for n in made[t].columns}
                    self.found[i]["lot"] = chains.layout.segment_lot_size[s]
            if self.noon is None and chains.as_of >= NOON:
                self.noon = chains, *before
        self.last = chains, made
        self.state = state

    def _note_step(self, chains, state, name="RELIANCE"):
        """What each leg of a name's nearest chain changed by, step by step."""
        if name in chains.layout.names:
            s = int(chains.layout.underlying_front[chains.layout.names.index(name)])
            rows = slice(int(chains.layout.starts[s]), int(chains.layout.ends[s]))
            at = state.segment["stepped_at"][s]
            if np.isfinite(at) and (not self.steps or self.steps[-1][0] != at):
                self.steps.append((at, rows, state.leg["open_interest_flow"][rows].copy()))


def facts_of(data_folder, *keys, day):
    facts = json.loads((data_folder / "golden_facts.json").read_text(encoding="utf-8"))
    return [fact for key in keys for fact in facts[key] if fact["ts"].startswith(day)]


@pytest.fixture(scope="module")
def january(january_30: Path, data_folder: Path) -> Replay:
    keys = ("allfno_5min_2026/stocks_2026-01-30.parquet", "allfno_5min_2026/index")
    return Replay(january_30, facts_of(data_folder, *keys, day="2026-01-30"))


@pytest.fixture(scope="module")
def august(august_29: Path, data_folder: Path) -> Replay:
    return Replay(august_29, facts_of(data_folder, "nifty_banknifty_1min_2025-08-29/NIFTY", day="2025-08-29"))


def check(fact, found):
    """Sums and strikes exactly, ratios to their four decimals, forward within 0.1 %, volatility within 0.6 points."""
    unit = found["lot"] if fact["oi_unit"] == "contracts" else 1.0
    assert found["call_open_interest"] == fact["total_ce_oi"] * unit
    assert found["put_open_interest"] == fact["total_pe_oi"] * unit
    assert found["put_call_ratio"] == pytest.approx(fact["pcr_oi"], abs=6e-5)
    assert found["put_call_ratio_volume"] == pytest.approx(fact["pcr_volume"], abs=6e-5)
    assert found["max_pain"] == fact["max_pain"]
    assert (found["call_wall"], found["put_wall"]) == (fact["max_ce_oi_strike"], fact["max_pe_oi_strike"])
    assert found["atm_strike"] == fact["atm_strike"]
    assert found["forward"] == pytest.approx(fact["parity_forward"], rel=1e-3)
    sides = fact["atm_ce_iv_black76_pct"], fact["atm_pe_iv_black76_pct"]
    assert min(sides) - 0.6 <= 100 * found["atm_iv"] <= max(sides) + 0.6
    if fact["spot"]:
        assert found["spot"] == fact["spot"]
    for side, name in (("ce", "call"), ("pe", "put")):
        if f"{side}_oi_change_since_first" in fact:
            assert found[f"{name}_open_interest_since_first"] == fact[f"{side}_oi_change_since_first"]


def test_facts_of_30_january(january):
    assert len(january.facts) == len(january.found) == 15
    for i, fact in enumerate(january.facts):
        check(fact, january.found[i])


def test_facts_of_29_august(august):
    assert len(august.facts) == len(august.found) == 4
    for i, fact in enumerate(august.facts):
        check(fact, august.found[i])


def test_a_repeated_stamp_is_refused_and_counted_on_29_august(august):
    """Fourteen snapshots of each name repeat an earlier stamp."""
    assert august.refused > 14
    assert august.accepted > 300


def test_the_usual_change_of_each_leg_of_reliance_on_30_january(january):
    """The mean size of its changes, by a loop over the day's steps: all until twenty, then each weighs 2 / 21."""
    rows = january.steps[-1][1]
    found = january.state.leg["usual_change"][rows]
    assert len(january.steps) > 60
    for strike in range(found.shape[0]):
        for side in (0, 1):
            mean, count = np.nan, 0
            for _, _, flow in january.steps:
                change = abs(flow[strike, side])
                if not np.isnan(change):
                    weight = max(1 / (count + 1), 2 / 21)
                    mean = change if count == 0 else (1 - weight) * mean + weight * change
                    count += 1
            assert found[strike, side] == pytest.approx(mean, rel=1e-9, nan_ok=True)


def test_signals_of_unusual_activity_on_30_january(january):
    """Each by its own numbers beyond its limits; a few at any time, of both sides and all directions."""
    every = pd.concat(january.signals, ignore_index=True)
    far = every[every["rule"].str.contains("ACCUMULATION")]
    out = far["distance_pct"] * np.where(far["option_type"] == "CE", 1, -1)
    assert (out > 5).all()
    assert (far["open_interest_flow"] > 3 * far["usual_change"]).all()
    busy = every[every["rule"].str.contains("VOLUME")]
    assert (busy["volume"] / busy["open_interest"] > 0.5).all()
    assert (busy["percentile"] >= 95).all()
    assert (pd.concat([far, busy])["open_interest_flow"] > 0).all()
    assert set(far["direction"]) == {"BULLISH", "BEARISH", ""}
    assert {"OTM_CALL_ACCUMULATION", "OTM_PUT_ACCUMULATION", "UNUSUAL_CALL_VOLUME", "UNUSUAL_PUT_VOLUME"} <= set(
        every["rule"]
    )
    assert all(frame["rule"].str.contains("ACCUMULATION").sum() < 60 for frame in january.signals)


def test_the_index_without_spot_is_priced_on_parity(january):
    (row,) = (january.found[i] for i, fact in enumerate(january.facts) if fact["symbol"] == "MIDCPNIFTY")
    assert (row["forward_source"], row["status"]) == ("parity", "no spot")
    assert np.isnan(row["spot"])


def test_maximum_pain_exposure_and_flip_of_real_chains_by_their_definitions(january):
    """Pain of every chain: the payout at each strike. Exposure and flip of every tenth: loops over the legs."""
    chains, state, pricing = january.noon
    _, made, pricing = run(chains, state, pricing=pricing)
    layout, pains, flips = chains.layout, 0, 0
    for s, (start, end) in enumerate(zip(layout.starts.tolist(), layout.ends.tolist(), strict=True)):
        if chains.coverage[s] < SETTINGS.open_interest.min_coverage:
            continue
        strike, (call, put) = layout.strike[start:end], np.nan_to_num(chains.legs.open_interest[start:end]).T
        ahead = strike[:, None] - strike
        payout = (np.maximum(ahead, 0) * call + np.maximum(-ahead, 0) * put).sum(axis=1)
        ties = strike[payout == payout.min()]
        pains += 1
        assert made["open_interest"]["max_pain"][s] == min(ties, key=lambda k, s=s: (abs(k - pricing.reference[s]), k))
        reading = made["exposure"]
        if s % 10 or reading["status"][s]:
            continue
        legs = legs_of(chains, pricing, [s])
        sums, _ = looped_sums(legs, pricing.rate)
        for name, value in sums.items():
            assert reading[name][s] == pytest.approx(value, rel=1e-9, abs=1e-12), (s, name)
        if reading["flip_crossings"][s]:
            assert_flip(reading, s, legs, float(pricing.reference[s]))
            flips += 1
    assert pains > 190
    assert flips > 10


def test_forwards_of_30_january_lie_near_their_spots(january):
    """Mostly 0.2 to 0.6 % above; a carry of 25 days, less what a stock pays in dividends."""
    chains, made = january.last
    above = 100 * (made["price"]["forward"] / chains.spot - 1)
    assert 0.2 < np.nanmedian(above) < 0.6
    assert np.nanpercentile(np.abs(above), 95) < 2.0


def test_one_name_alone_is_as_among_209(january):
    chains, state, pricing = january.noon
    inputs = Inputs(chains, price_market(chains, SETTINGS.pricing, pricing), state, {}, SETTINGS)
    names = ["NIFTY", "MIDCPNIFTY", *chains.layout.names[3::25]]
    for engine in ENGINES:
        after = with_made(inputs, engine)
        for name in names:
            alone = with_made(inputs.sliced(name), engine)
            assert_same(after.state.sliced(name), alone.state)
            assert_same(
                part_of(after.made[engine.name], chains.layout, name),
                part_of(alone.made[engine.name], alone.chains.layout, name),
            )
        inputs = after
    for name in names:
        kept = price_market(chains.sliced(name), SETTINGS.pricing, pricing.sliced(chains.layout, name))
        assert_same(kept, inputs.pricing.sliced(chains.layout, name))


def test_a_name_left_out_leaves_the_other_208_as_they_were(january):
    chains, state, pricing = january.noon
    whole, made, _ = run(chains, state, pricing=pricing)
    without, rest, _ = run(chains.without(["RELIANCE"]), state, pricing=pricing)
    others = [n for n in chains.layout.names if n != "RELIANCE"]
    for name in others[::10]:
        assert_same(whole.sliced(name), without.sliced(name))
    keep = chains.layout.segment_underlying != chains.layout.names.index("RELIANCE")
    for spec in (*READINGS, ALERTS):
        if spec.row == "segment":
            index = np.flatnonzero(keep)
            assert_same(made[spec.name].rows(index).columns, rest[spec.name].rows(index).columns)


def test_no_engine_writes_into_a_real_picture(january):
    chains, state, pricing = january.noon
    chains = replace(chains, updated=chains.updated.copy())
    for value in (chains, chains.layout, state, pricing):
        frozen(value)
    first = run(chains, state, pricing=pricing)
    again = run(chains, state, pricing=pricing)
    assert_same(first[0], again[0])
