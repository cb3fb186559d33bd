"""Opens and stores files in LibreOffice without ever letting it ask: what it would ask about becomes an error."""

from __future__ import annotations

import os
import zipfile
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from optionscanner.errors import WorkbookBusy, WorkbookError
from optionscanner.workbook.office.bridge import Bridge
from optionscanner.workbook.office.process import Office

FILTERS = {
    ".xlsx": "Calc MS Excel 2007 XML",
    ".xlsm": "Calc MS Excel 2007 VBA XML",
    ".xls": "MS Excel 97",
    ".ods": "calc8",
    ".csv": "Text - txt - csv (StarCalc)",
    ".pdf": "calc_pdf_Export",
}
"""File extension -> LibreOffice's filter for it."""

_COMPOUND_FILE = bytes.fromhex("d0cf11e0a1b11ae1")
_MACROS_AS_CONFIGURED, _NO_MACROS = 5, 0
"""Those of trusted folders run, the others are refused without a question; none at all."""


def handler(bridge: Bridge) -> Any:
    """An interaction handler that answers every question with Abort, so that nothing ever waits for the user."""
    base = bridge.unohelper.Base
    interface = bridge.interface("com.sun.star.task.XInteractionHandler")
    abort = bridge.interface("com.sun.star.task.XInteractionAbort")

    class Decline(base, interface):  # type: ignore[misc, valid-type]
        """Chooses the way out of each question that ends what was begun."""

        def handle(self, request: Any) -> None:
            for continuation in request.getContinuations():
                found = continuation.queryInterface(bridge.uno.getTypeByName(abort.__pyunointerface__))
                if found is not None:
                    found.select()
                    return

    return Decline()


def filter_of(path: Path) -> str:
    """LibreOffice's filter for the extension of a path."""
    found = FILTERS.get(path.suffix.lower())
    if found is None:
        raise WorkbookError(
            f"{path}: LibreOffice is not asked to write {path.suffix or 'a file without extension'}; "
            f"choose one of {', '.join(FILTERS)}"
        )
    return found


def check(path: Path) -> None:
    """Raise WorkbookError where the file is no workbook that can be opened."""
    if not path.is_file():
        raise WorkbookError(f"{path} does not exist: give the path of the workbook")
    if path.suffix.lower() not in (".xlsx", ".xlsm"):
        return
    with path.open("rb") as file:
        beginning = file.read(len(_COMPOUND_FILE))
    if beginning == _COMPOUND_FILE:
        raise WorkbookError(f"{path} is protected by a password: take it off, as nobody is there to type it")
    if not zipfile.is_zipfile(path):
        raise WorkbookError(f"{path} is not a workbook, or was cut off: take a copy from the archive")


def load(
    office: Office, path: Path, *, hidden: bool = False, read_only: bool = False, macros: bool = True
) -> Any | None:
    """Open a file; None where LibreOffice would have had to ask something first."""
    bridge = office.bridge
    arguments = bridge.properties(
        FilterName=filter_of(path),
        Hidden=hidden,
        ReadOnly=read_only,
        MacroExecutionMode=_MACROS_AS_CONFIGURED if macros else _NO_MACROS,
        InteractionHandler=handler(bridge),
    )
    refused = bridge.failed
    try:
        return office.desktop.loadComponentFromURL(path.as_uri(), "_blank", 0, arguments)
    except refused as error:
        if isinstance(error, bridge.error("com.sun.star.lang.DisposedException")) or not office.alive():
            raise
        raise WorkbookError(f"{path} could not be opened by LibreOffice ({_words(error)})") from error


def store(bridge: Bridge, model: Any) -> None:
    """Save a document in its place and format; raises WorkbookBusy where that cannot be done now."""
    refused = bridge.error("com.sun.star.io.IOException")
    try:
        model.storeSelf(bridge.properties(InteractionHandler=handler(bridge)))
    except refused as error:
        raise WorkbookBusy(
            f"{model.getTitle()} could not be saved ({_words(error)}): "
            "another program changed the file, or the disk or folder does not take it"
        ) from error


def store_to(bridge: Bridge, model: Any, path: Path, *, stay: bool = True) -> None:
    """Write a document to another file, in the format of its extension; with `stay` it keeps its own name."""
    refused = bridge.error("com.sun.star.io.IOException")
    arguments = bridge.properties(FilterName=filter_of(path), Overwrite=True, InteractionHandler=handler(bridge))
    try:
        (model.storeToURL if stay else model.storeAsURL)(path.resolve().as_uri(), arguments)
    except refused as error:
        raise WorkbookBusy(f"{path} could not be written by LibreOffice ({_words(error)})") from error


def _words(error: Exception) -> str:
    return " ".join(str(error).split()) or type(error).__name__.rpartition(".")[2]


def path_of(model: Any) -> Path | None:
    """Path of a document's file, None where it has none."""
    parts = urlsplit(model.getURL())
    return Path(os.path.realpath(unquote(parts.path))) if parts.scheme == "file" else None
