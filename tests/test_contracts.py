"""Contracts and layouts: order, lookups, errors in one sentence, slices, moves from one layout to another."""

from datetime import date

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from optionscanner.errors import ChainError
from optionscanner.model.contracts import ContractId, Layout, SegmentKey, Underlying, moved, paise
from tests.builders import MONTHLY, NIFTY, RELIANCE, WEEKLY, ist, small_layout
from tests.engine_builders import a_layout

HORIZONS = {WEEKLY: ist(15, 30, day=WEEKLY), MONTHLY: ist(15, 30, day=MONTHLY)}


def build(ladders, **changed):
    fields = {"lot_sizes": dict.fromkeys(ladders, 65.0), "horizons": HORIZONS}
    return Layout.build((NIFTY, RELIANCE), ladders, **{**fields, **changed})


def test_a_contract_reads_as_a_trader_says_it():
    assert str(ContractId("NFO", "NIFTY", WEEKLY, 25_300.0, "CE")) == "NIFTY 03-Feb-2026 25300 CE"
    assert str(ContractId("NFO", "VEDL", MONTHLY, 982.35, "PE")) == "VEDL 24-Feb-2026 982.35 PE"
    assert str(ContractId("NFO", "NIFTY", MONTHLY, None, "FUT")) == "NIFTY 24-Feb-2026 FUT"


def test_rows_stand_by_underlying_as_listed_then_expiry_then_strike():
    layout = build(
        {
            SegmentKey("RELIANCE", MONTHLY): [1_400, 1_390],
            SegmentKey("NIFTY", MONTHLY): [25_500, 25_000],
            SegmentKey("NIFTY", WEEKLY): [25_300, 25_250, 25_300],
        }
    )
    assert layout.segment_keys == (
        SegmentKey("NIFTY", WEEKLY),
        SegmentKey("NIFTY", MONTHLY),
        SegmentKey("RELIANCE", MONTHLY),
    )
    assert layout.strike.tolist() == [25_250, 25_300, 25_000, 25_500, 1_390, 1_400]
    assert layout.starts.tolist() == [0, 2, 4]
    assert layout.ends.tolist() == [2, 4, 6]
    assert layout.row_segment.tolist() == [0, 0, 1, 1, 2, 2]
    assert layout.underlying_front.tolist() == [0, 2]
    assert layout.is_index.tolist() == [True, False]
    assert layout.segment_horizon.tolist() == [HORIZONS[WEEKLY], HORIZONS[MONTHLY], HORIZONS[MONTHLY]]


def test_a_strike_that_differs_in_the_last_bit_is_the_same_strike():
    layout = build({SegmentKey("RELIANCE", MONTHLY): [982.35, np.nextafter(982.35, 0), 982.4]})
    assert layout.strike.tolist() == [982.35, 982.4]
    assert layout.rows_of([0, 0, 0], [982.35, np.nextafter(982.4, 2_000), 982.36]).tolist() == [0, 1, -1]


@pytest.mark.parametrize(
    ("ladders", "changed", "sentence"),
    [
        ({SegmentKey("TCS", WEEKLY): [1.0]}, {}, "TCS has contracts but is not in the list"),
        ({SegmentKey("NIFTY", WEEKLY): []}, {}, "NIFTY 2026-02-03 needs strikes above 0, got []"),
        ({SegmentKey("NIFTY", WEEKLY): [0.0]}, {}, "needs strikes above 0, got [0.0]"),
        ({SegmentKey("NIFTY", WEEKLY): [float("nan")]}, {}, "needs strikes above 0, got [nan]"),
        ({SegmentKey("NIFTY", WEEKLY): [1.0]}, {"lot_sizes": {}}, "needs a lot size above 0, got None"),
        (
            {SegmentKey("NIFTY", WEEKLY): [1.0]},
            {"lot_sizes": {SegmentKey("NIFTY", WEEKLY): 0.0}},
            "needs a lot size above 0, got 0.0",
        ),
        (
            {SegmentKey("NIFTY", WEEKLY): [1.0]},
            {"futures": {SegmentKey("NIFTY", WEEKLY): -65.0}},
            "needs a lot size above 0, got -65.0",
        ),
        ({SegmentKey("NIFTY", WEEKLY): [1.0]}, {"horizons": {}}, "NIFTY 2026-02-03 needs the instant of its expiry"),
        ({}, {"futures": {SegmentKey("TCS", WEEKLY): 1.0}}, "TCS has contracts but is not in the list"),
    ],
)
def test_a_layout_that_cannot_be_is_refused_in_a_sentence(ladders, changed, sentence):
    with pytest.raises(ChainError) as error:
        build(ladders, **changed)
    assert sentence in str(error.value)


def test_an_underlying_named_twice_is_refused():
    with pytest.raises(ChainError, match="each underlying must be named once"):
        Layout.build((NIFTY, NIFTY), {}, lot_sizes={}, horizons={})


def test_a_chain_that_is_not_listed_is_named_in_the_error():
    assert small_layout().segment_of("SENSEX", WEEKLY) == 2
    with pytest.raises(ChainError, match=r"no contracts of SENSEX 24-Feb-2026 are listed today"):
        small_layout().segment_of("SENSEX", MONTHLY)


@pytest.mark.parametrize(
    ("ladder", "step"),
    [
        ([100.0], np.nan),
        ([100.0, 105.0], 5.0),
        ([100.0, 105.0, 110.0, 120.0], 5.0),
        ([100.0, 105.0, 115.0], 5.0),  # a tie of one each: the smaller
        ([90.0, 100.0, 105.0, 115.0], 10.0),
        ([982.35, 982.4, 982.45], 0.05),
    ],
)
def test_strike_step_is_the_commonest_gap(ladder, step):
    layout = a_layout({"NIFTY": [1_000.0, 1_100.0], "SBIN": ladder})
    assert layout.strike_step[0] == 100.0
    assert layout.strike_step[1] == pytest.approx(step, nan_ok=True)


def test_the_future_of_a_chain_has_its_underlying_and_expiry():
    layout = small_layout()
    assert layout.future_keys == (SegmentKey("NIFTY", MONTHLY), SegmentKey("RELIANCE", MONTHLY))
    assert layout.segment_future.tolist() == [-1, 0, -1, 1]


def test_an_underlying_with_a_future_alone_has_no_front():
    layout = a_layout({"NIFTY": [1.0, 2.0]}, names=["SBIN", "NIFTY"], futures=[SegmentKey("SBIN", MONTHLY)])
    assert layout.underlying_front.tolist() == [-1, 0]
    alone = layout.sliced("SBIN")
    assert (alone.segments, alone.rows, alone.future_keys) == (0, 0, (SegmentKey("SBIN", MONTHLY),))


def test_a_layout_without_contracts_finds_nothing():
    empty = Layout.build((NIFTY,), {}, lot_sizes={}, horizons={})
    assert (empty.rows, empty.segments) == (0, 0)
    assert empty.rows_of([0, -1], [100.0, 100.0]).tolist() == [-1, -1]
    assert small_layout().rows_from(empty).tolist() == [-1] * 15
    assert len(empty.rows_from(small_layout())) == 0


def test_a_slice_is_the_layout_of_one_name_alone():
    layout = small_layout()
    for name in layout.names:
        alone = layout.sliced(name)
        keys = [k for k in layout.segment_keys if k.underlying == name]
        rebuilt = Layout.build(
            [u for u in layout.underlyings if u.name == name],
            {k: layout.strike[layout.row_segment == layout.segment_keys.index(k)] for k in keys},
            lot_sizes={k: layout.segment_lot_size[layout.segment_keys.index(k)] for k in keys},
            horizons=HORIZONS,
            futures={k: layout.future_lot_size[i] for i, k in enumerate(layout.future_keys) if k.underlying == name},
        )
        assert (alone.underlyings, alone.segment_keys) == (rebuilt.underlyings, rebuilt.segment_keys)
        assert alone.future_keys == rebuilt.future_keys
        for field in ("strike", "starts", "ends", "row_segment", "segment_lot_size", "segment_horizon"):
            assert getattr(alone, field).tolist() == getattr(rebuilt, field).tolist()
        for field in ("segment_future", "underlying_front", "future_lot_size"):
            assert getattr(alone, field).tolist() == getattr(rebuilt, field).tolist()


EXPIRIES = (date(2026, 2, 3), date(2026, 2, 24), date(2026, 3, 31))
ladders_of_names = st.dictionaries(
    st.tuples(st.sampled_from(["NIFTY", "SBIN", "TCS", "ITC"]), st.sampled_from(EXPIRIES)),
    st.sets(st.integers(1, 40), min_size=1, max_size=12),
    max_size=6,
)


def layout_of(ladders):
    keyed = {SegmentKey(*k): [5.0 * strike for strike in strikes] for k, strikes in ladders.items()}
    return Layout.build(
        [Underlying(n, "NFO", "STOCK") for n in ("NIFTY", "SBIN", "TCS", "ITC")],
        keyed,
        lot_sizes=dict.fromkeys(keyed, 10.0),
        horizons={e: ist(15, 30, day=e) for e in EXPIRIES},
    )


@given(ladders_of_names, ladders_of_names)
def test_rows_move_by_contract_whatever_the_layouts(old_ladders, new_ladders):
    """Looked up contract by contract in a dictionary, the move is the same."""
    old, new = layout_of(old_ladders), layout_of(new_ladders)

    def contracts(layout):
        return [(layout.segment_keys[s], k) for s, k in zip(layout.row_segment, layout.strike, strict=True)]

    position = {contract: row for row, contract in enumerate(contracts(old))}
    assert new.rows_from(old).tolist() == [position.get(contract, -1) for contract in contracts(new)]
    chains = {k: i for i, k in enumerate(old.segment_keys)}
    assert new.segments_from(old).tolist() == [chains.get(k, -1) for k in new.segment_keys]


@given(st.lists(st.integers(-1, 5), max_size=12))
def test_moved_takes_each_element_or_the_blank(source):
    values = np.array([10.0, 11.0, 12.0, 13.0, 14.0, 15.0])
    expected = [values[i] if i >= 0 else -7.0 for i in source]
    assert moved(values, np.array(source, dtype=np.int64), -7.0).tolist() == expected
    assert moved(np.empty((0, 2)), np.array([-1, -1]), np.nan).shape == (2, 2)


def test_paise_are_exact_where_rupees_are_not():
    assert paise([0.05, 982.35, 1_377.5, 25_000.0]).tolist() == [5, 98_235, 137_750, 2_500_000]
