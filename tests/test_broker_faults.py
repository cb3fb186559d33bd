"""Trouble on demand: what the broker's own client meets, and that all is well again afterwards."""

import base64
import json
import time
from dataclasses import replace
from email.utils import parsedate_to_datetime
from pathlib import Path

import psutil
import pyotp
import pytest
import requests
from requests.exceptions import ConnectionError, ReadTimeout

from tests.broker import Settings, StandIn, StandInProcess
from tests.broker.control import FEED_KINDS, HANDSHAKES
from tests.broker.faults import REST_KINDS
from tests.broker.market import simulated
from tests.broker.process import RemoteControl
from tests.broker.spoiled import KINDS as MARKET_KINDS
from tests.broker_client import client, login, smart_api, totp

NAMES = ["NIFTY", "RELIANCE"]
STILL = Settings(speed=0.0, limits="off", rapid_connections=0)
ASKED = {"NSE": ["99926000"], "NFO": ["35101", "35102", "35103", "35104"]}


@pytest.fixture(scope="module")
def broker():
    with StandIn(simulated(symbols=NAMES), STILL) as started:
        yield started


@pytest.fixture
def connected(broker, tmp_path, monkeypatch):
    found = client(broker, tmp_path, monkeypatch, timeout=1)
    assert login(broker, found)["status"] is True
    yield found
    broker.control.well()


def fetched(connected, mode="FULL"):
    return connected.getMarketData(mode, ASKED)["data"]["fetched"]


# Login


def test_wrong_credentials_are_told_apart(broker, connected):
    assert login(broker, connected, totp="000000")["errorcode"] == "AB1050"
    assert login(broker, connected, password="0000")["errorcode"] == "AB1007"
    assert login(broker, connected, clientCode="OTHER")["errorcode"] == "AB1007"
    broker.control.block()
    with pytest.raises(KeyError, match="status"):  # the client cannot read the gateway's dialect
        login(broker, connected)
    broker.control.block(False)
    assert login(broker, connected)["status"] is True


def test_wrong_pins_block_the_client(tmp_path, monkeypatch):
    with StandIn(simulated(symbols=NAMES), replace(STILL, wrong_pins=2)) as broker:
        found = client(broker, tmp_path, monkeypatch)
        for _ in range(2):
            assert login(broker, found, password="0000")["errorcode"] == "AB1007"
        with pytest.raises(KeyError, match="status"):
            login(broker, found)
        assert broker.control.report()["logins"] == {"pin": 2, "blocked": 1}


def test_a_clock_that_is_wrong_fails_the_totp_and_shows_in_the_date(broker, connected):
    broker.control.clock_ahead(600.0)
    assert login(broker, connected)["errorcode"] == "AB1050"
    reply = requests.get(broker.master_url, timeout=10)
    assert 590 < parsedate_to_datetime(reply.headers["Date"]).timestamp() - time.time() < 620


def test_tokens_are_renewed_expire_and_are_revoked(broker, connected):
    first = connected.access_token
    assert connected.generateToken(connected.refresh_token)["status"] is True
    assert connected.access_token != first
    broker.control.revoke(expired=True)
    assert connected.rmsLimit()["errorCode"] == "AG8002"
    with pytest.raises(TypeError):  # the client reads tokens out of the empty text that comes with AB8051
        connected.generateToken(connected.refresh_token)
    broker.control.revoke()
    assert connected.rmsLimit()["errorCode"] == "AG8001"
    connected.setAccessToken("Bearer twice")
    assert connected.rmsLimit()["errorCode"] == "AG8001"


def test_a_token_tells_when_it_ends_and_ends_then(tmp_path, monkeypatch):
    source = simulated(symbols=NAMES)
    settings = replace(STILL, start=source.opens, wall="broker", session_seconds=3600.0)
    with StandIn(source, settings) as broker:
        found = client(broker, tmp_path, monkeypatch)
        code = pyotp.TOTP(broker.settings.account.totp_secret).at(int(source.opens))
        assert login(broker, found, totp=code)["status"] is True
        claims = found.access_token.split(".")[1]
        assert json.loads(base64.urlsafe_b64decode(claims + "=="))["exp"] == source.opens + 3600
        broker.control.time(instant=source.opens + 3599)
        assert found.rmsLimit()["status"] is True
        broker.control.time(instant=source.opens + 3600)
        assert found.rmsLimit()["errorCode"] == "AG8002"


def test_logout_ends_requests(broker, connected):
    assert connected.terminateSession(broker.settings.account.client_code)["status"] is True
    assert connected.rmsLimit()["errorCode"] == "AG8001"


@pytest.mark.parametrize("missing", ["X-PrivateKey", "X-SourceID", "X-MACAddress", "Authorization"])
def test_a_missing_header_is_named(broker, connected, missing):
    headers = {**connected.requestHeaders(), "Authorization": f"Bearer {connected.access_token}"}
    del headers[missing]
    reply = requests.get(f"{broker.url}/rest/secure/angelbroking/user/v1/getRMS", headers=headers, timeout=10)
    assert (reply.status_code, reply.json()["errorcode"]) == (400, "AB1012")
    assert missing in reply.json()["message"]


def test_orders_from_another_address_are_refused(tmp_path, monkeypatch):
    with StandIn(simulated(symbols=NAMES), replace(STILL, order_addresses=("192.0.2.1",))) as broker:
        found = client(broker, tmp_path, monkeypatch)
        login(broker, found)
        assert found.cancelOrder("1", "NORMAL")["status"] is False
        assert found.orderBook()["status"] is True


# Answers


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ("empty-400", "b''"),
        ("no-answer", "b''"),
        ("firewall", "Request Rejected"),
        ("rate-limit", "exceeding access rate"),
        ("bad-bytes", "status"),
        ("server-error", "502"),
        ("truncated", "fetched"),
    ],
)
def test_what_is_no_json_is_raised_by_the_client(broker, connected, kind, words):
    broker.control.fault(kind, group="quote", times=1)
    with pytest.raises(smart_api("smartExceptions").DataException, match=words):
        fetched(connected)
    assert len(fetched(connected)) == 5


@pytest.mark.parametrize(
    ("kind", "key", "value"),
    [
        ("try-later", "errorcode", "AB1004"),
        ("internal-error", "errorcode", "AB2001"),
        ("rate-limit-json", "errorcode", "AB1021"),
        ("invalid-token", "errorCode", "AG8001"),
        ("expired-token", "errorCode", "AG8002"),
        ("blocked", "errorCode", "AB1006"),
        ("status-string", "status", "false"),
        ("null-data", "data", None),
        ("success-dialect", "success", True),
    ],
)
def test_refusals_come_in_both_dialects(broker, connected, kind, key, value):
    broker.control.fault(kind, group="quote", times=1)
    assert connected.getMarketData("FULL", ASKED)[key] == value
    assert len(fetched(connected)) == 5


@pytest.mark.parametrize(
    ("kind", "error"),
    [
        ("reset", ConnectionError),
        ("slow", ReadTimeout),
        ("hang-up-midway", requests.RequestException),
        ("json-list", AttributeError),
        ("json-null", AttributeError),
        ("no-message", KeyError),
    ],
)
def test_what_breaks_the_client(broker, connected, kind, error):
    broker.control.fault(kind, group="quote", times=1, seconds=2.0)
    with pytest.raises(error):
        fetched(connected)
    assert len(fetched(connected)) == 5


def test_quotes_lack_rows_depth_and_closes_on_demand(broker, connected):
    broker.control.fault("unfetched", group="quote", times=1)
    data = connected.getMarketData("FULL", ASKED)["data"]
    assert (len(data["fetched"]), len(data["unfetched"])) == (2, 3)
    broker.control.fault("short-depth", group="quote", times=1)
    assert max(len(one["depth"]["buy"] + one["depth"]["sell"]) for one in fetched(connected)) == 1
    broker.control.fault("zero-close", group="quote", times=1)
    assert {one["close"] for one in fetched(connected)} == {0}


def test_a_fault_strikes_as_often_as_asked(broker, connected):
    before = broker.control.report()["faults"].get("try-later", 0)
    broker.control.fault("try-later", group="rms", skip=1, every=2, times=2)
    assert [connected.rmsLimit()["status"] for _ in range(6)] == [True, False, True, False, True, True]
    assert fetched(connected)
    assert broker.control.report()["faults"]["try-later"] == before + 2


def test_every_kind_is_tried_here():
    """So that none is there that no test has seen."""
    tried = "".join(path.read_text(encoding="utf-8") for path in Path(__file__).parent.glob("test_broker_*.py"))
    assert [kind for kind in (*REST_KINDS, *MARKET_KINDS, *FEED_KINDS, *HANDSHAKES) if f'"{kind}"' not in tried] == []


# The market


def of_nifty(connected):
    return {one["symbolToken"]: one for one in fetched(connected)}


def test_the_market_says_wrong_things_on_demand(broker, connected):
    right, token = of_nifty(connected), "35101"
    control = broker.control
    assert control.spoil("dead", tokens=[token], kinds=["CE", "PE"]) == 1
    assert token not in of_nifty(connected)
    control.well()
    control.spoil("zero-price", underlying="NIFTY", kinds=["INDEX"])
    assert of_nifty(connected)["99926000"]["ltp"] == 0.0
    control.well()
    control.spoil("jump", tokens=[token], factor=3.0)
    assert of_nifty(connected)[token]["ltp"] == pytest.approx(3 * right[token]["ltp"])
    control.well()
    control.spoil("swapped-depth", underlying="NIFTY")
    bought, sold = (of_nifty(connected)[token]["depth"][way][0]["price"] for way in ("buy", "sell"))
    assert bought > sold
    control.well()
    control.spoil("one-sided", underlying="NIFTY")
    assert of_nifty(connected)[token]["depth"]["buy"] == []
    control.well()
    control.spoil("zero-close", underlying="NIFTY")
    assert of_nifty(connected)[token]["close"] == 0.0
    control.well()
    control.spoil("late", underlying="NIFTY", factor=60.0)
    assert of_nifty(connected)[token]["exchFeedTime"] == "15-Jul-2026 09:14:00"
    control.well()
    assert of_nifty(connected) == right


def test_a_frozen_price_stays_while_others_move(tmp_path, monkeypatch):
    with StandIn(simulated(symbols=NAMES), STILL) as broker:
        found = client(broker, tmp_path, monkeypatch)
        login(broker, found)
        before = of_nifty(found)
        broker.control.spoil("frozen", kinds=["INDEX"], underlying="NIFTY")
        broker.control.time(instant=broker.control.now() + 600)
        after = of_nifty(found)
        moved = {token: before[token]["ltp"] != after[token]["ltp"] for token in before}
        assert moved["99926000"] is False
        assert sum(moved.values()) >= 2


def test_positions_can_be_put_into_the_book(tmp_path, monkeypatch):
    with StandIn(simulated(symbols=NAMES), STILL) as broker:
        found = client(broker, tmp_path, monkeypatch)
        login(broker, found)
        broker.control.hold("NFO", "35101", -130, 12.5)
        (held,) = found.position()["data"]
        assert (held["netqty"], held["sellavgprice"], held["netvalue"]) == ("-130", "12.50", "1625.00")


# The network, the control, the process


def test_the_network_goes_and_comes_back(broker, connected):
    control = RemoteControl(broker.control_url)
    control.network(up=False)
    with pytest.raises(ConnectionError):
        fetched(connected)
    control.network(up=True)
    assert len(fetched(connected)) == 5


def test_the_control_is_reached_by_http(broker, connected):
    control = RemoteControl(broker.control_url)
    control.fault(kind="rate-limit", group="rms", times=1)
    with pytest.raises(smart_api("smartExceptions").DataException):
        connected.rmsLimit()
    assert control.report()["faults"]["rate-limit"] >= 1
    assert "fault" in requests.get(broker.control_url, timeout=10).json()
    with pytest.raises(ValueError, match="unknown fault of requests 'nonsense'"):
        control.fault(kind="nonsense")
    with pytest.raises(ValueError, match="unknown group of requests 'quotes'"):
        control.fault(kind="slow", group="quotes")
    with pytest.raises(ValueError, match="there is no nonsense"):
        control.nonsense()


@pytest.mark.slow
def test_it_runs_in_a_process_of_its_own():
    with StandInProcess("--symbols", "NIFTY", "--speed", "60", "--start", "10:00", "--limits", "scaled") as process:
        began = process.control.now()
        account = process.addresses["account"]
        body = {"clientcode": account["client_code"], "password": account["pin"], "totp": "000000"}
        headers = {"X-PrivateKey": account["api_key"], "X-SourceID": "WEB", "X-MACAddress": "00:00:00:00:00:00"}
        url = f"{process.addresses['url']}/rest/auth/angelbroking/user/v1/loginByPassword"
        assert requests.post(url, json=body, headers=headers, timeout=10).json()["errorcode"] == "AB1050"
        assert process.control.now() > began
        running = process.pid
    assert not psutil.pid_exists(running)


def test_requests_that_are_none(broker, connected):
    assert requests.get(f"{broker.url}/some/where", timeout=10).status_code == 403
    headers = {**connected.requestHeaders(), "Authorization": f"Bearer {connected.access_token}"}
    url = f"{broker.url}/rest/secure/angelbroking/market/v1/quote"
    for body in (b"{", b"[]", b'{"mode": "HALF", "exchangeTokens": {}}'):
        reply = requests.post(url, data=body, headers=headers, timeout=10)
        assert (reply.status_code, reply.content) == (400, b"")
    assert totp(broker).isdigit()
