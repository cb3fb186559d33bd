"""The stand-in's instrument master: the layout of the real file, and each of its traps."""

import json
import re
from collections import Counter
from datetime import datetime

import numpy as np
import pytest
import requests

from optionscanner.model.calendar import IST
from tests.broker import Settings, StandIn
from tests.broker.board import Board
from tests.broker.instruments import list_instruments
from tests.broker.market import simulated
from tests.broker.master import master_file

NAMES = ["NIFTY", "SENSEX", "RELIANCE", "IDEA"]
KEYS = ["token", "symbol", "name", "expiry", "strike", "lotsize", "instrumenttype", "exch_seg", "tick_size"]


@pytest.fixture(scope="module")
def source():
    return simulated(symbols=NAMES)


@pytest.fixture(scope="module")
def rows(source):
    return json.loads(master_file(list_instruments(source.market.day), rows=3000))


def one(rows, symbol):
    (found,) = [row for row in rows if row["symbol"] == symbol and row["exch_seg"] in ("NSE", "BSE", "NFO", "BFO")]
    return found


def test_rows_have_the_layout_of_real_ones(rows):
    """Of a file of October 2026: the keys, and text for everything but one flag."""
    assert one(rows, "Nifty 50") == {
        "token": "99926000", "symbol": "Nifty 50", "name": "NIFTY", "expiry": "", "strike": "0.000000", "lotsize": "1",
        "instrumenttype": "AMXIDX", "exch_seg": "NSE", "tick_size": "0.000000", "freeze_qty": "0",
        "is_cas_enabled": False,
    }  # fmt: skip
    option = one(rows, "NIFTY21JUL2625150PE")
    assert {key: option[key] for key in KEYS if key not in ("token", "expiry")} == {
        "symbol": "NIFTY21JUL2625150PE", "name": "NIFTY", "strike": "2515000.000000", "lotsize": "65",
        "instrumenttype": "OPTIDX", "exch_seg": "NFO", "tick_size": "5.000000",
    }  # fmt: skip
    share = one(rows, "RELIANCE-EQ")
    assert (share["strike"], share["instrumenttype"], share["is_cas_enabled"]) == ("-1.000000", "", True)
    assert one(rows, "NIFTY28JUL26FUT")["instrumenttype"] == "FUTIDX"
    assert one(rows, "RELIANCE28JUL26FUT")["instrumenttype"] == "FUTSTK"
    assert all(list(row)[:9] == KEYS or set(KEYS) <= set(row) for row in rows)
    assert {type(value) for row in rows for key, value in row.items() if key != "is_cas_enabled"} == {str}
    assert len(rows) == 3000


def test_every_contract_of_the_market_is_listed_once(rows, source):
    layout = source.market.day.layout
    contracts = [row for row in rows if row["exch_seg"] in ("NFO", "BFO") and row["name"] in NAMES]
    assert len(contracts) == 2 * layout.rows + len(layout.future_keys)
    found = Counter(
        (row["name"], datetime.strptime(row["expiry"], "%d%b%Y").date())  # noqa: DTZ007 - a date has no zone
        for row in contracts
        if row["instrumenttype"].startswith("OPT")
    )
    ends = [*layout.starts[1:], layout.rows]
    listed = dict(zip(layout.segment_keys, zip(layout.starts, ends, strict=True), strict=True))
    assert found == {tuple(key): 2 * int(end - start) for key, (start, end) in listed.items()}
    assert max(Counter((row["exch_seg"], row["token"]) for row in rows).values()) == 1


def test_the_traps_of_the_real_file_are_there(rows):
    nifty = [row for row in rows if row["name"] == "NIFTY" and not row["expiry"]]
    assert sorted((row["token"], row["symbol"], row["instrumenttype"]) for row in nifty) == [
        ("26000", "NIFTY", ""),
        ("99926000", "Nifty 50", "AMXIDX"),
    ]
    assert [row["exch_seg"] for row in rows if row["name"] == "NIFTY" and row["instrumenttype"] == "FUTCUR"] == ["CDS"]
    assert [row["exch_seg"] for row in rows if row["instrumenttype"] == "OPTSTK" and not row["name"]] == ["BFO"]
    assert [row for row in rows if row["instrumenttype"].startswith("OPT") and row["strike"].endswith("50.000000")]
    assert one(rows, "IEX27OCT26117.5CE")["strike"] == "11750.000000"
    assert {"freeze_qty" in row for row in rows} == {True, False}
    assert [row for row in rows if row["expiry"] != row["expiry"].upper()]
    assert {row["symbol"] for row in rows if row["name"] == "NIFTY"} >= {"Nifty 50", "NIFTY28JUL26FUT"}
    series = {row["symbol"]: row["token"] for row in rows if row["name"] in ("RELIANCE", "IDEA") and not row["expiry"]}
    assert len(series) == 3
    assert [symbol for symbol in series if symbol.endswith("-BE")]
    tokens = Counter(row["token"] for row in rows)
    assert [token for token, times in tokens.items() if times > 1], "tokens recur in other segments"


def test_bse_has_a_grammar_of_its_own(rows):
    symbols = {row["symbol"] for row in rows if row["exch_seg"] == "BFO" and row["name"] == "SENSEX"}
    kinds = Counter(re.sub(r"\d{5}(CE|PE)$", "", symbol) for symbol in symbols)
    assert set(kinds) == {
        "SENSEX26716",
        "SENSEX26723",
        "SENSEX26JUL",
        "SENSEX26AUG",
        "SENSEX26JULFUT",
        "SENSEX26AUGFUT",
    }


def test_the_file_is_fetched_without_login_and_spoils_on_demand(source):
    with StandIn(source, Settings(speed=0.0)) as broker:
        whole = requests.get(broker.master_url, timeout=10)
        assert whole.headers["content-type"].startswith("application/json")
        count = len(whole.json())
        broker.control.fault("shrunk", group="master", times=1)
        assert 0 < len(requests.get(broker.master_url, timeout=10).json()) < count / 5
        broker.control.fault("truncated", group="master", times=1)
        with pytest.raises(requests.JSONDecodeError):
            requests.get(broker.master_url, timeout=10).json()
        broker.control.fault("hang-up-midway", group="master", times=1)
        with pytest.raises(requests.RequestException):
            requests.get(broker.master_url, timeout=10)
        assert len(requests.get(broker.master_url, timeout=10).json()) == count


def test_yesterdays_values_stand_until_the_open(source):
    board = Board(source)
    layout = source.market.day.layout
    leg = 2 * int(layout.rows_of(0, 25_200.0))
    assert not board.advance(source.opens - 1)
    assert board.values.last[leg] == source.market.day.previous_close[leg // 2, 0]
    assert board.values.open_interest[leg] == source.market.day.previous_open_interest[leg // 2, 0]
    assert board.values.stamped_at[leg] == source.opens - 1
    assert board.values.traded_at[leg] == datetime(2026, 7, 14, 15, 29, 30, tzinfo=IST).timestamp()
    assert not np.isfinite(board.values.high[leg])


def test_after_the_close_the_feed_time_moves_on_and_the_trade_time_does_not(source):
    board = Board(simulated(symbols=["IDEA"], step=300))
    closes = source.closes
    board.advance(closes)
    before = board.values
    assert not board.advance(closes + 3600)
    assert set(board.values.stamped_at[board.values.seen]) == {closes + 3600}
    assert np.array_equal(board.values.traded_at, before.traded_at, equal_nan=True)
