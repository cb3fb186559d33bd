"""When each leg last changed, so that its newest quote is found without searching the day.

A leg is stored only when it changes, and half of a market's legs do not for hours. At every sixteenth observation of a
chain the history keeps, for each of its legs, the instant of the newest change: an *anchor*. Whoever looks for a leg's
quote at an observation walks back through fewer than sixteen others and then asks the anchor.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass

import numpy as np

from optionscanner.model.contracts import Floats, Ints, Layout, moved
from optionscanner.model.pairs import latest

OBSERVATIONS_PER_ANCHOR = 16


@dataclass
class Changes:
    """What is stored of the legs of `layout`; instants in ms since 1970 UTC, NaN = none."""

    layout: Layout
    changed_at: Floats
    """(2 R,) newest stored quote of each flat leg (2 x row + side)."""
    observations: Ints
    """(S,) observations of each chain that quotes are stored at."""
    anchored_at: Floats
    """(S,) newest anchor of each chain."""

    @classmethod
    def none(cls, layout: Layout) -> Changes:
        """Nothing stored yet."""
        return cls(
            layout,
            np.full(2 * layout.rows, np.nan),
            np.zeros(layout.segments, dtype=np.int64),
            np.full(layout.segments, np.nan),
        )

    def on(self, layout: Layout) -> Changes:
        """The same on another layout: everything moves by contract."""
        if layout is self.layout:
            return self
        rows, segments = layout.rows_from(self.layout), layout.segments_from(self.layout)
        return Changes(
            layout,
            moved(self.changed_at.reshape(-1, 2), rows, np.nan).ravel(),
            moved(self.observations, segments, 0),
            moved(self.anchored_at, segments, np.nan),
        )

    def add(self, *, leg: Ints, at: Floats, segments: Ints, observed_at: Floats) -> Floats:
        """Take over a cycle; returns the anchors it makes, (m, 3): at, flat leg, changed_at.

        `leg` and `at`: the stored quotes; `segments` and `observed_at`: the chains that they are of, each once.
        """
        self.changed_at[leg] = at
        self.observations[segments] += 1
        # Each chain has its own turn, so that no cycle anchors the whole market.
        turn = np.array([zlib.crc32(repr(self.layout.segment_keys[s]).encode()) for s in segments], dtype=np.int64)
        # After a clock was set back, a leg may have changed "later" than now: no anchor until that is past.
        newest = np.fmax.reduceat(latest(self.changed_at.reshape(-1, 2)), self.layout.starts)
        due = (self.observations[segments] + turn) % OBSERVATIONS_PER_ANCHOR == 0
        due &= newest[segments] <= observed_at
        self.anchored_at[segments[due]] = observed_at[due]
        instants = np.full(self.layout.segments, np.nan)
        instants[segments[due]] = observed_at[due]
        of_leg = np.repeat(instants[self.layout.row_segment], 2)
        anchored = np.flatnonzero(np.isfinite(of_leg) & np.isfinite(self.changed_at))
        return np.column_stack([of_leg[anchored], anchored, self.changed_at[anchored]])
