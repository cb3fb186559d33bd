"""Black-76 prices and Greeks: the reference table, a second method with fifty digits, parity, and the edges."""

import csv
import math
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from optionscanner.analytics import black76
from tests import high_precision

TABLES = Path(__file__).parent / "reference"
NAMES = ("delta", "gamma", "vega", "theta", "rho", "vanna", "charm", "volga")
EVEN = ("gamma", "vega", "vanna", "volga")
# Columns of the tables, and what our unit is of theirs.
COLUMNS = {
    "delta": ("delta", 1.0),
    "gamma": ("gamma", 1.0),
    "vega": ("vega", 0.01),
    "theta": ("theta_year", 1 / 365),
    "rho": ("rho", 0.01),
    "vanna": ("vanna", 0.01),
    "charm": ("charm_year", 1 / 365),
    "volga": ("volga", 1e-4),
}


def table(name):
    """column -> array of a reference table; text columns stay text."""
    with (TABLES / name).open(newline="") as file:
        rows = list(csv.DictReader(file))
    texts = {"id", "type"}
    return {
        column: np.array([row[column] if column in texts else float(row[column]) for row in rows])
        for column in rows[0]
    }


def worst(found, expected):
    return float(np.max(np.abs(found / expected - 1.0)))


@pytest.fixture(scope="module")
def reference():
    return table("black76.csv")


def arguments(rows):
    return {
        "forward": rows["F"],
        "strike": rows["K"],
        "time_to_expiry": rows["T_years"],
        "rate": rows["r"],
        "volatility": rows["sigma"],
    }


market = st.fixed_dictionaries({
    "forward": st.floats(1.0, 1e5),
    "strike": st.floats(-1.0, 1.0),
    "time_to_expiry": st.floats(1 / 525_600, 3.0),
    "rate": st.floats(-0.02, 0.15),
    "volatility": st.floats(0.02, 3.0),
})


def leg(drawn):
    """A drawn market with the strike placed by standard deviations from the forward, at most eight."""
    spread = drawn["volatility"] * math.sqrt(drawn["time_to_expiry"])
    return drawn | {"strike": drawn["forward"] * math.exp(8.0 * drawn["strike"] * spread)}


class TestReference:
    def test_prices(self, reference):
        found = black76.price(**arguments(reference), is_call=reference["type"] == "CE")
        assert worst(found, reference["price"]) < 1e-12

    @pytest.mark.parametrize("name", NAMES)
    def test_greeks(self, reference, name):
        found = getattr(black76.greeks(**arguments(reference), is_call=reference["type"] == "CE"), name)
        column, unit = COLUMNS[name]
        assert worst(found, reference[column] * unit) < 1e-12

    @pytest.mark.parametrize("name", NAMES)
    def test_ladder_greeks(self, reference, name):
        found = getattr(black76.ladder_greeks(**arguments(reference)), name)
        column, unit = COLUMNS[name]
        of_type = np.where(reference["type"] == "CE", found[:, 0], found[:, 1])
        assert worst(of_type, reference[column] * unit) < 1e-12

    def test_spot_greeks_of_black_scholes_merton_follow_from_ours(self):
        """With F = S·e^(bT): dF/dS = F/S turns delta, gamma and vanna; theta gains -b·F·delta."""
        rows = table("bsm.csv")
        carry = rows["r"] - rows["q"]
        forward = rows["S"] * np.exp(carry * rows["T_years"])
        inputs = arguments(rows | {"F": forward})
        is_call = rows["type"] == "CE"
        found = black76.greeks(**inputs, is_call=is_call)
        per_spot = forward / rows["S"]
        # The forward is rounded here, and a far strike magnifies that by forward·delta/price: hence 1e-9.
        assert worst(black76.price(**inputs, is_call=is_call), rows["price"]) < 1e-9
        assert worst(found.delta * per_spot, rows["delta"]) < 1e-9
        assert worst(found.gamma * per_spot**2, rows["gamma"]) < 1e-9
        assert worst(found.vega * 100, rows["vega"]) < 1e-9
        assert worst(found.vanna * 100 * per_spot, rows["vanna"]) < 1e-9
        theta = found.theta * 365 - carry * forward * found.delta
        assert worst(theta, rows["theta_year"]) < 1e-9

    def test_theta_and_charm_of_the_worked_case(self):
        """F = K = 24,000, seven days, 6.5 %, 12 %: the forward-fixed values, not the spot-fixed -13.471 and -1.64."""
        found = black76.ladder_greeks(
            forward=[24_000.0], strike=[24_000.0], time_to_expiry=[7 / 365], rate=[0.065], volatility=[0.12]
        )
        assert found.theta.round(3).tolist() == [[-11.322, -11.322]]
        assert (found.charm * 365).round(4).tolist() == [[-0.0536, -0.1186]]


class TestFiniteDifferences:
    """Each Greek is the derivative that it claims to be, of a price computed with fifty digits."""

    @settings(max_examples=25)
    @given(drawn=market, is_call=st.booleans())
    def test_greeks_are_derivatives_of_the_price(self, drawn, is_call):
        inputs = leg(drawn)
        f, t, r, sigma = (inputs[name] for name in ("forward", "time_to_expiry", "rate", "volatility"))

        def value(**changed):
            return high_precision.price(**(inputs | changed), is_call=is_call)

        def delta_at(**changed):
            return high_precision.derivative(lambda x: value(forward=x, **changed), f, step=f * 1e-16)

        def in_forward(order):
            return high_precision.derivative(lambda x: value(forward=x), f, order=order, step=f * 1e-13)

        def in_volatility(order):
            return high_precision.derivative(lambda x: value(volatility=x), sigma, order=order, step=sigma * 1e-13)

        expected = {
            "delta": in_forward(1),
            "gamma": in_forward(2),
            "vega": in_volatility(1) / 100,
            "theta": -high_precision.derivative(lambda x: value(time_to_expiry=x), t, step=t * 1e-13) / 365,
            "rho": high_precision.derivative(lambda x: value(rate=x), r, step=1e-13) / 100,
            "vanna": high_precision.derivative(lambda x: delta_at(volatility=x), sigma, step=sigma * 1e-11) / 100,
            "charm": -high_precision.derivative(lambda x: delta_at(time_to_expiry=x), t, step=t * 1e-11) / 365,
            "volga": in_volatility(2) / 10_000,
        }
        found = asdict(black76.greeks(**inputs, is_call=is_call))
        price = float(black76.price(**inputs, is_call=is_call))
        # A Greek that crosses 0 cannot be right to a share of itself: its scale is that of the terms it is made of.
        root_time = math.sqrt(t)
        vega = abs(found["vega"])
        scale = {
            "theta": vega * sigma / t * 50 / 365 + abs(r) * price / 365,
            "vanna": vega / f / (sigma * root_time) * 1e-2,
            "charm": abs(r * found["delta"]) / 365 + vega * 100 / f / (2 * t * root_time) * 1e-2 / 365,
            "volga": vega * 1e-2 / sigma * 1e-2,
        }
        for name, value_expected in expected.items():
            tolerance = 2e-11 * max(abs(float(value_expected)), float(scale.get(name, 0.0)))
            assert abs(float(found[name]) - float(value_expected)) <= tolerance, name
        assert price == pytest.approx(float(value()), rel=2e-11)


class TestParity:
    @given(drawn=market)
    def test_call_less_put_is_the_discounted_difference(self, drawn):
        inputs = leg(drawn)
        f, k, r = inputs["forward"], inputs["strike"], inputs["rate"]
        discount = math.exp(-r * inputs["time_to_expiry"])
        call, put = black76.price(**inputs, is_call=[True, False])
        assert abs(call - put - discount * (f - k)) <= 1e-15 * (call + put + discount * (f + k))
        found = {name: values[0] for name, values in asdict(black76.ladder_greeks(**inputs)).items()}
        for name in EVEN:
            assert found[name][0] == found[name][1]
        assert found["delta"][0] - found["delta"][1] == pytest.approx(discount, rel=1e-14)
        rho = -inputs["time_to_expiry"] * discount * (f - k) / 100
        theta = r * discount * (f - k) / 365
        charm = r * discount / 365
        for name, difference in (("rho", rho), ("theta", theta), ("charm", charm)):
            size = abs(found[name]).sum()
            assert abs(found[name][0] - found[name][1] - difference) <= 1e-14 * (size + abs(difference)), name

    @given(drawn=market, is_call=st.booleans())
    def test_ladder_gives_the_same_numbers_as_legs(self, drawn, is_call):
        inputs = leg(drawn)
        ladder, legs = black76.ladder_greeks(**inputs), black76.greeks(**inputs, is_call=is_call)
        column = 0 if is_call else 1
        for name in NAMES:
            assert getattr(ladder, name)[0, column] == pytest.approx(float(getattr(legs, name)), rel=1e-13)


class TestShape:
    def test_arguments_broadcast(self):
        """A chain's forward and time in a column, its strikes beside it, calls and puts across."""
        strikes = np.array([90.0, 100.0, 110.0])[:, None]
        inputs = {"forward": 100.0, "time_to_expiry": 0.1, "rate": 0.05, "volatility": 0.2}
        both = black76.price(**inputs, strike=strikes, is_call=[True, False])
        assert both.shape == (3, 2)
        for row, strike in enumerate(strikes.ravel()):
            for column, is_call in enumerate((True, False)):
                assert both[row, column] == black76.price(**inputs, strike=strike, is_call=is_call)
        assert black76.greeks(**inputs, strike=strikes, is_call=[True, False]).delta.shape == (3, 2)

    def test_no_rows(self):
        empty = np.empty(0)
        inputs = dict.fromkeys(("forward", "strike", "time_to_expiry", "rate", "volatility"), empty)
        assert black76.price(**inputs, is_call=empty.astype(bool)).shape == (0,)
        assert black76.ladder_greeks(**inputs).theta.shape == (0, 2)

    def test_ladder_takes_rows_only(self):
        with pytest.raises(ValueError, match=r"shape \(rows,\), got \(2, 2\)"):
            black76.ladder_greeks(
                forward=np.ones((2, 2)), strike=1.0, time_to_expiry=1.0, rate=0.0, volatility=0.2
            )

    def test_inputs_are_left_alone_and_order_does_not_matter(self, reference):
        inputs = arguments({name: np.tile(values, 12) for name, values in reference.items()})
        before = {name: values.copy() for name, values in inputs.items()}
        for values in inputs.values():
            values.flags.writeable = False
        found = black76.ladder_greeks(**inputs)
        assert all(np.array_equal(inputs[name], before[name]) for name in inputs)
        order = np.random.default_rng(5).permutation(inputs["forward"].size)
        shuffled = black76.ladder_greeks(**{name: values[order] for name, values in inputs.items()})
        for name in NAMES:
            np.testing.assert_allclose(getattr(shuffled, name), getattr(found, name)[order], rtol=1e-14)


CASE = {"forward": 100.0, "strike": 90.0, "time_to_expiry": 0.5, "rate": 0.1, "volatility": 0.2}


class TestEdges:
    def test_expired_price_is_the_intrinsic_value(self):
        for time in (0.0, -1.0):
            changed = CASE | {"time_to_expiry": time}
            assert black76.price(**changed, is_call=[True, False]).tolist() == [10.0, 0.0]

    @pytest.mark.parametrize("strike", [90.0, 100.0, 110.0])
    def test_price_without_volatility_is_the_discounted_intrinsic_value(self, strike):
        found = black76.price(**(CASE | {"volatility": 0.0, "strike": strike}), is_call=[True, False])
        expected = [math.exp(-0.05) * max(100.0 - strike, 0.0), math.exp(-0.05) * max(strike - 100.0, 0.0)]
        assert found.tolist() == pytest.approx(expected, rel=1e-15)

    @pytest.mark.parametrize("change", [{"time_to_expiry": 0.0}, {"volatility": 0.0}, {"forward": 0.0}])
    def test_no_greeks_at_a_corner(self, change):
        for values in asdict(black76.greeks(**(CASE | change), is_call=True)).values():
            assert np.isnan(values)

    @pytest.mark.parametrize("name", list(CASE))
    def test_nan_in_is_nan_out(self, name):
        changed = CASE | {name: np.nan}
        assert np.isnan(black76.price(**changed, is_call=[True, False])).all()
        for values in asdict(black76.ladder_greeks(**changed)).values():
            assert np.isnan(values).all()

    @pytest.mark.parametrize("change", [{"forward": -1.0}, {"strike": -1.0}, {"volatility": -0.1}])
    def test_impossible_numbers_have_no_price(self, change):
        assert np.isnan(black76.price(**(CASE | change), is_call=True))

    @given(st.lists(st.floats(), min_size=5, max_size=5), st.booleans())
    def test_no_number_raises_or_warns(self, numbers, is_call):
        inputs = dict(zip(CASE, numbers, strict=True))
        black76.price(**inputs, is_call=is_call)
        black76.greeks(**inputs, is_call=is_call)
        black76.ladder_greeks(**inputs)

    @pytest.mark.parametrize("strike", [100.0 * math.exp(-0.05), 100.0 * math.exp(0.05), 271.8])
    def test_the_two_methods_of_the_value_meet(self, strike):
        """The expansion ends at sigma·sqrt(T) = 0.2 and at |ln(F/K)| = 1; beyond, two error functions are taken."""
        for sigma in (0.2 - 1e-9, 0.2, 0.2 + 1e-9):
            for forward in (100.0 - 0.02, 100.0, 100.0 + 0.02):
                inputs = {"forward": forward, "strike": strike, "time_to_expiry": 1.0, "rate": 0.0}
                found = black76.price(**inputs, volatility=sigma, is_call=True)
                expected = high_precision.price(**inputs, volatility=sigma, is_call=True)
                assert found == pytest.approx(float(expected), rel=1e-13)
