"""The streaming feed: up to three connections of a thousand instruments, in a thread of its own.

Main entry: `Feed`. Say what is wanted, most important first; take what came whenever it suits. Nothing here blocks the
caller, and nothing is believed that was not heard: an instrument is *covered* while its connection is live and a packet
of it came since it was last subscribed there.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from optionscanner.adapters.angel.feed_connection import Connection, FeedSettings, Status
from optionscanner.adapters.angel.packets import Mode, Ticks, Words, Wrong, parse

URL = "wss://smartapisocket.angelone.in/smart-stream"
_LEAVE_S = 5.0


@dataclass(frozen=True, slots=True)
class ConnectionState:
    """One connection, as SYSTEM_HEALTH shows it."""

    number: int
    status: Status
    tokens: int
    """Subscribed."""
    heard: int
    """Of them, how many were heard of since."""
    packets: int
    """Since the start."""
    lost: int
    """Packets that waited too long to be read and were dropped."""
    quiet_s: float
    """Real seconds since the last packet; infinite before the first."""
    said: str
    """What happened last; empty while all is well."""


class Feed:
    """Its methods may be called from any one thread; `close` ends its own."""

    def __init__(
        self,
        url: str,
        headers: Callable[[], Mapping[str, str]],
        *,
        market_open: Callable[[], bool],
        refused: Callable[[], None] = lambda: None,
        settings: FeedSettings | None = None,
    ) -> None:
        """`headers`: what the handshake needs, asked for at each attempt; may raise a SourceError. `market_open`:
        whether silence is suspicious now. `refused`: called where the broker does not accept the session.
        """
        self._settings = settings or FeedSettings()
        self._next_attempt = 0.0
        self._loop = asyncio.new_event_loop()
        self._connections = [
            Connection(
                number, url, headers, self._settings,
                market_open=market_open, refused=refused, may_connect=self._may_connect,
            )
            for number in range(self._settings.connections)
        ]  # fmt: skip
        self._home: dict[int, int] = {}
        """Key -> number of the connection that carries it."""
        self._wrong: Counter[Wrong] = Counter()
        self._thread = threading.Thread(target=self._run, name="angel-feed", daemon=True)
        self._thread.start()

    def want(self, keys: Mapping[int, Mode] | Sequence[int]) -> int:
        """Carry these instruments, the most important first; how many fit. What is carried already stays in place."""
        modes = dict(keys) if isinstance(keys, Mapping) else dict.fromkeys(keys, Mode.SNAP_QUOTE)
        most = self._settings.tokens
        fitting = list(modes)[: most * len(self._connections)]
        home = {key: self._home[key] for key in fitting if key in self._home}
        room = [most - n for n in np.bincount(list(home.values()), minlength=len(self._connections)).tolist()]
        for key in fitting:
            if key not in home:
                # As few connections as carry them all: each one more is one more that can fail.
                number = next(n for n, free in enumerate(room) if free > 0)
                home[key] = number
                room[number] -= 1
        self._home = home
        for connection in self._connections:
            mine = {key: modes[key] for key in fitting if home[key] == connection.number}
            self._loop.call_soon_threadsafe(connection.want, mine)
        return len(fitting)

    def drain(self) -> list[Ticks]:
        """Everything that came since the last call, in the order of each connection."""
        made: list[Ticks] = []
        for connection in self._connections:
            era, waiting = connection.era, connection.packets
            packets = [waiting.popleft() for _ in range(len(waiting))]
            if not packets:
                continue
            ticks, wrong = parse(packets)
            self._wrong += wrong
            made += ticks
            heard = {int(key) for part in ticks for key in np.unique(part.key)}
            if era == connection.era:
                connection.heard |= heard.intersection(tuple(connection.subscribed))
        return made

    def covered(self) -> Words:
        """Keys of the instruments of which silence means that nothing has changed."""
        keys = [k for c in self._connections if c.status is Status.LIVE for k in tuple(c.heard)]
        return np.array(keys, dtype=np.uint64)

    @property
    def wrong(self) -> Mapping[Wrong, int]:
        """Packets that were left out, by reason."""
        return dict(self._wrong)

    def states(self) -> list[ConnectionState]:
        """Every connection, as it is now."""
        now = time.monotonic()
        return [
            ConnectionState(
                c.number, c.status, len(c.subscribed), len(c.heard), c.count, c.lost, now - c.last_packet_at, c.said
            )
            for c in self._connections
        ]

    def reconnect(self) -> None:
        """Give up every connection and make them anew: after a login, or where what they say is not believed."""
        asyncio.run_coroutine_threadsafe(self._restart(), self._loop)

    def close(self) -> None:
        """End all connections."""
        if self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join(_LEAVE_S)

    # On the loop

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._tasks = [self._loop.create_task(connection.run()) for connection in self._connections]
        try:
            self._loop.run_forever()
            for task in self._tasks:
                task.cancel()
            self._loop.run_until_complete(asyncio.gather(*self._tasks, return_exceptions=True))
        finally:
            self._loop.close()

    async def _restart(self) -> None:
        for number, connection in enumerate(self._connections):
            self._tasks[number].cancel()
            await asyncio.gather(self._tasks[number], return_exceptions=True)
            connection.restarted()
            self._tasks[number] = self._loop.create_task(connection.run())

    def _may_connect(self) -> float:
        """Seconds to wait before the next attempt to connect, 0 to do it now; attempts are kept apart."""
        now = self._loop.time()
        if now < self._next_attempt:
            return self._next_attempt - now
        self._next_attempt = now + self._settings.apart_s
        return 0.0
