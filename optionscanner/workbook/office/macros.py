"""Runs macros of an open workbook, found by `Module.Name` or `Name` in the modules of its VBA project."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from optionscanner.errors import WorkbookError
from optionscanner.workbook.office.document import Document
from optionscanner.workbook.office.values import cell


def run(document: Document, name: str, arguments: Sequence[Any]) -> Any:
    """Run a macro and return what it returns; numbers arrive there as Double.

    Raises WorkbookError where there is no such macro, where macros of this workbook may not run, or where it fails.
    """
    bridge = document.bridge
    address = _address(document, name)
    failed = bridge.failed
    try:
        script = document.model.getScriptProvider().getScript(address)
        # Whole numbers would arrive as 0.
        result, _, _ = script.invoke(tuple([cell(value) for value in arguments]), (), ())
    except failed as error:
        if document.disposed():
            raise
        reason = " ".join(str(error).split()) or type(error).__name__
        raise WorkbookError(
            f"the macro {name} could not be run ({reason}): allow macros for the workbook's folder, or look at its code"
        ) from error
    return result


def _address(document: Document, name: str) -> str:
    """Where LibreOffice finds the macro, as its script providers name places."""
    _, _, path = name.rpartition("!")
    module, _, routine = path.rpartition(".")
    libraries = document.model.BasicLibraries
    for library in libraries.ElementNames:
        if not libraries.isLibraryLoaded(library):
            libraries.loadLibrary(library)
        modules = libraries.getByName(library)
        for known in modules.ElementNames:
            if module and known.lower() != module.rpartition(".")[2].lower():
                continue
            pattern = rf"^\s*(?:public\s+|private\s+)?(?:sub|function)\s+({re.escape(routine)})\b"
            match = re.search(pattern, str(modules.getByName(known)), re.IGNORECASE | re.MULTILINE)
            if match:
                return f"vnd.sun.star.script:{library}.{known}.{match[1]}?language=Basic&location=document"
    raise WorkbookError(f"the workbook has no macro {path}: open its macro-enabled form (.xlsm), or check the name")
