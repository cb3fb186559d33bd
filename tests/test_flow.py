"""Open-interest flow: sums by hand, means over measured time, regimes, flips; beside a loop in plain Python."""

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from optionscanner.analytics.flow import atm_weights, beyond, delta_sizes, flow, has_begun
from optionscanner.model.contracts import SegmentKey
from optionscanner.model.settings import EngineSettings, FlowSettings
from optionscanner.model.state import State
from tests.builders import MONTHLY, WEEKLY, ist
from tests.engine_builders import (
    FIXED_BAND,
    LivelyMarket,
    a_day,
    assert_same,
    lively_day,
    lively_pictures,
    poll,
    priced,
    run,
    seen,
)

NAN = float("nan")
AT = ist(10, 0)
SETTINGS = EngineSettings()
LADDER = [95.0, 100.0, 105.0]
BASE = [(1_000, 1_000)] * 3


def with_flow(**changed):
    """Settings with a fixed dead band; what a chain's own noise adds is tested by itself."""
    return replace(SETTINGS, flow=FlowSettings(**{**FIXED_BAND, **changed}))


class Chain:
    """One chain whose open interest the test moves, observation by observation."""

    def __init__(self, ladder=LADDER, *, settings=SETTINGS, **pricing):
        self.day = a_day({"NIFTY": ladder})
        self.ladder, self.settings, self.pricing = ladder, settings, pricing
        self.polls, self.state, self.made = [], State.fresh(self.day.layout), {}

    def see(self, interest, at, *, last=None, **pricing):
        columns = {"last": last or [(3, 3)] * len(self.ladder), "open_interest": interest}
        self.polls.append(poll(self.day, at, {"NIFTY": columns}, spot={"NIFTY": 100.0}))
        chains = seen(self.day, *self.polls)
        self.state = replace(self.state, stepped=np.zeros(1, dtype=bool))  # as the first engine of a cycle does
        self.state, made = flow(chains, priced(chains, **(self.pricing | pricing)), self.state, self.settings)
        self.made = {name: made[name][0] for name in made.columns}
        return self.made


def leg(chain, name):
    return chain.state.leg[name].tolist()


# One step -------------------------------------------------------------------------------------------------------------


def test_the_first_observation_only_sets_the_base():
    made = Chain().see(BASE, AT)
    assert (made["status"], made["regime"], made["steps"]) == ("one OI observation so far", "", 0)
    assert np.isnan([made["net_flow"], made["ewma_net"], made["flow_pct"], made["regime_since"]]).all()


def test_without_open_interest_there_is_none():
    made = Chain().see([(NAN, NAN)] * 3, AT)
    assert made["status"] == "no OI yet"
    assert math.isnan(made["steps"])


def test_a_step_by_hand():
    """Strikes 95, 100, 105 at a forward of 100, a step of 5, a scale of 2: weights e^-1/2, 1, e^-1/2."""
    chain = Chain(delta=np.array([(0.8, -0.2), (0.5, -0.5), (0.3, -0.7)]))
    chain.see(BASE, AT)
    made = chain.see([(1_010, 1_000), (1_000, 1_040), (980, 1_005)], AT + 180)
    changes = [(10, 0), (0, 40), (-20, 5)]
    assert made["net_flow"] == 55
    near = math.exp(-0.5)
    atm = near * -10 + 40 + near * 25
    assert made["atm_flow"] == pytest.approx(atm, rel=1e-14)
    assert made["delta_flow"] == pytest.approx(-0.8 * 10 + 0.5 * 40 + 0.3 * 20 + 0.7 * 5, rel=1e-14)
    held = near * 2_010 + 2_040 + near * 1_985
    assert made["flow_pct"] == pytest.approx(100 * atm / held, rel=1e-14)
    assert (made["ewma_net"], made["ewma_atm"]) == (55, made["atm_flow"])  # the first value seeds
    assert (made["steps"], made["stepped_at"], made["status"]) == (1, AT + 180, "")
    assert leg(chain, "open_interest_flow") == [[c, p] for c, p in changes]
    assert leg(chain, "base_open_interest") == [[1_010, 1_000], [1_000, 1_040], [980, 1_005]]


def test_the_mean_goes_by_measured_time():
    """Half-life 900 s: after 900 s a new value has half of the weight, after 180 s 1 - 2^(-1/5)."""
    chain = Chain()
    chain.see(BASE, AT)
    assert chain.see([(1_000, 1_100)] * 3, AT + 300)["ewma_net"] == 300
    assert chain.see([(1_000, 1_140)] * 3, AT + 1_200)["ewma_net"] == (300 + 120) / 2
    weight = 1 - 2 ** (-180 / 900)
    last = chain.see([(1_050, 1_140)] * 3, AT + 1_380)["ewma_net"]
    assert last == pytest.approx(210 + weight * (-150 - 210), rel=1e-14)


def test_the_mean_of_a_constant_flow_is_that_flow_however_observed():
    for step in (60, 75, 180, 1_700):
        chain = Chain()
        for i in range(8):
            made = chain.see([(1_000, 1_000 + 30 * i)] * 3, AT + step * i)
        assert made["ewma_net"] == pytest.approx(90, rel=1e-14)


def test_half_life_is_a_setting():
    chain = Chain(settings=with_flow(half_life=300.0))
    chain.see(BASE, AT)
    chain.see([(1_000, 1_100)] * 3, AT + 300)
    assert chain.see([(1_000, 1_100), (1_000, 1_100), (1_000, 1_101)], AT + 600)["ewma_net"] == (300 + 1) / 2


@pytest.mark.parametrize(("seconds", "steps"), [(59.0, 0), (60.0, 1)])
def test_two_steps_are_at_least_a_minute_apart(seconds, steps):
    """Legs polled in batches change within seconds of each other: they belong to one observation."""
    chain = Chain()
    chain.see(BASE, AT)
    made = chain.see([(1_000, 1_030), *BASE[1:]], AT + seconds)
    assert made["steps"] == steps
    made = chain.see([(1_000, 1_030), (1_000, 1_050), BASE[2]], AT + 119)
    assert (made["steps"], made["net_flow"]) == (1, 30 if steps else 80)


def test_prices_alone_are_no_step():
    chain = Chain()
    chain.see(BASE, AT)
    before = chain.state
    made = chain.see(BASE, AT + 300, last=[(4, 4)] * 3)
    assert (made["steps"], made["stepped_at"]) == (0, AT)
    assert_same(chain.state.leg, before.leg)
    assert (chain.state.touched.tolist(), chain.state.stepped.tolist()) == ([True], [False])


def test_open_interest_that_changes_back_is_nothing_new():
    chain = Chain()
    chain.see(BASE, AT)
    chain.see([(1_000, 1_030)] * 3, AT + 30)
    assert chain.see(BASE, AT + 90)["steps"] == 0


def test_without_a_forward_the_change_waits_for_one():
    chain = Chain()
    chain.see(BASE, AT)
    none = {"forward": np.array([NAN]), "reference": np.array([NAN]), "atm_row": np.array([-1])}
    assert chain.see([(1_000, 1_030)] * 3, AT + 100, **none)["steps"] == 0
    made = chain.see([(1_000, 1_040)] * 3, AT + 200)
    assert (made["steps"], made["net_flow"]) == (1, 120)


def test_a_leg_that_is_missing_once_is_counted_when_it_is_back():
    chain = Chain()
    chain.see(BASE, AT)
    assert chain.see([(NAN, 1_030), *BASE[1:]], AT + 100)["net_flow"] == 30
    assert chain.see([(900, 1_030), *BASE[1:]], AT + 200)["net_flow"] == 100


def test_a_strike_listed_during_the_day_begins_with_its_first_step():
    chain = Chain()
    chain.see([*BASE[:2], (NAN, NAN)], AT)
    made = chain.see([(1_010, 1_000), BASE[1], (500, 700)], AT + 100)
    assert made["net_flow"] == -10
    assert chain.see([(1_010, 1_000), BASE[1], (500, 760)], AT + 200)["net_flow"] == 60


def test_one_side_alone_flows():
    chain = Chain()
    chain.see([(NAN, 100)] * 3, AT)
    assert chain.see([(NAN, 110)] * 3, AT + 100)["net_flow"] == 30


def test_price_and_volatility_change_over_the_same_window():
    chain = Chain()
    chain.see(BASE, AT, last=[(3, 3)] * 3, implied_volatility=np.full((3, 2), 0.2))
    chain.see(BASE, AT + 100, last=[(9, 9)] * 3, implied_volatility=np.full((3, 2), 0.9))
    volatility = np.array([(0.21, 0.2), (0.2, NAN), (0.2, 0.2)])
    chain.see([(1_000, 1_001)] * 3, AT + 200, last=[(4, 2), (3, 3), (NAN, 3)], implied_volatility=volatility)
    assert leg(chain, "price_change")[0] == [1, -1]
    assert leg(chain, "iv_change")[0] == pytest.approx([0.01, 0])
    assert math.isnan(leg(chain, "price_change")[2][0])
    assert math.isnan(leg(chain, "iv_change")[1][1])
    assert leg(chain, "base_price")[2] == [3, 3]


# Weights --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("forward", "scale"), [(100.0, 2.0), (97.3, 2.0), (100.0, 0.5), (140.0, 3.0)])
def test_weights_fall_by_e_over_the_scale(forward, scale):
    chain = Chain()
    chain.see(BASE, AT)
    chains = seen(chain.day, *chain.polls)
    weights = atm_weights(chains, priced(chains, forward=np.array([forward])), FlowSettings(atm_scale=scale))
    assert weights == pytest.approx([math.exp(-abs(k - forward) / (5 * scale)) for k in LADDER], rel=1e-14)


def test_a_lone_strike_counts_in_full():
    one = a_day({"NIFTY": [100.0]})
    chains = seen(one, poll(one, AT, {"NIFTY": {"last": [(1, 1)]}}))
    assert atm_weights(chains, priced(chains, forward=np.array([250.0])), FlowSettings()).tolist() == [1.0]


def test_legs_without_a_volatility_weigh_by_their_intrinsic_delta():
    chain = Chain()
    chain.see(BASE, AT)
    chains = seen(chain.day, *chain.polls)
    delta = np.array([(NAN, NAN), (NAN, NAN), (0.3, -0.6)])
    sizes = delta_sizes(chains, priced(chains, delta=delta, time_to_expiry=np.array([0.5])))
    discount = math.exp(-0.05 * 0.5)
    assert sizes.ravel().tolist() == pytest.approx([discount, 0, discount / 2, discount / 2, 0.3, 0.6])


def test_deep_legs_without_a_volatility_still_flow():
    """In the last minute no leg has a Greek, and the flow goes on."""
    chain = Chain(delta=np.full((3, 2), NAN), time_to_expiry=np.zeros(1))
    chain.see(BASE, AT)
    made = chain.see([(1_010, 1_000), (1_000, 1_000), (1_000, 1_007)], AT + 100)
    assert made["delta_flow"] == -10 + 7


# Regime ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("flow_pct", "sign"),
    [(0.1, 0), (np.nextafter(0.1, 1), 1), (-0.1, 0), (np.nextafter(-0.1, -1), -1), (NAN, 0), (0, 0)],
)
def test_the_dead_band_holds_its_edges(flow_pct, sign):
    assert beyond(np.array([flow_pct]), np.array([NAN]), FlowSettings()).tolist() == [sign]


@pytest.mark.parametrize(("noise", "band"), [(NAN, 0.1), (0.0, 0.1), (0.12, 0.1), (0.5, 0.4), (2.0, 1.6)])
def test_the_dead_band_is_wider_for_a_noisy_chain(noise, band):
    """0.8 of the usual step, at least 0.1 %; its edge is neutral."""
    inside, outside = np.nextafter(band, 0), np.nextafter(band + 1e-12, 9)
    found = beyond(np.array([inside, -inside, outside, -outside]), np.full(4, noise), FlowSettings())
    assert found.tolist() == [0, 0, 1, -1]


def sizes(steps, **changed):
    """A chain with interest at the money alone, calls and puts of a million, stepping by these per cent of both."""
    chain, puts, calls = Chain(settings=replace(SETTINGS, flow=FlowSettings(**changed))), 1e6, 1e6
    chain.see([(0, 0), (calls, puts), (0, 0)], AT)
    out = []
    for i, size in enumerate(steps, start=1):
        # What opens as a put closes as a call, so that the open interest against which it is measured stays.
        puts, calls = puts + size * 1e4, calls - size * 1e4
        made = chain.see([(0, 0), (calls, puts), (0, 0)], AT + 180 * i)
        out.append(made | {"noise": chain.state.segment["flow_noise_pct"][0]})
    return out


def test_the_usual_step_by_hand():
    """0.3 % stands for three steps; then a mean of all seen, and a step counts with at most six times that mean."""
    made = sizes([0.7, -0.1, 9.0])
    first = 0.3 + (0.7 - 0.3) / 4
    second = first + (0.1 - first) / 5
    third = second + (6 * second - second) / 6
    assert [m["noise"] for m in made] == pytest.approx([first, second, third], rel=1e-9)


def test_the_usual_step_forgets_by_measured_time():
    """Half-life 3,600 s: once a thirtieth of a step's share is less than that of time, time decides."""
    made = sizes([0.3] * 40 + [0.6])
    weight = 1 - 2 ** (-180 / 3_600)
    assert weight > 1 / 44
    assert made[-2]["noise"] == pytest.approx(0.3, rel=1e-9)
    assert made[-1]["noise"] == pytest.approx(0.3 + weight * 0.3, rel=1e-9)


QUIET = [0.2, -0.2] * 6


@pytest.mark.parametrize(
    ("last", "words"),
    [
        ([3.0, 3.0], ["NEUTRAL", "BULLISH"]),
        ([-3.0, -3.0], ["NEUTRAL", "BEARISH"]),
        ([9.0, 0.2], ["NEUTRAL", "NEUTRAL"]),  # one large step lifts the mean for long, and is no regime
        ([9.0, -0.2, 9.0], ["NEUTRAL"] * 3),
        ([1.3, 1.3], ["NEUTRAL"] * 2),  # six times the usual step
        ([3.0, 3.0, 0.2, -0.2, 0.2], ["NEUTRAL", *["BULLISH"] * 4]),  # it stands while the mean does
    ],
)
def test_a_regime_begins_with_two_large_steps_in_a_row(last, words):
    assert [m["regime"] for m in sizes(QUIET + last)][len(QUIET) :] == words


def test_how_large_is_a_setting():
    assert sizes([*QUIET, 1.3, 1.3])[-1]["regime"] == "NEUTRAL"
    assert sizes([*QUIET, 1.3, 1.3], least_flow_noise=3.0)[-1]["regime"] == "BULLISH"


@pytest.mark.parametrize(("quiet", "regime"), [(7, "NEUTRAL"), (8, "BULLISH")])
def test_no_regime_begins_before_the_usual_step_is_known(quiet, regime):
    """Eight steps come first; both steps of a regime must come after them."""
    assert sizes([*QUIET[:quiet], 4.0, 4.0])[-1]["regime"] == regime


def test_a_large_mean_against_the_regime_ends_it():
    """Turned by steps that are too small to make the other regime: neutral, not bearish."""
    words = [m["regime"] for m in sizes([*QUIET, 3.0, 3.0, *[-0.9] * 30])]
    assert words[13] == "BULLISH"
    assert words[-1] == "NEUTRAL"
    assert "BEARISH" not in words


def regimes(signs):
    """What each observation makes of flows of these signs; with a half-life of a second the last one is all."""
    chain, puts, calls = Chain(settings=with_flow(half_life=1.0)), 1_000_000.0, 1_000_000.0
    chain.see([(calls, puts)] * 3, AT)
    found = []
    for i, sign in enumerate(signs, start=1):
        puts, calls = puts + 10_000 * (sign > 0) + (sign == 0), calls + 10_000 * (sign < 0) + (sign == 0)
        found.append(chain.see([(calls, puts)] * 3, AT + 180 * i))
    return found


UP, DOWN, FLAT = 1, -1, 0


@pytest.mark.parametrize(
    ("signs", "words"),
    [
        ([UP], ["NEUTRAL"]),
        ([UP, UP], ["NEUTRAL", "BULLISH"]),
        ([DOWN, DOWN], ["NEUTRAL", "BEARISH"]),
        ([UP, FLAT, UP], ["NEUTRAL"] * 3),
        ([UP, DOWN, UP, DOWN], ["NEUTRAL"] * 4),
        ([UP, UP, DOWN], ["NEUTRAL", "BULLISH", "BULLISH"]),
        ([UP, UP, DOWN, DOWN], ["NEUTRAL", "BULLISH", "BULLISH", "BEARISH"]),
        ([UP, UP, FLAT, FLAT], ["NEUTRAL", "BULLISH", "BULLISH", "NEUTRAL"]),
        ([UP, UP, FLAT, UP, FLAT], ["NEUTRAL", *["BULLISH"] * 4]),
        ([UP, UP, FLAT, FLAT, DOWN, DOWN], ["NEUTRAL", "BULLISH", "BULLISH", "NEUTRAL", "NEUTRAL", "BEARISH"]),
    ],
)
def test_a_regime_needs_a_second_observation(signs, words):
    assert [made["regime"] for made in regimes(signs)] == words


def test_a_regime_is_dated_by_its_confirmation():
    made = regimes([UP, UP, UP, DOWN, DOWN])
    assert [m["regime_since"] for m in made[1:]] == [AT + 360] * 3 + [AT + 900]
    assert math.isnan(made[0]["regime_since"])


@pytest.mark.parametrize(
    ("signs", "flips", "unforgiven"),
    [
        ([UP, UP, UP], [0, 0, 0], [0, 0, 0]),
        ([UP, UP, DOWN, DOWN], [0, 0, 0, 1], [0, 0, 0, 1]),
        ([UP, UP, DOWN, DOWN, DOWN, DOWN], [0, 0, 0, 1, 1, 1], [0, 0, 0, 1, 0, 0]),
        ([UP, UP, DOWN, DOWN, FLAT], [0, 0, 0, 1, 1], [0, 0, 0, 1, 0]),
        # By way of neutral it is a flip all the same.
        ([UP, UP, FLAT, FLAT, DOWN, DOWN], [0] * 5 + [1], [0] * 5 + [1]),
        # Back to where it came from is none.
        ([UP, UP, FLAT, FLAT, UP, UP], [0] * 6, [0] * 6),
        # While it whips from side to side nothing is forgiven.
        ([UP, UP, DOWN, DOWN, UP, UP, DOWN, DOWN], [0, 0, 0, 1, 1, 2, 2, 3], [0, 0, 0, 1, 1, 2, 2, 3]),
        ([UP, UP, DOWN, DOWN, UP, DOWN, DOWN], [0, 0, 0, 1, 1, 1, 1], [0, 0, 0, 1, 1, 0, 0]),
        # The first regime of the day is no flip.
        ([DOWN, UP, UP], [0, 0, 0], [0, 0, 0]),
    ],
)
def test_flips_are_counted_and_forgiven(signs, flips, unforgiven):
    made = regimes(signs)
    assert [m["flips"] for m in made] == flips
    assert [m["unforgiven_flips"] for m in made] == unforgiven


def by_rule(signs):
    """The rule read aloud: (regime, flips, unforgiven) after each observation."""
    regime, directed, previous, flips, unforgiven, out = 0, 0, None, 0, 0, []
    for sign in signs:
        flip = False
        if sign == previous and sign != regime:
            regime = sign
            if sign and directed and sign != directed:
                flip = True
        against = bool(sign) and sign == -directed
        if flip:
            flips, unforgiven = flips + 1, unforgiven + 1
        elif not against:
            unforgiven = max(unforgiven - 1, 0)
        if regime:
            directed = regime
        previous = sign
        out.append((regime, flips, unforgiven))
    return out


@pytest.mark.slow
@settings(max_examples=60)
@given(st.lists(st.sampled_from([UP, DOWN, FLAT]), max_size=25))
def test_any_sequence_of_signs_follows_the_rule(signs):
    words = {"BULLISH": 1, "BEARISH": -1, "NEUTRAL": 0}
    assert [(words[m["regime"]], m["flips"], m["unforgiven_flips"]) for m in regimes(signs)] == by_rule(signs)


# Gaps -----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("gap", "kept"), [(1_800.0, True), (1_801.0, False)])
def test_a_gap_of_more_than_half_an_hour_starts_the_means_anew(gap, kept):
    chain = Chain(settings=with_flow(half_life=1.0))
    for i in range(3):
        chain.see([(1_000, 1_000 + 20 * i)] * 3, AT + 60 * i)
    assert chain.made["regime"] == "BULLISH"
    made = chain.see([(1_000, 1_100)] * 3, AT + 120 + gap)
    if kept:
        assert (made["regime"], made["net_flow"], made["steps"]) == ("BULLISH", 180, 3)
        return
    assert (made["regime"], made["status"], made["steps"]) == ("", "one OI observation so far", 2)
    assert np.isnan([made["net_flow"], made["ewma_net"], made["flow_pct"], made["regime_since"]]).all()
    assert np.isnan(chain.state.leg["open_interest_flow"]).all()
    again = chain.see([(1_000, 1_110)] * 3, AT + 180 + gap)
    assert (again["ewma_net"], again["regime"], again["steps"]) == (30, "NEUTRAL", 3)
    assert math.isnan(again["regime_since"])


def test_a_flip_across_a_gap_is_a_flip_of_the_day():
    chain = Chain(settings=with_flow(half_life=1.0))
    for i in range(3):
        chain.see([(1_000, 1_000 + 20 * i)] * 3, AT + 60 * i)
    for i in range(3):
        made = chain.see([(1_000 + 20 * i, 1_100)] * 3, AT + 3_600 + 60 * i)
    assert (made["regime"], made["flips"], made["unforgiven_flips"]) == ("BEARISH", 1, 1)


def test_a_clock_that_went_back_waits():
    chain = Chain()
    chain.see(BASE, AT)
    chain.state.segment["stepped_at"][0] = AT + 500
    assert chain.see([(1_000, 1_030)] * 3, AT + 100)["steps"] == 0


def test_has_begun_with_the_first_step():
    chain = Chain()
    assert has_begun(chain.state).tolist() == [False]
    chain.see(BASE, AT)
    assert has_begun(chain.state).tolist() == [False]
    chain.see([(1_000, 1_001)] * 3, AT + 60)
    assert has_begun(chain.state).tolist() == [True]


# Laws -----------------------------------------------------------------------------------------------------------------


def by_loop(pictures, pricings, parameters):
    """Flow means and steps of every chain, leg by leg in plain Python: {segment: list of dicts}."""
    memory: dict[int, dict] = {}
    out = []
    for chains, pricing in zip(pictures, pricings, strict=True):
        layout = chains.layout
        for s in np.flatnonzero(chains.updated).tolist():
            rows = range(int(layout.starts[s]), int(layout.ends[s]))
            now = {(r, i): chains.legs.open_interest[r, i] for r in rows for i in (0, 1)}
            now = {k: v for k, v in now.items() if not math.isnan(v)}
            if not now:
                continue
            own = memory.setdefault(s, {"base": {}, "at": None, "ewma": None, "steps": 0})
            at = chains.stamped_at[s]
            if own["at"] is None or at - own["at"] > parameters.reset_gap:
                own |= {"at": at, "ewma": None}
                own["base"] |= now
                continue
            change = {k: v - own["base"][k] for k, v in now.items() if k in own["base"]}
            forward = pricing.forward[s]
            if not any(change.values()) or at - own["at"] < parameters.min_step or math.isnan(forward):
                continue
            sums = [0.0, 0.0, 0.0]
            for (r, side), moved in change.items():
                sign = 1 if side else -1
                weight = math.exp(-abs(layout.strike[r] - forward) / (parameters.atm_scale * layout.strike_step[s]))
                delta = abs(pricing.delta[r, side])
                if math.isnan(delta):
                    inside = (layout.strike[r] > forward) == bool(side)
                    delta = math.exp(-pricing.rate * pricing.time_to_expiry[s]) * inside
                for i, size in enumerate((1.0, weight, delta)):
                    sums[i] += sign * size * moved
            weight = 1 - 2 ** (-(at - own["at"]) / parameters.half_life)
            own["ewma"] = (
                sums
                if own["ewma"] is None
                else [e + weight * (x - e) for e, x in zip(own["ewma"], sums, strict=True)]
            )
            own |= {"at": at, "steps": own["steps"] + 1, "last": sums}
            own["base"] |= now
        out.append({s: dict(m) for s, m in memory.items()})
    return out


@pytest.mark.slow
@settings(max_examples=15)
@given(st.integers(0, 2**32 - 1))
def test_a_lively_market_followed_by_a_loop_gives_the_same(seed):
    pictures = lively_pictures(seed, 12, step=75.0)
    state, pricing, readings, pricings = None, None, [], []
    for chains in pictures:
        state, made, pricing = run(chains, state, pricing=pricing)
        readings.append(made["flow"])
        pricings.append(pricing)
    for made, expected in zip(readings, by_loop(pictures, pricings, SETTINGS.flow), strict=True):
        for s, own in expected.items():
            assert made["steps"][s] == own["steps"]
            assert made["stepped_at"][s] == own["at"]
            if own["ewma"] is None:
                assert math.isnan(made["ewma_net"][s])
                continue
            found = [made[n][s] for n in ("ewma_net", "ewma_atm", "ewma_delta", "net_flow", "atm_flow", "delta_flow")]
            assert found == pytest.approx([*own["ewma"], *own["last"]], rel=1e-9, abs=1e-6)


def test_a_strike_listed_at_noon_leaves_the_flow_of_the_others_unbroken():
    """On a new layout, with the state moved, the means go on as if nothing had happened."""
    small, large = [95.0, 100.0, 105.0], [90.0, 95.0, 100.0, 105.0]
    paths = [[(1_000, 1_000 + 7 * i), (1_000 + 11 * i, 1_000), (1_000, 1_000)] for i in range(6)]

    def means(switch):
        state = None
        for i, interest in enumerate(paths):
            ladder = large if i >= switch else small
            one = a_day({"NIFTY": ladder, "SBIN": small} if i >= switch else {"NIFTY": ladder})
            extra = [(NAN, NAN)] if i == switch else [(500, 500)]
            columns = {"open_interest": [*(extra if i >= switch else []), *interest], "last": [(3, 3)] * len(ladder)}
            chains = seen(one, poll(one, AT + 100 * i, {"NIFTY": columns}))
            state = state.reindexed(one.layout) if state else State.fresh(one.layout)
            state, made = flow(chains, priced(chains), state, with_flow())
        return [made[n][0] for n in ("ewma_net", "ewma_atm", "ewma_delta", "steps", "regime", "regime_since")]

    assert means(switch=3) == means(switch=99)


@pytest.mark.parametrize("seed", range(4))
def test_feeding_one_name_never_moves_another(seed):
    """BANKNIFTY polled or not: NIFTY's rows are equal to the last bit."""
    day = lively_day()
    names = day.layout.segment_keys
    nifty = [i for i, k in enumerate(names) if k.underlying == "NIFTY"]
    everyone = LivelyMarket(day, seed)
    states = {True: None, False: None}
    polls: list = []
    others: list = []
    for i in range(12):
        observation = everyone.observation(ist(9, 20) + 120 * i, range(len(names)))
        polls.append(observation)
        mine = np.isin(day.layout.row_segment[observation.rows], nifty)
        others.append(
            replace(
                observation,
                segments=observation.segments[nifty],
                stamped_at=observation.stamped_at[nifty],
                rows=observation.rows[mine],
                legs={n: v[mine] for n, v in observation.legs.items()},
                underlyings=observation.underlyings[:1],
                underlying_values={n: v[:1] for n, v in observation.underlying_values.items()},
                futures=observation.futures[:1],
                future_values={n: v[:1] for n, v in observation.future_values.items()},
            )
        )
    readings = {}
    for fed, sequence in ((True, polls), (False, others)):
        for upto in range(1, len(sequence) + 1):
            chains = seen(day, *sequence[:upto])
            states[fed], readings[fed], _ = run(chains, states[fed])
    assert_same(states[True].sliced("NIFTY"), states[False].sliced("NIFTY"))
    for name in ("price", "open_interest", "flow"):
        assert_same(readings[True][name].rows(nifty), readings[False][name].rows(nifty))
    assert_same(readings[True]["readiness"].rows([0]), readings[False]["readiness"].rows([0]))


def test_each_expiry_flows_for_itself():
    weekly, monthly = SegmentKey("NIFTY", WEEKLY), SegmentKey("NIFTY", MONTHLY)
    one = a_day({weekly: LADDER, monthly: LADDER})
    state = State.fresh(one.layout)
    for i in range(3):
        columns = {"last": [(3, 3)] * 3, "open_interest": [(1_000, 1_000 + 10 * i)] * 3}
        given_ = {weekly: columns} | ({monthly: columns} if i else {})
        chains = seen(one, poll(one, AT + 60 * i, given_))
        state, made = flow(chains, priced(chains), state, SETTINGS)
    assert made["steps"].tolist() == [2, 1]
    assert made["net_flow"].tolist() == [30, 30]
