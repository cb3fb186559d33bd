"""Copies of the database, and giving back the space of what was archived. Main entries: `back_up` and `shrink`."""

from __future__ import annotations

import re
import shutil
import sqlite3
from contextlib import closing, suppress
from datetime import date
from pathlib import Path

from optionscanner.errors import HistoryError, reason_of
from optionscanner.history.database import opened_for_reading, speaking
from optionscanner.history.files import put_in_place, sweep, synced, unfinished

FOLDER = "backup"
"""Folder beside the history file."""

_PAGES_AT_ONCE = 10_000
"""Pages given back in one transaction, 40 MB: readers and writers get in between."""


def back_up(path: Path, *, day: date, keep: int, now: float) -> Path | None:
    """Copy the history at `path` to a file named by `day`, and keep the newest `keep` of them; None for `keep` 0.

    The copy is one consistent state, whoever writes meanwhile, and is checked whole before it takes its name. `now`
    [s since 1970 UTC, the machine's clock]. Raises HistoryError where no copy could be made; earlier ones stay then.
    """
    if keep < 1:
        return None
    copy = path.parent / FOLDER / f"{path.stem}-{day.isoformat()}{path.suffix}"
    part = unfinished(copy)
    try:
        copy.parent.mkdir(parents=True, exist_ok=True)
        sweep(copy.parent, path.stem, now=now)
        need, free = path.stat().st_size, shutil.disk_usage(copy.parent).free
        if free < 1.1 * need:
            raise HistoryError(
                f"history {path}: no backup was made, it needs {need / 1e6:,.0f} MB and {copy.parent} has "
                f"{free / 1e6:,.0f} MB free; free some space, or lower history.backups"
            )
        _copied(path, part)
        synced(part)
        put_in_place(part, copy)
        for old in _copies(path)[:-keep]:
            old.unlink(missing_ok=True)
    except OSError as error:
        raise HistoryError(
            f"history {path}: no backup was made at {copy} ({reason_of(error)}); free some space "
            "or allow writing there"
        ) from error
    finally:
        with suppress(OSError):
            part.unlink(missing_ok=True)
    return copy


def _copied(path: Path, part: Path) -> None:
    with closing(opened_for_reading(path).conn) as source, speaking(path), closing(sqlite3.connect(part)) as target:
        source.backup(target)
        # One file that can be moved about, without a write-ahead log beside it.
        target.execute("PRAGMA journal_mode = DELETE")
        (found,) = target.execute("PRAGMA integrity_check(1)").fetchone()
    if found != "ok":
        raise HistoryError(
            f"history {path}: its backup is damaged ({found}) and was thrown away; check the disk, and the history"
        )


def _copies(path: Path) -> list[Path]:
    """Backups of a history, oldest first."""
    name = re.compile(rf"{re.escape(path.stem)}-\d{{4}}-\d\d-\d\d{re.escape(path.suffix)}")
    return sorted(file for file in (path.parent / FOLDER).iterdir() if name.fullmatch(file.name))


def shrink(connection: sqlite3.Connection, path: Path) -> int:
    """Give space that deleted rows left back to the disk; returns bytes.

    No cycle may be stored through `connection` meanwhile. A file that was begun without incremental vacuum is
    rewritten once, which needs as much free space as the file is large; where that is not there, it waits.
    """
    with speaking(path):
        before = _size(connection)
        if not _pragma(connection, "auto_vacuum"):
            if not _pragma(connection, "freelist_count") or shutil.disk_usage(path.parent).free < 1.2 * before:
                return 0
            connection.execute("PRAGMA auto_vacuum = INCREMENTAL")
            connection.execute("VACUUM")
        while free := _pragma(connection, "freelist_count"):
            # Each step of the statement frees a page, so its (empty) answer must be fetched to the end.
            connection.execute(f"PRAGMA incremental_vacuum({_PAGES_AT_ONCE})").fetchall()
            if _pragma(connection, "freelist_count") >= free:
                break
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
        return before - _size(connection)


def _pragma(connection: sqlite3.Connection, name: str) -> int:
    return int(connection.execute(f"PRAGMA {name}").fetchone()[0])


def _size(connection: sqlite3.Connection) -> int:
    return _pragma(connection, "page_count") * _pragma(connection, "page_size")
