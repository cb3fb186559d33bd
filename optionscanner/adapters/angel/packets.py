"""Packets of the streaming feed, straight into arrays.

Main entry: `parse`. A packet is little-endian and 51 (LTP), 123 (QUOTE) or 379 bytes (SNAP_QUOTE) long; the shorter
kinds are the beginnings of the longest. Prices arrive as whole paise, quantities in units of the underlying.
Source: WebSocket 2.0 of https://smartapi.angelone.in/docs; offsets agree in its Python, Java and JavaScript clients.

A packet that cannot be what it says is left out and counted; a value that cannot be is NaN.

With five bytes in front of it, a packet of any kind is a whole number of 64-bit words, and nearly every number in it
fills one word. So all packets of a kind are one matrix of words, and a column of it is a field:

    0 five zeros, mode, segment, token[0]     1-3 token[1:25]     4 sequence     5 stamp, ms     6 last price
    7 last quantity     8 average     9 volume     10, 11 total quantities (float64)     12-15 open, high, low, close
    16 last trade, s    17 open interest    18 its change    19-43 ten levels of 20 bytes    44-47 limits
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Any

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]
Words = npt.NDArray[np.uint64]


class Mode(IntEnum):
    """How much a subscription delivers."""

    LTP = 1
    QUOTE = 2
    SNAP_QUOTE = 3


class Segment(IntEnum):
    """The feed's numbers of the exchange segments that are read here."""

    NSE = 1
    NFO = 2
    BSE = 3
    BFO = 4


class Wrong(IntEnum):
    """Why a packet was left out."""

    LENGTH = 1
    """No kind of packet is that long."""
    MODE = 2
    """Its length is that of another mode."""
    SEGMENT = 3
    """An exchange segment that is never asked for."""
    TOKEN = 4
    """The token is empty, longer than eight characters, or does not begin with a digit."""


SIZES = {51: Mode.LTP, 123: Mode.QUOTE, 379: Mode.SNAP_QUOTE}
"""Length of a packet in bytes -> its mode."""

_LONGEST_TOKEN = 8
_FRONT = b"\0" * 5
_AT_ONCE = 2048
"""Packets read together: what they need then stays in the processor's cache."""
_NEEDED = {Mode.LTP: 7, Mode.QUOTE: 16, Mode.SNAP_QUOTE: 34}
"""Words from the front that hold everything that is read."""
_LAST, _VOLUME, _BAR, _TRADED, _INTEREST = 6, 9, [6, 12, 13, 14, 15], 16, 17

_LARGEST = 1e12
"""₹, or units: a thousand times the largest open interest of one contract; what is larger was misread."""

_EARLIEST, _LATEST = 946_684_800.0, 4_102_444_800.0
"""1 January 2000 and 2100 [s since 1970 UTC]."""


@dataclass(frozen=True, eq=False, slots=True)
class Ticks:
    """Packets of one mode in the order of their arrival; every column has shape (n,). NaN = not given, or impossible.

    Columns that the mode lacks are None.
    """

    mode: Mode
    key: Words
    """Which instrument it is, see `key_of`."""
    sequence: Ints
    """The feed's own count; without meaning for indices."""
    stamped_at: Floats
    """Exchange time of the packet [s since 1970 UTC]."""
    last: Floats
    """Last traded price [₹]."""
    volume: Floats | None = None
    """Traded today [units]."""
    open: Floats | None = None
    high: Floats | None = None
    low: Floats | None = None
    previous_close: Floats | None = None
    """[₹]."""
    traded_at: Floats | None = None
    """Instant of the last trade [s since 1970 UTC]."""
    open_interest: Floats | None = None
    """[units]."""
    bid: Floats | None = None
    ask: Floats | None = None
    """Best prices [₹]."""
    bid_quantity: Floats | None = None
    ask_quantity: Floats | None = None
    """[units]."""
    confused_book: Bools | None = None
    """Whether the flags contradict each other, so that nobody knows which side is which: bid and ask are NaN then."""

    def __len__(self) -> int:
        return len(self.key)


def key_of(segment: int, token: str) -> int:
    """The number by which `Ticks.key` names an instrument: the characters of its token, and its segment.

    Raises ValueError for a token that is not one to eight digits: the feed could not name it.
    """
    if not (token.isascii() and token.isdigit() and len(token) <= _LONGEST_TOKEN):
        raise ValueError(f"token of an instrument: expected one to eight digits, got {token!r}")
    return int.from_bytes(token.encode("ascii"), "little") | (segment - 1) << 6


def parse(packets: Sequence[bytes]) -> tuple[list[Ticks], Counter[Wrong]]:
    """Read packets of any modes: ticks, each part of one mode, and how many packets were left out for which reason.

    Whether an instrument was ever subscribed, and whether a stamp fits the clock, is for the feed to judge.
    """
    wrong: Counter[Wrong] = Counter()
    sizes = set(map(len, packets))
    made = []
    for size in sizes:
        alike = packets if len(sizes) == 1 else [packet for packet in packets if len(packet) == size]
        mode = SIZES.get(size)
        if mode is None:
            wrong[Wrong.LENGTH] += len(alike)
            continue
        for start in range(0, len(alike), _AT_ONCE):
            some = alike[start : start + _AT_ONCE]
            rows = np.frombuffer(_FRONT.join([b"", *some]), dtype="<u8").reshape(len(some), -1)
            made.append(_ticks(mode, np.ascontiguousarray(rows[:, : _NEEDED[mode]].T, dtype=np.uint64), wrong))
    return [ticks for ticks in made if len(ticks)], wrong


def _ticks(mode: Mode, words: Words, wrong: Counter[Wrong]) -> Ticks:
    """`words`: one row per word, one column per packet."""
    words = _possible(mode, words, wrong)
    numbers = words.view(np.int64)
    # The two upper bits of the first character are free for the segment.
    key = (words[0] >> 56) | (words[1] << 8) | (((words[0] >> 48) - 1) & 3) << 6
    stamped_at = _instants(numbers[5] / 1000.0)
    if mode is Mode.LTP:
        return Ticks(mode, key, numbers[4].copy(), stamped_at, _prices(numbers[_LAST]))
    bar = dict(zip(("last", "open", "high", "low", "previous_close"), _prices(numbers[_BAR]), strict=True))
    volume = _quantities(numbers[_VOLUME])
    if mode is Mode.QUOTE:
        return Ticks(mode, key, numbers[4].copy(), stamped_at, **bar, volume=volume)
    traded_at = _instants(numbers[_TRADED].astype(np.float64))
    return Ticks(mode, key, numbers[4].copy(), stamped_at, **bar, volume=volume, traded_at=traded_at, **_book(words))


def _possible(mode: Mode, words: Words, wrong: Counter[Wrong]) -> Words:
    """The packets that are of this mode, of a segment that is read, and name an instrument."""
    head = (words[0] >> 40) & 0xFFFF
    first, ninth = words[0] >> 56, words[1] >> 56
    of_mode, segment = head & 0xFF == mode, head >> 8
    known = (segment - 1) < Segment.BFO
    named = ((ninth | words[2] | words[3] | (first & 0xC0)) == 0) & (first != 0)
    fine = of_mode & known & named
    if fine.all():
        return words
    faults = {Wrong.MODE: ~of_mode, Wrong.SEGMENT: of_mode & ~known, Wrong.TOKEN: of_mode & known & ~named}
    wrong.update({reason: int(found.sum()) for reason, found in faults.items() if found.any()})
    return np.ascontiguousarray(words[:, fine])


def _book(words: Words) -> dict[str, Any]:
    """Best bid and ask, and open interest. A level's flag says which side it is of (1 buy, 0 sell), whatever half it
    stands in.
    """
    # A level is 20 bytes: flag (2), quantity (8), price (8), orders (2); the first begins a word, the sixth halves one.
    flag, other = words[19] & 0xFFFF, (words[31] >> 32) & 0xFFFF
    paise, units = np.empty((2, words.shape[1]), np.uint64), np.empty((3, words.shape[1]), np.uint64)
    paise[0] = (words[20] >> 16) | (words[21] << 48)
    paise[1] = (words[32] >> 48) | (words[33] << 16)
    units[0] = (words[19] >> 16) | (words[20] << 48)
    units[1] = (words[31] >> 48) | (words[32] << 16)
    units[2] = words[_INTEREST]
    price, quantity = _prices(paise.view(np.int64)), _quantities(units.view(np.int64))
    confused = flag + other != 1
    if confused.any():
        np.copyto(price, np.nan, where=confused)
    np.copyto(quantity[:2], np.nan, where=np.isnan(price))
    swapped = flag == 0
    if swapped.any():
        price[:, swapped] = price[::-1, swapped]
        quantity[:2, swapped] = quantity[1::-1, swapped]
    return {
        "bid": price[0], "ask": price[1], "bid_quantity": quantity[0], "ask_quantity": quantity[1],
        "open_interest": quantity[2], "confused_book": confused,
    }  # fmt: skip


def _prices(paise: Ints) -> Floats:
    """Rupees; NaN for 0, which stands for none, and for what no price can be."""
    value = paise / 100.0
    np.copyto(value, np.nan, where=(value <= 0) | (value > _LARGEST))
    return value


def _quantities(units: Ints) -> Floats:
    value = units.astype(np.float64)
    np.copyto(value, np.nan, where=(value < 0) | (value > _LARGEST))
    return value


def _instants(seconds: Floats) -> Floats:
    np.copyto(seconds, np.nan, where=(seconds < _EARLIEST) | (seconds >= _LATEST))
    return seconds
