"""One connection of the streaming feed: what it carries, and whether it can be believed.

Main entry: `Connection.run`, a task of the feed's loop. It ends only when it is cancelled: after each fault it waits,
longer each time, connects anew and subscribes everything again, since the broker remembers nothing. All waits are in
real seconds. Which instruments were really heard of is counted by whoever reads the packets, see `Connection.heard`.
"""

from __future__ import annotations

import asyncio
import json
import random
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum

import aiohttp

from optionscanner.adapters.angel.packets import Mode
from optionscanner.adapters.angel.universe import feed_name_of
from optionscanner.errors import LoginRefused, SourceError

SUBSCRIBE, UNSUBSCRIBE = 1, 0
_TOKENS_A_REQUEST = 200
_MOST_WAITING = 300_000
"""Packets that may wait to be read, some 110 MB: older ones are dropped then."""
_ERROR_CHARACTERS = 120


class Status(StrEnum):
    """Of a connection, as SYSTEM_HEALTH says it."""

    IDLE = "idle"
    """Nothing to carry."""
    CONNECTING = "connecting"
    LIVE = "live"
    WAITING = "waiting"
    """After a fault, until the next try."""


@dataclass(frozen=True, slots=True)
class FeedSettings:
    """How patient the feed is; real seconds."""

    connections: int = 3
    tokens: int = 1000
    """Instruments of one connection."""
    connect_s: float = 10.0
    ping_s: float = 10.0
    """Between two signs of life from here; the broker closes a feed that says nothing for two minutes."""
    silent_s: float = 25.0
    """Without any answer, to pings neither: the link is dead, though nobody said so."""
    mute_s: float = 30.0
    """Without a packet while the market is open, though pings are answered."""
    verify_s: float = 30.0
    """After which what was subscribed and never heard of is subscribed once more."""
    first_wait_s: float = 1.0
    longest_wait_s: float = 15.0
    full_wait_s: float = 20.0
    """After the broker said that there are too many connections."""
    apart_s: float = 1.5
    """Between two attempts to connect: faster ones are dropped without an answer."""


class Connection:
    """Lives on the feed's loop; another thread empties `packets` from the left."""

    def __init__(
        self,
        number: int,
        url: str,
        headers: Callable[[], Mapping[str, str]],
        settings: FeedSettings,
        *,
        market_open: Callable[[], bool],
        refused: Callable[[], None],
        may_connect: Callable[[], float],
    ) -> None:
        self.number = number
        self._url, self._headers, self._settings = url, headers, settings
        self._market_open, self._refused, self._may_connect = market_open, refused, may_connect
        self.wanted: dict[int, Mode] = {}
        """Key -> mode of everything that this connection is to carry."""
        self.subscribed: dict[int, Mode] = {}
        self.heard: set[int] = set()
        """Keys of which a packet came since they were subscribed; filled by whoever reads the packets."""
        self.status = Status.IDLE
        self.said = ""
        """What happened last, in a sentence."""
        self.packets: deque[bytes] = deque(maxlen=_MOST_WAITING)
        self.count = 0
        self.lost = 0
        self.last_packet_at = float("-inf")
        """By the loop's clock [s]."""
        self.era = 0
        """Grows with every connection that was made: what was heard before it says nothing of now."""
        self._news = asyncio.Event()
        self._failures = 0

    def want(self, keys: Mapping[int, Mode]) -> None:
        """Carry these from now on; on the loop."""
        self.wanted = dict(keys)
        self._news.set()

    async def run(self) -> None:
        """Keep the connection until cancelled."""
        async with aiohttp.ClientSession(trust_env=True) as session:
            while True:
                while not self.wanted:
                    self.status = Status.IDLE
                    self._news.clear()
                    await self._news.wait()
                if (wait := self._may_connect()) > 0:
                    await asyncio.sleep(wait)
                    continue
                self.status = Status.CONNECTING
                pause = await self._lived(session)
                self._forget()
                if not self.wanted:
                    continue
                self.status = Status.WAITING
                self._failures += 1
                patience = min(self._settings.first_wait_s * 2 ** (self._failures - 1), self._settings.longest_wait_s)
                await asyncio.sleep((pause or patience) * random.uniform(0.7, 1.3))

    def restarted(self) -> None:
        """Begin from nothing, with what is wanted; between two runs."""
        self._forget()
        self._failures = 0

    def _forget(self) -> None:
        self.subscribed = {}
        self.heard = set()
        self.era += 1

    async def _lived(self, session: aiohttp.ClientSession) -> float:
        """One connection from its handshake to its end; seconds to wait before the next, 0 for as usual."""
        settings = self._settings
        try:
            headers = dict(self._headers())
            async with asyncio.timeout(settings.connect_s):
                socket = await session.ws_connect(self._url, headers=headers, autoping=True, max_msg_size=2**20)
        except (SourceError, LoginRefused) as error:
            self.said = str(error)
            return 0.0
        except aiohttp.WSServerHandshakeError as error:
            return self._handshake_refused(error)
        except (aiohttp.ClientError, OSError, TimeoutError, ValueError) as error:
            self.said = f"could not connect ({_kind(error)})"
            return 0.0
        try:
            self.status, self.said = Status.LIVE, ""
            await self._serve(socket)
        finally:
            await _closed(socket)
        return 0.0

    def _handshake_refused(self, error: aiohttp.WSServerHandshakeError) -> float:
        words = str(error.headers.get("x-error-message", "") if error.headers else "")[:_ERROR_CHARACTERS]
        if error.status == 429:
            self.said = "refused: too many connections of this client code; is another program connected?"
            return self._settings.full_wait_s
        if error.status in (401, 403):
            self.said = f"refused: the session is not accepted ({words or error.status}); logging in again"
            self._refused()
            return 0.0
        self.said = f"refused with HTTP {error.status}"
        return 0.0

    async def _serve(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        """Read until the connection ends or cannot be believed any more."""
        loop = asyncio.get_running_loop()
        began = alive_at = self.last_packet_at = loop.time()
        self._news.set()
        beating = asyncio.create_task(self._beat(socket))
        try:
            while True:
                try:
                    async with asyncio.timeout(1.0):
                        message = await socket.receive()
                except TimeoutError:
                    message = None
                now = loop.time()
                if message is not None:
                    alive_at = now
                    if message.type is aiohttp.WSMsgType.BINARY:
                        self._keep(message.data, now)
                        self._failures = 0
                    elif message.type is aiohttp.WSMsgType.TEXT:
                        self._hear_text(message.data)
                    else:
                        self.said = f"the broker closed it (code {socket.close_code}, {_shown(message.extra)})"
                        return
                if now - alive_at > self._settings.silent_s:
                    self.said = f"nothing came for {self._settings.silent_s:g} s, not even an answer; connecting anew"
                    return
                quiet = now - max(self.last_packet_at, began)
                if quiet > self._settings.mute_s and self.subscribed and self._market_open():
                    self.said = f"mute: no packet for {self._settings.mute_s:g} s of an open market; connecting anew"
                    return
        finally:
            beating.cancel()

    async def _beat(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        """Subscribe what is wanted, say that somebody is here, and ask again for what was never heard of."""
        loop = asyncio.get_running_loop()
        ping_at = loop.time()
        verify_at = ping_at + self._settings.verify_s
        try:
            while True:
                if self._news.is_set():
                    self._news.clear()
                    await self._subscribe(socket)
                now = loop.time()
                if now >= ping_at:
                    await socket.send_str("ping")
                    await socket.ping()
                    ping_at = now + self._settings.ping_s
                if now >= verify_at:
                    missing = {k: m for k, m in self.subscribed.items() if k not in self.heard}
                    await self._ask(socket, SUBSCRIBE, missing)
                    verify_at = now + 2 * self._settings.verify_s
                try:
                    async with asyncio.timeout(max(min(ping_at, verify_at) - loop.time(), 0.0)):
                        await self._news.wait()
                except TimeoutError:
                    continue
        except (aiohttp.ClientError, ConnectionError, RuntimeError):
            return  # the reader notices too, and knows why

    async def _subscribe(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        """Bring the broker from what is subscribed to what is wanted: first make room, then fill it."""
        gone = {k: m for k, m in self.subscribed.items() if self.wanted.get(k) is not m}
        new = {k: m for k, m in self.wanted.items() if self.subscribed.get(k) is not m}
        await self._ask(socket, UNSUBSCRIBE, gone)
        for key in gone:
            del self.subscribed[key]
            self.heard.discard(key)
        await self._ask(socket, SUBSCRIBE, new)
        self.subscribed |= new

    async def _ask(self, socket: aiohttp.ClientWebSocketResponse, action: int, keys: Mapping[int, Mode]) -> None:
        for mode in Mode:
            of_mode = [key for key, its in keys.items() if its is mode]
            for start in range(0, len(of_mode), _TOKENS_A_REQUEST):
                await socket.send_str(request(action, mode, of_mode[start : start + _TOKENS_A_REQUEST]))

    def _keep(self, packet: bytes, now: float) -> None:
        self.lost += len(self.packets) == _MOST_WAITING
        self.packets.append(packet)
        self.count += 1
        self.last_packet_at = now

    def _hear_text(self, text: str) -> None:
        """A pong, or an error; the documented error is not even valid JSON, so it is only looked at."""
        if text != "pong":
            code = next((code for code in ("E1001", "E1002") if code in text), "")
            meaning = {"E1001": "a request was not understood", "E1002": "too many instruments are subscribed"}
            self.said = f"the broker says {code or 'something unknown'}: {meaning.get(code, _shown(text))}"


def request(action: int, mode: Mode, keys: Iterable[int]) -> str:
    """A request of the feed, for instruments of any exchange segments."""
    by_segment: dict[int, list[str]] = {}
    for key in keys:
        segment, token = feed_name_of(key)
        by_segment.setdefault(segment, []).append(token)
    tokens = [{"exchangeType": segment, "tokens": names} for segment, names in by_segment.items()]
    return json.dumps({"action": action, "params": {"mode": int(mode), "tokenList": tokens}})


async def _closed(socket: aiohttp.ClientWebSocketResponse) -> None:
    try:
        async with asyncio.timeout(1.0):
            await socket.close()
    except (TimeoutError, aiohttp.ClientError, ConnectionError):
        return


def _shown(text: object) -> str:
    """Somebody else's words: one line, not long."""
    line = " ".join("".join(c if c.isprintable() else " " for c in str(text or "no reason")).split())
    return f'"{line[:_ERROR_CHARACTERS]}"'


def _kind(error: BaseException) -> str:
    """What failed, without an address."""
    if isinstance(error, TimeoutError):
        return "no answer in time"
    if isinstance(error, aiohttp.ClientConnectorDNSError):
        return "its name could not be looked up: is the network up?"
    if isinstance(error, aiohttp.ClientSSLError):
        return "its certificate was not accepted"
    if isinstance(error, ConnectionRefusedError) or isinstance(error.__cause__, ConnectionRefusedError):
        return "connection refused"
    return "the connection broke off"
