"""Black's formula without units, arranged so that no digits are lost: what pricing and its inversion share.

An option and its mirror on the other side of the strike have the same time value (put-call parity), so only the
out-of-the-money one is treated. With m = min(F, K) and x = |ln(F/K)| >= 0 its value is D·m·c, and

    v = sigma·sqrt(T),  a = x/v,  t = v/2,   c = N(t - a) - e^x N(-t - a),   0 < c < 1,   dc/dv = n(t - a)

where N and n are the normal distribution and density. The textbook difference cancels: ten minutes before expiry five
digits of it are gone. With kernel = exp(-(t - a)²/2) and Y(d) = N(d)·exp(d²/2), a scaled complementary error function,
the same value is c = kernel·[Y(t - a) - Y(-t - a)], and the bracket is expanded in t where t is small.

All functions take equally long one-dimensional float64 arrays and return new ones.
Source: F. Black, The pricing of commodity contracts, J. Financial Economics 3 (1976); the scaling and the expansion
follow the idea of P. Jaeckel, Let's be rational (2013). Values: tests/reference/black76.csv.
"""

from __future__ import annotations

import math

import numpy as np
from scipy.special import erfcx

from optionscanner.model.contracts import Floats

ROOT_HALF = math.sqrt(0.5)
INVERSE_ROOT_TWO_PI = 1.0 / math.sqrt(2.0 * math.pi)

SERIES_MAX_T = 0.1
SERIES_MAX_X = 1.0
SERIES_TERMS = 5
# Inside both limits the first term left out is below 1e-17 of the sum, and the recurrence keeps its digits.


def kernel(d: Floats) -> Floats:
    """exp(-d²/2), the normal density without its constant."""
    exponent = d * d
    exponent *= -0.5
    return np.exp(exponent, out=exponent)


def tail_difference(a: Floats, t: Floats) -> Floats:
    """Y(t - a) - Y(-t - a) for a >= 0 and t > 0, relative error below 1e-13 for a below 40.

    Overflows where t - a passes 37; use `tail_sum` where the value is nearer its upper bound than 0.
    """
    near, far = _split(a, t)
    difference = np.empty_like(a)
    difference[near] = _series(a[near], t[near])
    if far.size:
        low, high = a[far] - t[far], a[far] + t[far]
        difference[far] = 0.5 * (erfcx(ROOT_HALF * low) - erfcx(ROOT_HALF * high))
    return difference


def tail_sum(a: Floats, t: Floats) -> Floats:
    """Y(a - t) + Y(-a - t), so that 1 - c = kernel·tail_sum: the gap to the upper bound, without cancellation."""
    total: Floats = 0.5 * (erfcx(ROOT_HALF * (t - a)) + erfcx(ROOT_HALF * (t + a)))
    return total


def value_fraction(a: Floats, t: Floats, kernel_at: Floats) -> Floats:
    """c, the out-of-the-money value over its upper bound; `kernel_at` is kernel(t - a), which callers have.

    Relative error below 1e-15·(t - a)² + 1e-13. NaN in, NaN out.
    """
    near, far = _split(a, t)
    fraction = np.empty_like(a)
    fraction[near] = _series(a[near], t[near])
    fraction[far] = 0.0
    fraction *= kernel_at
    if far.size:
        low, high = a[far] - t[far], a[far] + t[far]
        # Where low < 0, c = 1 - kernel·[Y(low) + Y(-high)]: erfcx of a negative number would overflow.
        tails = np.copysign(erfcx(ROOT_HALF * np.abs(low)), low) - erfcx(ROOT_HALF * high)
        fraction[far] = (low < 0.0) + 0.5 * kernel_at[far] * tails
    return fraction


def _split(a: Floats, t: Floats) -> tuple[slice | np.ndarray, np.ndarray]:
    """Rows for the series, rows for the difference of two error functions; NaN goes with the latter."""
    series = (t <= SERIES_MAX_T) & (a * t <= 0.5 * SERIES_MAX_X)
    far = np.flatnonzero(~series)
    # As a rule a whole market is in reach of the series: then no row need be moved.
    return (np.flatnonzero(series) if far.size else slice(None)), far


def _series(a: Floats, t: Floats) -> Floats:
    """Twice the odd part of Y's Taylor series about -a; one special function, not two, and no cancellation.

    With Y' = 1/sqrt(2 pi) - a Y, the odd terms y(k) = Y^(2k+1)(-a)·t^(2k+1)/(2k+1)! follow
    (2k+2)(2k+3)·y(k+1) = [(at)² + (4k+3) t²]·y(k) - t^4·y(k-1), where t^4·y(-1) = t³/sqrt(2 pi).
    """
    term: Floats = erfcx(ROOT_HALF * a)
    term *= a
    term *= -0.5
    term += INVERSE_ROOT_TWO_PI
    term *= t
    square = t * t
    fourth = square * square
    before = square * t
    before *= INVERSE_ROOT_TWO_PI
    factor = a * t
    factor *= factor
    factor += 3.0 * square
    square *= 4.0
    total = term.copy()
    for k in range(SERIES_TERMS):
        following = factor * term
        following -= before
        following *= 1.0 / ((2 * k + 2) * (2 * k + 3))
        total += following
        np.multiply(fourth, term, out=before)
        term = following
        factor += square
    total *= 2.0
    return total
