"""The workbook as it stood, without formulas: a dated copy that shows the same numbers for ever.

Main entries: `values_only`, `keep_copy`, `forget_old_copies`. Each cell's formula is taken out and the value that the
spreadsheet program last computed stays; everything else keeps its bytes, links to other files included. A formula that
was never computed leaves an empty cell, and is counted.
"""

from __future__ import annotations

import hashlib
import os
import re
import warnings
import zipfile
import zlib
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import date
from io import BytesIO
from pathlib import Path
from xml.etree.ElementTree import ParseError

from optionscanner.errors import WorkbookBusy, WorkbookError, reason_of
from optionscanner.workbook.agreed import Agreed, read_again, stated
from optionscanner.workbook.book_xml import BookXml, without_calculation_chain
from optionscanner.workbook.macros import without_macros
from optionscanner.workbook.package import read_package, write_package
from optionscanner.workbook.splice import plain_utf8

FOLDER = "archive"
"""Folder beside the workbook."""
_DAY_S = 86_400.0


@dataclass(frozen=True, slots=True)
class ValuesOnly:
    """A workbook file without formulas in its cells."""

    data: bytes
    formulas: int
    """Cells whose formula was taken out."""
    without_value: int
    """Those of them that held no value and are empty now."""


@dataclass(frozen=True, slots=True)
class KeptCopy:
    """A values-only copy that lies in its place."""

    file: Path
    formulas: int
    without_value: int
    bytes: int
    sha256: str


def values_only(data: bytes) -> ValuesOnly:
    """The workbook file `data` with each cell's formula replaced by its stored value, and without macros.

    Raises WorkbookError, with the reason as a half-sentence, for anything but an intact workbook.
    """
    whole = read_package(data)
    members = without_macros(whole)
    book = BookXml.read(members)
    formulas = without_value = 0
    replaced = {}
    for part in dict.fromkeys(book.sheets.values()):
        if part not in members or not re.search(rb"<(?:\w+:)?f[\s/>]", sheet := members[part].unpacked()):
            continue
        text, found, empty = _without_formulas(plain_utf8(sheet))
        if found:
            replaced[part] = members[part].replaced(text.encode("utf-8"))
            formulas, without_value = formulas + found, without_value + empty
    if not replaced and members is whole:
        return ValuesOnly(data, 0, 0)
    # The chain lists the cells with formulas; one that lists others makes a spreadsheet call the file damaged.
    return ValuesOnly(write_package({**without_calculation_chain(members, book), **replaced}), formulas, without_value)


def _without_formulas(sheet: str) -> tuple[str, int, int]:
    """A worksheet's XML without formulas in its cells; how many there were, and how many had no value."""
    root = re.search(r"<((?:\w+:)?)worksheet[\s>]", sheet)
    if root is None:  # a chart's own sheet has no cells
        return sheet, 0, 0
    tag = re.escape(root.group(1))
    cells = re.search(rf"<{tag}sheetData[^>]*>(.*)</{tag}sheetData\s*>", sheet, re.DOTALL)
    if cells is None:
        return sheet, 0, 0
    formula = re.compile(rf"<{tag}f\b[^>]*?(?:/>|>.*?</{tag}f\s*>)", re.DOTALL)
    value = re.compile(rf"<{tag}v\b[^>]*?>[^<]|<{tag}is\b")
    blank = re.compile(rf"<{tag}v\b")
    found = empty = 0

    def valued(cell: re.Match[str]) -> str:
        nonlocal found, empty
        opening, attributes, inside, closing = cell.groups()
        kept, count = formula.subn("", inside)
        if not count:
            return cell.group()
        found += 1
        # A cell's metadata says that its formula spills; without one it would point nowhere.
        attributes = re.sub(r'\scm="\d+"', "", attributes)
        # An empty text is a value too: it is what ="" shows.
        if value.search(kept) is None and not ('t="str"' in attributes and blank.search(kept)):
            empty += 1
            attributes, kept = re.sub(r'\st="\w+"', "", attributes), ""
        return f"{opening}{attributes}>{kept}{closing}"

    cell = re.compile(rf"(<{tag}c\b)((?:[^>/]|/(?!>))*)>(.*?)(</{tag}c\s*>)", re.DOTALL)
    text = cell.sub(valued, cells.group(1))
    return f"{sheet[: cells.start(1)]}{text}{sheet[cells.end(1) :]}", found, empty


def keep_copy(
    workbook: Path, name: str, *, save: Callable[[Path], None] | None = None, day: date | None = None, mode: str = ""
) -> KeptCopy:
    """Put a values-only copy of `workbook` into the archive folder beside it, named `name` (.xlsx).

    `save` writes a workbook that is open to the file it is given; without it the file on the disk is copied. `day` and
    `mode` are what the workbook must show, as far as it says so. The copy is verified before it takes its name: every
    packed part is intact, a second reader opens it, finds no formula, the same day, mode and rows. A copy of that name
    is replaced. Raises WorkbookError, or WorkbookBusy where the file cannot be read or written at this moment.
    """
    file = workbook.parent / FOLDER / name
    part = file.with_name(f".{name}.{os.getpid()}.part")
    saved = part.with_name(f".{part.name}{workbook.suffix}")
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        if save is not None:
            save(saved)
        data = (workbook if save is None else saved).read_bytes()
        copy = values_only(data)
        shown = stated(copy.data)
        _refuse_another_day(shown, day, mode)
        with part.open("wb") as opened:
            opened.write(copy.data)
            opened.flush()
            os.fsync(opened.fileno())
        _verify(part, copy, shown)
        part.replace(file)
        _sync(file.parent)
    except WorkbookBusy:
        raise
    except WorkbookError as error:
        raise WorkbookError(
            f"{workbook.name}: no values-only copy was made, because {error}; the copies of earlier days stay"
        ) from error
    except OSError as error:
        raise WorkbookBusy(
            f"{workbook.name}: no values-only copy was made at {file} ({reason_of(error)}); "
            "free some space, close the program that has it open, or allow writing there"
        ) from error
    finally:
        for left in (part, saved):
            with suppress(OSError):
                left.unlink(missing_ok=True)
    return KeptCopy(file, copy.formulas, copy.without_value, len(copy.data), hashlib.sha256(copy.data).hexdigest())


def _refuse_another_day(shown: Agreed, day: date | None, mode: str) -> None:
    """A dated copy of another day's picture would be taken for the day's for ever."""
    if day is not None and shown.day is not None and shown.day != day:
        raise WorkbookError(f"it shows {shown.day} and not {day}: no picture of that day was written into it")
    if mode and shown.mode and shown.mode != mode:
        raise WorkbookError(f"it shows a {shown.mode} session and not this {mode} one")


def _sync(folder: Path) -> None:
    """Have the new name reach the disk; only where folders can be opened."""
    if not hasattr(os, "O_DIRECTORY"):
        return
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _verify(part: Path, copy: ValuesOnly, shown: Agreed) -> None:
    """Read the written file again; WorkbookError unless it is whole, opens elsewhere, says the same, has no formula."""
    data = part.read_bytes()
    if data != copy.data:
        raise WorkbookError("it reads back from the disk otherwise than it was written")
    try:
        with zipfile.ZipFile(BytesIO(data)) as archive:
            damaged = archive.testzip()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of parts that openpyxl would not keep; it only reads here
            again, left = read_again(data)
    # A damaged part is told by whichever of the two libraries meets it first, each in its own words.
    except (zipfile.BadZipFile, zlib.error, KeyError, ValueError, TypeError, ParseError) as error:
        raise WorkbookError(f"the copy does not open again ({error})") from error
    if damaged or left:
        raise WorkbookError(f"the copy is damaged at {damaged}" if damaged else f"{left[0]} still holds a formula")
    if difference := shown.difference(again):
        raise WorkbookError(f"the copy is not what the workbook is: {difference}")


def forget_old_copies(workbook: Path, *, days: int, now: float) -> list[Path]:
    """Delete copies of this workbook, and their PDFs, that were made more than `days` ago; what was deleted.

    `now` [s since 1970 UTC]. Only files named as the program names them are touched. Raises OSError where one cannot
    be deleted.
    """
    ours = re.compile(
        rf"{re.escape(workbook.stem)}-(?:live|replay|simulated)-\d{{4}}-\d\d-\d\d(?:-\d{{6}})?\.(?:xlsx|pdf)"
    )
    folder = workbook.parent / FOLDER
    if not folder.is_dir():
        return []
    # By when it was made and not by the date in its name: a replay of a day long gone is kept as long as any other.
    old = [file for file in sorted(folder.iterdir())
           if ours.fullmatch(file.name) and now - file.stat().st_mtime > days * _DAY_S]  # fmt: skip
    for file in old:
        file.unlink()
    return old
