"""Volatility at the money of every chain at the close of a session, by the pricing that the live market gets.

Main entry: `closing_volatility`. The closes are averages of the last half hour, of options as of futures.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, time

import numpy as np
import pandas as pd

from optionscanner.analytics.maturity import constant_maturity
from optionscanner.analytics.pricing import price_market
from optionscanner.history.daily_reader import INDEX_NAMES, DailyReader
from optionscanner.model.calendar import IST, TradingCalendar, TradingSession
from optionscanner.model.chains import Chains
from optionscanner.model.context import DayContext
from optionscanner.model.contracts import Floats, Layout, SegmentKey, Underlying
from optionscanner.model.observations import Observation
from optionscanner.model.picture import MarketPicture
from optionscanner.model.settings import PricingSettings

_CLOSE = time(15, 30)
_TICK = 0.05


@dataclass(frozen=True)
class ClosingVolatility:
    """Rows for `DailyStore.put_volatility`."""

    chains: list[tuple[str, str, float, float, float]]
    names: list[tuple[str, float]]


def closing_volatility(
    reader: DailyReader, day: date, calendar: TradingCalendar, settings: PricingSettings
) -> ClosingVolatility:
    """Volatilities of a session from its bhavcopy; empty where it has no options.

    Chains that expire that day have none, nor have contracts that did not trade.
    """
    frame = reader.table("eod_contract", day, day)
    options = frame[(frame["option_type"] != "FUT") & (frame["expiry"] > day.isoformat())]
    if options.empty:
        return ClosingVolatility([], [])
    chains = _closed_market(reader, day, calendar, options, frame[frame["option_type"] == "FUT"])
    pricing = price_market(chains, settings)
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
    return ClosingVolatility([row for row in rows if np.isfinite(row[3])], [n for n in names if np.isfinite(n[1])])


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
    last, price_at = (np.full((layout.rows, 2), np.nan) for _ in range(2))
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
        legs={"last": last, "price_at": price_at},
        underlyings=np.arange(len(layout.underlyings)),
        underlying_values={"spot": spot},
        futures=np.arange(len(order)),
        future_values={"last": price, "price_at": seen},
    )
