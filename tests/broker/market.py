"""Where the stand-in's market comes from: the simulated market, or a recorded day."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from optionscanner.adapters.recorded.format import read_day
from optionscanner.adapters.recorded.replay import RecordedMarket
from optionscanner.adapters.simulated import DailyHistory, SimulatedMarket, simulated_session
from optionscanner.model.calendar import TradingCalendar, load_calendar
from optionscanner.ports import Market
from tests.broker.clock import SetClock


@dataclass(frozen=True)
class Source:
    """A market that is stepped by `clock`, and what is known of the sessions before."""

    market: Market
    clock: SetClock
    instants: Sequence[float]
    """Every instant of an observation, seconds since 1970 UTC, ascending."""
    previous_date: date
    """The trading day before."""
    year: DailyHistory | None = None
    """Closes of the sessions before; None where they are not known."""

    @property
    def opens(self) -> float:
        """When the session opens, seconds since 1970 UTC."""
        return self.market.day.session.opens.timestamp()

    @property
    def closes(self) -> float:
        """When the session closes, seconds since 1970 UTC."""
        return self.market.day.session.closes.timestamp()


def simulated(*, seed: int = 7, symbols: Sequence[str] | None = None, step: int = 30) -> Source:
    """The invented market, observed every `step` seconds; `symbols` for only these names."""
    calendar = load_calendar()
    clock = SetClock(simulated_session().opens.timestamp())
    market = SimulatedMarket(seed=seed, clock=clock, calendar=calendar, step=step, symbols=symbols)
    previous = _previous(calendar, market.day.session.date)
    return Source(market, clock, market.instants(), previous, market.daily_history())


def recorded(folder: Path) -> Source:
    """A recorded day, at the instants of its recording."""
    calendar = load_calendar()
    clock = SetClock()
    market = RecordedMarket(read_day(folder), clock, calendar)
    return Source(market, clock, market.instants(), _previous(calendar, market.day.session.date))


def _previous(calendar: TradingCalendar, day: date) -> date:
    return calendar.previous_trading_day(day)
