"""The `price` reading: forward, volatility at the money, straddle, and how good the chain's data is."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from optionscanner.analytics import segments
from optionscanner.model.chains import Chains, is_stale
from optionscanner.model.columns import PRICE
from optionscanner.model.contracts import Bools, Floats
from optionscanner.model.pairs import added
from optionscanner.model.pricing import ForwardSource, Pricing
from optionscanner.model.readings import Reading
from optionscanner.model.reasons import Reason
from optionscanner.model.settings import EngineSettings
from optionscanner.model.state import State

_SOURCES = tuple(source.word for source in ForwardSource)
_FAR_FORWARD_PCT = 1.0


def price(chains: Chains, pricing: Pricing, state: State, settings: EngineSettings) -> tuple[State, Reading]:
    """State with the day's first values, and the reading; one row per (underlying, expiry)."""
    layout, spots = chains.layout, chains.underlyings
    owner = layout.segment_underlying
    straddle = segments.at(straddles(pricing), pricing.atm_row)
    # The first engine of a cycle begins the marks of what the cycle changes.
    state = replace(state, touched=chains.updated.copy(), stepped=np.zeros(layout.segments, dtype=bool))
    state = _day_values(state, chains.updated, atm_iv=pricing.atm_volatility, straddle=straddle)
    state = _opening_range(chains, state, settings)
    day = state.segment
    spot, previous = chains.spot, spots.previous_close[owner]
    quoted = np.isfinite(pricing.price)
    without_iv = segments.total(layout, added((quoted & np.isnan(pricing.implied_volatility)).astype(np.float64)))
    reading = Reading(
        PRICE,
        {
            "spot": spot,
            "spot_change": spot - previous,
            "spot_change_pct": (spot - previous) / previous * 100.0,
            "forward": pricing.forward,
            "forward_source": segments.words(pricing.forward_source, _SOURCES),
            "future_price": pricing.future_price,
            "basis": pricing.future_price - spot,
            "rate": np.full(layout.segments, pricing.rate),
            "time_to_expiry": pricing.time_to_expiry,
            "atm_strike": segments.at(layout.strike, pricing.atm_row),
            "straddle": straddle,
            "expected_move": pricing.atm_volatility * pricing.forward * np.sqrt(pricing.time_to_expiry),
            "atm_iv": pricing.atm_volatility,
            "atm_iv_change": pricing.atm_volatility - day["atm_iv_first"],
            "straddle_open": day["straddle_open"],
            "straddle_high": day["straddle_high"],
            "straddle_low": day["straddle_low"],
            "opening_high": day["opening_high"],
            "opening_low": day["opening_low"],
            "coverage": chains.coverage,
            "legs_without_iv": without_iv,
            "price_time": chains.stamped_at,
            "open_interest_time": segments.newest(layout, chains.legs.open_interest_at),
            "status": status(chains, pricing, settings),
        },
    )
    return state, reading


def straddles(pricing: Pricing) -> Floats:
    """(R,) call plus put of each strike [₹]; NaN where either has no price of today."""
    # A price of an earlier day, or one above the underlying's, is no part of today's straddle.
    void = np.isin(pricing.iv_reason, (Reason.NOT_TRADED_TODAY, Reason.AT_OR_ABOVE_UPPER_BOUND))
    return added(np.where(void, np.nan, pricing.price))


def status(chains: Chains, pricing: Pricing, settings: EngineSettings) -> np.ndarray:
    """(S,) texts: the first thing that is wrong with each chain, empty where nothing is."""
    layout = chains.layout
    stale = stale_chains(chains, settings)
    age = chains.as_of - chains.stamped_at
    carry = settings.pricing.rate - settings.pricing.dividend_yield
    apart = (pricing.forward / (chains.spot * np.exp(carry * pricing.time_to_expiry)) - 1.0) * 100.0
    far = (np.abs(apart) > _FAR_FORWARD_PCT) & layout.is_index[layout.segment_underlying]
    spot_fault = chains.underlyings.fault[layout.segment_underlying]
    texts = np.full(layout.segments, "", dtype=object)
    for i in np.flatnonzero(far):
        texts[i] = f"forward {apart[i]:+.1f} % off spot carried to expiry"
    texts[np.isnan(chains.spot)] = Reason.SPOT_ZERO.words
    texts[spot_fault == Reason.SPOT_ABSURD] = Reason.SPOT_ABSURD.words
    texts[np.isnan(pricing.forward)] = Reason.NO_FORWARD.words
    for i in np.flatnonzero(chains.coverage < settings.open_interest.min_coverage):
        texts[i] = f"{np.floor(100 * chains.coverage[i]):.0f} % of legs seen"
    for i in np.flatnonzero(chains.refused != Reason.OK):
        texts[i] = f"refused: {Reason(int(chains.refused[i])).words}"
    for i in np.flatnonzero(stale & np.isfinite(age)):
        texts[i] = f"stale {age[i]:.0f} s"
    texts[np.isnan(chains.stamped_at) & (chains.refused == Reason.OK)] = Reason.NOT_YET_OBSERVED.words
    texts[chains.refused == Reason.QUARANTINED] = Reason.QUARANTINED.words
    return texts


def stale_chains(chains: Chains, settings: EngineSettings) -> Bools:
    """(S,) True where a chain is too old to signal, by the refresh promised to its underlying."""
    return is_stale(chains, refreshes=settings.stale.grey_refreshes, at_least=settings.stale.at_least)


def usable_chains(chains: Chains, settings: EngineSettings) -> Bools:
    """(S,) True where whole-chain numbers may be given: fresh, and enough legs seen."""
    return ~stale_chains(chains, settings) & (chains.coverage >= settings.open_interest.min_coverage)


def _day_values(state: State, updated: Bools, *, atm_iv: Floats, straddle: Floats) -> State:
    """State with the day's first volatility and the straddle's open, high and low brought up to date."""
    old = state.segment

    def first(name: str, value: Floats) -> Floats:
        return np.where(updated & np.isnan(old[name]), value, old[name])

    return state.updated(
        segment={
            "atm_iv_first": first("atm_iv_first", atm_iv),
            "straddle_open": first("straddle_open", straddle),
            "straddle_high": np.where(updated, np.fmax(old["straddle_high"], straddle), old["straddle_high"]),
            "straddle_low": np.where(updated, np.fmin(old["straddle_low"], straddle), old["straddle_low"]),
        }
    )


def _opening_range(chains: Chains, state: State, settings: EngineSettings) -> State:
    """State with the highest and lowest price of the first minutes: the source's own of the day so far, else spots."""
    owner, spots, old = chains.layout.segment_underlying, chains.underlyings, state.segment
    until = chains.day.session.opens.timestamp() + settings.windows.opening_range
    early = chains.updated & (chains.stamped_at <= until)
    if not early.any():
        return state
    high, low = np.fmax(spots.spot, spots.high)[owner], np.fmin(spots.spot, spots.low)[owner]
    return state.updated(
        segment={
            "opening_high": np.where(early, np.fmax(old["opening_high"], high), old["opening_high"]),
            "opening_low": np.where(early, np.fmin(old["opening_low"], low), old["opening_low"]),
        }
    )
