"""Clocks: never backwards, at the pace that was asked for, and interruptible. No test waits."""

from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from optionscanner.clocks import ManualClock, WallClock
from optionscanner.errors import ConfigError, SourceError

OPEN = 1_769_744_700.0
"""30-Jan-2026 09:15:00 IST."""


@dataclass
class Machine:
    """A machine whose time passes only while somebody waits, or by hand; also the event that stops the program."""

    wall: float = OPEN
    tick: float = 100.0
    stop_at: float = float("inf")
    waits: list[float] = field(default_factory=list)

    def time(self) -> float:
        return self.wall

    def monotonic(self) -> float:
        return self.tick

    def passes(self, seconds: float) -> None:
        self.wall += seconds
        self.tick += seconds

    def is_set(self) -> bool:
        return self.tick >= self.stop_at

    def wait(self, timeout: float) -> bool:
        self.waits.append(timeout)
        self.passes(timeout)
        return self.is_set()


def wall_clock(machine: Machine) -> WallClock:
    return WallClock(machine, machine)


def manual_clock(machine: Machine, start: float = OPEN, *, speed: float | None) -> ManualClock:
    return ManualClock(start, speed, machine, machine)


# The machine's clock


def test_the_wall_clock_is_the_machine_s():
    machine = Machine()
    clock = wall_clock(machine)
    assert clock.now() == OPEN
    machine.passes(3.5)
    assert (clock.now(), clock.ahead, clock.set_back) == (OPEN + 3.5, 0.0, 0.0)


def test_a_step_forward_or_a_sleeping_machine_is_followed_at_once():
    machine = Machine()
    clock = wall_clock(machine)
    machine.wall += 3600
    assert (clock.now(), clock.set_back) == (OPEN + 3600, 0.0)


def test_a_clock_that_was_set_back_is_told_and_caught_up_at_half_the_pace():
    machine = Machine()
    clock = wall_clock(machine)
    machine.passes(10)
    clock.now()
    machine.wall -= 60
    assert clock.now() == OPEN + 10
    assert (clock.set_back, clock.ahead) == (60.0, 60.0)
    machine.passes(40)
    assert (clock.now(), clock.ahead) == (OPEN + 30, 40.0)
    machine.passes(80)
    assert (clock.now(), clock.ahead) == (OPEN + 70, 0.0)
    machine.passes(1)
    assert (clock.now(), clock.set_back) == (OPEN + 71, 60.0)


def test_the_largest_step_back_is_kept():
    machine = Machine()
    clock = wall_clock(machine)
    for step in (5.0, 90.0, 2.0):
        machine.wall -= step
        clock.now()
    assert clock.set_back == 90.0


def test_a_step_back_between_two_looks_is_found_though_time_went_by():
    machine = Machine()
    clock = wall_clock(machine)
    machine.passes(20)
    machine.wall -= 30
    clock.now()
    assert clock.set_back == 30.0


@given(st.lists(st.tuples(st.floats(0, 1e4), st.floats(-1e6, 1e6)), max_size=30))
def test_the_wall_clock_never_runs_backwards(moves):
    machine = Machine()
    clock = wall_clock(machine)
    before = clock.now()
    for passes, set_by in moves:
        machine.passes(passes)
        machine.wall += set_by
        now = clock.now()
        assert now >= before
        assert now >= machine.wall
        before = now


def test_waiting_ends_at_the_instant():
    machine = Machine()
    clock = wall_clock(machine)
    clock.wait_until(OPEN + 5)
    assert clock.now() == pytest.approx(OPEN + 5, abs=1e-6)
    assert max(machine.waits) <= 0.2


def test_an_instant_that_is_past_is_not_waited_for():
    machine = Machine()
    wall_clock(machine).wait_until(OPEN)
    wall_clock(machine).wait_until(OPEN - 1)
    wall_clock(machine).wait_until(float("nan"))
    assert machine.waits == []


def test_waiting_ends_when_asked_to_stop():
    machine = Machine(stop_at=103.0)
    wall_clock(machine).wait_until(OPEN + 3600)
    assert machine.tick == pytest.approx(103.0, abs=0.2)


# The clock of a replay


def test_a_replay_at_full_speed_waits_for_nothing():
    machine = Machine()
    clock = manual_clock(machine, speed=None)
    for step in (0.0, 300.0, 22_500.0):
        clock.wait_until(OPEN + step)
        assert clock.now() == OPEN + step
    assert machine.waits == []


@pytest.mark.parametrize(("speed", "real"), [(1.0, 300.0), (60.0, 5.0), (0.5, 600.0)])
def test_a_replay_keeps_its_pace(speed, real):
    machine = Machine()
    clock = manual_clock(machine, speed=speed)
    clock.advance_to(OPEN + 60)
    begun = machine.tick
    clock.wait_until(OPEN + 360)
    assert clock.now() == OPEN + 360
    assert machine.tick - begun == pytest.approx(real)


def test_nothing_is_waited_for_before_the_first_instant():
    """A recording's clock may start at 0, long before its day."""
    machine = Machine()
    clock = manual_clock(machine, 0.0, speed=1.0)
    clock.wait_until(OPEN)
    assert (clock.now(), machine.waits) == (OPEN, [])


def test_work_between_two_instants_counts_as_waiting():
    machine = Machine()
    clock = manual_clock(machine, speed=60.0)
    clock.advance_to(OPEN + 1)
    begun = machine.tick
    machine.passes(2.0)
    clock.wait_until(OPEN + 301)
    assert machine.tick - begun == pytest.approx(5.0)


def test_a_late_replay_does_not_hurry_to_catch_up():
    machine = Machine()
    clock = manual_clock(machine, speed=60.0)
    clock.advance_to(OPEN + 1)
    machine.passes(100.0)
    clock.wait_until(OPEN + 301)
    begun = machine.tick
    clock.wait_until(OPEN + 601)
    assert machine.tick - begun == pytest.approx(5.0)


def test_the_same_instant_again_changes_nothing():
    """A runner waits for an instant and then advances to it."""
    machine = Machine()
    clock = manual_clock(machine, speed=60.0)
    clock.advance_to(OPEN + 1)
    begun = machine.tick
    for step in (61, 121, 181):
        clock.wait_until(OPEN + step)
        machine.passes(0.3)
        clock.advance_to(OPEN + step)
        clock.advance_to(OPEN + step)
    clock.wait_until(OPEN + 241)
    assert machine.tick - begun == pytest.approx(4.0)


def test_a_replay_that_is_asked_to_stop_stays_where_it_is():
    machine = Machine(stop_at=101.0)
    clock = manual_clock(machine, speed=1.0)
    clock.advance_to(OPEN + 1)
    clock.wait_until(OPEN + 3600)
    assert clock.now() == OPEN + 1
    assert machine.tick == pytest.approx(101.0, abs=0.2)


@pytest.mark.parametrize("move", [ManualClock.advance_to, ManualClock.wait_until])
@pytest.mark.parametrize("speed", [None, 60.0])
def test_going_back_is_refused(move, speed):
    clock = manual_clock(Machine(), OPEN + 1.5, speed=speed)
    with pytest.raises(SourceError) as refused:
        move(clock, OPEN)
    assert str(refused.value) == (
        "the session's clock must not go back: it stands at 2026-01-30 09:15:01.500 IST and the source came with "
        "2026-01-30 09:15:00.000 IST; import the recording again from its raw files"
    )
    with pytest.raises(SourceError, match="came with nan"):
        move(clock, float("nan"))
    assert clock.now() == OPEN + 1.5


@pytest.mark.parametrize("speed", [0.0, -1.0, float("nan"), float("inf")])
def test_an_impossible_speed_is_refused(speed):
    with pytest.raises(ConfigError, match="must be a number above 0, came"):
        manual_clock(Machine(), speed=speed)


@given(st.lists(st.floats(0, 100), min_size=1, max_size=10), st.floats(1, 1e4))
def test_a_replay_takes_the_session_s_length_over_its_speed(gaps, speed):
    """Nothing is lost or gained by the way it is cut into instants."""
    machine = Machine()
    clock = manual_clock(machine, speed=speed)
    clock.advance_to(OPEN + 1)
    begun, instant = machine.tick, OPEN + 1
    for gap in gaps:
        instant += gap
        clock.wait_until(instant)
        assert clock.now() == instant
    assert machine.tick - begun == pytest.approx((instant - OPEN - 1) / speed, rel=1e-6, abs=1e-3)


def test_a_waiting_replay_is_called_ten_times_a_second_and_the_calls_count_as_waiting():
    machine = Machine()
    clock = manual_clock(machine, speed=60.0)
    clock.advance_to(OPEN)
    clock.wait_until(OPEN + 60.0)
    seen = []

    def meanwhile():
        seen.append(machine.monotonic())
        machine.passes(0.03)

    began = machine.monotonic()
    clock.wait_until(OPEN + 180.0, meanwhile)
    assert clock.now() == OPEN + 180.0
    assert machine.monotonic() - began == pytest.approx(2.0)
    assert len(seen) == pytest.approx(2.0 / 0.13, abs=2)
