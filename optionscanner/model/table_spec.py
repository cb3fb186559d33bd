"""What declares a table of readings: its columns with unit and meaning, and what a row of it is.

The tables themselves stand in `columns.py` and in the modules beside it that carry its name. Missing is NaN in arrays,
"" in text, NULL in the history.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Kind = Literal["real", "integer", "text", "time"]
"""real: float64; integer: counts and codes, float64 with whole values so that NaN can stand for missing; text: str;
time: seconds since 1970 UTC as float64."""


@dataclass(frozen=True, slots=True)
class Column:
    """One quantity of a table."""

    name: str
    kind: Kind
    unit: str
    meaning: str


@dataclass(frozen=True, slots=True)
class TableSpec:
    """One table of readings: what a row is, and its columns."""

    name: str
    row: Literal["segment", "underlying", "event", "market", "future", "strike"]
    """segment: one row per (underlying, expiry), in layout order; underlying: one per underlying, in layout order;
    event: ranked rows, each naming its contract; market: sums over names, each saying which in `underlying`;
    future: one row per future, in layout order; strike: one row per strike, in layout order, whose values are pairs
    (call, put), and which is not stored: it follows from the stored quotes."""
    meaning: str
    columns: tuple[Column, ...]

    @property
    def names(self) -> tuple[str, ...]:
        """Column names in order."""
        return tuple(c.name for c in self.columns)

    @property
    def stored(self) -> bool:
        """Whether the history keeps the table."""
        return self.row != "strike"


def real(name: str, unit: str, meaning: str) -> Column:
    """A float64 quantity."""
    return Column(name, "real", unit, meaning)


def count(name: str, unit: str, meaning: str) -> Column:
    """A count or code."""
    return Column(name, "integer", unit, meaning)


def text(name: str, meaning: str) -> Column:
    """Words."""
    return Column(name, "text", "", meaning)


def time(name: str, meaning: str) -> Column:
    """An instant."""
    return Column(name, "time", "UTC", meaning)
