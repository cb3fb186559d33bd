"""Starts and stops the stand-in: one thread with the broker on one port and its control on another.

Main entry: `StandIn`, a context manager.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable
from email.utils import formatdate

from aiohttp import web

from tests.broker import feed, order_updates
from tests.broker.control import Control, OnLoop, control_app
from tests.broker.feed import Feed
from tests.broker.gateway import Gateway
from tests.broker.market import Source
from tests.broker.order_updates import OrderUpdates
from tests.broker.parts import Parts
from tests.broker.rest import MASTER_PATH, routes
from tests.broker.settings import Settings

HOST = "127.0.0.1"
_BACKLOG = 1024
_IDLE_CHECKS = 0.1
"""Real seconds between looks for idle feeds, at most."""


class StandIn:
    """A stand-in for the broker, in a thread of its own.

    Use it as a context manager; `control` asks it for faults and counts from any thread.
    """

    def __init__(
        self, source: Source, settings: Settings | None = None, *, port: int = 0, control_port: int = 0
    ) -> None:
        """Ports of 0 are chosen by the system."""
        self.settings = Settings() if settings is None else settings
        self.parts = Parts(self.settings, source)
        self.port = port
        self.control_port = control_port
        self._ready = threading.Event()
        self._failure: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name="stand-in broker", daemon=True)
        self._serving = False
        self._stopping = asyncio.Event()
        self._site: web.TCPSite | None = None

    @property
    def url(self) -> str:
        """Address of REST."""
        return f"http://{HOST}:{self.port}"

    @property
    def master_url(self) -> str:
        """Address of the instrument master file."""
        return f"{self.url}{MASTER_PATH}"

    @property
    def feed_url(self) -> str:
        """Address of the market feed."""
        return f"ws://{HOST}:{self.port}{feed.PATH}"

    @property
    def orders_url(self) -> str:
        """Address of the order updates."""
        return f"ws://{HOST}:{self.port}{order_updates.PATH}"

    @property
    def control_url(self) -> str:
        """Address of the control."""
        return f"http://{HOST}:{self.control_port}"

    def __enter__(self) -> StandIn:
        self._loop = asyncio.new_event_loop()
        self._thread.start()
        self._ready.wait()
        if self._failure is not None or not self._serving:
            self._thread.join()
            raise self._failure or RuntimeError("the stand-in did not start; its thread has said why")
        return self

    def __exit__(self, *_: object) -> None:
        if self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._stopping.set)
            self._thread.join(10.0)

    def _run(self) -> None:
        try:
            self._loop.run_until_complete(self._serve())
        except OSError as failure:  # a port that is taken
            self._failure = failure
        finally:
            self._ready.set()
            self._loop.close()

    async def _serve(self) -> None:
        self.parts.look()
        self._feed, self._updates = Feed(self.parts), OrderUpdates(self.parts)
        broker = web.AppRunner(self._app(), access_log=None, shutdown_timeout=0.2, handle_signals=False)
        self._runner = broker
        control = Control(self.parts, self._feed, self._set_network, self._looked)
        self.control = OnLoop(control, self._loop)
        beside = web.AppRunner(control_app(control), access_log=None, shutdown_timeout=0.2, handle_signals=False)
        await broker.setup()
        await beside.setup()
        ticking = asyncio.create_task(self._tick())
        try:
            await self._set_network(True)
            site = web.TCPSite(beside, HOST, self.control_port)
            await site.start()
            self.control_port = beside.addresses[0][1]
            self._serving = True
            self._ready.set()
            stopping = asyncio.create_task(self._stopping.wait())
            # A stand-in whose market has failed must not go on as a mute one.
            done, _ = await asyncio.wait({stopping, ticking}, return_when=asyncio.FIRST_COMPLETED)
            for task in done - {stopping}:
                task.result()
        finally:
            ticking.cancel()
            await self._feed.stop()
            await beside.cleanup()
            await broker.cleanup()
            # Slow answers to those who have hung up.
            left = asyncio.all_tasks() - {asyncio.current_task()}
            for task in left:
                task.cancel()
            await asyncio.gather(*left, return_exceptions=True)

    def _app(self) -> web.Application:
        gateway = Gateway(self.parts, routes(), self._looked)
        app = web.Application(middlewares=[_quiet], client_max_size=1 << 20)
        app.on_response_prepare.append(self._dated)
        app.router.add_get(feed.PATH, self._feed.open)
        app.router.add_get(order_updates.PATH, self._updates.open)
        app.router.add_get(MASTER_PATH, self._master)
        app.router.add_route("*", "/{path:.*}", gateway.handle)
        return app

    async def _master(self, request: web.Request) -> web.Response:
        async def served() -> web.Response:
            # Made at the first request; a large one takes a second, in which others are served.
            return web.Response(
                body=await asyncio.to_thread(lambda: self.parts.master), content_type="application/json"
            )

        return await self.parts.faults.answer(request, "master", served)

    async def _dated(self, _: web.Request, response: web.StreamResponse) -> None:
        response.headers["Date"] = formatdate(self.parts.wall(), usegmt=True)

    def _looked(self) -> None:
        if self.parts.look():
            self._feed.push()
            self.parts.orders.fill()

    async def _tick(self) -> None:
        pause = min(self.settings.tick_seconds, _IDLE_CHECKS)
        while True:
            self._looked()
            await self._updates.push()
            self._feed.close_idle()
            await asyncio.sleep(pause)

    async def _set_network(self, up: bool) -> None:
        if up and self._site is None:
            self._site = web.TCPSite(self._runner, HOST, self.port, backlog=_BACKLOG)
            await self._site.start()
            self.port = self._runner.addresses[0][1]
        elif not up and self._site is not None:
            await self._site.stop()
            self._site = None
            for connection in list(self._runner.server.connections if self._runner.server else ()):
                if connection.transport is not None:
                    connection.transport.abort()


@web.middleware
async def _quiet(
    request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
) -> web.StreamResponse:
    """Who hung up on demand, or was hung up on, is nobody's error."""
    try:
        return await handler(request)
    except ConnectionResetError:
        if request.transport is not None:
            request.transport.abort()
        return web.Response(status=499)
