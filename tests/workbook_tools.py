"""For tests of the workbook: made-up frames, reading a file back by other means than ours, and LibreOffice.

Reading back uses openpyxl and the layout's words, none of the code that wrote.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import zipfile
from collections.abc import Mapping
from datetime import datetime, time, timedelta
from pathlib import Path

import numpy as np
import openpyxl
import pytest
from lxml import etree
from openpyxl.utils import range_boundaries
from openpyxl.utils.datetime import to_excel
from openpyxl.utils.escape import unescape

from optionscanner.model.frame import Block, Cell, Frame
from optionscanner.workbook.formats import Kind
from optionscanner.workbook.grid import Cells, Line, Named, Table
from optionscanner.workbook.layout import SHEETS, blocks
from tests.builders import IST

AS_OF = datetime(2026, 1, 30, 11, 42, 30, tzinfo=IST)
TEXTS = (
    "BULLISH", "=cmd|' /C calc'!A1", "+1", "-x", "@SUM(A1)", "A & B <i>", "₹ ünï \"q\" 'x'", "  padded  ", "",
)  # fmt: skip
TEXT_KINDS = (Kind.TEXT, Kind.WORD)


def made_up_block(name: str, kinds: list[Kind], height: int, draw: np.random.Generator) -> Block:
    """`height` rows of a value of each kind; one in ten is blank."""
    columns: list[list[Cell]] = []
    for kind in kinds:
        if kind in TEXT_KINDS:
            column: list[Cell] = [str(t) or None for t in draw.choice(TEXTS, height)]
        elif kind in (Kind.TIME, Kind.MOMENT, Kind.DATE, Kind.DATE_TIME):
            column = [46_052.0 + float(s) / 86_400 for s in draw.integers(0, 86_400, height)]
        elif kind is Kind.DAYS:
            column = (draw.integers(1_000, 5_000_000, height) / 86_400).tolist()
        else:
            column = (draw.normal(size=height) * 10.0 ** draw.integers(-3, 8, height)).tolist()
        blank = draw.random(height) < 0.1
        columns.append([None if no else value for value, no in zip(column, blank, strict=True)])
    return Block(name, tuple(zip(*columns, strict=True)))


def made_up_frame(seed: int, heights: Mapping[str, int] | None = None) -> Frame:
    """Every block of the layout filled to its height (or that of `heights`) with values that differ by seed."""
    draw = np.random.default_rng(seed)
    made = []
    for sheet in SHEETS:
        for name, block in blocks(sheet):
            if isinstance(block, Table):
                kinds, height = [c.kind for c in block.fields], block.height
            elif isinstance(block, Line):
                fields = sheet.table(block.table).fields
                kinds, height = [Kind.TEXT if name.endswith("_units") else c.kind for c in fields], 1
            elif isinstance(block, Cells):
                made.append(_single(name, [c.kind for c in block.cells], draw))
                continue
            else:
                made.append(_single(name, [c.kind for c in block.cells], draw))
                continue
            made.append(made_up_block(name, kinds, (heights or {}).get(name, height), draw))
    return Frame.of(AS_OF, made)


def _single(name: str, kinds: list[Kind], draw: np.random.Generator) -> Block:
    return Block(name, tuple(made_up_block(name, [kind], 1, draw).rows[0] for kind in kinds))


def read_back(path: Path) -> dict[str, list[tuple[Cell, ...]]]:
    """block -> rows as the file holds them, found by defined name and header text."""
    book = openpyxl.load_workbook(path)
    read: dict[str, list[tuple[Cell, ...]]] = {}
    for sheet in SHEETS:
        for name, block in blocks(sheet):
            if isinstance(block, Named):
                read[name] = [(_one(book, cell.name),) for cell in block.cells]
            elif isinstance(block, Cells):
                read[name] = [(_at(book, place),) for place in _destinations(book, name)]
            else:
                table = block if isinstance(block, Table) else sheet.table(block.table)
                columns, rows, title = _columns(book, table)
                if isinstance(block, Line):
                    rows = range_boundaries(_destinations(book, name)[0][1])[1::2]
                    rows = (rows[0], rows[0])
                worksheet = book[title]
                read[name] = [
                    tuple(_serial(worksheet.cell(row, column).value) for column in columns)
                    for row in range(rows[0], rows[1] + 1)
                ]
    book.close()
    return read


def _columns(book: openpyxl.Workbook, table: Table) -> tuple[list[int], tuple[int, int], str]:
    title, reference = _destinations(book, table.name)[0]
    left, top, right, bottom = range_boundaries(reference)
    headers = [book[title].cell(top, column).value for column in range(left, right + 1)]
    found: list[int] = []
    for number, column in enumerate(table.fields):
        # The same header a second time is the other side of a ladder.
        earlier = sum(c.header == column.header for c in table.fields[:number])
        found.append(left + [i for i, text in enumerate(headers) if text == column.header][earlier])
    return found, (top + 1, bottom), title


def _destinations(book: openpyxl.Workbook, name: str) -> list[tuple[str, str]]:
    listed = book.defined_names[name].destinations
    return [(sheet.replace("''", "'"), reference.replace("$", "")) for sheet, reference in listed]


def _one(book: openpyxl.Workbook, name: str) -> Cell:
    return _at(book, _destinations(book, name)[0])


def _at(book: openpyxl.Workbook, place: tuple[str, str]) -> Cell:
    return _serial(book[place[0]][place[1]].value)


def _serial(value: object) -> Cell:
    if isinstance(value, datetime | time | timedelta):
        return float(to_excel(value))
    if isinstance(value, str):
        # Spreadsheets read _x0041_ as the character with that code; openpyxl leaves that to its caller.
        return unescape(value)
    return float(value) if isinstance(value, int | float) else None


def assert_shows(path: Path, frame: Frame, *, but: frozenset[str] = frozenset()) -> None:
    """Every cell of every block of the file holds the frame's value, blanks below a shorter block included."""
    for name, rows in read_back(path).items():
        if name in but or name not in frame.blocks:
            continue
        wanted = [*frame.blocks[name].rows]
        wanted += [(None,) * len(rows[0])] * (len(rows) - len(wanted))
        for number, (row, expected) in enumerate(zip(rows, wanted, strict=True)):
            for got, want in zip(row, expected, strict=True):
                if isinstance(want, float) and isinstance(got, float):
                    # openpyxl gives times back rounded to microseconds, LibreOffice numbers to 15 digits.
                    assert got == pytest.approx(want, rel=1e-13, abs=1e-9), (name, number, got, want)
                else:
                    assert got == want, (name, number, got, want)


def parts(path: Path) -> dict[str, bytes]:
    """part -> contents, of an intact workbook file."""
    with zipfile.ZipFile(path) as archive:
        assert archive.testzip() is None
        names = archive.namelist()
        assert len(names) == len(set(names))
        return {name: archive.read(name) for name in names}


def assert_well_formed(path: Path) -> None:
    """Every XML part parses, every part has a type and every relation a target."""
    held = parts(path)
    types = etree.fromstring(held["[Content_Types].xml"])
    defaults = {e.get("Extension").lower() for e in types if e.tag.endswith("Default")}
    overrides = {e.get("PartName").lstrip("/") for e in types if e.tag.endswith("Override")}
    assert overrides <= held.keys()
    for name, data in held.items():
        if name.endswith((".xml", ".rels", ".vml")):
            root = etree.fromstring(data)
            if name.endswith(".rels"):
                base = Path(name).parent.parent
                for relation in root:
                    target = relation.get("Target")
                    if relation.get("TargetMode") != "External":
                        joined = target.lstrip("/") if target.startswith("/") else os.path.normpath(base / target)
                        assert str(joined).replace("\\", "/") in held, (name, target)
        assert name in overrides or name.rpartition(".")[2].lower() in defaults or name == "[Content_Types].xml"


def rewrite(path: Path, edit: Mapping[str, tuple[str, str]]) -> None:
    """Edit parts of a workbook file as another program might: part pattern -> (regular expression, replacement)."""
    held = parts(path)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in held.items():
            text = data
            for pattern, (old, new) in edit.items():
                if re.fullmatch(pattern, name):
                    changed, count = re.subn(old, new, text.decode("utf-8"), flags=re.DOTALL)
                    assert count, f"{name} holds nothing like {old}"
                    text = changed.encode("utf-8")
            archive.writestr(name, text)


# 0: compute every formula of an xlsx file on opening, instead of believing the answers that the file holds.
RECALCULATED = """<?xml version="1.0" encoding="UTF-8"?>
<oor:items xmlns:oor="http://openoffice.org/2001/registry"><item oor:path="/org.openoffice.Office.Calc/Formula/Load">
<prop oor:name="OOXMLRecalcMode" oor:op="fuse"><value>0</value></prop></item></oor:items>"""


def convert(path: Path, kind: str, folder: Path, *, recalculate: bool = False) -> Path:
    """The file as LibreOffice opens and saves it in another format (xlsx, pdf), under its own profile."""
    program = shutil.which("soffice")
    if program is None:
        pytest.skip("LibreOffice is not installed (soffice not found)")
    folder.mkdir(exist_ok=True)
    if recalculate:
        settings = folder / "profile" / "user" / "registrymodifications.xcu"
        settings.parent.mkdir(parents=True)
        settings.write_text(RECALCULATED, encoding="utf-8")
    form = {"xlsx": "xlsx:Calc MS Excel 2007 XML"}.get(kind, kind)
    done = subprocess.run(
        [
            program, f"-env:UserInstallation={(folder / 'profile').as_uri()}", "--headless", "--norestore",
            "--convert-to", form, "--outdir", str(folder), str(path),
        ],
        env={**os.environ, "SAL_USE_VCLPLUGIN": "svp"}, capture_output=True, timeout=180, check=False,
    )  # fmt: skip
    made = folder / f"{path.stem}.{kind}"
    assert made.exists(), done.stderr.decode(errors="replace")
    return made
