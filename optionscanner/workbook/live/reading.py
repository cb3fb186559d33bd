"""Reads cells as they are: numbers, texts, blanks; dates as serial numbers, whatever the program makes of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

from optionscanner.model.frame import Cell
from optionscanner.workbook.live.places import BLANK

Read = Callable[[Any], Sequence[Sequence[Cell]]]
"""Values of an xlwings Range as rows of numbers, texts and blanks."""

_DAY_ZERO = datetime(1899, 12, 30)  # noqa: DTZ001 - spreadsheets know no zones


def reader(front: str) -> Read:
    """How values of an xlwings Range are read in this program."""
    return _of_office if front == "libreoffice" else _of_excel if front == "excel" else plain


def place_of(area: Any) -> str:
    """Where a range that was kept lies now: LibreOffice moves it along with inserted rows and columns.

    "" where the program cannot tell at the price of one quick call. (As text: reading the fields of LibreOffice's
    addresses loses 60 bytes of memory each time.)
    """
    native = area.api
    return str(native.AbsoluteName) if hasattr(native, "getDataArray") else ""


def formulas(area: Any) -> Sequence[Sequence[Any]]:
    """What stands in the cells of an xlwings Range: formulas in whatever notation, constants as text, "" for none."""
    native = area.api
    # LibreOffice gives the block in one call; xlwings' own way turns each formula into Excel's notation.
    rows: Sequence[Sequence[Any]] = native.getFormulaArray() if hasattr(native, "getFormulaArray") else area.formula
    return rows


def plain(area: Any) -> Sequence[Sequence[Cell]]:
    """By xlwings alone."""
    return _rows(area.raw_value)


def _of_office(area: Any) -> Sequence[Sequence[Cell]]:
    # The native block is what was written, cell for cell; 25,000 cells take 5 ms.
    rows: Sequence[Sequence[Cell]] = area.api.getDataArray()
    return rows


def _of_excel(area: Any) -> Sequence[Sequence[Cell]]:
    # Value2 knows neither dates nor currency; AppleScript has no such thing.
    api = area.api
    return _rows(api.Value2 if hasattr(api, "Value2") else area.raw_value)


def _rows(values: Any) -> Sequence[Sequence[Cell]]:
    grid = values if isinstance(values, tuple | list) else ((values,),)
    if grid and not isinstance(grid[0], tuple | list):
        grid = (grid,)
    return tuple(tuple(_cell(value) for value in row) for row in grid)


def _cell(value: Any) -> Cell:
    if value is None:
        return BLANK
    if isinstance(value, datetime):
        return (value.replace(tzinfo=None) - _DAY_ZERO).total_seconds() / 86_400.0
    return str(value) if isinstance(value, str) else float(value)
