"""Renders HEATMAP: a tile of each underlying, indices first, then stocks by name."""

from __future__ import annotations

import numpy as np

from optionscanner.model.exposures import CONVENTIONS
from optionscanner.model.frame import Block, Cell
from optionscanner.workbook.formats import Kind
from optionscanner.workbook.layout_heatmap import GAMMA_STEPS, HEATMAP, PANELS, TILES
from optionscanner.workbook.layout_index import INDICES
from optionscanner.workbook.render_cells import clock, plain
from optionscanner.workbook.render_view import View, shown

Tile = tuple[Cell, ...]
_BLANK: Tile = (None, None, None)


def heatmap_blocks(view: View) -> list[Block]:
    """Blocks of the sheet except its band."""
    table = HEATMAP.table("heatmap")
    tiles = _tiles(view)
    held = [*tiles[: PANELS * TILES], *[_BLANK] * (PANELS * TILES - len(tiles))]
    rows = tuple(tuple(cell for tile in held[i::TILES] for cell in tile) for i in range(TILES))
    bands = view.settings.bands
    limits = (view.settings.exposure.neutral_pct, *GAMMA_STEPS, bands.small, bands.normal, bands.aggressive)
    return [
        Block(table.name, rows),
        Block(table.units_name, (view.unit_line(table.fields),)),
        Block("heatmap_title", ((_title(view, len(tiles)),),)),
        Block("heatmap_limits", tuple((limit,) for limit in limits)),
    ]


def _tiles(view: View) -> list[Tile]:
    """A tile of each name; one whose numbers are stale has none."""
    names = view.names
    others = sorted(set(names) - set(INDICES), key=lambda n: (not view.layout.is_index[view.position[n]], n))
    at = [view.position[name] for name in (*(n for n in INDICES if n in view.position), *others)]
    signs = {"BULLISH": 1.0, "BEARISH": -1.0}
    directions = view.column("readiness.direction")
    score = view.column("readiness.readiness").astype(float) * [signs.get(str(d), 1.0) for d in directions]
    share = view.column("exposure_total.gex_share_pct").astype(float)
    fresh = np.append(~view.stale[:-1], False)
    columns = [
        shown(kind, np.where(fresh, values, np.nan), view.settings.units, 1.0)
        for kind, values in ((Kind.MOVE, share), (Kind.DIRECTED, score))
    ]
    return [(plain(names[i]), columns[0][i], columns[1][i]) for i in at]


def _title(view: View, tiles: int) -> str:
    """How many names, as of when, and whose convention; what has no room is counted."""
    left = max(tiles - PANELS * TILES, 0)
    sign = CONVENTIONS[view.settings.exposure.gex_sign]
    known = f"{tiles - left} names" + (f", {left} more have no room" if left else "")
    return f"{known}, {clock(view.report.as_of)} IST.  {sign}"
