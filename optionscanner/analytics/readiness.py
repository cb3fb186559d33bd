"""The `readiness` reading: trade readiness (TRS) 0-100 of each underlying, with its four parts.

Structure 40 + trigger 30 + stability 20 + time 10, the same for bull and bear. Without a direction it is 0; with one
it is at least 20. Stale or thin data gives no reading at all.
"""

from __future__ import annotations

import numpy as np

from optionscanner.analytics.flow import beyond, has_begun
from optionscanner.analytics.price import stale_chains, usable_chains
from optionscanner.model.chains import Chains
from optionscanner.model.columns import READINESS
from optionscanner.model.contracts import Floats, Ints
from optionscanner.model.readings import Reading
from optionscanner.model.reasons import Reason
from optionscanner.model.settings import EngineSettings, ReadinessSettings
from optionscanner.model.state import State

ACTIONS = ("", "NO TRADE", "SMALL/HEDGED", "NORMAL", "AGGRESSIVE")
_PRESENT, _AGREES = 20.0, 20.0
_NEAR, _FAR = 30.0, 15.0
_STABLE, _PER_FLIP = 20.0, 5.0
_IN_TIME = 10.0


def readiness(
    chains: Chains, state: State, activity: Reading, settings: EngineSettings
) -> tuple[State, Reading]:
    """The state unchanged, and the reading; one row per underlying, from its nearest expiry.

    `activity` is this cycle's scan: its aligned events are the triggers.
    """
    layout = chains.layout
    front = layout.underlying_front
    usable = (front >= 0) & usable_chains(chains, settings)[front]
    direction = direction_of(state, settings)[front] * usable
    directed = direction != 0

    structure = np.where(directed, _PRESENT, 0.0)
    agrees = np.sign(np.nan_to_num(state.segment["ewma_delta"]))[front] == direction
    structure += np.where(directed & agrees, _AGREES, 0.0)
    trigger, top_event = _trigger(chains, activity, direction)
    stability = stability_part(np.nan_to_num(state.segment["unforgiven_flips"])[front])
    time = time_part(chains, settings.readiness)[front]
    total = np.where(directed, structure + trigger + stability + time, 0.0)

    def shown(values: Floats) -> Floats:
        return np.where(usable, values, np.nan)

    band = np.where(usable, action_band(total, settings.readiness), 0)
    text = np.select([direction > 0, direction < 0], ["BULLISH", "BEARISH"], "").astype(object)
    return state, Reading(
        READINESS,
        {
            "readiness": shown(total),
            "action": np.array(ACTIONS, dtype=object)[band],
            "direction": text,
            "structure": shown(structure),
            "trigger": shown(trigger),
            "stability": shown(stability),
            "time": shown(time),
            "top_event": top_event,
            "status": _status(chains, state, front, settings),
        },
    )


def direction_of(state: State, settings: EngineSettings) -> Ints:
    """(S,) 1, -1 or 0: the confirmed regime while the mean flow stands beyond the dead band on its side."""
    regime = np.nan_to_num(state.segment["regime"])
    flow = beyond(state.segment["flow_pct"], state.segment["flow_noise_pct"], settings.flow)
    return np.where(flow == regime, regime, 0.0).astype(np.int64)


def stability_part(unforgiven_flips: Floats) -> Floats:
    """0-20: 20 less 5 for each flip not yet forgiven."""
    return np.maximum(_STABLE - _PER_FLIP * unforgiven_flips, 0.0)


def time_part(chains: Chains, windows: ReadinessSettings) -> Floats:
    """(S,) 10, or 0 in the first and last minutes of the contracts' own session."""
    elapsed = chains.as_of - chains.day.session.opens.timestamp()
    left = chains.day.contract_close - chains.as_of
    inside = (elapsed >= 60.0 * windows.first_minutes) & (left > 60.0 * windows.last_minutes)
    return np.where(inside, _IN_TIME, 0.0)


def action_band(total: Floats, bands: ReadinessSettings) -> Ints:
    """Index into `ACTIONS`, 1-4, by the lower limit of each band."""
    limits = np.array([bands.small, bands.normal, bands.aggressive])
    return np.searchsorted(limits, total, side="right") + 1


def _trigger(chains: Chains, activity: Reading, direction: Ints) -> tuple[Floats, np.ndarray]:
    """(U,) trigger part, and the text of the event that made it: the best aligned event of the nearest expiry."""
    layout = chains.layout
    part = np.zeros(len(layout.names))
    text = np.full(len(layout.names), "", dtype=object)
    position = {name: i for i, name in enumerate(layout.names)}
    for event in np.flatnonzero(activity["aligned"] == 1):
        name = str(activity["underlying"][event])
        u = position[name]
        front = layout.segment_keys[layout.underlying_front[u]]
        if direction[u] == 0 or text[u] or front.expiry.isoformat() != activity["expiry"][event]:
            continue
        part[u] = _NEAR if str(activity["reason"][event]).endswith("near") else _FAR
        pressed = "B" if activity["side"][event] == "BUY" else "W"
        text[u] = (
            f"{activity['strike'][event]:g} {activity['option_type'][event]} "
            f"{activity['volume_oi_ratio'][event]:.1f} {pressed}"
        )
    return part, text


def _status(chains: Chains, state: State, front: Ints, settings: EngineSettings) -> np.ndarray:
    stale = stale_chains(chains, settings)[front]
    left_out = (chains.refused == Reason.QUARANTINED)[front] & (front >= 0)
    seen = np.isfinite(chains.stamped_at)[front] & (front >= 0)
    thin = ~(chains.coverage >= settings.open_interest.min_coverage)[front]
    reasons = (
        (left_out, Reason.QUARANTINED),
        (~seen, Reason.NOT_YET_OBSERVED),
        (stale, Reason.STALE),
        (thin, Reason.LOW_COVERAGE),
        (~has_begun(state)[front], Reason.NO_REGIME),
    )
    words = np.select([applies for applies, _ in reasons], [reason.words for _, reason in reasons], "")
    return words.astype(object)
