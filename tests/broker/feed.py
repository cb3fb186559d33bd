"""The market feed (websocket 2.0): who may open one, what is pushed, when it is closed.

Main entries: `Feed.open`, a request handler, and `Feed.push`. Each observation of the market pushes one packet for each
subscribed (token, mode) of which it said something.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter, deque
from collections.abc import Iterator
from typing import Any

import numpy as np
from aiohttp import web

from optionscanner.model.contracts import Ints
from tests.broker.connections import GOING_AWAY, Connection, NotValid, error_frame, read_request
from tests.broker.packets import packets
from tests.broker.parts import Parts

PATH = "/smart-stream"
_LIMIT_WORDS = "Invalid Request. Connection Limit Exceeded."


class Feed:
    """All connections of the feed."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._open: dict[int, Connection] = {}
        self._attempts: deque[float] = deque()
        self._floods: set[asyncio.Task[None]] = set()
        self.outcomes: Counter[str] = Counter()
        """What became of every attempt to connect, of every request, and why feeds ended."""

    @property
    def connections(self) -> list[Connection]:
        """Those that are open, oldest first."""
        return list(self._open.values())

    async def open(self, request: web.Request) -> web.StreamResponse:
        """Serve one connection to its end."""
        refused = await self._refused(request)
        if refused is not None:
            return refused
        socket = web.WebSocketResponse(autoping=False, compress=False, timeout=1.0)
        now = asyncio.get_running_loop().time()
        connection = Connection(self.outcomes["opened"], request, socket, now)
        self.outcomes["opened"] += 1
        # Before the first wait, so that many at once are not more than is allowed.
        self._open[connection.number] = connection
        try:
            await socket.prepare(request)
            connection.send(["pong"])
            await connection.serve(self._parts, self._request)
        finally:
            del self._open[connection.number]
            self.outcomes["ended"] += 1
        return socket

    async def _refused(self, request: web.Request) -> web.Response | None:
        """What a connection gets instead of a feed."""
        parts, settings = self._parts, self._parts.settings
        now = time.monotonic()
        self._attempts.append(now)
        while self._attempts[0] < now - settings.rapid_seconds:
            self._attempts.popleft()
        kind, words = parts.faults.handshakes.pop(0) if parts.faults.handshakes else ("", "")
        rapid = 0 < settings.rapid_connections <= len(self._attempts)
        if kind == "drop" or rapid:
            self.outcomes["dropped" if kind else "dropped as rapid"] += 1
            if request.transport is not None:
                request.transport.close()
            raise ConnectionResetError("dropped")
        if kind == "silent":
            self.outcomes["never answered"] += 1
            while request.transport is not None and not request.transport.is_closing():
                await asyncio.sleep(0.05)
            raise ConnectionResetError("the other side gave up")
        error = words if kind == "401" else parts.sessions.feed_error(request.headers, request.query)
        if error is not None:
            self.outcomes["401"] += 1
            return web.Response(status=401, headers={"x-error-message": error})
        if kind == "429" or len(self._open) >= settings.connections:
            self.outcomes["429"] += 1
            headers = {"x-error-message": _LIMIT_WORDS, "Content-Type": "text/html;charset=iso-8859-1"}
            return web.Response(status=429, headers=headers)
        return None

    def _request(self, connection: Connection, text: str) -> None:
        settings = self._parts.settings
        try:
            wanted = read_request(text, self._parts.board.instruments.by_feed)
        except NotValid as refused:
            self.outcomes["E1001"] += 1
            connection.send([error_frame(str(refused), "E1001", "Invalid Request Payload.")])
            return
        new = connection.take(wanted, most=settings.subscriptions, most_depth=settings.depth_tokens)
        if new is None:
            self.outcomes["E1002"] += 1
            words = "Invalid Request. Subscription Limit Exceeded"
            connection.send([error_frame(wanted.correlation, "E1002", words)])
        elif new and settings.snapshot_on_subscribe and not connection.muted:
            connection.send(self._packets(wanted.mode, np.array(new, dtype=np.int64)))

    def push(self) -> None:
        """Send what the newest look at the market brought."""
        changed = self._parts.board.changed
        for connection in self._open.values():
            if connection.muted or connection.stalled:
                continue
            for mode in connection.subscribed:
                lines = connection.lines(mode)
                told = lines[changed[lines]]
                if len(told):
                    connection.send(self._packets(mode, told))

    def _packets(self, mode: int, lines: Ints) -> list[bytes]:
        parts = self._parts
        values = parts.spoiled.seen(lines)
        lines, values = lines[values.seen], values.at(values.seen)
        made = packets(mode, lines, values, parts.board.instruments, garbage_change=parts.faults.garbage_change)
        whole, size = made.tobytes(), made.dtype.itemsize
        return [whole[at : at + size] for at in range(0, len(whole), size)]

    def close_idle(self) -> None:
        """Close what has been silent for too long."""
        now = asyncio.get_running_loop().time()
        for connection in self.connections:
            if now - connection.heard_at > self._parts.settings.idle_seconds and not connection.stalled:
                connection.heard_at = now
                self.outcomes["idle"] += 1
                connection.close(GOING_AWAY, "Connection Idle Timeout")

    def chosen(self, number: int | None) -> Iterator[Connection]:
        """One open connection by its number, or all of them."""
        return iter([c for c in self.connections if number in (None, c.number)])

    def flood(self, connection: Connection, per_second: int, seconds: float) -> None:
        """Send a connection's packets over and over, so many a second."""
        task = asyncio.create_task(self._flood(connection, per_second, seconds))
        self._floods.add(task)
        task.add_done_callback(self._floods.discard)

    async def _flood(self, connection: Connection, per_second: int, seconds: float) -> None:
        made: list[bytes] = []
        for mode in connection.subscribed:
            made += self._packets(mode, connection.lines(mode))
        began, sent = time.monotonic(), 0
        while made and (spent := time.monotonic() - began) < seconds and connection.number in self._open:
            due = int(spent * per_second) - sent
            connection.send([made[(sent + i) % len(made)] for i in range(due)])
            sent += due
            await asyncio.sleep(0.005)
        connection.send([made[i % len(made)] for i in range(sent, int(per_second * seconds)) if made])

    async def stop(self) -> None:
        """End everything."""
        for task in self._floods:
            task.cancel()
        for connection in self.connections:
            connection.abort()

    def report(self) -> dict[str, Any]:
        """For people and JSON."""
        return {"outcomes": dict(self.outcomes), "open": [connection.report() for connection in self.connections]}
