"""What earlier sessions noted of volume over OI at each time of the day. Main entry: `usual_ratios`."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from datetime import date

import numpy as np

from optionscanner.model.sessions import RunSession
from optionscanner.model.usual import SHARES, SLOTS, UsualRatios

SESSIONS = 20
"""Trading dates that are looked back on."""


def usual_ratios(
    connection: sqlite3.Connection, session: RunSession, names: Sequence[str], *, most: int = SESSIONS
) -> UsualRatios:
    """Ratios of the last `most` trading dates before the session's, of the same mode and source.

    Of several sessions of a date the newest one counts.
    """
    rows = connection.execute(
        "SELECT trading_date, max(id) FROM session WHERE mode = ? AND source = ? AND seed IS ? AND trading_date < ? "
        "AND id IN (SELECT session FROM volume_oi_profile) GROUP BY trading_date ORDER BY trading_date DESC LIMIT ?",
        (session.mode.value, session.source, session.seed, session.trading_date.isoformat(), most),
    ).fetchall()[::-1]
    place = {name: i for i, name in enumerate(names)}
    ratios = np.full((len(rows), len(names), SLOTS, len(SHARES)), np.nan)
    columns = ", ".join(f"ratio_{share:.0f}" for share in SHARES)
    for day, (_, number) in enumerate(rows):
        for name, slot, *values in connection.execute(
            f"SELECT underlying, slot, {columns} FROM volume_oi_profile WHERE session = ? AND slot BETWEEN 0 AND ?",
            (number, SLOTS - 1),
        ):
            if name in place:
                ratios[day, place[name], slot] = values
    return UsualRatios(tuple(names), tuple(date.fromisoformat(str(row[0])) for row in rows), ratios)
