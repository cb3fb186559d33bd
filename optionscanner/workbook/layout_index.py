"""One sheet for each index: head cards, the chain around the money, the volume/OI scan, trails of the day. Data only.

What must be seen at once takes 38 rows, so those below the band are two pixels lower than elsewhere. A block of single
cells keeps its cells from version to version, so what cards got later stands in blocks of its own.
"""

from __future__ import annotations

from dataclasses import replace

from optionscanner.model.trails import MOST_POINTS
from optionscanner.workbook.formats import Kind
from optionscanner.workbook.grid import (
    BAND_ROWS,
    Card,
    Cells,
    Column,
    Line,
    Role,
    Sheet,
    Spark,
    Table,
    Text,
    Value,
    band,
    side_by_side,
    spacer,
)

INDICES = ("NIFTY", "BANKNIFTY", "FINNIFTY", "MIDCPNIFTY", "SENSEX")
"""Indices with a sheet of their own, in the order of every sheet."""

PICKED = "DRILLDOWN"
"""The sheet of the symbol that the user picked on CONTROL: `layout_drilldown.py`."""

CHAIN_SIDE = 10
"""Strikes shown on each side of ATM."""
CHAIN_ROWS = 2 * CHAIN_SIDE + 1

_HEAD_ROW = BAND_ROWS + 1
_LAST_CARD_ROW = _HEAD_ROW + 8
_SPARK_ROW = _LAST_CARD_ROW + 1
_CHAIN_HEADER = _SPARK_ROW + 2
_PRINTED = 60
"""Rows that one A4 page takes."""
_LOW, _HIGH = 13.5, 21.0
"""Points of the rows below the band, and of the one with the sparklines: 18 and 28 pixels."""
_SCAN_ROWS, _IGNORED_ROWS, _FULL_ROWS = 12, 8, 60

_SIDE = (
    # header, width, what, kind, unit: from the outside in
    ("OI", 9, "open_interest", Kind.QUANTITY, ""),
    ("Chg OI", 9, "change_in_open_interest", Kind.QUANTITY_CHANGE, ""),
    ("Flow", 8, "open_interest_flow", Kind.QUANTITY_CHANGE, ""),
    ("Volume", 9, "volume", Kind.QUANTITY, ""),
    ("Vol/OI", 6, "volume_oi_ratio", Kind.RATIO, ""),
    ("Build", 5, "build_up", Kind.WORD, ""),
    ("IV", 5, "implied_volatility", Kind.VOLATILITY, "%"),
    ("Delta", 7, "delta", Kind.DELTA, ""),
    ("Bid", 8, "bid", Kind.PRICE, "₹"),
    ("Ask", 8, "ask", Kind.PRICE, "₹"),
    ("Chg", 7, "change", Kind.CHANGE, "₹"),
    ("LTP", 8, "last", Kind.PRICE, "₹"),
)

CHAIN = (
    *(Column(h, w, f"call.{what}", kind, unit, Role.CALL) for h, w, what, kind, unit in _SIDE),
    Column("Strike", 9, "chain.strike", Kind.STRIKE, "₹", Role.STRIKE),
    *(Column(h, w, f"put.{what}", kind, unit, Role.PUT) for h, w, what, kind, unit in reversed(_SIDE)),
)

_SCAN = (
    Column("Strike", 8, "activity.strike", Kind.STRIKE, "₹"),
    Column("Type", 4, "activity.option_type", Kind.WORD),
    Column("Vol/OI", 6, "activity.volume_oi_ratio", Kind.RATIO),
    Column("Volume", 8, "activity.volume", Kind.QUANTITY),
    Column("Side", 6, "activity.side", Kind.WORD),
    Column("Dir", 5, "activity.dir", Kind.WORD),
    Column("Why", 13, "activity.reason", Kind.TEXT, "Vol/OI events that count"),
)
_IGNORED = (*_SCAN[:-1], replace(_SCAN[-1], unit="ignored events"))

# Beyond one screen: what the sparklines draw.
_TRAIL = (
    Column("Time", 8, "trail.at", Kind.TIME, "IST"),
    Column("Spot", 10, "price.spot", Kind.PRICE, "₹"),
    Column("Straddle", 9, "price.straddle", Kind.PRICE, "₹"),
    Column("PCR", 7, "open_interest.put_call_ratio", Kind.RATIO, "OI"),
    Column("TRS", 6, "readiness.readiness", Kind.SCORE, "0-100"),
    Column("ATM flow", 10, "flow.ewma_atm", Kind.QUANTITY_CHANGE),
    Column("VWAP", 9, "straddle.vwap", Kind.PRICE, "straddle ₹"),
    Column("ATM", 9, "price.atm_strike", Kind.STRIKE, "₹"),
    Column("Roll", 8, "trail.roll", Kind.CHANGE, "₹"),
    Column("ATM IV", 7, "price.atm_iv", Kind.VOLATILITY, "%"),
)

_WIDTHS = side_by_side(CHAIN, _SCAN, _TRAIL)
_SCAN_COLUMN = len(CHAIN) + 2
_TRAIL_COLUMN = _SCAN_COLUMN + len(_SCAN) + 1
_ON_SCREEN = _TRAIL_COLUMN - 2

# Below the fold the same columns carry the whole scan, so widths are those of the chain above.
_FULL = (
    Column("Expiry", 9, "activity.expiry", Kind.DATE),
    Column("Strike", 9, "activity.strike", Kind.STRIKE, "₹"),
    Column("Type", 8, "activity.option_type", Kind.WORD),
    Column("Volume", 9, "activity.volume", Kind.QUANTITY),
    Column("Vol/OI", 6, "activity.volume_oi_ratio", Kind.RATIO),
    Column("Pctl", 5, "activity.percentile", Kind.SCORE),
    Column("Score", 5, "activity.score", Kind.SCORE, "0-100"),
    Column("Delta", 7, "activity.delta", Kind.DELTA),
    Column("LTP", 8, "activity.last_price", Kind.PRICE, "₹"),
    Column("Gamma", 8, "activity.gamma", Kind.GAMMA, "1/₹"),
    Column("Dist %", 7, "activity.distance_pct", Kind.PERCENT, "%"),
    Column("Flow", 8, "activity.open_interest_flow", Kind.QUANTITY_CHANGE),
    Column("OI", 9, "activity.open_interest", Kind.QUANTITY),
    Column("Prem chg", 8, "activity.premium_change", Kind.CHANGE, "₹"),
    Column("IV chg", 7, "activity.iv_change", Kind.VOLATILITY_CHANGE, "points"),
    Column("Side", 8, "activity.side", Kind.WORD),
    Column("Dir", 8, "activity.dir", Kind.WORD),
    Column("Reason", 7, "activity.reason", Kind.TEXT),
    *(spacer(width) for width in (5, 5, 6, 9, 8, 9, 9)),
)

# label column, label, column of the line, what it shows, ends of its scale
_SPARKS = (
    (1, "Today", 2, "price.spot", None, None),
    (5, "Straddle today", 8, "price.straddle", None, None),
    (11, "PCR today", 14, "open_interest.put_call_ratio", None, None),
    (17, "TRS today", 19, "readiness.readiness", 0.0, 100.0),
    (22, "ATM-weighted, today", 24, "flow.ewma_atm", None, None),
)

# Columns by letter: A-L calls, M strike, N-Y puts, Z gap, AA-AG scan, AH gap, AI-AN trail.
_CARDS = (
    Card(
        "Price", 1, ((2, "₹"), (3, "±"), (4, "%")),
        (
            ("Spot", ((0, "price.spot", Kind.PRICE), (1, "price.spot_change", Kind.CHANGE),
                      (2, "price.spot_change_pct", Kind.PERCENT))),
            ("Future", ((0, "price.future_price", Kind.PRICE), (1, "price.basis", Kind.CHANGE))),
            ("Forward", ((0, "price.forward", Kind.PRICE), (1, "price.forward_source", Kind.TEXT))),
            ("Open", ((0, "day.open", Kind.PRICE),)),
            ("High", ((0, "day.high", Kind.PRICE),)),
            ("Low", ((0, "day.low", Kind.PRICE),)),
            ("Prev.", ((0, "day.previous_close", Kind.PRICE),)),
        ),
    ),
    Card(
        "Expiry and vol", 5, ((8, "now"), (9, ""), (10, "")),
        (
            ("Expiry, left", ((0, "row.expiry", Kind.DATE), (1, "row.days", Kind.DAYS))),
            ("ATM, settles near", ((0, "price.atm_strike", Kind.STRIKE), (2, "settlement.estimate", Kind.PRICE))),
            ("Straddle, VWAP", ((0, "price.straddle", Kind.PRICE), (2, "straddle.vwap", Kind.PRICE))),
            ("Straddle O, H, L", ((0, "price.straddle_open", Kind.PRICE), (1, "price.straddle_high", Kind.PRICE),
                                 (2, "price.straddle_low", Kind.PRICE))),
            ("Move ±, IV 30 d", ((0, "price.expected_move", Kind.PRICE),
                                      (2, "volatility_rank.iv_30", Kind.VOLATILITY))),
            ("ATM IV, chg, RR 25", ((0, "price.atm_iv", Kind.VOLATILITY),
                                    (1, "price.atm_iv_change", Kind.VOLATILITY_CHANGE),
                                    (2, "volatility.risk_reversal_25", Kind.VOLATILITY_CHANGE))),
            ("IV rank, pctl, days", ((0, "volatility_rank.iv_rank", Kind.SCORE),
                                     (1, "volatility_rank.iv_percentile", Kind.SCORE),
                                     (2, "volatility_rank.sessions", Kind.COUNT))),
        ),
    ),
    Card(
        "Open interest", 11, ((14, "calls"), (15, "puts"), (16, "P/C")),
        (
            ("OI", ((0, "open_interest.call_open_interest", Kind.QUANTITY),
                    (1, "open_interest.put_open_interest", Kind.QUANTITY),
                    (2, "open_interest.put_call_ratio", Kind.RATIO))),
            ("Volume", ((0, "open_interest.call_volume", Kind.QUANTITY),
                        (1, "open_interest.put_volume", Kind.QUANTITY),
                        (2, "open_interest.put_call_ratio_volume", Kind.RATIO))),
            ("Added since close", ((0, "open_interest.call_open_interest_added", Kind.QUANTITY_CHANGE),
                                   (1, "open_interest.put_open_interest_added", Kind.QUANTITY_CHANGE))),
            ("Added since open", ((0, "open_interest.call_open_interest_since_first", Kind.QUANTITY_CHANGE),
                                  (1, "open_interest.put_open_interest_since_first", Kind.QUANTITY_CHANGE))),
            ("Walls", ((0, "open_interest.call_wall", Kind.STRIKE), (1, "open_interest.put_wall", Kind.STRIKE))),
            ("Chain band, 11 strikes", ((0, "open_interest.put_call_band", Kind.TEXT),
                                      (2, "open_interest.put_call_ratio_window", Kind.RATIO))),
            ("Max pain, distance %", ((0, "open_interest.max_pain", Kind.STRIKE),
                                      (1, "open_interest.max_pain_distance_pct", Kind.PERCENT))),
        ),
    ),
    Card(
        "Readiness", 17, ((19, ""),),
        (
            ("TRS", ((0, "readiness.readiness", Kind.ANY),)),
            ("Action", ((0, "readiness.action", Kind.TEXT),)),
            ("Direction", ((0, "readiness.direction", Kind.TEXT),)),
            ("Structure", ((0, "readiness.structure", Kind.ANY),)),
            ("Trigger", ((0, "readiness.trigger", Kind.ANY),)),
            ("Stability", ((0, "readiness.stability", Kind.ANY),)),
            ("Time", ((0, "readiness.time", Kind.ANY),)),
        ),
    ),
    Card(
        "Flow (+ support)", 22, ((24, "last"), (25, "EWMA")),
        (
            ("Net", ((0, "flow.net_flow", Kind.QUANTITY_CHANGE), (1, "flow.ewma_net", Kind.QUANTITY_CHANGE))),
            ("ATM-weighted", ((0, "flow.atm_flow", Kind.QUANTITY_CHANGE),
                              (1, "flow.ewma_atm", Kind.QUANTITY_CHANGE))),
            ("Delta-weighted", ((0, "flow.delta_flow", Kind.QUANTITY_CHANGE),
                                (1, "flow.ewma_delta", Kind.QUANTITY_CHANGE))),
            ("Flow %", ((1, "flow.flow_pct", Kind.PERCENT),)),
            ("Regime, since", ((0, "flow.regime", Kind.TEXT), (1, "flow.regime_since", Kind.TIME))),
            ("Flips, OI steps", ((0, "flow.flips", Kind.COUNT), (1, "flow.steps", Kind.COUNT))),
            ("Trigger event", ((0, "readiness.top_event", Kind.TEXT),)),
        ),
    ),
    Card(
        "Data", 31, ((33, ""),),
        (
            ("Price time", ((0, "price.price_time", Kind.TIME),)),
            ("OI time", ((0, "price.open_interest_time", Kind.TIME),)),
            ("Legs seen %", ((0, "price.coverage", Kind.SHARE),)),
            ("Without IV", ((0, "price.legs_without_iv", Kind.COUNT),)),
            ("Lot size", ((0, "row.lot_size", Kind.COUNT),)),
            ("Status", ((0, "row.status", Kind.TEXT),)),
            ("Volatility", ((0, "row.volatility_status", Kind.TEXT),)),
        ),
    ),
)  # fmt: skip

_LATER = ("row.volatility_status", "settlement.", "straddle.", "volatility.", "volatility_rank.")
"""Tables that the cards did not show at first. A user's workbook lists the cells of its head and takes no others."""

_EXPOSURE = Card(
    "Exposure, ₹ crore", 27, ((29, ""), (30, "this expiry")),
    (
        ("GEX / 1 %", ((1, "exposure.gex", Kind.CRORE),)),
        ("γ regime", ((0, "exposure.regime", Kind.TEXT),)),
        ("Flip: %, at", ((0, "exposure.gamma_flip_distance_pct", Kind.PERCENT),
                         (1, "exposure.gamma_flip", Kind.PRICE))),
        ("γ walls: C, P", ((0, "exposure.call_gamma_wall", Kind.STRIKE),
                           (1, "exposure.put_gamma_wall", Kind.STRIKE))),
        ("DEX", ((1, "exposure.dex", Kind.CRORE),)),
        ("VEX / vol point", ((1, "exposure.vex", Kind.CRORE),)),
        ("CEX / day", ((1, "exposure.cex", Kind.CRORE),)),
        ("Convention", ((0, "exposure.convention", Kind.TEXT),)),
    ),
)  # fmt: skip
_FUTURES = ("Futures, OI change %", 11, (
    Value(_LAST_CARD_ROW, 14, "build_up.build_up", Kind.TEXT),
    Value(_LAST_CARD_ROW, 15, "build_up.future_open_interest_change_pct", Kind.MOVE),
))  # fmt: skip
"""Last line of the card of open interest."""


def _heads(underlying: str) -> tuple[Cells, ...]:
    """The cells of the cards: those of the head at first, and what came later."""
    values = [value for card in _CARDS for value in card.values(_HEAD_ROW)]
    return (
        Cells(f"{underlying}_head", tuple(v for v in values if not v.source.startswith(_LATER))),
        Cells(f"{underlying}_volatility", tuple(v for v in values if v.source.startswith(_LATER))),
        Cells(f"{underlying}_exposure", _EXPOSURE.values(_HEAD_ROW)),
        Cells(f"{underlying}_futures", _FUTURES[2]),
    )


def index_sheet(underlying: str) -> Sheet:
    """The sheet of one index."""
    chain = Table(f"{underlying}_chain", _CHAIN_HEADER, 1, CHAIN, CHAIN_ROWS)
    window, whole = chain.last_row + 1, chain.last_row + 2
    scan = Table(f"{underlying}_scan", _CHAIN_HEADER, _SCAN_COLUMN, _SCAN, _SCAN_ROWS)
    ignored = Table(f"{underlying}_ignored", scan.last_row + 2, _SCAN_COLUMN, _IGNORED, _IGNORED_ROWS)
    full = Table(f"{underlying}_scan_full", whole + 4, 1, _FULL, _FULL_ROWS)
    trail = Table(f"{underlying}_trail", _CHAIN_HEADER, _TRAIL_COLUMN, _TRAIL, MOST_POINTS)
    return Sheet(
        name=underlying,
        title=f"{underlying} chain",
        widths=_WIDTHS,
        tables=(chain, scan, ignored, full, trail),
        lines=(
            Line(f"{underlying}_chain_window", chain.name, window),
            Line(f"{underlying}_chain_total", chain.name, whole),
        ),
        cells=(
            band(underlying, _WIDTHS[:_ON_SCREEN]),
            *_heads(underlying),
        ),
        texts=(
            *(text for card in (*_CARDS, _EXPOSURE) for text in card.texts(_HEAD_ROW)),
            Text(_LAST_CARD_ROW, _FUTURES[1], _FUTURES[0], "label"),
            # Most points of each part of TRS, beside the four of them.
            *(Text(_HEAD_ROW + 4 + i, 20, f"of {most}", "label") for i, most in enumerate((40, 30, 20, 10))),
            *(Text(_SPARK_ROW, column, label, "label") for column, label, *_ in _SPARKS),
            Text(whole + 2, 1, "Volume / OI scan, every event", "caption"),
            Text(_CHAIN_HEADER - 2, _TRAIL_COLUMN, "Every five minutes: what the small lines above draw", "caption"),
            Text(whole, _SCAN_COLUMN, "Strike:", "legend"),
            Text(whole, _SCAN_COLUMN + 1, "ATM", "legend-atm"),
            Text(whole, _SCAN_COLUMN + 2, "pain", "legend-pain"),
            Text(whole, _SCAN_COLUMN + 3, "call wall", "legend-call"),
            Text(whole, _SCAN_COLUMN + 4, "flip", "legend-flip"),
            Text(whole, _SCAN_COLUMN + 6, "put wall", "legend-put"),
        ),
        sparks=tuple(
            Spark(_SPARK_ROW, column, trail.name, source, least, most)
            for _, _, column, source, least, most in _SPARKS
        ),
        freeze=(BAND_ROWS, 0),
        screen=(whole, _ON_SCREEN),
        printed=_PRINTED,
        heights={row: _HIGH if row == _SPARK_ROW else _LOW for row in range(_HEAD_ROW, whole + 1)},
    )
