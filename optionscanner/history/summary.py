"""What a history holds, without a single quote of it: for bug reports. Main entry: `summary`."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

from optionscanner.history.database import opened_for_reading, speaking

_LAST_SESSIONS = 10
_LAST_FAILURES = 50
_MANY_ROWS = ("quote", "quote_anchor")
"""Tables whose rows are too many to be counted one by one."""


def summary(path: Path) -> dict[str, object]:
    """Schema, rows of each table, the last sessions, and how the last one went; ready for JSON, instants in ms.

    Raises HistoryError where the file cannot be read.
    """
    with closing(opened_for_reading(path).conn) as connection, speaking(path):
        tables = [name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        told: dict[str, object] = {
            "bytes": path.stat().st_size,
            "settings": dict(connection.execute("SELECT key, value FROM settings")) if "settings" in tables else {},
            "migrations": _rows(connection, "SELECT * FROM migration") if "migration" in tables else [],
            "rows": {
                name: connection.execute(f'SELECT count(*) FROM "{name}"').fetchone()[0]
                for name in sorted(tables)
                if name not in _MANY_ROWS
            },
        }
        if not {"session", "cycle", "observation", "failure"} <= set(tables):
            return told
        told["quotes_by_session"] = dict(connection.execute("SELECT session, sum(quotes) FROM cycle GROUP BY session"))
        told["sessions"] = _rows(connection, f"SELECT * FROM session ORDER BY id DESC LIMIT {_LAST_SESSIONS}")
        told["last_session"] = _health(connection)
        return told


def _health(connection: sqlite3.Connection) -> dict[str, object]:
    """How the newest session went."""
    (session,) = connection.execute("SELECT max(id) FROM session").fetchone()
    of = (session,)
    return {
        "session": session,
        "cycles": _rows(
            connection,
            "SELECT count(*) AS cycles, min(at) AS first_at, max(at) AS last_at, sum(observations) AS observations, "
            "sum(refused) AS refused, sum(quotes) AS quotes, sum(alerts) AS alerts, sum(failures) AS failures "
            "FROM cycle WHERE session = ?",
            of,
        )[0],
        "refused": _rows(
            connection,
            "SELECT refused_words AS why, count(*) AS observations FROM observation "
            "WHERE session = ? AND refused <> 0 GROUP BY refused_words ORDER BY 2 DESC",
            of,
        ),
        "step_ms": _rows(
            connection,
            "SELECT step.key AS step, round(avg(step.value), 1) AS mean, max(step.value) AS slowest "
            "FROM cycle k, json_each(k.timings) step WHERE k.session = ? GROUP BY step.key ORDER BY mean DESC",
            of,
        ),
        "failures": _rows(
            connection,
            "SELECT at, component, underlying, sentence FROM failure WHERE session = ? "
            f"ORDER BY cycle DESC, number DESC LIMIT {_LAST_FAILURES}",
            of,
        ),
    }


def _rows(connection: sqlite3.Connection, sql: str, given: tuple[object, ...] = ()) -> list[dict[str, object]]:
    found = connection.execute(sql, given)
    names = [column[0] for column in found.description]
    return [dict(zip(names, row, strict=True)) for row in found]
