"""Files that appear whole or not at all: written under another name, synced to the disk, then renamed."""

from __future__ import annotations

import hashlib
import os
from contextlib import suppress
from pathlib import Path

_ABANDONED_S = 21_600.0
"""Age after which an unfinished file belongs to a process that was killed: no day takes six hours to write."""


def unfinished(path: Path) -> Path:
    """Where `path` is written until it is whole: beside it, hidden, of this process alone."""
    return path.with_name(f".{path.name}.{os.getpid()}.part")


def synced(path: Path) -> None:
    """Return when the file's content is on the disk."""
    with path.open("rb+") as file:
        os.fsync(file.fileno())


def put_in_place(part: Path, path: Path) -> None:
    """Rename a synced file in one step, and make the name survive a power cut."""
    part.replace(path)
    if hasattr(os, "O_DIRECTORY"):  # Windows syncs names by itself, and cannot open a folder
        folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


def sweep(folder: Path, start: str, *, now: float) -> None:
    """Remove what killed processes left unfinished of files that begin with `start`; `now` [s since 1970 UTC]."""
    for part in folder.glob(".*.part"):
        if part.name.startswith(f".{start}"):
            with suppress(OSError):  # another process may be sweeping too
                if part.stat().st_mtime < now - _ABANDONED_S:
                    part.unlink()


def sha256(path: Path) -> str:
    """Digest of a file, hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
