"""A chain of a stored session against earlier minutes, from its quotes by key. Main entry: `stored_against`.

The observations of the chain are read through its own key, the quotes of each through the instant and the range of the
chain's contracts. What a leg was before the first of them is asked of the chain's anchor, so an answer takes the same
time at the end of a day as at its beginning.
"""

from __future__ import annotations

import sqlite3
from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd

from optionscanner.history.archived import archived_quotes
from optionscanner.model.anchors import SLOT_S, WINDOWS
from optionscanner.model.contracts import CALL, PUT, Floats, Ints
from optionscanner.model.looking_back import NOW, frame_of
from optionscanner.model.settings import WindowSettings

_MARGIN_S = 300.0
"""Seconds by which the newest distinct observation may be older than the instant, before more of the day is read."""
_SIDES = {"CE": CALL, "PE": PUT}

Quotes = Floats
"""(m, 4): observed_at [ms], contract, open interest [units], price [paise]; NaN where absent."""


def stored_against(
    connection: sqlite3.Connection, path: Path, session: int, archive: Path | None, *,
    underlying: str, expiry: date, at: float | None, windows: WindowSettings,
) -> pd.DataFrame | None:  # fmt: skip
    """The table of `model.looking_back.frame_of` as of an instant, None for the newest; None where nothing is stored.

    `archive`: the file that holds the session's quotes, where they were archived.
    """
    chain = (session, underlying, expiry.isoformat())
    until = 2**62 if at is None else round(1000 * at)
    seen = np.array(
        connection.execute(
            "SELECT observed_at, ifnull(max(stamped_at), observed_at), ifnull(max(anchored_at), -1) FROM observation "
            "WHERE session = ? AND underlying = ? AND expiry = ? AND observed_at <= ? AND in_picture = 1 "
            "GROUP BY observed_at ORDER BY observed_at",
            (*chain, until),
        ).fetchall(),
        dtype=np.int64,
    ).reshape(-1, 3)
    legs = connection.execute(
        "SELECT id, strike_paise, option_type FROM contract WHERE underlying = ? AND expiry = ? "
        "AND option_type IN ('CE', 'PE') ORDER BY id",
        chain[1:],
    ).fetchall()
    if not len(seen) or not legs:
        return None
    numbers, paid = (np.array([leg[i] for leg in legs], dtype=np.int64) for i in (0, 1))
    strikes = np.unique(paid)
    columns = 2 * np.searchsorted(strikes, paid) + np.array([_SIDES[leg[2]] for leg in legs])
    span = 1000 * (60 * max(WINDOWS) + windows.patience + _MARGIN_S)
    first = int(np.searchsorted(seen[:, 0], seen[-1, 0] - span))
    while True:
        book = _Book(seen[first:], len(strikes))
        if archive is None:
            found = _quotes(connection, chain, int(seen[first, 2]), until, (int(numbers[0]), int(numbers[-1])))
        else:
            found = _archived(path, archive, chain, until)
        of_leg = np.minimum(np.searchsorted(numbers, found[:, 1]), len(numbers) - 1)
        mine = numbers[of_leg] == found[:, 1]
        book.fill(found[mine], columns[of_leg[mine]])
        # The whole day is read where open interest stood still for so long that the windows lie further back.
        if not first or (book.newest is not None and book.newest - seen[first, 1] >= span - 1000 * _MARGIN_S):
            return book.frame(strikes / 100.0, windows)
        first = 0


def _quotes(
    connection: sqlite3.Connection, chain: tuple[int, str, str], anchor: int, until: int, ids: tuple[int, int]
) -> Quotes:
    """Every leg's quote at an anchor of the chain, then all changes up to `until`; instants in ms."""
    known = connection.execute(
        "SELECT q.at, q.contract, q.open_interest, q.last_paise FROM quote_anchor a "
        "CROSS JOIN quote q ON q.session = a.session AND q.at = a.changed_at AND q.contract = a.contract "
        "WHERE a.session = ? AND a.at = ? AND a.contract BETWEEN ? AND ?",
        (chain[0], anchor, *ids),
    ).fetchall()
    changes = connection.execute(
        "SELECT q.at, q.contract, q.open_interest, q.last_paise FROM "
        "(SELECT DISTINCT observed_at FROM observation WHERE session = ?1 AND underlying = ?2 AND expiry = ?3 "
        " AND observed_at > ?4 AND observed_at <= ?5 AND in_picture = 1) o "
        "CROSS JOIN quote q ON q.session = ?1 AND q.at = o.observed_at AND q.contract BETWEEN ?6 AND ?7",
        (*chain, anchor, until, *ids),
    ).fetchall()
    return np.array(known + changes, dtype=np.float64).reshape(-1, 4)


def _archived(path: Path, archive: Path, chain: tuple[int, str, str], until: int) -> Quotes:
    """All quotes of the chain up to `until` from the session's file."""
    raw = archived_quotes(path, chain[0], archive, underlying=chain[1], expiry=chain[2], until=until)
    return np.column_stack([raw[name].astype(float) for name in ("at", "contract", "open_interest", "last_paise")])


class _Book:
    """What each leg was at each observation of a stretch of the day."""

    def __init__(self, seen: Ints, strikes: int) -> None:
        self.observed, self.stamped = seen[:, 0], seen[:, 1]
        self._shape = (len(seen), 2 * strikes)
        self.interest: Floats = np.full(self._shape, np.nan)
        self.price: Floats = np.full(self._shape, np.nan)
        self.kept: Ints = np.empty(0, dtype=np.int64)
        """Observations that are distinct, the newest one of each half minute, as the ring in memory keeps them."""

    @property
    def newest(self) -> int | None:
        """Stamp of the newest distinct observation [ms]."""
        return int(self.stamped[self.kept[-1]]) if len(self.kept) else None

    def fill(self, quotes: Quotes, columns: Ints) -> None:
        """Lay the quotes out in time, each in its leg's column; a leg stays what it was until its next one."""
        order = np.argsort(quotes[:, 0], kind="stable")
        quotes, columns = quotes[order], columns[order]
        # What precedes the stretch belongs to its first observation.
        row = np.maximum(np.searchsorted(self.observed, quotes[:, 0], side="right") - 1, 0)
        changed = np.full(self._shape, -1, dtype=np.int64)
        changed[row, columns] = np.arange(len(quotes))  # of several in one place the last stays
        newest = np.maximum.accumulate(changed, axis=0)
        self.interest, self.price = (np.append(quotes[:, i], np.nan)[newest] for i in (2, 3))
        # In memory a leg takes part in an observation by its open interest.
        self.price = np.where(np.isfinite(self.interest), self.price / 100.0, np.nan)
        self._choose()

    def _choose(self) -> None:
        """Observations at which some leg's open interest differs from what was last read of it."""
        read = pd.DataFrame(self.interest).ffill().to_numpy()
        before = np.concatenate([np.full((1, read.shape[1]), np.nan), read[:-1]])
        distinct = np.flatnonzero((np.isfinite(self.interest) & (self.interest != before)).any(axis=1))
        slot = self.stamped[distinct] // int(1000 * SLOT_S)
        self.kept = distinct[np.append(slot[1:] != slot[:-1], True)] if len(distinct) else distinct

    def frame(self, strike: Floats, windows: WindowSettings) -> pd.DataFrame:
        """The table, from the distinct observations."""
        stamps = self.stamped[self.kept] / 1000.0
        end = float(stamps[-1]) if len(stamps) else float("nan")
        listed = np.isfinite(self.interest).any(axis=0).reshape(-1, 2).any(axis=1)
        ends = {
            minutes: tuple(
                self._standing(values, stamps, end - 60.0 * minutes, windows, early=bool(minutes))
                .reshape(-1, 2)[listed]
                for values in (self.interest, self.price)
            )
            for minutes in (NOW, *WINDOWS)
        }  # fmt: skip
        return frame_of(strike[listed], end, ends)  # type: ignore[arg-type]

    def _standing(
        self, values: Floats, stamps: Floats, instant: float, windows: WindowSettings, *, early: bool
    ) -> Floats:
        """(2 n,) value of each leg that stands for an instant, NaN where none does."""
        found = np.full(values.shape[1], np.nan)
        older = np.flatnonzero((stamps >= instant - windows.patience) & (stamps <= instant))[::-1]
        later = np.flatnonzero((stamps >= instant) & (stamps <= instant + windows.early))[::-1] if early else older[:0]
        for i in (*older.tolist(), *later.tolist()):
            found = np.where(np.isnan(found), values[self.kept[i]], found)
        return found
