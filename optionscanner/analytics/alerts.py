"""Alerts of a cycle: edge-triggered, re-armed with hysteresis, cooled down; each crossing is told once."""

from __future__ import annotations

import numpy as np

from optionscanner.analytics.flow import dead_band
from optionscanner.model.chains import Chains
from optionscanner.model.columns import ALERTS
from optionscanner.model.readings import Reading
from optionscanner.model.settings import EngineSettings
from optionscanner.model.state import State


def alerts(chains: Chains, state: State, readiness: Reading, settings: EngineSettings) -> tuple[State, Reading]:
    """State with what was told, and the alerts of this cycle, in layout order."""
    layout, told = chains.layout, state.segment
    front = layout.underlying_front
    fronts = front[front >= 0]
    score = np.full(layout.segments, np.nan)
    score[fronts] = np.asarray(readiness["readiness"], dtype=float)[front >= 0]
    limits = settings.readiness
    known = chains.updated & np.isfinite(score)
    armed = np.where(np.isnan(told["readiness_armed"]), 1.0, told["readiness_armed"])
    cooled = ~(chains.as_of - told["readiness_alerted_at"] < settings.alerts.cool_down)
    rises = known & (score >= limits.aggressive) & (armed == 1) & cooled
    armed = np.where(rises, 0.0, np.where(known & (score < settings.alerts.rearm_below), 1.0, armed))
    armed = np.where(known, armed, told["readiness_armed"])

    flips = np.nan_to_num(told["flips"])
    flipped = chains.updated & (flips > np.nan_to_num(told["flip_alerted"]))
    flipped[np.setdiff1d(np.arange(layout.segments), fronts)] = False
    if not settings.alerts.stock_flips:
        flipped &= layout.is_index[layout.segment_underlying]

    direction = np.nan_to_num(told["regime"])
    band = dead_band(told["flow_noise_pct"], settings.flow)
    rows: list[tuple[str, str, str, str]] = []
    for segment in np.flatnonzero(rises | flipped):
        name = layout.names[layout.segment_underlying[segment]]
        way = "BULLISH" if direction[segment] > 0 else "BEARISH"
        if rises[segment]:
            limit = f"TRS {score[segment]:.0f} >= {limits.aggressive:.0f}"
            rows.append((name, "READINESS", way, limit))
        if flipped[segment]:
            share = f"ATM flow {told['flow_pct'][segment]:+.2f} % beyond {band[segment]:.2g} %, twice"
            rows.append((name, "REGIME_FLIP", way, share))
    state = state.updated(
        segment={
            "readiness_armed": armed,
            "readiness_alerted_at": np.where(rises, chains.as_of, told["readiness_alerted_at"]),
            "flip_alerted": np.where(flipped, flips, told["flip_alerted"]),
        }
    )
    texts = {n: np.array([r[i] for r in rows], dtype=object) for i, n in enumerate(ALERTS.names[1:])}
    return state, Reading(ALERTS, {"at": np.full(len(rows), chains.as_of)} | texts)
