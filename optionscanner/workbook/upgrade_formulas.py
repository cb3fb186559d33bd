"""Formulas of the template put into another workbook: other sheet names, another place on the sheet."""

from __future__ import annotations

import re
from collections.abc import Mapping

from optionscanner.workbook.book_xml import Area
from optionscanner.workbook.splice import Position, column_letters, column_number

_TEXT_OR_SHEET = re.compile(r"""("(?:[^"]|"")*")|(?:'((?:[^']|'')+)'|(?<![\w.'])([A-Za-z_][\w.]*))!""")
_CELL = r"\$?[A-Za-z]{1,3}\$?\d{1,7}"
_ELSEWHERE = rf"(?:'(?:[^']|'')+'|(?<![\w.'])[A-Za-z_][\w.]*)!{_CELL}(?::{_CELL})?"
_TEXT_OR_CELL = re.compile(
    rf"""("(?:[^"]|"")*"|{_ELSEWHERE})|(?<![\w.$])(\$?)([A-Za-z]{{1,3}})(\$?)(\d{{1,7}})(?![\w(.!])"""
)


def with_sheets(formula: str, names: Mapping[str, str]) -> str:
    """The formula with sheets called otherwise: `names` maps old to new; texts in quotes stay."""

    def replaced(match: re.Match[str]) -> str:
        text, quoted, plain = match.groups()
        old = quoted.replace("''", "'") if quoted else plain
        if text or old not in names:
            return match.group()
        return f"{quoted_sheet(names[old])}!"

    return _TEXT_OR_SHEET.sub(replaced, formula)


def quoted_sheet(name: str) -> str:
    """A sheet's name as formulas say it."""
    return "'" + name.replace("'", "''") + "'"


def moved(formula: str, *, absolute: Position, relative: Position) -> str:
    """The formula with its cells moved by (rows, columns): references marked $ by `absolute`, others by `relative`.

    A reference that says its sheet stays: rules and validations of one sheet speak of its own cells without a name, and
    a list that a validation offers from another sheet does not move with them.
    """

    def replaced(match: re.Match[str]) -> str:
        text, fixed_column, letters, fixed_row, row = match.groups()
        if text:
            return match.group()
        column = column_number(letters) + (absolute if fixed_column else relative)[1]
        number = int(row) + (absolute if fixed_row else relative)[0]
        return f"{fixed_column}{column_letters(column)}{fixed_row}{number}"

    return _TEXT_OR_CELL.sub(replaced, formula)


Rectangle = tuple[int, int, int, int]
"""First row, first column, last row, last column; from 1, both ends included."""


def rectangles(reference: str) -> list[Rectangle]:
    """Rectangles of a list of ranges without sheet such as ``A1:B2 D4``."""
    found = []
    for piece in reference.replace("$", "").split():
        first, _, last = piece.partition(":")
        (top, left), (bottom, right) = _corner(first), _corner(last or first)
        found.append((top, left, bottom, right))
    return found


def _corner(reference: str) -> Position:
    letters = reference.rstrip("0123456789")
    return int(reference[len(letters) :]), column_number(letters)


def reference_of(pieces: list[Rectangle]) -> str:
    """Rectangles as a list of ranges."""
    shown = []
    for top, left, bottom, right in pieces:
        first, last = f"{column_letters(left)}{top}", f"{column_letters(right)}{bottom}"
        shown.append(first if first == last else f"{first}:{last}")
    return " ".join(shown)


def common(one: Rectangle, other: Rectangle) -> Rectangle | None:
    """What two rectangles share."""
    top, left = max(one[0], other[0]), max(one[1], other[1])
    bottom, right = min(one[2], other[2]), min(one[3], other[3])
    return (top, left, bottom, right) if top <= bottom and left <= right else None


def listed(places: list[Area]) -> str:
    """What a defined name that points to these areas says; single cells are written as such."""
    shown = []
    for area in places:
        first = f"${column_letters(area.left)}${area.top}"
        last = f"${column_letters(area.right)}${area.bottom}"
        shown.append(f"{quoted_sheet(area.sheet)}!{first if first == last else f'{first}:{last}'}")
    return ",".join(shown)
