"""Conditional formats of OI_TRACKER: moneyness on strike and price, changes by sign, and those beyond their limit."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from optionscanner.workbook import looks
from optionscanner.workbook.grid import Sheet
from optionscanner.workbook.layout_oi_tracker import HALVES, SHOWN, Half
from optionscanner.workbook.splice import column_letters

AddFormat = Callable[[dict[str, Any]], Any]


def write_tracker_rules(sheet: Sheet, worksheet: Any, add: AddFormat) -> None:
    """Give both ladders their colours; of two that apply the one written first wins."""
    for half in HALVES:
        _limits(half, worksheet, add)
        _moneyness(half, worksheet, add)
        for source in ("price.spot_change", "price.spot_change_pct", "build_up.price_change_pct"):
            cell = next(c for cells in half.cells for c in cells.cells if c.source == source)
            _signs(f"{column_letters(cell.column)}{cell.row}", worksheet, add)


def _signs(ranges: str, worksheet: Any, add: AddFormat) -> None:
    """Green up, red down."""
    for criteria, colour in ((">", looks.BULL), ("<", looks.BEAR)):
        rule = {"type": "cell", "criteria": criteria, "value": 0, "format": add({"font_color": colour})}
        worksheet.conditional_format(ranges, rule)


def _limits(half: Half, worksheet: Any, add: AddFormat) -> None:
    """White bold on red beyond the limit that stands above the column, else green up and red down."""
    chain = half.chain
    beyond = add({"bold": True, "font_color": "#FFFFFF", "bg_color": looks.BEAR})
    limits = {(c.column): f"{column_letters(c.column)}${c.row}" for c in half.limits.cells}
    for side in ("call", "put"):
        for what in (*(f"pct_{w}" for w in SHOWN), "pct_day"):
            column = chain.column_of(f"{side}.{what}")
            first, last = f"{column_letters(column)}{chain.row + 1}", f"{column_letters(column)}{chain.last_row}"
            if column in limits:
                limit = limits[column]
                formula = f"=AND(ISNUMBER({first}),N({limit})>0,ABS(N({first}))>N({limit}))"
                rule = {"type": "formula", "criteria": formula, "format": beyond, "stop_if_true": True}
                worksheet.conditional_format(f"{first}:{last}", rule)
            _signs(f"{first}:{last}", worksheet, add)


def _moneyness(half: Half, worksheet: Any, add: AddFormat) -> None:
    """Green in the money, cyan between two lines at it, red out of it: on strikes (as the call) and prices only."""
    chain, first, last = half.chain, half.chain.row + 1, half.chain.last_row
    strike = f"${column_letters(chain.column_of('chain.strike'))}{first}"
    card = next(c for cells in half.cells for c in cells.cells if c.source == "price.atm_strike")
    money = f"${column_letters(card.column)}${card.row}"
    atm = add({"bold": True, "bg_color": looks.AT_THE_MONEY, "top": 1, "bottom": 1, "border_color": looks.INK})
    inside, outside = add({"bg_color": looks.BULL_TINT}), add({"bg_color": looks.BEAR_TINT})
    for source, below, above in (
        ("call.last", inside, outside), ("chain.strike", inside, outside), ("put.last", outside, inside),
    ):  # fmt: skip
        letters = column_letters(chain.column_of(source))
        for sign, look in (("=", atm), ("<", below), (">", above)):
            formula = f"=AND(ISNUMBER({strike}),ISNUMBER({money}),{strike}{sign}{money})"
            worksheet.conditional_format(
                f"{letters}{first}:{letters}{last}", {"type": "formula", "criteria": formula, "format": look}
            )
