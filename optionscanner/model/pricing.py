"""Forward, volatility and Greeks of the whole market, as columns beside `Chains`."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from enum import IntEnum

import numpy as np

from optionscanner.model.contracts import Codes, Floats, Ints, Layout
from optionscanner.model.reasons import Reason


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

    @classmethod
    def blank(cls, layout: Layout, rate: float) -> Pricing:
        """Nothing priced."""
        per_chain = {n: np.full(layout.segments, np.nan) for n in _PER_CHAIN}
        per_leg = {n: np.full((layout.rows, 2), np.nan) for n in _PER_LEG}
        return cls(
            **per_chain,
            **per_leg,
            forward_source=np.zeros(layout.segments, dtype=np.uint8),
            rate=rate,
            atm_row=np.full(layout.segments, -1, dtype=np.int64),
            iv_reason=np.full((layout.rows, 2), Reason.NO_PRICE, dtype=np.uint8),
            surface_volatility=np.full(layout.rows, np.nan),
        )

    def sliced(self, layout: Layout, underlying: str) -> Pricing:
        """The pricing of one underlying alone, on ``layout.sliced(underlying)``."""
        u = layout.names.index(underlying)
        chains = np.flatnonzero(layout.segment_underlying == u)
        rows = np.flatnonzero(np.isin(layout.row_segment, chains))
        by_chain = {f.name for f in fields(self)} & {*_PER_CHAIN, "forward_source"}
        by_row = {f.name for f in fields(self)} & {*_PER_LEG, "iv_reason", "surface_volatility"}
        moved_rows = {n: getattr(self, n)[rows] for n in by_row}
        moved_chains = {n: getattr(self, n)[chains] for n in by_chain}
        atm = self.atm_row[chains]
        first = rows[0] if len(rows) else 0
        return replace(self, **moved_rows, **moved_chains, atm_row=np.where(atm >= 0, atm - first, -1))


_PER_CHAIN = ("forward", "future_price", "time_to_expiry", "reference", "atm_volatility")
_PER_LEG = (
    "price",
    "implied_volatility",
    "delta",
    "gamma",
    "vega",
    "theta",
    "rho",
    "vanna",
    "charm",
    "volga",
)
