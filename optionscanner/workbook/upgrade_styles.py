"""Looks of the template's cells in another workbook's style sheet: those that are there are used, others appended.

Numbers that the other workbook's cells carry never change.
"""

from __future__ import annotations

from lxml import etree

from optionscanner.workbook.upgrade_parts import (
    STYLE_ORDER,
    Element,
    child_in_order,
    children,
    copied,
    counted,
    key,
    main,
)

_FIRST_OWN_FORMAT = 164
"""Number formats below are built into every spreadsheet."""


class StyleMerge:
    """Translates numbers of the template's styles into those of another workbook."""

    def __init__(self, template: Element, into: Element) -> None:
        self._template = template
        self._into = into
        self._known: dict[str, dict[object, int]] = {}
        self._cells: dict[int, int] = {}
        self._rules: dict[int, int] = {}
        self.appended = 0
        """Looks that had to be added."""

    def cell(self, number: int) -> int:
        """Number there of the cell format `number` of the template."""
        if number not in self._cells:
            look = copied(_nth(self._template, "cellXfs", number))
            for attribute, section in (("fontId", "fonts"), ("fillId", "fills"), ("borderId", "borders")):
                part = _nth(self._template, section, int(look.get(attribute) or 0))
                look.set(attribute, str(self._same(section, copied(part))))
            look.set("numFmtId", str(self._number_format(int(look.get("numFmtId") or 0))))
            look.set("xfId", "0")
            self._cells[number] = self._same("cellXfs", look)
        return self._cells[number]

    def rule(self, number: int) -> int:
        """Number there of the conditional format's look `number` of the template."""
        if number not in self._rules:
            look = copied(_nth(self._template, "dxfs", number))
            for shown in look.iter(main("numFmt")):
                shown.set("numFmtId", str(self._own_format(shown.get("formatCode") or "General")))
            self._rules[number] = self._same("dxfs", look)
        return self._rules[number]

    def _same(self, section: str, element: Element) -> int:
        """Number of an equal element of the section, appended where there is none."""
        parent = child_in_order(self._into, section, STYLE_ORDER)
        if section not in self._known:
            known: dict[object, int] = {}
            for number, present in enumerate(c for c in parent if isinstance(c.tag, str)):
                known.setdefault(key(present), number)
            self._known[section] = known
        known = self._known[section]
        wanted = key(element)
        if wanted not in known:
            known[wanted] = sum(isinstance(c.tag, str) for c in parent)
            parent.append(element)
            counted(parent)
            self.appended += 1
        return known[wanted]

    def _number_format(self, number: int) -> int:
        if number < _FIRST_OWN_FORMAT:
            return number
        codes = {int(f.get("numFmtId") or 0): f.get("formatCode") for f in self._template.iter(main("numFmt"))}
        return self._own_format(codes.get(number) or "General")

    def _own_format(self, code: str) -> int:
        parent = child_in_order(self._into, "numFmts", STYLE_ORDER)
        taken = [_FIRST_OWN_FORMAT - 1]
        for known in children(parent, "numFmt"):
            taken.append(int(known.get("numFmtId") or 0))
            if known.get("formatCode") == code:
                return taken[-1]
        etree.SubElement(parent, main("numFmt"), numFmtId=str(max(taken) + 1), formatCode=code)
        counted(parent)
        self.appended += 1
        return max(taken) + 1


def _nth(styles: Element, section: str, number: int) -> Element:
    parent = styles.find(main(section))
    assert parent is not None, f"the template has no {section}"
    return [child for child in parent if isinstance(child.tag, str)][number]
