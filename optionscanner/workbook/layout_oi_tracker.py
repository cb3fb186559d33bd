"""OI_TRACKER: two underlyings side by side, each a mirrored ladder of open interest against earlier. Data only.

Both halves are alike and know nothing of each other: own names, own times, own blocks.
"""

from __future__ import annotations

from dataclasses import dataclass

from optionscanner.workbook.formats import Kind
from optionscanner.workbook.grid import (
    BAND_ROWS,
    Card,
    Cells,
    Column,
    Line,
    Role,
    Sheet,
    Table,
    Text,
    Value,
    band,
    side_by_side,
)

TRACKER = "OI_TRACKER"
SIDE = 5
"""Strikes on each side of ATM."""
SHOWN = (30, 15, 10, 5)
"""Minutes of the windows from the outside in; 3 is computed and not shown: it holds one publication or none."""

_HEAD_ROW = BAND_ROWS + 1
_CARD_ROW = _HEAD_ROW + 1
_CARD_ROWS = 5
_LIMIT_ROW = _CARD_ROW + _CARD_ROWS + 2
_HEADER_ROW = _LIMIT_ROW + 2

_CHANGES = (
    *(
        (f"{w}M", f"pct_{w}", Kind.MOVE, "%",
         f"change of open interest over {w} minutes; white on red beyond the limit above")
        for w in SHOWN
    ),
    ("Day", "pct_day", Kind.MOVE, "%", "change of open interest since the previous close, else the open"),
)  # fmt: skip


def _side(side: str, role: Role) -> tuple[Column, ...]:
    """From the outside in."""
    return (
        *(Column(h, 7, f"{side}.{what}", kind, unit, role, note=note) for h, what, kind, unit, note in _CHANGES),
        Column("OI", 9, f"{side}.open_interest", Kind.QUANTITY, "", role),
        Column("Price", 8, f"{side}.last", Kind.PRICE, "₹", role),
    )


LADDER = (
    *_side("call", Role.CALL),
    Column("Strike", 9, "chain.strike", Kind.STRIKE, "₹", Role.STRIKE),
    *reversed(_side("put", Role.PUT)),
)
_WIDE = len(LADDER)
_WIDTHS = side_by_side(LADDER, LADDER)


@dataclass(frozen=True, slots=True)
class Half:
    """One of the two sides: what its blocks are called, and where it begins."""

    name: str
    """`oi_left` or `oi_right`."""
    column: int

    @property
    def chain(self) -> Table:
        """The ladder."""
        return Table(f"{self.name}_chain", _HEADER_ROW, self.column, LADDER, 2 * SIDE + 1)

    @property
    def cards(self) -> tuple[Card, ...]:
        """Price, ratios and what the whole chain added."""
        c = self.column
        return (
            Card(
                "Price", c, ((c + 2, "₹"), (c + 3, "±"), (c + 4, "%")),
                (
                    ("Spot", ((0, "price.spot", Kind.PRICE), (1, "price.spot_change", Kind.CHANGE),
                              (2, "price.spot_change_pct", Kind.PERCENT))),
                    ("Nearest future", ((0, "build_up.future_price", Kind.PRICE),
                                        (2, "build_up.price_change_pct", Kind.PERCENT))),
                    ("Build-up, OI", ((0, "build_up.build_up", Kind.WORD),
                                  (2, "build_up.future_open_interest_change_pct", Kind.PERCENT))),
                    ("ATM, straddle", ((0, "price.atm_strike", Kind.STRIKE), (1, "price.straddle", Kind.PRICE))),
                    ("Expiry, days", ((0, "row.expiry", Kind.DATE), (2, "row.days", Kind.DAYS))),
                ),
            ),
            Card(
                "Put-call ratio", c + 5, ((c + 7, ""), (c + 8, "")),
                (
                    ("OI, 11 strikes", ((0, "open_interest.put_call_ratio_window", Kind.RATIO),
                                        (1, "open_interest.put_call_band_window", Kind.TEXT))),
                    ("OI, chain", ((0, "open_interest.put_call_ratio", Kind.RATIO),
                                   (1, "open_interest.put_call_band", Kind.TEXT))),
                    ("Volume", ((0, "open_interest.put_call_ratio_volume", Kind.RATIO),)),
                    ("Max pain, %", ((0, "open_interest.max_pain", Kind.STRIKE),
                                     (1, "open_interest.max_pain_distance_pct", Kind.PERCENT))),
                    ("OI walls", ((0, "open_interest.call_wall", Kind.STRIKE),
                                  (1, "open_interest.put_wall", Kind.STRIKE))),
                ),
            ),
            Card(
                "Chain added", c + 9, tuple((c + 11 + i, f"{w}M") for i, w in enumerate(reversed(SHOWN))),
                (
                    *(
                        (f"{side}s", tuple((i, f"open_interest_change.{side.lower()}_change_{w}", Kind.QUANTITY_CHANGE)
                                           for i, w in enumerate(reversed(SHOWN))))
                        for side in ("Call", "Put")
                    ),
                    ("Beyond limit", tuple((i, f"open_interest_change.breaches_{w}", Kind.COUNT)
                                           for i, w in enumerate(reversed(SHOWN)))),
                    ("Trend, day", ((0, "open_interest_change.trend_5", Kind.TEXT),
                                    (2, "open_interest_change.trend_day", Kind.TEXT))),
                    ("Rollover %", ((0, "build_up.option_rollover_pct", Kind.RATIO),)),
                ),
            ),
        )  # fmt: skip

    @property
    def limits(self) -> Cells:
        """Limits of the windows, each above its column, calls then puts."""
        chain = self.chain
        return Cells(
            f"{self.name}_limits",
            tuple(
                Value(_LIMIT_ROW, chain.column_of(f"{side}.pct_{w}"), f"limit.{w}", Kind.EXACT)
                for side in ("call", "put")
                for w in SHOWN
            ),
        )

    @property
    def cells(self) -> tuple[Cells, ...]:
        """Title and times, cards, limits."""
        title = (
            Value(_HEAD_ROW, self.column, "tracked.title", Kind.TEXT, "tick"),
            Value(_HEAD_ROW, self.column + 5, "tracked.status", Kind.TEXT),
            Value(_HEAD_ROW, self.column + 11, "tracked.time", Kind.TEXT),
        )
        cards = tuple(value for card in self.cards for value in card.values(_CARD_ROW))
        return Cells(f"{self.name}_title", title), Cells(f"{self.name}_head", cards), self.limits

    @property
    def texts(self) -> tuple[Text, ...]:
        """Words of the cards and beside the limits."""
        words = [text for card in self.cards for text in card.texts(_CARD_ROW)]
        titled = {text.column for text in words if text.row == _CARD_ROW}
        free = (column for column in range(self.column, self.column + _WIDE) if column not in titled)
        words += [Text(_CARD_ROW, column, "", "card") for column in free]
        return (*words, Text(_LIMIT_ROW, self.chain.column_of("chain.strike"), "limits %", "legend"))


HALVES = (Half("oi_left", 1), Half("oi_right", _WIDE + 2))

OI_TRACKER = Sheet(
    name=TRACKER,
    title="Open interest, two underlyings",
    widths=_WIDTHS,
    tables=tuple(half.chain for half in HALVES),
    lines=tuple(Line(f"{half.name}_total", half.chain.name, half.chain.last_row + 1) for half in HALVES),
    cells=(band(TRACKER, _WIDTHS), *(cells for half in HALVES for cells in half.cells)),
    texts=(
        *(text for half in HALVES for text in half.texts),
        Text(_HEADER_ROW + 2 * SIDE + 4, 1, "Windows end at the newest publication of open interest and stand until "
             "the next; blank until covered. Strike and price: green in the money, cyan at the money, red out of it.",
             "label"),
    ),
    freeze=(BAND_ROWS, 0),
    printed=_HEADER_ROW + 2 * SIDE + 4,
    screen=(_HEADER_ROW + 2 * SIDE + 2, len(_WIDTHS)),
)  # fmt: skip
