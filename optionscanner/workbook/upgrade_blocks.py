"""Puts new blocks of the template onto a sheet of ours that the user already has, where their cells are empty.

With a block come its header, the fixed words beside it, its looks, its conditional formats, its validations and its
sparklines. Charts and notes of a sheet that is already there are not added.
"""

from __future__ import annotations

import uuid
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from lxml import etree

from optionscanner.workbook.book_xml import Area
from optionscanner.workbook.splice import Position
from optionscanner.workbook.upgrade_book import Book
from optionscanner.workbook.upgrade_formulas import Rectangle, common, moved, rectangles, reference_of
from optionscanner.workbook.upgrade_grid import Cells, set_widths
from optionscanner.workbook.upgrade_parts import SHEET_ORDER, Element, child_in_order, children, copied, counted, main
from optionscanner.workbook.upgrade_sheets import SheetCopier

_X14 = "http://schemas.microsoft.com/office/spreadsheetml/2009/9/main"
_XM = "http://schemas.microsoft.com/office/excel/2006/main"
_NEAR = 4
"""Cells within which fixed words belong to a block."""


@dataclass
class Piece:
    """Blocks that stand together and are added together or not at all."""

    areas: dict[str, list[Area]]
    """name -> areas in the template."""
    offset: Position = (0, 0)
    """By how many rows and columns the user's sheet has moved."""
    words: list[Position] = field(default_factory=list)
    """Cells around it that belong to it, in the template."""

    @property
    def rectangles(self) -> list[Rectangle]:
        """Areas of all names."""
        return [(a.top, a.left, a.bottom, a.right) for places in self.areas.values() for a in places]

    @property
    def cells(self) -> set[Position]:
        """Cells of all names, in the template."""
        return {p for rectangle in self.rectangles for p in within(rectangle)}


def within(rectangle: Rectangle) -> Iterable[Position]:
    """Cells of a rectangle."""
    top, left, bottom, right = rectangle
    return ((row, column) for row in range(top, bottom + 1) for column in range(left, right + 1))


def plus(at: Position, offset: Position) -> Position:
    """The place moved."""
    return at[0] + offset[0], at[1] + offset[1]


def pieces_of(new: Mapping[str, list[Area]]) -> list[Piece]:
    """New names that touch each other, put together: a table and its unit line, its totals."""
    pieces: list[Piece] = []
    for name, places in new.items():
        piece = Piece({name: places})
        around = {plus(cell, (row, column)) for cell in piece.cells for row in (-1, 0, 1) for column in (0,)}
        touching = [known for known in pieces if around & known.cells]
        for known in touching:
            piece.areas = {**known.areas, **piece.areas}
            pieces.remove(known)
        pieces.append(piece)
    return pieces


def give_words(pieces: list[Piece], others: set[Position], template: Cells) -> None:
    """Hand each cell of the template that is in no block to the piece next to it, where none of `others` is nearer."""
    ours = [piece.cells for piece in pieces]
    for at in template:
        near = [(_distance(at, cells), number) for number, cells in enumerate(ours)]
        least, number = min(near)
        if 0 < least <= _NEAR and at not in others and _distance(at, others) > least:
            pieces[number].words.append(at)


def _distance(at: Position, cells: set[Position]) -> int:
    """Cells between, row- or column-wise, whichever is more; more than near for all that is far."""
    row, column = at
    for reach in range(_NEAR + 1):
        ring = {(row + r, column + c) for r in range(-reach, reach + 1) for c in range(-reach, reach + 1)
                if max(abs(r), abs(c)) == reach}  # fmt: skip
        if ring & cells:
            return reach
    return _NEAR + 1


def usual_offset(template: Mapping[str, list[Area]], user: Mapping[str, list[Area]], sheet: str) -> Position:
    """By how much most of the blocks that both have stand elsewhere on the user's sheet."""
    moves = Counter(
        (there[0].top - here[0].top, there[0].left - here[0].left)
        for name, here in template.items()
        if (there := user.get(name.lower())) and there[0].sheet == sheet
    )
    return moves.most_common(1)[0][0] if moves else (0, 0)


class BlockAdder:
    """Adds pieces to one sheet of the user's."""

    def __init__(self, template: Book, title: str, into: Book, sheet: str, copier: SheetCopier) -> None:
        self._template_root = template.sheet_xml(title)
        self._template = Cells(self._template_root)
        self._into = into
        self._sheet = sheet
        self._copier = copier
        self._root = into.sheet_xml(sheet)
        self._cells = Cells(self._root)

    @property
    def template_cells(self) -> Cells:
        """Cells of the template's sheet."""
        return self._template

    def in_the_way(self, piece: Piece, taken: set[Position]) -> Position | None:
        """First cell of the user's sheet that a piece would need and that is in use; None where it fits."""
        for at in sorted(piece.cells):
            place = plus(at, piece.offset)
            if place in taken or self._cells.holds(place) or min(place) < 1:
                return place
        return None

    def row_in_use(self, row: int, columns: Iterable[int]) -> bool:
        """Whether any of these cells of a row of the user's sheet holds something."""
        return any(self._cells.holds((row, column)) for column in columns)

    def add(self, piece: Piece) -> None:
        """Put the piece on the sheet and let its names point there."""
        self._into.sheet_xml(self._sheet, change=True)
        for at in [*sorted(piece.cells), *piece.words]:
            place, cell = plus(at, piece.offset), self._template.cell(at)
            if cell is None or (at in piece.words and (self._cells.holds(place) or min(place) < 1)):
                continue
            self._cells.put(place, self._translated(cell, piece.offset))
        self._widths(piece)
        self._heights(piece)
        self._cells.grow_dimension()
        self._rules(piece)
        self._validations(piece)
        self._extensions(piece)
        for name, places in piece.areas.items():
            self._into.point(name, [self.moved_area(area, piece.offset) for area in places])

    def moved_area(self, area: Area, offset: Position) -> Area:
        """Where an area of the template lies on the user's sheet."""
        top, left = plus((area.top, area.left), offset)
        bottom, right = plus((area.bottom, area.right), offset)
        return Area(self._sheet, top, left, bottom, right)

    def _translated(self, element: Element, offset: Position) -> Element:
        """A copy in the looks and words of the user's workbook."""
        holder = etree.Element(main("holder"))
        holder.append(copied(element))
        self._copier.translate(holder)
        for formula in holder.iter(main("f")):
            formula.text = moved(formula.text or "", absolute=offset, relative=offset)
        return holder[0]

    def _widths(self, piece: Piece) -> None:
        """Columns that hold nothing yet get the template's widths."""
        mine = {plus(at, piece.offset) for at in piece.cells | set(piece.words)}
        ours = {column for _, column in mine}
        foreign = {column for row, column in self._cells if (row, column) not in mine
                   and self._cells.holds((row, column))}  # fmt: skip
        widths = {}
        for entry in children(child_in_order(self._template_root, "cols", SHEET_ORDER), "col"):
            for column in range(int(entry.get("min") or 1), int(entry.get("max") or 1) + 1):
                there = column + piece.offset[1]
                if there in ours - foreign:
                    widths[there] = self._translated(entry, piece.offset)
        set_widths(self._root, widths)

    def _heights(self, piece: Piece) -> None:
        for row in sorted({at[0] for at in piece.cells}):
            given, there = self._template.row(row), self._cells.row(row + piece.offset[0])
            if given is not None and there is not None and given.get("customHeight") and there.get("ht") is None:
                there.set("ht", given.get("ht") or "15")
                there.set("customHeight", "1")

    def _shared(self, reference: str, piece: Piece) -> tuple[str, Position] | None:
        """Part of a rule's ranges that lies in the piece, moved, and by how much its first cell moved."""
        ranges = rectangles(reference)
        found = [both for own in piece.rectangles for one in ranges if (both := common(own, one)) is not None]
        if not found:
            return None
        found = sorted(set(found), key=lambda r: (r[1], r[0]))
        shifted = [(*plus(r[:2], piece.offset), *plus(r[2:], piece.offset)) for r in found]
        first = shifted[0]
        return reference_of(shifted), (first[0] - ranges[0][0], first[1] - ranges[0][1])

    def _rules(self, piece: Piece) -> None:
        """Classic conditional formats; the newest come last in order of precedence."""
        last = max((int(rule.get("priority") or 0) for rule in self._root.iter(main("cfRule"))), default=0)
        for given in children(self._template_root, "conditionalFormatting"):
            shared = self._shared(given.get("sqref") or "", piece)
            if shared is None:
                continue
            made = self._translated(given, (0, 0))
            made.set("sqref", shared[0])
            for rule in children(made, "cfRule"):
                last += 1
                rule.set("priority", str(last))
            self._shift(made, piece, shared[1])
            _behind(self._root, made)

    def _shift(self, made: Element, piece: Piece, relative: Position) -> None:
        for element in made.iter():
            if not isinstance(element.tag, str):
                continue
            name = etree.QName(element).localname
            if name in ("formula", "formula1", "formula2", "f") and element.text:
                element.text = moved(element.text, absolute=piece.offset, relative=relative)
            elif name == "cfvo" and element.get("type") == "formula" and element.get("val"):
                element.set("val", moved(element.get("val") or "", absolute=piece.offset, relative=relative))
            elif name == "id" and (element.text or "").startswith("{"):
                element.text = self._identity(element.text or "")
            elif name == "cfRule" and (element.get("id") or "").startswith("{"):
                element.set("id", self._identity(element.get("id") or ""))

    def _identity(self, given: str) -> str:
        """Another identity for a rule in two halves, the same for both, that no rule of the sheet has."""
        return f"{{{str(uuid.uuid5(uuid.NAMESPACE_OID, f'{self._sheet}{given}')).upper()}}}"

    def _validations(self, piece: Piece) -> None:
        given = self._template_root.find(main("dataValidations"))
        for rule in () if given is None else children(given, "dataValidation"):
            shared = self._shared(rule.get("sqref") or "", piece)
            if shared is None:
                continue
            made = self._translated(rule, (0, 0))
            made.set("sqref", shared[0])
            self._shift(made, piece, shared[1])
            held = child_in_order(self._root, "dataValidations", SHEET_ORDER)
            held.append(made)
            counted(held)

    def _extensions(self, piece: Piece) -> None:
        """Bars of the newer kind, and sparklines."""
        for extension in self._template_root.iterfind(f"{main('extLst')}/{main('ext')}"):
            for group in extension:
                if not isinstance(group.tag, str):
                    continue
                for given in group:
                    made = self._of_piece(given, piece) if isinstance(given.tag, str) else None
                    if made is not None:
                        self._extension(extension, group).append(made)

    def _of_piece(self, given: Element, piece: Piece) -> Element | None:
        """A rule or sparkline group with what lies in the piece, None where nothing does."""
        made = self._translated(given, (0, 0))
        lines = made.find(f"{{{_X14}}}sparklines")
        if lines is None:
            where = made.find(f"{{{_XM}}}sqref")
            shared = self._shared(where.text or "", piece) if where is not None else None
            if where is None or shared is None:
                return None
            where.text = shared[0]
            self._shift(made, piece, shared[1])
            return made
        for line in list(lines):
            where = line.find(f"{{{_XM}}}sqref")
            shared = self._shared(where.text or "", piece) if where is not None else None
            if where is None or shared is None:
                lines.remove(line)
                continue
            where.text = shared[0]
        return made if len(lines) else None

    def _extension(self, like: Element, group: Element) -> Element:
        """The user's list of this kind, made where there is none."""
        held = child_in_order(self._root, "extLst", SHEET_ORDER)
        for extension in held:
            if extension.get("uri") == like.get("uri") and len(extension):
                return extension[0]
        extension = etree.SubElement(held, main("ext"), {"uri": like.get("uri") or ""}, nsmap={"x14": _X14})
        return etree.SubElement(extension, group.tag, dict(group.attrib))


def _behind(root: Element, made: Element) -> None:
    """Put a conditional format behind those that are there."""
    present = list(children(root, "conditionalFormatting"))
    if present:
        present[-1].addnext(made)
        return
    place = child_in_order(root, "conditionalFormatting", SHEET_ORDER)
    root.replace(place, made)
