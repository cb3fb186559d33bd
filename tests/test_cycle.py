"""One cycle: order of its sinks, failures that stay small, deadlines, and what is carried to the next."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from optionscanner.adapters.simulated.market import SimulatedMarket
from optionscanner.adapters.simulated.universe import simulated_session
from optionscanner.analytics.pipeline import ENGINES, Engine, Inputs
from optionscanner.cycle import RETRY_AFTER, Cycle, Sinks
from optionscanner.errors import HistoryBusy
from optionscanner.health import Health
from optionscanner.model.calendar import load_calendar
from optionscanner.model.chains import Chains
from optionscanner.model.columns import READINGS
from optionscanner.model.frame import Frame, WriteResult
from optionscanner.model.readings import Reading
from optionscanner.model.reports import CycleReport
from optionscanner.model.sessions import Mode
from optionscanner.model.settings import EngineSettings
from optionscanner.model.state import State
from tests import builders

NAMES = ("NIFTY", "BANKNIFTY", "RELIANCE", "TCS", "SBIN", "INFY")
OPENS = simulated_session().opens.timestamp()


class SessionClock:
    """Session time that the test moves."""

    def __init__(self) -> None:
        self.instant = OPENS

    def now(self) -> float:
        return self.instant

    def wait_until(self, instant: float) -> None:
        self.instant = instant


class Recorder:
    """A history and a workbook that note what reaches them, and fail on demand."""

    def __init__(self) -> None:
        self.calls: list[str] = []
        self.stored: list[CycleReport] = []
        self.fail: dict[str, Exception] = {}

    def begin(self, *_: object, **__: object) -> None:
        raise AssertionError("a cycle does not open histories")

    def save(self, report: CycleReport) -> None:
        self.calls.append("store")
        if "store" in self.fail:
            raise self.fail["store"]
        self.stored.append(report)

    def counts(self) -> dict[str, int]:
        return {}

    def write(self, frame: Frame) -> WriteResult:
        self.calls.append("show")
        if "show" in self.fail:
            raise self.fail["show"]
        return WriteResult("written", "", 1.0, 10, 1)

    def close(self) -> None:
        pass


def pictures(count: int, names: tuple[str, ...] = NAMES, *, seconds: int = 180) -> list[Chains]:
    """The first pictures of a simulated day, `seconds` apart."""
    clock = SessionClock()
    market = SimulatedMarket(seed=11, clock=clock, calendar=load_calendar(), step=30, symbols=names)
    made = []
    for i in range(count):
        clock.instant = OPENS + 60 + seconds * i
        made.append(market.latest())
    return made


def cycle_of(recorder: Recorder, **given: object) -> Cycle:
    settings = EngineSettings()

    def render(report: CycleReport) -> Frame:
        recorder.calls.append("render")
        if "render" in recorder.fail:
            raise recorder.fail["render"]
        return Frame.of(simulated_session().opens, ())

    fields: dict[str, object] = {
        "session": builders.run_session(Mode.SIMULATED, source="simulated market", seed=11),
        "settings": settings,
        "sinks": Sinks(recorder, recorder, render),
        "health": Health(settings),
    }
    return Cycle(**{**fields, **given})  # type: ignore[arg-type]


def failing(name: str, error: Callable[[], Exception], engine: str = "flow") -> Engine:
    """An engine, but it raises whenever fresh numbers of `name` are among its input."""
    flow = next(e for e in ENGINES if e.name == engine)

    def run(inputs: Inputs) -> tuple[State, Reading]:
        layout = inputs.chains.layout
        if name in layout.names:
            segments = layout.segment_underlying == layout.names.index(name)
            if np.isfinite(inputs.chains.stamped_at[segments]).any():
                raise error()
        return flow.run(inputs)

    return replace(flow, run=run)


def with_engine(engine: Engine) -> tuple[Engine, ...]:
    return tuple(engine if e.name == engine.name else e for e in ENGINES)


def same(one: Reading, other: Reading) -> None:
    """Two readings are equal to the bit."""
    for column in one.spec.names:
        np.testing.assert_array_equal(one[column], other[column], err_msg=f"{one.spec.name}.{column}")


def test_a_cycle_stores_before_it_shows() -> None:
    recorder = Recorder()
    report = cycle_of(recorder, strict=True).run(pictures(1)[0])
    assert recorder.calls == ["store", "render", "show"]
    assert set(report.readings) == {spec.name for spec in READINGS}
    assert report.failures == ()


def test_cycles_are_numbered_and_hand_their_state_on() -> None:
    recorder = Recorder()
    cycle = cycle_of(recorder, strict=True)
    reports = [cycle.run(chains) for chains in pictures(3)]
    assert [r.cycle for r in reports] == [1, 2, 3]
    assert np.nanmax(reports[-1].state.segment["steps"]) == 2


def test_a_store_that_fails_does_not_stop_the_picture_and_is_told() -> None:
    recorder = Recorder()
    recorder.fail["store"] = HistoryBusy("history: the disk is full; free some space")
    cycle = cycle_of(recorder)
    first, second, third = pictures(3)
    cycle.run(first)
    report = cycle.run(second)
    assert recorder.calls == ["store", "render", "show"] * 2
    assert "NOT STORED since" in cycle.health.message(report)
    assert "the disk is full" in cycle.health.message(report)
    assert [i.state for i in cycle.health.items(report) if i.item == "History"] == ["BAD"]
    recorder.fail.clear()
    report = cycle.run(third)
    assert "NOT STORED" not in cycle.health.message(report)


@pytest.mark.parametrize("sink", ["render", "show"])
def test_a_workbook_that_fails_stops_nothing_else(sink: str) -> None:
    recorder = Recorder()
    recorder.fail[sink] = ValueError("no such block")
    cycle = cycle_of(recorder)
    chains = pictures(2)
    for picture in chains:
        report = cycle.run(picture)
    assert len(recorder.stored) == 2
    assert cycle.health.frames_skipped == 2
    assert any("no such block" in event.what for event in cycle.health.events())
    assert report.failures == ()


def test_strict_mode_raises_what_a_sink_raises() -> None:
    recorder = Recorder()
    recorder.fail["show"] = ValueError("no such block")
    with pytest.raises(ValueError, match="no such block"):
        cycle_of(recorder, strict=True).run(pictures(1)[0])


@pytest.mark.parametrize("engine", ["flow", "exposure_legs"])
def test_a_poisoned_name_is_left_out_and_the_others_are_as_without_it(engine: str) -> None:
    """All engines, all cycles: every other name's numbers equal those of a market that never had the poisoned one."""
    poisoned = with_engine(failing("TCS", lambda: ZeroDivisionError("poison"), engine))
    cycle = cycle_of(Recorder(), engines=poisoned)
    clean = cycle_of(Recorder(), strict=True)
    others = tuple(name for name in NAMES if name != "TCS")
    for with_it, without_it in zip(pictures(4), pictures(4, others), strict=True):
        report, expected = cycle.run(with_it), clean.run(without_it)
        layout = with_it.layout
        keep = {
            "segment": np.flatnonzero(layout.segment_underlying != layout.names.index("TCS")),
            "underlying": np.flatnonzero(np.array(layout.names) != "TCS"),
            "future": np.flatnonzero(layout.future_underlying != layout.names.index("TCS")),
        }
        keep["strike"] = np.flatnonzero(np.isin(layout.row_segment, keep["segment"]))
        for name, reading in report.readings.items():
            if reading.spec.row == "market":  # it counts the name as missing
                continue
            rows = np.arange(len(reading)) if reading.spec.row == "event" else keep[reading.spec.row]
            same(reading.rows(rows), expected.readings[name])
    assert [f.underlying for f in cycle_of_first_failure(poisoned)] == ["TCS"]


def cycle_of_first_failure(engines: tuple[Engine, ...]) -> list[object]:
    return list(cycle_of(Recorder(), engines=engines).run(pictures(1)[0]).failures)


def test_a_name_that_was_left_out_is_tried_again_after_ten_minutes() -> None:
    poisoned = with_engine(failing("TCS", lambda: ZeroDivisionError("poison")))
    cycle = cycle_of(Recorder(), engines=poisoned)
    market = pictures(2, seconds=60) + pictures(1, seconds=60)
    first = cycle.run(market[0])
    second = cycle.run(market[1])
    assert {i.item: i.value for i in cycle.health.items(second)}["Names left out"] == "TCS"
    segment = second.chains.layout.underlying_front[second.chains.layout.names.index("TCS")]
    assert second.readings["price"]["status"][segment] == "left out after an error"
    assert np.isfinite(second.chains.legs.last[second.chains.layout.starts[segment]]).any()  # stored all the same
    later = cycle.run(replace(market[1], as_of=first.as_of + RETRY_AFTER))
    assert [len(r.failures) for r in (first, second, later)] == [1, 0, 1]
    assert {i.item: i.value for i in cycle.health.items(later)}["Names left out"] == "none"  # found out after its start


def test_an_engine_that_fails_for_no_single_name_leaves_its_reading_out_and_the_rest_in() -> None:
    def broken(_: Inputs) -> tuple[State, Reading]:
        raise RuntimeError("out of tables")

    def only_whole(inputs: Inputs) -> tuple[State, Reading]:
        if len(inputs.chains.layout.names) > 1:
            return broken(inputs)
        return flow.run(inputs)

    flow = next(e for e in ENGINES if e.name == "flow")
    cycle = cycle_of(Recorder(), engines=with_engine(replace(flow, run=only_whole)))
    report = cycle.run(pictures(1)[0])
    of_price = ("price", "volatility", "volatility_rank", "straddle", "settlement")
    before_it = (*of_price, "open_interest", "pain", "exposure_legs", "exposure", "exposure_total")
    of_exposure = ("exposure_rank", "exposure_market")
    beside_it = ("open_interest_legs", "open_interest_change", "futures", "build_up", "volume_oi_profile")
    assert set(report.readings) == {*before_it, *of_exposure, *beside_it}
    assert [f.sentence for f in report.failures] == [
        "out of tables",
        "skipped: it needs flow",
        "skipped: it needs flow",
        "skipped: it needs unusual_activity",
        "skipped: it needs flow, activity",
    ]


def test_past_its_limit_a_cycle_skips_all_but_storing() -> None:
    ticks = iter(range(1000))
    recorder = Recorder()
    cycle = cycle_of(recorder, limit=2.0, elapsed=lambda: float(next(ticks)))
    report = cycle.run(pictures(1)[0])
    assert recorder.calls == ["store"]
    assert any("over its limit" in f.sentence for f in report.failures)
    assert [i.value for i in cycle.health.items(report) if i.item == "Overruns"] == [1.0]


def test_frames_that_follow_too_fast_are_dropped_and_the_last_is_shown() -> None:
    recorder = Recorder()
    now = [0.0]
    cycle = cycle_of(recorder, show_every=0.5, elapsed=lambda: now[0], strict=True)
    for i, chains in enumerate(pictures(5)):
        now[0] = 0.2 * i
        cycle.run(chains)
    cycle.flush()
    assert recorder.calls.count("store") == 5
    assert recorder.calls.count("show") == 3  # at 0.0 and 0.6, and the last
    assert cycle.health.frames_dropped == 2
    cycle.flush()
    assert recorder.calls.count("show") == 3


def test_warming_moves_the_state_and_nothing_else() -> None:
    recorder = Recorder()
    cycle = cycle_of(recorder, strict=True)
    first, second, third = pictures(3)
    cycle.warm(first)
    cycle.warm(second)
    assert recorder.calls == [] and cycle.number == 0 and cycle.health.processed == 0
    reference = cycle_of(Recorder(), strict=True)
    for chains in pictures(3):
        expected = reference.run(chains)
    same(cycle.run(third).readings["flow"], expected.readings["flow"])


def test_a_picture_can_be_redrawn_without_storing_it_again() -> None:
    recorder = Recorder()
    cycle = cycle_of(recorder, strict=True)
    cycle.redraw(pictures(1)[0])
    assert recorder.calls == ["render", "show"]
