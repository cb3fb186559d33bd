"""The `volatility_rank` reading: 30-day volatility of each underlying, and its place among the sessions of the year.

Today's value and those of the past days are had alike: volatility at the money at a constant maturity of 30 days.
"""

from __future__ import annotations

import numpy as np

from optionscanner.analytics import segments
from optionscanner.analytics.maturity import constant_maturity
from optionscanner.model.chains import Chains
from optionscanner.model.columns import VOLATILITY_RANK
from optionscanner.model.contracts import Floats
from optionscanner.model.pricing import Pricing
from optionscanner.model.readings import Reading
from optionscanner.model.settings import EngineSettings
from optionscanner.model.state import State


def volatility_rank(chains: Chains, pricing: Pricing, state: State, settings: EngineSettings) -> tuple[State, Reading]:
    """State with the day's first 30-day volatility, and the reading; one row per underlying."""
    layout, daily = chains.layout, chains.day.daily
    count, front = len(layout.names), layout.underlying_front
    monthly, days = constant_maturity(layout.segment_underlying, pricing.time_to_expiry, pricing.atm_volatility, count)
    state = _with_first(chains, state, monthly)
    history = daily.iv_history if daily is not None and daily.iv_dates else np.empty((count, 0))
    rank, percentile, sessions, low, high = place(monthly, history)
    enough = sessions >= settings.volatility.least_sessions
    columns = {
        "iv_30": monthly,
        "days": days,
        "iv_30_change": monthly - segments.at(state.segment["iv_30_first"], front),
        "slope_30": monthly - segments.at(pricing.atm_volatility, front),
        "iv_rank": np.where(enough, rank, np.nan),
        "iv_percentile": np.where(enough, percentile, np.nan),
        "sessions": sessions,
        "iv_low": low,
        "iv_high": high,
        "status": _status(monthly, sessions, settings.volatility.least_sessions),
    }
    return state, Reading(VOLATILITY_RANK, columns)


def place(now: Floats, history: Floats) -> tuple[Floats, Floats, Floats, Floats, Floats]:
    """(U,) rank 0-100, percentile 0-100, sessions counted, lowest and highest, of `now` (U,) in `history` (U, D).

    Rank is (now - low) / (high - low), held within 0-100, NaN where all sessions are equal; percentile the share of
    sessions strictly below. NaN in the history is a session that is not known and does not count.
    """
    sessions = np.isfinite(history).sum(axis=1).astype(np.float64)
    low, high = (reduce(history, axis=1, initial=np.nan) for reduce in (np.fmin.reduce, np.fmax.reduce))
    spread = high - low
    rank = np.clip((now - low) / np.where(spread > 0, spread, np.nan), 0.0, 1.0) * 100.0
    below = (history < now[:, None]).sum(axis=1)
    known = np.isfinite(now) & (sessions > 0)
    percentile = np.where(known, 100.0 * below / np.maximum(sessions, 1.0), np.nan)
    return rank, percentile, sessions, low, high


def _with_first(chains: Chains, state: State, monthly: Floats) -> State:
    """State with the day's first 30-day volatility of each underlying, in the row of its nearest expiry."""
    layout, old = chains.layout, state.segment["iv_30_first"]
    owner = layout.segment_underlying
    nearest = layout.underlying_front[owner] == np.arange(layout.segments)
    first = nearest & chains.updated & np.isnan(old)
    return state.updated(segment={"iv_30_first": np.where(first, monthly[owner], old)})


def _status(monthly: Floats, sessions: Floats, least: int) -> np.ndarray:
    texts = np.full(len(monthly), "", dtype=object)
    for i in np.flatnonzero(sessions < least):
        texts[i] = f"IV history of {sessions[i]:.0f} sessions, {least} needed"
    texts[np.isnan(monthly)] = "no volatility at 30 days"
    return texts
