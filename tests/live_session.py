"""The program with LibreOffice as its front, in a process of its own, and everything to watch it by from outside."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from threading import Thread

import psutil

from optionscanner.platforms_office import NAMED
from optionscanner.workbook.layout import SHEETS
from tests import program
from tests.office_eye import Hand
from tests.screen import Screen, close_streams, descendants, offices_below, pipe_of, require_office

FEW = ("NIFTY", "BANKNIFTY", "RELIANCE", "TCS", "INFY")
WAIT_S = 60.0
"""Longest wait for something to happen on a busy machine before it counts as not happening."""


@dataclass
class Place:
    """A folder with everything that a session reads and writes."""

    folder: Path
    names: Sequence[str] = FEW
    book: str = "book.xlsx"
    more: str = ""
    """Further lines of the configuration."""

    def __post_init__(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        names = "all" if not self.names else f"[{', '.join(self.names)}]"
        self.config.write_text(
            f"log:\n  folder: {self.folder / 'log'}\nhistory:\n  retention_days: 36500\n  backups: 0\n"
            f"underlyings:\n  include: {names}\n{self.more}",
            encoding="utf-8",
        )

    @property
    def workbook(self) -> Path:
        return self.folder / self.book

    @property
    def history(self) -> Path:
        return self.folder / "history.db"

    @property
    def config(self) -> Path:
        return self.folder / "settings.yaml"

    @property
    def log(self) -> str:
        return "\n".join(path.read_text("utf-8") for path in sorted((self.folder / "log").glob("*.log*")))

    def newest(self) -> int:
        """The engine's newest stored cycle; 0 before the first."""
        return self.ask("SELECT coalesce(max(cycle), 0) FROM cycle")

    def ask(self, sql: str) -> int:
        """One number of the history; 0 where there is none yet."""
        if not self.history.exists():
            return 0
        with closing(sqlite3.connect(f"{self.history.as_uri()}?mode=ro", uri=True, timeout=20)) as connection:
            try:
                return int(connection.execute(sql).fetchone()[0] or 0)
            except sqlite3.OperationalError:
                return 0  # the file is being made


@dataclass
class Session:
    """The running program."""

    place: Place
    process: subprocess.Popen[str]
    out: list[str] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    eye: Hand | None = None
    offices: dict[int, psutil.Process] = field(default_factory=dict)
    """Every LibreOffice that was seen below the program."""

    @property
    def book(self) -> str:
        return str(self.place.workbook)

    def office(self, *, other_than: int = 0) -> psutil.Process:
        """The LibreOffice that shows the workbook, once it runs; another than the one of this id."""

        def found() -> psutil.Process | None:
            for one in offices_below(self.process.pid):
                self.offices[one.pid] = one
                if one.pid != other_than:
                    return one
            return None

        office = self.wait_for(found, "a LibreOffice below the program")
        assert office is not None
        return office

    def look(self, *, other_than: int = 0) -> Hand:
        """An eye of our own on the LibreOffice that shows the workbook, once it is open and written to."""
        if self.eye is not None:
            self.eye.close()
        pipe = self.wait_for(lambda: self._pipe(other_than), "a pipe to LibreOffice")
        assert pipe is not None
        eye = self.eye = Hand(pipe)
        self.wait_for(lambda: self.book in eye.documents(), "the workbook to be open")
        self.wait_for(lambda: self.shown() > 0, "a first picture")
        return eye

    def _pipe(self, other_than: int) -> str | None:
        """Name of the office's pipe; None while there is none: one that has just ended tells no command line."""
        with suppress(LookupError, psutil.Error):
            return pipe_of(self.office(other_than=other_than))
        return None

    def shown(self) -> int:
        """The cycle that the sheet shows; 0 before the first."""
        assert self.eye is not None
        value = self.eye.values(self.book, "CYCLE")[0][0]
        return int(value) if isinstance(value, float) else 0

    def front_states(self) -> dict[str, str]:
        """sheet -> what its band says of the front."""
        assert self.eye is not None
        found = self.eye.blocks(self.book)
        return {
            sheet.name: str(found[block.name][i][0])
            for sheet in SHEETS
            for block in sheet.cells
            for i, cell in enumerate(block.cells)
            if cell.source == "band.front" and block.name in found
        }

    def wait_cycles(self, count: int) -> None:
        """Let the engine make so many cycles."""
        first = self.place.newest()
        self.wait_for(lambda: self.place.newest() >= first + count, f"{count} cycles")

    def wait_current(self) -> None:
        """Wait until the sheet shows a cycle that was not there yet when this was called."""
        goal = self.place.newest()
        self.wait_for(lambda: self.shown() >= goal, f"cycle {goal} in the sheet")

    def wait_said(self, words: str, *, times: int = 1) -> None:
        """Wait until a line of the program's errors holds these words."""
        self.wait_for(lambda: self.said(words) >= times, f"the line {words!r}")

    def wait_for(self, done: Callable[[], object], what: str) -> object:
        """Wait for something while the program runs."""

        def look() -> object:
            value = done()
            assert value or self.process.poll() is None, f"no {what}: {self.describe()}"
            return value

        return wait_for(look, what, self.describe)

    def said(self, words: str) -> int:
        """How many lines of the program's errors hold these words."""
        return sum(words in line for line in self.errors)

    def dead(self) -> str:
        """What of the engine has died; "" while all of it lives."""
        code = self.process.poll()
        return "" if code is None else f"the program ended with {code}: {' | '.join(self.errors[-5:])}"

    def stop(self) -> int:
        """Ask it to end, as Ctrl-C does, and wait for that; the exit code."""
        self.process.send_signal(signal.SIGTERM)  # a job in the background hears no SIGINT
        return self.process.wait(120)

    def wait(self, timeout: float = 240.0) -> int:
        """Wait until the program ends by itself; the exit code."""
        return self.process.wait(timeout)

    def cycles(self) -> list[float]:
        """Instants of the stored cycles of the newest session in order [s since 1970 UTC]."""
        sql = "SELECT at FROM cycle WHERE session = (SELECT max(session) FROM cycle) ORDER BY at"
        return [float(str(at)) / 1000.0 for (at,) in program.rows(self.place.history, sql)]

    def describe(self) -> str:
        """Everything that helps to see why something did not happen."""
        cycle = self.place.newest()
        return f"cycle {cycle}, {self.dead() or 'running'}; errors: {self.errors[-6:]}; log: {self.place.log[-600:]}"

    def kill_engine(self) -> None:
        """Kill -9 of the program; its writer and the spreadsheet program are left to themselves."""
        for one in offices_below(self.process.pid):
            self.offices[one.pid] = one
        self.process.kill()
        self.process.wait(20)

    def wait_for_end_of_offices(self) -> None:
        """Wait until every LibreOffice that was seen below the program, which has ended, has ended too."""
        wait_for(lambda: not self.left(), "the end of the office", self.describe)

    def left(self) -> list[int]:
        """LibreOffices that were seen below the program and still run."""
        return [pid for pid, one in self.offices.items() if one.is_running() and one.status() != psutil.STATUS_ZOMBIE]


def wait_for(done: Callable[[], object], what: str, why: Callable[[], str], within: float = WAIT_S) -> object:
    """What `done` gives once it gives something true; AssertionError, which says `why`, where that never happens."""
    until = time.monotonic() + within
    while True:
        value = done()
        if value:
            return value
        assert time.monotonic() < until, f"waited {within:.0f} s for {what}: {why()}"
        time.sleep(0.1)


@contextmanager
def session(
    place: Place,
    *arguments: object,
    shown: Screen | None = None,
    prefix: Sequence[object] = (),
    front: str = "libreoffice",
) -> Iterator[Session]:
    """Start the program on `shown`, or without a screen; whatever is left of it is killed at the end.

    `prefix`: a command that takes the program's options instead of the program.
    """
    require_office()
    environment = {**program.environment(), "PATH": os.environ["PATH"], NAMED: ""}
    if shown is not None:
        environment["DISPLAY"] = shown.display
    words = [
        *(prefix or program.command()), "--front", front, "--workbook", place.workbook, "--history",
        place.history, "--config", place.config, *arguments,
    ]  # fmt: skip
    process = subprocess.Popen(
        [str(word) for word in words], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, encoding="utf-8",
        env={**environment, "PYTHONPATH": str(program.ROOT)}, cwd=place.folder, start_new_session=True,
    )  # fmt: skip
    made = Session(place, process)
    listening = [
        Thread(target=_collect, args=given, daemon=True)
        for given in ((process.stdout, made.out), (process.stderr, made.errors))
    ]
    for thread in listening:
        thread.start()
    try:
        yield made
    finally:
        if made.eye is not None:
            made.eye.close()
        below = descendants(process.pid)
        with suppress(ProcessLookupError):
            process.kill()
        process.wait(20)
        for one in [*below, *made.offices.values()]:
            with suppress(psutil.Error):
                one.kill()
        psutil.wait_procs(below, 10)
        for thread in listening:
            thread.join(10)
        close_streams(process)


def _collect(stream: object, lines: list[str]) -> None:
    with stream, suppress(ValueError):  # type: ignore[attr-defined]
        lines.extend(line.rstrip("\n") for line in stream)  # type: ignore[attr-defined]


def foreign(name: str) -> set[int]:
    """Ids of all processes of this name."""
    return {p.pid for p in psutil.process_iter(["name"]) if p.info["name"] == name}
