"""The `flow` reading: exponential means of open-interest flow per (underlying, expiry), and the regime they make.

Writer's view: puts opened support the price (+), calls opened cap it (-). The clock of this engine is open interest's
own: it steps on each distinct observation of open interest, whatever the prices do in between.

What counts as a flow is measured against the chain's own noise, the usual size of its steps. On recorded days that
noise is heavy-tailed, differs tenfold between names and hardly persists from step to step: a fixed dead band calls a
regime on half of the names at any time, and one large step lifts the mean beyond any band for half an hour. Hence a
regime begins only where two steps in a row are themselves many times the usual size, and the mean agrees.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from optionscanner.analytics import segments
from optionscanner.model.chains import Chains
from optionscanner.model.columns import FLOW
from optionscanner.model.contracts import CALL, PUT, Bools, Floats
from optionscanner.model.pairs import added, zeroed
from optionscanner.model.pricing import Pricing
from optionscanner.model.readings import Reading
from optionscanner.model.reasons import Reason
from optionscanner.model.settings import EngineSettings, FlowSettings
from optionscanner.model.state import State

_CLIP = 6.0
"""A step counts for the noise with at most this many times its size: what is to be found must not hide itself."""
_PRIOR_STEPS = 3.0
"""Steps for which the assumed usual size counts beside those seen."""

REGIMES = {1: "BULLISH", -1: "BEARISH", 0: "NEUTRAL"}


def flow(chains: Chains, pricing: Pricing, state: State, settings: EngineSettings) -> tuple[State, Reading]:
    """State after this observation, and the reading; one row per (underlying, expiry).

    A chain steps when open interest of a leg differs from the last step, at least `min_step` seconds after it, and a
    forward is known. Its first observation, and the first one `reset_gap` seconds after the last step, only set the
    base. A leg that is new at a step begins with it.
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
    weighted = segments.total(layout, weight * added(zeroed(legs.open_interest)))
    share = 100.0 * new["ewma_atm"] / np.where(weighted > 0, weighted, np.nan)
    new["flow_pct"] = np.where(step, share, np.where(rebase, np.nan, old["flow_pct"]))
    new["stepped_at"] = np.where(step | rebase, chains.stamped_at, old["stepped_at"])
    new["steps"] = np.where(step | rebase, np.nan_to_num(old["steps"]) + step, old["steps"])
    own_pct = 100.0 * flows["atm_flow"] / np.where(weighted > 0, weighted, np.nan)
    sign = _signs(old, new["flow_pct"], own_pct, parameters)
    # A step that speaks for another regime is not yet known to be noise; it would raise what the next has to exceed.
    usual_step = step & ((sign == 0) | (sign == np.nan_to_num(old["regime"])))
    new["flow_noise_pct"] = np.where(usual_step, noise_after(old, own_pct, elapsed, parameters), old["flow_noise_pct"])
    new |= _regime(old, sign, step=step, rebase=rebase, stamped_at=chains.stamped_at)

    based_now = (step | rebase)[layout.row_segment][:, None]
    moved = step[layout.row_segment][:, None]
    state = state.updated(segment=new, leg=_leg_values(state, chains, pricing, based=based_now, moved=moved))
    state = replace(state, touched=chains.updated.copy(), stepped=state.stepped | step | rebase)
    return state, _reading(state, has_interest=segments.any_row(layout, np.isfinite(legs.open_interest)))


def atm_weights(chains: Chains, pricing: Pricing, parameters: FlowSettings) -> Floats:
    """(R,) weight exp(-|K - F| / (scale x strike step)); NaN without a forward. A lone strike counts in full."""
    layout = chains.layout
    distance = np.abs(layout.strike - pricing.forward[layout.row_segment])
    step = layout.strike_step[layout.row_segment]
    return np.asarray(np.exp(-distance / (parameters.atm_scale * np.where(np.isnan(step), np.inf, step))))


def flow_sums(chains: Chains, pricing: Pricing, change: Floats, weight: Floats) -> dict[str, Floats]:
    """(S,) net, ATM-weighted and delta-weighted flow [units] of the change (R, 2) in open interest.

    net = sum(dP - dC); atm = sum w_K (dP - dC); delta = sum(|delta_P| dP - delta_C dC).
    """
    layout = chains.layout
    known = zeroed(change)
    net = known[:, PUT] - known[:, CALL]
    by_delta = zeroed(delta_sizes(chains, pricing)) * known
    return {
        "net_flow": segments.total(layout, net),
        "atm_flow": segments.total(layout, weight * net),
        "delta_flow": segments.total(layout, by_delta[:, PUT] - by_delta[:, CALL]),
    }


def delta_sizes(chains: Chains, pricing: Pricing) -> Floats:
    """(R, 2) size of each leg's delta, 0-1; where there is no volatility, that of the intrinsic value.

    Without it a deep leg, whose price says nothing about volatility, would weigh nothing where it ought to weigh 1.
    """
    layout = chains.layout
    discount = np.exp(-pricing.rate * pricing.time_to_expiry)[layout.row_segment]
    above = np.sign(pricing.forward[layout.row_segment] - layout.strike)
    intrinsic = 0.5 * discount[:, None] * (1.0 + np.stack([above, -above], axis=1))
    return np.where(np.isfinite(pricing.delta), np.abs(pricing.delta), intrinsic)


def dead_band(noise_pct: Floats, parameters: FlowSettings) -> Floats:
    """Half width [%] of the band in which a mean flow is neutral; at least `dead_band_pct`, wider for a noisy chain."""
    return np.fmax(parameters.dead_band_pct, parameters.dead_band_noise * noise_pct)


def beyond(flow_pct: Floats, noise_pct: Floats, parameters: FlowSettings) -> Floats:
    """1 or -1 where flow_pct lies beyond the dead band, 0 within it, on its edge or without a flow."""
    return np.where(np.abs(flow_pct) > dead_band(noise_pct, parameters), np.sign(flow_pct), 0.0)


def noise_after(old: Mapping[str, Floats], own_pct: Floats, elapsed: Floats, parameters: FlowSettings) -> Floats:
    """(S,) usual size of a step [%] after one of `own_pct` [%], `elapsed` seconds after the one before.

    An exponential mean of sizes over measured time. While few steps are known it is their plain mean, with
    `usual_flow_pct` as if seen a few times; a step larger than `_CLIP` times the mean counts as that.
    """
    before = usual(old, parameters)
    weight = 1.0 - np.exp2(-elapsed / parameters.noise_half_life)
    weight = np.maximum(weight, 1.0 / (np.nan_to_num(old["steps"]) + 1.0 + _PRIOR_STEPS))
    size = np.minimum(np.abs(own_pct), _CLIP * before)
    return np.where(np.isfinite(size), before + weight * (size - before), before)


def usual(state: Mapping[str, Floats], parameters: FlowSettings) -> Floats:
    """(S,) usual size of a step [%]: the chain's own, or the assumed one before its first."""
    noise = state["flow_noise_pct"]
    return np.where(np.isnan(noise), parameters.usual_flow_pct, noise)


def has_begun(state: State) -> Bools:
    """(S,) chains that have taken a step since they were last given a base: before it nothing is known of the flow."""
    return np.isfinite(state.segment["ewma_net"])


def _leg_values(
    state: State, chains: Chains, pricing: Pricing, *, based: Bools, moved: Bools
) -> dict[str, Floats]:
    """(R, 2) base values for the next step, and what changed over the one just taken."""
    old = state.leg
    values: dict[str, Floats] = {}
    for base, change, now in (
        ("base_open_interest", "open_interest_flow", chains.legs.open_interest),
        ("base_price", "price_change", pricing.price),
        ("base_iv", "iv_change", pricing.implied_volatility),
    ):
        values[change] = np.where(moved, now - old[base], np.where(based, np.nan, old[change]))
        values[base] = np.where(based & np.isfinite(now), now, old[base])
    return values


def _signs(old: Mapping[str, Floats], flow_pct: Floats, own_pct: Floats, parameters: FlowSettings) -> Floats:
    """(S,) for which regime this step speaks: 1, -1 or 0.

    A mean beyond the dead band speaks for the regime that stands. For another one the step's own flow must do so too,
    with `least_flow_noise` times the usual size, and the chain have taken `warm_up_steps` before it.
    """
    mean = beyond(flow_pct, old["flow_noise_pct"], parameters)
    known = np.nan_to_num(old["steps"]) >= parameters.warm_up_steps
    large = own_pct * mean > parameters.least_flow_noise * usual(old, parameters)
    return np.where((mean == np.nan_to_num(old["regime"])) | (large & known), mean, 0.0)


def _regime(
    old: Mapping[str, Floats], sign: Floats, *, step: Bools, rebase: Bools, stamped_at: Floats
) -> dict[str, Floats]:
    """Confirmed regime, its candidate, and flips, after this observation, which speaks for `sign`.

    A sign becomes the regime when two observations in a row speak for it. A change between bullish and bearish, also
    by way of neutral, is a flip. An observation that neither makes a flip nor speaks against the last directed regime
    is stable and forgives one: forgiven by the observation that proposes the next flip, flips could never add up.
    """
    before = {n: np.nan_to_num(old[n]) for n in ("regime", "directed", "flips", "unforgiven_flips")}
    confirmed = step & (sign != before["regime"]) & (sign == old["candidate"])
    regime = np.where(confirmed, sign, before["regime"])
    flipped = confirmed & (sign != 0) & (before["directed"] != 0) & (sign != before["directed"])
    against = (sign != 0) & (sign == -before["directed"])
    stable = step & ~flipped & ~against
    unforgiven = np.maximum(before["unforgiven_flips"] + flipped - stable, 0)
    after = {
        "regime": np.where(rebase, 0.0, regime),
        "regime_since": np.where(confirmed, stamped_at, np.where(rebase, np.nan, old["regime_since"])),
        "candidate": np.where(step, sign, np.where(rebase, np.nan, old["candidate"])),
        "directed": np.where(confirmed & (sign != 0), sign, before["directed"]),
        "flips": before["flips"] + flipped,
        "unforgiven_flips": unforgiven,
    }
    # Chains without a new observation keep their row to the bit.
    return {name: np.where(step | rebase, values, old[name]) for name, values in after.items()}


def _reading(state: State, *, has_interest: Bools) -> Reading:
    values = state.segment
    begun = has_begun(state)
    regime = np.where(begun, values["regime"], np.nan)
    texts = np.select([regime == 1, regime == -1, regime == 0], [REGIMES[1], REGIMES[-1], REGIMES[0]], "")
    status = np.where(
        begun, "", np.where(has_interest, "one OI observation so far", Reason.NO_OPEN_INTEREST.words)
    )
    columns = {c.name: values[c.name] for c in FLOW.columns if c.name in values}
    columns["regime_since"] = np.where(begun, values["regime_since"], np.nan)
    return Reading(FLOW, columns | {"regime": texts.astype(object), "status": status.astype(object)})
