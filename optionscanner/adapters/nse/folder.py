"""Reads a folder of daily files as they were downloaded.

Main entries: `read_daily_files` for all at once, `daily_files` one by one, `read_part` for one in memory.
Names do not matter, nor do archives; a file of no known kind is refused with one sentence and never stops the others.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from optionscanner.adapters.nse import bhavcopy, fii_statistics, participants
from optionscanner.adapters.nse.content import OLD_EXCEL, DailyPart, parts_of, text_of
from optionscanner.adapters.nse.reading import Reader, Reading
from optionscanner.adapters.nse.rows import head_of
from optionscanner.adapters.nse.small_files import SMALL_FILES
from optionscanner.errors import RecordingError
from optionscanner.model.daily import DAILY_TABLES, EOD_CONTRACT, FII_STATISTICS, PARTICIPANT

READERS: tuple[Reader, ...] = (
    Reader(EOD_CONTRACT, bhavcopy.matches, bhavcopy.read),
    Reader(PARTICIPANT, participants.matches, participants.read),
    Reader(FII_STATISTICS, fii_statistics.matches, fii_statistics.read),
    *SMALL_FILES,
)

_WAY_OF_READING = 1
"""Grows with every change by which a file gives other rows, so that files are read again."""


@dataclass(frozen=True, eq=False)
class DailyFile:
    """One file, read or refused."""

    name: str
    reading: Reading | None
    sentence: str
    """Why the file, or some of its rows, were refused; "" where all is well."""


@dataclass(frozen=True, eq=False)
class DailyFiles:
    """Everything that a folder holds."""

    files: tuple[DailyFile, ...]
    tables: Mapping[str, pd.DataFrame]
    """name of each of `DAILY_TABLES` -> its rows, file by file; a row that two files have is there twice."""

    @property
    def refused(self) -> tuple[DailyFile, ...]:
        """Files of which nothing was read."""
        return tuple(file for file in self.files if file.reading is None)


def read_part(part: DailyPart) -> Reading:
    """One file as published; raises RecordingError with one clause where it is none that is known, or damaged."""
    text = "" if part.content.startswith(OLD_EXCEL) else text_of(part)
    reader = next((reader for reader in READERS if reader.matches(part, text)), None)
    if reader is None:
        first = next((" ".join(line.split())[:60] for line in head_of(text) if line.strip()), "")
        raise RecordingError(
            f"expected one of the daily files that the README lists, its first line is {first!r}; leave it out"
        )
    return reader.read(part, text)


def daily_files(folder: Path) -> Iterator[DailyFile]:
    """Every file of a folder and its subfolders, or the one file given, one after the other, by name.

    Raises RecordingError where there is no such folder.
    """
    for part in parts_of_folder(folder):
        yield part if isinstance(part, DailyFile) else read_file(part)


def parts_of_folder(folder: Path, *, since: float | None = None) -> Iterator[DailyPart | DailyFile]:
    """The same unread; what cannot even be unpacked is given as a refused file.

    `since` [s since 1970 UTC] leaves out files that came there before.
    """
    for path in paths_of(folder):
        if since is not None and changed(path) < since:
            continue
        for part in parts_of(path):
            if isinstance(part, DailyPart):
                yield part
            else:
                name, error = part
                yield DailyFile(name, None, f"{name}: {error}")


def digest_of(part: DailyPart) -> str:
    """What tells a file that is known from another: its name, its content, and how files are read now."""
    return hashlib.sha256(f"{_WAY_OF_READING}\0{part.name}\0".encode() + part.content).hexdigest()


def read_daily_files(folder: Path) -> DailyFiles:
    """All of a folder at once; for many bhavcopies take `daily_files`, which holds one at a time."""
    files = tuple(daily_files(folder))
    tables = {}
    for table in DAILY_TABLES:
        frames = [f.reading.frame for f in files if f.reading is not None and f.reading.table is table]
        tables[table.name] = pd.concat(frames, ignore_index=True) if frames else pd.DataFrame(columns=list(table.names))
    return DailyFiles(files, tables)


def read_file(part: DailyPart) -> DailyFile:
    """One file, read or refused."""
    try:
        reading = read_part(part)
    except RecordingError as error:
        return DailyFile(part.name, None, f"{part.name}: {error}")
    return DailyFile(part.name, reading, _rows_sentence(part.name, reading))


def _rows_sentence(name: str, reading: Reading) -> str:
    """What became of rows that were refused; "" where none were."""
    if not reading.refused:
        return ""
    reasons = "; ".join(
        f"{count:,} because {reason}, first in line {reading.first_line[reason]}"
        for reason, count in sorted(reading.refused.items(), key=lambda item: -item[1])
    )
    return f"{name}: {sum(reading.refused.values()):,} of {reading.rows_read:,} rows refused: {reasons}"


def paths_of(folder: Path) -> list[Path]:
    """Files of a folder and its subfolders by name, hidden ones left out, or the one file given.

    Raises RecordingError where there is no such folder.
    """
    if folder.is_file():
        return [folder]
    if not folder.is_dir():
        raise RecordingError(f"{folder}: there is no such folder; give the folder of the files you downloaded")
    inside = sorted(path for path in folder.rglob("*") if path.is_file())
    return [path for path in inside if not any(part.startswith(".") for part in path.relative_to(folder).parts)]


def changed(path: Path) -> float:
    """When a file came to its place or was changed [s since 1970 UTC]; an unpacked one keeps an old time of change."""
    found = path.stat()
    return max(found.st_mtime, found.st_ctime)
