"""Turns values of any kind into what a cell may hold: a float, a text, or None for blank."""

from __future__ import annotations

import math
from collections.abc import Iterable
from datetime import date, datetime
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt

from optionscanner.model.frame import Cell

LONGEST_TEXT = 32_767
"""Characters that one spreadsheet cell can hold."""

INDIA = ZoneInfo("Asia/Kolkata")

_SECONDS_PER_DAY = 86_400.0
# 30-Dec-1899, where both spreadsheets count from (for dates after February 1900), to 1-Jan-1970.
_DAYS_TO_1970 = 25_569
_INDIA_OFFSET_DAYS = 5.5 / 24
# XML 1.0 cannot carry these even escaped; lone surrogates cannot be encoded.
_FORBIDDEN: dict[int, None] = dict.fromkeys(
    (*range(0x09), 0x0B, 0x0C, *range(0x0E, 0x20), *range(0xD800, 0xE000), 0xFFFE, 0xFFFF)
)


def clean(value: object) -> Cell:
    """Cell of any value: NaN, infinities, NaT, "" and None are blank, flags 0 or 1, dates serial numbers.

    Text is cut at what a cell can hold and freed of characters that a workbook file cannot carry; one that begins
    with ``=`` stays as it is, because hosts write text as text, never as a formula.
    """
    if value is None:
        return None
    if isinstance(value, str):
        return clean_text(value) or None
    if isinstance(value, bool | np.bool_ | int | np.integer | float | np.floating):
        number = float(value)
        return number if math.isfinite(number) else None
    if isinstance(value, datetime):
        return serial_time(value.timestamp()) if value == value else None  # noqa: PLR0124 - NaT differs from itself
    if isinstance(value, date):
        return serial_date(value)
    return clean_text(str(value)) or None


def clean_text(text: str) -> str:
    """The text as a cell can hold it: at most 32,767 characters, none that XML forbids."""
    return text[:LONGEST_TEXT].translate(_FORBIDDEN)


def plain(text: str) -> Cell:
    """A text of the engine's own as a cell."""
    return clean_text(text) or None


def serial_date(day: date) -> float:
    """Spreadsheet serial number of a date."""
    return float(day.toordinal() - date(1970, 1, 1).toordinal() + _DAYS_TO_1970)


def serial_time(instant: float) -> float:
    """Spreadsheet serial number of an instant [s since 1970 UTC] on the Indian wall clock, whole milliseconds."""
    # India has had one offset, +05:30, for as long as its exchanges have listed options.
    return round(instant, 3) / _SECONDS_PER_DAY + _DAYS_TO_1970 + _INDIA_OFFSET_DAYS


def numbers(values: npt.ArrayLike) -> list[Cell]:
    """Cells of a numeric column: Python floats, None where a number is absent or not finite."""
    column = np.asarray(values, dtype=np.float64)
    finite = np.isfinite(column)
    if bool(finite.all()):
        plain: list[Cell] = column.tolist()
        return plain
    boxed = column.astype(object)
    boxed[~finite] = None
    mixed: list[Cell] = boxed.tolist()
    return mixed


def times(instants: npt.ArrayLike) -> list[Cell]:
    """Cells of a column of instants [s since 1970 UTC]: serial numbers on the Indian wall clock, None for NaN."""
    column = np.round(np.asarray(instants, dtype=np.float64), 3)
    return numbers(column / _SECONDS_PER_DAY + _DAYS_TO_1970 + _INDIA_OFFSET_DAYS)


def texts(values: Iterable[object]) -> list[Cell]:
    """Cells of a column of text, None for ""."""
    # What is printable holds no character that a file cannot carry: asking is far cheaper than translating.
    return [
        (text if text.isprintable() and len(text) <= LONGEST_TEXT else clean_text(text)) or None
        for text in map(str, values)
    ]


def clock(instant: float) -> str:
    """An instant [s since 1970 UTC] as hh:mm:ss IST, "" for NaN."""
    return f"{datetime.fromtimestamp(instant, INDIA):%H:%M:%S}" if math.isfinite(instant) else ""
