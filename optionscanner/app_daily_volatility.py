"""Volatility and gamma exposure at the close of a session, by the pricing and engines that the live market gets.

Main entry: `closing_values`. The closes are averages of the last half hour, of options as of futures.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, time

import numpy as np
import pandas as pd

from optionscanner.analytics.exposure import exposure, exposure_legs
from optionscanner.analytics.exposure_total import exposure_total
from optionscanner.analytics.maturity import constant_maturity
from optionscanner.analytics.pricing import price_market
from optionscanner.history.daily_reader import INDEX_NAMES, DailyReader
from optionscanner.model.calendar import IST, TradingCalendar, TradingSession
from optionscanner.model.chains import Chains
from optionscanner.model.context import DayContext
from optionscanner.model.contracts import Floats, Layout, SegmentKey, Underlying
from optionscanner.model.observations import Observation
from optionscanner.model.picture import MarketPicture
from optionscanner.model.pricing import Pricing
from optionscanner.model.settings import EngineSettings
from optionscanner.model.state import State

_CLOSE = time(15, 30)
_TICK = 0.05


@dataclass(frozen=True)
class ClosingValues:
    """Rows for `DailyStore.put_computed`."""

    chains: list[tuple[str, str, float, float, float]]
    names: list[tuple[str, float]]
    exposures: list[tuple[str, float, float]]


def closing_values(
    reader: DailyReader, day: date, calendar: TradingCalendar, settings: EngineSettings
) -> ClosingValues:
    """Volatilities and exposures of a session from its bhavcopy; empty where it has no options.

    Chains that expire that day have none, nor have contracts that did not trade.
    """
    frame = reader.table("eod_contract", day, day)
    options = frame[(frame["option_type"] != "FUT") & (frame["expiry"] > day.isoformat())]
    if options.empty:
        return ClosingValues([], [], [])
    chains = _closed_market(reader, day, calendar, options, frame[frame["option_type"] == "FUT"])
    pricing = price_market(chains, settings.pricing)
    layout = chains.layout
    rows = [
        (key.underlying, key.expiry.isoformat(), float(forward), float(iv), float(years))
        for key, forward, iv, years in zip(
            layout.segment_keys, pricing.forward, pricing.atm_volatility, pricing.time_to_expiry, strict=True
        )
    ]
    monthly, _ = constant_maturity(
        layout.segment_underlying, pricing.time_to_expiry, pricing.atm_volatility, len(layout.names)
    )
    names = zip(layout.names, monthly.tolist(), strict=True)
    return ClosingValues(
        [row for row in rows if np.isfinite(row[3])],
        [n for n in names if np.isfinite(n[1])],
        _exposures(chains, pricing, settings),
    )


def _exposures(chains: Chains, pricing: Pricing, settings: EngineSettings) -> list[tuple[str, float, float]]:
    """Name, sizes of its calls' and puts' gamma exposure, of the names that have one."""
    state, legs = exposure_legs(chains, pricing, State.fresh(chains.layout), settings)
    state, by_expiry = exposure(chains, pricing, state, legs, settings)
    _, totals = exposure_total(chains, pricing, state, {"exposure_legs": legs, "exposure": by_expiry}, settings)
    sizes = np.stack([np.asarray(totals[name], dtype=np.float64) for name in ("call_gex", "put_gex")], axis=1)
    known = np.isfinite(sizes).all(axis=1)
    return [(chains.layout.names[u], float(sizes[u, 0]), float(sizes[u, 1])) for u in np.flatnonzero(known)]


def _closed_market(
    reader: DailyReader, day: date, calendar: TradingCalendar, options: pd.DataFrame, futures: pd.DataFrame
) -> Chains:
    """The market at the close as one picture."""
    at = datetime.combine(day, _CLOSE, IST).timestamp()
    layout = _layout(calendar, options, futures)
    context = DayContext(
        session=TradingSession(
            date=day,
            opens=datetime.combine(day, time(9, 15), IST),
            closes=datetime.combine(day, _CLOSE, IST),
            kind="regular",
            description="close of the session",
            source="F&O bhavcopy",
        ),
        layout=layout,
        listed=np.ones((layout.rows, 2), dtype=bool),
        previous_open_interest=np.full((layout.rows, 2), np.nan),
        previous_close=np.full((layout.rows, 2), np.nan),
        contract_close=np.full(layout.segments, at),
        refresh=np.full(len(layout.underlyings), 60.0),
        tick_size=np.full(layout.segments, _TICK),
    )
    picture = MarketPicture(context)
    spot = reader.spots(layout, day)["close"]
    picture.observe(_observation(layout, at, spot, options, futures))
    return picture.frozen(at)


def _layout(calendar: TradingCalendar, options: pd.DataFrame, futures: pd.DataFrame) -> Layout:
    days = {expiry: date.fromisoformat(expiry) for expiry in set(options["expiry"])}
    exchanges = dict(zip(options["underlying"], options["exchange"], strict=True))
    underlyings = [
        Underlying(name, exchange, "INDEX" if name in INDEX_NAMES or exchange == "BFO" else "STOCK")
        for name, exchange in sorted(exchanges.items())
    ]
    ladders: dict[SegmentKey, list[float]] = {}
    for name, expiry, strike in options[["underlying", "expiry", "strike"]].itertuples(index=False):
        ladders.setdefault(SegmentKey(name, days[expiry]), []).append(strike)
    listed = {
        SegmentKey(name, date.fromisoformat(expiry)): 1.0
        for name, expiry in zip(futures["underlying"], futures["expiry"], strict=True)
        if name in exchanges
    }
    expiries = {key.expiry for key in ladders}
    return Layout.build(
        underlyings,
        ladders,
        # The lot has no part in a volatility, and not every layout of the file gives it.
        lot_sizes=dict.fromkeys(ladders, 1.0),
        horizons={expiry: calendar.expiry_horizon(expiry).timestamp() for expiry in expiries},
        futures=listed,
    )


def _observation(layout: Layout, at: float, spot: Floats, options: pd.DataFrame, futures: pd.DataFrame) -> Observation:
    position = {(k.underlying, k.expiry.isoformat()): i for i, k in enumerate(layout.segment_keys)}
    segment = np.array([position[key] for key in zip(options["underlying"], options["expiry"], strict=True)])
    row = layout.rows_of(segment, options["strike"].to_numpy())
    side = (options["option_type"] == "PE").to_numpy(dtype=np.int64)
    traded = options["contracts"].to_numpy() > 0
    last, price_at, interest = (np.full((layout.rows, 2), np.nan) for _ in range(3))
    interest[row, side] = options["open_interest"].to_numpy()
    last[row, side] = np.where(traded, options["close"].to_numpy(), np.nan)
    price_at[row, side] = np.where(traded, at, np.nan)
    order = {(k.underlying, k.expiry.isoformat()): i for i, k in enumerate(layout.future_keys)}
    price, seen = (np.full(len(order), np.nan) for _ in range(2))
    for name, expiry, close, contracts in futures[["underlying", "expiry", "close", "contracts"]].itertuples(
        index=False
    ):
        if (name, expiry) in order and contracts > 0:
            price[order[name, expiry]], seen[order[name, expiry]] = close, at
    return Observation(
        observed_at=at,
        segments=np.arange(layout.segments),
        stamped_at=np.full(layout.segments, at),
        rows=np.arange(layout.rows),
        legs={"last": last, "price_at": price_at, "open_interest": interest},
        underlyings=np.arange(len(layout.underlyings)),
        underlying_values={"spot": spot},
        futures=np.arange(len(order)),
        future_values={"last": price, "price_at": seen},
    )
