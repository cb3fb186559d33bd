"""Black-76 with fifty digits, straight from the definition: the second method beside the tables in `reference`."""

import mpmath

context = mpmath.mp.clone()
context.dps = 50


def price(*, forward, strike, time_to_expiry, rate, volatility, is_call):
    """The price as a 50-digit number; arguments are taken as exact."""
    f, k, t, r, sigma = (context.mpf(x) for x in (forward, strike, time_to_expiry, rate, volatility))
    v = sigma * context.sqrt(t)
    d1 = context.log(f / k) / v + v / 2
    w = 1 if is_call else -1
    return w * context.exp(-r * t) * (f * context.ncdf(w * d1) - k * context.ncdf(w * (d1 - v)))


def implied_volatility(*, price, forward, strike, time_to_expiry, rate, is_call, start):
    """The volatility of an exact price: Newton's method on the logarithm of the out-of-the-money value from `start`."""
    p, f, k, t, r = (context.mpf(x) for x in (price, forward, strike, time_to_expiry, rate))
    undiscounted = p * context.exp(r * t)
    value = undiscounted - max(f - k if is_call else k - f, 0)
    x, lesser = abs(context.log(f / k)), min(f, k)
    root_time = context.sqrt(t)
    v = context.mpf(start) * root_time
    for _ in range(8):
        d = v / 2 - x / v
        found = lesser * (context.ncdf(d) - context.exp(x) * context.ncdf(d - v))
        step = context.log(value / found) * found / (lesser * context.npdf(d))
        v += step
        if abs(step) < v * context.mpf(10) ** -22:
            return v / root_time
    raise ArithmeticError(f"no convergence for price {price}, strike {strike}, from {start}")


def derivative(function, at, *, order=1, step):
    """Central difference of a 50-digit function; with `step` near 1e-12 its own error is below 1e-20 of the scale."""
    at, step = context.mpf(at), context.mpf(step)
    if order == 1:
        return (function(at + step) - function(at - step)) / (2 * step)
    return (function(at + step) - 2 * function(at) + function(at - step)) / step**2
