"""The `volatility` reading: skew at 25 delta of every expiry, and its place in the term structure.

The smile is read from out-of-the-money legs whose volatility is reliable, and interpolated in delta between the two
strikes around 25 delta. Where none lie around it, or they lie far apart, the skew is blank: it would be a guess.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from optionscanner.analytics import segments
from optionscanner.model.chains import Chains
from optionscanner.model.columns import VOLATILITY
from optionscanner.model.contracts import CALL, PUT, Bools, Floats, Ints, Layout
from optionscanner.model.pricing import Pricing
from optionscanner.model.readings import Reading
from optionscanner.model.reasons import Reason
from optionscanner.model.settings import EngineSettings
from optionscanner.model.state import State

WING = 0.25
"""Size of the delta at which skew is measured."""


def volatility(chains: Chains, pricing: Pricing, state: State, settings: EngineSettings) -> tuple[State, Reading]:
    """State with the smile of the session's first minutes, and the reading; one row per (underlying, expiry)."""
    layout = chains.layout
    wings = [wing(layout, pricing, side, settings.volatility.delta_gap) for side in (CALL, PUT)]
    (call_iv, call_strike), (put_iv, put_strike) = wings
    following = next_segment(layout)
    at_money = pricing.atm_volatility
    next_iv = segments.at(at_money, following)
    reading = Reading(
        VOLATILITY,
        {
            "call_iv_25": call_iv,
            "put_iv_25": put_iv,
            "call_strike_25": call_strike,
            "put_strike_25": put_strike,
            "risk_reversal_25": call_iv - put_iv,
            "butterfly_25": (call_iv + put_iv) / 2 - at_money,
            "next_expiry": expiry_words(layout, following),
            "slope_next": next_iv - at_money,
            "forward_iv": _forward_iv(pricing, following, next_iv),
            "status": _status(at_money, call_iv, put_iv),
        },
    )
    return _with_open(chains, pricing, state, settings.windows.open_within), reading


def wing(layout: Layout, pricing: Pricing, side: int, gap: float) -> tuple[Floats, Floats]:
    """(S,) volatility and strike [₹] at 25 delta of the calls or puts (`side`).

    Linear in delta between the two neighbouring reliable strikes around it, nearest the money if there are several
    such pairs; NaN where there is none, or where their deltas differ by more than `gap`.
    """
    size = np.abs(pricing.delta[:, side])
    forward = pricing.forward[layout.row_segment]
    out = layout.strike >= forward if side == CALL else layout.strike <= forward
    usable = out & (pricing.iv_reason[:, side] == Reason.OK) & np.isfinite(size)
    rows = np.flatnonzero(usable & np.isfinite(pricing.surface_volatility))
    if side == PUT:
        rows = rows[::-1]  # from the money outwards, as for calls
    inner, outer = rows[:-1], rows[1:]
    around = (layout.row_segment[inner] == layout.row_segment[outer]) & (size[inner] >= WING) & (size[outer] <= WING)
    inner, outer = inner[around][::-1], outer[around][::-1]
    near, far = (np.full(layout.segments, -1, dtype=np.int64) for _ in range(2))
    near[layout.row_segment[inner]] = inner  # the last assignment, nearest the money, stands
    far[layout.row_segment[outer]] = outer
    wide = segments.at(size, near) - segments.at(size, far)
    share = np.where(wide > 0, (segments.at(size, near) - WING) / np.where(wide > 0, wide, 1.0), 0.0)
    share = np.where(wide <= gap, share, np.nan)

    def between(values: Floats) -> Floats:
        low = segments.at(values, near)
        return np.asarray(low + share * (segments.at(values, far) - low))

    return between(pricing.surface_volatility), between(layout.strike)


def next_segment(layout: Layout) -> Ints:
    """(S,) the following expiry of the same underlying, -1 where it has none."""
    following = np.arange(1, layout.segments + 1)
    owner = np.append(layout.segment_underlying, -1)
    return np.where(owner[following] == layout.segment_underlying, following, -1)


def expiry_words(layout: Layout, chosen: Ints) -> np.ndarray:
    """The expiry date of each segment as ISO text, "" for -1."""
    texts = np.array([*(key.expiry.isoformat() for key in layout.segment_keys), ""], dtype=object)
    return texts[chosen]


def _forward_iv(pricing: Pricing, following: Ints, next_iv: Floats) -> Floats:
    """(S,) volatility from each expiry to the next; NaN where total variance would have to fall."""
    years = pricing.time_to_expiry
    later = segments.at(years, following)
    variance = next_iv**2 * later - pricing.atm_volatility**2 * years
    stretch = later - years
    possible = (variance > 0) & (stretch > 0)
    return np.sqrt(np.where(possible, variance, np.nan) / np.where(possible, stretch, 1.0))


def _status(at_money: Floats, call: Floats, put: Floats) -> np.ndarray:
    lacking = [np.isnan(at_money), np.isnan(call) & np.isnan(put), np.isnan(call), np.isnan(put)]
    reasons = ["no volatility at the money", "no reliable strikes around 25 delta",
               "no reliable calls around 25 delta", "no reliable puts around 25 delta"]  # fmt: skip
    return np.select(lacking, reasons, "").astype(object)


def _with_open(chains: Chains, pricing: Pricing, state: State, open_within: float) -> State:
    """State with the first volatility of each leg in the session's first minutes."""
    old = state.leg["open_iv"]
    early: Bools = chains.updated & (chains.stamped_at <= chains.day.session.opens.timestamp() + open_within)
    if not early.any():
        return state
    first = early[chains.layout.row_segment][:, None] & np.isnan(old) & np.isfinite(pricing.implied_volatility)
    state = state.updated(leg={"open_iv": np.where(first, pricing.implied_volatility, old)})
    return replace(state, stepped=state.stepped | segments.any_row(chains.layout, first))
