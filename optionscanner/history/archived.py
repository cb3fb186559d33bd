"""Quotes of archived sessions: the form of their files, and reading them back as the live tables would answer.

One Parquet file holds one session: the rows of `quote`, each with the terms of its contract and with what its
observation said of the chain, so that the file can be read alone. A row group holds rows of one chain only, so that a
question about one underlying reads little of the file.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from optionscanner.errors import HistoryError
from optionscanner.history.schema import QUOTE_COLUMNS

FOLDER = "archive"
"""Folder beside the history file."""


def quote_schema() -> pa.Schema:
    """Columns of an archived session; units as in the table `quote`, instants as timestamps in UTC."""
    return pa.schema(
        [
            pa.field("at", pa.timestamp("ms", tz="UTC"), nullable=False),
            pa.field("contract", pa.int64(), nullable=False),
            *(pa.field(name, pa.int64(), nullable=name not in ("fault", "iv_reason")) for name in QUOTE_COLUMNS),
            pa.field("underlying", pa.string(), nullable=False),
            pa.field("expiry", pa.string(), nullable=False),
            pa.field("strike_paise", pa.int64()),
            pa.field("option_type", pa.string(), nullable=False),
            pa.field("lot_size", pa.int64(), nullable=False),
            pa.field("exchange", pa.string(), nullable=False),
            pa.field("previous_open_interest", pa.int64()),
            pa.field("spot_paise", pa.int64()),
            pa.field("forward", pa.float64()),
            pa.field("in_picture", pa.bool_(), nullable=False),
        ]
    )


def archive_folder(history: Path) -> Path:
    """Where the archived sessions of a history file lie."""
    return history.parent / FOLDER


def archived_files(connection: sqlite3.Connection, history: Path) -> Mapping[int, Path]:
    """session -> its Parquet file; empty for a file of a schema that had no archives."""
    there = connection.execute("SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = 'archive'").fetchone()
    if there is None:
        return {}
    folder = archive_folder(history)
    return {session: folder / name for session, name in connection.execute("SELECT session, file FROM archive")}


def opened_archive(history: Path, session: int, file: Path) -> pq.ParquetFile:
    """The file of an archived session; HistoryError where it is not there or cannot be read."""
    try:
        return pq.ParquetFile(file)
    except FileNotFoundError as error:
        raise HistoryError(
            f"history {history}: the quotes of session {session} have moved to {file}, which is missing; "
            "put the file back there"
        ) from error
    except (OSError, pa.ArrowException) as error:
        raise HistoryError(
            f"history {history}: the archive {file} cannot be read ({error}); put a copy of it back there"
        ) from error


def archived_quotes(
    history: Path,
    session: int,
    file: Path,
    *,
    underlying: str,
    expiry: str | None = None,
    since: int | None = None,
    until: int | None = None,
) -> pd.DataFrame:
    """Stored quotes of an underlying in one archived session, as the columns of the file say; `at` in ms.

    `expiry` as ISO text; `since` and `until` [ms since 1970 UTC], both included.
    """
    archive = opened_archive(history, session, file)
    pieces: list[pd.DataFrame] = []
    with archive:
        for group in range(archive.metadata.num_row_groups):
            if not _may_hold(archive, group, underlying, expiry):
                continue
            try:
                frame = archive.read_row_group(group).to_pandas()
            except (OSError, pa.ArrowException) as error:
                raise HistoryError(
                    f"history {history}: the archive {file} is damaged ({error}); put a copy of it back there"
                ) from error
            frame["at"] = frame["at"].to_numpy(dtype="datetime64[ms]").astype(np.int64)
            chosen = frame["in_picture"] & (frame["underlying"] == underlying)
            if expiry is not None:
                chosen &= frame["expiry"] == expiry
            if since is not None:
                chosen &= frame["at"] >= since
            if until is not None:
                chosen &= frame["at"] <= until
            pieces.append(frame[chosen])
    if not pieces:
        empty: pd.DataFrame = quote_schema().empty_table().to_pandas()
        return empty.astype({"at": np.int64})
    return pd.concat(pieces, ignore_index=True)


def _may_hold(archive: pq.ParquetFile, group: int, underlying: str, expiry: str | None) -> bool:
    """Whether a row group can hold rows of a chain, by its statistics."""
    names = archive.schema_arrow.names
    for name, wanted in (("underlying", underlying), ("expiry", expiry)):
        statistics = archive.metadata.row_group(group).column(names.index(name)).statistics
        known = wanted is not None and statistics is not None and statistics.has_min_max
        if known and not statistics.min <= wanted <= statistics.max:
            return False
    return True


def in_units(raw: pd.DataFrame) -> pd.DataFrame:
    """Quotes as the engines take them: ₹, units, instants in seconds, decimals; float64, NaN where absent."""

    def number(name: str) -> pd.Series:
        return raw[name].astype(float)

    at = number("at")
    return pd.DataFrame(
        {
            "strike": number("strike_paise") / 100.0,
            "option_type": raw["option_type"].astype(object),
            "lot_size": number("lot_size"),
            **{name: number(f"{name}_paise") / 100.0 for name in ("last", "bid", "ask")},
            **{name: number(name) for name in ("bid_quantity", "ask_quantity", "volume", "open_interest")},
            "price_at": (at - number("price_age_ms")) / 1000.0,
            "open_interest_at": (at - number("open_interest_age_ms")) / 1000.0,
            "implied_volatility": number("volatility_ppm") / 1e6,
            "delta": number("delta_ppm") / 1e6,
            "fault": number("fault"),
            "iv_reason": number("iv_reason"),
        }
    )


def archived_chain(
    history: Path, session: int, file: Path, *, underlying: str, expiry: str, until: int
) -> pd.DataFrame:
    """Newest quote of each leg up to an instant [ms since 1970 UTC], in the form of `HistoryReader.chain`."""
    raw = archived_quotes(history, session, file, underlying=underlying, expiry=expiry, until=until)
    newest = raw.sort_values("at", kind="stable").drop_duplicates("contract", keep="last")
    newest = newest.sort_values(["strike_paise", "option_type", "contract"]).reset_index(drop=True)
    return in_units(newest).assign(
        previous_open_interest=newest["previous_open_interest"].astype(float), changed_at=newest["at"] / 1000.0
    )
