"""The broker's own Python client, unmodified, pointed at a stand-in; and small helpers of the tests of the stand-in.

The client asks the internet for its address when it is imported, and writes a log into the current folder: the first
is answered here, the second goes where `client` is told.
"""

from __future__ import annotations

import contextlib
import importlib
import logging
import threading
import time
import types
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from unittest import mock

import pyotp
import pytest
import requests

from tests.broker import StandIn

WAIT_SECONDS = 20.0


def smart_api(module: str) -> types.ModuleType:
    """A module of the package `SmartApi`, imported without asking the internet."""
    with mock.patch.object(requests, "get", return_value=mock.Mock(text="127.0.0.1")):
        return importlib.import_module(f"SmartApi.{module}")


def close_logs() -> None:
    """The client opens a log file at each construction and closes none."""
    for handler in logging.getLogger("logzero_default").handlers:
        handler.close()


def client(broker: StandIn, folder: Path, monkeypatch: pytest.MonkeyPatch, **named: Any) -> Any:
    """A `SmartConnect` for a stand-in; its log lies in `folder`."""
    monkeypatch.chdir(folder)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    close_logs()
    given = {"api_key": broker.settings.account.api_key, "root": broker.url, **named}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it sets TLS options in a way that Python has left behind
        return smart_api("smartConnect").SmartConnect(**given)


def totp(broker: StandIn) -> str:
    """The six digits of now."""
    return pyotp.TOTP(broker.settings.account.totp_secret).now()


def login(broker: StandIn, connected: Any, **named: Any) -> dict[str, Any]:
    """What `generateSession` returns, with the right credentials but for `named`."""
    account = broker.settings.account
    given = {"clientCode": account.client_code, "password": account.pin, "totp": totp(broker)}
    return connected.generateSession(**{**given, **named})


def eventually(claim: Callable[[], Any], what: str) -> Any:
    """The first true value of `claim`; a busy machine gets its time."""
    end = time.monotonic() + WAIT_SECONDS
    while time.monotonic() < end:
        if found := claim():
            return found
        time.sleep(0.01)
    raise AssertionError(f"it never happened: {what}")


class Ticks:
    """An open feed of the broker's own client: packets as its parser reads them."""

    def __init__(self, broker: StandIn, connected: Any) -> None:
        account = broker.settings.account
        self._broker = broker
        self.packets: list[dict[str, Any]] = []
        self.opened = threading.Event()
        close_logs()
        self._socket = smart_api("smartWebSocketV2").SmartWebSocketV2(
            f"Bearer {connected.access_token}", account.api_key, account.client_code, connected.feed_token,
            max_retry_attempt=0,
        )  # fmt: skip
        self._socket.ROOT_URI = broker.feed_url
        self._socket.input_request_dict = {}
        self._socket.on_open = lambda _: self.opened.set()
        self._socket.on_data = lambda _, packet: self.packets.append(packet)
        self._socket.on_error = lambda *_: None
        self._thread = threading.Thread(target=self._socket.connect, daemon=True)

    def subscribe(self, mode: int, exchange_type: int, tokens: list[str]) -> None:
        """Ask for packets."""
        self._socket.subscribe("stand1n000", mode, [{"exchangeType": exchange_type, "tokens": list(tokens)}])

    def unsubscribe(self, mode: int, exchange_type: int, tokens: list[str]) -> None:
        """Ask for no more."""
        self._socket.unsubscribe("stand1n000", mode, [{"exchangeType": exchange_type, "tokens": list(tokens)}])

    def of(self, token: str, mode: int) -> list[dict[str, Any]]:
        """Packets of one token in one mode, as they came."""
        return [p for p in self.packets if p["token"] == token and p["subscription_mode"] == mode]

    @property
    def alive(self) -> bool:
        """Whether the client still reads."""
        return self._thread.is_alive()

    @contextlib.contextmanager
    def open(self) -> Iterator[Ticks]:
        """Connected while the block runs."""
        self._thread.start()
        assert self.opened.wait(WAIT_SECONDS), "the feed was not opened"
        try:
            yield self
        finally:
            # When it closes by itself, its reader sleeps on for ten seconds; when it is closed, it leaks its socket.
            inner = self._socket.wsapp.sock
            self._broker.control.feed("close")
            self._thread.join(WAIT_SECONDS)
            inner.shutdown()
            close_logs()
