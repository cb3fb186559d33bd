"""Opens raw files and recognises their kind by what is in them, never by their name.

Main entries: `open_table`, `KINDS`, `recognise`. A file is Parquet, comma-separated text, or the exchange's JSON,
gzipped or not; anything else is refused with a sentence that lists what is known.
"""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import PurePath
from typing import Literal

import pyarrow as pa
import pyarrow.csv as pv
import pyarrow.parquet as pq

from optionscanner.adapters.recorded import (
    closing,
    five_minute,
    minute_greeks,
    nse_json,
    nse_page,
    one_minute,
    page_2019,
)
from optionscanner.adapters.recorded.quotes import Quotes
from optionscanner.adapters.recorded.raw_files import RawFile, damaged
from optionscanner.adapters.recorded.units import OPEN_INTEREST, VOLUME
from optionscanner.errors import RecordingError
from optionscanner.model.calendar import TradingCalendar
from optionscanner.model.contracts import Bools

KindName = Literal["five-minute", "one-minute", "NSE JSON", "NSE page", "minute greeks", "2019 page", "closing"]

_PARQUET = b"PAR1"
_MAX_HEADER = 1 << 16


def _nothing(quotes: Quotes) -> list[tuple[str, Bools]]:
    return []


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of raw file."""

    name: KindName
    described: str
    """In a user's words."""
    matches: Callable[[frozenset[str]], bool]
    """Whether a file with these columns (lower case) is of the kind."""
    read: Callable[[pa.Table, PurePath, TradingCalendar], Quotes]
    """The file's rows as quotes, from its table with lower-case columns and from its path."""
    in_contracts: frozenset[str] = frozenset()
    """Which quantities of a leg come in contracts instead of units."""
    unusable: Callable[[Quotes], list[tuple[str, Bools]]] = _nothing
    """Rows of the kind that no day can use: (what they are, (n,) which)."""
    note: str = ""
    """A sentence for the manifest of what was imported."""


_CONTRACTS = OPEN_INTEREST | VOLUME

KINDS = (
    Kind(
        "five-minute",
        "five-minute chains of all F&O stocks or indices",
        five_minute.matches,
        lambda table, where, calendar: five_minute.read(table),
    ),
    Kind(
        "one-minute",
        "one-minute NIFTY and BANKNIFTY chains with bid and ask",
        one_minute.matches,
        lambda table, where, calendar: one_minute.read(table),
        in_contracts=_CONTRACTS,
    ),
    Kind(
        "NSE JSON",
        "option chains in the exchange's JSON, or tables made from it",
        nse_json.matches,
        lambda table, where, calendar: nse_json.read(table, where),
        in_contracts=_CONTRACTS,
        note="The exchange's JSON says when it was made and not when it was fetched: observed_at is its stamp, except "
        "in tables that hold the time of capture.",
    ),
    Kind(
        "NSE page",
        "CSV exports of the exchange's option-chain page",
        nse_page.matches,
        nse_page.read,
        in_contracts=_CONTRACTS,
        note="Date, time and symbol of the page's exports come from their names and folders, and so does an expiry "
        "that is marked there; an export without one is of the contracts that expire on its own day by the rule.",
    ),
    Kind(
        "minute greeks",
        "one-minute chains with the recorder's greeks, a row per leg",
        minute_greeks.matches,
        lambda table, where, calendar: minute_greeks.read(table),
        in_contracts=_CONTRACTS,
        note="Spots were rounded to the paisa: the recorder kept them in 32 bits. Its volatility and greeks are not "
        "part of the recording.",
    ),
    Kind(
        "2019 page",
        "15-minute chains of the exchange's page of 2019",
        page_2019.matches,
        lambda table, where, calendar: page_2019.read(table, where),
        in_contracts=VOLUME,
        unusable=page_2019.unusable,
    ),
    Kind(
        "closing",
        "last snapshots of past sessions, a companion to the others",
        closing.matches,
        lambda table, where, calendar: closing.read(table),
    ),
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


def open_table(file: RawFile) -> OpenedTable:
    """The file as a table; raises RecordingError with the reason where it cannot be read."""
    raw = file.content()
    try:
        if raw[:4] == _PARQUET:
            return OpenedTable(_lower_case(pq.read_table(io.BytesIO(raw))), 0)
        if raw.lstrip()[:1] in (b"{", b"["):
            return OpenedTable(_lower_case(nse_json.flattened(json.loads(raw))), 0)
        return _csv(raw)
    except (OSError, ValueError, RecursionError, pa.ArrowException) as error:
        raise RecordingError(damaged(error)) from error


def _csv(raw: bytes) -> OpenedTable:
    head = raw[:_MAX_HEADER].split(b"\n", 2)
    if not raw.strip():
        raise RecordingError("it is empty")
    if b"\x00" in raw[:_MAX_HEADER] or b"," not in head[0]:
        raise RecordingError(f"it is neither Parquet nor comma-separated text nor JSON; known kinds: {known_kinds()}")
    broken: list[object] = []

    def skip(row: pv.InvalidRow) -> str:
        broken.append(row)
        return "skip"

    try:
        first = head[0].decode("utf-8-sig").strip()
    except UnicodeDecodeError:
        raise RecordingError("its first line is not UTF-8 text; export it again as UTF-8") from None
    page = nse_page.header_of(first, head[1].decode("utf-8", errors="replace")) if len(head) > 1 else None
    names = page or [cell.strip() for cell in first.split(",")]
    if not _is_text(raw):
        lines = raw.split(b"\n")
        broken += [line for line in lines if not _is_text(line)]
        raw = b"\n".join(line for line in lines if _is_text(line))
    table = pv.read_csv(
        io.BytesIO(raw),
        read_options=pv.ReadOptions(column_names=names, skip_rows=2 if page else 1, use_threads=False),
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
