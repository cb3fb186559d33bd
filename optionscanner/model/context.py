"""What does not change within a trading day. Built once by the source before the open; engines never query."""

from __future__ import annotations

from dataclasses import dataclass

from optionscanner.model.calendar import TradingSession
from optionscanner.model.contracts import Bools, Floats, Layout
from optionscanner.model.daily import DailyContext


@dataclass(frozen=True, eq=False)
class DayContext:
    """One trading day's contracts and yesterday's figures, aligned with `layout`."""

    session: TradingSession
    layout: Layout
    listed: Bools
    """(R, 2) legs known to be listed before the open; a leg that is first seen later counts as listed from then."""
    previous_open_interest: Floats
    """(R, 2) closing open interest of the previous session [units]; NaN where the source has none."""
    previous_close: Floats
    """(R, 2) previous session's close of the contract [₹]; NaN where the source has none."""
    contract_close: Floats
    """(S,) when each segment's contracts stop trading today, seconds since 1970 UTC."""
    refresh: Floats
    """(U,) seconds between observations that the source promises for each underlying; staleness is judged by it."""
    tick_size: Floats
    """(S,) ₹ per tick of each segment's options; NaN where the source does not say."""
    daily: DailyContext | None = None
    """What the daily files say of the sessions before; None where none were read."""
