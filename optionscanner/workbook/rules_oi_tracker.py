"""Conditional formats of OI_TRACKER: moneyness on strike and price, changes by sign, and those beyond their limit."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from optionscanner.model.control import CHANGE
from optionscanner.workbook import looks
from optionscanner.workbook.formats import INDIAN_CRORE, INDIAN_LAKH, WHOLE
from optionscanner.workbook.grid import Sheet
from optionscanner.workbook.layout_oi_tracker import HALVES, NARROW, SHOWN, Half
from optionscanner.workbook.splice import column_letters

AddFormat = Callable[[dict[str, Any]], Any]

_BEYOND = {"bold": True, "font_color": "#FFFFFF", "bg_color": looks.BEAR}
_OF_UNITS = f'OI_SHOW="{CHANGE}"'


def _signed(positive: str) -> str:
    """A number format that says the sign."""
    return f"+{positive};-{positive};{positive}"


_FORMATS = (
    # condition on the cell, number format: as the cell's own where they are empty
    (f'{_OF_UNITS},UNITS="LAKH"', _signed("#,##0.00")),
    (_OF_UNITS + ",ABS({cell})>=10000000", _signed(INDIAN_CRORE.partition(";")[0])),
    (_OF_UNITS + ",ABS({cell})>=100000", _signed(INDIAN_LAKH.partition(";")[0])),
    (_OF_UNITS, _signed(WHOLE)),
    ("", ""),
)


def write_tracker_rules(sheet: Sheet, worksheet: Any, add: AddFormat) -> None:
    """Give both ladders their colours; of two that apply the one written first wins."""
    for half in HALVES:
        _changes(half, worksheet, add)
        _moneyness(half, worksheet, add)
        for source in ("price.spot_change", "price.spot_change_pct", "build_up.price_change_pct"):
            cell = next(c for cells in half.cells for c in cells.cells if c.source == source)
            _signs(f"{column_letters(cell.column)}{cell.row}", worksheet, add)


def _signs(ranges: str, worksheet: Any, add: AddFormat) -> None:
    """Green up, red down."""
    for criteria, colour in ((">", looks.BULL), ("<", looks.BEAR)):
        rule = {"type": "cell", "criteria": criteria, "value": 0, "format": add({"font_color": colour})}
        worksheet.conditional_format(ranges, rule)


def _changes(half: Half, worksheet: Any, add: AddFormat) -> None:
    """White bold on red beyond the limit that stands above the column, else green up and red down.

    One spreadsheet applies all rules that hold, the other only the first: so each carries its number format, too.
    """
    chain = half.chain
    limit_row = half.limits[0].cells[0].row
    for side in ("call", "put"):
        columns = [chain.column_of(f"{side}.{what}") for what in (*(f"pct_{w}" for w in SHOWN), "pct_day")]
        left, right = column_letters(min(columns)), column_letters(max(columns))
        cell, interest = f"{left}{chain.row + 1}", column_letters(chain.column_of(f"{side}.open_interest"))
        limit = f"N({left}${limit_row})"
        before = f"(N(${interest}{chain.row + 1})-{cell})"
        of_units = f"AND({before}>0,100*ABS({cell})>{limit}*{before})"
        beyond = f'{limit}>0,IF(OI_SHOW="{CHANGE}",{of_units},ABS({cell})>{limit})'
        legs, total = f"{cell}:{right}{chain.last_row}", f"{left}{chain.last_row + 1}"
        off = column_letters(chain.column_of(f"{side}.pct_{NARROW}"))
        worksheet.conditional_format(
            f"{off}{chain.row + 1}:{off}{chain.last_row + 1}",
            {"type": "formula", "criteria": f'={off}${chain.row - 1}="off"', "format": add({"bg_color": looks.IDLE})},
        )
        _each_look(legs, cell, beyond, worksheet, add)
        _each_look(f"{total}:{right}{chain.last_row + 1}", total, "", worksheet, add)


def _each_look(ranges: str, cell: str, beyond: str, worksheet: Any, add: AddFormat) -> None:
    """Rules of cells that hold a change, in per cent or in any unit; `beyond` is a condition or ""."""
    for shown, number_format in _FORMATS:
        condition = shown.format(cell=cell)
        look = {"num_format": number_format} if number_format else {}
        for sign, colours in ((beyond, _BEYOND), (f"{cell}>0", {"font_color": looks.BULL}),
                              (f"{cell}<0", {"font_color": looks.BEAR}), (f"{cell}=0", {})):  # fmt: skip
            if not sign or not (look or colours):
                continue
            formula = ",".join(filter(None, [f"ISNUMBER({cell})", condition, sign]))
            kind = {"type": "formula", "criteria": f"=AND({formula})", "stop_if_true": True}
            worksheet.conditional_format(ranges, {**kind, "format": add({**look, **colours})})


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
