"""Finds the layout's blocks in a user's workbook: by defined name, columns by header text.

Renamed and moved sheets, inserted rows and columns, moved blocks are followed; what the user removed is reported.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from optionscanner.errors import WorkbookError
from optionscanner.workbook.book_xml import Area, BookXml, areas, shared_strings
from optionscanner.workbook.grid import Cells, Column, Line, Named, Role, Sheet, Table
from optionscanner.workbook.layout import blocks
from optionscanner.workbook.package import Member
from optionscanner.workbook.splice import Position, SheetXml, empty_rows_below


@dataclass
class Bound:
    """A block's place in the user's workbook."""

    name: str
    part: str
    width: int
    """Values in a row of the block."""
    places: list[list[Position | None]]
    """One list per row of the block; None where the user removed the cell's column."""
    area: Area | None = None
    """Rectangle of the defined name, for tables, which can grow."""


@dataclass
class Binding:
    """All blocks of a layout in one workbook."""

    bound: dict[str, Bound] = field(default_factory=dict)
    sheets: dict[str, SheetXml] = field(default_factory=dict)
    """part -> sheet, of the sheets that hold our blocks."""
    missing: list[str] = field(default_factory=list)
    """Blocks, and ``block.header`` for columns, that are no longer there."""
    held: list[str] = field(default_factory=list)
    """Cells of ours that hold a formula on which other cells depend; they are left alone."""

    def filtered(self) -> frozenset[str]:
        """Tables on sheets where a filter or sort of the user is in force."""
        parts = {part for part, sheet in self.sheets.items() if sheet.is_filtered()}
        return frozenset(b.name for b in self.bound.values() if b.part in parts and b.area is not None)

    def taken(self, part: str, *, but: str = "") -> set[Position]:
        """Cells of a sheet that belong to blocks (other than `but`)."""
        return {
            place
            for block in self.bound.values()
            if block.part == part and block.name != but
            for row in block.places
            for place in row
            if place is not None
        }

    def grow(self, name: str, rows: int) -> int:
        """Extend a table to `rows` body rows as far as the cells below are empty; how many it has then."""
        block = self.bound[name]
        if block.area is None:
            return len(block.places)
        columns = [place[1] for place in block.places[-1] if place is not None]
        free = empty_rows_below(
            self.sheets[block.part],
            last_row=block.area.bottom,
            columns=columns,
            wanted=rows - len(block.places),
            taken=self.taken(block.part, but=name),
        )
        for _ in range(free):
            block.area = block.area._replace(bottom=block.area.bottom + 1)
            block.places.append([p and (block.area.bottom, p[1]) for p in block.places[-1]])
        return len(block.places)


class Binder:
    """Binds one workbook; use `bind`."""

    def __init__(self, members: Mapping[str, Member], book: BookXml) -> None:
        self._members = members
        self._book = book
        self._names = book.names()
        self._strings: list[str] | None = None
        self.binding = Binding()
        self._taken: dict[str, set[Position]] = {}

    def bind(self, layout: Sequence[Sheet]) -> Binding:
        """Where every block of the layout stands in this workbook."""
        for sheet in layout:
            for name, block in blocks(sheet):
                found = self._find(name, block, sheet)
                if found is None:
                    self.binding.missing.append(name)
                else:
                    self._claim(found)
        return self.binding

    def _find(self, name: str, block: Table | Line | Cells | Named, sheet: Sheet) -> Bound | None:
        if isinstance(block, Table):
            return self._table(block)
        if isinstance(block, Line):
            return self._line(block, sheet.table(block.table))
        if isinstance(block, Cells):
            listed = areas(self._names.get(name.lower(), ""))
            return self._single(name, listed if len(listed) == len(block.cells) else [])
        pointed = [(areas(self._names.get(cell.name.lower(), "")) or [None])[0] for cell in block.cells]
        found = self._single(name, pointed)
        if found is not None:
            gone = [c.name for c, row in zip(block.cells, found.places, strict=True) if row[0] is None]
            self.binding.missing += gone
        return found

    def _single(self, name: str, listed: Sequence[Area | None]) -> Bound | None:
        """Single cells; those whose cell is gone stay unwritten."""
        parts = [self._part(place) for place in listed]
        part = next((p for p in parts if p), "")
        if not part:
            return None
        # Cells that the user moved to another sheet are beyond one block; they keep their last value.
        places: list[list[Position | None]] = [
            [(place.top, place.left)] if place is not None and at == part else [None]
            for place, at in zip(listed, parts, strict=True)
        ]
        return Bound(name, part, 1, places)

    def _table(self, table: Table) -> Bound | None:
        area = self._area(table.name)
        if area is None or area.bottom <= area.top:
            return None
        part = self._part(area)
        headers = [
            (column, self._text(part, (area.top, column)).strip()) for column in range(area.left, area.right + 1)
        ]
        columns = matched_columns(table.fields, headers)
        gone = [f"{table.name}.{c.header}" for c, at in zip(table.fields, columns, strict=True) if at is None]
        if len(gone) == len(columns):
            return None
        self.binding.missing += gone
        places: list[list[Position | None]] = [
            [None if at is None else (row, at) for at in columns] for row in range(area.top + 1, area.bottom + 1)
        ]
        return Bound(table.name, part, len(columns), places, area)

    def _line(self, line: Line, table: Table) -> Bound | None:
        area, owner = self._area(line.name), self.binding.bound.get(table.name)
        if area is None or owner is None or self._part(area) != owner.part:
            return None
        place: list[Position | None] = [at and (area.top, at[1]) for at in owner.places[0]]
        return Bound(line.name, owner.part, owner.width, [place])

    def _area(self, name: str) -> Area | None:
        """The one rectangle that a name points to, on a sheet that exists."""
        found = areas(self._names.get(name.lower(), ""))
        return found[0] if len(found) == 1 and found[0] is not None and self._part(found[0]) else None

    def _part(self, area: Area | None) -> str:
        """Part of the area's sheet, read on first use; "" where the workbook has no such worksheet."""
        if area is None:
            return ""
        part = self._book.sheets.get(area.sheet, "")
        if part not in self._members:
            return ""
        if part not in self.binding.sheets:
            try:
                self.binding.sheets[part] = SheetXml.parse(self._members[part].unpacked())
            except WorkbookError as error:
                raise WorkbookError(f"sheet {area.sheet}: {error}") from error
        return part

    def _text(self, part: str, at: Position) -> str:
        if self._strings is None:
            self._strings = shared_strings(self._members, self._book.shared_strings)
        return self.binding.sheets[part].text(at, self._strings)

    def _claim(self, block: Bound) -> None:
        """Take the block's cells, except those that belong to an earlier block or carry others' formulas."""
        sheet = self.binding.sheets[block.part]
        taken = self._taken.setdefault(block.part, set())
        for row in block.places:
            for i, place in enumerate(row):
                if place is None:
                    continue
                if place in taken or sheet.holds_shared_formula(place):
                    self.binding.held.append(f"{block.name} row {place[0]}")
                    row[i] = None
                else:
                    taken.add(place)
        self.binding.bound[block.name] = block


def matched_columns(columns: Sequence[Column], headers: Sequence[tuple[int, str]]) -> list[int | None]:
    """Sheet column of each column by its header text, None where it is gone or cannot be told apart.

    A ladder has the same headers on both sides of its strikes, so there the side counts as well.
    """
    strike = next((c.header for c in columns if c.role is Role.STRIKE), None)
    middle = next((at for at, text in headers if strike is not None and text == strike), None)
    ours = next((i for i, c in enumerate(columns) if c.role is Role.STRIKE), None)

    def side(at: int, centre: int | None) -> int:
        return 0 if centre is None else (at > centre) - (at < centre)

    by_key: dict[tuple[str, int], list[int]] = {}
    for at, text in headers:
        by_key.setdefault((text, side(at, middle)), []).append(at)
    found: list[int | None] = []
    for i, column in enumerate(columns):
        # Without its strikes a ladder's sides cannot be told apart.
        lost = ours is not None and middle is None
        hits = [] if lost else by_key.get((column.header, side(i, ours)), [])
        found.append(hits[0] if len(hits) == 1 else None)
    return found
