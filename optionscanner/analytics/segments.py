"""Reductions over the rows of each (underlying, expiry): small helpers that every engine shares.

None lets one chain's numbers touch another's: sums run within a segment, never as a running total over the market.
"""

from __future__ import annotations

import numpy as np

from optionscanner.model.contracts import Bools, Floats, Ints, Layout
from optionscanner.model.pairs import either, latest, zeroed


def total(layout: Layout, values: Floats) -> Floats:
    """(S, ...) sum over each segment's rows; NaN counts as nothing."""
    return np.asarray(np.add.reduceat(zeroed(values), layout.starts, axis=0))


def side_sums(layout: Layout, values: Floats) -> Floats:
    """(S, 2) sum per side of (R, 2) values; NaN where no leg of that side has one."""
    known = any_side(layout, np.isfinite(values))
    return np.where(known, total(layout, values), np.nan)


def known_sums(layout: Layout, now: Floats, change: Floats, held: Floats, least_share: float) -> Floats:
    """(S, 2) sum of the changes (R, 2) [units] of the open interest `now` (R, 2) [units] per side.

    NaN where the legs that know theirs hold less than `least_share` of the side's open interest `held` (S, 2) [units]:
    a change over part of a chain is another number.
    """
    covered = total(layout, np.where(np.isfinite(change), now, np.nan))
    return np.where(covered >= least_share * held, side_sums(layout, change), np.nan)


def share_pct(now: Floats, before: Floats) -> Floats:
    """Change of `now` over `before` in per cent of it; NaN where that is 0 or either is unknown."""
    return np.asarray(100.0 * (now - before) / np.where(before > 0, before, np.nan))


def any_row(layout: Layout, marks: Bools) -> Bools:
    """(S,) True where any row, either side, is marked."""
    flat = marks if marks.ndim == 1 else either(marks)
    return np.asarray(np.logical_or.reduceat(flat, layout.starts))


def any_side(layout: Layout, marks: Bools) -> Bools:
    """(S, 2) True where any row of that side is marked."""
    return np.asarray(np.logical_or.reduceat(marks, layout.starts, axis=0))


def running_total(layout: Layout, values: Floats) -> Floats:
    """(R,) sum over the rows of the segment up to and including each row; NaN counts as nothing.

    Values are laid out one segment a line, so that no segment's rounding depends on another's.
    """
    lengths = layout.ends - layout.starts
    place = np.arange(layout.rows) - layout.starts[layout.row_segment]
    table = np.zeros((layout.segments, int(lengths.max(initial=0))))
    table[layout.row_segment, place] = zeroed(values)
    return np.asarray(np.cumsum(table, axis=1)[layout.row_segment, place])


def strike_offset(layout: Layout, listed: Bools, atm_row: Ints) -> Floats:
    """(R,) signed count of listed strikes from the ATM row of the chain; NaN where there is none.

    `listed` (R, 2). Strikes that are not listed yet are not counted: a recording knows the whole day's ladder.
    """
    count = np.cumsum(either(listed)).astype(np.float64)  # whole numbers, hence exact across chains
    return np.asarray(count - at(count, atm_row)[layout.row_segment])


def newest(layout: Layout, times: Floats) -> Floats:
    """(S,) latest time of any leg, NaN where there is none."""
    flat = times if times.ndim == 1 else latest(times)
    return np.asarray(np.fmax.reduceat(flat, layout.starts))


def first_row(layout: Layout, marks: Bools) -> Ints:
    """(S,) first marked row of each segment, -1 where none is."""
    found = np.full(layout.segments, -1, dtype=np.int64)
    rows = np.flatnonzero(marks)[::-1]
    found[layout.row_segment[rows]] = rows  # the last assignment, which is the first row, stands
    return found


def last_row(layout: Layout, marks: Bools) -> Ints:
    """(S,) last marked row of each segment, -1 where none is."""
    found = np.full(layout.segments, -1, dtype=np.int64)
    rows = np.flatnonzero(marks)
    found[layout.row_segment[rows]] = rows  # the last assignment stands
    return found


def nearest_row(layout: Layout, marks: Bools, price: Floats) -> Ints:
    """(S,) marked row whose strike is nearest `price` (S,) [₹]; the lower strike of a tie; -1 where there is none."""
    distance = np.abs(layout.strike - price[layout.row_segment])
    distance = np.where(marks & np.isfinite(distance), np.round(distance, 6), np.inf)
    least = np.minimum.reduceat(distance, layout.starts)
    return first_row(layout, np.isfinite(distance) & (distance == least[layout.row_segment]))


def at(values: Floats, index: Ints) -> Floats:
    """Element of each index, NaN where it is -1."""
    if not len(values):
        return np.full((len(index), *values.shape[1:]), np.nan)
    taken = values[np.maximum(index, 0)].astype(np.float64)
    taken[index < 0] = np.nan
    return taken


def weighted_median(groups: Ints, values: Floats, weights: Floats, count: int) -> Floats:
    """(count,) weighted median of the values of each group; the mean of two middle values; NaN for an empty group.

    Values are laid out one group a line, so that no group's rounding depends on another's.
    """
    result = np.full(count, np.nan)
    if not len(values):
        return result
    order = np.lexsort((values, groups))
    groups, values, weights = groups[order], values[order], weights[order]
    present, first, sizes = np.unique(groups, return_index=True, return_counts=True)
    place = np.arange(len(values)) - np.repeat(first, sizes)
    line = np.repeat(np.arange(len(present)), sizes)
    table = np.full((len(present), sizes.max()), np.nan)
    heap = np.zeros_like(table)
    table[line, place], heap[line, place] = values, weights
    running = np.cumsum(heap, axis=1)
    half = running[:, -1:] / 2
    lines = np.arange(len(present))
    low = np.argmax(running >= half * (1 - 1e-12), axis=1)
    high = np.minimum(np.argmax(running > half * (1 + 1e-12), axis=1), sizes - 1)
    result[present] = (table[lines, low] + table[lines, high]) / 2
    return result


def words(codes: Ints | np.ndarray, texts: tuple[str, ...]) -> np.ndarray:
    """Object array of texts: element i is ``texts[codes[i]]``."""
    return np.array(texts, dtype=object)[np.asarray(codes, dtype=np.int64)]
