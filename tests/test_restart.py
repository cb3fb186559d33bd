"""Killed at any moment and started again, a replay ends with exactly what an uninterrupted one stores."""

import random
import shutil
import signal
import subprocess
import sys
import time
import zipfile
from collections.abc import Callable
from pathlib import Path

import openpyxl
import pytest

from tests import program
from tests.program import killed, started

pytestmark = [pytest.mark.data, pytest.mark.slow]

KILLS = 20
SEED = 20260130
# Real time and file layout, not what was read in the market.
_NOT_COMPARED = {"migration", "session", "settings", "sqlite_sequence", "workbook_archive"}


@pytest.fixture(scope="module")
def recording(data_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    source = data_folder / "chain_intraday/allfno_5min_2026"
    to = tmp_path_factory.mktemp("restart") / "day"
    done = program.run(
        "--import", source / "stocks_2026-01-30.parquet", source / "index_2026-01-22_to_02-05.parquet", "--to", to
    )
    assert done.code == 0, done.errors
    return to


def replay(recording: Path, folder: Path, *more: object) -> tuple[object, ...]:
    places = ("--history", folder / "h.db", "--workbook", folder / "w.xlsx")
    return ("--replay", recording, "--speed", "max", *places, *more)


def contents(history: Path) -> dict[str, list[tuple[object, ...]]]:
    """Every row of every table but those of real time, without the columns of real time."""
    tables = {
        str(name)
        for (name,) in program.rows(history, "SELECT name FROM sqlite_master WHERE type = 'table'")
        if name not in _NOT_COMPARED
    }
    found = {}
    for table in sorted(tables):
        columns = [str(c[1]) for c in program.rows(history, f"PRAGMA table_info({table})") if c[1] != "timings"]
        names = ", ".join(columns)
        found[table] = program.rows(history, f"SELECT {names} FROM {table} ORDER BY {names}")
    return found


def opens(workbook: Path) -> bool:
    """The workbook is whole: every part's checksum holds and a reader takes it."""
    with zipfile.ZipFile(workbook) as parts:
        if parts.testzip() is not None:
            return False
    book = openpyxl.load_workbook(workbook, read_only=True)
    whole = "ALERT_SUMMARY" in book.sheetnames
    book.close()
    return whole


def cycles(history: Path) -> int:
    try:
        return int(str(program.rows(history, "SELECT count(*) FROM cycle")[0][0]))
    except Exception:  # noqa: BLE001 - no file or no table yet: nothing stored
        return 0


@pytest.mark.timeout(1200)  # 22 starts of the program; a busy machine takes its time
def test_killed_twenty_times_a_replay_stores_what_an_uninterrupted_one_does(recording: Path, tmp_path: Path) -> None:
    draw = random.Random(SEED)
    sys.stdout.write(f"seed {SEED}\n")
    whole, torn = tmp_path / "whole", tmp_path / "torn"
    whole.mkdir()
    torn.mkdir()
    assert program.run(*replay(recording, whole)).code == 0
    total = cycles(whole / "h.db")
    moments = []
    for number in range(KILLS):
        # Some kills hit the start, most the middle of the day: the target is a number of stored cycles not yet there.
        have = cycles(torn / "h.db")
        target = have + draw.randint(0, max((total - have) // (KILLS - number), 1))
        process = started(*replay(recording, torn))
        _wait(process, lambda have=have, target=target: cycles(torn / "h.db") >= max(target, have + 1))
        draw_delay = draw.uniform(0.0, 0.08)
        _wait(process, _elapsed(draw_delay))
        killed(process)
        moments.append(cycles(torn / "h.db"))
        assert program.rows(torn / "h.db", "PRAGMA integrity_check") == [("ok",)]
        if (torn / "w.xlsx").exists():
            assert opens(torn / "w.xlsx")
    sys.stdout.write(f"cycles stored at each kill: {moments} of {total}\n")
    assert len(set(moments)) >= KILLS // 2
    last = program.run(*replay(recording, torn))
    assert last.code == 0, last.errors
    one, other = contents(whole / "h.db"), contents(torn / "h.db")
    assert one.keys() == other.keys()
    for table, rows in one.items():
        assert rows == other[table], f"{table} differs"
    assert opens(torn / "w.xlsx")


def _wait(process: subprocess.Popen[str], condition: Callable[[], bool]) -> None:
    """Until the condition holds or the process has ended."""
    while process.poll() is None and not condition():
        try:
            process.wait(timeout=0.02)
        except subprocess.TimeoutExpired:
            continue


def _elapsed(seconds: float) -> Callable[[], bool]:
    end = time.monotonic() + seconds
    return lambda: time.monotonic() >= end


@pytest.mark.parametrize("name", ["SIGTERM", "SIGINT"])
def test_asked_to_stop_it_finishes_the_cycle_saves_and_ends_with_zero(
    name: str, recording: Path, tmp_path: Path
) -> None:
    process = started(*replay(recording, tmp_path))
    _wait(process, lambda: cycles(tmp_path / "h.db") >= 3)
    process.send_signal(getattr(signal, name))
    out, errors = process.communicate(timeout=60)
    assert process.returncode == 0, errors
    assert "stopped after" in out
    stored = cycles(tmp_path / "h.db")
    assert 3 <= stored < 182
    assert opens(tmp_path / "w.xlsx")
    assert program.health_of(tmp_path / "w.xlsx")["Cycles"] == stored


def test_a_history_of_another_mode_is_refused_with_a_sentence(recording: Path, tmp_path: Path) -> None:
    assert program.run(*replay(recording, tmp_path, "--until", "09:30")).code == 0
    before = shutil.copy(tmp_path / "h.db", tmp_path / "copy.db")
    refused = program.run("--once", "--history", tmp_path / "h.db", "--workbook", tmp_path / "w2.xlsx")
    assert refused.code == 1
    assert refused.errors.count("\n") == 1 and "h.db" in refused.errors
    assert contents(tmp_path / "h.db") == contents(Path(before))
