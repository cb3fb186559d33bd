"""The border: what is blanked, what is refused and why, what a leg's clocks say, what comes out frozen."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from optionscanner.model.contracts import CALL, PUT, SegmentKey
from optionscanner.model.observations import Observation
from optionscanner.model.picture import MarketPicture
from optionscanner.model.reasons import Reason
from tests.builders import MONTHLY, TRADING_DATE, WEEKLY, ist
from tests.engine_builders import (
    LivelyMarket,
    a_day,
    a_layout,
    assert_same,
    frozen,
    lively_day,
    poll,
    rows_of,
    seen,
)

NAN = float("nan")
AT = ist(10, 0)
LADDER = [95.0, 100.0, 105.0]
GOOD = {"last": [(6, 1), (3, 3), (1, 6)], "volume": [(10, 10)] * 3, "open_interest": [(100, 200)] * 3}


def day(**given):
    return a_day({"NIFTY": LADDER}, futures=[SegmentKey("NIFTY", MONTHLY)], **given)


def observed(*columns, at=AT, step=60.0, **given):
    """The picture after polls of these columns, `step` seconds apart."""
    one = day()
    polls = [
        poll(one, at + step * i, {"NIFTY": {**GOOD, **more}}, spot={"NIFTY": 100.0}) for i, more in enumerate(columns)
    ]
    return seen(one, *polls, **given)


def leg(chains, name, row=0, side=CALL):
    return getattr(chains.legs, name)[row, side]


def same(values, expected):
    assert np.array_equal(np.asarray(values, dtype=float), np.asarray(expected, dtype=float), equal_nan=True)


# Leg faults -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["last", "bid", "ask", "bid_quantity", "ask_quantity", "volume", "open_interest"])
@pytest.mark.parametrize(
    ("wrong", "reason"),
    [
        (-1.0, Reason.NEGATIVE),
        (-0.05, Reason.NEGATIVE),
        (float("-inf"), Reason.NEGATIVE),
        (1.000001e12, Reason.ABSURD),
        (1e300, Reason.ABSURD),
        (float("inf"), Reason.ABSURD),
    ],
)
def test_a_negative_or_absurd_quantity_is_blank_with_a_reason(name, wrong, reason):
    pairs = [list(pair) for pair in GOOD.get(name, [(1, 1)] * 3)]
    pairs[0][CALL] = wrong
    chains = observed({name: pairs})
    assert np.isnan(leg(chains, name))
    assert leg(chains, "fault") == reason
    assert (chains.legs.fault.ravel()[1:] == Reason.OK).all()
    assert leg(chains, name, side=PUT) == pairs[0][PUT]
    assert chains.polls.faulty_legs.tolist() == [1]


@pytest.mark.parametrize("name", ["last", "bid", "ask"])
def test_a_price_of_zero_is_an_empty_quote_and_no_fault(name):
    chains = observed({name: [(0, 1), (1, 1), (1, 1)]})
    assert np.isnan(leg(chains, name))
    assert leg(chains, "fault") == Reason.OK


def test_a_quantity_of_zero_is_a_quoted_zero():
    chains = observed({"open_interest": [(0, 5)] * 3, "volume": [(0, 5)] * 3, "bid_quantity": [(0, 0)] * 3})
    assert [leg(chains, n) for n in ("open_interest", "volume", "bid_quantity")] == [0, 0, 0]


@pytest.mark.parametrize(("bid", "ask", "fault"), [(5.05, 5.0, Reason.CROSSED), (5.0, 5.0, Reason.OK)])
def test_a_bid_above_the_ask_blanks_both_and_a_locked_quote_stays(bid, ask, fault):
    chains = observed({"bid": [(bid, 1)] * 3, "ask": [(ask, 2)] * 3})
    assert leg(chains, "fault") == fault
    same([leg(chains, "bid"), leg(chains, "ask")], [NAN, NAN] if fault else [bid, ask])
    assert leg(chains, "last") == 6


def test_a_shrunken_volume_is_blank_until_it_has_grown_back():
    volumes = [(50, 10), (49, 10), (NAN, 10), (49.5, 10), (50, 10), (51, 10)]
    found, faults = [], []
    for upto in range(1, len(volumes) + 1):
        chains = observed(*({"volume": [pair, (1, 1), (1, 1)]} for pair in volumes[:upto]))
        found.append(leg(chains, "volume"))
        faults.append(Reason(leg(chains, "fault")))
    same(found, [50, NAN, NAN, NAN, 50, 51])
    assert faults == [Reason.OK, Reason.VOLUME_SHRANK, Reason.OK, Reason.VOLUME_SHRANK, Reason.OK, Reason.OK]


def test_a_refused_volume_does_not_raise_the_bar():
    """A chain that is refused says nothing, not even how much had traded."""
    one = day()
    later = poll(one, AT + 60, {"NIFTY": {**GOOD, "volume": [(90, 90)] * 3}}, stamped=AT - 3_600)
    chains = seen(one, poll(one, AT, {"NIFTY": GOOD}), later, poll(one, AT + 120, {"NIFTY": GOOD}))
    assert chains.polls.refused.tolist() == [Reason.OK, Reason.STALE_STAMP, Reason.OK]
    assert leg(chains, "volume") == 10


# Clocks of a leg ------------------------------------------------------------------------------------------------------


def test_a_leg_that_has_not_traded_today_has_no_price_time():
    chains = observed({"volume": [(0, 10)] * 3})
    same(chains.legs.price_at, [(NAN, AT)] * 3)
    assert (chains.legs.last[:, CALL] == [6, 3, 1]).all()


def test_the_price_time_moves_with_volume_not_with_the_price():
    """A changed last price without a trade is a correction of the collector's."""
    chains = observed({}, {"last": [(7, 1)] * 3}, {"volume": [(11, 10)] * 3})
    same(chains.legs.price_at[0], [AT + 120, AT])


def test_without_a_volume_a_changed_price_is_a_trade():
    chains = observed({"volume": [(NAN, NAN)] * 3}, {"volume": [(NAN, NAN)] * 3, "last": [(6, 2), (3, 3), (1, 6)]})
    same(chains.legs.price_at, [(AT, AT + 60), (AT, AT), (AT, AT)])


def test_open_interest_time_is_that_of_its_last_change():
    chains = observed({}, {}, {"open_interest": [(100, 210)] * 3}, {"open_interest": [(NAN, 210)] * 3})
    same(chains.legs.open_interest_at, [(AT, AT + 120)] * 3)


def test_times_that_the_source_knows_are_taken():
    given_at = [(AT - 5, AT - 7)] * 3
    chains = observed({"price_at": given_at, "open_interest_at": given_at})
    same(chains.legs.price_at, given_at)
    same(chains.legs.open_interest_at, given_at)


def test_times_are_the_markets_where_it_stamps_its_data():
    one = day()
    chains = seen(one, poll(one, AT, {"NIFTY": GOOD}, stamped=AT - 100))
    assert (chains.observed_at[0], chains.stamped_at[0], leg(chains, "price_at")) == (AT, AT - 100, AT - 100)
    chains = seen(one, poll(one, AT, {"NIFTY": GOOD}, stamped=NAN))
    assert (chains.stamped_at[0], leg(chains, "seen_at")) == (AT, AT)


# Refused chains -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("at", "stamp", "reason"),
    [
        (ist(9, 14, 59), ist(9, 14, 59), Reason.BEFORE_OPEN),
        (ist(9, 15), ist(9, 15), Reason.OK),
        (ist(9, 15, 30), ist(9, 14, 59), Reason.STALE_STAMP),  # the pre-open's, or yesterday's
        (ist(10, 0), ist(9, 50), Reason.OK),
        (ist(10, 0), ist(9, 49, 59), Reason.STALE_STAMP),
        (ist(10, 0), ist(10, 1), Reason.OK),
        (ist(10, 0), ist(10, 1, 1), Reason.STAMP_IN_FUTURE),
        (ist(15, 45), ist(15, 40), Reason.OK),
        (ist(15, 45, 1), ist(15, 40), Reason.AFTER_CLOSE),
    ],
)
def test_a_chain_at_a_wrong_time_is_refused(at, stamp, reason):
    one = day()
    chains = seen(one, poll(one, at, {"NIFTY": GOOD}, stamped=stamp, spot={"NIFTY": 100.0}))
    assert chains.polls.refused.tolist() == [reason]
    assert chains.refused.tolist() == [reason]
    assert chains.updated.tolist() == [reason == Reason.OK]
    assert np.isfinite(chains.legs.last).any() == (reason == Reason.OK)
    assert np.isfinite(chains.spot[0]) == (reason == Reason.OK)


def test_the_close_is_the_contracts_own():
    one = a_day({"NIFTY": LADDER, "SBIN": LADDER}, contract_close=np.array([ist(15, 0), ist(15, 30)]))
    chains = seen(one, poll(one, ist(15, 20), {"NIFTY": GOOD, "SBIN": GOOD}))
    assert chains.refused.tolist() == [Reason.AFTER_CLOSE, Reason.OK]


@pytest.mark.parametrize(
    ("second", "reason"), [(0, Reason.REPEATED_STAMP), (-1, Reason.REPEATED_STAMP), (1, Reason.OK)]
)
def test_a_stamp_must_be_newer_than_the_last_accepted_one(second, reason):
    one = day()
    changed = {**GOOD, "open_interest": [(300, 300)] * 3}
    chains = seen(one, poll(one, AT, {"NIFTY": GOOD}), poll(one, AT + 30, {"NIFTY": changed}, stamped=AT + second))
    assert chains.polls.refused.tolist() == [Reason.OK, reason]
    assert leg(chains, "open_interest") == (300 if reason == Reason.OK else 100)
    assert chains.stamped_at[0] == (AT + 1 if reason == Reason.OK else AT)


def test_one_stamp_from_the_future_does_not_shut_out_the_right_ones():
    one = day()
    chains = seen(
        one, poll(one, AT, {"NIFTY": GOOD}, stamped=AT + 300), poll(one, AT + 60, {"NIFTY": GOOD}), as_of=AT + 60
    )
    assert chains.polls.refused.tolist() == [Reason.STAMP_IN_FUTURE, Reason.OK]


def test_an_expired_chain_is_refused():
    yesterday = SegmentKey("NIFTY", TRADING_DATE.replace(day=29))
    one = a_day({yesterday: LADDER, "NIFTY": LADDER, SegmentKey("NIFTY", TRADING_DATE): LADDER})
    chains = seen(one, poll(one, AT, dict.fromkeys(one.layout.segment_keys, GOOD)))
    assert dict(zip(one.layout.segment_keys, chains.refused.tolist(), strict=True)) == {
        yesterday: Reason.EXPIRED_CONTRACT,
        SegmentKey("NIFTY", TRADING_DATE): Reason.OK,
        SegmentKey("NIFTY", WEEKLY): Reason.OK,
    }


@pytest.mark.parametrize(
    ("quoted", "reason"), [(0, Reason.TOO_FEW_STRIKES), (1, Reason.TOO_FEW_STRIKES), (2, Reason.OK)]
)
def test_a_chain_needs_two_quoted_strikes(quoted, reason):
    prices = [(6, NAN), (NAN, 3), (NAN, NAN)] if quoted == 2 else [(6, 1)] * quoted + [(NAN, NAN)] * (3 - quoted)
    chains = observed({"last": prices})
    assert chains.refused.tolist() == [reason]


def test_a_bid_alone_is_a_quote():
    chains = observed({"last": [(NAN, NAN)] * 3, "bid": [(5, NAN), (NAN, 2), (NAN, NAN)]})
    assert chains.refused.tolist() == [Reason.OK]


@pytest.mark.parametrize(
    ("spot", "future", "prices", "reason"),
    [
        (0.0, None, [(6, NAN), (3, NAN), (1, NAN)], Reason.NO_FORWARD),
        (100.0, None, [(6, NAN), (3, NAN), (1, NAN)], Reason.OK),
        (0.0, 101.0, [(6, NAN), (3, NAN), (1, NAN)], Reason.OK),
        (0.0, None, [(6, 1), (3, NAN), (1, NAN)], Reason.OK),
    ],
)
def test_a_chain_needs_something_to_take_a_forward_from(spot, future, prices, reason):
    one = a_day({SegmentKey("NIFTY", MONTHLY): LADDER}, futures=[SegmentKey("NIFTY", MONTHLY)])
    futures = {} if future is None else {"NIFTY": {"last": future}}
    chains = seen(
        one,
        poll(one, AT, {SegmentKey("NIFTY", MONTHLY): {"last": prices}}, spot={"NIFTY": spot}, futures=futures),
    )
    assert chains.refused.tolist() == [reason]


def test_a_poll_without_rows_is_refused_and_counted():
    one = day()
    chains = seen(one, poll(one, AT, {"NIFTY": {}}, strikes={"NIFTY": []}))
    assert chains.polls.refused.tolist() == [Reason.TOO_FEW_STRIKES]
    assert chains.polls.rows.tolist() == [0]


def test_a_refused_poll_leaves_the_last_numbers():
    one = day()
    good = poll(one, AT, {"NIFTY": GOOD}, spot={"NIFTY": 100.0}, futures={"NIFTY": {"last": 101.0}})
    bad = poll(
        one,
        AT + 3_600,
        {"NIFTY": {"last": [(9, 9)] * 3, "open_interest": [(1, 1)] * 3}},
        stamped=AT + 60,
        spot={"NIFTY": 50.0},
        futures={"NIFTY": {"last": 55.0}},
    )
    picture = MarketPicture(one)
    picture.observe(good)
    before = picture.frozen(AT)
    picture.observe(bad)
    after = picture.frozen(AT + 3_600)
    for part in ("legs", "futures", "underlyings"):
        assert_same(getattr(before, part), getattr(after, part))
    assert (after.updated.tolist(), after.changed.any()) == ([False], False)
    assert (after.refused.tolist(), after.stamped_at.tolist()) == ([Reason.STALE_STAMP], [AT])


# Spot and future ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("spot", "kept", "fault"),
    [
        (100.0, 100.0, Reason.OK),
        (0.0, NAN, Reason.SPOT_ZERO),
        (-5.0, NAN, Reason.SPOT_ZERO),
        (NAN, NAN, Reason.SPOT_ZERO),
        (47.5, 47.5, Reason.OK),  # half of the lowest strike
        (47.49, NAN, Reason.SPOT_ABSURD),
        (157.5, 157.5, Reason.OK),  # the highest strike and a half
        (157.51, NAN, Reason.SPOT_ABSURD),
        (float("inf"), NAN, Reason.SPOT_ZERO),
    ],
)
def test_a_spot_that_cannot_be_is_absent_and_the_chain_is_kept(spot, kept, fault):
    one = day()
    chains = seen(one, poll(one, AT, {"NIFTY": GOOD}, spot={"NIFTY": spot}))
    same(chains.spot, [kept])
    assert chains.underlyings.fault.tolist() == [fault]
    assert chains.refused.tolist() == [Reason.OK]
    same(chains.underlyings.spot_at, [AT if np.isfinite(kept) else NAN])


def test_a_spot_that_comes_back_is_well_again():
    one = day()
    polls = [poll(one, AT + i, {"NIFTY": GOOD}, spot={"NIFTY": s}) for i, s in enumerate((100.0, 0.0, 101.0))]
    assert seen(one, *polls).underlyings.fault.tolist() == [Reason.OK]
    broken = seen(one, *polls[:2]).underlyings
    assert (np.isnan(broken.spot[0]), broken.spot_at[0], broken.fault[0]) == (True, AT, Reason.SPOT_ZERO)


def test_the_days_bar_comes_along_and_a_volume_of_zero_is_kept():
    one = day()
    bar = {"open": {"NIFTY": 99.0}, "previous_close": {"NIFTY": 0.0}, "volume": {"NIFTY": 0.0}}
    spots = seen(one, poll(one, AT, spot={"NIFTY": 100.0}, **bar)).underlyings
    assert (spots.open[0], spots.volume[0]) == (99.0, 0.0)
    assert np.isnan(spots.previous_close[0])


def test_a_source_without_spot_leaves_spot_and_its_time():
    one = day()
    chains = seen(one, poll(one, AT, spot={"NIFTY": 100.0}), poll(one, AT + 60, open={"NIFTY": 99.0}))
    assert (chains.underlyings.spot[0], chains.underlyings.spot_at[0]) == (100.0, AT)


def test_an_underlying_without_options_has_no_absurd_spot():
    one = a_day({"NIFTY": LADDER}, names=["NIFTY", "SBIN"], futures=[SegmentKey("SBIN", MONTHLY)])
    chains = seen(one, poll(one, AT, spot={"SBIN": 1_068.0}))
    assert (chains.underlyings.spot[1], chains.underlyings.fault[1]) == (1_068.0, Reason.OK)


@pytest.mark.parametrize(("at", "believed"), [(ist(9, 14, 59), False), (ist(9, 15), True), (ist(15, 45, 1), False)])
def test_spot_future_and_vix_count_in_the_session_only(at, believed):
    one = day()
    chains = seen(one, poll(one, at, spot={"NIFTY": 100.0}, futures={"NIFTY": {"last": 101.0}}, vix=12.5))
    expected = [100.0, 101.0, 12.5] if believed else [NAN, NAN, NAN]
    same([chains.underlyings.spot[0], chains.futures.last[0], chains.vix], expected)


def test_spot_and_future_of_a_stale_chain_are_not_believed_whatever_else_came():
    """What BANKNIFTY's chain says about the time must not decide about NIFTY's prices."""
    one = a_day(
        {"NIFTY": LADDER, "BANKNIFTY": LADDER},
        futures=[SegmentKey("NIFTY", MONTHLY), SegmentKey("BANKNIFTY", MONTHLY)],
    )
    both = poll(
        one,
        AT,
        {"NIFTY": GOOD, "BANKNIFTY": GOOD},
        spot={"NIFTY": 100.0, "BANKNIFTY": 101.0},
        futures={"NIFTY": {"last": 102.0}, "BANKNIFTY": {"last": 103.0}},
    )
    both.stamped_at[0] = AT - 3_600
    chains = seen(one, both)
    assert chains.refused.tolist() == [Reason.STALE_STAMP, Reason.OK]
    same(chains.underlyings.spot, [NAN, 101.0])
    same(chains.futures.last, [NAN, 103.0])


def test_a_future_is_checked_like_a_leg():
    one = day()
    quotes = {"last": -1.0, "bid": 101.0, "ask": 100.0, "volume": float("inf"), "open_interest": 0.0}
    futures = seen(one, poll(one, AT, futures={"NIFTY": quotes})).futures
    same([futures.last[0], futures.bid[0], futures.ask[0], futures.volume[0]], [NAN] * 4)
    assert futures.open_interest[0] == 0


@pytest.mark.parametrize(
    ("first", "then", "price_at"),
    [
        ({"last": 100.0, "volume": 5.0}, {"last": 100.0, "volume": 6.0}, AT + 60),
        ({"last": 100.0, "volume": 5.0}, {"last": 101.0, "volume": 5.0}, AT),
        ({"last": 100.0, "volume": 0.0}, {"last": 100.0, "volume": 0.0}, NAN),
        ({"last": 100.0}, {"last": 100.0}, AT),
        ({"last": 100.0}, {"last": 101.0}, AT + 60),
        ({"last": 100.0}, {"last": 0.0}, AT),
        ({"last": 100.0, "price_at": AT - 9}, {"last": 101.0, "price_at": AT - 3}, AT - 3),
    ],
)
def test_the_time_of_a_futures_price(first, then, price_at):
    one = day()
    polls = [poll(one, AT + 60 * i, futures={"NIFTY": values}) for i, values in enumerate((first, then))]
    same(seen(one, *polls).futures.price_at, [price_at])


# What is listed, current, updated -------------------------------------------------------------------------------------


def test_a_strike_seen_during_the_day_is_listed_from_then():
    one = day(listed=np.array([[1, 1], [1, 1], [0, 0]], dtype=bool))
    first = poll(one, AT, {"NIFTY": {k: v[:2] for k, v in GOOD.items()}}, strikes={"NIFTY": LADDER[:2]})
    assert seen(one, first).listed.tolist() == [[True, True], [True, True], [False, False]]
    assert seen(one, first).coverage.tolist() == [1.0]
    one_side = {**GOOD, "last": [(6, 1), (3, 3), (1, NAN)]}
    one_side = {name: [*pairs[:2], (pairs[2][0], NAN)] for name, pairs in one_side.items()}
    later = poll(one, AT + 60, {"NIFTY": one_side})
    chains = seen(one, first, later)
    assert chains.listed.tolist() == [[True, True], [True, True], [True, False]]
    same(chains.legs.seen_at[2], [AT + 60, NAN])


def test_coverage_is_weighted_by_yesterdays_open_interest_plus_one():
    before = np.array([[9.0, NAN], [99.0, 0.0], [889.0, NAN]])
    one = day(previous_open_interest=before)
    lower = poll(one, AT, {"NIFTY": {k: v[:2] for k, v in GOOD.items()}}, strikes={"NIFTY": LADDER[:2]})
    weights = [10 + 1, 100 + 1, 890 + 1]
    assert seen(one, lower).coverage[0] == pytest.approx((weights[0] + weights[1]) / sum(weights), rel=1e-15)


@pytest.mark.parametrize(("seconds", "coverage"), [(900.0, 1.0), (901.0, 2 / 3)])
def test_a_leg_counts_as_current_for_a_while(seconds, coverage):
    one = day()
    lower = {k: v[:2] for k, v in GOOD.items()}
    chains = seen(
        one, poll(one, AT, {"NIFTY": GOOD}), poll(one, AT + seconds, {"NIFTY": lower}, strikes={"NIFTY": LADDER[:2]})
    )
    assert chains.coverage[0] == pytest.approx(coverage)
    assert chains.oldest_at[0] == AT


def test_a_chain_never_seen_has_no_times_and_no_coverage():
    chains = seen(day(), poll(day(), AT, spot={"NIFTY": 100.0}))
    same([chains.stamped_at[0], chains.observed_at[0], chains.oldest_at[0]], [NAN] * 3)
    assert chains.coverage[0] == 0.0
    nothing_listed = day(listed=np.zeros((3, 2), dtype=bool))
    assert np.isnan(seen(nothing_listed, poll(nothing_listed, AT)).coverage[0])


def test_a_picture_says_what_is_new_since_the_last_one():
    one = day()
    picture = MarketPicture(one)
    picture.observe(poll(one, AT, {"NIFTY": GOOD}))
    assert picture.frozen(AT).changed.all()
    picture.observe(poll(one, AT + 60, {"NIFTY": {**GOOD, "last": [(6, 1), (4, 3), (1, 6)]}}))
    picture.observe(poll(one, AT + 120, {"NIFTY": GOOD}))
    chains = picture.frozen(AT + 120)
    assert chains.changed.tolist() == [[False, False], [True, False], [False, False]]
    assert (chains.updated.tolist(), chains.polls.observed_at.tolist()) == ([True], [AT + 60, AT + 120])
    quiet = picture.frozen(AT + 180)
    assert (quiet.updated.any(), quiet.changed.any(), len(quiet.polls.segment)) == (False, False, 0)
    assert_same(quiet.legs, chains.legs)


def test_odd_lots_are_a_share_of_legs_with_open_interest():
    one = a_day({"NIFTY": LADDER}, lot=10.0)
    interest = [(100, 105), (0, 30), (NAN, 20.000001)]
    chains = seen(one, poll(one, AT, {"NIFTY": {**GOOD, "open_interest": interest}}))
    assert chains.polls.odd_lots.tolist() == [2 / 4]
    blank = seen(one, poll(one, AT, {"NIFTY": {"last": GOOD["last"]}}, spot={"NIFTY": 100.0}))
    assert np.isnan(blank.polls.odd_lots[0])
    assert blank.polls.refused.tolist() == [Reason.OK]


def test_an_absent_column_blanks_what_was_known():
    one = day()
    chains = seen(one, poll(one, AT, {"NIFTY": GOOD}), poll(one, AT + 60, {"NIFTY": {"last": GOOD["last"]}}))
    assert np.isnan(chains.legs.open_interest).all()


def test_rows_of_a_chain_that_was_not_polled_are_not_taken():
    one = a_day({"NIFTY": LADDER, "SBIN": LADDER})
    observation = poll(one, AT, {"NIFTY": GOOD, "SBIN": GOOD})
    stray = Observation(
        observed_at=AT,
        segments=observation.segments[:1],
        stamped_at=observation.stamped_at[:1],
        rows=observation.rows,
        legs=observation.legs,
    )
    chains = seen(one, stray)
    assert np.isnan(chains.legs.last[rows_of(one.layout, 1)]).all()
    assert chains.updated.tolist() == [True, False]


# Laws -----------------------------------------------------------------------------------------------------------------


def shuffled(seen_: Observation, draw) -> Observation:
    rows, chains = draw.permutation(len(seen_.rows)), draw.permutation(len(seen_.segments))
    spots, futures = draw.permutation(len(seen_.underlyings)), draw.permutation(len(seen_.futures))
    return Observation(
        observed_at=seen_.observed_at,
        segments=seen_.segments[chains],
        stamped_at=seen_.stamped_at[chains],
        rows=seen_.rows[rows],
        legs={n: v[rows] for n, v in seen_.legs.items()},
        underlyings=seen_.underlyings[spots],
        underlying_values={n: v[spots] for n, v in seen_.underlying_values.items()},
        futures=seen_.futures[futures],
        future_values={n: v[futures] for n, v in seen_.future_values.items()},
        vix=seen_.vix,
    )


def observations(seed, count):
    market = LivelyMarket(lively_day(), seed, faults=0.1)
    return market.day, [market.observation(ist(9, 16) + 90 * i) for i in range(count)]


@given(st.integers(0, 2**32 - 1))
def test_the_order_of_rows_does_not_matter(seed):
    one, polls = observations(seed, 4)
    draw = np.random.default_rng(seed)
    plain, mixed = seen(one, *polls), seen(one, *(shuffled(p, draw) for p in polls))
    assert_same(plain, mixed, leave_out=[f".polls.{f}" for f in plain.polls.__dataclass_fields__])
    for name in ("segment", "refused", "rows", "faulty_legs", "odd_lots"):
        assert sorted(np.nan_to_num(getattr(plain.polls, name))) == sorted(np.nan_to_num(getattr(mixed.polls, name)))


@given(st.integers(0, 2**32 - 1))
def test_an_observation_is_never_modified_and_a_frozen_picture_never_moves(seed):
    one, polls = observations(seed, 4)
    for observation in polls:
        frozen(observation)
    picture = MarketPicture(one)
    picture.observe(polls[0])
    early = picture.frozen(polls[0].observed_at)
    copy = seen(one, polls[0])
    frozen(early)
    for later in polls[1:]:
        picture.observe(later)
    picture.frozen(polls[-1].observed_at)
    assert_same(early, copy)


@pytest.mark.slow
@given(st.integers(0, 2**32 - 1))
def test_one_name_alone_is_folded_as_among_the_others(seed):
    """Every chain's rows, clocks and reasons are those of a market that has only that underlying."""
    one, polls = observations(seed, 4)
    whole = seen(one, *polls)
    for name in one.layout.names:
        alone = whole.sliced(name)
        mine = one.layout.names.index(name)
        chains = np.flatnonzero(one.layout.segment_underlying == mine)
        rows = np.flatnonzero(np.isin(one.layout.row_segment, chains))
        futures = np.flatnonzero(one.layout.future_underlying == mine)

        def part(p, chains=chains, rows=rows, futures=futures, mine=mine):
            c, r = np.isin(p.segments, chains), np.isin(p.rows, rows)
            u, f = p.underlyings == mine, np.isin(p.futures, futures)
            return Observation(
                observed_at=p.observed_at,
                segments=p.segments[c] - (chains[0] if len(chains) else 0),
                stamped_at=p.stamped_at[c],
                rows=p.rows[r] - (rows[0] if len(rows) else 0),
                legs={n: v[r] for n, v in p.legs.items()},
                underlyings=p.underlyings[u] - mine,
                underlying_values={n: v[u] for n, v in p.underlying_values.items()},
                futures=p.futures[f] - (futures[0] if len(futures) else 0),
                future_values={n: v[f] for n, v in p.future_values.items()},
            )

        assert_same(seen(alone.day, *map(part, polls)), alone)


def test_every_leg_is_folded_as_by_a_plain_loop():
    """Last value, highest volume, times of trade and of open interest, leg by leg in plain Python."""
    one, polls = observations(77, 25)
    chains = seen(one, *polls)
    layout, high, legs = one.layout, {}, {}
    stamps = {}
    for p in polls:
        accepted = {}
        for chain, stamp in zip(p.segments.tolist(), p.stamped_at.tolist(), strict=True):
            if stamp > stamps.get(chain, 0) and stamp >= one.session.opens.timestamp():
                stamps[chain] = accepted[chain] = stamp
        for i, row in enumerate(p.rows.tolist()):
            stamp = accepted.get(int(layout.row_segment[row]))
            if stamp is None:
                continue
            for side in (0, 1):
                now = {n: float(v[i, side]) for n, v in p.legs.items()}
                for n, value in list(now.items()):
                    if value < 0 or (value == 0 and n in ("last", "bid", "ask")):
                        now[n] = NAN
                if now["bid"] > now["ask"]:
                    now["bid"] = now["ask"] = NAN
                known = high.get((row, side), -1.0)
                if now["volume"] < known:
                    now["volume"] = NAN
                old = legs.get((row, side), {"price_at": NAN, "open_interest_at": NAN})
                traded = now["volume"] > max(known, 0) or (
                    np.isnan(now["volume"]) and now["last"] != old.get("last", NAN) and now["last"] > 0
                )
                stepped = now["open_interest"] >= 0 and now["open_interest"] != old.get("open_interest", NAN)
                now["price_at"] = stamp if traded else old["price_at"]
                now["open_interest_at"] = stamp if stepped else old["open_interest_at"]
                now["seen_at"] = stamp
                high[row, side] = max(known, -1.0 if np.isnan(now["volume"]) else now["volume"])
                legs[row, side] = now
    names = ("last", "bid", "ask", "volume", "open_interest", "price_at", "open_interest_at", "seen_at")
    for name in names:
        expected = [[legs.get((row, side), {}).get(name, NAN) for side in (0, 1)] for row in range(layout.rows)]
        same(getattr(chains.legs, name), expected)


@pytest.mark.slow
@given(st.integers(0, 2**32 - 1), st.integers(0, 2**32 - 1))
def test_a_picture_moved_to_a_larger_layout_and_back_loses_nothing(seed, other):
    """New names before and behind, new strikes in every ladder, what was not frozen yet included."""
    one, polls = observations(seed, 3)
    draw = np.random.default_rng(other)
    old = one.layout
    ladders = {k: old.strike[s:e] for k, s, e in zip(old.segment_keys, old.starts, old.ends, strict=True)}
    larger = {k: [*v, *(v[0] + 0.35 * draw.integers(1, 900, draw.integers(0, 4)))] for k, v in ladders.items()}
    larger |= {SegmentKey("AXISBANK", MONTHLY): [1_200.0, 1_210.0], SegmentKey("SBIN", WEEKLY): [1_060.0]}
    names = draw.permutation([*old.names, "AXISBANK"]).tolist()
    grown = a_day(a_layout(larger, lot=25.0, names=names, futures=[*old.future_keys, SegmentKey("IDEA", MONTHLY)]),
                  listed=np.zeros((sum(len(set(np.round(v, 2))) for v in larger.values()), 2), dtype=bool))  # fmt: skip
    picture, control = MarketPicture(one), MarketPicture(one)
    for p in polls[:2]:
        picture.observe(p)
        control.observe(p)
    there = picture.reindexed(grown)
    rows = grown.layout.rows_from(old)
    moved_chains, plain = picture.reindexed(grown).frozen(AT), seen(one, *polls[:2])
    assert (rows >= 0).sum() == old.rows
    same(moved_chains.legs.last[rows >= 0], plain.legs.last[rows[rows >= 0]])
    assert np.isnan(moved_chains.legs.last[rows < 0]).all()
    back = there.reindexed(one)
    for p in polls[2:]:
        back.observe(p)
        control.observe(p)
    assert_same(back.frozen(AT), control.frozen(AT))


def test_a_moved_picture_goes_on_where_it_was():
    """A strike listed at noon joins; volumes that shrink across the move are still a fault."""
    small = a_day({"NIFTY": LADDER})
    large = a_day({"NIFTY": [*LADDER, 110.0], "SBIN": LADDER}, names=["SBIN", "NIFTY"])
    picture = MarketPicture(small)
    picture.observe(poll(small, AT, {"NIFTY": GOOD}, spot={"NIFTY": 100.0}, vix=11.0))
    picture = picture.reindexed(large)
    four = {name: [*pairs, (1, 9)] for name, pairs in GOOD.items()} | {"volume": [(10, 10), (9, 10), (10, 10), (1, 1)]}
    picture.observe(poll(large, AT + 60, {"NIFTY": four}))
    chains = picture.frozen(AT + 60)
    mine = rows_of(large.layout, 1)
    same(chains.legs.volume[mine], [(10, 10), (NAN, 10), (10, 10), (1, 1)])
    same(chains.legs.open_interest_at[mine], [(AT, AT)] * 3 + [(AT + 60, AT + 60)])
    assert (chains.spot.tolist()[1], chains.vix, chains.updated.tolist()) == (100.0, 11.0, [False, True])
    assert chains.polls.segment.tolist() == [1, 1]


def test_a_picture_moved_to_fewer_contracts_keeps_the_rest():
    large = a_day({"NIFTY": LADDER, "SBIN": LADDER})
    small = a_day({"SBIN": LADDER[1:]})
    picture = MarketPicture(large)
    picture.observe(poll(large, AT, {"NIFTY": GOOD, "SBIN": GOOD}))
    chains = picture.reindexed(small).frozen(AT)
    same(chains.legs.last, [(3, 3), (1, 6)])
    assert chains.polls.segment.tolist() == [0]
