"""Puts back what LibreOffice does not find again of buttons and macros that it saved: `repair_macros`.

LibreOffice 7.4 numbers the buttons of a sheet in one part (`<control shapeId="1001">`) and calls all their shapes
`shape_0` in the other, where it then looks for `_x0000_s1001` on opening; it writes macro and caption of a button
otherwise than it reads them; and it leaves out what macros call the workbook and its sheets, so that `ThisWorkbook`
means nothing to them. Nothing is lost but the matches.
"""

from __future__ import annotations

import os
import posixpath
import re
from contextlib import suppress
from pathlib import Path

from optionscanner.errors import WorkbookError
from optionscanner.workbook.book_xml import BookXml
from optionscanner.workbook.macros import has_macros
from optionscanner.workbook.package import Member, read_package, write_package

_WORKBOOK, _PROJECT = "xl/workbook.xml", "xl/vbaProject.bin"
_SHAPE = re.compile(r"(?=<v:shape\s)")
_BUTTON = 'ObjectType="Button"'
_PLAIN_CAPTION = re.compile(r"(<v:textbox\b[^>]*><div\b[^>]*>)([^<]+)(</div>)")
_FONT = 'face="Calibri" size="220" color="#000000"'
"""The font of a new button, in twentieths of a point."""


def repair_macros(path: Path) -> bool:
    """Make buttons and macros of the closed .xlsm at `path` findable again; whether it was needed.

    A workbook that is open somewhere, that is not there, or that cannot be written stays as it is: whoever opens it
    next says what is wrong with it.
    """
    path = Path(os.path.realpath(path))
    if not has_macros(path):
        return False
    beside = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        if any(path.with_name(lock).exists() for lock in (f"~${path.name}", f".~lock.{path.name}#")):
            return False
        before = path.stat()
        members = read_package(path.read_bytes())
        named = with_matches(members)
        if named is members:
            return False
        beside.write_bytes(write_package(named))
        beside.chmod(before.st_mode & 0o7777)
        now = path.stat()
        if (now.st_mtime_ns, now.st_size) != (before.st_mtime_ns, before.st_size):
            return False
        beside.replace(path)
    except (OSError, WorkbookError):
        return False
    finally:
        with suppress(OSError):
            beside.unlink(missing_ok=True)
    return True


def with_matches(members: dict[str, Member]) -> dict[str, Member]:
    """Parts of a workbook file whose buttons and code names match again; the same object where they did.

    Raises WorkbookError, with the reason as a half-sentence, for a damaged part.
    """
    changed: dict[str, Member] = {}
    for part, member in members.items():
        if not re.fullmatch(r"xl/worksheets/[^/]+\.xml", part):
            continue
        controls = re.findall(rb'<control\b[^>]*\bshapeId="(\d+)"', member.unpacked())
        drawing = _drawing(members, part) if controls else ""
        if drawing in members:
            before = members[drawing].unpacked().decode("utf-8")
            after = _named(before, [number.decode() for number in controls])
            if after != before:
                changed[drawing] = members[drawing].replaced(after.encode("utf-8"))
    changed |= _with_code_names(members)
    return {**members, **changed} if changed else members


def _with_code_names(members: dict[str, Member]) -> dict[str, Member]:
    """The workbook's and the sheets' parts with code names, where a project is there and they have none."""
    workbook = members[_WORKBOOK].unpacked() if _WORKBOOK in members else b""
    if _PROJECT not in members or not re.search(rb"<workbookPr\b(?![^>]*\bcodeName=)", workbook):
        return {}
    changed = {_WORKBOOK: workbook.replace(b"<workbookPr", b'<workbookPr codeName="ThisWorkbook"', 1)}
    book = BookXml.read(members)
    # Modules of sheets hold no code of ours, so any sheet may have any of them.
    for number, part in enumerate(dict.fromkeys(book.sheets.values()), start=1):
        sheet = members[part].unpacked() if part in members else b""
        if re.search(rb"<sheetPr\b(?![^>]*\bcodeName=)", sheet):
            changed[part] = sheet.replace(b"<sheetPr", b'<sheetPr codeName="Sheet%d"' % number, 1)
    return {part: members[part].replaced(data) for part, data in changed.items()}


def _drawing(members: dict[str, Member], sheet: str) -> str:
    """The part with a sheet's old-style shapes, "" where it has none."""
    folder, _, name = sheet.rpartition("/")
    relations = f"{folder}/_rels/{name}.rels"
    if relations not in members:
        return ""
    for relation in re.findall(rb"<Relationship\b[^>]*>", members[relations].unpacked()):
        target = re.search(rb'\bTarget="([^"]+)"', relation)
        if b'/vmlDrawing"' in relation and target is not None:
            return posixpath.normpath(posixpath.join(folder, target[1].decode("utf-8"))).lstrip("/")
    return ""


def _named(drawing: str, controls: list[str]) -> str:
    """A drawing whose buttons are called after the controls, in order; as it was where their numbers differ."""
    pieces = _SHAPE.split(drawing)
    buttons = [number for number, piece in enumerate(pieces) if _BUTTON in piece.partition("</v:shape>")[0]]
    if len(buttons) != len(controls):
        return drawing
    for number, control in zip(buttons, controls, strict=True):
        piece = re.sub(r'\bid="shape_0"', f'id="_x0000_s{control}"', pieces[number], count=1)
        piece = re.sub(r"(<x:FmlaMacro>)(?=[\w.]+<)", r"\1[0]!", piece, count=1)
        pieces[number] = _PLAIN_CAPTION.sub(rf"\1<font {_FONT}>\2</font>\3", piece, count=1)
    return "".join(pieces)
