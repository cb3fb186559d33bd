"""The contained client against the stand-in: what comes through, what each refusal becomes, and what never leaks."""

import logging
import os
import subprocess
import sys
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import pyotp
import pytest

from optionscanner.adapters.angel.client import Client
from optionscanner.adapters.angel.replies import data_of
from optionscanner.errors import (
    LoginExpired,
    LoginRefused,
    NoData,
    OptionScannerError,
    RateLimited,
    SourceError,
    Unreachable,
)
from optionscanner.model.calendar import IST
from tests.broker import Settings, StandIn
from tests.broker.market import simulated

ROOT = Path(__file__).resolve().parent.parent
AT = datetime(2026, 7, 15, 9, 40, 10, tzinfo=IST).timestamp()


@pytest.fixture(scope="module")
def broker() -> Iterator[StandIn]:
    with StandIn(simulated(symbols=("NIFTY", "SENSEX")), Settings(start=AT, speed=0.0, limits="off")) as started:
        yield started


@pytest.fixture
def client(broker: StandIn, monkeypatch: pytest.MonkeyPatch) -> Iterator[Client]:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    account = broker.settings.account
    made = Client(account.api_key, root=broker.url)
    made.login(account.client_code, account.pin, code_of(broker))
    yield made
    made.close()
    broker.control.well()


def code_of(broker: StandIn) -> str:
    return pyotp.TOTP(broker.settings.account.totp_secret).now()


def test_importing_and_making_it_asks_nobody_and_writes_nothing(tmp_path: Path) -> None:
    """In a process in which every connection and look-up of a name is an error."""
    program = """
import socket, sys
def refuse(*a, **k): raise SystemExit("it asked the network")
socket.getaddrinfo = socket.gethostbyname = socket.create_connection = socket.socket.connect = refuse
from optionscanner.adapters.angel.client import Client
print(Client("key"))
"""
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, cwd=tmp_path, timeout=60,
        env={**os.environ, "PYTHONPATH": str(ROOT)}, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == "Client(https://apiconnect.angelone.in)\n"
    assert list(tmp_path.iterdir()) == []


def test_what_was_asked_for_comes_through(client: Client, broker: StandIn) -> None:
    assert client.profile()["clientcode"] == broker.settings.account.client_code
    jwt, refresh_token, feed_token = client.tokens
    assert not jwt.startswith("Bearer") and refresh_token and feed_token
    (quote,) = client.quotes({"NSE": ["99926000"]})["fetched"]
    assert quote["symbolToken"] == "99926000" and quote["ltp"] > 0
    candles = client.candles("NSE", "99926000", "FIVE_MINUTE", "2026-07-15 09:15", "2026-07-15 09:40")
    assert candles[0][0] == "2026-07-15T09:15:00+05:30"
    assert client.positions() == [] and client.orders() == []


def test_a_session_is_gone_on_with(client: Client, broker: StandIn) -> None:
    other = Client(broker.settings.account.api_key, root=broker.url)
    with pytest.raises(LoginExpired):
        other.profile()
    other.resume(*client.tokens)
    assert other.profile()["clientcode"] == broker.settings.account.client_code
    other.close()


@pytest.mark.parametrize(
    ("kind", "expected", "part"),
    [
        ("empty-400", SourceError, "an empty body"),
        ("firewall", SourceError, "firewall"),
        ("try-later", SourceError, "AB1004"),
        ("rate-limit", RateLimited, "too fast"),
        ("rate-limit-json", RateLimited, "too fast"),
        ("server-error", SourceError, "HTTP 502"),
        ("status-string", SourceError, "AB2001"),
        ("no-message", SourceError, "no reason given"),
        ("invalid-token", LoginExpired, "AG8001"),
        ("expired-token", LoginExpired, "AG8002"),
        ("blocked", LoginRefused, "AB1006"),
        ("internal-error", SourceError, "AB2001"),
        ("bad-bytes", SourceError, "not JSON"),
        ("json-list", SourceError, "no status"),
        ("json-null", SourceError, "no status"),
        ("no-answer", SourceError, "an empty body"),
        ("null-data", SourceError, "expected an object"),
        ("truncated", SourceError, "not JSON"),
        ("reset", Unreachable, "broke off"),
        ("hang-up-midway", Unreachable, "broke off"),
    ],
)
def test_every_refusal_is_one_of_our_errors(
    client: Client, broker: StandIn, kind: str, expected: type[Exception], part: str
) -> None:
    """For this request, while the next one is served again."""
    broker.control.fault(kind, group="quote", times=1)
    with pytest.raises(expected, match=part) as told:
        client.quotes({"NSE": ["99926000"]})
    assert type(told.value) is expected
    assert str(told.value).startswith("quotes: ") and "\n" not in str(told.value)
    assert told.value.__cause__ is None and (told.value.__context__ is None or told.value.__suppress_context__)
    assert client.quotes({"NSE": ["99926000"]})["fetched"]


def test_the_other_dialect_of_success_is_success(client: Client, broker: StandIn) -> None:
    broker.control.fault("success-dialect", group="quote", times=1)
    assert client.quotes({"NSE": ["99926000"]})["fetched"]


@pytest.mark.parametrize(("pin", "code", "part"), [("9999", None, "AB1007"), (None, "000000", "AB1050")])
def test_a_refused_login_says_what_to_set(
    broker: StandIn, pin: str | None, code: str | None, part: str, capfd, caplog, tmp_path, monkeypatch
) -> None:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.chdir(tmp_path)
    caplog.set_level(logging.DEBUG)
    account = broker.settings.account
    made = Client(account.api_key, root=broker.url)
    with pytest.raises(LoginRefused, match=part) as told:
        made.login(account.client_code, pin or account.pin, code or code_of(broker))
    made.close()
    said = capfd.readouterr()
    everything = said.out + said.err + caplog.text + repr(told.value) + repr(made)
    for secret in (account.pin, pin or account.pin, account.api_key, account.totp_secret):
        assert secret not in everything
    assert list(tmp_path.iterdir()) == []


def test_nothing_of_a_request_is_told_when_the_network_is_gone(client: Client, capfd, caplog) -> None:
    caplog.set_level(logging.INFO)
    lost = Client("an-api-key", root="http://127.0.0.1:9")
    lost.resume("jwt-secret", "refresh-secret", "feed-secret")
    with pytest.raises(Unreachable, match="connection refused") as told:
        lost.quotes({"NSE": ["1"]})
    said = capfd.readouterr()
    everything = said.out + said.err + caplog.text + repr(told.value)
    assert not any(secret in everything for secret in ("an-api-key", "jwt-secret", "refresh-secret", "feed-secret"))


def test_more_instruments_than_one_request_may_hold_are_a_mistake_of_ours() -> None:
    made = Client("key", root="http://127.0.0.1:9")
    with pytest.raises(ValueError, match="expected 1 to 50 instruments, got 51"):
        made.quotes({"NFO": [str(n) for n in range(51)]})


def test_no_data_is_not_a_failure() -> None:
    with pytest.raises(NoData):
        data_of("greeks", 200, b'{"status":false,"message":"No Data Available","errorcode":"AB9019","data":null}')


def test_secrets_are_taken_out_of_the_brokers_own_words() -> None:
    with pytest.raises(SourceError) as told:
        said = b'{"status":false,"message":"key hunter2 unknown","errorcode":"X1"}'
        data_of("quotes", 200, said, secrets={"hunter2"})
    assert "hunter2" not in str(told.value) and "key *** unknown" in str(told.value)


@pytest.mark.parametrize(
    "content",
    [b"", b"null", b"[]", b"3", b"NaN", b'"text"', b"{}", b'{"status":null}', b'{"status":[]}', b"[" * 100_000,
     b'{"status":false,"errorcode":{},"message":[]}', b'{"status":true', b"\xff\xfe", b'{"status":1e999}',
     b'{"success":false,"errorCode":null,"message":null}'],
)  # fmt: skip
def test_a_body_of_any_form_is_told_in_one_sentence(content: bytes) -> None:
    for status in (200, 400, 403, 502):
        with pytest.raises(OptionScannerError) as told:
            data_of("quotes", status, content)
        assert "\n" not in str(told.value) and len(str(told.value)) < 400
