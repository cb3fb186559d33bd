"""Old sessions: their quotes move to a file, nothing is lost or doubled, and questions are answered as before."""

from __future__ import annotations

import signal
import sqlite3
import subprocess
import sys
from datetime import date, datetime, timedelta
from pathlib import Path

import pandas as pd
import pyarrow.parquet as pq
import pytest
from pandas.testing import assert_frame_equal

from optionscanner.errors import HistoryError
from optionscanner.history.archive import ArchivedSession, archive_old_sessions, archive_session, sessions_due
from optionscanner.history.backup import back_up, shrink
from optionscanner.history.files import sha256
from optionscanner.history.queries import HistoryReader
from optionscanner.history.store import SqliteHistory
from optionscanner.locks import FileLock
from optionscanner.model.context import DayContext
from optionscanner.model.sessions import Mode
from tests import builders, program
from tests.builders import IST, MONTHLY, TRADING_DATE, WEEKLY, ist

ROOT = Path(__file__).resolve().parent.parent
INSTANTS = [ist(9, 16) + 60.0 * i for i in range(20)]
CHAINS = (("NIFTY", WEEKLY), ("NIFTY", MONTHLY), ("RELIANCE", MONTHLY))
NOW = ist(16, 0)


def kept(path: Path, *, day: DayContext | None = None, instants: list[float] = INSTANTS, **session: object) -> Path:
    """A history with one ended session of the test day."""
    day = day or builders.day_of(builders.small_layout())
    told = builders.run_session(**session)
    history = SqliteHistory(path, told.mode, busy_timeout=0.0)
    history.begin(told, day, resume_within=None, now=instants[0])
    for report in builders.day_of_reports(instants, day=day, session=told):
        history.save(report)
    history.end(NOW)
    history.close()
    return path


def rows(path: Path, sql: str) -> list[tuple]:
    connection = sqlite3.connect(path)
    try:
        return connection.execute(sql).fetchall()
    finally:
        connection.close()


def archived(path: Path, session: int = 1, mode: Mode = Mode.REPLAY) -> ArchivedSession:
    history = SqliteHistory(path, mode)
    with history.between_cycles() as connection:
        done = archive_session(connection, path, session, now=NOW)
    history.close()
    return done


def answers(path: Path) -> list[pd.DataFrame]:
    """Every kind of question about quotes, at many instants."""
    with HistoryReader(path) as reader:
        found = [reader.chain(at, name, expiry) for at in INSTANTS[::3] for name, expiry in CHAINS]
        found += [reader.against(name, expiry, at=at) for at in INSTANTS[::4] for name, expiry in CHAINS]
        found += [reader.chain(INSTANTS[0] - 1, *CHAINS[0]), reader.chain(NOW, "NOSUCH", WEEKLY)]
        found += [reader.quotes(name, INSTANTS[0], INSTANTS[-1]) for name in ("NIFTY", "SENSEX", "RELIANCE", "NOSUCH")]
        found += [reader.quotes("NIFTY", INSTANTS[3], INSTANTS[7], session=1)]
        found += [reader.quotes("NIFTY", INSTANTS[0] - 1e7, INSTANTS[0] - 9e6)]
        found += [reader.reading("flow"), pd.DataFrame([reader.counts()]), reader.sessions()]
    return found


# Moving a session


def test_questions_are_answered_as_before_and_the_rows_are_gone(tmp_path: Path) -> None:
    path = kept(tmp_path / "h.db")
    before, stored = answers(path), rows(path, "SELECT count(*) FROM quote")[0][0]
    observed = rows(path, "SELECT * FROM observation ORDER BY 1, 2, 3, 4, 5")
    done = archived(path)
    assert done.file == tmp_path / "archive" / f"h-{TRADING_DATE}-session-1.parquet"
    assert (done.session, done.trading_date, done.quotes) == (1, TRADING_DATE, stored)
    for old, new in zip(before, answers(path), strict=True):
        assert_frame_equal(old, new)
    assert len(before[-3]) and len(before[0])
    for table in ("quote", "quote_anchor", "state", "state_legs"):
        assert rows(path, f"SELECT count(*) FROM {table}") == [(0,)]
    assert rows(path, "SELECT * FROM observation ORDER BY 1, 2, 3, 4, 5") == observed
    assert rows(path, "SELECT session, file, quotes, bytes, sha256 FROM archive") == [
        (1, done.file.name, stored, done.file.stat().st_size, sha256(done.file))
    ]
    assert [p.name for p in done.file.parent.iterdir()] == [done.file.name]


def test_the_file_alone_holds_every_stored_row_with_its_contract(tmp_path: Path) -> None:
    path = kept(tmp_path / "h.db")
    expected = rows(
        path,
        "SELECT q.at, c.underlying, c.expiry, c.strike_paise, c.option_type, c.lot_size, q.last_paise, q.open_interest,"
        " q.volatility_ppm, q.fault, q.iv_reason, o.spot_paise, o.forward FROM quote q"
        " JOIN contract c ON c.id = q.contract JOIN observation o ON o.session = q.session AND o.observed_at = q.at"
        " AND o.underlying = c.underlying AND o.expiry = c.expiry",
    )
    table = pq.read_table(archived(path).file)
    columns = (
        "at underlying expiry strike_paise option_type lot_size last_paise open_interest volatility_ppm fault "
        "iv_reason spot_paise forward"
    ).split()
    held = table.select(columns).to_pylist()
    found = [(round(row["at"].timestamp() * 1000), *list(row.values())[1:]) for row in held]
    assert sorted(found, key=repr) == sorted(expected, key=repr)
    assert {pq.ParquetFile(tmp_path / "archive" / p.name).metadata.row_group(0).column(0).compression
            for p in (tmp_path / "archive").iterdir()} == {"ZSTD"}  # fmt: skip


def test_a_row_group_holds_one_chain(tmp_path: Path) -> None:
    """So that a question about one name reads little of a file of millions of rows."""
    file = pq.ParquetFile(archived(kept(tmp_path / "h.db")).file)
    chains = [
        {(row["underlying"], row["expiry"]) for row in file.read_row_group(i, ["underlying", "expiry"]).to_pylist()}
        for i in range(file.metadata.num_row_groups)
    ]
    assert [len(chain) for chain in chains] == [1] * 4


def test_quotes_that_no_observation_owns_move_too(tmp_path: Path) -> None:
    path = kept(tmp_path / "h.db")
    connection = sqlite3.connect(path)
    connection.execute("DELETE FROM observation WHERE underlying = 'NIFTY' AND observed_at = ?", (INSTANTS[4] * 1000,))
    connection.commit()
    connection.close()
    before, stored = answers(path), rows(path, "SELECT count(*) FROM quote")[0][0]
    done = archived(path)
    assert (done.quotes, pq.ParquetFile(done.file).metadata.num_rows) == (stored, stored)
    for old, new in zip(before, answers(path), strict=True):
        assert_frame_equal(old, new)


def test_live_and_archived_sessions_are_asked_together(tmp_path: Path) -> None:
    path = kept(tmp_path / "h.db")
    kept(path, settings_version="settings-b")
    before = answers(path)
    archived(path, 1)
    after = answers(path)
    for old, new in zip(before, after, strict=True):
        assert_frame_equal(old, new)
    with HistoryReader(path) as reader:
        assert set(reader.quotes("NIFTY", INSTANTS[0], INSTANTS[-1])["session"]) == {1, 2}
        assert list(reader.archives()) == [1]


def test_an_archived_session_is_not_continued(tmp_path: Path) -> None:
    """What would be stored next to quotes that are gone would be less than the whole picture."""
    path = kept(tmp_path / "h.db")
    archived(path)
    history = SqliteHistory(path, Mode.REPLAY)
    resume = history.begin(
        builders.run_session(), builders.day_of(builders.small_layout()), resume_within=None, now=NOW
    )
    history.close()
    assert (resume.cycles, resume.state) == (0, None)
    assert rows(path, "SELECT id FROM session") == [(1,), (2,)]


def test_a_history_without_the_table_of_archives_is_still_read(tmp_path: Path) -> None:
    path = kept(tmp_path / "h.db")
    before = answers(path)
    connection = sqlite3.connect(path)
    connection.execute("DROP TABLE archive")
    connection.close()
    for old, new in zip(before, answers(path), strict=True):
        assert_frame_equal(old, new)


# Which sessions


def due(path: Path, mode: Mode, **given: object) -> list[int]:
    history = SqliteHistory(path, mode)
    with history.between_cycles() as connection:
        found = sessions_due(connection, **given)  # type: ignore[arg-type]
    history.close()
    return found


def test_a_day_is_due_when_it_is_more_than_the_retention_older(tmp_path: Path) -> None:
    path = kept(tmp_path / "h.db")
    for days, expected in ((30, []), (31, [1])):
        assert due(path, Mode.REPLAY, today=TRADING_DATE + timedelta(days), now=NOW, days=30) == expected
    archived(path)
    assert due(path, Mode.REPLAY, today=TRADING_DATE + timedelta(99), now=NOW, days=30) == []


def test_a_simulated_day_ages_from_when_it_ended(tmp_path: Path) -> None:
    path = kept(tmp_path / "h.db", mode=Mode.SIMULATED, seed=7)
    for days, expected in ((30, []), (31, [1])):
        now = (datetime.fromtimestamp(NOW, IST) + timedelta(days)).timestamp()
        assert due(path, Mode.SIMULATED, today=TRADING_DATE, now=now, days=30) == expected


def test_old_sessions_move_and_newer_ones_stay(tmp_path: Path) -> None:
    path = tmp_path / "h.db"
    for number in range(3):
        kept(path, settings_version=f"settings-{number}")
    connection = sqlite3.connect(path)
    connection.execute("UPDATE session SET trading_date = '2026-04-01' WHERE id = 3")
    connection.commit()
    connection.close()
    history = SqliteHistory(path, Mode.REPLAY)
    with history.between_cycles() as connection:
        done = list(archive_old_sessions(connection, path, today=date(2026, 4, 1), now=NOW, days=30))
    history.close()
    assert [one.session for one in done] == [1, 2]
    assert rows(path, "SELECT DISTINCT session FROM quote") == [(3,)]


# What goes wrong


def test_a_missing_file_is_one_sentence(tmp_path: Path) -> None:
    path = kept(tmp_path / "h.db")
    file = archived(path).file
    file.rename(tmp_path / "elsewhere")
    with HistoryReader(path) as reader, pytest.raises(HistoryError, match=r"session 1 have moved to .*put the file"):
        reader.chain(NOW, *CHAINS[0])
    file.write_bytes((tmp_path / "elsewhere").read_bytes()[:200])
    with HistoryReader(path) as reader, pytest.raises(HistoryError, match="cannot be read"):
        reader.quotes("NIFTY", INSTANTS[0], NOW)


def test_an_archive_folder_that_cannot_be_made_leaves_the_day_in_the_database(tmp_path: Path) -> None:
    path = kept(tmp_path / "h.db")
    before = answers(path)
    (tmp_path / "archive").write_text("in the way")
    with pytest.raises(HistoryError, match=r"session 1 of 2026-01-30 could not be archived .* stays in the database"):
        archived(path)
    for old, new in zip(before, answers(path), strict=True):
        assert_frame_equal(old, new)


def test_a_file_that_reads_back_otherwise_deletes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A disk that flips a bit after the write."""
    from optionscanner.history import archive

    path = kept(tmp_path / "h.db")
    before = answers(path)

    def flipped(part: Path) -> None:
        table = pq.read_table(part)
        at = table.schema.get_field_index("volume")
        table = table.set_column(at, table.schema.field(at), table["volume"].take([0] * len(table)))
        pq.write_table(table, part)

    monkeypatch.setattr(archive, "synced", flipped)
    with pytest.raises(HistoryError, match="other values"):
        archived(path)
    for old, new in zip(before, answers(path), strict=True):
        assert_frame_equal(old, new)
    assert list((tmp_path / "archive").iterdir()) == []


def test_quotes_stored_meanwhile_stop_the_move(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from optionscanner.history import archive

    path = kept(tmp_path / "h.db")

    def stored_meanwhile(part: Path) -> None:
        other = sqlite3.connect(path)
        other.execute("INSERT INTO quote SELECT session, at + 1, contract, 1, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 0, 0 "
                      "FROM quote LIMIT 1")  # fmt: skip
        other.commit()
        other.close()

    monkeypatch.setattr(archive, "synced", stored_meanwhile)
    stored = rows(path, "SELECT count(*) FROM quote")[0][0]
    with pytest.raises(HistoryError, match="somebody else writes"):
        archived(path)
    assert rows(path, "SELECT count(*) FROM quote") == [(stored + 1,)]
    assert rows(path, "SELECT * FROM archive") == []


def child(path: Path, step: int) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "tests.archive_child", str(path), str(step)]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="SIGKILL does not exist there")
def test_killed_at_any_step_nothing_is_lost_or_doubled(tmp_path: Path) -> None:
    whole = kept(tmp_path / "whole.db", instants=INSTANTS[:6])
    original = whole.read_bytes()
    before = answers(whole)
    ended = child(whole, 1_000_000)
    assert ended.returncode == 0, ended.stderr
    steps = int(ended.stdout)
    assert steps > 15
    outcomes = set()
    for step in range(1, steps + 1):
        path = tmp_path / f"{step}" / "h.db"
        path.parent.mkdir()
        path.write_bytes(original)
        assert child(path, step).returncode == -9
        for old, new in zip(before, answers(path), strict=True):
            assert_frame_equal(old, new)
        recorded = len(rows(path, "SELECT * FROM archive"))
        stored = rows(path, "SELECT count(*) FROM quote")[0][0]
        assert (stored == 0) == (recorded == 1)
        outcomes.add(recorded)
        if not recorded:
            archived(path)
        for old, new in zip(before, answers(path), strict=True):
            assert_frame_equal(old, new)
    assert outcomes == {0, 1}


def test_what_a_killed_process_left_is_swept_after_a_while(tmp_path: Path) -> None:
    path = kept(tmp_path / "h.db")
    folder = tmp_path / "archive"
    folder.mkdir()
    for name in (".h-2026-01-30-session-1.parquet.99.part", ".other-2026-01-30-session-1.parquet.99.part"):
        (folder / name).write_text("half")
    history = SqliteHistory(path, Mode.REPLAY)
    left = []
    for later in (3_600, 30_000):
        now = (folder / ".other-2026-01-30-session-1.parquet.99.part").stat().st_mtime + later
        with history.between_cycles() as connection:
            assert list(archive_old_sessions(connection, path, today=TRADING_DATE, now=now, days=30)) == []
        left.append(len(list(folder.iterdir())))
    history.close()
    assert left == [2, 1]


# Space, and backups


def test_space_is_given_back(tmp_path: Path) -> None:
    path = kept(tmp_path / "h.db")
    archived(path)
    before = path.stat().st_size
    history = SqliteHistory(path, Mode.REPLAY)
    with history.between_cycles() as connection:
        given = shrink(connection, path)
        assert connection.execute("PRAGMA freelist_count").fetchone() == (0,)
        assert shrink(connection, path) == 0
    history.close()
    assert given > 0
    assert path.stat().st_size == before - given
    assert rows(path, "PRAGMA integrity_check") == [("ok",)]


@pytest.mark.slow
def test_a_file_of_before_is_rewritten_once(tmp_path: Path) -> None:
    path = kept(tmp_path / "h.db")
    connection = sqlite3.connect(path)
    connection.executescript("PRAGMA journal_mode = DELETE; PRAGMA auto_vacuum = NONE; VACUUM;")
    connection.close()
    assert rows(path, "PRAGMA auto_vacuum") == [(0,)]
    archived(path)
    before = answers(path)
    history = SqliteHistory(path, Mode.REPLAY)
    with history.between_cycles() as connection:
        assert shrink(connection, path) > 0
    history.close()
    assert rows(path, "PRAGMA auto_vacuum") == [(2,)]
    for old, new in zip(before, answers(path), strict=True):
        assert_frame_equal(old, new)


def test_a_backup_is_a_whole_history_and_the_newest_are_kept(tmp_path: Path) -> None:
    path = kept(tmp_path / "h.db")
    (tmp_path / "backup").mkdir()
    strangers = {"h-notes.db", "other-2026-01-01.db"}
    for name in strangers:
        (tmp_path / "backup" / name).write_text("not ours")
    for day in (1, 2, 3, 4, 4):
        copy = back_up(path, day=date(2026, 2, day), keep=3, now=NOW)
    assert copy == tmp_path / "backup" / "h-2026-02-04.db"
    names = {p.name for p in (tmp_path / "backup").iterdir()}
    assert names == strangers | {f"h-2026-02-0{day}.db" for day in (2, 3, 4)}
    for old, new in zip(answers(path), answers(copy), strict=True):
        assert_frame_equal(old, new)
    SqliteHistory(copy, Mode.REPLAY).close()
    assert back_up(path, day=date(2026, 2, 9), keep=0, now=NOW) is None


def test_a_backup_while_cycles_are_stored_is_consistent(tmp_path: Path) -> None:
    path = tmp_path / "h.db"
    day = builders.day_of(builders.small_layout())
    history = SqliteHistory(path, Mode.REPLAY)
    history.begin(builders.run_session(), day, resume_within=None, now=INSTANTS[0])
    first, second = builders.day_of_reports(INSTANTS[:2], day=day)
    history.save(first)
    copy = back_up(path, day=TRADING_DATE, keep=1, now=NOW)
    history.save(second)
    history.close()
    assert copy is not None
    assert rows(copy, "SELECT cycle FROM cycle") == [(1,)]
    assert rows(copy, "PRAGMA integrity_check") == [("ok",)]


def test_no_backup_without_room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import shutil

    path = kept(tmp_path / "h.db")
    first = back_up(path, day=TRADING_DATE, keep=1, now=NOW)
    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage._replace(free=1_000))
    with pytest.raises(HistoryError, match=r"no backup was made, it needs \d+ MB .* 0 MB free; free some space"):
        back_up(path, day=TRADING_DATE + timedelta(1), keep=1, now=NOW)
    assert [p.name for p in (tmp_path / "backup").iterdir()] == [first.name]  # type: ignore[union-attr]


def test_a_damaged_copy_never_takes_the_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = kept(tmp_path / "h.db")
    data = bytearray(path.read_bytes())
    for at in range(len(data) // 2, len(data) - 512, 4096):
        data[at : at + 64] = b"\xff" * 64
    path.write_bytes(data)
    with pytest.raises(HistoryError):
        back_up(path, day=TRADING_DATE, keep=1, now=NOW)
    assert list((tmp_path / "backup").iterdir()) == []




# The end of a day, through the command


@pytest.fixture
def small_market(tmp_path: Path) -> tuple[object, ...]:
    """Options for a whole simulated day of one name, in seconds."""
    (tmp_path / "my.yaml").write_text(
        "underlyings: {include: [NIFTY]}\nsimulated: {step_s: 600}\nhistory: {backups: 1}\n"
        "workbook: {eod_pdf: false}\n"
        f"log: {{folder: \"{(tmp_path / 'log').as_posix()}\"}}\n",
        encoding="utf-8",
    )
    return (
        "--config", tmp_path / "my.yaml", "--history", tmp_path / "h.db", "--workbook", tmp_path / "Book.xlsx",
    )  # fmt: skip


def made(folder: Path) -> set[str]:
    return {p.relative_to(folder).as_posix() for name in ("archive", "backup") for p in (folder / name).glob("*")}


@pytest.mark.slow
def test_the_end_of_a_day_keeps_everything(tmp_path: Path, small_market: tuple[object, ...]) -> None:
    first = program.run("--speed", "max", *small_market)
    assert (first.code, first.errors) == (0, "")
    day = rows(tmp_path / "h.db", "SELECT trading_date FROM session")[0][0]
    copy = f"Book-simulated-{day}.xlsx"
    assert made(tmp_path) == {f"archive/{copy}", f"backup/h-{day}.db"}
    ((file, session, digest),) = rows(
        tmp_path / "h.db", "SELECT file, session, sha256 FROM workbook_archive"
    )
    assert (file, session, digest) == (copy, 1, sha256(tmp_path / "archive" / copy))
    before = rows(tmp_path / "h.db", "SELECT count(*) FROM quote")
    # As if it had been long ago.
    connection = sqlite3.connect(tmp_path / "h.db")
    connection.execute("UPDATE session SET ended_at = ended_at - 32 * 86400000")
    connection.commit()
    connection.close()
    second = program.run("--speed", "max", *small_market)
    assert (second.code, second.errors) == (0, "")
    assert rows(tmp_path / "h.db", "SELECT session, quotes FROM archive") == [(1, before[0][0])]
    assert made(tmp_path) == {f"archive/{copy}", f"archive/h-{day}-session-1.parquet", f"backup/h-{day}.db"}
    assert rows(tmp_path / "backup" / f"h-{day}.db", "SELECT count(*) FROM session") == [(2,)]
    with HistoryReader(tmp_path / "h.db") as reader:
        at = reader.sessions()["last_at"].max()
        old, new = (reader.quotes("NIFTY", at - 1e5, at, session=number) for number in (1, 2))
    # Equal seeds give equal days, whichever of the two places they are in.
    assert_frame_equal(old.drop(columns="session"), new.drop(columns="session"))
    assert len(old) == before[0][0]


@pytest.mark.slow
def test_a_session_that_did_not_reach_its_close_keeps_nothing(
    tmp_path: Path, small_market: tuple[object, ...]
) -> None:
    for options in (("--once",), ("--speed", "max", "--until", "11:00")):
        assert program.run(*options, *small_market).code == 0
        assert made(tmp_path) == set()
    done = program.run("--keep", *small_market)
    assert (done.code, done.errors) == (0, "")
    day = rows(tmp_path / "h.db", "SELECT trading_date FROM session")[0][0]
    assert made(tmp_path) == {f"archive/Book-simulated-{day}.xlsx", f"backup/h-{day}.db"}


@pytest.mark.slow
def test_what_cannot_be_kept_is_said_and_the_session_is_whole(
    tmp_path: Path, small_market: tuple[object, ...]
) -> None:
    for name in ("archive", "backup"):
        (tmp_path / name).write_text("in the way")
    done = program.run("--speed", "max", *small_market)
    assert done.code == 0
    assert "no backup was made" in done.errors
    assert "no values-only copy was made" in done.errors
    assert len(done.errors.splitlines()) == 2
    assert done.accounted["after"] == 0
    assert rows(tmp_path / "h.db", "SELECT count(*) FROM session WHERE ended_at IS NOT NULL") == [(1,)]


@pytest.mark.slow
def test_nothing_is_kept_of_a_history_that_a_session_works_on(tmp_path: Path, small_market: tuple[object, ...]) -> None:
    assert program.run("--once", *small_market).code == 0
    lock = FileLock(tmp_path / "h.db", "history", "wait")
    done = program.run("--keep", *small_market)
    lock.release()
    assert done.code == 1
    assert "is in use by another start of this program" in done.errors
    assert made(tmp_path) == set()


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="SIGINT cannot be sent to one process there")
def test_after_ctrl_c_nothing_is_kept(tmp_path: Path, small_market: tuple[object, ...]) -> None:
    process = program.started("--speed", "60", *small_market)
    while not (tmp_path / "Book.xlsx").exists():
        assert process.poll() is None
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=60)
    assert process.returncode == 0
    assert made(tmp_path) == set()
