"""Brings a file to the schema of this program: numbered migrations, then declared tables and views.

Main entry: `migrate`. Each migration is applied once, in one transaction with its record. Columns that a later
declaration adds need no migration of their own: they are added where they are missing, and are NULL in older rows.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from sqlite_utils import Database

from optionscanner.errors import HistoryError
from optionscanner.history.database import run_script, transaction
from optionscanner.history.schema import ANCHORS, COMMANDS, FIXED_TABLES, KEEPING, DeclaredTable


def _first_schema(database: Database) -> None:
    run_script(database, FIXED_TABLES)


def _anchors(database: Database) -> None:
    run_script(database, ANCHORS)


def _keeping(database: Database) -> None:
    run_script(database, KEEPING)


def _commands(database: Database) -> None:
    run_script(database, COMMANDS)


MIGRATIONS: tuple[tuple[str, Callable[[Database], None]], ...] = (
    ("first schema", _first_schema),
    ("anchors of quotes", _anchors),
    ("archives", _keeping),
    ("commands", _commands),
)
"""(what it does, how), numbered from 1 in this order; never changed once released, only appended to."""

SCHEMA_VERSION = len(MIGRATIONS)


def migrate(database: Database, *, mode: str, tables: Iterable[DeclaredTable], views: Mapping[str, str]) -> None:
    """Apply what is missing. Writes nothing to a file that lacks nothing.

    Raises HistoryError where a stored column has another type than its declaration.
    """
    tables = tuple(tables)
    if _version(database) == SCHEMA_VERSION and not _differences(database, tables, views):
        return
    with transaction(database.conn):
        for number, (name, apply) in enumerate(MIGRATIONS, start=1):
            if number > _version(database):
                apply(database)
                database.execute(
                    "INSERT INTO migration VALUES (?, ?, 1000 * CAST(strftime('%s', 'now') AS INTEGER))", (number, name)
                )
        database.execute(
            "INSERT OR REPLACE INTO settings VALUES ('schema_version', ?), ('mode', ?)", (str(SCHEMA_VERSION), mode)
        )
        for statement in _differences(database, tables, views):
            database.execute(statement)


def _version(database: Database) -> int:
    """Number of the newest migration applied; 0 in a new file."""
    if "migration" not in database.table_names():
        return 0
    row = next(iter(database.query("SELECT ifnull(max(number), 0) AS newest FROM migration")))
    return int(row["newest"])


def _differences(database: Database, tables: Iterable[DeclaredTable], views: Mapping[str, str]) -> list[str]:
    """Statements that add the declared tables, columns and views that the file lacks."""
    known, statements = set(database.table_names()), []
    for table in tables:
        if table.name not in known:
            statements.append(table.create_sql)
            continue
        stored = {column.name: column.type for column in database[table.name].columns}
        for name, kind in {**table.keys, **table.values}.items():
            if name not in stored:
                statements.append(f'ALTER TABLE "{table.name}" ADD COLUMN "{name}" {kind}')
            elif stored[name] != kind:
                raise HistoryError(
                    f"history: column {table.name}.{name} holds {stored[name]}, this program expects {kind}; "
                    "choose another file"
                )
    stored_views = {view.name: view.schema for view in database.views}
    for name, select in views.items():
        wanted = f"CREATE VIEW {name} AS\n{select}"
        if stored_views.get(name) != wanted:
            if name in stored_views:
                statements.append(f"DROP VIEW {name}")
            statements.append(wanted)
    return statements
