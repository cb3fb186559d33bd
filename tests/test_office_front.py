"""The live workbook in LibreOffice: opened, taken up, lost and found again, and nothing of anybody else's touched."""

import io
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import openpyxl
import pytest
import xlsxwriter

from optionscanner.errors import WorkbookBusy, WorkbookError
from optionscanner.workbook.live.front import FrontLost
from optionscanner.workbook.office import bridge, files, locks, process, profile
from optionscanner.workbook.office.front import LibreOfficeFront
from optionscanner.workbook.vba_project import vba_project

NO_OFFICE = bridge.available()


@pytest.fixture
def place(tmp_path):
    """A folder with a workbook of two sheets and a filtered table; its office, if any, is ended afterwards."""
    with xlsxwriter.Workbook(tmp_path / "Desk.xlsx") as made:
        sheet = made.add_worksheet("LADDER")
        sheet.write_row("A1", ["strike", "side"])
        for row in range(10):
            sheet.write_row(row + 1, 0, [25000 + 50 * row, "CE" if row % 2 else "PE"])
        made.add_worksheet("NOTES").write("A1", "mine")
    with xlsxwriter.Workbook(tmp_path / "Colours.xlsx") as made:
        made.add_worksheet("LADDER").conditional_format("A1:H30", {"type": "3_color_scale"})
    yield tmp_path
    process.kill_own(tmp_path / "profile")


@pytest.fixture
def front(place):
    if NO_OFFICE:
        pytest.skip(NO_OFFICE)
    return LibreOfficeFront(place / "profile", headless=True)


def cell(path: Path, sheet: str, address: str):
    """A cell of a file, as another program reads it."""
    return openpyxl.load_workbook(path)[sheet][address].value


# Without LibreOffice


def test_a_missing_libreoffice_is_one_sentence(monkeypatch):
    monkeypatch.setattr(bridge, "libre_office_folder", lambda: None)
    monkeypatch.delitem(sys.modules, "uno", raising=False)
    assert bridge.available().startswith("LibreOffice is not installed (no program soffice was found): install")
    with pytest.raises(WorkbookError, match="LibreOffice is not installed"):
        bridge.load()


def test_a_missing_bridge_is_one_sentence(monkeypatch, tmp_path):
    monkeypatch.setattr(bridge, "libre_office_folder", lambda: tmp_path)
    assert "without its Python bridge (uno.py)" in bridge.available()


def test_presets_leave_the_users_settings(tmp_path):
    user = tmp_path / "user" / "registrymodifications.xcu"
    user.parent.mkdir()
    user.write_text(
        '<oor:items xmlns:oor="http://openoffice.org/2001/registry"><item oor:path="/mine">'
        '<prop oor:name="Zoom" oor:op="fuse"><value>120</value></prop></item></oor:items>'
    )
    profile.prepare(tmp_path, tmp_path / "one")
    profile.prepare(tmp_path, tmp_path / "two")
    text = user.read_text()
    assert '<prop oor:name="Zoom" oor:op="fuse"><value>120</value></prop>' in text
    assert text.count("OOXMLRecalcMode") == 1
    assert re.findall("<it>(.*?)</it>", text) == [(tmp_path / "one").as_uri(), (tmp_path / "two").as_uri()]


def test_a_process_id_that_was_given_away_is_not_ours(tmp_path):
    """This very process has the id, but began at another time."""
    profile.remember(tmp_path, profile.Running(os.getpid(), 1.0, "pipe"))
    assert process.kill_own(tmp_path) is False
    assert not profile.recall(tmp_path).alive()


def test_foreign_locks_are_refused_and_named(place):
    book = place / "Desk.xlsx"
    lock = place / ".~lock.Desk.xlsx#"
    lock.write_text(",asha,trading-pc,30.01.2026 09:10,file:///srv/asha/office/4;")
    with pytest.raises(
        WorkbookBusy, match=r"open in another LibreOffice \(asha, on trading-pc, since 30.01.2026 09:10\)"
    ):
        LibreOfficeFront(place / "profile").open(book)
    assert lock.exists()
    lock.unlink()
    (place / "~$Desk.xlsx").write_bytes(b"\x04Ravi" + b" " * 50)
    with pytest.raises(WorkbookBusy, match=r"open in Excel \(Ravi\)"):
        LibreOfficeFront(place / "profile").open(book)


def test_own_locks_and_old_litter_are_taken_away(place):
    lock = place / ".~lock.Desk.xlsx#"
    lock.write_text(f",me,here,30.01.2026 09:10,{(place / 'profile').as_uri()}/;")
    old, new, other = place / "lu1a2b.tmp", place / "lu9z.tmp", place / "lunch.tmp.txt"
    for path in (old, new, other):
        path.write_text("x")
    for path, age in ((old, 3600.0), (new, 0.0)):
        os.utime(path, (time.time() - age, time.time() - age))
    locks.clear_own(place / "Desk.xlsx", place / "profile")
    assert sorted(path.name for path in place.iterdir()) == ["Colours.xlsx", "Desk.xlsx", "lu9z.tmp", "lunch.tmp.txt"]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (None, "does not exist: give the path"),
        (b"PK\x03\x04 cut off", "is not a workbook, or was cut off"),
        (bytes.fromhex("d0cf11e0a1b11ae1") + b"...", "is protected by a password"),
    ],
)
def test_what_is_no_workbook_is_refused(tmp_path, content, words):
    path = tmp_path / "Desk.xlsx"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(WorkbookError, match=words):
        files.check(path)


# With LibreOffice


@pytest.mark.office
def test_left_open_and_taken_up_again(front, place):
    """A second front finds the office and the workbook of the first, with what was not saved, and ends it."""
    opened = front.open(place / "Desk.xlsx")
    assert opened.note == ""
    # As the user types it: what xlwings writes into an empty cell, LibreOffice does not take back.
    opened.book.sheets["LADDER"]["D1"].api.getCellByPosition(0, 0).setString("unsaved")
    undo = opened.book.api.getUndoManager()
    # As a writer leaves it that was ended within a frame.
    undo.enterUndoContext("frame")
    opened.book.api.IsUndoEnabled = False
    opened.book.api.lockControllers()
    front.close(opened, leave_open=True)
    second = LibreOfficeFront(place / "profile", headless=True)
    again = second.open(place / "Desk.xlsx")
    assert (again.started, again.note) == (
        opened.started,
        "Desk.xlsx was open in LibreOffice already and is used as it stands",
    )
    assert again.book.sheets["LADDER"]["D1"].value == "unsaved"
    assert not again.book.api.hasControllersLocked()
    again.book.api.getUndoManager().undo()
    assert again.book.sheets["LADDER"]["D1"].value is None
    again.book.api.getUndoManager().redo()
    assert cell(place / "Desk.xlsx", "LADDER", "D1") is None
    second_office = process.profiles.recall(place / "profile")
    second.close(again, leave_open=False)
    assert cell(place / "Desk.xlsx", "LADDER", "D1") == "unsaved"
    assert not second_office.alive()
    assert sorted(path.name for path in place.iterdir()) == ["Colours.xlsx", "Desk.xlsx", "profile"]


@pytest.mark.office
def test_killed_is_lost_and_opens_again(front, place):
    opened = front.open(place / "Desk.xlsx")
    before = (place / "Desk.xlsx").read_bytes()
    os.kill(opened.started, signal.SIGKILL)
    with pytest.raises(Exception) as caught:  # whatever LibreOffice makes of it
        for _ in range(100):
            opened.book.sheets["LADDER"]["A2"].raw_value = 1.0
            time.sleep(0.05)
    assert isinstance(front.failure(caught.value), FrontLost)
    with pytest.raises(FrontLost):
        front.is_open(opened)
    assert (place / ".~lock.Desk.xlsx#").exists()
    again = front.open(place / "Desk.xlsx")
    assert again.started != opened.started
    assert front.is_open(again)
    assert again.book.sheets["LADDER"]["A2"].value == 25000
    assert (place / "Desk.xlsx").read_bytes() == before


@pytest.mark.office
def test_frozen_is_said_and_can_be_ended(front, place, monkeypatch):
    opened = front.open(place / "Desk.xlsx")
    os.kill(opened.started, signal.SIGSTOP)
    monkeypatch.setattr(process, "ANSWER_DEADLINE_S", 0.2)
    second = LibreOfficeFront(place / "profile", headless=True)
    with pytest.raises(WorkbookBusy, match=f"process {opened.started}.* does not answer"):
        second.open(place / "Desk.xlsx")
    assert process.kill_own(place / "profile") is True
    assert second.open(place / "Desk.xlsx").started != opened.started


@pytest.mark.office
def test_closed_by_the_user_is_not_lost(front, place):
    """The office lives on with the user's other workbook, which nothing of ours touches."""
    shutil.copy(place / "Desk.xlsx", place / "Other.xlsx")
    opened = front.open(place / "Desk.xlsx")
    other = opened.book.app.books.open(place / "Other.xlsx")
    assert front.is_open(opened)
    opened.book.close()
    assert front.is_open(opened) is False
    assert front.reopened(opened) is None
    with pytest.raises(Exception) as caught:  # whatever LibreOffice makes of it
        opened.book.sheets["LADDER"]["A2"].raw_value = 1.0
    assert isinstance(front.failure(caught.value), FrontLost)
    opened.book.app.books.open(place / "Desk.xlsx")
    again = front.reopened(opened)
    assert front.is_open(again)
    assert again.started == opened.started
    front.close(again, leave_open=False)
    assert process.profiles.recall(place / "profile").alive()
    assert other.sheets["LADDER"]["A2"].value == 25000
    assert front.failure(ValueError("ours")) is None


@pytest.mark.office
def test_saved_under_another_name_is_another_workbook(front, place):
    opened = front.open(place / "Desk.xlsx")
    opened.book.save(place / "Renamed.xlsx")
    assert front.is_open(opened) is False
    again = front.open(place / "Desk.xlsx")
    assert again.book.fullname == str(place / "Desk.xlsx")


@pytest.mark.office
def test_open_twice_is_refused(front, place):
    opened = front.open(place / "Desk.xlsx")
    second = files.load(front.office, place / "Desk.xlsx", read_only=True)
    with pytest.raises(WorkbookBusy, match="open twice in LibreOffice: close one of the two windows"):
        front.open(place / "Desk.xlsx")
    second.close(True)
    front.close(opened, leave_open=False)


@pytest.mark.office
def test_saves_copies_and_prints(front, place):
    opened = front.open(place / "Desk.xlsx")
    sheet = opened.book.sheets["LADDER"]
    for value in (1, 2):
        sheet["D1"].value = value
        front.save(opened)
    sheet["D1"].value = 3
    front.save_copy(opened, place / "Copy.xlsx")
    front.pdf(opened, place / "Two.pdf", ("LADDER", "NOTES"))
    front.pdf(opened, place / "One.pdf", ("NOTES",))
    assert opened.book.fullname == str(place / "Desk.xlsx")
    assert opened.book.api.isModified()
    assert (cell(place / "Desk.xlsx", "LADDER", "D1"), cell(place / "Copy.xlsx", "LADDER", "D1")) == (2, 3)
    pages = [len(re.findall(rb"/Type\s*/Page\b", (place / name).read_bytes())) for name in ("Two.pdf", "One.pdf")]
    assert pages == [2, 1]
    assert [known.name for known in opened.book.app.books] == ["Desk.xlsx"]
    with pytest.raises(WorkbookError, match="no sheet NOWHERE to print: it has LADDER, NOTES"):
        front.pdf(opened, place / "No.pdf", ("NOWHERE",))


@pytest.mark.office
def test_a_file_that_was_replaced_is_not_overwritten(front, place):
    opened = front.open(place / "Desk.xlsx")
    shutil.copy(place / "Desk.xlsx", place / "synced")
    (place / "synced").replace(place / "Desk.xlsx")
    theirs = (place / "Desk.xlsx").read_bytes()
    opened.book.sheets["LADDER"]["A2"].value = 1
    for _ in range(2):
        with pytest.raises(WorkbookBusy, match="changed or removed by another program"):
            front.save(opened)
    assert (place / "Desk.xlsx").read_bytes() == theirs


@pytest.mark.office
def test_quiet_is_given_back_and_keeps_the_users_undo_list(front, place):
    """Also where colours follow the values of the sheet in front, which LibreOffice paints within a write."""
    opened = front.open(place / "Colours.xlsx")
    model, sheet = opened.book.api, opened.book.sheets["LADDER"]
    undo = model.getUndoManager()
    cell_of_theirs = sheet["F1"].api.getCellByPosition(0, 0)
    for value in ("first", "second"):
        cell_of_theirs.setString(value)
    undo.undo()
    for number in range(3):
        with front.quiet(opened):
            for first in (2, 6):
                sheet.range((first, 1), (first + 1, 2)).raw_value = ((float(number), "x"), (2.0, "y"))
            assert model.hasControllersLocked()
    with pytest.raises(ValueError, match="in a frame"), front.quiet(opened):
        raise ValueError("in a frame")
    assert not model.hasControllersLocked()
    assert (len(undo.getAllUndoActionTitles()), len(undo.getAllRedoActionTitles())) == (1, 1)
    undo.redo()
    assert sheet["F1"].value == "second"
    undo.undo()
    undo.undo()
    assert sheet["F1"].value is None
    assert sheet["A6:B7"].value == [[2.0, "x"], [2.0, "y"]]


@pytest.mark.office
def test_order_is_held_by_a_filter_not_by_hidden_rows(front, place):
    opened = front.open(place / "Desk.xlsx")
    sheet = opened.book.sheets["LADDER"]
    sheet.api.getRows().getByIndex(3).IsVisible = False
    assert front.order_held(opened, "LADDER", "A2:B11") is False
    whole = sheet["A1:B11"].api
    made = whole.createFilterDescriptor(True)
    made.ContainsHeader = True
    field = bridge.load().struct(
        "com.sun.star.sheet.TableFilterField", Field=1, IsNumeric=False, StringValue="PE",
        Operator=bridge.load().uno.Enum("com.sun.star.sheet.FilterOperator", "EQUAL"),
    )  # fmt: skip
    made.setFilterFields((field,))
    whole.filter(made)
    assert front.order_held(opened, "LADDER", "A2:B11") is True
    assert front.order_held(opened, "NOTES", "A1:B11") is False


MODULE = """Attribute VB_Name = "Notes"
Sub Mark(n As Double)
    ThisWorkbook.Worksheets("NOTES").Range("B1").Value = n * 2
End Sub
Function Add(a, b)
    Add = a + b
End Function
"""


@pytest.mark.office
def test_macros_run_and_missing_ones_are_named(front, place):
    """Also in a workbook whose folder is not the one for which the office was started."""
    front.open(place / "Desk.xlsx")
    elsewhere = place / "elsewhere"
    elsewhere.mkdir()
    with xlsxwriter.Workbook(elsewhere / "Desk.xlsm") as made:
        made.add_worksheet("NOTES")
        made.add_vba_project(io.BytesIO(vba_project({"Notes": MODULE}, ["Sheet1"])), is_stream=True)
    second = LibreOfficeFront(place / "profile", headless=True)
    opened = second.open(elsewhere / "Desk.xlsm")
    second.run_macro(opened, "Notes.Mark", 21)
    assert opened.book.sheets["NOTES"]["B1"].value == 42.0
    assert second.run_macro(opened, "add", 1, 2) == 3.0
    assert opened.book.macro("Notes.Add")(2, 5) == 7.0
    with pytest.raises(WorkbookError, match=r"the workbook has no macro Notes\.Gone"):
        second.run_macro(opened, "Notes.Gone")


WRITER = """
import sys
from pathlib import Path
from optionscanner.workbook.office.front import LibreOfficeFront
from optionscanner.workbook.vba_project import vba_project
opened = LibreOfficeFront(Path(sys.argv[1]), headless=True).open(Path(sys.argv[2]))
print(opened.started, flush=True)
sys.stdin.read()
"""


@pytest.mark.office
def test_the_office_outlives_a_writer_that_was_killed(front, place):
    """The listeners of the dead writer do not keep the workbook from being closed."""
    writer = subprocess.Popen(
        [sys.executable, "-c", WRITER, str(place / "profile"), str(place / "Desk.xlsx")],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        pid = int(writer.stdout.readline())
    finally:
        writer.kill()
        writer.communicate(timeout=30)
    opened = front.open(place / "Desk.xlsx")
    assert opened.started == pid
    opened.book.sheets["LADDER"]["D1"].value = 1
    running = process.profiles.recall(place / "profile")
    front.close(opened, leave_open=False)
    assert not running.alive()
    assert cell(place / "Desk.xlsx", "LADDER", "D1") == 1
