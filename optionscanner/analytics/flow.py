"""The `flow` reading: exponential means of open-interest flow per (underlying, expiry), and the regime they make.

Writer's view: puts opened support the price (+), calls opened cap it (-). The clock of this engine is open interest's
own: it steps on each distinct observation of open interest, whatever the prices do in between.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from optionscanner.analytics import segments
from optionscanner.model.chains import Chains
from optionscanner.model.columns import FLOW
from optionscanner.model.contracts import CALL, PUT, Bools, Floats
from optionscanner.model.pricing import Pricing
from optionscanner.model.readings import Reading
from optionscanner.model.reasons import Reason
from optionscanner.model.settings import EngineSettings, FlowSettings
from optionscanner.model.state import State

REGIMES = {1: "BULLISH", -1: "BEARISH", 0: "NEUTRAL"}


def flow(chains: Chains, pricing: Pricing, state: State, settings: EngineSettings) -> tuple[State, Reading]:
    """State after this observation, and the reading; one row per (underlying, expiry).

    A chain steps when open interest of a leg differs from the last step, at least `min_step` seconds after it, and a
    forward is known. Its first observation, and one after a gap, only set the base.
    """
    layout, legs, parameters = chains.layout, chains.legs, settings.flow
    old = state.segment
    based = segments.any_row(layout, np.isfinite(state.leg["base_open_interest"]))
    change = legs.open_interest - state.leg["base_open_interest"]
    differs = segments.any_row(layout, np.isfinite(change) & (change != 0))
    elapsed = chains.stamped_at - old["stepped_at"]
    known = chains.updated & segments.any_row(layout, np.isfinite(legs.open_interest))
    rebase = known & (~based | (elapsed > parameters.reset_gap))
    step = known & ~rebase & differs & (elapsed >= parameters.min_step) & np.isfinite(pricing.forward)

    weight = atm_weights(chains, pricing, parameters)
    flows = flow_sums(chains, pricing, change, weight)
    alpha = 1.0 - np.exp2(-elapsed / parameters.half_life)
    new: dict[str, Floats] = {}
    for (name, last), mean in zip(flows.items(), ("ewma_net", "ewma_atm", "ewma_delta"), strict=True):
        seeded = np.where(np.isnan(old[mean]), last, old[mean] + alpha * (last - old[mean]))
        new[mean] = np.where(step, seeded, np.where(rebase, np.nan, old[mean]))
        new[name] = np.where(step, last, np.where(rebase, np.nan, old[name]))
    weighted = segments.total(layout, weight * np.nan_to_num(legs.open_interest).sum(axis=1))
    share = 100.0 * new["ewma_atm"] / np.where(weighted > 0, weighted, np.nan)
    new["flow_pct"] = np.where(step, share, np.where(rebase, np.nan, old["flow_pct"]))
    new["stepped_at"] = np.where(step | rebase, chains.stamped_at, old["stepped_at"])
    new["steps"] = np.nan_to_num(old["steps"]) + step
    new |= _regime(
        old, new["flow_pct"], step=step, rebase=rebase, stamped_at=chains.stamped_at, parameters=parameters
    )

    stepped = (step | rebase)[layout.row_segment][:, None]
    moved = step[layout.row_segment][:, None]
    state = state.updated(segment=new, leg=_leg_values(state, chains, pricing, stepped=stepped, moved=moved))
    state = replace(state, touched=chains.updated.copy(), stepped=step | rebase)
    return state, _reading(state, has_interest=segments.any_row(layout, np.isfinite(legs.open_interest)))


def atm_weights(chains: Chains, pricing: Pricing, parameters: FlowSettings) -> Floats:
    """(R,) weight exp(-|K - F| / (scale x strike step)); NaN without a forward. A lone strike counts in full."""
    layout = chains.layout
    distance = np.abs(layout.strike - pricing.forward[layout.row_segment])
    step = layout.strike_step[layout.row_segment]
    return np.asarray(np.exp(-distance / (parameters.atm_scale * np.where(np.isnan(step), np.inf, step))))


def flow_sums(chains: Chains, pricing: Pricing, change: Floats, weight: Floats) -> dict[str, Floats]:
    """(S,) net, ATM-weighted and delta-weighted flow [units] of the change (R, 2) in open interest.

    net = sum(dP - dC); atm = sum w_K (dP - dC); delta = sum(|delta_P| dP - delta_C dC). A leg without a delta, which
    has not traded today, takes no part in the third.
    """
    layout = chains.layout
    known = np.nan_to_num(change)
    net = known[:, PUT] - known[:, CALL]
    by_delta = np.nan_to_num(np.abs(pricing.delta)) * known
    return {
        "net_flow": segments.total(layout, net),
        "atm_flow": segments.total(layout, weight * net),
        "delta_flow": segments.total(layout, by_delta[:, PUT] - by_delta[:, CALL]),
    }


def _leg_values(
    state: State, chains: Chains, pricing: Pricing, *, stepped: Bools, moved: Bools
) -> dict[str, Floats]:
    """(R, 2) base values for the next step, and what changed over the one just taken."""
    old = state.leg
    values: dict[str, Floats] = {}
    for base, change, now in (
        ("base_open_interest", "open_interest_flow", chains.legs.open_interest),
        ("base_price", "price_change", pricing.price),
        ("base_iv", "iv_change", pricing.implied_volatility),
    ):
        values[change] = np.where(moved, now - old[base], np.where(stepped, np.nan, old[change]))
        values[base] = np.where(stepped & np.isfinite(now), now, old[base])
    return values


def _regime(
    old: Mapping[str, Floats],
    flow_pct: Floats,
    *,
    step: Bools,
    rebase: Bools,
    stamped_at: Floats,
    parameters: FlowSettings,
) -> dict[str, Floats]:
    """Confirmed regime, its candidate, and flips, after this observation.

    A sign beyond the dead band becomes the regime when two observations in a row show it. A change between bullish
    and bearish, also by way of neutral, is a flip; every other observation forgives one.
    """
    before = {n: np.nan_to_num(v) for n, v in old.items()}
    sign = np.where(np.abs(flow_pct) > parameters.dead_band_pct, np.sign(flow_pct), 0.0)
    confirmed = step & (sign != before["regime"]) & (sign == old["candidate"])
    regime = np.where(confirmed, sign, before["regime"])
    flipped = confirmed & (sign != 0) & (before["directed"] != 0) & (sign != before["directed"])
    forgiven = np.maximum(before["unforgiven_flips"] - 1, 0)
    after = {
        "regime": regime,
        "regime_since": np.where(confirmed, stamped_at, old["regime_since"]),
        "candidate": np.where(step, sign, old["candidate"]),
        "directed": np.where(confirmed & (sign != 0), sign, before["directed"]),
        "flips": before["flips"] + flipped,
        "unforgiven_flips": np.where(
            flipped, before["unforgiven_flips"] + 1, np.where(step, forgiven, before["unforgiven_flips"])
        ),
    }
    after["regime"] = np.where(rebase, 0.0, after["regime"])
    after["candidate"] = np.where(rebase, np.nan, after["candidate"])
    return after


def _reading(state: State, *, has_interest: Bools) -> Reading:
    values = state.segment
    begun = values["steps"] > 0
    regime = np.where(begun, values["regime"], np.nan)
    texts = np.select([regime == 1, regime == -1, regime == 0], [REGIMES[1], REGIMES[-1], REGIMES[0]], "")
    status = np.where(
        begun, "", np.where(has_interest, "one OI observation so far", Reason.NO_OPEN_INTEREST.words)
    )
    columns = {c.name: values[c.name] for c in FLOW.columns if c.name in values}
    columns["regime_since"] = np.where(begun, values["regime_since"], np.nan)
    return Reading(FLOW, columns | {"regime": texts.astype(object), "status": status.astype(object)})
