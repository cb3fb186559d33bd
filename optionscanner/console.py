"""What the user sees in the terminal: sentences, and one line of progress. The only module that prints.

Nothing here ever raises: a console that cannot show ``₹``, a pipe that was closed and a program without any console
(pythonw) lose text, not the trading day.
"""

from __future__ import annotations

import os
import shutil
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import datetime
from types import TracebackType
from typing import Self, TextIO

_PLAIN_EVERY = 30.0
_TERMINAL_EVERY = 0.1
_WIDTH = 80

# What consoles of an older code page cannot show, in signs that all of them can.
_PLAIN_SIGNS = str.maketrans({
    "₹": "Rs ", "→": "->", "←": "<-", "▲": "^", "▼": "v", "≥": ">=", "≤": "<=", "×": "x", "−": "-", "–": "-",
    "—": "-", "…": "...", "±": "+/-",
})  # fmt: skip


def say(sentence: str) -> None:
    """Print a sentence for the user."""
    _put(sys.stdout, sentence + "\n")


def warn(sentence: str) -> None:
    """Print a sentence about something that is wrong, on stderr, so that it survives a redirected output."""
    _put(sys.stderr, sentence + "\n")


class Progress:
    """One line on how a session goes: rewritten in place on a terminal, else printed anew every half minute.

        with Progress() as progress:
            progress.show(clock=..., cycle=12, updated=209, milliseconds={"store": 7.1, "cycle": 41.0}, failures=0)

    Parameters
    ----------
    plain_every
        Real seconds between two lines where the output is no terminal.
    """

    def __init__(
        self,
        out: TextIO | None = None,
        *,
        now: Callable[[], float] = time.monotonic,
        width: Callable[[], int] | None = None,
        plain_every: float = _PLAIN_EVERY,
    ) -> None:
        self._out = sys.stdout if out is None else out
        self._now = now
        self._width = width or _terminal_width
        self._terminal = _is_terminal(self._out)
        self._every = _TERMINAL_EVERY if self._terminal else plain_every
        self._shown_at: float | None = None
        self._latest: str | None = None
        self._on_screen = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def show(
        self, *, clock: datetime, cycle: int, updated: int, milliseconds: Mapping[str, float], failures: int
    ) -> None:
        """Show the newest cycle, if the last line has stood long enough.

        `clock` is the session's time; `updated` counts chains with news; `milliseconds`: step -> its time.
        """
        self._latest = line(clock=clock, cycle=cycle, updated=updated, milliseconds=milliseconds, failures=failures)
        now = self._now()
        if self._shown_at is None or now - self._shown_at >= self._every:
            self._shown_at = now
            self._write()

    def close(self) -> None:
        """Show the last cycle, and leave the line."""
        if self._latest is not None:
            self._write()
        if self._on_screen:
            _put(self._out, "\n")
            self._on_screen = 0

    def _write(self) -> None:
        text, self._latest = self._latest or "", None
        if not self._terminal:
            _put(self._out, text + "\n")
            return
        # One column stays free: a full last one makes some terminals wrap, and the next \r then rewrites half a line.
        room = max(self._width() - 1, 1)
        text = text[:room]
        _put(self._out, "\r" + text.ljust(min(self._on_screen, room)))
        self._on_screen = len(text)


def line(*, clock: datetime, cycle: int, updated: int, milliseconds: Mapping[str, float], failures: int) -> str:
    """The line's words; slowest steps first, because what does not fit the terminal is cut off at the right."""
    total = milliseconds.get("cycle")
    steps = sorted(((ms, name) for name, ms in milliseconds.items() if name != "cycle"), reverse=True)
    words = [f"{clock:%H:%M:%S}", f"cycle {cycle:,}", f"{updated:,} updated"]
    if failures:
        words.append(f"{failures} FAILED")
    if total is not None:
        words.append(f"{total:.0f} ms")
    words.append(" ".join(f"{name} {ms:.0f}" for ms, name in steps))
    return " | ".join(word for word in words if word)


def _put(out: TextIO | None, text: str) -> None:
    """Write and flush; signs that the console's encoding lacks are replaced, a closed output is silence."""
    if out is None:
        return
    try:
        out.write(_encodable(text, out.encoding or "utf-8"))
        out.flush()
    except OSError:
        _give_up(out)
    except ValueError:  # closed, or handed over to somebody else
        return


def _encodable(text: str, encoding: str) -> str:
    try:
        text.encode(encoding)
    except UnicodeEncodeError:
        return text.translate(_PLAIN_SIGNS).encode(encoding, "replace").decode(encoding)
    return text


def _give_up(out: TextIO) -> None:
    """Nobody reads this output any more: send the rest nowhere, or the interpreter would complain of it at its end."""
    with suppress(OSError, ValueError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        try:
            os.dup2(nowhere, out.fileno())
        finally:
            os.close(nowhere)


def _is_terminal(out: TextIO | None) -> bool:
    if out is None:
        return False
    try:
        return out.isatty()
    except ValueError:  # closed
        return False


def _terminal_width() -> int:
    return shutil.get_terminal_size((_WIDTH, 24)).columns
