"""The `open_interest_legs` reading: open interest of every leg against 3, 5, 10, 15 and 30 minutes ago, open and close.

A change has two ends, and both are *distinct observations* of the chain's open interest: polls at which some leg's
differed from the one before. Repetitions are no data: between two publications of the exchange nothing is known to have
stayed. So windows end at the newest distinct observation, their changes stand until the next one, and a leg's change is
0 only where the chain was published anew and the leg was not changed.

What stands for an instant is the newest distinct observation at or before it that saw the leg, at most `patience`
seconds older: the exchange publishes about every three minutes. A gap, a start in the middle of the day or a strike
that was not polled leaves the window blank, with the reason.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from optionscanner.analytics import segments
from optionscanner.analytics.build_up import build_up_codes
from optionscanner.model.anchors import WINDOWS
from optionscanner.model.chains import Chains
from optionscanner.model.columns import OPEN_INTEREST_LEGS
from optionscanner.model.contracts import Floats
from optionscanner.model.readings import Reading
from optionscanner.model.reasons import Reason
from optionscanner.model.settings import EngineSettings, WindowSettings
from optionscanner.model.state import State


def open_interest_legs(chains: Chains, state: State, settings: EngineSettings) -> tuple[State, Reading]:
    """State with this cycle's distinct observations, and the reading: one row per strike, pairs (call, put)."""
    state = observed(chains, state, settings.windows)
    anchors, windows = state.anchors, settings.windows
    end = anchors.newest
    known = np.isfinite(state.leg["read_open_interest"])
    now = anchors.standing(end, known, patience=windows.patience)
    none = np.where(chains.listed, float(Reason.NO_OPEN_INTEREST), float(Reason.NOT_YET_OBSERVED))
    blank = np.where(known, float(Reason.WINDOW_NOT_COVERED), none)
    columns: dict[str, Floats] = {}
    for minutes, limit in zip(WINDOWS, windows.limits, strict=True):
        before = anchors.standing(end - 60.0 * minutes, known, patience=windows.patience, early=windows.early)
        change, pct = now - before, segments.share_pct(now, before)
        columns[f"change_{minutes}"], columns[f"pct_{minutes}"] = change, pct
        beyond = (np.abs(pct) > limit) & (limit > 0)
        absent = np.isnan(pct)
        columns[f"breach_{minutes}"] = np.where(absent, np.nan, beyond)
        why = np.where(np.isnan(change), blank, float(Reason.NOTHING_BEFORE))
        columns[f"reason_{minutes}"] = np.where(absent, why, float(Reason.OK))
    newest, day = state.leg["read_open_interest"], chains.day
    for name, before in (("open", state.leg["open_open_interest"]), ("close", day.previous_open_interest)):
        columns[f"change_{name}"], columns[f"pct_{name}"] = newest - before, segments.share_pct(newest, before)
    columns["build_up"] = _day_build_up(chains, state, windows)
    columns["build_up_step"] = _step_build_up(state, windows)
    return state, Reading(OPEN_INTEREST_LEGS, columns)


def observed(chains: Chains, state: State, windows: WindowSettings) -> State:
    """State with an anchor of every chain whose open interest was observed to differ from the last time.

    A leg takes part where it was seen since its chain's last anchor. What came and went between two cycles of ours
    was never observed by us.
    """
    layout, legs, old = chains.layout, chains.legs, state.leg
    row_segment = layout.row_segment
    last = state.anchors.newest[row_segment][:, None]
    current = chains.updated[row_segment][:, None] & ~(legs.seen_at <= last)
    readings = np.where(current, legs.open_interest, np.nan)
    seen = np.isfinite(readings)
    distinct = segments.any_row(layout, seen & (readings != old["read_open_interest"]))
    taken = seen & distinct[row_segment][:, None]
    at_open = taken & (legs.seen_at <= chains.day.session.opens.timestamp() + windows.open_within)
    first = at_open & np.isnan(old["open_open_interest"])
    state = state.updated(
        leg={
            "read_open_interest": np.where(taken, readings, old["read_open_interest"]),
            "open_open_interest": np.where(first, readings, old["open_open_interest"]),
            "open_price": np.where(at_open & np.isnan(old["open_price"]), legs.last, old["open_price"]),
        }
    )
    interest, paid = (np.where(taken, values, np.nan) for values in (readings, legs.last))
    anchors = state.anchors.added(distinct, chains.stamped_at, interest, paid)
    return replace(state, touched=chains.updated.copy(), stepped=state.stepped | distinct, anchors=anchors)


def _day_build_up(chains: Chains, state: State, windows: WindowSettings) -> Floats:
    """(R, 2) build-up code since the previous close, since the open where that is not known."""
    day, leg = chains.day, state.leg
    closed = np.isfinite(day.previous_open_interest) & np.isfinite(day.previous_close)
    interest = np.where(closed, day.previous_open_interest, leg["open_open_interest"])
    price = np.where(closed, day.previous_close, leg["open_price"])
    return build_up_codes(
        segments.share_pct(chains.legs.last, price), segments.share_pct(leg["read_open_interest"], interest), windows
    )


def _step_build_up(state: State, windows: WindowSettings) -> Floats:
    """(R, 2) build-up code over the last step of the flow."""
    leg = state.leg
    interest, price = leg["base_open_interest"], leg["base_price"]
    price_pct = segments.share_pct(price, price - leg["price_change"])
    return build_up_codes(price_pct, segments.share_pct(interest, interest - leg["open_interest_flow"]), windows)
