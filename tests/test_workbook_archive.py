"""The values-only copy: no formula, every number as it stood, all else byte for byte."""

from __future__ import annotations

import hashlib
import os
import re
import zipfile
from pathlib import Path

import openpyxl
import pytest
import xlsxwriter

from optionscanner.errors import WorkbookBusy, WorkbookError
from optionscanner.workbook.file_host import FileHost
from optionscanner.workbook.values_copy import keep_copy, values_only
from tests import workbook_tools as tools
from tests.workbook_tools import parts

# openpyxl says what of a foreign file it would not keep; the tests only read with it.
pytestmark = pytest.mark.filterwarnings("ignore:.*extension is not supported:UserWarning")

NAME = "Book-replay-2026-01-30.xlsx"


def book_of(path: Path) -> Path:
    """Formulas of every kind with the values that a spreadsheet left, beside things that are none."""
    book = xlsxwriter.Workbook(path)
    sheet = book.add_worksheet("Mine & yours")
    bold = book.add_format({"bold": True, "num_format": "0.00"})
    sheet.write_number("A1", 2.5)
    sheet.write_formula("B1", "=A1*2", bold, 5.0)
    sheet.write_formula("C1", '=IF(A1>1,"yes & <no>","")', None, "yes & <no>")
    sheet.write_formula("D1", "=A1>1", None, True)
    sheet.write_formula("E1", "=1/0", None, "#DIV/0!")
    sheet.write_array_formula("F1:F2", "{=A1:A2*3}", None, 7.5)
    sheet.write_dynamic_array_formula("G1", "=SORT(A1:A2)", None, 2.5)
    sheet.write_formula("H1", "='[other.xlsx]Sheet1'!A1", None, 11.0)
    sheet.write_string("A3", "=not a formula")
    sheet.write_comment("A3", "a note")
    sheet.conditional_format("A1:A9", {"type": "formula", "criteria": "=$A1>2", "format": bold})
    sheet.data_validation("A5", {"validate": "list", "source": "=$A$1:$A$3"})
    chart = book.add_chart({"type": "line"})
    chart.add_series({"values": "='Mine & yours'!$B$1:$B$3"})
    sheet.insert_chart("J2", chart)
    book.add_worksheet("Plain").write_number("A1", 1.0)
    bars = book.add_chart({"type": "bar"})
    bars.add_series({"values": "=Plain!$A$1:$A$3"})
    book.add_chartsheet("Chart").set_chart(bars)
    book.define_name("TWICE", "='Mine & yours'!$B$1*2")
    book.close()
    return path


def shown(data: Path) -> dict[str, object]:
    book = openpyxl.load_workbook(data, data_only=True, read_only=True)
    for sheet in book.worksheets:
        sheet.reset_dimensions()
    found = {
        f"{sheet.title}!{cell.coordinate}": cell.value
        for sheet in book.worksheets for row in sheet.iter_rows() for cell in row if cell.value is not None
    }  # fmt: skip
    book.close()
    return found


def copied(path: Path, **edit: tuple[str, str]) -> tuple[Path, int, int]:
    if edit:
        tools.rewrite(path, {rf"xl/worksheets/{name}\.xml": change for name, change in edit.items()})
    kept = keep_copy(path, NAME)
    return kept.file, kept.formulas, kept.without_value


def test_every_formula_gives_way_to_its_value(tmp_path: Path) -> None:
    path = book_of(tmp_path / "Book.xlsx")
    file, formulas, without_value = copied(path)
    assert file == tmp_path / "archive" / NAME
    assert (formulas, without_value) == (7, 0)
    expected = {
        "A1": 2.5, "B1": 5.0, "C1": "yes & <no>", "D1": True, "E1": "#DIV/0!", "F1": 7.5, "F2": 0, "G1": 2.5,
        "H1": 11.0, "A3": "=not a formula",
    }  # fmt: skip
    assert shown(file) == {f"Mine & yours!{k}": v for k, v in expected.items()} | {"Plain!A1": 1.0}
    assert not re.search(rb"<f[ >/]", parts(file)["xl/worksheets/sheet1.xml"])
    book = openpyxl.load_workbook(file)
    assert [cell.data_type for cell in book["Mine & yours"][1]] == ["n", "n", "s", "b", "e", "n", "n", "n"]
    assert book["Mine & yours"]["B1"].font.bold


def test_all_but_the_cells_keeps_its_bytes(tmp_path: Path) -> None:
    path = book_of(tmp_path / "Book.xlsx")
    before, after = parts(path), parts(copied(path)[0])
    assert before.keys() == after.keys()
    assert {name for name in before if before[name] != after[name]} == {"xl/worksheets/sheet1.xml"}
    old, new = (held["xl/worksheets/sheet1.xml"].decode() for held in (before, after))
    cell = r'<c r="[B-H]1".*?</c>'
    assert re.sub(cell, "", old) == re.sub(cell, "", new)


def test_metadata_that_only_a_spilling_formula_has_goes_with_it(tmp_path: Path) -> None:
    path = book_of(tmp_path / "Book.xlsx")
    assert 'cm="1"' in parts(path)["xl/worksheets/sheet1.xml"].decode()
    assert 'cm="1"' not in parts(copied(path)[0])["xl/worksheets/sheet1.xml"].decode()


@pytest.mark.parametrize(
    ("stored", "empty", "value"),
    [
        ("", 1, None), ("<v/>", 1, None), ("<v></v>", 1, None), ("<v>0</v>", 0, 0), ("<v>-1.5E-3</v>", 0, -0.0015),
    ],
)  # fmt: skip
def test_a_formula_that_was_never_computed_is_empty_and_counted(
    tmp_path: Path, stored: str, empty: int, value: object
) -> None:
    path = book_of(tmp_path / "Book.xlsx")
    file, formulas, without_value = copied(path, sheet1=("<f>A1\\*2</f><v>5.0</v>|<f>A1\\*2</f><v>5</v>",
                                                         f"<f>A1*2</f>{stored}"))  # fmt: skip
    assert (formulas, without_value) == (7, empty)
    assert shown(file).get("Mine & yours!B1") == value


@pytest.mark.parametrize(("stored", "empty"), [("<v></v>", 0), ("<v/>", 0), ("", 1)])
def test_an_empty_text_is_a_value(tmp_path: Path, stored: str, empty: int) -> None:
    path = book_of(tmp_path / "Book.xlsx")
    _, formulas, without_value = copied(path, sheet1=("<v>yes &amp; &lt;no&gt;</v>", stored))
    assert (formulas, without_value) == (7, empty)


def test_shared_formulas_and_prefixed_tags_are_known(tmp_path: Path) -> None:
    """As other programs save them."""
    path = book_of(tmp_path / "Book.xlsx")
    tools.rewrite(path, {
        r"xl/worksheets/sheet2\.xml": (
            '<worksheet xmlns=(.*?)<sheetData>.*?</sheetData>(.*)</worksheet>',
            r'<x:worksheet xmlns:x=\1<x:sheetData><x:row r="1"><x:c r="A1"><x:f t="shared" ref="A1:A2" si="0">1/8</x:f>'
            r'<x:v>0.125</x:v></x:c><x:c r="B1" s="0"/><x:c r="C1"><x:f t="shared" si="0"/><x:v>9</x:v></x:c></x:row>'
            r"</x:sheetData></x:worksheet>",
        ),
    })  # fmt: skip
    file, formulas, without_value = copied(path)
    assert (formulas, without_value) == (9, 0)
    found = shown(file)
    assert (found["Plain!A1"], found["Plain!C1"]) == (0.125, 9)
    assert "Plain!B1" not in found


def test_the_calculation_chain_goes_with_the_formulas(tmp_path: Path) -> None:
    """A chain that lists cells without formulas makes Excel call the file damaged."""
    path = book_of(tmp_path / "Book.xlsx")
    held = parts(path)
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in held.items():
            text = data
            if name == "[Content_Types].xml":
                kind = b"application/vnd.openxmlformats-officedocument.spreadsheetml.calcChain+xml"
                added = b'<Override PartName="/xl/calcChain.xml" ContentType="' + kind + b'"/>'
                text = data.replace(b"</Types>", added + b"</Types>")
            if name == "xl/_rels/workbook.xml.rels":
                text = data.replace(b"</Relationships>", b'<Relationship Id="rId99" Type="http://schemas.openxmlformats'
                                    b'.org/officeDocument/2006/relationships/calcChain" Target="calcChain.xml"/>'
                                    b"</Relationships>")  # fmt: skip
            archive.writestr(name, text)
        archive.writestr("xl/calcChain.xml", '<calcChain xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/'
                         'main"><c r="B1" i="1"/></calcChain>')  # fmt: skip
    file = copied(path)[0]
    assert "xl/calcChain.xml" not in parts(file)
    tools.assert_well_formed(file)
    assert {name: parts(file)[name] for name in ("[Content_Types].xml", "xl/_rels/workbook.xml.rels")} == {
        name: held[name] for name in ("[Content_Types].xml", "xl/_rels/workbook.xml.rels")
    }


def test_a_workbook_without_formulas_is_copied_bit_for_bit(tmp_path: Path) -> None:
    book = xlsxwriter.Workbook(tmp_path / "Book.xlsx")
    book.add_worksheet().write_string("A1", "<f>A1</f>")
    book.close()
    file, formulas, _ = copied(tmp_path / "Book.xlsx")
    assert formulas == 0
    assert file.read_bytes() == (tmp_path / "Book.xlsx").read_bytes()


def test_the_digest_is_that_of_the_file_and_a_second_copy_replaces_the_first(tmp_path: Path) -> None:
    path = book_of(tmp_path / "Book.xlsx")
    first = keep_copy(path, NAME)
    tools.rewrite(path, {r"xl/worksheets/sheet2\.xml": ("<v>1</v>", "<v>2</v>")})
    second = keep_copy(path, NAME)
    assert first.sha256 != second.sha256
    assert second.sha256 == hashlib.sha256(second.file.read_bytes()).hexdigest()
    assert second.bytes == second.file.stat().st_size
    assert [p.name for p in second.file.parent.iterdir()] == [NAME]


def test_what_cannot_be_copied_is_one_sentence_and_leaves_nothing(tmp_path: Path) -> None:
    path = book_of(tmp_path / "Book.xlsx")
    whole = keep_copy(path, NAME)
    data = path.read_bytes()
    for broken in (b"no zip", data[: len(data) // 2], data[:3_000] + bytes(200) + data[3_200:]):
        path.write_bytes(broken)
        with pytest.raises(WorkbookError, match=r"Book.xlsx: no values-only copy was made, because .*earlier"):
            keep_copy(path, NAME)
    path.unlink()
    with pytest.raises(WorkbookBusy, match="no such file"):
        keep_copy(path, NAME)
    assert [p.name for p in whole.file.parent.iterdir()] == [NAME]
    assert hashlib.sha256(whole.file.read_bytes()).hexdigest() == whole.sha256


def test_a_folder_that_cannot_be_written_is_one_sentence(tmp_path: Path) -> None:
    path = book_of(tmp_path / "Book.xlsx")
    (tmp_path / "archive").write_text("in the way")
    with pytest.raises(WorkbookBusy, match=r"no values-only copy was made at .*archive"):
        keep_copy(path, NAME)


def test_a_copy_that_reads_back_otherwise_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = book_of(tmp_path / "Book.xlsx")
    sync = os.fsync

    def flipped(descriptor: int) -> None:
        os.pwrite(descriptor, b"X", 500)
        sync(descriptor)

    monkeypatch.setattr(os, "fsync", flipped)
    with pytest.raises(WorkbookError, match="reads back from the disk otherwise"):
        keep_copy(path, NAME)
    assert list((tmp_path / "archive").iterdir()) == []


@pytest.mark.slow
def test_the_whole_workbook_with_a_sheet_of_the_users(tmp_path: Path) -> None:
    """What our host wrote shows the same everywhere; the user's formulas hold what was computed last."""
    path = tmp_path / "OptionsDashboard.xlsx"
    host = FileHost(path)
    frame = tools.made_up_frame(5)
    host.write(frame)
    held = parts(path)
    sheet = "xl/worksheets/sheet1.xml"
    last = int(re.findall(rb'<row r="(\d+)"', held[sheet])[-1]) + 5
    tools.rewrite(path, {re.escape(sheet): (
        "</sheetData>",
        f'<row r="{last}"><c r="A{last}"><f>NIFTY_SPOT*2</f><v>50000.5</v></c></row></sheetData>',
    )})  # fmt: skip
    host.write(tools.made_up_frame(6))
    host.close()
    before = shown(path)
    kept = keep_copy(path, NAME)
    assert kept.formulas >= 1
    assert shown(kept.file) == before
    assert before[f"ALERT_SUMMARY!A{last}"] == 50_000.5
    tools.assert_shows(kept.file, tools.made_up_frame(6))
    tools.assert_well_formed(kept.file)


@pytest.mark.office
@pytest.mark.slow
def test_libre_office_shows_the_same_and_finds_no_formula(tmp_path: Path) -> None:
    path = book_of(tmp_path / "Book.xlsx")
    kept = keep_copy(path, NAME)
    opened = shown(tools.convert(kept.file, "xlsx", tmp_path / "out"))
    told = {place: value for place, value in shown(kept.file).items() if place != "Mine & yours!E1"}
    assert {place: opened.get(place) for place in told} == told


def test_values_only_is_pure() -> None:
    with pytest.raises(WorkbookError, match=r"not an .xlsx file"):
        values_only(b"")
