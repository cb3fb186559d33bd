"""The layout: what fits one screen, that blocks do not overlap, that every column has a source and a unit."""

import itertools
import re

import numpy as np
import pytest

from optionscanner.model.columns import ALERTS, READINGS
from optionscanner.model.reports import Event, HealthItem
from optionscanner.workbook.formats import Kind, Units
from optionscanner.workbook.grid import Cells, Line, Named, Table, pixels
from optionscanner.workbook.layout import SCREEN_PIXELS, SCREEN_ROWS, SHEETS, all_columns, blocks
from optionscanner.workbook.layout_index import INDICES, PICKED

BY_NAME = {sheet.name: sheet for sheet in SHEETS}
MUST_BE_SEEN = {
    "ALERT_SUMMARY": ["alert_summary", "alerts_feed"],
    **{index: [f"{index}_chain", f"{index}_scan", f"{index}_ignored"] for index in INDICES},
    "STOCKS_GROUPED": [],
    PICKED: ["drill_chain"],
    "EXPOSURE": [],
    "HEATMAP": ["heatmap"],
    "OI_HEATMAP": ["oi_heatmap"],
    "OI_TRACKER": ["tracker_left_chain", "tracker_right_chain"],
    "DAY_PLAN": ["plan_indices", "plan_gaps", "plan_participants", "plan_files", "plan_changes", "plan_events"],
    "EOD_REPORT": ["eod_indices"],
    "CONTROL": [],
    "SYSTEM_HEALTH": ["health", "completeness", "worst_names"],
    "NAMES": [],
}


def right_edge(sheet, column):
    return sum(pixels(width) for width in sheet.widths[:column])


def row_pixels(sheet, row):
    """Four pixels are three points."""
    return sheet.heights.get(row, 15.0) * 4 / 3


def cells_of(sheet):
    """(row, column) of every cell of every block, with the block's name."""
    for name, block in blocks(sheet):
        if isinstance(block, Table):
            columns = range(block.column, block.column + len(block.columns))
            yield from ((name, row, c) for row in range(block.row, block.last_row + 1) for c in columns)
        elif isinstance(block, Line):
            table = sheet.table(block.table)
            yield from ((name, block.row, table.column + i) for i in range(len(table.columns)))
        elif isinstance(block, Cells):
            yield from ((name, cell.row, cell.column) for cell in block.cells)
        else:
            yield from ((name, block.row + i, block.column) for i in range(len(block.cells)))
    for cell in sheet.inputs:
        yield from ((cell.name, cell.row + i, cell.column) for i in range(cell.height))


def test_sheets_stand_in_the_documented_order():
    assert list(BY_NAME) == [
        "ALERT_SUMMARY", "NIFTY", "BANKNIFTY", "FINNIFTY", "MIDCPNIFTY", "SENSEX",
        "STOCKS_GROUPED", "OI_TRACKER", "DRILLDOWN", "EXPOSURE", "HEATMAP", "OI_HEATMAP", "DAY_PLAN", "EOD_REPORT",
        "CONTROL", "SYSTEM_HEALTH", "NAMES",
    ]  # fmt: skip


def test_a_column_of_twelve_characters_is_89_pixels_wide():
    """Calibri 11 at 100 %: 7 pixels a character and 5 of padding."""
    assert pixels(12) == 89


@pytest.mark.parametrize("sheet", SHEETS, ids=lambda sheet: sheet.name)
def test_every_sheet_fits_the_width_of_one_screen(sheet):
    assert sheet.screen_pixels <= SCREEN_PIXELS == 1_840


@pytest.mark.parametrize("sheet", SHEETS, ids=lambda sheet: sheet.name)
def test_what_must_be_seen_at_once_fits_the_height_of_one_screen(sheet):
    lowest = [sheet.table(name).last_row for name in MUST_BE_SEEN[sheet.name]] + [line.row for line in sheet.lines]
    lowest += [cell.row for cell in sheet.inputs if cell.height == 1]
    assert sum(row_pixels(sheet, row) for row in range(1, max(lowest, default=0) + 1)) <= 20 * SCREEN_ROWS == 720


@pytest.mark.parametrize("name", ["ALERT_SUMMARY", "STOCKS_GROUPED"])
def test_what_a_decision_needs_is_in_sight_at_125_percent(name):
    """1,470 pixels and 29 rows remain there."""
    sheet = BY_NAME[name]
    table = sheet.tables[0]
    needed = ["row.name", "price.spot", "readiness.readiness", "readiness.action", "readiness.direction"]
    for source in [*needed, "price.price_time", "price.open_interest_time"]:
        assert right_edge(sheet, table.column_of(source)) <= 1_470


def test_the_atm_row_is_in_sight_at_125_percent():
    chain = BY_NAME["NIFTY"].table("NIFTY_chain")
    assert chain.row + 1 + chain.height // 2 <= 29
    assert right_edge(BY_NAME["NIFTY"], chain.column + len(chain.columns) - 1) <= 1_470


def test_block_names_are_unique_and_fit_a_defined_name():
    names = [name for sheet in SHEETS for name, _ in blocks(sheet)]
    names += [cell.name for sheet in SHEETS for named in sheet.named for cell in named.cells]
    names += [cell.name for sheet in SHEETS for cell in sheet.inputs]
    assert len({name.lower() for name in names}) == len(names)
    looks_like_a_cell = re.compile(r"(?i)([a-z]{1,3}[0-9]+|r[0-9]*c?[0-9]*|c[0-9]*)$")
    for name in names:
        assert re.fullmatch(r"[A-Za-z_][A-Za-z0-9_.]*", name)
        assert not looks_like_a_cell.match(name)
        assert len(name) <= 255


@pytest.mark.parametrize("sheet", SHEETS, ids=lambda sheet: sheet.name)
def test_no_cell_belongs_to_two_blocks(sheet):
    places = [(row, column) for _, row, column in cells_of(sheet)]
    assert len(places) == len(set(places))
    texts = {(text.row, text.column) for text in sheet.texts}
    assert not texts & set(places)


@pytest.mark.parametrize("sheet", SHEETS, ids=lambda sheet: sheet.name)
def test_every_block_lies_in_columns_that_have_a_width(sheet):
    assert max(column for _, _, column in cells_of(sheet)) <= len(sheet.widths)


@pytest.mark.parametrize("sheet", SHEETS, ids=lambda sheet: sheet.name)
def test_tables_side_by_side_or_stacked_leave_a_gap(sheet):
    """What grows, grows downward, so one table never stands right below another without a free row or its units."""
    for one, other in itertools.permutations(sheet.tables, 2):
        overlap = range(
            max(one.column, other.column),
            min(one.column + len(one.columns), other.column + len(other.columns)),
        )
        if overlap and one.row < other.row:
            assert other.row - 1 > one.last_row
        elif one.column < other.column and one.row == other.row:
            assert one.column + len(one.columns) < other.column


def test_columns_take_the_widths_of_the_sheet():
    """A table states its columns' widths; tables that share columns agree about them."""
    for sheet, table, _ in all_columns():
        for offset, column in enumerate(table.columns):
            assert sheet.widths[table.column - 1 + offset] == column.width, (table.name, column)


def test_every_column_that_names_a_reading_finds_it():
    declared = {f"{spec.name}.{name}" for spec in (*READINGS, ALERTS) for name in spec.names}
    declared |= {f"health.{name}" for name in HealthItem.__dataclass_fields__}
    declared |= {f"event.{name}" for name in Event.__dataclass_fields__}
    of_the_renderer = ("row.", "chain.", "call.", "put.", "day.", "group.", "worst.", "run.", "band.", "eod.", "trail.",
                       "control.", "example.", "ladder.", "participant.", "tracked.", "limit.", "tile.",
                       "plan.", "drill.", "mark.", "level.", "signal.", "title.", "map.")  # fmt: skip
    made_of_others = {"alerts.dir", "activity.dir", "activity.signal", "exposure.name", "exposure.expiry"}
    sources = {column.source for _, _, column in all_columns()}
    sources |= {c.source for sheet in SHEETS for cells in sheet.cells for c in cells.cells}
    sources |= {c.source.rpartition(":")[2] for s in SHEETS for named in s.named for c in named.cells}
    assert {s for s in sources if not s.startswith(of_the_renderer)} - declared - made_of_others == set()


def test_headers_are_unique_in_a_table_or_on_a_side_of_its_strikes():
    for sheet in SHEETS:
        for table in sheet.tables:
            headers = [c.header for c in table.fields]
            middle = headers.index("Strike") if table.name.endswith("_chain") else len(headers)
            for side in (headers[:middle], headers[middle + 1 :]):
                assert len(side) == len(set(side)), table.name


def test_a_ladder_mirrors_its_calls():
    """As on the exchange: open interest outside, price inside."""
    headers = [c.header for c in BY_NAME["SENSEX"].table("SENSEX_chain").fields]
    assert headers[:12] == [
        "OI", "Chg OI", "Flow", "Volume", "Vol/OI", "Build", "IV", "Delta", "Bid", "Ask", "Chg", "LTP",
    ]  # fmt: skip
    assert headers[12] == "Strike"
    assert headers[13:] == headers[:12][::-1]


HEAD_OF_VERSION_1 = """
    price.spot price.spot_change price.spot_change_pct price.future_price price.basis price.forward
    price.forward_source day.open day.high day.low day.previous_close row.expiry row.days price.atm_strike
    price.straddle price.straddle_open price.straddle_high price.straddle_low price.expected_move price.atm_iv
    price.atm_iv_change open_interest.call_open_interest open_interest.put_open_interest
    open_interest.put_call_ratio open_interest.call_volume open_interest.put_volume
    open_interest.put_call_ratio_volume open_interest.call_open_interest_added
    open_interest.put_open_interest_added open_interest.call_open_interest_since_first
    open_interest.put_open_interest_since_first open_interest.call_wall open_interest.put_wall
    open_interest.put_call_band open_interest.put_call_ratio_window open_interest.max_pain
    open_interest.max_pain_distance_pct readiness.readiness readiness.action readiness.direction
    readiness.structure readiness.trigger readiness.stability readiness.time flow.net_flow flow.ewma_net
    flow.atm_flow flow.ewma_atm flow.delta_flow flow.ewma_delta flow.flow_pct flow.regime flow.regime_since
    flow.flips flow.steps readiness.top_event price.price_time price.open_interest_time price.coverage
    price.legs_without_iv row.lot_size row.status
""".split()


@pytest.mark.parametrize("name", INDICES)
def test_the_head_of_an_index_sheet_keeps_its_cells_for_workbooks_made_earlier(name):
    """They list as many cells, without saying what each shows, so that order and number must stay."""
    head = next(cells for cells in BY_NAME[name].cells if cells.name == f"{name}_head")
    assert [cell.source for cell in head.cells] == HEAD_OF_VERSION_1


def test_quantities_have_no_unit_of_their_own():
    """The unit in force is said instead."""
    assert [c.header for _, _, c in all_columns() if c.kind.follows_units and c.unit] == []


def test_band_items_begin_in_columns_of_their_own():
    for sheet in SHEETS:
        for row in (1, 2, 3):
            columns = [c.column for c in sheet.cells[0].cells if c.row == row]
            assert columns == sorted(set(columns))
            assert sum(c.source == "band.mode" and c.column == 1 for c in sheet.cells[0].cells) == 1


def test_ticks_of_the_band_have_room_for_their_words():
    """Pixels of `BANKNIFTY 56,986.90 ▼ -1,186.90 (-2.08 %)` and its like in bold Calibri 11."""
    needed = {"NIFTY": 250, "BANKNIFTY": 278, "FINNIFTY": 262, "MIDCPNIFTY": 274, "SENSEX": 258}
    for sheet in SHEETS:
        starts = [right_edge(sheet, c.column - 1) for c in sheet.cells[0].cells if c.row == 2]
        for (name, room), (start, following) in zip(needed.items(), itertools.pairwise(starts), strict=True):
            assert following - start >= room, (sheet.name, name)


@pytest.mark.parametrize(("units", "shown"), [(Units.LAKH, 1.3), (Units.CONTRACTS, 2_000.0), (Units.UNITS, 130_000.0)])
def test_units_switch(units, shown):
    """130,000 units of a contract of 65: 1.3 lakh, 2,000 contracts."""
    assert units.shown(np.array([130_000.0]), 65.0).tolist() == [shown]


def test_every_kind_has_a_look():
    for kind in Kind:
        assert kind.number_format
        assert kind.align in {"left", "center", "right"}


def test_named_numbers_do_not_follow_the_units_switch():
    kinds = {cell.kind for sheet in SHEETS for named in sheet.named for cell in named.cells}
    assert not any(kind.follows_units for kind in kinds)
    assert [named.name for sheet in SHEETS for named in sheet.named if isinstance(named, Named)] == ["names"]
