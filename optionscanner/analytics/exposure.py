"""The `exposure_legs` and `exposure` readings: dealer exposure of each leg and expiry, gamma walls, the gamma flip.

Nobody publishes what dealers hold: who is long is a convention (`exposure.gex_sign`), printed beside every number.
GEX is ₹ crore of delta per 1 % move, with the forward's gamma and the forward's square, never the spot's. DEX, VEX and
CEX are the hedge that dealers hold and how it changes, in ₹ crore. The sums over expiries and names stand in
`exposure_total.py`, the flips' mathematics in `exposure_flip.py`.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from optionscanner.analytics import segments
from optionscanner.analytics.exposure_flip import Flips, Ladders, cumulative_flips, profile_flips
from optionscanner.analytics.open_interest import wall
from optionscanner.analytics.pricing import SECONDS_PER_YEAR
from optionscanner.model.chains import Chains
from optionscanner.model.columns import EXPOSURE
from optionscanner.model.contracts import CALL, PUT, Bools, Floats, Ints, Layout
from optionscanner.model.exposures import CRORE, GEX_SIGNS, HEDGE_SIGNS, ONE_PER_CENT, LegExposures
from optionscanner.model.pairs import added, either, zeroed
from optionscanner.model.pricing import Pricing
from optionscanner.model.readings import Reading, Values
from optionscanner.model.reasons import Reason
from optionscanner.model.settings import EngineSettings, ExposureSettings
from optionscanner.model.state import State

REGIMES = ("", "NEGATIVE", "NEUTRAL", "POSITIVE")


def leg_exposures(chains: Chains, pricing: Pricing, settings: ExposureSettings) -> LegExposures:
    """(R, 2) exposures of every leg [₹ crore], signed by the convention in force.

    The products run in the order of the formula that the worked example on the sheet writes into its cell.
    """
    units = chains.legs.open_interest
    # Repeated for both sides: NumPy is slow at stretching a column of two.
    forward = np.repeat(pricing.forward[chains.layout.row_segment], 2).reshape(units.shape)
    square = forward * forward * ONE_PER_CENT
    return LegExposures(
        gex=_signed(pricing.gamma * units * square / CRORE, GEX_SIGNS[settings.gex_sign]),
        dex=_signed(pricing.delta * units * forward / CRORE, HEDGE_SIGNS),
        vex=_signed(pricing.vanna * units * forward / CRORE, HEDGE_SIGNS),
        cex=_signed(pricing.charm * units * forward / CRORE, HEDGE_SIGNS),
    )


def exposure_legs(chains: Chains, pricing: Pricing, state: State, settings: EngineSettings) -> tuple[State, Reading]:
    """The state as it came, and the reading: one row per strike, pairs (call, put)."""
    return state, leg_exposures(chains, pricing, settings.exposure).reading


def _signed(values: Floats, signs: tuple[float, float]) -> Floats:
    """The same (R, 2) array with each side multiplied by its sign."""
    for side in (CALL, PUT):
        values[:, side] *= signs[side]
    return values


def exposure(
    chains: Chains, pricing: Pricing, state: State, by_leg: Reading, settings: EngineSettings
) -> tuple[State, Reading]:
    """State with the flips of the chains that were observed anew, and the reading; one row per (underlying, expiry).

    `by_leg` is this cycle's `exposure_legs`.
    """
    layout, legs = chains.layout, LegExposures.of(by_leg)
    status = statuses(chains, pricing, settings)
    given = status == ""
    state = _with_flips(chains, pricing, state, given, settings.exposure)
    level = state.segment["gamma_flip"]
    columns = summed(layout, legs, pricing.reference, settings.exposure)
    columns |= {
        "gamma_flip": level,
        "gamma_flip_distance_pct": (level / pricing.reference - 1.0) * 100.0,
        "flip_crossings": state.segment["flip_crossings"],
        "vex_strike": wall(layout, np.abs(both_sides(legs.vex)), pricing.reference),
    }
    columns = {name: np.where(given, values, np.nan) for name, values in columns.items()}
    columns["priced_share"] = priced_share(layout, chains.legs.open_interest, pricing.gamma)
    columns["open_interest_time"] = segments.newest(layout, chains.legs.open_interest_at)
    texts = regimes(columns["gex"], columns["gex_share_pct"], settings.exposure)
    texts["gamma_above_flip"] = sign_words(np.where(given, state.segment["gamma_above_flip"], np.nan))
    texts["convention"] = np.full(layout.segments, settings.exposure.gex_sign, dtype=object)
    return state, Reading(EXPOSURE, columns | texts | {"status": status})


def summed(layout: Layout, legs: LegExposures, reference: Floats, settings: ExposureSettings) -> dict[str, Floats]:
    """Sums, walls and the documented flip of each ladder of `layout` from its legs; reference (S,) [₹] decides ties."""
    signs = GEX_SIGNS[settings.gex_sign]
    # The sign taken off again: a size is never negative.
    size = [legs.gex[:, side] * signs[side] for side in (CALL, PUT)]
    call, put = (side_sum(layout, values) for values in size)
    calls_less_puts = zeroed(call) - zeroed(put)
    calls_less_puts[np.isnan(call) & np.isnan(put)] = np.nan
    gross = zeroed(call) + zeroed(put)
    gex = signs[CALL] * calls_less_puts
    return {
        "gex": gex,
        "gex_documented": -calls_less_puts,
        "call_gex": call,
        "put_gex": put,
        "gex_share_pct": 100.0 * gex / np.where(gross > 0, gross, np.nan),
        "cumulative_flip": cumulative_flips(layout, both_sides(legs.gex), reference),
        "call_gamma_wall": wall(layout, size[CALL], reference),
        "put_gamma_wall": wall(layout, size[PUT], reference),
        "dex": side_sum(layout, legs.dex),
        "vex": side_sum(layout, legs.vex),
        "cex": side_sum(layout, legs.cex),
    }


def both_sides(values: Floats) -> Floats:
    """(R,) both sides of each strike together; a missing side counts as nothing."""
    return added(zeroed(values))


def side_sum(layout: Layout, values: Floats) -> Floats:
    """(S,) sum over a ladder of (R,) or (R, 2) values; NaN where it has none."""
    known = np.isfinite(values)
    if values.ndim > 1:
        values, known = both_sides(values), either(known)
    return np.where(segments.any_row(layout, known), segments.total(layout, values), np.nan)


def priced_share(layout: Layout, interest: Floats, gamma: Floats) -> Floats:
    """(S,) share of the open interest [units] of legs that have a gamma; NaN without open interest."""
    held = segments.total(layout, both_sides(interest))
    priced = segments.total(layout, both_sides(np.where(np.isfinite(gamma), interest, 0.0)))
    return np.asarray(priced / np.where(held > 0, held, np.nan))


def statuses(chains: Chains, pricing: Pricing, settings: EngineSettings) -> np.ndarray:
    """(S,) why a chain's exposure is blank: the first reason that holds, empty where it is given."""
    layout = chains.layout
    share = priced_share(layout, chains.legs.open_interest, pricing.gamma)
    few = share < settings.exposure.min_priced
    texts = np.full(layout.segments, "", dtype=object)
    for i in np.flatnonzero(few):
        texts[i] = f"{np.floor(100 * share[i]):.0f} % of OI priced"
    seconds = pricing.time_to_expiry * SECONDS_PER_YEAR
    texts[few & (seconds <= settings.pricing.last_minute)] = Reason.LAST_MINUTE.words
    texts[few & (seconds <= 0)] = Reason.EXPIRED.words
    texts[np.isnan(pricing.forward)] = Reason.NO_FORWARD.words
    texts[~(chains.coverage >= settings.open_interest.min_coverage)] = Reason.LOW_COVERAGE.words
    texts[np.isnan(share)] = Reason.NO_OPEN_INTEREST.words
    return texts


def ladders(chains: Chains, pricing: Pricing, rows: Ints, starts: Ints, settings: ExposureSettings) -> Ladders:
    """What the flips revalue: the strikes `rows`, in groups that begin at `starts`, calls against puts."""
    segment = chains.layout.row_segment[rows]
    signs = GEX_SIGNS[settings.gex_sign]
    units = np.where(np.isfinite(pricing.gamma[rows]), zeroed(chains.legs.open_interest[rows]), 0.0)
    time = pricing.time_to_expiry[segment]
    return Ladders.of(
        starts,
        forward=pricing.forward[segment],
        strike=chains.layout.strike[rows],
        width=pricing.surface_volatility[rows] * np.sqrt(time),
        discount=np.exp(-pricing.rate * time),
        units=signs[CALL] * units[:, CALL] + signs[PUT] * units[:, PUT],
    )


def flips_of(
    chains: Chains, pricing: Pricing, due: Bools, group: Ints, settings: ExposureSettings
) -> tuple[Ints, Flips]:
    """The groups of the chains marked in `due` (S,), and their flips; chains of equal `group` (S,) move together."""
    layout = chains.layout
    rows = np.flatnonzero(due[layout.row_segment])
    owner = group[layout.row_segment[rows]]
    starts = np.flatnonzero(np.diff(owner, prepend=-1))
    return owner[starts], profile_flips(
        ladders(chains, pricing, rows, starts, settings), range_pct=settings.flip_range_pct
    )


def regimes(gex: Floats, share_pct: Floats, settings: ExposureSettings) -> dict[str, Values]:
    """Texts of `regime`, by the share of all gamma, and of `regime_literal`, by ₹ crore; empty where blank."""
    return {
        "regime": segments.words(_band(share_pct, settings.neutral_pct), REGIMES),
        "regime_literal": segments.words(_band(gex, settings.literal_crore), REGIMES),
    }


def _band(values: Floats, limit: float) -> np.ndarray:
    """Index into `REGIMES`: beyond ± limit it has a sign, on its edge it is neutral."""
    return np.select([np.isnan(values), values < -limit, values > limit], [0, 1, 3], 2)


def sign_words(sign: Floats) -> Values:
    """POSITIVE, NEGATIVE or empty for 1, -1 and NaN."""
    return segments.words(np.select([sign > 0, sign < 0], [3, 1], 0), REGIMES)


def _with_flips(
    chains: Chains, pricing: Pricing, state: State, given: Bools, settings: ExposureSettings
) -> State:
    """State in which every chain that was observed anew has its flip [₹ of spot], the others theirs of before."""
    old, count = state.segment, chains.layout.segments
    found, flips = flips_of(chains, pricing, chains.updated & given, np.arange(count), settings)
    new = {
        "gamma_flip": flips.move * pricing.reference[found],
        "gamma_above_flip": flips.above,
        "flip_crossings": flips.crossings,
    }
    columns = {}
    for name, values in new.items():
        columns[name] = np.where(chains.updated, np.nan, old[name])
        columns[name][found] = values
    return replace(state.updated(segment=columns), touched=chains.updated.copy())
