"""The `settlement` reading: where contracts that expire today are likely to settle, and what the next expiry costs.

Contracts settle on an average over the last half hour, or on the price of the closing auction; the day's session says
which, and from when. The average weighs each spot by the time that it stood; the exchange's own, which weighs the
trades of every member of an index, is not known while it runs.
"""

from __future__ import annotations

import numpy as np

from optionscanner.analytics import segments
from optionscanner.analytics.volatility import expiry_words, next_segment
from optionscanner.model.chains import Chains
from optionscanner.model.columns import SETTLEMENT
from optionscanner.model.contracts import Bools, Floats
from optionscanner.model.readings import Reading
from optionscanner.model.settings import EngineSettings
from optionscanner.model.state import State


def settlement(chains: Chains, state: State, price: Reading, settings: EngineSettings) -> tuple[State, Reading]:
    """State with the running sums of the window, and the reading: a row for each name with an expiry today."""
    layout, session = chains.layout, chains.day.session
    today = layout.segment_expiry == session.date.toordinal()
    begins = np.nan if session.settlement_from is None else session.settlement_from.timestamp()
    by_average = session.settles_by == "average"
    if by_average and today.any():
        state = _with_window(chains, state, today, begins, settings)
    rows = np.flatnonzero(today)
    ends, spot = layout.segment_horizon[rows], chains.spot[rows]
    total, counted = (np.nan_to_num(state.segment[name][rows]) for name in ("settle_sum", "settle_seconds"))
    average = total / np.where(counted > 0, counted, np.nan)
    reached = chains.stamped_at[rows]
    left = np.clip(ends - np.maximum(reached, begins), 0.0, None)
    estimate = (total + np.where(left > 0, spot * left, 0.0)) / np.where(counted + left > 0, counted + left, np.nan)
    if not by_average:
        average, estimate = np.full(len(rows), np.nan), spot
    estimate = np.where(reached >= begins, estimate, np.nan)
    following = next_segment(layout)[rows]
    straddle = np.asarray(price["straddle"], dtype=np.float64)
    further = segments.at(straddle, following)
    reading = Reading(
        SETTLEMENT,
        {
            "underlying": np.array([layout.names[u] for u in layout.segment_underlying[rows]], dtype=object),
            "expiry": expiry_words(layout, rows),
            "minutes_left": np.clip(ends - chains.as_of, 0.0, None) / 60.0,
            "method": np.full(len(rows), session.settles_by, dtype=object),
            "average": average,
            "minutes_counted": np.where(counted > 0, counted / 60.0, np.nan),
            "estimate": estimate,
            "next_expiry": expiry_words(layout, following),
            "next_straddle": further,
            "roll_cost": further - straddle[rows],
            "status": _status(chains, estimate, spot),
        },
    )
    return state, reading


def _with_window(chains: Chains, state: State, today: Bools, begins: float, settings: EngineSettings) -> State:
    """State with the time since the last observation added, at the spot that stood then.

    A spot stands until the next one, but no longer than until its name would be stale: after that it is not known.
    """
    layout, old = chains.layout, state.segment
    stale = settings.stale
    holds = np.maximum(stale.grey_refreshes * chains.day.refresh[layout.segment_underlying], stale.at_least)
    at, last_at = chains.stamped_at, old["settle_at"]
    moved = today & chains.updated & np.isfinite(chains.spot)
    until = np.minimum(np.minimum(at, layout.segment_horizon), last_at + holds)
    seconds = np.clip(until - np.maximum(last_at, begins), 0.0, None)
    counts = moved & (seconds > 0)

    def added(name: str, more: Floats) -> Floats:
        return np.where(counts, np.nan_to_num(old[name]) + more, old[name])

    return state.updated(
        segment={
            "settle_sum": added("settle_sum", seconds * old["settle_spot"]),
            "settle_seconds": added("settle_seconds", seconds),
            "settle_at": np.where(moved, at, last_at),
            "settle_spot": np.where(moved, chains.spot, old["settle_spot"]),
        }
    )


def _status(chains: Chains, estimate: Floats, spot: Floats) -> np.ndarray:
    session = chains.day.session
    texts = np.full(len(estimate), "", dtype=object)
    if session.settlement_from is None:
        texts[:] = "when settlement is measured today is not known"
    else:
        texts[np.isnan(estimate)] = f"measured from {session.settlement_from:%H:%M}"
    texts[np.isnan(spot)] = "no spot"
    return texts
