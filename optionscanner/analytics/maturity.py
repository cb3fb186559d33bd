"""Volatility of a constant maturity from the volatilities of several expiries. Main entry: `constant_maturity`."""

from __future__ import annotations

import numpy as np

from optionscanner.model.contracts import Floats

DAYS_PER_YEAR = 365.0
NEAREST_DAYS, FARTHEST_DAYS = 15.0, 60.0
"""A single expiry stands for 30 days within these bounds; farther away it would compare other things."""


def constant_maturity(years: Floats, volatility: Floats, *, days: float = 30.0) -> float:
    """Volatility [decimal a year] at `days`, from (n,) times to expiry [years, ascending] and volatilities.

    Total variance is interpolated between the two expiries around it; where only one side has a volatility, the
    nearest counts if it lies within `NEAREST_DAYS` and `FARTHEST_DAYS`. NaN where nothing fits.
    """
    known = np.isfinite(volatility) & np.isfinite(years) & (years > 0)
    years, volatility = years[known], volatility[known]
    target = days / DAYS_PER_YEAR
    after = int(np.searchsorted(years, target))
    if 0 < after < len(years):
        variance = float(np.interp(target, years, volatility**2 * years))
        return float(np.sqrt(variance / target))
    if not len(years):
        return float("nan")
    nearest = int(np.argmin(np.abs(years - target)))
    inside = NEAREST_DAYS <= years[nearest] * DAYS_PER_YEAR <= FARTHEST_DAYS
    return float(volatility[nearest]) if inside else float("nan")
