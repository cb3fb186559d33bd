"""Puts blocks into the open workbook: only what changed, only where it belongs.

Main entry: `Painter.paint`. Before a sheet is written it is read once over all our blocks: headers that do not stand
where they stood, or cells that no longer hold what was written, mean that something moved, and the names are asked
again first. So nothing is ever written beside its place, and what the user overtypes is healed with the next change.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from optionscanner.errors import WorkbookError
from optionscanner.model.frame import Cell
from optionscanner.workbook.grid import Cells, Line, Sheet, Table
from optionscanner.workbook.layout import BlockSpec
from optionscanner.workbook.layout import blocks as blocks_of
from optionscanner.workbook.live import held
from optionscanner.workbook.live.binding import LiveBinding, bind
from optionscanner.workbook.live.front import Front, FrontBusy, FrontLost, Opened
from optionscanner.workbook.live.places import BLANK, Image, Placed, Rows, Run, around, bridged
from optionscanner.workbook.live.reading import formulas, reader

CONTROL_SHEET = "CONTROL"
_MODE, _FRONT = "band.mode", "band.front"
# What a General cell of Excel would take for a number, a date, a formula or an error instead of text.
_FEW = 3
"""Up to so many changed runs of a block of single cells are written one by one."""
_WORTH_A_RANGE = 700
"""So many cells take about as long to write as a range takes to make."""
_PATIENCE = 5
"""How often in a row cells may differ from what was written before that says nothing: a format may change values."""
_READS_AS_MORE = re.compile(r"^(?:[=+\-@'#]|.*\d|(?:true|false)$)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Painted:
    """What one frame did."""

    cells: int
    """Cells written."""
    blocks: int
    """Blocks written."""


@dataclass
class _Single:
    """Cells that the writer itself fills on a sheet's band."""

    block: str
    index: int


@dataclass
class Painter:
    """Knows where everything stands and what was written there; all calls from the thread of the spreadsheet."""

    front: Front
    opened: Opened
    layout: Sequence[Sheet]
    binding: LiveBinding = field(init=False)
    orders: dict[str, held.Order] = field(default_factory=dict)
    holding: dict[str, str] = field(default_factory=dict)
    """ranked table -> why its order is held."""
    refused: dict[str, str] = field(default_factory=dict)
    """sheet -> why it took no values at the last frame."""
    bound_times: int = 0
    """How often the names were read."""

    def __post_init__(self) -> None:
        self._keeps_text = {name: _texts(block, sheet) for sheet in self.layout for name, block in blocks_of(sheet)}
        self._fixed = {sheet.name: frozenset(text.text for text in sheet.texts) for sheet in self.layout}
        self._owner = {name: sheet for sheet in self.layout for name, _ in blocks_of(sheet)}
        self._fronts = list(_sources(self.layout, _FRONT))
        self._modes = list(_sources(self.layout, _MODE))
        self._keys = {
            table.name: [c.source for c in table.fields].index(held.RANKED[table.name][0])
            for sheet in self.layout for table in sheet.tables if table.name in held.RANKED
        }  # fmt: skip
        self.bind()

    def bind(self) -> bool:
        """Read the names again; whether any block has moved, come or gone."""
        older = getattr(self, "binding", None)
        self.binding = bind(self.opened.book, self.layout, reader(self.front.name), self._keys)
        self.bound_times += 1
        self._fresh = True
        if older is None:
            return True
        self.binding.adopt(older)
        before, now = older.placed, self.binding.placed
        return before.keys() != now.keys() or not all(now[name].same_place(before[name]) for name in now)

    def forget(self) -> None:
        """Write everything whole next time: the workbook is another one now."""
        for placed in self.binding.placed.values():
            placed.forget()

    def paint(self, wanted: Mapping[str, Rows], *, state: str, only_control: bool = False) -> Painted:
        """Write the blocks of `wanted` that differ from what stands there, and the front's state on every band."""
        self._note_filters()
        given = self._with_state(wanted, state, only_control=only_control)
        changed = self._changed(given)
        if not changed:
            return Painted(0, 0)
        images = self._looked(changed)
        changed = self._changed(given)
        cells = count = 0
        with self.front.quiet(self.opened):
            for name in changed:
                self._fit(name, given[name])
            self.refused.clear()
            for name in changed:
                placed = self.binding.placed[name]
                rows = self._ordered(placed, given[name], images)
                with self._refusable(placed.sheet):
                    done = self._write(placed, rows, images.get(placed.sheet))
                    placed.last = given[name]
                    cells += done
                    count += done > 0
        self._fresh = False
        return Painted(cells, count)

    @contextmanager
    def _refusable(self, sheet: str) -> Iterator[None]:
        """Around one write: a sheet that takes no values, e.g. since its user protected it, is remembered."""
        try:
            yield
        except (FrontLost, FrontBusy):
            raise
        except WorkbookError as error:
            self.refused.setdefault(sheet, str(error))

    def stop(self, sentence: str) -> None:
        """Write that the engine stopped into the mode and front cells of every sheet; the mode stays behind it."""
        with self.front.quiet(self.opened):
            for single in (*self._modes, *self._fronts):
                placed = self.binding.placed.get(single.block)
                place = placed.cells[single.index] if placed is not None else None
                if placed is not None and place is not None:
                    mode = placed.last[single.index][0] if single in self._modes and placed.last else None
                    said = f"{sentence}  {mode}" if mode else sentence
                    with self._refusable(placed.sheet):
                        self.binding.range(placed.sheet, *place, *place).raw_value = ((said,),)

    def beat(self, now: float) -> None:
        """Write the time into HEARTBEAT [serial number of the machine's wall clock], where the workbook has it."""
        at = self.binding.heartbeat
        if at is not None:
            with self.front.quiet(self.opened):
                self.binding.range(at.sheet, at.top, at.left, at.top, at.left).raw_value = ((now,),)

    @property
    def truncated(self) -> tuple[str, ...]:
        """Tables that could not grow to what they should hold."""
        return tuple(sorted(p.name for p in self.binding.placed.values() if p.cut))

    # What is to be written

    def _with_state(self, wanted: Mapping[str, Rows], state: str, *, only_control: bool) -> dict[str, Rows]:
        """The blocks with the front's state in its cells; of a paused front only CONTROL and the bands."""
        given = {
            name: rows
            for name, rows in wanted.items()
            if name in self.binding.placed and (not only_control or self._owner[name].name == CONTROL_SHEET)
        }
        for single in self._fronts:
            placed = self.binding.placed.get(single.block)
            if placed is None or single.block not in wanted:
                continue
            why = sorted({why for table, why in self.holding.items() if self._sheet_of(table) == placed.sheet})
            rows = given.get(single.block) or placed.last or wanted[single.block]
            said = ", ".join([state, *why])
            given[single.block] = (*rows[: single.index], (said,), *rows[single.index + 1 :])
        return given

    def _sheet_of(self, table: str) -> str:
        placed = self.binding.placed.get(table)
        return placed.sheet if placed is not None else ""

    def _changed(self, given: Mapping[str, Rows]) -> list[str]:
        placed = self.binding.placed
        return [name for name, rows in given.items() if name in placed and placed[name].last != rows]

    def _note_filters(self) -> None:
        """Ask which ranked tables the user filters."""
        asked: dict[tuple[str, int, int], bool] = {}
        for name in self._keys:
            placed = self.binding.placed.get(name)
            if placed is None:
                continue
            # A filter hides whole rows, so tables beside each other share its answer.
            rows = placed.sheet, placed.top, placed.bottom
            if rows not in asked:
                area = f"{_a1(placed.top + 1, placed.left)}:{_a1(placed.bottom, placed.right)}"
                asked[rows] = self.front.order_held(self.opened, placed.sheet, area)
            if asked[rows]:
                self.holding[name] = held.FILTERED
            elif self.holding.get(name) == held.FILTERED:
                del self.holding[name]
                placed.last = None

    # What stands there

    def _looked(self, changed: Sequence[str]) -> dict[str, Image]:
        """Images of the sheets that hold the changed blocks, the binding made right by what they show."""
        if not self._fresh and any(self._unseen(name) for name in changed):
            # What was never written cannot be recognised, so its name is asked first.
            self.bind()
            changed = [name for name in changed if name in self.binding.placed]
        images = self._images(changed)
        here = [self.binding.placed[name] for name in changed]
        if all(_stands(p, images[p.sheet], self._keys.get(p.name)) for p in here):
            return images
        self.bind()
        images = self._images(list(self.binding.placed))
        for placed in self.binding.placed.values():
            _learn(placed, images[placed.sheet], self._keys.get(placed.name))
        return images

    def _images(self, names: Sequence[str]) -> dict[str, Image]:
        by_sheet: dict[str, list[str]] = {}
        for name in names:
            by_sheet.setdefault(self.binding.placed[name].sheet, []).append(name)
        return {sheet: self.binding.image(sheet, listed) for sheet, listed in by_sheet.items()}

    def _unseen(self, name: str) -> bool:
        placed = self.binding.placed[name]
        return not placed.headers and not any(run.shown for run in placed.runs)

    def _fit(self, name: str, rows: Rows) -> None:
        """Let a table grow to its rows where there is room; remember those that stay cut off."""
        placed = self.binding.placed[name]
        if len(rows) > placed.height and not placed.cut:
            self.binding.grow(name, len(rows))
        placed.cut = len(rows) > placed.height

    def _ordered(self, placed: Placed, rows: Rows, images: Mapping[str, Image]) -> Rows:
        """The rows, or where the user filters or sorts, the rows in the order that stands on the sheet."""
        name = placed.name
        if name not in self._keys or not rows:
            return rows
        key = self._keys[name]
        at, image = placed.columns[key], images.get(placed.sheet)
        if at is None or image is None:
            return rows
        seen = image.column(at, placed.top + 1, placed.bottom) or ()
        order = self.orders.setdefault(name, held.Order())
        why = order.held(seen, [row[key] for row in rows], filtered=self.holding.get(name) == held.FILTERED)
        group = held.RANKED[name][1]
        partner = next((n for n, w in self.holding.items() if n != name and held.RANKED[n][1] == group and w), "")
        if why:
            self.holding[name] = why
        else:
            self.holding.pop(name, None)
        if why or partner:
            if not why:
                theirs = self.binding.placed[partner]
                column = theirs.columns[self._keys[partner]]
                seen = image.column(column, theirs.top + 1, theirs.bottom) or seen if column else seen
            rows = held.placed(rows, key, seen)
        order.written = tuple(row[key] if row[key] is not None else BLANK for row in rows)
        order.written += (BLANK,) * (placed.height - len(order.written))
        return rows

    # Writing

    def _write(self, placed: Placed, rows: Rows, image: Image | None) -> int:
        """Write the runs that differ; cells written."""
        changed = [(run, values) for run in placed.runs if (values := run.pick(rows)) != run.given]
        if len(changed) > _FEW and not placed.columns and image is not None and self._bridge(placed, rows, image):
            return sum(run.height * run.width for run, _ in changed)
        cells = 0
        for run, values in changed:
            first, last = _differing(run, values)
            part = values[first : last + 1]
            if (run.height - len(part)) * run.width < _WORTH_A_RANGE:
                first, part = 0, values
                if run.area is None:
                    run.area = self.binding.range(placed.sheet, run.top, run.left, run.bottom, run.right)
                area = run.area
            else:
                area = self.binding.range(placed.sheet, run.top + first, run.left, run.top + last, run.right)
            area.raw_value = self._worded(placed, run, part, first)
            run.given = run.shown = values
            cells += len(part) * run.width
        return cells

    def _bridge(self, placed: Placed, rows: Rows, image: Image) -> bool:
        """Write all single cells of a block in one call, with what lies between them, where that is nobody's."""
        over = around(placed)
        others = [p for p in self.binding.on(placed.sheet) if p is not placed]
        if any(cell in over for other in others for run in other.runs for cell in run.corners):
            return False
        if placed.bridge is None:
            placed.bridge = self.binding.range(placed.sheet, over.top, over.left, over.bottom, over.right)
        picked = [(run, run.pick(rows)) for run in placed.runs]
        ours = {
            (run.top + r, run.left + c): value
            for run, values in picked
            for r, row in enumerate(self._worded(placed, run, values, 0))
            for c, value in enumerate(row)
        }
        fixed = self._fixed[self._owner[placed.name].name]
        block = bridged(over, ours, image, formulas(placed.bridge), fixed)
        if block is None:
            return False
        placed.bridge.raw_value = block
        for run, values in picked:
            run.given = run.shown = values
        return True

    def _worded(self, placed: Placed, run: Run, rows: Rows, first: int) -> Rows:
        """Rows as the program takes them: Excel reads a text like a number or formula as one, unless told not to."""
        if self.front.name != "excel":
            return rows
        kept, picks = self._keeps_text[placed.name], run.picks

        def word(value: Cell, pick: int) -> Cell:
            plain = not isinstance(value, str) or not _READS_AS_MORE.match(value)
            return value if plain or kept[pick] else f"'{value}"

        if placed.cells and not placed.columns and run.width == 1:
            return tuple((word(row[0], pick),) for row, pick in zip(rows, picks[first:], strict=False))
        return tuple(tuple(word(value, pick) for value, pick in zip(row, picks, strict=True)) for row in rows)


def _sources(layout: Sequence[Sheet], source: str) -> Sequence[_Single]:
    """The cells of the layout that show `source`."""
    return [
        _Single(cells.name, i)
        for sheet in layout for cells in sheet.cells for i, cell in enumerate(cells.cells) if cell.source == source
    ]  # fmt: skip


def _texts(block: BlockSpec, sheet: Sheet) -> tuple[bool, ...]:
    """For each value of a block whether its cell is formatted as text."""
    if isinstance(block, Table):
        return tuple(column.kind.number_format == "@" for column in block.fields)
    if isinstance(block, Line):
        units = block.name == sheet.table(block.table).units_name
        return tuple(units or column.kind.number_format == "@" for column in sheet.table(block.table).fields)
    if isinstance(block, Cells):
        return tuple(cell.style != "value" or cell.kind.number_format == "@" for cell in block.cells)
    return tuple(cell.kind.number_format == "@" for cell in block.cells)


def _stands(placed: Placed, image: Image, key: int | None) -> bool:
    """Whether a block's headers and what was written last are still there."""
    if any(str(image.at(place)).strip() != header for place, header in placed.headers):
        return False
    return not any(run.strange <= _PATIENCE and _other(placed, run, image, key) for run in placed.runs)


def _other(placed: Placed, run: Run, image: Image, key: int | None) -> bool:
    """Whether cells of a run show something else than what was written there, as far as they were read."""
    if not run.shown:
        return False
    seen = image.part(run)
    if seen is not None:
        return seen != run.shown
    at = placed.key_column(key)
    column = image.column(at, run.top, run.bottom) if run.left <= at <= run.right else None
    return column is not None and column != tuple(row[at - run.left] for row in run.shown)


def _learn(placed: Placed, image: Image, key: int | None) -> None:
    """Forget what was written where the sheet shows something else, so that it is written again."""
    for run in placed.runs:
        if _other(placed, run, image, key):
            run.forget()
            run.strange += 1
            placed.last = None
        elif run.strange <= _PATIENCE:
            run.strange = 0


def _differing(run: Run, values: Rows) -> tuple[int, int]:
    """First and last row of the run that must be written."""
    if len(run.given) != len(values):
        return 0, len(values) - 1
    rows = [i for i, (old, new) in enumerate(zip(run.given, values, strict=True)) if old != new]
    return rows[0], rows[-1]


def _a1(row: int, column: int) -> str:
    letters = ""
    while column:
        column, rest = divmod(column - 1, 26)
        letters = chr(65 + rest) + letters
    return f"{letters}{row}"
