"""The cells of a worksheet that is being upgraded: found by place, made in order."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator

from lxml import etree

from optionscanner.workbook.splice import Position, column_letters, position
from optionscanner.workbook.upgrade_formulas import rectangles, reference_of
from optionscanner.workbook.upgrade_parts import SHEET_ORDER, Element, child_in_order, children, main


class Cells:
    """Rows and cells of one worksheet."""

    def __init__(self, root: Element) -> None:
        self._root = root
        self._data = child_in_order(root, "sheetData", SHEET_ORDER)
        self._rows: dict[int, Element] = {}
        self._cells: dict[Position, Element] = {}
        number = 0
        for row in children(self._data, "row"):
            number = int(row.get("r") or number + 1)
            self._rows[number] = row
            column = 0
            for cell in children(row, "c"):
                column = position(cell.get("r") or "")[1] if cell.get("r") else column + 1
                self._cells[number, column] = cell

    def __iter__(self) -> Iterator[Position]:
        return iter(list(self._cells))

    def cell(self, at: Position) -> Element | None:
        """The cell as it is, None where the sheet has none."""
        return self._cells.get(at)

    def holds(self, at: Position) -> bool:
        """Whether the cell has a value or a formula."""
        cell = self._cells.get(at)
        return cell is not None and any(cell.find(main(tag)) is not None for tag in ("v", "f", "is"))

    def row(self, number: int) -> Element | None:
        """The row as it is, None where the sheet has none."""
        return self._rows.get(number)

    def put(self, at: Position, cell: Element) -> None:
        """Put a cell at its place, in the stead of one that may be there."""
        row = self._rows.get(at[0])
        if row is None:
            row = etree.Element(main("row"), r=str(at[0]))
            later = sorted(self._rows)
            place = bisect_left(later, at[0])
            self._data.insert(
                self._data.index(self._rows[later[place]]) if place < len(later) else len(self._data), row
            )
            self._rows[at[0]] = row
        row.attrib.pop("spans", None)  # only a hint, and now a wrong one
        cell.set("r", f"{column_letters(at[1])}{at[0]}")
        old = self._cells.get(at)
        if old is not None:
            row.replace(old, cell)
        else:
            later = sorted(column for number, column in self._cells if number == at[0] and column > at[1])
            row.insert(row.index(self._cells[at[0], later[0]]) if later else len(row), cell)
        self._cells[at] = cell

    def grow_dimension(self) -> None:
        """Let the hint about the sheet's size hold all cells."""
        hint = self._root.find(main("dimension"))
        if hint is None or not self._cells:
            return
        top, left, bottom, right = rectangles(hint.get("ref") or "A1")[0]
        rows, columns = [r for r, _ in self._cells], [c for _, c in self._cells]
        whole = (min(top, *rows), min(left, *columns), max(bottom, *rows), max(right, *columns))
        hint.set("ref", reference_of([whole]))


def set_widths(root: Element, widths: dict[int, Element]) -> None:
    """Give columns the width and look of these ``col`` elements; other columns keep theirs."""
    if not widths:
        return
    held = child_in_order(root, "cols", SHEET_ORDER)
    pieces: list[Element] = []
    for known in list(children(held, "col")):
        first, last = int(known.get("min") or 1), int(known.get("max") or 1)
        held.remove(known)
        start = first
        for column in [*sorted(c for c in widths if first <= c <= last), last + 1]:
            if start < column:
                piece = etree.Element(main("col"), dict(known.attrib) | {"min": str(start), "max": str(column - 1)})
                pieces.append(piece)
            start = column + 1
    for column, width in widths.items():
        pieces.append(etree.Element(main("col"), dict(width.attrib) | {"min": str(column), "max": str(column)}))
    for piece in sorted(pieces, key=lambda c: int(c.get("min") or 1)):
        held.append(piece)
