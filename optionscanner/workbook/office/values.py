"""Cell values as LibreOffice takes and gives them: `rows` cleans what is written, `CellError` names what is broken.

LibreOffice takes only float and str in a block. An empty cell is "": None would become #N/A, NaN would poison sums.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import date, datetime, time, timedelta
from numbers import Real
from typing import Any, TypeGuard

import numpy as np
import pandas as pd

_DAY_ZERO = datetime.fromisoformat("1899-12-30")
"""Sheets know no zones."""
_DAY = timedelta(days=1)


class CellError(str):
    """What a cell with an error shows, e.g. `#DIV/0!`; text, but told from text by its class."""

    __slots__ = ()


class Shown(float):
    """A number that is shown as a date, a time or a truth value: the cell needs the format that goes with it."""

    format: str

    def __new__(cls, value: float, form: str) -> Shown:
        """The number with the format code that shows it."""
        made = super().__new__(cls, value)
        made.format = form
        return made


def serial(moment: datetime | date | time) -> float:
    """Days since 30-Dec-1899, as sheets count time; a zone is dropped, the wall clock stays."""
    if isinstance(moment, datetime):
        return (moment.replace(tzinfo=None) - _DAY_ZERO) / _DAY
    if isinstance(moment, time):
        return (
            timedelta(hours=moment.hour, minutes=moment.minute, seconds=moment.second, microseconds=moment.microsecond)
            / _DAY
        )
    return float((moment - _DAY_ZERO.date()).days)


def moment(value: float) -> datetime:
    """The date and time of a serial number, to the microsecond that a float can still tell (about 1 µs)."""
    days = math.floor(value)
    seconds = round((value - days) * 86_400, 5)
    return _DAY_ZERO + timedelta(days=days, seconds=seconds)


def cell(value: Any) -> float | str:
    """One value as LibreOffice takes it: float or str; nothing, NaN and infinities become ""."""
    if value is None:
        return ""
    if isinstance(value, str):
        return str(value)
    if isinstance(value, (datetime, date, time)):
        return "" if value is pd.NaT else serial(value)
    if isinstance(value, np.datetime64):
        return "" if np.isnat(value) else serial(value.astype("datetime64[us]").item())
    if isinstance(value, (Real, np.bool_)) or hasattr(value, "__float__"):
        number = float(value)
        return number if math.isfinite(number) else ""
    return str(value)


def rows(values: Sequence[Sequence[Any]]) -> tuple[tuple[float | str, ...], ...]:
    """A block as LibreOffice takes it; clean rows are taken as they are, which is what a fast writer gives."""
    return tuple([row if _clean(row) else tuple([cell(value) for value in row]) for row in values])


def _clean(row: Sequence[Any]) -> TypeGuard[tuple[float | str, ...]]:
    """Whether a row is a tuple of finite float and plain str."""
    if type(row) is not tuple or not {type(value) for value in row} <= {float, str}:
        return False
    total = sum([value for value in row if type(value) is float])
    # A sum of finite numbers may overflow; then the row is merely looked at value by value.
    return math.isfinite(total)


def element(value: Any) -> Any:
    """One value of `Range.value = ...` as the block writer wants it: dates and truth values keep their format."""
    if isinstance(value, (bool, np.bool_)):
        return Shown(float(value), "BOOLEAN")
    if isinstance(value, (datetime, date, time)) and value is not pd.NaT:
        if isinstance(value, time):
            return Shown(serial(value), "HH:MM:SS")
        whole = not isinstance(value, datetime) or value.time() == time()
        return Shown(serial(value), "YYYY-MM-DD" if whole else "YYYY-MM-DD HH:MM:SS")
    if isinstance(value, np.datetime64) and not np.isnat(value):
        return element(value.astype("datetime64[us]").item())
    return cell(value)
