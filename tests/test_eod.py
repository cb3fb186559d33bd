"""EOD_REPORT: what the day was, in which row, and that it prints on two pages."""

from __future__ import annotations

import csv
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from optionscanner.model.pivots import classic_pivots
from optionscanner.workbook.layout_eod import EOD_REPORT
from optionscanner.workbook.render import render
from tests import builders
from tests.builders import ist
from tests.test_render import chains_at, report_of, shown

NAN = np.nan


def vectors() -> list[dict[str, str]]:
    path = Path(__file__).parent / "reference" / "pivots.csv"
    with path.open(encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_pivots_agree_with_exact_rationals():
    """Worked out with fractions elsewhere and rounded once."""
    rows = vectors()
    prices = {name: np.array([float(row[name]) for row in rows]) for name in ("high", "low", "close")}
    levels = classic_pivots(**prices).columns()
    for column, name in (("P", "pivot"), *((level.upper(), level) for level in ("r1", "r2", "r3", "s1", "s2", "s3"))):
        expected = [float(row[column]) for row in rows]
        assert levels[name] == pytest.approx(expected, rel=1e-12), name


def test_pivots_by_hand():
    """H 110, L 100, C 105: P 105; R1 110, R2 115, R3 120; S1 100, S2 95, S3 90. Without a high there is none."""
    levels = classic_pivots(high=np.array([110.0, NAN]), low=np.array([100.0, 1.0]), close=np.array([105.0, 1.0]))
    assert [float(v[0]) for v in levels.columns().values()] == [105.0, 110.0, 115.0, 120.0, 100.0, 95.0, 90.0]
    assert all(np.isnan(v[1]) for v in levels.columns().values())


def day(at, **given):
    """NIFTY, SENSEX, RELIANCE with a day's prices of NIFTY."""
    chains = chains_at(at)
    names = len(chains.layout.names)
    first = np.arange(names) == 0
    spots = replace(
        chains.underlyings,
        open=np.where(first, 103.0, NAN), high=np.where(first, 110.0, NAN), low=np.where(first, 100.0, NAN),
    )  # fmt: skip
    price = {
        "spot": [105.0, 105.0, 82_100.0, 1_400.0],
        "spot_change_pct": [1.5, 1.5, -0.5, -2.25],
        "atm_iv": [0.12, 0.2, NAN, 0.3],
        "atm_iv_change": [-0.01, 0.0, NAN, 0.05],
    }
    return report_of(replace(chains, underlyings=spots), price=price, **given)


def test_an_index_row_and_its_levels():
    frame = render(day(ist(11, 0)))[0]
    row, levels = shown(frame, "eod_indices"), shown(frame, "eod_levels")
    assert [row[h] for h in ("Index", "Open", "High", "Low", "Close")] == ["NIFTY", 103.0, 110.0, 100.0, 105.0]
    assert (row["IV at open"], row["IV"]) == (pytest.approx(13.0), pytest.approx(12.0))
    assert [levels[h] for h in ("S3", "S2", "S1", "Pivot", "R1", "R2", "R3")] == [90, 95, 100, 105, 110, 115, 120]
    # FINNIFTY is not in this source: its name stands there with nothing beside it.
    assert frame.blocks["eod_levels"].rows[2] == ("FINNIFTY", *(13 * (None,)))


def test_movers_are_stocks_and_flows_are_all_names_by_strength():
    flow = {"flow_pct": [0.4, 0.4, 1.25, -0.75]}
    frame = render(day(ist(11, 0), flow=flow, readiness={"readiness": [40.0, 0.0, 80.0]}))[0]

    def names(block):
        return [row[0] for row in frame.blocks[block].rows]

    assert names("eod_up") == []
    assert names("eod_down") == ["RELIANCE"]
    assert names("eod_bullish") == ["SENSEX", "NIFTY"]
    assert names("eod_bearish") == ["RELIANCE"]
    assert names("eod_signals") == ["RELIANCE", "NIFTY"]


def test_alerts_are_counted_by_kind_and_direction_and_the_newest_listed():
    told = [(ist(10, i), "NIFTY", "READINESS", "BULLISH" if i % 3 else "BEARISH", f"no. {i}") for i in range(30, 0, -1)]
    flips = [(ist(9, 40), "SENSEX", "REGIME_FLIP", "BEARISH", "flip")]
    frame = render(day(ist(11, 0), recent_alerts=builders.alerts(*told, *flips)))[0]
    assert frame.blocks["eod_alert_kinds"].rows == (("READINESS", 20.0, 10.0, 30.0), ("REGIME_FLIP", 0.0, 1.0, 1.0))
    listed = frame.blocks["eod_alerts"].rows
    assert len(listed) == EOD_REPORT.table("eod_alerts").height
    assert listed[0][-1] == "no. 30"


@pytest.mark.parametrize(
    ("at", "begins"),
    [
        (ist(15, 29, 59), "The day so far, Friday 30-Jan-2026: as of 15:29:59, final after 15:30."),
        (ist(15, 30), "End of day, Friday 30-Jan-2026: final, the market closed at 15:30."),
    ],
)
def test_the_head_says_whether_the_day_is_over(at, begins):
    frame = render(day(at))[0]
    assert frame.blocks["eod_head"].rows[0][0].startswith(begins)


def test_a_session_that_saw_its_last_instant_before_the_close_is_final_too():
    frame = render(day(ist(15, 25), ended=True))[0]
    assert frame.blocks["eod_head"].rows[0][0].startswith("End of day, Friday 30-Jan-2026: final")


def test_the_report_lies_within_its_printed_columns():
    for table in EOD_REPORT.tables:
        assert table.column + len(table.columns) - 1 <= EOD_REPORT.screen[1]
