"""The newest value of every instrument, from the feed and from quotes; makes the observations of a day out of it.

Main entry: `Board`. Both sources say the same of an instrument, each at its own time: what is newer by the exchange's
stamp stands. An observation holds the chains of which anything was heard since the one before, with the legs that were
heard of; a leg on a healthy feed counts as heard of, since the feed only speaks when something changes.
"""

from __future__ import annotations

import numpy as np

from optionscanner.adapters.angel.packets import Bools, Floats, Ints, Ticks
from optionscanner.adapters.angel.quotes import Quotes
from optionscanner.adapters.angel.universe import Universe
from optionscanner.model.observations import LEG_QUANTITIES, UNDERLYING_QUANTITIES, Observation

COLUMNS = (
    "last", "bid", "ask", "bid_quantity", "ask_quantity", "volume", "open_interest", "open", "high", "low",
    "previous_close",
)  # fmt: skip
_INDEX = {name: i for i, name in enumerate(COLUMNS)}
_SPOT = {"spot": "last", **{name: name for name in UNDERLYING_QUANTITIES if name != "spot"}}
_SOON = 1e-3
"""Seconds by which the stamp of a chain moves on where something new came with an old one."""
AHEAD = 5.0
"""Seconds that an exchange's stamp may be ahead of the clock."""


class Board:
    """Not safe for several threads: whoever owns it takes turns."""

    def __init__(self, universe: Universe) -> None:
        places = len(universe.keys)
        self.universe = universe
        self._values = np.full((len(COLUMNS), places), np.nan)
        self._stamped_at = np.full(places, -np.inf)
        self._traded_at = np.full(places, np.nan)
        self._interest_at = np.full(places, np.nan)
        self._heard = np.zeros(places, dtype=bool)
        self._news = np.zeros(places, dtype=bool)
        self._chain_stamp = np.full(universe.day.layout.segments, -np.inf)
        self.unknown = 0
        """Packets and quotes of instruments that are not of this day."""
        self.from_ahead = 0
        """Packets and quotes with a stamp from the future, which were not taken."""

    def take(self, seen: Ticks | Quotes, now: float) -> Ints:
        """Take what the feed or a reply holds, at `now` [s since 1970 UTC]; the places that were heard of."""
        place = self.universe.places(seen.key)
        known = place >= 0
        self.unknown += int((~known).sum())
        stamp = seen.stamped_at
        ahead = known & (stamp > now + AHEAD)
        self.from_ahead += int(ahead.sum())
        fine = known & ~ahead & np.isfinite(stamp)
        # Of one instrument the newest counts, and what came before it is history.
        fine &= stamp >= self._stamped_at[np.maximum(place, 0)]
        at = np.flatnonzero(fine)
        at = at[np.lexsort((at, stamp[at], place[at]))]
        last_of_its_place = np.append(place[at][1:] != place[at][:-1], True) if len(at) else np.empty(0, dtype=bool)
        at = at[last_of_its_place]
        where: Ints = place[at]
        for name, row in _INDEX.items():
            given = getattr(seen, name)
            if given is not None:
                self._put(name, row, where, given[at], stamp[at])
        traded = seen.traded_at
        if traded is not None:
            self._traded_at[where] = traded[at]
        self._stamped_at[where] = stamp[at]
        self._heard[where] = True
        return where

    def _put(self, name: str, row: int, where: Ints, values: Floats, stamp: Floats) -> None:
        before = self._values[row, where]
        differs = (values != before) & ~(np.isnan(values) & np.isnan(before))
        self._news[where] |= differs
        if name == "open_interest":
            stepped = differs & np.isfinite(values)
            self._interest_at[where[stepped]] = stamp[stepped]
        self._values[row, where] = values

    def observation(self, now: float, covered: Bools) -> Observation | None:
        """What was heard of since the last observation, as one at `now`; None where nothing was.

        `covered` (P,): places whose feed is healthy, of which silence says that nothing has changed.
        """
        universe, layout = self.universe, self.universe.day.layout
        legs = slice(0, universe.first_future)
        heard_leg = self._heard[legs].reshape(-1, 2)
        segments = np.unique(layout.row_segment[heard_leg.any(axis=1)])
        futures = np.flatnonzero(self._heard[universe.first_future : universe.first_spot])
        spots = np.flatnonzero(self._heard[universe.first_spot : universe.vix])
        if not (len(segments) or len(futures) or len(spots) or self._heard[universe.vix]):
            return None
        of_segment = np.zeros(layout.segments, dtype=bool)
        of_segment[segments] = True
        current = (self._heard[legs] | (covered[legs] & np.isfinite(self._stamped_at[legs]))).reshape(-1, 2)
        rows = np.flatnonzero(current.any(axis=1) & of_segment[layout.row_segment])
        seen = Observation(
            observed_at=now,
            segments=segments,
            stamped_at=self._stamps(segments, rows, now),
            rows=rows,
            legs=self._legs(rows, current[rows]),
            underlyings=spots,
            underlying_values=self._spots(spots),
            futures=futures,
            future_values={
                name: self._values[_INDEX[name], universe.first_future + futures] for name in LEG_QUANTITIES
            },
            vix=float(self._values[_INDEX["last"], universe.vix]) if self._heard[universe.vix] else float("nan"),
        )
        self._heard[:] = False
        self._news[:] = False
        return seen

    def _legs(self, rows: Ints, current: Bools) -> dict[str, Floats]:
        """Quantities of the strike rows. The other side of a row that was heard of on one side keeps what it had."""
        place = 2 * rows[:, None] + np.arange(2)
        found = {name: self._values[_INDEX[name], place] for name in LEG_QUANTITIES}
        opens = self.universe.day.session.opens.timestamp()
        traded = self._traded_at[place]
        found["price_at"] = np.where(traded >= opens, traded, np.nan)
        found["open_interest_at"] = self._interest_at[place]
        return found

    def _spots(self, spots: Ints) -> dict[str, Floats]:
        """Values of the underlyings; what the broker says of the volume of an index has no meaning."""
        place = self.universe.first_spot + spots
        found = {name: self._values[_INDEX[column], place] for name, column in _SPOT.items()}
        underlyings = self.universe.day.layout.underlyings
        found["volume"][[underlyings[i].kind == "INDEX" for i in spots.tolist()]] = np.nan
        return found

    def _stamps(self, segments: Ints, rows: Ints, now: float) -> Floats:
        """(k,) newest stamp among the legs of each chain, a little later than before where something is new."""
        layout = self.universe.day.layout
        newest = np.full(layout.segments, -np.inf)
        place = 2 * rows[:, None] + np.arange(2)
        np.maximum.at(newest, layout.row_segment[rows], self._stamped_at[place].max(axis=1))
        news = np.zeros(layout.segments, dtype=bool)
        np.logical_or.at(news, layout.row_segment[rows], self._news[place].any(axis=1))
        before = self._chain_stamp
        stamp = np.where(news & (newest <= before), before + _SOON, newest)
        self._chain_stamp = np.maximum(before, np.where(np.isfinite(stamp), stamp, before))
        return np.minimum(stamp[segments], now + AHEAD)
