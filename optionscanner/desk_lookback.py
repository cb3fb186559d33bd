"""The desk's part in the time machine of DRILLDOWN: what it asks, what becomes of the answer, cells that are twins."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Protocol

from optionscanner.model.control import CHAIN_NAMES
from optionscanner.model.control_settings import TWINS
from optionscanner.model.frame import Cell, ControlReading
from optionscanner.model.past import Answer, Question
from optionscanner.model.reports import CycleReport
from optionscanner.workbook.render import Renderer
from optionscanner.workbook.render_cells import clock
from optionscanner.workbook.render_view import View

Given = Cell | tuple[Cell, ...]


class LookBack(Protocol):
    """Answers questions about earlier moments, in its own time."""

    def ask(self, question: Question, now: CycleReport) -> None:
        """Begin to answer."""

    def answer(self) -> Answer | None:
        """The answer to the newest question, once; None before it is there."""


def answered(found: Answer, label: str) -> str:
    """What stands beside the cell called `label`."""
    if found.report is None:
        return f"refused: {label}: {found.refusal}"
    return f"accepted: the picture of {clock(found.report.as_of)}"


@dataclass
class Moment:
    """Which moment DRILLDOWN shows; None as a time is now."""

    machine: LookBack | None
    renderer: Renderer
    _asked: Question | None = None

    def follow(self, seconds: float | None, now: CycleReport | None) -> None:
        """Ask for what is wanted: `seconds` after midnight of the session, of the chain that the sheet shows."""
        wanted = None if seconds is None or now is None else self._question(seconds, now)
        if wanted == self._asked:
            return
        if wanted is None or self._asked is None or wanted.underlying != self._asked.underlying:
            self.renderer.past = None
        self._asked = wanted
        if wanted is not None and now is not None and self.machine is not None:
            self.machine.ask(wanted, now)

    def answer(self) -> Answer | None:
        """A new answer to what is still wanted; its picture is shown from now on."""
        found = self.machine.answer() if self.machine is not None else None
        if found is None or found.question != self._asked:
            return None
        self.renderer.past = found.report
        return found

    def _question(self, seconds: float, now: CycleReport) -> Question | None:
        view = View(now, self.renderer.settings).showing(CHAIN_NAMES[0])
        u = view.position.get(view.underlying_of(CHAIN_NAMES[0]), -1)
        segment = int(view.front[u]) if u >= 0 else -1
        if segment < 0:
            return None
        key = view.layout.segment_keys[segment]
        midnight = now.chains.day.session.opens.replace(hour=0, minute=0, second=0, microsecond=0)
        return Question(key.underlying, key.expiry, midnight.timestamp() + seconds)


@dataclass
class Twins:
    """Cells of another sheet that stand for cells of CONTROL: what is typed into one is put into the other."""

    _seen: dict[str, Given] = field(default_factory=dict)
    """Cell -> what it held at the last look."""
    _ahead: dict[str, Given] = field(default_factory=dict)
    """Cell of CONTROL -> what was typed into its twin and does not stand in it yet."""

    def agreed(self, reading: ControlReading) -> tuple[ControlReading, Mapping[str, Given]]:
        """The reading as if both of each pair held the newer of the two, and what must be put where for that."""
        values, put = dict(reading.values), {}
        for twin, main in TWINS.items():
            if twin not in values or main not in values:
                continue  # of a workbook made earlier, or deleted
            typed, stands = values[twin], values[main]
            first = twin not in self._seen
            if (typed != self._seen[twin] if not first else stands in (None, "")) and typed != stands:
                self._ahead[main] = put[main] = typed
            elif stands != self._seen.get(main, typed) and stands != typed:
                self._ahead.pop(main, None)
                put[twin] = stands
            self._seen[twin], self._seen[main] = typed, stands
            if self._ahead.get(main, stands) == stands:
                self._ahead.pop(main, None)
            else:
                values[main] = self._ahead[main]
        return replace(reading, values=values), put
