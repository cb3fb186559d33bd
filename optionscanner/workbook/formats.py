"""Kinds of cells: number format, alignment, and the unit that the line above a column shows.

Quantities (open interest, volume and their changes) follow the units switch; everything else has one unit for ever.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, StrEnum

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


class Kind(Enum):
    """What a cell holds, and so how it looks."""

    TEXT = _Look("@", "left")
    WORD = _Look("@", "center")
    PRICE = _Look(_INDIAN_PRICE, "right", shrink=True)
    CHANGE = _Look("+#,##0.00;-#,##0.00;0.00", "right", shrink=True)
    PERCENT = _Look("+0.00;-0.00;0.00", "right", shrink=True)
    SHARE = _Look("0.0", "right")
    VOLATILITY = _Look("0.0", "right")
    VOLATILITY_CHANGE = _Look("+0.0;-0.0;0.0", "right")
    DELTA = _Look("0.00", "right")
    GAMMA = _Look("0.00000", "right", shrink=True)
    RATIO = _Look("0.00", "right", shrink=True)
    SCORE = _Look("0", "right")
    COUNT = _Look("#,##0", "right")
    STRIKE = _Look("General", "right")
    QUANTITY = _Look("#,##0.00", "right", shrink=True)
    QUANTITY_CHANGE = _Look("+#,##0.00;-#,##0.00;0.00", "right", shrink=True)
    TIME = _Look("hh:mm:ss", "center")
    DATE = _Look("dd-mmm-yy", "center", shrink=True)
    DATE_TIME = _Look("dd-mmm-yy hh:mm:ss", "left", shrink=True)
    DAYS = _Look("[<1]h:mm;0.0", "right")
    """Days to expiry; on expiry day hours and minutes."""
    ANY = _Look("General", "left")
    """A column that holds numbers in one row and words in another."""

    @property
    def number_format(self) -> str:
        """Number format as the file holds it."""
        return self.value.number_format

    @property
    def align(self) -> str:
        """left, center or right."""
        return self.value.align

    @property
    def shrink(self) -> bool:
        """Whether a value too wide for its column is drawn smaller."""
        return self.value.shrink

    @property
    def follows_units(self) -> bool:
        """Whether the units switch changes the values."""
        return self in (Kind.QUANTITY, Kind.QUANTITY_CHANGE)


INDIAN_CRORE = r"##\,##\,##\,##0;-##\,##\,##\,##0"
"""Whole numbers from one crore (10,000,000), either sign."""
INDIAN_LAKH = r"##\,##\,##0;-##\,##\,##0"
"""Whole numbers from one lakh (100,000) to one crore."""
WHOLE = "#,##0"
