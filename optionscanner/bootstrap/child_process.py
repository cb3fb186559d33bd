"""Run a command in another Python as a child that gets our signals and gives us its exit code.

`hand_over` is the entry, for `environment.py`. Standard library only: it works before anything is
installed.
"""

import os
import platform
import signal
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from types import FrameType


def hand_over(python: Path, command: Sequence[str]) -> int:
    """Run `python command...` until it ends, passing signals on; returns its exit code.

    A child that a signal ended counts as 128 + the signal's number, as in a shell. 1, and a sentence on stderr, if
    that Python cannot be started.
    """
    child: subprocess.Popen[bytes] | None = None
    early: list[int] = []

    def forward(number: int, frame: FrameType | None) -> None:
        if child is None:
            early.append(number)
        elif os.name != "nt":  # a Windows console has sent Ctrl-C and Ctrl-Break to the child already
            child.send_signal(number)

    names = ("SIGINT", "SIGTERM", "SIGHUP", "SIGQUIT", "SIGBREAK")
    numbers = [getattr(signal, name) for name in names if hasattr(signal, name)]
    # What we were told to ignore (nohup, a background job) stays ignored, by the child as well.
    heard = [number for number in numbers if signal.getsignal(number) is not signal.SIG_IGN]
    previous = {number: signal.signal(number, forward) for number in heard}
    try:
        child = subprocess.Popen(
            [str(python), *command],
            # A process group of its own: a terminal's Ctrl-C reaches us alone, and through us the child once.
            process_group=None if os.name == "nt" else 0,
            preexec_fn=end_with_parent(),  # noqa: PLW1509 - one thread only
        )
        for number in early:
            forward(number, None)
        code = child.wait()
    except OSError as error:
        environment = python.parent.parent
        sys.stderr.write(f"{python} must start and does not ({error}): delete {environment} and start again.\n")
        return 1
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
    return code if code >= 0 else 128 - code


def end_with_parent() -> Callable[[], object] | None:
    """Linux: what a child is to do first, so that the kernel kills it when we are killed; None elsewhere.

    Without it a killed start would leave an orphan at work in files that the next start takes up.
    """
    if platform.system() == "Linux":
        try:
            import ctypes  # some builds of Python come without it

            prctl = ctypes.CDLL(None).prctl
        except (ImportError, OSError, AttributeError):
            return None
        set_parent_death_signal = 1  # PR_SET_PDEATHSIG, prctl(2)
        return lambda: prctl(set_parent_death_signal, signal.SIGKILL)
    return None
