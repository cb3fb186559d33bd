"""HEATMAP: every underlying as a tile on one screen, coloured by its gamma regime or by its readiness. Data only.

A tile is a name with both numbers; the tinted cell says which of them colours it, by rules of the sheet, so the change
is there at once and in every spreadsheet. Tiles never move within a day: indices first, then stocks by name, downward.
"""

from __future__ import annotations

from itertools import chain

from optionscanner.workbook.formats import Kind
from optionscanner.workbook.grid import (
    BAND_ROWS,
    Cells,
    Column,
    Input,
    Sheet,
    Table,
    Text,
    Value,
    band,
    spacer,
)

HEATMAP_SCALE = "HEATMAP_SCALE"
"""Defined name of the cell that picks what colours the tiles."""
GAMMA, READINESS = "GEX", "TRS"
"""What may stand in it; empty: gamma."""
PANELS, TILES = 8, 29
"""Columns of tiles, and tiles in each."""
GAMMA_STEPS = (20.0, 50.0)
"""% of gamma from which a regime is coloured deeper; where it begins is a setting of the engines."""

_TITLE_ROW = BAND_ROWS + 1
_LEGEND_ROW = _TITLE_ROW + 1
_HEADER_ROW = _LEGEND_ROW + 2
_LOW = 14.25
"""Points of the rows below the band: 19 pixels."""


def _panel(number: int) -> tuple[Column, ...]:
    return (
        Column(f"Name {number}", 14, "row.name", Kind.TEXT),
        Column(f"GEX % {number}", 7, "exposure_total.gex_share_pct", Kind.MOVE, "% of gamma"),
        Column(f"TRS {number}", 6, "tile.readiness", Kind.DIRECTED, "▲▼"),
    )


TILE = len(_panel(1)) + 1
"""Columns from one tile to the next."""
_COLUMNS = tuple(chain(*((*_panel(n), spacer(1)) for n in range(1, PANELS + 1))))[:-1]
_WIDTHS = tuple(column.width for column in _COLUMNS)
_PICK = TILE + 2
_LIMITS = 3 * TILE + 1

HEATMAP = Sheet(
    name="HEATMAP",
    title="All names, gamma regime and readiness",
    widths=_WIDTHS,
    tables=(Table("heatmap", _HEADER_ROW, 1, _COLUMNS, TILES),),
    cells=(
        band("HEATMAP", _WIDTHS),
        Cells("heatmap_title", (Value(_TITLE_ROW, _LIMITS, "tile.title", Kind.TEXT),)),
        Cells("heatmap_limits", (
            *(Value(_LEGEND_ROW, _LIMITS + TILE + i, f"tile.gamma{i}", Kind.EXACT) for i in range(3)),
            *(Value(_LEGEND_ROW, _LIMITS + 3 * TILE + i, f"tile.readiness{i}", Kind.EXACT) for i in range(3)),
        )),
    ),
    inputs=(
        Input(HEATMAP_SCALE, _TITLE_ROW, _PICK, Kind.TEXT, GAMMA, choices=(GAMMA, READINESS),
              hint="GEX: gamma exposure, % of gamma. TRS: readiness with its direction. Empty: GEX."),
    ),
    texts=(
        Text(_TITLE_ROW, 1, "Colour by GEX or TRS: pick it in the tinted cell", "caption"),
        Text(_LEGEND_ROW, 1, "GEX + damps moves, - amplifies them. TRS ▲ bullish, ▼ bearish. Grey: no number now, "
             "see EXPOSURE.", "label"),
        Text(_LEGEND_ROW, _LIMITS + TILE - 2, "GEX %, deeper from", "legend"),
        Text(_LEGEND_ROW, _LIMITS + 3 * TILE - 2, "TRS, deeper from", "legend"),
    ),
    freeze=(_HEADER_ROW, 0),
    screen=(_HEADER_ROW + TILES, len(_WIDTHS)),
    heights=dict.fromkeys(range(_TITLE_ROW, _HEADER_ROW + TILES + 1), _LOW),
)  # fmt: skip
