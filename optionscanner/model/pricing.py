"""Forward, volatility and Greeks of the whole market, as columns beside `Chains`."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

from optionscanner.model.contracts import Codes, Floats, Ints


class ForwardSource(IntEnum):
    """Where a forward came from, best first."""

    NONE = 0
    FUTURE = 1
    PARITY = 2
    CARRY = 3

    @property
    def word(self) -> str:
        """As sheets say it."""
        return "" if self is ForwardSource.NONE else self.name.lower()


@dataclass(frozen=True, eq=False)
class Pricing:
    """Black-76 on the market's forward. (S,) per chain, (R,) per strike, (R, 2) per leg; NaN where there is none."""

    forward: Floats
    """(S,) ₹."""
    forward_source: Codes
    """(S,) `ForwardSource`."""
    future_price: Floats
    """(S,) ₹, future of the same expiry."""
    rate: float
    """Continuously compounded, decimal a year."""
    time_to_expiry: Floats
    """(S,) years, ACT/365, at the stamp of the newest accepted observation."""
    reference: Floats
    """(S,) ₹: what ATM is measured from, spot or else the forward."""
    atm_row: Ints
    """(S,) row of the listed strike nearest `reference`, -1 where there is none."""
    price: Floats
    """(R, 2) ₹: mid of a two-sided quote, else the last trade."""
    implied_volatility: Floats
    """(R, 2) decimal, from the leg's own price."""
    iv_reason: Codes
    """(R, 2) `Reason`: why there is no volatility, or why it is unreliable; OK otherwise."""
    surface_volatility: Floats
    """(R,) decimal: from the out-of-the-money side where that is reliable, else the other side."""
    atm_volatility: Floats
    """(S,) decimal at the forward."""
    delta: Floats
    gamma: Floats
    vega: Floats
    theta: Floats
    rho: Floats
    vanna: Floats
    charm: Floats
    volga: Floats
    """(R, 2) on `surface_volatility`, so that call and put of a strike agree; units as in `analytics.black76`."""
