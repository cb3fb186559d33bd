"""Run a command in another Python as a child that gets our signals and gives us its exit code.

`hand_over` and `supervise` are the entries, for `environment.py`. Standard library only: it works before anything is
installed.
"""

import json
import os
import platform
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import FrameType

SUPERVISOR = "OPTIONSCANNER_SUPERVISOR"
"""Environment of a supervised child: our process id."""
HANG_REPORT = "OPTIONSCANNER_HANG_REPORT"
"""Environment of a supervised child: a file for a line of JSON (folder, seconds) and then, if it hangs, its stacks."""
RESTARTED = "OPTIONSCANNER_RESTARTED"
"""Environment of a child that was started again: where the stacks of the one before are."""

MOST_HANGS, WITHIN_S = 3, 600.0
"""So many hangs within so many seconds, and it is not started again."""


def is_supervised() -> bool:
    """Whether this process is the child of `supervise`."""
    return SUPERVISOR in os.environ


def supervise(python: Path, command: Sequence[str]) -> int:
    """`hand_over`, and start the command again, with a sentence, each time that its process ended because it hung.

    The child says so in the file that `HANG_REPORT` names; its stacks are kept in the folder that it names there. Asked
    to stop, or after `MOST_HANGS` hangs within `WITHIN_S` seconds, it is not started again.
    """
    handle, name = tempfile.mkstemp(prefix="optionscanner-", suffix=".hang")
    os.close(handle)
    report = Path(name)
    environment = {**os.environ, SUPERVISOR: str(os.getpid()), HANG_REPORT: name}
    hangs: list[float] = []
    try:
        while True:
            report.write_text("", encoding="utf-8")
            forwarded: list[int] = []
            code = hand_over(python, command, environment, forwarded)
            hang = _hang(report)
            if hang is None:
                return code
            hangs = [at for at in hangs if time.monotonic() - at < WITHIN_S] + [time.monotonic()]
            seconds, stacks = hang
            said = f"A cycle hung for more than {seconds:g} s and was ended; the stacks of all threads are in {stacks}"
            if forwarded:
                sys.stderr.write(f"{said}. Asked to stop, the program is not started again; what it stored is kept.\n")
                return 1
            if len(hangs) >= MOST_HANGS:
                sys.stderr.write(
                    f"{said}. That was the third time within {WITHIN_S / 60:g} minutes, so the program is not "
                    "started again; what it stored is kept: send the stacks with a report.\n"
                )
                return 1
            sys.stderr.write(f"{said}. The program is started again and goes on where it stopped.\n")
            sys.stderr.flush()
            environment[RESTARTED] = str(stacks)
    finally:
        report.unlink(missing_ok=True)


def _hang(report: Path) -> tuple[float, Path] | None:
    """Seconds after which the child's cycle hung, and where its stacks are now; None if it did not hang."""
    try:
        first, _, stacks = report.read_text(encoding="utf-8", errors="replace").partition("\n")
        about = json.loads(first)
        folder, seconds = Path(about["folder"]), float(about["seconds"])
    except (OSError, ValueError, KeyError, TypeError):
        return None
    if not stacks.strip():
        return None
    stamp = time.strftime("%Y-%m-%d_%H%M%S")
    for place in (folder, Path(tempfile.gettempdir())):
        kept = place / f"stacks_{stamp}.txt"
        try:
            kept.write_text(stacks, encoding="utf-8")
        except OSError:
            continue
        return seconds, kept
    return seconds, Path("(no folder that can be written)")


def hand_over(
    python: Path,
    command: Sequence[str],
    environment: Mapping[str, str] | None = None,
    forwarded: list[int] | None = None,
) -> int:
    """Run `python command...` until it ends, passing signals on; returns its exit code.

    A child that a signal ended counts as 128 + the signal's number, as in a shell. 1, and a sentence on stderr, if
    that Python cannot be started. Numbers of the signals that came are added to `forwarded`.
    """
    child: subprocess.Popen[bytes] | None = None
    early: list[int] = []

    def forward(number: int, frame: FrameType | None) -> None:
        if forwarded is not None:
            forwarded.append(number)
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
            env=environment,
            # A process group of its own: a terminal's Ctrl-C reaches us alone, and through us the child once.
            process_group=None if os.name == "nt" else 0,
            preexec_fn=end_with_parent(),  # noqa: PLW1509 - one thread only
        )
        for number in early:
            forward(number, None)
        code = child.wait()
    except OSError as error:
        folder = python.parent.parent
        sys.stderr.write(f"{python} must start and does not ({error}): delete {folder} and start again.\n")
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
