"""How cells look: number formats, colours, fonts, sizes. The writer never touches them; the template and users do."""

from __future__ import annotations

from typing import Any

from xlwings import base_classes, utils

from optionscanner.workbook.office.document import Api, Document

_NO_COLOUR = -1
_POINTS = 72 / 2540
"""Per hundredth of a millimetre."""


class Looks:
    """The part of a range that is about its looks."""

    @property
    def uno(self) -> Any:
        """The native range."""
        raise NotImplementedError

    @property
    def _document(self) -> Document:
        raise NotImplementedError

    @property
    def number_format(self) -> str | None:
        """Format code of the cells, None where they differ."""
        ambiguous = self._document.bridge.uno.Enum("com.sun.star.beans.PropertyState", "AMBIGUOUS_VALUE")
        if self.uno.getPropertyState("NumberFormat") == ambiguous:
            return None
        return self._document.format_code(self.uno.NumberFormat)

    @number_format.setter
    def number_format(self, value: str) -> None:
        self.uno.NumberFormat = self._document.format_key(value)

    @property
    def color(self) -> tuple[int, int, int] | None:
        """Red, green, blue of the background; None where it has none."""
        return colour_of(self.uno.CellBackColor)

    @color.setter
    def color(self, color_or_rgb: Any) -> None:
        self.uno.CellBackColor = colour_number(color_or_rgb)

    @property
    def font(self) -> Font:
        """Font of the cells."""
        return Font(self.uno)

    @property
    def column_width(self) -> float:
        """Width of the first column, in points."""
        return float(self.uno.getColumns().getByIndex(0).Width) * _POINTS

    @column_width.setter
    def column_width(self, value: float) -> None:
        self.uno.getColumns().Width = round(value / _POINTS)

    @property
    def row_height(self) -> float:
        """Height of the first row, in points."""
        return float(self.uno.getRows().getByIndex(0).Height) * _POINTS

    @row_height.setter
    def row_height(self, value: float) -> None:
        self.uno.getRows().Height = round(value / _POINTS)

    def autofit(self, axis: str | None = None) -> None:
        """Fit widths and heights to what the cells hold."""
        if axis in (None, "c", "columns"):
            self.uno.getColumns().OptimalWidth = True
        if axis in (None, "r", "rows"):
            self.uno.getRows().OptimalHeight = True


class Font(base_classes.Font):
    """Font of a block."""

    def __init__(self, native: Any) -> None:
        self._uno = native

    @property
    def api(self) -> Api:
        """The native range."""
        return Api(self._uno)

    @property
    def bold(self) -> bool:
        """Whether the text is bold."""
        return bool(self._uno.CharWeight >= 150)

    @bold.setter
    def bold(self, value: bool) -> None:
        self._uno.CharWeight = 150.0 if value else 100.0

    @property
    def size(self) -> float:
        """Height in points."""
        return float(self._uno.CharHeight)

    @size.setter
    def size(self, value: float) -> None:
        self._uno.CharHeight = float(value)

    @property
    def color(self) -> tuple[int, int, int] | None:
        """Red, green, blue; None for automatic."""
        return colour_of(self._uno.CharColor)

    @color.setter
    def color(self, color_or_rgb: Any) -> None:
        self._uno.CharColor = colour_number(color_or_rgb)


def colour_of(number: int) -> tuple[int, int, int] | None:
    """LibreOffice's 0xRRGGBB as red, green, blue."""
    return None if number == _NO_COLOUR else (number >> 16 & 255, number >> 8 & 255, number & 255)


def colour_number(colour: Any) -> int:
    """Red, green, blue, "#rrggbb" or Excel's 0xBBGGRR as LibreOffice's 0xRRGGBB; None takes the colour off."""
    if colour is None:
        return _NO_COLOUR
    if isinstance(colour, str):
        colour = utils.hex_to_rgb(colour)
    red, green, blue = utils.int_to_rgb(colour) if isinstance(colour, int) else colour
    return int(red) << 16 | int(green) << 8 | int(blue)
