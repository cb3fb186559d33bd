"""How the headline numbers of each name moved through the session: a short series of points, bounded in length.

Main entries: `Trails.of_day`, `Trails.seen`. A point holds the newest value within its five minutes. Pure: a trail is
a value that is handed on from cycle to cycle, and the same observations make the same trail.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from optionscanner.model.context import DayContext
from optionscanner.model.contracts import Bools, Floats

MOST_POINTS = 80
"""Points of the longest session."""
LEAST_STEP = 300.0
"""Seconds of session clock that one point covers; more in a session too long for that."""

SOURCES = (
    "price.spot",
    "price.straddle",
    "straddle.vwap",
    "price.atm_strike",
    "price.atm_iv",
    "open_interest.put_call_ratio",
    "readiness.readiness",
    "flow.ewma_atm",
    "build_up.future_price",
    "build_up.future_vwap",
    "build_up.future_volume",
)
"""``table.column`` of each reading that leaves a trail; those by expiry are of the nearest one."""


@dataclass(frozen=True, eq=False)
class Trails:
    """Series of some underlyings over one session."""

    names: tuple[str, ...]
    opens: float
    """Where the first point begins, seconds since 1970 UTC."""
    step: float
    """Seconds that one point covers."""
    values: Mapping[str, Floats]
    """source -> (names, points), in the reading's unit; NaN where nothing was seen."""

    @classmethod
    def fresh(cls, names: tuple[str, ...], *, opens: float, closes: float) -> Trails:
        """Nothing seen yet of a session from `opens` to `closes` [s since 1970 UTC], both included."""
        step = max(LEAST_STEP, (closes - opens) / (MOST_POINTS - 1))
        points = min(math.floor((closes - opens) / step) + 1, MOST_POINTS)
        return cls(names, opens, step, {s: np.full((len(names), points), np.nan) for s in SOURCES})

    @classmethod
    def of_day(cls, day: DayContext) -> Trails:
        """Nothing seen yet of the day's underlyings."""
        session = day.session
        return cls.fresh(tuple(day.layout.names), opens=session.opens.timestamp(), closes=session.closes.timestamp())

    @property
    def points(self) -> int:
        """Points of the whole session."""
        return int(self.values[SOURCES[0]].shape[1])

    @property
    def begins(self) -> Floats:
        """(points,) instant at which each point begins [s since 1970 UTC]."""
        return np.asarray(self.opens + self.step * np.arange(self.points), dtype=np.float64)

    def point_at(self, instant: float) -> int:
        """Point that an instant [s since 1970 UTC] belongs to; what lies outside the session counts to its ends."""
        return min(max(math.floor((instant - self.opens) / self.step), 0), self.points - 1)

    def seen(self, instant: float, values: Mapping[str, Floats]) -> Trails:
        """With the values (source -> one per name) of an instant; NaN leaves what was seen before."""
        point = self.point_at(instant)
        moved = {}
        for source, series in self.values.items():
            new = values.get(source)
            if new is None or not np.isfinite(new).any():
                moved[source] = series
                continue
            moved[source] = series.copy()
            moved[source][:, point] = np.where(np.isfinite(new), new, series[:, point])
        return replace(self, values=moved)

    def on(self, names: tuple[str, ...]) -> Trails:
        """The same trails of these underlyings; those that have none start with nothing."""
        if names == self.names:
            return self
        at = [self.names.index(name) if name in self.names else -1 for name in names]
        known: Bools = np.array(at, dtype=np.int64) >= 0
        values = {s: np.where(known[:, None], v[at], np.nan) for s, v in self.values.items()}
        return replace(self, names=names, values=values)
