"""Notices what happens to an open workbook: closed by the user or with its program, saved, replaced on disk."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from optionscanner.workbook.office.bridge import Bridge

_SAVED = ("OnSaveDone", "OnSaveAsDone")


class Watch:
    """Listens to one document and its office; `closed` is set by LibreOffice's own thread.

    A program that died closes nothing.
    """

    def __init__(self, bridge: Bridge, desktop: Any, model: Any, path: Path) -> None:
        self.model = model
        self.closed = False
        self._path = path
        self._stamp = _stamp(path)
        self._bridge = bridge
        self._desktop = desktop
        self._listener = _listener(bridge, self._note_closed, self._note_saved)
        model.addCloseListener(self._listener)
        model.addDocumentEventListener(self._listener)
        desktop.addTerminateListener(self._listener)

    def _note_closed(self) -> None:
        self.closed = True

    def _note_saved(self) -> None:
        self._stamp = _stamp(self._path)

    def replaced(self) -> bool:
        """Whether the file is no longer the one that was opened or last saved here, by the user or by us.

        LibreOffice notices that too, but only once: a second attempt to save would overwrite it.
        """
        return self._stamp != _stamp(self._path)

    def gone(self) -> bool:
        """Whether the document cannot be used any more."""
        if self.closed:
            return True
        try:
            self.model.getURL()
        except (self._bridge.failed, AttributeError):
            return True
        return False

    def stop(self) -> None:
        """Listen no more."""
        with suppress(self._bridge.failed, AttributeError):
            self.model.removeCloseListener(self._listener)
            self.model.removeDocumentEventListener(self._listener)
            self._desktop.removeTerminateListener(self._listener)


def _stamp(path: Path) -> tuple[int, ...] | None:
    """What changes with a file; None where it is gone."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_ino, found.st_size, found.st_mtime_ns


def _listener(bridge: Bridge, note_closed: Callable[[], None], note_saved: Callable[[], None]) -> Any:
    base = bridge.unohelper.Base
    closing = bridge.interface("com.sun.star.util.XCloseListener")
    terminating = bridge.interface("com.sun.star.frame.XTerminateListener")

    happening = bridge.interface("com.sun.star.document.XDocumentEventListener")

    class Listener(base, closing, terminating, happening):  # type: ignore[misc, valid-type]
        """Objects to nothing."""

        def queryClosing(self, source: Any, owner: bool) -> None:
            """LibreOffice asks whether it may close."""

        def notifyClosing(self, source: Any) -> None:
            note_closed()

        def queryTermination(self, source: Any) -> None:
            """LibreOffice asks whether it may end."""

        def notifyTermination(self, source: Any) -> None:
            note_closed()

        def documentEventOccured(self, event: Any) -> None:
            if event.EventName in _SAVED:
                note_saved()

        def disposing(self, source: Any) -> None:
            """The connection or the document goes; that alone tells nothing."""

    return Listener()
