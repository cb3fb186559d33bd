"""Row order of ranked tables while the user filters or sorts them: rows go where their names stand on the sheet.

Pure. A filter hides rows by position, so a re-sort under it would hide the wrong names; an own sort would be undone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from optionscanner.model.frame import Cell
from optionscanner.workbook.live.places import BLANK, Rows

FILTERED = "order held: filter on"
SORTED = "order held: your sort"

RANKED: dict[str, tuple[str, str]] = {
    # block -> (source of its key column, tables with which it shares one order)
    "alert_summary": ("row.name", "summary"),
    "stocks": ("row.name", "stocks"),
    "stocks_more": ("row.name", "stocks"),
}
"""Ranked tables: the column that tells rows apart, and which of them stand in one order."""


@dataclass
class Order:
    """What is known of one ranked table's rows."""

    written: tuple[Cell, ...] = ()
    """Keys from top to bottom, as they were written last."""
    sorted: bool = False
    """Whether the user put the rows in an order of their own."""

    def held(self, seen: Sequence[Cell], wanted: Sequence[Cell], *, filtered: bool) -> str:
        """Why the rows must stay where they are, "" when they may move.

        `seen`: keys on the sheet now; `wanted`: keys as the frame ranks them. A sort of the user's is one that left
        the same names in another order than was written; it ends when the sheet is back in the engine's order.
        """
        if self.written and tuple(seen) != self.written and sorted(map(str, seen)) == sorted(map(str, self.written)):
            self.sorted = True
        if self.sorted and _named(seen) == _named(wanted):
            self.sorted = False
        return FILTERED if filtered else SORTED if self.sorted else ""


def _named(keys: Sequence[Cell]) -> list[Cell]:
    return [key for key in keys if key not in (None, BLANK)]


def placed(rows: Rows, key: int, seen: Sequence[Cell]) -> Rows:
    """The rows in the order of `seen` (keys on the sheet, blanks included); new names fill blank rows, then follow.

    A name that is gone leaves a blank row, so that no other one moves under a filter.
    """
    by_key = {row[key]: row for row in rows}
    width = len(rows[0]) if rows else 0
    nothing = (None,) * width
    out = [by_key.pop(name, nothing) if name not in (None, BLANK) else nothing for name in seen]
    new = list(by_key.values())
    gaps = (i for i, row in enumerate(out) if row is nothing)
    while new:
        gap = next(gaps, None)
        if gap is None:
            break
        out[gap] = new.pop(0)
    out += new
    while out and out[-1] is nothing:
        out.pop()
    return tuple(out)
