"""Trouble on demand at the wire: what an answer or a connection does instead of what it should.

Main entry: `Faults`. What the market itself says wrongly is in `spoiled.py`.
"""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from aiohttp import web

from tests.broker import envelopes
from tests.broker.envelopes import answer, gateway_refusal, refusal
from tests.broker.limits import LIMITS

ANY = "*"

_REPLIES: dict[str, Callable[[], web.Response]] = {
    "empty-400": lambda: web.Response(status=400),
    "firewall": envelopes.rejected,
    "try-later": lambda: refusal(*envelopes.TRY_LATER),
    "rate-limit": envelopes.too_many,
    "rate-limit-json": lambda: refusal("AB1021", "Too many requests"),
    "server-error": lambda: web.Response(text="<html>502 Bad Gateway</html>", status=502, content_type="text/html"),
    "status-string": lambda: answer(
        {"status": "false", "message": "Something Went Wrong", "errorcode": "AB2001", "data": None}
    ),
    "no-message": lambda: answer({"status": False, "errorcode": "AB2000", "data": None}),
    "invalid-token": lambda: gateway_refusal("AG8001", "Invalid Token"),
    "expired-token": lambda: gateway_refusal("AG8002", "Token Expired"),
    "blocked": lambda: gateway_refusal("AB1006", "Client is blocked for trading"),
    "internal-error": lambda: refusal("AB2001", "Internal Error, Please Try After Sometime"),
    "bad-bytes": lambda: web.Response(body=b'{"status": \xff\xfe', content_type="application/json"),
    "json-list": lambda: answer([]),
    "json-null": lambda: answer(None),
    "no-answer": lambda: web.Response(body=b"", content_type="application/json"),
}
"""Kind of fault -> the answer that comes instead of the right one."""

_CHANGES = ("null-data", "success-dialect", "truncated", "unfetched", "short-depth", "zero-close", "shrunk")
"""Kinds that change the right answer."""
_MOVES = ("reset", "slow", "hang-up-midway")
GROUPS = (ANY, "master", *LIMITS)
REST_KINDS = (*_REPLIES, *_CHANGES, *_MOVES)


@dataclass
class RestFault:
    """One fault of requests."""

    kind: str
    group: str
    times: int | None
    skip: int
    every: int
    seconds: float
    met: int = 0
    """Requests of the group since it was set."""

    def strikes(self, group: str) -> bool:
        """Whether this request is hit; counts it."""
        if self.group not in (ANY, group) or self.times == 0:
            return False
        self.met += 1
        if self.met <= self.skip or (self.met - self.skip - 1) % self.every:
            return False
        if self.times is not None:
            self.times -= 1
        return True


class Faults:
    """The faults that are set."""

    def __init__(self) -> None:
        self._rest: list[RestFault] = []
        self.done: Counter[str] = Counter()
        """Kind of fault -> how often it happened."""
        self.clock_ahead = 0.0
        """Seconds by which the broker's wall clock is ahead of the truth."""
        self.handshakes: list[tuple[str, str]] = []
        """What the next feed connections meet: (kind, words); kinds drop, 401, 429, silent."""
        self.garbage_change = False
        """The change of open interest in SNAP_QUOTE packets is garbage."""

    def set_rest(
        self,
        kind: str,
        *,
        group: str = ANY,
        times: int | None = None,
        skip: int = 0,
        every: int = 1,
        seconds: float = 8.0,
    ) -> None:
        """Requests of `group` meet this from now on.

        `times` requests (None = until cleared), the first `skip` spared, then each `every`-th; `seconds` is how long
        a slow answer takes [real seconds]. Raises ValueError for an unknown kind.
        """
        if kind not in REST_KINDS:
            raise ValueError(f"unknown fault of requests {kind!r}; there are {', '.join(REST_KINDS)}")
        if group not in GROUPS:
            raise ValueError(f"unknown group of requests {group!r}; there are {', '.join(GROUPS)}")
        self._rest.append(RestFault(kind, group, times, skip, every, seconds))

    def clear(self) -> None:
        """All is well again; what was already done stays done."""
        self._rest.clear()
        self.handshakes.clear()
        self.garbage_change = False
        self.clock_ahead = 0.0

    def struck(self, group: str) -> list[RestFault]:
        """The faults that hit a request, in the order in which they were set."""
        hit = [fault for fault in self._rest if fault.strikes(group)]
        self.done.update(fault.kind for fault in hit)
        return hit

    async def answer(
        self, request: web.Request, group: str, served: Callable[[], Awaitable[web.Response]]
    ) -> web.Response:
        """The right answer of `served`, or what the faults make of it; limits have counted the request before."""
        hit = self.struck(group)
        for fault in hit:
            if fault.kind == "slow":
                await asyncio.sleep(fault.seconds)
            elif fault.kind == "reset":
                raise reset(request)
        for fault in hit:
            if fault.kind in _REPLIES:
                return _REPLIES[fault.kind]()
        reply = await served()
        for fault in hit:
            if fault.kind == "hang-up-midway":
                raise await hang_up(request, bytes(reply.body or b""))
            reply = _changed(fault.kind, reply)
        return reply


def reset(request: web.Request) -> ConnectionResetError:
    """Hang up without a word; raise what is returned."""
    if request.transport is not None:
        request.transport.abort()
    return ConnectionResetError("reset on demand")


async def hang_up(request: web.Request, body: bytes) -> ConnectionResetError:
    """Promise the whole body, send half of it, and hang up; raise what is returned."""
    partial = web.StreamResponse(headers={"Content-Length": str(len(body)), "Content-Type": "application/json"})
    await partial.prepare(request)
    await partial.write(body[: len(body) // 2])
    return reset(request)


def _changed(kind: str, reply: web.Response) -> web.Response:
    body = bytes(reply.body or b"")
    if kind == "truncated":
        return web.Response(body=body[: len(body) // 2], content_type=reply.content_type)
    if kind not in _CHANGES or reply.content_type != "application/json":
        return reply
    said = json.loads(body)
    if kind == "shrunk":
        return answer(said[: len(said) // 10])
    if kind == "null-data":
        said["data"] = None
    elif kind == "success-dialect":
        said = {
            "success": said.get("status"),
            "message": said["message"],
            "errorCode": said["errorcode"],
            "data": said["data"],
        }
    elif isinstance(said.get("data"), dict) and "fetched" in said["data"]:
        _change_quotes(kind, said["data"])
    return answer(said)


def _change_quotes(kind: str, data: dict[str, Any]) -> None:
    if kind == "unfetched":
        gone = data["fetched"][::2]
        data["fetched"] = data["fetched"][1::2]
        data["unfetched"] += [unfetched(one["exchange"], one["symbolToken"]) for one in gone]
    for one in data["fetched"]:
        if kind == "zero-close" and "close" in one:
            one["close"] = 0
        if kind == "short-depth" and "depth" in one:
            one["depth"] = {"buy": one["depth"]["buy"][:1], "sell": []}


def unfetched(exchange: str, token: str) -> dict[str, str]:
    """A row of `unfetched`."""
    empty = not token
    message, code = ("Symbol token cannot be empty", "AB4018") if empty else ("No data found for the token", "AB4018")
    return {"exchange": exchange, "symbolToken": token, "message": message, "errorCode": code}
