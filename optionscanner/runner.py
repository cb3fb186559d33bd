"""When cycles run: the timetable, the loops that follow it, and the end of a session.

Main entry: `Runner.run`. The timetable is pure. A replay loops over it with a clock of its own; at the market's own
pace APScheduler wakes the runner (one worker, missed wake-ups coalesced), so a machine that slept goes on with the
newest picture instead of catching up. Asked to stop, the runner finishes the cycle it is in.
"""

from __future__ import annotations

import logging
from bisect import bisect_right
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from threading import Event, Lock
from typing import Protocol

from apscheduler.events import EVENT_JOB_ERROR, JobExecutionEvent
from apscheduler.jobstores.base import JobLookupError
from apscheduler.schedulers.background import BackgroundScheduler
from apscheduler.triggers.base import BaseTrigger

from optionscanner.cycle import Cycle
from optionscanner.logs import kv
from optionscanner.model.chains import Chains
from optionscanner.model.reports import CycleReport
from optionscanner.ports import Clock, Market

log = logging.getLogger("optionscanner.cycle")

_LATE_AGAIN_S = 0.2
"""Until the next look at a last instant whose wake-up met a cycle that was still running."""
_ATTEND_EVERY_S = 0.1
"""Between two looks at what the user asks for."""
_LOOKS_LEFT_OUT = 50
"""After one that failed: some five seconds."""


@dataclass(frozen=True, slots=True)
class Timetable:
    """Instants [s since 1970 UTC] at which a cycle is due, ascending."""

    instants: tuple[float, ...]

    @classmethod
    def regular(cls, *, opens: float, closes: float, every: float) -> Timetable:
        """From the open to the close, both included where they fall on the step of `every` seconds."""
        count = int((closes - opens) // every) + 1
        return cls(tuple(opens + i * every for i in range(count)))

    @classmethod
    def of(cls, instants: Sequence[float]) -> Timetable:
        """The instants at which a source observed something."""
        return cls(tuple(sorted(set(instants))))

    def next_after(self, now: float) -> float | None:
        """First instant later than `now`, None after the last."""
        i = bisect_right(self.instants, now)
        return self.instants[i] if i < len(self.instants) else None

    def between(self, first: float | None, last: float | None) -> Timetable:
        """The part from `first` to `last`, both included; None leaves that side open."""
        return Timetable(
            tuple(t for t in self.instants if (first is None or t >= first) and (last is None or t <= last))
        )

    def before(self, instant: float) -> tuple[float, ...]:
        """Instants earlier than `instant`."""
        return tuple(t for t in self.instants if t < instant)


class SteppedClock(Clock, Protocol):
    """A clock that the runner moves: session time, not the wall's."""

    def advance_to(self, instant: float) -> None:
        """The session's time is now `instant`."""

    def wait_until(self, instant: float, meanwhile: Callable[[], None] | None = None) -> None:
        """As of any clock; `meanwhile` is called ten times a second until then."""


@dataclass
class Account:
    """What became of the source's observations in this run."""

    processed: int = 0
    refused: dict[int, int] = field(default_factory=dict)
    """`Reason` code -> count."""
    warmed: int = 0
    """Folded in before the run began, by this process: already stored, or before the time asked for."""

    def add(self, chains: Chains) -> None:
        """Count the polls of one picture."""
        for code in chains.polls.refused.tolist():
            if code == 0:
                self.processed += 1
            else:
                self.refused[code] = self.refused.get(code, 0) + 1


@dataclass
class Runner:
    """Drives one session of one source through the timetable."""

    market: Market
    cycle: Cycle
    clock: SteppedClock
    timetable: Timetable
    stop: Event
    told: Callable[[CycleReport], None]
    """Called after each cycle: the terminal's progress line."""
    next_open: datetime | None = None
    """When the exchange opens after this session; None where that is not known."""
    account: Account = field(default_factory=Account)
    guard: AbstractContextManager[object] = field(default_factory=nullcontext)
    """Entered around each cycle: what ends a process whose cycle hangs."""
    attend: Callable[[], None] | None = None
    """Serves what the user asks for: called some ten times a second between cycles, before each, never during one."""
    _busy: Lock = field(default_factory=Lock)
    """Held by a cycle, and while the user is served."""
    _left_out: int = 0

    def seek(self, instant: float) -> None:
        """Fold everything observed up to `instant` into the picture without running a cycle (it was run before)."""
        self.clock.advance_to(instant)
        self.account.warmed += len(self.market.latest().polls.segment)

    def warm(self, instants: Sequence[float]) -> None:
        """Run the engines over earlier instants, neither stored nor shown, so that what follows starts informed."""
        for instant in instants:
            if self.stop.is_set():
                return
            with self.guard:
                self.clock.advance_to(instant)
                chains = self.market.latest()
                self.account.warmed += len(chains.polls.segment)
                self.cycle.warm(chains)

    def run(self) -> None:
        """Follow the timetable as fast as the clock allows, to its end or until asked to stop."""
        while not self.stop.is_set():
            instant = self.timetable.next_after(self.clock.now())
            if instant is None:
                break
            self.clock.wait_until(instant, self.look) if self.attend else self.clock.wait_until(instant)
            if self.stop.is_set():
                break
            self.tick(instant)
        self.finish()

    def run_with_the_wall(self, wall: Clock) -> None:
        """Follow the timetable at the market's own pace, woken by APScheduler; `wall` is the machine's clock."""
        # Nothing is waited for before the first instant: a replay's clock may stand anywhere until then.
        started, session_start = wall.now(), max(self.clock.now(), self.timetable.instants[0] - 1.0)

        def session_now() -> float:
            return session_start + wall.now() - started

        done = Event()
        trouble: list[BaseException] = []

        def wake() -> None:
            due = [t for t in self.timetable.instants if self.clock.now() < t <= session_now()]
            if due and not (self.stop.is_set() or done.is_set()):
                self.tick(due[-1])
            if self.timetable.next_after(self.clock.now()) is None:
                done.set()

        def left() -> float | None:
            """Seconds until the next instant; None once the last one has had its cycle."""
            instant = self.timetable.next_after(now := session_now())
            if instant is not None:
                return instant - now
            return None if self.timetable.next_after(self.clock.now()) is None else _LATE_AGAIN_S

        def failed(event: JobExecutionEvent) -> None:
            trouble.append(event.exception)
            done.set()

        scheduler = BackgroundScheduler(
            timezone=UTC,
            executors={"default": {"type": "threadpool", "max_workers": 1}},
            job_defaults={"coalesce": True, "max_instances": 1, "misfire_grace_time": None},
        )
        job = scheduler.add_job(wake, _TimetableTrigger(left))
        scheduler.add_listener(failed, EVENT_JOB_ERROR)
        scheduler.start()
        machine = datetime.now(UTC)
        try:
            while not (self.stop.is_set() or done.is_set()):
                self.stop.wait(_ATTEND_EVERY_S)
                self.look()
                before, machine = machine, datetime.now(UTC)
                if machine < before:
                    # The machine's clock was set back: what the scheduler waits for would come that much too late.
                    with suppress(JobLookupError):  # it has just run for the last time
                        job.modify(next_run_time=machine)
        finally:
            scheduler.shutdown(wait=True)
        if trouble:
            raise trouble[0]
        self.finish()

    def look(self) -> None:
        """Serve the user, unless a cycle is running; what goes wrong with that is told and never ends the session."""
        if self.attend is None or not self._busy.acquire(blocking=False):
            return
        try:
            self._look()
        finally:
            self._busy.release()

    def _look(self) -> None:
        if self._left_out:
            self._left_out -= 1
            return
        if self.attend is not None:
            error = self.cycle.guarded(self.attend)
            self._left_out = _LOOKS_LEFT_OUT if error else 0
            self.cycle.health.attended(self.clock.now(), str(error) if error else "")

    def tick(self, instant: float) -> None:
        """One cycle at `instant`, if anything was observed since the last."""
        with self._busy:
            self._look()
            if self.stop.is_set():
                return
            with self.guard:
                self._tick(instant)

    def _tick(self, instant: float) -> None:
        self.clock.advance_to(instant)
        chains = self.market.latest()
        if not len(chains.polls.segment):
            return
        self.account.add(chains)
        self._say_whether_open(instant)
        report = self.cycle.run(chains)
        log.info("%s", _one_line(report))
        self.told(report)

    def redraw(self) -> None:
        """Show the newest picture of a session that is complete."""
        chains = self.market.latest()
        self._say_whether_open(chains.as_of)
        self.cycle.redraw(chains)

    def _say_whether_open(self, instant: float) -> None:
        session = self.market.day.session
        at = datetime.fromtimestamp(instant, session.opens.tzinfo)
        self.cycle.labels["closed_words"] = session.closed_words(at, next_open=self.next_open)

    def finish(self) -> None:
        """The last picture is shown even where frames were dropped on the way."""
        with self.guard:
            self.cycle.flush()


class _TimetableTrigger(BaseTrigger):
    """Wakes when the seconds that are `left` have passed, by the session's clock: the machine's may be set."""

    def __init__(self, left: Callable[[], float | None]) -> None:
        self.left = left

    def get_next_fire_time(self, previous_fire_time: datetime | None, now: datetime) -> datetime | None:
        """Next wake-up after `now`; instants that passed meanwhile are one wake-up."""
        left = self.left()
        return None if left is None else now + timedelta(seconds=left)


def _one_line(report: CycleReport) -> str:
    return kv(
        cycle=report.cycle,
        as_of=datetime.fromtimestamp(report.as_of, UTC).isoformat(timespec="milliseconds"),
        mode=report.session.mode,
        updated=int(report.chains.updated.sum()),
        refused=int((report.chains.polls.refused != 0).sum()),
        alerts=len(report.alerts),
        failures=len(report.failures),
        **{f"{step}_ms": f"{ms:.1f}" for step, ms in report.timings.items()},
    )
