"""Black-76 price and Greeks of European options on a forward, for whole arrays of options at once.

The forward is the market's, of the option's own expiry, so index and stock options are one case, and every Greek
holds the forward fixed (not the spot). Main entries: `price`, `greeks` for legs, `ladder_greeks` for strikes.
Greeks come in the units a trader uses, never per 1.00 of volatility or per year; `Greeks` states each.

Not done here: implied volatility (`implied_volatility.py`), choosing the forward, blanking the last minute of an
expiry. Nothing here warns or raises on bad numbers: they give NaN.
Formulas: F. Black (1976). Values: tests/reference/black76.csv.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import ndtr

from optionscanner.analytics.batches import blocks, flatten
from optionscanner.analytics.normalised_black import INVERSE_ROOT_TWO_PI, kernel, value_fraction
from optionscanner.model.contracts import Bools, Floats

VOLATILITY_POINT = 0.01
CALENDAR_DAY = 1.0 / 365.0
"""Years; time to expiry is ACT/365."""
RATE_POINT = 0.01


@dataclass(frozen=True)
class Greeks:
    """Sensitivities of the price of one unit [₹], forward fixed; arrays of one shape, NaN where undefined."""

    delta: Floats
    """₹ per ₹1 of forward: dV/dF, with the discount factor (a call's lies between 0 and e^(-rT))."""
    gamma: Floats
    """Delta per ₹1 of forward [1/₹]: d²V/dF²."""
    vega: Floats
    """₹ per volatility point (0.01): dV/dsigma / 100."""
    theta: Floats
    """₹ per calendar day that passes: dV/dt / 365; negative when time decays the price."""
    rho: Floats
    """₹ per 1 % of rate: dV/dr / 100. With the forward fixed the rate only discounts: -T·V / 100."""
    vanna: Floats
    """Delta per volatility point: d²V/dF dsigma / 100."""
    charm: Floats
    """Delta per calendar day that passes: d(delta)/dt / 365."""
    volga: Floats
    """Vega (per point) per volatility point [₹]: d²V/dsigma² / 10,000."""


@dataclass(frozen=True)
class _Terms:
    """What both sides of a strike share. OTM is the side out of the money, the put where F > K."""

    forward: Floats
    time: Floats
    rate: Floats
    volatility: Floats
    above: Floats
    """F - K [₹]."""
    discount: Floats
    d1: Floats
    d2: Floats
    tail: Floats
    """N(-|d1|), exact however far out."""
    root_time: Floats
    weight: Floats
    """D·F·n(d1) = D·K·n(d2) [₹]."""
    otm_value: Floats
    """Price of the OTM side [₹]."""


def price(
    *,
    forward: ArrayLike,
    strike: ArrayLike,
    time_to_expiry: ArrayLike,
    rate: ArrayLike,
    volatility: ArrayLike,
    is_call: ArrayLike,
) -> Floats:
    """Price of a European option, ₹ per unit of underlying; relative error below 1e-12 in both tails.

    V = w·D·[F·N(w·d1) - K·N(w·d2)], w = +1 for a call and -1 for a put, D = e^(-rT).

    Parameters
    ----------
    forward, strike
        ₹ per unit, positive.
    time_to_expiry
        Years, ACT/365; 0 or less gives the intrinsic value.
    rate, volatility
        Annual decimals, rate continuously compounded; volatility 0 gives the discounted intrinsic value.
    is_call
        True for a call, False for a put.

    Returns
    -------
    Array of the shape that the arguments broadcast to; NaN where an argument is NaN or out of range.

    Raises
    ------
    ValueError
        When the arguments do not broadcast together (NumPy's).
    """
    shape, arguments, calls = flatten(forward, strike, time_to_expiry, rate, volatility, is_call)
    value = np.empty(arguments[0].size)
    with np.errstate(all="ignore"):
        for block in blocks(value.size):
            f, k, t, r, sigma = (argument[block] for argument in arguments)
            f = np.where((f > 0.0) & (k > 0.0), f, np.nan)
            sigma = np.where(sigma >= 0.0, sigma, np.nan)
            terms = _terms(f, k, np.maximum(t, 0.0), r, sigma)
            value[block] = _side_value(terms, calls[block])
    return value.reshape(shape)


def greeks(
    *,
    forward: ArrayLike,
    strike: ArrayLike,
    time_to_expiry: ArrayLike,
    rate: ArrayLike,
    volatility: ArrayLike,
    is_call: ArrayLike,
) -> Greeks:
    """All Greeks of each option, in the units of `Greeks`; arguments as for `price`.

    Each array has the shape that the arguments broadcast to. NaN where an argument is NaN or out of range, and
    where time to expiry or volatility is 0 or less: the price has a corner there and no Greeks.
    """
    shape, arguments, calls = flatten(forward, strike, time_to_expiry, rate, volatility, is_call)
    out = np.empty((len(fields(Greeks)), arguments[0].size))
    with np.errstate(all="ignore"):
        for block in blocks(arguments[0].size):
            f, k, t, r, sigma = (argument[block] for argument in arguments)
            terms = _terms(_defined(f, k, t, sigma), k, t, r, sigma)
            _fill(out[:, block], terms, _even_greeks(terms), calls[block])
    return Greeks(*(row.reshape(shape) for row in out))


def ladder_greeks(
    *,
    forward: ArrayLike,
    strike: ArrayLike,
    time_to_expiry: ArrayLike,
    rate: ArrayLike,
    volatility: ArrayLike,
) -> Greeks:
    """All Greeks of both options of each strike under one volatility, in the units of `Greeks`.

    For a chain priced from one smile: the volatility at a strike, taken from the side out of the money, holds for
    both of its sides. Costs half of two calls of `greeks` and gives the same numbers.

    Parameters
    ----------
    forward, strike, time_to_expiry, rate, volatility
        As for `greeks`; broadcast to one dimension, (rows,).

    Returns
    -------
    Arrays of shape (rows, 2): column 0 the call, column 1 the put; NaN as for `greeks`.
    """
    shape, arguments, _ = flatten(forward, strike, time_to_expiry, rate, volatility, True)
    if len(shape) > 1:
        raise ValueError(f"ladder_greeks expects arguments of shape (rows,), got {shape}; ravel them first")
    out = np.empty((len(fields(Greeks)), arguments[0].size, 2))
    with np.errstate(all="ignore"):
        for block in blocks(arguments[0].size):
            f, k, t, r, sigma = (argument[block] for argument in arguments)
            terms = _terms(_defined(f, k, t, sigma), k, t, r, sigma)
            evens = _even_greeks(terms)
            _fill(out[:, block, 0], terms, evens, np.True_)
            _fill(out[:, block, 1], terms, evens, np.False_)
    return Greeks(*out)


def _defined(f: Floats, k: Floats, t: Floats, sigma: Floats) -> Floats:
    """The forward, NaN where the Greeks are not defined; it spreads to every one of them."""
    valid = (f > 0.0) & (k > 0.0) & (t > 0.0) & (sigma > 0.0)
    return np.where(valid, f, np.nan)


def _terms(f: Floats, k: Floats, t: Floats, r: Floats, sigma: Floats) -> _Terms:
    above = f - k
    lesser = np.minimum(f, k)
    # |ln(F/K)|: near the money ln of the rounded ratio F/K has lost the last digits, log1p of the difference has not.
    a = np.abs(above)
    a /= lesser
    np.log1p(a, out=a)
    root_time = np.sqrt(t)
    half = sigma * root_time
    half *= 0.5
    # Without volatility a would be infinite, or 0/0 at the money; the limit 1e8 gives the same, a value of 0.
    a /= 2.0 * np.maximum(half, 1e-150)
    np.minimum(a, 1e8, out=a)
    signed = np.copysign(a, above)
    kernel_at = kernel(half - a)
    discount = -r * t
    np.exp(discount, out=discount)
    lesser *= discount
    d1 = signed + half
    tail = np.abs(d1)
    np.negative(tail, out=tail)
    otm_value = value_fraction(a, half, kernel_at)
    otm_value *= lesser
    lesser *= kernel_at
    lesser *= INVERSE_ROOT_TWO_PI
    return _Terms(
        forward=f,
        time=t,
        rate=r,
        volatility=sigma,
        above=above,
        discount=discount,
        d1=d1,
        d2=signed - half,
        tail=ndtr(tail, out=tail),
        root_time=root_time,
        weight=lesser,
        otm_value=otm_value,
    )


@dataclass(frozen=True)
class _Evens:
    """What is the same for a call and a put; decay and drift are those parts of theta and charm."""

    gamma: Floats
    vega: Floats
    vanna: Floats
    volga: Floats
    decay: Floats
    drift: Floats


def _even_greeks(terms: _Terms) -> _Evens:
    drift = terms.weight / terms.forward
    gamma = drift / terms.forward
    gamma /= terms.volatility
    gamma /= terms.root_time
    drift *= terms.d2
    vanna = drift / terms.volatility
    vanna *= -VOLATILITY_POINT
    drift /= terms.time
    drift *= 0.5 * CALENDAR_DAY
    decay = terms.weight * terms.volatility
    decay /= terms.root_time
    decay *= -0.5 * CALENDAR_DAY
    vega = terms.weight * terms.root_time
    vega *= VOLATILITY_POINT
    volga = vega * terms.d1
    volga *= terms.d2
    volga /= terms.volatility
    volga *= VOLATILITY_POINT
    return _Evens(gamma=gamma, vega=vega, vanna=vanna, volga=volga, decay=decay, drift=drift)


def _fill(out: Floats, terms: _Terms, evens: _Evens, call: Bools | np.bool) -> None:
    """Write the Greeks of one side, or of the side that `call` says row by row, in the order of `Greeks`."""
    delta, gamma, vega, theta, rho, vanna, charm, volga = out
    gamma[...], vega[...], vanna[...], volga[...] = evens.gamma, evens.vega, evens.vanna, evens.volga
    value = _side_value(terms, call)
    daily_rate = terms.rate * CALENDAR_DAY
    np.multiply(daily_rate, value, out=theta)
    theta += evens.decay
    value *= terms.time
    np.multiply(value, -RATE_POINT, out=rho)
    # w·D·N(w·d1): N is the tail where w·d1 < 0, else its complement.
    in_tail = (terms.d1 < 0.0) == call
    size = np.where(in_tail, terms.tail, 1.0 - terms.tail)
    size *= terms.discount
    np.copyto(delta, np.where(call, size, -size))
    np.multiply(daily_rate, delta, out=charm)
    charm += evens.drift


def _side_value(terms: _Terms, call: Bools | np.bool) -> Floats:
    """Price of the option [₹]: the OTM side's, plus the discounted intrinsic value (put-call parity)."""
    value = np.where(call, terms.above, -terms.above)
    np.maximum(value, 0.0, out=value)
    value *= terms.discount
    value += terms.otm_value
    return value
