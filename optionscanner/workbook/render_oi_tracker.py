"""Renders OI_TRACKER: each half from its own underlying alone, so that one without data leaves the other as it is."""

from __future__ import annotations

import math

import numpy as np

from optionscanner.model.anchors import WINDOWS
from optionscanner.model.contracts import CALL, PUT, Floats
from optionscanner.model.control import HALF_NAMES
from optionscanner.model.frame import Block, Cell
from optionscanner.workbook.formats import Kind
from optionscanner.workbook.grid import Column
from optionscanner.workbook.layout_oi_tracker import HALVES, LADDER, NARROW, SHOWN, SIDE, Half
from optionscanner.workbook.render_cells import clean, clock, plain
from optionscanner.workbook.render_view import View, shown

Columns = dict[str, Floats]

_SIDES = ("call", "put")


def tracker_blocks(view: View) -> list[Block]:
    """Blocks of the sheet except its band."""
    picked = dict(view.settings.expiries)
    return [
        block
        for half, name, side in zip(HALVES, view.settings.tracked, HALF_NAMES, strict=True)
        for block in half_blocks(view.picking(name, picked.get(side)), half, name)
    ]


def half_blocks(view: View, half: Half, name: str) -> list[Block]:
    """Blocks of one half; blank with the reason where the source does not have its underlying."""
    u = view.position.get(name, -1)
    segment = int(view.front[u]) if u >= 0 else -1
    units = _unit_line(view, segment)
    rows, total = _ladder(view, segment) if segment >= 0 else ((), (None,) * len(LADDER))
    said = _title(view, name, u, segment)
    return [
        Block(half.title.name, tuple((plain(said[cell.source]),) for cell in half.title.cells)),
        Block(half.head.name, tuple((view.cells(cell.source, cell.kind)[u],) for cell in half.head.cells)),
        Block(half.volatility.name, ((clean(view.report.chains.vix) if segment >= 0 else None,),)),
        *(Block(limits.name, tuple((_limit(view, c.source),) for c in limits.cells)) for limits in half.limits),
        Block(half.chain.name, rows),
        Block(half.chain.units_name, (units,)),
        Block(f"{half.name}_total", (total,)),
    ]


def _title(view: View, name: str, u: int, segment: int) -> dict[str, str]:
    """What stands above the ladder; the status says what is wrong, first of all that there is nothing."""
    if u < 0:
        absent = f"{name} is not in this source ({view.report.session.label}): this half stays blank"
        return {"tracked.title": name, "tracked.status": absent, "tracked.time": ""}
    if segment < 0:
        return {"tracked.title": name, "tracked.status": f"no options of {name} are listed", "tracked.time": ""}
    expiry = view.layout.segment_keys[segment].expiry
    change = view.reading("open_interest_change")
    seen = clock(float(view.column("price.price_time")[u])) if view.reading("price") is not None else ""
    read = clock(float(change["window_time"][segment])) if change is not None else ""
    times = [f"prices {seen}" if seen else "", f"OI {read}" if read else ""]
    return {
        "tracked.title": f"{name} {expiry:%d-%b-%y}",
        "tracked.status": str(view.column("row.status")[u]) or "live",
        "tracked.time": f"Updated: {', '.join(filter(None, times))}" if any(times) else "",
    }


def _is_off(view: View, source: str) -> bool:
    """Whether a column or limit is that of the narrow window while nobody asked for it."""
    return source.endswith((f"pct_{NARROW}", f"limit.{NARROW}")) and not view.settings.narrow_window


def _limit(view: View, source: str) -> Cell:
    """% beyond which a window's change is marked; blank where none is."""
    limits = dict(zip(WINDOWS, view.settings.window_limits, strict=True))
    limit = limits[int(source.partition(".")[2])]
    return limit if limit > 0 and not _is_off(view, source) else None


def _unit_line(view: View, segment: int) -> tuple[Cell, ...]:
    """Units; above a window that is not covered, from when it will be."""
    words = list(view.unit_line(LADDER))
    unit = view.settings.units.word if view.settings.changes else "%"
    change = view.reading("open_interest_change")
    for i, column in enumerate(LADDER):
        what = column.source.partition(".")[2]
        if not what.startswith("pct_"):
            continue
        words[i] = unit
        if _is_off(view, column.source):
            words[i] = "off"
        elif segment < 0 or change is None:
            continue
        elif what == "pct_day":
            # The word for the unit is too long beside another: it stands above the windows.
            words[i] = f"{'' if view.settings.changes else '% '}{change['day_since'][segment]}".strip()
        elif math.isfinite(covered := float(change[f"from_{what.removeprefix('pct_')}"][segment])):
            words[i] = f"from {clock(covered)[:5]}"
    return tuple(words)


def _ladder(view: View, segment: int) -> tuple[tuple[tuple[Cell, ...], ...], tuple[Cell, ...]]:
    """Rows around the money, and the line of sums under them."""
    layout = view.layout
    start, end = int(layout.starts[segment]), int(layout.ends[segment])
    atm, count = int(view.report.pricing.atm_row[segment]), 2 * SIDE + 1
    # At the ladder's edge the window slides inward, so that it stays full where the ladder is long enough.
    first = min(max((atm if atm >= 0 else (start + end) // 2) - SIDE, start), max(end - count, start))
    rows = slice(first, min(first + count, end))
    lot = float(layout.segment_lot_size[segment])
    columns = _columns(view, rows)
    cells = [shown(_kind(view, column), columns[column.source], view.settings.units, lot) for column in LADDER]
    return tuple(zip(*cells, strict=True)), _total(view, columns, _changes(view, rows), lot)


def _kind(view: View, column: Column) -> Kind:
    """A column's kind; changes are quantities where they are not shown in per cent."""
    return Kind.QUANTITY_CHANGE if column.kind is Kind.MOVE and view.settings.changes else column.kind


def _total(view: View, columns: Columns, changes: Columns, lot: float) -> tuple[Cell, ...]:
    """Sums over the strikes shown, and puts over calls; a change only where each leg with open interest has its own."""
    held = {side: _sum(columns[f"{side}.open_interest"]) for side in _SIDES}
    total: list[Cell] = []
    for column in LADDER:
        side, _, what = column.source.partition(".")
        value = math.nan
        if what == "open_interest":
            value = held[side]
        elif what.startswith("pct_"):
            whole = np.isfinite(columns[f"{side}.open_interest"]) <= np.isfinite(changes[column.source])
            value = _sum(changes[column.source]) if whole.all() and not _is_off(view, column.source) else math.nan
            if not view.settings.changes:
                before = held[side] - value
                value = 100.0 * value / before if before > 0 else math.nan
        elif what == "strike":
            ratio = held["put"] / held["call"] if held["call"] > 0 else math.nan
            total.append(f"P/C {ratio:.2f}" if math.isfinite(ratio) else None)
            continue
        total += shown(_kind(view, column), np.array([value]), view.settings.units, lot)
    return tuple(total)


def _sum(values: Floats) -> float:
    """Sum of what is known; NaN where nothing is."""
    return float(np.nansum(values)) if np.isfinite(values).any() else math.nan


def _columns(view: View, rows: slice) -> Columns:
    """Columns of the ladder by source, in the model's units; changes as they are shown."""
    chains = view.report.chains
    values = {"open_interest": chains.legs.open_interest, "last": chains.legs.last}
    columns: Columns = {"chain.strike": chains.layout.strike[rows]}
    for name, pairs in values.items():
        columns[f"call.{name}"], columns[f"put.{name}"] = pairs[rows, CALL], pairs[rows, PUT]
    changes = _changes(view, rows) if view.settings.changes else _legs(view, rows, "pct")
    for source, column in changes.items():
        columns[source] = np.full_like(column, np.nan) if _is_off(view, source) else column
    return columns


def _changes(view: View, rows: slice) -> Columns:
    """Changes of open interest [units] by the source of their column."""
    return _legs(view, rows, "change")


def _legs(view: View, rows: slice, what: str) -> Columns:
    """Columns `change_*` [units] or `pct_*` [%] of the legs, by the source of the column that shows them."""
    legs = view.reading("open_interest_legs")
    count = rows.stop - rows.start
    found: Columns = {}
    for name in (*map(str, SHOWN), "day"):
        if legs is None:
            pairs = np.full((count, 2), np.nan)
        elif name == "day":
            # All shown legs since the close, or all since the open, so that they compare.
            since = "close" if np.isfinite(legs["pct_close"][rows]).any() else "open"
            pairs = np.asarray(legs[f"{what}_{since}"][rows], dtype=np.float64)
        else:
            pairs = np.asarray(legs[f"{what}_{name}"][rows], dtype=np.float64)
        found[f"call.pct_{name}"], found[f"put.pct_{name}"] = pairs[:, CALL], pairs[:, PUT]
    return found
