"""Writes pictures into an open workbook like the real writer, or worse, to show that the robot user sees it.

Run it as `python -m tests.stand_in_writer PIPE BOOK KIND`; it prints each cycle. KIND is ``calm``, or what it does
beside writing: ``activates`` a sheet, ``selects`` a cell, ``calculates`` (which ends the user's typing), ``overwrites``
a cell of the user's, ``undoable`` (its writes are in the user's undo list), ``stalls`` (it stops writing).
"""

from __future__ import annotations

import itertools
import sys
import time

from optionscanner.workbook.grid import Table
from optionscanner.workbook.layout import SHEETS
from tests.office_eye import Helper, _bridge

EVERY_S = 0.4


def write(pipe: str, book: str, kind: str) -> None:
    """Write until ended."""
    _bridge()
    helper = Helper(pipe)
    document = helper._document(book)
    undo = document.UndoManager
    for cycle in itertools.count(1):
        sys.stdout.write(f"{cycle}\n")
        sys.stdout.flush()
        document.lockControllers()
        if kind != "undoable":
            undo.enterUndoContext("")  # which is empty, and so leaves nothing in the user's list
            document.IsUndoEnabled = False
        if kind != "stalls" or cycle < 4:
            _fill(helper, book, cycle)
        if kind != "undoable":
            document.IsUndoEnabled = True
            undo.leaveUndoContext()
        document.unlockControllers()
        if cycle % 5 == 0:
            _disturb(document, kind, cycle)
        time.sleep(EVERY_S)


def _fill(helper: Helper, book: str, cycle: int) -> None:
    for sheet in SHEETS:
        for table in sheet.tables:
            if isinstance(table, Table) and table.name in ("alert_summary", "stocks", "NIFTY_chain"):
                area = helper._range(book, table.name)
                width = area.Columns.Count
                rows = tuple(
                    (float(row), f"N{row}", *(float(cycle * 1000 + row * 10 + i) for i in range(2, width)))
                    for row in range(table.height)
                )
                address = area.RangeAddress
                body = area.Spreadsheet.getCellRangeByPosition(
                    address.StartColumn, address.StartRow + 1, address.EndColumn, address.EndRow
                )
                body.setDataArray(rows)
    helper._range(book, "CYCLE").setDataArray(((float(cycle),),))


def _disturb(document: object, kind: str, cycle: int) -> None:
    controller = document.CurrentController  # type: ignore[attr-defined]
    sheets = document.Sheets  # type: ignore[attr-defined]
    if kind == "activates":
        controller.setActiveSheet(sheets.getByIndex(cycle % 3))
    elif kind == "selects":
        controller.select(controller.ActiveSheet.getCellByPosition(cycle % 7, 9))
    elif kind == "calculates":
        document.calculateAll()  # type: ignore[attr-defined]
    elif kind == "overwrites" and sheets.hasByName("My notes"):
        sheets.getByName("My notes").getCellByPosition(0, 0).setFormula(f"engine {cycle}")


if __name__ == "__main__":
    write(*sys.argv[1:])
