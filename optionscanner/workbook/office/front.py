"""LibreOffice as the spreadsheet program of the live workbook: `LibreOfficeFront`.

It opens or takes up one workbook by its full path, tells whether it is still there, and ends only what it started.
Writing goes through xlwings' own classes.
"""

from __future__ import annotations

import os
import stat
import tempfile
import time
from contextlib import AbstractContextManager
from pathlib import Path
from types import TracebackType
from typing import Any

import xlwings

from optionscanner.errors import WorkbookBusy, WorkbookError
from optionscanner.workbook.live.front import FrontBusy, FrontLost, Opened
from optionscanner.workbook.macros_repair import repair_macros
from optionscanner.workbook.office import engine, files, locks, macros, process
from optionscanner.workbook.office.bridge import Bridge
from optionscanner.workbook.office.document import Quiet
from optionscanner.workbook.office.process import Office
from optionscanner.workbook.office.watch import Watch

FRAME_DEADLINE_S = 3.0
"""Seconds after which an office that has not taken a frame counts as frozen; a frame takes some 0.06 s."""
CLOSE_DEADLINE_S = 5.0
"""Seconds for the user's dialog to go away before a workbook cannot be closed."""

_TRY_EVERY_S = 0.1


class LibreOfficeFront:
    """The live workbook in LibreOffice, on a profile of its own; see `workbook.live.front.Front`."""

    name = engine.NAME
    deadline: float | None = FRAME_DEADLINE_S

    def __init__(self, profile: Path, *, headless: bool | None = None) -> None:
        """`profile` is the folder of the profile; `headless` None means: windows where there is a display."""
        self._profile = profile
        self._headless = headless
        self.office: Office | None = None
        """The office that is open, None where there is none."""
        self._app: engine.App | None = None
        self._watches: dict[Path, Watch] = {}

    def open(self, path: Path) -> Opened:
        """Take up the workbook where it is open in our office, else open it there; see `Front.open`."""
        path = Path(os.path.realpath(path))
        files.check(path)
        office, app = self._have_office(path)
        with self._lost_where_gone():
            found = _open_already(app, path)
            if found is not None:
                note = f"{path.name} was open in LibreOffice already and is used as it stands"
                return self._take(office, app, found, path, note)
            model = self._load(office, path)
            if model.isReadonly():
                model.close(True)
            return self._take(office, app, model, path, "")

    def reopened(self, opened: Opened) -> Opened | None:
        """The workbook that the user closed, where they have opened it in our office since; opens nothing itself."""
        _, path = self._watch(opened)
        if self.office is None or self._app is None or not self.office.alive():
            return None
        with self._lost_where_gone():
            found = _open_already(self._app, path)
            return None if found is None else self._take(self.office, self._app, found, path, "")

    def is_open(self, opened: Opened) -> bool:
        """Whether the workbook is still open under its path; raises FrontLost where the program died."""
        watch, path = self._watch(opened)
        if watch is None or watch.closed:
            return False
        book: engine.Book = opened.book.impl
        # A process that was killed may take a moment to be gone; a workbook that was closed has said so before.
        if self.office is None or not self.office.alive() or book.document.disposed():
            raise FrontLost("LibreOffice ended without closing the workbook")
        return book.path() == path

    def disturbed(self, opened: Opened) -> str:
        """Always "": LibreOffice takes values while the user types, copies or answers a dialog, and loses nothing."""
        return ""

    @property
    def errors(self) -> type[Exception]:
        """The base class of LibreOffice's errors; nothing of that kind can be raised while none is open."""
        return FrontLost if self.office is None else self.office.bridge.failed

    def failure(self, error: Exception) -> FrontLost | FrontBusy | None:
        """A call into an office or workbook that is gone; everything else is no business of the program."""
        if self.office is None:
            return None
        bridge = self.office.bridge
        if not isinstance(error, (bridge.failed, AttributeError, KeyError)):
            return None
        if not self.office.alive() or isinstance(error, bridge.error("com.sun.star.lang.DisposedException")):
            return FrontLost("LibreOffice or the workbook was closed or ended during a call")
        if any(watch.gone() for watch in self._watches.values()):
            return FrontLost("the workbook was closed in LibreOffice during a call")
        return None

    def quiet(self, opened: Opened) -> AbstractContextManager[None]:
        """Around one frame: one repaint, and nothing in the user's undo list; always taken back, even after an error.

        Errors of an office or a workbook that is gone come out as FrontLost.
        """
        return _Frame(self, Quiet(opened.book.impl.document))

    def order_held(self, opened: Opened, sheet: str, address: str) -> bool:
        """Whether a filter hides rows of the block; rows that the user hid by hand do not count."""
        block = opened.book.impl.sheets(sheet).range(address)
        visible = sum(
            part.EndRow - part.StartRow + 1 for part in block.columns[0].uno.queryVisibleCells().RangeAddresses
        )
        if visible == block.shape[0]:
            return False
        rows = block.uno.getRows()
        return any(rows.getByIndex(number).IsFiltered for number in range(block.shape[0]))

    def save(self, opened: Opened) -> None:
        """Save the workbook in its place and format; see `Front.save`."""
        document = opened.book.impl.document
        watch, path = self._watch(opened)
        if watch is not None and watch.replaced():
            raise WorkbookBusy(
                f"{path} was changed or removed by another program while LibreOffice shows it, so it is not saved: "
                "save the open workbook under another name"
            )
        with self._lost_where_gone():
            files.store(document.bridge, document.model)

    def save_copy(self, opened: Opened, to: Path) -> None:
        """Write the workbook as it stands to another file, in the format of that file's extension."""
        document = opened.book.impl.document
        with self._lost_where_gone():
            files.store_to(document.bridge, document.model, to)

    def pdf(self, opened: Opened, to: Path, sheets: tuple[str, ...]) -> None:
        """Print these sheets, in the order of the workbook, from a hidden copy."""
        office = self._require()
        with tempfile.TemporaryDirectory(prefix="optionscanner-pdf-") as folder, self._lost_where_gone():
            copy = Path(os.path.realpath(folder)) / "print.xlsx"
            self.save_copy(opened, copy)
            model = files.load(office, copy, hidden=True, macros=False)
            if model is None:
                raise WorkbookBusy(f"the copy of the workbook for {to} could not be opened")
            try:
                _keep_sheets(model, sheets)
                files.store_to(office.bridge, model, to)
            finally:
                model.close(True)

    def run_macro(self, opened: Opened, name: str, *arguments: Any) -> Any:
        """Run a macro of the workbook (`Module.Name`); returns what it returns."""
        with self._lost_where_gone():
            return macros.run(opened.book.impl.document, name, arguments)

    def close(self, opened: Opened, *, leave_open: bool, save: bool = True) -> None:
        """Let go; without `leave_open` close the workbook, saved before with `save`, and our office if it is empty."""
        watch, path = self._watch(opened)
        office, app = self._require(), self._app
        assert app is not None
        document = opened.book.impl.document
        if not leave_open and office.alive() and not document.disposed():
            if save:
                self.save(opened)
            self._close(office.bridge, document.model, path)
            if save:
                repair_macros(path)
        if watch is not None:
            watch.stop()
            del self._watches[path]
        if leave_open:
            engine.release(app)
            self.office = self._app = None
        elif not office.alive() or not any(True for _ in office.documents()):
            engine.release(app)
            office.quit()
            self.office = self._app = None

    def _have_office(self, path: Path) -> tuple[Office, engine.App]:
        if self.office is not None and not (self.office.alive() and self.office.answers()):
            if self._app is not None:
                engine.release(self._app)
            self.office = self._app = None
            self._watches.clear()
        if self.office is None or self._app is None:
            running = process.profiles.recall(self._profile)
            if running is None or not running.alive():
                # Before a window opens: it would show a question about the lock, and wait.
                locks.clear_own(path, self._profile)
            self.office = Office.have(self._profile, path.parent, headless=self._headless)
            self._app = engine.adopt(self.office)
        return self.office, self._app

    def _load(self, office: Office, path: Path) -> Any:
        # It is not open in our office, so a lock of our own is a dead one's.
        locks.clear_own(path, self._profile)
        # The system lets its administrator write everywhere; the user who took the right away meant everybody.
        if not (os.access(path, os.W_OK) and path.stat().st_mode & stat.S_IWUSR):
            raise WorkbookBusy(f"{path} is write-protected: make the file writable, or choose another workbook")
        # What LibreOffice saved the last time, it would not find again.
        repair_macros(path)
        model = files.load(office, path)
        if model is None:
            locks.clear_own(path, self._profile)
            raise WorkbookBusy(f"{path} could not be opened: LibreOffice would have asked a question about it")
        return model

    def _take(self, office: Office, app: engine.App, model: Any, path: Path, note: str) -> Opened:
        book = engine.Book(app, model)
        if book.document.disposed() or model.isReadonly():
            raise WorkbookBusy(
                f"{path} can only be opened for reading: make the file and its folder writable, "
                "then close it in LibreOffice"
            )
        book.document.recover()
        old = self._watches.get(path)
        if old is not None:
            old.stop()
        self._watches[path] = Watch(office.bridge, office.desktop, model, path)
        return Opened(xlwings.Book(impl=book), None if office.running is None else office.running.pid, note)

    def _close(self, bridge: Bridge, model: Any, path: Path) -> None:
        veto = bridge.error("com.sun.star.util.CloseVetoException")
        until = time.monotonic() + CLOSE_DEADLINE_S
        while True:
            try:
                model.setModified(False)
                model.close(True)
                return
            except veto as error:
                if time.monotonic() > until:
                    raise WorkbookBusy(
                        f"{path} cannot be closed while a window of LibreOffice asks something: answer it"
                    ) from error
                time.sleep(_TRY_EVERY_S)

    def _require(self) -> Office:
        if self.office is None:
            raise FrontLost("LibreOffice is not open")
        return self.office

    def _watch(self, opened: Opened) -> tuple[Watch | None, Path]:
        model = opened.book.impl.document.model
        for path, watch in self._watches.items():
            if watch.model is model:
                return watch, path
        return None, Path()

    def _lost_where_gone(self) -> _Frame:
        return _Frame(self)


class _Frame:
    """Around calls: errors of an office or a workbook that is gone come out as FrontLost.

    A class, not a generator: those set the traceback of errors, which LibreOffice's errors do not take.
    """

    def __init__(self, front: LibreOfficeFront, inner: Quiet | None = None) -> None:
        self._front = front
        self._inner = inner

    def __enter__(self) -> None:
        if self._inner is not None:
            try:
                self._inner.__enter__()
            except (self._front.errors, AttributeError) as error:
                self._say(error)
                raise

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if self._inner is not None:
                self._inner.__exit__(kind, error, trace)
        except (self._front.errors, AttributeError) as later:
            self._say(later)
            raise
        if isinstance(error, Exception) and not isinstance(error, WorkbookError):
            self._say(error)

    def _say(self, error: Exception) -> None:
        lost = self._front.failure(error)
        if lost is not None:
            raise lost from error


def _open_already(app: engine.App, path: Path) -> Any | None:
    """The document of this very path, None where it is not open; raises WorkbookBusy where it is open twice."""
    matches = [book.document.model for book in app.books if book.path() == path]
    if len(matches) > 1:
        raise WorkbookBusy(f"{path} is open twice in LibreOffice: close one of the two windows")
    return matches[0] if matches else None


def _keep_sheets(model: Any, sheets: tuple[str, ...]) -> None:
    """Hide the others: formulas and charts may need them."""
    names = model.Sheets.ElementNames
    missing = [name for name in sheets if name not in names]
    if missing:
        raise WorkbookError(f"the workbook has no sheet {', '.join(missing)} to print: it has {', '.join(names)}")
    for name in sheets:
        model.Sheets.getByName(name).IsVisible = True
    for name in names:
        model.Sheets.getByName(name).IsVisible = name in sheets
