"""The `volume_oi_profile` reading: what volume over OI is usual in each name's nearest chain, every quarter of an hour.

It is stored for the sessions to come: `model/usual.py` measures a leg against it at the same time of the day. A chain
is noted at its first usable observation in the quarter, an index not on the day it expires.
"""

from __future__ import annotations

import numpy as np

from optionscanner.analytics.price import usable_chains
from optionscanner.model.chains import Chains
from optionscanner.model.columns_unusual import VOLUME_OI_PROFILE
from optionscanner.model.contracts import Bools, Floats, Ints
from optionscanner.model.readings import Reading
from optionscanner.model.settings import EngineSettings
from optionscanner.model.state import State
from optionscanner.model.usual import SHARES, SLOT_S, SLOTS


def volume_oi_profile(chains: Chains, state: State, settings: EngineSettings) -> tuple[State, Reading]:
    """State that knows which quarters are noted, and one row for each chain that is noted in this cycle."""
    layout = chains.layout
    noted = state.segment["profile_slot"]
    slot = np.clip(np.floor(since_open(chains, chains.stamped_at) / SLOT_S), 0.0, SLOTS - 1.0)
    nearest = np.zeros(layout.segments, dtype=bool)
    nearest[layout.underlying_front[layout.underlying_front >= 0]] = True
    due = nearest & chains.updated & usable_chains(chains, settings) & ~expiring(chains) & ~(noted >= slot)
    segments = np.flatnonzero(due)
    legs, ratios = _shares(chains, segments)
    enough = legs >= settings.unusual.least_legs
    state = state.updated(segment={"profile_slot": np.where(due, slot, noted)})
    segments, legs, ratios = segments[enough], legs[enough], ratios[enough]
    keys = [layout.segment_keys[s] for s in segments.tolist()]
    columns: dict[str, np.ndarray] = {
        "underlying": np.array([k.underlying for k in keys], dtype=object),
        "expiry": np.array([k.expiry.isoformat() for k in keys], dtype=object),
        "slot": slot[segments],
        "legs": legs.astype(np.float64),
    }
    columns |= {f"ratio_{share:.0f}": ratios[:, i] for i, share in enumerate(SHARES)}
    return state, Reading(VOLUME_OI_PROFILE, columns)


def since_open(chains: Chains, instants: Floats) -> Floats:
    """Seconds of the session at instants [s since 1970 UTC]; NaN stays NaN."""
    return np.asarray(instants - chains.day.session.opens.timestamp())


def expiring(chains: Chains) -> Bools:
    """(S,) index chains that expire today: every strike of theirs trades many times its open interest."""
    layout = chains.layout
    today = layout.segment_expiry == chains.day.session.date.toordinal()
    return np.asarray(today & layout.is_index[layout.segment_underlying])


def traded_ratios(chains: Chains, segments: Ints) -> Floats:
    """(n, legs of the longest) volume over OI of the traded legs of each chain, NaN elsewhere.

    Open interest below one lot counts as one lot, as in the volume/OI scan.
    """
    layout = chains.layout
    lengths = layout.ends[segments] - layout.starts[segments]
    place = np.arange(int(lengths.max(initial=0)))
    inside = place[None, :] < lengths[:, None]
    rows = np.where(inside, layout.starts[segments][:, None] + place, 0)
    lot = layout.segment_lot_size[segments][:, None, None]
    volume, interest = chains.legs.volume[rows], chains.legs.open_interest[rows]
    ratio = np.where(volume > 0, volume / np.maximum(interest, lot), np.nan)
    return np.where(inside[:, :, None], ratio, np.nan).reshape(len(segments), 2 * len(place))


def _shares(chains: Chains, segments: Ints) -> tuple[Ints, Floats]:
    """(n,) traded legs of each chain, and (n, shares) the ratios below which `SHARES` of them lie."""
    ratios = np.sort(traded_ratios(chains, segments), axis=1)  # NaN stands last
    legs = np.isfinite(ratios).sum(axis=1)
    found = np.full((len(segments), len(SHARES)), np.nan)
    some = np.flatnonzero(legs)
    for i, share in enumerate(SHARES):
        place = share / 100.0 * (legs[some] - 1)
        low = np.floor(place).astype(np.int64)
        below, above = ratios[some, low], ratios[some, np.minimum(low + 1, legs[some] - 1)]
        found[some, i] = below + (place - low) * (above - below)
    return legs, found
