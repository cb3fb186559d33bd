"""Renders OI_TRACKER: each half from its own underlying alone, so that one without data leaves the other as it is."""

from __future__ import annotations

import math

import numpy as np

from optionscanner.model.contracts import CALL, PUT, Floats
from optionscanner.model.frame import Block, Cell
from optionscanner.workbook.layout_oi_tracker import HALVES, LADDER, SHOWN, SIDE, Half
from optionscanner.workbook.render_cells import clock
from optionscanner.workbook.render_view import View, shown

Columns = dict[str, Floats]


def tracker_blocks(view: View) -> list[Block]:
    """Blocks of the sheet except its band."""
    return [
        block
        for half, name in zip(HALVES, view.settings.tracked, strict=True)
        for block in half_blocks(view, half, name)
    ]


def half_blocks(view: View, half: Half, name: str) -> list[Block]:
    """Blocks of one half; blank with the reason where the source does not have its underlying."""
    u = view.position.get(name, -1)
    segment = int(view.front[u]) if u >= 0 else -1
    title, head, limits = half.cells
    units = _unit_line(view, segment)
    rows, total = _ladder(view, segment) if segment >= 0 else ((), ((None,) * len(LADDER),))
    said = _title(view, name, u, segment)
    return [
        Block(title.name, tuple((said[cell.source] or None,) for cell in title.cells)),
        Block(head.name, tuple((view.cells(cell.source, cell.kind)[u],) for cell in head.cells)),
        Block(limits.name, tuple((_limit(view, cell.source),) for cell in limits.cells)),
        Block(half.chain.name, rows),
        Block(half.chain.units_name, (units,)),
        Block(f"{half.name}_total", total),
    ]


def _title(view: View, name: str, u: int, segment: int) -> dict[str, str]:
    """What stands above the ladder; the status says what is wrong, first of all that there is nothing."""
    if u < 0:
        absent = f"{name} is not in this source ({view.report.session.label}): this half stays blank"
        return {"tracked.title": name, "tracked.status": absent, "tracked.time": ""}
    if segment < 0:
        return {"tracked.title": name, "tracked.status": f"no options of {name} are listed", "tracked.time": ""}
    status = str(view.column("row.status")[u])
    expiry = view.layout.segment_keys[segment].expiry
    change = view.reading("open_interest_change")
    time = clock(float(change["window_time"][segment])) if change is not None else ""
    return {
        "tracked.title": f"{name} {expiry:%d-%b-%y}",
        "tracked.status": status or "live",
        "tracked.time": f"OI of {time}" if time else "",
    }


def _limit(view: View, source: str) -> Cell:
    """% beyond which a window's change is marked; blank where none is."""
    limits = dict(zip((3, 5, 10, 15, 30), view.settings.window_limits, strict=True))
    limit = limits[int(source.partition(".")[2])]
    return limit if limit > 0 else None


def _unit_line(view: View, segment: int) -> tuple[Cell, ...]:
    """Units; above a window that is not covered, from when it will be."""
    words = list(view.unit_line(LADDER))
    change = view.reading("open_interest_change")
    if segment < 0 or change is None:
        return tuple(words)
    since = str(change["day_since"][segment])
    for i, column in enumerate(LADDER):
        what = column.source.partition(".")[2]
        if what == "pct_day" and since:
            words[i] = f"% {since}"
        minutes = what.removeprefix("pct_")
        if minutes.isdigit():
            covered = float(change[f"from_{minutes}"][segment])
            if math.isfinite(covered):
                words[i] = f"from {clock(covered)[:5]}"
    return tuple(words)


def _ladder(view: View, segment: int) -> tuple[tuple[tuple[Cell, ...], ...], tuple[tuple[Cell, ...], ...]]:
    """Rows around the money, and the line of sums under them."""
    layout = view.layout
    start, end = int(layout.starts[segment]), int(layout.ends[segment])
    atm, count = int(view.report.pricing.atm_row[segment]), 2 * SIDE + 1
    # At the ladder's edge the window slides inward, so that it stays full where the ladder is long enough.
    first = min(max((atm if atm >= 0 else (start + end) // 2) - SIDE, start), max(end - count, start))
    columns = _columns(view, slice(first, min(first + count, end)))
    lot = float(layout.segment_lot_size[segment])
    cells = [shown(column.kind, columns[column.source], view.settings.units, lot) for column in LADDER]
    total: list[Cell] = []
    for column in LADDER:
        if column.source == "chain.strike":
            total.append("shown")
        elif column.source.endswith(".open_interest") and np.isfinite(columns[column.source]).any():
            whole = np.array([np.nansum(columns[column.source])])
            total += shown(column.kind, whole, view.settings.units, lot)
        else:
            total.append(None)
    return tuple(zip(*cells, strict=True)), (tuple(total),)


def _columns(view: View, rows: slice) -> Columns:
    """Columns of the ladder by source, in the model's units."""
    chains = view.report.chains
    columns: Columns = {"chain.strike": chains.layout.strike[rows]}
    legs = view.reading("open_interest_legs")
    none = np.full((chains.layout.rows, 2), np.nan)
    values = {"open_interest": chains.legs.open_interest, "last": chains.legs.last}
    for minutes in SHOWN:
        values[f"pct_{minutes}"] = none if legs is None else np.asarray(legs[f"pct_{minutes}"], dtype=np.float64)
    values["pct_day"] = none if legs is None else _day(legs["pct_close"], legs["pct_open"], rows)
    for name, pairs in values.items():
        columns[f"call.{name}"], columns[f"put.{name}"] = pairs[rows, CALL], pairs[rows, PUT]
    return columns


def _day(close: np.ndarray, opened: np.ndarray, rows: slice) -> Floats:
    """Change of the day [%]: all shown legs since the close, or all since the open, so that they compare."""
    return np.asarray(close if np.isfinite(close[rows]).any() else opened, dtype=np.float64)
