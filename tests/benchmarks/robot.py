"""A robot user works in the open workbook for minutes while a day is replayed; what it lost, if anything.

    python -m tests.benchmarks.robot [--minutes 10] [--replay FOLDER] [--speed 60] [--names NIFTY,TCS] [--seed 20260130]
    python -m tests.benchmarks.robot --kills 50

Without --replay the simulated market; FOLDER is a recorded day as --import makes them, or the word `january`, which
imports 30 January 2026 from the recorded data (OPTIONSCANNER_DATA). Needs Xvfb, openbox, xdotool and LibreOffice.
Prints actions, keystrokes, losses, undone entries, how far the sheet lagged after each action, frames, the writer's
share of the spreadsheet's time, and counts of names, styles and rules and the office's memory at start and end.
--kills runs the test of the engine that is killed mid-write so many times.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import tempfile
import time
from pathlib import Path

import pytest

from tests.live_session import FEW, Place, Session, session
from tests.recorded_days import JANUARY_30, imported
from tests.robot import Robot
from tests.screen import Screen, screen


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--replay", help="a recorded day, or the word january")
    parser.add_argument("--speed", type=float, default=60.0)
    parser.add_argument("--names", help="underlyings that take part; all of a recorded day, five of a simulated one")
    parser.add_argument("--seed", type=int, default=20_260_130)
    parser.add_argument("--kills", type=int, help="instead: kill the engine so many times")
    given = parser.parse_args()
    if given.kills:
        os.environ["OPTIONSCANNER_KILLS"] = str(given.kills)
        return int(pytest.main(["-q", "--timeout=0", "tests/test_live_faults.py", "-k", "again_and_again"]))
    with tempfile.TemporaryDirectory(prefix="robot-") as temporary:
        return work(given, Path(temporary))


def work(given: argparse.Namespace, folder: Path) -> int:
    """Sessions one after the other until the minutes are over; 1 where anything was lost."""
    options: list[object] = ["--speed", given.speed]
    names: tuple[str, ...] = FEW
    if given.replay:
        day = Path(given.replay).absolute()
        if given.replay == "january":
            print("importing 30 January 2026 ...", flush=True)
            data = Path(os.environ.get("OPTIONSCANNER_DATA") or "../shared/data")
            day = imported(data, JANUARY_30, folder / "day")
        options += ["--replay", day]
        names = ()
    if given.names:
        names = tuple(given.names.split(","))
    pictures = Path(tempfile.mkdtemp(prefix="robot-pictures-"))
    left, lost = given.minutes, 0
    for part in range(1, 100):
        # A recorded day at 60 times its pace is over after six minutes and a half: then it begins again.
        minutes = min(left, 6.0 if given.replay else left)
        place = Place(folder / f"part{part}", names=names)
        with screen(pictures) as shown, session(place, *options, shown=shown) as run:
            lost += part_of_the_work(shown, run, seed=given.seed + part - 1, minutes=minutes)
        left -= minutes
        if left <= 0.0:
            break
    return 1 if lost else 0


def part_of_the_work(shown: Screen, run: Session, *, seed: int, minutes: float) -> int:
    """The robot at work in one session; how much was lost."""
    eye = run.look()
    before, memory = eye.counts(run.book), run.office().memory_info().rss
    robot = Robot(shown, eye, run.place.workbook, seed=seed, newest=run.place.newest, alive=run.dead)
    robot.quiet = 1
    begun, first = time.monotonic(), run.place.newest()
    until = begun + 60.0 * minutes
    diary = robot.diary
    try:
        robot.begin()
        robot.work(until=lambda: time.monotonic() > until)
    except (AssertionError, TimeoutError) as error:
        print(f"the robot could not go on: {error}")
    took, cycles = (time.monotonic() - begun) / 60.0, run.place.newest() - first
    print(f"\n{took:.1f} minutes, seed {seed}, {cycles} cycles, {len(run.place.names) or 'all'} names")
    print(f"{diary.actions.total()} actions: {dict(sorted(diary.actions.items()))}")
    print(f"{shown.keystrokes} keystrokes, {len(diary.losses)} losses")
    for loss in diary.losses:
        print(f"  {loss}")
    if diary.catching_up:
        late = sorted(diary.catching_up)
        within = f"90 % within {late[int(0.9 * len(late))]:.2f} s, slowest {late[-1]:.2f} s"
        print(f"after an action: {statistics.median(diary.lags):.0f} cycles behind, at most {max(diary.lags)}")
        print(f"current again after {statistics.median(late):.2f} s, {within}")
    print(f"undo: {diary.undoable} of {diary.undoable + diary.not_undoable} entries could be undone")
    if not run.dead():
        for line in eye.values(run.book, "health"):
            if str(line[0]).startswith(("Spreadsheet", "Workbook")):
                print(f"  {line[0]}: {line[1]}")
        print(f"at the start {before}\nat the end   {eye.counts(run.book)}")
        print(f"memory of the office {memory / 2**20:.0f} MB -> {run.office().memory_info().rss / 2**20:.0f} MB")
        run.stop()
    print(f"told: {run.errors}; {run.out[-1]}", flush=True)
    return len(diary.losses)


if __name__ == "__main__":
    sys.exit(main())
