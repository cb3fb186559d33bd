"""The live workbook's host: what it promises the engine, and a real LibreOffice behind it through a bad day."""

import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import openpyxl
import psutil
import pytest

from optionscanner.model.frame import Block, Frame
from optionscanner.workbook.file_host import FileHost
from optionscanner.workbook.grid import Cells
from optionscanner.workbook.layout import SHEETS
from optionscanner.workbook.live import wire
from optionscanner.workbook.live.child import Child, Hang
from optionscanner.workbook.live.host import LiveHost
from optionscanner.workbook.office import bridge, process
from optionscanner.workbook.office.front import LibreOfficeFront
from optionscanner.workbook.template import build_template
from tests.live_stub import StubBook, StubFront
from tests.workbook_tools import AS_OF, made_up_frame, read_back

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore:.*extension is not supported:UserWarning")]
office = pytest.mark.office
FRONTS = [
    (cells.name, i)
    for sheet in SHEETS for cells in sheet.cells for i, c in enumerate(cells.cells) if c.source == "band.front"
]  # fmt: skip


def altered(frame: Frame, **blocks: tuple) -> Frame:
    return Frame(frame.as_of, {**frame.blocks, **{name: Block(name, rows) for name, rows in blocks.items()}})


def until(wanted, seconds: float = 30.0):
    """Wait for a claim to become true; the time is a hard stop and not a measure."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        found = wanted()
        if found:
            return found
        time.sleep(0.02)
    raise AssertionError("it never came")


# What the host promises the engine, with a spreadsheet program in memory behind a real process


class RemoteFront(StubFront):
    """Does what the test asks through the host's own requests."""

    def __init__(self) -> None:
        super().__init__(StubBook())

    def run_macro(self, opened, name, *arguments):
        if name == "column":
            return self.book.column(*arguments)
        setattr(self, name, *arguments)
        return None


@pytest.fixture
def lines():
    return []


@pytest.fixture
def host(tmp_path, lines):
    (tmp_path / "Book.xlsx").write_bytes(b"")
    made = LiveHost(tmp_path / "Book.xlsx", front=RemoteFront, share=1.0, tell=lines.append, leave_open=False)
    yield made
    made.close()


def feed(text: str) -> Frame:
    return Frame.of(AS_OF, [Block("alerts_feed", ((1.0, "NIFTY", text, None, None),))])


def test_frames_are_handed_over_and_the_newest_one_wins(host):
    first = host.write(feed("0"))
    assert (first.status, first.frames) == ("skipped", 0)
    assert "is being opened" in first.sentence
    results = [host.write(feed(str(i))) for i in range(1, 200)]
    results.append(host.settle(30.0))
    assert results[-1].status == "written"
    assert sum(result.frames + result.dropped for result in results if result.status == "written") == 200
    assert host.run_macro("column", "alerts_feed", "Alert")[0] == "199"
    again = host.write(feed("199"))
    assert (again.status, again.frames) == ("written", 0)


def test_a_pause_is_told_and_ends(host):
    host.write(feed("one"))
    host.settle(30.0)
    host.paused = True
    until(lambda: host.status == "paused")
    assert "RESUME" in host.write(feed("two")).sentence
    assert host.run_macro("column", "alerts_feed", "Alert")[0] == "one"
    host.paused = False
    until(lambda: host.status == "live")
    host.settle(30.0)
    assert host.run_macro("column", "alerts_feed", "Alert")[0] == "two"


def test_a_writer_that_dies_is_replaced_and_shows_the_newest_frame(host, lines):
    host.write(feed("one"))
    host.settle(30.0)
    victim = host._child.process.pid
    psutil.Process(victim).kill()
    until(lambda: host.restarts == 1)
    assert host.write(feed("two")).status == "skipped"
    assert host.settle(30.0).status == "written"
    assert host.run_macro("column", "alerts_feed", "Alert")[0] == "two"
    assert any("writer process ended" in line for line in lines)


def test_inputs_are_mirrored_and_a_cleared_command_stays_cleared(host):
    host.set_inputs({"CONTROL_COMMAND": "RECALC"})
    until(lambda: host.control() and host.control().values["CONTROL_COMMAND"] == "RECALC")
    host.set_inputs({"CONTROL_COMMAND": None})
    assert host.control().values["CONTROL_COMMAND"] is None


# When a program counts as frozen


@pytest.fixture
def child():
    """A child that was never started: only what it is judged by."""
    made = Child.__new__(Child)
    made.calls, made.office, made.patient, made._watched = [0.0, 3.0, 100.0], None, False, None
    made._freed, made._stopped_since = (0.0, 0.0), None
    return made


@pytest.fixture
def program(request):
    """A program that stands for the office: one that works, or one that waits."""
    made = subprocess.Popen([sys.executable, "-c", request.param])
    yield made
    made.kill()
    made.wait()


@pytest.mark.parametrize("program", ["import time; time.sleep(60)"], indirect=True)
def test_a_program_that_waits_past_the_deadline_is_frozen(child, program):
    child.office = program.pid
    until(lambda: psutil.Process(program.pid).cpu_percent(0.3) == 0.0)
    child.calls[wire.BEGAN] = 100.0
    assert child.hang(102.9) is None
    assert child.hang(103.1) is None  # it is looked at for half a second first
    assert child.hang(103.7) is Hang.OFFICE


@pytest.mark.parametrize("program", ["while True: pass"], indirect=True)
def test_a_program_that_works_gets_half_a_minute(child, program):
    child.office = program.pid
    child.calls[wire.BEGAN] = 100.0
    assert child.hang(103.1) is None
    time.sleep(0.5)
    assert child.hang(103.7) is None
    assert child.hang(130.1) is Hang.OFFICE


@pytest.mark.skipif(not hasattr(signal, "SIGSTOP"), reason="Windows cannot stop a process")
@pytest.mark.parametrize("program", ["import time; time.sleep(60)"], indirect=True)
def test_a_program_that_stays_stopped_for_a_second_is_frozen(child, program):
    child.office = program.pid
    program.send_signal(signal.SIGSTOP)
    until(lambda: psutil.Process(program.pid).status() == psutil.STATUS_STOPPED)
    child.calls[wire.BEGAN] = 100.0
    assert child.hang(100.5) is None
    assert child.hang(101.4) is None
    assert child.hang(101.6) is Hang.OFFICE


@pytest.mark.skipif(not hasattr(signal, "SIGSTOP"), reason="Windows cannot stop a process")
@pytest.mark.parametrize("program", ["import time; time.sleep(60)"], indirect=True)
def test_a_short_stop_during_a_long_call_is_forgiven(child, program):
    """The call had gone on for a while before; only the stop itself counts, and each of them from its own beginning."""
    child.office = program.pid
    child.calls[wire.BEGAN] = 100.0
    assert child.hang(101.8) is None
    for at in (102.0, 102.6):
        program.send_signal(signal.SIGSTOP)
        until(lambda: psutil.Process(program.pid).status() == psutil.STATUS_STOPPED)
        assert child.hang(at) is None
        assert child.hang(at + 0.3) is None
        program.send_signal(signal.SIGCONT)
        until(lambda: psutil.Process(program.pid).status() != psutil.STATUS_STOPPED)
        assert child.hang(at + 0.5) is None


def test_a_writer_that_stays_in_the_call_is_given_up_as_well(child):
    child.calls[wire.BEGAN] = 100.0
    child._freed = (100.0, 105.0)
    assert child.hang(104.9) is None
    assert child.hang(105.1) is Hang.WRITER
    # Another call is another matter.
    child.calls[wire.BEGAN] = 105.0
    assert child.hang(105.2) is None


def test_excel_may_ask_its_user_for_as_long_as_it_likes(child):
    child.patient, child.calls[wire.BEGAN] = True, 100.0
    assert child.hang(10_000.0) is None


def test_a_writer_without_a_sign_of_life_is_given_up(child):
    assert child.hang(109.0) is None
    assert child.hang(111.0) is Hang.WRITER


# A real LibreOffice


@dataclass
class Desk:
    """A host with its office, and the user's hand in it."""

    host: LiveHost
    profile: Path
    lines: list

    def show(self, frame: Frame):
        self.host.write(frame)
        result = self.host.settle(60.0)
        assert result is not None, self.host.sentence
        assert result.status == "written", result.sentence
        return result

    def user(self):
        """The user's view of the same office: an xlwings book."""
        return LibreOfficeFront(self.profile, headless=True).open(self.host.path).book

    def office(self) -> int:
        return until(lambda: self.host._child.office)


@pytest.fixture
def desk(tmp_path, lines):
    if bridge.available():
        pytest.skip(bridge.available())
    path = tmp_path / "OptionsDashboard.xlsx"
    made = Desk(
        LiveHost(path, profile=tmp_path / "profile", headless=True, share=1.0, save_every=0.0, tell=lines.append),
        tmp_path / "profile", lines,
    )  # fmt: skip
    yield made
    made.host.close()
    process.kill_own(tmp_path / "profile")


def running(pid: int) -> bool:
    """Whether a process runs; one that ended may wait to be collected."""
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def same(got, want) -> bool:
    return got == (pytest.approx(want, rel=1e-13, abs=1e-9) if isinstance(want, float) else want)


@office
def test_every_cell_of_every_block_is_that_of_the_file_host(desk, tmp_path):
    frame = made_up_frame(2)
    desk.show(made_up_frame(1))
    desk.show(frame)
    desk.host.close()
    beside = tmp_path / "File.xlsx"
    beside.write_bytes(build_template())
    file = FileHost(beside)
    assert file.write(frame).status == "written"
    file.close()
    live, closed = read_back(desk.host.path), read_back(beside)
    assert live.keys() == closed.keys() == frame.blocks.keys()
    for name, rows in closed.items():
        for number, (row, other) in enumerate(zip(rows, live[name], strict=True)):
            if (name, number) not in FRONTS:
                assert all(same(a, b) for a, b in zip(other, row, strict=True)), (name, number, other, row)


@office
def test_the_users_things_are_followed_and_survive(desk):
    frame = made_up_frame(1)
    desk.show(frame)
    assert desk.show(frame).cells == 0
    one = altered(frame, NIFTY_scan=made_up_frame(2).blocks["NIFTY_scan"].rows)
    assert desk.show(one).blocks == 1
    book = desk.user()
    stocks = book.sheets["STOCKS_GROUPED"]
    stocks.impl.uno.Columns.insertByIndex(3, 1)
    stocks["D5"].value = "Mine"
    stocks["D6:D245"].formula = "=C6*2"
    rows = list(one.blocks["stocks"].rows)
    rows[7] = (*rows[7][:3], 12.25, *rows[7][4:])
    desk.show(altered(one, stocks=tuple(rows)))
    # One row is written, by its place: that must be the place as it is now.
    assert (stocks["D13"].formula, stocks["E13"].raw_value) == ("=C13*2", 12.25)
    stocks.name = "My shares"
    book.names["alerts_feed"].delete()
    book.sheets["SENSEX"].impl.uno.Rows.insertByIndex(0, 2)
    newer = made_up_frame(2)
    result = desk.show(newer)
    assert "alerts_feed" in result.missing
    assert stocks["D5"].value == "Mine"
    formulas = stocks["D6:D245"].formula
    assert [row[0] for row in formulas] == [f"=C{row}*2" for row in range(6, 246)]
    shown = [(row[2], row[4]) for row in stocks["A6:E245"].raw_value]
    assert shown == [(row[2], row[3]) for row in newer.blocks["stocks"].rows]
    header = next(t for t in SHEETS[5].tables if t.name == "SENSEX_chain").row + 2
    chain = newer.blocks["SENSEX_chain"].rows
    assert [row[0] for row in book.sheets["SENSEX"].range((header + 1, 1), (header + 3, 2)).raw_value] == [
        row[0] for row in chain[:3]
    ]


@office
def test_a_filter_of_the_user_holds_the_order(desk):
    def ranked(*names):
        width = len(next(t for s in SHEETS for t in s.tables if t.name == "stocks").fields)
        rows = tuple((float(i + 1), name, 100.0 + i, *[None] * (width - 3)) for i, name in enumerate(names))
        return altered(made_up_frame(1), stocks=rows)

    desk.show(ranked("ACC", "BEL", "CIPLA", "DLF"))
    sheet = desk.user().sheets["STOCKS_GROUPED"].impl.uno
    block = sheet.getCellRangeByName("A5:R245")
    wanted = block.createFilterDescriptor(True)
    field = bridge.load().struct("com.sun.star.sheet.TableFilterField")
    field.Field, field.IsNumeric, field.StringValue = 1, False, "BEL"
    field.Operator = bridge.load().uno.Enum("com.sun.star.sheet.FilterOperator", "EQUAL")
    wanted.setFilterFields((field,))
    wanted.ContainsHeader = True
    block.filter(wanted)
    desk.show(ranked("DLF", "CIPLA", "BEL", "ACC"))
    names = [row[0] for row in sheet.getCellRangeByName("B6:B9").getDataArray()]
    assert names == ["ACC", "BEL", "CIPLA", "DLF"]
    assert "stocks" in desk.host.filtered
    until(lambda: "live, order held: filter on" in {
        value for row in sheet.getCellRangeByName("A1:AF1").getDataArray() for value in row
    })  # fmt: skip


@office
@pytest.mark.skipif(not hasattr(signal, "SIGSTOP"), reason="Windows cannot stop a process")
def test_an_office_that_is_killed_or_frozen_is_replaced(desk):
    frames = [made_up_frame(seed) for seed in range(4)]
    desk.show(frames[0])
    desk.host.set_inputs({"CONTROL_COMMAND": "PAUSE"})
    until(lambda: desk.host.control() and desk.host.control().values["CONTROL_COMMAND"] == "PAUSE")
    victims = []
    for count, kind, frame in ((1, signal.SIGKILL, frames[1]), (2, signal.SIGSTOP, frames[2])):
        victims.append(desk.office())
        os.kill(victims[-1], kind)
        until(lambda n=count: desk.host.restarts == n)
        desk.show(frame)
        assert until(lambda: desk.host.control().values["CONTROL_COMMAND"]) == "PAUSE"
        assert desk.office() not in victims
    assert not any(running(pid) for pid in victims)
    # The writer alone: its office lives, with what the user has not saved.
    office_then = desk.office()
    desk.user().sheets["ALERT_SUMMARY"]["Z50"].value = "not saved yet"
    psutil.Process(desk.host._child.process.pid).kill()
    until(lambda: desk.host.restarts == 3)
    desk.show(frames[3])
    assert desk.office() == office_then
    assert desk.user().sheets["ALERT_SUMMARY"]["Z50"].value == "not saved yet"
    assert len(desk.lines) >= 3


@office
def test_a_workbook_that_the_user_closed_stays_closed_until_they_open_it(desk):
    desk.show(made_up_frame(1))
    # A second document keeps the office there, as a window of the user's would.
    front = LibreOfficeFront(desk.profile, headless=True)
    book = front.open(desk.host.path).book
    book.app.books.add()
    model = book.impl.document.model
    model.setModified(False)
    model.close(True)
    until(lambda: desk.host.status == "closed by user")
    told = desk.host.write(made_up_frame(2))
    assert (told.status, "open it again" in told.sentence) == ("skipped", True)
    front.open(desk.host.path)
    assert until(lambda: (r := desk.host.settle(1.0)) and r.status == "written" and r)
    assert desk.host.restarts == 0


def bands(path: Path) -> list[str]:
    """Mode and front cell of every sheet."""
    book = openpyxl.load_workbook(path)
    found = [
        book[sheet.name].cell(cell.row, cell.column).value
        for sheet in SHEETS for cells in sheet.cells if isinstance(cells, Cells)
        for cell in cells.cells if cell.source in ("band.mode", "band.front")
    ]  # fmt: skip
    book.close()
    return found


@office
def test_an_engine_that_is_killed_leaves_its_last_word_and_a_whole_file(tmp_path):
    if bridge.available():
        pytest.skip(bridge.available())
    book, profile = tmp_path / "OptionsDashboard.xlsx", tmp_path / "profile"
    root = Path(__file__).resolve().parent.parent
    try:
        for number in range(2):
            keep = "keep" if number < 1 else "end"
            engine = subprocess.Popen(
                [sys.executable, "-m", "tests.live_engine", book, profile, keep], stdout=subprocess.PIPE, text=True,
                cwd=root,
            )  # fmt: skip
            try:
                for _ in range(2 + number):
                    assert engine.stdout.readline().strip().endswith("written")
                writers = [p for p in psutil.Process(engine.pid).children() if "spawn_main" in " ".join(p.cmdline())]
            finally:
                engine.kill()
                engine.wait(30)
                engine.stdout.close()
            assert psutil.wait_procs(writers, timeout=60)[1] == []
            said = bands(book)
            assert all(text.startswith("ENGINE STOPPED ") for text in said), said
        assert process.profiles.recall(profile) is None
    finally:
        process.kill_own(profile)
