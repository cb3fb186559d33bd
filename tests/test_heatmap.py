"""HEATMAP: which tile stands where, what it says, and which colour a spreadsheet gives it."""

from dataclasses import replace

import numpy as np
import openpyxl
import pytest

from optionscanner.model.columns import ALERTS
from optionscanner.model.reports import CycleReport
from optionscanner.workbook import looks
from optionscanner.workbook.layout_heatmap import HEATMAP, PANELS, TILE, TILES
from optionscanner.workbook.render import render
from optionscanner.workbook.render_view import ShowSettings
from optionscanner.workbook.template import build_template
from tests.builders import run_session
from tests.engine_builders import lively_pictures, replayed


@pytest.fixture(scope="module")
def report():
    pictures = lively_pictures(4, 6)
    state, made, pricing = replayed(pictures)[-1]
    return CycleReport(
        session=run_session(), cycle=6, as_of=pictures[-1].as_of, chains=pictures[-1], pricing=pricing,
        readings={name: reading for name, reading in made.items() if name != ALERTS.name}, alerts=made["alerts"],
        state=state,
    )  # fmt: skip


def tiles(report, **settings):
    """name -> (GEX %, TRS), in the order of the tiles: down each panel, then the next."""
    rows = render(report, settings=ShowSettings(**settings))[0].blocks["heatmap"].rows
    assert {len(row) for row in rows} == {3 * PANELS}
    held = [row[3 * panel : 3 * panel + 3] for panel in range(PANELS) for row in rows]
    assert len(held) == PANELS * TILES
    return {tile[0]: tile[1:] for tile in held if tile[0] is not None}


def changed(report, table, **columns):
    reading = report.readings[table]
    return replace(report, readings={**report.readings, table: replace(
        reading, columns={**reading.columns, **{k: np.array(v) for k, v in columns.items()}})})  # fmt: skip


def test_indices_stand_first_then_stocks_by_name_whatever_their_numbers(report):
    assert list(tiles(report)) == ["NIFTY", "BANKNIFTY", "IDEA", "RELIANCE", "SBIN"]
    count = len(report.chains.layout.names)
    turned = changed(report, "exposure_total", gex_share_pct=np.linspace(90.0, -90.0, count))
    assert list(tiles(turned)) == list(tiles(report))


def test_a_tile_says_the_share_of_gamma_and_readiness_with_its_direction(report):
    names = list(report.chains.layout.names)
    directions = np.array(["BULLISH", "BEARISH", "", "", "BULLISH"], dtype=object)
    said = changed(report, "exposure_total", gex_share_pct=[12.5, -40.0, np.nan, 0.0, 3.0])
    said = changed(said, "readiness", readiness=[80.0, 65.0, np.nan, 0.0, 45.0], direction=directions)
    found = tiles(said)
    assert [found[name] for name in names] == [(12.5, 80.0), (-40.0, -65.0), (None, None), (0.0, 0.0), (3.0, 45.0)]


def test_a_stale_name_keeps_its_tile_and_loses_its_numbers(report):
    assert set(tiles(replace(report, as_of=report.as_of + 3_600)).values()) == {(None, None)}


def test_above_the_tiles_stand_the_steps_of_both_scales_and_as_of_when(report):
    blocks = render(report)[0].blocks
    assert [row[0] for row in blocks["heatmap_limits"].rows] == [5.0, 20.0, 50.0, 40.0, 60.0, 80.0]
    assert blocks["heatmap_title"].rows[0][0].startswith("5 names, 09:")


def test_a_rule_of_the_whole_tile_asks_for_the_number_of_its_own_tile(tmp_path):
    """Of each of the three cells: seven colours on either scale, the same formula over all panels."""
    path = tmp_path / "b.xlsx"
    path.write_bytes(build_template((HEATMAP,)))
    found = openpyxl.load_workbook(path)["HEATMAP"].conditional_formatting
    first = HEATMAP.tables[0].row + 1
    rules = {
        str(where.sqref).split()[0]: where.rules for where in found if len(str(where.sqref).split()) == PANELS
    }  # fmt: skip
    assert set(rules) == {f"{letter}{first}:{letter}{first + TILES - 1}" for letter in "ABC"}
    assert TILE == 4
    for mine in rules.values():
        fills = [rule.dxf.fill.bgColor.rgb for rule in mine]
        assert len(mine) == 14
        assert fills[:2] == ["FF" + looks.BULL[1:], "FF" + looks.BEAR[1:]]
        assert all(f"N(B{first})" in rule.formula[0] for rule in mine[:6])
        assert all(f"N(C{first})" in rule.formula[0] for rule in mine[7:13])
