"""Moves the quotes of old sessions out of the database, each session into one Parquet file beside it.

Main entry: `archive_old_sessions`. Readings, observations, contracts and everything else stay in the database for ever;
`HistoryReader` answers about archived sessions as about others. A session's quotes are deleted only in the transaction
that records their file, and only after the file was written, synced, read again and found to hold the same values. A
kill at any moment leaves them in the database, or in the file, never in both or in neither.
"""

from __future__ import annotations

import hashlib
import json
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from optionscanner.errors import HistoryError
from optionscanner.history.archived import archive_folder, quote_schema
from optionscanner.history.database import speaking, transaction
from optionscanner.history.files import put_in_place, sha256, sweep, synced, unfinished
from optionscanner.history.schema import QUOTE_COLUMNS, STATES

_ROWS_PER_GROUP = 100_000
"""Rows held in memory at once, about 30 MB."""

_DAY_MS = 86_400_000
_IST_MS = 19_800_000
_ABSENT = np.iinfo(np.int64).min


@dataclass(frozen=True, slots=True)
class ArchivedSession:
    """A session whose quotes have moved."""

    session: int
    trading_date: date
    file: Path
    quotes: int
    bytes: int


def sessions_due(connection: sqlite3.Connection, *, today: date, now: float, days: int) -> list[int]:
    """Sessions with quotes that are more than `days` older than trading date `today`, oldest first.

    The date of a simulated day is invented and never moves, so its age counts from when it ended, by the machine's
    clock `now` [s since 1970 UTC]; one that was killed counts as ended with the next that ended.
    """
    found = connection.execute(
        """
        SELECT s.id FROM session s
        WHERE s.id NOT IN (SELECT session FROM archive)
            AND EXISTS (SELECT 1 FROM quote q WHERE q.session = s.id)
            AND (
                s.trading_date < :oldest
                OR s.mode = 'SIMULATED'
                    AND ifnull(s.ended_at, (SELECT min(n.ended_at) FROM session n WHERE n.id > s.id)) < :ended_before
            )
        ORDER BY s.id
        """,
        {
            "oldest": (today - timedelta(days=days)).isoformat(),
            # Midnight in India, so that the hour of the day does not matter.
            "ended_before": (round(now * 1000) + _IST_MS) // _DAY_MS * _DAY_MS - _IST_MS - days * _DAY_MS,
        },
    )
    return [session for (session,) in found]


def archive_old_sessions(
    connection: sqlite3.Connection, path: Path, *, today: date, now: float, days: int
) -> Iterator[ArchivedSession]:
    """Move the sessions that are due, one by one; `connection` writes to the history at `path`.

    No cycle may be stored through `connection` meanwhile. Raises HistoryError where a session could not be moved: it
    is whole in the database then.
    """
    with speaking(path):
        due = sessions_due(connection, today=today, now=now, days=days)
    sweep(archive_folder(path), path.stem, now=now)
    for session in due:
        yield archive_session(connection, path, session, now=now)


def archive_session(connection: sqlite3.Connection, path: Path, session: int, *, now: float) -> ArchivedSession:
    """Move the quotes of one session; its flow state, which only a session that goes on needs, is dropped.

    Raises HistoryError where that failed; the session is whole in the database then.
    """
    with speaking(path):
        found = connection.execute("SELECT * FROM session WHERE id = ?", (session,))
        names = [column[0] for column in found.description]
        about = dict(zip(names, found.fetchone(), strict=True))
    file = archive_folder(path) / f"{path.stem}-{about['trading_date']}-session-{session}.parquet"
    part = unfinished(file)
    try:
        with speaking(path):
            file.parent.mkdir(parents=True, exist_ok=True)
            digest, quotes = _written(connection, session, part, about)
            synced(part)
            _check(part, digest, quotes)
            archived = ArchivedSession(
                session, date.fromisoformat(str(about["trading_date"])), file, quotes, part.stat().st_size
            )
            _move(connection, archived, part, sha256(part), now=now)
    except (OSError, pa.ArrowException) as error:
        why = (getattr(error, "strerror", None) or str(error)).lower()
        raise HistoryError(
            f"history {path}: session {session} of {about['trading_date']} could not be archived to {file} ({why}); "
            "it stays in the database, free some space or allow writing there"
        ) from error
    finally:
        with suppress(OSError):
            part.unlink(missing_ok=True)
    return archived


def _move(connection: sqlite3.Connection, archived: ArchivedSession, part: Path, digest: str, *, now: float) -> None:
    """Put the verified file in place and delete what it holds, under one write lock."""
    with transaction(connection):
        (stored,) = connection.execute("SELECT count(*) FROM quote WHERE session = ?", (archived.session,)).fetchone()
        if stored != archived.quotes:
            raise HistoryError(
                f"session {archived.session}: {archived.quotes:,} quotes were copied and {stored:,} are stored now; "
                "somebody else writes to this session, it stays in the database"
            )
        put_in_place(part, archived.file)
        connection.execute(
            "INSERT INTO archive VALUES (?, ?, ?, ?, ?, ?)",
            (archived.session, archived.file.name, archived.quotes, archived.bytes, digest, round(now * 1000)),
        )
        for table in ("quote", "quote_anchor", *(state.name for state in STATES)):
            connection.execute(f"DELETE FROM {table} WHERE session = ?", (archived.session,))


def _written(
    connection: sqlite3.Connection, session: int, part: Path, about: Mapping[str, object]
) -> tuple[bytes, int]:
    """Write the session's quotes; digest of their values, and how many they are."""
    schema = quote_schema().with_metadata({"optionscanner": json.dumps(dict(about), sort_keys=True)})
    digest, written = hashlib.sha256(), 0
    with part.open("wb") as file, pq.ParquetWriter(file, schema, compression="zstd") as writer:
        for table in _tables(connection, session, schema):
            writer.write_table(table, row_group_size=len(table))
            _add(digest, table)
            written += len(table)
    return digest.digest(), written


def _tables(connection: sqlite3.Connection, session: int, schema: pa.Schema) -> Iterator[pa.Table]:
    """The session's quotes, chain by chain; at the end those that no observation of a picture owns, if there are."""
    contracts = _contracts(connection, session)
    given = ", ".join(f"q.{name}" for name in QUOTE_COLUMNS)
    chains = connection.execute(
        "SELECT DISTINCT underlying, expiry FROM observation WHERE session = ? ORDER BY underlying, expiry", (session,)
    ).fetchall()
    seen = 0
    for chain in chains:
        # A bare column beside max() is of the same row: of several polls at one instant the last one counts.
        rows = connection.execute(
            f"""
            SELECT q.at, q.contract, {given}, o.spot_paise, o.forward, 1
            FROM (
                SELECT observed_at, spot_paise, forward, max(cycle) FROM observation
                WHERE session = ? AND underlying = ? AND expiry = ? AND in_picture = 1 GROUP BY observed_at
            ) o
            CROSS JOIN contract c ON c.underlying = ? AND c.expiry = ? AND c.option_type IN ('CE', 'PE')
            CROSS JOIN quote q ON q.session = ? AND q.at = o.observed_at AND q.contract = c.id
            """,
            (session, *chain, *chain, session),
        )
        for table in _in_groups(rows, contracts, schema):
            seen += len(table)
            yield table
    (stored,) = connection.execute("SELECT count(*) FROM quote WHERE session = ?", (session,)).fetchone()
    if stored != seen:
        rows = connection.execute(
            f"""
            SELECT q.at, q.contract, {given}, NULL, NULL, 0 FROM quote q JOIN contract c ON c.id = q.contract
            WHERE q.session = ? AND NOT EXISTS (
                SELECT 1 FROM observation o WHERE o.session = q.session AND o.underlying = c.underlying
                    AND o.expiry = c.expiry AND o.observed_at = q.at AND o.in_picture = 1)
            """,
            (session,),
        )
        yield from _in_groups(rows, contracts, schema)


def _contracts(connection: sqlite3.Connection, session: int) -> dict[int, tuple[object, ...]]:
    """contract -> underlying, expiry, strike in paise, option type, lot size, exchange, previous open interest."""
    rows = connection.execute(
        "SELECT c.id, c.underlying, c.expiry, c.strike_paise, c.option_type, c.lot_size, c.exchange, "
        "d.previous_open_interest FROM contract c "
        "LEFT JOIN contract_day d ON d.session = ? AND d.contract = c.id WHERE c.option_type IN ('CE', 'PE')",
        (session,),
    )
    return {row[0]: row[1:] for row in rows}


def _in_groups(
    rows: sqlite3.Cursor, contracts: Mapping[int, tuple[object, ...]], schema: pa.Schema
) -> Iterator[pa.Table]:
    """Rows (at, contract, quoted columns, spot, forward, in_picture) as tables of the file's schema."""
    while group := rows.fetchmany(_ROWS_PER_GROUP):
        columns = list(zip(*group, strict=True))
        terms = list(zip(*(contracts[contract] for contract in columns[1]), strict=True))
        *quoted, spot, forward, in_picture = columns
        values = [*quoted, *terms, spot, forward, [flag == 1 for flag in in_picture]]
        yield pa.table(
            [pa.array(column, field.type) for column, field in zip(values, schema, strict=True)], schema=schema
        )


def _check(part: Path, digest: bytes, quotes: int) -> None:
    """Read the file again from the disk; HistoryError unless it holds exactly what was written."""
    again, found = hashlib.sha256(), 0
    with pq.ParquetFile(part) as file:
        for group in range(file.metadata.num_row_groups):
            table = file.read_row_group(group)
            _add(again, table)
            found += len(table)
    if (again.digest(), found) != (digest, quotes):
        raise HistoryError(
            f"archive {part.name}: {quotes:,} quotes were written and {found:,} read back, or with other values; "
            "check the disk, the session stays in the database"
        )


def _add(digest: hashlib._Hash, table: pa.Table) -> None:
    """Add the values of a table, whatever its encoding in memory."""
    for column in table.columns:
        if pa.types.is_string(column.type):
            digest.update("\n".join(column.to_pylist()).encode())
        elif pa.types.is_floating(column.type):
            digest.update(column.to_numpy().tobytes())
        else:
            digest.update(pc.fill_null(column.cast(pa.int64()), _ABSENT).to_numpy().tobytes())


def record_workbook_copy(
    connection: sqlite3.Connection,
    *,
    trading_date: date,
    file: str,
    formulas: int,
    without_value: int,
    size: int,
    digest: str,
    now: float,
) -> None:
    """Remember a values-only copy of the workbook, of the newest session of its date; a copy made again replaces it."""
    with transaction(connection):
        connection.execute(
            "INSERT OR REPLACE INTO workbook_archive "
            "SELECT ?, max(id), ?, ?, ?, ?, ? FROM session WHERE trading_date = ?",
            (file, formulas, without_value, size, digest, round(now * 1000), trading_date.isoformat()),
        )
