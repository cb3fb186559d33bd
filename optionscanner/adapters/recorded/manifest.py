"""The manifest of a recorded day: what the folder holds, where it came from, what was refused on the way.

Main entries: `Manifest.to_json`, `parse_manifest`. Reading checks every field, because users edit and copy these files.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from pathlib import Path
from typing import Any, NoReturn

from optionscanner.adapters.recorded.tables import FORMAT_VERSION, SCHEMAS, UNITS
from optionscanner.errors import RecordingError

MANIFEST_NAME = "manifest.json"
FORMAT_NAME = "optionscanner recorded day"
MODES_RECORDED = ("LIVE", "REPLAY", "SIMULATED", "IMPORT")

_SECONDS_PER_DAY = 86_400.0


@dataclass(frozen=True, slots=True)
class Refusal:
    """A file, or a part of one, that was left out of the recording."""

    file: str
    """Name of the file, without its folder."""
    reason: str
    """One sentence."""
    rows: int = 0
    """Strike rows that were refused."""
    observations: int = 0
    """(underlying, expiry, instant) groups that were refused as a whole."""


@dataclass(frozen=True, slots=True)
class TableFacts:
    """What the manifest says of one table."""

    rows: int
    sha256: str
    columns: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class SessionHours:
    """Trading hours of the recorded day, where the calendar cannot know them: an invented session."""

    opens: datetime
    """With its zone."""
    closes: datetime


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a recorded day says of itself."""

    date: date
    """The trading day."""
    mode_recorded: str
    """One of `MODES_RECORDED`."""
    source: str
    """What delivered the market, in a few words; it names the session in histories."""
    exchange_stamps: bool
    """Whether `stamped_at` is the exchange's own time."""
    observation_step_seconds: float | None
    """Median time between distinct observations; None for fewer than two."""
    refused: tuple[Refusal, ...] = ()
    counts: Mapping[str, int] = field(default_factory=dict)
    """What was counted on the way (observations, replaced rows, ...), in plain words."""
    notes: tuple[str, ...] = ()
    """What the converter did beyond copying, a sentence each."""
    session: SessionHours | None = None
    """Hours of an invented session; None for a real one, which the calendar knows."""
    refresh_seconds: Mapping[str, float] = field(default_factory=dict)
    """Underlying -> seconds between observations that the recorded source promised; else the median is taken."""
    unlisted_at_open: Mapping[str, tuple[float, ...]] = field(default_factory=dict)
    """"underlying expiry CE|PE" -> strikes [₹] that `instruments` holds and that were not known as listed before the
    open; each counts as listed from its first quote."""
    tables: Mapping[str, TableFacts] = field(default_factory=dict)
    """Table name -> its facts; filled in by `format.write_day`."""

    @property
    def digest(self) -> str:
        """Eight hex digits that stand for the tables' content: a day imported afresh is another session."""
        whole = "".join(f"{name}{facts.sha256}" for name, facts in sorted(self.tables.items()))
        return hashlib.sha256(whole.encode()).hexdigest()[:8]

    def to_json(self) -> str:
        """The manifest as text, readable by people, ending in a newline."""
        described: dict[str, Any] = {
            "format": FORMAT_NAME,
            "version": FORMAT_VERSION,
            "date": self.date.isoformat(),
            "mode_recorded": self.mode_recorded,
            "source": self.source,
            "exchange_stamps": self.exchange_stamps,
            "observation_step_seconds": self.observation_step_seconds,
            "units": dict(UNITS),
            "tables": {
                name: {"rows": facts.rows, "sha256": facts.sha256, "columns": list(facts.columns)}
                for name, facts in self.tables.items()
            },
            "refused": [
                {"file": r.file, "reason": r.reason, "rows": r.rows, "observations": r.observations}
                for r in self.refused
            ],
            "counts": dict(self.counts),
            "notes": list(self.notes),
            "session": None
            if self.session is None
            else {"opens": self.session.opens.isoformat(), "closes": self.session.closes.isoformat()},
            "refresh_seconds": dict(self.refresh_seconds),
            "unlisted_at_open": {name: list(strikes) for name, strikes in self.unlisted_at_open.items()},
        }
        return json.dumps(described, indent=2, ensure_ascii=False) + "\n"


def parse_manifest(text: str, where: Path) -> Manifest:
    """The manifest in `text`; raises RecordingError with one sentence for whatever is wrong with it."""
    try:
        described = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise RecordingError(
            f"{where}: not readable as JSON ({error}); the recording is damaged, import or copy it again"
        ) from error
    if not isinstance(described, dict) or described.get("format", FORMAT_NAME) != FORMAT_NAME:
        _wrong(where, f'must describe an "{FORMAT_NAME}"')
    version = described.get("version")
    if version != FORMAT_VERSION:
        newer = isinstance(version, int) and version > FORMAT_VERSION
        way_out = "update the program" if newer else "import the day again from its source"
        raise RecordingError(
            f"{where}: recorded day of format version {version!r}, this program reads version {FORMAT_VERSION}; "
            f"{way_out}"
        )
    try:
        return _manifest(described)
    except KeyError as error:
        _wrong(where, f"lacks the field {error}")
    except (TypeError, ValueError, AttributeError, OverflowError) as error:
        _wrong(where, f"has a field of the wrong kind ({error})")


def _manifest(described: dict[str, Any]) -> Manifest:
    mode = described["mode_recorded"]
    if mode not in MODES_RECORDED:
        raise ValueError(f"mode_recorded must be one of {', '.join(MODES_RECORDED)}, is {mode!r}")
    source = described["source"]
    if not isinstance(source, str) or not source.isprintable():
        raise ValueError(f"source must be a line of text, is {source!r}")
    step = described["observation_step_seconds"]
    if step is not None and not 0 < float(step) <= _SECONDS_PER_DAY:
        raise ValueError(f"observation_step_seconds must be above 0 and within a day, is {step!r}")
    tables = {
        name: TableFacts(int(facts["rows"]), str(facts["sha256"]), tuple(map(str, facts["columns"])))
        for name, facts in described["tables"].items()
    }
    if set(tables) != set(SCHEMAS):
        raise ValueError(f"tables must be {', '.join(SCHEMAS)}, are {', '.join(tables) or 'none'}")
    return Manifest(
        date=date.fromisoformat(described["date"]),
        mode_recorded=mode,
        source=source,
        exchange_stamps=bool(described["exchange_stamps"]),
        observation_step_seconds=None if step is None else float(step),
        refused=tuple(
            Refusal(str(r["file"]), str(r["reason"]), int(r["rows"]), int(r["observations"]))
            for r in described.get("refused", [])
        ),
        counts={str(name): int(count) for name, count in described.get("counts", {}).items()},
        notes=tuple(map(str, described.get("notes", []))),
        session=_hours(described.get("session"), date.fromisoformat(described["date"])),
        refresh_seconds=_seconds(described.get("refresh_seconds", {})),
        unlisted_at_open={
            str(name): tuple(map(float, strikes)) for name, strikes in described.get("unlisted_at_open", {}).items()
        },
        tables=tables,
    )


def _hours(given: dict[str, str] | None, day: date) -> SessionHours | None:
    if given is None:
        return None
    opens, closes = (datetime.fromisoformat(given[end]) for end in ("opens", "closes"))
    if opens.utcoffset() is None or closes.utcoffset() is None or not opens < closes or opens.date() != day:
        raise ValueError(
            f"session must open on {day} and close later, both with their zone, is {given['opens']} to "
            f"{given['closes']}"
        )
    return SessionHours(opens, closes)


def _seconds(given: dict[str, float]) -> dict[str, float]:
    refresh = {str(name): float(seconds) for name, seconds in given.items()}
    for name, seconds in refresh.items():
        if not 0 < seconds <= _SECONDS_PER_DAY:
            raise ValueError(f"refresh_seconds of {name} must be above 0 and within a day, is {seconds!r}")
    return refresh


def _wrong(where: Path, what: str) -> NoReturn:
    raise RecordingError(f"{where}: the manifest {what}; the recording is damaged, import or copy it again")
