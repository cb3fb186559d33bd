"""Brings raw recordings into recorded days: which files, which days, what is refused and why.

Main entry: `import_day`. A broken file never stops the others; it is refused with a sentence and counted. Kinds of
files are told apart by their content (`sources.py`), the tables are made in `assemble.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import numpy as np

from optionscanner.adapters.recorded.assemble import Assembled, Part, assemble
from optionscanner.adapters.recorded.closing import Baseline, baseline
from optionscanner.adapters.recorded.format import check_writable, is_recorded_day, write_day
from optionscanner.adapters.recorded.lots import LotTable, load_lot_table
from optionscanner.adapters.recorded.manifest import Manifest, Refusal
from optionscanner.adapters.recorded.names import kind_of
from optionscanner.adapters.recorded.one_minute import in_units
from optionscanner.adapters.recorded.quotes import IST_OFFSET, Quotes, count_observations, iso
from optionscanner.adapters.recorded.sources import Kind, open_table, recognise
from optionscanner.errors import RecordingError, UnknownDate
from optionscanner.model.calendar import TradingCalendar, TradingSession, load_calendar

Say = Callable[[str], None]

_QUANTITIES_OF_MARKET = ("last", "bid", "ask", "volume", "open_interest")


@dataclass(frozen=True, slots=True)
class DayReport:
    """One day that was imported."""

    date: date
    folder: Path
    rows: int
    """Strike rows in the recording."""
    observations: int
    """Distinct (underlying, expiry, instant) groups in the recording."""
    repeated_observations: int
    """Groups that another file had too; they are one in the recording."""
    replaced_rows: int
    """Rows of which a later file or line had the same contract and instant; the later one was kept."""


@dataclass(frozen=True, slots=True)
class ImportReport:
    """What an import read, wrote and refused, in observations: read = imported + repeated + refused + left out."""

    days: tuple[DayReport, ...]
    refused: tuple[Refusal, ...]
    left_out: tuple[Refusal, ...]
    """Usable parts of days that not every source has."""
    observations_read: int
    """(underlying, expiry, instant) groups found in readable files, file by file."""

    @property
    def observations_imported(self) -> int:
        """Groups in the recordings."""
        return sum(day.observations for day in self.days)

    @property
    def observations_repeated(self) -> int:
        """Groups that more than one file had."""
        return sum(day.repeated_observations for day in self.days)

    @property
    def observations_refused(self) -> int:
        """Groups of which nothing was imported."""
        return sum(refusal.observations for refusal in self.refused)

    @property
    def observations_left_out(self) -> int:
        """Groups of days that not every source has."""
        return sum(part.observations for part in self.left_out)


@dataclass(frozen=True, slots=True)
class _FilePart:
    """One readable file's rows of one day, known by counts only; the rows are read again when the day is made."""

    place: Path
    kind: Kind
    day: date
    observations: int
    rows: int
    streams: frozenset[tuple[str, str]]
    """(kind of file, INDEX or STOCK): what the days must have in common."""


@dataclass(frozen=True, slots=True)
class _Rules:
    """What decides whether a file is usable."""

    calendar: TradingCalendar
    lots: LotTable


def import_day(sources: Sequence[Path], to: Path, say: Say) -> ImportReport:
    """Convert raw files, or folders of them, into recorded days; returns what was read, imported and refused.

    The days are those that all kinds of observation files have in common. One day goes to the folder `to`, several go
    to ``to/YYYY-MM-DD`` each. `say` takes one line of progress at a time. Files of past sessions' last snapshots give
    yesterday's open interest and closes and supply no observations. Raises RecordingError where nothing can be
    imported, where `to` is in use, or where a source does not exist.
    """
    places = _files(sources)
    rules = _Rules(load_calendar(), load_lot_table())
    parts: list[_FilePart] = []
    refused: list[Refusal] = []
    companions: list[Path] = []
    read = 0
    for place in places:
        found, broken, seen = _inspected(place, rules, companions)
        parts += found
        refused += broken
        read += seen
        for refusal in broken:
            say(f"refused {refusal.file}: {refusal.reason}")
    days, left_out = _common_days(parts)
    for refusal in left_out:
        say(f"left out {refusal.file}: {refusal.reason}")
    if not days:
        raise RecordingError(_nothing(parts, refused))
    reports = []
    for day in days:
        folder = to if len(days) == 1 else to / day.isoformat()
        check_writable(folder)
        mine = [part for part in parts if part.day == day]
        report, day_refused = _made(
            day, mine, folder=folder, rules=rules, companions=companions, refused_before=refused, only=len(days) == 1
        )
        refused += day_refused
        reports.append(report)
        say(
            f"imported {day:%d-%b-%Y}: {report.observations:,} observations, {report.rows:,} rows from "
            f"{len(mine)} files into {folder}"
        )
    whole = ImportReport(tuple(reports), tuple(refused), left_out, read)
    say(
        f"observations: {read:,} read = {whole.observations_imported:,} imported + "
        f"{whole.observations_repeated:,} repeated + {whole.observations_refused:,} refused + "
        f"{whole.observations_left_out:,} of days left out"
    )
    return whole


def _files(sources: Iterable[Path]) -> list[Path]:
    """Every file of the sources, folders searched through, each once."""
    found: dict[Path, None] = {}
    for source in map(Path, sources):
        if source.is_dir():
            if is_recorded_day(source):
                raise RecordingError(f"{source}: is a recorded day already; replay it with --replay {source}")
            inside = (path for path in sorted(source.rglob("*")) if path.is_file())
            found |= {path: None for path in inside if not _hidden(path.relative_to(source))}
        elif source.is_file():
            found[source] = None
        else:
            raise RecordingError(f"{source}: there is no such file or folder; give the raw files to import")
    if not found:
        raise RecordingError("the sources hold no files; give the raw files, or a folder of them, to import")
    return list(dict.fromkeys(path.resolve() for path in found))


def _hidden(path: Path) -> bool:
    return any(part.startswith(".") for part in path.parts)


def _inspected(
    place: Path, rules: _Rules, companions: list[Path]
) -> tuple[list[_FilePart], list[Refusal], int]:
    """The usable days of one file, what was refused of it, and how many observations it has."""
    try:
        opened = open_table(place)
        kind = recognise(opened.table)
        quotes = kind.read(opened.table)
    except RecordingError as error:
        return [], [Refusal(place.name, str(error))], 0
    if kind.name == "closing":
        companions.append(place)
        return [], [], 0
    refused = []
    total = count_observations(quotes)
    good = _readable(quotes)
    if opened.broken_lines or not good.all():
        kept = quotes.take(good)
        lost = total - count_observations(kept)
        rows = opened.broken_lines + int((~good).sum())
        reason = f"{rows} rows without a readable name, expiry, strike or time, or cut off"
        refused.append(Refusal(place.name, reason, rows, lost))
        quotes = kept
    parts = []
    for day in np.unique(quotes.day):
        mine = quotes.take(quotes.day == day)
        observations = count_observations(mine)
        wrong = _unusable(mine, kind, iso(day), rules)
        if wrong:
            refused.append(Refusal(place.name, wrong, len(mine), observations))
            continue
        named = {kind_of(mine.names[code]) for code in np.unique(mine.name_code)}
        streams = frozenset((kind.name, name) for name in named)
        parts.append(_FilePart(place, kind, iso(day), observations, len(mine), streams))
    return parts, refused, total


def _readable(quotes: Quotes) -> np.ndarray:
    return np.asarray(
        (quotes.name_code >= 0)
        & ~np.isnat(quotes.observed_at)
        & ~np.isnat(quotes.expiry)
        & np.isfinite(quotes.strike)
        & (quotes.strike > 0)
    )


def _unusable(quotes: Quotes, kind: Kind, day: date, rules: _Rules) -> str | None:
    """Why one file's rows of one day cannot be used at all, None where they can."""
    first, last = (_clock(at) for at in (quotes.observed_at.min(), quotes.observed_at.max()))
    when = f"recorded on {day:%d-%b-%Y} at {first}" + ("" if first == last else f" to {last}")
    try:
        session = rules.calendar.session_on(day)
    except UnknownDate as error:
        return f"{when}, a date that the calendar does not know: {error}"
    stamps = quotes.stamped_at[~np.isnat(quotes.stamped_at)]
    stamp = "" if not len(stamps) else f"; the exchange's stamp is {iso(stamps.max()):%d-%b-%Y} {_clock(stamps.max())}"
    if session is None:
        why = rules.calendar.closed_reason(day)
        return f"{when}, when the market was closed ({why}): a stale copy of an earlier session{stamp}"
    if len(stamps) and (stamps + IST_OFFSET).max().astype("datetime64[D]") < np.datetime64(day):
        return f"{when}, but stale: every quote is of an earlier day{stamp}"
    if not _anything(quotes):
        return f"{when}: every price, volume and open interest in its {len(quotes):,} rows is zero or empty"
    if quotes.observed_at.max() < _instant(session):
        return f"{when}, before the open at {session.opens:%H:%M}: it shows the previous session, not this day"
    if kind.name == "one-minute":
        try:
            in_units(quotes, day, rules.lots)
        except RecordingError as error:
            return str(error)
    return None


def _anything(quotes: Quotes) -> bool:
    """Whether any quantity of the market is there at all."""
    names = [name for name in quotes.quantities if name.split("_", 1)[-1] in _QUANTITIES_OF_MARKET]
    return any(bool((np.nan_to_num(quotes.quantities[name]) != 0).any()) for name in names)


def _common_days(parts: Sequence[_FilePart]) -> tuple[list[date], tuple[Refusal, ...]]:
    """The days that every stream of observations has, and the parts of other days, which are left out."""
    days_of: dict[tuple[str, str], set[date]] = {}
    for part in parts:
        for stream in part.streams:
            days_of.setdefault(stream, set()).add(part.day)
    common = set.intersection(*days_of.values()) if days_of else set()
    left_out = []
    if common:
        for part in parts:
            if part.day not in common:
                lacking = sorted(_words(stream) for stream, days in days_of.items() if part.day not in days)
                reason = (
                    f"{part.day:%d-%b-%Y} is not in every source: no {' and no '.join(lacking)} file has it; "
                    "import it without them"
                )
                left_out.append(Refusal(part.place.name, reason, part.rows, part.observations))
    return sorted(common), tuple(left_out)


def _words(stream: tuple[str, str]) -> str:
    return f"{stream[0]} {stream[1].lower()}"


def _nothing(parts: Sequence[_FilePart], refused: Sequence[Refusal]) -> str:
    """The sentence for an import without a day."""
    if parts:
        days = sorted({(_words(stream), part.day) for part in parts for stream in part.streams})
        listed = "; ".join(f"{words}: {day:%d-%b-%Y}" for words, day in days)
        return f"nothing to import: the sources have no day in common ({listed}); import them one by one"
    shown = "; ".join(f"{refusal.file}: {refusal.reason}" for refusal in refused[:3])
    more = f"; and {len(refused) - 3} more" if len(refused) > 3 else ""
    if not refused:
        return "nothing to import: the sources only hold last snapshots of past sessions; add files of a day's chains"
    return f"nothing to import, every source was refused: {shown}{more}"


def _made(
    day: date,
    parts: Sequence[_FilePart],
    *,
    folder: Path,
    rules: _Rules,
    companions: Sequence[Path],
    refused_before: Sequence[Refusal],
    only: bool,
) -> tuple[DayReport, tuple[Refusal, ...]]:
    """Write one day's recording; returns its report and the chains that were refused."""
    session = rules.calendar.session_on(day)
    assert session is not None  # `_unusable` let only days with a session through
    previous, companion_notes = _previous(day, companions, rules.calendar)
    made = assemble([_part(part, rules) for part in parts], session, baseline=previous, table=rules.lots)
    gone = sum(refusal.observations for refusal in made.refused)
    report = DayReport(
        date=day,
        folder=folder,
        rows=made.rows,
        observations=made.observations,
        repeated_observations=sum(part.observations for part in parts) - made.observations - gone,
        replaced_rows=made.replaced_rows,
    )
    files = {part.place.name for part in parts}
    mine = [r for r in refused_before if only or r.file in files]
    write_day(folder, made.tables, _manifest(made, report, parts, [*mine, *made.refused], companion_notes))
    return report, made.refused


def _part(part: _FilePart, rules: _Rules) -> Part:
    quotes = part.kind.read(open_table(part.place).table)
    quotes = quotes.take(_readable(quotes))
    quotes = quotes.take(quotes.day == np.datetime64(part.day))
    if part.kind.name == "one-minute":
        return Part(*in_units(quotes, part.day, rules.lots))
    return Part(quotes, {})


def _manifest(
    made: Assembled,
    report: DayReport,
    parts: Sequence[_FilePart],
    refused: Sequence[Refusal],
    notes: Sequence[str],
) -> Manifest:
    kinds = sorted({part.kind.described for part in parts})
    return Manifest(
        date=report.date,
        mode_recorded="IMPORT",
        source=f"{' and '.join(kinds)}, {len(parts)} files",
        exchange_stamps=made.exchange_stamps,
        observation_step_seconds=made.observation_step_seconds,
        refused=tuple(refused),
        counts={
            "observations": report.observations,
            "rows": report.rows,
            "repeated_observations": report.repeated_observations,
            "replaced_rows": report.replaced_rows,
            "refused_files_and_parts": len(refused),
            "refused_observations": sum(refusal.observations for refusal in refused),
        },
        notes=(*made.notes, *notes),
    )


def _previous(
    day: date, companions: Sequence[Path], calendar: TradingCalendar
) -> tuple[Baseline, list[str]]:
    """The closing figures of the session before `day`, and where they are from.

    A companion's older snapshot is not used: change in open interest is against the previous session, nothing else.
    """
    if not companions:
        return {}, []
    before = calendar.previous_trading_day(day)
    found: Baseline = {}
    for place in companions:
        found |= baseline(recognise(table := open_table(place).table).read(table), before)
    names = ", ".join(place.name for place in companions)
    if not found:
        return {}, [f"{names} has no snapshot of {before:%d-%b-%Y}, the session before: it was not used."]
    return found, [f"Open interest and closes of the previous session are those of {before:%d-%b-%Y} in {names}."]


def _instant(session: TradingSession) -> np.datetime64:
    return np.datetime64(round(session.opens.timestamp() * 1000), "ms")


def _clock(at: np.datetime64) -> str:
    """Time of day in India, HH:MM."""
    return str((at + IST_OFFSET).astype("datetime64[m]")).split("T")[1]
