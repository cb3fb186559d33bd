"""DAY_PLAN: what the day begins with, on one screen. Filled before the first prices, final once they are in. Data only.

All tables stand on one grid: three parts with gaps between them, which the first table runs across.
"""

from __future__ import annotations

from optionscanner.workbook.formats import Kind
from optionscanner.workbook.grid import GAP, Cells, Column, Sheet, Table, Text, Value, band, spacer

GAPS, CHANGES, EVENTS, FILES = 18, 9, 8, 8
"""Rows of each table."""

_NAME, _W, _N, _L = 14, 10, 9, 12
_LEFT, _CENTRE = 9, 9
"""Columns of the first two of the three parts below, with a gap between them."""
_WIDTHS = (_NAME, *((_LEFT - 1) * (_W,)), GAP, *(3 * (_N,)), _W, *(5 * (_N,)), GAP, *(3 * (_N,)), _W, _L, _L)

_INDICES = (
    Column("Index", _NAME, "row.name", Kind.TEXT),
    Column("Prev high", _W, "plan.high", Kind.PRICE, "points"),
    Column("Prev low", _W, "plan.low", Kind.PRICE, "points"),
    Column("Prev close", _W, "plan.close", Kind.PRICE, "points"),
    Column("Open", _W, "plan.opened", Kind.PRICE, "points"),
    Column("Gap", _W, "plan.gap", Kind.CHANGE, "points"),
    Column("Gap %", _W, "plan.gap_pct", Kind.PERCENT, "%"),
    Column("Gap/move", _W, "plan.gap_in_moves", Kind.MOVE, "day moves"),
    Column("IV", _W, "plan.volatility", Kind.VOLATILITY, "% a year"),
    spacer(GAP),
    Column("S3", _N, "plan.s3", Kind.PRICE, "points"),
    Column("S2", _N, "plan.s2", Kind.PRICE, "points"),
    Column("S1", _N, "plan.s1", Kind.PRICE, "points"),
    Column("Pivot", _W, "plan.pivot", Kind.PRICE, "points"),
    Column("R1", _N, "plan.r1", Kind.PRICE, "points"),
    Column("R2", _N, "plan.r2", Kind.PRICE, "points"),
    Column("R3", _N, "plan.r3", Kind.PRICE, "points"),
    Column("Day move", _N, "plan.move", Kind.PRICE, "± points"),
    Column("Low", _N, "plan.move_low", Kind.PRICE, "points"),
    spacer(GAP),
    Column("High", _N, "plan.move_high", Kind.PRICE, "points"),
    Column("Expiry", _N, "row.expiry", Kind.DATE, "nearest"),
    Column("Days", _N, "row.days", Kind.DAYS, "left"),
    Column("To expiry", _W, "price.expected_move", Kind.PRICE, "± points"),
    Column("Status", _L, "plan.status", Kind.TEXT),
    spacer(_L),
)

_STOCKS = (
    Column("Symbol", _NAME, "row.name", Kind.TEXT, "largest gap"),
    Column("Prev close", _W, "plan.close", Kind.PRICE, "₹"),
    Column("Open", _W, "plan.opened", Kind.PRICE, "₹"),
    Column("Gap %", _W, "plan.gap_pct", Kind.PERCENT, "%"),
    Column("Gap/move", _W, "plan.gap_in_moves", Kind.MOVE, "day moves"),
    Column("Day move", _W, "plan.move", Kind.PRICE, "± ₹"),
    Column("S1", _W, "plan.s1", Kind.PRICE, "₹"),
    Column("Pivot", _W, "plan.pivot", Kind.PRICE, "₹"),
    Column("R1", _W, "plan.r1", Kind.PRICE, "₹"),
)

_HELD = "at the previous session's close"
_PARTICIPANTS = (
    Column("Who", _N, "plan.who", Kind.TEXT, "contracts", note="category of the exchange's participant-wise file"),
    Column("Index fut", _N, "plan.future_index", Kind.COUNT, "net", note=f"index futures, long less short {_HELD}"),
    Column("Idx added", _N, "plan.future_index_added", Kind.COUNT, "contracts",
           note="change of the net index futures over that session"),
    Column("Stock fut", _W, "plan.future_stock", Kind.COUNT, "net", note=f"stock futures, long less short {_HELD}"),
    Column("Stk added", _N, "plan.future_stock_added", Kind.COUNT, "contracts",
           note="change of the net stock futures over that session"),
    Column("Index call", _N, "plan.option_index_call", Kind.COUNT, "net", note=f"index calls, long less short {_HELD}"),
    Column("Index put", _N, "plan.option_index_put", Kind.COUNT, "net", note=f"index puts, long less short {_HELD}"),
    Column("Stock call", _N, "plan.option_stock_call", Kind.COUNT, "net", note=f"stock calls, long less short {_HELD}"),
    Column("Stock put", _N, "plan.option_stock_put", Kind.COUNT, "net", note=f"stock puts, long less short {_HELD}"),
)  # fmt: skip

_CHANGED = (
    Column("Change", _N, "plan.change", Kind.TEXT,
           note="ban in, ban out, in ban, lot, expired, new expiry, new symbol, or gone"),
    Column("Name", _N, "plan.changed", Kind.TEXT, note="symbol, or symbols, that it concerns"),
    spacer(_N),
    Column("What", _W, "plan.detail", Kind.TEXT, note="what it was and what it is"),
    spacer(_L),
    spacer(_L),
)  # fmt: skip

_EVENTS = (
    Column("Date", _N, "plan.date", Kind.DATE, note="day of the event"),
    Column("Symbol", _N, "plan.event_name", Kind.TEXT, note="symbol; MARKET where it concerns all"),
    spacer(_N),
    Column("Event", _W, "plan.event", Kind.TEXT, "your file", note="RESULTS, RBI, DIVIDEND, BONUS, SPLIT, RIGHTS, "
           "EX_DATE, BUDGET or OTHER, from your own file of events"),
    Column("Note", _L, "plan.note", Kind.TEXT, note="in the words of your file"),
    spacer(_L),
)  # fmt: skip

_FILES = (
    Column("Daily file", _N, "plan.kind", Kind.TEXT, note="kind of daily file"),
    spacer(_N),
    spacer(_N),
    Column("State", _W, "plan.state", Kind.WORD, note="there, or MISSING"),
    Column("What it serves", _N, "plan.serves", Kind.TEXT, note="what of it serves the day, or what stays blank"),
    *(spacer(_N) for _ in range(4)),
)

_AT_INDICES, _AT_BELOW = 7, 16
_MIDDLE = _LEFT + 2
_RIGHT = _MIDDLE + _CENTRE + 1
_AT_VERDICT, _AT_FILES, _AT_EVENTS = _AT_BELOW + 5, 27, 28

DAY_PLAN = Sheet(
    name="DAY_PLAN",
    title="Plan of the day",
    widths=_WIDTHS,
    tables=(
        Table("plan_indices", _AT_INDICES, 1, _INDICES, 5),
        Table("plan_gaps", _AT_BELOW, 1, _STOCKS, GAPS),
        Table("plan_participants", _AT_BELOW, _MIDDLE, _PARTICIPANTS, 4),
        Table("plan_files", _AT_FILES, _MIDDLE, _FILES, FILES),
        Table("plan_changes", _AT_BELOW, _RIGHT, _CHANGED, CHANGES),
        Table("plan_events", _AT_EVENTS, _RIGHT, _EVENTS, EVENTS),
    ),
    cells=(
        band("DAY_PLAN", _WIDTHS),
        Cells("plan_head", (Value(4, 1, "plan.state", Kind.TEXT, "title"),)),
        Cells("plan_verdict", tuple(
            Value(_AT_VERDICT + i, _MIDDLE, source, Kind.TEXT)
            for i, source in enumerate(("plan.verdict", "plan.verdict_all", "plan.fii_crore"))
        )),
    ),
    texts=(
        *(Text(4, column, "", "title") for column in range(2, len(_WIDTHS) + 1)),
        *(
            Text(row - 2, column, words, "caption")
            for row, column, words in (
                (_AT_INDICES, 1, "Indices: yesterday's levels, the open against them, what one session and the days "
                 "to expiry may bring (one standard deviation)"),
                (_AT_BELOW, 1, "Stocks: the largest gaps, in moves of an ordinary day"),
                (_AT_BELOW, _MIDDLE, "What participants held at the previous close"),
                (_AT_FILES, _MIDDLE, "Daily files behind this page"),
                (_AT_BELOW, _RIGHT, "Changed since the previous session"),
                (_AT_EVENTS, _RIGHT, "Events and ex-dates, a week ahead"),
            )
        ),
    ),
    freeze=(3, 0),
)  # fmt: skip
