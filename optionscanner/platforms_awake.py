"""Keeps the computer from going to sleep while a session runs at the market's pace. Main entry: `KeepAwake`.

The screen may still turn dark. Where the system offers no way, the log says so and nothing else happens.
"""

from __future__ import annotations

import logging
import os
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from types import TracebackType
from typing import Self

from optionscanner.errors import reason_of

_CONTINUOUS, _SYSTEM_REQUIRED = 0x80000000, 0x00000001
"""SetThreadExecutionState, winbase.h; in force for the calling thread until it says otherwise or ends."""

log = logging.getLogger(__name__)


def awake_command(platform: str, pid: int, which: Callable[[str], str | None]) -> list[str]:
    """The command that keeps this computer awake as long as the process `pid` lives; [] where there is none."""
    waiting = ["sh", "-c", f"while kill -0 {pid} 2>/dev/null; do sleep 2; done"]
    if platform == "darwin" and which("caffeinate"):
        return ["caffeinate", "-i", "-w", str(pid)]
    if platform == "linux" and which("systemd-inhibit"):
        why = "a market session is running"
        return ["systemd-inhibit", "--what=idle:sleep", "--who=OptionScanner", f"--why={why}", "--mode=block", *waiting]
    if platform == "linux" and which("gnome-session-inhibit"):
        return ["gnome-session-inhibit", "--inhibit", "idle:suspend", "--app-id", "OptionScanner", *waiting]
    return []


class KeepAwake:
    """`with KeepAwake():` - in there the computer does not fall asleep by itself.

    Use it on a thread that lives as long as it does. `how` says what was done, "" when nothing could be.
    """

    def __init__(
        self,
        *,
        platform: str = sys.platform,
        which: Callable[[str], str | None] = shutil.which,
        command: Callable[[str, int, Callable[[str], str | None]], list[str]] = awake_command,
    ) -> None:
        self._platform = platform
        self._which = which
        self._command = command
        self._process: subprocess.Popen[bytes] | None = None
        self._watch: threading.Thread | None = None
        self.how = ""

    def __enter__(self) -> Self:
        if self._platform == "win32":
            reason = "" if _ask_windows(_CONTINUOUS | _SYSTEM_REQUIRED) else "the system refused it"
            self.how = "" if reason else "the system was asked"
        else:
            reason = self._start()
        if reason:
            _tell(reason)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._platform == "win32" and self.how:
            _ask_windows(_CONTINUOUS)
        process, self._process = self._process, None
        if process is not None:
            with suppress(OSError):  # it ended by itself
                os.killpg(process.pid, signal.SIGTERM)
        if self._watch is not None:
            self._watch.join()

    def _start(self) -> str:
        """Start the command that holds the lock; why not, "" where it was started."""
        command = self._command(self._platform, os.getpid(), self._which)
        if not command:
            return "no command for it is installed"
        try:
            process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
                start_new_session=True,
            )  # fmt: skip
        except OSError as error:
            return f"{command[0]}: {reason_of(error)}"
        self._process, self.how = process, command[0]
        log.info("keeping the computer awake: %s", command[0])
        # It may be refused after a while; the session does not wait for that.
        self._watch = threading.Thread(target=self._wait_for, args=(process, command[0]), name="awake", daemon=True)
        self._watch.start()
        return ""

    def _wait_for(self, process: subprocess.Popen[bytes], name: str) -> None:
        said = process.communicate()[1].decode("utf-8", "replace").strip().splitlines()
        if self._process is process:
            self._process, self.how = None, ""
            _tell(f"{name}: {said[-1] if said else f'ended with {process.returncode}'}")


def _tell(reason: str) -> None:
    log.warning("the computer cannot be kept awake (%s): switch its sleep off yourself", reason)


def _ask_windows(state: int) -> bool:
    if sys.platform == "win32":
        import ctypes

        return bool(ctypes.windll.kernel32.SetThreadExecutionState(state))
    return False
