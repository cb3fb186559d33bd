"""Where cycles wait while the file cannot be written: in memory, bounded, in order.

When it is full, newer cycles are lost rather than older ones: what waits then stays without a gap from the moment the
trouble began, and the first cycle stored afterwards carries the whole picture.
"""

from __future__ import annotations

import pickle
import zlib
from collections import deque

from optionscanner.history.encode import EncodedCycle
from optionscanner.model.context import DayContext


class Spool:
    """At most `room` encoded cycles, packed to about half a megabyte for a whole market."""

    def __init__(self, room: int) -> None:
        self.room = room
        self._waiting: deque[tuple[DayContext, bytes]] = deque()

    def __len__(self) -> int:
        return len(self._waiting)

    @property
    def is_full(self) -> bool:
        """Whether another cycle would be lost."""
        return len(self) >= self.room

    def put(self, day: DayContext, cycle: EncodedCycle) -> None:
        """Let a cycle wait behind the others."""
        # Never leaves this process: bytes only because they are smaller than the objects.
        self._waiting.append((day, zlib.compress(pickle.dumps(cycle, pickle.HIGHEST_PROTOCOL), 1)))

    def first(self) -> tuple[DayContext, EncodedCycle]:
        """The cycle that waits longest; it stays until `drop_first`."""
        day, packed = self._waiting[0]
        cycle: EncodedCycle = pickle.loads(zlib.decompress(packed))
        return day, cycle

    def drop_first(self) -> None:
        """The cycle that waited longest is stored, or cannot be."""
        self._waiting.popleft()
