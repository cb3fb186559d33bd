"""One worksheet's XML, cut at the cells that are ours: parsed once, then written by joining strings.

`SheetXml` finds rows and cells and answers questions about them; `SheetPlan` is the precomputed cut for a list of
cells, and turns a list of values into the sheet's bytes. Nothing outside those cells changes, not even its spelling.
This module knows XML, not blocks; `file_host.py` decides which cells are ours.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from html import unescape
from itertools import compress
from operator import ne

from lxml import etree

from optionscanner.errors import WorkbookError
from optionscanner.model.frame import Cell

Position = tuple[int, int]
"""(row, column), both from 1."""

_UNSET = object()
# Spreadsheets read _x0041_ in a text as the character with that code, so its underscore is itself written as a code.
_ESCAPE_LIKE = re.compile(r"_x(?=[0-9A-Fa-f]{4}_)")


def column_letters(column: int) -> str:
    """Letters of a column number from 1: 1 is A, 28 is AB."""
    letters = ""
    while column:
        column, rest = divmod(column - 1, 26)
        letters = chr(65 + rest) + letters
    return letters


def column_number(letters: str) -> int:
    """Number from 1 of a column's letters."""
    number = 0
    for letter in letters.upper():
        number = number * 26 + ord(letter) - 64
    return number


def position(reference: str) -> Position:
    """(row, column) of a cell reference such as ``AB12`` or ``$AB$12``."""
    letters = reference.replace("$", "").rstrip("0123456789")
    return int(reference.replace("$", "")[len(letters) :]), column_number(letters)


@dataclass(slots=True)
class _Row:
    """A row as it stands in the file: its tags, and its cells by column."""

    opening: str
    cells: dict[int, str]
    closing: str


@dataclass
class SheetXml:
    """A worksheet part, readable cell by cell."""

    before: str
    """Everything up to the first row."""
    rows: dict[int, str]
    """row number -> the row as it is written; ascending."""
    after: str
    """Everything after the last row."""
    prefix: str = ""
    """Namespace prefix of the tags with its colon, where the program that saved the file used one."""
    _parsed: dict[int, _Row] = field(default_factory=dict)

    @classmethod
    def parse(cls, xml: bytes) -> SheetXml:
        """The sheet cut into rows; XML that is not a worksheet raises WorkbookError."""
        text = plain_utf8(xml)
        root = re.search(r"<((?:\w+:)?)worksheet[\s>]", text)
        if root is None:
            raise WorkbookError("a sheet's part holds no worksheet")
        tag = re.escape(root.group(1))
        data = re.search(rf"<{tag}sheetData\s*/>|<{tag}sheetData[^>]*>(.*)</{tag}sheetData\s*>", text, re.DOTALL)
        if data is None:
            raise WorkbookError("a sheet's part holds no sheet data")
        if data.group(1) is None:
            before = f"{text[: data.start()]}<{root.group(1)}sheetData>"
            return cls(before, {}, f"</{root.group(1)}sheetData>{text[data.end() :]}", root.group(1))
        rows: dict[int, str] = {}
        number = 0
        for row in re.finditer(rf"<{tag}row\b[^>]*?(?:/>|>.*?</{tag}row\s*>)", data.group(1), re.DOTALL):
            given = re.search(r'\sr="(\d+)"', row.group()[: row.group().find(">")])
            number = int(given.group(1)) if given else number + 1
            rows[number] = row.group()
        return cls(text[: data.start(1)], dict(sorted(rows.items())), text[data.end(1) :], root.group(1))

    def row(self, number: int) -> _Row:
        """The row with its cells apart; a row that the file leaves out is an empty one."""
        if number not in self._parsed:
            self._parsed[number] = self._cut(number, self.rows.get(number))
        return self._parsed[number]

    def _cut(self, number: int, text: str | None) -> _Row:
        tag = self.prefix
        if text is None:
            return _Row(f'<{tag}row r="{number}">', {}, f"</{tag}row>")
        head = re.match(rf"<{re.escape(tag)}row\b([^>]*?)(/?)>", text)
        assert head is not None
        attributes = head.group(1) if re.search(r'\sr="', head.group(1)) else f' r="{number}"{head.group(1)}'
        # `spans` is only a hint, and a cell added outside it would make it a wrong one.
        attributes = re.sub(r'\sspans="[^"]*"', "", attributes)
        cells: dict[int, str] = {}
        column = 0
        for cell in re.finditer(rf"<{re.escape(tag)}c\b[^>]*?(?:/>|>.*?</{re.escape(tag)}c\s*>)", text, re.DOTALL):
            given = re.search(r'\sr="([A-Za-z]+)\d+"', cell.group()[: cell.group().find(">")])
            column = column_number(given.group(1)) if given else column + 1
            cells[column] = cell.group() if given else self._with_reference(cell.group(), number, column)
        return _Row(f"<{tag}row{attributes}>", cells, f"</{tag}row>")

    def _with_reference(self, cell: str, number: int, column: int) -> str:
        start = len(self.prefix) + 2
        return f'{cell[:start]} r="{column_letters(column)}{number}"{cell[start:]}'

    def cell(self, at: Position) -> str | None:
        """The cell's XML as it stands, None where the file has none."""
        return self.row(at[0]).cells.get(at[1])

    def is_empty(self, at: Position) -> bool:
        """Whether the cell holds neither value nor formula (a style alone is empty)."""
        cell = self.cell(at)
        return cell is None or re.search(rf"<{self.prefix}(?:v|f|is)\b", cell) is None

    def holds_shared_formula(self, at: Position) -> bool:
        """Whether other cells may hang on a formula in this one (shared, array or data table)."""
        cell = self.cell(at)
        return cell is not None and re.search(rf'<{self.prefix}f\b[^>]*\s(?:t|ref)="', cell) is not None

    def text(self, at: Position, shared_strings: Sequence[str]) -> str:
        """Text that the cell shows, "" where it holds none; for reading headers and labels."""
        cell = self.cell(at)
        if cell is None:
            return ""
        kind = re.search(r'\st="(\w+)"', cell[: cell.find(">")])
        if kind is not None and kind.group(1) == "inlineStr":
            return unescape("".join(re.findall(rf"<{self.prefix}t\b[^>]*>(.*?)</", cell, re.DOTALL)))
        value = re.search(rf"<{self.prefix}v\b[^>]*>(.*?)</", cell, re.DOTALL)
        if value is None:
            return ""
        if kind is not None and kind.group(1) == "s":
            index = int(value.group(1))
            return shared_strings[index] if index < len(shared_strings) else ""
        return unescape(value.group(1))

    def style(self, at: Position) -> str | None:
        """Style number of the cell, None where the file has no such cell or no style on it."""
        cell = self.cell(at)
        found = re.search(r'\ss="(\d+)"', cell[: cell.find(">")]) if cell else None
        return found.group(1) if found else None

    def merged(self) -> list[tuple[int, int, int, int]]:
        """Merged areas as (first row, first column, last row, last column)."""
        areas = []
        for reference in re.findall(rf'<{self.prefix}mergeCell\b[^>]*\sref="([A-Z]+\d+:[A-Z]+\d+)"', self.after):
            first, last = reference.split(":")
            areas.append((*position(first), *position(last)))
        return areas

    def is_filtered(self) -> bool:
        """Whether a filter of the user hides rows of this sheet at this moment."""
        return re.search(rf"<{self.prefix}(?:filterColumn|sortState)\b", self.after) is not None


def plain_utf8(xml: bytes) -> str:
    """The part as text that can be cut at tags; rewritten by lxml only where it hides tags or is not UTF-8."""
    hides_tags = b"<![CDATA[" in xml or b"<!--" in xml or b"<!DOCTYPE" in xml
    if not hides_tags:
        try:
            text = xml.decode("utf-8-sig")
        except UnicodeDecodeError:
            pass
        else:
            declared = re.match(r"""<\?xml[^>]*encoding=["']([\w-]+)""", text)
            if declared is None or declared.group(1).lower() in ("utf-8", "us-ascii"):
                return text
    try:
        parser = etree.XMLParser(strip_cdata=True, remove_comments=True, resolve_entities=False, no_network=True)
        root = etree.fromstring(xml, parser)
    except etree.XMLSyntaxError as error:
        raise WorkbookError(f"a sheet's part is not well-formed ({error})") from error
    data: bytes = etree.tostring(root, encoding="utf-8", xml_declaration=True, standalone=True)
    return data.decode("utf-8")


class SheetPlan:
    """A sheet with its cells of ours cut out; `assemble` puts values in.

    Cells whose value is the same as in the picture before keep their finished text, so that the price of a picture is
    the price of what moved.
    """

    def __init__(self, sheet: SheetXml, targets: Mapping[Position, int], styles: Mapping[Position, str]) -> None:
        """Cut `sheet` at `targets` (cell -> index into the values); `styles` for cells the file does not have."""
        self._order: list[int] = []
        self._prefixes: list[str] = []
        self._pending = [_grown_dimension(sheet.before, targets)]
        self._tag = sheet.prefix
        by_row: dict[int, list[int]] = {}
        for row, column in targets:
            by_row.setdefault(row, []).append(column)
        for number in sorted({*sheet.rows, *by_row}):
            if number in by_row:
                self._cut_row(sheet, number, by_row[number], targets, styles)
            else:
                self._pending.append(sheet.rows[number])
        self._tail = "".join(self._pending) + sheet.after
        self._previous: Sequence[object] = [_UNSET] * len(self._order)
        self._parts: list[str] = [""] * len(self._order)
        self._texts: dict[str, str] = {}

    def _cut_row(
        self, sheet: SheetXml, number: int, ours: list[int], targets: Mapping[Position, int],
        styles: Mapping[Position, str],
    ) -> None:  # fmt: skip
        row = sheet.row(number)
        self._pending.append(row.opening)
        for column in sorted({*row.cells, *ours}):
            at = (number, column)
            if at not in targets:
                self._pending.append(row.cells[column])
                continue
            style = sheet.style(at) if column in row.cells else styles.get(at)
            marked = f' s="{style}"' if style else ""
            self._pending.append(f'<{self._tag}c r="{column_letters(column)}{number}"{marked}')
            self._prefixes.append("".join(self._pending))
            self._order.append(targets[at])
            self._pending.clear()
        self._pending.append(row.closing)

    def assemble(self, values: Sequence[Cell]) -> tuple[bytes, int]:
        """The sheet with `values`, and how many cells changed since the last call; b"" when none did."""
        parts, prefixes, tag = self._parts, self._prefixes, self._tag
        number_start, number_end = f"><{tag}v>", f"</{tag}v></{tag}c>"
        now = [values[index] for index in self._order]
        # Compared in one sweep without a statement for each cell: most of them stand as they were.
        moved = list(compress(range(len(now)), map(ne, now, self._previous)))
        self._previous = now
        for slot in moved:
            value = now[slot]
            if type(value) is float:
                # A number that is none (NaN, infinities) would make the file unreadable.
                if value - value == 0.0:
                    parts[slot] = f"{prefixes[slot]}{number_start}{value!r}{number_end}"
                else:
                    parts[slot] = f"{prefixes[slot]}/>"
            elif value is None:
                parts[slot] = f"{prefixes[slot]}/>"
            else:
                parts[slot] = prefixes[slot] + self._text_cell(str(value))
        return (("".join(parts) + self._tail).encode("utf-8") if moved else b""), len(moved)

    def _text_cell(self, text: str) -> str:
        known = self._texts.get(text)
        if known is None:
            tag = self._tag
            escaped = _ESCAPE_LIKE.sub("_x005F_x", text)
            escaped = escaped.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace("\r", "&#13;")
            known = f' t="inlineStr"><{tag}is><{tag}t xml:space="preserve">{escaped}</{tag}t></{tag}is></{tag}c>'
            if len(self._texts) > 50_000:
                self._texts.clear()
            self._texts[text] = known
        return known


def _grown_dimension(before: str, targets: Iterable[Position]) -> str:
    """The part's opening with its `dimension` hint widened to the cells we write (readers stop at it)."""
    found = re.search(r'(<(?:\w+:)?dimension\b[^>]*\sref=")([^"]+)(")', before)
    positions = list(targets)
    if found is None or not positions:
        return before
    first, _, last = found.group(2).partition(":")
    corners = [position(first), position(last or first), *positions]
    top, left = min(row for row, _ in corners), min(column for _, column in corners)
    bottom, right = max(row for row, _ in corners), max(column for _, column in corners)
    reference = f"{column_letters(left)}{top}:{column_letters(right)}{bottom}"
    if (position(first), position(last or first)) == ((top, left), (bottom, right)):
        return before
    return f"{before[: found.start(2)]}{reference}{before[found.end(2) :]}"


def empty_rows_below(
    sheet: SheetXml, *, last_row: int, columns: Sequence[int], wanted: int, taken: Iterable[Position]
) -> int:
    """How many rows below `last_row`, up to `wanted`, are free of values, merged areas and other blocks."""
    occupied = set(taken)
    merged = sheet.merged()
    ordered = sorted(columns)
    for step in range(1, wanted + 1):
        row = last_row + step
        for top, left, bottom, right in merged:
            inside = bisect_left(ordered, left)
            if top <= row <= bottom and inside < len(ordered) and ordered[inside] <= right:
                return step - 1
        if any((row, column) in occupied or not sheet.is_empty((row, column)) for column in columns):
            return step - 1
    return wanted
