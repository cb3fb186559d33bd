"""Dated copies of the workbook: of an open one, checked against what it says, the report printed, kept for a time."""

from __future__ import annotations

import os
import re
import shutil
import sys
import threading
from dataclasses import dataclass, field, replace
from datetime import date
from pathlib import Path

import openpyxl
import pytest

from optionscanner import config as configuration
from optionscanner.app_archive import Archive, Subject, copied
from optionscanner.errors import WorkbookBusy, WorkbookError
from optionscanner.history.store import SqliteHistory
from optionscanner.model.frame import Block, Frame
from optionscanner.model.sessions import Mode
from optionscanner.platforms_office import libre_office
from optionscanner.workbook import eod_pdf
from optionscanner.workbook.agreed import read_again, stated
from optionscanner.workbook.eod_pdf import print_report, report_only
from optionscanner.workbook.file_host import FileHost
from optionscanner.workbook.layout import SHEETS
from optionscanner.workbook.live.host import LiveHost
from optionscanner.workbook.office import bridge
from optionscanner.workbook.template import build_template
from optionscanner.workbook.values_copy import forget_old_copies, keep_copy
from tests import builders
from tests import workbook_tools as tools
from tests.builders import TRADING_DATE, ist

pytestmark = pytest.mark.filterwarnings("ignore:.*extension is not supported:UserWarning")

NAME = "Book-replay-2026-01-30.xlsx"
DAY_SECONDS = 86_400.0


def frame() -> Frame:
    """A made-up picture of the test day that says so."""
    made = tools.made_up_frame(4)
    named = next(n for sheet in SHEETS for n in sheet.named)
    # 30-Jan-2026 is day 46,052 of spreadsheets; 11:42:30.
    said = {"AS_OF": 46_052.0 + 42_150 / DAY_SECONDS, "RUN_MODE": "REPLAY"}
    rows = tuple(
        (said.get(cell.name, row[0]),) for cell, row in zip(named.cells, made.blocks[named.name].rows, strict=True)
    )
    return replace(made, blocks={**made.blocks, named.name: Block(named.name, rows)})


@pytest.fixture(scope="module")
def filled(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("day") / "Book.xlsx"
    host = FileHost(path)
    assert host.write(frame()).status == "written"
    host.close()
    return path


@pytest.fixture
def book(filled, tmp_path) -> Path:
    return Path(shutil.copy(filled, tmp_path / "Book.xlsx"))


@pytest.mark.slow
def test_both_readers_find_what_the_picture_held(filled):
    data = filled.read_bytes()
    expected = {
        table.name: sum(bool(str(row[0] or "").strip()) for row in frame().blocks[table.name].rows)
        for sheet in SHEETS for table in sheet.tables
    }  # fmt: skip
    again, formulas = read_again(data)
    for found in (stated(data), again):
        assert (found.day, found.mode) == (TRADING_DATE, "REPLAY")
        assert found.rows == {name.lower(): count for name, count in expected.items()}
    assert all(cell.startswith(("NAMES!", "EXAMPLES!", "EXPOSURE!")) for cell in formulas)


def test_what_differs_is_named(filled):
    mine = stated(filled.read_bytes())
    assert mine.difference(mine) == ""
    fewer = replace(mine, rows={**mine.rows, "stocks": 7})
    assert mine.difference(fewer) == f"its table stocks has 7 rows where the workbook has {mine.rows['stocks']}"
    assert "it says 2026-01-30 LIVE where" in mine.difference(replace(mine, mode="LIVE"))


@pytest.mark.slow
def test_an_open_workbook_is_copied_through_its_program(book, tmp_path):
    """The file on the disk is not even looked at."""
    there, held = tmp_path / "Other.xlsx", book.read_bytes()
    shutil.copy(book, there)
    book.write_bytes(b"as it was saved hours ago")
    asked = []

    def save(to: Path) -> None:
        asked.append(to)
        shutil.copy(there, to)

    kept = keep_copy(book, NAME, save=save, day=TRADING_DATE, mode="REPLAY")
    assert openpyxl.load_workbook(kept.file)["EOD_REPORT"]["A7"].value == "Index"
    assert book.read_bytes() == b"as it was saved hours ago"
    assert [to.suffix for to in asked] == [".xlsx"]
    assert [p.name for p in (tmp_path / "archive").iterdir()] == [NAME]
    assert held == there.read_bytes()


def test_a_program_that_does_not_answer_leaves_nothing(book, tmp_path):
    def save(to: Path) -> None:
        to.write_bytes(b"half")
        raise WorkbookBusy("Book.xlsx: no answer within 30 s")

    with pytest.raises(WorkbookBusy, match="no answer within 30 s"):
        keep_copy(book, NAME, save=save)
    assert list((tmp_path / "archive").iterdir()) == []


@pytest.mark.parametrize(
    ("day", "mode", "sentence"),
    [
        (date(2026, 1, 29), "REPLAY", "it shows 2026-01-30 and not 2026-01-29: no picture of that day"),
        (TRADING_DATE, "LIVE", "it shows a REPLAY session and not this LIVE one"),
    ],
)
def test_another_days_picture_gets_no_date(book, tmp_path, day, mode, sentence):
    with pytest.raises(WorkbookError, match=sentence):
        keep_copy(book, NAME, day=day, mode=mode)
    assert list((tmp_path / "archive").iterdir()) == []


def test_a_workbook_that_lost_its_names_is_copied_all_the_same(tmp_path):
    book = openpyxl.Workbook()
    book.save(tmp_path / "Book.xlsx")
    assert keep_copy(tmp_path / "Book.xlsx", NAME, day=TRADING_DATE, mode="LIVE").file.exists()


def test_copies_go_by_when_they_were_made_and_only_ours(book, tmp_path):
    folder = tmp_path / "archive"
    folder.mkdir()
    now = ist(16, 0)
    ages = {
        "Book-live-2024-01-30.xlsx": 366, "Book-live-2024-01-30.pdf": 366, "Book-simulated-2026-07-15-114230.xlsx": 366,
        "Book-replay-2019-01-30.xlsx": 1, "Book-live-2024-01-30-mine.xlsx": 900, "Other-live-2024-01-30.xlsx": 900,
        "history-2024-01-30-session-1.parquet": 900, "Book-live-2025-01-30.xlsx": 365,
    }  # fmt: skip
    for name, days in ages.items():
        (folder / name).write_bytes(b"")
        os.utime(folder / name, (now - days * DAY_SECONDS, now - days * DAY_SECONDS))
    gone = forget_old_copies(book, days=365, now=now)
    assert [file.name for file in gone] == sorted(list(ages)[:3])
    assert {file.name for file in folder.iterdir()} == set(list(ages)[3:])


# With a session


@pytest.fixture
def history(tmp_path):
    store = SqliteHistory(tmp_path / "history.db", Mode.REPLAY)
    layout = builders.small_layout()
    store.begin(builders.run_session(), builders.day_of(layout), resume_within=None, now=ist(9, 15))
    yield store
    store.close()


def subject_of(book: Path, history: SqliteHistory, **workbook: object) -> Subject:
    config = configuration.defaults()
    settings = config.workbook.model_copy(update={"eod_pdf": False, **workbook})
    return Subject(config.model_copy(update={"workbook": settings}), history, book, TRADING_DATE)


@dataclass
class Heard:
    """What was told."""

    said: list[str] = field(default_factory=list)
    warned: list[str] = field(default_factory=list)


def test_archive_copies_beside_the_cycles_under_the_time_of_the_session(book, history, tmp_path):
    heard = Heard()
    archive = Archive(
        subject_of(book, history), lambda: ist(16, 0), lambda: ist(11, 42, 30), heard.said.append, heard.warned.append
    )
    answer = archive.ask()
    archive.close()
    name = "Book-replay-2026-01-30-114230.xlsx"
    assert answer == f"a copy without formulas is being made: archive/{name}"
    assert heard.warned == []
    assert heard.said[0].startswith(f"workbook copy: {tmp_path / 'archive' / name}")
    with history.between_cycles() as connection:
        rows = connection.execute("SELECT file, session, length(sha256) FROM workbook_archive").fetchall()
    assert [tuple(row) for row in rows] == [(name, 1, 64)]


def test_a_second_request_waits_for_the_first(book, history, monkeypatch):
    """The copy is held up until both requests were made."""
    held = threading.Event()
    archive = Archive(subject_of(book, history), lambda: 0.0, lambda: ist(11, 0), lambda _: None, lambda _: None)
    monkeypatch.setattr(Archive, "_make", lambda self, at: held.wait(30))
    assert "is being made" in archive.ask()
    assert archive.ask() == "the copy that was asked for before is still being made"
    held.set()
    archive.close()


def test_what_goes_wrong_is_told_in_one_sentence(book, history):
    heard = Heard()
    book.write_bytes(b"no workbook")
    archive = Archive(
        subject_of(book, history), lambda: 0.0, lambda: ist(11, 0), heard.said.append, heard.warned.append
    )
    archive.ask()
    archive.close()
    assert heard.said == []
    assert len(heard.warned) == 1
    assert "no values-only copy was made, because it is not an .xlsx file" in heard.warned[0]


@pytest.mark.slow
def test_deleted_sheets_come_back_into_a_closed_workbook(book, history):
    archive = Archive(subject_of(book, history), lambda: 0.0, lambda: 0.0)
    assert archive.restore() == "Book.xlsx: nothing of what was asked for is missing"


@pytest.mark.slow
def test_without_a_program_to_print_it_says_so(book, history, monkeypatch):
    monkeypatch.setattr("optionscanner.app_archive.libre_office", lambda: None)
    said = list(copied(subject_of(book, history, eod_pdf=True), now=ist(16, 0)))
    assert len(said) == 2
    assert said[1].startswith("no PDF of EOD_REPORT: neither LibreOffice nor an open Excel is there")


# The PDF


@pytest.mark.slow
def test_only_the_report_is_left_to_print_and_its_names_stay(filled, tmp_path):
    path = tmp_path / "Report.xlsx"
    path.write_bytes(report_only(filled.read_bytes()))
    tools.assert_well_formed(path)
    book, before = openpyxl.load_workbook(path), openpyxl.load_workbook(filled)
    assert [sheet.title for sheet in book if sheet.sheet_state == "visible"] == ["EOD_REPORT"]
    assert book.active.title == "EOD_REPORT"
    assert [sheet.title for sheet in book if sheet.print_area] == ["EOD_REPORT"]
    assert set(book.defined_names) == set(before.defined_names)


def test_a_workbook_without_the_report_prints_nothing(tmp_path):
    openpyxl.Workbook().save(tmp_path / "Other.xlsx")
    with pytest.raises(WorkbookError, match="no PDF of it was made, because it has no EOD_REPORT; bring it back"):
        print_report(tmp_path / "Other.xlsx", tmp_path / "Other.pdf", Path("soffice"))


@pytest.mark.skipif(sys.platform == "win32", reason="shell scripts stand in for LibreOffice")
@pytest.mark.parametrize(
    ("script", "sentence"),
    [("echo gone wrong >&2; exit 3", r"LibreOffice made none \(gone wrong\)"), ("sleep 60", "was not done within 1 s")],
)
def test_a_printer_that_fails_or_hangs_is_ended(filled, tmp_path, monkeypatch, script, sentence):
    program = tmp_path / "soffice"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    monkeypatch.setattr(eod_pdf, "PRINT_DEADLINE_S", 1.0)
    with pytest.raises(WorkbookError, match=sentence):
        print_report(filled, tmp_path / "Book.pdf", program)
    assert [p.name for p in tmp_path.iterdir()] == ["soffice"]


@pytest.mark.office
@pytest.mark.slow
@pytest.mark.parametrize("full", [True, False], ids=["full", "empty"])
def test_the_report_prints_on_exactly_two_pages(filled, tmp_path, full):
    """Whatever the day held: every table to its last row, or none."""
    program = libre_office()
    if program is None:
        pytest.skip("LibreOffice is not installed (soffice not found)")
    source = filled
    if not full:
        source = tmp_path / "Empty.xlsx"
        host = FileHost(source)
        blank = {name: Block(name, ()) for name in frame().blocks if name.startswith("eod_")}
        assert host.write(Frame(frame().as_of, blank)).status == "written"
        host.close()
    pdf = tmp_path / "Report.pdf"
    print_report(source, pdf, program)
    assert len(re.findall(rb"/Type\s*/Page(?!s)", pdf.read_bytes())) == 2


@pytest.mark.office
@pytest.mark.slow
@pytest.mark.skipif(bool(bridge.available()), reason="LibreOffice is not installed or has no bridge for this Python")
def test_a_live_workbook_is_copied_while_it_stays_open(history, tmp_path):
    """Everything of the newest picture is in the copy, formulas have values, the workbook's own file is not saved."""
    book = tmp_path / "Book.xlsx"
    book.write_bytes(build_template())
    before = book.read_bytes()
    host = LiveHost(
        book, front="libreoffice", profile=tmp_path / "profile", headless=True, leave_open=False, save_every=0,
    )  # fmt: skip
    try:
        host.write(frame())
        assert host.settle(90) is not None
        subject = replace(subject_of(book, history), host=host)
        said = list(copied(subject, now=ist(16, 0)))
        assert book.read_bytes() == before
        assert host.status == "live"
    finally:
        host.close()
    assert "formulas became their values" in said[0]
    assert "had none yet" not in said[0]
    # The writer says in each band by itself that it is live.
    bands = frozenset(sheet.cells[0].name for sheet in SHEETS)
    tools.assert_shows(tmp_path / "archive" / NAME, frame(), but=bands)
