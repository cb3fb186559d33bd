"""Which of the broker's instruments make up the day: the key of each leg, future and spot of the layout. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from optionscanner.adapters.angel.packets import Ints, Segment, Words
from optionscanner.model.context import DayContext

EXCHANGES = {Segment.NSE: "NSE", Segment.NFO: "NFO", Segment.BSE: "BSE", Segment.BFO: "BFO"}


@dataclass(frozen=True, eq=False)
class Universe:
    """The instruments of a day, aligned with its layout. A key is that of `packets.key_of`; 0 = no such instrument.

    All of them stand in one row of *places*: the calls and puts of every strike row (2 R, call before put), then the
    futures (F), the underlyings (U), and India VIX.
    """

    day: DayContext
    leg_key: Words
    """(R, 2)."""
    future_key: Words
    """(F,)."""
    spot_key: Words
    """(U,)."""
    vix_key: int

    @property
    def first_future(self) -> int:
        """Place of the first future."""
        return self.leg_key.size

    @property
    def first_spot(self) -> int:
        """Place of the first underlying."""
        return self.leg_key.size + len(self.future_key)

    @property
    def vix(self) -> int:
        """Place of India VIX, the last one."""
        return self.first_spot + len(self.spot_key)

    @cached_property
    def keys(self) -> Words:
        """(P,) key of every place."""
        vix = np.array([self.vix_key], dtype=np.uint64)
        return np.concatenate([self.leg_key.ravel(), self.future_key, self.spot_key, vix])

    @cached_property
    def _sorted(self) -> tuple[Words, Ints]:
        order = np.argsort(self.keys, kind="stable")
        order = order[self.keys[order] != 0]
        return self.keys[order], order

    def places(self, keys: Words) -> Ints:
        """(n,) place of each key, -1 for one that is not of this day."""
        known, order = self._sorted
        if not len(known):
            return np.full(len(keys), -1, dtype=np.int64)
        at = np.minimum(np.searchsorted(known, keys), len(known) - 1)
        return np.where(known[at] == keys, order[at], -1)


def name_of(key: int) -> tuple[str, str]:
    """Exchange segment and token of a key, as requests name them."""
    segment = Segment(((key >> 6) & 3) + 1)
    text = (key & ~0xC0).to_bytes(8, "little").rstrip(b"\0").decode("ascii")
    return EXCHANGES[segment], text


def feed_name_of(key: int) -> tuple[int, str]:
    """Number of the exchange segment and token of a key, as the feed names them."""
    return ((key >> 6) & 3) + 1, name_of(key)[1]
