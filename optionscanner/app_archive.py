"""Dated copies of the workbook while a session runs and at its end: values only, verified, with the report as a PDF.

Main entries: `copied` (one copy, in sentences) and `Archive` (the ARCHIVE command: a copy made beside the cycles).
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import date, datetime
from pathlib import Path
from threading import Thread

from optionscanner import console
from optionscanner.config import Config
from optionscanner.errors import OptionScannerError, WorkbookBusy
from optionscanner.history.archive import record_workbook_copy
from optionscanner.history.store import SqliteHistory
from optionscanner.model.calendar import IST
from optionscanner.platforms_office import libre_office
from optionscanner.workbook.eod_pdf import print_report
from optionscanner.workbook.file_host import FileHost
from optionscanner.workbook.live.host import LiveHost
from optionscanner.workbook.upgrade_file import restore_file
from optionscanner.workbook.values_copy import FOLDER, forget_old_copies, keep_copy

log = logging.getLogger(__name__)

Host = FileHost | LiveHost
_REPORT = ("EOD_REPORT",)
_CLOSING_S = 180.0
"""Seconds that the end of a session waits for a copy that was asked for."""


@dataclass(frozen=True, slots=True)
class Subject:
    """What is copied, and for which day."""

    config: Config
    history: SqliteHistory
    workbook: Path
    trading_date: date
    host: Host | None = None
    """Who shows the workbook; None where nobody does."""

    def name(self, at: float | None) -> str:
        """File name of the copy of the day, or of the instant `at` of the session's clock [s since 1970 UTC]."""
        time = "" if at is None else f"-{datetime.fromtimestamp(at, IST):%H%M%S}"
        return f"{self.workbook.stem}-{self.history.mode.lower()}-{self.trading_date}{time}.xlsx"


def copied(subject: Subject, *, now: float, at: float | None = None) -> Iterator[str]:
    """Copy the workbook and print its report; a sentence for each thing done. `now` is the machine's clock.

    Raises OptionScannerError where something cannot be done; what was told before is done.
    """
    name, history = subject.name(at), subject.history
    live = subject.host if isinstance(subject.host, LiveHost) else None
    try:
        kept = keep_copy(
            subject.workbook, name, save=None if live is None else live.save_copy, day=subject.trading_date,
            mode=history.mode.value,
        )  # fmt: skip
    except WorkbookBusy as busy:
        if live is None:
            raise
        raise WorkbookBusy(f"{busy}; no copy was made: save and close the workbook, then run with --keep") from busy
    with history.between_cycles() as connection:
        record_workbook_copy(
            connection, trading_date=subject.trading_date, file=name, formulas=kept.formulas,
            without_value=kept.without_value, size=kept.bytes, digest=kept.sha256, now=now,
        )  # fmt: skip
    told = f"workbook copy: {kept.file}"
    if kept.formulas:
        told += f", {kept.formulas:,} formulas became their values"
    if kept.without_value:
        told += f", {kept.without_value:,} of them had none yet: open the workbook and save it once"
    yield told
    if subject.config.workbook.eod_pdf:
        yield _printed(kept.file, live)


def _printed(copy: Path, live: LiveHost | None) -> str:
    """Print the report of a copy beside it."""
    pdf, program = copy.with_suffix(".pdf"), libre_office()
    if program is not None:
        print_report(copy, pdf, program)
    elif live is not None:
        live.pdf(pdf, _REPORT)
    else:
        return (
            "no PDF of EOD_REPORT: neither LibreOffice nor an open Excel is there to print it; print the sheet of the "
            "copy yourself, or set workbook.eod_pdf to false"
        )
    return f"EOD_REPORT printed: {pdf}"


def forgotten(subject: Subject, *, now: float) -> Iterator[str]:
    """Delete copies that are older than the configuration wants them kept."""
    days = subject.config.workbook.archive_days
    old = forget_old_copies(subject.workbook, days=days, now=now)
    if old:
        yield f"workbook copies: {len(old)} older than {days} days deleted"


@dataclass
class Archive:
    """Serves the commands ARCHIVE and RESTORE of CONTROL; the copy is made on a thread of its own."""

    subject: Subject
    wall: Callable[[], float]
    """The machine's clock."""
    clock: Callable[[], float]
    """The session's clock."""
    tell: Callable[[str], None] = console.say
    warn: Callable[[str], None] = console.warn
    _thread: Thread | None = field(default=None)

    def ask(self) -> str:
        """Begin a copy named with the session's time; what is being done."""
        if self._thread is not None and self._thread.is_alive():
            return "the copy that was asked for before is still being made"
        at = self.clock()
        self._thread = Thread(target=self._make, args=(at,), name="archive", daemon=True)
        self._thread.start()
        return f"a copy without formulas is being made: {FOLDER}/{self.subject.name(at)}"

    def restore(self) -> str:
        """Put back what is missing in the workbook, where nothing has it open."""
        if isinstance(self.subject.host, LiveHost):
            return "the workbook is open, and sheets are put back into a closed one: stop the program (STOP), close " \
                   "the workbook, and start with --restore all"  # fmt: skip
        return restore_file(self.subject.workbook, ["all"])

    def __enter__(self) -> Archive:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Wait for a copy that is being made."""
        if self._thread is not None:
            self._thread.join(_CLOSING_S)

    def _make(self, at: float) -> None:
        try:
            for sentence in copied(self.subject, now=self.wall(), at=at):
                log.info("%s", sentence)
                self.tell(sentence)
        except (OptionScannerError, OSError) as error:
            log.warning("%s", error)
            self.warn(str(error))
