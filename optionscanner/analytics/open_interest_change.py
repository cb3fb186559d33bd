"""The `open_interest_change` reading: what each chain's calls and puts added over every window, and the trend."""

from __future__ import annotations

import numpy as np

from optionscanner.analytics import segments
from optionscanner.model.anchors import WINDOWS
from optionscanner.model.chains import Chains
from optionscanner.model.columns import OPEN_INTEREST_CHANGE
from optionscanner.model.contracts import CALL, PUT, Floats
from optionscanner.model.pairs import added, both, either, zeroed
from optionscanner.model.readings import Reading
from optionscanner.model.reasons import Reason
from optionscanner.model.settings import EngineSettings, WindowSettings
from optionscanner.model.state import State

TRENDS = ("", "FALLING", "FLAT", "RISING")


def open_interest_change(
    chains: Chains, state: State, legs: Reading, settings: EngineSettings
) -> tuple[State, Reading]:
    """The state unchanged, and the reading; one row per (underlying, expiry). `legs` are this cycle's."""
    layout, windows, least = chains.layout, settings.windows, settings.open_interest.min_coverage
    now, end = state.leg["read_open_interest"], state.anchors.newest
    held = segments.side_sums(layout, now)
    columns: dict[str, np.ndarray] = {"window_time": end}
    pairs: dict[str, Floats] = {}
    shares: dict[str, Floats] = {}
    for name in map(str, (*WINDOWS, "open", "close")):
        change = np.asarray(legs[f"change_{name}"], dtype=np.float64)
        pairs[name] = segments.known_sums(layout, now, change, held, least)
        before = added(segments.side_sums(layout, now - change))
        shares[name] = segments.share_pct(before + added(pairs[name]), before)
    for name in map(str, (*WINDOWS, "open")):
        pair = pairs[name]
        columns[f"call_change_{name}"], columns[f"put_change_{name}"] = pair[:, CALL], pair[:, PUT]
    for minutes in WINDOWS:
        columns[f"from_{minutes}"] = covered_from(state, minutes, windows)
        beyond = segments.total(layout, added(zeroed(np.asarray(legs[f"breach_{minutes}"], dtype=np.float64))))
        columns[f"breaches_{minutes}"] = np.where(either(np.isfinite(pairs[str(minutes)])), beyond, np.nan)
    closed, opened = (both(np.isfinite(pairs[name])) for name in ("close", "open"))
    shares["day"] = np.where(closed, shares["close"], shares["open"])
    for name in ("5", "30", "day"):
        columns[f"change_{name}_pct"] = shares[name]
        columns[f"trend_{name}"] = segments.words(trend(shares[name], windows), TRENDS)
    columns["day_since"] = np.select([closed, opened], ["close", "open"], "").astype(object)
    columns["status"] = np.where(np.isfinite(end), "", Reason.NO_OPEN_INTEREST.words).astype(object)
    return state, Reading(OPEN_INTEREST_CHANGE, columns)


def covered_from(state: State, minutes: int, windows: WindowSettings) -> Floats:
    """(S,) instant from which a window will be covered [s since 1970 UTC]; NaN where it is, or nothing was observed."""
    anchors, begins = state.anchors, state.anchors.newest - 60.0 * minutes
    covered = anchors.any_within(begins - windows.patience, begins + windows.early)
    return np.where(covered, np.nan, anchors.first_after(begins) + 60.0 * minutes)


def trend(pct: Floats, windows: WindowSettings) -> np.ndarray:
    """Index into `TRENDS` of each change [%]."""
    band = windows.open_interest_band_pct
    return np.select([np.isnan(pct), pct < -band, pct > band], [0, 1, 3], 2)
