"""Opens the file of a history, and turns what SQLite says into sentences.

Main entries: `opened_for_writing`, `opened_for_reading`, `speaking`. A file that is not ours is refused before
a byte of it is written.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from sqlite_utils import Database

from optionscanner.errors import HistoryBusy, HistoryError, reason_of

_HEADER = b"SQLite format 3\x00"
_OLDEST_SQLITE = (3, 37, 0)
"""First version with STRICT tables: https://www.sqlite.org/stricttables.html"""

_WAL_PAGES = 32_768
"""Pages (128 MB) after which the write-ahead log is folded into the file. A cycle of a whole market is about 3 MB, so
the fold, which takes a tenth of a second, falls on one such cycle in forty (tests/benchmarks/history.py)."""

_CHECKED_BYTES = 256 << 20
"""Files up to this size are checked whole when they are opened, at about 1 GB/s."""

# What may clear by itself or by a user's hand while the program runs: primary result codes of SQLite and the way out.
_PASSING = {
    sqlite3.SQLITE_BUSY: "another program holds it locked; close that program",
    sqlite3.SQLITE_LOCKED: "another program holds it locked; close that program",
    sqlite3.SQLITE_FULL: "the disk is full; free some space",
    sqlite3.SQLITE_IOERR: "the disk refused to read or write; check the disk and its free space",
    sqlite3.SQLITE_READONLY: "it is write-protected; allow writing to the file and its folder",
    sqlite3.SQLITE_CANTOPEN: "it cannot be opened; check that its folder exists and may be written to, and that the "
    "whole path is shorter than 500 bytes",
}


def sentence(path: Path, error: sqlite3.Error) -> HistoryError:
    """The error of ours that says what an error of SQLite means; the same words for the same trouble."""
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    if code in _PASSING:
        return HistoryBusy(f"history {path}: cannot be written now, {_PASSING[code]}")
    if code in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB):
        return HistoryError(
            f"history {path}: expected an intact SQLite database, found it damaged ({error}); "
            "move the file away, and a new one is begun"
        )
    if code == sqlite3.SQLITE_CONSTRAINT:
        return HistoryError(
            f"history {path}: holds this already, stored by another start of the program ({error}); end one of the two"
        )
    return HistoryError(f"history {path}: SQLite refused a statement ({error}); please report this")


@contextmanager
def speaking(path: Path) -> Iterator[None]:
    """Errors of SQLite inside leave as `HistoryBusy` or `HistoryError`."""
    try:
        yield
    except sqlite3.Error as error:
        raise sentence(path, error) from error


@contextmanager
def transaction(connection: sqlite3.Connection) -> Iterator[None]:
    """All or nothing; takes the write lock at once, so that a lock is met before any work."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        connection.execute("COMMIT")
    finally:
        # Open only after an error; SQLite may have rolled back by itself, as it does when the disk is full.
        if connection.in_transaction:
            connection.execute("ROLLBACK")


def run_script(database: Database, script: str) -> None:
    """The statements of a script one by one, inside the transaction that is open."""
    statement = ""
    for line in script.splitlines(keepends=True):
        statement += line
        if sqlite3.complete_statement(statement):
            database.execute(statement)
            statement = ""


def opened_for_writing(path: Path, *, busy_timeout: float) -> Database:
    """A connection that survives kill -9 and a power cut: write-ahead log, every commit synced to the disk.

    `busy_timeout` [s] is how long a lock of another program is waited for.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise HistoryError(f"history {path}: its folder cannot be made ({reason_of(error)}); choose another") from error
    with speaking(path), ExitStack() as undo:
        # The cycle may run on another thread than the one that opened the file; `SqliteHistory` lets in one at a time.
        connection = sqlite3.connect(path, timeout=busy_timeout, isolation_level=None, check_same_thread=False)
        undo.callback(connection.close)
        if not connection.execute("PRAGMA page_count").fetchone()[0]:
            # Lets the room of what is archived later be given back to the disk without rewriting the file.
            connection.execute("PRAGMA auto_vacuum = INCREMENTAL")
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute(f"PRAGMA wal_autocheckpoint = {_WAL_PAGES}")
        connection.execute(f"PRAGMA journal_size_limit = {_WAL_PAGES * 4096}")
        connection.execute("PRAGMA cache_size = -65536")
        undo.pop_all()
    return Database(connection)


def opened_for_reading(path: Path, *, busy_timeout: float = 5.0) -> Database:
    """A connection that cannot write; raises HistoryError where there is no file of ours."""
    if not path.is_file():
        raise HistoryError(f"history {path}: there is no such file; start the program once, or check the path")
    _check_header(path)
    with speaking(path):
        uri = f"{path.resolve().as_uri()}?mode=ro"
        connection = sqlite3.connect(uri, uri=True, timeout=busy_timeout, isolation_level=None, check_same_thread=False)
    return Database(connection)


def check_file(path: Path, *, mode: str, newest_schema: int) -> None:
    """Refuse a file that is not a history of this `mode` and of a schema up to `newest_schema`, leaving it as it is.

    A missing or empty file is fine: it becomes one. Raises HistoryError, or HistoryBusy where it cannot be read now.
    """
    if sqlite3.sqlite_version_info < _OLDEST_SQLITE:
        raise HistoryError(
            f"history {path}: needs SQLite 3.37 or newer, this Python has {sqlite3.sqlite_version}; "
            "install a newer Python 3.11"
        )
    if path.is_dir():
        raise HistoryError(f"history {path}: expected a file, found a folder; name a file in it")
    if not path.exists() or path.stat().st_size == 0:
        return
    database = opened_for_reading(path)
    try:
        with speaking(path):
            _check_ours(path, database, mode=mode, newest_schema=newest_schema)
            if path.stat().st_size <= _CHECKED_BYTES:
                found = str(next(iter(database.query("PRAGMA quick_check(1)")))["quick_check"])
                if found != "ok":
                    raise sqlite3.DatabaseError(found)
    except sqlite3.DatabaseError as error:
        raise sentence(path, error) from error
    finally:
        database.conn.close()


def _check_ours(path: Path, database: Database, *, mode: str, newest_schema: int) -> None:
    tables = set(database.table_names())
    if not tables:
        return
    if not {"settings", "session", "migration"} <= tables:
        raise HistoryError(
            f"history {path}: expected a history of OptionScanner, found a database of another program; "
            "choose another file"
        )
    settings = {row["key"]: row["value"] for row in database.query("SELECT key, value FROM settings")}
    if settings.get("mode") != mode:
        raise HistoryError(
            f"history {path}: holds {settings.get('mode')} sessions and this one is {mode}; "
            "modes never share a file, choose another"
        )
    if int(settings.get("schema_version", "0")) > newest_schema:
        raise HistoryError(
            f"history {path}: has schema {settings['schema_version']}, this program knows up to {newest_schema}; "
            "update the program, or choose another file"
        )


def _check_header(path: Path) -> None:
    try:
        with path.open("rb") as file:
            header = file.read(len(_HEADER))
    except OSError as error:
        raise HistoryError(f"history {path}: cannot be read ({reason_of(error)}); check its permissions") from error
    if header and header != _HEADER:
        raise HistoryError(f"history {path}: expected an SQLite database, found something else; choose another file")


def ist_clock(instant: float) -> str:
    """hh:mm:ss IST of an instant [s since 1970 UTC]; IST is UTC+05:30 all year."""
    second = int(instant + 19_800) % 86_400
    return f"{second // 3600:02d}:{second // 60 % 60:02d}:{second % 60:02d}"
