"""The program in a process to which something happens at a chosen moment: `python -m tests.mischief KIND -- OPTIONS`.

Kinds, each at the end of a cycle or inside a write, so that the moment is the same on every machine:

- ``full FROM TO``: no file may grow from the end of cycle FROM to the end of cycle TO, as on a full disk;
- ``killed POINT``: kill -9 when the second picture of the workbook is half written (``half``), written and not yet in
  its place (``before``), or just put there (``after``).
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from optionscanner import app, console


def at_cycles(actions: Mapping[int, Callable[[], object]], patch: Callable[[object, str, object], object]) -> None:
    """Do something when the program tells that it has done a cycle; a frame is written in every cycle."""
    plain = console.Progress.show

    def show(progress: console.Progress, **told: Any) -> None:
        plain(progress, **told)
        action = actions.get(told["cycle"])
        if action is not None:
            action()

    patch(console.Progress, "show", show)
    patch(app, "FRAME_EVERY_S", 0.0)


def full_disk(first: int, last: int) -> dict[int, Callable[[], object]]:
    """What `at_cycles` is to do so that files cannot grow meanwhile."""
    import resource

    _, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    return {
        # Files that are open already may be overwritten as far as they reach, as on a full disk.
        first: lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (4096, hard)),
        last: lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard)),
    }


def kill_at(point: str) -> None:
    """Kill this process at a point of the workbook's second replacement (the first one creates it)."""
    replaced = {"times": 0}
    plain_replace, plain_sync = Path.replace, os.fsync

    def replace(path: Path, target: Path) -> Path:
        replaced["times"] += 1
        if replaced["times"] == 3 and point == "before":
            _kill()
        made = plain_replace(path, target)
        if replaced["times"] == 3 and point == "after":
            _kill()
        return made

    def fsync(descriptor: int) -> None:
        if replaced["times"] == 2 and point == "half":
            os.ftruncate(descriptor, os.fstat(descriptor).st_size // 2)
            plain_sync(descriptor)
            _kill()
        plain_sync(descriptor)

    Path.replace = replace  # type: ignore[assignment,method-assign]
    os.fsync = fsync  # type: ignore[assignment]


def _kill() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def main(kind: str, *words: str) -> int:
    """Run the program with the words after ``--``."""
    split = words.index("--")
    given, options = words[:split], list(words[split + 1 :])
    if kind == "full":
        at_cycles(full_disk(int(given[0]), int(given[1])), setattr)
    else:
        at_cycles({}, setattr)
        kill_at(given[0])
    return app.main(options)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
