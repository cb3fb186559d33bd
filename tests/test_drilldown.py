"""DRILLDOWN as it is drawn: levels in order with spot among them, marks, charts over blocks of a fixed size."""

from __future__ import annotations

from dataclasses import replace
from io import BytesIO

import numpy as np
import openpyxl
import pytest

from optionscanner.workbook.layout_drilldown import CHARTS, DRILL_STRIKES, DRILL_TRAIL, DRILLDOWN
from optionscanner.workbook.render_drilldown import price_levels
from optionscanner.workbook.render_view import ShowSettings, View
from optionscanner.workbook.splice import column_letters
from optionscanner.workbook.template import build_template
from tests.test_render import drawn, report_of

pytestmark = pytest.mark.filterwarnings("ignore:.*extension is not supported:UserWarning")


def test_levels_stand_by_price_with_spot_among_them():
    """Previous close 98, walls 103 and 95, maximum pain 100; spot 101."""
    report = report_of(
        open_interest={"call_wall": [103.0] * 4, "put_wall": [95.0] * 4, "max_pain": [100.0] * 4},
        price={"opening_high": [102.0] * 4, "opening_low": [99.0] * 4},
    )  # fmt: skip
    spots = report.chains.underlyings
    chains = replace(report.chains, underlyings=replace(spots, spot=np.full(3, 101.0), previous_close=np.full(3, 98.0)))
    report = replace(report, chains=chains)
    levels = price_levels(View(report, ShowSettings()), 0, 0)
    assert levels == [
        ("Call wall", 103.0), ("OR high", 102.0), ("SPOT", 101.0), ("Pain", 100.0), ("OR low", 99.0), ("Prev C", 98.0),
        ("Put wall", 95.0),
    ]  # fmt: skip
    cells = [c.source for c in next(b for b in DRILLDOWN.cells if b.name == "drill_levels").cells]
    rows = drawn(report, symbol="NIFTY").blocks["drill_levels"].rows
    shown = {source: row[0] for source, row in zip(cells, rows, strict=True)}
    assert (shown["level.2.name"], shown["level.2.distance"], shown["level.7.name"]) == ("SPOT", None, None)
    assert shown["level.0.distance"] == pytest.approx(100 * 2 / 101)


@pytest.fixture(scope="module")
def sheet():
    return openpyxl.load_workbook(BytesIO(build_template()))["DRILLDOWN"]


def test_charts_draw_whole_blocks_and_stand_below_their_titles(sheet):
    assert len(sheet._charts) == len(CHARTS) == 10
    whole = {(t.row + 1, t.last_row) for t in (DRILL_STRIKES, DRILL_TRAIL)}
    for chart, place in zip(sheet._charts, CHARTS, strict=True):
        assert (chart.anchor._from.row, chart.anchor._from.col) == (place.row, place.column - 1)
        for part in chart._charts:
            for series in part.series:
                for reference in (series.cat.numRef or series.cat.strRef, series.val.numRef):
                    first, last = reference.f.partition("!")[2].split(":")
                    assert (int(first.rpartition("$")[2]), int(last.rpartition("$")[2])) in whole


def test_the_columns_beyond_the_charts_can_be_folded_away(sheet):
    first, last = (column_letters(c) for c in DRILLDOWN.outlined)
    assert sheet.column_dimensions[first].outline_level == 1
    assert (first, last) == (column_letters(DRILLDOWN.tables[1].column), "BB")
