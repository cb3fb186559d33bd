"""What is special about a place on the disk: synchronised folders, network drives, files that came from the internet.

Main entries: `advice` and `macros_blocked`, each one sentence; `warnings_of` asks both. Nothing here changes a file.
"""

from __future__ import annotations

import ntpath
import os
import posixpath
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import psutil

_SERVICES = {
    # first words of a folder's name -> whose it is
    "onedrive": "OneDrive", "dropbox": "Dropbox", "google drive": "Google Drive", "googledrive": "Google Drive",
    "my drive": "Google Drive", "iclouddrive": "iCloud", "icloud drive": "iCloud", "mobile documents": "iCloud",
    "com~apple~clouddocs": "iCloud", "nextcloud": "Nextcloud", "owncloud": "ownCloud", "box sync": "Box",
    "pcloud": "pCloud", "mega": "MEGA", "cloudstorage": "a cloud service", "synologydrive": "Synology Drive",
}  # fmt: skip
_WHOLE_WORDS = ("my drive", "mega", "mobile documents", "cloudstorage")
"""Names that only count when they are the folder's whole name."""
_ONEDRIVE_VARIABLES = ("OneDrive", "OneDriveCommercial", "OneDriveConsumer")
_NETWORK = ("nfs", "cifs", "smb", "afpfs", "webdav", "davfs", "fuse.sshfs", "fuse.rclone", "fuse.gvfsd", "ncpfs")
"""Beginnings of the names of file systems that are reached over a network."""
_DRIVE_REMOTE = 4
"""GetDriveTypeW, winbase.h."""
_INTERNET_ZONE = 3
"""URLZONE_INTERNET; from there on Excel blocks macros."""


def _mounts() -> Sequence[tuple[str, str]]:
    return [(disk.mountpoint, disk.fstype) for disk in psutil.disk_partitions(all=True)]


def _is_remote_drive(drive: str) -> bool:
    if sys.platform == "win32":
        import ctypes

        return bool(ctypes.windll.kernel32.GetDriveTypeW(drive + "\\") == _DRIVE_REMOTE)
    return False


def _where_from(file: Path) -> str:
    """What Windows noted of a file's origin, "" where it noted nothing."""
    try:
        return Path(f"{file}:Zone.Identifier").read_text(encoding="utf-8", errors="replace")
    except (OSError, ValueError):
        return ""


@dataclass(frozen=True)
class Places:
    """What is asked of this computer; tests hand in another one."""

    platform: str = sys.platform
    environment: Mapping[str, str] = field(default_factory=lambda: dict(os.environ))
    mounts: Callable[[], Sequence[tuple[str, str]]] = _mounts
    """(where, kind of file system) of each mounted one."""
    is_remote_drive: Callable[[str], bool] = _is_remote_drive
    """Windows: whether a drive such as ``Z:`` lies on another computer."""
    where_from: Callable[[Path], str] = _where_from


def advice(path: str | Path, what: str, places: Places | None = None) -> str:
    """One sentence on keeping `what` ("the workbook", "the history") at an absolute `path`; "" for a place like any.

    A history that is not on a disk of this computer can be damaged, a workbook is only held up.
    """
    found = _special(str(path), places or Places())
    if not found:
        return ""
    if what == "the history":
        return f"{path} {found}, where a database can be damaged: keep {what} in a folder of this computer only"
    return f"{path} {found}, which may hold the file for a while and make copies: keep {what} in a folder of this " \
           "computer only"  # fmt: skip


def warnings_of(workbook: Path, history: Path, places: Places | None = None) -> list[str]:
    """What the user should know about where these two files lie; [] for places like any."""
    found = (
        advice(workbook.absolute(), "the workbook", places),
        advice(history.absolute(), "the history", places),
        macros_blocked(workbook, places),
    )
    return [sentence for sentence in found if sentence]


def macros_blocked(workbook: Path, places: Places | None = None) -> str:
    """One sentence where Windows marked an .xlsm as downloaded, so that Excel blocks its macros; "" otherwise."""
    places = places or Places()
    if places.platform != "win32" or workbook.suffix.lower() != ".xlsm":
        return ""
    zone = next(
        (line.partition("=")[2] for line in places.where_from(workbook).splitlines() if line.startswith("ZoneId=")), ""
    ).strip()
    if not zone.isdecimal() or int(zone) < _INTERNET_ZONE:
        return ""
    return (
        f"{workbook.name} is marked by Windows as downloaded, so Excel blocks its macros: in the file's Properties "
        "tick Unblock, or move it away and let the program make a new one"
    )


def _special(path: str, places: Places) -> str:
    """What is special about a path, as the rest of a sentence; "" where nothing is."""
    windows = places.platform == "win32"
    flat = path.replace("/", "\\") if windows else path
    if windows:
        drive = ntpath.splitdrive(flat)[0]
        if flat.startswith("\\\\") and (drive.count("\\") > 3 or not flat.startswith(("\\\\?\\", "\\\\.\\"))):
            return "is on a network share"
        if drive and places.is_remote_drive(drive[-2:]):
            return "is on a network drive"
        for name in _ONEDRIVE_VARIABLES:
            root = places.environment.get(name, "")
            if root and ntpath.normcase(flat).startswith(ntpath.normcase(root).rstrip("\\") + "\\"):
                return "is in a folder that OneDrive synchronises"
    else:
        inside = [(where, kind) for where, kind in places.mounts() if _within(flat, where)]
        kind = max(inside, key=lambda mount: len(mount[0]), default=("", ""))[1].lower()
        if kind.startswith(_NETWORK):
            return f"is on a network drive ({kind})"
    for folder in flat.split("\\" if windows else "/")[:-1]:
        if service := _service(folder.lower()):
            return f"is in a folder that {service} synchronises"
    return ""


def _service(folder: str) -> str:
    for begin, service in _SERVICES.items():
        rest = folder.removeprefix(begin)
        # "OneDrive - Name of a firm", "Dropbox (Personal)", "GoogleDrive-me@example.com"
        if rest != folder and (not rest or (begin not in _WHOLE_WORDS and not rest[0].isalnum())):
            return service
    return ""


def _within(path: str, folder: str) -> bool:
    return posixpath.join(path, "").startswith(posixpath.join(folder, ""))
