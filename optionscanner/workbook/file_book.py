"""A workbook file as loaded, with every cell of ours found: what `file_host.py` fills with values.

Main entries: `Book`, `plan`, `fit`, `fill`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from optionscanner.model.frame import Block, Cell
from optionscanner.workbook.binding import Binding
from optionscanner.workbook.book_xml import BookXml
from optionscanner.workbook.file_inputs import Given
from optionscanner.workbook.package import Member
from optionscanner.workbook.splice import Position, SheetPlan

Stamp = tuple[int, int, int]
"""(mtime in ns, size, inode): changes whenever somebody else saves the file."""


@dataclass
class LoadedSheet:
    """One sheet of the loaded workbook, ready to be written."""

    plan: SheetPlan
    values: list[Cell]
    blocks: list[tuple[str, int]]
    """(block, where its values begin in `values`)."""


@dataclass
class Book:
    """The workbook as last read or written."""

    stamp: Stamp
    digest: bytes
    members: dict[str, Member]
    xml: BookXml
    binding: Binding
    sheets: dict[str, LoadedSheet] = field(default_factory=dict)
    """part -> sheet."""
    unsaved: dict[str, Member] = field(default_factory=dict)
    """Parts that were made for a picture which did not reach the disk."""
    truncated: set[str] = field(default_factory=set)
    """Tables that could not grow to what they should hold."""
    inputs: Mapping[str, Given] = field(default_factory=dict)
    """What the user's input cells hold."""


def plan(book: Book, part: str) -> None:
    """Cut the sheet at its blocks as they stand now."""
    xml = book.binding.sheets[part]
    targets: dict[Position, int] = {}
    styles: dict[Position, str] = {}
    starts: list[tuple[str, int]] = []
    size = 0
    for block in book.binding.bound.values():
        if block.part != part:
            continue
        starts.append((block.name, size))
        above: list[str | None] = [None] * block.width
        for row in block.places:
            for i, place in enumerate(row):
                if place is not None:
                    targets[place] = size + i
                    # A cell that the file leaves out, or one of a row that a table grew into, looks like the one above.
                    above[i] = xml.style(place) if xml.cell(place) is not None else above[i]
                    styles[place] = above[i] or ""
            size += block.width
    book.sheets[part] = LoadedSheet(SheetPlan(xml, targets, styles), [None] * size, starts)


def fit(book: Book, name: str, block: Block) -> None:
    """Let a table grow to its rows where there is room; remember those that stay cut off."""
    bound = book.binding.bound.get(name)
    if bound is None or len(block.rows) <= len(bound.places):
        if bound is not None:
            book.truncated.discard(name)
        return
    before = len(bound.places)
    if name not in book.truncated and book.binding.grow(name, len(block.rows)) > before and bound.area is not None:
        book.xml.point(name, bound.area)
        book.unsaved[book.xml.part] = book.members[book.xml.part].replaced(book.xml.text.encode("utf-8"))
        plan(book, bound.part)
    if len(bound.places) < len(block.rows):
        book.truncated.add(name)


def fill(values: list[Cell], start: int, block: Block, book: Book) -> None:
    """Copy a block's rows to their place among the sheet's values, blanks below them."""
    bound = book.binding.bound[block.name]
    width, height = bound.width, len(bound.places)
    flat: list[Cell] = []
    for row in block.rows[:height]:
        if len(row) != width:
            raise ValueError(f"block {block.name}: rows of {width} values were expected, got one of {len(row)}")
        flat += row
    flat += [None] * (height * width - len(flat))
    values[start : start + len(flat)] = flat
