"""Where notes stand: LibreOffice drops the note of every cell that a block of values is written over, Excel keeps it.

A value that is given to one cell alone leaves its note in place, so `Range.raw_value` writes around cells with notes.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

_NOTES = 8
"""com.sun.star.sheet.CellFlags.ANNOTATION"""
_TRUSTED_S = 2.0
"""How long places are believed while their number stays the same: a note that is moved keeps it."""

_AREA = re.compile(r"\.\$?([A-Z]+)\$?(\d+)(?::\$?([A-Z]+)\$?(\d+))?(?=[,;]|$)")

Block = tuple[int, int, int, int]
"""First row, first column, rows, columns; counted from 0."""


@dataclass
class _Known:
    notes: Any
    count: int = -1
    read_at: float = 0.0
    blocks: tuple[Block, ...] = ()


class Notes:
    """Places of the notes of one document, looked up again when their number changes and every other second."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._known: dict[Any, _Known] = {}

    def within(self, sheet: Any, block: Block) -> list[tuple[int, int]]:
        """Cells of `block` on the native `sheet` that have a note, as (row, column) counted from the block's first."""
        top, left, nrows, ncols = block
        found = set()
        for row, column, height, width in self._places(sheet):
            rows = range(max(row, top), min(row + height, top + nrows))
            columns = range(max(column, left), min(column + width, left + ncols))
            found |= {(r - top, c - left) for r in rows for c in columns}
        return sorted(found)

    def _places(self, sheet: Any) -> tuple[Block, ...]:
        if sheet not in self._known:
            self._known[sheet] = _Known(sheet.getAnnotations())
        known, now = self._known[sheet], self._clock()
        count = known.notes.getCount()
        if count != known.count or now - known.read_at > _TRUSTED_S:
            # As text: reading the fields of LibreOffice's addresses loses 60 bytes of memory each time.
            listed = str(sheet.queryContentCells(_NOTES).getRangeAddressesAsString()) if count else ""
            known.blocks = tuple(_block(*match.groups()) for match in _AREA.finditer(listed))
            known.count, known.read_at = count, now
        return known.blocks


def _block(left: str, top: str, right: str | None, bottom: str | None) -> Block:
    first, last = int(top) - 1, int(bottom or top) - 1
    begin, end = _column(left), _column(right or left)
    return first, begin, last - first + 1, end - begin + 1


def _column(letters: str) -> int:
    """Place of a column, counted from 0."""
    number = 0
    for letter in letters:
        number = 26 * number + ord(letter) - 64
    return number - 1


def around(nrows: int, ncols: int, noted: list[tuple[int, int]]) -> list[Block]:
    """The block of `nrows` by `ncols` in bands of whole rows and, where notes stand, the parts of rows between them."""
    blocks: list[Block] = []
    begun = 0
    for row in sorted({row for row, _ in noted}):
        if row > begun:
            blocks.append((begun, 0, row - begun, ncols))
        start = 0
        for column in sorted({c for r, c in noted if r == row}):
            if column > start:
                blocks.append((row, start, 1, column - start))
            start = column + 1
        if start < ncols:
            blocks.append((row, start, 1, ncols - start))
        begun = row + 1
    if begun < nrows:
        blocks.append((begun, 0, nrows - begun, ncols))
    return blocks
