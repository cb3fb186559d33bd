"""The unfinished recording on the disk: streams that grow by one cycle at a time and survive a killed process.

Main entries: `Part`, which writes, `committed` and `finished_tables`, which read. Each part is a set of files, one per
table, in Arrow's stream format: what was written stays readable whatever happens to the process afterwards. The stream
`cycles` is written last in each cycle, so rows of an instant that it lacks were torn off by a kill and do not count.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from itertools import chain
from pathlib import Path
from typing import IO, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from optionscanner.adapters.recorded.format import NAMES, ROW_GROUP, facts_of
from optionscanner.adapters.recorded.manifest import TableFacts
from optionscanner.adapters.recorded.tables import empty_table

RECORDED = ("underlyings", "futures", "options")
"""Tables that grow during the day, in the order in which a cycle writes them."""

CYCLES = pa.schema([("at", pa.timestamp("ms", tz="UTC")), ("outcome", pa.string()), ("observations", pa.int64())])
"""At least one row for each cycle: what became of its observations."""
ACCEPTED = "accepted"
SUPERSEDED = "superseded by a newer one of the same cycle"
MISSED = "not recorded because a file could not be written"

_SUFFIX = ".arrows"


class Part:
    """One part being written, `number` in its folder; numbers ascend in the order of time."""

    def __init__(self, folder: Path, number: int) -> None:
        self._folder, self._number = folder, number
        self._open: dict[str, tuple[IO[bytes], Any]] = {}

    def write(self, tables: Mapping[str, pa.Table], cycles: pa.Table) -> None:
        """Append a cycle; raises OSError or ArrowException, after which the part must be closed."""
        for name in RECORDED:
            if tables[name].num_rows:
                self._append(name, tables[name])
        self._append("cycles", cycles)

    def close(self) -> None:
        """End the streams and put them on the disk; what cannot be ended is left as a torn one."""
        for file, writer in self._open.values():
            with suppress(OSError, pa.ArrowException), file:
                writer.close()
                file.flush()
                os.fsync(file.fileno())
        self._open = {}

    def _append(self, name: str, table: pa.Table) -> None:
        if name not in self._open:
            new = (self._folder / f"{self._number:06d}-{name}{_SUFFIX}").open("wb")
            options = pa.ipc.IpcWriteOptions(compression="lz4")
            self._open[name] = new, pa.ipc.new_stream(new, table.schema, options=options)
        file, writer = self._open[name]
        writer.write_table(table)
        file.flush()


def numbers(folder: Path) -> list[int]:
    """Numbers of the parts in a folder, ascending."""
    found = {place.name.partition("-")[0] for place in folder.glob(f"*-*{_SUFFIX}")}
    return sorted(int(number) for number in found if number.isdigit())


def committed(folder: Path) -> pa.Table:
    """Rows of `CYCLES` of every part, in the order of time."""
    batches = [batch for number in numbers(folder) for batch in _batches(folder, number, "cycles")]
    return pa.Table.from_batches(batches, CYCLES)


def finished_tables(folder: Path, beside: Path) -> dict[str, TableFacts]:
    """Write the parts' tables as Parquet files into `beside`, holding one row group in memory; their facts."""
    known = pc.unique(committed(folder)["at"])
    return {name: _finished(folder, name, beside / f"{name}.parquet", known) for name in RECORDED}


def _finished(folder: Path, name: str, place: Path, known: pa.Array) -> TableFacts:
    groups = _groups(folder, name, known)
    first = next(groups, None)
    schema, rows = (empty_table(name) if first is None else first).schema, 0
    names = [column for column in NAMES if column in schema.names]
    with pq.ParquetWriter(place, schema, compression="zstd", use_dictionary=names) as writer:
        for table in () if first is None else chain([first], groups):
            writer.write_table(table, row_group_size=ROW_GROUP)
            rows += table.num_rows
    return facts_of(place, rows=rows, columns=schema.names)


def _groups(folder: Path, name: str, known: pa.Array) -> Iterator[pa.Table]:
    """Committed rows of a table, about `ROW_GROUP` at a time."""
    waiting: list[pa.RecordBatch] = []
    for number in numbers(folder):
        for batch in _batches(folder, number, name):
            if pc.all(pc.is_in(pc.unique(batch["observed_at"]), known)).as_py():
                waiting.append(batch)
            if sum(one.num_rows for one in waiting) >= ROW_GROUP:
                yield pa.Table.from_batches(waiting)
                waiting = []
    if waiting:
        yield pa.Table.from_batches(waiting)


def _batches(folder: Path, number: int, name: str) -> Iterator[pa.RecordBatch]:
    """What is whole of a stream; nothing where there is none."""
    place = folder / f"{number:06d}-{name}{_SUFFIX}"
    if not place.is_file():
        return
    with place.open("rb") as file:
        try:
            stream = pa.ipc.open_stream(file)
            yield from stream
        except (pa.ArrowException, EOFError, OSError):
            return  # torn by a kill: what came before is whole


def cycle_rows(at: float, outcomes: Sequence[tuple[str, int]]) -> pa.Table:
    """Rows of `CYCLES` for one cycle at `at` [s since 1970 UTC]."""
    instant = np.full(len(outcomes), round(1000 * at), dtype="datetime64[ms]")
    arrays = [
        pa.array(instant, pa.timestamp("ms")).cast(CYCLES.field("at").type),
        pa.array([word for word, _ in outcomes], pa.string()),
        pa.array([count for _, count in outcomes], pa.int64()),
    ]
    return pa.Table.from_arrays(arrays, schema=CYCLES)
