"""A replayed day's open interest against earlier, for every leg and instant, looked up again in the recording itself.

The recording is read with pandas and NumPy alone: what a chain held at each of its polls, and the rules of a window.
The day has a gap of half an hour for some names, a feed that repeats itself for others, and restarts of the program in
between. Compared are the reading's columns of every leg, and the cells of OI_TRACKER for names whose ATM moves.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from optionscanner.adapters.recorded.format import RecordedDay, read_day
from optionscanner.adapters.recorded.replay import RecordedMarket
from optionscanner.analytics.open_interest_change import open_interest_change
from optionscanner.analytics.open_interest_windows import open_interest_legs
from optionscanner.analytics.pricing import price_market
from optionscanner.history.store import SqliteHistory
from optionscanner.model.anchors import WINDOWS
from optionscanner.model.calendar import load_calendar
from optionscanner.model.reports import CycleReport
from optionscanner.model.sessions import Mode
from optionscanner.model.settings import EngineSettings
from optionscanner.model.state import State
from optionscanner.workbook.formats import Units
from optionscanner.workbook.layout_oi_tracker import HALVES, LADDER, SHOWN
from optionscanner.workbook.render_oi_tracker import half_blocks
from optionscanner.workbook.render_view import ShowSettings, View
from tests import builders
from tests.builders import ist
from tests.recorded_days import TapeClock, august_29, january_30

__all__ = ["august_29", "january_30"]

SETTINGS = EngineSettings()
PATIENCE, EARLY = 180.0, 15.0
SIDES = ("call", "put")
MIDDLE = [column.header for column in LADDER].index("Strike")


def seconds(times: pd.Series) -> np.ndarray:
    return times.astype("datetime64[ms, UTC]").astype("int64").to_numpy() / 1000.0


@dataclass
class Book:
    """What one chain was polled to hold: (polls, 2 x strikes) as recorded, NaN where a leg was not there."""

    strikes: np.ndarray
    polls: dict[float, np.ndarray]
    known: np.ndarray
    stamps: list[float] = field(default_factory=list)
    read: list[np.ndarray] = field(default_factory=list)

    def polled(self, at: float, stamp: float) -> None:
        """A poll counts where any leg differs from what was last known of it."""
        values = self.polls[at]
        seen = ~np.isnan(values)
        if (seen & (values != self.known)).any():
            self.known = np.where(seen, values, self.known)
            self.stamps.append(stamp)
            self.read.append(values)

    def standing(self, instant: float, until: float) -> np.ndarray:
        """What stands for an instant: the newest at or before it, not too old; else the oldest up to `until`."""
        found = np.full(len(self.known), np.nan)
        near = [(i, stamp) for i, stamp in enumerate(self.stamps[-60:], max(len(self.stamps) - 60, 0))]
        before = [i for i, stamp in near if instant - PATIENCE <= stamp <= instant]
        after = [i for i, stamp in near if instant <= stamp <= until]
        for i in (*before[::-1], *after):
            found = np.where(np.isnan(found), self.read[i], found)
        return found

    def change(self, minutes: int) -> np.ndarray:
        """(strikes, 2) change over a window that ends at the newest counted poll."""
        if not self.stamps:
            return np.full((len(self.strikes), 2), np.nan)
        end = self.stamps[-1]
        begin = end - 60.0 * minutes
        return (self.standing(end, end) - self.standing(begin, begin + EARLY)).reshape(-1, 2)

    @property
    def held(self) -> np.ndarray:
        """(strikes, 2) newest known open interest."""
        return self.known.reshape(-1, 2)


def books_of(options: pd.DataFrame) -> dict[tuple[str, str], Book]:
    """(name, expiry) -> its book, from the recorded table."""
    made = {}
    at = seconds(options["observed_at"])
    for key, rows in options.groupby([options["underlying"].astype(str), options["expiry"].astype(str)]):
        strikes = np.sort(rows["strike"].unique())
        place, polls = np.searchsorted(strikes, rows["strike"]), {}
        values = rows[["call_open_interest", "put_open_interest"]].to_numpy(dtype=float)
        values = np.where(values >= 0, values, np.nan)
        instants = at[rows.index]
        for instant in np.unique(instants):
            mine = instants == instant
            table = np.full((len(strikes), 2), np.nan)
            table[place[mine]] = values[mine]
            polls[float(instant)] = table.ravel()
        made[key] = Book(strikes, polls, np.full(2 * len(strikes), np.nan))
    return made


def troubled(recorded: RecordedDay) -> tuple[RecordedDay, pd.DataFrame]:
    """The day with half an hour missing of names A to F, and names N to S whose feed repeats itself for 40 minutes."""
    options = recorded.options.to_pandas()
    at, initial = seconds(options["observed_at"]), options["underlying"].astype(str).str[0]
    gone = initial.between("A", "F") & (at > ist(11, 0)) & (at < ist(11, 35))
    frozen = initial.between("N", "S") & (at >= ist(13, 0)) & (at < ist(13, 40))
    keys = ["underlying", "expiry", "strike"]
    for side in SIDES:
        column = f"{side}_open_interest"
        before = options[initial.between("N", "S") & (at < ist(13, 0))].groupby(keys, observed=True)[column].last()
        stands = pd.MultiIndex.from_frame(options.loc[frozen, keys]).map(before)
        options.loc[frozen, column] = np.asarray(stands, dtype=float)
    assert gone.sum() > 10_000 and frozen.sum() > 10_000
    options = options[~gone].reset_index(drop=True)
    table = pa.Table.from_pandas(options, schema=recorded.options.schema, preserve_index=False)
    return replace(recorded, options=table), options


def instants_of(recorded: RecordedDay):
    clock = TapeClock()
    market = RecordedMarket(recorded, clock, load_calendar())
    for clock.instant in market.instants():
        yield market.latest()


class Restarts:
    """A history that is closed and taken up again in the middle of the day."""

    def __init__(self, place: Path, day, until: float) -> None:
        self.place, self.day, self.until, self.number = place, day, until, 0
        self.session = builders.run_session(trading_date=day.session.date)
        self.history = self.begun(until)[0]

    def begun(self, now: float):
        history = SqliteHistory(self.place, Mode.REPLAY)
        return history, history.begin(self.session, self.day, resume_within=None, now=now)

    def report(self, chains, pricing, state: State, made) -> CycleReport:
        self.number += 1
        return CycleReport(
            session=self.session, cycle=self.number, as_of=chains.as_of, chains=chains, pricing=pricing, readings=made,
            alerts=builders.alerts(), state=state,
        )  # fmt: skip

    def again(self, now: float) -> State:
        """Close and begin again: the state that the history gives back."""
        self.history.close()
        self.history, resume = self.begun(now)
        assert resume.state is not None
        return resume.state


def check_legs(chains, reading, previous, books) -> int:
    """Every leg: of chains polled now as looked up in the recording, of the others as it was."""
    layout, compared = chains.layout, 0
    for segment in np.flatnonzero(chains.updated).tolist():
        key, rows = layout.segment_keys[segment], slice(layout.starts[segment], layout.ends[segment])
        book = books[key.underlying, key.expiry.isoformat()]
        assert np.array_equal(layout.strike[rows], book.strikes)
        book.polled(float(chains.observed_at[segment]), float(chains.stamped_at[segment]))
        changes = np.array([book.change(minutes) for minutes in WINDOWS])
        found = np.array([reading[f"change_{minutes}"][rows] for minutes in WINDOWS])
        assert np.array_equal(found, changes, equal_nan=True), (key, chains.as_of)
        before = book.held - changes
        shares = 100.0 * changes / np.where(before > 0, before, np.nan)
        found = np.array([reading[f"pct_{minutes}"][rows] for minutes in WINDOWS])
        assert np.allclose(found, shares, rtol=1e-12, atol=0, equal_nan=True), (key, chains.as_of)
        compared += int(np.isfinite(changes).sum())
    if previous is not None:
        quiet = ~chains.updated[layout.row_segment]
        for name in (f"{what}_{minutes}" for what in ("change", "pct") for minutes in WINDOWS):
            assert np.array_equal(reading[name][quiet], previous[name][quiet], equal_nan=True), (name, chains.as_of)
    return compared


def check_cells(report, name: str, book: Book, spot: float) -> float:
    """The ladder of OI_TRACKER, in units and in per cent, around `spot`; the strike at the money."""
    atm = int(np.argmin(np.abs(book.strikes - spot)))
    first = min(max(atm - 5, 0), len(book.strikes) - 11)
    shown = slice(first, first + 11)
    changes = {minutes: book.change(minutes)[shown] for minutes in SHOWN}
    for in_units in (True, False):
        show = ShowSettings(units=Units.UNITS, changes=in_units, narrow_window=True)
        blocks = {block.name: block.rows for block in half_blocks(View(report, show), HALVES[0], name)}
        ladder = blocks["tracker_left_chain"]
        cells = np.array([[np.nan if c is None else c for c in row] for row in ladder], dtype=float)
        assert cells[:, MIDDLE].tolist() == book.strikes[shown].tolist()
        for side, mine in ((0, cells[:, :MIDDLE]), (1, cells[:, :MIDDLE:-1])):
            held = book.held[shown, side]
            np.testing.assert_array_equal(mine[:, len(SHOWN) + 1], held)
            for place, minutes in enumerate(SHOWN):
                expected = changes[minutes][:, side]
                if not in_units:
                    before = held - expected
                    expected = 100.0 * expected / np.where(before > 0, before, np.nan)
                np.testing.assert_allclose(mine[:, place], expected, rtol=1e-12, err_msg=f"{name} {minutes}")
    return float(book.strikes[atm])


@pytest.mark.data
@pytest.mark.slow
def test_every_leg_and_instant_of_a_day_with_gaps_restarts_and_a_stale_feed(january_30: Path, tmp_path: Path) -> None:
    recorded, options = troubled(read_day(january_30))
    books, seen, spot = books_of(options), defaultdict(set), {}
    restarts = pending = previous = state = pricing = None
    compared = 0
    for chains in instants_of(recorded):
        if restarts is None:
            restarts, state = Restarts(tmp_path / "h.db", chains.day, chains.as_of), State.fresh(chains.layout)
            pending = [ist(10, 30), ist(11, 20), ist(13, 20)]  # the second in the gap, the third while OI stands
        if pending and chains.as_of >= pending[0]:
            state = restarts.again(pending.pop(0)).reindexed(chains.layout)
        state, legs = open_interest_legs(chains, state, SETTINGS)
        _, change = open_interest_change(chains, state, legs, SETTINGS)
        made = {"open_interest_legs": legs, "open_interest_change": change}
        compared += check_legs(chains, legs, previous, books)
        previous = legs
        pricing = price_market(chains, SETTINGS.pricing, pricing)
        report = restarts.report(chains, pricing, state, made)
        if pending:
            restarts.history.save(report)
        for name in ("NIFTY", "ADANIENT"):
            u = chains.layout.names.index(name)
            front = chains.layout.underlying_front[u]
            if chains.updated[front]:  # prices, and with them the money, are those of the chain's newest poll
                spot[name] = chains.underlyings.spot[u]
            book = books[name, chains.layout.segment_keys[front].expiry.isoformat()]
            if book.stamps:
                seen[name].add(check_cells(report, name, book, spot[name]))
    restarts.history.close()
    assert compared > 3_000_000
    assert min(map(len, seen.values())) > 2  # the ATM moved


@pytest.mark.data
@pytest.mark.slow
def test_every_leg_and_minute_of_29_august(august_29: Path) -> None:
    """Repeated stamps are refused there, far expiries are quiet for hours, and one gap is of twenty minutes."""
    recorded = read_day(august_29)
    books, state, previous, compared = books_of(recorded.options.to_pandas()), None, None, 0
    for chains in instants_of(recorded):
        state = state or State.fresh(chains.layout)
        state, legs = open_interest_legs(chains, state, SETTINGS)
        compared += check_legs(chains, legs, previous, books)
        previous = legs
    assert compared > 1_000_000
