"""The simulated market: determinism, absence of arbitrage, units and steps, and the source's contract."""

from __future__ import annotations

import csv
from dataclasses import fields, is_dataclass
from datetime import date, datetime
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pytest
import time_machine

from optionscanner.adapters.simulated import SimulatedMarket, simulated_session
from optionscanner.adapters.simulated.interest import Interest
from optionscanner.adapters.simulated.quotes import Surface, fair_values, hashed, two_sided
from optionscanner.adapters.simulated.streams import SLOW_GRID
from optionscanner.adapters.simulated.universe import RATE, listed_expiries, load_names
from optionscanner.errors import NoData
from optionscanner.model.calendar import load_calendar, years_to_expiry
from optionscanner.model.chains import Chains
from optionscanner.model.contracts import Floats
from optionscanner.model.expiry_rules import expiry_disagreement
from optionscanner.model.observations import Observation
from optionscanner.model.reasons import Reason

CALENDAR = load_calendar()
OPENS = simulated_session().opens.timestamp()
CLOSES = simulated_session().closes.timestamp()
FEW = ("NIFTY", "SENSEX", "RELIANCE", "IDEA", "BOSCHLTD")


class ManualClock:
    """A clock that stands until it is set."""

    def __init__(self, at: float = OPENS) -> None:
        self.at = at

    def now(self) -> float:
        return self.at

    def wait_until(self, instant: float) -> None:
        self.at = max(self.at, instant)


def market_of(clock: ManualClock | None = None, **options: Any) -> SimulatedMarket:
    settings: dict[str, Any] = {"seed": 7, "calendar": CALENDAR, **options}
    return SimulatedMarket(clock=clock or ManualClock(), **settings)


@pytest.fixture(scope="module")
def whole() -> SimulatedMarket:
    """The whole universe; only its pure functions are used."""
    return market_of()


@pytest.fixture(scope="module")
def few() -> SimulatedMarket:
    """A few names; only its pure functions are used."""
    return market_of(symbols=FEW)


def assert_same(left: Any, right: Any, path: str = "") -> None:
    """Every array and value of two frozen structures is equal, NaN equal to NaN."""
    if is_dataclass(left):
        for each in fields(left):
            assert_same(getattr(left, each.name), getattr(right, each.name), f"{path}.{each.name}")
    elif isinstance(left, dict):
        assert left.keys() == right.keys(), path
        for key, value in left.items():
            assert_same(value, right[key], f"{path}[{key}]")
    elif isinstance(left, np.ndarray | float):
        np.testing.assert_array_equal(left, right, err_msg=path)
    else:
        assert left == right, path


def states(market: SimulatedMarket, step: int) -> list[Observation]:
    return [market.observation(second) for second in range(0, int(CLOSES - OPENS) + 1, step)]


def test_the_universe_is_complete(whole: SimulatedMarket) -> None:
    """Five indices on their exchanges, 210 stocks, a future for each, a market of the real one's size."""
    layout = whole.day.layout
    indices = {u.name: u.exchange for u in layout.underlyings if u.kind == "INDEX"}
    expected = {"NIFTY": "NFO", "BANKNIFTY": "NFO", "FINNIFTY": "NFO", "MIDCPNIFTY": "NFO", "SENSEX": "BFO"}
    assert indices == expected
    assert len(layout.underlyings) == 215
    assert set(layout.future_underlying) == set(range(215))
    assert 8_500 <= layout.rows <= 10_000
    assert whole.day.listed.all()


def test_every_name_is_plausible() -> None:
    """Figures of the table are in range: the table is written by hand."""
    for name in load_names():
        assert 0.05 < name.annual_volatility < 0.8, name
        assert 0.1 <= name.market_correlation <= 1.0, name
        assert 200_000 < name.spot * name.lot_size < 3_000_000, name
        assert 0.001 * name.spot <= name.strike_step <= 0.1 * name.spot, name
        assert 5 <= name.strikes_each_side <= 80, name


def test_expiries_are_trading_days_of_the_rule() -> None:
    """Weeklies for NIFTY and SENSEX, this and next month for indices, all as the exchanges' weekday rule has them."""
    days = {name.symbol: [e.day for e in listed_expiries(name)] for name in load_names()}
    assert days["NIFTY"] == [date(2026, 7, 21), date(2026, 7, 28), date(2026, 8, 25)]
    assert days["SENSEX"] == [date(2026, 7, 16), date(2026, 7, 23), date(2026, 7, 30), date(2026, 8, 27)]
    assert days["BANKNIFTY"] == [date(2026, 7, 28), date(2026, 8, 25)]
    assert days["RELIANCE"] == [date(2026, 7, 28)]
    for name in load_names():
        for expiry in listed_expiries(name):
            assert CALENDAR.is_trading_day(expiry.day)
            found = expiry_disagreement(
                CALENDAR,
                exchange=name.exchange,
                underlying=name.symbol,
                expiry=expiry.day,
                cycle=expiry.cycle,
            )
            assert found is None


def test_the_session_is_the_fixed_fictitious_one(few: SimulatedMarket) -> None:
    """09:15 to 15:30 of its own date; the day and the instants say so."""
    session = few.day.session
    assert (session.kind, session.date) == ("fictitious", date(2026, 7, 15))
    instants = list(few.instants())
    assert (instants[0], instants[-1], len(instants)) == (OPENS, CLOSES, 751)
    assert few.total_observations() == 751 * few.day.layout.segments


def test_same_seed_same_market() -> None:
    """Two markets of one seed agree in every number; another seed is another market."""
    first, second, other = (market_of(symbols=FEW, seed=seed) for seed in (7, 7, 8))
    for at in (0, 3600, 22_500):
        assert_same(first.observation(at), second.observation(at))
    assert_same(first.day, second.day)
    differing = first.observation(3600).legs["last"] != other.observation(3600).legs["last"]
    assert differing.mean() > 0.9


def test_the_wall_clock_plays_no_part(few: SimulatedMarket) -> None:
    """A market made years later is the same."""
    with time_machine.travel(datetime(2031, 3, 8, 3, 0, tzinfo=ZoneInfo("Asia/Kolkata")), tick=False):
        later = market_of(symbols=FEW)
        assert_same(later.observation(4500), few.observation(4500))


def test_a_name_is_the_same_in_any_company(whole: SimulatedMarket, few: SimulatedMarket) -> None:
    """Taking names out of the universe leaves the others as they were."""
    many, some = whole.observation(9000), few.observation(9000)
    for symbol in FEW:
        rows = [
            np.flatnonzero(np.isin(m.day.layout.row_segment, np.flatnonzero(owner)))
            for m in (whole, few)
            for owner in [m.day.layout.segment_underlying == m.day.layout.names.index(symbol)]
        ]
        for quantity, values in many.legs.items():
            np.testing.assert_array_equal(values[rows[0]], some.legs[quantity][rows[1]], err_msg=quantity)


def test_the_step_of_observations_changes_no_number() -> None:
    """The market is what it is, however often it is looked at."""
    fine, coarse = market_of(symbols=FEW, step=5), market_of(symbols=FEW, step=180)
    assert_same(fine.observation(5400), coarse.observation(5400))


def test_a_restart_sees_what_an_uninterrupted_run_sees() -> None:
    """Stepping from the open, or starting at any instant: identical pictures from then on."""
    clock = ManualClock()
    running = market_of(clock, symbols=FEW)
    instants = running.instants()
    for index in range(131):
        clock.at = instants[index]
        seen = running.latest()
        if index in (0, 1, 60, 129):
            assert_same(market_of(ManualClock(clock.at), symbols=FEW).latest(), seen)
    other = ManualClock(instants[129])
    restarted = market_of(other, symbols=FEW)
    restarted.latest()
    other.at = instants[130]
    assert_same(restarted.latest(), seen)


def test_nothing_is_observed_before_the_open_or_between_steps(few: SimulatedMarket) -> None:
    """`latest` is a function of the clock: empty, then the open, then unchanged until the next step."""
    clock = ManualClock(OPENS - 1)
    market = market_of(clock, symbols=FEW)
    assert not market.latest().updated.any()
    clock.at = OPENS
    assert market.latest().updated.all()
    clock.at = OPENS + 29.9
    seen = market.latest()
    assert not seen.updated.any()
    assert not seen.changed.any()
    np.testing.assert_array_equal(seen.observed_at, OPENS)
    assert seen.as_of == OPENS + 29.9


def test_missed_steps_are_made_up_for(few: SimulatedMarket) -> None:
    """A late caller gets every observation, in order."""
    clock = ManualClock()
    market = market_of(clock, symbols=FEW)
    market.latest()
    clock.at = OPENS + 150
    polls = market.latest().polls
    assert sorted(set(polls.observed_at - OPENS)) == [30, 60, 90, 120, 150]
    assert len(polls.observed_at) == 5 * market.day.layout.segments


def test_the_border_finds_nothing_wrong() -> None:
    """No chain is refused, no leg blanked, no odd lot, nothing stale, through the whole day of the whole market."""
    clock = ManualClock()
    market = market_of(clock, step=1500)
    for instant in market.instants():
        clock.at = instant
        chains = market.latest()
        assert chains.updated.all()
        assert (chains.polls.refused == Reason.OK).all()
        assert chains.polls.faulty_legs.sum() == 0
        assert np.nansum(chains.polls.odd_lots) == 0
        assert (chains.underlyings.fault == Reason.OK).all()
        np.testing.assert_array_equal(chains.coverage, 1.0)
        assert np.isfinite(chains.underlyings.spot).all()
        assert 5 < chains.vix < 40
    assert clock.at == CLOSES


@pytest.mark.parametrize("second", [0, 5, 7200, 20_700, 22_500])
def test_put_call_parity(whole: SimulatedMarket, second: int) -> None:
    """C - P = D (F - K) on fair values; the quotes leave no riskless profit against it."""
    layout = whole.day.layout
    years = years_to_expiry(OPENS + second, layout.segment_horizon)[layout.row_segment]
    forward = whole.forward(second)[layout.row_segment]
    worth = np.exp(-RATE * years) * (forward - layout.strike)
    fair = whole.fair(second)
    np.testing.assert_allclose(fair[:, 0] - fair[:, 1], worth, rtol=0, atol=1e-8)
    legs = whole.observation(second).legs
    bid, ask = np.nan_to_num(legs["bid"]), legs["ask"]
    assert (bid[:, 0] - ask[:, 1] <= worth + 1e-8).all()
    assert (ask[:, 0] - bid[:, 1] >= worth - 1e-8).all()


@pytest.mark.parametrize("second", [0, 7200, 22_500])
def test_prices_are_monotone_and_convex_in_strike(whole: SimulatedMarket, second: int) -> None:
    """No vertical or butterfly spread is free: slopes within the discount factor, convex in every chain."""
    layout, fair = whole.day.layout, whole.fair(second)
    for start, end, horizon in zip(layout.starts, layout.ends, layout.segment_horizon, strict=True):
        discount = np.exp(-RATE * float(years_to_expiry(OPENS + second, horizon)))
        strike = layout.strike[start:end]
        slope = np.diff(fair[start:end], axis=0) / np.diff(strike)[:, None]
        assert (slope[:, 0] <= 1e-10).all()
        assert (slope[:, 0] >= -discount - 1e-10).all()
        assert (slope[:, 1] >= -1e-10).all()
        assert (slope[:, 1] <= discount + 1e-10).all()
        assert (np.diff(slope, axis=0) >= -1e-9).all()
        assert (fair[start:end] >= 0).all()


def test_smiles_are_calendar_consistent(whole: SimulatedMarket) -> None:
    """At equal moneyness an option to a later expiry is worth more, whatever the level of volatility."""
    names = np.arange(len(whole.day.layout.underlyings))[:, None]
    moneyness = np.linspace(-0.3, 0.3, 61)[None, :]
    surface = whole._surface
    for level in (0.06, 0.15, 0.6):
        before = np.zeros(())
        for days in (0.5, 1, 2, 8, 13, 15, 41, 43, 90):
            years = np.full((1, 1), days / 365.0)
            forward = 100.0 * np.exp(surface.carry[names] * years)
            call, _, _ = fair_values(
                surface,
                names,
                spot=np.full((1, 1), 100.0),
                level=np.full((1, 1), level),
                strike=forward * np.exp(moneyness),
                years=years,
            )
            relative = call * np.exp(RATE * years) / forward
            assert (relative >= before - 1e-12).all(), days
            before = relative


def test_smiles_are_of_the_family_without_arbitrage(whole: SimulatedMarket) -> None:
    """Every smile obeys the published conditions, and leans towards dear puts."""
    surface = whole._surface
    assert (surface.skew < 0).all()
    assert (surface.curvature**2 * (1 + np.abs(surface.skew)) <= 4).all()


def test_flat_smile_is_black_76(root: Any) -> None:
    """With no curvature the formula meets the reference table of Black-76."""
    with (root / "tests" / "reference" / "black76.csv").open(encoding="utf-8", newline="") as lines:
        rows = list(csv.DictReader(lines))
    column = {key: np.array([float(row[key]) for row in rows]) for key in ("F", "K", "T_years", "sigma", "r", "price")}
    put = np.array([row["type"].upper().startswith("P") for row in rows])
    surface = Surface(column["sigma"], *(np.zeros(len(rows)) for _ in range(3)))
    call_value, put_value, _ = fair_values(
        surface,
        np.arange(len(rows)),
        spot=column["F"],
        level=column["sigma"],
        strike=column["K"],
        years=column["T_years"],
    )
    other_rate = np.exp((RATE - column["r"]) * column["T_years"])
    values = np.where(put, put_value, call_value) * other_rate
    np.testing.assert_allclose(values, column["price"], rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("second", [0, 10_000, 22_500])
def test_quotes_stand_around_fair_values_on_the_tick(whole: SimulatedMarket, second: int) -> None:
    """bid <= fair <= ask, bid below ask, every price a positive multiple of the tick."""
    layout, legs, fair = whole.day.layout, whole.observation(second).legs, whole.fair(second)
    tick = whole.day.tick_size[layout.row_segment][:, None]
    bid, ask = legs["bid"], legs["ask"]
    assert np.isfinite(ask).all()
    assert (ask >= fair - 1e-8).all()
    bidden = np.isfinite(bid)
    assert 0.8 < bidden.mean() < 1.0
    assert (bid[bidden] <= fair[bidden] + 1e-8).all()
    assert (bid[bidden] < ask[bidden]).all()
    for price in (bid, ask, legs["last"], whole.day.previous_close):
        quoted = np.isfinite(price)
        assert (price[quoted] > 0).all()
        np.testing.assert_allclose((price / tick)[quoted], np.rint(price / tick)[quoted], rtol=0, atol=1e-6)
    lot = layout.segment_lot_size[layout.row_segment][:, None]
    for size, price in (("bid_quantity", bid), ("ask_quantity", ask)):
        assert ((legs[size] > 0) == np.isfinite(price)).all()
        np.testing.assert_array_equal(legs[size] % lot, 0.0)


def test_spreads_widen_away_from_the_money(whole: SimulatedMarket) -> None:
    """In per cent of the price: NIFTY narrower than small stocks, wings wider than the money."""
    legs, layout = whole.observation(6000).legs, whole.day.layout
    relative = ((legs["ask"] - legs["bid"]) / legs["ask"])[:, 0]

    def spread(symbol: str, offset: float) -> float:
        segment = layout.underlying_front[layout.names.index(symbol)]
        start, end = layout.starts[segment], layout.ends[segment]
        wanted = whole.forward(6000)[segment] * (1 + offset)
        return float(relative[start + np.argmin(np.abs(layout.strike[start:end] - wanted))])

    assert spread("NIFTY", 0.0) < 0.005
    assert spread("ALKEM", 0.0) > spread("NIFTY", 0.0)
    assert spread("ALKEM", 0.1) > 2 * spread("ALKEM", 0.0)


def test_open_interest_is_whole_lots_and_continues_yesterdays(few: SimulatedMarket) -> None:
    """Multiples of the lot at all times; at the open the previous session's close."""
    layout = few.day.layout
    lot = layout.segment_lot_size[layout.row_segment][:, None]
    day = states(few, 900)
    for seen in day:
        assert (seen.legs["open_interest"] >= 0).all()
        np.testing.assert_array_equal(seen.legs["open_interest"] % lot, 0.0)
        np.testing.assert_array_equal(
            seen.future_values["open_interest"] % layout.future_lot_size, 0.0
        )
    np.testing.assert_array_equal(day[0].legs["open_interest"], few.day.previous_open_interest)


def test_open_interest_steps_every_three_minutes(few: SimulatedMarket) -> None:
    """All legs of a name change together, three minutes apart, nothing in between; names at their own seconds."""
    layout = few.day.layout
    day = [few.observation(second) for second in range(0, 3601, 5)]
    starts = []
    for u in range(len(layout.underlyings)):
        rows = np.flatnonzero(layout.segment_underlying[layout.row_segment] == u)
        interest = np.array([seen.legs["open_interest"][rows] for seen in day])
        stepped = np.flatnonzero((np.diff(interest, axis=0) != 0).any(axis=(1, 2))) + 1
        assert len(stepped) >= 15
        assert (np.diff(stepped) * 5 % SLOW_GRID == 0).all()
        starts.append(int(stepped[0]))
    assert len(set(starts)) > 1


def test_open_interest_clock_is_when_it_last_changed(few: SimulatedMarket) -> None:
    """`open_interest_at` moves exactly when the number does, to an instant within the step."""
    before: Observation | None = None
    for second in range(0, 2000, 30):
        seen = few.observation(second)
        if before is not None:
            changed = seen.legs["open_interest"] != before.legs["open_interest"]
            moved = seen.legs["open_interest_at"] != before.legs["open_interest_at"]
            np.testing.assert_array_equal(moved, changed)
            assert (seen.legs["open_interest_at"][moved] > before.observed_at).all()
            assert (seen.legs["open_interest_at"] <= seen.observed_at).all()
        before = seen


def test_names_publish_at_different_seconds(whole: SimulatedMarket) -> None:
    """Staggered over the three minutes, so that each poll brings some names' news."""
    after = whole._interest.published_after
    assert len(set(after.tolist())) > 80
    assert (np.bincount(after // 30, minlength=6) > 10).all()


def test_volume_never_shrinks_and_is_whole_lots(whole: SimulatedMarket) -> None:
    """Options, futures and stocks, through the day."""
    layout = whole.day.layout
    lot = layout.segment_lot_size[layout.row_segment][:, None]
    before: Observation | None = None
    for seen in states(whole, 450):
        np.testing.assert_array_equal(seen.legs["volume"] % lot, 0.0)
        if before is not None:
            assert (seen.legs["volume"] >= before.legs["volume"]).all()
            assert (seen.future_values["volume"] >= before.future_values["volume"]).all()
            stocks = ~layout.is_index
            volume = seen.underlying_values["volume"]
            assert (volume[stocks] >= before.underlying_values["volume"][stocks]).all()
            assert np.isnan(volume[layout.is_index]).all()
        before = seen


def test_trades_move_volume_price_and_clock_together(few: SimulatedMarket) -> None:
    """The last price and its time change only with a trade; the time lies within the step."""
    before: Observation | None = None
    for second in range(0, 1800, 30):
        seen = few.observation(second)
        legs = seen.legs
        never = legs["volume"] == 0
        assert np.isnan(legs["price_at"][never]).all()
        np.testing.assert_array_equal(legs["last"][never], few.day.previous_close[never])
        if before is not None:
            traded = legs["volume"] > before.legs["volume"]
            moved = ~np.isclose(legs["price_at"], before.legs["price_at"], rtol=0, atol=1e-3, equal_nan=True)
            np.testing.assert_array_equal(moved, traded)
            assert (legs["price_at"][traded] > before.observed_at).all()
            assert (legs["price_at"][traded] <= seen.observed_at).all()
            still = ~traded
            np.testing.assert_array_equal(legs["last"][still], before.legs["last"][still])
        before = seen


def test_last_trades_met_the_quotes_of_their_moment(few: SimulatedMarket) -> None:
    """A leg that traded at this very instant did so at its bid or ask."""
    fresh = 0
    for second in range(0, 3600, 180):
        legs = few.observation(second).legs
        now = legs["price_at"] == OPENS + second
        fresh += int(now.sum())
        at_quote = (legs["last"] == legs["bid"]) | (legs["last"] == legs["ask"])
        assert at_quote[now].all()
    assert fresh > 100


def test_positions_change_by_no_more_than_was_traded(whole: SimulatedMarket) -> None:
    """A change in open interest needs at least as many contracts traded."""
    interest: Interest = whole._interest
    opened = np.abs(np.diff(interest.open_interest.astype(np.int64), axis=0)).sum(axis=0)
    assert (opened <= interest.volume[-1] + 1e-6).all()


def test_spots_keep_their_own_day(whole: SimulatedMarket) -> None:
    """Open, high and low belong to the path; the gap is small; the market is in every stock."""
    seen = [whole.observation(second).underlying_values for second in range(0, 22_501, 300)]
    spot = np.array([values["spot"] for values in seen])
    for values in seen:
        np.testing.assert_array_equal(values["open"], spot[0])
        assert (values["low"] <= values["spot"]).all()
        assert (values["spot"] <= values["high"]).all()
    assert (np.diff([values["high"] for values in seen], axis=0) >= 0).all()
    assert (np.diff([values["low"] for values in seen], axis=0) <= 0).all()
    gap = np.abs(spot[0] / seen[0]["previous_close"] - 1)
    assert 0 < np.median(gap) < 0.02
    moves = np.diff(np.log(spot), axis=0)
    correlation = np.corrcoef(moves.T)[0, 1:]
    assert np.median(correlation) > 0.25
    sensex = whole.day.layout.names.index("SENSEX")
    assert correlation[sensex - 1] > 0.9


def test_the_open_is_busier_than_noon(whole: SimulatedMarket) -> None:
    """Movement and volume of the first half hour exceed those of an hour around noon per minute."""
    fine = np.diff(np.log(whole._paths.spot), axis=0)
    assert fine[:360].std() > 1.3 * fine[1980:2700].std()
    pace = whole._paths.pace
    first, noon = pace[10].mean() / 30, (pace[75] - pace[55]).mean() / 60
    assert first > 1.5 * noon


def test_the_day_is_varied() -> None:
    """Some names lean to put writing, more to call writing, some hardly at all, as on the recorded reference day.

    There 7 of 209 nearest chains gained more than 5 % of open interest in puts over calls, 47 the reverse, 86 less
    than 2 % either way.
    """
    quiet = market_of(strength=0.0)
    layout, interest = quiet.day.layout, quiet._interest.open_interest
    leaning = []
    for segment in layout.underlying_front:
        rows = slice(layout.starts[segment], layout.ends[segment])
        change = (interest[-1, rows] - interest[0, rows]).sum(axis=0)
        leaning.append((change[1] - change[0]) / interest[-1, rows].sum())
    shares = np.array(leaning)
    assert (shares > 0.05).sum() >= 7
    assert (shares < -0.05).sum() >= 20
    assert (np.abs(shares) < 0.02).sum() >= 60


def test_unknown_names_and_steps_are_refused() -> None:
    """One sentence each."""
    with pytest.raises(NoData, match=r"the simulated market has no TATAMOTORS; its 215 names"):
        market_of(symbols=["NIFTY", "TATAMOTORS"])
    with pytest.raises(ValueError, match="step must be a positive multiple of 5 seconds, was 7"):
        market_of(step=7)


def test_two_sided_edges() -> None:
    """A price of less than a tick has no bid; a fair value on the tick stays inside; never locked."""

    def quote(fair: float, spread: float) -> tuple[Floats, Floats]:
        value = np.array([fair])
        return two_sided(value, away=np.zeros(1), spread=np.array([spread]), tick=np.array([0.05]), noise=np.zeros(1))

    np.testing.assert_array_equal(np.ravel(quote(0.004, 0.01)), [np.nan, 0.05])
    np.testing.assert_array_equal(np.ravel(quote(10.0, 0.0)), [10.0, 10.05])
    np.testing.assert_array_equal(np.ravel(quote(10.02, 0.0)), [10.0, 10.05])
    # half spread 0.8 of 1 % of 10 = 0.08
    np.testing.assert_array_equal(np.ravel(quote(10.0, 0.01)), [9.9, 10.1])


def test_hashed_numbers_are_uniform_and_repeatable() -> None:
    """Same question, same answer; other seed, purpose, leg or instant, another one; flat between 0 and 1."""
    legs = np.arange(20_000)
    points = np.zeros(1, dtype=np.int64)
    first = hashed(1, 0, legs, points)
    np.testing.assert_array_equal(first, hashed(1, 0, legs, points))
    for other in (hashed(2, 0, legs, points), hashed(1, 1, legs, points), hashed(1, 0, legs, points + 1)):
        assert abs(np.corrcoef(first, other)[0, 1]) < 0.03
    assert 0.0 < first.min() < first.max() < 1.0
    counts = np.bincount((first * 20).astype(int), minlength=20)
    assert (np.abs(counts - 1000) < 150).all()


def test_chains_of_the_market_are_complete() -> None:
    """The first picture already fills a ladder with two-sided quotes near the money."""
    clock = ManualClock()
    chains: Chains = market_of(clock, symbols=["NIFTY"]).latest()
    ladder = chains.ladder("NIFTY")
    near = ladder[np.abs(ladder["strike"] / chains.underlyings.spot[0] - 1) < 0.01]
    assert len(near) >= 8
    assert near.notna().all().all()
