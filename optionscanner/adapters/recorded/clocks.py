"""When each leg's price and open interest last changed, worked out from successive rows of a whole day at once.

Main entries: `price_times`, `interest_times`. Rows are sorted by contract, then time; times are milliseconds since
1970 UTC, `NEVER` where there is none. Nothing trades before the open, so rows before it start no clock.
"""

from __future__ import annotations

import numpy as np

from optionscanner.model.contracts import Bools, Floats, Ints

NEVER = np.iinfo(np.int64).min
"""NaT's own value, so that an array of these is a datetime64 array."""

_LARGEST_VOLUME = 1e10
"""Units of a contract in a day, some ten times the record; what is larger was misread and says nothing."""


def group_starts(contract: Ints, inside: Bools) -> Ints:
    """(n,) for each row the first row of its group: a contract's rows before the open, or those from the open on."""
    if not len(contract):
        return np.empty(0, dtype=np.int64)
    new = np.ones(len(contract), dtype=bool)
    new[1:] = (contract[1:] != contract[:-1]) | (inside[1:] != inside[:-1])
    return np.asarray(np.maximum.accumulate(np.where(new, np.arange(len(contract)), 0)))


def price_times(*, last: Floats, volume: Floats | None, at: Ints, starts: Ints, inside: Bools, closes: int) -> Ints:
    """(n,) when the last price was last seen to change or trade, at latest `closes`.

    A rise of the day's volume is a trade, at the first row too; so is a new price without a fall of the volume. A
    volume below one seen before means that this row is older than that one (two collectors, one file), so it changes
    nothing. A leg without volume today keeps `NEVER`: its price is of an earlier day. Without volumes (None) only a
    changed price tells.
    """
    n = len(last)
    order = np.arange(n)
    if volume is None:
        before = np.roll(last, 1)
        event = (order > starts) & np.isfinite(last) & np.isfinite(before) & (last != before)
        event &= inside
    else:
        counted = np.where((volume >= 0) & (volume < _LARGEST_VOLUME), volume, -1.0)
        highest = _highest_before(counted, starts)
        traded = counted > np.maximum(highest, 0.0)
        fresh = counted >= highest
        # the newest row that was not older than its predecessors holds the price to compare with
        newest = np.maximum.accumulate(np.where(fresh, order, 0))
        previous = np.roll(newest, 1)
        comparable = fresh & (order > starts) & (previous >= starts)
        before = last[np.where(comparable, previous, order)]
        repriced = comparable & (counted > 0) & np.isfinite(last) & (last != before)
        event = (traded | repriced) & inside
    return np.where(inside, np.minimum(_time_of_latest(event, at, starts), closes), NEVER)


def interest_times(*, open_interest: Floats, at: Ints, starts: Ints, inside: Bools) -> Ints:
    """(n,) when open interest was last seen to change; the first row from the open on counts as a change."""
    order = np.arange(len(at))
    known = np.isfinite(open_interest)
    before = np.roll(open_interest, 1)
    event = known & ((order == starts) | (open_interest != before)) & inside
    return _time_of_latest(event, at, starts)


def _time_of_latest(event: Bools, at: Ints, starts: Ints) -> Ints:
    """(n,) the time of the newest event of the group up to each row."""
    latest = np.maximum.accumulate(np.where(event, np.arange(len(at)), -1))
    return np.where(latest >= starts, at[np.maximum(latest, 0)], NEVER)


def _highest_before(values: Floats, starts: Ints) -> Floats:
    """(n,) the highest value of the group before each row, -inf at its first."""
    n = len(values)
    if not n:
        return values
    group = np.cumsum(starts == np.arange(n))
    # Running maximum over all groups at once: each group is lifted above all earlier ones, which keeps counts exact
    # (below 2^53) because there are some 10^5 groups and values below `_LARGEST_VOLUME`.
    span = float(values.max() - values.min()) + 1.0
    lifted = np.maximum.accumulate(values + group * span) - group * span
    before = np.roll(lifted, 1)
    before[starts == np.arange(n)] = -np.inf
    return np.asarray(before)
