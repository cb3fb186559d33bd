"""Sums, put-call ratios, maximum pain and walls: reference tables, hand-worked chains, and loops over the legs."""

import csv
import json
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from optionscanner.analytics.open_interest import (
    BANDS,
    max_pain,
    max_pain_range,
    open_interest,
    payouts,
    put_call_band,
    put_call_extreme,
    put_call_ratio,
    put_call_reversal,
    wall,
)
from optionscanner.model.contracts import SegmentKey
from optionscanner.model.settings import EngineSettings
from optionscanner.model.state import State
from tests.builders import MONTHLY, WEEKLY, ist
from tests.engine_builders import a_day, a_layout, lively_pictures, poll, priced, run, seen

NAN = float("nan")
AT = ist(10, 0)
SETTINGS = EngineSettings()
REFERENCE = Path(__file__).parent / "reference"
LADDER = [90.0, 95.0, 100.0, 105.0, 110.0]


def rows_of(table):
    with (REFERENCE / table).open(newline="") as lines:
        return list(csv.DictReader(lines))


def rules(name):
    return [(json.loads(r["inputs"]), json.loads(r["expected"])) for r in rows_of("rules.csv") if r["rule"] == name]


def reading(*polls, ladder=LADDER, spot=100.0, pricing=None, state=None, **day):
    """The reading after polls of (call, put) open interest and volume, a minute apart, one cycle each."""
    one = a_day({"NIFTY": ladder}, **day)
    observations = []
    for i, columns in enumerate(polls):
        quotes = {"last": [(3, 3)] * len(ladder), **columns}
        observations.append(poll(one, AT + 60 * i, {"NIFTY": quotes}, spot={"NIFTY": spot}))
        chains = seen(one, *observations)
        state, made = open_interest(
            chains, priced(chains, **(pricing or {})), state or State.fresh(one.layout), SETTINGS
        )
    return {name: made[name][0] for name in made.columns}


# Reference ------------------------------------------------------------------------------------------------------------


def reference_chain(row):
    """Layout and open interest; duplicate rows of a strike are one leg here: a layout lists each strike once."""
    legs: dict[float, list[float]] = {}
    for item in row["chain"].split("|"):
        strike, call, put = (float(part) for part in item.split(":"))
        pair = legs.setdefault(strike, [0.0, 0.0])
        pair[0], pair[1] = pair[0] + call, pair[1] + put
    return a_layout({"NIFTY": legs}), np.array([legs[strike] for strike in sorted(legs)])


@pytest.mark.parametrize("row", rows_of("maxpain.csv"), ids=lambda r: r["id"])
def test_the_payout_at_every_strike_of_the_reference_chains_and_which_of_them_tie(row):
    layout, interest = reference_chain(row)
    whole = payouts(layout, interest * float(row["multiplier"])).sum(axis=1)
    told = dict(tuple(map(float, item.split(":"))) for item in row["pain_by_strike"].split("|") if item)
    if told:
        assert dict(zip(layout.strike.tolist(), whole.tolist(), strict=True)) == pytest.approx(told, rel=1e-12)
    low, high = (values[0] for values in max_pain_range(layout, interest))
    ties = [float(strike) for strike in row["minimisers"].split("|") if strike]
    if ties:
        assert (low, high) == (min(ties), max(ties))
        assert [k for k in layout.strike.tolist() if low <= k <= high] == sorted(ties)
    else:
        assert math.isnan(low)
        assert math.isnan(high)


@pytest.mark.parametrize("row", rows_of("maxpain.csv"), ids=lambda r: r["id"])
def test_maximum_pain_of_the_reference_chains(row):
    layout, interest = reference_chain(row)
    found = max_pain(layout, interest, np.array([float(row["spot"])]))[0]
    if row["expected_max_pain"]:
        assert found == float(row["expected_max_pain"])
    else:
        assert math.isnan(found)


@pytest.mark.parametrize(("given_", "expected"), rules("pcr"))
def test_put_call_ratio_of_the_rules(given_, expected):
    ratio = put_call_ratio(np.array([[given_["call_oi"], given_["put_oi"]]], dtype=float))[0]
    assert (None if math.isnan(ratio) else ratio) == expected["pcr"]


@pytest.mark.parametrize(("given_", "expected"), rules("pcr_band"))
def test_put_call_band_of_the_rules(given_, expected):
    ratio = np.array([given_["pcr"]])
    assert BANDS[put_call_band(ratio, SETTINGS)[0]] == expected["band"]
    words = {"PCR_EXTREME_HIGH": "HIGH", "PCR_EXTREME_LOW": "LOW", None: ""}
    assert put_call_extreme(ratio).tolist() == [words[expected["extreme"]]]


@pytest.mark.parametrize(("given_", "expected"), rules("pcr_reversal_cross"))
def test_put_call_reversal_of_the_rules(given_, expected):
    crossed = put_call_reversal(np.array([given_["prev"]]), np.array([given_["now"]]))
    assert crossed.tolist() == [{"BUY": 1.0, "SELL": -1.0, None: 0.0}[expected["signal"]]]


def test_a_reversal_stands_until_the_ratio_changes_again():
    polls = [{"open_interest": [(10, puts)] * 5} for puts in (15, 16, 16, 17, 5)]
    words = [reading(*polls[:count])["put_call_reversal"] for count in range(1, 6)]
    assert words == ["", "BUY", "BUY", "", "SELL"]


@pytest.mark.parametrize(
    ("ratio", "band"),
    [
        (np.nextafter(0.7, 0), "BEARISH"),
        (0.7, "NEUTRAL"),
        (1.3, "NEUTRAL"),
        (np.nextafter(1.3, 2), "BULLISH"),
        (0.0, "BEARISH"),
        (NAN, ""),
    ],
)
def test_the_limits_of_the_bands_are_neutral(ratio, band):
    assert BANDS[put_call_band(np.array([ratio]), SETTINGS)[0]] == band


# Sums -----------------------------------------------------------------------------------------------------------------

INTEREST = [(10, 100), (20, 50), (40, 30), (80, 20), (50, 0)]
VOLUME = [(1, 2), (3, 4), (5, 6), (7, 8), (9, 10)]


def test_a_chain_by_hand():
    made = reading({"open_interest": INTEREST, "volume": VOLUME})
    assert made["call_open_interest"] == 200
    assert made["put_open_interest"] == 200
    assert (made["call_volume"], made["put_volume"]) == (25, 30)
    assert (made["put_call_ratio"], made["put_call_band"], made["put_call_ratio_volume"]) == (1.0, "NEUTRAL", 1.2)
    # Payout to holders: 850 at 90, 400 at 95, 200 + 100 = 300 at 100, 550 at 105, 1,300 at 110.
    assert (made["max_pain"], made["max_pain_distance_pct"]) == (100.0, 0.0)
    assert (made["call_wall"], made["put_wall"], made["status"]) == (105.0, 90.0, "")


def test_a_missing_side_is_blank_and_never_zero():
    made = reading({"open_interest": [(10, NAN)] * 5, "volume": [(NAN, 5)] * 5})
    assert (made["call_open_interest"], made["put_volume"]) == (50, 25)
    blank = ("put_open_interest", "call_volume", "put_call_ratio", "put_call_ratio_volume", "put_wall")
    assert np.isnan([made[name] for name in blank]).all()
    assert made["put_call_band"] == ""
    assert made["max_pain"] == 90.0  # calls alone pay least at the lowest strike


def test_no_calls_no_ratio_but_no_puts_is_zero():
    assert math.isnan(reading({"open_interest": [(0, 5)] * 5})["put_call_ratio"])
    assert reading({"open_interest": [(5, 0)] * 5})["put_call_ratio"] == 0.0


def test_without_open_interest_the_row_says_so():
    made = reading({})
    assert made["status"] == "no OI yet"
    assert all(math.isnan(v) for k, v in made.items() if not isinstance(v, str))
    assert {k for k, v in made.items() if isinstance(v, str) and v} == {"status"}


def test_a_chain_of_zeros_has_sums_and_neither_pain_nor_walls():
    made = reading({"open_interest": [(0, 0)] * 5})
    assert made["call_open_interest"] == 0
    assert np.isnan([made["max_pain"], made["call_wall"], made["put_wall"]]).all()


def test_walls_of_equal_size_stand_nearest_to_the_spot():
    tie = [(80, 1), (1, 90), (1, 1), (80, 90), (80, 1)]
    assert reading({"open_interest": tie}, spot=100.0)["call_wall"] == 105.0
    assert reading({"open_interest": tie}, spot=100.0)["put_wall"] == 95.0  # 5 away on both sides: the lower
    assert reading({"open_interest": tie}, spot=93.0)["call_wall"] == 90.0


def test_maximum_pain_is_measured_from_spot():
    made = reading({"open_interest": INTEREST, "volume": VOLUME}, spot=98.0)
    assert made["max_pain_distance_pct"] == pytest.approx(100 * 2 / 98)


def test_without_a_spot_ties_go_by_the_forward_and_without_both_to_the_lowest():
    layout = a_layout({"NIFTY": LADDER})
    interest = np.array([9.0, 1, 1, 1, 9.0])
    assert wall(layout, interest, np.array([109.0])).tolist() == [110.0]
    assert wall(layout, interest, np.array([NAN])).tolist() == [90.0]
    flat = np.array([[5.0, 5.0], [0, 0], [0, 0], [0, 0], [5.0, 5.0]])
    assert max_pain(layout, flat, np.array([104.0])).tolist() == [105.0]
    assert max_pain(layout, flat, np.array([NAN])).tolist() == [90.0]


def test_the_window_holds_five_listed_strikes_on_each_side_of_the_money():
    ladder = [80.0 + 5 * i for i in range(13)]
    interest = [(1, 1 + 10**i % 7) for i in range(13)]
    for spot, chosen in ((110.0, range(1, 12)), (80.0, range(6)), (141.0, range(7, 13))):
        made = reading({"open_interest": interest}, ladder=ladder, spot=spot)
        assert made["put_call_ratio_window"] == sum(interest[i][1] for i in chosen) / len(chosen)
    listed = np.ones((13, 2), dtype=bool)
    listed[[5, 7]] = False
    gaps = [(NAN, NAN) if i in (5, 7) else pair for i, pair in enumerate(interest)]
    made = reading({"open_interest": gaps, "last": [(NAN, NAN) if i in (5, 7) else (3, 3) for i in range(13)]},
                   ladder=ladder, spot=110.0, listed=listed)  # fmt: skip
    eleven = [i for i in range(13) if i not in (5, 7)]
    assert made["put_call_ratio_window"] == sum(interest[i][1] for i in eleven) / 11


# Changes --------------------------------------------------------------------------------------------------------------


def test_change_against_the_previous_close():
    before = np.array([(5, 90), (20, 60), (10, 30), (80, 0), (45, 0)], dtype=float)
    made = reading({"open_interest": INTEREST}, previous_open_interest=before)
    assert (made["call_open_interest_added"], made["put_open_interest_added"]) == (40, 20)


@pytest.mark.parametrize(("known", "added"), [(180.0, 18.0), (179.0, NAN)])
def test_change_is_blank_where_legs_with_a_close_hold_under_nine_tenths(known, added):
    """Of 200 calls, those with a previous close hold `known`; a new strike of the day has none."""
    interest = [(known, 10), (200 - known, 10), (0, 10), (0, 10), (0, 10)]
    before = np.array([(known - 18, 10), (NAN, 10), (0, NAN), (0, 10), (0, 10)], dtype=float)
    made = reading({"open_interest": interest}, previous_open_interest=before)
    assert made["call_open_interest_added"] == pytest.approx(added, nan_ok=True)
    assert math.isnan(made["put_open_interest_added"])  # 40 of 50
    assert (made["call_open_interest"], made["put_open_interest"]) == (200, 50)


def test_change_since_the_first_observation_of_each_leg():
    first = [(10, 10), (NAN, 10), (30, 10), (0, 10), (5, 10)]
    then = [(15, 10), (20, 9), (30, 8), (7, 10), (NAN, 10)]
    last = [(16, 10), (26, 9), (30, 8), (7, 10), (9, 10)]
    made = reading(*({"open_interest": interest} for interest in (first, then, last)))
    assert made["call_open_interest_since_first"] == 6 + 6 + 0 + 7 + 4
    assert made["put_open_interest_since_first"] == -3


def test_a_first_value_marks_the_legs_of_its_chain_for_storing():
    """A strike seen for the first time between two steps of the flow would else be forgotten by a restart."""
    one, fresh = a_day({"NIFTY": [95.0, 100.0]}), None
    marks = []
    for i, call in enumerate((NAN, NAN, 30.0, 31.0)):
        columns = {"last": [(3, 3)] * 2, "open_interest": [(call, 10), (10, 10)]}
        chains = seen(one, poll(one, AT + 60 * i, {"NIFTY": columns}))
        state = fresh or State.fresh(one.layout)
        state = replace(state, stepped=np.zeros(1, dtype=bool))
        fresh, _ = open_interest(chains, priced(chains), state, SETTINGS)
        marks.append(bool(fresh.stepped[0]))
    assert marks == [True, False, True, False]
    assert fresh.leg["first_open_interest"].tolist() == [[30.0, 10.0], [10.0, 10.0]]


# Coverage -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("seen_weight", "covered"), [(90.0, True), (89.0, False)])
def test_whole_chain_numbers_are_blank_below_nine_tenths_coverage(seen_weight, covered):
    before = np.array([(seen_weight - 1, -1), (100 - seen_weight - 1, -1)], dtype=float)
    one = a_day({"NIFTY": [95.0, 100.0, 105.0]}, previous_open_interest=np.vstack([before, [(-1, -1)]]))
    # Weights are yesterday's open interest plus one: 0 on all legs but the two calls.
    polls = [poll(one, AT, {"NIFTY": {"last": [(3, 3), (4, 4)], "open_interest": [(10, 20), (5, 5)]}},
                  strikes={"NIFTY": [95.0, 105.0]}, spot={"NIFTY": 100.0})]  # fmt: skip
    chains = seen(one, *polls)
    assert chains.coverage[0] == pytest.approx(seen_weight / 100)
    _, made = open_interest(chains, priced(chains), State.fresh(one.layout), SETTINGS)
    assert np.isfinite(made["put_call_ratio"][0]) == covered
    assert made["put_call_band"][0] == ("BULLISH" if covered else "")
    assert made["status"][0] == ("" if covered else "too few legs seen")
    assert np.isnan(made["call_open_interest_added"][0]) == (not covered)


# A second method ------------------------------------------------------------------------------------------------------


def by_loops(chains, pricing, first):
    """Every column of the reading, leg by leg in plain Python."""
    layout, made = chains.layout, {}
    for s, (start, end) in enumerate(zip(layout.starts.tolist(), layout.ends.tolist(), strict=True)):
        rows = range(start, end)
        interest, volume = chains.legs.open_interest, chains.legs.volume
        before = chains.day.previous_open_interest

        def total(values, side, rows=rows):
            known = [values[r][side] for r in rows if not math.isnan(values[r][side])]
            return sum(known) if known else NAN

        out: dict[str, float] = {}
        for side, name in ((0, "call"), (1, "put")):
            out[f"{name}_open_interest"] = total(interest, side)
            out[f"{name}_volume"] = total(volume, side)
            change = [interest[r][side] - before[r][side] for r in rows]
            held = sum(interest[r][side] for r in rows if interest[r][side] >= 0 and before[r][side] >= 0)
            known = [c for c in change if not math.isnan(c)]
            enough = bool(known) and held >= 0.9 * out[f"{name}_open_interest"]
            out[f"{name}_open_interest_added"] = sum(known) if enough else NAN
            since = [interest[r][side] - first[r][side] for r in rows]
            since = [c for c in since if not math.isnan(c)]
            out[f"{name}_open_interest_since_first"] = sum(since) if since else NAN
            best = max((interest[r][side] for r in rows if interest[r][side] > 0), default=0)
            walls = [r for r in rows if best > 0 and interest[r][side] == best]
            near = min(walls, key=lambda r: (abs(layout.strike[r] - pricing.reference[s]), r), default=None)
            out[f"{name}_wall"] = NAN if near is None else layout.strike[near]
        for name, calls, puts in (
            ("put_call_ratio", out["call_open_interest"], out["put_open_interest"]),
            ("put_call_ratio_volume", out["call_volume"], out["put_volume"]),
        ):
            out[name] = puts / calls if calls > 0 else NAN
        payout = {
            k: math.fsum(
                max(k - layout.strike[r], 0) * np.nan_to_num(interest[r][0])
                + max(layout.strike[r] - k, 0) * np.nan_to_num(interest[r][1])
                for r in rows
            )
            for k in layout.strike[start:end].tolist()
        }
        least = min(payout.values())
        ties = [k for k in payout if payout[k] - least <= 1e-9 * max(payout.values(), default=1)]
        held = np.nansum(interest[start:end]) > 0
        out["max_pain"] = min(ties, key=lambda k: (abs(k - pricing.reference[s]), k)) if held else NAN
        if not chains.coverage[s] >= 0.9:
            out = dict.fromkeys(out, NAN)
        for name, value in out.items():
            made.setdefault(name, []).append(value)
    return made


@pytest.mark.slow
@settings(max_examples=30)
@given(st.integers(0, 2**32 - 1))
def test_a_lively_market_read_leg_by_leg_gives_the_same(seed):
    state, first = None, None
    for chains in lively_pictures(seed, 3, faults=0.1):
        state, made, pricing = run(chains, state)
        interest = np.where(chains.updated[chains.layout.row_segment][:, None], chains.legs.open_interest, NAN)
        first = interest if first is None else np.where(np.isnan(first), interest, first)
        for name, expected in by_loops(chains, pricing, first).items():
            found = made["open_interest"][name]
            assert np.allclose(found, expected, rtol=1e-12, atol=0, equal_nan=True), name


@given(
    chains=st.lists(
        st.lists(st.tuples(st.integers(1, 400), st.integers(0, 90), st.integers(0, 90)), min_size=1, max_size=25,
                 unique_by=lambda leg: leg[0]),
        min_size=1, max_size=4,
    ),
    spot=st.integers(1, 400),
)  # fmt: skip
@settings(max_examples=150, deadline=None)
def test_the_pain_curve_its_tied_range_and_maximum_pain_are_those_of_every_holder_paid_alone(chains, spot):
    """By the definition: settle at each strike, pay each leg, compare; no chain knows of its neighbour."""
    ladders = {f"S{i}": sorted(legs) for i, legs in enumerate(chains)}
    layout = a_layout({name: [float(k) for k, _, _ in legs] for name, legs in ladders.items()})
    interest = np.array([(c, p) for legs in ladders.values() for _, c, p in legs], dtype=float)
    found, (low, high) = payouts(layout, interest), max_pain_range(layout, interest)
    chosen = max_pain(layout, interest, np.full(len(ladders), float(spot)))
    row = 0
    for i, legs in enumerate(ladders.values()):
        paid = {}
        for settle, _, _ in legs:
            calls = sum(max(settle - k, 0) * c for k, c, _ in legs)
            puts = sum(max(k - settle, 0) * p for k, _, p in legs)
            assert found[row].tolist() == [calls, puts]
            paid[settle], row = calls + puts, row + 1
        if not any(c or p for _, c, p in legs):
            assert np.isnan([low[i], high[i], chosen[i]]).all()
            continue
        ties = [k for k, pain in paid.items() if pain == min(paid.values())]
        assert (low[i], high[i]) == (min(ties), max(ties))
        assert chosen[i] == min(ties, key=lambda k: (abs(k - spot), k))


def test_the_curve_is_blank_where_maximum_pain_is():
    """Below the least coverage, and without open interest."""
    for chains in lively_pictures(5, 3, faults=0.1):
        _, made, _ = run(chains, None)
        shown = np.isfinite(made["pain"]["payout"]).all(axis=1)
        assert shown.tolist() == np.isfinite(made["open_interest"]["max_pain"])[chains.layout.row_segment].tolist()


def test_fractions_of_contracts_do_not_disturb_maximum_pain():
    """Exchange files hold fractional contracts while two lot sizes coexist."""
    draw = np.random.default_rng(3)
    for _ in range(300):
        strikes = [100.0 + 5 * i for i in range(int(draw.integers(1, 30)))]
        layout = a_layout({"NIFTY": strikes})
        interest = draw.integers(0, 60, (len(strikes), 2)) * 75 / 7
        pain = {
            k: math.fsum(
                max(k - j, 0) * c + max(j - k, 0) * p for j, (c, p) in zip(strikes, interest, strict=True)
            )
            for k in strikes
        }
        found = max_pain(layout, interest, np.array([100.0]))[0]
        if interest.sum() == 0:
            assert math.isnan(found)
        else:
            assert pain[found] <= min(pain.values()) * (1 + 1e-12)


def test_only_puts_in_fractions_pain_is_at_the_highest_strike():
    layout = a_layout({"NIFTY": [100.0 + 5 * i for i in range(40)]})
    interest = np.zeros((40, 2))
    interest[:, 1] = np.random.default_rng(1).random(40) / 3
    assert max_pain(layout, interest, np.array([100.0])).tolist() == [295.0]


def test_each_chain_of_a_name_is_read_for_itself():
    weekly, monthly = SegmentKey("NIFTY", WEEKLY), SegmentKey("NIFTY", MONTHLY)
    one = a_day({weekly: [95.0, 100.0], monthly: [95.0, 100.0]})
    prices = [(3, 3)] * 2
    chains = seen(
        one,
        poll(one, AT, {weekly: {"last": prices, "open_interest": [(10, 5), (10, 5)]},
                       monthly: {"last": prices, "open_interest": [(1, 2), (1, 2)]}}, spot={"NIFTY": 98.0}),
    )  # fmt: skip
    _, made = open_interest(chains, priced(chains), State.fresh(one.layout), SETTINGS)
    assert made["put_call_ratio"].tolist() == [0.5, 2.0]
    assert made["put_call_band"].tolist() == ["BEARISH", "BULLISH"]
