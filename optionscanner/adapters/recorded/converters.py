"""Brings raw recordings into recorded days: which files, which days, what is refused and why.

Main entry: `import_day`. A broken file never stops the others; it is refused with a sentence and counted. Kinds of
files are told apart by their content (`sources.py`), the tables are made in `assemble.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from optionscanner.adapters.recorded.assemble import Assembled, assemble
from optionscanner.adapters.recorded.closing import Baseline, baseline
from optionscanner.adapters.recorded.file_parts import FilePart, Rules, counted, inspected, part_of
from optionscanner.adapters.recorded.format import check_writable, is_recorded_day, write_day
from optionscanner.adapters.recorded.lots import load_lot_table
from optionscanner.adapters.recorded.manifest import Manifest, Refusal
from optionscanner.adapters.recorded.raw_files import RawFile, raw_files_of
from optionscanner.adapters.recorded.sources import open_table, recognise
from optionscanner.errors import RecordingError
from optionscanner.model.calendar import TradingCalendar, load_calendar

Say = Callable[[str], None]


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


def import_day(sources: Sequence[Path], to: Path, say: Say) -> ImportReport:
    """Convert raw files, or folders of them, into recorded days; returns what was read, imported and refused.

    The days are those that the index files and the stock files of a kind have in common, where both are given. One
    day goes to the folder `to`, several go to ``to/YYYY-MM-DD`` each. `say` takes one line of progress at a time.
    Files of past sessions' last snapshots give yesterday's open interest and closes and supply no observations.
    Raises RecordingError where nothing can be imported, where `to` is in use, or where a source does not exist.
    """
    places = _files(sources)
    say(f"reading {counted(len(places), 'file')}")
    rules = Rules(load_calendar(), load_lot_table())
    parts: list[FilePart] = []
    refused: list[Refusal] = []
    companions: list[RawFile] = []
    read = 0
    for place in places:
        found, broken, seen = inspected(place, rules, companions)
        parts += found
        refused += broken
        read += seen
        for refusal in broken:
            say(f"refused {refusal.file}: {refusal.reason}")
    kept, left_out = _common_days(parts)
    for name in dict.fromkeys(part.file for part in left_out):
        reasons = [part.reason for part in left_out if part.file == name]
        more = f"; and {counted(len(reasons) - 1, 'more day')} likewise" if len(reasons) > 1 else ""
        say(f"left out of {name}: {reasons[0]}{more}")
    if not kept:
        raise RecordingError(_nothing(parts, refused))
    folders = _folders(to, sorted({part.day for part in kept}))
    reports = []
    for day, folder in folders.items():
        mine = [part for part in kept if part.day == day]
        report, day_refused = _made(
            day, mine, folder=folder, rules=rules, companions=companions, refused_before=refused, only=len(folders) == 1
        )
        refused += day_refused
        reports.append(report)
        say(
            f"imported {day:%d-%b-%Y}: {report.observations:,} observations, {report.rows:,} rows from "
            f"{counted(len(mine), 'file')} into {folder}"
        )
    whole = ImportReport(tuple(reports), tuple(refused), left_out, read)
    say(
        f"observations: {read:,} read = {whole.observations_imported:,} imported + "
        f"{whole.observations_repeated:,} repeated + {whole.observations_refused:,} refused + "
        f"{whole.observations_left_out:,} of days left out"
    )
    return whole


def _folders(to: Path, days: Sequence[date]) -> dict[date, Path]:
    """Where each day goes, all of them usable."""
    if len(days) == 1:
        folders = {days[0]: to}
    elif is_recorded_day(to):
        raise RecordingError(
            f"{to}: is a recorded day, but the sources hold {len(days)} days, which need a folder each; "
            "choose another folder"
        )
    else:
        folders = {day: to / day.isoformat() for day in days}
    if to.is_file():
        check_writable(to)
    for folder in folders.values():
        check_writable(folder)
    return folders


def _files(sources: Iterable[Path]) -> list[RawFile]:
    """Every file of the sources, folders and archives searched through, each once."""
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
    return [file for path in dict.fromkeys(path.resolve() for path in found) for file in raw_files_of(path)]


def _hidden(path: Path) -> bool:
    return any(part.startswith(".") for part in path.parts)


def _common_days(parts: Sequence[FilePart]) -> tuple[list[FilePart], tuple[Refusal, ...]]:
    """The parts of days that every stream of their kind of files has, and those of other days, which are left out.

    A market whose stocks are there and whose indices are missing, or the reverse, is half a day.
    """
    kept = []
    left_out = []
    days_of: dict[str, dict[tuple[str, str], set[date]]] = {}
    for part in parts:
        for stream in part.streams:
            days_of.setdefault(part.kind.name, {}).setdefault(stream, set()).add(part.day)
    for part in parts:
        streams = days_of[part.kind.name]
        lacking = sorted(_words(stream) for stream, days in streams.items() if part.day not in days)
        if lacking:
            reason = f"{part.day:%d-%b-%Y} is in no {' and no '.join(lacking)} file; import it without those"
            left_out.append(Refusal(part.place.name, reason, part.rows, part.observations))
        else:
            kept.append(part)
    return kept, tuple(left_out)


def _words(stream: tuple[str, str]) -> str:
    return f"{stream[0]} {stream[1].lower()}"


def _nothing(parts: Sequence[FilePart], refused: Sequence[Refusal]) -> str:
    """The sentence for an import without a day."""
    if parts:
        days_of: dict[str, list[str]] = {}
        for part in sorted(parts, key=lambda part: part.day):
            for stream in sorted(part.streams):
                days_of.setdefault(_words(stream), []).append(f"{part.day:%d-%b-%Y}")
        listed = "; ".join(f"{words} files: {', '.join(dict.fromkeys(days))}" for words, days in days_of.items())
        return f"nothing to import: the sources have no day in common ({listed}); import them one by one"
    shown = "; ".join(f"{refusal.file}: {refusal.reason}" for refusal in refused[:3])
    more = f"; and {len(refused) - 3} more" if len(refused) > 3 else ""
    if not refused:
        return "nothing to import: the sources only hold last snapshots of past sessions; add files of a day's chains"
    return f"nothing to import, every source was refused: {shown}{more}"


def _made(
    day: date,
    parts: Sequence[FilePart],
    *,
    folder: Path,
    rules: Rules,
    companions: Sequence[RawFile],
    refused_before: Sequence[Refusal],
    only: bool,
) -> tuple[DayReport, tuple[Refusal, ...]]:
    """Write one day's recording; returns its report and the chains that were refused."""
    session = rules.calendar.session_on(day)
    assert session is not None  # `_unusable` let only days with a session through
    previous, companion_notes = _previous(day, companions, rules.calendar)
    made = assemble([part_of(part, rules) for part in parts], session, baseline=previous, table=rules.lots)
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


def _manifest(
    made: Assembled,
    report: DayReport,
    parts: Sequence[FilePart],
    refused: Sequence[Refusal],
    notes: Sequence[str],
) -> Manifest:
    kinds = sorted({part.kind.described for part in parts})
    return Manifest(
        date=report.date,
        mode_recorded="IMPORT",
        source=f"{' and '.join(kinds)}, {counted(len(parts), 'file')}",
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
        notes=(*made.notes, *notes, *sorted({part.kind.note for part in parts if part.kind.note})),
    )


def _previous(day: date, companions: Sequence[RawFile], calendar: TradingCalendar) -> tuple[Baseline, list[str]]:
    """The closing figures of the session before `day`, and where they are from.

    A companion's older snapshot is not used: change in open interest is against the previous session, nothing else.
    """
    if not companions:
        return {}, []
    before = calendar.previous_trading_day(day)
    found: Baseline = {}
    for place in companions:
        table = open_table(place).table
        found |= baseline(recognise(table).read(table, place.where, calendar), before)
    names = ", ".join(place.name for place in companions)
    if not found:
        return {}, [f"{names} has no snapshot of {before:%d-%b-%Y}, the session before: it was not used."]
    return found, [f"Open interest and closes of the previous session are those of {before:%d-%b-%Y} in {names}."]
