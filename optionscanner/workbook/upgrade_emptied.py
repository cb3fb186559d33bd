"""Empties the blocks of a sheet that is not filled any more, so that nobody takes them for numbers of now."""

from __future__ import annotations

from collections.abc import Sequence

from lxml import etree

from optionscanner.workbook.book_xml import Area
from optionscanner.workbook.upgrade_book import Book
from optionscanner.workbook.upgrade_grid import Cells
from optionscanner.workbook.upgrade_parts import children, main


def emptied(book: Book, sheet: str, areas: Sequence[Area], words: str) -> None:
    """Take the values out of cells of ours and say why in the first of them; looks and formulas stay.

    Headers of tables are text like any other of ours and go as well.
    """
    cells = Cells(book.sheet_xml(sheet, change=True))
    places = sorted(
        {(row, column) for a in areas for row in range(a.top, a.bottom + 1) for column in range(a.left, a.right + 1)}
    )
    for at in places:
        cell = cells.cell(at)
        if cell is None or cell.find(main("f")) is not None:
            continue
        for child in [*children(cell, "v"), *children(cell, "is")]:
            cell.remove(child)
        cell.attrib.pop("t", None)
        if at == places[0]:
            cell.set("t", "inlineStr")
            etree.SubElement(etree.SubElement(cell, main("is")), main("t")).text = words
