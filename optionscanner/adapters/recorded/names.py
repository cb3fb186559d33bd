"""What the raw files do not say about an underlying: index or stock, and where it trades.

Main entries: `kind_of`, `derivatives_exchange`, `cash_exchange`. Recorded days carry the answer: only converters
ask.
"""

from __future__ import annotations

from typing import Literal

# Indices with derivatives now or in the years that the raw files cover, by their derivatives' symbol.
NSE_INDICES = frozenset({"NIFTY", "BANKNIFTY", "FINNIFTY", "MIDCPNIFTY", "NIFTYNXT50", "NIFTYFPI", "NIFTYIT"})
BSE_INDICES = frozenset({"SENSEX", "BANKEX", "SENSEX50"})


def kind_of(underlying: str) -> Literal["INDEX", "STOCK"]:
    """Whether an underlying is an index or a stock."""
    return "INDEX" if underlying in NSE_INDICES | BSE_INDICES else "STOCK"


def derivatives_exchange(underlying: str) -> Literal["NFO", "BFO"]:
    """Where its futures and options trade."""
    return "BFO" if underlying in BSE_INDICES else "NFO"


def cash_exchange(underlying: str) -> Literal["NSE", "BSE"]:
    """Where it is itself quoted."""
    return "BSE" if underlying in BSE_INDICES else "NSE"
