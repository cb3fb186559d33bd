"""What changed between two instrument masters: lots, expiries, symbols; in the form in which daily files have it.

Main entry: `changes`.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

import numpy as np

from optionscanner.adapters.angel.master import Master
from optionscanner.adapters.angel.packets import Segment
from optionscanner.model.contracts import SegmentKey
from optionscanner.model.daily import Listing, by_expiry, lot_change
from optionscanner.model.day_plan import Change, contract_change_words, contract_changes


@dataclass(frozen=True, slots=True)
class Changes:
    """What is other than in an earlier copy."""

    lots: tuple[str, ...]
    """As `DailyContext.lot_changes`; contracts that live on, of both copies."""
    listing: Listing
    """Expiries that passed or were taken off the list are gone ones."""

    @property
    def one_by_one(self) -> tuple[Change, ...]:
        """For a table."""
        return contract_changes(self.lots, self.listing)

    def words(self, *, most: int = 4) -> str:
        """In one line; `most` of a kind are told, the rest is counted."""
        return contract_change_words(self.one_by_one, most=most)


def changes(before: Master, after: Master, today: date) -> Changes:
    """What `after` says on `today` and `before`, an earlier copy, did not: of NSE's names and all indices."""
    old, new = _chains(before), _chains(after)
    alive = {key for key in new if key.expiry >= today}
    theirs, known = {key.underlying for key in old}, {key.underlying for key in alive}
    lots = [
        lot_change(*key, lot=new[key], was=old[key]) for key in sorted(alive & old.keys()) if new[key] != old[key]
    ]
    return Changes(
        lots=tuple(lots),
        listing=Listing(
            new_symbols=tuple(sorted(known - theirs)),
            gone_symbols=tuple(sorted(theirs - known)),
            new_expiries=by_expiry([(key.expiry, key.underlying) for key in alive - old.keys()
                                    if key.underlying in theirs]),
            gone_expiries=by_expiry([(key.expiry, key.underlying) for key in old.keys() - alive
                                     if key.underlying in known]),
        ),
    )  # fmt: skip


def _chains(master: Master) -> dict[SegmentKey, int]:
    """Lot of each name and expiry."""
    lines = np.flatnonzero(master.is_contract & ((master.segment == Segment.NFO) | master.is_index))
    names, expiries, lots = master.name[lines].tolist(), master.expiry[lines].tolist(), master.lot[lines].tolist()
    by_code = dict(zip(zip(names, expiries, strict=True), lots, strict=True))
    return {SegmentKey(master.names[code], date.fromordinal(expiry)): lot for (code, expiry), lot in by_code.items()}
