"""A few cells that say what a workbook shows: by them a copy is compared with what it is a copy of.

`stated` reads them the way the program does, `read_again` with another library, so that a mistake in one is seen.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from io import BytesIO

import openpyxl
from openpyxl.utils.datetime import to_excel

from optionscanner.workbook.book_xml import Area, BookXml, areas, shared_strings
from optionscanner.workbook.package import read_package
from optionscanner.workbook.splice import Position, SheetXml

_DAY_0 = date(1899, 12, 30)
"""Where serial numbers of days count from."""


@dataclass(frozen=True, slots=True)
class Agreed:
    """What a workbook says of itself."""

    day: date | None
    """Of the picture that it shows, by AS_OF; None where it says none."""
    mode: str
    """LIVE, REPLAY or SIMULATED, by RUN_MODE; "" where it says none."""
    rows: Mapping[str, int]
    """table -> rows with something in the first column."""

    def difference(self, other: Agreed) -> str:
        """First thing in which `other` differs, as a half-sentence; "" where all is equal."""
        if (self.day, self.mode) != (other.day, other.mode):
            return f"it says {other.day} {other.mode} where the workbook says {self.day} {self.mode}"
        for name in (*self.rows, *(other.rows.keys() - self.rows.keys())):
            mine, its = self.rows.get(name), other.rows.get(name)
            if mine != its:
                return f"its table {name} has {its} rows where the workbook has {mine}"
        return ""


def stated(data: bytes) -> Agreed:
    """What the workbook file says, by our own reading. Raises WorkbookError where it is none."""
    members = read_package(data)
    book = BookXml.read(members)
    strings = shared_strings(members, book.shared_strings)
    sheets: dict[str, SheetXml] = {}

    def shown(title: str, at: Position) -> str:
        part = book.sheets.get(title, "")
        if part not in members:
            return ""
        if part not in sheets:
            sheets[part] = SheetXml.parse(members[part].unpacked())
        return sheets[part].text(at, strings)

    return _agreed(book.names(), shown)


def read_again(data: bytes) -> tuple[Agreed, list[str]]:
    """What openpyxl finds in the workbook file, and the cells in which it finds a formula."""
    book = openpyxl.load_workbook(BytesIO(data), read_only=True)
    try:
        held: dict[tuple[str, Position], str] = {}
        formulas = []
        for sheet in book.worksheets:
            sheet.reset_dimensions()  # what a sheet says of its size is only a hint, and cells lie beyond it
            for row in sheet.iter_rows():
                for cell in row:
                    if cell.value is None:
                        continue
                    if cell.data_type == "f":
                        formulas.append(f"{sheet.title}!{cell.coordinate}")
                    dated = isinstance(cell.value, date | datetime)
                    value = to_excel(cell.value) if dated else cell.value
                    held[sheet.title, (cell.row, cell.column)] = str(value)
        names = {name.lower(): defined.attr_text or "" for name, defined in book.defined_names.items()}
    finally:
        book.close()
    return _agreed(names, lambda title, at: held.get((title, at), "")), formulas


def _agreed(names: Mapping[str, str], shown: Callable[[str, Position], str]) -> Agreed:
    def area(name: str) -> Area | None:
        found = areas(names.get(name, ""))
        return found[0] if len(found) == 1 else None

    def single(name: str) -> str:
        place = area(name)
        return shown(place.sheet, (place.top, place.left)) if place is not None else ""

    rows = {}
    for name in sorted(names):
        place = area(name) if f"{name}_units" in names else None
        if place is not None:
            cells = [shown(place.sheet, (row, place.left)) for row in range(place.top + 1, place.bottom + 1)]
            rows[name] = sum(bool(text.strip()) for text in cells)
    return Agreed(_day(single("as_of")), single("run_mode"), rows)


def _day(serial: str) -> date | None:
    try:
        return _DAY_0 + timedelta(days=int(float(serial)))
    except (ValueError, OverflowError):
        return None
