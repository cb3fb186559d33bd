"""Order of ranked rows that does not jump: the held order is a value, passed in and handed back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from optionscanner.model.contracts import Floats, Ints

TOP = 10
ENTERS_BY = 5.0
"""Points by which a row must pass the top ten's last one to be sorted in at once."""


@dataclass(frozen=True, slots=True)
class Order:
    """Names as they stand on the sheet, and when they were last sorted."""

    names: tuple[str, ...]
    sorted_at: float
    """Seconds since 1970 UTC, by the session's clock."""
    exposure: Order | None = None
    """Order of the stocks on EXPOSURE, which ranks them by another number."""


def ranked(names: Sequence[str], score: Floats, flow: Floats) -> Ints:
    """Positions by score, then size of flow, then name; absent scores last."""
    by_name = np.argsort(np.argsort(np.array(names, dtype=str), kind="stable"), kind="stable")
    return np.lexsort((by_name, -np.nan_to_num(np.abs(flow), nan=-1.0), -np.nan_to_num(score, nan=-1.0)))


def next_order(
    previous: Order | None, names: Sequence[str], score: Floats, flow: Floats, *, as_of: float, resort: float,
    held: bool = False,
) -> Order:  # fmt: skip
    """The order to show now.

    Sorted afresh once `resort` seconds have passed, or when a row outside the top ten has passed its last one by five
    points; in between, and while `held`, rows stay where they are, names that are gone close up and new ones follow.
    """
    best = tuple(names[i] for i in ranked(names, score, flow))
    # A clock that ran backwards means another session.
    if previous is None or as_of < previous.sorted_at:
        return Order(best, as_of)
    present = set(names)
    old = set(previous.names)
    kept = tuple(n for n in previous.names if n in present) + tuple(n for n in best if n not in old)
    if held:
        return Order(kept, previous.sorted_at)
    points = dict(zip(names, np.nan_to_num(score, nan=-1.0).tolist(), strict=True))
    top, rest = kept[:TOP], kept[TOP:]
    entered = bool(rest) and max(points[n] for n in rest) >= min(points[n] for n in top) + ENTERS_BY
    if entered or as_of - previous.sorted_at >= resort:
        return Order(best, as_of)
    return Order(kept, previous.sorted_at)
