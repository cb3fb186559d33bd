"""Kinds of cells: number format, alignment, and the unit that the line above a column shows.

Quantities (open interest, volume and their changes) follow the units switch; everything else has one unit for ever.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from optionscanner.model.contracts import Floats


class Units(StrEnum):
    """How sheets show open interest and volume; named cells stay in units of the underlying."""

    LAKH = "LAKH"
    CONTRACTS = "CONTRACTS"
    UNITS = "UNITS"

    @property
    def word(self) -> str:
        """As the unit line says it."""
        return self.value.lower()

    def shown(self, quantity: Floats, lot_size: Floats | float) -> Floats:
        """Quantities [units of the underlying] in this unit; `lot_size` [units per contract]."""
        if self is Units.LAKH:
            return quantity / 100_000.0
        return quantity / lot_size if self is Units.CONTRACTS else np.asarray(quantity, dtype=np.float64)


# Indian grouping exists in number formats only as conditions on the value, and a format can hold two of them.
_INDIAN_PRICE = r"[>=10000000]##\,##\,##\,##0.00;[>=100000]##\,##\,##0.00;#,##0.00"


@dataclass(frozen=True, slots=True)
class _Look:
    number_format: str
    align: str
    shrink: bool = False
    """Whether a value too wide for its column is drawn smaller instead of as ####."""


class Kind(StrEnum):
    """What a cell holds, and so how it looks."""

    TEXT = "text"
    WORD = "word"
    PRICE = "price"
    CHANGE = "change"
    PERCENT = "percent"
    SHARE = "share"
    VOLATILITY = "volatility"
    VOLATILITY_CHANGE = "volatility change"
    DELTA = "delta"
    GAMMA = "gamma"
    RATIO = "ratio"
    SCORE = "score"
    COUNT = "count"
    STRIKE = "strike"
    QUANTITY = "quantity"
    QUANTITY_CHANGE = "quantity change"
    TIME = "time"
    MOMENT = "moment"
    """A time of day in a narrow cell, or a word."""
    DATE = "date"
    DATE_TIME = "date and time"
    MOVE = "move"
    """A signed number with one decimal."""
    DIRECTED = "directed"
    """A whole number with an arrow for its sign: up for +, down for -."""
    CRORE = "₹ crore"
    """Money in crore, either sign: one decimal; from 100 a rule of the sheet makes it whole, with Indian grouping."""
    EXACT = "exact"
    """A number with as many digits as the cell has room for."""
    DAYS = "days"
    """Days to expiry; on expiry day hours and minutes."""
    ANY = "any"
    """A column that holds numbers in one row and words in another."""

    @property
    def number_format(self) -> str:
        """Number format as the file holds it."""
        return _LOOKS[self].number_format

    @property
    def align(self) -> str:
        """left, center or right."""
        return _LOOKS[self].align

    @property
    def shrink(self) -> bool:
        """Whether a value too wide for its column is drawn smaller."""
        return _LOOKS[self].shrink

    @property
    def follows_units(self) -> bool:
        """Whether the units switch changes the values."""
        return self in (Kind.QUANTITY, Kind.QUANTITY_CHANGE)


_LOOKS: dict[Kind, _Look] = {
    Kind.TEXT: _Look("@", "left"),
    Kind.WORD: _Look("@", "center"),
    Kind.PRICE: _Look(_INDIAN_PRICE, "right", shrink=True),
    Kind.CHANGE: _Look("+#,##0.00;-#,##0.00;0.00", "right", shrink=True),
    Kind.PERCENT: _Look("+0.00;-0.00;0.00", "right", shrink=True),
    Kind.SHARE: _Look("0.0", "right"),
    Kind.VOLATILITY: _Look("0.0", "right"),
    Kind.VOLATILITY_CHANGE: _Look("+0.0;-0.0;0.0", "right"),
    Kind.DELTA: _Look("0.00", "right"),
    Kind.GAMMA: _Look("0.00000", "right", shrink=True),
    Kind.RATIO: _Look("0.00", "right", shrink=True),
    Kind.SCORE: _Look("0", "right"),
    Kind.COUNT: _Look("#,##0", "right"),
    Kind.STRIKE: _Look("General", "right"),
    Kind.QUANTITY: _Look("#,##0.00", "right", shrink=True),
    Kind.QUANTITY_CHANGE: _Look("[>=0.005]+#,##0.00;[<=-0.005]-#,##0.00;0.00", "right", shrink=True),
    Kind.TIME: _Look("hh:mm:ss", "center"),
    Kind.MOMENT: _Look("hh:mm:ss", "center", shrink=True),
    Kind.DATE: _Look("dd-mmm-yy", "center", shrink=True),
    Kind.DATE_TIME: _Look("dd-mmm-yy hh:mm:ss", "left", shrink=True),
    Kind.DAYS: _Look("[<1]h:mm;0.0", "right"),
    Kind.MOVE: _Look("+0.0;-0.0;0.0", "right", shrink=True),
    Kind.DIRECTED: _Look('"▲"0;"▼"0;0', "right"),
    Kind.CRORE: _Look("0.0", "right", shrink=True),
    Kind.EXACT: _Look("General", "right"),
    Kind.ANY: _Look("General", "left"),
}

INDIAN_CRORE = r"##\,##\,##\,##0;-##\,##\,##\,##0"
"""Whole numbers from one crore (10,000,000), either sign."""
INDIAN_LAKH = r"##\,##\,##0;-##\,##\,##0"
"""Whole numbers from one lakh (100,000) to one crore."""
WHOLE = "#,##0"
