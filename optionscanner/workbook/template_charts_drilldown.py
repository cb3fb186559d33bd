"""Draws the charts of DRILLDOWN, each below the cell that is its title, over blocks of fixed size."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from optionscanner.workbook import looks
from optionscanner.workbook.grid import Table
from optionscanner.workbook.layout_drilldown import (
    CHART_PIXELS,
    CHARTS,
    DRILL_STRIKES,
    DRILL_TRAIL,
    DRILLDOWN,
    LOWEST_PIXELS,
)
from optionscanner.workbook.splice import column_letters

_FONT = {"name": looks.FONT, "size": 8, "color": looks.MUTED}
_SECOND = "#7A3E9D"
_VOLUME = "#CBD2D9"
_GRID = {"visible": True, "line": {"color": looks.LINE}}
_TIMES = {"num_font": {**_FONT, "rotation": -45}, "num_format": "hh:mm", "text_axis": True, "interval_unit": 6,
          "interval_tick": 6, "label_position": "low"}  # fmt: skip
_STRIKES = {"num_font": {**_FONT, "rotation": -90}, "text_axis": True, "label_position": "low", "interval_unit": 2}
_MARKS = (
    # header, source, shape, colour
    ("Spot", "mark.spot", "diamond", looks.INK),
    ("Flip", "mark.flip", "triangle", _SECOND),
    ("Call wall", "mark.call_wall", "square", looks.CALL),
    ("Put wall", "mark.put_wall", "square", looks.PUT),
)


def write_drilldown_charts(book: Any, worksheet: Any) -> None:
    """Give the sheet its ten charts."""
    drawn = {
        "price": _price(book),
        "open_interest": _sides(book, "open_interest"),
        "change": _sides(book, "added"),
        "gex": _gex(book),
        "smile": _smile(book),
        "straddle": _straddle(book),
        "dex": _net(book, "drill.dex"),
        "vex": _net(book, "drill.vex"),
        "cex": _net(book, "drill.cex"),
        "pain": _pain(book),
    }
    for place in CHARTS:
        chart = drawn[place.name]
        chart.set_title({"none": True})
        chart.set_legend({"position": "top", "font": _FONT})
        # Five minutes without a picture are passed over; those to come stay open.
        chart.show_blanks_as("span" if place.name in ("price", "straddle") else "gap")
        # The columns that the charts draw may be folded away.
        chart.show_hidden_data()
        height = LOWEST_PIXELS if place in CHARTS[4:6] else CHART_PIXELS[1]
        chart.set_size({"width": CHART_PIXELS[0], "height": height})
        chart.set_chartarea({"border": {"color": looks.LINE}})
        worksheet.insert_chart(place.row, place.column - 1, chart, {"object_position": 2, "x_offset": 3})


def _reference(table: Table, source: str) -> str:
    letters = column_letters(table.column_of(source))
    return f"='{DRILLDOWN.name}'!${letters}${table.row + 1}:${letters}${table.last_row}"


def _series(table: Table, name: str, source: str, look: dict[str, Any]) -> dict[str, Any]:
    categories = "trail.at" if table is DRILL_TRAIL else "chain.strike"
    return {"name": name, "categories": _reference(table, categories), "values": _reference(table, source), **look}


def _lines(book: Any, table: Table, lines: Sequence[tuple[str, str, str]], *, second: bool = False) -> Any:
    """A line chart; each line by name, source and colour, on the second axis if asked for."""
    chart = book.add_chart({"type": "line"})
    for name, source, colour in lines:
        look = {"line": {"color": colour, "width": 1.25}, "y2_axis": second}
        chart.add_series(_series(table, name, source, look))
    return chart


def _axis(number_format: str, **more: Any) -> dict[str, Any]:
    return {"num_font": _FONT, "num_format": number_format, "major_gridlines": _GRID, **more}


def _price(book: Any) -> Any:
    """Volume as columns, the prices as lines before them."""
    chart = book.add_chart({"type": "column"})
    volume = {"fill": {"color": _VOLUME}, "border": {"none": True}, "gap": 20}
    chart.add_series(_series(DRILL_TRAIL, "Volume (left)", "trail.volume", {**volume, "y2_axis": False}))
    prices = (("Spot", "price.spot", looks.PUT), ("Future", "build_up.future_price", looks.INK),
              ("VWAP", "build_up.future_vwap", looks.CALL))  # fmt: skip
    lines = _lines(book, DRILL_TRAIL, prices, second=True)
    chart.combine(lines)
    chart.set_x_axis(_TIMES)
    chart.set_y_axis({**_axis("#,##0.##"), "major_gridlines": {"visible": False}})
    lines.set_y2_axis(_axis("#,##0"))
    return chart


def _sides(book: Any, what: str) -> Any:
    chart = book.add_chart({"type": "column"})
    for name, side, colour in (("Calls", "call", looks.CALL), ("Puts", "put", looks.PUT)):
        look = {"fill": {"color": colour}, "gap": 40, "overlap": 0}
        chart.add_series(_series(DRILL_STRIKES, name, f"{side}.{what}", look))
    chart.set_x_axis(_STRIKES)
    chart.set_y_axis(_axis("#,##0.##"))
    return chart


def _gex(book: Any) -> Any:
    """Both sides stacked, the sum as a line, spot, flip and walls as marks on the axis."""
    chart = book.add_chart({"type": "column", "subtype": "stacked"})
    for name, side, colour in (("Calls", "call", looks.CALL), ("Puts", "put", looks.PUT)):
        look = {"fill": {"color": colour}, "gap": 30, "overlap": 100}
        chart.add_series(_series(DRILL_STRIKES, name, f"{side}.gex", look))
    marks = _lines(book, DRILL_STRIKES, (("Net", "drill.gex", looks.INK),))
    for name, source, shape, colour in _MARKS:
        mark = {"type": shape, "size": 8, "fill": {"color": colour}, "border": {"color": "#FFFFFF"}}
        marks.add_series(_series(DRILL_STRIKES, name, source, {"line": {"none": True}, "marker": mark}))
    chart.combine(marks)
    chart.set_x_axis(_STRIKES)
    chart.set_y_axis(_axis("#,##0"))
    return chart


def _smile(book: Any) -> Any:
    lines = (("now", "drill.volatility", looks.INK), ("at open", "drill.volatility_open", looks.CALL))
    chart = _lines(book, DRILL_STRIKES, lines)
    chart.set_x_axis(_STRIKES)
    chart.set_y_axis(_axis("0"))
    return chart


def _straddle(book: Any) -> Any:
    first = (("Straddle", "price.straddle", looks.INK), ("its VWAP", "straddle.vwap", looks.CALL))
    chart = _lines(book, DRILL_TRAIL, first)
    ratio = _lines(book, DRILL_TRAIL, (("PCR (right)", "open_interest.put_call_ratio", _SECOND),), second=True)
    chart.combine(ratio)
    chart.set_x_axis(_TIMES)
    chart.set_y_axis(_axis("#,##0.##"))
    ratio.set_y2_axis({**_axis("0.00"), "major_gridlines": {"visible": False}})
    return chart


def _net(book: Any, source: str) -> Any:
    chart = book.add_chart({"type": "column"})
    negative = {"invert_if_negative": True, "invert_if_negative_color": looks.CALL}
    chart.add_series(
        _series(DRILL_STRIKES, "Net, calls and puts", source, {"fill": {"color": looks.PUT}, "gap": 30, **negative})
    )
    chart.set_x_axis(_STRIKES)
    chart.set_y_axis(_axis("#,##0.#"))
    return chart


def _pain(book: Any) -> Any:
    chart = _lines(book, DRILL_STRIKES, (("Payout of calls and puts", "drill.pain", looks.INK),))
    chart.set_x_axis(_STRIKES)
    chart.set_y_axis(_axis("#,##0"))
    return chart
