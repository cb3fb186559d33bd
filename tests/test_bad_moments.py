"""What can happen at a bad moment: while it starts, while it runs, while it writes. Nothing that was stored is lost.

Most of it is done to a process of its own; `mischief.py` makes the moment the same on every machine.
"""

from __future__ import annotations

import ctypes
import os
import platform
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from threading import Timer
from typing import Any

import pytest
import time_machine

from tests import program
from tests.mischief import at_cycles
from tests.program import Ended
from tests.recorded_samples import STOCK_HEADER, stock_rows, write_csv
from tests.small_day import Name, Place, main, run_here, small_day

MINUTES = 12

pytestmark = pytest.mark.slow


@pytest.fixture(autouse=True)
def _signals_as_they_were() -> Iterator[None]:
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.fixture(scope="module")
def recording(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return small_day(tmp_path_factory.mktemp("recording") / "day", MINUTES)


@pytest.fixture(scope="module")
def clean(recording: Path, tmp_path_factory: pytest.TempPathFactory) -> Place:
    """What an undisturbed run on `recording` leaves."""
    place = Place(tmp_path_factory.mktemp("clean"))
    assert run_here(place.replay(recording)) == 0
    return place


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path / "run")


def started(command: Sequence[object], **given: Any) -> subprocess.Popen[str]:
    """Start a command in the project folder, its output as text."""
    return subprocess.Popen(
        [str(word) for word in command],
        **{
            "stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True, "encoding": "utf-8",
            "env": program.environment(), "cwd": program.ROOT, **given,
        },
    )  # fmt: skip


def ended(process: subprocess.Popen[str]) -> Ended:
    out, errors = process.communicate(timeout=120)
    return Ended(process.returncode, out or "", errors or "")


def mischief(kind: str, *words: object) -> Ended:
    return ended(started([sys.executable, "-m", "tests.mischief", *kind.split(), "--", *words]))


def quiet(run: Ended) -> bool:
    """No traceback, and nothing that the interpreter complains of at its end."""
    return not any(word in run.out + run.errors for word in ("Traceback", "Exception", "Error:"))


# --- the workbook, while a session runs


def garbage(path: Path) -> None:
    path.write_bytes(b"this was a workbook once")


def folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


def opened_elsewhere(path: Path) -> None:
    path.with_name(f".~lock.{path.name}#").write_text("somebody", encoding="utf-8")


def write_protected(path: Path) -> None:
    path.chmod(0o444)


def as_before(path: Path) -> None:
    if path.is_dir():
        path.rmdir()
    path.unlink(missing_ok=True)
    path.with_name(f".~lock.{path.name}#").unlink(missing_ok=True)


@pytest.mark.parametrize(
    ("harm", "part"),
    [
        (garbage, "cannot be used as the workbook"),
        (folder, "a workbook file was expected, but this is a folder"),
        (opened_elsewhere, "is open in a spreadsheet program"),
        (write_protected, "is read-only"),
    ],
)
def test_a_workbook_that_is_lost_during_the_run_costs_pictures_only(
    harm: Callable[[Path], None],
    part: str,
    recording: Path,
    clean: Place,
    place: Place,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Told once when it begins and once when it is over; then the last picture is the clean run's."""
    at_cycles({4: lambda: harm(place.workbook), 8: lambda: as_before(place.workbook)}, monkeypatch.setattr)
    run = main(capsys, place.replay(recording))
    assert run.code == 0
    first, *others = run.errors.splitlines()
    assert first.startswith("workbook: ")
    assert part in first
    assert others[-1] == "workbook: written again"
    assert "4 skipped" in run.out
    assert place.contents() == clean.contents()
    assert place.whole()
    assert place.cells("NIFTY")[3:] == clean.cells("NIFTY")[3:]


@pytest.mark.parametrize("with_its_folder", [False, True])
def test_a_workbook_deleted_during_the_run_comes_back(
    with_its_folder: bool,
    recording: Path,
    clean: Place,
    place: Place,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    inside = Place(place.folder / "books")
    harm = (lambda: shutil.rmtree(inside.folder)) if with_its_folder else inside.workbook.unlink
    at_cycles({4: harm}, monkeypatch.setattr)
    run = main(capsys, [*place.replay(recording), "--workbook", inside.workbook])
    assert run.code == 0
    assert "book.xlsx was missing during the run and was created from the template" in run.errors
    assert place.contents() == clean.contents()
    assert inside.whole()
    assert inside.cells("NIFTY")[3:] == clean.cells("NIFTY")[3:]


@pytest.mark.parametrize("point", ["half", "before", "after"])
def test_killed_while_the_workbook_is_replaced(point: str, recording: Path, clean: Place, place: Place) -> None:
    """The old picture or the new one stands there, whole; the next start ends as if nothing had been."""
    killed = mischief(f"killed {point}", *place.replay(recording))
    assert killed.code == -signal.SIGKILL
    assert "ALERT_SUMMARY" in str(program.health_of(place.workbook)) or place.cells("ALERT_SUMMARY")
    assert place.rows("PRAGMA integrity_check") == [("ok",)]
    for left in place.folder.glob(".*.part"):
        os.utime(left, (0.0, 0.0))  # as if the next start were tomorrow's
    again = program.run(*place.replay(recording))
    assert (again.code, again.errors) == (0, "")
    assert place.contents() == clean.contents()
    assert place.whole()


# --- the history, while a session runs


def locker(history: Path) -> subprocess.Popen[str]:
    """Another process that holds the write lock of a history until its standard input ends."""
    script = (
        "import sqlite3, sys; c = sqlite3.connect(sys.argv[1], isolation_level=None); "
        "c.execute('BEGIN IMMEDIATE'); print('locked', flush=True); sys.stdin.read(); c.execute('ROLLBACK')"
    )
    process = started([sys.executable, "-c", script, history], stdin=subprocess.PIPE)
    assert process.stdout is not None
    assert process.stdout.readline() == "locked\n"
    return process


def test_a_history_that_another_process_locks_for_a_while(
    recording: Path, clean: Place, place: Place, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Cycles wait and are stored in order; the workbook goes on meanwhile and says NOT STORED."""
    held: list[subprocess.Popen[str]] = []
    banner: list[Any] = []
    at_cycles(
        {
            4: lambda: held.append(locker(place.history)),
            6: lambda: banner.extend([place.cells("ALERT_SUMMARY"), place.health()]),
            7: lambda: held[0].communicate(timeout=60),
        },
        monkeypatch.setattr,
    )
    run = main(capsys, place.replay(recording))
    assert run.code == 0
    told, over = run.errors.splitlines()
    assert told.startswith(f"history: history {place.history}: cannot be written now, another program holds it locked")
    assert over == "history: stored again"
    assert "NOT STORED since 09:24" in str(banner[0])
    assert "NOT STORED" in banner[1]
    assert place.contents() == clean.contents()


def test_a_history_that_stays_locked_is_told_at_the_end_and_the_next_start_stores_the_rest(
    recording: Path, clean: Place, place: Place, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    held: list[subprocess.Popen[str]] = []
    with monkeypatch.context() as patch:
        at_cycles({MINUTES - 2: lambda: held.append(locker(place.history))}, patch.setattr)
        run = main(capsys, place.replay(recording))
    held[0].communicate(timeout=60)
    assert run.code == 1
    assert run.errors.splitlines()[-1].endswith("2 cycles that waited were not stored")
    assert quiet(run)
    assert place.rows("SELECT count(*) FROM cycle") == [(MINUTES - 2,)]
    again = main(capsys, place.replay(recording))
    assert (again.code, again.errors) == (0, "")
    assert place.contents() == clean.contents()


def test_a_history_that_is_locked_at_the_start(
    recording: Path, clean: Place, place: Place, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copy(clean.history, place.history)
    other = locker(place.history)
    run = main(capsys, place.replay(recording))
    other.communicate(timeout=60)
    assert run.code == 1
    assert run.errors.count("\n") == 1
    assert "another program holds it locked; close that program" in run.errors
    assert place.contents() == clean.contents()


def test_a_history_deleted_during_the_run(
    recording: Path, clean: Place, place: Place, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was in it is gone; a new one is begun and holds every later cycle, the first of them whole."""

    def delete() -> None:
        for file in place.folder.glob("history.db*"):
            file.unlink()

    at_cycles({4: delete}, monkeypatch.setattr)
    assert main(capsys, place.replay(recording)).code == 0
    assert place.rows("PRAGMA integrity_check") == [("ok",)]
    assert place.rows("SELECT min(cycle), max(cycle), count(*) FROM cycle") == [(5, MINUTES, MINUTES - 4)]
    sql = "SELECT underlying, spot, atm_strike, atm_iv FROM price WHERE at = (SELECT max(at) FROM price) ORDER BY 1"
    assert place.rows(sql) == clean.rows(sql)


# --- a full disk


@pytest.mark.skipif(platform.system() == "Windows", reason="limits of file sizes are a matter of POSIX")
def test_a_disk_that_is_full_for_a_while(recording: Path, clean: Place, place: Place) -> None:
    run = mischief("full 4 8", *place.replay(recording))
    assert run.code == 0
    assert quiet(run)
    assert f"history: history {place.history}: cannot be written now" in run.errors
    assert "workbook: book.xlsx cannot be written (file too large), so this picture was skipped" in run.errors
    assert "The log" in run.errors
    assert run.errors.splitlines()[-2:] == ["history: stored again", "workbook: written again"]
    assert place.contents() == clean.contents()
    assert place.whole()
    assert place.cells("NIFTY")[3:] == clean.cells("NIFTY")[3:]


@pytest.mark.skipif(platform.system() == "Windows", reason="limits of file sizes are a matter of POSIX")
def test_a_disk_that_stays_full(recording: Path, clean: Place, place: Place) -> None:
    """The last word says how much is not stored; with room again, the next start stores it."""
    run = mischief(f"full 4 {MINUTES + 1}", *place.replay(recording))
    assert run.code == 1
    assert quiet(run)
    assert run.errors.splitlines()[-1].endswith(f"{MINUTES - 4} cycles that waited were not stored")
    assert place.rows("PRAGMA integrity_check") == [("ok",)]
    assert place.rows("SELECT max(cycle) FROM cycle") == [(4,)]
    assert place.whole()
    again = program.run(*place.replay(recording))
    assert (again.code, again.errors) == (0, "")
    assert place.contents() == clean.contents()


# --- folders that may not be written


def bound_by_rights() -> None:
    """Before the program starts: give up root's right to write everywhere (capabilities(7)); no change for others."""
    if os.geteuid() == 0:
        prctl = ctypes.CDLL(None, use_errno=True).prctl
        for capability in (1, 2):  # CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH
            if prctl(24, capability, 0, 0, 0):  # PR_CAPBSET_DROP
                raise OSError(ctypes.get_errno(), "this container does not let root give up a right")


@pytest.mark.skipif(platform.system() != "Linux", reason="rights of root can be given up on Linux only")
def test_folders_that_may_not_be_written(recording: Path, clean: Place, place: Place) -> None:
    def run(*more: object) -> Ended:
        return ended(started([*program.command(*place.replay(recording), *more)], preexec_fn=bound_by_rights))

    closed = place.folder / "closed"
    closed.mkdir()
    shutil.copy(clean.history, closed / "old.db")
    shutil.copy(clean.workbook, closed / "book.xlsx")
    (closed / "old.db").chmod(0o444)
    closed.chmod(0o555)
    try:
        for name in ("new.db", "old.db"):
            refused = run("--history", closed / name)
            assert refused.code == 1
            assert refused.errors.count("\n") == 1
            assert f"history {closed / name}: cannot be written now" in refused.errors
        seen = run("--workbook", closed / "book.xlsx")
        assert seen.code == 0
        assert "workbook: book.xlsx cannot be written (permission denied), so this picture was skipped" in seen.errors
        assert place.contents() == clean.contents()
        to = ended(
            started(program.command("--import", _raw(place.folder / "a.csv", 2), "--to", closed / "day"),
                    preexec_fn=bound_by_rights)
        )  # fmt: skip
        assert to.code == 1
        assert "the recorded day could not be written (Permission denied)" in to.errors
        secret = run("--replay", closed / "nowhere")
        assert secret.code == 1
        closed.chmod(0o000)
        for option in ("--replay", "--history", "--config"):
            denied = run(option, closed / "something")
            assert denied.code == 1
            assert denied.errors.count("\n") == 1
            assert "ermission denied" in denied.errors
            assert quiet(denied)
    finally:
        closed.chmod(0o755)
    assert sorted(path.name for path in closed.iterdir()) == ["book.xlsx", "old.db"]
    assert (closed / "book.xlsx").read_bytes() == clean.workbook.read_bytes()


# --- Ctrl-C


def _raw(file: Path, moments: int, names: int = 1) -> Path:
    at = [f"2026-01-30 {9 + (20 + i) // 60:02d}:{(20 + i) % 60:02d}:00" for i in range(moments)]
    rows = [row for moment in at for n in range(names) for row in stock_rows(moment, name=f"NAME{n}")]
    return write_csv(file, STOCK_HEADER, rows)


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM"])
@pytest.mark.parametrize("delay", [0.0, 0.15, 0.4, 0.8])
def test_stopped_while_it_starts(delay: float, name: str, recording: Path, clean: Place, place: Place) -> None:
    """Whatever it is doing then; a handler of ours is there before the first package is loaded."""
    process = started([*program.command(*place.replay(recording, "--speed", "60"))])
    try:
        process.wait(timeout=0.1 + delay)
    except subprocess.TimeoutExpired:
        process.send_signal(getattr(signal, name))
    run = ended(process)
    # A signal that comes before Python itself is there ends the process as it ends any.
    number = getattr(signal, name)
    assert run.code in (0, -number, 128 + number), run
    assert quiet(run)
    assert run.errors.count("\n") <= 1
    again = program.run(*place.replay(recording))
    assert (again.code, again.errors) == (0, "")
    assert place.contents() == clean.contents()


def test_stopped_while_it_looks_back(tmp_path: Path, place: Place) -> None:
    many = small_day(tmp_path / "day", 2_500, step=5.0, names={"ACME": Name()})
    process = started(program.command(*place.replay(many, "--from", "12:45")))
    assert process.stdout is not None
    while "looking back" not in (line := process.stdout.readline()):
        assert line
    process.send_signal(signal.SIGINT)
    run = ended(process)
    assert run.code == 0, run
    assert quiet(run)
    assert "stopped after" in run.out
    assert place.rows("SELECT count(*) FROM cycle") == [(0,)]


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM"])
def test_an_import_that_is_stopped_is_not_done_and_leaves_nothing(name: str, tmp_path: Path) -> None:
    to = tmp_path / "days" / "2026-01-30"
    process = started(program.command("--import", _raw(tmp_path / "stocks.csv", 100, 200), "--to", to))
    assert process.stdout is not None
    assert process.stdout.readline() == "reading 1 file\n"
    process.send_signal(getattr(signal, name))
    run = ended(process)
    assert run.code == 1, run
    assert quiet(run)
    assert run.errors.startswith("stopped before it was done")
    assert not to.parent.exists()


# --- outputs that nobody reads


def test_an_output_that_is_closed_early_stops_nothing(recording: Path, clean: Place, place: Place) -> None:
    process = started(program.command(*place.replay(recording)))
    assert process.stdout is not None
    assert process.stdout.readline().startswith("REPLAY 30-Jan-2026")
    process.stdout.close()
    assert process.stderr is not None
    errors = process.stderr.read()
    process.stderr.close()
    assert process.wait(timeout=60) == 0
    assert errors == ""
    assert place.contents() == clean.contents()
    assert place.whole()


@pytest.mark.parametrize("words", [["--help"], ["--version"], ["--check"]])
def test_what_only_prints_may_be_closed_at_once(words: list[str], place: Place) -> None:
    read, write = os.pipe()
    os.close(read)
    run = ended(
        started(program.command(*words, *(["--config", place.config] if "--check" in words else [])), stdout=write)
    )
    os.close(write)
    assert quiet(run)
    assert run.errors == ""
    assert run.code in ((0, 1) if "--check" in words else (0,))


@pytest.mark.skipif(platform.system() == "Windows", reason="descriptors are closed before the program starts")
@pytest.mark.parametrize("descriptors", [(1,), (2,), (0, 1, 2)])
def test_without_any_output_at_all(descriptors: tuple[int, ...], recording: Path, clean: Place, place: Place) -> None:
    """Files that are opened then get the numbers of the outputs; nothing may be printed into them."""

    def close() -> None:
        for descriptor in descriptors:
            os.close(descriptor)

    process = started(program.command(*place.replay(recording)), stdout=None, stderr=None, preexec_fn=close)
    assert process.wait(timeout=60) == 0
    assert place.rows("PRAGMA integrity_check") == [("ok",)]
    assert place.contents() == clean.contents()
    assert place.whole()


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="Linux alone has a file that is always full")
def test_an_output_that_is_full(recording: Path, clean: Place, place: Place) -> None:
    with Path("/dev/full").open("w", encoding="utf-8") as full:
        process = started(program.command(*place.replay(recording)), stdout=full, stderr=full)
        assert process.wait(timeout=60) == 0
    assert place.contents() == clean.contents()


# --- other surroundings


@pytest.mark.parametrize(
    "surroundings",
    [
        {"LC_ALL": "C", "PYTHONIOENCODING": "ascii"},
        {"LC_ALL": "POSIX", "LANG": "", "PYTHONIOENCODING": "cp1252"},
    ],
)
def test_locales_without_our_letters(
    surroundings: dict[str, str], recording: Path, clean: Place, tmp_path: Path
) -> None:
    place = Place(tmp_path / "मेरा बाज़ार")
    place.config.write_text(f"log:\n  folder: {tmp_path / 'log'}\n", encoding="utf-8")
    day = shutil.copytree(recording, tmp_path / "दिन")
    run = ended(
        started(
            program.command(*place.replay(day)),
            env={**program.environment(), **surroundings}, encoding="latin-1",
        )
    )  # fmt: skip
    assert run.code == 0, run
    assert quiet(run)
    assert "observations: 36 in the source = 36 processed" in run.out
    assert place.contents() == clean.contents()
    assert place.whole()


@pytest.mark.parametrize("named", ["recording", "log folder"])
def test_names_that_the_locale_cannot_hold(named: str, recording: Path, tmp_path: Path) -> None:
    """Only where somebody switched Python's UTF-8 off; a sentence says how to switch it on."""
    place = Place(tmp_path / ("बाज़ार" if named == "log folder" else "run"))
    day = shutil.copytree(recording, tmp_path / "दिन") if named == "recording" else recording
    narrow = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    run = ended(started(program.command(*place.replay(day)), env={**program.environment(), **narrow}))
    assert run.code == 1
    assert run.errors.count("\n") == 1
    assert "letters that this system's file names cannot hold" in run.errors
    assert "PYTHONUTF8=1" in run.errors


def test_from_another_folder(recording: Path, clean: Place, tmp_path: Path) -> None:
    """Paths on the command line count from where it was given, paths of the configuration from the project."""
    place = Place(tmp_path / "elsewhere")
    shutil.copytree(recording, place.folder / "day")
    words = ["--replay", "day", "--speed", "max", "--history", "history.db", "--workbook", "book.xlsx"]
    run = ended(started(program.command(*words, "--config", "settings.yaml"), cwd=place.folder))
    assert (run.code, run.errors) == (0, "")
    assert place.contents() == clean.contents()
    assert place.whole()


def test_two_starts_at_once_corrupt_nothing(recording: Path, clean: Place, place: Place) -> None:
    """Both play the same day into the same files: each cycle is there once, from one of them, the workbook whole."""
    both = [started(program.command(*place.replay(recording, "--speed", "600"))) for _ in range(2)]
    for run in [ended(process) for process in both]:
        assert run.code in (0, 1)
        assert quiet(run)
    assert place.rows("PRAGMA integrity_check") == [("ok",)]
    for table in ("cycle", "observation", "price", "open_interest", "underlying_quote"):
        sql = f"SELECT * FROM {table} ORDER BY 1, 2, 3, 4"
        if table == "cycle":
            sql = "SELECT session, cycle, at FROM cycle ORDER BY cycle"
        assert place.rows(sql) == clean.rows(sql), table
    assert place.cells("ALERT_SUMMARY")


# --- clocks


def test_a_clock_that_is_set_back(
    recording: Path, clean: Place, place: Place, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """An hour back, half a second after the start of a session at the market's own pace: it ends as if nothing was."""
    day = small_day(tmp_path / "quick", MINUTES, step=0.2)
    undisturbed = Place(tmp_path / "undisturbed")
    assert main(capsys, undisturbed.replay(day)).code == 0
    with time_machine.travel("2026-06-01T10:00:00+05:30", tick=True) as traveller:
        timer = Timer(1.5, traveller.shift, [-3_600.0])
        timer.start()
        run = main(capsys, place.replay(day, "--speed", "1"))
        timer.cancel()
    assert run.code == 0
    assert run.accounted["processed"] == 3 * MINUTES
    assert "set back by 3,600" in place.health().replace("3600", "3,600")
    assert place.whole()
    sql = "SELECT underlying, spot, atm_strike FROM price WHERE at = (SELECT max(at) FROM price) ORDER BY 1"
    assert place.rows(sql) == undisturbed.rows(sql)
