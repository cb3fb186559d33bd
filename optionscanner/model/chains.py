"""The frozen picture of the whole market: every leg's last known value, as columns.

Shapes: (R, 2) per strike row and side (0 call, 1 put), (S,) per (underlying, expiry), (U,) per underlying, (F,) per
future. NaN = not quoted or not listed; `fault` says why a quoted quantity was blanked. Times are float64 seconds since
1970 UTC, NaN = never.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, fields, replace
from datetime import date
from typing import TypeVar

import numpy as np
import pandas as pd

from optionscanner.model.context import DayContext
from optionscanner.model.contracts import Bools, Codes, Floats, Ints, Layout
from optionscanner.model.reasons import Reason


@dataclass(frozen=True, eq=False)
class Legs:
    """Quoted quantities per leg; prices in ₹, quantities in units of the underlying."""

    last: Floats
    bid: Floats
    ask: Floats
    bid_quantity: Floats
    ask_quantity: Floats
    volume: Floats
    """Cumulative for the day."""
    open_interest: Floats
    price_at: Floats
    """When the price was last seen to change or trade today; NaN where it has not traded today."""
    open_interest_at: Floats
    """When open interest last changed."""
    seen_at: Floats
    """When an accepted observation last contained this leg."""
    fault: Codes
    """`Reason` for which a quantity of the newest observation was blanked, OK otherwise."""


@dataclass(frozen=True, eq=False)
class Futures:
    """(F,) quoted quantities per future, as in `Legs`."""

    last: Floats
    bid: Floats
    ask: Floats
    bid_quantity: Floats
    ask_quantity: Floats
    volume: Floats
    open_interest: Floats
    price_at: Floats


@dataclass(frozen=True, eq=False)
class Spots:
    """(U,) the underlyings themselves; index points or ₹."""

    spot: Floats
    open: Floats
    high: Floats
    low: Floats
    previous_close: Floats
    volume: Floats
    spot_at: Floats
    """When the spot was last observed."""
    fault: Codes
    """Why the spot of the newest observation was refused, OK otherwise."""


@dataclass(frozen=True, eq=False)
class Polls:
    """Every poll since the previous picture, accepted or refused: (P,) one per (segment, observation)."""

    segment: Ints
    observed_at: Floats
    stamped_at: Floats
    refused: Codes
    """`Reason`; OK where the poll was folded in."""
    rows: Ints
    """Strike rows seen."""
    faulty_legs: Ints
    """Legs of which a quantity was blanked."""
    odd_lots: Floats
    """Share of legs with open interest that is not a multiple of the lot size, 0-1; NaN without open interest."""


@dataclass(frozen=True, eq=False)
class Chains:
    """The market as last seen at `as_of`."""

    as_of: float
    """Instant of this picture, seconds since 1970 UTC."""
    day: DayContext
    legs: Legs
    listed: Bools
    """(R, 2)."""
    futures: Futures
    underlyings: Spots
    observed_at: Floats
    """(S,) newest accepted observation (by the source's clock)."""
    stamped_at: Floats
    """(S,) when the market said that observation was made."""
    updated: Bools
    """(S,) True where an observation was accepted since the previous picture."""
    changed: Bools
    """(R, 2) legs of which a quoted quantity differs from the previous picture."""
    refused: Codes
    """(S,) why the newest poll was refused, OK where it was accepted; QUARANTINED for a name that is left out."""
    coverage: Floats
    """(S,) share of listed legs that are current, weighted by yesterday's open interest where it is known; 0-1."""
    oldest_at: Floats
    """(S,) oldest `seen_at` among the listed legs."""
    vix: float
    """India VIX in per cent; NaN where the source has none."""
    polls: Polls

    @property
    def layout(self) -> Layout:
        """The day's contracts."""
        return self.day.layout

    @property
    def spot(self) -> Floats:
        """(S,) spot of each segment's underlying [₹], NaN where absent."""
        return self.underlyings.spot[self.layout.segment_underlying]

    def sliced(self, underlying: str) -> Chains:
        """The same picture with one underlying alone, as if the others were not listed."""
        layout = self.layout.sliced(underlying)
        u = self.layout.names.index(underlying)
        segments = np.flatnonzero(self.layout.segment_underlying == u)
        rows = np.flatnonzero(np.isin(self.layout.row_segment, segments))
        futures = np.flatnonzero(self.layout.future_underlying == u)
        polls = np.flatnonzero(np.isin(self.polls.segment, segments))
        renumbered = np.searchsorted(segments, self.polls.segment[polls])
        day = replace(
            self.day,
            layout=layout,
            listed=self.day.listed[rows],
            previous_open_interest=self.day.previous_open_interest[rows],
            previous_close=self.day.previous_close[rows],
            contract_close=self.day.contract_close[segments],
            refresh=self.day.refresh[[u]],
            tick_size=self.day.tick_size[segments],
            daily=None if self.day.daily is None else self.day.daily.sliced(u, futures),
        )
        return replace(
            self,
            day=day,
            legs=taken(self.legs, rows),
            listed=self.listed[rows],
            futures=taken(self.futures, futures),
            underlyings=taken(self.underlyings, np.array([u])),
            **{name: getattr(self, name)[segments] for name in _PER_SEGMENT},
            changed=self.changed[rows],
            polls=replace(taken(self.polls, polls), segment=renumbered),
        )

    def without(self, underlyings: Collection[str]) -> Chains:
        """The same picture as if nothing had ever been seen of some underlyings."""
        gone = np.isin(np.array(self.layout.names), list(underlyings))
        segments = gone[self.layout.segment_underlying]
        rows = segments[self.layout.row_segment]
        return replace(
            self,
            legs=_blanked(self.legs, rows),
            futures=_blanked(self.futures, gone[self.layout.future_underlying]),
            underlyings=_blanked(self.underlyings, gone),
            listed=self.listed & ~rows[:, None],
            observed_at=np.where(segments, np.nan, self.observed_at),
            stamped_at=np.where(segments, np.nan, self.stamped_at),
            updated=self.updated & ~segments,
            refused=np.where(segments, np.uint8(Reason.QUARANTINED), self.refused),
            changed=self.changed & ~rows[:, None],
            coverage=np.where(segments, np.nan, self.coverage),
            oldest_at=np.where(segments, np.nan, self.oldest_at),
        )

    def ladder(self, underlying: str, expiry: date | None = None) -> pd.DataFrame:
        """Call | strike | put table of one chain (nearest expiry by default), for people and notebooks.

        Raises ChainError where the chain is not listed.
        """
        layout = self.layout
        if expiry is None:
            front = layout.underlying_front[layout.names.index(underlying)] if underlying in layout.names else -1
            expiry = layout.segment_keys[front].expiry if front >= 0 else date.min
        segment = layout.segment_of(underlying, expiry)
        rows = slice(int(layout.starts[segment]), int(layout.ends[segment]))
        shown = ("open_interest", "volume", "bid", "ask", "last")
        frame: dict[str, Floats] = {f"call_{name}": getattr(self.legs, name)[rows, 0] for name in shown}
        frame["strike"] = layout.strike[rows]
        frame |= {f"put_{name}": getattr(self.legs, name)[rows, 1] for name in reversed(shown)}
        return pd.DataFrame(frame)


Columns = TypeVar("Columns", Legs, Futures, Spots, Polls)

_PER_SEGMENT = ("observed_at", "stamped_at", "updated", "refused", "coverage", "oldest_at")


def taken(columns: Columns, index: Ints) -> Columns:
    """The same columns with only the rows of `index`, in that order."""
    return type(columns)(**{f.name: getattr(columns, f.name)[index] for f in fields(columns)})


def _blanked(columns: Columns, gone: Bools) -> Columns:
    """The same columns with the rows marked in `gone` absent."""
    values = {f.name: getattr(columns, f.name).copy() for f in fields(columns)}
    for column in values.values():
        column[gone] = 0 if column.dtype == np.uint8 else np.nan
    return type(columns)(**values)


def is_stale(chains: Chains, *, refreshes: float, at_least: float) -> Bools:
    """(S,) True where the newest accepted observation is older than `refreshes` promised refreshes and `at_least` s.

    A segment that was never observed is stale.
    """
    allowed = np.maximum(refreshes * chains.day.refresh[chains.layout.segment_underlying], at_least)
    age = chains.as_of - chains.stamped_at
    return ~(age <= allowed)

