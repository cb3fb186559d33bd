"""FII derivatives statistics: what foreign investors bought, sold and hold, in contracts and ₹ crore.

Main entries: `matches`, `read`. Published as a workbook in Excel's old binary format, with numbers as text.
"""

from __future__ import annotations

import io
import re
import struct

import numpy as np
import xlrd
from xlrd.compdoc import CompDocError

from optionscanner.adapters.nse.content import OLD_EXCEL, DailyPart
from optionscanner.adapters.nse.reading import Reading, finished
from optionscanner.adapters.nse.rows import Sieve, find_date, numbers, records
from optionscanner.errors import RecordingError
from optionscanner.model.daily import FII_STATISTICS

_TITLE = "fii derivatives statistics for"
_MAIN = ("INDEX FUTURES", "INDEX OPTIONS", "STOCK FUTURES", "STOCK OPTIONS")
_FIGURES = (
    "buy_contracts",
    "buy_crore",
    "sell_contracts",
    "sell_crore",
    "open_interest_contracts",
    "open_interest_crore",
)
_LARGEST_SHEET = 10_000

# What xlrd raises on a damaged file beside its own errors: it trusts lengths and offsets that it finds there.
_DAMAGE = (
    xlrd.XLRDError, CompDocError, struct.error, IndexError, KeyError, ValueError, AssertionError, TypeError,
    AttributeError, ArithmeticError, LookupError, UnicodeError, MemoryError, NotImplementedError, RecursionError,
    UnboundLocalError, OSError,
)  # fmt: skip


def matches(part: DailyPart, text: str) -> bool:
    """Whether it is a workbook of the old kind, of which the exchange publishes no other, or the same as text."""
    return part.content.startswith(OLD_EXCEL) or " ".join(text[:200].lower().split()).lstrip('",').startswith(_TITLE)


def read(part: DailyPart, text: str) -> Reading:
    """The statistics of one date."""
    rows = _cells(part) if part.content.startswith(OLD_EXCEL) else records(text)
    title = " ".join(" ".join(rows[0]).split()) if rows else ""
    day = find_date(title)
    if not title.lower().startswith(_TITLE) or day is None:
        raise RecordingError(
            "it is a workbook whose first line is not the title and date of FII derivatives statistics; "
            "expected the exchange's fii_stats file"
        )
    header = " ".join(" ".join(row) for row in rows[1:3]).lower()
    places = [header.find(word) for word in ("buy", "sell", "open interest")]
    if -1 in places or places != sorted(places) or "contracts" not in header or "crore" not in header:
        raise RecordingError(
            "its columns are not buy, sell and open interest in contracts and ₹ crore; download it again"
        )
    body = [(line, row) for line, row in enumerate(rows[3:], start=4) if _is_row(row)]
    sieve = Sieve(np.array([line for line, _ in body], dtype=np.int64))
    names = np.array([" ".join(row[0].upper().split()) for _, row in body], dtype=object)
    columns: dict[str, object] = {"trading_date": day.isoformat(), "instrument": names}
    for i, name in enumerate(_FIGURES, start=1):
        values, wrong = numbers([row[i] if i < len(row) else "" for _, row in body])
        words = name.replace("_", " ")
        sieve.refuse(wrong | np.isnan(values) | (values < 0), f"{words} is no number of at least 0")
        if name.endswith("contracts"):
            sieve.refuse(values != np.rint(values), f"{words} is no whole number")
        columns[name] = values
    columns["main"] = np.isin(names, _MAIN).astype(np.float64)
    kept = set(names[sieve.alive].tolist())
    if absent := [name for name in _MAIN if name not in kept]:
        raise RecordingError(f"it has no usable row {' and no '.join(absent)}; download it again")
    return finished(FII_STATISTICS, sieve, columns)


def _is_row(row: list[str]) -> bool:
    """Whether it is a line of figures; notes and blank lines are not."""
    return bool(re.search(r"\b(FUTURES|OPTIONS)$", row[0].strip().upper())) and any(cell for cell in row[1:7])


def _cells(part: DailyPart) -> list[list[str]]:
    """The first sheet as text."""
    try:
        book = xlrd.open_workbook(file_contents=part.content, logfile=io.StringIO())
        sheet = book.sheet_by_index(0)
        if sheet.nrows > _LARGEST_SHEET or sheet.ncols > _LARGEST_SHEET:
            raise RecordingError("it has more cells than FII derivatives statistics; download it again")
        return [[_text(value) for value in sheet.row_values(i)] for i in range(sheet.nrows)]
    except _DAMAGE as error:
        why = (str(error).splitlines() or [""])[0][:100] or type(error).__name__
        raise RecordingError(f"it is a damaged workbook ({why}); download it again") from error


def _text(value: object) -> str:
    """A cell as it would stand in a text file: whole numbers without a fraction."""
    if isinstance(value, float):
        return f"{value:.0f}" if value == int(value) else repr(value)
    return str(value).strip()
