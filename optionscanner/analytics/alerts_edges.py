"""What every alert shares: an alert as it is told, and the edge at which it is."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from optionscanner.model.contracts import Bools, Floats, Layout
from optionscanner.model.state import State


@dataclass(frozen=True, slots=True)
class Told:
    """One alert of a chain."""

    segment: int
    alert: str
    direction: str
    """BULLISH, BEARISH or "" where it has none."""
    reason: str
    """Numbers against limits, one line."""


def front_chains(layout: Layout) -> Bools:
    """(S,) the nearest chain of each name."""
    nearest = np.zeros(layout.segments, dtype=bool)
    nearest[layout.underlying_front[layout.underlying_front >= 0]] = True
    return nearest


def edge(
    state: State, name: str, *, known: Bools, on: Bools, off: Bools, as_of: float, cool_down: float
) -> tuple[Bools, State]:
    """(S,) where something is to be told, and the state that knows it was: ``<name>_armed``, ``<name>_alerted_at``.

    It is told where `on` while armed, at least `cool_down` seconds after the last time, and armed again by `off`. What
    is not `known` now is neither told nor forgotten.
    """
    old = state.segment
    armed = np.where(np.isnan(old[f"{name}_armed"]), 1.0, old[f"{name}_armed"])
    cooled = ~(as_of - old[f"{name}_alerted_at"] < cool_down)
    fires = known & on & (armed == 1) & cooled
    armed = np.where(fires, 0.0, np.where(known & off, 1.0, armed))
    changes = {
        f"{name}_armed": np.where(known, armed, old[f"{name}_armed"]),
        f"{name}_alerted_at": np.where(fires, as_of, old[f"{name}_alerted_at"]),
    }
    return fires, state.updated(segment=changes)


def zones(value: Floats, before: Floats, *, lower: float, upper: float, margin: float) -> Floats:
    """(S,) 1 above `upper`, -1 below `lower`, 0 once back inside by `margin`, else as `before`; NaN values change none.

    On the limits themselves a value is inside.
    """
    inside = (value <= upper - margin) & (value >= lower + margin)
    return np.select([value > upper, value < lower, inside], [1.0, -1.0, 0.0], before)
