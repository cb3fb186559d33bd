"""The views under the requirements' names: their columns, one row per leg and observation, times in IST."""

from __future__ import annotations

import dataclasses
import sqlite3
from pathlib import Path

import numpy as np
import pytest

from optionscanner.history.store import SqliteHistory
from optionscanner.history.views import VIEWS
from optionscanner.model.columns import (
    BUILD_UP,
    FLOW,
    FUTURES,
    OPEN_INTEREST,
    PRICE,
    READINESS,
    STRADDLE,
    VOLATILITY_RANK,
    TableSpec,
)
from optionscanner.model.picture import MarketPicture
from optionscanner.model.readings import Reading
from optionscanner.model.reports import CycleReport
from optionscanner.model.sessions import Mode
from tests import builders
from tests.builders import MONTHLY, WEEKLY, ist

# As the requirements name them: the tables of the flow monitor and of the dual-exchange tracker.
REQUIRED = {
    "option_chain_snapshots": (
        "time symbol expiry strike option_type ltp iv oi oi_change volume delta gamma theta vega vanna charm "
        "id timestamp exchange token created_at"
    ),
    "stock_metrics": (
        "time symbol spot_price futures_oi futures_oi_change pcr_oi pcr_volume max_pain call_wall put_wall gex dex vex "
        "cex oi_signal momentum_score fii_net_delta"
    ),
    "exchange_metadata": "exchange last_update_time last_underlying_price last_atm_strike updated_at",
}


def blank_but(spec: TableSpec, count: int, **given: object) -> Reading:
    """A reading that holds nothing but the `given` columns."""
    blank = {True: np.full(count, "", dtype=object), False: np.full(count, np.nan)}
    columns = {column.name: blank[column.kind == "text"].copy() for column in spec.columns}
    for name, values in given.items():
        columns[name][:] = values
    return Reading(spec, columns)


def two_polls() -> list[CycleReport]:
    """09:16 all chains; 09:21 NIFTY's weekly chain again, where one leg has changed.

    Segments in order: NIFTY weekly and monthly, SENSEX, RELIANCE.
    """
    day = builders.day_of(builders.small_layout())
    day.previous_open_interest[:] = 6_500.0
    picture, layout, made = MarketPicture(day), day.layout, []
    first = builders.observation(layout, ist(9, 16), holes=0.0)
    for name, value in {
        "last": 10.05, "bid": 10.0, "ask": 10.1, "bid_quantity": 65.0, "ask_quantity": 130.0, "volume": 650.0,
        "open_interest": 6_500.0,
    }.items():  # fmt: skip
        first.legs[name][:] = value
    first.underlying_values["spot"][:] = [25_301.35, 82_111.4, 1_395.0]
    again = builders.observation(layout, ist(9, 21), segments=[0], holes=0.0)
    for name in first.legs:
        again.legs[name][:] = first.legs[name][:5]
    again.legs["last"][2, 1], again.legs["open_interest"][2, 1] = 0.05, 7_150.0
    again.underlying_values["spot"][:] = [25_322.1]
    for cycle, seen in enumerate((first, again), start=1):
        picture.observe(seen)
        chains = picture.frozen(seen.observed_at)
        readings = {
            "price": blank_but(PRICE, 4, spot=chains.spot, atm_strike=[25_300, 25_500, 82_100, 1_400]),
            "open_interest": blank_but(
                OPEN_INTEREST, 4, put_call_ratio=[1.25 * cycle, 0.5, 0.75, np.nan], max_pain=25_300
            ),
            "flow": blank_but(FLOW, 4, regime="BULLISH", ewma_atm=[1.5, 2.5, 3.5, 4.5]),
            "readiness": blank_but(READINESS, 3, readiness=[80.0, 20.0, 0.0], action="NO TRADE"),
            "futures": blank_but(FUTURES, 2, open_interest_change=[65.0 * cycle, -500.0]),
            "build_up": blank_but(BUILD_UP, 3, build_up=["LB", "", "SC"] if cycle == 1 else ["SB", "", "LU"]),
            "straddle": blank_but(STRADDLE, 4, vwap=[300.5, 400.5, np.nan, 50.5]),
            "volatility_rank": blank_but(
                VOLATILITY_RANK, 3, iv_30=[0.12, 0.13, 0.14], iv_percentile=[40.0, 50.0, 60.0]
            ),
        }
        pricing = dataclasses.replace(
            builders.pricing(chains),
            forward=np.array([25_310.5, 25_400.25, 82_200.0, np.nan]),
            implied_volatility=np.full((15, 2), 0.125 * cycle),
            delta=np.full((15, 2), 0.5),
        )
        made.append(builders.report(chains, cycle, readings=readings, pricing=pricing))
    return made


@pytest.fixture(scope="module")
def connection(tmp_path_factory: pytest.TempPathFactory) -> sqlite3.Connection:
    path: Path = tmp_path_factory.mktemp("views") / "h.db"
    reports = two_polls()
    history = SqliteHistory(path, Mode.REPLAY)
    history.begin(builders.run_session(), reports[0].chains.day, resume_within=None, now=ist(9, 15))
    for report in reports:
        history.save(report)
    history.close()
    connection = sqlite3.connect(path)
    yield connection
    connection.close()


@pytest.mark.parametrize("view", REQUIRED)
def test_a_view_has_every_column_of_its_requirement(connection: sqlite3.Connection, view: str) -> None:
    columns = [column[0] for column in connection.execute(f"SELECT * FROM {view}").description]
    assert set(REQUIRED[view].split()) <= set(columns)
    assert "session" in columns
    assert len(set(columns)) == len(columns)


def test_no_view_is_without_a_requirement() -> None:
    assert set(VIEWS) == set(REQUIRED)


def test_a_leg_has_a_row_for_each_observation_of_its_chain_whether_it_changed_or_not(
    connection: sqlite3.Connection,
) -> None:
    found = connection.execute(
        "SELECT timestamp, strike, option_type, ltp, oi, oi_change, iv, changed, changed_at, spot, forward "
        "FROM option_chain_snapshots WHERE symbol = 'NIFTY' AND expiry = '2026-02-03' AND strike = 25300 "
        "ORDER BY timestamp, option_type"
    ).fetchall()
    early, late = "2026-01-30 09:16:00", "2026-01-30 09:21:00"
    assert found == [
        (early, 25300.0, "CE", 10.05, 6500, 0, 0.125, 1, early, 25301.35, 25310.5),
        (early, 25300.0, "PE", 10.05, 6500, 0, 0.125, 1, early, 25301.35, 25310.5),
        (late, 25300.0, "CE", 10.05, 6500, 0, 0.125, 0, early, 25322.1, 25310.5),
        (late, 25300.0, "PE", 0.05, 7150, 650, 0.25, 1, late, 25322.1, 25310.5),
    ]


def test_a_row_says_all_that_was_quoted(connection: sqlite3.Connection) -> None:
    cursor = connection.execute("SELECT * FROM option_chain_snapshots WHERE symbol = 'SENSEX' AND strike = 82100")
    names = [column[0] for column in cursor.description]
    call, put = (dict(zip(names, row, strict=True)) for row in cursor)
    expected = {
        "timestamp": "2026-01-30 09:16:00", "time": "2026-01-30 09:16:00", "exchange": "BSE", "symbol": "SENSEX",
        "contract": "SENSEX 2026-02-03 82100 CE", "expiry": "2026-02-03", "strike": 82100.0, "option_type": "CE",
        "ltp": 10.05, "bid": 10.0, "ask": 10.1, "bid_quantity": 65, "ask_quantity": 130, "volume": 650, "oi": 6500,
        "oi_change": 0, "iv": 0.125, "delta": 0.5, "gamma": None, "lot_size": 20, "spot": 82111.4, "forward": 82200.0,
        "price_at": "2026-01-30 09:15:59", "oi_at": "2026-01-30 09:15:59", "created_at": "2026-01-30 09:16:00",
        "observed_at": int(ist(9, 16) * 1000), "session": 1,
    }  # fmt: skip
    assert {name: call[name] for name in expected} == expected
    assert put["contract"] == "SENSEX 2026-02-03 82100 PE"
    assert put["token"] != call["token"]


def test_rows_are_counted_by_observation(connection: sqlite3.Connection) -> None:
    sql = "SELECT symbol, expiry, count(*), count(DISTINCT id) FROM option_chain_snapshots GROUP BY symbol, expiry"
    assert connection.execute(sql).fetchall() == [
        ("NIFTY", str(WEEKLY), 20, 20),
        ("NIFTY", str(MONTHLY), 6, 6),
        ("RELIANCE", str(MONTHLY), 8, 8),
        ("SENSEX", str(WEEKLY), 6, 6),
    ]


def test_stock_metrics_follow_the_nearest_expiry(connection: sqlite3.Connection) -> None:
    found = connection.execute(
        "SELECT time, symbol, expiry, spot_price, futures_oi, pcr_oi, max_pain, regime, ewma_atm, readiness, gex, "
        "straddle_vwap, iv_30, iv_rank, iv_percentile FROM stock_metrics ORDER BY time, symbol"
    ).fetchall()
    early, late = "2026-01-30 09:16:00", "2026-01-30 09:21:00"
    assert found == [
        (
            early,
            "NIFTY",
            "2026-02-03",
            25301.35,
            500,
            1.25,
            25300.0,
            "BULLISH",
            1.5,
            80.0,
            None,
            300.5,
            0.12,
            None,
            40.0,
        ),
        (
            early,
            "RELIANCE",
            "2026-02-24",
            1395.0,
            500,
            None,
            25300.0,
            "BULLISH",
            4.5,
            0.0,
            None,
            50.5,
            0.14,
            None,
            60.0,
        ),
        (
            early,
            "SENSEX",
            "2026-02-03",
            82111.4,
            None,
            0.75,
            25300.0,
            "BULLISH",
            3.5,
            20.0,
            None,
            None,
            0.13,
            None,
            50.0,
        ),
        (late, "NIFTY", "2026-02-03", 25322.1, 500, 2.5, 25300.0, "BULLISH", 1.5, 80.0, None, 300.5, 0.12, None, 40.0),
    ]


def test_what_the_futures_say_stands_in_the_words_of_the_requirement(connection: sqlite3.Connection) -> None:
    sql = "SELECT symbol, futures_oi_change, oi_signal FROM stock_metrics ORDER BY time, symbol"
    assert connection.execute(sql).fetchall() == [
        ("NIFTY", 65.0, "LONG_BUILDUP"),
        ("RELIANCE", -500.0, "SHORT_COVERING"),
        ("SENSEX", None, None),
        ("NIFTY", 130.0, "SHORT_BUILDUP"),
    ]


def test_exchange_metadata_is_of_the_followed_index(connection: sqlite3.Connection) -> None:
    found = connection.execute(
        "SELECT exchange, symbol, last_update_time, last_underlying_price, last_atm_strike, updated_at "
        "FROM exchange_metadata ORDER BY exchange"
    ).fetchall()
    assert found == [
        ("BSE", "SENSEX", "2026-01-30 09:16:00", 82111.4, 82100.0, "2026-01-30 09:16:00"),
        ("NSE", "NIFTY", "2026-01-30 09:21:00", 25322.1, 25300.0, "2026-01-30 09:21:00"),
    ]


def test_a_view_finds_a_chain_without_reading_the_others(connection: sqlite3.Connection) -> None:
    """Typical questions go by keys: no step of their plans reads a whole table."""
    questions = (
        "SELECT * FROM option_chain_snapshots WHERE session = 1 AND symbol = 'NIFTY' AND observed_at = 1769744760000",
        "SELECT * FROM option_chain_snapshots WHERE session = 1 AND symbol = 'NIFTY' AND strike = 25300",
        "SELECT * FROM stock_metrics WHERE session = 1 AND symbol = 'NIFTY'",
    )
    for question in questions:
        steps = [row[3] for row in connection.execute(f"EXPLAIN QUERY PLAN {question}")]
        assert [step for step in steps if step.startswith("SCAN")] == []
        if "chain" in question:
            assert steps[0].startswith("SEARCH o USING PRIMARY KEY (session=? AND underlying=?")


def test_a_row_shows_the_picture_of_its_observation_however_long_ago_the_leg_changed(tmp_path: Path) -> None:
    """Fifty polls in which most legs rest, with a restart after half of them."""
    day = builders.day_of(builders.small_layout())
    picture, draw, reports = MarketPicture(day), np.random.default_rng(42), []
    seen = builders.observation(day.layout, ist(9, 16), holes=0.0)
    instants = [ist(9, 16) + 60.0 * i for i in range(50)]
    for cycle, at in enumerate(instants, start=1):
        resting = draw.random((15, 2)) > 0.03
        seen.legs["open_interest"] += np.where(resting, 0.0, 65.0)
        picture.observe(dataclasses.replace(seen, observed_at=at, stamped_at=np.full(4, at)))
        reports.append(builders.report(picture.frozen(at), cycle))
    path = tmp_path / "h.db"
    for part in (reports[:25], reports[25:]):
        history = SqliteHistory(path, Mode.REPLAY)
        history.begin(builders.run_session(), day, resume_within=None, now=ist(9, 15))
        for report in part:
            history.save(report)
        history.close()
    connection = sqlite3.connect(path)
    found: dict[int, list[int]] = {}
    for at, interest in connection.execute(
        "SELECT observed_at, oi FROM option_chain_snapshots ORDER BY observed_at, symbol, expiry, strike, option_type"
    ):
        found.setdefault(at, []).append(interest)
    (anchors,) = connection.execute("SELECT count(*) FROM quote_anchor").fetchone()
    connection.close()
    by_name = np.concatenate([np.arange(8), np.arange(11, 15), np.arange(8, 11)])
    for report in reports:
        expected = report.chains.legs.open_interest[by_name].ravel().tolist()
        assert found[int(report.as_of * 1000)] == expected, report.cycle
    assert len(found) == 50
    assert anchors >= 2 * 30
