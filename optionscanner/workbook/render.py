"""Turns a cycle's report into the workbook's blocks. Pure: same report, order and settings, same frame.

Main entry: `render`. It shows and never computes more than a difference or a sum; a name that the source does not
have stays blank with its reason.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime

import numpy as np

from optionscanner.model.frame import Block, Cell, Frame, Row
from optionscanner.model.reports import CycleReport
from optionscanner.workbook.grid import Sheet, Table
from optionscanner.workbook.layout import SHEETS
from optionscanner.workbook.layout_index import INDICES
from optionscanner.workbook.layout_market import ALERT_SUMMARY, STOCKS_GROUPED
from optionscanner.workbook.render_cells import INDIA
from optionscanner.workbook.render_control import control_blocks
from optionscanner.workbook.render_day_plan import plan_blocks
from optionscanner.workbook.render_drilldown import drill_blocks
from optionscanner.workbook.render_eod import eod_blocks
from optionscanner.workbook.render_exposure import exposure_blocks, exposure_shares
from optionscanner.workbook.render_heatmap import heatmap_blocks
from optionscanner.workbook.render_index import events, index_blocks
from optionscanner.workbook.render_oi_heatmap import oi_heatmap_blocks
from optionscanner.workbook.render_oi_tracker import tracker_blocks
from optionscanner.workbook.render_order import Order, next_order
from optionscanner.workbook.render_system import bands, health_blocks, named_cells
from optionscanner.workbook.render_view import ShowSettings, View

__all__ = ["Renderer", "ShowSettings", "render"]

_RANKED = frozenset({"alert_summary", "stocks", "stocks_more", "exposure"})


def render(
    report: CycleReport, previous: Order | None = None, settings: ShowSettings | None = None, *,
    filtered: frozenset[str] = frozenset(), past: CycleReport | None = None,
) -> tuple[Frame, Order]:  # fmt: skip
    """Frame of the report, and the order in which it shows the stocks (`previous` of the next call).

    `filtered`: tables in which the user filters or sorts; while one of them ranks stocks their order is held.
    `past`: what DRILLDOWN shows instead of now, a report of the picked name alone.
    """
    view = View(report, settings or ShowSettings())
    held = bool(filtered & _RANKED)
    stocks = [view.names[i] for i in view.stocks]
    score, flow = (view.column(c).astype(float)[view.stocks] for c in ("readiness.readiness", "flow.flow_pct"))
    order = next_order(
        previous, stocks, score, flow, as_of=report.as_of, resort=view.settings.resort, held=held
    )
    by_gamma = next_order(
        previous.exposure if previous else None, stocks, exposure_shares(view)[view.stocks], flow,
        as_of=report.as_of, resort=view.settings.resort, held=held,
    )  # fmt: skip
    order = replace(order, exposure=by_gamma)
    positions = [view.position[name] for name in order.names]
    blocks = [
        *bands(view, SHEETS, held=held),
        *_summary_blocks(view, positions),
        *(b for sheet in SHEETS if sheet.name in INDICES for b in index_blocks(view.showing(sheet.name), sheet)),
        *_stock_blocks(view, [i for i in positions if view.passes(i)]),
        *tracker_blocks(view),
        *drill_blocks(view, past),
        *exposure_blocks(view, [view.position[name] for name in by_gamma.names]),
        *heatmap_blocks(view),
        *oi_heatmap_blocks(view),
        *plan_blocks(view),
        *eod_blocks(view),
        *control_blocks(view),
        *health_blocks(view),
        *(named_cells(view, named) for sheet in SHEETS for named in sheet.named),
    ]
    return Frame.of(datetime.fromtimestamp(report.as_of, INDIA), blocks), order


@dataclass
class Renderer:
    """`render` with the held order carried from frame to frame; what the cycle is given."""

    settings: ShowSettings = field(default_factory=ShowSettings)
    filtered: Callable[[], frozenset[str]] = frozenset
    """Asks the host in which tables the user filters."""
    order: Order | None = None
    past: CycleReport | None = None
    """The moment that DRILLDOWN shows instead of now: a report of the picked name alone."""

    def __call__(self, report: CycleReport) -> Frame:
        """Frame of the report."""
        frame, self.order = render(report, self.order, self.settings, filtered=self.filtered(), past=self.past)
        return frame


def _summary_blocks(view: View, stocks: list[int]) -> list[Block]:
    table, feed = ALERT_SUMMARY.table("alert_summary"), ALERT_SUMMARY.table("alerts_feed")
    watched = set(view.settings.watchlist) if view.settings.watchlist_first else set()
    ordered = sorted(stocks, key=lambda i: view.names[i] not in watched)
    rows = view.rows(table.fields, [*view.indices, *ordered[: view.settings.summary_stocks]])
    # An index that the source does not have keeps its row and its name, with the reason in its status.
    named = [(name, *row[1:]) for name, row in zip(INDICES, rows, strict=False)]
    told = _feed(view, feed)
    return [
        Block(table.name, (*named, *rows[len(INDICES) :])),
        Block(feed.name, told),
        *_unit_lines(view, ALERT_SUMMARY),
    ]


def _feed(view: View, feed: Table) -> tuple[Row, ...]:
    """Alerts of the day, newest first; while they are muted those of before, under a line that says so."""
    alerts = view.report.recent_alerts if view.report.recent_alerts is not None else view.report.alerts
    shown = np.arange(len(alerts))
    said: tuple[Row, ...] = ()
    if view.mute_is_on:
        shown = np.flatnonzero(np.asarray(alerts["at"], dtype=float) <= view.settings.muted_from)
        minutes = int(view.settings.muted_until or 0) // 60
        words = f"muted until {minutes // 60:02d}:{minutes % 60:02d}, {len(alerts) - len(shown)} since"
        said = ((None, None, words, None, None),)
    told = (*said, *events(view, alerts, shown[: feed.height - len(said)], feed))
    if not told:
        opens = f"{view.report.chains.day.session.opens:%H:%M}"
        told = ((None, None, f"no alerts since {opens}", None, None),)
    return told


def _stock_blocks(view: View, stocks: list[int]) -> list[Block]:
    sheet = STOCKS_GROUPED
    table, more, scan = sheet.table("stocks"), sheet.table("stocks_more"), sheet.table("stocks_scan")
    activity = view.reading("activity")
    found: tuple[tuple[Cell, ...], ...] = ()
    if activity is not None:
        names = {view.names[i] for i in stocks}
        wanted = np.flatnonzero([name in names for name in activity["underlying"]])
        found = events(view, activity, wanted[: scan.height], scan)
    return [
        Block(table.name, view.rows(table.fields, stocks)),
        Block(more.name, view.rows(more.fields, stocks)),
        Block(scan.name, found),
        *_unit_lines(view, sheet),
    ]


def _unit_lines(view: View, sheet: Sheet) -> list[Block]:
    return [Block(table.units_name, (view.unit_line(table.fields),)) for table in sheet.tables]
