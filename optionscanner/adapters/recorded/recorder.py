"""Records any session as a recorded day: what each cycle saw of the market, and nothing that was computed from it.

Main entry: `DayRecorder`, which implements `ports.Recorder`. A cycle's newest accepted observation of each chain is
written at the cycle's own instant, with the market's stamp, so that a replay has the same cycles. Everything goes to
the disk at once (`parts`), into a hidden folder beside the recorded day, which is made of it when the session closes.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from optionscanner.adapters.recorded.day_facts import dates, hours_of, instruments_of, unlisted_of
from optionscanner.adapters.recorded.format import check_writable, facts_of, is_recorded_day, place_day
from optionscanner.adapters.recorded.manifest import (
    MANIFEST_NAME,
    Manifest,
    Refusal,
    TableFacts,
    parse_manifest,
)
from optionscanner.adapters.recorded.parts import (
    ACCEPTED,
    MISSED,
    SUPERSEDED,
    Part,
    committed,
    cycle_rows,
    finished_tables,
    numbers,
)
from optionscanner.adapters.recorded.replay import INDIA_VIX
from optionscanner.adapters.recorded.tables import LEG_COLUMNS, SCHEMAS, SIDES, SORT_KEYS, table_of
from optionscanner.errors import RecordingError
from optionscanner.model.calendar import IST
from optionscanner.model.chains import Chains, Futures, Spots
from optionscanner.model.context import DayContext
from optionscanner.model.contracts import Bools, Floats, Ints
from optionscanner.model.observations import LEG_QUANTITIES, UNDERLYING_QUANTITIES
from optionscanner.model.reasons import Reason
from optionscanner.model.reports import CycleReport
from optionscanner.model.sessions import RunSession

PART_S = 3600.0
"""Seconds of the session after which a new part is begun."""

_INSTRUMENTS = "instruments.parquet"


class DayRecorder:
    """Writes the recorded day `folder` of one session; continues one that was killed or stopped.

    Raises RecordingError where `folder` is taken by anything else than the unfinished recording of this session.
    """

    def __init__(self, folder: Path, session: RunSession, *, exchange_stamps: bool = False) -> None:
        self.folder = folder
        self._spool = folder.with_name(f".{folder.name}.recording")
        seed = "" if session.seed is None else f", seed {session.seed}"
        self._manifest = Manifest(
            date=session.trading_date,
            mode_recorded=session.mode.value,
            source=f"{session.source}{seed}",
            exchange_stamps=exchange_stamps,
            observation_step_seconds=None,
        )
        self._check_place()
        done = committed(self._spool)
        self._last_at = _latest(done)
        self._part: Part | None = None
        self._part_until = float("-inf")
        self._day: DayContext | None = None
        self._before: Chains | None = None
        self._missed = 0
        self._ended = False
        self._closed = False
        self.note = f"recording to {folder}"
        if done.num_rows:
            self.note += f", after what was recorded until {datetime.fromtimestamp(self._last_at, IST):%H:%M:%S}"

    def record(self, report: CycleReport) -> None:
        """Write what the cycle saw; a cycle that is recorded already is left out.

        Raises RecordingError where it cannot be written; what was missed is counted in the manifest.
        """
        chains = report.chains
        if chains.as_of <= self._last_at:
            return
        try:
            self._begin(chains)
            assert self._part is not None
            self._part.write(self._tables(chains), cycle_rows(chains.as_of, self._outcomes(chains)))
        except (OSError, pa.ArrowException) as error:
            self._missed += int(chains.updated.sum())
            self._end_part()  # nothing can be added to a stream that broke off
            raise _refused(self._spool, error) from error
        self._last_at, self._before, self._missed = chains.as_of, chains, 0

    def end(self) -> None:
        """The session is over: nothing will be added after `close`."""
        self._ended = True

    def close(self) -> None:
        """Make the recorded day of everything recorded so far; the parts stay until the session has ended.

        Raises RecordingError where the day cannot be written; then the parts stay too.
        """
        if self._closed:
            return
        self._closed = True
        self._end_part()
        if committed(self._spool).num_rows:
            place_day(self.folder, self._whole_manifest(), self._written)
        if self._ended:
            shutil.rmtree(self._spool, ignore_errors=True)

    @property
    def observations(self) -> int:
        """How many observations the recording holds so far, earlier runs included."""
        return _outcomes(committed(self._spool)).get(ACCEPTED, 0)

    def _check_place(self) -> None:
        check_writable(self.folder)
        described = self._spool / MANIFEST_NAME
        if described.is_file():
            begun = parse_manifest(described.read_text(encoding="utf-8"), described)
            if _identity(begun) != _identity(self._manifest):
                raise RecordingError(
                    f"{self.folder}: an unfinished recording of {_words(begun)} lies beside it ({self._spool.name}) "
                    f"and this session is {_words(self._manifest)}; finish that one, delete it, or record to another "
                    "folder"
                )
            return
        if is_recorded_day(self.folder):
            raise RecordingError(
                f"{self.folder}: holds a recorded day already, which is never overwritten by --record; "
                "name another folder"
            )
        shutil.rmtree(self._spool, ignore_errors=True)  # killed before its first cycle

    def _begin(self, chains: Chains) -> None:
        """Make sure that this day is described and a part is open for this instant."""
        if chains.day is not self._day:
            self._spool.mkdir(parents=True, exist_ok=True)
            self._describe(chains.day)
            self._day, self._before = chains.day, None
        if self._part is None or chains.as_of >= self._part_until:
            self._end_part()
            self._part = Part(self._spool, max(numbers(self._spool), default=0) + 1)
            self._part_until = (chains.as_of // PART_S + 1) * PART_S

    def _end_part(self) -> None:
        if self._part is not None:
            self._part.close()
            self._part = None

    def _describe(self, day: DayContext) -> None:
        """Put what is known of the day beside the parts: contracts, hours, promised refreshes."""
        place = self._spool / _INSTRUMENTS
        table = instruments_of(day)
        if place.is_file():
            table = _with_earlier(table, pq.read_table(place))
        _replaced(place, lambda new: pq.write_table(table, new, compression="zstd"))
        promised = zip(day.layout.names, day.refresh.tolist(), strict=True)
        self._manifest = replace(
            self._manifest,
            session=hours_of(day),
            refresh_seconds={name: seconds for name, seconds in promised if 0 < seconds < np.inf},
            unlisted_at_open=unlisted_of(day),
            tables={name: TableFacts(0, "", ()) for name in SCHEMAS},
        )
        text = self._manifest.to_json()
        _replaced(self._spool / MANIFEST_NAME, lambda new: new.write_text(text, encoding="utf-8"))

    def _outcomes(self, chains: Chains) -> list[tuple[str, int]]:
        """What became of the polls of one picture, as rows of `parts.CYCLES`."""
        codes, counts = np.unique(chains.polls.refused, return_counts=True)
        found = {Reason(int(code)): int(count) for code, count in zip(codes, counts, strict=True)}
        newest = int(chains.updated.sum())
        outcomes = [(ACCEPTED, newest)]
        if (superseded := found.pop(Reason.OK, 0) - newest) > 0:
            outcomes.append((SUPERSEDED, superseded))
        if self._missed:
            outcomes.append((MISSED, self._missed))
        return [*outcomes, *((reason.words, count) for reason, count in found.items())]

    def _tables(self, chains: Chains) -> dict[str, pa.Table]:
        before = self._before
        return {
            "options": _options(chains),
            "futures": _futures(chains, _changed(chains.futures, before.futures if before else None)),
            "underlyings": _underlyings(
                chains,
                _changed(chains.underlyings, before.underlyings if before else None),
                with_vix=bool(np.isfinite(chains.vix)) and (before is None or before.vix != chains.vix),
            ),
        }

    def _whole_manifest(self) -> Manifest:
        described = self._spool / MANIFEST_NAME
        manifest = parse_manifest(described.read_text(encoding="utf-8"), described)
        done = committed(self._spool)
        outcomes = _outcomes(done)
        accepted = done.filter(pc.equal(done["outcome"], ACCEPTED))
        instants = np.unique(accepted.filter(pc.greater(accepted["observations"], 0))["at"].to_numpy())
        gaps = np.diff(instants.astype("datetime64[ms]").astype(np.int64)) / 1000.0
        return replace(
            manifest,
            observation_step_seconds=float(np.median(gaps)) if len(gaps) else None,
            refused=tuple(
                Refusal("", reason, observations=count)
                for reason, count in sorted(outcomes.items())
                if reason != ACCEPTED
            ),
            counts={"cycles": len(pc.unique(done["at"])), "observations": outcomes.get(ACCEPTED, 0)},
        )

    def _written(self, beside: Path) -> dict[str, TableFacts]:
        facts = finished_tables(self._spool, beside)
        table = pq.read_table(self._spool / _INSTRUMENTS)
        place = beside / _INSTRUMENTS
        keys = [(key, "ascending") for key in SORT_KEYS["instruments"]]
        table = table.sort_by(keys)
        pq.write_table(table, place, compression="zstd")
        facts["instruments"] = facts_of(place, rows=table.num_rows, columns=table.column_names)
        return {name: facts[name] for name in SCHEMAS}


def _options(chains: Chains) -> pa.Table:
    """Strike rows of the chains that were updated, as their newest accepted observation had them."""
    layout, legs = chains.layout, chains.legs
    stamp = np.where(chains.updated, chains.stamped_at, np.nan)[layout.row_segment]
    # A leg's `seen_at` is the stamp of the newest observation that contained it.
    rows = np.flatnonzero((legs.seen_at == stamp[:, None]).any(axis=1))
    owner = layout.segment_underlying[layout.row_segment[rows]]
    # Rows stand by expiry and strike within a name already.
    rows = rows[np.argsort(_ranks(chains)[owner], kind="stable")]
    segment = layout.row_segment[rows]
    columns = {
        **_instants_of(chains, stamp[rows], len(rows)),
        **_names(chains, layout.segment_underlying[segment]),
        "expiry": dates(layout.segment_expiry[segment]),
        "strike": layout.strike[rows],
    }
    for column, side in enumerate(SIDES):
        for name in LEG_COLUMNS:
            values = getattr(legs, name)[rows, column]
            columns[f"{side}_{name}"] = _instants(values) if name.endswith("_at") else values
    return table_of("options", columns)


def _futures(chains: Chains, changed: Bools) -> pa.Table:
    layout = chains.layout
    rows = np.flatnonzero(changed)
    rows = rows[np.argsort(_ranks(chains)[layout.future_underlying[rows]], kind="stable")]
    return table_of(
        "futures",
        {
            **_instants_of(chains, np.full(len(rows), np.nan), len(rows)),
            **_names(chains, layout.future_underlying[rows]),
            "expiry": dates(layout.future_expiry[rows]),
            **{name: getattr(chains.futures, name)[rows] for name in LEG_QUANTITIES},
            "price_at": _instants(chains.futures.price_at[rows]),
        },
    )


def _underlyings(chains: Chains, changed: Bools, *, with_vix: bool) -> pa.Table:
    """The underlyings, and the index of volatility as one of them."""
    rows = np.flatnonzero(changed)
    spots, extra = chains.underlyings, [chains.vix] if with_vix else []
    blank = np.full(len(extra), np.nan)
    listed = [chains.layout.underlyings[row] for row in rows]
    table = table_of(
        "underlyings",
        {
            **_instants_of(chains, np.full(len(rows) + len(extra), np.nan), len(rows) + len(extra)),
            "exchange": np.array([*(_CASH[u.exchange] for u in listed), *["NSE"] * len(extra)], dtype=object),
            "underlying": np.array([*(u.name for u in listed), *[INDIA_VIX] * len(extra)], dtype=object),
            **{name: np.append(getattr(spots, name)[rows], blank) for name in UNDERLYING_QUANTITIES[1:]},
            "spot": np.append(spots.spot[rows], extra),
            "spot_at": _instants(np.append(spots.spot_at[rows], blank)),
        },
    )
    return table.sort_by([(key, "ascending") for key in SORT_KEYS["underlyings"]])


_CASH = {"NFO": "NSE", "BFO": "BSE"}
"""Derivatives segment -> where the underlying itself trades."""


def _ranks(chains: Chains) -> Ints:
    """(U,) place of each underlying in the order of the format: exchange, name."""
    listed = chains.layout.underlyings
    order = sorted(range(len(listed)), key=lambda u: (listed[u].exchange, listed[u].name))
    ranks = np.empty(len(order), dtype=np.int64)
    ranks[order] = np.arange(len(order))
    return ranks


def _names(chains: Chains, owner: Ints) -> dict[str, pa.Array]:
    listed = chains.layout.underlyings
    index = pa.array(owner.astype(np.int32))
    return {
        "exchange": pa.DictionaryArray.from_arrays(index, [u.exchange for u in listed]),
        "underlying": pa.DictionaryArray.from_arrays(index, [u.name for u in listed]),
    }


def _instants_of(chains: Chains, stamp: Floats, count: int) -> dict[str, Floats]:
    """Columns observed_at and stamped_at; a stamp that says no more than the former is left blank."""
    own = np.where(np.rint(1000 * stamp) == round(1000 * chains.as_of), np.nan, stamp)
    return {"observed_at": _instants(np.full(count, chains.as_of)), "stamped_at": _instants(own)}


def _instants(seconds: Floats) -> Floats:
    """Seconds since 1970 UTC as datetime64[ms]; NaN is NaT."""
    known = np.isfinite(seconds)
    whole = np.rint(1000.0 * np.where(known, seconds, 0.0)).astype("datetime64[ms]")
    return np.where(known, whole, np.datetime64("NaT", "ms"))


def _changed(now: Futures | Spots, before: Futures | Spots | None) -> Bools:
    """Rows that differ from the picture before; every row of which anything is known, where there was none."""
    columns = {name: values for name, values in vars(now).items() if name != "fault"}
    known = np.any([np.isfinite(values) for values in columns.values()], axis=0)
    if isinstance(now, Spots):
        known |= now.fault != Reason.OK
    if before is None:
        return np.asarray(known)
    old = {name: getattr(before, name) for name in columns}
    differs = [~((new == old[name]) | (np.isnan(new) & np.isnan(old[name]))) for name, new in columns.items()]
    if isinstance(now, Spots) and isinstance(before, Spots):
        differs.append(now.fault != before.fault)
    return np.asarray(known & np.any(differs, axis=0))


def _with_earlier(newest: pa.Table, earlier: pa.Table) -> pa.Table:
    """The newest list of instruments, and what an earlier one of the day held beyond it."""
    both = pa.concat_tables([newest, earlier.cast(newest.schema)]).to_pandas(date_as_object=True)
    keys = list(SORT_KEYS["instruments"])
    return pa.concat_tables([newest, earlier.cast(newest.schema)]).filter(pa.array(~both.duplicated(keys)))


def _replaced(place: Path, write: Callable[[Path], object]) -> None:
    """Let `write` make a new file, and put it at `place` in one step."""
    new = place.with_name(f"{place.name}.new")
    write(new)
    new.replace(place)


def _latest(done: pa.Table) -> float:
    """Last recorded instant [s since 1970 UTC], -inf where there is none."""
    newest = pc.max(done["at"]).as_py() if done.num_rows else None
    return float("-inf") if newest is None else newest.timestamp()


def _outcomes(done: pa.Table) -> dict[str, int]:
    """outcome -> observations."""
    summed = done.group_by("outcome").aggregate([("observations", "sum")]).to_pylist()
    return {row["outcome"]: int(row["observations_sum"]) for row in summed}


def _identity(manifest: Manifest) -> tuple[object, ...]:
    return manifest.mode_recorded, manifest.source, manifest.date


def _words(manifest: Manifest) -> str:
    return f"{manifest.mode_recorded} {manifest.date:%d-%b-%Y} ({manifest.source})"


def _refused(place: Path, error: Exception) -> RecordingError:
    why = error.strerror if isinstance(error, OSError) and error.strerror else str(error).splitlines()[0]
    return RecordingError(
        f"{place}: the cycle could not be recorded ({why.lower()}); free the disk or allow writing in the folder"
    )
