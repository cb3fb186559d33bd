"""One writer process as the engine holds it: its pipe, what was sent to it, and whether it or its office hangs."""

from __future__ import annotations

import multiprocessing
import threading
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum
from multiprocessing.sharedctypes import RawArray
from typing import Any

import psutil

from optionscanner.model.frame import Frame
from optionscanner.workbook.live import wire
from optionscanner.workbook.live.places import Rows
from optionscanner.workbook.live.writer import writer_process

STOPPED_S = 1.0
"""Seconds for which a program may stay stopped by the system during a call before it is given up."""
PATIENCE_S = 30.0
"""Seconds that a program which is working may take for one call."""
FREED_S = 2.0
"""Seconds in which a writer must be out of its call once the program that it called was ended."""
SILENT_S = 10.0
"""Seconds without a sign of life after which a writer that is in no call is given up."""
_WATCH_S, _WORKED_S = 0.5, 0.02
"""Over how long a program's processor time is looked at, and how much of it means that it works."""


class Hang(StrEnum):
    """Why a child is given up."""

    OFFICE = "the spreadsheet program does not answer any more"
    WRITER = "the writer process does not answer any more"


@dataclass
class _Watched:
    """Processor time of the spreadsheet program when a call was first found late."""

    call: float
    at: float
    used: float


class Child:
    """A running writer process."""

    def __init__(self, spec: wire.Spec) -> None:
        context = multiprocessing.get_context("spawn")
        self.calls = RawArray("d", 3)
        self.calls[wire.BEAT] = time.monotonic()
        self.pipe, theirs = context.Pipe()
        # A daemon: Python asks it to end when the engine ends without closing, and does not wait for the others.
        self.process = context.Process(
            target=writer_process, args=(spec, theirs, self.calls), name="workbook-writer", daemon=True
        )
        self.process.start()
        theirs.close()
        self.office: int | None = None
        """Process id of the spreadsheet program, where we started it."""
        self.patient = spec.front == "excel"
        """Whether the program may keep us waiting for ever: Excel does while it asks its user something."""
        self._sent: dict[str, Rows] = {}
        self._outbox: list[object] = []
        self._frame: tuple[int, Frame] | None = None
        self._news = threading.Condition()
        self._ending = False
        self._watched: _Watched | None = None
        self._stopped_since: float | None = None
        """When the office was first seen stopped [s, monotonic clock], while it stays so."""
        self._freed = (0.0, 0.0)
        """The call in which the office was found hanging, and until when the writer may take to come out of it."""
        self._sender = threading.Thread(target=self._send, name="workbook-outbox", daemon=True)
        self._sender.start()

    def show(self, number: int, frame: Frame) -> None:
        """Hand over the newest frame; returns at once, an older one that was not sent yet is dropped."""
        with self._news:
            self._frame = (number, frame)
            self._news.notify()

    def say(self, message: object) -> None:
        """Send something else, in its turn."""
        with self._news:
            self._outbox.append(message)
            self._news.notify()

    def leave(self) -> None:
        """Ask the writer to end, after everything that was handed over."""
        with self._news:
            self._ending = True
            self._news.notify()

    def _send(self) -> None:
        with suppress(OSError):  # the writer is gone: whoever watches it knows what to do
            while True:
                with self._news:
                    while not (self._outbox or self._frame or self._ending):
                        self._news.wait()
                    messages, frame, ending = self._outbox, self._frame, self._ending
                    self._outbox, self._frame = [], None
                for message in messages:
                    self.pipe.send(message)
                if frame is not None:
                    self.pipe.send(wire.Show(frame[0], self._news_of(frame[1])))
                if ending:
                    self.pipe.send(wire.Leave())
                    return

    def _news_of(self, frame: Frame) -> Mapping[str, Rows]:
        """Blocks that differ from what was sent before: the pipe carries them in order, so nothing is lost."""
        changed = {n: b.rows for n, b in frame.blocks.items() if self._sent.get(n) != b.rows}
        self._sent.update(changed)
        return changed

    def free(self, now: float) -> None:
        """End an office that hangs, and give the writer, which then starts another one, a moment to notice."""
        self._freed = (self.calls[wire.BEGAN], now + FREED_S)
        self.kill_office()

    # Whether it hangs

    def hang(self, now: float) -> Hang | None:
        """Why the child must be given up at `now` [s, monotonic clock]; None while all is well."""
        began, allowed = self.calls[wire.BEGAN], self.calls[wire.ALLOWED]
        if not began:
            self._watched = self._stopped_since = None
            return Hang.WRITER if now - self.calls[wire.BEAT] > SILENT_S else None
        if self.patient:
            return None
        if began == self._freed[0]:
            return Hang.WRITER if now > self._freed[1] else None
        late = now - began
        if self._stays_stopped(now):
            return Hang.OFFICE
        if late <= allowed:
            return None
        return Hang.OFFICE if late > max(PATIENCE_S, allowed) or not self._working(began, now) else None

    def _stays_stopped(self, now: float) -> bool:
        """Whether the system keeps the program stopped for too long; a short stop during a long call is forgiven."""
        if not _stopped(self.office):
            self._stopped_since = None
        elif self._stopped_since is None:
            self._stopped_since = now
        return self._stopped_since is not None and now - self._stopped_since > STOPPED_S

    def _working(self, began: float, now: float) -> bool:
        """Whether the program has used the processor since the call was found late; True until that is known."""
        used = _processor_time(self.office)
        if self._watched is None or self._watched.call != began:
            self._watched = _Watched(began, now, used)
            return True
        if now - self._watched.at < _WATCH_S:
            return True
        worked = used - self._watched.used > _WORKED_S
        self._watched = _Watched(began, now, used)
        return worked

    def kill_office(self) -> None:
        """End the spreadsheet program, where the writer started it: a call into it then comes back with an error."""
        doomed: list[psutil.Process] = []
        with suppress(psutil.Error):
            doomed = psutil.Process(self.process.pid).children(recursive=True)
        if self.office is not None:
            with suppress(psutil.Error):
                doomed.append(psutil.Process(self.office))
        for process in doomed:
            with suppress(psutil.Error):
                process.kill()

    def kill(self) -> None:
        """End the writer."""
        self.process.kill()
        self.process.join(2.0)
        self.let_go()

    def let_go(self) -> None:
        """Close the pipe of a writer that has ended."""
        self.leave()
        # Closed under its hands, a pipe that is being written to raises anything but OSError.
        self._sender.join(2.0)
        self.pipe.close()


def _stopped(pid: int | None) -> bool:
    try:
        return pid is not None and psutil.Process(pid).status() == psutil.STATUS_STOPPED
    except psutil.Error:
        return False


def _processor_time(pid: int | None) -> float:
    try:
        spent: Any = psutil.Process(pid).cpu_times() if pid is not None else None
    except psutil.Error:
        return 0.0
    return float(spent.user + spent.system) if spent is not None else 0.0
