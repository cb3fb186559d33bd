"""CSV export: what a table holds, as spreadsheets and other programs read it."""

from __future__ import annotations

import csv
import sqlite3
import tracemalloc
from pathlib import Path

import pytest

from optionscanner.errors import HistoryError
from optionscanner.history.archive import archive_session
from optionscanner.history.export import export_csv
from optionscanner.history.store import SqliteHistory
from optionscanner.model.sessions import Mode
from tests import builders, program
from tests.builders import TRADING_DATE, ist

INSTANTS = [ist(9, 16), ist(9, 21), ist(9, 26)]


@pytest.fixture(scope="module")
def history(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("export") / "h.db"
    day = builders.day_of(builders.small_layout())
    store = SqliteHistory(path, Mode.REPLAY)
    store.begin(builders.run_session(), day, resume_within=None, now=INSTANTS[0])
    for number, report in enumerate(builders.day_of_reports(INSTANTS, day=day), start=1):
        chains = report.chains
        failure = builders.failure(sentence='=HYPERLINK("http://x"), "quoted",\nsecond line')
        store.save(builders.report(chains, number, failures=(failure,)))
    store.end(ist(15, 40))
    store.close()
    return path


def read(file: Path) -> tuple[list[str], list[list[str]]]:
    with file.open(encoding="utf-8-sig", newline="") as opened:
        header, *rows = list(csv.reader(opened, strict=True))
    return header, rows


def stored(history: Path, sql: str) -> list[tuple]:
    connection = sqlite3.connect(history)
    try:
        return connection.execute(sql).fetchall()
    finally:
        connection.close()


def test_a_table_comes_out_row_by_row(history: Path, tmp_path: Path) -> None:
    done = export_csv(history, "contract", tmp_path / "c.csv")
    header, rows = read(done.file)
    expected = stored(history, "SELECT * FROM contract")
    assert header == "id exchange underlying expiry strike_paise option_type lot_size effective_from".split()
    assert rows == [["" if value is None else str(value) for value in row] for row in expected]
    assert (done.rows, done.note) == (len(expected), "")


def test_every_table_and_view_can_be_exported(history: Path, tmp_path: Path) -> None:
    for (name,) in stored(history, "SELECT name FROM sqlite_master WHERE type IN ('table', 'view')"):
        done = export_csv(history, name, tmp_path / f"{name}.csv")
        header, rows = read(done.file)
        assert (done.rows,) == stored(history, f'SELECT count(*) FROM "{name}"')[0]
        assert len(rows) == done.rows
        assert all(len(row) == len(header) for row in rows)


def test_lines_end_as_the_standard_says_and_nothing_is_quoted_without_need(history: Path, tmp_path: Path) -> None:
    data = export_csv(history, "settings", tmp_path / "s.csv").file.read_bytes()
    assert data == b"key,value\r\nmode,REPLAY\r\nschema_version,4\r\n"


def test_the_byte_order_mark_is_there_when_asked_for(history: Path, tmp_path: Path) -> None:
    plain = export_csv(history, "settings", tmp_path / "plain.csv").file.read_bytes()
    assert export_csv(history, "settings", tmp_path / "bom.csv", bom=True).file.read_bytes() == b"\xef\xbb\xbf" + plain


def test_text_that_looks_like_a_formula_is_made_harmless_and_numbers_are_left_alone(
    history: Path, tmp_path: Path
) -> None:
    header, rows = read(export_csv(history, "failure", tmp_path / "f.csv").file)
    assert {row[header.index("sentence")] for row in rows} == {'\'=HYPERLINK("http://x"), "quoted",\nsecond line'}
    header, rows = read(export_csv(history, "flow", tmp_path / "g.csv").file)
    texts = [text for row in rows for text in row]
    assert "'=1+1" in texts
    assert "=1+1" not in texts
    exact = stored(history, "SELECT ewma_net FROM flow")
    assert [row[header.index("ewma_net")] for row in rows] == ["" if v is None else repr(v) for (v,) in exact]
    assert any(v is not None and v < 0 for (v,) in exact)


@pytest.mark.parametrize("text", ["=1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1"])
def test_signs_that_begin_a_formula(history: Path, tmp_path: Path, text: str) -> None:
    path = tmp_path / "h.db"
    path.write_bytes(history.read_bytes())
    connection = sqlite3.connect(path)
    connection.execute("INSERT INTO settings VALUES ('mine', ?)", (text,))
    connection.commit()
    connection.close()
    assert ["mine", f"'{text}"] in read(export_csv(path, "settings", tmp_path / "s.csv").file)[1]


def test_instants_are_indian_time(history: Path, tmp_path: Path) -> None:
    header, rows = read(export_csv(history, "cycle", tmp_path / "c.csv").file)
    assert [row[header.index("at")] for row in rows] == [
        "2026-01-30 09:16:00.000", "2026-01-30 09:21:00.000", "2026-01-30 09:26:00.000",
    ]  # fmt: skip
    header, rows = read(export_csv(history, "session", tmp_path / "s.csv").file)
    assert rows[0][header.index("ended_at")] == "2026-01-30 15:40:00.000"
    header, rows = read(export_csv(history, "observation", tmp_path / "o.csv").file)
    assert rows[0][header.index("stamped_at")] == "2026-01-30 09:15:59.000"


def test_rows_are_chosen_by_date_and_name(history: Path, tmp_path: Path) -> None:
    counts = {
        "flow": "SELECT count(*) FROM flow WHERE underlying = 'NIFTY'",
        "stock_metrics": "SELECT count(*) FROM stock_metrics WHERE symbol = 'NIFTY'",
        "quote": "SELECT count(*) FROM quote WHERE contract IN (SELECT id FROM contract WHERE underlying = 'NIFTY')",
    }
    for table, sql in counts.items():
        done = export_csv(history, table, tmp_path / "x.csv", trading_date=TRADING_DATE, underlying="NIFTY")
        assert (done.rows,) == stored(history, sql)[0]
        assert 0 < done.rows < stored(history, f"SELECT count(*) FROM {table}")[0][0]
    assert export_csv(history, "session", tmp_path / "x.csv", trading_date=TRADING_DATE).rows == 1


@pytest.mark.parametrize(
    ("table", "given", "sentence"),
    [
        ("quotes", {}, r"no table or view 'quotes' \(did you mean quote\?\); it has activity, alerts, archive, "),
        ("x; DROP TABLE quote", {}, "no table or view"),
        ("sqlite_master", {}, "no table or view"),
        ("contract", {"trading_date": TRADING_DATE}, "rows of contract belong to no session, so leave out --date"),
        ("cycle", {"underlying": "NIFTY"}, "rows of cycle belong to no underlying, so leave out --underlying"),
        ("flow", {"trading_date": builders.WEEKLY}, "holds no session of 2026-02-03; it has 2026-01-30"),
    ],
)
def test_what_makes_no_sense_is_one_sentence(
    history: Path, tmp_path: Path, table: str, given: dict, sentence: str
) -> None:
    with pytest.raises(HistoryError, match=sentence):
        export_csv(history, table, tmp_path / "x.csv", **given)
    assert list(tmp_path.iterdir()) == []


def test_a_place_that_cannot_be_written_is_one_sentence(history: Path, tmp_path: Path) -> None:
    with pytest.raises(HistoryError, match=r"cannot be written \(no such file"):
        export_csv(history, "settings", tmp_path / "nowhere" / "x.csv")
    with pytest.raises(HistoryError, match="there is no such file"):
        export_csv(tmp_path / "none.db", "settings", tmp_path / "x.csv")


def test_an_earlier_export_stays_until_the_new_one_is_whole(
    history: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from optionscanner.history import export

    done = export_csv(history, "settings", tmp_path / "x.csv")

    def full(_: Path) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(export, "synced", full)
    with pytest.raises(HistoryError, match="no space left on device"):
        export_csv(history, "contract", tmp_path / "x.csv")
    assert read(done.file)[0] == ["key", "value"]
    assert [p.name for p in tmp_path.iterdir()] == ["x.csv"]


def test_archived_quotes_are_exported_too(history: Path, tmp_path: Path) -> None:
    path = tmp_path / "h.db"
    path.write_bytes(history.read_bytes())
    before = {
        name: read(export_csv(path, "quote", tmp_path / "b.csv", underlying=name).file) for name in ("NIFTY", None)
    }
    store = SqliteHistory(path, Mode.REPLAY)
    with store.between_cycles() as connection:
        archive_session(connection, path, 1, now=ist(16, 0))
    store.close()
    for name, (header, rows) in before.items():
        done = export_csv(path, "quote", tmp_path / "a.csv", trading_date=TRADING_DATE, underlying=name)
        found = read(done.file)
        assert found[0] == header
        assert sorted(found[1]) == sorted(rows)
        assert (len(rows) > 0, done.note) == (True, "")
    done = export_csv(path, "option_chain_snapshots", tmp_path / "v.csv")
    assert done.rows == 0
    assert "quotes of 1 of the sessions asked for were archived" in done.note


@pytest.mark.slow
def test_memory_stays_flat_however_many_rows(tmp_path: Path) -> None:
    path = tmp_path / "h.db"
    SqliteHistory(path, Mode.REPLAY).close()
    connection = sqlite3.connect(path)
    connection.execute(
        "INSERT INTO failure WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 200000) "
        "SELECT 1, i, 0, 1000 * i, 'engine', 'NIFTY', 'a sentence of some length about what went wrong' FROM n"
    )
    connection.commit()
    connection.close()
    tracemalloc.start()
    done = export_csv(path, "failure", tmp_path / "x.csv")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert done.rows == 200_000
    assert done.file.stat().st_size > 15_000_000
    assert peak < 3_000_000


@pytest.mark.slow
def test_the_command_exports(history: Path, tmp_path: Path) -> None:
    done = program.run(
        "--export", "flow", "--to", tmp_path / "x.csv", "--history", history, "--date", "2026-01-30",
        "--underlying", "NIFTY", "--bom",
    )  # fmt: skip
    assert (done.code, done.errors) == (0, "")
    rows = stored(history, "SELECT count(*) FROM flow WHERE underlying = 'NIFTY'")[0][0]
    assert f"flow: {rows} rows in {tmp_path / 'x.csv'}" in done.out
    assert (tmp_path / "x.csv").read_bytes().startswith(b"\xef\xbb\xbf")
    wrong = program.run("--export", "flaw", "--to", tmp_path / "y.csv", "--history", history)
    assert wrong.code == 1
    assert "did you mean flow?" in wrong.errors
    assert not (tmp_path / "y.csv").exists()
