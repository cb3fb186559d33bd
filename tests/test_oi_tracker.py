"""OI_TRACKER: both ladders, what stands above them, and that neither half needs the other."""

from dataclasses import replace

import numpy as np
import pytest

from optionscanner.model.columns import ALERTS
from optionscanner.model.control import Expiry
from optionscanner.model.reports import CycleReport
from optionscanner.workbook.formats import Units
from optionscanner.workbook.layout_oi_tracker import HALVES, LADDER, OI_TRACKER, SHOWN, WIDE
from optionscanner.workbook.render import render
from optionscanner.workbook.render_oi_tracker import half_blocks
from optionscanner.workbook.render_view import ShowSettings, View
from tests.builders import ist, run_session
from tests.engine_builders import lively_pictures, replayed

HEADERS = [column.header for column in LADDER]
MIDDLE = HEADERS.index("Strike")


@pytest.fixture(scope="module")
def report():
    """A lively market of four underlyings over 36 minutes; it has no SENSEX."""
    pictures = lively_pictures(4, 13, step=180.0, faults=0.0)
    state, made, pricing = replayed(pictures)[-1]
    chains = pictures[-1]
    return CycleReport(
        session=run_session(), cycle=13, as_of=chains.as_of, chains=chains, pricing=pricing,
        readings={name: reading for name, reading in made.items() if name != ALERTS.name}, alerts=made["alerts"],
        state=state,
    )  # fmt: skip


def blocks(report, **settings):
    return render(report, settings=ShowSettings(**settings))[0].blocks


def words(blocks, name):
    return [row[0] for row in blocks[name].rows]


def test_a_ladder_holds_eleven_strikes_around_the_money_mirrored(report):
    rows = blocks(report, tracked=("NIFTY", "BANKNIFTY"))["tracker_left_chain"].rows
    layout = report.chains.layout
    atm = int(report.pricing.atm_row[0])
    assert [row[MIDDLE] for row in rows] == layout.strike[atm - 5 : atm + 6].tolist()
    assert HEADERS[:MIDDLE] == ["30M", "15M", "10M", "5M", "3M", "Day", "OI", "Price"] == HEADERS[:MIDDLE:-1]


def test_every_number_is_the_readings(report):
    legs = report.readings["open_interest_legs"]
    rows = blocks(report, tracked=("NIFTY", "BANKNIFTY"), units=Units.UNITS)["tracker_left_chain"].rows
    first = int(report.pricing.atm_row[0]) - 5
    seen = 0
    for i, row in enumerate(rows):
        for side, cells in ((0, row[:MIDDLE]), (1, row[:MIDDLE:-1])):
            assert cells[4] is None  # the narrow window, off
            for minutes, cell in zip(WIDE, cells, strict=False):
                value = legs[f"pct_{minutes}"][first + i, side]
                assert cell == value if np.isfinite(value) else cell is None
                seen += np.isfinite(value)
            assert cells[6] == report.chains.legs.open_interest[first + i, side]
            assert cells[7] == report.chains.legs.last[first + i, side]
    assert seen > 40
    total = blocks(report, tracked=("NIFTY", "BANKNIFTY"), units=Units.UNITS)["tracker_left_total"].rows[0]
    assert total[6] == np.nansum(report.chains.legs.open_interest[first : first + 11, 0])


def test_changes_stand_in_units_and_the_narrow_window_when_asked_for(report):
    legs = report.readings["open_interest_legs"]
    made = blocks(report, tracked=("NIFTY", "BANKNIFTY"), units=Units.UNITS, changes=True, narrow_window=True)
    first = int(report.pricing.atm_row[0]) - 5
    for i, row in enumerate(made["tracker_left_chain"].rows):
        for side, cells in ((0, row[:MIDDLE]), (1, row[:MIDDLE:-1])):
            for minutes, cell in zip((*SHOWN, "close"), cells, strict=False):
                value = legs[f"change_{minutes}"][first + i, side]
                assert cell == value if np.isfinite(value) else cell is None
    assert made["tracker_left_chain_units"].rows[0][:6] == (*(5 * ["units"]), "close")
    assert words(made, "tracker_left_limits_3") == [5.0, 5.0]
    assert words(blocks(report), "tracker_left_limits_3") == [None, None]


def test_under_a_ladder_stand_sums_of_what_is_shown(report):
    """Added up again cell by cell; a change is blank where one leg does not know its own."""
    for changes in (True, False):
        show = {"tracked": ("NIFTY", "BANKNIFTY"), "units": Units.UNITS, "narrow_window": True}
        rows = blocks(report, **show, changes=True)["tracker_left_chain"].rows
        total = blocks(report, **show, changes=changes)["tracker_left_total"].rows[0]
        held = {}
        for step in (1, -1):
            side = [row[::step] for row in rows]
            held[step] = sum(row[6] for row in side)
            for at in range(6):
                found, cells = total[::step][at], [row[at] for row in side]
                if None in cells:
                    assert found is None
                else:
                    before = held[step] - sum(cells)
                    assert found == pytest.approx(sum(cells) if changes else 100 * sum(cells) / before, abs=1e-9)
        assert total[MIDDLE] == f"P/C {held[-1] / held[1]:.2f}"
    none = report.chains.legs.open_interest.copy()
    holes = report.readings["open_interest_legs"].columns["change_5"].copy()
    holes[int(report.pricing.atm_row[0]), 0] = np.nan
    assert np.isfinite(none[int(report.pricing.atm_row[0]), 0])
    lame = replace(report, readings={**report.readings, "open_interest_legs": replace(
        report.readings["open_interest_legs"],
        columns={**report.readings["open_interest_legs"].columns, "change_5": holes})})  # fmt: skip
    assert blocks(lame, tracked=("NIFTY", "SBIN"))["tracker_left_total"].rows[0][3] is None


def test_each_half_shows_the_expiry_that_was_picked_for_it(report):
    expiries = (("OI_RIGHT", Expiry.MONTH),)
    made = blocks(report, tracked=("NIFTY", "NIFTY"), expiries=expiries)
    layout = report.chains.layout
    own = [key.expiry for key in layout.segment_keys if key.underlying == "NIFTY"]
    assert len(own) > 1
    assert words(made, "tracker_left_title")[0] == f"NIFTY {own[0]:%d-%b-%y}"
    assert words(made, "tracker_right_title")[0] == f"NIFTY {own[-1]:%d-%b-%y}"
    assert made["tracker_left_chain"].rows != made["tracker_right_chain"].rows
    assert made["tracker_left_chain"].rows == blocks(report)["tracker_left_chain"].rows


def test_the_bar_shows_india_vix_where_the_source_has_it(report):
    assert words(blocks(report), "tracker_left_vix") == [None]
    made = blocks(replace(report, chains=replace(report.chains, vix=12.345)))
    assert (words(made, "tracker_left_vix"), words(made, "tracker_right_vix")) == ([12.345], [None])


def test_a_name_that_the_source_lacks_is_said_plainly_and_the_other_half_is_as_ever(report):
    both, alone = blocks(report, tracked=("NIFTY", "SBIN")), blocks(report)
    assert words(alone, "tracker_right_title")[0] == "SENSEX"
    assert words(alone, "tracker_right_title")[1].startswith("SENSEX is not in this source (REPLAY 30-Jan-2026)")
    assert alone["tracker_right_chain"].rows == ()
    assert set(words(alone, "tracker_right_head")) == {None}
    left = [name for name in both if name.startswith("tracker_left")]
    assert len(left) == 8
    assert all(both[name].rows == alone[name].rows for name in left)


def test_an_engine_that_failed_leaves_prices_and_open_interest(report):
    lame = replace(report, readings={
        k: v for k, v in report.readings.items() if k not in ("open_interest_legs", "open_interest_change", "build_up")
    })  # fmt: skip
    row = blocks(lame)["tracker_left_chain"].rows[5]
    assert row[:6] == (None,) * 6
    assert None not in row[6:11]


def test_above_a_window_stands_its_limit_and_from_when_it_is_covered(report):
    view = View(report, ShowSettings(window_limits=(5.0, 8.0, 0.0, 15.0, 25.0)))
    made = {block.name: block for block in half_blocks(view, HALVES[0], "NIFTY")}
    limits = dict(zip([c.source for c in HALVES[0].limits[0].cells], words(made, "tracker_left_limits"), strict=True))
    assert limits == {"limit.30": 25.0, "limit.15": 15.0, "limit.10": None, "limit.5": 8.0}
    change = report.readings["open_interest_change"]
    late = change.columns["from_30"].copy()
    late[0] = ist(10, 24)
    early = replace(report, readings={**report.readings, "open_interest_change": replace(
        change, columns={**change.columns, "from_30": late})})  # fmt: skip
    units = blocks(early, tracked=("NIFTY", "SBIN"))["tracker_left_chain_units"].rows[0]
    assert (units[0], units[-1], units[4], units[6]) == ("from 10:24", "from 10:24", "off", "lakh")


def test_the_name_its_expiry_and_the_time_of_its_open_interest_stand_on_top(report):
    title = words(blocks(report, tracked=("BANKNIFTY", "NIFTY")), "tracker_right_title")
    assert title[0] == "NIFTY 03-Feb-26"
    newest = report.readings["open_interest_change"]["window_time"][0]
    minutes = int(newest - ist(9, 0)) // 60
    assert f", OI {9 + minutes // 60:02d}:{minutes % 60:02d}:" in title[2]
    assert title[2].startswith("Updated: prices 09:55:44, ")


def test_the_halves_are_alike_and_share_no_cell():
    left, right = HALVES
    shift = right.column - left.column
    for one, other in zip(left.cells, right.cells, strict=True):
        assert [(c.row, c.column + shift, c.source) for c in one.cells] == [
            (c.row, c.column, c.source) for c in other.cells
        ]
    assert OI_TRACKER.tables[0].last_row + 1 == OI_TRACKER.lines[0].row <= 32
