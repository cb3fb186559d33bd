"""The readings `open_interest` and `pain`: sums, put-call ratios, walls, maximum pain and its curve, of each chain.

Whole-chain numbers are blank below the minimum coverage: a ratio over half a chain is another number.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from optionscanner.analytics import segments
from optionscanner.model.chains import Chains
from optionscanner.model.columns import OPEN_INTEREST, PAIN
from optionscanner.model.contracts import CALL, PUT, Bools, Floats, Ints, Layout
from optionscanner.model.pairs import added, either, zeroed
from optionscanner.model.pricing import Pricing
from optionscanner.model.readings import Reading
from optionscanner.model.reasons import Reason
from optionscanner.model.settings import EngineSettings
from optionscanner.model.state import State

_EXTREMELY_HIGH, _EXTREMELY_LOW = 1.6, 0.5
_TURNS_UP, _TURNS_DOWN = 1.5, 0.6
BANDS = ("", "BEARISH", "NEUTRAL", "BULLISH")


def open_interest(
    chains: Chains, pricing: Pricing, state: State, settings: EngineSettings
) -> tuple[State, Reading]:
    """State with each leg's first open interest of the day, and the reading; one row per (underlying, expiry)."""
    layout, legs = chains.layout, chains.legs
    first = state.leg["first_open_interest"]
    seen = chains.updated[layout.row_segment][:, None] & np.isnan(first) & np.isfinite(legs.open_interest)
    state = state.updated(leg={"first_open_interest": np.where(seen, legs.open_interest, first)})
    state = replace(state, touched=chains.updated.copy(), stepped=state.stepped | segments.any_row(layout, seen))

    interest = segments.side_sums(layout, legs.open_interest)
    volume = segments.side_sums(layout, legs.volume)
    change = legs.open_interest - chains.day.previous_open_interest
    added = segments.known_sums(layout, legs.open_interest, change, interest, settings.open_interest.min_coverage)
    since_first = segments.side_sums(layout, legs.open_interest - state.leg["first_open_interest"])
    offset = segments.strike_offset(layout, chains.listed, pricing.atm_row)
    near = np.abs(offset) <= settings.open_interest.window
    in_window = segments.side_sums(layout, np.where(near[:, None], legs.open_interest, np.nan))
    ratio = put_call_ratio(interest)
    most_pain = max_pain(layout, legs.open_interest, pricing.reference)
    lowest, highest = max_pain_range(layout, legs.open_interest)
    covered = chains.coverage >= settings.open_interest.min_coverage
    none = ~either(np.isfinite(interest))
    columns = {
        "call_open_interest": interest[:, CALL],
        "put_open_interest": interest[:, PUT],
        "call_volume": volume[:, CALL],
        "put_volume": volume[:, PUT],
        "call_open_interest_added": added[:, CALL],
        "put_open_interest_added": added[:, PUT],
        "call_open_interest_since_first": since_first[:, CALL],
        "put_open_interest_since_first": since_first[:, PUT],
        "put_call_ratio": ratio,
        "put_call_ratio_window": put_call_ratio(in_window),
        "put_call_ratio_volume": put_call_ratio(volume),
        "max_pain": most_pain,
        "max_pain_low": lowest,
        "max_pain_high": highest,
        "max_pain_distance_pct": (most_pain / pricing.reference - 1.0) * 100.0,
        "call_wall": wall(layout, legs.open_interest[:, CALL], pricing.reference),
        "put_wall": wall(layout, legs.open_interest[:, PUT], pricing.reference),
    }
    columns = {name: np.where(covered, values, np.nan) for name, values in columns.items()}
    band = np.where(covered, put_call_band(ratio, settings), 0)
    status = np.where(none, Reason.NO_OPEN_INTEREST.words, np.where(covered, "", Reason.LOW_COVERAGE.words))
    known = np.where(covered & chains.updated, ratio, np.nan)
    state, reversal = _with_ratio(state, known)
    window_band = np.where(covered, put_call_band(columns["put_call_ratio_window"], settings), 0)
    texts = {
        "put_call_band": segments.words(band, BANDS),
        "put_call_band_window": segments.words(window_band, BANDS),
        "put_call_reversal": np.where(covered, reversal, "").astype(object),
        "put_call_extreme": put_call_extreme(columns["put_call_ratio"]),
        "status": status.astype(object),
    }
    return state, Reading(OPEN_INTEREST, columns | texts)


def put_call_ratio(sums: Floats) -> Floats:
    """(S,) puts over calls from (S, 2) sums; NaN where there are no calls."""
    calls = np.where(sums[:, CALL] > 0, sums[:, CALL], np.nan)
    return np.asarray(sums[:, PUT] / calls)


def put_call_band(ratio: Floats, settings: EngineSettings) -> np.ndarray:
    """(S,) index into `BANDS`: bearish below the lower limit, bullish above the upper, both limits neutral."""
    limits = settings.open_interest
    return np.select(
        [np.isnan(ratio), ratio < limits.pcr_bearish, ratio > limits.pcr_bullish], [0, 1, 3], 2
    )


def put_call_extreme(ratio: Floats) -> np.ndarray:
    """(S,) HIGH or LOW beyond the documented limits, both limits not, "" between and without a ratio."""
    return np.select([ratio > _EXTREMELY_HIGH, ratio < _EXTREMELY_LOW], ["HIGH", "LOW"], "").astype(object)


def put_call_reversal(before: Floats, now: Floats) -> Floats:
    """(S,) 1 where the ratio rose above the upper limit, -1 where it fell below the lower, 0 elsewhere."""
    return np.select(
        [(before <= _TURNS_UP) & (now > _TURNS_UP), (before >= _TURNS_DOWN) & (now < _TURNS_DOWN)], [1.0, -1.0], 0.0
    )


def _with_ratio(state: State, ratio: Floats) -> tuple[State, np.ndarray]:
    """State with the newest known ratios, and what the last change of each crossed, in words."""
    before, crossed = state.segment["put_call_ratio"], state.segment["put_call_reversal"]
    changed = np.isfinite(ratio) & (ratio != before)
    crossed = np.where(changed, put_call_reversal(before, ratio), crossed)
    state = state.updated(
        segment={"put_call_ratio": np.where(changed, ratio, before), "put_call_reversal": crossed}
    )
    return state, np.select([crossed == 1, crossed == -1], ["BUY", "SELL"], "")


def max_pain(layout: Layout, interest: Floats, reference: Floats) -> Floats:
    """(S,) strike [₹] at which the total payout to option holders is least; NaN without open interest.

    `interest` (R, 2) [units], NaN counts as none; `reference` (S,) [₹] decides ties: the nearest minimiser, then the
    lower strike. The payout is convex and piecewise linear with kinks at strikes; its slope just above strike K is
    call interest at or below K less put interest above K, so the answer is where that first reaches zero. Slopes are
    whole numbers, hence exact. Values: tests/reference/maxpain.csv.
    """
    first, last, present = _least_rows(layout, interest)
    rows = np.arange(layout.rows)
    flat = (rows >= first[layout.row_segment]) & (rows <= last[layout.row_segment])
    chosen = segments.nearest_row(layout, flat, np.where(np.isfinite(reference), reference, 0.0))
    return np.where(present, segments.at(layout.strike, chosen), np.nan)


def max_pain_range(layout: Layout, interest: Floats) -> tuple[Floats, Floats]:
    """(S,) lowest and (S,) highest strike [₹] that tie for the least payout; NaN without open interest.

    Every strike between them ties as well, because the payout is convex.
    """
    first, last, present = _least_rows(layout, interest)
    return (
        np.where(present, segments.at(layout.strike, first), np.nan),
        np.where(present, segments.at(layout.strike, last), np.nan),
    )


def _least_rows(layout: Layout, interest: Floats) -> tuple[Ints, Ints, Bools]:
    """(S,) first and (S,) last row of the least payout, and (S,) whether there is open interest at all."""
    counts = zeroed(interest)
    calls, puts = (segments.running_total(layout, counts[:, side]) for side in (CALL, PUT))
    slope = calls - (puts[layout.ends - 1][layout.row_segment] - puts)
    first = segments.first_row(layout, slope >= 0)
    last = segments.first_row(layout, slope > 0)
    last = np.where(last < 0, layout.ends - 1, last)
    return first, last, segments.total(layout, added(counts)) > 0


def pain(chains: Chains, state: State, settings: EngineSettings) -> tuple[State, Reading]:
    """The state unchanged, and the `pain` reading; blank where the chain's maximum pain is."""
    layout, interest = chains.layout, chains.legs.open_interest
    known = segments.any_row(layout, np.isfinite(interest))
    shown = known & (chains.coverage >= settings.open_interest.min_coverage)
    payout = np.where(shown[layout.row_segment][:, None], payouts(layout, interest), np.nan)
    return state, Reading(PAIN, {"payout": payout})


def payouts(layout: Layout, interest: Floats) -> Floats:
    """(R, 2) payout [₹] to holders of all calls and of all puts of the expiry if it settles at each row's strike.

    `interest` (R, 2) [units], NaN counts as none. Σ max(0, S - K) · calls and Σ max(0, K - S) · puts at S = strike.
    """
    counts, strike, last = np.nan_to_num(interest), layout.strike, (layout.ends - 1)[layout.row_segment]
    calls, puts = (segments.running_total(layout, counts[:, side]) for side in (CALL, PUT))
    call_value, put_value = (segments.running_total(layout, counts[:, side] * strike) for side in (CALL, PUT))
    above = (put_value[last] - put_value) - strike * (puts[last] - puts)
    return np.column_stack([strike * calls - call_value, above])


def wall(layout: Layout, interest: Floats, reference: Floats) -> Floats:
    """(S,) strike [₹] of the largest open interest (R,) [units]; nearest `reference` of a tie; NaN without any."""
    counts = zeroed(interest)
    most = np.maximum.reduceat(counts, layout.starts)[layout.row_segment]
    level = np.where(np.isfinite(reference), reference, 0.0)
    return segments.at(layout.strike, segments.nearest_row(layout, (counts > 0) & (counts == most), level))
