"""Names whose open interest says nothing today: in ban, or on an ex-date.

In a ban positions may only be closed, so open interest falls by rule; on an ex-date the exchange changes strikes and
open interest itself. Their data stays; signals from it do not.
"""

from __future__ import annotations

import numpy as np

from optionscanner.model.context import DayContext
from optionscanner.model.daily import EX_DATES


def suppressed(day: DayContext) -> np.ndarray:
    """(U,) object array: why no signal is made of a name's open interest, "" where one may be.

    Where the daily files say nothing, as of a ban list that is not there, nothing is suppressed.
    """
    names = day.layout.names
    words = np.full(len(names), "", dtype=object)
    if day.daily is None:
        return words
    today = day.session.date
    ex_dates = {e.underlying for e in day.daily.events if e.date == today and e.kind in EX_DATES}
    for i, name in enumerate(names):
        if name in ex_dates:
            words[i] = f"ex-date {today:%d-%b}"
    words[day.daily.banned == 1] = "ban"
    return words
