"""What reading one daily file gives. Main entries: `Reading`, `Reader`, `finished`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from optionscanner.adapters.nse.content import DailyPart
from optionscanner.adapters.nse.rows import Sieve
from optionscanner.errors import RecordingError
from optionscanner.model.daily import DailyTable


@dataclass(frozen=True, eq=False)
class Reading:
    """One file that was read: its rows, and what became of the others."""

    table: DailyTable
    frame: pd.DataFrame
    """Columns of `table`, in order: text and dates as str, numbers as float64, NaN absent."""
    refused: Mapping[str, int]
    """reason -> rows."""
    left_out: Mapping[str, int]
    """reason -> rows that are right and of no use here."""
    first_line: Mapping[str, int]
    """reason -> first line of the file that it fits."""

    @property
    def rows_read(self) -> int:
        """Every row of the file: kept, refused and left out."""
        return len(self.frame) + sum(self.refused.values()) + sum(self.left_out.values())

    @property
    def dates(self) -> tuple[str, ...]:
        """Dates (first column of the table) that the rows are of, ascending."""
        return tuple(sorted(set(self.frame[self.table.names[0]])))


@dataclass(frozen=True, slots=True)
class Reader:
    """One kind of file."""

    table: DailyTable
    matches: Callable[[DailyPart, str], bool]
    """Whether a file with this text is of the kind; the text is "" for a binary file."""
    read: Callable[[DailyPart, str], Reading]
    """Raises RecordingError with one clause that says why the whole file is refused."""


def finished(table: DailyTable, sieve: Sieve, columns: Mapping[str, object]) -> Reading:
    """The rows that are left, as a `Reading`; raises RecordingError where none is.

    `columns`: name -> (n,) array or one value for all rows; those that are missing are absent in every row.
    """
    count = len(sieve.alive)
    made = {}
    for column in table.columns:
        text = column.kind in ("text", "date")
        value = columns.get(column.name, "" if text else np.nan)
        whole = np.empty(count, dtype=object if text else np.float64)
        whole[:] = value
        made[column.name] = whole[sieve.alive]
    reading = Reading(table, pd.DataFrame(made), dict(sieve.refused), dict(sieve.left_out), dict(sieve.first))
    if not len(reading.frame):
        why = "; ".join(f"{count:,} because {reason}" for reason, count in sieve.refused.items())
        out = sum(sieve.left_out.values())
        raise RecordingError(
            f"it is a {table.title} without a usable row"
            + (f": {why}" if why else f": {out:,} are of no use here" if out else "")
            + "; download it again"
        )
    return reading
