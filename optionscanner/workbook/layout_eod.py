"""EOD_REPORT: the day on two printed pages. Filled through the day, final after the close. Data only."""

from __future__ import annotations

from dataclasses import replace

from optionscanner.workbook.formats import Kind
from optionscanner.workbook.grid import Cells, Column, Sheet, Table, Text, Value, band, spacer

EOD_PAGES = 2
MOVERS, FLOWS, SIGNALS, ALERT_KINDS, ALERTS = 6, 9, 12, 8, 18
"""Rows of each table."""

_COLUMNS = 17
_RIGHT = 10
"""Where the right one of two tables begins; its first column holds names too."""
# The columns beyond the printed ones give the band of the screen its room.
_WIDTHS = (18.0, *(8 * (10.0,)), 14.0, *(7 * (10.0,)), *(6 * (10.0,)))

_INDICES = (
    Column("Index", 18, "row.name", Kind.TEXT),
    Column("Expiry", 10, "row.expiry", Kind.DATE, "nearest"),
    Column("Open", 10, "day.open", Kind.PRICE, "points"),
    Column("High", 10, "day.high", Kind.PRICE, "points"),
    Column("Low", 10, "day.low", Kind.PRICE, "points"),
    Column("Close", 10, "price.spot", Kind.PRICE, "last, points"),
    Column("Change", 10, "price.spot_change", Kind.CHANGE, "points"),
    Column("Chg %", 10, "price.spot_change_pct", Kind.PERCENT, "%"),
    Column("PCR", 10, "open_interest.put_call_ratio", Kind.RATIO, "OI"),
    Column("Max pain", 14, "open_interest.max_pain", Kind.STRIKE, "₹"),
    Column("IV at open", 10, "eod.atm_iv_open", Kind.VOLATILITY, "ATM %"),
    Column("IV", 10, "price.atm_iv", Kind.VOLATILITY, "ATM %"),
    Column("Str. open", 10, "price.straddle_open", Kind.PRICE, "₹"),
    Column("Straddle", 10, "price.straddle", Kind.PRICE, "₹"),
    Column("Regime", 10, "flow.regime", Kind.WORD, "writer's"),
    Column("TRS", 10, "readiness.readiness", Kind.SCORE, "0-100"),
    Column("Direction", 10, "readiness.direction", Kind.WORD),
)

_LEVELS = (
    Column("Index", 18, "row.name", Kind.TEXT),
    Column("High", 10, "day.high", Kind.PRICE, "points"),
    Column("Low", 10, "day.low", Kind.PRICE, "points"),
    Column("Close", 10, "price.spot", Kind.PRICE, "last, points"),
    Column("S3", 10, "eod.s3", Kind.PRICE, "points"),
    Column("S2", 10, "eod.s2", Kind.PRICE, "points"),
    Column("S1", 10, "eod.s1", Kind.PRICE, "points"),
    Column("Pivot", 10, "eod.pivot", Kind.PRICE, "points"),
    Column("R1", 10, "eod.r1", Kind.PRICE, "points"),
    Column("R2", 14, "eod.r2", Kind.PRICE, "points"),
    Column("R3", 10, "eod.r3", Kind.PRICE, "points"),
    Column("Put wall", 10, "open_interest.put_wall", Kind.STRIKE, "₹"),
    Column("Call wall", 10, "open_interest.call_wall", Kind.STRIKE, "₹"),
    Column("Max pain", 10, "open_interest.max_pain", Kind.STRIKE, "₹"),
)

_MOVERS = (
    Column("Symbol", 18, "row.name", Kind.TEXT),
    Column("Close", 10, "price.spot", Kind.PRICE, "last, ₹"),
    Column("Chg %", 10, "price.spot_change_pct", Kind.PERCENT, "%"),
    Column("TRS", 10, "readiness.readiness", Kind.SCORE, "0-100"),
    Column("Direction", 10, "readiness.direction", Kind.WORD),
    Column("Flow %", 10, "flow.flow_pct", Kind.PERCENT, "%"),
    Column("PCR", 10, "open_interest.put_call_ratio", Kind.RATIO, "OI"),
    Column("IV", 10, "price.atm_iv", Kind.VOLATILITY, "ATM %"),
)

_MOVERS_RIGHT = (replace(_MOVERS[0], width=14), *_MOVERS[1:])

_FLOWS = (
    Column("Symbol", 18, "row.name", Kind.TEXT),
    Column("Close", 10, "price.spot", Kind.PRICE, "last, ₹"),
    Column("Chg %", 10, "price.spot_change_pct", Kind.PERCENT, "%"),
    Column("Flow %", 10, "flow.flow_pct", Kind.PERCENT, "%"),
    Column("Regime", 10, "flow.regime", Kind.WORD, "writer's"),
    Column("EWMA_ATM", 10, "flow.ewma_atm", Kind.QUANTITY_CHANGE),
    Column("PCR", 10, "open_interest.put_call_ratio", Kind.RATIO, "OI"),
    Column("TRS", 10, "readiness.readiness", Kind.SCORE, "0-100"),
)

_FLOWS_RIGHT = (replace(_FLOWS[0], width=14), *_FLOWS[1:])

_SIGNALS = (
    Column("Symbol", 18, "row.name", Kind.TEXT),
    Column("Type", 10, "row.kind", Kind.TEXT),
    Column("Close", 10, "price.spot", Kind.PRICE, "last, ₹"),
    Column("Chg %", 10, "price.spot_change_pct", Kind.PERCENT, "%"),
    Column("Regime", 10, "flow.regime", Kind.WORD, "writer's"),
    Column("Flow %", 10, "flow.flow_pct", Kind.PERCENT, "%"),
    Column("PCR", 10, "open_interest.put_call_ratio", Kind.RATIO, "OI"),
    Column("Direction", 10, "readiness.direction", Kind.WORD),
    Column("TRS", 10, "readiness.readiness", Kind.SCORE, "0-100"),
    Column("Action", 14, "readiness.action", Kind.WORD, "TRS band"),
    Column("Structure", 10, "readiness.structure", Kind.SCORE, "0-40"),
    Column("Trigger", 10, "readiness.trigger", Kind.SCORE, "0-30"),
    Column("Stability", 10, "readiness.stability", Kind.SCORE, "0-20"),
    Column("Time", 10, "readiness.time", Kind.SCORE, "0-10"),
    Column("Top event", 10, "readiness.top_event", Kind.TEXT, "Vol/OI, B or W"),
    spacer(10),
    spacer(10),
)

_KINDS = (
    Column("Alert", 18, "eod.alert", Kind.TEXT, "today"),
    Column("Bullish", 10, "eod.bullish", Kind.COUNT),
    Column("Bearish", 10, "eod.bearish", Kind.COUNT),
    Column("All", 10, "eod.all", Kind.COUNT),
)

_ALERTS = (
    Column("Time", 10, "alerts.at", Kind.TIME, "newest first"),
    Column("Dir", 10, "alerts.dir", Kind.WORD),
    Column("Alert", 10, "alerts.alert", Kind.TEXT),
    spacer(10),
    Column("Underlying", 14, "alerts.underlying", Kind.TEXT),
    Column("Reason", 10, "alerts.reason", Kind.TEXT, "numbers against limits"),
    *(spacer(10) for _ in range(6)),
)

# Header lines. The first printed page ends in the blank rows after the flows, a row earlier or later by program.
_AT_INDICES, _AT_LEVELS, _AT_MOVERS, _AT_FLOWS, _AT_SIGNALS, _AT_ALERTS = 7, 16, 25, 35, 53, 69

EOD_REPORT = Sheet(
    name="EOD_REPORT",
    title="End of day",
    widths=_WIDTHS,
    tables=(
        Table("eod_indices", _AT_INDICES, 1, _INDICES, 5),
        Table("eod_levels", _AT_LEVELS, 1, _LEVELS, 5),
        Table("eod_up", _AT_MOVERS, 1, _MOVERS, MOVERS),
        Table("eod_down", _AT_MOVERS, _RIGHT, _MOVERS_RIGHT, MOVERS),
        Table("eod_bullish", _AT_FLOWS, 1, _FLOWS, FLOWS),
        Table("eod_bearish", _AT_FLOWS, _RIGHT, _FLOWS_RIGHT, FLOWS),
        Table("eod_signals", _AT_SIGNALS, 1, _SIGNALS, SIGNALS),
        Table("eod_alert_kinds", _AT_ALERTS, 1, _KINDS, ALERT_KINDS),
        Table("eod_alerts", _AT_ALERTS, 6, _ALERTS, ALERTS),
    ),
    cells=(
        band("EOD_REPORT", _WIDTHS),
        Cells("eod_head", (Value(4, 1, "eod.state", Kind.TEXT, "title"),)),
    ),
    texts=(
        *(
            Text(row - 2, column, words, "caption")
            for row, column, words in (
                (_AT_INDICES, 1, "Indices"),
                (_AT_LEVELS, 1, "Levels for the next session: classic pivots of today's high, low and close; walls"),
                (_AT_MOVERS, 1, "Largest rises"),
                (_AT_MOVERS, _RIGHT, "Largest falls"),
                (_AT_FLOWS, 1, "Strongest flow, bullish"),
                (_AT_FLOWS, _RIGHT, "Strongest flow, bearish"),
                (_AT_SIGNALS, 1, "Most ready"),
                (_AT_ALERTS, 1, "Alerts by kind"),
                (_AT_ALERTS, 6, "Alerts of the day"),
            )
        ),
        *(Text(4, column, "", "title") for column in range(2, _COLUMNS + 1)),
    ),
    freeze=(3, 0),
    screen=(36, _COLUMNS),
    pages=EOD_PAGES,
)
