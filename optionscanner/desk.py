"""The engine's side of CONTROL: sees what the user changed, obeys or refuses it, and answers beside the cell.

Main entry: `Desk.attend`, called between cycles, some ten times a second. A change is accepted and in force at once, or
refused with a sentence and nothing changes. A command counts when the request number changed, or, for those who choose
it from the list, when the command cell is filled; it is obeyed once, answered, and the cell is emptied. What was
accepted is stored and holds again after a restart; an empty cell means the value of `config.yaml`.

Where the cells and the stored values differ at a start, the workbook wins if it was saved later, except a workbook
whose cells are all empty: it is new, and the stored values are put into it.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from threading import Event

from optionscanner.cycle import Cycle
from optionscanner.desk_lookback import LookBack, Moment, Twins, answered
from optionscanner.desk_settings import (
    ENGINE_SETTINGS,
    Given,
    engine_settings,
    number,
    show_settings,
    trimmed,
    watched,
    word_of,
)
from optionscanner.errors import HistoryError, OptionScannerError
from optionscanner.model.control import (
    CONTROL_AS_OF,
    CONTROL_COMMAND,
    CONTROL_CONFIRM,
    CONTROL_REFRESH,
    CONTROL_REQUEST,
    CONTROL_SHARE,
    CONTROL_WATCHLIST,
    PROTOCOL,
    YES,
    Command,
    Control,
    Refusal,
    Request,
    Standing,
    parsed,
    typed,
)
from optionscanner.model.control_settings import SETTINGS
from optionscanner.model.frame import Cell, ControlReading
from optionscanner.model.settings import EngineSettings
from optionscanner.ports import History, WorkbookHost
from optionscanner.workbook.render import Renderer, ShowSettings

log = logging.getLogger(__name__)

PAUSED_FRONT = "paused by you"
_NUMBER_WITHIN_S = 0.3
"""Seconds in which the number of a command must follow it."""

_LASTING = tuple(setting for setting in SETTINGS if setting.name not in PROTOCOL)
_BY_NAME = {setting.name: setting for setting in SETTINGS}


@dataclass
class Desk:
    """Serves one session; used from one thread at a time."""

    cycle: Cycle
    renderer: Renderer
    host: WorkbookHost
    history: History | None
    stop: Event
    now: Callable[[], float]
    """The machine's clock, seconds since 1970 UTC."""
    symbols: Sequence[str]
    """Names that the source has, for the watchlist."""
    config: Mapping[str, Mapping[str, object]]
    """The configuration: section -> key as `config.yaml` names it -> value."""
    saved_at: float | None = None
    """When the workbook was saved last before this start [s since 1970 UTC]; None where it did not exist."""
    archive: Callable[[], str] | None = None
    """Keeps a copy of the workbook and says so; None where that cannot be done."""
    lookback: LookBack | None = None
    """Answers what DRILLDOWN is to show of an earlier moment; None where that cannot be done."""
    restore: Callable[[], str] | None = None
    """Brings back deleted blocks and says so; None where that cannot be done."""
    _show: ShowSettings = field(init=False)
    _moment: Moment = field(init=False)
    _engine: EngineSettings = field(init=False)
    _show_every: float = field(init=False)
    _kept: dict[str, Given] = field(default_factory=dict)
    """The user's values: None for an empty cell."""
    _kept_at: dict[str, float] = field(default_factory=dict)
    _since: dict[str, float] = field(default_factory=dict)
    _answers: dict[str, str] = field(default_factory=dict)
    _watch_answers: tuple[str, ...] = ()
    _acknowledged: float = 0.0
    _seen: dict[str, Given] | None = None
    """Cells as they were last seen; None before the first look."""
    _obeyed: str = ""
    """Command that was obeyed and may still stand in its cell: a host may have read it again before it was emptied."""
    _chosen: str = ""
    """Command that stands in its cell without a new number, until it is clear that none will come."""
    _chosen_at: float = 0.0
    _obeyed_at: float = -math.inf
    """When the cells were read that held it."""
    _twins: Twins = field(default_factory=Twins)
    _waiting: list[Request] = field(default_factory=list)
    """Requests that the history could not take yet."""

    def __post_init__(self) -> None:
        self._show, self._engine = self.renderer.settings, self.cycle.settings
        self._moment = Moment(self.lookback, self.renderer)
        self._show_every = self.cycle.show_every
        for request in self.history.commands() if self.history is not None else ():
            self._recall(request)
        self._apply()

    def attend(self) -> None:
        """Look at the user's cells once, obey what changed and answer it."""
        self._store()
        self._attend()
        self._look_back()

    def _look_back(self) -> None:
        """Keep DRILLDOWN at the moment that is asked for."""
        self._follow()
        found = self._moment.answer()
        if found is None:
            return
        self._answers[CONTROL_AS_OF] = said = answered(found, _BY_NAME[CONTROL_AS_OF].label)
        if found.report is None:
            self._note({"set": CONTROL_AS_OF, "value": self._value(CONTROL_AS_OF)}, said, accepted=False)
            del self._kept[CONTROL_AS_OF], self._since[CONTROL_AS_OF]
            self._follow()
        self.cycle.control = self._control()
        self.cycle.show_again()

    def _follow(self) -> None:
        seconds = self._value(CONTROL_AS_OF)
        self._moment.follow(seconds if isinstance(seconds, float) else None, self.cycle.newest)

    def _attend(self) -> None:
        """What there is to do about the user's cells."""
        reading = self.host.control()
        if reading is None:
            return
        reading, twins = self._twins.agreed(reading)
        if twins:
            self.host.set_inputs(twins)
        if reading.at > self._obeyed_at and not word_of(reading.values.get(CONTROL_COMMAND)):
            self._obeyed = ""
        if reading.values == self._seen and not self._chosen:
            return
        changed = self._first_look(reading) if self._seen is None else self._look(reading)
        if changed:
            self._apply()
        commanded = self._command(reading)
        if not (changed or commanded):
            return
        self.cycle.control = self._control()
        if changed & ENGINE_SETTINGS:
            self.cycle.recalculate()
        self.cycle.show_again()

    # What is remembered

    def _recall(self, request: Request) -> None:
        """Take over what an earlier run accepted."""
        body = request.body
        name = str(body.get("set", ""))
        if name == CONTROL_AS_OF:
            return  # of the session in which it was asked
        if "do" in body:
            self._acknowledged = float(str(body.get("request") or 0))
            return
        value = body.get("value")
        if name == CONTROL_WATCHLIST and isinstance(value, list):
            given: Given = tuple(value)
        elif name not in _BY_NAME or not (value is None or isinstance(value, str | float | int)):
            return  # of another version of the program
        else:
            given = float(value) if isinstance(value, int) else value
            setting = _BY_NAME[name]
            if isinstance(parsed(setting, typed(setting, given), symbols=self.symbols), Refusal):
                return
        self._kept[name], self._kept_at[name] = given, request.at
        self._since[name], self._answers[name] = request.at, "as before the restart"

    def _first_look(self, reading: ControlReading) -> set[str]:
        """Make the cells and what is remembered agree; names whose value changed, or was put back."""
        names = [*(setting.name for setting in _LASTING), CONTROL_WATCHLIST]
        cells = {name: trimmed(reading.values[name]) for name in names if name in reading.values}
        is_new = all(cell in (None, ()) for cell in cells.values())
        changed, put_back = set(), {}
        for name, cell in cells.items():
            kept = self._kept.get(name)
            if self._same(name, cell, kept):
                continue
            if name in self._kept and (is_new or self.saved_at is None or self.saved_at < self._kept_at[name]):
                put_back[name] = kept if isinstance(kept, tuple) else typed(_BY_NAME[name], kept)
                self._answers[name] = "put back into the cell after the restart"
                changed.add(name)
            elif self._take(name, cell):
                changed.add(name)
        if put_back:
            self.host.set_inputs(put_back)
        self._seen = dict(reading.values)
        command = word_of(reading.values.get(CONTROL_COMMAND))
        request = _request_number(reading.values.get(CONTROL_REQUEST))
        if command and (request == self._acknowledged or command == Command.STOP):
            # It was obeyed before the restart, or chosen while nothing ran that could obey it.
            self._acknowledged, self._obeyed, self._obeyed_at = request, command, reading.at
            self._answers[CONTROL_COMMAND] = f"{command} was there before the start and was not obeyed; choose it again"
            self.host.set_inputs({CONTROL_COMMAND: None, CONTROL_CONFIRM: None})
            changed.add(CONTROL_COMMAND)
        return changed or {CONTROL_REQUEST}

    def _same(self, name: str, cell: Given, kept: Given) -> bool:
        """Whether a cell says what is kept already."""
        if name == CONTROL_WATCHLIST:
            return cell == (kept or ())
        return not isinstance(cell, tuple) and parsed(_BY_NAME[name], cell, symbols=self.symbols) == kept

    # What changed

    def _look(self, reading: ControlReading) -> set[str]:
        """Take every cell that differs from the last look; names with a new value or answer."""
        seen, self._seen = self._seen or {}, dict(reading.values)
        changed = set()
        for name, cell in reading.values.items():
            if name in PROTOCOL or cell == seen.get(name) or name not in {*_BY_NAME, CONTROL_WATCHLIST}:
                continue
            tidy = trimmed(cell)
            if self._same(name, tidy, self._kept.get(name)):
                if self._answers.get(name, "").startswith("refused"):
                    self._answers[name] = "accepted"
                    changed.add(name)
            elif self._take(name, tidy):
                changed.add(name)
        return changed

    def _take(self, name: str, cell: Given) -> bool:
        """Accept or refuse one changed cell; always with an answer."""
        if isinstance(cell, tuple):
            self._keep(name, cell, "accepted")
            return True
        setting = _BY_NAME[name]
        value = parsed(setting, cell, symbols=self.symbols)
        if isinstance(value, Refusal):
            self._answers[name] = f"refused: {value.sentence}"
            self._note({"set": name, "value": cell}, self._answers[name], accepted=False)
            return True
        emptied = "accepted: the value of config.yaml" if setting.key else "accepted: as without it"
        self._keep(name, value, emptied if value is None else "accepted")
        return True

    def _keep(self, name: str, value: Given, answer: str) -> None:
        at = self.now()
        self._kept[name], self._kept_at[name], self._since[name] = value, at, at
        self._answers[name] = answer
        self._note({"set": name, "value": list(value) if isinstance(value, tuple) else value}, answer, accepted=True)

    # Commands

    def _command(self, reading: ControlReading) -> bool:
        """Obey a command that was not obeyed yet; whether there is a new answer."""
        word = word_of(reading.values.get(CONTROL_COMMAND))
        request = _request_number(reading.values.get(CONTROL_REQUEST))
        if not word:
            self._chosen = ""
            if request == self._acknowledged:
                return False
            # A number without a command: nothing to do, but whoever waits for it must not wait for ever.
            self._acknowledged = request
            return True
        if request == self._acknowledged:
            if word == self._obeyed:
                return False
            # A macro writes the number after the command: what has none for a moment was chosen from the list.
            if self._chosen != word:
                self._chosen, self._chosen_at = word, self.now()
            if self.now() - self._chosen_at < _NUMBER_WITHIN_S:
                return False
        self._chosen = ""
        self._acknowledged, self._obeyed, self._obeyed_at = request, word, reading.at
        confirmed = word_of(reading.values.get(CONTROL_CONFIRM)) == YES
        accepted, answer = self._done(word, confirmed=confirmed)
        self._since[CONTROL_COMMAND], self._answers[CONTROL_COMMAND] = self.now(), answer
        self.cycle.health.note(self.cycle.shown_as_of, "control", answer, "")
        self._note({"do": word, "request": request}, answer, accepted=accepted)
        cleared: dict[str, Cell] = {CONTROL_COMMAND: None}
        if confirmed and word == Command.STOP:
            cleared[CONTROL_CONFIRM] = None
        self.host.set_inputs(cleared)
        return True

    def _done(self, word: str, *, confirmed: bool) -> tuple[bool, str]:
        """Whether a command was obeyed, and the sentence about it."""
        refusal = parsed(_BY_NAME[CONTROL_COMMAND], word)
        if isinstance(refusal, Refusal):
            return False, f"refused: {refusal.sentence}"
        match Command(word):
            case Command.RECALC:
                if self.cycle.recalculate():
                    return True, "RECALC: the newest picture is computed again"
                return False, "refused: RECALC: no picture was computed yet; wait for the first cycle"
            case Command.PAUSE:
                return True, self._pause(paused=True)
            case Command.RESUME:
                return True, self._pause(paused=False)
            case Command.STOP if not confirmed:
                return False, "refused: STOP: YES was expected in Confirm STOP; set it first, then choose STOP"
            case Command.STOP:
                self.stop.set()
                return True, "STOP: the program ends; start it again to go on"
            case Command.ARCHIVE:
                return self._errand("ARCHIVE", self.archive, "no copy can be made with this front")
            case Command.RESTORE:
                return self._errand("RESTORE", self.restore, "deleted blocks cannot be brought back with this front")

    def _pause(self, *, paused: bool) -> str:
        self.host.paused = paused
        self.renderer.settings = replace(
            self.renderer.settings, front=PAUSED_FRONT if paused else self._show.front
        )
        return "PAUSE: nothing but this sheet is written until RESUME" if paused else "RESUME: every sheet is written"

    @staticmethod
    def _errand(word: str, run: Callable[[], str] | None, why_not: str) -> tuple[bool, str]:
        if run is None:
            return False, f"refused: {word}: {why_not}"
        try:
            return True, f"{word}: {run()}"
        except OptionScannerError as error:
            return False, f"refused: {word}: {error}"

    # What is in force

    def _value(self, name: str) -> Cell:
        """Value in force of a setting."""
        kept = self._kept.get(name)
        return _BY_NAME[name].configured(self.config) if kept is None or isinstance(kept, tuple) else kept

    def _apply(self) -> None:
        """Put what is kept in force."""
        watchlist, self._watch_answers = watched(self._kept.get(CONTROL_WATCHLIST), self.symbols, self._show.watchlist)
        before = self.renderer.settings
        show = show_settings(self._show, self._value, watchlist)
        # Alerts of before the mute was set stay listed.
        same = show.muted_until == before.muted_until
        show = replace(show, muted_from=before.muted_from if same else self.cycle.shown_as_of)
        self.renderer.settings = replace(show, front=PAUSED_FRONT) if self.host.paused else show
        self.cycle.settings = engine_settings(self._engine, self._value)
        self.cycle.tracked = show.tracked
        self.cycle.show_every = max(self._show_every, number(self._value(CONTROL_REFRESH)))
        self.host.share = number(self._value(CONTROL_SHARE)) / 100.0
        self._follow()
        self.cycle.control = self._control()

    def _control(self) -> Control:
        """All settings as they stand now."""
        standing = {
            setting.name: Standing(
                self._value(setting.name) if setting in _LASTING else None,
                self._since.get(setting.name, math.nan),
                self._answers.get(setting.name, ""),
            )
            for setting in SETTINGS
        }
        bands = self._engine.readiness
        watchlist = self.renderer.settings.watchlist
        return Control(
            standing, self._acknowledged, watchlist, self._watch_answers, (bands.aggressive, bands.normal, bands.small)
        )

    # The history

    def _note(self, body: Mapping[str, object], reply: str, *, accepted: bool) -> None:
        log.info("control %s accepted=%s reply=%r", dict(body), accepted, reply)
        self._waiting.append(Request(self.now(), "control", body, accepted, reply))
        self._store()

    def _store(self) -> None:
        """Store what waits; what cannot be stored now is tried at the next look."""
        while self._waiting and self.history is not None:
            try:
                self.history.command(self._waiting[0])
            except HistoryError:  # the history says itself that it cannot be written
                return
            self._waiting.pop(0)


def _request_number(cell: Given | None) -> float:
    """A request number; 0 for an empty cell or one that holds none."""
    value = parsed(_BY_NAME[CONTROL_REQUEST], None if isinstance(cell, tuple) else cell)
    return value if isinstance(value, float) else 0.0
