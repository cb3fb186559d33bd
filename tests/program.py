"""Runs the program as its user does: in a process of its own, by its command line."""

import os
import re
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from unittest import mock

import openpyxl

from optionscanner.platforms_office import NAMED, NONE

ROOT = Path(__file__).resolve().parent.parent


@dataclass(frozen=True)
class Ended:
    """A finished run."""

    code: int
    out: str
    errors: str

    @property
    def accounted(self) -> dict[str, int]:
        """The printed sum: source, processed, refused, before, after."""
        found = re.search(
            r"observations: ([\d,]+) in the source = ([\d,]+) processed \+ ([\d,]+) refused.*? "
            r"\+ ([\d,]+) before this run \+ ([\d,]+) after it",
            self.out,
        )
        assert found, self.out + self.errors
        numbers = (int(n.replace(",", "")) for n in found.groups())
        return dict(zip(("source", "processed", "refused", "before", "after"), numbers, strict=True))


def command(*arguments: object) -> list[str]:
    return [sys.executable, str(ROOT / "run_dashboard.py"), *map(str, arguments)]


def environment() -> dict[str, str]:
    """Without a screen and without LibreOffice in the path, so that no spreadsheet starts unless a test asks for it."""
    screens = ("DISPLAY", "WAYLAND_DISPLAY")
    path = str(Path(sys.executable).parent)
    kept = {k: v for k, v in os.environ.items() if k not in screens}
    return {**kept, "PATH": path, NAMED: NONE, "PYTHONIOENCODING": "utf-8"}


@contextmanager
def alone() -> Iterator[None]:
    """The same for what runs in this process: no spreadsheet program prints a report that no test looks at."""
    with mock.patch.dict(os.environ, environment(), clear=True):
        yield


def run(*arguments: object, timeout: float = 240.0) -> Ended:
    """Run to the end."""
    done = subprocess.run(
        command(*arguments), capture_output=True, text=True, encoding="utf-8", timeout=timeout, env=environment(),
        cwd=ROOT, check=False,
    )  # fmt: skip
    return Ended(done.returncode, done.stdout, done.stderr)


def started(*arguments: object) -> subprocess.Popen[str]:
    """Start and leave running."""
    return subprocess.Popen(
        command(*arguments), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, encoding="utf-8",
        env=environment(), cwd=ROOT,
    )  # fmt: skip


def killed(process: subprocess.Popen[str]) -> None:
    """Kill -9, and wait for the end of it."""
    process.send_signal(getattr(signal, "SIGKILL", signal.SIGTERM))
    process.communicate(timeout=30)


def health_of(workbook: Path) -> dict[str, object]:
    """SYSTEM_HEALTH as a reader finds it: item -> value."""
    book = openpyxl.load_workbook(workbook, read_only=True, data_only=True)
    lines = book["SYSTEM_HEALTH"].iter_rows(min_row=4, max_col=2, values_only=True)
    shown = {str(line[0]): line[1] for line in lines if line[0]}
    book.close()
    return shown


def rows(history: Path, sql: str, given: Sequence[object] = ()) -> list[tuple[object, ...]]:
    """Rows of a query on a history file, through SQLite alone."""
    with sqlite3.connect(history) as connection:
        found = connection.execute(sql, tuple(given)).fetchall()
    connection.close()
    return found
