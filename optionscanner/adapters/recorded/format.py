"""Writes and reads a recorded day: a folder of four Parquet tables and a manifest, format version 1.

Main entries: `write_day`, `read_day`. A folder is written beside its place and renamed into it, so that it is there
whole or not at all; reading verifies everything it can before a single number is used. The columns are in `tables.py`.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, time, timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from optionscanner.adapters.recorded.manifest import MANIFEST_NAME, Manifest, TableFacts, parse_manifest
from optionscanner.adapters.recorded.tables import ALLOWED_WORDS, REQUIRED, SCHEMAS, SORT_KEYS, empty_table
from optionscanner.errors import NoData, RecordingError

NAMES = ("exchange", "underlying", "kind", "option_type", "lot_size_source")
"""Columns of few words, which Parquet keeps as a dictionary."""

ROW_GROUP = 1 << 18
"""Rows that Parquet packs together."""

_FIRST_EXPIRY, _LAST_EXPIRY = np.datetime64("1995-01-01"), np.datetime64("2200-01-01")
_INDIA = np.timedelta64(330, "m")
"""Indian wall clock less UTC, all year."""


@dataclass(frozen=True, eq=False)
class RecordedDay:
    """One verified recorded day, in memory. Optional columns that the source had not are absent from the tables."""

    folder: Path
    manifest: Manifest
    options: pa.Table
    futures: pa.Table
    underlyings: pa.Table
    instruments: pa.Table


def narrowed(recorded: RecordedDay, takes: Callable[[str], bool]) -> RecordedDay:
    """The day with only the underlyings that `takes` says yes to; the index of volatility stays, it has no contracts.

    Raises NoData where none is left.
    """
    names = pc.unique(recorded.instruments["underlying"]).to_pylist()
    gone = pa.array([name for name in names if not takes(name)], pa.string())
    if names and len(gone) == len(names):
        raise NoData(
            f"{recorded.folder}: holds {len(names)} underlyings and the configuration takes none of them; "
            "change underlyings.include or underlyings.exclude"
        )

    def kept(table: pa.Table) -> pa.Table:
        return table.filter(pc.invert(pc.is_in(table["underlying"], gone))) if len(gone) else table

    tables = {name: kept(getattr(recorded, name)) for name in SCHEMAS}
    return replace(recorded, **tables)


def write_day(folder: Path, tables: Mapping[str, pa.Table], manifest: Manifest) -> Manifest:
    """Write a recorded day to `folder`; returns the manifest as written, with rows and digests of the tables.

    `tables` may leave tables out (they are written empty) and their rows may come in any order. An existing recorded
    day at `folder` is replaced, an empty folder used; anything else there is refused. On any failure the place stays
    as it was. Raises RecordingError.
    """
    folder = Path(folder)
    unknown = sorted(set(tables) - set(SCHEMAS))
    if unknown:
        raise RecordingError(f"{folder}: a recorded day has no table {', '.join(unknown)}; it has {', '.join(SCHEMAS)}")
    check_writable(folder)
    written = {name: _conformed(folder, name, tables.get(name)) for name in SCHEMAS}
    return place_day(
        folder, manifest, lambda beside: {name: _write_table(beside, name, table) for name, table in written.items()}
    )


def place_day(folder: Path, manifest: Manifest, write: Callable[[Path], Mapping[str, TableFacts]]) -> Manifest:
    """Make a recorded day at `folder` of the tables that `write` puts into the folder it is given.

    Returns the manifest as written, with the facts that `write` returns. What stood at `folder` is replaced as
    `write_day` does it; on any failure the place stays as it was. Raises RecordingError.
    """
    check_writable(folder)
    # A fixed name: what a killed run left there is replaced by the next one.
    beside = folder.with_name(f".{folder.name}.writing")
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        shutil.rmtree(beside, ignore_errors=True)
        beside.mkdir()
        try:
            complete = replace(manifest, tables=dict(write(beside)))
            _write_text(beside / MANIFEST_NAME, complete.to_json())
            _put_in_place(beside, folder)
        finally:
            shutil.rmtree(beside, ignore_errors=True)
    except OSError as error:
        raise RecordingError(
            f"{folder}: the recorded day could not be written ({error.strerror or error}); "
            "free the disk or choose another folder"
        ) from error
    return complete


def check_writable(folder: Path) -> None:
    """Raise RecordingError unless `folder` is absent, empty, or a recorded day that may be replaced."""
    if folder.is_dir():
        if any(folder.iterdir()) and not is_recorded_day(folder):
            raise RecordingError(
                f"{folder}: holds files that are not a recorded day and is left alone; choose a new or empty folder"
            )
    elif folder.exists() or folder.is_symlink():
        raise RecordingError(f"{folder}: a folder is expected, but this is a file; choose another name")


def is_recorded_day(folder: Path) -> bool:
    """Whether `folder` has the manifest of a recorded day of any version, damaged tables or not."""
    try:
        described = (folder / MANIFEST_NAME).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return False
    return '"version"' in described and '"mode_recorded"' in described


def read_day(folder: Path) -> RecordedDay:
    """The recorded day in `folder`, verified: version, digests, columns, types, row counts, keys, dates.

    Raises RecordingError with one sentence for the first defect found.
    """
    folder = Path(folder)
    if not folder.exists():
        raise RecordingError(f"{folder}: there is no such folder; give the folder of a recorded day")
    if not folder.is_dir():
        raise RecordingError(
            f"{folder}: a recorded day is a folder, this is a file; import raw files with --import first"
        )
    place = folder / MANIFEST_NAME
    if not place.is_file():
        raise RecordingError(
            f"{folder}: no {MANIFEST_NAME} in it, so this is not a recorded day; import raw files with --import first"
        )
    try:
        text = place.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise RecordingError(f"{place}: cannot be read ({error}); import or copy the recording again") from error
    manifest = parse_manifest(text, place)
    tables = {name: _read_table(folder, name, facts, manifest) for name, facts in manifest.tables.items()}
    return RecordedDay(folder=folder, manifest=manifest, **tables)


def _conformed(folder: Path, name: str, table: pa.Table | None) -> pa.Table:
    """The table with its columns in order, typed and sorted by the schema."""
    if table is None:
        return empty_table(name)
    schema = SCHEMAS[name]
    missing = [column for column in REQUIRED[name] if column not in table.column_names]
    unknown = [column for column in table.column_names if column not in schema.names]
    if missing or unknown:
        wrong = f"lacks {', '.join(missing)}" if missing else f"has unknown columns {', '.join(unknown)}"
        raise RecordingError(f"{folder}: table {name} {wrong}; its columns are {', '.join(schema.names)}")
    fields = [field for field in schema if field.name in table.column_names]
    try:
        conformed = table.select([field.name for field in fields]).cast(pa.schema(fields))
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
        raise RecordingError(f"{folder}: table {name} cannot take the types of the format ({error})") from error
    _check_content(folder, name, conformed)
    return _sorted(conformed, SORT_KEYS[name])


def _sorted(table: pa.Table, keys: tuple[str, ...]) -> pa.Table:
    """The table in the order of its keys; not copied where it has that order already."""
    if table.num_rows < 2:
        return table
    columns = [_ranks(table[key]) for key in keys if key in table.column_names]
    order = np.lexsort(columns[::-1])
    return table if bool(np.all(order[1:] > order[:-1])) else table.take(pa.array(order))


def _ranks(column: pa.ChunkedArray) -> np.ndarray:
    """Numbers that sort as the column does, nulls last."""
    if pa.types.is_string(column.type):
        encoded = column.combine_chunks().dictionary_encode()
        words = encoded.dictionary.to_numpy(zero_copy_only=False)
        rank = np.empty(len(words), dtype=np.int64)
        rank[np.argsort(words)] = np.arange(len(words))
        return np.asarray(rank[encoded.indices.to_numpy(zero_copy_only=False)])
    return np.asarray(column.to_numpy())


def _write_table(folder: Path, name: str, table: pa.Table) -> TableFacts:
    place = folder / f"{name}.parquet"
    names = [column for column in NAMES if column in table.column_names]
    pq.write_table(table, place, compression="zstd", use_dictionary=names, row_group_size=ROW_GROUP)
    return facts_of(place, rows=table.num_rows, columns=table.column_names)


def facts_of(place: Path, *, rows: int, columns: Sequence[str]) -> TableFacts:
    """What the manifest is to say of a table that was just written at `place`; it is on the disk afterwards."""
    with place.open("rb+") as file:
        os.fsync(file.fileno())
    return TableFacts(rows=rows, sha256=_digest(place), columns=tuple(columns))


def _write_text(place: Path, text: str) -> None:
    with place.open("w", encoding="utf-8", newline="\n") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())


def _put_in_place(beside: Path, folder: Path) -> None:
    """Rename the finished folder into its place; what stood there comes back if that fails."""
    if not folder.exists():
        beside.rename(folder)
        return
    old = folder.with_name(f".{folder.name}.replaced")
    shutil.rmtree(old, ignore_errors=True)
    folder.rename(old)
    try:
        beside.rename(folder)
    except OSError:
        with contextlib.suppress(OSError):
            old.rename(folder)
        raise
    shutil.rmtree(old, ignore_errors=True)


def _digest(place: Path) -> str:
    with place.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _read_table(folder: Path, name: str, facts: TableFacts, manifest: Manifest) -> pa.Table:
    place = folder / f"{name}.parquet"
    again = "import or copy the recording again"
    if not place.is_file():
        raise RecordingError(f"{place}: the recording lacks this file; {again}")
    try:
        digest = _digest(place)
        schema = pq.read_schema(place)
        if digest == facts.sha256:
            _check_columns(place, name, schema, facts)
            table = pq.read_table(place, read_dictionary=[c for c in NAMES if c in schema.names])
            table.validate(full=True)  # names that are not UTF-8
    except (OSError, pa.ArrowException) as error:
        raise RecordingError(f"{place}: cannot be read as Parquet ({_short(error)}); {again}") from error
    if digest != facts.sha256:
        raise RecordingError(
            f"{place}: sha256 must be {facts.sha256[:12]}… as the manifest says, is {digest[:12]}…: "
            f"the file was changed or damaged; {again}"
        )
    if table.num_rows != facts.rows:
        raise RecordingError(
            f"{place}: must have {facts.rows} rows as the manifest says, has {table.num_rows}; {again}"
        )
    _check_content(folder, name, table)
    if "expiry" in table.column_names and table.num_rows:
        _check_expiries(place, table["expiry"])
    if "observed_at" in table.column_names and table.num_rows:
        _check_date(place, table["observed_at"], manifest)
    return table


def _check_columns(place: Path, name: str, schema: pa.Schema, facts: TableFacts) -> None:
    known = SCHEMAS[name]
    unknown = [column for column in schema.names if column not in known.names]
    if unknown:
        raise RecordingError(
            f"{place}: has the unknown column {', '.join(unknown)}; format version 1 knows {', '.join(known.names)}"
        )
    missing = [column for column in REQUIRED[name] if column not in schema.names]
    if missing:
        raise RecordingError(f"{place}: lacks the column {', '.join(missing)}; import the day again")
    if list(facts.columns) != schema.names:
        raise RecordingError(
            f"{place}: must have the columns {', '.join(facts.columns)} as the manifest says, "
            f"has {', '.join(schema.names)}; import or copy the recording again"
        )
    for column in schema.names:
        if schema.field(column).type != known.field(column).type:
            raise RecordingError(
                f"{place}: column {column} must be {known.field(column).type}, is {schema.field(column).type}; "
                "import the day again"
            )


def _check_content(folder: Path, name: str, table: pa.Table) -> None:
    """Keys without nulls, and only words that the format knows."""
    for column in REQUIRED[name]:
        if table[column].null_count:
            raise RecordingError(
                f"{folder}: table {name} has {table[column].null_count} rows without {column}, every row needs one; "
                "import the day again"
            )
        if pa.types.is_floating(table[column].type) and not pc.all(pc.is_finite(table[column]), min_count=0).as_py():
            raise RecordingError(
                f"{folder}: table {name} has rows whose {column} is not a finite number; import the day again"
            )
    for (table_name, column), words in ALLOWED_WORDS.items():
        if table_name == name:
            wrong = sorted(set(pc.unique(table[column].cast(pa.string())).to_pylist()) - words)
            if wrong:
                raise RecordingError(
                    f"{folder}: table {name} has {column} {wrong[0]!r}, expected {' or '.join(sorted(words))}; "
                    "import the day again"
                )


def _check_expiries(place: Path, expiry: pa.ChunkedArray) -> None:
    """No expiry is beyond the calendars of this world; Parquet can hold days that Python cannot."""
    days = expiry.to_numpy().astype("datetime64[D]")
    for day in (days.min(), days.max()):
        if not _FIRST_EXPIRY <= day <= _LAST_EXPIRY:
            raise RecordingError(
                f"{place}: every expiry must lie between {_FIRST_EXPIRY} and {_LAST_EXPIRY}, found {day}; "
                "import the day again"
            )


def _check_date(place: Path, observed_at: pa.ChunkedArray, manifest: Manifest) -> None:
    """All instants lie on the recording's day in India."""
    midnight = datetime.combine(manifest.date, time())
    at = observed_at.to_numpy().astype("datetime64[ms]") + _INDIA  # of India's wall clocks
    first, last = at.min(), at.max()
    if first < np.datetime64(midnight) or last >= np.datetime64(midnight + timedelta(days=1)):
        seen = " to ".join(_words(end) for end in (first, last))
        raise RecordingError(
            f"{place}: every instant must lie on {manifest.date:%d-%b-%Y} as the manifest says, found {seen}; "
            "import the day again"
        )


def _words(at: np.datetime64) -> str:
    """An instant for a sentence; Parquet can hold years that Python cannot."""
    plain = at.astype("datetime64[s]").item()
    return f"{plain:%d-%b-%Y %H:%M}" if isinstance(plain, datetime) else str(at)


def _short(error: Exception) -> str:
    """First sentence of a library's message."""
    return str(error).splitlines()[0].rstrip(".")[:160] if str(error) else type(error).__name__
