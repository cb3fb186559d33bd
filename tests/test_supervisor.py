"""A cycle that hangs: the process ends with its threads' stacks, starts again and loses nothing that was stored."""

import os
import re
import shutil
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from optionscanner import supervised
from tests import program
from tests.program import ROOT
from tests.small_day import Place, small_day

# The parent as run_dashboard.py makes it, with the hanging program as its child.
SUPERVISE = """
import pathlib, sys
from optionscanner.bootstrap import child_process
sys.exit(child_process.supervise(pathlib.Path(sys.executable), sys.argv[1:]))
"""
COUNT = 8
# Slow enough for a picture in (nearly) every cycle.
PACE = ("--speed", "100")


def hanging(how: str, arguments: list[str]) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", SUPERVISE, str(ROOT / "tests" / "hanging_start.py"), how, *arguments]
    return subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, encoding="utf-8",
        env={**program.environment(), "PYTHONPATH": str(ROOT)}, cwd=ROOT,
    )  # fmt: skip


@pytest.fixture
def recording(tmp_path: Path) -> Path:
    return small_day(tmp_path / "day", COUNT)


def place_with_limit(folder: Path) -> Place:
    """The least limit of a cycle that the configuration allows, so that a hang is told soon."""
    place = Place(folder)
    place.config.write_text(f"log:\n  folder: {folder / 'log'}\ncycle:\n  limit_s: 0.5\n", encoding="utf-8")
    return place


def market_of(place: Place) -> dict[str, list[tuple[object, ...]]]:
    """What the history holds, without the copy of the workbook, which shows what this run was like."""
    return {table: rows for table, rows in place.contents().items() if table != "workbook_archive"}


@pytest.mark.slow
@pytest.mark.parametrize(("how", "word"), [("wait", "wait"), ("busy", "write")])
def test_a_hung_cycle_is_ended_with_its_stacks_and_the_session_goes_on(
    how: str, word: str, recording: Path, tmp_path: Path
) -> None:
    """The third picture hangs, after its cycle was stored."""
    whole, torn = Place(tmp_path / "whole"), place_with_limit(tmp_path / "torn")
    assert program.run(*whole.replay(recording, *PACE)).code == 0
    with hanging(how, torn.replay(recording, *PACE)) as process:
        out, errors = process.communicate(timeout=120)
    assert process.returncode == 0, errors
    told = [line for line in errors.splitlines() if "hung" in line]
    assert len(told) == 1
    (stacks,) = (torn.folder / "log").glob("stacks_*.txt")
    assert "1.5 s" in told[0] and str(stacks) in told[0] and "started again" in told[0]
    text = stacks.read_text(encoding="utf-8")
    assert f"in {word}" in text and "hanging_start.py" in text and "Thread 0x" in text
    found = re.search(r"the session continues after cycle (\d+)", out)
    assert found and 3 <= int(found[1]) <= COUNT
    assert torn.rows("PRAGMA integrity_check") == [("ok",)]
    assert market_of(torn) == market_of(whole)
    assert "a cycle hung" in torn.health()
    assert torn.whole()


@pytest.mark.slow
def test_a_cycle_that_hangs_every_time_is_given_up_after_the_third(recording: Path, tmp_path: Path) -> None:
    place = place_with_limit(tmp_path / "place")
    with hanging("always", place.replay(recording, *PACE)) as process:
        _, errors = process.communicate(timeout=120)
    assert process.returncode == 1
    told = [line for line in errors.splitlines() if "hung" in line]
    assert ["not started again" in line for line in told] == [False, False, True]
    (stored,) = place.rows("SELECT count(*), max(cycle) FROM cycle")
    assert stored[0] == stored[1]
    assert int(str(stored[0])) >= 3


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="POSIX signals")
def test_asked_to_stop_while_it_hangs_it_is_not_started_again(recording: Path, tmp_path: Path) -> None:
    place = place_with_limit(tmp_path / "place")
    with hanging("always", place.replay(recording, *PACE)) as process:
        assert process.stdout is not None
        # The third cycle is stored before it hangs.
        while process.poll() is None and not _has_cycles(place, 3):
            threading.Event().wait(0.02)
        process.send_signal(signal.SIGTERM)
        _, errors = process.communicate(timeout=120)
    assert process.returncode == 1
    (told,) = [line for line in errors.splitlines() if "hung" in line]
    assert "Asked to stop" in told
    assert place.rows("SELECT count(*) = max(cycle) AND max(cycle) >= 3 FROM cycle") == [(1,)]


def _has_cycles(place: Place, count: int) -> bool:
    if not place.history.exists():
        return False
    if not place.rows("SELECT 1 FROM sqlite_master WHERE name = 'cycle'"):
        return False
    return place.rows("SELECT count(*) >= ? FROM cycle", count) == [(1,)]


def test_without_a_parent_nothing_is_guarded(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A guard at work would end this process, with the whole suite."""
    monkeypatch.delenv("OPTIONSCANNER_HANG_REPORT", raising=False)
    with supervised.HangGuard(1e-4, tmp_path) as guard, guard.cycle:
        threading.Event().wait(0.05)
    assert list(tmp_path.iterdir()) == []


def test_a_session_whose_parent_is_gone_is_asked_to_stop(monkeypatch: pytest.MonkeyPatch) -> None:
    with subprocess.Popen([sys.executable, "-c", ""]) as parent:
        parent.wait(60)
    monkeypatch.setenv("OPTIONSCANNER_SUPERVISOR", str(parent.pid))
    before = {name: signal.getsignal(name) for name in (signal.SIGINT, signal.SIGTERM)}
    try:
        assert supervised.stop_on_signals().wait(30)
    finally:
        for name, handler in before.items():
            signal.signal(name, handler)
    monkeypatch.setenv("OPTIONSCANNER_SUPERVISOR", str(os.getpid()))
    try:
        stop = supervised.stop_on_signals()
        assert not stop.wait(0.2)
        stop.set()
    finally:
        for name, handler in before.items():
            signal.signal(name, handler)


# Closing the window


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="pseudo-terminals")
@pytest.mark.parametrize("ignored", [False, True])
def test_closing_the_terminal_finishes_the_cycle_and_saves(ignored: bool, recording: Path, tmp_path: Path) -> None:
    """The terminal's end is a hang-up for the program; under nohup it goes on to the end of the day."""
    import fcntl
    import pty
    import termios

    nohup = shutil.which("nohup")
    assert nohup is not None
    place = Place(tmp_path / "place")
    speed = "200" if ignored else "30"
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [*([nohup] if ignored else []), *program.command(*place.replay(recording, "--speed", speed))],
        stdin=theirs, stdout=theirs, stderr=theirs, env=program.environment(), cwd=tmp_path, start_new_session=True,
        preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),  # noqa: PLW1509 - one thread only
    )  # fmt: skip
    os.close(theirs)
    try:
        while process.poll() is None and not _has_cycles(place, 2):
            threading.Event().wait(0.02)
        os.close(ours)
        assert process.wait(timeout=120) == 0
    finally:
        if process.poll() is None:
            process.kill()
            process.wait(30)
    ((stored, last),) = place.rows("SELECT count(*), max(cycle) FROM cycle")
    assert stored == last
    assert (stored == COUNT) is ignored
    # A session that was stopped goes on with the next start; one that came to its close is ended.
    assert place.rows("SELECT ended_at IS NULL FROM session") == [(not ignored,)]
    assert place.rows("PRAGMA integrity_check") == [("ok",)]
    assert place.whole()


@pytest.mark.parametrize(("event", "stops"), [(0, False), (1, False), (2, True), (5, True), (6, True)])
def test_a_closed_console_of_windows_waits_for_the_session(event: int, stops: bool) -> None:
    """CTRL_CLOSE_EVENT 2, CTRL_LOGOFF_EVENT 5, CTRL_SHUTDOWN_EVENT 6; Ctrl-C 0 and Ctrl-Break 1 are signals."""
    stop, waited = threading.Event(), []
    handle = supervised.on_console_event(stop, lambda seconds: waited.append((stop.is_set(), seconds > 20)))
    assert handle(event) == int(stops)
    assert stop.is_set() is stops
    # 20 s is the longest that Windows waits itself, at a shutdown.
    assert waited == [(True, True)] * stops
