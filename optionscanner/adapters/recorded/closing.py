"""Reads the last snapshots of past sessions: what gives a recorded day its previous open interest and close.

Main entries: `matches`, `read`, `Baseline`. Such a file never supplies observations.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

import numpy as np
import pyarrow as pa

from optionscanner.adapters.recorded.quotes import (
    IST_OFFSET,
    Quotes,
    encoded_names,
    iso,
    parse_dates,
    parse_numbers,
)
from optionscanner.model.contracts import paise

_COLUMNS = frozenset({"date", "symbol", "expiry", "strike", "ce_ltp", "ce_oi", "pe_ltp", "pe_oi", "spot"})
_CLOCKS = frozenset({"ts", "timestamp"})

_NAMES = {
    "call_last": "ce_ltp",
    "call_open_interest": "ce_oi",
    "put_last": "pe_ltp",
    "put_open_interest": "pe_oi",
}


def matches(columns: frozenset[str]) -> bool:
    """Whether a file with these lower-case columns is of this kind: a date, but no time of day."""
    return columns >= _COLUMNS and not columns & _CLOCKS


def read(table: pa.Table) -> Quotes:
    """The rows of one file; `observed_at` is midnight in India of the session each row closes. Units, ₹."""
    names, codes = encoded_names(table["symbol"])
    at = (parse_dates(table["date"]).astype("datetime64[ms]") - IST_OFFSET).astype("datetime64[ms]")
    return Quotes(
        names=names,
        name_code=codes,
        observed_at=at,
        stamped_at=at.copy(),
        expiry=parse_dates(table["expiry"]),
        strike=parse_numbers(table["strike"]),
        quantities={quantity: parse_numbers(table[name]) for quantity, name in _NAMES.items()},
    )


@dataclass(frozen=True, slots=True)
class Closed:
    """A contract at the end of the previous session."""

    open_interest: float
    """Units; NaN where unknown."""
    last: float
    """₹; NaN where it never traded."""


Baseline = dict[tuple[str, date, int, str], Closed]
"""(underlying, expiry, strike in paise, "call" or "put") -> the contract at the end of the previous session"""


def baseline(quotes: Quotes, session: date) -> Baseline:
    """The contracts of the snapshot of `session`; empty where the file has none."""
    rows = np.flatnonzero(quotes.day == np.datetime64(session))
    found: Baseline = {}
    keys = [(quotes.names[quotes.name_code[i]], iso(quotes.expiry[i])) for i in rows]
    strikes = paise(quotes.strike[rows])
    for side in ("call", "put"):
        last = quotes.quantities[f"{side}_last"][rows]
        interest = quotes.quantities[f"{side}_open_interest"][rows]
        for key, strike, price, units in zip(keys, strikes, last, interest, strict=True):
            found[(*key, int(strike), side)] = Closed(float(units), float(price) if price > 0 else float("nan"))
    return found
