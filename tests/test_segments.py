"""Reductions within each chain, beside loops over the rows; none lets one chain's numbers touch another's."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from optionscanner.analytics import segments
from optionscanner.model.contracts import SegmentKey
from tests.builders import MONTHLY, WEEKLY
from tests.engine_builders import a_layout

NAN = float("nan")
quantities = st.one_of(st.just(NAN), st.integers(-3, 60).map(lambda n: n / 4))


@st.composite
def markets(draw, columns=2):
    """A layout of up to six chains, and (rows, columns) values with holes."""
    lengths = draw(st.lists(st.integers(1, 9), min_size=1, max_size=6))
    keys = [SegmentKey(f"N{i // 2}", (WEEKLY, MONTHLY)[i % 2]) for i in range(len(lengths))]
    layout = a_layout({k: [5.0 * (i + 1) for i in range(n)] for k, n in zip(keys, lengths, strict=True)})
    rows = draw(st.lists(st.lists(quantities, min_size=columns, max_size=columns),
                         min_size=layout.rows, max_size=layout.rows))  # fmt: skip
    return layout, np.array(rows).reshape(layout.rows, columns)


def chains(layout):
    return [range(start, end) for start, end in zip(layout.starts.tolist(), layout.ends.tolist(), strict=True)]


def known(values):
    return [v for v in values if not math.isnan(v)]


@given(markets())
def test_sums_and_newest_are_those_of_a_loop(market):
    layout, values = market
    assert segments.total(layout, values).tolist() == [
        [math.fsum(known(values[r, side] for r in rows)) for side in (0, 1)] for rows in chains(layout)
    ]
    newest = [max(known([*values[list(rows)].ravel()]), default=NAN) for rows in chains(layout)]
    assert np.array_equal(segments.newest(layout, values), newest, equal_nan=True)


@given(markets())
def test_running_totals_are_those_of_a_loop(market):
    layout, values = market
    expected = [math.fsum(known(values[rows.start : r + 1, 0])) for rows in chains(layout) for r in rows]
    assert segments.running_total(layout, values[:, 0]).tolist() == expected


@given(markets())
def test_marks_are_found_per_chain_and_side(market):
    layout, values = market
    marks = values > 5
    assert segments.any_row(layout, marks).tolist() == [bool(marks[list(rows)].any()) for rows in chains(layout)]
    assert segments.any_side(layout, marks).tolist() == [
        [any(marks[r, side] for r in rows) for side in (0, 1)] for rows in chains(layout)
    ]
    assert segments.first_row(layout, marks[:, 0]).tolist() == [
        next((r for r in rows if marks[r, 0]), -1) for rows in chains(layout)
    ]
    assert segments.last_row(layout, marks[:, 0]).tolist() == [
        next((r for r in reversed(rows) if marks[r, 0]), -1) for rows in chains(layout)
    ]


@given(markets(), st.floats(0, 60))
def test_the_nearest_marked_strike_is_the_lower_one_of_a_tie(market, price):
    layout, values = market
    marks = values[:, 0] > 5
    expected = [
        min((r for r in rows if marks[r]), key=lambda r: (round(abs(layout.strike[r] - price), 6), r), default=-1)
        for rows in chains(layout)
    ]
    assert segments.nearest_row(layout, marks, np.full(layout.segments, price)).tolist() == expected


def test_nearest_row_has_no_answer_without_a_price_or_a_mark():
    layout = a_layout({"NIFTY": [90, 95, 100], "SBIN": [90, 95, 100]})
    everyone = np.ones(6, dtype=bool)
    assert segments.nearest_row(layout, everyone, np.array([NAN, 97.5])).tolist() == [-1, 4]
    assert segments.nearest_row(layout, np.arange(6) == 5, np.array([92.0, 0.0])).tolist() == [-1, 5]


@given(markets())
def test_offsets_count_listed_strikes_only(market):
    layout, values = market
    listed = ~np.isnan(values)
    rows_listed = listed.any(axis=1)
    atm = [next((r for r in rows if rows_listed[r]), -1) for rows in chains(layout)]
    offset = segments.strike_offset(layout, listed, np.array(atm))
    for rows, centre in zip(chains(layout), atm, strict=True):
        for r in rows:
            if centre < 0:
                assert math.isnan(offset[r])
            elif rows_listed[r]:
                assert offset[r] == sum(rows_listed[centre + 1 : r + 1])


def test_offsets_are_negative_below_the_money_and_skip_what_is_not_listed():
    layout = a_layout({"NIFTY": [90, 95, 100, 105, 110]})
    listed = np.array([[1, 1], [0, 0], [1, 1], [0, 1], [1, 0]], dtype=bool)
    offset = segments.strike_offset(layout, listed, np.array([2]))
    assert offset[[0, 2, 3, 4]].tolist() == [-1, 0, 1, 2]


def test_at_gives_a_blank_for_no_row():
    assert segments.at(np.array([7.0, 8.0]), np.array([1, -1, 0])).tolist()[::2] == [8.0, 7.0]
    assert math.isnan(segments.at(np.array([7.0, 8.0]), np.array([-1]))[0])
    assert np.isnan(segments.at(np.empty(0), np.array([-1, 0]))).all()
    assert segments.at(np.array([[1.0, 2.0]]), np.array([0, -1])).shape == (2, 2)


def plain_weighted_median(pairs):
    """Walks up the sorted values until half of the weight is behind."""
    pairs = sorted(pairs)
    half = sum(weight for _, weight in pairs) / 2
    behind = 0.0
    for i, (value, weight) in enumerate(pairs):
        behind += weight
        if behind == half:
            return (value + pairs[i + 1][0]) / 2
        if behind > half:
            return value
    raise AssertionError("no weight")


@given(st.lists(st.tuples(st.integers(0, 4), st.integers(-20, 20), st.integers(1, 8)), max_size=30))
def test_weighted_medians_are_those_of_a_walk(items):
    groups, values, weights = (np.array([item[i] for item in items], dtype=float) for i in range(3))
    found = segments.weighted_median(groups.astype(np.int64), values, weights, 5)
    for group in range(5):
        mine = [(float(v), float(w)) for g, v, w in items if g == group]
        if mine:
            assert found[group] == plain_weighted_median(mine)
        else:
            assert math.isnan(found[group])


@pytest.mark.parametrize(
    ("values", "weights", "median"),
    [
        ([5.0], [1.0], 5.0),
        ([5.0, 7.0], [1.0, 1.0], 6.0),
        ([5.0, 7.0], [1.0, 1.1], 7.0),
        ([1.0, 2.0, 9.0], [1.0, 1.0, 1.0], 2.0),
        ([1.0, 2.0, 9.0], [1.0, 1.0, 2.0], 5.5),
        ([1.0, 2.0, 9.0], [1.0, 1.0, 2.1], 9.0),
        ([0.1, 0.2, 0.3, 0.4], [0.1, 0.2, 0.2, 0.1], 0.25),
    ],
)
def test_weighted_median_by_hand(values, weights, median):
    found = segments.weighted_median(np.zeros(len(values), dtype=int), np.array(values), np.array(weights), 1)
    assert found[0] == pytest.approx(median, rel=1e-15)


def test_fractional_sums_of_a_chain_do_not_depend_on_its_neighbours():
    """Alone, first or last, next to huge numbers: the same to the last bit."""
    draw = np.random.default_rng(8)
    lengths = draw.integers(1, 60, 40)
    names = [f"N{i}" for i in range(len(lengths))]
    layout = a_layout({n: [5.0 * (i + 1) for i in range(k)] for n, k in zip(names, lengths, strict=True)})
    scale = 10.0 ** draw.integers(-8, 14, len(lengths))
    values = draw.normal(size=(layout.rows, 2)) * scale[layout.row_segment][:, None]
    everything = (segments.total(layout, values), segments.running_total(layout, values[:, 1]))
    for i, name in enumerate(names):
        alone = layout.sliced(name)
        rows = layout.row_segment == i
        assert segments.total(alone, values[rows]).tolist() == [everything[0][i].tolist()]
        assert segments.running_total(alone, values[rows, 1]).tolist() == everything[1][rows].tolist()


def test_words_by_code():
    assert segments.words(np.array([2, 0]), ("a", "b", "c")).tolist() == ["c", "a"]
