"""EOD_REPORT of an archived copy as a PDF of two pages, printed by LibreOffice without a window.

Main entry: `print_report`. The live workbook is never printed: for that a spreadsheet hides the other sheets for a
moment, which the user would see.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from contextlib import suppress
from pathlib import Path

import psutil

from optionscanner.errors import WorkbookBusy, WorkbookError, reason_of
from optionscanner.workbook.upgrade_book import Book
from optionscanner.workbook.upgrade_parts import children, main

REPORT_BLOCK = "eod_head"
"""Block that tells the report's sheet, whatever its title is."""
PRINT_DEADLINE_S = 120.0
"""Seconds for one PDF: some two where nothing else runs."""


def report_only(data: bytes) -> bytes:
    """The workbook file with every sheet but the report hidden, so that nothing else is printed.

    Sheets stay because the report's colours hang on names that point to them. Raises WorkbookError, with the reason as
    a half-sentence, where the workbook has no such report.
    """
    book = Book(data)
    places = book.places().get(REPORT_BLOCK)
    if not places:
        raise WorkbookError("it has no EOD_REPORT; bring it back with --restore EOD_REPORT")
    title = places[0].sheet
    root = book.parts.xml(book.part, change=True)
    number = list(book.sheets).index(title)
    for sheet in root.iter(main("sheet")):
        if sheet.get("name") == title:
            sheet.attrib.pop("state", None)
        else:
            sheet.set("state", "hidden")
    for view in root.iter(main("workbookView")):
        view.set("activeTab", str(number))
        view.attrib.pop("firstSheet", None)
    held = root.find(main("definedNames"))
    for name in [] if held is None else list(children(held, "definedName")):
        # LibreOffice prints hidden sheets too where they have a print area of their own.
        own = (name.get("name") or "").lower() == "_xlnm.print_area"
        if own and name.get("localSheetId") != str(number):
            held.remove(name)
    return book.bytes()


def print_report(copy: Path, pdf: Path, program: Path) -> None:
    """Print the report of the archived workbook `copy` into `pdf`, which is replaced in one step.

    Raises WorkbookError where the workbook has no report or LibreOffice makes no PDF of it in time, WorkbookBusy where
    the file cannot be written.
    """
    try:
        with tempfile.TemporaryDirectory(prefix="optionscanner-") as made:
            folder = Path(made)
            sheet = folder / f"{pdf.stem}.xlsx"
            sheet.write_bytes(report_only(copy.read_bytes()))
            _convert(program, sheet, folder)
            part = pdf.with_name(f".{pdf.name}.{os.getpid()}.part")
            shutil.copyfile(folder / pdf.name, part)
            part.replace(pdf)
    except WorkbookError as error:
        raise WorkbookError(f"{copy.name}: no PDF of it was made, because {error}") from error
    except OSError as error:
        raise WorkbookBusy(
            f"{copy.name}: no PDF of it was made ({reason_of(error)}); close the program that "
            f"has {pdf.name} open, or allow writing in its folder"
        ) from error


def _convert(program: Path, sheet: Path, folder: Path) -> None:
    """Have LibreOffice write the PDF beside `sheet`, under a profile of its own."""
    command = [
        str(program), f"-env:UserInstallation={(folder / 'profile').as_uri()}", "--headless", "--norestore", "--nologo",
        "--nofirststartwizard", "--convert-to", "pdf", "--outdir", str(folder), str(sheet),
    ]  # fmt: skip
    windowless = {"SAL_USE_VCLPLUGIN": "svp"} if sys.platform == "linux" else {}
    with subprocess.Popen(
        command, env={**os.environ, **windowless}, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE, start_new_session=True,
    ) as process:  # fmt: skip
        try:
            said = process.communicate(timeout=PRINT_DEADLINE_S)[1]
        except subprocess.TimeoutExpired:
            _end(process.pid)
            raise WorkbookError(
                f"LibreOffice was not done within {PRINT_DEADLINE_S:.0f} s and was ended; try again with --keep"
            ) from None
    if not sheet.with_suffix(".pdf").exists():
        words = said.decode(errors="replace").strip().splitlines()
        raise WorkbookError(f"LibreOffice made none ({words[-1] if words else f'exit code {process.returncode}'})")


def _end(process: int) -> None:
    """End the program that was started, and what it started itself."""
    with suppress(psutil.NoSuchProcess):
        started = psutil.Process(process)
        for one in [*started.children(recursive=True), started]:
            with suppress(psutil.NoSuchProcess):
                one.kill()
