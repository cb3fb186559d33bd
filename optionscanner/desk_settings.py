"""What the user's values make of the settings of a session. Pure; `desk.py` puts them in force."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Sequence
from dataclasses import replace

from optionscanner.model.anchors import WINDOWS
from optionscanner.model.control import (
    ANY_DIRECTION,
    CHAIN_NAMES,
    CHANGE,
    CONTROL_OI_3M,
    CONTROL_OI_LEFT,
    CONTROL_OI_LIMITS,
    CONTROL_OI_RIGHT,
    CONTROL_OI_SHOW,
    CONTROL_SYMBOL,
    WATCHLIST_ROWS,
    YES,
    Expiry,
    expiry_name,
    symbol,
)
from optionscanner.model.frame import Cell
from optionscanner.model.settings import EngineSettings
from optionscanner.workbook.formats import Units
from optionscanner.workbook.render import ShowSettings

Given = Cell | tuple[Cell, ...]
"""What a cell holds, or a column of cells."""

ValueOf = Callable[[str], Cell]
"""Defined name -> value in force."""

ENGINE_SETTINGS = frozenset(
    {
        "CONTROL_INDEX_RATIO",
        "CONTROL_STOCK_RATIO",
        "CONTROL_MIN_CONTRACTS",
        "CONTROL_PERCENTILE",
        "CONTROL_COOL_DOWN",
        CONTROL_OI_LIMITS,
    }
)
"""Those that change numbers, so that the newest picture is computed again."""


def show_settings(base: ShowSettings, value: ValueOf, watchlist: tuple[str, ...]) -> ShowSettings:
    """What the sheets show."""
    direction, until = str(value("CONTROL_DIRECTION")), value("CONTROL_MUTE_UNTIL")
    return replace(
        base,
        units=Units(str(value("CONTROL_UNITS"))),
        strikes=int(number(value("CONTROL_STRIKES"))),
        summary_stocks=int(number(value("CONTROL_SUMMARY_STOCKS"))),
        resort=number(value("CONTROL_RESORT")),
        watchlist=watchlist,
        watchlist_first=value("CONTROL_WATCHLIST_FIRST") == YES,
        watchlist_only=value("CONTROL_WATCHLIST_ONLY") == YES,
        min_trs=number(value("CONTROL_MIN_TRS")),
        direction="" if direction == ANY_DIRECTION else direction,
        symbol=str(value(CONTROL_SYMBOL) or ""),
        expiries=tuple((sheet, Expiry(str(value(expiry_name(sheet))))) for sheet in CHAIN_NAMES),
        tracked=(str(value(CONTROL_OI_LEFT)), str(value(CONTROL_OI_RIGHT))),
        window_limits=_numbers(value(CONTROL_OI_LIMITS)),
        changes=value(CONTROL_OI_SHOW) == CHANGE,
        narrow_window=value(CONTROL_OI_3M) == YES,
        muted_until=until if isinstance(until, float) else None,
    )


def engine_settings(base: EngineSettings, value: ValueOf) -> EngineSettings:
    """What the engines compute with."""
    return replace(
        base,
        activity=replace(
            base.activity,
            index_ratio=number(value("CONTROL_INDEX_RATIO")),
            stock_ratio=number(value("CONTROL_STOCK_RATIO")),
            min_contracts=number(value("CONTROL_MIN_CONTRACTS")),
            percentile=number(value("CONTROL_PERCENTILE")),
        ),
        windows=replace(
            base.windows,
            **{f"limit_{m}_pct": v for m, v in zip(WINDOWS, _numbers(value(CONTROL_OI_LIMITS)), strict=True)},
        ),
        alerts=replace(base.alerts, cool_down=number(value("CONTROL_COOL_DOWN"))),
    )


def watched(
    cells: Given, symbols: Sequence[str], otherwise: tuple[str, ...]
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Names of the watchlist in force, and the answer beside each of its cells; `otherwise` where all are empty."""
    if not isinstance(cells, tuple) or not any(cells):
        return otherwise, ()
    names: list[str] = []
    answers = []
    for cell in cells[:WATCHLIST_ROWS]:
        name = symbol(cell, symbols)
        if cell is None:
            answers.append("")
        elif not name:
            near = difflib.get_close_matches(str(cell).upper(), symbols, n=1, cutoff=0.6)
            answers.append(f"refused: not in the source{f', {near[0]}?' if near else ''}")
        elif name in names:
            answers.append("refused: stands above already")
        else:
            names.append(name)
            answers.append("accepted")
    return tuple(names), tuple(answers)


def _numbers(value: Cell) -> tuple[float, ...]:
    """Numbers of a value in force that holds several."""
    return tuple(float(word) for word in str(value).split())


def number(value: Cell) -> float:
    """A value in force that is a number."""
    return float(str(value))


def trimmed(cell: Given) -> Given:
    """A column without the empty cells at its end, texts without spaces around; other cells as they are."""
    if not isinstance(cell, tuple):
        return cell
    cells = [(c.strip() or None) if isinstance(c, str) else c for c in cell]
    while cells and cells[-1] is None:
        cells.pop()
    return tuple(cells)


def word_of(cell: Given | None) -> str:
    """A cell as a command: a word in capitals, "" where it is empty."""
    if isinstance(cell, str):
        return cell.strip().upper()
    return "" if cell is None or isinstance(cell, tuple) else f"{cell:g}"
