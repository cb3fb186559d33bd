"""Looks into an open LibreOffice through a connection of its own; `Hand` changes what a user changes by menus.

`Eye` asks a helper process (`python -m tests.office_eye PIPE`), so that an office that hangs costs a time-out and
nothing else, and so that the bridge is never loaded into the process of the tests. What it reads is had by UNO and the
layout's words alone, with none of the code that wrote.
"""

from __future__ import annotations

import importlib.util
import json
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from queue import Empty, Queue
from threading import Thread
from types import ModuleType
from typing import Any, TextIO

from optionscanner.workbook.grid import Cells, Line, Named, Table
from optionscanner.workbook.layout import SHEETS, blocks

BRIDGE = Path("/usr/lib/python3/dist-packages")
FRONT_STATE = "band.front"
HEARTBEAT = "HEARTBEAT"

Place = tuple[str, int, int, int, int]
"""(sheet, first row, first column, last row, last column), from 1."""


class EyeError(Exception):
    """The office could not be looked into."""


class Eye:
    """Asks the helper; every question has a time-out."""

    def __init__(self, pipe: str, *, timeout: float = 20.0) -> None:
        self.timeout = timeout
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.office_eye", pipe], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
            encoding="utf-8", cwd=Path(__file__).resolve().parent.parent,
        )  # fmt: skip
        self._answers: Queue[str] = Queue()
        Thread(target=self._listen, daemon=True).start()
        try:
            self.ask("hello", within=60.0)
        except EyeError:
            self.close()
            raise

    def ask(self, what: str, *given: Any, within: float | None = None) -> Any:
        """The helper's answer; raises EyeError where there is none in time or the office refused."""
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(json.dumps([what, *given]) + "\n")
            self._process.stdin.flush()
        except (OSError, ValueError) as error:
            raise EyeError(f"{what}: the eye is closed") from error
        try:
            line = self._answers.get(timeout=within or self.timeout)
        except Empty:
            self.close()
            raise EyeError(f"{what}: no answer in {within or self.timeout} s; the office hangs") from None
        answer = json.loads(line or '{"error": "the eye ended"}')
        if "error" in answer:
            raise EyeError(f"{what}: {answer['error']}")
        return answer["ok"]

    def documents(self) -> list[str]:
        """Paths of the spreadsheets that are open, "" for one that was never saved."""
        return self.ask("documents")

    def view(self, book: str) -> dict[str, Any]:
        """Active sheet, selection, scroll position and zoom."""
        return self.ask("view", book)

    def formulas(self, book: str, place: str) -> list[list[str]]:
        """Formulas of a range such as ``$'My notes'.A1:B2`` or of a defined name; a number is its text."""
        return self.ask("formulas", book, place)

    def values(self, book: str, place: str) -> list[list[Any]]:
        """Values of a range: number or text."""
        return self.ask("values", book, place)

    def put(self, book: str, **cells: float | str | None) -> None:
        """Write cells by defined name, as a macro does: numbers, texts, or None for an empty cell."""
        self.ask("put", book, cells)

    def press(self, book: str, macro: str) -> None:
        """Run what a button runs, e.g. ``Engine.Recalculate``."""
        self.ask("press", book, macro)

    def others(self, book: str) -> dict[str, dict[str, str]]:
        """sheet -> cell -> formula, of every filled cell that no block of ours covers."""
        return self.ask("others", book)

    def blocks(self, book: str) -> dict[str, list[list[Any]]]:
        """block -> rows of values of every block of the layout as the document holds them now."""
        return self.ask("blocks", book, within=60.0)

    def counts(self, book: str) -> dict[str, int]:
        """Names, styles, conditional formats and the like."""
        return self.ask("counts", book)

    def shape(self, book: str) -> dict[str, Any]:
        """Order of the sheets and whether each is shown, widths of their columns, notes, hidden rows, charts."""
        return self.ask("shape", book)

    def close(self) -> None:
        """End the helper."""
        if self._process.poll() is None:
            self._process.kill()
        self._process.wait(10)
        for stream in (self._process.stdin, self._process.stdout):
            if stream is not None:
                stream.close()

    def _listen(self) -> None:
        assert self._process.stdout is not None
        try:
            for line in self._process.stdout:
                self._answers.put(line)
        except ValueError:
            pass  # closed meanwhile
        self._answers.put("")


class Hand(Eye):
    """Does in the open workbook what its user can do."""

    def protect(self, book: str, sheet: str, *, on: bool) -> None:
        """Protect a sheet without a password, or take the protection off."""
        self.ask("protect", book, sheet, on)

    def remove_sheet(self, book: str, sheet: str) -> None:
        """Delete a sheet."""
        self.ask("remove_sheet", book, sheet)

    def rename_sheet(self, book: str, sheet: str, name: str) -> None:
        """Give a sheet another name."""
        self.ask("rename_sheet", book, sheet, name)

    def write(self, book: str, place: str, formula: str) -> None:
        """Put a formula, a number or a text into one cell."""
        self.ask("write", book, place, formula)

    def save(self, book: str) -> None:
        """Save in place."""
        self.ask("save", book)

    def close_book(self, book: str) -> None:
        """Close the workbook without saving it; the program stays."""
        self.ask("close_book", book)

    def open_book(self, book: str) -> None:
        """Open a workbook in this program."""
        self.ask("open_book", book, within=60.0)


# --- the helper


class Helper:
    """Answers questions inside the helper process."""

    def __init__(self, pipe: str) -> None:
        uno = sys.modules["uno"]
        context = uno.getComponentContext()
        resolver = context.ServiceManager.createInstanceWithContext("com.sun.star.bridge.UnoUrlResolver", context)
        self.uno = uno
        last: Exception | None = None
        for _ in range(150):
            try:
                found = resolver.resolve(f"uno:pipe,name={pipe};urp;StarOffice.ComponentContext")
                break
            except uno.getClass("com.sun.star.connection.NoConnectException") as error:
                last = error
                time.sleep(0.2)
        else:
            raise EyeError(f"no office listens on the pipe {pipe}: {last}")
        self.desktop = found.ServiceManager.createInstanceWithContext("com.sun.star.frame.Desktop", found)

    def hello(self) -> str:
        return "hello"

    def documents(self) -> list[str]:
        return [self._path(document) for document in self._open()]

    def view(self, book: str) -> dict[str, Any]:
        document = self._document(book)
        controller = document.CurrentController
        selected = document.CurrentSelection
        address = getattr(selected, "AbsoluteName", None) or getattr(selected, "RangeAddressesAsString", None) or ""
        panes: list[list[int]] = []
        for _ in range(5):
            try:
                found = [controller.getByIndex(i) for i in range(controller.Count)]
                panes = [[pane.FirstVisibleRow, pane.FirstVisibleColumn] for pane in found]
                break
            except self.uno.getClass("com.sun.star.lang.IndexOutOfBoundsException"):
                time.sleep(0.05)  # the user went to a sheet with fewer panes meanwhile
        return {
            "sheet": controller.ActiveSheet.Name,
            "selection": address,
            "panes": panes,
            "zoom": controller.ZoomValue,
        }

    def formulas(self, book: str, place: str) -> list[list[str]]:
        return [list(row) for row in self._range(book, place).getFormulaArray()]

    def values(self, book: str, place: str) -> list[list[Any]]:
        return [list(row) for row in self._range(book, place).getDataArray()]

    def put(self, book: str, cells: Mapping[str, Any]) -> None:
        for name, value in cells.items():
            cell = self._range(book, name).getCellByPosition(0, 0)
            if isinstance(value, str):
                cell.setString(value)
            elif value is None:
                cell.clearContents(_VALUE + _TIME + _TEXT + _FORMULA)
            else:
                cell.setValue(value)

    def press(self, book: str, macro: str) -> None:
        provider = self._document(book).getScriptProvider()
        address = f"vnd.sun.star.script:VBAProject.{macro}?language=Basic&location=document"
        provider.getScript(address).invoke((), (), ())

    def others(self, book: str) -> dict[str, dict[str, str]]:
        document = self._document(book)
        grids = {sheet.Name: _used(sheet).getFormulaArray() for sheet in _sheets(document)}
        ours = _taken(_names(document), grids)
        return {
            title: {
                f"{letters(column)}{row}": text
                for row, line in enumerate(grid, 1)
                for column, text in enumerate(line, 1)
                if text != "" and (row, column) not in ours.get(title, ())
            }
            for title, grid in grids.items()
        }

    def blocks(self, book: str) -> dict[str, list[list[Any]]]:
        document = self._document(book)
        names = _names(document)
        data = {sheet.Name: _used(sheet).getDataArray() for sheet in _sheets(document)}
        at = _looker(data)
        found: dict[str, list[list[Any]]] = {}
        for sheet in SHEETS:
            for name, block in blocks(sheet):
                if isinstance(block, Named):
                    places = [names[cell.name][0] for cell in block.cells if cell.name in names]
                    found[name] = [[at(place[0], place[1], place[2])] for place in places]
                elif name not in names:
                    continue
                elif isinstance(block, Cells):
                    found[name] = [[at(place[0], place[1], place[2])] for place in names[name]]
                else:
                    table = block if isinstance(block, Table) else sheet.table(block.table)
                    if table.name not in names:
                        continue
                    columns = _columns(table, names[table.name][0], at)
                    title, first, _, last, _ = names[name][0]
                    if isinstance(block, Table):
                        first += 1
                    found[name] = [[at(title, row, column) for column in columns] for row in range(first, last + 1)]
        return found

    def counts(self, book: str) -> dict[str, int]:
        document = self._document(book)
        families = document.StyleFamilies
        rules = [sheet.ConditionalFormats.getConditionalFormats() for sheet in _sheets(document)]
        return {
            "sheets": document.Sheets.Count,
            "names": document.NamedRanges.Count,
            "cell styles": families.getByName("CellStyles").Count,
            "page styles": families.getByName("PageStyles").Count,
            "conditional formats": sum(len(found) for found in rules),
            "conditions": sum(format.getCount() for found in rules for format in found),
            "database ranges": document.DatabaseRanges.Count,
            "undo steps": _undo_steps(document),
        }

    def shape(self, book: str) -> dict[str, Any]:
        document = self._document(book)
        found = {}
        for sheet in _sheets(document):
            found[sheet.Name] = {
                # Where a far cell stands tells when the width or the height of any before it changed.
                "far cell": [sheet.getCellByPosition(60, 300).Position.X, sheet.getCellByPosition(60, 300).Position.Y],
                "notes": sheet.Annotations.Count,
                "shapes": sheet.DrawPage.Count,
                "visible": sheet.IsVisible,
                "shown rows": sheet.queryVisibleCells().RangeAddressesAsString,
            }
        return {"order": [sheet.Name for sheet in _sheets(document)], "sheets": found}

    def protect(self, book: str, sheet: str, on: bool) -> None:
        found = self._document(book).Sheets.getByName(sheet)
        if on:
            found.protect("")
        else:
            found.unprotect("")

    def remove_sheet(self, book: str, sheet: str) -> None:
        self._document(book).Sheets.removeByName(sheet)

    def rename_sheet(self, book: str, sheet: str, name: str) -> None:
        self._document(book).Sheets.getByName(sheet).Name = name

    def write(self, book: str, place: str, formula: str) -> None:
        self._range(book, place).setFormulaArray(((formula,),))

    def save(self, book: str) -> None:
        self._document(book).store()

    def close_book(self, book: str) -> None:
        document = self._document(book)
        document.setModified(False)
        document.close(True)

    def open_book(self, book: str) -> None:
        self.desktop.loadComponentFromURL(Path(book).as_uri(), "_blank", 0, ())

    def _open(self) -> Iterator[Any]:
        components = self.desktop.Components.createEnumeration()
        while components.hasMoreElements():
            component = components.nextElement()
            if component is not None and _is_sheets(component):
                yield component

    def _path(self, document: Any) -> str:
        return self.uno.fileUrlToSystemPath(document.URL) if document.URL else ""

    def _document(self, book: str) -> Any:
        for document in self._open():
            if self._path(document) == book:
                return document
        raise EyeError(f"{book} is not open")

    def _range(self, book: str, place: str) -> Any:
        document = self._document(book)
        found = _places(place) or _places(document.NamedRanges.getByName(place).Content)
        sheet, top, left, bottom, right = found[0]
        return document.Sheets.getByName(sheet).getCellRangeByPosition(left - 1, top - 1, right - 1, bottom - 1)


# com.sun.star.sheet.CellFlags: what of a cell is cleared.
_VALUE, _TIME, _TEXT, _FORMULA = 1, 2, 4, 16

_PLACE = re.compile(r"\$?('(?:[^']|'')+'|[^.$~'!]+)[.!]\$?([A-Z]+)\$?(\d+)(?::\$?([A-Z]+)\$?(\d+))?")


def _places(content: str) -> list[Place]:
    found = []
    for sheet, column, row, last_column, last_row in _PLACE.findall(content):
        title = sheet[1:-1].replace("''", "'") if sheet.startswith("'") else sheet
        first = int(row), number(column)
        last = (int(last_row), number(last_column)) if last_row else first
        found.append((title, *first, *last))
    return found


def _names(document: Any) -> dict[str, list[Place]]:
    ranges = document.NamedRanges
    return {name: _places(ranges.getByName(name).Content) for name in ranges.ElementNames}


def _undo_steps(document: Any) -> int:
    """Entries of the user's undo list; while a frame is written another list stands there for a moment."""
    before = -1
    for _ in range(200):
        quiet = document.IsUndoEnabled and not document.hasControllersLocked()
        steps = len(document.UndoManager.getAllUndoActionTitles())
        if quiet and steps == before:
            break
        before = steps if quiet else -1
        time.sleep(0.03)
    return steps


def _sheets(document: Any) -> list[Any]:
    return [document.Sheets.getByIndex(i) for i in range(document.Sheets.Count)]


def _used(sheet: Any) -> Any:
    cursor = sheet.createCursor()
    cursor.gotoEndOfUsedArea(False)
    last = cursor.RangeAddress
    return sheet.getCellRangeByPosition(0, 0, last.EndColumn, last.EndRow)


def _columns(table: Table, place: Place, at: Callable[[str, int, int], Any]) -> list[int]:
    """Sheet columns of the table's fields, by header; the same header a second time is a ladder's other side."""
    title, top, left, _, right = place
    headers = [at(title, top, column) for column in range(left, right + 1)]
    found = []
    for i, field in enumerate(table.fields):
        earlier = sum(f.header == field.header for f in table.fields[:i])
        hits = [left + j for j, text in enumerate(headers) if text == field.header]
        if earlier < len(hits):
            found.append(hits[earlier])
    return found


def _looker(grids: Mapping[str, Sequence[Sequence[Any]]]) -> Callable[[str, int, int], Any]:
    """A function that gives a cell of these grids, "" outside of them."""

    def at(sheet: str, row: int, column: int) -> Any:
        rows = grids[sheet]
        return rows[row - 1][column - 1] if row <= len(rows) and column <= len(rows[row - 1]) else ""

    return at


def _taken(
    names: Mapping[str, list[Place]], grids: Mapping[str, Sequence[Sequence[str]]]
) -> dict[str, set[tuple[int, int]]]:
    """sheet -> (row, column) of every cell that holds a value of ours."""
    at = _looker(grids)
    taken: dict[str, set[tuple[int, int]]] = {}
    for sheet in SHEETS:
        for name, block in blocks(sheet):
            if isinstance(block, Named):
                for cell in block.cells:
                    for title, row, column, _, _ in names.get(cell.name, ()):
                        taken.setdefault(title, set()).add((row, column))
            elif isinstance(block, Cells):
                for title, row, column, _, _ in names.get(name, ()):
                    taken.setdefault(title, set()).add((row, column))
            else:
                table = block if isinstance(block, Table) else sheet.table(block.table)
                if not names.get(name) or not names.get(table.name):
                    continue
                columns = _columns(table, names[table.name][0], at)
                title, first, _, last, _ = names[name][0]
                first += isinstance(block, Table)
                last = first if isinstance(block, Line) else last
                taken.setdefault(title, set()).update(
                    (row, column) for row in range(first, last + 1) for column in columns
                )
    for title, row, column, _, _ in names.get(HEARTBEAT, ()):
        taken.setdefault(title, set()).add((row, column))
    return taken


def _is_sheets(component: Any) -> bool:
    return hasattr(component, "supportsService") and component.supportsService("com.sun.star.sheet.SpreadsheetDocument")


def letters(column: int) -> str:
    """Column number from 1 as letters."""
    text = ""
    while column:
        column, rest = divmod(column - 1, 26)
        text = chr(65 + rest) + text
    return text


def number(text: str) -> int:
    """Letters of a column as its number from 1."""
    value = 0
    for letter in text:
        value = value * 26 + ord(letter) - 64
    return value


def _bridge() -> ModuleType:
    """Debian's two bridge files alone, whichever Python runs this."""
    for name in ("uno", "unohelper"):
        spec = importlib.util.spec_from_file_location(name, BRIDGE / f"{name}.py")
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        sys.modules[name] = module
        spec.loader.exec_module(module)
    return sys.modules["uno"]


def serve(pipe: str, questions: TextIO, answers: TextIO) -> None:
    """Answer until the questions end."""
    refused = _bridge().getClass("com.sun.star.uno.Exception")
    helper: Helper | None = None
    for line in questions:
        what, *given = json.loads(line)
        try:
            helper = helper or Helper(pipe)
            answer: dict[str, Any] = {"ok": getattr(helper, what)(*given)}
        except (refused, EyeError, LookupError, AttributeError, TypeError) as error:
            answer = {"error": f"{type(error).__name__}: {error}"}
        answers.write(json.dumps(answer) + "\n")
        answers.flush()


if __name__ == "__main__":
    serve(sys.argv[1], sys.stdin, sys.stdout)
