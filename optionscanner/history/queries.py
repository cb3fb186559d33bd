"""Questions to a history, answered as tables; reading only, beside a program that writes if need be.

Main entry: `HistoryReader`. Sessions whose quotes were archived are answered from their files, next to the history's.
Greeks other than delta are not stored; whoever needs them prices the chain again from what
`chain` returns.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from types import TracebackType

import numpy as np
import pandas as pd
from sqlite_utils import Database

from optionscanner.errors import HistoryError
from optionscanner.history.archived import archived_chain, archived_files, archived_quotes, in_units
from optionscanner.history.database import opened_for_reading, speaking
from optionscanner.history.interest_map import stored_chain_map
from optionscanner.history.looking_back import stored_against
from optionscanner.history.schema import QUOTE_COLUMNS, reading_table
from optionscanner.model.columns import ALERTS, READINGS, TableSpec
from optionscanner.model.open_interest_map import ChainMap
from optionscanner.model.readings import Reading
from optionscanner.model.settings import WindowSettings


@dataclass(frozen=True, slots=True)
class Accounting:
    """What became of every observation."""

    processed: int
    refused: Mapping[str, int]
    """reason in words -> observations."""

    @property
    def total(self) -> int:
        """Processed and refused together."""
        return self.processed + sum(self.refused.values())


def stored_counts(database: Database, session: int) -> dict[str, int]:
    """Rows stored for a session: cycles, observations, refused, quotes, alerts, failures."""
    names = ("observations", "refused", "quotes", "alerts", "failures")
    sums = ", ".join(f"ifnull(sum({name}), 0) AS {name}" for name in names)
    row = next(iter(database.query(f"SELECT count(*) AS cycles, {sums} FROM cycle WHERE session = ?", (session,))))
    return {name: int(count) for name, count in row.items()}


def observations_accounted(database: Database, session: int) -> Accounting:
    """How many observations of a session were processed, and how many refused for which reason."""
    counted = {
        row["words"]: int(row["polls"])
        for row in database.query(
            "SELECT ifnull(refused_words, '') AS words, count(*) AS polls FROM observation "
            "WHERE session = ? AND poll >= 0 GROUP BY refused, refused_words ORDER BY polls DESC, words",
            (session,),
        )
    }
    return Accounting(counted.pop("", 0), counted)


def stored_alerts(database: Database, session: int) -> Reading:
    """Alerts of a session, oldest first."""
    frame = _reading(database, ALERTS, "session = ? ORDER BY cycle, number", (session,))
    return Reading(ALERTS, {name: frame[name].to_numpy() for name in ALERTS.names})


class HistoryReader:
    """A history opened for reading; a context manager. Raises HistoryError where the file is not one.

    Instants are seconds since 1970 UTC; prices ₹; quantities units of the underlying; absent is NaN, in text "".
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._database = opened_for_reading(path)
        with speaking(path):
            if "session" not in self._database.table_names():
                raise HistoryError(f"history {path}: expected a history of OptionScanner, found another database")

    def __enter__(self) -> HistoryReader:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Give the file back."""
        self._database.conn.close()

    def sessions(self) -> pd.DataFrame:
        """One row per stored session: id, mode, source, seed, trading_date, versions, cycles, first_at, last_at."""
        return self._frame(
            "SELECT s.*, count(k.cycle) AS cycles, min(k.at) / 1000.0 AS first_at, max(k.at) / 1000.0 AS last_at "
            "FROM session s LEFT JOIN cycle k ON k.session = s.id GROUP BY s.id ORDER BY s.id"
        )

    def last_session(self) -> int:
        """Id of the newest session; raises HistoryError where there is none."""
        found = self._frame("SELECT max(id) AS id FROM session")["id"][0]
        if found is None:
            raise HistoryError(f"history {self.path}: no session is stored yet; let the program run a cycle")
        return int(found)

    def chain(self, at: float, underlying: str, expiry: date, *, session: int | None = None) -> pd.DataFrame:
        """The chain as it was known at an instant, one row per leg that was ever seen, by strike, call before put.

        Columns: strike, option_type, lot_size, the quoted quantities of `model.observations.LEG_QUANTITIES`, price_at,
        open_interest_at, implied_volatility and delta (of the moment when the leg last changed), fault, iv_reason,
        previous_open_interest, changed_at.
        """
        number, until = self._session(session), round(at * 1000)
        archived = self.archives().get(number)
        if archived is not None:
            return archived_chain(
                self.path, number, archived, underlying=underlying, expiry=expiry.isoformat(), until=until
            )
        # Of all changes up to the instant the newest of each leg; a bare column beside max() is of the same row.
        frame = self._frame(
            """
            SELECT
                c.strike_paise / 100.0 AS strike, c.option_type, c.lot_size,
                q.last_paise / 100.0 AS last, q.bid_paise / 100.0 AS bid, q.ask_paise / 100.0 AS ask,
                q.bid_quantity, q.ask_quantity, q.volume, q.open_interest,
                (q.at - q.price_age_ms) / 1000.0 AS price_at,
                (q.at - q.open_interest_age_ms) / 1000.0 AS open_interest_at,
                q.volatility_ppm / 1e6 AS implied_volatility, q.delta_ppm / 1e6 AS delta, q.fault, q.iv_reason,
                (SELECT d.previous_open_interest FROM contract_day d
                 WHERE d.session = q.session AND d.contract = q.contract) AS previous_open_interest,
                max(q.at) / 1000.0 AS changed_at
            FROM (
                SELECT DISTINCT session, observed_at FROM observation
                WHERE session = :session AND underlying = :underlying AND expiry = :expiry
                    AND observed_at <= :at AND in_picture = 1
            ) o
            CROSS JOIN contract c ON c.underlying = :underlying AND c.expiry = :expiry
                AND c.option_type IN ('CE', 'PE')
            CROSS JOIN quote q ON q.session = o.session AND q.at = o.observed_at AND q.contract = c.id
            GROUP BY q.contract
            ORDER BY c.strike_paise, c.option_type
            """,
            {
                "session": number,
                "underlying": underlying,
                "expiry": expiry.isoformat(),
                "at": until,
            },
        )
        text = ["option_type"]
        return frame.astype({name: float for name in frame.columns if name not in text})

    def quotes(self, underlying: str, since: float, until: float, *, session: int | None = None) -> pd.DataFrame:
        """Stored quotes of an underlying's options, from `since` to `until` (both included), of every session.

        One row for each leg and observation at which something of it changed, whether the session's quotes are in the
        database or archived. Columns: session, at, expiry (ISO text), then those of `chain` without the previous open
        interest; in order of session, at, expiry, strike, call before put. `session` names a single one.
        """
        first, last = round(since * 1000), round(until * 1000)
        archives, pieces = self.archives(), []
        # Where there is none, 0, which no session is, gives the columns without a row.
        for number in [session] if session is not None else self._sessions_between(first, last) or [0]:
            if number in archives:
                raw = archived_quotes(
                    self.path, number, archives[number], underlying=underlying, since=first, until=last
                )
            else:
                raw = self._live_quotes(number, underlying, first, last)
            raw = raw.sort_values(["at", "expiry", "strike_paise", "option_type", "contract"], ignore_index=True)
            keys = pd.DataFrame({"session": number, "at": raw["at"].astype(float) / 1000.0, "expiry": raw["expiry"]})
            pieces.append(pd.concat([keys.astype({"expiry": object}), in_units(raw)], axis=1))
        return pd.concat(pieces, ignore_index=True)

    def against(
        self,
        underlying: str,
        expiry: date,
        *,
        at: float | None = None,
        session: int | None = None,
        windows: WindowSettings | None = None,
    ) -> pd.DataFrame:
        """Open interest and price of each leg now and 3, 5, 10, 15 and 30 minutes ago, as known at an instant.

        `at` [s since 1970 UTC], None for the newest; columns as `model.looking_back.frame_of` has them, whose
        `legs_against` answers the same from memory while a session runs. Raises HistoryError where nothing is stored.
        """
        number = self._session(session)
        with speaking(self.path):
            found = stored_against(
                self._database.conn, self.path, number, self.archives().get(number),
                underlying=underlying, expiry=expiry, at=at, windows=windows or WindowSettings(),
            )  # fmt: skip
        if found is None:
            raise HistoryError(
                f"history {self.path}: session {number} has seen nothing of {underlying} {expiry} by then; "
                "ask for another chain or instant"
            )
        return found

    def open_interest_map(self, underlying: str, expiry: date, *, session: int | None = None) -> ChainMap:
        """A chain's open interest in each quarter hour of a session, by strike; of archived sessions as well.

        While a session runs, `CycleReport.open_interest_map` holds the same in memory. Raises HistoryError where the
        session has nothing of the chain, as sessions stored by versions before it have not.
        """
        number = self._session(session)
        with speaking(self.path):
            found = stored_chain_map(self._database.conn, self.path, number, underlying, expiry)
        if found is None:
            raise HistoryError(
                f"history {self.path}: session {number} holds no map of {underlying} {expiry}; "
                "ask for a chain that it has seen, or see its quotes"
            )
        return found

    def archives(self) -> Mapping[int, Path]:
        """Session whose quotes were archived -> its Parquet file."""
        with speaking(self.path):
            return archived_files(self._database.conn, self.path)

    def _sessions_between(self, first: int, last: int) -> list[int]:
        """Sessions with a cycle between two instants [ms], or within a day of them: observations precede cycles."""
        found = self._frame(
            "SELECT s.id FROM session s WHERE EXISTS "
            "(SELECT 1 FROM cycle k WHERE k.session = s.id AND k.at BETWEEN ? AND ?) ORDER BY s.id",
            (first - 86_400_000, last + 86_400_000),
        )
        return [int(number) for number in found["id"]]

    def _live_quotes(self, session: int, underlying: str, first: int, last: int) -> pd.DataFrame:
        named = ", ".join(f"q.{name}" for name in QUOTE_COLUMNS)
        return self._frame(
            f"""
            SELECT q.at, q.contract, {named}, c.expiry, c.strike_paise, c.option_type, c.lot_size
            FROM (
                SELECT DISTINCT expiry, observed_at FROM observation
                WHERE session = :session AND underlying = :underlying AND in_picture = 1
                    AND observed_at BETWEEN :first AND :last
            ) o
            CROSS JOIN contract c ON c.underlying = :underlying AND c.expiry = o.expiry
                AND c.option_type IN ('CE', 'PE')
            CROSS JOIN quote q ON q.session = :session AND q.at = o.observed_at AND q.contract = c.id
            """,
            {"session": session, "underlying": underlying, "first": first, "last": last},
        )

    def reading(
        self,
        name: str,
        *,
        session: int | None = None,
        underlying: str | None = None,
        since: float | None = None,
        until: float | None = None,
    ) -> pd.DataFrame:
        """Stored rows of a table of readings (`price`, `flow`, `alerts` ...), in order of time; instants in seconds."""
        specs = {spec.name: spec for spec in (*READINGS, ALERTS) if spec.stored}
        if name not in specs:
            raise HistoryError(f"history: there is no reading {name!r}; known are {', '.join(specs)}")
        conditions, given = ["session = ?"], [self._session(session)]
        for condition, value in (("at >= ?", since), ("at <= ?", until)):
            if value is not None:
                conditions.append(condition)
                given.append(round(value * 1000))
        named: tuple[object, ...] = tuple(given)
        if underlying is not None:
            conditions.append("underlying = ?")
            named = (*named, underlying)
        order = "at, number" if specs[name].row == "event" else "at"
        with speaking(self.path):
            return _reading(self._database, specs[name], f"{' AND '.join(conditions)} ORDER BY {order}", named)

    def counts(self, session: int | None = None) -> Mapping[str, int]:
        """Rows stored for a session: cycles, observations, refused, quotes, alerts, failures."""
        with speaking(self.path):
            return stored_counts(self._database, self._session(session))

    def accounting(self, session: int | None = None) -> Accounting:
        """How many observations were processed, and how many refused for which reason."""
        with speaking(self.path):
            return observations_accounted(self._database, self._session(session))

    def alerts(self, session: int | None = None) -> Reading:
        """Alerts of a session, oldest first."""
        with speaking(self.path):
            return stored_alerts(self._database, self._session(session))

    def failures(self, session: int | None = None) -> pd.DataFrame:
        """Failures of engines and sinks: at, component, underlying, sentence."""
        return self._frame(
            "SELECT at / 1000.0 AS at, component, ifnull(underlying, '') AS underlying, sentence FROM failure "
            "WHERE session = ? ORDER BY cycle, number",
            (self._session(session),),
        )

    def size(self) -> int:
        """Bytes on disk, the write-ahead log included."""
        files = (self.path, self.path.with_name(self.path.name + "-wal"))
        return sum(file.stat().st_size for file in files if file.exists())

    def integrity(self) -> str:
        """`ok`, or the first thing that is wrong with the file; reads all of it."""
        return str(self._frame("PRAGMA integrity_check(1)")["integrity_check"][0])

    def _session(self, session: int | None) -> int:
        return self.last_session() if session is None else session

    def _frame(self, sql: str, given: Mapping[str, object] | tuple[object, ...] = ()) -> pd.DataFrame:
        with speaking(self.path):
            return _frame(self._database, sql, given)


def _frame(database: Database, sql: str, given: Mapping[str, object] | tuple[object, ...]) -> pd.DataFrame:
    cursor = database.conn.execute(sql, given)
    names = [column[0] for column in cursor.description]
    return pd.DataFrame(cursor.fetchall(), columns=names, dtype=object)


def _reading(database: Database, spec: TableSpec, condition: str, given: tuple[object, ...]) -> pd.DataFrame:
    """Rows of a reading as the engines made them: float64, instants in seconds, NaN and "" where absent."""
    table = reading_table(spec)
    named = ", ".join(f'"{name}"' for name in table.columns)
    frame = _frame(database, f'SELECT {named} FROM "{spec.name}" WHERE {condition}', given)
    kinds = {"at": "time"} | {column.name: column.kind for column in spec.columns}
    for name in frame.columns:
        kind = kinds.get(name, "key")
        if kind == "text":
            frame[name] = np.array([value or "" for value in frame[name]], dtype=object)
        elif kind == "time":
            frame[name] = frame[name].astype(float) / 1000.0
        elif kind in ("real", "integer"):
            frame[name] = frame[name].astype(float)
    return frame.drop(columns="session")
