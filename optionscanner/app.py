"""The composition root: turns options and configuration into one session, runs it, and says how it went.

Main entry: `main`. This is the only module that names concrete sources, stores and workbook hosts.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack, nullcontext
from datetime import datetime
from threading import Event

from optionscanner import app_morning, cli, console, logs
from optionscanner import config as configuration
from optionscanner.adapters.recorded.format import narrowed, read_day
from optionscanner.adapters.recorded.recorder import DayRecorder
from optionscanner.adapters.recorded.replay import RecordedMarket
from optionscanner.adapters.simulated.market import SimulatedMarket
from optionscanner.adapters.simulated.universe import load_names, simulated_session
from optionscanner.app_archive import Archive, Subject
from optionscanner.app_computer import looked_after
from optionscanner.app_daily import daily_path, day_preparer, invented_again, known_exposure
from optionscanner.app_desk import open_desk, saved_at
from optionscanner.app_errands import errand
from optionscanner.app_front import open_host, spreadsheet_probe
from optionscanner.app_keeping import keep
from optionscanner.app_probes import session_health
from optionscanner.app_session import Source, closed_words, history_path, speed_word
from optionscanner.clocks import ManualClock, WallClock
from optionscanner.config import Config
from optionscanner.cycle import Cycle, Sinks
from optionscanner.errors import NoData, OptionScannerError, WorkbookError, reason_of
from optionscanner.history.store import SqliteHistory
from optionscanner.locks import held_files
from optionscanner.model.calendar import IST, TradingCalendar, load_calendar
from optionscanner.model.reasons import Reason
from optionscanner.model.reports import CycleReport
from optionscanner.model.sessions import Mode
from optionscanner.ports import Market, Resume, Want
from optionscanner.runner import Runner, Timetable
from optionscanner.supervised import HangGuard, interrupt_on_signals, restarted_after, stop_on_signals
from optionscanner.workbook.render import Renderer, ShowSettings

SIMULATED_ONCE_S = 3600.0
"""Seconds after the open at which `--once` takes its picture of a simulated day: by then every reading has a value."""
FRAME_EVERY_S = 0.5
"""Real seconds between two frames of a session that runs faster than the market."""
SETTLE_S = 30.0
"""Real seconds that the end of a session waits for the last picture to be in an open workbook."""

log = logging.getLogger(__name__)


def main(argv: list[str]) -> int:
    """Run the program with these command-line arguments; returns the exit code."""
    options = cli.parse(argv)
    interrupt_on_signals()
    run_errand = None
    try:
        run_errand = errand(options)
        if run_errand is not None:
            return run_errand()
        config = configuration.load(options.config)
        if config.note:
            console.say(config.note)
        return _run(config, options)
    except OptionScannerError as error:
        console.warn(str(error))
    except OSError as error:
        why = reason_of(error)
        console.warn(f"{error.filename or 'a file'}: the system refused it ({why}); check the path and its rights")
    except UnicodeEncodeError as error:
        console.warn(
            f"{error.object!a}: has letters that this system's file names cannot hold ({error.encoding}); set the "
            "environment variable PYTHONUTF8=1, or choose another name"
        )
    except KeyboardInterrupt:
        if run_errand is None:
            console.warn("Stopped before anything was begun.")
            return 0
        console.warn("stopped before it was done; what was reported as done is whole, of the rest nothing was written")
    return 1


def _run(config: Config, options: cli.Options) -> int:
    stop = stop_on_signals()
    wall = WallClock(stop)
    with ExitStack() as closing:
        logs.set_up(config.log, console.warn)
        closing.callback(logs.close)
        try:
            _run_session(config, options, closing, wall=wall, stop=stop)
        except OSError as error:
            log.error("could not go on", exc_info=error)
            raise
    return 0


def _run_session(config: Config, options: cli.Options, closing: ExitStack, *, wall: WallClock, stop: Event) -> None:
    """Open the source and the sinks, and run what is asked for; `closing` gets whatever must be closed afterwards."""
    calendar = load_calendar()
    mornings = app_morning.begun(config, daily_path(config, options), calendar, wall, stop)
    closing.enter_context(mornings if not options.once else nullcontext())
    source = _source(config, options, calendar, stop)
    table = _timetable(options, source)
    day = source.market.day
    settings = config.engine(day.session.date)
    session = source.session(configuration.settings_version(settings))
    place = history_path(config, options, session)
    book = options.workbook or config.workbook.path
    for held in held_files(history=place, workbook=book, recording=options.record):
        closing.callback(held.release)
    closing.enter_context(looked_after(config, options, workbook=book, history=place))
    history = SqliteHistory(place, session.mode)
    closing.callback(history.close)
    saved = saved_at(book)
    workbook = open_host(config, options.front, book, tell=lambda sentence: console.warn(f"workbook: {sentence}"))
    closing.callback(workbook.close)
    # A replay has no "too long ago": its clock goes on where it stopped, whenever that was.
    # A simulated market that ended starts over; one that was killed goes on.
    resume = history.begin(
        session, day, resume_within=None, now=source.clock.now(), continue_ended=session.mode is not Mode.SIMULATED
    )
    console.say(f"{session.label}: {source.name}; history {place}; workbook {workbook.path}")
    console.say(resume.note)
    recorder = None
    if options.record is not None:
        recorder = DayRecorder(options.record, session, exchange_stamps=source.exchange_stamps)
        closing.callback(recorder.close)
        console.say(recorder.note)
    source.market.want(_wants(config, source.market))
    health = session_health(settings, source.market, history, place=place, calendar=calendar, wall=wall)
    health.probes += (spreadsheet_probe(workbook), mornings.health)
    if workbook.live:
        health.told_elsewhere = frozenset({"workbook"})
    shown = ShowSettings.of(config.workbook, settings)
    cycle = Cycle(
        session=session,
        settings=settings,
        sinks=Sinks(history, workbook, Renderer(shown, filtered=lambda: workbook.filtered), recorder),
        health=health,
        state=resume.state,
        trails=resume.trails,
        usual=resume.usual,
        past=known_exposure(day, resume.past),
        tracked=shown.tracked,
        open_interest_map=resume.open_interest_map,
        number=resume.cycles,
        limit=config.cycle.limit_s,
        show_every=0.0 if options.speed == 1 or options.once else FRAME_EVERY_S,
        labels={"speed": speed_word(options.speed)} if session.mode is Mode.REPLAY else {},
    )
    subject = Subject(config, history, workbook.path, session.trading_date, workbook)
    archive = closing.enter_context(Archive(subject, wall.now, source.clock.now))
    attend = open_desk(cycle, archive, closing, stop=stop, symbols=day.layout.names, saved=saved)
    if stacks := restarted_after():
        health.note(source.clock.now(), "supervisor", "a cycle hung, the program was started again", f"see {stacks}")
        log.warning("started again after a cycle that hung, stacks=%s", stacks)
    guard = closing.enter_context(HangGuard(config.cycle.limit_s, config.log.folder))
    next_open = calendar.next_open(day.session)
    _drive(
        options, source, table, cycle, resume, wall=wall, stop=stop, guard=guard, next_open=next_open, attend=attend
    )
    if not stop.is_set():  # what a user stopped goes on with the next start
        history.end(wall.now())
        if recorder is not None:
            recorder.end()
    if recorder is not None:
        _tell_recorded(recorder)
    whole = Timetable.of(source.market.instants() or ())
    if not stop.is_set() and not options.once and table.instants[-1:] == whole.instants[-1:]:
        cycle.end_day(closed_words(day.session, next_open))
        keep(subject, now=wall.now())
    if options.once and not stop.is_set() and not health.frames_written:
        raise WorkbookError(
            f"{workbook.path}: the one picture that was asked for is not written, for the reason above; "
            "its numbers are in the history"
        )


def _source(config: Config, options: cli.Options, calendar: TradingCalendar, stop: Event) -> Source:
    """The recorded day that was asked for, or the simulated market."""
    speed = None if options.once else options.speed
    if options.replay is not None:
        recorded = read_day(options.replay)
        clock = ManualClock(0.0, speed, stop)
        border = config.engine(recorded.manifest.date).border
        _tell_unknown(config, recorded.instruments["underlying"].unique().to_pylist())
        prepare = day_preparer(daily_path(config, options), calendar, console.say, console.warn)
        if recorded.manifest.session is not None:  # an invented day, of which no exchange published anything
            prepare = invented_again(recorded.manifest.source, calendar, config.simulated.strength)
        taken_of = narrowed(recorded, config.underlyings.takes)
        market: Market = RecordedMarket(taken_of, clock, calendar, border=border, prepare=prepare)
        described = recorded.manifest
        name = f"{described.source or recorded.folder.name}, content {described.digest}"
        return Source(market, Mode.REPLAY, name, None, clock, described.exchange_stamps)
    session = simulated_session()
    seed = config.simulated.seed if options.seed is None else options.seed
    clock = ManualClock(session.opens.timestamp() - 1.0, speed, stop)
    border = config.engine(session.date).border
    known = [name.symbol for name in load_names()]
    _tell_unknown(config, known)
    taken = [name for name in known if config.underlyings.takes(name)]
    if not taken:
        raise NoData(
            f"simulated market: holds {len(known)} underlyings and the configuration takes none of them; "
            "change underlyings.include or underlyings.exclude"
        )
    market = SimulatedMarket(
        seed=seed,
        clock=clock,
        calendar=calendar,
        step=int(config.simulated.step_s),
        strength=config.simulated.strength,
        symbols=taken,
        border=border,
    )
    return Source(market, Mode.SIMULATED, "simulated market", seed, clock)


def _tell_unknown(config: Config, known: Sequence[str]) -> None:
    unknown = sorted(set(config.underlyings.named) - set(known))
    if unknown:
        console.warn(f"config underlyings: this source has no {', '.join(unknown)}; check how they are spelled")


def _wants(config: Config, market: Market) -> list[Want]:
    """All listed strikes of every configured underlying, indices first."""
    every = config.cycle.every_s
    return [
        Want(u.name, (), 0, every, 0 if u.kind == "INDEX" else 1)
        for u in market.day.layout.underlyings
        if config.underlyings.takes(u.name)
    ]


def _timetable(options: cli.Options, source: Source) -> Timetable:
    """Instants of the source that the options ask for; raises NoData where they ask for none of those there are."""
    market = source.market
    instants = market.instants()
    assert instants is not None, "recorded and simulated sources know their instants"
    whole = Timetable.of(instants)
    first, last = (_instant(market, t) for t in (options.start, options.until))
    asked = whole.between(first, last)
    if whole.instants and not asked.instants:
        ends = " to ".join(
            f"{datetime.fromtimestamp(t, IST):%H:%M:%S}" for t in (whole.instants[0], whole.instants[-1])
        )
        raise NoData(
            f"{source.name}: its observations are of {ends}, none at the times asked for; change --from or --until"
        )
    if options.once:
        if source.mode is Mode.SIMULATED and first is None and last is None:
            asked = asked.between(None, market.day.session.opens.timestamp() + SIMULATED_ONCE_S)
        asked = Timetable(asked.instants[-1:])
    return asked


def _drive(
    options: cli.Options,
    source: Source,
    table: Timetable,
    cycle: Cycle,
    resume: Resume,
    *,
    wall: WallClock,
    stop: Event,
    guard: HangGuard,
    next_open: datetime | None,
    attend: Callable[[], None],
) -> None:
    """Run the part of `table` that is still to do, and print what became of the observations."""
    market, todo = source.market, table
    if not market.total_observations():
        console.warn(f"{source.name}: holds no observations of options, so there is nothing to show")
    if resume.last_stored_at is not None:
        todo = Timetable(tuple(t for t in todo.instants if t > resume.last_stored_at))
    with console.Progress() as progress:
        cycle.health.tell = _warner(progress)
        runner = Runner(
            market, cycle, source.clock, todo, stop, _teller(progress),
            next_open=next_open, guard=guard.cycle, attend=attend,
        )  # fmt: skip
        if resume.last_stored_at is not None:
            runner.seek(resume.last_stored_at)
        elif todo.instants and (earlier := Timetable.of(market.instants() or ()).before(todo.instants[0])):
            console.say(f"looking back over {len(earlier):,} earlier instants of the day, which are not stored")
            runner.warm(earlier)
        begun = time.perf_counter()
        if not todo.instants:
            runner.redraw()
        elif options.speed == 1 and not options.once:
            runner.run_with_the_wall(wall)
        else:
            runner.run()
        if cycle.sinks.workbook is not None and (settled := cycle.sinks.workbook.settle(SETTLE_S)) is not None:
            cycle.health.shown(source.clock.now(), settled)
    _tell_the_end(runner, cycle, time.perf_counter() - begun, stopped=stop.is_set())


def _instant(market: Market, at: object) -> float | None:
    """HH:MM of the session's day as seconds since 1970 UTC."""
    if at is None:
        return None
    return datetime.combine(market.day.session.date, at, IST).timestamp()  # type: ignore[arg-type]


def _teller(progress: console.Progress) -> Callable[[CycleReport], None]:
    def tell(report: CycleReport) -> None:
        progress.show(
            clock=datetime.fromtimestamp(report.as_of, IST),
            cycle=report.cycle,
            updated=int(report.chains.updated.sum()),
            milliseconds=dict(report.timings),
            failures=len(report.failures),
        )

    return tell


def _warner(progress: console.Progress) -> Callable[[str], None]:
    def warn(sentence: str) -> None:
        progress.close()  # the sentence gets a line of its own
        console.warn(sentence)

    return warn


def _tell_the_end(runner: Runner, cycle: Cycle, seconds: float, *, stopped: bool) -> None:
    """The sum that accounts for every observation, and what was written."""
    account, health = runner.account, cycle.health
    refused = sum(account.refused.values())
    reasons = ", ".join(f"{count:,} {Reason(code).words}" for code, count in sorted(account.refused.items()))
    total = runner.market.total_observations() or 0
    left = total - account.processed - refused - account.warmed
    console.say(
        f"observations: {total:,} in the source = {account.processed:,} processed + {refused:,} refused"
        + (f" ({reasons})" if reasons else "")
        + f" + {account.warmed:,} before this run + {left:,} after it"
    )
    console.say(
        f"{'stopped' if stopped else 'done'} after {seconds:.1f} s: {cycle.number:,} cycles in this session, "
        f"{health.frames_written:,} frames written, {health.frames_dropped:,} dropped for newer ones, "
        f"{health.frames_skipped:,} skipped, {health.failures:,} failures"
    )


def _tell_recorded(recorder: DayRecorder) -> None:
    """Finish the recorded day, and say where it is."""
    count = recorder.observations
    recorder.close()
    if count:
        console.say(f"recorded {count:,} observations; replay them with: --replay {recorder.folder}")
