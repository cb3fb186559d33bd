"""The `activity` reading: the volume/OI scan over every leg of indices and stocks, ranked.

A leg is an event when it trades much for its open interest. Whether buyers or writers pressed is read from its premium
and its volatility over the same window as its change in open interest; whether the event counts, from the flow regime
of its chain. The others are listed as ignored, with the reason.
"""

from __future__ import annotations

import numpy as np

from optionscanner.analytics import segments
from optionscanner.analytics.flow import has_begun
from optionscanner.analytics.price import usable_chains
from optionscanner.model.chains import Chains
from optionscanner.model.columns import ACTIVITY
from optionscanner.model.contracts import CALL, OPTION_TYPES, Bools, Floats, Ints
from optionscanner.model.pricing import Pricing
from optionscanner.model.readings import Reading
from optionscanner.model.reasons import Reason
from optionscanner.model.settings import EngineSettings
from optionscanner.model.state import State

SIDES = {1: "BUY", -1: "WRITE", 0: "?"}
_DIRECTIONS = {1: "BULLISH", -1: "BEARISH", 0: ""}


def activity(chains: Chains, pricing: Pricing, state: State, settings: EngineSettings) -> tuple[State, Reading]:
    """The state unchanged, and the ranked events: those that count first, then the ignored ones."""
    layout, legs, rules = chains.layout, chains.legs, settings.activity
    ratio = volume_oi_ratio(chains)
    percentile = percentile_in_chain(chains, ratio)
    events = np.argwhere(_is_event(chains, pricing, ratio, percentile, settings))
    row, side = events[:, 0], events[:, 1]
    segment = layout.row_segment[row]
    leg = (row, side)

    pressed = pressing_side(state.leg["price_change"][leg], state.leg["iv_change"][leg], dead_band=rules.iv_dead_band)
    # Buying calls and writing puts are bullish, writing calls and buying puts bearish.
    direction = pressed * np.where(side == CALL, 1, -1)
    regime = np.where(has_begun(state), np.nan_to_num(state.segment["regime"]), 0.0)[segment]
    rose = state.leg["open_interest_flow"][leg]
    rising = (rose > 0) & (rose > rules.min_rise_pct / 100.0 * (legs.open_interest[leg] - rose))
    reason = _reasons(chains, segment=segment, rising=rising, direction=direction, regime=regime)
    aligned = reason == Reason.OK
    offset = segments.strike_offset(layout, chains.listed, pricing.atm_row)[row]
    near = np.abs(offset) <= rules.near_strikes
    score = 0.4 * np.nan_to_num(percentile[leg]) + 40.0 * aligned + 20.0 * near
    order = _kept(np.lexsort((side, row, -ratio[leg], -score, ~aligned)), segment, aligned, rules.shown)
    rank = np.arange(1, len(order) + 1, dtype=float)

    owner = layout.segment_underlying[segment]
    reference = pricing.reference[segment]
    columns = {
        "underlying": np.array(layout.names, dtype=object)[owner],
        "expiry": np.array([key.expiry.isoformat() for key in layout.segment_keys], dtype=object)[segment],
        "strike": layout.strike[row],
        "option_type": np.array(OPTION_TYPES, dtype=object)[side],
        "last_price": legs.last[leg],
        "volume": legs.volume[leg],
        "open_interest": legs.open_interest[leg],
        "volume_oi_ratio": ratio[leg],
        "percentile": percentile[leg],
        "open_interest_flow": state.leg["open_interest_flow"][leg],
        "premium_change": state.leg["price_change"][leg],
        "iv_change": state.leg["iv_change"][leg],
        "delta": pricing.delta[leg],
        "gamma": pricing.gamma[leg],
        "distance_pct": (layout.strike[row] / reference - 1.0) * 100.0,
        "strike_offset": offset,
        "side": _texts(pressed, SIDES),
        "direction": _texts(direction, _DIRECTIONS),
        "aligned": aligned.astype(float),
        "reason": _reason_texts(reason, near, regime),
        "score": score,
    }
    return state, Reading(ACTIVITY, {"rank": rank} | {name: values[order] for name, values in columns.items()})


def volume_oi_ratio(chains: Chains) -> Floats:
    """(R, 2) day's volume over open interest; open interest below one lot counts as one lot."""
    lot = chains.layout.segment_lot_size[chains.layout.row_segment][:, None]
    return np.asarray(chains.legs.volume / np.maximum(chains.legs.open_interest, lot))


def percentile_in_chain(chains: Chains, ratio: Floats) -> Floats:
    """(R, 2) share of the chain's other traded legs with a smaller ratio, 0-100; NaN where a leg has no such others."""
    layout = chains.layout
    traded = np.isfinite(ratio) & (chains.legs.volume > 0)
    flat = np.flatnonzero(traded)
    segment = layout.row_segment[flat // 2]
    values = ratio.reshape(-1)[flat]
    order = np.lexsort((values, segment))
    segment, values = segment[order], values[order]
    new_chain = np.append(True, segment[1:] != segment[:-1])
    new_value = new_chain | np.append(True, values[1:] != values[:-1])
    position = np.arange(len(values))
    chain_start = np.maximum.accumulate(np.where(new_chain, position, 0))
    smaller = np.maximum.accumulate(np.where(new_value, position, 0)) - chain_start
    others = np.bincount(segment, minlength=layout.segments)[segment] - 1
    result = np.full(ratio.size, np.nan)
    result[flat[order]] = np.where(others > 0, 100.0 * smaller / np.maximum(others, 1), np.nan)
    return result.reshape(ratio.shape)


def pressing_side(price_change: Floats, iv_change: Floats, *, dead_band: float) -> Ints:
    """1 where buyers pressed (premium up, volatility not down), -1 where writers did (the reverse), else 0."""
    with np.errstate(invalid="ignore"):
        bought = (price_change > 0) & (iv_change >= -dead_band)
        written = (price_change < 0) & (iv_change <= dead_band)
    return bought.astype(np.int64) - written.astype(np.int64)


def _is_event(
    chains: Chains, pricing: Pricing, ratio: Floats, percentile: Floats, settings: EngineSettings
) -> Bools:
    """(R, 2) legs of usable chains above the ratio, the percentile and the floors of volume and premium."""
    layout, rules = chains.layout, settings.activity
    segment = layout.row_segment
    least = np.where(layout.is_index[layout.segment_underlying], rules.index_ratio, rules.stock_ratio)[segment]
    lot = layout.segment_lot_size[segment][:, None]
    usable = usable_chains(chains, settings)[segment][:, None]
    with np.errstate(invalid="ignore"):
        return np.asarray(
            usable
            & (ratio > least[:, None])
            & ((percentile >= rules.percentile) | (rules.percentile <= 0))
            & (chains.legs.volume >= rules.min_contracts * lot)
            & (pricing.price >= rules.min_premium)
        )


def _kept(order: Ints, segment: Ints, aligned: Bools, shown: int) -> Ints:
    """The first `shown` of the ranking `order`, and beyond them the best aligned event of each chain.

    With it a chain's trigger never depends on how many events other chains have.
    """
    ranked = order[aligned[order]]
    _, best = np.unique(segment[ranked], return_index=True)
    keep = np.zeros(len(order), dtype=bool)
    keep[order[:shown]] = True
    keep[ranked[best]] = True
    return order[keep[order]]


def _reasons(chains: Chains, *, segment: Ints, rising: Bools, direction: Ints, regime: Floats) -> Ints:
    """`Reason` for which each event is ignored, OK where it counts."""
    layout = chains.layout
    today = chains.day.session.date.toordinal()
    expiring = (layout.segment_expiry == today) & layout.is_index[layout.segment_underlying]
    return np.select(
        [expiring[segment], ~rising, direction == 0, regime == 0, direction != regime],
        [
            Reason.EXPIRY_DAY,
            Reason.OPEN_INTEREST_NOT_RISING,
            Reason.DIRECTION_UNKNOWN,
            Reason.NO_REGIME,
            Reason.AGAINST_FLOW,
        ],
        Reason.OK,
    )


def _reason_texts(reason: Ints, near: Bools, regime: Floats) -> np.ndarray:
    texts = np.where(near, "valid, near", "valid, far").astype(object)
    for code in np.unique(reason[reason != Reason.OK]):
        texts[reason == code] = f"ignored: {Reason(int(code)).words}"
    against = reason == Reason.AGAINST_FLOW
    texts[against & (regime > 0)] = "ignored: flow bullish"
    texts[against & (regime < 0)] = "ignored: flow bearish"
    return texts


def _texts(codes: Ints, texts: dict[int, str]) -> np.ndarray:
    return segments.words(codes + 1, (texts[-1], texts[0], texts[1]))
