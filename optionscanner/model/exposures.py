"""Dealer exposure of every leg, as columns beside `Chains` and `Pricing`, and what is assumed about dealers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
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


SESSIONS = 60
"""Sessions among which today's gamma exposure has its place."""
TURNOVER_SESSIONS = 20
"""Sessions that turnover is the mean of."""


@dataclass(frozen=True, eq=False)
class PastExposure:
    """Gamma exposure of names at the close of earlier sessions, free of any convention, and their turnover."""

    names: tuple[str, ...]
    dates: tuple[date, ...]
    """E sessions, ascending."""
    sizes: Floats
    """(E, names, 2) sizes of the calls' and the puts' gamma exposure [₹ crore / 1 %]; NaN where not known."""
    turnover: Floats
    """(names,) mean turnover of the last `TURNOVER_SESSIONS`, cash and futures [₹ crore a day]; NaN where one lacks."""

    @classmethod
    def none(cls, names: Sequence[str]) -> PastExposure:
        """No session is known."""
        count = len(names)
        return cls(tuple(names), (), np.empty((0, count, 2)), np.full(count, np.nan))

    def on(self, names: Sequence[str]) -> PastExposure:
        """The same of these names, in their order; what is not known of one is NaN."""
        wanted = tuple(names)
        if wanted == self.names:
            return self
        place = {name: i for i, name in enumerate(self.names)}
        made = PastExposure(
            wanted, self.dates, np.full((len(self.dates), len(wanted), 2), np.nan), np.full(len(wanted), np.nan)
        )
        for i, name in enumerate(wanted):
            if name in place:
                made.sizes[:, i] = self.sizes[:, place[name]]
                made.turnover[i] = self.turnover[place[name]]
        return made

    def filled(self, other: PastExposure) -> PastExposure:
        """With what `other` knows where this does not; the last `SESSIONS` sessions of both."""
        other = other.on(self.names)
        dates = sorted({*self.dates, *other.dates})[-SESSIONS:]
        sizes = np.full((len(dates), len(self.names), 2), np.nan)
        for source in (other, self):
            own = {day: i for i, day in enumerate(source.dates)}
            for i, day in enumerate(dates):
                if day in own:
                    known = np.isfinite(source.sizes[own[day]]).all(axis=1)
                    sizes[i, known] = source.sizes[own[day]][known]
        turnover = np.where(np.isfinite(self.turnover), self.turnover, other.turnover)
        return PastExposure(self.names, tuple(dates), sizes, turnover)
