"""The stand-in on a recorded day: its quotes are what a replay of the same recording shows at the same time."""

from datetime import datetime

import numpy as np
import pytest

from optionscanner.adapters.recorded.format import read_day
from optionscanner.adapters.recorded.replay import RecordedMarket
from optionscanner.model.calendar import IST, load_calendar
from tests.broker import Settings, StandIn
from tests.broker.clock import SetClock
from tests.broker.market import recorded
from tests.broker_client import client, login
from tests.small_day import small_day


def stamp(instant):
    return f"{datetime.fromtimestamp(instant, IST):%d-%b-%Y %H:%M:%S}"


def unquoted_at_first(rows, spots):
    """One strike is seen from the third minute on, one chain has no prices for a side."""
    late = [row for row in rows if row["underlying"] == "BETA" and row["strike"] == 500.0 and row["at"] < "09:22"]
    for row in rows:
        if row["underlying"] == "ACME" and row["strike"] == 1000.0:
            row["call_last"] = None
    return [row for row in rows if row not in late], spots


@pytest.fixture(scope="module")
def day(tmp_path_factory):
    return small_day(tmp_path_factory.mktemp("recorded") / "day", spoil=unquoted_at_first)


def test_quotes_are_those_of_a_replay_at_every_instant(day, tmp_path, monkeypatch):
    clock = SetClock()
    replay = RecordedMarket(read_day(day), clock, load_calendar())
    source = recorded(day)
    settings = Settings(start=source.opens, speed=0.0, limits="off")
    compared = 0
    with StandIn(source, settings) as broker:
        connected = client(broker, tmp_path, monkeypatch)
        login(broker, connected)
        instruments, layout = broker.parts.board.instruments, replay.day.layout
        asked = {}
        for line in range(len(instruments)):
            asked.setdefault(instruments.exchange[line], []).append(instruments.token[line])
        for clock.instant in replay.instants():
            chains = replay.latest()
            broker.control.time(instant=clock.instant)
            data = connected.getMarketData("FULL", asked)["data"]
            got = {one["tradingSymbol"]: one for one in data["fetched"]}
            for row in range(layout.rows):
                key = layout.segment_keys[layout.row_segment[row]]
                for side, word in enumerate(("CE", "PE")):
                    symbol = f"{key.underlying}{key.expiry:%d%b%y}{layout.strike[row]:g}{word}".upper()
                    if np.isnan(chains.legs.seen_at[row, side]):
                        assert symbol not in got
                        continue
                    one, legs = got[symbol], chains.legs
                    assert one["ltp"] == np.nan_to_num(legs.last[row, side])
                    assert one["tradeVolume"] == legs.volume[row, side]
                    assert one["opnInterest"] == legs.open_interest[row, side]
                    assert one["exchFeedTime"] == stamp(chains.stamped_at[layout.row_segment[row]])
                    assert one["depth"] == {"buy": [], "sell": []}
                    if np.isfinite(legs.price_at[row, side]):
                        assert one["exchTradeTime"] == stamp(legs.price_at[row, side])
                    compared += 1
            assert got["Nifty 50"]["ltp"] == chains.underlyings.spot[layout.names.index("NIFTY")]
            assert got["ACME-EQ"]["ltp"] == chains.underlyings.spot[layout.names.index("ACME")]
    assert compared == 6 * 42 - 2 * 2


def test_a_recording_has_one_day_of_candles(day, tmp_path, monkeypatch):
    with StandIn(recorded(day), Settings(speed=0.0, limits="off")) as broker:
        connected = client(broker, tmp_path, monkeypatch)
        login(broker, connected)
        instants = broker.parts.source.instants
        broker.control.time(instant=instants[3])
        given = {"exchange": "NSE", "symboltoken": "99926000", "interval": "ONE_MINUTE"}
        at = datetime.fromtimestamp(instants[0], IST).date()
        given |= {"fromdate": f"{at} 09:15", "todate": f"{at} 15:30"}
        rows = connected.getCandleData(given)["data"]
        assert [row[0] for row in rows] == [f"{at}T09:{minute}:00+05:30" for minute in (20, 21, 22, 23)]
