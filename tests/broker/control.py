"""What a test, or a person, can ask of a running stand-in: its time, its faults, its counts.

Main entry: `Control`. The same methods are reached from the thread of a test (`OnLoop`) and by HTTP on a port of their
own (`POST /<method>` with the arguments as JSON), which stays when the broker's network is gone.
"""

from __future__ import annotations

import asyncio
import inspect
import json
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import asdict
from typing import Any

from aiohttp import web

from tests.broker.connections import GOING_AWAY
from tests.broker.feed import Feed
from tests.broker.parts import Parts

HANDSHAKES = ("drop", "401", "429", "silent")
FEED_KINDS = ("reset", "close", "stall", "mute", "resume", "cut", "text", "bytes", "flood")


class Control:
    """Everything that can be asked for. Runs on the server's own loop."""

    def __init__(
        self, parts: Parts, feed: Feed, network: Callable[[bool], Awaitable[None]], looked: Callable[[], None]
    ) -> None:
        """`network` takes the network away or brings it back, `looked` brings the market up to now."""
        self._parts = parts
        self._looked = looked
        self._feed = feed
        self._network = network
        self._logout: asyncio.Task[None] | None = None

    def now(self) -> float:
        """The broker's time, seconds since 1970 UTC."""
        return self._parts.clock.now()

    def time(self, instant: float | None = None, speed: float | None = None) -> float:
        """Set the broker's time [s since 1970 UTC], its speed [broker's s per real s; 0 stands still], or both."""
        if instant is not None:
            self._parts.clock.set(instant)
        if speed is not None:
            self._parts.clock.run(speed)
        self._looked()
        return self._parts.clock.now()

    def fault(
        self,
        kind: str,
        group: str = "*",
        times: int | None = None,
        skip: int = 0,
        every: int = 1,
        seconds: float = 8.0,
    ) -> None:
        """Requests of a group (`limits.LIMITS`, or master) meet this; see `Faults.set_rest`."""
        self._parts.faults.set_rest(kind, group=group, times=times, skip=skip, every=every, seconds=seconds)

    def spoil(
        self,
        kind: str,
        underlying: str | None = None,
        kinds: Sequence[str] = ("CE", "PE", "FUT", "INDEX", "STOCK"),
        tokens: Sequence[str] | None = None,
        factor: float = 2.0,
    ) -> int:
        """The market says something wrong of some instruments; how many. See `Spoiled.set`."""
        return self._parts.spoiled.set(kind, underlying=underlying, kinds=kinds, tokens=tokens, factor=factor)

    def feed(
        self,
        kind: str,
        number: int | None = None,
        code: int = GOING_AWAY,
        reason: str = "",
        size: int = 40,
        count: int = 1,
        text: str = "",
        seconds: float = 1.0,
    ) -> int:
        """Something happens to one open feed, or to all (number None); to how many.

        reset: hang up without a word. close: with `code` and `reason`. stall: nothing is said any more, not even to a
        ping. mute: no packets, but pongs. resume: both are over. cut: the next `count` packets end after `size` bytes.
        text, bytes: one frame with `text` (hexadecimal for bytes). flood: `count` packets a second for `seconds`.
        """
        if kind not in FEED_KINDS:
            raise ValueError(f"unknown fault of the feed {kind!r}; there are {', '.join(FEED_KINDS)}")
        chosen = list(self._feed.chosen(number))
        for connection in chosen:
            if kind == "reset":
                connection.abort()
            elif kind == "close":
                connection.close(code, reason)
            elif kind in ("stall", "mute", "resume"):
                connection.stalled, connection.muted = kind == "stall", kind == "mute"
            elif kind == "cut":
                connection.cut, connection.cuts = size, count
            elif kind == "flood":
                self._feed.flood(connection, count, seconds)
            else:
                connection.send([text] if kind == "text" else [bytes.fromhex(text)])
        self._parts.faults.done[f"feed {kind}"] += len(chosen)
        return len(chosen)

    def handshake(self, kind: str, words: str = "Invalid Header - Invalid Auth token", times: int = 1) -> None:
        """What the next `times` attempts to open a feed meet: drop, 401 (with `words`), 429, silent."""
        if kind not in HANDSHAKES:
            raise ValueError(f"unknown fault of the handshake {kind!r}; there are {', '.join(HANDSHAKES)}")
        self._parts.faults.handshakes += [(kind, words)] * times

    def garbage_change(self, on: bool = True) -> None:
        """The change of open interest in SNAP_QUOTE packets is garbage."""
        self._parts.faults.garbage_change = on

    def clock_ahead(self, seconds: float) -> None:
        """The broker's wall clock (TOTP, tokens, Date) is so far ahead of the truth."""
        self._parts.faults.clock_ahead = seconds

    async def network(self, up: bool) -> None:
        """Take the network away, with every connection, or bring it back."""
        await self._network(up)

    def revoke(self, expired: bool = False, close_feeds: bool = True, at: float | None = None) -> None:
        """All tokens die, now or `at` a time of the broker [s since 1970 UTC]; feeds are closed with 1001."""
        if at is not None:
            self._logout = asyncio.create_task(self._revoke_at(at, expired, close_feeds))
            return
        self._parts.sessions.revoke(expired=expired)
        if close_feeds:
            self.feed("close", reason="Session Logged Out")

    async def _revoke_at(self, at: float, expired: bool, close_feeds: bool) -> None:
        while self._parts.clock.now() < at:
            await asyncio.sleep(0.02)
        self.revoke(expired, close_feeds)

    def block(self, on: bool = True) -> None:
        """The client is blocked, so that no login succeeds."""
        self._parts.sessions.blocked = on

    def hold(self, exchange: str, token: str, units: int, price: float, product: str = "CARRYFORWARD") -> None:
        """Put a position into the book: units bought (above 0) or sold at a price [₹]."""
        self._parts.orders.hold(exchange, token, units, price, product)

    def well(self) -> None:
        """Every fault is over. What it has ended stays ended: feeds, logins, the network."""
        self._parts.faults.clear()
        self._parts.spoiled.clear()
        for connection in self._feed.connections:
            connection.stalled = connection.muted = False
            connection.cuts = 0

    def report(self) -> dict[str, Any]:
        """Counts of all there is: requests by group with their limits, violations, logins, feeds, faults."""
        parts = self._parts
        statuses: dict[str, dict[str, int]] = {}
        for _, group, status in parts.asked:
            of = statuses.setdefault(group, {})
            of[str(status)] = of.get(str(status), 0) + 1
        return {
            "now": parts.clock.now(),
            "violations": parts.limiter.violations,
            "requests": parts.limiter.report(),
            "statuses": statuses,
            "logins": dict(parts.sessions.logins),
            "feed": self._feed.report(),
            "faults": dict(parts.faults.done),
            "observations": parts.board.version,
        }

    def account(self) -> dict[str, str]:
        """Credentials of the stand-in's one client."""
        return asdict(self._parts.settings.account)


def methods(control: Control) -> list[str]:
    """What can be asked for by name."""
    return [name for name, _ in inspect.getmembers(control, callable) if name[0] != "_"]


class OnLoop:
    """The methods of `Control` for other threads: each runs on the server's loop and returns its result."""

    def __init__(self, control: Control, loop: asyncio.AbstractEventLoop) -> None:
        self._control = control
        self._loop = loop

    def __getattr__(self, name: str) -> Callable[..., Any]:
        method = getattr(self._control, name)

        async def run(*args: Any, **named: Any) -> Any:
            result = method(*args, **named)
            return await result if inspect.isawaitable(result) else result

        return lambda *args, **named: asyncio.run_coroutine_threadsafe(run(*args, **named), self._loop).result(30.0)


def control_app(control: Control) -> web.Application:
    """The HTTP side of it: `GET /` lists the methods, `POST /<method>` asks."""

    async def ask(request: web.Request) -> web.Response:
        name = request.match_info["name"]
        if name not in methods(control):
            return web.json_response(
                {"error": f"there is no {name}; there are {', '.join(methods(control))}"}, status=404
            )
        try:
            text = await request.text()
            result = getattr(control, name)(**(json.loads(text) if text else {}))
            done = await result if inspect.isawaitable(result) else result
        except (TypeError, ValueError, KeyError) as refused:
            return web.json_response({"error": str(refused)}, status=400)
        return web.json_response({"result": done})

    async def listed(_: web.Request) -> web.Response:
        return web.json_response(methods(control))

    app = web.Application()
    app.router.add_get("/", listed)
    app.router.add_route("*", "/{name}", ask)
    return app
