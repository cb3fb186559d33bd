"""DAY_PLAN: figures against hand-computed ones, the verdict's three cases, what is missing said by name."""

from dataclasses import replace
from datetime import date

import numpy as np
import pytest

from optionscanner.adapters.simulated.market import SimulatedMarket
from optionscanner.analytics.pricing import price_market
from optionscanner.model.calendar import load_calendar
from optionscanner.model.columns import ALERTS
from optionscanner.model.daily import KINDS, LEGS, DayEvent, Listing, Positions
from optionscanner.model.day_plan import BEARISH, BULLISH, MIXED, change_words, changes_since, fii_verdict, plan_of
from optionscanner.model.readings import Reading
from optionscanner.model.reports import CycleReport
from optionscanner.model.settings import EngineSettings
from optionscanner.model.state import State
from optionscanner.workbook.layout_day_plan import CHANGES, DAY_PLAN, EVENTS
from optionscanner.workbook.render import render
from tests.builders import run_session
from tests.test_simulated import ManualClock

NAN = float("nan")
FEW = ["NIFTY", "RELIANCE", "SBIN"]


@pytest.fixture(scope="module")
def report():
    """The simulated market at its open, three names, no engine but pricing."""
    clock = ManualClock()
    market = SimulatedMarket(clock=clock, seed=7, calendar=load_calendar(), symbols=FEW)
    clock.wait_until(market.instants()[0])
    chains = market.latest()
    none = Reading(ALERTS, {c.name: np.empty(0, dtype=object if c.kind == "text" else float) for c in ALERTS.columns})
    return CycleReport(
        session=run_session(), cycle=1, as_of=chains.as_of, chains=chains,
        pricing=price_market(chains, EngineSettings().pricing), readings={}, alerts=none,
        state=State.fresh(chains.layout),
    )  # fmt: skip


def with_daily(report, daily):
    return replace(report, chains=replace(report.chains, day=replace(report.chains.day, daily=daily)))


def shown(report, table):
    frame, _ = render(report)
    headers = [column.header for column in DAY_PLAN.table(table).fields]
    return [dict(zip(headers, row, strict=True)) for row in frame.blocks[table].rows]


def verdict_lines(report):
    return [row[0] for row in render(report)[0].blocks["plan_verdict"].rows]


def test_levels_gap_and_move_by_hand(report):
    """H 110, L 100, C 106: P = 316/3. 16 % a year is 16/sqrt(252) % of the close in a session."""
    market = report.chains.day.daily
    three = np.array([110.0, NAN, 50.0])
    daily = replace(
        market, spot_high=three, spot_low=np.array([100.0, NAN, 40.0]), spot_close=np.array([106.0, NAN, 45.0]),
        iv_history=np.full((3, 252), 0.16),
    )  # fmt: skip
    plan = plan_of(
        daily, opened=np.array([108.12, 50.0, NAN]), first=np.array([1.0, 1.0, 44.0]),
        source_close=np.array([9.0, 48.0, 9.0]), first_volatility=np.full(3, 0.5),
    )  # fmt: skip
    assert plan.pivots.pivot[0] == pytest.approx(316 / 3)
    assert plan.pivots.r1[0] == pytest.approx(2 * 316 / 3 - 100)
    assert plan.gap_pct.tolist() == pytest.approx([2.0, 100 / 24, -100 / 45])
    assert plan.move[0] == pytest.approx(106 * 0.010079052613579392)
    assert plan.gap_in_moves[0] == pytest.approx(2.12 / (106 * 0.010079052613579392))
    assert plan.opened_from.tolist() == ["open", "open", "first"]
    assert np.isnan(plan.pivots.pivot[1])  # a close by the source alone makes no pivots
    old = plan_of(
        replace(daily, iv_dates=market.iv_dates[:-1], iv_history=np.full((3, 251), 0.16)), opened=three, first=three,
        source_close=three, first_volatility=np.array([0.2, NAN, 0.2]),
    )  # fmt: skip
    assert old.volatility_from.tolist() == ["open", "", "open"]  # yesterday's is not there: an older one is not taken


@pytest.mark.parametrize(
    ("added", "price", "words"),
    [(500.0, 0.4, BULLISH), (-500.0, -0.4, BEARISH), (500.0, -0.4, MIXED), (-1.0, 0.4, MIXED), (0.0, 0.4, MIXED),
     (500.0, NAN, "")],
)  # fmt: skip
def test_fii_and_price(report, added, price, words):
    def held(day, long):
        legs = {**dict.fromkeys(LEGS, 0.0), "future_index_long": long, "future_stock_short": 9e3}
        return Positions(day, {"FII": legs})

    daily = replace(
        report.chains.day.daily, positions=held(date(2026, 7, 14), 1_000.0 + added),
        positions_before=held(date(2026, 7, 13), 1_000.0), market_change_pct=price,
    )  # fmt: skip
    found = fii_verdict(daily)
    assert (found.words, found.index_change, found.all_change) == (words, added, added)
    line = verdict_lines(with_daily(report, daily))[0]
    assert (words in line) if words else line == "FII and price: not known without two closes of NIFTY"


def test_one_file_of_participants_gives_no_verdict_and_says_which_is_missing(report):
    changed = with_daily(report, replace(report.chains.day.daily, positions_before=None))
    assert verdict_lines(changed)[0] == "FII and price: not known without participants of the session before that"
    rows = shown(changed, "plan_participants")
    assert rows[0]["Idx added"] is None and rows[0]["Index fut"] is not None


def test_the_simulated_market_fills_the_sheet(report):
    daily = report.chains.day.daily
    nifty = shown(report, "plan_indices")[0]
    assert [nifty[h] for h in ("Prev high", "Prev low", "Prev close")] == [
        daily.spot_high[0], daily.spot_low[0], 25_200.0]  # fmt: skip
    assert all(nifty[h] is not None for h in nifty if h not in ("Status", "To expiry", "Days"))  # those of an engine
    others = shown(report, "plan_indices")[1:]
    assert {row["Status"] for row in others} == {"not in source"} and {row["Open"] for row in others} == {None}
    gaps = [abs(row["Gap/move"]) for row in shown(report, "plan_gaps")]
    assert len(gaps) == 2 and gaps == sorted(gaps, reverse=True)
    assert [row["Who"] for row in shown(report, "plan_participants")] == ["FII", "PRO", "CLIENT", "DII"]
    for row in shown(report, "plan_participants"):
        who = row["Who"]
        assert row["Stock put"] == daily.positions.net(who, "option_stock_put")
        assert row["Idx added"] == daily.positions.net(who, "future_index") - daily.positions_before.net(
            who, "future_index")  # fmt: skip
    nets = [sum(row[h] for row in shown(report, "plan_participants")) for h in ("Index fut", "Index call", "Stock put")]
    assert nets == [0.0] * 3  # what one holds long another holds short
    assert {row["State"] for row in shown(report, "plan_files")} == {"there"}


def test_a_day_without_daily_files_names_every_one_of_them(report):
    bare = with_daily(report, None)
    assert [(row["Daily file"], row["State"]) for row in shown(bare, "plan_files")] == [(k, "MISSING") for k in KINDS]
    nifty = shown(bare, "plan_indices")[0]
    assert nifty["Status"] == "no daily files" and nifty["R1"] is None
    assert nifty["Prev close"] == 25_200.0 and nifty["Gap"] is not None  # by the source
    assert shown(bare, "plan_participants") == []
    assert shown(bare, "plan_changes")[0]["What"] == "not known: no daily files"
    head = render(bare)[0].blocks["plan_head"].rows[0][0]
    assert "no daily files of the session before" in head


def test_a_missing_file_is_named_first_with_what_stays_blank(report):
    daily = report.chains.day.daily
    found = {kind: words for kind, words in daily.found.items() if kind != "ban list"}
    lacking = replace(daily, found=found, missing={"ban list": "ban list for 15-Jul-2026 is not there: not known"},
                      bans_compared=False, ban_entered=(), listing=None)  # fmt: skip
    first = shown(with_daily(report, lacking), "plan_files")[0]
    assert (first["Daily file"], first["State"]) == ("ban list", "MISSING")
    assert first["What it serves"] == "whether a stock is in ban is not known"
    told = {row["Change"]: row["What"] for row in shown(with_daily(report, lacking), "plan_changes")}
    assert told["bans"] == "not known: no ban lists of both days"
    assert told["contracts"] == "not known: no F&O bhavcopy"
    assert change_words(lacking, report.chains.layout.names) == (
        "nothing that is known",
        "none: lots; not known: bans in, bans out, expired, new expiries, new symbols, gone symbols",
    )


def test_what_changed_is_told_by_kind(report):
    daily = replace(
        report.chains.day.daily, ban_entered=("SAIL",), ban_left=("IDEA",), banned=np.array([0.0, 1.0, NAN]),
        lot_changes=tuple(f"N{i} 28-Jul-2026: lot 10, was {i}" for i in range(6)),
        listing=Listing(("NEWCO",), ("OLDCO",), ("18-Aug-2026: NIFTY",), ("14-Jul-2026: 211 names",)),
    )  # fmt: skip
    changes = [(c.what, c.name, c.detail) for c in changes_since(daily, ["NIFTY", "RELIANCE", "SBIN"])]
    assert changes[:3] == [
        ("ban in", "SAIL", "in ban from today"), ("ban out", "IDEA", "left the ban list"),
        ("in ban", "RELIANCE", "no new positions"),
    ]  # fmt: skip
    assert ("lot", "N0", "28-Jul-2026: 10, was 0") in changes
    assert changes[-4:] == [("expired", "211 names", "14-Jul-2026"), ("new expiry", "NIFTY", "18-Aug-2026"),
                            ("new symbol", "NEWCO", ""), ("gone", "OLDCO", "")]  # fmt: skip
    assert change_words(daily, ["NIFTY", "RELIANCE", "SBIN"]) == (
        "bans in: SAIL; bans out: IDEA; lots: N0, N1, N2, N3 and 2 more; expired: 211 names 14-Jul-2026; "
        "new expiries: NIFTY 18-Aug-2026; new symbols: NEWCO; gone symbols: OLDCO", "",
    )  # fmt: skip
    assert change_words(None, [])[0].startswith("not known")
    rows = shown(with_daily(report, daily), "plan_changes")
    assert len(rows) == CHANGES and rows[-1]["What"] == "and 5 more"


def test_events_of_the_whole_market_are_kept_where_not_all_fit(report):
    many = [DayEvent(date(2026, 7, 15), f"S{i}", "RESULTS", "") for i in range(12)]
    late = DayEvent(date(2026, 7, 21), "MARKET", "RBI", "policy")
    rows = shown(with_daily(report, replace(report.chains.day.daily, events=(*many, late))), "plan_events")
    assert len(rows) == EVENTS
    assert [row["Symbol"] for row in rows] == [f"S{i}" for i in range(EVENTS - 2)] + ["MARKET", None]
    assert rows[-1]["Note"] == "and 6 more"
    none = with_daily(report, replace(report.chains.day.daily, events=()))
    assert shown(none, "plan_events")[0]["Note"] == "none in your file of events"
