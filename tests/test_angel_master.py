"""The instrument master: what is read of its rows, the day's universe, the copy on disk, and every way to go wrong."""

import contextlib
import json
import random
import re
from collections.abc import Iterator
from datetime import date, datetime

import numpy as np
import pytest

from optionscanner.adapters.angel import master_cache
from optionscanner.adapters.angel.master import Kind, read_master
from optionscanner.adapters.angel.master_cache import copy_before, load_master, verify
from optionscanner.adapters.angel.master_changes import Changes, changes
from optionscanner.adapters.angel.packets import Segment, key_of
from optionscanner.adapters.angel.universe import name_of
from optionscanner.adapters.angel.universe_of import Expiries, freeze_quantities, universe
from optionscanner.errors import NoData, SourceError, Unreachable
from optionscanner.model.calendar import IST, load_calendar
from optionscanner.model.daily import Listing
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


OCTOBER = date(2026, 10, 6).toordinal()


def test_published_rows_are_read_to_the_paisa():
    """Rows of files of July to October 2026, as published."""
    assert one(read(row())) == {
        "name": "NIFTY", "key": key_of(2, "40672"), "segment": Segment.NFO, "kind": Kind.PUT, "is_index": True,
        "expiry": OCTOBER, "strike": 2_210_000, "lot": 65, "tick": 0.05, "freeze": 1801.0,
        "symbol": "NIFTY06OCT2622100PE",
    }  # fmt: skip
    iex = row(token="102595", symbol="IEX27OCT26117.5CE", name="IEX", expiry="27OCT2026", strike="11750.000000",
              lotsize="4350", instrumenttype="OPTSTK")  # fmt: skip
    found = one(read(iex))
    assert (found["strike"], found["lot"], found["kind"], found["is_index"]) == (11_750, 4350, Kind.CALL, False)
    future = row(token="61093", symbol="NIFTY28JUL26FUT", expiry="28JUL2026", strike="-1.000000",
                 instrumenttype="FUTIDX", tick_size="10.000000")  # fmt: skip
    del future["freeze_qty"], future["is_cas_enabled"]
    found = one(read(future))
    assert (found["strike"], found["tick"], found["kind"]) == (0, 0.1, Kind.FUTURE)
    assert np.isnan(found["freeze"])
    share = row(token="4668", symbol="BANKBARODA-EQ", name="BANKBARODA", expiry="", strike="-1.000000", lotsize="1",
                instrumenttype="", exch_seg="NSE", tick_size="1.000000", freeze_qty="408537")  # fmt: skip
    found = one(read(share))
    assert (found["kind"], found["strike"], found["tick"], found["freeze"]) == (Kind.SHARE, 0, 0.01, 408_537.0)
    index = row(token="99919000", symbol="SENSEX", name="SENSEX", expiry="", strike="0.000000", lotsize="1",
                instrumenttype="AMXIDX", exch_seg="BSE", tick_size="0.000000", freeze_qty="0")  # fmt: skip
    found = one(read(index))
    assert (found["key"], found["kind"], found["strike"]) == (key_of(3, "99919000"), Kind.INDEX, 0)
    assert np.isnan(found["tick"]) and np.isnan(found["freeze"])


@pytest.mark.parametrize(
    ("symbol", "name", "expiry", "strike", "kind"),
    [
        ("360ONE26NOV1260CE", "", "26NOV2026", "126000.000000", "OPTSTK"),
        ("SENSEX26O0884600PE", "SENSEX", "08OCT2026", "8460000.000000", "OPTIDX"),
        ("SENSEX26SEP85000CE", "SENSEX", "24SEP2026", "8500000.000000", "OPTIDX"),
        ("SENSEX24MAR75000PE", "SENSEX", "28Mar2024", "7500000.000000", "OPTIDX"),
        ("SENSEX25OCTFUT", "SENSEX", "30OCT2025", "-1.000000", "FUTIDX"),
    ],
)
def test_bse_symbols_and_empty_names(symbol, name, expiry, strike, kind):
    found = one(read(row(symbol=symbol, name=name, expiry=expiry, strike=strike, instrumenttype=kind, exch_seg="BFO")))
    assert found["name"] == (name or "360ONE")
    assert found["expiry"] == datetime.strptime(expiry, "%d%b%Y").date().toordinal()  # noqa: DTZ007 - no zone


@pytest.mark.parametrize(
    "given",
    [
        {"exch_seg": "CDS", "instrumenttype": "FUTCUR"},
        {"exch_seg": "MCX", "instrumenttype": "OPTFUT"},
        {"token": "26000", "symbol": "NIFTY", "expiry": "", "strike": "0.000000", "instrumenttype": "",
         "exch_seg": "NSE"},
        {"token": "4884", "symbol": "SBIN-BE", "name": "SBIN", "expiry": "", "strike": "-1.000000",
         "instrumenttype": "", "exch_seg": "NSE"},
        {"symbol": "011NSETEST28JUL26FUT", "name": "011NSETEST", "expiry": "28JUL2026", "strike": "-1.000000",
         "instrumenttype": "FUTSTK"},
    ],
)  # fmt: skip
def test_decoys_are_not_looked_at(given):
    """The currency NIFTY, commodities, the old row of an index, other series, trial names of the exchange."""
    master = read(row(), row(**given))
    assert (len(master), master.rows, master.refused.total()) == (1, 2, 0)


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        ({"strike": "0.000000"}, "no strike"), ({"strike": "-1.000000"}, "no strike"),
        ({"strike": "2210000.5"}, "no strike"), ({"strike": None}, "no strike"), ({"strike": "2.21e6"}, "no strike"),
        ({"strike": "2215000.000000"}, "contradicts its symbol"),
        ({"expiry": "13OCT2026"}, "contradicts its symbol"), ({"name": "FINNIFTY"}, "contradicts its symbol"),
        ({"exch_seg": "BFO"}, "contradicts its symbol"), ({"symbol": "NIFTY06OCT2622100CE"}, ""),
        ({"expiry": "31FEB2026"}, "no expiry"), ({"expiry": "2026-10-06"}, "no expiry"),
        ({"lotsize": "0"}, "no lot"), ({"lotsize": "65.5"}, "no lot"),
        ({"token": "123456789"}, "no token or symbol"), ({"token": "4O672"}, "no token or symbol"),
        ({"token": "\u0664\u0660"}, "no token or symbol"), ({"token": ["40672"]}, "no token or symbol"),
        ({"symbol": "NIFTY06OCT2622100XX"}, "no side"), ({"instrumenttype": "FUTIDX"}, "no side"),
        ({"instrumenttype": "UNDCUR"}, "unknown type"), ({"name": "nifty"}, "no name"),
        ({"name": {}}, ""), ({"expiry": "06oct2026"}, ""), ({"token": 40672, "strike": 2210000.0}, ""),
    ],
)  # fmt: skip
def test_a_row_that_cannot_be_is_left_out_with_the_reason(given, reason):
    master = read(row(**given))
    assert (len(master), dict(master.refused)) == ((0, {reason: 1}) if reason else (1, {}))


def chain(name="NIFTY", expiry="06OCT2026", lot="65", *, first=1, strikes=range(22_000, 22_600, 50), **given):
    """Both sides of a few strikes."""
    return [
        row(token=str(first + 2 * i + j), symbol=f"{name}{expiry[:5]}{expiry[-2:]}{strike}{side}", name=name,
            expiry=expiry, strike=f"{strike * 100}.000000", lotsize=lot, **given)
        for i, strike in enumerate(strikes) for j, side in enumerate(("CE", "PE"))
    ]  # fmt: skip


def test_what_is_listed_twice_or_by_another_lot_is_left_out():
    rows = chain()
    assert len(read(*rows, rows[3])) == 24, "the same row again says nothing new"
    twice = read(*rows, {**rows[3], "token": "999"})
    assert (len(twice), dict(twice.refused)) == (23, {"one contract twice": 2})
    one_token = read(*rows, row(token="1", symbol="NIFTY06OCT2630000CE", strike="3000000.000000"))
    assert (len(one_token), dict(one_token.refused)) == (23, {"one token twice": 2})
    bse = row(token="1", symbol="360ONE26NOV1260CE", name="", expiry="26NOV2026", strike="126000.000000",
              instrumenttype="OPTSTK", exch_seg="BFO")  # fmt: skip
    assert len(read(*rows, bse)) == 25, "tokens recur in other segments"
    lots = read(*rows[:-1], {**rows[-1], "lotsize": "75"})
    assert (len(lots), dict(lots.refused)) == (23, {"another lot than its expiry": 1})


def test_a_name_whose_symbols_follow_another_rule_is_believed():
    other = [{**each, "symbol": each["symbol"].replace("NIFTY", "NF-")} for each in chain()]
    assert len(read(*other)) == 24
    assert len(read(*other[:10])) == 0, "too few to tell a rule from damage"
    assert len(read(*other[:5], *chain()[5:])) == 19


def test_expired_contracts_and_far_expiries_are_left_out(source, calendar, content):
    master = read_master(content)
    made = universe(master, calendar, date(2026, 7, 15), names=["SENSEX", "NIFTY"], index_expiries=Expiries(1, 1),
                    tell=silent)  # fmt: skip
    keys = [f"{name} {day}" for name, day in made.day.layout.segment_keys]
    assert keys == ["NIFTY 2026-07-21", "NIFTY 2026-07-28", "SENSEX 2026-07-16", "SENSEX 2026-07-30"]
    assert [str(key.expiry) for key in made.day.layout.future_keys] == ["2026-07-28", "2026-07-30"]
    after = universe(master, load_calendar(), date(2026, 7, 17), names=["SENSEX"], index_expiries=Expiries(1, 0),
                     tell=silent)  # fmt: skip
    assert [str(key.expiry) for key in after.day.layout.segment_keys] == ["2026-07-23"]
    assert [str(key.expiry) for key in after.day.layout.future_keys] == ["2026-07-30"], "the nearest in any case"
    last_day = universe(master, load_calendar(), date(2026, 7, 16), names=["SENSEX"], tell=silent)
    assert str(last_day.day.layout.segment_keys[0].expiry) == "2026-07-16", "it trades on its last day"


def test_who_is_looked_at_and_in_which_order(calendar, content):
    master, told = read_master(content), []
    made = universe(master, calendar, TODAY, tell=told.append)
    assert made.day.layout.names == ("NIFTY", "SENSEX", "IDEA", "RELIANCE")
    assert told == [
        "instrument master: contracts of IEX without a share of series EQ; not looked at",
        "instrument master: no live options of BANKNIFTY, FINNIFTY, MIDCPNIFTY on 15-Jul-2026; not looked at",
    ]
    made = universe(master, calendar, TODAY, names=["NIFTY", "IDEA", "NIFTY"], tell=silent)
    assert made.day.layout.names == ("NIFTY", "IDEA")
    without = ["BANKNIFTY", "FINNIFTY", "MIDCPNIFTY", "IEX", "NIFTY", "IDEA"]
    assert universe(master, calendar, TODAY, exclude=without, tell=silent).day.layout.names == ("SENSEX", "RELIANCE")
    with pytest.raises(NoData, match="got none of NOSUCH"):
        universe(master, calendar, TODAY, names=["NOSUCH"], tell=told.append)
    with pytest.raises(NoData, match="closed on 18-Jul-2026"):
        universe(master, calendar, date(2026, 7, 18), tell=silent)


def test_what_a_name_lacks_is_key_0_and_told(calendar, content):
    rows = json.loads(content)
    kept = [r for r in rows if r["symbol"] not in ("RELIANCE-EQ", "India VIX", "NIFTY21JUL2625150PE")]
    told: list[str] = []
    made = universe(read(*kept), calendar, TODAY, names=NAMES, tell=told.append)
    layout = made.day.layout
    at_row = layout.rows_of(layout.segment_of("NIFTY", date(2026, 7, 21)), 25_150.0)
    assert (made.leg_key[at_row] == 0).tolist() == [False, True]
    assert made.day.listed[at_row].tolist() == [True, False] and int((~made.day.listed).sum()) == 1
    assert [name for name, key in zip(layout.names, made.spot_key, strict=True) if key == 0] == ["RELIANCE"]
    assert made.vix_key == 0
    assert told == [
        "instrument master: no row of RELIANCE beside the contracts, so no spot is read",
        "instrument master: no row of INDIA VIX, so it is not read",
    ]


def test_freeze_quantities_are_kept(calendar, content):
    """The stand-in freezes options at 27 lots and one unit, and says nothing of futures."""
    master = read_master(content)
    made = universe(master, calendar, TODAY, names=["NIFTY", "RELIANCE"], tell=silent)
    options, futures = freeze_quantities(master, made)
    np.testing.assert_array_equal(options, made.day.layout.segment_lot_size * 27 + 1)
    assert np.isnan(futures).all()


def test_changes_are_told_by_kind(calendar):
    stock = {"instrumenttype": "OPTSTK"}
    before = read(
        *chain(expiry="06OCT2026", lot="75"), *chain(expiry="13OCT2026", lot="75", first=100),
        *chain("OLDCO", "27OCT2026", "10", first=200, **stock), *chain("TCS", "27OCT2026", "175", first=300, **stock),
    )  # fmt: skip
    after = read(
        *chain(expiry="13OCT2026", lot="65", first=100), *chain(expiry="20OCT2026", lot="65", first=400),
        *chain("NEWCO", "27OCT2026", "10", first=200, **stock), *chain("TCS", "27OCT2026", "175", first=300, **stock),
    )  # fmt: skip
    found = changes(before, after, date(2026, 10, 7))
    assert found == Changes(
        lots=("NIFTY 13-Oct-2026: lot 65, was 75",),
        listing=Listing(new_symbols=("NEWCO",), gone_symbols=("OLDCO",), new_expiries=("20-Oct-2026: NIFTY",),
                        gone_expiries=("06-Oct-2026: NIFTY",)),
    )  # fmt: skip
    assert found.words() == (
        "lots: NIFTY; expired: NIFTY 06-Oct-2026; new expiries: NIFTY 20-Oct-2026; "
        "new symbols: NEWCO; gone symbols: OLDCO"
    )
    same = changes(after, after, date(2026, 10, 7))
    assert same.words() == "nothing; none: lots, expired, new expiries, new symbols, gone symbols"


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


def assert_same(one, other):
    for name in ("key", "segment", "kind", "is_index", "name", "expiry", "strike", "lot", "tick", "freeze", "symbol"):
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name))
        assert getattr(one, name).dtype == getattr(other, name).dtype
    assert (one.names, one.rows, one.refused) == (other.names, other.rows, other.refused)


def test_a_file_serves_until_the_next_is_published(fetch, broker, tmp_path):
    first, told = fetch(7, 0)
    assert (told, first.fetched_at) == ([], at(7, 0))
    assert fetch(8, 30)[0].fetched_at == at(7, 0)
    assert fetch(8, 40)[0].fetched_at == at(8, 40)
    again, told = fetch(23, 59)
    assert (told, again.fetched_at) == ([], at(8, 40))
    assert_same(again, first)
    assert [path.name for path in tmp_path.iterdir()] == ["instruments-2026-07-15.parquet"]


def test_the_copy_of_an_earlier_day_and_how_many_are_kept(fetch, tmp_path):
    (tmp_path / ".instruments-2026-07-05.parquet.77.part").write_bytes(b"of a process that was killed")
    for day in range(6, 16):
        fetch(9, 0, day=date(2026, 7, day))
    assert len(list(tmp_path.iterdir())) == 7
    assert copy_before(tmp_path, TODAY, tell=silent).fetched_at == at(9, 0, date(2026, 7, 14))
    assert copy_before(tmp_path, date(2026, 7, 9), tell=silent) is None
    (tmp_path / "instruments-2026-07-14.parquet").write_bytes(b"PAR1 but not for long PAR1")
    told: list[str] = []
    assert copy_before(tmp_path, TODAY, tell=told.append).fetched_at == at(9, 0, date(2026, 7, 13))
    assert len(told) == 1 and "14.parquet: expected a copy of the instrument master, got a damaged file" in told[0]


def test_a_copy_with_a_flipped_bit_is_not_believed(fetch, tmp_path):
    """Where it stands in what is not read, such as the least and largest value of a page, nothing is other."""
    fetched, _ = fetch(9, 0)
    (path,) = tmp_path.iterdir()
    whole, found = path.read_bytes(), 0
    for place in range(4, len(whole), len(whole) // 60):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 4]) + whole[place + 1 :])
        told: list[str] = []
        copy = copy_before(tmp_path, date(2026, 7, 16), tell=told.append)
        assert len(told) == (copy is None)
        if copy is not None:
            assert_same(copy, fetched)
        found += len(told)
    assert found > 30


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


def test_nobody_there_and_addresses_that_are_none(fetch, tmp_path):
    for url, words in (
        ("http://127.0.0.1:9/master.json", "from 127.0.0.1:9 (connection refused)"),
        ("nonsense", "from nonsense (the address cannot be used)"),
        ("http://", "the address cannot be used"),
    ):
        with pytest.raises(Unreachable, match=re.escape(words)):
            fetch(9, 0, url=url)


def test_neither_a_silent_host_nor_an_endless_file_is_waited_for(fetch, broker, monkeypatch):
    monkeypatch.setattr(master_cache, "QUIET_S", 0.2)
    broker.control.fault("slow", group="master", times=1, seconds=1.5)
    with pytest.raises(Unreachable, match="did not answer within"):
        fetch(9, 0)
    monkeypatch.setattr(master_cache, "QUIET_S", 15.0)
    monkeypatch.setattr(master_cache, "LARGEST_BYTES", 1 << 16)
    with pytest.raises(SourceError, match="sent more than"):
        fetch(9, 0)


def test_a_folder_that_cannot_be_used_is_told_and_the_file_serves_all_the_same(broker, tmp_path, monkeypatch):
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    (tmp_path / "file").write_text("not a folder")
    told: list[str] = []
    master = load_master(
        tmp_path / "file", broker.master_url, today=TODAY, now=lambda: at(9, 0), tell=told.append
    )
    assert len(master) > 1000 and len(told) == 1 and "no copy could be kept" in told[0]


def test_health_tells_the_age_and_whether_a_newer_file_is_out(fetch):
    master, _ = fetch(9, 0)
    fresh = master_cache.health(master, at(15, 0))
    assert (fresh.value, fresh.state) == (f"{len(master):,} instruments, 6 hours old", "OK")
    stale = master_cache.health(master, at(8, 36, date(2026, 7, 18)))
    assert (stale.value, stale.state) == (f"{len(master):,} instruments, 3.0 days old", "WARN")


def test_a_file_is_verified_against_the_day_and_the_copy_before(content):
    rows = json.loads(content)
    whole = read_master(content)
    for kept, words in (
        ([r for i, r in enumerate(rows) if r["exch_seg"] not in ("NFO", "BFO") or i % 2], "it is not whole"),
        ([r for r in rows if r["symbol"] != "SENSEX"], "SENSEX lost the row of the index"),
        ([*rows, *[row(expiry="someday")] * 200], "rows cannot be (200 no expiry)"),
    ):
        with pytest.raises(SourceError, match=re.escape(words)):
            verify(read(*kept), TODAY, before=whole)
    with pytest.raises(SourceError, match="out of date or not whole"):
        verify(whole, date(2026, 12, 1), before=None)
    with pytest.raises(SourceError, match="has indices of BSE, and no live options"):
        verify(read(*[r for r in rows if r["exch_seg"] != "BFO"]), TODAY, before=None)
    verify(read(*[r for r in rows if r["name"] != "SENSEX"]), TODAY, before=None)


FIELDS = ["token", "symbol", "name", "expiry", "strike", "lotsize", "instrumenttype", "exch_seg"]


def damaged(rng, rows, number):
    """A row with one field that is gone, of another kind, another row's, or with a few other characters."""
    made = dict(rows[number])
    name = rng.choice(FIELDS)
    text = made[name]
    place = rng.randrange(len(text) + 1)
    made[name] = rng.choice([
        None, [text], {"a": text}, True, float("nan"), float("inf"), -1, 0, 10**40, "", " ", "-" + text, text + "0",
        text[:place] + rng.choice("0123456789ABCEFOP.-&\u0665\x00\n") + text[place + 1 :], text[:place], text * 2,
        text.lower(), text[::-1], rng.choice(rows)[name], "99999999", "1e5",
    ])  # fmt: skip
    if rng.random() < 0.02:
        del made[name]
    return rng.choice([None, [], 5, "row", [made]]) if rng.random() < 0.01 else made


@pytest.mark.slow
def test_of_100_000_damaged_rows_nothing_wrong_is_let_in(content):
    """Whatever is kept is a contract that there is, with its lot, and its key is its own.

    Two things are said once in a row and cannot be known: its token, and a side that became the other one.
    """
    rng, rows = random.Random(11), json.loads(content)
    whole = read_master(content)
    true = {contract: key for contract, key, _ in contracts(whole)}
    # Names of a single contract have nobody to say their lot with them.
    instruments = [i for i, r in enumerate(rows) if r["name"] in NAMES and r["symbol"][-2:] in ("EQ", "UT", "CE", "PE")]
    damaged_rows = 0
    while damaged_rows < 100_000:
        spoiled = rng.sample(instruments, len(instruments) // 3)
        made = dict(enumerate(rows)) | {i: damaged(rng, rows, i) for i in spoiled}
        damaged_rows += len(spoiled)
        other = {str(made[i].get("token")) for i in spoiled if isinstance(made[i], dict)
                 and (made[i].get("token") != rows[i]["token"] or turned(made[i], rows[i]))}  # fmt: skip
        found = read_master(json.dumps(list(made.values())).encode())
        for contract, key, token in contracts(found):
            assert contract in true
            assert key == true[contract] or token in other
        with pytest.raises(SourceError, match="is damaged"):
            verify(found, TODAY, before=whole)


def turned(made, row):
    """Whether a call became a put, or the other way."""
    symbol = made.get("symbol")
    return isinstance(symbol, str) and symbol != row["symbol"] and symbol[:-2] == row["symbol"][:-2]


def contracts(master):
    """What each line says, its key and its token."""
    columns = (master.segment, master.kind, master.is_index, master.expiry, master.strike, master.lot)
    lines = zip(*map(np.ndarray.tolist, columns), strict=True)
    for key, code, line in zip(master.key.tolist(), master.name.tolist(), lines, strict=True):
        yield (master.names[code], *line), key, name_of(key)[1]


@pytest.mark.slow
def test_whatever_the_bytes_are_the_error_is_ours(content):
    rng, whole = random.Random(12), content[:3000] + content[-20_000:]
    start = whole.rindex(b"},{", 0, 3000)
    small = whole[:start] + whole[whole.index(b"},{", 3000) :]
    json.loads(small)
    for _ in range(1000):
        cut = bytearray(small)
        for _ in range(rng.randint(1, 20)):
            cut[rng.randrange(len(cut))] = rng.randrange(256)
        with contextlib.suppress(SourceError):
            read_master(bytes(cut))
    for odd in (b"", b"[", b"[" * 100_000, b"{}", b"1", b"[1" + b"0" * 10_000 + b"]", b"\xff\xfe", b"\x00" * 50):
        with contextlib.suppress(SourceError):
            assert len(read_master(odd)) == 0
