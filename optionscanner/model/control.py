"""What the user may set while the program runs: the settings of the CONTROL sheet as data, and the reading of a cell.

Main entries: `Setting`, `parsed`, `Control`; the settings themselves stand in `control_settings.py`. A setting is a
cell that the user types into; it is known by its defined name, and anything that can write a cell (a macro, a script)
can set it. An empty cell means the value of `config.yaml`. Nothing here obeys a setting: `desk.py` does.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from optionscanner.model.anchors import WINDOWS
from optionscanner.model.frame import Cell

CONTROL_COMMAND = "CONTROL_COMMAND"
"""Defined name of the cell that holds a `Command`; cleared once it was obeyed."""
CONTROL_CONFIRM = "CONTROL_CONFIRM"
"""Must hold YES for STOP."""
CONTROL_REQUEST = "CONTROL_REQUEST"
"""A number that grows by one with each command; it tells two equal commands apart."""
CONTROL_ACKNOWLEDGED = "CONTROL_ACKNOWLEDGED"
"""The request that was obeyed last; ours, so that a macro can wait for it."""
CONTROL_REFRESH = "CONTROL_REFRESH"
CONTROL_SHARE = "CONTROL_SHARE"
CONTROL_SYMBOL = "CONTROL_SYMBOL"
CONTROL_AS_OF = "CONTROL_AS_OF"
"""Moment that DRILLDOWN shows."""
DRILL_SYMBOL, DRILL_EXPIRY, DRILL_AS_OF = "DRILL_SYMBOL", "DRILL_EXPIRY", "DRILL_AS_OF"
"""Cells of DRILLDOWN that say the same as cells of CONTROL: see `TWINS`."""
CONTROL_OI_LEFT, CONTROL_OI_RIGHT = "CONTROL_OI_LEFT", "CONTROL_OI_RIGHT"
CONTROL_OI_LIMITS = "CONTROL_OI_LIMITS"
CONTROL_OI_SHOW, CONTROL_OI_3M = "CONTROL_OI_SHOW", "CONTROL_OI_3M"
CONTROL_WATCHLIST = "CONTROL_WATCHLIST"
"""Defined name of a column of cells, one symbol each."""

WATCHLIST_ROWS = 40
YES, NO = "YES", "NO"
NOW = "NOW"
"""The moment that is not in the past."""
ANY_DIRECTION = "ALL"
PERCENT, CHANGE = "PERCENT", "CHANGE"
"""What OI_TRACKER shows of open interest against earlier."""


class Command(StrEnum):
    """What may stand in the command cell."""

    RECALC = "RECALC"
    """Compute the newest picture again and show it."""
    PAUSE = "PAUSE"
    """Write nothing but CONTROL; everything else goes on."""
    RESUME = "RESUME"
    """Write again."""
    ARCHIVE = "ARCHIVE"
    """Keep a dated copy of the workbook now."""
    STOP = "STOP"
    """End the program as Ctrl-C does; needs YES beside it."""
    RESTORE = "RESTORE"
    """Bring back blocks of ours that were deleted from the workbook."""


class Expiry(StrEnum):
    """Which expiry of a name is shown."""

    THIS = "THIS"
    """The nearest."""
    NEXT = "NEXT"
    """The one after the nearest."""
    MONTH = "MONTH"
    """The nearest that is the last of its month."""


class Form(StrEnum):
    """How a cell is read."""

    WORD = "word"
    """One of the setting's choices."""
    WHOLE = "whole number"
    NUMBER = "number"
    TIME = "time of day"
    """Kept as seconds after midnight."""
    MOMENT = "moment"
    """`NOW`, or a time of day, kept as seconds after midnight."""
    SYMBOL = "symbol"
    """A name that the source has."""
    NUMBERS = "numbers"
    """One for each of `WINDOWS`, with spaces between; kept as a text."""


@dataclass(frozen=True, slots=True)
class Setting:
    """One cell that the user may set."""

    name: str
    """Defined name of its cell."""
    label: str
    """Words beside it, and in answers."""
    group: str
    form: Form
    unit: str = ""
    choices: tuple[str, ...] = ()
    least: float | None = None
    most: float | None = None
    key: str = ""
    """The setting of `config.yaml` that holds while the cell is empty, several with spaces; "" where there is none."""
    hint: str = ""
    """What it does, one or two sentences."""
    otherwise: Cell = None
    """Value of an empty cell where no `key` says it."""

    def configured(self, config: Mapping[str, Mapping[str, object]]) -> Cell:
        """Value of an empty cell under a configuration (section -> key -> value); KeyError where it lacks the key."""
        if not self.key:
            return self.otherwise
        places = (name.partition(".") for name in self.key.split())
        values = [config[section][key] for section, _, key in places]
        if len(values) > 1:
            return " ".join(f"{float(str(value)):g}" for value in values)
        if isinstance(values[0], bool):
            return YES if values[0] else NO
        return values[0] if isinstance(values[0], str) else float(str(values[0]))

    @property
    def allowed(self) -> str:
        """What may be typed, in words."""
        if self.form is Form.WORD:
            return ", ".join(self.choices)
        if self.form is Form.TIME:
            return "hh:mm of today"
        if self.form is Form.MOMENT:
            return "now, or hh:mm of today"
        if self.form is Form.SYMBOL:
            return "a name of the source"
        if self.form is Form.NUMBERS:
            return f"{len(WINDOWS)} numbers with spaces, {self.limits}"
        return f"{self.form.value}, {self.limits}"

    @property
    def limits(self) -> str:
        """Least and most of a number, in words."""
        return f"from {self.least:g}" + ("" if self.most is None else f" to {self.most:,.10g}")


RUN, SHOW, PICK, FILTER, LIMITS = "Run", "Show", "Pick", "Filter", "Limits"
GROUPS = (RUN, SHOW, PICK, FILTER, LIMITS)

INDEX_NAMES = ("NIFTY", "BANKNIFTY", "FINNIFTY", "MIDCPNIFTY", "SENSEX")
"""Indices that have a sheet, whose expiry can be picked."""
HALF_NAMES = ("OI_LEFT", "OI_RIGHT")
"""Sides of OI_TRACKER."""
CHAIN_NAMES = ("DRILLDOWN", *INDEX_NAMES, *HALF_NAMES)
"""What shows one chain: the sheet of the picked symbol, those of the indices, and the sides of OI_TRACKER."""

def expiry_name(sheet: str) -> str:
    """Defined name of the cell that picks the expiry of a sheet of a chain."""
    return f"CONTROL_{sheet}_EXPIRY"


PROTOCOL = frozenset({CONTROL_COMMAND, CONTROL_CONFIRM, CONTROL_REQUEST})
"""Cells that make a command; they are no settings that last."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a cell was not taken."""

    sentence: str


def parsed(setting: Setting, cell: Cell, *, symbols: Iterable[str] = ()) -> Cell | Refusal:
    """The setting's value as it is kept: a word in capitals, a number, seconds of the day; None for an empty cell."""
    value = cell.strip() if isinstance(cell, str) else cell
    if value is None or value == "":
        return None
    if setting.form is Form.WORD:
        word = str(value).upper() if isinstance(value, str) else f"{value:g}"
        return word if word in setting.choices else _refused(setting, cell)
    if setting.form is Form.SYMBOL:
        return symbol(value, symbols) or _refused(setting, cell)
    if setting.form is Form.MOMENT and isinstance(value, str) and value.upper() == NOW:
        return NOW
    if setting.form in (Form.TIME, Form.MOMENT):
        seconds = _seconds_of_day(value)
        return _refused(setting, cell) if seconds is None else seconds
    if setting.form is Form.NUMBERS:
        return _several(setting, value) or _refused(setting, cell)
    number = _number(value)
    if number is None or (setting.form is Form.WHOLE and number != int(number)):
        return _refused(setting, cell)
    below = setting.least is not None and number < setting.least
    above = setting.most is not None and number > setting.most
    return _refused(setting, cell) if below or above else number


def _several(setting: Setting, value: Cell) -> str:
    """Numbers within the setting's limits, one for each window, in the form in which they are kept; "" where not so."""
    found = [_number(word) for word in value.split()] if isinstance(value, str) else []
    least, most = setting.least or 0.0, math.inf if setting.most is None else setting.most
    fine = [number for number in found if number is not None and least <= number <= most]
    return " ".join(f"{number:g}" for number in fine) if len(fine) == len(found) == len(WINDOWS) else ""


def symbol(cell: Cell, symbols: Iterable[str]) -> str:
    """The name of the source that the cell holds, "" where it holds none of them."""
    word = str(cell).strip().upper() if isinstance(cell, str) else ""
    return word if word in set(symbols) else ""


def _refused(setting: Setting, came: Cell) -> Refusal:
    if setting.form is Form.WORD:
        what = _either(setting.choices)
    elif setting.form in (Form.TIME, Form.MOMENT):
        what = f"{'now, or ' * (setting.form is Form.MOMENT)}a time of day such as 14:30"
    elif setting.form in (Form.SYMBOL, Form.NUMBERS):
        several = f"{setting.allowed} such as 5 8 10 15 25"
        what = several if setting.form is Form.NUMBERS else "a name that the source has"
    else:
        what = f"a {setting.form.value} {setting.limits}"
    way = "choose from the list" if setting.form is Form.WORD else "correct the cell, or empty it"
    return Refusal(f"{setting.label}: {what} was expected, got {_shown(came)}; {way}")


def _either(words: tuple[str, ...]) -> str:
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} or {words[-1]}"


def _shown(cell: Cell) -> str:
    text = f"{cell:g}" if isinstance(cell, float | int) else repr(str(cell)[:40])
    return text


def _number(value: Cell) -> float | None:
    if isinstance(value, str):
        # A cell that is formatted as text hands over the digits of a number.
        if not re.fullmatch(r"[+-]?\d+(?:\.\d+)?", value):
            return None
        value = float(value)
    return float(value) if value is not None and math.isfinite(value) else None


def _seconds_of_day(value: Cell) -> float | None:
    """From a spreadsheet's time (a share of a day, with or without its date) or from hh:mm."""
    if isinstance(value, str):
        found = re.fullmatch(r"(\d{1,2}):(\d{2})(?::(\d{2}))?", value)
        if found is None:
            return None
        hours, minutes, seconds = (int(piece or 0) for piece in found.groups())
        return float(3600 * hours + 60 * minutes + seconds) if hours < 24 and max(minutes, seconds) < 60 else None
    if value is None or not math.isfinite(value) or value < 0:
        return None
    return float(round((value % 1.0) * 86_400) % 86_400)


def typed(setting: Setting, value: Cell) -> Cell:
    """The cell that `parsed` reads as `value`."""
    is_time = setting.form in (Form.TIME, Form.MOMENT) and isinstance(value, float)
    return float(value) / 86_400.0 if is_time and value is not None else value


@dataclass(frozen=True, slots=True)
class Request:
    """One thing that was asked of the program, and its answer: a row of the history's table `command`."""

    at: float
    """Seconds since 1970 UTC by the machine's clock."""
    source: str
    """`control` for the workbook's cells."""
    body: Mapping[str, object]
    """``{"set": name, "value": cell}`` for a setting, ``{"do": command, "request": number}`` for a command."""
    accepted: bool
    reply: str


@dataclass(frozen=True, slots=True)
class Standing:
    """How it stands with one setting."""

    in_force: Cell = None
    """As kept: see `parsed`."""
    since: float = math.nan
    """Seconds since 1970 UTC by the machine's clock; NaN while the value is the configured one."""
    answer: str = ""
    """Accepted, or refused with the reason."""


@dataclass(frozen=True)
class Control:
    """All settings of one moment, and what was answered: shown beside the cells."""

    settings: Mapping[str, Standing] = field(default_factory=dict)
    """Defined name -> standing."""
    acknowledged: float = 0.0
    """Number of the request that was obeyed last."""
    watchlist: tuple[str, ...] = ()
    """Names in force, in the user's order."""
    watchlist_answers: tuple[str, ...] = ()
    """Answer beside each of the watchlist's cells, from the first on."""
    bands: tuple[float, float, float] | None = None
    """Readiness from which a name is AGGRESSIVE, NORMAL, SMALL/HEDGED."""

    def value(self, name: str) -> Cell:
        """The value in force of a setting; None where nothing is known of it."""
        standing = self.settings.get(name)
        return None if standing is None else standing.in_force
