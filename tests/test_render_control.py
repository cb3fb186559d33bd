"""What the user's settings change on the sheets: picked expiries, filters, muted alerts, CONTROL itself."""

import math

import numpy as np
import pytest

from optionscanner.model.control import CONTROL_ACKNOWLEDGED, Control, Expiry, Standing
from optionscanner.workbook.layout_control import CONTROL
from tests import builders
from tests.builders import ist
from tests.test_render import band, card, drawn, market_of, named, report_of, shown

WEEKLY, MONTHLY = 46_056.0, 46_077.0  # 3 and 24 February 2026, which follow day 46,052 by 4 and 25


@pytest.mark.parametrize(
    ("picked", "expiry", "straddle", "strikes"),
    [
        (Expiry.THIS, WEEKLY, 1.0, 5),
        (Expiry.NEXT, MONTHLY, 2.0, 3),
        (Expiry.MONTH, MONTHLY, 2.0, 3),
    ],
)
def test_an_index_sheet_shows_the_picked_expiry_and_names_stay_with_the_nearest(picked, expiry, straddle, strikes):
    report = report_of(price={"straddle": [1.0, 2.0, 3.0, 4.0]})
    frame = drawn(report, expiries=(("NIFTY", picked),))
    assert card(frame, "NIFTY", "row.expiry") == expiry
    assert card(frame, "NIFTY", "price.straddle") == straddle
    assert len(frame.blocks["NIFTY_chain"].rows) == strikes
    assert (named(frame, "NIFTY_EXPIRY"), named(frame, "NIFTY_STRADDLE")) == (WEEKLY, 1.0)
    assert card(frame, "SENSEX", "price.straddle") == 3.0


def test_an_index_without_the_picked_expiry_shows_its_nearest():
    frame = drawn(report_of(price={"straddle": [1.0, 2.0, 3.0, 4.0]}), expiries=(("SENSEX", Expiry.NEXT),))
    assert card(frame, "SENSEX", "price.straddle") == 3.0


def test_the_scan_follows_the_picked_expiry():
    activity = {
        "underlying": np.array(["NIFTY", "NIFTY"], dtype=object),
        "expiry": np.array(["2026-02-03", "2026-02-24"], dtype=object),
        "strike": np.array([25_300.0, 25_500.0]),
        "aligned": np.array([1.0, 1.0]),
    }
    report = report_of(activity=activity)
    assert [row[0] for row in drawn(report).blocks["NIFTY_scan"].rows] == [25_300.0]
    picked = drawn(report, expiries=(("NIFTY", Expiry.NEXT),))
    assert [row[0] for row in picked.blocks["NIFTY_scan"].rows] == [25_500.0]
    assert shown(picked, "alert_summary")["VolOI"] == "YES"


def test_the_picked_symbol_has_a_sheet():
    report = report_of(price={"straddle": [1.0, 2.0, 3.0, 4.0]})
    frame = drawn(report, symbol="RELIANCE")
    assert card(frame, "DRILLDOWN", "price.straddle") == 4.0
    assert [row[9] for row in frame.blocks["drill_chain"].rows] == [1_377.5, 1_390.0, 1_400.0, 1_410.0]
    assert band(frame, "DRILLDOWN", "band.title") == "RELIANCE drill-down"
    monthly = drawn(report, symbol="NIFTY", expiries=(("DRILLDOWN", Expiry.NEXT),))
    assert (card(monthly, "DRILLDOWN", "price.straddle"), card(monthly, "NIFTY", "price.straddle")) == (2.0, 1.0)


def test_without_a_picked_symbol_the_watchlists_first_is_shown_or_the_first_index():
    report = report_of(price={"straddle": [1.0, 2.0, 3.0, 4.0]})
    assert card(drawn(report, watchlist=("RELIANCE",)), "DRILLDOWN", "price.straddle") == 4.0
    assert card(drawn(report), "DRILLDOWN", "price.straddle") == 1.0
    absent = drawn(report, symbol="WIPRO")
    assert card(absent, "DRILLDOWN", "price.straddle") is None
    assert absent.blocks["drill_chain"].rows == ()
    assert set(absent.blocks["drill_levels"].rows) == {(None,)}


def symbols(frame) -> list[str]:
    return [row[1] for row in frame.blocks["stocks"].rows]


def test_stocks_below_the_least_readiness_are_left_out():
    report = market_of(4)  # 100, 99, 98, 97
    assert symbols(drawn(report, min_trs=98.0)) == ["STOCK001", "STOCK002", "STOCK003"]
    assert [row[0] for row in drawn(report, min_trs=98.5).blocks["stocks_more"].rows] == ["STOCK001", "STOCK002"]
    assert len(drawn(report, min_trs=98.0).blocks["alert_summary"].rows) == 9  # five indices, four stocks


def test_stocks_of_one_direction():
    report = report_of(readiness={"direction": np.array(["BEARISH", "", "BULLISH"], dtype=object)})
    assert symbols(drawn(report, direction="BULLISH")) == ["RELIANCE"]
    assert symbols(drawn(report, direction="BEARISH")) == []


def test_only_names_of_the_watchlist_and_their_events():
    activity = {"underlying": np.array(["STOCK001", "STOCK003"], dtype=object), "strike": np.array([1_000.0, 1_010.0])}
    report = market_of(4)
    report = report_of(report.chains, activity=activity)
    frame = drawn(report, watchlist=("STOCK003", "STOCK004"), watchlist_only=True)
    assert symbols(frame) == ["STOCK003", "STOCK004"]
    assert [row[1] for row in frame.blocks["stocks_scan"].rows] == [1_010.0]


def test_the_watchlist_need_not_come_first():
    rows = drawn(market_of(4), watchlist=("STOCK004",), watchlist_first=False).blocks["alert_summary"].rows
    assert [row[0] for row in rows[5:]] == ["STOCK001", "STOCK002", "STOCK003", "STOCK004"]


@pytest.mark.parametrize(
    ("until", "listed"),
    [
        (11 * 3600 + 42 * 60 + 30, ["READINESS", "REGIME_FLIP"]),  # the picture's own moment
        (11 * 3600 + 42 * 60 + 31, ["muted until 11:42, 1 since", "REGIME_FLIP"]),
        (None, ["READINESS", "REGIME_FLIP"]),
    ],
)
def test_alerts_since_the_mute_are_listed_when_it_is_over(until, listed):
    alerts = builders.alerts(
        (ist(11, 30), "NIFTY", "READINESS", "BULLISH", "TRS 85 >= 80"),
        (ist(10, 0), "NIFTY", "REGIME_FLIP", "BEARISH", "twice"),
    )
    muted = {"muted_until": None if until is None else float(until), "muted_from": ist(11, 0)}
    rows = drawn(report_of(recent_alerts=alerts), **muted).blocks["alerts_feed"].rows
    assert [row[2] for row in rows] == listed


def ours(frame, source: str) -> object:
    cells = [cell.source for cell in CONTROL.cells[1].cells]
    return frame.blocks["control"].rows[cells.index(source)][0]


def test_control_shows_what_is_in_force_beside_each_cell():
    control = Control(
        {
            "CONTROL_UNITS": Standing("UNITS", ist(11, 0), "accepted"),
            "CONTROL_MUTE_UNTIL": Standing(52_200.0),
            "CONTROL_COMMAND": Standing(None, math.nan, "refused: no"),
        },
        acknowledged=12.0,
        watchlist=("RELIANCE",),
        watchlist_answers=("accepted", "", "refused: not in the source"),
        bands=(80.0, 60.0, 40.0),
    )
    frame = drawn(report_of(control=control))
    assert ours(frame, "control.in_force:CONTROL_UNITS") == "UNITS"
    assert ours(frame, "control.since:CONTROL_UNITS") == pytest.approx(46_052 + 11 / 24)
    assert ours(frame, "control.answer:CONTROL_UNITS") == "accepted"
    assert ours(frame, "control.in_force:CONTROL_MUTE_UNTIL") == pytest.approx(14.5 / 24)
    assert ours(frame, "control.since:CONTROL_MUTE_UNTIL") is None
    assert ours(frame, "control.answer:CONTROL_COMMAND") == "refused: no"
    assert ours(frame, "control.bands") == "80 / 60 / 40"
    assert frame.blocks[CONTROL_ACKNOWLEDGED].rows == ((12.0,),)
    assert frame.blocks["control_watched"].rows == (("accepted",), (None,), ("refused: not in the source",))


def test_where_nobody_listens_control_is_blank():
    frame = drawn(report_of())
    assert {row[0] for row in frame.blocks["control"].rows} == {None}
