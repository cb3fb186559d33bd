"""Draws the charts of the template: over fixed blocks whose values the program fills, in the colours of the sheets."""

from __future__ import annotations

from typing import Any

from optionscanner.workbook import looks
from optionscanner.workbook.grid import Sheet
from optionscanner.workbook.layout_exposure import CHART_COLUMN, CHART_PIXELS, CHART_ROW, EXPOSURE
from optionscanner.workbook.layout_index import PICKED
from optionscanner.workbook.splice import column_letters
from optionscanner.workbook.template_charts_drilldown import write_drilldown_charts

_FONT = {"name": looks.FONT, "size": 9, "color": looks.MUTED}


def write_charts(sheet: Sheet, book: Any, worksheet: Any) -> None:
    """Give the sheet its charts: EXPOSURE one of gamma exposure by strike, DRILLDOWN those of one name."""
    if sheet.name == PICKED:
        write_drilldown_charts(book, worksheet)
    if sheet.name != EXPOSURE.name:
        return
    columns = book.add_chart({"type": "column", "subtype": "stacked"})
    for header, source, colour in (
        ("Calls", "ladder.call_gex", looks.CALL), ("Puts", "ladder.put_gex", looks.PUT),
    ):  # fmt: skip
        columns.add_series({
            "name": header, "categories": _reference("ladder.strike"), "values": _reference(source),
            "fill": {"color": colour}, "gap": 30, "overlap": 100,
        })  # fmt: skip
    line = book.add_chart({"type": "line"})
    line.add_series({
        "name": "Net", "categories": _reference("ladder.strike"), "values": _reference("ladder.net_gex"),
        "line": {"color": looks.INK, "width": 1.5},
    })  # fmt: skip
    columns.combine(line)
    # A spreadsheet cannot be relied on to take a title from a cell, so name, spot and flip stand in the cell above.
    columns.set_title({"none": True})
    columns.set_x_axis({"num_font": {**_FONT, "rotation": -90}, "label_position": "low", "text_axis": True})
    columns.set_y_axis({"name": "₹ crore per 1 %", "name_font": {**_FONT, "bold": False}, "num_font": _FONT,
                        "num_format": "#,##0", "major_gridlines": {"visible": True,
                        "line": {"color": looks.LINE}}})  # fmt: skip
    columns.set_legend({"position": "top", "font": _FONT})
    columns.show_blanks_as("gap")
    width, height = CHART_PIXELS
    columns.set_size({"width": width, "height": height})
    worksheet.insert_chart(CHART_ROW - 1, CHART_COLUMN - 1, columns, {"object_position": 2})


def _reference(source: str) -> str:
    table = EXPOSURE.table("exposure_strikes")
    letters = column_letters(table.column_of(source))
    return f"='{EXPOSURE.name}'!${letters}${table.row + 1}:${letters}${table.last_row}"
