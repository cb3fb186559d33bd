"""The file host: values arrive, and nothing of the user's is touched, whoever saved the file last."""

import dataclasses
import os
import stat
import zipfile

import openpyxl
import pytest
from openpyxl.chart import LineChart, Reference
from openpyxl.comments import Comment
from openpyxl.utils import get_column_letter
from openpyxl.utils.escape import unescape
from openpyxl.worksheet.datavalidation import DataValidation

from optionscanner.model.frame import Block, Frame
from optionscanner.workbook.file_host import FileHost
from optionscanner.workbook.formats import Kind
from optionscanner.workbook.grid import Column
from optionscanner.workbook.layout import SHEETS
from optionscanner.workbook.template import build_template
from tests.workbook_tools import (
    AS_OF,
    assert_shows,
    assert_well_formed,
    convert,
    made_up_frame,
    parts,
    read_back,
    rewrite,
)

OUR_SHEETS = {sheet.name for sheet in SHEETS}
# openpyxl says what of a foreign file it will not keep; the tests only read with it, or mean just that loss.
pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore:.*extension is not supported:UserWarning")]


@pytest.fixture(scope="module")
def template() -> bytes:
    return build_template()


@pytest.fixture
def path(tmp_path, template):
    place = tmp_path / "OptionsDashboard.xlsx"
    place.write_bytes(template)
    return place


@pytest.fixture
def host(path):
    made = FileHost(path)
    yield made
    made.close()


def frame_of(**blocks: tuple) -> Frame:
    return Frame.of(AS_OF, [Block(name, rows) for name, rows in blocks.items()])


def altered(frame: Frame, **blocks: tuple) -> Frame:
    return Frame(frame.as_of, {**frame.blocks, **{name: Block(name, rows) for name, rows in blocks.items()}})


SHEETS_BY_NAME = {sheet.name: sheet for sheet in SHEETS}
CHAIN = SHEETS_BY_NAME["NIFTY"].table("NIFTY_chain")
STRIKES_FROM = CHAIN.row + 1
STOCKS_WIDTH = len(SHEETS_BY_NAME["STOCKS_GROUPED"].table("stocks").fields)


def rows_of(block: str, count: int, width: int = STOCKS_WIDTH) -> tuple:
    return tuple(tuple(float(r * 100 + c) for c in range(width)) for r in range(count))


# The workbooks of a user


def add_users_things(path):
    """What a user adds: a sheet with formulas and a chart, a column and notes inside our sheets, a merge, a note."""
    book = openpyxl.load_workbook(path)
    mine = book.create_sheet("My trades & <ideas>", 0)
    mine["A1"] = "=NIFTY_SPOT*2"
    mine["A2"] = "=ALERT_SUMMARY!C6+1"
    mine["A3"] = "=SUM(STOCKS_GROUPED!C6:C245)"
    mine["B1"] = "kept <as> it & is"
    mine["C1"] = 123_456_789_012_345.0
    mine.merge_cells("D1:F3")
    chart = LineChart()
    chart.add_data(Reference(book["NIFTY"], min_col=1, min_row=13, max_row=34), titles_from_data=True)
    mine.add_chart(chart, "H2")
    summary = book["ALERT_SUMMARY"]
    summary["Z5"] = "Mine"
    for row in range(6, 36):
        summary[f"Z{row}"] = f"=C{row}*2"
    summary["S8"] = "in the gap"
    summary["A40"] = "below the table"
    summary.merge_cells("B42:D43")
    summary["A41"].comment = Comment("my note", "me")
    rule = DataValidation(type="list", formula1='"yes,no"')
    rule.add("Z36")
    summary.add_data_validation(rule)
    stocks = book["STOCKS_GROUPED"]
    for row in range(6, 20):
        stocks.cell(row, 19).value = f"=E{row}>60"
    book.save(path)


def cells_of_others(path):
    """(sheet, cell) -> value or formula, of every cell that is none of ours."""
    ours = {}
    for sheet in SHEETS:
        taken = ours.setdefault(sheet.name, set())
        for table in sheet.tables:
            for row in range(table.row - 1, table.last_row + 1):
                taken |= {(row, table.column + i) for i, column in enumerate(table.columns) if column.header}
        for line in sheet.lines:
            table = sheet.table(line.table)
            taken |= {(line.row, table.column + i) for i in range(len(table.columns))}
        taken |= {(cell.row, cell.column) for cells in sheet.cells for cell in cells.cells}
        taken |= {(named.row + i, named.column) for named in sheet.named for i in range(len(named.cells))}
    book = openpyxl.load_workbook(path)
    found = {}
    for sheet in book:
        for row in sheet.iter_rows():
            for cell in row:
                if cell.value is not None and (cell.row, cell.column) not in ours.get(sheet.title, ()):
                    found[sheet.title, cell.coordinate] = cell.value
    return found


def styles_of(path):
    book = openpyxl.load_workbook(path)
    return {
        (sheet.title, cell.coordinate): cell.style_id for sheet in book for row in sheet.iter_rows() for cell in row
    }


def sheet_parts(path):
    """sheet name -> part, by openpyxl."""
    book = openpyxl.load_workbook(path, read_only=True)
    found = {sheet.title: sheet._worksheet_path.lstrip("/") for sheet in book}
    book.close()
    return found


def furniture(path):
    """Everything of our sheets beside their cells: widths, merges, rules, notes, printing."""
    held = parts(path)
    found = {}
    for name, part in sheet_parts(path).items():
        xml = held[part].decode("utf-8")
        found[name] = (xml[: xml.index("<sheetData")], xml[xml.index("</sheetData>") :])
    return found


def assert_users_things_survive(path, first, second):
    """Two frames, each read back; cells, styles, furniture and parts of others as they were."""
    before = parts(path), cells_of_others(path), styles_of(path), furniture(path)
    others = {name: part for name, part in sheet_parts(path).items() if name not in OUR_SHEETS}
    host = FileHost(path)
    for frame in (first, second):
        result = host.write(frame)
        assert (result.status, result.sentence, result.missing) == ("written", "", ())
        assert_shows(path, frame)
        assert_well_formed(path)
    host.close()
    rewritten = {part for name, part in sheet_parts(path).items() if name in OUR_SHEETS}
    rewritten |= {"xl/workbook.xml", "[Content_Types].xml", "xl/_rels/workbook.xml.rels"}
    after = parts(path)
    assert {n: d for n, d in after.items() if n not in rewritten} == {
        n: d for n, d in before[0].items() if n not in rewritten and n != "xl/calcChain.xml"
    }
    assert others
    assert (cells_of_others(path), styles_of(path), furniture(path)) == before[1:]


# The template's own file


def test_every_cell_of_every_block_arrives(path, host):
    """All kinds of numbers, times, special characters, texts that look like formulas, blanks."""
    frame = made_up_frame(1)
    result = host.write(frame)
    assert (result.status, result.sentence, result.missing) == ("written", "", ())
    assert result.cells == sum(v is not None for b in frame.blocks.values() for r in b.rows for v in r) + sum(
        v is None for b in frame.blocks.values() for r in b.rows for v in r
    ) + blanks_below(frame)
    assert_shows(path, frame)
    assert_well_formed(path)


def blanks_below(frame):
    """Cells of the file's rows below shorter blocks: the first write blanks them as well."""
    return sum(
        (len(rows) - len(frame.blocks[name].rows)) * len(rows[0]) for name, rows in host_rows().items()
    )


def host_rows():
    """block -> as many rows as the layout keeps ready."""
    return {name: block.rows for name, block in made_up_frame(1).blocks.items()}


def test_the_next_frame_replaces_the_first_one_whole(path, host):
    host.write(made_up_frame(1))
    second = made_up_frame(2)
    assert host.write(second).status == "written"
    assert_shows(path, second)
    assert_well_formed(path)


def test_other_parts_keep_their_bytes(path, host):
    before = parts(path)
    host.write(made_up_frame(1))
    after = parts(path)
    sheets = {f"xl/worksheets/sheet{i}.xml" for i in range(1, len(SHEETS) + 1)}
    assert {n for n in after if after[n] != before[n]} == sheets
    assert list(after) == list(before)


def test_unchanged_sheets_are_not_written_again(path, host):
    frame = made_up_frame(1)
    host.write(frame)
    before = parts(path)
    assert host.write(altered(frame, health=())).cells > 0
    after = parts(path)
    part = sheet_parts(path)["SYSTEM_HEALTH"]
    assert {n for n in after if after[n] != before[n]} == {part}


def test_the_same_frame_again_leaves_the_file_alone(path, host):
    host.write(made_up_frame(1))
    stamp = path.stat().st_mtime_ns
    result = host.write(made_up_frame(1))
    assert (result.status, result.cells, result.blocks) == ("written", 0, 0)
    assert path.stat().st_mtime_ns == stamp


def test_a_block_that_is_absent_keeps_what_the_sheet_shows(path, host):
    frame = made_up_frame(1)
    host.write(frame)
    host.write(frame_of(health=(("Engine", "running", None, "OK", None, None),)))
    assert read_back(path)["health"][0] == ("Engine", "running", None, "OK", None, None)
    assert_shows(path, frame, but=frozenset({"health"}))


def test_formulas_are_computed_when_the_file_is_opened(path, host):
    host.write(made_up_frame(1))
    assert b'fullCalcOnLoad="1"' in parts(path)["xl/workbook.xml"]


@pytest.mark.parametrize(
    "text",
    [
        "=cmd|' /C calc'!A1", "=1+1", "+91", "-5", "@name", "<b>&amp;</b>", "quote \" and '", "₹ 1,00,000 ▲",
        " leading and trailing ", "line\nbreak\r\nand tab\t", "_x000D_", "x" * 32_767,
    ],
)  # fmt: skip
def test_text_stays_text(path, host, text):
    host.write(frame_of(events=((text, 1.0, None, "what", "action"),)))
    table = next(sheet for sheet in SHEETS if sheet.name == "SYSTEM_HEALTH").table("events")
    cell = openpyxl.load_workbook(path)["SYSTEM_HEALTH"].cell(table.row + 1, table.column)
    assert cell.data_type in ("s", "inlineStr")
    # A reader of XML turns a bare line end into one character; ours keeps both.
    assert unescape(cell.value) == text
    assert_well_formed(path)


@pytest.mark.parametrize(
    "number", [0.0, -0.5, 1e-300, 1.7976931348623157e308, 123_456_789_012_345.0, 0.1 + 0.2, 1e16, -1e-5]
)
def test_numbers_arrive_to_the_last_digit(path, host, number):
    host.write(frame_of(completeness=(("All", number, *(None,) * 6),)))
    assert read_back(path)["completeness"][0][1] == number


@pytest.mark.parametrize("number", [float("nan"), float("inf"), float("-inf")])
def test_what_is_no_number_is_blank(path, host, number):
    host.write(frame_of(completeness=(("All", number, *(None,) * 6),)))
    assert read_back(path)["completeness"][0][1] is None
    assert_well_formed(path)


def test_a_row_of_the_wrong_width_is_the_programs_fault(path, host):
    with pytest.raises(ValueError, match="block completeness: rows of 8 values were expected, got one of 2"):
        host.write(frame_of(completeness=(("All", 1.0),)))


# Growing and shrinking


def test_a_shorter_table_fully_replaces_a_longer_one(path, host):
    host.write(frame_of(stocks=rows_of("stocks", 240)))
    host.write(frame_of(stocks=rows_of("stocks", 3)))
    rows = read_back(path)["stocks"]
    assert rows[:3] == [*rows_of("stocks", 3)]
    assert {value for row in rows[3:] for value in row} == {None}


def test_a_longer_table_grows_into_empty_cells(path, host):
    result = host.write(frame_of(stocks=rows_of("stocks", 260)))
    assert (result.status, result.sentence) == ("written", "")
    assert read_back(path)["stocks"] == [*rows_of("stocks", 260)]
    name = openpyxl.load_workbook(path).defined_names["stocks"]
    assert [*name.destinations] == [("STOCKS_GROUPED", f"$A$5:${get_column_letter(STOCKS_WIDTH)}$265")]
    assert_well_formed(path)


def test_rows_that_a_table_grows_into_look_like_those_above(path, host):
    host.write(frame_of(stocks=rows_of("stocks", 241)))
    sheet = openpyxl.load_workbook(path)["STOCKS_GROUPED"]
    for column in range(1, 19):
        assert sheet.cell(246, column).style_id == sheet.cell(245, column).style_id


def test_a_table_that_grew_shrinks_again(path, host):
    host.write(frame_of(stocks=rows_of("stocks", 260)))
    host.write(frame_of(stocks=rows_of("stocks", 2)))
    rows = read_back(path)["stocks"]
    assert len(rows) == 260
    assert {value for row in rows[2:] for value in row} == {None}


@pytest.mark.parametrize("blocked", ["C250", "R247"])
def test_a_table_never_grows_over_a_users_cell(path, blocked):
    book = openpyxl.load_workbook(path)
    book["STOCKS_GROUPED"][blocked] = "=1+1"
    book.save(path)
    host = FileHost(path)
    result = host.write(frame_of(stocks=rows_of("stocks", 260)))
    host.close()
    assert result.status == "written"
    assert "stocks: cut off, because the cells below are in use; free them" in result.sentence
    free = int(blocked[1:]) - 6
    assert read_back(path)["stocks"] == [*rows_of("stocks", free)]
    assert openpyxl.load_workbook(path)["STOCKS_GROUPED"][blocked].value == "=1+1"


def test_a_table_never_grows_into_a_merged_area(path):
    book = openpyxl.load_workbook(path)
    book["STOCKS_GROUPED"].merge_cells("B248:C249")
    book.save(path)
    host = FileHost(path)
    host.write(frame_of(stocks=rows_of("stocks", 260)))
    host.close()
    assert len(read_back(path)["stocks"]) == 242


def test_a_table_never_grows_over_another_block(path, host):
    """Below the ladder stand its totals."""
    total = tuple(float(i) for i in range(len(CHAIN.fields)))
    result = host.write(frame_of(NIFTY_chain=rows_of("", 25, len(CHAIN.fields)), NIFTY_chain_window=(total,)))
    assert "NIFTY_chain: cut off" in result.sentence
    read = read_back(path)
    assert read["NIFTY_chain"] == [*rows_of("", 21, len(CHAIN.fields))]
    assert read["NIFTY_chain_window"] == [total]


def test_a_table_that_was_cut_off_is_whole_again_when_there_is_room(path):
    book = openpyxl.load_workbook(path)
    book["STOCKS_GROUPED"]["A246"] = "mine"
    book.save(path)
    host = FileHost(path)
    assert "cut off" in host.write(frame_of(stocks=rows_of("stocks", 241))).sentence
    book = openpyxl.load_workbook(path)
    book["STOCKS_GROUPED"]["A246"] = None
    book.save(path)
    assert host.write(frame_of(stocks=rows_of("stocks", 241))).sentence == ""
    host.close()
    assert read_back(path)["stocks"] == [*rows_of("stocks", 241)]


# The user's own things


def test_a_workbook_saved_by_openpyxl(path):
    add_users_things(path)
    assert_users_things_survive(path, made_up_frame(1), made_up_frame(2))


@pytest.mark.office
def test_a_workbook_saved_by_libreoffice(path, tmp_path):
    host = FileHost(path)
    host.write(made_up_frame(3))
    host.close()
    add_users_things(path)
    saved = convert(path, "xlsx", tmp_path / "saved")
    assert b"LibreOffice" in parts(saved)["docProps/app.xml"]
    assert_users_things_survive(saved, made_up_frame(1), made_up_frame(2))


@pytest.mark.office
@pytest.mark.parametrize("by", ["template", "openpyxl", "libreoffice"])
def test_libreoffice_opens_what_we_wrote_and_shows_the_same(path, tmp_path, by):
    """Opened and saved again by LibreOffice, every value stands; the user's formulas see the new values."""
    if by != "template":
        add_users_things(path)
    if by == "libreoffice":
        path = convert(path, "xlsx", tmp_path / "saved")
    frame = made_up_frame(4)
    host = FileHost(path)
    assert host.write(frame).status == "written"
    host.close()
    again = convert(path, "xlsx", tmp_path / "again")
    assert_shows(again, frame)
    assert convert(path, "pdf", tmp_path / "again").stat().st_size > 10_000
    if by == "openpyxl":
        # openpyxl leaves no computed values behind, so LibreOffice computes them on opening.
        mine = openpyxl.load_workbook(again, data_only=True)["My trades & <ideas>"]
        spots = [row[2] for row in frame.blocks["stocks"].rows if isinstance(row[2], float)]
        assert mine["A3"].value == pytest.approx(sum(spots), rel=1e-12)


def test_a_column_that_the_user_inserted_into_our_table(tmp_path):
    """Values follow the headers; the user's column keeps its cells."""
    summary = SHEETS[0]
    table = summary.table("alert_summary")
    inserted = (*table.columns[:3], Column("My note", 12, "", Kind.TEXT), *table.columns[3:])
    moved = [dataclasses.replace(table, columns=inserted), dataclasses.replace(summary.tables[1], column=21)]
    widths = (*summary.widths[:3], 12.0, *summary.widths[3:])
    layout = (dataclasses.replace(summary, tables=tuple(moved), widths=widths), *SHEETS[1:])
    path = tmp_path / "mine.xlsx"
    path.write_bytes(build_template(layout))
    book = openpyxl.load_workbook(path)
    for row in range(6, 36):
        book["ALERT_SUMMARY"].cell(row, 4).value = f"=C{row}/2"
    book.save(path)
    host = FileHost(path)
    frame = made_up_frame(5)
    assert host.write(frame).missing == ()
    host.close()
    assert_shows(path, frame)
    sheet = openpyxl.load_workbook(path)["ALERT_SUMMARY"]
    assert [sheet.cell(row, 4).value for row in range(6, 36)] == [f"=C{row}/2" for row in range(6, 36)]


def test_columns_in_an_order_of_the_users_own(path):
    """Moving a column of ours moves its values with its header, without a word."""
    book = openpyxl.load_workbook(path)
    sheet = book["ALERT_SUMMARY"]
    sheet["D5"], sheet["E5"] = sheet["E5"].value, sheet["D5"].value
    book.save(path)
    host = FileHost(path)
    frame = made_up_frame(6)
    assert host.write(frame).missing == ()
    host.close()
    assert_shows(path, frame)
    first = frame.blocks["alert_summary"].rows[0]
    sheet = openpyxl.load_workbook(path)["ALERT_SUMMARY"]
    assert (sheet["D6"].value, sheet["E6"].value) == (first[4], first[3])


def test_a_column_that_the_user_removed_is_reported(path):
    book = openpyxl.load_workbook(path)
    book["ALERT_SUMMARY"]["N5"] = "my own header"
    book["ALERT_SUMMARY"]["N6"] = "my own value"
    book.save(path)
    host = FileHost(path)
    frame = made_up_frame(6)
    result = host.write(frame)
    host.close()
    assert result.missing == ("alert_summary.PCR",)
    assert "no longer has alert_summary.PCR" in result.sentence
    sheet = openpyxl.load_workbook(path)["ALERT_SUMMARY"]
    assert sheet["N6"].value == "my own value"
    assert sheet["O6"].value == frame.blocks["alert_summary"].rows[0][14]


def test_one_side_of_a_ladder_without_its_header_never_takes_the_other_sides_values(path):
    book = openpyxl.load_workbook(path)
    sheet = book["NIFTY"]
    sheet.cell(CHAIN.row, 1).value = "gone"
    book.save(path)
    host = FileHost(path)
    frame = made_up_frame(6)
    result = host.write(frame)
    host.close()
    assert result.missing == ("NIFTY_chain.OI",)
    sheet = openpyxl.load_workbook(path)["NIFTY"]
    assert sheet.cell(STRIKES_FROM, 1).value is None
    assert sheet.cell(STRIKES_FROM, len(CHAIN.fields)).value == frame.blocks["NIFTY_chain"].rows[0][-1]


def test_renamed_and_moved_sheets_are_followed(path):
    rewrite(
        path,
        {
            "xl/workbook.xml": (r'name="ALERT_SUMMARY"', 'name="Mein Blatt &amp; O\'Neil"'),
        },
    )
    rewrite(path, {"xl/workbook.xml": ("'?ALERT_SUMMARY'?!", "'Mein Blatt &amp; O''Neil'!")})
    book = openpyxl.load_workbook(path)
    book.move_sheet("NIFTY", offset=5)
    book.save(path)
    host = FileHost(path)
    frame = made_up_frame(7)
    assert host.write(frame).missing == ()
    host.close()
    assert_shows(path, frame)
    assert openpyxl.load_workbook(path).sheetnames[0] == "Mein Blatt & O'Neil"


def test_hidden_and_protected_sheets_are_written(path):
    book = openpyxl.load_workbook(path)
    book["NIFTY"].sheet_state = "hidden"
    book["STOCKS_GROUPED"].protection.sheet = True
    book["STOCKS_GROUPED"].protection.password = "secret"
    book.save(path)
    host = FileHost(path)
    frame = made_up_frame(7)
    assert host.write(frame).status == "written"
    host.close()
    assert_shows(path, frame)
    again = openpyxl.load_workbook(path)
    assert again["NIFTY"].sheet_state == "hidden"
    assert again["STOCKS_GROUPED"].protection.sheet


@pytest.mark.parametrize("name", ["stocks", "NIFTY_head", "NIFTY_chain_window", "alert_summary_units"])
def test_a_block_whose_name_was_deleted_is_reported_and_the_rest_written(path, name):
    book = openpyxl.load_workbook(path)
    del book.defined_names[name]
    book.save(path)
    host = FileHost(path)
    frame = made_up_frame(8)
    result = host.write(frame)
    host.close()
    assert result.status == "written"
    assert name in result.missing
    assert f"no longer has {name}" in result.sentence
    sheet = openpyxl.load_workbook(path)["SENSEX"]
    assert sheet.cell(STRIKES_FROM, 1).value == frame.blocks["SENSEX_chain"].rows[0][0]


def test_a_deleted_sheet_is_reported_and_the_rest_written(path):
    book = openpyxl.load_workbook(path)
    del book["MIDCPNIFTY"]
    book.save(path)
    host = FileHost(path)
    frame = made_up_frame(8)
    result = host.write(frame)
    host.close()
    assert result.status == "written"
    assert "MIDCPNIFTY_chain" in result.missing
    assert openpyxl.load_workbook(path)["NIFTY"].cell(STRIKES_FROM, 1).value == frame.blocks["NIFTY_chain"].rows[0][0]


def test_a_named_number_whose_name_was_deleted_is_reported_alone(path):
    book = openpyxl.load_workbook(path)
    del book.defined_names["NIFTY_PCR"]
    book.save(path)
    host = FileHost(path)
    frame = made_up_frame(8)
    result = host.write(frame)
    host.close()
    assert result.missing == ("NIFTY_PCR",)


def test_a_formula_that_others_depend_on_is_left_alone(path):
    """A user filled a formula from one of our cells to the right: Excel keeps it in the first cell, for both."""
    rewrite(
        path,
        {
            "xl/worksheets/sheet1.xml": (
                r'<c r="A8" s="(\d+)"/>',
                r'<c r="A8" s="\1"><f t="shared" ref="A8:A9" si="0">C8*2</f><v>0</v></c>',
            )
        },
    )
    host = FileHost(path)
    result = host.write(made_up_frame(9))
    host.close()
    assert "alert_summary row 8: formulas that other cells depend on" in result.sentence
    assert openpyxl.load_workbook(path)["ALERT_SUMMARY"]["A8"].value == "=C8*2"


def test_a_filter_of_the_user_is_seen(path):
    book = openpyxl.load_workbook(path)
    book["STOCKS_GROUPED"].auto_filter.ref = "A5:R245"
    book["STOCKS_GROUPED"].auto_filter.add_filter_column(6, ["BULLISH"])
    book.save(path)
    host = FileHost(path)
    host.write(made_up_frame(9))
    assert host.filtered == {"stocks", "stocks_more", "stocks_scan"}
    host.close()


def test_cells_and_rows_that_the_file_leaves_out_are_added(path):
    """Some programs save neither empty cells nor empty rows."""
    rewrite(path, {"xl/worksheets/sheet8.xml": (r'<c r="[A-Z]+\d+" s="\d+"/>', "")})
    rewrite(path, {"xl/worksheets/sheet8.xml": (r'<row r="\d+"[^>]*></row>', "")})
    host = FileHost(path)
    frame = made_up_frame(10)
    assert host.write(frame).missing == ()
    host.close()
    assert_shows(path, frame)
    assert_well_formed(path)


def test_another_spelling_of_the_same_xml(path):
    """Prefixed tags, comments, CDATA and character references are all legal; no value may be lost over them."""
    rewrite(path, {r"xl/worksheets/sheet[12]\.xml": (r"<(/?)(?!x14|xm)([a-zA-Z]+)(?=[ />])", r"<\1p:\2")})
    rewrite(path, {r"xl/worksheets/sheet[12]\.xml": (r"<p:worksheet xmlns=", "<p:worksheet xmlns:p=")})
    rewrite(path, {"xl/worksheets/sheet3.xml": (r"<sheetData>", '<sheetData><!-- <row r="5"><c r="A5"/></row> -->')})
    host = FileHost(path)
    frame = made_up_frame(11)
    assert host.write(frame).missing == ()
    assert host.write(made_up_frame(12)).status == "written"
    host.close()
    assert_shows(path, made_up_frame(12))
    assert_well_formed(path)


def test_the_calculation_chain_is_dropped_with_its_type_and_relation(path):
    rewrite(path, {
        r"\[Content_Types\].xml": ("</Types>", '<Override PartName="/xl/calcChain.xml" ContentType="application/'
                                   'vnd.openxmlformats-officedocument.spreadsheetml.calcChain+xml"/></Types>'),
        "xl/_rels/workbook.xml.rels": ("</Relationships>", '<Relationship Id="rId99" Type="http://schemas.openxml'
                                       'formats.org/officeDocument/2006/relationships/calcChain" '
                                       'Target="calcChain.xml"/></Relationships>'),
    })  # fmt: skip
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("xl/calcChain.xml", '<calcChain xmlns="x"><c r="A1" i="1"/></calcChain>')
    assert_well_formed(path)
    host = FileHost(path)
    host.write(made_up_frame(1))
    host.close()
    held = parts(path)
    assert "xl/calcChain.xml" not in held
    assert b"calcChain" not in held["[Content_Types].xml"] + held["xl/_rels/workbook.xml.rels"]
    assert_well_formed(path)


# What can happen to a file


def test_a_missing_workbook_is_made_from_the_template(tmp_path):
    path = tmp_path / "new folder" / "OptionsDashboard.xlsx"
    host = FileHost(path)
    frame = made_up_frame(1)
    result = host.write(frame)
    assert result.status == "written"
    assert result.sentence == "OptionsDashboard.xlsx was missing and was created from the template"
    assert_shows(path, frame)
    assert host.write(made_up_frame(2)).sentence == ""
    host.close()


def test_a_workbook_deleted_during_the_run_comes_back(path, host):
    host.write(made_up_frame(1))
    path.unlink()
    result = host.write(made_up_frame(2))
    assert result.sentence == "OptionsDashboard.xlsx was missing during the run and was created from the template"
    assert_shows(path, made_up_frame(2))


@pytest.mark.parametrize("lock", ["~$OptionsDashboard.xlsx", ".~lock.OptionsDashboard.xlsx#"])
def test_a_workbook_open_elsewhere_is_skipped_until_it_is_closed(path, host, lock):
    before = path.read_bytes()
    (path.parent / lock).write_text("somebody")
    result = host.write(made_up_frame(1))
    assert result.status == "skipped"
    assert f"lock file {lock}" in result.sentence
    assert path.read_bytes() == before
    assert sorted(p.name for p in path.parent.iterdir()) == sorted([lock, path.name])
    (path.parent / lock).unlink()
    assert host.write(made_up_frame(1)).status == "written"
    assert_shows(path, made_up_frame(1))


def test_a_read_only_workbook_is_left_alone(path, host):
    before = path.read_bytes()
    path.chmod(0o444)
    result = host.write(made_up_frame(1))
    assert result.status == "skipped"
    assert "OptionsDashboard.xlsx is read-only" in result.sentence
    assert path.read_bytes() == before
    assert [p.name for p in path.parent.iterdir()] == [path.name]
    path.chmod(0o644)
    assert host.write(made_up_frame(1)).status == "written"
    assert_shows(path, made_up_frame(1))


def test_access_rights_stay(path, host):
    path.chmod(0o640)
    host.write(made_up_frame(1))
    assert stat.S_IMODE(path.stat().st_mode) == 0o640


def test_a_link_to_the_workbook_stays_a_link(tmp_path, path):
    link = tmp_path / "link.xlsx"
    link.symlink_to(path)
    host = FileHost(link)
    host.write(made_up_frame(1))
    host.close()
    assert link.is_symlink()
    assert_shows(path, made_up_frame(1))


def test_a_refused_replacement_is_a_skipped_picture(path, monkeypatch):
    """Windows refuses while another program holds the file open."""
    host = FileHost(path)
    host.write(made_up_frame(1))

    def refused(self, target):
        raise PermissionError(13, "Permission denied")

    with monkeypatch.context() as patch:
        patch.setattr(type(path), "replace", refused)
        result = host.write(made_up_frame(2))
    assert result.status == "skipped"
    assert "OptionsDashboard.xlsx cannot be written (permission denied)" in result.sentence
    assert_shows(path, made_up_frame(1))
    assert [p.name for p in path.parent.iterdir()] == [path.name]
    assert host.write(made_up_frame(2)).status == "written"
    host.close()
    assert_shows(path, made_up_frame(2))


def test_a_full_disk_is_a_skipped_picture(path, monkeypatch):
    host = FileHost(path)
    host.write(made_up_frame(1))

    def full(descriptor):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        result = host.write(made_up_frame(2))
    assert result.status == "skipped"
    assert "no space left on device" in result.sentence
    assert_shows(path, made_up_frame(1))
    assert [p.name for p in path.parent.iterdir()] == [path.name]
    host.close()


def test_a_file_saved_by_the_user_between_two_frames_is_read_again(path, host):
    host.write(made_up_frame(1))
    add_users_things(path)
    host.write(made_up_frame(2))
    assert_shows(path, made_up_frame(2))
    assert openpyxl.load_workbook(path)["My trades & <ideas>"]["A1"].value == "=NIFTY_SPOT*2"


def test_a_file_saved_by_the_user_at_the_last_moment_is_not_overwritten(path, monkeypatch):
    """The user's program saves after we read the file and before we replace it: what it saved is kept and filled."""
    host = FileHost(path)
    host.write(made_up_frame(1))
    saves = []
    synced = os.fsync

    def user_saves_first(descriptor):
        synced(descriptor)
        if not saves:
            saves.append(1)
            add_users_things(path)

    monkeypatch.setattr(os, "fsync", user_saves_first)
    result = host.write(made_up_frame(2))
    host.close()
    assert result.status == "written"
    assert_shows(path, made_up_frame(2))
    assert openpyxl.load_workbook(path)["My trades & <ideas>"]["A1"].value == "=NIFTY_SPOT*2"


def test_a_file_that_is_saved_all_the_time_is_a_skipped_picture(path, monkeypatch):
    host = FileHost(path)
    host.write(made_up_frame(1))
    synced = os.fsync

    def user_saves_always(descriptor):
        synced(descriptor)
        add_one(path)

    monkeypatch.setattr(os, "fsync", user_saves_always)
    result = host.write(made_up_frame(2))
    host.close()
    assert result.status == "skipped"
    assert "was saved by another program while this picture was being written" in result.sentence
    assert_shows(path, made_up_frame(1))


def add_one(path):
    data = path.read_bytes()
    path.unlink()
    path.write_bytes(data)


def test_touching_the_file_costs_nothing(path, host):
    host.write(made_up_frame(1))
    os.utime(path)
    assert host.write(made_up_frame(1)).cells == 0


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "it is not an .xlsx file, or damaged"),
        (b"Underlying,Spot\nNIFTY,24800\n", "it is not an .xlsx file, or damaged"),
        (bytes.fromhex("d0cf11e0a1b11ae1") + bytes(512), "it is protected by a password or of the old .xls kind"),
        ("cut", "it is not an .xlsx file, or damaged"),
        ("flipped", "is damaged"),
        ("zip", "it is a zip file but holds no workbook"),
        ("foreign", "none of our named blocks is in it"),
    ],
)
def test_what_is_not_our_workbook_is_left_untouched(path, data, reason):
    if data == "cut":
        data = path.read_bytes()[:40_000]
    elif data == "flipped":
        data = bytearray(path.read_bytes())
        with zipfile.ZipFile(path) as archive:
            data[archive.getinfo("xl/worksheets/sheet1.xml").header_offset + 400] ^= 0xFF
        data = bytes(data)
    elif data == "zip":
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("readme.txt", "no workbook")
        data = path.read_bytes()
    elif data == "foreign":
        openpyxl.Workbook().save(path)
        data = path.read_bytes()
    path.write_bytes(data)
    host = FileHost(path)
    for _ in range(2):
        result = host.write(made_up_frame(1))
        assert result.status == "failed"
        assert reason in result.sentence
        assert "it was left untouched: move it away and a new one is made" in result.sentence
        assert path.read_bytes() == data
    path.unlink()
    assert host.write(made_up_frame(1)).status == "written"
    host.close()


def test_a_folder_in_the_workbooks_place(tmp_path):
    place = tmp_path / "OptionsDashboard.xlsx"
    place.mkdir()
    host = FileHost(place)
    result = host.write(made_up_frame(1))
    host.close()
    assert result.status == "failed"
    assert "a workbook file was expected, but this is a folder" in result.sentence


def test_a_folder_that_cannot_be_made(tmp_path):
    (tmp_path / "file").write_text("in the way")
    host = FileHost(tmp_path / "file" / "OptionsDashboard.xlsx")
    result = host.write(made_up_frame(1))
    host.close()
    assert result.status == "failed"
    assert str(tmp_path / "file") in result.sentence


def test_an_unfinished_file_of_a_killed_run_is_swept_up(path, host):
    old, new = (path.with_name(f".{path.name}.{pid}.part") for pid in (1234567, 1234568))
    old.write_bytes(b"half")
    new.write_bytes(b"half")  # another start may be writing it at this moment
    os.utime(old, (0.0, 0.0))
    host.write(made_up_frame(1))
    assert sorted(p.name for p in path.parent.iterdir()) == sorted([new.name, path.name])
    assert_shows(path, made_up_frame(1))


def test_nothing_multiplies_over_many_frames(path, host):
    """Sizes, names, styles and parts are the same at the end of the day as at its start."""
    host.write(made_up_frame(1))
    first = {name: len(data) for name, data in parts(path).items()}
    for seed in range(2, 12):
        host.write(made_up_frame(seed))
    host.write(made_up_frame(1))
    assert {name: len(data) for name, data in parts(path).items()} == first
