"""`Range` of the LibreOffice engine: the addressing of xlwings over UNO cell ranges. Blocks move in one call."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import Any

from xlwings import base_classes, utils

from optionscanner.errors import WorkbookError
from optionscanner.workbook.office.document import Api, Document
from optionscanner.workbook.office.looks import Looks
from optionscanner.workbook.office.notes import around
from optionscanner.workbook.office.values import CellError, Shown, rows

LAST_ROW = 1_048_576
"""Of a sheet; how many columns it has depends on LibreOffice's version."""

_CONTENT = 1 | 2 | 4 | 16
"""Numbers, dates, text, formulas."""
_FORMATS = 32 | 64 | 256
"""Direct formats, styles, formats within text."""
_NOTES = 8


class Grid(tuple[tuple[Any, ...], ...]):
    """Values of a block that still knows where it was read, so that dates can be told from numbers when asked for."""

    source: Range


class Range(Looks, base_classes.Range):
    """A block of cells, addressed from 1; only `uno` and what needs it talk to LibreOffice."""

    sheet: Any = None
    row = 0
    column = 0
    shape = (0, 0)
    options: dict[str, Any]
    max_cells_per_read = None
    max_cells_per_write = None

    def __init__(self, sheet: Any, row: int, column: int, nrows: int = 1, ncols: int = 1) -> None:
        self.sheet = sheet
        self.row, self.column, self.shape = row, column, (nrows, ncols)
        self.options = {}
        self._uno: Any = None

    @property
    def coords(self) -> tuple[Any, int, int, int, int]:
        """Sheet, first row and column, rows and columns."""
        return (self.sheet, self.row, self.column, *self.shape)

    @property
    def uno(self) -> Any:
        """The native range; None for a block without cells."""
        if self._uno is None and all(self.shape):
            row, column = self.row - 1, self.column - 1
            self._uno = self.sheet.uno.getCellRangeByPosition(
                column, row, column + self.shape[1] - 1, row + self.shape[0] - 1
            )
        return self._uno

    @property
    def api(self) -> Api | None:
        """The native range, true; None for a block without cells."""
        return Api(self.uno) if all(self.shape) else None

    @property
    def _document(self) -> Document:
        document: Document = self.sheet.book.document
        return document

    def __len__(self) -> int:
        return self.shape[0] * self.shape[1]

    def __call__(self, arg1: int, arg2: int | None = None) -> Range:
        """The cell at row and column of this block, or the n-th, row by row; may lie outside."""
        row, column = divmod(arg1 - 1, self.shape[1]) if arg2 is None else (arg1 - 1, arg2 - 1)
        return Range(self.sheet, self.row + row, self.column + column)

    def _part(self, row: int, column: int, nrows: int, ncols: int) -> Range:
        """Part of this block, counted from 0 inside it."""
        return Range(self.sheet, self.row + row, self.column + column, nrows, ncols)

    # Values

    @property
    def raw_value(self) -> Any:
        """Values as they are: float, str, CellError, None for an empty cell; one cell gives one value."""
        if not all(self.shape):
            return None
        found = Grid([self._read(row, values) for row, values in enumerate(self.uno.getDataArray())])
        if self.shape != (1, 1):
            found.source = self
            return found
        value = found[0][0]
        kind = self._document.kind(self.uno.NumberFormat) if isinstance(value, float) else ""
        return Shown(value, kind) if kind else value

    @raw_value.setter
    def raw_value(self, data: Any) -> None:
        if not all(self.shape):
            return
        nrows, ncols = self.shape
        if isinstance(data, (list, tuple)):
            block: Sequence[Sequence[Any]] = data if data and isinstance(data[0], (list, tuple)) else (data,)
        else:
            block = ((data,) * ncols,) * nrows
        cleaned = rows(block)
        if len(cleaned) != nrows or any(len(row) != ncols for row in cleaned):
            widths = sorted({len(row) for row in cleaned})
            raise ValueError(
                f"{self.address} takes {nrows} rows of {ncols} values, got {len(cleaned)} rows of {widths}: "
                "give the block the shape of its range"
            )
        try:
            self._put(cleaned)
        except self._document.bridge.failed as error:
            if self._document.disposed():
                raise
            raise WorkbookError(
                f"{self.sheet.name}!{self.address} takes no values: the sheet is protected, or an array formula "
                "stands there; unprotect the sheet or move the formula"
            ) from error
        self._show(block, cleaned)

    def _put(self, cleaned: tuple[tuple[Any, ...], ...]) -> None:
        """Write a block; cells with a note one by one, as they would lose it."""
        nrows, ncols = self.shape
        noted = self._document.notes.within(self.sheet.uno, (self.row - 1, self.column - 1, nrows, ncols))
        if not noted:
            self.uno.setDataArray(cleaned)
            return
        for row, column in noted:
            cell, value = self.uno.getCellByPosition(column, row), cleaned[row][column]
            if isinstance(value, float):
                cell.setValue(value)
            else:
                cell.setString(value)
        for top, left, height, width in around(nrows, ncols, noted):
            part = self.uno.getCellRangeByPosition(left, top, left + width - 1, top + height - 1)
            part.setDataArray(tuple(line[left : left + width] for line in cleaned[top : top + height]))

    def _read(self, row: int, values: tuple[Any, ...]) -> tuple[Any, ...]:
        read = tuple([None if value == "" else value for value in values])
        if None not in values:
            return read
        # LibreOffice gives None for an error, of whatever kind.
        return tuple(
            [
                CellError(self.uno.getCellByPosition(column, row).getString()) if value is None else read[column]
                for column, value in enumerate(values)
            ]
        )

    def _show(self, block: Sequence[Sequence[Any]], cleaned: Sequence[Sequence[Any]]) -> None:
        """Give dates and truth values a format that shows them, where a cell has none yet."""
        wanted = sorted(
            (column, value.format, row)
            for row, (given, clean) in enumerate(zip(block, cleaned, strict=True))
            if given is not clean
            for column, value in enumerate(given)
            if isinstance(value, Shown)
        )
        for (column, form), places in groupby(wanted, key=lambda place: place[:2]):
            key = self._document.format_key(form)
            for first, last in _runs([row for _, _, row in places]):
                for part in self._part(first, column, last - first + 1, 1)._unformatted():
                    part.NumberFormat = key

    def _unformatted(self) -> Iterator[Any]:
        """The parts of a column without a number format."""
        for part in self._same_format():
            if self._document.format_code(part.NumberFormat) == "General":
                yield part

    def _same_format(self) -> Iterator[Any]:
        """The native parts whose cells have one format each."""
        groups = self.uno.getUniqueCellFormatRanges()
        for number in range(groups.getCount()):
            group = groups.getByIndex(number)
            for index in range(group.getCount()):
                yield group.getByIndex(index)

    def kinds(self) -> list[tuple[str, slice, slice]]:
        """Where dates and truth values stand: kind, rows and columns inside the block."""
        found = []
        for part in self._same_format():
            kind = self._document.kind(part.NumberFormat)
            if kind:
                area = part.getRangeAddress()
                row, column = self.row - 1, self.column - 1
                found.append((
                    kind,
                    slice(area.StartRow - row, area.EndRow - row + 1),
                    slice(area.StartColumn - column, area.EndColumn - column + 1),
                ))  # fmt: skip
        return found

    def clear_contents(self) -> None:
        """Empty the cells; formats and notes stay."""
        if all(self.shape):
            self.uno.clearContents(_CONTENT)

    def clear_formats(self) -> None:
        """Take off every format."""
        if all(self.shape):
            self.uno.clearContents(_FORMATS)

    def clear(self) -> None:
        """Empty the cells and take off formats and notes."""
        if all(self.shape):
            self.uno.clearContents(_CONTENT | _FORMATS | _NOTES)

    # Formulas

    @property
    def formula(self) -> Any:
        """Formulas in Excel's notation; what is no formula as text."""
        block = tuple(
            tuple(self._formula_at(row, column, text) for column, text in enumerate(texts))
            for row, texts in enumerate(self.uno.getFormulaArray())
        )
        return block[0][0] if self.shape == (1, 1) else block

    @formula.setter
    def formula(self, value: Any) -> None:
        if not isinstance(value, (list, tuple)):
            block: Sequence[Sequence[Any]] = ((value,) * self.shape[1],) * self.shape[0]
            origin = self._address(0, 0)
        else:
            block = value if value and isinstance(value[0], (list, tuple)) else (value,)
            origin = None
        for row, texts in enumerate(block):
            for column, text in enumerate(texts):
                cell = self.uno.getCellByPosition(column, row)
                if isinstance(text, str) and text.startswith("="):
                    # Filled from one text, relative references move along, as if the first cell had been copied.
                    at = origin if origin is not None else self._address(row, column)
                    cell.setTokens(self._document.parse(text, at))
                elif isinstance(text, str):
                    cell.setFormula(text)
                else:
                    self._part(row, column, 1, 1).raw_value = text

    formula2 = formula

    def _formula_at(self, row: int, column: int, text: str) -> str:
        if not text.startswith(("=", "{=")):
            return text
        cell = self.uno.getCellByPosition(column, row)
        tokens = cell.getTokens()
        # Text that looks like a formula has none.
        return "=" + self._document.print(tokens, self._address(row, column)) if tokens else text

    def _address(self, row: int, column: int) -> Any:
        return self._document.address(self.sheet.index - 1, self.row - 1 + row, self.column - 1 + column)

    @property
    def formula_array(self) -> str | None:
        """The array formula of the block in LibreOffice's notation, None where it has none."""
        text = self.uno.getArrayFormula()
        return text.removeprefix("{").removesuffix("}") if text else None

    @formula_array.setter
    def formula_array(self, value: str) -> None:
        self.uno.setArrayTokens(self._document.parse(value, self._address(0, 0)))

    @property
    def has_array(self) -> bool:
        """Whether the block is (part of) an array formula."""
        return bool(self.uno.getArrayFormula())

    # Where things are

    @property
    def address(self) -> str:
        """Such as $A$1:$C$3."""
        return self.get_address(True, True, False)

    def get_address(self, row_absolute: bool, col_absolute: bool, external: bool) -> str:
        """Address with or without $; `external` names workbook and sheet too."""

        def one(row: int, column: int) -> str:
            mark, row_mark = "$" if col_absolute else "", "$" if row_absolute else ""
            return f"{mark}{utils.col_name(column)}{row_mark}{row}"

        text = one(self.row, self.column)
        if self.shape != (1, 1):
            text += ":" + one(self.row + self.shape[0] - 1, self.column + self.shape[1] - 1)
        if not external:
            return text
        place = f"[{self.sheet.book.name}]{self.sheet.name}"
        quoted = place if place.replace("[", "").replace("]", "").replace(".", "").isalnum() else f"'{place}'"
        return f"{quoted}!{text}"

    @property
    def current_region(self) -> Range:
        """The block of filled cells around the first cell."""
        cursor = self.sheet.uno.createCursorByRange(self(1, 1).uno)
        cursor.collapseToCurrentRegion()
        found: Range = self.sheet.at(cursor.getRangeAddress())
        return found

    def end(self, direction: str) -> Range:
        """Where Ctrl and an arrow key lead from the first cell: up, down, left or right."""
        used = self.sheet.used_range
        down = direction in ("up", "down")
        last = (used.row + used.shape[0] if down else used.column + used.shape[1]) - 1
        here = self.row if down else self.column
        last = max(last, here)
        line = Range(self.sheet, 1, self.column, last, 1) if down else Range(self.sheet, self.row, 1, 1, last)
        values = line.uno.getDataArray()
        filled = [value != "" for value in ([row[0] for row in values] if down else values[0])]
        edge = LAST_ROW if down else self.sheet.uno.getColumns().getCount()
        if direction in ("down", "right"):
            place = _jump(filled[here - 1 :], edge - here) + here
        else:
            place = here - _jump(filled[here - 1 :: -1], here - 1)
        return Range(self.sheet, place, self.column) if down else Range(self.sheet, self.row, place)

    @property
    def rows(self) -> list[Range]:
        """Row by row."""
        return [self._part(row, 0, 1, self.shape[1]) for row in range(self.shape[0])]

    @property
    def columns(self) -> list[Range]:
        """Column by column."""
        return [self._part(0, column, self.shape[0], 1) for column in range(self.shape[1])]

    @property
    def name(self) -> Any:
        """The defined name of exactly this block, None where it has none."""
        for _, name in self.sheet.book.names.snapshot():
            found = name.range_or_none()
            if found is not None and found.sheet.name == self.sheet.name and found.coords[1:] == self.coords[1:]:
                return name
        return None

    @name.setter
    def name(self, value: str) -> None:
        sheet = self.sheet.name.replace("'", "''")
        self.sheet.book.names.add(value, f"='{sheet}'!{self.address}")

    @property
    def table(self) -> Any:
        """The table that holds the first cell, None where there is none."""
        for table in self.sheet.tables:
            found = table.range
            if (
                found.row <= self.row < found.row + found.shape[0]
                and found.column <= self.column < found.column + found.shape[1]
            ):
                return table
        return None

    def select(self) -> None:
        """Select the block in its window; never done by the writer."""
        self.sheet.book.document.model.getCurrentController().select(self.uno)


def _runs(numbers: list[int]) -> Iterator[tuple[int, int]]:
    """First and last of each stretch of following numbers."""
    for _, stretch in groupby(enumerate(numbers), key=lambda item: item[1] - item[0]):
        found = [number for _, number in stretch]
        yield found[0], found[-1]


def _jump(filled: list[bool], edge: int) -> int:
    """How far Ctrl and an arrow key lead along cells that start with the present one."""
    if len(filled) > 1 and filled[0] and filled[1]:
        return next((place - 1 for place in range(2, len(filled)) if not filled[place]), len(filled) - 1)
    return next((place for place in range(1, len(filled)) if filled[place]), edge)
