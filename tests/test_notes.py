"""Notes, lines of the day, sample formulas: what explains the numbers is there, and stays as it is."""

import re
import shutil
from pathlib import Path

import openpyxl
import pytest
from lxml import etree

from optionscanner.workbook.file_host import FileHost
from optionscanner.workbook.grid import Cells, Line, Table, Text
from optionscanner.workbook.layout import SAMPLES, SHEETS, blocks
from optionscanner.workbook.layout_examples import EXAMPLES
from optionscanner.workbook.layout_index import INDICES
from optionscanner.workbook.layout_system import NAMES
from optionscanner.workbook.meanings import meaning_of
from optionscanner.workbook.template import build_template
from optionscanner.workbook.template_extras import hints, notes
from tests.workbook_tools import convert, made_up_frame, parts

pytestmark = pytest.mark.filterwarnings("ignore:.*extension is not supported:UserWarning")

BY_NAME = {sheet.name: sheet for sheet in SHEETS}


@pytest.fixture(scope="module")
def template(tmp_path_factory):
    made = tmp_path_factory.mktemp("notes") / "OptionsDashboard.xlsx"
    made.write_bytes(build_template())
    return made


@pytest.fixture
def path(template, tmp_path):
    return Path(shutil.copy(template, tmp_path))


@pytest.fixture(scope="module")
def book(template):
    return openpyxl.load_workbook(template)


def note_of(book, sheet, row, column):
    comment = book[sheet].cell(row, column).comment
    return comment.text if comment is not None else ""


def hints_of(book, sheet):
    """(row, column) -> (title, words) shown while the cell is selected."""
    found = {}
    for rule in book[sheet].data_validations.dataValidation:
        for area in rule.sqref.ranges:
            found[area.min_row, area.min_col] = (rule.promptTitle, rule.prompt)
    return found


@pytest.mark.parametrize("sheet", SHEETS, ids=lambda sheet: sheet.name)
def test_every_column_has_a_note_of_one_to_three_lines(book, sheet):
    without = []
    for table in sheet.tables:
        for i, column in enumerate(table.columns):
            lines = note_of(book, sheet.name, table.row, table.column + i).splitlines()
            if column.header and not (1 <= len(lines) <= 3 and all(lines)):
                without.append((table.name, column.header, column.source))
    assert without == []


@pytest.mark.parametrize("index", INDICES)
def test_every_label_of_the_cards_has_a_hint(book, index):
    sheet = BY_NAME[index]
    cards = {text.column for text in sheet.texts if text.style == "card"}
    labels = [text for text in sheet.texts if text.style == "label" and text.column in cards]
    assert len(labels) > 40
    for label in labels:
        title, words = hints_of(book, index)[label.row, label.column]
        assert title == label.text
        assert len(words.splitlines()) in (1, 2, 3), label.text


def test_every_name_has_a_note_with_unit_clock_and_source(book):
    named = NAMES.named[0]
    for i, cell in enumerate(named.cells):
        note = note_of(book, "NAMES", named.row + i, named.column - 1)
        assert f"Unit: {cell.unit or 'text'}" in note, cell.name
        assert "As of: " in note


def test_every_label_above_the_ladders_of_open_interest_has_a_hint(book):
    found = hints_of(book, "OI_TRACKER")
    labels = [text for text in BY_NAME["OI_TRACKER"].texts if text.style == "label" and text.row < 14]
    assert len(labels) == 2 * 17
    for label in labels:
        title, words = found[label.row, label.column]
        assert title == label.text
        assert words.splitlines(), label.text


def test_every_item_of_the_band_has_a_hint_on_every_sheet(book):
    for sheet in SHEETS:
        found = hints_of(book, sheet.name)
        for cell in sheet.cells[0].cells:
            assert all(found[cell.row, cell.column]), (sheet.name, cell.source)


def test_no_hint_is_longer_than_a_spreadsheet_takes():
    for sheet in SHEETS:
        for row, column, title, words in hints(sheet):
            assert 0 < len(title) <= 32, (sheet.name, row, column)
            assert 0 < len(words) <= 255, (sheet.name, title)


def test_no_hint_is_shown_when_a_sheet_opens(book):
    for sheet in SHEETS:
        selected = book[sheet.name].sheet_view.selection[-1].activeCell
        row, column = openpyxl.utils.cell.coordinate_to_tuple(selected)
        assert (row, column) == (sheet.freeze[0] + 1, 1)
        assert (row, column) not in hints_of(book, sheet.name)


def test_no_note_stands_where_values_are_written():
    """LibreOffice drops the notes of a range that is given values; single cells are written with what lies between."""
    for sheet in SHEETS:
        boxes = []
        for _, block in blocks(sheet):
            if isinstance(block, Table):
                last = block.column + len(block.columns) - 1
                boxes.append((block.row + 1, block.column, block.last_row, last))
            elif isinstance(block, Line):
                table = sheet.table(block.table)
                boxes.append((block.row, table.column, block.row, table.column + len(table.columns) - 1))
            elif isinstance(block, Cells):
                rows, columns = [c.row for c in block.cells], [c.column for c in block.cells]
                boxes.append((min(rows), min(columns), max(rows), max(columns)))
            else:
                boxes.append((block.row, block.column, block.row + len(block.cells) - 1, block.column))
        inside = [(r, c) for r, c, _ in notes(sheet) if any(t <= r <= b and x <= c <= y for t, x, b, y in boxes)]
        assert inside == [], sheet.name


def test_a_note_says_what_the_reading_declares_in_the_unit_of_the_sheet(book):
    table = BY_NAME["ALERT_SUMMARY"].table("alert_summary")
    assert note_of(book, "ALERT_SUMMARY", table.row, table.column_of("price.atm_iv")) == (
        "implied volatility at the forward, from out-of-the-money strikes\n"
        "Unit: % a year. As of: price time.\nFrom: price.atm_iv in the history"
    )
    assert note_of(book, "ALERT_SUMMARY", table.row, table.column_of("flow.ewma_atm")) == (
        "mean put less call flow (EWMA), by nearness to the forward\n"
        "Unit: lakh, contracts or units, as UNITS says. As of: OI time.\nFrom: flow.ewma_atm in the history"
    )


def test_every_setting_has_a_note_that_tells_the_name_of_its_cell(book):
    for given in BY_NAME["CONTROL"].inputs:
        if given.height == 1:
            assert given.name in note_of(book, "CONTROL", given.row, 1).split(), given.name


def test_every_head_of_control_has_a_note(book):
    heads = [text for text in BY_NAME["CONTROL"].texts if text.style == "header" and text.text]
    assert len(heads) >= 8
    assert [t.text for t in heads if not note_of(book, "CONTROL", t.row, t.column)] == []


def test_meaning_and_named_clock_agree():
    """NAMES says in its clock column what its notes say in words."""
    words = {"price": "price time", "OI": "OI time"}
    for cell in NAMES.named[0].cells:
        meaning = meaning_of(cell.source.rpartition(":")[2])
        if meaning is not None and cell.clock in words and "price.open_interest_time" not in cell.source:
            assert meaning.clock == words[cell.clock], cell.name


def test_what_nobody_declares_has_no_meaning():
    assert meaning_of("price.no_such_column") is None


def test_no_two_notes_on_one_cell():
    for sheet in SHEETS:
        places = [(row, column) for row, column, _ in notes(sheet)]
        assert len(places) == len(set(places)), sheet.name


@pytest.mark.slow
def test_the_file_host_leaves_notes_lines_and_sample_formulas_byte_for_byte(path):
    before = parts(path)
    host = FileHost(path)
    assert host.write(made_up_frame(3)).status == "written"
    host.close()
    after = parts(path)
    kept = [name for name in before if "comments" in name or "vmlDrawing" in name]
    assert len(kept) == 2 * len(SHEETS)
    assert [name for name in kept if before[name] != after[name]] == []
    sparklines = rb"<x14:sparklineGroups.*</x14:sparklineGroups>"
    for name in before:
        if name.startswith("xl/worksheets/sheet"):
            assert re.findall(sparklines, before[name]) == re.findall(sparklines, after[name])
    sample = f"xl/worksheets/sheet{len(SHEETS) + 1}.xml"
    assert after[sample] == before[sample]


@pytest.mark.parametrize("index", INDICES)
def test_lines_of_the_day_draw_whole_columns_of_the_trail(template, index):
    sheet = BY_NAME[index]
    trail = sheet.table(f"{index}_trail")
    number = [s.name for s in SHEETS].index(index) + 1
    xml = etree.fromstring(parts(template)[f"xl/worksheets/sheet{number}.xml"])
    drawn = {e.getparent()[1].text: e.text for e in xml.iter("{*}f") if e.getparent().tag.endswith("}sparkline")}
    headers = {column.source: column.header for column in trail.columns}
    expected = {}
    for spark in sheet.sparks:
        column = openpyxl.utils.get_column_letter(trail.column_of(spark.source))
        cell = f"{openpyxl.utils.get_column_letter(spark.column)}{spark.row}"
        expected[cell] = f"'{index}'!{column}{trail.row + 1}:{column}{trail.row + 80}"
    assert drawn == expected
    assert {headers[spark.source] for spark in sheet.sparks} >= {"PCR", "TRS", "ATM flow"}


def test_names_stand_with_their_formula(book):
    named = NAMES.named[0]
    for i, cell in enumerate(named.cells):
        assert book["NAMES"].cell(named.row + i, 5).value == f"={cell.name}"
    assert {cell.value for cell in book["NAMES"][5][:6]} == {"Name", "Value", "Unit", "Clock", "Formula", "Meaning"}


def test_the_heartbeat_is_a_cell_that_no_frame_holds():
    (heartbeat,) = NAMES.owned
    named = NAMES.named[0]
    assert heartbeat.name == "HEARTBEAT"
    assert heartbeat.row == named.row + len(named.cells)
    assert "HEARTBEAT" not in {cell.name for cell in named.cells}


def test_samples_hold_no_block():
    for sheet in SAMPLES:
        assert (sheet.tables, sheet.lines, sheet.cells, sheet.named, sheet.inputs) == ((), (), (), (), ())


def test_sample_formulas_speak_of_names_headers_and_old_functions_only(book):
    functions = {
        "ABS", "AND", "COUNT", "COUNTIF", "COUNTIFS", "IF", "IFERROR", "INDEX", "MATCH", "MAX", "N", "OR", "SUM",
        "SUMIFS",
    }  # fmt: skip
    headers = {column.header for sheet in SHEETS for table in sheet.tables for column in table.columns}
    assert len(EXAMPLES.formulas) >= 15
    for formula in EXAMPLES.formulas:
        assert not re.search(r"\$?\b[A-Z]{1,3}\$?\d+\b", re.sub(r'"[^"]*"', "", formula.formula)), formula.formula
        words = set(re.findall(r"[A-Za-z_][A-Za-z_0-9]*", re.sub(r'"[^"]*"', "", formula.formula)))
        assert words - functions <= set(book.defined_names), formula.formula
        assert set(re.findall(r'MATCH\("([^"]+)",INDEX\(\w+,1,0\)', formula.formula)) <= headers


def test_each_sample_formula_stands_beside_its_text():
    texts = {(t.row, t.column): t.text for t in EXAMPLES.texts if isinstance(t, Text)}
    for formula in EXAMPLES.formulas:
        assert texts[formula.row, formula.column + 1] == formula.formula
        assert texts[formula.row, formula.column - 1]


@pytest.mark.slow
def test_an_unanswered_sample_formula_is_blank_and_not_zero(template):
    book = openpyxl.load_workbook(template, data_only=True)
    assert {book["EXAMPLES"].cell(f.row, f.column).value for f in EXAMPLES.formulas} <= {None, ""}


@pytest.mark.office
@pytest.mark.slow
def test_libreoffice_answers_the_sample_formulas_and_keeps_the_notes(path, tmp_path):
    host = FileHost(path)
    frame = made_up_frame(3)
    host.write(frame)
    host.close()
    again = convert(path, "xlsx", tmp_path / "office", recalculate=True)
    answers = openpyxl.load_workbook(again, data_only=True)["EXAMPLES"]
    given = {f.formula: answers.cell(f.row, f.column).value for f in EXAMPLES.formulas}
    assert [f for f, answer in given.items() if isinstance(answer, str) and answer.startswith(("#", "Err:"))] == []
    names = {cell.name: row[0] for cell, row in zip(NAMES.named[0].cells, frame.blocks["names"].rows, strict=True)}
    assert given["=NIFTY_ATM+NIFTY_STRADDLE"] == pytest.approx(
        (names["NIFTY_ATM"] or 0.0) + (names["NIFTY_STRADDLE"] or 0.0)
    )
    stocks = BY_NAME["STOCKS_GROUPED"].table("stocks")
    regime = [c.header for c in stocks.fields].index("Regime")
    bullish = sum(row[regime] == "BULLISH" for row in frame.blocks["stocks"].rows)
    assert next(v for f, v in given.items() if f.startswith('=COUNTIF(') and "BULLISH" in f) == bullish
    kept = openpyxl.load_workbook(again)
    for sheet in SHEETS:
        for row, column, words in notes(sheet):
            assert note_of(kept, sheet.name, row, column) == words
