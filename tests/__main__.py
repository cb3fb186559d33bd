"""Run the tests: `python -m tests [quick] [pytest arguments]`.

Everything: ruff, mypy, then all of pytest, on two processes. `quick`: pytest without what is slow, needs LibreOffice
or builds an environment. What follows goes to pytest, such as `tests/test_flow.py`, `-k expiry`, `--today 2027-03-01`.
On a machine that has only Python, `.venv` is made first. The exit code is 0 when nothing failed.

Like `run_dashboard.py`, this file must stay readable for any Python, however old.
"""

import os
import sys

import run_dashboard


def main(arguments):
    """Run the tests, here or in the project's own environment; returns the exit code."""
    from optionscanner.bootstrap import environment

    root = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))

    def start():
        from tests import command

        return command.run(arguments)

    return environment.launch(root=root, command=["-m", "tests"] + arguments, extras=["test"], start=start)


if __name__ == "__main__":
    run_dashboard.require_python()
    sys.exit(main(sys.argv[1:]))
