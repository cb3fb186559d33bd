"""The time machine: DRILLDOWN as of an earlier moment shows the very cells that it showed then."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from optionscanner.adapters.recorded.format import narrowed, read_day
from optionscanner.adapters.recorded.replay import RecordedMarket
from optionscanner.adapters.simulated.market import SimulatedMarket
from optionscanner.cycle import Cycle, Sinks
from optionscanner.health import Health
from optionscanner.history.past import PastReader
from optionscanner.history.store import SqliteHistory
from optionscanner.lookback import looked_back
from optionscanner.model.calendar import load_calendar
from optionscanner.model.control import Expiry
from optionscanner.model.frame import Frame
from optionscanner.model.past import Answer, Question
from optionscanner.model.reports import CycleReport
from optionscanner.model.sessions import Mode, RunSession
from optionscanner.model.settings import EngineSettings
from optionscanner.ports import Market
from optionscanner.workbook.layout import blocks
from optionscanner.workbook.layout_drilldown import DRILLDOWN
from optionscanner.workbook.render import ShowSettings, render
from optionscanner.workbook.render_view import View
from tests.recorded_days import TapeClock, january_30

__all__ = ["january_30"]

SETTINGS = EngineSettings()
OF_NOW = {"drill_band", "drill_moment"}
"""Blocks that say what the moment is."""
OWN = [name for name, _ in blocks(DRILLDOWN) if name not in OF_NOW]


@dataclass
class Day:
    """A session that ran, its history, and what DRILLDOWN showed of each choice of a name and an expiry."""

    history: SqliteHistory
    newest: CycleReport
    shown: dict[ShowSettings, dict[float, Frame]]

    def asked(self, show: ShowSettings, at: float, *, now: CycleReport | None = None) -> Answer:
        view = View(self.newest, show).showing(DRILLDOWN.name)
        key = view.layout.segment_keys[int(view.front[view.position[show.symbol]])]
        reader = PastReader(self.history.path, lambda: self.history.session_number)
        return looked_back(reader, Question(key.underlying, key.expiry, at), now or self.newest, SETTINGS)

    def as_of(self, show: ShowSettings, at: float) -> Frame:
        answer = self.asked(show, at)
        assert answer.report is not None, answer.refusal
        return render(self.newest, None, show, past=answer.report)[0]


def ran(folder: Path, clock: TapeClock, market: Market, mode: Mode, choices: list[ShowSettings], until: int) -> Day:
    """The first `until` instants of a market, each stored and drawn."""
    history = SqliteHistory(folder / "history.db", mode)
    history.begin(RunSession(mode, "test", market.day.session.date, None, "1", "1"), market.day,
                  resume_within=None, now=0.0)  # fmt: skip
    session = RunSession(mode, "test", market.day.session.date, None, "1", "1")
    cycle = Cycle(session, SETTINGS, Sinks(history, None, lambda report: Frame.of(None, ())), Health(SETTINGS),
                  strict=True)  # fmt: skip
    shown: dict[ShowSettings, dict[float, Frame]] = {choice: {} for choice in choices}
    for clock.instant in list(market.instants() or ())[:until]:
        chains = market.latest()
        if len(chains.polls.segment):
            cycle.run(chains)
            assert cycle.newest is not None
            for choice, frames in shown.items():
                frames[cycle.newest.as_of] = render(cycle.newest, None, choice)[0]
    assert cycle.newest is not None
    return Day(history, cycle.newest, shown)


@pytest.fixture(scope="module")
def simulated(tmp_path_factory) -> Iterator[Day]:
    """An hour and ten minutes of the simulated market, every half minute."""
    clock = TapeClock()
    market = SimulatedMarket(seed=7, clock=clock, calendar=load_calendar(), symbols=["NIFTY", "RELIANCE", "TCS"])
    choices = [ShowSettings(symbol="NIFTY", expiries=(("DRILLDOWN", Expiry.NEXT),)), ShowSettings(symbol="RELIANCE")]
    day = ran(tmp_path_factory.mktemp("simulated"), clock, market, Mode.SIMULATED, choices, 140)
    yield day
    day.history.close()


@pytest.fixture(scope="module")
def recorded(january_30, tmp_path_factory) -> Iterator[Day]:
    """30 January 2026 of two names, to the close."""
    clock = TapeClock()
    taken = narrowed(read_day(january_30), lambda name: name in ("NIFTY", "RELIANCE"))
    market = RecordedMarket(taken, clock, load_calendar())
    choices = [ShowSettings(symbol="NIFTY"), ShowSettings(symbol="RELIANCE")]
    day = ran(tmp_path_factory.mktemp("recorded"), clock, market, Mode.REPLAY, choices, 1_000)
    yield day
    day.history.close()


def assert_the_same_cells(day: Day, show: ShowSettings, at: float) -> None:
    then, now = day.shown[show][at].blocks, day.as_of(show, at).blocks
    for name in OWN:
        assert now[name].rows == then[name].rows, (name, show.symbol, at)


@pytest.mark.parametrize("cycle", [0, 1, 17, 35, 63, 90, 118, -1])
def test_every_cell_of_a_simulated_moment_is_what_was_shown_then(simulated, cycle):
    for show, frames in simulated.shown.items():
        assert_the_same_cells(simulated, show, list(frames)[cycle])


@pytest.mark.slow
def test_every_cell_of_a_recorded_moment_is_what_was_shown_then(recorded):
    for show, frames in recorded.shown.items():
        seen = [at for at, frame in frames.items() if frame.blocks["drill_chain"].rows[0][8] is not None]
        for at in seen[::9]:
            assert_the_same_cells(recorded, show, at)
