"""Turns the counts of a source that counts in contracts into units of the underlying.

Main entry: `in_units`. Contracts are sometimes fractional: while two lot sizes coexist the exchange divides units by
the newer lot (4.33 contracts of 75 are 325 units), so nothing is rounded before the conversion.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import date

import numpy as np

from optionscanner.adapters.recorded.lots import MIN_SHARE, Lot, LotTable, inferred_lot, share_divisible
from optionscanner.adapters.recorded.quotes import Quotes, iso
from optionscanner.adapters.recorded.tables import SIDES
from optionscanner.errors import RecordingError
from optionscanner.model.contracts import Floats

OPEN_INTEREST = frozenset({"open_interest", "open_interest_change"})
VOLUME = frozenset({"volume"})

_WHOLE_UNITS = 1e-3
"""How near to a whole unit a converted count must be to be taken as that: fractions of contracts are written as
floats with some 15 digits, so 2589.714285714286 × 35 misses 90,640 by far less."""


def in_units(
    quotes: Quotes, day: date, table: LotTable, in_contracts: frozenset[str]
) -> tuple[Quotes, Mapping[tuple[str, date], Lot]]:
    """The same rows with the quantities `in_contracts` in units, and (underlying, expiry) -> the lot used.

    `in_contracts`: names without their side, of `OPEN_INTEREST` and `VOLUME`. The lot is the table's, checked against
    the bid and ask quantities where the source has them, which are multiples of it; where the table knows none it is
    inferred from them. Raises RecordingError where they disagree or neither gives a lot.
    """
    sizes = np.full(len(quotes), np.nan)
    lots: dict[tuple[str, date], Lot] = {}
    for code, name in enumerate(quotes.names):
        of_name = quotes.name_code == code
        for expiry in np.unique(quotes.expiry[of_name]):
            rows = np.flatnonzero(of_name & (quotes.expiry == expiry))
            lot = _lot_of(quotes, rows, (name, iso(expiry)), day, table)
            lots[name, iso(expiry)] = lot
            sizes[rows] = lot.size
    names = {f"{side}_{name}" for side in SIDES for name in in_contracts}
    converted = {name: _units(values, sizes) if name in names else values for name, values in quotes.quantities.items()}
    return replace(quotes, quantities=converted), lots


def _lot_of(quotes: Quotes, rows: np.ndarray, contract: tuple[str, date], day: date, table: LotTable) -> Lot:
    name, expiry = contract
    columns = [f"{side}_{end}_quantity" for side in SIDES for end in ("bid", "ask")]
    seen = [quotes.quantities[column][rows] for column in columns if column in quotes.quantities]
    quoted = np.concatenate(seen) if seen else np.empty(0)
    known = table.lookup(name, expiry, on=day)
    share = np.nan if known is None else share_divisible(quoted, known.size)
    if known is not None and not share < MIN_SHARE:
        checked = "" if np.isnan(share) else f"; divides {share:.1%} of the bid and ask quantities seen"
        return Lot(known.size, known.source + checked, known.effective_from)
    measured = inferred_lot(quoted, "bid and ask quantity")
    if known is not None and measured is not None:
        raise RecordingError(
            f"{name} {expiry:%d-%b-%Y}: the lot size on {day:%d-%b-%Y} must be {known.size:g} by the table "
            f"({known.source}), but its bid and ask quantities are multiples of {measured.size:g}; "
            "correct optionscanner/model/data/lot_sizes.csv"
        )
    if measured is None:
        raise RecordingError(
            f"{name} {expiry:%d-%b-%Y}: no lot size for {day:%d-%b-%Y} in optionscanner/model/data/lot_sizes.csv and "
            "no bid or ask quantity to infer it from, so contracts cannot become units; add the lot size there"
        )
    return measured


def _units(contracts: Floats, lot_size: Floats) -> Floats:
    units = contracts * lot_size
    whole = np.rint(units)
    return np.where(np.abs(units - whole) <= _WHOLE_UNITS, whole, units)
