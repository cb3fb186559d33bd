"""What a market source hands over: one poll of some (underlying, expiry) chains, already in our units.

A source adapter makes these; `model.picture.MarketPicture` checks them once and folds them into the day's picture.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from optionscanner.model.contracts import Floats, Ints

LEG_QUANTITIES = ("last", "bid", "ask", "bid_quantity", "ask_quantity", "volume", "open_interest")
"""Quoted quantities of a leg or a future, in the order used everywhere: ₹, ₹, ₹, then units of the underlying."""

UNDERLYING_QUANTITIES = ("spot", "open", "high", "low", "previous_close", "volume")
"""Quoted quantities of an underlying: ₹ (index points), and units for the volume."""


def _none() -> Ints:
    return np.empty(0, dtype=np.int64)


@dataclass(frozen=True, eq=False)
class Observation:
    """One poll, seen at `observed_at`. Absent columns mean that the source had none; NaN means not quoted.

    It says all there is about the rows it holds: a quantity that it lacks is blank from now on.
    """

    observed_at: float
    """When the source saw it, seconds since 1970 UTC: the clock that a replay steps on."""
    segments: Ints
    """(k,) the (underlying, expiry) chains that were polled, as indices into the layout's segments."""
    stamped_at: Floats
    """(k,) when the market says these quotes were made, seconds since 1970 UTC; `observed_at` where it says nothing."""
    rows: Ints
    """(n,) strike rows of the layout that were seen, each at most once; all belong to `segments`."""
    legs: dict[str, Floats]
    """name of `LEG_QUANTITIES` -> (n, 2); also `price_at`, `open_interest_at` [s since 1970 UTC] where the source
    knows them."""
    underlyings: Ints = field(default_factory=_none)
    """(u,) indices of underlyings that were seen."""
    underlying_values: dict[str, Floats] = field(default_factory=dict)
    """name of `UNDERLYING_QUANTITIES` -> (u,)."""
    futures: Ints = field(default_factory=_none)
    """(f,) indices of futures that were seen."""
    future_values: dict[str, Floats] = field(default_factory=dict)
    """name of `LEG_QUANTITIES` -> (f,)."""
    unreadable: int = 0
    """How many strikes of this poll the adapter could not place in the layout (unknown strike or expiry)."""
    vix: float = float("nan")
    """India VIX in per cent, NaN where the source has none."""

