"""The broker's own client, unmodified, against the stand-in: what it reads is what the market says.

The market of the tests is made here a second time, from the same seed, and asked by the market's own functions.
"""

import json
import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime

import numpy as np
import pytest

from optionscanner.adapters.simulated import SimulatedMarket
from optionscanner.model.calendar import IST, load_calendar
from optionscanner.model.chains import Chains
from tests.broker import Settings, StandIn
from tests.broker.clock import SetClock
from tests.broker.market import simulated
from tests.broker_client import client, login

NAMES = ("NIFTY", "RELIANCE", "SENSEX")
AT = datetime(2026, 7, 15, 9, 40, 10, tzinfo=IST).timestamp()


@pytest.fixture(scope="module")
def broker() -> Iterator[StandIn]:
    """A stand-in that stands still at 09:40:10."""
    with StandIn(simulated(symbols=NAMES), Settings(start=AT, speed=0.0, limits="off")) as started:
        yield started


@pytest.fixture(scope="module")
def connected(broker, tmp_path_factory):
    """The client, logged in."""
    with pytest.MonkeyPatch.context() as monkeypatch:
        found = client(broker, tmp_path_factory.mktemp("client"), monkeypatch)
        assert login(broker, found)["status"] is True
        yield found


@pytest.fixture(scope="module")
def chains() -> Chains:
    """The same market at the same time: its observations are 30 seconds apart."""
    clock = SetClock()
    market = SimulatedMarket(seed=7, clock=clock, calendar=load_calendar(), symbols=NAMES)
    for clock.instant in [at for at in market.instants() if at <= AT]:
        picture = market.latest()
    return picture


@pytest.fixture(scope="module")
def master(broker, connected) -> dict[str, dict[str, str]]:
    """Trading symbol -> row of the instrument master, of what the market has."""
    rows = json.loads(broker.parts.master)
    return {row["symbol"]: row for row in rows if row["exch_seg"] in ("NSE", "BSE", "NFO", "BFO")}


def quote(connected, mode, *rows):
    """symbol -> what `getMarketData` fetched."""
    tokens = {}
    for row in rows:
        tokens.setdefault(row["exch_seg"], []).append(row["token"])
    reply = connected.getMarketData(mode, tokens)
    assert (reply["status"], reply["message"], reply["errorcode"]) == (True, "SUCCESS", "")
    assert reply["data"]["unfetched"] == []
    return {one["tradingSymbol"]: one for one in reply["data"]["fetched"]}


def clock_of(instant):
    return f"{datetime.fromtimestamp(instant, IST):%d-%b-%Y %H:%M:%S}"


def test_login_gives_tokens_and_the_profile(broker, connected):
    said = login(broker, connected)
    assert said["data"]["clientcode"] == broker.settings.account.client_code
    assert said["data"]["jwtToken"] == f"Bearer {connected.access_token}"
    assert connected.rmsLimit()["data"]["net"] == "1000000.0000"


def test_a_chain_is_quoted_as_the_market_has_it(connected, chains, master):
    layout = chains.layout
    expiry = datetime(2026, 7, 21).date()  # noqa: DTZ001 - a date has no zone
    segment = layout.segment_of("NIFTY", expiry)
    middle = int(layout.rows_of(segment, 25_200.0))
    rows = range(middle - 10, middle + 11)
    listed = [master[f"NIFTY21JUL26{layout.strike[row]:g}{side}"] for row in rows for side in ("CE", "PE")]
    got = quote(connected, "FULL", *listed)
    assert len(got) == 42
    legs = chains.legs
    for row in rows:
        for side, word in enumerate(("CE", "PE")):
            one, leg = got[f"NIFTY21JUL26{layout.strike[row]:g}{word}"], (row, side)
            best = [one["depth"][way][0] if one["depth"][way] else None for way in ("buy", "sell")]
            assert one["ltp"] == legs.last[leg]
            assert [b and (b["price"], b["quantity"]) for b in best] == [
                None if np.isnan(price) else (price, quantity)
                for price, quantity in (
                    (legs.bid[leg], legs.bid_quantity[leg]),
                    (legs.ask[leg], legs.ask_quantity[leg]),
                )
            ]
            assert (one["tradeVolume"], one["opnInterest"]) == (legs.volume[leg], legs.open_interest[leg])
            assert one["close"] == pytest.approx(chains.day.previous_close[leg])
            assert one["exchTradeTime"] == clock_of(legs.price_at[leg])
            assert one["exchFeedTime"] == "15-Jul-2026 09:40:00"


def test_indices_shares_and_futures_are_quoted_too(connected, chains, master):
    spots = chains.underlyings
    got = quote(
        connected,
        "OHLC",
        *(master[s] for s in ("Nifty 50", "SENSEX", "RELIANCE-EQ", "India VIX", "NIFTY28JUL26FUT", "SENSEX26JULFUT")),
    )
    for u, symbol in enumerate(("Nifty 50", "SENSEX", "RELIANCE-EQ")):
        at = chains.layout.names.index(NAMES[(0, 2, 1)[u]])
        shown = [got[symbol][name] for name in ("ltp", "open", "high", "low", "close")]
        market = [getattr(spots, name)[at] for name in ("spot", "open", "high", "low", "previous_close")]
        assert shown == [round(float(value), 2) for value in market]
    assert got["India VIX"]["ltp"] == chains.vix
    futures = {f"{key.underlying}{key.expiry:%y%b}": i for i, key in enumerate(chains.layout.future_keys)}
    assert got["NIFTY28JUL26FUT"]["ltp"] == chains.futures.last[futures["NIFTY26Jul"]]
    assert got["SENSEX26JULFUT"]["ltp"] == chains.futures.last[futures["SENSEX26Jul"]]
    assert "depth" not in got["Nifty 50"]


def test_the_last_price_alone(connected, chains, master):
    row = master["RELIANCE-EQ"]
    (one,) = quote(connected, "LTP", row).values()
    spot = chains.underlyings.spot[chains.layout.names.index("RELIANCE")]
    assert one == {"exchange": "NSE", "tradingSymbol": "RELIANCE-EQ", "symbolToken": row["token"], "ltp": spot}
    assert connected.ltpData("NSE", "RELIANCE-EQ", row["token"])["data"]["ltp"] == spot


def test_unknown_tokens_are_not_fetched_and_too_many_are_refused(connected, master):
    tokens = [master["RELIANCE-EQ"]["token"], "987654321", ""]
    data = connected.getMarketData("LTP", {"NSE": tokens})["data"]
    assert [one["symbolToken"] for one in data["fetched"]] == tokens[:1]
    assert [one["symbolToken"] for one in data["unfetched"]] == tokens[1:]
    assert data["unfetched"][1]["errorCode"] == "AB4018"
    most = [str(token) for token in range(51)]
    assert connected.getMarketData("LTP", {"NSE": most})["status"] is False


def test_fetched_rows_come_in_another_order(connected, master):
    symbols = [symbol for symbol in master if symbol.startswith("NIFTY21JUL26")][:40]
    assert list(quote(connected, "LTP", *(master[symbol] for symbol in symbols))) != symbols


def candles(connected, row, interval, begins, ends, ask="getCandleData"):
    given = {"exchange": row["exch_seg"], "symboltoken": row["token"], "interval": interval}
    return getattr(connected, ask)({**given, "fromdate": begins, "todate": ends})


def test_candles_are_made_of_what_was_observed_so_far(connected, master):
    clock = SetClock()
    market = SimulatedMarket(seed=7, clock=clock, calendar=load_calendar(), symbols=NAMES)
    observed = []
    for clock.instant in [at for at in market.instants() if at <= AT]:
        observed.append((clock.instant, float(market.latest().underlyings.spot[0])))
    reply = candles(connected, master["Nifty 50"], "FIVE_MINUTE", "2026-07-15 09:15", "2026-07-15 15:30")
    assert [row[0] for row in reply["data"]] == [f"2026-07-15T09:{m}:00+05:30" for m in (15, 20, 25, 30, 35, 40)]
    for row in reply["data"]:
        begins = datetime.fromisoformat(row[0]).timestamp()
        prices = [spot for at, spot in observed if begins <= at < begins + 300]
        assert row[1:] == [prices[0], max(prices), min(prices), prices[-1], 0]


def test_daily_candles_reach_into_the_past(connected, chains, master):
    reply = candles(connected, master["Nifty 50"], "ONE_DAY", "2026-07-13 09:15", "2026-07-15 15:30")
    assert [row[0][:10] for row in reply["data"]] == ["2026-07-13", "2026-07-14", "2026-07-15"]
    assert reply["data"][1][4] == chains.underlyings.previous_close[0]
    assert reply["data"][2][4] == chains.underlyings.spot[0]


def test_open_interest_of_today_and_of_yesterdays_close(connected, chains, master):
    row = master["NIFTY21JUL2625200CE"]
    leg = (int(chains.layout.rows_of(0, 25_200.0)), 0)
    data = candles(connected, row, "FIVE_MINUTE", "2026-07-14 15:00", "2026-07-15 15:30", "getOIData")["data"]
    assert data[0] == {"time": "2026-07-14T15:25:00+05:30", "oi": chains.day.previous_open_interest[leg]}
    assert data[-1] == {"time": "2026-07-15T09:40:00+05:30", "oi": chains.legs.open_interest[leg]}
    assert (
        candles(connected, master["Nifty 50"], "ONE_MINUTE", "2026-07-15 09:15", "2026-07-15 15:30", "getOIData")[
            "data"
        ]
        == []
    )


@pytest.mark.parametrize(
    ("interval", "begins", "ends"),
    [
        ("ONE_MINUTE", "2026-06-14 09:15", "2026-07-15 15:30"),
        ("ONE_DAY", "2020-07-15 09:15", "2026-07-15 15:30"),
        ("ONE_MINUTE", "2026-07-15 10:00", "2026-07-15 09:59"),
        ("TWO_MINUTE", "2026-07-15 09:15", "2026-07-15 09:59"),
    ],
)
def test_dates_out_of_order_and_too_many_days_are_refused(connected, master, interval, begins, ends):
    assert candles(connected, master["Nifty 50"], interval, begins, ends)["errorcode"] == "AB1004"


def test_the_old_index_token_has_no_candles(connected):
    row = {"exch_seg": "NSE", "token": "26000"}
    assert candles(connected, row, "ONE_MINUTE", "2026-07-15 09:15", "2026-07-15 15:30")["data"] == []


def test_greeks_are_text_and_of_nse_alone(connected):
    data = connected.optionGreek({"name": "NIFTY", "expirydate": "21JUL2026"})["data"]
    assert len(data) == 210
    assert {type(value) for row in data for value in row.values()} == {str}
    (at_the_money,) = [row for row in data if (row["strikePrice"], row["optionType"]) == ("25200.000000", "CE")]
    assert 0.3 < float(at_the_money["delta"]) < 0.8
    assert 5.0 < float(at_the_money["impliedVolatility"]) < 30.0
    assert connected.optionGreek({"name": "SENSEX", "expirydate": "16JUL2026"})["errorcode"] == "AB9019"
    assert connected.optionGreek({"name": "NIFTY", "expirydate": "21Jul2026"})["errorcode"] == "AB9019"


def test_lists_of_the_whole_market(connected, chains):
    ratios = {row["tradingSymbol"]: row["pcr"] for row in connected.putCallRatio()["data"]}
    volume, layout = chains.legs.volume, chains.layout
    rows = layout.segment_underlying[layout.row_segment] == 0
    assert ratios["NIFTY28JUL26FUT"] == round(np.nansum(volume[rows, 1]) / np.nansum(volume[rows, 0]), 2)
    assert not [symbol for symbol in ratios if symbol.startswith("SENSEX")]
    words = ("PercOIGainers", "PercOILosers")
    gained, lost = (connected.gainersLosers({"datatype": w, "expirytype": "NEAR"})["data"] for w in words)
    assert {row["tradingSymbol"] for row in gained + lost} == {"NIFTY28JUL26FUT", "RELIANCE28JUL26FUT"}
    assert all(type(row["symbolToken"]) is int for row in gained + lost)
    words = ("Long Built Up", "Short Built Up", "Short Covering", "Long Unwinding")
    found = [row for w in words for row in connected.oIBuildup({"datatype": w, "expirytype": "NEAR"})["data"]]
    assert {row["tradingSymbol"] for row in found} == {"NIFTY28JUL26FUT", "RELIANCE28JUL26FUT"}
    assert {type(value) for row in found for value in row.values()} == {str}


def test_a_burst_of_sixteen_threads_loses_no_connection(connected):
    with ThreadPoolExecutor(16) as threads:
        replies = [threads.submit(connected.rmsLimit) for _ in range(160)]
    assert all(reply.result()["status"] for reply in replies)


def test_the_stand_in_knows_nothing_of_who_connects(root):
    """Of the package it uses the nouns, and two markets for their content."""
    allowed = ("model", "ports", "adapters.simulated", "adapters.recorded", "bootstrap")
    used = set()
    for path in (root / "tests" / "broker").glob("*.py"):
        used |= set(re.findall(r"from optionscanner\.([\w.]+) import", path.read_text(encoding="utf-8")))
    assert used
    assert [name for name in used if not name.startswith(allowed)] == []


def test_an_order_is_placed_filled_and_held(connected, chains, master):
    assert connected.position()["data"] is None
    assert connected.orderBook()["data"] is None
    row = master["NIFTY21JUL2625200CE"]
    ask = chains.legs.ask[int(chains.layout.rows_of(0, 25_200.0)), 0]
    order = {
        "variety": "NORMAL", "tradingsymbol": row["symbol"], "symboltoken": row["token"], "exchange": "NFO",
        "transactiontype": "BUY", "ordertype": "LIMIT", "producttype": "CARRYFORWARD", "duration": "DAY",
        "quantity": "130",
    }  # fmt: skip
    waiting = connected.placeOrder({**order, "price": str(ask - 5)})
    filled = connected.placeOrderFullResponse({**order, "price": str(ask + 5)})["data"]
    states = {one["orderid"]: one["status"] for one in connected.orderBook()["data"]}
    assert states == {waiting: "open", filled["orderid"]: "complete"}
    connected.modifyOrder({**order, "orderid": waiting, "price": str(ask - 6)})
    assert connected.cancelOrder(waiting, "NORMAL")["status"] is True
    (held,) = connected.position()["data"]
    assert (held["netqty"], held["buyavgprice"]) == ("130", f"{ask:.2f}")
    assert held["netvalue"] == f"- {130 * ask:.2f}"
    (trade,) = connected.tradeBook()["data"]
    assert (trade["fillsize"], trade["fillprice"]) == ("130", f"{ask:.2f}")
    assert connected.placeOrder({**order, "symboltoken": "1", "price": "1"}) is None
