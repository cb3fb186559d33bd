"""Input cells of a closed file: what is read, what is put back, and what a pause leaves alone."""

from dataclasses import replace
from datetime import UTC, datetime

import openpyxl
import pytest

from optionscanner.model.frame import Block, Frame
from optionscanner.workbook.file_host import FileHost
from optionscanner.workbook.layout_control import CONTROL
from optionscanner.workbook.layout_index import index_sheet
from optionscanner.workbook.render import ShowSettings, render
from tests import builders

pytestmark = [
    pytest.mark.filterwarnings("ignore:.*extension is not supported:UserWarning"),
    pytest.mark.filterwarnings("ignore:.*is marked as a date:UserWarning"),  # invented numbers of the test market
]

AT = datetime(2026, 1, 30, 10, 30, tzinfo=UTC)
CELL = {cell.name: (cell.row, cell.column) for cell in CONTROL.inputs}


@pytest.fixture
def host(tmp_path):
    made = FileHost(tmp_path / "w.xlsx")
    assert made.control() is None
    assert made.write(Frame.of(AT, [])).status == "written"
    yield made
    made.close()


def typed(host, **cells) -> None:
    """The user's spreadsheet saves the file with these cells."""
    book = openpyxl.load_workbook(host.path)
    for name, value in cells.items():
        row, column = CELL[name]
        for i, one in enumerate(value if isinstance(value, tuple) else (value,)):
            book["CONTROL"].cell(row + i, column).value = one
    book.save(host.path)


def cell(host, name) -> object:
    return openpyxl.load_workbook(host.path)["CONTROL"].cell(*CELL[name]).value


def test_a_new_workbook_holds_nothing_but_the_first_number(host):
    values = host.control().values
    # The cells of CONTROL, the two of EXPOSURE that pick the worked leg, DRILLDOWN's pickers, what colours HEATMAP.
    drilled = {"DRILL_SYMBOL", "DRILL_EXPIRY", "DRILL_AS_OF"}
    assert set(values) == set(CELL) | drilled | {"EXPOSURE_STRIKE", "EXPOSURE_TYPE", "HEATMAP_SCALE"}
    held = {name: value for name, value in values.items() if value not in (None, (None,) * 40)}
    assert held == {"CONTROL_REQUEST": 0.0, "HEATMAP_SCALE": "GEX"}


@pytest.mark.slow
def test_what_the_user_saved_is_read(host):
    typed(host, CONTROL_COMMAND="RECALC", CONTROL_REQUEST=3, CONTROL_MUTE_UNTIL=0.5, CONTROL_SHARE="=4*5",
          CONTROL_WATCHLIST=("INFY", None, "M&M"))  # fmt: skip
    values = host.control().values
    assert (values["CONTROL_COMMAND"], values["CONTROL_REQUEST"], values["CONTROL_MUTE_UNTIL"]) == ("RECALC", 3.0, 0.5)
    assert values["CONTROL_WATCHLIST"][:4] == ("INFY", None, "M&M", None)
    assert values["CONTROL_SHARE"] is None  # a formula that nothing has computed yet


def test_it_is_read_again_only_when_somebody_saved(host):
    first = host.control()
    assert host.control() is first
    host.write(Frame.of(AT, [Block("CONTROL_ACKNOWLEDGED", ((5.0,),))]))
    assert host.control().values == first.values


@pytest.mark.slow
def test_cells_are_put_back_and_a_picture_never_touches_the_others(host):
    typed(host, CONTROL_COMMAND="STOP", CONTROL_UNITS="UNITS", CONTROL_WATCHLIST=("INFY", "TCS"))
    host.control()
    host.set_inputs({"CONTROL_COMMAND": None, "CONTROL_WATCHLIST": ("SBIN",), "GONE": 1.0})
    frame, _ = render(builders.day_of_reports([builders.ist(10, 30)])[0])
    assert host.write(frame).status == "written"
    assert [cell(host, name) for name in ("CONTROL_COMMAND", "CONTROL_UNITS")] == [None, "UNITS"]
    assert host.control().values["CONTROL_WATCHLIST"][:2] == ("SBIN", None)
    before = host.path.read_bytes()
    host.write(frame)
    assert host.path.read_bytes() == before


@pytest.mark.slow
def test_what_cannot_be_put_back_now_is_put_back_later(host):
    typed(host, CONTROL_COMMAND="PAUSE")
    lock = host.path.with_name(f".~lock.{host.path.name}#")
    lock.touch()
    host.set_inputs({"CONTROL_COMMAND": None})
    assert host.write(Frame.of(AT, [])).status == "skipped"
    assert host.control().values["CONTROL_COMMAND"] == "PAUSE"
    lock.unlink()
    host.write(Frame.of(AT, []))
    assert host.control().values["CONTROL_COMMAND"] is None


@pytest.mark.slow
def test_a_row_that_the_user_inserts_moves_the_cell_along(host):
    book = openpyxl.load_workbook(host.path)
    row, column = CELL["CONTROL_UNITS"]
    book["CONTROL"].cell(row + 1, column).value = "CONTRACTS"
    book.defined_names["CONTROL_UNITS"].attr_text = f"'CONTROL'!$B${row + 1}"
    del book.defined_names["CONTROL_SHARE"]
    book.save(host.path)
    values = host.control().values
    assert values["CONTROL_UNITS"] == "CONTRACTS"
    assert "CONTROL_SHARE" not in values


@pytest.mark.slow
def test_while_paused_only_control_and_the_front_change_even_after_the_user_saved(host):
    report, later = builders.day_of_reports([builders.ist(10, 30), builders.ist(10, 35)])
    host.write(render(report)[0])
    host.paused = True
    typed(host, CONTROL_UNITS="UNITS")
    frame, _ = render(replace(later, message="news"), settings=ShowSettings(front="paused by you"))
    acknowledged = Block("CONTROL_ACKNOWLEDGED", ((7.0,),))
    assert host.write(Frame(frame.as_of, {**frame.blocks, acknowledged.name: acknowledged})).status == "written"
    book = openpyxl.load_workbook(host.path)
    shown = {sheet.title: [[c.value for c in row] for row in sheet.iter_rows()] for sheet in book}
    assert "10:30:00" in shown["NIFTY"][0][0] and "10:35:00" in shown["CONTROL"][0][0]
    assert all("paused by you" in shown[sheet][0] for sheet in ("NIFTY", "CONTROL", "STOCKS_GROUPED"))
    chain = index_sheet("NIFTY").table("NIFTY_chain")
    assert book["NIFTY"].cell(chain.row + 1, chain.column_of("chain.strike")).value == 25_200
    assert book["CONTROL"].cell(CELL["CONTROL_REQUEST"][0] + 1, 2).value == 7.0
    host.paused = False
    host.write(frame)
    assert "10:35:00" in openpyxl.load_workbook(host.path)["NIFTY"]["A1"].value
