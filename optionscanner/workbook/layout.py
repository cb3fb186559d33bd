"""Every sheet of the workbook, in order: what stands where, how wide, in which unit. Data only.

The template is built from it, the renderer fills its blocks, hosts find its blocks in the user's file by name.
Sheets: `layout_market.py`, `layout_index.py`, `layout_oi_tracker.py`, `layout_drilldown.py`, `layout_exposure.py`,
`layout_heatmap.py`, `layout_oi_heatmap.py`, `layout_day_plan.py`, `layout_control.py`, `layout_eod.py`,
`layout_system.py`, of examples `layout_examples.py`; nouns: `grid.py`; kinds of cells: `formats.py`.
"""

from __future__ import annotations

from collections.abc import Iterator

from optionscanner.model.control import CONTROL_ACKNOWLEDGED
from optionscanner.workbook.grid import Cells, Column, Line, Named, Sheet, Table
from optionscanner.workbook.layout_control import CONTROL, LATER, answers_of
from optionscanner.workbook.layout_day_plan import DAY_PLAN
from optionscanner.workbook.layout_drilldown import DRILLDOWN
from optionscanner.workbook.layout_eod import EOD_REPORT
from optionscanner.workbook.layout_examples import EXAMPLES
from optionscanner.workbook.layout_exposure import EXPOSURE
from optionscanner.workbook.layout_heatmap import HEATMAP
from optionscanner.workbook.layout_index import INDICES, index_sheet
from optionscanner.workbook.layout_market import ALERT_SUMMARY, STOCKS_GROUPED
from optionscanner.workbook.layout_oi_heatmap import OI_HEATMAP
from optionscanner.workbook.layout_oi_tracker import OI_TRACKER
from optionscanner.workbook.layout_system import NAMES, SYSTEM_HEALTH

SCREEN_PIXELS = 1_840
"""Width of a 1920 x 1080 screen that a spreadsheet leaves to its cells, headings and scroll bar shown."""
SCREEN_ROWS = 36
"""Rows of 20 pixels on the same screen with the ribbon open."""

TEMPLATE_VERSION = "4"
"""Raised when sheets, blocks or names of the layout change; `layout_versions.py` keeps what earlier ones had."""

SHEETS: tuple[Sheet, ...] = (
    ALERT_SUMMARY,
    *(index_sheet(underlying) for underlying in INDICES),
    STOCKS_GROUPED,
    OI_TRACKER,
    DRILLDOWN,
    EXPOSURE,
    HEATMAP,
    OI_HEATMAP,
    DAY_PLAN,
    EOD_REPORT,
    CONTROL,
    SYSTEM_HEALTH,
    NAMES,
)

SAMPLES: tuple[Sheet, ...] = (EXAMPLES,)
"""Sheets that a new workbook brings for the user, after the others; they hold no block and are never looked for."""

BlockSpec = Table | Line | Cells | Named


def blocks(sheet: Sheet) -> Iterator[tuple[str, BlockSpec]]:
    """Every block of a sheet with its name; a table brings its unit line as ``<name>_units``."""
    for table in sheet.tables:
        yield table.name, table
        yield table.units_name, Line(table.units_name, table.name, table.row - 1)
    for line in sheet.lines:
        yield line.name, line
    for cells in sheet.cells:
        yield cells.name, cells
    for named in sheet.named:
        yield named.name, named


CONTROL_BLOCKS: frozenset[str] = frozenset(name for name, _ in blocks(CONTROL))
"""Written even while the user has paused the rest."""


ANSWERS = frozenset({"control", "control_watched", CONTROL_ACKNOWLEDGED, *map(answers_of, LATER)})
"""Blocks that answer the user: they change only when the user did something, and are to be seen at once."""


def fronts(cells: Cells) -> tuple[int, ...]:
    """Places of the state of the front in a block of single cells: the one other thing written while paused."""
    return tuple(i for i, cell in enumerate(cells.cells) if cell.source == "band.front")


def all_columns() -> Iterator[tuple[Sheet, Table, Column]]:
    """Every column of every table that holds values."""
    for sheet in SHEETS:
        for table in sheet.tables:
            for column in table.fields:
                yield sheet, table, column
