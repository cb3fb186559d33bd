"""One name as it was known at an earlier moment of the session: what the history gives back, what is made of it.

Main entries: `Question`, `Stored`, `Answer`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

from optionscanner.model.chains import Chains
from optionscanner.model.contracts import Bools, Floats
from optionscanner.model.readings import Reading
from optionscanner.model.reports import CycleReport
from optionscanner.model.trails import Trails


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked for: one chain at an instant [s since 1970 UTC]."""

    underlying: str
    expiry: date
    at: float


@dataclass(frozen=True, eq=False)
class Stored:
    """What is stored of the picture that was the newest one at that instant; of the asked chain alone."""

    as_of: float
    """Instant of its cycle [s since 1970 UTC]."""
    chains: Chains
    """Of the underlying alone; its other expiries hold nothing."""
    readings: Mapping[str, Reading]
    """On the layout of `chains`; only tables that the history keeps."""
    alerts: Reading
    """Alerts of the underlying until then, newest first."""
    trails: Trails
    """The day until then."""
    interest: tuple[tuple[float, Floats], ...]
    """(stamp [s since 1970 UTC], (rows, 2) open interest [units]) of the chain's observations of the last half hour
    and some, oldest first."""
    volatility_seen: Bools
    """(rows, 2) legs that had a volatility until then; all of them once the session is an hour old."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What came of a question: a report of the underlying alone, or why there is none."""

    question: Question
    report: CycleReport | None
    refusal: str = ""
    """One sentence with the nearest times that are covered; "" where there is a report."""
