"""`--check`: what is there, what is missing, what would happen. It reads, and creates or changes nothing.

Main entries: `check`, then `show`. What needs another room (reading a recorded day) is handed in by `app.py`.
"""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from pathlib import Path

from optionscanner import console
from optionscanner.bootstrap import environment
from optionscanner.checkup_probes import Probes
from optionscanner.cli import Options
from optionscanner.config import Config, defaults, project_folder
from optionscanner.errors import OptionScannerError
from optionscanner.locks import holder
from optionscanner.model.calendar import TradingCalendar, load_calendar
from optionscanner.platforms_places import advice, macros_blocked

LEAST_FREE_BYTES = 500_000_000
"""Under this a trading day does not fit."""
AMPLE_FREE_BYTES = 5_000_000_000
"""Under this a week may not fit."""

WILL_HAPPEN = "What will happen"
CREDENTIALS = ("SMARTAPI_API_KEY", "SMARTAPI_CLIENT_ID", "SMARTAPI_PASSWORD", "SMARTAPI_TOTP_SECRET")

_WIDTH = 110
_IN_USE = "a second start on it is refused; end that one first, or name another file"


class State(StrEnum):
    """How bad it is."""

    OK = "OK"
    WARN = "WARN"
    BAD = "BAD"


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the check."""

    item: str
    state: State
    found: str
    what_to_do: str = ""
    """"" where nothing is to be done."""


def check(
    config: Config | OptionScannerError,
    options: Options,
    *,
    read_recording: Callable[[Path], date],
    read_history: Callable[[Path], str] | None = None,
    history: Path | None = None,
    probes: Probes | None = None,
) -> list[Finding]:
    """Everything that a run with these options would need, the last entry saying what that run would do.

    Parameters
    ----------
    config
        The settings, or what made them unusable; then their defaults stand in for the rest of the check.
    read_recording
        Folder of a recorded day -> its date; raises OptionScannerError where it cannot be replayed.
    read_history
        Existing database file -> a sentence on what it holds; raises OptionScannerError where it cannot be used.
    history
        The database file that the run would use; where it is not known, every one in the configured folder is looked
        at.
    """
    probes = probes or Probes()
    calendar = load_calendar()
    used = config if isinstance(config, Config) else defaults()
    market, trading_date = _market(used, options, read_recording)
    workbook = options.workbook or used.workbook.path
    findings = [
        _python(probes),
        _packages(probes),
        _configuration(config),
        market,
        *_calendar(calendar, trading_date, probes),
        *_rate(used, trading_date),
        _spreadsheet(probes),
        _workbook(workbook, probes),
        *_histories(used, options, history, read_history, probes),
        *_places(workbook, history or options.history or used.history.folder / "history.db", probes),
        _disk(history or options.history or used.history.folder, probes),
        _log(used.log.folder, probes),
        _credentials(probes),
        _time_zone(probes),
    ]
    return [*findings, Finding(WILL_HAPPEN, State.OK, _will_happen(used, options, findings, workbook, trading_date))]


def show(findings: Sequence[Finding], say: Callable[[str], object] = console.say) -> int:
    """Print the findings; returns the exit code, 1 if anything is bad."""
    lines = [finding for finding in findings if finding.item != WILL_HAPPEN]
    room = max((len(finding.item) for finding in lines), default=0)
    indent = " " * (room + 8)
    for finding in lines:
        first, *more = _wrapped(finding.found, indent)
        say(f"{finding.state:<4}  {finding.item:<{room}}  {first}")
        for text in more:
            say(indent + text)
        if finding.what_to_do:
            for number, text in enumerate(_wrapped(finding.what_to_do, indent + "   ")):
                say(indent + ("   " if number else "-> ") + text)
    for finding in findings:
        if finding.item == WILL_HAPPEN:
            say("")
            for text in _wrapped(f"{WILL_HAPPEN}: {finding.found}", ""):
                say(text)
    return 1 if any(finding.state is State.BAD for finding in findings) else 0


def _wrapped(text: str, indent: str) -> list[str]:
    """Lines that fit; a long path is never cut."""
    lines = [
        line
        for paragraph in text.splitlines()
        for line in textwrap.wrap(paragraph, _WIDTH - len(indent), break_long_words=False, break_on_hyphens=False)
    ]
    return lines or [""]


def _python(probes: Probes) -> Finding:
    version = ".".join(str(part) for part in probes.python_version)
    return Finding("Python", State.OK, f"{version} on {probes.platform} ({probes.python})")


def _packages(probes: Probes) -> Finding:
    try:
        wanted = environment.read_requirements(project_folder())
        missing = [line for line in wanted if not probes.has_package(line)]
    except environment.SetupError as error:
        return Finding("Packages", State.BAD, str(error), "fetch the project again")
    if missing:
        return Finding(
            "Packages", State.BAD, f"missing or of another version: {', '.join(missing)}",
            "start `python run_dashboard.py` without --check: it installs them",
        )  # fmt: skip
    names = [line.partition(">")[0].partition("=")[0].partition("<")[0] for line in wanted]
    return Finding("Packages", State.OK, ", ".join(f"{name} {probes.package_version(name)}" for name in names))


def _configuration(config: Config | OptionScannerError) -> Finding:
    if not isinstance(config, Config):
        return Finding(
            "Configuration", State.BAD, str(config), "correct what is named; the rest of this check assumes defaults"
        )
    return Finding("Configuration", State.OK, config.note or str(config.file or "defaults"))


def _market(config: Config, options: Options, read_recording: Callable[[Path], date]) -> tuple[Finding, date | None]:
    """What delivers the market, and the date it trades on where that is a real one."""
    if options.replay is None:
        seed = config.simulated.seed if options.seed is None else options.seed
        return Finding("Market", State.OK, f"simulated, seed {seed}; no recording or credentials needed"), None
    try:
        day = read_recording(options.replay)
    except OptionScannerError as error:
        return Finding("Market", State.BAD, str(error), "name a folder that --import has written"), None
    return Finding("Market", State.OK, f"recorded day {day:%d-%b-%Y} in {options.replay}"), day


def _calendar(calendar: TradingCalendar, trading_date: date | None, probes: Probes) -> Iterator[Finding]:
    today = probes.today()
    covers = f"covers {calendar.covers_from:%d-%b-%Y} to {calendar.covers_to:%d-%b-%Y}"
    warning = calendar.coverage_warning(today)
    if warning is None:
        yield Finding("Calendar", State.OK, f"{covers}; today, {today:%d-%b-%Y}: {_session_words(calendar, today)}")
    else:
        head, _, what_to_do = warning.partition(". ")
        yield Finding("Calendar", State.WARN, f"{covers}. {head}.", what_to_do)
    if trading_date is not None:
        try:
            session = calendar.session_on(trading_date)
            words = _session_words(calendar, trading_date)
        except OptionScannerError as error:
            yield Finding("Recorded date", State.BAD, str(error), "enter the date in the calendar's tables")
            return
        yield Finding(
            "Recorded date",
            State.OK if session else State.BAD,
            f"{trading_date:%d-%b-%Y}: {words}",
            "" if session else "a closed day has no session to replay: import the recording of a trading day",
        )


def _session_words(calendar: TradingCalendar, day: date) -> str:
    try:
        session = calendar.session_on(day)
    except OptionScannerError as error:
        return str(error)
    if session is None:
        return f"closed ({calendar.closed_reason(day)})"
    return f"trades {session.opens:%H:%M} to {session.closes:%H:%M}"


def _rate(config: Config, trading_date: date | None) -> Iterator[Finding]:
    if trading_date is None:
        return
    try:
        rate = config.engine(trading_date).pricing.rate
    except OptionScannerError as error:
        yield Finding("Interest rate", State.BAD, str(error))
        return
    yield Finding("Interest rate", State.OK, f"{100 * rate:.2f} % a year on {trading_date:%d-%b-%Y}")


def _spreadsheet(probes: Probes) -> Finding:
    found = [
        f"{name} ({place})"
        for name, place in (("Excel", probes.excel()), ("LibreOffice", probes.libre_office()))
        if place
    ]
    if found:
        return Finding("Spreadsheet", State.OK, " and ".join(found) + " to look at the workbook")
    return Finding(
        "Spreadsheet", State.WARN, "neither Excel nor LibreOffice found; the workbook file is written all the same",
        "to look at it, install Excel, or LibreOffice from https://www.libreoffice.org",
    )  # fmt: skip


def _workbook(path: Path, probes: Probes) -> Finding:
    item = "Workbook"
    if path.is_dir():
        return Finding(item, State.BAD, f"{path} is a folder, expected a file", "name a file with --workbook")
    if not path.exists():
        problem = _creation_problem(path.parent, probes)
        if problem:
            return Finding(item, State.BAD, f"{path} cannot be created: {problem}", "name another with --workbook")
        return Finding(item, State.OK, f"{path} does not exist yet and will be created")
    if not probes.begins_with(path, b"PK\x03\x04"):
        return Finding(
            item, State.BAD, f"{path} is not an .xlsx workbook", "move it away, or name another with --workbook"
        )
    if not probes.may_write(path) or not probes.may_write(path.parent):
        return Finding(item, State.BAD, f"{path} is read-only", "allow writing to it and its folder")
    if (other := holder(path)) is not None:
        return Finding(item, State.WARN, f"{path} is in use by {other}", _IN_USE)
    for lock in (path.with_name(f"~${path.name}"), path.with_name(f".~lock.{path.name}#")):
        if lock.exists():
            return Finding(
                item, State.WARN, f"{path} seems to be open in a spreadsheet ({lock.name} lies beside it)",
                "close it there, or pictures are left out until it is closed",
            )  # fmt: skip
    return Finding(item, State.OK, f"{path}, {_size(path.stat().st_size)}")


def _histories(
    config: Config,
    options: Options,
    history: Path | None,
    read_history: Callable[[Path], str] | None,
    probes: Probes,
) -> Iterator[Finding]:
    known = history or options.history
    folder = config.history.folder
    files = [known] if known is not None else sorted(folder.glob("*.db")) if folder.is_dir() else []
    if not files:
        problem = _creation_problem(folder, probes)
        if problem:
            yield Finding("History", State.BAD, f"{folder} cannot be created: {problem}", "change history.folder")
        else:
            yield Finding("History", State.OK, f"no database in {folder} yet; it will be created")
    for path in files:
        yield _history(path, read_history, probes)


def _history(path: Path, read_history: Callable[[Path], str] | None, probes: Probes) -> Finding:
    item = "History"
    if path.is_dir():
        return Finding(item, State.BAD, f"{path} is a folder, expected a file", "name a file with --history")
    if not path.exists():
        problem = _creation_problem(path.parent, probes)
        if problem:
            return Finding(item, State.BAD, f"{path} cannot be created: {problem}", "name another with --history")
        return Finding(item, State.OK, f"{path} does not exist yet and will be created")
    # An empty file is a database too, one without tables.
    if path.stat().st_size and not probes.begins_with(path, b"SQLite format 3\0"):
        return Finding(item, State.BAD, f"{path} is not a database", "move it away, or name another with --history")
    if not probes.may_write(path) or not probes.may_write(path.parent):
        return Finding(item, State.BAD, f"{path} is read-only", "allow writing to it and its folder")
    found = f"{path}, {_size(path.stat().st_size)}"
    try:
        words = read_history(path) if read_history else ""
    except OptionScannerError as error:
        return Finding(item, State.BAD, str(error))
    found = f"{found}; {words}" if words else found
    if (other := holder(path)) is not None:
        return Finding(item, State.WARN, f"{found}; in use by {other}", _IN_USE)
    return Finding(item, State.OK, found)


def _places(workbook: Path, history: Path, probes: Probes) -> Iterator[Finding]:
    """What is special about where the files lie; nothing where they lie in folders like any."""
    for item, sentence in (
        ("Workbook's place", advice(workbook.absolute(), "the workbook", probes.places)),
        ("Macros", macros_blocked(workbook, probes.places)),
        ("History's place", advice(history.absolute(), "the history", probes.places)),
    ):
        if sentence:
            found, _, what_to_do = sentence.partition(": ")
            yield Finding(item, State.WARN, found, what_to_do)


def _disk(place: Path, probes: Probes) -> Finding:
    folder = probes.nearest_folder(place)
    free = probes.free_bytes(folder)
    state = State.BAD if free < LEAST_FREE_BYTES else State.WARN if free < AMPLE_FREE_BYTES else State.OK
    what_to_do = "" if state is State.OK else "free some space; with a full disk nothing is stored"
    return Finding("Disk", state, f"{_size(free)} free in {folder}", what_to_do)


def _log(folder: Path, probes: Probes) -> Finding:
    problem = _creation_problem(folder, probes)
    if problem:
        return Finding("Log", State.WARN, f"{folder} cannot be written: {problem}", "change log.folder in config.yaml")
    return Finding("Log", State.OK, str(folder))


def _credentials(probes: Probes) -> Finding:
    there = [name for name in CREDENTIALS if probes.environment.get(name)]
    words = f"{', '.join(there)} present" if there else "none in the environment"
    return Finding("Credentials", State.OK, f"{words}; live market: not in this version, so none are needed")


def _time_zone(probes: Probes) -> Finding:
    words = f"this computer is at UTC{probes.utc_offset()}"
    return Finding("Time zone", State.OK, f"{words}; every time the program shows is Indian (UTC+05:30)")


def _creation_problem(folder: Path, probes: Probes) -> str:
    """Why a file could not be created in a folder that may not exist yet; "" if it could."""
    nearest = probes.nearest_folder(folder)
    if not nearest.is_dir():
        return f"{nearest} is a file, expected a folder"
    return "" if probes.may_write(nearest) else f"{nearest} is read-only"


def _size(count: float) -> str:
    """1,234 bytes as 1.2 kB."""
    for unit in ("bytes", "kB", "MB"):
        if count < 1000:
            return f"{count:.0f} {unit}" if unit == "bytes" else f"{count:.1f} {unit}"
        count /= 1000
    return f"{count:,.1f} GB"


def _will_happen(
    config: Config, options: Options, findings: Sequence[Finding], workbook: Path, trading_date: date | None
) -> str:
    bad = [finding.item for finding in findings if finding.state is State.BAD]
    if bad:
        return f"the program would not get far; put right first: {', '.join(dict.fromkeys(bad))}."
    source = "the simulated market" if options.replay is None else f"the recorded day of {trading_date:%d-%b-%Y}"
    if options.once:
        how = "makes one pass over every underlying, and ends"
    else:
        begin = f"from {options.start:%H:%M} " if options.start else "from its first instant "
        end = f"to {options.until:%H:%M}" if options.until else "to its close"
        pace = "as fast as it can" if options.speed is None else f"at {options.speed:g} times the market's pace"
        pace = "at the market's own pace" if options.speed == 1 else pace
        how = f"runs {begin}{end} {pace}, and ends; Ctrl-C ends it earlier and loses nothing"
    names = "every name" if config.underlyings.include == "all" else f"{len(config.underlyings.include)} names"
    return (
        f"with these options the program takes {source}, {names} of it, {how}. Each cycle is stored in the history "
        f"first and then shown in {workbook}; started again, the same day goes on where it stopped."
    )
