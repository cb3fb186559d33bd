"""What the broker lists: tokens, trading symbols and exchanges of a market's contracts and of what they derive from.

Main entry: `list_instruments`. One line an instrument: every option leg (row by row, call then put), every future,
every underlying, India VIX. Contract tokens of NSE and BSE begin at the same number, as a token means nothing without
its exchange.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from functools import cached_property

import numpy as np

from optionscanner.model.context import DayContext
from optionscanner.model.contracts import Floats, Ints

# As in the broker's master of 2026: name -> (exchange, token, symbol).
INDEX_TOKENS = {
    "NIFTY": ("NSE", "99926000", "Nifty 50"),
    "BANKNIFTY": ("NSE", "99926009", "Nifty Bank"),
    "FINNIFTY": ("NSE", "99926037", "Nifty Fin Service"),
    "MIDCPNIFTY": ("NSE", "99926074", "NIFTY MID SELECT"),
    "NIFTYNXT50": ("NSE", "99926013", "Nifty Next 50"),
    "NIFTYIT": ("NSE", "99926008", "Nifty IT"),
    "SENSEX": ("BSE", "99919000", "SENSEX"),
    "BANKEX": ("BSE", "99919012", "BANKEX"),
}
INDIA_VIX = "INDIA VIX"
VIX_TOKEN = ("NSE", "99926017", "India VIX")

FEED_TYPES = {"NSE": 1, "NFO": 2, "BSE": 3, "BFO": 4}
CASH_OF = {"NFO": "NSE", "BFO": "BSE"}

FIRST_CONTRACT = 35_001
FIRST_SHARE = 7
_WEEKLY_MONTHS = "123456789OND"
_UNKNOWN_INDEX = 99_928_000


@dataclass(frozen=True, eq=False)
class Instruments:
    """(N,) lines: 2 R option legs, F futures, U underlyings, India VIX."""

    exchange: list[str]
    token: list[str]
    symbol: list[str]
    name: list[str]
    kind: list[str]
    """CE, PE, FUT, INDEX or STOCK."""
    expiry: list[date | None]
    strike: Floats
    """₹; NaN without one."""
    lot: Ints
    tick: Floats
    """₹."""
    is_index: np.ndarray
    is_cash: np.ndarray
    """Shares and indices."""
    futures_from: int
    underlyings_from: int

    def __len__(self) -> int:
        return len(self.token)

    @property
    def vix(self) -> int:
        """The line of India VIX, the last one."""
        return len(self) - 1

    @cached_property
    def by_token(self) -> dict[tuple[str, str], int]:
        """(exchange, token) -> line."""
        return {key: i for i, key in enumerate(zip(self.exchange, self.token, strict=True))}

    @cached_property
    def by_feed(self) -> dict[tuple[int, str], int]:
        """(exchange type of the feed, token) -> line."""
        return {(FEED_TYPES[exchange], token): i for (exchange, token), i in self.by_token.items()}

    @cached_property
    def by_symbol(self) -> dict[tuple[str, str], int]:
        """(exchange, trading symbol) -> line."""
        return {key: i for i, key in enumerate(zip(self.exchange, self.symbol, strict=True))}

    @cached_property
    def feed_type(self) -> Ints:
        """(N,) exchange type of the feed."""
        return np.array([FEED_TYPES[exchange] for exchange in self.exchange], dtype=np.int64)

    def cash_line(self, name: str) -> int:
        """The line of an underlying itself."""
        return self.name.index(name, self.underlyings_from)


def list_instruments(day: DayContext) -> Instruments:
    """Every contract and underlying of the day, in the order of `Instruments`."""
    layout = day.layout
    lines: list[tuple[str, str, str, str, date | None, float, int, float]] = []
    for row, segment in enumerate(layout.row_segment):
        key = layout.segment_keys[segment]
        exchange = layout.underlyings[layout.segment_underlying[segment]].exchange
        strike, lot = float(layout.strike[row]), int(layout.segment_lot_size[segment])
        tick = float(day.tick_size[segment])
        for side in ("CE", "PE"):
            symbol = _contract_symbol(exchange, key.underlying, key.expiry, f"{strike:g}{side}")
            lines.append((exchange, symbol, key.underlying, side, key.expiry, strike, lot, tick))
    for key, u, lot in zip(layout.future_keys, layout.future_underlying, layout.future_lot_size, strict=True):
        exchange = layout.underlyings[u].exchange
        symbol = _contract_symbol(exchange, key.underlying, key.expiry, "FUT")
        lines.append((exchange, symbol, key.underlying, "FUT", key.expiry, np.nan, int(lot), 0.1))
    counted = dict.fromkeys(CASH_OF, FIRST_CONTRACT - 1)
    tokens = []
    for exchange, *_ in lines:
        counted[exchange] += 1
        tokens.append(str(counted[exchange]))
    underlyings_from = len(lines)
    for place, one in enumerate(layout.underlyings):
        cash = CASH_OF[one.exchange]
        if one.kind == "INDEX":
            unknown = (cash, str(_UNKNOWN_INDEX + place), one.name.title())
            cash, token, symbol = INDEX_TOKENS.get(one.name, unknown)
        else:
            token, symbol = str(FIRST_SHARE + place), f"{one.name}-EQ" if cash == "NSE" else one.name
        tokens.append(token)
        lines.append((cash, symbol, one.name, one.kind, None, np.nan, 1, 0.0 if one.kind == "INDEX" else 0.05))
    tokens.append(VIX_TOKEN[1])
    lines.append((VIX_TOKEN[0], VIX_TOKEN[2], INDIA_VIX, "INDEX", None, np.nan, 1, 0.0))
    exchanges, symbols, names, kinds, expiries, strikes, lots, ticks = (
        list(column) for column in zip(*lines, strict=True)
    )
    return Instruments(
        exchange=exchanges,
        token=tokens,
        symbol=symbols,
        name=names,
        kind=kinds,
        expiry=expiries,
        strike=np.array(strikes, dtype=np.float64),
        lot=np.array(lots, dtype=np.int64),
        tick=np.where(np.isnan(ticks), 0.05, ticks),
        is_index=np.array([kind == "INDEX" for kind in kinds]),
        is_cash=np.array([kind in ("INDEX", "STOCK") for kind in kinds]),
        futures_from=2 * layout.rows,
        underlyings_from=underlyings_from,
    )


def _contract_symbol(exchange: str, name: str, expiry: date, ending: str) -> str:
    """NSE writes the whole date; BSE only the month of a month's last expiry, else year, month sign and day."""
    if exchange == "NFO":
        return f"{name}{expiry:%d%b%y}".upper() + ending
    if ending == "FUT" or (expiry + timedelta(days=7)).month != expiry.month:
        return f"{name}{expiry:%y%b}".upper() + ending
    return f"{name}{expiry:%y}{_WEEKLY_MONTHS[expiry.month - 1]}{expiry:%d}{ending}"
