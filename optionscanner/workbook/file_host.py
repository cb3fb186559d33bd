"""Writes frames into the workbook file without a spreadsheet program: values spliced into the sheets' XML.

Everything that is not a cell of ours keeps its bytes, whoever saved the file last. The file is replaced in one step,
never written beside a program that has it open, and read again whenever somebody else changed it.
"""

from __future__ import annotations

import glob
import hashlib
import os
import stat
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from time import perf_counter, time

from optionscanner.errors import WorkbookBusy, WorkbookError, reason_of
from optionscanner.model.frame import Block, ControlReading, Frame, WriteResult
from optionscanner.workbook.binding import Binder
from optionscanner.workbook.book_xml import BookXml, without_calculation_chain
from optionscanner.workbook.file_book import Book, Stamp, fill, fit, plan
from optionscanner.workbook.file_inputs import Given, read_inputs, with_inputs
from optionscanner.workbook.grid import Sheet
from optionscanner.workbook.layout import CONTROL_BLOCKS, SHEETS, fronts
from optionscanner.workbook.package import Member, read_package, write_package
from optionscanner.workbook.sentences import workbook_notes
from optionscanner.workbook.template import build_template
from optionscanner.workbook.upgrade_file import upgrade_file

_UNFINISHED_S = 60.0
"""Age of an unfinished file that nobody is still writing: a picture takes a fraction of a second."""


class FileHost:
    """The workbook host for machines where no spreadsheet program is driven; used from one thread."""

    live = False

    def __init__(
        self, path: Path, *, layout: Sequence[Sheet] = SHEETS, template: Callable[[], bytes] = build_template
    ) -> None:
        """`path` of the workbook; it is created from `template` where it does not exist."""
        # Replacing a link would cut it from the file that the user keeps elsewhere.
        self.path = Path(os.path.realpath(path))
        self._layout = tuple(layout)
        self._template = template
        self._fronts = {cells.name: front for sheet in layout for cells in sheet.cells[:1] for front in fronts(cells)}
        self.paused = False
        self.share = 1.0
        self._book: Book | None = None
        self._newest: WriteResult | None = None
        self._shown: Mapping[str, Block] = {}
        """Blocks of the newest picture before a pause."""
        self._wrote_before = False
        self._unsaid = ""
        """What happened to the file while it was only read."""
        self._looked_at: Stamp | None = None
        self._reading: ControlReading | None = None
        self._pending: dict[str, Given] = {}
        self._pool = ThreadPoolExecutor(max_workers=2, thread_name_prefix="workbook")

    def prepare(self) -> FileHost:
        """Make or read the workbook now, which takes longer than a picture; what is wrong the first picture says."""
        with suppress(WorkbookBusy, WorkbookError):
            self._refuse_if_open()
            self._unsaid = self._load() or self._unsaid
        return self

    def write(self, frame: Frame) -> WriteResult:
        """Put the frame's values into the file; what a user can do to a file comes back as a sentence."""
        self._newest = self._result(self._paused(frame) if self.paused and self._shown else frame)
        if not self.paused:
            self._shown = frame.blocks
        return self._newest

    def settle(self, seconds: float) -> WriteResult | None:
        """What became of the newest frame; a file host has nothing to wait for."""
        return self._newest and replace(self._newest, frames=0)

    def control(self) -> ControlReading | None:
        """What the user's input cells held when the file was last saved; None while it cannot be read."""
        try:
            stamp = _stamp(self.path.stat())
        except OSError:
            return self._reading
        if stamp != self._looked_at:
            self._looked_at = stamp
            with suppress(WorkbookBusy, WorkbookError):  # the next picture says what is wrong
                self._unsaid = self._load() or self._unsaid
        if self._book is not None and (self._reading is None or self._reading.values is not self._book.inputs):
            self._reading = ControlReading(self._book.inputs, time())
        return self._reading

    def set_inputs(self, values: Mapping[str, Given]) -> None:
        """Put values into input cells with the next picture."""
        self._pending.update(values)

    def close(self) -> None:
        """Let go of the workbook; nothing is pending in a file host."""
        self._pool.shutdown()
        self._book = None

    @property
    def filtered(self) -> frozenset[str]:
        """Tables on sheets where the user filters or sorts: their rows must keep their order."""
        return self._book.binding.filtered() if self._book is not None else frozenset()

    def _paused(self, frame: Frame) -> Frame:
        """The picture of before the pause, with CONTROL and the state of the front of now."""
        blocks = dict(self._shown)
        for name, block in frame.blocks.items():
            if name in CONTROL_BLOCKS:
                blocks[name] = block
            elif name in self._fronts and name in blocks:
                i, rows = self._fronts[name], blocks[name].rows
                blocks[name] = Block(name, (*rows[:i], block.rows[i], *rows[i + 1 :]))
        return Frame(frame.as_of, blocks)

    def _result(self, frame: Frame) -> WriteResult:
        started = perf_counter()
        try:
            note, cells, count = self._write(frame)
        except WorkbookBusy as busy:
            return WriteResult("skipped", str(busy), _since(started), 0, 0, self._missing)
        except WorkbookError as error:
            self._book = None
            return WriteResult("failed", str(error), _since(started), 0, 0)
        return WriteResult("written", note, _since(started), cells, count, self._missing)

    @property
    def _missing(self) -> tuple[str, ...]:
        return tuple(self._book.binding.missing) if self._book is not None else ()

    def _write(self, frame: Frame) -> tuple[str, int, int]:
        note = ""
        # Twice at most: somebody who saves the file between our reading and our replacing it is read again once.
        for _ in range(2):
            self._refuse_if_open()
            note = self._load() or self._unsaid or note
            self._unsaid = ""
            assert self._book is not None
            if self._pending:
                given = {**self._book.members, **self._book.unsaved}
                members = with_inputs(self._pending, given, self._book.xml)
                self._book = self._bound(members, self._book.xml, self._book.digest, self._book.stamp)
            book = self._book
            cells, count = self._assemble(book, frame)
            if not book.unsaved:
                return self._notes(book, note), 0, 0
            members = {**book.members, **book.unsaved}
            data = write_package(members)
            if self._replace(data, book.stamp):
                book.members, book.unsaved = members, {}
                self._pending.clear()
                book.stamp, book.digest = _stamp(self.path.stat()), _digest(data)
                self._wrote_before = True
                return self._notes(book, note), cells, count
            self._book = None
        raise WorkbookBusy(
            f"{self.path.name} was saved by another program while this picture was being written; the picture was "
            "dropped and the next one is tried"
        )

    def _refuse_if_open(self) -> None:
        for lock in (f"~${self.path.name}", f".~lock.{self.path.name}#"):
            if _is_there(self.path.parent / lock):
                raise WorkbookBusy(
                    f"{self.path.name} is open in a spreadsheet program (lock file {lock} is there), so this picture "
                    "was not written; close it there, or delete the lock file if nothing has the workbook open"
                )

    def _load(self) -> str:
        """Make sure that `_book` is what lies on the disk; a sentence when the file had to be created."""
        note = ""
        try:
            found = self.path.stat()
        except FileNotFoundError:
            again = " during the run" if self._wrote_before else ""
            self._create()
            note = f"{self.path.name} was missing{again} and was created from the template"
            found = self.path.stat()
        except OSError as error:
            raise WorkbookError(f"{self.path}: cannot be reached ({reason_of(error)}); check the folder") from error
        if not stat.S_ISREG(found.st_mode):
            raise WorkbookError(f"{self.path}: a workbook file was expected, but this is a folder or device; choose "
                                "another --workbook")  # fmt: skip
        if self._book is not None and self._book.stamp == _stamp(found):
            return note
        if told := upgrade_file(self.path, self._template):
            note, found = told, self.path.stat()
        try:
            data = self.path.read_bytes()
        except PermissionError as error:
            raise WorkbookBusy(
                f"{self.path.name} cannot be read ({reason_of(error)}); close the program that has it open, or allow "
                "reading it"
            ) from error
        except OSError as error:
            raise WorkbookError(f"{self.path}: cannot be read ({reason_of(error)})") from error
        digest = _digest(data)
        if self._book is not None and self._book.digest == digest:
            self._book.stamp = _stamp(found)
            return note
        try:
            self._book = self._parsed(data, digest, _stamp(found))
        except WorkbookError as error:
            raise WorkbookError(
                f"{self.path}: cannot be used as the workbook, because {error}; it was left untouched: move it away "
                "and a new one is made, or give another --workbook"
            ) from error
        return note

    def _create(self) -> None:
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise WorkbookError(
                f"{self.path.parent}: the workbook's folder cannot be made ({reason_of(error)})"
            ) from error
        self._replace(self._template(), None)

    def _parsed(self, data: bytes, digest: bytes, stamp: Stamp) -> Book:
        members = read_package(data)
        return self._bound(members, BookXml.read(members), digest, stamp)

    def _bound(self, members: dict[str, Member], xml: BookXml, digest: bytes, stamp: Stamp) -> Book:
        binding = Binder(members, xml).bind(self._layout)
        if not binding.bound:
            raise WorkbookError("none of our named blocks is in it")
        members = without_calculation_chain(members, xml)
        xml.calculate_on_load()
        book = Book(stamp, digest, members, xml, binding)
        book.unsaved[xml.part] = members[xml.part].replaced(xml.text.encode("utf-8"))
        book.inputs = read_inputs(self._layout, members, xml, binding.sheets)
        for part in binding.sheets:
            plan(book, part)
        return book

    def _assemble(self, book: Book, frame: Frame) -> tuple[int, int]:
        """Make the parts whose cells changed; counts of changed cells and of blocks on changed sheets."""
        for name, block in frame.blocks.items():
            fit(book, name, block)
        packed: dict[str, Future[Member]] = {}
        cells = count = 0
        for part, sheet in book.sheets.items():
            for name, start in sheet.blocks:
                given = frame.blocks.get(name)
                if given is not None:
                    fill(sheet.values, start, given, book)
            data, changed = sheet.plan.assemble(sheet.values)
            if changed:
                cells += changed
                count += len(sheet.blocks)
                # zlib lets go of the interpreter, so one sheet is packed while the next one is put together.
                packed[part] = self._pool.submit(book.members[part].replaced, data)
        for part, future in packed.items():
            book.unsaved[part] = future.result()
        return cells, count

    def _replace(self, data: bytes, expected: Stamp | None) -> bool:
        """Put `data` in the file's place in one step; False when somebody else changed the file meanwhile."""
        # Of this process alone: a second start on the same workbook must not write into the same file.
        beside = self.path.with_name(f".{self.path.name}.{os.getpid()}.part")
        try:
            with beside.open("wb") as file:
                if expected is not None:
                    self._take_mode(file.fileno())
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            if expected is not None:
                self._refuse_if_open()
                if not self.path.exists() or _stamp(self.path.stat()) != expected:
                    beside.unlink()
                    return False
            beside.replace(self.path)
            self._sweep()
        except OSError as error:
            with suppress(OSError):
                beside.unlink(missing_ok=True)
            raise WorkbookBusy(
                f"{self.path.name} cannot be written ({reason_of(error)}), so this picture was skipped; close the "
                "program that has it open, or make room and allow writing in its folder"
            ) from error
        except WorkbookBusy:
            beside.unlink(missing_ok=True)
            raise
        return True

    def _sweep(self) -> None:
        """Remove what killed processes left unfinished beside the workbook."""
        written = self.path.stat().st_mtime
        for left in self.path.parent.glob(f".{glob.escape(self.path.name)}.*part"):
            with suppress(OSError):  # another start may be sweeping too
                if left.stat().st_mtime < written - _UNFINISHED_S:
                    left.unlink()

    def _take_mode(self, descriptor: int) -> None:
        """Give the new file the old one's access rights; refuse where the old one is read-only."""
        mode = stat.S_IMODE(self.path.stat().st_mode)
        if not mode & stat.S_IWUSR:
            raise WorkbookBusy(
                f"{self.path.name} is read-only, so this picture was not written; allow writing to it, or give "
                "another --workbook"
            )
        if hasattr(os, "fchmod"):
            os.fchmod(descriptor, mode)

    def _notes(self, book: Book, note: str) -> str:
        """Everything that the user should know about this write, as sentences; "" when all is well."""
        found = book.binding
        return workbook_notes(self.path.name, note, found.missing, sorted(book.truncated), held=found.held)


def _is_there(path: Path) -> bool:
    try:
        return path.exists()
    except OSError:  # a name that is too long, a folder that may not be entered: the workbook itself will tell
        return False


def _stamp(found: os.stat_result) -> Stamp:
    return found.st_mtime_ns, found.st_size, found.st_ino


def _digest(data: bytes) -> bytes:
    return hashlib.blake2b(data, digest_size=16).digest()


def _since(started: float) -> float:
    return (perf_counter() - started) * 1000.0
