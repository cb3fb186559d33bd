"""The engine's numbers, the history's and the cells' are the same, in the open workbook's file and the spliced one.

Each host runs the same session in a process of its own (`witness` keeps what the engine handed it); the files are read
by openpyxl, the history by SQL.
"""

from __future__ import annotations

import math
import pickle
import sys
from pathlib import Path

import pytest

from optionscanner.model.frame import Cell
from optionscanner.workbook.formats import Kind
from optionscanner.workbook.grid import Cells
from optionscanner.workbook.layout import SHEETS
from optionscanner.workbook.layout_index import INDICES
from tests import program
from tests.live_session import Place, session
from tests.recorded_days import january_30
from tests.screen import require_office
from tests.workbook_tools import read_back

__all__ = ["january_30"]
pytestmark = [
    pytest.mark.office,
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore:.*extension is not supported:UserWarning"),
]

IN_UNITS = "workbook:\n  units: UNITS\n  resort_s: 0\n"
"""Sorted in every frame: held rows would stand as earlier frames left them, and which are shown is a matter of time."""
OF_THE_MACHINE = frozenset({"SYSTEM_HEALTH", "CONTROL", "EOD_REPORT"})
"""Sheets that tell how this run went and when, on the machine's clock."""
IN_PER_CENT = (Kind.VOLATILITY, Kind.VOLATILITY_CHANGE, Kind.SHARE)
FROM_HISTORY = (
    "price", "open_interest", "flow", "readiness", "exposure", "exposure_total", "build_up", "open_interest_change",
    "volatility_rank",
)  # fmt: skip

Rows = dict[str, list[tuple[Cell, ...]]]


def ran(place: Place, front: str, *arguments: object) -> tuple[Rows, Rows]:
    """What the engine gave the host last, and what the file holds after the session."""
    kept = place.folder / "frame.pickle"
    witness = [sys.executable, "-m", "tests.witness", kept, "--"]
    with session(place, "--speed", "max", *arguments, prefix=witness, front=front) as run:
        assert run.wait() == 0, run.describe()
        assert "Traceback" not in "\n".join(run.errors), run.errors
    given = pickle.loads(kept.read_bytes())
    return {name: list(rows) for name, rows in given.items()}, read_back(place.workbook)


def same(one: Cell, other: Cell) -> bool:
    if isinstance(one, float) and isinstance(other, float):
        # A spreadsheet keeps 15 digits; openpyxl gives times to the microsecond.
        return math.isclose(one, other, rel_tol=1e-13, abs_tol=1e-9)
    return one == other


def differences(wanted: Rows, found: Rows, but: frozenset[tuple[str, int]] = frozenset()) -> list[str]:
    """Every cell of every block that is not as wanted; a shorter block wants blanks below."""
    told = []
    for name, rows in wanted.items():
        if name not in found:
            told.append(f"{name} is not in the file")
            continue
        width = len([*rows, *found[name], ()][0])
        blank, height = (None,) * width, max(len(rows), len(found[name]))
        padded, shown_rows = ([*some, *[blank] * (height - len(some))] for some in (rows, found[name]))
        for number, (row, shown) in enumerate(zip(padded, shown_rows, strict=True)):
            told += [
                f"{name} row {number} column {i}: {cell!r}, found {got!r}"
                for i, (cell, got) in enumerate(zip(row, shown, strict=True))
                if (name, number) not in but and not same(cell, got)
            ]
    return told


def band_cells(*sources: str) -> frozenset[tuple[str, int]]:
    """(block, index) of these cells of the sheets' bands."""
    return frozenset(
        (block.name, i)
        for sheet in SHEETS
        for block in sheet.cells
        for i, cell in enumerate(block.cells)
        if cell.source in sources
    )


def of_the_market(blocks: Rows) -> Rows:
    """Blocks without those of sheets that tell of the run."""
    ours = {
        name
        for sheet in SHEETS
        if sheet.name not in OF_THE_MACHINE
        for name in (
            *(table.name for table in sheet.tables), *(table.units_name for table in sheet.tables),
            *(line.name for line in sheet.lines), *(cells.name for cells in sheet.cells),
            *(named.name for named in sheet.named),
        )
    }  # fmt: skip
    return {name: rows for name, rows in blocks.items() if name in ours}


def assert_of_history(place: Place, found: Rows) -> int:
    """Every cell that shows a column of a stored reading holds what SQL finds for its name; how many there were."""
    stored = {table: readings(place.history, table) for table in FROM_HISTORY}
    compared = 0
    for sheet in SHEETS:
        for table in sheet.tables:
            sources = [column.source for column in table.fields]
            if sources.count("row.name") == 1:  # tiles show several names in a row
                for row in found[table.name]:
                    name = row[sources.index("row.name")]
                    if name is not None:
                        cells = zip(table.fields, row, strict=True)
                        compared += sum(agree(stored, str(name), c.source, c.kind, got) for c, got in cells)
        for block in sheet.cells:
            if isinstance(block, Cells) and sheet.name in INDICES and not block.name.endswith("_band"):
                cells = zip(block.cells, found[block.name], strict=True)
                compared += sum(agree(stored, sheet.name, c.source, c.kind, got[0]) for c, got in cells)
    return compared


def agree(stored: dict[str, dict[str, dict[str, object]]], name: str, source: str, kind: Kind, got: Cell) -> bool:
    """Whether the cell shows a stored reading, which it then must hold."""
    table, _, column = source.partition(".")
    if table not in stored or name not in stored[table] or column not in stored[table][name]:
        return False
    value = stored[table][name][column]
    wanted: Cell
    if value is None or isinstance(value, str):
        wanted = value or None
    elif kind is Kind.TIME:
        wanted = float(str(value)) / 86_400_000 + 25_569 + 5.5 / 24
    else:
        wanted = float(str(value)) * (100.0 if kind in IN_PER_CENT else 1.0)
    assert wanted is None or got is not None, (name, source, wanted, got)
    if isinstance(wanted, float):
        assert got == pytest.approx(wanted, rel=1e-12, abs=1e-9), (name, source)
    elif wanted is not None:
        assert got == wanted, (name, source)
    return True


def readings(history: Path, table: str) -> dict[str, dict[str, object]]:
    """underlying -> column -> value, of the nearest expiry's newest row."""
    columns = [str(row[1]) for row in program.rows(history, f"PRAGMA table_info({table})")]
    order = "at, expiry DESC" if "expiry" in columns else "at"
    found = program.rows(history, f"SELECT {', '.join(columns)} FROM {table} ORDER BY {order}")
    return {str(row[columns.index("underlying")]): dict(zip(columns, row, strict=True)) for row in found}


def check(live: Place, file: Place, *arguments: object) -> None:
    """Run both hosts on the same session and compare everything with everything."""
    require_office()
    given_live, shown_live = ran(live, "libreoffice", *arguments)
    given_file, shown_file = ran(file, "file", *arguments)
    front = band_cells("band.front")
    assert differences(given_live, shown_live, front) == []
    assert differences(given_file, shown_file) == []
    of_run = band_cells("band.front", "band.cycle", "band.message")
    assert differences(of_the_market(given_live), of_the_market(given_file), of_run) == []
    assert differences(of_the_market(shown_live), of_the_market(shown_file), of_run) == []
    for place, shown in ((live, shown_live), (file, shown_file)):
        assert assert_of_history(place, shown) > 100
    assert program.rows(live.history, "SELECT count(*) FROM quote") == program.rows(
        file.history, "SELECT count(*) FROM quote"
    )


def test_a_simulated_morning(tmp_path: Path) -> None:
    names = ("NIFTY", "BANKNIFTY", "SENSEX", "RELIANCE", "TCS", "M&M", "BAJAJ-AUTO")
    live, file = (Place(tmp_path / name, names=names, more=IN_UNITS) for name in ("live", "file"))
    check(live, file, "--until", "09:50", "--seed", 11)


@pytest.mark.data
def test_a_recorded_morning(january_30: Path, tmp_path: Path) -> None:
    live, file = (Place(tmp_path / name, names=(), more=IN_UNITS) for name in ("live", "file"))
    check(live, file, "--until", "10:30", "--replay", january_30)
