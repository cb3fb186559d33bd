"""What daily files know: their tables, declared once, and what a trading day takes from them.

Main entries: `DAILY_TABLES`, `DailyContext`. Dates are ISO text in tables; prices ₹; quantities units of the
underlying unless the unit says otherwise; absent is NaN.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from datetime import date
from typing import Literal

import numpy as np

from optionscanner.model.contracts import Floats
from optionscanner.model.exposures import PastExposure

_TOLD = 3
"""Names that are told one by one."""

DailyKind = Literal["text", "date", "price", "whole", "real"]
"""text: str; date: ISO text; price: ₹ to the paisa; whole: whole number; real: any number."""


@dataclass(frozen=True, slots=True)
class DailyColumn:
    """One quantity of a daily table."""

    name: str
    kind: DailyKind
    unit: str
    meaning: str


@dataclass(frozen=True, slots=True)
class DailyTable:
    """One table: its first `keys` columns name a row."""

    name: str
    title: str
    """The kind of file, for people."""
    keys: int
    columns: tuple[DailyColumn, ...]

    @property
    def names(self) -> tuple[str, ...]:
        """Column names in order."""
        return tuple(column.name for column in self.columns)

    @property
    def key(self) -> tuple[str, ...]:
        """Columns that name a row."""
        return self.names[: self.keys]


def _text(name: str, meaning: str) -> DailyColumn:
    return DailyColumn(name, "text", "", meaning)


def _date(name: str, meaning: str) -> DailyColumn:
    return DailyColumn(name, "date", "", meaning)


def _price(name: str, meaning: str) -> DailyColumn:
    return DailyColumn(name, "price", "₹", meaning)


def _whole(name: str, unit: str, meaning: str) -> DailyColumn:
    return DailyColumn(name, "whole", unit, meaning)


def _real(name: str, unit: str, meaning: str) -> DailyColumn:
    return DailyColumn(name, "real", unit, meaning)


EOD_CONTRACT = DailyTable(
    "eod_contract",
    "F&O bhavcopy",
    6,
    (
        _date("trading_date", "session the row closes"),
        _text("exchange", "NFO or BFO"),
        _text("underlying", "symbol of the underlying"),
        _date("expiry", "expiry date of the contract"),
        _price("strike", "strike; absent for a future"),
        _text("option_type", "CE, PE or FUT"),
        _price("open", "first trade; absent where it did not trade"),
        _price("high", "highest trade; absent where it did not trade"),
        _price("low", "lowest trade; absent where it did not trade"),
        _price("close", "closing price; carried from earlier where it did not trade"),
        _price("last", "last trade, maybe of an earlier day"),
        _price("previous_close", "close of the session before"),
        _price("settlement", "daily settlement price; absent for options that expire that day"),
        _price("underlying_close", "closing value of the underlying, where the file gives it"),
        _whole("open_interest", "units", "at the close"),
        _whole("change_in_open_interest", "units", "against the previous session's close"),
        _whole("volume", "units", "contracts x lot size; absent where the lot size is not known"),
        _whole("contracts", "contracts", "traded that day"),
        _real("value", "₹", "turnover; options at strike plus premium"),
        _whole("trades", "trades", "how many trades were made"),
        _whole("lot_size", "units", "as the file gives it, else implied by its turnover and open interest"),
    ),
)

CASH_CLOSE = DailyTable(
    "cash_close",
    "cash bhavcopy",
    3,
    (
        _date("trading_date", "session the row closes"),
        _text("symbol", "symbol of the share"),
        _text("series", "EQ or BE"),
        _price("open", "first trade"),
        _price("high", "highest trade"),
        _price("low", "lowest trade"),
        _price("close", "closing price"),
        _price("last", "last trade"),
        _price("previous_close", "close of the session before"),
        _whole("volume", "shares", "traded that day"),
        _whole("delivered", "shares", "marked for delivery; absent where the file has none"),
    ),
)

LEGS = (
    "future_index_long",
    "future_index_short",
    "future_stock_long",
    "future_stock_short",
    "option_index_call_long",
    "option_index_put_long",
    "option_index_call_short",
    "option_index_put_short",
    "option_stock_call_long",
    "option_stock_put_long",
    "option_stock_call_short",
    "option_stock_put_short",
)
"""Legs of a participant's positions, in the order of the exchange's file."""

PARTICIPANT = DailyTable(
    "participant",
    "participant-wise positions",
    3,
    (
        _date("trading_date", "session at whose close the positions stood"),
        _text("measure", "OPEN_INTEREST or VOLUME"),
        _text("participant", "CLIENT, DII, FII, PRO or TOTAL"),
        *(_real(leg, "contracts", leg.replace("_", " ")) for leg in LEGS),
        _real("total_long", "contracts", "all long legs, as the exchange sums them"),
        _real("total_short", "contracts", "all short legs, as the exchange sums them"),
    ),
)

FII_STATISTICS = DailyTable(
    "fii_statistics",
    "FII statistics",
    2,
    (
        _date("trading_date", "session"),
        _text("instrument", "INDEX FUTURES, INDEX OPTIONS, STOCK FUTURES, STOCK OPTIONS, or a part of them"),
        _whole("main", "0/1", "1 for the four main rows; the others are parts of them and must not be added"),
        _whole("buy_contracts", "contracts", "bought"),
        _real("buy_crore", "₹ crore", "bought; options at strike x quantity"),
        _whole("sell_contracts", "contracts", "sold"),
        _real("sell_crore", "₹ crore", "sold; options at strike x quantity"),
        _whole("open_interest_contracts", "contracts", "held at the close, long and short together"),
        _real("open_interest_crore", "₹ crore", "held at the close, at the underlying's or the future's close"),
    ),
)

BAN_LIST = DailyTable(
    "ban_list",
    "ban list",
    2,
    (
        _date("trading_date", "trade date for which the list holds"),
        _text("underlying", "security in ban; NIL where the list is empty"),
    ),
)

MARKET_LOT = DailyTable(
    "market_lot",
    "market lots",
    3,
    (
        _text("first_month", "first expiry month of the file, YYYY-MM: the file has no date of its own"),
        _text("underlying", "symbol of the underlying"),
        _text("expiry_month", "expiry month, YYYY-MM"),
        _whole("lot_size", "units", "units per contract"),
    ),
)

INDEX_CLOSE = DailyTable(
    "index_close",
    "index closes",
    2,
    (
        _date("trading_date", "session"),
        _text("index_name", "name of the index as published, in capitals"),
        _real("open", "points", "first value"),
        _real("high", "points", "highest value"),
        _real("low", "points", "lowest value"),
        _real("close", "points", "closing value"),
        _real("points_change", "points", "against the previous close"),
        _real("change_pct", "%", "against the previous close"),
        _real("volume", "shares", "traded in its members"),
        _real("turnover_crore", "₹ crore", "traded in its members"),
        _real("price_earnings", "ratio", "price to earnings"),
        _real("price_book", "ratio", "price to book"),
        _real("dividend_yield", "%", "dividend yield"),
    ),
)

VIX = DailyTable(
    "vix",
    "India VIX",
    1,
    (
        _date("trading_date", "session"),
        _real("open", "%", "first value"),
        _real("high", "%", "highest value"),
        _real("low", "%", "lowest value"),
        _real("close", "%", "closing value"),
        _real("previous_close", "%", "close of the session before"),
    ),
)

EVENT = DailyTable(
    "event",
    "events",
    3,
    (
        _date("trading_date", "date of the event"),
        _text("underlying", "symbol; MARKET where it concerns all"),
        _text("kind", "RESULTS, RBI, DIVIDEND, BONUS, SPLIT, RIGHTS, EX_DATE, BUDGET or OTHER"),
        _text("description", "in the user's words"),
    ),
)

DAILY_TABLES: tuple[DailyTable, ...] = (
    EOD_CONTRACT,
    CASH_CLOSE,
    PARTICIPANT,
    FII_STATISTICS,
    BAN_LIST,
    MARKET_LOT,
    INDEX_CLOSE,
    VIX,
    EVENT,
)

KINDS: Mapping[str, str] = {
    "F&O bhavcopy": "closing OI and closes are the source's own, if any",
    "index closes and cash bhavcopy": "yesterday's levels are blank",
    "participant-wise positions": "participants are blank",
    "FII statistics": "FII in ₹ crore is blank",
    "ban list": "whether a stock is in ban is not known",
    "India VIX": "its change is blank",
    "market lots": "lots of the source are not checked",
    "daily volatility": "IV rank and percentile are blank",
}
"""Kind of what a day takes from daily files -> what stays blank without it."""

PARTICIPANTS = ("FII", "PRO", "CLIENT", "DII")
"""In the order in which sheets show them."""
EX_DATES = frozenset({"DIVIDEND", "BONUS", "SPLIT", "RIGHTS", "EX_DATE"})
"""Kinds of events after which a jump of price or open interest may be no signal."""


@dataclass(frozen=True, slots=True)
class Positions:
    """Open positions of every participant at the close of a session [contracts], legs separate."""

    trading_date: date
    legs: Mapping[str, Mapping[str, float]]
    """participant -> name of `LEGS` -> contracts; NaN where the file lacks the number."""

    def leg(self, participant: str, leg: str) -> float:
        """Contracts of one leg; NaN where unknown."""
        return self.legs.get(participant, {}).get(leg, float("nan"))

    def net(self, participant: str, instrument: str) -> float:
        """Long less short contracts of an instrument such as ``option_index_call``; NaN where unknown."""
        return self.leg(participant, f"{instrument}_long") - self.leg(participant, f"{instrument}_short")


@dataclass(frozen=True, slots=True)
class DayEvent:
    """One dated event of the user's file."""

    date: date
    underlying: str
    """MARKET where it concerns all."""
    kind: str
    description: str


@dataclass(frozen=True, slots=True)
class Listing:
    """What changed among the listed contracts since the previous session."""

    new_symbols: tuple[str, ...] = ()
    gone_symbols: tuple[str, ...] = ()
    new_expiries: tuple[str, ...] = ()
    """Sentences such as ``18-Aug-2026: NIFTY``."""
    gone_expiries: tuple[str, ...] = ()
    """The same of expiries that passed."""


def by_expiry(found: Collection[tuple[date, str]]) -> tuple[str, ...]:
    """``27-Jan-2026: NIFTY`` for each expiry of (expiry, name), or how many names where there are many."""
    lines = []
    for day in sorted({day for day, _ in found}):
        names = sorted({name for at, name in found if at == day})
        who = ", ".join(names) if len(names) <= _TOLD else f"{len(names)} names"
        lines.append(f"{day:%d-%b-%Y}: {who}")
    return tuple(lines)


def lot_change(underlying: str, expiry: date, *, lot: float, was: float) -> str:
    """``NIFTY 27-Jan-2026: lot 65, was 75``; in units."""
    return f"{underlying} {expiry:%d-%b-%Y}: lot {lot:g}, was {was:g}"


@dataclass(frozen=True, eq=False)
class DailyContext:
    """What the daily files say about the sessions before a trading day, aligned with the day's layout.

    U underlyings, F futures, D past sessions; NaN is unknown.
    """

    previous_session: date
    """The trading day before."""
    spot_open: Floats
    """(U,) underlyings in the previous session [₹, points]; the same for the next three."""
    spot_high: Floats
    spot_low: Floats
    spot_close: Floats
    future_open_interest: Floats
    """(F,) closing open interest of the previous session [units]."""
    future_close: Floats
    """(F,) settlement price of the previous session, else its close [₹]."""
    banned: Floats
    """(U,) 1 in ban today, 0 not, NaN where today's list is not there."""
    ban_entered: tuple[str, ...]
    """Securities of today's list that the previous session's did not have; () where either is missing."""
    ban_left: tuple[str, ...]
    iv_dates: tuple[date, ...]
    """D sessions, ascending, at most 252."""
    iv_history: Floats
    """(U, D) volatility at the money of 30 days' constant maturity at the close, decimal a year."""
    positions: Positions | None
    """Open positions at the close of the previous session."""
    positions_before: Positions | None
    """The same one session earlier."""
    fii_crore: Mapping[str, float]
    """FII bought less sold in the previous session, by main instrument of `FII_STATISTICS` [₹ crore]."""
    vix_close: float
    """India VIX at the close of the previous session [%]."""
    vix_history: Floats
    """(D',) closes of at most 252 sessions before the day, ascending [%]."""
    lot_changes: tuple[str, ...]
    """Sentences: contracts whose lot differs from the one of the previous session, or from the list of lots."""
    events: tuple[DayEvent, ...]
    """From the previous session to a week ahead, by date."""
    bans_compared: bool = True
    """Whether both ban lists are there, so that an empty `ban_entered` says that none entered."""
    listing: Listing | None = None
    """What is new among the listed contracts, and what is gone; None where that is not known."""
    market_change_pct: float = float("nan")
    """NIFTY over the previous session: its close against the close before [%]."""
    exposure: PastExposure | None = None
    """Gamma exposure at the close of the sessions before, and turnover; None where no bhavcopy says."""
    missing: Mapping[str, str] = field(default_factory=dict)
    """title of a kind of file that is not there -> a sentence that says so, and what stays blank."""
    found: Mapping[str, str] = field(default_factory=dict)
    """title of a kind of file -> what of it serves the day, in words."""

    def has_ex_date(self, underlying: str, on: date) -> bool:
        """Whether the events name an ex-date of the underlying on that day."""
        return any(e.date == on and e.underlying == underlying and e.kind in EX_DATES for e in self.events)

    def sliced(self, underlying: int, futures: np.ndarray) -> DailyContext:
        """The same for one underlying alone, by its index, and the futures at these indices."""
        per_underlying = ("spot_open", "spot_high", "spot_low", "spot_close", "banned", "iv_history")
        return replace(
            self,
            **{name: getattr(self, name)[[underlying]] for name in per_underlying},
            future_open_interest=self.future_open_interest[futures],
            future_close=self.future_close[futures],
        )
