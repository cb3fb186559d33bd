"""Defined names and tables of the LibreOffice engine; tables of a workbook arrive there as database ranges."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from xlwings import NoSuchObjectError, base_classes

from optionscanner.workbook.office.document import Api
from optionscanner.workbook.office.ranges import Range


class Names(base_classes.Names):
    """The names of a workbook, those of its sheets after them, or the names of one sheet."""

    def __init__(self, book: Any, sheet: Any = None) -> None:
        self._book = book
        self._sheet = sheet

    @property
    def api(self) -> Api:
        """The native names."""
        return Api(self._native())

    def _native(self) -> Any:
        return (self._book.document.model if self._sheet is None else self._sheet.uno).NamedRanges

    def snapshot(self) -> list[tuple[str, Name]]:
        """Every name with its object; those of a sheet are written Sheet!Name."""
        if self._sheet is not None:
            before = f"{_quoted(self._sheet.name)}!"
            return [(before + text, Name(self._book, text, self._sheet)) for text in self._native().ElementNames]
        found = [(text, Name(self._book, text)) for text in self._native().ElementNames]
        for sheet in self._book.sheets:
            found += Names(self._book, sheet).snapshot()
        return found

    def __call__(self, name_or_index: int | str) -> Name:
        """By name (`Sheet!Name` for one of a sheet) or place from 1; raises KeyError where there is none."""
        if not isinstance(name_or_index, str):
            return self.snapshot()[name_or_index - 1][1]
        found = self._find(name_or_index)
        if found is None:
            raise KeyError(name_or_index)
        return found

    def _find(self, text: str) -> Name | None:
        if self._native().hasByName(text):
            return Name(self._book, text, self._sheet)
        wanted = text.lower()
        for known, name in self.snapshot():
            if wanted in (known.lower(), known.replace("'", "").lower()) or (
                self._sheet is not None and known.rpartition("!")[2].lower() == wanted
            ):
                return name
        return None

    def contains(self, name_or_index: int | str) -> bool:
        """Whether there is such a name."""
        if isinstance(name_or_index, str):
            return self._find(name_or_index) is not None
        return 1 <= name_or_index <= len(self)

    def __len__(self) -> int:
        return len(self.snapshot())

    def add(self, name: str, refers_to: str) -> Name:
        """Define a name for a reference or formula in Excel's notation; an old one of that name goes."""
        native = self._native()
        if native.hasByName(name):
            native.removeByName(name)
        document = self._book.document
        at = document.address(0 if self._sheet is None else self._sheet.index - 1, 0, 0)
        native.addNewByName(name, "", at, 0)
        native.getByName(name).setTokens(document.parse(refers_to, at))
        return Name(self._book, name, self._sheet)


class Name(base_classes.Name):
    """A defined name, held by its text and its sheet."""

    def __init__(self, book: Any, text: str, sheet: Any = None) -> None:
        self._book = book
        self._text = text
        self._sheet = sheet

    @property
    def uno(self) -> Any:
        """The native name; raises KeyError where it was deleted."""
        names = (self._book.document.model if self._sheet is None else self._sheet.uno).NamedRanges
        if not names.hasByName(self._text):
            raise KeyError(self._text)
        return names.getByName(self._text)

    @property
    def api(self) -> Api:
        """The native name."""
        return Api(self.uno)

    def delete(self) -> None:
        """Take the name out of the workbook."""
        names = (self._book.document.model if self._sheet is None else self._sheet.uno).NamedRanges
        names.removeByName(self._text)

    @property
    def name(self) -> str:
        """The name; one of a sheet is written Sheet!Name."""
        return self._text if self._sheet is None else f"{_quoted(self._sheet.name)}!{self._text}"

    @name.setter
    def name(self, value: str) -> None:
        self.uno.setName(value)
        self._text = value

    def _at(self) -> Any:
        return self.uno.getReferencePosition()

    @property
    def refers_to(self) -> str:
        """What it stands for, in Excel's notation."""
        return "=" + str(self._book.document.print(self.uno.getTokens(), self._at()))

    @refers_to.setter
    def refers_to(self, value: str) -> None:
        self.uno.setTokens(self._book.document.parse(value, self._at()))

    def range_or_none(self) -> Range | None:
        """The cells it stands for, None where it stands for something else or for cells that were deleted."""
        cells = self.uno.getReferredCells()
        if cells is None or not hasattr(cells, "getRangeAddress"):
            return None
        found: Range = self._book.at(cells.getRangeAddress())
        return found

    @property
    def refers_to_range(self) -> Range:
        """The cells it stands for; raises NoSuchObjectError where there are none."""
        found = self.range_or_none()
        if found is None:
            raise NoSuchObjectError(f"the name {self.name} refers to no single block of cells: {self.refers_to}")
        return found


class Tables(base_classes.Tables):
    """The tables of one sheet."""

    def __init__(self, sheet: Any) -> None:
        self._sheet = sheet

    @property
    def parent(self) -> Any:
        """The sheet."""
        return self._sheet

    def _native(self) -> Any:
        return self._sheet.book.document.model.DatabaseRanges

    @property
    def api(self) -> Api:
        """The native database ranges, of all sheets."""
        return Api(self._native())

    def _here(self) -> list[str]:
        native = self._native()
        index = self._sheet.index - 1
        return [text for text in native.ElementNames if native.getByName(text).getDataArea().Sheet == index]

    def __call__(self, key: int | str) -> Table:
        """By name or place from 1; raises KeyError where there is none."""
        if not isinstance(key, str):
            return Table(self._sheet, self._here()[key - 1])
        for text in self._here():
            if text.lower() == key.lower():
                return Table(self._sheet, text)
        raise KeyError(key)

    def __iter__(self) -> Iterator[Table]:
        return iter([Table(self._sheet, text) for text in self._here()])

    def __len__(self) -> int:
        return len(self._here())

    def __contains__(self, key: object) -> bool:
        return str(key).lower() in (text.lower() for text in self._here())

    def add(  # noqa: PLR0917 - xlwings' own signature
        self, source_type: Any = None, source: Any = None, link_source: Any = None, has_headers: Any = True,
        destination: Any = None, table_style_name: Any = None, name: str | None = None,
    ) -> Table:  # fmt: skip
        """Make a table of a range; LibreOffice has no table styles."""
        native = self._native()
        if name is None:
            taken = set(native.ElementNames)
            name = next(text for number in range(1, len(taken) + 2) if (text := f"Table{number}") not in taken)
        if native.hasByName(name):
            raise ValueError(f"a table {name} exists already in the workbook: choose another name")
        native.addNewByName(name, source.impl.uno.getRangeAddress())
        made = native.getByName(name)
        made.ContainsHeader = bool(has_headers)
        made.AutoFilter = bool(has_headers)
        return Table(self._sheet, name)


class Table(base_classes.Table):
    """A table, held by its name."""

    def __init__(self, sheet: Any, text: str) -> None:
        self._sheet = sheet
        self._text = text

    @property
    def uno(self) -> Any:
        """The native database range; raises KeyError where it was deleted."""
        native = self._sheet.book.document.model.DatabaseRanges
        if not native.hasByName(self._text):
            raise KeyError(self._text)
        return native.getByName(self._text)

    @property
    def api(self) -> Api:
        """The native database range."""
        return Api(self.uno)

    @property
    def parent(self) -> Any:
        """The sheet."""
        return self._sheet

    @property
    def name(self) -> str:
        """Its name."""
        return self._text

    @name.setter
    def name(self, value: str) -> None:
        self.uno.setName(value)
        self._text = value

    @property
    def display_name(self) -> str:
        """Its name."""
        return self._text

    @display_name.setter
    def display_name(self, value: str) -> None:
        self.name = value

    @property
    def range(self) -> Range:
        """The table with header and totals."""
        found: Range = self._sheet.book.at(self.uno.getDataArea())
        return found

    @property
    def header_row_range(self) -> Range | None:
        """The header row, None where it has none."""
        whole = self.range
        return Range(whole.sheet, whole.row, whole.column, 1, whole.shape[1]) if self.show_headers else None

    @property
    def totals_row_range(self) -> Range | None:
        """The row of totals, None where it has none."""
        whole = self.range
        last = whole.row + whole.shape[0] - 1
        return Range(whole.sheet, last, whole.column, 1, whole.shape[1]) if self.show_totals else None

    @property
    def data_body_range(self) -> Range | None:
        """The rows between header and totals, None where there are none."""
        whole = self.range
        above = int(self.show_headers)
        height = whole.shape[0] - above - int(self.show_totals)
        return Range(whole.sheet, whole.row + above, whole.column, height, whole.shape[1]) if height > 0 else None

    @property
    def insert_row_range(self) -> None:
        """LibreOffice has no such row."""
        return None

    @property
    def show_headers(self) -> bool:
        """Whether the first row names the columns."""
        return bool(self.uno.ContainsHeader)

    @show_headers.setter
    def show_headers(self, value: bool) -> None:
        self.uno.ContainsHeader = bool(value)

    @property
    def show_totals(self) -> bool:
        """Whether the last row holds totals."""
        return bool(self.uno.TotalsRow)

    @show_totals.setter
    def show_totals(self, value: bool) -> None:
        self.uno.TotalsRow = bool(value)

    @property
    def show_autofilter(self) -> bool:
        """Whether the header has filter buttons."""
        return bool(self.uno.AutoFilter)

    @show_autofilter.setter
    def show_autofilter(self, value: bool) -> None:
        self.uno.AutoFilter = bool(value)

    def resize(self, range: Any) -> None:
        """Make the table cover this range; cells keep what they hold."""
        self.uno.setDataArea(range.impl.uno.getRangeAddress())


def _quoted(sheet: str) -> str:
    return sheet if sheet.replace("_", "").isalnum() else "'" + sheet.replace("'", "''") + "'"
