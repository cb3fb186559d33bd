"""Forward, implied volatility and Greeks of every updated chain, in one vectorised call (`price_market`).

The model is Black-76 on the market's own forward for index and stock options alike; both are European.
Only chains updated since the last picture are priced again; a chain's numbers depend on that chain alone.
"""

from __future__ import annotations

from dataclasses import fields, replace

import numpy as np

from optionscanner.analytics import black76, segments
from optionscanner.analytics.implied_volatility import implied_volatility
from optionscanner.model import pairs
from optionscanner.model.chains import Chains
from optionscanner.model.contracts import CALL, PUT, Bools, Codes, Floats
from optionscanner.model.pricing import ForwardSource, Pricing
from optionscanner.model.reasons import Reason
from optionscanner.model.settings import PricingSettings

SECONDS_PER_YEAR = 365.0 * 86_400.0
_IS_CALL = np.array([True, False])
_PER_ROW = ("price", "implied_volatility", "iv_reason", "surface_volatility")
_GREEKS = ("delta", "gamma", "vega", "theta", "rho", "vanna", "charm", "volga")


def price_market(chains: Chains, settings: PricingSettings, previous: Pricing | None = None) -> Pricing:
    """Pricing of the whole market; chains that were not updated keep their numbers of `previous` (same layout)."""
    layout = chains.layout
    due = np.ones(layout.segments, dtype=bool) if previous is None else chains.updated
    seconds = layout.segment_horizon - chains.stamped_at
    time = np.maximum(seconds, 0.0) / SECONDS_PER_YEAR
    price, quality = leg_prices(chains, settings)
    forward, source, future_price = forwards(chains, price, time, settings)
    reference = np.where(np.isfinite(chains.spot), chains.spot, forward)
    atm_row = segments.nearest_row(layout, chains.listed[:, CALL] | chains.listed[:, PUT], reference)

    rows = np.flatnonzero(due[layout.row_segment])
    segment = layout.row_segment[rows]
    strike = layout.strike[rows]
    iv, reason = implied_volatility(
        price=price[rows],
        forward=forward[segment][:, None],
        strike=strike[:, None],
        time_to_expiry=time[segment][:, None],
        rate=settings.rate,
        is_call=_IS_CALL,
    )
    last_minute = (seconds[segment] <= settings.last_minute)[:, None] & np.isfinite(price[rows])
    iv = np.where(last_minute, np.nan, iv)
    reason = np.where(last_minute, Reason.LAST_MINUTE, reason).astype(np.uint8)
    reason = _judged(chains, settings, rows=rows, price=price, forward=forward, time=time, iv=iv, reason=reason,
                     quality=quality)  # fmt: skip
    iv = np.where(reason == Reason.NOT_TRADED_TODAY, np.nan, iv)
    surface = surface_volatility(iv, reason, strike=strike, forward=forward[segment])
    greeks = black76.ladder_greeks(
        forward=forward[segment], strike=strike, time_to_expiry=time[segment], rate=settings.rate, volatility=surface
    )
    found = {"price": price[rows], "implied_volatility": iv, "iv_reason": reason, "surface_volatility": surface}
    found |= {name: getattr(greeks, name) for name in _GREEKS}
    columns = _blank_rows(layout.rows) if previous is None else _copied_rows(previous)
    for name, values in found.items():
        columns[name][rows] = values
    fresh = Pricing(
        forward=forward,
        forward_source=source,
        future_price=future_price,
        rate=settings.rate,
        time_to_expiry=time,
        reference=reference,
        atm_row=atm_row,
        atm_volatility=_atm_volatility(chains, columns["surface_volatility"], forward),
        **columns,
    )
    return fresh if previous is None else _kept(fresh, previous, due)


def leg_prices(chains: Chains, settings: PricingSettings) -> tuple[Floats, Codes]:
    """(R, 2) price [₹] of each leg and how good it is: mid of a two-sided quote, else the last trade.

    Codes: OK, WIDE_SPREAD, OLD_TRADE, NOT_TRADED_TODAY, NO_PRICE.
    """
    legs = chains.legs
    two_sided = np.isfinite(legs.bid) & np.isfinite(legs.ask)
    mid = (legs.bid + legs.ask) / 2
    price = np.where(two_sided, mid, legs.last)
    age = chains.stamped_at[chains.layout.row_segment][:, None] - legs.price_at
    quality = np.zeros(price.shape, dtype=np.uint8)
    quality[~two_sided & ~(age <= settings.trade_age)] = Reason.OLD_TRADE
    quality[~two_sided & np.isnan(legs.price_at)] = Reason.NOT_TRADED_TODAY
    quality[two_sided & (legs.ask - legs.bid > settings.wide_spread * mid)] = Reason.WIDE_SPREAD
    quality[np.isnan(price)] = Reason.NO_PRICE
    return price, quality


def forwards(
    chains: Chains, price: Floats, time: Floats, settings: PricingSettings
) -> tuple[Floats, Codes, Floats]:
    """(S,) forward [₹], its `ForwardSource`, and the price [₹] of the future of the same expiry.

    In this order: the future (mid of a tight quote, else a recent last trade); put-call parity F = K + e^(rT)(C - P),
    the median over strikes near the money; spot carried at rate less yield.
    """
    layout, futures = chains.layout, chains.futures
    mid = (futures.bid + futures.ask) / 2
    tight = futures.ask - futures.bid <= settings.tight_spread * mid
    listed = segments.at(np.where(tight, mid, futures.last), layout.segment_future)
    age = chains.stamped_at - segments.at(futures.price_at, layout.segment_future)
    usable = segments.at(tight.astype(float), layout.segment_future) == 1
    from_future = np.where(usable | (age <= settings.future_age), listed, np.nan)
    from_parity = _parity(chains, price, time, settings)
    from_carry = chains.spot * np.exp((settings.rate - settings.dividend_yield) * time)
    known = np.where(np.isfinite(from_future), from_future, from_parity)
    forward = np.where(np.isfinite(known), known, from_carry)
    source = np.select(
        [np.isfinite(from_future), np.isfinite(from_parity), np.isfinite(from_carry)],
        [ForwardSource.FUTURE, ForwardSource.PARITY, ForwardSource.CARRY],
        ForwardSource.NONE,
    ).astype(np.uint8)
    return forward, source, listed


def _parity(chains: Chains, price: Floats, time: Floats, settings: PricingSettings) -> Floats:
    """(S,) forward by put-call parity; NaN where no strike has both sides.

    Two-sided quotes near the money, weighted by tightness, are synchronous and preferred; otherwise the strikes
    nearest the money of which both sides traded, recently if there are enough, else today.
    """
    layout, legs = chains.layout, chains.legs
    segment = layout.row_segment
    implied = layout.strike + np.exp(settings.rate * time)[segment] * (price[:, CALL] - price[:, PUT])
    both = np.isfinite(implied)
    spread = legs.ask - legs.bid
    quoted = both & pairs.both(np.isfinite(spread))
    # Without a spot the money is where call and put cost the same.
    balance = np.where(both, np.abs(price[:, CALL] - price[:, PUT]), np.inf)
    least = np.minimum.reduceat(balance, layout.starts)
    balanced = segments.at(layout.strike, segments.first_row(layout, both & (balance == least[segment])))
    centre = np.where(np.isfinite(chains.spot), chains.spot, balanced)[segment]
    distance = np.abs(layout.strike - centre)

    near = quoted & (distance <= settings.parity_width * centre)
    noise = np.where(near, spread[:, CALL] ** 2 + spread[:, PUT] ** 2, 1.0)
    weight = 1.0 / np.maximum(noise, 1e-6)  # a locked quote is not infinitely certain
    by_quote = weighted(segment, implied, weight, near, layout.segments)

    traded = both & pairs.both(np.isfinite(legs.price_at))
    age = chains.stamped_at[segment][:, None] - legs.price_at
    recent = traded & pairs.both(age <= settings.trade_age)
    enough = segments.total(layout, recent.astype(float)) >= settings.parity_strikes
    candidates = np.where(enough[segment], recent, traded)
    chosen = _nearest(segment, distance, candidates, settings.parity_strikes)
    by_trade = weighted(segment, implied, np.ones_like(implied), chosen, layout.segments)
    return np.where(np.isfinite(by_quote), by_quote, by_trade)


def weighted(groups: np.ndarray, values: Floats, weights: Floats, chosen: Bools, count: int) -> Floats:
    """(count,) weighted median over the chosen elements of each group."""
    return segments.weighted_median(groups[chosen], values[chosen], weights[chosen], count)


def _nearest(segment: np.ndarray, distance: Floats, candidates: Bools, count: int) -> Bools:
    """Marks the `count` candidates of each segment with the least distance; the earlier row of a tie."""
    rows = np.flatnonzero(candidates)
    order = rows[np.lexsort((rows, distance[rows], segment[rows]))]
    _, first, sizes = np.unique(segment[order], return_index=True, return_counts=True)
    place = np.arange(len(order)) - np.repeat(first, sizes)
    chosen = np.zeros(len(distance), dtype=bool)
    chosen[order[place < count]] = True
    return chosen


def _judged(
    chains: Chains,
    settings: PricingSettings,
    *,
    rows: np.ndarray,
    price: Floats,
    forward: Floats,
    time: Floats,
    iv: Floats,
    reason: Codes,
    quality: Codes,
) -> Codes:
    """(n, 2) reasons with those of unreliable volatilities filled in."""
    layout = chains.layout
    segment = layout.row_segment[rows]
    discount = np.exp(-settings.rate * time[segment])
    ahead = discount * (forward[segment] - layout.strike[rows])
    time_value = price[rows] - np.maximum(np.stack([ahead, -ahead], axis=1), 0.0)
    thin = time_value < settings.least_ticks * chains.day.tick_size[segment][:, None]
    judged = np.where(np.isfinite(iv) & thin, Reason.BELOW_TWO_TICKS, reason)
    known = quality[rows]
    judged = np.where(np.isfinite(iv) & np.isin(known, (Reason.OLD_TRADE, Reason.WIDE_SPREAD)), known, judged)
    return np.where(known == Reason.NOT_TRADED_TODAY, Reason.NOT_TRADED_TODAY, judged).astype(np.uint8)


def surface_volatility(iv: Floats, reason: Codes, *, strike: Floats, forward: Floats) -> Floats:
    """(n,) one volatility per strike: the out-of-the-money side's, where it is reliable.

    Deep in the money the time value drowns in the tick, so there the other side speaks for the strike. Order:
    out-of-the-money reliable, in-the-money reliable, then unreliable ones in the same order.
    """
    call_is_out = strike >= forward
    out = np.where(call_is_out, iv[:, CALL], iv[:, PUT])
    inside = np.where(call_is_out, iv[:, PUT], iv[:, CALL])
    out_fine = np.where(call_is_out, reason[:, CALL], reason[:, PUT]) == Reason.OK
    inside_fine = np.where(call_is_out, reason[:, PUT], reason[:, CALL]) == Reason.OK
    fine = np.where(out_fine, out, np.where(inside_fine, inside, np.nan))
    any_value = np.where(np.isfinite(out), out, inside)
    return np.where(np.isfinite(fine), fine, any_value)


def _atm_volatility(chains: Chains, surface: Floats, forward: Floats) -> Floats:
    """(S,) volatility at the forward: linear between the two strikes around it, else the one within a strike step."""
    layout = chains.layout
    known = np.isfinite(surface)
    level = forward[layout.row_segment]
    below = segments.last_row(layout, known & (layout.strike <= level))
    above = segments.first_row(layout, known & (layout.strike >= level))
    low, high = segments.at(layout.strike, below), segments.at(layout.strike, above)
    v_low, v_high = segments.at(surface, below), segments.at(surface, above)
    share = np.where(high > low, (forward - low) / np.where(high > low, high - low, 1.0), 0.0)
    between = v_low + share * (v_high - v_low)
    v_low = np.where(forward - low <= layout.strike_step, v_low, np.nan)
    v_high = np.where(high - forward <= layout.strike_step, v_high, np.nan)
    return np.where(np.isfinite(between), between, np.where(np.isfinite(v_low), v_low, v_high))


def _blank_rows(rows: int) -> dict[str, np.ndarray]:
    columns: dict[str, np.ndarray] = {n: np.full((rows, 2), np.nan) for n in ("price", "implied_volatility", *_GREEKS)}
    columns["iv_reason"] = np.full((rows, 2), Reason.NO_PRICE, dtype=np.uint8)
    columns["surface_volatility"] = np.full(rows, np.nan)
    return columns


def _copied_rows(previous: Pricing) -> dict[str, np.ndarray]:
    return {name: getattr(previous, name).copy() for name in (*_PER_ROW, *_GREEKS)}


def _kept(fresh: Pricing, previous: Pricing, due: Bools) -> Pricing:
    """`fresh` with the per-chain numbers of chains that are not due taken from `previous`."""
    per_chain = {f.name for f in fields(Pricing)} - {*_PER_ROW, *_GREEKS, "rate"}
    return replace(fresh, **{n: np.where(due, getattr(fresh, n), getattr(previous, n)) for n in per_chain})
