"""Build-up: what a price and its open interest say together, of every future and of every underlying.

Price up with open interest up is long build-up (LB), down with up short build-up (SB), up with down short covering
(SC), down with down long unwinding (LU); within the dead bands nothing is said. Price and open interest are of the same
instrument, and both changes are against the same instant: the previous close where it is known, else the open.
"""

from __future__ import annotations

import numpy as np

from optionscanner.analytics import segments
from optionscanner.model.chains import Chains
from optionscanner.model.columns import BUILD_UP, BUILD_UP_WORDS, FUTURES
from optionscanner.model.contracts import Bools, Floats
from optionscanner.model.pairs import added, zeroed
from optionscanner.model.readings import Reading
from optionscanner.model.settings import EngineSettings, WindowSettings
from optionscanner.model.state import State


def build_up_codes(price_pct: Floats, interest_pct: Floats, windows: WindowSettings) -> Floats:
    """1 LB, 2 SB, 3 SC, 4 LU, 0 where either change [%] lies within its band; NaN where one is unknown."""
    known = np.isfinite(price_pct) & np.isfinite(interest_pct)
    price = np.where(np.abs(price_pct) > windows.price_band_pct, np.sign(price_pct), 0.0)
    interest = np.where(np.abs(interest_pct) > windows.open_interest_band_pct, np.sign(interest_pct), 0.0)
    code = np.select(
        [(price > 0) & (interest > 0), (price < 0) & (interest > 0),
         (price > 0) & (interest < 0), (price < 0) & (interest < 0)],
        [1.0, 2.0, 3.0, 4.0], 0.0,
    )  # fmt: skip
    return np.where(known, code, np.nan)


def futures(chains: Chains, state: State, settings: EngineSettings) -> tuple[State, Reading]:
    """State with each future's values at the open, and the reading; one row per future."""
    quotes, windows = chains.futures, settings.windows
    state = _with_traded(chains, _with_open(chains, state, windows))
    interest, price, closed = _before(chains, state)
    price_pct = segments.share_pct(quotes.last, price)
    interest_pct = segments.share_pct(quotes.open_interest, interest)
    known = np.isfinite(price) & np.isfinite(interest)
    return state, Reading(
        FUTURES,
        {
            "price": quotes.last,
            "price_change_pct": price_pct,
            "open_interest": quotes.open_interest,
            "open_interest_change": quotes.open_interest - interest,
            "open_interest_change_pct": interest_pct,
            "build_up": _words(build_up_codes(price_pct, interest_pct, windows)),
            "since": _since(known, closed),
            "volume": quotes.volume,
            "vwap": mean_price(state),
        },
    )


def build_up(chains: Chains, state: State, futures: Reading, settings: EngineSettings) -> tuple[State, Reading]:
    """The state unchanged, and the reading; one row per underlying, its futures' open interest summed over expiries.

    Rollover in the last week moves open interest from one future to the next, which the sum does not take for an
    unwinding.
    """
    layout, count = chains.layout, len(chains.layout.names)
    owner, interest = layout.future_underlying, chains.futures.open_interest
    change = np.asarray(futures["open_interest_change"], dtype=np.float64)
    # A sum over some of the futures would be another number: all that are quoted must know their change.
    quoted = np.isfinite(interest)
    whole = _sums(owner, np.where(quoted & ~np.isfinite(change), 1.0, 0.0), count) == 0
    total = np.where(_sums(owner, quoted, count) > 0, _sums(owner, np.nan_to_num(interest), count), np.nan)
    changed = np.where(whole & np.isfinite(total), _sums(owner, np.nan_to_num(change), count), np.nan)
    near = np.full(count, -1, dtype=np.int64)
    near[owner[::-1]] = np.arange(len(owner))[::-1]
    price_pct = segments.at(np.asarray(futures["price_change_pct"], dtype=np.float64), near)
    interest_pct = segments.share_pct(total, total - changed)
    near_interest = segments.at(interest, near)
    since = np.append(futures["since"].astype(object), "")[near]
    columns = {
        "future_price": segments.at(chains.futures.last, near),
        "price_change_pct": price_pct,
        "future_open_interest": total,
        "future_open_interest_change": changed,
        "future_open_interest_change_pct": interest_pct,
        "build_up": _words(build_up_codes(price_pct, interest_pct, settings.windows)),
        "since": since,
        "future_volume": segments.at(chains.futures.volume, near),
        "future_vwap": segments.at(np.asarray(futures["vwap"], dtype=np.float64), near),
        "future_rollover_pct": 100.0 * (total - near_interest) / np.where(total > 0, total, np.nan),
        "option_rollover_pct": option_rollover_pct(chains),
        "status": _status(near >= 0, np.isfinite(total), np.isfinite(interest_pct) & np.isfinite(price_pct)),
    }
    return state, Reading(BUILD_UP, columns)


def option_rollover_pct(chains: Chains) -> Floats:
    """(U,) share of the next expiry in the options' open interest of the nearest two, %; NaN with a single expiry."""
    layout = chains.layout
    interest = segments.total(layout, added(zeroed(chains.legs.open_interest)))
    front = layout.underlying_front
    after = np.minimum(front + 1, max(layout.segments - 1, 0))
    follows = (front >= 0) & (front + 1 < layout.segments)
    follows &= layout.segment_underlying[after] == np.arange(len(front))
    near, far = interest[front], interest[after]
    both = near + far
    return np.where(follows & (near > 0) & (far > 0), 100.0 * far / np.where(both > 0, both, np.nan), np.nan)


def _with_open(chains: Chains, state: State, windows: WindowSettings) -> State:
    """State with the first open interest and price of each future of the session's first minutes."""
    quotes, old = chains.futures, state.future
    early = chains.as_of <= chains.day.session.opens.timestamp() + windows.open_within
    if not early or not len(quotes.last):
        return state
    seen = np.isfinite(quotes.last) & np.isfinite(quotes.open_interest) & np.isnan(old["open_open_interest"])
    return state.updated(
        future={
            "open_open_interest": np.where(seen, quotes.open_interest, old["open_open_interest"]),
            "open_price": np.where(seen, quotes.last, old["open_price"]),
        }
    )


def _with_traded(chains: Chains, state: State) -> State:
    """State with what was traded since the last look at each future, at the price of this one.

    What was traded before the first look counts at that look's price: nothing else is known of it.
    """
    quotes, old = chains.futures, state.future
    counted = np.nan_to_num(old["traded_volume"])
    more = quotes.volume - counted
    seen = np.isfinite(quotes.last) & (more > 0)
    value = np.nan_to_num(old["traded_value"]) + more * quotes.last
    return state.updated(
        future={
            "traded_volume": np.where(seen, quotes.volume, old["traded_volume"]),
            "traded_value": np.where(seen, value, old["traded_value"]),
        }
    )


def mean_price(state: State) -> Floats:
    """(F,) price of each future weighted by the volume at which it was seen [₹]; NaN before any volume."""
    volume = state.future["traded_volume"]
    return np.asarray(state.future["traded_value"] / np.where(volume > 0, volume, np.nan))


def _before(chains: Chains, state: State) -> tuple[Floats, Floats, Bools]:
    """(F,) open interest [units] and price [₹] that changes are against, and whether they are the previous close's.

    All futures of an underlying are against the same instant: the close only where it is known of all that are quoted.
    """
    layout, daily, count = chains.layout, chains.day.daily, len(chains.layout.names)
    interest, price = state.future["open_open_interest"], state.future["open_price"]
    closed = np.zeros(len(interest), dtype=bool)
    if daily is not None:
        known = np.isfinite(daily.future_open_interest) & np.isfinite(daily.future_close)
        quoted = np.isfinite(chains.futures.open_interest)
        lacking = _sums(layout.future_underlying, quoted & ~known, count)
        closed = known & (lacking == 0)[layout.future_underlying]
        interest = np.where(closed, daily.future_open_interest, interest)
        price = np.where(closed, daily.future_close, price)
    return interest, price, closed


def _sums(owner: np.ndarray, values: np.ndarray, count: int) -> Floats:
    """(U,) sum of the futures' values of each underlying; whole numbers, hence exact."""
    return np.bincount(owner, weights=values.astype(np.float64), minlength=count).astype(np.float64)


def _words(codes: Floats) -> np.ndarray:
    return segments.words(np.nan_to_num(codes), BUILD_UP_WORDS)


def _since(known: Bools, closed: Bools) -> np.ndarray:
    return np.where(known, np.where(closed, "close", "open"), "").astype(object)


def _status(listed: Bools, quoted: Bools, measured: Bools) -> np.ndarray:
    reasons = ["no future in the source", "no quote of a future", "no close or open to measure from"]
    words = np.select([~listed, ~quoted, ~measured], reasons, "")
    return words.astype(object)
