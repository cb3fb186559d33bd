"""The writer process: keeps one open workbook at the newest frame, and out of its user's way.

Main entry: `writer_process`. One thread makes every spreadsheet call; another takes frames off the pipe, so that the
newest one wins. When the pipe ends, the engine is gone: that is written onto every sheet, the workbook is saved and
left to its user.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterator, MutableSequence
from contextlib import contextmanager, suppress
from datetime import datetime
from multiprocessing.connection import Connection

from optionscanner.errors import WorkbookBusy, WorkbookError
from optionscanner.model.frame import Cell, ControlReading, WriteResult
from optionscanner.workbook.layout import ANSWERS
from optionscanner.workbook.live import wire
from optionscanner.workbook.live.front import Front, FrontBusy, FrontLost, Opened
from optionscanner.workbook.live.fronts import Translated, made_where_missing, make_front
from optionscanner.workbook.live.inputs import differing, read_inputs, write_inputs
from optionscanner.workbook.live.painter import Painted, Painter
from optionscanner.workbook.live.patience import LONGEST_S, Patience
from optionscanner.workbook.live.terminal import leave_to_the_engine
from optionscanner.workbook.render_cells import INDIA
from optionscanner.workbook.sentences import kept_beside, workbook_notes

BEAT_EVERY_S = 5.0
LOCKED_EVERY_S, FAILED_EVERY_S, CLOSED_EVERY_S = 3.0, 10.0, 1.0
SHARE_WINDOW_S = 60.0
OPEN_S, FILE_S, SAY_S, RESCUE_AFTER_S = 90.0, 60.0, 600.0, 3.0
"""How long opening, a file operation, and the wait to say that the engine stopped may take."""
_EXCEL_DAY_ZERO = datetime(1899, 12, 30)  # noqa: DTZ001 - the machine's own wall clock, as NOW() counts


def writer_process(spec: wire.Spec, pipe: Connection, calls: MutableSequence[float]) -> None:
    """What the child process runs."""
    leave_to_the_engine()
    Writer(spec, pipe, calls, make_front(spec)).run()


class Writer:
    """The loop of the writer process."""

    def __init__(self, spec: wire.Spec, pipe: Connection, calls: MutableSequence[float], front: Front) -> None:
        self.spec, self.front = spec, front
        self._pipe, self._calls = pipe, calls
        self._inbox = wire.Inbox(pipe, spec.share)
        self._opened: Opened | None = None
        self._painter: Painter | None = None
        self._closed = False
        """Whether the user closed the workbook."""
        self._restore: wire.Values = dict(spec.restore)
        self._inputs: dict[str, Cell | tuple[Cell, ...]] | None = None
        self._told: tuple[str, str] = ("", "")
        self._written = 0
        """Number of the newest frame in the workbook."""
        self._shown = ""
        """Front state in the bands."""
        self._held: frozenset[str] = frozenset()
        self._may_write = self._poll_at = self._beat_at = self._look_at = 0.0
        self._patience = Patience()
        self._busy: deque[tuple[float, float]] = deque()
        """(when, seconds) of the frames of the last minute."""
        self._opened_at = self._saved_at = 0.0
        self._unsaved = False
        self._losses = 0
        self._note = ""

    def run(self) -> None:
        """Until the engine lets go or is gone."""
        while not self._inbox.over:
            self._calls[wire.BEAT] = time.monotonic()
            try:
                self._turn()
            except FrontLost as lost:
                self._lost(lost)
            except FrontBusy:
                self._refused("busy")
        self._leave()

    def _turn(self) -> None:
        """One round of the loop."""
        if self._closed:
            self._look_for_it()
        elif self._opened is None:
            self._open()
        else:
            self._serve()

    # Opening and losing

    def _open(self) -> None:
        if self._told[0] not in (wire.LOCKED, wire.FAILED):  # a try that fails again is told once
            self._tell(wire.RESTARTING if self._losses else wire.OPENING, f"{self.spec.path.name} is being opened")
        try:
            note = made_where_missing(self.spec.path, self.spec.template)
            with self._call(OPEN_S):
                self._take(self.front.open(self.spec.path), note)
        except FrontLost as lost:
            self._lost(lost)
        except WorkbookBusy as busy:
            self._tell(wire.LOCKED, str(busy))
            self._inbox.wait(LOCKED_EVERY_S)
        except WorkbookError as error:
            self._tell(wire.FAILED, str(error))
            self._inbox.wait(FAILED_EVERY_S)

    def _take(self, opened: Opened, note: str = "") -> None:
        """The workbook is open: find our blocks, give back what a crash took from the inputs."""
        self._send(wire.Took(opened.started, self.front.deadline, opened.note))
        self._painter = Painter(self.front, opened, self.spec.layout)
        if not self._painter.binding.placed:
            raise WorkbookError(
                f"{self.spec.path}: cannot be used as the workbook, because none of our named blocks is in it; it was "
                "left untouched: move it away and a new one is made, or give another --workbook"
            )
        self._opened, self._closed = opened, False
        self._note = note
        self._opened_at = self._saved_at = time.monotonic()
        self._written, self._shown, self._may_write, self._inputs = 0, "", 0.0, None
        if self._restore:
            held = read_inputs(self._painter.binding) or {}
            write_inputs(self._painter.binding, differing(self._restore, held))
            self._restore = {}
        self._tell(wire.LIVE, note or opened.note)

    def _lost(self, lost: FrontLost) -> None:
        """The workbook went away under our hands: closed by its user, or with a program that crashed."""
        self._calls[wire.BEGAN] = 0.0
        self._painter = None
        if self._opened is not None and self._was_closed(self._opened):
            return
        self._restore = self._inputs or self._restore
        self._opened = None
        self._losses += 1
        self._tell(wire.RESTARTING, f"{lost}; it is started again")
        if self._losses > 1:
            self._inbox.wait(min(0.5 * 2 ** (self._losses - 2), 30.0))

    def _was_closed(self, opened: Opened) -> bool:
        """Whether the user closed the workbook, as opposed to a crash; then nothing is written from now on."""
        try:
            with self._call(FILE_S):
                self._closed = not self.front.is_open(opened)
        except FrontLost:
            return False
        if self._closed:
            self._losses = 0
            self._tell(
                wire.CLOSED,
                f"{self.spec.path.name} was closed or saved under another name, so nothing is written; everything else "
                "goes on: open it again in the same program to see it live",
            )
        return self._closed

    def _look_for_it(self) -> None:
        """Take the workbook up again once its user has opened it; never open it ourselves."""
        assert self._opened is not None
        self._inbox.wait(CLOSED_EVERY_S)
        if self._inbox.over:
            return
        with self._call(FILE_S):
            again = self.front.reopened(self._opened)
            if again is not None:
                self._take(again, f"{self.spec.path.name} is open again and is written")

    # Serving an open workbook

    def _serve(self) -> None:
        inbox = self._inbox
        while inbox.requests:
            self._oblige(inbox.requests.popleft())
        if time.monotonic() >= self._look_at:
            self._look_at = time.monotonic() + CLOSED_EVERY_S
            if self._opened is not None and self._was_closed(self._opened):
                return
        self._poll()
        now = time.monotonic()
        urgent = not self._patience.times and self._answer_waits()
        if self._due() and (now >= self._may_write or urgent):
            self._paint()
        self._keep_saved()
        now = time.monotonic()
        wakes = [self._poll_at, self._beat_at]
        if self._due():
            wakes.append(self._may_write)
        inbox.wait(max(min(wakes) - now, 0.0) if min(wakes) > now else 0.001)

    def _due(self) -> bool:
        """Whether there is anything to write."""
        number = self._inbox.number
        if not number:
            return False
        fresh = number > self._written and not self._inbox.paused
        return fresh or number > self._written or self._shown != self._state() or time.monotonic() >= self._beat_at

    def _answer_waits(self) -> bool:
        """Whether CONTROL lacks an answer to its user: that is rare, and never waits for a share of the time."""
        placed = self._painter.binding.placed if self._painter is not None else {}
        _, blocks = self._inbox.newest()
        return any(blocks[name] != placed[name].last for name in ANSWERS if name in placed and name in blocks)

    def _state(self) -> str:
        return "paused by you" if self._inbox.paused else "live"

    def _paint(self) -> None:
        """Put the newest frame into the workbook."""
        assert self._opened is not None and self._painter is not None
        began = time.monotonic()
        with self._call(self.front.deadline or FILE_S):
            reason = self.front.disturbed(self._opened)
        if reason:
            self._refused(reason)
            return
        paused, state = self._inbox.paused, self._state()
        number, blocks = self._inbox.newest()
        with self._call(self.front.deadline or FILE_S):
            painted = self._painter.paint(blocks, state=state, only_control=paused)
            if time.monotonic() >= self._beat_at:
                self._painter.beat((datetime.now() - _EXCEL_DAY_ZERO).total_seconds() / 86_400.0)  # noqa: DTZ005
                self._beat_at = time.monotonic() + BEAT_EVERY_S
        self._patience.served()
        self._losses = 0
        took = time.monotonic() - began
        self._unsaved = self._unsaved or painted.cells > 0
        self._may_write = began + (took / self._inbox.most if self._written else took)  # the first belongs to opening
        self._busy.append((began, took))
        held = frozenset(self._painter.holding)
        if number > self._written or held != self._held:
            self._report(number, painted, took, held)
        self._written, self._shown, self._held = number, state, held
        if paused:
            self._tell(wire.PAUSED, f"{self.spec.path.name}: paused by you; RESUME on CONTROL writes again")
        else:
            self._tell(wire.LIVE, "")

    def _report(self, number: int, painted: Painted, took: float, held: frozenset[str]) -> None:
        """Tell the engine that a frame is in the workbook."""
        assert self._painter is not None
        painter, missing = self._painter, tuple(self._painter.binding.missing)
        notes = workbook_notes(self.spec.path.name, self._note, missing, painter.truncated, painter.refused.values())
        self._note = ""
        result = WriteResult("written", notes, took * 1000.0, painted.cells, painted.blocks, missing)
        self._send(wire.Done(number, result, self._share(), held))

    def _share(self) -> float:
        """Part of the spreadsheet's time of the last minute that frames took."""
        now = time.monotonic()
        while self._busy and self._busy[0][0] < now - SHARE_WINDOW_S:
            self._busy.popleft()
        over = min(SHARE_WINDOW_S, now - self._opened_at)
        return sum(took for _, took in self._busy) / over if over > 0 else 0.0

    def _refused(self, reason: str) -> None:
        """Wait a little longer each time; after five seconds the user is told."""
        self._calls[wire.BEGAN] = 0.0
        now = time.monotonic()
        wait = self._patience.refused(now)
        self._may_write = now + wait
        name = self.spec.path.name
        if reason == "editing":
            self._tell(wire.PAUSED, f"{name}: paused while you are editing; the newest picture follows")
        elif reason == "copying":
            self._tell(wire.PAUSED, f"{name}: paused until you paste what you copied, or press Esc")
        elif reason == "dialog":
            self._tell(wire.PAUSED, f"{name}: paused while a dialog is open; the newest picture follows")
        elif self._patience.worth_telling(now):
            self._tell(wire.BUSY, f"{name}: the spreadsheet program is busy (a cell is being edited, or a dialog is "
                                  "open); the newest picture follows")  # fmt: skip
        self._inbox.wait(wait)

    def _poll(self) -> None:
        """Read the user's inputs and send them when they changed."""
        now = time.monotonic()
        if now < self._poll_at:
            return
        self._poll_at = now + self.spec.poll_every
        assert self._painter is not None
        with self._call(self.front.deadline or FILE_S):
            values = read_inputs(self._painter.binding)
            if values is None:  # something stands elsewhere now: it is looked for, and read at the next turn
                self._painter.bind()
                return
        if values != self._inputs:
            self._inputs = values
            self._send(wire.Typed(ControlReading(values, time.time())))

    def _oblige(self, request: wire.SetInputs | wire.Ask) -> None:
        assert self._painter is not None and self._opened is not None
        if isinstance(request, wire.SetInputs):
            with self._call(self.front.deadline or FILE_S), self.front.quiet(self._opened):
                write_inputs(self._painter.binding, request.values)
            return
        value, sentence = None, ""
        try:
            with self._call(FILE_S):
                value = getattr(self.front, request.verb)(self._opened, *request.arguments)
        except FrontLost:
            self._send(wire.Reply(request.number, "the spreadsheet program went away; ask again"))
            raise
        except WorkbookError as error:
            sentence = str(error)
        self._send(wire.Reply(request.number, sentence, value))

    def _keep_saved(self) -> None:
        """Save every now and then, so that a crash costs the user little."""
        every, now = self.spec.save_every, time.monotonic()
        if not every or not self._unsaved or now - self._saved_at < every:
            return
        assert self._opened is not None
        self._saved_at = now
        with suppress(FrontBusy):
            with self._call(FILE_S):
                if self.front.disturbed(self._opened):
                    self._saved_at = now - every + LONGEST_S
                    return
            try:
                with self._call(FILE_S):
                    self.front.save(self._opened)
                self._unsaved = False
                self._note = ""
            except FrontLost:
                raise
            except WorkbookError as error:
                self._note = str(error)

    # The end

    def _leave(self) -> None:
        """The engine let go, or is gone: say so on every sheet, save, let go of the workbook."""
        if self._opened is None or self._closed:
            return
        began = time.monotonic()
        while True:
            try:
                self._say_goodbye(rescue=time.monotonic() - began > RESCUE_AFTER_S)
                return
            except FrontLost:
                return
            except WorkbookBusy:
                if time.monotonic() - began > SAY_S:
                    return
                self._calls[wire.BEGAN] = 0.0
                time.sleep(LONGEST_S)

    def _say_goodbye(self, *, rescue: bool) -> None:
        assert self._painter is not None and self._opened is not None
        keep = self.spec.leave_open
        with self._call(FILE_S):
            number, blocks = self._inbox.newest()
            if number > self._written and not self._inbox.paused:
                self._painter.paint(blocks, state="live")
                self._written = number
            # A file that nobody looks at keeps the day's last picture as it was.
            if keep or not self._inbox.dismissed:
                self._painter.stop(f"ENGINE STOPPED {datetime.now(INDIA):%H:%M:%S}")
        saved = self._saved_at_last(self._opened, rescue=rescue)
        with self._call(FILE_S):
            self.front.close(self._opened, leave_open=keep, save=saved)

    def _saved_at_last(self, opened: Opened, *, rescue: bool) -> bool:
        """Save the workbook; with `rescue`, where its file was moved or changed under it, a copy beside it."""
        try:
            with self._call(FILE_S):
                self.front.save(opened)
        except WorkbookBusy as busy:
            if isinstance(busy, FrontBusy) or not rescue:
                raise
            copy = kept_beside(self.spec.path, datetime.now(INDIA))
            with self._call(FILE_S):
                self.front.save_copy(opened, copy)
            self._tell(wire.FAILED, f"{busy}; what it showed is kept in {copy.name}")
            return False
        return True

    # Helpers

    def _tell(self, status: str, sentence: str) -> None:
        if self._told != (status, sentence):
            self._told = (status, sentence)
            self._send(wire.Told(status, sentence))

    def _send(self, message: object) -> None:
        with suppress(OSError):  # the engine is gone: the inbox says so next
            self._pipe.send(message)

    @contextmanager
    def _call(self, seconds: float) -> Iterator[None]:
        """Around calls into the program: the engine sees how long they take, its exceptions become ours."""
        outer = self._calls[wire.BEGAN]
        self._calls[wire.ALLOWED] = seconds
        self._calls[wire.BEGAN] = outer or time.monotonic()
        try:
            with Translated(self.front):
                yield
        finally:
            self._calls[wire.BEGAN] = outer
