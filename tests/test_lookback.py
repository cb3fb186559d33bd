"""The time machine: DRILLDOWN as of an earlier moment shows the very cells that it showed then."""

from __future__ import annotations

import sqlite3
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
from optionscanner.workbook.render_cells import clock
from optionscanner.workbook.render_view import View
from tests.recorded_days import TapeClock, january_30

__all__ = ["january_30"]

pytestmark = pytest.mark.slow

SETTINGS = EngineSettings()
OF_NOW = {"drill_band", "drill_moment"}
"""Blocks that say what the moment is."""
DRAWN = {0, 1, 17, 30, 35, 63, 90, 118, 139}
"""Cycles of the simulated market that are drawn."""
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


def ran(
    folder: Path, tape: TapeClock, market: Market, mode: Mode, choices: list[ShowSettings], until: int, drawn: set[int]
) -> Day:
    """The first `until` instants of a market, each stored, and drawn at those of these numbers."""
    history = SqliteHistory(folder / "history.db", mode)
    history.begin(RunSession(mode, "test", market.day.session.date, None, "1", "1"), market.day,
                  resume_within=None, now=0.0)  # fmt: skip
    session = RunSession(mode, "test", market.day.session.date, None, "1", "1")
    cycle = Cycle(session, SETTINGS, Sinks(history, None, lambda report: Frame.of(None, ())), Health(SETTINGS),
                  strict=True)  # fmt: skip
    shown: dict[ShowSettings, dict[float, Frame]] = {choice: {} for choice in choices}
    for i, tape.instant in enumerate(list(market.instants() or ())[:until]):
        chains = market.latest()
        if len(chains.polls.segment):
            cycle.run(chains)
            assert cycle.newest is not None
            for choice, frames in shown.items() if i in drawn else ():
                frames[cycle.newest.as_of] = render(cycle.newest, None, choice)[0]
    assert cycle.newest is not None
    return Day(history, cycle.newest, shown)


@pytest.fixture(scope="module")
def simulated(tmp_path_factory) -> Iterator[Day]:
    """An hour and ten minutes of the simulated market, every half minute."""
    clock = TapeClock()
    market = SimulatedMarket(seed=7, clock=clock, calendar=load_calendar(), symbols=["NIFTY", "RELIANCE", "TCS"])
    choices = [ShowSettings(symbol="NIFTY", expiries=(("DRILLDOWN", Expiry.NEXT),)), ShowSettings(symbol="RELIANCE")]
    day = ran(tmp_path_factory.mktemp("simulated"), clock, market, Mode.SIMULATED, choices, 140, DRAWN)
    yield day
    day.history.close()


@pytest.fixture(scope="module")
def recorded(january_30, tmp_path_factory) -> Iterator[Day]:
    """30 January 2026 of two names, to the close."""
    clock = TapeClock()
    taken = narrowed(read_day(january_30), lambda name: name in ("NIFTY", "RELIANCE"))
    market = RecordedMarket(taken, clock, load_calendar())
    choices = [ShowSettings(symbol="NIFTY"), ShowSettings(symbol="RELIANCE")]
    day = ran(tmp_path_factory.mktemp("recorded"), clock, market, Mode.REPLAY, choices, 1_000,
              {*range(12), *range(12, 1_000, 9)})  # fmt: skip
    yield day
    day.history.close()


def assert_the_same_cells(day: Day, show: ShowSettings, at: float) -> None:
    then, now = day.shown[show][at].blocks, day.as_of(show, at).blocks
    for name in OWN:
        assert now[name].rows == then[name].rows, (name, show.symbol, at)


def test_every_cell_of_a_simulated_moment_is_what_was_shown_then(simulated):
    for show, frames in simulated.shown.items():
        assert len(frames) == len(DRAWN)
        for at in frames:
            assert_the_same_cells(simulated, show, at)


def test_every_cell_of_a_recorded_moment_is_what_was_shown_then(recorded):
    for show, frames in recorded.shown.items():
        seen = [at for at, frame in frames.items() if frame.blocks["drill_chain"].rows[0][8] is not None]
        assert len(seen) > 8
        for at in seen:
            assert_the_same_cells(recorded, show, at)


def moment(day: Day, seconds: float) -> float:
    """Instant so many seconds after the session's open."""
    return day.newest.chains.day.session.opens.timestamp() + seconds


def test_a_moment_between_two_pictures_is_of_the_one_before(simulated):
    show = next(iter(simulated.shown))
    at = moment(simulated, 1_200.0)
    answer = simulated.asked(show, at + 29.0)
    assert answer.report is not None
    assert (answer.refusal, answer.report.as_of) == ("", at)


def test_a_moment_that_no_picture_covers_is_refused_with_the_nearest_that_do(simulated, tmp_path):
    show = next(iter(simulated.shown))
    assert simulated.asked(show, moment(simulated, -60.0)).refusal == (
        "no picture of 09:14:00 is stored; the nearest are of 09:15:00"
    )
    assert simulated.asked(show, moment(simulated, 4_171.0)).refusal == (
        "10:24:31 is still to come; the newest picture is of 10:24:30"
    )
    # While nothing was stored from 09:30:00 to 09:50:00.
    with sqlite3.connect(simulated.history.path) as file:
        target = sqlite3.connect(tmp_path / "holed.db")
        file.backup(target)
    gap = [round(1000 * moment(simulated, s)) for s in (900, 2_100)]
    target.execute("DELETE FROM cycle WHERE at > ? AND at < ?", gap)
    target.commit()
    target.close()
    past = PastReader(tmp_path / "holed.db", lambda: simulated.history.session_number)
    expiry = next(k.expiry for k in simulated.newest.chains.layout.segment_keys if k.underlying == "RELIANCE")
    answer = looked_back(past, Question("RELIANCE", expiry, moment(simulated, 1_200.0)), simulated.newest, SETTINGS)
    assert answer.refusal == "no picture of 09:35:00 is stored; the nearest are of 09:30:00 and 09:50:00"


def test_a_chain_that_was_not_seen_by_then_is_refused_with_its_first_picture(recorded):
    show = next(iter(recorded.shown))
    first = next(at for at, f in recorded.shown[show].items() if f.blocks["drill_chain"].rows[0][8] is not None)
    before = max(at for at in recorded.shown[show] if at < first)
    refusal = recorded.asked(show, before).refusal
    assert refusal.startswith("NIFTY 03-Feb-26 had not been observed at 09:1")
    assert refusal.endswith(f"its first picture is of {clock(first)}")


def test_the_history_is_read_while_it_is_written_and_never_written(simulated):
    """A question opens the file for reading only: it cannot hold up the program, and sees only whole cycles."""
    show = next(iter(simulated.shown))
    at = moment(simulated, 900.0)
    with simulated.history.between_cycles() as connection:
        connection.execute("BEGIN IMMEDIATE")
        try:
            assert simulated.asked(show, at).report is not None
        finally:
            connection.execute("ROLLBACK")


def test_the_sheet_says_plainly_that_it_is_not_now(simulated):
    show = next(iter(simulated.shown))
    at = moment(simulated, 900.0)
    now, then = render(simulated.newest, None, show)[0], simulated.as_of(show, at)
    assert now.blocks["drill_moment"].rows == (("NOW 10:24:30: NIFTY 28-Jul-26",),)
    said = "AS OF 09:30:00, from the history, not now (10:24:30): NIFTY 28-Jul-26"
    assert then.blocks["drill_moment"].rows == ((said,),)
    others = set(now.blocks) - {name for name, _ in blocks(DRILLDOWN)}
    assert all(now.blocks[name].rows == then.blocks[name].rows for name in others)
