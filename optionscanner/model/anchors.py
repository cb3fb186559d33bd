"""Open interest and price of every leg at the chain's distinct observations of the last half hour: what windows look
back on.

Main entries: `Anchors.added`, `Anchors.standing`, `Anchors.read`. An *anchor* is one distinct observation of a chain's
open interest, kept in the slot of its half minute; a later one in the same half minute takes its place. So the memory
is bounded however often a feed speaks, and every slot of the market's 18,000 legs is one array that cycles share until
it is written anew.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from optionscanner.model.contracts import Bools, Floats, Ints, Layout, moved

WINDOWS = (3, 5, 10, 15, 30)
"""Minutes that changes of open interest are measured over."""
SLOT_S = 30.0
"""Seconds of the market's clock that one slot covers."""
SLOTS = 80
"""Slots of the ring: the longest window, ten minutes of patience with its beginning, and one that is being written."""


@dataclass(frozen=True, eq=False)
class Anchors:
    """The ring of every chain of `layout`."""

    layout: Layout
    at: Floats
    """(SLOTS, S) the market's stamp of the anchor in each slot, seconds since 1970 UTC; NaN where there is none."""
    values: Mapping[int, Floats]
    """slot -> (R, 2) open interest [units] at the anchors of that slot, NaN for a leg that was not seen then; slots
    that no chain uses are absent."""
    written: Bools
    """(S,) chains that got an anchor in the last cycle: their newest one."""
    prices: Mapping[int, Floats]
    """slot -> (R, 2) last price [₹] at the same anchors, NaN for a leg that was not seen then or had none."""

    @classmethod
    def fresh(cls, layout: Layout) -> Anchors:
        """Nothing observed yet."""
        return cls(layout, np.full((SLOTS, layout.segments), np.nan), {}, np.zeros(layout.segments, dtype=bool), {})

    @property
    def newest(self) -> Floats:
        """(S,) stamp of each chain's newest anchor, NaN before the first."""
        return np.asarray(np.fmax.reduce(self.at, axis=0))

    def reindexed(self, layout: Layout) -> Anchors:
        """The same on another layout: everything moves by contract key, new contracts begin with nothing."""
        if layout is self.layout:
            return self
        segments, rows = layout.segments_from(self.layout), layout.rows_from(self.layout)
        at = moved(self.at.T, segments, np.nan).T.copy()
        used = np.flatnonzero(np.isfinite(at).any(axis=1)).tolist()
        values = {slot: moved(self.values[slot], rows, np.nan) for slot in used}
        prices = {slot: moved(self.prices[slot], rows, np.nan) for slot in used}
        return Anchors(layout, at, values, moved(self.written, segments, False), prices)

    def added(self, chosen: Bools, at: Floats, readings: Floats, prices: Floats) -> Anchors:
        """With an anchor of each chain in `chosen` (S,), stamped `at` (S,): open interest (R, 2) [units], price [₹]."""
        stamps, values, paid = self.at, dict(self.values), dict(self.prices)
        segments = np.flatnonzero(chosen)
        if len(segments):
            stamps = stamps.copy()
            slots = slot_of(at[segments])
            stamps[slots, segments] = at[segments]
            for slot in np.unique(slots).tolist():
                mine = np.zeros(self.layout.segments, dtype=bool)
                mine[segments[slots == slot]] = True
                rows = mine[self.layout.row_segment][:, None]
                values[slot] = np.where(rows, readings, values.get(slot, np.nan))
                paid[slot] = np.where(rows, prices, paid.get(slot, np.nan))
        return replace(self, at=stamps, values=values, written=chosen.copy(), prices=paid)

    def standing(
        self, instant: Floats, wanted: Bools, *, patience: float, early: float = 0.0, prices: bool = False
    ) -> Floats:
        """(R, 2) open interest [units], or with `prices` the price [₹], that stands for an instant (S,); NaN: none.

        The newest one at most `patience` s older, else one at most `early` s later.
        """
        before = self.read(instant - patience, instant, wanted, prices=prices)
        missing = wanted & np.isnan(before)
        if early > 0 and missing.any():
            before = np.where(missing, self.read(instant, instant + early, missing, prices=prices), before)
        return before

    def read(self, since: Floats, until: Floats, wanted: Bools, *, prices: bool = False) -> Floats:
        """(R, 2) newest open interest [units] of each `wanted` leg (R, 2) at anchors from `since` to `until` (S,).

        Both ends are included; NaN where no anchor in between has seen the leg. With `prices`: its price [₹].
        """
        held = self.prices if prices else self.values
        found = np.full(wanted.size, np.nan)
        left = np.where((self.at >= since) & (self.at <= until), self.at, -np.inf)
        legs: Ints = np.flatnonzero(wanted)
        segment = self.layout.row_segment[legs >> 1]
        while len(legs):
            slot = np.argmax(left, axis=0)
            here = np.isfinite(np.take_along_axis(left, slot[None], axis=0)[0])
            left[slot, np.arange(len(slot))] = -np.inf
            if not here.all():
                inside = here[segment]
                legs, segment = legs[inside], segment[inside]
            values = _gathered(held, np.where(here, slot, -1), legs, segment)
            found[legs] = values
            missing = np.isnan(values)
            legs, segment = legs[missing], segment[missing]
        return found.reshape(wanted.shape)

    def first_after(self, instants: Floats) -> Floats:
        """(S,) stamp of the oldest anchor later than `instants` (S,), NaN where there is none."""
        return np.asarray(np.fmin.reduce(np.where(self.at > instants, self.at, np.nan), axis=0))

    def any_within(self, since: Floats, until: Floats) -> Bools:
        """(S,) whether a chain has an anchor from `since` to `until` (S,), both included."""
        return np.asarray(((self.at >= since) & (self.at <= until)).any(axis=0))


def slot_of(at: Floats) -> Ints:
    """Slot of each stamp [s since 1970 UTC]."""
    return np.asarray(np.floor_divide(at, SLOT_S).astype(np.int64) % SLOTS)


def _gathered(held: Mapping[int, Floats], slot: Ints, legs: Ints, segment: Ints) -> Floats:
    """Value of each flat leg (2 x row + side) in the slot of its chain; `segment` is each leg's chain."""
    used = np.flatnonzero(np.bincount(slot[slot >= 0], minlength=SLOTS)).tolist()
    if len(used) == 1:
        return np.asarray(held[used[0]].ravel()[legs])
    values, slot_of_leg = np.empty(len(legs)), slot[segment]
    for k in used:
        mine = np.flatnonzero(slot_of_leg == k)
        values[mine] = held[k].ravel()[legs[mine]]
    return values
