"""Trails: the newest value of each five minutes, bounded, the same after a restart as without one."""

import math
from dataclasses import replace
from datetime import timedelta

import numpy as np
import pytest

from optionscanner.analytics.trails import followed
from optionscanner.history.store import SqliteHistory
from optionscanner.model.frame import Cell
from optionscanner.model.reports import CycleReport
from optionscanner.model.sessions import Mode
from optionscanner.model.trails import SOURCES, Trails
from optionscanner.workbook.formats import Units
from optionscanner.workbook.layout_index import INDICES
from optionscanner.workbook.render import ShowSettings, render
from tests import builders

OPENS, CLOSES = builders.ist(9, 15), builders.ist(15, 30)


def empty(names: tuple[str, ...] = ("NIFTY",), *, hours: float = 6.25) -> Trails:
    return Trails.fresh(names, opens=OPENS, closes=OPENS + 3600.0 * hours)


def test_a_regular_session_has_one_point_every_five_minutes_and_one_at_the_close():
    trails = empty()
    assert (trails.points, trails.step) == (76, 300.0)
    assert [trails.point_at(t) for t in (OPENS, OPENS + 299.9, OPENS + 300.0, CLOSES)] == [0, 0, 1, 75]


def test_what_lies_outside_the_session_counts_to_its_ends():
    assert [empty().point_at(t) for t in (OPENS - 60.0, CLOSES + 900.0)] == [0, 75]


@pytest.mark.parametrize(("hours", "points"), [(1.0, 13), (6.25, 76), (14.0, 80)])
def test_a_trail_never_has_more_than_eighty_points(hours, points):
    assert empty(hours=hours).points == points


def test_a_point_holds_the_newest_value_and_keeps_it_where_none_comes():
    one, two, none = np.array([1.0]), np.array([2.0]), np.array([math.nan])
    trails = empty().seen(OPENS, {"price.spot": one}).seen(OPENS + 200.0, {"price.spot": two})
    trails = trails.seen(OPENS + 250.0, {"price.spot": none}).seen(OPENS + 600.0, {"price.spot": one})
    assert trails.values["price.spot"][0, :4].tolist() == pytest.approx([2.0, math.nan, 1.0, math.nan], nan_ok=True)
    assert np.isnan(trails.values["readiness.readiness"]).all()


def test_an_observation_leaves_the_trail_that_it_is_added_to_as_it_is():
    before = empty()
    before.seen(OPENS, {"price.spot": np.array([1.0])})
    assert np.isnan(before.values["price.spot"]).all()


def test_other_underlyings_start_with_nothing():
    trails = empty(("NIFTY", "SENSEX")).seen(OPENS, {"price.spot": np.array([1.0, 2.0])}).on(("SENSEX", "BANKEX"))
    assert trails.values["price.spot"][:, 0].tolist() == pytest.approx([2.0, math.nan], nan_ok=True)


def reports() -> list[CycleReport]:
    instants = [OPENS + minutes * 60.0 for minutes in (1, 2, 4, 5, 17, 18, 200)]
    return builders.day_of_reports(instants)


def folded(made: list[CycleReport], trails: Trails | None = None) -> Trails:
    for report in made:
        trails = followed(trails, report.chains, report.readings)
    assert trails is not None
    return trails


def test_the_value_of_a_point_is_the_reading_of_the_nearest_expiry():
    report = reports()[0]
    trails = folded([report])
    layout = report.chains.layout
    u = layout.names.index("NIFTY")
    front = layout.underlying_front[u]
    i = trails.names.index("NIFTY")
    for source in SOURCES:
        table, name = source.split(".")
        row = u if table == "readiness" else front
        assert trails.values[source][i, 0] == pytest.approx(report.readings[table][name][row], nan_ok=True)


def test_every_name_leaves_a_trail():
    report = reports()[0]
    assert folded([report]).names == ("NIFTY", "SENSEX", "RELIANCE") == report.chains.layout.names


def test_an_index_that_was_not_observed_anew_adds_nothing():
    report = reports()[0]
    still = replace(report.chains, updated=np.zeros_like(report.chains.updated))
    assert np.isnan(followed(None, still, report.readings).values["price.spot"]).all()


def test_another_day_begins_afresh():
    report = reports()[0]
    yesterday = empty(("NIFTY",))
    yesterday = replace(yesterday, opens=yesterday.opens - timedelta(days=1).total_seconds())
    yesterday = yesterday.seen(OPENS, {"price.spot": np.full(1, 77.0)})
    assert 77.0 not in followed(yesterday, report.chains, report.readings).values["price.spot"]


def test_after_a_restart_the_history_gives_the_trail_that_was(tmp_path):
    made = reports()
    session, day = builders.run_session(Mode.SIMULATED, source="simulated market", seed=7), made[0].chains.day
    for stop in (1, len(made)):
        path = tmp_path / f"{stop}.db"
        first = SqliteHistory(path, Mode.SIMULATED)
        first.begin(session, day, resume_within=None, now=OPENS)
        for report in made[:stop]:
            first.save(replace(report, session=session))
        first.close()
        again = SqliteHistory(path, Mode.SIMULATED)
        resumed = again.begin(session, day, resume_within=None, now=made[stop - 1].as_of).trails
        again.close()
        assert resumed is not None
        expected = folded(made[:stop])
        assert resumed.names == expected.names
        for source in SOURCES:
            np.testing.assert_array_equal(resumed.values[source], expected.values[source])


# On the sheets


def drawn(trails: Trails | None, units: Units = Units.UNITS) -> dict[str, tuple[tuple[Cell, ...], ...]]:
    """Rows of the block of each index."""
    report = replace(reports()[0], trails=trails)
    frame, _ = render(report, settings=ShowSettings(units=units))
    return {index: frame.blocks[f"{index}_trail"].rows for index in INDICES}


def trail_of_nifty() -> Trails:
    """Seen at 09:15, 09:22 and 09:31."""
    trails = empty(("NIFTY", "SENSEX"))
    for minutes, spot in ((0, 25_000.0), (7, 25_010.5), (16, 24_990.0)):
        values = {source: np.array([0.5, math.nan]) for source in SOURCES}
        values |= {"price.spot": np.array([spot, math.nan]), "flow.ewma_atm": np.array([130_000.0, math.nan])}
        trails = trails.seen(OPENS + 60.0 * minutes, values)
    return trails


def test_the_block_holds_a_row_for_every_five_minutes_up_to_the_newest():
    rows = drawn(trail_of_nifty())["NIFTY"]
    assert [row[1] for row in rows] == [25_000.0, 25_010.5, None, 24_990.0]
    # 30-Jan-2026 is day 46,052; 09:15, 09:20, 09:25, 09:30.
    assert [row[0] for row in rows] == pytest.approx([46_052 + (555 + 5 * i) / 1440 for i in range(4)])
    assert [row[5] for row in rows] == [130_000.0, 130_000.0, None, 130_000.0]


def test_the_flow_of_the_block_follows_the_units_switch():
    assert drawn(trail_of_nifty(), Units.LAKH)["NIFTY"][0][5] == pytest.approx(1.3)


def test_an_index_without_a_trail_is_blank():
    assert {index: rows for index, rows in drawn(trail_of_nifty()).items() if index != "NIFTY"} == {
        "BANKNIFTY": (), "FINNIFTY": (), "MIDCPNIFTY": (), "SENSEX": (),
    }  # fmt: skip
    assert set(drawn(None).values()) == {()}
