"""The simulated market as a source: one observation of everything on each step of the clock.

Main entry: `SimulatedMarket`. Paths, positions and trades of the whole day are made at construction; an instant's
quotes are computed when the clock reaches it, from the seed and the instant alone.
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from optionscanner.adapters.simulated.daily import Opening, simulated_daily
from optionscanner.adapters.simulated.interest import Interest, make_interest
from optionscanner.adapters.simulated.paths import Paths, make_paths
from optionscanner.adapters.simulated.quotes import Surface, atm_variance, fair_values, hashed, two_sided
from optionscanner.adapters.simulated.scenes import Scene, plan_scenes, written_key
from optionscanner.adapters.simulated.streams import GRID, SLOW_GRID, stream
from optionscanner.adapters.simulated.universe import (
    Name,
    chosen_names,
    simulated_layout,
    simulated_session,
)
from optionscanner.adapters.simulated.year import DailyHistory, daily_history
from optionscanner.model.calendar import TradingCalendar, years_to_expiry
from optionscanner.model.chains import Chains
from optionscanner.model.context import DayContext
from optionscanner.model.contracts import Floats, Ints, Layout
from optionscanner.model.daily import DailyContext
from optionscanner.model.observations import Observation
from optionscanner.model.picture import BorderSettings, MarketPicture
from optionscanner.ports import Clock, Want

_SECONDS_PER_DAY = 86_400
_VIX_DAYS = 30
_CRORE = 1e7
# Purposes of `hashed`: each draws its own numbers.
_SPREAD, _TRADE_SIDE, _BID_SIZE, _ASK_SIZE = range(4)


class SimulatedMarket:
    """A market source of a whole invented day; implements `ports.Market`.

    Parameters
    ----------
    seed
        Everything follows from it.
    clock
        Whose time it is; the fictitious session lies on `simulated_session().date`.
    calendar
        For expiry horizons and closing times; the fictitious session is entered by the source itself.
    step
        Seconds between observations of the whole market, a multiple of 5.
    symbols
        Only these names; the whole universe by default. A name is the same in any company.
    strength
        Size of the planted scenes, 1 as in `scenes.py`; 0 plants none.
    """

    def __init__(
        self,
        *,
        seed: int,
        clock: Clock,
        calendar: TradingCalendar,
        step: int = 30,
        symbols: Sequence[str] | None = None,
        border: BorderSettings | None = None,
        strength: float = 1.0,
    ) -> None:
        if step <= 0 or step % GRID:
            raise ValueError(f"step must be a positive multiple of {GRID} seconds, was {step}")
        session = simulated_session()
        self._calendar = own_calendar = calendar.with_session(session)
        self._seed = seed
        self._clock = clock
        self._names = chosen_names(symbols)
        self._layout = simulated_layout(self._names, own_calendar)
        self._opens = session.opens.timestamp()
        self._duration = duration = round(session.closes.timestamp() - self._opens)
        self._seconds = np.arange(0, duration + 1, step)
        self._yesterday = self._opens + self._seconds[-1] - _SECONDS_PER_DAY
        plans = plan_scenes(seed, self._names, strength)
        self._paths: Paths = make_paths(seed, self._names, duration=duration, plans=plans)
        self._interest: Interest = make_interest(seed, self._names, self._layout, self._paths)
        self._surface = _surface(seed, self._names)
        self._columns = _Columns(self._names, self._layout)
        self.day = self._day(own_calendar, step)
        self._picture = MarketPicture(self.day, border)
        self._fed: int | None = None

    def want(self, wants: Sequence[Want]) -> None:
        """Every chain is observed on every step, whatever is wanted: nothing here has a budget."""

    def latest(self) -> Chains:
        """The picture at the clock's time, with every observation up to it.

        A market made in the middle of its day starts with the observation before the newest one, so that what
        changed in the newest is the same as for a market that ran from the open.
        """
        now = self._clock.now()
        newest = int(np.searchsorted(self._opens + self._seconds, now, side="right")) - 1
        if self._fed is None:
            if newest > 0:
                self._picture.observe(self.observation(int(self._seconds[newest - 1])))
                self._picture.frozen(now)
            self._fed = max(newest - 1, -1)
        for index in range(self._fed + 1, newest + 1):
            self._picture.observe(self.observation(int(self._seconds[index])))
        self._fed = max(self._fed, newest)
        return self._picture.frozen(now)

    def instants(self) -> Sequence[float]:
        """Every instant of an observation, seconds since 1970 UTC: the open, then each step, to the close."""
        return [self._opens + float(second) for second in self._seconds]

    def total_observations(self) -> int:
        """How many (underlying, expiry, instant) observations the day holds."""
        return self._layout.segments * len(self._seconds)

    def answer_key(self) -> tuple[Scene, ...]:
        """The scenes that are planted into the day, by their beginning, then by name of the underlying."""
        duration = self._duration
        made = [plan.scene(self._opens, duration) for plan in self._paths.plans.values()]
        return tuple(sorted(made, key=lambda scene: (scene.begins, scene.underlying)))

    def write_answer_key(self, path: Path) -> None:
        """Write the answer key as CSV (see `scenes.written_key`); an existing file is replaced. Raises OSError."""
        path.write_text(written_key(self.answer_key()), encoding="utf-8")

    def daily_history(self) -> DailyHistory:
        """The 252 sessions before this one: closes, closing open interest and volatility of every name.

        Made anew by each call, from the seed alone; its last row is what the day opens from.
        """
        held = np.zeros((len(self._names), 2))
        np.add.at(held, self._columns.row_name, self._interest.open_interest[0] * self._columns.row_lot[:, None])
        return daily_history(self._seed, self._names, self._calendar, open_interest=held)

    def observation(self, second: int) -> Observation:
        """The whole market as seen `second` seconds after the open, a multiple of 5; a pure function of the seed."""
        at = self._opens + second
        layout, paths = self._layout, self._paths
        point = second // GRID
        spot = paths.spot[point]
        everyone = np.arange(len(self._names))
        values = {
            "spot": spot,
            "open": paths.spot[0],
            "high": paths.high[point],
            "low": paths.low[point],
            "previous_close": self._columns.previous_close,
            "volume": np.floor(self._interest.stock_volume * self._pace(second)),
        }
        return Observation(
            observed_at=at,
            segments=np.arange(layout.segments),
            stamped_at=np.full(layout.segments, at),
            rows=np.arange(layout.rows),
            legs=self._legs(second),
            underlyings=everyone,
            underlying_values=values,
            futures=np.arange(len(layout.future_expiry)),
            future_values=self._futures(second),
            vix=self._vix(point),
        )

    def fair(self, second: int) -> Floats:
        """(R, 2) fair value of every leg before it is rounded to the tick [₹]: the truth behind the quotes."""
        return self._fair(np.full((self._layout.rows, 1), second // GRID))[0]

    def forward(self, second: int) -> Floats:
        """(S,) forward of every expiry [₹]: the truth behind futures and parity."""
        layout = self._layout
        name = layout.segment_underlying
        years = years_to_expiry(self._opens + second, layout.segment_horizon)
        return np.asarray(self._paths.spot[second // GRID][name] * np.exp(self._surface.carry[name] * years))

    def _fair(self, point: Ints) -> tuple[Floats, Floats]:
        """(R, 2) fair values and distances from the money, each leg at a point of its own: (R, 1) or (R, 2)."""
        layout, columns = self._layout, self._columns
        name = columns.row_name[:, None]
        years = years_to_expiry(self._opens + point * GRID, layout.segment_horizon[layout.row_segment][:, None])
        call, put, away = fair_values(
            self._surface,
            name,
            spot=self._paths.spot[point, name],
            level=self._paths.volatility_at(point, name),
            strike=layout.strike[:, None],
            years=years,
        )
        both = np.column_stack([call[:, 0], put[:, -1]])
        return both, np.broadcast_to(away, both.shape)

    def _quoted(self, point: Ints) -> tuple[Floats, Floats]:
        """(R, 2) bid and ask [₹] at a point for each leg; `point` (R, 1) or (R, 2)."""
        fair, away = self._fair(point)
        columns = self._columns
        noise = hashed(self._seed, _SPREAD, columns.leg, point)
        return two_sided(fair, away=away, spread=columns.spread[:, None], tick=columns.tick[:, None], noise=noise)

    def _legs(self, second: int) -> dict[str, Floats]:
        layout, columns, interest = self._layout, self._columns, self._interest
        now = np.full((layout.rows, 1), second // GRID)
        bid, ask = self._quoted(now)
        lots_traded, traded = interest.volume_at(second)
        lot = columns.row_lot[:, None]

        # The last trade met the bid or the ask of its own moment, which for a quiet leg is long ago.
        then = np.maximum(traded, 0.0).astype(np.int64) // GRID
        old_bid, old_ask = self._quoted(then)
        sold = hashed(self._seed, _TRADE_SIDE, columns.leg, then) < 0.5
        price = np.where(sold & np.isfinite(old_bid), old_bid, old_ask)
        today = traded >= 0.0

        published = interest.point_at(second)[columns.row_name]
        rows = np.arange(layout.rows)
        changed = interest.changed[published, rows].astype(np.float64)
        after = interest.published_after[columns.row_name].astype(np.float64)[:, None]
        sizes = {}
        for purpose, side, price_of in ((_BID_SIZE, "bid", bid), (_ASK_SIZE, "ask", ask)):
            drawn = -np.log(hashed(self._seed, purpose, columns.leg, now))
            lots = np.ceil(columns.depth[:, None] * drawn)
            sizes[f"{side}_quantity"] = np.where(np.isfinite(price_of), lots * lot, 0.0)
        return {
            "last": np.where(today, price, self.day.previous_close),
            "bid": bid,
            "ask": ask,
            **sizes,
            "volume": lots_traded * lot,
            "open_interest": interest.open_interest[published, rows] * lot,
            "price_at": np.where(today, self._opens + traded, np.nan),
            "open_interest_at": self._opens + np.where(changed > 0, after + changed * SLOW_GRID, 0.0),
        }

    def _futures(self, second: int) -> dict[str, Floats]:
        layout, columns, interest = self._layout, self._columns, self._interest
        name = layout.future_underlying
        years = years_to_expiry(self._opens + second, columns.future_horizon)
        fair = self._paths.spot[second // GRID][name] * np.exp(self._surface.carry[name] * years)
        point = np.full(len(fair), second // GRID)
        tick = columns.future_tick
        bid, ask = two_sided(
            fair,
            away=np.zeros_like(fair),
            spread=columns.future_spread,
            tick=tick,
            noise=hashed(self._seed, _SPREAD, columns.future_leg, point),
        )
        sold = hashed(self._seed, _TRADE_SIDE, columns.future_leg, point) < 0.5
        depth = [-np.log(hashed(self._seed, side, columns.future_leg, point)) for side in (_BID_SIZE, _ASK_SIZE)]
        published = interest.point_at(second)[name]
        lot = layout.future_lot_size
        return {
            "last": np.where(sold, bid, ask),
            "bid": bid,
            "ask": ask,
            "bid_quantity": np.ceil(4.0 * depth[0]) * lot,
            "ask_quantity": np.ceil(4.0 * depth[1]) * lot,
            "volume": np.floor(interest.future_volume * self._pace(second)[name]) * lot,
            "open_interest": interest.future_open_interest[published, np.arange(len(name))] * lot,
            "price_at": np.full(len(name), self._opens + second),
        }

    def _pace(self, second: int) -> Floats:
        """(U,) share of the day's volume done."""
        pace = self._paths.pace
        before = min(second // SLOW_GRID, len(pace) - 2)
        into = second / SLOW_GRID - before
        return np.asarray(pace[before] + (pace[before + 1] - pace[before]) * into)

    def _vix(self, point: int) -> float:
        """India VIX in per cent: 30-day volatility of NIFTY, with the premium that wings add to it."""
        if not self._columns.nifty.size:
            return float("nan")
        level = self._paths.volatility_at(np.array([point]), self._columns.nifty)
        years = np.array([_VIX_DAYS / 365.0])
        theta = atm_variance(self._surface, self._columns.nifty, level, years)
        return float(np.round(100.0 * 1.03 * np.sqrt(theta[0] / years[0]), 2))

    def _day(self, calendar: TradingCalendar, step: int) -> DayContext:
        session = simulated_session()
        layout = self._layout
        return DayContext(
            session=session,
            layout=layout,
            listed=np.ones((layout.rows, 2), dtype=bool),
            previous_open_interest=self._interest.open_interest[0] * self._columns.row_lot[:, None],
            previous_close=self._previous_close(),
            contract_close=np.array(
                [
                    calendar.last_trade(
                        key.expiry, kind=layout.underlyings[u].kind, date=session.date
                    ).timestamp()
                    for key, u in zip(layout.segment_keys, layout.segment_underlying, strict=True)
                ]
            ),
            refresh=np.full(len(self._names), float(step)),
            tick_size=self._columns.tick[layout.starts],
            daily=self._daily(),
        )

    def _daily(self) -> DailyContext:
        """What the daily files would say."""
        layout, columns = self._layout, self._columns
        name = layout.future_underlying
        years = years_to_expiry(self._yesterday, columns.future_horizon)
        exact = columns.previous_close[name] * np.exp(self._surface.carry[name] * years)
        opening = Opening(
            open_interest=self._interest.open_interest[0] * columns.row_lot[:, None],
            future_open_interest=self._interest.future_open_interest[0] * layout.future_lot_size,
            future_close=np.round(np.rint(exact / columns.future_tick) * columns.future_tick, 2),
        )
        # What happens to names with scenes must be told from what the market shows, whatever lists say.
        spared = self._paths.plans.keys()
        year = self.daily_history()
        return simulated_daily(self._seed, self._names, layout, year=year, opening=opening, spared=spared)

    def _previous_close(self) -> Floats:
        """(R, 2) yesterday's close of every leg [₹]; NaN for a leg in which nobody holds a position."""
        layout, columns = self._layout, self._columns
        name = columns.row_name
        call, put, _ = fair_values(
            self._surface,
            name,
            spot=columns.previous_close[name],
            level=self._surface.base_volatility[name],
            strike=layout.strike,
            years=years_to_expiry(self._yesterday, layout.segment_horizon[layout.row_segment]),
        )
        tick = columns.tick[:, None]
        closes = np.round(np.maximum(np.rint(np.column_stack([call, put]) / tick), 1.0) * tick, 2)
        return np.where(self._interest.open_interest[0] > 0, closes, np.nan)


class _Columns:
    """What stays the same all day, spread over the rows and futures of the layout."""

    def __init__(self, names: Sequence[Name], layout: Layout) -> None:
        self.row_name: Ints = layout.segment_underlying[layout.row_segment]
        self.row_lot = layout.segment_lot_size[layout.row_segment]
        self.previous_close = np.array([name.spot for name in names])
        self.nifty = np.flatnonzero(np.array([name.symbol == "NIFTY" for name in names]))
        self.tick = np.array([name.tick for name in names])[self.row_name]
        self.future_tick = np.array([name.future_tick for name in names])[layout.future_underlying]
        crore = [name.open_interest_lots * name.lot_size * name.spot / _CRORE for name in names]
        # Spreads near the money: some tenths of a per cent of an index option's price, per cents of a small stock's.
        spread = np.clip(0.006 * (2000.0 / np.array(crore)) ** 0.4, 0.0008, 0.02)
        self.spread: Floats = spread[self.row_name]
        self.future_spread: Floats = (spread / 100.0)[layout.future_underlying]
        self.depth: Floats = np.clip(np.array(crore) / 300.0, 1.5, 40.0)[self.row_name]
        horizon = {key.expiry: at for key, at in zip(layout.segment_keys, layout.segment_horizon, strict=True)}
        self.future_horizon = np.array([horizon[key.expiry] for key in layout.future_keys])
        # A leg's own number, the same in whatever company: its name's and its place among the name's rows.
        own = np.array([_label(name.symbol) for name in names], dtype=np.int64)
        first = np.full(len(names), layout.rows, dtype=np.int64)
        np.minimum.at(first, layout.segment_underlying, layout.starts)
        place = np.arange(layout.rows) - first[self.row_name]
        self.leg: Ints = own[self.row_name][:, None] + np.column_stack([place * 2, place * 2 + 1])
        self.future_leg: Ints = own[layout.future_underlying] + 1_000_000 + layout.future_expiry


def _label(symbol: str) -> int:
    """A name's own block of leg numbers, 2^31 wide."""
    return (zlib.crc32(symbol.encode("utf-8")) % (1 << 31)) << 31


def _surface(seed: int, names: Sequence[Name]) -> Surface:
    """Smiles: indices lean towards dear puts, stocks less so."""
    skew, curvature, carry = [], [], []
    for name in names:
        own = stream(seed, f"smile {name.symbol}")
        index = name.kind == "INDEX"
        skew.append(own.uniform(-0.33, -0.20) if index else own.uniform(-0.19, -0.01))
        curvature.append(own.uniform(0.75, 0.95) if index else own.uniform(0.60, 0.85))
        carry.append(own.uniform(0.055, 0.065) if index else own.uniform(0.045, 0.07))
    return Surface(
        base_volatility=np.array([name.annual_volatility * 1.04 for name in names]),
        skew=np.array(skew),
        curvature=np.array(curvature),
        carry=np.array(carry),
    )
