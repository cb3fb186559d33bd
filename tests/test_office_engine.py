"""LibreOffice behind xlwings: ordinary xlwings code, run against one office without a window."""

import math
from datetime import date, datetime, time

import numpy as np
import pandas as pd
import pytest
import xlsxwriter
import xlwings

from optionscanner.workbook.office import bridge, engine, process, values
from optionscanner.workbook.office.values import CellError

NO_OFFICE = bridge.available()


@pytest.fixture(scope="module")
def app(tmp_path_factory):
    """xlwings' App of an office of this module's own."""
    if NO_OFFICE:
        pytest.skip(NO_OFFICE)
    profile = tmp_path_factory.mktemp("office") / "profile"
    try:
        office = process.Office.have(profile, profile.parent, headless=True)
        made = xlwings.App(impl=engine.adopt(office))
        before = xlwings.engines.active
        made.engine.activate()
        yield made
        xlwings.engines.active = before
        made.quit()
        assert not office.alive()
    finally:
        process.kill_own(profile)


@pytest.fixture(scope="module")
def book(app, tmp_path_factory):
    path = tmp_path_factory.mktemp("book") / "Desk book.xlsx"
    with xlsxwriter.Workbook(path) as made:
        sheet = made.add_worksheet("Data")
        made.add_worksheet("It's two")
        made.add_worksheet("Page two")
        sheet.write_formula("J1", "=SUM(B2:C3)")
        sheet.add_table("E1:G4", {"name": "flows", "columns": [{"header": text} for text in ("a", "b", "c")]})
        made.define_name("HERE", "=Data!$B$2:$C$3")
        made.define_name("BROKEN", "=#REF!")
        made.define_name("RATE", "=0.065")
        made.define_name("'Page two'!LOCAL", "='Page two'!$A$1")
    return app.books.open(path)


@pytest.fixture
def sheet(book):
    """A sheet of the test's own."""
    made = book.sheets.add(after=book.sheets[-1])
    yield made
    made.delete()


# Values


def test_values_are_cleaned_for_libreoffice():
    """None, NaN and infinities empty a cell; every number becomes a float; text stays text."""
    row = (None, "", math.nan, math.inf, True, 7, np.int64(8), np.float32(0.5), np.bool_(True), "=1+1", "123")
    assert values.rows([row]) == (("", "", "", "", 1.0, 7.0, 8.0, 0.5, 1.0, "=1+1", "123"),)
    assert {type(value) for value in values.rows([row])[0]} == {float, str}
    # 30-Jan-2026 is day 46052 of the sheets' calendar.
    moments = (
        date(2026, 1, 30),
        datetime.fromisoformat("2026-01-30 12:00"),
        time(6),
        pd.NaT,
        np.datetime64("2026-01-30T12:00"),
    )
    assert values.rows([moments]) == ((46052.0, 46052.5, 0.25, "", 46052.5),)


def test_clean_rows_are_taken_as_they_are():
    clean, dirty = (1.0, "x", ""), (1.0, math.nan)
    made = values.rows((clean, dirty))
    assert made[0] is clean
    assert made[1] == (1.0, "")


@pytest.mark.office
def test_scalars_rows_and_blocks_both_ways(sheet):
    sheet["A1"].value = 3
    sheet["B1"].value = "text"
    sheet["A2"].value = [1, None, "x"]
    sheet["A3"].value = [[1.5, float("nan")], ["=1+1", True]]
    assert sheet["A1"].value == 3.0
    assert sheet["A1:B1"].value == [3.0, "text"]
    assert sheet["A2:C2"].value == [1.0, None, "x"]
    assert sheet["A3:B4"].value == [[1.5, None], ["=1+1", True]]
    assert sheet["A4"].formula == "=1+1"
    assert sheet["A3:B4"].raw_value == ((1.5, None), ("=1+1", 1.0))
    sheet["D1:E2"].value = 9
    assert sheet["D1:E2"].value == [[9.0, 9.0], [9.0, 9.0]]
    assert sheet["A1:A2"].options(numbers=int).value == [3, 1]


@pytest.mark.office
def test_a_block_of_the_wrong_shape_is_refused(sheet):
    sheet["A1"].value = 1
    with pytest.raises(ValueError, match=r"\$A\$1:\$B\$2 takes 2 rows of 2 values, got 1 rows of \[3\]"):
        sheet["A1:B2"].raw_value = ((1.0, 2.0, 3.0),)
    assert sheet["A1:B2"].value == [[1.0, None], [None, None]]


@pytest.mark.office
def test_dates_come_back_as_dates_and_numbers_as_numbers(sheet):
    moment = datetime.fromisoformat("2026-01-30 09:15:30.250")
    sheet["A1"].value = [[moment, 46052.0], [date(2026, 1, 30), "x"]]
    assert sheet["A1"].value == moment
    assert sheet["A1:B2"].value == [[moment, 46052.0], [datetime.fromisoformat("2026-01-30"), "x"]]
    assert sheet["A2"].options(dates=date).value == date(2026, 1, 30)
    assert sheet["A2"].number_format == "YYYY-MM-DD"
    sheet["C1"].number_format = "dd-mmm"
    sheet["C1"].value = moment
    assert sheet["C1"].number_format.lower() == "dd-mmm"
    assert sheet["C1"].raw_value == pytest.approx(46052 + (9 * 3600 + 15 * 60 + 30.25) / 86400)


@pytest.mark.office
def test_arrays_and_frames(sheet):
    sheet["A1"].value = np.array([[1, 2], [3, 4]])
    assert (sheet["A1:B2"].options(np.array).value == np.array([[1.0, 2.0], [3.0, 4.0]])).all()
    frame = pd.DataFrame({"x": [1.0, None], "d": pd.to_datetime(["2026-01-01", "2026-01-02"])}, index=[10.0, 11.0])
    sheet["D1"].value = frame
    back = sheet["D1"].options(pd.DataFrame, expand="table").value
    pd.testing.assert_frame_equal(back, frame, check_names=False, check_dtype=False)


@pytest.mark.office
def test_errors_are_told_from_empty_cells(sheet):
    sheet["A1"].formula = [["=1/0", "=NA()", ""]]
    assert sheet["A1:C1"].value == [None, None, None]
    assert sheet["A1:C1"].options(err_to_str=True).value == ["#DIV/0!", "#N/A", None]
    (raw,) = sheet["A1:C1"].raw_value
    assert raw == ("#DIV/0!", "#N/A", None)
    assert [type(value) for value in raw[:2]] == [CellError, CellError]


# Addressing


@pytest.mark.office
def test_the_ways_to_name_cells(book, sheet):
    assert sheet["A1"].address == sheet[0, 0].address == sheet.range((1, 1)).address == "$A$1"
    assert sheet["$B$2:$C$4"].address == sheet.range((2, 2), (4, 3)).address == sheet[1:4, 1:3].address
    assert sheet.range("B:C").shape == (1048576, 2)
    assert sheet.range("2:3").shape[0] == 2
    assert sheet.range("XFD1").column == 16384
    assert sheet["B2:C4"](2, 2).address == sheet["B2:C4"](4).address == "$C$3"
    assert sheet["B2:C4"][-1].address == sheet["B2:C4"].last_cell.address == "$C$4"
    assert sheet["B2"].resize(2, 3).offset(1, 1).address == "$C$3:$E$4"
    assert sheet["B2"].get_address(False, True, external=True) == f"'[Desk book.xlsx]{sheet.name}'!$B2"
    assert [cell.address for cell in sheet["A1:B1"]] == ["$A$1", "$B$1"]
    assert len(sheet["A1:B3"].rows) == 3
    assert book.sheets["Data"].range("HERE").address == "$B$2:$C$3"
    assert sheet["A1"] == book.sheets[sheet.name]["A1"]
    with pytest.raises(KeyError, match="neither an address nor a name nor a table"):
        sheet.range("NOWHERE")


@pytest.mark.office
def test_expand_end_and_regions(sheet):
    sheet["B2"].value = [["a", "b"], [1, 2], [3, 4]]
    sheet["B9"].value = 9
    assert sheet["B2"].expand().address == "$B$2:$C$4"
    assert sheet["B2"].expand("down").address == "$B$2:$B$4"
    assert sheet["B2"].expand("right").address == "$B$2:$C$2"
    assert sheet["C3"].current_region.address == "$B$2:$C$4"
    assert sheet["B2"].end("down").address == "$B$4"
    assert sheet["B4"].end("down").address == "$B$9"
    assert sheet["B9"].end("up").address == "$B$4"
    assert sheet["B9"].end("down").row == 1048576
    assert sheet["C2"].end("left").address == "$B$2"
    assert sheet["A1"].end("right").column == 16384
    assert sheet.used_range.last_cell.address == "$C$9"


# Formulas


@pytest.mark.office
def test_formulas_in_excels_notation(book, sheet):
    sheet["A1"].value = [1, 2, 3]
    sheet["A2"].formula = "=IF(SUM(A1:C1)>5,\"big, yes\",'It''s two'!A1)"
    assert sheet["A2"].formula == "=IF(SUM(A1:C1)>5,\"big, yes\",'It''s two'!A1)"
    assert sheet["A2"].value == "big, yes"
    sheet["A3:C3"].formula = "=A1*2"
    assert sheet["A3:C3"].formula == (("=A1*2", "=B1*2", "=C1*2"),)
    assert sheet["A3:C3"].value == [2.0, 4.0, 6.0]
    sheet["A4"].formula = "=SUM(A1:B1,{1,2;3,4})"
    assert sheet["A4"].value == 13.0
    sheet["A5"].formula = [["=ROWS(HERE)", "12", "word"]]
    assert sheet["A5:C5"].value == [2.0, 12.0, "word"]
    sheet["A6:A7"].formula_array = "=TRANSPOSE(A1:B1)"
    assert sheet["A6:A7"].value == [1.0, 2.0]
    assert sheet["A6"].has_array
    assert not sheet["A5"].has_array


@pytest.mark.office
def test_formulas_of_a_file_are_calculated_when_it_is_opened(book):
    """The file was written with the result 0."""
    data = book.sheets["Data"]
    data.range("HERE").value = [[1, 2], [3, 4]]
    assert data["J1"].value == 10.0


@pytest.mark.office
def test_calculation_by_hand(app, sheet):
    sheet["A1"].value = 1
    sheet["A2"].formula = "=A1+1"
    assert sheet["A2"].value == 2.0
    app.calculation = "manual"
    try:
        sheet["A1"].value = 10
        assert app.calculation == "manual"
        assert sheet["A2"].value == 2.0
        app.calculate()
        assert sheet["A2"].value == 11.0
    finally:
        app.calculation = "automatic"


# Names and tables


@pytest.mark.office
def test_names(book, sheet):
    assert {"HERE", "BROKEN", "RATE", "'Page two'!LOCAL"} <= {name.name for name in book.names}
    assert book.names["HERE"].refers_to == "=Data!$B$2:$C$3"
    assert book.names["here"].refers_to_range.address == "$B$2:$C$3"
    assert book.names["RATE"].refers_to == "=0.065"
    assert [name.name for name in book.sheets["Page two"].names] == ["'Page two'!LOCAL"]
    for word in ("BROKEN", "RATE"):
        with pytest.raises(xlwings.NoSuchObjectError, match=f"{word} refers to no single block of cells"):
            book.names[word].refers_to_range  # noqa: B018
    sheet["B3:C4"].name = "MINE"
    assert book.names["MINE"].refers_to_range == sheet["B3:C4"]
    assert sheet["B3:C4"].name.name == "MINE"
    sheet.name = "Moved it"
    sheet.range("1:1").api.Rows.insertByIndex(0, 2)
    assert book.names["MINE"].refers_to == "='Moved it'!$B$5:$C$6"
    book.names["MINE"].delete()
    assert "MINE" not in book.names


@pytest.mark.office
def test_tables(book, sheet):
    flows = book.sheets["Data"].tables["flows"]
    assert flows.range.address == "$E$1:$G$4"
    assert flows.header_row_range.value == ["a", "b", "c"]
    assert flows.data_body_range.address == "$E$2:$G$4"
    flows.resize(book.sheets["Data"]["E1:G9"])
    assert book.sheets["Data"].tables["flows"].range.address == "$E$1:$G$9"
    sheet["A1"].value = [["k", "v"], ["x", 1]]
    made = sheet.tables.add(sheet["A1:B2"], name="mine")
    assert [table.name for table in sheet.tables] == ["mine"]
    assert sheet["B2"].table.name == "mine"
    assert made.show_autofilter
    assert "flows" not in sheet.tables


# Sheets, looks, files


@pytest.mark.office
def test_sheets(book):
    names = book.sheet_names
    made = book.sheets.add("New one", before=book.sheets[0])
    assert book.sheet_names == ["New one", *names]
    assert made.index == 1
    made.move(after=book.sheets[1])
    assert book.sheet_names[:2] == ["Data", "New one"]
    made.visible = False
    assert not book.sheets["new ONE"].visible
    made.delete()
    assert book.sheet_names == names
    with pytest.raises(KeyError):
        book.sheets["New one"]


@pytest.mark.office
def test_looks_and_clearing(sheet):
    block = sheet["A1:B1"]
    block.value = [0.5, 2]
    block.number_format = "0.00%"
    block.color = (255, 200, 0)
    sheet["A1"].font.bold = True
    assert (sheet["B1"].number_format, sheet["B1"].color, sheet["A1"].font.bold) == ("0.00%", (255, 200, 0), True)
    sheet["B1"].number_format = "General"
    assert sheet["B1"].number_format == "General"
    assert block.number_format is None
    block.clear_contents()
    assert (block.value, sheet["A1"].color) == ([None, None], (255, 200, 0))
    block.value = 1
    block.clear_formats()
    assert (block.value, sheet["A1"].color, sheet["A1"].font.bold) == ([1.0, 1.0], None, False)
    block.clear()
    assert block.value == [None, None]


@pytest.mark.office
def test_a_protected_sheet_says_so(sheet):
    sheet.api.protect("")
    try:
        with pytest.raises(engine.files.WorkbookError, match=rf"{sheet.name}!\$A\$1 takes no values: .* protected"):
            sheet["A1"].value = 1
    finally:
        sheet.api.unprotect("")


@pytest.mark.office
def test_screen_updating_is_given_back(app, book):
    app.screen_updating = False
    assert book.api.hasControllersLocked()
    app.screen_updating = True
    assert not book.api.hasControllersLocked()


@pytest.mark.office
def test_books_by_path_save_as_and_pdf(app, book, tmp_path):
    assert app.books.open(book.fullname) == book
    assert xlwings.Book(book.fullname) == book
    assert app.books["desk BOOK.xlsx"] == book
    other = app.books.add()
    other.sheets[0]["A1"].value = "kept"
    other.save(tmp_path / "Other.xlsx")
    assert other.fullname == str(tmp_path / "Other.xlsx")
    other.to_pdf(tmp_path / "other.pdf")
    assert (tmp_path / "other.pdf").read_bytes().startswith(b"%PDF")
    other.close()
    assert "Other.xlsx" not in [known.name for known in app.books]
    again = app.books.open(tmp_path / "Other.xlsx")
    assert again.sheets[0]["A1"].value == "kept"
    again.close()
    assert xlwings.apps.active == app
    assert not xlwings.__pro__


def test_notes_stay_when_values_are_written_over_their_cells(sheet):
    """LibreOffice drops them with a block of values; Excel, and so every user of xlwings, expects them to stay."""
    notes = sheet.impl.uno.getAnnotations()
    for row, column in ((1, 1), (1, 3), (4, 0)):
        cell = sheet.impl.uno.getCellByPosition(column, row)
        notes.insertNew(cell.getCellAddress(), f"mine at {row}, {column}")
    values = [[float(10 * r + c) for c in range(5)] for r in range(6)]
    values[1][1], values[4][0] = "=1+1", None
    sheet.range("A1:E6").raw_value = values
    kept = {(n.Position.Row, n.Position.Column): n.getString() for n in (notes.getByIndex(i) for i in range(3))}
    assert kept == {(1, 1): "mine at 1, 1", (1, 3): "mine at 1, 3", (4, 0): "mine at 4, 0"}
    found = sheet.range("A1:E6").raw_value
    assert [list(row) for row in found] == values
