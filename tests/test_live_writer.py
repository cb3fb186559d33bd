"""The writer of an open workbook, against a spreadsheet program in memory: what is written, where, and when not."""

import dataclasses
import re
import threading
import time
from itertools import pairwise
from multiprocessing import Pipe
from multiprocessing.sharedctypes import RawArray
from pathlib import Path

import pytest

from optionscanner.errors import WorkbookBusy
from optionscanner.model.frame import Frame
from optionscanner.workbook.formats import Kind
from optionscanner.workbook.grid import Column, Line
from optionscanner.workbook.layout import SHEETS, blocks
from optionscanner.workbook.live import held, wire
from optionscanner.workbook.live.binding import references
from optionscanner.workbook.live.front import Opened
from optionscanner.workbook.live.inputs import differing, read_inputs, write_inputs
from optionscanner.workbook.live.painter import Painter
from optionscanner.workbook.live.writer import Writer
from tests.live_stub import StubBook, StubFront, StubName
from tests.workbook_tools import made_up_frame


@pytest.fixture
def book():
    return StubBook()


@pytest.fixture
def painter(book):
    return Painter(StubFront(book), Opened(book, None), SHEETS)


def rows_of(frame: Frame) -> dict:
    return {name: block.rows for name, block in frame.blocks.items()}


def shown(book: StubBook, name: str) -> list[tuple]:
    """A table's values, column by column header, read from the stub's cells."""
    sheet, (left, top, right, bottom) = book.area(name)
    columns = [c for c in range(left, right + 1) if sheet.cells.get((top, c)) is not None]
    return [tuple(sheet.cells.get((row, c)) for c in columns) for row in range(top + 1, bottom + 1)]


def blank(rows) -> list[tuple]:
    return [tuple(None if value == "" else value for value in row) for row in rows]


def test_every_block_arrives_where_its_name_points(book, painter):
    frame = made_up_frame(1)
    painter.paint(rows_of(frame), state="live")
    for sheet in SHEETS:
        for table in sheet.tables:
            assert shown(book, table.name) == blank(frame.blocks[table.name].rows), table.name
        for cells in sheet.cells:
            for cell, row in zip(cells.cells, frame.blocks[cells.name].rows, strict=True):
                if cell.source != "band.front":
                    assert book.sheet(sheet.name).cells.get((cell.row, cell.column)) == (row[0] or None)
        for named in sheet.named:
            at = [book.sheet(sheet.name).cells.get((named.row + i, named.column)) for i in range(len(named.cells))]
            assert at == [row[0] or None for row in frame.blocks[named.name].rows]
        for name, block in blocks(sheet):
            if isinstance(block, Line):
                held_sheet, (left, top, *_) = book.area(name)
                table = sheet.table(block.table)
                columns = [left + i for i, c in enumerate(table.columns) if c.header]
                assert [tuple(held_sheet.cells.get((top, c)) for c in columns)] == blank(frame.blocks[name].rows)


def test_only_what_changed_is_written(book, painter):
    frame = made_up_frame(1)
    painter.paint(rows_of(frame), state="live")
    book.program.writes.clear()
    assert painter.paint(rows_of(frame), state="live").cells == 0
    assert book.program.writes == []
    rows = list(frame.blocks["stocks"].rows)
    rows[7] = (*rows[7][:4], 99.0, *rows[7][5:])
    painted = painter.paint({**rows_of(frame), "stocks": tuple(rows)}, state="live")
    assert painted.blocks == 1
    assert [sheet for sheet, _ in book.program.writes] == ["STOCKS_GROUPED"]
    # Row 13 (header in row 5) and nothing above or below it.
    assert book.program.writes[0][1].endswith("13")
    assert "13:" in book.program.writes[0][1]
    assert book.column("stocks", "TRS")[7] == 99.0


def test_a_frame_that_lacks_a_block_leaves_it(book, painter):
    frame = made_up_frame(1)
    painter.paint(rows_of(frame), state="live")
    before = shown(book, "alerts_feed")
    newer = rows_of(made_up_frame(2))
    del newer["alerts_feed"]
    painter.paint(newer, state="live")
    assert shown(book, "alerts_feed") == before


def test_a_shorter_table_is_padded_with_blanks(book, painter):
    frame = made_up_frame(1)
    painter.paint(rows_of(frame), state="live")
    painter.paint({**rows_of(frame), "alerts_feed": frame.blocks["alerts_feed"].rows[:2]}, state="live")
    assert shown(book, "alerts_feed")[2:] == [(None,) * 5] * 28


def test_values_that_no_cell_can_hold_become_blanks(book, painter):
    row = (float("nan"), None, float("inf"), "x", "")
    painter.paint({"alerts_feed": (row,)}, state="live")
    assert shown(book, "alerts_feed")[0] == (None, None, None, "x", None)


def test_the_front_cell_says_the_state_on_every_sheet(book, painter):
    painter.paint(rows_of(made_up_frame(1)), state="paused by you")
    said = [
        book.sheet(sheet.name).cells[cell.row, cell.column]
        for sheet in SHEETS for cells in sheet.cells for cell in cells.cells if cell.source == "band.front"
    ]  # fmt: skip
    assert set(said) == {"paused by you"}
    assert len(said) == len([sheet for sheet in SHEETS if any("_band" in cells.name for cells in sheet.cells)])


def test_a_pause_writes_control_and_the_front_cells_alone(book, painter):
    painter.paint(rows_of(made_up_frame(1)), state="live")
    before = {sheet.name: dict(sheet.cells) for sheet in book.sheets}
    painter.paint(rows_of(made_up_frame(2)), state="paused by you", only_control=True)
    fronts = {
        (sheet.name, cell.row, cell.column)
        for sheet in SHEETS for cells in sheet.cells for cell in cells.cells if cell.source == "band.front"
    }  # fmt: skip
    changed = {
        (sheet.name, *place)
        for sheet in book.sheets for place, value in sheet.cells.items() if before[sheet.name].get(place) != value
    }  # fmt: skip
    assert {place for place in changed if place[0] != "CONTROL"} == {f for f in fronts if f[0] != "CONTROL"}
    assert any(place[0] == "CONTROL" for place in changed)


# The user's own doing


def test_an_inserted_column_is_followed_and_left_alone(book, painter):
    frame = made_up_frame(1)
    painter.paint(rows_of(frame), state="live")
    book.insert_column("STOCKS_GROUPED", 4)
    sheet = book.sheet("STOCKS_GROUPED")
    sheet.cells[5, 4] = "Mine"
    for row in range(6, 246):
        sheet.cells[row, 4], sheet.formulas[row, 4] = float(row), f"=C{row}*2"
    newer = made_up_frame(2)
    painter.paint(rows_of(newer), state="live")
    for row in range(6, 246):
        assert (sheet.cells[row, 4], sheet.formulas[row, 4]) == (float(row), f"=C{row}*2")
    got = [row[:3] + row[4:] for row in shown(book, "stocks")]
    assert got == blank(newer.blocks["stocks"].rows)
    assert shown(book, "stocks_more") == blank(newer.blocks["stocks_more"].rows)


def test_nothing_is_written_beside_a_place_that_moved(book, painter):
    """The check comes before the write: not one write may go by the old places."""
    painter.paint(rows_of(made_up_frame(1)), state="live")
    book.insert_column("NIFTY", 1)
    book.program.writes.clear()
    painter.paint(rows_of(made_up_frame(2)), state="live")
    assert {address.partition(":")[0].rstrip("0123456789") for sheet, address in book.program.writes
            if sheet == "NIFTY"}.isdisjoint({"A"})  # fmt: skip
    assert book.sheet("NIFTY").cells.get((14, 1)) is None


def test_a_renamed_sheet_is_followed(book, painter):
    painter.paint(rows_of(made_up_frame(1)), state="live")
    book.sheet("STOCKS_GROUPED").name = "Shares"
    for name in book.names.values():
        name.refers_to = name.refers_to.replace("STOCKS_GROUPED", "Shares")
    newer = made_up_frame(2)
    painter.bind()
    painter.paint(rows_of(newer), state="live")
    assert shown(book, "stocks") == blank(newer.blocks["stocks"].rows)


def test_what_the_user_deleted_is_named_and_the_rest_written(book, painter):
    del book.names["alerts_feed"]
    book.sheet("STOCKS_GROUPED").cells[5, 5] = "not TRS any more"
    painter.bind()
    assert "alerts_feed" in painter.binding.missing
    assert "stocks.TRS" in painter.binding.missing
    frame = made_up_frame(1)
    painter.paint(rows_of(frame), state="live")
    assert book.column("stocks", "Spot") == [v or None for v in (row[2] for row in frame.blocks["stocks"].rows)]
    assert all(book.sheet("STOCKS_GROUPED").cells.get((row, 5)) is None for row in range(6, 246))


def test_what_the_user_typed_over_is_healed_when_its_table_changes(book, painter):
    frame = made_up_frame(1)
    painter.paint(rows_of(frame), state="live")
    sheet, (left, top, *_) = book.area("alert_summary")
    sheet.cells[top + 1, left + 2] = "oops"
    newer = made_up_frame(2)
    painter.paint(rows_of(newer), state="live")
    assert shown(book, "alert_summary") == blank(newer.blocks["alert_summary"].rows)


def test_a_formula_that_shows_nothing_survives_between_single_cells(book, painter):
    painter.paint(rows_of(made_up_frame(1)), state="live")
    used = {(c.row, c.column) for cells in SHEETS[0].cells for c in cells.cells}
    free = next((2, column) for column in range(2, 20) if (2, column) not in used)
    sheet = book.sheet("ALERT_SUMMARY")
    sheet.formulas[free] = '=IF(A1="","",1)'
    painter.paint(rows_of(made_up_frame(2)), state="live")
    assert sheet.formulas[free] == '=IF(A1="","",1)'


def test_a_table_grows_into_empty_cells_only(book, painter):
    frame = made_up_frame(1, heights={"stocks_scan": 203})
    painter.paint(rows_of(frame), state="live")
    assert shown(book, "stocks_scan") == blank(frame.blocks["stocks_scan"].rows)
    sheet, (left, top, _, bottom) = book.area("stocks_scan")
    assert bottom - top == 203
    sheet.formulas[bottom + 3, left] = '=""'
    longer = made_up_frame(2, heights={"stocks_scan": 210})
    painter.paint(rows_of(longer), state="live")
    assert book.area("stocks_scan")[1][3] - top == 205
    assert painter.truncated == ("stocks_scan",)
    assert sheet.formulas[bottom + 3, left] == '=""'


def test_two_spellings_of_references_mean_the_same(book):
    book.names.clear()
    for i, text in enumerate(
        ("='My sheet'!$A$1:$B$2", "$'My sheet'.$A$1:$B$2", "=A!$A$1,A!$C$3", "$A.$A$1;$A.$C$3", "$A.$A$1~$A.$C$3",
         "$'a;b~c'.$A$1")
    ):  # fmt: skip
        book.names[f"N{i}"] = StubName(f"N{i}", text)
    found = references(book)
    assert found["n0"].lstrip("=") == found["n1"] == "'My sheet'!$A$1:$B$2"
    assert found["n2"].lstrip("=") == found["n3"] == found["n4"] == "A!$A$1,A!$C$3"
    assert found["n5"] == "'a;b~c'!$A$1"


# The order of rows that a user filters or sorts

STOCKS = ("ACC", "BEL", "CIPLA", "DLF")


def ranked(*names: str, trs: float = 50.0) -> dict:
    """Blocks in which the stocks stand in this order."""
    widths = {name: len(table.fields) for sheet in SHEETS for table in sheet.tables for name in [table.name]}
    stocks = tuple((float(i + 1), name, trs, *[None] * (widths["stocks"] - 3)) for i, name in enumerate(names))
    more = tuple((name, float(i), *[None] * (widths["stocks_more"] - 2)) for i, name in enumerate(names))
    return {"stocks": stocks, "stocks_more": more}


def test_a_filter_holds_the_order_of_both_tables_and_says_so(book, painter):
    painter.paint(ranked(*STOCKS), state="live")
    painter.front.filters.add("STOCKS_GROUPED")
    band = {name: block.rows for name, block in made_up_frame(1).blocks.items() if name == "STOCKS_GROUPED_band"}
    painter.paint({**ranked("DLF", "ACC", "ZEEL", "BEL", trs=60.0), **band}, state="live")
    # CIPLA is gone and leaves its row, which the new name takes; Rank tells where each one stands now.
    assert book.column("stocks", "Symbol")[:5] == ["ACC", "BEL", "ZEEL", "DLF", None]
    assert book.column("stocks", "Rank")[:4] == [2.0, 4.0, 3.0, 1.0]
    assert book.column("stocks_more", "Symbol")[:4] == ["ACC", "BEL", "ZEEL", "DLF"]
    assert "live, order held: filter on" in book.sheet("STOCKS_GROUPED").cells.values()
    assert set(painter.holding) == {"stocks", "stocks_more"}
    painter.front.filters.clear()
    painter.paint(ranked("DLF", "ACC", "ZEEL", "BEL", trs=61.0), state="live")
    assert book.column("stocks", "Symbol")[:4] == ["DLF", "ACC", "ZEEL", "BEL"]
    assert painter.holding == {}


def test_an_own_sort_is_kept_until_the_sheet_is_back_in_rank_order(book, painter):
    painter.paint(ranked(*STOCKS), state="live")
    sheet, (left, top, right, _) = book.area("stocks")
    by_hand = ["DLF", "CIPLA", "BEL", "ACC"]
    rows = {sheet.cells[top + 1 + i, left + 1]: [sheet.cells.get((top + 1 + i, c)) for c in range(left, right + 1)]
            for i in range(4)}  # fmt: skip
    for i, name in enumerate(by_hand):
        for c, value in enumerate(rows[name]):
            sheet.cells[top + 1 + i, left + c] = value
    painter.paint(ranked(*STOCKS, trs=70.0), state="live")
    assert book.column("stocks", "Symbol")[:4] == by_hand
    assert book.column("stocks", "Spot")[:4] == [70.0] * 4
    painter.paint(ranked("BEL", "ACC", "DLF", "CIPLA", trs=71.0), state="live")
    assert book.column("stocks", "Symbol")[:4] == by_hand
    painter.paint(ranked(*by_hand, trs=72.0), state="live")
    assert painter.holding == {}
    painter.paint(ranked(*STOCKS, trs=73.0), state="live")
    assert book.column("stocks", "Symbol")[:4] == list(STOCKS)


def test_placed_keeps_rows_where_their_names_stand():
    rows = (("B", 1.0), ("A", 2.0), ("N", 3.0), ("M", 4.0))
    assert held.placed(rows, 0, ("A", "", "B")) == (("A", 2.0), ("N", 3.0), ("B", 1.0), ("M", 4.0))
    assert held.placed(rows[:1], 0, ("A", "B", "C")) == ((None, None), ("B", 1.0))


# Inputs


def test_inputs_are_read_in_one_call_a_sheet_and_written_back(book, painter):
    inputs = [given for sheet in SHEETS for given in sheet.inputs]
    command = next(given for given in inputs if given.name == "CONTROL_COMMAND")
    book.sheet("CONTROL").cells[command.row, command.column] = "PAUSE"
    watched = next(given for given in inputs if given.height > 1)
    book.sheet("CONTROL").cells[watched.row + 1, watched.column] = "TCS"
    book.program.reads = 0
    values = read_inputs(painter.binding)
    assert book.program.reads == len({sheet.name for sheet in SHEETS if sheet.inputs})
    assert values["CONTROL_COMMAND"] == "PAUSE"
    assert values[watched.name][:3] == (None, "TCS", None)
    assert set(values) == {given.name for given in inputs}
    write_inputs(painter.binding, {"CONTROL_COMMAND": None, watched.name: ("SBIN",), "GONE": 1.0})
    again = read_inputs(painter.binding)
    assert again["CONTROL_COMMAND"] is None
    assert again[watched.name] == ("SBIN", *[None] * (watched.height - 1))
    assert differing(values, again) == {"CONTROL_COMMAND": "PAUSE", watched.name: values[watched.name]}


def test_inputs_that_moved_are_not_misread(book, painter):
    """The word beside an input must stand there; after the names were read again it is found in its new place."""
    command = next(given for sheet in SHEETS for given in sheet.inputs if given.name == "CONTROL_COMMAND")
    book.sheet("CONTROL").cells[command.row, command.column] = "RECALC"
    book.insert_column("CONTROL", 1)
    assert read_inputs(painter.binding) is None
    painter.bind()
    assert read_inputs(painter.binding)["CONTROL_COMMAND"] == "RECALC"


# Excel reads text that looks like more


def test_excel_is_told_that_text_is_text(book):
    front = StubFront(book)
    front.name = "excel"
    column = Column("Any", 10, "any", Kind.ANY)
    words = Column("Word", 10, "word", Kind.TEXT)
    sheet = dataclasses.replace(
        SHEETS[0], tables=(dataclasses.replace(SHEETS[0].table("alerts_feed"), columns=(column, words)),), cells=()
    )  # fmt: skip
    book = StubBook((sheet,))
    painter = Painter(front, Opened(book, None), (sheet,))
    painter.paint({"alerts_feed": (("=1+1", "=1+1"), ("3 of 4", "5"), ("live", "x"), (2.0, None))}, state="live")
    assert shown(book, "alerts_feed")[:4] == [("'=1+1", "=1+1"), ("'3 of 4", "5"), ("live", "x"), (2.0, None)]


def test_blocks_of_a_frame_are_those_of_the_layout():
    """The tests above go through every block: a frame made up for them lacks none."""
    names = {name for sheet in SHEETS for name, _ in blocks(sheet)}
    assert set(made_up_frame(1).blocks) == names


# The loop


class Engine:
    """The engine's end of the pipe, with the writer on a thread of this process."""

    def __init__(self, book: StubBook, path: Path, **changed: object) -> None:
        self.front = StubFront(book)
        self.pipe, theirs = Pipe()
        path.write_bytes(b"")
        asked = {"share": 1.0, "save_every": 0.0, "poll_every": 0.02, "leave_open": True, "headless": None,
                 "profile": None, "template": bytes, "layout": SHEETS, "path": path, "front": "stub"}  # fmt: skip
        spec = wire.Spec(**{**asked, **changed})
        self.writer = Writer(spec, theirs, RawArray("d", 3), self.front)
        self.heard: list = []
        self.number = 0
        self.thread = threading.Thread(target=self.writer.run, daemon=True)
        self.thread.start()

    def show(self, blocks: dict) -> None:
        self.number += 1
        self.pipe.send(wire.Show(self.number, blocks))

    def until(self, wanted, seconds: float = 10.0):
        """The first message, from now on, of which `wanted` holds."""
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            if self.pipe.poll(0.05):
                message = self.pipe.recv()
                self.heard.append(message)
                if wanted(message):
                    return message
        raise AssertionError(f"not heard; but {self.heard}")

    def done(self, number: int | None = None) -> wire.Done:
        wanted = number or self.number
        return self.until(lambda m: isinstance(m, wire.Done) and m.number >= wanted)

    def told(self, status: str) -> wire.Told:
        return self.until(lambda m: isinstance(m, wire.Told) and m.status == status)

    def end(self) -> None:
        self.pipe.close()
        self.thread.join(10.0)
        assert not self.thread.is_alive()


@pytest.fixture
def engine(book, tmp_path):
    made = Engine(book, tmp_path / "Book.xlsx")
    yield made
    if not made.pipe.closed:
        made.end()


def alerts(text: str) -> dict:
    return {"alerts_feed": ((1.0, "NIFTY", text, None, None),), "ALERT_SUMMARY_band": ((text,),) * 16}


def test_a_refusal_is_waited_out_and_the_newest_frame_shown(book, engine):
    engine.show(alerts("one"))
    engine.done()
    book.program.refuse = 4
    engine.show(alerts("two"))
    engine.show(alerts("three"))
    assert engine.done().result.status == "written"
    assert book.column("alerts_feed", "Alert")[0] == "three"


def test_an_editing_user_is_left_alone(book, engine):
    engine.show(alerts("one"))
    engine.done()
    engine.front.reason = "editing"
    engine.show(alerts("two"))
    assert "while you are editing" in engine.told("paused").sentence
    assert book.column("alerts_feed", "Alert")[0] == "one"
    engine.front.reason = ""
    engine.told("live")
    assert book.column("alerts_feed", "Alert")[0] == "two"


def test_a_workbook_that_the_user_closed_is_not_opened_again_by_us(book, engine):
    engine.show(alerts("one"))
    engine.done()
    engine.front.open_books = False
    book.program.gone = True
    engine.show(alerts("two"))
    assert "open it again" in engine.told("closed by user").sentence
    assert engine.front.opens == 1
    engine.front.open_books = True
    engine.done()
    assert book.column("alerts_feed", "Alert")[0] == "two"


def test_a_crash_is_followed_by_a_start_with_the_inputs_of_before(book, engine):
    command = next(given for sheet in SHEETS for given in sheet.inputs if given.name == "CONTROL_COMMAND")
    cells = book.sheet("CONTROL").cells
    cells[command.row, command.column] = "PAUSE"
    engine.show(alerts("one"))
    engine.until(lambda m: isinstance(m, wire.Typed) and m.reading.values["CONTROL_COMMAND"] == "PAUSE")
    book.program.gone = True
    # The file on the disk is older than what the user typed.
    cells[command.row, command.column] = None
    engine.told("restarting")
    engine.show(alerts("two"))
    engine.done()
    assert cells[command.row, command.column] == "PAUSE"
    assert book.column("alerts_feed", "Alert")[0] == "two"
    assert engine.front.opens == 2


def test_inputs_are_told_when_they_change(book, engine):
    engine.show(alerts("one"))
    first = engine.until(lambda m: isinstance(m, wire.Typed))
    assert first.reading.values["CONTROL_COMMAND"] is None
    engine.pipe.send(wire.SetInputs({"CONTROL_COMMAND": "RECALC"}))
    assert engine.until(lambda m: isinstance(m, wire.Typed)).reading.values["CONTROL_COMMAND"] == "RECALC"


def test_the_last_word_on_every_sheet_is_that_the_engine_stopped(book, engine):
    """The pipe ends: the engine was killed. Whether the numbers that stay were ever real ones must still be seen."""
    engine.show(rows_of(made_up_frame(1)))
    engine.done()
    places = [
        (book.sheet(sheet.name).cells, (c.row, c.column), c.source)
        for sheet in SHEETS for cells in sheet.cells for c in cells.cells if c.source in ("band.mode", "band.front")
    ]  # fmt: skip
    modes = [cells[at] for cells, at, source in places if source == "band.mode"]
    assert len(modes) == len(SHEETS) and any(modes)
    engine.end()
    for cells, at, source in places:
        stopped, _, mode = cells[at].partition("  ")
        assert re.fullmatch(r"ENGINE STOPPED \d\d:\d\d:\d\d", stopped)
        assert mode == (modes.pop(0) or "" if source == "band.mode" else "")
    assert engine.front.saves == ["save", "left open"]


def test_the_file_of_a_day_that_nobody_looks_at_keeps_its_last_picture(book, tmp_path):
    engine = Engine(book, tmp_path / "Book.xlsx", leave_open=False)
    engine.show(alerts("one"))
    engine.pipe.send(wire.Leave())
    engine.thread.join(10.0)
    assert engine.front.saves == ["save", "closed"]
    assert book.column("alerts_feed", "Alert")[0] == "one"
    assert not any("STOPPED" in str(value) for value in book.sheet("ALERT_SUMMARY").cells.values())


def test_the_share_of_time_is_kept(book, tmp_path, monkeypatch):
    """After a write of t seconds nine times t pass before the next one, at a share of a tenth; opening has no share."""
    engine = Engine(book, tmp_path / "Book.xlsx", share=0.1)
    paint, began = engine.front.quiet, []

    def slow(opened):
        began.append(time.monotonic())
        time.sleep(0.05)
        return paint(opened)

    monkeypatch.setattr(engine.front, "quiet", slow)
    for i in range(4):
        engine.show(alerts(str(i)))
        engine.done()
    gaps = [later - earlier for earlier, later in pairwise(began[1:])]
    assert min(gaps) >= 0.5
    engine.end()


def test_an_answer_on_control_waits_for_no_share_of_time(book, tmp_path):
    """At this share the next ordinary picture may be written in minutes."""
    engine = Engine(book, tmp_path / "Book.xlsx", share=0.00001)
    engine.show(alerts("one"))
    engine.done()
    engine.show({**alerts("two"), "CONTROL_ACKNOWLEDGED": ((7.0,),)})
    engine.done()
    sheet, (left, top, _, _) = book.area("CONTROL_ACKNOWLEDGED")
    assert sheet.cells[top, left] == 7.0
    engine.end()


def test_a_locked_workbook_is_told_and_tried_again(book, tmp_path, monkeypatch):
    monkeypatch.setattr("optionscanner.workbook.live.writer.LOCKED_EVERY_S", 0.05)
    tries = []

    def opened(self, path):
        tries.append(path)
        if len(tries) < 3:
            raise WorkbookBusy("Book.xlsx is open in another program: close it there")
        return Opened(book, None)

    monkeypatch.setattr(StubFront, "open", opened)
    again = Engine(book, tmp_path / "Book.xlsx")
    assert "close it there" in again.told("locked").sentence
    again.show(alerts("one"))
    again.done()
    assert len(tries) == 3
    again.end()


def test_a_request_is_answered(book, engine, tmp_path):
    engine.pipe.send(wire.Ask(7, "save_copy", (tmp_path / "copy.xlsx",)))
    assert engine.until(lambda m: isinstance(m, wire.Reply)) == wire.Reply(7, "")
    assert (tmp_path / "copy.xlsx").read_text() == "copy"


def test_the_workbook_is_saved_every_now_and_then(book, tmp_path):
    engine = Engine(book, tmp_path / "Book.xlsx", save_every=0.05)
    engine.show(alerts("one"))
    engine.done()
    until = time.monotonic() + 10.0
    while not engine.front.saves and time.monotonic() < until:
        time.sleep(0.02)
    assert engine.front.saves == ["save"]
    engine.end()
