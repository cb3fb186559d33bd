"""The feed against the stand-in: what it carries, what it believes, and what it does when a connection goes wrong."""

import time
from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Any

import numpy as np
import pyotp
import pytest

from optionscanner.adapters.angel.client import Client
from optionscanner.adapters.angel.feed import ConnectionState, Feed
from optionscanner.adapters.angel.feed_connection import FeedSettings, Status, request
from optionscanner.adapters.angel.packets import Mode, key_of
from optionscanner.errors import SourceError
from optionscanner.model.calendar import IST
from tests.broker import Settings, StandIn
from tests.broker.market import simulated

AT = datetime(2026, 7, 15, 9, 40, 10, tzinfo=IST).timestamp()
QUICK = FeedSettings(
    connect_s=2.0, ping_s=0.2, silent_s=1.5, mute_s=2.0, verify_s=0.5, first_wait_s=0.05, longest_wait_s=0.2,
    full_wait_s=0.3, apart_s=0.4,
)  # fmt: skip
WAIT_S = 20.0


@pytest.fixture(scope="module")
def broker() -> Iterator[StandIn]:
    """A market at sixty times its pace: something is said twice a second."""
    settings = Settings(start=AT, speed=60.0, limits="off", subscriptions=60, rapid_connections=0)
    with StandIn(simulated(symbols=("NIFTY", "SENSEX")), settings) as started:
        yield started


@pytest.fixture(scope="module")
def session(broker: StandIn) -> Client:
    account = broker.settings.account
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setenv("NO_PROXY", "127.0.0.1")
        made = Client(account.api_key, root=broker.url)
        made.login(account.client_code, account.pin, pyotp.TOTP(account.totp_secret).now())
    return made


@pytest.fixture
def headers(broker: StandIn, session: Client) -> Callable[[], dict[str, str]]:
    account = broker.settings.account

    def made() -> dict[str, str]:
        jwt, _, feed_token = session.tokens
        return {
            "Authorization": f"Bearer {jwt}", "x-api-key": account.api_key, "x-client-code": account.client_code,
            "x-feed-token": feed_token,
        }  # fmt: skip

    return made


@pytest.fixture
def feed_of(broker: StandIn) -> Iterator[Callable[..., Feed]]:
    made: list[Feed] = []

    def start(headers: Callable[[], dict[str, str]], **more: Any) -> Feed:
        given = {"market_open": lambda: True, "settings": QUICK, **more}
        made.append(Feed(broker.feed_url, headers, **given))
        return made[-1]

    yield start
    for feed in made:
        feed.close()
    broker.control.well()


@pytest.fixture(scope="module")
def keys(broker: StandIn) -> list[int]:
    """Every instrument of the market: options of NIFTY first, the indices and India VIX last."""
    listed = broker.parts.board.instruments.by_feed
    return [key_of(segment, token) for segment, token in listed]


def until(claim: Callable[[], Any], what: str) -> Any:
    end = time.monotonic() + WAIT_S
    while time.monotonic() < end:
        if found := claim():
            return found
        time.sleep(0.02)
    raise AssertionError(f"it never happened: {what}")


def covers(feed: Feed, keys: list[int]) -> bool:
    feed.drain()
    return set(keys) <= set(feed.covered().tolist())


def state_of(feed: Feed, number: int = 0) -> ConnectionState:
    return feed.states()[number]


def said(feed: Feed) -> str:
    return state_of(feed).said


def opened(broker: StandIn) -> int:
    return int(broker.control.report()["feed"]["outcomes"]["opened"])


def test_what_is_wanted_comes_and_what_is_not_stops(broker: StandIn, feed_of, headers, keys: list[int]) -> None:
    feed = feed_of(headers)
    feed.want({keys[-3]: Mode.QUOTE, **dict.fromkeys(keys[:20], Mode.SNAP_QUOTE)})
    until(lambda: covers(feed, [keys[-3], *keys[:20]]), "all are heard of")
    ticks = until(feed.drain, "more comes")
    assert {int(k) for part in ticks for k in part.key} <= {keys[-3], *keys[:20]}
    state = state_of(feed)
    assert (state.status, state.tokens, state.heard, state.lost, state.said) == (Status.LIVE, 21, 21, 0, "")
    feed.want(keys[5:8])
    until(lambda: state_of(feed).tokens == 3, "the others are given up")
    feed.drain()
    assert set(feed.covered().tolist()) == set(keys[5:8])
    (connection,) = broker.control.report()["feed"]["open"]
    assert connection["subscribed"] == {"3": 3}


def test_more_than_one_connection_holds_goes_to_the_next(feed_of, headers, keys: list[int]) -> None:
    settings = FeedSettings(**{**{f: getattr(QUICK, f) for f in QUICK.__dataclass_fields__}, "tokens": 10})
    feed = feed_of(headers, settings=settings)
    assert feed.want(keys[:35]) == 30
    until(lambda: covers(feed, keys[:30]), "three connections carry ten each")
    assert [state.tokens for state in feed.states()] == [10, 10, 10]
    before = feed.covered()
    # What stays stays where it is: only the room of what has gone is filled anew.
    feed.want([*keys[2:30], *keys[40:42]])
    until(lambda: covers(feed, keys[40:42]), "the new ones are heard of")
    assert set(feed.covered().tolist()) == set(before.tolist()) - set(keys[:2]) | set(keys[40:42])
    assert [state.tokens for state in feed.states()] == [10, 10, 10]


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        ({"kind": "reset"}, "closed it"),
        ({"kind": "close", "code": 1001, "reason": "Connection Idle Timeout"}, "Connection Idle Timeout"),
        ({"kind": "close", "code": 4000, "reason": "x" * 100}, "code 4000"),
        ({"kind": "stall"}, "not even an answer"),
        ({"kind": "mute"}, "mute"),
    ],
)
def test_a_connection_that_fails_is_made_anew_with_everything(
    broker: StandIn, feed_of, headers, keys: list[int], fault: dict[str, Any], words: str
) -> None:
    feed = feed_of(headers)
    feed.want(keys[:20])
    until(lambda: covers(feed, keys[:20]), "all are heard of")
    told: list[str] = []
    broker.control.feed(**fault)
    until(lambda: told.append(said(feed)) or state_of(feed).status is not Status.LIVE, "the fault is noticed")
    assert len(feed.covered()) == 0
    assert words in said(feed)
    until(lambda: covers(feed, keys[:20]), "all are heard of again")
    assert state_of(feed).status is Status.LIVE


def test_silence_of_a_closed_market_is_no_fault(broker: StandIn, feed_of, headers, keys: list[int]) -> None:
    feed = feed_of(headers, market_open=lambda: False)
    feed.want(keys[:20])
    until(lambda: covers(feed, keys[:20]), "all are heard of")
    broker.control.feed("mute")
    time.sleep(2 * QUICK.mute_s)
    assert state_of(feed).status is Status.LIVE and len(feed.covered()) == 20


def test_a_session_that_is_not_accepted_is_told_and_the_next_one_tried(broker, feed_of, headers, keys) -> None:
    accepted = []

    def refused() -> None:
        accepted.append(True)

    def changing() -> dict[str, str]:
        return headers() if accepted else {**headers(), "x-feed-token": "dead"}

    feed = feed_of(changing, refused=refused)
    feed.want(keys[:5])
    until(lambda: covers(feed, keys[:5]), "the second session is accepted")
    assert accepted == [True]


def test_without_a_session_it_waits_for_one(feed_of, headers, keys: list[int]) -> None:
    ready = []

    def not_yet() -> dict[str, str]:
        if not ready:
            raise SourceError("nobody is logged in yet")
        return headers()

    feed = feed_of(not_yet)
    feed.want(keys[:5])
    until(lambda: said(feed) == "nobody is logged in yet", "it says so")
    ready.append(True)
    until(lambda: covers(feed, keys[:5]), "it goes on")


@pytest.mark.parametrize(("kind", "words"), [("drop", "connect"), ("429", "too many connections"), ("silent", "time")])
def test_a_handshake_that_fails_is_tried_again(broker, feed_of, headers, keys, kind: str, words: str) -> None:
    broker.control.handshake(kind, times=2)
    feed = feed_of(headers)
    feed.want(keys[:5])
    until(lambda: words in said(feed), "the reason is told")
    until(lambda: covers(feed, keys[:5]), "it goes on")


def test_the_network_goes_and_comes_back(broker: StandIn, feed_of, headers, keys: list[int]) -> None:
    feed = feed_of(headers)
    feed.want(keys[:5])
    until(lambda: covers(feed, keys[:5]), "all are heard of")
    broker.control.network(False)
    until(lambda: "refused" in said(feed), "it is noticed")
    broker.control.network(True)
    until(lambda: covers(feed, keys[:5]), "it goes on")


def test_damaged_packets_cost_only_themselves(broker: StandIn, feed_of, headers, keys: list[int]) -> None:
    feed = feed_of(headers)
    feed.want(keys[:20])
    until(lambda: covers(feed, keys[:20]), "all are heard of")
    made = opened(broker)
    broker.control.feed("cut", size=40, count=7)
    broker.control.feed("text", text='{"errorCode":"E1002" "errorMessage":"Subscription Limit Exceeded"}')
    broker.control.feed("bytes", text="00ff")
    until(lambda: feed.drain() is not None and sum(feed.wrong.values()) >= 7, "they are counted")
    assert "too many instruments" in said(feed)
    assert opened(broker) == made and len(feed.covered()) == 20


@pytest.mark.slow
def test_a_burst_is_held_without_loss(broker: StandIn, feed_of, headers, keys: list[int]) -> None:
    feed = feed_of(headers)
    feed.want(keys[:20])
    until(lambda: covers(feed, keys[:20]), "all are heard of")
    before = state_of(feed).packets
    broker.control.feed("flood", count=30_000, seconds=2.0)
    until(lambda: broker.control.report()["feed"]["open"][0]["sent"] >= 60_000, "it is sent")
    sent = broker.control.report()["feed"]["open"][0]["sent"]
    until(lambda: state_of(feed).packets >= min(sent, before + 60_000), "it is there")
    assert state_of(feed).lost == 0
    assert sum(map(len, feed.drain())) > 0


def test_requests_are_as_documented() -> None:
    asked = request(1, Mode.SNAP_QUOTE, [key_of(2, "58662"), key_of(1, "99926000"), key_of(2, "1")])
    assert asked == (
        '{"action": 1, "params": {"mode": 3, "tokenList": [{"exchangeType": 2, "tokens": ["58662", "1"]}, '
        '{"exchangeType": 1, "tokens": ["99926000"]}]}}'
    )


def test_closing_ends_its_thread(feed_of, headers, keys: list[int]) -> None:
    feed = feed_of(headers)
    feed.want(keys[:5])
    until(lambda: covers(feed, keys[:5]), "all are heard of")
    feed.close()
    assert not feed._thread.is_alive()
    assert np.size(feed.covered()) >= 0
