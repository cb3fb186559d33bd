"""Upgrades and restores a workbook file in its place, while nothing has it open; the old file is kept beside it.

Main entries: `upgrade_file`, before a host takes the workbook up, and `restore_file`, on request. Both say in one
sentence what they did.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Collection
from contextlib import suppress
from pathlib import Path
from typing import TypeVar

from optionscanner.errors import WorkbookBusy, WorkbookError, reason_of
from optionscanner.workbook.layout import TEMPLATE_VERSION
from optionscanner.workbook.sentences import shortened
from optionscanner.workbook.template import build_template
from optionscanner.workbook.upgrade import Upgraded, restored, upgraded
from optionscanner.workbook.upgrade_book import version_of

T = TypeVar("T")


def upgrade_file(path: Path, template: Callable[[], bytes] = build_template, *, version: str = TEMPLATE_VERSION) -> str:
    """Bring the workbook `path` up to the template's `version`; the sentence about it, "" where nothing is to do.

    A file that is not there needs nothing. The file as it was is kept as ``NAME.before-template-<version>.xlsx``.
    Raises WorkbookBusy where it cannot be done now (open somewhere, read-only), WorkbookError where the user must act.
    """
    path = Path(os.path.realpath(path))
    found = _read(path)
    # The template is made only for a workbook that is not of its version: that takes longer than all the rest.
    if found is None or _version(found[0]) in (version, None):
        return ""
    result = _told(path, lambda: upgraded(found[0], template()))
    if result is None:
        return ""
    if result.changed or result.version == version:
        kept = _replace(path, result.data, found, version)
        return f"{path.name}: {_added(result, version)}; the file as it was is kept as {kept.name}"
    return f"{path.name}: {'; '.join(result.left)}"


def _version(data: bytes) -> str | None:
    """Version of a workbook file, "" where it says none; None for what is no workbook: its host tells why."""
    try:
        return version_of(data)
    except WorkbookError:
        return None


def restore_file(path: Path, names: Collection[str], template: Callable[[], bytes] = build_template) -> str:
    """Put the sheets or blocks `names` (or ``all``) back into the workbook `path`; the sentence about it.

    The file as it was is kept as ``NAME.before-restore.xlsx``. Raises as `upgrade_file` does, and WorkbookError where
    there is no such file or no such name.
    """
    path = Path(os.path.realpath(path))
    found = _read(path)
    if found is None:
        raise WorkbookError(f"{path}: there is no such workbook; it is made anew, with everything, by the next start")
    result = _told(path, lambda: restored(found[0], template(), names))
    assert result is not None
    if not result.changed:
        return f"{path.name}: {'; '.join(result.left) or 'nothing of what was asked for is missing'}"
    kept = _replace(path, result.data, found, "")
    put = [*result.sheets, *result.names]
    told = "; ".join([f"{shortened(put)} put back", *result.left])
    return f"{path.name}: {told}; the file as it was is kept as {kept.name}"


def _added(result: Upgraded, version: str) -> str:
    added = []
    if result.sheets:
        added.append(f"the new sheet{'s' * (len(result.sheets) > 1)} {shortened(result.sheets)}")
    blocks = [name for name in result.names if not name.endswith("_units")]
    if blocks:
        added.append(f"{shortened(blocks)} on sheets that were there")
    told = f"brought to template {version}" + (f" with {' and '.join(added)}" if added else "")
    return "; ".join([told, *result.left])


def _told(path: Path, step: Callable[[], T]) -> T:
    """The result of a step, with the file's name before the reason for which it cannot be done."""
    try:
        return step()
    except WorkbookBusy:
        raise
    except WorkbookError as error:
        raise WorkbookError(
            f"{path}: cannot be used as the workbook, because {error}; it was left untouched"
        ) from error


def lock_of(path: Path) -> Path | None:
    """Lock file that a spreadsheet program keeps beside a workbook while it has it open; None where there is none."""
    for name in (f"~${path.name}", f".~lock.{path.name}#"):
        with suppress(OSError):  # a folder that may not be entered: the workbook itself will tell
            if (path.parent / name).exists():
                return path.parent / name
    return None


def _read(path: Path) -> tuple[bytes, tuple[int, int]] | None:
    """The file and what tells whether somebody saves it meanwhile; None where there is none, or it is no file."""
    try:
        found = path.stat()
        return (path.read_bytes(), (found.st_mtime_ns, found.st_size)) if stat.S_ISREG(found.st_mode) else None
    except FileNotFoundError:
        return None
    except OSError as error:
        raise WorkbookBusy(
            f"{path.name} cannot be read ({reason_of(error)}); close the program that has it open, or allow reading it"
        ) from error


def _replace(path: Path, data: bytes, found: tuple[bytes, tuple[int, int]], version: str) -> Path:
    """Put `data` in the file's place in one step, and the old file beside it; where that lies."""
    lock = lock_of(path)
    if lock is not None:
        raise WorkbookBusy(
            f"{path.name} is open in a spreadsheet program (lock file {lock.name} is there) and must be brought up to "
            "date first; save and close it there, or delete the lock file if nothing has the workbook open"
        )
    beside = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        mode = stat.S_IMODE(path.stat().st_mode)
        if not mode & stat.S_IWUSR:
            raise WorkbookBusy(f"{path.name} is read-only and must be brought up to date; allow writing to it, or give "
                               "another --workbook")  # fmt: skip
        kept = _kept(path, found[0], version)
        with beside.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        beside.chmod(mode)
        now = path.stat()
        if (now.st_mtime_ns, now.st_size) != found[1]:
            raise WorkbookBusy(f"{path.name} was saved by another program meanwhile; close it there and start again")
        beside.replace(path)
    except OSError as error:
        raise WorkbookBusy(
            f"{path.name} cannot be brought up to date ({reason_of(error)}); close the program that has it open, or "
            "make room and allow writing in its folder"
        ) from error
    finally:
        with suppress(OSError):
            beside.unlink(missing_ok=True)
    return kept


def _kept(path: Path, data: bytes, version: str) -> Path:
    """The old file under a name of its own; a copy that is there is never written over."""
    word = f"before-template-{version}" if version else "before-restore"
    number = 1
    while True:
        kept = path.with_name(f"{path.stem}.{word}{f'-{number}' if number > 1 else ''}{path.suffix}")
        try:
            with kept.open("xb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
        except FileExistsError:
            if kept.read_bytes() == data:
                return kept
            number += 1
        else:
            return kept
