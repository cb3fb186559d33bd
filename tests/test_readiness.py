"""Trade readiness: its parts by hand, every combination, its bands, its clock, and what withholds it."""

import itertools
import math
from dataclasses import replace

import numpy as np
import pytest

from optionscanner.analytics.readiness import ACTIONS, action_band, direction_of, readiness, stability_part, time_part
from optionscanner.model.columns import ACTIVITY
from optionscanner.model.contracts import SegmentKey
from optionscanner.model.readings import Reading
from optionscanner.model.settings import EngineSettings, FlowSettings, ReadinessSettings
from optionscanner.model.state import State
from tests.builders import MONTHLY, TRADING_DATE, WEEKLY, ist
from tests.engine_builders import FIXED_BAND, a_day, poll, run, seen

NAN = float("nan")
AT = ist(11, 0)
SETTINGS = EngineSettings()
LADDER = [95.0, 100.0, 105.0]
COLUMNS = {"last": [(3, 3)] * 3, "open_interest": [(1_000, 1_000)] * 3}


def events(*rows):
    """Events from (underlying, expiry, aligned, near) tuples, best first."""
    texts = {c.name for c in ACTIVITY.columns if c.kind == "text"}
    columns = {n: np.full(len(rows), "" if n in texts else 0.0, dtype=object if n in texts else float)
               for n in ACTIVITY.names}  # fmt: skip
    for i, (name, expiry, aligned, near) in enumerate(rows):
        columns["underlying"][i], columns["expiry"][i] = name, expiry.isoformat()
        columns["aligned"][i], columns["reason"][i] = aligned, "valid, near" if near else "valid, far"
        columns["strike"][i], columns["option_type"][i], columns["side"][i] = 100.0 + i, "CE", "BUY"
        columns["volume_oi_ratio"][i] = 2.0 + i
    return Reading(ACTIVITY, columns)


def remembered(chains, **segment):
    """A bullish state, 0.2 % beyond the dead band, that never flipped; given values replace."""
    defaults = {"regime": 1.0, "flow_pct": 0.3, "ewma_net": 5.0, "ewma_delta": 5.0, "unforgiven_flips": 0.0}
    return State.fresh(chains.layout).updated(
        segment={n: np.full(chains.layout.segments, v, dtype=float) for n, v in {**defaults, **segment}.items()}
    )


def picture(at=AT, *, name="NIFTY", expiry=WEEKLY, stamped=None, spot=100.0, columns=COLUMNS, strikes=None, **day):
    key = SegmentKey(name, expiry)
    one = a_day({key: LADDER}, **day)
    observation = poll(one, at if stamped is None else stamped, {key: columns}, spot={name: spot}, strikes=strikes)
    return seen(one, observation, as_of=at, close_grace=7_200.0)


def read(chains, rows=(), settings=SETTINGS, **segment):
    _, made = readiness(chains, remembered(chains, **segment), events(*rows), settings)
    return {name: made[name][0] for name in made.columns}


NEAR, FAR = ("NIFTY", WEEKLY, 1, True), ("NIFTY", WEEKLY, 1, False)


@pytest.mark.parametrize(("way", "word"), [(1.0, "BULLISH"), (-1.0, "BEARISH")])
def test_a_hundred_is_reached_by_bull_and_bear(way, word):
    made = read(picture(), [NEAR], regime=way, flow_pct=0.3 * way, ewma_delta=5 * way)
    assert made == {
        "readiness": 100.0,
        "action": "AGGRESSIVE",
        "direction": word,
        "structure": 40.0,
        "trigger": 30.0,
        "stability": 20.0,
        "time": 10.0,
        "top_event": "100 CE 2.0 B",
        "status": "",
    }


def test_every_combination_of_the_parts():
    """0 only without direction, 20 the smallest directed value, 100 the largest; bull and bear are alike."""
    found: dict[int, list[float]] = {1: [], -1: [], 0: []}
    early, late = picture(ist(9, 20)), picture()
    for way, agrees, rows, flips, chains in itertools.product(
        (1, -1, 0), (1, 0, -1), ([], [FAR], [NEAR]), range(6), (early, late)
    ):
        made = read(
            chains, rows, regime=way, flow_pct=0.3 * way, ewma_delta=agrees * (way or 1), unforgiven_flips=float(flips)
        )
        expected = 0.0
        if way:
            expected = 20.0 + 20.0 * (agrees == 1) + {0: 0, 1: 15, 2: 30}[[[], [FAR], [NEAR]].index(rows)]
            expected += max(20 - 5 * flips, 0) + 10 * (chains is late)
        assert made["readiness"] == expected
        assert not way or made["readiness"] == sum(made[p] for p in ("structure", "trigger", "stability", "time"))
        found[way].append(made["readiness"])
    assert found[1] == found[-1]
    assert (min(found[1]), max(found[1])) == (20.0, 100.0)
    assert set(found[0]) == {0.0}


def test_twenty_is_reached_by_real_observations():
    """A regime that whips from side to side near the close, while deep legs outweigh it by their delta."""
    quick, ladder = replace(SETTINGS, flow=FlowSettings(half_life=1.0, **FIXED_BAND)), [50.0, 95.0, 100.0, 105.0, 150.0]
    one = a_day({"NIFTY": ladder}, contract_close=np.array([ist(11, 40)]))
    prices = [(max(100 - k, 0) + 2, max(k - 100, 0) + 2) for k in ladder]
    interest = np.full((5, 2), 1_000_000.0)
    polls, state, directed = [], None, []
    for i in range(14):
        near, deep = ((2, 1), (0, 0)) if i // 2 % 2 == 0 else ((2, 0), (4, 1))
        interest[near] += 10_000
        interest[deep] += 30_000
        columns = {"open_interest": interest.copy(), "last": prices, "volume": [(10 + i, 10 + i)] * 5}
        polls.append(poll(one, AT + 180 * i, {"NIFTY": columns}, spot={"NIFTY": 100.0}))
        state, made, _ = run(seen(one, *polls), state, quick)
        row = made["readiness"].frame().iloc[0]
        if row["direction"]:
            directed.append((row["direction"], row["readiness"]))
    # Four flips, two steps apart: 15, 10, 5, 0 of stability, with 20 of structure and, until 11:25, 10 of time.
    expected = [("BEARISH", 50), ("BULLISH", 45), ("BEARISH", 40), ("BULLISH", 25), ("BEARISH", 20), ("BULLISH", 20)]
    assert directed == expected


# Parts ----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("regime", "flow_pct", "direction"),
    [
        (1.0, 0.11, 1),
        (1.0, 0.1, 0),  # on the edge of the dead band: no flow
        (1.0, -0.11, 0),  # the last observation speaks against the regime
        (1.0, NAN, 0),
        (-1.0, -0.11, -1),
        (-1.0, -0.1, 0),
        (0.0, 0.5, 0),
        (NAN, 0.5, 0),
    ],
)
def test_direction_is_a_confirmed_regime_with_flow_on_its_side(regime, flow_pct, direction):
    chains = picture()
    assert direction_of(remembered(chains, regime=regime, flow_pct=flow_pct), SETTINGS).tolist() == [direction]
    made = read(chains, [NEAR], regime=regime, flow_pct=flow_pct)
    assert (made["readiness"] > 0) == (direction != 0)
    assert made["direction"] == {1: "BULLISH", -1: "BEARISH", 0: ""}[direction]


@pytest.mark.parametrize(("ewma_delta", "structure"), [(0.1, 40.0), (0.0, 20.0), (-0.1, 20.0), (NAN, 20.0)])
def test_structure_is_whole_when_the_delta_weighted_flow_agrees(ewma_delta, structure):
    assert read(picture(), ewma_delta=ewma_delta)["structure"] == structure


@pytest.mark.parametrize(
    ("rows", "trigger", "text"),
    [
        ([], 0.0, ""),
        ([NEAR], 30.0, "100 CE 2.0 B"),
        ([FAR], 15.0, "100 CE 2.0 B"),
        ([("NIFTY", WEEKLY, 0, True)], 0.0, ""),
        ([("NIFTY", MONTHLY, 1, True)], 0.0, ""),  # another expiry's event
        ([("NIFTY", MONTHLY, 1, True), FAR], 15.0, "101 CE 3.0 B"),
        ([NEAR, FAR], 30.0, "100 CE 2.0 B"),
    ],
)
def test_the_trigger_is_the_best_aligned_event_of_the_nearest_expiry(rows, trigger, text):
    made = read(picture(), rows)
    assert (made["trigger"], made["top_event"]) == (trigger, text)


def test_the_event_says_who_pressed():
    rows = events(NEAR)
    rows.columns["side"][0] = "WRITE"
    chains = picture()
    _, made = readiness(chains, remembered(chains), rows, SETTINGS)
    assert made["top_event"][0] == "100 CE 2.0 W"


@pytest.mark.parametrize(
    ("flips", "part"), [(0.0, 20.0), (1.0, 15.0), (2.0, 10.0), (3.0, 5.0), (4.0, 0.0), (5.0, 0.0)]
)
def test_each_unforgiven_flip_costs_five(flips, part):
    assert stability_part(np.array([flips])).tolist() == [part]
    assert read(picture(), unforgiven_flips=flips)["stability"] == part


@pytest.mark.parametrize(
    ("at", "part"),
    [
        (ist(9, 15), 0.0),
        (ist(9, 24, 59), 0.0),
        (ist(9, 25), 10.0),
        (ist(15, 14, 59), 10.0),
        (ist(15, 15), 0.0),
        (ist(15, 30), 0.0),
    ],
)
def test_time_is_lost_in_the_first_ten_and_the_last_fifteen_minutes(at, part):
    assert read(picture(at))["time"] == part


@pytest.mark.parametrize(
    ("at", "parts"),
    [(ist(15, 14, 59), [10, 10]), (ist(15, 15), [0, 10]), (ist(15, 29, 59), [0, 10]), (ist(15, 30), [0, 0])],
)
def test_the_last_minutes_are_those_of_the_contracts_own_close(at, parts):
    """An expiring index contract stops at 15:30, the others at 15:45."""
    keys = [SegmentKey("NIFTY", TRADING_DATE), SegmentKey("SBIN", MONTHLY)]
    one = a_day(dict.fromkeys(keys, tuple(LADDER)), contract_close=np.array([ist(15, 30), ist(15, 45)]))
    chains = seen(one, poll(one, at, dict.fromkeys(keys, COLUMNS)))
    assert time_part(chains, ReadinessSettings()).tolist() == parts
    _, made = readiness(chains, remembered(chains), events(), SETTINGS)
    assert made["time"].tolist() == parts


@pytest.mark.parametrize(
    ("total", "action"),
    [
        (0.0, "NO TRADE"),
        (39.99, "NO TRADE"),
        (40.0, "SMALL/HEDGED"),
        (59.99, "SMALL/HEDGED"),
        (60.0, "NORMAL"),
        (79.99, "NORMAL"),
        (80.0, "AGGRESSIVE"),
        (100.0, "AGGRESSIVE"),
    ],
)
def test_bands_begin_at_their_limit(total, action):
    assert ACTIONS[action_band(np.array([total]), ReadinessSettings())[0]] == action


@pytest.mark.parametrize(
    ("rows", "flips", "early", "agrees", "total", "action"),
    [
        ([NEAR], 0.0, False, True, 100.0, "AGGRESSIVE"),
        ([NEAR], 0.0, False, False, 80.0, "AGGRESSIVE"),
        ([NEAR], 1.0, False, False, 75.0, "NORMAL"),
        ([], 2.0, False, True, 60.0, "NORMAL"),
        ([], 3.0, False, True, 55.0, "SMALL/HEDGED"),
        ([], 2.0, False, False, 40.0, "SMALL/HEDGED"),
        ([], 3.0, False, False, 35.0, "NO TRADE"),
        ([], 4.0, True, False, 20.0, "NO TRADE"),
    ],
)
def test_every_action_is_reached(rows, flips, early, agrees, total, action):
    chains = picture(ist(9, 20) if early else AT)
    made = read(chains, rows, unforgiven_flips=flips, ewma_delta=5.0 if agrees else -5.0)
    assert (made["readiness"], made["action"]) == (total, action)


# Withheld -------------------------------------------------------------------------------------------------------------


def withheld(made):
    numbers = [made[n] for n in ("readiness", "structure", "trigger", "stability", "time")]
    return np.isnan(numbers).all() and made["action"] == "" and made["direction"] == ""


@pytest.mark.parametrize(
    ("refresh", "age", "status"),
    [(60.0, 180.0, ""), (60.0, 181.0, "stale"), (5.0, 60.0, ""), (5.0, 61.0, "stale"), (300.0, 900.0, ""),
     (300.0, 901.0, "stale")],
)  # fmt: skip
def test_stale_data_gives_no_reading(refresh, age, status):
    made = read(picture(AT, stamped=AT - age, refresh=np.array([refresh])), [NEAR])
    assert made["status"] == status
    assert withheld(made) == bool(status)


@pytest.mark.parametrize(("weight", "status"), [(90.0, ""), (89.0, "too few legs seen")])
def test_thin_data_gives_no_reading(weight, status):
    before = np.array([(weight - 1, -1), (-1, -1), (100 - weight - 1, -1)])
    two = {name: pairs[:2] for name, pairs in COLUMNS.items()}
    made = read(picture(columns=two, strikes={"NIFTY": LADDER[:2]}, previous_open_interest=before), [NEAR])
    assert made["status"] == status
    assert withheld(made) == bool(status)


def test_a_name_never_seen_one_left_out_and_one_without_options():
    one = a_day({"NIFTY": LADDER}, names=["SBIN", "NIFTY"], futures=[SegmentKey("SBIN", MONTHLY)])
    unseen = seen(one, poll(one, AT))
    _, made = readiness(unseen, remembered(unseen), events(), SETTINGS)
    assert made["status"].tolist() == ["not seen yet", "not seen yet"]
    assert np.isnan(made["readiness"]).all()
    left = read(picture().without(["NIFTY"]), [NEAR])
    assert left["status"] == "left out after an error"
    assert withheld(left)


def test_before_the_first_step_there_is_no_regime():
    made = read(picture(), regime=NAN, flow_pct=NAN, ewma_net=NAN, ewma_delta=NAN, unforgiven_flips=NAN)
    assert (made["readiness"], made["action"], made["status"]) == (0.0, "NO TRADE", "no regime")


def test_a_neutral_regime_is_a_reading_of_zero():
    made = read(picture(), regime=0.0, ewma_delta=0.0)
    assert made["structure"] == 0.0
    assert (made["readiness"], made["action"], made["status"], made["direction"]) == (0.0, "NO TRADE", "", "")


def test_each_name_is_read_from_its_nearest_expiry():
    keys = [SegmentKey("NIFTY", WEEKLY), SegmentKey("NIFTY", MONTHLY), SegmentKey("SBIN", MONTHLY)]
    one = a_day(dict.fromkeys(keys, LADDER))
    chains = seen(one, poll(one, AT, dict.fromkeys(keys, COLUMNS)))
    state = remembered(chains).updated(
        segment={"regime": np.array([-1.0, 1.0, 1.0]), "flow_pct": np.array([-0.3, 0.3, 0.3])}
    )
    _, made = readiness(chains, state, events(("SBIN", MONTHLY, 1, False)), SETTINGS)
    assert made["direction"].tolist() == ["BEARISH", "BULLISH"]
    assert made["trigger"].tolist() == [0.0, 15.0]
    assert not math.isnan(made["readiness"][0])
