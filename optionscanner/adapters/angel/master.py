"""The broker's list of instruments as columns: what is read of its rows, and what is left out.

Main entries: `read_master`, `Master`. The file is one JSON array of some 145,000 objects of text. Kept are the indices,
the shares of NSE's series EQ, and the contracts of NSE's and BSE's derivatives; other segments (currency, commodities)
and other series are not looked at. Strikes and tick sizes arrive in paise, and stay whole paise in comparisons.

A contract's trading symbol says the same as its other fields. So a row with a damaged field contradicts itself and is
left out; a name of which most rows do so is written by another rule than known here, and its fields are believed.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date
from enum import IntEnum
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd

from optionscanner.adapters.angel.packets import Bools, Floats, Ints, Segment, Words, key_of
from optionscanner.errors import SourceError
from optionscanner.model.contracts import CALL, PUT

Texts = npt.NDArray[np.object_]

INDIA_VIX = "INDIA VIX"
MONTHS = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")
_MONTH_SIGNS = "123456789OND"
_SEGMENTS = {segment.name: segment for segment in Segment}
CASH = {Segment.NFO: Segment.NSE, Segment.BFO: Segment.BSE}
"""Segment of contracts -> that of what they derive from."""
_INDEX_ROW = "AMXIDX"
_SERIES = "-EQ"
_TRIAL = re.compile(r"\d{3}NSETEST", re.ASCII)
"""Names under which the exchange tries out its own systems."""
_NAME = re.compile(r"[A-Z0-9][A-Z0-9&_.\-]{0,24}", re.ASCII)
_INDEX_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9&_.\-+/%: ]{0,40}", re.ASCII)
_SYMBOL = re.compile(r"[A-Za-z0-9][A-Za-z0-9&_.\-+/%:() ]{0,59}", re.ASCII)
_BETWEEN = re.compile(r"[ \t\r\n]*")
_WHOLE = re.compile(r"(\d{1,12})(?:\.0{1,10})?", re.ASCII)
_DATE = re.compile(r"(\d{2})([A-Z]{3})(20\d{2})", re.ASCII)

LARGEST_LOT = 10_000_000
LARGEST_STRIKE = 10_000_000_000
"""Paise; as for recorded days."""
_LARGEST_TICK = 100_000
"""Paise."""
_OWN_RULE = 20
"""Contracts of a name, at least, of which most contradict their symbols, before the symbols are not believed."""


class Kind(IntEnum):
    """What a line is."""

    CALL = CALL
    PUT = PUT
    FUTURE = 2
    INDEX = 3
    SHARE = 4


_KINDS = {"CE": Kind.CALL, "PE": Kind.PUT}


class _Line(NamedTuple):
    """One row that may be kept."""

    key: int
    segment: int
    kind: int
    is_index: bool
    name: str
    expiry: int
    strike: int
    lot: int
    tick: int
    freeze: int
    symbol: str
    series: str
    """The symbol without strike and side: contracts of a name that share it expire together."""
    agrees: bool


@dataclass(frozen=True, eq=False)
class Master:
    """(n,) instruments by name, segment, expiry, kind (calls, puts, futures) and strike; each contract and key once."""

    key: Words
    """`packets.key_of` of segment and token."""
    segment: Ints
    """`Segment`."""
    kind: Ints
    """`Kind`."""
    is_index: Bools
    """Whether it is an index, or a contract on one."""
    name: Ints
    """Index into `names`."""
    expiry: Ints
    """`date.toordinal`; 0 without one."""
    strike: Ints
    """Paise; 0 without one."""
    lot: Ints
    """Units; 1 for shares and indices."""
    tick: Floats
    """₹; NaN for indices."""
    freeze: Floats
    """Largest quantity of a single order [units]; NaN where it is not given."""
    symbol: Texts
    """Trading symbol, as orders want it."""
    names: tuple[str, ...]
    """Ascending."""
    rows: int
    """How many rows the file had, of all segments."""
    fetched_at: float = float("nan")
    """When it was downloaded [s since 1970 UTC]."""
    refused: Counter[str] = field(default_factory=Counter)
    """Why rows were left out -> how many; of a copy what it was made from."""

    def __len__(self) -> int:
        return len(self.key)

    @cached_property
    def _order(self) -> Ints:
        return np.argsort(self.key, kind="stable")

    def lines(self, keys: Words) -> Ints:
        """(m,) line of each key, -1 for one that is not listed."""
        if not len(self):
            return np.full(len(keys), -1, dtype=np.int64)
        known = self.key[self._order]
        at = np.minimum(np.searchsorted(known, keys), len(known) - 1)
        return np.where(known[at] == keys, self._order[at], -1)

    def codes(self, wanted: Sequence[str]) -> Ints:
        """Index into `names` of each name, -1 for one that is not listed."""
        position = {name: i for i, name in enumerate(self.names)}
        return np.array([position.get(name, -1) for name in wanted], dtype=np.int64)

    @property
    def is_contract(self) -> Bools:
        """(n,) options and futures."""
        return self.kind <= Kind.FUTURE


def read_master(content: bytes, *, fetched_at: float = float("nan")) -> Master:
    """The instruments of a downloaded file. Raises SourceError where it is not of the published form."""
    refused: Counter[str] = Counter()
    found = []
    dates = _Dates()
    count = 0
    try:
        for row in _rows(content.decode("utf-8")):
            count += 1
            line = _line(row, dates)
            if isinstance(line, _Line):
                found.append(line)
            elif line is not None:
                refused[line] += 1
    except (ValueError, RecursionError) as error:
        raise SourceError(
            f"instrument master: expected one JSON list, got {len(content):,} bytes that cannot be read after "
            f"{count:,} rows ({type(error).__name__}); it may be cut off, tried again later"
        ) from None
    return _master(found, count, fetched_at, refused)


def _rows(text: str) -> Iterator[Any]:
    """The members of a JSON list, one after the other: all at once they take ten times the file's size.

    Raises ValueError where the text is something else.
    """
    read, skip = json.JSONDecoder().raw_decode, _BETWEEN.match
    at = _end(skip(text, 0))
    if text[at : at + 1] != "[":
        raise ValueError("no list")
    at = _end(skip(text, at + 1))
    if text[at : at + 1] != "]":
        while True:
            row, at = read(text, at)
            yield row
            at = _end(skip(text, at))
            if text[at : at + 1] == "]":
                break
            if text[at : at + 1] != ",":
                raise ValueError("no comma")
            at = _end(skip(text, at + 1))
    if _end(skip(text, at + 1)) != len(text):
        raise ValueError("more than a list")


def _end(match: re.Match[str] | None) -> int:
    assert match is not None, "the pattern fits everywhere"
    return match.end()


def _line(row: Any, dates: _Dates) -> _Line | str | None:
    """What one row says; why it is refused; None for one that nothing here is made of."""
    if not isinstance(row, dict):
        return "no object"
    segment = _SEGMENTS.get(_text(row, "exch_seg"))
    if segment is None:
        return None
    symbol, what = _text(row, "symbol"), _text(row, "instrumenttype")
    if segment not in CASH and what != _INDEX_ROW and not (
        segment is Segment.NSE and not what and symbol.endswith(_SERIES)
    ):
        return None
    token = _text(row, "token")
    if not token or token[0] == "0" or not _SYMBOL.fullmatch(symbol):
        return "no token or symbol"
    try:
        key = key_of(segment, token)
    except ValueError:
        return "no token or symbol"
    name, tick, freeze = _text(row, "name"), _whole(row, "tick_size"), max(_whole(row, "freeze_qty"), 0)
    if what == _INDEX_ROW and segment not in CASH:
        # It cannot be traded, so there is no lot and no tick.
        if not _INDEX_NAME.fullmatch(name) or symbol.endswith(_SERIES):
            return "no name"
        return _Line(key, segment, Kind.INDEX, True, name, 0, 0, 1, 0, 0, symbol, "", True)
    if not 0 <= tick <= _LARGEST_TICK:
        return "no tick"
    if segment in CASH:
        return _contract(row, dates, _Line(key, segment, 0, False, name, 0, 0, 0, tick, freeze, symbol, "", True))
    if not _NAME.fullmatch(name):
        return "no name"
    agrees = symbol == name + _SERIES
    return _Line(key, segment, Kind.SHARE, False, name, 0, 0, 1, tick, freeze, symbol, "", agrees)


def _contract(row: dict[str, Any], dates: _Dates, line: _Line) -> _Line | str | None:
    what, symbol = _text(row, "instrumenttype"), line.symbol
    if what in ("OPTIDX", "OPTSTK"):
        kind, strike = _KINDS.get(symbol[-2:]), _whole(row, "strike")
        if kind is None:
            return "no side"
        if not 0 < strike <= LARGEST_STRIKE:
            return "no strike"
        end = f"{_rupees(strike)}{symbol[-2:]}"
    elif what in ("FUTIDX", "FUTSTK"):
        # What stands as the strike of a future (-1) is none.
        kind, strike, end = Kind.FUTURE, 0, "FUT"
        if not symbol.endswith(end):
            return "no side"
    else:
        return "unknown type"
    lot = _whole(row, "lotsize")
    if not 0 < lot <= LARGEST_LOT:
        return "no lot"
    expiry = dates.read(_text(row, "expiry"))
    if expiry is None:
        return "no expiry"
    signs = expiry.by_segment[line.segment]
    name = line.name
    if not name:
        # BSE leaves the name of some stocks' options empty: it is what stands before the expiry in the symbol.
        name = next((symbol[: -len(sign + end)] for sign in signs if symbol.endswith(sign + end)), "")
    if _TRIAL.fullmatch(name):
        return None
    if not _NAME.fullmatch(name):
        return "no name"
    agrees = any(symbol == name + sign + end for sign in signs)
    return line._replace(
        kind=kind, is_index=what.endswith("IDX"), name=name, expiry=expiry.ordinal, strike=strike,
        lot=lot, series=symbol.removesuffix(end), agrees=agrees,
    )  # fmt: skip


class _Expiry(NamedTuple):
    ordinal: int
    by_segment: dict[int, tuple[str, ...]]
    """How symbols write it: NSE in one way, BSE as a month's last one or as another one."""


class _Dates:
    """Reads expiries such as 06OCT2026 in any case; there are few different ones."""

    def __init__(self) -> None:
        self._known: dict[str, _Expiry | None] = {}

    def read(self, text: str) -> _Expiry | None:
        """None for what is no date."""
        if text not in self._known:
            self._known[text] = self._read(text.upper())
        return self._known[text]

    @staticmethod
    def _read(text: str) -> _Expiry | None:
        match = _DATE.fullmatch(text)
        if match is None or match[2] not in MONTHS:
            return None
        day, month, year = match[1], MONTHS.index(match[2]), match[3]
        try:
            ordinal = date(int(year), month + 1, int(day)).toordinal()
        except ValueError:
            return None
        last = f"{year[2:]}{MONTHS[month]}"
        return _Expiry(
            ordinal,
            {Segment.NFO: (day + match[2] + year[2:],), Segment.BFO: (last, f"{year[2:]}{_MONTH_SIGNS[month]}{day}")},
        )


def _text(row: dict[str, Any], name: str) -> str:
    """A field as text; "" where it is missing or neither text nor a whole number."""
    value = row.get(name)
    if isinstance(value, str):
        return value
    if isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < 10**12 and value == int(value):
        return str(int(value))
    return ""


def _whole(row: dict[str, Any], name: str) -> int:
    """A field that is a whole number, with or without a fraction of zeros; -1 where it is none."""
    match = _WHOLE.fullmatch(_text(row, name))
    return -1 if match is None else int(match[1])


def _rupees(paise: int) -> str:
    """As symbols write it: 22100, 117.5, 982.35."""
    whole, part = divmod(paise, 100)
    return f"{whole}.{part:02d}".rstrip("0") if part else str(whole)


def _master(found: list[_Line], rows: int, fetched_at: float, refused: Counter[str]) -> Master:
    """In order, each key and contract once, and every chain of one lot and one kind of underlying."""
    table = pd.DataFrame(found, columns=list(_Line._fields))
    table = table.astype({"key": np.uint64, "is_index": bool, "agrees": bool})
    contract = table["kind"] <= Kind.FUTURE
    keep = np.array(table["agrees"] | _own_rule(table, contract))
    refused["contradicts its symbol"] += int((~keep).sum())
    table = table[keep].drop_duplicates()
    for title, columns in (
        ("one token twice", ["key"]),
        ("one contract twice", ["name", "segment", "kind", "expiry", "strike"]),
    ):
        twice = table.duplicated(columns, keep=False)
        refused[title] += int(twice.sum())
        table = table[~twice]
    for title, groups, value in (
        ("another kind of underlying than its name", ["segment", "name"], "is_index"),
        ("another expiry than its symbols", ["segment", "name", "series"], "expiry"),
        ("another lot than its expiry", ["segment", "name", "expiry"], "lot"),
    ):
        odd = (table["kind"] <= Kind.FUTURE) & ~_is_common(table, groups, value)
        refused[title] += int(odd.sum())
        table = table[~odd]
    table = table.sort_values(["name", "segment", "expiry", "kind", "strike"], kind="stable")
    codes, names = pd.factorize(table["name"], sort=True)
    tick = table["tick"].to_numpy(np.float64) / 100.0
    freeze = table["freeze"].to_numpy(np.float64)
    return Master(
        key=table["key"].to_numpy(np.uint64),
        name=np.asarray(codes, dtype=np.int64),
        names=tuple(str(name) for name in names),
        is_index=table["is_index"].to_numpy(bool),
        tick=np.where(tick > 0, tick, np.nan),
        freeze=np.where(freeze > 0, freeze, np.nan),
        symbol=table["symbol"].to_numpy(object),
        **{name: table[name].to_numpy(np.int64) for name in ("segment", "kind", "expiry", "strike", "lot")},
        rows=rows,
        fetched_at=fetched_at,
        refused=+refused,
    )


def _own_rule(table: pd.DataFrame, contract: pd.Series[bool]) -> pd.Series[bool]:
    """Contracts of names whose symbols are written by another rule: most of them contradict it."""
    by_name = table["agrees"].groupby([table["segment"], table["name"]])
    return contract & (by_name.transform("size") >= _OWN_RULE) & (by_name.transform("mean") < 0.5)


def _is_common(table: pd.DataFrame, groups: list[str], value: str) -> pd.Series[bool]:
    """Whether a row has the value that more than half of its group has."""
    alike = table.groupby([*groups, value])["key"].transform("size")
    return 2 * alike > table.groupby(groups)["key"].transform("size")
