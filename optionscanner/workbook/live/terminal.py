"""The writer process and the terminal that the program was started in: `leave_to_the_engine`."""

from __future__ import annotations

import signal
import sys


def leave_to_the_engine() -> None:
    """From here on Ctrl-C, a stop and the closing of the terminal's window are heard by the engine's process alone.

    It ends the writer through the pipe, with the workbook saved; where it is itself ended, the pipe ends.
    """
    for name in ("SIGINT", "SIGTERM", "SIGHUP"):
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), signal.SIG_IGN)
    if sys.platform == "win32":
        import ctypes

        # Windows ends every process of a console whose window is closed, a few seconds later even one that objects.
        ctypes.windll.kernel32.FreeConsole()
