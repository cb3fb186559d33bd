"""Contracts and the layout of a day: which contracts exist, in which order the market's arrays hold them.

Main entry: `Layout.build`. One row is one strike of one (underlying, expiry); column 0 of a quoted array is the call,
column 1 the put. A (underlying, expiry) pair is called a *segment* here: its rows stand together, from ``starts[i]``.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from functools import cached_property
from typing import Literal, NamedTuple, TypeVar

import numpy as np
import numpy.typing as npt

from optionscanner.errors import ChainError

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]
Codes = npt.NDArray[np.uint8]

CALL, PUT = 0, 1
OPTION_TYPES = ("CE", "PE")

# Strikes are listed in hundredths of a rupee at the finest, so a strike is an exact whole number of paise.
_PAISE = 100.0
_SEGMENT_STRIDE = 1 << 40


class ContractId(NamedTuple):
    """What identifies a contract everywhere; broker tokens are recycled and never leave their adapter."""

    exchange: str
    """NFO or BFO."""
    underlying: str
    expiry: date
    strike: float | None
    """₹; None for a future."""
    option_type: Literal["CE", "PE", "FUT"]

    def __str__(self) -> str:
        strike = "" if self.strike is None else f" {self.strike:g}"
        return f"{self.underlying} {self.expiry:%d-%b-%Y}{strike} {self.option_type}"


@dataclass(frozen=True, slots=True)
class Underlying:
    """An index or a stock with derivatives."""

    name: str
    exchange: str
    """Where its derivatives trade: NFO or BFO."""
    kind: Literal["INDEX", "STOCK"]


class SegmentKey(NamedTuple):
    """Names a segment: one chain of one underlying."""

    underlying: str
    expiry: date


def paise(strikes: npt.ArrayLike) -> Ints:
    """Strikes [₹] as whole paise, the exact form in which they are compared."""
    return np.rint(np.asarray(strikes, dtype=np.float64) * _PAISE).astype(np.int64)


@dataclass(frozen=True, eq=False)
class Layout:
    """The day's contracts in fixed order (underlying as listed, expiry, strike); arrays are read-only by convention.

    U underlyings, S segments, R strike rows, F futures.
    """

    underlyings: tuple[Underlying, ...]
    """U: in the order in which sheets and arrays hold them."""
    segment_underlying: Ints
    """(S,) index into `underlyings`."""
    segment_expiry: Ints
    """(S,) expiry as a proleptic ordinal (`date.toordinal`)."""
    segment_horizon: Floats
    """(S,) instant to which time to expiry runs, seconds since 1970 UTC."""
    segment_lot_size: Floats
    """(S,) units per contract."""
    starts: Ints
    """(S,) first row of each segment."""
    strike: Floats
    """(R,) ₹."""
    future_underlying: Ints
    """(F,) index into `underlyings`."""
    future_expiry: Ints
    """(F,) expiry ordinal."""
    future_lot_size: Floats
    """(F,) units per contract."""

    @classmethod
    def build(
        cls,
        underlyings: Sequence[Underlying],
        ladders: Mapping[SegmentKey, Iterable[float]],
        *,
        lot_sizes: Mapping[SegmentKey, float],
        horizons: Mapping[date, float],
        futures: Mapping[SegmentKey, float] | None = None,
    ) -> Layout:
        """Layout of the listed `ladders` (strikes in ₹, any order, repeated ones once).

        `horizons`: expiry date -> instant [s since 1970 UTC]; `futures`: (underlying, expiry) -> lot size.
        Raises ChainError for an unknown underlying, a duplicate name, an empty ladder, a missing lot size or horizon.
        """
        index = {u.name: i for i, u in enumerate(underlyings)}
        if len(index) != len(underlyings):
            names = sorted(u.name for u in underlyings)
            raise ChainError(f"layout: each underlying must be named once, got {names}; remove the duplicates")
        for key in [*ladders, *(futures or {})]:
            if key.underlying not in index:
                raise ChainError(
                    f"layout: {key.underlying} has contracts but is not in the list of underlyings; add it there"
                )
        segments = sorted(ladders, key=lambda k: (index[k.underlying], k.expiry))
        starts: list[int] = []
        strikes: list[Floats] = []
        filled = 0
        for key in segments:
            ladder = np.asarray(list(ladders[key]), dtype=np.float64)
            if not len(ladder) or not np.all(np.isfinite(ladder) & (ladder > 0)):
                raise ChainError(f"layout: {key.underlying} {key.expiry} needs strikes above 0, got {ladder.tolist()}")
            if key.expiry not in horizons:
                raise ChainError(
                    f"layout: {key.underlying} {key.expiry} needs the instant of its expiry, got none; "
                    "give one for each expiry date"
                )
            # As whole paise: 982.35 from two sources may differ in its last bit and is one strike all the same.
            ladder = np.unique(paise(ladder)) / _PAISE
            starts.append(filled)
            strikes.append(ladder)
            filled += len(ladder)
        ordered_futures = sorted(futures or {}, key=lambda k: (index[k.underlying], k.expiry))
        for key, sizes in [*((k, lot_sizes) for k in segments), *((k, futures or {}) for k in ordered_futures)]:
            if key not in sizes or not sizes[key] > 0:
                raise ChainError(
                    f"layout: {key.underlying} {key.expiry} needs a lot size above 0, got {sizes.get(key)}"
                )
        return cls(
            underlyings=tuple(underlyings),
            segment_underlying=np.array([index[k.underlying] for k in segments], dtype=np.int64),
            segment_expiry=np.array([k.expiry.toordinal() for k in segments], dtype=np.int64),
            segment_horizon=np.array([horizons[k.expiry] for k in segments], dtype=np.float64),
            segment_lot_size=np.array([lot_sizes[k] for k in segments], dtype=np.float64),
            starts=np.array(starts, dtype=np.int64),
            strike=np.concatenate(strikes) if strikes else np.empty(0),
            future_underlying=np.array([index[k.underlying] for k in ordered_futures], dtype=np.int64),
            future_expiry=np.array([k.expiry.toordinal() for k in ordered_futures], dtype=np.int64),
            future_lot_size=np.array([(futures or {})[k] for k in ordered_futures], dtype=np.float64),
        )

    @property
    def rows(self) -> int:
        """R: how many strikes the layout holds."""
        return len(self.strike)

    @property
    def segments(self) -> int:
        """S: how many (underlying, expiry) pairs the layout holds."""
        return len(self.starts)

    @cached_property
    def ends(self) -> Ints:
        """(S,) one past the last row of each segment."""
        return np.append(self.starts[1:], self.rows).astype(np.int64)

    @cached_property
    def row_segment(self) -> Ints:
        """(R,) segment of each row."""
        return np.repeat(np.arange(self.segments), self.ends - self.starts)

    @cached_property
    def names(self) -> tuple[str, ...]:
        """U names, in order."""
        return tuple(u.name for u in self.underlyings)

    @cached_property
    def is_index(self) -> Bools:
        """(U,) True where the underlying is an index."""
        return np.array([u.kind == "INDEX" for u in self.underlyings], dtype=bool)

    @cached_property
    def segment_keys(self) -> tuple[SegmentKey, ...]:
        """S keys, in order."""
        return tuple(
            SegmentKey(self.names[u], date.fromordinal(int(e)))
            for u, e in zip(self.segment_underlying, self.segment_expiry, strict=True)
        )

    @cached_property
    def future_keys(self) -> tuple[SegmentKey, ...]:
        """F keys, in order."""
        return tuple(
            SegmentKey(self.names[u], date.fromordinal(int(e)))
            for u, e in zip(self.future_underlying, self.future_expiry, strict=True)
        )

    @cached_property
    def segment_names(self) -> tuple[tuple[str, str], ...]:
        """(underlying, expiry as ISO text) of the S segments, as readings and history name them."""
        return tuple((key.underlying, key.expiry.isoformat()) for key in self.segment_keys)

    @cached_property
    def future_names(self) -> tuple[tuple[str, str], ...]:
        """(underlying, expiry as ISO text) of the F futures."""
        return tuple((key.underlying, key.expiry.isoformat()) for key in self.future_keys)

    @cached_property
    def named_segments(self) -> dict[tuple[str, str], int]:
        """(underlying, expiry as ISO text) -> segment."""
        return {name: segment for segment, name in enumerate(self.segment_names)}

    @cached_property
    def segment_future(self) -> Ints:
        """(S,) index of the future of the same underlying and expiry, -1 where none is listed."""
        position = {key: i for i, key in enumerate(self.future_keys)}
        return np.array([position.get(key, -1) for key in self.segment_keys], dtype=np.int64)

    @cached_property
    def underlying_front(self) -> Ints:
        """(U,) first segment (nearest expiry) of each underlying, -1 where it has none."""
        front = np.full(len(self.underlyings), -1, dtype=np.int64)
        for segment in range(self.segments - 1, -1, -1):
            front[self.segment_underlying[segment]] = segment
        return front

    @cached_property
    def strike_step(self) -> Floats:
        """(S,) most frequent gap between neighbouring strikes [₹], the smaller one of ties; NaN for a single strike.

        The listed ladder is fine near the money and coarse far away, so the commonest gap is the one near the money.
        """
        step = np.full(self.segments, np.nan)
        for i, (start, end) in enumerate(zip(self.starts, self.ends, strict=True)):
            gaps = np.diff(paise(self.strike[start:end]))
            if len(gaps):
                values, counts = np.unique(gaps, return_counts=True)
                step[i] = values[np.argmax(counts)] / _PAISE
        return step

    @cached_property
    def merged(self) -> tuple[Layout, Ints]:
        """One ladder per underlying that has options, with the strikes of all its expiries, and each row's row there.

        A merged ladder stands under the nearest expiry; for sums over expiries, strike by strike.
        """
        owner = self.segment_underlying[self.row_segment]
        keys, row = np.unique(owner * _SEGMENT_STRIDE + paise(self.strike), return_inverse=True)
        first = np.flatnonzero(np.diff(self.segment_underlying, prepend=-1) > 0)
        ladder = Layout(
            underlyings=self.underlyings,
            segment_underlying=self.segment_underlying[first],
            segment_expiry=self.segment_expiry[first],
            segment_horizon=self.segment_horizon[first],
            segment_lot_size=self.segment_lot_size[first],
            starts=np.flatnonzero(np.diff(keys // _SEGMENT_STRIDE, prepend=-1) > 0),
            strike=(keys % _SEGMENT_STRIDE) / _PAISE,
            future_underlying=self.future_underlying,
            future_expiry=self.future_expiry,
            future_lot_size=self.future_lot_size,
        )
        return ladder, row.astype(np.int64)

    @cached_property
    def _row_keys(self) -> Ints:
        return self.row_segment * _SEGMENT_STRIDE + paise(self.strike)

    def segment_of(self, underlying: str, expiry: date) -> int:
        """Index of a segment; raises ChainError where the layout has none."""
        try:
            return self.segment_keys.index(SegmentKey(underlying, expiry))
        except ValueError:
            raise ChainError(f"layout: no contracts of {underlying} {expiry:%d-%b-%Y} are listed today") from None

    def rows_of(self, segments: npt.ArrayLike, strikes: npt.ArrayLike) -> Ints:
        """Row of each (segment index, strike [₹]) pair, -1 where that strike is not in the layout."""
        wanted = np.asarray(segments, dtype=np.int64) * _SEGMENT_STRIDE + paise(strikes)
        if not self.rows:
            return np.full(wanted.shape, -1, dtype=np.int64)
        found = np.searchsorted(self._row_keys, wanted)
        inside = np.minimum(found, self.rows - 1)
        hit = (found < self.rows) & (self._row_keys[inside] == wanted)
        return np.where(hit, inside, -1).astype(np.int64)

    def segments_from(self, old: Layout) -> Ints:
        """(S,) for each segment of this layout its index in `old`, -1 where it is new."""
        position = {key: i for i, key in enumerate(old.segment_keys)}
        return np.array([position.get(key, -1) for key in self.segment_keys], dtype=np.int64)

    def rows_from(self, old: Layout) -> Ints:
        """(R,) for each row of this layout its row in `old`, -1 where it is new."""
        return old.rows_of(self.segments_from(old)[self.row_segment], self.strike)

    def futures_from(self, old: Layout) -> Ints:
        """(F,) for each future of this layout its index in `old`, -1 where it is new."""
        position = {key: i for i, key in enumerate(old.future_keys)}
        return np.array([position.get(key, -1) for key in self.future_keys], dtype=np.int64)

    def sliced(self, underlying: str) -> Layout:
        """The layout of one underlying alone, as if the others were not listed."""
        u = self.names.index(underlying)
        keep = np.flatnonzero(self.segment_underlying == u)
        futures = np.flatnonzero(self.future_underlying == u)
        lengths = (self.ends - self.starts)[keep]
        return Layout(
            underlyings=(self.underlyings[u],),
            segment_underlying=np.zeros(len(keep), dtype=np.int64),
            segment_expiry=self.segment_expiry[keep],
            segment_horizon=self.segment_horizon[keep],
            segment_lot_size=self.segment_lot_size[keep],
            starts=np.concatenate([[0], np.cumsum(lengths)[:-1]]).astype(np.int64) if len(keep) else lengths,
            strike=self.strike[np.isin(self.row_segment, keep)],
            future_underlying=np.zeros(len(futures), dtype=np.int64),
            future_expiry=self.future_expiry[futures],
            future_lot_size=self.future_lot_size[futures],
        )


T = TypeVar("T", bound=np.generic)


def moved(values: npt.NDArray[T], source: Ints, missing: float | bool) -> npt.NDArray[T]:
    """`values` reordered to a new layout: element i is ``values[source[i]]``, `missing` where that is -1."""
    if not len(values):
        return np.full((len(source), *values.shape[1:]), missing, dtype=values.dtype)
    out = values[np.maximum(source, 0)].copy()
    out[source < 0] = missing
    return out
