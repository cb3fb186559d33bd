"""One connection of the feed: what it subscribed, what waits to be sent, and what is wrong with it."""

from __future__ import annotations

import asyncio
import json
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from aiohttp import WSCloseCode, WSMsgType, web

from optionscanner.model.contracts import Ints
from tests.broker.instruments import FEED_TYPES
from tests.broker.packets import DEPTH, LAYOUTS
from tests.broker.parts import Parts

_OUTBOX = 200_000
"""Packets that wait for a slow reader, at most; older ones are lost then."""


_CLOSE_SECONDS = 2.0


class NotValid(Exception):
    """A request that is none."""


@dataclass(frozen=True)
class Wanted:
    """A request of the feed: (mode, line) pairs to add or to drop; unknown tokens are left out."""

    correlation: str
    subscribe: bool
    mode: int
    lines: tuple[int, ...]


@dataclass(eq=False)
class Connection:
    """One feed that is open."""

    number: int
    """Counted from 0 over the life of the stand-in."""
    request: web.Request
    socket: web.WebSocketResponse
    heard_at: float
    """By the loop's clock [s]."""
    subscribed: dict[int, set[int]] = field(default_factory=dict)
    """mode -> lines of the board"""
    stalled: bool = False
    """Says nothing at all any more, not even to a ping."""
    muted: bool = False
    """Sends no packets, but answers pings."""
    cut: int | None = None
    """Bytes after which packets end; None for whole ones."""
    cuts: int = 0
    """How many packets are still to be cut."""
    sent: int = 0
    lost: int = 0
    """Packets that the reader was too slow for."""
    _closing: asyncio.Task[None] | None = None
    _outbox: deque[bytes | str] = field(default_factory=deque)
    _filled: asyncio.Event = field(default_factory=asyncio.Event)
    _arrays: dict[int, Ints] = field(default_factory=dict)

    @property
    def size(self) -> int:
        """How many (token, mode) pairs are subscribed."""
        return sum(len(lines) for lines in self.subscribed.values())

    def lines(self, mode: int) -> Ints:
        """Subscribed lines of a mode, ascending."""
        if mode not in self._arrays:
            self._arrays[mode] = np.array(sorted(self.subscribed.get(mode, ())), dtype=np.int64)
        return self._arrays[mode]

    def take(self, wanted: Wanted, *, most: int, most_depth: int) -> tuple[int, ...] | None:
        """Subscribe or unsubscribe; the lines that are new, or None where that would be too many: then nothing is
        taken at all."""
        have = self.subscribed.setdefault(wanted.mode, set())
        self._arrays.pop(wanted.mode, None)
        if not wanted.subscribe:
            have.difference_update(wanted.lines)
            return ()
        new = tuple(line for line in dict.fromkeys(wanted.lines) if line not in have)
        if self.size + len(new) > most or (wanted.mode == DEPTH and len(have) + len(new) > most_depth):
            return None
        have.update(new)
        return new

    def send(self, messages: list[bytes] | list[str]) -> None:
        """Put into the outbox."""
        self._outbox.extend(messages)
        while len(self._outbox) > _OUTBOX:
            self._outbox.popleft()
            self.lost += 1
        self._filled.set()

    async def write(self) -> None:
        """Send what is in the outbox until cancelled or the other side is gone."""
        while True:
            await self._filled.wait()
            self._filled.clear()
            while self._outbox:
                message = self._outbox.popleft()
                if self.stalled:
                    continue
                try:
                    await self._write(message)
                except (ConnectionError, RuntimeError):
                    return

    async def _write(self, message: bytes | str) -> None:
        if isinstance(message, str):
            await self.socket.send_str(message)
            return
        if self.cuts and self.cut is not None:
            self.cuts -= 1
            message = message[: self.cut]
        await self.socket.send_bytes(message)
        self.sent += 1

    def close(self, code: int, reason: str) -> None:
        """Close in good order, while others are served; a client that does not answer is hung up on."""
        if self._closing is None:
            self._closing = asyncio.create_task(self._close(code, reason))

    async def _close(self, code: int, reason: str) -> None:
        try:
            await asyncio.wait_for(self.socket.close(code=code, message=reason.encode("utf-8")), _CLOSE_SECONDS)
        except (TimeoutError, ConnectionError):
            self.abort()

    def abort(self) -> None:
        """Hang up without a word."""
        if self.request.transport is not None:
            self.request.transport.abort()

    async def serve(self, parts: Parts, on_request: Any) -> None:
        """Answer until the other side is gone; `on_request` takes each text that is no ping."""
        loop = asyncio.get_running_loop()
        writer = asyncio.create_task(self.write())
        try:
            async for message in self.socket:
                if message.type in (WSMsgType.TEXT, WSMsgType.PING) and (
                    message.type == WSMsgType.TEXT or parts.settings.protocol_ping_counts
                ):
                    self.heard_at = loop.time()
                if self.stalled:
                    continue
                if message.type == WSMsgType.PING:
                    await self.socket.pong(message.data)
                elif message.type == WSMsgType.TEXT:
                    if message.data == "ping":
                        self.send(["pong"])
                    else:
                        on_request(self, message.data)
        except ConnectionError:
            pass
        finally:
            writer.cancel()

    def report(self) -> dict[str, Any]:
        """For people and JSON."""
        modes = {str(mode): len(lines) for mode, lines in self.subscribed.items() if lines}
        return {"number": self.number, "subscribed": modes, "sent": self.sent, "lost": self.lost}


def read_request(text: str, by_feed: Mapping[tuple[int, str], int]) -> Wanted:
    """A subscribe or unsubscribe request; raises NotValid with what can be told of its correlation id."""
    try:
        said = json.loads(text)
    except ValueError:
        raise NotValid("") from None
    correlation = str(said.get("correlationID", "")) if isinstance(said, dict) else ""
    try:
        action, mode = said["action"], said["params"]["mode"]
        pairs = [(int(part["exchangeType"]), str(t)) for part in said["params"]["tokenList"] for t in part["tokens"]]
    except (KeyError, TypeError, ValueError):
        raise NotValid(correlation) from None
    if action not in (0, 1) or mode not in LAYOUTS:
        raise NotValid(correlation)
    if mode == DEPTH and any(kind != FEED_TYPES["NSE"] for kind, _ in pairs):
        raise NotValid(correlation)
    lines = tuple(by_feed[pair] for pair in pairs if pair in by_feed)
    return Wanted(correlation, action == 1, mode, lines)


def error_frame(correlation: str, code: str, words: str) -> str:
    """The text frame by which the feed refuses."""
    return json.dumps({"correlationID": correlation, "errorCode": code, "errorMessage": words})


GOING_AWAY = int(WSCloseCode.GOING_AWAY)
