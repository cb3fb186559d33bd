"""Lot sizes of contracts whose source does not state them: from the dated table, or inferred from the numbers seen.

Main entries: `load_lot_table`, `LotTable.lookup`, `inferred_lot`, `share_divisible`. Lots belong to contracts: two lot
sizes of one underlying coexist for months after a revision.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass
from datetime import date
from importlib import resources

import numpy as np

from optionscanner.model.contracts import Floats

MIN_SHARE = 0.95
"""Share of the numbers that a lot size must divide: after a lot change a few odd lots of the old size remain."""

FEW_VALUES = 8
"""Below this many distinct numbers a common divisor may well be a multiple of the lot."""


@dataclass(frozen=True, slots=True)
class Lot:
    """Units per contract, and how that is known."""

    size: float
    source: str
    """For people: the circular, or what was measured."""
    effective_from: date | None
    """Trading day from which the size is known to apply; None where it was only seen on the day itself."""


@dataclass(frozen=True, slots=True)
class _Row:
    effective_from: date
    effective_to: date
    expiry_from: date
    expiry_to: date
    lot: Lot


@dataclass(frozen=True)
class LotTable:
    """The dated table of index lot sizes that comes with the package."""

    rows: dict[str, tuple[_Row, ...]]
    """underlying -> its rows"""

    def lookup(self, underlying: str, expiry: date, *, on: date) -> Lot | None:
        """The lot of contracts with that expiry on a trading day; None where the table does not know."""
        for row in self.rows.get(underlying, ()):
            if row.effective_from <= on <= row.effective_to and row.expiry_from <= expiry <= row.expiry_to:
                return row.lot
        return None


def load_lot_table() -> LotTable:
    """The table in ``optionscanner/model/data/lot_sizes.csv``; empty bounds there are open."""
    rows: dict[str, list[_Row]] = {}
    table = resources.files("optionscanner.model").joinpath("data", "lot_sizes.csv")
    for line in csv.DictReader(table.read_text(encoding="utf-8").splitlines()):
        first = date.fromisoformat(line["effective_from"])
        rows.setdefault(line["underlying"], []).append(
            _Row(
                effective_from=first,
                effective_to=_date_or(line["effective_to"], date.max),
                expiry_from=_date_or(line["expiry_from"], date.min),
                expiry_to=_date_or(line["expiry_to"], date.max),
                lot=Lot(float(line["lot_size"]), line["source"], first),
            )
        )
    return LotTable({name: tuple(found) for name, found in rows.items()})


def inferred_lot(values: Floats, what: str) -> Lot | None:
    """The largest number that divides at least `MIN_SHARE` of the distinct non-zero `values` [units].

    `what` names the values in the lot's source ("open interest"). None without a usable value. Candidates are the
    common divisors of neighbouring values: of a lot's consecutive multiples, most neighbours share exactly the lot.
    """
    usable = values[np.isfinite(values) & (values > 0)]
    whole = np.unique(np.rint(usable).astype(np.int64))
    whole = whole[whole > 0]
    if not len(whole):
        return None
    pairs = np.gcd(whole[1:], whole[:-1]) if len(whole) > 1 else whole
    candidates = np.unique(np.append(pairs, np.gcd.reduce(whole)))[::-1]
    for candidate in candidates:
        share = share_divisible(whole.astype(np.float64), float(candidate))
        if share >= MIN_SHARE:
            few = ", too few to be sure" if len(whole) < FEW_VALUES else ""
            source = f"inferred: divides {share:.1%} of {len(whole)} distinct values of {what}{few}"
            return Lot(float(candidate), source, None)
    # The greatest common divisor of all values is a candidate and divides every one of them.
    raise AssertionError("unreachable: the common divisor of all values divides them all")


def share_divisible(values: Floats, lot_size: float) -> float:
    """Share of the non-zero `values` that are whole multiples of `lot_size`; NaN without any."""
    usable = values[np.isfinite(values) & (values > 0)]
    if not len(usable):
        return float("nan")
    return float(np.mean(np.abs(usable / lot_size - np.rint(usable / lot_size)) < 1e-9))


def _date_or(text: str, otherwise: date) -> date:
    return date.fromisoformat(text) if text else otherwise
