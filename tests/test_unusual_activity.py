"""Unusual activity: what is usual, each rule with numbers by hand, calls and puts alike, silence where it is due."""

from dataclasses import replace
from datetime import date

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from optionscanner.analytics.suppression import suppressed
from optionscanner.analytics.unusual_activity import measured, percentiles, unusual_activity
from optionscanner.analytics.unusual_activity_total import unusual_activity_total
from optionscanner.analytics.volume_oi_profile import volume_oi_profile
from optionscanner.history.store import SqliteHistory
from optionscanner.model.columns import EXPOSURE_TOTAL, OPEN_INTEREST
from optionscanner.model.contracts import SegmentKey
from optionscanner.model.daily import DailyContext, DayEvent
from optionscanner.model.readings import Reading
from optionscanner.model.sessions import Mode
from optionscanner.model.settings import EngineSettings, UnusualSettings
from optionscanner.model.state import State
from optionscanner.model.usual import SLOTS, UsualRatios
from tests import builders
from tests.builders import MONTHLY, TRADING_DATE, ist
from tests.engine_builders import a_day, arrays, assert_same, lively_pictures, poll, priced, run, seen

NAN = float("nan")
AT = ist(10, 0)
LADDER = [80.0 + 5 * i for i in range(9)]  # 80 to 120, at the money 100
CHAIN = SegmentKey("SBIN", MONTHLY)
RULES = UnusualSettings()
SETTINGS = EngineSettings()
LOT = 10.0
QUIET = (0.0, 10_000.0)  # volume and open interest of a leg that does nothing


def leg_array(given, *, ladder=LADDER, otherwise=NAN):
    return np.array([[given.get((k, side), otherwise) for side in (0, 1)] for k in ladder])


def market(loud, *, chain=CHAIN, age=0.0, ladder=LADDER, price=3.0, spot=100.0, **day):
    """A chain of quiet legs but for `loud`: {(strike, side): (volume, open interest)}."""
    one = a_day({chain: ladder}, lot=LOT, **day)
    legs = {(k, side): loud.get((k, side), QUIET) for k in ladder for side in (0, 1)}
    columns = {
        name: [tuple(legs[k, side][i] for side in (0, 1)) for k in ladder]
        for i, name in enumerate(("volume", "open_interest"))
    }
    return seen(
        one,
        poll(one, AT, {chain: columns | {"last": [(price, price)] * len(ladder)}}, spot={chain.underlying: spot}),
        as_of=AT + age,
    )


def remembered(chains, *, flow=None, times=None, moved=None, ladder=LADDER, **segment):
    """State after a step: change of open interest, times of the usual, and (price, volatility) changes by leg."""
    moved = moved or {}
    fresh, count = State.fresh(chains.layout), chains.layout.segments
    stepped = np.full(count, AT)
    given = {"ewma_net": np.full(count, 1.0), "stepped_at": stepped, "unusual_at": stepped}
    return fresh.updated(
        segment=given | {name: np.full(count, value) for name, value in segment.items()},
        leg={
            "open_interest_flow": leg_array(flow or {}, ladder=ladder),
            "change_times": leg_array(times or {}, ladder=ladder),
            "price_change": leg_array({k: v[0] for k, v in moved.items()}, ladder=ladder),
            "iv_change": leg_array({k: v[1] for k, v in moved.items()}, ladder=ladder),
        },
    )


def signals(chains, state, made=None, parameters=SETTINGS, **given):
    """Rows of the reading as dictionaries."""
    _, reading = unusual_activity(chains, priced(chains), state, made or {}, parameters, **given)
    return reading.frame().to_dict("records")


def with_daily(chains, *, banned=NAN, events=()):
    """The same picture on a day of which the daily files say who is banned and what happens."""
    none = np.empty(0)
    daily = DailyContext(
        previous_session=TRADING_DATE, spot_open=none, spot_high=none, spot_low=none, spot_close=none,
        future_open_interest=none, future_close=none, banned=np.array([banned]), ban_entered=(), ban_left=(),
        iv_dates=(), iv_history=none, positions=None, positions_before=None, fii_crore={}, vix_close=NAN,
        vix_history=none, lot_changes=(), events=events,
    )  # fmt: skip
    return replace(chains, day=replace(chains.day, daily=daily))


# What is usual --------------------------------------------------------------------------------------------------------


def after(changes, *, lot=LOT, usual=NAN, count=NAN):
    """(usual, observations, times) after these changes of one leg, one after the other."""
    values = np.array([usual]), np.array([count]), np.array([NAN])
    for change in changes:
        values = measured(np.array([change]), values[0], values[1], np.array([lot]), RULES)
    return [float(v[0]) for v in values]


def test_a_change_is_measured_against_the_mean_size_of_those_before_it():
    """Sizes 100 to 500, up and down alike: mean 300; the sixth is 1,200 = 4 times; then the mean is 450."""
    assert after([100, -200, 300, -400, 500])[:2] == [300.0, 5.0]
    assert after([100, -200, 300, -400, 500, 1_200]) == [450.0, 6.0, 4.0]
    assert after([100, -200, 300, -400, 500, -1_200])[2] == -4.0


def test_nothing_is_measured_before_five_observations():
    assert np.isnan(after([100, -200, 300, -400, 1_200])[2])


def test_less_than_a_lot_counts_as_a_lot():
    assert after([0, 0, 0, 0, 0, 50], lot=25.0)[2] == 2.0


def test_twenty_observations_are_remembered():
    """From then on each counts 2 / 21: 100 + 2/21 x (310 - 100) = 120."""
    assert after([310], usual=100.0, count=20.0)[:2] == [pytest.approx(120.0), 21.0]
    assert after([310], usual=100.0, count=9.0)[:2] == [pytest.approx(121.0), 10.0]  # a plain mean until then


def test_a_change_that_is_not_known_is_not_counted():
    usual, count, times = after([100, -200, 300, -400, 500, NAN])
    assert (usual, count) == (300.0, 5.0)
    assert np.isnan(times)


def test_each_step_of_a_chain_is_counted_once_and_a_repetition_never():
    """Six steps of one call, 110: 10,000, then +100, +100 ... +100, +900: 9 times its usual 100."""
    day = a_day({CHAIN: LADDER}, lot=LOT)
    picture, state = [], None
    held, times = 10_000.0, []
    for i, change in enumerate([0, 100, 100, 100, 100, 100, 900]):
        held += change
        interest = [(held if k == 110.0 else 10_000.0, 10_000.0) for k in LADDER]
        for late in (0.0, 30.0):  # each publication is polled twice
            columns = {"open_interest": interest, "volume": [(6_000, 6_000)] * 9, "last": [(3.0, 3.0)] * 9}
            picture.append(poll(day, AT + 180 * i + late, {CHAIN: columns}, spot={"SBIN": 100.0}))
            chains = seen(day, *picture)
            state, _, _ = run(chains, state)
            times.append(state.leg["change_times"][6, 0])
    assert np.isnan(times[:12]).all()
    assert times[12:] == [9.0, 9.0]
    assert state.leg["usual_changes"][6, 0] == 6.0
    assert state.segment["otm_call_times"][0] == 9.0  # and the only call that far out that changed
    assert state.segment["otm_put_times"][0] == 0.0


# The rules ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("strike", "side", "moved", "pressed", "direction", "words"),
    [
        (110.0, 0, (0.4, 0.01), "BUY", "BULLISH", "bought"),
        (110.0, 0, (-0.4, -0.01), "WRITE", "BEARISH", "written"),
        (90.0, 1, (0.4, 0.01), "BUY", "BEARISH", "bought"),
        (90.0, 1, (-0.4, -0.01), "WRITE", "BULLISH", "written"),
        (110.0, 0, (0.4, -0.01), "?", "", "side unknown"),
        (90.0, 1, (NAN, NAN), "?", "", "side unknown"),
    ],
)
def test_accumulation_by_hand(strike, side, moved, pressed, direction, words):
    """8,000 held, 2,000 added = 4 times the usual 500 and +25 %, 10 % out of the money."""
    leg = (strike, side)
    chains = market({leg: (6_000.0, 10_000.0)})
    (row,) = signals(chains, remembered(chains, flow={leg: 2_000.0}, times={leg: 4.0}, moved={leg: moved}))
    kind, option = ("CALL", "CE") if side == 0 else ("PUT", "PE")
    assert row["reason"] == f"{strike:.0f} {option} OI +25 %, 4.0 x usual > 3 x, 10.0 % OTM, {words}"
    expected = {
        "rank": 1.0, "underlying": "SBIN", "expiry": MONTHLY.isoformat(), "strike": strike, "option_type": option,
        "rule": f"OTM_{kind}_ACCUMULATION", "urgency": "HIGH", "side": pressed, "direction": direction, "value": 4.0,
        "threshold": 3.0, "rests_on": "", "volume": 6_000.0, "open_interest": 10_000.0, "open_interest_flow": 2_000.0,
        "usual_change": 500.0, "distance_pct": pytest.approx(strike - 100.0),
    }  # fmt: skip
    assert {name: row[name] for name in expected} == expected
    assert np.isnan(row["percentile"])


@pytest.mark.parametrize(
    ("strike", "volume", "times", "flow", "price"),
    [
        (105.0, 6_000.0, 4.0, 2_000.0, 3.0),  # exactly 5 % out, and not more
        (90.0, 6_000.0, 4.0, 2_000.0, 3.0),  # a call in the money
        (110.0, 4_990.0, 4.0, 2_000.0, 3.0),  # 499 contracts
        (110.0, 6_000.0, 3.0, 2_000.0, 3.0),  # three times, and not more
        (110.0, 6_000.0, NAN, 2_000.0, 3.0),  # not known what is usual
        (110.0, 6_000.0, -4.0, -2_000.0, 3.0),  # closed
        (110.0, 6_000.0, 4.0, 291.0, 3.0),  # up by less than 3 % of 9,709
        (110.0, 6_000.0, 4.0, 2_000.0, 0.95),  # under ₹1
    ],
)
def test_what_is_no_accumulation(strike, volume, times, flow, price):
    chains = market({(strike, 0): (volume, 10_000.0)}, price=price)
    assert signals(chains, remembered(chains, flow={(strike, 0): flow}, times={(strike, 0): times})) == []


def busy_chain(**given):
    """41 strikes, all legs traded at ratio 0.01 but the call at 110, which has 10,000 units on 8,000: ratio 1.25."""
    ladder = [80.0 + i for i in range(41)]
    loud = {(k, side): (100.0, 10_000.0) for k in ladder for side in (0, 1)} | {(110.0, 0): (10_000.0, 8_000.0)}
    chains = market(loud, ladder=ladder, **given)
    state = remembered(
        chains, ladder=ladder, flow={(110.0, 0): 1_000.0}, times={(110.0, 0): 2.0}, moved={(110.0, 0): (0.5, 0.0)}
    )
    return chains, state


def test_volume_by_hand():
    """All 81 other legs have a smaller ratio; 7,000 held, +1,000 = +14 %."""
    (row,) = signals(*busy_chain())
    assert (row["rule"], row["urgency"], row["side"], row["direction"]) == (
        "UNUSUAL_CALL_VOLUME", "MEDIUM", "BUY", "BULLISH",
    )  # fmt: skip
    assert (row["value"], row["threshold"], row["percentile"], row["rests_on"]) == (1.25, 0.5, 100.0, "81 legs now")
    assert row["reason"] == "110 CE Vol/OI 1.2 > 0.5, above 100 % of 81 legs now, OI +14 %, bought"


def test_volume_on_the_day_an_index_expires_says_nothing_and_of_a_stock_something():
    assert len(signals(*busy_chain(chain=SegmentKey("SBIN", TRADING_DATE)))) == 1
    assert signals(*busy_chain(chain=SegmentKey("NIFTY", TRADING_DATE))) == []
    assert len(signals(*busy_chain(chain=SegmentKey("NIFTY", MONTHLY)))) == 1


def test_a_percentile_of_too_few_legs_is_blank_and_makes_no_signal():
    """Six legs of nine strikes have traded; the documented rule without a percentile is there at `percentile: 0`."""
    loud = {(k, 0): (100.0, 10_000.0) for k in LADDER[:5]} | {(110.0, 0): (10_000.0, 8_000.0)}
    chains = market(loud)
    state = remembered(chains, flow={(110.0, 0): 1_000.0}, times={(110.0, 0): 2.0})
    assert signals(chains, state) == []
    literal = replace(SETTINGS, activity=replace(SETTINGS.activity, percentile=0.0))
    (row,) = signals(chains, state, parameters=literal)
    assert (row["rule"], row["rests_on"]) == ("UNUSUAL_CALL_VOLUME", "")
    assert np.isnan(row["percentile"])


def chain_readings(chains, *, ratio, extreme, regime="", share=NAN):
    texts = {c.name: np.full(1, "", dtype=object) for c in (*OPEN_INTEREST.columns, *EXPOSURE_TOTAL.columns)}

    def reading(spec, **given):
        return Reading(spec, {c.name: texts[c.name] for c in spec.columns} | given)

    return {
        "open_interest": reading(
            OPEN_INTEREST, put_call_ratio=np.array([ratio]), put_call_extreme=np.array([extreme], dtype=object)
        ),
        "exposure_total": reading(
            EXPOSURE_TOTAL, regime=np.array([regime], dtype=object), gex_share_pct=np.array([share])
        ),
    }


@pytest.mark.parametrize(
    ("given", "rule", "direction", "reason"),
    [
        ({"ratio": 1.72, "extreme": "HIGH"}, "PCR_EXTREME_HIGH", "BULLISH", "PCR 1.72 > 1.6, contrarian"),
        ({"ratio": 0.44, "extreme": "LOW"}, "PCR_EXTREME_LOW", "BEARISH", "PCR 0.44 < 0.5, contrarian"),
        (
            {"ratio": 1.0, "extreme": "", "regime": "NEGATIVE", "share": -34.2},
            "NEGATIVE_GAMMA_ZONE", "", "GEX -34 % of all gamma < -5 %: moves amplified",
        ),
    ],
)  # fmt: skip
def test_signals_of_whole_chains(given, rule, direction, reason):
    chains = market({})
    (row,) = signals(chains, State.fresh(chains.layout), chain_readings(chains, **given))
    assert (row["rule"], row["urgency"], row["direction"], row["reason"]) == (rule, "", direction, reason)
    assert np.isnan(row["strike"])
    assert row["option_type"] == ""


def test_high_stands_before_medium_before_the_others_and_the_known_direction_first():
    loud = {(k, side): (100.0, 10_000.0) for k in LADDER for side in (0, 1)}
    legs = {(110.0, 0): 5.0, (115.0, 0): 4.0, (90.0, 1): 9.0}
    chains = market(loud | dict.fromkeys(legs, (20000.0, 10000.0)))
    literal = replace(SETTINGS, activity=replace(SETTINGS.activity, percentile=0.0))
    state = remembered(
        chains, flow=dict.fromkeys(legs, 2_000.0), times=legs, moved={(115.0, 0): (0.5, 0.0), (110.0, 0): (0.5, 0.0)}
    )
    rows = signals(chains, state, chain_readings(chains, ratio=1.72, extreme="HIGH"), literal)
    assert [(r["urgency"], r["strike"]) for r in rows[:6]] == [
        ("HIGH", 110.0), ("HIGH", 115.0), ("HIGH", 90.0), ("MEDIUM", 110.0), ("MEDIUM", 115.0), ("MEDIUM", 90.0),
    ]  # fmt: skip
    assert rows[6]["rule"] == "PCR_EXTREME_HIGH"
    assert [r["rank"] for r in rows] == list(range(1, 8))
    _, total = unusual_activity_total(
        chains, state, unusual_activity(chains, priced(chains), state, {}, literal)[1], literal
    )
    row = total.frame().to_dict("records")[0]
    assert (row["high"], row["medium"], row["direction"], row["word"]) == (3.0, 3.0, "BULLISH", "HIGH 110 CE B")
    assert row["reason"] == rows[0]["reason"]


# Calls and puts alike -------------------------------------------------------------------------------------------------

sizes = st.sampled_from([0.0, 200.0, 301.0, 2_000.0, 4_000.0])
changes = st.sampled_from([NAN, -0.5, 0.0, 0.5])
a_leg = st.tuples(st.sampled_from([100.0, 6_000.0, 30_000.0]), sizes, st.sampled_from([NAN, 2.0, 3.5, 8.0]), changes)


@settings(max_examples=60)
@given(st.lists(a_leg, min_size=18, max_size=18), st.sampled_from([0.0, 95.0]))
def test_puts_mirror_calls(drawn, percentile):
    """A ladder turned round, calls for puts: the same signals on the other side, each pointing the other way."""
    parameters = replace(SETTINGS, activity=replace(SETTINGS.activity, percentile=percentile))
    rules = replace(parameters, unusual=replace(RULES, least_legs=5))
    legs = {(k, side): drawn[2 * i + side] for i, k in enumerate(LADDER) for side in (0, 1)}
    found = []
    for turned in (False, True):
        there = {((200.0 - k, 1 - side) if turned else (k, side)): leg for (k, side), leg in legs.items()}
        chains = market({leg: (values[0], 10_000.0) for leg, values in there.items()})
        state = remembered(
            chains,
            flow={leg: v[1] for leg, v in there.items()},
            times={leg: v[2] for leg, v in there.items()},
            moved={leg: (v[3], v[3]) for leg, v in there.items()},
        )
        found.append(signals(chains, state, parameters=rules))
    other = {"BULLISH": "BEARISH", "BEARISH": "BULLISH", "": ""}
    swap = {"CE": "PE", "PE": "CE"}

    def plain(row, *, turned):
        return (
            200.0 - row["strike"] if turned else row["strike"],
            swap[row["option_type"]] if turned else row["option_type"],
            row["rule"].replace("PUT", "CALL"),
            other[row["direction"]] if turned else row["direction"],
            row["urgency"],
            row["side"],
            row["value"],
        )

    plain_rows = {plain(row, turned=False) for row in found[0]}
    assert plain_rows == {plain(row, turned=True) for row in found[1]}


# Silence --------------------------------------------------------------------------------------------------------------


def accumulating(**given):
    leg = (110.0, 0)
    chains = market({leg: (6_000.0, 10_000.0)}, **given)
    return chains, remembered(chains, flow={leg: 2_000.0}, times={leg: 4.0}, moved={leg: (0.4, 0.01)})


def total_of(chains, state):
    state, reading = unusual_activity(chains, priced(chains), state, {}, SETTINGS)
    return unusual_activity_total(chains, state, reading, SETTINGS)[1].frame().to_dict("records")[0]


EX_TODAY = DayEvent(TRADING_DATE, "SBIN", "BONUS", "1:1")


@pytest.mark.parametrize(
    ("daily", "why"),
    [
        ({"banned": 1.0}, "ban"),
        ({"banned": 0.0, "events": (EX_TODAY,)}, "ex-date 30-Jan"),
        ({"banned": 1.0, "events": (EX_TODAY,)}, "ban"),
        ({"banned": 0.0}, ""),
        ({"banned": NAN}, ""),  # the list of today is not there
        ({"events": (replace(EX_TODAY, date=date(2026, 2, 2)),)}, ""),
        ({"events": (replace(EX_TODAY, kind="RESULTS"),)}, ""),
        ({"events": (replace(EX_TODAY, underlying="ITC"),)}, ""),
    ],
)
def test_a_name_in_ban_or_on_an_ex_date_gives_no_signal(daily, why):
    chains, state = accumulating()
    chains = with_daily(chains, **daily)
    assert suppressed(chains.day).tolist() == [why]
    assert len(signals(chains, state)) == (0 if why else 1)
    row = total_of(chains, state)
    if why:
        assert (row["word"], row["reason"]) == ("", why)
        assert np.isnan(row["high"])
    else:
        assert (row["word"], row["high"]) == ("HIGH 110 CE B", 1.0)


def test_a_stale_chain_gives_no_signal():
    """Promised every minute: three minutes are still fresh, one second more is not."""
    assert len(signals(*accumulating(age=180.0))) == 1
    assert signals(*accumulating(age=181.0)) == []
    assert total_of(*accumulating(age=181.0))["reason"] == "stale"


def test_a_chain_of_which_too_little_was_seen_gives_no_signal():
    chains, state = accumulating()
    for share, count in ((0.9, 1), (0.899, 0)):
        assert len(signals(replace(chains, coverage=np.array([share])), state)) == count


def test_a_step_of_half_an_hour_ago_is_no_signal_any_more():
    chains, state = accumulating()
    for ago, count in ((1_800.0, 1), (1_801.0, 0)):
        before = np.array([AT - ago])
        old = state.updated(segment={"stepped_at": before, "unusual_at": before})
        assert len(signals(chains, old)) == count


def test_without_a_step_there_is_no_signal():
    chains, state = accumulating()
    assert signals(chains, state.updated(segment={"ewma_net": np.array([NAN])})) == []


@pytest.mark.parametrize("missing", ["volume", "open_interest", "last"])
def test_a_missing_number_of_the_leg_is_no_signal(missing):
    chains, state = accumulating()
    values = getattr(chains.legs, missing).copy()
    values[6, 0] = NAN
    assert signals(replace(chains, legs=replace(chains.legs, **{missing: values})), state) == []


def test_a_chain_without_an_atm_strike_gives_no_accumulation():
    chains, state = accumulating()
    _, reading = unusual_activity(chains, priced(chains, atm_row=np.array([-1])), state, {}, SETTINGS)
    assert len(reading) == 0


# The time of the day --------------------------------------------------------------------------------------------------


def usual_of(*sessions, name="SBIN"):
    """Sessions of one name: {slot: seven ratios}."""
    ratios = np.full((len(sessions), 1, SLOTS, 7), NAN)
    for i, session in enumerate(sessions):
        for slot, values in session.items():
            ratios[i, 0, slot] = values
    return UsualRatios((name,), tuple(date(2026, 1, 1 + i) for i in range(len(sessions))), ratios)


@pytest.mark.parametrize(
    ("minutes", "ratio", "share"),
    [
        (0.0, 1.0, 25.0),  # below 1 lay 25 %
        (0.0, 0.5, 12.5),
        (0.0, 0.0, 0.0),
        (0.0, 6.5, 99.5),
        (0.0, 7.0, 100.0),
        (0.0, 70.0, 100.0),
        (7.5, 3.5, 62.5),  # half way to the next quarter: 2, 3, 4 ... 8; between 50 and 75 %
        (15.0, 3.0, 25.0),
        (30.0, 3.0, NAN),  # that quarter was not noted
        (20.0, 3.0, 25.0),  # the one before was, and stands alone
    ],
)
def test_the_share_below_a_ratio_at_a_time_of_the_day(minutes, ratio, share):
    usual = usual_of({0: [1, 2, 3, 4, 5, 6, 7], 1: [3, 4, 5, 6, 7, 8, 9]})
    found, sessions = usual.share_below(np.array([0]), np.array([60.0 * minutes]), np.array([ratio]))
    assert found[0] == pytest.approx(share, nan_ok=True)
    assert sessions[0] == (0 if np.isnan(share) else 1)


def test_the_share_is_the_mean_of_the_sessions_that_noted_the_time():
    usual = usual_of({0: [1, 2, 3, 4, 5, 6, 7]}, {3: [1] * 7}, {0: [2, 4, 6, 8, 10, 12, 14]})
    found, sessions = usual.share_below(np.array([0]), np.array([0.0]), np.array([2.0]))
    assert (found[0], sessions[0]) == (37.5, 2)  # 50 and 25 %


def test_a_percentile_is_of_the_time_of_the_day_once_five_sessions_noted_it():
    """10:00 is the fourth quarter; the call's 1.25 lies between 1 (75 %) and 2 (90 %): 78.75 %, below the limit."""
    chains, state = busy_chain()
    noted = {3: [0.2, 0.5, 1.0, 2.0, 3.0, 4.0, 5.0]}
    four, five = (usual_of(*[noted] * count) for count in (4, 5))
    assert signals(chains, state, usual=four)[0]["rests_on"] == "81 legs now"
    assert signals(chains, state, usual=five) == []
    lower = replace(SETTINGS, activity=replace(SETTINGS.activity, percentile=70.0))
    (row,) = signals(chains, state, usual=five, parameters=lower)
    assert row["percentile"] == pytest.approx(78.75)
    assert row["rests_on"] == "legs of 5 days at 10:00"
    assert "above 79 % of legs of 5 days at 10:00" in row["reason"]


def test_sessions_of_another_name_say_nothing():
    chains, state = busy_chain()
    other = usual_of(*[{3: [9.0] * 7}] * 6, name="ITC")
    assert signals(chains, state, usual=other)[0]["rests_on"] == "81 legs now"


def test_the_percentile_within_a_chain_counts_the_others():
    """Ratios 0.01 of 81 legs and two above: 0 and 81 of 81 others lie below."""
    chains, _ = busy_chain()
    found, sessions, others = percentiles(chains, np.array([0, 0, 0]), np.array([0.005, 0.02, 2.0]), RULES, None)
    assert found.tolist() == pytest.approx([0.0, 100.0, 100.0 * 82 / 81])
    assert np.isnan(sessions).all()
    assert others.tolist() == [81.0] * 3


def test_what_is_usual_is_noted_once_in_a_quarter_of_an_hour():
    """21 legs traded at ratios 0.05, 0.10 ... 1.05: below 0.30 lie 25 %, below 0.55 50 %."""
    ladder = [90.0 + i for i in range(21)]
    loud = {(k, 0): (50.0 * (i + 1), 1_000.0) for i, k in enumerate(ladder)}
    chains = market(loud, ladder=ladder)
    state, reading = volume_oi_profile(chains, State.fresh(chains.layout), SETTINGS)
    (row,) = reading.frame().to_dict("records")
    assert (row["underlying"], row["expiry"], row["slot"], row["legs"]) == ("SBIN", MONTHLY.isoformat(), 3.0, 21.0)
    shown = [row[f"ratio_{s}"] for s in (25, 50, 75, 90, 95, 99, 100)]
    assert shown == pytest.approx([0.30, 0.55, 0.80, 0.95, 1.00, 1.04, 1.05])
    assert len(volume_oi_profile(chains, state, SETTINGS)[1]) == 0
    few = market({k: v for k, v in loud.items() if k[0] < 109.0}, ladder=ladder)
    assert len(volume_oi_profile(few, State.fresh(few.layout), SETTINGS)[1]) == 0
    stale = market(loud, ladder=ladder, age=181.0)
    assert len(volume_oi_profile(stale, State.fresh(stale.layout), SETTINGS)[1]) == 0


def test_what_earlier_sessions_noted_comes_back_from_the_history(tmp_path):
    """Of earlier dates of the same source alone, the newest session of a date."""
    ladder = [90.0 + i for i in range(21)]
    chains = market({(k, 0): (50.0 * (i + 1), 1_000.0) for i, k in enumerate(ladder)}, ladder=ladder)
    noted = volume_oi_profile(chains, State.fresh(chains.layout), SETTINGS)[1]
    twice = Reading(noted.spec, {n: 2 * v if n.startswith("ratio") else v for n, v in noted.columns.items()})
    history = SqliteHistory(tmp_path / "h.db", Mode.LIVE)
    days = [(20, "a", noted), (21, "a", noted), (21, "b", twice), (28, "a", noted), (22, "other", twice)]
    for day, what, reading in days:
        session = builders.run_session(
            Mode.LIVE, source="other" if what == "other" else "feed", trading_date=date(2026, 1, day),
            settings_version=what,
        )  # fmt: skip
        history.begin(session, chains.day, resume_within=None, now=AT)
        history.save(builders.report(chains, session=session, readings={"volume_oi_profile": reading}))
    today = builders.run_session(Mode.LIVE, source="feed", trading_date=date(2026, 1, 28), settings_version="c")
    resume = history.begin(today, chains.day, resume_within=None, now=AT)
    history.close()
    assert resume.usual.dates == (date(2026, 1, 20), date(2026, 1, 21))
    assert resume.usual.ratios[:, 0, 3, 1].tolist() == pytest.approx([0.55, 1.10])
    assert np.isnan(resume.usual.ratios[:, 0, 4]).all()


# Restart, and real days -----------------------------------------------------------------------------------------------


def test_after_a_restart_the_signals_are_those_without_it(tmp_path):
    pictures = lively_pictures(11, 24, faults=0.01)
    rules = replace(SETTINGS, activity=replace(SETTINGS.activity, min_contracts=0.0, min_rise_pct=0.0, percentile=60.0))
    state = pricing = None
    found = []
    history = SqliteHistory(tmp_path / "h.db", Mode.REPLAY)
    session = builders.run_session()
    history.begin(session, pictures[0].day, resume_within=None, now=AT)
    for number, chains in enumerate(pictures, start=1):
        state, made, pricing = run(chains, state, rules, pricing)
        found.append((state, made, pricing))
        if number <= 15:
            readings = {name: reading for name, reading in made.items() if name != "alerts"}
            history.save(builders.report(chains, number, session=session, readings=readings, state=state))
    resumed = history.begin(session, pictures[0].day, resume_within=None, now=AT).state
    history.close()
    pricing = found[14][2]
    told = 0
    for (whole, made, _), chains in zip(found[15:], pictures[15:], strict=True):
        resumed, again, pricing = run(chains, resumed, rules, pricing)
        for name in ("unusual_activity", "unusual_activity_total", "volume_oi_profile", "alerts"):
            assert_same(again[name].columns, made[name].columns)
        assert_same(arrays(resumed.leg), arrays(whole.leg))
        told += len(made["unusual_activity"])
    assert told > 10
