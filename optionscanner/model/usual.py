"""What volume over open interest was usual in a chain at each time of the day, in earlier sessions.

Main entry: `UsualRatios.share_below`. Of each name's nearest chain a session leaves one line per quarter of an hour:
the ratios below which certain shares of its traded legs lay. Between two lines ratios are interpolated in time, because
they grow all day; within a line between its shares.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

import numpy as np

from optionscanner.model.contracts import Floats, Ints

SLOT_S = 900.0
"""Seconds of the session that one line stands for the beginning of."""
SLOTS = 32
"""Lines of the longest session, eight hours."""
SHARES = (25.0, 50.0, 75.0, 90.0, 95.0, 99.0, 100.0)
"""Per cent of the traded legs that lie below the noted ratios."""

_FROM = np.array([0.0, *SHARES])
_TO = np.array([*SHARES, 100.0])


@dataclass(frozen=True, eq=False)
class UsualRatios:
    """Ratios of `names` in D earlier sessions."""

    names: tuple[str, ...]
    dates: tuple[date, ...]
    """D trading dates, ascending."""
    ratios: Floats
    """(D, names, SLOTS, len(SHARES)) volume over open interest, rising along the last axis; NaN where not noted."""

    @classmethod
    def none(cls, names: Sequence[str]) -> UsualRatios:
        """No session is known."""
        return cls(tuple(names), (), np.full((0, len(names), SLOTS, len(SHARES)), np.nan))

    def on(self, names: Sequence[str]) -> UsualRatios:
        """The same of these names, in their order; those that are not known have no ratios."""
        wanted = tuple(names)
        if wanted == self.names:
            return self
        place = {name: i for i, name in enumerate(self.names)}
        made = np.full((len(self.dates), len(wanted), SLOTS, len(SHARES)), np.nan)
        for i, name in enumerate(wanted):
            if name in place:
                made[:, i] = self.ratios[:, place[name]]
        return UsualRatios(wanted, self.dates, made)

    def share_below(self, name: Ints, since_open: Floats, ratio: Floats) -> tuple[Floats, Ints]:
        """(n,) per cent of the name's traded legs that had a smaller ratio at that time of the day, and the sessions.

        `name` (n,) index into `names`, `since_open` (n,) seconds, `ratio` (n,). The mean over the sessions that noted
        the time, NaN where none did.
        """
        place = np.clip(since_open / SLOT_S, 0.0, SLOTS - 1.0)
        slot = np.floor(place).astype(np.int64)
        part = (place - slot)[None, :, None]
        here = self.ratios[:, name, slot]
        later = self.ratios[:, name, np.minimum(slot + 1, SLOTS - 1)]
        knots = here + part * (np.where(np.isnan(later), here, later) - here)
        below = (knots < ratio[None, :, None]).sum(axis=2)
        line = np.arange(below.size).reshape(below.shape)
        padded = np.concatenate([np.zeros((*below.shape, 1)), knots], axis=2).reshape(-1, len(SHARES) + 1)
        low, high = padded[line, below], padded[line, np.minimum(below + 1, len(SHARES))]
        width = np.where(high > low, high - low, 1.0)
        share = _FROM[below] + np.minimum((ratio - low) / width, 1.0) * (_TO[below] - _FROM[below])
        known = np.isfinite(knots[:, :, 0])
        sessions = known.sum(axis=0)
        total = np.where(known, share, 0.0).sum(axis=0)
        return np.where(sessions > 0, total / np.maximum(sessions, 1), np.nan), sessions
