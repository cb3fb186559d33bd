"""Open interest against earlier: each change is looked up again by plain loops over what was polled.

Whole recorded days are in `test_replayed_open_interest.py`.
"""

import csv
import json
from bisect import bisect_right
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from optionscanner.analytics.build_up import build_up, build_up_codes, futures
from optionscanner.analytics.open_interest_change import open_interest_change
from optionscanner.analytics.open_interest_windows import open_interest_legs
from optionscanner.history.store import SqliteHistory
from optionscanner.model.anchors import SLOT_S, SLOTS, WINDOWS, Anchors
from optionscanner.model.columns import BUILD_UP_WORDS
from optionscanner.model.contracts import SegmentKey
from optionscanner.model.daily import DailyContext
from optionscanner.model.picture import MarketPicture
from optionscanner.model.reasons import Reason
from optionscanner.model.sessions import Mode
from optionscanner.model.settings import EngineSettings, WindowSettings
from optionscanner.model.state import State
from tests import builders
from tests.builders import MONTHLY, WEEKLY, ist
from tests.engine_builders import a_day, a_layout, assert_same, frozen, lively_pictures, poll, run

SETTINGS = EngineSettings()
PATIENCE, EARLY = 180.0, 15.0
NONE = float("nan")
PRICES = [(5.0, 5.0)] * 5


class Ledger:
    """What one chain was polled to hold, and the rules of a window in plain Python."""

    def __init__(self) -> None:
        self.known: dict[object, float] = {}
        self.read: list[tuple[float, dict[object, float]]] = []

    def polled(self, stamp: float, legs: dict[object, float]) -> None:
        legs = {leg: value for leg, value in legs.items() if not np.isnan(value)}
        if any(self.known.get(leg) != value for leg, value in legs.items()):
            self.known |= legs
            self.read.append((stamp, legs))

    def stands_for(self, instant: float, leg: object, until: float) -> float | None:
        for stamp, legs in reversed(self.read):
            if stamp <= instant and stamp >= instant - PATIENCE and leg in legs:
                return legs[leg]
        for stamp, legs in self.read:
            if instant <= stamp <= until and leg in legs:
                return legs[leg]
        return None

    def change(self, leg: object, minutes: int) -> float:
        if not self.read:
            return NONE
        end = self.read[-1][0]
        now = self.stands_for(end, leg, end)
        before = self.stands_for(end - 60 * minutes, leg, end - 60 * minutes + EARLY)
        return NONE if now is None or before is None else now - before


def check(ledger: Ledger, legs: list[object], reading, rows: np.ndarray) -> None:
    """`legs` of the ledger in the order of the rows, call before put."""
    for minutes in WINDOWS:
        expected = [ledger.change(leg, minutes) for leg in legs]
        found = reading[f"change_{minutes}"][rows].ravel()
        np.testing.assert_array_equal(found, expected, err_msg=f"{minutes} minutes")
        before = [ledger.known.get(leg, NONE) - change for leg, change in zip(legs, expected, strict=True)]
        shares = [100 * c / b if b > 0 else NONE for c, b in zip(expected, before, strict=True)]
        np.testing.assert_allclose(reading[f"pct_{minutes}"][rows].ravel(), shares, rtol=1e-12)


# One chain, written out


class Chain:
    """NIFTY of five strikes, polled at minutes after 10:00."""

    def __init__(self, **windows: float) -> None:
        self.day = a_day({"NIFTY": (90.0, 95.0, 100.0, 105.0, 110.0)})
        self.picture, self.state, self.reading = MarketPicture(self.day), State.fresh(self.day.layout), None
        self.settings = replace(SETTINGS, windows=WindowSettings(**windows))

    def polled(self, minute: float, interest: list[float], strikes=None, spot: float = 100.0):
        """Calls' open interest; puts hold ten times as much."""
        at = ist(10, 0) + 60.0 * minute
        legs = {"last": PRICES[: len(interest)], "open_interest": [(call, 10 * call) for call in interest]}
        self.picture.observe(
            poll(self.day, at, {"NIFTY": legs}, strikes=strikes and {"NIFTY": strikes}, spot={"NIFTY": spot})
        )
        return self.seen(at)

    def seen(self, at: float):
        chains = self.picture.frozen(at)
        frozen(self.state)
        self.state, self.reading = open_interest_legs(chains, self.state, self.settings)
        self.chains, self.change = chains, open_interest_change(chains, self.state, self.reading, self.settings)[1]
        return self

    def call(self, name: str, row: int = 0) -> float:
        return float(self.reading[name][row, 0])


def test_a_window_is_blank_until_it_is_covered_and_says_when_it_will_be() -> None:
    chain = Chain().polled(0, [100, 100, 100, 100, 100]).polled(3, [110, 100, 100, 100, 100])
    assert (chain.call("change_3"), chain.call("pct_3")) == (10.0, 10.0)
    assert np.isnan(chain.call("change_5"))
    assert chain.call("reason_5") == Reason.WINDOW_NOT_COVERED
    assert chain.change["from_5"][0] == ist(10, 5)
    assert np.isnan(chain.change["from_3"][0])
    chain.polled(6, [130, 100, 100, 100, 100])
    assert (chain.call("change_3"), chain.call("change_5")) == (20.0, 30.0)
    assert chain.change["from_30"][0] == ist(10, 30)


def test_no_change_is_measured_only_where_the_chain_was_published_anew() -> None:
    """Repetitions are no data: the change stands, and it is not drawn towards zero."""
    chain = Chain().polled(0, [100] * 5).polled(5, [112, 100, 100, 100, 100])
    first = {name: chain.reading[name].copy() for name in chain.reading.columns}
    assert (chain.call("change_5"), chain.call("change_5", row=1)) == (12.0, 0.0)
    assert chain.call("breach_5") == 1.0
    for minute in (6, 8, 10, 14, 25):
        chain.polled(minute, [112, 100, 100, 100, 100])
        assert all(np.array_equal(chain.reading[n], first[n], equal_nan=True) for n in first), minute
    assert chain.change["window_time"][0] == ist(10, 5)
    chain.polled(26, [112, 101, 100, 100, 100])
    assert np.isnan(chain.call("change_5"))  # 10:21 was never published
    assert np.isnan(chain.call("breach_5"))


def test_a_stale_feed_leaves_every_change_as_it_was() -> None:
    chain = Chain().polled(0, [100] * 5).polled(5, [112, 100, 100, 100, 100])
    before = chain.reading
    chain.seen(ist(11, 30))
    assert_same(before.columns, chain.reading.columns)


def test_a_gap_blanks_what_it_hides_and_what_lies_beyond_it_is_measured_again() -> None:
    chain = Chain().polled(0, [100] * 5).polled(3, [101] + [100] * 4).polled(30, [150] + [100] * 4)
    assert [np.isfinite(chain.call(f"change_{w}")) for w in WINDOWS] == [False, False, False, False, True]
    assert chain.call("change_30") == 50.0
    assert chain.change["from_5"][0] == ist(10, 35)


@pytest.mark.parametrize(("gap", "covered"), [(285.0, True), (284.0, False), (480.0, True), (481.0, False)])
def test_the_beginning_of_a_window_may_be_three_minutes_older_and_a_quarter_younger(gap: float, covered: bool) -> None:
    chain = Chain().polled(0, [100] * 5).polled(gap / 60, [110, 100, 100, 100, 100])
    assert np.isfinite(chain.call("change_5")) == covered


def test_a_leg_that_was_not_polled_is_blank_and_not_unchanged() -> None:
    chain = Chain().polled(0, [100] * 5).polled(1, [100, 100, 102], strikes=[95, 100, 105])
    chain.polled(5, [101, 101, 103], strikes=[95, 100, 105])
    assert np.isnan(chain.call("change_5"))  # of 90: not seen at 10:05
    assert chain.call("change_5", row=1) == 1.0
    assert chain.call("change_close") is not None
    chain.polled(10, [130, 101, 101, 103, 100])
    assert np.isnan(chain.call("change_5"))  # nor at 10:05 as a beginning
    assert chain.call("change_10") == 30.0


def test_a_change_has_no_share_where_nothing_was_held() -> None:
    chain = Chain().polled(0, [0] * 5).polled(5, [50] * 5)
    assert (chain.call("change_5"), chain.call("reason_5")) == (50.0, Reason.NOTHING_BEFORE)
    assert np.isnan(chain.call("pct_5"))


def test_a_breach_lies_beyond_its_limit_in_either_direction() -> None:
    chain = Chain().polled(0, [1000] * 5).polled(5, [1080, 1081, 920, 919, 1000])
    assert chain.reading["breach_5"][:, 0].tolist() == [0.0, 1.0, 0.0, 1.0, 0.0]
    assert chain.change["breaches_5"][0] == 4  # puts move along
    assert Chain(limit_5_pct=0).polled(0, [1000] * 5).polled(5, [2000] * 5).call("breach_5") == 0.0


def test_an_atm_that_moves_and_strikes_that_are_listed_keep_every_change() -> None:
    still, moving = Chain(), Chain()
    for minute in range(0, 35, 3):
        interest = [100.0 + minute, 100, 100 - minute, 100, 100]
        still.polled(minute, interest)
        moving.polled(minute, interest, spot=90.0 + minute)
        assert_same(still.reading.columns, moving.reading.columns)
        if minute == 15:  # two strikes are listed
            wider = a_day({"NIFTY": (85.0, 90.0, 95.0, 100.0, 105.0, 110.0, 115.0)})
            moved = moving.state.reindexed(wider.layout)
            assert_same(moved.reindexed(moving.day.layout), moving.state)
    rows = wider.layout.rows_of(np.zeros(5, dtype=int), [90.0, 95.0, 100.0, 105.0, 110.0])
    later = moving.state.reindexed(wider.layout)
    picture = moving.picture.reindexed(wider)
    _, reading = open_interest_legs(picture.frozen(ist(10, 40)), later, SETTINGS)
    for name in ("change_3", "change_30", "pct_open", "breach_10"):
        np.testing.assert_array_equal(reading[name][rows], still.reading[name])
        assert np.isnan(reading[name][[0, 6]]).all()


def test_since_the_open_only_where_the_open_was_seen() -> None:
    early, late = Chain(), Chain()
    early.day = late.day
    for chain, first in ((early, -44), (late, 0)):  # 09:16 and 10:00
        chain.polled(first, [100] * 5).polled(5, [130] + [100] * 4)
    assert (early.call("change_open"), early.change["call_change_open"][0]) == (30.0, 30.0)
    assert np.isnan(late.call("change_open"))
    assert early.change["day_since"][0] == "open"
    assert early.change["change_day_pct"][0] == pytest.approx(100 * 330 / 5500)
    assert early.change["trend_day"][0] == "RISING"
    assert (late.change["trend_day"][0], late.change["trend_5"][0]) == ("", "RISING")


def test_sums_of_a_chain_need_nine_tenths_of_it() -> None:
    chain = Chain().polled(0, [100, 100, 100, 200], strikes=[95, 100, 105, 110]).polled(5, [40, 110, 100, 100, 200])
    assert chain.change["call_change_5"][0] == 10.0  # 510 of 550 know theirs
    chain = Chain().polled(0, [100, 100, 100, 200], strikes=[95, 100, 105, 110]).polled(5, [90, 110, 100, 100, 200])
    assert np.isnan(chain.change["call_change_5"][0])  # 510 of 600


# The ring


def test_the_ring_is_bounded_and_its_arrays_are_shared() -> None:
    layout = a_layout({"NIFTY": (90.0, 100.0)})
    ring, stamps = Anchors.fresh(layout), []
    for i in range(1000):
        stamps.append(ist(9, 15) + 7.0 * i)
        before = ring
        ring = ring.added(np.array([True]), np.array(stamps[-1:]), np.full((2, 2), float(i)), np.ones((2, 2)))
        assert len(ring.values) <= SLOTS
        assert all(ring.values[k] is before.values[k] for k in before.values) or len(ring.values) >= len(before.values)
    end = stamps[-1]
    for minutes in WINDOWS:
        instant = end - 60.0 * minutes
        found = ring.read(np.array([instant - PATIENCE]), np.array([instant]), np.ones((2, 2), dtype=bool))
        exact = bisect_right(stamps, instant) - 1
        # The last one of each half minute is kept.
        assert 0 <= exact - found[0, 0] <= SLOT_S / 7.0 + 1


interests = st.lists(st.sampled_from([NONE, 0.0, 100.0, 110.0, 130.0]), min_size=5, max_size=5)
polls = st.lists(
    st.tuples(st.sampled_from([0.5, 1.0, 2.95, 3.0, 4.9, 8.0, 20.0, 41.0]), st.integers(0, 2), interests), max_size=14
)


@pytest.mark.slow
@settings(max_examples=60)
@given(polls)
def test_whatever_is_polled_changes_are_those_of_plain_loops(polled) -> None:
    """Part of the ladder or all of it, gaps, holes and repetitions."""
    chain, ledger, minute = Chain(), Ledger(), 0.0
    ladder = chain.day.layout.strike.tolist()
    for pause, first, interest in polled:
        minute += pause
        strikes = ladder[first:]
        chain.polled(minute, interest[first:], strikes=strikes)
        seen = dict(zip(strikes, interest[first:], strict=True))
        ledger.polled(
            ist(10, 0) + 60.0 * minute,
            {(k, side): v * (1 if side == "call" else 10) for k, v in seen.items() for side in ("call", "put")},
        )
        check(ledger, [(k, side) for k in ladder for side in ("call", "put")], chain.reading, np.arange(5))


# Build-up


def test_the_build_up_matrix_and_its_bands() -> None:
    """Price against open interest, up and down; a change of zero says nothing."""
    words = {"LONG_BUILDUP": "LB", "SHORT_BUILDUP": "SB", "SHORT_COVERING": "SC", "LONG_UNWINDING": "LU", "NEUTRAL": ""}
    with (Path(__file__).parent / "reference" / "rules.csv").open(encoding="utf-8") as lines:
        cases = [row for row in csv.DictReader(lines) if row["rule"] == "oi_buildup"]
    assert len(cases) == 9
    for case in cases:
        change = {k: np.array([float(v)]) for k, v in json.loads(case["inputs"]).items()}
        code = build_up_codes(change["price_change"], change["oi_change"], SETTINGS.windows)
        assert BUILD_UP_WORDS[int(code[0])] == words[json.loads(case["expected"])["signal"]]
    bands = build_up_codes(np.array([0.05, 0.06, 1.0, NONE]), np.array([2.0, 0.5, 0.51, 1.0]), SETTINGS.windows)
    assert bands.tolist()[:3] == [0.0, 0.0, 1.0]
    assert np.isnan(bands[3])


def future_market(daily: bool):
    near, far = SegmentKey("NIFTY", WEEKLY), SegmentKey("NIFTY", MONTHLY)
    day = a_day({near: [90.0, 100.0], far: [90.0, 100.0]}, futures=[near, far])
    if daily:
        known = {"future_open_interest": np.array([1000.0, 200.0]), "future_close": np.array([100.0, 101.0])}
        empty = DailyContext(
            previous_session=WEEKLY, spot_open=NONE, spot_high=NONE, spot_low=NONE, spot_close=NONE, banned=NONE,
            ban_entered=(), ban_left=(), iv_dates=(), iv_history=NONE, positions=None, positions_before=None,
            fii_crore={}, vix_close=NONE, vix_history=NONE, lot_changes=(), events=(), **known,
        )  # fmt: skip
        day = replace(day, daily=empty)
    return day, near, far


def futures_after(day, near, far, *quoted):
    picture, state = MarketPicture(day), State.fresh(day.layout)
    for minute, (near_price, near_interest, far_price, far_interest) in quoted:
        at = ist(9, 15) + 60.0 * minute
        picture.observe(poll(day, at, futures={
            near: {"last": near_price, "open_interest": near_interest},
            far: {"last": far_price, "open_interest": far_interest},
        }))  # fmt: skip
        chains = picture.frozen(at)
        state, each = futures(chains, state, SETTINGS)
        state, total = build_up(chains, state, each, SETTINGS)
    return each, total


@pytest.mark.parametrize("daily", [True, False])
def test_a_rollover_is_no_unwinding(daily: bool) -> None:
    """The nearest future loses what the next one gains: alone it unwinds, together they build up."""
    day, near, far = future_market(daily)
    each, total = futures_after(day, near, far, (1, (100, 1000, 101, 200)), (60, (102, 500, 103, 800)))
    assert each["build_up"].tolist() == ["SC", "LB"]
    assert each["since"].tolist() == ["close" if daily else "open"] * 2
    assert each["open_interest_change_pct"].tolist() == [-50.0, 300.0]
    assert (total["build_up"][0], total["future_open_interest_change"][0]) == ("LB", 100.0)
    assert total["future_open_interest_change_pct"][0] == pytest.approx(100 * 100 / 1200)
    assert total["future_rollover_pct"][0] == pytest.approx(100 * 800 / 1300)


def test_the_mean_price_of_a_future_weighs_each_price_with_what_was_traded_at_it() -> None:
    """100 at 90 before the first look, 300 more at 94, none at 99: (9,000 + 28,200) / 400."""
    day, near, far = future_market(daily=False)
    picture, state = MarketPicture(day), State.fresh(day.layout)
    for minute, last, volume in ((1, 90.0, 100.0), (2, 94.0, 400.0), (3, 99.0, 400.0)):
        at = ist(9, 15) + 60.0 * minute
        picture.observe(poll(day, at, futures={near: {"last": last, "volume": volume}, far: {"last": 101.0}}))
        chains = picture.frozen(at)
        state, each = futures(chains, state, SETTINGS)
        state, total = build_up(chains, state, each, SETTINGS)
    assert each["vwap"].tolist()[:1] == [93.0]
    assert np.isnan(each["vwap"][1])
    assert (total["future_vwap"][0], total["future_volume"][0]) == (93.0, 400.0)


def test_without_close_and_open_no_build_up_is_said() -> None:
    day, near, far = future_market(daily=False)
    each, total = futures_after(day, near, far, (120, (100, 1000, 101, 200)), (180, (102, 500, 103, 800)))
    assert each["build_up"].tolist() == ["", ""]
    assert (total["build_up"][0], total["status"][0]) == ("", "no close or open to measure from")
    assert total["future_open_interest"][0] == 1300.0


# Restart


@pytest.mark.parametrize("cut", [1, 9, 17])
def test_started_again_in_the_middle_of_the_day_every_column_is_the_same_to_the_bit(tmp_path: Path, cut: int) -> None:
    pictures = lively_pictures(3, 20, step=150.0)
    session = builders.run_session(trading_date=pictures[0].day.session.date)
    whole, state, pricing = [], None, None
    for chains in pictures:
        state, made, pricing = run(chains, state, pricing=pricing)
        whole.append((state, made))

    def begun() -> tuple[SqliteHistory, object]:
        history = SqliteHistory(tmp_path / "h.db", Mode.REPLAY)
        return history, history.begin(session, pictures[0].day, resume_within=None, now=pictures[-1].as_of)

    history, _ = begun()
    for number, chains in enumerate(pictures[:cut], start=1):
        state, made = whole[number - 1]
        history.save(builders.report(chains, number, session=session, state=state, readings=made))
    history.close()
    history, resume = begun()
    history.close()
    state, pricing = resume.state, None
    names = ("open_interest_legs", "open_interest_change", "futures", "build_up")
    for chains, (_, expected) in zip(pictures[cut:], whole[cut:], strict=True):
        state, made, pricing = run(chains, state, pricing=pricing)
        for name in names:
            assert_same(made[name].columns, expected[name].columns)
