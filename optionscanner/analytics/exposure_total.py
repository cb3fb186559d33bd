"""The `exposure_total` and `exposure_market` readings: exposure summed over the expiries of a name, and over names.

An underlying's numbers sum the expiries of the next `exposure.within_days` days that have an exposure now. They are
given while those hold the minimum share of its open interest, since a sum over half of it is another number.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from optionscanner.analytics import segments
from optionscanner.analytics.exposure import both_sides, flips_of, regimes, sign_words, summed
from optionscanner.model.chains import Chains
from optionscanner.model.columns import EXPOSURE_MARKET, EXPOSURE_TOTAL
from optionscanner.model.contracts import CALL, PUT, Bools, Floats, Ints
from optionscanner.model.exposures import LegExposures
from optionscanner.model.pairs import zeroed
from optionscanner.model.pricing import Pricing
from optionscanner.model.readings import Reading
from optionscanner.model.reasons import Reason
from optionscanner.model.settings import EngineSettings
from optionscanner.model.state import State

_OF_FLIP = ("gamma_flip", "flip_crossings")
_SCOPES = ("MARKET", "INDICES", "STOCKS")


def exposure_total(
    chains: Chains, pricing: Pricing, state: State, made: Mapping[str, Reading], settings: EngineSettings
) -> tuple[State, Reading]:
    """The state as it came, and the reading; one row per underlying, from `made`: `exposure_legs` and `exposure`."""
    layout, parameters = chains.layout, settings.exposure
    by_expiry, legs = made["exposure"], LegExposures.of(made["exposure_legs"])
    near = layout.segment_expiry - chains.day.session.date.toordinal() <= parameters.within_days
    used = near & (by_expiry["status"] == "")
    ladder, row = layout.merged
    owner = ladder.segment_underlying
    reference = segments.at(pricing.reference, layout.underlying_front)
    summed_legs = _merged(legs, used[layout.row_segment], row, ladder.rows)
    found = summed(ladder, summed_legs, reference[owner], parameters)
    given, status = _statuses(chains, by_expiry, near, used, settings)
    columns = {name: np.full(len(layout.underlyings), np.nan) for name in (*found, *_OF_FLIP)}
    for name, values in found.items():
        columns[name][owner] = values
    columns |= _flips(chains, pricing, by_expiry, used, settings)
    columns["gamma_flip_distance_pct"] = (columns["gamma_flip"] / reference - 1.0) * 100.0
    above = np.where(given, columns.pop("above"), np.nan)
    columns = {name: np.where(given, values, np.nan) for name, values in columns.items()}
    columns["expiries"] = np.where(given, _per_name(chains, used.astype(np.float64)), np.nan)
    columns["open_interest_time"] = _newest(chains, by_expiry["open_interest_time"], near)
    texts = regimes(columns["gex"], columns["gex_share_pct"], parameters)
    texts["gamma_above_flip"] = sign_words(above)
    texts["convention"] = np.full(len(layout.underlyings), parameters.gex_sign, dtype=object)
    return state, Reading(EXPOSURE_TOTAL, columns | texts | {"status": status})


def exposure_market(
    chains: Chains, state: State, totals: Reading, settings: EngineSettings
) -> tuple[State, Reading]:
    """The state as it came, and sums over all names, indices and stocks, from the reading `exposure_total`."""
    index = chains.layout.is_index
    given = np.isfinite(totals["gex"].astype(np.float64))
    columns: dict[str, list[object]] = {name: [] for name in EXPOSURE_MARKET.names}
    for scope, names in zip(_SCOPES, (np.ones_like(index), index, ~index), strict=True):
        chosen = totals.rows(np.flatnonzero(names & given))
        sums = {name: _sum(chosen[name]) for name in ("gex", "call_gex", "put_gex", "dex", "vex", "cex")}
        gross = sums["call_gex"] + sums["put_gex"]
        row: dict[str, object] = {
            **sums,
            "underlying": scope,
            "names": float(len(chosen)),
            "names_missing": float((names & ~given).sum()),
            "positive": float((chosen["regime"] == "POSITIVE").sum()),
            "negative": float((chosen["regime"] == "NEGATIVE").sum()),
            "gex_share_pct": 100.0 * sums["gex"] / gross if gross > 0 else np.nan,
            "open_interest_time": np.fmax.reduce(chosen["open_interest_time"], initial=np.nan),
            "convention": settings.exposure.gex_sign,
        }
        for name, values in columns.items():
            values.append(row[name])
    kinds = {c.name: object if c.kind == "text" else np.float64 for c in EXPOSURE_MARKET.columns}
    return state, Reading(EXPOSURE_MARKET, {n: np.array(v, dtype=kinds[n]) for n, v in columns.items()})


def _sum(values: np.ndarray) -> float:
    """Sum of what is known; NaN where nothing is."""
    return float(np.nansum(values)) if np.isfinite(values.astype(np.float64)).any() else float("nan")


def _merged(legs: LegExposures, used: Bools, row: Ints, rows: int) -> LegExposures:
    """Legs of the merged ladder: strikes of equal price summed over the expiries in use; NaN where none has a value."""
    columns = {name: np.full((rows, 2), np.nan) for name in ("gex", "dex", "vex", "cex")}
    for side in (CALL, PUT):
        known = np.flatnonzero(used & np.isfinite(legs.gex[:, side]))  # Greeks of a leg are known together
        place = row[known]
        some = np.zeros(rows, dtype=bool)
        some[place] = True
        for name, out in columns.items():
            heap = np.bincount(place, weights=getattr(legs, name)[known, side], minlength=rows)
            out[some, side] = heap[some]
    return LegExposures(**columns)


def _flips(
    chains: Chains, pricing: Pricing, by_expiry: Reading, used: Bools, settings: EngineSettings
) -> dict[str, Floats]:
    """(U,) flip [₹ of spot], its crossings and the sign above: the expiry's own where there is one, else revalued."""
    layout = chains.layout
    owner = layout.segment_underlying
    names = len(layout.underlyings)
    several = _per_name(chains, used.astype(np.float64)) > 1
    columns = {name: np.full(names, np.nan) for name in (*_OF_FLIP, "above")}
    alone = np.flatnonzero(used & ~several[owner])
    for name in _OF_FLIP:
        columns[name][owner[alone]] = by_expiry[name][alone]
    words = by_expiry["gamma_above_flip"][alone]
    columns["above"][owner[alone]] = np.select([words == "POSITIVE", words == "NEGATIVE"], [1.0, -1.0], np.nan)
    group, flips = flips_of(chains, pricing, used & several[owner], owner, settings.exposure)
    columns["gamma_flip"][group] = flips.move * segments.at(pricing.reference, layout.underlying_front)[group]
    columns["flip_crossings"][group] = flips.crossings
    columns["above"][group] = flips.above
    return columns


def _statuses(
    chains: Chains, by_expiry: Reading, near: Bools, used: Bools, settings: EngineSettings
) -> tuple[Bools, np.ndarray]:
    """(U,) where a sum is given, and texts: why it is blank, or how many expiries it has where some are missing."""
    layout = chains.layout
    interest, before = chains.legs.open_interest, chains.day.previous_open_interest
    held = np.where(np.isfinite(interest), interest, zeroed(before)) + chains.listed
    weight = segments.total(layout, both_sides(held))
    whole = _per_name(chains, weight * near)
    share = _per_name(chains, weight * used) / np.where(whole > 0, whole, np.nan)
    count, of = _per_name(chains, used.astype(np.float64)), _per_name(chains, near.astype(np.float64))
    enough = share >= settings.open_interest.min_coverage
    texts = np.full(len(layout.underlyings), "", dtype=object)
    first = np.full(len(texts), -1, dtype=np.int64)
    missing = np.flatnonzero(near & ~used)[::-1]
    first[layout.segment_underlying[missing]] = missing  # the last assignment, the nearest expiry, stands
    for i in np.flatnonzero(first >= 0):
        partly = f"{count[i]:.0f} of {of[i]:.0f} expiries"
        texts[i] = partly if enough[i] else by_expiry["status"][first[i]]
    texts[of == 0] = Reason.NOT_YET_OBSERVED.words
    return enough, texts


def _per_name(chains: Chains, values: Floats) -> Floats:
    """(U,) sum of per-chain values over the chains of each underlying."""
    layout = chains.layout
    summed_up = np.bincount(layout.segment_underlying, weights=values, minlength=len(layout.underlyings))
    return summed_up.astype(np.float64)


def _newest(chains: Chains, times: np.ndarray, near: Bools) -> Floats:
    """(U,) newest of the chains' times [s since 1970 UTC], NaN where there is none."""
    newest = np.full(len(chains.layout.underlyings), np.nan)
    np.fmax.at(newest, chains.layout.segment_underlying[near], times[near].astype(np.float64))
    return newest
