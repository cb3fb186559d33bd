"""Packets of the feed: the broker's own parser, value by value, is the oracle; and nothing odd gets through."""

import random
import struct
from collections import Counter
from typing import Any

import numpy as np
import pytest

from optionscanner.adapters.angel.packets import SIZES, Mode, Segment, Ticks, Wrong, key_of, parse
from tests.broker_client import smart_api

SNAP = struct.Struct("<BB25sqqqqqqddqqqqqqd" + "hqqh" * 10 + "qqqq")
STAMP_MS, TRADED_S = 1_737_356_263_000, 1_737_356_261
BIDS = [(1, 75 * (n + 1), 10_000 - 5 * n, n + 1) for n in range(5)]
ASKS = [(0, 65 * (n + 1), 10_010 + 5 * n, n + 1) for n in range(5)]


def packet(
    mode: int = Mode.SNAP_QUOTE, segment: int = Segment.NFO, token: bytes = b"54786", *, last: int = 25_820,
    stamped_ms: int = STAMP_MS, volume: int = 70_813_950, bar: tuple[int, ...] = (20_550, 26_900, 16_710, 18_380),
    open_interest: int = 3_118_800, levels: list[tuple[int, ...]] | None = None, traded_s: int = TRADED_S,
) -> bytes:  # fmt: skip
    """One packet; the figures are those of a NIFTY option of January 2025."""
    book = [value for level in (levels or BIDS + ASKS) for value in level]
    whole = SNAP.pack(
        mode, segment, token, 32_056_818, stamped_ms, last, 75, 19_815, volume, 605_175.0, 281_850.0, *bar,
        traded_s, open_interest, 0.469, *book, 73_165, 5, 72_990, 0,
    )  # fmt: skip
    return whole[: {of: size for size, of in SIZES.items()}.get(Mode(mode) if mode in list(Mode) else Mode.LTP, 51)]


def one(data: bytes) -> Ticks:
    (ticks,), wrong = parse([data])
    assert not wrong
    assert len(ticks) == 1
    return ticks


@pytest.fixture(scope="module")
def oracle() -> Any:
    """The broker's own parser, as a function of one packet."""
    feed = smart_api("smartWebSocketV2").SmartWebSocketV2
    return feed.__new__(feed)._parse_binary_data


def said(value: float, scale: float = 1.0, *, positive: bool = False) -> float:
    """What the oracle's number means here: scaled, and NaN where it is none."""
    real = 0 < value / scale <= 1e12 if positive else 0 <= value / scale <= 1e12
    return value / scale if real else float("nan")


def assert_as_the_oracle_has_it(data: bytes, oracle: Any, ticks: Ticks | None = None, at: int = 0) -> None:
    """`ticks` holds the packet at position `at`; read alone where not given."""
    ticks, theirs = one(data) if ticks is None else ticks, oracle(data)
    assert ticks.key[at] == key_of(theirs["exchange_type"], theirs["token"])
    assert ticks.sequence[at] == theirs["sequence_number"]
    ours = {"last": ticks.last[at]}
    expected = {"last": said(theirs["last_traded_price"], 100, positive=True)}
    if 946_684_800_000 <= theirs["exchange_timestamp"] < 4_102_444_800_000:
        expected["stamped_at"], ours["stamped_at"] = theirs["exchange_timestamp"] / 1000, ticks.stamped_at[at]
    if ticks.mode is not Mode.LTP:
        for name, their in (("open", "open"), ("high", "high"), ("low", "low"), ("previous_close", "closed")):
            key = "closed_price" if their == "closed" else f"{their}_price_of_the_day"
            expected[name], ours[name] = said(theirs[key], 100, positive=True), getattr(ticks, name)[at]
        expected["volume"], ours["volume"] = said(theirs["volume_trade_for_the_day"]), ticks.volume[at]
    if ticks.mode is Mode.SNAP_QUOTE:
        expected["open_interest"], ours["open_interest"] = said(theirs["open_interest"]), ticks.open_interest[at]
        flags = [struct.unpack_from("<h", data, 147 + 20 * level)[0] for level in range(10)]
        first, sixth = (struct.unpack_from("<hqqh", data, at) for at in (147, 247))
        if flags in ([1] * 5 + [at] * 5, [at] * 5 + [1] * 5):
            # Its two lists are named the other way round; the flag is what counts.
            levels = (theirs["best_5_buy_data"][0], theirs["best_5_sell_data"][0])
            first, sixth = (tuple(level[k] for k in ("flag", "quantity", "price", "no of orders")) for level in levels)
        if {first[0], sixth[0]} == {0, 1}:
            assert not ticks.confused_book[at]
            for flag, units, paise, _ in (first, sixth):
                side = "bid" if flag == 1 else "ask"
                price = said(paise, 100, positive=True)
                quantity = said(units) if price == price else float("nan")
                expected |= {side: price, f"{side}_quantity": quantity}
                ours |= {side: getattr(ticks, side)[at], f"{side}_quantity": getattr(ticks, f"{side}_quantity")[at]}
        else:
            assert ticks.confused_book[at]
            assert np.isnan([ticks.bid[at], ticks.ask[at], ticks.bid_quantity[at], ticks.ask_quantity[at]]).all()
    assert ours.keys() == expected.keys()
    for name, value in expected.items():
        assert ours[name] == value or (np.isnan(ours[name]) and np.isnan(value)), (name, ours[name], value)


@pytest.mark.parametrize("mode", list(Mode))
@pytest.mark.parametrize("token", [b"1", b"54786", b"99926000"])
def test_every_field_is_what_the_brokers_own_parser_says(oracle: Any, mode: Mode, token: bytes) -> None:
    for segment in Segment:
        assert_as_the_oracle_has_it(packet(mode, segment, token), oracle)


def test_a_captured_packet_has_its_published_values() -> None:
    """A NIFTY option on 20 January 2025 at 12:27:43, as a user of the broker's client has published it."""
    ticks = one(packet(levels=[(1, 450, 25_815, 3), *BIDS[1:], (0, 150, 25_870, 2), *ASKS[1:]]))
    assert ticks.last[0] == 258.20
    assert (ticks.open[0], ticks.high[0], ticks.low[0], ticks.previous_close[0]) == (205.50, 269.00, 167.10, 183.80)
    assert (ticks.volume[0], ticks.open_interest[0]) == (70_813_950, 3_118_800)
    assert (ticks.stamped_at[0], ticks.traded_at[0]) == (1_737_356_263.0, 1_737_356_261.0)
    assert (ticks.bid[0], ticks.bid_quantity[0], ticks.ask[0], ticks.ask_quantity[0]) == (258.15, 450, 258.70, 150)


def test_sides_are_told_by_their_flags() -> None:
    plain, swapped = one(packet()), one(packet(levels=ASKS + BIDS))
    for side in ("bid", "ask", "bid_quantity", "ask_quantity"):
        assert getattr(plain, side)[0] == getattr(swapped, side)[0]
    confused = one(packet(levels=BIDS + BIDS))
    assert confused.confused_book[0] and np.isnan(confused.bid[0]) and np.isnan(confused.ask[0])
    one_sided = one(packet(levels=BIDS + [(0, 0, 0, 0)] * 5))
    assert one_sided.bid[0] == 100.0 and np.isnan(one_sided.ask[0]) and np.isnan(one_sided.ask_quantity[0])


def test_what_cannot_be_is_not_a_number() -> None:
    odd = one(packet(last=0, stamped_ms=0, volume=-1, bar=(-5, 2**62, 0, 1), open_interest=2**62, traded_s=2**40))
    assert np.isnan([odd.last[0], odd.stamped_at[0], odd.volume[0], odd.open[0], odd.high[0], odd.low[0]]).all()
    assert np.isnan([odd.open_interest[0], odd.traded_at[0]]).all()
    assert odd.previous_close[0] == 0.01


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", Wrong.LENGTH),
        (packet()[:-1], Wrong.LENGTH),
        (packet() + b"\0", Wrong.LENGTH),
        (packet(Mode.QUOTE)[:51], Wrong.MODE),
        (packet(segment=0), Wrong.SEGMENT),
        (packet(segment=5), Wrong.SEGMENT),
        (packet(segment=255), Wrong.SEGMENT),
        (packet(token=b""), Wrong.TOKEN),
        (packet(token=b"123456789"), Wrong.TOKEN),
        (packet(token=b"12345678" + b"\0" * 16 + b"9"), Wrong.TOKEN),
        (packet(token=b"p4786"), Wrong.TOKEN),
    ],
)
def test_what_is_no_packet_is_left_out_and_counted(data: bytes, reason: Wrong) -> None:
    ticks, wrong = parse([packet(), data, packet()])
    assert wrong == {reason: 1}
    assert sum(map(len, ticks)) == 2


def test_a_name_of_other_characters_is_nobodys_key() -> None:
    """No packet may be taken for that of another instrument, whatever stands in its token."""
    rng = random.Random(7)
    mine = {key_of(segment, str(token)) for segment in Segment for token in (1, 54_786, 99_926_000, 12_345_678)}
    for _ in range(2_000):
        name = bytes(rng.choice(b"0123456789pqrstuvwxyz\x01\x7f\xb1 ") for _ in range(rng.randrange(1, 9)))
        ticks, _ = parse([packet(segment=rng.choice(list(Segment)), token=name)])
        if ticks and int(ticks[0].key[0]) in mine:
            assert name.isdigit()


@pytest.mark.parametrize("token", ["", "123456789", "12a", "१२", "-1"])
def test_a_token_that_the_feed_cannot_name_is_refused(token: str) -> None:
    with pytest.raises(ValueError, match="one to eight digits"):
        key_of(1, token)


def test_a_batch_reads_as_its_packets_one_by_one() -> None:
    """Of all modes, more than are read together, with wrong ones among them."""
    rng = random.Random(3)
    batch = [
        packet(rng.choice(list(Mode)), rng.choice([1, 2, 3, 4, 9]), str(rng.randrange(1, 10**8)).encode(),
               last=rng.randrange(10**6), levels=rng.choice([None, ASKS + BIDS, BIDS + BIDS]))
        for _ in range(9_000)
    ]  # fmt: skip
    together, wrong = parse(batch)
    alone, wrong_alone = [], Counter()
    for data in batch:
        ticks, faults = parse([data])
        alone += ticks
        wrong_alone += faults
    assert wrong == wrong_alone
    assert wrong[Wrong.SEGMENT] > 1000
    for mode in Mode:
        for name in Ticks.__dataclass_fields__.keys() - {"mode"}:
            parts = [getattr(t, name) for t in together if t.mode is mode]
            singles = [getattr(t, name) for t in alone if t.mode is mode]
            if parts[0] is None:
                assert {id(s) for s in singles} == {id(None)}
            else:
                np.testing.assert_array_equal(np.concatenate(parts), np.concatenate(singles))


@pytest.mark.slow
def test_nothing_of_100_000_damaged_packets_gets_through_wrong(oracle: Any) -> None:
    """Bytes turned over, cut off, added or made up: left out, or just what the broker's own parser makes of them."""
    rng = random.Random(11)
    sound = [packet(mode, segment, b"54786") for mode in Mode for segment in Segment]
    by_mode: dict[int, list[bytes]] = {mode: [] for mode in Mode}
    batch = []
    for _ in range(100_000):
        data = bytearray(rng.choice(sound))
        for _ in range(rng.choice((1, 1, 2, 8))):
            data[rng.randrange(len(data))] = rng.randrange(256)
        if rng.random() < 0.1:
            data = data[: rng.randrange(len(data))]
        elif rng.random() < 0.05:
            data = bytearray(rng.randbytes(rng.choice((51, 123, 379, rng.randrange(600)))))
        batch.append(bytes(data))
        token = data[2:27].rstrip(b"\0")
        sized = len(data) in SIZES and SIZES[len(data)] == data[0] and 1 <= data[1] <= 4
        if sized and 1 <= len(token) <= 8 and 0 < token[0] < 64:
            by_mode[data[0]].append(bytes(data))
    ticks, wrong = parse(batch)
    assert sum(map(len, by_mode.values())) + sum(wrong.values()) == 100_000
    assert sum(wrong.values()) > 10_000
    for mode, sent in by_mode.items():
        parts = iter([(part, at) for part in ticks if part.mode == mode for at in range(len(part))])
        for data, (part, at) in zip(sent, parts, strict=True):
            if data[2:27].rstrip(b"\0").isdigit():
                assert_as_the_oracle_has_it(data, oracle, part, at)
