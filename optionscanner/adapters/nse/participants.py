"""Participant-wise open interest and trading volume [contracts]; also their tidy collection over years.

Main entries: `matches`, `read`. The published file names its date in a title line; its own sums are checked.
"""

from __future__ import annotations

import numpy as np

from optionscanner.adapters.nse.content import DailyPart
from optionscanner.adapters.nse.reading import Reading, finished
from optionscanner.adapters.nse.rows import Sieve, find_date, header_of, plain, read_dates, read_numbers, sheet_of
from optionscanner.errors import RecordingError
from optionscanner.model.daily import LEGS, PARTICIPANT

_TOTALS = {"total_long": "totallongcontracts", "total_short": "totalshortcontracts"}
_NEEDS = frozenset({"clienttype", *(plain(leg) for leg in LEGS)})
NAMES = ("CLIENT", "DII", "FII", "PRO", "TOTAL")
ROUNDING = 2.0
"""Contracts by which the published rows may miss their total: each of four is rounded. Most are off by one somewhere,
a few by two."""


def matches(part: DailyPart, text: str) -> bool:
    """Whether the first or second line names the twelve legs."""
    return any(header_of(text, line) >= _NEEDS for line in (0, 1))


def read(part: DailyPart, text: str) -> Reading:
    """One file of one date, or a collection with a column of dates."""
    collection = header_of(text, 0) >= _NEEDS
    sheet = sheet_of(text, header_line=0 if collection else 1)
    sieve = Sieve(sheet.lines)
    sieve.count(sheet.ragged, "the row has more or fewer cells than the header", sheet.first_ragged)
    measure = "OPEN_INTEREST"
    if collection:
        if not sheet.has("date"):
            raise RecordingError("it is a collection of participants' positions without a column date; add it")
        day = read_dates(sheet, sieve, "date", "the date")
    else:
        title = text[: text.find("\n")]
        found = find_date(title.replace('"', " "))
        if found is None:
            raise RecordingError("its title has no date, such as Jul 16, 2026; download it again")
        day = np.full(len(sheet), found.isoformat(), dtype=object)
        words = " ".join(title.lower().split())
        if "trading volume" in words:
            measure = "VOLUME"
        elif "open interest" not in words:
            raise RecordingError("its title says neither open interest nor trading volume; download it again")
    who = np.array([name.removesuffix("S") if name != "DIIS" else "DII" for name in sheet.text("clienttype")], object)
    sieve.refuse(~np.isin(who, list(NAMES)), "the participant is none of Client, DII, FII, Pro, TOTAL")
    columns: dict[str, object] = {"trading_date": day, "measure": measure, "participant": who}
    for leg in LEGS:
        # Halves of contracts stand in files of 2012.
        columns[leg] = read_numbers(sheet, sieve, plain(leg), leg.replace("_", " "))
    for name, theirs in _TOTALS.items():
        columns[name] = read_numbers(sheet, sieve, theirs, name.replace("_", " "))
    _check_sums(sieve, columns)
    return finished(PARTICIPANT, sieve, columns)


def _check_sums(sieve: Sieve, columns: dict[str, object]) -> None:
    """Refuse the rows of a date that do not add up to its total, or whose total has more longs than shorts."""
    who = np.asarray(columns["participant"])
    days, of_day = np.unique(np.asarray(columns["trading_date"]).astype(str), return_inverse=True)
    legs = np.nan_to_num(np.column_stack([np.asarray(columns[leg], dtype=np.float64) for leg in LEGS]))
    found = np.zeros((len(days), len(NAMES)), dtype=np.int64)
    for i, name in enumerate(NAMES):
        np.add.at(found[:, i], of_day[sieve.alive & (who == name)], 1)
    odd = np.asarray((found != 1).any(axis=1))
    sieve.refuse(odd[of_day], "of its date not exactly Client, DII, FII, Pro and TOTAL are there")
    total, parts = (np.zeros((len(days), len(LEGS))) for _ in range(2))
    np.add.at(total, of_day[sieve.alive & (who == "TOTAL")], legs[sieve.alive & (who == "TOTAL")])
    np.add.at(parts, of_day[sieve.alive & (who != "TOTAL")], legs[sieve.alive & (who != "TOTAL")])
    apart = np.asarray((np.abs(parts - total) > ROUNDING).any(axis=1))
    sieve.refuse(apart[of_day], "the rows of its date do not add up to TOTAL")
    longs = [i for i, leg in enumerate(LEGS) if leg.endswith("_long")]
    shorts = [LEGS.index(LEGS[i].replace("_long", "_short")) for i in longs]
    uneven = np.asarray((np.abs(total[:, longs] - total[:, shorts]) > ROUNDING).any(axis=1))
    sieve.refuse(uneven[of_day], "TOTAL of its date has more contracts long than short, or fewer")
