"""OI_TRACKER: two underlyings side by side, each a mirrored ladder of open interest against earlier. Data only.

Both halves are alike and know nothing of each other: own names, own expiries, own times, own blocks.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from optionscanner.workbook.formats import Kind
from optionscanner.workbook.grid import (
    BAND_ROWS,
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
WIDE = (30, 15, 10, 5)
"""Minutes of the windows that are always shown, from the outside in."""
NARROW = 3
"""Minutes of the window that is blank unless asked for: it holds one publication of the exchange or none."""
SHOWN = (*WIDE, NARROW)

_TITLE_ROW = BAND_ROWS + 1
_BAR_ROW = _TITLE_ROW + 1
"""First of the three rows of the information bar."""
_MORE_ROW = _BAR_ROW + 3
"""Heads of what stands below the bar."""
_MORE_ROWS = 5
_LIMIT_ROW = _MORE_ROW + _MORE_ROWS + 1
_HEADER_ROW = _LIMIT_ROW + 2

_CHANGES = (
    *(
        (f"{w}M", f"pct_{w}", Kind.MOVE, "%", f"change of open interest over {w} minutes; white on red beyond the "
         f"limit above{'; off unless CONTROL_OI_3M is YES' * (w == NARROW)}")
        for w in SHOWN
    ),
    ("Day", "pct_day", Kind.MOVE, "%", "change of open interest since the previous close, else the open"),
)  # fmt: skip
_WIDTH, _WIDTH_OFF = 6.0, 5.0


def _side(side: str, role: Role) -> tuple[Column, ...]:
    """From the outside in."""
    changes = (
        Column(head, _WIDTH_OFF if head == f"{NARROW}M" else _WIDTH, f"{side}.{what}", kind, unit, role, note=note)
        for head, what, kind, unit, note in _CHANGES
    )
    return (
        *changes,
        Column("OI", 9, f"{side}.open_interest", Kind.QUANTITY, "", role),
        Column("Price", 8, f"{side}.last", Kind.PRICE, "₹", role),
    )


LADDER = (
    *_side("call", Role.CALL),
    Column("Strike", 9, "chain.strike", Kind.STRIKE, "₹", Role.STRIKE),
    *reversed(_side("put", Role.PUT)),
)
_WIDTHS = side_by_side(LADDER, LADDER)
_OUTER = len(SHOWN) + 1
"""Narrow columns on each side of a ladder; inside of them stand OI, price and strike, wide enough for prices."""

_ADDED = tuple(reversed(WIDE))
"""Windows of what the whole chain added, above their columns of the puts."""
_HEAD: tuple[tuple[str, int, int, Kind], ...] = (
    # source, row below the bar's first, column of the half, kind. A block never gets cells, and keeps their order.
    ("price.spot", 0, _OUTER, Kind.PRICE),
    ("price.spot_change", 0, _OUTER + 1, Kind.CHANGE),
    ("price.spot_change_pct", 0, _OUTER + 2, Kind.PERCENT),
    ("build_up.future_price", 1, _OUTER, Kind.PRICE),
    ("build_up.price_change_pct", 1, _OUTER + 2, Kind.PERCENT),
    ("build_up.build_up", 4, _OUTER, Kind.WORD),
    ("build_up.future_open_interest_change_pct", 4, _OUTER + 2, Kind.PERCENT),
    ("price.atm_strike", 2, _OUTER, Kind.STRIKE),
    ("price.straddle", 2, _OUTER + 1, Kind.PRICE),
    ("row.expiry", 7, _OUTER, Kind.DATE),
    ("row.days", 0, 2, Kind.DAYS),
    ("open_interest.put_call_ratio_window", 0, _OUTER + 5, Kind.RATIO),
    ("open_interest.put_call_band_window", 0, _OUTER + 6, Kind.TEXT),
    ("open_interest.put_call_ratio", 1, _OUTER + 5, Kind.RATIO),
    ("open_interest.put_call_band", 1, _OUTER + 6, Kind.TEXT),
    ("open_interest.put_call_ratio_volume", 2, _OUTER + 5, Kind.RATIO),
    ("open_interest.max_pain", 5, _OUTER, Kind.STRIKE),
    ("open_interest.max_pain_distance_pct", 5, _OUTER + 2, Kind.PERCENT),
    ("open_interest.call_wall", 6, _OUTER, Kind.STRIKE),
    ("open_interest.put_wall", 6, _OUTER + 1, Kind.STRIKE),
    *(
        (f"open_interest_change.{side}_change_{w}", 4 + row, _OUTER + 7 + i, Kind.QUANTITY_CHANGE)
        for row, side in enumerate(("call", "put"))
        for i, w in enumerate(_ADDED)
    ),
    *((f"open_interest_change.breaches_{w}", 6, _OUTER + 7 + i, Kind.COUNT) for i, w in enumerate(_ADDED)),
    ("open_interest_change.trend_5", 7, _OUTER + 7, Kind.TEXT),
    ("open_interest_change.trend_day", 7, _OUTER + 9, Kind.TEXT),
    ("build_up.option_rollover_pct", 8, _OUTER + 7, Kind.RATIO),
)
_LABELS = (
    # row below the bar's first, column of the half, words
    (0, 0, "Days left"), (1, 0, "India VIX"),
    (0, 3, "Spot, change, %"), (1, 3, "Nearest future, %"), (2, 3, "ATM, straddle"),
    (0, 9, "PCR OI, 11 strikes"), (1, 9, "PCR OI, chain"), (2, 9, "PCR volume"),
    (4, 3, "Build-up, OI %"), (5, 3, "Max pain, %"), (6, 3, "OI walls: call, put"), (7, 3, "Expiry"),
    (4, 9, "Calls"), (5, 9, "Puts"), (6, 9, "Legs beyond limit"), (7, 9, "Trend 5 min, day"), (8, 9, "Rollover %"),
)  # fmt: skip
LABEL_COLUMNS = tuple(sorted({at for _, at, _ in _LABELS}))
"""Columns of a half in which labels begin."""


@dataclass(frozen=True, slots=True)
class Half:
    """One of the two sides: what its blocks are called, and where it begins."""

    name: str
    """`tracker_left` or `tracker_right`."""
    column: int

    @property
    def chain(self) -> Table:
        """The ladder."""
        return Table(f"{self.name}_chain", _HEADER_ROW, self.column, LADDER, 2 * SIDE + 1)

    def _limits(self, name: str, windows: tuple[int, ...]) -> Cells:
        """Limits of windows, each above its column, calls then puts."""
        chain = self.chain
        return Cells(
            f"{self.name}_{name}",
            tuple(
                Value(_LIMIT_ROW, chain.column_of(f"{side}.pct_{w}"), f"limit.{w}", Kind.EXACT)
                for side in ("call", "put")
                for w in windows
            ),
        )

    @property
    def title(self) -> Cells:
        """Name with expiry, what is wrong with it, when it was updated."""
        return Cells(
            f"{self.name}_title",
            (
                Value(_TITLE_ROW, self.column, "tracked.title", Kind.TEXT, "tick"),
                Value(_TITLE_ROW, self.column + 4, "tracked.status", Kind.TEXT),
                Value(_TITLE_ROW, self.column + 9, "tracked.time", Kind.TEXT),
            ),
        )

    @property
    def head(self) -> Cells:
        """The information bar and what stands below it."""
        values = (Value(_BAR_ROW + row, self.column + at, source, kind) for source, row, at, kind in _HEAD)
        return Cells(f"{self.name}_head", tuple(values))

    @property
    def limits(self) -> tuple[Cells, Cells]:
        """Limits of the windows that are always shown, and of the one that is not."""
        return self._limits("limits", WIDE), self._limits(f"limits_{NARROW}", (NARROW,))

    @property
    def volatility(self) -> Cells:
        """India VIX."""
        return Cells(f"{self.name}_vix", (Value(_BAR_ROW + 1, self.column + 2, "tracked.vix", Kind.RATIO),))

    @property
    def cells(self) -> tuple[Cells, ...]:
        """Everything above the ladder."""
        return self.title, self.head, self.volatility, *self.limits

    @property
    def texts(self) -> tuple[Text, ...]:
        """Words of the bar and beside the limits."""
        words = [Text(_BAR_ROW + row, self.column + at, text, "label") for row, at, text in _LABELS]
        heads = {self.column + 3: "Open interest", self.column + 9: "Chain added"}
        words += [Text(_MORE_ROW, c, heads.get(c, ""), "card") for c in range(self.column, self.column + _OUTER + 7)]
        words += [Text(_MORE_ROW, self.column + _OUTER + 7 + i, f"{w}M", "card-head") for i, w in enumerate(_ADDED)]
        return (*words, Text(_LIMIT_ROW, self.chain.column_of("chain.strike"), "limits %", "legend"))


HALVES = (Half("tracker_left", 1), Half("tracker_right", len(LADDER) + 2))

OI_TRACKER = Sheet(
    name=TRACKER,
    title="Open interest, two underlyings",
    widths=_WIDTHS,
    tables=tuple(half.chain for half in HALVES),
    lines=tuple(Line(f"{half.name}_total", half.chain.name, half.chain.last_row + 1) for half in HALVES),
    cells=(replace(band(TRACKER, _WIDTHS), name="tracker_band"), *(cells for half in HALVES for cells in half.cells)),
    texts=(
        *(text for half in HALVES for text in half.texts),
        Text(_HEADER_ROW + 2 * SIDE + 4, 1, "Windows end at the newest publication of open interest and stand until "
             "the next; blank until covered. Strike and price: green in the money, cyan at the money, red out of it.",
             "label"),
        Text(_HEADER_ROW + 2 * SIDE + 5, 1, "Below a ladder: sums of the strikes shown, and puts over calls. Names, "
             "expiries, per cent or units and the 3-minute column are chosen on CONTROL.", "label"),
    ),
    freeze=(BAND_ROWS, 0),
    printed=_HEADER_ROW + 2 * SIDE + 5,
    screen=(_HEADER_ROW + 2 * SIDE + 2, len(_WIDTHS)),
)  # fmt: skip
