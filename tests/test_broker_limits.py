"""The stand-in's limits: windows that slide, one budget a client code, and the words in which it refuses."""

import random
from collections import Counter

import pytest
import requests

from tests.broker import Settings, StandIn
from tests.broker.limits import LIMITS, Limiter
from tests.broker.market import simulated
from tests.broker_client import client, login


class Watch:
    """Seconds as they are set."""

    def __init__(self):
        self.now = 1000.0

    def __call__(self):
        return self.now


def test_the_table_is_the_published_one():
    """Requests a second, a minute, an hour; as captured in July 2026."""
    published = {
        "login": (1, None, None),
        "token": (1, None, 1000),
        "profile": (3, None, 1000),
        "rms": (2, None, None),
        "order": (9, 500, 1000),
        "order book": (1, None, None),
        "position": (1, None, None),
        "ltp": (10, 500, 5000),
        "quote": (10, 500, 5000),
        "candles": (3, 180, 5000),
        "greeks": (1, None, None),
    }
    assert {group: LIMITS[group] for group in published} == published


def test_windows_slide():
    watch = Watch()
    limiter = Limiter(watch, {"quote": (2, 3, 4)})
    took = []
    for at in (0.0, 0.5, 0.75, 1.0, 1.5, 60.0, 60.5, 60.75, 61.5, 3599.5, 3600.0):
        watch.now = 1000.0 + at
        took.append(limiter.take("A", "quote"))
    none = None
    assert took == [none, none, "second", none, "minute", none, "hour", "hour", "hour", "hour", none]
    use = limiter.use["quote"]
    assert (use.asked, use.served, use.refused) == (11, 5, {"second": 1, "minute": 1, "hour": 4})
    assert use.most == {"second": 2, "minute": 3, "hour": 4}
    assert limiter.violations == 6


def test_no_window_ever_holds_more_than_it_may():
    """However requests come: counted again by hand."""
    chance, watch = random.Random(5), Watch()
    limiter = Limiter(watch, {"candles": (3, 20, 300)})
    served = []
    for _ in range(20_000):
        watch.now += chance.choice((0.0, 0.0, 0.03125, 0.25, 0.5, 2.0))
        if limiter.take("A", "candles") is None:
            served.append(watch.now)
    for window, most in ((1.0, 3), (60.0, 20), (3600.0, 300)):
        assert max(sum(1 for other in served if at - window < other <= at) for at in served) == most
    assert limiter.use["candles"].most == {"second": 3, "minute": 20, "hour": 300}


def test_clients_and_groups_have_budgets_of_their_own():
    watch = Watch()
    limiter = Limiter(watch, {"quote": (1, None, None), "ltp": (1, None, None)})
    assert [limiter.take(*who) for who in (("A", "quote"), ("B", "quote"), ("A", "ltp"), ("A", "quote"))] == [
        None, None, None, "second"
    ]  # fmt: skip


@pytest.fixture(scope="module")
def broker():
    source = simulated(symbols=["NIFTY"])
    settings = Settings(start=source.opens, speed=0.0, limits="scaled")
    with StandIn(source, settings) as started:
        yield started


def test_what_is_too_much_is_answered_in_plain_text(broker, tmp_path, monkeypatch):
    """Counted by the stand-in's own time, which stands still, so that nothing depends on the machine."""
    connected = client(broker, tmp_path, monkeypatch)
    assert login(broker, connected)["status"] is True
    headers = {**connected.requestHeaders(), "Authorization": f"Bearer {connected.access_token}"}
    replies = []
    for _ in range(12):
        replies.append(  # noqa: PERF401 - one after the other
            requests.post(
                f"{broker.url}/rest/secure/angelbroking/market/v1/quote/?ignored=1",
                json={"mode": "LTP", "exchangeTokens": {"NSE": ["99926000"]}},
                headers=headers,
                timeout=10,
            )
        )
    assert Counter(reply.status_code for reply in replies) == {200: 10, 403: 2}
    assert replies[-1].text == "Access denied because of exceeding access rate"
    assert replies[-1].headers["content-type"].startswith("text/plain")
    assert "retry-after" not in replies[-1].headers
    # The candles' budget is another one, which open interest shares.
    given = {"exchange": "NFO", "symboltoken": "35001", "interval": "ONE_MINUTE"}
    given |= {"fromdate": "2026-07-15 09:15", "todate": "2026-07-15 15:30"}
    assert [connected.getCandleData(given)["status"], connected.getOIData(given)["status"]] == [True, True]
    assert connected.getCandleData(given)["status"] is True
    with pytest.raises(Exception, match="exceeding access rate"):
        connected.getOIData(given)
    report = broker.control.report()
    assert report["violations"] == 3
    assert report["requests"]["quote"]["refused"] == {"second": 2, "minute": 0, "hour": 0}
    assert report["statuses"]["quote"] == {"200": 10, "403": 2}
    broker.control.time(instant=report["now"] + 1.0)
    assert connected.getOIData(given)["status"] is True
    # Orders share one budget, and a second login does not bring it back.
    orders = [connected.cancelOrder("1", "NORMAL")["errorcode"] for _ in range(4)]
    orders += [connected.modifyOrder({"orderid": "1"})["errorcode"] for _ in range(5)]
    assert orders == ["AB1013"] * 9
    again = client(broker, tmp_path, monkeypatch)
    assert login(broker, again)["status"] is True
    with pytest.raises(Exception, match="exceeding access rate"):
        again.cancelOrder("1", "NORMAL")
