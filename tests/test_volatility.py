"""Volatility and the straddle: reference values, plain loops as a second method, invented and real days."""

import bisect
import csv
import gzip
import itertools
import json
import math
from collections import defaultdict
from dataclasses import replace
from datetime import date, datetime
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from optionscanner.adapters.recorded.format import read_day
from optionscanner.adapters.recorded.replay import RecordedMarket
from optionscanner.analytics.maturity import constant_maturity
from optionscanner.analytics.price import price
from optionscanner.analytics.pricing import price_market
from optionscanner.analytics.settlement import settlement
from optionscanner.analytics.straddle import straddle
from optionscanner.analytics.volatility import volatility
from optionscanner.analytics.volatility_rank import place, volatility_rank
from optionscanner.history.store import SqliteHistory
from optionscanner.model.calendar import IST, load_calendar
from optionscanner.model.contracts import SegmentKey
from optionscanner.model.control import Expiry
from optionscanner.model.daily import DailyContext
from optionscanner.model.picture import MarketPicture
from optionscanner.model.reasons import Reason
from optionscanner.model.settings import EngineSettings, VolatilitySettings
from optionscanner.model.state import State
from optionscanner.workbook.render_index import rolls
from optionscanner.workbook.render_view import ShowSettings, View
from tests.builders import MONTHLY, TRADING_DATE, WEEKLY, ist, report, run_session, trading_session
from tests.engine_builders import (
    LivelyMarket,
    a_day,
    a_layout,
    assert_same,
    lively_day,
    lively_pictures,
    poll,
    priced,
    replayed,
    run,
    seen,
)
from tests.recorded_days import TapeClock, august_29, january_30

__all__ = ["august_29", "january_30"]
NAN = float("nan")
SETTINGS = EngineSettings()
REFERENCE = Path(__file__).parent / "reference"
AT = ist(10, 0)


# The second method: one chain at a time, in plain Python


def call_delta(*, forward, strike, years, rate, iv):
    width = iv * math.sqrt(years)
    d1 = math.log(forward / strike) / width + width / 2
    return math.exp(-rate * years) * 0.5 * math.erfc(-d1 / math.sqrt(2))


def plain_wing(strikes, *, gap):
    """Volatility at 25 delta; `strikes`: (size of delta, volatility) from the money outwards."""
    for (inner, near), (outer, far) in itertools.pairwise(strikes):
        if inner >= 0.25 >= outer:
            if inner - outer > gap:
                return NAN
            return near if inner == outer else near + (far - near) * (inner - 0.25) / (inner - outer)
    return NAN


def plain_skew(chains, pricing, segment, gap):
    """Risk reversal and butterfly of one chain, deltas worked out anew."""
    layout = chains.layout
    forward, years = pricing.forward[segment], pricing.time_to_expiry[segment]
    wings = {True: [], False: []}
    for row in range(layout.starts[segment], layout.ends[segment]):
        strike, iv = layout.strike[row], pricing.surface_volatility[row]
        for call in (True, False):
            outside = strike >= forward if call else strike <= forward
            if outside and pricing.iv_reason[row, 0 if call else 1] == Reason.OK and math.isfinite(iv):
                delta = call_delta(forward=forward, strike=strike, years=years, rate=pricing.rate, iv=iv)
                size = delta if call else math.exp(-pricing.rate * years) - delta
                wings[call].append((size, iv))
    call, put = (plain_wing(w if c else w[::-1], gap=gap) for c, w in wings.items())
    return call - put, (call + put) / 2 - pricing.atm_volatility[segment]


def plain_maturity(expiries, days=30.0):
    """Volatility at `days` from (years, volatility) pairs, nearest first."""
    target = days / 365
    known = [(t, v) for t, v in expiries if math.isfinite(v) and t > 0]
    for (t, v), (u, w) in itertools.pairwise(known):
        if t < target <= u:
            return math.sqrt((v * v * t * (u - target) + w * w * u * (target - t)) / (u - t) / target)
    if not known:
        return NAN
    t, v = min(known, key=lambda pair: abs(pair[0] - target))
    return v if 7 <= t * 365 <= 60 else NAN


def check_chains(chains, pricing, made, gap=0.2):
    """30-day volatility, skew and slopes of every name and chain; how many have each."""
    layout = chains.layout
    counts = defaultdict(int)
    for u, name in enumerate(layout.names):
        mine = np.flatnonzero(layout.segment_underlying == u)
        expected = plain_maturity([(pricing.time_to_expiry[s], pricing.atm_volatility[s]) for s in mine])
        assert made["volatility_rank"]["iv_30"][u] == pytest.approx(expected, rel=1e-9, nan_ok=True), name
        counts["iv_30"] += math.isfinite(expected)
        for s, following in zip(mine, [*mine[1:], None], strict=True):
            reversal, butterfly = plain_skew(chains, pricing, s, gap)
            found = {n: made["volatility"][n][s] for n in made["volatility"].columns}
            assert found["risk_reversal_25"] == pytest.approx(reversal, rel=1e-7, abs=1e-9, nan_ok=True), (name, s)
            assert found["butterfly_25"] == pytest.approx(butterfly, rel=1e-7, abs=1e-9, nan_ok=True), (name, s)
            assert found["status"] or math.isfinite(found["butterfly_25"]), "a blank skew says why"
            counts["skew"] += math.isfinite(reversal)
            near, far = (NAN if i is None else pricing.atm_volatility[i] for i in (s, following))
            assert found["slope_next"] == pytest.approx(far - near, nan_ok=True)
            if math.isfinite(found["forward_iv"]):
                t, u_ = pricing.time_to_expiry[s], pricing.time_to_expiry[following]
                total = near * near * t + found["forward_iv"] ** 2 * (u_ - t)
                assert total == pytest.approx(far * far * u_, rel=1e-9)
                counts["forward"] += 1
    return counts


@settings(max_examples=200, deadline=None)
@given(
    st.lists(
        st.lists(
            st.tuples(st.floats(-1, 400).map(lambda d: round(d, 1)), st.one_of(st.just(NAN), st.floats(0.03, 2))),
            max_size=6, unique_by=lambda pair: pair[0],
        ),
        min_size=1, max_size=5,
    )
)  # fmt: skip
def test_thirty_day_volatility_of_random_expiries(names):
    names = [sorted((days / 365, iv) for days, iv in name) for name in names]
    owner = np.array([u for u, name in enumerate(names) for _ in name], dtype=np.int64)
    years, iv = (np.array([pair[i] for name in names for pair in name], dtype=float) for i in (0, 1))
    found, _ = constant_maturity(owner, years, iv, len(names))
    expected = [plain_maturity(name) for name in names]
    assert found == pytest.approx(expected, rel=1e-9, nan_ok=True)


@settings(max_examples=12, deadline=None)
@given(st.integers(0, 10_000), st.sampled_from([0.1, 0.2, 0.5]))
def test_skew_and_term_structure_of_random_chains(seed, gap):
    chosen = replace(SETTINGS, volatility=VolatilitySettings(delta_gap=gap))
    (chains,) = lively_pictures(seed, 1)
    _, made, pricing = run(chains, settings=chosen)
    check_chains(chains, pricing, made, gap)


def noon_of(folder):
    """The market shortly before one o'clock, with its volatilities."""
    clock = TapeClock()
    market = RecordedMarket(read_day(folder), clock, load_calendar())
    clock.instant = max(at for at in market.instants() if datetime.fromtimestamp(at, IST).hour < 13)
    chains = market.latest()
    pricing, state = price_market(chains, SETTINGS.pricing), State.fresh(chains.layout)
    made = {engine.__name__: engine(chains, pricing, state, SETTINGS)[1] for engine in (volatility, volatility_rank)}
    return chains, pricing, made


@pytest.mark.data
@pytest.mark.slow
def test_a_real_afternoon_of_209_names(january_30):
    """Last prices every five minutes: skew only where both wings have traded within three minutes."""
    chains, pricing, made = noon_of(january_30)
    counts = check_chains(chains, pricing, made)
    assert counts["iv_30"] > 200
    assert counts["skew"] > 60
    # Puts of the index are dear: risk reversal of NIFTY is negative.
    nifty = chains.layout.underlying_front[chains.layout.names.index("NIFTY")]
    assert -0.08 < made["volatility"]["risk_reversal_25"][nifty] < -0.005


@pytest.mark.data
@pytest.mark.slow
def test_a_real_afternoon_of_18_expiries(august_29):
    chains, pricing, made = noon_of(august_29)
    counts = check_chains(chains, pricing, made)
    assert counts["iv_30"] == 2
    assert counts["skew"] >= 8
    assert counts["forward"] >= 8


def smile(moneyness):
    return 0.2 - 0.3 * moneyness + 2.0 * moneyness**2


def solved_strike(*, delta, call, years):
    """Strike whose delta is wanted under `smile`, by bisection."""
    low, high = (100.0, 140.0) if call else (70.0, 100.0)
    for _ in range(80):
        middle = (low + high) / 2
        size = call_delta(forward=100, strike=middle, years=years, rate=0.05, iv=smile(math.log(middle / 100)))
        size = size if call else math.exp(-0.05 * years) - size
        if (size > delta) == call:
            low = middle
        else:
            high = middle
    return low


def test_the_skew_of_a_known_smile():
    """On a ladder of a percent, interpolated volatilities are within a twentieth of a point of the smile's own."""
    years = 30 / 365
    strikes = np.arange(80.0, 121.0)
    day = a_day({SegmentKey("NIFTY", MONTHLY): strikes})
    chains = seen(day, poll(day, AT, {SegmentKey("NIFTY", MONTHLY): {"last": [(1.0, 1.0)] * len(strikes)}}))
    surface = np.array([smile(math.log(k / 100)) for k in strikes])
    deltas = [
        call_delta(forward=100, strike=k, years=years, rate=0.05, iv=v) for k, v in zip(strikes, surface, strict=True)
    ]
    both = np.stack([deltas, np.array(deltas) - math.exp(-0.05 * years)], axis=1)
    pricing = priced(chains, surface_volatility=surface, delta=both, time_to_expiry=np.array([years]))
    _, reading = volatility(chains, pricing, State.fresh(day.layout), SETTINGS)
    call, put = (smile(math.log(solved_strike(delta=0.25, call=c, years=years) / 100)) for c in (True, False))
    assert reading["risk_reversal_25"][0] == pytest.approx(call - put, abs=5e-4)
    assert reading["butterfly_25"][0] == pytest.approx((call + put) / 2 - 0.2, abs=5e-4)
    assert reading["call_strike_25"][0] == pytest.approx(solved_strike(delta=0.25, call=True, years=years), abs=0.05)


@pytest.mark.parametrize(
    ("spoiled", "words"),
    [
        ((slice(None), slice(None)), "no reliable strikes around 25 delta"),
        ((slice(None), 0), "no reliable calls around 25 delta"),
        ((slice(None), 1), "no reliable puts around 25 delta"),
    ],
)
def test_old_trades_make_no_skew(spoiled, words):
    strikes = np.arange(80.0, 121.0)
    day = a_day({"NIFTY": strikes})
    chains = seen(day, poll(day, AT, {"NIFTY": {"last": [(1.0, 1.0)] * len(strikes)}}))
    reason = np.zeros((len(strikes), 2), dtype=np.uint8)
    reason[spoiled] = Reason.OLD_TRADE
    deltas = np.linspace(0.9, 0.1, len(strikes))
    given_ = {"delta": np.stack([deltas, deltas - 1], axis=1), "iv_reason": reason}
    _, reading = volatility(chains, priced(chains, **given_), State.fresh(day.layout), SETTINGS)
    assert (reading["status"][0], math.isnan(reading["risk_reversal_25"][0])) == (words, True)


# Place in the year


def rules(name):
    with (REFERENCE / "rules.csv").open(encoding="utf-8") as lines:
        return [
            (json.loads(r["inputs"]), json.loads(r["expected"])) for r in csv.DictReader(lines) if r["rule"] == name
        ]


@pytest.mark.parametrize(("inputs", "expected"), rules("iv_rank_percentile"))
def test_rank_and_percentile_of_the_reference(inputs, expected):
    rank, percentile, sessions, _, _ = place(np.array([inputs["current"]]), np.array([inputs["history"]]))
    wanted = {n: NAN if v is None else v for n, v in expected.items()}
    assert rank[0] == pytest.approx(wanted["iv_rank_clamped"], rel=1e-9, nan_ok=True)
    assert percentile[0] == pytest.approx(wanted["iv_percentile"], rel=1e-9, nan_ok=True)
    assert sessions[0] == len(inputs["history"])


@settings(max_examples=100, deadline=None)
@given(st.lists(st.one_of(st.just(NAN), st.floats(0.03, 2)), max_size=40), st.one_of(st.just(NAN), st.floats(0.03, 2)))
def test_rank_and_percentile_of_random_years(history, now):
    rank, percentile, sessions, low, high = (v[0] for v in place(np.array([now]), np.array([history], dtype=float)))
    known = sorted(v for v in history if math.isfinite(v))
    assert sessions == len(known)
    if not known or math.isnan(now):
        assert math.isnan(rank) and math.isnan(percentile)
        return
    assert (low, high) == (known[0], known[-1])
    assert percentile == pytest.approx(100 * sum(v < now for v in known) / len(known))
    if high == low:
        assert math.isnan(rank)
    else:
        assert rank == pytest.approx(100 * min(max((now - low) / (high - low), 0), 1))


@pytest.mark.data
def test_india_vix_in_its_own_year(data_folder):
    """31 July 2026, last of 252 sessions: figures that were worked out when the file was collected."""
    text = gzip.decompress((data_folder / "vix/india_vix_2012-01-02_to_2026-07-31.csv.gz").read_bytes()).decode()
    rows = [{name.strip(): value.strip() for name, value in row.items()} for row in csv.DictReader(text.splitlines())]
    closes = [float(row["Close"]) for row in rows]
    rank, percentile, *_ = place(np.array([closes[-1]]), np.array([closes[-252:-1]]))
    assert closes[-1] == 11.76
    assert (rank[0], percentile[0]) == (pytest.approx(13.9, abs=0.05), pytest.approx(34.3, abs=0.1))


def in_a_year(history):
    """NIFTY, of a month alone, at 20 % after a year of these daily volatilities."""
    day = a_day({SegmentKey("NIFTY", MONTHLY): [100.0, 120.0]})
    blank = np.full(1, NAN)
    daily = DailyContext(
        previous_session=TRADING_DATE, spot_open=blank, spot_high=blank, spot_low=blank, spot_close=blank,
        future_open_interest=np.empty(0), future_close=np.empty(0), banned=blank, ban_entered=(), ban_left=(),
        iv_dates=(TRADING_DATE,) * len(history), iv_history=np.array([history]), positions=None,
        positions_before=None, fii_crore={}, vix_close=NAN, vix_history=np.empty(0), lot_changes=(), events=(),
    )  # fmt: skip
    chains = seen(replace(day, daily=daily), poll(day, AT, {SegmentKey("NIFTY", MONTHLY): {"last": [(2.0, 2.0)] * 2}}))
    pricing = priced(chains, time_to_expiry=np.array([30 / 365]))
    return volatility_rank(chains, pricing, State.fresh(day.layout), SETTINGS)[1]


def test_where_today_stands_in_the_year():
    reading = in_a_year([0.1] * 15 + [0.15] * 15 + [0.3] * 30)
    assert (reading["iv_rank"][0], reading["iv_percentile"][0]) == (pytest.approx(50), 50)
    assert (reading["sessions"][0], reading["iv_low"][0], reading["iv_high"][0]) == (60, 0.1, 0.3)
    assert reading["status"][0] == ""


@pytest.mark.parametrize("history", [[], [0.1] * 29 + [0.3] * 30])
def test_too_short_a_history_is_no_rank(history):
    reading = in_a_year(history)
    assert reading["iv_30"][0] == 0.2
    assert math.isnan(reading["iv_rank"][0]) and math.isnan(reading["iv_percentile"][0])
    assert reading["sessions"][0] == len(history)
    assert reading["status"][0] == f"IV history of {len(history)} sessions, 60 needed"


def test_changes_are_since_the_first_observation():
    pictures = lively_pictures(3, 5)
    first, last = (replayed(pictures)[i][1] for i in (0, -1))
    change = last["volatility_rank"]["iv_30"] - first["volatility_rank"]["iv_30"]
    known = np.isfinite(change)
    assert known.any()
    assert last["volatility_rank"]["iv_30_change"][known] == pytest.approx(change[known], abs=1e-12)


# The straddle


def plain_vwap(pictures, pricings, segment):
    """Mean straddle and rolls of one chain, observation by observation."""
    value = units = 0.0
    held, moves = None, 0
    for chains, pricing in zip(pictures, pricings, strict=True):
        row = int(pricing.atm_row[segment])
        if not chains.updated[segment] or row < 0:
            continue
        if held is not None:
            before, traded_before = held
            traded = chains.legs.volume[before].sum() - traded_before
            void = {Reason.NOT_TRADED_TODAY, Reason.AT_OR_ABOVE_UPPER_BOUND} & set(pricing.iv_reason[before].tolist())
            premium = NAN if void else pricing.price[before].sum()
            if traded > 0 and math.isfinite(premium):
                value, units = value + traded * premium, units + traded
            moves += row != before
        held = row, chains.legs.volume[row].sum()
    return (value / units if units else NAN), units, moves


@settings(max_examples=5, deadline=None)
@given(st.integers(0, 10_000))
def test_the_mean_straddle_of_random_days(seed):
    pictures, pricings = lively_pictures(seed, 20), []
    state = State.fresh(pictures[0].layout)
    for chains in pictures:
        pricings.append(price_market(chains, SETTINGS.pricing, pricings[-1] if pricings else None))
        state, found = straddle(chains, pricings[-1], state, SETTINGS)
    for s in range(pictures[0].layout.segments):
        vwap, units, moves = plain_vwap(pictures, pricings, s)
        assert found["vwap"][s] == pytest.approx(vwap, rel=1e-12, nan_ok=True)
        assert np.nan_to_num(found["volume"][s]) == units
        assert np.nan_to_num(found["rolls"][s]) == moves


def test_a_roll_is_marked_and_loses_no_trade():
    day = a_day({"NIFTY": [90.0, 100.0, 110.0]})
    state, made = State.fresh(day.layout), []
    for minute, (spot, volume, last) in enumerate([
        (101.0, (0, 500, 7), (20.0, 6.0, 1.0)),
        (102.0, (0, 600, 7), (21.0, 8.0, 1.5)),
        (108.0, (0, 700, 7), (22.0, 9.0, 5.0)),
        (109.0, (0, 900, 37), (22.0, 9.5, 4.0)),
    ]):  # fmt: skip
        legs = {"last": [(p, p) for p in last], "volume": [(v, v) for v in volume]}
        chains = seen(day, poll(day, ist(10, minute), {"NIFTY": legs}, spot={"NIFTY": spot}))
        state, reading = straddle(chains, priced(chains), state, SETTINGS)
        made.append({name: reading[name][0] for name in reading.columns})
    assert made[0]["status"] == "no trade between two observations" and math.isnan(made[0]["vwap"])
    # 200 units at 16 in the first minute; in the second 200 of the strike that was at the money when it began, at 18;
    # in the third 60 of the new one, at 8.
    assert made[1]["vwap"] == 16.0
    assert made[2]["vwap"] == pytest.approx((200 * 16 + 200 * 18) / 400)
    assert made[3]["vwap"] == pytest.approx((200 * 16 + 200 * 18 + 60 * 8) / 460)
    assert made[3]["volume"] == 460 and made[3]["open_strike"] == 100.0
    assert made[3]["above_vwap_pct"] == pytest.approx(100 * (8 / made[3]["vwap"] - 1))
    assert [m["rolls"] for m in made] == [0, 0, 1, 1]
    assert (made[3]["rolled_at"], made[3]["rolled_from"]) == (ist(10, 2), 100.0)


def test_the_trail_marks_where_the_strike_at_the_money_moved():
    moved = rolls(np.array([NAN, 100.0, 100.0, NAN, 150.0, 150.0, 100.0]))
    assert moved.tolist() == pytest.approx([NAN, NAN, NAN, NAN, 50.0, NAN, -50.0], nan_ok=True)


# Expiry day


def expiry_day(*, by="average", begins=(15, 0)):
    """BANKNIFTY expires today and next week, NIFTY next week."""
    today, later = SegmentKey("BANKNIFTY", TRADING_DATE), SegmentKey("BANKNIFTY", WEEKLY)
    layout = a_layout({k: [100.0, 120.0] for k in (today, later, SegmentKey("NIFTY", WEEKLY))})
    opened = datetime.fromtimestamp(ist(*begins), IST) if begins else None
    session = replace(trading_session(), settlement_from=opened, settles_by=by)
    return a_day(layout, session=session), today, later


def settling(day, today, later, observations):
    """The newest picture and the reading after observations (instant, spot)."""
    state, reading = State.fresh(day.layout), None
    for at, spot in observations:
        quotes = {today: {"last": [(2.0, 3.0)] * 2}, later: {"last": [(9.0, 8.0)] * 2}}
        chains = seen(day, poll(day, at, quotes, spot={} if math.isnan(spot) else {"BANKNIFTY": spot}))
        pricing = priced(chains)
        state, shown = price(chains, pricing, state, SETTINGS)
        state, reading = settlement(chains, state, shown, SETTINGS)
    return chains, reading


def settled(day, today, later, observations):
    """The one row of the reading."""
    _, reading = settling(day, today, later, observations)
    return {name: reading[name][0] for name in reading.columns}


def plain_settlement(observations):
    """Second by second, the newest spot of less than three minutes ago: average, estimate, seconds that had one."""
    begins, ends = round(ist(15, 0)), round(ist(15, 30))
    times = [at for at, _ in observations]
    last_at, last = observations[-1]
    stood = []
    for second in range(begins, min(ends, last_at)):
        newest = bisect.bisect_right(times, second) - 1
        if newest >= 0 and second - times[newest] < 180:
            stood.append(observations[newest][1])
    average = sum(stood) / len(stood) if stood else NAN
    left = max(ends - last_at, 0)
    estimate = (sum(stood) + last * left) / (len(stood) + left) if len(stood) + left else NAN
    return average, estimate, len(stood)


@settings(max_examples=30, deadline=None)
@given(
    st.lists(
        st.tuples(st.integers(0, 2_700), st.floats(90, 110).map(lambda v: round(v, 2))), min_size=1, max_size=12,
        unique_by=lambda pair: pair[0],
    )
)  # fmt: skip
def test_settlement_is_the_mean_of_every_second_of_the_window(observed):
    day, today, later = expiry_day()
    observations = sorted((round(ist(14, 50)) + second, spot) for second, spot in observed)
    found = settled(day, today, later, observations)
    average, estimate, seconds = plain_settlement(observations)
    assert found["average"] == pytest.approx(average, rel=1e-9, nan_ok=True)
    if observations[-1][0] < ist(15, 0):
        assert math.isnan(found["estimate"]) and found["status"] == "measured from 15:00"
    else:
        assert found["estimate"] == pytest.approx(estimate, rel=1e-9, nan_ok=True)
    assert np.nan_to_num(found["minutes_counted"]) == pytest.approx(seconds / 60)
    assert found["minutes_left"] == pytest.approx(max(ist(15, 30) - observations[-1][0], 0) / 60)


def test_the_row_of_an_expiry_day():
    day, today, later = expiry_day()
    found = settled(day, today, later, [(ist(15, 10), 101.0), (ist(15, 12), 103.0), (ist(15, 13), 104.0)])
    assert (found["underlying"], found["expiry"], found["next_expiry"]) == ("BANKNIFTY", "2026-01-30", "2026-02-03")
    # Two minutes at 101, one at 103, seventeen to come at 104; the first ten minutes were not seen.
    assert found["average"] == pytest.approx(305 / 3)
    assert found["estimate"] == pytest.approx((305 + 17 * 104) / 20)
    assert (found["minutes_counted"], found["minutes_left"], found["method"]) == (3, 17, "average")
    assert (found["next_straddle"], found["roll_cost"]) == (17.0, 12.0)


def test_a_sheet_of_the_next_expiry_does_not_show_where_todays_settles():
    chains, reading = settling(*expiry_day(), [(ist(15, 10), 101.0), (ist(15, 12), 103.0)])
    shown = report(chains, readings={"settlement": reading})
    for picked, expected in ((Expiry.THIS, reading["estimate"][0]), (Expiry.NEXT, NAN)):
        view = View(shown, ShowSettings(expiries=(("BANKNIFTY", picked),))).showing("BANKNIFTY")
        estimates = view.column("settlement.estimate")
        assert estimates[chains.layout.names.index("BANKNIFTY")] == pytest.approx(expected, nan_ok=True)
        assert np.isnan(estimates[chains.layout.names.index("NIFTY")])


def test_an_auction_is_no_average():
    day, today, later = expiry_day(by="auction", begins=(15, 15))
    observations = [(ist(15, 14), 101.0), (ist(15, 16), 103.0)]
    assert math.isnan(settled(day, today, later, observations[:1])["estimate"])
    found = settled(day, today, later, observations)
    assert (found["estimate"], found["method"], math.isnan(found["average"])) == (103.0, "auction", True)


@pytest.mark.parametrize(
    ("begins", "spot", "words"),
    [(None, 101.0, "when settlement is measured today is not known"), ((15, 0), NAN, "no spot")],
)
def test_what_is_not_known_is_blank_with_its_reason(begins, spot, words):
    found = settled(*expiry_day(begins=begins), [(ist(15, 10), spot)])
    assert (found["status"], math.isnan(found["estimate"])) == (words, True)


def test_no_expiry_no_row():
    (chains,) = lively_pictures(1, 1)
    other = replace(chains, day=replace(chains.day, session=trading_session(date(2026, 1, 28))))
    _, made, _ = run(other)
    assert len(made["settlement"]) == 0


@pytest.mark.parametrize(
    ("day", "begins", "by"),
    [
        (date(2026, 2, 3), "15:00", "average"),
        (date(2026, 8, 4), "15:15", "auction"),
        (date(2026, 12, 8), "15:00", "average"),
    ],
)
def test_how_contracts_settle_follows_the_date(day, begins, by):
    session = load_calendar().session_on(day)
    assert (f"{session.settlement_from:%H:%M}", session.settles_by) == (begins, by)


# A restart


def test_a_restart_in_the_last_half_hour_loses_nothing(tmp_path):
    """Stored and resumed after each of eight cycles, the day ends with the numbers of a day without a restart."""
    market = LivelyMarket(lively_day(), 11)
    session = replace(market.day.session, settlement_from=datetime.fromtimestamp(ist(15, 0), IST))
    day = replace(market.day, session=session)
    picture, pictures = MarketPicture(day), []
    for minute in (16, 17, 340, 346, 349, 352, 355, 358):
        at = ist(9, 15) + 60 * minute if minute > 17 else ist(9, minute)
        picture.observe(market.observation(at))
        pictures.append(picture.frozen(at))
    whole = replayed(pictures)[-1]
    run_of, state, pricing = run_session(), None, None
    for cycle, chains in enumerate(pictures, start=1):
        history = SqliteHistory(tmp_path / "day.db", run_of.mode)
        resumed = history.begin(run_of, day, resume_within=None, now=chains.as_of)
        assert (resumed.state is None) == (cycle == 1)
        state, made, pricing = run(chains, resumed.state, pricing=pricing)
        history.save(report(chains, cycle, session=run_of, pricing=pricing, state=state))
        history.close()
    for name in ("volatility", "volatility_rank", "straddle", "settlement"):
        assert_same(made[name], whole[1][name])
    assert np.isfinite(made["settlement"]["average"]).all() and len(made["settlement"]) == 1
    assert np.nansum(made["straddle"]["rolls"]) > 0
    assert_same(state.leg["open_iv"], whole[0].leg["open_iv"])
    assert np.isfinite(state.leg["open_iv"]).any()
