"""The lock files of LibreOffice and Excel beside a workbook: whose they are, and taking away those of a dead office.

`.~lock.NAME#` holds the user's name, the account, the machine, the time and the profile, separated by commas; Excel's
`~$NAME` begins with the length of the user's name and the name.
"""

from __future__ import annotations

import re
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote

from optionscanner.errors import WorkbookBusy
from optionscanner.workbook.office import profile as profiles

_EXCEL_NAME = 54
"""Bytes of the user's name in Excel's lock file."""
_LITTER = re.compile(r"lu[0-9a-z]+\.tmp")
_LITTER_AGE_S = 60.0
"""Seconds after which a file of a save belongs to no save that still runs; one takes less than a second."""


@dataclass(frozen=True, slots=True)
class Lock:
    """A lock file of LibreOffice."""

    path: Path
    user: str
    machine: str
    since: str
    profile: str
    """As a URL."""


def lock_path(workbook: Path) -> Path:
    """Where LibreOffice puts the lock of a workbook."""
    return workbook.with_name(f".~lock.{workbook.name}#")


def read(workbook: Path) -> Lock | None:
    """The lock of a workbook, None where there is none."""
    path = lock_path(workbook)
    try:
        text = path.read_text("utf-8", errors="replace")
    except OSError:
        return None
    parts = [*text.strip().rstrip(";").split(","), "", "", "", "", ""]
    return Lock(path, parts[0] or parts[1], parts[2], parts[3], parts[4])


def clear_own(workbook: Path, profile: Path) -> None:
    """Take away what an office of ours that died left beside the workbook; only called where none has it open.

    Raises WorkbookBusy, naming who holds it, where someone else has the workbook open.
    """
    lock = read(workbook)
    if lock is not None:
        if unquote(lock.profile).rstrip("/") != unquote(profiles.url(profile)).rstrip("/"):
            raise WorkbookBusy(held_by(workbook, lock))
        lock.path.unlink(missing_ok=True)
    refuse_excel(workbook)
    _sweep(workbook.parent)


def _sweep(folder: Path) -> None:
    """Take away what saves that were cut off left behind; another LibreOffice may be saving there right now."""
    before = time.time() - _LITTER_AGE_S
    for litter in folder.glob("lu*.tmp"):
        with suppress(OSError):
            if _LITTER.fullmatch(litter.name) and litter.is_file() and litter.stat().st_mtime < before:
                litter.unlink()


def refuse_excel(workbook: Path) -> None:
    """Raise WorkbookBusy where Excel has the workbook open, e.g. over a network folder."""
    path = workbook.with_name(f"~${workbook.name}")
    try:
        content = path.read_bytes()
    except OSError:
        return
    name = content[1 : 1 + min(content[0], _EXCEL_NAME)].decode("latin-1").strip() if content else ""
    raise WorkbookBusy(
        f"{workbook} is open in Excel{f' ({name})' if name else ''}: close it there "
        f"(or delete {path.name} where nobody has it open)"
    )


def held_by(workbook: Path, lock: Lock) -> str:
    """One sentence on who has the workbook open."""
    who = ", ".join(part for part in (lock.user, lock.machine and f"on {lock.machine}", lock.since and
                                      f"since {lock.since}") if part)  # fmt: skip
    return (
        f"{workbook} is open in another LibreOffice{f' ({who})' if who else ''}: close it there "
        f"(or delete {lock.path.name} where nobody has it open)"
    )
