"""OI_HEATMAP: what strikes around the money gained or lost in open interest, quarter hour by quarter hour. Data only.

Time runs down, strikes run across: calls on the left, puts on the right, the path of the spot between them. The strikes
stand above the headers, which name places beside the money and never change.
"""

from __future__ import annotations

from optionscanner.workbook.formats import Kind
from optionscanner.workbook.grid import (
    BAND_ROWS,
    Cells,
    Column,
    Line,
    Role,
    Sheet,
    Table,
    Text,
    Value,
    band,
)

SIDE = 8
"""Strikes on each side of the money."""
SHOWN = 2 * SIDE + 1
QUARTERS = 26
"""Lines kept ready: quarter hours of the longest regular session."""

_TITLE_ROW = BAND_ROWS + 1
_LEGEND_ROW = _TITLE_ROW + 1
_STRIKE_ROW = _LEGEND_ROW + 1
_HEADER_ROW = _STRIKE_ROW + 2
_LOW = 14.25
"""Points of the rows below the band: 19 pixels."""


_NARROW = 41 / 7
"""46 pixels: what both sides leave of a screen."""


def _side(side: str, role: Role) -> tuple[Column, ...]:
    letter = side[0].upper()
    return tuple(
        Column(
            f"{letter} ATM" if not k else f"{letter}{k:+d}", _NARROW, f"map.{side}{k + SIDE}", Kind.QUANTITY_CHANGE,
            "", role,
            note=f"{side} of the strike above: open interest added in the quarter hour, less closed; the first line "
            "since the previous close, else since its first observation; blank unless observed in this and the line "
            "before",
        )
        for k in range(-SIDE, SIDE + 1)
    )  # fmt: skip


_COLUMNS = (
    *_side("call", Role.CALL),
    Column("From", 8, "map.time", Kind.TIME, "IST", note="when the quarter hour begins"),
    Column("Spot", 9, "map.spot", Kind.PRICE, "₹", note="newest spot in the quarter hour"),
    Column("Money", 8, "map.money", Kind.STRIKE, "₹", Role.STRIKE,
           note="listed strike nearest to that spot: where the framed path of the spot goes through the map"),
    *_side("put", Role.PUT),
)  # fmt: skip
_WIDTHS = tuple(column.width for column in _COLUMNS)
CALLS, PUTS = 1, SHOWN + 4
"""First column of each side."""
_MIDDLE = SHOWN + 1

_TABLE = Table("oi_heatmap", _HEADER_ROW, 1, _COLUMNS, QUARTERS)

OI_HEATMAP = Sheet(
    name="OI_HEATMAP",
    title="Open interest by time and strike",
    widths=_WIDTHS,
    tables=(_TABLE,),
    lines=(Line("oi_heatmap_day", _TABLE.name, _TABLE.last_row + 1),),
    cells=(
        band("OI_HEATMAP", _WIDTHS),
        Cells("oi_heatmap_title", (
            Value(_TITLE_ROW, 1, "map.title", Kind.TEXT, "tick"),
            Value(_TITLE_ROW, _MIDDLE, "map.status", Kind.TEXT),
        )),
        Cells("oi_heatmap_full", (Value(_LEGEND_ROW, _MIDDLE + 1, "map.full", Kind.QUANTITY),)),
        Cells("oi_heatmap_strikes", tuple(
            Value(_STRIKE_ROW, first + i, f"map.strike{i}", Kind.STRIKE)
            for first in (CALLS, PUTS) for i in range(SHOWN)
        )),
    ),
    texts=(
        Text(_LEGEND_ROW, 1, "Calls: orange added, grey closed. Frame: where the spot was.", "label"),
        Text(_LEGEND_ROW, _MIDDLE, "full at ±", "legend"),
        Text(_LEGEND_ROW, PUTS, "Puts: blue added, grey closed. The symbol and expiry of DRILLDOWN, picked on CONTROL. "
             "Blank: not observed.", "label"),
        Text(_STRIKE_ROW, _MIDDLE + 1, "Strike, ₹", "legend"),
    ),
    freeze=(_HEADER_ROW, 0),
    screen=(_TABLE.last_row + 1, len(_WIDTHS)),
    heights=dict.fromkeys(range(_TITLE_ROW, _TABLE.last_row + 2), _LOW),
    printed=_TABLE.last_row + 1,
)  # fmt: skip
