"""A workbook that is being upgraded: its sheets, its defined names, its template version."""

from __future__ import annotations

import re
from collections.abc import Mapping

from lxml import etree

from optionscanner.errors import WorkbookError
from optionscanner.workbook.book_xml import Area, areas
from optionscanner.workbook.package import Member, read_package, write_package
from optionscanner.workbook.upgrade_formulas import listed, quoted_sheet
from optionscanner.workbook.upgrade_parts import (
    BOOK_ORDER,
    MAIN,
    OFFICE,
    Element,
    Parts,
    child_in_order,
    children,
    main,
    parsed,
)

VERSION_PROPERTY = "OptionScanner template"
_CUSTOM = "http://schemas.openxmlformats.org/officeDocument/2006/custom-properties"
_VALUES = "http://schemas.openxmlformats.org/officeDocument/2006/docPropsVTypes"
_CUSTOM_TYPE = "application/vnd.openxmlformats-officedocument.custom-properties+xml"
_CUSTOM_RELATION = f"{OFFICE}/custom-properties"
_FORMAT_ID = "{D5CDD505-2E9C-101B-9397-08002B2CF9AE}"
_LISTED_AT_LEAST = 10
"""Single named cells in one column of a sheet that make it a list, which grows at its end."""


class Book:
    """One workbook file, readable and changeable by sheet and name."""

    def __init__(self, data: bytes) -> None:
        """Take a file apart; WorkbookError, with the reason as a half-sentence, where that cannot be done."""
        self.parts = Parts(read_package(data))
        self.part = self.parts.related("", "officeDocument")
        if self.part not in self.parts.members:
            raise WorkbookError("it is a zip file but holds no workbook")
        self.root = self.parts.xml(self.part)
        if etree.QName(self.root).namespace != MAIN:
            raise WorkbookError("it is saved in the strict form of the file format; save it as an ordinary workbook")
        targets = {r.identity: r.target for r in self.parts.relations(self.part)}
        self.sheets: dict[str, str] = {}
        """title -> part, in the order of the tabs."""
        for sheet in self._sheet_list():
            self.sheets[sheet.get("name") or ""] = targets.get(sheet.get(f"{{{OFFICE}}}id") or "", "")

    @property
    def like(self) -> Member:
        """A member whose date and rights new ones take."""
        return self.parts.members[self.part]

    def bytes(self) -> bytes:
        """The file."""
        return write_package(self.parts.done())

    def _sheet_list(self) -> list[Element]:
        listed_sheets = self.root.find(main("sheets"))
        return [] if listed_sheets is None else list(children(listed_sheets, "sheet"))

    def sheet_xml(self, title: str, *, change: bool = False) -> Element:
        """Root of a sheet."""
        return self.parts.xml(self.sheets[title], change=change)

    def styles_xml(self, *, change: bool = False) -> Element:
        """Root of the style sheet."""
        return self.parts.xml(self.parts.related(self.part, "styles"), change=change)

    def _names(self) -> list[Element]:
        held = self.root.find(main("definedNames"))
        return [] if held is None else list(children(held, "definedName"))

    def names(self) -> dict[str, list[Area | None]]:
        """Workbook-wide defined name as it is spelled -> areas that it lists; None for a lost one."""
        return {n.get("name") or "": areas(n.text or "") for n in self._names() if n.get("localSheetId") is None}

    def texts(self) -> dict[str, str]:
        """Workbook-wide defined name as it is spelled -> what it says."""
        return {n.get("name") or "": n.text or "" for n in self._names() if n.get("localSheetId") is None}

    def places(self) -> dict[str, list[Area]]:
        """Workbook-wide name in lower case -> its areas, for names of which every area lies on a present sheet."""
        found = {}
        for name, listed_areas in self.names().items():
            here = [a for a in listed_areas if a is not None and self.sheets.get(a.sheet)]
            if here and len(here) == len(listed_areas):
                found[name.lower()] = here
        return found

    def define(self, name: str, text: str) -> None:
        """Let the workbook-wide name refer to `text`, in place where the name exists."""
        self.parts.xml(self.part, change=True)
        for known in self._names():
            if known.get("localSheetId") is None and (known.get("name") or "").lower() == name.lower():
                known.text = text
                return
        held = child_in_order(self.root, "definedNames", BOOK_ORDER)
        etree.SubElement(held, main("definedName"), name=name).text = text

    def point(self, name: str, places: list[Area]) -> None:
        """Let the name refer to areas."""
        self.define(name, listed(places))

    def local_names(self, title: str) -> list[tuple[Mapping[str, str], str]]:
        """Attributes and text of the names that belong to one sheet alone (print areas, filters)."""
        number = str(list(self.sheets).index(title))
        return [(dict(n.attrib), n.text or "") for n in self._names() if n.get("localSheetId") == number]

    def add_sheet(
        self, title: str, part: str, after: str, names: list[tuple[Mapping[str, str], str]], state: str | None
    ) -> None:
        """Give a sheet whose part is there its tab behind that of `after` ("" for the end), and its own names."""
        self.parts.xml(self.part, change=True)
        tabs = child_in_order(self.root, "sheets", BOOK_ORDER)
        titles = list(self.sheets)
        place = titles.index(after) + 1 if after in self.sheets else len(titles)
        identity = self.parts.relate(self.part, f"{OFFICE}/worksheet", part, self.like)
        number = max([int(s.get("sheetId") or 0) for s in self._sheet_list()], default=0) + 1
        tab = etree.Element(main("sheet"), name=title, sheetId=str(number))
        if state is not None:
            tab.set("state", state)
        tab.set(f"{{{OFFICE}}}id", identity)
        tabs.insert(place, tab)
        titles.insert(place, title)
        self.sheets = {t: part if t == title else self.sheets[t] for t in titles}
        # Sheets behind the new one moved by one place, and these count places.
        for known in self._names():
            self._later(known, "localSheetId", place)
        for view in self.root.iter(main("workbookView"), main("customWorkbookView")):
            for attribute in ("activeTab", "firstSheet"):
                self._later(view, attribute, place)
        for attributes, text in names:
            held = child_in_order(self.root, "definedNames", BOOK_ORDER)
            etree.SubElement(held, main("definedName"), {**attributes, "localSheetId": str(place)}).text = text

    def _later(self, element: Element, attribute: str, place: int) -> None:
        given = element.get(attribute)
        if given is not None and int(given) >= place:
            element.set(attribute, str(int(given) + 1))

    def calculate_on_load(self) -> None:
        """Have the spreadsheet compute every formula when it opens the file."""
        self.parts.xml(self.part, change=True)
        setting = child_in_order(self.root, "calcPr", BOOK_ORDER)
        setting.set("fullCalcOnLoad", "1")

    def version(self) -> str:
        """Template version that the workbook says it is of, "" where it says none."""
        part = self.parts.related("", "custom-properties")
        if part not in self.parts.members:
            return ""
        for entry in self.parts.xml(part):
            if entry.get("name") == VERSION_PROPERTY:
                return "".join(entry.itertext()).strip()
        return ""

    def set_version(self, version: str) -> None:
        """Say the template version."""
        part = self.parts.related("", "custom-properties")
        if part not in self.parts.members:
            part = "docProps/custom.xml"
            empty = f'<Properties xmlns="{_CUSTOM}" xmlns:vt="{_VALUES}"/>'
            self.parts.put(part, empty.encode(), _CUSTOM_TYPE, self.like)
            self.parts.relate("", _CUSTOM_RELATION, part, self.like)
        root = self.parts.xml(part, change=True)
        for entry in root:
            if entry.get("name") == VERSION_PROPERTY and len(entry):
                entry[0].text = version
                return
        numbers = [int(e.get("pid") or 1) for e in root]
        entry = etree.SubElement(
            root, f"{{{_CUSTOM}}}property", fmtid=_FORMAT_ID, pid=str(max(numbers, default=1) + 1),
            name=VERSION_PROPERTY,
        )  # fmt: skip
        etree.SubElement(entry, f"{{{_VALUES}}}lpwstr").text = version


def version_of(data: bytes) -> str:
    """Template version that a workbook file says it is of, "" where it says none; raises as `Book` does."""
    return Book(data).version()


def grouped(book: Book) -> dict[str, dict[str, list[Area]]]:
    """title -> name as spelled -> areas, of the names of the template that point to cells; in the order of tabs."""
    by_sheet: dict[str, dict[str, list[Area]]] = {title: {} for title in book.sheets}
    for name, places in book.names().items():
        whole = [area for area in places if area is not None]
        if whole and len(whole) == len(places):
            by_sheet[whole[0].sheet][name] = whole
    return by_sheet


def list_columns(names: Mapping[str, list[Area]]) -> set[int]:
    """Columns of a sheet that hold a list of single named cells."""
    columns = [a[0].left for a in names.values() if len(a) == 1 and a[0].top == a[0].bottom and a[0].left == a[0].right]
    return {column for column in columns if columns.count(column) >= _LISTED_AT_LEAST}


def renamed(text: str, old: str, new: str) -> str:
    """A defined name's text with one sheet called otherwise."""
    return re.sub(rf"(?:'{re.escape(old)}'|(?<![\w.'])" + rf"{re.escape(old)})!", f"{quoted_sheet(new)}!", text)


def strings(book: Book) -> list[Element]:
    """Shared strings of a workbook as elements, for cells that refer to them by number."""
    part = book.parts.related(book.part, "sharedStrings")
    if part not in book.parts.members:
        return []
    return list(children(parsed(book.parts.members[part].unpacked(), part), "si"))
