"""A user works in the open workbook while it is filled: nothing of theirs is lost, nothing is disturbed."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Thread

import pytest

from optionscanner.workbook.template import build_template
from tests import program
from tests.live_session import Place, session
from tests.office_eye import Eye
from tests.robot import Robot
from tests.screen import Screen, end, office, require_screen, screen

SEED = 20_260_130

pytestmark = [pytest.mark.office, pytest.mark.slow]

TYPING = ("type_text", "type_slowly", "type_beside_our_table", "type_formula", "edit_formula", "escape_an_edit")
PASTING = ("copy_own", "copy_ours", "paste_special", "undo_and_redo")
LOOKING = ("scroll", "zoom", "dialog", "print_preview")
CHANGING = ("filter_ours", "sort_ours", "insert_column", "add_and_rename_sheet", "move_sheet", "move_block")


@pytest.fixture
def shown(tmp_path: Path) -> Iterator[Screen]:
    require_screen()
    with screen(tmp_path / "pictures") as made:
        yield made


def test_a_user_at_work_loses_nothing(shown: Screen, tmp_path: Path) -> None:
    """Every kind of action once, in an order that the seed draws, with a picture every half second."""
    with session(Place(tmp_path / "run"), "--speed", 60, shown=shown) as run:
        eye = run.look()
        robot = Robot(shown, eye, run.place.workbook, seed=SEED, newest=run.place.newest, alive=run.dead)
        robot.quiet = 1
        robot.begin()
        for name in robot.drawn([*TYPING, *PASTING, *LOOKING, *CHANGING]):
            robot.act(name)
        robot.finish()
        assert robot.diary.losses == []
        assert robot.diary.frames > 0
        assert run.errors == []
        assert run.stop() == 0


# --- the robot sees what it is there to see


@contextmanager
def stand_in(shown: Screen, folder: Path, kind: str) -> Iterator[Robot]:
    """A robot on a workbook that `stand_in_writer` fills."""
    book = folder / "book.xlsx"
    book.write_bytes(build_template())
    with office(folder, book, shown=shown) as opened:
        eye = Eye(opened.pipe)
        while str(book) not in eye.documents():
            time.sleep(0.2)
        writer = subprocess.Popen(
            [sys.executable, "-m", "tests.stand_in_writer", opened.pipe, str(book), kind], stdout=subprocess.PIPE,
            text=True, cwd=program.ROOT,
        )  # fmt: skip
        cycles = [0]

        def count() -> None:
            assert writer.stdout is not None
            cycles.extend(int(line) for line in writer.stdout)

        counting = Thread(target=count, daemon=True)
        counting.start()
        try:
            robot = Robot(shown, eye, book, seed=SEED, newest=lambda: cycles[-1], alive=lambda: "")
            robot.patience, robot.quiet = 5.0, 1
            robot.begin()
            yield robot
        finally:
            writer.kill()
            counting.join(10)
            end(writer)
            eye.close()


@pytest.mark.parametrize(
    ("kind", "action", "sees"),
    [
        ("activates", "scroll", "view changed"),
        ("calculates", "type_slowly", "My notes.A"),
        ("stalls", "type_text", "the sheet shows cycle"),
    ],
)
def test_the_robot_sees_an_engine_that_disturbs(
    kind: str, action: str, sees: str, shown: Screen, tmp_path: Path
) -> None:
    with stand_in(shown, tmp_path, kind) as robot:
        for _ in range(12):  # a busy machine may miss the moment a few times
            try:
                robot.act(action)
                robot.act("type_text")
            except AssertionError:
                break  # it could not even go on
            if robot.diary.losses:
                break
        assert any(sees in str(loss) or "selection did not go" in str(loss) for loss in robot.diary.losses), (
            robot.diary.losses
        )
