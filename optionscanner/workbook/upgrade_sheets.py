"""Puts a whole sheet of the template into another workbook, with everything that hangs on it.

Drawings, charts, notes, buttons, tables and pictures come along as parts of their own; looks are translated by
`upgrade_styles.py`, shared texts written into their cells.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from lxml import etree

from optionscanner.workbook.upgrade_book import Book, renamed, strings
from optionscanner.workbook.upgrade_formulas import with_sheets
from optionscanner.workbook.upgrade_parts import (
    Element,
    copied,
    main,
    parsed,
    relations_part,
    written,
)
from optionscanner.workbook.upgrade_styles import StyleMerge

_FORMULAS = ("f", "formula", "formula1", "formula2")
_SHAPES = 1024
"""Shape numbers in each block that a sheet's old-style drawing takes."""


class SheetCopier:
    """Copies sheets of `template` into `into`."""

    def __init__(self, template: Book, into: Book, styles: StyleMerge, titles: Mapping[str, str]) -> None:
        """`titles`: sheets of the template that are called otherwise there."""
        self._template = template
        self._into = into
        self._styles = styles
        self._titles = titles
        self._strings = strings(template)

    def copy(self, title: str, *, after: str, called: str) -> None:
        """Add the sheet as `called` with its own names behind the tab `after`; names of its blocks are the caller's."""
        source, into = self._template, self._into
        part = source.sheets[title]
        root = copied(source.sheet_xml(title))
        for view in root.iter(main("sheetView")):
            view.attrib.pop("tabSelected", None)
        for properties in root.iter(main("sheetPr")):
            # What macros call a sheet may be taken by another one there; a spreadsheet gives it a free one.
            properties.attrib.pop("codeName", None)
        self.translate(root)
        made = into.parts.free("xl/worksheets/sheet1.xml")
        into.parts.put(made, written(root), source.parts.content_type(part), source.like)
        self._copy_relations(part, made)
        tab = next(s for s in source.root.iter(main("sheet")) if s.get("name") == title)
        own = [(attributes, self._in_titles(text)) for attributes, text in source.local_names(title)]
        into.add_sheet(called, made, after, own, tab.get("state"))

    def _in_titles(self, text: str) -> str:
        for old, new in self._titles.items():
            text = renamed(text, old, new)
        return text

    def translate(self, root: Element) -> None:
        """Turn looks, shared texts and sheet names of the template into those of the other workbook."""
        styles = self._styles
        for cell in root.iter(main("c")):
            self._inline(cell)
            self._style(cell, "s")
        for row in root.iter(main("row")):
            self._style(row, "s")
        for column in root.iter(main("col")):
            self._style(column, "style")
        for rule in root.iter(main("cfRule")):
            if rule.get("dxfId") is not None:
                rule.set("dxfId", str(styles.rule(int(rule.get("dxfId") or 0))))
        for formula in self._formulas(root):
            formula.text = with_sheets(formula.text or "", self._titles)

    def _style(self, element: Element, attribute: str) -> None:
        given = element.get(attribute)
        if given is not None:
            element.set(attribute, str(self._styles.cell(int(given))))

    def _formulas(self, root: Element) -> Iterator[Element]:
        for element in root.iter():
            if isinstance(element.tag, str) and etree.QName(element).localname in _FORMULAS:
                yield element

    def _inline(self, cell: Element) -> None:
        """Write a shared text into its cell: the other workbook's list of shared texts stays as it is."""
        if cell.get("t") != "s":
            return
        number = cell.find(main("v"))
        assert number is not None
        text = etree.SubElement(cell, main("is"))
        for piece in copied(self._strings[int(number.text or 0)]):
            text.append(piece)
        cell.remove(number)
        cell.set("t", "inlineStr")

    def _copy_relations(self, part: str, made: str) -> None:
        """Copy everything that `part` refers to, and let `made` refer to it under the same ids."""
        source, into = self._template.parts, self._into.parts
        listed = relations_part(part)
        if listed not in source.members:
            return
        root = parsed(source.members[listed].unpacked(), listed)
        for entry, relation in zip(root, source.relations(part), strict=True):
            if relation.external:
                continue
            target = into.free(relation.target)
            data = self._translated(relation.target, relation.kind)
            into.put(target, data, source.content_type(relation.target), self._template.like)
            entry.set("Target", f"/{target}")
            self._copy_relations(relation.target, target)
        into.put(relations_part(made), written(root), source.content_type(listed), self._template.like)

    def _translated(self, part: str, kind: str) -> bytes:
        """A part's bytes for the other workbook."""
        data = self._template.parts.members[part].unpacked()
        if kind.endswith("/vmlDrawing"):
            return self._renumbered(data.decode("utf-8")).encode("utf-8")
        if not kind.endswith(("/chart", "/table")):
            return data
        root = parsed(data, part)
        if kind.endswith("/table"):
            root.set("id", str(self._free_table()))
        for formula in self._formulas(root):
            formula.text = with_sheets(formula.text or "", self._titles)
        return written(root)

    def _free_table(self) -> int:
        """A table number that no table of the other workbook has."""
        parts = self._into.parts
        numbers = [0]
        for name, member in parts.members.items():
            if re.fullmatch(r"xl/tables/[^/]+\.xml", name, re.IGNORECASE):
                numbers.append(int(parsed(member.unpacked(), name).get("id") or 0))
        return max(numbers) + 1

    def _renumbered(self, text: str) -> str:
        """An old-style drawing (notes, buttons) with shape numbers that no other sheet's drawing uses."""
        blocks = {0}
        for name, member in self._into.parts.members.items():
            if name.lower().endswith(".vml"):
                held = member.unpacked().decode("utf-8", "replace")
                blocks |= {int(n) for given in re.findall(r'<o:idmap\b[^>]*\bdata="([\d, ]+)"', held)
                           for n in re.findall(r"\d+", given)}  # fmt: skip
        block = max(blocks) + 1

        def shape(match: re.Match[str]) -> str:
            return f"_s{block * _SHAPES + int(match.group(1)) % _SHAPES}"

        text = re.sub(r"_s(\d{4,})", shape, text)
        return re.sub(r'(<o:idmap\b[^>]*\bdata=")[\d, ]+(")', rf"\g<1>{block}\g<2>", text)
