"""Angel One over HTTP: the broker's own client, with its side effects contained.

Main entry: `Client`. `smartapi-python` builds the requests; what it would do besides does not happen: no call to a
foreign address and no look-up of names at import, no log file, nothing of a request in a log or on stderr. It sends
through `_Transport`, which keeps connections open, has a deadline for every request, and turns each refusal into one of
our errors before the client sees it. An error says what was asked for and never with what.
"""

from __future__ import annotations

import importlib.util
import logging
import os
import socket
import threading
import time
import warnings
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from types import ModuleType, SimpleNamespace
from typing import Any

import requests

from optionscanner.adapters.angel.replies import data_of
from optionscanner.errors import LoginExpired, SourceError, Unreachable

ROOT = "https://apiconnect.angelone.in"
CONNECT_S, READ_S, WHOLE_S = 5.0, 10.0, 20.0
"""Seconds to wait for a connection, for each part of an answer, and for the whole of it."""
MOST_TOKENS = 50
"""Instruments of one quote request."""
_LARGEST_REPLY, _PART = 32 * 2**20, 2**16
"""Bytes: many times the largest reply there is; and what is read at once."""


class Client:
    """One account's connection to the broker; its methods may be called from several threads, except login.

    Every method raises RateLimited, LoginExpired, LoginRefused, NoData, Unreachable or another SourceError.
    """

    def __init__(self, api_key: str, *, root: str = ROOT, proxies: Mapping[str, str] | None = None) -> None:
        """`root`: the broker's address, without a path."""
        self._hidden: set[str] = {api_key}
        self._transport = _Transport(self._hidden)
        module = _vendor(self._transport)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # it sets TLS options in a way that Python has left behind
            self._connect = module.SmartConnect(api_key=api_key, root=root, proxies=dict(proxies or {}))

    def __repr__(self) -> str:
        return f"Client({self._connect.root})"

    def login(self, client_code: str, pin: str, one_time_code: str) -> dict[str, Any]:
        """Log in; the profile of the user. The session's tokens stay here, see `tokens`."""
        self._hidden |= {pin, one_time_code}
        self._call("login", "generateSession", client_code, pin, one_time_code)
        return self.profile()

    @property
    def tokens(self) -> tuple[str, str, str]:
        """JWT, refresh token and feed token of the session; empty before a login. Secrets, all three."""
        held = self._connect
        return held.access_token or "", held.refresh_token or "", held.feed_token or ""

    def resume(self, jwt: str, refresh_token: str, feed_token: str) -> None:
        """Go on with the session of an earlier login."""
        self._hidden |= {jwt, refresh_token, feed_token}
        self._connect.setAccessToken(jwt)
        self._connect.setRefreshToken(refresh_token)
        self._connect.setFeedToken(feed_token)

    def logout(self, client_code: str) -> None:
        """End the session at the broker."""
        self._call("logout", "terminateSession", client_code)

    def profile(self) -> dict[str, Any]:
        """Who is logged in, and for which exchanges."""
        return _mapping("profile", self._call("profile", "getProfile", self._connect.refresh_token))

    def quotes(self, tokens: Mapping[str, Sequence[str]], mode: str = "FULL") -> dict[str, Any]:
        """Quotes of up to 50 instruments (exchange -> tokens): ``fetched`` and ``unfetched`` as the broker has them."""
        count = sum(map(len, tokens.values()))
        if not 0 < count <= MOST_TOKENS:
            raise ValueError(f"quotes: expected 1 to {MOST_TOKENS} instruments, got {count}")
        asked = {exchange: list(some) for exchange, some in tokens.items()}
        return _mapping("quotes", self._call("quotes", "getMarketData", mode, asked))

    def candles(self, exchange: str, token: str, interval: str, begins: str, ends: str) -> list[Any]:
        """Bars from `begins` to `ends` (``YYYY-MM-DD HH:MM``, IST): rows of time, open, high, low, close, volume."""
        asked = _period(exchange, token, interval, begins, ends)
        return _list("candles", self._call("candles", "getCandleData", asked))

    def open_interest(self, exchange: str, token: str, interval: str, begins: str, ends: str) -> list[Any]:
        """Open interest of a live contract over a period: rows of ``time`` and ``oi`` [units]."""
        asked = _period(exchange, token, interval, begins, ends)
        return _list("past open interest", self._call("past open interest", "getOIData", asked))

    def positions(self) -> list[Any]:
        """The user's positions of today, as the broker has them; empty where there are none."""
        return _list("positions", self._call("positions", "position"))

    def orders(self) -> list[Any]:
        """The user's orders of today, as the broker has them; empty where there are none."""
        return _list("order book", self._call("order book", "orderBook"))

    def close(self) -> None:
        """Close the connections."""
        self._transport.close()

    def _call(self, what: str, method: str, *arguments: Any) -> Any:
        """The data of a reply. The client's own way with replies is not relied on, nor are its exceptions passed on."""
        if not self._connect.access_token and method != "generateSession":
            raise LoginExpired(f"{what}: nobody is logged in at Angel One yet; logging in first")
        self._transport.begin(what)
        try:
            getattr(self._connect, method)(*arguments)
        except SourceError:
            raise
        except (KeyError, TypeError, AttributeError, ValueError, RecursionError) as error:
            # What it stumbled on is the reply's form: the transport has accepted the reply, so it was JSON.
            raise SourceError(
                f"{what}: Angel One's reply is not of the documented form ({type(error).__name__}); tried again later"
            ) from None
        finally:
            self._hidden |= {token for token in self.tokens if token}
        return self._transport.data


def _period(exchange: str, token: str, interval: str, begins: str, ends: str) -> dict[str, str]:
    return {"exchange": exchange, "symboltoken": token, "interval": interval, "fromdate": begins, "todate": ends}


def _mapping(what: str, data: Any) -> dict[str, Any]:
    if not isinstance(data, dict):
        raise SourceError(f"{what}: expected an object in Angel One's reply, got {type(data).__name__}")
    return data


def _list(what: str, data: Any) -> list[Any]:
    """A list; empty where the broker says ``null`` or an empty text, as it does for empty books."""
    if data is None or data == "":
        return []
    if not isinstance(data, list):
        raise SourceError(f"{what}: expected a list in Angel One's reply, got {type(data).__name__}")
    return data


class _Transport(threading.local):
    """Stands where the broker's client expects the module `requests`; a session of its own in every thread."""

    def __init__(self, hidden: Collection[str]) -> None:
        self._hidden = hidden
        self._session = requests.Session()
        self._what = ""
        self.data: Any = None
        """Of the newest reply in this thread."""
        self.packages = SimpleNamespace(urllib3=SimpleNamespace(disable_warnings=lambda: None))
        self.adapters = requests.adapters
        self.Session = requests.Session

    def begin(self, what: str) -> None:
        """Say what the next request is for; used in sentences."""
        self._what, self.data = what, None

    def close(self) -> None:
        self._session.close()

    def request(self, method: str, url: str, **asked: Any) -> Any:
        """Send one request; what the broker accepted, as the client wants it. Raises one of our errors otherwise."""
        what = self._what
        try:
            # The client puts the parameters of a GET into the address, the refresh token among them; no GET needs any.
            with self._session.request(
                method, url, data=asked["data"], headers=asked["headers"], proxies=asked["proxies"],
                timeout=(CONNECT_S, READ_S), allow_redirects=False, stream=True,
            ) as reply:  # fmt: skip
                status, content = reply.status_code, _read(reply)
        except requests.Timeout:
            raise Unreachable(f"{what}: Angel One did not answer within {READ_S:g} s; tried again later") from None
        except (requests.RequestException, OSError, ValueError) as error:
            raise Unreachable(f"{what}: Angel One could not be reached ({_kind(error)}); tried again later") from None
        self.data = data_of(what, status, content, secrets=self._hidden)
        return SimpleNamespace(status_code=status, content=content)


def _read(reply: requests.Response) -> bytes:
    """The body. Raises Timeout where it drips in for longer than a request may last, ValueError for one too long."""
    until, content = time.monotonic() + WHOLE_S, bytearray()
    for part in reply.iter_content(_PART):
        content += part
        if time.monotonic() > until:
            raise requests.Timeout
        if len(content) > _LARGEST_REPLY:
            raise ValueError("too long")
    return bytes(content)


def _kind(error: BaseException) -> str:
    """What failed, in words without an address, a header or a body."""
    text = str(error).lower()
    if "resolve" in text or "name or service" in text or "getaddrinfo" in text:
        return "its name could not be looked up: is the network up?"
    if isinstance(error, requests.exceptions.SSLError):
        return "its certificate was not accepted"
    if isinstance(error, requests.exceptions.ProxyError):
        return "the proxy refused"
    if "refused" in text:
        return "connection refused"
    return "the connection broke off"


def _vendor(transport: _Transport) -> ModuleType:
    """The broker's client as a module of our own making: the same code, with other neighbours.

    Its import would ask a foreign address for this machine's address and look up this machine's name; its constructor
    would open a log file, into which it writes requests with their secrets.
    """
    with (
        _instead(requests, "get", lambda *_, **__: SimpleNamespace(text="127.0.0.1")),
        _instead(socket, "gethostbyname", lambda _: "127.0.0.1"),
    ):
        spec = importlib.util.find_spec("SmartApi.smartConnect")
        if spec is None or spec.loader is None:
            raise SourceError("Angel One: package smartapi-python is not installed; run pip install smartapi-python")
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
    silent = logging.Logger("silent", logging.CRITICAL + 1)
    module.logger, module.log = silent, silent  # type: ignore[attr-defined]
    module.logzero = SimpleNamespace(logfile=lambda *_, **__: None)  # type: ignore[attr-defined]
    module.os = SimpleNamespace(path=os.path, makedirs=lambda *_, **__: None)  # type: ignore[attr-defined]
    module.requests = transport  # type: ignore[attr-defined]
    return module


@contextmanager
def _instead(owner: object, name: str, other: object) -> Iterator[None]:
    """Put something else into its place for a moment."""
    own = getattr(owner, name)
    setattr(owner, name, other)
    try:
        yield
    finally:
        setattr(owner, name, own)
