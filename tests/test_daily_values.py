"""The file of daily values: rows once, nothing lost on the way, and what a trading day takes from it, to the unit."""

import csv
import gzip
import io
import math
import shutil
import sqlite3
import zipfile
from dataclasses import replace
from datetime import date, datetime, time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.optimize import brentq
from scipy.stats import norm

from optionscanner import app_errands, cli
from optionscanner import config as configuration
from optionscanner.analytics.maturity import constant_maturity
from optionscanner.app_daily import DailyImport, day_preparer, import_daily
from optionscanner.errors import HistoryError, RecordingError
from optionscanner.history.daily_reader import DailyReader
from optionscanner.history.daily_schema import DAILY_MIGRATIONS
from optionscanner.history.daily_store import DailyStore
from optionscanner.model.calendar import IST, load_calendar
from optionscanner.model.context import DayContext
from optionscanner.model.contracts import Layout, SegmentKey, Underlying
from optionscanner.model.daily import DAILY_TABLES, DayEvent, Listing
from optionscanner.model.picture import MarketPicture
from tests import builders, test_docs
from tests.test_daily_files import BAN, CASH, EVENTS, INDEX, LOTS, PARTICIPANTS, UDIFF, VIX, udiff_row

FRIDAY = date(2026, 1, 30)
"""The session; the small files are of Thursday the 29th, the ban list is for the Friday."""
MONTHLY = date(2026, 2, 24)
TABLES = [table.name for table in DAILY_TABLES]


def imported(folder: Path, place: Path) -> tuple[DailyImport, list[str]]:
    """What an import did, and everything that it said."""
    said: list[str] = []
    done = import_daily(
        folder, place, config=configuration.defaults(), calendar=load_calendar(), say=said.append, warn=said.append
    )
    return done, said


def small_folder(folder: Path) -> Path:
    """A folder with a file of nearly every kind, names of no meaning."""
    folder.mkdir()
    future = udiff_row(FinInstrmTp="IDF", StrkPric="", OptnTp="", ClsPric="25290.00", SttlmPric="25300.00",
                       OpnIntrst="130000", ChngInOpnIntrst="0")  # fmt: skip
    put = udiff_row(OptnTp="PE", OpnIntrst="1300", ChngInOpnIntrst="0", ClsPric="110.00")
    texts = {"a": "\n".join([UDIFF, udiff_row(), put, future]), "b": PARTICIPANTS, "c": BAN, "d": LOTS, "e": INDEX,
             "f": VIX, "g": CASH, "h": EVENTS, "i": "not,of\nany,kind\n"}  # fmt: skip
    for name, text in texts.items():
        (folder / name).write_text(text, encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The daily values of the small folder."""
    folder = tmp_path_factory.mktemp("daily")
    imported(small_folder(folder / "files"), folder / "daily.sqlite")
    return folder / "daily.sqlite"


def day_on(session: date, ladders: dict[SegmentKey, list[float]], *, lots: float = 65.0) -> DayContext:
    """A trading day of these chains, of which the source knows nothing from before."""
    names = {key.underlying: Underlying(key.underlying, "NFO", "INDEX" if "NIFTY" in key.underlying else "STOCK")
             for key in ladders}  # fmt: skip
    layout = Layout.build(
        sorted(names.values(), key=lambda u: (u.kind, u.name)), ladders, lot_sizes=dict.fromkeys(ladders, lots),
        horizons={key.expiry: datetime.combine(key.expiry, time(15, 30), IST).timestamp() for key in ladders},
        futures=dict.fromkeys(ladders, lots),
    )  # fmt: skip
    day = builders.day_of(layout, session=load_calendar().session_on(session))
    blank = np.full((layout.rows, 2), np.nan)
    return replace(day, previous_open_interest=blank, previous_close=blank, listed=np.zeros((layout.rows, 2), bool))


def prepared_day(place: Path, day: DayContext) -> DayContext:
    said: list[str] = []
    done = day_preparer(place, load_calendar(), said.append, pytest.fail)(day)
    assert len(said) == 1 and said[0].startswith(f"daily files before {day.session.date:%d-%b-%Y}: ")
    return done


# The import


def test_every_file_and_row_is_accounted_for_and_a_second_import_repeats_them_all(tmp_path):
    folder, place = small_folder(tmp_path / "files"), tmp_path / "daily.sqlite"
    first, said = imported(folder, place)
    assert (first.files, first.read, first.known, first.refused_files) == (9, 8, 0, 1)
    assert (first.rows, first.stored, first.repeated, first.refused, first.left_out) == (22, 21, 0, 0, 1)
    assert [line for line in said if line.startswith("i: ")] == [
        "i: expected one of the daily files that the README lists, its first line is 'not,of'; leave it out"
    ]
    before = contents(place)
    assert sum(len(rows) for rows in before.values()) == 21
    second, _ = imported(folder, place)
    assert (second.known, second.read, second.refused_files) == (9, 0, 0)
    assert (second.rows, second.stored, second.repeated, second.left_out) == (22, 0, 21, 1)
    assert contents(place) == before


def contents(place: Path) -> dict[str, list[tuple]]:
    connection = sqlite3.connect(place)
    found = {name: connection.execute(f"SELECT * FROM {name} ORDER BY 1, 2").fetchall() for name in TABLES}
    connection.close()
    return found


def test_the_same_rows_under_another_name_are_repeated_and_a_correction_replaces_them(tmp_path):
    folder, place = tmp_path / "files", tmp_path / "daily.sqlite"
    folder.mkdir()
    (folder / "one").write_text(VIX)
    imported(folder, place)
    (folder / "one").rename(folder / "two")
    again, _ = imported(folder, place)
    assert (again.read, again.stored, again.repeated) == (1, 0, 1)
    (folder / "two").write_text(VIX.replace("12.88", "12.98"))
    corrected, _ = imported(folder, place)
    assert (corrected.stored, corrected.repeated) == (1, 0)
    (folder / "two").write_text(VIX.replace("12.88,13.27", "12.58,-"))
    thinner, _ = imported(folder, place)
    assert (thinner.stored, thinner.repeated) == (0, 1)
    with DailyReader(place) as reader:
        assert reader.table("vix", FRIDAY.replace(day=29), FRIDAY)["close"].tolist() == [12.98]


def test_a_folder_of_other_things_is_not_told_file_by_file(tmp_path):
    folder = tmp_path / "files"
    folder.mkdir()
    for number in range(50):
        (folder / f"letter{number:02d}.txt").write_text("Dear all")
    done, said = imported(folder, tmp_path / "daily.sqlite")
    assert done.refused_files == 50
    assert sum(line.startswith("letter") for line in said) == 40
    assert "and 10 files more were refused in whole or part; table daily_file says why" in said


def test_an_import_that_is_broken_off_leaves_whole_files_and_goes_on(tmp_path, monkeypatch):
    folder, place = small_folder(tmp_path / "files"), tmp_path / "daily.sqlite"
    put, count = DailyStore.put, iter(range(99))

    def breaking(*given):
        if next(count) == 3:
            raise KeyboardInterrupt
        return put(*given)

    monkeypatch.setattr(DailyStore, "put", breaking)
    with pytest.raises(KeyboardInterrupt):
        imported(folder, place)
    monkeypatch.undo()
    again, _ = imported(folder, place)
    assert (again.files, again.known, again.read, again.refused_files) == (9, 3, 5, 1)
    whole, _ = imported(folder, tmp_path / "other.sqlite")
    assert contents(place) == contents(tmp_path / "other.sqlite") and whole.known == 0


def test_what_comes_out_is_what_went_in(small):
    with DailyReader(small) as reader:
        chain = reader.table("eod_contract", date(2026, 1, 29), date(2026, 1, 29))
        cash = reader.table("cash_close", date(2026, 1, 29), date(2026, 1, 29)).iloc[0]
        lots = reader.table("market_lot", FRIDAY, FRIDAY)
    option = chain[chain["option_type"] == "CE"].iloc[0]
    assert (option.strike, option.close, option.open_interest, option.volume) == (25_000.0, 310.0, 6_500.0, 780.0)
    assert (option.value, option.lot_size, option.trades) == (12 * 65 * 25_300.0, 65.0, 7.0)
    assert np.isnan(chain[chain["option_type"] == "FUT"].iloc[0].strike)
    assert (cash.symbol, cash.low, cash.delivered) == ("RELIANCE", 1_390.0, 600.0)
    assert len(lots) == 5


def test_a_database_of_something_else_is_refused_and_left_alone(tmp_path):
    place = tmp_path / "daily.sqlite"
    connection = sqlite3.connect(place)
    connection.execute("CREATE TABLE mine (x)")
    connection.commit()
    connection.close()
    before = place.read_bytes()
    with pytest.raises(HistoryError, match="expected a file that --import-daily made"):
        DailyStore(place)
    assert place.read_bytes() == before
    with pytest.raises(HistoryError, match="found a folder"):
        DailyStore(tmp_path)


def test_a_newer_schema_is_refused(tmp_path):
    place = tmp_path / "daily.sqlite"
    DailyStore(place).close()
    connection = sqlite3.connect(place)
    connection.execute("UPDATE settings SET value = '99' WHERE key = 'schema_version'")
    connection.commit()
    connection.close()
    with pytest.raises(HistoryError, match="has schema 99"):
        DailyReader(place)


def test_the_command_line_imports_beside_the_named_history(tmp_path, capsys):
    folder = small_folder(tmp_path / "files")
    options = cli.parse(["--import-daily", str(folder), "--history", str(tmp_path / "h" / "mine.db")])
    assert app_errands.errand(options)() == 0
    assert "rows: 22 read = 21 stored + 0 repeated + 0 refused + 1 left out" in capsys.readouterr().out
    assert (tmp_path / "h" / "daily.sqlite").exists()
    with pytest.raises(RecordingError, match="there is no such folder"):
        app_errands.errand(replace(options, daily=tmp_path / "none"))()
    with pytest.raises(SystemExit):
        cli.parse(["--import-daily", "x", "--speed", "2"])
    assert "--import-daily runs no session and has no use for --speed" in capsys.readouterr().err


def test_the_check_says_what_is_there(small, tmp_path, capsys):
    app_errands.errand(cli.parse(["--check", "--history", str(small.parent / "mine.db")]))()
    told = " ".join(capsys.readouterr().out.split())
    assert "F&O bhavcopy 1 to 29-Jan-2026" in told and "ban list 1 to 30-Jan-2026" in told
    app_errands.errand(cli.parse(["--check", "--history", str(tmp_path / "mine.db")]))()
    assert "import them with --import-daily FOLDER" in capsys.readouterr().out
    (tmp_path / "daily.sqlite").write_bytes(b"no database at all")
    assert app_errands.errand(cli.parse(["--check", "--history", str(tmp_path / "mine.db")]))() == 1


def test_every_table_is_in_the_readme_with_its_columns():
    connection = sqlite3.connect(":memory:")
    for _, script in DAILY_MIGRATIONS:
        connection.executescript(script)
    names = [name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type IN ('table', 'view')")]
    expected = [
        (f"`{name}`", ", ".join(f"`{row[1]}`" for row in connection.execute(f"PRAGMA table_info('{name}')")))
        for name in names
    ]
    connection.close()
    test_docs.same("Tables of daily.sqlite", expected, columns=2)


# What a day takes


def test_a_day_gets_the_closing_figures_of_the_session_before(small):
    day = prepared_day(small, day_on(FRIDAY, {SegmentKey("NIFTY", MONTHLY): [24_900, 25_000],
                                              SegmentKey("RELIANCE", MONTHLY): [1_400]}))  # fmt: skip
    row = int(day.layout.rows_of([0], [25_000.0])[0])
    assert day.previous_open_interest[row].tolist() == [6_500.0, 1_300.0]
    assert day.previous_close[row].tolist() == [310.0, 110.0]
    assert np.isfinite(day.previous_open_interest).sum() == 2 and day.listed.sum() == 2
    daily = day.daily
    assert (daily.future_open_interest[0], daily.future_close[0]) == (130_000.0, 25_300.0)
    assert (daily.spot_low[0], daily.spot_close[0]) == (25_000.25, 25_200.75)
    assert (daily.spot_high[1], daily.spot_close[1]) == (1_420.0, 1_404.5)
    assert daily.positions.net("FII", "option_index_call") == 5.0
    assert daily.positions.net("FII", "option_index_put") == 10.0
    assert daily.positions_before is None
    assert daily.vix_close == 12.88 and daily.vix_history.tolist() == [12.88]
    assert daily.banned.tolist() == [0.0, 0.0]
    # SAIL and M&M are in the Friday's list; what was in the Thursday's is not known.
    assert daily.ban_entered == () and daily.ban_left == ()
    assert not daily.has_ex_date("RELIANCE", date(2026, 2, 3))  # results are no ex-date
    assert replace(daily, events=(DayEvent(FRIDAY, "RELIANCE", "SPLIT", ""),)).has_ex_date("RELIANCE", FRIDAY)
    assert [(event.underlying, event.kind) for event in daily.events] == [("RELIANCE", "RESULTS"), ("MARKET", "RBI")]
    # The one file of index closes has the change as published, rounded by the exchange.
    assert daily.market_change_pct == -0.02 and not daily.bans_compared and daily.listing is None
    assert daily.lot_changes == ("RELIANCE 24-Feb-2026: lot 65, 500 in the list of lots",)
    # A single strike on Thursday makes no volatility of 30 days.
    assert list(daily.missing) == ["FII statistics", "daily volatility"]
    assert daily.missing["FII statistics"] == ("FII statistics of 29-Jan-2026 are not there: FII in ₹ crore is blank")


def test_the_change_of_the_spot_is_against_the_published_close_where_the_source_gives_none(small):
    ladders = {SegmentKey("NIFTY", MONTHLY): [25_000.0], SegmentKey("RELIANCE", MONTHLY): [1_400.0]}
    picture = MarketPicture(prepared_day(small, day_on(FRIDAY, ladders)))
    assert picture.frozen(builders.ist(9, 16)).underlyings.previous_close.tolist() == [25_200.75, 1_404.5]
    seen = builders.observation(picture.day.layout, builders.ist(9, 16))
    seen.underlying_values["previous_close"] = np.array([25_111.0, np.nan])
    picture.observe(seen)
    assert picture.frozen(builders.ist(9, 17)).underlyings.previous_close.tolist() == [25_111.0, 1_404.5]


def test_what_the_source_knows_itself_stays(small):
    day = day_on(FRIDAY, {SegmentKey("NIFTY", MONTHLY): [25_000]})
    own = replace(day, previous_open_interest=np.array([[7.0, np.nan]]), previous_close=np.array([[np.nan, 9.0]]))
    done = prepared_day(small, own)
    assert done.previous_open_interest.tolist() == [[7.0, 1_300.0]]
    assert done.previous_close.tolist() == [[310.0, 9.0]]


def test_nothing_of_the_day_itself_or_later_is_looked_at(small):
    """On Thursday the files of Thursday's evening are not there yet."""
    day = prepared_day(small, day_on(date(2026, 1, 29), {SegmentKey("NIFTY", MONTHLY): [25_000]}))
    assert np.isnan(day.previous_open_interest).all() and np.isnan(day.daily.spot_close).all()
    assert day.daily.positions is None and not len(day.daily.vix_history) and np.isnan(day.daily.banned).all()
    # The list of January's lots could be known; all else is named.
    assert len(day.daily.missing) == 7 and list(day.daily.found) == ["market lots"]


def test_bans_that_come_and_go_and_one_in_force(tmp_path):
    folder = tmp_path / "files"
    folder.mkdir()
    (folder / "b").write_text(BAN)
    (folder / "a").write_text("Securities in Ban For Trade Date 29-JAN-2026:\n1,RELIANCE\n2,SAIL\n")
    imported(folder, tmp_path / "daily.sqlite")
    ladders = {SegmentKey(name, MONTHLY): [100.0] for name in ("RELIANCE", "SAIL")}
    daily = prepared_day(tmp_path / "daily.sqlite", day_on(FRIDAY, ladders)).daily
    assert daily.banned.tolist() == [0.0, 1.0]
    assert (daily.ban_entered, daily.ban_left) == (("M&M",), ("RELIANCE",))


def test_what_is_new_and_gone_among_contracts(tmp_path):
    """Of Wednesday's names RENAMED is gone on Thursday; LAST and a weekly of NIFTY expire then; two things are new."""
    folder, names = tmp_path / "files", [f"N{i}" for i in range(9)]
    folder.mkdir()

    def bhavcopy(day: str, *contracts: tuple[str, str]) -> str:
        rows = [udiff_row(TradDt=day, BizDt=day, TckrSymb=name, XpryDt=expiry, FininstrmActlXpryDt=expiry)
                for name, expiry in contracts]  # fmt: skip
        return "\n".join([UDIFF, *rows])

    monthly = [(name, "2026-02-24") for name in ("NIFTY", *names)]
    weekly, last = ("NIFTY", "2026-01-29"), ("LAST", "2026-01-29")
    (folder / "a").write_text(bhavcopy("2026-01-28", *monthly, weekly, last, ("RENAMED", "2026-02-24")))
    (folder / "b").write_text(bhavcopy("2026-01-29", *monthly, weekly, last))
    imported(folder, tmp_path / "daily.sqlite")
    ladders = {SegmentKey(name, MONTHLY): [25_000.0] for name in ("NIFTY", "NEWCO", *names)}
    whole = {**ladders, SegmentKey("NIFTY", date(2026, 3, 30)): [25_000.0]}
    assert prepared_day(tmp_path / "daily.sqlite", day_on(FRIDAY, whole)).daily.listing == Listing(
        new_symbols=("NEWCO",), gone_symbols=("LAST", "RENAMED"), new_expiries=("30-Mar-2026: NIFTY",),
        gone_expiries=("29-Jan-2026: LAST, NIFTY",),
    )  # fmt: skip
    # A recording of some names says nothing about the others; one that the file does not hold makes it doubtful.
    part = {key: strikes for key, strikes in ladders.items() if key.underlying in ("NIFTY", "N0")}
    part_of_it = prepared_day(tmp_path / "daily.sqlite", day_on(FRIDAY, part)).daily.listing
    assert (part_of_it.new_symbols, part_of_it.gone_symbols) == ((), ("LAST", "RENAMED"))
    doubtful = {key: strikes for key, strikes in ladders.items() if key.underlying in ("NEWCO", "N0")}
    assert prepared_day(tmp_path / "daily.sqlite", day_on(FRIDAY, doubtful)).daily.listing is None


def test_a_day_without_a_file_or_outside_the_calendar_stays_as_it_is(tmp_path, small):
    day = day_on(FRIDAY, {SegmentKey("NIFTY", MONTHLY): [25_000]})
    assert day_preparer(tmp_path / "none.sqlite", load_calendar(), pytest.fail, pytest.fail)(day) is day
    (tmp_path / "broken.sqlite").write_bytes(b"SQLite format 3\0" + bytes(200))
    said: list[str] = []
    assert day_preparer(tmp_path / "broken.sqlite", load_calendar(), pytest.fail, said.append)(day) is day
    assert len(said) == 1 and "broken.sqlite" in said[0]


def test_one_underlying_alone_keeps_its_own_values(small):
    ladders = {SegmentKey("NIFTY", MONTHLY): [25_000.0], SegmentKey("RELIANCE", MONTHLY): [1_400.0]}
    daily = prepared_day(small, day_on(FRIDAY, ladders)).daily.sliced(1, np.array([1]))
    assert daily.spot_close.tolist() == [1_404.5] and np.isnan(daily.future_close).all()
    assert daily.iv_history.shape[0] == 1


# Volatility


def test_thirty_days_lie_between_two_expiries_in_total_variance():
    years = np.array([9.0, 37.0]) / 365
    # 9 and 37 days: 30 days are three quarters of the way.
    variance = 0.25 * 0.20**2 * 9 + 0.75 * 0.16**2 * 37
    # One name has both expiries, one the near alone, one the far alone, one none.
    owner, both = np.array([0, 0, 1, 2]), np.concatenate([years, years])
    found, days = constant_maturity(owner, both, np.array([0.20, 0.16, 0.20, 0.16]), 4)
    assert found[0] == pytest.approx(math.sqrt(variance / 30), rel=1e-12)
    assert found[1:3].tolist() == [0.20, 0.16] and np.isnan(found[3])
    assert days.tolist() == pytest.approx([30, 9, 37, math.nan], nan_ok=True)
    # In its last week, and beyond two months, an expiry does not stand for 30 days.
    for alone in (6.9, 60.1):
        assert np.isnan(constant_maturity(np.array([0]), np.array([alone / 365]), np.array([0.2]), 1)[0]).all()
    assert constant_maturity(owner, both, np.array([np.nan, 0.16, 0.2, 0.2]), 4)[0][0] == 0.16


def black(forward: float, strike: float, years: float, sigma: float, *, call: bool) -> float:
    """Black's formula, written anew; discounted at 5.25 %."""
    spread = sigma * math.sqrt(years)
    up = (math.log(forward / strike) + spread**2 / 2) / spread
    sign = 1 if call else -1
    return math.exp(-0.0525 * years) * sign * (forward * norm.cdf(sign * up) - strike * norm.cdf(sign * (up - spread)))


@pytest.fixture(scope="module")
def june(data_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Daily values of 11 June 2026 and before: bhavcopies, participants, index closes, VIX."""
    folder = tmp_path_factory.mktemp("june")
    files = folder / "files"
    files.mkdir()
    for name in ("bhavcopy_fo/fo_bhav_2026-06-11.csv.gz", "bhavcopy_cm/cm_11062026.csv.gz",
                 "participant/fao_participant_oi_2026-05-20_to_08-06.zip",
                 "index_close/ind_close_all_2026-05-20_to_08-06.zip"):  # fmt: skip
        shutil.copy(data_folder / name, files / Path(name).name)
    done, _ = imported(files, folder / "daily.sqlite")
    assert done.rows == done.stored + done.repeated + done.refused + done.left_out and done.volatilities == 1
    return folder / "daily.sqlite"


def raw_june(data_folder: Path) -> list[dict[str, str]]:
    text = gzip.decompress((data_folder / "bhavcopy_fo/fo_bhav_2026-06-11.csv.gz").read_bytes()).decode()
    return list(csv.DictReader(text.splitlines()))


@pytest.mark.data
@pytest.mark.slow
def test_a_real_day_gets_the_figures_of_the_raw_files(june, data_folder):
    """12 June 2026, from the files of the 11th; the ones of the 12th and later are there and stay unseen."""
    rows = [row for row in raw_june(data_folder) if row["SYMBOL"] in ("NIFTY", "RELIANCE")]
    options = [row for row in rows if row["OPTION_TYP"].strip() in ("CE", "PE")]
    ladders: dict[SegmentKey, list[float]] = {}
    for row in options:
        expiry = datetime.strptime(row["EXPIRY_DT"], "%d-%b-%Y").date()  # noqa: DTZ007 - a date alone
        ladders.setdefault(SegmentKey(row["SYMBOL"], expiry), []).append(float(row["STRIKE_PR"]))
    day = prepared_day(june, day_on(date(2026, 6, 12), ladders))
    assert np.nansum(day.previous_open_interest) == sum(int(row["OPEN_INT"]) for row in options)
    assert np.isfinite(day.previous_open_interest).sum() == len(options)
    for row in options[::97]:
        expiry = datetime.strptime(row["EXPIRY_DT"], "%d-%b-%Y").date()  # noqa: DTZ007 - a date alone
        at = day.layout.rows_of([day.layout.segment_of(row["SYMBOL"], expiry)], [float(row["STRIKE_PR"])])[0]
        assert day.previous_close[at, int(row["OPTION_TYP"].strip() == "PE")] == float(row["CLOSE"])
    daily = day.daily
    cash = csv.DictReader(
        gzip.decompress((data_folder / "bhavcopy_cm/cm_11062026.csv.gz").read_bytes()).decode().splitlines()
    )
    reliance = next(row for row in cash if row["SYMBOL"] == "RELIANCE" and row["SERIES"] == "EQ")
    assert daily.spot_close[1] == float(reliance["CLOSE"])
    with zipfile.ZipFile(data_folder / "index_close/ind_close_all_2026-05-20_to_08-06.zip") as archive:
        index = csv.reader(io.StringIO(archive.read("ind_close_all_11062026.csv").decode()))
        closes = {row[0]: row[5] for row in index}
        days = [name[-8:-4] + name[-10:-8] + name[-12:-10] for name in archive.namelist()]
        sessions = sum(day <= "20260611" for day in days)
        index = csv.reader(io.StringIO(archive.read("ind_close_all_10062026.csv").decode()))
        before = next(float(row[5]) for row in index if row[0] == "Nifty 50")
    assert daily.market_change_pct == pytest.approx(100 * (float(closes["Nifty 50"]) / before - 1), rel=1e-12)
    assert daily.spot_close[0] == float(closes["Nifty 50"]) and daily.vix_close == float(closes["India VIX"])
    assert daily.vix_history[-1] == daily.vix_close and len(daily.vix_history) == sessions
    futures = {row["EXPIRY_DT"]: row for row in rows if row["SYMBOL"] == "NIFTY" and row["INSTRUMENT"] == "FUTIDX"}
    near = day.layout.future_keys.index(SegmentKey("NIFTY", date(2026, 6, 30)))
    assert daily.future_open_interest[near] == int(futures["30-Jun-2026"]["OPEN_INT"])
    assert daily.iv_dates == (date(2026, 6, 11),)


@pytest.mark.data
@pytest.mark.slow
@pytest.mark.parametrize("name", ["NIFTY", "BANKNIFTY", "RELIANCE", "TCS"])
def test_volatility_at_the_close_agrees_with_a_second_method(june, data_folder, name):
    """Black's formula inverted by root finding on the two out-of-the-money closes around the future's close."""
    rows = [row for row in raw_june(data_folder) if row["SYMBOL"] == name and row["EXPIRY_DT"] == "30-Jun-2026"]
    forward = next(float(row["CLOSE"]) for row in rows if row["INSTRUMENT"].startswith("FUT"))
    years = (date(2026, 6, 30) - date(2026, 6, 11)).days / 365
    closes = {
        (float(row["STRIKE_PR"]), row["OPTION_TYP"]): float(row["CLOSE"]) for row in rows if int(row["CONTRACTS"])
    }
    below = max(strike for strike, side in closes if side == "PE" and strike <= forward)
    above = min(strike for strike, side in closes if side == "CE" and strike >= forward)
    put, call = (
        brentq(lambda v, k=k, c=c: black(forward, k, years, v, call=c) - closes[k, "CE" if c else "PE"], 0.01, 3)
        for k, c in ((below, False), (above, True))
    )
    share = (forward - below) / (above - below) if above > below else 1.0  # at a strike the call speaks
    expected = put + (call - put) * share
    connection = sqlite3.connect(june)
    ((found, stored_forward),) = connection.execute(
        "SELECT atm_iv, forward FROM daily_volatility WHERE underlying = ? AND expiry = '2026-06-30'", (name,)
    ).fetchall()
    connection.close()
    assert stored_forward == forward
    assert found == pytest.approx(expected, abs=1e-6)


@pytest.mark.data
@pytest.mark.parametrize(
    ("name", "calls", "puts"),
    [("RELIANCE", 410, 262), ("HDFCBANK", 360, 228), ("TCS", 181, 117), ("SBIN", 211, 155)],
)
def test_gamma_exposure_at_the_close_is_the_published_one_of_june_and_some_of_july(june, name, calls, puts):
    """Published of 30 June alone, ₹ crore per 1 %; July's contracts, within 60 days too, hold a few per cent."""
    connection = sqlite3.connect(june)
    ((call, put),) = connection.execute(
        "SELECT call_gex, put_gex FROM daily_exposure WHERE underlying = ?", (name,)
    ).fetchall()
    connection.close()
    assert calls <= call < 1.1 * calls
    assert puts <= put < 1.1 * puts


@pytest.mark.data
@pytest.mark.slow
def test_thirty_day_volatility_of_nifty_walks_with_india_vix(tmp_path, data_folder):
    files = tmp_path / "files"
    files.mkdir()
    for name in ("bhavcopy_fo/nifty_options_eod_2026-07-01_to_08-06.zip",
                 "vix/india_vix_2012-01-02_to_2026-07-31.csv.gz",
                 "index_close/ind_close_all_2026-05-20_to_08-06.zip"):  # fmt: skip
        shutil.copy(data_folder / name, files / Path(name).name)
    imported(files, tmp_path / "daily.sqlite")
    with DailyReader(tmp_path / "daily.sqlite") as reader:
        dates, history = reader.iv_history(("NIFTY",), date(2026, 8, 1), 252)
        days, vix = reader.vix(date(2026, 8, 1), 252)
    index = pd.Series(dict(zip(days, vix, strict=True)))[list(dates)]
    assert len(dates) >= 20 and len(vix) == 252
    # The index takes in the skew, so it stands a little above the money's own volatility.
    ratio = 100 * history[0] / index.to_numpy()
    assert 0.88 < np.median(ratio) < 1.0 and np.corrcoef(history[0], index)[0, 1] > 0.85
