"""GAMMA_FLIP: the dealers' gamma of a name changes its sign, as its spot crosses the gamma flip.

The sign is that of GEX over all expiries, under the convention in force. Within `gamma_band_pct` of the flip it says
nothing, nor does a stock's GEX within `stock_gamma_pct` of all its gamma. Beyond, a new sign is told once two
observations in a row have it, so that a spot which trembles at the flip rings no bell. The alert names the new sign:
negative gamma amplifies moves, positive gamma dampens them, whichever way the spot went.
"""

from __future__ import annotations

import numpy as np

from optionscanner.analytics.alerts_edges import Told, front_chains
from optionscanner.analytics.price import usable_chains
from optionscanner.model.chains import Chains
from optionscanner.model.readings import Reading
from optionscanner.model.settings import EngineSettings
from optionscanner.model.state import State

_WORDS = {1.0: "gamma POSITIVE, dampens", -1.0: "gamma NEGATIVE, amplifies"}


def gamma_flips(chains: Chains, state: State, totals: Reading, settings: EngineSettings, told: list[Told]) -> State:
    """State after this observation, from the reading `exposure_total`; what is to be told is added to `told`."""
    layout, old = chains.layout, state.segment
    owner = layout.segment_underlying
    gex, share, flip, distance = (
        totals[name].astype(np.float64)[owner]
        for name in ("gex", "gex_share_pct", "gamma_flip", "gamma_flip_distance_pct")
    )
    known = front_chains(layout) & chains.updated & usable_chains(chains, settings) & np.isfinite(gex)
    if not settings.alerts.stock_gamma:
        known &= layout.is_index[owner]
    # Without a flip in range the sign is the same everywhere near, and certain.
    near = np.abs(distance) <= settings.alerts.gamma_band_pct
    small = ~layout.is_index[owner] & (np.abs(share) <= settings.alerts.stock_gamma_pct)
    sign = np.where(near | small, 0.0, np.sign(gex))
    said = known & (sign != 0)
    first = said & np.isnan(old["gamma_side"])
    confirmed = said & (sign == old["gamma_candidate"]) & (sign == -old["gamma_side"])
    cooled = ~(chains.as_of - old["gamma_alerted_at"] < settings.alerts.cool_down)
    turned = confirmed & cooled
    convention = totals["convention"][owner]
    spot = chains.spot
    for segment in np.flatnonzero(turned).tolist():
        where = f"no flip within {settings.exposure.flip_range_pct:g} %"
        if np.isfinite(flip[segment]):
            above = "above" if distance[segment] < 0 else "below"
            price = spot[segment] if np.isfinite(spot[segment]) else flip[segment] / (1 + distance[segment] / 100.0)
            limit = settings.alerts.gamma_band_pct
            where = f"spot {price:.10g} {abs(distance[segment]):.2f} % > {limit:g} % {above} flip {flip[segment]:.2f}"
        words = f"{_WORDS[float(sign[segment])]}: {where}, GEX {share[segment]:+.1f} %, 2 obs ({convention[segment]})"
        told.append(Told(segment, "GAMMA_FLIP", "", words))
    return state.updated(
        segment={
            "gamma_candidate": np.where(known, sign, old["gamma_candidate"]),
            "gamma_side": np.where(first | turned, sign, old["gamma_side"]),
            "gamma_alerted_at": np.where(turned, chains.as_of, old["gamma_alerted_at"]),
        }
    )
