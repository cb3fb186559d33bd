"""Conditional formats of HEATMAP: the whole tile in the colour of the number that was picked."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from optionscanner.workbook import looks
from optionscanner.workbook.grid import Cells, Sheet
from optionscanner.workbook.layout_heatmap import GAMMA, PANELS, READINESS, TILE
from optionscanner.workbook.splice import column_letters

AddFormat = Callable[[dict[str, Any]], Any]

UP = ({"bg_color": looks.BULL_TINT}, {"bg_color": looks.BULL_MIDDLE},
      {"bg_color": looks.BULL, "font_color": "#FFFFFF"})  # fmt: skip
DOWN = ({"bg_color": looks.BEAR_TINT}, {"bg_color": looks.BEAR_MIDDLE},
        {"bg_color": looks.BEAR, "font_color": "#FFFFFF"})  # fmt: skip
"""Looks of a number beyond the first, second and third limit; before the first it has none."""
ABSENT = {"bg_color": looks.IDLE, "font_color": looks.IDLE_INK}


def write_heatmap_rules(sheet: Sheet, worksheet: Any, add: AddFormat) -> None:
    """Give the tiles and the limits above them their colours; of two that apply the one written first wins."""
    up, down, absent = [add(look) for look in UP], [add(look) for look in DOWN], add(ABSENT)
    table = sheet.table("heatmap")
    limits = next(cells for cells in sheet.cells if cells.name == "heatmap_limits")
    first, last = table.row + 1, table.last_row
    (given,) = sheet.inputs
    # By its place: LibreOffice repaints at once what speaks of a cell, not what speaks of a name.
    picked = f"${column_letters(given.column)}${given.row}"
    for scale, offset, place in ((GAMMA, 1, 0), (READINESS, 2, 3)):
        chosen = f'{picked}{"=" if scale == READINESS else "<>"}"{READINESS}"'
        for i in range(TILE - 1):
            starts = [table.column + panel * TILE + i for panel in range(PANELS)]
            ranges = " ".join(f"{column_letters(c)}{first}:{column_letters(c)}{last}" for c in starts)
            name, number = f"{column_letters(table.column)}{first}", f"{column_letters(table.column + offset)}{first}"
            for step in (2, 1, 0):
                limit = _place(limits, place + step)
                for sign, look in ((1, up), (-1, down)):
                    # As the regime has it, on the edge of its band it is neutral; a score belongs to the upper band.
                    beyond = ">" if scale == GAMMA and not step else ">="
                    formula = f"=AND({chosen},ISNUMBER({number}),{sign}*N({number}){beyond}{limit})"
                    _rule(worksheet, ranges, formula, look[step])
            _rule(worksheet, ranges, f'=AND({chosen},{name}<>"",ISNUMBER({number})=FALSE)', absent)
        for step in range(3):
            place_of = _place(limits, place + step)
            _rule(worksheet, place_of.replace("$", ""), f"=ISNUMBER({place_of})", up[step])


def _place(cells: Cells, i: int) -> str:
    cell = cells.cells[i]
    return f"${column_letters(cell.column)}${cell.row}"


def _rule(worksheet: Any, ranges: str, formula: str, look: Any) -> None:
    first, *more = ranges.split(" ")
    options = {"type": "formula", "criteria": formula, "format": look, "stop_if_true": True}
    worksheet.conditional_format(first, {**options, **({"multi_range": ranges} if more else {})})
