"""Alerts of gamma, put-call ratios, changes over minutes and unusual activity: numbers by hand, edges, silence."""

from dataclasses import replace

import numpy as np
import pytest

from optionscanner.analytics.alerts import alerts
from optionscanner.model.columns import EXPOSURE_TOTAL, OPEN_INTEREST, OPEN_INTEREST_LEGS, PRICE, UNUSUAL_ACTIVITY
from optionscanner.model.contracts import SegmentKey
from optionscanner.model.readings import Reading
from optionscanner.model.settings import AlertSettings, EngineSettings
from optionscanner.model.state import State
from tests.builders import MONTHLY, WEEKLY, ist
from tests.engine_builders import a_day, poll, seen
from tests.test_unusual_activity import with_daily

NAN = float("nan")
AT = ist(11, 0)
KEYS = [SegmentKey("NIFTY", WEEKLY), SegmentKey("SBIN", MONTHLY)]
STRIKES = [70.0 + 5 * i for i in range(13)]  # 70 to 130: twelve beside the money, five of them on each side shown
SETTINGS = EngineSettings(alerts=AlertSettings(cool_down=600.0))


def blank(spec, rows, **given):
    """A reading without values but those given."""
    none = {c.name: np.full(rows, "", dtype=object) if c.kind == "text" else np.full(rows, NAN) for c in spec.columns}
    return Reading(spec, none | {name: np.array(values) for name, values in given.items()})


class Desk:
    """Two names, an index and a stock, whose readings the test sets, cycle by cycle."""

    def __init__(self, settings=SETTINGS, tracked=("NIFTY", "SENSEX")):
        self.settings, self.tracked = settings, tracked
        self.day = a_day(dict.fromkeys(KEYS, STRIKES))
        self.state, self.polls, self.at = State.fresh(self.day.layout), [], AT - 60

    def picture(self, *, spot=100.0, polled=KEYS, age=0.0):
        columns = {"last": [(3, 3)] * len(STRIKES), "open_interest": [(1, 1)] * len(STRIKES)}
        self.at += 60
        self.polls.append(
            poll(self.day, self.at, dict.fromkeys(polled, columns), spot={key.underlying: spot for key in KEYS})
        )
        chains = seen(self.day, *self.polls, as_of=self.at + age)
        updated = np.array([key in polled for key in KEYS])
        return replace(chains, updated=updated)

    def told(self, chains, made):
        self.state, reading = alerts(chains, self.state, made, self.settings, self.tracked)
        return [tuple(row[1:]) for row in reading.frame().to_numpy().tolist()]


class Gamma(Desk):
    """One cycle of NIFTY and SBIN with a spot of both, GEX [% of all gamma] and a flip at 100."""

    def cycle(self, spot, share=(5.0, 10.0), *, flip=100.0, **picture):
        share = np.array(share)
        reading = blank(
            EXPOSURE_TOTAL, 2, gex=share, gex_share_pct=share, gamma_flip=[flip] * 2,
            gamma_flip_distance_pct=[100 * (flip / spot - 1)] * 2,
        )  # fmt: skip
        convention = np.array(["dealer"] * 2, dtype=object)
        reading = Reading(EXPOSURE_TOTAL, {**reading.columns, "convention": convention})
        return self.told(self.picture(spot=spot, **picture), {"exposure_total": reading})


# Gamma flips ----------------------------------------------------------------------------------------------------------


def test_a_gamma_flip_by_hand():
    """The first side is taken as it is; the other is told at its second observation, an index's however small."""
    desk = Gamma()
    assert desk.cycle(101.0, (3.0, 10.0)) == []
    assert desk.cycle(99.0, (-3.0, -10.0)) == []
    words = "gamma NEGATIVE, amplifies: spot 99 1.01 % > 0.1 % below flip 100.00, GEX {} %, 2 obs (dealer)"
    assert desk.cycle(99.0, (-3.0, -10.0)) == [
        ("NIFTY", "GAMMA_FLIP", "", words.format("-3.0")),
        ("SBIN", "GAMMA_FLIP", "", words.format("-10.0")),
    ]
    assert desk.cycle(99.0, (-3.0, -10.0)) == []


def test_a_flip_upwards_names_positive_gamma():
    desk = Gamma()
    desk.cycle(99.0, (-3.0, NAN))
    desk.cycle(101.0, (3.0, NAN))
    ((name, _, _, words),) = desk.cycle(101.0, (3.0, NAN))
    assert name == "NIFTY"
    assert words.startswith("gamma POSITIVE, dampens: spot 101 0.99 % > 0.1 % above flip 100.00, GEX +3.0 %, 2 obs")


@pytest.mark.parametrize(
    ("spots", "told"),
    [
        ([101, 99, 101, 99, 101], 0),  # never twice in a row
        ([101, 99, 99], 1),
        ([101, 99.91, 99.91, 99.91], 0),  # within 0.1 % of the flip
        ([101, 99.91, 99.8, 99.8], 1),
        ([101, 99, 99.95, 99], 0),  # the band between is no confirmation
        ([99.95, 101, 101], 0),  # the first side beyond the band is where it begins
        ([101, 99, 99, 101, 101, 101], 1),  # back within ten minutes
        ([101, 99, 99, *[101] * 12], 2),  # and told when it still stands after them
    ],
)
def test_a_spot_that_trembles_at_the_flip_rings_no_bell(spots, told):
    desk = Gamma()
    cycles = [desk.cycle(spot, (3.0 if spot > 100 else -3.0, NAN)) for spot in spots]
    assert sum(len(rows) for rows in cycles) == told


def test_gamma_of_a_stock_must_be_more_than_two_per_cent_of_all():
    desk = Gamma()
    desk.cycle(101.0, (NAN, 10.0))
    for _ in range(3):
        assert desk.cycle(99.0, (NAN, -2.0)) == []
    desk.cycle(99.0, (NAN, -2.1))
    assert len(desk.cycle(99.0, (NAN, -2.1))) == 1


def test_stocks_are_left_out_where_that_is_wanted():
    desk = Gamma(replace(SETTINGS, alerts=AlertSettings(stock_gamma=False)))
    assert [len(desk.cycle(spot, (NAN, share))) for spot, share in ((101, 10), (99, -10), (99, -10))] == [0, 0, 0]


def test_gamma_that_is_stale_not_observed_anew_or_blank_is_withheld_and_nothing_forgotten():
    desk = Gamma()
    desk.cycle(101.0, (3.0, NAN))
    desk.cycle(99.0, (-3.0, NAN))
    kept = desk.state
    assert desk.cycle(99.0, (-3.0, NAN), age=181.0) == []
    assert desk.cycle(99.0, (-3.0, NAN), polled=[KEYS[1]]) == []
    assert desk.cycle(99.0, (NAN, NAN)) == []
    for name in ("gamma_side", "gamma_candidate", "gamma_alerted_at"):
        assert np.array_equal(desk.state.segment[name], kept.segment[name], equal_nan=True)
    assert len(desk.cycle(99.0, (-3.0, NAN))) == 1


def test_without_a_flip_in_range_the_sign_counts():
    desk = Gamma()
    desk.cycle(101.0, (3.0, NAN))
    desk.cycle(99.0, (-9.0, NAN), flip=NAN)
    ((_, _, _, words),) = desk.cycle(99.0, (-9.0, NAN), flip=NAN)
    assert words.startswith("gamma NEGATIVE, amplifies: no flip within 10 %, GEX -9.0 %")


# Put-call ratios ------------------------------------------------------------------------------------------------------


class Ratios(Desk):
    def cycle(self, nifty, sbin=NAN, **picture):
        chains = self.picture(**picture)
        return self.told(chains, {"open_interest": blank(OPEN_INTEREST, 2, put_call_ratio=[nifty, sbin])})


def test_reversals_by_hand():
    desk = Ratios()
    assert desk.cycle(1.5) == []
    assert desk.cycle(1.52) == [("NIFTY", "PCR_REVERSAL", "BULLISH", "PCR 1.52 > 1.5, was 1.50")]
    assert desk.cycle(1.0) == []
    assert desk.cycle(0.6) == []
    assert desk.cycle(0.59) == [("NIFTY", "PCR_REVERSAL", "BEARISH", "PCR 0.59 < 0.6, was 0.60")]


@pytest.mark.parametrize(
    ("ratios", "told"),
    [
        ([1.55, 1.56], 0),  # above from the first: nothing crossed
        ([1.4, 1.51, 1.49, 1.51], 1),  # back by less than 0.05
        ([1.4, 1.51, 1.45, 1.51], 2),
        ([1.4, NAN, 1.51], 1),
        ([0.7, 0.59, 0.61, 0.58, 0.65, 0.59], 2),
    ],
)
def test_a_ratio_that_trembles_on_its_limit_is_told_once(ratios, told):
    desk = Ratios()
    cycles = [desk.cycle(ratio) for ratio in ratios]
    assert sum(row[1] == "PCR_REVERSAL" for rows in cycles for row in rows) == told


def test_an_extreme_is_told_at_its_second_reading():
    desk = Ratios()
    assert [row[1] for row in desk.cycle(0.48)] == []
    assert desk.cycle(0.48) == []  # a repetition is no second reading
    assert desk.cycle(0.478) == [("NIFTY", "PCR_EXTREME", "BEARISH", "PCR 0.48 < 0.50 for 2 obs, contrarian")]
    assert desk.cycle(0.47) == []
    assert desk.cycle(0.52) == []  # not yet inside by the margin
    assert desk.cycle(0.49) == []
    assert desk.cycle(0.48) == []
    assert desk.cycle(0.551) == []
    assert desk.cycle(0.49) == []
    assert len(desk.cycle(0.48)) == 1


def test_stocks_ratios_are_told_where_that_is_wanted():
    assert Ratios().cycle(NAN, 1.4) == []
    for wanted in (False, True):
        desk = Ratios(replace(SETTINGS, alerts=AlertSettings(stock_ratios=wanted)))
        desk.cycle(NAN, 1.4)
        assert len(desk.cycle(NAN, 1.51)) == int(wanted)


def test_a_ratio_of_a_stale_chain_is_withheld():
    desk = Ratios()
    desk.cycle(1.4)
    assert desk.cycle(1.51, age=181.0) == []
    assert len(desk.cycle(1.51)) == 1


# Changes over minutes -------------------------------------------------------------------------------------------------


class Windows(Desk):
    def cycle(self, changes, *, name=0, daily=None, **picture):
        """`changes`: {(minutes, strike, side): per cent} of one name; all other legs of it did not change."""
        rows = len(STRIKES)
        columns = {}
        for minutes, limit in zip((3, 5, 10, 15, 30), self.settings.windows.limits, strict=True):
            pct = np.zeros((2 * rows, 2))
            for (window, strike, side), change in changes.items():
                if window == minutes:
                    pct[name * rows + STRIKES.index(strike), side] = change
            columns |= {f"pct_{minutes}": pct, f"breach_{minutes}": (np.abs(pct) > limit).astype(float)}
        legs = {c.name: np.full((2 * rows, 2), NAN) for c in OPEN_INTEREST_LEGS.columns} | columns
        chains = self.picture(**picture)
        made = {
            "open_interest_legs": Reading(OPEN_INTEREST_LEGS, legs),
            "price": blank(PRICE, 2, atm_strike=[100.0] * 2),
        }
        return self.told(daily(chains) if daily else chains, made)


def test_breaches_by_hand():
    desk = Windows()
    assert desk.cycle({(5, 105.0, 0): 12.34, (5, 95.0, 1): -9.0, (30, 100.0, 1): -26.0, (3, 100.0, 0): 50.0}) == [
        ("NIFTY", "OI_WINDOW", "", "5 min: 105 CE OI +12.3 % > +8 %, 2 legs"),
        ("NIFTY", "OI_WINDOW", "", "30 min: 100 PE OI -26.0 % < -25 %"),
    ]
    assert desk.cycle({(5, 105.0, 0): 12.34}) == []


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({(5, 105.0, 0): 8.0}, 0),
        ({(10, 105.0, 0): 10.1}, 1),
        ({(15, 105.0, 0): 15.1}, 1),
        ({(5, 125.0, 0): 50.0}, 1),  # the fifth strike from the money
        ({(5, 130.0, 0): 50.0}, 0),
        ({(5, 70.0, 1): 50.0}, 0),
    ],
)
def test_limits_and_the_strikes_that_are_watched(change, told):
    assert len(Windows().cycle(change)) == told


def test_only_the_two_tracked_names_are_told():
    assert Windows().cycle({(5, 100.0, 0): 20.0}, name=1) == []
    (row,) = Windows(tracked=("SENSEX", "SBIN")).cycle({(5, 100.0, 0): 20.0}, name=1)
    assert row[0] == "SBIN"


def test_a_window_is_told_again_after_none_breached_and_the_cool_down():
    desk = Windows()
    breach = {(5, 100.0, 0): 20.0}
    pattern = [breach, breach, {}, breach, *[{}] * 6, breach]
    assert [len(desk.cycle(changes)) for changes in pattern] == [1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]


def test_a_window_that_is_not_covered_stale_or_of_a_name_in_ban_is_withheld():
    desk = Windows(tracked=("SBIN",))
    breach = {(5, 100.0, 0): 20.0}
    assert desk.cycle(breach, name=1, age=181.0) == []
    assert desk.cycle(breach, name=1, polled=[KEYS[0]]) == []

    def in_ban(chains):
        day = with_daily(chains).day
        return replace(chains, day=replace(day, daily=replace(day.daily, banned=np.array([0.0, 1.0]))))

    assert desk.cycle(breach, name=1, daily=in_ban) == []
    assert len(desk.cycle(breach, name=1)) == 1


# Unusual activity -----------------------------------------------------------------------------------------------------


class Unusual(Desk):
    def cycle(self, *rows, times=4.0, **picture):
        """`rows`: (urgency, direction, option type, change, held after it) of SBIN's nearest chain."""
        count = len(rows)
        texts = {
            "underlying": ["SBIN"] * count, "expiry": [MONTHLY.isoformat()] * count,
            "urgency": [r[0] for r in rows], "direction": [r[1] for r in rows], "option_type": [r[2] for r in rows],
            "reason": [f"reason {i}" for i in range(count)],
        }  # fmt: skip
        columns = blank(UNUSUAL_ACTIVITY, count).columns | {
            "open_interest_flow": np.array([r[3] for r in rows], dtype=float),
            "open_interest": np.array([r[4] for r in rows], dtype=float),
        }
        columns |= {name: np.array(values, dtype=object) for name, values in texts.items()}
        self.state = self.state.updated(segment={"otm_call_times": np.full(2, times), "otm_put_times": np.full(2, 0.0)})
        return self.told(self.picture(**picture), {"unusual_activity": Reading(UNUSUAL_ACTIVITY, columns)})


HIGH = ("HIGH", "BULLISH", "CE", 200.0, 1_200.0)  # +20 %


def test_accumulation_is_told_with_the_sum_of_its_side():
    words = "reason 0; all calls there 4.0 x"
    assert Unusual().cycle(HIGH) == [("SBIN", "OTM_ACCUMULATION", "BULLISH", words)]


@pytest.mark.parametrize(
    ("row", "times"),
    [
        (("HIGH", "", "CE", 200.0, 1_200.0), 4.0),  # nobody knows who pressed
        (("HIGH", "BULLISH", "CE", 99.0, 1_099.0), 4.0),  # +9.9 %
        (HIGH, 3.0),
        (HIGH, NAN),
        (("HIGH", "BEARISH", "PE", 200.0, 1_200.0), 4.0),  # the puts together did not
        (("MEDIUM", "BULLISH", "CE", 200.0, 1_200.0), 4.0),
        (("", "BULLISH", "", NAN, NAN), 4.0),
    ],
)
def test_what_is_listed_and_not_told(row, times):
    assert Unusual().cycle(row, times=times) == []


def test_accumulation_is_told_once_and_again_after_a_step_without_one():
    desk = Unusual()
    assert [len(desk.cycle(*rows)) for rows in ([HIGH], [HIGH], [], [HIGH], *[[]] * 6, [HIGH])] == [
        1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1,
    ]  # fmt: skip


def test_unusual_volume_is_told_where_that_is_wanted():
    desk = Unusual(replace(SETTINGS, alerts=AlertSettings(unusual_volume=True)))
    told = desk.cycle(("MEDIUM", "BEARISH", "PE", 5.0, 1_200.0))
    assert told == [("SBIN", "UNUSUAL_VOLUME", "BEARISH", "reason 0")]


def test_a_stale_chain_tells_no_accumulation():
    assert Unusual().cycle(HIGH, age=181.0) == []
