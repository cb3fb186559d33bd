"""Opens raw files and recognises their kind by what is in them, never by their name.

Main entries: `open_table`, `KINDS`, `recognise`. A file is Parquet, or comma-separated text, gzipped or not; anything
else is refused with a sentence that lists what is known.
"""

from __future__ import annotations

import gzip
import io
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import pyarrow as pa
import pyarrow.csv as pv
import pyarrow.parquet as pq

from optionscanner.adapters.recorded import closing, five_minute, one_minute
from optionscanner.adapters.recorded.quotes import Quotes
from optionscanner.errors import RecordingError

KindName = Literal["five-minute", "one-minute", "closing"]

_PARQUET, _GZIP = b"PAR1", b"\x1f\x8b"
_MAX_HEADER = 1 << 16


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of raw file."""

    name: KindName
    described: str
    """In a user's words."""
    matches: Callable[[frozenset[str]], bool]
    """Whether a file with these columns (lower case) is of the kind."""
    read: Callable[[pa.Table], Quotes]
    """The file's rows as quotes; its columns are lower case."""


KINDS = (
    Kind("five-minute", "five-minute chains of all F&O stocks or indices", five_minute.matches, five_minute.read),
    Kind("one-minute", "one-minute NIFTY and BANKNIFTY chains with bid and ask", one_minute.matches, one_minute.read),
    Kind("closing", "last snapshots of past sessions, a companion to the others", closing.matches, closing.read),
)


@dataclass(frozen=True, slots=True)
class OpenedTable:
    """A raw file as a table; its column names are lower case, and the text columns of CSV files still text."""

    table: pa.Table
    broken_lines: int
    """Lines that were not UTF-8 text, or had another number of cells than the header, and were dropped."""


def known_kinds() -> str:
    """The known kinds, for sentences."""
    return "; ".join(kind.described for kind in KINDS)


def recognise(table: pa.Table) -> Kind:
    """The kind of an opened file; raises RecordingError where its columns belong to none."""
    columns = frozenset(table.column_names)
    for kind in KINDS:
        if kind.matches(columns):
            return kind
    shown = ", ".join(table.column_names[:8]) + (", …" if len(table.column_names) > 8 else "")
    raise RecordingError(f"its columns ({shown}) belong to no known kind; known kinds: {known_kinds()}")


def open_table(place: Path) -> OpenedTable:
    """The file as a table; raises RecordingError with the reason where it cannot be read."""
    try:
        with place.open("rb") as file:
            start = file.read(4)
        if start == _PARQUET:
            return OpenedTable(_lower_case(pq.read_table(place)), 0)
        raw = gzip.decompress(place.read_bytes()) if start[:2] == _GZIP else place.read_bytes()
        return _csv(raw)
    except (OSError, EOFError, zlib.error, pa.ArrowException) as error:
        message = str(error).splitlines()[0].rstrip(".")[:160] if str(error) else type(error).__name__
        raise RecordingError(f"it is damaged or cut off ({message})") from error


def _csv(raw: bytes) -> OpenedTable:
    header = raw[:_MAX_HEADER].split(b"\n", 1)[0]
    if not raw.strip():
        raise RecordingError("it is empty")
    if b"\x00" in raw[:_MAX_HEADER] or header.lstrip()[:1] in (b"{", b"[") or b"," not in header:
        raise RecordingError(f"it is neither Parquet nor comma-separated text; known kinds: {known_kinds()}")
    broken: list[object] = []

    def skip(row: pv.InvalidRow) -> str:
        broken.append(row)
        return "skip"

    try:
        names = [cell.strip() for cell in header.decode("utf-8-sig").strip().split(",")]
    except UnicodeDecodeError:
        raise RecordingError("its first line is not UTF-8 text; export it again as UTF-8") from None
    if not _is_text(raw):
        lines = raw.split(b"\n")
        broken += [line for line in lines if not _is_text(line)]
        raw = b"\n".join(line for line in lines if _is_text(line))
    table = pv.read_csv(
        io.BytesIO(raw),
        read_options=pv.ReadOptions(column_names=names, skip_rows=1, use_threads=False),
        parse_options=pv.ParseOptions(invalid_row_handler=skip),
        convert_options=pv.ConvertOptions(column_types=dict.fromkeys(names, pa.string())),
    )
    return OpenedTable(_lower_case(table), len(broken))


def _is_text(raw: bytes) -> bool:
    try:
        raw.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


def _lower_case(table: pa.Table) -> pa.Table:
    names = [name.strip().lower() for name in table.column_names]
    if len(set(names)) != len(names):
        raise RecordingError(f"it has a column twice ({', '.join(names)})")
    return table.rename_columns(names)
