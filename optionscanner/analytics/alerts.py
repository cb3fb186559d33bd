"""Alerts of a cycle: edge-triggered, re-armed with hysteresis, cooled down; each crossing is told once.

Here stand readiness and regime flips; those of open interest in `alerts_open_interest.py`, of gamma in
`alerts_gamma.py`. Nothing is told of a chain that is stale, thin or not observed anew.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from optionscanner.analytics.alerts_edges import Told, edge, front_chains
from optionscanner.analytics.alerts_gamma import gamma_flips
from optionscanner.analytics.alerts_open_interest import ratio_turns, unusual_signals, window_breaches
from optionscanner.analytics.flow import dead_band
from optionscanner.model.chains import Chains
from optionscanner.model.columns import ALERTS
from optionscanner.model.readings import Reading
from optionscanner.model.settings import EngineSettings
from optionscanner.model.state import State


def alerts(
    chains: Chains,
    state: State,
    made: Mapping[str, Reading],
    settings: EngineSettings,
    tracked: tuple[str, ...] = (),
) -> tuple[State, Reading]:
    """State with what was told, and the alerts of this cycle, in layout order.

    `made` holds the readings of the cycle; an alert whose reading is absent is not told. `tracked` are the names whose
    changes over minutes are watched.
    """
    told: list[Told] = []
    if "readiness" in made:
        state = _readiness(chains, state, made["readiness"], settings, told)
    state = _regime_flips(chains, state, settings, told)
    if "unusual_activity" in made:
        state = unusual_signals(chains, state, made["unusual_activity"], settings, told)
    if "exposure_total" in made:
        state = gamma_flips(chains, state, made["exposure_total"], settings, told)
    if "open_interest" in made:
        state = ratio_turns(chains, state, made["open_interest"], settings, told)
    if {"open_interest_legs", "price"} <= made.keys():
        state = window_breaches(chains, state, made, settings, told, tracked=tracked)
    told.sort(key=lambda one: one.segment)  # stable: kinds stay in the order above
    layout = chains.layout
    rows = [
        (layout.names[layout.segment_underlying[one.segment]], one.alert, one.direction, one.reason) for one in told
    ]
    texts = {n: np.array([r[i] for r in rows], dtype=object) for i, n in enumerate(ALERTS.names[1:])}
    return state, Reading(ALERTS, {"at": np.full(len(rows), chains.as_of)} | texts)


def _way(direction: float) -> str:
    return "BULLISH" if direction > 0 else "BEARISH"


def _readiness(chains: Chains, state: State, reading: Reading, settings: EngineSettings, told: list[Told]) -> State:
    """A name's score reaches the top band."""
    layout, limits = chains.layout, settings.readiness
    front = layout.underlying_front
    score = np.full(layout.segments, np.nan)
    score[front[front >= 0]] = np.asarray(reading["readiness"], dtype=float)[front >= 0]
    known = chains.updated & np.isfinite(score)
    rises, state = edge(
        state,
        "readiness",
        known=known,
        on=score >= limits.aggressive,
        off=score < settings.alerts.rearm_below,
        as_of=chains.as_of,
        cool_down=settings.alerts.cool_down,
    )
    direction = np.nan_to_num(state.segment["regime"])
    for segment in np.flatnonzero(rises).tolist():
        limit = f"TRS {score[segment]:.0f} >= {limits.aggressive:.0f}"
        told.append(Told(segment, "READINESS", _way(direction[segment]), limit))
    return state


def _regime_flips(chains: Chains, state: State, settings: EngineSettings, told: list[Told]) -> State:
    """The flow's regime turns between bullish and bearish."""
    layout, old = chains.layout, state.segment
    flips = np.nan_to_num(old["flips"])
    flipped = chains.updated & (flips > np.nan_to_num(old["flip_alerted"])) & front_chains(layout)
    if not settings.alerts.stock_flips:
        flipped &= layout.is_index[layout.segment_underlying]
    direction = np.nan_to_num(old["regime"])
    band = dead_band(old["flow_noise_pct"], settings.flow)
    for segment in np.flatnonzero(flipped).tolist():
        share = f"ATM flow {old['flow_pct'][segment]:+.2f} % beyond {band[segment]:.2g} %, twice"
        told.append(Told(segment, "REGIME_FLIP", _way(direction[segment]), share))
    return state.updated(segment={"flip_alerted": np.where(flipped, flips, old["flip_alerted"])})
