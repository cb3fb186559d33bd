"""Gamma exposure among its own of earlier closes, and against turnover: the rule, and where its numbers come from."""

import sqlite3
from dataclasses import replace
from datetime import date, timedelta

import numpy as np
import pytest
from scipy.optimize import brentq
from scipy.stats import norm

from optionscanner.analytics.exposure_rank import exposure_rank
from optionscanner.app_daily import known_exposure
from optionscanner.history.daily_reader import DailyReader
from optionscanner.history.store import SqliteHistory
from optionscanner.model.columns import EXPOSURE_TOTAL
from optionscanner.model.contracts import SegmentKey
from optionscanner.model.exposures import PastExposure
from optionscanner.model.sessions import Mode
from optionscanner.model.settings import EngineSettings, ExposureSettings
from optionscanner.model.state import State
from tests import builders
from tests.builders import ist
from tests.engine_builders import a_day, poll, seen
from tests.test_daily_files import UDIFF, udiff_row
from tests.test_daily_values import FRIDAY, MONTHLY, day_on, imported, prepared_day

NAN = float("nan")
SETTINGS = EngineSettings()
DOCUMENTED = replace(SETTINGS, exposure=ExposureSettings(gex_sign="documented"))
LAST = date(2026, 1, 29)


def closes(*gex, turnover=NAN, names=("NIFTY",)):
    """Sessions up to the 29th that closed with these exposures, calls less puts; NaN is not known."""
    puts = 50.0
    sizes = np.array([[[puts + value, puts]] * len(names) for value in gex]).reshape(-1, len(names), 2)
    dates = tuple(LAST - timedelta(days=len(gex) - 1 - i) for i in range(len(gex)))
    return PastExposure(names, dates, sizes, np.full(len(names), turnover))


def ranked(gex, past, settings=SETTINGS):
    key = SegmentKey("NIFTY", MONTHLY)
    chains = seen(a_day({key: [90.0, 100.0]}), poll(a_day({key: [90.0, 100.0]}), ist(10, 0)))
    totals = builders.reading(EXPOSURE_TOTAL, 1, gex=[gex], status=["" if np.isfinite(gex) else "no forward"])
    _, reading = exposure_rank(chains, State.fresh(chains.layout), totals, settings, past=past)
    return {name: values[0] for name, values in reading.columns.items()}


def test_its_place_among_the_last_sixty_closes():
    """Closes of 1 to 60: 30 are below 30.5; the 5th percentile lies at 0.05 x 59 steps above 1."""
    past = closes(*range(1, 61), turnover=610.0)
    row = ranked(30.5, past)
    assert (row["gex_percentile"], row["sessions"], row["extreme"]) == (50.0, 60.0, "")
    assert row["gex_low"] == pytest.approx(1 + 0.05 * 59)
    assert (row["turnover"], row["gex_turnover_pct"], row["status"]) == (610.0, 5.0, "")
    assert ranked(3.95, past)["extreme"] == "LOW"
    assert ranked(3.96, past)["extreme"] == ""
    # An equal close is not a lower one.
    assert ranked(1.0, past)["gex_percentile"] == 0.0


def test_the_other_convention_turns_the_closes_too():
    past = closes(*range(1, 61))
    assert ranked(-30.5, past, DOCUMENTED)["gex_percentile"] == 50.0
    assert ranked(30.5, past, DOCUMENTED)["gex_percentile"] == 100.0


@pytest.mark.parametrize(
    ("gex", "past", "status"),
    [
        (5.0, closes(*range(59), turnover=1.0), "GEX history of 59 sessions, 60 needed"),
        (5.0, closes(NAN, *range(59), turnover=1.0), "GEX history of 59 sessions, 60 needed"),
        (5.0, None, "GEX history of 0 sessions, 60 needed"),
        (NAN, closes(*range(60), turnover=1.0), "no forward"),
    ],
)
def test_without_sixty_closes_or_a_number_now_it_is_blank(gex, past, status):
    row = ranked(gex, past)
    assert np.isnan(row["gex_percentile"])
    assert (row["status"], row["extreme"]) == (status, "")


def test_without_a_turnover_only_that_is_blank():
    row = ranked(5.0, closes(*range(60)))
    assert np.isnan(row["gex_turnover_pct"])
    assert (row["gex_percentile"], row["status"]) == (pytest.approx(100 * 5 / 60), "turnover of too few sessions")


def test_files_come_before_the_history_which_fills_their_gaps():
    filed, stored = closes(1.0, NAN, 3.0), closes(10.0, 20.0, 30.0, 40.0)
    both = filed.filled(stored)
    assert both.dates == stored.dates
    assert (both.sizes[:, 0, 0] - both.sizes[:, 0, 1]).tolist() == [10.0, 1.0, 30.0, 3.0]
    assert filed.filled(closes(*range(100))).dates[0] == LAST - timedelta(days=59)
    other = filed.on(("BANKNIFTY", "NIFTY"))
    assert np.isnan(other.sizes[:, 0]).all()
    assert np.array_equal(other.sizes[:, 1], filed.sizes[:, 0], equal_nan=True)


# Where closes come from


def test_sessions_of_the_history_that_saw_the_close(tmp_path):
    """Of Tuesday the newest number after 15:00; Wednesday ended at noon, Thursday is another mode's."""
    history = SqliteHistory(tmp_path / "h.db", Mode.LIVE)
    for day, times in ((27, [(12, 0), (15, 10), (15, 25)]), (28, [(12, 0)])):
        on = date(2026, 1, day)
        session = builders.run_session(Mode.LIVE, source="broker", trading_date=on)
        context = builders.day_of(builders.small_layout(), session=builders.trading_session(on))
        reports = builders.day_of_reports([ist(*at, day=on) for at in times], day=context, session=session)
        history.begin(session, context, resume_within=None, now=ist(9, 0, day=on))
        for number, report in enumerate(reports):
            sizes = [100.0 * number + u for u in range(3)]
            totals = builders.reading(EXPOSURE_TOTAL, 3, call_gex=sizes, put_gex=[10.0, NAN, 12.0])
            history.save(replace(report, readings={**report.readings, "exposure_total": totals}))
        history.end(ist(16, 0, day=on))
    friday = builders.run_session(Mode.LIVE, source="broker")
    resume = history.begin(friday, builders.day_of(builders.small_layout()), resume_within=None, now=ist(9, 0))
    history.close()
    assert resume.past.dates == (date(2026, 1, 27),)
    assert resume.past.names == ("NIFTY", "SENSEX", "RELIANCE")
    assert resume.past.sizes[0, [0, 2]].tolist() == [[200.0, 10.0], [202.0, 12.0]]
    assert np.isnan(resume.past.sizes[0, 1]).all()


FORWARD, YEARS, RATE = 25_290.0, 26 / 365, 0.0525
CHAIN = {25_000.0: (310.0, 110.0, 6_500, 1_300), 25_500.0: (90.0, 299.0, 2_600, 650)}
"""strike -> close and open interest of call and put; the 29th, to the 24th of February."""


@pytest.fixture(scope="module")
def closed(tmp_path_factory):
    """Daily values of one bhavcopy of NIFTY."""
    folder = tmp_path_factory.mktemp("closed")
    lines = [UDIFF, udiff_row(FinInstrmTp="IDF", StrkPric="", OptnTp="", ClsPric=str(FORWARD))]
    for strike, (call, put, calls, puts) in CHAIN.items():
        for side, close, units in (("CE", call, calls), ("PE", put, puts)):
            lines.append(udiff_row(StrkPric=str(strike), OptnTp=side, ClsPric=str(close), OpnIntrst=str(units)))
    (folder / "files").mkdir()
    (folder / "files" / "fo.csv").write_text("\n".join(lines), encoding="utf-8")
    imported(folder / "files", folder / "daily.sqlite")
    return folder / "daily.sqlite"


def textbook_gamma(strike, price, *, call):
    """Black's gamma at the volatility that gives an option's price."""

    def d1(sigma):
        width = sigma * np.sqrt(YEARS)
        return np.log(FORWARD / strike) / width + width / 2

    def excess(sigma):
        sign, up = (1 if call else -1), d1(sigma)
        down = up - sigma * np.sqrt(YEARS)
        value = sign * (FORWARD * norm.cdf(sign * up) - strike * norm.cdf(sign * down))
        return np.exp(-RATE * YEARS) * value - price

    sigma = brentq(excess, 0.01, 1.0)
    return np.exp(-RATE * YEARS) * norm.pdf(d1(sigma)) / (FORWARD * sigma * np.sqrt(YEARS))


def test_a_bhavcopy_gives_the_exposure_of_its_close(closed):
    """By the textbook: each strike has the volatility of its option out of the money."""
    day = prepared_day(closed, day_on(FRIDAY, {SegmentKey("NIFTY", MONTHLY): [25_000, 25_500]}))
    past = known_exposure(day, None)
    assert past.dates == (LAST,)
    gammas = {25_000.0: textbook_gamma(25_000, 110.0, call=False), 25_500.0: textbook_gamma(25_500, 90.0, call=True)}
    expected = [
        sum(gammas[strike] * row[side] * FORWARD**2 * 0.01 / 1e7 for strike, row in CHAIN.items()) for side in (2, 3)
    ]
    assert past.sizes[0, 0].tolist() == pytest.approx(expected, rel=1e-6)
    assert np.isnan(past.turnover).all()  # of one session, twenty are needed


def test_turnover_is_cash_and_futures_of_twenty_sessions(closed, tmp_path):
    """1,000,000 shares at ₹1,400 are ₹140 crore, with futures of ₹60 crore 200; on one day futures of 460: 220."""
    place = tmp_path / "daily.sqlite"
    with sqlite3.connect(closed) as source, sqlite3.connect(place) as copy:
        source.backup(copy)
        copy.execute("DELETE FROM daily_date WHERE kind = 'eod_contract'")
        copy.execute("DELETE FROM cash_close")
        copy.execute(
            "INSERT INTO daily_contract (id, exchange, underlying, expiry, option_type) "
            "VALUES (900, 'NFO', 'RELIANCE', '2026-02-24', 'FUT')"
        )
        for i in range(21):
            on = (LAST - timedelta(days=i)).isoformat()
            copy.execute("INSERT INTO daily_date VALUES ('eod_contract', ?, 1)", (on,))
            copy.execute(
                "INSERT INTO eod_contract (trading_date, contract, value) VALUES (?, 900, ?)",
                (on, 460e7 if i == 3 else 60e7),
            )
            shares = 1_000_000 if i < 20 else None  # the oldest is not looked at
            copy.execute(
                "INSERT INTO cash_close (trading_date, symbol, series, close_paise, volume) "
                "VALUES (?, 'RELIANCE', 'EQ', 140000, ?)",
                (on, shares),
            )
    source.close()
    copy.close()
    day = day_on(FRIDAY, {SegmentKey("NIFTY", MONTHLY): [25_000], SegmentKey("RELIANCE", MONTHLY): [1_400]})
    with DailyReader(place) as reader:
        turnover = reader.past_exposure(day.layout, FRIDAY).turnover
    assert turnover[1] == pytest.approx(220.0)
    assert np.isnan(turnover[0])  # nothing of the index' members
