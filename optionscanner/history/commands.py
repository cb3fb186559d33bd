"""What was asked of the program while it ran, and what it answered: the table `command`."""

from __future__ import annotations

import json
import sqlite3

from optionscanner.model.control import Request


def add_request(connection: sqlite3.Connection, session: int, request: Request) -> None:
    """Store one request with its answer, inside the transaction that is open."""
    connection.execute(
        "INSERT INTO command (session, at, source, body, accepted, reply) VALUES (?, ?, ?, ?, ?, ?)",
        (
            session,
            round(1000 * request.at),
            request.source,
            json.dumps(request.body, ensure_ascii=False, sort_keys=True),
            int(request.accepted),
            request.reply,
        ),
    )


def accepted_requests(connection: sqlite3.Connection) -> tuple[Request, ...]:
    """The newest accepted request about each setting, and the newest command, of all sessions; oldest first."""
    rows = connection.execute(
        "SELECT at, source, body, accepted, reply FROM command WHERE id IN ("
        "SELECT max(id) FROM command WHERE accepted = 1 OR json_extract(body, '$.do') IS NOT NULL "
        "GROUP BY json_extract(body, '$.set')) ORDER BY id"
    ).fetchall()
    return tuple(
        Request(at / 1000, source, json.loads(body), bool(accepted), reply)
        for at, source, body, accepted, reply in rows
    )
