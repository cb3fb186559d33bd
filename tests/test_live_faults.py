"""What can happen to the spreadsheet, its file and the engine while the workbook is shown live, done to real ones.

Each of it costs pictures only: one clear line, no cycle missing in the history, the workbook whole, and no process of
ours left, none of another's touched. The program runs as its user starts it; `live_session` watches it from outside.
"""

from __future__ import annotations

import os
import random
import re
import time
import zipfile
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path

import openpyxl
import psutil
import pytest

from optionscanner.adapters.simulated.universe import simulated_session
from tests import program
from tests.live_session import Place, Session, session, wait_for
from tests.office_eye import Hand
from tests.screen import office, require_office
from tests.workbook_tools import assert_well_formed, convert

STEP_S = 30.0
KILLS = int(os.environ.get("OPTIONSCANNER_KILLS", "2"))
"""How often the engine is killed in the test of kills; the full run does it fifty times."""

pytestmark = [
    pytest.mark.office,
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore:.*extension is not supported:UserWarning"),
]


@pytest.fixture(autouse=True)
def _needs_an_office() -> None:
    require_office()


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path / "run")


@contextmanager
def running(place: Place, *arguments: object) -> Iterator[Session]:
    """A simulated session of a few names at 60 times the market's pace: a cycle every half second."""
    with session(place, "--speed", 60, *arguments) as run:
        yield run


def no_cycle_is_missing(run: Session) -> None:
    """The history holds every instant of the market's timetable from the open to its newest, each once."""
    opens = simulated_session().opens.timestamp()
    found = run.cycles()
    assert found == [opens + STEP_S * i for i in range(len(found))]


def whole(path: Path) -> None:
    """The file opens without repair: every part is intact, for openpyxl too, and nothing unfinished lies beside it."""
    assert_well_formed(path)
    book = openpyxl.load_workbook(path)
    assert "ALERT_SUMMARY" in book.sheetnames
    book.close()
    left = [p.name for p in path.parent.iterdir() if p.name.endswith(".part") or p.name.startswith((".~lock", "lu"))]
    assert left == []


def ends_well(run: Session) -> None:
    """Ctrl-C: exit code 0, no traceback, every cycle stored, the file whole, no office of ours left."""
    assert run.stop() == 0, run.describe()
    told = "\n".join([*run.errors, *run.out, run.place.log])
    assert "Traceback" not in told, told[-3000:]
    no_cycle_is_missing(run)
    whole(run.place.workbook)
    assert run.left() == []


# --- the spreadsheet program


def test_the_spreadsheet_program_hangs_freezes_and_dies(place: Place) -> None:
    """A hiccup costs nothing; one that stays frozen, or is killed, is started again. The engine never waits."""
    with running(place) as run:
        run.look()
        first = run.office()
        first.suspend()
        time.sleep(0.5)
        first.resume()
        run.wait_current()
        assert run.office().pid == first.pid
        assert run.errors == []
        first.suspend()
        run.wait_cycles(4)
        run.look(other_than=first.pid)
        run.wait_current()
        assert not first.is_running() or first.status() == psutil.STATUS_ZOMBIE
        assert run.said("started again") == 1
        second = run.office()
        second.kill()
        run.wait_cycles(2)
        run.look(other_than=second.pid)
        run.wait_current()
        run.wait_said("started again", times=2)
        assert run.said("started again") == 2
        assert len(run.errors) <= 4, run.errors
        ends_well(run)


def test_closed_and_opened_again_by_its_user(place: Place) -> None:
    with running(place) as run:
        hand = run.look()
        hand.save(run.book)
        hand.close_book(run.book)
        run.wait_said("was closed")
        run.wait_cycles(3)
        assert hand.documents() == []  # it is not opened against the user's will
        hand.open_book(run.book)
        run.wait_current()
        run.wait_said("is open again")
        assert len(run.errors) == 2, run.errors
        ends_well(run)


# --- the file


def test_open_in_another_office(place: Place, tmp_path: Path) -> None:
    """The other office keeps it, and lives on; when it lets go, ours opens it."""
    with running(place, "--until", "09:16") as made:
        assert made.wait() == 0
    with office(tmp_path / "other", place.workbook) as other, ExitStack() as opening:
        eye = opening.enter_context(closing(Hand(other.pipe)))
        wait_for(lambda: str(place.workbook) in eye.documents(), "the other office", lambda: "")
        eye.write(str(place.workbook), "$NAMES.Z90", "theirs")
        with running(place) as run:
            run.wait_said("is open in another LibreOffice")
            run.wait_cycles(3)
            assert eye.values(str(place.workbook), "$NAMES.Z90") == [["theirs"]]
            eye.save(str(place.workbook))
            eye.close_book(str(place.workbook))
            run.look()
            assert run.eye is not None
            run.wait_current()
            assert run.eye.values(run.book, "$NAMES.Z90") == [["theirs"]]
            assert psutil.Process(other.pid).is_running()
            assert run.said("is open in another LibreOffice") == 1
            ends_well(run)


def test_write_protected(place: Place) -> None:
    with running(place, "--until", "09:16") as made:
        assert made.wait() == 0
    before = place.workbook.read_bytes()
    place.workbook.chmod(0o444)
    with running(place) as run:
        run.wait_said("write-protected")
        run.wait_cycles(3)
        assert place.workbook.read_bytes() == before
        place.workbook.chmod(0o644)
        run.look()
        run.wait_current()
        assert run.said("write-protected") == 1
        ends_well(run)


@pytest.mark.parametrize("what", ["renamed", "deleted", "replaced"])
def test_the_file_under_the_open_workbook(what: str, place: Place) -> None:
    """The open workbook goes on; at the end the user's file is as they made it, and what was shown is kept beside."""
    elsewhere = place.workbook.with_name("mine.xlsx")
    with running(place) as run:
        hand = run.look()
        hand.save(run.book)
        saved = place.workbook.read_bytes()
        theirs = b""
        if what == "renamed":
            place.workbook.rename(elsewhere)
        elif what == "deleted":
            place.workbook.unlink()
        else:
            time.sleep(1.1)  # file times count seconds for some
            copied = openpyxl.load_workbook(place.workbook)
            copied.create_sheet("Theirs")
            copied.save(place.workbook)
            theirs = place.workbook.read_bytes()
        hand.write(run.book, "$NAMES.Z90", "unsaved")
        run.wait_cycles(2)
        run.wait_current()
        assert run.stop() == 0, run.describe()
        assert "Traceback" not in "\n".join([*run.errors, run.place.log])
        no_cycle_is_missing(run)
        assert run.left() == []
        assert len(run.errors) == 1, run.errors
        assert "changed or removed by another program" in run.errors[0]
        (kept,) = place.folder.glob("book not saved *.xlsx")
        assert kept.name in run.errors[0]
        whole(kept)
        assert _cell(kept, "NAMES", "Z90") == "unsaved"
        if what == "renamed":
            assert elsewhere.read_bytes() == saved
        if what == "replaced":
            assert place.workbook.read_bytes() == theirs
        else:
            assert not place.workbook.exists()


def test_a_file_that_is_no_workbook(place: Place) -> None:
    place.workbook.write_bytes(b"this was a workbook once")
    with running(place) as run:
        run.wait_said("is not a workbook")
        run.wait_cycles(3)
        assert place.workbook.read_bytes() == b"this was a workbook once"
        place.workbook.unlink()
        run.look()
        run.wait_current()
        assert run.said("is not a workbook") == 1
        ends_well(run)


# --- what the user does to sheets


def test_sheets_protected_renamed_and_removed(place: Place) -> None:
    """A protected sheet stays as it is and the others go on; a renamed one is followed, a removed one not brought back.

    Names, styles and rules are as many afterwards as before.
    """
    with running(place) as run:
        hand = run.look()
        run.wait_current()
        first, before = run.office().pid, counts(hand, run)
        hand.protect(run.book, "NIFTY", on=True)
        stood = hand.values(run.book, "NIFTY_chain")
        run.wait_cycles(3)
        run.wait_current()
        assert hand.values(run.book, "NIFTY_chain") == stood
        run.wait_for(lambda: "protected" in str(hand.values(run.book, "health")), "a word on the protected sheet")
        hand.protect(run.book, "NIFTY", on=False)
        run.wait_for(lambda: hand.values(run.book, "NIFTY_chain") != stood, "the sheet to be filled again")
        hand.rename_sheet(run.book, "BANKNIFTY", "Bank's & mine")
        stood = hand.values(run.book, "BANKNIFTY_chain")
        run.wait_for(lambda: hand.values(run.book, "BANKNIFTY_chain") != stood, "the renamed sheet to be filled")
        run.wait_current()
        assert counts(hand, run) == before
        hand.remove_sheet(run.book, "SENSEX")
        run.wait_for(lambda: "SENSEX" in str(hand.values(run.book, "health")), "a word on what is gone")
        assert "SENSEX" not in hand.shape(run.book)["order"]
        assert run.office().pid == first
        assert run.errors == []
        ends_well(run)


def counts(hand: Hand, run: Session) -> dict[str, int]:
    """Names, styles, rules; the user's undo list aside."""
    return {what: count for what, count in hand.counts(run.book).items() if what != "undo steps"}


# --- the engine


def test_the_engine_killed_again_and_again(place: Place, tmp_path: Path) -> None:
    """Each time the sheets say so, the file is whole, no process is left, and the next start goes on."""
    seed = 20_260_131
    draw = random.Random(seed)
    with office(tmp_path / "bystander") as other:
        for kill in range(KILLS):
            with running(place) as run:
                run.look()
                bystander = other.pid
                time.sleep(draw.uniform(0.0, 1.0))  # anywhere between and within writes
                run.kill_engine()
                run.wait_for_end_of_offices()
                assert run.errors == [], (seed, kill, run.errors)
                assert _said_in_file(place.workbook, "ENGINE STOPPED"), (seed, kill)
                whole(place.workbook)
                assert program.rows(place.history, "PRAGMA integrity_check") == [("ok",)]
                no_cycle_is_missing(run)
                assert psutil.pid_exists(bystander)
    with running(place) as run:
        run.look()
        run.wait_current()
        assert not any("ENGINE STOPPED" in said for said in run.front_states().values())
        ends_well(run)
    convert(place.workbook, "xlsx", place.folder / "converted")


def test_the_engine_and_its_writer_killed_at_once(place: Place) -> None:
    """Nobody could save or end the office: the next start takes it up, with what the user had typed."""
    with running(place) as run:
        hand = run.look()
        hand.write(run.book, "$NAMES.Z90", "unsaved")
        first = run.office()
        below = [p for p in psutil.Process(run.process.pid).children(recursive=True) if p.pid != first.pid]
        run.process.kill()
        for one in below:
            one.kill()
        run.process.wait(20)
        time.sleep(0.5)
        assert first.is_running()
        with running(place) as again:
            again.offices[first.pid] = first
            again.process.poll()
            again.wait_said("was open in LibreOffice already")
            again.wait_for(lambda: hand.values(again.book, "CYCLE")[0][0] >= again.place.newest(), "a picture")
            assert hand.values(again.book, "$NAMES.Z90") == [["unsaved"]]
            ends_well(again)
        hand.close()
        assert _cell(place.workbook, "NAMES", "Z90") == "unsaved"


def test_the_writer_killed(place: Place) -> None:
    """The engine starts another one, which takes up the office that the user has open."""
    with running(place) as run:
        run.look()
        first = run.office()
        psutil.Process(first.ppid()).kill()
        run.wait_said("started again")
        run.wait_current()
        assert first.is_running()
        assert len(run.errors) <= 3, run.errors
        ends_well(run)


def _cell(path: Path, sheet: str, cell: str) -> object:
    book = openpyxl.load_workbook(path, read_only=True)
    value = book[sheet][cell].value
    book.close()
    return value


def _said_in_file(path: Path, words: str) -> bool:
    with zipfile.ZipFile(path) as parts:
        return any(re.search(words.encode(), parts.read(name)) for name in parts.namelist() if name.endswith(".xml"))
