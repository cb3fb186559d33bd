"""Which columns tables of the template have that the user's tables have not."""

from __future__ import annotations

from collections.abc import Mapping

from optionscanner.workbook.book_xml import Area, shared_strings
from optionscanner.workbook.splice import SheetXml
from optionscanner.workbook.upgrade_book import Book


def new_columns(
    book: Book, source: Book, groups: Mapping[str, Mapping[str, list[Area]]], places: Mapping[str, list[Area]]
) -> dict[str, list[str]]:
    """table -> headers that only the template has, in its order; tables without such are absent."""
    ours, theirs = _Headers(source), _Headers(book)
    found = {}
    for group in groups.values():
        for name, areas in group.items():
            there = places.get(name.lower(), [])
            # A table is a name with a unit line of its own.
            if f"{name}_units" not in group or len(areas) != 1 or len(there) != 1:
                continue
            have = theirs.of(there[0])
            headers = [h for h in dict.fromkeys(ours.of(areas[0])) if h and h not in have]
            if headers:
                found[name] = headers
    return found


class _Headers:
    """Reads header lines of one workbook."""

    def __init__(self, book: Book) -> None:
        self._book = book
        members = book.parts.members
        self._strings = shared_strings(members, book.parts.related(book.part, "sharedStrings"))
        self._sheets: dict[str, SheetXml] = {}

    def of(self, table: Area) -> list[str]:
        """Texts of the table's first line."""
        if table.sheet not in self._sheets:
            data = self._book.parts.members[self._book.sheets[table.sheet]].unpacked()
            self._sheets[table.sheet] = SheetXml.parse(data)
        sheet = self._sheets[table.sheet]
        return [sheet.text((table.top, c), self._strings).strip() for c in range(table.left, table.right + 1)]
