"""CONTROL: the cells that a user sets, what is in force, and what was answered. Data only.

Settings come from `model/control.py`, one line each under the title of their group. `Value` cells are the user's: hosts
read them and no frame writes them. In force, Since and Answer are ours, found cell by cell, so that a row that the user
inserts shifts nothing.
"""

from __future__ import annotations

from optionscanner.model.control import (
    CONTROL_ACKNOWLEDGED,
    CONTROL_AS_OF,
    CONTROL_OI_3M,
    CONTROL_OI_LEFT,
    CONTROL_OI_LIMITS,
    CONTROL_OI_RIGHT,
    CONTROL_OI_SHOW,
    CONTROL_REQUEST,
    CONTROL_WATCHLIST,
    GROUPS,
    HALF_NAMES,
    LIMITS,
    PROTOCOL,
    WATCHLIST_ROWS,
    Form,
    Setting,
    expiry_name,
)
from optionscanner.model.control_settings import SETTINGS
from optionscanner.workbook.formats import Kind
from optionscanner.workbook.grid import (
    GAP,
    Cells,
    Column,
    Input,
    Sheet,
    Table,
    Text,
    Value,
    band,
)

HEADER_ROW = 5
_SYMBOLS = ("stocks", "row.name")
"""Names that drop-down lists of symbols offer, best first."""
_LOW, _HEAD = 11.25, 13.5
"""Points of a row, 15 pixels, and of the two above the settings, 18 pixels, so that all settings fit one screen."""
_SETTING, _VALUE, _UNIT, _ALLOWED, _IN_FORCE, _SINCE, _ANSWER, _MORE, _END, _GAP, _WATCHED, _WATCH_ANSWER = range(1, 13)
_HEADS = (
    # header, width
    ("Setting", 28.0),
    ("Value", 18.0),
    ("Unit", 10.0),
    ("Allowed", 38.0),
    ("In force", 14.0),
    ("Since", 10.0),
    # Narrow columns under one long text, so that the band above has places to begin.
    ("Answer", 12.0),
    ("", 40.0),
    ("", 34.0),
)
_WATCH_HEADS = (("Watchlist", 14.0), ("Answer", 30.0))
_WIDTHS = (*(width for _, width in _HEADS), GAP, *(width for _, width in _WATCH_HEADS))

BANDS = "TRS bands"
"""From where on a name is AGGRESSIVE, NORMAL, SMALL/HEDGED: shown and not set."""

LATER = (
    CONTROL_OI_LEFT, CONTROL_OI_RIGHT, CONTROL_OI_LIMITS, CONTROL_OI_SHOW, CONTROL_OI_3M, *map(expiry_name, HALF_NAMES),
    CONTROL_AS_OF,
)  # fmt: skip
"""Settings that came after version 2 of the template.

What stands beside each is a block of its own: a block never gets cells, so that it is found in workbooks that have it.
"""

_KINDS = {
    Form.WORD: Kind.TEXT,
    Form.SYMBOL: Kind.TEXT,
    Form.NUMBERS: Kind.TEXT,
    Form.TIME: Kind.TIME,
    Form.MOMENT: Kind.MOMENT,
    Form.WHOLE: Kind.ANY,
    Form.NUMBER: Kind.ANY,
}


def kind_of(setting: Setting) -> Kind:
    """How the cells of a setting look."""
    return _KINDS[setting.form]


def input_of(setting: Setting, row: int) -> Input:
    """The user's cell of a setting."""
    numeric = setting.form in (Form.WHOLE, Form.NUMBER)
    return Input(
        setting.name, row, _VALUE, kind_of(setting), 0.0 if setting.name == CONTROL_REQUEST else None,
        choices=setting.choices,
        least=setting.least if numeric else None,
        most=setting.most if numeric else None,
        offers=_SYMBOLS if setting.form is Form.SYMBOL else None,
        hint=setting.hint,
    )  # fmt: skip


def _lines() -> tuple[tuple[int, str | Setting], ...]:
    """(row, what stands there): the title of a group, a setting, a name shown and not set."""
    lines: list[str | Setting] = []
    for group in GROUPS:
        lines.append(group)
        for setting in (s for s in SETTINGS if s.group == group):
            lines.append(setting)
            if setting.name == CONTROL_REQUEST:
                lines.append(CONTROL_ACKNOWLEDGED)
        if group == LIMITS:
            lines.append(BANDS)
    return tuple((HEADER_ROW + i, line) for i, line in enumerate(lines, 1))


_LINES = _lines()
LAST_ROW = _LINES[-1][0]
_ROW_OF = {line.name if isinstance(line, Setting) else line: row for row, line in _LINES}


def _texts() -> tuple[Text, ...]:
    found = [Text(HEADER_ROW, column, head, "header") for column, (head, _) in enumerate(_HEADS, 1)]
    found.append(Text(HEADER_ROW, _WATCHED, _WATCH_HEADS[0][0], "header"))
    found.append(Text(HEADER_ROW - 1, _SETTING, "Type into the tinted cells only. An empty cell means the value of "
                      "config.yaml. Macros set the same cells by name, see README.", "caption"))  # fmt: skip
    for row, line in _LINES:
        if isinstance(line, Setting):
            found.append(Text(row, _SETTING, line.label, "text"))
            found.append(Text(row, _UNIT, line.unit, "text-after"))
            found.append(Text(row, _ALLOWED, line.allowed, "text-after"))
        elif line in GROUPS:
            found.append(Text(row, _SETTING, line, "card"))
            found += [Text(row, column, "", "card") for column in range(_VALUE, _GAP)]
        else:
            label = "Acknowledged no." if line == CONTROL_ACKNOWLEDGED else line
            found.append(Text(row, _SETTING, label, "text"))
            unit = "" if line == CONTROL_ACKNOWLEDGED else "0-100"
            allowed = "ours: the request obeyed last" if line == CONTROL_ACKNOWLEDGED else "set in config.yaml"
            found.append(Text(row, _UNIT, unit, "text-after"))
            found.append(Text(row, _ALLOWED, allowed, "text-after"))
    return tuple(found)


def answers_of(name: str) -> str:
    """Name of the block beside a setting of `LATER`."""
    return f"{name}_ANSWER"


def _ours(*names: str) -> tuple[Value, ...]:
    """In force, Since and Answer of these settings; of none named: of all but `LATER`, and what is only shown."""
    cells: list[Value] = []
    for row, line in _LINES:
        if (isinstance(line, Setting) and line.name in (names or LATER)) is not bool(names):
            continue
        if isinstance(line, Setting):
            if line.name not in PROTOCOL:
                cells.append(Value(row, _IN_FORCE, f"control.in_force:{line.name}", kind_of(line)))
            cells.append(Value(row, _SINCE, f"control.since:{line.name}", Kind.TIME))
            cells.append(Value(row, _ANSWER, f"control.answer:{line.name}", Kind.TEXT))
        elif line not in GROUPS and line != CONTROL_ACKNOWLEDGED:
            cells.append(Value(row, _IN_FORCE, "control.bands", Kind.TEXT))
    return tuple(cells)


CONTROL = Sheet(
    name="CONTROL",
    title="Control",
    widths=_WIDTHS,
    tables=(
        Table(
            "control_watched", HEADER_ROW, _WATCH_ANSWER,
            (Column(_WATCH_HEADS[1][0], _WATCH_HEADS[1][1], "control.watched", Kind.TEXT),), WATCHLIST_ROWS,
        ),
    ),
    cells=(
        band("CONTROL", _WIDTHS),
        Cells("control", _ours()),
        *(Cells(answers_of(name), _ours(name)) for name in LATER),
        Cells(CONTROL_ACKNOWLEDGED, (Value(_ROW_OF[CONTROL_ACKNOWLEDGED], _VALUE, "control.acknowledged", Kind.ANY),)),
    ),
    inputs=(
        *(input_of(line, row) for row, line in _LINES if isinstance(line, Setting)),
        Input(
            CONTROL_WATCHLIST, HEADER_ROW + 1, _WATCHED, Kind.TEXT, height=WATCHLIST_ROWS, offers=_SYMBOLS,
            hint="A stock's symbol, one to a cell. Empty cells mean the watchlist of config.yaml.",
        ),
    ),
    texts=_texts(),
    freeze=(HEADER_ROW, 1),
    heights={
        **dict.fromkeys((HEADER_ROW - 1, HEADER_ROW), _HEAD),
        **dict.fromkeys(range(HEADER_ROW + 1, HEADER_ROW + WATCHLIST_ROWS + 1), _LOW),
    },
)  # fmt: skip
