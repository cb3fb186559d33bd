"""The workbook with macros: the packed project equals its sources, and its buttons set CONTROL cells and no others."""

import re
import uuid
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import olefile
import openpyxl
import pytest
from lxml import etree

from optionscanner.errors import WorkbookError
from optionscanner.model.control_settings import SETTINGS
from optionscanner.model.frame import Block, Frame
from optionscanner.workbook import upgrade
from optionscanner.workbook.file_host import FileHost
from optionscanner.workbook.formats import Kind
from optionscanner.workbook.grid import Column, Named, NamedCell, Sheet, Table, Text, band, pixels
from optionscanner.workbook.layout import SAMPLES, SHEETS
from optionscanner.workbook.layout_buttons import BUTTON_PIXELS, BUTTONS, placed
from optionscanner.workbook.macros import read_macros, without_macros
from optionscanner.workbook.macros_repair import repair_macros
from optionscanner.workbook.office import bridge, process
from optionscanner.workbook.office.front import LibreOfficeFront
from optionscanner.workbook.package import read_package, write_package
from optionscanner.workbook.template import build_template, template_for
from optionscanner.workbook.values_copy import keep_copy
from optionscanner.workbook.vba_project import compressed, obfuscated, vba_project
from tests.workbook_tools import assert_well_formed, parts

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # of names that a library under oletools will drop
    from oletools.olevba import VBA_Parser, decompress_stream

pytestmark = pytest.mark.filterwarnings("ignore:.*extension is not supported:UserWarning")

SOURCES = Path(__file__).parent.parent / "workbooks" / "macros"
COMMANDS = {
    "Engine.Recalculate": "RECALC",
    "Engine.Pause": "PAUSE",
    "Engine.GoOn": "RESUME",
    "Engine.Archive": "ARCHIVE",
}
_WIDTHS = (28.0, 18.0, 10.0, 30.0, 18.0, 10.0, 50.0, *(10.0,) * 8)
CONTROL = Sheet(
    "CONTROL", "Control", _WIDTHS,
    tables=(Table("t", 20, 1, (Column("a", 5, "x", Kind.TEXT),), 3),),
    cells=(band("CONTROL", _WIDTHS),),
    named=(
        Named("control_cells", 6, 2, (
            NamedCell("CONTROL_COMMAND", "", Kind.TEXT, "", "", ""),
            NamedCell("CONTROL_REQUEST", "", Kind.COUNT, "", "", ""),
        )),
    ),
    texts=(Text(5, 5, "Answer", "header"),),
)  # fmt: skip
SMALL = (SHEETS[0], next(sheet for sheet in SHEETS if sheet.name == "STOCKS_GROUPED"), CONTROL)


def small_book(place: Path) -> Path:
    place.write_bytes(build_template(SMALL, macros=read_macros(SOURCES)))
    return place


@pytest.fixture(scope="module")
def book(tmp_path_factory) -> Path:
    place = tmp_path_factory.mktemp("macros") / "Options.xlsm"
    place.write_bytes(template_for(place, SOURCES)())
    return place


def modules(path: Path) -> dict[str, str]:
    """Module -> source as another program reads it out of the file."""
    parser = VBA_Parser(str(path))
    try:
        return {Path(name).stem: code.replace("\r\n", "\n") for _, _, name, code in parser.extract_macros()}
    finally:
        parser.close()


# The packed project


def test_the_packed_macros_are_the_sources(book):
    held = modules(book)
    texts = {path.stem: path.read_text(encoding="ascii") for path in SOURCES.glob("*.bas")}
    assert {name: held[name] for name in texts} == texts
    # All others are documents of the spreadsheet's, without a line of code.
    documents = {name: code for name, code in held.items() if name not in texts}
    assert documents.keys() == {"ThisWorkbook", *(f"Sheet{n + 1}" for n in range(len((*SHEETS, *SAMPLES))))}
    assert all(line.startswith("Attribute ") for code in documents.values() for line in code.splitlines())


def test_code_names_of_the_sheets_are_those_of_the_project(book):
    held = parts(book)
    names = [re.search(rb'codeName="(\w+)"', held[f"xl/worksheets/sheet{n + 1}.xml"])[1] for n in range(len(SHEETS))]
    assert names == [b"Sheet%d" % (n + 1) for n in range(len(SHEETS))]
    assert re.search(rb'codeName="(\w+)"', held["xl/workbook.xml"])[1] == b"ThisWorkbook"


@pytest.mark.slow
def test_the_same_sources_give_the_same_bytes(book):
    assert template_for(book, SOURCES)() == book.read_bytes()


def test_the_file_is_well_formed_and_has_a_button_for_each_macro(book):
    assert_well_formed(book)
    drawings = [data.decode() for name, data in parts(book).items() if "vmlDrawing" in name]
    run = re.findall(r"<x:FmlaMacro>\[0\]!([\w.]+)</x:FmlaMacro>", "".join(drawings))
    assert set(run) == {button.macro for button in BUTTONS}
    held = modules(book)
    for macro in run:
        module, procedure = macro.split(".")
        assert f"Public Sub {procedure}()" in held[module]


@pytest.mark.slow
def test_macros_speak_of_cells_and_words_that_control_has(book):
    names = openpyxl.load_workbook(book, keep_vba=True).defined_names
    said = "".join(path.read_text(encoding="ascii") for path in SOURCES.glob("*.bas"))
    spoken = set(re.findall(r"\bCONTROL_[A-Z]+\b", said)) | set(re.findall(r'\.Names\("(\w+)"\)', said))
    assert {"CONTROL_COMMAND", "CONTROL_REQUEST", "CONTROL_CONFIRM", "stocks"} == spoken
    assert spoken <= names.keys()
    (command,) = [setting for setting in SETTINGS if setting.name == "CONTROL_COMMAND"]
    assert set(COMMANDS.values()) == set(re.findall(r'^    Ask "(\w+)"$', said, re.MULTILINE))
    assert {*COMMANDS.values(), "RESTORE", "STOP"} <= set(command.choices)


@pytest.mark.slow
def test_a_workbook_without_macros_has_no_project_and_no_button(tmp_path):
    place = tmp_path / "Options.xlsx"
    place.write_bytes(template_for(place, SOURCES)())
    held = parts(place)
    assert not [name for name in held if "vba" in name.lower()]
    # Notes of cells are drawings of the same kind.
    assert not [name for name in held if "vml" in name.lower() and b'ObjectType="Button"' in held[name]]
    assert b"macroEnabled" not in held["[Content_Types].xml"]


def test_macros_use_nothing_that_only_one_spreadsheet_has():
    """No library of Windows, no control, no shell, no file."""
    for path in SOURCES.glob("*.bas"):
        text = path.read_text(encoding="ascii")
        assert not re.search(r"\b(Declare|CreateObject|GetObject|Shell|Kill|Open|Environ|ActiveX)\b", text, re.I), path


def test_only_ask_writes_cells():
    """The rest of the sources assign to no cell."""
    written = [
        (path.name, line.strip())
        for path in sorted(SOURCES.glob("*.bas"))
        for line in path.read_text(encoding="ascii").splitlines()
        if re.search(r"\.(Value|Formula|Text)\w*\s*=(?!.*\bThen\b)", line)
    ]
    assert written == [
        ("Engine.bas", 'NamedCell("CONTROL_COMMAND").Value = word'),
        ("Engine.bas", 'NamedCell("CONTROL_REQUEST").Value = NamedCell("CONTROL_REQUEST").Value + 1'),
    ]


@pytest.mark.parametrize(
    ("files", "sentence"),
    [
        ({}, "the sources of the macros (.bas) were expected there and there are none"),
        ({"A.bas": "Sub A()\nEnd Sub\n"}, "A.bas: a macro's source is ASCII text whose first line is Attribute"),
        ({"A.bas": 'Attribute VB_Name = "A"\n\' ₹\n'}, "a macro's source is ASCII text"),
    ],
)  # fmt: skip
def test_sources_that_cannot_be_packed_are_told(tmp_path, files, sentence):
    for name, text in files.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    with pytest.raises(WorkbookError, match=re.escape(sentence)):
        template_for(tmp_path / "b.xlsm", tmp_path)()


# The formats under it


def test_settings_of_a_project_are_written_as_in_the_standards_example():
    """[MS-OVBA] 3.1.1 shows a project's identifier with its three settings; the filler is found by decoding them."""
    project = "{917DED54-440B-4FD1-A5C1-74ACF261E600}"
    for text, data in (
        ("0705D8E3D8EDDBF1DBF1DBF1DBF1", bytes(4)),
        ("0E0CD1ECDFF4E7F5E7F5E7", bytes(1)),
        ("1517CAF1D6F9D7F9D706", b"\xff"),
    ):
        coded = bytes.fromhex(text)
        plain, last = [], coded[0] ^ coded[2]
        for n in range(3, len(coded)):
            last = coded[n] ^ ((coded[n - 2] + last) & 0xFF)
            plain.append(last)
        filler = bytes(plain[: len(plain) - 4 - len(data)])
        assert obfuscated(data, project=project, seed=coded[0], filler=filler) == text


@pytest.mark.parametrize(
    "data",
    [
        b"", b"a", b"abc" * 4000, bytes(range(256)) * 40, b"\0" * 4097,
        "".join(f"Sub S{n}()\r\nEnd Sub\r\n" for n in range(900)).encode(),
    ],
)  # fmt: skip
def test_compression_is_undone_by_another_program(data):
    assert decompress_stream(bytearray(compressed(data))) == data


def test_the_standards_examples_of_compression():
    """[MS-OVBA] 3.2: nothing to copy, and one letter over and over."""
    plain = b"abcdefghijklmnopqrstuv."
    assert compressed(plain).hex() == "0119b000616263646566676800696a6b6c6d6e6f70007172737475762e"
    assert compressed(b"a" * 73).hex() == "0103b002614500"


def test_noise_is_stored_as_it_is():
    noise = b"".join(uuid.uuid5(uuid.NAMESPACE_OID, str(n)).bytes for n in range(256))
    assert decompress_stream(bytearray(compressed(noise))) == noise


@pytest.mark.slow
@pytest.mark.parametrize("lines", [1, 400, 15_000])
def test_a_project_of_any_size_is_read_by_another_program(lines):
    """Small streams, large ones, and a table of sectors of several sectors."""
    noise = "".join(f"' {uuid.uuid5(uuid.NAMESPACE_OID, str(n))}\r\n" for n in range(lines))
    text = f'Attribute VB_Name = "Big"\r\n{noise}'
    made = vba_project({"Big": text}, ["Sheet1", "Sheet2"])
    with olefile.OleFileIO(made) as file:
        assert decompress_stream(bytearray(file.openstream("VBA/Big").read())) == text.encode()
        assert len(file.listdir()) == 2 + 2 + 4
        assert file.parsing_issues == []


def test_the_names_of_a_storage_form_a_balanced_tree_in_their_order():
    """Spreadsheets search it: by length, then by letters; no two red in a row, equally many black on every way down."""
    made = vba_project({f"M{n}": f'Attribute VB_Name = "M{n}"\n' for n in range(9)}, [])
    with olefile.OleFileIO(made) as file:
        entries = file.direntries
        names: list[str] = []

        def blacks(number: int, parent: int) -> int:
            if number == olefile.NOSTREAM:
                return 1
            entry = entries[number]
            assert parent == 1 or entry.color == 1
            left = blacks(entry.sid_left, entry.color)
            names.append(entry.name)
            assert left == blacks(entry.sid_right, entry.color)
            return left + entry.color

        blacks(next(e for e in entries if e and e.name == "VBA").sid_child, 0)
    assert len(names) == 12
    assert names == sorted(names, key=lambda name: (len(name), name.upper()))


# In the workbook's life


def spans(sheet: Sheet, row: int) -> Iterator[tuple[float, float]]:
    """From where to where, in pixels, a row's cells are in use by the layout."""
    starts = [0]
    for width in (*sheet.widths, *(9.0,) * 20):
        starts.append(starts[-1] + pixels(width))
    for table in sheet.tables:
        if table.row - 1 <= row <= table.last_row or row in [line.row for line in sheet.lines]:
            yield starts[table.column - 1], starts[table.column - 1 + len(table.columns)]
    for cell in (*(cell for cells in sheet.cells for cell in cells.cells), *sheet.inputs):
        if cell.row == row:
            yield starts[cell.column - 1], starts[cell.column]
    for text in sheet.texts:
        if text.row == row and text.text:
            # Words run on into the empty cells beside them.
            yield starts[text.column - 1], starts[text.column - 1] + 6.2 * len(text.text)


@pytest.mark.parametrize("layout", [SHEETS, SMALL])
def test_buttons_cover_nothing(layout):
    sheets = {sheet.name: sheet for sheet in layout}
    there = list(placed(layout))
    assert {place.sheet for place in there} == {"ALERT_SUMMARY", "CONTROL"} & sheets.keys()
    assert BUTTON_PIXELS[1] <= 20
    ends = dict.fromkeys(sheets, 0)
    for place in there:
        sheet = sheets[place.sheet]
        left = sum(pixels(width) for width in sheet.widths[: place.column - 1]) + place.right
        right = left + BUTTON_PIXELS[0]
        assert ends[sheet.name] <= left, place
        ends[sheet.name] = right
        assert right <= 1840, place
        assert not [span for span in spans(sheet, place.row) if span[0] < right and left < span[1]], place


@pytest.mark.slow
def test_the_file_host_keeps_project_and_buttons(tmp_path):
    place = tmp_path / "Options.xlsm"
    host = FileHost(place, layout=SMALL, template=lambda: build_template(SMALL, macros=read_macros(SOURCES)))
    try:
        kept = ("vba", "vmlDrawing", "worksheets/_rels", "[Content_Types]")
        seen = []
        for request in (1.0, 2.0):
            blocks = {"control_cells": Block("control_cells", (("PAUSE",), (request,)))}
            result = host.write(Frame(1.0, blocks))
            assert result.status == "written"
            seen.append({name: data for name, data in parts(place).items() if any(word in name for word in kept)})
    finally:
        host.close()
    before = tmp_path / "new.xlsm"
    small_book(before)
    fresh = parts(before)
    assert seen[0] == seen[1] == {name: fresh[name] for name in seen[0]}
    assert len([name for name in seen[0] if "vba" in name]) == 1
    assert openpyxl.load_workbook(place)["CONTROL"]["B7"].value == 2


@pytest.mark.slow
def test_the_values_only_copy_of_a_workbook_with_macros_is_an_ordinary_workbook(tmp_path):
    place = small_book(tmp_path / "Options.xlsm")
    kept = keep_copy(place, "Options-2026-01-30.xlsx")
    assert_well_formed(kept.file)
    held = parts(kept.file)
    assert "xl/vbaProject.bin" not in held
    assert not any(b"vbaProject" in held[name] for name in ("[Content_Types].xml", "xl/_rels/workbook.xml.rels"))
    assert b"macroEnabled" not in held["[Content_Types].xml"]
    types = etree.fromstring(held["[Content_Types].xml"])
    (main,) = [e.get("ContentType") for e in types if e.get("PartName") == "/xl/workbook.xml"]
    assert main == "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet.main+xml"
    assert openpyxl.load_workbook(kept.file).sheetnames == [sheet.name for sheet in SMALL]


@pytest.mark.slow
def test_a_restored_sheet_brings_its_buttons_and_takes_no_other_sheets_code_name(tmp_path):
    """STOCKS_GROUPED was Sheet2 of the small book, as CONTROL is of a book that the user made of two sheets."""
    macros = read_macros(SOURCES)
    two = build_template((SMALL[0], SMALL[2]), macros=macros)
    restored = upgrade.restored(two, build_template(SMALL, macros=macros), ["STOCKS_GROUPED"])
    place = tmp_path / "Options.xlsm"
    place.write_bytes(restored.data)
    assert_well_formed(place)
    sheets = [data for name, data in parts(place).items() if re.fullmatch(r"xl/worksheets/[^/]+\.xml", name)]
    codes = [code for data in sheets for code in re.findall(rb'codeName="(\w+)"', data)]
    assert (len(sheets), sorted(codes)) == (3, [b"Sheet1", b"Sheet2"])
    without = build_template(SMALL[:2], macros=macros)
    place.write_bytes(upgrade.restored(without, build_template(SMALL, macros=macros), ["CONTROL"]).data)
    drawings = b"".join(data for name, data in parts(place).items() if name.endswith(".vml"))
    assert drawings.count(b"[0]!Engine.Recalculate<") == 2
    assert parts(place)["xl/vbaProject.bin"] == vba_project(macros, ["Sheet1", "Sheet2"])


def test_taking_macros_out_of_a_file_without_any_changes_nothing():
    members = read_package(build_template(SMALL))
    assert without_macros(members) is members
    assert write_package(without_macros(members)) == write_package(members)


# In LibreOffice


# A region that writes 1,5 for one and a half.
GERMAN = """<?xml version="1.0" encoding="UTF-8"?>
<oor:items xmlns:oor="http://openoffice.org/2001/registry">
<item oor:path="/org.openoffice.Setup/L10N"><prop oor:name="ooSetupSystemLocale" oor:op="fuse"><value>de-DE</value>
</prop></item></oor:items>"""


class Office:
    """The workbook as the program opens it in LibreOffice, headless, on a computer of a region with commas."""

    def __init__(self, folder: Path, workbook: Path) -> None:
        settings = folder / "profile" / "user" / "registrymodifications.xcu"
        settings.parent.mkdir(parents=True)
        settings.write_text(GERMAN, encoding="utf-8")
        self.front = LibreOfficeFront(folder / "profile", headless=True)
        self.opened = self.front.open(workbook)
        self.document: Any = self.opened.book.impl.document.model

    def press(self, sheet: str, caption: str) -> None:
        """Do what a click on the button does."""
        script = self.buttons(sheet)[caption]
        self.document.getScriptProvider().getScript(script).invoke((), (), ())

    def cells(self, sheet: str, *addresses: str) -> list[str]:
        held = self.document.Sheets.getByName(sheet)
        return [held.getCellRangeByName(address).String for address in addresses]

    def buttons(self, sheet: str) -> dict[str, str]:
        """Caption -> address of the macro."""
        (form,) = self.document.Sheets.getByName(sheet).DrawPage.Forms
        return {form.getByIndex(n).Label: form.getScriptEvents(n)[0].ScriptCode for n in range(form.Count)}


@pytest.fixture(scope="module")
def office(tmp_path_factory) -> Iterator[Office]:
    if reason := bridge.available():
        pytest.skip(reason)
    folder = tmp_path_factory.mktemp("office")
    try:
        yield Office(folder, small_book(folder / "Options.xlsm"))
    finally:
        process.kill_own(folder / "profile")


@pytest.mark.office
@pytest.mark.timeout(120)
def test_libreoffice_runs_each_button_and_only_the_two_cells_change(office):
    number = office.document.Sheets.getByName("CONTROL").getCellRangeByName("C15")
    number.Formula = "=3/2"
    assert (number.String, number.Value) == ("1,5", 1.5)
    requests = 0
    for sheet in ("CONTROL", "ALERT_SUMMARY"):
        assert office.buttons(sheet).keys() == {button.caption for button in BUTTONS}
        for button in BUTTONS[:4]:
            office.press(sheet, button.caption)
            requests += 1
            assert office.cells("CONTROL", "B6", "B7") == [COMMANDS[button.macro], str(requests)]
    office.front.run_macro(office.opened, "Engine.Ask", "RESTORE")
    assert office.cells("CONTROL", "A6", "B6", "B7", "C7", "B8") == ["", "RESTORE", "9", "", ""]


@pytest.mark.office
@pytest.mark.timeout(120)
def test_libreoffice_jumps_to_a_symbol(office):
    document = office.document
    stocks, summary = (document.Sheets.getByName(name) for name in ("STOCKS_GROUPED", "ALERT_SUMMARY"))
    stocks.getCellRangeByName("B9").String = "M&M"
    summary.getCellRangeByName("A8").String = "M&M"
    document.CurrentController.setActiveSheet(summary)
    document.CurrentController.select(summary.getCellRangeByName("A8"))
    office.press("ALERT_SUMMARY", "Jump to symbol")
    assert document.CurrentController.ActiveSheet.Name == "STOCKS_GROUPED"
    assert document.CurrentSelection.AbsoluteName == "$STOCKS_GROUPED.$B$9"
    assert office.front.run_macro(office.opened, "Symbols.GoToSymbol", "CONTROL") is True
    assert document.CurrentController.ActiveSheet.Name == "CONTROL"
    assert office.front.run_macro(office.opened, "Symbols.GoToSymbol", "NOSUCH") is False


@pytest.mark.office
@pytest.mark.timeout(120)
def test_macros_and_buttons_survive_libreoffice_saving_the_workbook(office, tmp_path):
    """Saved, opened and saved again: as on three days."""
    place = tmp_path / "Saved.xlsm"
    office.front.save_copy(office.opened, place)
    held = modules(place)
    for name, source in read_macros(SOURCES).items():
        kept = [line.rstrip() for line in held[name].splitlines()]
        assert [line for line in source.splitlines() if line not in kept] == []
    for _ in range(2):
        opened = office.front.open(place)
        again = opened.book.impl.document.model
        for sheet in ("CONTROL", "ALERT_SUMMARY"):
            (form,) = again.Sheets.getByName(sheet).DrawPage.Forms
            buttons = [form.getByIndex(n) for n in range(form.Count)]
            assert {button.Label for button in buttons} == {button.caption for button in BUTTONS}
            run = [form.getScriptEvents(n)[0].ScriptCode.partition("?")[0] for n in range(form.Count)]
            assert set(run) == {f"vnd.sun.star.script:VBAProject.{button.macro}" for button in BUTTONS}
        requested = again.Sheets.getByName("CONTROL").getCellRangeByName("B7")
        before = requested.Value
        recalculate = next(n for n in range(form.Count) if buttons[n].Label == "Recalculate")
        again.getScriptProvider().getScript(form.getScriptEvents(recalculate)[0].ScriptCode).invoke((), (), ())
        assert requested.Value == before + 1
        office.front.close(opened, leave_open=False)


def test_buttons_that_are_found_are_left_alone(tmp_path):
    place = small_book(tmp_path / "Options.xlsm")
    before = place.read_bytes()
    assert repair_macros(place) is False
    assert place.read_bytes() == before
    assert [path.name for path in tmp_path.iterdir()] == ["Options.xlsm"]


@pytest.mark.parametrize("lock", ["~$Options.xlsm", ".~lock.Options.xlsm#"])
def test_buttons_are_not_repaired_under_a_program_that_has_the_workbook_open(tmp_path, lock):
    place = small_book(tmp_path / "Options.xlsm")
    members = read_package(place.read_bytes())
    # As LibreOffice saves them: numbers of controls here, one name for all shapes there.
    sheet, drawing = "xl/worksheets/sheet1.xml", "xl/drawings/vmlDrawing1.vml"
    controls = "".join(f'<control shapeId="{1001 + n}" name="B"/>' for n in range(len(BUTTONS)))
    data = members[sheet].unpacked().replace(b"</worksheet>", f"<controls>{controls}</controls></worksheet>".encode())
    shapes = re.sub(rb'id="_x0000_s\d+"', b'id="shape_0"', members[drawing].unpacked())
    members |= {sheet: members[sheet].replaced(data), drawing: members[drawing].replaced(shapes)}
    broken = write_package(members)
    place.write_bytes(broken)
    (tmp_path / lock).touch()
    assert repair_macros(place) is False
    assert place.read_bytes() == broken
    (tmp_path / lock).unlink()
    assert repair_macros(place) is True
    named = re.findall(rb'<v:shape id="(\w+)"(?:(?!</v:shape>).)*ObjectType="Button"', parts(place)[drawing], re.DOTALL)
    assert named == [b"_x0000_s%d" % (1001 + n) for n in range(len(BUTTONS))]
    assert repair_macros(place) is False
