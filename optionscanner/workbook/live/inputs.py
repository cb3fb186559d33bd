"""The cells that a user types into: read in one call a sheet, written only to clear a command or after a crash."""

from __future__ import annotations

from collections.abc import Mapping

from optionscanner.model.frame import Cell
from optionscanner.workbook.live.binding import LiveBinding
from optionscanner.workbook.live.places import BLANK, Image, Rectangle

Values = Mapping[str, Cell | tuple[Cell, ...]]


def read_inputs(binding: LiveBinding) -> dict[str, Cell | tuple[Cell, ...]] | None:
    """Every input that the workbook has; None where the words beside one are not those that stood there."""
    images: dict[str, Image] = {}
    for name, over in _rectangles(binding).items():
        images[name] = binding.first_image(name, over)
    found: dict[str, Cell | tuple[Cell, ...]] = {}
    for place in binding.inputs.values():
        image = images[place.sheet]
        if any(image.at(at) != word for at, word in place.witnesses):
            return None
        column = tuple(_value(image.at((place.top + i, place.left))) for i in range(place.height))
        found[place.name] = column[0] if place.height == 1 else column
    return found


def write_inputs(binding: LiveBinding, values: Values) -> None:
    """Put values into input cells; names that the workbook no longer has are left out."""
    for name, value in values.items():
        place = binding.inputs.get(name)
        if place is None:
            continue
        column = (value if isinstance(value, tuple) else (value,))[: place.height]
        column += (None,) * (place.height - len(column))
        cells = tuple((BLANK if cell is None else cell,) for cell in column)
        binding.range(place.sheet, place.top, place.left, place.top + place.height - 1, place.left).raw_value = cells


def differing(wanted: Values, held: Values) -> Values:
    """Those of `wanted` that the workbook holds otherwise."""
    return {name: value for name, value in wanted.items() if held.get(name, value) != value}


def _rectangles(binding: LiveBinding) -> dict[str, Rectangle]:
    """sheet -> its inputs and the words beside them."""
    found: dict[str, Rectangle] = {}
    for place in binding.inputs.values():
        over = found.setdefault(place.sheet, Rectangle())
        over.take(place.top, place.left, place.top + place.height - 1, place.left)
        for (row, column), _ in place.witnesses:
            over.take(row, column, row, column)
    return found


def _value(cell: Cell) -> Cell:
    return None if cell == BLANK else cell
