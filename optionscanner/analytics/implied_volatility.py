"""Black-76 implied volatility of a whole market in one call, with a reason where there is none.

The price is first brought to the out-of-the-money side without cancellation, so that a deep in-the-money quote is as
good as its time value. Then, in the normalised units of `normalised_black.py`, a guess interpolated by rational cubics
(within 15 % at worst, 1 % as a rule) is refined by two fourth-order steps on the logarithm of the value, or of its gap
to the upper bound. That reaches the last digits everywhere: no iteration count depends on the data.

Inputs are taken as exact: whether a quote is stale, or its time value under the tick, is for the caller to judge.
Source: P. Jaeckel, Let's be rational (2013); the rational cubic is R. Delbourgo and J. Gregory, Shape preserving
piecewise rational interpolation (1985). Values: tests/reference/implied_vol.csv.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import erfcx, ndtr, ndtri

from optionscanner.analytics.batches import blocks, flatten
from optionscanner.analytics.normalised_black import INVERSE_ROOT_TWO_PI, kernel, tail_difference, tail_sum
from optionscanner.model.contracts import Bools, Codes, Floats
from optionscanner.model.reasons import Reason

ROOT_TWO_PI = math.sqrt(2.0 * math.pi)
LOWER_MAP_SCALE = 2.0 * math.pi / (3.0 * math.sqrt(3.0))

ROUNDING = 4.0 * float(np.finfo(np.float64).eps)
"""Bound of the relative error of (F - K)·(e^(-rT) - 1) as computed."""

STEPS = 2
"""Each multiplies the number of right digits by four: a guess 14 % off is 1e-6 off after one, exact after two."""

# Far outside any market, and inside what the solver was proven on and floating point can hold.
LOWEST, HIGHEST = 1e-100, 1e100
MAX_LOG_MONEYNESS = 50.0
MAX_RATE_TIME = 500.0
SMALLEST_FRACTION = 1e-290
SMALLEST_LOG_MONEYNESS = 1e-290


def implied_volatility(
    *,
    price: ArrayLike,
    forward: ArrayLike,
    strike: ArrayLike,
    time_to_expiry: ArrayLike,
    rate: ArrayLike,
    is_call: ArrayLike,
) -> tuple[Floats, Codes]:
    """Annual volatility (0.13, not 13) at which Black-76 gives `price`, and a `Reason` code where there is none.

    Parameters
    ----------
    price
        ₹ per unit of underlying, as paid today.
    forward, strike
        ₹ per unit; the forward of the option's own expiry.
    time_to_expiry
        Years, ACT/365.
    rate
        Annual decimal, continuously compounded.
    is_call
        True for a call, False for a put.

    Returns
    -------
    Two arrays of the shape that the arguments broadcast to: the volatility, NaN where there is none, and the code
    (uint8), `Reason.OK` where there is one. When several reasons apply the first of these is given: no price,
    expired, no forward, no terms, price not positive, price too high, below intrinsic, at intrinsic. The bounds are
    the discounted ones: D·max(w(F - K), 0) < price < D·F (call) or D·K (put), D = e^(-rT).

    Raises
    ------
    ValueError
        When the arguments do not broadcast together (NumPy's). Numbers never raise or warn.

    Notes
    -----
    Relative error within 1e-13 wherever the inputs determine the volatility that well; a price within one rounding
    error of its intrinsic value is `AT_INTRINSIC`.
    """
    shape, arguments, calls = flatten(price, forward, strike, time_to_expiry, rate, is_call)
    size = calls.size
    volatility = np.empty(size)
    reasons = np.empty(size, dtype=np.uint8)
    with np.errstate(all="ignore"):
        for block in blocks(size):
            part = [argument[block] for argument in arguments]
            volatility[block], reasons[block] = _solve_block(part, calls[block])
    return volatility.reshape(shape), reasons.reshape(shape)


def _solve_block(arguments: list[Floats], call: Bools) -> tuple[Floats, Codes]:
    p, f, k, t, r = arguments
    rate_time = r * t
    shrink = np.expm1(-rate_time)
    lesser = np.minimum(f, k)
    bound = np.exp(-rate_time) * lesser
    # |ln(F/K)| with all its digits near the money, where ln of the rounded ratio F/K has lost them.
    size = np.log1p(np.abs(f - k) / lesser)
    time_value, error = _time_value(p, f, k, shrink, call)
    error = np.maximum(error, SMALLEST_FRACTION * bound)
    gap, gap_error = _upper_gap(p, np.where(call, f, k), shrink)
    terms = (k > LOWEST) & (k < HIGHEST) & (t < HIGHEST) & (np.abs(rate_time) < MAX_RATE_TIME)
    terms &= ~(size > MAX_LOG_MONEYNESS)
    reasons = np.zeros(p.size, dtype=np.uint8)
    # From the weakest to the strongest: a later reason replaces an earlier one.
    for applies, reason in (
        (np.abs(time_value) <= error, Reason.AT_INTRINSIC),
        (time_value < -error, Reason.BELOW_INTRINSIC),
        (~(gap > gap_error), Reason.AT_OR_ABOVE_UPPER_BOUND),
        (p <= 0.0, Reason.NONPOSITIVE_PRICE),
        (~terms, Reason.NO_TERMS),
        (~((f > LOWEST) & (f < HIGHEST)), Reason.NO_FORWARD),
        (t <= 0.0, Reason.EXPIRED),
        (np.isnan(p), Reason.NO_PRICE),
    ):
        np.copyto(reasons, np.uint8(reason), where=applies)
    volatility = np.full(p.size, np.nan)
    rows = np.flatnonzero(reasons == Reason.OK)
    bound = bound[rows]
    v = _solve(np.maximum(size[rows], SMALLEST_LOG_MONEYNESS), time_value[rows] / bound, gap[rows] / bound)
    volatility[rows] = v / np.sqrt(t[rows])
    return volatility, reasons


def _time_value(p: Floats, f: Floats, k: Floats, shrink: Floats, call: Bools) -> tuple[Floats, Floats]:
    """Price of the out-of-the-money option at the strike [₹], and the most it can be wrong by; shrink = D - 1.

    In the money it is p - D(F - K) = p - (F - K) - shrink·(F - K) (signs as for a call), where both differences
    carry their rounding error along: of a price of 4,800 with a time value of 0.10 no digit is lost.
    """
    high, low = np.where(call, f, k), np.where(call, k, f)
    parity, parity_error = _difference(high, low)
    excess, excess_error = _difference(p, parity)
    carry = shrink * parity
    in_the_money = parity > 0.0
    value = np.where(in_the_money, excess + (excess_error - parity_error) - carry, p)
    error = np.where(in_the_money, ROUNDING * np.abs(carry), 0.0)
    return value, error


def _upper_gap(p: Floats, high: Floats, shrink: Floats) -> tuple[Floats, Floats]:
    """D·high - p, how far the price is below its upper bound [₹], and the most it can be wrong by.

    It is the same for both sides of the strike.
    """
    rest, rest_error = _difference(high, p)
    carry = shrink * high
    return rest + (rest_error + carry), ROUNDING * np.abs(carry)


def _difference(x: Floats, y: Floats) -> tuple[Floats, Floats]:
    """x - y as rounded, and what the rounding left out (Knuth's exact difference)."""
    rounded = x - y
    back = x - rounded
    return rounded, (x - (rounded + back)) + (back - y)


def _solve(size: Floats, fraction: Floats, gap: Floats) -> Floats:
    """v = sigma·sqrt(T) where the value fraction is c, 0 < c < 1; gap is 1 - c and size |ln(F/K)| > 0."""
    v = _guess(size, fraction, gap)
    upper = fraction > 0.5
    low, high = np.flatnonzero(~upper), np.flatnonzero(upper)
    for rows, target, sign, tails in ((low, fraction, 1.0, tail_difference), (high, gap, -1.0, tail_sum)):
        part, log_target, part_size = v[rows], np.log(target[rows]), size[rows]
        for _ in range(STEPS):
            a, half = part_size / part, 0.5 * part
            bracket = tails(a, half)
            log_value = np.log(bracket) - 0.5 * (half - a) ** 2
            slope = sign * INVERSE_ROOT_TWO_PI / bracket
            part = part + _householder_step(a, part, slope, log_target - log_value)
        v[rows] = part
    return v


def _householder_step(a: Floats, v: Floats, slope: Floats, miss: Floats) -> Floats:
    """Change of v that meets ln c (or ln(1 - c)) to fourth order: Householder's third method.

    slope is the first derivative, c'/c (or -c'/(1 - c)); miss is what the logarithm lacks.
    """
    # c'' / c' = a²/v - v/4 and c''' / c' = (c''/c')² - 3(a/v)² - 1/4, with a = x/v.
    bend = a * a / v - 0.25 * v
    second = bend - slope
    third = bend * bend - 3.0 * (a / v) ** 2 - 0.25 - 3.0 * slope * bend + 2.0 * slope * slope
    newton = miss / slope
    step: Floats = newton * (1.0 + 0.5 * second * newton) / (1.0 + newton * (second + third * newton / 6.0))
    return step


def _guess(size: Floats, c: Floats, gap: Floats) -> Floats:
    """First v, within about 15 % at worst and 1 % as a rule.

    The value turns from convex to concave at v* = sqrt(2x), where t = a. Above it N(-v/2) is nearly linear in c; it
    is interpolated from v* to the upper bound. Below it v itself is, down to v_low, where the tangent at v* reaches
    c = 0; and under that a third power of N(-a/sqrt(3)), which has c's own limit as c goes to 0.
    """
    root = np.sqrt(size)
    turn = math.sqrt(2.0) * root
    turn_c = 0.5 * (1.0 - erfcx(root))
    v = np.empty_like(size)
    above = c >= turn_c
    rows = np.flatnonzero(above)
    v[rows] = _guess_above_turn(size[rows], gap[rows], turn[rows], 1.0 - turn_c[rows])
    rows = np.flatnonzero(~above)
    v[rows] = _guess_below_turn(size[rows], c[rows], turn[rows], turn_c[rows])
    return v


def _guess_above_turn(size: Floats, gap: Floats, turn: Floats, width: Floats) -> Floats:
    # Measured from the upper bound, where a price one rounding error below it still has a volatility.
    value = ndtr(-0.5 * turn)
    slope = 0.5 * np.exp(-0.25 * size)
    curvature = 0.25 * ROOT_TWO_PI * turn * slope
    start_slope = 0.5 * np.exp(-0.5 * size)
    # The second derivative is met at the turn.
    shape = _shape(0.5 * width * curvature + slope - start_slope, slope - value / width)
    mapped = _rational_cubic(gap / width, (0.0, value), (width * start_slope, width * slope), shape)
    v: Floats = -2.0 * ndtri(mapped)
    return v


def _guess_below_turn(size: Floats, c: Floats, turn: Floats, turn_c: Floats) -> Floats:
    # The tangent's foot is positive, but rounding may say otherwise where x is nearly 0.
    foot = np.maximum(turn - ROOT_TWO_PI * turn_c, np.minimum(size, 0.5 * turn))
    a, half = size / foot, 0.5 * foot
    foot_kernel = kernel(half - a)
    foot_c = foot_kernel * tail_difference(a, half)
    foot_vega = foot_kernel * INVERSE_ROOT_TWO_PI
    width = turn_c - foot_c
    left, right = 1.0 / foot_vega, ROOT_TWO_PI
    # The second derivative, 0 at the turn, is met at the right end.
    shape = _shape(right - left, right - (turn - foot) / width)
    v = _rational_cubic((c - foot_c) / width, (foot, turn), (width * left, width * right), shape)
    rows = np.flatnonzero(c < foot_c)
    v[rows] = _guess_in_tail(size[rows], c[rows], foot[rows], foot_c[rows], foot_vega[rows])
    return v


def _guess_in_tail(size: Floats, c: Floats, foot: Floats, foot_c: Floats, foot_vega: Floats) -> Floats:
    a = size / foot
    z = a / math.sqrt(3.0)
    tail, peak = ndtr(-z), kernel(z) * INVERSE_ROOT_TWO_PI
    scale = LOWER_MAP_SCALE * size
    value = scale * tail**3
    slope = 3.0 * scale * tail * tail * peak * z / (foot * foot_vega)
    bend = a * a / foot - 0.25 * foot
    curvature = slope * ((2.0 * z * peak / tail + z * z - 2.0) / foot - bend) / foot_vega
    start_slope = np.exp(-0.5 * size)
    shape = _shape(0.5 * foot_c * curvature + slope - start_slope, slope - value / foot_c)
    mapped = _rational_cubic(c / foot_c, (0.0, value), (foot_c * start_slope, foot_c * slope), shape)
    cube_root = np.cbrt(np.clip(mapped, 0.0, value) / scale)
    v: Floats = -size / (math.sqrt(3.0) * ndtri(cube_root))
    return v


def _shape(numerator: Floats, denominator: Floats) -> Floats:
    """The rational cubic's parameter r, kept where its denominator has no zero; a straight piece has any r."""
    ratio = numerator / denominator
    return np.where(np.isfinite(ratio), np.clip(ratio, -0.999, 1e6), 3.0)


def _rational_cubic(
    s: Floats, ends: tuple[Floats | float, Floats | float], slopes: tuple[Floats, Floats], shape: Floats
) -> Floats:
    """Interpolation at s in [0, 1] between two values with their slopes per unit of s; r = 3 is the plain cubic."""
    u = 1.0 - s
    su = s * u
    start = ends[0] * u * u + (shape * ends[0] + slopes[0]) * su
    end = ends[1] * s * s + (shape * ends[1] - slopes[1]) * su
    value: Floats = (start * u + end * s) / (1.0 + (shape - 3.0) * su)
    return value
