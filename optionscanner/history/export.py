"""Any table or view of a history as a CSV file (RFC 4180), for spreadsheets and for whoever has no SQL.

Main entry: `export_csv`. Rows go from the database to the file one by one, so that memory stays flat however many they
are. Instants become text in Indian time; a text that a spreadsheet would take for a formula gets an apostrophe in
front; absent values are empty.
"""

from __future__ import annotations

import csv
import difflib
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pyarrow.compute as pc

from optionscanner.errors import HistoryError, reason_of
from optionscanner.history.archived import archived_files, opened_archive
from optionscanner.history.database import opened_for_reading, speaking
from optionscanner.history.files import put_in_place, synced, unfinished

_ROWS_AT_ONCE = 1_000
_FORMULA_SIGNS = ("=", "+", "-", "@", "\t", "\r")
_IST = timedelta(hours=5, minutes=30)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

Row = Sequence[object]


@dataclass(frozen=True, slots=True)
class Exported:
    """What an export wrote."""

    file: Path
    rows: int
    note: str
    """What the file does not hold that one may look for in it; "" where there is nothing to say."""


@dataclass(frozen=True, slots=True)
class _Query:
    """What is asked of one table or view."""

    table: str
    trading_date: date | None
    underlying: str | None
    columns: tuple[str, ...]


def export_csv(
    history: Path,
    table: str,
    to: Path,
    *,
    trading_date: date | None = None,
    underlying: str | None = None,
    bom: bool = False,
) -> Exported:
    """Write a table or view of the history to a CSV file; an earlier file of that name is replaced when it is whole.

    `trading_date` and `underlying` choose rows; `bom` begins the file with a byte-order mark, by which Excel knows
    UTF-8. Of the table `quote`, sessions whose quotes were archived are exported too. Raises HistoryError for a table
    that is not there or has nothing to be chosen by, or a file that cannot be written.
    """
    with closing(opened_for_reading(history).conn) as connection, speaking(history):
        query = _query(connection, history, table, trading_date, underlying)
        part = unfinished(to)
        try:
            with part.open("w", encoding="utf-8-sig" if bom else "utf-8", newline="") as file:
                writer = csv.writer(file, lineterminator="\r\n")
                writer.writerow(query.columns)
                rows = 0
                shapers = [_shaper(name) for name in query.columns]
                for row in _rows(connection, history, query):
                    writer.writerow([shape(value) for shape, value in zip(shapers, row, strict=True)])
                    rows += 1
            synced(part)
            put_in_place(part, to)
        except OSError as error:
            raise HistoryError(
                f"{to}: cannot be written ({reason_of(error)}); choose another place with --to, "
                "free some space, or close the program that has it open"
            ) from error
        finally:
            with suppress(OSError):
                part.unlink(missing_ok=True)
        return Exported(to, rows, _note(connection, history, query))


def _query(
    connection: sqlite3.Connection, history: Path, table: str, trading_date: date | None, underlying: str | None
) -> _Query:
    names = [
        name
        for (name,) in connection.execute(
            "SELECT name FROM sqlite_master WHERE type IN ('table', 'view') AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\' "
            "ORDER BY name"
        )
    ]
    if table not in names:
        near = difflib.get_close_matches(table, names, n=1, cutoff=0.7)
        meant = f" (did you mean {near[0]}?)" if near else ""
        raise HistoryError(f"history {history}: has no table or view {table!r}{meant}; it has {', '.join(names)}")
    columns = tuple(row[1] for row in connection.execute(f'PRAGMA table_info("{table}")'))
    if trading_date is not None and "session" not in columns and table != "session":
        raise HistoryError(f"history {history}: rows of {table} belong to no session, so leave out --date")
    if trading_date is not None and not connection.execute(
        "SELECT 1 FROM session WHERE trading_date = ?", (trading_date.isoformat(),)
    ).fetchone():
        stored = [day for (day,) in connection.execute("SELECT DISTINCT trading_date FROM session ORDER BY 1")]
        raise HistoryError(
            f"history {history}: holds no session of {trading_date}; it has {', '.join(stored) or 'none at all'}"
        )
    if underlying is not None and not {"underlying", "symbol", "contract"} & set(columns):
        raise HistoryError(f"history {history}: rows of {table} belong to no underlying, so leave out --underlying")
    return _Query(table, trading_date, underlying, columns)


def _rows(connection: sqlite3.Connection, history: Path, query: _Query) -> Iterator[Row]:
    """Rows of the live table, then, of `quote`, those of archived sessions."""
    conditions, given = [], []
    if query.trading_date is not None:
        chosen = "id" if query.table == "session" else "session"
        conditions.append(f"{chosen} IN (SELECT id FROM session WHERE trading_date = ?)")
        given.append(query.trading_date.isoformat())
    if query.underlying is not None:
        by = next((name for name in ("underlying", "symbol") if name in query.columns), None)
        conditions.append(f"{by} = ?" if by else "contract IN (SELECT id FROM contract WHERE underlying = ?)")
        given.append(query.underlying)
    where = f" WHERE {' AND '.join(conditions)}" if conditions else ""
    found = connection.execute(f'SELECT * FROM "{query.table}"{where}', given)
    while rows := found.fetchmany(_ROWS_AT_ONCE):
        yield from rows
    if query.table == "quote":
        for session, file in _archived(connection, history, query).items():
            yield from _archived_rows(history, session, file, query)


def _archived(connection: sqlite3.Connection, history: Path, query: _Query) -> dict[int, Path]:
    """Archived sessions that are asked for -> their files."""
    dates = dict(connection.execute("SELECT id, trading_date FROM session"))
    return {
        session: file
        for session, file in archived_files(connection, history).items()
        if query.trading_date is None or dates.get(session) == query.trading_date.isoformat()
    }


def _archived_rows(history: Path, session: int, file: Path, query: _Query) -> Iterator[Row]:
    columns = [name for name in query.columns if name != "session"]
    with opened_archive(history, session, file) as archive:
        for group in range(archive.metadata.num_row_groups):
            table = archive.read_row_group(group)
            if query.underlying is not None:
                table = table.filter(pc.equal(table["underlying"], query.underlying))
            table = table.set_column(0, "at", table["at"].cast("int64"))
            values = [table[name].to_pylist() for name in columns]
            for row in zip(*values, strict=True):
                yield (session, *row)


def _note(connection: sqlite3.Connection, history: Path, query: _Query) -> str:
    archived = _archived(connection, history, query)
    if not archived or query.table not in ("option_chain_snapshots", "quote_anchor", "state", "state_legs"):
        return ""
    return (
        f"the quotes of {len(archived)} of the sessions asked for were archived, so {query.table} has no rows of them; "
        "export quote instead, or read the Parquet files in the folder archive beside the history"
    )


def _shaper(column: str) -> Callable[[object], object]:
    """How a column's values are written."""
    is_instant = column == "at" or column.endswith("_at")

    def shape(value: object) -> object:
        if isinstance(value, str):
            return f"'{value}" if value.startswith(_FORMULA_SIGNS) else value
        if isinstance(value, bytes):
            return value.hex()
        if is_instant and isinstance(value, int):
            return _ist_text(value)
        return value

    return shape


def _ist_text(milliseconds: int) -> str:
    """An instant [ms since 1970 UTC] as Indian time, in the form that spreadsheets read as a time."""
    return f"{_EPOCH + timedelta(milliseconds=milliseconds) + _IST:%Y-%m-%d %H:%M:%S.%f}"[:-3]
