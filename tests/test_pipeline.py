"""The engines together: order, slices, names left out, inputs untouched, and a fold that can be resumed anywhere."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from optionscanner.analytics.pipeline import ENGINES, Inputs
from optionscanner.analytics.pricing import price_market
from optionscanner.errors import ChainError
from optionscanner.model.anchors import Anchors
from optionscanner.model.columns import ALERTS, READINGS
from optionscanner.model.readings import Reading
from optionscanner.model.settings import EngineSettings, FlowSettings
from optionscanner.model.state import LEG_STATE, SEGMENT_STATE, State
from tests.builders import ist, small_layout
from tests.engine_builders import (
    FIXED_BAND,
    a_day,
    a_layout,
    assert_same,
    frozen,
    lively_day,
    lively_pictures,
    poll,
    replayed,
    run,
    seen,
)

AT = ist(10, 0)
SETTINGS = EngineSettings()


def test_a_needed_reading_stands_before_the_one_that_needs_it():
    names = [engine.name for engine in ENGINES]
    assert names == [*(spec.name for spec in READINGS), ALERTS.name]
    for i, engine in enumerate(ENGINES):
        assert set(engine.needs) <= set(names[:i])


def test_every_reading_is_of_its_declared_kind_and_length():
    chains = lively_pictures(2, 6)[-1]
    _, made, _ = run(chains)
    for spec in (*READINGS, ALERTS):
        reading = made[spec.name]
        assert reading.spec is spec
        layout = chains.layout
        lengths = {"segment": layout.segments, "underlying": len(layout.names), "strike": layout.rows}
        rows = {**lengths, "future": len(layout.future_expiry)}.get(spec.row)
        assert rows is None or len(reading) == rows
        for column in spec.columns:
            values = reading[column.name]
            if column.kind == "text":
                assert values.dtype == object
                assert all(isinstance(text, str) for text in values)
            else:
                assert values.dtype == np.float64
                if column.kind == "integer":
                    known = values[np.isfinite(values)]
                    assert np.array_equal(known, np.round(known))


def test_a_reading_with_other_columns_than_declared_is_refused():
    with pytest.raises(ChainError, match=r"reading alerts: columns must be those declared .* unknown \['odd'\]"):
        Reading(ALERTS, {"odd": np.zeros(1)})
    lengths = {c.name: np.zeros(i) for i, c in enumerate(ALERTS.columns)}
    with pytest.raises(ChainError, match="of one length"):
        Reading(ALERTS, lengths)


def test_a_readings_rows_and_frame_keep_its_columns():
    chains = lively_pictures(2, 2)[-1]
    made = run(chains)[1]["price"]
    assert made.rows([2, 0])["spot"].tolist() == made["spot"][[2, 0]].tolist()
    assert list(made.frame()) == list(made.spec.names)


def inputs_of(chains, state, pricing=None):
    pricing = pricing or price_market(chains, SETTINGS.pricing)
    return Inputs(chains, pricing, state, {}, SETTINGS)


def with_made(inputs, engine):
    state, reading = engine.run(inputs)
    return replace(inputs, state=state, made={**inputs.made, engine.name: reading})


def part_of(reading, layout, name):
    """The rows of one name; a rank counts the whole market's events, so it is left out."""
    u = layout.names.index(name)
    if reading.spec.row == "segment":
        return reading.rows(np.flatnonzero(layout.segment_underlying == u)).columns
    if reading.spec.row == "underlying":
        return reading.rows([u]).columns
    if reading.spec.row == "strike":
        return reading.rows(np.flatnonzero(layout.segment_underlying[layout.row_segment] == u)).columns
    if reading.spec.row == "future":
        return reading.rows(np.flatnonzero(layout.future_underlying == u)).columns
    mine = reading.rows(np.flatnonzero(reading["underlying"] == name)).columns
    return {k: v for k, v in mine.items() if k != "rank"}


@pytest.mark.slow
@settings(max_examples=25)
@given(st.integers(0, 2**32 - 1))
def test_each_engine_on_one_name_alone_gives_what_it_gives_among_all(seed):
    """Quarantine relies on it: readings and state to the last bit, engine by engine."""
    pictures = lively_pictures(seed, 5, faults=0.05)
    state, _, pricing = replayed(pictures[:-1])[-1]
    chains = pictures[-1]
    inputs = inputs_of(chains, state, price_market(chains, SETTINGS.pricing, pricing))
    for engine in ENGINES:
        after = with_made(inputs, engine)
        for name in chains.layout.names:
            alone = with_made(inputs.sliced(name), engine)
            assert_same(after.state.sliced(name), alone.state)
            whole, own = after.made[engine.name], alone.made[engine.name]
            assert_same(part_of(whole, chains.layout, name), part_of(own, alone.chains.layout, name))
        inputs = after


@pytest.mark.slow
@settings(max_examples=25)
@given(st.integers(0, 2**32 - 1), st.sampled_from(["NIFTY", "BANKNIFTY", "SBIN", "IDEA"]))
def test_without_a_name_the_others_are_as_with_it(seed, name):
    pictures = lively_pictures(seed, 6, faults=0.05)
    whole = without = None
    pricing = other_pricing = None
    for chains in pictures:
        whole, made, pricing = run(chains, whole, pricing=pricing)
        without, rest, other_pricing = run(chains.without([name]), without, pricing=other_pricing)
        for other in set(chains.layout.names) - {name}:
            assert_same(whole.sliced(other), without.sliced(other))
            for spec in (*READINGS, ALERTS):
                assert_same(
                    part_of(made[spec.name], chains.layout, other), part_of(rest[spec.name], chains.layout, other)
                )
    untouched = without.sliced(name)
    assert all(np.isnan(v).all() for v in (*untouched.segment.values(), *untouched.leg.values()))


def test_a_name_left_out_for_a_while_goes_on_from_where_it_was():
    pictures = lively_pictures(5, 8)
    state, _, pricing = replayed(pictures[:4])[-1]
    before = state.sliced("NIFTY")
    for chains in pictures[4:7]:
        state, made, pricing = run(chains.without(["NIFTY"]), state, pricing=pricing)
        for name in (*SEGMENT_STATE, *LEG_STATE):
            part = state.sliced("NIFTY")
            now, then = (s.segment.get(name, s.leg.get(name)) for s in (part, before))
            assert np.array_equal(now, then, equal_nan=True)
        assert made["price"]["status"][0] == "left out after an error"
    state, made, _ = run(pictures[7], state, pricing=pricing)
    assert pictures[7].updated[:2].any()
    mine = pictures[7].updated[:2]
    assert (made["flow"]["steps"][:2] > before.segment["steps"])[mine].all()


@pytest.mark.parametrize("seed", range(3))
def test_no_engine_writes_into_what_it_is_given(seed):
    pictures = lively_pictures(seed, 4)
    state, _, pricing = replayed(pictures[:3])[-1]
    chains = pictures[3]
    pricing = price_market(chains, SETTINGS.pricing, pricing)
    inputs = inputs_of(chains, state, pricing)
    for engine in ENGINES:
        for value in (inputs.chains, inputs.chains.layout, inputs.pricing, inputs.state, inputs.made):
            frozen(value)
        inputs = with_made(inputs, engine)


def copied(state):
    """The state as it would come back from a file: values alone, on a layout of its own."""
    layout = a_layout(
        {k: state.layout.strike[s:e] for k, s, e in
         zip(state.layout.segment_keys, state.layout.starts, state.layout.ends, strict=True)}
    )  # fmt: skip
    fresh = State.fresh(layout)
    return replace(
        fresh,
        segment={n: v.copy() for n, v in state.segment.items()},
        leg={n: v.copy() for n, v in state.leg.items()},
        anchors=Anchors(
            layout, state.anchors.at.copy(), dict(state.anchors.values), state.anchors.written.copy(),
            dict(state.anchors.prices),
        ),
        future={n: v.copy() for n, v in state.future.items()},
    )


def stored_anchors(stored, anchors):
    """What a history has of the ring: the newest anchor of each chain that was written."""
    at, held = stored.at.copy(), {"values": dict(stored.values), "prices": dict(stored.prices)}
    for slot, segment in np.argwhere((anchors.at == anchors.newest) & anchors.written):
        rows = slice(int(anchors.layout.starts[segment]), int(anchors.layout.ends[segment]))
        at[slot, segment] = anchors.at[slot, segment]
        for name, mine in held.items():
            mine[int(slot)] = mine.get(int(slot), np.full((anchors.layout.rows, 2), np.nan)).copy()
            mine[int(slot)][rows] = getattr(anchors, name)[int(slot)][rows]
    return replace(stored, at=at, **{name: dict(sorted(mine.items())) for name, mine in held.items()})


@pytest.mark.slow
@settings(max_examples=10)
@given(st.integers(0, 2**32 - 1), st.integers(1, 9))
def test_a_day_resumed_anywhere_equals_the_day_in_one_piece(seed, cut):
    """Only what is stored survives a restart: marked rows of the state, and the day's quotes."""
    pictures = lively_pictures(seed, 10)
    whole = replayed(pictures)
    stored, before = State.fresh(pictures[0].layout), None
    for state, _, _ in whole[:cut]:
        rows = state.stepped[state.layout.row_segment][:, None]
        stored = replace(
            stored,
            segment={n: np.where(state.touched, v, stored.segment[n]) for n, v in state.segment.items()},
            leg={n: np.where(rows, v, stored.leg[n]) for n, v in state.leg.items()},
            anchors=stored_anchors(stored.anchors, state.anchors),
            future=state.future,
        )
        before = state
    marks = {"touched": before.touched, "stepped": before.stepped}
    assert_same(replace(stored, **marks, anchors=replace(stored.anchors, written=before.anchors.written)), before)
    resumed = replayed(pictures[cut:], copied(stored))
    fresh = np.zeros_like(before.touched)
    for chains, (state, made, _), (other, again, _) in zip(pictures[cut:], whole[cut:], resumed, strict=True):
        assert_same(state, other)
        windows = ("open_interest_legs", "open_interest_change", "futures", "build_up")
        for name in ("flow", *windows, "readiness", "alerts"):
            assert_same(made[name].columns, again[name].columns)
        # A chain that was not observed since the restart is priced again with the newest spot and future.
        fresh |= chains.updated
        for name in ("price", "open_interest", "exposure"):
            assert_same(made[name].rows(np.flatnonzero(fresh)).columns, again[name].rows(np.flatnonzero(fresh)).columns)
        if fresh.all():
            assert_same(made["activity"].columns, again["activity"].columns)


def test_a_picture_without_anything_new_changes_nothing():
    pictures = lively_pictures(3, 4)
    state, made, pricing = replayed(pictures)[-1]
    quiet = replace(pictures[-1], updated=np.zeros_like(pictures[-1].updated))
    after, again, _ = run(quiet, state, pricing=pricing)
    assert_same(after.segment, state.segment)
    assert_same(after.leg, state.leg)
    assert len(again["alerts"]) == 0
    for name in ("price", "open_interest", "exposure", "exposure_total", "flow", "readiness"):
        assert_same(made[name].columns, again[name].columns)


@pytest.mark.parametrize(
    "ladders",
    [{"NIFTY": [100.0]}, {"NIFTY": [100.0], "SBIN": [10.0]}, {"NIFTY": [95.0, 100.0]}],
    ids=["one strike", "two names of one strike", "two strikes"],
)
def test_the_smallest_markets_run(ladders):
    one = a_day(ladders)
    names = list(ladders)
    state, plain = None, replace(SETTINGS, flow=FlowSettings(**FIXED_BAND))
    for i in range(3):
        columns = {n: {"last": [(3, 3)] * len(k), "open_interest": [(10 + i, 10)] * len(k)} for n, k in ladders.items()}
        chains = seen(one, poll(one, AT + 60 * i, columns, spot=dict.fromkeys(names, 100.0)))
        state, made, _ = run(chains, state, plain)
    two = len(ladders["NIFTY"]) > 1  # calls are added twice: a cap
    assert made["readiness"]["direction"].tolist() == (["BEARISH"] if two else [""] * len(names))
    assert made["readiness"]["status"].tolist() == ([""] if two else ["not seen yet"] * len(names))


def test_a_market_in_which_nothing_was_seen_runs():
    for day in (lively_day(), a_day(small_layout())):
        _, made, _ = run(seen(day, poll(day, AT)))
        assert set(made["price"]["status"]) == {"not seen yet"}
        assert np.isnan(made["readiness"]["readiness"]).all()
        assert (len(made["activity"]), len(made["alerts"])) == (0, 0)
