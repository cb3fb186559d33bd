"""Where LibreOffice is. Main entries: `libre_office`, its program; `libre_office_folder`, where its programs lie."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

NAMED = "OPTIONSCANNER_LIBREOFFICE"
"""Environment variable with the path of LibreOffice's program where it is nowhere below; `none`: do not use any."""
NONE = "none"
_COMMANDS = ("soffice", "libreoffice")
_PLACES = (
    "/Applications/LibreOffice.app/Contents/MacOS/soffice",
    "/usr/lib/libreoffice/program/soffice",
    "/usr/lib64/libreoffice/program/soffice",
    "/opt/libreoffice/program/soffice",
    "/snap/bin/libreoffice",
)
_WINDOWS = (("ProgramFiles", r"C:\Program Files"), ("ProgramFiles(x86)", r"C:\Program Files (x86)"))

Exists = Callable[[str], bool]
Command = Callable[[str], str | None]


def libre_office(
    environment: Mapping[str, str] = os.environ, command: Command = shutil.which, exists: Exists = os.path.exists
) -> Path | None:
    """LibreOffice's program, None where it was not found; `command`: name of a program -> its path."""
    return next(_found(environment, command, exists), None)


def libre_office_folder() -> Path | None:
    """The folder in which LibreOffice's programs lie, with links followed; None where it was not found."""
    folders = (program.resolve().parent for program in _found(os.environ, shutil.which, os.path.exists))
    return next((folder for folder in folders if (folder / "soffice").exists()), None)


def _found(environment: Mapping[str, str], command: Command, exists: Exists) -> Iterator[Path]:
    """Programs that are there, the one that was asked for first."""
    named = environment.get(NAMED, "")
    if named == NONE:
        return
    roots = [environment.get(key) or usual for key, usual in _WINDOWS]
    windows = [rf"{root}\LibreOffice\program\soffice.exe" for root in roots]
    places = [place for place in (named, *_PLACES, *windows) if place and exists(place)]
    in_path = list(filter(None, map(command, _COMMANDS)))
    first = places[:1] if named and named in places else []
    yield from map(Path, [*first, *in_path, *places[len(first) :]])
