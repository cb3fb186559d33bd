"""DRILLDOWN: everything about one picked name, now or as of an earlier time of the day. Data only.

Cards and the chain around the money on the left, charts on the right; below the fold the whole chain. What the charts
draw stands beyond the screen, in blocks whose size never changes: rows without a strike or a moment stay blank.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from optionscanner.model.control import DRILL_AS_OF, DRILL_EXPIRY, DRILL_SYMBOL, Expiry
from optionscanner.model.trails import MOST_POINTS
from optionscanner.workbook.formats import Kind
from optionscanner.workbook.grid import (
    BAND_ROWS,
    GAP,
    Card,
    Cells,
    Column,
    Input,
    Line,
    Role,
    Sheet,
    Table,
    Text,
    Value,
    band,
    side_by_side,
)
from optionscanner.workbook.layout_index import PICKED

SIDE = 10
"""Strikes on each side of the money in the chain that is seen at once."""
DRAWN_SIDE = 20
"""Strikes on each side of the money that charts draw."""
WHOLE_ROWS = 200
"""Strikes of the longest chain."""
SIGNALS = 3
"""Newest signals of the name."""
LEVELS = 18
"""Places for price levels."""

_LOW = 12.75
"""Points of the rows below the band: 17 pixels."""
_PICK_ROW = BAND_ROWS + 1
_CARD_ROW = _PICK_ROW + 1
_CONVENTION_ROW = _CARD_ROW + 8
_SIGNAL_ROW = _CONVENTION_ROW + 1
_HEADER_ROW = _SIGNAL_ROW + SIGNALS + 1
_CHAIN_ROWS = 2 * SIDE + 1
_WHOLE_HEADER = _HEADER_ROW + _CHAIN_ROWS + 6

_SIDE = (
    # header, width, what, kind, unit: from the outside in
    ("OI", 9, "open_interest", Kind.QUANTITY, ""),
    ("Chg OI", 8, "change_in_open_interest", Kind.QUANTITY_CHANGE, ""),
    ("Volume", 8, "volume", Kind.QUANTITY, ""),
    ("IV", 5, "implied_volatility", Kind.VOLATILITY, "%"),
    ("Delta", 6, "delta", Kind.DELTA, ""),
    ("Gamma", 8, "gamma", Kind.GAMMA, "1/₹"),
    ("Theta", 7, "theta", Kind.RATIO, "₹ / day"),
    ("Vega", 6, "vega", Kind.RATIO, "₹ / pt"),
    ("LTP", 8, "last", Kind.PRICE, "₹"),
)
_MORE_SIDE = (
    *((f"{w}M", 8, f"change_{w}", Kind.QUANTITY_CHANGE, "") for w in (30, 15, 10, 5)),
    ("Vanna", 9, "vanna", Kind.GAMMA, "1/pt"),
    ("Charm", 9, "charm", Kind.GAMMA, "1/day"),
    ("GEX", 8, "gex", Kind.CRORE, "₹ cr / 1 %"),
    ("DEX", 8, "dex", Kind.CRORE, "₹ cr"),
    ("VEX", 8, "vex", Kind.CRORE, "₹ cr / pt"),
    ("CEX", 8, "cex", Kind.CRORE, "₹ cr / day"),
    ("Bid", 8, "bid", Kind.PRICE, "₹"),
    ("Ask", 8, "ask", Kind.PRICE, "₹"),
)

_STRIKE = Column("Strike", 9, "chain.strike", Kind.STRIKE, "₹", Role.STRIKE)


def _mirrored(side: tuple[tuple[str, float, str, Kind, str], ...]) -> tuple[Column, ...]:
    """Calls, strike, puts."""
    return (
        *(Column(h, w, f"call.{what}", kind, unit, Role.CALL) for h, w, what, kind, unit in side),
        _STRIKE,
        *(Column(h, w, f"put.{what}", kind, unit, Role.PUT) for h, w, what, kind, unit in reversed(side)),
    )


CHAIN, MORE = _mirrored(_SIDE), _mirrored(_MORE_SIDE)

STRIKES = (
    _STRIKE,
    Column("Call OI", 10, "call.open_interest", Kind.QUANTITY, "", Role.CALL),
    Column("Put OI", 10, "put.open_interest", Kind.QUANTITY, "", Role.PUT),
    Column("Call chg", 10, "call.added", Kind.QUANTITY_CHANGE, "", Role.CALL),
    Column("Put chg", 10, "put.added", Kind.QUANTITY_CHANGE, "", Role.PUT),
    Column("Call GEX", 10, "call.gex", Kind.CRORE, "₹ cr / 1 %", Role.CALL),
    Column("Put GEX", 10, "put.gex", Kind.CRORE, "₹ cr / 1 %", Role.PUT),
    Column("Net GEX", 10, "drill.gex", Kind.CRORE, "₹ cr / 1 %"),
    Column("Spot", 7, "mark.spot", Kind.COUNT, "0 = here"),
    Column("Flip", 7, "mark.flip", Kind.COUNT, "0 = here"),
    Column("Call wall", 8, "mark.call_wall", Kind.COUNT, "0 = here"),
    Column("Put wall", 8, "mark.put_wall", Kind.COUNT, "0 = here"),
    Column("Net DEX", 10, "drill.dex", Kind.CRORE, "₹ cr"),
    Column("Net VEX", 10, "drill.vex", Kind.CRORE, "₹ cr / pt"),
    Column("Net CEX", 10, "drill.cex", Kind.CRORE, "₹ cr / day"),
    Column("IV", 7, "drill.volatility", Kind.VOLATILITY, "%"),
    Column("IV at open", 9, "drill.volatility_open", Kind.VOLATILITY, "%"),
    Column("Pain", 12, "drill.pain", Kind.CRORE, "₹ cr"),
)  # fmt: skip

TRAIL = (
    Column("Time", 8, "trail.at", Kind.TIME, "IST"),
    Column("Spot", 10, "price.spot", Kind.PRICE, "₹"),
    Column("Future", 10, "build_up.future_price", Kind.PRICE, "₹"),
    Column("VWAP", 10, "build_up.future_vwap", Kind.PRICE, "₹, future"),
    Column("Volume", 10, "trail.volume", Kind.QUANTITY),
    Column("Straddle", 9, "price.straddle", Kind.PRICE, "₹"),
    Column("Its VWAP", 9, "straddle.vwap", Kind.PRICE, "₹, straddle"),
    Column("PCR", 7, "open_interest.put_call_ratio", Kind.RATIO, "OI"),
)

CHART_COLUMNS = 4
"""Columns under one chart."""
_CHART_WIDTH = 12.71
_TITLE = "chart-title"
CHART_PIXELS = (374, 203)
"""Of a chart that thirteen rows are kept for, its title included."""
LOWEST_PIXELS = 186
"""Height of the lowest charts that are seen at once."""

_LEFT = side_by_side(CHAIN)
_FIRST_CHART = len(_LEFT) + 2
_ON_SCREEN = _FIRST_CHART + 2 * CHART_COLUMNS - 1
_MORE_COLUMN = _ON_SCREEN + 2
_STRIKES_COLUMN = _MORE_COLUMN + len(MORE) + 1
_TRAIL_COLUMN = _STRIKES_COLUMN + len(STRIKES) + 1
_WIDTHS = (
    *_LEFT, GAP, *([_CHART_WIDTH] * (2 * CHART_COLUMNS)), GAP, *side_by_side(MORE, STRIKES, TRAIL),
)  # fmt: skip

DRILL_CHAIN = Table("drill_chain", _HEADER_ROW, 1, CHAIN, _CHAIN_ROWS)
DRILL_MORE = Table("drill_more_chain", _HEADER_ROW, _MORE_COLUMN, MORE, _CHAIN_ROWS)
DRILL_STRIKES = Table("drill_strikes", _HEADER_ROW, _STRIKES_COLUMN, STRIKES, 2 * DRAWN_SIDE + 1)
DRILL_TRAIL = Table("drill_trail", _HEADER_ROW, _TRAIL_COLUMN, TRAIL, MOST_POINTS)
DRILL_WHOLE = Table("drill_whole_chain", _WHOLE_HEADER, 1, CHAIN, WHOLE_ROWS)
WINDOW_LINE, WHOLE_LINE = "drill_chain_window", "drill_chain_total"


@dataclass(frozen=True, slots=True)
class Drawn:
    """One chart, with its title in the cell above it: not every spreadsheet takes a title from a cell."""

    name: str
    row: int
    """Of the title; the chart begins below."""
    column: int


_CHART_ROWS = (_PICK_ROW, _PICK_ROW + 13, _PICK_ROW + 26, _WHOLE_HEADER - 2, _WHOLE_HEADER + 11)
CHARTS = tuple(
    Drawn(name, _CHART_ROWS[i // 2], _FIRST_CHART + CHART_COLUMNS * (i % 2))
    for i, name in enumerate(
        ("price", "open_interest", "change", "gex", "smile", "straddle", "dex", "vex", "cex", "pain")
    )
)
"""Left to right, top to bottom; the last four are below the fold."""

_CARDS = (
    Card(
        "Price", 1, ((2, "₹"), (3, "±"), (4, "%")),
        (
            ("Spot", ((0, "price.spot", Kind.PRICE), (1, "price.spot_change", Kind.CHANGE),
                      (2, "price.spot_change_pct", Kind.PERCENT))),
            ("Future", ((0, "build_up.future_price", Kind.PRICE), (2, "build_up.price_change_pct", Kind.PERCENT))),
            ("VWAP", ((0, "build_up.future_vwap", Kind.PRICE),)),
            ("Build-up", ((0, "build_up.build_up", Kind.WORD),
                          (1, "build_up.future_open_interest_change_pct", Kind.PERCENT))),
            ("Expiry", ((0, "row.expiry", Kind.DATE), (1, "row.days", Kind.DAYS))),
            ("ATM/MP", ((0, "price.atm_strike", Kind.STRIKE), (1, "open_interest.max_pain", Kind.STRIKE))),
            ("Straddle", ((0, "price.straddle", Kind.PRICE), (1, "price.atm_iv", Kind.VOLATILITY),
                          (2, "price.atm_iv_change", Kind.VOLATILITY_CHANGE))),
        ),
    ),
    Card(
        "Readiness", 5, ((7, ""), (8, "")),
        (
            ("TRS", ((0, "readiness.readiness", Kind.ANY),)),
            ("Action", ((0, "readiness.action", Kind.TEXT),)),
            ("Direction", ((0, "readiness.direction", Kind.TEXT),)),
            ("Structure, of 40", ((0, "readiness.structure", Kind.ANY),)),
            ("Trigger, of 30", ((0, "readiness.trigger", Kind.ANY),)),
            ("Stability, of 20", ((0, "readiness.stability", Kind.ANY),)),
            ("Time, of 10", ((0, "readiness.time", Kind.ANY),)),
        ),
    ),
    Card(
        "Dealers", 9, ((10, "₹ crore"), (11, "this expiry")),
        (
            ("GEX", ((0, "exposure.gex", Kind.CRORE), (1, "exposure.regime", Kind.TEXT))),
            ("DEX", ((0, "exposure.dex", Kind.CRORE),)),
            ("VEX, at", ((0, "exposure.vex", Kind.CRORE), (1, "drill.vex_strikes", Kind.TEXT))),
            ("CEX", ((0, "exposure.cex", Kind.CRORE),)),
            ("Flip, %", ((0, "exposure.gamma_flip", Kind.PRICE),
                         (1, "exposure.gamma_flip_distance_pct", Kind.PERCENT))),
            ("γ walls", ((0, "exposure.call_gamma_wall", Kind.STRIKE), (1, "exposure.put_gamma_wall", Kind.STRIKE))),
            ("OI walls", ((0, "open_interest.call_wall", Kind.STRIKE), (1, "open_interest.put_wall", Kind.STRIKE))),
        ),
    ),
)  # fmt: skip

_WORDS = ("exposure.regime", "drill.vex_strikes")
DRILL_CARD_COLUMNS = frozenset(card.label for card in _CARDS)
"""Columns of the labels."""
_LEVEL_COLUMNS = (13, 17)
"""Names of the two columns of levels; prices and distances stand beside them."""


def _head() -> tuple[Value, ...]:
    """Values of the cards; words beside a number keep a distance from it."""
    values = (value for card in _CARDS for value in card.values(_CARD_ROW))
    return tuple(replace(v, style="after") if v.source in _WORDS else v for v in values)


def _levels() -> tuple[Value, ...]:
    """Name, price and distance of each place, down the first column of levels, then down the second."""
    found = []
    for i in range(LEVELS):
        column, row = _LEVEL_COLUMNS[i // (LEVELS // 2)], _CARD_ROW + 1 + i % (LEVELS // 2)
        found += [
            Value(row, column, f"level.{i}.name", Kind.TEXT),
            Value(row, column + 1, f"level.{i}.price", Kind.PRICE),
            Value(row, column + 2, f"level.{i}.distance", Kind.PERCENT),
        ]
    return tuple(found)


def _signals() -> tuple[Value, ...]:
    """Time, kind and reason of each signal."""
    return tuple(
        Value(_SIGNAL_ROW + i, column, f"signal.{i}.{what}", kind)
        for i in range(SIGNALS)
        for column, what, kind in ((1, "at", Kind.TIME), (2, "alert", Kind.TEXT), (5, "reason", Kind.TEXT))
    )


def _card_fillers() -> tuple[Text, ...]:
    """Carry the title's colour across the row of the cards and levels."""
    words = [text for card in _CARDS for text in card.texts(_CARD_ROW) if text.row == _CARD_ROW]
    for column, word in zip(_LEVEL_COLUMNS, ("Levels", "by price"), strict=True):
        words += [Text(_CARD_ROW, column, word, "card"), Text(_CARD_ROW, column + 1, "₹", "card-head"),
                  Text(_CARD_ROW, column + 2, "%", "card-head")]  # fmt: skip
    titled = {text.column for text in words}
    return tuple(words) + tuple(
        Text(_CARD_ROW, column, "", "card") for column in range(1, len(CHAIN) + 1) if column not in titled
    )


_SYMBOLS = ("stocks", "row.name")

DRILLDOWN = Sheet(
    name=PICKED,
    title="Picked symbol",
    widths=_WIDTHS,
    tables=(DRILL_CHAIN, DRILL_MORE, DRILL_STRIKES, DRILL_TRAIL, DRILL_WHOLE),
    lines=(
        Line(WINDOW_LINE, DRILL_CHAIN.name, DRILL_CHAIN.last_row + 1),
        Line(WHOLE_LINE, DRILL_CHAIN.name, DRILL_CHAIN.last_row + 2),
    ),
    cells=(
        replace(band(PICKED, _WIDTHS[:_ON_SCREEN]), name="drill_band"),
        Cells("drill_moment", (Value(_PICK_ROW, 10, "drill.as_of", Kind.TEXT, "tick"),)),
        Cells("drill_head", _head()),
        Cells("drill_levels", _levels()),
        Cells("drill_signals", _signals()),
        Cells("drill_words", (Value(_CONVENTION_ROW, 1, "drill.convention", Kind.TEXT, "units"),)),
        Cells("drill_titles", tuple(Value(c.row, c.column, f"title.{c.name}", Kind.TEXT, _TITLE) for c in CHARTS)),
    ),
    inputs=(
        Input(DRILL_SYMBOL, _PICK_ROW, 2, Kind.TEXT, offers=_SYMBOLS,
              hint="A stock or an index of the source. The same as Symbol of DRILLDOWN on CONTROL."),
        Input(DRILL_EXPIRY, _PICK_ROW, 6, Kind.TEXT, choices=tuple(Expiry),
              hint="THIS, NEXT or MONTH. The same as DRILLDOWN expiry on CONTROL."),
        Input(DRILL_AS_OF, _PICK_ROW, 9, Kind.MOMENT,
              hint="now, or a time of today such as 11:42: the sheet then shows that moment. The same as DRILLDOWN as "
              "of on CONTROL, where the answer stands."),
    ),
    texts=(
        Text(_PICK_ROW, 1, "Symbol", "label"),
        Text(_PICK_ROW, 4, "Expiry", "label"),
        Text(_PICK_ROW, 7, "As of", "label"),
        *_card_fillers(),
        *(text for card in _CARDS for text in card.texts(_CARD_ROW) if text.row != _CARD_ROW),
        Text(_WHOLE_HEADER - 2, 1, "The whole chain", "caption"),
        Text(_HEADER_ROW - 2, _MORE_COLUMN, "More of the strikes on the left", "caption"),
        Text(_HEADER_ROW - 2, _STRIKES_COLUMN, "What the charts by strike draw", "caption"),
        Text(_HEADER_ROW - 2, _TRAIL_COLUMN, "What the charts of the day draw, every five minutes", "caption"),
    ),
    freeze=(BAND_ROWS, 0),
    screen=(DRILL_CHAIN.last_row + 2, _ON_SCREEN),
    printed=DRILL_CHAIN.last_row + 2,
    heights=dict.fromkeys(range(_PICK_ROW, DRILL_CHAIN.last_row + 3), _LOW),
    outlined=(_MORE_COLUMN, _MORE_COLUMN + len(MORE) - 1),
)  # fmt: skip
