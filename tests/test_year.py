"""The year behind the simulated day: it ends where the day begins, and looks like a market's year."""

from datetime import date, timedelta

import numpy as np
import pytest

from optionscanner.adapters.simulated import DailyHistory, SimulatedMarket
from optionscanner.adapters.simulated.universe import load_names
from optionscanner.model.calendar import load_calendar
from optionscanner.model.daily import LEGS, PARTICIPANTS
from tests.test_simulated import ManualClock, assert_same

CALENDAR = load_calendar()


def market_of(**options) -> SimulatedMarket:
    return SimulatedMarket(**{"clock": ManualClock(), "seed": 7, "calendar": CALENDAR, **options})


@pytest.fixture(scope="module")
def market() -> SimulatedMarket:
    return market_of()


@pytest.fixture(scope="module")
def year(market) -> DailyHistory:
    return market.daily_history()


def test_it_has_the_252_trading_days_before_the_session(year):
    expected, day = [], date(2026, 7, 15)
    while len(expected) < 252:
        day -= timedelta(days=1)
        if CALENDAR.is_trading_day(day):
            expected.append(day)
    assert list(year.dates) == expected[::-1]
    assert year.symbols == tuple(name.symbol for name in load_names())
    for values in (year.close, year.call_open_interest, year.put_open_interest, year.atm_iv):
        assert values.shape == (252, 215)
        assert np.isfinite(values).all()
        assert (values > 0).all()


def test_it_ends_where_the_day_begins(market, year):
    seen, layout = market.observation(0), market.day.layout
    np.testing.assert_array_equal(year.close[-1], seen.underlying_values["previous_close"])
    held = np.zeros((215, 2))
    np.add.at(held, layout.segment_underlying[layout.row_segment], market.day.previous_open_interest)
    np.testing.assert_array_equal(year.call_open_interest[-1], held[:, 0])
    np.testing.assert_array_equal(year.put_open_interest[-1], held[:, 1])
    level = [1.04 * name.annual_volatility for name in load_names()]
    np.testing.assert_allclose(year.atm_iv[-1], level, rtol=1e-12)


def test_what_daily_files_would_say_agrees_with_the_day(market, year):
    """Levels around the close, a future at its last price, contracts that add up to the open interest."""
    day, daily = market.day, market.day.daily
    layout = day.layout
    assert daily.previous_session == year.dates[-1]
    np.testing.assert_array_equal(daily.spot_close, year.close[-1])
    np.testing.assert_array_equal(daily.iv_history, year.atm_iv.T)
    for inside in (daily.spot_open, daily.spot_close):
        assert (daily.spot_low <= inside).all() and (inside <= daily.spot_high).all()
    assert 0.004 < np.median(daily.spot_high / daily.spot_low - 1) < 0.06
    np.testing.assert_array_equal(daily.future_open_interest, market.observation(0).future_values["open_interest"])
    basis = daily.future_close / daily.spot_close[layout.future_underlying] - 1
    assert ((basis > 0) & (basis < 0.02)).all()
    nse = np.array([u.exchange == "NFO" for u in layout.underlyings]) & layout.is_index
    rows = nse[layout.segment_underlying[layout.row_segment]]
    calls = (day.previous_open_interest[:, 0] / layout.segment_lot_size[layout.row_segment])[rows].sum()
    held, before = daily.positions, daily.positions_before
    assert held.leg("TOTAL", "option_index_call_long") == calls
    for positions in (held, before):
        for leg in LEGS:
            assert sum(positions.leg(who, leg) for who in PARTICIPANTS) == positions.leg("TOTAL", leg) > 0
            assert positions.leg("TOTAL", leg) == positions.leg("TOTAL", leg.replace("_long", "_short"))
    assert before.trading_date == year.dates[-2] and not daily.missing
    scenes = {scene.underlying for scene in market.answer_key()}
    banned = {name for name, on in zip(layout.names, daily.banned, strict=True) if on}
    assert banned and not banned & scenes
    assert set(daily.ban_entered) <= banned and not set(daily.ban_left) & banned
    assert all(e.date.weekday() < 5 and 0 <= (e.date - date(2026, 7, 15)).days <= 7 for e in daily.events)


def test_open_interest_is_whole_lots(year):
    lots = np.array([name.lot_size for name in load_names()])
    for held in (year.call_open_interest, year.put_open_interest):
        np.testing.assert_array_equal(held % lots, 0)


def test_it_moves_as_volatile_as_the_table_says(year):
    """Within a third for nearly every name; correlated with NIFTY; volatility has a range to rank in."""
    returns = np.diff(np.log(year.close), axis=0)
    told = np.array([name.annual_volatility for name in load_names()])
    ratio = returns.std(axis=0) * np.sqrt(252) / told
    assert np.mean((ratio > 0.67) & (ratio < 1.5)) > 0.9
    assert np.median(np.corrcoef(returns.T)[0, 1:]) > 0.25
    spread = year.atm_iv.max(axis=0) / year.atm_iv.min(axis=0)
    assert 1.2 < np.median(spread) < 4


def test_it_follows_from_the_seed_in_any_company(year):
    few = market_of(symbols=["NIFTY", "RELIANCE"]).daily_history()
    assert_same(market_of(symbols=["NIFTY", "RELIANCE"]).daily_history(), few)
    for symbol in few.symbols:
        one, all_ = few.symbols.index(symbol), year.symbols.index(symbol)
        np.testing.assert_array_equal(few.close[:, one], year.close[:, all_])
        np.testing.assert_array_equal(few.atm_iv[:, one], year.atm_iv[:, all_])
    other = market_of(seed=8, symbols=["NIFTY", "RELIANCE"]).daily_history()
    assert (other.close[:-1] != few.close[:-1]).mean() > 0.9


def test_scenes_leave_the_closes_and_volatilities_of_the_year(year):
    bare = market_of(strength=0.0).daily_history()
    np.testing.assert_array_equal(bare.close, year.close)
    np.testing.assert_array_equal(bare.atm_iv, year.atm_iv)
