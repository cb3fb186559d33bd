"""A cycle's report as rows: pure, column by column, ready for `executemany`.

Main entry: `Encoder.encode`. NaN needs no care here: SQLite stores it as NULL, and a whole float64 as INTEGER where the
column says so. The encoder remembers the last row of each underlying and future, so that only differing ones are
stored.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from optionscanner.history.changes import Changes
from optionscanner.history.interest_map import MapRows
from optionscanner.history.schema import STATE, STATE_LEGS, reading_table
from optionscanner.model.contracts import Bools, Floats, Ints
from optionscanner.model.pairs import either
from optionscanner.model.readings import Reading
from optionscanner.model.reasons import Reason
from optionscanner.model.reports import CycleReport
from optionscanner.model.state import FUTURE_STATE, LEG_STATE, SEGMENT_STATE, STATE_VERSION

Row = tuple[object, ...]

# Beyond this a float64 is no exact count, and no market quotes it; SQLite would refuse the row.
_LARGEST = float(1 << 53)

Column = Sequence[object] | npt.NDArray[np.generic]

_NUMBERS_TO_REASONS = {int(reason): reason for reason in Reason}


@dataclass(frozen=True, eq=False)
class Rows:
    """Rows that are columns until they are asked for: made and forgotten table by table they share their memory."""

    columns: Sequence[Column]

    def __len__(self) -> int:
        return len(self.columns[0])

    def __iter__(self) -> Iterator[Row]:
        columns = (c.tolist() if isinstance(c, np.ndarray) else c for c in self.columns)
        return iter(zip(*columns, strict=True))

    @property
    def width(self) -> int:
        """Columns of a row."""
        return len(self.columns)


@dataclass(frozen=True, eq=False)
class EncodedCycle:
    """One cycle as rows, without the session's id and without contract ids, which only the file knows."""

    cycle: int
    at: int
    leg: Ints
    """(n,) flat index (2 x row + side) of the stored legs in the layout."""
    quotes: Floats
    """(n, 1 + len(QUOTE_COLUMNS)): observed_at, then the columns of a quote."""
    anchors: Floats
    """(m, 3): at, flat leg, changed_at."""
    counts: dict[str, int]
    """observations, refused, quotes, alerts, failures."""
    rows: dict[str, Rows | list[Row]]
    """table -> rows in the order of its columns, without the leading session."""


def milliseconds(instants: npt.ArrayLike) -> Floats:
    """Whole milliseconds since 1970 UTC of instants [s]; NaN stays NaN."""
    return whole(np.asarray(instants, dtype=np.float64) * 1000.0)


def whole_paise(prices: npt.ArrayLike) -> Floats:
    """Prices [₹] in whole paise; NaN stays NaN."""
    return whole(np.asarray(prices, dtype=np.float64) * 100.0)


def whole(values: npt.ArrayLike) -> Floats:
    """Whole numbers that SQLite takes as INTEGER; NaN where a value is absent or beyond all counting."""
    rounded = np.rint(np.asarray(values, dtype=np.float64))
    return np.where(np.abs(rounded) <= _LARGEST, rounded, np.nan)


class Encoder:
    """Makes rows of the reports of one session, in the order of its cycles."""

    def __init__(self, changes: Changes) -> None:
        self.changes = changes
        self.underlyings: dict[str, Row] = {}
        """underlying -> its last stored columns from spot_paise on."""
        self.futures: dict[tuple[str, str], Row] = {}
        """(underlying, expiry) -> its last stored columns from last_paise on."""
        self.future_states: dict[tuple[str, str], Row] = {}
        """(underlying, expiry) -> its last stored values of the state."""
        self.map_rows = MapRows()
        self.anchored = False
        """Whether a cycle of the session was encoded or stored: before that, no anchor of the state is."""

    def encode(self, report: CycleReport, *, whole_picture: bool = False) -> EncodedCycle:
        """Rows of one report; `whole_picture` stores every leg ever seen and all state instead of what changed."""
        chains, at = report.chains, int(milliseconds(report.as_of))
        keys = chains.layout.segment_names
        stored = np.isfinite(chains.legs.seen_at) if whole_picture else chains.changed
        leg = np.flatnonzero(stored)
        if whole_picture:
            self.underlyings, self.futures = {}, {}
        in_picture = _in_picture(report)
        polled = np.zeros(chains.layout.segments, dtype=bool)
        polled[chains.polls.segment[in_picture]] = True
        # What a whole picture repeats was polled in a cycle that is not stored, so it counts as seen now.
        repeated = whole_picture & np.isfinite(chains.observed_at) & ~polled
        quotes = _quotes(report, leg, repeated)
        self.changes = self.changes.on(chains.layout)
        seen = np.flatnonzero(polled | repeated)
        observed_at = milliseconds(np.where(repeated, report.as_of, chains.observed_at))
        anchors = self.changes.add(
            leg=leg,
            at=quotes[:, 0],
            segments=seen,
            observed_at=observed_at[seen],
        )
        anchored_at = np.where(self.changes.anchored_at <= observed_at, self.changes.anchored_at, np.nan)
        rows: dict[str, Rows | list[Row]] = {
            "observation": [
                *_observations(report, keys, in_picture, anchored_at),
                *_repetitions(report, keys, repeated, anchored_at),
            ],
            "underlying_quote": list(self._underlying_quotes(report, at)),
            "future_quote": list(self._future_quotes(report, at)),
            "failure": [
                (report.cycle, i, at, f.where, f.underlying or None, f.sentence) for i, f in enumerate(report.failures)
            ],
        }
        owners = np.unique(chains.layout.segment_underlying[chains.updated]).tolist()
        for reading in (*(r for r in report.readings.values() if r.spec.stored), report.alerts):
            rows[reading.spec.name] = _reading_rows(reading, report, at, owners)
        every = np.ones(report.state.layout.segments, dtype=bool)
        state = report.state
        rows["state"] = _state_rows(report, every if whole_picture else state.touched)
        rows["state_legs"] = list(_state_leg_rows(report, every if whole_picture else state.stepped))
        rows["state_anchors"] = list(_anchor_rows(report, whole=whole_picture or not self.anchored))
        rows["state_futures"] = list(self._future_states(report, whole=whole_picture))
        rows["open_interest_map"] = list(self.map_rows.rows(report.open_interest_map, whole=whole_picture))
        self.anchored = True
        counts = {
            "observations": len(chains.polls.segment),
            "refused": int((chains.polls.refused != Reason.OK).sum()),
            "quotes": len(leg),
            "alerts": len(report.alerts),
            "failures": len(report.failures),
        }
        rows["cycle"] = [
            (
                report.cycle,
                at,
                int(chains.updated.sum()),
                *counts.values(),
                chains.vix,
                json.dumps({step: round(float(ms), 3) for step, ms in report.timings.items()}),
            )
        ]
        return EncodedCycle(report.cycle, at, leg, quotes, anchors, counts, rows)

    def _underlying_quotes(self, report: CycleReport, at: int) -> Iterator[Row]:
        spots = report.chains.underlyings
        prices = (spots.spot, spots.open, spots.high, spots.low, spots.previous_close)
        columns: list[npt.NDArray[np.generic]] = [
            *(whole_paise(price) for price in prices),
            whole(spots.volume),
            milliseconds(spots.spot_at),
            spots.fault,
        ]
        for name, row in zip(report.chains.layout.names, _rows(columns), strict=True):
            if row != self.underlyings.get(name) and (row[-1] or any(value is not None for value in row[:-1])):
                self.underlyings[name] = row
                yield (at, name, *row)

    def _future_states(self, report: CycleReport, *, whole: bool) -> Iterator[Row]:
        """Rows that differ from the last one of their future, or all: cycles that were lost leave older ones behind."""
        state, nothing = report.state, (None,) * len(FUTURE_STATE)
        values = zip(*(_values(state.future[name]) for name in FUTURE_STATE), strict=True)
        for name, row in zip(state.layout.future_names, values, strict=True):
            if whole or row != self.future_states.get(name, nothing):
                self.future_states[name] = row
                yield (*name, STATE_VERSION, *row)

    def _future_quotes(self, report: CycleReport, at: int) -> Iterator[Row]:
        futures = report.chains.futures
        columns = [
            *(whole_paise(price) for price in (futures.last, futures.bid, futures.ask)),
            *(whole(q) for q in (futures.bid_quantity, futures.ask_quantity, futures.volume, futures.open_interest)),
            milliseconds(futures.price_at),
        ]
        for name, row in zip(report.chains.layout.future_names, _rows(columns), strict=True):
            if row != self.futures.get(name) and any(value is not None for value in row):
                self.futures[name] = row
                yield (at, *name, *row)


def _values(column: npt.NDArray[np.generic]) -> list[object]:
    """The column as Python values; NaN becomes None, so that rows can be compared."""
    values: list[object] = column.tolist()
    return [None if value != value else value for value in values]  # noqa: PLR0124 - only NaN differs from itself


def _rows(columns: Sequence[npt.NDArray[np.generic]]) -> Iterable[Row]:
    return zip(*(_values(column) for column in columns), strict=True)


def _quotes(report: CycleReport, leg: Ints, repeated: Bools) -> Floats:
    """(n, 14) observed_at and the columns of a quote, of the legs at flat index `leg`."""
    chains, legs, pricing = report.chains, report.chains.legs, report.pricing
    observed = np.where(repeated | np.isnan(chains.observed_at), report.as_of, chains.observed_at)
    out = np.empty((len(leg), 14))
    out[:, 0] = milliseconds(observed[chains.layout.row_segment[leg // 2]])
    for i, name in enumerate(("last", "bid", "ask"), start=1):
        out[:, i] = whole_paise(getattr(legs, name).ravel()[leg])
    for i, name in enumerate(("bid_quantity", "ask_quantity", "volume", "open_interest"), start=4):
        out[:, i] = whole(getattr(legs, name).ravel()[leg])
    for i, name in enumerate(("price_at", "open_interest_at"), start=8):
        out[:, i] = out[:, 0] - milliseconds(getattr(legs, name).ravel()[leg])
    for i, name in enumerate(("implied_volatility", "delta"), start=10):
        out[:, i] = np.rint(1e6 * getattr(pricing, name).ravel()[leg])
    out[:, 12] = legs.fault.ravel()[leg]
    out[:, 13] = pricing.iv_reason.ravel()[leg]
    return out


def _in_picture(report: CycleReport) -> Bools:
    """(P,) polls that the stored quotes are of: the newest accepted one of each chain."""
    polls = report.chains.polls
    accepted = polls.refused == Reason.OK
    newest = accepted & (polls.observed_at == report.chains.observed_at[polls.segment])
    # Of several accepted polls of a chain at one instant, the last one made the picture.
    last = {int(polls.segment[i]): int(i) for i in np.flatnonzero(newest)}
    chosen = np.zeros(len(polls.segment), dtype=bool)
    chosen[list(last.values())] = True
    return chosen


def _repetitions(
    report: CycleReport, keys: Sequence[tuple[str, str]], repeated: Bools, anchored_at: Floats
) -> Iterable[Row]:
    """An observation at the cycle's instant for each chain that was not polled in it."""
    chains, index = report.chains, np.flatnonzero(repeated)
    seen = np.add.reduceat(either(np.isfinite(chains.legs.seen_at)), chains.layout.starts, dtype=np.int64)
    columns = [
        np.full(len(index), milliseconds(report.as_of)),
        np.full(len(index), report.cycle),
        np.full(len(index), -1),
        milliseconds(chains.stamped_at[index]),
        np.zeros(len(index), dtype=np.int64),
    ]
    more = [
        seen[index],
        np.zeros(len(index), dtype=np.int64),
        np.full(len(index), np.nan),
        np.ones(len(index), dtype=np.int64),
        whole_paise(chains.spot[index]),
        report.pricing.forward[index],
        chains.coverage[index],
        anchored_at[index],
    ]
    for segment, first, rest in zip(index.tolist(), _rows(columns), _rows(more), strict=True):
        yield (*keys[segment], *first, None, *rest)


def _observations(
    report: CycleReport, keys: Sequence[tuple[str, str]], in_picture: Bools, anchored_at: Floats
) -> list[Row]:
    chains, polls = report.chains, report.chains.polls

    def of_chain(values: Floats) -> Floats:
        return np.where(in_picture, values[polls.segment], np.nan)

    columns = [
        milliseconds(polls.observed_at),
        np.full(len(polls.segment), report.cycle),
        np.arange(len(polls.segment)),
        milliseconds(polls.stamped_at),
        polls.refused,
    ]
    more = [
        polls.rows,
        polls.faulty_legs,
        polls.odd_lots,
        in_picture.astype(np.int64),
        whole_paise(of_chain(chains.spot)),
        of_chain(report.pricing.forward),
        of_chain(chains.coverage),
        of_chain(anchored_at),
    ]
    named = [keys[s] for s in polls.segment.tolist()]
    words = [_NUMBERS_TO_REASONS[code].words or None for code in polls.refused.tolist()]
    return [
        (*name, *first, why, *rest)
        for name, first, why, rest in zip(named, _rows(columns), words, _rows(more), strict=True)
    ]


def _reading_rows(reading: Reading, report: CycleReport, at: int, owners: list[int]) -> Rows:
    """Rows of the chains, underlyings or events that an observation of this cycle renewed; of names `owners`."""
    chains, spec = report.chains, reading.spec
    table = reading_table(spec)
    keys = chains.layout.segment_names
    lead: list[Sequence[object]]
    if spec.row == "segment":
        index = np.flatnonzero(chains.updated)
        lead = [[at] * len(index), [keys[s][0] for s in index.tolist()], [keys[s][1] for s in index.tolist()]]
    elif spec.row == "underlying":
        index = np.array(owners, dtype=np.int64)
        lead = [[at] * len(index), [chains.layout.names[u] for u in owners]]
    elif spec.row == "future":
        index = np.flatnonzero(np.isin(chains.layout.future_underlying, owners))
        named = [chains.layout.future_names[f] for f in index.tolist()]
        lead = [[at] * len(index), [name for name, _ in named], [expiry for _, expiry in named]]
    elif spec.row == "market":
        index = np.arange(len(reading) if owners else 0)
        lead = [[at] * len(index), reading["underlying"][index].tolist()]
    else:
        index = np.arange(len(reading))
        if reading is not report.alerts:
            index = np.flatnonzero(np.isin(reading["underlying"].astype(str), [chains.layout.names[u] for u in owners]))
        lead = [[report.cycle] * len(index), range(len(index)), [at] * len(index)]
    kinds = {column.name: column.kind for column in spec.columns}
    columns: list[Column] = []
    for name in table.columns[1 + len(lead) :]:
        values = reading[name][index]
        if kinds[name] == "text":
            columns.append([text or None for text in values.tolist()])
        elif kinds[name] == "time":
            columns.append(milliseconds(values))
        elif kinds[name] == "integer":
            columns.append(whole(values))
        else:
            columns.append(values)
    return Rows([*lead, *columns])


def _state_rows(report: CycleReport, chosen: Bools) -> Rows:
    state, index = report.state, np.flatnonzero(chosen)
    named = [state.layout.segment_names[s] for s in index.tolist()]
    lead: list[Column] = [[name for name, _ in named], [expiry for _, expiry in named]]
    lead += [[STATE_VERSION] * len(index), [report.cycle] * len(index)]
    return Rows([*lead, *(state.segment[name][index] for name in STATE.values if name in SEGMENT_STATE)])


def _state_leg_rows(report: CycleReport, chosen: Bools) -> Iterable[Row]:
    state, layout = report.state, report.state.layout
    strikes = layout.strike.astype("<f8", copy=False)
    arrays = [state.leg[name].astype("<f8", copy=False) for name in STATE_LEGS.values if name in LEG_STATE]
    for segment in np.flatnonzero(chosen).tolist():
        rows = slice(int(layout.starts[segment]), int(layout.ends[segment]))
        blobs = (array[rows].tobytes() for array in (strikes, *arrays))
        yield (*layout.segment_names[segment], STATE_VERSION, report.cycle, *blobs)


def _anchor_rows(report: CycleReport, *, whole: bool) -> Iterable[Row]:
    """Rows of the anchors that this cycle made, or of all that there are."""
    layout, anchors = report.state.layout, report.state.anchors
    strikes = layout.strike.astype("<f8", copy=False)
    chosen = np.isfinite(anchors.at) & (whole | ((anchors.at == anchors.newest) & anchors.written))
    for slot, segment in np.argwhere(chosen).tolist():
        rows = slice(int(layout.starts[segment]), int(layout.ends[segment]))
        arrays = (strikes, anchors.values[slot], anchors.prices[slot])
        blobs = (array[rows].astype("<f8", copy=False).tobytes() for array in arrays)
        yield (*layout.segment_names[segment], slot, STATE_VERSION, float(anchors.at[slot, segment]), *blobs)
