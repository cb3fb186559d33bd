"""A spreadsheet program in memory, behind xlwings' words: for tests of the writer that need none of the real ones.

It holds the layout's names as a template has them, counts every write, and does what a user does to a workbook.
"""

import threading
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field
from typing import Any

from openpyxl.utils import get_column_letter, range_boundaries

from optionscanner.workbook.grid import Cells, Named, Sheet, Table
from optionscanner.workbook.layout import SHEETS, blocks
from optionscanner.workbook.live.front import FrontBusy, FrontLost, Opened


class Rejected(Exception):
    """What the stub's program raises while it refuses."""


class Gone(Exception):
    """What it raises when it is not there any more."""


@dataclass
class StubProgram:
    """What happens to the program as a whole."""

    refuse: int = 0
    """Calls that are still refused."""
    gone: bool = False
    reads: int = 0
    writes: list[tuple[str, str]] = field(default_factory=list)
    """(sheet, address) of every write."""

    def asked(self) -> None:
        if self.gone:
            raise Gone
        if self.refuse:
            self.refuse -= 1
            raise Rejected


class StubRange:
    def __init__(self, sheet: "StubSheet", top: int, left: int, bottom: int, right: int) -> None:
        self.sheet, self.place = sheet, (top, left, bottom, right)
        self.api = object()

    @property
    def raw_value(self) -> Any:
        self.sheet.program.asked()
        self.sheet.program.reads += 1
        top, left, bottom, right = self.place
        cells = self.sheet.cells
        return tuple(tuple(cells.get((r, c)) for c in range(left, right + 1)) for r in range(top, bottom + 1))

    @raw_value.setter
    def raw_value(self, rows: Sequence[Sequence[Any]]) -> None:
        self.sheet.program.asked()
        top, left, bottom, right = self.place
        assert len(rows) == bottom - top + 1, (len(rows), self.place)
        assert {len(row) for row in rows} == {right - left + 1}, self.place
        self.sheet.program.writes.append(
            (self.sheet.name, f"{get_column_letter(left)}{top}:{get_column_letter(right)}{bottom}")
        )
        for r, row in enumerate(rows):
            for c, value in enumerate(row):
                assert type(value) in (float, str), value
                self.sheet.cells[top + r, left + c] = None if value == "" else value
                self.sheet.formulas.pop((top + r, left + c), None)

    @property
    def formula(self) -> Any:
        top, left, bottom, right = self.place
        held = {place: "" if value is None else value for place, value in self.sheet.cells.items()}
        held |= self.sheet.formulas
        return tuple(tuple(held.get((r, c), "") for c in range(left, right + 1)) for r in range(top, bottom + 1))


class StubSheet:
    def __init__(self, program: StubProgram, name: str) -> None:
        self.program, self.name = program, name
        self.cells: dict[tuple[int, int], Any] = {}
        self.formulas: dict[tuple[int, int], str] = {}

    def range(self, first: tuple[int, int], last: tuple[int, int]) -> StubRange:
        return StubRange(self, *first, *last)


class StubName:
    def __init__(self, name: str, refers_to: str) -> None:
        self.name, self.refers_to = name, refers_to


class StubNames(dict):
    api = object()

    def __iter__(self):
        return iter(self.values())


class StubBook:
    """The template's names and fixed words."""

    def __init__(self, layout: Sequence[Sheet] = SHEETS) -> None:
        self.program = StubProgram()
        self.sheets = [StubSheet(self.program, sheet.name) for sheet in layout]
        self.names = StubNames()
        for sheet in layout:
            held = self.sheet(sheet.name)
            for text in sheet.texts:
                held.cells[text.row, text.column] = text.text or None
            for name, block in blocks(sheet):
                self._define(sheet, name, block)
            for given in sheet.inputs:
                self._point(given.name, sheet, (given.row, given.column), (given.row + given.height - 1, given.column))

    def _define(self, sheet: Sheet, name: str, block: Any) -> None:
        if isinstance(block, Table):
            last = (block.row + block.height, block.column + len(block.columns) - 1)
            self._point(name, sheet, (block.row, block.column), last)
            for offset, column in enumerate(block.columns):
                self.sheet(sheet.name).cells[block.row, block.column + offset] = column.header or None
        elif isinstance(block, Cells):
            listed = ",".join(f"'{sheet.name}'!${get_column_letter(c.column)}${c.row}" for c in block.cells)
            self.names[name] = StubName(name, f"={listed}")
        elif isinstance(block, Named):
            for i, cell in enumerate(block.cells):
                self._point(cell.name, sheet, (block.row + i, block.column), (block.row + i, block.column))
        else:
            table = sheet.table(block.table)
            last = table.column + len(table.columns) - 1
            self._point(name, sheet, (block.row, table.column), (block.row, last))

    def _point(self, name: str, sheet: Sheet, first: tuple[int, int], last: tuple[int, int]) -> None:
        area = f"${get_column_letter(first[1])}${first[0]}:${get_column_letter(last[1])}${last[0]}"
        self.names[name] = StubName(name, f"='{sheet.name}'!{area}")

    def sheet(self, name: str) -> StubSheet:
        return next(sheet for sheet in self.sheets if sheet.name == name)

    def column(self, table: str, header: str) -> list[Any]:
        """Body of a table's column, found as a reader finds it."""
        sheet, (left, top, right, bottom) = self.area(table)
        at = next(c for c in range(left, right + 1) if sheet.cells.get((top, c)) == header)
        return [sheet.cells.get((row, at)) for row in range(top + 1, bottom + 1)]

    def area(self, name: str) -> tuple[StubSheet, tuple[int, int, int, int]]:
        """Sheet and (left, top, right, bottom) of a name."""
        sheet, _, reference = self.names[name].refers_to.lstrip("=").rpartition("!")
        return self.sheet(sheet.strip("'")), range_boundaries(reference.replace("$", ""))

    def insert_column(self, sheet: str, before: int) -> None:
        """What a user does: everything from column `before` on moves right, names included."""
        held = self.sheet(sheet)
        for cells in (held.cells, held.formulas):
            moved = {(r, c + (c >= before)): value for (r, c), value in cells.items()}
            cells.clear()
            cells.update(moved)
        for name in self.names.values():
            pieces = []
            for piece in name.refers_to.lstrip("=").split(","):
                owner, _, reference = piece.rpartition("!")
                if owner.strip("'") == sheet:
                    left, top, right, bottom = range_boundaries(reference.replace("$", ""))
                    left, right = left + (left >= before), right + (right >= before)
                    reference = f"${get_column_letter(left)}${top}:${get_column_letter(right)}${bottom}"
                pieces.append(f"{owner}!{reference}")
            name.refers_to = "=" + ",".join(pieces)


class StubFront:
    """The program's front; several may be made for one book, as when a program starts again."""

    name = "stub"
    deadline: float | None = 3.0

    def __init__(self, book: StubBook) -> None:
        self.book = book
        self.reason = ""
        self.filters: set[str] = set()
        self.saves: list[str] = []
        self.open_books = True
        self.opens = 0
        self.closed = threading.Event()

    def open(self, path):
        self.opens += 1
        self.book.program.gone = False
        return Opened(self.book, None)

    def is_open(self, opened):
        if self.book.program.gone and self.open_books:
            raise FrontLost("the program died")
        return self.open_books

    def reopened(self, opened):
        return self.open(None) if self.open_books else None

    def disturbed(self, opened):
        return self.reason

    def failure(self, error):
        if isinstance(error, Rejected):
            return FrontBusy("busy")
        return FrontLost("the program went away") if isinstance(error, Gone) else None

    def quiet(self, opened):
        return nullcontext()

    def order_held(self, opened, sheet, address):
        return sheet in self.filters

    def save(self, opened):
        self.saves.append("save")

    def save_copy(self, opened, to):
        to.write_text("copy")

    def pdf(self, opened, to, sheets):
        to.write_text(" ".join(sheets))

    def run_macro(self, opened, name, *arguments):
        return (name, arguments)

    def close(self, opened, *, leave_open, save=True):
        self.saves.append("left open" if leave_open else "closed")
        self.closed.set()
