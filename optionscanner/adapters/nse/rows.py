"""A daily file as columns of text, and what its cells mean: numbers, dates, words. Rows that cannot be are refused.

Main entries: `Sheet`, `sheet_of`, `Sieve`, `numbers`, `dates`. Names of columns are compared without case, blanks and
signs: the exchange pads them and has changed them over the years.
"""

from __future__ import annotations

import csv
import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date

import numpy as np
import pandas as pd

from optionscanner.errors import RecordingError
from optionscanner.model.contracts import Bools, Floats, Ints

ABSENT = frozenset({"", "-", "--", "na", "n.a.", "nil"})
"""What stands for "no number", in small letters."""
LARGEST = 1e15
"""A larger number was misread: the turnover of a whole market is a thousandth of it."""
_HEAD = 16_384
"""Signs within which the names of the columns stand."""
FIRST_YEAR, LAST_YEAR = 1990, 2100

MONTHS = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")
_MONTHS = {name.lower(): number for number, name in enumerate(MONTHS, start=1)}
_DATES = (
    re.compile(r"(?P<y>\d{4})-(?P<m>\d{1,2})-(?P<d>\d{1,2})(?:[ T]00:00(?::00)?)?", re.ASCII),
    re.compile(r"(?P<d>\d{1,2})[- ](?P<m>[A-Za-z]{3})[a-z]*[- ](?P<y>\d{4})", re.ASCII),
    re.compile(r"(?P<d>\d{1,2})[-/](?P<m>\d{1,2})[-/](?P<y>\d{4})", re.ASCII),
    re.compile(r"(?P<m>[A-Za-z]{3})[a-z]* (?P<d>\d{1,2}), ?(?P<y>\d{4})", re.ASCII),
)
_COMPACT = re.compile(r"(?<!\d)(\d{8})(?!\d)", re.ASCII)


def plain(name: str) -> str:
    """A column's name without case, blanks and signs."""
    return re.sub(r"[^a-z0-9%]+", "", name.lower())


def records(text: str) -> list[list[str]]:
    """Lines as cells without the blanks around them; raises RecordingError where quotes do not match."""
    try:
        return [[cell.strip() for cell in row] for row in csv.reader(text.splitlines())]
    except csv.Error as error:
        raise RecordingError(f"its lines cannot be cut into cells ({error}); download it again") from error


@dataclass(frozen=True)
class Sheet:
    """A table of text."""

    columns: dict[str, list[str]]
    """plain name -> cells."""
    lines: Ints
    """(n,) line of each row in the file, from 1."""
    ragged: int
    """Rows that had more or fewer cells than the header."""
    first_ragged: int
    """Line of the first of them; 0 without any."""

    def __len__(self) -> int:
        return len(self.lines)

    def has(self, *names: str) -> bool:
        """Whether every one of these columns is there."""
        return set(names) <= self.columns.keys()

    def text(self, name: str) -> list[str]:
        """A column in capitals, single blanks inside; empty cells where there is no such column."""
        cells = self.columns.get(name)
        return [""] * len(self) if cells is None else [" ".join(cell.upper().split()) for cell in cells]


def sheet_of(text: str, *, header_line: int = 0) -> Sheet:
    """The table below the header in line `header_line` (from 0). Blank lines and notes are no rows.

    Raises RecordingError where there is no header.
    """
    rows = records(text)
    if header_line >= len(rows):
        raise RecordingError("it has no line of column names; download it again")
    header = [plain(cell) for cell in rows[header_line]]
    if set(header) - {""} != header_of(text, header_line) - {""}:
        raise RecordingError("its line of column names has a stray quotation mark; download it again")
    while header and not header[-1]:
        header.pop()
    width = len(header)
    kept: list[list[str]] = []
    lines: list[int] = []
    ragged = first_ragged = 0
    for number, row in enumerate(rows[header_line + 1 :], start=header_line + 2):
        if not any(row) or _is_note(row):
            continue
        if len(row) < width or any(row[width:]):
            ragged += 1
            first_ragged = first_ragged or number
            continue
        kept.append(row)
        lines.append(number)
    columns = {name: [row[i] for row in kept] for i, name in enumerate(header) if name}
    return Sheet(columns, np.array(lines, dtype=np.int64), ragged, first_ragged)


def head_of(text: str) -> list[str]:
    """The first lines of a text, which say what it is; a text may have millions."""
    return text[:_HEAD].splitlines()


def header_of(text: str, line: int = 0) -> frozenset[str]:
    """Plain names of the columns in one line of a text; empty where there is no such line."""
    lines = head_of(text)[: line + 1]
    return frozenset() if len(lines) <= line else frozenset(plain(cell) for cell in lines[line].split(","))


def _is_note(row: Sequence[str]) -> bool:
    """Whether a line is a sentence below the table rather than a row of it."""
    return " " in row[0] and not any(row[1:])


class Sieve:
    """Counts the rows that are refused or left out, each once, with the reason and the first line it fits."""

    def __init__(self, lines: Ints) -> None:
        self._lines = lines
        self.alive: Bools = np.ones(len(lines), dtype=bool)
        self.refused: Counter[str] = Counter()
        self.left_out: Counter[str] = Counter()
        self.first: dict[str, int] = {}
        """reason -> line."""

    def refuse(self, hit: Bools, reason: str) -> None:
        """Take out the rows marked in `hit`, as wrong."""
        self._take(hit, reason, self.refused)

    def leave_out(self, hit: Bools, reason: str) -> None:
        """Take out the rows marked in `hit`, which are right and of no use here."""
        self._take(hit, reason, self.left_out)

    def count(self, number: int, reason: str, line: int) -> None:
        """Count rows that never became cells."""
        if number:
            self.refused[reason] += number
            self.first[reason] = line

    def _take(self, hit: Bools, reason: str, counted: Counter[str]) -> None:
        mine = np.flatnonzero(np.asarray(hit, dtype=bool) & self.alive)
        if len(mine):
            counted[reason] += len(mine)
            self.first.setdefault(reason, int(self._lines[mine[0]]))
            self.alive[mine] = False


def numbers(cells: Sequence[str]) -> tuple[Floats, Bools]:
    """Values, NaN where absent, and which cells are no number; grouping commas and leading zeros are fine."""
    text = pd.Series(list(cells), dtype=object)
    values = pd.to_numeric(text, errors="coerce").to_numpy(dtype=np.float64, copy=True)
    absent = np.zeros(len(values), dtype=bool)
    for i in np.flatnonzero(np.isnan(values)).tolist():
        absent[i] = cells[i].lower() in ABSENT
        values[i] = _grouped(cells[i])
    wrong = ~absent & ~(np.abs(values) <= LARGEST)
    values[wrong] = np.nan
    return values, wrong


def _grouped(cell: str) -> float:
    if re.fullmatch(r"[-+]?\d{1,3}(,\d{2,3})*(\.\d*)?", cell, re.ASCII):
        return float(cell.replace(",", ""))
    return float("nan")


def read_numbers(sheet: Sheet, sieve: Sieve, name: str, words: str, *, least: float = 0.0) -> Floats:
    """A column of numbers of at least `least`; rows with another are refused. NaN where there is no such column."""
    if name not in sheet.columns:
        return np.full(len(sheet), np.nan)
    values, wrong = numbers(sheet.columns[name])
    sieve.refuse(wrong, f"{words} is no number")
    sieve.refuse(values < least, f"{words} is below {least:g}")
    return values


def read_whole(sheet: Sheet, sieve: Sieve, name: str, words: str, *, least: float = 0.0) -> Floats:
    """The same for whole numbers."""
    values = read_numbers(sheet, sieve, name, words, least=least)
    sieve.refuse(np.isfinite(values) & (values != np.rint(values)), f"{words} is no whole number")
    return values


def parse_date(text: str) -> date | None:
    """A date in one of the exchange's spellings, alone; None where it is none."""
    text = text.strip()
    for pattern in _DATES:
        if match := pattern.fullmatch(text):
            return _day(match)
    if match := re.fullmatch(r"(\d{4})(\d{2})(\d{2})", text, re.ASCII):
        return _made(int(match[1]), int(match[2]), int(match[3]))
    return None


def find_date(text: str) -> date | None:
    """The first date inside a text, such as a title; None where there is none."""
    found = [match for pattern in _DATES if (match := pattern.search(text))]
    days = [day for match in sorted(found, key=lambda m: m.start()) if (day := _day(match))]
    return days[0] if days else None


def date_in_name(name: str) -> date | None:
    """The date in a file's name, ddmmyyyy, yyyymmdd or with signs; None where there is none or more than one."""
    last = name.rpartition("/")[2]
    days = {day for digits in _COMPACT.findall(last) for day in _of_digits(digits)}
    if (spelt := find_date(last)) is not None:
        days.add(spelt)
    return days.pop() if len(days) == 1 else None


def _of_digits(digits: str) -> set[date]:
    forwards = _made(int(digits[:4]), int(digits[4:6]), int(digits[6:]))
    backwards = _made(int(digits[4:]), int(digits[2:4]), int(digits[:2]))
    return {day for day in (forwards, backwards) if day is not None}


def _day(match: re.Match[str]) -> date | None:
    month = match["m"]
    number = int(month) if month.isdigit() else _MONTHS.get(month.lower(), 0)
    return _made(int(match["y"]), number, int(match["d"]))


def _made(year: int, month: int, day: int) -> date | None:
    if not FIRST_YEAR <= year <= LAST_YEAR:
        return None
    try:
        return date(year, month, day)
    except ValueError:
        return None


def dates(cells: Sequence[str], parse: Callable[[str], date | None] = parse_date) -> tuple[np.ndarray, Bools]:
    """(n,) ISO text, "" where it is no date, and which cells those are; each spelling is parsed once."""
    known = {cell: parse(cell) for cell in set(cells)}
    words = {cell: "" if day is None else day.isoformat() for cell, day in known.items()}
    values = np.array([words[cell] for cell in cells], dtype=object)
    return values, values == ""


def read_dates(sheet: Sheet, sieve: Sieve, name: str, words: str) -> np.ndarray:
    """A column of dates as ISO text; rows without one are refused."""
    values, wrong = dates(sheet.columns[name])
    sieve.refuse(wrong, f"{words} is no date")
    return values


def read_names(sheet: Sheet, sieve: Sieve, name: str, words: str) -> np.ndarray:
    """A column of symbols in capitals; rows without one are refused."""
    values = np.array(sheet.text(name), dtype=object)
    known = {cell: bool(re.fullmatch(r"[A-Z0-9][A-Z0-9&.\- ]{0,39}", cell)) for cell in set(values.tolist())}
    sieve.refuse(np.array([not known[cell] for cell in values.tolist()], dtype=bool), f"{words} is no name")
    return values
