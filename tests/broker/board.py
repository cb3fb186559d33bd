"""What the market says at the broker's time: one line an instrument, with what the day has made of it so far.

Main entry: `Board.advance`. Every instant of the source is folded in, in order, however far the clock moved; so open,
high, low and average of the day, and the tape behind candles, are those of all observations up to now and no later.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace

import numpy as np
import numpy.typing as npt

from optionscanner.model.chains import Chains
from optionscanner.model.contracts import Floats, Ints
from tests.broker.instruments import Instruments, list_instruments
from tests.broker.market import Source

_LAST_TRADE = 15.5 * 3600 - 30
"""Seconds after midnight of yesterday's last trade."""
_INDIA = 5.5 * 3600
_ONLY_TODAY = ("bid", "ask", "bid_quantity", "ask_quantity", "open", "high", "low", "average")
_QUOTED = ("last", "bid", "ask", "bid_quantity", "ask_quantity", "volume", "open_interest", "traded_at", "stamped_at")


@dataclass(frozen=True, eq=False)
class Values:
    """(n,) lines of the board. Prices in ₹, quantities in units; NaN = the market has none."""

    last: Floats
    bid: Floats
    ask: Floats
    bid_quantity: Floats
    ask_quantity: Floats
    volume: Floats
    open_interest: Floats
    traded_at: Floats
    """When it last traded, seconds since 1970 UTC."""
    stamped_at: Floats
    """When the market last said so."""
    open: Floats
    high: Floats
    low: Floats
    close: Floats
    """The previous day's."""
    average: Floats
    previous_open_interest: Floats
    sequence: Ints
    """How many observations there were; 0 for indices."""
    seen: npt.NDArray[np.bool_]
    """Whether the market ever said anything of it."""

    def at(self, lines: Ints) -> Values:
        """Copies of some lines."""
        return Values(**{f.name: getattr(self, f.name)[lines] for f in fields(self)})


@dataclass(frozen=True, eq=False)
class Entry:
    """One instant of the tape; (N,) as whole numbers, -1 = none."""

    at: float
    price: npt.NDArray[np.int32]
    """Paise."""
    volume: npt.NDArray[np.int64]
    open_interest: npt.NDArray[np.int32]


class Board:
    """The instruments of one day and their newest values."""

    def __init__(self, source: Source) -> None:
        self.source = source
        self.instruments: Instruments = list_instruments(source.market.day)
        self.tape: list[Entry] = []
        self.version = 0
        """Grows with every observation."""
        self._next = 0
        self._values = self._before_the_open()
        self._turnover = np.zeros(len(self.instruments))
        self.changed = np.zeros(len(self.instruments), dtype=bool)
        """(N,) lines of which the market said something in the newest `advance`."""

    @property
    def values(self) -> Values:
        """Every line as of the newest `advance`."""
        return self._values

    def advance(self, now: float) -> bool:
        """Fold in what was observed up to `now` [s since 1970 UTC]; whether there was anything."""
        self.changed = np.zeros(len(self.instruments), dtype=bool)
        instants, before = self.source.instants, self._next
        while self._next < len(instants) and instants[self._next] <= now:
            self.source.clock.instant = instants[self._next]
            self._fold(self.source.market.latest())
            self._next += 1
        if not self._next or now > self.source.closes:
            # While nothing trades, the exchange still says every moment that this is so.
            self._values = replace(self._values, stamped_at=np.where(self._values.seen, now, np.nan))
        return self._next > before

    def _before_the_open(self) -> Values:
        """Yesterday's closes and open interest, as the broker shows them until the first trade."""
        instruments, day, source = self.instruments, self.source.market.day, self.source
        count, options = len(instruments), instruments.futures_from
        close, interest = np.full(count, np.nan), np.full(count, np.nan)
        close[:options] = day.previous_close.ravel()
        interest[:options] = day.previous_open_interest.ravel()
        if source.year is not None:
            close[instruments.underlyings_from : instruments.vix] = source.year.close[-1]
        nothing = np.full(count, np.nan)
        yesterday = np.datetime64(source.previous_date, "s").astype(np.int64) + _LAST_TRADE - _INDIA
        return Values(
            **dict.fromkeys(_ONLY_TODAY, nothing),
            last=close,
            volume=np.where(np.isfinite(close), 0.0, np.nan),
            open_interest=interest,
            traded_at=np.where(np.isfinite(close), yesterday, np.nan),
            stamped_at=nothing,
            close=close,
            previous_open_interest=interest,
            sequence=np.zeros(count, dtype=np.int64),
            seen=np.isfinite(close),
        )

    def _fold(self, chains: Chains) -> None:
        old, quoted = self._values, _quoted(chains)
        instruments = self.instruments
        options, cash = instruments.futures_from, slice(instruments.underlyings_from, instruments.vix)
        seen = np.isfinite(quoted["last"])
        seen[:options] = np.isfinite(chains.legs.seen_at).ravel()
        moved = np.zeros(len(instruments), dtype=bool)
        for name in _QUOTED:
            before, after = getattr(old, name), quoted[name]
            moved |= (before != after) & ~(np.isnan(before) & np.isnan(after))
        moved &= seen
        self.changed |= moved

        today = np.isfinite(quoted["traded_at"]) & np.isfinite(quoted["last"])
        price = np.where(today, quoted["last"], np.nan)
        opened = np.where(np.isnan(old.open), price, old.open)
        high, low = np.fmax(old.high, price), np.fmin(old.low, price)
        spots = chains.underlyings
        for own, said in ((opened, spots.open), (high, spots.high), (low, spots.low)):
            own[cash] = np.where(np.isfinite(said), said, own[cash])

        traded = np.maximum(np.nan_to_num(quoted["volume"]) - np.nan_to_num(old.volume), 0.0)
        self._turnover += traded * np.nan_to_num(quoted["last"])
        close = old.close.copy()
        close[cash] = np.where(np.isfinite(spots.previous_close), spots.previous_close, close[cash])
        close[options : cash.start] = _future_closes(chains, close[options : cash.start], close[cash])
        with np.errstate(divide="ignore", invalid="ignore"):
            average = np.where(quoted["volume"] > 0, self._turnover / quoted["volume"], price)
        self._values = replace(
            old,
            **quoted,
            open=opened,
            high=high,
            low=low,
            close=close,
            average=average,
            sequence=old.sequence + (moved & ~instruments.is_index),
            seen=seen,
        )
        self.version += 1
        self.tape.append(_entry(chains.as_of, quoted))


def _quoted(chains: Chains) -> dict[str, Floats]:
    """name of `_QUOTED` -> (N,) legs, futures, underlyings, India VIX."""
    layout, legs, futures, spots = chains.layout, chains.legs, chains.futures, chains.underlyings
    nothing = np.full(len(layout.underlyings) + 1, np.nan)
    flat = {}
    for name in (*_QUOTED[:5], "open_interest"):
        flat[name] = np.concatenate([getattr(legs, name).ravel(), getattr(futures, name), nothing])
    cash = slice(-len(layout.underlyings) - 1, -1)
    flat["last"][cash] = spots.spot
    flat["last"][-1] = chains.vix
    flat["volume"] = np.concatenate([legs.volume.ravel(), futures.volume, spots.volume, [0.0]])
    front = layout.underlying_front
    stamp = np.where(front >= 0, chains.stamped_at[front], np.nan)
    stamped = np.where(np.isfinite(spots.spot_at), spots.spot_at, stamp)
    vix_at = chains.as_of if np.isfinite(chains.vix) else np.nan
    flat["traded_at"] = np.concatenate([legs.price_at.ravel(), futures.price_at, spots.spot_at, [vix_at]])
    flat["stamped_at"] = np.concatenate(
        [
            np.repeat(chains.stamped_at[layout.row_segment], 2),
            stamp[layout.future_underlying],
            stamped,
            [vix_at],
        ]
    )
    return flat


def _future_closes(chains: Chains, known: Floats, cash_close: Floats) -> Floats:
    """(F,) yesterday's closes of futures [₹]: sources have none, so today's first premium over spot is taken back."""
    u = chains.layout.future_underlying
    spot = chains.underlyings.spot[u]
    derived = np.round(cash_close[u] * chains.futures.last / np.where(spot > 0, spot, np.nan), 1)
    return np.where(np.isnan(known), derived, known)


def _entry(at: float, quoted: dict[str, Floats]) -> Entry:
    return Entry(
        at,
        np.nan_to_num(np.rint(quoted["last"] * 100.0), nan=-1.0).astype(np.int32),
        np.nan_to_num(quoted["volume"], nan=-1.0).astype(np.int64),
        np.nan_to_num(quoted["open_interest"], nan=-1.0).astype(np.int32),
    )
