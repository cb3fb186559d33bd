"""What happens when a session has reached its close: old days are archived, the database and the workbook are copied.

Main entry: `keep`. Each step that fails is one sentence; none of them can cost the session, which is stored already.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from optionscanner import console
from optionscanner.config import Config
from optionscanner.errors import OptionScannerError
from optionscanner.history.archive import archive_old_sessions, record_workbook_copy
from optionscanner.history.backup import back_up, shrink
from optionscanner.history.store import SqliteHistory
from optionscanner.workbook.values_copy import keep_copy

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Keeping:
    config: Config
    history: SqliteHistory
    workbook: Path
    trading_date: date
    now: float

    def old_days(self) -> Iterator[str]:
        """Move quotes that are older than the retention out of the database."""
        moved = 0
        with self.history.between_cycles() as connection:
            for done in archive_old_sessions(
                connection, self.history.path, today=self.trading_date, now=self.now,
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
            self.history.path, day=self.trading_date, keep=self.config.history.backups, now=self.now
        )
        if copy is not None:
            yield f"backup: {copy}, {copy.stat().st_size / 1e6:,.1f} MB"

    def values(self) -> Iterator[str]:
        """Copy the workbook without its formulas, and remember the copy's digest."""
        name = f"{self.workbook.stem}-{self.history.mode.lower()}-{self.trading_date}.xlsx"
        kept = keep_copy(self.workbook, name)
        with self.history.between_cycles() as connection:
            record_workbook_copy(
                connection, trading_date=self.trading_date, file=name, formulas=kept.formulas,
                without_value=kept.without_value, size=kept.bytes, digest=kept.sha256, now=self.now,
            )  # fmt: skip
        told = f"workbook copy: {kept.file}"
        if kept.formulas:
            told += f", {kept.formulas:,} formulas became their values"
        if kept.without_value:
            told += f", {kept.without_value:,} of them had none yet: open the workbook and save it once"
        yield told


def keep(config: Config, history: SqliteHistory, workbook: Path, *, trading_date: date, now: float) -> bool:
    """Archive, back up and copy after a session of `trading_date`; `now` [s since 1970 UTC, the machine's clock].

    Says what was done. Returns whether all of it could be done.
    """
    keeping = _Keeping(config, history, workbook, trading_date, now)
    # Each runs, whatever became of the others.
    done = [_done(step) for step in (keeping.old_days, keeping.backup, keeping.values)]
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
