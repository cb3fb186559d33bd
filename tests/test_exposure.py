"""Dealer exposure: reference chains, plain loops over legs as a second method, the exchange's file of 11 June 2026."""

import csv
import gzip
import io
import math
import zipfile
from collections import defaultdict
from dataclasses import replace
from datetime import date, datetime, timedelta
from pathlib import Path, PurePath

import numpy as np
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from optionscanner.adapters.recorded.lots import load_lot_table
from optionscanner.adapters.recorded.nse_json import read
from optionscanner.adapters.recorded.units import OPEN_INTEREST, in_units
from optionscanner.analytics import black76
from optionscanner.analytics import exposure as by_expiry_of
from optionscanner.analytics import exposure_total as by_name_of
from optionscanner.analytics.exposure import leg_exposures
from optionscanner.analytics.exposure_flip import Ladders, profile_flips
from optionscanner.analytics.exposure_total import exposure_market
from optionscanner.analytics.pricing import price_market
from optionscanner.model.contracts import SegmentKey
from optionscanner.model.exposures import CONVENTIONS, GEX_SIGNS
from optionscanner.model.settings import EngineSettings, ExposureSettings
from optionscanner.model.state import State
from tests.builders import MONTHLY, TRADING_DATE, WEEKLY, ist
from tests.engine_builders import a_day, a_layout, assert_same, lively_pictures, poll, priced, run, seen

NAN = float("nan")
AT = ist(10, 0)
SETTINGS = EngineSettings()
DOCUMENTED = replace(SETTINGS, exposure=ExposureSettings(gex_sign="documented"))
REFERENCE = Path(__file__).parent / "reference"
YEAR = 365 * 86_400.0


def exposure(chains, pricing, state, settings_):
    """State and reading of the engine, on the legs of the engine before it."""
    legs = leg_exposures(chains, pricing, settings_.exposure).reading
    return by_expiry_of.exposure(chains, pricing, state, legs, settings_)


def exposure_total(chains, pricing, state, by_expiry, settings_):
    """The same over expiries."""
    legs = leg_exposures(chains, pricing, settings_.exposure).reading
    made = {"exposure_legs": legs, "exposure": by_expiry}
    return by_name_of.exposure_total(chains, pricing, state, made, settings_)


# The second method: one leg at a time, in plain Python


def greeks(*, call, forward, strike, years, rate, volatility):
    """Delta, gamma, vanna per point and charm per day, from the textbook's formulas."""
    width = volatility * math.sqrt(years)
    d1 = math.log(forward / strike) / width + width / 2
    d2 = d1 - width
    discount = math.exp(-rate * years)
    density = math.exp(-d1 * d1 / 2) / math.sqrt(2 * math.pi)
    sign = 1 if call else -1
    delta = sign * discount * 0.5 * math.erfc(-sign * d1 / math.sqrt(2))
    return {
        "delta": delta,
        "gamma": discount * density / (forward * width),
        "vanna": -discount * density * d2 / volatility / 100,
        "charm": (rate * delta + discount * density * d2 / (2 * years)) / 365,
    }


def total_gamma(legs, move, *, rate=0.05):
    """Calls less puts, ₹ per 1 %, with every forward times `move`; legs (call, forward, strike, years, iv, units)."""
    total = 0.0
    for call, forward, strike, years, volatility, units in legs:
        level = forward * move
        gamma = greeks(call=call, forward=level, strike=strike, years=years, rate=rate, volatility=volatility)["gamma"]
        total += (1 if call else -1) * gamma * units * level * level * 0.01
    return total


def scanned_flips(legs, *, steps=2_000):
    """Moves at which `total_gamma` changes sign within 10 %, by a scan in steps of 0.01 % and bisection."""
    grid = [0.9 + 0.2 * i / steps for i in range(steps + 1)]
    values = [total_gamma(legs, m) for m in grid]
    roots = []
    for low, high, left, right in zip(grid, grid[1:], values, values[1:], strict=False):
        if left * right < 0:
            roots.append(bisected(lambda m, left=left: total_gamma(legs, m) * left > 0, low, high))
    return roots


def bisected(below, low, high):
    """Where `below` turns from true to false between two numbers, to the last digits."""
    while high - low > 1e-13 * high:
        middle = (low + high) / 2
        low, high = (middle, high) if below(middle) else (low, middle)
    return low


# Reference chains


def reference_rows():
    with (REFERENCE / "gamma_flip.csv").open(newline="") as lines:
        return list(csv.DictReader(lines))


def number(text):
    return float(text) if text else NAN


def reference_chain(row):
    """(strikes, (n, 2) units, (n, 2) volatilities) of a row; NaN where a leg is not in the chain."""
    legs = [item.split(":") for item in row["chain"].split("|")]
    strikes = sorted({float(strike) for strike, *_ in legs})
    units, volatility = np.full((len(strikes), 2), NAN), np.full((len(strikes), 2), NAN)
    for strike, kind, contracts, iv in legs:
        place = strikes.index(float(strike)), ("CE", "PE").index(kind)
        units[place], volatility[place] = float(contracts) * float(row["lot_size"]), float(iv)
    return strikes, units, volatility


def reference_market(row):
    strikes, units, volatility = reference_chain(row)
    if len(strikes) == 1:  # no market is taken to list one strike: another one without open interest
        strikes, units = [*strikes, 2 * strikes[0]], np.vstack([units, [0.0, 0.0]])
        volatility = np.vstack([volatility, volatility])
    day = a_day({"NIFTY": strikes})
    columns = {"NIFTY": {"open_interest": units, "last": np.ones_like(units)}}
    chains = seen(day, poll(day, AT, columns, spot={"NIFTY": float(row["spot"])}))
    given_terms = {
        "forward": float(row["forward"]),
        "time_to_expiry": float(row["T_years"]),
        "rate": float(row["r"]),
    }
    found = black76.greeks(
        strike=np.array(strikes)[:, None], volatility=volatility, is_call=np.array([True, False]), **given_terms
    )
    pricing = priced(
        chains,
        **{name: np.array([value]) if name != "rate" else value for name, value in given_terms.items()},
        surface_volatility=np.nanmax(volatility, axis=1),
        **{name: getattr(found, name) for name in ("delta", "gamma", "vanna", "charm")},
    )
    return chains, pricing, volatility


@pytest.mark.parametrize("row", reference_rows(), ids=lambda row: row["id"])
def test_sums_of_a_reference_chain(row):
    chains, pricing, volatility = reference_market(row)
    spot, forward = float(row["spot"]), float(row["forward"])
    _, reading = exposure(chains, pricing, State.fresh(chains.layout), SETTINGS)
    _, other = exposure(chains, pricing, State.fresh(chains.layout), DOCUMENTED)
    rupees = {name: np.nan_to_num(reading[name][0]) * 1e7 for name in ("gex", "call_gex", "put_gex", "dex", "cex")}
    scale = float(row["gex_calls"]) + float(row["gex_puts"])
    assert rupees["call_gex"] == pytest.approx(float(row["gex_calls"]), rel=1e-8)
    assert rupees["put_gex"] == pytest.approx(float(row["gex_puts"]), rel=1e-8)
    assert rupees["gex"] == pytest.approx(float(row["gex_common"]), abs=1e-8 * scale)
    for documented in (reading["gex_documented"][0], other["gex"][0], other["gex_documented"][0]):
        assert documented * 1e7 == pytest.approx(float(row["gex_documented"]), abs=1e-8 * scale)
        spot_squared = documented * 1e7 * (spot / forward) ** 2
        assert spot_squared == pytest.approx(float(row["gex_documented_spot2"]), abs=1e-8 * scale)
    assert rupees["dex"] / forward == pytest.approx(float(row["dex_documented"]), rel=1e-8)
    assert rupees["cex"] / forward * 365 == pytest.approx(float(row["cex_documented_year"]), rel=1e-8, abs=1e-6)
    # The table's vega exposure is per 100 % of the volatility itself, at the spot.
    vex = leg_exposures(chains, pricing, SETTINGS.exposure).vex * 1e7 / forward * 100 * volatility * spot
    assert np.nansum(vex) == pytest.approx(float(row["vex_documented"]), rel=1e-8, abs=1e-4)
    same = ("call_gex", "put_gex", "dex", "vex", "cex", "cumulative_flip", "gamma_flip", "call_gamma_wall")
    assert_same({n: other[n] for n in same}, {n: reading[n] for n in same})


@pytest.mark.parametrize("row", reference_rows(), ids=lambda row: row["id"])
def test_flips_of_a_reference_chain(row):
    chains, pricing, _ = reference_market(row)
    _, reading = exposure(chains, pricing, State.fresh(chains.layout), SETTINGS)
    assert reading["cumulative_flip"][0] == pytest.approx(number(row["flip_cumulative"]), abs=1e-6, nan_ok=True)
    strikes, units, volatility = reference_chain(row)
    years = float(row["T_years"])
    # Call and put of a strike may differ in volatility here, so each is a row of its own.
    ladders = Ladders.of(
        np.array([0]),
        forward=np.full(2 * len(strikes), float(row["forward"])),
        strike=np.repeat(strikes, 2),
        width=volatility.ravel() * math.sqrt(years),
        discount=np.full(2 * len(strikes), math.exp(-float(row["r"]) * years)),
        units=(units * [1.0, -1.0]).ravel(),
    )
    flips = profile_flips(ladders, range_pct=10.0)
    expected = number(row["flip_profile_spot"])
    assert flips.move[0] * float(row["spot"]) == pytest.approx(expected, abs=1e-6, nan_ok=True)
    assert flips.move[0] * float(row["forward"]) == pytest.approx(
        number(row["flip_profile_fwd"]), abs=1e-6, nan_ok=True
    )
    assert flips.crossings[0] == len(row["flip_profile_fwd_all"].split("|")) - (not row["flip_profile_fwd_all"])
    both = np.isfinite(volatility).all(axis=1)
    if np.array_equal(volatility[both, 0], volatility[both, 1]):
        assert reading["gamma_flip"][0] == pytest.approx(expected, abs=1e-6, nan_ok=True)
        assert reading["flip_crossings"][0] == flips.crossings[0]
        distance = (expected / float(row["spot"]) - 1) * 100
        assert reading["gamma_flip_distance_pct"][0] == pytest.approx(distance, abs=1e-8, nan_ok=True)


def test_the_side_above_a_flip_is_seen_not_assumed():
    """Calls above and puts below make it positive above; the other way round negative; the other sign turns both."""
    rows = {row["id"]: row for row in reference_rows()}
    words = {}
    for name, row in (("calls above", rows["g004"]), ("puts above", rows["g006"])):
        chains, pricing, _ = reference_market(row)
        for used in (SETTINGS, DOCUMENTED):
            reading = exposure(chains, pricing, State.fresh(chains.layout), used)[1]
            words[name, used.exposure.gex_sign] = reading["gamma_above_flip"][0]
    assert words == {
        ("calls above", "dealer"): "POSITIVE",
        ("calls above", "documented"): "NEGATIVE",
        ("puts above", "dealer"): "NEGATIVE",
        ("puts above", "documented"): "POSITIVE",
    }


# Random chains against the loops

whole = st.integers(0, 40).map(lambda n: 25.0 * n)
STRIKES = [90.0, 94.0, 97.0, 99.0, 100.0, 101.0, 104.0, 110.0]


@st.composite
def random_markets(draw):
    """Two expiries of NIFTY and one of SBIN: open interest, smiles, forwards; holes in both."""
    keys = [SegmentKey("NIFTY", WEEKLY), SegmentKey("NIFTY", MONTHLY), SegmentKey("SBIN", MONTHLY)]
    day = a_day(dict.fromkeys(keys, STRIKES), lot=25.0)
    hole = st.one_of(*[st.just(False)] * 6, st.just(True))
    interest, smiles = {}, []
    for key in keys:
        pairs = [[draw(whole), draw(whole)] for _ in STRIKES]
        interest[key] = {"open_interest": pairs, "last": [(1.0, 1.0)] * len(STRIKES)}
        level = draw(st.floats(0.08, 0.6))
        smile = [level * (1 + 0.002 * (strike - 100) ** 2 / 10) for strike in STRIKES]
        smiles += [NAN if draw(hole) else iv for iv in smile]
    spot = draw(st.floats(95.0, 105.0))
    chains = seen(day, poll(day, AT, interest, spot={"NIFTY": spot, "SBIN": spot}))
    forward = np.array([spot * draw(st.floats(1.0, 1.02)) for _ in keys])
    years = np.array([draw(st.floats(2 / 365, 9 / 365)), *[draw(st.floats(12 / 365, 50 / 365))] * 2])
    surface = np.array(smiles)
    segment = day.layout.row_segment
    found = black76.ladder_greeks(
        forward=forward[segment], strike=day.layout.strike, time_to_expiry=years[segment], rate=0.05, volatility=surface
    )
    names = ("delta", "gamma", "vanna", "charm")
    pricing = priced(
        chains, forward=forward, time_to_expiry=years, surface_volatility=surface,
        **{name: getattr(found, name) for name in names},
    )  # fmt: skip
    return chains, pricing


def legs_of(chains, pricing, segments):
    """Legs of some chains that have open interest and a volatility, for the loops."""
    layout, legs = chains.layout, []
    for segment in segments:
        for row in range(layout.starts[segment], layout.ends[segment]):
            for side in (0, 1):
                units = chains.legs.open_interest[row, side]
                volatility = pricing.surface_volatility[row]
                if units > 0 and volatility == volatility:
                    legs.append(
                        (side == 0, float(pricing.forward[segment]), float(layout.strike[row]),
                         float(pricing.time_to_expiry[segment]), float(volatility), float(units))
                    )  # fmt: skip
    return legs


def looped_sums(legs, rate):
    """Sums [₹ crore] leg by leg."""
    sums, by_strike = defaultdict(float), (defaultdict(float), defaultdict(float))
    for call, forward, strike, years, volatility, units in legs:
        leg = greeks(call=call, forward=forward, strike=strike, years=years, rate=rate, volatility=volatility)
        size = leg["gamma"] * units * forward**2 * 0.01 / 1e7
        sums["call_gex" if call else "put_gex"] += size
        sums["gex"] += size if call else -size
        by_strike[0 if call else 1][strike] += size
        for name, greek in (("dex", "delta"), ("vex", "vanna"), ("cex", "charm")):
            sums[name] += (-1 if call else 1) * leg[greek] * units * forward / 1e7
    return sums, by_strike


def assert_flip(reading, row, legs, reference):
    roots = scanned_flips(legs)
    level = reading["gamma_flip"][row]
    if reading["flip_crossings"][row] == 0:
        assert math.isnan(level)
        assert len(roots) % 2 == 0  # two crossings between neighbouring prices of the grid are not seen
        return
    moves = [root * reference for root in roots]
    assert min(abs(level - move) for move in moves) < 1e-7 * reference
    if reading["flip_crossings"][row] == len(roots):
        nearest = min(abs(move - reference) for move in moves)
        assert abs(level - reference) == pytest.approx(nearest, abs=2e-7 * reference)


LOOSE = replace(SETTINGS, exposure=ExposureSettings(min_priced=0.0))


@pytest.mark.slow
@settings(max_examples=25)
@given(random_markets())
def test_every_number_equals_a_loop_over_the_legs(market):
    chains, pricing = market
    layout = chains.layout
    state, by_expiry = exposure(chains, pricing, State.fresh(layout), LOOSE)
    _, totals = exposure_total(chains, pricing, state, by_expiry, LOOSE)
    groups = [(by_expiry, i, [i]) for i in range(3)] + [(totals, 0, [0, 1]), (totals, 1, [2])]
    for reading, row, segments in groups:
        legs = legs_of(chains, pricing, segments)
        if reading["status"][row]:
            assert not sum(chains.legs.open_interest[layout.starts[s] : layout.ends[s]].sum() for s in segments) or (
                reading is totals
            )
            continue
        sums, by_strike = looped_sums(legs, 0.05)
        scale = sums["call_gex"] + sums["put_gex"]
        for name in ("gex", "call_gex", "put_gex", "dex", "vex", "cex"):
            found = np.nan_to_num(reading[name][row])
            assert found == pytest.approx(sums[name], rel=1e-9, abs=1e-9 * scale + 1e-18), name
        for name, sizes in zip(("call_gamma_wall", "put_gamma_wall"), by_strike, strict=True):
            if sizes:
                assert sizes[reading[name][row]] == pytest.approx(max(sizes.values()), rel=1e-9)
            else:
                assert math.isnan(reading[name][row])
        if scale > 1e-9:
            assert_flip(reading, row, legs, float(chains.underlyings.spot[0]))


def test_totals_and_the_market_add_up():
    chains = lively_pictures(3, 6)[-1]
    _, made, _ = run(chains)
    by_expiry, totals, market = (made[n] for n in ("exposure", "exposure_total", "exposure_market"))
    assert market["underlying"].tolist() == ["MARKET", "INDICES", "STOCKS"]
    given_rows = np.isfinite(totals["gex"])
    assert given_rows.sum() >= 3
    for name in ("gex", "call_gex", "put_gex", "dex", "vex", "cex"):
        per_name = [math.fsum(by_expiry[name][chains.layout.segment_underlying == u][
            by_expiry["status"][chains.layout.segment_underlying == u] == ""]) for u in range(len(totals))]  # fmt: skip
        assert totals[name][given_rows] == pytest.approx(np.array(per_name)[given_rows], rel=1e-12)
        index = chains.layout.is_index
        for row, chosen in enumerate((index | ~index, index, ~index)):
            assert market[name][row] == pytest.approx(math.fsum(totals[name][chosen & given_rows]), rel=1e-12)
    assert market["names"].tolist()[0] + market["names_missing"][0] == len(totals)


# The exchange's file of 11 June 2026

JUNE = date(2026, 6, 11)
TABLE = {
    # (name, expiry): calls, puts, calls less puts, largest leg: ₹ crore per 1 %
    ("NIFTY", date(2026, 6, 16)): (27_379, 28_186, -806, 3_647),
    ("NIFTY", date(2026, 6, 30)): (7_638, 8_539, -901, 1_337),
    ("BANKNIFTY", date(2026, 6, 30)): (4_778, 4_139, 640, 586),
    ("RELIANCE", date(2026, 6, 30)): (410, 262, 148, 71),
    ("HDFCBANK", date(2026, 6, 30)): (360, 228, 132, 65),
    ("TCS", date(2026, 6, 30)): (181, 117, 63, 33),
    ("SBIN", date(2026, 6, 30)): (211, 155, 56, 46),
    ("TATASTEEL", date(2026, 6, 30)): (68, 42, 26, 14),
    ("BSE", date(2026, 6, 30)): (113, 81, 32, 19),
}


@pytest.fixture(scope="module")
def june(data_folder):
    """The chains of `TABLE` at the close, from the raw file: closing prices of what traded, open interest in units."""
    ladders = defaultdict(dict)
    with gzip.open(data_folder / "bhavcopy_fo" / "fo_bhav_2026-06-11.csv.gz", "rt", newline="") as lines:
        for row in csv.DictReader(lines):
            expiry = datetime.strptime(row["EXPIRY_DT"] + " +0530", "%d-%b-%Y %z").date()
            key = SegmentKey(row["SYMBOL"], expiry)
            if tuple(key) in TABLE and row["OPTION_TYP"] in ("CE", "PE"):
                leg = {
                    "open_interest": float(row["OPEN_INT"]),
                    "volume": float(row["CONTRACTS"]),
                    "last": float(row["CLOSE"]) if float(row["CONTRACTS"]) > 0 else NAN,
                }
                ladders[key].setdefault(float(row["STRIKE_PR"]), {})[row["OPTION_TYP"]] = leg
    layout = a_layout({key: sorted(strikes) for key, strikes in ladders.items()})
    horizon = [ist(15, 30, day=key.expiry) for key in layout.segment_keys]
    layout = replace(layout, segment_horizon=np.array(horizon))
    session = replace(
        a_day(layout).session, date=JUNE,
        opens=datetime.fromisoformat("2026-06-11T09:15+05:30"), closes=datetime.fromisoformat("2026-06-11T15:30+05:30"),
    )  # fmt: skip
    close = ist(15, 30, day=JUNE)
    day = a_day(layout, session=session, contract_close=np.full(layout.segments, close))
    columns = {
        key: {
            name: [
                [strikes[k].get(kind, {}).get(name, NAN) for kind in ("CE", "PE")] for k in sorted(strikes)
            ]
            for name in ("open_interest", "volume", "last")
        }
        for key, strikes in ladders.items()
    }
    chains = seen(day, poll(day, close, columns), as_of=close)
    # The published figures rest on parity over seven strikes.
    return chains, price_market(chains, replace(SETTINGS.pricing, parity_strikes=7))


@pytest.mark.data
def test_the_file_of_11_june_gives_the_published_table(june):
    chains, pricing = june
    legs = leg_exposures(chains, pricing, SETTINGS.exposure)
    _, reading = exposure(chains, pricing, State.fresh(chains.layout), SETTINGS)
    layout = chains.layout
    assert set(layout.segment_keys) == {SegmentKey(*key) for key in TABLE}
    assert reading["status"].tolist() == [""] * len(TABLE)
    for i, key in enumerate(layout.segment_keys):
        largest = np.nanmax(np.abs(legs.gex[layout.starts[i] : layout.ends[i]]))
        found = (reading["call_gex"][i], reading["put_gex"][i], reading["gex"][i], largest)
        assert tuple(round(value) for value in found) == TABLE[tuple(key)], key
        assert reading["vex"][i] < 0
        assert reading["dex"][i] < 0


@pytest.mark.data
def test_real_chains_equal_a_loop_over_their_legs(june):
    chains, pricing = june
    state, by_expiry = exposure(chains, pricing, State.fresh(chains.layout), SETTINGS)
    _, totals = exposure_total(chains, pricing, state, by_expiry, SETTINGS)
    keys = chains.layout.segment_keys
    names = chains.layout.names
    stock = keys.index(SegmentKey("SBIN", date(2026, 6, 30)))
    nifty = [i for i, key in enumerate(keys) if key.underlying == "NIFTY"]
    for reading, row, segments in ((by_expiry, stock, [stock]), (totals, names.index("NIFTY"), nifty)):
        legs = legs_of(chains, pricing, segments)
        sums, _ = looped_sums(legs, pricing.rate)
        for name, value in sums.items():
            assert reading[name][row] == pytest.approx(value, rel=1e-9), name
        reference = float(pricing.reference[segments[0]])
        roots = scanned_flips(legs, steps=300)
        assert len(roots) == reading["flip_crossings"][row] > 0
        nearest = min(roots, key=lambda root: abs(root - 1)) * reference
        assert reading["gamma_flip"][row] == pytest.approx(nearest, rel=1e-7)


# Units


@pytest.mark.data
def test_a_leg_counted_in_units_and_in_contracts_has_the_same_rupees(data_folder):
    """NIFTY 18-Nov-2025 25400 CE at the close of 14 November: in units by one source, in contracts by the other."""
    with zipfile.ZipFile(data_folder / "bhavcopy_fo" / "fo14112025.zip") as archive:
        text = archive.read("op14112025.csv").decode()
    rows = csv.DictReader(io.StringIO(text), skipinitialspace=True)
    wanted = {"SYMBOL": "NIFTY", "EXP_DATE": "18/11/2025", "OPT_TYPE": "CE"}
    plain = ({name.strip(): (value or "").strip() for name, value in row.items() if name} for row in rows)
    (units,) = (
        float(row["OPEN_INT*"]) for row in plain
        if all(row[n] == v for n, v in wanted.items()) and float(row["STR_PRICE"]) == 25_400
    )  # fmt: skip

    name = "NIFTY_2025-10-13_to_12-05.parquet"
    table = pq.read_table(data_folder / "chain_intraday" / "nse_json_nifty_2025" / name)
    table = table.filter(pc.starts_with(pc.cast(table["ts"], "string"), "2025-11-17 09:30"))
    quotes = read(table, PurePath(name))
    chosen = (quotes.strike == 25_400) & (quotes.expiry == np.datetime64("2025-11-18"))
    converted, lots = in_units(quotes.take(chosen), date(2025, 11, 17), load_lot_table(), OPEN_INTEREST)
    assert [lot.size for lot in lots.values()] == [75.0]
    contracts, change = (quotes.quantities[f"call_{n}"][chosen][0] for n in ("open_interest", "open_interest_change"))
    assert (contracts - change) * 75 == units == 267_750.0
    before = converted.quantities["call_open_interest"][0] - converted.quantities["call_open_interest_change"][0]

    rupees = []
    for counted in (units, before):
        day = a_day({"NIFTY": [25_400.0, 25_450.0]}, lot=75.0)
        interest = {"open_interest": [(counted, 0.0), (0.0, 0.0)], "last": [(1.0, 1.0)] * 2}
        chains = seen(day, poll(day, AT, {"NIFTY": interest}, spot={"NIFTY": 25_910.0}))
        pricing = priced(chains, forward=np.array([25_950.0]), gamma=np.full((2, 2), 0.0005))
        rupees.append(exposure(chains, pricing, State.fresh(chains.layout), SETTINGS)[1]["gex"][0])
    # 0.0005 per ₹ x 267,750 units x (₹ 25,950)² x 1 %, in crore
    assert rupees == [pytest.approx(90.1517596875, abs=1e-9)] * 2
    assert rupees[0] == rupees[1]


# What is blank, and why


def a_chain(interest, *, iv=0.2, spot=100.0, chain="NIFTY", settings_=SETTINGS, state=None, **pricing):
    """The reading of a chain of five strikes 95 to 105 with these (call, put) units."""
    strikes = [95.0, 97.5, 100.0, 102.5, 105.0]
    day = a_day({chain: strikes})
    chains = seen(day, poll(day, AT, {chain: {"open_interest": interest, "last": [(1, 1)] * 5}}, spot={chain: spot}))
    surface = np.broadcast_to(np.asarray(iv, dtype=float), 5)
    years = pricing.get("time_to_expiry", np.array([0.02]))
    found = black76.ladder_greeks(
        forward=pricing.get("forward", np.array([100.0]))[0], strike=strikes, time_to_expiry=years[0], rate=0.05,
        volatility=surface,
    )  # fmt: skip
    made = {n: getattr(found, n) for n in ("delta", "gamma", "vanna", "charm")}
    terms = {"time_to_expiry": years, "surface_volatility": surface, **made, **pricing}
    return chains, priced(chains, **terms)


def reading_of(chains, pricing, settings_=SETTINGS, state=None):
    return exposure(chains, pricing, state or State.fresh(chains.layout), settings_)[1]


EVEN = [(100, 500), (200, 400), (300, 300), (400, 200), (500, 100)]
NUMBERS = ("gex", "gex_documented", "call_gex", "put_gex", "gex_share_pct", "gamma_flip", "cumulative_flip",
           "call_gamma_wall", "put_gamma_wall", "dex", "vex", "cex", "flip_crossings", "vex_strike")  # fmt: skip
WORDS = ("regime", "regime_literal", "gamma_above_flip")


def test_a_leg_without_open_interest_or_volatility_is_left_out():
    whole_chain = reading_of(*a_chain(EVEN))
    holed = [(NAN, 500), *EVEN[1:]]
    chains, pricing = a_chain(holed)
    without = reading_of(chains, pricing)
    legs = leg_exposures(chains, pricing, SETTINGS.exposure)
    assert np.isnan([getattr(legs, n)[0, 0] for n in ("gex", "dex", "vex", "cex")]).all()
    assert np.isfinite(legs.gex[0, 1])
    assert without["put_gex"][0] == whole_chain["put_gex"][0]
    zero = reading_of(*a_chain([(0, 500), *EVEN[1:]]))
    assert without["call_gex"][0] == zero["call_gex"][0] < whole_chain["call_gex"][0]
    # Strikes without a volatility hold 600 of 3,000 units: the rest is given, and says how much it is.
    some = reading_of(*a_chain(EVEN, iv=[NAN, 0.2, 0.2, 0.2, 0.2]))
    assert some["priced_share"][0] == pytest.approx(0.8)
    assert some["status"][0] == ""
    assert some["call_gex"][0] == pytest.approx(zero["call_gex"][0], rel=1e-12)
    few = reading_of(*a_chain(EVEN, iv=[NAN, NAN, 0.2, 0.2, 0.2]))
    assert few["status"][0] == "60 % of OI priced"
    assert np.isnan([few[n][0] for n in NUMBERS]).all()
    assert [few[n][0] for n in WORDS] == [""] * 3


@pytest.mark.parametrize(
    ("change", "status"),
    [
        ({"forward": np.array([NAN]), "gamma": np.full((5, 2), NAN)}, "no forward"),
        ({"time_to_expiry": np.array([60.0 / YEAR]), "gamma": np.full((5, 2), NAN)}, "last minute"),
        ({"time_to_expiry": np.array([0.0]), "gamma": np.full((5, 2), NAN)}, "expired"),
    ],
    ids=["forward", "last minute", "after expiry"],
)
def test_a_chain_that_cannot_be_priced_says_why(change, status):
    chains, pricing = a_chain(EVEN)
    reading = reading_of(chains, replace(pricing, **change))
    assert reading["status"][0] == status
    assert np.isnan([reading[n][0] for n in NUMBERS]).all()


def test_without_open_interest_or_with_too_few_legs_all_is_blank():
    assert reading_of(*a_chain([(NAN, NAN)] * 5))["status"][0] == "no OI yet"
    chains, pricing = a_chain(EVEN)
    for coverage, status in ((0.9, ""), (0.8999, "too few legs seen"), (NAN, "too few legs seen")):
        reading = reading_of(replace(chains, coverage=np.array([coverage])), pricing)
        assert reading["status"][0] == status
        assert np.isnan([reading[n][0] for n in NUMBERS]).all() == bool(status)


def test_the_last_minutes_of_an_expiry_are_finite_and_right():
    """Two minutes before the end gamma is a spike at each strike; the flip between two of them is still exact."""
    years = np.array([120.0 / YEAR])
    chains, pricing = a_chain([(0, 700), (0, 700), (0, 700), (900, 0), (900, 0)], time_to_expiry=years)
    reading = reading_of(chains, pricing)
    assert reading["status"][0] == ""
    legs = legs_of(chains, pricing, [0])
    sums, _ = looped_sums(legs, 0.05)
    assert reading["gex"][0] == pytest.approx(sums["gex"], rel=1e-9)
    # Alone, 100 and 102.5 balance where 700 exp(-d²/2) = 900 exp(-e²/2); the others are too far to matter.
    width = 0.2 * math.sqrt(years[0])

    def puts_weigh_more(level):
        d, e = (math.log(level / k) / width + width / 2 for k in (100.0, 102.5))
        return math.log(700) - d * d / 2 > math.log(900) - e * e / 2

    assert reading["gamma_flip"][0] == pytest.approx(bisected(puts_weigh_more, 100.0, 102.5), rel=1e-9)
    assert (reading["gamma_above_flip"][0], reading["flip_crossings"][0]) == ("POSITIVE", 1)


def test_a_chain_that_cancels_everywhere_has_no_flip_and_no_regime():
    reading = reading_of(*a_chain([(300, 300)] * 5))
    assert reading["gex"][0] == 0.0
    assert reading["flip_crossings"][0] == 0.0
    assert np.isnan([reading[n][0] for n in ("gamma_flip", "gamma_flip_distance_pct", "cumulative_flip")]).all()
    assert (reading["regime"][0], reading["regime_literal"][0]) == ("NEUTRAL", "NEUTRAL")


def test_one_side_alone_has_no_flip():
    reading = reading_of(*a_chain([(100, 0)] * 5))
    assert (reading["flip_crossings"][0], reading["gex_share_pct"][0], reading["regime"][0]) == (0.0, 100.0, "POSITIVE")
    assert math.isnan(reading["gamma_flip"][0])
    assert math.isnan(reading["put_gamma_wall"][0])


@pytest.mark.parametrize(
    ("share", "neutral_pct", "expected"),
    [(4.9, 4.8, "POSITIVE"), (4.9, 5.0, "NEUTRAL"), (-4.9, 4.8, "NEGATIVE"), (-4.9, 5.0, "NEUTRAL")],
)
def test_the_regime_needs_its_share(share, neutral_pct, expected):
    """One strike, so that the share is that of the units: (call - put) / (call + put)."""
    calls = 1000 + 10 * share
    chains, pricing = a_chain([(0, 0), (0, 0), (calls, 2000 - calls), (0, 0), (0, 0)])
    reading = reading_of(chains, pricing, replace(SETTINGS, exposure=ExposureSettings(neutral_pct=neutral_pct)))
    assert reading["gex_share_pct"][0] == pytest.approx(share)
    assert reading["regime"][0] == expected


def test_the_literal_regime_is_five_crore():
    """At the money gamma is about 0.14 per ₹ here: units decide on which side of ₹ 5 crore the chain is."""
    for factor, expected in ((0.99, "NEUTRAL"), (1.01, "POSITIVE")):
        chains, pricing = a_chain([(0, 0), (0, 0), (1.0, 0), (0, 0), (0, 0)])
        one = looped_sums(legs_of(chains, pricing, [0]), 0.05)[0]["gex"]
        many = a_chain([(0, 0), (0, 0), (round(factor * 5.0 / one), 0), (0, 0), (0, 0)])
        assert reading_of(*many)["regime_literal"][0] == expected
        assert reading_of(*many, DOCUMENTED)["regime_literal"][0] == expected.replace("POSITIVE", "NEGATIVE")


def test_the_convention_stands_beside_the_numbers():
    for used in (SETTINGS, DOCUMENTED):
        reading = reading_of(*a_chain(EVEN), used)
        assert reading["convention"].tolist() == [used.exposure.gex_sign]
        assert used.exposure.gex_sign in CONVENTIONS
        assert used.exposure.gex_sign in GEX_SIGNS


# Chains that stand still, names that spoil


def test_a_chain_that_was_not_observed_anew_keeps_its_flip():
    chains, pricing = a_chain(EVEN)
    state, before = exposure(chains, pricing, State.fresh(chains.layout), SETTINGS)
    assert before["flip_crossings"][0] > 0
    quiet = replace(chains, updated=np.array([False]))
    changed = replace(pricing, surface_volatility=pricing.surface_volatility * 2)
    after, kept = exposure(quiet, changed, state, SETTINGS)
    assert_same(after.segment, state.segment)
    assert kept["gamma_flip"][0] == before["gamma_flip"][0]
    assert exposure(chains, changed, state, SETTINGS)[1]["gamma_flip"][0] != before["gamma_flip"][0]


def test_far_expiries_and_missing_ones_in_the_sum_of_a_name():
    near, far, beyond = WEEKLY, MONTHLY, TRADING_DATE + timedelta(days=61)
    keys = [SegmentKey("NIFTY", expiry) for expiry in (near, far, beyond)]
    day = a_day({key: [95.0, 100.0, 105.0] for key in keys})
    interest = {"open_interest": [(100, 300), (200, 200), (300, 100)], "last": [(1, 1)] * 3}
    small = {"open_interest": [(1, 3), (2, 2), (3, 1)], "last": [(1, 1)] * 3}

    def totals(columns, gamma=0.1):
        chains = seen(day, poll(day, AT, columns, spot={"NIFTY": 100.0}))
        pricing = priced(chains, gamma=np.full((9, 2), gamma), vanna=np.zeros((9, 2)), charm=np.zeros((9, 2)))
        state, by_expiry = exposure(chains, pricing, State.fresh(day.layout), SETTINGS)
        return by_expiry, exposure_total(chains, pricing, state, by_expiry, SETTINGS)[1]

    by_expiry, whole_sum = totals(dict.fromkeys(keys, interest))
    assert whole_sum["expiries"][0] == 2  # the third is 61 days away
    assert whole_sum["call_gex"][0] == pytest.approx(by_expiry["call_gex"][:2].sum())
    assert whole_sum["status"][0] == ""
    by_expiry, most = totals({keys[0]: interest, keys[1]: {**small, "open_interest": [(NAN, NAN)] * 3}})
    assert most["status"][0] == "1 of 2 expiries"
    assert most["call_gex"][0] == by_expiry["call_gex"][0]
    before = np.full((9, 2), 100.0)
    day = replace(day, previous_open_interest=before)
    _, half = totals({keys[0]: interest, keys[1]: {**small, "open_interest": [(NAN, NAN)] * 3}})
    assert half["status"][0] == "no OI yet"  # yesterday a third of the open interest was there
    assert math.isnan(half["gex"][0])


def test_a_name_of_which_nothing_is_known_says_so():
    """As one that is left out, on a day whose yesterday is unknown: no weight on either side of the share."""
    pictures = lively_pictures(4, 6)
    day = replace(pictures[-1].day, previous_open_interest=np.full_like(pictures[-1].day.previous_open_interest, NAN))
    chains = replace(pictures[-1], day=day).without(["NIFTY"])
    _, made, _ = run(chains)
    row = chains.layout.names.index("NIFTY")
    assert made["exposure_total"]["status"][row] == "no OI yet"
    assert math.isnan(made["exposure_total"]["gex"][row])
    assert made["exposure_market"]["names_missing"][0] >= 1


@pytest.mark.parametrize("poison", [NAN, math.inf, -math.inf, 0.0, -1.0, 1e300])
def test_a_poisoned_name_leaves_the_others_as_they_were(poison):
    """Whatever stands in one name's pricing, the rest is equal to the last bit, flips and sums of expiries too."""
    chains = lively_pictures(7, 5)[-1]
    pricing = price_market(chains, SETTINGS.pricing)
    layout = chains.layout
    segments = layout.segment_underlying == layout.names.index("RELIANCE")
    rows = segments[layout.row_segment]
    spoiled = {n: getattr(pricing, n).copy() for n in ("gamma", "delta", "vanna", "charm", "surface_volatility")}
    for values in spoiled.values():
        values[rows] = poison
    forward = np.where(segments, poison, pricing.forward)
    with np.errstate(all="ignore"):
        bad = replace(pricing, forward=forward, **spoiled)
        state, made = exposure(chains, bad, State.fresh(layout), SETTINGS)
        _, totals = exposure_total(chains, bad, state, made, SETTINGS)
        exposure_market(chains, state, totals, SETTINGS)
    clean_state, clean = exposure(chains, pricing, State.fresh(layout), SETTINGS)
    _, clean_totals = exposure_total(chains, pricing, clean_state, clean, SETTINGS)
    others = np.flatnonzero(~segments)
    names = np.flatnonzero(np.array(layout.names) != "RELIANCE")
    assert_same(made.rows(others).columns, clean.rows(others).columns)
    assert_same(totals.rows(names).columns, clean_totals.rows(names).columns)
    for name, values in state.segment.items():
        assert np.array_equal(values[others], clean_state.segment[name][others], equal_nan=True)
