"""What a session does to be stopped in good order, and to be ended and started again when it hangs.

The process that the user started is only a parent (`bootstrap.child_process`): it passes signals on, and starts the
session's process again when that was ended because a cycle hung. `HangGuard` is what ends it: a thread of the standard
library's faulthandler, which needs no Python to run, so that nothing a cycle does can hold it up.
"""

from __future__ import annotations

import faulthandler
import json
import os
import signal
import sys
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from threading import Event
from types import FrameType
from typing import IO, Self

import psutil

from optionscanner.bootstrap.child_process import HANG_REPORT, RESTARTED, SUPERVISOR

HANGS_AFTER = 3.0
"""Times its limit that a cycle may take before the process is ended."""

_LOOK_EVERY_S = 1.0
_CLOSE, _LOG_OFF, _SHUT_DOWN = 2, 5, 6
"""Events of a Windows console, wincon.h."""
_CLOSING_S = 30.0
"""Longer than Windows waits for a console's process (5 s, 20 s at shutdown): it is the session's end that ends it."""


class HangGuard:
    """Around each cycle: past `HANGS_AFTER` times `limit` seconds the process ends with the stacks of all threads.

        with HangGuard(5.0, Path("var/log")) as guard:
            with guard.cycle:
                ...

    The parent puts the stacks into `folder` and starts the process again. Without a parent nothing is guarded.
    """

    def __init__(self, limit: float, folder: Path) -> None:
        self.seconds = HANGS_AFTER * limit
        self._folder = folder
        self._report: IO[str] | None = None
        self.cycle = _Armed(self)

    def __enter__(self) -> Self:
        place = os.environ.get(HANG_REPORT)
        if place is not None:
            self._report = Path(place).open("w", encoding="utf-8")
            about = {"folder": str(self._folder.absolute()), "seconds": self.seconds}
            self._report.write(json.dumps(about) + "\n")
            self._report.flush()
        return self

    def __exit__(self, *_: object) -> None:
        report, self._report = self._report, None
        if report is not None:
            faulthandler.cancel_dump_traceback_later()
            report.close()

    def arm(self) -> None:
        """A cycle begins."""
        if self._report is not None:
            faulthandler.dump_traceback_later(self.seconds, exit=True, file=self._report)

    def disarm(self) -> None:
        """It is over."""
        if self._report is not None:
            faulthandler.cancel_dump_traceback_later()


class _Armed:
    """`with guard.cycle:`, any number of times."""

    def __init__(self, guard: HangGuard) -> None:
        self._guard = guard

    def __enter__(self) -> None:
        self._guard.arm()

    def __exit__(self, *_: object) -> None:
        self._guard.disarm()


def restarted_after() -> str:
    """Where the stacks are of the hung cycle after which this process was started again; "" for an ordinary start."""
    return os.environ.get(RESTARTED, "")


def interrupt_on_signals() -> None:
    """Ctrl-C, SIGTERM and a closed terminal raise KeyboardInterrupt where there is no session to be saved."""
    _hear(("SIGINT", "SIGTERM", "SIGHUP"), signal.default_int_handler)


class StopAsked(Event):
    """Set once the session is asked to stop."""

    console_handler: object = None
    """What Windows calls when the console is closed: kept here, because Windows keeps no reference that counts."""


def stop_on_signals() -> StopAsked:
    """An event that Ctrl-C, SIGTERM and the closing of the terminal's window set.

    The cycle in progress is then finished, saved, and the program ends with 0. It is set as well when the parent is
    gone, so that nobody's orphan works in files that the next start takes up.
    """
    stop = StopAsked()

    def ask(_signal: int, _frame: FrameType | None) -> None:
        stop.set()

    _hear(("SIGINT", "SIGTERM", "SIGHUP", "SIGBREAK"), ask)
    if sys.platform == "win32":
        import ctypes

        called = ctypes.WINFUNCTYPE(ctypes.c_int, ctypes.c_uint)(on_console_event(stop, threading.Event().wait))
        stop.console_handler = called
        # The newest handler is asked first, so this one is asked before the runtime's, which would end us at once.
        ctypes.windll.kernel32.SetConsoleCtrlHandler(called, 1)
    parent = os.environ.get(SUPERVISOR, "")
    if parent.isdigit():
        threading.Thread(target=_stop_without, args=(int(parent), stop), name="parent", daemon=True).start()
    return stop


def on_console_event(stop: Event, wait: Callable[[float], object]) -> Callable[[int], int]:
    """What Windows is to call, on a thread of its own, for a console event; returns 1 where it was dealt with.

    After a return from a close, a log-off or a shutdown Windows ends the process at once. So that one asks the session
    to stop and waits: the process ends when the session has, or when Windows does not wait any longer.
    """

    def handle(event: int) -> int:
        if event not in (_CLOSE, _LOG_OFF, _SHUT_DOWN):
            return 0
        stop.set()
        wait(_CLOSING_S)
        return 1

    return handle


def _hear(names: Sequence[str], handler: Callable[[int, FrameType | None], object]) -> None:
    """Set the handler of the signals that this system has, but for a hang-up that is ignored on purpose (nohup)."""
    for name in names:
        number = getattr(signal, name, None)
        if number is not None and not (name == "SIGHUP" and signal.getsignal(number) is signal.SIG_IGN):
            signal.signal(number, handler)


def _stop_without(pid: int, stop: Event) -> None:
    """Ask the session to stop as soon as the process `pid` is gone."""
    try:
        parent = psutil.Process(pid)
        while parent.is_running() and parent.status() != psutil.STATUS_ZOMBIE:
            if stop.wait(_LOOK_EVERY_S):
                return
    except psutil.NoSuchProcess:
        pass
    stop.set()
