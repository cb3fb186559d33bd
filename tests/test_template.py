"""The template: one file for one layout, with every name, width, format and rule, that any spreadsheet opens."""

import re
from pathlib import Path

import openpyxl
import pytest
from lxml import etree

from optionscanner.workbook.formats import Kind
from optionscanner.workbook.grid import Cells, Line, Table
from optionscanner.workbook.layout import SAMPLES, SHEETS, blocks
from optionscanner.workbook.layout_control import CONTROL
from optionscanner.workbook.layout_index import INDICES, PICKED
from optionscanner.workbook.template import build_template
from tests.workbook_tools import assert_well_formed, convert, parts

pytestmark = pytest.mark.filterwarnings("ignore:.*extension is not supported:UserWarning")


@pytest.fixture(scope="module")
def path(tmp_path_factory) -> Path:
    made = tmp_path_factory.mktemp("template") / "OptionsDashboard.xlsx"
    made.write_bytes(build_template())
    return made


@pytest.fixture(scope="module")
def book(path):
    return openpyxl.load_workbook(path)


def letters(column):
    return openpyxl.utils.get_column_letter(column)


def test_the_same_layout_gives_the_same_bytes(path):
    assert build_template() == path.read_bytes()


def test_every_part_is_well_formed(path):
    assert_well_formed(path)


def test_sheets_and_the_one_that_opens(book):
    assert book.sheetnames == [sheet.name for sheet in (*SHEETS, *SAMPLES)]
    assert book.active.title == "ALERT_SUMMARY"


def test_every_block_has_its_defined_name(book):
    expected = {}
    for sheet in SHEETS:
        for name, block in blocks(sheet):
            if isinstance(block, Table):
                last = letters(block.column + len(block.columns) - 1)
                expected[name] = [(sheet.name, f"${letters(block.column)}${block.row}:${last}${block.last_row}")]
            elif isinstance(block, Line):
                table = sheet.table(block.table)
                last = letters(table.column + len(table.columns) - 1)
                until = f":${last}${block.row}" if len(table.columns) > 1 else ""
                expected[name] = [(sheet.name, f"${letters(table.column)}${block.row}{until}")]
            elif isinstance(block, Cells):
                expected[name] = [(sheet.name, f"${letters(c.column)}${c.row}") for c in block.cells]
            else:
                for i, cell in enumerate(block.cells):
                    expected[cell.name] = [(sheet.name, f"${letters(block.column)}${block.row + i}")]
        for cell in sheet.inputs:
            column, end = letters(cell.column), cell.row + cell.height - 1
            until = f":${column}${end}" if cell.height > 1 else ""
            expected[cell.name] = [(sheet.name, f"${column}${cell.row}{until}")]
        for cell in sheet.owned:
            expected[cell.name] = [(sheet.name, f"${letters(cell.column)}${cell.row}")]
    assert {name: [*value.destinations] for name, value in book.defined_names.items()} == expected


def test_no_name_is_longer_than_a_formula_may_be(path):
    names = re.findall(rb"<definedName[^>]*>([^<]*)<", parts(path)["xl/workbook.xml"])
    assert max(map(len, names)) < 8_192


def test_headers_stand_where_the_layout_says(book):
    for sheet in SHEETS:
        for table in sheet.tables:
            shown = [book[sheet.name].cell(table.row, table.column + i).value for i in range(len(table.columns))]
            assert shown == [column.header or None for column in table.columns]


def test_no_cell_holds_a_value_yet(book):
    fixed = {(s.name, t.row, t.column) for s in (*SHEETS, *SAMPLES) for t in (*s.texts, *s.formulas)}
    fixed |= {
        (s.name, table.row, table.column + i) for s in SHEETS for table in s.tables for i in range(len(table.columns))
    }
    fixed |= {(s.name, cell.row, cell.column) for s in SHEETS for cell in s.inputs if cell.default is not None}
    held = {(s.title, c.row, c.column) for s in book for row in s.iter_rows() for c in row if c.value is not None}
    assert held - fixed == set()


def test_column_widths(book):
    for sheet in SHEETS:
        for column, width in enumerate(sheet.widths, 1):
            # Files say the width with its padding: 5 pixels in 7 more.
            shown = book[sheet.name].column_dimensions
            group = next(d for d in shown.values() if d.min <= column <= d.max)
            assert group.width == pytest.approx(width + 5 / 7, abs=0.01)


def test_every_body_cell_carries_the_number_format_of_its_kind(book):
    """Preset down to the last row kept ready, so that a host writes values only."""
    for sheet in SHEETS:
        for table in sheet.tables:
            for i, column in enumerate(table.columns):
                for row in (table.row + 1, table.last_row):
                    cell = book[sheet.name].cell(row, table.column + i)
                    assert cell.number_format == column.kind.number_format, (table.name, column.header)


def test_text_columns_are_text_so_that_nothing_becomes_a_formula(book):
    texts = [c for s in SHEETS for t in s.tables for c in t.columns if c.kind in (Kind.TEXT, Kind.WORD)]
    assert {column.kind.number_format for column in texts} == {"@"}


def test_freeze_panes_and_printing(book):
    for sheet in SHEETS:
        shown = book[sheet.name]
        rows, columns = sheet.freeze
        assert shown.freeze_panes == f"{letters(columns + 1)}{rows + 1}"
        assert shown.page_setup.orientation == "landscape"
        assert (shown.sheet_properties.pageSetUpPr.fitToPage, shown.page_setup.fitToHeight) == (True, sheet.pages)
        assert not shown.sheet_view.showGridLines


def test_the_font_is_calibri_11(book):
    fonts = {(c.font.name, c.font.sz) for c in book["ALERT_SUMMARY"][6]}
    assert fonts == {("Calibri", 11.0)}


def test_nothing_is_merged(book):
    assert [sheet.title for sheet in book if sheet.merged_cells.ranges] == []


def rules(book, sheet):
    return [
        (str(where.sqref), formula)
        for where, found in book[sheet].conditional_formatting._cf_rules.items()
        for rule in found
        for formula in rule.formula
    ]


def test_a_refusal_is_coloured_in_whatever_row_of_control_it_stands(book):
    answers = [c for cells in CONTROL.cells for c in cells.cells if c.source.startswith("control.answer:")]
    ranges = [where for where, formula in rules(book, "CONTROL") if '"refused"' in formula]
    bounds = [openpyxl.utils.range_boundaries(where) for where in ranges]
    bare = {c.row for c in answers if not any(b[0] <= c.column <= b[2] and b[1] <= c.row <= b[3] for b in bounds)}
    assert answers and bare == set()


@pytest.mark.parametrize("sheet", [sheet.name for sheet in SHEETS])
def test_rules_over_several_ranges_start_at_their_common_corner(book, sheet):
    """Spreadsheets differ about where a relative formula starts otherwise."""
    for where, _ in rules(book, sheet):
        first, *more = (openpyxl.utils.range_boundaries(piece) for piece in where.split())
        assert all(first[0] <= piece[0] and first[1] <= piece[1] for piece in more), where


@pytest.mark.parametrize("sheet", [sheet.name for sheet in SHEETS])
def test_rules_speak_only_of_names_that_exist(book, sheet):
    functions = {"AND", "OR", "IF", "ISNUMBER", "LEFT", "SEARCH", "ABS", "N", "MAX", "NOW", "TRUE", "FALSE"}
    for where, formula in rules(book, sheet):
        words = set(re.findall(r"[A-Za-z_][A-Za-z_0-9]*", re.sub(r'"[^"]*"|\$?[A-Z]{1,2}\$?\d+', "", formula)))
        assert words - functions <= set(book.defined_names), (where, formula)


@pytest.mark.parametrize("name", [*INDICES, PICKED])
def test_the_ladder_marks_the_money_of_the_chain_that_the_cards_above_show(book, name):
    sheet = next(sheet for sheet in SHEETS if sheet.name == name)
    cards = {cell.source: cell for cells in sheet.cells for cell in cells.cells}
    strike = sheet.table("drill_chain" if name == PICKED else f"{name}_chain").column_of("chain.strike")
    formulas = [f for where, f in rules(book, name) if where.startswith(letters(strike))]
    for source in ("open_interest.call_wall", "open_interest.put_wall", "open_interest.max_pain"):
        cell = cards[source]
        assert any(f.endswith(f"=${letters(cell.column)}${cell.row})") for f in formulas), source
    atm = cards["price.atm_strike"]
    assert any(f.endswith(f"=${letters(atm.column)}${atm.row})") for _, f in rules(book, name))


def test_all_modes_and_bands_have_a_rule(book):
    formulas = " ".join(formula for _, formula in rules(book, "ALERT_SUMMARY"))
    for word in ("LIVE", "REPLAY", "SIMULATED", "ENGINE STOPPED", "AGGRESSIVE", "NORMAL", "SMALL/HEDGED", "NO TRADE"):
        assert f'"{word}"' in formulas
    for word in ("PRE-OPEN", "CLOSED", "paused", "busy", "late", "stale"):
        assert f'="{word}"' in formulas
    assert "HEARTBEAT" in formulas
    assert "STALE_REFRESHES" in formulas
    assert "LATE_REFRESHES" in formulas


def test_bars_of_both_sides_share_one_scale(path):
    xml = etree.fromstring(parts(path)["xl/worksheets/sheet2.xml"])
    scales = [e.text for e in xml.iter("{*}f") if e.text and e.text.startswith("MAX(")]
    assert scales == ["MAX($A$16:$A$36,$Y$16:$Y$36)"] * 2


@pytest.mark.office
def test_libreoffice_opens_it_and_keeps_every_name(path, tmp_path):
    again = openpyxl.load_workbook(convert(path, "xlsx", tmp_path / "office"))
    assert again.sheetnames == [sheet.name for sheet in (*SHEETS, *SAMPLES)]
    ours = openpyxl.load_workbook(path).defined_names
    assert {n: sorted(v.destinations) for n, v in again.defined_names.items()} == {
        n: sorted(v.destinations) for n, v in ours.items()
    }
