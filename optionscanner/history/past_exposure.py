"""Gamma exposure with which earlier sessions of the history closed. Main entry: `closing_exposure`."""

from __future__ import annotations

import sqlite3
from datetime import date, datetime, timedelta

import numpy as np

from optionscanner.model.context import DayContext
from optionscanner.model.exposures import SESSIONS, PastExposure
from optionscanner.model.sessions import RunSession

_LAST = timedelta(minutes=30)
"""A session whose last reading is older than this at the close did not see the close."""


def closing_exposure(
    connection: sqlite3.Connection, session: RunSession, day: DayContext, *, most: int = SESSIONS
) -> PastExposure:
    """Exposures of the last `most` trading dates before the session's, of the same mode and seed.

    Of several sessions of a date the newest one counts.
    """
    names = day.layout.names
    rows = connection.execute(
        "SELECT trading_date, max(id) FROM session WHERE mode = ? AND seed IS ? AND trading_date < ? "
        "GROUP BY trading_date ORDER BY trading_date DESC LIMIT ?",
        (session.mode.value, session.seed, session.trading_date.isoformat(), most),
    ).fetchall()[::-1]
    place = {name: i for i, name in enumerate(names)}
    dates = tuple(date.fromisoformat(str(on)) for on, _ in rows)
    sizes = np.full((len(rows), len(names), 2), np.nan)
    for i, (on, (_, number)) in enumerate(zip(dates, rows, strict=True)):
        since = datetime.combine(on, day.session.closes.time(), day.session.closes.tzinfo) - _LAST
        # Of the newest row of each name, as SQLite gives the other columns of a maximum.
        for name, call, put, _ in connection.execute(
            "SELECT underlying, call_gex, put_gex, max(at) FROM exposure_total WHERE session = ? AND at >= ? "
            "GROUP BY underlying",
            (number, round(1000 * since.timestamp())),
        ):
            if name in place and call is not None and put is not None:
                sizes[i, place[str(name)]] = call, put
    seen = np.isfinite(sizes).any(axis=(1, 2))
    kept = tuple(on for on, there in zip(dates, seen, strict=True) if there)
    return PastExposure(names, kept, sizes[seen], np.full(len(names), np.nan))
