"""The order-update socket: text frames about every order that changes."""

from __future__ import annotations

import asyncio
import json

from aiohttp import WSMsgType, web

from tests.broker.orders import UPDATE_CODES, Order
from tests.broker.parts import Parts

PATH = "/smart-order-update"
_SEND_SECONDS = 1.0


class OrderUpdates:
    """All connections of the order-update socket."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._open: list[web.WebSocketResponse] = []
        self._waiting: list[str] = []
        parts.orders.told.append(self._changed)

    async def open(self, request: web.Request) -> web.StreamResponse:
        """Serve one connection to its end."""
        status = self._parts.sessions.update_status(request.headers.get("Authorization", ""))
        if status != 101:
            return web.Response(status=status)
        if len(self._open) >= self._parts.settings.connections:
            return web.Response(status=429)
        socket = web.WebSocketResponse(compress=False, timeout=1.0)
        await socket.prepare(request)
        self._open.append(socket)
        try:
            await socket.send_str(self._message("AB00", {}))
            async for message in socket:
                if message.type == WSMsgType.TEXT and message.data == "ping":
                    await socket.send_str("pong")
        except ConnectionError:
            pass
        finally:
            if socket in self._open:
                self._open.remove(socket)
        return socket

    async def push(self) -> None:
        """Send what has changed since."""
        waiting, self._waiting = self._waiting, []
        for socket in list(self._open):
            try:
                for message in waiting:
                    await asyncio.wait_for(socket.send_str(message), _SEND_SECONDS)
            except (TimeoutError, ConnectionError):
                self._open.remove(socket)  # it does not read

    def _changed(self, order: Order) -> None:
        row = self._parts.orders.row(order)
        self._waiting.append(self._message(UPDATE_CODES[order.status], row))

    def _message(self, status: str, row: dict[str, object]) -> str:
        return json.dumps(
            {
                "user-id": self._parts.settings.account.client_code,
                "status-code": "200",
                "order-status": status,
                "error-message": "",
                "orderData": row,
            }
        )
