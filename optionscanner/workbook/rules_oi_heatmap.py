"""Conditional formats of OI_HEATMAP: one colour scale for calls, one for puts, and the path of the spot."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from optionscanner.workbook import looks
from optionscanner.workbook.grid import Sheet
from optionscanner.workbook.layout_oi_heatmap import CALLS, PUTS, SHOWN
from optionscanner.workbook.splice import column_letters

AddFormat = Callable[[dict[str, Any]], Any]


def write_oi_heatmap_rules(sheet: Sheet, worksheet: Any, add: AddFormat) -> None:
    """Give the map its colours: both sides share the ends that stand above, so that they compare."""
    table = sheet.table("oi_heatmap")
    cells = {cell.source: cell for block in sheet.cells for cell in block.cells}
    full, money = cells["map.full"], column_letters(table.column_of("map.money"))
    end = f"MAX(N(${column_letters(full.column)}${full.row}),0.000001)"
    strikes = cells["map.strike0"].row
    first, last = table.row + 1, table.last_row
    path = add({"bold": True, "border": 1, "border_color": looks.INK})
    for column, colour in ((CALLS, looks.CALL_BAR), (PUTS, looks.PUT_BAR)):
        letters, end_letters = column_letters(column), column_letters(column + SHOWN - 1)
        ranges = f"{letters}{first}:{end_letters}{last}"
        here = f"AND(ISNUMBER(${money}{first}),{letters}${strikes}=${money}{first})"
        worksheet.conditional_format(ranges, {"type": "formula", "criteria": f"={here}", "format": path})
        worksheet.conditional_format(ranges, {
            "type": "3_color_scale",
            "min_type": "formula", "min_value": f"=-{end}", "min_color": looks.CLOSED,
            "mid_type": "num", "mid_value": 0, "mid_color": "#FFFFFF",
            "max_type": "formula", "max_value": f"={end}", "max_color": colour,
        })  # fmt: skip
