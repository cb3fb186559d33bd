"""Keeps the rows of daily files: imported twice they are stored once, and a fuller row replaces a thinner one.

Main entry: `DailyStore`. One transaction for each file, so that an import that is broken off leaves whole files.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd
from sqlite_utils import Database

from optionscanner.errors import HistoryError
from optionscanner.history.daily_schema import DAILY_MIGRATIONS, DAILY_MODE, DAILY_SCHEMA_VERSION
from optionscanner.history.database import opened_for_reading, opened_for_writing, run_script, speaking, transaction
from optionscanner.model.daily import EOD_CONTRACT, DailyTable

_CONTRACT = ("exchange", "underlying", "expiry", "strike", "option_type")
_PAISE = 100.0


@dataclass(frozen=True, slots=True)
class ImportedFile:
    """One file, as it is noted beside its rows."""

    name: str
    digest: str
    """Of its name and content."""
    rows_read: int = 0
    stored: int = 0
    repeated: int = 0
    refused: int = 0
    left_out: int = 0
    sentence: str = ""
    """Why it, or some of its rows, were refused."""
    kind: str | None = None
    """Table that its rows went to; None where it was refused."""


class DailyStore:
    """The file of daily values, opened for writing; made where it is missing.

    Raises HistoryError for a file that is none of ours, HistoryBusy where it cannot be used now.
    """

    def __init__(self, path: Path, *, busy_timeout: float = 5.0) -> None:
        self.path = path
        check_daily(path)
        self._database = opened_for_writing(path, busy_timeout=busy_timeout)
        with speaking(path), ExitStack() as undo:
            undo.callback(self._database.conn.close)
            _migrate(self._database)
            undo.pop_all()

    def close(self) -> None:
        """Give the file back."""
        self._database.conn.close()

    def known(self, name: str, digest: str) -> ImportedFile | None:
        """What became of a file when it was imported before with this content; None where it was not."""
        with speaking(self.path):
            row = self._database.conn.execute(
                "SELECT name, digest, rows_read, stored, repeated, refused, left_out, sentence, kind FROM daily_file "
                "WHERE name = ? AND digest = ?",
                (name, digest),
            ).fetchone()
        return None if row is None else ImportedFile(*row)

    def put(self, file: ImportedFile, table: DailyTable, frame: pd.DataFrame) -> ImportedFile:
        """Store the rows of one file, of which `refused` and `left_out` were counted; returns it with all counts.

        A row whose key is there already replaces it where it holds more values, or as many and others: exchanges
        publish corrections, and collections lack columns.
        """
        with speaking(self.path), transaction(self._database.conn):
            rows = self._encoded(table, frame)
            stored = self._replaced(table, rows)
            read = len(rows) + file.refused + file.left_out
            done = replace(file, kind=table.name, rows_read=read, stored=stored, repeated=len(rows) - stored)
            dates = sorted(set(frame[table.names[0]]))
            self._note(done, dates[0], dates[-1])
            for day in dates:
                self._count(table, day)
        return done

    def put_refused(self, file: ImportedFile) -> ImportedFile:
        """Note a file of which nothing was read."""
        with speaking(self.path), transaction(self._database.conn):
            self._note(file, None, None)
        return file

    def put_computed(
        self,
        day: date,
        chains: Iterable[Sequence[object]],
        names: Iterable[Sequence[object]],
        exposures: Iterable[Sequence[object]],
    ) -> None:
        """Store what was computed of a session's closes, replacing what was computed before.

        `chains`: (underlying, expiry as ISO text, forward [₹], volatility at the money [decimal], years to expiry);
        `names`: (underlying, volatility of 30 days' constant maturity [decimal]); `exposures`: (underlying, size of
        the calls' and of the puts' gamma exposure [₹ crore / 1 %]). NaN is stored as absent.
        """
        on = day.isoformat()
        with speaking(self.path), transaction(self._database.conn):
            for table, rows in (("daily_volatility", chains), ("daily_iv", names), ("daily_exposure", exposures)):
                encoded = [(on, *(_known(value) for value in row)) for row in rows]
                self._database.execute(f"DELETE FROM {table} WHERE trading_date = ?", (on,))
                if encoded:
                    marks = ", ".join("?" * len(encoded[0]))
                    self._database.conn.executemany(f"INSERT INTO {table} VALUES ({marks})", encoded)
            for table in ("daily_iv", "daily_exposure"):
                self._database.execute(
                    f"INSERT OR REPLACE INTO daily_date SELECT '{table}', ?, count(*) FROM {table} "
                    "WHERE trading_date = ?",
                    (on, on),
                )

    def _note(self, file: ImportedFile, first_date: str | None, last_date: str | None) -> None:
        self._database.execute(
            "INSERT OR REPLACE INTO daily_file (name, digest, kind, first_date, last_date, rows_read, stored, "
            "repeated, refused, left_out, sentence, imported_at) "
            "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 1000 * CAST(strftime('%s', 'now') AS INTEGER))",
            (
                file.name, file.digest, file.kind, first_date, last_date, file.rows_read, file.stored, file.repeated,
                file.refused, file.left_out, file.sentence,
            ),
        )  # fmt: skip

    def _count(self, table: DailyTable, day: str) -> None:
        key = table.names[0]
        self._database.execute(
            f"INSERT OR REPLACE INTO daily_date SELECT ?, ?, count(*) FROM {table.name} WHERE {key} = ?",
            (table.name, day, day),
        )

    def _encoded(self, table: DailyTable, frame: pd.DataFrame) -> list[tuple[object, ...]]:
        """Rows as they are stored: keys, then values; each contract by its id."""
        kinds = {column.name: column.kind for column in table.columns}
        columns: list[Sequence[object]] = []
        for name in table.names:
            if table is EOD_CONTRACT and name in _CONTRACT:
                if name == _CONTRACT[0]:
                    columns.append(self._contracts(frame))
                continue
            columns.append(_stored_values(frame[name], kinds[name]))
        return list(zip(*columns, strict=True))

    def _contracts(self, frame: pd.DataFrame) -> list[int]:
        """Ids of the rows' contracts; new ones are entered."""
        connection = self._database.conn
        terms = list(
            zip(
                *(_stored_values(frame[name], "price" if name == "strike" else "text") for name in _CONTRACT),
                strict=True,
            )
        )
        known = self._known_contracts(min(str(t[2]) for t in terms))
        new = [t for t in dict.fromkeys(terms) if t not in known]
        connection.executemany(
            "INSERT INTO daily_contract (exchange, underlying, expiry, strike_paise, option_type) "
            "VALUES (?, ?, ?, ?, ?)",
            new,
        )
        if new:
            known = self._known_contracts(min(str(t[2]) for t in terms))
        return [known[t] for t in terms]

    def _known_contracts(self, first_expiry: str) -> dict[tuple[object, ...], int]:
        rows = self._database.conn.execute(
            "SELECT exchange, underlying, expiry, strike_paise, option_type, id FROM daily_contract WHERE expiry >= ?",
            (first_expiry,),
        )
        return {row[:5]: row[5] for row in rows}

    def _replaced(self, table: DailyTable, rows: list[tuple[object, ...]]) -> int:
        """Write those rows that say something new; returns how many."""
        keys = 2 if table is EOD_CONTRACT else table.keys
        best: dict[tuple[object, ...], tuple[object, ...]] = {}
        for row in rows:
            before = best.get(row[:keys])
            if before is None or _values(row) >= _values(before):
                best[row[:keys]] = row
        there = self._there(table, keys, best)
        new = [row for key, row in best.items() if key not in there or _says_more(row, there[key])]
        if new:
            marks = ", ".join("?" * len(new[0]))
            self._database.conn.executemany(f"INSERT OR REPLACE INTO {table.name} VALUES ({marks})", new)
        return len(new)

    def _there(
        self, table: DailyTable, keys: int, wanted: Mapping[tuple[object, ...], object]
    ) -> dict[tuple[object, ...], tuple[object, ...]]:
        """Stored rows of the first keys (dates) of `wanted`."""
        dates = sorted({str(key[0]) for key in wanted})
        found: dict[tuple[object, ...], tuple[object, ...]] = {}
        first = table.names[0]
        for row in self._database.conn.execute(
            f"SELECT * FROM {table.name} WHERE {first} BETWEEN ? AND ?", (dates[0], dates[-1])
        ):
            if row[:keys] in wanted:
                found[row[:keys]] = row
        return found


def check_daily(path: Path) -> None:
    """Refuse a file that is not one of daily values of a schema up to ours; a missing or empty one is fine."""
    if path.is_dir():
        raise HistoryError(f"daily values {path}: expected a file, found a folder; name a file in it")
    if not path.exists() or path.stat().st_size == 0:
        return
    database = opened_for_reading(path)
    try:
        with speaking(path):
            tables = set(database.table_names())
            settings = {}
            if "settings" in tables:
                settings = {row["key"]: row["value"] for row in database.query("SELECT key, value FROM settings")}
    except sqlite3.DatabaseError as error:
        raise HistoryError(f"daily values {path}: cannot be read ({error}); move the file away") from error
    finally:
        database.conn.close()
    if tables and settings.get("mode") != DAILY_MODE:
        raise HistoryError(
            f"daily values {path}: expected a file that --import-daily made, found another database; "
            "move it away, or choose another folder with history.folder"
        )
    if int(settings.get("schema_version", "0")) > DAILY_SCHEMA_VERSION:
        raise HistoryError(
            f"daily values {path}: has schema {settings['schema_version']}, this program knows up to "
            f"{DAILY_SCHEMA_VERSION}; update the program"
        )


def _migrate(database: Database) -> None:
    version = 0
    if "migration" in database.table_names():
        version = int(database.execute("SELECT ifnull(max(number), 0) FROM migration").fetchone()[0])
    if version == DAILY_SCHEMA_VERSION:
        return
    with transaction(database.conn):
        for number, (name, script) in enumerate(DAILY_MIGRATIONS, start=1):
            if number > version:
                run_script(database, script)
                database.execute(
                    "INSERT INTO migration VALUES (?, ?, 1000 * CAST(strftime('%s', 'now') AS INTEGER))", (number, name)
                )
        database.execute(
            "INSERT OR REPLACE INTO settings VALUES ('schema_version', ?), ('mode', ?)",
            (str(DAILY_SCHEMA_VERSION), DAILY_MODE),
        )


def _stored_values(column: pd.Series, kind: str) -> list[object]:
    """A column as SQLite keeps it: paise, whole numbers, floats, text; None where absent."""
    if kind in ("text", "date"):
        return [str(value) for value in column]
    values = column.to_numpy(dtype=np.float64)
    if kind == "real":
        return [value if value == value else None for value in values.tolist()]  # noqa: PLR0124 - NaN
    scaled = np.rint(values * _PAISE) if kind == "price" else np.rint(values)
    return [int(value) if value == value else None for value in scaled.tolist()]  # noqa: PLR0124 - NaN


def _values(row: tuple[object, ...]) -> int:
    """How many values a row holds."""
    return sum(value is not None for value in row)


def _says_more(row: tuple[object, ...], there: tuple[object, ...]) -> bool:
    return row != there and _values(row) >= _values(there)


def _known(value: object) -> object:
    return None if isinstance(value, float) and not np.isfinite(value) else value
