"""The user's input cells in a workbook file: read, and put back when the engine must. For `file_host.py`."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

from optionscanner.model.frame import Cell
from optionscanner.workbook.book_xml import Area, BookXml, areas, shared_strings
from optionscanner.workbook.grid import Sheet
from optionscanner.workbook.package import Member
from optionscanner.workbook.splice import Position, SheetPlan, SheetXml

Given = Cell | tuple[Cell, ...]

_DAYS_TO_1970 = 25_569
_KIND = re.compile(r'\st="(\w+)"')


def read_inputs(
    layout: Iterable[Sheet], members: Mapping[str, Member], book: BookXml, sheets: Mapping[str, SheetXml]
) -> dict[str, Given]:
    """Defined name -> what its cell holds, or its column of cells; a name that is gone is left out.

    `sheets`: parts that were read already; the others are read here.
    """
    names, read, strings = book.names(), dict(sheets), shared_strings(members, book.shared_strings)
    found: dict[str, Given] = {}
    for sheet in layout:
        for cell in sheet.inputs:
            area = _area(names.get(cell.name.lower(), ""))
            part = book.sheets.get(area.sheet, "") if area is not None else ""
            if area is None or part not in members:
                continue
            if part not in read:
                read[part] = SheetXml.parse(members[part].unpacked())
            values = tuple(_value(read[part], (row, area.left), strings) for row in range(area.top, area.bottom + 1))
            found[cell.name] = values if cell.height > 1 else values[0]
    return found


def with_inputs(
    values: Mapping[str, Given], members: Mapping[str, Member], book: BookXml
) -> dict[str, Member]:
    """The package with these input cells set; names that it does not have are passed over."""
    names = book.names()
    wanted: dict[str, dict[Position, Cell]] = {}
    for name, given in values.items():
        area = _area(names.get(name.lower(), ""))
        part = book.sheets.get(area.sheet, "") if area is not None else ""
        if area is None or part not in members:
            continue
        cells = given if isinstance(given, tuple) else (given,)
        rows = range(area.top, area.bottom + 1)
        padded = (*cells, *(None for _ in rows))
        wanted.setdefault(part, {}).update({(row, area.left): padded[i] for i, row in enumerate(rows)})
    changed = dict(members)
    for part, cells_of in wanted.items():
        targets = {place: i for i, place in enumerate(cells_of)}
        plan = SheetPlan(SheetXml.parse(members[part].unpacked()), targets, {})
        data, _ = plan.assemble([float(v) if isinstance(v, int) else v for v in cells_of.values()])
        changed[part] = members[part].replaced(data)
    return changed


def _area(reference: str) -> Area | None:
    listed = areas(reference)
    return listed[0] if len(listed) == 1 else None


def _value(sheet: SheetXml, at: Position, strings: Sequence[str]) -> Cell:
    """Number or text of a cell; of a formula what the spreadsheet computed; None where it is empty or an error."""
    text = sheet.text(at, strings)
    cell = sheet.cell(at)
    if cell is None or not text:
        return None
    kind = _KIND.search(cell[: cell.find(">")])
    if kind is not None and kind.group(1) in ("s", "str", "inlineStr"):
        return text
    if kind is not None and kind.group(1) == "e":
        return None
    if kind is not None and kind.group(1) == "d":
        return _serial(text)
    try:
        return float(text)
    except ValueError:
        return text


def _serial(text: str) -> Cell:
    """A date that was saved as text, as the number that a spreadsheet shows."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return text
    seconds = 3600 * moment.hour + 60 * moment.minute + moment.second
    return float(moment.toordinal() - datetime(1970, 1, 1).toordinal() + _DAYS_TO_1970) + seconds / 86_400.0  # noqa: DTZ001
