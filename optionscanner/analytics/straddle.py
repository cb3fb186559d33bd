"""The `straddle` reading: volume-weighted mean of the straddle at the money through the day, and its rolls.

Weighting: between two observations of a chain, the units traded in both legs of the strike that was at the money at
the first of them weigh that strike's straddle at the second. So every interval counts once, also one in which another
strike came to be at the money; what was traded before the first observation has no known price and no weight.
"""

from __future__ import annotations

import numpy as np

from optionscanner.analytics import segments
from optionscanner.analytics.price import straddles
from optionscanner.model import pairs
from optionscanner.model.chains import Chains
from optionscanner.model.columns import STRADDLE
from optionscanner.model.contracts import Bools, Floats
from optionscanner.model.pricing import Pricing
from optionscanner.model.readings import Reading
from optionscanner.model.settings import EngineSettings
from optionscanner.model.state import State


def straddle(chains: Chains, pricing: Pricing, state: State, _: EngineSettings) -> tuple[State, Reading]:
    """State with the day's traded straddles and rolls, and the reading; one row per (underlying, expiry)."""
    premium = straddles(pricing)
    state = _with_traded(chains, pricing, state, premium)
    day, now = state.segment, segments.at(premium, pricing.atm_row)
    traded = day["straddle_volume"]
    vwap = day["straddle_value"] / np.where(traded > 0, traded, np.nan)
    reading = Reading(
        STRADDLE,
        {
            "vwap": vwap,
            "volume": traded,
            "above_vwap_pct": 100.0 * (now - vwap) / np.where(vwap > 0, vwap, np.nan),
            "open_strike": day["straddle_first_strike"],
            "rolls": day["straddle_rolls"],
            "rolled_at": day["straddle_rolled_at"],
            "rolled_from": day["straddle_rolled_from"],
            "status": _status(now, day["straddle_strike"], vwap),
        },
    )
    return state, reading


def _with_traded(chains: Chains, pricing: Pricing, state: State, premium: Floats) -> State:
    """State with this observation's interval added, and the strike at the money that the next one begins with."""
    layout, old = chains.layout, state.segment
    units = pairs.added(chains.legs.volume)
    strike = segments.at(layout.strike, pricing.atm_row)
    seen: Bools = chains.updated & np.isfinite(strike)
    before = old["straddle_strike"]
    held = layout.rows_of(np.arange(layout.segments), np.nan_to_num(before))
    traded = segments.at(units, held) - old["straddle_units"]
    price = segments.at(premium, held)
    counts = seen & (traded > 0) & np.isfinite(price)
    rolled = seen & np.isfinite(before) & (strike != before)

    def added(name: str, more: Floats, where: Bools) -> Floats:
        return np.where(where, np.nan_to_num(old[name]) + more, old[name])

    return state.updated(
        segment={
            "straddle_value": added("straddle_value", traded * price, counts),
            "straddle_volume": added("straddle_volume", traded, counts),
            "straddle_strike": np.where(seen, strike, before),
            "straddle_units": np.where(seen, segments.at(units, pricing.atm_row), old["straddle_units"]),
            "straddle_first_strike": np.where(
                seen & np.isnan(old["straddle_first_strike"]), strike, old["straddle_first_strike"]
            ),
            "straddle_rolls": added("straddle_rolls", rolled.astype(np.float64), seen),
            "straddle_rolled_at": np.where(rolled, chains.stamped_at, old["straddle_rolled_at"]),
            "straddle_rolled_from": np.where(rolled, before, old["straddle_rolled_from"]),
        }
    )


def _status(now: Floats, strike: Floats, vwap: Floats) -> np.ndarray:
    lacking = [np.isnan(strike), np.isnan(now), np.isnan(vwap)]
    reasons = ["no strike at the money yet", "a leg at the money has no price", "no trade between two observations"]
    return np.select(lacking, reasons, "").astype(object)
