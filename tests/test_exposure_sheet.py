"""EXPOSURE: rows and their order, ladder, participants, and the worked leg, whose formulas a spreadsheet computes."""

import re
from dataclasses import replace
from datetime import date

import numpy as np
import openpyxl
import pytest

from optionscanner.analytics.exposure import leg_exposures
from optionscanner.model.columns import ALERTS
from optionscanner.model.daily import LEGS, DailyContext, Positions
from optionscanner.model.reports import CycleReport
from optionscanner.model.settings import EngineSettings, ExposureSettings
from optionscanner.workbook.file_host import FileHost
from optionscanner.workbook.layout_exposure import EXPOSURE, LADDER_SIDE, PICK_STRIKE, PICK_TYPE
from optionscanner.workbook.render import render
from optionscanner.workbook.render_view import NONE_IN_RANGE, ShowSettings
from tests.builders import run_session
from tests.engine_builders import lively_pictures, replayed
from tests.workbook_tools import convert

SETTINGS = EngineSettings()
HEADERS = [column.header for column in EXPOSURE.table("exposure").fields]
LADDER = [column.header for column in EXPOSURE.table("exposure_strikes").fields]


@pytest.fixture(scope="module")
def report():
    """A lively market of four underlyings, NIFTY with two expiries."""
    pictures = lively_pictures(4, 6)
    state, made, pricing = replayed(pictures)[-1]
    chains = pictures[-1]
    return CycleReport(
        session=run_session(), cycle=6, as_of=chains.as_of, chains=chains, pricing=pricing,
        readings={name: reading for name, reading in made.items() if name != ALERTS.name}, alerts=made["alerts"],
        state=state,
    )  # fmt: skip


def blocks(report, **settings):
    frame, _ = render(report, settings=ShowSettings(**settings))
    return frame.blocks


def lines(report, **settings):
    return [dict(zip(HEADERS, row, strict=True)) for row in blocks(report, **settings)["exposure"].rows]


def example_of(report, **settings):
    cells = next(block for block in EXPOSURE.cells if block.name == "exposure_example").cells
    values = blocks(report, **settings)["exposure_example"].rows
    return {cell.source.partition(".")[2]: row[0] for cell, row in zip(cells, values, strict=True)}


def test_the_market_stands_first_then_indices_by_expiry_then_stocks(report):
    names = [line["Underlying"] for line in lines(report)]
    assert names[:3] == ["MARKET", "INDICES", "STOCKS"]
    assert names[3:7] == ["NIFTY", "NIFTY", "NIFTY", "BANKNIFTY"]  # the sum, two expiries, one expiry alone
    assert sorted(names[7:]) == ["IDEA", "RELIANCE", "SBIN"]
    assert [line["Expiry"] for line in lines(report)[3:4]] == ["all 2"]


def test_stocks_stand_by_the_size_of_their_share(report):
    shares = [abs(line["Share %"]) for line in lines(report)[7:] if line["Share %"] is not None]
    assert len(shares) > 1
    assert shares == sorted(shares, reverse=True)


def test_their_order_is_held_between_two_sorts(report):
    _, order = render(report)
    totals = report.readings["exposure_total"]
    turned = replace(report, readings={**report.readings, "exposure_total": replace(
        totals, columns={**totals.columns, "gex_share_pct": 1.0 / totals["gex_share_pct"]})})  # fmt: skip
    soon, late = replace(turned, as_of=turned.as_of + 60), replace(turned, as_of=turned.as_of + 181)
    assert render(soon, order)[1].exposure.names == order.exposure.names
    assert render(late, order)[1].exposure.names != order.exposure.names


def test_numbers_are_those_of_the_readings(report):
    by_expiry, walls = report.readings["exposure"], report.readings["open_interest"]
    line = lines(report)[4]
    pairs = {"GEX": "gex", "Share %": "gex_share_pct", "Call γ wall": "call_gamma_wall", "DEX": "dex", "CEX": "cex"}
    for header, name in pairs.items():
        assert line[header] == by_expiry[name][0], header
    assert line["Regime"] == by_expiry["regime"][0]
    assert line["Put OI wall"] == walls["put_wall"][0]
    total = lines(report)[3]
    assert total["VEX"] == report.readings["exposure_total"]["vex"][0]
    assert total["Put OI wall"] is None  # of several expiries there is none


def test_no_flip_in_range_is_said_and_a_blank_stays_blank(report):
    reading = report.readings["exposure"]
    columns = {**reading.columns, "gamma_flip": np.full(len(reading), np.nan)}
    counts = columns["flip_crossings"].copy()
    counts[:2] = [0.0, np.nan]
    changed = replace(reading, columns={**columns, "flip_crossings": counts})
    shown = lines(replace(report, readings={**report.readings, "exposure": changed}))
    assert [line["Flip"] for line in shown[4:6]] == [NONE_IN_RANGE, None]


def test_an_old_row_says_so(report):
    """Promised every minute: late after two of them, stale after three."""
    seen = np.nanmin(report.readings["price"]["price_time"])
    for age, word in ((100.0, None), (130.0, "late"), (200.0, "stale 200 s")):
        old = {**report.readings["price"].columns, "price_time": np.full(len(report.chains.updated), seen)}
        price = replace(report.readings["price"], columns=old)
        shown = lines(replace(report, as_of=seen + age, readings={**report.readings, "price": price}))
        well = [line["Status"] for line, before in zip(shown[3:], lines(report)[3:], strict=True)
                if before["GEX"] is not None and before["Status"] in (None, "late")]  # fmt: skip
        assert set(well) == {word}


def test_a_failed_engine_leaves_the_sheet_blank(report):
    without = {n: r for n, r in report.readings.items() if not n.startswith("exposure")}
    found = blocks(replace(report, readings=without))
    assert found["exposure"].rows == ()
    assert found["exposure_strikes"].rows == ()
    assert found["exposure_head"].rows[0] == (None,)


def test_the_ladder_is_of_the_name_that_is_picked(report):
    layout = report.chains.layout
    segment = [key.underlying for key in layout.segment_keys].index("SBIN")
    rows = slice(int(layout.starts[segment]), int(layout.ends[segment]))
    assert rows.stop - rows.start <= 2 * LADDER_SIDE + 1
    ladder = [dict(zip(LADDER, row, strict=True)) for row in blocks(report, symbol="SBIN")["exposure_strikes"].rows]
    assert [row["Strike"] for row in ladder] == layout.strike[rows].tolist()
    gex = report.readings["exposure_legs"]["gex"][rows]
    assert [row["Put GEX"] for row in ladder] == [None if np.isnan(v) else v for v in gex[:, 1]]
    for row in ladder:
        sides = [row[f"{side} GEX"] for side in ("Call", "Put") if row[f"{side} GEX"] is not None]
        assert row["Net GEX"] == (sum(sides) if sides else None)
    assert example_of(report, symbol="SBIN")["name"].startswith("SBIN ")
    assert example_of(report)["name"].startswith("NIFTY ")  # nothing picked


# The convention and who held what

YESTERDAY = date(2026, 1, 29)


def with_positions(report, **pro):
    legs = {who: dict.fromkeys(LEGS, 10.0) for who in ("FII", "PRO", "CLIENT", "DII")}
    legs["PRO"] |= pro
    none, spot = np.empty(0), np.full(len(report.chains.layout.names), np.nan)
    daily = DailyContext(
        previous_session=YESTERDAY, spot_open=spot, spot_high=spot, spot_low=spot, spot_close=spot,
        future_open_interest=none, future_close=none, banned=spot, ban_entered=(), ban_left=(), iv_dates=(),
        iv_history=none, positions=Positions(YESTERDAY, legs), positions_before=None, fii_crore={}, vix_close=1.0,
        vix_history=none, lot_changes=(), events=(),
    )  # fmt: skip
    day = replace(report.chains.day, daily=daily)
    return replace(report, chains=replace(report.chains, day=day))


@pytest.mark.parametrize(
    ("calls", "puts", "sign", "verdict"),
    [
        (1000.0, -500.0, "dealer", "agrees"),
        (1000.0, 500.0, "dealer", "disagrees"),
        (-1000.0, 500.0, "dealer", "disagrees"),
        (-1000.0, 500.0, "documented", "agrees"),
        (1000.0, -500.0, "documented", "disagrees"),
    ],
)
def test_the_convention_is_held_against_what_was_disclosed(report, calls, puts, sign, verdict):
    reading = report.readings["exposure"]
    convention = np.full(len(reading), sign, dtype=object)
    changed = replace(reading, columns={**reading.columns, "convention": convention})
    disclosed = with_positions(
        replace(report, readings={**report.readings, "exposure": changed}),
        option_index_call_long=10.0 + calls, option_index_put_long=10.0 + puts,
    )  # fmt: skip
    said, held = (row[0] for row in blocks(disclosed)["exposure_head"].rows)
    assert "an assumption, not disclosed positions" in said
    assert ("calls less puts" in said) == (sign == "dealer")
    assert held == f"{verdict}: Pro on 29-Jan-2026, index calls {calls:+,.0f}, puts {puts:+,.0f} contracts net"


def test_participants_with_their_legs_or_none(report):
    assert blocks(report)["exposure_participants"].rows == ()
    assert blocks(report)["exposure_head"].rows[1] == ("participants: no file of the previous session",)
    disclosed = with_positions(report, option_index_call_short=4.0, future_index_long=2.0)
    rows = blocks(disclosed)["exposure_participants"].rows
    assert [row[0] for row in rows] == ["FII", "PRO", "CLIENT", "DII"]
    assert rows[1] == ("PRO", 10.0, 4.0, 6.0, 10.0, 10.0, 0.0, -8.0)


# The worked leg


def test_formulas_speak_of_the_lines_above_them_and_of_names_that_exist():
    names = {table.name for table in EXPOSURE.tables} | {PICK_STRIKE, PICK_TYPE}
    for formula in EXPOSURE.formulas:
        rows = [int(row) for row in re.findall(r"\$[A-Z]+(\d+)", formula.formula)]
        assert all(row < formula.row for row in rows), formula.formula
        plain = re.sub(r'"[^"]*"', "", formula.formula)
        words = set(re.findall(r"[A-Za-z_]{3,}", plain))
        functions = {"IFERROR", "INDEX", "MATCH", "COUNT", "EXP", "SQRT"}
        assert words <= names | functions | {"IF", "LN", "PI", "N", "LEFT"}, words


@pytest.mark.office
@pytest.mark.slow
@pytest.mark.parametrize(
    ("symbol", "strike", "kind", "sign"), [("SBIN", None, None, "dealer"), ("NIFTY", 25_050.0, "PE", "documented")]
)
def test_the_worked_leg_equals_the_programs_number(report, tmp_path, symbol, strike, kind, sign):
    """As LibreOffice computes it: gamma from its factors, GEX from its factors, and no difference at all."""
    exposures = leg_exposures(report.chains, report.pricing, ExposureSettings(gex_sign=sign))
    reading = report.readings["exposure"]
    convention = np.full(len(reading), sign, dtype=object)
    changed = replace(reading, columns={**reading.columns, "convention": convention})
    shown = replace(
        report, readings={**report.readings, "exposure": changed, "exposure_legs": exposures.reading}
    )
    frame, _ = render(shown, settings=ShowSettings(symbol=symbol))
    path = tmp_path / "book.xlsx"
    host = FileHost(path)
    assert host.write(frame).status == "written"
    host.set_inputs({PICK_STRIKE: strike, PICK_TYPE: kind})
    assert host.write(frame).status == "written"

    saved = convert(path, "xlsx", tmp_path / "saved", recalculate=True)
    with pytest.warns(UserWarning, match="extension is not supported"):
        sheet = openpyxl.load_workbook(saved, data_only=True)["EXPOSURE"]
    labels = {text.text: text.row for text in EXPOSURE.texts if text.style == "label"}
    column = EXPOSURE.formulas[0].column
    layout = report.chains.layout
    segment = [key.underlying for key in layout.segment_keys].index(symbol)
    wanted = strike or float(layout.strike[report.pricing.atm_row[segment]])
    (row,) = layout.rows_of([segment], [wanted])
    side = 1 if kind == "PE" else 0
    answers = {label: sheet.cell(at, column).value for label, at in labels.items()}
    assert answers["Strike K: pick one"] == wanted
    assert answers["Type: pick one"] == ("Put" if side else "Call")
    assert answers["GEX of the program"] == pytest.approx(exposures.gex[row, side], rel=1e-14)
    assert answers["GEX by formula"] == answers["GEX of the program"] != 0
    assert answers["Difference"] == 0.0
    assert answers["Gamma by formula"] == pytest.approx(report.pricing.gamma[row, side], rel=1e-12)
    assert answers["Gamma"] == pytest.approx(report.pricing.gamma[row, side], rel=1e-14)
