"""Puts the desk that serves CONTROL beside a session's cycle. Main entries: `saved_at`, `open_desk`."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from threading import Event

from optionscanner.app_archive import Archive
from optionscanner.cycle import Cycle
from optionscanner.desk import Desk
from optionscanner.history.past import PastReader
from optionscanner.lookback import TimeMachine
from optionscanner.workbook.render import Renderer


def saved_at(workbook: Path) -> float | None:
    """When the workbook was saved last [s since 1970 UTC], None where it does not exist; ask before it is opened."""
    try:
        return workbook.stat().st_mtime
    except OSError:
        return None


def open_desk(
    cycle: Cycle,
    archive: Archive,
    closing: ExitStack,
    *,
    stop: Event,
    symbols: tuple[str, ...],
    saved: float | None,
) -> Callable[[], None]:
    """What the runner calls between cycles, so that the user is served; see `Desk` for the arguments.

    `closing` gets what must be closed afterwards.
    """
    sinks, history = cycle.sinks, archive.subject.history
    lookback = TimeMachine(PastReader(history.path, lambda: history.session_number), lambda: cycle.settings)
    closing.callback(lookback.close)
    assert isinstance(sinks.render, Renderer) and sinks.workbook is not None, "a session that is shown"
    desk = Desk(
        cycle=cycle,
        renderer=sinks.render,
        host=sinks.workbook,
        history=sinks.history,
        stop=stop,
        now=archive.wall,
        symbols=symbols,
        config=archive.subject.config.model_dump(by_alias=True),
        saved_at=saved,
        archive=archive.ask,
        restore=archive.restore,
        lookback=lookback,
    )
    return desk.attend
