"""The workbook with macros: reads their sources, and puts project and buttons into a template that is being built.

Main entries: `read_macros`, `add_macros`; `without_macros` takes them out of a copy. How the binary part is written:
`vba_project.py`; which buttons there are: `layout_buttons.py`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from io import BytesIO
from pathlib import Path
from typing import Any

from optionscanner.errors import WorkbookError
from optionscanner.workbook.grid import Sheet
from optionscanner.workbook.layout_buttons import BUTTON_PIXELS, placed
from optionscanner.workbook.package import Member
from optionscanner.workbook.vba_project import vba_project

MACRO_SUFFIX = ".xlsm"
"""End of the name of a workbook with macros."""

_TYPES, _RELATIONS = "[Content_Types].xml", "xl/_rels/workbook.xml.rels"
_BOOK_WITH_MACROS = b"application/vnd.ms-excel.sheet.macroEnabled.main+xml"
_BOOK = b"application/vnd.openxmlformats-officedocument.spreadsheetml.sheet.main+xml"


def has_macros(workbook: Path) -> bool:
    """Whether a workbook of this name holds macros."""
    return workbook.suffix.lower() == MACRO_SUFFIX


def read_macros(folder: Path) -> dict[str, str]:
    """Module name -> VBA source of every .bas file in `folder`, in order of their names.

    Raises WorkbookError where there is none, or one that cannot be a module.
    """
    try:
        texts = {file.stem: file.read_text(encoding="utf-8-sig") for file in sorted(folder.glob("*.bas"))}
    except (OSError, UnicodeDecodeError) as error:
        raise WorkbookError(
            f"{folder}: the macros cannot be read ({error}); fetch the project again, or name an .xlsx workbook"
        ) from error
    if not texts:
        raise WorkbookError(
            f"{folder}: the sources of the macros (.bas) were expected there and there are none; fetch the project "
            "again, or name an .xlsx workbook, which needs none"
        )
    for name, text in texts.items():
        if not text.isascii() or not text.startswith(f'Attribute VB_Name = "{name}"'):
            raise WorkbookError(
                f"{folder / (name + '.bas')}: a macro's source is ASCII text whose first line is Attribute VB_Name = "
                f'"{name}", and this is not; correct it, or fetch the project again'
            )
    return texts


def add_macros(book: Any, layout: Sequence[Sheet], macros: Mapping[str, str]) -> None:
    """Give a workbook that XlsxWriter is building these macros, and the buttons of `layout` that run them."""
    # XlsxWriter numbers the code names of sheets in order.
    project = vba_project(macros, [f"Sheet{number}" for number in range(1, len(layout) + 1)])
    book.add_vba_project(BytesIO(project), is_stream=True)
    width, height = BUTTON_PIXELS
    for place in placed(layout):
        book.get_worksheet_by_name(place.sheet).insert_button(place.row - 1, place.column - 1, {
            "macro": place.button.macro, "caption": place.button.caption, "description": place.button.hint,
            "width": width, "height": height, "x_offset": place.right,
        })  # fmt: skip


def without_macros(members: dict[str, Member]) -> dict[str, Member]:
    """Parts of a workbook file as a file without macros (.xlsx) holds them; the same object where it holds none.

    Buttons stay and do nothing.
    """
    types, relations = (members[part].unpacked() if part in members else b"" for part in (_TYPES, _RELATIONS))
    if _BOOK_WITH_MACROS not in types:
        return members
    types = types.replace(_BOOK_WITH_MACROS, _BOOK)
    # The project, what signs it, and what LibreOffice keeps beside it.
    types = re.sub(rb'<(?:Default|Override)\b[^>]*"application/vnd\.ms-office\.vba[^>]*?/>', b"", types)
    relations = re.sub(rb'<Relationship\b[^>]*/relationships/vbaProject"[^>]*?/>', b"", relations)
    kept = {name: member for name, member in members.items() if not re.match(r"xl/(_rels/)?vba\w*\.", name)}
    return {
        **kept,
        _TYPES: kept[_TYPES].replaced(types),
        _RELATIONS: kept[_RELATIONS].replaced(relations),
    }
