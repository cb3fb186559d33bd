"""Finds the layout's blocks in an open workbook: by defined name, columns by header text.

The same rules as for a closed file (workbook/binding.py), asked of a spreadsheet program through xlwings: one pass
over the names and one read of each sheet.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from optionscanner.workbook.binding import matched_columns
from optionscanner.workbook.book_xml import Area, areas
from optionscanner.workbook.grid import Cells, Input, Line, Named, Sheet, Table
from optionscanner.workbook.layout import blocks
from optionscanner.workbook.live.places import (
    BLANK,
    Image,
    Placed,
    Position,
    Rectangle,
    column_runs,
    looks,
    single_runs,
)
from optionscanner.workbook.live.reading import Read, place_of

_KEPT_AREAS = 500
"""Ranges kept at most: which blocks change together differs from frame to frame."""
HEARTBEAT = "HEARTBEAT"
"""Defined name of the cell that tells when the writer was last alive."""


@dataclass
class InputPlace:
    """Where the user types."""

    name: str
    sheet: str
    top: int
    left: int
    height: int
    witnesses: tuple[tuple[Position, str], ...] = ()
    """Fixed words beside it, which must still stand there when it is read."""


@dataclass
class LiveBinding:
    """All blocks of a layout in one open workbook."""

    book: Any
    """xlwings.Book."""
    read: Read
    placed: dict[str, Placed] = field(default_factory=dict)
    inputs: dict[str, InputPlace] = field(default_factory=dict)
    missing: list[str] = field(default_factory=list)
    """Blocks, and ``block.header`` for columns, that are no longer there."""
    keys: Mapping[str, int] = field(default_factory=dict)
    """table -> value of its rows that tells them apart, of ranked tables."""
    _areas: dict[tuple[str, int, int, int, int], tuple[Any, str]] = field(default_factory=dict)
    """(sheet, top, left, bottom, right) -> xlwings Range that was read before, and where it lay when it was made; a
    range takes longer to make than to read."""
    heartbeat: Area | None = None
    sheets: dict[str, Any] = field(default_factory=dict)
    """sheet name -> xlwings.Sheet."""

    def image(self, sheet: str, names: Sequence[str]) -> Image:
        """What the sheet shows now of these blocks on it: enough to tell whether they stand where they stood."""
        parts = []
        for over in looks([self.placed[name] for name in names], self.keys):
            corners = sheet, over.top, over.left, over.bottom, over.right
            area, place = self._areas.get(corners, (None, ""))
            if not place or place_of(area) != place:
                if len(self._areas) > _KEPT_AREAS:
                    self._areas.clear()
                area = self.range(*corners)
                self._areas[corners] = area, place_of(area)
            parts.append((over, self.read(area)))
        return Image(parts)

    def first_image(self, sheet: str, over: Rectangle) -> Image:
        """What it shows in a rectangle of it."""
        return Image([(over, self.read(self.range(sheet, over.top, over.left, over.bottom, over.right)))])

    def range(self, sheet: str, top: int, left: int, bottom: int, right: int) -> Any:
        """xlwings.Range of these cells."""
        return self.sheets[sheet].range((top, left), (bottom, right))

    def on(self, sheet: str) -> Iterator[Placed]:
        """Our blocks on a sheet."""
        return (placed for placed in self.placed.values() if placed.sheet == sheet)

    def adopt(self, older: LiveBinding) -> None:
        """Keep what the older binding knows of blocks that have not moved."""
        for name, placed in self.placed.items():
            before = older.placed.get(name)
            if before is not None and before.same_place(placed):
                placed.runs, placed.last, placed.cut = before.runs, before.last, before.cut

    def grow(self, name: str, rows: int) -> bool:
        """Extend a table to `rows` body rows as far as the cells below are empty; whether it grew."""
        placed = self.placed[name]
        wanted = rows - placed.height
        if not placed.headers or wanted <= 0:
            return False
        free = self._free_below(placed, wanted)
        if not free:
            return False
        placed.height += free
        placed.runs = column_runs(placed.columns, placed.top + 1, placed.height)
        placed.last = None
        area = Area(placed.sheet, placed.top, placed.left, placed.bottom, placed.right)
        self.book.names[name].refers_to = f"={area}"
        return True

    def _free_below(self, placed: Placed, wanted: int) -> int:
        columns = [at for at in placed.columns if at is not None]
        first, last = min(columns), max(columns)
        below = self.range(placed.sheet, placed.bottom + 1, first, placed.bottom + wanted, last)
        # A formula that shows nothing is somebody's cell all the same.
        formulas = _grid(below.formula)
        taken = {cell for other in self.on(placed.sheet) if other.name != placed.name for cell in other.occupied}
        for step, row in enumerate(formulas):
            at = placed.bottom + 1 + step
            if any(row[c - first] not in (None, BLANK) or (at, c) in taken for c in columns):
                return step
        return wanted


def _grid(values: Any) -> list[list[Any]]:
    """Values of a range as rows, whatever its shape made of them."""
    if not isinstance(values, tuple | list):
        return [[values]]
    return [list(row) if isinstance(row, tuple | list) else [row] for row in values]


def references(book: Any) -> dict[str, str]:
    """Defined name in lower case -> what it refers to, in the words of `areas`; a sheet's own names go last."""
    native = book.names.api
    if hasattr(native, "ElementNames"):
        # LibreOffice: two calls for each name instead of ten, which is what 300 names are asked with.
        held = [(native, text) for text in native.ElementNames]
        for sheet in book.sheets:
            own = sheet.names.api
            held += [(own, f"!{text}") for text in own.ElementNames]
        listed = [(text, str(of.getByName(text.removeprefix("!")).getContent())) for of, text in held]
    else:
        listed = [(str(name.name), str(name.refers_to)) for name in book.names]
    found: dict[str, str] = {}
    local: dict[str, str] = {}
    for name, text in listed:
        (local if "!" in name else found).setdefault(name.rpartition("!")[2].lower(), text)
    return {name: _spelled(text) for name, text in {**local, **found}.items()}


def _spelled(reference: str) -> str:
    """LibreOffice joins areas by ``;`` or ``~`` and sheets by ``.``; files and Excel by ``,`` and ``!``."""
    joined = re.sub(r"('(?:[^']|'')*')|[~;]", lambda match: match.group(1) or ",", reference)
    return re.sub(r"(?:^|(?<=[,=]))\$?('(?:[^']|'')+'|[^'!,.$]+)\.(?=\$?[A-Za-z]{1,3}\$?\d)", r"\1!", joined)


def bind(book: Any, layout: Sequence[Sheet], read: Read, keys: Mapping[str, int]) -> LiveBinding:
    """Where every block of the layout stands in this workbook; `keys`: table -> value that tells its rows apart."""
    return _Binder(book, read, keys).bind(layout)


class _Binder:
    def __init__(self, book: Any, read: Read, keys: Mapping[str, int]) -> None:
        self._names: Mapping[str, list[Area | None]] = {name: areas(text) for name, text in references(book).items()}
        self._made = LiveBinding(book, read, keys=keys)
        self._made.sheets = {str(sheet.name): sheet for sheet in book.sheets}
        self._rectangles: dict[str, Rectangle] = {}
        self._images: dict[str, Image] = {}
        self._taken: dict[str, set[Position]] = {}

    def bind(self, layout: Sequence[Sheet]) -> LiveBinding:
        """Places of all blocks."""
        made = self._made
        for sheet in layout:
            self._survey(sheet)
        for name, over in self._rectangles.items():
            self._images[name] = made.first_image(name, over)
        for sheet in layout:
            for name, block in blocks(sheet):
                placed = self._find(name, block, sheet)
                if placed is None:
                    made.missing.append(name)
                else:
                    self._claim(placed)
            for given in sheet.inputs:
                self._input(given)
        listed = self._names.get(HEARTBEAT.lower(), [])
        made.heartbeat = listed[0] if len(listed) == 1 and self._known(listed[0]) else None
        return made

    def _survey(self, sheet: Sheet) -> None:
        """Let the rectangles hold every cell that one of the sheet's names points to."""
        names = [name for name, _ in blocks(sheet)]
        names += [cell.name for named in sheet.named for cell in named.cells]
        for name in names:
            for area in self._names.get(name.lower(), []):
                if area is not None and self._known(area):
                    self._rectangles.setdefault(area.sheet, Rectangle()).take(*area[1:])
        for given in sheet.inputs:
            asked = self._area(given.name)
            if asked is not None:
                # With the words on its left and above, which tell that it is still the same cell.
                corner = max(asked.top - 1, 1), max(asked.left - 1, 1)
                self._rectangles.setdefault(asked.sheet, Rectangle()).take(*corner, asked.bottom, asked.right)

    def _known(self, area: Area | None) -> bool:
        return area is not None and area.sheet in self._made.sheets

    def _area(self, name: str) -> Area | None:
        """The one rectangle that a name points to, on a sheet that exists."""
        listed = self._names.get(name.lower(), [])
        return listed[0] if len(listed) == 1 and self._known(listed[0]) else None

    def _find(self, name: str, block: Table | Line | Cells | Named, sheet: Sheet) -> Placed | None:
        if isinstance(block, Table):
            return self._table(block)
        if isinstance(block, Line):
            return self._line(block)
        if isinstance(block, Cells):
            listed = self._names.get(name.lower(), [])
            return self._single(name, listed if len(listed) == len(block.cells) else [])
        pointed = [self._area(cell.name) for cell in block.cells]
        placed = self._single(name, pointed)
        if placed is not None:
            gone = [c.name for c, place in zip(block.cells, placed.cells, strict=True) if place is None]
            self._made.missing += gone
        return placed

    def _single(self, name: str, listed: Sequence[Area | None]) -> Placed | None:
        """Single cells; those whose cell is gone, or went to another sheet, stay unwritten."""
        sheet = next((place.sheet for place in listed if place is not None and self._known(place)), "")
        if not sheet:
            return None
        cells = tuple(
            (place.top, place.left) if place is not None and place.sheet == sheet else None for place in listed
        )
        return Placed(name, sheet, 1, len(cells), single_runs(cells), cells=cells)

    def _table(self, table: Table) -> Placed | None:
        area = self._area(table.name)
        if area is None or area.bottom <= area.top:
            return None
        image = self._images[area.sheet]
        headers = [(at, str(image.at((area.top, at))).strip()) for at in range(area.left, area.right + 1)]
        columns = tuple(matched_columns(table.fields, headers))
        gone = [f"{table.name}.{c.header}" for c, at in zip(table.fields, columns, strict=True) if at is None]
        if len(gone) == len(columns):
            return None
        self._made.missing += gone
        height = area.bottom - area.top
        return Placed(
            table.name, area.sheet, len(columns), height, column_runs(columns, area.top + 1, height),
            headers=tuple(((area.top, at), c.header) for c, at in zip(table.fields, columns, strict=True)
                          if at is not None),
            columns=columns, top=area.top, left=area.left, right=area.right,
        )  # fmt: skip

    def _line(self, line: Line) -> Placed | None:
        area, owner = self._area(line.name), self._made.placed.get(line.table)
        if area is None or owner is None or area.sheet != owner.sheet:
            return None
        runs = column_runs(owner.columns, area.top, 1)
        return Placed(
            line.name, area.sheet, owner.width, 1, runs, columns=owner.columns,
            cells=tuple(None if at is None else (area.top, at) for at in owner.columns),
        )  # fmt: skip

    def _claim(self, placed: Placed) -> None:
        """Take the block's cells; one that overlaps an earlier block is left out, and said to be missing."""
        taken = self._taken.setdefault(placed.sheet, set())
        occupied = placed.occupied
        if taken & occupied:
            self._made.missing.append(placed.name)
            return
        taken |= occupied
        self._made.placed[placed.name] = placed

    def _input(self, given: Input) -> None:
        area = self._area(given.name)
        if area is None:
            self._made.missing.append(given.name)
            return
        taken = self._taken.get(area.sheet, set())
        image = self._images[area.sheet]
        beside = (area.top, area.left - 1) if given.height == 1 else (area.top - 1, area.left)
        word = image.at(beside)
        fixed = isinstance(word, str) and word.strip() and beside not in taken
        height = min(given.height, area.bottom - area.top + 1)
        self._made.inputs[given.name] = InputPlace(
            given.name, area.sheet, area.top, area.left, height, ((beside, str(word)),) if fixed else ()
        )
