"""Sheets over the whole market: ALERT_SUMMARY and STOCKS_GROUPED. Data only."""

from __future__ import annotations

from optionscanner.workbook.formats import Kind
from optionscanner.workbook.grid import Column, Sheet, Table, band, side_by_side

SUMMARY_ROWS = 30
"""Rows of ALERT_SUMMARY: five indices and the stocks that fit one screen below them."""
STOCK_ROWS = 240
"""Rows kept ready on STOCKS_GROUPED; some 210 stocks have options."""
STOCK_SCAN_ROWS = 200

_SUMMARY = (
    Column("Underlying", 13, "row.name", Kind.TEXT),
    Column("Type", 6, "row.kind", Kind.TEXT),
    Column("Spot", 10, "price.spot", Kind.PRICE, "₹"),
    Column("Chg %", 7, "price.spot_change_pct", Kind.PERCENT, "%"),
    Column("TRS", 5, "readiness.readiness", Kind.SCORE, "0-100"),
    Column("Action", 14, "readiness.action", Kind.WORD, "TRS band"),
    Column("Direction", 9, "readiness.direction", Kind.WORD),
    Column("Regime", 9, "flow.regime", Kind.WORD, "writer's"),
    Column("EWMA_ATM", 11, "flow.ewma_atm", Kind.QUANTITY_CHANGE),
    Column("EWMA_Delta", 12, "flow.ewma_delta", Kind.QUANTITY_CHANGE),
    Column("Flow %", 7, "flow.flow_pct", Kind.PERCENT, "%"),
    Column("VolOI", 6, "row.volume_oi", Kind.WORD, "aligned"),
    Column("Top event", 17, "readiness.top_event", Kind.TEXT, "Vol/OI, B or W"),
    Column("PCR", 6, "open_interest.put_call_ratio", Kind.RATIO, "OI"),
    Column("ATM IV", 7, "price.atm_iv", Kind.VOLATILITY, "%"),
    Column("GEX", 8, "exposure_total.gex", Kind.CRORE, "₹ cr / 1 %"),
    Column("Price time", 9, "price.price_time", Kind.TIME, "IST"),
    Column("OI time", 8, "price.open_interest_time", Kind.TIME, "IST"),
    Column("Status", 15, "row.status", Kind.TEXT),
)

_ALERTS = (
    Column("Time", 8, "alerts.at", Kind.TIME, "IST"),
    Column("Underlying", 14, "alerts.underlying", Kind.TEXT),
    Column("Alert", 20, "alerts.alert", Kind.TEXT),
    Column("Dir", 5, "alerts.dir", Kind.WORD),
    Column("Reason", 17, "alerts.reason", Kind.TEXT, "newest first; numbers against limits"),
)

_SUMMARY_WIDTHS = side_by_side(_SUMMARY, _ALERTS)

ALERT_SUMMARY = Sheet(
    name="ALERT_SUMMARY",
    title="Alert summary",
    widths=_SUMMARY_WIDTHS,
    tables=(
        Table("alert_summary", 5, 1, _SUMMARY, SUMMARY_ROWS),
        Table("alerts_feed", 5, len(_SUMMARY) + 2, _ALERTS, SUMMARY_ROWS),
    ),
    cells=(band("ALERT_SUMMARY", _SUMMARY_WIDTHS),),
    freeze=(5, 1),
)

_STOCKS = (
    Column("Rank", 4, "row.rank", Kind.COUNT),
    Column("Symbol", 15, "row.name", Kind.TEXT),
    Column("Spot", 9, "price.spot", Kind.PRICE, "₹"),
    Column("Chg %", 7, "price.spot_change_pct", Kind.PERCENT, "%"),
    Column("TRS", 5, "readiness.readiness", Kind.SCORE, "0-100"),
    Column("Action", 13, "readiness.action", Kind.WORD, "TRS band"),
    Column("Direction", 9, "readiness.direction", Kind.WORD),
    Column("Regime", 8, "flow.regime", Kind.WORD, "writer's"),
    Column("EWMA_ATM", 9, "flow.ewma_atm", Kind.QUANTITY_CHANGE),
    Column("EWMA_Delta", 10, "flow.ewma_delta", Kind.QUANTITY_CHANGE),
    Column("Flow %", 6, "flow.flow_pct", Kind.PERCENT, "%"),
    Column("VolOI", 5, "row.volume_oi", Kind.WORD, "aligned"),
    Column("Build-up", 8, "build_up.build_up", Kind.WORD, "futures"),
    Column("Fut OI %", 7, "build_up.future_open_interest_change_pct", Kind.MOVE, "%"),
    Column("PCR", 5, "open_interest.put_call_ratio", Kind.RATIO, "OI"),
    Column("Max pain", 8, "open_interest.max_pain", Kind.STRIKE, "₹"),
    Column("IV", 5, "price.atm_iv", Kind.VOLATILITY, "ATM %"),
    Column("IVP", 5, "volatility_rank.iv_percentile", Kind.SCORE, "0-100"),
    Column("GEX", 7, "exposure_total.gex", Kind.CRORE, "₹ cr / 1 %"),
    Column("Price time", 8, "price.price_time", Kind.TIME, "IST"),
    Column("OI time", 8, "price.open_interest_time", Kind.TIME, "IST"),
    Column("Status", 10, "row.status", Kind.TEXT),
)

_STOCK_SCAN = (
    Column("Symbol", 13, "activity.underlying", Kind.TEXT, "Vol/OI scan"),
    Column("Strike", 8, "activity.strike", Kind.STRIKE, "₹"),
    Column("Type", 4, "activity.option_type", Kind.WORD),
    Column("LTP", 8, "activity.last_price", Kind.PRICE, "₹"),
    Column("Vol/OI", 6, "activity.volume_oi_ratio", Kind.RATIO),
    Column("Volume", 8, "activity.volume", Kind.QUANTITY),
    Column("OI", 7, "activity.open_interest", Kind.QUANTITY),
    Column("Signal", 13, "activity.signal", Kind.WORD),
    # Beyond one screen from here on.
    Column("Direction", 9, "activity.direction", Kind.WORD),
    Column("Expiry", 10, "activity.expiry", Kind.DATE),
    Column("Delta", 7, "activity.delta", Kind.DELTA),
    Column("Gamma", 8, "activity.gamma", Kind.GAMMA, "1/₹"),
    Column("Distance", 8, "activity.distance_pct", Kind.PERCENT, "% of spot"),
    Column("Pctl", 6, "activity.percentile", Kind.SCORE, "0-100"),
    Column("Score", 6, "activity.score", Kind.SCORE, "0-100"),
    Column("Reason", 26, "activity.reason", Kind.TEXT),
)

_STOCKS_MORE = (
    Column("Symbol", 14, "row.name", Kind.TEXT, "same order"),
    Column("Lot", 8, "row.lot_size", Kind.COUNT, "units"),
    Column("Expiry", 10, "row.expiry", Kind.DATE),
    Column("Days", 6, "row.days", Kind.DAYS, "left"),
    Column("Future", 10, "price.future_price", Kind.PRICE, "₹"),
    Column("Basis", 8, "price.basis", Kind.CHANGE, "₹"),
    Column("Call wall", 9, "open_interest.call_wall", Kind.STRIKE, "₹"),
    Column("Put wall", 9, "open_interest.put_wall", Kind.STRIKE, "₹"),
    Column("Max pain %", 10, "open_interest.max_pain_distance_pct", Kind.PERCENT, "% of spot"),
    Column("γ regime", 10, "exposure_total.regime", Kind.WORD, "GEX"),
    Column("Flip %", 8, "exposure_total.gamma_flip_distance_pct", Kind.PERCENT, "% of spot"),
    Column("OI 5M", 9, "open_interest_change.trend_5", Kind.WORD, "trend"),
    Column("OI 30M", 9, "open_interest_change.trend_30", Kind.WORD, "trend"),
    Column("OI day", 9, "open_interest_change.trend_day", Kind.WORD, "trend"),
    Column("OI day %", 8, "open_interest_change.change_day_pct", Kind.MOVE, "%"),
    Column("Rollover %", 10, "build_up.future_rollover_pct", Kind.RATIO, "% of fut. OI"),
    Column("Straddle", 9, "price.straddle", Kind.PRICE, "₹"),
    Column("Exp. move", 9, "price.expected_move", Kind.PRICE, "± ₹"),
    Column("Flips", 6, "flow.flips", Kind.COUNT, "today"),
    Column("Coverage", 9, "price.coverage", Kind.SHARE, "% of legs"),
    Column("UOA", 19, "unusual_activity_total.word", Kind.TEXT, "B or W"),
    Column("UOA dir", 9, "unusual_activity_total.direction", Kind.WORD),
    Column("UOA reason", 60, "unusual_activity_total.reason", Kind.TEXT, "unusual activity: numbers against limits"),
)

_STOCK_WIDTHS = side_by_side(_STOCKS, _STOCK_SCAN, _STOCKS_MORE)
_SCAN_COLUMN = len(_STOCKS) + 2
_ON_SCREEN = _SCAN_COLUMN + 7

STOCKS_GROUPED = Sheet(
    name="STOCKS_GROUPED",
    title="Stocks by readiness",
    widths=_STOCK_WIDTHS,
    tables=(
        Table("stocks", 5, 1, _STOCKS, STOCK_ROWS),
        Table("stocks_scan", 5, _SCAN_COLUMN, _STOCK_SCAN, STOCK_SCAN_ROWS),
        Table("stocks_more", 5, _SCAN_COLUMN + len(_STOCK_SCAN) + 1, _STOCKS_MORE, STOCK_ROWS),
    ),
    cells=(band("STOCKS_GROUPED", _STOCK_WIDTHS[:_ON_SCREEN]),),
    freeze=(5, 2),
    screen=(36, _ON_SCREEN),
)
