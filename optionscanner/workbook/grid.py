"""Nouns of the layout: sheets, tables, cards and their cells. Data only; `layout.py` holds the sheets themselves.

Rows and columns count from 1. A *table* is found in the user's workbook by its defined name, which covers the header
line and the body; its columns are found by header text, so that a column which the user inserts, moves or removes
never shifts a value. Single cells are found by a defined name that lists them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from optionscanner.model.frame import Cell
from optionscanner.workbook.formats import Kind

GAP = 2.0
"""Width of the column between two blocks that stand side by side."""


def pixels(width: float) -> int:
    """Screen pixels of a column `width` characters wide, in the workbook's font at 100 %."""
    return round(7 * width + 5)


class Role(StrEnum):
    """Whose side a column is on: decides its header's colour."""

    PLAIN = "plain"
    CALL = "call"
    PUT = "put"
    STRIKE = "strike"


@dataclass(frozen=True, slots=True)
class Column:
    """One column of a table."""

    header: str
    """Never changes: formulas, filters and macros hang on it. "" is a spacer that the text before it runs into."""
    width: float
    source: str
    """What it shows: ``table.column`` of a reading, or a word of the renderer."""
    kind: Kind
    unit: str = ""
    """What the line above says; quantities say the unit in force instead."""
    role: Role = Role.PLAIN
    note: str = ""
    """What a reader of the header is told; "" where `meanings.py` has words for the source."""


def spacer(width: float) -> Column:
    """An empty column inside a table, into which the text on its left may run."""
    return Column("", width, "", Kind.TEXT)


@dataclass(frozen=True, slots=True)
class Table:
    """A block with a unit line, a header line and `height` body rows; it grows downward into empty cells only."""

    name: str
    """Defined name over header line and body."""
    row: int
    """Header line; the unit line is the row above."""
    column: int
    columns: tuple[Column, ...]
    height: int

    @property
    def units_name(self) -> str:
        """Defined name of the unit line."""
        return f"{self.name}_units"

    @property
    def last_row(self) -> int:
        """Last body row."""
        return self.row + self.height

    @property
    def fields(self) -> tuple[Column, ...]:
        """The columns that hold values, in order; the width of the block's rows."""
        return tuple(column for column in self.columns if column.header)

    def column_of(self, source: str) -> int:
        """Sheet column that shows `source`; KeyError where the table has none."""
        for offset, column in enumerate(self.columns):
            if column.source == source:
                return self.column + offset
        raise KeyError(f"{self.name} has no column for {source}")


@dataclass(frozen=True, slots=True)
class Line:
    """One more row under a table's columns (totals), with a defined name of its own."""

    name: str
    table: str
    row: int


@dataclass(frozen=True, slots=True)
class Value:
    """A single cell."""

    row: int
    column: int
    source: str
    kind: Kind
    style: str = "value"
    """`value`, or the band's looks: `mode`, `band`, `tick`, `note`."""


@dataclass(frozen=True, slots=True)
class Cells:
    """A block of single cells, found by one defined name that lists them; one row of one value for each."""

    name: str
    cells: tuple[Value, ...]


@dataclass(frozen=True, slots=True)
class NamedCell:
    """A headline number under a stable defined name of its own, always in plain units."""

    name: str
    source: str
    kind: Kind
    unit: str
    clock: str
    """Which time it is as of: price, OI or cycle."""
    meaning: str


@dataclass(frozen=True, slots=True)
class Named:
    """A block of named cells in one column; each is found by its own name."""

    name: str
    row: int
    """First one."""
    column: int
    cells: tuple[NamedCell, ...]


@dataclass(frozen=True, slots=True)
class Input:
    """A cell that the user types into, or a column of them: hosts read it and no frame writes it."""

    name: str
    """Defined name, over all `height` cells."""
    row: int
    """First one."""
    column: int
    kind: Kind
    default: Cell = None
    """What the template holds."""
    height: int = 1
    choices: tuple[str, ...] = ()
    """Words of its drop-down list; () for none."""
    least: float | None = None
    most: float | None = None
    """Limits that the cell's validation holds a number to."""
    offers: tuple[str, str] | None = None
    """(table, source): a column whose values its drop-down list offers, without ruling out others."""
    hint: str = ""
    """What the spreadsheet shows beside the cell while it is selected."""


@dataclass(frozen=True, slots=True)
class Owned:
    """A named cell that the process which writes the workbook fills by itself; no frame holds it."""

    name: str
    row: int
    column: int
    kind: Kind


@dataclass(frozen=True, slots=True)
class Spark:
    """A line of one cell's size that shows a column of a table."""

    row: int
    column: int
    table: str
    source: str
    """Column of the table."""
    least: float | None = None
    most: float | None = None
    """Ends of its scale; None for those of what it shows."""


@dataclass(frozen=True, slots=True)
class Formula:
    """A formula that the template writes once; the cell is the user's from then on."""

    row: int
    column: int
    formula: str
    kind: Kind


@dataclass(frozen=True, slots=True)
class Text:
    """Fixed words that the template writes once."""

    row: int
    column: int
    text: str
    style: str
    """`title`, `card`, `label`, `caption`, `header`, `legend`, `text`, or a colour role of the legend."""


@dataclass(frozen=True, slots=True)
class Sheet:
    """One sheet: what stands where."""

    name: str
    title: str
    widths: tuple[float, ...]
    """Column widths from A on, in characters."""
    tables: tuple[Table, ...] = ()
    lines: tuple[Line, ...] = ()
    cells: tuple[Cells, ...] = ()
    named: tuple[Named, ...] = ()
    inputs: tuple[Input, ...] = ()
    texts: tuple[Text, ...] = ()
    owned: tuple[Owned, ...] = ()
    sparks: tuple[Spark, ...] = ()
    formulas: tuple[Formula, ...] = ()
    freeze: tuple[int, int] = (3, 0)
    """Rows and columns that stay in sight."""
    screen: tuple[int, int] = (36, 0)
    """Rows and columns that must fit one screen; columns 0 = all."""
    heights: dict[int, float] = field(default_factory=dict)
    """Row -> points, of the rows that are not 15 points (20 pixels) high."""
    printed: int = 0
    """Last row on paper; 0 for the last one of its tables."""
    outlined: tuple[int, int] = (0, 0)
    """First and last column of a group that the user can fold away; (0, 0) for none."""
    pages: int = 0
    """Pages that the sheet prints on, below its band and as wide as its screen; 0 for as many as it takes."""

    def table(self, name: str) -> Table:
        """The table of this name; KeyError where the sheet has none."""
        for table in self.tables:
            if table.name == name:
                return table
        raise KeyError(f"{self.name} has no table {name}")

    @property
    def screen_pixels(self) -> int:
        """Width of what must fit one screen."""
        return sum(pixels(width) for width in self.widths[: self.screen[1] or None])


def side_by_side(*tables: Sequence[Column]) -> tuple[float, ...]:
    """Column widths of tables next to each other with a gap between."""
    widths: list[float] = []
    for columns in tables:
        widths += [*([GAP] if widths else []), *(column.width for column in columns)]
    return tuple(widths)


@dataclass(frozen=True, slots=True)
class Card:
    """A small group of labelled values: a title with column heads, one labelled line per row."""

    title: str
    label: int
    """Column of title and labels."""
    heads: tuple[tuple[int, str], ...]
    """(column, head) of each value column."""
    rows: tuple[tuple[str, tuple[tuple[int, str, Kind], ...]], ...]
    """label -> (which head, source, kind) of each value."""

    def texts(self, row: int) -> tuple[Text, ...]:
        """Title, heads and labels, the title standing in `row`."""
        heads = tuple(Text(row, column, head, "card-head") for column, head in self.heads)
        labels = tuple(Text(row + 1 + i, self.label, label, "label") for i, (label, _) in enumerate(self.rows))
        return (Text(row, self.label, self.title, "card"), *heads, *labels)

    def values(self, row: int) -> tuple[Value, ...]:
        """Value cells, the title standing in `row`."""
        return tuple(
            Value(row + 1 + i, self.heads[head][0], source, kind)
            for i, (_, values) in enumerate(self.rows)
            for head, source, kind in values
        )


BAND_ROWS = 3
_TICK_ROW = 2
_TICK_PIXELS = (252, 280, 264, 276, 260)
"""What each of the five indices takes in bold, long numbers and both signs included."""

_BAND = (
    # row, where it would like to begin in pixels, what it shows, style
    (1, 0, "band.mode", "mode"),
    (1, 300, "band.session", "band"),
    (1, 640, "band.title", "title"),
    (1, 1010, "band.units", "band"),
    (1, 1230, "band.front", "band"),
    *((2, 292 * i, f"band.tick{i}", "tick") for i in range(6)),
    (3, 0, "band.price", "note"),
    (3, 230, "band.open_interest", "note"),
    (3, 460, "band.cycle", "note"),
    (3, 640, "band.names", "note"),
    (3, 880, "band.message", "note"),
)


def band(sheet: str, widths: Sequence[float]) -> Cells:
    """The three rows that head every sheet, each item in the column nearest to where it would like to begin."""
    starts = [0]
    for width in widths:
        starts.append(starts[-1] + pixels(width))
    cells: list[Value] = []
    for row, wish, source, style in _BAND:
        taken = max((cell.column for cell in cells if cell.row == row), default=0)
        free = range(taken + 1, len(widths) + 1)
        # An item needs the room that the one before it takes, as far as the sheet has it.
        earlier = sum(cell.row == row for cell in cells)
        room = _TICK_PIXELS[earlier - 1] if row == _TICK_ROW and earlier else 0
        clear = [c for c in free if not taken or starts[c - 1] >= starts[taken - 1] + room]
        column = min(clear or free[-1:], key=lambda c: abs(starts[c - 1] - wish))
        cells.append(Value(row, column, source, Kind.TEXT, style))
    return Cells(f"{sheet}_band", tuple(cells))
