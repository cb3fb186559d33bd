"""A second start on a history, workbook or recording that a first one works on: refused, with the first one's name."""

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from optionscanner import locks
from optionscanner.errors import InUse
from optionscanner.history.queries import HistoryReader
from tests import program
from tests.program import ROOT
from tests.small_day import Place, main, small_day

# Holds the lock on a file until its input ends.
HOLD = """
import sys
from pathlib import Path
from optionscanner.locks import FileLock
lock = FileLock(Path(sys.argv[1]), "history", "give another")
print("held", flush=True)
sys.stdin.read()
"""


def holding(path: Path) -> subprocess.Popen[str]:
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    return process


@pytest.fixture
def held(tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    with holding(tmp_path / "h.db") as process:
        yield process
        assert process.stdin is not None
        process.stdin.close()


def taken(path: Path) -> locks.FileLock:
    return locks.FileLock(path, "history", "give another", patience=0.0)


def test_the_holder_is_named_and_the_file_stays_closed_to_a_second_process(
    held: subprocess.Popen[str], tmp_path: Path
) -> None:
    with pytest.raises(InUse) as refused:
        taken(tmp_path / "h.db")
    said = re.search(r"process (\d+), since (\d\d-\w{3}-\d{4} \d\d:\d\d:\d\d) IST", str(refused.value))
    assert said and int(said[1]) == held.pid
    found = locks.holder(tmp_path / "h.db")
    assert found is not None and found.pid == held.pid
    assert locks.holder(tmp_path / "other.db") is None
    taken(tmp_path / "other.db").release()


@pytest.mark.skipif(os.name == "nt", reason="links need rights on Windows")
def test_another_name_of_the_same_file_is_the_same_file(held: subprocess.Popen[str], tmp_path: Path) -> None:
    (tmp_path / "h.db").touch()
    (tmp_path / "link.db").symlink_to(tmp_path / "h.db")
    with pytest.raises(InUse):
        taken(tmp_path / "link.db")


def test_what_a_killed_process_held_is_taken_over(tmp_path: Path) -> None:
    with holding(tmp_path / "h.db") as process:
        process.send_signal(getattr(signal, "SIGKILL", signal.SIGTERM))
        process.wait(60)
    assert locks.lock_file(tmp_path / "h.db").exists()
    lock = taken(tmp_path / "h.db")
    found = locks.holder(tmp_path / "h.db")
    assert found is not None and found.pid == os.getpid()
    lock.release()
    assert locks.holder(tmp_path / "h.db") is None
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_cannot_be_written_holds_nothing_up(tmp_path: Path) -> None:
    taken(tmp_path / "absent" / "h.db").release()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_a_second_start_is_refused_in_one_sentence_and_reading_is_not(tmp_path: Path, capsys) -> None:
    day = small_day(tmp_path / "day")
    place, other = Place(tmp_path / "first"), Place(tmp_path / "second")
    # At the market's pace this one stays at its first cycle.
    with program.started(*place.replay(day, "--speed", "1")) as first:
        while first.poll() is None and not (place.workbook.exists() and locks.holder(place.history)):
            try:
                first.wait(0.05)
            except subprocess.TimeoutExpired:
                continue
        assert first.poll() is None
        running = locks.holder(place.history)
        assert running is not None
        for files, named in (
            (("--history", place.history, "--workbook", other.workbook), place.history),
            (("--history", other.history, "--workbook", place.workbook), place.workbook),
        ):
            for more in (("--once",), ("--speed", "max")):
                refused = main(capsys, ["--replay", day, *more, *files, "--config", other.config])
                assert refused.code == 1
                assert refused.errors.count("\n") == 1
                assert str(named) in refused.errors and f"process {running.pid}, since " in refused.errors
        side_by_side = main(capsys, other.replay(day))
        assert side_by_side.code == 0
        with HistoryReader(place.history) as reader:
            assert len(reader.sessions()) == 1
        checked = main(capsys, ["--check", *place.replay(day)])
        assert checked.out.count(f"process {running.pid}") == 2
        first.send_signal(signal.SIGTERM)
        first.communicate(timeout=60)
    again = main(capsys, place.replay(day))
    assert again.code == 0
    assert not list(place.folder.glob(".*.lock"))
