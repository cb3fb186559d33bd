"""Writes what explains the values: notes of headers, settings and names, hints of the band and the cards, lines of
the day, sample formulas.

Main entries: `write_notes`, `write_hints`, `write_sparks`, `write_formulas`.
"""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Collection, Iterator
from typing import Any

from optionscanner.workbook import looks
from optionscanner.workbook.formats import Kind
from optionscanner.workbook.grid import Sheet, Text, Value
from optionscanner.workbook.layout_drilldown import DRILL_CARD_COLUMNS
from optionscanner.workbook.layout_index import INDICES, PICKED
from optionscanner.workbook.layout_oi_tracker import HALVES, LABEL_COLUMNS, TRACKER
from optionscanner.workbook.meanings import (
    LONGEST_HINT,
    SETTING_HEADS,
    column_note,
    label_note,
    name_note,
    spark_note,
    value_note,
)
from optionscanner.workbook.splice import column_letters

_NOTE_CHARACTERS, _NOTE_PIXELS, _LINE_PIXELS = 52, 340, 17
"""A note is as wide as this many characters of its font, and as high as its lines."""
_LONGEST_TITLE = 32
"""Characters that a spreadsheet takes."""


def notes(sheet: Sheet) -> Iterator[tuple[int, int, str]]:
    """(row, column, words) of every note of a sheet, "" where nobody declares what stands there.

    Only of cells that are never written: LibreOffice drops the notes of a range that is given values.
    """
    for table in sheet.tables:
        for offset, column in enumerate(table.columns):
            if column.header:
                yield table.row, table.column + offset, column_note(column)
    if sheet.inputs:
        yield from _setting_notes(sheet)
    for named in sheet.named:
        for i, name in enumerate(named.cells):
            yield named.row + i, named.column - 1, name_note(name)


def hints(sheet: Sheet) -> Iterator[tuple[int, int, str, str]]:
    """(row, column, title, words) of what is shown while a cell of the band, or the label of a card, is selected."""
    if sheet.cells:
        ticks = [cell for cell in sheet.cells[0].cells if cell.style == "tick"]
        for cell in sheet.cells[0].cells:
            title = _BAND_TITLES.get(cell.source, "Indices" if cell in ticks else "")
            yield cell.row, cell.column, title, value_note(cell.source, cell.kind)
    if sheet.name == PICKED:
        yield from _label_hints(sheet, DRILL_CARD_COLUMNS)
    elif sheet.name in INDICES:
        yield from _label_hints(sheet, {text.column for text in sheet.texts if text.style == "card"})
    elif sheet.name == TRACKER:
        yield from _label_hints(sheet, {half.column + at for half in HALVES for at in LABEL_COLUMNS})


_BAND_TITLES = {
    "band.mode": "Source", "band.session": "Market", "band.title": "Sheet", "band.units": "Units",
    "band.front": "Writer", "band.price": "Prices", "band.open_interest": "Open interest", "band.cycle": "Cycle",
    "band.names": "Stale names", "band.message": "Message",
}  # fmt: skip


def _label_hints(sheet: Sheet, cards: Collection[int]) -> Iterator[tuple[int, int, str, str]]:
    """Of each label of the cards, which begin in these columns, what stands beside it."""
    values: list[Value] = [cell for cells in sheet.cells[1:] for cell in cells.cells]
    heads = {text.column: text.text for text in sheet.texts if text.style == "card-head"}
    for text in sheet.texts:
        if text.style != "label" or text.column not in cards:
            continue
        until = min((column for column in cards if column > text.column), default=1_000)
        drawn = [spark.source for spark in sheet.sparks if _beside(spark.row, spark.column, text, until)]
        shown = [v for v in values if _beside(v.row, v.column, text, until)]
        if not drawn and not shown:
            continue  # a line of words about the sheet
        # A word says itself what it is of; heads are those of numbers.
        words = [(heads.get(v.column, "") if v.kind is not Kind.TEXT else "", v.source, v.kind) for v in shown]
        yield text.row, text.column, text.text, spark_note(drawn[0]) if drawn else label_note(words)


def _setting_notes(sheet: Sheet) -> Iterator[tuple[int, int, str]]:
    """Notes of what the user sets: the heads of its columns, and beside each cell what it does."""
    inputs = {(given.row, given.column): given for given in sheet.inputs if given.height == 1}
    for text in sheet.texts:
        if text.style == "header" and text.text:
            yield text.row, text.column, SETTING_HEADS.get(text.text, "")
        elif text.column == 1 and (text.row, 2) in inputs:
            given = inputs[text.row, 2]
            yield text.row, text.column, f"{given.hint}\nName of its cell, for formulas and macros: {given.name}"


def _beside(row: int, column: int, label: Text, until: int) -> bool:
    return row == label.row and label.column < column < until


def write_notes(sheet: Sheet, worksheet: Any) -> None:
    """Give the sheet its notes, shown while the pointer is over their cell."""
    worksheet.set_comments_author("OptionScanner")
    for row, column, words in notes(sheet):
        if words:
            lines = sum(max(1, len(textwrap.wrap(line, _NOTE_CHARACTERS))) for line in words.splitlines())
            worksheet.write_comment(row - 1, column - 1, words, {
                "width": _NOTE_PIXELS, "height": _LINE_PIXELS * lines + 8,
                "font_name": looks.FONT, "font_size": 10, "color": looks.NOTE,
            })  # fmt: skip


def write_hints(sheet: Sheet, worksheet: Any) -> None:
    """Give the sheet its hints; the cells take anything."""
    for row, column, title, words in hints(sheet):
        if words:
            worksheet.data_validation(row - 1, column - 1, row - 1, column - 1, {
                "validate": "any", "input_title": title[:_LONGEST_TITLE], "input_message": words[:LONGEST_HINT],
            })  # fmt: skip


def write_sparks(sheet: Sheet, worksheet: Any) -> None:
    """Give the sheet its lines; what is not yet seen stays open on their right."""
    for spark in sheet.sparks:
        table = sheet.table(spark.table)
        letters = column_letters(table.column_of(spark.source))
        options = {
            "range": f"'{sheet.name}'!${letters}${table.row + 1}:${letters}${table.last_row}",
            "series_color": looks.TRAIL, "last_point": True, "last_color": looks.INK, "weight": 1.25,
        }  # fmt: skip
        ends = {name: end for name, end in (("min", spark.least), ("max", spark.most)) if end is not None}
        worksheet.add_sparkline(spark.row - 1, spark.column - 1, {**options, **ends})


def write_formulas(sheet: Sheet, worksheet: Any, format_of: Callable[[looks.Look], Any]) -> None:
    """Write the sample formulas; a file holds no answer until a spreadsheet computes one."""
    for formula in sheet.formulas:
        align = "left" if formula.kind in (Kind.TEXT, Kind.DATE_TIME) else "right"
        number_format = {} if formula.kind is Kind.TEXT else {"num_format": formula.kind.number_format}
        look = {**looks.BASE, "bottom": 1, "bottom_color": looks.LINE, "align": align, "bold": True, **number_format}
        look |= {"shrink": True} if formula.kind.shrink else {}
        # The answer is blank rather than 0 where nothing computes it on opening.
        worksheet.write_formula(formula.row - 1, formula.column - 1, formula.formula, format_of(look), value="")
