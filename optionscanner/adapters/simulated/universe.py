"""Names, expiries and contracts of the simulated day.

Main entries: `load_names`, `listed_expiries`, `simulated_layout`, `simulated_session`. Spot levels, volatilities, lot
sizes, strike steps and open interest in ``universe.csv`` are invented round figures of a plausible size; only the
names, and the lot sizes and steps of the indices, are those of real contracts in 2026.
"""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, time
from importlib import resources
from typing import Literal

import numpy as np

from optionscanner.errors import NoData
from optionscanner.model.calendar import IST, TradingCalendar, TradingSession
from optionscanner.model.contracts import Floats, Layout, SegmentKey, Underlying

SESSION_DATE = date(2026, 7, 15)
"""A Wednesday before a SENSEX expiry, six days before the next NIFTY one."""

RATE = 0.0525
"""Continuously compounded interest of the simulated world, decimal a year."""

Expiries = Literal["weekly", "monthly", "front"]


@dataclass(frozen=True, slots=True)
class Name:
    """One row of the universe; invented."""

    symbol: str
    kind: Literal["INDEX", "STOCK"]
    exchange: str
    """NFO or BFO"""
    expiries: Expiries
    """weekly = weeklies and two monthlies, monthly = two monthlies, front = the nearest monthly"""
    spot: float
    """previous close [₹, index points]"""
    annual_volatility: float
    """decimal"""
    market_correlation: float
    lot_size: int
    """units"""
    strike_step: float
    """₹"""
    tick: float
    """of options [₹]"""
    future_tick: float
    """₹"""
    strikes_each_side: int
    open_interest_lots: int
    """of all its options together"""


@dataclass(frozen=True, slots=True)
class Expiry:
    """One expiry of an exchange."""

    exchange: str
    day: date
    cycle: Literal["weekly", "monthly"]
    share: float
    """relative weight of its open interest"""


def simulated_session() -> TradingSession:
    """The fixed fictitious session, 09:15 to 15:30; enter it with `TradingCalendar.with_session`."""
    return TradingSession(
        date=SESSION_DATE,
        opens=datetime.combine(SESSION_DATE, time(9, 15), tzinfo=IST),
        closes=datetime.combine(SESSION_DATE, time(15, 30), tzinfo=IST),
        kind="fictitious",
        description="simulated session",
        source="optionscanner.adapters.simulated",
    )


def load_names() -> tuple[Name, ...]:
    """The universe in order: five indices, then 210 stocks by name."""
    kinds: dict[str, Literal["INDEX", "STOCK"]] = {"INDEX": "INDEX", "STOCK": "STOCK"}
    listed: dict[str, Expiries] = {"weekly": "weekly", "monthly": "monthly", "front": "front"}
    return tuple(
        Name(
            symbol=row["symbol"],
            kind=kinds[row["kind"]],
            exchange=row["exchange"],
            expiries=listed[row["expiries"]],
            spot=float(row["spot"]),
            annual_volatility=float(row["annual_volatility"]),
            market_correlation=float(row["market_correlation"]),
            lot_size=int(row["lot_size"]),
            strike_step=float(row["strike_step"]),
            tick=float(row["tick"]),
            future_tick=float(row["future_tick"]),
            strikes_each_side=int(row["strikes_each_side"]),
            open_interest_lots=int(row["open_interest_lots"]),
        )
        for row in _rows("universe.csv")
    )


def chosen_names(symbols: Sequence[str] | None) -> tuple[Name, ...]:
    """The universe, or those of `symbols` in its order; raises NoData for a symbol that it does not hold."""
    names = load_names()
    if symbols is None:
        return names
    unknown = sorted(set(symbols) - {name.symbol for name in names})
    if unknown:
        raise NoData(
            f"the simulated market has no {', '.join(unknown)}; its {len(names)} names are listed in "
            "optionscanner/adapters/simulated/universe.csv"
        )
    return tuple(name for name in names if name.symbol in set(symbols))


def listed_expiries(name: Name) -> tuple[Expiry, ...]:
    """The expiries at which a name has options, ascending."""
    own = sorted((e for e in _expiries() if e.exchange == name.exchange), key=lambda e: e.day)
    monthly = tuple(e for e in own if e.cycle == "monthly")
    return {"weekly": tuple(own), "monthly": monthly, "front": monthly[:1]}[name.expiries]


def simulated_layout(names: Sequence[Name], calendar: TradingCalendar) -> Layout:
    """The day's contracts: options of every listed expiry, futures of the monthly ones."""
    ladders: dict[SegmentKey, Floats] = {}
    lots: dict[SegmentKey, float] = {}
    futures: dict[SegmentKey, float] = {}
    horizons: dict[date, float] = {}
    for name in names:
        for expiry in listed_expiries(name):
            key = SegmentKey(name.symbol, expiry.day)
            ladders[key] = _ladder(name)
            lots[key] = float(name.lot_size)
            horizons[expiry.day] = calendar.expiry_horizon(expiry.day).timestamp()
            # There are no futures of weekly expiries in India.
            if expiry.cycle == "monthly":
                futures[key] = float(name.lot_size)
    return Layout.build(
        [Underlying(name.symbol, name.exchange, name.kind) for name in names],
        ladders,
        lot_sizes=lots,
        horizons=horizons,
        futures=futures,
    )


def _ladder(name: Name) -> Floats:
    """Listed strikes [₹], centred on the previous close."""
    centre = round(name.spot / name.strike_step)
    steps = np.arange(centre - name.strikes_each_side, centre + name.strikes_each_side + 1)
    return np.asarray(np.round(steps[steps > 0] * name.strike_step, 2))


def _expiries() -> tuple[Expiry, ...]:
    cycles: dict[str, Literal["weekly", "monthly"]] = {"weekly": "weekly", "monthly": "monthly"}
    return tuple(
        Expiry(
            exchange=row["exchange"],
            day=date.fromisoformat(row["expiry"]),
            cycle=cycles[row["cycle"]],
            share=float(row["open_interest_share"]),
        )
        for row in _rows("expiries.csv")
    )


def _rows(table: str) -> list[dict[str, str]]:
    text = resources.files("optionscanner.adapters.simulated").joinpath(table).read_text(encoding="utf-8")
    return list(csv.DictReader(text.splitlines()))
