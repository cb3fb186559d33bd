"""The history that the program writes: one transaction a cycle, resumed after a restart, patient when it cannot write.

Main entry: `SqliteHistory`, which implements `ports.History`. It keeps what a cycle reports and decides nothing;
reading is in `queries`. Retention and archives are in `archive`.
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from sqlite_utils import Database

from optionscanner.errors import HistoryBusy, HistoryError
from optionscanner.history.commands import accepted_requests, add_request
from optionscanner.history.contract_ids import ContractIds
from optionscanner.history.database import check_file, ist_clock, opened_for_writing, speaking, transaction
from optionscanner.history.encode import EncodedCycle, Encoder, Rows, milliseconds
from optionscanner.history.interest_map import resumed_map
from optionscanner.history.migrations import SCHEMA_VERSION, migrate
from optionscanner.history.past_exposure import closing_exposure
from optionscanner.history.queries import Accounting, observations_accounted, stored_alerts, stored_counts
from optionscanner.history.resume import StoredSession, open_session, resumed_encoder, resumed_state, resumed_trails
from optionscanner.history.schema import OPEN_INTEREST_MAP, STATES, DeclaredTable, declared_tables
from optionscanner.history.spool import Spool
from optionscanner.history.usual import usual_ratios
from optionscanner.history.views import VIEWS
from optionscanner.model.columns import ALERTS, READINGS, TableSpec
from optionscanner.model.context import DayContext
from optionscanner.model.control import Request
from optionscanner.model.readings import Reading
from optionscanner.model.reports import CycleReport
from optionscanner.model.sessions import Mode, RunSession
from optionscanner.model.state import Resume, State

SPOOL_CYCLES = 360
"""Half an hour of cycles every five seconds."""

_ROWS_PER_STATEMENT = 50
"""Rows of one INSERT: halves the time of one row each; more gains nothing (tests/benchmarks/history.py)."""

_DRAINED_PER_CYCLE = 10
"""Waiting cycles that are stored before a new one, so that catching up never holds a cycle for seconds."""


@dataclass
class _Open:
    """The session that the history was begun with."""

    session: RunSession
    stored: StoredSession
    day: DayContext
    ids: ContractIds
    encoder: Encoder
    counts: dict[str, int]
    last_cycle: int
    last_at: int
    """Of the newest cycle taken, stored or waiting; ms since 1970 UTC."""
    incomplete: bool = False
    """Some cycle was lost, so what changed since the newest stored one is not known: store everything next."""


class SqliteHistory:
    """One file of one mode; opened, checked and brought to this program's schema by its construction.

    Raises HistoryError for a file that cannot be used (which is then left as it is), HistoryBusy where it cannot be
    used at this moment. May be used from several threads, one at a time.
    """

    def __init__(
        self,
        path: Path,
        mode: Mode,
        *,
        spool_cycles: int = SPOOL_CYCLES,
        busy_timeout: float = 1.0,
        readings: Iterable[TableSpec] = READINGS,
    ) -> None:
        self.path = path
        self.mode = mode
        self.not_stored_since: float | None = None
        """Instant of the first cycle that is not stored yet [s since 1970 UTC]; None while all are."""
        self.lost = 0
        """Cycles that will never be stored."""
        self.begun_anew_at = float("nan")
        """Instant of the first cycle of a file that took the place of one that was deleted or replaced; NaN of none."""
        self._busy_timeout = busy_timeout
        self._tables = {table.name: table for table in declared_tables((*readings, ALERTS))}
        self._spool = Spool(spool_cycles)
        self._lock = threading.RLock()
        self._open: _Open | None = None
        self._database = self._opened()

    @property
    def spooled(self) -> int:
        """Cycles that wait to be stored."""
        return len(self._spool)

    def begin(
        self,
        session: RunSession,
        day: DayContext,
        *,
        resume_within: float | None,
        now: float,
        continue_ended: bool = True,
    ) -> Resume:
        """Open the session; `resume_within` [s] limits how old the state may be, None for no limit (replay).

        A stored session of the same mode, source, trading date, seed and settings is continued, else a new one begins;
        one that `end` closed only with `continue_ended`.
        """
        with self._lock, speaking(self.path):
            self._let_go()
            self._open = opened = self._begun(session, day, continue_ended=continue_ended)
            resume = self._resumed(opened, day, resume_within=resume_within, now=now)
            conn = self._database.conn
            past = closing_exposure(conn, session, day)
            return replace(resume, usual=usual_ratios(conn, session, day.layout.names), past=past)

    def _resumed(self, opened: _Open, day: DayContext, *, resume_within: float | None, now: float) -> Resume:
        """What is stored of the session itself; a state that is not resumed is deleted."""
        stored, last = opened.stored, opened.stored.last_stored_at
        if last is None:
            return Resume(None, 0, None, stored.note or "nothing of this session is stored, it begins anew")
        continued = f"the session continues after cycle {stored.cycles}, stored at {ist_clock(last)}"
        age = now - last
        trails = resumed_trails(self._database.conn, stored.id, day)
        mapped = resumed_map(self._database.conn, self.path, stored.id, day)
        opened.encoder.map_rows.take(mapped)
        state: State | None = None
        if resume_within is not None and age > resume_within:
            why = f"is {age / 60:.0f} minutes old, more than {resume_within / 60:.0f}"
        else:
            state = resumed_state(self._database.conn, self.path, stored.id, day.layout)
            why = "is missing or of another version"
        if state is not None:
            return Resume(last, stored.cycles, state, continued, trails, open_interest_map=mapped)
        with transaction(self._database.conn):
            # What is left of it must not come back with a later restart.
            for table in STATES:
                self._database.execute(f"DELETE FROM {table.name} WHERE session = ?", (stored.id,))
        note = f"{continued}; its flow state {why}, and is built afresh"
        return Resume(last, stored.cycles, None, note, trails, open_interest_map=mapped)

    def save(self, report: CycleReport) -> None:
        """Store one cycle in one transaction, after those that wait.

        Returns when the cycle and all before it are stored; a cycle that is stored already is left as it is. Raises
        HistoryBusy where it must wait, or is lost because too many wait (`lost` counts them), and HistoryError where it
        cannot be stored at all.
        """
        with self._lock:
            opened = self._required()
            trouble = self._reopened_if_gone(opened, report.as_of)
            if trouble is None and self._is_taken(opened, report):
                return
            if self.not_stored_since is None:
                self.not_stored_since = report.as_of
            trouble = trouble or self._drained(opened, _DRAINED_PER_CYCLE)
            if self._spool.is_full:
                self.lost += 1
                opened.incomplete = True
                why = str(trouble) if trouble else f"history {self.path}: is catching up"
                raise HistoryBusy(f"{why}; {self._spool.room} cycles wait already, newer ones are lost")
            whole_picture, opened.incomplete = opened.incomplete, True
            encoded = opened.encoder.encode(report, whole_picture=whole_picture)
            opened.last_cycle, opened.last_at = encoded.cycle, encoded.at
            if trouble is None and not len(self._spool):
                trouble = self._stored(opened, report.chains.day, encoded)
                if trouble is None:
                    opened.incomplete = False
                    self.not_stored_since = None
                    return
                if not isinstance(trouble, HistoryBusy):
                    self.lost += 1
                    raise trouble
            self._spool.put(report.chains.day, encoded)
            opened.incomplete = False
            raise trouble or HistoryBusy(f"history {self.path}: can be written again and is catching up")

    @property
    def session_number(self) -> int:
        """Number of the open session in the file."""
        return self._required().stored.id

    def counts(self) -> Mapping[str, int]:
        """Rows stored for the session: cycles, observations, refused, quotes, alerts, failures."""
        return dict(self._required().counts)

    def accounting(self) -> Accounting:
        """What became of every observation stored for the session."""
        with self._lock, speaking(self.path):
            return observations_accounted(self._database, self._required().stored.id)

    def alerts(self) -> Reading:
        """Alerts stored for the session, oldest first."""
        with self._lock, speaking(self.path):
            return stored_alerts(self._database, self._required().stored.id)

    def command(self, request: Request) -> None:
        """Store what was asked and answered; raises HistoryBusy where that cannot be done now."""
        with self._lock, speaking(self.path), transaction(self._database.conn):
            add_request(self._database.conn, self._required().stored.id, request)

    def commands(self) -> tuple[Request, ...]:
        """The newest accepted request about each setting, and the newest command, of any session; oldest first."""
        with self._lock, speaking(self.path):
            return accepted_requests(self._database.conn)

    @contextmanager
    def between_cycles(self) -> Iterator[sqlite3.Connection]:
        """The file's connection, for keeping house; no cycle is stored while it is lent."""
        with self._lock, speaking(self.path):
            yield self._database.conn

    def end(self, now: float) -> None:
        """Mark the session as ended by the program itself at `now` [s since 1970 UTC, the machine's clock]."""
        with self._lock, speaking(self.path), transaction(self._database.conn):
            self._database.execute(
                "UPDATE session SET ended_at = ? WHERE id = ?", (round(1000 * now), self._required().stored.id)
            )

    def close(self) -> None:
        """Store what waits and give the files back; raises HistoryBusy, after that, where something was not stored."""
        with self._lock:
            sentence = self._let_go()
            self._database.conn.close()
            if sentence:
                raise HistoryBusy(sentence)

    def _let_go(self) -> str:
        """End the session; what is lost by that, "" where nothing is."""
        opened, self._open = self._open, None
        if opened is None:
            return ""
        trouble = self._drained(opened, len(self._spool))
        left = len(self._spool)
        self.lost += left
        self._spool = Spool(self._spool.room)
        return f"{trouble}; {left} cycles that waited were not stored" if left else ""

    def _opened(self) -> Database:
        check_file(self.path, mode=self.mode.value, newest_schema=SCHEMA_VERSION)
        database = opened_for_writing(self.path, busy_timeout=self._busy_timeout)
        with speaking(self.path), ExitStack() as undo:
            undo.callback(database.conn.close)
            migrate(database, mode=self.mode.value, tables=self._tables.values(), views=VIEWS)
            undo.pop_all()
        self._file = _identity(self.path)
        return database

    def _begun(self, session: RunSession, day: DayContext, *, continue_ended: bool = True) -> _Open:
        if session.mode is not self.mode:
            raise HistoryError(
                f"history {self.path}: was opened for {self.mode} sessions, this one is {session.mode}; "
                "modes never share a file"
            )
        stored = open_session(self._database, session, continue_ended=continue_ended)
        ids = ContractIds(self._database.conn, day.layout, trading_date=session.trading_date)
        ids.enter_day(stored.id, day)
        last = stored.last_stored_at
        return _Open(
            session=session,
            stored=stored,
            day=day,
            ids=ids,
            encoder=resumed_encoder(self._database.conn, stored.id, ids),
            counts=stored_counts(self._database, stored.id),
            last_cycle=stored.cycles,
            last_at=-1 if last is None else int(milliseconds(last)),
        )

    def _required(self) -> _Open:
        if self._open is None:
            raise HistoryError(f"history {self.path}: no session is open; call begin first")
        return self._open

    def _is_taken(self, opened: _Open, report: CycleReport) -> bool:
        """Whether this very cycle is stored; raises where another stands in its place."""
        at = int(milliseconds(report.as_of))
        if report.cycle > opened.last_cycle and at > opened.last_at:
            return False
        with speaking(self.path):
            found = self._database.conn.execute(
                "SELECT cycle, at FROM cycle WHERE session = ? AND (cycle = ? OR at = ?)",
                (opened.stored.id, report.cycle, at),
            ).fetchall()
        if found == [(report.cycle, at)]:
            return True
        if found or report.cycle <= opened.last_cycle:
            raise HistoryError(
                f"history {self.path}: cycle {report.cycle} of {ist_clock(report.as_of)} comes after "
                f"cycle {opened.last_cycle} of {ist_clock(opened.last_at / 1000)}; number and instant of a cycle "
                "must be new, it was not stored"
            )
        # The clock went backwards: the cycle is new all the same, and its number keeps the order.
        return False

    def _drained(self, opened: _Open, most: int) -> HistoryError | None:
        """Store up to `most` waiting cycles; why it stopped before that."""
        for _ in range(min(most, len(self._spool))):
            day, cycle = self._spool.first()
            trouble = self._stored(opened, day, cycle)
            if isinstance(trouble, HistoryBusy):
                return trouble
            self._spool.drop_first()
            if trouble is not None:
                self.lost += 1
                opened.incomplete = True
        return None

    def _stored(self, opened: _Open, day: DayContext, cycle: EncodedCycle) -> HistoryError | None:
        """Write one cycle in one transaction; why it could not be."""
        try:
            with speaking(self.path):
                self._write(opened, day, cycle)
        except HistoryError as error:
            return error
        for name, count in {"cycles": 1, **cycle.counts}.items():
            opened.counts[name] += count
        return None

    def _write(self, opened: _Open, day: DayContext, cycle: EncodedCycle) -> None:
        connection, session = self._database.conn, opened.stored.id
        if day.layout is not opened.ids.layout:
            ids = ContractIds(connection, day.layout, trading_date=opened.session.trading_date)
            ids.enter_day(session, day)
            opened.ids = ids
        opened.ids.ensure(cycle.leg)
        contract = opened.ids.of_leg[cycle.leg]
        anchors = cycle.anchors.copy()
        anchors[:, 1] = opened.ids.of_leg[cycle.anchors[:, 1].astype(np.int64)]
        order = np.lexsort((contract, cycle.quotes[:, 0]))
        quotes = np.column_stack([cycle.quotes[:, :1], contract, cycle.quotes[:, 1:]])[order]
        with transaction(connection):
            self._insert_many("quote", session, quotes)
            self._insert_many("quote_anchor", session, anchors)
            for table, rows in cycle.rows.items():
                if rows:
                    width = rows.width if isinstance(rows, Rows) else len(rows[0])
                    connection.executemany(self._statement(table, session, width), rows)

    def _insert_many(self, table: str, session: int, rows: np.ndarray) -> None:
        """Many rows a statement. A poll at an instant that is stored already (a clock set back) replaces its rows."""
        one_row = f"({session}{', ?' * rows.shape[1]})"
        whole = len(rows) // _ROWS_PER_STATEMENT * _ROWS_PER_STATEMENT
        for part, together in ((rows[:whole], _ROWS_PER_STATEMENT), (rows[whole:], 1)):
            if len(part):
                # Made Python's numbers a statement at a time, so that each takes over the memory of the one before.
                self._database.conn.executemany(
                    f"INSERT OR REPLACE INTO {table} VALUES {', '.join([one_row] * together)}",
                    map(np.ndarray.tolist, part.reshape(len(part) // together, -1)),
                )

    def _statement(self, table: str, session: int, width: int) -> str:
        values = f"({session}{', ?' * width})"
        declared = self._tables.get(table)
        if declared is None:
            return f"INSERT INTO {table} VALUES {values}"
        named = ", ".join(f'"{name}"' for name in declared.columns)
        if declared not in (*STATES, OPEN_INTEREST_MAP):
            return f'INSERT INTO "{table}" ({named}) VALUES {values}'
        return f'INSERT INTO "{table}" ({named}) VALUES {values} {_replacing(declared)}'

    def _reopened_if_gone(self, opened: _Open, as_of: float) -> HistoryError | None:
        """Begin a new file where ours was deleted or replaced: what is written to a deleted file is lost unseen."""
        if _identity(self.path) == self._file:
            return None
        self._database.conn.close()
        try:
            with speaking(self.path):
                self._database = self._opened()
                again = self._begun(opened.session, opened.day)
        except HistoryError as error:
            self._file = None
            return error
        opened.stored, opened.ids, opened.counts = again.stored, again.ids, again.counts
        opened.incomplete, self.begun_anew_at = True, as_of
        return None


def _replacing(table: DeclaredTable) -> str:
    """Overwrite a row in place, which leaves its pages where they are."""
    values = ", ".join(f'"{name}" = excluded."{name}"' for name in table.columns if name not in table.primary)
    return f"ON CONFLICT ({', '.join(table.primary)}) DO UPDATE SET {values}"


def _identity(path: Path) -> tuple[int, int] | None:
    """Which file stands at `path`; None where there is none."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino
