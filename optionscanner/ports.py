"""What the core needs from outside, in our own nouns. Adapters implement these; only `app.py` names the adapters."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Protocol

from optionscanner.model.chains import Chains
from optionscanner.model.context import DayContext
from optionscanner.model.control import Request
from optionscanner.model.frame import Cell, ControlReading, Frame, WriteResult
from optionscanner.model.past import Question, Stored
from optionscanner.model.reports import CycleReport
from optionscanner.model.sessions import RunSession
from optionscanner.model.state import Resume


class Clock(Protocol):
    """The only source of "now"."""

    def now(self) -> float:
        """Seconds since 1970 UTC."""

    def wait_until(self, instant: float) -> None:
        """Return at `instant` [s since 1970 UTC] or as soon as the program is asked to stop."""


@dataclass(frozen=True, slots=True)
class Want:
    """What the runner asks a source for; the source schedules its own requests within its budget."""

    underlying: str
    expiries: tuple[date, ...]
    strikes: int
    """Strikes on each side of ATM; 0 = all listed."""
    every: float
    """Seconds between observations."""
    priority: int
    """Lower is served first."""


class Market(Protocol):
    """A source of the market: recorded, simulated, later live."""

    day: DayContext

    def want(self, wants: Sequence[Want]) -> None:
        """Declare what is needed from now on; replaces earlier wants."""

    def latest(self) -> Chains:
        """The newest picture by the source's clock; never blocks."""

    def instants(self) -> Sequence[float] | None:
        """Every instant [s since 1970 UTC] at which something will be observed; None where that is not known."""

    def total_observations(self) -> int | None:
        """How many (underlying, expiry, instant) observations the source holds for the day; None where unknown."""


class History(Protocol):
    """Keeps what was seen and computed. The store must pass `tests/contract_history.py`."""

    def begin(
        self,
        session: RunSession,
        day: DayContext,
        *,
        resume_within: float | None,
        now: float,
        continue_ended: bool = True,
    ) -> Resume:
        """Open the session; `resume_within` [s] limits how old the state may be, None for no limit (replay).

        A session that was ended by the program itself is continued only with `continue_ended`.
        """

    def save(self, report: CycleReport) -> None:
        """Store one cycle in one transaction. Raises HistoryBusy where it cannot be stored now."""

    def counts(self) -> Mapping[str, int]:
        """Rows stored for the session: cycles, observations, refused, quotes, alerts, failures."""

    def command(self, request: Request) -> None:
        """Store what was asked and what was answered. Raises HistoryBusy where that cannot be done now."""

    def commands(self) -> Sequence[Request]:
        """The newest accepted request about each setting, and the newest command, of any session; oldest first."""

    def end(self, now: float) -> None:
        """The program ends the session by itself, at `now` of the machine's clock [s since 1970 UTC]."""

    def close(self) -> None:
        """Give the files back."""


class Past(Protocol):
    """Gives back earlier moments of the running session; may be asked from a thread of its own."""

    def stored(self, now: CycleReport, question: Question, *, patience: float) -> Stored:
        """What the newest picture until that moment held of the chain; `now` is the newest report.

        Raises HistoryError, with the nearest moments that are covered, where that picture is more than `patience`
        seconds older, or there is none.
        """


class Recorder(Protocol):
    """Keeps what a session saw of the market as a recorded day, which can be replayed."""

    def record(self, report: CycleReport) -> None:
        """Record what one cycle saw. Raises RecordingError where it cannot be written now."""

    def end(self) -> None:
        """The session is over: nothing will be added after `close`."""

    def close(self) -> None:
        """Make the recorded day of everything recorded so far; raises RecordingError where that fails."""


class WorkbookHost(Protocol):
    """Shows frames in a workbook; never raises for what a user can do to a file."""

    paused: bool
    """Set by the engine: while it is true only CONTROL and the state of the front are written."""
    share: float
    """Set by the engine: most of the spreadsheet's time that writing may take, 0 to 1."""

    @property
    def filtered(self) -> frozenset[str]:
        """Tables in which the user filters or sorts: their rows must keep their order."""

    def write(self, frame: Frame) -> WriteResult:
        """Take the newest frame and say what became of the newest one that is done; an earlier one may be dropped."""

    def settle(self, seconds: float) -> WriteResult | None:
        """Wait at most so long until the newest frame is done; None where it is not, or none was given."""

    def control(self) -> ControlReading | None:
        """What the user's input cells held when they were last read; None before the first time. Never blocks."""

    def set_inputs(self, values: Mapping[str, Cell | tuple[Cell, ...]]) -> None:
        """Put values into the user's input cells, by defined name, as soon as that can be done."""

    def close(self) -> None:
        """Let go of the workbook."""
