"""Planted scenes: the answer key is what was planted, strength scales it, and nothing else of the market changes."""

from __future__ import annotations

import csv
from collections import Counter
from datetime import datetime

import numpy as np
import pytest

from optionscanner.adapters.simulated import SimulatedMarket, simulated_session
from optionscanner.adapters.simulated.scenes import (
    ACCUMULATION,
    BREAKOUT,
    COVERING,
    CROSSING,
    CRUSH,
    FLIP_FLOP,
    MIRRORED,
    QUIET,
    SUPPORT,
    Scene,
)
from optionscanner.adapters.simulated.universe import load_names
from optionscanner.model.calendar import load_calendar
from tests.benchmarks.scenes import DIRECTED, Score, crossings, interval, kind_of, score
from tests.test_simulated import ManualClock, assert_same

CALENDAR = load_calendar()
OPENS = simulated_session().opens.timestamp()
CLOSES = simulated_session().closes.timestamp()
STEP = 180


def market_of(strength: float = 1.0, seed: int = 7, **options) -> SimulatedMarket:
    return SimulatedMarket(clock=ManualClock(), seed=seed, calendar=CALENDAR, strength=strength, **options)


@pytest.fixture(scope="module")
def planted() -> SimulatedMarket:
    return market_of()


@pytest.fixture(scope="module")
def bare() -> SimulatedMarket:
    return market_of(0.0)


def scenes_of(market: SimulatedMarket, kind: str) -> list[Scene]:
    found = [scene for scene in market.answer_key() if kind_of(scene) == kind]
    assert found, kind
    return found


def chain(market: SimulatedMarket, symbol: str):
    """(strikes, step, rows) of a name's nearest chain."""
    layout = market.day.layout
    segment = int(layout.underlying_front[layout.names.index(symbol)])
    rows = slice(int(layout.starts[segment]), int(layout.ends[segment]))
    return layout.strike[rows], layout.strike_step[segment], rows


def seen(market: SimulatedMarket, symbol: str, at: float):
    """(open interest, volume, spot) of the nearest chain at an instant [units, ₹], at the next point of the grid.

    What `observation` gives (a test says so), without the quotes of the whole market.
    """
    second = int(-(-(at - OPENS) // 5) * 5)
    u = market.day.layout.names.index(symbol)
    _, _, rows = chain(market, symbol)
    lot = market.day.layout.segment_lot_size[market.day.layout.underlying_front[u]]
    interest = market._interest.open_interest[market._interest.point_at(second)[u], rows]
    volume, _ = market._interest.volume_at(second)
    return interest * lot, volume[rows] * lot, market._paths.spot[second // 5, u]


def flow(market: SimulatedMarket, scene: Scene, first: int, last: int) -> float:
    """ATM-weighted put less call open interest added from one step after the onset to another, per cent of it all."""
    strikes, step, _ = chain(market, scene.underlying)
    before, _, spot = seen(market, scene.underlying, scene.begins + first * STEP)
    after, _, _ = seen(market, scene.underlying, scene.begins + last * STEP)
    weight = np.exp(-np.abs(strikes - spot) / (2 * step))
    change = after - before
    return float(100 * (weight @ (change[:, 1] - change[:, 0])) / (weight @ before.sum(axis=1)))


# The key --------------------------------------------------------------------------------------------------------------


def test_every_kind_is_planted_by_default_and_both_ways(planted):
    key = planted.answer_key()
    names = Counter(scene.name for scene in key)
    expected = {SUPPORT, BREAKOUT, COVERING, ACCUMULATION, CROSSING, FLIP_FLOP, CRUSH, QUIET, *MIRRORED.values()}
    assert set(names) == expected
    assert 0.5 < len(key) / 215 < 0.9
    assert len({scene.underlying for scene in key}) == len(key)


def test_the_key_lies_within_the_session_and_in_order(planted):
    key = planted.answer_key()
    assert [scene.begins for scene in key] == sorted(scene.begins for scene in key)
    for scene in key:
        assert OPENS <= scene.begins < scene.ends <= CLOSES
        if scene.name != QUIET:
            assert scene.begins >= OPENS + 1_800
            assert (scene.ends - scene.begins) % STEP == 0
        ways = {1, -1} if kind_of(scene) in DIRECTED or scene.name == CROSSING else {0}
        assert scene.direction in ways
        mirrored = scene.name in MIRRORED.values()
        assert not mirrored or scene.direction == -1
        assert scene.size > 0


def test_a_scene_begins_when_open_interest_is_published(planted):
    """Within the five seconds of the grid after the publication of its name."""
    after = dict(zip(planted.day.layout.names, planted._interest.published_after.tolist(), strict=True))
    for scene in planted.answer_key():
        if scene.name != QUIET:
            assert 0 <= (scene.begins - OPENS - after[scene.underlying]) % STEP < 5


def test_no_strength_no_scenes(bare):
    assert bare.answer_key() == ()


def test_strength_changes_sizes_and_nothing_else_of_the_key():
    symbols = [name.symbol for name in load_names()[5:60]]
    plain, double = (market_of(strength, symbols=symbols) for strength in (1.0, 2.0))
    two = {(s.name, s.underlying, s.begins, s.ends, s.direction): s.size for s in double.answer_key()}
    for scene in plain.answer_key():
        if kind_of(scene) in DIRECTED:
            place = scene.name, scene.underlying, scene.begins, scene.ends, scene.direction
            assert two[place] == 2 * scene.size


def test_another_seed_has_other_scenes():
    symbols = [name.symbol for name in load_names()[5:60]]
    one, other = (
        {(s.underlying, s.begins, s.name) for s in market_of(seed=n, symbols=symbols).answer_key()} for n in (1, 2)
    )
    assert one
    assert len(one & other) < 2


def test_a_name_has_the_same_scene_in_any_company(planted):
    key = planted.answer_key()[:3]
    few = market_of(symbols=[scene.underlying for scene in key])
    assert set(few.answer_key()) == set(key)


def test_the_written_key_says_the_same(planted, tmp_path):
    """CSV with Indian times; written by a call, twice alike."""
    planted.write_answer_key(tmp_path / "key.csv")
    text = (tmp_path / "key.csv").read_text(encoding="utf-8")
    rows = list(csv.DictReader(text.splitlines()))
    assert list(rows[0]) == ["name", "underlying", "from", "to", "direction", "size"]
    words = {1: "BULLISH", -1: "BEARISH", 0: ""}
    for row, scene in zip(rows, planted.answer_key(), strict=True):
        assert (row["name"], row["underlying"], row["direction"]) == (
            scene.name, scene.underlying, words[scene.direction]
        )  # fmt: skip
        assert datetime.fromisoformat(row["from"]).timestamp() == scene.begins
        assert datetime.fromisoformat(row["to"]).timestamp() == scene.ends
        assert row["from"].endswith("+05:30")
        assert float(row["size"]) == pytest.approx(scene.size, rel=1e-5)
    planted.write_answer_key(tmp_path / "key.csv")
    assert (tmp_path / "key.csv").read_text(encoding="utf-8") == text


@pytest.mark.parametrize("strength", [-0.1, float("nan"), float("inf")])
def test_a_strength_that_is_none_is_refused(strength):
    with pytest.raises(ValueError, match="strength of the scenes must be a number from 0, was"):
        market_of(strength)


def test_the_shortcut_of_these_tests_is_what_is_observed(planted):
    scene = planted.answer_key()[30]
    _, _, rows = chain(planted, scene.underlying)
    second = int(scene.begins - OPENS) + 400
    observation = planted.observation(second)
    interest, volume, spot = seen(planted, scene.underlying, OPENS + second)
    np.testing.assert_array_equal(interest, observation.legs["open_interest"][rows])
    np.testing.assert_array_equal(volume, observation.legs["volume"][rows])
    assert spot == observation.underlying_values["spot"][planted.day.layout.names.index(scene.underlying)]


# What is planted ------------------------------------------------------------------------------------------------------


def test_names_without_a_scene_are_as_without_any(planted, bare):
    layout = planted.day.layout
    untouched = sorted(set(layout.names) - {scene.underlying for scene in planted.answer_key()})
    assert len(untouched) > 30
    rows = np.isin(layout.segment_underlying[layout.row_segment], [layout.names.index(n) for n in untouched])
    for second in (5_400, 14_400, 22_500):
        one, other = planted.observation(second), bare.observation(second)
        for quantity, values in one.legs.items():
            np.testing.assert_array_equal(values[rows], other.legs[quantity][rows], err_msg=quantity)


def test_before_its_scene_a_name_is_as_without_it(planted, bare):
    """But for silent names and those whose interest stands around the level of a crossing from the open."""
    for scene in planted.answer_key()[::7]:
        if scene.name in (QUIET, CROSSING):
            continue
        one, other = (seen(m, scene.underlying, scene.begins) for m in (planted, bare))
        np.testing.assert_array_equal(one[0], other[0])
        assert one[2] == other[2]
        # What is published at the next step is traded before it: volume leads by up to a step.
        one, other = (seen(m, scene.underlying, scene.begins - STEP) for m in (planted, bare))
        np.testing.assert_array_equal(one[1], other[1])


@pytest.mark.parametrize("kind", [SUPPORT, BREAKOUT, COVERING, ACCUMULATION])
def test_the_first_two_steps_flow_the_scenes_way(planted, bare, kind):
    """Each alone, more than without the scene, in nearly every scene; doubled at double strength."""
    right = []
    for scene in scenes_of(planted, kind):
        for step in (0, 1):
            more = flow(planted, scene, step, step + 1) - flow(bare, scene, step, step + 1)
            right.append(more * scene.direction > 0)
    assert np.mean(right) > 0.95


def test_the_onset_is_of_the_99_9th_percentile(planted, bare):
    """18 of the name's usual steps, by the recorded day; the median scene is within a fifth of it."""
    found = []
    for scene in scenes_of(planted, SUPPORT):
        strikes, step, rows = chain(bare, scene.underlying)
        u = bare.day.layout.names.index(scene.underlying)
        interest = bare._interest.open_interest[:, rows].astype(float)
        spot = bare._paths.spot[::36, u]
        weight = np.exp(-np.abs(strikes[None, :] - spot[:, None]) / (2 * step))
        change = np.diff(interest, axis=0)
        usual = np.abs((weight[1:] * (change[:, :, 1] - change[:, :, 0])).sum(axis=1)).mean()
        held = (weight[0] * interest[0].sum(axis=1)).sum()
        found.append(scene.direction * flow(planted, scene, 0, 1) / (100 * usual / held))
    assert 0.8 * 18 < np.median(found) < 1.4 * 18


@pytest.mark.parametrize("kind", [SUPPORT, BREAKOUT, COVERING, ACCUMULATION])
def test_the_spot_goes_the_scenes_way(planted, bare, kind):
    """Over the scene, against the same name without it."""
    right = []
    for scene in scenes_of(planted, kind):
        moved = [
            np.log(seen(m, scene.underlying, scene.ends)[2] / seen(m, scene.underlying, scene.begins)[2])
            for m in (planted, bare)
        ]
        right.append(moved[0] * scene.direction > 0)
    assert np.mean(right) > 0.85


def test_a_covering_closes_calls_and_opens_nothing(planted, bare):
    """What is closed in the first two steps is of the side against the scene."""
    for scene in scenes_of(planted, COVERING):
        against = 0 if scene.direction > 0 else 1
        closed = np.zeros(2)
        for way, market in ((1, planted), (-1, bare)):
            before, after = (seen(market, scene.underlying, scene.begins + k * STEP)[0] for k in (0, 2))
            closed += way * (before - after).sum(axis=0)
        assert closed[against] > 0
        # The background follows the spot, which the scene moves.
        assert abs(closed[1 - against]) < 0.05 * closed[against]


def test_an_accumulation_is_beyond_1_05_of_the_money(planted, bare):
    """One leg at least five per cent out gains the most in share of what it held, with the volume of it."""
    for scene in scenes_of(planted, ACCUMULATION):
        strikes, _, _ = chain(planted, scene.underlying)
        side = 0 if scene.direction > 0 else 1
        start, _, spot = seen(planted, scene.underlying, scene.begins)
        _, traded, _ = seen(planted, scene.underlying, scene.begins - STEP)
        end, volume, _ = seen(planted, scene.underlying, scene.begins + 2 * STEP)
        same, _, _ = seen(bare, scene.underlying, scene.begins + 2 * STEP)
        far = scene.direction * (strikes / spot - 1) >= 0.045
        gained = (end - same)[:, side]
        leg = int(np.argmax(np.where(far, gained, -1)))
        assert gained[leg] > 0
        assert 20 * (np.abs(gained) * far).sum() < 21 * gained[leg]
        assert volume[leg, side] - traded[leg, side] >= gained[leg]
        assert start[leg, side] >= 0


def test_a_crossing_crosses_the_previous_close(planted):
    for scene in scenes_of(planted, CROSSING):
        level = planted._columns.previous_close[planted.day.layout.names.index(scene.underlying)]
        before, after = (seen(planted, scene.underlying, at)[2] for at in (scene.begins, scene.ends))
        assert (before - level) * scene.direction < 0 < (after - level) * scene.direction


def test_a_crossings_interest_changes_sign_at_the_level(planted, bare):
    """Calls stand above the previous close, puts below it: little of either on the other side."""
    for scene in scenes_of(planted, CROSSING):
        strikes, _, _ = chain(planted, scene.underlying)
        level = planted._columns.previous_close[planted.day.layout.names.index(scene.underlying)]
        one, other = (seen(m, scene.underlying, OPENS)[0] for m in (planted, bare))
        away = np.abs(strikes / level - 1) > 0.01
        for side, wrong in ((0, strikes < level), (1, strikes > level)):
            assert one[wrong & away, side].sum() < 0.5 * other[wrong & away, side].sum()


def test_calls_and_puts_are_of_one_gamma_at_the_level_when_a_crossing_begins(planted):
    """A bell around the level as wide as the price moves until expiry, within a few per cent."""
    layout, close = planted.day.layout, planted._columns.previous_close
    for scene in scenes_of(planted, CROSSING):
        strikes, _, _ = chain(planted, scene.underlying)
        u = layout.names.index(scene.underlying)
        name = next(n for n in load_names() if n.symbol == scene.underlying)
        front = layout.underlying_front[u]
        days = layout.segment_expiry[front] - planted.day.session.date.toordinal()
        width = name.annual_volatility * np.sqrt(days / 365)
        bell = np.exp(-0.5 * (np.log(strikes / close[u]) / width) ** 2)
        interest, _, _ = seen(planted, scene.underlying, scene.begins)
        calls, puts = bell @ interest
        assert abs(calls - puts) < 0.06 * (calls + puts)


def test_a_flip_flop_turns(planted):
    """Every five steps it flows the other way."""
    for scene in scenes_of(planted, FLIP_FLOP):
        phases = [flow(planted, scene, k, k + 5) for k in range(0, 25, 5)]
        assert np.sign(phases).tolist() == [1, -1, 1, -1, 1]


def test_a_crush_takes_volatility_for_good(planted, bare):
    """12 % less at its end and an hour later; prices of the underlying as without it."""
    for scene in scenes_of(planted, CRUSH):
        u = planted.day.layout.names.index(scene.underlying)
        np.testing.assert_array_equal(planted._paths.spot[:, u], bare._paths.spot[:, u])
        ratio = planted._paths.volatility[:, u] / bare._paths.volatility[:, u]
        end = int(-(-(scene.ends - OPENS) // STEP))
        assert ratio[int((scene.begins - OPENS) // STEP)] == 1
        assert 0.75 < ratio[min(end + 20, len(ratio) - 1)] < 0.98


def test_a_quiet_name_hardly_trades(planted, bare):
    for scene in scenes_of(planted, QUIET):
        changes, volumes = [], []
        for market in (planted, bare):
            start, _, _ = seen(market, scene.underlying, OPENS)
            end, volume, _ = seen(market, scene.underlying, CLOSES)
            changes.append(np.abs(end - start).sum())
            volumes.append(volume.sum())
        assert changes[0] < 0.3 * changes[1]
        assert volumes[0] < 0.4 * volumes[1]


def test_a_restart_within_a_scene_sees_the_same_market(planted):
    scene = planted.answer_key()[40]
    symbols = [scene.underlying, "RELIANCE", "NIFTY"]
    clock = ManualClock()
    running = SimulatedMarket(clock=clock, seed=7, calendar=CALENDAR, symbols=symbols)
    instants = running.instants()
    middle = int(np.searchsorted(instants, (scene.begins + scene.ends) / 2))
    for index in range(middle + 1):
        clock.at = instants[index]
        picture = running.latest()
    again = SimulatedMarket(clock=ManualClock(clock.at), seed=7, calendar=CALENDAR, symbols=symbols)
    assert_same(again.latest(), picture)


# How finds are scored -------------------------------------------------------------------------------------------------


def scene_of(name=SUPPORT, underlying="SBIN", begins=1_000.0, direction=1):
    return Scene(name, underlying, begins, begins + 12 * STEP, direction, 18.0)


@pytest.mark.parametrize(
    ("find", "found", "false", "ignored"),
    [
        (("SBIN", 1_001.0, 1), 1, 0, 0),
        (("SBIN", 1_539.0, 1), 1, 0, 0),
        (("SBIN", 1_540.0, 1), 0, 1, 0),  # the third publication is out
        (("SBIN", 1_000.0, 1), 0, 1, 0),  # before there was anything to find
        (("SBIN", 1_300.0, -1), 0, 1, 0),
        (("ITC", 1_300.0, 1), 0, 1, 0),
    ],
)
def test_a_find_is_right_by_name_way_and_time(find, found, false, ignored):
    made = score([scene_of()], [find], DIRECTED)
    assert (made.scenes, made.found, made.false, made.ignored) == (1, found, false, ignored)


def test_a_second_find_of_a_scene_is_not_counted_and_one_long_after_is_false():
    finds = [("SBIN", 1_400.0, 1), ("SBIN", 2_000.0, 1), ("SBIN", 9_000.0, 1)]
    made = score([scene_of()], finds, DIRECTED)
    assert (made.found, made.false, made.ignored) == (1, 1, 1)


def test_finds_in_a_flip_flop_are_not_counted_either_way():
    turning = scene_of(FLIP_FLOP, direction=0)
    made = score([turning], [("SBIN", 1_400.0, 1), ("SBIN", 2_000.0, -1), ("SBIN", 900.0, 1)], DIRECTED)
    assert (made.scenes, made.found, made.false, made.ignored) == (0, 0, 1, 2)


def test_a_crossing_is_found_by_the_sign_of_gamma_after_it_while_it_lasts():
    scene = scene_of(CROSSING)
    ends = scene.ends + 600.0
    flips = [("SBIN", 999.0, 1), ("SBIN", ends + 1.0, 1), ("SBIN", 2_000.0, -1), ("ITC", 2_000.0, 1)]
    assert crossings([scene], flips).found == 0
    made = crossings([scene, scene_of()], [*flips, ("SBIN", ends, 1)])
    assert (made.scenes, made.found, made.ignored) == (1, 1, 4)


def test_scores_add_up():
    total = Score()
    for _ in range(2):
        total.add(score([scene_of(), scene_of(underlying="ITC")], [("SBIN", 1_400.0, 1)], {SUPPORT}))
    assert (total.scenes, total.found, total.by_kind) == (4, 2, {SUPPORT: (2, 4)})


def test_the_interval_is_wilsons():
    """9 of 10: 0.596 to 0.982, from the published formula with z = 1.96."""
    assert interval(9, 10) == pytest.approx((0.5958, 0.9821), abs=1e-3)
