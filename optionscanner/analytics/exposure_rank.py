"""The `exposure_rank` reading: gamma exposure beside that of earlier sessions at the close, and beside turnover.

A fixed number of crore says nothing: one strike of an index holds what a stock never sees. So today's exposure has its
place among the name's own of the last 60 closes, and is stated as a share of what trades in the name on a usual day.
"""

from __future__ import annotations

import numpy as np

from optionscanner.analytics.volatility_rank import place
from optionscanner.model.chains import Chains
from optionscanner.model.columns import EXPOSURE_RANK
from optionscanner.model.contracts import CALL, PUT, Floats
from optionscanner.model.exposures import GEX_SIGNS, SESSIONS, PastExposure
from optionscanner.model.readings import Reading
from optionscanner.model.settings import EngineSettings
from optionscanner.model.state import State

LOW = 5.0
"""Percentile at or below which exposure is extreme."""


def exposure_rank(
    chains: Chains, state: State, totals: Reading, settings: EngineSettings, *, past: PastExposure | None
) -> tuple[State, Reading]:
    """The state as it came, and the reading; one row per underlying, from the reading `exposure_total`."""
    names = chains.layout.names
    known = PastExposure.none(names) if past is None else past.on(names)
    sign = GEX_SIGNS[settings.exposure.gex_sign][CALL]
    history = sign * (known.sizes[:, :, CALL] - known.sizes[:, :, PUT]).T
    gex = np.asarray(totals["gex"], dtype=np.float64)
    _, percentile, sessions, _, _ = place(gex, history)
    enough = sessions >= SESSIONS
    low = np.full(len(names), np.nan)
    if enough.any():  # of these every session is known
        low[enough] = np.percentile(history[enough], LOW, axis=1)
    columns = {
        "gex_percentile": np.where(enough, percentile, np.nan),
        "sessions": sessions,
        "gex_low": low,
        "extreme": np.where(gex <= low, "LOW", "").astype(object),
        "turnover": known.turnover,
        "gex_turnover_pct": 100.0 * gex / known.turnover,
        "status": _status(gex, sessions, known.turnover, totals["status"]),
    }
    return state, Reading(EXPOSURE_RANK, columns)


def _status(gex: Floats, sessions: Floats, turnover: Floats, why_no_gex: np.ndarray) -> np.ndarray:
    texts = np.full(len(gex), "", dtype=object)
    texts[np.isnan(turnover)] = "turnover of too few sessions"
    for i in np.flatnonzero(sessions < SESSIONS):
        texts[i] = f"GEX history of {sessions[i]:.0f} sessions, {SESSIONS} needed"
    blank = np.isnan(gex)
    texts[blank] = why_no_gex[blank]
    return texts
