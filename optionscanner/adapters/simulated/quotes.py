"""Prices of one instant: an arbitrage-free smile per expiry, Black-76 on its forward, and quotes around them.

The smile is Gatheral and Jacquier's SSVI surface ("Arbitrage-free SVI volatility surfaces", 2014) with
phi(theta) = eta / sqrt(theta): no butterfly arbitrage while eta^2 (1 + |rho|) <= 4 and eta (1 + |rho|) sqrt(theta)
< 4, no calendar arbitrage while theta grows with the expiry. It is a function of ln(strike / forward), so it moves
with spot.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.special import ndtr

from optionscanner.adapters.simulated.universe import RATE
from optionscanner.model.contracts import Floats, Ints

_REVERSION = 12.0
"""a year: a shock of volatility has faded by two thirds after a month"""


@dataclass(frozen=True, eq=False)
class Surface:
    """What fixes the smile of each of U names, beside the level of volatility."""

    base_volatility: Floats
    """(U,) long-run at-the-money volatility, decimal a year."""
    skew: Floats
    """(U,) rho of SSVI, -1 to 1; below 0 puts are dearer."""
    curvature: Floats
    """(U,) eta of SSVI."""
    carry: Floats
    """(U,) growth of the forward over spot, decimal a year."""


def atm_variance(surface: Surface, name: Ints, level: Floats, years: Floats) -> Floats:
    """Total variance at the money to an expiry: theta, which grows with `years` whatever the level."""
    base = surface.base_volatility[name] ** 2
    fading = (1.0 - np.exp(-_REVERSION * years)) / _REVERSION
    return np.asarray(base * years + (level**2 - base) * fading)


def fair_values(
    surface: Surface, name: Ints, *, spot: Floats, level: Floats, strike: Floats, years: Floats
) -> tuple[Floats, Floats, Floats]:
    """Fair call and put [₹] and distance from the money in standard deviations; all arguments broadcast.

    `name` indexes the surface, `level` is the short at-the-money volatility, `years` the time to the horizon.
    """
    forward = spot * np.exp(surface.carry[name] * years)
    theta = np.maximum(atm_variance(surface, name, level, years), 1e-12)
    skew = surface.skew[name]
    slope = surface.curvature[name] / np.sqrt(theta)
    distance = np.log(strike / forward)
    turn = slope * distance
    variance = theta / 2.0 * (1.0 + skew * turn + np.sqrt((turn + skew) ** 2 + 1.0 - skew**2))
    deviation = np.sqrt(variance)
    upper = deviation / 2.0 - distance / deviation
    lower = upper - deviation
    discount = np.exp(-RATE * years)
    call = discount * (forward * ndtr(upper) - strike * ndtr(lower))
    put = discount * (strike * ndtr(-lower) - forward * ndtr(-upper))
    return np.maximum(call, 0.0), np.maximum(put, 0.0), np.asarray(distance / deviation)


def two_sided(
    fair: Floats, *, away: Floats, spread: Floats, tick: Floats, noise: Floats
) -> tuple[Floats, Floats]:
    """Bid and ask [₹] on the tick with bid <= fair <= ask; NaN bid where not even one tick is bid.

    The half spread is `spread` of the price near the money, wider with the distance `away` [standard deviations],
    at most a quarter of the price, and breathes with `noise` (0-1).
    """
    half = fair * np.minimum(spread * (1.0 + 0.6 * away**2), 0.25) * (0.8 + 0.4 * noise)
    # The tiny shift keeps a price that is on the tick there, whatever the last bit says.
    low = np.floor((fair - half) / tick + 1e-9)
    high = np.maximum(np.ceil((fair + half) / tick - 1e-9), 1.0)
    # A market is never locked: the ask stands at least one tick above the bid.
    high = np.maximum(high, low + 1.0)
    bid = np.where(low >= 1.0, np.round(low * tick, 2), np.nan)
    return bid, np.asarray(np.round(high * tick, 2))


def hashed(seed: int, purpose: int, leg: Ints, point: Ints) -> Floats:
    """Uniform numbers in (0, 1) that belong to (seed, purpose, leg, instant), whoever asks and when.

    The mixing function is that of the splitmix64 generator (Steele, Lea, Flood 2014).
    """
    start = (seed * 0x9E3779B97F4A7C15 + purpose * 0xD1B54A32D192ED03) % 2**64
    mixed = _mix(np.uint64(start) + leg.astype(np.uint64))
    mixed = _mix(mixed + np.asarray(point).astype(np.uint64))
    return np.asarray(((mixed >> np.uint64(11)).astype(np.float64) + 0.5) / 2.0**53)


def _mix(state: npt.NDArray[np.uint64]) -> npt.NDArray[np.uint64]:
    with np.errstate(over="ignore"):
        state = state + np.uint64(0x9E3779B97F4A7C15)
        state = (state ^ (state >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        state = (state ^ (state >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        return np.asarray(state ^ (state >> np.uint64(31)))
