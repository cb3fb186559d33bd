"""A workbook's own parts: which sheet lives in which file of the package, and where defined names point.

Reads with regular expressions and edits in place, so that what is not edited keeps its bytes.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Mapping
from dataclasses import dataclass
from html import escape, unescape
from typing import NamedTuple

from lxml import etree

from optionscanner.errors import WorkbookError
from optionscanner.workbook.package import Member
from optionscanner.workbook.splice import column_letters, column_number

_MAIN = "{http://schemas.openxmlformats.org/spreadsheetml/2006/main}"
_STRICT = "{http://purl.oclc.org/ooxml/spreadsheetml/main}"
_ID = "{http://schemas.openxmlformats.org/officeDocument/2006/relationships}id"
_STRICT_ID = "{http://purl.oclc.org/ooxml/officeDocument/relationships}id"
_CONTENT_TYPES = "[Content_Types].xml"
_AREA = re.compile(
    r"(?:'((?:[^']|'')+)'|([^'!,\[\]]+))!\$?([A-Za-z]{1,3})\$?(\d+)(?::\$?([A-Za-z]{1,3})\$?(\d+))?$"
)
_NAME = re.compile(r"<((?:\w+:)?)definedName\b([^>]*)>([^<]*)</(?:\w+:)?definedName\s*>")


class Area(NamedTuple):
    """A rectangle on a sheet; rows and columns from 1, both ends included."""

    sheet: str
    top: int
    left: int
    bottom: int
    right: int

    def __str__(self) -> str:
        sheet = self.sheet.replace("'", "''")
        first = f"${column_letters(self.left)}${self.top}"
        return f"'{sheet}'!{first}:${column_letters(self.right)}${self.bottom}"


def areas(reference: str) -> list[Area | None]:
    """Areas that a defined name lists; None for one that is lost (#REF!) or points elsewhere."""
    found: list[Area | None] = []
    for piece in re.findall(r"(?:'(?:[^']|'')*'|[^',])+", reference.lstrip("=").strip()):
        match = _AREA.match(piece.strip())
        if match is None:
            found.append(None)
            continue
        quoted, plain, left, top, right, bottom = match.groups()
        sheet = quoted.replace("''", "'") if quoted else plain
        corner = (int(bottom or top), column_number(right or left))
        found.append(Area(sheet, int(top), column_number(left), *corner))
    return found


@dataclass
class BookXml:
    """The workbook part with its sheets and names."""

    part: str
    text: str
    sheets: Mapping[str, str]
    """sheet name -> part."""
    shared_strings: str
    """Part of the shared strings, "" where there is none."""
    calculation_chain: str
    """Part of the calculation chain, "" where there is none."""

    @classmethod
    def read(cls, members: Mapping[str, Member]) -> BookXml:
        """The workbook part of a package; WorkbookError where it is no workbook."""
        part = _target(members, "", "officeDocument")
        if not part or part not in members:
            raise WorkbookError("it is a zip file but holds no workbook")
        data = members[part].unpacked()
        try:
            root = etree.fromstring(data, etree.XMLParser(resolve_entities=False, no_network=True))
            text = data.decode("utf-8-sig")
        except (etree.XMLSyntaxError, UnicodeDecodeError) as error:
            raise WorkbookError(f"its workbook part cannot be read ({error})") from error
        targets = _relations(members, part)
        sheets = {}
        for element in (*root.iter(f"{_MAIN}sheet"), *root.iter(f"{_STRICT}sheet")):
            target = targets.get(element.get(_ID) or element.get(_STRICT_ID) or "")
            if target is not None:
                sheets[element.get("name") or ""] = target[1]
        return cls(
            part, text, sheets, _target(members, part, "sharedStrings"), _target(members, part, "calcChain")
        )

    def names(self) -> dict[str, str]:
        """defined name in lower case -> what it refers to; a workbook-wide name goes before a sheet's own."""
        found: dict[str, str] = {}
        local: dict[str, str] = {}
        for match in _NAME.finditer(self.text):
            name = re.search(r'\sname="([^"]*)"', match.group(2))
            if name is not None:
                into = local if "localSheetId=" in match.group(2) else found
                into.setdefault(unescape(name.group(1)).lower(), unescape(match.group(3)))
        return {**local, **found}

    def point(self, name: str, area: Area) -> None:
        """Let the workbook-wide defined name `name` refer to `area`."""

        def replaced(match: re.Match[str]) -> str:
            given = re.search(r'\sname="([^"]*)"', match.group(2))
            if given is None or unescape(given.group(1)).lower() != name.lower() or "localSheetId=" in match.group(2):
                return match.group()
            tag = f"{match.group(1)}definedName"
            return f"<{tag}{match.group(2)}>{escape(str(area), quote=False)}</{tag}>"

        self.text = _NAME.sub(replaced, self.text)

    def calculate_on_load(self) -> None:
        """Have the spreadsheet compute every formula when it opens the file: our values changed under them."""
        given = re.search(r"<((?:\w+:)?)calcPr\b[^>]*?(/?)>", self.text)
        if given is not None:
            tag = re.sub(r'\sfullCalcOnLoad="[^"]*"', "", given.group())
            end = len(tag) - len(given.group(2)) - 1
            tag = f'{tag[:end].rstrip()} fullCalcOnLoad="1"{given.group(2)}>'
            self.text = self.text[: given.start()] + tag + self.text[given.end() :]
            return
        for before in ("definedNames", "externalReferences", "functionGroups", "sheets"):
            ends = list(re.finditer(rf"</((?:\w+:)?){before}\s*>", self.text))
            if ends:
                end = ends[-1].end()
                self.text = f'{self.text[:end]}<{ends[-1].group(1)}calcPr fullCalcOnLoad="1"/>{self.text[end:]}'
                return


def without_calculation_chain(members: Mapping[str, Member], book: BookXml) -> dict[str, Member]:
    """The package without its calculation chain, which is only a hint and would go stale."""
    chain = book.calculation_chain
    if not chain:
        return dict(members)
    kept = {name: member for name, member in members.items() if name != chain}
    types = kept[_CONTENT_TYPES].unpacked().decode("utf-8")
    types = re.sub(rf'<(?:\w+:)?Override\b[^>]*PartName="/{re.escape(chain)}"[^>]*/>', "", types)
    kept[_CONTENT_TYPES] = kept[_CONTENT_TYPES].replaced(types.encode("utf-8"))
    relations = _relations_part(book.part)
    text = re.sub(r'<(?:\w+:)?Relationship\b[^>]*/calcChain"[^>]*/>', "", kept[relations].unpacked().decode("utf-8"))
    kept[relations] = kept[relations].replaced(text.encode("utf-8"))
    return kept


def shared_strings(members: Mapping[str, Member], part: str) -> list[str]:
    """Texts that cells refer to by number; rich text without its formatting."""
    if part not in members:
        return []
    try:
        root = etree.fromstring(members[part].unpacked(), etree.XMLParser(resolve_entities=False, no_network=True))
    except etree.XMLSyntaxError as error:
        raise WorkbookError(f"its shared strings cannot be read ({error})") from error
    strings = []
    for item in root:
        # Phonetic guides (rPh) also hold text, which the cell does not show.
        pieces = [t.text or "" for t in item.iter("{*}t") if etree.QName(t.getparent()).localname != "rPh"]
        strings.append("".join(pieces))
    return strings


def _relations_part(part: str) -> str:
    folder, _, name = part.rpartition("/")
    return f"{folder}/_rels/{name}.rels".lstrip("/")


def _relations(members: Mapping[str, Member], part: str) -> dict[str, tuple[str, str]]:
    """Relation id -> (kind, part) of the relations of a part inside the package."""
    relations = _relations_part(part)
    if relations not in members:
        return {}
    try:
        root = etree.fromstring(members[relations].unpacked(), etree.XMLParser(resolve_entities=False, no_network=True))
    except etree.XMLSyntaxError as error:
        raise WorkbookError(f"its part {relations} cannot be read ({error})") from error
    found = {}
    for relation in root:
        if relation.get("TargetMode") == "External":
            continue
        target = relation.get("Target") or ""
        path = target.lstrip("/") if target.startswith("/") else posixpath.join(posixpath.dirname(part), target)
        kind = (relation.get("Type") or "").rpartition("/")[2]
        found[relation.get("Id") or ""] = (kind, posixpath.normpath(path))
    return found


def _target(members: Mapping[str, Member], part: str, kind: str) -> str:
    """Part that `part` refers to as `kind`, "" where it refers to none."""
    return next((path for given, path in _relations(members, part).values() if given == kind), "")
