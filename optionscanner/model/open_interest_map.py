"""Open interest of every leg in each quarter hour of the session: what a day's map of time by strike is drawn from.

Main entries: `OpenInterestMap.seen`, `OpenInterestMap.chain`. A quarter hour holds what the newest observation within
it read of a leg; a leg that no observation saw then has nothing there, which differs from a change of 0. Pure: a map is
a value that is handed on from cycle to cycle, and the same observations make the same map.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from optionscanner.model.chains import Chains
from optionscanner.model.context import DayContext
from optionscanner.model.contracts import Bools, Floats, Ints, Layout, moved
from optionscanner.model.trails import Trails

BUCKET_S = 900.0
"""Seconds of the session that one line of the map covers."""
OPENING = -1
"""Key of each leg's first reading within the first quarter hour; it stands for a previous close that is not known."""


@dataclass(frozen=True, eq=False)
class ChainMap:
    """The day of one chain; B quarter hours, n strikes, side 0 the call and 1 the put."""

    begins: Floats
    """(B,) where each quarter hour begins, seconds since 1970 UTC."""
    strike: Floats
    """(n,) ₹, rising."""
    open_interest: Floats
    """(B, n, 2) units; NaN where no observation in that quarter hour saw the leg."""
    base: Floats
    """(n, 2) units at the previous session's close, else at the leg's first observation of the first quarter hour."""
    spot: Floats
    """(B,) newest spot of the underlying in each quarter hour [₹], NaN where there is none."""

    @property
    def change(self) -> Floats:
        """(B, n, 2) units added in each quarter hour, less closed ones.

        NaN unless the leg was seen in this quarter hour and in the one before: what came in a gap has no time.
        """
        before = np.concatenate([self.base[None], self.open_interest[:-1]])
        return np.asarray(self.open_interest - before)

    @property
    def change_of_day(self) -> Floats:
        """(n, 2) units added since `base`, as of each leg's newest observation; NaN where either is unknown."""
        newest = np.full(self.base.shape, np.nan)
        for values in self.open_interest:
            newest = np.where(np.isfinite(values), values, newest)
        return np.asarray(newest - self.base)

    @property
    def money(self) -> Floats:
        """(B,) listed strike nearest to the spot [₹], the lower one of two; NaN where there is no spot."""
        if not len(self.strike):
            return np.full(len(self.spot), np.nan)
        nearest = np.argmin(np.abs(self.strike - np.nan_to_num(self.spot)[:, None]), axis=1)
        return np.where(np.isfinite(self.spot), self.strike[nearest], np.nan)


@dataclass(frozen=True, eq=False)
class OpenInterestMap:
    """The day of every chain of `layout`."""

    layout: Layout
    opens: float
    """Where the first quarter hour begins, seconds since 1970 UTC."""
    buckets: int
    """B: quarter hours of the session; what is observed after its close belongs to the last."""
    values: Mapping[int, Floats]
    """quarter hour, or `OPENING` -> (R, 2) open interest [units], NaN where nothing was seen; unused ones are absent.
    An array is never changed, and the same one is handed on while nothing in it changes."""

    @classmethod
    def of_day(cls, day: DayContext) -> OpenInterestMap:
        """Nothing seen yet."""
        opens, closes = day.session.opens.timestamp(), day.session.closes.timestamp()
        buckets = max(math.ceil((closes - opens) / BUCKET_S), 1)
        return cls(day.layout, opens, buckets, {})

    @property
    def begins(self) -> Floats:
        """(B,) where each quarter hour begins, seconds since 1970 UTC."""
        return bucket_begins(self.opens, self.buckets)

    def reindexed(self, layout: Layout) -> OpenInterestMap:
        """The same on another layout: everything moves by contract key, new contracts begin with nothing."""
        if layout is self.layout:
            return self
        rows = layout.rows_from(self.layout)
        return replace(self, layout=layout, values={k: moved(held, rows, np.nan) for k, held in self.values.items()})

    def seen(self, chains: Chains) -> OpenInterestMap:
        """With what the picture's newest observations read; of another day, or layout, it begins or moves first."""
        begun = OpenInterestMap.of_day(chains.day)
        if (begun.opens, begun.buckets) != (self.opens, self.buckets):
            return begun.seen(chains)
        if chains.layout is not self.layout:
            return self.reindexed(chains.layout).seen(chains)
        legs = chains.legs
        bucket = self._bucket(legs.seen_at)
        known = chains.updated[self.layout.row_segment][:, None] & np.isfinite(legs.open_interest) & (bucket >= 0)
        values = dict(self.values)
        for k in np.flatnonzero(np.bincount(bucket[known])).tolist():
            _put(values, k, known & (bucket == k), legs.open_interest)
        opening = values.get(OPENING)
        first = known & (bucket == 0)
        _put(values, OPENING, first if opening is None else first & np.isnan(opening), legs.open_interest)
        return replace(self, values=values)

    def _bucket(self, instants: Floats) -> Ints:
        """Quarter hour of each instant, -1 before the open and for NaN."""
        return buckets_of(instants, self.opens, self.buckets)

    def chain(self, segment: int, day: DayContext, trails: Trails | None) -> ChainMap:
        """The day of one chain of the day's layout; `trails` know the path of its spot."""
        rows = slice(int(self.layout.starts[segment]), int(self.layout.ends[segment]))
        none = np.full((self.layout.rows, 2), np.nan)
        held = np.stack([self.values.get(k, none)[rows] for k in range(self.buckets)])
        base = based(day.previous_open_interest[rows], self.values.get(OPENING, none)[rows])
        spot = np.full(self.buckets, np.nan)
        if trails is not None:
            path = trails.values["price.spot"][int(self.layout.segment_underlying[segment])]
            seen = np.isfinite(path)
            spot[self._bucket(trails.begins[seen])] = path[seen]
        return ChainMap(self.begins, self.layout.strike[rows], held, base, spot)


def bucket_begins(opens: float, buckets: int) -> Floats:
    """(buckets,) where each quarter hour begins, seconds since 1970 UTC."""
    return np.asarray(opens + BUCKET_S * np.arange(buckets), dtype=np.float64)


def buckets_of(instants: Floats, opens: float, buckets: int) -> Ints:
    """Quarter hour of each instant, -1 before the open and for NaN; after the last one it is the last."""
    since = np.nan_to_num((instants - opens) / BUCKET_S, nan=-1.0)
    return np.where(since < 0, -1, np.minimum(since, buckets - 1)).astype(np.int64)


def based(previous: Floats, opening: Floats) -> Floats:
    """What the first quarter hour is compared with, leg by leg: the previous close where that is known."""
    return np.where(np.isfinite(previous), previous, opening)


def _put(values: dict[int, Floats], key: int, mine: Bools, readings: Floats) -> None:
    """Replace the marked legs of a quarter hour; an array that would not change stays the very same."""
    held = values.get(key)
    if held is None:
        if mine.any():
            values[key] = np.where(mine, readings, np.nan)
    elif bool((mine & (held != readings)).any()):
        values[key] = np.where(mine, readings, held)
