"""The stand-in's feed: packets that the broker's own parser reads, and how connections begin, live and end."""

import json
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime
from functools import cache

import numpy as np
import pytest
import websocket

from optionscanner.adapters.simulated import SimulatedMarket
from optionscanner.model.calendar import IST, load_calendar
from tests.broker import Settings, StandIn
from tests.broker.clock import SetClock
from tests.broker.market import simulated
from tests.broker_client import Ticks, client, eventually, login

NAMES = ("NIFTY", "RELIANCE", "SENSEX")
AT = datetime(2026, 7, 15, 9, 20, tzinfo=IST).timestamp()
STILL = Settings(start=AT, speed=0.0, limits="off", rapid_connections=0, tick_seconds=0.02)

SNAP = struct.Struct("<BB25sqqqqqqddqqqqqqd" + "hqqh" * 10 + "qqqq")
"""As the reference of the wire gives it."""


@contextmanager
def standing(tmp_path_factory, **named) -> Iterator[tuple[StandIn, object]]:
    """A stand-in with a client that is logged in."""
    with (
        StandIn(simulated(symbols=NAMES), replace(STILL, **named)) as broker,
        pytest.MonkeyPatch.context() as monkeypatch,
    ):
        connected = client(broker, tmp_path_factory.mktemp("client"), monkeypatch)
        assert login(broker, connected)["status"] is True
        yield broker, connected


@pytest.fixture(scope="module")
def pair(tmp_path_factory):
    with standing(tmp_path_factory) as found:
        yield found


@cache
def master_of(broker):
    """Trading symbol -> token."""
    return {row["symbol"]: row["token"] for row in json.loads(broker.parts.master)}


def token_of(broker, symbol):
    return master_of(broker)[symbol]


def headers_of(broker, connected, **changed):
    account = broker.settings.account
    right = {
        "Authorization": f"Bearer {connected.access_token}",
        "x-api-key": account.api_key,
        "x-client-code": account.client_code,
        "x-feed-token": connected.feed_token,
    }
    return {name: value for name, value in {**right, **changed}.items() if value is not None}


@contextmanager
def raw(broker, connected, *, query="", **changed):
    """A bare websocket, that shows text frames too."""
    socket = websocket.create_connection(
        broker.feed_url + query, header=headers_of(broker, connected, **changed), timeout=10
    )
    try:
        yield socket
    finally:
        socket.shutdown()


def asking(mode, pairs, action=1):
    tokens = [{"exchangeType": kind, "tokens": list(tokens)} for kind, tokens in pairs]
    return json.dumps({"correlationID": "abcde12345", "action": action, "params": {"mode": mode, "tokenList": tokens}})


def market_at(instant):
    """The same market, made once more."""
    clock = SetClock()
    market = SimulatedMarket(seed=7, clock=clock, calendar=load_calendar(), symbols=NAMES)
    for clock.instant in [at for at in market.instants() if at <= instant]:
        chains = market.latest()
    return chains


def paise(price):
    return 0 if np.isnan(price) else round(float(price) * 100)


def test_each_observation_reaches_the_clients_own_parser(tmp_path_factory):
    """For all strikes of a chain, through five minutes."""
    with standing(tmp_path_factory) as (broker, connected):
        layout = broker.parts.source.market.day.layout
        rows = range(int(layout.starts[0]), int(layout.ends[0]))
        legs = [(row, side) for row in rows for side in (0, 1)]
        tokens = [token_of(broker, f"NIFTY21JUL26{layout.strike[r]:g}{('CE', 'PE')[s]}") for r, s in legs[80:130]]
        with Ticks(broker, connected).open() as ticks:
            ticks.subscribe(3, 2, tokens)
            ticks.subscribe(2, 1, ["99926000"])
            eventually(lambda: len(ticks.packets) == 51, "values at once")
            broker.control.time(instant=AT + 305)
            eventually(lambda: len(ticks.packets) == 102, "newer values")
        chains = market_at(AT + 305)
        spots = chains.underlyings
        for token, leg in zip(tokens, legs[80:130], strict=True):
            newest = ticks.of(token, 3)[-1]
            assert newest["last_traded_price"] == paise(chains.legs.last[leg])
            assert newest["volume_trade_for_the_day"] == chains.legs.volume[leg]
            assert newest["open_interest"] == chains.legs.open_interest[leg]
            assert newest["closed_price"] == paise(chains.day.previous_close[leg])
            assert newest["exchange_timestamp"] == (AT + 300) * 1000
            assert newest["last_traded_timestamp"] == int(chains.legs.price_at[leg])
            bid, ask = newest["best_5_buy_data"][0], newest["best_5_sell_data"][0]
            assert (bid["flag"], bid["price"], bid["quantity"]) == (
                1, paise(chains.legs.bid[leg]), chains.legs.bid_quantity[leg]
            )  # fmt: skip
            assert (ask["flag"], ask["price"], ask["quantity"]) == (
                0, paise(chains.legs.ask[leg]), chains.legs.ask_quantity[leg]
            )  # fmt: skip
        index = ticks.of("99926000", 2)[-1]
        shown = [index[f"{name}_price_of_the_day"] for name in ("open", "high", "low")]
        assert shown == [paise(getattr(spots, name)[0]) for name in ("open", "high", "low")]
        assert (index["last_traded_price"], index["sequence_number"]) == (paise(spots.spot[0]), 0)


def test_packets_are_laid_out_byte_for_byte(pair):
    broker, connected = pair
    token = token_of(broker, "NIFTY21JUL2625200CE")
    share = token_of(broker, "RELIANCE-EQ")
    with raw(broker, connected) as socket:
        assert socket.recv() == "pong"
        sizes = {}
        for mode, pairs in ((1, (2, token)), (2, (2, token)), (3, (2, token)), (4, (1, share))):
            socket.send(asking(mode, [(pairs[0], [pairs[1]])]))
            packet = socket.recv()
            sizes[packet[0]] = len(packet)
            if mode == 3:
                snap = SNAP.unpack(packet)
        assert sizes == {1: 51, 2: 123, 3: 379, 4: 443}
        leg = (int(broker.parts.source.market.day.layout.rows_of(0, 25_200.0)), 0)
        chains = market_at(AT)
        assert snap[:3] == (3, 2, token.encode().ljust(25, b"\0"))
        assert snap[5] == paise(chains.legs.last[leg])
        interest = chains.legs.open_interest[leg]
        assert snap[16] == interest
        assert snap[17] == pytest.approx(100 * (interest / chains.day.previous_open_interest[leg] - 1))
        flags = [snap[18 + 4 * level] for level in range(10)]
        assert flags == [1] * 5 + [0] * 5


def test_subscriptions_are_per_token_and_mode_and_may_be_dropped(pair):
    broker, connected = pair
    one, two = (token_of(broker, f"NIFTY21JUL26{strike}PE") for strike in (25_100, 25_200))
    with raw(broker, connected) as socket:
        socket.recv()
        socket.send(asking(3, [(2, [one, two, one, "404404"]), (9, ["1"])]))
        socket.send(asking(1, [(2, [one])]))
        assert [socket.recv()[0] for _ in range(3)] == [3, 3, 1]
        socket.send(asking(3, [(2, [one, "404404"])], action=0))
        socket.send("ping")
        assert socket.recv() == "pong"
        (open_feed,) = broker.control.report()["feed"]["open"]
        assert open_feed["subscribed"] == {"3": 1, "1": 1}


def test_what_is_no_request_and_what_is_too_much_is_refused_in_words(tmp_path_factory):
    with standing(tmp_path_factory, subscriptions=5) as (broker, connected), raw(broker, connected) as socket:
        tokens = [token for symbol, token in master_of(broker).items() if symbol.startswith("NIFTY21JUL26")][:6]
        socket.recv()
        for text in ("{", '{"action": 1}', asking(7, [(2, tokens[:1])]), asking(4, [(2, tokens[:1])])):
            socket.send(text)
            assert json.loads(socket.recv())["errorCode"] == "E1001"
        socket.send(asking(1, [(2, tokens)]))
        assert json.loads(socket.recv()) == {
            "correlationID": "abcde12345",
            "errorCode": "E1002",
            "errorMessage": "Invalid Request. Subscription Limit Exceeded",
        }
        socket.send(asking(1, [(2, tokens[:5])]))
        assert [len(socket.recv()) for _ in range(5)] == [51] * 5
        socket.send(asking(2, [(2, tokens[:1])]))
        assert json.loads(socket.recv())["errorCode"] == "E1002"


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"Authorization": "Bearer nonsense"}, "Invalid Header - Invalid Auth token"),
        ({"x-client-code": "OTHER"}, "Invalid Header - Invalid Client Code"),
        ({"x-api-key": "other"}, "Invalid Header - Invalid API Key"),
        ({"x-feed-token": "other"}, "Invalid Header - Invalid Feed Token"),
    ],
)
def test_a_wrong_header_is_named(pair, changed, words):
    with pytest.raises(websocket.WebSocketBadStatusException) as refused, raw(*pair, **changed):
        pass
    assert (refused.value.status_code, refused.value.resp_headers["x-error-message"]) == (401, words)


def test_a_browser_signs_in_by_the_address(pair):
    broker, connected = pair
    account = broker.settings.account
    query = f"?clientCode={account.client_code}&feedToken={connected.feed_token}&apiKey={account.api_key}"
    nothing = dict.fromkeys(("Authorization", "x-api-key", "x-client-code", "x-feed-token"))
    with raw(broker, connected, query=query, **nothing) as socket:
        assert socket.recv() == "pong"


def test_a_fourth_connection_is_refused(pair):
    with raw(*pair), raw(*pair), raw(*pair):
        with pytest.raises(websocket.WebSocketBadStatusException) as refused, raw(*pair):
            pass
        assert refused.value.status_code == 429
        assert refused.value.resp_headers["x-error-message"] == "Invalid Request. Connection Limit Exceeded."


def test_connecting_again_and_again_is_dropped_without_an_answer(tmp_path_factory):
    with standing(tmp_path_factory, rapid_connections=3, rapid_seconds=60.0) as found:
        for _ in range(2):
            with raw(*found):
                pass
        with pytest.raises((websocket.WebSocketException, OSError)) as dropped, raw(*found):
            pass
        assert not isinstance(dropped.value, websocket.WebSocketBadStatusException)


def test_a_silent_client_is_closed_and_a_pinging_one_is_not(tmp_path_factory):
    with (
        standing(tmp_path_factory, idle_seconds=0.6) as found,
        raw(*found) as silent,
        raw(*found) as loud,
    ):
        stop = threading.Event()
        pinging = threading.Thread(target=lambda: [loud.send("ping") for _ in range(200) if not stop.wait(0.05)])
        pinging.start()
        try:
            assert silent.recv() == "pong"
            closed = silent.recv_frame()
            assert struct.unpack(">H", closed.data[:2])[0] == 1001
            assert closed.data[2:] == b"Connection Idle Timeout"
            assert [feed["number"] for feed in found[0].control.report()["feed"]["open"]] == [1]
        finally:
            stop.set()
            pinging.join()


def test_protocol_pings_are_answered(pair):
    with raw(*pair) as socket:
        socket.recv()
        socket.ping("x")
        frame = socket.recv_frame()
        assert (frame.opcode, frame.data) == (websocket.ABNF.OPCODE_PONG, b"x")


def test_every_trouble_of_a_feed_can_be_had(pair):
    broker, connected = pair
    token = token_of(broker, "NIFTY21JUL2625200CE")
    control = broker.control
    with raw(broker, connected) as socket:
        socket.recv()
        control.feed("cut", size=33)
        control.garbage_change()
        socket.send(asking(3, [(2, [token])]))
        assert len(socket.recv()) == 33
        control.feed("text", text='{"errorCode": "E1002"')
        assert socket.recv() == '{"errorCode": "E1002"'
        control.feed("bytes", text="00ff")
        assert socket.recv() == b"\x00\xff"
        control.feed("flood", count=2000, seconds=0.2)
        flood = [SNAP.unpack(socket.recv()) for _ in range(400)]
        assert not -1000 < flood[0][17] < 1000
        control.well()
        control.feed("stall")
        socket.send("ping")
        socket.settimeout(0.3)
        with pytest.raises(websocket.WebSocketTimeoutException):
            socket.recv()
        control.well()
        socket.settimeout(10)
        socket.send("ping")
        assert socket.recv() == "pong"
        control.feed("close", code=4000, reason="because")
        closed = socket.recv_frame()
        assert closed.data == struct.pack(">H", 4000) + b"because"
    eventually(lambda: not broker.control.report()["feed"]["open"], "the feed ended")
    with raw(broker, connected) as socket:
        socket.recv()
        control.feed("reset")
        with pytest.raises((websocket.WebSocketException, OSError)):
            socket.recv()
    for kind, status in (("429", 429), ("401", 401), ("drop", None)):
        control.handshake(kind)
        with pytest.raises((websocket.WebSocketException, OSError)) as refused, raw(broker, connected):
            pass
        assert getattr(refused.value, "status_code", None) == status
    control.handshake("silent")
    with pytest.raises(websocket.WebSocketTimeoutException):
        websocket.create_connection(broker.feed_url, header=headers_of(broker, connected), timeout=0.3)


def test_a_mute_feed_still_answers_pings(tmp_path_factory):
    with standing(tmp_path_factory) as (broker, connected), raw(broker, connected) as socket:
        socket.recv()
        broker.control.feed("mute")
        socket.send(asking(1, [(1, ["99926000"])]))
        broker.control.time(instant=AT + 90)
        socket.send("ping")
        assert socket.recv() == "pong"
        broker.control.feed("resume")
        broker.control.time(instant=AT + 120)
        assert len(socket.recv()) == 51


def test_a_forced_logout_ends_feeds_and_tokens_at_its_time(tmp_path_factory):
    with standing(tmp_path_factory) as (broker, connected), raw(broker, connected) as socket:
        socket.recv()
        broker.control.revoke(at=AT + 60)
        assert connected.rmsLimit()["status"] is True
        broker.control.time(instant=AT + 61)
        assert struct.unpack(">H", socket.recv_frame().data[:2])[0] == 1001
        assert connected.rmsLimit() == {"success": False, "message": "Invalid Token", "errorCode": "AG8001", "data": ""}


def test_orders_are_told_on_their_own_socket(tmp_path_factory):
    with standing(tmp_path_factory) as (broker, connected):
        socket = websocket.create_connection(
            broker.orders_url, header={"Authorization": f"Bearer {connected.access_token}"}, timeout=10
        )
        assert json.loads(socket.recv())["order-status"] == "AB00"
        token = token_of(broker, "RELIANCE-EQ")
        order = {
            "variety": "NORMAL", "tradingsymbol": "RELIANCE-EQ", "symboltoken": token, "exchange": "NSE",
            "transactiontype": "BUY", "ordertype": "LIMIT", "producttype": "INTRADAY", "duration": "DAY",
            "quantity": "5", "price": "9000",
        }  # fmt: skip
        number = connected.placeOrder(order)
        told = [json.loads(socket.recv()) for _ in range(2)]
        assert [(one["order-status"], one["orderData"]["orderid"]) for one in told] == [
            ("AB01", number),
            ("AB05", number),
        ]
        socket.shutdown()
        with pytest.raises(websocket.WebSocketBadStatusException) as refused:
            websocket.create_connection(broker.orders_url, header={"Authorization": "Bearer x"}, timeout=10)
        assert refused.value.status_code == 401
