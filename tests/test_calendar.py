"""The trading calendar: dates, hours, special sessions, horizons, and the cross-check of expiries."""

from __future__ import annotations

import csv
import pickle
from datetime import date, datetime, time, timedelta
from pathlib import Path

import exchange_calendars
import numpy as np
import pytest

from optionscanner.errors import UnknownDate
from optionscanner.model.calendar import IST, TradingCalendar, TradingSession, load_calendar, years_to_expiry
from optionscanner.model.expiry_rules import (
    expected_monthly_expiry,
    expected_weekly_expiries,
    expiry_disagreement,
)

ROOT = Path(__file__).resolve().parent.parent
CALENDAR = load_calendar()


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=IST)


def hours(day: date) -> tuple[str, str]:
    session = CALENDAR.session_on(day)
    assert session is not None
    return f"{session.opens:%H:%M}", f"{session.closes:%H:%M}"


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")
def test_weekdays_agree_with_another_calendar() -> None:
    """Every weekday of three years is open or closed as in exchange_calendars (it omits the special sessions)."""
    other = exchange_calendars.get_calendar("XBOM", start="2024-01-01", end="2026-12-31")
    theirs = {stamp.date() for stamp in other.sessions}
    special = {date(2024, 11, 1), date(2025, 10, 21)}
    ours = {day for day in CALENDAR.trading_days(date(2024, 1, 1), date(2026, 12, 31)) if day.weekday() < 5}
    assert ours - special == theirs
    assert special <= ours


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")
def test_a_week_of_2019_is_known_and_its_neighbours_are_not() -> None:
    """The days of the recordings of August 2019 and one on each side, as in exchange_calendars; regular hours."""
    first, last = date(2019, 8, 23), date(2019, 8, 30)
    other = exchange_calendars.get_calendar("XBOM", start="2019-08-01", end="2019-09-30")
    theirs = tuple(stamp.date() for stamp in other.sessions if first <= stamp.date() <= last)
    assert CALENDAR.trading_days(first, last) == theirs
    assert len(theirs) == 6
    assert hours(date(2019, 8, 26)) == ("09:15", "15:30")
    assert CALENDAR.previous_trading_day(date(2019, 8, 26)) == first
    assert CALENDAR.next_session(at("2019-08-29T15:30")).date == last
    for day in (date(2019, 8, 22), date(2019, 8, 31), date(2023, 12, 31)):
        with pytest.raises(UnknownDate, match=f"{day} is not in the trading calendar"):
            CALENDAR.session_on(day)


@pytest.mark.data
def test_trading_days_agree_with_the_exchanges_daily_files(data_folder: Path) -> None:
    """The 656 days with a daily cash-market file are exactly our trading days."""
    file = data_folder / "calendar" / "nse_trading_days_2024-01-01_to_2026-08-21.txt"
    recorded = tuple(date.fromisoformat(line) for line in file.read_text().split())
    assert len(recorded) == 656
    assert CALENDAR.trading_days(date(2024, 1, 1), date(2026, 8, 21)) == recorded


@pytest.mark.parametrize(
    ("day", "opens", "closes"),
    [
        (date(2026, 7, 31), "09:15", "15:30"),
        (date(2026, 8, 3), "09:15", "15:40"),
        (date(2026, 12, 4), "09:15", "15:40"),
        (date(2026, 12, 7), "09:15", "15:45"),
        (date(2024, 1, 20), "09:15", "15:30"),
        (date(2024, 11, 1), "18:00", "19:00"),
        (date(2025, 2, 1), "09:15", "15:30"),
        (date(2025, 10, 21), "13:45", "14:45"),
        (date(2026, 2, 1), "09:15", "15:30"),
    ],
)
def test_hours_follow_the_date(day: date, opens: str, closes: str) -> None:
    """Both sides of each change of hours, and the special sessions with theirs."""
    assert hours(day) == (opens, closes)


def test_instants_are_aware_and_in_india() -> None:
    """09:15 in India is 03:45 UTC."""
    session = CALENDAR.session_on(date(2026, 7, 13))
    assert session is not None
    assert session.opens.isoformat() == "2026-07-13T09:15:00+05:30"
    assert (session.kind, session.confirmed) == ("regular", True)


def test_hours_of_december_2026_are_marked_as_unconfirmed() -> None:
    """The regime of 7 December rests on one secondary source, and says so."""
    session = CALENDAR.session_on(date(2026, 12, 7))
    assert session is not None
    assert not session.confirmed
    assert "confirm" in session.description


def test_a_split_session_pauses() -> None:
    """2 March 2024 traded 09:15-10:00 and 11:30-12:30."""
    session = CALENDAR.session_on(date(2024, 3, 2))
    assert session is not None
    times = ["09:14", "09:15", "09:59", "10:00", "11:29", "11:30", "12:29", "12:30"]
    open_at = [session.is_open(at(f"2024-03-02T{text}")) for text in times]
    assert open_at == [False, True, True, False, False, True, True, False]


def test_unannounced_hours_fail_closed() -> None:
    """8 November 2026 is a trading day whose hours no source of ours knows."""
    assert CALENDAR.is_trading_day(date(2026, 11, 8))
    with pytest.raises(UnknownDate, match=r"2026-11-08 has a session .* hours are not known"):
        CALENDAR.session_on(date(2026, 11, 8))


@pytest.mark.parametrize(
    ("day", "reason"),
    [
        (date(2026, 11, 24), "Guru Nanak Jayanti"),
        (date(2026, 1, 15), "Municipal elections in Maharashtra"),
        (date(2026, 1, 31), "Saturday"),
        (date(2026, 11, 22), "Sunday"),
    ],
)
def test_closed_days_say_why(day: date, reason: str) -> None:
    """No session, and the name of the holiday or of the day."""
    assert CALENDAR.session_on(day) is None
    assert CALENDAR.closed_reason(day) == reason


def test_closed_reason_of_a_trading_day_is_refused() -> None:
    """A budget Sunday is no closed day."""
    with pytest.raises(ValueError, match="2026-02-01 is a trading day"):
        CALENDAR.closed_reason(date(2026, 2, 1))


@pytest.mark.parametrize("day", [date(2023, 12, 29), date(2027, 1, 1), date(2027, 1, 26)])
def test_dates_outside_the_tables_are_unknown(day: date) -> None:
    """Neither open nor closed: one sentence that names the coverage and the way out."""
    for ask in (CALENDAR.session_on, CALENDAR.is_trading_day, CALENDAR.closed_reason):
        with pytest.raises(UnknownDate, match=f"{day} is not in the trading calendar.*2024-01-01 to 2026-12-31"):
            ask(day)


def test_the_edges_of_the_coverage_are_known() -> None:
    """First and last covered date answer."""
    assert (CALENDAR.covers_from, CALENDAR.covers_to) == (date(2024, 1, 1), date(2026, 12, 31))
    assert CALENDAR.is_trading_day(date(2024, 1, 1))
    assert CALENDAR.is_trading_day(date(2026, 12, 31))
    with pytest.raises(UnknownDate):
        CALENDAR.previous_trading_day(date(2024, 1, 1))
    with pytest.raises(UnknownDate):
        CALENDAR.next_session(at("2026-12-31T15:45"))


@pytest.mark.parametrize(
    ("after", "expected"),
    [
        ("2026-11-20T09:00", date(2026, 11, 20)),
        ("2026-11-20T12:00", date(2026, 11, 20)),
        ("2026-11-20T15:39:59", date(2026, 11, 20)),
        ("2026-11-20T15:40", date(2026, 11, 23)),
        ("2026-11-23T16:00", date(2026, 11, 25)),
        ("2026-01-31T10:00", date(2026, 2, 1)),
    ],
)
def test_next_session_is_the_running_one_or_the_next(after: str, expected: date) -> None:
    """Before, during, at the close, over a weekend, over a holiday, into a Sunday session."""
    assert CALENDAR.next_session(at(after)).date == expected


def test_next_session_wants_an_aware_instant() -> None:
    """A naive clock would be read in the machine's zone."""
    with pytest.raises(ValueError, match="needs its time zone"):
        CALENDAR.next_session(at("2026-11-20T09:00").replace(tzinfo=None))


def test_next_session_reads_other_zones() -> None:
    """20:00 UTC of the 19th is already the 20th in India."""
    assert CALENDAR.next_session(datetime.fromisoformat("2026-11-19T20:00+00:00")).date == date(2026, 11, 20)


@pytest.mark.parametrize(
    ("day", "before"),
    [
        (date(2026, 11, 25), date(2026, 11, 23)),
        (date(2026, 2, 2), date(2026, 2, 1)),
        (date(2024, 1, 23), date(2024, 1, 20)),
        (date(2026, 1, 28), date(2026, 1, 27)),
    ],
)
def test_previous_trading_day_skips_closed_days_only(day: date, before: date) -> None:
    """Holidays are skipped, Sunday and Saturday sessions are not."""
    assert CALENDAR.previous_trading_day(day) == before


def test_expiring_index_contracts_stop_early_from_december_2026() -> None:
    """8 December 2026: an expiring index contract stops at 15:30, everything else trades to 15:45."""
    last_trade = CALENDAR.last_trade
    expiry = date(2026, 12, 8)
    assert last_trade(expiry, kind="INDEX", date=expiry) == at("2026-12-08T15:30")
    assert last_trade(expiry, kind="STOCK", date=expiry) == at("2026-12-08T15:45")
    assert last_trade(date(2026, 12, 15), kind="INDEX", date=expiry) == at("2026-12-08T15:45")
    assert last_trade(date(2026, 12, 1), kind="INDEX", date=date(2026, 12, 1)) == at("2026-12-01T15:40")
    assert last_trade(date(2026, 7, 28), kind="INDEX", date=date(2026, 7, 28)) == at("2026-07-28T15:30")


def test_last_trade_refuses_what_cannot_trade() -> None:
    """Past the expiry, and on a closed day."""
    with pytest.raises(ValueError, match="expired on 2026-11-23"):
        CALENDAR.last_trade(date(2026, 11, 23), kind="INDEX", date=date(2026, 11, 25))
    with pytest.raises(ValueError, match="no contract trades on 2026-11-24: Guru Nanak Jayanti"):
        CALENDAR.last_trade(date(2026, 12, 1), kind="INDEX", date=date(2026, 11, 24))


def test_horizon_is_half_past_three_in_every_regime() -> None:
    """Also for contracts listed beyond the covered dates."""
    for day in (date(2025, 9, 2), date(2026, 8, 11), date(2026, 12, 8), date(2030, 6, 25)):
        assert CALENDAR.expiry_horizon(day) == datetime.combine(day, time(15, 30), tzinfo=IST)


def test_horizon_can_be_configured_by_date() -> None:
    """15:40 for one regime, as the exchange's own delta takes it; the days around keep 15:30."""
    other = CALENDAR.with_expiry_horizons({date(2026, 8, 3): time(15, 40), date(2026, 12, 7): time(15, 30)})
    days = [date(2026, 7, 28), date(2026, 8, 4), date(2026, 12, 1), date(2026, 12, 8)]
    assert [f"{other.expiry_horizon(day):%H:%M}" for day in days] == ["15:30", "15:40", "15:40", "15:30"]


def test_time_to_expiry_meets_the_reference() -> None:
    """All rows of the reference table, in one vectorised call."""
    with (ROOT / "tests" / "reference" / "tte.csv").open(encoding="utf-8", newline="") as lines:
        rows = list(csv.DictReader(lines))
    now = np.array([datetime.fromisoformat(row["now_utc"]).timestamp() for row in rows])
    horizons = [datetime.fromisoformat(row["horizon_ist"]) for row in rows]
    years = years_to_expiry(now, np.array([horizon.timestamp() for horizon in horizons]))
    np.testing.assert_allclose(years, [float(row["T_years_act365"]) for row in rows], rtol=1e-15, atol=0.0)
    assert [bool(value == 0.0) for value in years] == [row["expired"] == "1" for row in rows]
    assert [CALENDAR.expiry_horizon(horizon.date()) for horizon in horizons] == horizons


def test_time_to_expiry_keeps_the_unknown_unknown() -> None:
    """NaN in, NaN out; shapes broadcast."""
    years = years_to_expiry(0.0, np.array([[365 * 86_400.0], [np.nan]]))
    np.testing.assert_array_equal(years, [[1.0], [np.nan]])


@pytest.mark.parametrize(
    ("exchange", "year", "month", "expected"),
    [
        ("NFO", 2026, 1, date(2026, 1, 27)),
        ("NFO", 2026, 3, date(2026, 3, 30)),
        ("NFO", 2026, 11, date(2026, 11, 23)),
        ("NFO", 2026, 12, date(2026, 12, 29)),
        ("NFO", 2025, 8, date(2025, 8, 28)),
        ("NFO", 2025, 9, date(2025, 9, 30)),
        ("BFO", 2026, 3, date(2026, 3, 25)),
        ("BFO", 2026, 5, date(2026, 5, 27)),
        ("BFO", 2026, 12, date(2026, 12, 31)),
    ],
)
def test_monthly_rule(exchange: str, year: int, month: int, expected: date) -> None:
    """Monthly expiries that the exchanges published, holidays and the change of weekday included."""
    assert expected_monthly_expiry(CALENDAR, exchange, year, month) == expected


def test_weekly_rule() -> None:
    """Published weekly expiries around holidays, the Muhurat day, and the change of weekday."""
    nifty = expected_weekly_expiries(CALENDAR, "NFO", first=date(2026, 11, 1), last=date(2026, 12, 31))
    assert nifty == tuple(
        date(2026, month, day)
        for month, day in [(11, 3), (11, 9), (11, 17), (11, 23), (12, 1), (12, 8), (12, 15), (12, 22), (12, 29)]
    )
    sensex = expected_weekly_expiries(CALENDAR, "BFO", first=date(2026, 1, 10), last=date(2026, 1, 20))
    assert sensex == (date(2026, 1, 14),)
    diwali = expected_weekly_expiries(CALENDAR, "NFO", first=date(2025, 10, 14), last=date(2025, 10, 28))
    assert diwali == (date(2025, 10, 14), date(2025, 10, 20), date(2025, 10, 28))
    change = expected_weekly_expiries(CALENDAR, "NFO", first=date(2025, 8, 22), last=date(2025, 9, 9))
    assert change == (date(2025, 8, 28), date(2025, 9, 2), date(2025, 9, 9))


def test_weekly_rule_finds_expiries_moved_into_the_window() -> None:
    """The window ends on the Monday to which the holiday on Tuesday moved the expiry."""
    found = expected_weekly_expiries(CALENDAR, "NFO", first=date(2026, 11, 18), last=date(2026, 11, 23))
    assert found == (date(2026, 11, 23),)


def test_master_and_rule_agree() -> None:
    """No warning where both say the same, nor where the calendar cannot tell."""
    for expiry in (date(2026, 11, 23), date(2026, 12, 1), date(2027, 1, 5)):
        disagreement = expiry_disagreement(
            CALENDAR, exchange="NFO", underlying="NIFTY", expiry=expiry, cycle="weekly"
        )
        assert disagreement is None
    assert (
        expiry_disagreement(
            CALENDAR, exchange="NFO", underlying="RELIANCE", expiry=date(2026, 11, 23), cycle="monthly"
        )
        is None
    )


def test_master_and_rule_disagree() -> None:
    """The sentence names the contract, both dates, and which one is used."""
    weekly = expiry_disagreement(
        CALENDAR, exchange="NFO", underlying="NIFTY", expiry=date(2026, 11, 24), cycle="weekly"
    )
    assert weekly == (
        "NIFTY on NFO: the instrument master lists the weekly expiry 2026-11-24 (Tuesday), the rule expects "
        "2026-11-23 (Monday); the master is used, check the exchange's circular."
    )
    monthly = expiry_disagreement(
        CALENDAR, exchange="NFO", underlying="RELIANCE", expiry=date(2026, 12, 22), cycle="monthly"
    )
    assert monthly is not None
    assert "2026-12-29 (Tuesday)" in monthly


def test_an_exchange_without_rules_is_refused() -> None:
    """A typing error must not pass for an exchange that expires never."""
    with pytest.raises(UnknownDate, match=r"no expiry rule for exchange 'NSE'.*BFO, NFO"):
        expected_monthly_expiry(CALENDAR, "NSE", 2026, 5)


@pytest.mark.parametrize(
    ("today", "says"),
    [
        (date(2026, 11, 30), None),
        (date(2026, 12, 1), "ends on 2026-12-31, in 30 days"),
        (date(2026, 12, 31), "ends on 2026-12-31, in 0 days"),
        (date(2027, 3, 1), "ended on 2026-12-31"),
    ],
)
def test_the_end_of_the_calendar_is_announced(today: date, says: str | None) -> None:
    """From 30 days before the end."""
    warning = CALENDAR.coverage_warning(today)
    assert warning is None if says is None else says in str(warning)


def fictitious(day: date) -> TradingSession:
    return TradingSession(
        date=day,
        opens=datetime.combine(day, time(9, 15), tzinfo=IST),
        closes=datetime.combine(day, time(15, 30), tzinfo=IST),
        kind="fictitious",
        description="simulated session",
        source="test",
    )


@pytest.mark.parametrize("day", [date(2026, 11, 24), date(2031, 5, 6), date(2026, 11, 8)])
def test_a_source_can_enter_a_session(day: date) -> None:
    """On a holiday, outside the coverage, on a day of unknown hours; the original calendar stays as it was."""
    extended = CALENDAR.with_session(fictitious(day))
    assert extended.session_on(day) == fictitious(day)
    assert extended.is_trading_day(day)
    assert extended.next_session(fictitious(day).opens).date == day
    assert extended.trading_days(day, day) == (day,)
    assert CALENDAR.entered == {}


def test_every_row_of_the_tables_has_a_source() -> None:
    """Facts carry their source; descriptions are there to be shown."""
    for file in sorted((ROOT / "optionscanner" / "model" / "data").glob("calendar_*.csv")):
        with file.open(encoding="utf-8", newline="") as lines:
            for row in csv.DictReader(lines):
                assert len(row["source"]) > 10, (file.name, row)


def test_holidays_are_weekdays() -> None:
    """A holiday on a weekend in the table would be a mistyped date, since weekends need no entry."""
    assert [day for day in CALENDAR.holidays if day.weekday() >= 5] == []
    assert not set(CALENDAR.holidays) & set(CALENDAR.specials)


def test_the_calendar_survives_pickling() -> None:
    """It travels to other processes with the report."""
    copy: TradingCalendar = pickle.loads(pickle.dumps(CALENDAR))
    assert copy == CALENDAR
    day = CALENDAR.covers_from
    while day <= CALENDAR.covers_to:
        assert copy.is_trading_day(day) == CALENDAR.is_trading_day(day)
        day += timedelta(days=1)


def test_after_the_close_the_next_open_is_told_over_weekend_and_holiday() -> None:
    """Monday, 26 January 2026 is Republic Day."""
    friday = CALENDAR.session_on(date(2026, 1, 23))
    assert friday is not None
    opens = CALENDAR.next_open(friday)
    said = {
        at: friday.closed_words(friday.opens.replace(hour=at[0], minute=at[1]), next_open=opens)
        for at in ((9, 0), (9, 15), (15, 30), (15, 31))
    }
    assert said == {
        (9, 0): "PRE-OPEN, opens 09:15", (9, 15): "", (15, 30): "", (15, 31): "CLOSED, next Tue 27-Jan 09:15",
    }  # fmt: skip


def test_past_the_covered_dates_only_the_close_is_told() -> None:
    last = CALENDAR.session_on(CALENDAR.trading_days(CALENDAR.covers_to - timedelta(days=7), CALENDAR.covers_to)[-1])
    assert last is not None
    assert CALENDAR.next_open(last) is None
    assert last.closed_words(last.closes + timedelta(minutes=1)) == f"CLOSED at {last.closes:%H:%M}"
