"""Conditional formats of DRILLDOWN: a moment that is not now, what was refused, spot among the levels."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from optionscanner.workbook import looks
from optionscanner.workbook.grid import Sheet
from optionscanner.workbook.splice import column_letters

AddFormat = Callable[[dict[str, Any]], Any]
_RUNS_OVER = 9
"""Columns under the words that say the moment."""


def write_drilldown_rules(sheet: Sheet, worksheet: Any, add: AddFormat) -> None:
    """Give the sheet its colours."""
    cells = {cell.source: cell for block in sheet.cells for cell in block.cells}
    said = cells["drill.as_of"]
    place = f"${column_letters(said.column)}${said.row}"
    ranges = f"{column_letters(said.column)}{said.row}:{column_letters(said.column + _RUNS_OVER)}{said.row}"
    for words, look in (
        ("AS OF", {"bg_color": looks.AS_OF, "font_color": "#FFFFFF", "bold": True}),
        ("refused", {"bg_color": looks.LATE, "font_color": looks.INK, "bold": True}),
    ):
        rule = {"type": "formula", "criteria": f'=ISNUMBER(SEARCH("{words}",{place}))', "format": add(look)}
        worksheet.conditional_format(ranges, rule)
    spot = add({"bg_color": looks.AT_THE_MONEY, "bold": True, "top": 1, "bottom": 1})
    for source, cell in cells.items():
        if source.startswith("level.") and source.endswith(".name"):
            first = f"{column_letters(cell.column)}{cell.row}"
            rule = {"type": "formula", "criteria": f'=${first}="SPOT"', "format": spot}
            worksheet.conditional_format(f"{first}:{column_letters(cell.column + 2)}{cell.row}", rule)
