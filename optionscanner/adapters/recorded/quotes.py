"""Option quotes of one source file as plain columns, before they become a recorded day; and how their text is read.

Main entries: `Quotes`, `parse_instants`, `parse_dates`, `parse_numbers`. Everything is still as the file had it: its
units, its zeros. What the numbers mean is decided in `assemble.py`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from datetime import date, timedelta
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa

from optionscanner.model.contracts import Bools, Floats, Ints

Instants = npt.NDArray[np.datetime64]

IST_OFFSET = np.timedelta64(330, "m")
"""India keeps UTC+05:30 all year."""

MISSING_TEXT = ("", "-", "nan", "NaN", "None", "null", "NULL")
"""What the recorders and the exchange's own exports write for "no value"."""

_DAY_FIRST = r"^\d{1,2}-\d{1,2}-\d{4}"


@dataclass(frozen=True, eq=False)
class Quotes:
    """n strike rows; columns that the file had not are absent from `quantities`."""

    names: tuple[str, ...]
    """The underlyings, each once."""
    name_code: npt.NDArray[np.int32]
    """(n,) index into `names`."""
    observed_at: Instants
    """(n,) when the collector saw the row, UTC, datetime64[ms]; NaT where it says nothing."""
    stamped_at: Instants
    """(n,) the exchange's stamp, UTC, datetime64[ms]; NaT where there is none."""
    expiry: Instants
    """(n,) datetime64[D], NaT where it is unreadable."""
    strike: Floats
    """(n,) ₹."""
    quantities: dict[str, Floats]
    """name -> (n,): ``call_last`` and the like, ``spot``, ``open``, ``high``, ``low``, ``previous_close``,
    ``percent_change``; as in the file."""

    def __len__(self) -> int:
        return len(self.strike)

    def take(self, index: Ints | Bools) -> Quotes:
        """The rows of `index` (positions or a mask), in that order."""
        return Quotes(
            names=self.names,
            name_code=self.name_code[index],
            observed_at=self.observed_at[index],
            stamped_at=self.stamped_at[index],
            expiry=self.expiry[index],
            strike=self.strike[index],
            quantities={name: values[index] for name, values in self.quantities.items()},
        )

    @property
    def day(self) -> Instants:
        """(n,) the day in India on which each row was seen, datetime64[D]."""
        return (self.observed_at + IST_OFFSET).astype("datetime64[D]")

    @property
    def observation_keys(self) -> npt.NDArray[Any]:
        """(n,) structured (name_code, expiry, observed_at): rows of one observation share it."""
        keys = np.empty(len(self), dtype=[("name", np.int32), ("expiry", np.int64), ("at", np.int64)])
        keys["name"], keys["expiry"] = self.name_code, self.expiry.astype(np.int64)
        keys["at"] = self.observed_at.astype("datetime64[ms]").astype(np.int64)
        return keys


def count_observations(quotes: Quotes) -> int:
    """How many (underlying, expiry, instant) groups the rows form."""
    keys = quotes.observation_keys
    if not len(keys):
        return 0
    order = np.lexsort((keys["at"], keys["expiry"], keys["name"]))
    ordered = keys[order]
    return 1 + int(np.count_nonzero(ordered[1:] != ordered[:-1]))


def joined(parts: Sequence[Quotes]) -> Quotes:
    """All rows, one part after the other; a quantity that some parts lack is NaN in their rows."""
    if len(parts) == 1:
        return parts[0]
    names = tuple(sorted({name for part in parts for name in part.names}))
    position = {name: code for code, name in enumerate(names)}
    codes = [np.array([position[n] for n in part.names], dtype=np.int32)[part.name_code] for part in parts]
    wanted = {name for part in parts for name in part.quantities}
    quantities = {
        name: np.concatenate([part.quantities.get(name, np.full(len(part), np.nan)) for part in parts])
        for name in sorted(wanted)
    }
    plain = [f.name for f in fields(Quotes) if f.name not in ("names", "name_code", "quantities")]
    columns = {name: np.concatenate([getattr(part, name) for part in parts]) for name in plain}
    return Quotes(names=names, name_code=np.concatenate(codes), quantities=quantities, **columns)


def encoded_names(column: pa.ChunkedArray) -> tuple[tuple[str, ...], npt.NDArray[np.int32]]:
    """Distinct underlyings and each row's index into them, -1 where the name is missing; blanks around it go."""
    encoded = column.cast(pa.string()).combine_chunks().dictionary_encode()
    codes = encoded.indices.fill_null(-1).to_numpy(zero_copy_only=False).astype(np.int32)
    words = [str(word).strip() for word in encoded.dictionary.to_pylist()]
    names = tuple(dict.fromkeys(word for word in words if word not in MISSING_TEXT))
    position = {name: code for code, name in enumerate(names)}
    mapping = np.array([position.get(word, -1) for word in words] + [-1], dtype=np.int32)
    return names, mapping[codes]


def parse_instants(column: pa.ChunkedArray, text_format: str | None = None) -> Instants:
    """Local times of India as UTC, datetime64[ms]; NaT where unreadable.

    Takes timestamps and text: ``2026-02-03 10:02:36``, ``2025-12-30 10:03``, ``22-01-2026 04:22`` (day first, never
    month first: the recorders are Indian), or exactly `text_format`.
    """
    if pa.types.is_timestamp(column.type):
        local = column.to_numpy().astype("datetime64[ms]")
    else:
        local = _parsed(_text(column), text_format).astype("datetime64[ms]")
    return np.asarray(local - IST_OFFSET)


def parse_dates(column: pa.ChunkedArray, text_format: str | None = None) -> Instants:
    """Dates as datetime64[D]; NaT where unreadable. Text as in `parse_instants`, without the time."""
    if pa.types.is_date(column.type) or pa.types.is_timestamp(column.type):
        return np.asarray(column.to_numpy().astype("datetime64[D]"))
    return np.asarray(_parsed(_text(column), text_format).astype("datetime64[D]"))


def parse_numbers(column: pa.ChunkedArray) -> Floats:
    """float64, NaN where the cell is empty or not a number; ``1,23,456`` is read without its commas."""
    if pa.types.is_null(column.type):
        return np.full(len(column), np.nan)
    if pa.types.is_integer(column.type) or pa.types.is_floating(column.type):
        return np.asarray(column.cast(pa.float64()).to_numpy(), dtype=np.float64)
    return pd.to_numeric(_text(column).str.replace(",", ""), errors="coerce").to_numpy(dtype=np.float64)


def unchanged_where_untraded(quantities: dict[str, Floats]) -> dict[str, Floats]:
    """The quantities with a change in open interest of 0 where none is given and the leg has not traded today.

    The exchange's page prints ``-`` for both. Without a trade open interest stays what it was, so yesterday's is known.
    """
    filled = dict(quantities)
    for side in ("call", "put"):
        change = quantities[f"{side}_open_interest_change"]
        untraded = np.isnan(change) & np.isnan(quantities[f"{side}_volume"])
        known = np.isfinite(quantities[f"{side}_open_interest"])
        filled[f"{side}_open_interest_change"] = np.where(untraded & known, 0.0, change)
    return filled


def iso(day: np.datetime64) -> date:
    """A datetime64 as a date."""
    return date(1970, 1, 1) + timedelta(days=int(day.astype("datetime64[D]").astype(np.int64)))


def _text(column: pa.ChunkedArray) -> pd.Series:
    return pd.Series(column.cast(pa.string()).to_pandas()).str.strip()


def _parsed(text: pd.Series, text_format: str | None) -> npt.NDArray[Any]:
    if text_format is not None:
        return pd.to_datetime(text, format=text_format, errors="coerce").to_numpy()
    day_first = text.str.contains(_DAY_FIRST, na=False).to_numpy(dtype=bool)
    out = np.full(len(text), np.datetime64("NaT"), dtype="datetime64[ns]")
    if day_first.any():
        out[day_first] = pd.to_datetime(text[day_first], format="mixed", dayfirst=True, errors="coerce").to_numpy()
    if not day_first.all():
        out[~day_first] = pd.to_datetime(text[~day_first], format="ISO8601", errors="coerce").to_numpy()
    return out
