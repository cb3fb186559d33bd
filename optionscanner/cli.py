"""The command line: `parse` turns arguments into `Options`, or ends with one sentence and exit code 2."""

from __future__ import annotations

import argparse
import difflib
import errno
import math
import platform
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, time
from pathlib import Path
from typing import NoReturn

from optionscanner import __version__
from optionscanner.errors import reason_of

PROGRAM = "run_dashboard.py"
SIMULATED_SPEED = 1.0
"""The simulated market runs like the real one unless told otherwise."""
REPLAY_SPEED = 60.0
"""A recorded day takes six minutes and a half."""

FRONTS = ("auto", "excel", "libreoffice", "file")

_LARGEST_SEED = 2**32 - 1

_INTRODUCTION = """\
OptionScanner watches the options of Indian indices and stocks, computes what traders look at
(implied volatility, Greeks, open-interest flow, unusual activity, trade readiness), fills an Excel
workbook and keeps everything in a database that any SQL tool can read. Without options it shows a
simulated market, from 09:15 to 15:30 of an invented day, whatever the time is now."""

_EPILOGUE = f"""\
examples:
  python {PROGRAM}                                the simulated market at its own pace
  python {PROGRAM} --once                         one picture of every name, then end
  python {PROGRAM} --replay var/days/2026-01-30   a recorded day, an hour a minute
  python {PROGRAM} --replay var/days/2026-01-30 --speed max --until 11:00
  python {PROGRAM} --import raw/ --to var/days/2026-01-30
  python {PROGRAM} --import-daily downloads/      the exchanges' daily files
  python {PROGRAM} --check                        what is there, what is missing

where things are, unless config.yaml or an option says otherwise:
  workbooks/OptionsDashboard.xlsx   the workbook; your own sheets and formulas in it are kept
  var/history/                      the databases, one per kind of market
  var/log/                          the log, one line a cycle
  config.yaml                       every setting, with its meaning

Ctrl-C finishes the cycle, saves and ends. Started again, the same day goes on where it stopped.

exit codes:
  0  done, or a session ended with Ctrl-C
  1  could not go on; the last line says why and what to do
  2  the options make no sense; the last line says which"""


@dataclass(frozen=True, slots=True)
class Options:
    """What the user asked for. Paths are as typed, relative to the folder the command was given in."""

    once: bool = False
    """One pass over every underlying, then end."""
    replay: Path | None = None
    """Folder of a recorded day; None for the simulated market."""
    sources: tuple[Path, ...] = ()
    """Raw files or folders to import; () for no import."""
    daily: Path | None = None
    """Folder of daily files to bring into the daily values; None for no import of them."""
    fetch_daily: bool = False
    """Fetch the daily files of the last session from the exchanges and bring them in."""
    to: Path | None = None
    """What an import, an export or a report is written to."""
    export: str | None = None
    """Table or view of the history to export; None for no export."""
    trading_date: date | None = None
    """Trading date whose rows are exported; None for all."""
    underlying: str | None = None
    """Underlying whose rows are exported; None for all."""
    bom: bool = False
    """Begin the export with a byte-order mark."""
    doctor: bool = False
    keep: bool = False
    restore: tuple[str, ...] = ()
    """Sheets or blocks to put back into the workbook, or ``all``; () for none."""
    install_shortcut: bool = False
    """Make an entry among the system's programs that starts the program with these options on weekdays."""
    remove_shortcut: bool = False
    record: Path | None = None
    """Folder of a recorded day that the session is to be written to; None to record nothing."""
    speed: float | None = SIMULATED_SPEED
    """Session seconds per real second; None for as fast as the machine can."""
    start: time | None = None
    """First minute to process (IST); None from the beginning."""
    until: time | None = None
    """Last minute to process (IST); None to the end."""
    workbook: Path | None = None
    front: str | None = None
    """auto, excel, libreoffice or file; None for the configured one."""
    history: Path | None = None
    config: Path | None = None
    seed: int | None = None
    """Seed of the simulated market; None for the configured one."""
    check: bool = False


def parse(argv: Sequence[str]) -> Options:
    """Options of these arguments (without the program's name).

    Raises SystemExit: 0 after `--help` or `--version`, 2 with one sentence on stderr for arguments that make no sense.
    """
    parser = _parser()
    given, unknown = parser.parse_known_args(list(argv))
    if unknown:
        parser.error(_unknown(parser, unknown[0]))
    typed = {name for name, value in vars(given).items() if value is not None and value is not False}
    _refuse_nonsense(parser, typed, given)
    default = REPLAY_SPEED if given.replay is not None else SIMULATED_SPEED
    return Options(
        once=given.once,
        replay=given.replay,
        sources=tuple(given.sources or ()),
        daily=given.daily,
        fetch_daily=given.fetch_daily,
        to=given.to,
        record=given.record,
        speed=default if given.speed is None else None if given.speed == math.inf else given.speed,
        start=given.start,
        until=given.until,
        workbook=given.workbook,
        front=given.front,
        history=given.history,
        config=given.config,
        seed=given.seed,
        check=given.check,
        export=given.export,
        trading_date=given.trading_date,
        underlying=given.underlying,
        bom=given.bom,
        doctor=given.doctor,
        keep=given.keep,
        restore=tuple(given.restore or ()),
        install_shortcut=given.install_shortcut,
        remove_shortcut=given.remove_shortcut,
    )


class _Parser(argparse.ArgumentParser):
    """Complains in one sentence."""

    def error(self, message: str) -> NoReturn:
        if sys.stderr is not None:
            sentence = message.removeprefix("argument ").rstrip(".")
            sys.stderr.write(f"{PROGRAM}: {sentence}; see `python {PROGRAM} --help`.\n")
        raise SystemExit(2)


def _parser() -> _Parser:
    parser = _Parser(
        prog=f"python {PROGRAM}",
        usage=f"python {PROGRAM} [options]",
        description=_INTRODUCTION,
        epilog=_EPILOGUE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
        add_help=False,
    )
    market = parser.add_argument_group("which market (simulated unless --replay)")
    market.add_argument("--replay", metavar="FOLDER", type=_path, help="a recorded day, as --import makes them")
    market.add_argument(
        "--seed", metavar="N", type=_seed, help="seed of the simulated market; equal seeds give equal days"
    )
    market.add_argument(
        "--import", dest="sources", metavar="SOURCE", nargs="+", type=_path,
        help="do not run: turn raw files or folders into a recorded day; their kind is recognised by content",
    )  # fmt: skip
    market.add_argument(
        "--import-daily", dest="daily", metavar="FOLDER", type=_path,
        help="do not run: bring a folder of the exchanges' daily files (bhavcopies, participants, ban list ...) into "
        "the daily values beside the histories; their kind is recognised by content",
    )  # fmt: skip
    market.add_argument(
        "--fetch-daily", action="store_true",
        help="do not run: fetch those of the last session from the exchanges into daily.folder, and bring them in",
    )
    market.add_argument(
        "--to", metavar="PLACE", type=_path, help="where --import, --export or --doctor puts what it makes"
    )
    pace = parser.add_argument_group("how much, how fast")
    pace.add_argument(
        "--once", action="store_true", help="one pass over every underlying: fetch, store, write the workbook, end"
    )
    pace.add_argument(
        "--speed", metavar="X", type=_speed,
        help="1 is the market's own pace, 60 an hour a minute, max as fast as possible "
        f"(default {SIMULATED_SPEED:g}; {REPLAY_SPEED:g} with --replay)",
    )  # fmt: skip
    pace.add_argument("--from", dest="start", metavar="HH:MM", type=_clock, help="begin at this time of the session")
    pace.add_argument("--until", metavar="HH:MM", type=_clock, help="end after this time of the session")
    places = parser.add_argument_group("where things are")
    places.add_argument(
        "--workbook", metavar="PATH", type=_workbook,
        help="the workbook to fill (.xlsx, or .xlsm for one with macro buttons)",
    )  # fmt: skip
    places.add_argument(
        "--front", choices=FRONTS, metavar="PROGRAM",
        help="who shows the workbook: excel, libreoffice (opened, live), file (nobody; the file is written), or auto, "
        "the first of these that is there (default)",
    )  # fmt: skip
    places.add_argument("--history", metavar="PATH", type=_path, help="the database file to keep this session in")
    places.add_argument(
        "--record", metavar="FOLDER", type=_path,
        help="keep what the session sees as a recorded day there, for --replay; none may be there yet",
    )  # fmt: skip
    places.add_argument("--config", metavar="PATH", type=_path, help="settings to use instead of config.yaml")
    others = parser.add_argument_group("look without running")
    others.add_argument(
        "--check", action="store_true",
        help="configuration, data, spreadsheet program, credentials, disk: what is there, what is missing, "
        "what would happen with these options; changes nothing",
    )  # fmt: skip
    _add_errands(parser.add_argument_group("keep and pass on"))
    version = f"OptionScanner {__version__} (Python {platform.python_version()})"
    others.add_argument("--version", action="version", version=version, help="print the version")
    others.add_argument("-h", "--help", action="help", help="print this text")
    return parser


def _add_errands(group: argparse._ArgumentGroup) -> None:
    group.add_argument(
        "--export", metavar="TABLE",
        help="do not run: write a table or view of the history to the CSV file --to, times in Indian time",
    )  # fmt: skip
    group.add_argument(
        "--date", dest="trading_date", metavar="YYYY-MM-DD", type=_date, help="with --export: this date's sessions only"
    )
    group.add_argument("--underlying", metavar="NAME", help="with --export: this underlying only")
    group.add_argument(
        "--bom", action="store_true", help="with --export: begin with the mark by which Excel knows UTF-8"
    )
    group.add_argument(
        "--keep", action="store_true",
        help="do now what the end of a day does: archive old days, back up the database, copy the workbook's values",
    )
    group.add_argument(
        "--restore", nargs="+", metavar="NAME",
        help="put deleted sheets or blocks of ours back into the closed workbook: their names, or the word all",
    )  # fmt: skip
    group.add_argument(
        "--doctor", action="store_true",
        help="one zip for a bug report: versions, settings, health, end of the log; no quotes, secrets removed",
    )  # fmt: skip
    group.add_argument(
        "--install-shortcut", action="store_true",
        help="make an entry in the Start menu (macOS, Linux: among the programs) and a start on weekdays at 09:00, "
        "with the --workbook, --history, --config and --front given here",
    )  # fmt: skip
    group.add_argument("--remove-shortcut", action="store_true", help="take that entry and that start away again")


_TAKEN_BY = {
    "export": ("to", "history", "config", "trading_date", "underlying", "bom"),
    "daily": ("history", "config"),
    "fetch_daily": ("history", "config"),
    "keep": ("history", "workbook", "config"),
    "restore": ("workbook", "config"),
    "install_shortcut": ("history", "workbook", "config", "front"),
    "remove_shortcut": (),
}
"""Options that an errand has a use for."""


def _refuse_nonsense(parser: _Parser, typed: set[str], given: argparse.Namespace) -> None:
    """One sentence for the first combination that cannot be meant."""
    if "to" in typed and not typed & {"sources", "export", "doctor"}:
        parser.error("--to says where --import, --export or --doctor puts its result, and all three are missing")
    _refuse_errands(parser, typed, given)
    if "sources" in typed:
        if "to" not in typed:
            parser.error("--import needs --to FOLDER, the place for the recorded day")
        useless = sorted(typed - {"sources", "to"})
        if useless:
            parser.error(f"--import only converts files and has no use for {_option(parser, useless[0])}; leave it out")
    if "seed" in typed and "replay" in typed:
        parser.error("--seed belongs to the simulated market and a recorded day has none; leave out --seed or --replay")
    if "once" in typed and "speed" in typed:
        parser.error("--once is a single pass and has no speed; leave out --once or --speed")
    if given.start is not None and given.until is not None and given.start >= given.until:
        parser.error(
            f"--from must be earlier than --until, came --from {given.start:%H:%M} --until {given.until:%H:%M}"
        )


def _refuse_errands(parser: _Parser, typed: set[str], given: argparse.Namespace) -> None:
    """The same for what is done without a session."""
    if "export" in typed and (given.to is None or given.to.suffix.lower() != ".csv"):
        parser.error("--export needs --to FILE.csv, the file to write")
    if "doctor" in typed and given.to is not None and given.to.suffix.lower() != ".zip":
        parser.error(f"--doctor writes a zip, so --to must end in .zip, came {str(given.to)!r}")
    for name, useful in _TAKEN_BY.items():
        useless = sorted(typed - {name, *useful})
        if name in typed and useless:
            errand, other = _option(parser, name), _option(parser, useless[0])
            parser.error(f"{errand} runs no session and has no use for {other}; leave it out")
    lonely = sorted(typed & {"trading_date", "underlying", "bom"})
    if lonely and "export" not in typed:
        parser.error(f"{_option(parser, lonely[0])} is about what --export writes, and --export is missing")


def _option(parser: argparse.ArgumentParser, name: str) -> str:
    return next(action.option_strings[0] for action in parser._actions if action.dest == name)


def _unknown(parser: argparse.ArgumentParser, word: str) -> str:
    known = [text for action in parser._actions for text in action.option_strings]
    if not word.startswith("-"):
        return f"{word!r} is not an option; folders and files follow an option such as --replay"
    near = difflib.get_close_matches(word.partition("=")[0], known, n=1, cutoff=0.7)
    return f"{word} is not an option" + (f", did you mean {near[0]}?" if near else "")


def _path(text: str) -> Path:
    if not text.strip() or "\0" in text:
        raise argparse.ArgumentTypeError(f"must be a path, came {text!r}")
    path = Path(text)
    try:
        path.exists()
    except OSError as error:
        if error.errno == errno.ENAMETOOLONG:
            raise argparse.ArgumentTypeError(
                f"must be a path that this system takes, came one of {len(text):,} signs that begins "
                f"{text[:60]!r} ({reason_of(error)})"
            ) from error
    return path


def _workbook(text: str) -> Path:
    path = _path(text)
    if path.suffix.lower() not in (".xlsx", ".xlsm"):
        raise argparse.ArgumentTypeError(f"must be a file whose name ends in .xlsx or .xlsm, came {text!r}")
    return path


def _speed(text: str) -> float:
    """Session seconds per real second, inf for max."""
    if text == "max":
        return math.inf
    try:
        speed = float(text)
    except ValueError:
        speed = math.nan
    if not (math.isfinite(speed) and speed > 0):
        raise argparse.ArgumentTypeError(f"must be a number above 0 or the word max, came {text!r}")
    return speed


def _clock(text: str) -> time:
    hours, _, minutes = text.partition(":")
    fits = hours.isascii() and hours.isdigit() and len(hours) <= 2 and minutes.isascii() and len(minutes) == 2
    if not fits or not minutes.isdigit() or int(hours) > 23 or int(minutes) > 59:
        raise argparse.ArgumentTypeError(f"must be a time of day such as 09:15, came {text!r}")
    return time(int(hours), int(minutes))


def _date(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"must be a date such as 2026-01-30, came {text!r}") from error


def _seed(text: str) -> int:
    if not (text.isascii() and text.isdigit() and int(text) <= _LARGEST_SEED):
        raise argparse.ArgumentTypeError(f"must be a whole number from 0 to {_LARGEST_SEED}, came {text!r}")
    return int(text)
