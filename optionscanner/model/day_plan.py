"""What a trading day begins with: gaps, moves to expect, what changed since the session before, what FII did. Pure.

Main entries: `plan_of`, `fii_verdict`, `changes_since`, `contract_changes`. Levels are of the previous session; a
volatility becomes the move of one session by the square root of time with 252 sessions a year, one standard deviation.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from optionscanner.model.contracts import Floats
from optionscanner.model.daily import DailyContext, Listing
from optionscanner.model.pivots import Pivots, classic_pivots

SESSIONS_A_YEAR = 252.0
BULLISH, BEARISH, MIXED = "STRONG BULLISH", "STRONG BEARISH", "MIXED"
OPEN, FIRST, CLOSE = "open", "first", "close"
"""Where a first price or a volatility is from."""
BAN, BAN_IN, BAN_OUT, LOT, NEW_EXPIRY, EXPIRED, NEW_SYMBOL, GONE = (
    "in ban", "ban in", "ban out", "lot", "new expiry", "expired", "new symbol", "gone"
)  # fmt: skip
_TITLES = {
    BAN_IN: "bans in", BAN_OUT: "bans out", LOT: "lots", EXPIRED: "expired", NEW_EXPIRY: "new expiries",
    NEW_SYMBOL: "new symbols", GONE: "gone symbols",
}  # fmt: skip
_LOT_WORDS = ": lot "

Words = npt.NDArray[np.object_]


@dataclass(frozen=True, eq=False)
class DayPlan:
    """Figures of every underlying before and at the open; each array is (U,), prices in ₹ or points."""

    high: Floats
    """Of the previous session."""
    low: Floats
    close: Floats
    """Previous close: by the daily files, else by the source."""
    opened: Floats
    """First price of the day."""
    opened_from: Words
    """`open`, `first` where the source gives no open and the price is the first one seen, "" where there is none."""
    volatility: Floats
    """Decimal a year."""
    volatility_from: Words
    """`close`: 30 days' volatility at the previous close; `open`: the first at the money of the day; ""."""
    pivots: Pivots

    @property
    def gap(self) -> Floats:
        """(U,) first price less the previous close [₹]."""
        return np.asarray(self.opened - self.close)

    @property
    def gap_pct(self) -> Floats:
        """(U,) the same over the previous close [%]."""
        return np.asarray(100.0 * self.gap / self.close)

    @property
    def move(self) -> Floats:
        """(U,) one standard deviation of a session: volatility x previous close / square root of 252 [₹]."""
        return np.asarray(self.volatility * self.close / np.sqrt(SESSIONS_A_YEAR))

    @property
    def gap_in_moves(self) -> Floats:
        """(U,) the gap in such moves."""
        return np.asarray(self.gap / np.where(self.move > 0, self.move, np.nan))


def plan_of(
    daily: DailyContext | None, *, opened: Floats, first: Floats, source_close: Floats, first_volatility: Floats
) -> DayPlan:
    """Plan from the daily files (None where there are none) and the day's first figures, all (U,).

    `opened`: the day's open by the source; `first`: the first price seen; `source_close`: previous close by the
    source; `first_volatility`: first volatility at the money [decimal a year].
    """
    blank = np.full(len(opened), np.nan)
    high, low, close, volatility = blank, blank, blank, blank
    if daily is not None:
        high, low, close = daily.spot_high, daily.spot_low, daily.spot_close
        # Only of the session before: an older one says nothing about tonight.
        if daily.iv_dates[-1:] == (daily.previous_session,):
            volatility = daily.iv_history[:, -1]
    by_file = np.isfinite(volatility)
    by_source = np.isfinite(opened)
    close = np.where(np.isfinite(close), close, source_close)
    opened_ = np.where(by_source, opened, first)
    volatility_ = np.where(by_file, volatility, first_volatility)
    return DayPlan(
        high=high,
        low=low,
        close=close,
        opened=opened_,
        opened_from=np.where(by_source, OPEN, np.where(np.isfinite(first), FIRST, "")).astype(object),
        volatility=volatility_,
        volatility_from=np.where(by_file, CLOSE, np.where(np.isfinite(volatility_), OPEN, "")).astype(object),
        pivots=classic_pivots(high=high, low=low, close=np.where(np.isfinite(high), close, np.nan)),
    )


@dataclass(frozen=True, slots=True)
class FiiVerdict:
    """What foreign investors did in the session before, held against the price; NaN and "" where not known."""

    index_change: float
    """Change of their net index futures [contracts]."""
    all_change: float
    """The same with stock futures added [contracts]."""
    price_change_pct: float
    """NIFTY over that session [%]."""
    words: str
    """By index futures: STRONG BULLISH where both rose, STRONG BEARISH where both fell, else MIXED."""
    words_all: str
    """The same with stock futures added, as documented."""


def fii_verdict(daily: DailyContext) -> FiiVerdict:
    """FII and price over the previous session.

    Index futures give the direction: stock futures are mostly held against shares (cash and carry), and contracts of
    different sizes are added in them.
    """
    now, before, price = daily.positions, daily.positions_before, daily.market_change_pct
    index_change = all_change = float("nan")
    if now is not None and before is not None:
        index_change = now.net("FII", "future_index") - before.net("FII", "future_index")
        all_change = index_change + now.net("FII", "future_stock") - before.net("FII", "future_stock")
    return FiiVerdict(index_change, all_change, price, _verdict(index_change, price), _verdict(all_change, price))


def _verdict(added: float, price: float) -> str:
    if not (np.isfinite(added) and np.isfinite(price)):
        return ""
    if added > 0 and price > 0:
        return BULLISH
    return BEARISH if added < 0 and price < 0 else MIXED


@dataclass(frozen=True, slots=True)
class Change:
    """Something that is other than in the session before, or a ban in force."""

    what: str
    """One of the words above."""
    name: str
    detail: str = ""


def changes_since(daily: DailyContext, names: Sequence[str]) -> tuple[Change, ...]:
    """Bans in and out, bans in force, lots, expiries, symbols; `names` are those of the day's layout."""
    entered = set(daily.ban_entered)
    in_force = [name for name, on in zip(names, daily.banned, strict=True) if on == 1 and name not in entered]
    found = [Change(BAN_IN, name, "in ban from today") for name in daily.ban_entered]
    found += [Change(BAN_OUT, name, "left the ban list") for name in daily.ban_left]
    found += [Change(BAN, name, "no new positions") for name in in_force]
    return (*found, *contract_changes(daily.lot_changes, daily.listing or Listing()))


def contract_changes(lot_changes: Sequence[str], listing: Listing) -> tuple[Change, ...]:
    """Lots, expiries and symbols, from sentences in the form of `DailyContext`'s own."""
    found = []
    for sentence in lot_changes:
        contract, _, rest = sentence.partition(_LOT_WORDS)
        name, _, expiry = contract.partition(" ")
        found.append(Change(LOT, name, f"{expiry}: {rest}"))
    for what, lines in ((EXPIRED, listing.gone_expiries), (NEW_EXPIRY, listing.new_expiries)):
        for line in lines:
            day, _, who = line.partition(": ")
            found.append(Change(what, who, day))
    found += [Change(NEW_SYMBOL, name) for name in listing.new_symbols]
    found += [Change(GONE, name) for name in listing.gone_symbols]
    return tuple(found)


def change_words(daily: DailyContext | None, names: Sequence[str], *, most: int = 4) -> tuple[str, str]:
    """What changed since the session before, in one line, and of which kinds nothing did or it is not known.

    `most` names of a kind are told, the rest is counted.
    """
    if daily is None:
        return "not known: there are no daily files of the session before", ""
    lots_known = not {"F&O bhavcopy", "market lots"} <= daily.missing.keys()
    listed_known = daily.listing is not None
    known = {
        BAN_IN: daily.bans_compared, BAN_OUT: daily.bans_compared, LOT: lots_known, EXPIRED: listed_known,
        NEW_EXPIRY: listed_known, NEW_SYMBOL: listed_known, GONE: listed_known,
    }  # fmt: skip
    return _in_one_line(changes_since(daily, names), known, most)


def contract_change_words(changes: Sequence[Change], *, most: int = 4) -> str:
    """The same of `contract_changes`, where all of them are known, in one line."""
    told, others = _in_one_line(changes, dict.fromkeys((LOT, EXPIRED, NEW_EXPIRY, NEW_SYMBOL, GONE), True), most)
    return "; ".join(words for words in (told, others) if words)


def _in_one_line(changes: Sequence[Change], known: Mapping[str, bool], most: int) -> tuple[str, str]:
    """`known`: kind -> whether its changes are known."""
    told: list[str] = []
    none: list[str] = []
    unknown: list[str] = []
    for kind, is_known in known.items():
        mine = list(dict.fromkeys(_told(change) for change in changes if change.what == kind))
        if mine:
            more = f" and {len(mine) - most} more" if len(mine) > most else ""
            told.append(f"{_TITLES[kind]}: {', '.join(mine[:most])}{more}")
        else:
            (none if is_known else unknown).append(_TITLES[kind])
    rest = (f"{word}: {', '.join(titles)}" for word, titles in (("none", none), ("not known", unknown)) if titles)
    return "; ".join(told) or ("nothing that is known" if unknown else "nothing"), "; ".join(rest)


def _told(change: Change) -> str:
    return f"{change.name} {change.detail}" if change.what in (EXPIRED, NEW_EXPIRY) else change.name
