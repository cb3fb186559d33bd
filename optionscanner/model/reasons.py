"""Why an array holds NaN: one code per cell, and the words a sheet shows for it.

Codes are stored in uint8 arrays beside the values they explain and in the history, so a number never changes
its meaning. 0-19 belong to pricing; other subjects start at 20.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import IntEnum
from types import MappingProxyType


class Reason(IntEnum):
    """Why a quantity of a leg is absent; `OK` where it is present."""

    OK = 0
    BELOW_INTRINSIC = 1
    """The price is under the discounted intrinsic value: no volatility, however small, is that cheap."""
    AT_INTRINSIC = 2
    """The price equals the discounted intrinsic value: nothing of it is time value."""
    NONPOSITIVE_PRICE = 3
    AT_OR_ABOVE_UPPER_BOUND = 4
    """The price reaches the discounted forward (call) or strike (put): no volatility is that dear."""
    EXPIRED = 5
    NO_PRICE = 6
    NO_FORWARD = 7
    """The forward is absent or not positive."""
    NO_TERMS = 8
    """Strike, time to expiry or rate is absent or out of all range."""


words: Mapping[Reason, str] = MappingProxyType({
    Reason.OK: "",
    Reason.BELOW_INTRINSIC: "below intrinsic",
    Reason.AT_INTRINSIC: "at intrinsic",
    Reason.NONPOSITIVE_PRICE: "price not positive",
    Reason.AT_OR_ABOVE_UPPER_BOUND: "price too high",
    Reason.EXPIRED: "expired",
    Reason.NO_PRICE: "no price",
    Reason.NO_FORWARD: "no forward",
    Reason.NO_TERMS: "no strike, time or rate",
})
"""code -> short text for a sheet's cell; every code has one."""
