"""Renders EOD_REPORT: the day as it stands at this moment, which after the close is the day."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

import numpy as np

from optionscanner.model.contracts import Floats, Ints
from optionscanner.model.frame import Block, Cell
from optionscanner.model.pivots import classic_pivots
from optionscanner.workbook.grid import Column
from optionscanner.workbook.layout_eod import EOD_REPORT
from optionscanner.workbook.layout_index import INDICES
from optionscanner.workbook.render_cells import INDIA, clock, plain
from optionscanner.workbook.render_order import ranked
from optionscanner.workbook.render_view import View, event_cells, shown

Rows = tuple[tuple[Cell, ...], ...]


def eod_blocks(view: View) -> list[Block]:
    """Blocks of the sheet except its band."""
    own = _own_columns(view)
    everyone = np.flatnonzero(view.front[:-1] >= 0)
    change, flow = _values(view, "price.spot_change_pct"), _values(view, "flow.flow_pct")
    listed = {
        "eod_up": _strongest(view, change, view.stocks),
        "eod_down": _strongest(view, -change, view.stocks),
        "eod_bullish": _strongest(view, flow, everyone),
        "eod_bearish": _strongest(view, -flow, everyone),
        "eod_signals": _most_ready(view, everyone),
    }
    made: dict[str, Rows] = {name: _index_rows(view, name, own) for name in ("eod_indices", "eod_levels")}
    for name, positions in listed.items():
        table = EOD_REPORT.table(name)
        made[name] = view.rows(table.fields, positions[: table.height])
    made |= _alerts(view)
    return [
        Block("eod_head", ((plain(_state(view)),),)),
        *(Block(name, rows) for name, rows in made.items()),
        *(Block(table.units_name, (view.unit_line(table.fields),)) for table in EOD_REPORT.tables),
    ]


def _state(view: View) -> str:
    report, session = view.report, view.report.chains.day.session
    day = f"{session.date:%A %d-%b-%Y}"
    closes = f"{session.closes:%H:%M}"
    if report.ended or datetime.fromtimestamp(report.as_of, INDIA) >= session.closes:
        return f"End of day, {day}: final, the market closed at {closes}.  {report.session.label}"
    return f"The day so far, {day}: as of {clock(report.as_of)}, final after {closes}.  {report.session.label}"


def _values(view: View, source: str) -> Floats:
    """(U,) a numeric column without the blank at its end."""
    return np.asarray(view.column(source)[:-1].astype(float))


def _own_columns(view: View) -> Mapping[str, Floats]:
    """(U + 1,) columns that only this sheet shows, by source."""
    spots, spot = view.report.chains.underlyings, view.column("price.spot").astype(float)
    levels = classic_pivots(high=np.append(spots.high, np.nan), low=np.append(spots.low, np.nan), close=spot)
    iv_open = view.column("price.atm_iv").astype(float) - view.column("price.atm_iv_change").astype(float)
    return {"eod.atm_iv_open": iv_open, **{f"eod.{name}": values for name, values in levels.columns().items()}}


def _index_rows(view: View, name: str, own: Mapping[str, Floats]) -> Rows:
    """One row for each index; one that the source does not have keeps its name."""

    def cells(column: Column) -> list[Cell]:
        if column.source == "row.name":
            return list(INDICES)
        if column.source in own:
            column_cells = shown(column.kind, own[column.source], view.settings.units, view.lot_size)
        else:
            column_cells = view.cells(column.source, column.kind)
        return [column_cells[i] for i in view.indices]

    return tuple(zip(*(cells(column) for column in EOD_REPORT.table(name).fields), strict=True))


def _strongest(view: View, values: Floats, among: Ints) -> Ints:
    """Positions of the names with a positive value, the largest first; equal ones by name."""
    positive = [int(i) for i in among if values[i] > 0]
    return np.array(sorted(positive, key=lambda i: (-values[i], view.names[i])), dtype=np.int64)


def _most_ready(view: View, among: Ints) -> Ints:
    """Positions of the names with a TRS above 0, as ranked tables order them."""
    score, flow = _values(view, "readiness.readiness"), _values(view, "flow.flow_pct")
    ready = among[np.nan_to_num(score[among]) > 0]
    return np.asarray(ready[ranked([view.names[i] for i in ready], score[ready], flow[ready])])


def _alerts(view: View) -> dict[str, Rows]:
    """How many alerts of each kind the day had, and the newest ones."""
    report = view.report
    alerts = report.recent_alerts if report.recent_alerts is not None else report.alerts
    kinds = EOD_REPORT.table("eod_alert_kinds")
    newest = EOD_REPORT.table("eod_alerts")
    counts = [_counted(kind, alerts["direction"][alerts["alert"] == kind]) for kind in sorted(set(alerts["alert"]))]
    told = event_cells(view, alerts.rows(np.arange(min(len(alerts), newest.height))), newest.fields)
    return {kinds.name: tuple(counts[: kinds.height]), newest.name: told}


def _counted(kind: str, directions: Sequence[str] | np.ndarray) -> tuple[Cell, ...]:
    said = [str(direction) for direction in directions]
    return (plain(kind), float(said.count("BULLISH")), float(said.count("BEARISH")), float(len(said)))
