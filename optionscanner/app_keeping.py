"""What happens when a session has reached its close: old days are archived, the database and the workbook are copied.

Main entry: `keep`. Each step that fails is one sentence; none of them can cost the session, which is stored already.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from optionscanner import console
from optionscanner.app_archive import Subject, copied, forgotten
from optionscanner.config import Config
from optionscanner.errors import OptionScannerError
from optionscanner.history.archive import archive_old_sessions
from optionscanner.history.backup import back_up, shrink
from optionscanner.history.store import SqliteHistory

log = logging.getLogger(__name__)

_SETTLE_S = 15.0
"""Seconds that the end of a session waits for its last picture to be in the workbook."""


@dataclass(frozen=True, slots=True)
class _Keeping:
    subject: Subject
    now: float

    @property
    def config(self) -> Config:
        """The user's settings."""
        return self.subject.config

    @property
    def history(self) -> SqliteHistory:
        """The session's history."""
        return self.subject.history

    def old_days(self) -> Iterator[str]:
        """Move quotes that are older than the retention out of the database."""
        moved = 0
        with self.history.between_cycles() as connection:
            for done in archive_old_sessions(
                connection, self.history.path, today=self.subject.trading_date, now=self.now,
                days=self.config.history.retention_days,
            ):  # fmt: skip
                moved += 1
                yield (
                    f"archived: {done.quotes:,} quotes of {done.trading_date} are in {done.file}, "
                    f"{done.bytes / 1e6:,.1f} MB"
                )
            if moved:
                yield f"archived: {shrink(connection, self.history.path) / 1e6:,.1f} MB given back to the disk"

    def backup(self) -> Iterator[str]:
        """Copy the database."""
        copy = back_up(
            self.history.path, day=self.subject.trading_date, keep=self.config.history.backups, now=self.now
        )
        if copy is not None:
            yield f"backup: {copy}, {copy.stat().st_size / 1e6:,.1f} MB"

    def values(self) -> Iterator[str]:
        """Copy the workbook without its formulas, and print its report."""
        yield from copied(self.subject, now=self.now)

    def copies(self) -> Iterator[str]:
        """Delete copies of the workbook that are old enough."""
        yield from forgotten(self.subject, now=self.now)


def keep(subject: Subject, *, now: float) -> bool:
    """Archive, back up and copy after a session; `now` [s since 1970 UTC, the machine's clock].

    A workbook that is open stays so, untouched. Says what was done. Returns whether all of it could be done.
    """
    if subject.host is not None:
        subject.host.settle(_SETTLE_S)  # the day's last picture belongs into the copy
    keeping = _Keeping(subject, now)
    # Each runs, whatever became of the others.
    done = [_done(step) for step in (keeping.old_days, keeping.backup, keeping.values, keeping.copies)]
    return all(done)


def _done(step: Callable[[], Iterator[str]]) -> bool:
    try:
        for sentence in step():
            console.say(sentence)
            log.info("%s", sentence)
    except (OptionScannerError, OSError) as error:
        console.warn(str(error))
        log.warning("%s", error)
        return False
    return True
