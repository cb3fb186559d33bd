"""Cutting a sheet's XML at our cells: every legal way to write a sheet, and the zip file around it."""

import struct
import zipfile
from io import BytesIO

import pytest
from hypothesis import given
from hypothesis import strategies as st

from optionscanner.errors import WorkbookError
from optionscanner.workbook.book_xml import Area, areas
from optionscanner.workbook.package import read_package, write_package
from optionscanner.workbook.splice import (
    SheetPlan,
    SheetXml,
    column_letters,
    column_number,
    empty_rows_below,
    position,
)

MAIN = 'xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"'


def sheet(rows: str, before: str = "", after: str = "") -> bytes:
    return f"<worksheet {MAIN}>{before}<sheetData>{rows}</sheetData>{after}</worksheet>".encode()


def spliced(xml: bytes, **cells: object) -> str:
    """The sheet with these cells replaced: reference -> value."""
    targets = {position(reference): i for i, reference in enumerate(cells)}
    data, changed = SheetPlan(SheetXml.parse(xml), targets, {}).assemble(list(cells.values()))
    assert changed == len(cells)
    return data.decode()


@pytest.mark.parametrize(
    ("number", "letters"), [(1, "A"), (26, "Z"), (27, "AA"), (702, "ZZ"), (703, "AAA"), (16384, "XFD")]
)
def test_column_letters(number, letters):
    assert (column_letters(number), column_number(letters)) == (letters, number)


def test_only_our_cell_changes():
    before = '<row r="1" ht="20"><c r="A1" s="3" t="s"><v>7</v></c><c r="B1" s="4"><f>A1</f><v>1</v></c></row>'
    after = '<row r="1" ht="20"><c r="A1" s="3"><v>2.5</v></c><c r="B1" s="4"><f>A1</f><v>1</v></c></row>'
    assert spliced(sheet(before), A1=2.5) == sheet(after).decode()


@pytest.mark.parametrize(
    ("value", "cell"),
    [
        (1.0, '<c r="A1"><v>1.0</v></c>'),
        (-0.1, '<c r="A1"><v>-0.1</v></c>'),
        (None, '<c r="A1"/>'),
        (float("nan"), '<c r="A1"/>'),
        (float("-inf"), '<c r="A1"/>'),
        ("=1+1", '<c r="A1" t="inlineStr"><is><t xml:space="preserve">=1+1</t></is></c>'),
        ("<&>", '<c r="A1" t="inlineStr"><is><t xml:space="preserve">&lt;&amp;&gt;</t></is></c>'),
    ],
)
def test_how_values_are_written(value, cell):
    assert spliced(sheet('<row r="1"><c r="A1"/></row>'), A1=value) == sheet(f'<row r="1">{cell}</row>').decode()


def test_missing_rows_and_cells_are_made_in_their_place():
    made = spliced(sheet('<row r="2"><c r="C2"/></row><row r="5"/>'), B2=1.0, D2=2.0, A3=3.0, B5=5.0)
    assert made == sheet(
        '<row r="2"><c r="B2"><v>1.0</v></c><c r="C2"/><c r="D2"><v>2.0</v></c></row>'
        '<row r="3"><c r="A3"><v>3.0</v></c></row><row r="5"><c r="B5"><v>5.0</v></c></row>'
    ).decode()


def test_a_sheet_without_rows():
    xml = f"<worksheet {MAIN}><sheetData/><pageMargins/></worksheet>".encode()
    assert spliced(xml, A1=1.0) == (
        f'<worksheet {MAIN}><sheetData><row r="1"><c r="A1"><v>1.0</v></c></row></sheetData><pageMargins/></worksheet>'
    )


def test_positions_that_follow_from_the_order():
    """Rows and cells need not say where they are."""
    made = spliced(sheet("<row><c/><c><v>1</v></c></row><row><c/></row>"), B1=9.0, A2=8.0)
    assert '<c r="B1"><v>9.0</v></c>' in made
    assert '<row r="2"><c r="A2"><v>8.0</v></c></row>' in made


def test_a_new_cell_takes_the_style_given_and_the_hint_of_the_row_goes():
    plan = SheetPlan(SheetXml.parse(sheet('<row r="1" spans="1:1"><c r="A1"/></row>')), {(1, 2): 0}, {(1, 2): "5"})
    assert b'<row r="1"><c r="A1"/><c r="B1" s="5"><v>1.0</v></c></row>' in plan.assemble([1.0])[0]


def test_the_dimension_covers_what_is_written():
    xml = sheet('<row r="2"><c r="B2"/></row>', before='<dimension ref="B2"/>')
    assert '<dimension ref="A2:B4"/>' in spliced(xml, A4=1.0)


def test_prefixed_tags():
    xml = (
        f'<x:worksheet xmlns:x="{MAIN[7:-1]}"><x:sheetData><x:row r="1"><x:c r="A1" t="n"><x:v>1</x:v></x:c></x:row>'
        "</x:sheetData></x:worksheet>"
    ).encode()
    assert '<x:c r="A1"><x:v>2.0</x:v></x:c>' in spliced(xml, A1=2.0)


@pytest.mark.parametrize(
    "odd",
    [
        '<row r="1"><c r="A1" t="str"><v><![CDATA[</c></row>]]></v></c><c r="B1"/></row>',
        '<!-- </sheetData> --><row r="1"><c r="A1" t="str"><v>&lt;/c&gt;&lt;/row&gt;</v></c><c r="B1"/></row>',
    ],
)
def test_tags_that_are_text_are_no_tags(odd):
    made = spliced(sheet(odd), B1=1.0)
    assert "&lt;/c&gt;&lt;/row&gt;" in made
    assert made.count("</row>") == 1
    assert '<c r="B1"><v>1.0</v></c>' in made


def test_another_encoding():
    xml = '<?xml version="1.0" encoding="UTF-16"?>' + sheet('<row r="1"><c r="A1"/></row>').decode()
    assert '<c r="A1"><v>1.0</v></c>' in spliced(xml.encode("utf-16"), A1=1.0)


@pytest.mark.parametrize(
    "xml", [b"<chartsheet/>", b"<worksheet></worksheet>", b"<worksheet><!-- <sheetData>", b"\xff\xfe"]
)
def test_what_is_no_worksheet_is_refused(xml):
    with pytest.raises(WorkbookError):
        SheetXml.parse(xml)


def test_a_second_call_writes_only_what_changed():
    plan = SheetPlan(SheetXml.parse(sheet('<row r="1"><c r="A1"/><c r="B1"/></row>')), {(1, 1): 0, (1, 2): 1}, {})
    assert plan.assemble([1.0, "x"])[1] == 2
    assert plan.assemble([1.0, "x"]) == (b"", 0)
    data, changed = plan.assemble([1.0, None])
    assert changed == 1
    assert b'<c r="A1"><v>1.0</v></c><c r="B1"/>' in data


TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters=[*map(chr, range(32)), "\ufffe", "\uffff"]))


@given(st.dictionaries(st.tuples(st.integers(1, 9), st.integers(1, 40)), TEXTS | st.floats(), min_size=1))
def test_what_is_written_reads_back(values):
    """For any cells and values: the text that the sheet shows afterwards is the value's."""
    xml = sheet('<row r="3"><c r="B3" s="1"/><c r="D3"><f>B3</f></c></row><row r="7"/>')
    targets = {at: i for i, at in enumerate(values) if at != (3, 4)}
    data, _ = SheetPlan(SheetXml.parse(xml), targets, {}).assemble(list(values.values()))
    again = SheetXml.parse(data or xml)
    assert again.cell((3, 4)) == '<c r="D3"><f>B3</f></c>'
    for at, i in targets.items():
        value = list(values.values())[i]
        if isinstance(value, str):
            assert again.text(at, []).replace("_x005F_x", "_x") == value.replace("_x005F_x", "_x")
        elif value - value == 0:
            assert float(again.text(at, [])) == value
        else:
            assert again.is_empty(at)


@pytest.mark.parametrize(
    ("rows", "after", "taken", "free"),
    [
        ("", "", [], 5),
        ('<row r="4"><c r="B4"><v>1</v></c></row>', "", [], 1),
        ('<row r="4"><c r="B4" s="1"/></row>', "", [], 5),
        ('<row r="4"><c r="D4"><v>1</v></c></row>', "", [], 5),
        ('<row r="3"><c r="A3"><f>1+1</f></c></row>', "", [], 0),
        ("", '<mergeCells count="1"><mergeCell ref="C5:D6"/></mergeCells>', [], 2),
        ("", '<mergeCells count="1"><mergeCell ref="D5:E6"/></mergeCells>', [], 5),
        ("", "", [(7, 1)], 4),
    ],
)
def test_empty_rows_below(rows, after, taken, free):
    """Columns A to C below row 2, five wanted."""
    xml = SheetXml.parse(sheet(rows, after=after))
    assert empty_rows_below(xml, last_row=2, columns=[1, 2, 3], wanted=5, taken=taken) == free


@pytest.mark.parametrize(
    ("reference", "found"),
    [
        ("NIFTY!$A$1:$C$9", [Area("NIFTY", 1, 1, 9, 3)]),
        ("$NIFTY.$A$1", [None]),
        ("='My sheet'!$B$2", [Area("My sheet", 2, 2, 2, 2)]),
        ("'It''s, mine'!$A$1,'It''s, mine'!$B$1", [Area("It's, mine", 1, 1, 1, 1), Area("It's, mine", 1, 2, 1, 2)]),
        ("NIFTY!$A$1,NIFTY!#REF!,NIFTY!$C$3", [Area("NIFTY", 1, 1, 1, 1), None, Area("NIFTY", 3, 3, 3, 3)]),
        ("#REF!", [None]),
        ("[1]NIFTY!$A$1", [None]),
        ("'[other.xlsx]NIFTY'!$A$1", [Area("[other.xlsx]NIFTY", 1, 1, 1, 1)]),
        ("", []),
    ],
)
def test_what_a_defined_name_points_to(reference, found):
    assert areas(reference) == found


# The zip file


def zipped(**members: bytes) -> bytes:
    buffer = BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, data in members.items():
            archive.writestr(name, data, zipfile.ZIP_DEFLATED if len(data) > 10 else zipfile.ZIP_STORED)
    return buffer.getvalue()


def test_parts_are_copied_as_they_are_packed():
    data = zipped(a=b"short", b=b"long " * 100)
    members = read_package(data)
    members["a"] = members["a"].replaced(b"other")
    with zipfile.ZipFile(BytesIO(write_package(members))) as archive:
        assert archive.testzip() is None
        assert {name: archive.read(name) for name in archive.namelist()} == {"a": b"other", "b": b"long " * 100}
    assert members["b"].packed in data


def test_a_file_written_as_a_stream():
    """Sizes then follow the data, and the part's header holds none."""

    class Stream(BytesIO):
        def seekable(self):
            return False

        def seek(self, *_):
            raise OSError

        def tell(self):
            raise OSError

    stream = Stream()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("ünï.xml", b"abc" * 50)
    members = read_package(stream.getvalue())
    with zipfile.ZipFile(BytesIO(write_package(members))) as archive:
        assert archive.testzip() is None
        assert archive.read("ünï.xml") == b"abc" * 50


def encrypted(data: bytes) -> bytes:
    start = data.index(b"PK\x01\x02")
    return data[: start + 8] + struct.pack("<H", 1) + data[start + 10 :]


@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        (lambda data: data[:-10], "not an .xlsx file, or damaged"),
        (lambda data: data[30:], "not where the directory says|damaged"),
        (encrypted, "part a is encrypted"),
        (lambda data: data.replace(b"long", b"lang"), "part a is damaged"),
    ],
)
def test_a_damaged_zip_file_is_refused_with_the_reason(damage, reason):
    with pytest.raises(WorkbookError, match=reason):
        for member in read_package(damage(zipped(a=b"long"))).values():
            member.unpacked()
