"""The SQLite history: everything comes back as it went in, whatever happens to the program or the file."""

from __future__ import annotations

import dataclasses
import random
import shutil
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from optionscanner.errors import HistoryBusy, HistoryError
from optionscanner.history.encode import milliseconds, whole, whole_paise
from optionscanner.history.queries import HistoryReader
from optionscanner.history.schema import FIXED_TABLES
from optionscanner.history.store import SqliteHistory
from optionscanner.model.chains import Chains
from optionscanner.model.columns import ALERTS, FLOW, PRICE, READINGS, Column
from optionscanner.model.observations import LEG_QUANTITIES
from optionscanner.model.picture import MarketPicture
from optionscanner.model.reasons import Reason
from optionscanner.model.reports import CycleReport
from optionscanner.model.sessions import Mode
from optionscanner.model.state import LEG_STATE, SEGMENT_STATE
from tests import builders
from tests.builders import MONTHLY, WEEKLY, ist
from tests.contract_history import HistoryContract, same_values

ROOT = Path(__file__).resolve().parent.parent
INSTANTS = [ist(9, 16), ist(9, 21), ist(9, 26), ist(9, 31), ist(9, 36)]


class TestContract(HistoryContract):
    def opened(self, folder: Path) -> SqliteHistory:
        return SqliteHistory(folder / "history.db", Mode.REPLAY, busy_timeout=0.0)


def begun(path: Path, *, day: object = None, **given: object) -> SqliteHistory:
    """A history with the test session open."""
    history = SqliteHistory(path, Mode.REPLAY, busy_timeout=0.0, **given)  # type: ignore[arg-type]
    day = day or builders.day_of(builders.small_layout())
    history.begin(builders.run_session(), day, resume_within=None, now=ist(9, 15))  # type: ignore[arg-type]
    return history


def stored(path: Path, reports: list[CycleReport]) -> Path:
    """A closed history of these reports."""
    history = begun(path, day=reports[0].chains.day)
    for report in reports:
        history.save(report)
    history.close()
    return path


def rows(path: Path, sql: str) -> list[tuple]:
    connection = sqlite3.connect(path)
    try:
        return connection.execute(sql).fetchall()
    finally:
        connection.close()


def content(path: Path) -> dict[str, list[tuple]]:
    """Every row of every table, except when the migrations ran."""
    tables = [name for (name,) in rows(path, "SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name")]
    return {t: sorted(map(repr, rows(path, f'SELECT * FROM "{t}"'))) for t in tables if t != "migration"}


def last_chains(reports: list[CycleReport], path: Path) -> None:
    """Assert that every chain comes back as the last picture has it."""
    chains: Chains = reports[-1].chains
    layout = chains.layout
    with HistoryReader(path) as reader:
        for segment, key in enumerate(layout.segment_keys):
            found = reader.chain(chains.as_of, key.underlying, key.expiry)
            part = slice(int(layout.starts[segment]), int(layout.ends[segment]))
            assert found["strike"].tolist() == np.repeat(layout.strike[part], 2).tolist()
            assert found["option_type"].tolist() == ["CE", "PE"] * int(part.stop - part.start)
            for name in (*LEG_QUANTITIES, "price_at", "open_interest_at", "fault"):
                expected = getattr(chains.legs, name)[part].ravel().astype(float)
                np.testing.assert_array_equal(found[name].to_numpy(), expected, err_msg=f"{key} {name}")
            np.testing.assert_array_equal(
                found["previous_open_interest"].to_numpy(), chains.day.previous_open_interest[part].ravel()
            )


# What goes in comes out


@pytest.mark.parametrize("seed", [1, 2])
def test_the_last_picture_comes_back_bit_for_bit(tmp_path: Path, seed: int) -> None:
    reports = builders.day_of_reports(INSTANTS, seed=seed)
    last_chains(reports, stored(tmp_path / "h.db", reports))


def test_an_earlier_picture_comes_back_too(tmp_path: Path) -> None:
    reports = builders.day_of_reports(INSTANTS)
    path = stored(tmp_path / "h.db", reports)
    last_chains(reports[:3], path)


def test_volatility_and_delta_are_those_of_the_moment_of_change(tmp_path: Path) -> None:
    day = builders.day_of(builders.small_layout())
    picture = MarketPicture(day)
    picture.observe(builders.observation(day.layout, INSTANTS[0], holes=0.0))
    first = builders.report(picture.frozen(INSTANTS[0]), 1)
    picture.observe(builders.observation(day.layout, INSTANTS[1], segments=[1], holes=0.0))
    second = builders.report(picture.frozen(INSTANTS[1]), 2)
    with HistoryReader(stored(tmp_path / "h.db", [first, second])) as reader:
        for key, report, part in (
            (("NIFTY", WEEKLY), first, slice(0, 5)),
            (("NIFTY", MONTHLY), second, slice(5, 8)),
        ):
            found = reader.chain(INSTANTS[1], *key)
            for name in ("implied_volatility", "delta"):
                expected = np.round(getattr(report.pricing, name)[part].ravel(), 6)  # kept in millionths
                np.testing.assert_allclose(found[name].to_numpy(), expected, rtol=0, atol=1e-9)
            assert set(found["changed_at"]) == {report.as_of}


def test_only_changed_legs_are_stored(tmp_path: Path) -> None:
    day = builders.day_of(builders.small_layout())
    picture, reports = MarketPicture(day), []
    seen = builders.observation(day.layout, INSTANTS[0], holes=0.0)
    for cycle, at in enumerate(INSTANTS[:2], start=1):
        picture.observe(dataclasses.replace(seen, observed_at=at, stamped_at=np.full(4, at)))
        reports.append(builders.report(picture.frozen(at), cycle))
        seen.legs["open_interest"][3, 1] += 65.0
    path = stored(tmp_path / "h.db", reports)
    assert rows(path, "SELECT at, count(*) FROM quote GROUP BY at") == [
        (int(INSTANTS[0] * 1000), 30),
        (int(INSTANTS[1] * 1000), 1),
    ]
    assert rows(path, "SELECT underlying, refused, in_picture FROM observation WHERE cycle = 2") == [
        ("NIFTY", 0, 1), ("NIFTY", 0, 1), ("RELIANCE", 0, 1), ("SENSEX", 0, 1),
    ]  # fmt: skip
    last_chains(reports, path)


def test_every_reading_comes_back_bit_for_bit(tmp_path: Path) -> None:
    (report,) = builders.day_of_reports(INSTANTS[:1])
    with HistoryReader(stored(tmp_path / "h.db", [report])) as reader:
        for spec in (spec for spec in READINGS if spec.stored):
            found = reader.reading(spec.name)
            order = np.arange(len(found))
            if spec.row != "event":
                # They are stored by name: NIFTY, RELIANCE, SENSEX, and INDICES, MARKET, STOCKS.
                orders = {"segment": [0, 1, 3, 2], "underlying": [0, 2, 1], "market": [1, 0, 2], "future": [0, 1]}
                order = np.array(orders[spec.row])
            for name in spec.names:
                expected = report.readings[spec.name][name][order]
                if expected.dtype == object:
                    assert found[name].tolist() == expected.tolist()
                else:
                    np.testing.assert_array_equal(found[name].to_numpy(), expected, err_msg=f"{spec.name}.{name}")
            assert set(found["at"]) == {INSTANTS[0]}


def test_readings_are_stored_for_renewed_chains_only(tmp_path: Path) -> None:
    day = builders.day_of(builders.small_layout())
    picture = MarketPicture(day)
    picture.observe(builders.observation(day.layout, INSTANTS[0], segments=[1, 3]))
    path = stored(tmp_path / "h.db", [builders.report(picture.frozen(INSTANTS[0]))])
    assert rows(path, "SELECT underlying, expiry FROM flow") == [("NIFTY", "2026-02-24"), ("RELIANCE", "2026-02-24")]
    assert rows(path, "SELECT underlying FROM readiness") == [("NIFTY",), ("RELIANCE",)]
    assert rows(path, "SELECT DISTINCT underlying FROM activity") == [("NIFTY",), ("RELIANCE",)]


def test_absent_is_null_and_zero_is_zero(tmp_path: Path) -> None:
    day = builders.day_of(builders.small_layout())
    picture = MarketPicture(day)
    seen = builders.observation(day.layout, INSTANTS[0], holes=0.0)
    seen.legs["bid"][0, 0] = np.nan
    seen.legs["open_interest"][0, 0] = 0.0
    picture.observe(seen)
    flow = builders.reading(
        FLOW, 4, net_flow=[0.0, np.nan, 1.5, -2.0], flips=[0, np.nan, 1, 2], regime=["", "", "x", ""]
    )
    report = builders.report(picture.frozen(INSTANTS[0]), readings={"flow": flow})
    path = stored(tmp_path / "h.db", [report])
    quote = (
        "SELECT bid_paise, open_interest, fault FROM quote JOIN contract ON id = contract WHERE strike_paise = 2520000"
    )
    assert rows(path, f"{quote} AND option_type = 'CE'") == [(None, 0, 0)]
    assert rows(path, "SELECT net_flow, flips, regime, typeof(flips) FROM flow") == [
        (0.0, 0, None, "integer"), (None, None, None, "null"), (-2.0, 2, None, "integer"), (1.5, 1, "x", "integer"),
    ]  # fmt: skip


def test_alerts_come_back_oldest_first(tmp_path: Path) -> None:
    told = [
        (INSTANTS[0], "NIFTY", "READINESS", "BULLISH", "85 ≥ 80"),
        (INSTANTS[0], "RELIANCE", "REGIME_FLIP", "BEARISH", "−0.3 %"),
        (INSTANTS[1], "SENSEX", "READINESS", "BEARISH", "90 ≥ 80"),
    ]
    first, second = builders.day_of_reports(INSTANTS[:2])
    history = begun(tmp_path / "h.db")
    history.save(builders.report(first.chains, 1, alerts=builders.alerts(*told[:2])))
    history.save(builders.report(second.chains, 2, alerts=builders.alerts(*told[2:])))
    found = history.alerts()
    assert list(zip(*(found[name].tolist() for name in ALERTS.names), strict=True)) == told
    history.close()


def test_failures_are_stored_with_their_sentence(tmp_path: Path) -> None:
    (first,) = builders.day_of_reports(INSTANTS[:1])
    failures = (builders.failure(), builders.failure("", "flow: skipped"))
    path = stored(tmp_path / "h.db", [dataclasses.replace(first, failures=failures)])
    assert rows(path, "SELECT number, component, underlying, sentence FROM failure") == [
        (0, "flow", "RELIANCE", failures[0].sentence),
        (1, "flow", None, "flow: skipped"),
    ]


def test_every_observation_is_accounted_for(tmp_path: Path) -> None:
    day = builders.day_of(builders.small_layout())
    picture = MarketPicture(day)
    history = begun(tmp_path / "h.db")
    early = builders.observation(day.layout, ist(9, 0))
    good = builders.observation(day.layout, INSTANTS[0])
    again = builders.observation(day.layout, INSTANTS[0], segments=[0, 2])
    empty = builders.observation(day.layout, INSTANTS[1], segments=[3], holes=1.0)
    for cycle, polls in enumerate([[early], [good, again], [empty]], start=1):
        for seen in polls:
            picture.observe(seen)
        history.save(builders.report(picture.frozen(polls[-1].observed_at), cycle))
    accounting = history.accounting()
    assert accounting.processed == 4
    assert dict(accounting.refused) == {
        Reason.BEFORE_OPEN.words: 4,
        Reason.REPEATED_STAMP.words: 2,
        Reason.TOO_FEW_STRIKES.words: 1,
    }
    assert accounting.total == history.counts()["observations"] == 11
    history.close()
    path = tmp_path / "h.db"
    assert rows(path, "SELECT sum(in_picture), count(forward IS NULL) FROM observation WHERE refused = 0") == [(4, 4)]
    assert rows(path, "SELECT count(*) FROM observation WHERE refused > 0 AND in_picture = 1") == [(0,)]


def test_spots_and_futures_are_stored_where_they_differ(tmp_path: Path) -> None:
    day = builders.day_of(builders.small_layout())
    picture, reports = MarketPicture(day), []
    seen = builders.observation(day.layout, INSTANTS[0], segments=[2, 3], holes=0.0)
    seen.underlying_values["spot"][:] = [82_105.35, 0.0]
    for cycle, at in enumerate(INSTANTS[:3], start=1):
        picture.observe(dataclasses.replace(seen, observed_at=at, stamped_at=np.full(2, at)))
        reports.append(builders.report(picture.frozen(at), cycle))
        seen.future_values["last"][0] = 1_400.55
    path = stored(tmp_path / "h.db", reports)
    at = [int(1000 * instant) for instant in INSTANTS]
    # SENSEX is observed anew each time; RELIANCE's spot of 0 is said once.
    assert rows(path, "SELECT at, underlying, spot_paise, fault FROM underlying_quote") == [
        (at[0], "RELIANCE", None, Reason.SPOT_ZERO),
        (at[0], "SENSEX", 8_210_535, 0),
        (at[1], "SENSEX", 8_210_535, 0),
        (at[2], "SENSEX", 8_210_535, 0),
    ]
    assert rows(path, "SELECT at, underlying, last_paise FROM future_quote")[1:] == [(at[1], "RELIANCE", 140_055)]


def test_strikes_listed_during_the_day_are_stored(tmp_path: Path) -> None:
    before = builders.day_of_reports(INSTANTS[:1])
    day = builders.day_of(builders.small_layout(more_strikes=[25_450]))
    day.previous_open_interest[:] = 65.0 * np.arange(32).reshape(16, 2)
    picture = MarketPicture(day)
    picture.observe(builders.observation(day.layout, INSTANTS[1], holes=0.0))
    after = builders.report(picture.frozen(INSTANTS[1]), 2)
    path = stored(tmp_path / "h.db", [*before, after])
    last_chains([after], path)
    assert rows(path, "SELECT count(*) FROM contract WHERE underlying = 'NIFTY' AND expiry = '2026-02-03'") == [(12,)]


def test_a_leg_that_was_not_listed_at_the_open_enters_when_it_is_quoted(tmp_path: Path) -> None:
    day = builders.day_of(builders.small_layout())
    day.listed[:] = False
    picture = MarketPicture(day)
    picture.observe(builders.observation(day.layout, INSTANTS[0], segments=[3], holes=0.0))
    path = stored(tmp_path / "h.db", [builders.report(picture.frozen(INSTANTS[0]))])
    assert rows(path, "SELECT DISTINCT underlying, option_type FROM contract ORDER BY option_type, underlying") == [
        ("RELIANCE", "CE"), ("NIFTY", "FUT"), ("RELIANCE", "FUT"), ("RELIANCE", "PE"),
    ]  # fmt: skip


def test_a_price_no_market_quotes_is_absent_instead_of_stopping_the_cycle(tmp_path: Path) -> None:
    day = builders.day_of(builders.small_layout())
    picture = MarketPicture(day)
    seen = builders.observation(day.layout, INSTANTS[0], holes=0.0)
    seen.legs["last"][0, 0] = 1e300
    seen.legs["volume"][0, 0] = 1e30
    picture.observe(seen)
    path = stored(tmp_path / "h.db", [builders.report(picture.frozen(INSTANTS[0]))])
    quote = "SELECT last_paise, volume FROM quote JOIN contract ON id = contract WHERE strike_paise = 2520000"
    assert rows(path, f"{quote} AND option_type = 'CE'") == [(None, None)]


def test_a_report_is_left_as_it_is(tmp_path: Path) -> None:
    (report,) = builders.day_of_reports(INSTANTS[:1])
    (twin,) = builders.day_of_reports(INSTANTS[:1])
    stored(tmp_path / "h.db", [report])
    for owner, other in ((report.chains.legs, twin.chains.legs), (report.pricing, twin.pricing)):
        for column in dataclasses.fields(owner):
            np.testing.assert_array_equal(getattr(owner, column.name), getattr(other, column.name))
    assert same_values(report.state, twin.state)


@given(st.integers(min_value=-(10**12), max_value=10**12))
def test_paise_keep_every_price_of_two_decimals(amount: int) -> None:
    price = amount / 100
    assert float(whole_paise(price)) / 100.0 == price


@given(st.integers(min_value=0, max_value=4 * 10**12))
def test_milliseconds_keep_every_instant(at: int) -> None:
    assert float(milliseconds(at / 1000)) / 1000.0 == at / 1000


@pytest.mark.parametrize(("given", "kept"), [(2.0**53, 2.0**53), (2.0**54, np.nan), (np.inf, np.nan), (1.4, 1.0)])
def test_whole_numbers_end_where_counting_ends(given: float, kept: float) -> None:
    np.testing.assert_array_equal(whole(given), kept)


any_float = st.floats(width=64) | st.sampled_from([5e-324, 1.7976931348623157e308, float("inf"), float("-inf")])


@pytest.mark.slow
@given(numbers=hnp.arrays(float, (len(SEGMENT_STATE), 4), elements=any_float))
def test_state_and_readings_keep_every_float(tmp_path_factory: pytest.TempPathFactory, numbers: np.ndarray) -> None:
    (report,) = builders.day_of_reports(INSTANTS[:1])
    values = dict(zip(SEGMENT_STATE, numbers, strict=True))
    legs = {name: np.resize(numbers, (15, 2)) for name in LEG_STATE}
    price = builders.reading(PRICE, 4, forward=numbers[0], rate=numbers[1])
    report = dataclasses.replace(
        report, state=report.state.updated(segment=values, leg=legs), readings={"price": price}
    )
    folder = tmp_path_factory.mktemp("floats")
    path = stored(folder / "h.db", [report])
    history = SqliteHistory(path, Mode.REPLAY)
    resume = history.begin(builders.run_session(), report.chains.day, resume_within=None, now=0.0)
    history.close()
    assert resume.state is not None
    assert same_values(resume.state, report.state)
    with HistoryReader(path) as reader:
        found = reader.reading("price")
    np.testing.assert_array_equal(found["forward"].to_numpy(), numbers[0][[0, 1, 3, 2]])
    np.testing.assert_array_equal(found["rate"].to_numpy(), numbers[1][[0, 1, 3, 2]])
    shutil.rmtree(folder)


# Schema and migrations


def test_a_column_declared_later_is_added_and_null_in_older_rows(tmp_path: Path) -> None:
    first, second = builders.day_of_reports(INSTANTS[:2])
    path = stored(tmp_path / "h.db", [first])
    wider = dataclasses.replace(FLOW, columns=(*FLOW.columns, Column("surprise", "real", "", "declared later")))
    grown = [wider if spec is FLOW else spec for spec in READINGS]
    history = begun(path, readings=grown)
    flow = builders.reading(wider, 4, surprise=[1.0, 2.0, 3.0, 4.0])
    history.save(builders.report(second.chains, 2, readings={"flow": flow}))
    history.close()
    assert rows(path, "SELECT surprise FROM flow ORDER BY at, underlying, expiry") == [
        (None,), (None,), (None,), (None,), (1.0,), (2.0,), (4.0,), (3.0,),
    ]  # fmt: skip


def test_a_column_declared_as_another_type_is_refused(tmp_path: Path) -> None:
    path = stored(tmp_path / "h.db", builders.day_of_reports(INSTANTS[:1]))
    changed = dataclasses.replace(FLOW, columns=(*FLOW.columns[:-1], Column("status", "real", "", "")))
    with pytest.raises(HistoryError, match=r"flow\.status holds TEXT, this program expects REAL"):
        SqliteHistory(path, Mode.REPLAY, readings=[changed])


def test_opening_a_current_file_writes_nothing(tmp_path: Path) -> None:
    path = stored(tmp_path / "h.db", builders.day_of_reports(INSTANTS[:2]))
    before = path.read_bytes()
    SqliteHistory(path, Mode.REPLAY).close()
    assert path.read_bytes() == before


def test_a_view_of_an_older_program_is_replaced(tmp_path: Path) -> None:
    path = stored(tmp_path / "h.db", builders.day_of_reports(INSTANTS[:1]))
    connection = sqlite3.connect(path)
    connection.executescript("DROP VIEW stock_metrics; CREATE VIEW stock_metrics AS SELECT 1 AS old;")
    connection.close()
    SqliteHistory(path, Mode.REPLAY).close()
    assert len(rows(path, "SELECT symbol FROM stock_metrics")) == 3


def test_each_migration_is_recorded_once(tmp_path: Path) -> None:
    path = tmp_path / "h.db"
    for _ in range(3):
        SqliteHistory(path, Mode.LIVE).close()
    assert rows(path, "SELECT number, name FROM migration") == [
        (1, "first schema"), (2, "anchors of quotes"), (3, "archives"), (4, "commands"),
    ]  # fmt: skip
    assert rows(path, "SELECT key, value FROM settings") == [("mode", "LIVE"), ("schema_version", "4")]


def test_a_file_of_the_first_schema_is_brought_up_to_date_with_its_rows(tmp_path: Path) -> None:
    path = tmp_path / "old.db"
    connection = sqlite3.connect(path)
    connection.executescript(FIXED_TABLES)
    connection.executescript(
        "INSERT INTO migration VALUES (1, 'first schema', 0);"
        "INSERT INTO settings VALUES ('schema_version', '1'), ('mode', 'REPLAY');"
        "INSERT INTO observation VALUES (7, 'NIFTY', '2026-02-03', 1, 1, 0, 1, 0, NULL, 5, 0, 0, 1, 0, 0, 0);"
    )
    connection.close()
    stored(path, builders.day_of_reports(INSTANTS[:2]))
    assert rows(path, "SELECT number FROM migration ORDER BY number") == [(1,), (2,), (3,), (4,)]
    assert rows(path, "SELECT underlying, rows, anchored_at FROM observation WHERE session = 7") == [("NIFTY", 5, None)]
    assert rows(path, "SELECT count(*) FROM observation WHERE session = 1") == [(8,)]


# Files that are not ours


def unusable(tmp_path: Path) -> Iterator[tuple[str, Path]]:
    """(words that the sentence must hold, file)."""
    good = stored(tmp_path / "good.db", builders.day_of_reports(INSTANTS[:2]))

    def changed(name: str, statement: str) -> Path:
        path = Path(shutil.copy(good, tmp_path / name))
        connection = sqlite3.connect(path)
        connection.execute(statement)
        connection.commit()
        connection.close()
        return path

    yield (
        "LIVE sessions and this one is REPLAY",
        changed("mode.db", "UPDATE settings SET value = 'LIVE' WHERE key = 'mode'"),
    )
    yield (
        "has schema 99, this program knows up to 4",
        changed("newer.db", "UPDATE settings SET value = '99' WHERE key = 'schema_version'"),
    )
    yield "database of another program", changed("foreign.db", "DROP TABLE settings")
    broken = bytearray(good.read_bytes())
    broken[4096:] = b"\x5a" * (len(broken) - 4096)
    (tmp_path / "broken.db").write_bytes(broken)
    yield "found it damaged", tmp_path / "broken.db"
    (tmp_path / "short.db").write_bytes(good.read_bytes()[: 9 * 4096 + 100])
    yield "found it damaged", tmp_path / "short.db"
    (tmp_path / "text.db").write_text("timestamp,strike\n" * 100, encoding="utf-8")
    yield "expected an SQLite database, found something else", tmp_path / "text.db"


def test_a_file_that_is_not_ours_is_refused_and_left_alone(tmp_path: Path) -> None:
    for words, path in unusable(tmp_path):
        before = path.read_bytes()
        with pytest.raises(HistoryError, match=words) as caught:
            SqliteHistory(path, Mode.REPLAY)
        assert not isinstance(caught.value, HistoryBusy)
        assert str(path) in str(caught.value)
        assert path.read_bytes() == before


def test_a_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(HistoryError, match="expected a file, found a folder"):
        SqliteHistory(tmp_path, Mode.REPLAY)


def test_a_folder_that_cannot_be_made_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way", encoding="utf-8")
    with pytest.raises(HistoryError, match="its folder cannot be made"):
        SqliteHistory(tmp_path / "file" / "h.db", Mode.REPLAY)


def test_missing_folders_are_made_and_an_empty_file_becomes_a_history(tmp_path: Path) -> None:
    path = tmp_path / "a ₹" / "b" / "h.db"
    SqliteHistory(path, Mode.REPLAY).close()
    (tmp_path / "empty.db").touch()
    SqliteHistory(tmp_path / "empty.db", Mode.REPLAY).close()
    assert content(tmp_path / "empty.db") == content(path)


def test_a_session_of_another_mode_is_refused(tmp_path: Path) -> None:
    history = SqliteHistory(tmp_path / "h.db", Mode.LIVE)
    day = builders.day_of(builders.small_layout())
    with pytest.raises(HistoryError, match="modes never share a file"):
        history.begin(builders.run_session(), day, resume_within=None, now=0.0)
    history.close()


def test_a_reader_says_what_is_wrong(tmp_path: Path) -> None:
    with pytest.raises(HistoryError, match="there is no such file"):
        HistoryReader(tmp_path / "none.db")
    SqliteHistory(tmp_path / "h.db", Mode.REPLAY).close()
    with HistoryReader(tmp_path / "h.db") as reader:
        with pytest.raises(HistoryError, match="no session is stored yet"):
            reader.last_session()
        with pytest.raises(HistoryError, match="there is no reading 'gex'"):
            reader.reading("gex", session=1)


def test_state_of_another_version_is_not_resumed(tmp_path: Path) -> None:
    path = stored(tmp_path / "h.db", builders.day_of_reports(INSTANTS[:1]))
    connection = sqlite3.connect(path)
    connection.execute("UPDATE state SET version = version + 1 WHERE underlying = 'SENSEX'")
    connection.commit()
    connection.close()
    history = SqliteHistory(path, Mode.REPLAY)
    resume = history.begin(
        builders.run_session(), builders.day_of(builders.small_layout()), resume_within=None, now=0.0
    )
    assert (resume.state, resume.cycles) == (None, 1)
    assert resume.note == (
        "the session continues after cycle 1, stored at 09:16:00; "
        "its flow state is missing or of another version, and is built afresh"
    )
    history.close()


# When it cannot be written


class Lock:
    """Another program that holds the file's write lock."""

    def __init__(self, path: Path) -> None:
        self._connection = sqlite3.connect(path, isolation_level=None)

    def __enter__(self) -> None:
        self._connection.execute("BEGIN IMMEDIATE")

    def __exit__(self, *_: object) -> None:
        self._connection.execute("ROLLBACK")
        self._connection.close()


def test_cycles_wait_while_the_file_is_locked_and_are_stored_in_order(tmp_path: Path) -> None:
    reports = builders.day_of_reports(INSTANTS)
    path = tmp_path / "h.db"
    history = begun(path)
    history.save(reports[0])
    with Lock(path):
        for report in reports[1:4]:
            with pytest.raises(HistoryBusy, match="another program holds it locked; close that program"):
                history.save(report)
        assert (history.spooled, history.lost, history.not_stored_since) == (3, 0, INSTANTS[1])
        assert history.counts()["cycles"] == 1
    history.save(reports[4])
    assert (history.spooled, history.lost, history.not_stored_since) == (0, 0, None)
    assert history.counts()["cycles"] == 5
    history.close()
    assert content(path) == content(stored(tmp_path / "undisturbed.db", reports))


def test_the_same_trouble_has_the_same_words(tmp_path: Path) -> None:
    reports = builders.day_of_reports(INSTANTS[:3])
    path = tmp_path / "h.db"
    history, words = begun(path), set()
    with Lock(path):
        for report in reports:
            with pytest.raises(HistoryBusy) as caught:
                history.save(report)
            words.add(str(caught.value))
    assert len(words) == 1
    history.close()


def test_catching_up_takes_several_cycles_when_many_wait(tmp_path: Path) -> None:
    reports = builders.day_of_reports([ist(9, 16) + 5.0 * i for i in range(25)])
    path = tmp_path / "h.db"
    history = begun(path)
    with Lock(path):
        for report in reports[:22]:
            with pytest.raises(HistoryBusy):
                history.save(report)
    with pytest.raises(HistoryBusy, match="catching up"):
        history.save(reports[22])
    with pytest.raises(HistoryBusy, match="catching up"):
        history.save(reports[23])
    assert history.not_stored_since == reports[0].as_of
    history.save(reports[24])
    assert (history.spooled, history.counts()["cycles"]) == (0, 25)
    history.close()
    assert content(path) == content(stored(tmp_path / "undisturbed.db", reports))


def test_what_has_no_room_is_counted_and_the_next_cycle_brings_the_whole_picture(tmp_path: Path) -> None:
    day = builders.day_of(builders.small_layout())
    picture, reports = MarketPicture(day), []
    for cycle, at in enumerate(INSTANTS, start=1):
        # Each cycle polls one chain only: what a lost cycle changed is in no later one.
        picture.observe(builders.observation(day.layout, at, segments=[cycle % 4], holes=0.0))
        reports.append(builders.report(picture.frozen(at), cycle))
    path = tmp_path / "h.db"
    history = begun(path, spool_cycles=1)
    history.save(reports[0])
    with Lock(path):
        for report in reports[1:4]:
            with pytest.raises(HistoryBusy):
                history.save(report)
        assert (history.spooled, history.lost) == (1, 2)
    history.save(reports[4])
    assert (history.spooled, history.lost, history.not_stored_since) == (0, 2, None)
    history.close()
    assert rows(path, "SELECT cycle FROM cycle ORDER BY cycle") == [(1,), (2,), (5,)]
    last_chains(reports, path)
    again = SqliteHistory(path, Mode.REPLAY)
    resume = again.begin(builders.run_session(), day, resume_within=None, now=0.0)
    assert resume.state is not None
    assert same_values(resume.state, reports[4].state)
    again.close()


def test_a_full_disk_is_waited_for(tmp_path: Path) -> None:
    reports = builders.day_of_reports(INSTANTS)
    path = tmp_path / "h.db"
    history = begun(path)
    history.save(reports[0])
    connection = history._database.conn
    # SQLite's own limit raises the very error of a full disk.
    (pages,) = connection.execute("PRAGMA page_count").fetchone()
    connection.execute(f"PRAGMA max_page_count = {pages}")
    with pytest.raises(HistoryBusy, match="the disk is full; free some space"):
        for report in reports[1:4]:
            history.save(report)
    waiting = history.spooled
    connection.execute("PRAGMA max_page_count = 1000000")
    for report in reports[1 + waiting :]:
        if history.counts()["cycles"] + history.spooled < report.cycle:
            history.save(report)
    history.close()
    assert content(path) == content(stored(tmp_path / "undisturbed.db", reports))


def test_closing_stores_what_waits_or_says_that_it_could_not(tmp_path: Path) -> None:
    reports = builders.day_of_reports(INSTANTS[:2])
    path = tmp_path / "h.db"
    history = begun(path)
    with Lock(path):
        for report in reports:
            with pytest.raises(HistoryBusy):
                history.save(report)
        with pytest.raises(HistoryBusy, match="2 cycles that waited were not stored"):
            history.close()
    history = begun(path)
    with Lock(path), pytest.raises(HistoryBusy):
        history.save(reports[0])
    history.close()
    assert rows(path, "SELECT cycle FROM cycle") == [(1,)]


def test_a_locked_file_cannot_be_opened_now(tmp_path: Path) -> None:
    path = tmp_path / "h.db"
    with Lock(path), pytest.raises(HistoryBusy, match="another program holds it locked"):
        SqliteHistory(path, Mode.REPLAY, busy_timeout=0.0)


def test_reading_goes_on_beside_writing(tmp_path: Path) -> None:
    first, second = builders.day_of_reports(INSTANTS[:2])
    path = tmp_path / "h.db"
    history = begun(path)
    history.save(first)
    with HistoryReader(path) as reader:
        assert reader.counts()["cycles"] == 1
        history.save(second)
        assert reader.counts()["cycles"] == 2
    history.close()


def test_a_file_deleted_meanwhile_is_begun_anew_with_the_whole_picture(tmp_path: Path) -> None:
    day = builders.day_of(builders.small_layout())
    picture, reports = MarketPicture(day), []
    for cycle, at in enumerate(INSTANTS[:2], start=1):
        segments = None if cycle == 1 else [0]
        picture.observe(builders.observation(day.layout, at, segments=segments, holes=0.0))
        reports.append(builders.report(picture.frozen(at), cycle))
    path = tmp_path / "h.db"
    history = begun(path)
    history.save(reports[0])
    assert np.isnan(history.begun_anew_at)
    for name in ("h.db", "h.db-wal", "h.db-shm"):
        (tmp_path / name).unlink()
    history.save(reports[1])
    assert history.counts()["cycles"] == 1
    assert history.begun_anew_at == INSTANTS[1]
    history.close()
    last_chains(reports, path)


def test_a_reading_that_cannot_be_stored_leaves_nothing_of_its_cycle(tmp_path: Path) -> None:
    first, second = builders.day_of_reports(INSTANTS[:2])
    wider = dataclasses.replace(FLOW, columns=(*FLOW.columns, Column("undeclared", "real", "", "")))
    path = tmp_path / "h.db"
    history = begun(path)
    with pytest.raises(HistoryError, match="SQLite refused a statement"):
        history.save(builders.report(first.chains, 1, readings={"flow": builders.reading(wider, 4)}))
    assert history.lost == 1
    history.save(second)
    history.close()
    assert rows(path, "SELECT cycle FROM cycle") == [(2,)]
    assert rows(path, "SELECT DISTINCT at FROM quote") == [(int(1000 * INSTANTS[1]),)]
    last_chains([second], path)


def test_a_clock_set_back_loses_nothing(tmp_path: Path) -> None:
    reports = builders.day_of_reports([INSTANTS[2]])
    day = reports[0].chains.day
    picture = MarketPicture(day)
    picture.observe(builders.observation(day.layout, INSTANTS[0], seed=5))
    path = stored(tmp_path / "h.db", [*reports, builders.report(picture.frozen(INSTANTS[0]), 2)])
    assert rows(path, "SELECT cycle, at FROM cycle ORDER BY cycle") == [
        (1, int(1000 * INSTANTS[2])),
        (2, int(1000 * INSTANTS[0])),
    ]


def test_a_cycle_may_be_saved_from_another_thread(tmp_path: Path) -> None:
    history = begun(tmp_path / "h.db")
    saving = threading.Thread(target=history.save, args=(builders.day_of_reports(INSTANTS[:1])[0],))
    saving.start()
    saving.join()
    assert history.counts()["cycles"] == 1
    history.close()


# Restarts


def test_a_restart_continues_as_if_nothing_had_happened(tmp_path: Path) -> None:
    reports = builders.day_of_reports(INSTANTS)
    path = tmp_path / "h.db"
    for part in (reports[:2], reports[2:3], reports[3:]):
        stored(path, part)
    assert content(path) == content(stored(tmp_path / "uninterrupted.db", reports))


@pytest.mark.slow
def test_killed_at_any_moment_it_is_whole_and_goes_on_to_the_same_end(tmp_path: Path) -> None:
    cycles, path = 60, tmp_path / "killed.db"
    seed = random.randrange(1_000_000)
    print(f"kill seed {seed}")  # noqa: T201 - pytest shows it when the test fails
    draw = random.Random(seed)
    command = [sys.executable, "-m", "tests.history_child", str(path), str(cycles)]
    acknowledged = 0
    for _ in range(6):
        with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as child:
            assert child.stdout is not None
            for _, line in zip(range(draw.randint(1, 9)), child.stdout, strict=False):
                acknowledged = int(line)
            child.kill()
        with HistoryReader(path) as reader:
            assert reader.integrity() == "ok"
            assert reader.counts()["cycles"] >= acknowledged
        whole_cycles(path)
    subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
    undisturbed = [sys.executable, "-m", "tests.history_child", str(tmp_path / "whole.db"), str(cycles)]
    subprocess.run(undisturbed, cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
    assert content(path) == content(tmp_path / "whole.db")


def whole_cycles(path: Path) -> None:
    """Assert that every stored cycle has all the rows that it counts, and no row belongs to no cycle."""
    told = "SELECT cycle, observations FROM cycle ORDER BY cycle"
    assert rows(path, told) == rows(path, "SELECT cycle, count(*) FROM observation GROUP BY cycle ORDER BY cycle")
    told = "SELECT at, quotes FROM cycle WHERE quotes > 0 ORDER BY at"
    assert rows(path, told) == rows(path, "SELECT at, count(*) FROM quote GROUP BY at ORDER BY at")
    told = "SELECT at, chains_updated FROM cycle ORDER BY at"
    assert rows(path, told) == rows(path, "SELECT at, count(*) FROM flow GROUP BY at ORDER BY at")
    newest = rows(path, "SELECT max(cycle) FROM cycle")
    assert rows(path, "SELECT DISTINCT cycle FROM state") == newest
    assert rows(path, "SELECT DISTINCT cycle FROM state_legs") == newest
