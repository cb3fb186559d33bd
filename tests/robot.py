"""A user at the keyboard of the open workbook: real key presses and mouse clicks, and a memory of what must be there.

`Robot.work` draws actions from a seed. Everything it types, pastes or moves is read back by `office_eye`, which is
independent of what writes the workbook. Between two of its actions nothing may change but our blocks: neither a cell
of the user's, nor the sheet in sight, the selection, the scroll position, the zoom, the styles, the undo list. What
differs is a `Loss`, with a picture of the screen.
"""

from __future__ import annotations

import random
import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from optionscanner.workbook.layout_market import STOCK_ROWS
from tests.office_eye import Eye, letters
from tests.screen import Screen

OWN = "My notes"
PATIENCE_S = 30.0
"""Longest wait for anything to happen on a busy machine before it counts as not happening."""
QUIET_FRAMES = 2
"""Cycles of the engine between two actions, and while a cell is edited, a dialog is open, something is copied."""

UNDO_STEPS = 100
"""LibreOffice's own limit of the undo list."""

DIALOGS = {
    "ctrl+1": "Format Cells",
    "ctrl+h": "Find and Replace",
    "ctrl+F3": "Manage Names",
    "ctrl+F2": "Function Wizard",
    "F5": "Navigator",
    "ctrl+plus": "Insert Cells",
}
_INSERT_SHEET_AT_END, _RENAME_SHEET, _MOVE_SHEET = 9, 18, 21
"""Steps down in the Sheet menu."""
_SORT_DESCENDING = 2
"""Steps down in the Data menu."""

Cells = dict[str, str]


@dataclass(frozen=True)
class Loss:
    """Something of the user's was lost or disturbed."""

    action: str
    what: str
    picture: Path

    def __str__(self) -> str:
        return f"{self.action}: {self.what} ({self.picture})"


@dataclass
class Diary:
    """What the robot did."""

    actions: Counter[str] = field(default_factory=Counter)
    losses: list[Loss] = field(default_factory=list)
    lags: list[int] = field(default_factory=list)
    """Cycles that the sheet was behind, at the first look after each pause."""
    catching_up: list[float] = field(default_factory=list)
    """Seconds until the sheet showed the cycle that was the newest when each pause began."""
    undoable: int = 0
    not_undoable: int = 0
    """Entries of those whose undoing was tried that were in the user's undo list, and that were not."""
    frames: int = 0
    """Pictures that arrived between actions."""


class Robot:
    """Works on one workbook in one window."""

    def __init__(
        self,
        screen: Screen,
        eye: Eye,
        book: Path,
        *,
        seed: int,
        newest: Callable[[], int],
        alive: Callable[[], str],
    ) -> None:
        """`newest` tells the engine's newest cycle; `alive` says "" or what of the engine has died."""
        self.screen = screen
        self.eye = eye
        self.path = str(book)
        self.title = book.name
        self.draw = random.Random(seed)
        self.newest = newest
        self.alive = alive
        self.diary = Diary()
        self.action = "start"
        self.mine: dict[str, Cells] = {}
        """sheet -> cell -> formula, of everything it typed or pasted and that must stay."""
        self._count = 0
        self._row = 0
        self._beside: dict[str, int] = {}
        self._columns: dict[str, int] = {}
        self._moved: list[str] = []
        self._baseline: dict[str, Any] = {}
        self.patience = PATIENCE_S
        self.quiet = QUIET_FRAMES

    # --- the work

    def begin(self) -> None:
        """Take the window, and add a sheet of its own."""
        self.screen.focus(self.title)
        self.wait_for_frames(1)
        self.add_sheet(OWN)
        self._remember()

    def work(self, *, until: Callable[[], bool], only: Sequence[str] = ()) -> Diary:
        """Act until told to stop; each round begins with every kind of action once, in an order that the seed draws."""
        while not until():
            for name in self.drawn(only or ACTIONS):
                if until():
                    break
                self.act(name)
        self.finish()
        return self.diary

    def drawn(self, names: Iterable[str]) -> list[str]:
        """These names in an order that the seed draws."""
        order = list(names)
        self.draw.shuffle(order)
        return order

    def act(self, name: str) -> None:
        """One action, its proof, and the pause after it."""
        self.action = name
        self._compare()
        ACTIONS[name](self)
        self.diary.actions[name] += 1
        self._end_modes()
        self._check_mine()
        self._remember()
        self.pause()

    def finish(self) -> None:
        """A last look at everything."""
        self.action = "the end"
        self._compare()
        self._check_mine()

    # --- actions

    def type_number(self) -> None:
        """A number into the next free cell of its own sheet."""
        self.enter(OWN, self._next(), f"{self.draw.randint(1, 99_999)}.{self.draw.randint(1, 9)}")

    def type_text(self) -> None:
        """A text into its own sheet."""
        self.enter(OWN, self._next(), self._token())

    def type_slowly(self) -> None:
        """A text that is half typed while pictures arrive."""
        cell, text = self._next(), self._token() + self._token()
        self.goto(OWN, cell)
        half = len(text) // 2
        self.screen.type(text[:half])
        self.wait_for_frames(self.quiet, showing=False)
        self.screen.type(text[half:])
        self.screen.key("Return")
        self._expect(OWN, cell, text)

    def type_beside_our_table(self) -> None:
        """A text beside a table of ours, and one in the free rows under the sheet's last block."""
        sheet = self.draw.choice(["ALERT_SUMMARY", "NIFTY", "SYSTEM_HEALTH"])
        row = self._beside[sheet] = self._beside.get(sheet, 5) + 1
        self.enter(sheet, f"{letters(self._free_column(sheet))}{row}", self._token())

    def type_formula(self) -> None:
        """A formula on one of our names, or on our cells."""
        text = self.draw.choice(
            [
                "=NIFTY_SPOT*2+1",
                "=$ALERT_SUMMARY.C6+1",
                "=SUM($STOCKS_GROUPED.C6:C20)+1",
                "=CYCLE*1",
                "=IF(NIFTY_SPOT>0;1;2)+0",
            ]
        )
        cell = self._next()
        self.goto(OWN, cell)
        self.screen.type(text)
        self.screen.key("Return")
        self._expect(OWN, cell, text)
        shown = self.eye.values(self.path, f"${_quoted(OWN)}.{cell}")[0][0]
        if not isinstance(shown, float):
            self._lose(f"{cell}: {text} shows {shown!r}, expected a number")

    def edit_formula(self) -> None:
        """Add to a formula or a number that it typed before, with pictures arriving while it is edited."""
        cells = [cell for cell, text in self.mine.get(OWN, {}).items() if text.startswith("=") and len(text) < 60]
        if not cells:
            self.type_formula()
            return
        cell = self.draw.choice(cells)
        self.goto(OWN, cell)
        self.screen.key("F2")
        self.screen.type("+")
        self.wait_for_frames(self.quiet, showing=False)
        self.screen.type("1")
        self.screen.key("Return")
        self._expect(OWN, cell, self.mine[OWN][cell] + "+1")

    def escape_an_edit(self) -> None:
        """Begin to overwrite a cell, and leave it with Escape."""
        cell = self._some_own()
        self.goto(OWN, cell)
        self.screen.type(self._token())
        self.wait_for_frames(1, showing=False)
        self.screen.key("Escape")

    def copy_own(self) -> None:
        """Ctrl+C, wait, Ctrl+V of its own cells."""
        cell = self._some_own()
        text = self.mine[OWN][cell]
        self.goto(OWN, cell)
        self.screen.key("ctrl+c")
        self.wait_for_frames(self.quiet, showing=False)
        target = self._next()
        self.goto(OWN, target)
        self.screen.key("ctrl+v")
        if text.startswith("=") and "$" in text:
            self._adopt(OWN, target)  # references move with the cell
        else:
            self._expect(OWN, target, text)

    def copy_ours(self) -> None:
        """Ctrl+C, wait, Ctrl+V of cells of our tables: what was copied is pasted, whatever was written since."""
        self._copy_ours(lambda: self.screen.key("ctrl+v"))

    def paste_special(self) -> None:
        """The same through the dialog of Paste Special."""

        def paste() -> None:
            self.screen.key("ctrl+shift+v")
            self.screen.window("Paste Special", within=PATIENCE_S)
            self.wait_for_frames(1, showing=False)
            self.screen.key("Return")

        self._copy_ours(paste)

    def scroll(self) -> None:
        """Page down, to the right, by the wheel; it must stay there."""
        self.goto(self.draw.choice(["STOCKS_GROUPED", "NIFTY", "ALERT_SUMMARY"]), f"B{self.draw.randint(7, 30)}")
        for key in self.draw.choices(["Next", "Down", "Right", "alt+Next", "ctrl+Down"], k=3):
            self.screen.key(key)
        self.screen.click(900, 700, 5, times=self.draw.randint(1, 6))

    def zoom(self) -> None:
        """Ctrl and the wheel."""
        before = self.eye.view(self.path)["zoom"]
        self.screen.tool("mousemove", 900, 600, "keydown", "ctrl", "click", 4 if before <= 110 else 5, "keyup", "ctrl")
        if not self._until(lambda: self.eye.view(self.path)["zoom"] != before):
            self._lose(f"the zoom stayed at {before}")

    def dialog(self) -> None:
        """Open a dialog, let pictures arrive, close it."""
        keys, title = self.draw.choice(list(DIALOGS.items()))
        self.goto(OWN, self._next())
        self.screen.key(keys)
        self.screen.window(title, within=PATIENCE_S)
        self.wait_for_frames(self.quiet, showing=False)
        if not any(title in shown for _, shown in self.screen.windows()):
            self._lose(f"the dialog {title} was closed for the user")
        self.screen.key("Escape")
        if not self._until(lambda: not any(title in shown for _, shown in self.screen.windows())):
            self._lose(f"the dialog {title} does not close")

    def print_preview(self) -> None:
        """Open and leave the print preview."""
        self.screen.key("ctrl+shift+o")
        time.sleep(1.0)
        self.wait_for_frames(1, showing=False)
        self.screen.key("Escape")
        time.sleep(0.5)

    def undo_and_redo(self) -> None:
        """Ctrl+Z takes back the user's own last entry, and Ctrl+Y brings it again, whatever was written meanwhile."""
        cell, text = self._next(), self._token()
        self.goto(OWN, cell)
        steps = self.eye.counts(self.path)["undo steps"]
        self.screen.type(text)
        self.screen.key("Return")
        self._expect(OWN, cell, text)
        if self.eye.counts(self.path)["undo steps"] != min(steps + 1, UNDO_STEPS):
            # An entry that ends in the very milliseconds of a write is not listed by LibreOffice.
            self.diary.not_undoable += 1
            return
        self.diary.undoable += 1
        self.wait_for_frames(self.quiet)
        self.screen.key("ctrl+z")
        self._expect(OWN, cell, "")
        self.wait_for_frames(1)
        self.screen.key("ctrl+y")
        self._expect(OWN, cell, text)

    def filter_ours(self) -> None:
        """Filter a ranked table: rows hidden, and the order of names, stay while the filter is on."""
        names = f"$STOCKS_GROUPED.B6:B{5 + STOCK_ROWS}"
        self.goto("STOCKS_GROUPED", "", "stocks")
        self.screen.key("ctrl+shift+l")
        self.wait_for_frames(self.quiet)
        self.goto("STOCKS_GROUPED", "B5")
        self.screen.key("alt+Down")
        time.sleep(1.0)
        self.screen.type(self.draw.choice("ainst"), delay=60)
        time.sleep(0.5)
        self.screen.key("Return")
        all_rows = self._baseline["shape"]["sheets"]["STOCKS_GROUPED"]["shown rows"]
        if not self._until(lambda: self._shown_rows() != all_rows):
            self._lose("the filter hid nothing")
        self.wait_for_frames(1)
        rows, before = self._shown_rows(), self.eye.values(self.path, names)
        self.wait_for_frames(self.quiet + 1)
        if self.eye.values(self.path, names) != before:
            self._lose("the order of the stocks changed under a filter")
        if self._shown_rows() != rows:
            self._lose("other rows are hidden than the filter hid")
        self.goto("STOCKS_GROUPED", "", "stocks")
        self.screen.key("ctrl+shift+l")
        if not self._until(lambda: self._shown_rows() == all_rows):
            self._lose("rows stay hidden without the filter")

    def _shown_rows(self) -> str:
        shown: str = self.eye.shape(self.path)["sheets"]["STOCKS_GROUPED"]["shown rows"]
        return shown

    def sort_ours(self) -> None:
        """Sort some rows of a ranked table: afterwards every name still has its own numbers, each once."""
        self.goto("STOCKS_GROUPED", "A6:R25")
        self.menu("alt+d", _SORT_DESCENDING)
        self.wait_for_frames(self.quiet)
        names = [row[0] for row in self.eye.values(self.path, "$STOCKS_GROUPED.B6:B245") if row[0] != ""]
        doubled = [name for name, times in Counter(names).items() if times > 1]
        if doubled:
            self._lose(f"after sorting, {doubled[:5]} stand twice among the stocks")

    def insert_column(self) -> None:
        """A column of its own inside a table of ours, filled at once."""
        if self._columns.get("inserted", 0) >= 3:
            self.type_beside_our_table()
            return
        self._columns["inserted"] = self._columns.get("inserted", 0) + 1
        sheet, header = "ALERT_SUMMARY", 5
        column = self.draw.randint(4, 10)
        self.goto(sheet, f"{letters(column)}{header}")
        self.screen.key("ctrl+space", "ctrl+plus")
        if not self._until(lambda: self._formula(sheet, f"{letters(column)}{header}") == ""):
            self._lose("no column was inserted")
            return
        self._shift(sheet, column)
        for row in (header, header + 1, header + 2):
            self.enter(sheet, f"{letters(column)}{row}", self._token())

    def add_and_rename_sheet(self) -> None:
        """A further sheet; then it gets another name."""
        if self._columns.get("sheets", 0) >= 4:
            self.type_text()
            return
        self._columns["sheets"] = self._columns.get("sheets", 0) + 1
        name, other = f"Desk {self._columns['sheets']}", f"Ideas {self._columns['sheets']}"
        self.add_sheet(name)
        self.enter(name, "B2", self._token())
        self.rename_sheet(name, other)

    def move_sheet(self) -> None:
        """Move the last but one of the sheets to the front by the dialog; blocks and notes are followed by name."""
        order = self.eye.shape(self.path)["order"]
        moved = order[-2]
        self.goto(moved, "A1")
        self.menu("alt+s", _MOVE_SHEET)
        self.screen.window("Move/Copy Sheet", within=PATIENCE_S)
        self.wait_for_frames(1, showing=False)
        self.screen.key("Return")
        if not self._until(lambda: self.eye.shape(self.path)["order"][0] == moved):
            self._lose(f"{moved} was not moved to the front")

    def move_block(self) -> None:
        """Cut a block of ours and paste it where there is room: it is filled there from the next picture on."""
        left = [name for name in ("NIFTY", "BANKNIFTY", "FINNIFTY") if name not in self._moved]
        if not left:
            self.type_text()
            return
        sheet = left[0]
        self._moved.append(sheet)
        self.goto(sheet, "", f"{sheet}_scan")
        self.screen.key("ctrl+x")
        self.wait_for_frames(self.quiet, showing=False)
        self.goto(sheet, "AJ60")
        self.screen.key("ctrl+v")
        self.screen.key("Escape")
        self.wait_for_frames(self.quiet)

    # --- hands

    def goto(self, sheet: str, cells: str, name: str = "") -> None:
        """Select cells, or a defined name, by the Name Box."""
        wanted = name or f"${_quoted(sheet)}.{cells}"
        for _ in range(3):
            self.screen.key("ctrl+shift+t", "ctrl+a", delay=60)
            self.screen.type(wanted)
            self.screen.key("Return")
            if self._until(lambda: self._stands(sheet, cells), 3.0):
                return
        self._lose(f"the selection did not go to {wanted}: {self.eye.view(self.path)}, window {self.screen.active()!r}")
        raise AssertionError(str(self.diary.losses[-1]))

    def enter(self, sheet: str, cell: str, text: str) -> None:
        """Go to a cell, type, Return; it must be there in full."""
        self.goto(sheet, cell)
        self.screen.type(text)
        self.screen.key("Return")
        self._expect(sheet, cell, text)

    def menu(self, opens: str, down: int) -> None:
        """Choose the entry so many steps below the first one of a menu."""
        self.screen.key(opens)
        time.sleep(0.4)
        self.screen.key(*["Down"] * down, "Return", delay=60)

    def add_sheet(self, name: str) -> None:
        """Sheet, Insert Sheet at End."""
        self.menu("alt+s", _INSERT_SHEET_AT_END)
        self.screen.window("Append Sheet", within=PATIENCE_S)
        self.screen.key("ctrl+a")
        self.screen.type(name)
        self.screen.key("Return")
        if not self._until(lambda: name in self.eye.shape(self.path)["order"]):
            self._lose(f"the sheet {name} was not added")
        self.mine.setdefault(name, {})

    def rename_sheet(self, old: str, new: str) -> None:
        """Sheet, Rename Sheet."""
        self.goto(old, "A1")
        self.menu("alt+s", _RENAME_SHEET)
        self.screen.window("Rename Sheet", within=PATIENCE_S)
        self.screen.key("ctrl+a")
        self.screen.type(new)
        self.screen.key("Return")
        if not self._until(lambda: new in self.eye.shape(self.path)["order"]):
            self._lose(f"the sheet {old} was not renamed to {new}")
        if old in self.mine:
            self.mine[new] = self.mine.pop(old)

    # --- eyes

    def wait_for_frames(self, count: int, *, showing: bool = True) -> None:
        """Let so many cycles of the engine pass; with `showing` their pictures must arrive in the sheet, too."""
        first = self.newest()
        if not self._until(lambda: self.newest() >= first + count):
            self._lose(f"the engine made no {count} cycles in {self.patience:.0f} s: {self.alive() or 'it runs'}")
            raise AssertionError(str(self.diary.losses[-1]))
        if showing:
            self._caught_up(first + count)

    def pause(self) -> None:
        """Hands off the keyboard: the sheet catches up, within a cycle or two."""
        begun, goal = time.monotonic(), self.newest()
        shown = self._shown()
        self.diary.lags.append(max(0, goal - shown))
        if self._caught_up(goal):
            self.diary.catching_up.append(time.monotonic() - begun)
        self.wait_for_frames(self.quiet)
        self.diary.frames += max(0, self._shown() - shown)

    def _caught_up(self, cycle: int) -> bool:
        if self._until(lambda: self._shown() >= cycle):
            return True
        fronts = {v[0][0] for n, v in self.eye.blocks(self.path).items() if n.endswith("_band")}
        self._lose(f"the sheet shows cycle {self._shown()}, the engine is at {self.newest()}; {fronts}; {self.alive()}")
        return False

    def _shown(self) -> int:
        value = self.eye.values(self.path, "CYCLE")[0][0]
        return int(value) if isinstance(value, float) else 0

    def _stands(self, sheet: str, cells: str) -> bool:
        view = self.eye.view(self.path)
        if sheet and view["sheet"] != sheet:
            return False
        return (
            not cells
            or view["selection"].replace("$", "").rpartition(".")[2] == cells.partition(":")[0]
            or (":" in cells and view["selection"].replace("$", "").rpartition(".")[2] == cells)
        )

    def _formula(self, sheet: str, cell: str) -> str:
        return self.eye.formulas(self.path, f"${_quoted(sheet)}.{cell}")[0][0]

    def _expect(self, sheet: str, cell: str, text: str) -> None:
        """The cell must hold this soon, and from now on."""
        if self._until(lambda: self._formula(sheet, cell) == text, 5.0):
            self.mine.setdefault(sheet, {})[cell] = text
            return
        self._lose(f"{sheet}.{cell} holds {self._formula(sheet, cell)!r}, typed was {text!r}")

    def _adopt(self, sheet: str, cell: str) -> None:
        """Take what a cell holds as what must stay; blank is a loss."""
        text = self._formula(sheet, cell)
        if text == "":
            self._lose(f"{sheet}.{cell} is blank after pasting")
        self.mine.setdefault(sheet, {})[cell] = text

    def _check_mine(self) -> None:
        others = self.eye.others(self.path)
        for sheet, cells in self.mine.items():
            for cell, text in cells.items():
                found = others.get(sheet, {}).get(cell, "")
                if found != text:
                    self._lose(f"{sheet}.{cell} held {text!r} and now {found!r}")
                    cells[cell] = found
        dead = self.alive()
        if dead:
            self._lose(dead)

    def _state(self) -> dict[str, Any]:
        return {
            "others": self.eye.others(self.path),
            "view": self.eye.view(self.path),
            "counts": self.eye.counts(self.path),
            "shape": self.eye.shape(self.path),
            "window": self.screen.active(),
        }

    def _remember(self) -> None:
        self._baseline = self._state()

    def _compare(self) -> None:
        """Nothing but our blocks may have changed since the last action."""
        now = self._state()
        for what, before in self._baseline.items():
            if now[what] != before:
                self._lose(f"{what} changed between two actions: {_difference(before, now[what])}")
        self._baseline = now

    def _end_modes(self) -> None:
        """Escape ends the marching ants of a copy and the editing of a cell."""
        self.screen.key("Escape")
        time.sleep(0.1)

    def _until(self, done: Callable[[], bool], seconds: float = 0.0) -> bool:
        end = time.monotonic() + (seconds or self.patience)
        while True:
            if done():
                return True
            if time.monotonic() > end:
                return False
            time.sleep(0.05)

    def _lose(self, what: str) -> None:
        self.diary.losses.append(Loss(self.action, what, self.screen.picture(f"loss-{self.action}")))

    # --- places

    def _copy_ours(self, paste: Callable[[], None]) -> None:
        source = self.draw.choice(["$ALERT_SUMMARY.A6:C8", "$NIFTY.J15:N17", "$STOCKS_GROUPED.B6:E8"])
        sheet, _, cells = source[1:].partition(".")
        self.goto(sheet, cells)
        before = self.eye.values(self.path, source)
        self.screen.key("ctrl+c")
        time.sleep(0.3)
        after = self.eye.values(self.path, source)
        self.wait_for_frames(self.quiet, showing=False)
        height, width = len(before), len(before[0])
        self._row += 1
        top = self._row + 1
        self._row += height
        target = f"${_quoted(OWN)}.A{top}:{letters(width)}{top + height - 1}"
        self.goto(OWN, f"A{top}")
        paste()
        self._until(lambda: self.eye.values(self.path, target) in (before, after), 5.0)
        pasted = self.eye.values(self.path, target)
        if pasted not in (before, after):
            self._lose(f"pasted {pasted}, copied {before} or {after}")
        for i, row in enumerate(self.eye.formulas(self.path, target)):
            for j, text in enumerate(row):
                if text:
                    self.mine[OWN][f"{letters(j + 1)}{top + i}"] = text

    def _next(self) -> str:
        self._row += 1
        return f"A{self._row}"

    def _token(self) -> str:
        """A text that no other begins with, so that the office's auto-completion has nothing to offer."""
        self._count += 1
        return f"{self.draw.choice('bcdfghjkmnpqrstvwxz')}{self._count:04d}{self.draw.randrange(16**6):06x}z"

    def _some_own(self) -> str:
        cells = [cell for cell, text in self.mine[OWN].items() if text and cell.startswith("A")]
        if not cells:
            self.type_text()
            return self._some_own()
        return self.draw.choice(cells)

    def _free_column(self, sheet: str) -> int:
        """A column right of everything on the sheet at the beginning."""
        return 40 + (self._columns.get("inserted", 0) if sheet == "ALERT_SUMMARY" else 0)

    def _shift(self, sheet: str, column: int) -> None:
        """A column was inserted: its notes right of it stand one column further."""
        moved: Cells = {}
        for cell, text in self.mine.get(sheet, {}).items():
            name = cell.rstrip("0123456789")
            at = 0
            for letter in name:
                at = at * 26 + ord(letter) - 64
            moved[f"{letters(at + (at >= column))}{cell[len(name) :]}"] = text
        self.mine[sheet] = moved


ACTIONS: dict[str, Callable[[Robot], None]] = {
    name: getattr(Robot, name)
    for name in (
        "type_number", "type_text", "type_slowly", "type_beside_our_table", "type_formula", "edit_formula",
        "escape_an_edit", "copy_own", "copy_ours", "paste_special", "scroll", "zoom", "dialog", "print_preview",
        "undo_and_redo", "filter_ours", "sort_ours", "insert_column", "add_and_rename_sheet", "move_sheet",
        "move_block",
    )
}  # fmt: skip


def _quoted(sheet: str) -> str:
    return f"'{sheet}'" if not sheet.replace("_", "").isalnum() else sheet


def _difference(before: Any, after: Any) -> str:
    """Where two nested mappings differ, in few words."""
    if isinstance(before, dict) and isinstance(after, dict):
        keys = [key for key in {**before, **after} if before.get(key) != after.get(key)]
        return "; ".join(f"{key}: {_difference(before.get(key), after.get(key))}" for key in keys[:5])
    return f"{before!r} -> {after!r}"[:300]
