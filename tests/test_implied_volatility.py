"""Implied volatility: the reference table, round trips, a second method with fifty digits, and each reason's edge."""

import csv
from decimal import Decimal, localcontext
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from optionscanner.analytics.black76 import greeks, price
from optionscanner.analytics.implied_volatility import implied_volatility
from optionscanner.model.reasons import Reason, words
from tests import high_precision

TABLE = Path(__file__).parent / "reference" / "implied_vol.csv"
EPSILON = float(np.finfo(float).eps)
LEG = {"price": 12.0, "forward": 100.0, "strike": 90.0, "time_to_expiry": 0.25, "rate": 0.0, "is_call": True}


def solve(**changes):
    """The volatility and the reason of one leg, by default a call 10 rupees in the money at 12."""
    found, reason = implied_volatility(**(LEG | changes))
    return float(found), Reason(int(reason))


def on_the_forward(row):
    """A row of the table as arguments on a forward.

    A spot row's forward S·e^((r-q)T) is no float, and in the money the time value would magnify its rounding. So that
    row is restated, with 60 digits, as the out-of-the-money option of equal time value, which hardly feels it.
    """
    inputs = {
        "price": float(row["price"]),
        "forward": float(row["underlying"]),
        "strike": float(row["K"]),
        "time_to_expiry": float(row["T_years"]),
        "rate": float(row["r"]),
        "is_call": row["type"] == "CE",
    }
    if row["model"] == "black76":
        return inputs
    with localcontext() as context:
        context.prec = 60
        p, s, k, t, r, q = (Decimal(float(row[name])) for name in ("price", "underlying", "K", "T_years", "r", "q"))
        forward = s * ((r - q) * t).exp()
        call_less_put = (forward - k) * (-r * t).exp()
        inputs["forward"] = float(forward)
        in_the_money = (call_less_put > 0) == inputs["is_call"]
        if in_the_money and row["has_solution"] == "1":
            inputs["price"] = float(p - abs(call_less_put))
            inputs["is_call"] = not inputs["is_call"]
    return inputs


@pytest.fixture(scope="module")
def rows():
    with TABLE.open(newline="") as file:
        return list(csv.DictReader(file))


@pytest.fixture(scope="module")
def answers(rows):
    legs = [on_the_forward(row) for row in rows]
    return implied_volatility(**{name: np.array([leg[name] for leg in legs]) for name in legs[0]})


class TestReference:
    def test_every_reason(self, rows, answers):
        found = [Reason(code).name.lower() for code in answers[1].tolist()]
        assert found == [row["reason"] for row in rows]

    def test_every_solvable_row(self, rows, answers):
        solvable = np.array([row["has_solution"] == "1" for row in rows])
        expected = np.array([float(row["iv"]) for row in rows if row["has_solution"] == "1"])
        tolerance = np.array([float(row["iv_tol"]) for row in rows if row["has_solution"] == "1"])
        found = answers[0][solvable]
        assert np.isnan(answers[0][~solvable]).all()
        assert (abs(found - expected) <= tolerance).all()
        largest = np.max(abs(found / expected - 1.0))
        print(f"largest relative error of {expected.size} volatilities: {largest:.1e}")  # noqa: T201 - see it with -rP
        assert largest <= 1e-12

    def test_a_rounded_forward_stays_within_the_tables_tolerance(self, rows):
        """Spot rows as a caller has them: the forward in double precision, the price as quoted."""
        for row in rows:
            if row["model"] == "bsm" and row["has_solution"] == "1":
                carry = float(row["r"]) - float(row["q"])
                found, reason = solve(
                    price=float(row["price"]),
                    forward=float(row["underlying"]) * np.exp(carry * float(row["T_years"])),
                    strike=float(row["K"]),
                    time_to_expiry=float(row["T_years"]),
                    rate=float(row["r"]),
                    is_call=row["type"] == "CE",
                )
                assert reason is Reason.OK
                assert abs(found - float(row["iv"])) <= float(row["iv_tol"]), row["id"]


def grid():
    """Some 19,000 legs: a minute to two years, 2 % to 400 %, eight deviations to either side, calls and puts."""
    time, sigma, deviations, rate, is_call = np.meshgrid(
        np.array([1 / 525_600, 1e-4, 0.003, 0.02, 0.1, 0.5, 2.0]),
        np.array([0.02, 0.05, 0.1, 0.2, 0.4, 0.8, 1.5, 4.0]),
        np.linspace(-8.0, 8.0, 57),
        np.array([-0.01, 0.0, 0.065]),
        np.array([False, True]),
    )
    forward = np.full(time.shape, 24_065.35)
    strike = forward * np.exp(deviations * sigma * np.sqrt(time))
    legs = {"forward": forward, "strike": strike, "time_to_expiry": time, "rate": rate, "is_call": is_call}
    return {name: values.ravel() for name, values in legs.items()}, sigma.ravel()


def uncertainty(legs, sigma, prices):
    """What one rounding of the price, and of d1 and d2 in it, leaves open of the volatility, as a share of it."""
    per_unit = greeks(**legs, volatility=sigma).vega * 100.0 * sigma
    return 4.0 * EPSILON * prices / per_unit


class TestRoundTrip:
    def test_over_the_grid(self):
        legs, sigma = grid()
        prices = price(**legs, volatility=sigma)
        allowed = uncertainty(legs, sigma, prices)
        found, reason = implied_volatility(**legs, price=prices)
        determined = allowed < 1e-3
        assert determined.sum() > 15_000
        assert (reason[determined] == Reason.OK).all()
        error = abs(found / sigma - 1.0)[determined]
        assert (error <= 1e-13 + allowed[determined]).all()

    @given(
        deviations=st.floats(-8.0, 8.0),
        time=st.floats(1 / 525_600, 3.0),
        sigma=st.floats(0.01, 3.0),
        rate=st.floats(-0.02, 0.15),
        forward=st.floats(1.0, 1e5),
    )
    def test_out_of_the_money(self, deviations, time, sigma, rate, forward):
        strike = forward * np.exp(deviations * sigma * np.sqrt(time))
        legs = {"forward": forward, "strike": strike, "time_to_expiry": time, "rate": rate, "is_call": strike > forward}
        found, reason = implied_volatility(**legs, price=price(**legs, volatility=sigma))
        assert reason == Reason.OK
        assert found == pytest.approx(sigma, rel=1e-12)

    @given(
        deviations=st.floats(-4.0, 4.0),
        share=st.floats(1e-12, 0.999),
        time=st.floats(1 / 525_600, 3.0),
        rate=st.floats(-0.02, 0.15),
    )
    def test_any_share_of_the_upper_bound_against_fifty_digits(self, deviations, share, time, rate):
        """Prices that no model made, up to where the price is nearly the forward itself."""
        strike = 100.0 * np.exp(0.25 * deviations)
        bound = np.exp(-rate * time) * min(100.0, strike)
        legs = {"forward": 100.0, "strike": strike, "time_to_expiry": time, "rate": rate, "is_call": strike >= 100.0}
        found, reason = implied_volatility(**legs, price=share * bound)
        assert reason == Reason.OK
        exact = high_precision.implied_volatility(**legs, price=share * bound, start=float(found))
        assert float(found) == pytest.approx(float(exact), rel=1e-12)

    def test_deep_in_the_money_prices_on_the_tick(self):
        """Quotes a tick or more over the discounted intrinsic value, of calls and puts: fifty digits agree."""
        for is_call, strike, rate, quote in (
            (True, 19_250.0, 0.065, 4_789.8),
            (True, 16_850.0, 0.065, 7_177.0),
            (False, 31_300.0, 0.195, 7_119.8),
        ):
            legs = {"forward": 24_065.35, "strike": strike, "time_to_expiry": 30 / 365, "rate": rate}
            legs["is_call"] = is_call
            found, reason = implied_volatility(**legs, price=quote)
            assert reason == Reason.OK
            exact = high_precision.implied_volatility(**legs, price=quote, start=float(found))
            assert float(found) == pytest.approx(float(exact), rel=1e-12)


class TestReasons:
    def test_a_leg_with_a_volatility(self):
        found, reason = solve()
        assert reason is Reason.OK
        assert 0.0 < found < 1.0

    @pytest.mark.parametrize(
        ("change", "expected"),
        [
            ({"price": np.nan}, Reason.NO_PRICE),
            ({"price": np.nan, "time_to_expiry": 0.0, "forward": np.nan}, Reason.NO_PRICE),
            ({"time_to_expiry": 0.0}, Reason.EXPIRED),
            ({"time_to_expiry": -0.1}, Reason.EXPIRED),
            ({"time_to_expiry": -0.1, "forward": np.nan, "price": -1.0}, Reason.EXPIRED),
            ({"forward": np.nan}, Reason.NO_FORWARD),
            ({"forward": 0.0}, Reason.NO_FORWARD),
            ({"forward": -5.0, "strike": np.nan}, Reason.NO_FORWARD),
            ({"forward": np.inf}, Reason.NO_FORWARD),
            ({"strike": np.nan}, Reason.NO_TERMS),
            ({"strike": 0.0}, Reason.NO_TERMS),
            ({"strike": 1e-40}, Reason.NO_TERMS),
            ({"time_to_expiry": np.nan}, Reason.NO_TERMS),
            ({"time_to_expiry": np.inf}, Reason.NO_TERMS),
            ({"rate": np.nan, "price": 0.0}, Reason.NO_TERMS),
            ({"rate": np.inf}, Reason.NO_TERMS),
            ({"price": 0.0}, Reason.NONPOSITIVE_PRICE),
            ({"price": -0.05}, Reason.NONPOSITIVE_PRICE),
            ({"price": -np.inf}, Reason.NONPOSITIVE_PRICE),
            ({"price": 100.0}, Reason.AT_OR_ABOVE_UPPER_BOUND),
            ({"price": np.inf}, Reason.AT_OR_ABOVE_UPPER_BOUND),
            ({"price": 90.0, "is_call": False}, Reason.AT_OR_ABOVE_UPPER_BOUND),
            ({"price": 10.0}, Reason.AT_INTRINSIC),
            ({"price": 20.0, "strike": 120.0, "is_call": False}, Reason.AT_INTRINSIC),
            ({"price": 9.95}, Reason.BELOW_INTRINSIC),
            ({"price": np.nextafter(10.0, 0.0)}, Reason.BELOW_INTRINSIC),
        ],
    )
    def test_the_reason_of_each_absence(self, change, expected):
        found, reason = solve(**change)
        assert np.isnan(found)
        assert reason is expected

    @pytest.mark.parametrize(
        "change",
        [
            {"price": np.nextafter(10.0, 11.0)},
            {"price": np.nextafter(100.0, 0.0)},
            {"price": np.nextafter(90.0, 0.0), "is_call": False},
            {"price": 1e-200, "strike": 120.0},
            {"time_to_expiry": 1e-12},
            {"price": 9.9, "rate": 0.065},
        ],
    )
    def test_just_inside_each_bound_there_is_a_volatility(self, change):
        """The last: between the discounted and the plain intrinsic value, which a European option may be."""
        found, reason = solve(**change)
        assert reason is Reason.OK
        exact = high_precision.implied_volatility(**(LEG | change), start=found)
        assert found == pytest.approx(float(exact), rel=1e-12)

    def test_a_time_value_of_one_rounding_error_is_none(self):
        """With a rate the discounted intrinsic value is no float: its neighbours cannot be told from it."""
        intrinsic = 10.0 * np.exp(-0.5 * 0.25)
        assert solve(price=intrinsic, rate=0.5)[1] is Reason.AT_INTRINSIC
        assert solve(price=intrinsic * (1 - 1e-13), rate=0.5)[1] is Reason.BELOW_INTRINSIC

    def test_each_code_has_words(self):
        assert set(words) == set(Reason)
        assert len(set(words.values())) == len(words)


class TestArrays:
    def test_a_chain_in_one_call(self):
        """Rows down, call and put across, forward in a column; an unlisted put is one blank cell."""
        strikes = np.array([90.0, 100.0, 110.0])[:, None]
        chain = {"forward": np.full((3, 1), 100.0), "strike": strikes, "time_to_expiry": 0.1, "rate": 0.05}
        sides = np.array([True, False])
        prices = price(**chain, is_call=sides, volatility=np.array([[0.3], [0.2], [0.25]]))
        prices[2, 1] = np.nan
        found, reason = implied_volatility(**chain, price=prices, is_call=sides)
        expected = np.array([[0.3, 0.3], [0.2, 0.2], [0.25, np.nan]])
        np.testing.assert_allclose(found, expected, rtol=1e-11)
        assert reason.dtype == np.uint8
        assert reason.tolist() == [[0, 0], [0, 0], [0, Reason.NO_PRICE]]

    def test_no_rows(self):
        empty = np.empty(0)
        found, reason = implied_volatility(**(dict.fromkeys(LEG, empty)))
        assert found.shape == reason.shape == (0,)

    def test_inputs_are_left_alone_and_order_does_not_matter(self):
        legs, sigma = grid()
        legs["price"] = price(**legs, volatility=sigma)
        legs["price"][::7] = np.nan
        legs["price"][3::11] *= 0.5
        before = {name: values.copy() for name, values in legs.items()}
        for values in legs.values():
            values.flags.writeable = False
        found, reason = implied_volatility(**legs)
        assert all(np.array_equal(legs[name], before[name], equal_nan=name == "price") for name in legs)
        order = np.random.default_rng(7).permutation(sigma.size)
        shuffled, shuffled_reason = implied_volatility(**{name: values[order] for name, values in legs.items()})
        np.testing.assert_array_equal(shuffled_reason, reason[order])
        np.testing.assert_allclose(shuffled, found[order], rtol=1e-14)

    @given(st.lists(st.floats(), min_size=5, max_size=5), st.booleans())
    def test_any_numbers_give_a_volatility_or_a_reason(self, numbers, is_call):
        """Without a warning: those are errors in this suite."""
        names = ("price", "forward", "strike", "time_to_expiry", "rate")
        found, reason = solve(**dict(zip(names, numbers, strict=True)), is_call=is_call)
        assert (reason is Reason.OK) == (found > 0.0)
        assert (reason is not Reason.OK) == np.isnan(found)

    @given(
        st.floats(1e-8, 200.0),
        st.floats(0.01, 1000.0),
        st.floats(0.01, 1000.0),
        st.floats(1e-9, 5.0),
        st.floats(-0.5, 0.5),
        st.booleans(),
    )
    def test_a_volatility_gives_its_price_back(self, quote, forward, strike, time, rate, is_call):
        legs = {"forward": forward, "strike": strike, "time_to_expiry": time, "rate": rate, "is_call": is_call}
        found, reason = implied_volatility(**legs, price=quote)
        if reason == Reason.OK:
            assert price(**legs, volatility=found) == pytest.approx(quote, rel=1e-11)
        else:
            discount = np.exp(-rate * time)
            low = discount * max(forward - strike if is_call else strike - forward, 0.0)
            high = discount * (forward if is_call else strike)
            assert not low * (1 + 1e-12) < quote < high * (1 - 1e-12)
