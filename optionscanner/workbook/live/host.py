"""The live workbook's host in the engine's process: hands frames to a writer process and never waits for it.

Main entry: `LiveHost`. A supervisor thread listens to the writer, gives it up when the spreadsheet program is frozen,
ends only what was started for it, and starts again with the newest frame and the user's inputs.
"""

from __future__ import annotations

import atexit
import itertools
import logging
import os
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from multiprocessing.connection import wait
from pathlib import Path
from typing import Any

from optionscanner.errors import WorkbookBusy, WorkbookError
from optionscanner.model.frame import Cell, ControlReading, Frame, WriteResult
from optionscanner.workbook.grid import Sheet
from optionscanner.workbook.layout import SHEETS
from optionscanner.workbook.live import wire
from optionscanner.workbook.live.child import Child, Hang
from optionscanner.workbook.live.front import Front
from optionscanner.workbook.template import build_template

log = logging.getLogger(__name__)

LEAVE_S = 20.0
"""Seconds that the end may take: saying so on every sheet, saving, closing."""
_LOOK_EVERY_S = 0.1
_LONGEST_WAIT_S = 30.0
_HEALTHY_S = 60.0
"""A writer that lived so long starts again at once when it is lost."""
_NO_WINDOWS = "linux"


def _quiet(sentence: str) -> None:
    log.info("workbook: %s", sentence)


class LiveHost:
    """The workbook host for a spreadsheet program that shows the workbook; used from the engine's thread."""

    live = True
    """Tells of its own troubles, at once."""

    def __init__(
        self, path: Path, *, front: str | Callable[[], Front] = "libreoffice",
        template: Callable[[], bytes] = build_template, profile: Path | None = None, headless: bool | None = None,
        leave_open: bool | None = None, share: float = 0.1, save_every: float = 300.0, poll_every: float = 0.15,
        tell: Callable[[str], None] = _quiet, layout: Sequence[Sheet] = SHEETS,
    ) -> None:  # fmt: skip
        """Begin to show the workbook `path` in `front` (`libreoffice`, `excel`, or what makes one).

        `profile`: folder of LibreOffice's own profile, for libreoffice only. `headless` None: windows where there is
        a screen. `leave_open`: whether the user keeps the workbook when the engine ends; None: where they see it.
        `share`: most of the spreadsheet's time that writing may take, 0 to 1. `save_every` [s], 0 = never. `tell` gets
        one line for each event, from another thread.
        """
        self.path = Path(os.path.realpath(path))
        unseen = headless if headless is not None else _no_screen()
        self._spec = wire.Spec(
            path=self.path, front=front, template=template, profile=profile, headless=headless,
            leave_open=not unseen if leave_open is None else leave_open,
            share=_within(share), save_every=save_every, poll_every=poll_every, layout=tuple(layout),
        )  # fmt: skip
        self._tell = tell
        self._lock = threading.Condition()
        self._frame: Frame | None = None
        self._number = 0
        self._paused = False
        self._done: wire.Done | None = None
        self._finished = self._superseded = 0
        """Frames that were written, and that gave way to newer ones, since the engine last heard."""
        self._state = (wire.OPENING, f"{self.path.name} is being opened")
        self._reading: ControlReading | None = None
        self._replies: dict[int, wire.Reply] = {}
        self._asked = itertools.count(1)
        self._ending = False
        self.restarts = 0
        """How often the writer or the spreadsheet program had to be started again."""
        self._child = Child(self._spec)
        self._supervisor = threading.Thread(target=self._supervise, name="workbook-supervisor", daemon=True)
        self._supervisor.start()
        # Runs before Python's own end of child processes, which would not let the writer say that the engine stopped.
        atexit.register(self.close)

    # What the engine calls

    def write(self, frame: Frame) -> WriteResult:
        """Hand over the newest frame and say what became of the newest one that is done; never waits."""
        with self._lock:
            self._number += 1
            self._frame = frame
            self._child.show(self._number, frame)
            return self._result()

    def settle(self, seconds: float) -> WriteResult | None:
        """Wait at most so long until the newest frame is in the workbook; None where it is not and nothing is wrong."""
        until = time.monotonic() + seconds
        with self._lock:
            while not self._settled() and time.monotonic() < until:
                self._lock.wait(max(until - time.monotonic(), 0.0))
            if not self._number or (not self._settled() and self._state[0] in (wire.LIVE, wire.OPENING)):
                return None
            return self._result()

    @property
    def filtered(self) -> frozenset[str]:
        """Ranked tables in which the user filters or sorts: their rows keep the order that the sheet shows."""
        return self._done.held if self._done is not None else frozenset()

    @property
    def paused(self) -> bool:
        """Whether only CONTROL and the front's state are written."""
        return self._paused

    @paused.setter
    def paused(self, paused: bool) -> None:
        with self._lock:
            if paused != self._paused:
                self._paused = paused
                self._child.say(wire.Pause(paused))

    def control(self) -> ControlReading | None:
        """The newest reading of the user's input cells; None before the first. Never waits."""
        return self._reading

    def set_inputs(self, values: Mapping[str, Cell | tuple[Cell, ...]]) -> None:
        """Put values into input cells, e.g. to clear a command that was obeyed."""
        with self._lock:
            if self._reading is not None:
                # A crash before the next reading must not bring the old values back.
                self._reading = ControlReading({**self._reading.values, **values}, self._reading.at)
            self._child.say(wire.SetInputs(dict(values)))

    @property
    def status(self) -> str:
        """live, opening, paused, busy, closed by user, locked, restarting or failed."""
        return self._state[0]

    @property
    def sentence(self) -> str:
        """What the status means, "" while all is well."""
        return self._state[1]

    @property
    def share(self) -> float:
        """Most of the spreadsheet's time that frames may take, 0 to 1."""
        return self._spec.share

    @share.setter
    def share(self, share: float) -> None:
        with self._lock:
            most = _within(share)
            if most != self._spec.share:
                self._spec = replace(self._spec, share=most)
                self._child.say(wire.Share(most))

    @property
    def used_share(self) -> float:
        """Part of the spreadsheet's time of the last minute that frames took, 0 to 1."""
        return self._done.share if self._done is not None else 0.0

    def save(self, seconds: float = 30.0) -> None:
        """Save the workbook in its place. This and the next three raise WorkbookError where it is not done in time."""
        self._ask("save", (), seconds)

    def save_copy(self, to: Path, seconds: float = 30.0) -> None:
        """Write the workbook as it stands to another file."""
        self._ask("save_copy", (Path(to),), seconds)

    def pdf(self, to: Path, sheets: Sequence[str], seconds: float = 60.0) -> None:
        """Print these sheets into a PDF."""
        self._ask("pdf", (Path(to), tuple(sheets)), seconds)

    def run_macro(self, name: str, *arguments: Any, seconds: float = 30.0) -> Any:
        """Run a macro of the workbook; what it returns."""
        return self._ask("run_macro", (name, *arguments), seconds)

    def close(self) -> None:
        """Let go of the workbook: the newest frame is written, the sheets say that the engine stopped, it is saved."""
        with self._lock:
            if self._ending:
                return
            self._ending = True
            child = self._child
        atexit.unregister(self.close)
        child.leave()
        child.process.join(LEAVE_S)
        if child.process.is_alive():
            hang = child.hang(time.monotonic())
            self._tell(f"{self.path.name}: the workbook could not be left in good order ({hang or 'still busy'})")
            if not self._spec.leave_open:
                child.kill_office()
            child.kill()
        child.let_go()
        self._supervisor.join(2.0)

    # Results

    def _settled(self) -> bool:
        return self._number > 0 and self._done is not None and self._done.number >= self._number

    def _result(self) -> WriteResult:
        status, sentence = self._state
        done = self._done.result if self._done is not None else None
        missing = done.missing if done is not None else ()
        if status == wire.FAILED:
            return WriteResult("failed", sentence, 0.0, 0, 0, missing)
        if status == wire.LIVE and done is not None:
            frames, dropped = self._finished, self._superseded
            self._finished = self._superseded = 0
            return replace(done, frames=frames, dropped=dropped)
        opening = status == wire.OPENING or not sentence
        said = f"{self.path.name} is being opened" if opening else sentence
        return WriteResult("skipped", said, 0.0, 0, 0, missing, frames=0 if opening else 1)

    def _ask(self, verb: str, arguments: tuple[Any, ...], seconds: float) -> Any:
        number, until = next(self._asked), time.monotonic() + seconds
        with self._lock:
            if self._state[0] in (wire.CLOSED, wire.LOCKED, wire.FAILED):
                raise WorkbookBusy(self._state[1])
            child = self._child
            child.say(wire.Ask(number, verb, arguments))
            while number not in self._replies and child is self._child and time.monotonic() < until:
                self._lock.wait(min(max(until - time.monotonic(), 0.0), 0.5))
            reply = self._replies.pop(number, None)
        if reply is None:
            why = self.sentence or "try again"
            raise WorkbookBusy(f"{self.path.name}: no answer to {verb} within {seconds:g} s; {why}")
        if reply.sentence:
            raise WorkbookError(reply.sentence)
        return reply.value

    # The supervisor

    def _supervise(self) -> None:
        failures, started = 0, time.monotonic()
        while True:
            child = self._child
            gone = self._listen(child)
            hang = None if gone else child.hang(time.monotonic())
            if hang is Hang.OFFICE:
                # The writer itself is well: once its call ends it starts another office, which is quicker than both.
                if not self._ending:
                    self._say_restart(str(hang))
                child.free(time.monotonic())
            if self._ending and gone:
                return
            if self._ending or hang is Hang.OFFICE or not (gone or hang):
                continue
            failures = 0 if time.monotonic() - started > _HEALTHY_S else failures + 1
            self._restart(child, hang, failures)
            started = time.monotonic()

    def _listen(self, child: Child) -> bool:
        """Take what the writer says, for a moment; whether it is gone."""
        try:
            ready = wait([child.pipe, child.process.sentinel], _LOOK_EVERY_S)
            while child.pipe in ready and child.pipe.poll():
                self._heard(child, child.pipe.recv())
        except (EOFError, OSError):
            return True
        return child.process.sentinel in ready

    def _heard(self, child: Child, message: object) -> None:
        line = ""
        with self._lock:
            if isinstance(message, wire.Done):
                before = self._done.number if self._done is not None else 0
                self._finished += message.number > before
                self._superseded += max(message.number - before - 1, 0)
                self._done = message
            elif isinstance(message, wire.Typed):
                self._reading = message.reading
            elif isinstance(message, wire.Reply):
                self._replies[message.number] = message
            elif isinstance(message, wire.Took):
                child.office, child.patient = message.started, message.deadline is None
                line = message.note
            elif isinstance(message, wire.Told):
                line = self._told(message)
            self._lock.notify_all()
        if line:
            self._tell(line)

    def _told(self, message: wire.Told) -> str:
        """Remember the state; the line that the change is worth."""
        before, self._state = self._state, (message.status, message.sentence)
        if message.status == wire.RESTARTING and before[0] != wire.RESTARTING:
            self.restarts += 1
        if message.status == wire.LIVE and before[0] not in (wire.LIVE, wire.OPENING):
            return message.sentence or f"{self.path.name} is written again"
        if message.status in (wire.RESTARTING, wire.CLOSED, wire.LOCKED, wire.FAILED) and message != wire.Told(*before):
            return "" if before[0] == wire.RESTARTING == message.status else message.sentence
        return ""

    def _restart(self, child: Child, hang: Any, failures: int) -> None:
        """Give the child up and start another one, with the newest frame and what the user had typed."""
        why = str(hang) if hang is not None else f"the writer process ended (code {child.process.exitcode})"
        self._say_restart(why)
        # An office that still answers is taken up by the next writer with everything the user has not saved.
        child.kill()
        if failures > 1:
            time.sleep(min(0.5 * 2 ** (failures - 2), _LONGEST_WAIT_S))
        with self._lock:
            if self._ending:
                return
            self._child = self._fresh()
            if self._paused:
                self._child.say(wire.Pause(True))
            if self._frame is not None:
                self._child.show(self._number, self._frame)
            self._lock.notify_all()

    def _say_restart(self, why: str) -> None:
        with self._lock:
            self.restarts += self._state[0] != wire.RESTARTING
            self._state = (wire.RESTARTING, f"{self.path.name}: {why}; it is started again")
        self._tell(self._state[1])
        log.info("workbook given up: %s restarts=%d", why, self.restarts)

    def _fresh(self) -> Child:
        restore = dict(self._reading.values) if self._reading is not None else {}
        return Child(replace(self._spec, restore=restore))


def _within(share: float) -> float:
    return min(max(share, 0.001), 1.0)


def _no_screen() -> bool:
    """Whether nobody can see a window here."""
    return sys.platform == _NO_WINDOWS and not any(os.environ.get(name) for name in ("DISPLAY", "WAYLAND_DISPLAY"))
