"""What engines remember: fresh, moved by contract, sliced; declared names; nothing lost on the way there and back."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from optionscanner.model.columns import FLOW, READINGS
from optionscanner.model.contracts import SegmentKey
from optionscanner.model.state import LEG_STATE, SEGMENT_STATE, State
from tests import builders
from tests.builders import MONTHLY, WEEKLY
from tests.engine_builders import a_layout, assert_same, lively_pictures, replayed


def test_fresh_state_knows_nothing():
    state = State.fresh(builders.small_layout())
    assert all(np.isnan(values).all() and values.shape == (4,) for values in state.segment.values())
    assert all(np.isnan(values).all() and values.shape == (15, 2) for values in state.leg.values())
    assert (set(state.segment), set(state.leg)) == (set(SEGMENT_STATE), set(LEG_STATE))
    assert not state.touched.any()
    assert not state.stepped.any()


def test_every_state_and_column_has_a_meaning_and_a_name_of_its_own():
    assert all(meaning for meaning in (*SEGMENT_STATE.values(), *LEG_STATE.values()))
    assert not set(SEGMENT_STATE) & set(LEG_STATE)
    for spec in READINGS:
        assert len(set(spec.names)) == len(spec.names)
    assert {"regime", "flips", "steps"} <= set(FLOW.names)


keys = st.tuples(st.sampled_from(["NIFTY", "SBIN", "TCS"]), st.sampled_from([WEEKLY, MONTHLY]))
ladders = st.dictionaries(keys, st.sets(st.integers(1, 30), min_size=1, max_size=8), min_size=1, max_size=5)


def layout_of(chains):
    return a_layout(
        {SegmentKey(*k): [5.0 * s for s in strikes] for k, strikes in chains.items()}, names=["SBIN", "TCS", "NIFTY"]
    )


def contents(state, contract_of):
    """{contract: values} of one state, for comparison without a layout."""
    count = len(next(iter(state.values())))
    return {contract_of(i): tuple(v[i].tobytes() for v in state.values()) for i in range(count)}


@given(ladders, ladders, st.integers(0, 99))
def test_moved_there_and_back_nothing_is_lost_that_both_layouts_know(first, more, seed):
    old = layout_of(first)
    merged = {k: first.get(k, set()) | more.get(k, set()) for k in {**first, **more}}
    state = builders.state(old, seed=seed, touched=np.arange(old.segments) % 2, stepped=np.arange(old.segments) % 3)
    assert_same(state.reindexed(layout_of(merged)).reindexed(old), state)


@given(ladders, ladders, st.integers(0, 99))
def test_each_contract_keeps_its_values_wherever_it_stands(first, second, seed):
    """Looked up contract by contract; new ones begin with nothing."""
    old, new = layout_of(first), layout_of(second)
    state = builders.state(old, seed=seed)
    there = state.reindexed(new)
    chains = contents(state.segment, lambda i: old.segment_keys[i])
    legs = contents(state.leg, lambda r: (old.segment_keys[old.row_segment[r]], old.strike[r]))
    nothing = np.array(np.nan).tobytes()
    for k, values in contents(there.segment, lambda i: new.segment_keys[i]).items():
        assert values == chains.get(k, (nothing,) * len(SEGMENT_STATE))
    for k, values in contents(there.leg, lambda r: (new.segment_keys[new.row_segment[r]], new.strike[r])).items():
        assert values == legs.get(k, (nothing * 2,) * len(LEG_STATE))


def test_the_same_layout_is_no_move():
    state = builders.state(builders.small_layout())
    assert state.reindexed(state.layout) is state
    assert_same(state.reindexed(builders.small_layout()), state)


def test_a_slice_is_one_names_rows():
    state = builders.state(builders.small_layout(), touched=[1, 0, 1, 0])
    alone = state.sliced("NIFTY")
    assert alone.layout.names == ("NIFTY",)
    assert alone.touched.tolist() == [True, False]
    for name, values in alone.segment.items():
        assert np.array_equal(values, state.segment[name][:2], equal_nan=True)
    for name, values in alone.leg.items():
        assert np.array_equal(values, state.leg[name][:8], equal_nan=True)


def test_an_update_leaves_the_old_state_as_it_was():
    layout = builders.small_layout()
    before = State.fresh(layout)
    after = before.updated(segment={"steps": np.ones(4)}, leg={"base_price": np.ones((15, 2))})
    assert (after.segment["steps"].tolist(), after.leg["base_price"].min()) == ([1.0] * 4, 1.0)
    assert_same(before, State.fresh(layout))


@pytest.mark.parametrize("seed", range(6))
def test_a_cycle_marks_every_row_that_it_changes(seed):
    """Only marked rows are stored, so an unmarked change would be lost in a restart."""
    before = None
    for state, _, _ in replayed(lively_pictures(seed, 25)):
        layout = state.layout
        old = before or State.fresh(layout)

        def differs(new, old):
            return ~((new == old) | (np.isnan(new) & np.isnan(old)))

        chains = np.any([differs(v, old.segment[n]) for n, v in state.segment.items()], axis=0)
        rows = np.any([differs(v, old.leg[n]).any(axis=1) for n, v in state.leg.items()], axis=0)
        legs = np.logical_or.reduceat(rows, layout.starts)
        assert not (chains & ~state.touched).any()
        assert not (legs & ~state.stepped).any()
        before = state
