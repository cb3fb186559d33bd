"""Reads cells as they are: numbers, texts, blanks; dates as serial numbers, whatever the program makes of them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from optionscanner.model.frame import Cell
from optionscanner.workbook.live.binding import Read
from optionscanner.workbook.live.places import BLANK

_DAY_ZERO = datetime(1899, 12, 30)  # noqa: DTZ001 - spreadsheets know no zones


def reader(front: str) -> Read:
    """How values of an xlwings Range are read in this program."""
    return _of_office if front == "libreoffice" else _of_excel if front == "excel" else plain


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
