"""What a recording knows of its day beyond the tables, so that its replay has the very day of the session.

Main entries: `instruments_of`, `hours_of` and `unlisted_of` describe a session's day for the recorder;
`with_own_session` and `unlist` apply the description for the replay.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

import numpy as np
import pyarrow as pa

from optionscanner.adapters.recorded.manifest import Manifest, SessionHours
from optionscanner.adapters.recorded.tables import table_of
from optionscanner.model.calendar import IST, TradingCalendar, TradingSession
from optionscanner.model.context import DayContext
from optionscanner.model.contracts import OPTION_TYPES, Bools, Layout

_INVENTED: Literal["fictitious"] = "fictitious"
"""Kind of a session that no calendar of the exchange has."""


def hours_of(day: DayContext) -> SessionHours | None:
    """Hours that a replay could not look up; None for a day of the calendar."""
    session = day.session
    return SessionHours(session.opens, session.closes) if session.kind == _INVENTED else None


def with_own_session(calendar: TradingCalendar, manifest: Manifest) -> TradingCalendar:
    """The calendar, with the invented session of a simulated day where the manifest has one."""
    if manifest.session is None:
        return calendar
    return calendar.with_session(
        TradingSession(
            date=manifest.date,
            opens=manifest.session.opens.astimezone(IST),
            closes=manifest.session.closes.astimezone(IST),
            kind=_INVENTED,
            description="session of a recorded simulation",
            source="manifest of the recording",
        )
    )


def unlisted_of(day: DayContext) -> dict[str, tuple[float, ...]]:
    """`Manifest.unlisted_at_open`: the legs of the layout that were not known as listed before the open."""
    layout = day.layout
    unlisted = {}
    for segment, key in enumerate(layout.segment_keys):
        rows = slice(int(layout.starts[segment]), int(layout.ends[segment]))
        for side, option_type in enumerate(OPTION_TYPES):
            strikes = layout.strike[rows][~day.listed[rows, side]]
            if len(strikes):
                unlisted[f"{key.underlying} {key.expiry.isoformat()} {option_type}"] = tuple(map(float, strikes))
    return unlisted


def unlist(listed: Bools, layout: Layout, unlisted: Mapping[str, Sequence[float]]) -> None:
    """Clear the legs of `Manifest.unlisted_at_open` in `listed` (R, 2); those that the layout lacks are left out."""
    if not unlisted:
        return
    position = {f"{key.underlying} {key.expiry.isoformat()}": i for i, key in enumerate(layout.segment_keys)}
    for name, strikes in unlisted.items():
        chain, _, option_type = name.rpartition(" ")
        if chain in position and option_type in OPTION_TYPES:
            rows = layout.rows_of(np.full(len(strikes), position[chain]), np.array(strikes))
            listed[rows[rows >= 0], OPTION_TYPES.index(option_type)] = False


def instruments_of(day: DayContext) -> pa.Table:
    """The table `instruments` of a session's day: both legs of every strike of the layout, and the futures."""
    layout = day.layout
    segment = np.repeat(layout.row_segment, 2)
    legs, futures = len(segment), len(layout.future_expiry)
    owner = np.concatenate([layout.segment_underlying[segment], layout.future_underlying])
    expiry = np.concatenate([layout.segment_expiry[segment], layout.future_expiry])
    none = np.full(futures, np.nan)
    names = np.array([[u.exchange, u.name, u.kind] for u in layout.underlyings], dtype=object)[owner]
    return table_of(
        "instruments",
        {
            "exchange": names[:, 0],
            "underlying": names[:, 1],
            "kind": names[:, 2],
            "expiry": dates(expiry),
            "strike": np.concatenate([np.repeat(layout.strike, 2), none]),
            "option_type": np.array([*OPTION_TYPES * (legs // 2), *["FUT"] * futures], dtype=object),
            "lot_size": np.concatenate([layout.segment_lot_size[segment], layout.future_lot_size]),
            "lot_size_source": np.full(legs + futures, "the recorded session", dtype=object),
            "tick_size": np.concatenate([day.tick_size[segment], none]),
            "previous_open_interest": np.concatenate([day.previous_open_interest.ravel(), none]),
            "previous_close": np.concatenate([day.previous_close.ravel(), none]),
        },
    )


def dates(ordinals: np.ndarray) -> np.ndarray:
    """`date.toordinal` numbers as datetime64[D]."""
    return np.asarray((ordinals - _EPOCH).astype("datetime64[D]"))


_EPOCH = 719_163
"""Ordinal of 1 January 1970."""
