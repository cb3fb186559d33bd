"""Writes the cells that a user types into: tinted, unlocked, validated, named. Main entry: `write_inputs`."""

from __future__ import annotations

from collections.abc import Callable
from datetime import time
from typing import Any

from optionscanner.workbook import looks
from optionscanner.workbook.formats import Kind
from optionscanner.workbook.grid import Input, Sheet
from optionscanner.workbook.layout import SHEETS
from optionscanner.workbook.splice import Position, column_letters

TINT = "#FFF8DC"
"""Fill of a cell that the user may type into."""

_LOOK: looks.Look = {
    "bg_color": TINT, "border": 1, "border_color": looks.STRONG_LINE, "locked": False, "align": "left", "indent": 1,
}  # fmt: skip
_LONGEST_TITLE, _LONGEST_MESSAGE = 32, 255


def write_inputs(
    sheet: Sheet,
    worksheet: Any,
    *,
    format_of: Callable[[looks.Look], Any],
    define: Callable[[str, Sheet, Position, Position], None],
) -> None:
    """Give the sheet its input cells; the sheet itself is not protected."""
    for cell in sheet.inputs:
        look = format_of({**looks.value(cell.kind), **_LOOK})
        first, last = (cell.row - 1, cell.column - 1), (cell.row + cell.height - 2, cell.column - 1)
        for row in range(first[0], last[0] + 1):
            if cell.default is None:
                worksheet.write_blank(row, first[1], None, look)
            else:
                worksheet.write(row, first[1], cell.default, look)
        worksheet.data_validation(*first, *last, _validation(cell))
        define(cell.name, sheet, (cell.row, cell.column), (cell.row + cell.height - 1, cell.column))


def _column(table: str, source: str) -> str:
    """Reference to the body of a table's column."""
    sheet = next(sheet for sheet in SHEETS if any(one.name == table for one in sheet.tables))
    found = sheet.table(table)
    letters = column_letters(found.column_of(source))
    return f"='{sheet.name}'!${letters}${found.row + 1}:${letters}${found.last_row}"


def _validation(cell: Input) -> dict[str, Any]:
    """What the spreadsheet lets the user type, and what it says beside the cell."""
    said = {"input_title": cell.name[:_LONGEST_TITLE], "input_message": cell.hint[:_LONGEST_MESSAGE]}
    if cell.choices:
        allowed = ", ".join(cell.choices)
        return {
            "validate": "list", "source": list(cell.choices), **said,
            "error_title": "Choose from the list", "error_message": f"Allowed here: {allowed}."[:_LONGEST_MESSAGE],
        }  # fmt: skip
    if cell.offers is not None:
        # Names are offered; whether one that is typed exists is for the program to say, which knows its source.
        return {"validate": "list", "source": _column(*cell.offers), "show_error": False, **said}
    if cell.kind is Kind.TIME:
        return {
            "validate": "time", "criteria": "between", "minimum": time(0, 0), "maximum": time(23, 59, 59), **said,
            "error_title": "A time of day", "error_message": "Type a time such as 14:30, or empty the cell.",
        }  # fmt: skip
    if cell.least is None:
        return {"validate": "any", **said}
    if cell.most is None:
        limits: dict[str, Any] = {"criteria": ">=", "value": cell.least}
        words = f"from {cell.least:g}"
    else:
        limits = {"criteria": "between", "minimum": cell.least, "maximum": cell.most}
        words = f"from {cell.least:g} to {cell.most:,.10g}"
    return {
        "validate": "decimal", **limits, **said,
        "error_title": "A number", "error_message": f"Type a number {words}, or empty the cell.",
    }  # fmt: skip
