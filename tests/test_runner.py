"""The timetable and the loops that follow it."""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from threading import Event, Thread
from types import SimpleNamespace

import numpy as np
import pytest
import time_machine
from hypothesis import given
from hypothesis import strategies as st

from optionscanner.clocks import WallClock
from optionscanner.errors import SourceError
from optionscanner.model.chains import Chains
from optionscanner.runner import Account, Runner, Timetable
from tests import builders

LAYOUT = builders.small_layout()
DAY = builders.day_of(LAYOUT)
FIRST = builders.ist(9, 20)


class ScriptedClock:
    """Session time that jumps; may be told to stop at an instant."""

    def __init__(self, stop: Event, stop_at: float = np.inf) -> None:
        self.instant = FIRST - 60
        self.stop, self.stop_at = stop, stop_at

    def now(self) -> float:
        return self.instant

    def wait_until(self, instant: float, meanwhile: Callable[[], None] | None = None) -> None:
        if meanwhile is not None:
            meanwhile()
        if instant >= self.stop_at:
            self.stop.set()

    def advance_to(self, instant: float) -> None:
        self.instant = instant


class ScriptedMarket:
    """Observes everything at given instants, through the real picture."""

    def __init__(self, instants: Sequence[float], clock: ScriptedClock) -> None:
        from optionscanner.model.picture import MarketPicture

        self.day = DAY
        self._instants, self._clock = sorted(instants), clock
        self._picture, self._next = MarketPicture(DAY), 0

    def want(self, wants: object) -> None:
        pass

    def latest(self) -> Chains:
        while self._next < len(self._instants) and self._instants[self._next] <= self._clock.now():
            self._picture.observe(builders.observation(LAYOUT, self._instants[self._next]))
            self._next += 1
        return self._picture.frozen(self._clock.now())

    def instants(self) -> Sequence[float]:
        return self._instants

    def total_observations(self) -> int:
        return LAYOUT.segments * len(self._instants)


class NotedCycle:
    """Stands for the cycle at the runner's edge: notes what it is asked."""

    def __init__(self) -> None:
        self.ran: list[float] = []
        self.warmed: list[float] = []
        self.labels: dict[str, str] = {}
        self.flushed = 0
        self.told: list[str] = []
        self.health = SimpleNamespace(attended=lambda at, sentence: self.told.append(sentence))

    def redraw(self, chains: Chains) -> None:
        self.flushed += 1

    def guarded(self, call: Callable[[], object]) -> Exception | None:
        try:
            call()
        except ValueError as error:
            return error
        return None

    def run(self, chains: Chains) -> object:
        self.ran.append(chains.as_of)
        return builders.report(chains, len(self.ran))

    def warm(self, chains: Chains) -> None:
        self.warmed.append(chains.as_of)

    def flush(self) -> None:
        self.flushed += 1


def runner_of(instants: Sequence[float], *, stop_at: float = np.inf) -> Runner:
    stop = Event()
    clock = ScriptedClock(stop, stop_at)
    market = ScriptedMarket(instants, clock)
    cycle = NotedCycle()
    return Runner(market, cycle, clock, Timetable.of(instants), stop, lambda report: None)  # type: ignore[arg-type]


@given(st.lists(st.integers(0, 50)), st.integers(-5, 55))
def test_the_next_instant_is_the_least_later_one(instants: list[int], now: int) -> None:
    later = [t for t in instants if t > now]
    assert Timetable.of([float(t) for t in instants]).next_after(now) == (min(later) if later else None)


def test_a_regular_timetable_holds_open_and_close() -> None:
    table = Timetable.regular(opens=100.0, closes=130.0, every=10.0)
    assert table.instants == (100.0, 110.0, 120.0, 130.0)
    assert Timetable.regular(opens=100.0, closes=129.0, every=10.0).instants[-1] == 120.0


def test_a_part_of_a_timetable_includes_both_ends() -> None:
    table = Timetable.of([1.0, 2.0, 3.0, 4.0])
    assert table.between(2.0, 3.0).instants == (2.0, 3.0)
    assert table.between(None, None) == table
    assert table.before(3.0) == (1.0, 2.0)


def test_every_recorded_instant_gets_its_cycle_and_every_observation_is_counted() -> None:
    instants = [FIRST + 60.0 * i for i in range(5)] + [builders.ist(16, 1)]
    runner = runner_of(instants)
    runner.run()
    assert runner.cycle.ran == instants
    assert runner.account.processed == 5 * LAYOUT.segments
    assert sum(runner.account.refused.values()) == LAYOUT.segments  # 16:01 is after the close
    assert runner.cycle.flushed == 1


def test_asked_to_stop_it_ends_before_the_next_cycle() -> None:
    instants = [FIRST + 60.0 * i for i in range(5)]
    runner = runner_of(instants, stop_at=FIRST + 120.0)
    runner.run()
    assert runner.cycle.ran == instants[:2]
    assert runner.cycle.flushed == 1


def test_seeking_folds_the_past_without_a_cycle() -> None:
    instants = [FIRST + 60.0 * i for i in range(5)]
    runner = runner_of(instants)
    runner.seek(instants[2])
    runner.run()
    assert runner.cycle.ran == instants[3:]
    assert runner.account.warmed == 3 * LAYOUT.segments
    assert runner.account.processed == 2 * LAYOUT.segments


def test_warming_runs_the_engines_over_earlier_instants() -> None:
    instants = [FIRST + 60.0 * i for i in range(4)]
    runner = runner_of(instants)
    runner.warm(instants[:3])
    runner.run()
    assert (runner.cycle.warmed, runner.cycle.ran) == (instants[:3], instants[3:])


def test_after_the_close_the_picture_says_so() -> None:
    runner = runner_of([builders.ist(15, 29), builders.ist(15, 35)])
    closed = []
    runner.told = lambda report: closed.append(runner.cycle.labels["closed_words"])
    runner.run()
    runner.next_open = datetime(2026, 2, 2, 9, 15, tzinfo=builders.IST)
    runner.redraw()
    assert [*closed, runner.cycle.labels["closed_words"]] == ["", "CLOSED at 15:30", "CLOSED, next Mon 02-Feb 09:15"]


def test_an_instant_without_observations_makes_no_cycle() -> None:
    runner = runner_of([FIRST, FIRST + 60.0])
    runner.timetable = Timetable.of([FIRST, FIRST + 30.0, FIRST + 60.0])
    runner.run()
    assert runner.cycle.ran == [FIRST, FIRST + 60.0]


def test_at_the_markets_pace_the_scheduler_wakes_each_cycle_and_missed_ones_are_one() -> None:
    """Real APScheduler; the timetable lies within a second, one cycle is slow and swallows two wake-ups."""
    instants = [FIRST + 0.1 * i for i in range(1, 8)]
    runner = runner_of(instants)
    runner.clock.advance_to(FIRST)
    slow = Event()

    def told(report: object) -> None:
        if len(runner.cycle.ran) == 2:
            slow.wait(0.25)

    runner.told = told
    import time

    runner.run_with_the_wall(SimpleNamespace(now=time.time, wait_until=None))  # type: ignore[arg-type]
    assert runner.cycle.ran[-1] == instants[-1]
    assert runner.cycle.ran == sorted(set(runner.cycle.ran))
    assert len(runner.cycle.ran) < len(instants)
    assert runner.account.processed == len(instants) * LAYOUT.segments
    assert runner.cycle.flushed == 1


def test_at_the_markets_pace_a_stop_ends_the_wait() -> None:
    runner = runner_of([FIRST + 3600.0])
    runner.clock.advance_to(FIRST)
    import time

    thread = Thread(target=runner.run_with_the_wall, args=(SimpleNamespace(now=time.time),))
    thread.start()
    runner.stop.set()
    thread.join(timeout=10)
    assert not thread.is_alive()
    assert runner.cycle.ran == []


def test_at_the_markets_pace_nothing_is_waited_for_before_the_first_instant() -> None:
    """A replay's clock stands in 1970 until its first instant."""
    instants = [FIRST + 0.1 * i for i in range(3)]
    runner = runner_of(instants)
    runner.clock.instant = 0.0
    runner.run_with_the_wall(WallClock(runner.stop))
    assert runner.cycle.ran[-1] == instants[-1]
    assert runner.account.processed == len(instants) * LAYOUT.segments


def test_at_the_markets_pace_a_clock_that_is_set_back_stops_nothing() -> None:
    """The scheduler waits for instants of the machine's clock, which then come an hour too late."""
    instants = [FIRST + 0.1 * i for i in range(1, 8)]
    runner = runner_of(instants)
    runner.clock.advance_to(FIRST)
    with time_machine.travel(datetime(2026, 6, 1, 10, tzinfo=UTC), tick=True) as traveller:
        wall = WallClock(runner.stop)
        runner.told = lambda report: traveller.shift(-3600.0) if len(runner.cycle.ran) == 2 else None
        runner.run_with_the_wall(wall)
    assert wall.set_back > 3590.0
    assert runner.cycle.ran[-1] == instants[-1]
    assert runner.cycle.ran == sorted(set(runner.cycle.ran))
    assert runner.account.processed == len(instants) * LAYOUT.segments


def test_at_the_markets_pace_an_error_ends_the_session_instead_of_its_scheduler() -> None:
    runner = runner_of([FIRST + 0.1 * i for i in range(1, 4)])
    runner.clock.advance_to(FIRST)

    def told(report: object) -> None:
        raise SourceError("the source is gone; start again")

    runner.told = told
    with pytest.raises(SourceError, match="the source is gone"):
        runner.run_with_the_wall(WallClock(runner.stop))
    assert len(runner.cycle.ran) == 1


def test_the_user_is_served_while_waiting_and_before_each_cycle() -> None:
    instants = [FIRST, FIRST + 60.0]
    runner = runner_of(instants)
    served: list[int] = []
    runner.attend = lambda: served.append(len(runner.cycle.ran))
    runner.run()
    assert served == [0, 0, 1, 1]


def test_what_stops_the_session_while_it_is_served_stops_before_the_cycle() -> None:
    runner = runner_of([FIRST, FIRST + 60.0])
    runner.attend = lambda: runner.stop.set() if runner.cycle.ran else None
    runner.run()
    assert runner.cycle.ran == [FIRST]


def test_a_failing_desk_is_told_left_alone_for_a_while_and_never_ends_the_session() -> None:
    instants = [FIRST + 60.0 * i for i in range(60)]
    runner = runner_of(instants)
    calls: list[float] = []

    def attend() -> None:
        calls.append(runner.clock.now())
        if len(calls) == 1:
            raise ValueError("no such cell")

    runner.attend = attend
    runner.run()
    assert runner.cycle.ran == instants
    assert runner.cycle.told[:2] == ["no such cell", ""]
    assert len(calls) == 120 - 50  # two looks for each cycle


def test_at_the_markets_pace_the_user_is_served_between_cycles_and_never_during_one() -> None:
    runner = runner_of([FIRST + 0.3, FIRST + 0.9])
    runner.clock.advance_to(FIRST)
    inside, during, served = Event(), [], []

    def told(report: object) -> None:
        inside.set()
        Event().wait(0.3)
        inside.clear()

    runner.told = told
    runner.attend = lambda: (during if inside.is_set() else served).append(len(runner.cycle.ran))
    runner.run_with_the_wall(WallClock(runner.stop))
    assert during == []
    assert {0, 1} <= set(served)
    assert served.count(0) >= 2


@pytest.mark.parametrize("codes", [[0, 0, 51], [54], []])
def test_an_account_counts_each_poll_once(codes: list[int]) -> None:
    account = Account()
    account.add(SimpleNamespace(polls=SimpleNamespace(refused=np.array(codes, dtype=np.uint8))))  # type: ignore[arg-type]
    assert account.processed == codes.count(0)
    assert account.processed + sum(account.refused.values()) == len(codes)
