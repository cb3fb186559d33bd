"""What the program does besides sessions: import, check, export, keep, restore, report, shortcut; `errand`."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from contextlib import ExitStack
from datetime import datetime, time
from functools import partial
from pathlib import Path
from threading import Event

from optionscanner import app_doctor, checkup, cli, console, platforms_shortcut
from optionscanner import config as configuration
from optionscanner.adapters.nse.fetch import FAILED, FETCHED, REFUSED, THERE
from optionscanner.adapters.recorded.converters import import_day
from optionscanner.adapters.recorded.format import read_day
from optionscanner.app_archive import Subject
from optionscanner.app_daily import daily_path, held_words, import_daily
from optionscanner.app_front import workbook_template
from optionscanner.app_keeping import keep
from optionscanner.app_morning import Morning
from optionscanner.clocks import WallClock
from optionscanner.config import Config
from optionscanner.errors import HistoryError, OptionScannerError
from optionscanner.history.export import export_csv
from optionscanner.history.queries import HistoryReader
from optionscanner.history.store import SqliteHistory
from optionscanner.locks import FileLock
from optionscanner.model.calendar import IST, load_calendar
from optionscanner.model.sessions import Mode
from optionscanner.workbook.upgrade_file import restore_file

_PUBLISHED = time(18, 0)
"""From then on the files of a session appear, which the next one takes."""


def errand(options: cli.Options) -> Callable[[], int] | None:
    """What these options ask for instead of a session; calling it returns the exit code. None for a session."""
    asked: list[tuple[object, Callable[[cli.Options], int]]] = [
        (options.sources, _import),
        (options.daily, _import_daily),
        (options.fetch_daily, _fetch_daily),
        (options.check, _check),
        (options.export, _export),
        (options.doctor, _doctor),
        (options.keep, _keep),
        (options.restore, _restore),
        (options.install_shortcut, _install_shortcut),
        (options.remove_shortcut, _remove_shortcut),
    ]
    return next((partial(run, options) for wanted, run in asked if wanted), None)


def _import(options: cli.Options) -> int:
    assert options.to is not None
    report = import_day(options.sources, options.to, console.say)
    for day in report.days:
        console.say(f"replay it with: python run_dashboard.py --replay {day.folder}")
    return 0


def _import_daily(options: cli.Options) -> int:
    assert options.daily is not None
    config = configuration.load(options.config)
    import_daily(
        options.daily, daily_path(config, options),
        config=config, calendar=load_calendar(), say=console.say, warn=console.warn,
    )  # fmt: skip
    return 0


def _fetch_daily(options: cli.Options) -> int:
    """The files that today takes, from the evening on those of the next trading day; 1 where none came of it."""
    config, calendar, wall = configuration.load(options.config), load_calendar(), _wall()
    now = datetime.fromtimestamp(wall.now(), IST)
    trades = calendar.is_trading_day(now.date()) and now.time() < _PUBLISHED
    day = now.date() if trades else calendar.next_session(now).date
    place, stop = daily_path(config, options), Event()
    done = Morning(config, place, calendar, console.say, console.warn, wall.now, stop.wait).run(day, fetch=True)
    there = sum(one.state in (FETCHED, THERE) for one in done)
    console.say(f"daily files for {day:%d-%b-%Y}: {there} of {len(done)} are in {config.daily.folder}")
    for one in done:
        if one.state not in (FETCHED, THERE, REFUSED, FAILED):
            console.say(f"  {one.sentence}")
    return 0 if there else 1


def _check(options: cli.Options) -> int:
    config = _config(options)
    return checkup.show([*_findings(config, options), *_daily_finding(config, options)])


def _export(options: cli.Options) -> int:
    assert options.export is not None and options.to is not None
    history = _history(configuration.load(options.config), options)
    done = export_csv(
        history, options.export, options.to,
        trading_date=options.trading_date, underlying=options.underlying, bom=options.bom,
    )  # fmt: skip
    console.say(f"{options.export}: {done.rows:,} rows in {done.file}, from {history}")
    if done.note:
        console.warn(done.note)
    return 0


def _doctor(options: cli.Options) -> int:
    config = _config(options)
    folder = (config if isinstance(config, Config) else configuration.defaults()).log.folder
    now = datetime.fromtimestamp(_wall().now(), IST)
    to = options.to or folder / f"doctor-{now:%Y-%m-%d-%H%M%S}.zip"
    parts = app_doctor.write_report(
        to,
        app_doctor.Question(
            config, _findings(config, options), options.history, dict(os.environ), configuration.project_folder()
        ),
    )
    console.say(f"report: {to} with {', '.join(parts)}; secrets are replaced by ***, look at it before you send it")
    return 0


def _keep(options: cli.Options) -> int:
    config = configuration.load(options.config)
    path = _history(config, options)
    with HistoryReader(path) as reader:
        reader.last_session()
        newest = reader.sessions().iloc[-1]
    with ExitStack() as closing:
        closing.callback(FileLock(path, "history", "keep another --history").release)
        history = SqliteHistory(path, Mode(newest["mode"]))
        closing.callback(history.close)
        day = datetime.fromisoformat(newest["trading_date"]).date()
        workbook = options.workbook or config.workbook.path
        return 0 if keep(Subject(config, history, workbook, day), now=_wall().now()) else 1


def _restore(options: cli.Options) -> int:
    config = configuration.load(options.config)
    workbook = options.workbook or config.workbook.path
    lock = FileLock(workbook, "workbook", "end that session first")
    try:
        console.say(restore_file(workbook, options.restore, workbook_template(workbook)))
    finally:
        lock.release()
    return 0


def _install_shortcut(options: cli.Options) -> int:
    configuration.load(options.config)  # a shortcut to what does not start helps nobody
    for sentence in platforms_shortcut.install(_shortcut(options)):
        console.say(sentence)
    if (offset := f"{datetime.now().astimezone():%z}") != "+0530":
        console.warn(
            f"this computer's clock is at UTC{offset}, and the market opens at 09:15 of UTC+0530: change the time of "
            f"the start from {platforms_shortcut.STARTS} in your system's own settings"
        )
    return 0


def _remove_shortcut(options: cli.Options) -> int:
    for sentence in platforms_shortcut.remove(_shortcut(options)):
        console.say(sentence)
    return 0


def _shortcut(options: cli.Options) -> platforms_shortcut.Plan:
    """What a shortcut with these options takes on this computer."""
    places = (("--workbook", options.workbook), ("--history", options.history), ("--config", options.config))
    words = [word for option, path in places if path is not None for word in (option, str(path.absolute()))]
    if options.front is not None:
        words += ["--front", options.front]
    script = configuration.project_folder() / cli.PROGRAM
    machine = platforms_shortcut.Machine(
        sys.platform, str(Path.home()), os.environ, os.getuid() if hasattr(os, "getuid") else 0,
        has_user_services=sys.platform == "linux" and platforms_shortcut.has_user_services(),
    )  # fmt: skip
    program = platforms_shortcut.Program(sys.executable, str(script), tuple(words))
    return platforms_shortcut.planned(machine, program)


def _config(options: cli.Options) -> Config | OptionScannerError:
    """The settings, or what is wrong with them."""
    try:
        return configuration.load(options.config)
    except OptionScannerError as error:
        return error


def _findings(config: Config | OptionScannerError, options: cli.Options) -> list[checkup.Finding]:
    return checkup.check(
        config,
        options,
        read_recording=lambda folder: read_day(folder).manifest.date,
        read_history=_described,
    )


def _daily_finding(config: Config | OptionScannerError, options: cli.Options) -> list[checkup.Finding]:
    """What the daily values hold, where the configuration says where they are."""
    if not isinstance(config, Config):
        return []
    item, place = "Daily values", daily_path(config, options)
    if not place.exists():
        found = f"none in {place.parent}: a day has no levels, participants or bans of the session before"
        return [checkup.Finding(item, checkup.State.OK, found, "import them with --import-daily FOLDER")]
    try:
        return [checkup.Finding(item, checkup.State.OK, held_words(place))]
    except HistoryError as error:
        return [checkup.Finding(item, checkup.State.BAD, str(error))]


def _described(history: Path) -> str:
    """What a history file holds, for `--check`; raises HistoryError where it cannot be used."""
    with HistoryReader(history) as reader:
        sessions = reader.sessions()
    cycles = int(sessions["cycles"].sum()) if len(sessions) else 0
    return f"{len(sessions)} session{'s' * (len(sessions) != 1)} with {cycles:,} cycles"


def _history(config: Config, options: cli.Options) -> Path:
    """The history that was named, else the one that was written last."""
    if options.history is not None:
        return options.history
    folder = config.history.folder
    files = sorted((file.stat().st_mtime, file) for file in folder.glob("*.db"))
    if not files:
        raise HistoryError(f"history: there is none in {folder}; run the program once, or name one with --history")
    return files[-1][1]


def _wall() -> WallClock:
    return WallClock(Event())
