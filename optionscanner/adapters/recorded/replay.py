"""Plays a recorded day: everything observed up to the clock, folded into the market's picture.

Main entry: `RecordedMarket`. It implements `ports.Market`. Instants that the market should not have (outside the
session, stale, repeated) are handed over like all others: the picture refuses them with a reason, so that every
recorded observation is accounted for.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import date
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from optionscanner.adapters.recorded.day_facts import unlist, with_own_session
from optionscanner.adapters.recorded.format import RecordedDay
from optionscanner.adapters.recorded.tables import LEG_COLUMNS, SIDES
from optionscanner.errors import RecordingError
from optionscanner.model.calendar import TradingCalendar
from optionscanner.model.chains import Chains
from optionscanner.model.context import DayContext
from optionscanner.model.contracts import Bools, Floats, Ints, Layout, SegmentKey, Underlying
from optionscanner.model.observations import LEG_QUANTITIES, UNDERLYING_QUANTITIES, Observation
from optionscanner.model.picture import BorderSettings, MarketPicture
from optionscanner.ports import Clock, Want

INDIA_VIX = "INDIA VIX"
"""Name under which `underlyings` may hold the volatility index; it has no contracts in the layout."""

DEFAULT_STEP = 60.0
"""Seconds between observations that are assumed where a recording has a single one."""

_LARGEST_LOT = 1e7
_LEAST_STRIKE, _LARGEST_STRIKE = 0.01, 1e8
_LARGEST_PREVIOUS = 1e12
"""As for the day's own figures (model/picture.py): what is larger was misread."""


class RecordedMarket:
    """A recorded day as a market source; `clock` says how much of it has happened."""

    def __init__(
        self,
        recorded: RecordedDay,
        clock: Clock,
        calendar: TradingCalendar,
        *,
        border: BorderSettings | None = None,
        prepare: Callable[[DayContext], DayContext] | None = None,
    ) -> None:
        """`calendar` must know the recorded date, unless the manifest gives the hours of an invented session.

        `prepare` adds to the day what is known from elsewhere.
        Raises RecordingError where the recording contradicts itself, UnknownDate for an unknown date.
        """
        self._clock = clock
        calendar = with_own_session(calendar, recorded.manifest)
        self._tape = _Tape(recorded, _layout(recorded, calendar))
        day = _day_context(recorded, self._tape, calendar)
        self.day = day if prepare is None else prepare(day)
        self._picture = MarketPicture(self.day, border)
        self._next = 0

    def want(self, wants: Sequence[Want]) -> None:
        """Does nothing: a recording gives what it holds, at the instants at which it was seen."""

    def latest(self) -> Chains:
        """The picture of everything observed up to the clock's now."""
        now = self._clock.now()
        end = int(np.searchsorted(self._tape.instants, now, side="right"))
        for number in range(self._next, end):
            self._picture.observe(self._tape.observation(number))
        self._next = max(self._next, end)
        return self._picture.frozen(now)

    def instants(self) -> Sequence[float]:
        """Every instant of the recording, seconds since 1970 UTC, ascending."""
        return [float(at) for at in self._tape.instants]

    def total_observations(self) -> int:
        """How many (underlying, expiry, instant) observations the recording holds."""
        return self._tape.total_observations


class _Tape:
    """The recorded rows as arrays aligned with a layout, cut at every instant."""

    def __init__(self, recorded: RecordedDay, layout: Layout) -> None:
        self.layout = layout
        options = recorded.options
        position = {key: i for i, key in enumerate(layout.segment_keys)}
        self._segment = _keyed(options, position, recorded, "options")
        self._row = layout.rows_of(self._segment, _numbers(options, "strike"))
        _check_order(recorded)
        self._check_rows(recorded)
        self._legs = _legs(options)
        self._stamp = _seconds(options, "stamped_at")

        names = {name: i for i, name in enumerate(layout.names)}
        self._underlying = _coded(recorded.underlyings, "underlying", names)
        self._vix = _coded(recorded.underlyings, "underlying", {INDIA_VIX: 0}) == 0
        self._underlying_values = _present(recorded.underlyings, UNDERLYING_QUANTITIES)

        futures = {key: i for i, key in enumerate(layout.future_keys)}
        self._future = _keyed(recorded.futures, futures, recorded, "futures")
        self._future_values = _present(recorded.futures, LEG_COLUMNS)

        self._option_at = _seconds(options, "observed_at")
        future_at = _seconds(recorded.futures, "observed_at")
        underlying_at = _seconds(recorded.underlyings, "observed_at")
        self.instants: Floats = np.unique(np.concatenate([self._option_at, future_at, underlying_at]))
        self._option_cuts = _cuts(self._option_at, self.instants)
        self._future_cuts = _cuts(future_at, self.instants)
        self._underlying_cuts = _cuts(underlying_at, self.instants)

    def _check_rows(self, recorded: RecordedDay) -> None:
        unplaced = np.flatnonzero(self._row < 0)
        if len(unplaced):
            key = self.layout.segment_keys[self._segment[unplaced[0]]]
            strike = _numbers(recorded.options, "strike")[unplaced[0]]
            raise RecordingError(
                f"{recorded.folder}: {len(unplaced)} rows of table options have no contract in table instruments, "
                f"first {key.underlying} {key.expiry:%d-%b-%Y} {strike:g}; import the day again"
            )
        at = _seconds(recorded.options, "observed_at")
        same_chain = (self._segment[1:] == self._segment[:-1]) & (at[1:] == at[:-1])
        if bool((same_chain & (self._row[1:] == self._row[:-1])).any()):
            raise RecordingError(
                f"{recorded.folder}: table options has a contract twice at one instant; import the day again"
            )
        chains = np.stack([self._segment, at])[:, np.append(True, ~same_chain)] if len(at) else np.empty((2, 0))
        scattered = np.unique(chains, axis=1).shape[1] < chains.shape[1]
        if scattered or bool((same_chain & (self._row[1:] < self._row[:-1])).any()):
            raise RecordingError(
                f"{recorded.folder}: table options must hold each chain of an instant in one piece, by strike; "
                "import the day again"
            )

    @cached_property
    def starts(self) -> Ints:
        """First row of every (segment, instant) group."""
        new = np.ones(len(self._row), dtype=bool)
        new[1:] = (self._segment[1:] != self._segment[:-1]) | (self._option_at[1:] != self._option_at[:-1])
        return np.flatnonzero(new)

    @property
    def total_observations(self) -> int:
        """How many (segment, instant) groups there are."""
        return len(self.starts)

    def observation(self, number: int) -> Observation:
        """What was seen at one instant, by its number."""
        rows = slice(self._option_cuts[number], self._option_cuts[number + 1])
        groups = self.starts[np.searchsorted(self.starts, rows.start) : np.searchsorted(self.starts, rows.stop)]
        seen = slice(self._underlying_cuts[number], self._underlying_cuts[number + 1])
        known = self._underlying[seen] >= 0
        futures = slice(self._future_cuts[number], self._future_cuts[number + 1])
        at = float(self.instants[number])
        stamps = self._stamp[groups]
        spots = self._underlying_values.get("spot", np.full(len(self._vix), np.nan))
        vix = spots[seen][self._vix[seen]]
        return Observation(
            observed_at=at,
            segments=self._segment[groups],
            stamped_at=np.where(np.isnan(stamps), at, stamps),
            rows=self._row[rows],
            legs={name: values[rows] for name, values in self._legs.items()},
            underlyings=self._underlying[seen][known],
            underlying_values={name: values[seen][known] for name, values in self._underlying_values.items()},
            futures=self._future[futures],
            future_values={name: values[futures] for name, values in self._future_values.items()},
            vix=float(vix[-1]) if len(vix) else float("nan"),
        )

    def first_seen(self, opens: float) -> Bools:
        """(R, 2) legs in the first observation of their chain since the open."""
        found = np.zeros((self.layout.rows, 2), dtype=bool)
        starts = self.starts[self._option_at[self.starts] >= opens]
        _, first = np.unique(self._segment[starts], return_index=True)
        ends = np.append(self.starts[1:], len(self._row))
        ends = ends[np.searchsorted(self.starts, starts[first])]
        for start, end in zip(starts[first], ends, strict=True):
            rows = slice(start, end)
            seen = np.zeros((end - start, 2), dtype=bool)
            for name in LEG_QUANTITIES:
                if name in self._legs:
                    seen |= np.isfinite(self._legs[name][rows])
            found[self._row[rows]] = seen
        return found

    def refresh(self, opens: float, closes: float, otherwise: float) -> Floats:
        """(U,) median seconds between the observations of each underlying within the session."""
        owner = self.layout.segment_underlying[self._segment[self.starts]]
        at = self._option_at[self.starts]
        inside = (at >= opens) & (at < closes)
        out = np.full(len(self.layout.underlyings), otherwise)
        order = np.lexsort((at[inside], owner[inside]))
        owners, times = owner[inside][order], at[inside][order]
        for u in np.unique(owners):
            gaps = np.diff(np.unique(times[owners == u]))
            if len(gaps):
                out[u] = float(np.median(gaps))
        return out


def _check_order(recorded: RecordedDay) -> None:
    for name in ("options", "futures", "underlyings"):
        at = getattr(recorded, name)["observed_at"].to_numpy().astype("datetime64[ms]")
        if bool((np.diff(at) < np.timedelta64(0, "ms")).any()):
            raise RecordingError(f"{recorded.folder}: table {name} must be in order of time; import the day again")


def _layout(recorded: RecordedDay, calendar: TradingCalendar) -> Layout:
    """The day's contracts: indices first, then stocks, each by name."""
    table = recorded.instruments
    rows = {name: table[name].to_pylist() for name in ("exchange", "underlying", "kind", "expiry", "option_type")}
    lots = table["lot_size"].to_pylist()
    strikes = table["strike"].to_pylist() if "strike" in table.column_names else [None] * table.num_rows
    underlyings: dict[str, Underlying] = {}
    ladders: dict[SegmentKey, set[float]] = {}
    futures: dict[SegmentKey, float] = {}
    sizes: dict[SegmentKey, float] = {}
    for exchange, name, kind, expiry, option_type, strike, lot in zip(*rows.values(), strikes, lots, strict=True):
        one = underlyings.setdefault(name, Underlying(name, exchange, kind))
        key = SegmentKey(name, expiry)
        if not name.strip():
            raise RecordingError(f"{recorded.folder}: table instruments has rows without a name; import the day again")
        whole = 0 < lot <= _LARGEST_LOT and lot == int(lot)
        if one != Underlying(name, exchange, kind) or sizes.setdefault(key, lot) != lot or not whole:
            raise RecordingError(
                f"{recorded.folder}: table instruments must give {name} {expiry:%d-%b-%Y} one exchange, one kind and "
                f"one whole lot size above 0, gives {exchange}, {kind}, {lot:g} beside {one.exchange}, {one.kind}, "
                f"{sizes[key]:g}; import the day again"
            )
        if option_type == "FUT":
            futures[key] = lot
        elif strike is None or not _LEAST_STRIKE <= strike <= _LARGEST_STRIKE:
            raise RecordingError(
                f"{recorded.folder}: table instruments has {name} {expiry:%d-%b-%Y} {option_type} with strike "
                f"{strike}, a strike from {_LEAST_STRIKE:g} to {_LARGEST_STRIKE:,.0f} is expected; import the day again"
            )
        else:
            ladders.setdefault(key, set()).add(strike)
    if not ladders:
        raise RecordingError(f"{recorded.folder}: table instruments lists no options, so there is nothing to replay")
    return Layout.build(
        sorted(underlyings.values(), key=lambda u: (u.kind, u.name)),
        ladders,
        lot_sizes=sizes,
        horizons={key.expiry: calendar.expiry_horizon(key.expiry).timestamp() for key in ladders},
        futures=futures,
    )


def _day_context(recorded: RecordedDay, tape: _Tape, calendar: TradingCalendar) -> DayContext:
    layout, day = tape.layout, recorded.manifest.date
    session = calendar.session_on(day)
    if session is None:
        raise RecordingError(
            f"{recorded.folder}: recorded on {day:%d-%b-%Y}, when the market was closed "
            f"({calendar.closed_reason(day)}); choose the recording of a trading day"
        )
    opens, closes = session.opens.timestamp(), session.closes.timestamp()
    kinds = [layout.underlyings[u].kind for u in layout.segment_underlying]
    listed, previous, close, tick = _instrument_arrays(recorded, layout)
    if recorded.manifest.mode_recorded == "IMPORT":
        # Raw files have no list of contracts: what the first snapshot shows, or yesterday knew, was listed before the
        # open; a strike that appears later counts from then on.
        listed = tape.first_seen(opens) | np.isfinite(previous)
    unlist(listed, layout, recorded.manifest.unlisted_at_open)
    refresh = tape.refresh(opens, closes, recorded.manifest.observation_step_seconds or DEFAULT_STEP)
    promised = recorded.manifest.refresh_seconds
    return DayContext(
        session=session,
        layout=layout,
        listed=listed,
        previous_open_interest=previous,
        previous_close=close,
        contract_close=np.array(
            [
                closes if key.expiry < day else calendar.last_trade(key.expiry, kind=kind, date=day).timestamp()
                for key, kind in zip(layout.segment_keys, kinds, strict=True)
            ]
        ),
        refresh=np.array([promised.get(name, found) for name, found in zip(layout.names, refresh, strict=True)]),
        tick_size=tick,
    )


def _instrument_arrays(recorded: RecordedDay, layout: Layout) -> tuple[Bools, Floats, Floats, Floats]:
    """(R, 2): in the list of instruments, yesterday's open interest [units] and close [₹]; (S,): tick size [₹]."""
    table = recorded.instruments
    option_type = np.array(table["option_type"].to_pylist())
    options = np.flatnonzero(option_type != "FUT")
    position = {key: i for i, key in enumerate(layout.segment_keys)}
    table = table.take(pa.array(options))
    segment = _keyed(table, position, recorded, "instruments")
    row = layout.rows_of(segment, _numbers(table, "strike"))
    side = (option_type[options] == "PE").astype(np.int64)
    listed = np.zeros((layout.rows, 2), dtype=bool)
    listed[row, side] = True
    arrays = []
    for name in ("previous_open_interest", "previous_close"):
        values = np.full((layout.rows, 2), np.nan)
        given = _numbers(table, name)
        values[row, side] = np.where((given >= 0) & (given <= _LARGEST_PREVIOUS), given, np.nan)
        arrays.append(values)
    tick = np.full(layout.segments, np.nan)
    given = _numbers(table, "tick_size")
    tick[segment] = np.where((given > 0) & (given <= _LARGEST_STRIKE), given, np.nan)
    return listed, arrays[0], arrays[1], tick


def _legs(options: pa.Table) -> dict[str, Floats]:
    """name -> (n, 2), call and put; only what the recording has."""
    legs = {}
    for name in LEG_COLUMNS:
        if any(f"{side}_{name}" in options.column_names for side in SIDES):
            values = np.empty((options.num_rows, 2))
            for column, side in enumerate(SIDES):
                read = _seconds if name.endswith("_at") else _numbers
                values[:, column] = read(options, f"{side}_{name}")
            legs[name] = values
    return legs


def _present(table: pa.Table, names: Sequence[str]) -> dict[str, Floats]:
    return {
        name: (_seconds if name.endswith("_at") else _numbers)(table, name)
        for name in names
        if name in table.column_names
    }


def _numbers(table: pa.Table, name: str) -> Floats:
    """(n,) a column of numbers, NaN for null or an absent column."""
    if name not in table.column_names:
        return np.full(table.num_rows, np.nan)
    return np.asarray(table[name].to_numpy(), dtype=np.float64)


def _seconds(table: pa.Table, name: str) -> Floats:
    """(n,) a column of instants as seconds since 1970 UTC, NaN for null or an absent column."""
    if name not in table.column_names:
        return np.full(table.num_rows, np.nan)
    at = table[name].to_numpy().astype("datetime64[ms]")
    return np.where(np.isnat(at), np.nan, at.astype(np.int64) / 1000.0)


def _coded(table: pa.Table, name: str, position: Mapping[str, int]) -> Ints:
    """(n,) position of each row's word, -1 for a word without one."""
    if not table.num_rows:
        return np.empty(0, dtype=np.int64)
    column = table[name]
    if not pa.types.is_dictionary(column.type):
        column = column.dictionary_encode()
    column = column.unify_dictionaries().combine_chunks()
    words = np.array([position.get(word, -1) for word in column.dictionary.to_pylist()], dtype=np.int64)
    return np.asarray(words[column.indices.to_numpy(zero_copy_only=False)])


def _keyed(table: pa.Table, position: Mapping[SegmentKey, int], recorded: RecordedDay, what: str) -> Ints:
    """(n,) position of each row's (underlying, expiry); raises RecordingError for one that is not listed."""
    if not table.num_rows:
        return np.empty(0, dtype=np.int64)
    names = pc.unique(table["underlying"].cast(pa.string())).to_pylist()
    codes = _coded(table, "underlying", {name: i for i, name in enumerate(names)})
    days = table["expiry"].to_numpy().astype("datetime64[D]").astype(np.int64)
    pairs, inverse = np.unique(np.stack([codes, days]), axis=1, return_inverse=True)
    index = np.empty(pairs.shape[1], dtype=np.int64)
    for i, (code, day) in enumerate(pairs.T):
        key = SegmentKey(names[code], date.fromordinal(int(day) + _EPOCH))
        if key not in position:
            raise RecordingError(
                f"{recorded.folder}: table {what} has {key.underlying} {key.expiry:%d-%b-%Y}, which table instruments "
                "does not list; import the day again"
            )
        index[i] = position[key]
    return np.asarray(index[np.asarray(inverse).reshape(-1)])


_EPOCH = date(1970, 1, 1).toordinal()


def _cuts(at: Floats, instants: Floats) -> npt.NDArray[Any]:
    """(instants + 1,) where the rows of each instant begin, and where the last ends; rows are in order of time."""
    return np.append(np.searchsorted(at, instants), len(at))
