"""Run the stand-in broker by hand: `python -m tests.broker [options]`; Ctrl-C ends it.

On a machine that has only Python, `.venv` is made first.
"""

import os
import sys

import run_dashboard


def main(arguments):
    """Run it, here or in the project's own environment; returns the exit code."""
    from optionscanner.bootstrap import environment

    root = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

    def start():
        from tests.broker import command

        return command.run(arguments)

    return environment.launch(root=root, command=["-m", "tests.broker"] + arguments, extras=["test"], start=start)


if __name__ == "__main__":
    run_dashboard.require_python()
    sys.exit(main(sys.argv[1:]))
