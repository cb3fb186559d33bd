"""Renders CONTROL beside the user's cells: what is in force, since when, and what was answered."""

from __future__ import annotations

import math

from optionscanner.model.control import Control, Form, Standing
from optionscanner.model.control_settings import SETTINGS
from optionscanner.model.frame import Block, Cell
from optionscanner.workbook.layout_control import CONTROL
from optionscanner.workbook.render_cells import clean, plain, serial_time
from optionscanner.workbook.render_view import View

_SECONDS_PER_DAY = 86_400.0
_TIMES = frozenset(setting.name for setting in SETTINGS if setting.form in (Form.TIME, Form.MOMENT))


def control_blocks(view: View) -> list[Block]:
    """CONTROL except its band and the acknowledged number; blank where nobody listens."""
    control = view.report.control or Control()
    (_, *owned), table = CONTROL.cells, CONTROL.table("control_watched")
    answers = tuple((plain(answer),) for answer in control.watchlist_answers[: table.height])
    return [
        *(Block(cells.name, tuple((_cell(control, cell.source),) for cell in cells.cells)) for cells in owned),
        Block(table.name, answers),
        Block(table.units_name, (view.unit_line(table.fields),)),
    ]


def _cell(control: Control, source: str) -> Cell:
    what, _, name = source.removeprefix("control.").partition(":")
    if what == "bands":
        return None if control.bands is None else " / ".join(f"{least:g}" for least in control.bands)
    if what == "acknowledged":
        return control.acknowledged
    standing = control.settings.get(name, Standing())
    if what == "answer":
        return plain(standing.answer)
    if what == "since":
        return serial_time(standing.since) if math.isfinite(standing.since) else None
    value = standing.in_force
    if name in _TIMES and isinstance(value, float):
        return value / _SECONDS_PER_DAY
    return clean(value)
