"""The price reading: spot and changes, straddle, day values, and what is said when data is missing or old."""

import math

import numpy as np
import pytest

from optionscanner.analytics.price import price, stale_chains, usable_chains
from optionscanner.model.contracts import SegmentKey
from optionscanner.model.pricing import ForwardSource
from optionscanner.model.reasons import Reason
from optionscanner.model.settings import EngineSettings
from optionscanner.model.state import State
from tests.builders import MONTHLY, ist
from tests.engine_builders import a_day, poll, priced, seen

NAN = float("nan")
AT = ist(10, 0)
SETTINGS = EngineSettings()
LADDER = [95.0, 100.0, 105.0]
QUOTES = {"last": [(7, 1), (3, 2.5), (1, 6)], "open_interest": [(1, 1)] * 3, "volume": [(1, 1)] * 3}


def picture(columns=None, *, name="NIFTY", spot=100.0, previous_close=98.0, age=0.0, stamped=None, day=None, at=AT):
    one = day or a_day({name: LADDER})
    observation = poll(
        one,
        at,
        {name: QUOTES | (columns or {})},
        spot={name: spot},
        previous_close={name: previous_close},
        stamped=stamped,
    )
    return seen(one, observation, as_of=at + age)


def read(chains, state=None, **pricing):
    state, made = price(chains, priced(chains, **pricing), state or State.fresh(chains.layout), SETTINGS)
    return state, {name: made[name][0] for name in made.columns}


def status(chains, **pricing):
    return read(chains, **pricing)[1]["status"]


def test_a_row_by_hand():
    chains = picture()
    _, made = read(
        chains,
        forward=np.array([100.5]),
        future_price=np.array([100.4]),
        time_to_expiry=np.array([0.04]),
        atm_volatility=np.array([0.15]),
        implied_volatility=np.array([(NAN, 0.2), (0.2, 0.2), (0.2, NAN)]),
    )
    expected = {
        "spot": 100.0,
        "spot_change": 2.0,
        "spot_change_pct": 100 * 2 / 98,
        "forward": 100.5,
        "future_price": 100.4,
        "basis": 0.4,
        "rate": 0.05,
        "time_to_expiry": 0.04,
        "atm_strike": 100.0,
        "straddle": 5.5,
        "expected_move": 0.15 * 100.5 * 0.2,
        "atm_iv": 0.15,
        "atm_iv_change": 0.0,
        "straddle_open": 5.5,
        "straddle_high": 5.5,
        "straddle_low": 5.5,
        "coverage": 1.0,
        "legs_without_iv": 2.0,
        "price_time": AT,
        "open_interest_time": AT,
    }
    assert {name: made[name] for name in expected} == pytest.approx(expected, rel=1e-12)
    assert (made["forward_source"], made["status"]) == ("parity", "")


@pytest.mark.parametrize("source", list(ForwardSource))
def test_the_forwards_source_in_a_word(source):
    word = read(picture(), forward_source=np.array([source], dtype=np.uint8))[1]["forward_source"]
    assert word == {0: "", 1: "future", 2: "parity", 3: "carry"}[int(source)]


def test_a_missing_previous_close_leaves_the_change_blank():
    made = read(picture(previous_close=0.0))[1]
    assert np.isnan([made["spot_change"], made["spot_change_pct"]]).all()


def test_values_of_the_day_so_far():
    one, state = a_day({"NIFTY": LADDER}), None
    made = {}
    for i, (call, volatility) in enumerate([(3.0, NAN), (4.0, 0.15), (2.0, 0.13), (2.5, 0.16)]):
        chains = picture({"last": [(7, 1), (call, 2.5), (1, 6)]}, day=one, at=AT + 60 * i)
        state, made = read(chains, state, atm_volatility=np.array([volatility]))
    assert (made["straddle_open"], made["straddle_high"], made["straddle_low"]) == (5.5, 6.5, 4.5)
    assert made["atm_iv_change"] == pytest.approx(0.01)


def test_the_opening_range_is_of_the_first_quarter_hour_and_stays():
    """By spots where the source gives no high and low of the day; by those where it does."""
    one, state = a_day({"NIFTY": LADDER}), None
    for minute, spot in ((0, 100.0), (6, 104.0), (15, 97.0), (16, 110.0), (30, 90.0)):
        state, made = read(picture(day=one, spot=spot, at=ist(9, 15) + 60 * minute), state)
    assert (made["opening_high"], made["opening_low"]) == (104.0, 97.0)
    wide = poll(one, ist(9, 20), {"NIFTY": QUOTES}, spot={"NIFTY": 100.0}, high={"NIFTY": 103.0}, low={"NIFTY": 99.0})
    _, made = read(seen(one, wide, as_of=ist(9, 20)))
    assert (made["opening_high"], made["opening_low"]) == (103.0, 99.0)


def test_a_session_that_is_seen_later_has_no_opening_range():
    made = read(picture(at=ist(9, 31)))[1]
    assert np.isnan([made["opening_high"], made["opening_low"]]).all()


def test_values_of_the_day_move_on_an_observation_only():
    first = picture()
    state, _ = read(first)
    quiet = seen(first.day, poll(first.day, AT), as_of=AT + 60)
    after, _ = price(quiet, priced(quiet, price=np.full((3, 2), 9.0), reference=np.array([100.0])), state, SETTINGS)
    for name, values in after.segment.items():
        assert np.array_equal(values, state.segment[name], equal_nan=True)
    assert not after.touched.any()


@pytest.mark.parametrize("why", [Reason.NOT_TRADED_TODAY, Reason.AT_OR_ABOVE_UPPER_BOUND])
def test_a_price_of_yesterday_or_an_impossible_one_makes_no_straddle(why):
    codes = np.array([(0, 0), (why, 0), (0, 0)], dtype=np.uint8)
    made = read(picture(), iv_reason=codes)[1]
    assert np.isnan([made["straddle"], made["straddle_open"], made["straddle_high"], made["straddle_low"]]).all()


def test_a_missing_side_makes_no_straddle():
    assert math.isnan(read(picture({"last": [(7, 1), (3, NAN), (1, 6)]}))[1]["straddle"])


def test_without_a_money_there_is_no_atm_strike():
    made = read(picture(spot=0.0), atm_row=np.array([-1]), reference=np.array([NAN]))[1]
    assert np.isnan([made["atm_strike"], made["straddle"]]).all()


# Status ---------------------------------------------------------------------------------------------------------------


def test_the_status_is_empty_when_all_is_well():
    assert status(picture()) == ""


@pytest.mark.parametrize(
    ("spot", "words"), [(0.0, "no spot"), (1_000.0, "spot absurd"), (157.5, ""), (float("nan"), "no spot")]
)
def test_a_spot_that_cannot_be_is_named(spot, words):
    assert status(picture(spot=spot), forward=np.array([100.0 if spot != 157.5 else 157.5])) == words


def test_a_source_that_never_gave_a_spot_is_no_better():
    one = a_day({"NIFTY": LADDER})
    assert status(seen(one, poll(one, AT, {"NIFTY": QUOTES}))) == "no spot"


def test_no_forward_is_named_before_the_spot():
    assert status(picture(spot=0.0), forward=np.array([NAN])) == "no forward"


@pytest.mark.parametrize(
    ("years", "forward", "words"),
    [
        (0.0, 100.999, ""),
        (0.0, 101.01, "forward +1.0 % off spot carried to expiry"),
        (0.0, 98.99, "forward -1.0 % off spot carried to expiry"),
        (1.0, 100 * math.exp(0.0525) * 1.0099, ""),  # a year out, carry alone is 5.4 %
        (1.0, 100.0, "forward -5.1 % off spot carried to expiry"),
    ],
)
def test_an_index_forward_over_one_per_cent_off_carried_spot_is_flagged(years, forward, words):
    given = {"forward": np.array([forward]), "time_to_expiry": np.array([years])}
    assert status(picture(), **given) == words
    assert status(picture(name="SBIN"), **given) == ""  # stocks pay dividends, and some trade far below their spot


@pytest.mark.parametrize(("refresh", "age", "words"), [(60.0, 180.0, ""), (60.0, 181.0, "stale 181 s"), (5.0, 60.0, ""),
                                                       (5.0, 61.0, "stale 61 s")])  # fmt: skip
def test_a_stale_chain_says_how_old_it_is(refresh, age, words):
    one = a_day({"NIFTY": LADDER}, refresh=np.array([refresh]))
    assert status(picture(age=age, day=one)) == words


def test_a_chain_never_seen_and_one_left_out():
    one = a_day({"NIFTY": LADDER})
    assert status(seen(one, poll(one, AT))) == "not seen yet"
    assert status(picture().without(["NIFTY"])) == "left out after an error"


@pytest.mark.parametrize(
    ("at", "stamped", "words"),
    [
        (ist(9, 10), None, "refused: before the open"),
        (AT, AT - 601, "refused: stale stamp"),
    ],
)
def test_a_first_observation_that_is_refused_says_why(at, stamped, words):
    assert status(picture(at=at, stamped=stamped)) == words


@pytest.mark.parametrize(
    ("later", "words"),
    [
        ({"stamped": AT}, "refused: repeated stamp"),
        ({"stamped": AT - 601}, "refused: stale stamp"),
        ({"stamped": AT + 200}, "refused: stamp in future"),
        ({"columns": {"last": [(7, NAN), (NAN, NAN), (NAN, NAN)]}}, "refused: under two strikes quoted"),
        ({}, ""),
    ],
)
def test_a_refused_observation_says_why_while_the_last_numbers_stay(later, words):
    one = a_day({"NIFTY": LADDER})
    columns = later.pop("columns", QUOTES)
    chains = seen(
        one,
        poll(one, AT, {"NIFTY": QUOTES}, spot={"NIFTY": 100.0}),
        poll(one, AT + 60, {"NIFTY": columns}, spot={"NIFTY": 100.0}, **later),
    )
    assert status(chains) == words


@pytest.mark.parametrize(("rows", "words"), [(9, ""), (8, "80 % of legs seen")])
def test_a_chain_of_which_too_little_was_seen(rows, words):
    ladder = [60.0 + 5 * i for i in range(10)]
    one = a_day({"NIFTY": ladder})
    columns = {"last": [(3, 3)] * rows}
    chains = seen(one, poll(one, AT, {"NIFTY": columns}, strikes={"NIFTY": ladder[:rows]}, spot={"NIFTY": 100.0}))
    assert status(chains) == words
    assert usable_chains(chains, SETTINGS).tolist() == [rows == 9]


def test_a_share_just_under_the_limit_is_not_rounded_up_to_it():
    before = np.zeros((3, 2))
    before[2] = (5_100.0, 0.0)
    before[1] = (45_000.0, 0.0)
    one = a_day({"NIFTY": LADDER}, previous_open_interest=before)
    two = {"last": QUOTES["last"][:2]}
    chains = seen(one, poll(one, AT, {"NIFTY": two}, strikes={"NIFTY": LADDER[:2]}, spot={"NIFTY": 100.0}))
    assert 0.895 < chains.coverage[0] < 0.9
    assert status(chains) == "89 % of legs seen"


def test_staleness_comes_before_coverage_and_refusal():
    one = a_day({"NIFTY": LADDER})
    two = {"last": QUOTES["last"][:2]}
    chains = seen(
        one,
        poll(one, AT, {"NIFTY": two}, strikes={"NIFTY": LADDER[:2]}, spot={"NIFTY": 0.0}),
        poll(one, AT + 10, {"NIFTY": two}, strikes={"NIFTY": LADDER[:2]}, stamped=AT),
        as_of=AT + 500,
    )
    assert status(chains) == "stale 500 s"
    assert stale_chains(chains, SETTINGS).tolist() == [True]
    assert usable_chains(chains, SETTINGS).tolist() == [False]


def test_each_expiry_has_its_row_and_shares_the_spot():
    monthly = SegmentKey("NIFTY", MONTHLY)
    one = a_day({"NIFTY": LADDER, monthly: LADDER})
    chains = seen(one, poll(one, AT, {"NIFTY": QUOTES}, spot={"NIFTY": 100.0}))
    _, made = price(chains, priced(chains), State.fresh(one.layout), SETTINGS)
    assert made["spot"].tolist() == [100.0, 100.0]
    assert made["status"].tolist() == ["", "not seen yet"]
