"""Conditional formats of the template: what colours mean, sheet by sheet.

Rules of one sheet may name cells of another only through defined names, which both spreadsheets allow.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from itertools import accumulate
from typing import Any

from optionscanner.workbook import looks
from optionscanner.workbook.formats import INDIAN_CRORE, INDIAN_LAKH, WHOLE, Kind
from optionscanner.workbook.grid import Sheet, Table, pixels
from optionscanner.workbook.layout_heatmap import HEATMAP
from optionscanner.workbook.layout_index import INDICES, PICKED
from optionscanner.workbook.layout_oi_heatmap import OI_HEATMAP
from optionscanner.workbook.layout_oi_tracker import TRACKER
from optionscanner.workbook.layout_system import HEARTBEAT
from optionscanner.workbook.rules_drilldown import write_drilldown_rules
from optionscanner.workbook.rules_heatmap import write_heatmap_rules
from optionscanner.workbook.rules_oi_heatmap import write_oi_heatmap_rules
from optionscanner.workbook.rules_oi_tracker import write_tracker_rules
from optionscanner.workbook.splice import column_letters

AddFormat = Callable[[dict[str, Any]], Any]
_SECONDS_PER_DAY = 86_400
_STALE_LOOK = {"bg_color": looks.STALE, "font_color": looks.IDLE_INK, "font_strikeout": True}
_LATE_LOOK = {"bg_color": looks.LATE}
STOPPED = "ENGINE STOPPED"
"""First words of the front's state once the engine is gone."""
WAITING = ("paused", "busy", "locked", "restarting", "opening", "closed by user")
"""First words of the states in which the sheet shows an older picture."""
SILENT_S = 300
"""Age of HEARTBEAT from which nobody writes any more: far more than an edit or a dialog of the user holds it up."""
_ACTION_PIXELS = 100
"""What the longest word of the TRS band takes."""
_PRICE_CHANGES = ("price.spot_change_pct", "price.spot_change", "call.change", "put.change",
                  "plan.gap", "plan.gap_pct")  # fmt: skip


def write_rules(sheet: Sheet, worksheet: Any, add: AddFormat) -> None:
    """Give a sheet its conditional formats; of two that apply the one written first wins."""
    if sheet.cells:
        _mode(sheet, worksheet, add)
        _ticks(sheet, worksheet, add)
    if sheet.name in (*INDICES, PICKED):
        _ladder(sheet, worksheet, add)
    if sheet.name == PICKED:
        write_drilldown_rules(sheet, worksheet, add)
    if sheet.name == TRACKER:
        write_tracker_rules(sheet, worksheet, add)
    if sheet.name == HEATMAP.name:
        write_heatmap_rules(sheet, worksheet, add)
    if sheet.name == OI_HEATMAP.name:
        write_oi_heatmap_rules(sheet, worksheet, add)
    for table in sheet.tables:
        _freshness(table, worksheet, add)
        _trading_words(table, worksheet, add)
        _signs(table, worksheet, add)
        _states(table, worksheet, add)
    _cards(sheet, worksheet, add)
    _verdicts(sheet, worksheet, add)
    _answers(sheet, worksheet, add)
    _grouping(sheet, worksheet, add)


def _cards(sheet: Sheet, worksheet: Any, add: AddFormat) -> None:
    """The same colours on single cells."""
    cells = {cell.source: cell for block in sheet.cells for cell in block.cells}
    places = {source: _ref(cell.row, cell.column, "$") for source, cell in cells.items()}
    for source, place in places.items():
        if source == "readiness.action":
            # The word runs on into the next cells, so the colour does too.
            cell = cells[source]
            wide = accumulate(pixels(width) for width in sheet.widths[cell.column - 1 :])
            more = next(i for i, taken in enumerate(wide) if taken >= _ACTION_PIXELS)
            ranges = f"{_ref(cell.row, cell.column)}:{_ref(cell.row, cell.column + more)}"
            _words(worksheet, add, ranges, place, places["readiness.direction"])
        elif source in ("readiness.direction", "flow.regime"):
            _hues(worksheet, add, place, place)
        elif source in _PRICE_CHANGES:
            _sign(worksheet, add, place)
        elif source == "row.status":
            for word, look in (("stale", _STALE_LOOK), ("late", _LATE_LOOK)):
                for where in (place, places.get("price.price_time", place)):
                    _when(worksheet, where, f'LEFT({place},{len(word)})="{word}"', add(look))


def _ref(row: int, column: int, fixed: str = "") -> str:
    """A1 reference; `fixed` "$" for an absolute one."""
    return f"{fixed}{column_letters(column)}{fixed}{row}"


def _range(table: Table, *sources: str) -> str:
    """Body of the table's columns of these sources (all columns without any), as one A1 range or several."""
    first, last = table.row + 1, table.last_row
    if not sources:
        return f"{_ref(first, table.column)}:{_ref(last, table.column + len(table.columns) - 1)}"
    return _union((table.column_of(s), first, last) for s in sources)


def _union(pieces: Iterable[tuple[int, int, int]]) -> str:
    """Columns that begin in one row, leftmost first: spreadsheets differ in which cell of several ranges a relative
    formula starts from, but agree when the first one is the top left of all."""
    return " ".join(f"{_ref(first, column)}:{_ref(last, column)}" for column, first, last in sorted(pieces))


def _apply(worksheet: Any, ranges: str, options: dict[str, Any]) -> None:
    """One rule over one or several ranges; formulas are relative to the first cell of the first range."""
    first, *more = ranges.split(" ")
    worksheet.conditional_format(first, {**options, **({"multi_range": ranges} if more else {})})


def _when(worksheet: Any, ranges: str, formula: str, look: Any, *, stop: bool = False) -> None:
    _apply(worksheet, ranges, {"type": "formula", "criteria": f"={formula}", "format": look, "stop_if_true": stop})


def _mode(sheet: Sheet, worksheet: Any, add: AddFormat) -> None:
    """Whether the numbers are live, whether the market is open, whether anybody still writes."""
    ranges, text = _band_range(sheet, "band.mode")
    _, front = _band_range(sheet, "band.front")
    # The words go with the colour: a number format can put them before the cell's own text.
    stopped = f'LEFT({front},{len(STOPPED)})="{STOPPED}"'
    # The writer leaves its time while it lives, whatever the session's clock says, so this is red when it was killed.
    silent = f"AND(N({HEARTBEAT})>0,(NOW()-N({HEARTBEAT}))*{_SECONDS_PER_DAY}>{SILENT_S})"
    told = f'LEFT({text},{len(STOPPED)})="{STOPPED}"'
    for formula, words in ((told, ""), (stopped, f"{STOPPED}  "), (silent, "NOT UPDATED  ")):
        look = {"bg_color": looks.MODES[STOPPED], "font_color": "#FFFFFF"}
        look |= {"num_format": f';;;"{words}"@'} if words else {}
        _when(worksheet, ranges, formula, add(look), stop=True)
    for word, colour in looks.MODES.items():
        if word != STOPPED:
            look = {"bg_color": colour, "font_color": "#FFFFFF"}
            _when(worksheet, ranges, f'LEFT({text},{len(word)})="{word}"', add(look))
    ranges, text = _band_range(sheet, "band.session")
    _when(worksheet, ranges, f'LEFT({text},6)="CLOSED"',
          add({"bg_color": looks.MODES["CLOSED"], "font_color": "#FFFFFF", "bold": True}))  # fmt: skip
    _when(worksheet, ranges, f'LEFT({text},8)="PRE-OPEN"', add({"bg_color": looks.LATE, "bold": True}))
    ranges, text = _band_range(sheet, "band.front")
    _when(worksheet, ranges, f'LEFT({text},{len(STOPPED)})="{STOPPED}"',
          add({"bg_color": looks.MODES[STOPPED], "font_color": "#FFFFFF", "bold": True}))  # fmt: skip
    for word in WAITING:
        _when(worksheet, ranges, f'LEFT({text},{len(word)})="{word}"', add({"bg_color": looks.LATE, "bold": True}))


def _band_range(sheet: Sheet, source: str) -> tuple[str, str]:
    """Range that a text of the band runs over, up to the next one, and the absolute reference of its cell."""
    cells = sheet.cells[0].cells
    cell = next(c for c in cells if c.source == source)
    last = sheet.screen[1] or len(sheet.widths)
    until = min((c.column - 1 for c in cells if c.row == cell.row and c.column > cell.column), default=last)
    return f"{_ref(cell.row, cell.column)}:{_ref(cell.row, max(until, cell.column))}", _ref(cell.row, cell.column, "$")


def _ticks(sheet: Sheet, worksheet: Any, add: AddFormat) -> None:
    ranges = " ".join(_ref(c.row, c.column) for c in sheet.cells[0].cells if c.style == "tick")
    first = ranges.split(" ", maxsplit=1)[0]
    for arrow, colour in (("▲", looks.BULL), ("▼", looks.BEAR)):
        _when(worksheet, ranges, f'ISNUMBER(SEARCH("{arrow}",{first}))', add({"font_color": colour}))


def _ladder(sheet: Sheet, worksheet: Any, add: AddFormat) -> None:
    """ATM between two lines, in-the-money sides tinted, walls and maximum pain on the strike, bars on open interest."""
    chain = sheet.tables[0]
    first, last = chain.row + 1, chain.last_row
    middle = chain.column_of("chain.strike")
    strike = f"${column_letters(middle)}{first}"
    known = f"ISNUMBER({strike})"
    strikes = _range(chain, "chain.strike")

    # Of the chain that is shown, which need not be the nearest expiry: the cards above, not the names for formulas.
    cards = {cell.source: cell for cells in sheet.cells for cell in cells.cells}

    def card(source: str) -> str:
        return _ref(cards[source].row, cards[source].column, "$")

    for source, fill, ink in (
        ("open_interest.call_wall", looks.CALL_TINT, looks.CALL),
        ("open_interest.put_wall", looks.PUT_TINT, looks.PUT),
        ("open_interest.max_pain", looks.PAIN, looks.INK),
    ):
        _when(worksheet, strikes, f"AND({known},{strike}={card(source)})", add({"bg_color": fill, "font_color": ink}))
    # The flip lies between strikes: the lower one of the two carries the mark.
    if "exposure.gamma_flip" in cards:
        flip, above = card("exposure.gamma_flip"), f"${column_letters(middle)}{first + 1}"
        between = f"AND({known},ISNUMBER({flip}),ISNUMBER({above}),{strike}<=N({flip}),N({above})>N({flip}))"
        _when(worksheet, strikes, between, add({"bg_color": looks.FLIP}))
    money = card("price.atm_strike")
    atm = add({"bold": True, "top": 1, "bottom": 1, "border_color": looks.INK})
    _when(worksheet, _range(chain), f"AND({known},{strike}={money})", atm)
    # Not on open interest: LibreOffice draws either a fill or a bar.
    left = f"{_ref(first, chain.column + 1)}:{_ref(last, middle - 1)}"
    right = f"{_ref(first, middle + 1)}:{_ref(last, chain.column + len(chain.columns) - 2)}"
    tint = add({"bg_color": looks.IN_THE_MONEY})
    _when(worksheet, left, f"AND({known},{strike}<{money})", tint)
    _when(worksheet, right, f"AND({known},{strike}>{money})", tint)
    calls, puts = (chain.column_of(f"{side}.open_interest") for side in ("call", "put"))
    # One scale for both sides, so that bars can be compared across the ladder.
    highest = ",".join(f"{_ref(first, c, '$')}:{_ref(last, c, '$')}" for c in (calls, puts))
    for column, colour, direction in ((calls, looks.CALL_BAR, "right"), (puts, looks.PUT_BAR, "left")):
        options = {
            "type": "data_bar", "data_bar_2010": True, "bar_solid": True, "bar_color": colour,
            "bar_direction": direction, "min_type": "num", "min_value": 0,
            "max_type": "formula", "max_value": f"=MAX({highest})",
        }  # fmt: skip
        worksheet.conditional_format(f"{_ref(first, column)}:{_ref(last, column)}", options)


def _has(table: Table, *sources: str) -> bool:
    return set(sources) <= {column.source for column in table.columns}


def _freshness(table: Table, worksheet: Any, add: AddFormat) -> None:
    """Amber when late, grey and struck when stale.

    The status says which, judged by what was promised for the very name; between two pictures of a row the group's
    slowest promise judges.
    """
    if not _has(table, "row.name", "row.status", "price.price_time"):
        return
    row = table.row + 1
    seen, status = (f"${column_letters(table.column_of(s))}{row}" for s in ("price.price_time", "row.status"))
    promised = "REFRESH_STOCK"
    if _has(table, "row.kind"):
        kind = f"${column_letters(table.column_of('row.kind'))}{row}"
        promised = f'IF({kind}="Index",REFRESH_INDEX,REFRESH_STOCK)'
    age = f"(AS_OF-{seen})*{_SECONDS_PER_DAY}"
    # Half a second of slack: serial numbers carry rounding.
    for word, least, ranges, look in (
        ("stale", f"MAX(STALE_REFRESHES*{promised},STALE_AT_LEAST)", _range(table), _STALE_LOOK),
        ("late", f"LATE_REFRESHES*{promised}", _range(table, "row.name", "price.price_time"), _LATE_LOOK),
    ):
        aged = f"AND(ISNUMBER({seen}),{age}>{least}+0.5)"
        _when(worksheet, ranges, f'OR(LEFT({status},{len(word)})="{word}",{aged})', add(look))


def _trading_words(table: Table, worksheet: Any, add: AddFormat) -> None:
    """Depth by TRS band, hue by direction; regime and direction in their own colour."""
    row = table.row + 1
    if _has(table, "readiness.action", "readiness.direction"):
        action = f"${column_letters(table.column_of('readiness.action'))}{row}"
        direction = f"${column_letters(table.column_of('readiness.direction'))}{row}"
        ranges = _range(table, "readiness.readiness", "readiness.action")
        _words(worksheet, add, ranges, action, direction)
    hued = ("readiness.direction", "flow.regime", "activity.direction", "activity.dir", "alerts.dir")
    for source in (*hued, "unusual_activity_total.direction"):
        if _has(table, source):
            cell = f"{column_letters(table.column_of(source))}{row}"
            _hues(worksheet, add, _range(table, source), cell)
    if _has(table, "row.volume_oi"):
        cell = f"{column_letters(table.column_of('row.volume_oi'))}{row}"
        _when(worksheet, _range(table, "row.volume_oi"), f'{cell}="YES"', add({"bold": True}))
    if _has(table, "activity.option_type"):
        column = table.column_of("activity.option_type")
        cell = f"{column_letters(column)}{row}"
        for word, colour in (("CE", looks.CALL), ("PE", looks.PUT)):
            _when(worksheet, _range(table, "activity.option_type"), f'{cell}="{word}"', add({"font_color": colour}))


def _words(worksheet: Any, add: AddFormat, ranges: str, action: str, direction: str) -> None:
    """Colours of the TRS band's word."""
    for word, bull, bear in (
        ("AGGRESSIVE", {"bg_color": looks.BULL, "font_color": "#FFFFFF", "bold": True},
         {"bg_color": looks.BEAR, "font_color": "#FFFFFF", "bold": True}),
        ("NORMAL", {"bg_color": looks.BULL_TINT, "font_color": looks.BULL},
         {"bg_color": looks.BEAR_TINT, "font_color": looks.BEAR}),
    ):  # fmt: skip
        _when(worksheet, ranges, f'AND({action}="{word}",{direction}="BULLISH")', add(bull))
        _when(worksheet, ranges, f'AND({action}="{word}",{direction}="BEARISH")', add(bear))
    _when(worksheet, ranges, f'{action}="SMALL/HEDGED"', add({"bg_color": looks.CAUTION}))
    _when(worksheet, ranges, f'{action}="NO TRADE"', add({"bg_color": looks.IDLE, "font_color": looks.IDLE_INK}))


def _hues(worksheet: Any, add: AddFormat, ranges: str, cell: str) -> None:
    for word, colour in (("BULL", looks.BULL), ("BEAR", looks.BEAR)):
        look = add({"font_color": colour})
        _when(worksheet, ranges, f'LEFT({cell},4)="{word}"', look)


def _signs(table: Table, worksheet: Any, add: AddFormat) -> None:
    """Price changes are green or red; changes of open interest carry their sign only, a rise is not bullish."""
    for column in table.columns:
        if column.source in _PRICE_CHANGES:
            _sign(worksheet, add, _range(table, column.source))


def _sign(worksheet: Any, add: AddFormat, ranges: str) -> None:
    for criteria, colour in ((">", looks.BULL), ("<", looks.BEAR)):
        look = add({"font_color": colour})
        _apply(worksheet, ranges, {"type": "cell", "criteria": criteria, "value": 0, "format": look})


def _verdicts(sheet: Sheet, worksheet: Any, add: AddFormat) -> None:
    """What FII did against the price, and files that are missing."""
    for cell in (cell for block in sheet.cells for cell in block.cells if cell.source.startswith("plan.verdict")):
        place = _ref(cell.row, cell.column)
        for word, colour in (("BULLISH", looks.BULL), ("BEARISH", looks.BEAR)):
            look = add({"font_color": colour, "bold": True})
            _when(worksheet, place, f'ISNUMBER(SEARCH("STRONG {word}",{place}))', look)
    for table in sheet.tables:
        if _has(table, "plan.state"):
            cell_ = f"{column_letters(table.column_of('plan.state'))}{table.row + 1}"
            _when(worksheet, _range(table, "plan.state"), f'{cell_}="MISSING"', add({"bg_color": looks.LATE}))


def _states(table: Table, worksheet: Any, add: AddFormat) -> None:
    if not _has(table, "health.state"):
        return
    cell = f"{column_letters(table.column_of('health.state'))}{table.row + 1}"
    for word, look in (
        ("BAD", {"bg_color": looks.BEAR, "font_color": "#FFFFFF", "bold": True}),
        ("WARN", {"bg_color": looks.LATE, "bold": True}),
        ("OK", {"font_color": looks.BULL}),
    ):
        _when(worksheet, _range(table, "health.state"), f'{cell}="{word}"', add(look))


def _answers(sheet: Sheet, worksheet: Any, add: AddFormat) -> None:
    """What was refused on CONTROL, in words and in the colour of trouble."""
    answers = [c for cells in sheet.cells for c in cells.cells if c.source.startswith("control.answer:")]
    places = [(t.column, t.row + 1, t.last_row) for t in sheet.tables if _has(t, "control.watched")]
    if answers:
        rows = [answer.row for answer in answers]
        places.append((answers[0].column, min(rows), max(rows)))
    for column, first, last in places:
        cell = f"{column_letters(column)}{first}"
        refused = add({"font_color": looks.BEAR, "bold": True})
        _when(worksheet, f"{cell}:{column_letters(column)}{last}", f'LEFT({cell},7)="refused"', refused)


def _grouping(sheet: Sheet, worksheet: Any, add: AddFormat) -> None:
    """Quantities in contracts or units: whole numbers with Indian grouping; in lakh the cell's own format holds."""
    pieces: list[tuple[int, int, int]] = []
    for table in sheet.tables:
        rows = (table.row + 1, max([table.last_row, *(x.row for x in sheet.lines if x.table == table.name)]))
        for offset, column in enumerate(table.columns):
            if column.kind.follows_units:
                pieces.append((table.column + offset, *rows))
    pieces += [
        (cell.column, cell.row, cell.row) for cells in sheet.cells for cell in cells.cells if cell.kind.follows_units
    ]
    for row in sorted({first for _, first, _ in pieces}):
        _whole(worksheet, add, _union(piece for piece in pieces if piece[1] == row), 'UNITS<>"LAKH"')
    for cell in (cell for cells in sheet.cells for cell in cells.cells if cell.kind is Kind.CRORE):
        place = _ref(cell.row, cell.column)
        _whole(worksheet, add, place, f"ABS(N({place}))>=99.95")
    for table in sheet.tables:
        if crores := [column.source for column in table.fields if column.kind is Kind.CRORE]:
            ranges = _range(table, *crores)
            _whole(worksheet, add, ranges, f"ABS(N({ranges.split(':', maxsplit=1)[0]}))>=99.95")
    for cell in (c for cells in sheet.cells for c in cells.cells if c.kind is Kind.CRORE):
        place = _ref(cell.row, cell.column)
        _whole(worksheet, add, place, f"ABS(N({place}))>=99.95")
    for named in sheet.named:
        # Named numbers are always in units; the unit beside them tells which are.
        first, last = _ref(named.row, named.column), _ref(named.row + len(named.cells) - 1, named.column)
        unit = f"${column_letters(named.column + 1)}{named.row}"
        _whole(worksheet, add, f"{first}:{last}", f'{unit}="units"')


def _whole(worksheet: Any, add: AddFormat, ranges: str, condition: str) -> None:
    first = ranges.split(" ", maxsplit=1)[0].split(":", maxsplit=1)[0]
    formats: Sequence[tuple[float, str]] = ((1e7, INDIAN_CRORE), (1e5, INDIAN_LAKH), (0.0, WHOLE))
    for least, number_format in formats:
        formula = f"AND({condition},ISNUMBER({first}),ABS(N({first}))>={least:.0f})"
        _when(worksheet, ranges, formula, add({"num_format": number_format}), stop=True)
