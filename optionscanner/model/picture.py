"""Folds observations into the last known value of every leg: the one border at which market data is checked.

Main entry: `MarketPicture.observe`, then `MarketPicture.frozen`. What is refused, and nowhere else:

- a *leg fault* (negative, absurd, crossed, shrinking cumulative volume): that quantity is blank, with a reason;
- *spot* 0, missing or absurd: the spot is absent, the rest of the chain is kept;
- a *chain*: only for a stale or repeated stamp, an instant outside the session, a passed expiry, fewer than two quoted
  strikes, or nothing from which a forward could be had.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass, fields, replace

import numpy as np

from optionscanner.model.chains import Chains, Futures, Legs, Polls, Spots, taken
from optionscanner.model.context import DayContext
from optionscanner.model.contracts import Bools, Codes, Floats, Ints, moved
from optionscanner.model.observations import LEG_QUANTITIES, UNDERLYING_QUANTITIES, Observation
from optionscanner.model.pairs import added, earliest, either
from optionscanner.model.reasons import Reason

# Clocks of market and machine differ by seconds. One accepted stamp from farther ahead would make every right one
# after it look like a repetition.
_STAMP_LEAD = 60.0

_LARGEST = 1e12
"""₹, or units: a thousand times the largest open interest of one contract; what is larger was misread."""

_EARLIEST = 946_684_800.0
"""1 January 2000 UTC: the exchanges' options are younger, so nothing of them changed before."""


@dataclass(frozen=True, slots=True)
class BorderSettings:
    """What the border accepts."""

    stamp_lag: float = 600.0
    """Seconds that the market's stamp may lie behind the clock before the chain is stale."""
    close_grace: float = 900.0
    """Seconds after the close in which last prices still arrive and are accepted."""
    coverage_window: float = 900.0
    """Seconds within which a leg must have been seen to count as current."""
    absurd_spot: float = 0.5
    """A spot beyond this share below the lowest or above the highest listed strike is refused."""


class MarketPicture:
    """The day's picture, folded from observations in order of time; one per source, used from one thread."""

    def __init__(self, day: DayContext, settings: BorderSettings | None = None) -> None:
        layout = day.layout
        self.day = day
        self.settings = settings or BorderSettings()
        self._listed = day.listed.copy()
        self._legs = {name: _blank(layout.rows, 2) for name in LEG_QUANTITIES}
        self._times = {name: _blank(layout.rows, 2) for name in ("price_at", "open_interest_at", "seen_at")}
        self._fault = np.zeros((layout.rows, 2), dtype=np.uint8)
        # Highest cumulative volume seen: a later smaller one is a fault even when blanks lie between.
        self._volume_high = np.full((layout.rows, 2), -np.inf)
        self._futures = {name: _blank(len(layout.future_expiry)) for name in (*LEG_QUANTITIES, "price_at")}
        self._spots = {name: _blank(len(layout.underlyings)) for name in (*UNDERLYING_QUANTITIES, "spot_at")}
        self._spot_fault = np.zeros(len(layout.underlyings), dtype=np.uint8)
        self._observed_at = _blank(layout.segments)
        self._stamped_at = _blank(layout.segments)
        self._refused = np.zeros(layout.segments, dtype=np.uint8)
        self._updated = np.zeros(layout.segments, dtype=bool)
        self._changed = np.zeros((layout.rows, 2), dtype=bool)
        self._vix = float("nan")
        self._polls: list[Polls] = []
        self._midnight = day.session.opens.replace(hour=0, minute=0, second=0, microsecond=0).timestamp()

    def observe(self, seen: Observation) -> None:
        """Fold one observation in; whatever is wrong with it is blanked or refused with a reason, never raised."""
        layout = self.day.layout
        stamp = np.where(np.isnan(seen.stamped_at), seen.observed_at, seen.stamped_at)
        untimely = self._untimely(seen, stamp)
        timely = self._timely_underlyings(seen, untimely)
        self._observe_underlyings(seen, timely[seen.underlyings])
        self._observe_futures(seen, timely[layout.future_underlying[seen.futures]])
        if 0 < seen.vix <= _LARGEST and timely.any():
            self._vix = float(seen.vix)
        legs, fault = self._checked_legs(seen)
        refused = np.where(untimely != Reason.OK, untimely, self._unusable(seen, legs)).astype(np.uint8)
        fine = refused == Reason.OK
        accepted = np.zeros(layout.segments, dtype=bool)
        accepted[seen.segments[fine]] = True
        self._fold(seen, stamp, legs, fault, np.flatnonzero(accepted[layout.row_segment[seen.rows]]))

        good = seen.segments[fine]
        self._observed_at[good] = seen.observed_at
        self._stamped_at[good] = stamp[fine]
        self._refused[seen.segments] = refused
        self._updated[good] = True
        self._polls.append(self._poll(seen, legs, fault, refused))

    def frozen(self, as_of: float) -> Chains:
        """The picture as of an instant [s since 1970 UTC]; starts collecting afresh what changes after it."""
        layout = self.day.layout
        oldest = np.fmin.reduceat(earliest(self._times["seen_at"]), layout.starts)
        chains = Chains(
            as_of=as_of,
            day=self.day,
            legs=Legs(
                **{n: v.copy() for n, v in self._legs.items()},
                **{n: v.copy() for n, v in self._times.items()},
                fault=self._fault.copy(),
            ),
            listed=self._listed.copy(),
            futures=Futures(**{n: v.copy() for n, v in self._futures.items()}),
            underlyings=self._frozen_spots(),
            observed_at=self._observed_at.copy(),
            stamped_at=self._stamped_at.copy(),
            updated=self._updated,
            changed=self._changed,
            refused=self._refused.copy(),
            coverage=self._coverage(),
            oldest_at=oldest,
            vix=self._vix,
            polls=_joined(self._polls),
        )
        self._updated = np.zeros(layout.segments, dtype=bool)
        self._changed = np.zeros((layout.rows, 2), dtype=bool)
        self._polls = []
        return chains

    def _frozen_spots(self) -> Spots:
        """The underlyings as last seen; the previous close from the daily files where the source gives none."""
        values = {name: column.copy() for name, column in self._spots.items()}
        if self.day.daily is not None:
            own = values["previous_close"]
            values["previous_close"] = np.where(np.isfinite(own), own, self.day.daily.spot_close)
        return Spots(**values, fault=self._spot_fault.copy())

    def reindexed(self, day: DayContext) -> MarketPicture:
        """The same picture on the layout of another `day` context of this session, e.g. with strikes listed since.

        Everything moves by contract key, what was not frozen yet included; contracts that `day` lacks are lost.
        """
        old, new = self.day.layout, day.layout
        rows, segments = new.rows_from(old), new.segments_from(old)
        underlyings = _found(new.names, old.names)
        futures = _found(new.future_keys, old.future_keys)
        other = MarketPicture(day, self.settings)
        other._listed |= moved(self._listed, rows, False)
        other._changed = moved(self._changed, rows, False)
        other._fault = moved(self._fault, rows, 0)
        other._volume_high = moved(self._volume_high, rows, -np.inf)
        for mine, theirs, source in (
            (self._legs, other._legs, rows),
            (self._times, other._times, rows),
            (self._futures, other._futures, futures),
            (self._spots, other._spots, underlyings),
        ):
            theirs.update({name: moved(values, source, np.nan) for name, values in mine.items()})
        other._spot_fault = moved(self._spot_fault, underlyings, 0)
        other._observed_at = moved(self._observed_at, segments, np.nan)
        other._stamped_at = moved(self._stamped_at, segments, np.nan)
        other._refused = moved(self._refused, segments, 0)
        other._updated = moved(self._updated, segments, False)
        other._vix = self._vix
        now = old.segments_from(new)
        for polls in self._polls:
            kept = taken(polls, np.flatnonzero(now[polls.segment] >= 0))
            other._polls.append(replace(kept, segment=now[kept.segment]))
        return other

    def _checked_legs(self, seen: Observation) -> tuple[dict[str, Floats], Codes]:
        """The quoted quantities with faulty ones blanked, and why. (n, 2) each."""
        shape = (len(seen.rows), 2)
        fault = np.zeros(shape, dtype=np.uint8)
        legs = {name: np.array(seen.legs.get(name, np.full(shape, np.nan)), dtype=float) for name in LEG_QUANTITIES}
        for name, values in legs.items():
            if name in ("last", "bid", "ask"):
                values[values == 0] = np.nan  # a price of 0 is an empty quote, never a trade
            for wrong, reason in ((values < 0, Reason.NEGATIVE), (values > _LARGEST, Reason.ABSURD)):
                values[wrong] = np.nan
                fault[wrong] = reason
        crossed = legs["bid"] > legs["ask"]
        for name in ("bid", "ask"):
            legs[name][crossed] = np.nan
        fault[crossed] = Reason.CROSSED
        shrank = legs["volume"] < self._volume_high[seen.rows]
        legs["volume"][shrank] = np.nan
        fault[shrank] = Reason.VOLUME_SHRANK
        return legs, fault

    def _untimely(self, seen: Observation, stamp: Floats) -> Codes:
        """(k,) why the clock speaks against each polled chain, OK where it does not; the first reason that applies."""
        opens, closes = self.day.session.opens.timestamp(), self.day.contract_close[seen.segments]
        settings, count = self.settings, len(seen.segments)
        return _first(
            count,
            [
                (self.day.layout.segment_horizon[seen.segments] < self._midnight, Reason.EXPIRED_CONTRACT),
                (np.full(count, seen.observed_at < opens), Reason.BEFORE_OPEN),
                (seen.observed_at > closes + settings.close_grace, Reason.AFTER_CLOSE),
                ((stamp < opens) | (seen.observed_at - stamp > settings.stamp_lag), Reason.STALE_STAMP),
                (stamp > seen.observed_at + _STAMP_LEAD, Reason.STAMP_IN_FUTURE),
                (stamp <= self._stamped_at[seen.segments], Reason.REPEATED_STAMP),
            ],
        )

    def _timely_underlyings(self, seen: Observation, untimely: Codes) -> Bools:
        """(U,) whether the spot and futures that came along may be believed: not when all chains of the underlying
        came at a wrong time.
        """
        count = len(self.day.layout.underlyings)
        owner = self.day.layout.segment_underlying[seen.segments]
        polled = np.bincount(owner, minlength=count)
        late = np.bincount(owner[untimely != Reason.OK], minlength=count)
        session = self.day.session
        closes = session.closes.timestamp() + self.settings.close_grace
        inside = session.opens.timestamp() <= seen.observed_at <= closes
        believed: Bools = ((polled == 0) | (late < polled)) & inside
        return believed

    def _unusable(self, seen: Observation, legs: dict[str, Floats]) -> Codes:
        """(k,) why the quotes themselves speak against each polled chain, OK where they do not."""
        layout = self.day.layout
        quoted = np.isfinite(legs["last"]) | np.isfinite(legs["bid"]) | np.isfinite(legs["ask"])
        segment = layout.row_segment[seen.rows]
        strikes = np.bincount(segment[either(quoted)], minlength=layout.segments)[seen.segments]
        both = np.bincount(segment[quoted.all(axis=1)], minlength=layout.segments)[seen.segments]
        spot = self._spots["spot"][layout.segment_underlying[seen.segments]]
        future = _at(self._futures["last"], layout.segment_future[seen.segments])
        no_forward = np.isnan(spot) & np.isnan(future) & (both == 0)
        return _first(
            len(seen.segments), [(strikes < 2, Reason.TOO_FEW_STRIKES), (no_forward, Reason.NO_FORWARD)]
        )

    def _fold(
        self, seen: Observation, stamp_of_chain: Floats, legs: dict[str, Floats], fault: Codes, kept: Ints
    ) -> None:
        """Take over the accepted rows; note what changed and when."""
        rows = seen.rows[kept]
        stamps = np.full(self.day.layout.segments, np.nan)
        stamps[seen.segments] = stamp_of_chain
        stamp = np.repeat(stamps[self.day.layout.row_segment[rows]][:, None], 2, axis=1)
        present = np.zeros((len(rows), 2), dtype=bool)
        for name in LEG_QUANTITIES:
            new, old = legs[name][kept], self._legs[name][rows]
            present |= np.isfinite(new)
            differs = ~((new == old) | (np.isnan(new) & np.isnan(old)))
            if name == "last":
                moved = differs & np.isfinite(new)
            if name == "volume":
                traded = (new > np.maximum(self._volume_high[rows], 0)) & np.isfinite(new)
            if name == "open_interest":
                stepped = differs & np.isfinite(new)
            self._changed[rows] |= differs
            self._legs[name][rows] = new
        self._volume_high[rows] = np.fmax(self._volume_high[rows], legs["volume"][kept])
        no_volume = np.isnan(legs["volume"][kept])
        # Without a volume a changed price is the only sign of a trade; with one, the price of a leg that has not
        # traded today is an earlier day's and gets no time.
        own = {
            "price_at": np.where(traded | (moved & no_volume), stamp, self._times["price_at"][rows]),
            "open_interest_at": np.where(stepped, stamp, self._times["open_interest_at"][rows]),
        }
        for name, derived in own.items():
            given = seen.legs.get(name)
            self._times[name][rows] = derived if given is None else _believable(given[kept], seen.observed_at)
        listed = self._listed[rows] | present
        self._listed[rows] = listed
        self._times["seen_at"][rows] = np.where(listed, stamp, np.nan)
        self._fault[rows] = fault[kept]

    def _observe_underlyings(self, seen: Observation, timely: Bools) -> None:
        """Spots and the day's bars; 0, negative or absurd prices are absent."""
        index = seen.underlyings[timely]
        if not len(index):
            return
        layout, band = self.day.layout, self.settings.absurd_spot
        given = {n: np.array(v, dtype=float)[timely] for n, v in seen.underlying_values.items()}
        for name, values in given.items():
            real = (values <= _LARGEST) & ((values > 0) | ((values == 0) & (name == "volume")))
            self._spots[name][index] = np.where(real, values, np.nan)
        if "spot" not in given:
            return
        spot = self._spots["spot"][index]
        # An underlying without listed options has no strikes to be judged by.
        low = np.full(len(layout.underlyings), np.inf)
        high = np.full(len(layout.underlyings), -np.inf)
        np.minimum.at(low, layout.segment_underlying, layout.strike[layout.starts])
        np.maximum.at(high, layout.segment_underlying, layout.strike[layout.ends - 1])
        low[np.isinf(low)], high[np.isinf(high)] = np.nan, np.nan
        absurd = (spot < (1 - band) * low[index]) | (spot > (1 + band) * high[index])
        spot[absurd] = np.nan
        self._spots["spot"][index] = spot
        self._spots["spot_at"][index] = np.where(np.isfinite(spot), seen.observed_at, self._spots["spot_at"][index])
        missing = np.where(np.isfinite(spot), Reason.OK, Reason.SPOT_ZERO)
        self._spot_fault[index] = np.where(absurd, Reason.SPOT_ABSURD, missing)

    def _observe_futures(self, seen: Observation, timely: Bools) -> None:
        """Futures, with the same blanks as legs; a trade is a grown volume, or a changed price where there is none."""
        index = seen.futures[timely]
        if not len(index):
            return
        given = {n: np.array(v, dtype=float)[timely] for n, v in seen.future_values.items()}
        price, volume = self._futures["last"][index].copy(), self._futures["volume"][index].copy()
        for name in LEG_QUANTITIES:
            values = given.get(name, np.full(len(index), np.nan))
            empty = (values == 0) if name in ("last", "bid", "ask") else np.zeros(len(index), dtype=bool)
            self._futures[name][index] = np.where((values < 0) | (values > _LARGEST) | empty, np.nan, values)
        crossed = index[self._futures["bid"][index] > self._futures["ask"][index]]
        for name in ("bid", "ask"):
            self._futures[name][crossed] = np.nan
        last, grown = self._futures["last"][index], self._futures["volume"][index]
        traded = np.where(np.isnan(grown), last != price, grown > np.nan_to_num(volume)) & np.isfinite(last)
        fresh = np.where(traded, seen.observed_at, self._futures["price_at"][index])
        given_at = given.get("price_at")
        self._futures["price_at"][index] = fresh if given_at is None else _believable(given_at, seen.observed_at)

    def _coverage(self) -> Floats:
        """(S,) share of listed legs seen within the window, weighted by yesterday's open interest where known."""
        layout, previous = self.day.layout, self.day.previous_open_interest
        newest = self._stamped_at[layout.row_segment][:, None]
        current = self._listed & (self._times["seen_at"] >= newest - self.settings.coverage_window)
        # One more unit of weight each, so that legs without yesterday's open interest still count a little.
        weight = np.where(self._listed, np.nan_to_num(previous) + 1.0, 0.0)
        total = np.add.reduceat(added(weight), layout.starts)
        with np.errstate(invalid="ignore", divide="ignore"):
            return np.add.reduceat(added(weight * current), layout.starts) / total

    def _poll(self, seen: Observation, legs: dict[str, Floats], fault: Codes, refused: Codes) -> Polls:
        layout = self.day.layout
        segment = layout.row_segment[seen.rows]
        lot = layout.segment_lot_size[segment][:, None]
        interest = legs["open_interest"]
        known = np.isfinite(interest) & (interest > 0)
        odd = known & (np.abs(interest / lot - np.rint(interest / lot)) > 1e-9)

        def total(per_row: Floats | Ints) -> Floats:
            counted = np.bincount(segment, weights=per_row.astype(float), minlength=layout.segments)
            return counted[seen.segments].astype(np.float64)

        with np.errstate(invalid="ignore", divide="ignore"):
            share = total(odd.sum(axis=1)) / total(known.sum(axis=1))
        return Polls(
            segment=seen.segments,
            observed_at=np.full(len(seen.segments), seen.observed_at),
            stamped_at=seen.stamped_at,
            refused=refused,
            rows=total(np.ones(len(seen.rows))).astype(np.int64),
            faulty_legs=total((fault != Reason.OK).sum(axis=1)).astype(np.int64),
            odd_lots=share,
        )


def _found(wanted: Sequence[Hashable], known: Sequence[Hashable]) -> Ints:
    """Position of each wanted key among the known ones, -1 where it is not among them."""
    position = {key: i for i, key in enumerate(known)}
    return np.array([position.get(key, -1) for key in wanted], dtype=np.int64)


def _believable(instants: Floats, now: float) -> Floats:
    """Instants [s since 1970 UTC] at which a value may have changed; NaN where that lies ahead of `now` or too far."""
    return np.where((instants >= _EARLIEST) & (instants <= now + _STAMP_LEAD), instants, np.nan)


def _blank(*shape: int) -> Floats:
    return np.full(shape, np.nan)


def _first(count: int, rules: list[tuple[Bools, Reason]]) -> Codes:
    """(count,) the reason of the first rule that applies to each, OK where none does."""
    codes = np.zeros(count, dtype=np.uint8)
    for applies, reason in reversed(rules):
        codes[applies] = reason
    return codes


def _at(values: Floats, index: Ints) -> Floats:
    """Element of each index, NaN where it is -1."""
    if not len(values):
        return np.full(len(index), np.nan)
    return np.where(index >= 0, values[np.maximum(index, 0)], np.nan)


def _joined(polls: list[Polls]) -> Polls:
    if not polls:
        none = np.empty(0)
        counts = np.empty(0, dtype=np.int64)
        return Polls(counts, none, none, np.empty(0, dtype=np.uint8), counts, counts, none)
    return Polls(**{f.name: np.concatenate([getattr(p, f.name) for p in polls]) for f in fields(Polls)})
