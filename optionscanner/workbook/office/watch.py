"""Notices that a workbook was closed, by the user or with the program, as opposed to lost with a program that died."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

from optionscanner.workbook.office.bridge import Bridge


class Watch:
    """Listens to one document and its office; `closed` is set by LibreOffice's own thread."""

    def __init__(self, bridge: Bridge, desktop: Any, model: Any) -> None:
        self.model = model
        self.closed = False
        self._bridge = bridge
        self._desktop = desktop
        self._listener = _listener(bridge, self._note)
        model.addCloseListener(self._listener)
        desktop.addTerminateListener(self._listener)

    def _note(self) -> None:
        self.closed = True

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
            self._desktop.removeTerminateListener(self._listener)


def _listener(bridge: Bridge, note: Any) -> Any:
    base = bridge.unohelper.Base
    closing = bridge.interface("com.sun.star.util.XCloseListener")
    terminating = bridge.interface("com.sun.star.frame.XTerminateListener")

    class Listener(base, closing, terminating):  # type: ignore[misc, valid-type]
        """Objects to nothing."""

        def queryClosing(self, source: Any, owner: bool) -> None:
            """LibreOffice asks whether it may close."""

        def notifyClosing(self, source: Any) -> None:
            note()

        def queryTermination(self, source: Any) -> None:
            """LibreOffice asks whether it may end."""

        def notifyTermination(self, source: Any) -> None:
            note()

        def disposing(self, source: Any) -> None:
            """The connection or the document goes; that alone tells nothing."""

    return Listener()
