"""Which row of table `contract` each leg of a layout is. The ids belong to one file and never leave this package."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from datetime import date

import numpy as np

from optionscanner.history.database import transaction
from optionscanner.history.encode import whole, whole_paise
from optionscanner.model.context import DayContext
from optionscanner.model.contracts import OPTION_TYPES, Ints, Layout, paise

_UNKNOWN = 0

Terms = tuple[str, str, int, str, int, str]
"""underlying, expiry, strike in paise, option type, lot size, exchange."""


class ContractIds:
    """Ids of the legs of one layout; contracts enter the file when they are first listed or quoted."""

    def __init__(self, connection: sqlite3.Connection, layout: Layout, *, trading_date: date) -> None:
        self.layout = layout
        self._connection = connection
        self._effective_from = trading_date.isoformat()
        self._known = self._stored()
        self._terms = _terms(layout)
        self.of_leg = np.array([self._known.get(terms, _UNKNOWN) for terms in self._terms], dtype=np.int64)
        """(2 R,) id of each flat leg (2 x row + side), 0 where the file does not know it."""

    def ensure(self, legs: Ints) -> None:
        """Enter those of the flat `legs` that the file does not know, in a transaction of their own."""
        new = legs[self.of_leg[legs] == _UNKNOWN]
        if not len(new):
            return
        with transaction(self._connection):
            self._enter(self._terms[leg] for leg in new.tolist())
        self._known = self._stored()
        self.of_leg[new] = [self._known[self._terms[leg]] for leg in new.tolist()]

    def enter_day(self, session: int, day: DayContext) -> None:
        """Enter the day's listed contracts and futures, and what the source says of their previous session."""
        layout = self.layout
        self.ensure(np.flatnonzero(day.listed))
        exchange = {u.name: u.exchange for u in layout.underlyings}
        futures = [
            (key.underlying, key.expiry.isoformat(), None, "FUT", int(lot), exchange[key.underlying])
            for key, lot in zip(layout.future_keys, layout.future_lot_size.tolist(), strict=True)
        ]
        told = np.isfinite(day.previous_open_interest) | np.isfinite(day.previous_close)
        legs = np.flatnonzero(told & day.listed)
        figures = np.column_stack(
            [
                np.full(len(legs), session),
                self.of_leg[legs],
                whole(day.previous_open_interest.ravel()[legs]),
                whole_paise(day.previous_close.ravel()[legs]),
            ]
        )
        with transaction(self._connection):
            self._enter(futures)
            self._connection.executemany("INSERT OR REPLACE INTO contract_day VALUES (?, ?, ?, ?)", figures.tolist())

    def _enter(self, contracts: Iterable[tuple[object, ...]]) -> None:
        self._connection.executemany(
            "INSERT OR IGNORE INTO contract "
            "(underlying, expiry, strike_paise, option_type, lot_size, exchange, effective_from) "
            f"VALUES (?, ?, ?, ?, ?, ?, '{self._effective_from}')",
            contracts,
        )

    def _stored(self) -> dict[Terms, int]:
        """Every option of the file that has not expired before this layout's first expiry -> its id."""
        first = int(self.layout.segment_expiry.min()) if self.layout.segments else 1
        rows = self._connection.execute(
            "SELECT underlying, expiry, strike_paise, option_type, lot_size, exchange, id FROM contract "
            "WHERE expiry >= ? AND option_type IN ('CE', 'PE')",
            (date.fromordinal(first).isoformat(),),
        )
        return {row[:6]: row[6] for row in rows}


def _terms(layout: Layout) -> list[Terms]:
    """Terms of each flat leg of the layout."""
    exchange = [u.exchange for u in layout.underlyings]
    expiries = {int(ordinal): date.fromordinal(int(ordinal)).isoformat() for ordinal in layout.segment_expiry}
    of_segment = [
        (layout.names[u], expiries[expiry], int(lot), exchange[u])
        for u, expiry, lot in zip(
            layout.segment_underlying.tolist(),
            layout.segment_expiry.tolist(),
            np.rint(layout.segment_lot_size).tolist(),
            strict=True,
        )
    ]
    terms = []
    for segment, strike in zip(layout.row_segment.tolist(), paise(layout.strike).tolist(), strict=True):
        name, expiry, lot, place = of_segment[segment]
        terms += [(name, expiry, strike, option_type, lot, place) for option_type in OPTION_TYPES]
    return terms
