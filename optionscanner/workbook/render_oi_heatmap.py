"""Renders OI_HEATMAP: the day of the chain that DRILLDOWN shows, by quarter hour and strike."""

from __future__ import annotations

import numpy as np

from optionscanner.model.contracts import CALL, PUT, Floats
from optionscanner.model.frame import Block, Cell
from optionscanner.model.open_interest_map import ChainMap
from optionscanner.workbook.formats import Kind
from optionscanner.workbook.layout_oi_heatmap import OI_HEATMAP, QUARTERS, SHOWN, SIDE
from optionscanner.workbook.render_cells import clean_text, clock
from optionscanner.workbook.render_exposure import picked_segment
from optionscanner.workbook.render_view import View, shown

Line = tuple[Cell, ...]

FULL_SHARE = 95.0
"""Per cent of the shown changes that lie within the ends of the colours, so that one huge change hides no other."""


def oi_heatmap_blocks(view: View) -> list[Block]:
    """Blocks of the sheet except its band; blank with the reason where there is nothing to map."""
    segment = picked_segment(view)
    held = view.report.open_interest_map
    atm = int(view.report.pricing.atm_row[segment]) if segment >= 0 else -1
    if segment < 0:
        return _blocks(view, "", "pick a symbol of this source on CONTROL", None)
    key = view.layout.segment_keys[segment]
    name = clean_text(key.underlying)
    title = f"{name} {key.expiry:%d-%b-%y}: OI added in each quarter hour, {view.settings.units.word}"
    if held is None or atm < 0:
        why = "nobody follows open interest through this session" if held is None else "no price yet, so no money"
        return _blocks(view, title, why, None)
    day = held.reindexed(view.layout).chain(segment, view.report.chains.day, view.report.trails)
    change = view.reading("open_interest_change")
    published = clock(float(change["window_time"][segment])) if change is not None else ""
    status = f"OI of {published} IST" if published else "no open interest seen yet"
    middle = atm - int(view.layout.starts[segment])
    return _blocks(view, title, status, day, middle=middle, lot=float(view.layout.segment_lot_size[segment]))


def _blocks(
    view: View, title: str, status: str, day: ChainMap | None, *, middle: int = 0, lot: float = 1.0
) -> list[Block]:
    table = OI_HEATMAP.table("oi_heatmap")
    rows: tuple[Line, ...] = ()
    total: Line = (None,) * len(table.columns)
    strikes: Line = (None,) * (2 * SHOWN)
    full: Cell = None
    if day is not None:
        window = np.arange(middle - SIDE, middle + SIDE + 1)
        inside = (window >= 0) & (window < len(day.strike))
        at = np.where(inside, window, 0)

        def cut(values: Floats) -> Floats:
            """(..., SHOWN, 2) of the shown strikes; NaN where the ladder ends."""
            return np.where(inside[:, None], values[..., at, :], np.nan)

        def cells(values: Floats) -> list[Cell]:
            return shown(Kind.QUANTITY_CHANGE, values, view.settings.units, lot)

        change, of_day = cut(day.change)[:QUARTERS], cut(day.change_of_day)
        times = shown(Kind.TIME, day.begins, view.settings.units, lot)
        spots, money = (shown(Kind.PRICE, v, view.settings.units, lot) for v in (day.spot, day.money))
        rows = tuple(
            (*cells(line[:, CALL]), times[i], spots[i], money[i], *cells(line[:, PUT])) for i, line in enumerate(change)
        )
        total = (*cells(of_day[:, CALL]), "day", None, None, *cells(of_day[:, PUT]))
        listed = shown(Kind.STRIKE, np.where(inside, day.strike[at], np.nan), view.settings.units, lot)
        strikes = (*listed, *listed)
        full = _full(view, change, lot)
    return [
        Block(table.name, rows),
        Block(table.units_name, (view.unit_line(table.fields),)),
        Block("oi_heatmap_day", (total,)),
        Block("oi_heatmap_title", ((title or None,), (status,))),
        Block("oi_heatmap_full", ((full,),)),
        Block("oi_heatmap_strikes", tuple((strike,) for strike in strikes)),
    ]


def _full(view: View, change: Floats, lot: float) -> Cell:
    """Size of a change from which on the colour is full; blank where nothing has changed."""
    sizes = np.abs(change[np.isfinite(change) & (change != 0)])
    if not len(sizes):
        return None
    return shown(Kind.QUANTITY, np.array([np.percentile(sizes, FULL_SHARE)]), view.settings.units, lot)[0]
