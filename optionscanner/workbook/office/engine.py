"""LibreOffice as an engine of xlwings: `register` makes it known, `adopt` hands xlwings a running office.

xlwings' classes (App, Book, Sheet, Range, Name, Table) work on it unchanged. What xlwings asks for beyond sheets,
ranges, names and tables (shapes, pivot tables, comments) is not there.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import xlwings
from xlwings import base_classes

from optionscanner.platforms_office import libre_office_folder
from optionscanner.workbook.office import files, macros, process
from optionscanner.workbook.office.document import Api, Document
from optionscanner.workbook.office.process import Office
from optionscanner.workbook.office.ranges import Grid, Range
from optionscanner.workbook.office.sheets import Sheet, Sheets
from optionscanner.workbook.office.tables import Names
from optionscanner.workbook.office.values import CellError, Shown, element, moment

NAME = "libreoffice"
_SPREADSHEET = "com.sun.star.sheet.SpreadsheetDocument"


def register() -> Engine:
    """The engine, entered in xlwings' list of engines the first time."""
    for known in xlwings.engines:
        if known.name == NAME:
            found: Engine = known.impl
            return found
    made = Engine()
    xlwings.engines.add(xlwings.main.Engine(impl=made))
    return made


def adopt(office: Office) -> App:
    """The running office as an app of the engine."""
    engine = register()
    app = App(engine, office)
    engine.apps.enter(app)
    return app


def release(app: App) -> None:
    """The app is no longer one of the engine's; its office lives on."""
    app.engine.apps.leave(app)


class Engine:
    """What xlwings asks of an engine."""

    name = NAME
    type = "desktop"

    def __init__(self) -> None:
        self.apps = Apps(self)

    @staticmethod
    def prepare_xl_data_element(x: Any, options: Any) -> Any:
        """One value of `Range.value = ...` as the block writer wants it."""
        return element(x)

    @staticmethod
    def clean_value_data(
        data: Any, datetime_builder: Any, empty_as: Any, number_builder: Any, err_to_str: bool
    ) -> list[list[Any]]:
        """Values of a block as `Range.value` gives them: dates by their format, errors as None or text."""

        def clean(value: Any, kind: str) -> Any:
            if value is None or value == "":
                return empty_as
            if isinstance(value, CellError):
                return str(value) if err_to_str else None
            if not isinstance(value, float):
                return value
            if kind == "date":
                found = moment(value)
                return datetime_builder(
                    year=found.year, month=found.month, day=found.day, hour=found.hour, minute=found.minute,
                    second=found.second, microsecond=found.microsecond, tzinfo=None,
                )  # fmt: skip
            if kind == "truth":
                return bool(value)
            return float(value) if number_builder is None else number_builder(float(value))

        if not isinstance(data, Grid):
            return [[clean(v, v.format if isinstance(v, Shown) else "") for v in row] for row in data]
        cleaned = [[clean(value, "") for value in row] for row in data]
        for kind, down, across in data.source.kinds():
            for new, old in zip(cleaned[down], data[down], strict=True):
                new[across] = [clean(value, kind) for value in old[across]]
        return cleaned


class Apps(base_classes.Apps):
    """The offices that this process talks to, the newest first."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._apps: list[App] = []

    def enter(self, app: App) -> None:
        """Make it the active one."""
        self._apps.insert(0, app)

    def leave(self, app: App) -> None:
        """Forget it."""
        if app in self._apps:
            self._apps.remove(app)

    def keys(self) -> list[int]:
        """Process ids."""
        return [app.pid for app in self]

    def add(self, spec: Any = None, add_book: bool | None = None, xl: Any = None, visible: bool | None = None) -> App:
        """Start an office of its own; `spec` is the folder of its profile, by default a new one."""
        profile = Path(spec) if spec else Path(tempfile.mkdtemp(prefix="optionscanner-office-"))
        office = Office.have(profile, Path.cwd(), headless=None if visible in (None, True) else True)
        app = adopt(office)
        if add_book:
            app.books.add()
        return app

    @staticmethod
    def cleanup() -> None:
        """Nothing of ours lies about; others' offices are left alone."""

    def __iter__(self) -> Iterator[App]:
        """Those that live; one that was killed answers no question."""
        return iter([app for app in self._apps if app.office.alive()])

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def __getitem__(self, pid: int) -> App:
        for app in self:
            if app.pid == pid:
                return app
        raise KeyError(pid)


class App(base_classes.App):
    """One office."""

    engine: Any = None
    display_alerts = True
    enable_events = True
    interactive = True
    cut_copy_mode = None
    visible = True
    """Settable, as xlwings sets it; windows are shown or not from the start on."""

    def __init__(self, engine: Engine, office: Office) -> None:
        self.engine = engine
        self.office = office
        self._locked: list[Any] = []

    @property
    def api(self) -> Api:
        """The native desktop."""
        return Api(self.office.desktop)

    @property
    def pid(self) -> int:
        """Process id, 0 where the office was not started by us."""
        return 0 if self.office.running is None else self.office.running.pid

    @property
    def version(self) -> str:
        """Version of LibreOffice, such as 7.4."""
        provider = self.office.service("com.sun.star.configuration.ConfigurationProvider")
        node = self.office.bridge.properties(nodepath="/org.openoffice.Setup/Product")
        access = provider.createInstanceWithArguments("com.sun.star.configuration.ConfigurationAccess", node)
        return str(access.getByName("ooSetupVersion"))

    @property
    def path(self) -> str:
        """Folder of the program."""
        return str(libre_office_folder() or "")

    @property
    def hwnd(self) -> int:
        """Windows have none of the kind that xlwings means."""
        return 0

    @property
    def books(self) -> Books:
        """Its open workbooks."""
        return Books(self)

    @property
    def selection(self) -> Range | None:
        """What the user has selected, None where it is no single block."""
        model = self.office.desktop.getCurrentComponent()
        chosen = None if model is None else model.getCurrentSelection()
        if chosen is None or not hasattr(chosen, "getRangeAddress"):
            return None
        return Book(self, model).at(chosen.getRangeAddress())

    @property
    def screen_updating(self) -> bool:
        """Whether changes are drawn as they happen."""
        return not self._locked

    @screen_updating.setter
    def screen_updating(self, value: bool) -> None:
        if value:
            for model in self._locked:
                model.unlockControllers()
            self._locked.clear()
        elif not self._locked:
            self._locked = [book.document.model for book in self.books]
            for model in self._locked:
                model.lockControllers()

    @property
    def calculation(self) -> str:
        """`automatic` or `manual`, of the first workbook."""
        automatic = all(book.document.model.isAutomaticCalculationEnabled() for book in self.books)
        return "automatic" if automatic else "manual"

    @calculation.setter
    def calculation(self, value: str) -> None:
        for book in self.books:
            book.document.model.enableAutomaticCalculation(value != "manual")

    def calculate(self) -> None:
        """Calculate what changed; takes over what the user is typing, so never done by the writer."""
        for book in self.books:
            book.document.model.calculate()

    @property
    def status_bar(self) -> bool:
        """LibreOffice keeps its status bar to itself."""
        return False

    @status_bar.setter
    def status_bar(self, value: Any) -> None:
        del value

    def run(self, macro: str, args: Any) -> Any:
        """Run a macro, `'book.xlsm'!Module.Name` or `Module.Name` of the first workbook."""
        book, mark, _ = macro.rpartition("!")
        target = self.books(book.strip("'")) if mark else self.books(1)
        return macros.run(target.document, macro, args)

    def activate(self, steal_focus: bool = False) -> None:
        """Nothing: the user's window keeps the focus."""

    def quit(self) -> None:
        """Close every workbook without saving and end the office, where we started it."""
        for book in list(self.books):
            book.close()
        release(self)
        self.office.quit()

    def kill(self) -> None:
        """End the process at once, where we started it."""
        release(self)
        if self.office.running is not None:
            process.kill(self.office.running)


class Books(base_classes.Books):
    """The open workbooks of one office, text documents and the like left out."""

    app: Any = None

    def __init__(self, app: App) -> None:
        self.app = app

    @property
    def api(self) -> Api:
        """The native components."""
        return Api(self.app.office.desktop.Components)

    def __iter__(self) -> Iterator[Book]:
        for model in self.app.office.documents():
            if model.supportsService(_SPREADSHEET):
                yield Book(self.app, model)

    def __len__(self) -> int:
        return sum(1 for _ in self)

    @property
    def active(self) -> Book:
        """The one whose window is in front, else the first."""
        model = self.app.office.desktop.getCurrentComponent()
        if model is not None and model.supportsService(_SPREADSHEET):
            return Book(self.app, model)
        return self(1)

    def __call__(self, name_or_index: int | str) -> Book:
        """By name, full path, or place from 1; raises KeyError where there is none."""
        books = list(self)
        if not isinstance(name_or_index, str):
            return books[name_or_index - 1]
        for book in books:
            if name_or_index.lower() in (book.name.lower(), book.fullname.lower()):
                return book
        raise KeyError(name_or_index)

    def __contains__(self, key: object) -> bool:
        return any(str(key).lower() in (book.name.lower(), book.fullname.lower()) for book in self)

    def add(self) -> Book:
        """A new workbook."""
        office = self.app.office
        return Book(self.app, office.desktop.loadComponentFromURL("private:factory/scalc", "_blank", 0, ()))

    def open(self, fullname: str, update_links: Any = None, read_only: bool | None = None, *others: Any) -> Book:
        """Open a file, or take the open one of this very path."""
        path = Path(fullname).resolve()
        for book in self:
            if book.path() == path:
                return book
        files.check(path)
        model = files.load(self.app.office, path, read_only=bool(read_only))
        if model is None:
            raise xlwings.XlwingsError(f"{path} could not be opened: another program holds it, or it asks something")
        return Book(self.app, model)


class Book(base_classes.Book):
    """One workbook."""

    app: Any = None

    def __init__(self, app: App, model: Any) -> None:
        self.app = app
        self.document = Document(app.office.bridge, model)

    @property
    def api(self) -> Api:
        """The native model."""
        return Api(self.document.model)

    def path(self) -> Path | None:
        """Where its file lies, None where it was never saved."""
        return files.path_of(self.document.model)

    @property
    def fullname(self) -> str:
        """Full path, or the title of a workbook that was never saved."""
        path = self.path()
        return self.name if path is None else str(path)

    @property
    def name(self) -> str:
        """File name, or the title of a workbook that was never saved."""
        path = self.path()
        return str(self.document.model.getTitle()) if path is None else path.name

    @property
    def sheets(self) -> Sheets:
        """Its sheets."""
        return Sheets(self)

    @property
    def names(self) -> Names:
        """Its names."""
        return Names(self)

    def at(self, address: Any) -> Range:
        """The range of a native address."""
        sheet = Sheet(self, self.document.model.Sheets.getByIndex(address.Sheet))
        rows, columns = address.EndRow - address.StartRow + 1, address.EndColumn - address.StartColumn + 1
        return Range(sheet, address.StartRow + 1, address.StartColumn + 1, rows, columns)

    def save(self, path: str | None = None, password: str | None = None) -> None:
        """Save in place, or under another name and from then on there."""
        bridge, model = self.document.bridge, self.document.model
        if path is None and self.path() is not None:
            files.store(bridge, model)
        else:
            files.store_to(bridge, model, Path(path or f"{self.name}.xlsx").absolute(), stay=False)

    def close(self) -> None:
        """Close without saving."""
        self.document.model.setModified(False)
        self.document.model.close(True)

    def activate(self) -> None:
        """Nothing: the user's window keeps the focus."""

    def to_pdf(self, path: str, quality: Any = None) -> None:
        """Print its visible sheets into a PDF."""
        files.store_to(self.document.bridge, self.document.model, Path(path))
