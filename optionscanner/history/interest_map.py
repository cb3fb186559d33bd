"""The day's map of open interest in a file: written as it grows, taken up after a restart, read for one chain.

Main entries: `MapRows`, `resumed_map`, `stored_chain_map`. A row is one quarter hour of one chain, so that a chain's
day is some 26 rows that one key finds, whether the day still runs or its quotes were archived long ago.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import date
from pathlib import Path

import numpy as np

from optionscanner.errors import HistoryError
from optionscanner.model.context import DayContext
from optionscanner.model.contracts import CALL, PUT, Floats, Layout, paise
from optionscanner.model.open_interest_map import (
    BUCKET_S,
    OPENING,
    ChainMap,
    OpenInterestMap,
    based,
    bucket_begins,
    buckets_of,
)

Row = tuple[object, ...]

_SIDES = {"CE": CALL, "PE": PUT}


@dataclass
class MapRows:
    """Makes rows of what a map has that the one before had not."""

    layout: Layout | None = None
    values: Mapping[int, Floats] = field(default_factory=dict)
    """As they were encoded last."""

    def take(self, stored: OpenInterestMap) -> None:
        """Begin after a map that the file holds already."""
        self.layout, self.values = stored.layout, stored.values

    def rows(self, seen: OpenInterestMap | None, *, whole: bool) -> Iterator[Row]:
        """Rows of the quarter hours that changed in any leg, chain by chain; with `whole`, all that there are."""
        if seen is None:
            return
        layout, before = seen.layout, {} if whole or seen.layout is not self.layout else self.values
        self.layout, self.values = layout, seen.values
        begins, keys = seen.begins, layout.segment_keys
        strikes = layout.strike.astype("<f8", copy=False)
        for bucket in sorted(seen.values):
            held = seen.values[bucket].astype("<f8", copy=False)
            old = before.get(bucket)
            if old is held:
                continue
            differs = np.isfinite(held) if old is None else (held != old) & np.isfinite(held)
            begins_at = None if bucket == OPENING else round(1000 * float(begins[bucket]))
            for segment in np.flatnonzero(np.logical_or.reduceat(differs.any(axis=1), layout.starts)).tolist():
                part = slice(int(layout.starts[segment]), int(layout.ends[segment]))
                key = keys[segment]
                chain = (key.underlying, key.expiry.isoformat())
                yield (*chain, bucket, begins_at, strikes[part].tobytes(), held[part].tobytes())


def _unpacked(path: Path, of: str, strikes: bytes, values: bytes) -> tuple[Floats, Floats]:
    """(n,) strikes [₹] and (n, 2) units of a stored row; HistoryError where they do not fit each other."""
    if len(values) != 2 * len(strikes) or len(strikes) % 8:
        raise HistoryError(
            f"history {path}: the map of open interest of {of} is not of {len(strikes) // 8} strikes; "
            "move the file away, and a new one is begun"
        )
    return np.frombuffer(strikes, dtype="<f8"), np.frombuffer(values, dtype="<f8").reshape(-1, 2)


def resumed_map(connection: sqlite3.Connection, path: Path, session: int, day: DayContext) -> OpenInterestMap:
    """What the file holds of the session's map, on the day's layout."""
    begun, layout = OpenInterestMap.of_day(day), day.layout
    values: dict[int, Floats] = {}
    position = {(key.underlying, key.expiry.isoformat()): i for i, key in enumerate(layout.segment_keys)}
    for underlying, expiry, bucket, strikes, blob in connection.execute(
        "SELECT underlying, expiry, bucket, strikes, open_interest FROM open_interest_map "
        "WHERE session = ? AND bucket < ?",
        (session, begun.buckets),
    ):
        segment = position.get((underlying, expiry))
        if segment is None:
            continue
        listed, held = _unpacked(path, f"{underlying} {expiry}", strikes, blob)
        rows = layout.rows_of(np.full(len(listed), segment), listed)
        kept = rows >= 0
        values.setdefault(bucket, np.full((layout.rows, 2), np.nan))[rows[kept]] = held[kept]
    return replace(begun, values=values)


def stored_chain_map(
    connection: sqlite3.Connection, path: Path, session: int, underlying: str, expiry: date
) -> ChainMap | None:
    """The day of one chain as it is stored; None where the session has nothing of it."""
    rows = connection.execute(
        "SELECT bucket, begins_at, strikes, open_interest FROM open_interest_map "
        "WHERE session = ? AND underlying = ? AND expiry = ? ORDER BY bucket",
        (session, underlying, expiry.isoformat()),
    ).fetchall()
    pieces = {bucket: _unpacked(path, f"{underlying} {expiry}", strikes, blob) for bucket, _, strikes, blob in rows}
    begins = {bucket: at / 1000.0 for bucket, at, *_ in rows if bucket != OPENING}
    if not begins:
        return None
    strike = np.unique(np.concatenate([strikes for strikes, _ in pieces.values()]))
    # Strikes that were listed during the day stand in later rows only.
    held = {bucket: np.full((len(strike), 2), np.nan) for bucket in pieces}
    for bucket, (strikes, values) in pieces.items():
        held[bucket][np.searchsorted(strike, strikes)] = values
    opens, last = _opens(begins), max(begins)
    none = np.full((len(strike), 2), np.nan)
    previous = _previous(connection, session, underlying, expiry, strike)
    return ChainMap(
        begins=opens,
        strike=strike,
        open_interest=np.stack([held.get(bucket, none) for bucket in range(last + 1)]),
        base=based(previous, held.get(OPENING, none)),
        spot=_spots(connection, session, underlying, expiry, opens),
    )


def _opens(begins: Mapping[int, float]) -> Floats:
    """(B,) where each quarter hour begins, those included in which nothing was seen."""
    bucket, at = next(iter(begins.items()))
    return bucket_begins(at - BUCKET_S * bucket, max(begins) + 1)


def _spots(connection: sqlite3.Connection, session: int, underlying: str, expiry: date, begins: Floats) -> Floats:
    """(B,) newest spot [₹] at an observation of the chain in each quarter hour."""
    seen = np.array(
        connection.execute(
            "SELECT observed_at / 1000.0, spot_paise / 100.0 FROM observation WHERE session = ? AND underlying = ? "
            "AND expiry = ? AND in_picture = 1 AND spot_paise IS NOT NULL ORDER BY observed_at",
            (session, underlying, expiry.isoformat()),
        ).fetchall(),
        dtype=np.float64,
    ).reshape(-1, 2)
    bucket = buckets_of(seen[:, 0], float(begins[0]), len(begins))
    spot = np.full(len(begins), np.nan)
    spot[bucket[bucket >= 0]] = seen[bucket >= 0, 1]
    return spot


def _previous(connection: sqlite3.Connection, session: int, underlying: str, expiry: date, strike: Floats) -> Floats:
    """(n, 2) units held at the previous session's close."""
    known = np.full((len(strike), 2), np.nan)
    wanted = paise(strike)
    for strike_paise, kind, held in connection.execute(
        "SELECT c.strike_paise, c.option_type, d.previous_open_interest FROM contract c "
        "JOIN contract_day d ON d.session = ? AND d.contract = c.id "
        "WHERE c.underlying = ? AND c.expiry = ? AND c.option_type IN ('CE', 'PE')",
        (session, underlying, expiry.isoformat()),
    ):
        at = int(np.searchsorted(wanted, strike_paise))
        if held is not None and at < len(wanted) and wanted[at] == strike_paise:
            known[at, _SIDES[kind]] = held
    return known
