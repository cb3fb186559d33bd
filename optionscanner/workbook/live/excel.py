"""Microsoft Excel as the spreadsheet program of the live workbook, over xlwings' own engines: `ExcelFront`.

It opens or takes up one workbook by its full path, never another one; it never selects, activates, calculates or
touches the clipboard, and quits only an Excel that it started. Cannot run where the tests run: what is pure is tested
there (excel_errors.py, `same_workbook`), the rest against stubs and by hand.
"""

from __future__ import annotations

import atexit
import os
import re
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import psutil
import xlwings

from optionscanner.errors import WorkbookBusy, WorkbookError, reason_of
from optionscanner.workbook.live.excel_errors import meaning
from optionscanner.workbook.live.front import FrontBusy, FrontLost, Opened

_PDF, _COPY_MODE_OFF = 0, 0
_ADDRESS_PARTS = 3
"""So many last parts of a web address (folders and name) must be those of the path."""


class ExcelFront:
    """The live workbook in Excel for Windows or macOS; see `workbook.live.front.Front`."""

    name = "excel"
    deadline: float | None = None
    """Excel refuses while its user edits or answers a dialog, for as long as they like."""

    def __init__(
        self, *, platform: str = sys.platform, apps: Callable[[], Iterable[Any]] = lambda: xlwings.apps,
        start: Callable[[], Any] = lambda: xlwings.App(visible=True, add_book=False),
    ) -> None:  # fmt: skip
        self._windows = platform == "win32"
        self._apps, self._start = apps, start
        self._path = Path()
        self._app: Any = None
        self._dark = False
        """Whether screen updating may have been left off by a refusal."""
        if self._windows and platform == sys.platform:
            _tame()

    def open(self, path: Path) -> Opened:
        """Take up the workbook where it is open, else open it; see `Front.open`."""
        self._path = path = Path(os.path.realpath(path))
        with self._translated(path):
            found = self._found(path)
            if found is not None:
                return found
            self._refuse_protected_view(path)
            running = next(iter(self._apps()), None)
            app = running if running is not None else self._start()
            started = None if running is not None else int(app.pid)
            book = self._load(app, path, ours=started is not None)
            self._app = app
            return Opened(book, started, f"{path.name} was opened in Excel")

    def is_open(self, opened: Opened) -> bool:
        """Whether the user still has the workbook open under its path; raises FrontLost where Excel crashed."""
        try:
            with self._translated(self._path):
                return same_workbook(self._full_name(opened.book), self._path)
        except FrontBusy:
            return True  # it refuses, so it is there
        except FrontLost:
            if self._crashed():
                raise
            return False

    def reopened(self, opened: Opened) -> Opened | None:
        """The workbook that the user closed, where they have opened it since; opens nothing itself."""
        with self._translated(self._path):
            return self._found(self._path)

    def disturbed(self, opened: Opened) -> str:
        """`copying` while a copied range waits to be pasted, which a write would end; `busy`; a refusal raises."""
        app = opened.book.app
        if self._dark:
            self._light(app)
        if not self._windows:
            return ""
        native = app.api
        if not native.Ready or not native.Interactive:
            return "busy"
        return "copying" if int(native.CutCopyMode) != _COPY_MODE_OFF else ""

    def failure(self, error: Exception) -> FrontLost | FrontBusy | None:
        """What an exception out of Excel means; see `excel_errors.meaning`."""
        return meaning(error)

    @contextmanager
    def quiet(self, opened: Opened) -> Iterator[None]:
        """One repaint for the whole frame."""
        app = opened.book.app
        app.screen_updating = False
        self._dark = True
        try:
            yield
        finally:
            # Refused, it is tried again before the next frame: a screen that stays dark would look frozen.
            with suppress(FrontBusy, FrontLost), self._translated(self._path):
                self._light(app)

    def order_held(self, opened: Opened, sheet: str, address: str) -> bool:
        """Whether a filter of a table or of the sheet hides rows of the block; unknown on macOS, where it is False."""
        if not self._windows:
            return False
        native = opened.book.sheets[sheet].api
        filters = [native.AutoFilter] if native.AutoFilterMode else []
        filters += [table.AutoFilter for table in native.ListObjects if table.ShowAutoFilter]
        block = native.Range(address)
        overlap = native.Application.Intersect
        return any(f is not None and f.FilterMode and overlap(f.Range, block) is not None for f in filters)

    def save(self, opened: Opened) -> None:
        """Save the workbook in its place and format; see `Front.save`."""
        with self._translated(self._path), _no_alerts(opened.book.app):
            if self._windows:
                opened.book.api.Save()
            else:
                opened.book.save()

    def save_copy(self, opened: Opened, to: Path) -> None:
        """Write the workbook as it stands to another file of the same format; macOS saves it and copies the file."""
        if to.suffix.lower() != self._path.suffix.lower():
            raise WorkbookError(f"{to}: Excel writes a copy in the workbook's own format; give it {self._path.suffix}")
        if self._windows:
            with self._translated(to):
                opened.book.api.SaveCopyAs(str(to))
            return
        self.save(opened)
        try:
            shutil.copy2(self._path, to)
        except OSError as error:
            why = reason_of(error)
            raise WorkbookError(f"{to} could not be written ({why}); check the folder") from error

    def pdf(self, opened: Opened, to: Path, sheets: tuple[str, ...]) -> None:
        """Print these sheets from a copy in an Excel of its own that nobody sees."""
        with tempfile.TemporaryDirectory(prefix="optionscanner-pdf-") as folder:
            copy = Path(folder) / f"print{self._path.suffix}"
            self.save_copy(opened, copy)
            with self._translated(to):
                app = xlwings.App(visible=False, add_book=False)
                pid = int(app.pid)
                try:
                    app.display_alerts = False
                    book = app.books.open(str(copy), update_links=False, read_only=True)
                    if self._windows:
                        for sheet in book.sheets:
                            sheet.visible = sheet.name in sheets
                        book.api.ExportAsFixedFormat(_PDF, str(to))
                    else:
                        book.to_pdf(str(to), include=list(sheets))
                    book.close()
                finally:
                    self._end(app, pid)

    def run_macro(self, opened: Opened, name: str, *arguments: Any) -> Any:
        """Run a macro of the workbook (`Module.Name`); returns what it returns."""
        with self._translated(self._path):
            return opened.book.macro(name)(*arguments)

    def close(self, opened: Opened, *, leave_open: bool, save: bool = True) -> None:
        """Let go; without `leave_open` the workbook is saved and closed, and an Excel that we started ends."""
        app, self._app = self._app, None
        if leave_open:
            return
        if save:
            self.save(opened)
        with self._translated(self._path):
            owner = opened.book.app
            opened.book.close()
            if opened.started is not None and not len(owner.books):
                self._end(app if app is not None else owner, opened.started)

    # Finding and opening

    def _found(self, path: Path) -> Opened | None:
        """The workbook, where one Excel has it open; raises WorkbookBusy where two have."""
        found = [
            (app, book) for app in self._apps() for book in app.books if same_workbook(self._full_name(book), path)
        ]
        if len(found) > 1:
            raise WorkbookBusy(f"{path} is open in two Excel windows of their own: close one of them")
        if not found:
            return None
        app, book = found[0]
        self._refuse_read_only(book, path)
        self._app = app
        return Opened(book, None, f"{path.name} was open in Excel already and is used as it stands")

    def _full_name(self, book: Any) -> str:
        # xlwings turns web addresses into paths by settings that a user may not have, and raises where it cannot.
        return str(book.api.FullName if self._windows else book.fullname)

    def _load(self, app: Any, path: Path, *, ours: bool) -> Any:
        if not os.access(path, os.W_OK):
            raise WorkbookBusy(f"{path} is write-protected: make the file writable, or choose another workbook")
        try:
            if any(str(book.name).lower() == path.name.lower() for book in app.books):
                raise WorkbookBusy(
                    f"another workbook named {path.name} is open in Excel, which cannot open two of one name: close it"
                )
            with _no_alerts(app):
                book = app.books.open(str(path), update_links=False, ignore_read_only_recommended=True, notify=False)
            self._refuse_read_only(book, path, opened_by_us=True)
        except WorkbookBusy:
            if ours:
                self._end(app, int(app.pid))
            raise
        return book

    def _refuse_read_only(self, book: Any, path: Path, *, opened_by_us: bool = False) -> None:
        if not self._windows or not book.api.ReadOnly:
            return
        if opened_by_us:
            book.api.Close(False)
        raise WorkbookBusy(
            f"{path} can only be opened for reading, as another program or person has it open: close it there"
        )

    def _refuse_protected_view(self, path: Path) -> None:
        """A workbook in Protected View is open, and yet none of the open workbooks."""
        if not self._windows:
            return
        for app in self._apps():
            for window in app.api.ProtectedViewWindows:
                if same_workbook(str(Path(str(window.SourcePath)) / str(window.SourceName)), path):
                    raise WorkbookBusy(f"{path} is open in Excel's Protected View: click Enable Editing there")

    def _crashed(self) -> bool:
        """Whether Excel is gone without having given up the file: one that quits takes its owner file with it."""
        return (self._path.parent / f"~${self._path.name}").exists()

    def _light(self, app: Any) -> None:
        app.screen_updating = True
        self._dark = False

    def _end(self, app: Any, pid: int) -> None:
        """Quit an Excel of ours; xlwings' own way of quitting would also end hidden ones of other programs."""
        with _GoingDown():
            if self._windows:
                app.api.Quit()
            else:
                app.quit()
        with suppress(psutil.Error):
            process = psutil.Process(pid)
            if psutil.wait_procs([process], timeout=10.0)[1]:
                process.kill()

    @contextmanager
    def _translated(self, path: Path) -> Iterator[None]:
        """Errors of Excel come out as ours; one that says nothing we know is the user's to act on."""
        with _Translated(path):
            yield


class _Translated:
    def __init__(self, path: Path) -> None:
        self._path = path

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: Any, error: BaseException | None, trace: Any) -> None:
        if error is None or isinstance(error, WorkbookError):
            return
        known = meaning(error)
        if known is not None:
            raise known from error
        if hasattr(error, "hresult") or hasattr(error, "errornumber"):
            raise WorkbookError(f"{self._path}: Excel could not do it ({_words(error)})") from error


def same_workbook(full_name: str, path: Path) -> bool:
    """Whether Excel's name of an open workbook means the file `path`.

    Workbooks in OneDrive and SharePoint are told by a web address: its last parts must be those of the path.
    """
    if re.match(r"https?://", full_name, re.IGNORECASE):
        told = [part.lower() for part in unquote(full_name.rstrip("/")).split("/")[3:]]
        ours = [part.lower() for part in path.parts[1:]]
        parts = min(_ADDRESS_PARTS, len(ours), len(told))
        return parts > 0 and told[-parts:] == ours[-parts:]
    theirs = Path(full_name)
    if theirs.name.lower() != path.name.lower():
        return False
    try:
        return theirs.samefile(path)
    except OSError:
        return os.path.normcase(full_name) == os.path.normcase(path)


def _tame() -> None:
    """Take from xlwings what it must not do here: retry refused calls for ever, and end other programs' Excels."""
    from xlwings import _xlwindows  # type: ignore[attr-defined, unused-ignore]

    _xlwindows.N_COM_ATTEMPTS = 1
    atexit.unregister(_xlwindows.cleanup)


@contextmanager
def _no_alerts(app: Any) -> Iterator[None]:
    """Nothing asks the user anything meanwhile."""
    before = app.display_alerts
    app.display_alerts = False
    try:
        yield
    finally:
        app.display_alerts = before


class _GoingDown:
    """Drops what comes out of an Excel that is going down: COM and AppleScript errors by their codes."""

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: Any, error: BaseException | None, trace: Any) -> bool:
        return isinstance(error, AttributeError) or hasattr(error, "hresult") or hasattr(error, "errornumber")


def _words(error: BaseException) -> str:
    details = error.args[2] if len(error.args) > 2 else None
    text = details[2] if isinstance(details, tuple) and len(details) > 2 and details[2] else str(error)
    return " ".join(str(text).split())
