"""Sheets of the LibreOffice engine."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from xlwings import base_classes

from optionscanner.workbook.office.document import Api
from optionscanner.workbook.office.ranges import LAST_ROW, Range
from optionscanner.workbook.office.tables import Names, Tables

_CELLS = re.compile(r"\$?([A-Za-z]{1,3})\$?([0-9]{1,7})(?::\$?([A-Za-z]{1,3})\$?([0-9]{1,7}))?")
_COLUMNS = re.compile(r"\$?([A-Za-z]{1,3}):\$?([A-Za-z]{1,3})")
_ROWS = re.compile(r"\$?([0-9]{1,7}):\$?([0-9]{1,7})")


class Sheets(base_classes.Sheets):
    """The sheets of a workbook."""

    def __init__(self, book: Any) -> None:
        self._book = book

    def _native(self) -> Any:
        return self._book.document.model.Sheets

    @property
    def api(self) -> Api:
        """The native sheets."""
        return Api(self._native())

    @property
    def active(self) -> Sheet:
        """The sheet that the user sees; without a window the first."""
        controller = self._book.document.model.getCurrentController()
        return Sheet(self._book, controller.getActiveSheet()) if controller is not None else self(1)

    def __call__(self, name_or_index: int | str) -> Sheet:
        """By name or place from 1; raises KeyError where there is none."""
        native = self._native()
        if not isinstance(name_or_index, str):
            return Sheet(self._book, native.getByIndex(name_or_index - 1))
        if native.hasByName(name_or_index):
            return Sheet(self._book, native.getByName(name_or_index))
        for text in native.ElementNames:
            if text.lower() == name_or_index.lower():
                return Sheet(self._book, native.getByName(text))
        raise KeyError(name_or_index)

    def __len__(self) -> int:
        return int(self._native().getCount())

    def __iter__(self) -> Iterator[Sheet]:
        return iter([self(number) for number in range(1, len(self) + 1)])

    def __contains__(self, key: object) -> bool:
        return str(key).lower() in (text.lower() for text in self._native().ElementNames)

    def add(self, before: Sheet | None = None, after: Sheet | None = None, name: str | None = None) -> Sheet:
        """A new sheet, by default before the one that the user sees, whom it does not take there."""
        taken = {text.lower() for text in self._native().ElementNames}
        if name is None:
            name = next(text for n in range(1, len(taken) + 2) if (text := f"Sheet{n}").lower() not in taken)
        place = after.index if after is not None else (before or self.active).index - 1
        self._native().insertNewByName(name, place)
        return self(name)


class Sheet(base_classes.Sheet):
    """One sheet; follows its sheet through renaming and moving."""

    book: Any = None

    def __init__(self, book: Any, native: Any) -> None:
        self.book = book
        self.uno = native

    @property
    def api(self) -> Api:
        """The native sheet."""
        return Api(self.uno)

    @property
    def name(self) -> str:
        """Its name."""
        return str(self.uno.Name)

    @name.setter
    def name(self, value: str) -> None:
        self.uno.setName(value)

    @property
    def index(self) -> int:
        """Its place, from 1."""
        return int(self.uno.getRangeAddress().Sheet) + 1

    @property
    def names(self) -> Names:
        """The names of this sheet alone."""
        return Names(self.book, self)

    @property
    def tables(self) -> Tables:
        """Its tables."""
        return Tables(self)

    @property
    def visible(self) -> bool:
        """Whether it is shown."""
        return bool(self.uno.IsVisible)

    @visible.setter
    def visible(self, value: bool) -> None:
        self.uno.IsVisible = bool(value)

    def at(self, address: Any) -> Range:
        """The range of a native address; its sheet is looked up in the address."""
        found: Range = self.book.at(address)
        return found

    @property
    def used_range(self) -> Range:
        """From the first to the last cell that holds something or has a format."""
        cursor = self.uno.createCursor()
        cursor.gotoStartOfUsedArea(False)
        cursor.gotoEndOfUsedArea(True)
        return self.at(cursor.getRangeAddress())

    @property
    def cells(self) -> Range:
        """Every cell."""
        return Range(self, 1, 1, LAST_ROW, self.uno.getColumns().getCount())

    def range(self, arg1: Any, arg2: Any = None) -> Range:
        """Cells by "A1", "A1:B2", "A:C", "1:3", a name, a table, (row, column), or (row, column, rows, columns)."""
        first = self._one(arg1)
        if arg2 is None:
            return first
        second = self._one(arg2)
        row, column = min(first.row, second.row), min(first.column, second.column)
        bottom = max(part.row + part.shape[0] for part in (first, second))
        right = max(part.column + part.shape[1] for part in (first, second))
        return Range(self, row, column, bottom - row, right - column)

    def _one(self, arg: Any) -> Range:
        if isinstance(arg, Range):
            return arg
        if isinstance(arg, tuple):
            if min(arg[:2]) < 1:
                raise IndexError(f"rows and columns of a sheet count from 1, got {arg}")
            return Range(self, *arg)
        text = str(arg)
        if match := _CELLS.fullmatch(text):
            left, top, right, bottom = match.groups()
            return self._between(int(top), _column(left), int(bottom or top), _column(right or left))
        if match := _COLUMNS.fullmatch(text):
            return self._between(1, _column(match[1]), LAST_ROW, _column(match[2]))
        if match := _ROWS.fullmatch(text):
            return self._between(int(match[1]), 1, int(match[2]), self.uno.getColumns().getCount())
        return self._named(text)

    def _between(self, row1: int, column1: int, row2: int, column2: int) -> Range:
        row, column = min(row1, row2), min(column1, column2)
        return Range(self, row, column, abs(row2 - row1) + 1, abs(column2 - column1) + 1)

    def _named(self, text: str) -> Range:
        other, mark, rest = text.rpartition("!")
        if mark:
            sheet = self.book.sheets(other.strip("'").replace("''", "'"))
            found: Range = sheet.range(rest)
            return found
        for names in (self.names, self.book.names):
            if names.contains(text):
                found = names(text).refers_to_range
                return found
        if text in self.tables:
            return self.tables(text).data_body_range or self.tables(text).range
        raise KeyError(f"{text!r} is neither an address nor a name nor a table of {self.book.name}")

    def activate(self) -> None:
        """Show the sheet to the user; never done by the writer."""
        self.book.document.model.getCurrentController().setActiveSheet(self.uno)

    select = activate

    def delete(self) -> None:
        """Take the sheet out of the workbook."""
        self.book.document.model.Sheets.removeByName(self.name)

    def copy(self, before: Any, after: Any) -> None:
        """Copy within the workbook, before or after another sheet."""
        names = set(self.book.document.model.Sheets.ElementNames)
        text = next(made for n in range(2, len(names) + 3) if (made := f"{self.name} ({n})") not in names)
        place = after.impl.index if after is not None else before.impl.index - 1
        self.book.document.model.Sheets.copyByName(self.name, text, place)

    def move(self, before: Any = None, after: Any = None) -> None:
        """Move within the workbook, before or after another sheet."""
        place = after.index if after is not None else before.index - 1
        self.book.document.model.Sheets.moveByName(self.name, place)

    def clear(self) -> None:
        """Empty the sheet and take off its formats."""
        self.used_range.clear()

    def clear_contents(self) -> None:
        """Empty the sheet; its formats stay."""
        self.used_range.clear_contents()

    def clear_formats(self) -> None:
        """Take off the formats of the sheet."""
        self.used_range.clear_formats()

    def autofit(self, axis: str | None = None) -> None:
        """Fit widths and heights to what the cells hold."""
        self.used_range.autofit(axis)


def _column(letters: str) -> int:
    number = 0
    for letter in letters.upper():
        number = 26 * number + ord(letter) - ord("A") + 1
    return number
