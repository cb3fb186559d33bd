"""Volatility of a constant maturity from the volatilities of several expiries. Main entry: `constant_maturity`."""

from __future__ import annotations

import numpy as np

from optionscanner.model.contracts import Floats, Ints

DAYS_PER_YEAR = 365.0
NEAREST_DAYS, FARTHEST_DAYS = 7.0, 60.0
"""A single expiry stands for 30 days within these bounds: in its last week an option says more of that week."""


def constant_maturity(
    owner: Ints, years: Floats, volatility: Floats, count: int, *, days: float = 30.0
) -> tuple[Floats, Floats]:
    """(count,) volatility [decimal a year] at `days` of each name, from (n,) times to expiry [years] and volatilities;
    and the days that it is of: `days`, or those of the one expiry that stands for it.

    `owner` (n,) is the name of each expiry; those of one name stand in ascending order. Total variance is interpolated
    between the two expiries around `days`; where only one side has a volatility, the nearest counts if it lies within
    `NEAREST_DAYS` and `FARTHEST_DAYS`. NaN where nothing fits.
    """
    target = days / DAYS_PER_YEAR
    known = np.isfinite(volatility) & np.isfinite(years) & (years > 0)
    before, after = (np.flatnonzero(known & side) for side in (years < target, years >= target))
    low, high = np.full(count, -1), np.full(count, -1)
    low[owner[before]] = before  # the last assignment, which is the nearest expiry, stands
    high[owner[after[::-1]]] = after[::-1]
    result, reach = (np.full(count, np.nan) for _ in range(2))

    both = np.flatnonzero((low >= 0) & (high >= 0))
    near, far = low[both], high[both]
    share = (target - years[near]) / (years[far] - years[near])
    variance = (1.0 - share) * volatility[near] ** 2 * years[near] + share * volatility[far] ** 2 * years[far]
    result[both], reach[both] = np.sqrt(variance / target), days

    alone = np.flatnonzero((low >= 0) ^ (high >= 0))
    one = np.maximum(low, high)[alone]
    away = years[one] * DAYS_PER_YEAR
    inside = (away >= NEAREST_DAYS) & (away <= FARTHEST_DAYS)
    result[alone], reach[alone] = np.where(inside, volatility[one], np.nan), np.where(inside, away, np.nan)
    return result, reach
