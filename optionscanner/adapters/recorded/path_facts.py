"""What only the path of a raw file says: dates, a time of day, a symbol.

Main entries: `dates_in`, `nearest_date`, `time_at_end`, `symbol_at_start`. Some recorders and the exchange's own
exports put into names and folders what belongs into the file.
"""

from __future__ import annotations

import re
from datetime import date, datetime, time
from pathlib import PurePath

from optionscanner.model.calendar import IST

NEAR = 4
"""How many parts of a path, from its end, are looked at: the folders further up say nothing of the file."""

DATE = (
    r"(?<![0-9])(?:[0-9]{4}-[0-9]{2}-[0-9]{2}|[0-9]{1,2}-[0-9]{2}-[0-9]{4}|[0-9]{1,2}-?[A-Za-z]{3}-?[0-9]{4})(?![0-9])"
)
"""Pattern of a date as recorders write it: 2026-05-26, 26-05-2026 (day first), 26-May-2026, 26MAY2026."""
_DATE = re.compile(DATE)
_FORMATS = ("%Y-%m-%d", "%d-%m-%Y", "%d-%b-%Y", "%d%b%Y")
_TIME_AT_END = re.compile(r"(?:^|[^0-9])([0-9]{2})[-.:]?([0-9]{2})(?:[-.:]?([0-9]{2}))?$")
_SYMBOL_AT_START = re.compile(r"^([A-Z][A-Z0-9&]*(?:-[A-Z]+)*)(?=_|$)")


def dates_in(text: str) -> list[date]:
    """The dates in a text, in order, as `DATE` has them; what only looks like one (2026-13-45) is left out."""
    return [day for match in _DATE.finditer(text) if (day := _read(match[0])) is not None]


def _read(text: str) -> date | None:
    for text_format in _FORMATS:
        try:
            return datetime.strptime(text, text_format).replace(tzinfo=IST).date()
        except ValueError:
            continue
    return None


def without_dates(text: str) -> str:
    """The text with every date in it cut out."""
    return _DATE.sub("", text)


def near_parts(where: PurePath) -> list[str]:
    """The last parts of a path, the file's own name first."""
    return list(reversed(where.parts[-NEAR:]))


def nearest_date(parts: list[str]) -> date | None:
    """The first date of the nearest part that has one; `parts` as from `near_parts`."""
    return next((found[0] for part in parts if (found := dates_in(part))), None)


def time_at_end(name: str) -> time | None:
    """The time of day (India) at the end of a file's name, before its ending: ``…_103337.csv``, ``…_1000.csv``."""
    match = _TIME_AT_END.search(without_dates(name.split(".", 1)[0]))
    if match is None:
        return None
    hour, minute, second = (int(part or 0) for part in match.groups())
    return time(hour, minute, second) if hour < 24 and minute < 60 and second < 60 else None


def symbol_at_start(name: str) -> str | None:
    """The capital letters before the first underscore of a file's name: ``NIFTY_2025-10-13….parquet``."""
    match = _SYMBOL_AT_START.match(name.split(".", 1)[0])
    return None if match is None else match[1]
