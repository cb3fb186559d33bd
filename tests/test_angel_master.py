"""The instrument master: what is read of its rows, the day's universe, the copy on disk, and every way to go wrong."""

import json
from collections.abc import Iterator
from datetime import date, datetime

import numpy as np
import pytest

from optionscanner.adapters.angel.master import read_master
from optionscanner.adapters.angel.master_cache import load_master
from optionscanner.adapters.angel.universe import name_of
from optionscanner.adapters.angel.universe_of import Expiries, universe
from optionscanner.errors import SourceError
from optionscanner.model.calendar import IST, load_calendar
from tests.broker import Settings, StandIn
from tests.broker.instruments import list_instruments
from tests.broker.market import simulated
from tests.broker.master import master_file

TODAY = date(2026, 7, 15)
NAMES = ["NIFTY", "SENSEX", "RELIANCE", "IDEA"]
EVERY = Expiries(20, 20)


def at(hour, minute, day=TODAY):
    return datetime(day.year, day.month, day.day, hour, minute, tzinfo=IST).timestamp()


@pytest.fixture(scope="module")
def source():
    return simulated(symbols=NAMES)


@pytest.fixture(scope="module")
def calendar(source):
    return load_calendar().with_session(source.market.day.session)


@pytest.fixture(scope="module")
def content(source):
    return master_file(list_instruments(source.market.day))


def silent(sentence):
    raise AssertionError(f"nothing was to be told: {sentence}")


def row(**given):
    """An option as published in October 2026, with other fields where they are `given`."""
    return {
        "token": "40672", "symbol": "NIFTY06OCT2622100PE", "name": "NIFTY", "expiry": "06OCT2026",
        "strike": "2210000.000000", "lotsize": "65", "instrumenttype": "OPTIDX", "exch_seg": "NFO",
        "tick_size": "5.000000", "freeze_qty": "1801", "is_cas_enabled": False, **given,
    }  # fmt: skip


def read(*rows):
    return read_master(json.dumps(rows).encode())


def one(master):
    """The only line as a dictionary."""
    assert len(master) == 1, master.refused
    names = ("key", "segment", "kind", "is_index", "expiry", "strike", "lot", "tick", "freeze", "symbol")
    return {"name": master.names[master.name[0]], **{name: getattr(master, name)[0] for name in names}}


def test_the_stand_ins_market_comes_back_contract_by_contract(source, calendar, content):
    market = source.market.day
    made = universe(
        read_master(content), calendar, TODAY, names=NAMES, index_expiries=EVERY, stock_expiries=EVERY, tell=silent
    )
    layout, theirs = made.day.layout, list_instruments(market)
    assert layout.underlyings == market.layout.underlyings
    assert layout.segment_keys == market.layout.segment_keys
    assert layout.future_keys == market.layout.future_keys
    for name in ("strike", "segment_lot_size", "future_lot_size", "segment_horizon"):
        np.testing.assert_array_equal(getattr(layout, name), getattr(market.layout, name))
    for name in ("tick_size", "listed", "contract_close"):
        np.testing.assert_array_equal(getattr(made.day, name), getattr(market, name))
    # The same order of lines: legs, futures, underlyings, India VIX.
    assert [name_of(int(key)) for key in made.keys] == list(zip(theirs.exchange, theirs.token, strict=True))


@pytest.fixture(scope="module")
def broker(source) -> Iterator[StandIn]:
    with StandIn(source, Settings(speed=0.0, limits="off")) as started:
        yield started


@pytest.fixture
def fetch(broker, tmp_path, monkeypatch):
    """Load from the stand-in into one folder at an hour; what was told."""
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")

    def run(hour, minute, *, day=TODAY, url=None):
        told: list[str] = []
        url = broker.master_url if url is None else url
        master = load_master(tmp_path, url, today=day, now=lambda: at(hour, minute, day), tell=told.append)
        return master, told

    yield run
    broker.control.well()


def asked(broker):
    return sum(count for group, count in asked_by_group(broker).items() if group == "master")


def asked_by_group(broker):
    return {group: sum(by.values()) for group, by in broker.control.report()["statuses"].items()}


def test_a_file_serves_until_the_next_is_published(fetch, broker, tmp_path):
    first, told = fetch(7, 0)
    assert (told, first.fetched_at) == ([], at(7, 0))
    assert fetch(8, 30)[0].fetched_at == at(7, 0)
    assert fetch(8, 40)[0].fetched_at == at(8, 40)
    again, told = fetch(23, 59)
    assert (told, again.fetched_at) == ([], at(8, 40))
    for name in ("key", "segment", "kind", "is_index", "name", "expiry", "strike", "lot", "tick", "freeze", "symbol"):
        np.testing.assert_array_equal(getattr(again, name), getattr(first, name))
        assert getattr(again, name).dtype == getattr(first, name).dtype
    assert (again.names, again.rows, again.refused) == (first.names, first.rows, first.refused)
    assert [path.name for path in tmp_path.iterdir()] == ["instruments-2026-07-15.parquet"]


FAULTS = {
    "truncated": "cannot be read",
    "shrunk": "not whole",
    "hang-up-midway": "could not be fetched",
    "reset": "could not be fetched",
    "server-error": "got answer 502",
    "no-answer": "cannot be read",
    "bad-bytes": "cannot be read",
    "json-null": "expected one JSON list, got",
    "json-list": "got none in 0 rows",
}


@pytest.mark.parametrize(("kind", "words"), FAULTS.items())
def test_a_bad_file_is_told_and_the_copy_before_is_used_with_its_age(fetch, broker, kind, words):
    before, _ = fetch(9, 0, day=date(2026, 7, 14))
    broker.control.fault(kind, group="master", times=1)
    master, (sentence,) = fetch(9, 0)
    assert len(master) == len(before) and master.fetched_at == before.fetched_at
    assert words in sentence
    assert sentence.endswith("the copy of 14-Jul-2026 09:00 is used, which is 24 hours old")
    assert fetch(9, 5)[0].fetched_at == at(9, 5), "tried again at the next start"


@pytest.mark.parametrize("kind", FAULTS)
def test_without_a_copy_a_bad_file_is_an_error(fetch, broker, kind, tmp_path):
    broker.control.fault(kind, group="master", times=1)
    with pytest.raises(SourceError, match=r"^instrument master: "):
        fetch(9, 0)
    assert list(tmp_path.iterdir()) == []
