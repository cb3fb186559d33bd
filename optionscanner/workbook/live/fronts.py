"""The front that a spec names, the file it opens, and what its program's exceptions become."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from optionscanner.errors import WorkbookError, reason_of
from optionscanner.workbook.live import wire
from optionscanner.workbook.live.front import Front


def make_front(spec: wire.Spec) -> Front:
    """The front that the spec names."""
    if callable(spec.front):
        return spec.front()
    if spec.front == "excel":
        from optionscanner.workbook.live.excel import ExcelFront

        return ExcelFront()
    from optionscanner.workbook.office.front import LibreOfficeFront

    assert spec.profile is not None, "LibreOffice needs a profile of its own"
    return LibreOfficeFront(spec.profile, headless=spec.headless)


def made_where_missing(path: Path, template: Callable[[], bytes]) -> str:
    """Make the workbook from the template where there is none; the sentence that says so."""
    if path.exists():
        return ""
    beside = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        beside.write_bytes(template())
        beside.replace(path)
    except OSError as error:
        why = reason_of(error)
        raise WorkbookError(f"{path}: the workbook cannot be made ({why}); check the folder") from error
    return f"{path.name} was missing and was created from the template"


class Translated:
    """Turns what comes out of a spreadsheet call into FrontLost or FrontBusy where the front knows what it means."""

    def __init__(self, front: Front) -> None:
        self._front = front

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: Any) -> None:
        if isinstance(error, Exception) and not isinstance(error, WorkbookError):
            meaning = self._front.failure(error)
            if meaning is not None:
                raise meaning from error
