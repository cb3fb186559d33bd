"""The parts of one stand-in, as requests and feeds see them."""

from __future__ import annotations

import time
from collections import deque
from dataclasses import dataclass, field
from functools import cached_property

from tests.broker.accounts import Sessions
from tests.broker.board import Board
from tests.broker.clock import BrokerClock
from tests.broker.faults import Faults
from tests.broker.limits import Limiter
from tests.broker.market import Source
from tests.broker.master import master_file
from tests.broker.orders import Orders
from tests.broker.settings import Settings
from tests.broker.spoiled import Spoiled

_REMEMBERED = 200_000


@dataclass(eq=False)
class Parts:
    """Everything that is one for the whole stand-in. Used by the server's own thread alone."""

    settings: Settings
    source: Source
    asked: deque[tuple[float, str, int]] = field(default_factory=lambda: deque(maxlen=_REMEMBERED))
    """(broker's time, group, HTTP status) of the newest requests; 0 for one that got no answer."""

    def __post_init__(self) -> None:
        settings = self.settings
        start = self.source.opens if settings.start is None else settings.start
        self.clock = BrokerClock(start, settings.speed)
        self.faults = Faults()
        self.board = Board(self.source)
        self.spoiled = Spoiled(self.board)
        self.sessions = Sessions(settings, self.wall)
        scaled = settings.limits == "scaled"
        grace = settings.limit_grace * (settings.speed if scaled else 1.0)
        counted = self.clock.now if scaled else time.monotonic
        self.limiter = Limiter(counted, on=settings.limits != "off", grace=grace)
        self.orders = Orders(self.board, self.clock.now)

    def wall(self) -> float:
        """What the broker's wall clock shows, seconds since 1970 UTC."""
        now = self.clock.now() if self.settings.wall == "broker" else time.time()
        return now + self.faults.clock_ahead

    def look(self) -> bool:
        """Take in what the market says by now; whether it said anything new."""
        return self.board.advance(self.clock.now())

    @cached_property
    def master(self) -> bytes:
        """The instrument master file."""
        return master_file(self.board.instruments, rows=self.settings.master_rows)
