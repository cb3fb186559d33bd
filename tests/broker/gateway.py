"""What stands before every answer: known path, headers, token, limit, and the faults that are set.

Main entry: `Gateway.handle`. Query strings are ignored, a trailing slash does not matter.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from aiohttp import web

from tests.broker.accounts import Session
from tests.broker.envelopes import Refused, refusal, rejected, too_many
from tests.broker.parts import Parts

_ENFORCED = ("X-PrivateKey", "X-SourceID", "X-MACAddress")


@dataclass(frozen=True)
class Call:
    """One request that the broker takes."""

    parts: Parts
    body: Mapping[str, Any]
    api_key: str
    address: str
    """Where it came from."""
    session: Session | None
    """None before login."""
    path: str


Answer = Callable[[Call], web.Response]


@dataclass(frozen=True)
class Route:
    """How one path is served."""

    method: str
    group: str
    """Of `limits.LIMITS`."""
    answer: Answer
    secure: bool = True
    """Whether a bearer token is asked for."""
    prefix: bool = False
    """Whether the path goes on."""


class Gateway:
    """The broker's REST side."""

    def __init__(self, parts: Parts, routes: Mapping[str, Route], looked: Callable[[], None]) -> None:
        """`looked` brings the market up to now, and pushes what is new."""
        self._parts = parts
        self._routes = routes
        self._looked = looked

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """The answer to any request."""
        route, path = self._route(request)
        group = route.group if route is not None else "unknown"
        status = 0
        try:
            reply = rejected() if route is None else await self._served(request, route, path)
            status = reply.status
        except Refused as refused:
            reply = refused.reply
            status = reply.status
        finally:
            self._parts.asked.append((self._parts.clock.now(), group, status))
        return reply

    def _route(self, request: web.Request) -> tuple[Route | None, str]:
        path = "/" + request.path.strip("/")
        route = self._routes.get(path)
        if route is None:
            longer = [r for start, r in self._routes.items() if r.prefix and path.startswith(start + "/")]
            route = longer[0] if longer else None
        return (route, path) if route is not None and route.method == request.method else (None, path)

    async def _served(self, request: web.Request, route: Route, path: str) -> web.Response:
        parts = self._parts
        for name in (*_ENFORCED, *(("Authorization",) if route.secure else ())):
            if not request.headers.get(name):
                return refusal("AB1012", f"Invalid {name} header", status=400)
        api_key = request.headers["X-PrivateKey"]
        session = parts.sessions.who(request.headers["Authorization"], api_key) if route.secure else None
        body = await _body(request)
        if body is None:
            return web.Response(status=400)
        client = (
            session.client if session is not None else str(body.get("clientcode", parts.settings.account.client_code))
        )
        if parts.limiter.take(client, route.group) is not None:
            return too_many()
        call = Call(parts, body, api_key, request.remote or "", session, path)

        async def answer() -> web.Response:
            self._looked()
            return route.answer(call)

        return await parts.faults.answer(request, route.group, answer)


async def _body(request: web.Request) -> Mapping[str, Any] | None:
    """The JSON object of a POST, an empty one of a GET; None for anything else."""
    if request.method == "GET":
        return {}
    try:
        body = json.loads(await request.read())
    except ValueError:
        return None
    return body if isinstance(body, dict) else None
