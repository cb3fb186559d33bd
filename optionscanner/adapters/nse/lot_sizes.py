"""Lot sizes that a bhavcopy does not give, from what it does give: turnover, prices and open interest.

Main entry: `implied_lots`. Turnover = contracts x lot x price, and the price lies between the day's low and high,
so each traded contract bounds the lot; open interest in units is a multiple of it.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from optionscanner.model.contracts import Bools, Floats

_ROUNDING = 501.0
"""₹ by which a turnover in lakh with two decimals may differ from the true one."""
_CLOSE = 0.02
"""The lot lies this near to what the whole turnover of an expiry gives, as a share."""
LARGEST_LOT = 200_000.0
"""Units; the largest lot seen is 71,475."""
_LARGEST_COMMON = 1e5
"""Lots in the common divisor of an expiry's open interest: beyond, too many divisors would lie near any estimate."""
_SHARE = 0.8
"""Of the traded contracts of an expiry whose bounds the lot must keep; single ones had trades outside the book."""


def implied_lots(
    groups: Sequence[object],
    *,
    alive: Bools,
    contracts: Floats,
    value: Floats,
    low: Floats,
    high: Floats,
    quantities: Sequence[Floats],
) -> Floats:
    """(n,) lot size of each row, NaN where it does not follow; all rows of a group have one.

    `groups` names each row's underlying and expiry; `value` [₹], `low` and `high` [₹] with the strike included;
    `quantities` are in units and multiples of the lot. Only rows marked in `alive` count.
    """
    out = np.full(len(alive), np.nan)
    positions = np.flatnonzero(alive)
    codes = pd.factorize(pd.Series(list(groups), dtype=object).iloc[positions])[0]
    order = positions[np.argsort(codes, kind="stable")]
    ends = np.cumsum(np.bincount(codes)).tolist() if len(codes) else []
    held = np.nan_to_num(np.abs(np.column_stack(list(quantities)))).astype(np.int64)
    begin = 0
    for end in ends:
        rows, begin = order[begin:end], end
        traded = rows[(contracts[rows] > 0) & (value[rows] > 0) & (low[rows] > 0) & (high[rows] >= low[rows])]
        if len(traded):
            common = int(np.gcd.reduce(held[rows].ravel()))
            out[rows] = _implied(contracts[traded], value[traded], low[traded], high[traded], common)
    return out


def _implied(contracts: Floats, value: Floats, low: Floats, high: Floats, common: int) -> float:
    """The lot of one underlying and expiry, NaN where it does not follow.

    `common` is the greatest number of units that divides its open interest, 0 where it has none.
    """
    estimate = float(value.sum() / (contracts * (low + high) / 2).sum())
    least = (value - _ROUNDING) / (contracts * high)
    most = (value + _ROUNDING) / (contracts * low)
    if not 0.5 <= estimate <= LARGEST_LOT:
        return float("nan")
    near = ((1 - _CLOSE) * estimate, (1 + _CLOSE) * estimate)
    every = np.arange(np.ceil(near[0]), near[1] + 1)
    tried = [every]
    if 0 < common <= _LARGEST_COMMON * near[0]:
        parts = np.arange(max(1, int(common / near[1])), int(common / near[0]) + 2)
        # Odd lots remain after a revision, and then nothing near divides all of the open interest.
        tried.insert(0, common / parts[common % parts == 0])
    for lots in tried:
        inside = lots[(lots >= 1) & (lots >= near[0]) & (lots <= near[1])]
        fitting = [float(lot) for lot in inside if np.mean((least <= lot) & (lot <= most)) >= _SHARE]
        if fitting:
            # More than one would be a guess.
            return fitting[0] if len(fitting) == 1 else float("nan")
    return float("nan")
