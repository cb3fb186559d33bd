"""What the writer process needs of a spreadsheet program beyond xlwings' own classes.

`LibreOfficeFront` (workbook/office) and `ExcelFront` (live/excel.py) implement it. All calls come from one thread of
the writer process. A call may block for ever: the host's deadline is for that.
"""

from __future__ import annotations

from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from optionscanner.errors import WorkbookBusy, WorkbookError


@dataclass(frozen=True, slots=True)
class Opened:
    """A workbook that is open in a spreadsheet program."""

    book: Any
    """`xlwings.Book`."""
    started: int | None
    """Process id of the spreadsheet program where we started it, else None: only that one may ever be ended."""
    note: str = ""
    """One sentence on what was done, e.g. that the open workbook was found and taken up; "" when nothing is to tell."""


class Front(Protocol):
    """A spreadsheet program that shows one workbook."""

    name: str
    """`libreoffice` or `excel`."""
    deadline: float | None
    """Seconds a frame may take before the program counts as frozen; None: it may refuse but never freezes us."""

    def open(self, path: Path) -> Opened:
        """Take up the workbook of exactly this path where it is open, else open it, starting the program if need be.

        Raises WorkbookBusy where it cannot be had now (locked by another program, opened twice), WorkbookError where
        the user must act (no such program, not a workbook).
        """

    def is_open(self, opened: Opened) -> bool:
        """Whether the user still has the workbook open; False after it was closed, whatever the program does."""

    def reopened(self, opened: Opened) -> Opened | None:
        """The workbook that the user closed, taken up where they have opened it since in the same program, else None.

        Never opens a workbook and never starts a program; cheap enough to be asked every second.
        """

    def disturbed(self, opened: Opened) -> str:
        """Why nothing may be written at this moment (`editing`, `copying`, `dialog`, `busy`), "" when it may."""

    def failure(self, error: Exception) -> FrontLost | FrontBusy | None:
        """What an exception that came out of an xlwings call means; None where it is no business of the program."""

    def quiet(self, opened: Opened) -> AbstractContextManager[None]:
        """Around one frame: no repaint per write, the user's undo list untouched."""

    def order_held(self, opened: Opened, sheet: str, address: str) -> bool:
        """Whether a filter of the user's hides rows of `address` (``A6:R35``) on `sheet`."""

    def save(self, opened: Opened) -> None:
        """Save the workbook in its place and format; raises WorkbookBusy where it cannot be done now."""

    def save_copy(self, opened: Opened, to: Path) -> None:
        """Write the workbook as it stands to another file of the same format; name and modified flag stay."""

    def pdf(self, opened: Opened, to: Path, sheets: tuple[str, ...]) -> None:
        """Print these sheets into a PDF without showing the user anything."""

    def run_macro(self, opened: Opened, name: str, *arguments: Any) -> Any:
        """Run a macro of the workbook (`Module.Name`); returns what it returns."""

    def close(self, opened: Opened, *, leave_open: bool, save: bool = True) -> None:
        """Let go; with `leave_open` the user keeps the workbook, else it is closed, and what we started ends.

        `save`: whether it is saved in its place before.
        """


class FrontLost(WorkbookError):
    """The spreadsheet program or the workbook went away during a call (closed, killed)."""


class FrontBusy(WorkbookBusy):
    """The spreadsheet program refused a call for the moment; the newest frame is given again later."""
