"""Forward with provenance, volatilities with reasons, the surface and Greeks, for chains whose truth is known."""

from dataclasses import replace
from math import exp

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from optionscanner.analytics.pricing import price_market, surface_volatility
from optionscanner.model.contracts import CALL, PUT, SegmentKey
from optionscanner.model.pricing import ForwardSource, Pricing
from optionscanner.model.reasons import Reason
from optionscanner.model.settings import PricingSettings
from tests.builders import MONTHLY, TRADING_DATE, WEEKLY, ist
from tests.engine_builders import (
    LivelyMarket,
    a_day,
    assert_same,
    black76,
    frozen,
    lively_day,
    lively_pictures,
    poll,
    seen,
)

NAN = float("nan")
AT = ist(10, 0)
SETTINGS = PricingSettings(rate=0.06)
YEARS = (ist(15, 30, day=MONTHLY) - AT) / (365 * 86_400)
LADDER = [90.0, 95.0, 100.0, 105.0, 110.0]
CHAIN = SegmentKey("SBIN", MONTHLY)


def fair(forward=101.0, strikes=LADDER, years=YEARS, smile=lambda k: 0.25):
    """(call, put) prices of a chain, in plain Python."""
    return [
        tuple(
            black76(forward=forward, strike=k, years=years, rate=SETTINGS.rate, volatility=smile(k), call=call)
            for call in (True, False)
        )
        for k in strikes
    ]


def chain(columns, *, at=AT, spot=100.0, future=None, before=None, ladder=LADDER, listed=None, tick=0.05, **more):
    """One stock's chain after one poll (and one of `before`, which only traded earlier)."""
    given = {} if listed is None else {"listed": listed}
    one = a_day({CHAIN: ladder}, futures=[CHAIN], tick_size=np.array([tick]), **given)
    polls = []
    if before is not None:
        polls.append(poll(one, before[0], {CHAIN: before[1]}, spot={"SBIN": spot}))
    polls.append(
        poll(one, at, {CHAIN: columns}, spot={"SBIN": spot}, futures={} if future is None else {CHAIN: future}, **more)
    )
    return seen(one, *polls)


def traded(prices, volume=10.0):
    return {"last": prices, "volume": [(volume, volume)] * len(prices)}


def quoted(prices, half=0.0):
    pairs = np.array(prices)
    return {"bid": pairs - half, "ask": pairs + half}


def price(chains, **changed) -> Pricing:
    return price_market(chains, replace(SETTINGS, **changed))


# Forward --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("future", "forward", "source"),
    [
        ({"bid": 999.5, "ask": 1_000.5, "last": 98.0}, 1_000.0, ForwardSource.FUTURE),  # 0.1 % wide exactly
        ({"bid": 999.5, "ask": 1_000.502, "last": 98.0, "price_at": AT - 31}, 101.0, ForwardSource.PARITY),
        ({"bid": 99.94, "ask": 100.06, "last": 98.0, "price_at": AT - 30}, 98.0, ForwardSource.FUTURE),
        ({"bid": 99.94, "ask": 100.06, "last": 98.0, "price_at": AT - 31}, 101.0, ForwardSource.PARITY),
        ({"bid": NAN, "ask": 100.0, "last": 98.0, "price_at": AT - 30}, 98.0, ForwardSource.FUTURE),
        ({"last": 98.0, "price_at": AT - 31}, 101.0, ForwardSource.PARITY),
        ({"last": 98.0, "price_at": NAN}, 101.0, ForwardSource.PARITY),
        ({"last": 0.0, "price_at": AT}, 101.0, ForwardSource.PARITY),
        ({"bid": 100.2, "ask": 100.1, "last": 98.0, "price_at": AT - 31}, 101.0, ForwardSource.PARITY),
        (None, 101.0, ForwardSource.PARITY),
    ],
)
def test_the_forward_is_the_future_where_it_is_tight_or_fresh(future, forward, source):
    found = price(chain(quoted(fair(101.0)), future=future))
    assert ForwardSource(found.forward_source[0]) is source
    assert found.forward[0] == pytest.approx(forward, rel=1e-12)


def test_a_wide_futures_quote_and_an_old_trade_are_still_shown_as_its_price():
    found = price(chain(quoted(fair()), future={"bid": 99.0, "ask": 101.0, "last": 98.0, "price_at": AT - 999}))
    assert found.future_price[0] == 98.0


def test_the_future_of_another_expiry_is_no_forward():
    one = a_day({SegmentKey("SBIN", WEEKLY): LADDER}, futures=[CHAIN])
    chains = seen(one, poll(one, AT, {SegmentKey("SBIN", WEEKLY): {"last": [(6, NAN)] * 5}}, spot={"SBIN": 100.0},
                            futures={CHAIN: {"last": 120.0}}))  # fmt: skip
    found = price(chains)
    assert ForwardSource(found.forward_source[0]) is ForwardSource.CARRY
    assert np.isnan(found.future_price[0])


@pytest.mark.parametrize("forward", [97.0, 99.99, 101.0, 103.7])
@pytest.mark.parametrize("spot", [100.0, 0.0])
@pytest.mark.parametrize("make", [traded, quoted])
def test_parity_gives_the_forward_of_a_synthetic_chain_to_the_last_digits(forward, spot, make):
    found = price(chain(make(fair(forward, smile=lambda k: 0.2 + abs(k - 100) / 100)), spot=spot))
    assert found.forward[0] == pytest.approx(forward, rel=1e-13)
    assert ForwardSource(found.forward_source[0]) is ForwardSource.PARITY


def shifted(shifts):
    """Prices whose strikes imply each its own forward: 101 plus the shift."""
    return [(c + s * exp(-SETTINGS.rate * YEARS), p) for (c, p), s in zip(fair(101.0), shifts, strict=True)]


def test_quotes_within_two_per_cent_of_spot_take_part_weighted_by_tightness():
    ladder = [97.9, 98.0, 100.0, 102.0, 102.1]
    pairs = np.array(
        [(c + s * exp(-SETTINGS.rate * YEARS), p) for (c, p), s in
         zip(fair(101.0, ladder), (9.0, 1.0, 2.0, 3.0, 9.0), strict=True)]
    )  # fmt: skip
    half = np.array([0.01, 0.4, 0.1, 0.1, 0.01])[:, None]
    found = price(chain({"bid": pairs - half, "ask": pairs + half}, ladder=ladder))
    # Weights 1/(0.8² + 0.8²), then twice 1/(0.2² + 0.2²): half of the weight is passed within the second of three.
    assert found.forward[0] == pytest.approx(103.0, rel=1e-13)
    half[1] = 0.01
    found = price(chain({"bid": pairs - half, "ask": pairs + half}, ladder=ladder))
    assert found.forward[0] == pytest.approx(102.0, rel=1e-13)


def test_quotes_are_preferred_to_trades():
    columns = traded(fair(103.0)) | quoted([(NAN, NAN)] * 2 + fair(101.0)[2:3] + [(NAN, NAN)] * 2)
    assert price(chain(columns)).forward[0] == pytest.approx(101.0, rel=1e-13)


def test_of_trades_the_five_strikes_nearest_the_money_take_part():
    ladder = [80.0, 85.0, 90.0, 95.0, 100.0, 105.0, 110.0]
    shifts = [50.0, 60.0, 3.0, 1.0, 2.0, 5.0, 4.0]
    pairs = [(c + s * exp(-SETTINGS.rate * YEARS), p) for (c, p), s in zip(fair(101.0, ladder), shifts, strict=True)]
    assert price(chain(traded(pairs), ladder=ladder)).forward[0] == pytest.approx(104.0, rel=1e-13)
    three = price(chain(traded(pairs), ladder=ladder), parity_strikes=3)
    assert three.forward[0] == pytest.approx(103.0, rel=1e-13)


@pytest.mark.parametrize(
    ("age", "strikes", "forward"),
    [
        (180.0, 1, 103.0),
        (181.0, 1, 101.0),  # 95 and 105 are recent and as near as each other: the lower
        (180.0, 2, 102.0),
        (181.0, 2, 101.5),
        (180.0, 3, 102.0),
        (181.0, 3, 102.0),  # two recent ones are too few: all of today
    ],
)
def test_recent_trades_come_first_if_there_are_enough(age, strikes, forward):
    """95, 100 and 105 imply 101, 103 and 102; 100 traded `age` ago, the others now."""
    columns = traded(shifted([0, 0.0, 2.0, 1.0, 0])[1:4]) | {"price_at": [(AT, AT), (AT - age, AT), (AT, AT)]}
    found = price(chain(columns, ladder=[95.0, 100.0, 105.0]), parity_strikes=strikes)
    assert found.forward[0] == pytest.approx(forward, rel=1e-13)


def test_a_trade_of_an_earlier_day_is_no_witness_for_the_forward():
    columns = traded(fair(101.0)) | {"volume": [(0, 0)] * 5}
    found = price(chain(columns))
    assert ForwardSource(found.forward_source[0]) is ForwardSource.CARRY
    assert found.forward[0] == pytest.approx(100.0 * exp(0.06 * YEARS), rel=1e-14)


def test_carry_takes_off_the_dividend_yield():
    found = price(chain({"last": [(6, NAN)] * 5}), dividend_yield=0.02)
    assert found.forward[0] == pytest.approx(100.0 * exp(0.04 * YEARS), rel=1e-14)


def test_without_future_parity_or_spot_there_is_no_forward():
    """The border lets the chain in for its two-sided strike, which has not traded today."""
    found = price(chain(traded(fair()) | {"volume": [(0, 0)] * 5}, spot=0.0))
    assert (ForwardSource(found.forward_source[0]).word, np.isnan(found.forward[0])) == ("", True)
    assert found.atm_row.tolist() == [-1]
    assert np.isnan(found.delta).all()


def test_forward_sources_have_words():
    assert [source.word for source in ForwardSource] == ["", "future", "parity", "carry"]


# At the money ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("spot", "atm"),
    [(97.5, 95.0), (97.51, 100.0), (97.49, 95.0), (102.5, 100.0), (80.0, 90.0), (150.0, 110.0), (0.0, 100.0)],
)
def test_atm_is_the_strike_nearest_spot_the_lower_one_of_a_tie(spot, atm):
    """Without a spot it is nearest the forward, 101."""
    found = price(chain(quoted(fair(101.0)), spot=spot))
    assert LADDER[found.atm_row[0]] == atm


def test_a_strike_that_is_not_listed_is_not_at_the_money():
    prices = [*fair()[:2], (NAN, NAN), *fair()[3:]]
    listed = np.array([[1, 1], [1, 1], [0, 0], [1, 1], [1, 1]], dtype=bool)
    assert price(chain(quoted(prices), listed=listed)).atm_row.tolist() == [1]


def test_time_to_expiry_is_act_365_from_the_markets_stamp():
    found = price(chain(quoted(fair()), stamped=AT - 90))
    assert found.time_to_expiry[0] == pytest.approx((25 * 86_400 + 5.5 * 3_600 + 90) / (365 * 86_400), rel=1e-15)


# Volatilities and their reasons ---------------------------------------------------------------------------------------


@given(
    st.floats(80, 125), st.floats(0.08, 1.2), st.floats(-0.3, 0.3), st.sampled_from([WEEKLY, MONTHLY]),
)  # fmt: skip
def test_volatilities_of_a_synthetic_smile_come_back(forward, level, skew, expiry):
    years = (ist(15, 30, day=expiry) - AT) / (365 * 86_400)

    def smile(strike):
        return max(level + skew * (strike / forward - 1), 0.05)

    prices = fair(forward, years=years, smile=smile)
    one = a_day({SegmentKey("SBIN", expiry): LADDER}, tick_size=np.array([NAN]))
    found = price(seen(one, poll(one, AT, {SegmentKey("SBIN", expiry): quoted(prices)}, spot={"SBIN": 100.0})))
    for row, strike in enumerate(LADDER):
        # From prices in plain double precision, so only where they determine the volatility that well.
        out = found.implied_volatility[row, CALL if strike >= forward else PUT]
        if prices[row][CALL if strike >= forward else PUT] > 1e-3:
            assert out == pytest.approx(smile(strike), rel=1e-9)
            assert found.surface_volatility[row] == out


def reasons(columns, **given):
    found = price(chain(columns, **given))
    return found, [[Reason(code) for code in pair] for pair in found.iv_reason]


def test_mid_of_a_two_sided_quote_else_the_last_trade():
    columns = {"last": [(7, 7)] * 5, "bid": [(6, NAN)] * 5, "ask": [(6.5, 9)] * 5, "volume": [(1, 1)] * 5}
    found = price(chain(columns))
    assert found.price.tolist() == [[6.25, 7.0]] * 5


def test_no_price_no_volatility():
    found, why = reasons(traded([(NAN, 1.0), *fair()[1:]]))
    assert why[0][CALL] is Reason.NO_PRICE
    assert np.isnan(found.implied_volatility[0, CALL])


def test_a_price_of_an_earlier_day_gets_no_volatility():
    columns = traded(fair()) | {"volume": [(9, 9), (9, 9), (9, 9), (0, 9), (9, 9)]}
    found, why = reasons(columns)
    assert why[3] == [Reason.NOT_TRADED_TODAY, Reason.OK]
    assert np.isnan(found.implied_volatility[3, CALL])
    assert found.surface_volatility[3] == pytest.approx(0.25, rel=1e-9)


@pytest.mark.parametrize(("age", "why"), [(180.0, Reason.OK), (181.0, Reason.OLD_TRADE)])
def test_an_old_trade_is_unreliable_but_has_a_volatility(age, why):
    columns = traded(fair()) | {"price_at": [(AT, AT)] * 3 + [(AT - age, AT), (AT, AT)]}
    found, found_why = reasons(columns)
    assert found_why[3][CALL] is why
    assert found.implied_volatility[3, CALL] == pytest.approx(0.25, rel=1e-9)


@pytest.mark.parametrize(("half", "why"), [(1.0, Reason.OK), (1.01, Reason.WIDE_SPREAD)])
def test_a_spread_over_half_of_the_mid_is_unreliable(half, why):
    pairs = np.array(fair())
    pairs[2, CALL] = 4.0
    halves = np.full((5, 2), 0.01)
    halves[2, CALL] = half
    found, found_why = reasons({"bid": pairs - halves, "ask": pairs + halves})
    assert found_why[2] == [why, Reason.OK]
    assert np.isfinite(found.implied_volatility[2, CALL])


def test_a_wide_quote_is_judged_by_its_spread_not_by_the_age_of_the_last_trade():
    pairs = np.array(fair())
    columns = {"bid": pairs - 0.01, "ask": pairs + 0.01} | traded(fair()) | {"price_at": [(AT - 9_999, AT - 9_999)] * 5}
    assert reasons(columns)[1][2] == [Reason.OK, Reason.OK]


@pytest.mark.parametrize(
    ("tick", "why"), [(0.05, Reason.OK), (0.1, Reason.BELOW_TWO_TICKS), (NAN, Reason.OK), (0.0749, Reason.OK)]
)
def test_under_two_ticks_of_time_value_a_volatility_is_unreliable(tick, why):
    """The call struck at 110 costs 0.15: two ticks of 0.075."""
    prices = [*fair()[:4], (0.15, fair()[4][PUT])]
    found, found_why = reasons(traded(prices), tick=tick)
    assert found_why[4][CALL] is why
    assert np.isfinite(found.implied_volatility[4, CALL])


def test_time_value_in_the_money_is_over_the_discounted_intrinsic_value():
    forward = price(chain(quoted(fair()))).forward[0]
    inside = exp(-0.06 * YEARS) * (forward - 90.0)
    for above, why in ((0.099, Reason.BELOW_TWO_TICKS), (0.101, Reason.OK)):
        columns = quoted([(inside + above, fair()[0][PUT]), *fair()[1:]])
        _, found_why = reasons(columns, future={"bid": forward, "ask": forward})
        assert found_why[0][CALL] is why


@pytest.mark.parametrize(
    ("call", "why"),
    [
        (5.0, Reason.BELOW_INTRINSIC),
        (101.0, Reason.AT_OR_ABOVE_UPPER_BOUND),
        (100.0 * 0.99, Reason.OK),
    ],
)
def test_prices_outside_their_bounds_have_no_volatility(call, why):
    columns = quoted([(call, fair()[0][PUT]), *fair()[1:]])
    found, found_why = reasons(columns, future={"bid": 101.0, "ask": 101.0})
    assert found_why[0][CALL] is why
    assert np.isfinite(found.implied_volatility[0, CALL]) == (why is Reason.OK)


@pytest.mark.parametrize(("seconds", "why"), [(61.0, Reason.OK), (60.0, Reason.LAST_MINUTE), (0.0, Reason.LAST_MINUTE)])
def test_in_the_last_minute_there_is_no_volatility_and_no_greek(seconds, why):
    at = ist(15, 30) - seconds
    expiring = SegmentKey("NIFTY", TRADING_DATE)
    years = max(seconds, 1.0) / (365 * 86_400)
    columns = {"last": fair(100.0, years=years, smile=lambda k: 3.0), "volume": [(1, 1)] * 5}
    columns["last"][0] = (NAN, NAN)
    one = a_day({expiring: LADDER}, tick_size=np.array([NAN]))
    found = price(seen(one, poll(one, at, {expiring: columns}, spot={"NIFTY": 100.0})))
    assert Reason(found.iv_reason[2, CALL]) is why
    assert Reason(found.iv_reason[0, CALL]) in (Reason.NO_PRICE, Reason.EXPIRED)
    assert np.isfinite(found.delta[2, CALL]) == (why is Reason.OK)
    assert found.forward[0] == pytest.approx(100.0, rel=1e-9)


def test_without_a_forward_prices_say_so():
    columns = traded(fair()) | {"volume": [(0, 0)] * 5, "bid": [(1, NAN)] * 5, "ask": [(2, NAN)] * 5}
    _, why = reasons(columns, spot=0.0)
    assert why[2] == [Reason.NO_FORWARD, Reason.NOT_TRADED_TODAY]


def test_a_chain_never_seen_has_only_blanks():
    one = a_day({CHAIN: LADDER})
    found = price(seen(one, poll(one, AT)))
    assert np.isnan([found.forward[0], found.time_to_expiry[0], found.atm_volatility[0]]).all()
    assert (found.iv_reason == Reason.NO_PRICE).all()
    assert_same(found, replace(Pricing.blank(one.layout, 0.06), future_price=found.future_price))


# Surface and Greeks ---------------------------------------------------------------------------------------------------

OK, BAD, NOT = Reason.OK, Reason.OLD_TRADE, Reason.NO_PRICE


@pytest.mark.parametrize(
    ("strike", "iv", "why", "chosen"),
    [
        (105.0, (0.2, 0.3), (OK, OK), 0.2),  # above the forward the call is out of the money
        (100.0, (0.2, 0.3), (OK, OK), 0.2),  # at the forward too
        (95.0, (0.2, 0.3), (OK, OK), 0.3),
        (105.0, (0.2, 0.3), (BAD, OK), 0.3),  # a reliable one from in the money before an unreliable one
        (95.0, (0.2, 0.3), (OK, BAD), 0.2),
        (105.0, (0.2, 0.3), (BAD, BAD), 0.2),
        (105.0, (NAN, 0.3), (NOT, BAD), 0.3),
        (95.0, (0.2, NAN), (BAD, NOT), 0.2),
        (105.0, (0.2, NAN), (BAD, NOT), 0.2),
        (105.0, (NAN, NAN), (NOT, NOT), NAN),
    ],
)
def test_the_surface_takes_the_side_out_of_the_money_where_it_is_reliable(strike, iv, why, chosen):
    found = surface_volatility(
        np.array([iv]), np.array([why], dtype=np.uint8), strike=np.array([strike]), forward=np.array([100.0])
    )
    assert found[0] == pytest.approx(chosen, nan_ok=True)


def test_call_and_put_of_a_strike_share_one_volatility_and_obey_parity():
    found = price(chain(quoted(np.array(fair(smile=lambda k: 0.2 + abs(k - 101) / 50)), half=0.01)))
    discount = exp(-0.06 * YEARS)
    assert found.delta[:, CALL] - found.delta[:, PUT] == pytest.approx([discount] * 5, rel=1e-12)
    assert found.gamma[:, CALL].tolist() == found.gamma[:, PUT].tolist()
    assert (found.delta[:, PUT] < 0).all()
    assert (found.theta < 0).any()


def test_delta_and_vega_are_differences_of_the_price():
    """Central differences of the plain formula, per rupee and per volatility point."""
    found = price(chain(quoted(fair())))
    for row, strike in enumerate(LADDER):
        for side in (CALL, PUT):
            terms = {"strike": strike, "years": YEARS, "rate": 0.06, "call": side == CALL}

            def value(forward=101.0, volatility=0.25, terms=terms):
                return black76(forward=forward, volatility=volatility, **terms)

            delta = (value(forward=101.001) - value(forward=100.999)) / 0.002
            vega = (value(volatility=0.2501) - value(volatility=0.2499)) / 0.02
            assert found.delta[row, side] == pytest.approx(delta, rel=1e-6)
            assert found.vega[row, side] == pytest.approx(vega, rel=1e-6)


@pytest.mark.parametrize(
    ("known", "atm_volatility"),
    [
        ([0.30, 0.28, 0.20, 0.40, 0.50], 0.2 + 0.2 * 0.2),  # forward 101: a fifth of the way from 100 to 105
        ([0.30, 0.28, NAN, 0.40, 0.50], 0.28 + 0.6 * (0.40 - 0.28)),
        ([0.30, 0.28, 0.20, NAN, NAN], 0.20),  # within a step of 5
        ([0.30, 0.28, NAN, NAN, NAN], NAN),  # 6 away
        ([NAN, NAN, NAN, 0.40, 0.50], 0.40),
        ([NAN, NAN, NAN, NAN, 0.50], NAN),
        ([NAN] * 5, NAN),
    ],
)
def test_volatility_at_the_money_lies_between_the_strikes_around_the_forward(known, atm_volatility):
    smile = dict(zip(LADDER, np.nan_to_num(known, nan=0.1), strict=True))
    prices = [(NAN, NAN) if np.isnan(v) else pair for v, pair in zip(known, fair(smile=smile.get), strict=True)]
    found = price(chain(quoted(prices), future={"bid": 101.0, "ask": 101.0}))
    assert found.atm_volatility[0] == pytest.approx(atm_volatility, rel=1e-9, nan_ok=True)


def test_a_forward_on_a_strike_takes_that_strikes_volatility():
    found = price(chain(quoted(fair(100.0, smile=lambda k: k / 400)), future={"bid": 100.0, "ask": 100.0}))
    assert found.atm_volatility[0] == pytest.approx(0.25, rel=1e-9)


# Laws -----------------------------------------------------------------------------------------------------------------

PER_CHAIN = ("forward", "forward_source", "future_price", "time_to_expiry", "reference", "atm_volatility")
PER_ROW = ("price", "implied_volatility", "iv_reason", "surface_volatility", "delta", "gamma", "vega", "theta", "rho")


@pytest.mark.parametrize("seed", range(4))
def test_chains_that_were_not_updated_keep_their_numbers_to_the_bit(seed):
    market = LivelyMarket(lively_day(), seed)
    first = seen(market.day, market.observation(AT, range(6)))
    before = price(first)
    only = seen(market.day, market.observation(AT + 60, [1, 4]))
    later = replace(only, legs=only.legs)
    after = price_market(later, SETTINGS, before)
    kept = ~later.updated
    assert later.updated.tolist() == [False, True, False, False, True, False]
    rows = kept[later.layout.row_segment]
    for name in (*PER_CHAIN, "atm_row"):
        assert np.array_equal(getattr(after, name)[kept], getattr(before, name)[kept], equal_nan=True)
    for name in (*PER_ROW, "vanna", "charm", "volga"):
        assert np.array_equal(getattr(after, name)[rows], getattr(before, name)[rows], equal_nan=True)
    assert not np.array_equal(after.price[~rows], before.price[~rows], equal_nan=True)
    assert_same(price_market(only, SETTINGS).sliced(only.layout, "SBIN"), after.sliced(only.layout, "SBIN"))


@pytest.mark.parametrize("seed", range(6))
def test_repricing_everything_gives_the_same_as_repricing_what_changed(seed):
    previous = None
    for chains in lively_pictures(seed, 8):
        previous = price_market(chains, SETTINGS, previous)
        whole = price_market(chains, SETTINGS)
        rows = chains.updated[chains.layout.row_segment]
        for name in PER_ROW:
            assert np.array_equal(getattr(previous, name)[rows], getattr(whole, name)[rows], equal_nan=True)


@pytest.mark.parametrize("seed", range(6))
def test_a_name_alone_is_priced_as_among_the_others(seed):
    """To the last bit: in another place in memory, beside other numbers, alone or as all but one."""
    for chains in lively_pictures(seed, 3):
        whole = price(chains)
        for name in chains.layout.names:
            assert_same(price(chains.sliced(name)), whole.sliced(chains.layout, name))
        rest = price(chains.without(["NIFTY"]))
        for name in chains.layout.names[1:]:
            assert_same(rest.sliced(chains.layout, name), whole.sliced(chains.layout, name))


def test_pricing_leaves_its_input_alone():
    first, second = lively_pictures(9, 2)
    previous = price(first)
    for value in (second, second.layout, previous):
        frozen(value)
    assert_same(price_market(second, SETTINGS, previous), price_market(second, SETTINGS, previous))
