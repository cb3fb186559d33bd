"""Volume/OI scan: what is an event, which way it points, why it is ignored, and how the list is ranked."""

import csv
import json
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from optionscanner.analytics.activity import activity, percentile_in_chain, pressing_side, volume_oi_ratio
from optionscanner.model.contracts import SegmentKey
from optionscanner.model.settings import ActivitySettings, EngineSettings
from optionscanner.model.state import State
from tests.builders import MONTHLY, TRADING_DATE, WEEKLY, ist
from tests.engine_builders import a_day, lively_pictures, poll, priced, replayed, seen

NAN = float("nan")
AT = ist(10, 0)
SETTINGS = EngineSettings()
LITERAL = {"percentile": 0.0, "min_contracts": 0.0, "min_premium": 0.0, "min_rise_pct": 0.0}
LADDER = [80.0 + 5 * i for i in range(9)]  # 80 to 120, at the money 100
CHAIN = SegmentKey("SBIN", MONTHLY)
QUIET = (10.0, 1_000.0)  # volume and open interest of a leg that is no event
RULES = Path(__file__).parent / "reference" / "rules.csv"


def with_rules(**changed):
    return replace(SETTINGS, activity=ActivitySettings(**changed))


def market(loud, *, chain=CHAIN, lot=10.0, age=0.0, last=3.0, ladder=LADDER, spot=100.0, **day):
    """A chain of quiet legs but for `loud`: {(strike, side): (volume, open interest)}."""
    legs = {(k, side): loud.get((k, side), QUIET) for k in ladder for side in (0, 1)}
    one = a_day({chain: ladder}, lot=lot, **day)
    columns = {
        name: [tuple(legs[k, side][i] for side in (0, 1)) for k in ladder]
        for i, name in enumerate(("volume", "open_interest"))
    }
    prices = {"last": [(last, last)] * len(ladder)}
    return seen(one, poll(one, AT, {chain: columns | prices}, spot={chain.underlying: spot}), as_of=AT + age)


def remembered(chains, *, regime=1.0, flow=100.0, price=1.0, iv=0.0, **segment):
    """State in which every leg moved alike over the last window."""
    fresh = State.fresh(chains.layout)
    shape, count = (chains.layout.rows, 2), chains.layout.segments
    return fresh.updated(
        segment={"regime": np.full(count, regime), "ewma_net": np.full(count, 1.0), **segment},
        leg={
            "open_interest_flow": np.broadcast_to(np.asarray(flow, dtype=float), shape),
            "price_change": np.full(shape, price),
            "iv_change": np.full(shape, iv),
        },
    )


def scan(chains, settings_=SETTINGS, pricing=None, **state):
    _, made = activity(chains, pricing or priced(chains), remembered(chains, **state), settings_)
    return made.frame()


# What is an event -----------------------------------------------------------------------------------------------------

LOUD = {(105.0, 0): (9_000.0, 3_000.0)}


def test_an_event_by_hand():
    frame = scan(market(LOUD))
    assert len(frame) == 1
    event = frame.iloc[0].to_dict()
    assert event == {
        "rank": 1,
        "underlying": "SBIN",
        "expiry": "2026-02-24",
        "strike": 105.0,
        "option_type": "CE",
        "last_price": 3.0,
        "volume": 9_000.0,
        "open_interest": 3_000.0,
        "volume_oi_ratio": 3.0,
        "percentile": 100.0,
        "open_interest_flow": 100.0,
        "premium_change": 1.0,
        "iv_change": 0.0,
        "delta": 0.5,
        "gamma": event["gamma"],
        "distance_pct": pytest.approx(5.0),
        "strike_offset": 1.0,
        "side": "BUY",
        "direction": "BULLISH",
        "aligned": 1.0,
        "reason": "valid, near",
        "score": 100.0,
    }
    assert math.isnan(event["gamma"])


@pytest.mark.parametrize(
    ("volume", "interest", "percentile_off", "fires"),
    [
        (5_000.0, 10_000.0, True, False),  # at the ratio of 0.5: not above
        (5_010.0, 10_000.0, True, True),
        (5_010.0, 0.0, True, True),
        (5_000.0, 1.0, False, True),
        (4_990.0, 1.0, False, False),  # under 500 contracts of 10
    ],
)
def test_ratio_and_volume_have_their_floors(volume, interest, percentile_off, fires):
    rules = with_rules(percentile=0.0) if percentile_off else SETTINGS
    assert len(scan(market({(105.0, 0): (volume, interest)}), rules)) == fires


@pytest.mark.parametrize(("price", "fires"), [(1.0, 1), (0.95, 0), (NAN, 0)])
def test_the_premium_has_a_floor(price, fires):
    chains = market(LOUD)
    assert len(scan(chains, pricing=priced(chains, price=np.full((9, 2), price)))) == fires


@pytest.mark.parametrize(("chain", "least"), [(SegmentKey("NIFTY", MONTHLY), 2.0), (CHAIN, 4.0)])
def test_indices_and_stocks_have_their_own_ratio(chain, least):
    rules = with_rules(index_ratio=2.0, stock_ratio=4.0)
    for ratio in (least, least + 0.01):
        assert len(scan(market({(105.0, 0): (ratio * 6_000, 6_000.0)}, chain=chain), rules)) == (ratio > least)


@pytest.mark.parametrize(("row", "given_", "expected"), [
    (r["id"], json.loads(r["inputs"]), json.loads(r["expected"]))
    for r in csv.DictReader(RULES.read_text().splitlines()) if r["rule"] == "vol_oi"
])  # fmt: skip
def test_the_documented_rule_without_percentile_and_floors(row, given_, expected):
    """An event whose open interest does not rise is listed, but ignored: it does not fire."""
    chains = market({(105.0, 0): (given_["volume"], given_["oi"])}, lot=1.0)
    leg = LADDER.index(105.0), 0
    assert volume_oi_ratio(chains)[leg] == expected["ratio"]
    rules = with_rules(index_ratio=given_["threshold"], stock_ratio=given_["threshold"], **LITERAL)
    frame = scan(chains, rules, flow=given_["oi_change"])
    assert bool((frame["aligned"] == 1).any()) == expected["fires"]


def test_open_interest_under_a_lot_counts_as_a_lot():
    chains = market({(105.0, 0): (700.0, 0.0), (100.0, 1): (700.0, 9.0), (95.0, 0): (700.0, 20.0)}, lot=10.0)
    ratio = volume_oi_ratio(chains)
    assert [ratio[LADDER.index(k), side] for k, side in ((105.0, 0), (100.0, 1), (95.0, 0))] == [70, 70, 35]


@pytest.mark.parametrize(
    ("quiet", "percentile", "fires"),
    [(19, 95.0, True), (19, 95.01, False), (18, 95.0, False)],
)
def test_the_percentile_is_the_share_of_other_legs_with_a_smaller_ratio(quiet, percentile, fires):
    """Twenty-one traded legs: `quiet` of the twenty others are smaller, the rest larger (but dead cheap)."""
    ladder = [50.0 + 5 * i for i in range(11)]
    loud = {(ladder[10], 1): (0.0, 0.0), (ladder[5], 0): (9_000.0, 3_000.0)}
    bigger = [(ladder[i], 1) for i in range(20 - quiet)]
    loud |= dict.fromkeys(bigger, (90_000.0, 3_000.0))
    chains = market(loud, ladder=ladder, spot=75.0)
    price = np.full((11, 2), 3.0)
    price[: 20 - quiet, 1] = 0.5
    frame = scan(chains, with_rules(percentile=percentile), pricing=priced(chains, price=price))
    assert frame["strike"].tolist() == ([75.0] if fires else [])
    assert not fires or frame["percentile"].tolist() == [100 * quiet / 20]


@settings(max_examples=60)
@given(st.integers(0, 2**32 - 1))
def test_percentiles_are_counts_of_smaller_ones(seed):
    draw = np.random.default_rng(seed)
    one = a_day({"NIFTY": LADDER, "SBIN": [1.0, 2.0, 3.0], "ITC": [5.0, 6.0]})
    layout = one.layout
    quotes = {
        name: {
            "volume": draw.choice([0.0, 5, 10, 20, NAN], (n, 2)),
            "open_interest": draw.choice([0.0, 10, 20, NAN], (n, 2)),
            "last": np.ones((n, 2)),
        }
        for name, n in (("NIFTY", 9), ("SBIN", 3), ("ITC", 2))
    }
    chains = seen(one, poll(one, AT, quotes, spot=dict.fromkeys(quotes, 100.0)))
    ratio = volume_oi_ratio(chains)
    found = percentile_in_chain(chains, ratio)
    for s, (start, end) in enumerate(zip(layout.starts.tolist(), layout.ends.tolist(), strict=True)):
        legs = [(r, i) for r in range(start, end) for i in (0, 1) if ratio[r, i] > 0]
        for r in range(start, end):
            for i in (0, 1):
                others = [ratio[leg] for leg in legs if leg != (r, i)]
                if (r, i) in legs and others:
                    assert found[r, i] == 100 * sum(o < ratio[r, i] for o in others) / len(others), s
                else:
                    assert math.isnan(found[r, i])


def test_a_lone_traded_leg_has_no_percentile_and_counts_where_that_rule_is_off():
    chains = market(dict.fromkeys(((k, s) for k in LADDER for s in (0, 1)), (0.0, 1_000.0)) | LOUD)
    assert len(scan(chains)) == 0
    frame = scan(chains, with_rules(percentile=0.0))
    assert (frame["strike"].tolist(), frame["score"].tolist()) == ([105.0], [60.0])


def test_a_leg_that_did_not_trade_is_no_event():
    assert len(scan(market({(105.0, 0): (0.0, 0.0)}), with_rules(**LITERAL, stock_ratio=0.0))) == 17


# Chains that may not speak --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("age", "events"), [(180.0, 1), (181.0, 0)])
def test_a_stale_chain_has_no_events(age, events):
    assert len(scan(market(LOUD, age=age))) == events


@pytest.mark.parametrize(("weight", "events"), [(90.0, 1), (89.0, 0)])
def test_a_chain_of_which_too_little_was_seen_has_no_events(weight, events):
    before = np.full((10, 2), -1.0)
    before[0], before[9] = (weight - 1, -1), (100 - weight - 1, -1)
    one = a_day({CHAIN: [*LADDER, 130.0]}, previous_open_interest=before)
    pairs = [[LOUD.get((k, side), QUIET) for side in (0, 1)] for k in LADDER]
    columns = {n: [(c[i], p[i]) for c, p in pairs] for i, n in enumerate(("volume", "open_interest"))}
    chains = seen(one, poll(one, AT, {CHAIN: columns | {"last": [(3, 3)] * 9}}, strikes={"SBIN": LADDER},
                            spot={"SBIN": 100.0}))  # fmt: skip
    assert len(scan(chains)) == events


# Direction and reasons ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("price", "iv", "side"),
    [
        (1.0, 0.0, 1),
        (1.0, 0.01, 1),
        (1.0, -0.0005, 1),  # within the dead band
        (1.0, -0.0006, 0),
        (-1.0, 0.0, -1),
        (-1.0, -0.01, -1),
        (-1.0, 0.0005, -1),
        (-1.0, 0.0006, 0),
        (0.0, 0.01, 0),
        (0.0, -0.01, 0),
        (NAN, 0.0, 0),
        (1.0, NAN, 0),
    ],
)
def test_who_pressed_is_read_from_premium_and_volatility(price, iv, side):
    assert pressing_side(np.array([price]), np.array([iv]), dead_band=0.0005).tolist() == [side]


@pytest.mark.parametrize(
    ("leg", "price", "word", "direction"),
    [
        ((105.0, 0), 1.0, "BUY", "BULLISH"),
        ((105.0, 0), -1.0, "WRITE", "BEARISH"),
        ((105.0, 1), 1.0, "BUY", "BEARISH"),
        ((105.0, 1), -1.0, "WRITE", "BULLISH"),
        ((105.0, 0), 0.0, "?", ""),
    ],
)
def test_calls_bought_and_puts_written_are_bullish(leg, price, word, direction):
    frame = scan(market({leg: (9_000.0, 3_000.0)}), price=price)
    assert frame[["side", "direction"]].to_numpy().tolist() == [[word, direction]]


@pytest.mark.parametrize(
    ("given_", "reason"),
    [
        ({}, "valid, near"),
        ({"flow": 0.0}, "ignored: OI not rising"),
        ({"flow": -5.0}, "ignored: OI not rising"),
        ({"flow": NAN}, "ignored: OI not rising"),
        ({"price": 0.0}, "ignored: direction unknown"),
        ({"regime": 0.0}, "ignored: no regime"),
        ({"regime": NAN}, "ignored: no regime"),
        ({"ewma_net": np.array([NAN])}, "ignored: no regime"),
        ({"regime": -1.0}, "ignored: flow bearish"),
        ({"price": -1.0}, "ignored: flow bullish"),
        ({"price": -1.0, "regime": -1.0}, "valid, near"),
        ({"flow": 0.0, "price": 0.0, "regime": 0.0}, "ignored: OI not rising"),
        ({"price": 0.0, "regime": 0.0}, "ignored: direction unknown"),
    ],
)
def test_an_event_counts_or_says_why_not(given_, reason):
    frame = scan(market(LOUD), **given_)
    assert frame["reason"].tolist() == [reason]
    assert frame["aligned"].tolist() == [1.0 if reason.startswith("valid") else 0.0]


@pytest.mark.parametrize(
    ("rise", "least", "counts"),
    [(90.0, 3.0, False), (91.0, 3.0, True), (1.0, 0.0, True), (0.0, 0.0, False), (500.0, 25.0, False)],
)
def test_open_interest_must_rise_by_a_share_of_what_was_held(rise, least, counts):
    """3,000 held before the step; at the edge it does not count."""
    frame = scan(market({(105.0, 0): (9_000.0, 3_000.0 + rise)}), with_rules(min_rise_pct=least), flow=rise)
    assert frame["reason"].tolist() == ["valid, near" if counts else "ignored: OI not rising"]


@pytest.mark.parametrize(
    ("chain", "reason"),
    [
        (SegmentKey("NIFTY", TRADING_DATE), "ignored: expiry day"),
        (SegmentKey("NIFTY", WEEKLY), "valid, near"),
        (SegmentKey("SBIN", TRADING_DATE), "valid, near"),
    ],
)
def test_on_expiry_day_the_events_of_an_index_do_not_count(chain, reason):
    assert scan(market(LOUD, chain=chain))["reason"].tolist() == [reason]


@pytest.mark.parametrize(
    ("strike", "offset", "reason"),
    [(115.0, 3, "valid, near"), (120.0, 4, "valid, far"), (85.0, -3, "valid, near"), (80.0, -4, "valid, far"),
     (100.0, 0, "valid, near")],
)  # fmt: skip
def test_near_is_three_strikes_from_the_money(strike, offset, reason):
    frame = scan(market({(strike, 0): (9_000.0, 3_000.0)}))
    assert frame[["strike_offset", "reason"]].to_numpy().tolist() == [[offset, reason]]
    assert frame["score"].tolist() == [100.0 if reason == "valid, near" else 80.0]


def test_strikes_that_are_not_listed_are_not_counted_as_distance():
    listed = np.ones((9, 2), dtype=bool)
    listed[[5, 6]] = False
    ladder_seen = [k for i, k in enumerate(LADDER) if i not in (5, 6)]
    one = a_day({CHAIN: LADDER}, listed=listed)
    pairs = [[(9_000.0, 3_000.0) if (k, side) == (120.0, 0) else QUIET for side in (0, 1)] for k in ladder_seen]
    columns = {n: [(c[i], p[i]) for c, p in pairs] for i, n in enumerate(("volume", "open_interest"))}
    chains = seen(one, poll(one, AT, {CHAIN: columns | {"last": [(3, 3)] * 7}}, strikes={"SBIN": ladder_seen},
                            spot={"SBIN": 100.0}))  # fmt: skip
    assert scan(chains)[["strike_offset", "reason"]].to_numpy().tolist() == [[2, "valid, near"]]


def test_without_a_money_nothing_is_near():
    chains = market(LOUD)
    frame = scan(chains, pricing=priced(chains, atm_row=np.array([-1]), reference=np.array([NAN])))
    assert np.isnan(frame[["strike_offset", "distance_pct"]].to_numpy(dtype=float)).all()
    assert frame["reason"].tolist() == ["valid, far"]


# Ranking --------------------------------------------------------------------------------------------------------------


def test_what_counts_comes_first_then_near_then_the_larger_ratio():
    chains = market(
        {
            (100.0, 0): (9_000.0, 3_000.0),
            (105.0, 0): (8_000.0, 2_000.0),
            (120.0, 0): (90_000.0, 3_000.0),
            (95.0, 1): (9_000.0, 1_000.0),
        }
    )
    frame = scan(chains, with_rules(percentile=50.0))
    assert frame["strike"].tolist() == [105.0, 100.0, 120.0, 95.0]
    assert frame["aligned"].tolist() == [1, 1, 1, 0]
    assert frame["rank"].tolist() == [1, 2, 3, 4]
    # 18 legs: of the 17 others 15, 14, 17 and 16 are smaller.
    assert frame["score"].tolist() == pytest.approx(
        [40 * 15 / 17 + 60, 40 * 14 / 17 + 60, 40 + 40, 40 * 16 / 17 + 20]
    )


def test_what_counts_comes_first_whatever_its_score():
    """With the percentile off, an ignored event near the money can score above a far one that counts."""
    puts = {(k, 1): (90_000.0 - abs(k - 100), 3_000.0) for k in LADDER}  # bought, against a bullish flow
    frame = scan(market({(80.0, 0): (5_010.0, 10_000.0)} | puts), with_rules(percentile=0.0, min_rise_pct=0.0))
    assert frame["aligned"].tolist() == [1] + [0] * 9
    assert (frame["strike"][0], frame["option_type"][0]) == (80.0, "CE")
    assert frame["score"][0] < frame["score"][1:].max()


def test_equal_events_stand_in_the_order_of_the_layout():
    chains = market({(95.0, 0): (9_000.0, 3_000.0), (105.0, 0): (9_000.0, 3_000.0)})
    assert scan(chains, with_rules(percentile=50.0))["strike"].tolist() == [95.0, 105.0]


def two_chains(quiet_name_last):
    names = ["SBIN", "ITC"] if quiet_name_last else ["ITC", "SBIN"]
    keys = {name: SegmentKey(name, MONTHLY) for name in names}
    one = a_day({keys[n]: LADDER for n in names})
    loud = {(k, 0): (90_000.0 + k, 1_000.0) for k in LADDER}
    columns = {}
    for name in names:
        own = loud if name == "SBIN" else {(80.0, 0): (6_000.0, 9_000.0), (120.0, 0): (6_000.0, 9_900.0)}
        legs = [[own.get((k, side), QUIET) for side in (0, 1)] for k in LADDER]
        columns[keys[name]] = {
            "volume": [(c[0], p[0]) for c, p in legs],
            "open_interest": [(c[1], p[1]) for c, p in legs],
            "last": [(3, 3)] * 9,
        }
    return seen(one, poll(one, AT, columns, spot=dict.fromkeys(names, 100.0)))


@pytest.mark.parametrize("quiet_name_last", [True, False])
def test_the_list_is_cut_but_never_the_best_of_a_chain(quiet_name_last):
    """A name's trigger must not hang on how many events other names have."""
    frame = scan(two_chains(quiet_name_last), with_rules(percentile=50.0, shown=3, min_rise_pct=0.0))
    assert frame["underlying"].tolist() == ["SBIN", "SBIN", "SBIN", "ITC"]
    assert frame["strike"].tolist()[-1] == 80.0
    assert frame["rank"].tolist() == [1, 2, 3, 4]


def test_ignored_events_are_cut_at_the_end_of_the_list():
    frame = scan(two_chains(True), with_rules(percentile=50.0, shown=3), regime=-1.0)
    assert len(frame) == 3
    assert (frame["aligned"] == 0).all()


def test_no_event_is_an_empty_table_with_all_columns():
    frame = scan(market({}))
    assert (len(frame), len(frame.columns)) == (0, 22)


def test_a_market_without_a_picture_has_no_events():
    one = a_day({"NIFTY": LADDER})
    assert len(scan(seen(one, poll(one, AT)))) == 0


@pytest.mark.parametrize("seed", range(5))
def test_the_events_of_a_lively_day_are_those_of_a_loop(seed):
    pictures = lively_pictures(seed, 12)
    rules = SETTINGS.activity
    for chains, (state, made, pricing) in zip(pictures, replayed(pictures), strict=True):
        layout, expected = chains.layout, {}
        ratio = chains.legs.volume / np.maximum(chains.legs.open_interest, 25.0)
        for row in range(layout.rows):
            s = layout.row_segment[row]
            age = chains.as_of - chains.stamped_at[s]
            if not (age <= 180 and chains.coverage[s] >= 0.9):
                continue
            mine = range(int(layout.starts[s]), int(layout.ends[s]))
            for side in (0, 1):
                traded = [(r, i) for r in mine for i in (0, 1) if chains.legs.volume[r, i] > 0 and ratio[r, i] >= 0]
                others = [leg for leg in traded if leg != (row, side)]
                if (row, side) not in traded or not others:
                    continue
                smaller = 100 * sum(ratio[leg] < ratio[row, side] for leg in others) / len(others)
                loud = ratio[row, side] > 0.5 and smaller >= rules.percentile
                if loud and chains.legs.volume[row, side] >= 500 * 25 and pricing.price[row, side] >= 1:
                    key = layout.segment_keys[s]
                    flow = state.leg["open_interest_flow"][row, side]
                    expected[key.underlying, key.expiry.isoformat(), layout.strike[row], "CP"[side] + "E"] = flow
        frame = made["activity"].frame()
        found = {
            tuple(row): flow
            for row, flow in zip(
                frame[["underlying", "expiry", "strike", "option_type"]].to_numpy().tolist(),
                frame["open_interest_flow"],
                strict=True,
            )
        }
        assert found.keys() == expected.keys()
        assert np.array_equal([found[k] for k in expected], list(expected.values()), equal_nan=True)
