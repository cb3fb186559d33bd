"""Places of blocks in an open workbook, cut into runs of cells that one call can write.

Pure: no spreadsheet is asked here. Rows and columns count from 1, as in the layout.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from operator import itemgetter
from typing import Any

from optionscanner.model.frame import Cell, Row

Position = tuple[int, int]
Rows = tuple[Row, ...]

BLANK = ""
"""What empties a cell in both spreadsheet programs."""


def cleaned(row: Sequence[object]) -> Row:
    """The row as a spreadsheet takes it: blanks for what is absent or not finite, plain floats and texts."""
    return tuple([value if type(value) is float and -_HUGE < value < _HUGE else _plain(value) for value in row])


def _plain(value: object) -> Cell:
    if value is None:
        return BLANK
    if isinstance(value, str):
        return value
    number = float(value)  # type: ignore[arg-type]
    return number if -_HUGE < number < _HUGE else BLANK


_HUGE = float("inf")
_LARGE = 200
"""Cells of a table beyond which it is looked at by its headers and one column."""
_WORTH_A_CALL = 100
"""So many cells take about as long to read as one more call."""


@dataclass
class Run:
    """Cells beside each other that are written together."""

    top: int
    left: int
    height: int
    width: int
    given: Rows = ()
    """What was written last, as the cells were given it; () when that is unknown."""
    shown: Rows = ()
    """What the cells are known to hold: `given`, or what was read in their place."""
    strange: int = 0
    """How often they held something else than what was written, without a stretch of agreement since."""
    picks: tuple[int, ...] = ()
    """Which values of a row of the block, or of a block of single cells which rows, in the run's order."""
    area: Any = None
    """xlwings.Range of the whole run; made once, as making one takes longer than writing fifty cells."""

    @property
    def bottom(self) -> int:
        """Last row."""
        return self.top + self.height - 1

    @property
    def right(self) -> int:
        """Last column."""
        return self.left + self.width - 1

    @property
    def corners(self) -> tuple[Position, ...]:
        """First and last cell."""
        return (self.top, self.left), (self.bottom, self.right)

    def pick(self, rows: Rows) -> Rows:
        """The run's values out of the block's rows, as many rows as the run is high."""
        raise NotImplementedError

    def forget(self) -> None:
        """Write it whole next time."""
        self.given = self.shown = ()


@dataclass
class Columns(Run):
    """Adjacent columns of a table or line, over all its rows."""

    whole: bool = False
    """Whether they are just all values of a row."""

    def pick(self, rows: Rows) -> Rows:
        """The columns of each row, blank rows below the last one."""
        if self.whole:
            picked = [cleaned(row) for row in rows[: self.height]]
        elif len(self.picks) == 1:
            only = self.picks[0]
            picked = [cleaned((row[only],)) for row in rows[: self.height]]
        else:
            take = itemgetter(*self.picks)
            picked = [cleaned(take(row)) for row in rows[: self.height]]
        picked += [(BLANK,) * self.width] * (self.height - len(picked))
        return tuple(picked)


@dataclass
class Singles(Run):
    """Single cells that stand in one column below each other, or in one row beside each other."""

    def pick(self, rows: Rows) -> Rows:
        """Their values as one column or one row."""
        values = cleaned([rows[i][0] if i < len(rows) else None for i in self.picks])
        return (values,) if self.height == 1 else tuple((value,) for value in values)


@dataclass
class Placed:
    """A block of the layout in the open workbook."""

    name: str
    sheet: str
    """Name of the sheet as it is now."""
    width: int
    """Values in a row of the block."""
    height: int
    """Rows that the workbook has for it."""
    runs: list[Run]
    headers: tuple[tuple[Position, str], ...] = ()
    """(cell, header text) that must stand there while this place is right; of tables."""
    columns: tuple[int | None, ...] = ()
    """Sheet column of each value of a row; of tables and lines."""
    top: int = 0
    """Header row; of tables."""
    left: int = 0
    right: int = 0
    """First and last column of the defined name; of tables."""
    cells: tuple[Position | None, ...] = ()
    """Place of each value; of blocks of single cells."""
    bridge: Any = None
    """xlwings.Range over all single cells and what lies between them; None until it is needed."""
    last: Rows | None = None
    """The block as it was last written, uncleaned; None when it must be written."""
    cut: bool = False
    """Whether it could not grow to what it should hold."""

    def same_place(self, other: Placed) -> bool:
        """Whether the other stands on the same cells."""
        return (self.sheet, self.height, self.headers, self.columns, self.top, self.cells) == (
            other.sheet, other.height, other.headers, other.columns, other.top, other.cells
        )  # fmt: skip

    def forget(self) -> None:
        """Write it whole next time."""
        self.last = None
        for run in self.runs:
            run.forget()

    @property
    def bottom(self) -> int:
        """Last body row of a table."""
        return self.top + self.height

    @property
    def large(self) -> bool:
        """Whether reading all of it takes longer than it is worth."""
        return bool(self.headers) and self.height * self.width > _LARGE

    def key_column(self, key: int | None) -> int:
        """Sheet column of value `key`, or of the first value that stands anywhere."""
        at = self.columns[key] if key is not None else None
        return at if at is not None else next(c for c in self.columns if c is not None)

    @property
    def occupied(self) -> set[Position]:
        """Every cell it writes."""
        return {(run.top + r, run.left + c) for run in self.runs for r in range(run.height) for c in range(run.width)}


def column_runs(columns: Sequence[int | None], top: int, height: int) -> list[Run]:
    """Runs of a table's body, or of a line (`height` 1): one for each stretch of adjacent columns."""
    standing = sorted((at, i) for i, at in enumerate(columns) if at is not None)
    runs: list[Run] = []
    stretch: list[tuple[int, int]] = []
    for at, i in standing:
        if stretch and at != stretch[-1][0] + 1:
            runs.append(_columns(stretch, top, height, len(columns)))
            stretch = []
        stretch.append((at, i))
    if stretch:
        runs.append(_columns(stretch, top, height, len(columns)))
    return runs


def _columns(stretch: Sequence[tuple[int, int]], top: int, height: int, width: int) -> Run:
    picks = tuple(i for _, i in stretch)
    return Columns(top, stretch[0][0], height, len(stretch), picks=picks, whole=picks == tuple(range(width)))


def single_runs(cells: Sequence[Position | None]) -> list[Run]:
    """Runs of a block of single cells, cut so that there are few: down the columns or along the rows."""
    return min(_stretches(cells, along=0), _stretches(cells, along=1), key=len)


def _stretches(cells: Sequence[Position | None], *, along: int) -> list[Run]:
    across = 1 - along
    standing = sorted((p[across], p[along], i) for i, p in enumerate(cells) if p is not None)
    runs: list[Run] = []
    stretch: list[tuple[int, int, int]] = []
    for place in [*standing, (-1, -1, -1)]:
        if stretch and (place[0], place[1]) != (stretch[-1][0], stretch[-1][1] + 1):
            first, size = stretch[0], len(stretch)
            corner = (first[1], first[0]) if along == 0 else (first[0], first[1])
            high, wide = (size, 1) if along == 0 else (1, size)
            runs.append(Singles(*corner, high, wide, picks=tuple(i for *_, i in stretch)))
            stretch = []
        stretch.append(place)
    return runs


@dataclass
class Rectangle:
    """Smallest rectangle over many cells."""

    top: int = 2**31
    left: int = 2**31
    bottom: int = 0
    right: int = 0

    def take(self, top: int, left: int, bottom: int, right: int) -> None:
        """Grow to hold these as well."""
        self.top, self.left = min(self.top, top), min(self.left, left)
        self.bottom, self.right = max(self.bottom, bottom), max(self.right, right)

    @property
    def cells(self) -> int:
        """How many cells it holds."""
        return (self.bottom - self.top + 1) * (self.right - self.left + 1)

    def __contains__(self, cell: Position) -> bool:
        return self.top <= cell[0] <= self.bottom and self.left <= cell[1] <= self.right


def around(placed: Placed) -> Rectangle:
    """Smallest rectangle over a block's cells."""
    found = Rectangle()
    for run in placed.runs:
        found.take(run.top, run.left, run.bottom, run.right)
    return found


def bridged(
    over: Rectangle, ours: Mapping[Position, Cell], image: Image, formulas: Sequence[Sequence[Any]],
    fixed: frozenset[str],
) -> Rows | None:  # fmt: skip
    """Our cells with what lies between them, as one block; None where something between them is the user's.

    `ours`: cell -> value. Between them may stand nothing, or words of `fixed` (the template's) as plain text: given
    back as they are, they stay what they were. A formula that shows nothing is somebody's cell all the same.
    """
    rows: list[Row] = []
    for r in range(over.top, over.bottom + 1):
        row: list[Cell] = []
        for c in range(over.left, over.right + 1):
            if (r, c) in ours:
                row.append(ours[r, c])
                continue
            text, shown = formulas[r - over.top][c - over.left], image.at((r, c))
            if text in (None, BLANK) and shown == BLANK:
                row.append(BLANK)
            elif isinstance(shown, str) and text == shown and shown in fixed:
                row.append(shown)
            else:
                return None
        rows.append(tuple(row))
    return tuple(rows)


@dataclass
class Image:
    """What a sheet shows at one moment: rectangles of it, each read in one call."""

    parts: list[tuple[Rectangle, Sequence[Sequence[Cell]]]]

    def at(self, place: Position) -> Cell:
        """One cell; blank beyond what was read."""
        for over, rows in self.parts:
            if place in over:
                return rows[place[0] - over.top][place[1] - over.left]
        return BLANK

    def part(self, run: Run) -> Rows | None:
        """The cells of a run; None where it was not read as a whole."""
        for over, rows in self.parts:
            if all(corner in over for corner in run.corners):
                first, last = run.left - over.left, run.right - over.left + 1
                return tuple(tuple(row[first:last]) for row in rows[run.top - over.top : run.bottom - over.top + 1])
        return None

    def column(self, at: int, top: int, bottom: int) -> Row | None:
        """Cells of one column; None where they were not read."""
        for over, rows in self.parts:
            if (top, at) in over and (bottom, at) in over:
                return tuple(row[at - over.left] for row in rows[top - over.top : bottom - over.top + 1])
        return None


def looks(placed: Sequence[Placed], keys: Mapping[str, int]) -> list[Rectangle]:
    """What to read of a sheet to see that these blocks of it stand where they stood.

    Everything of small ones; of a larger table its headers and one column (value `keys` of it, or its first): rows
    that move take that column along, columns that move take their headers. Rectangles are joined where reading what
    lies between them is quicker than another call.
    """
    wanted: list[Rectangle] = []
    for block in placed:
        own = Rectangle()
        for place, _ in block.headers:
            own.take(*place, *place)
        if block.large:
            at = block.key_column(keys.get(block.name))
            wanted.append(Rectangle(block.top + 1, at, block.bottom, at))
        else:
            for run in block.runs:
                own.take(run.top, run.left, run.bottom, run.right)
        if own.bottom:
            wanted.append(own)
    return _joined(wanted)


def _joined(wanted: Sequence[Rectangle]) -> list[Rectangle]:
    made: list[Rectangle] = []
    for one in sorted(wanted, key=lambda r: (r.top, r.left)):
        for other in made:
            both = Rectangle(other.top, other.left, other.bottom, other.right)
            both.take(one.top, one.left, one.bottom, one.right)
            if both.cells <= one.cells + other.cells + _WORTH_A_CALL:
                other.take(one.top, one.left, one.bottom, one.right)
                break
        else:
            made.append(one)
    return made
