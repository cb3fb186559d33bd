"""A program that archives session 1 of a history and kills itself on the way.

`python -m tests.archive_child FILE STEP` dies by SIGKILL at its STEP-th statement or file operation, before that is
done; a STEP beyond the last lets it end. `tests/test_archive.py` looks at what is left.
"""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

from optionscanner.history import archive
from optionscanner.history.backup import shrink
from optionscanner.history.store import SqliteHistory
from optionscanner.model.sessions import Mode
from tests import builders


class Fuse:
    """Kills the process when it was told of the given number of steps."""

    def __init__(self, steps: int) -> None:
        self.left = steps
        self.burning = False

    def step(self, *_: object) -> None:
        if self.burning:
            self.left -= 1
            if not self.left:
                os.kill(os.getpid(), signal.SIGKILL)

    def watch(self, event: str, _: object) -> None:
        if event in ("open", "os.rename", "os.remove", "os.mkdir"):
            self.step()


def main(path: str, steps: str) -> None:
    fuse = Fuse(int(steps))
    sys.addaudithook(fuse.watch)
    sync = os.fsync
    os.fsync = lambda descriptor: (fuse.step(), sync(descriptor))[1]  # type: ignore[assignment]
    history = SqliteHistory(Path(path), Mode.REPLAY)
    with history.between_cycles() as connection:
        connection.set_trace_callback(fuse.step)
        fuse.burning = True
        archive.archive_session(connection, Path(path), 1, now=builders.ist(16, 0))
        shrink(connection, Path(path))
        fuse.burning = False
    history.close()
    sys.stdout.write(f"{int(steps) - fuse.left}\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
