"""What a file holds of a session that begins: its row, its last cycle, its flow state, its trails.

Main entries: `open_session`, `resumed_state` and `resumed_trails`.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
from sqlite_utils import Database

from optionscanner.errors import HistoryError
from optionscanner.history.changes import Changes
from optionscanner.history.contract_ids import ContractIds
from optionscanner.history.encode import Encoder
from optionscanner.model.anchors import SLOTS, Anchors
from optionscanner.model.context import DayContext
from optionscanner.model.contracts import Floats, Layout
from optionscanner.model.sessions import RunSession
from optionscanner.model.state import FUTURE_STATE, LEG_STATE, SEGMENT_STATE, STATE_VERSION, State
from optionscanner.model.trails import SOURCES, Trails


@dataclass(frozen=True, slots=True)
class StoredSession:
    """A session as the file holds it."""

    id: int
    cycles: int
    """Number of its last cycle."""
    last_stored_at: float | None
    """Instant of that cycle, seconds since 1970 UTC."""
    note: str
    """Why another stored run of the same day is not continued; "" where there is nothing to say."""


def open_session(database: Database, session: RunSession, *, continue_ended: bool) -> StoredSession:
    """The stored session that this run continues, else a new row.

    It continues one of the same mode, source, trading date, seed and settings; the code may be newer. One that was
    ended by the program itself is continued only with `continue_ended`, one whose quotes were archived never.
    """
    same_day = list(
        database.query(
            "SELECT id, settings_version FROM session "
            "WHERE mode = ? AND source = ? AND trading_date = ? AND seed IS ? AND (ended_at IS NULL OR ?) "
            "AND id NOT IN (SELECT session FROM archive) "
            "ORDER BY id DESC",
            (session.mode.value, session.source, session.trading_date.isoformat(), session.seed, continue_ended),
        )
    )
    same = [row for row in same_day if row["settings_version"] == session.settings_version]
    if same:
        number = int(same[0]["id"])
        database.execute("UPDATE session SET ended_at = NULL WHERE id = ?", (number,))
        last = next(
            iter(
                database.query("SELECT cycle, at FROM cycle WHERE session = ? ORDER BY cycle DESC LIMIT 1", (number,))
            ),
            None,
        )
        return StoredSession(number, last["cycle"] if last else 0, last["at"] / 1000 if last else None, "")
    number = next(iter(database.query("SELECT ifnull(max(id), 0) + 1 AS id FROM session")))["id"]
    database.execute(
        "INSERT INTO session (id, mode, source, seed, trading_date, settings_version, code_version) "
        "VALUES (?, ?, ?, ?, ?, ?, ?)",
        (
            number,
            session.mode.value,
            session.source,
            session.seed,
            session.trading_date.isoformat(),
            session.settings_version,
            session.code_version,
        ),
    )
    note = ""
    if same_day:
        note = (
            f"settings changed from {same_day[0]['settings_version']} to {session.settings_version} "
            "since the last run of this day, so a new session begins and the flow state is built afresh"
        )
    return StoredSession(number, 0, None, note)


def resumed_state(connection: sqlite3.Connection, path: Path, session: int, layout: Layout) -> State | None:
    """Flow state of the session on `layout`; None where none is stored, or some of it is of another version."""
    columns = ", ".join(f'"{name}"' for name in SEGMENT_STATE)
    rows = connection.execute(
        f"SELECT underlying, expiry, version, {columns} FROM state WHERE session = ?", (session,)
    ).fetchall()
    leg_columns = ", ".join(f'"{name}"' for name in LEG_STATE)
    leg_rows = connection.execute(
        f"SELECT underlying, expiry, version, strikes, {leg_columns} FROM state_legs WHERE session = ?", (session,)
    ).fetchall()
    if not rows or any(row[2] != STATE_VERSION for row in (*rows, *leg_rows)):
        return None
    state = State.fresh(layout)
    position = {(key.underlying, key.expiry): i for i, key in enumerate(layout.segment_keys)}
    for underlying, expiry, _, *values in rows:
        segment = position.get((underlying, date.fromisoformat(expiry)))
        if segment is not None:
            for name, value in zip(SEGMENT_STATE, values, strict=True):
                state.segment[name][segment] = np.nan if value is None else value
    for underlying, expiry, _, strikes, *blobs in leg_rows:
        segment = position.get((underlying, date.fromisoformat(expiry)))
        if segment is None:
            continue
        listed = np.frombuffer(strikes, dtype="<f8")
        if any(len(blob) != 2 * len(strikes) for blob in blobs):
            raise HistoryError(
                f"history {path}: the state of {underlying} {expiry} is not of {len(listed)} strikes throughout; "
                "move the file away, and a new one is begun"
            )
        rows_now = layout.rows_of(np.full(len(listed), segment), listed)
        kept = rows_now >= 0
        for name, blob in zip(LEG_STATE, blobs, strict=True):
            state.leg[name][rows_now[kept]] = np.frombuffer(blob, dtype="<f8").reshape(-1, 2)[kept]
    _resume_futures(connection, session, state)
    return replace(state, anchors=_resumed_anchors(connection, path, session, layout))


def _resume_futures(connection: sqlite3.Connection, session: int, state: State) -> None:
    """Fill what a fresh state remembers of futures."""
    position = {(key.underlying, key.expiry.isoformat()): i for i, key in enumerate(state.layout.future_keys)}
    columns = ", ".join(f'"{name}"' for name in FUTURE_STATE)
    for underlying, expiry, *values in connection.execute(
        f"SELECT underlying, expiry, {columns} FROM state_futures WHERE session = ? AND version = ?",
        (session, STATE_VERSION),
    ):
        future = position.get((underlying, expiry))
        if future is not None:
            for name, value in zip(FUTURE_STATE, values, strict=True):
                state.future[name][future] = np.nan if value is None else value


def _resumed_anchors(connection: sqlite3.Connection, path: Path, session: int, layout: Layout) -> Anchors:
    """The ring of observed open interest on `layout`."""
    at = np.full((SLOTS, layout.segments), np.nan)
    values: dict[int, Floats] = {}
    prices: dict[int, Floats] = {}
    position = {(key.underlying, key.expiry.isoformat()): i for i, key in enumerate(layout.segment_keys)}
    for underlying, expiry, slot, stamped_at, strikes, *blobs in connection.execute(
        "SELECT underlying, expiry, slot, stamped_at, strikes, open_interest, last FROM state_anchors "
        "WHERE session = ? AND version = ? ORDER BY slot",
        (session, STATE_VERSION),
    ):
        segment = position.get((underlying, expiry))
        if segment is None:
            continue
        listed = np.frombuffer(strikes, dtype="<f8")
        if any(len(blob) != 2 * len(strikes) for blob in blobs):
            raise HistoryError(
                f"history {path}: observed open interest of {underlying} {expiry} is not of {len(listed)} strikes; "
                "move the file away, and a new one is begun"
            )
        rows = layout.rows_of(np.full(len(listed), segment), listed)
        kept = rows >= 0
        at[slot, segment] = stamped_at
        for held, blob in zip((values, prices), blobs, strict=True):
            whole = held.setdefault(slot, np.full((layout.rows, 2), np.nan))
            whole[rows[kept]] = np.frombuffer(blob, dtype="<f8").reshape(-1, 2)[kept]
    return Anchors(layout, at, values, np.zeros(layout.segments, dtype=bool), prices)


def resumed_trails(connection: sqlite3.Connection, session: int, day: DayContext) -> Trails:
    """What the stored readings of the session say of each name's numbers since the open."""
    trails = Trails.of_day(day)
    layout = day.layout
    nearest = {
        (name, layout.segment_keys[front].expiry.isoformat()): i
        for i, (name, front) in enumerate(zip(layout.names, layout.underlying_front.tolist(), strict=True))
        if front >= 0
    }
    for at, underlying, expiry, *values in trail_rows(connection, session):
        i = nearest.get((underlying, expiry))
        if i is None:
            continue
        point = trails.point_at(at / 1000.0)
        for source, value in zip(SOURCES, values, strict=True):
            if value is not None:
                trails.values[source][i, point] = value
    return trails


def trail_rows(
    connection: sqlite3.Connection, session: int, since: int = -1, until: int = 1 << 62
) -> Iterator[tuple[Any, ...]]:
    """(at [ms], underlying, expiry, value of each of `SOURCES`) of every stored chain from `since` to `until` [ms]."""
    return connection.execute(
        f"SELECT price.at, price.underlying, price.expiry, {', '.join(SOURCES)} FROM price "
        "LEFT JOIN straddle USING (session, at, underlying, expiry) "
        "LEFT JOIN open_interest USING (session, at, underlying, expiry) "
        "LEFT JOIN flow USING (session, at, underlying, expiry) "
        "LEFT JOIN readiness USING (session, at, underlying) "
        "LEFT JOIN build_up USING (session, at, underlying) "
        "WHERE price.session = ? AND price.at BETWEEN ? AND ? ORDER BY price.at",
        (session, since, until),
    )


def resumed_encoder(connection: sqlite3.Connection, session: int, ids: ContractIds) -> Encoder:
    """An encoder that knows the last stored row of each underlying and future, and when each leg last changed."""
    encoder = Encoder(_resumed_changes(connection, session, ids))
    encoder.anchored = connection.execute("SELECT 1 FROM cycle WHERE session = ?", (session,)).fetchone() is not None
    # A bare column beside max() is taken from the row of the maximum: https://www.sqlite.org/lang_select.html
    for _, name, *row in connection.execute(
        "SELECT max(at), underlying, spot_paise, open_paise, high_paise, low_paise, previous_close_paise, volume, "
        "spot_at, fault FROM underlying_quote WHERE session = ? GROUP BY underlying",
        (session,),
    ):
        encoder.underlyings[name] = tuple(row)
    for _, name, expiry, *row in connection.execute(
        "SELECT max(at), underlying, expiry, last_paise, bid_paise, ask_paise, bid_quantity, ask_quantity, volume, "
        "open_interest, price_at FROM future_quote WHERE session = ? GROUP BY underlying, expiry",
        (session,),
    ):
        encoder.futures[name, expiry] = tuple(row)
    return encoder


def _resumed_changes(connection: sqlite3.Connection, session: int, ids: ContractIds) -> Changes:
    changes = Changes.none(ids.layout)
    stored = dict(
        connection.execute("SELECT contract, max(at) FROM quote WHERE session = ? GROUP BY contract", (session,))
    )
    changes.changed_at[:] = [stored.get(contract, np.nan) for contract in ids.of_leg.tolist()]
    position = {(key.underlying, key.expiry.isoformat()): i for i, key in enumerate(ids.layout.segment_keys)}
    for underlying, expiry, observations, anchored_at in connection.execute(
        "SELECT underlying, expiry, count(*), max(anchored_at) FROM observation "
        "WHERE session = ? AND in_picture = 1 GROUP BY underlying, expiry",
        (session,),
    ):
        segment = position.get((underlying, expiry))
        if segment is not None:
            changes.observations[segment] = observations
            changes.anchored_at[segment] = np.nan if anchored_at is None else anchored_at
    return changes
