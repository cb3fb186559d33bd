"""FULL quotes as columns: a captured reply by hand, the stand-in's against its market, and anything at all."""

import json
import math
import random
from datetime import datetime
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from optionscanner.adapters.angel.packets import Segment, key_of
from optionscanner.adapters.angel.quotes import Quotes, quotes_of
from optionscanner.model.calendar import IST

TCS = key_of(Segment.NFO, "140791")
# A stock option before the open of 11 January 2025, as a user of the broker's interface has published it.
CAPTURED = json.loads("""
{"exchange":"NFO","tradingSymbol":"TCS30JAN253400PE","symbolToken":"140791","ltp":1.25,"open":2,"high":2.95,"low":0.95,
 "close":3.8,"lastTradeQty":175,"exchFeedTime":"11-Jan-2025 06:55:04","exchTradeTime":"10-Jan-2025 15:29:30",
 "netChange":-2.55,"percentChange":-67.11,"avgPrice":1.25,"tradeVolume":269675,"opnInterest":153825,"lowerCircuit":0.05,
 "upperCircuit":21.25,"totBuyQuan":343175,"totSellQuan":37275,"52WeekLow":0,"52WeekHigh":260,
 "depth":{"buy":[{"price":1.2,"quantity":26775,"orders":7}],"sell":[{"price":1.25,"quantity":875,"orders":3}]}}
""")


def one(**changed: Any) -> Quotes:
    quotes, left_out = quotes_of({"fetched": [{**CAPTURED, **changed}], "unfetched": []}, {TCS})
    assert (len(quotes), left_out) == (1, 0)
    return quotes


def test_a_captured_quote_has_its_values() -> None:
    quote = one()
    assert quote.key[0] == TCS
    assert (quote.last[0], quote.open[0], quote.high[0], quote.low[0]) == (1.25, 2.0, 2.95, 0.95)
    assert (quote.previous_close[0], quote.volume[0], quote.open_interest[0]) == (3.8, 269_675, 153_825)
    assert (quote.bid[0], quote.bid_quantity[0], quote.ask[0], quote.ask_quantity[0]) == (1.2, 26_775, 1.25, 875)
    assert quote.stamped_at[0] == datetime(2025, 1, 11, 6, 55, 4, tzinfo=IST).timestamp()
    assert quote.traded_at[0] == datetime(2025, 1, 10, 15, 29, 30, tzinfo=IST).timestamp()


@pytest.mark.parametrize(
    ("name", "column"), [("ltp", "last"), ("opnInterest", "open_interest"), ("exchTradeTime", "traded_at")]
)
@pytest.mark.parametrize("value", [None, "", "x", -1, [], {}, True, 1e300, math.nan, math.inf, "9" * 400])
def test_what_cannot_be_is_not_a_number(name: str, column: str, value: Any) -> None:
    quote = one(**{name: value})
    assert math.isnan(getattr(quote, column)[0])
    assert quote.previous_close[0] == 3.8


def test_zero_is_no_price_but_a_quantity() -> None:
    quote = one(ltp=0, close=0, opnInterest=0, tradeVolume="0")
    assert math.isnan(quote.last[0]) and math.isnan(quote.previous_close[0])
    assert (quote.open_interest[0], quote.volume[0]) == (0.0, 0.0)


@pytest.mark.parametrize("depth", [None, [], {}, {"buy": None}, {"buy": [], "sell": {}}, {"buy": "1.2"}, {"buy": [3]}])
def test_a_book_of_any_form_is_empty(depth: Any) -> None:
    quote = one(depth=depth)
    assert np.isnan([quote.bid[0], quote.ask[0], quote.bid_quantity[0], quote.ask_quantity[0]]).all()


@pytest.mark.parametrize("changed", [{"symbolToken": "1"}, {"exchange": "BFO"}, {"symbolToken": None}, {"exchange": 2}])
def test_what_was_not_asked_for_is_left_out_and_counted(changed: dict[str, Any]) -> None:
    quotes, left_out = quotes_of({"fetched": [{**CAPTURED, **changed}, CAPTURED, CAPTURED, "row", None]}, {TCS})
    assert (len(quotes), left_out) == (1, 4)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=12),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from([*CAPTURED, "buy", "price"]), inner),
    max_leaves=12,
)


@given(st.dictionaries(st.sampled_from(["fetched", "unfetched"]), JSON))
def test_data_of_any_form_makes_nothing(data: dict[str, Any]) -> None:
    quotes, _ = quotes_of(data, {TCS})
    assert len(quotes) == 0


@pytest.mark.slow
def test_nothing_of_100_000_damaged_rows_gets_through_wrong() -> None:
    """Every column is either the value that stands in the row, or not a number."""
    rng = random.Random(4)
    names = {"last": "ltp", "previous_close": "close", "volume": "tradeVolume", "open_interest": "opnInterest"}
    odd = [None, "", "abc", -5, 0, 1e13, 1e308, [], {}, True, "12.5", 3, 2**70, "nan", "inf", "-0"]
    for _ in range(100_000):
        row = {**CAPTURED, **{rng.choice(list(CAPTURED)): rng.choice(odd) for _ in range(3)}}
        quotes, left_out = quotes_of({"fetched": [row]}, {TCS})
        assert len(quotes) + left_out == 1
        for column, name in names.items() if len(quotes) else ():
            value = getattr(quotes, column)[0]
            assert math.isnan(value) or (value == float(row[name]) and 0 <= value <= 1e12)
