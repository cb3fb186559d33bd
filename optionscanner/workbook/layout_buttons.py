"""Buttons of the workbook with macros: where they stand and which macro each one runs. Data only.

They float over cells that no block uses. The macros themselves are text in `workbooks/macros/`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from optionscanner.workbook.grid import Sheet, pixels

BUTTON_PIXELS = (112, 20)
"""Width and height: one row high."""
_GAP = 8


@dataclass(frozen=True, slots=True)
class Button:
    """One button."""

    caption: str
    macro: str
    """Module and procedure, such as Engine.Recalculate."""
    hint: str
    """What it does, for people who cannot see it."""


@dataclass(frozen=True, slots=True)
class PlacedButton:
    """A button over a sheet's cells."""

    button: Button
    sheet: str
    row: int
    column: int
    """Cell of its upper left corner, from 1."""
    right: int
    """Pixels from the cell's left edge."""


RECALCULATE = Button("Recalculate", "Engine.Recalculate", "Compute everything again now")
PAUSE = Button("Pause", "Engine.Pause", "Stop writing into this workbook; analytics and history go on")
GO_ON = Button("Resume", "Engine.GoOn", "Write into this workbook again")
ARCHIVE = Button("Archive", "Engine.Archive", "Make a dated copy of this workbook's values now")
JUMP = Button("Jump to symbol", "Symbols.JumpToSymbol", "Show the row of the symbol in the selected cell")

BUTTONS = (RECALCULATE, PAUSE, GO_ON, ARCHIVE, JUMP)


def placed(layout: Sequence[Sheet]) -> Iterator[PlacedButton]:
    """The buttons of a layout: over the answers of CONTROL, and along the last row of ALERT_SUMMARY's screen."""
    for sheet in layout:
        if sheet.name == "ALERT_SUMMARY":
            yield from _in_a_row(sheet, sheet.screen[0], 0)
        if sheet.name == "CONTROL":
            # Where the words about the sheet, in the same row, have ended.
            head = next(text for text in sheet.texts if text.text == "Answer")
            yield from _in_a_row(sheet, head.row - 1, sum(map(pixels, sheet.widths[: head.column - 1])))


def _in_a_row(sheet: Sheet, row: int, start: int) -> Iterator[PlacedButton]:
    """All buttons side by side, `start` pixels from the sheet's left edge."""
    for number, button in enumerate(BUTTONS):
        right, column = start + number * (BUTTON_PIXELS[0] + _GAP), 1
        while right >= pixels(sheet.widths[column - 1]):
            right -= pixels(sheet.widths[column - 1])
            column += 1
        yield PlacedButton(button, sheet.name, row, column, right)
