"""What one picture of the workbook is made of: named blocks of plain cell values.

A cell is a ``float``, a ``str`` or ``None`` (blank); times and dates are the spreadsheet's serial numbers.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime

Cell = float | str | None
"""A number, a text, or None for a blank cell."""

Row = tuple[Cell, ...]


@dataclass(frozen=True, slots=True)
class Block:
    """Values of one named block, top to bottom; a shorter block than the sheet holds blanks the rest."""

    name: str
    rows: tuple[Row, ...]


@dataclass(frozen=True, slots=True)
class Frame:
    """One picture of the workbook at `as_of`; a block that is absent keeps what the sheet shows."""

    as_of: datetime
    """Session clock of the picture, aware (Asia/Kolkata)."""
    blocks: Mapping[str, Block] = field(default_factory=dict)
    """block name -> Block."""

    @classmethod
    def of(cls, as_of: datetime, blocks: Iterable[Block]) -> Frame:
        """Frame of these blocks; two blocks of one name raise ValueError."""
        mapping: dict[str, Block] = {}
        for block in blocks:
            if block.name in mapping:
                raise ValueError(f"frame: block {block.name} was rendered twice; render it once")
            mapping[block.name] = block
        return cls(as_of=as_of, blocks=mapping)


@dataclass(frozen=True, slots=True)
class WriteResult:
    """What became of a frame."""

    status: str
    """written, skipped (try the next frame) or failed (the user must act)."""
    sentence: str
    """Empty when all went well; otherwise what is wrong and what to do."""
    milliseconds: float
    cells: int
    blocks: int
    missing: tuple[str, ...] = ()
    """Blocks that the workbook no longer has."""
    frames: int = 1
    """Frames that this result is news of; a live host finishes none, one or more between two calls."""
    dropped: int = 0
    """Frames that gave way to a newer one meanwhile."""


@dataclass(frozen=True, slots=True)
class ControlReading:
    """What the user's input cells held when the host last read them."""

    values: Mapping[str, Cell | tuple[Cell, ...]]
    """Defined name -> the cell's value, or the values of a column of cells from top to bottom; a name that the
    workbook no longer has is absent."""
    at: float
    """Seconds since 1970 UTC by the machine's clock."""
