"""What the engine's process and the writer's say to each other, and how the newest frame wins. No spreadsheet here."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from optionscanner.model.frame import Cell, ControlReading, WriteResult
from optionscanner.workbook.grid import Sheet
from optionscanner.workbook.live.front import Front
from optionscanner.workbook.live.places import Rows

LIVE, PAUSED, BUSY, CLOSED, LOCKED, RESTARTING, OPENING, FAILED = (
    "live", "paused", "busy", "closed by user", "locked", "restarting", "opening", "failed",
)  # fmt: skip

Values = Mapping[str, Cell | tuple[Cell, ...]]


@dataclass(frozen=True, slots=True)
class Spec:
    """What a writer process is started with."""

    path: Path
    front: str | Callable[[], Front]
    """`libreoffice`, `excel`, or what makes a front."""
    template: Callable[[], bytes]
    """Makes the workbook file where there is none."""
    profile: Path | None
    headless: bool | None
    """None: windows where there is a screen."""
    leave_open: bool
    """Whether the user keeps the workbook when the engine ends."""
    share: float
    save_every: float
    poll_every: float
    layout: Sequence[Sheet]
    restore: Values = field(default_factory=dict)
    """Inputs of the user that a crash may have lost."""


# To the writer


@dataclass(frozen=True, slots=True)
class Show:
    """Blocks that changed since the frame before."""

    number: int
    blocks: Mapping[str, Rows]


@dataclass(frozen=True, slots=True)
class Pause:
    """Whether only CONTROL and the front's state are written."""

    paused: bool


@dataclass(frozen=True, slots=True)
class Share:
    """How much of the spreadsheet's time frames may take at most, 0 to 1."""

    most: float


@dataclass(frozen=True, slots=True)
class SetInputs:
    """Put these values into the user's input cells."""

    values: Values


@dataclass(frozen=True, slots=True)
class Ask:
    """A request with a reply."""

    number: int
    verb: str
    """save, save_copy, pdf or run_macro."""
    arguments: tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class Leave:
    """The engine ends in good order."""


# From the writer


@dataclass(frozen=True, slots=True)
class Took:
    """The workbook is open."""

    started: int | None
    """Process id of the spreadsheet program where we started it."""
    deadline: float | None
    note: str


@dataclass(frozen=True, slots=True)
class Told:
    """The state of the front."""

    status: str
    sentence: str


@dataclass(frozen=True, slots=True)
class Done:
    """A frame is in the workbook."""

    number: int
    result: WriteResult
    share: float
    held: frozenset[str]


@dataclass(frozen=True, slots=True)
class Typed:
    """What the input cells hold."""

    reading: ControlReading


@dataclass(frozen=True, slots=True)
class Reply:
    """What became of a request."""

    number: int
    sentence: str
    """"" where it was done."""
    value: Any = None


BEGAN, ALLOWED, BEAT = 0, 1, 2
"""Places in the array of floats that both processes see: when the present call began on the monotonic clock (0: none
is under way), how long it may take, and when the writer was last alive."""


class Inbox:
    """Takes messages off the pipe on a thread of its own, so that the newest frame wins however long a write takes."""

    def __init__(self, pipe: Connection, most: float) -> None:
        self._pipe = pipe
        self.most = most
        """Part of the spreadsheet's time that frames may take."""
        self._news = threading.Condition()
        self._fresh = False
        self.blocks: dict[str, Rows] = {}
        """The newest of every block."""
        self.number = 0
        """Of the newest frame."""
        self.paused = False
        self.requests: deque[SetInputs | Ask] = deque()
        self.over = False
        """The engine let go, or is gone."""
        self.dismissed = False
        """It let go in good order."""
        self._thread = threading.Thread(target=self._receive, name="inbox", daemon=True)
        self._thread.start()

    def wait(self, seconds: float) -> None:
        """Until something has arrived since the last wait, at most so long."""
        with self._news:
            if not self.over and not self._fresh:
                self._news.wait(max(seconds, 0.0))
            self._fresh = False

    def newest(self) -> tuple[int, dict[str, Rows]]:
        """Number of the newest frame and all blocks as of it."""
        with self._news:
            return self.number, dict(self.blocks)

    def _receive(self) -> None:
        while True:
            try:
                message = self._pipe.recv()
            except (EOFError, OSError):
                message = None
            with self._news:
                self._take(message)
                self._fresh = True
                self._news.notify_all()
                if self.over:
                    return

    def _take(self, message: object) -> None:
        if isinstance(message, Show):
            self.blocks.update(message.blocks)
            self.number = message.number
        elif isinstance(message, Pause):
            self.paused = message.paused
        elif isinstance(message, Share):
            self.most = message.most
        elif isinstance(message, SetInputs | Ask):
            self.requests.append(message)
        else:
            self.over, self.dismissed = True, isinstance(message, Leave)
