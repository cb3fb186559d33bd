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

    # A price that solves but says little about the market now.
    NOT_TRADED_TODAY = 20
    OLD_TRADE = 21
    WIDE_SPREAD = 22
    BELOW_TWO_TICKS = 23
    """Time value under two ticks: rounding of the price decides the volatility."""
    LAST_MINUTE = 24

    # A quantity of one leg that was blanked at the border.
    NEGATIVE = 30
    CROSSED = 31
    """Bid above ask."""
    VOLUME_SHRANK = 32
    """Cumulative volume smaller than seen before today."""
    ABSURD = 33
    """Infinite, or larger than any market has ever quoted: a misread number."""

    # The spot of an underlying.
    SPOT_ZERO = 40
    SPOT_ABSURD = 41
    """Spot far outside the listed strikes."""

    # A whole chain that was refused at the border.
    BEFORE_OPEN = 50
    AFTER_CLOSE = 51
    STALE_STAMP = 52
    STAMP_IN_FUTURE = 53
    REPEATED_STAMP = 54
    TOO_FEW_STRIKES = 55
    EXPIRED_CONTRACT = 56

    # A reading that is withheld.
    STALE = 60
    LOW_COVERAGE = 61
    NO_OPEN_INTEREST = 62
    NOT_YET_OBSERVED = 63
    QUARANTINED = 64
    """An engine failed on this underlying; it is tried again after a while."""

    WINDOW_NOT_COVERED = 65
    """No observation stands for the beginning of the window."""
    NOTHING_BEFORE = 66
    """The share of a change has no base: open interest was 0."""

    # An event of the volume/OI scan that does not count.
    OPEN_INTEREST_NOT_RISING = 70
    DIRECTION_UNKNOWN = 71
    NO_REGIME = 72
    AGAINST_FLOW = 73
    EXPIRY_DAY = 74
    """On the day an index expires every strike trades many times its open interest."""

    @property
    def words(self) -> str:
        """Short text for a sheet's cell."""
        return words[self]


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
    Reason.NOT_TRADED_TODAY: "not traded today",
    Reason.OLD_TRADE: "old trade",
    Reason.WIDE_SPREAD: "wide spread",
    Reason.BELOW_TWO_TICKS: "under two ticks",
    Reason.LAST_MINUTE: "last minute",
    Reason.NEGATIVE: "negative value",
    Reason.CROSSED: "bid above ask",
    Reason.VOLUME_SHRANK: "volume shrank",
    Reason.ABSURD: "absurd value",
    Reason.SPOT_ZERO: "no spot",
    Reason.SPOT_ABSURD: "spot absurd",
    Reason.BEFORE_OPEN: "before the open",
    Reason.AFTER_CLOSE: "after the close",
    Reason.STALE_STAMP: "stale stamp",
    Reason.STAMP_IN_FUTURE: "stamp in future",
    Reason.REPEATED_STAMP: "repeated stamp",
    Reason.TOO_FEW_STRIKES: "under two strikes quoted",
    Reason.EXPIRED_CONTRACT: "expiry passed",
    Reason.STALE: "stale",
    Reason.LOW_COVERAGE: "too few legs seen",
    Reason.NO_OPEN_INTEREST: "no OI yet",
    Reason.NOT_YET_OBSERVED: "not seen yet",
    Reason.QUARANTINED: "left out after an error",
    Reason.WINDOW_NOT_COVERED: "window not covered",
    Reason.NOTHING_BEFORE: "OI was 0",
    Reason.OPEN_INTEREST_NOT_RISING: "OI not rising",
    Reason.DIRECTION_UNKNOWN: "direction unknown",
    Reason.NO_REGIME: "no regime",
    Reason.AGAINST_FLOW: "against the flow",
    Reason.EXPIRY_DAY: "expiry day",
})
"""code -> short text for a sheet's cell; every code has one."""
