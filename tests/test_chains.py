"""The frozen picture: slices, pictures without a name, the ladder for people, staleness."""

from datetime import date

import numpy as np
import pytest

from optionscanner.errors import ChainError
from optionscanner.model.chains import is_stale
from optionscanner.model.contracts import SegmentKey
from optionscanner.model.reasons import Reason, words
from tests.builders import MONTHLY, WEEKLY, ist
from tests.engine_builders import a_day, a_layout, assert_same, lively_pictures, poll, seen

AT = ist(10, 0)
LADDER = [95.0, 100.0]


def two_names():
    one = a_day(
        {"NIFTY": LADDER, SegmentKey("NIFTY", MONTHLY): LADDER, "SBIN": [10.0, 20.0, 30.0]},
        futures=[SegmentKey("NIFTY", MONTHLY), SegmentKey("SBIN", MONTHLY)],
        refresh=np.array([60.0, 300.0]),
    )
    quotes = {"last": [(6, 1), (3, 3)], "open_interest": [(10, 20), (30, 40)], "volume": [(1, 2), (3, 4)]}
    stock = {"last": [(5, 1)] * 3, "open_interest": [(7, 8)] * 3, "volume": [(1, 1)] * 3}
    return seen(
        one,
        poll(
            one,
            AT,
            {"NIFTY": quotes, SegmentKey("NIFTY", MONTHLY): quotes, "SBIN": stock},
            spot={"NIFTY": 98.0, "SBIN": 21.0},
            futures={"NIFTY": {"last": 99.0}, "SBIN": {"last": 22.0}},
        ),
    )


def test_spot_stands_beside_each_chain_of_its_underlying():
    assert two_names().spot.tolist() == [98.0, 98.0, 21.0]


def test_a_slice_holds_one_name_as_if_the_others_were_not_listed():
    alone = two_names().sliced("SBIN")
    assert alone.layout.names == ("SBIN",)
    assert (alone.legs.last.tolist(), alone.spot.tolist()) == ([[5, 1]] * 3, [21.0])
    assert (alone.futures.last.tolist(), alone.day.refresh.tolist()) == ([22.0], [300.0])
    assert (alone.polls.segment.tolist(), alone.updated.tolist()) == ([0], [True])
    assert alone.day.tick_size.tolist() == [0.05]


def test_a_slice_of_the_first_name_keeps_both_its_chains():
    alone = two_names().sliced("NIFTY")
    assert alone.layout.segment_keys == (SegmentKey("NIFTY", WEEKLY), SegmentKey("NIFTY", MONTHLY))
    assert alone.polls.segment.tolist() == [0, 1]
    assert alone.legs.open_interest.shape == (4, 2)


def test_without_a_name_it_is_as_if_nothing_had_been_seen_of_it():
    chains = two_names()
    rest = chains.without(["NIFTY"])
    blank = seen(chains.day, poll(chains.day, AT, spot={"SBIN": 21.0}))
    assert_same(rest.sliced("NIFTY").legs, blank.sliced("NIFTY").legs)
    assert_same(rest.sliced("NIFTY").underlyings, blank.sliced("NIFTY").underlyings)
    assert np.isnan(rest.futures.last[0])
    assert rest.updated.tolist() == [False, False, True]
    assert rest.refused.tolist() == [Reason.QUARANTINED, Reason.QUARANTINED, Reason.OK]
    assert not rest.listed[:4].any()
    assert not rest.changed[:4].any()
    assert np.isnan([*rest.coverage[:2], *rest.stamped_at[:2], *rest.observed_at[:2], *rest.oldest_at[:2]]).all()


def test_without_a_name_the_others_are_untouched_and_so_is_the_picture():
    chains, control = two_names(), two_names()
    rest = chains.without({"NIFTY"})
    assert_same(rest.sliced("SBIN"), control.sliced("SBIN"))
    assert_same(chains, control)
    assert_same(chains.without([]), control)


def test_polls_of_a_name_that_is_left_out_stay_counted():
    chains = lively_pictures(4, 1)[0]
    assert_same(chains.without(["NIFTY"]).polls, chains.polls)


def test_the_ladder_is_call_strike_put_from_the_nearest_expiry():
    frame = two_names().ladder("NIFTY")
    assert list(frame) == [
        "call_open_interest", "call_volume", "call_bid", "call_ask", "call_last", "strike",
        "put_last", "put_ask", "put_bid", "put_volume", "put_open_interest",
    ]  # fmt: skip
    assert frame["strike"].tolist() == LADDER
    assert frame[["call_last", "put_last", "put_open_interest"]].to_numpy().tolist() == [[6, 1, 20], [3, 3, 40]]
    assert two_names().ladder("SBIN", WEEKLY)["call_open_interest"].tolist() == [7, 7, 7]


@pytest.mark.parametrize(("name", "expiry"), [("TCS", None), ("SBIN", date(2026, 3, 31))])
def test_a_ladder_that_is_not_listed_is_an_error_in_a_sentence(name, expiry):
    with pytest.raises(ChainError, match=f"no contracts of {name} .* are listed today"):
        two_names().ladder(name, expiry)


@pytest.mark.parametrize(
    ("refresh", "age", "stale"),
    [
        (5.0, 60.0, False),  # three refreshes are 15 s, but nothing is stale within a minute
        (5.0, 60.5, True),
        (60.0, 180.0, False),
        (60.0, 180.5, True),
        (300.0, 900.0, False),
        (300.0, 901.0, True),
    ],
)
def test_stale_is_older_than_three_refreshes_and_a_minute(refresh, age, stale):
    one = a_day({"NIFTY": LADDER}, refresh=np.array([refresh]))
    chains = seen(one, poll(one, AT, {"NIFTY": {"last": [(6, 1), (3, 3)]}}), as_of=AT + age)
    assert is_stale(chains, refreshes=3, at_least=60).tolist() == [stale]


def test_staleness_goes_by_the_markets_stamp_and_by_name():
    one = a_day({"NIFTY": LADDER, "SBIN": LADDER}, refresh=np.array([60.0, 300.0]))
    quotes = {"last": [(6, 1), (3, 3)]}
    chains = seen(one, poll(one, AT, {"NIFTY": quotes, "SBIN": quotes}, stamped=AT - 100), as_of=AT + 100)
    assert is_stale(chains, refreshes=3, at_least=60).tolist() == [True, False]


def test_a_chain_never_seen_is_stale():
    one = a_day({"NIFTY": LADDER})
    assert is_stale(seen(one, poll(one, AT)), refreshes=3, at_least=60).tolist() == [True]


def test_every_reason_has_words_and_a_number_that_never_moves():
    """The numbers stand in stored histories."""
    assert set(words) == set(Reason)
    assert all(reason.words for reason in Reason if reason is not Reason.OK)
    assert {reason.name: int(reason) for reason in Reason} == {
        "OK": 0, "BELOW_INTRINSIC": 1, "AT_INTRINSIC": 2, "NONPOSITIVE_PRICE": 3, "AT_OR_ABOVE_UPPER_BOUND": 4,
        "EXPIRED": 5, "NO_PRICE": 6, "NO_FORWARD": 7, "NO_TERMS": 8, "NOT_TRADED_TODAY": 20, "OLD_TRADE": 21,
        "WIDE_SPREAD": 22, "BELOW_TWO_TICKS": 23, "LAST_MINUTE": 24, "NEGATIVE": 30, "CROSSED": 31,
        "VOLUME_SHRANK": 32, "ABSURD": 33, "SPOT_ZERO": 40, "SPOT_ABSURD": 41, "BEFORE_OPEN": 50, "AFTER_CLOSE": 51,
        "STALE_STAMP": 52, "STAMP_IN_FUTURE": 53, "REPEATED_STAMP": 54, "TOO_FEW_STRIKES": 55,
        "EXPIRED_CONTRACT": 56, "STALE": 60, "LOW_COVERAGE": 61, "NO_OPEN_INTEREST": 62, "NOT_YET_OBSERVED": 63,
        "QUARANTINED": 64, "WINDOW_NOT_COVERED": 65, "NOTHING_BEFORE": 66, "OPEN_INTEREST_NOT_RISING": 70,
        "DIRECTION_UNKNOWN": 71, "NO_REGIME": 72, "AGAINST_FLOW": 73, "EXPIRY_DAY": 74,
    }  # fmt: skip


def test_a_market_of_one_strike_is_a_market():
    one = a_day(a_layout({"NIFTY": [100.0]}))
    chains = seen(one, poll(one, AT, {"NIFTY": {"last": [(6, 1)]}}, spot={"NIFTY": 98.0}))
    assert chains.refused.tolist() == [Reason.TOO_FEW_STRIKES]
    assert chains.sliced("NIFTY").ladder("NIFTY")["strike"].tolist() == [100.0]
