"""A workbook's package while it is being changed: parts, their types, their relations. XML by lxml.

Parts that nobody asked for as XML keep their bytes.
"""

from __future__ import annotations

import copy
import posixpath
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from lxml import etree

from optionscanner.errors import WorkbookError
from optionscanner.workbook.package import Member

MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
_PACKAGE = "http://schemas.openxmlformats.org/package/2006"
_TYPES = f"{{{_PACKAGE}/content-types}}"
_RELATIONS = f"{{{_PACKAGE}/relationships}}"
_CONTENT_TYPES = "[Content_Types].xml"

Element = Any
"""An element of lxml, which does not declare its types."""


def main(name: str) -> str:
    """A tag of the spreadsheet's own namespace, as lxml writes it."""
    return f"{{{MAIN}}}{name}"


@dataclass(frozen=True, slots=True)
class Relation:
    """What a part refers to."""

    identity: str
    kind: str
    """Full type."""
    target: str
    """Part inside the package, or the address outside it."""
    external: bool


class Parts:
    """The members of a package, some of them as XML."""

    def __init__(self, members: dict[str, Member]) -> None:
        self.members = dict(members)
        self._trees: dict[str, Element] = {}
        self._changed: set[str] = set()

    def xml(self, part: str, *, change: bool = False) -> Element:
        """Root of a part; with `change` it is written anew by `done`. Raises WorkbookError where it is no XML."""
        if part not in self._trees:
            if part not in self.members:
                raise WorkbookError(f"its part {part} is missing")
            self._trees[part] = parsed(self.members[part].unpacked(), part)
        if change:
            self._changed.add(part)
        return self._trees[part]

    def put(self, part: str, data: bytes, content_type: str, like: Member) -> None:
        """Add a part; `like` lends the entry's date and rights."""
        self.members[part] = replace(like, name=part.encode(), flags=like.flags | (0 if part.isascii() else 0x0800)
                                     ).replaced(data)  # fmt: skip
        self._trees.pop(part, None)
        self._declare(part, content_type)

    def done(self) -> dict[str, Member]:
        """The members with all changes."""
        members = dict(self.members)
        for part in self._changed:
            members[part] = members[part].replaced(written(self._trees[part]))
        return members

    def free(self, like: str) -> str:
        """A part's name after the manner of `like` that is not taken: another number at its end."""
        folder, name = posixpath.split(like)
        stem, extension = posixpath.splitext(name)
        stem = stem.rstrip("0123456789") or "part"
        taken = {known.lower() for known in self.members}
        number = 1
        while f"{folder}/{stem}{number}{extension}".lower() in taken:
            number += 1
        return f"{folder}/{stem}{number}{extension}"

    def content_type(self, part: str) -> str:
        """Declared type of a part, "" where it has none."""
        extension = part.rpartition(".")[2].lower()
        default = ""
        for entry in self.xml(_CONTENT_TYPES):
            if entry.tag == f"{_TYPES}Override" and (entry.get("PartName") or "").lower() == f"/{part}".lower():
                return entry.get("ContentType") or ""
            if entry.tag == f"{_TYPES}Default" and (entry.get("Extension") or "").lower() == extension:
                default = entry.get("ContentType") or ""
        return default

    def _declare(self, part: str, content_type: str) -> None:
        if self.content_type(part) == content_type:
            return
        types = self.xml(_CONTENT_TYPES, change=True)
        extension = part.rpartition(".")[2].lower()
        known = {(e.get("Extension") or "").lower() for e in types if e.tag == f"{_TYPES}Default"}
        if extension not in ("xml", *known):
            entry = etree.Element(f"{_TYPES}Default", Extension=extension, ContentType=content_type)
            types.insert(0, entry)
        else:
            etree.SubElement(types, f"{_TYPES}Override", PartName=f"/{part}", ContentType=content_type)

    def relations(self, part: str) -> list[Relation]:
        """What `part` refers to, in file order; "" is the package itself."""
        listed = relations_part(part)
        if listed not in self.members:
            return []
        found = []
        for entry in self.xml(listed):
            target, external = entry.get("Target") or "", entry.get("TargetMode") == "External"
            if not external:
                joined = target[1:] if target.startswith("/") else posixpath.join(posixpath.dirname(part), target)
                target = posixpath.normpath(joined)
            found.append(Relation(entry.get("Id") or "", entry.get("Type") or "", target, external))
        return found

    def related(self, part: str, kind: str) -> str:
        """Part that `part` refers to as `kind` (last word of the type), "" where there is none."""
        return next((r.target for r in self.relations(part) if r.kind.endswith(f"/{kind}")), "")

    def relate(self, part: str, kind: str, target: str, like: Member, *, external: bool = False) -> str:
        """Let `part` refer to `target`; the new relation's id."""
        listed = relations_part(part)
        if listed not in self.members:
            empty = f'<Relationships xmlns="{_PACKAGE}/relationships"/>'.encode()
            self.put(listed, empty, "application/vnd.openxmlformats-package.relationships+xml", like)
        root = self.xml(listed, change=True)
        taken = {entry.get("Id") for entry in root}
        identity = next(f"rId{n}" for n in range(1, len(taken) + 2) if f"rId{n}" not in taken)
        shown = target if external else posixpath.relpath(target, posixpath.dirname(part) or ".")
        attributes = {"Id": identity, "Type": kind, "Target": shown}
        etree.SubElement(
            root, f"{_RELATIONS}Relationship", attributes | ({"TargetMode": "External"} if external else {})
        )
        return identity


def relations_part(part: str) -> str:
    """Part that lists the relations of `part`."""
    folder, name = posixpath.split(part)
    return f"{folder}/_rels/{name}.rels".lstrip("/")


def parsed(data: bytes, part: str) -> Element:
    """Root of a part's XML; WorkbookError where it cannot be read."""
    try:
        return etree.fromstring(data, etree.XMLParser(resolve_entities=False, no_network=True, strip_cdata=False))
    except etree.XMLSyntaxError as error:
        raise WorkbookError(f"its part {part} cannot be read ({error})") from error


def written(root: Element) -> bytes:
    """A part's bytes."""
    data: bytes = etree.tostring(root, encoding="UTF-8", xml_declaration=True, standalone=True)
    return data


def children(root: Element, name: str) -> Iterator[Element]:
    """Children with this tag of the spreadsheet's namespace."""
    yield from root.iterchildren(main(name))


def child_in_order(root: Element, name: str, order: Sequence[str]) -> Element:
    """The child `name`, made at its place in the sequence `order` where it is missing."""
    found = root.find(main(name))
    if found is not None:
        return found
    made = etree.Element(main(name))
    insert_in_order(root, made, order)
    return made


def insert_in_order(root: Element, made: Element, order: Sequence[str]) -> None:
    """Put a child at its place in the sequence `order`: behind everything that comes before or beside it."""
    before = set(order[: order.index(etree.QName(made).localname) + 1])
    place = 0
    for number, child in enumerate(root):
        if isinstance(child.tag, str) and etree.QName(child).localname in before:
            place = number + 1
    root.insert(place, made)


def copied(element: Element) -> Element:
    """A copy that can be put into another tree."""
    return copy.deepcopy(element)


def key(element: Element) -> object:
    """What an element says, whatever prefixes it is written with: equal for equal ones."""
    text = (element.text or "").strip()
    inner = tuple(key(child) for child in element if isinstance(child.tag, str))
    return (element.tag, tuple(sorted(element.attrib.items())), text, inner)


def counted(root: Element) -> None:
    """Bring an element's ``count`` up to date."""
    root.set("count", str(sum(isinstance(child.tag, str) for child in root)))


SHEET_ORDER = re.split(
    r"\s+",
    "sheetPr dimension sheetViews sheetFormatPr cols sheetData sheetCalcPr sheetProtection protectedRanges scenarios "
    "autoFilter sortState dataConsolidate customSheetViews mergeCells phoneticPr conditionalFormatting "
    "dataValidations hyperlinks printOptions pageMargins pageSetup headerFooter rowBreaks colBreaks customProperties "
    "cellWatches ignoredErrors smartTags drawing legacyDrawing legacyDrawingHF picture oleObjects controls "
    "webPublishItems tableParts extLst",
)
"""Children of a worksheet in the order that spreadsheets insist on."""

BOOK_ORDER = re.split(
    r"\s+",
    "fileVersion fileSharing workbookPr workbookProtection bookViews sheets functionGroups externalReferences "
    "definedNames calcPr oleSize customWorkbookViews pivotCaches smartTagPr smartTagTypes webPublishing "
    "fileRecoveryPr webPublishObjects extLst",
)
"""Children of the workbook part, in order."""

STYLE_ORDER = re.split(
    r"\s+", "numFmts fonts fills borders cellStyleXfs cellXfs cellStyles dxfs tableStyles colors extLst"
)
"""Children of the style sheet, in order."""
