"""Dealer exposure of every leg, as columns beside `Chains` and `Pricing`, and what is assumed about dealers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np

from optionscanner.model.columns import EXPOSURE_LEGS
from optionscanner.model.contracts import Floats
from optionscanner.model.readings import Reading

CRORE = 1e7
"""₹ in a crore."""
ONE_PER_CENT = 0.01
"""The move of the underlying that GEX is stated for."""

CONVENTIONS: Mapping[str, str] = MappingProxyType({
    "dealer": "dealers long calls, short puts: GEX = calls less puts; "
    "DEX, VEX, CEX = hedge flow, puts less calls, + = dealers buy",
    "documented": "dealers short calls, long puts: GEX = puts less calls; "
    "DEX, VEX, CEX = hedge flow, puts less calls, + = dealers buy",
})
"""`exposure.gex_sign` -> the convention in words, as it stands beside every exposure."""

GEX_SIGNS: Mapping[str, tuple[float, float]] = MappingProxyType({"dealer": (1.0, -1.0), "documented": (-1.0, 1.0)})
"""`exposure.gex_sign` -> sign of a call and of a put in GEX."""
HEDGE_SIGNS = (-1.0, 1.0)
"""Sign of a call and of a put in DEX, VEX and CEX under either convention."""


@dataclass(frozen=True, eq=False)
class LegExposures:
    """(R, 2) signed exposure of each leg's whole open interest; NaN without open interest or Greeks."""

    gex: Floats
    """₹ crore of delta that dealers gain when the forward rises 1 %: sign x gamma x units x F² x 0.01 / 10^7."""
    dex: Floats
    """₹ crore of the underlying that dealers hold as a hedge: sign x delta x units x F / 10^7."""
    vex: Floats
    """₹ crore that the hedge changes by when volatility rises one point: sign x vanna x units x F / 10^7."""
    cex: Floats
    """₹ crore that the hedge changes by as a calendar day passes: sign x charm x units x F / 10^7."""

    @classmethod
    def of(cls, reading: Reading) -> LegExposures:
        """From the reading `exposure_legs`."""
        return cls(**{name: np.asarray(reading[name], dtype=np.float64) for name in EXPOSURE_LEGS.names})

    @property
    def reading(self) -> Reading:
        """As the reading `exposure_legs`."""
        return Reading(EXPOSURE_LEGS, {name: getattr(self, name) for name in EXPOSURE_LEGS.names})
