"""Rendering: which number lands in which cell, in which unit, in which order; and that nothing else does."""

import copy
import dataclasses
import pickle
from functools import cached_property

import numpy as np
import pytest

from optionscanner.model.columns import (
    ACTIVITY,
    BUILD_UP,
    EXPOSURE,
    EXPOSURE_TOTAL,
    FLOW,
    OPEN_INTEREST,
    OPEN_INTEREST_CHANGE,
    PRICE,
    READINESS,
)
from optionscanner.model.frame import Frame
from optionscanner.model.picture import MarketPicture
from optionscanner.model.reports import Event, HealthItem
from optionscanner.model.sessions import Mode
from optionscanner.workbook.formats import Units
from optionscanner.workbook.grid import Line, Table
from optionscanner.workbook.layout import SHEETS, blocks
from optionscanner.workbook.layout_index import INDICES
from optionscanner.workbook.render import Renderer, ShowSettings, render
from optionscanner.workbook.render_cells import clean, numbers, serial_date, serial_time
from optionscanner.workbook.render_order import Order, next_order
from tests import builders
from tests.builders import ist

LAYOUT = builders.small_layout()
NIFTY, NIFTY_MONTHLY, SENSEX, RELIANCE = range(4)
"""Segments of the small layout; its underlyings are NIFTY, SENSEX and RELIANCE."""
FIELDS = {t.name: [c.header for c in t.fields] for s in SHEETS for t in s.tables}


NOON = ist(11, 42, 30)


def chains_at(at=NOON, *, layout=LAYOUT):
    picture = MarketPicture(builders.day_of(layout))
    picture.observe(builders.observation(layout, at, holes=0.0))
    return picture.frozen(at)


def nothing(spec, count, **given):
    """A reading in which only the given columns have values."""
    blank = {
        c.name: np.full(count, "", dtype=object) if c.kind == "text" else np.full(count, np.nan) for c in spec.columns
    }
    return builders.reading(spec, count, **{**blank, **given})


def report_of(chains=None, *, price=None, open_interest=None, flow=None, readiness=None, activity=None, **given):
    """A report whose readings hold only what the test says; (S,) or (U,) values by column name."""
    chains = chains or chains_at()
    segments, names = chains.layout.segments, len(chains.layout.names)
    price = {"price_time": np.full(segments, chains.as_of), **(price or {})}
    events = len(next(iter(activity.values()))) if activity else 0
    made = {
        "price": nothing(PRICE, segments, **price),
        "open_interest": nothing(OPEN_INTEREST, segments, **(open_interest or {})),
        "flow": nothing(FLOW, segments, **(flow or {})),
        "readiness": nothing(READINESS, names, **(readiness or {})),
        "activity": nothing(ACTIVITY, events, **(activity or {})),
    }
    return builders.report(chains, **{"readings": made, **given})


def shown(frame: Frame, block: str, row: int = 0) -> dict:
    """header -> value of one row of a table."""
    return dict(zip(FIELDS[block], frame.blocks[block].rows[row], strict=True))


def card(frame: Frame, sheet: str, source: str):
    """Value of one cell of a sheet's head."""
    cards = next(c for s in SHEETS if s.name == sheet for c in s.cells if c.name.endswith("_head"))
    index = [cell.source for cell in cards.cells].index(source)
    return frame.blocks[cards.name].rows[index][0]


def band(frame: Frame, sheet: str, source: str):
    block = next(s for s in SHEETS if s.name == sheet).cells[0]
    return frame.blocks[block.name].rows[[c.source for c in block.cells].index(source)][0]


def named(frame: Frame, name: str):
    cells = next(n for s in SHEETS for n in s.named).cells
    return frame.blocks["names"].rows[[c.name for c in cells].index(name)][0]


def drawn(report, **settings) -> Frame:
    return render(report, None, ShowSettings(**settings))[0]


# The whole frame


def assert_fits_the_layout(frame):
    for sheet in SHEETS:
        for name, block in blocks(sheet):
            rows = frame.blocks[name].rows
            if isinstance(block, Table):
                width, most = len(block.fields), block.height
            elif isinstance(block, Line):
                width, most = len(sheet.table(block.table).fields), 1
            else:
                width, most = 1, len(block.cells)
                assert len(rows) == most
            assert len(rows) <= most, name
            assert {len(row) for row in rows} <= {width}, name
            assert {type(value) for row in rows for value in row} <= {float, str, type(None)}, name
            assert all(value - value == 0 for row in rows for value in row if type(value) is float), name
            assert all(value for row in rows for value in row if type(value) is str), name


@pytest.mark.parametrize("seed", range(5))
def test_a_frame_fills_exactly_the_blocks_of_the_layout(seed):
    """Random readings full of holes: only finite floats, texts and blanks come out, in the right shape."""
    layout = LAYOUT if seed else builders.full_layout(underlyings=30, strikes=25)
    report = builders.report(chains_at(layout=layout), seed=seed)
    frame, order = render(report)
    assert set(frame.blocks) == {name for sheet in SHEETS for name, _ in blocks(sheet)}
    assert_fits_the_layout(frame)
    assert frame.as_of.timestamp() == report.as_of
    assert sorted(order.names) == sorted(u.name for u in layout.underlyings if u.kind == "STOCK")


def test_the_same_report_gives_the_same_frame_and_is_not_touched():
    report = builders.report(chains_at())
    for name, value in vars(type(report.chains.layout)).items():
        if isinstance(value, cached_property):
            getattr(report.chains.layout, name)  # what the layout works out on demand is no change of the report
    before = pickle.dumps(report)
    first, second = render(report), render(copy.deepcopy(report))
    assert first == second
    assert pickle.dumps(report) == before


def test_a_failed_engine_leaves_blanks():
    """Its reading is absent; names, prices of the chain and everything else stay."""
    report = builders.report(chains_at(), readings={})
    frame = drawn(report)
    assert_fits_the_layout(frame)
    assert shown(frame, "alert_summary")["Underlying"] == "NIFTY"
    assert shown(frame, "alert_summary")["TRS"] is None
    assert shown(frame, "alert_summary")["VolOI"] is None
    assert len(frame.blocks["NIFTY_chain"].rows) == 5


def test_columns_of_the_model_arrive_in_their_cells():
    report = report_of(
        price={
            "spot": [25_310.15, 25_310.15, 82_050.0, np.nan],
            "spot_change_pct": [0.45, 0.45, -0.2, np.nan],
            "atm_iv": [0.12345, 0.14, 0.13, 0.25],
            "open_interest_time": [ist(11, 40), ist(11, 40), np.nan, ist(11, 41)],
        },
        open_interest={"put_call_ratio": [0.87, 1.0, 1.1, np.nan]},
        flow={"regime": ["BULLISH", "", "BEARISH", "NEUTRAL"], "flow_pct": [0.31, 9.0, -0.2, 0.0]},
        readiness={
            "readiness": [85.0, 20.0, np.nan],
            "action": ["AGGRESSIVE", "NO TRADE", ""],
            "direction": ["BULLISH", "BEARISH", ""],
            "top_event": ["25300 CE 3.2 W", "", ""],
        },
    )
    row = shown(drawn(report), "alert_summary")
    # 30-Jan-2026 is day 46,052; 11:42:30 is 0.488 of it.
    assert row == {
        "Underlying": "NIFTY", "Type": "Index", "Spot": 25_310.15, "Chg %": 0.45, "TRS": 85.0, "Action": "AGGRESSIVE",
        "Direction": "BULLISH", "Regime": "BULLISH", "EWMA_ATM": None, "EWMA_Delta": None, "Flow %": 0.31,
        "VolOI": "NO", "Top event": "25300 CE 3.2 W", "PCR": 0.87, "ATM IV": pytest.approx(12.345), "GEX": None,
        "Price time": pytest.approx(46_052 + (11 * 3600 + 42 * 60 + 30) / 86_400, abs=1e-9),
        "OI time": pytest.approx(46_052 + (11 * 3600 + 40 * 60) / 86_400, abs=1e-9), "Status": None,
    }  # fmt: skip


def test_open_interest_and_exposure_arrive_in_their_cells():
    """NIFTY's sheets show the chain that is picked, lists of names all expiries of a name together."""
    report = report_of()
    segments, names = LAYOUT.segments, len(LAYOUT.names)
    given = {
        EXPOSURE: {
            "gex": [1_234.5, 99.0, 5.0, -7.25], "regime": ["POSITIVE", "", "", "NEGATIVE"],
            "gamma_flip": [25_190.4, np.nan, np.nan, 1_401.0], "gamma_flip_distance_pct": [-0.5, np.nan, np.nan, 0.25],
            "flip_crossings": [1.0, 1.0, 0.0, 1.0], "call_gamma_wall": [25_300.0, 1.0, 2.0, 3.0],
            "put_gamma_wall": [25_250.0, 1.0, 2.0, 3.0], "dex": [-800.0, 1.0, 2.0, 3.0], "vex": [12.5, 1.0, 2.0, 3.0],
            "cex": [-3.25, 1.0, 2.0, 3.0], "convention": ["dealer"] * segments,
        },
        EXPOSURE_TOTAL: {
            "gex": [1_500.0, 5.0, -7.25], "regime": ["POSITIVE", "NEUTRAL", "NEGATIVE"],
            "gamma_flip_distance_pct": [-0.75, np.nan, 0.25],
        },
        BUILD_UP: {
            "build_up": ["SB", "", "LU"], "future_open_interest_change_pct": [4.25, np.nan, -1.5],
            "future_rollover_pct": [10.0, np.nan, 62.5],
        },
        OPEN_INTEREST_CHANGE: {
            "trend_5": ["", "", "", "RISING"], "trend_30": ["", "", "", "FLAT"], "trend_day": ["", "", "", "FALLING"],
            "change_day_pct": [0.0, 0.0, 0.0, -2.5],
        },
    }  # fmt: skip
    sizes = {"segment": segments, "underlying": names}
    made = {spec.name: nothing(spec, sizes[spec.row], **columns) for spec, columns in given.items()}
    frame = drawn(dataclasses.replace(report, readings={**report.readings, **made}))
    assert shown(frame, "alert_summary")["GEX"] == 1_500.0
    stock = shown(frame, "stocks")
    assert [stock[h] for h in ("Symbol", "Build-up", "Fut OI %", "GEX")] == ["RELIANCE", "LU", -1.5, -7.25]
    more = shown(frame, "stocks_more")
    trends = [more[h] for h in ("OI 5M", "OI 30M", "OI day", "OI day %", "Rollover %")]
    assert trends == ["RISING", "FLAT", "FALLING", -2.5, 62.5]
    assert [more[h] for h in ("γ regime", "Flip %")] == ["NEGATIVE", 0.25]
    assert [row[0] for row in frame.blocks["NIFTY_exposure"].rows] == [
        1_234.5, "POSITIVE", -0.5, 25_190.4, 25_300.0, 25_250.0, -800.0, 12.5, -3.25, "dealer",
    ]  # fmt: skip
    assert [row[0] for row in frame.blocks["NIFTY_futures"].rows] == ["SB", 4.25]
    assert [row[0] for row in frame.blocks["SENSEX_exposure"].rows][2:4] == [None, "none in range"]
    assert [named(frame, f"NIFTY_{of}") for of in ("GEX_CR", "GAMMA_FLIP_PCT", "FUTURE_OI_PCT", "BUILD_UP")] == [
        1_500.0, -0.75, 4.25, "SB",
    ]  # fmt: skip


def test_indices_come_first_and_those_the_source_lacks_say_so():
    frame = drawn(report_of())
    names = [row[0] for row in frame.blocks["alert_summary"].rows]
    assert names == ["NIFTY", "BANKNIFTY", "FINNIFTY", "MIDCPNIFTY", "SENSEX", "RELIANCE"]
    absent = shown(frame, "alert_summary", 2)
    assert (absent["Type"], absent["Status"]) == ("Index", "not in source")
    assert {v for h, v in absent.items() if h not in ("Underlying", "Type", "Status")} == {None}
    assert frame.blocks["FINNIFTY_chain"].rows == ()
    assert {row[0] for row in frame.blocks["FINNIFTY_head"].rows} == {None, "not in source"}
    assert band(frame, "NIFTY", "band.tick2") == "FINNIFTY not in source"


def test_a_name_that_begins_with_an_equals_sign_stays_text():
    layout = builders.small_layout(rename="=CMD")
    frame = drawn(report_of(chains_at(layout=layout)))
    assert shown(frame, "stocks")["Symbol"] == "=CMD"


# Units


@pytest.mark.parametrize(
    ("units", "word", "values"),
    [
        # 130,000 units of NIFTY (lot 65) and 1,000,000 of RELIANCE (lot 500).
        (Units.LAKH, "lakh", (1.3, 10.0)),
        (Units.CONTRACTS, "contracts", (2_000.0, 2_000.0)),
        (Units.UNITS, "units", (130_000.0, 1_000_000.0)),
    ],
)
def test_quantities_follow_the_units_switch_and_named_cells_do_not(units, word, values):
    report = report_of(
        flow={"ewma_atm": [130_000.0, 0.0, 0.0, 1_000_000.0]},
        open_interest={"call_open_interest": [130_000.0, 0.0, 0.0, 0.0], "call_wall": [25_300.0, 0.0, 0.0, 0.0]},
    )
    frame = drawn(report, units=units)
    assert shown(frame, "alert_summary", 0)["EWMA_ATM"] == values[0]
    assert shown(frame, "stocks")["EWMA_ATM"] == values[1]
    assert card(frame, "NIFTY", "open_interest.call_open_interest") == values[0]
    assert card(frame, "NIFTY", "open_interest.call_wall") == 25_300.0
    line = dict(zip(FIELDS["alert_summary"], frame.blocks["alert_summary_units"].rows[0], strict=True))
    assert (line["EWMA_ATM"], line["Spot"], line["ATM IV"], line["Underlying"]) == (word, "₹", "%", None)
    assert (named(frame, "NIFTY_CALL_OI"), named(frame, "NIFTY_EWMA_ATM")) == (130_000.0, 130_000.0)
    assert named(frame, "UNITS") == units.value


def test_events_use_the_lot_size_of_their_own_contract():
    activity = {
        "underlying": ["RELIANCE", "RELIANCE"], "expiry": ["2026-02-24", "2030-01-01"], "volume": [5_000.0, 5_000.0],
        "side": ["WRITE", "BUY"], "aligned": [1.0, 0.0], "direction": ["BULLISH", "BEARISH"],
    }  # fmt: skip
    frame = drawn(report_of(activity=activity), units=Units.CONTRACTS)
    first, second = shown(frame, "stocks_scan", 0), shown(frame, "stocks_scan", 1)
    # 5,000 units in lots of 500; the second contract is of no listed expiry, so its lot is not known.
    assert (first["Volume"], second["Volume"]) == (10.0, None)
    assert (first["Signal"], second["Signal"]) == ("WRITE valid", "BUY ignored")
    # 24-Feb-2026 is 25 days after 30-Jan-2026, day 46,052.
    assert first["Expiry"] == 46_077.0


# Index sheets


def test_the_chain_shows_the_strikes_around_atm():
    layout = builders.full_layout(underlyings=2, strikes=40)
    chains = chains_at(layout=layout)
    pricing = dataclasses.replace(builders.pricing(chains), atm_row=np.array([20, 60]))
    frame = drawn(report_of(chains, pricing=pricing))
    strikes = [row[12] for row in frame.blocks["NIFTY_chain"].rows]
    # Strikes are 1,000 + 10 i; row 20 is 1,200.
    assert strikes == [1_000.0 + 10 * i for i in range(10, 31)]
    assert len(drawn(report_of(chains, pricing=pricing), strikes=2).blocks["NIFTY_chain"].rows) == 5


@pytest.mark.parametrize(("atm", "first"), [(0, 1_000.0), (3, 1_000.0), (39, 1_190.0), (-1, 1_100.0)])
def test_at_the_ladders_edge_the_window_stays_full(atm, first):
    """Without an ATM strike the middle of the ladder is shown."""
    layout = builders.full_layout(underlyings=2, strikes=40)
    chains = chains_at(layout=layout)
    pricing = dataclasses.replace(builders.pricing(chains), atm_row=np.array([atm, 60]))
    rows = drawn(report_of(chains, pricing=pricing)).blocks["NIFTY_chain"].rows
    assert (len(rows), rows[0][12]) == (21, first)


def test_every_cell_of_a_chain_row():
    chains = chains_at()
    legs, day = chains.legs, chains.day
    codes = np.array([[1.0, 2.0], [3.0, 4.0], [0.0, np.nan], [2.0, 1.0], [4.0, 3.0]])
    words = [["LB", "SB"], ["SC", "LU"], [None, None], ["SB", "LB"], ["LU", "SC"]]
    rows = np.concatenate([codes, np.full((LAYOUT.rows - 5, 2), np.nan)])
    legs_read = builders.readings(chains)["open_interest_legs"]
    columns = {**legs_read.columns, "build_up": rows}
    report = report_of(chains)
    made = {**report.readings, "open_interest_legs": dataclasses.replace(legs_read, columns=columns)}
    frame = drawn(dataclasses.replace(report, readings=made), units=Units.UNITS)
    pricing, state = builders.pricing(chains, seed=1), builders.state(LAYOUT, seed=2)
    for number, row in enumerate(frame.blocks["NIFTY_chain"].rows):
        assert row[12] == LAYOUT.strike[number]
        assert [row[5], row[-6]] == words[number]
        for side, cells in ((0, (*row[:5], *row[6:12])), (1, (*row[13:-6], *row[-5:])[::-1])):
            interest, volume = legs.open_interest[number, side], legs.volume[number, side]
            expected = [
                interest,
                interest - day.previous_open_interest[number, side],
                state.leg["open_interest_flow"][number, side],
                volume,
                volume / max(interest, 65.0),
                100 * pricing.implied_volatility[number, side],
                pricing.delta[number, side],
                legs.bid[number, side],
                legs.ask[number, side],
                legs.last[number, side] - day.previous_close[number, side],
                legs.last[number, side],
            ]
            for got, want in zip(cells, expected, strict=True):
                assert got is None if np.isnan(want) else got == pytest.approx(want, rel=1e-12)


def test_totals_of_the_window_and_of_the_whole_chain():
    layout = builders.full_layout(underlyings=2, strikes=40)
    chains = chains_at(layout=layout)
    pricing = dataclasses.replace(builders.pricing(chains), atm_row=np.array([20, 60]))
    frame = drawn(report_of(chains, pricing=pricing), units=Units.UNITS)
    window, whole = (frame.blocks[f"NIFTY_chain_{which}"].rows[0] for which in ("window", "total"))
    assert (window[12], whole[12]) == ("shown", "chain")
    assert window[0] == chains.legs.open_interest[10:31, 0].sum()
    assert whole[0] == chains.legs.open_interest[:40, 0].sum()
    assert whole[24] == chains.legs.open_interest[:40, 1].sum()
    # Ratios, prices and Greeks have no sum.
    assert [whole[i] for i in range(4, 12)] == [None] * 8


def test_an_index_sheet_lists_its_own_events_counted_and_ignored():
    count = 30
    aligned = [1.0 if i % 2 else 0.0 for i in range(count)]
    activity = {
        "rank": np.arange(1.0, count + 1),
        "underlying": ["NIFTY"] * (count - 1) + ["SENSEX"],
        "expiry": ["2026-02-03"] * count,
        "strike": np.arange(count) + 25_000.0,
        "aligned": aligned,
        "direction": ["BULLISH"] * count,
        "reason": ["valid, near" if a else "ignored: no regime" for a in aligned],
    }
    frame = drawn(report_of(activity=activity))
    assert [row[0] for row in frame.blocks["NIFTY_scan"].rows] == [25_001.0 + 2 * i for i in range(12)]
    assert [row[0] for row in frame.blocks["NIFTY_ignored"].rows] == [25_000.0 + 2 * i for i in range(8)]
    assert len(frame.blocks["NIFTY_scan_full"].rows) == 29
    assert [row[0] for row in frame.blocks["SENSEX_scan"].rows] == [25_029.0]
    assert shown(frame, "NIFTY_scan")["Dir"] == "BULL"
    assert shown(frame, "alert_summary", 0)["VolOI"] == "YES"
    assert frame.blocks["stocks_scan"].rows == ()


def test_expiry_and_days_left():
    report = report_of(price={"time_to_expiry": [2.5 / 365, 1.0, 1.0, 1.0]})
    frame = drawn(report)
    # 3-Feb-2026 is 4 days after 30-Jan-2026, day 46,052.
    assert card(frame, "NIFTY", "row.expiry") == 46_056.0
    assert card(frame, "NIFTY", "row.days") == pytest.approx(2.5)
    assert named(frame, "NIFTY_EXPIRY") == 46_056.0


# Freshness


@pytest.mark.parametrize(
    ("age", "status", "counts"),
    [
        # Promised every 60 s: late after 120, stale after 180.
        (120.0, None, (1.0, 0.0, 0.0)),
        (121.0, "late", (0.0, 1.0, 0.0)),
        (180.0, "late", (0.0, 1.0, 0.0)),
        (181.0, "stale 181 s", (0.0, 0.0, 1.0)),
        (np.nan, "not seen yet", (0.0, 0.0, 1.0)),
    ],
)
def test_freshness_is_judged_by_the_promised_refresh(age, status, counts):
    chains = chains_at()
    seen = np.full(4, chains.as_of)
    seen[RELIANCE] -= age
    words = ["", "", "", "not seen yet" if np.isnan(age) else ""]
    frame = drawn(report_of(chains, price={"price_time": seen, "status": words}))
    assert shown(frame, "stocks")["Status"] == status
    stocks = shown(frame, "completeness", 1)
    assert (stocks["Group"], stocks["Fresh"], stocks["Late"], stocks["Stale"]) == ("Stocks", *counts)
    assert band(frame, "NAMES", "band.names") == f"{int(counts[2])} of 3 names stale"


def test_a_short_refresh_is_not_stale_before_a_minute():
    chains = chains_at()
    quick = dataclasses.replace(chains, day=dataclasses.replace(chains.day, refresh=np.full(3, 5.0)))
    seen = np.full(4, chains.as_of) - [60.0, 0.0, 61.0, 0.0]
    frame = drawn(report_of(quick, price={"price_time": seen}))
    assert shown(frame, "alert_summary", 0)["Status"] == "late"
    assert shown(frame, "alert_summary", 4)["Status"] == "stale 61 s"


def test_each_name_is_judged_by_what_was_promised_for_it():
    """One of the stocks is on a watchlist with a quicker promise than the other group's."""
    chains = chains_at()
    promised = np.array([30.0, 30.0, 300.0])
    for refresh, status in ((promised, None), (np.array([30.0, 30.0, 60.0]), "stale 200 s")):
        own = dataclasses.replace(chains, day=dataclasses.replace(chains.day, refresh=refresh))
        seen = np.full(4, chains.as_of)
        seen[RELIANCE] -= 200.0
        assert shown(drawn(report_of(own, price={"price_time": seen})), "stocks")["Status"] == status


def test_the_reason_that_withholds_most_is_the_status():
    report = report_of(
        price={"status": ["too few legs seen", "", "", ""]},
        readiness={"status": ["no regime", "no regime", ""]},
    )
    frame = drawn(report)
    assert shown(frame, "alert_summary", 0)["Status"] == "too few legs seen"
    assert shown(frame, "alert_summary", 4)["Status"] == "no regime"
    assert [row[0] for row in frame.blocks["worst_names"].rows] == ["NIFTY", "SENSEX"]


# Order


def stocks_of(trs: dict[str, float], previous=None, *, at=1_000.0, resort=180.0, held=False, flow=None) -> Order:
    names = list(trs)
    flows = np.array([(flow or {}).get(n, 0.0) for n in names])
    return next_order(
        previous, names, np.array(list(trs.values())), flows, as_of=at, resort=resort, held=held
    )


TWELVE = {f"S{i:02d}": 100.0 - 5 * i for i in range(12)}
"""S00 100, S01 95, ... S09 55 (last of the top ten), S10 50, S11 45."""


def test_the_first_order_is_by_readiness_then_size_of_flow_then_name():
    order = stocks_of({"B": 60.0, "A": 60.0, "C": 80.0, "D": np.nan, "E": 60.0}, flow={"E": -0.9, "D": 5.0})
    assert order == Order(("C", "E", "A", "B", "D"), 1_000.0)


def test_rows_stay_until_the_next_sort_is_due():
    first = stocks_of(TWELVE)
    swapped = {**TWELVE, "S00": 60.0}
    held = stocks_of(swapped, first, at=1_179.9)
    assert held == first
    sorted_again = stocks_of(swapped, held, at=1_180.0)
    assert sorted_again.names[:3] == ("S01", "S02", "S03")
    assert sorted_again.sorted_at == 1_180.0


@pytest.mark.parametrize(("score", "enters"), [(59.9, False), (60.0, True)])
def test_a_row_enters_the_top_ten_at_once_only_by_five_points(score, enters):
    """The tenth has 55."""
    first = stocks_of(TWELVE)
    order = stocks_of({**TWELVE, "S11": score}, first, at=1_001.0)
    assert ("S11" in order.names[:10]) == enters
    assert (order == first) == (not enters)


def test_a_row_that_falls_out_of_the_top_ten_leaves_at_once():
    """S10 has 50, so S00 leaves when it falls to 45 or below."""
    first = stocks_of(TWELVE)
    assert stocks_of({**TWELVE, "S00": 45.1}, first, at=1_001.0) == first
    assert stocks_of({**TWELVE, "S00": 45.0}, first, at=1_001.0).names[-2:] == ("S00", "S11")


def test_while_the_user_filters_the_order_is_held():
    first = stocks_of(TWELVE)
    assert stocks_of({**TWELVE, "S11": 100.0}, first, at=9_000.0, held=True) == first


def test_new_names_follow_and_gone_ones_close_up():
    first = stocks_of(TWELVE)
    changed = {**{n: v for n, v in TWELVE.items() if n != "S05"}, "NEW": 46.0}
    assert stocks_of(changed, first, at=1_001.0).names == (*(n for n in first.names if n != "S05"), "NEW")


def test_a_clock_that_ran_backwards_sorts_afresh():
    first = stocks_of(TWELVE)
    assert stocks_of({**TWELVE, "S00": 0.0}, first, at=999.0).names[0] == "S01"


def market_of(count):
    """A report of NIFTY and `count` stocks; readiness falls by one from stock to stock."""
    layout = builders.full_layout(underlyings=count + 1, strikes=3)
    return report_of(chains_at(layout=layout), readiness={"readiness": [np.nan, *(100.0 - i for i in range(count))]})


def test_rank_moves_while_rows_stay():
    report = market_of(3)
    frame, order = render(report)
    worse = dataclasses.replace(
        report,
        readings={
            **report.readings,
            "readiness": nothing(READINESS, 4, readiness=[np.nan, 10.0, 99.0, 98.0]),
        },
    )
    again, held = render(worse, order)
    assert held == order
    for block in ("stocks", "stocks_more"):
        symbol = FIELDS[block].index("Symbol")
        assert [r[symbol] for r in again.blocks[block].rows] == [r[symbol] for r in frame.blocks[block].rows]
    assert [row[0] for row in again.blocks["stocks"].rows] == [3.0, 1.0, 2.0]


def test_the_summary_shows_the_stocks_that_fit_and_the_watchlist_first():
    report = market_of(40)
    rows = drawn(report).blocks["alert_summary"].rows
    assert [row[0] for row in rows[5:]] == [f"STOCK{i:03d}" for i in range(1, 26)]
    watched = drawn(report, watchlist=("STOCK040", "STOCK030"), summary_stocks=3).blocks["alert_summary"].rows
    assert [row[0] for row in watched[5:]] == ["STOCK030", "STOCK040", "STOCK001"]
    assert [row[1] for row in drawn(report).blocks["stocks"].rows] == [f"STOCK{i:03d}" for i in range(1, 41)]


def test_the_renderer_carries_the_order_and_asks_for_filters():
    report = market_of(3)
    asked = []

    def filtered():
        asked.append(1)
        return frozenset({"stocks"})

    renderer = Renderer(filtered=filtered)
    frame = renderer(report)
    assert renderer.order is not None and len(asked) == 1
    assert band(frame, "STOCKS_GROUPED", "band.front") == "file only, order held: filter on"
    assert band(Renderer()(report), "STOCKS_GROUPED", "band.front") == "file only"


# Band, system health, names


@pytest.mark.parametrize(
    ("session", "speed", "mode"),
    [
        (builders.run_session(), "x60", "REPLAY 30-Jan-2026  11:42:30  x60"),
        (builders.run_session(Mode.SIMULATED, seed=7), "", "SIMULATED seed 7  11:42:30"),
        (builders.run_session(Mode.LIVE), "", "LIVE"),
    ],
)
def test_every_sheet_says_what_it_shows(session, speed, mode):
    frame = drawn(report_of(session=session, speed=speed))
    assert {band(frame, sheet.name, "band.mode") for sheet in SHEETS} == {mode}


def test_the_band():
    report = report_of(
        price={
            "spot": [25_310.15, 25_310.15, 82_050.0, 1_400.0],
            "spot_change": [-12.5, -12.5, 0.0, np.nan],
            "spot_change_pct": [-0.05, -0.05, 0.0, np.nan],
            "price_time": ist(11, 42, 30) - np.array([2.0, 2.0, 30.0, 0.0]),
            "open_interest_time": [ist(11, 41), np.nan, np.nan, ist(11, 40)],
        },
        closed_words="CLOSED, next Mon 02-Feb 09:15",
        message="store: disk full",
        timings={"price": 100.0, "store": 34.0},
    )
    chains = report.chains
    spots = dataclasses.replace(chains.underlyings, spot=np.array([25_310.15, 82_050.0, np.nan]))
    frame = drawn(dataclasses.replace(report, chains=dataclasses.replace(chains, underlyings=spots)))
    assert band(frame, "ALERT_SUMMARY", "band.session") == "CLOSED, next Mon 02-Feb 09:15"
    assert band(frame, "ALERT_SUMMARY", "band.tick0") == "NIFTY 25,310.15 ▼ -12.50 (-0.05 %)"
    assert band(frame, "ALERT_SUMMARY", "band.tick4") == "SENSEX 82,050.00 = +0.00 (+0.00 %)"
    assert band(frame, "ALERT_SUMMARY", "band.tick5") == "INDIA VIX 12.34"
    assert band(frame, "ALERT_SUMMARY", "band.price") == "Prices 11:42:00, 30 s old"
    assert band(frame, "NIFTY", "band.price") == "Prices 11:42:28, 2 s old"
    assert band(frame, "ALERT_SUMMARY", "band.open_interest") == "OI 11:40:00, 150 s old"
    assert band(frame, "SENSEX", "band.open_interest") == "OI not seen yet"
    assert band(frame, "ALERT_SUMMARY", "band.cycle") == "cycle 0.13 s"
    assert band(frame, "ALERT_SUMMARY", "band.message") == "store: disk full"


def test_an_index_without_a_spot_says_so():
    report = report_of()
    spots = dataclasses.replace(report.chains.underlyings, spot=np.full(3, np.nan))
    frame = drawn(dataclasses.replace(report, chains=dataclasses.replace(report.chains, underlyings=spots, vix=np.nan)))
    assert band(frame, "NIFTY", "band.tick0") == "NIFTY no spot"
    assert band(frame, "NIFTY", "band.tick5") == "INDIA VIX not in source"


def test_system_health():
    report = report_of(
        health=(HealthItem("Disk free", 12.5, "≥ 5 GB", "OK", float("nan"), ""),
                HealthItem("Login", "expired", "", "BAD", ist(9, 0), "log in again")),
        events=tuple(Event(ist(10, 0), "history", f"event {i}", "", i) for i in range(70)),
    )  # fmt: skip
    frame = drawn(report)
    assert frame.blocks["health"].rows == (
        ("Disk free", 12.5, "≥ 5 GB", "OK", None, None),
        ("Login", "expired", None, "BAD", pytest.approx(46_052.375), "log in again"),
    )
    assert len(frame.blocks["events"].rows) == 60
    assert frame.blocks["events"].rows[3] == ("history", 3.0, pytest.approx(46_052 + 10 / 24), "event 3", None)


def test_alerts_of_the_day_or_none():
    told = builders.alerts((ist(10, 0), "NIFTY", "READINESS", "BULLISH", "TRS 85 >= 80"))
    frame = drawn(report_of(recent_alerts=told))
    assert frame.blocks["alerts_feed"].rows == (
        (pytest.approx(46_052 + 10 / 24), "NIFTY", "READINESS", "BULL", "TRS 85 >= 80"),
    )
    empty = drawn(report_of()).blocks["alerts_feed"].rows
    assert empty == ((None, None, "no alerts since 09:15", None, None),)


def test_names_that_need_no_index():
    frame = drawn(report_of(cycle=12))
    assert named(frame, "AS_OF") == pytest.approx(46_052 + (11 * 3600 + 42 * 60 + 30) / 86_400, abs=1e-9)
    assert [named(frame, n) for n in ("RUN_MODE", "REFRESH_INDEX", "REFRESH_STOCK", "CYCLE", "INDIA_VIX")] == [
        "REPLAY", 60.0, 60.0, 12.0, 12.34,
    ]  # fmt: skip


@pytest.mark.parametrize("index", INDICES)
def test_each_index_has_its_names(index):
    cells = next(n for s in SHEETS for n in s.named).cells
    names = {cell.name for cell in cells}
    assert {f"{index}_{s}" for s in ("SPOT", "PCR", "TRS", "ATM_IV", "MAX_PAIN", "CALL_OI", "REGIME")} <= names


# Cells


@pytest.mark.parametrize(
    ("value", "cell"),
    [
        (None, None), ("", None), (float("nan"), None), (float("inf"), None), (np.float64("nan"), None),
        (True, 1.0), (np.bool_(False), 0.0), (3, 3.0), (np.int64(2**53), float(2**53)), (np.float32(0.5), 0.5),
        ("=1+1", "=1+1"), ("a\x00b\x1fc\ud800d\ufffe", "abcd"), ("x" * 40_000, "x" * 32_767), (Mode.LIVE, "LIVE"),
        (builders.TRADING_DATE, 46_052.0),
    ],
)  # fmt: skip
def test_clean(value, cell):
    assert clean(value) == cell
    assert isinstance(clean(value), float | str | None)


def test_serial_numbers():
    """1-Jan-2026 is day 46,023 of both spreadsheets; noon in India is half a day, whatever UTC says."""
    assert serial_date(builders.date(2026, 1, 1)) == 46_023.0
    assert serial_time(ist(12, 0)) == pytest.approx(46_052.5, abs=1e-9)
    assert serial_time(ist(0, 0)) == pytest.approx(46_052.0, abs=1e-9)


def test_numbers_keep_every_digit_and_blank_what_is_absent():
    assert numbers(np.array([0.1 + 0.2, np.nan, -np.inf, 1e15 + 1])) == [0.1 + 0.2, None, None, 1e15 + 1]


def test_settings_come_from_the_configuration():
    class Section:
        units, strikes, summary_stocks, resort_s, watchlist = "CONTRACTS", 99, 99, 60.0, ["TCS"]
        oi_left, oi_right, oi_show, oi_3m = "TCS", "SENSEX", "CHANGE", True

    settings = ShowSettings.of(Section())
    assert settings == ShowSettings(
        Units.CONTRACTS, 10, 25, 60.0, ("TCS",), tracked=("TCS", "SENSEX"), changes=True, narrow_window=True
    )
