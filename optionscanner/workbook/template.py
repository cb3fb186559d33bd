"""Builds the workbook file from the layout: formats, names, conditional formats, print set-up; values come later.

The same layout gives the same bytes. XlsxWriter writes it once; nothing ever loads and saves a user's workbook with it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from functools import partial
from io import BytesIO
from pathlib import Path
from typing import Any

import xlsxwriter

from optionscanner.workbook import looks
from optionscanner.workbook.formats import Kind
from optionscanner.workbook.grid import BAND_ROWS, Cells, Sheet, Table
from optionscanner.workbook.layout import SAMPLES, SHEETS, TEMPLATE_VERSION
from optionscanner.workbook.layout_index import INDICES
from optionscanner.workbook.macros import add_macros, has_macros, read_macros
from optionscanner.workbook.rules import write_rules
from optionscanner.workbook.splice import Position, column_letters
from optionscanner.workbook.template_charts import write_charts
from optionscanner.workbook.template_extras import write_formulas, write_hints, write_notes, write_sparks
from optionscanner.workbook.template_inputs import write_inputs

_ROW_HEIGHT = 15.0
"""Points: 20 pixels."""
_TITLE_HEIGHT = 17.25
"""Points: the first row of the band, whose title is larger."""
# Part of the file's properties; a fixed moment keeps the bytes equal from run to run.
_CREATED = datetime(2026, 1, 1)  # noqa: DTZ001 - XlsxWriter takes naive times
_TABS = {"ALERT_SUMMARY": looks.BEAR, "STOCKS_GROUPED": looks.BULL, "SYSTEM_HEALTH": looks.MUTED, "NAMES": looks.MUTED,
         "EXAMPLES": looks.MUTED}  # fmt: skip


def build_template(
    layout: Sequence[Sheet] = (*SHEETS, *SAMPLES), *, macros: Mapping[str, str] | None = None
) -> bytes:
    """Bytes of an .xlsx file with every sheet of the layout, empty of values.

    With `macros`, module name -> VBA source, it is an .xlsm with those and the buttons that run them.
    """
    buffer = BytesIO()
    builder = _Builder(xlsxwriter.Workbook(buffer, {"in_memory": True}))
    builder.build(layout, macros)
    return buffer.getvalue()


def template_for(workbook: Path, macros: Path) -> Callable[[], bytes]:
    """What makes a workbook of this name; an .xlsm gets the macros of the folder `macros`.

    Called, it raises WorkbookError where their sources are not there. It can be sent to another process.
    """
    return partial(_build_with_macros, macros) if has_macros(workbook) else build_template


def _build_with_macros(folder: Path) -> bytes:
    return build_template(macros=read_macros(folder))


class _Builder:
    def __init__(self, book: Any) -> None:
        self._book = book
        self._formats: dict[tuple[tuple[str, Any], ...], Any] = {}

    def build(self, layout: Sequence[Sheet], macros: Mapping[str, str] | None) -> None:
        """Write every sheet and close the file."""
        book = self._book
        book.set_properties({
            "title": "OptionScanner dashboard",
            "subject": "Indian option chains, open-interest flow and trade readiness",
            "comments": "Filled by OptionScanner. Your own sheets, columns, formulas and charts are kept.",
            "created": _CREATED,
        })  # fmt: skip
        book.set_custom_property("OptionScanner template", TEMPLATE_VERSION)
        book.set_size(28_800, 15_600)
        normal = book.formats[0]
        normal.set_font_name(looks.FONT)
        normal.set_font_size(looks.FONT_SIZE)
        for sheet in layout:
            self._sheet(sheet, book.add_worksheet(sheet.name))
        if macros is not None:
            add_macros(book, layout, macros)
        # A file whose formulas have never been computed: both spreadsheets compute them on opening.
        book.set_calc_mode("auto")
        book.close()

    def _format(self, look: looks.Look) -> Any:
        key = tuple(sorted(look.items()))
        if key not in self._formats:
            self._formats[key] = self._book.add_format(look)
        return self._formats[key]

    def _sheet(self, sheet: Sheet, worksheet: Any) -> None:
        worksheet.hide_gridlines(2)
        worksheet.set_default_row(_ROW_HEIGHT)
        worksheet.set_tab_color(_TABS.get(sheet.name, looks.PUT))
        for column, width in enumerate(sheet.widths):
            grouped = {"level": 1} if sheet.outlined[0] <= column + 1 <= sheet.outlined[1] else {}
            worksheet.set_column(column, column, width, self._format(looks.BASE), grouped)
        # Every row gets a height of its own: LibreOffice measures rows without one after each write, colours included,
        # which takes some fifteen times as long as the writing.
        worksheet.original_row_height = 0
        for row, height in {1: _TITLE_HEIGHT, **sheet.heights}.items():
            worksheet.set_row(row - 1, height)
        if sheet.cells:
            self._band(sheet, worksheet)
        for table in sheet.tables:
            self._table(sheet, table, worksheet)
        for cells in sheet.cells:
            self._cells(sheet, cells, worksheet)
        for text in sheet.texts:
            worksheet.write_string(text.row - 1, text.column - 1, text.text, self._format(looks.style(text.style)))
        self._cards(sheet, worksheet)
        self._named(sheet, worksheet)
        write_inputs(sheet, worksheet, format_of=self._format, define=self._define)
        for owned in sheet.owned:
            look = {**looks.body(owned.kind), "align": "right"}
            worksheet.write_blank(owned.row - 1, owned.column - 1, None, self._format(look))
            self._define(owned.name, sheet, (owned.row, owned.column), (owned.row, owned.column))
        write_formulas(sheet, worksheet, self._format)
        write_sparks(sheet, worksheet)
        write_charts(sheet, self._book, worksheet)
        write_notes(sheet, worksheet)
        write_hints(sheet, worksheet)
        write_rules(sheet, worksheet, self._book.add_format)
        worksheet.freeze_panes(*sheet.freeze)
        # Below the band, whose first cell would show its hint over the sheet.
        worksheet.set_selection(sheet.freeze[0], 0, sheet.freeze[0], 0)
        self._print(sheet, worksheet)

    def _band(self, sheet: Sheet, worksheet: Any) -> None:
        row_style = {1: "band", 2: "band", 3: "note"}
        for row in range(1, BAND_ROWS + 1):
            for column in range(len(sheet.widths)):
                worksheet.write_blank(row - 1, column, None, self._format(looks.style(row_style[row])))

    def _table(self, sheet: Sheet, table: Table, worksheet: Any) -> None:
        for offset, column in enumerate(table.columns):
            at = table.column + offset - 1
            first = offset == 0
            unit = looks.unit(column.kind, column.role, first=first)
            worksheet.write_blank(table.row - 2, at, None, self._format(unit))
            header = self._format(looks.header(column.kind, column.role, first=first))
            # An empty text, unlike a blank, would stop the words beside it from running on.
            worksheet.write(table.row - 1, at, column.header or None, header)
            body = self._format(looks.body(column.kind, column.role, first=first))
            for row in range(table.row, table.last_row):
                worksheet.write_blank(row, at, None, body)
            for line in sheet.lines:
                if line.table == table.name:
                    total = {**looks.body(column.kind, column.role), **looks.STYLES["total"]}
                    worksheet.write_blank(line.row - 1, at, None, self._format(total))
        last = table.column + len(table.columns) - 1
        self._define(table.name, sheet, (table.row, table.column), (table.last_row, last))
        self._define(table.units_name, sheet, (table.row - 1, table.column), (table.row - 1, last))
        for line in sheet.lines:
            if line.table == table.name:
                self._define(line.name, sheet, (line.row, table.column), (line.row, last))

    def _cells(self, sheet: Sheet, cells: Cells, worksheet: Any) -> None:
        for cell in cells.cells:
            look = looks.value(cell.kind) if cell.style == "value" else {**looks.style(cell.style), "num_format": "@"}
            worksheet.write_blank(cell.row - 1, cell.column - 1, None, self._format(look))
        places = ",".join(f"'{sheet.name}'!{_absolute(c.row, c.column)}" for c in cells.cells)
        self._book.define_name(cells.name, f"={places}")

    def _cards(self, sheet: Sheet, worksheet: Any) -> None:
        """Carry the title's colour across each card of an index sheet."""
        if sheet.name not in INDICES:
            return
        row = BAND_ROWS + 1
        written = {text.column for text in sheet.texts if text.row == row}
        for column in range(1, sheet.screen[1] + 1):
            if column not in written:
                worksheet.write_blank(row - 1, column - 1, None, self._format(looks.style("card")))

    def _named(self, sheet: Sheet, worksheet: Any) -> None:
        for named in sheet.named:
            for i, cell in enumerate(named.cells):
                row = named.row + i
                align = {"align": "left"} if cell.kind in (Kind.TEXT, Kind.DATE_TIME) else {"align": "right"}
                look = {**looks.body(cell.kind), **align}
                worksheet.write_blank(row - 1, named.column - 1, None, self._format(look))
                self._book.define_name(cell.name, f"='{sheet.name}'!{_absolute(row, named.column)}")

    def _define(self, name: str, sheet: Sheet, first: Position, last: Position) -> None:
        until = f":{_absolute(*last)}" if last != first else ""
        self._book.define_name(name, f"='{sheet.name}'!{_absolute(*first)}{until}")

    def _print(self, sheet: Sheet, worksheet: Any) -> None:
        worksheet.set_landscape()
        worksheet.set_paper(9)
        worksheet.set_margins(left=0.3, right=0.3, top=0.4, bottom=0.5)
        worksheet.fit_to_pages(1, 0)
        if sheet.pages:
            last = max(table.last_row for table in sheet.tables)
            worksheet.fit_to_pages(1, sheet.pages)
            worksheet.print_area(BAND_ROWS, 0, last - 1, sheet.screen[1] - 1)
            worksheet.repeat_rows(BAND_ROWS)
            worksheet.set_footer("&L&8OptionScanner &A&R&8&P / &N")
            return
        if sheet.screen[1] or sheet.printed:
            # What lies beyond the screen would make the rest too small to read on paper.
            last = sheet.printed or max(table.last_row for table in sheet.tables)
            worksheet.print_area(0, 0, last - 1, (sheet.screen[1] or len(sheet.widths)) - 1)
        worksheet.repeat_rows(0, max(sheet.freeze[0], BAND_ROWS) - 1)
        worksheet.set_footer("&L&8OptionScanner &A&R&8&P / &N")


def _absolute(row: int, column: int) -> str:
    return f"${column_letters(column)}${row}"
