"""How values become cells of a frame (`model.frame`): cleaning, serial numbers. Pure, no spreadsheet library.

A cell is a ``float``, a ``str`` or ``None`` (blank); times and dates are the spreadsheet's serial numbers.
Where a block stands on a sheet is `layout.py`'s matter, how it gets there is a host's.
"""

from __future__ import annotations

import math
from datetime import date, datetime

import numpy as np

from optionscanner.model.frame import Block, Cell, Frame, Row

__all__ = ["Block", "Cell", "Frame", "Row", "cells", "clean", "clean_text", "serial_date", "serial_time"]

LONGEST_TEXT = 32_767
"""Characters that one spreadsheet cell can hold."""

_EPOCH = datetime(1899, 12, 30)  # noqa: DTZ001 - a serial number has no time zone; day 1 is 31-Dec-1899
_SECONDS_PER_DAY = 86_400.0
# XML 1.0 cannot carry these even escaped; lone surrogates cannot be encoded.
_FORBIDDEN = {
    code: None for code in (*range(0x09), 0x0B, 0x0C, *range(0x0E, 0x20), *range(0xD800, 0xE000), 0xFFFE, 0xFFFF)
}


def clean(value: object) -> Cell:
    """Cell of any value: NaN, inf, NaT and None become blank, flags 0/1, dates serial numbers, the rest text.

    Text is cut at what a cell can hold, and characters that a workbook file cannot carry are removed; a text that
    begins with ``=`` is kept as it is, because hosts write text as text, never as a formula.
    """
    if value is None or isinstance(value, str):
        return None if value is None or not value else clean_text(value)
    if isinstance(value, bool | np.bool_ | int | np.integer | float | np.floating):
        number = float(value)
        return number if math.isfinite(number) else None
    if isinstance(value, datetime):
        return serial_time(value)
    if isinstance(value, date):
        return serial_date(value)
    return clean_text(str(value)) or None


def clean_text(text: str) -> str:
    """The text as a cell can hold it: at most 32,767 characters, none that XML forbids."""
    return text[:LONGEST_TEXT].translate(_FORBIDDEN)


def serial_date(day: date) -> float:
    """Spreadsheet serial number of a date, days since 30-Dec-1899."""
    return float((day - _EPOCH.date()).days)


def serial_time(moment: datetime) -> float:
    """Spreadsheet serial number of a moment's own wall time (an aware one is shown in its own zone), days."""
    delta = moment.replace(tzinfo=None) - _EPOCH
    return delta.days + (delta.seconds + delta.microseconds / 1e6) / _SECONDS_PER_DAY


def cells(values: np.ndarray) -> list[Cell]:
    """Cells of a numeric column: Python floats, with None where the number is absent or not finite."""
    numbers = np.asarray(values, dtype=np.float64)
    finite = np.isfinite(numbers)
    if finite.all():
        return numbers.tolist()  # type: ignore[no-any-return]
    boxed = numbers.astype(object)
    boxed[~finite] = None
    return boxed.tolist()  # type: ignore[no-any-return]
