"""A recorded day of three names and a few minutes, that tests spoil; and the program run on it, in this process.

All figures are made up, by formulas that stand here; every name has seven strikes.
"""

from __future__ import annotations

import math
import warnings
import zipfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from pathlib import Path
from typing import Any

import openpyxl
import pyarrow as pa

from optionscanner import app
from optionscanner.adapters.recorded.format import write_day
from tests import program
from tests.program import Ended, alone
from tests.recorded_samples import DAY, EXPIRY, instruments, manifest, options, spots

WEEKLY = date(2026, 2, 3)
STRIKES = 7

_OF_REAL_TIME = frozenset({"archive", "migration", "session", "settings", "sqlite_sequence", "workbook_archive"})

Row = dict[str, Any]
Spot = tuple[str, str, float]
Spoil = Callable[[list[Row], list[Spot]], tuple[list[Row], list[Spot]]]


@dataclass(frozen=True)
class Name:
    """One underlying of the day."""

    kind: str = "STOCK"
    expiry: date = EXPIRY
    middle: float = 500.0
    gap: float = 10.0
    lot: float = 100.0


NAMES: Mapping[str, Name] = {
    "NIFTY": Name("INDEX", WEEKLY, 25_000.0, 50.0, 65.0),
    "ACME": Name(middle=1_000.0, gap=20.0),
    "BETA": Name(),
}


def times(count: int, *, step: float = 60.0, first: str = "09:20") -> list[str]:
    """`count` times of day, `step` seconds apart."""
    start = datetime.combine(DAY, time.fromisoformat(first))
    return [f"{start + timedelta(seconds=step * i):%H:%M:%S.%f}" for i in range(count)]


def quotes(at: Sequence[str], names: Mapping[str, Name] = NAMES) -> tuple[list[Row], list[Spot]]:
    """Rows of `recorded_samples.options` and `spots`: prices of intrinsic and some time value, growing counts."""
    rows: list[Row] = []
    spot: list[Spot] = []
    for i, moment in enumerate(at):
        for name, n in names.items():
            now = round(n.middle * (1 + 0.001 * math.sin(i)), 2)
            spot.append((moment, name, now))
            for j in range(-(STRIKES // 2), STRIKES // 2 + 1):
                strike = n.middle + j * n.gap
                value = 0.015 * n.middle * math.exp(-20 * abs(strike - now) / n.middle)
                rows.append({
                    "at": moment, "underlying": name, "expiry": n.expiry, "strike": strike,
                    "call_last": _tick(max(now - strike, 0) + value), "put_last": _tick(max(strike - now, 0) + value),
                    "call_volume": n.lot * (10 + i * (5 + j)), "put_volume": n.lot * (12 + i * (5 - j)),
                    "call_open_interest": n.lot * (100 + i * (4 + j)), "put_open_interest": n.lot * (90 + i * (4 - j)),
                })  # fmt: skip
    return rows, spot


def small_day(
    folder: Path,
    count: int = 6,
    *,
    step: float = 60.0,
    names: Mapping[str, Name] = NAMES,
    spoil: Spoil | None = None,
    day: date = DAY,
    **described: Any,
) -> Path:
    """Write the day to `folder`; `spoil` changes its rows before, `described` its manifest."""
    rows, spot = quotes(times(count, step=step), names)
    if spoil is not None:
        rows, spot = spoil(rows, spot)
    legs = dict.fromkeys((row["underlying"], row["expiry"], row["strike"]) for row in rows)
    contracts = [(u, names[u].kind, expiry, strike, kind) for u, expiry, strike in legs for kind in ("CE", "PE")]
    listed = instruments(contracts)
    lots = pa.array([names[contract[0]].lot for contract in contracts])
    listed = listed.set_column(listed.column_names.index("lot_size"), "lot_size", lots)
    tables = {"options": options(rows, day), "underlyings": spots(spot, day), "instruments": listed}
    write_day(folder, tables, manifest(date=day, **described))
    return folder


@dataclass(frozen=True)
class Place:
    """A folder with everything that one run reads and writes."""

    folder: Path
    workbook_name: str = "book.xlsx"
    more: tuple[object, ...] = field(default=())

    def __post_init__(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        # Nothing is moved to archives, whatever the date is, and no copies cost time.
        kept = "history:\n  retention_days: 36500\n  backups: 0\n"
        self.config.write_text(f"log:\n  folder: {self.folder / 'log'}\n{kept}", encoding="utf-8")

    @property
    def workbook(self) -> Path:
        return self.folder / self.workbook_name

    @property
    def history(self) -> Path:
        return self.folder / "history.db"

    @property
    def config(self) -> Path:
        return self.folder / "settings.yaml"

    def replay(self, recording: Path, *more: object) -> list[str]:
        """Arguments of a replay as fast as possible."""
        where = ("--history", self.history, "--workbook", self.workbook, "--config", self.config)
        pace = () if "--speed" in more or "--once" in more else ("--speed", "max")
        return [str(word) for word in ("--replay", recording, *pace, *where, *more)]

    def cells(self, sheet: str) -> list[list[Any]]:
        """Values of a sheet as a reader finds them, row by row."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of extensions that openpyxl does not know, such as data bars
            book = openpyxl.load_workbook(self.workbook, read_only=True, data_only=True)
            rows = [list(row) for row in book[sheet].iter_rows(values_only=True)]
            book.close()
        return rows

    def health(self) -> str:
        """All words of SYSTEM_HEALTH, for looking up what it says."""
        return "\n".join(str(value) for row in self.cells("SYSTEM_HEALTH") for value in row if value is not None)

    def rows(self, sql: str, *given: object) -> list[tuple[object, ...]]:
        """Rows of a query on the history, by SQLite alone."""
        return program.rows(self.history, sql, given)

    def contents(self, *, of: Sequence[str] | None = None) -> dict[str, list[tuple[object, ...]]]:
        """Every row of every table that does not hold real time; only of the underlyings `of`, where given."""
        found = {}
        for (table,) in self.rows("SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name"):
            if table in _OF_REAL_TIME:
                continue
            told = self.rows(f"PRAGMA table_info({table})")
            columns = [f'"{column[1]}"' for column in told if column[1] != "timings"]
            named = ", ".join(columns)
            chosen = ""
            if of is not None:
                if '"underlying"' not in columns:
                    continue
                chosen = f"WHERE underlying IN ({', '.join('?' * len(of))})"
                named = ", ".join(c for c in columns if c not in ('"id"', '"poll"'))
            found[str(table)] = self.rows(f"SELECT {named} FROM {table} {chosen} ORDER BY {named}", *(of or ()))
        return found

    def whole(self) -> bool:
        """The workbook opens, every part's checksum holds, and nothing unfinished lies beside it."""
        with zipfile.ZipFile(self.workbook) as parts:
            if parts.testzip() is not None:
                return False
        return bool(self.cells("ALERT_SUMMARY")) and not list(self.folder.glob("*.part"))


def run_here(arguments: Sequence[object]) -> int:
    """The program's `main` in this process, with no spreadsheet program within its reach; its exit code."""
    with alone():
        try:
            return app.main([str(word) for word in arguments])
        except SystemExit as ended:
            return int(str(ended.code))


def main(capsys: Any, arguments: Sequence[object]) -> Ended:
    """The program's `main` in this process, as a test of pytest sees it."""
    capsys.readouterr()
    code = run_here(arguments)
    said = capsys.readouterr()
    return Ended(code, said.out, said.err)


def _tick(price: float) -> float:
    return round(price * 20) / 20
