"""Keeps a second start off a file that a first one works on: `FileLock` takes, `holder` asks.

The lock is the operating system's, on a small hidden file beside the guarded one, so it ends with its process however
that ends. The file says whose it is, for people; it is not what counts.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import IO
from zoneinfo import ZoneInfo

from optionscanner.errors import InUse

if sys.platform == "win32":
    import msvcrt
else:
    import fcntl

PATIENCE_S = 2.0
"""Seconds in which a process that was killed a moment ago lets go of its lock."""

_TRY_EVERY_S = 0.05
_FAR = 1 << 30
"""Windows: a locked byte cannot be read by others, so one far behind the words is locked."""

_INDIA = ZoneInfo("Asia/Kolkata")


@dataclass(frozen=True, slots=True)
class Holder:
    """The process that works on a file."""

    pid: int | None
    """None where it has not said so yet."""
    since: datetime | None

    def __str__(self) -> str:
        if self.pid is None or self.since is None:
            return "another process, which began just now"
        return f"process {self.pid}, since {self.since.astimezone(_INDIA):%d-%b-%Y %H:%M:%S} IST"


class FileLock:
    """Holds `path` for this process until `release`; the file itself need not exist.

    Raises InUse where another process holds it for longer than `patience` seconds. Where the file system cannot lock,
    or the folder cannot be written, nothing is held: who writes there says what is wrong.
    """

    def __init__(
        self, path: Path, what: str, way_out: str, *, make_folder: bool = False, patience: float = PATIENCE_S
    ) -> None:
        """`what` the file is and `way_out` of a refusal, in words: "history", "give another --history".

        With `make_folder` the file's folder is made where it is missing.
        """
        if make_folder:
            with suppress(OSError):
                path.parent.mkdir(parents=True, exist_ok=True)
        self._path = lock_file(path)
        self._file: IO[bytes] | None = None
        until = time.monotonic() + patience
        while not self._taken():
            if time.monotonic() >= until:
                raise InUse(
                    f"{what} {path}: is in use by another start of this program ({holder(path) or 'just ended'}); "
                    f"end that one first, or {way_out}"
                )
            time.sleep(_TRY_EVERY_S)

    def release(self) -> None:
        """Let go; the lock's own file goes too."""
        file, self._file = self._file, None
        if file is None:
            return
        if sys.platform != "win32":
            with suppress(OSError):  # before it is unlocked, or a newcomer's lock would be on a file without a name
                self._path.unlink()
        file.close()
        if sys.platform == "win32":
            with suppress(OSError):  # somebody else has opened it already
                self._path.unlink()

    def _taken(self) -> bool:
        """Whether there is nothing to wait for any more."""
        try:
            file = self._path.open("a+b")
        except OSError:
            return True
        try:
            if not _lock(file):
                file.close()
                return False
            if not _is_at(file, self._path):  # its holder has just removed it
                file.close()
                return False
            file.truncate(0)
            file.write(json.dumps({"pid": os.getpid(), "since": datetime.now(_INDIA).isoformat()}).encode())
            file.flush()
        except OSError:
            file.close()
            return True
        self._file = file
        return True


def held_files(*, history: Path, workbook: Path, recording: Path | None) -> Iterator[FileLock]:
    """The locks of a session's files, one by one; raises InUse at the first that another process works on."""
    yield FileLock(history, "history", "give this one another --history")
    yield FileLock(workbook, "workbook", "give this one another --workbook", make_folder=True)
    if recording is not None:
        yield FileLock(recording, "recording", "give this one another --record", make_folder=True)


def lock_file(path: Path) -> Path:
    """Where the lock on `path` lies; one place for every way to name the same file."""
    real = Path(os.path.realpath(path))
    return real.with_name(f".{real.name}.lock")


def holder(path: Path) -> Holder | None:
    """The process that holds `path`, None where there is none; changes nothing."""
    place = lock_file(path)
    try:
        with place.open("r+b") as file:
            if _lock(file):
                return None
            words = file.read(1000)
    except OSError:
        return None
    try:
        said = json.loads(words)
        return Holder(int(said["pid"]), datetime.fromisoformat(said["since"]))
    except (ValueError, KeyError, TypeError):
        return Holder(None, None)


def _is_at(file: IO[bytes], place: Path) -> bool:
    try:
        there = place.stat()
    except OSError:
        return False
    ours = os.fstat(file.fileno())
    return (ours.st_dev, ours.st_ino) == (there.st_dev, there.st_ino)


def _lock(file: IO[bytes]) -> bool:
    """Lock the open file if nobody else has; raises OSError where the file system cannot."""
    try:
        if sys.platform == "win32":
            file.seek(_FAR)
            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
            file.seek(0)
        else:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except (BlockingIOError, PermissionError):
        file.seek(0)
        return False
    return True


