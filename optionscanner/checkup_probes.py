"""What `--check` asks the machine; every question leaves the machine as it was."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import shutil
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

from optionscanner.bootstrap import environment
from optionscanner.platforms_office import libre_office
from optionscanner.platforms_places import Places

_INDIA = ZoneInfo("Asia/Kolkata")
_EXCEL_KEY = r"SOFTWARE\Microsoft\Windows\CurrentVersion\App Paths\excel.exe"
_EXCEL_PLACES = ("/Applications/Microsoft Excel.app",)


def _today() -> date:
    return datetime.now(_INDIA).date()


def _utc_offset() -> str:
    return f"{datetime.now().astimezone():%z}"


def _registered_excel() -> str | None:
    """Windows: the program that is registered for excel.exe."""
    if sys.platform == "win32":
        import winreg

        for hive in (winreg.HKEY_CURRENT_USER, winreg.HKEY_LOCAL_MACHINE):
            try:
                value = winreg.QueryValue(hive, _EXCEL_KEY)
            except OSError:
                continue
            if value:
                return str(value)
    return None


@dataclass(frozen=True)
class Probes:
    """The machine, as far as a check needs it; tests hand in another one."""

    platform: str = field(default_factory=platform.platform)
    python: str = sys.executable
    python_version: tuple[int, int, int] = (sys.version_info[0], sys.version_info[1], sys.version_info[2])
    environment: Mapping[str, str] = field(default_factory=lambda: dict(os.environ))
    """Variables of the process."""
    today: Callable[[], date] = _today
    """Date in India."""
    utc_offset: Callable[[], str] = _utc_offset
    """Of the machine's own time zone, "+0530"."""
    registered_excel: Callable[[], str | None] = _registered_excel
    command: Callable[[str], str | None] = shutil.which
    """Name of a command -> its path."""
    exists: Callable[[str], bool] = os.path.exists
    """Whether a program stands at one of the usual places."""
    free: Callable[[Path], int] = lambda folder: shutil.disk_usage(folder).free
    """Free bytes of the disk that holds a folder."""
    access: Callable[[Path, int], bool] = os.access
    places: Places = field(default_factory=Places)
    """What is special about folders."""
    has_package: Callable[[str], bool] = lambda requirement: not environment.unmet([requirement])
    package_version: Callable[[str], str] = importlib.metadata.version

    def excel(self) -> str | None:
        """Where Excel is, None where it was not found."""
        return self.registered_excel() or next(filter(self.exists, _EXCEL_PLACES), None)

    def libre_office(self) -> str | None:
        """Where LibreOffice's program is, None where it was not found."""
        found = libre_office(self.environment, self.command, self.exists)
        return None if found is None else str(found)

    def free_bytes(self, folder: Path) -> int:
        """Free bytes of the disk that holds an existing folder."""
        return self.free(folder)

    def may_write(self, place: Path) -> bool:
        """Whether we may write to a file, or create files in a folder."""
        return self.access(place, os.W_OK)

    def begins_with(self, file: Path, signature: bytes) -> bool:
        """Whether a file has these first bytes; False where it cannot be read."""
        try:
            with file.open("rb") as opened:
                return opened.read(len(signature)) == signature
        except OSError:
            return False

    def nearest_folder(self, place: Path) -> Path:
        """The place itself if it exists, else the nearest thing above it that does."""
        place = place.absolute()
        return next(above for above in (place, *place.parents) if above.exists())
