"""One open document: what its ranges, names and tables share; and `Api`, native objects as xlwings sees them."""

from __future__ import annotations

from contextlib import suppress
from types import TracebackType
from typing import Any

from optionscanner.workbook.office.bridge import Bridge
from optionscanner.workbook.office.notes import Notes

_ENGLISH = {"Language": "en", "Country": "US", "Variant": ""}
_DATE, _LOGICAL = 2, 1024
_CONTEXT = "Update"
_KEYS_PER_LANGUAGE = 10_000
"""The first key of each language is its General format."""


class Api:
    """A native object; always true, as xlwings asks `if range.api`, which LibreOffice answers by counting."""

    __slots__ = ("uno",)

    def __init__(self, native: Any) -> None:
        object.__setattr__(self, "uno", native)

    def __bool__(self) -> bool:
        return True

    def __getattr__(self, name: str) -> Any:
        return getattr(self.uno, name)

    def __setattr__(self, name: str, value: Any) -> None:
        setattr(self.uno, name, value)


class Document:
    """A spreadsheet model with its number formats and its parser of formulas in Excel's notation."""

    def __init__(self, bridge: Bridge, model: Any) -> None:
        self.bridge = bridge
        self.model = model
        self.notes = Notes()
        self._locale = bridge.struct("com.sun.star.lang.Locale", **_ENGLISH)
        self._kinds: dict[int, str] = {}
        """Key of a number format -> "date", "truth" or ""."""
        self._parsers: list[Any] = []

    def disposed(self) -> bool:
        """Whether the document was closed."""
        try:
            self.model.getURL()
        except (self.bridge.failed, AttributeError):
            return True
        return False

    def recover(self) -> None:
        """Take back what a writer that was killed within `quiet` left: no repaint, no undo."""
        while self.model.hasControllersLocked():
            self.model.unlockControllers()
        if self.model.IsUndoEnabled:
            return
        self.model.IsUndoEnabled = True
        undo = self.model.getUndoManager()
        with suppress(self.bridge.error("com.sun.star.util.InvalidStateException")):
            while True:
                undo.leaveUndoContext()

    # Number formats

    def format_key(self, code: str) -> int:
        """Key of a format code as Excel writes it."""
        formats = self.model.getNumberFormats()
        if code == "General":
            return int(formats.getStandardIndex(self._locale))
        key = formats.queryKey(code, self._locale, False)
        return int(formats.addNew(code, self._locale) if key == -1 else key)

    def format_code(self, key: int) -> str:
        """Format code of a key."""
        if key % _KEYS_PER_LANGUAGE == 0:
            return "General"
        return str(self.model.getNumberFormats().getByKey(key).FormatString)

    def kind(self, key: int) -> str:
        """Whether cells of this format hold a "date" or a "truth" value, "" for everything else."""
        if key not in self._kinds:
            number_type = self.model.getNumberFormats().getByKey(key).Type
            self._kinds[key] = "date" if number_type & _DATE else "truth" if number_type & _LOGICAL else ""
        return self._kinds[key]

    # Formulas

    def address(self, sheet: int, row: int, column: int) -> Any:
        """A cell address, counted from 0."""
        return self.bridge.struct("com.sun.star.table.CellAddress", Sheet=sheet, Row=row, Column=column)

    def parse(self, formula: str, at: Any) -> tuple[Any, ...]:
        """A formula in Excel's notation as tokens; relative references count from the cell `at`."""
        return tuple(self._parser().parseFormula(formula.removeprefix("="), at))

    def print(self, tokens: tuple[Any, ...], at: Any) -> str:
        """Tokens as a formula in Excel's notation, without the equal sign."""
        return str(self._parser().printFormula(tokens, at))

    def _parser(self) -> Any:
        if not self._parsers:
            parser = self.model.createInstance("com.sun.star.sheet.FormulaParser")
            parser.CompileEnglish = True
            parser.FormulaConvention = self.bridge.uno.getConstantByName("com.sun.star.sheet.AddressConvention.XL_OOX")
            self._parsers.append(parser)
        return self._parsers[0]


class Quiet:
    """Around the writes of a frame: one repaint, and nothing in the user's undo list. Always taken back.

    Locking the undo manager is not enough: LibreOffice 7.4 unlocks it at each repaint. Switching undo off for the
    document works, and is quicker, but empties the list; inside an undo context that is the context's own list, and an
    empty context leaves no trace.

    A class, not a generator: those set the traceback of errors, which LibreOffice's errors do not take.
    """

    def __init__(self, document: Document) -> None:
        self._document = document

    def __enter__(self) -> None:
        model = self._document.model
        model.getUndoManager().enterUndoContext(_CONTEXT)
        model.IsUndoEnabled = False
        model.lockControllers()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is None:
            self._take_back()
        else:
            # What went wrong first is what counts; a document that is gone needs nothing back.
            with suppress(self._document.bridge.failed, AttributeError):
                self._take_back()

    def _take_back(self) -> None:
        model = self._document.model
        try:
            model.IsUndoEnabled = True
            model.getUndoManager().leaveUndoContext()
        finally:
            # Last, as LibreOffice paints then and answers nothing meanwhile.
            model.unlockControllers()
