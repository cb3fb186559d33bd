"""One chain as it was known at an earlier moment of the running session, read beside the program that writes.

Main entry: `PastReader.stored`. Every question opens the file anew, for reading only, and asks by keys alone: what it
costs does not grow with the day. Legs are found as `changes.py` describes.
"""

from __future__ import annotations

import math
import sqlite3
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from optionscanner.errors import HistoryError
from optionscanner.history.database import ist_clock, opened_for_reading, speaking
from optionscanner.history.resume import trail_rows
from optionscanner.history.schema import reading_table
from optionscanner.model.chains import Chains, Futures
from optionscanner.model.columns import ALERTS, READINGS, TableSpec
from optionscanner.model.contracts import Bools, Floats, Ints, Layout
from optionscanner.model.past import Question, Stored
from optionscanner.model.readings import Reading
from optionscanner.model.reasons import Reason
from optionscanner.model.reports import CycleReport
from optionscanner.model.trails import SOURCES, Trails

_SIDES = {"CE": 0, "PE": 1}
_OPENING_S = 3_600.0
"""Time after which what was noted of the session's first minutes does not change any more."""
_LOOK_BACK_S = 2_400.0
"""How far back open interest is read: the longest window, the patience with its beginning, and some."""
_QUOTED = "last_paise, bid_paise, ask_paise, bid_quantity, ask_quantity, volume, open_interest, q.at - price_age_ms, " \
    "q.at - open_interest_age_ms, fault"  # fmt: skip
_LEGS = ("last", "bid", "ask", "bid_quantity", "ask_quantity", "volume", "open_interest", "price_at",
         "open_interest_at", "fault")  # fmt: skip


@dataclass(frozen=True, slots=True)
class _Observation:
    """One accepted poll of a chain; instants in ms."""

    observed_at: int
    stamped_at: int
    cycle: int
    anchored_at: int | None
    coverage: float | None


class PastReader:
    """Reads the session `session` (asked each time: a history may begin another) of the history file `path`."""

    def __init__(self, path: Path, session: Callable[[], int]) -> None:
        self._path = path
        self._session = session

    def stored(self, now: CycleReport, question: Question, *, patience: float) -> Stored:
        """What the picture of that moment held of the chain; `now` is the newest report.

        Raises HistoryError, with the nearest moments that are covered, where no picture is of at most `patience`
        seconds before.
        """
        chains = now.chains.sliced(question.underlying)
        with speaking(self._path), closing(opened_for_reading(self._path, busy_timeout=1.0).conn) as connection:
            asked = _Asked(connection, self._session(), question, chains)
            return asked.stored(now, patience=patience)


class _Asked:
    """One question and an open file."""

    def __init__(self, connection: sqlite3.Connection, session: int, question: Question, chains: Chains) -> None:
        self._file = connection
        self._number = session
        self._question = question
        self._now = chains
        self._layout: Layout = chains.layout
        self._segment = self._layout.segment_of(question.underlying, question.expiry)
        self._start = int(self._layout.starts[self._segment])
        self._strikes = self._layout.strike[self._start : int(self._layout.ends[self._segment])]

    def stored(self, now: CycleReport, *, patience: float) -> Stored:
        """Everything of the picture."""
        cycle, at = self._cycle(now.as_of, patience)
        polls = self._observations(cycle, at)
        if not polls:
            raise HistoryError(self._unseen(at))
        newest = polls[-1]
        legs = self._legs(newest)
        # Windows end at the newest change of open interest, which may be long before the newest poll.
        moved = [t for t in legs[:, _LEGS.index("open_interest_at")].tolist() if math.isfinite(t)]
        since = min([newest.observed_at, *([max(moved)] if moved else [])]) - 1000 * _LOOK_BACK_S
        made_at = self._row("SELECT at FROM cycle WHERE session = ? AND cycle = ?", newest.cycle)[0]
        readings = self._readings(made_at, at)
        return Stored(
            as_of=at / 1000.0,
            chains=self._chains(at / 1000.0, newest, legs, readings["price"]),
            readings=readings,
            alerts=self._alerts(cycle),
            trails=self._trails(now.trails, at),
            interest=self._interest(self._observations(cycle, at, since)),
            volatility_seen=self._volatility_seen(newest),
        )

    def _unseen(self, at: int) -> str:
        """That the chain had not been observed by then, and when it was first."""
        question = self._question
        first = self._row(
            "SELECT k.at FROM observation o JOIN cycle k ON k.session = o.session AND k.cycle = o.cycle "
            "WHERE o.session = ? AND underlying = ? AND expiry = ? AND in_picture = 1 ORDER BY observed_at LIMIT 1",
            question.underlying, question.expiry.isoformat(),
        )  # fmt: skip
        nearest = f"its first picture is of {ist_clock(first[0] / 1000)}" if first else "none of it is stored"
        chain = f"{question.underlying} {question.expiry:%d-%b-%y}"
        return f"{chain} had not been observed at {ist_clock(at / 1000)}; {nearest}"

    def _row(self, sql: str, *given: object) -> tuple[Any, ...]:
        found = self._file.execute(sql, (self._number, *given)).fetchone()
        return () if found is None else tuple(found)

    def _cycle(self, now: float, patience: float) -> tuple[int, int]:
        """Number and instant [ms] of the newest cycle until the instant that is asked for."""
        asked = round(1000 * self._question.at)
        of = "SELECT cycle, at FROM cycle WHERE session = ? AND at"
        before = self._row(f"{of} <= ? ORDER BY at DESC LIMIT 1", asked)
        if asked > round(1000 * now):
            last = f"; the newest picture is of {ist_clock(before[1] / 1000)}" if before else ""
            raise HistoryError(f"{ist_clock(asked / 1000)} is still to come{last}")
        if before and asked - before[1] <= 1000 * patience:
            return before[0], before[1]
        after = self._row(f"{of} > ? ORDER BY at LIMIT 1", asked)
        nearest = " and ".join(ist_clock(found[1] / 1000) for found in (before, after) if found)
        if not nearest:
            raise HistoryError(f"nothing of this session is stored yet, so {ist_clock(asked / 1000)} cannot be shown")
        raise HistoryError(f"no picture of {ist_clock(asked / 1000)} is stored; the nearest are of {nearest}")

    def _observations(self, cycle: int, at: int, since: float | None = None) -> list[_Observation]:
        """Accepted polls of the chain until a cycle, oldest first, from `since` [ms] on; else the newest alone."""
        key = (self._number, self._question.underlying, self._question.expiry.isoformat())
        sql = (
            "SELECT observed_at, stamped_at, cycle, anchored_at, coverage FROM observation WHERE session = ? "
            "AND underlying = ? AND expiry = ? AND in_picture = 1 AND cycle <= ? AND observed_at <= ?"
        )
        order = "ORDER BY observed_at DESC LIMIT 1" if since is None else "AND observed_at >= ? ORDER BY observed_at"
        given = (*key, cycle, at, *([] if since is None else [math.floor(since)]))
        return [_Observation(*row) for row in self._file.execute(f"{sql} {order}", given)]

    def _contracts(self) -> tuple[Ints, Ints]:
        """Contracts of the chain, ascending, and the flat leg (2 x row within the chain + side) of each."""
        rows = self._file.execute(
            "SELECT id, strike_paise, option_type FROM contract WHERE underlying = ? AND expiry = ? "
            "AND option_type IN ('CE', 'PE') ORDER BY id",
            (self._question.underlying, self._question.expiry.isoformat()),
        )
        place = {round(100 * strike): i for i, strike in enumerate(self._strikes.tolist())}
        found = [(number, 2 * place[paise] + _SIDES[kind]) for number, paise, kind in rows if paise in place]
        numbers, legs = np.array(found, dtype=np.int64).reshape(-1, 2).T
        return numbers, legs

    def _legs(self, newest: _Observation) -> Floats:
        """(legs, quantities) at a poll."""
        known = np.full((2 * len(self._strikes), len(_LEGS)), np.nan)
        rows = _newest_of_each(self._rows(_QUOTED, newest.anchored_at, newest.observed_at))
        known[rows[:, 1].astype(np.int64)] = rows[:, 2:]
        return known

    def _interest(self, polls: list[_Observation]) -> tuple[tuple[float, Floats], ...]:
        """Stamp of each poll, and open interest then."""
        known, found, begin = np.full(2 * len(self._strikes), np.nan), [], 0
        rows = self._rows("q.open_interest", polls[0].anchored_at, polls[-1].observed_at)
        ends = np.searchsorted(rows[:, 0], [poll.observed_at for poll in polls], side="right").tolist()
        for poll, end in zip(polls, ends, strict=True):
            part = _newest_of_each(rows[begin:end])
            known[part[:, 1].astype(np.int64)], begin = part[:, 2], end
            found.append((poll.stamped_at / 1000.0, self._whole(known, np.nan)))
        return tuple(found)

    def _whole(self, legs: npt.NDArray[Any], absent: object) -> npt.NDArray[Any]:
        """(rows, 2) of the underlying from the chain's flat legs."""
        whole = np.full((self._layout.rows, 2), absent)
        whole[self._start : self._start + len(self._strikes)] = legs.reshape(-1, 2)
        return whole

    def _volatility_seen(self, newest: _Observation) -> Bools:
        """(rows, 2) legs that had a volatility until a poll of the first hour; all of them after a later one."""
        if newest.observed_at / 1000.0 > self._now.day.session.opens.timestamp() + _OPENING_S:
            return np.ones((self._layout.rows, 2), dtype=bool)
        seen = np.zeros(2 * len(self._strikes), dtype=bool)
        rows = self._rows("q.volatility_ppm", None, newest.observed_at)
        seen[rows[np.isfinite(rows[:, 2]), 1].astype(np.int64)] = True
        return self._whole(seen, False)

    def _rows(self, columns: str, anchor: int | None, until: int) -> Floats:
        """(n, 2 + columns): instant [ms], flat leg, columns of every quote of the chain from an anchor to a poll.

        Oldest first; what had changed before the anchor stands at its instant. Without an anchor: from the session's
        first poll on.
        """
        key = {"session": self._number, "underlying": self._question.underlying, "anchor": anchor or 0,
               "expiry": self._question.expiry.isoformat(), "until": until}  # fmt: skip
        before = f"""
            SELECT a.at, q.contract, {columns} FROM contract c
            CROSS JOIN quote_anchor a ON a.session = :session AND a.at = :anchor AND a.contract = c.id
            CROSS JOIN quote q ON q.session = a.session AND q.at = a.changed_at AND q.contract = a.contract
            WHERE c.underlying = :underlying AND c.expiry = :expiry AND c.option_type IN ('CE', 'PE')"""
        since = f"""
            SELECT q.at, q.contract, {columns} FROM (
                SELECT DISTINCT observed_at FROM observation
                WHERE session = :session AND underlying = :underlying AND expiry = :expiry AND in_picture = 1
                    AND observed_at > :anchor AND observed_at <= :until
                ORDER BY observed_at
            ) o
            CROSS JOIN contract c ON c.underlying = :underlying AND c.expiry = :expiry AND c.option_type IN ('CE', 'PE')
            CROSS JOIN quote q ON q.session = :session AND q.at = o.observed_at AND q.contract = c.id"""
        found = [row for sql in (before, since) for row in self._file.execute(sql, key)]
        rows: Floats = np.array(found, dtype=np.float64).reshape(len(found), 3 + columns.count(","))
        numbers, legs = self._contracts()
        at = np.minimum(np.searchsorted(numbers, rows[:, 1]), max(len(numbers) - 1, 0))
        ours = numbers[at] == rows[:, 1] if len(numbers) else np.zeros(len(rows), dtype=bool)
        rows = np.asarray(rows[ours])
        rows[:, 1] = legs[at[ours]]
        return rows

    def _chains(self, as_of: float, newest: _Observation, legs: Floats, price: Reading) -> Chains:
        """The picture: the chain's legs, and spot and future as they were priced with."""
        now, layout, segment = self._now, self._layout, self._segment
        columns = {}
        for i, name in enumerate(_LEGS):
            scale = 100.0 if name in ("last", "bid", "ask") else 1000.0 if name.endswith("_at") else 1.0
            columns[name] = self._whole(legs[:, i] / scale, np.nan)
        fault = np.nan_to_num(columns.pop("fault")).astype(np.uint8)
        observed, stamped = newest.observed_at / 1000.0, newest.stamped_at / 1000.0
        seen_at = np.where(np.isfinite(columns["price_at"]) | np.isfinite(columns["open_interest"]), observed, np.nan)
        spots = {name: np.asarray(getattr(now.underlyings, name)).copy() for name in ("spot", "spot_at")}
        spots["spot"][:] = price["spot"][segment]
        spots["spot_at"][:] = stamped
        mine = np.arange(layout.segments) == segment
        return replace(
            now,
            as_of=as_of,
            legs=replace(now.legs, **columns, fault=fault, seen_at=seen_at),
            futures=self._futures(price, stamped),
            underlyings=replace(now.underlyings, **spots),
            observed_at=np.where(mine, observed, np.nan),
            stamped_at=np.where(mine, stamped, np.nan),
            updated=mine,
            changed=np.zeros((layout.rows, 2), dtype=bool),
            refused=np.where(mine, np.uint8(Reason.OK), np.uint8(Reason.NOT_YET_OBSERVED)),
            coverage=np.where(mine, np.nan if newest.coverage is None else newest.coverage, np.nan),
            oldest_at=np.where(mine, observed, np.nan),
        )

    def _futures(self, price: Reading, stamped: float) -> Futures:
        """Futures that give the forward that was used: the stored one, where it came from a future, else none."""
        futures, layout, segment = self._now.futures, self._layout, self._segment
        blank = {name: np.full(len(layout.future_expiry), np.nan) for name in futures.__dataclass_fields__}
        future = int(layout.segment_future[segment])
        if future >= 0 and str(price["forward_source"][segment]) == "future":
            blank["last"][future] = price["forward"][segment]
            blank["price_at"][future] = stamped
        return replace(futures, **blank)

    def _readings(self, made_at: int, at: int) -> dict[str, Reading]:
        """Stored tables with one row for each chain or underlying: of the chain's newest cycle."""
        found = {}
        for spec in READINGS:
            if spec.stored and spec.row in ("segment", "underlying"):
                found[spec.name] = self._reading(spec, made_at)
        return found

    def _reading(self, spec: TableSpec, at: int) -> Reading:
        by_chain = spec.row == "segment"
        table = reading_table(spec)
        key = "session = ? AND at = ? AND underlying = ?" + (" AND expiry = ?" if by_chain else "")
        owner = (self._question.underlying, self._question.expiry.isoformat())[: 1 + by_chain]
        named = ", ".join(f'"{name}"' for name in table.columns)
        row = self._row(f'SELECT {named} FROM "{spec.name}" WHERE {key}', at, *owner)
        values = {} if not row else dict(zip(table.columns, row, strict=True))
        count = self._layout.segments if by_chain else len(self._layout.names)
        place = self._segment if by_chain else 0
        return Reading(spec, {c.name: _column(c.kind, values.get(c.name), count, place) for c in spec.columns})

    def _alerts(self, cycle: int) -> Reading:
        rows = self._file.execute(
            f"SELECT {', '.join(ALERTS.names)} FROM alerts WHERE session = ? AND cycle <= ? AND underlying = ? "
            "ORDER BY cycle DESC, number DESC",
            (self._number, cycle, self._question.underlying),
        ).fetchall()
        columns = {}
        for i, column in enumerate(ALERTS.columns):
            values = [row[i] for row in rows]
            if column.kind == "text":
                columns[column.name] = np.array([value or "" for value in values], dtype=object)
            else:
                scale = 1000.0 if column.kind == "time" else 1.0
                columns[column.name] = np.array([np.nan if v is None else v / scale for v in values], dtype=float)
        return Reading(ALERTS, columns)

    def _trails(self, now: Trails | None, at: int) -> Trails:
        """The day's points until the instant; the one that it lies in as it was then."""
        name = self._question.underlying
        trails = Trails.of_day(self._now.day) if now is None else now.on((name,))
        point = trails.point_at(at / 1000.0)
        values = {source: series.copy() for source, series in trails.values.items()}
        for series in values.values():
            series[:, point:] = np.nan
        front = int(self._layout.underlying_front[0])
        expiry = self._layout.segment_keys[front].expiry.isoformat()
        begins = -1 if point == 0 else round(1000 * float(trails.begins[point]))
        for _, owner, of, *row in trail_rows(self._file, self._number, begins, at):
            if (owner, of) == (name, expiry):
                for source, value in zip(SOURCES, row, strict=True):
                    if value is not None:
                        values[source][0, point] = value
        return replace(trails, values=values)


def _newest_of_each(rows: Floats) -> Floats:
    """Of rows that name a leg in their second column the last one of each leg."""
    _, behind = np.unique(rows[::-1, 1], return_index=True)
    return np.asarray(rows[len(rows) - 1 - behind])


def _column(kind: str, value: object, count: int, place: int) -> np.ndarray:
    """A column that is blank but for one place."""
    if kind == "text":
        words = np.full(count, "", dtype=object)
        words[place] = value or ""
        return words
    numbers = np.full(count, np.nan)
    if value is not None:
        numbers[place] = float(str(value)) / (1000.0 if kind == "time" else 1.0)
    return numbers
