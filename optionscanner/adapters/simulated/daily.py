"""What the daily files of the exchanges would say before the simulated day: all invented, all from the seed.

Main entry: `simulated_daily`. Closes, open interest and volatility are those of `year.py`; positions of participants
add up to the open interest that the day begins with. A name's figures are the same in any company.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import timedelta

import numpy as np

from optionscanner.adapters.simulated.streams import stream
from optionscanner.adapters.simulated.universe import SESSION_DATE, Name
from optionscanner.adapters.simulated.year import DailyHistory
from optionscanner.model.contracts import Floats, Layout
from optionscanner.model.daily import KINDS, LEGS, DailyContext, DayEvent, Listing, Positions
from optionscanner.model.exposures import CRORE, ONE_PER_CENT, SESSIONS, PastExposure

INVENTED = "invented by the simulated market"
_SESSIONS_A_YEAR = 252
_WICK = 0.3
"""Size of the day's shadows beyond open and close, in standard deviations of a day."""
_VIX_PREMIUM = 1.03
# Share of the stocks without a scene that is in ban; of these, in ban since today; and that left the list today.
_BANNED, _ENTERED, _LEFT = 0.06, 0.025, 0.04
_LOT_CHANGED = 0.03
_NEAR_DAYS, _MORNING = 60, 0.25
"""Expiries that a name's exposure sums, and the part of the session's own day that they still have, in days."""
_RESULTS, _DIVIDENDS, _AHEAD = 0.12, 0.06, 7
# Who holds how much of the long and of the short side: futures on indices and stocks, calls and puts on both.
_HOLDERS = ("CLIENT", "PRO", "FII", "DII")
_SHARES = {
    "future_index": ((0.52, 0.11, 0.21, 0.16), (0.17, 0.08, 0.69, 0.06)),
    "future_stock": ((0.20, 0.09, 0.63, 0.08), (0.19, 0.11, 0.36, 0.34)),
    "option_index_call": ((0.60, 0.25, 0.14, 0.01), (0.66, 0.20, 0.13, 0.01)),
    "option_index_put": ((0.57, 0.24, 0.17, 0.02), (0.65, 0.22, 0.12, 0.01)),
    "option_stock_call": ((0.66, 0.22, 0.11, 0.01), (0.58, 0.30, 0.10, 0.02)),
    "option_stock_put": ((0.58, 0.28, 0.13, 0.01), (0.56, 0.32, 0.11, 0.01)),
}


@dataclass(frozen=True, eq=False)
class Opening:
    """With what the simulated day begins."""

    open_interest: Floats
    """(R, 2) units."""
    future_open_interest: Floats
    """(F,) units."""
    future_close: Floats
    """(F,) ₹"""


def simulated_daily(
    seed: int,
    names: Sequence[Name],
    layout: Layout,
    *,
    year: DailyHistory,
    opening: Opening,
    spared: Collection[str],
) -> DailyContext:
    """Everything that is known before the open; names of `spared` are in no ban and have no ex-date."""
    previous = year.dates[-1]
    stocks = [name.symbol for name in names if name.kind == "STOCK" and name.symbol not in spared]
    draw = {symbol: float(stream(seed, f"ban {symbol}").random()) for symbol in stocks}
    banned = {symbol for symbol in stocks if draw[symbol] < _BANNED}
    opens, highs, lows = _levels(seed, names, year)
    held = _positions(seed, layout, opening)
    nifty = next((i for i, name in enumerate(names) if name.symbol == "NIFTY"), -1)
    expired = [name.symbol for name in names if name.expiries == "weekly" and name.exchange == "NFO"]
    vix = 100.0 * _VIX_PREMIUM * year.atm_iv[:, nifty] if nifty >= 0 else np.empty(0)
    change = 100.0 * (year.close[-1] / year.close[-2] - 1.0)
    return DailyContext(
        previous_session=previous,
        spot_open=opens,
        spot_high=highs,
        spot_low=lows,
        spot_close=year.close[-1],
        future_open_interest=opening.future_open_interest,
        future_close=opening.future_close,
        banned=np.array([float(name.symbol in banned) for name in names]),
        ban_entered=tuple(symbol for symbol in stocks if draw[symbol] < _ENTERED),
        ban_left=tuple(symbol for symbol in stocks if _BANNED <= draw[symbol] < _BANNED + _LEFT),
        iv_dates=year.dates,
        iv_history=year.atm_iv.T.copy(),
        positions=Positions(previous, held[0]),
        positions_before=Positions(year.dates[-2], held[1]),
        fii_crore=_fii_crore(seed),
        vix_close=float(np.round(vix[-1], 2)) if nifty >= 0 else float("nan"),
        vix_history=np.round(vix, 2),
        lot_changes=tuple(_lot_changes(seed, names, layout, spared)),
        events=tuple(sorted(_events(seed, stocks), key=lambda event: (event.date, event.underlying))),
        listing=Listing(gone_expiries=tuple(f"{previous:%d-%b-%Y}: {symbol}" for symbol in expired)),
        market_change_pct=float(change[nifty]) if nifty >= 0 else float("nan"),
        exposure=_past_exposure(seed, names, layout, year=year, opening=opening),
        found=dict.fromkeys(KINDS, INVENTED),
    )


def _past_exposure(
    seed: int, names: Sequence[Name], layout: Layout, *, year: DailyHistory, opening: Opening
) -> PastExposure:
    """Gamma exposure at earlier closes: the day's at the open, moved with open interest, price and volatility."""
    owner = layout.segment_underlying
    days = layout.segment_expiry - SESSION_DATE.toordinal()
    years = np.where(days <= _NEAR_DAYS, (days + _MORNING) / 365.0, np.nan)
    forward, volatility = year.close[-1][owner], year.atm_iv[-1][owner]
    spread = (volatility * np.sqrt(years))[layout.row_segment]
    price = forward[layout.row_segment]
    d1 = np.log(price / layout.strike) / spread + spread / 2
    # Gamma x price² x 1 % of every unit, in crore.
    each = np.exp(-d1 * d1 / 2) / np.sqrt(2 * np.pi) / spread * price * ONE_PER_CENT / CRORE
    size = np.nan_to_num(each[:, None] * opening.open_interest)
    opened = np.zeros((len(names), 2))
    np.add.at(opened, owner[layout.row_segment], size)
    held = np.stack([year.call_open_interest, year.put_open_interest], axis=2)[-SESSIONS:]
    moved = held / held[-1] * ((year.close / year.atm_iv) / (year.close[-1] / year.atm_iv[-1]))[-SESSIONS:, :, None]
    traded = np.zeros(len(names))
    np.add.at(traded, layout.future_underlying, opening.future_open_interest * opening.future_close / CRORE)
    share = np.array([stream(seed, f"turnover {name.symbol}").uniform(0.4, 1.2) for name in names])
    turnover = np.where(traded > 0, share * traded, np.nan)
    return PastExposure(layout.names, year.dates[-SESSIONS:], moved * opened, turnover)


def _levels(seed: int, names: Sequence[Name], year: DailyHistory) -> tuple[Floats, Floats, Floats]:
    """(U,) open, high and low of the session before."""
    made = []
    for u, name in enumerate(names):
        own = stream(seed, f"levels {name.symbol}")
        day = name.annual_volatility / np.sqrt(_SESSIONS_A_YEAR)
        close, before = year.close[-1, u], year.close[-2, u]
        opened = before * np.exp(_WICK * day * own.standard_normal())
        above, below = np.exp(_WICK * day * np.abs(own.standard_normal(2)))
        high, low = max(opened, close) * above, min(opened, close) / below
        made.append(np.round(np.rint(np.array([opened, high, low]) / name.tick) * name.tick, 2))
    opens, highs, lows = np.array(made).T
    return opens, np.maximum(highs, year.close[-1]), np.minimum(lows, year.close[-1])


def _positions(seed: int, layout: Layout, opening: Opening) -> tuple[dict[str, dict[str, float]], ...]:
    """Legs of every participant at the last close and at the one before [contracts]; both add up."""
    open_contracts = _open_contracts(layout, opening)
    found = []
    for purpose, grown in (("positions", 1.0), ("positions before", 0.97)):
        own = stream(seed, purpose)
        legs: dict[str, dict[str, float]] = {who: {} for who in (*_HOLDERS, "TOTAL")}
        for instrument, shares in _SHARES.items():
            total = round(grown * open_contracts[instrument])
            for side, usual in zip(("long", "short"), shares, strict=True):
                share = np.array(usual) * np.exp(0.04 * own.standard_normal(len(usual)))
                parts = np.floor(total * share / share.sum())
                parts[0] += total - parts.sum()
                for who, contracts in zip(_HOLDERS, parts.tolist(), strict=True):
                    legs[who][f"{instrument}_{side}"] = contracts
                legs["TOTAL"][f"{instrument}_{side}"] = float(total)
        found.append({who: {leg: mine[leg] for leg in LEGS} for who, mine in legs.items()})
    return tuple(found)


def _open_contracts(layout: Layout, opening: Opening) -> dict[str, float]:
    """Instrument -> contracts open on the exchange that publishes positions, NSE."""
    listed = np.array([underlying.exchange == "NFO" for underlying in layout.underlyings])
    owner = layout.segment_underlying[layout.row_segment]
    lots = opening.open_interest / layout.segment_lot_size[layout.row_segment][:, None]
    futures = opening.future_open_interest / layout.future_lot_size
    found = {}
    for kind, chosen in (("index", layout.is_index), ("stock", ~layout.is_index)):
        mine = (listed & chosen)[owner]
        found[f"future_{kind}"] = float(futures[(listed & chosen)[layout.future_underlying]].sum())
        found[f"option_{kind}_call"], found[f"option_{kind}_put"] = lots[mine].sum(axis=0).tolist()
    return found


def _fii_crore(seed: int) -> dict[str, float]:
    own = stream(seed, "fii")
    sizes = {"INDEX FUTURES": 1_800.0, "INDEX OPTIONS": 9_000.0, "STOCK FUTURES": 2_200.0, "STOCK OPTIONS": 350.0}
    return {name: round(size * float(own.standard_normal()), 2) for name, size in sizes.items()}


def _lot_changes(seed: int, names: Sequence[Name], layout: Layout, spared: Collection[str]) -> list[str]:
    """Sentences as of real days: a lot that a review changed from today on."""
    found = []
    for key, lot in zip(layout.segment_keys, layout.segment_lot_size.tolist(), strict=True):
        changed = stream(seed, f"lot {key.underlying}").random() < _LOT_CHANGED
        if changed and key.underlying not in spared:
            found.append(f"{key.underlying} {key.expiry:%d-%b-%Y}: lot {lot:g}, was {0.8 * lot:g}")
    return found


def _events(seed: int, stocks: Sequence[str]) -> list[DayEvent]:
    """Results and ex-dates of the week ahead, and one meeting of the central bank."""
    events = [DayEvent(SESSION_DATE + timedelta(days=2), "MARKET", "RBI", "policy, invented")]
    for symbol in stocks:
        own = stream(seed, f"event {symbol}")
        drawn, day = own.random(), SESSION_DATE + timedelta(days=int(own.integers(0, _AHEAD)))
        if day.weekday() > 4:  # a Saturday or Sunday
            day -= timedelta(days=2)
        if drawn < _RESULTS:
            events.append(DayEvent(day, symbol, "RESULTS", "first quarter, invented"))
        elif drawn < _RESULTS + _DIVIDENDS:
            events.append(DayEvent(day, symbol, "DIVIDEND", "ex-date, invented"))
    return events
