"""Alerts: told once per crossing, armed again below a lower limit, cooled down, with numbers against limits."""

import numpy as np
import pytest

from optionscanner.analytics.alerts import alerts
from optionscanner.model.columns import ALERTS, READINESS
from optionscanner.model.contracts import SegmentKey
from optionscanner.model.readings import Reading
from optionscanner.model.settings import AlertSettings, EngineSettings
from optionscanner.model.state import State
from tests.builders import MONTHLY, WEEKLY, ist
from tests.engine_builders import a_day, assert_same, poll, seen

NAN = float("nan")
AT = ist(11, 0)
SETTINGS = EngineSettings(alerts=AlertSettings(rearm_below=70.0, cool_down=600.0, stock_flips=True))
KEYS = [SegmentKey("NIFTY", WEEKLY), SegmentKey("NIFTY", MONTHLY), SegmentKey("SBIN", MONTHLY)]
COLUMNS = {"last": [(3, 3)] * 2, "open_interest": [(1, 1)] * 2}


class Desk:
    """Two names whose readiness and flips the test sets, cycle by cycle."""

    def __init__(self, settings=SETTINGS):
        self.settings = settings
        self.day = a_day({key: [95.0, 100.0] for key in KEYS})
        self.state = State.fresh(self.day.layout)
        self.polls = []

    def cycle(self, at, scores=(NAN, NAN), *, flips=(0, 0, 0), regime=1.0, flow_pct=0.25, polled=KEYS):
        self.polls.append(poll(self.day, at, dict.fromkeys(polled, COLUMNS)))
        chains = seen(self.day, *self.polls)
        updated = np.isin(np.arange(3), [KEYS.index(k) for k in polled])
        chains.updated[:] = updated
        texts = {c.name: np.full(2, "", dtype=object) for c in READINESS.columns}
        reading = Reading(READINESS, texts | {"readiness": np.array(scores, dtype=float)})
        given = {"flips": np.array(flips, dtype=float), "regime": np.full(3, regime), "flow_pct": np.full(3, flow_pct)}
        self.state, made = alerts(chains, self.state.updated(segment=given), {"readiness": reading}, self.settings)
        return [tuple(row) for row in made.frame().to_numpy().tolist()]

    def told(self, *scores, step=60.0):
        """Whether NIFTY's score was told, for each of the scores, `step` seconds apart."""
        return [bool(self.cycle(AT + step * i, (score, NAN))) for i, score in enumerate(scores)]


def test_a_rise_into_the_top_band_by_hand():
    assert Desk().cycle(AT, (82.0, 79.99)) == [(AT, "NIFTY", "READINESS", "BULLISH", "TRS 82 >= 80")]
    assert Desk().cycle(AT, (79.99, 80.0), regime=-1.0) == [(AT, "SBIN", "READINESS", "BEARISH", "TRS 80 >= 80")]


@pytest.mark.parametrize(
    ("scores", "told"),
    [
        ([79.99, 80, 80, 95], [0, 1, 0, 0]),
        ([85, 75, 85], [1, 0, 0]),  # never under the limit of re-arming
        ([85, 70, 85], [1, 0, 0]),
        ([85, 69.99, 85], [1, 0, 1]),
        ([85, NAN, 85], [1, 0, 0]),  # a withheld reading is no fall
        ([85, 0, 79, 80], [1, 0, 0, 1]),
        ([0, 0, 0], [0, 0, 0]),
    ],
)
def test_a_crossing_is_told_once_and_armed_again_below_seventy(scores, told):
    assert Desk().told(*scores, step=700.0) == [bool(t) for t in told]


@pytest.mark.parametrize(("seconds", "told"), [(599.0, False), (600.0, True)])
def test_the_same_name_is_not_told_again_within_ten_minutes(seconds, told):
    desk = Desk()
    desk.cycle(AT, (85, NAN))
    desk.cycle(AT + 60, (20, NAN))
    assert bool(desk.cycle(AT + seconds, (85, NAN))) == told


def test_a_crossing_while_cooling_down_is_told_when_it_still_stands():
    assert Desk().told(85, 20, 85, 85, 85, 85, step=180.0) == [True, False, False, False, True, False]


def test_names_cool_down_each_for_itself():
    desk = Desk()
    assert len(desk.cycle(AT, (85, 20))) == 1
    assert [row[1] for row in desk.cycle(AT + 60, (85, 85))] == ["SBIN"]


def test_a_flip_by_hand():
    desk = Desk()
    assert desk.cycle(AT) == []
    told = desk.cycle(AT + 60, flips=(1, 0, 0), regime=-1.0, flow_pct=-0.254)
    assert told == [(AT + 60, "NIFTY", "REGIME_FLIP", "BEARISH", "ATM flow -0.25 % beyond 0.1 %, twice")]
    assert desk.cycle(AT + 120, flips=(1, 0, 0)) == []
    assert len(desk.cycle(AT + 180, flips=(2, 0, 1))) == 2


@pytest.mark.parametrize(("stock_flips", "names"), [(True, ["NIFTY", "SBIN"]), (False, ["NIFTY"])])
def test_flips_of_stocks_are_told_where_that_is_wanted(stock_flips, names):
    desk = Desk(EngineSettings(alerts=AlertSettings(stock_flips=stock_flips)))
    assert [row[1] for row in desk.cycle(AT, flips=(1, 0, 1))] == names


def test_flips_of_a_later_expiry_are_not_told():
    assert Desk().cycle(AT, flips=(0, 3, 0)) == []


def test_both_alerts_of_a_name_stand_together_in_layout_order():
    told = Desk().cycle(AT, (85, 90), flips=(1, 0, 1))
    assert [row[1:3] for row in told] == [
        ("NIFTY", "READINESS"), ("NIFTY", "REGIME_FLIP"), ("SBIN", "READINESS"), ("SBIN", "REGIME_FLIP"),
    ]  # fmt: skip


def test_a_chain_without_a_new_observation_tells_nothing_and_forgets_nothing():
    desk = Desk()
    before = desk.state
    assert desk.cycle(AT, (85, NAN), flips=(1, 0, 0), polled=[KEYS[2]]) == []
    for name in ("readiness_armed", "readiness_alerted_at", "flip_alerted"):
        assert np.array_equal(desk.state.segment[name][:2], before.segment[name][:2], equal_nan=True)
    assert len(desk.cycle(AT + 60, (85, NAN), flips=(1, 0, 0))) == 2


def test_a_cycle_without_alerts_is_an_empty_table():
    desk = Desk()
    desk.polls.append(poll(desk.day, AT, dict.fromkeys(KEYS, COLUMNS)))
    reading = Reading(READINESS, {c.name: np.full(2, NAN) for c in READINESS.columns})
    state, made = alerts(seen(desk.day, *desk.polls), desk.state, {"readiness": reading}, SETTINGS)
    assert (len(made), tuple(made.columns)) == (0, ALERTS.names)
    assert_same(state, desk.state)
