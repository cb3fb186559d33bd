"""Start OptionScanner: `python run_dashboard.py --help`.

On a machine that has only Python, the first start makes `.venv` beside this file and installs what the project
needs there. This file must stay readable for any Python, however old, so that the sentence below is what its user
sees; importing it does nothing.
"""

import contextlib
import os
import signal
import sys

MINIMUM_PYTHON = (3, 11)


def require_python():
    """End the process with one sentence when the running Python is older than `MINIMUM_PYTHON`."""
    if sys.version_info[:2] < MINIMUM_PYTHON:
        sys.exit(
            "OptionScanner needs Python %d.%d or newer, and this is Python %d.%d (%s): install a newer one "
            "from https://www.python.org/downloads/ and start again with it, for example "
            "`python3.12 run_dashboard.py`, on Windows `py -3.12 run_dashboard.py`."
            % (MINIMUM_PYTHON + tuple(sys.version_info[:2]) + (sys.executable,))
        )


def end_before_the_start(number, frame):
    """Handler of Ctrl-C and SIGTERM while packages are loaded: nothing has begun, so nothing is to be finished."""
    with contextlib.suppress(OSError):  # nobody reads it
        os.write(2, b"Stopped before anything was begun.\n")
    os._exit(0)


def main(arguments):
    """Run the dashboard, here or in the project's own environment; returns the exit code."""
    from optionscanner.bootstrap import environment

    def start():
        for name in ("SIGINT", "SIGTERM"):
            signal.signal(getattr(signal, name), end_before_the_start)
        from optionscanner import app

        return app.main(arguments)

    script = os.path.abspath(__file__)
    root = os.path.dirname(script)
    return environment.launch(root=root, command=[script] + arguments, start=start, supervised=True)


def let_go_of_output():
    """A reader that is gone must not turn a good end into a complaint of the interpreter's."""
    for stream in (sys.stdout, sys.stderr):
        try:
            if stream is not None:
                stream.flush()
        except (OSError, ValueError):
            with contextlib.suppress(OSError, ValueError):
                os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


if __name__ == "__main__":
    require_python()
    try:
        sys.exit(main(sys.argv[1:]))
    except KeyboardInterrupt:
        end_before_the_start(signal.SIGINT, None)
    finally:
        let_go_of_output()
