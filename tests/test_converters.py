"""Raw recordings become recorded days; broken ones are refused with the reason, and everything is counted."""

import gzip
import json
from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from optionscanner.adapters.recorded import clocks
from optionscanner.adapters.recorded.assemble import previous_closes
from optionscanner.adapters.recorded.converters import ImportReport, import_day
from optionscanner.adapters.recorded.format import RecordedDay, read_day
from optionscanner.adapters.recorded.lots import inferred_lot, load_lot_table
from optionscanner.errors import RecordingError
from tests.recorded_samples import (
    INDEX_HEADER,
    OLD_STOCK_HEADER,
    STOCK_HEADER,
    index_rows,
    ist,
    one_minute_file,
    stock_rows,
    write_csv,
)


def importing(sources: list[Path], to: Path) -> tuple[ImportReport, list[str]]:
    """The report, its sum checked, and what was said."""
    said: list[str] = []
    report = import_day(sources, to, said.append)
    parts = (report.observations_imported, report.observations_repeated, report.observations_refused)
    assert report.observations_read == sum(parts) + report.observations_left_out
    return report, said


def imported(sources: list[Path], to: Path) -> RecordedDay:
    importing(sources, to)
    return read_day(to)


def options_of(day: RecordedDay) -> pd.DataFrame:
    """The options table with times of day in India, HH:MM:SS."""
    frame = day.options.to_pandas()
    for name in frame.columns:
        if name.endswith("_at"):
            frame[name] = frame[name].dt.tz_convert("Asia/Kolkata").dt.strftime("%H:%M:%S")
    return frame


@pytest.fixture
def stock_file(tmp_path: Path) -> Path:
    return write_csv(tmp_path / "stock.csv", STOCK_HEADER, stock_rows("2026-01-30 10:00:15"))


# --- five-minute files


def test_stock_file(stock_file: Path, tmp_path: Path) -> None:
    """Units, times, spot and day's range arrive; what the file has not is absent."""
    day = imported([stock_file], tmp_path / "day")
    frame = options_of(day)
    assert frame["strike"].tolist() == [980.0, 1000.0, 1020.0]
    assert frame["observed_at"].tolist() == ["10:00:15"] * 3
    assert frame["underlying"].astype(str).tolist() == ["ACME"] * 3
    assert frame["expiry"].tolist() == [date(2026, 2, 24)] * 3
    assert frame["call_last"].tolist() == [31.5, 18.0, 8.0]
    assert frame["call_open_interest"].tolist() == [1100.0, 2500.0, 3100.0]
    assert frame["put_volume"].tolist() == [400.0, 800.0, 600.0]
    assert {"call_bid", "stamped_at", "call_ask_quantity"}.isdisjoint(frame.columns)
    spot = day.underlyings.to_pylist()
    assert [(row["underlying"], row["spot"], row["high"], row["low"]) for row in spot] == [
        ("ACME", 1000.0, 1010.0, 990.0)
    ]
    assert day.manifest.date == date(2026, 1, 30)
    assert day.manifest.mode_recorded == "IMPORT"
    assert not day.manifest.exchange_stamps


def test_older_stock_file_without_volumes(tmp_path: Path) -> None:
    """The first generation of columns, stamped to the minute."""
    rows = [
        f"ACME,2026-02-24,{k},31.5,{oi},9.5,2100,1000,0.5,2026-01-30 10:03,1" for k, oi in ((980, 1100), (1000, 700))
    ]
    frame = options_of(imported([write_csv(tmp_path / "old.csv", OLD_STOCK_HEADER, rows)], tmp_path / "day"))
    assert frame["observed_at"].tolist() == ["10:03:00"] * 2
    assert frame["call_open_interest"].tolist() == [1100.0, 700.0]
    assert "call_volume" not in frame.columns


def test_gzipped_files_and_parquet_of_both_generations_are_one_day(stock_file: Path, tmp_path: Path) -> None:
    """A gzipped stock file, an index file and a whole-day table of the indices, whatever they are called."""
    zipped = tmp_path / "no_suffix"
    zipped.write_bytes(gzip.compress(stock_file.read_bytes(), mtime=0))
    index = write_csv(tmp_path / "index.dat", INDEX_HEADER, index_rows("2026-01-30 10:01:00"))
    table = tmp_path / "indices.whatever"
    columns = ("symbol expiry strike ce_ltp ce_oi ce_vol pe_ltp pe_oi pe_vol spot pct_change".split(), [
        ["BANKNIFTY", date(2026, 2, 24), strike, 900.5, 3000, 600, 800.5, 6030, 900, 59600.0, -0.5]
        for strike in (59500.0, 59600.0)
    ])  # fmt: skip
    frame = pd.DataFrame(columns[1], columns=columns[0]).assign(ts=pd.Timestamp("2026-01-30 10:02:00"))
    pq.write_table(pa.Table.from_pandas(frame, preserve_index=False), table)
    day = imported([zipped, index, table], tmp_path / "day")
    seen = options_of(day).groupby("underlying", observed=True)["observed_at"].first()
    assert {str(name): at for name, at in seen.items()} == {
        "ACME": "10:00:15",
        "NIFTY": "10:01:00",
        "BANKNIFTY": "10:02:00",
    }
    kinds = {(row["underlying"], row["kind"], row["lot_size"]) for row in day.instruments.to_pylist()}
    assert kinds == {("ACME", "STOCK", 100.0), ("NIFTY", "INDEX", 65.0), ("BANKNIFTY", "INDEX", 30.0)}


def test_stocks_under_an_index_files_header(tmp_path: Path) -> None:
    """What a row is follows from its name."""
    rows = [row.replace("NIFTY", "ACME") for row in index_rows("2026-01-30 10:01:00")]
    day = imported([write_csv(tmp_path / "mixed.csv", INDEX_HEADER, rows)], tmp_path / "day")
    assert {row["kind"] for row in day.instruments.to_pylist()} == {"STOCK"}


def test_day_first_dates(tmp_path: Path) -> None:
    """03-02-2026 is 3 February in India, never 2 March; a good file with such dates is imported."""
    rows = index_rows("03-02-2026 10:22", expiry="10-02-2026")
    day = imported([write_csv(tmp_path / "index.csv", INDEX_HEADER, rows)], tmp_path / "day")
    assert day.manifest.date == date(2026, 2, 3)
    assert day.options["expiry"].to_pylist() == [date(2026, 2, 10)] * 3
    assert options_of(day)["observed_at"].tolist() == ["10:22:00"] * 3


def test_prices_of_zero_are_absent_and_counts_of_zero_are_zeros(tmp_path: Path) -> None:
    """An untraded leg: no price, volume 0, open interest 0. An index without spot keeps its row."""
    rows = [
        *index_rows("2026-01-30 10:00:00", spot=0),
        "NIFTY,2026-02-03,25100,0,0,0,200.5,650,65,0,0,2026-01-30 10:00:00,1",
    ]
    day = imported([write_csv(tmp_path / "index.csv", INDEX_HEADER, rows)], tmp_path / "day")
    last = options_of(day).iloc[-1]
    assert np.isnan(last["call_last"])
    assert (last["call_volume"], last["call_open_interest"]) == (0.0, 0.0)
    assert day.underlyings["spot"].to_pylist() == [None]
    assert day.underlyings["spot_at"].to_pylist() == [None]
    assert any("No spot all day: NIFTY" in note for note in day.manifest.notes)


def test_a_cell_that_is_no_number_is_absent(tmp_path: Path) -> None:
    rows = stock_rows("2026-01-30 10:00:15")
    rows[0] = rows[0].replace("31.5", "-")
    frame = options_of(imported([write_csv(tmp_path / "a.csv", STOCK_HEADER, rows)], tmp_path / "day"))
    assert np.isnan(frame["call_last"][0])


def test_the_same_contract_and_instant_twice_keeps_the_last(tmp_path: Path) -> None:
    """Two collectors, one instant: the later file wins, and the replaced rows are counted."""
    first = write_csv(tmp_path / "a.csv", STOCK_HEADER, stock_rows("2026-01-30 10:00:00"))
    changed = [row.replace(",18.0,", ",18.5,") for row in stock_rows("2026-01-30 10:00:00")]
    second = write_csv(tmp_path / "b.csv", STOCK_HEADER, changed)
    report, _ = importing([first, second], tmp_path / "day")
    assert read_day(tmp_path / "day").options["call_last"].to_pylist() == [31.5, 18.5, 8.0]
    day = report.days[0]
    assert (day.rows, day.observations, day.repeated_observations, day.replaced_rows) == (3, 1, 1, 3)


def test_the_same_file_given_twice_is_read_once(stock_file: Path, tmp_path: Path) -> None:
    report, _ = importing([stock_file, stock_file.parent], tmp_path / "elsewhere" / "day")
    assert report.days[0].repeated_observations == 0


def test_rows_outside_the_session_stay_in_the_recording(tmp_path: Path) -> None:
    """The recording is what was seen; who replays it judges."""
    rows = [row for at in ("09:02", "10:00", "16:05") for row in stock_rows(f"2026-01-30 {at}")]
    day = imported([write_csv(tmp_path / "a.csv", STOCK_HEADER, rows)], tmp_path / "day")
    assert sorted(set(options_of(day)["observed_at"])) == ["09:02:00", "10:00:00", "16:05:00"]


# --- times of change


def five_minutes(tmp_path: Path, seen: list[tuple[str, float, int, int]]) -> pd.DataFrame:
    """The call of one strike, seen as (time, last, open interest, volume); the file is read back."""
    rows = [
        f"ACME,2026-02-24,{strike},{last},{interest},{volume},9.5,2100,0,1000,1010,990,0.5,2026-01-30 {at},1"
        for at, last, interest, volume in seen
        for strike in (980, 1000)
    ]
    frame = options_of(imported([write_csv(tmp_path / "a.csv", STOCK_HEADER, rows)], tmp_path / "day"))
    return frame[frame["strike"] == 980.0].reset_index(drop=True)


def test_price_times(tmp_path: Path) -> None:
    """Worked by hand, a case a row."""
    frame = five_minutes(tmp_path, [
        ("09:05:00", 30.0, 1100, 900),  # before the open: yesterday's figures start no clock
        ("09:16:00", 30.0, 1100, 0),    # not traded today: the price is yesterday's
        ("09:21:00", 30.0, 1100, 100),  # first trade, at yesterday's price
        ("09:26:00", 30.0, 1100, 100),  # nothing
        ("09:31:00", 31.0, 1300, 100),  # price changed
        ("09:36:00", 31.0, 1300, 200),  # traded at the same price
        ("09:41:00", 30.5, 1300, 150),  # older than the row before (another collector): no trade
        ("09:46:00", 31.0, 1300, 200),  # the same again: nothing since 09:36
        ("15:41:00", 32.0, 1300, 300),  # seen after the close, traded at latest at the close
    ])  # fmt: skip
    assert frame["call_price_at"].fillna("never").tolist() == [
        "never", "never", "09:21:00", "09:21:00", "09:31:00", "09:36:00", "09:36:00", "09:36:00", "15:30:00",
    ]  # fmt: skip
    assert frame["call_open_interest_at"].fillna("never").tolist() == [
        "never", "09:16:00", "09:16:00", "09:16:00", "09:31:00", "09:31:00", "09:31:00", "09:31:00", "09:31:00",
    ]  # fmt: skip
    assert frame["put_price_at"].isna().all()


def test_price_times_without_volumes() -> None:
    """Only a changed price tells; the first observation cannot."""
    at = np.array([10, 20, 30, 40])
    inside = np.ones(4, dtype=bool)
    got = clocks.price_times(
        last=np.array([5.0, 5.0, 6.0, 6.0]),
        volume=None,
        at=at,
        starts=np.zeros(4, dtype=np.int64),
        inside=inside,
        closes=99,
    )
    assert got.tolist() == [clocks.NEVER, clocks.NEVER, 30, 30]


def naive_price_times(rows: list[tuple[float, float]], at: list[int], closes: int) -> list[int]:
    """The rule of `clocks.price_times`, told row by row for one contract within the session."""
    highest, price, when, out = -np.inf, None, clocks.NEVER, []
    for number, ((last, volume), now) in enumerate(zip(rows, at, strict=True)):
        if volume > max(highest, 0) or (
            number and volume >= highest and volume > 0 and np.isfinite(last) and last != price
        ):
            when = now
        if volume >= highest:
            highest, price = volume, last
        out.append(min(when, closes))
    return out


@given(
    contracts=st.lists(
        st.lists(
            st.tuples(st.sampled_from([1.0, 2.0, np.nan]), st.sampled_from([0.0, 75.0, 150.0])), min_size=1, max_size=6
        ),
        min_size=1,
        max_size=4,
    )
)
def test_price_times_of_all_contracts_at_once_are_those_of_each(contracts: list[list[tuple[float, float]]]) -> None:
    """The whole-day computation agrees with the rule told row by row, and contracts do not touch each other."""
    at = np.concatenate([np.arange(len(rows)) * 10 for rows in contracts])
    contract = np.repeat(np.arange(len(contracts)), [len(rows) for rows in contracts])
    inside = np.ones(len(at), dtype=bool)
    flat = np.array([row for rows in contracts for row in rows])
    got = clocks.price_times(
        last=flat[:, 0],
        volume=flat[:, 1],
        at=at,
        starts=clocks.group_starts(contract, inside),
        inside=inside,
        closes=35,
    )
    assert got.tolist() == [
        when for rows in contracts for when in naive_price_times(rows, [10 * i for i in range(len(rows))], 35)
    ]


# --- figures that the files do not state


def test_previous_close_of_an_underlying() -> None:
    """Close 1,234.55: three spots with their rounded percentages leave one paisa; contradictions leave none.

    Worked by hand: 1240.00 / 1234.55 = +0.441 %, 1229.10 / 1234.55 = -0.441 %, 1300.25 / 1234.55 = +5.322 %.
    """
    spot = np.array([1240.0, 1229.1, 1300.25, 100.0, 100.0, 0.0, 50.0])
    percent = np.array([0.441, -0.441, 5.322, 1.0, 2.0, 0.0, np.nan])
    group = np.array([0, 0, 0, 1, 1, 2, 3])
    got = previous_closes(spot, percent, group, 4)
    assert got[0] == 1234.55
    assert np.isnan(got[1:]).all()


def test_previous_close_from_one_spot_is_near() -> None:
    """One rounded percentage leaves a range of a hundred-thousandth; its middle is given."""
    assert previous_closes(np.array([60000.0]), np.array([0.5]), np.array([0]), 1)[0] == pytest.approx(
        59701.49, abs=0.4
    )


@pytest.mark.parametrize(
    ("multiples", "odd", "expected"),
    [
        ([1, 2, 3, 5, 8, 13, 21, 34], 0, 75.0),
        ([1, 2, 3, 5, 7, 8, 11, 13, 17, 18, 19, 23, 26, 29, 31, 34, 37, 39, 41], 1, 75.0),  # 19 of 20: 95 %
        ([1, 2, 3, 5, 7, 8, 11, 13, 17, 18, 19, 23, 26, 29, 31, 34, 37, 39], 2, 25.0),  # 18 of 20: below
        ([4], 0, 300.0),  # one value tells no more
    ],
)
def test_inferred_lot(multiples: list[int], odd: int, expected: float) -> None:
    """Lots of 75 with left-overs of an old lot of 25, on both sides of the 95 % line."""
    values = [75.0 * m for m in multiples] + [75.0 * 50 + 25.0 * (i + 1) for i in range(odd)]
    lot = inferred_lot(np.array([*values, 0.0, np.nan]), "open interest")
    assert lot is not None
    assert lot.size == expected
    assert ("too few to be sure" in lot.source) == (len(values) < 8)


def test_no_lot_from_nothing() -> None:
    assert inferred_lot(np.array([0.0, np.nan]), "open interest") is None


@pytest.mark.parametrize(
    ("underlying", "expiry", "on", "size"),
    [
        ("NIFTY", date(2025, 9, 2), date(2025, 8, 29), 75),
        ("NIFTY", date(2025, 12, 30), date(2025, 12, 30), 75),
        ("NIFTY", date(2026, 1, 27), date(2025, 11, 3), 65),
        ("NIFTY", date(2026, 3, 31), date(2025, 12, 30), 75),
        ("NIFTY", date(2026, 3, 31), date(2025, 12, 31), 65),
        ("BANKNIFTY", date(2025, 6, 26), date(2025, 5, 2), 30),
        ("BANKNIFTY", date(2025, 7, 31), date(2025, 5, 2), 35),
        ("BANKNIFTY", date(2026, 1, 27), date(2026, 1, 2), 30),
        ("NIFTY", date(2025, 5, 29), date(2025, 4, 24), None),
        ("ACME", date(2026, 2, 24), date(2026, 1, 30), None),
    ],
)
def test_lot_table(underlying: str, expiry: date, on: date, size: float | None) -> None:
    """Circulars NSE/FAOP/70616 and of 28 March 2025, on both sides of their dates."""
    lot = load_lot_table().lookup(underlying, expiry, on=on)
    assert (None if lot is None else lot.size) == size


def test_a_chain_without_any_count_is_refused(tmp_path: Path) -> None:
    """Prices alone give no lot size; the other chains are imported."""
    rows = [*stock_rows("2026-01-30 10:00"), "BARE,2026-02-24,100,1.5,0,0,2.5,0,0,100,101,99,0.5,2026-01-30 10:00,1"]
    report, _ = importing([write_csv(tmp_path / "a.csv", STOCK_HEADER, rows)], tmp_path / "day")
    assert [(r.file, r.rows, r.observations) for r in report.refused] == [("BARE 24-Feb-2026", 1, 1)]
    assert "no open interest or volume from which its lot size could be inferred" in report.refused[0].reason
    assert read_day(tmp_path / "day").options.num_rows == 3


def test_tick_sizes(tmp_path: Path) -> None:
    """Prices in hundredths make a tick of 0.01, in twentieths 0.05; without a price there is none."""
    cheap = [
        row.replace("31.5", "31.52").replace("18.0", "17.98") for row in stock_rows("2026-01-30 10:00", name="CHEAP")
    ]
    quiet = ["QUIET,2026-02-24,100,0,500,0,0,700,0,100,101,99,0.5,2026-01-30 10:00,1"]
    rows = [*stock_rows("2026-01-30 10:00"), *cheap, *quiet]
    day = imported([write_csv(tmp_path / "a.csv", STOCK_HEADER, rows)], tmp_path / "day")
    assert {(row["underlying"], row["tick_size"]) for row in day.instruments.to_pylist()} == {
        ("ACME", 0.05),
        ("CHEAP", 0.01),
        ("QUIET", None),
    }


def closing_file(place: Path, rows: list[tuple[str, float, float]]) -> Path:
    """A companion: (date, call's open interest, call's last) of ACME 980."""
    frame = pd.DataFrame(
        [
            (pd.Timestamp(day).date(), "ACME", date(2026, 2, 24), 980.0, last, oi, 4.5, 700, 1000.0)
            for day, oi, last in rows
        ],
        columns="date symbol expiry strike ce_ltp ce_oi pe_ltp pe_oi spot".split(),
    )
    pq.write_table(pa.Table.from_pandas(frame, preserve_index=False), place)
    return place


def test_companion_of_the_previous_session(stock_file: Path, tmp_path: Path) -> None:
    """The last snapshot of Thursday 29 January gives Friday its baseline; the older one does not."""
    companion = closing_file(
        tmp_path / "eod", [("2026-01-28", 5, 1.0), ("2026-01-29", 900, 33.0), ("2026-01-30", 7, 1.0)]
    )
    day = imported([stock_file, companion], tmp_path / "day")
    known = {
        (row["strike"], row["option_type"]): (row["previous_open_interest"], row["previous_close"])
        for row in day.instruments.to_pylist()
    }
    assert known[980.0, "CE"] == (900.0, 33.0)
    assert known[980.0, "PE"] == (700.0, 4.5)
    assert known[1000.0, "CE"] == (None, None)
    assert day.options.num_rows == 3


def test_companion_without_the_previous_session_is_not_used(stock_file: Path, tmp_path: Path) -> None:
    """A change in open interest against an older day would be a wrong figure, so there is none."""
    companion = closing_file(tmp_path / "eod", [("2026-01-23", 900, 33.0)])
    day = imported([stock_file, companion], tmp_path / "day")
    assert day.instruments["previous_open_interest"].null_count == day.instruments.num_rows
    assert any("eod has no snapshot of 29-Jan-2026" in note for note in day.manifest.notes)


def test_a_companion_alone_is_nothing_to_import(tmp_path: Path) -> None:
    companion = closing_file(tmp_path / "eod", [("2026-01-29", 900, 33.0)])
    with pytest.raises(RecordingError, match="only hold last snapshots of past sessions"):
        importing([companion], tmp_path / "day")


# --- one-minute files

PAGE_ROW = {
    "strike": 24500,
    "CALLS_OI": 22434, "CALLS_Chng_in_OI": 779, "CALLS_Volume": 8911, "CALLS_LTP": 397.75, "CALLS_Net_Chng": -11.45,
    "CALLS_Bid_Qty": 300, "CALLS_Bid_Price": 397, "CALLS_Ask_Price": 398.05, "CALLS_Ask_Qty": 150,
    "PUTS_OI": 4.333333333333333, "PUTS_Chng_in_OI": 1.0, "PUTS_Bid_Qty": 75, "PUTS_Bid_Price": 265,
}  # fmt: skip


def test_one_minute_file(tmp_path: Path) -> None:
    """Contracts become units with the lot of 75, fractions first; stamps stay apart from the collector's clock."""
    file = one_minute_file(tmp_path / "x", [PAGE_ROW, {**PAGE_ROW, "strike": 24550}])
    day = imported([file], tmp_path / "day")
    row = options_of(day).iloc[0]
    assert (row["observed_at"], row["stamped_at"]) == ("10:01:00", "10:00:00")
    assert row["call_open_interest"] == 22434 * 75
    assert row["call_volume"] == 8911 * 75
    assert row["put_open_interest"] == 325.0  # 4.33 contracts of 75: whole lots of the old size, 25
    assert (row["call_bid"], row["call_bid_quantity"], row["call_ask"], row["call_ask_quantity"]) == (
        397,
        300,
        398.05,
        150,
    )
    assert np.isnan(row["put_ask"])
    assert np.isnan(row["put_ask_quantity"])
    assert np.isnan(row["put_last"])
    assert day.manifest.exchange_stamps
    assert day.underlyings.num_rows == 0
    contract = day.instruments.to_pylist()[0]
    assert contract["lot_size"] == 75.0
    assert "divides 100.0% of the bid and ask quantities" in contract["lot_size_source"]
    assert contract["effective_from"] == date(2025, 4, 25)
    assert contract["previous_open_interest"] == (22434 - 779) * 75
    assert contract["previous_close"] == 409.2  # 397.75 + 11.45


def test_the_price_of_a_stamped_source_is_as_old_as_its_stamp(tmp_path: Path) -> None:
    """A trade shown by the page happened before the page was made."""
    rows = [{**PAGE_ROW, "strike": k} for k in (24500, 24550)]
    frame = options_of(imported([one_minute_file(tmp_path / "x", rows)], tmp_path / "day"))
    assert frame["call_price_at"].tolist() == ["10:00:00", "10:00:00"]
    assert frame["call_open_interest_at"].tolist() == ["10:00:00", "10:00:00"]
    assert frame["put_price_at"].isna().all()


def test_lot_that_the_quantities_contradict(tmp_path: Path) -> None:
    """A file in lots of 65 where the table says 75 would turn every count wrong: it is refused."""
    rows = [
        {
            "strike": 24500 + 50 * i,
            "CALLS_LTP": 5,
            "CALLS_Volume": 1,
            "CALLS_OI": 1,
            "CALLS_Bid_Qty": 65 * (i + 1),
            "CALLS_Bid_Price": 5,
        }
        for i in range(10)
    ]
    with pytest.raises(RecordingError, match=r"lot size on 29-Aug-2025 must be 75 by the table .* multiples of 65"):
        importing([one_minute_file(tmp_path / "x", rows)], tmp_path / "day")


def test_lot_that_only_the_quantities_know(tmp_path: Path) -> None:
    rows = [
        {**PAGE_ROW, "CALLS_Bid_Qty": 400 * (i + 1), "CALLS_Ask_Qty": 0, "PUTS_Bid_Qty": 0, "strike": 100 + i}
        for i in range(9)
    ]
    day = imported([one_minute_file(tmp_path / "x", rows, symbol="ACME")], tmp_path / "day")
    assert set(day.instruments["lot_size"].to_pylist()) == {400.0}
    assert day.options["call_open_interest"][0].as_py() == 22434 * 400


def test_lot_that_nobody_knows(tmp_path: Path) -> None:
    rows = [{"strike": 100, "CALLS_LTP": 5.0, "CALLS_OI": 12}]
    with pytest.raises(RecordingError, match="contracts cannot become units; add the lot size there"):
        importing([one_minute_file(tmp_path / "x", rows, symbol="ACME")], tmp_path / "day")


def test_stamp_of_an_earlier_day_is_stale(tmp_path: Path) -> None:
    file = one_minute_file(tmp_path / "x", [{**PAGE_ROW, "stamp": "28-Aug-2025 15:30:00"}])
    with pytest.raises(
        RecordingError, match="but stale: every quote is of an earlier day; the exchange's stamp is 28-Aug"
    ):
        importing([file], tmp_path / "day")


# --- defects: each is refused with its reason, and stops nothing else


def zeros(at: str) -> list[str]:
    return [f"ACME,2026-02-24,{k},0,0,0,0,0,0,0,0,0,0,{at},0" for k in (980, 1000)]


DEFECTS = {
    "all zero before the open": (STOCK_HEADER, zeros("2026-01-30 05:33:36"), "before the open at 09:15: every price"),
    "all zero in the session": (STOCK_HEADER, zeros("2026-01-30 10:00"), "every price, volume and open"),
    "all empty": (STOCK_HEADER, ["ACME,2026-02-24,980,,,,,,,,,,,2026-01-30 10:00,"], "is zero or empty"),
    "yesterday's copy": (STOCK_HEADER, stock_rows("2026-01-30 09:14:59"), "at 09:14, before the open at 09:15"),
    "holiday": (STOCK_HEADER, stock_rows("2026-01-26 10:00"), r"market was closed \(Republic Day\): a stale copy"),
    "Saturday": (STOCK_HEADER, stock_rows("2026-01-31 10:00"), r"market was closed \(Saturday\)"),
    "unknown year": (STOCK_HEADER, stock_rows("2027-01-29 10:00"), "a date that the calendar does not know"),
    "unknown columns": ("Stock,LTP,High,Low,timestamp", ["NIFTY,,,,2026-01-30 10:00"], "belong to no known kind"),
    "columns twice": (STOCK_HEADER + ",Stock", [], "it has a column twice"),
    "unreadable times": (STOCK_HEADER, stock_rows("yesterday"), "3 rows cut off, or without a readable name"),
}  # fmt: skip


@pytest.mark.parametrize("defect", DEFECTS)
def test_defect_alone(defect: str, tmp_path: Path) -> None:
    """One sentence says that nothing could be imported, and why; nothing is written."""
    header, rows, reason = DEFECTS[defect]
    file = write_csv(tmp_path / "raw.csv", header, rows)
    with pytest.raises(RecordingError, match=f"nothing to import, every source was refused: raw.csv: .*{reason}"):
        importing([file], tmp_path / "day")
    assert not (tmp_path / "day").exists()


def test_defects_beside_a_good_file(stock_file: Path, tmp_path: Path) -> None:
    """The good file is imported; every refused one is in the report, on the screen and in the manifest."""
    raw = tmp_path / "raw"
    raw.mkdir()
    for number, (header, rows, _) in enumerate(DEFECTS.values()):
        write_csv(raw / f"{number}.csv", header, rows)
    report, said = importing([stock_file, raw], tmp_path / "day")
    assert sorted(refusal.file for refusal in report.refused) == sorted(f"{n}.csv" for n in range(len(DEFECTS)))
    day = read_day(tmp_path / "day")
    assert day.options.num_rows == 3
    assert day.manifest.refused == report.refused
    assert day.manifest.counts["refused_files_and_parts"] == len(DEFECTS)
    assert report.observations_refused == 8
    for number in range(len(DEFECTS)):
        assert any(line.startswith(f"refused {number}.csv: ") for line in said)
    assert said[-1].startswith("observations: 9 read = 1 imported + 0 repeated + 8 refused")


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("empty", b"", "it is empty"),
        ("blank", b" \n\n", "it is empty"),
        ("json", b'{"records": {"data": []}}', "it is JSON, but no option chain of the exchange"),
        ("binary", bytes(range(256)) * 9, "neither Parquet nor comma-separated text"),
        ("half parquet", b"PAR1" + bytes(200), r"it is damaged or cut off \("),
        ("half gzip", gzip.compress(b"Stock,Expiry\n" * 99, mtime=0)[:40], r"it is damaged or cut off \("),
        ("latin", "Stock,Préz\n1,2\n".encode("latin-1"), "its first line is not UTF-8 text"),
    ],
)
def test_files_that_are_no_tables(name: str, content: bytes, reason: str, stock_file: Path, tmp_path: Path) -> None:
    odd = tmp_path / name
    odd.write_bytes(content)
    report, _ = importing([stock_file, odd], tmp_path / "day")
    assert [refusal.file for refusal in report.refused] == [name]
    assert pd.Series([report.refused[0].reason]).str.contains(reason).all()


def test_a_cut_off_last_line_loses_only_itself(tmp_path: Path) -> None:
    """Fewer cells than the header, or empty ones: the row is refused and counted, the file is good."""
    rows = [*stock_rows("2026-01-30 10:00"), "ACME,2026-02-24,1040,,,,,,,,,,,,", "ACME,2026-02-24,10"]
    report, _ = importing([write_csv(tmp_path / "a.csv", STOCK_HEADER, rows)], tmp_path / "day")
    assert [(r.rows, r.reason) for r in report.refused] == [
        (2, "2 rows cut off, or without a readable name, expiry, strike or time")
    ]
    assert report.days[0].rows == 3


# --- days and places


def test_one_day_in_common_goes_to_the_folder(tmp_path: Path) -> None:
    """Stocks on one day, indices on two: the common day is imported, the other one left out with its reason."""
    stocks = write_csv(tmp_path / "s.csv", STOCK_HEADER, stock_rows("2026-01-30 10:00"))
    index = write_csv(
        tmp_path / "i.csv", INDEX_HEADER, [*index_rows("2026-01-30 10:00"), *index_rows("2026-01-29 10:00")]
    )
    report, _ = importing([stocks, index], tmp_path / "day")
    assert [day.date for day in report.days] == [date(2026, 1, 30)]
    assert [(part.file, part.observations) for part in report.left_out] == [("i.csv", 1)]
    assert "29-Jan-2026 is in no five-minute stock file" in report.left_out[0].reason
    assert read_day(tmp_path / "day").manifest.date == date(2026, 1, 30)


def test_several_days_go_to_a_folder_each(tmp_path: Path) -> None:
    """A Sunday with a session among them."""
    rows = [row for day in ("2026-01-30", "2026-02-01") for row in stock_rows(f"{day} 10:00")]
    report, _ = importing([write_csv(tmp_path / "s.csv", STOCK_HEADER, rows)], tmp_path / "days")
    assert [day.folder.name for day in report.days] == ["2026-01-30", "2026-02-01"]
    assert [read_day(day.folder).manifest.date for day in report.days] == [day.date for day in report.days]


def test_no_day_in_common(tmp_path: Path) -> None:
    stocks = write_csv(tmp_path / "s.csv", STOCK_HEADER, stock_rows("2026-01-30 10:00"))
    index = write_csv(tmp_path / "i.csv", INDEX_HEADER, index_rows("2026-01-29 10:00"))
    with pytest.raises(
        RecordingError, match=r"no day in common \(five-minute index files: 29-Jan-2026; five-minute stock"
    ):
        importing([stocks, index], tmp_path / "day")


def test_files_of_two_kinds_need_no_common_day(stock_file: Path, tmp_path: Path) -> None:
    page = one_minute_file(tmp_path / "x", [PAGE_ROW])
    report, _ = importing([stock_file, page], tmp_path / "days")
    assert [day.date for day in report.days] == [date(2025, 8, 29), date(2026, 1, 30)]


def test_a_place_in_use_is_left_alone(stock_file: Path, tmp_path: Path) -> None:
    place = tmp_path / "papers"
    place.mkdir()
    (place / "letter.txt").write_text("dear", encoding="utf-8")
    with pytest.raises(RecordingError, match="are not a recorded day and is left alone"):
        importing([stock_file], place)
    assert [path.name for path in place.iterdir()] == ["letter.txt"]


def test_several_days_do_not_go_into_a_recorded_day(stock_file: Path, tmp_path: Path) -> None:
    imported([stock_file], tmp_path / "day")
    rows = [row for day in ("2026-01-30", "2026-02-01") for row in stock_rows(f"{day} 10:00")]
    with pytest.raises(RecordingError, match="hold 2 days, which need a folder each"):
        importing([write_csv(tmp_path / "s.csv", STOCK_HEADER, rows)], tmp_path / "day")


def test_a_recorded_day_is_no_raw_source(stock_file: Path, tmp_path: Path) -> None:
    imported([stock_file], tmp_path / "day")
    with pytest.raises(RecordingError, match="is a recorded day already; replay it with --replay"):
        importing([tmp_path / "day"], tmp_path / "other")


def test_a_source_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(RecordingError, match=r"nowhere\.csv: there is no such file or folder"):
        importing([tmp_path / "nowhere.csv"], tmp_path / "day")


def test_a_folder_without_files(tmp_path: Path) -> None:
    (tmp_path / "void").mkdir()
    with pytest.raises(RecordingError, match="the sources hold no files"):
        importing([tmp_path / "void"], tmp_path / "day")


# --- the real files


@pytest.fixture(scope="module")
def january(data_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> RecordedDay:
    """30 January 2026: 206 stocks and three indices."""
    raw = data_folder / "chain_intraday" / "allfno_5min_2026"
    place = tmp_path_factory.mktemp("january") / "day"
    return imported([raw / "stocks_2026-01-30.parquet", raw / "index_2026-01-22_to_02-05.parquet"], place)


@pytest.mark.data
def test_every_raw_file_is_imported_or_refused_with_the_reason(data_folder: Path, tmp_path: Path) -> None:
    """Both kinds of raw files, good and bad, in one go. Rows counted with `zcat | wc -l`."""
    raw = data_folder / "chain_intraday"
    folders = [raw / "allfno_5min_2026" / "raw_samples", raw / "allfno_5min_2026" / "raw_bad"]
    report, _ = importing([*folders, raw / "nifty_banknifty_1min_2025-08-29" / "raw_samples"], tmp_path / "days")
    assert [(day.date, day.rows) for day in report.days] == [
        (date(2025, 8, 29), 428 + 764),
        (date(2026, 2, 3), 2 * 8873 + 8972 + 349),
    ]
    reasons = {refusal.file: refusal.reason for refusal in report.refused if "cut off" not in refusal.reason}
    expected = {
        "all_zero_before_open_2026-01-30_05-33.csv.gz": "at 05:33, before the open at 09:15: every price",
        "wrong_columns_and_zero_2026-01-22_05-22.csv.gz": "at 05:22, before the open at 09:15: every price",
        "index_dd-mm-yyyy_dates_2026-01-22_04-22.csv.gz": "22-Jan-2026 at 04:22, before the open at 09:15: it shows",
        "stale_on_holiday_2026-01-15_03-41.csv.gz": "when the market was closed",
        "truncated_3_rows_2026-01-09_03-45-45.csv": "belong to no known kind",
        "STALE_holiday_NIFTY_20250827_094517.parquet": "the exchange's stamp is 26-Aug-2025 15:30",
        "STALE_holiday_NIFTY_20250827_095148.parquet": "the exchange's stamp is 26-Aug-2025 15:30",
    }
    assert set(reasons) == set(expected)
    assert {name: reasons[name] for name, part in expected.items() if part not in reasons[name]} == {}
    assert [part.file for part in report.left_out] == ["option_chain_2025-12-30_10-04_older_columns.csv.gz"]
    assert sum(refusal.rows for refusal in report.refused) == 7835 + 1193 + 339 + 7985 + 2 * 767


@pytest.mark.data
def test_the_older_columns_are_imported(data_folder: Path, tmp_path: Path) -> None:
    raw = data_folder / "chain_intraday" / "allfno_5min_2026" / "raw_samples"
    day = imported([raw / "option_chain_2025-12-30_10-04_older_columns.csv.gz"], tmp_path / "day")
    assert (day.manifest.date, day.options.num_rows) == (date(2025, 12, 30), 6873)


@pytest.mark.data
def test_january(january: RecordedDay) -> None:
    """104 stock instants (the README's 98 and six after 15:40) and 78 of the indices; counts of the data's README."""
    assert january.options.num_rows == 848_003 + 26_676
    assert len(january.options["observed_at"].unique()) == 104 + 78
    assert january.manifest.counts["observations"] == 206 * 104 + 3 * 78
    frame = january.instruments.to_pandas()
    assert frame["underlying"].nunique() == 209
    lots = frame.groupby("underlying", observed=True)["lot_size"].first()
    known = {"RELIANCE": 500, "HDFCBANK": 550, "INFY": 400, "SBIN": 750, "TCS": 175} | {
        "NIFTY": 65,
        "BANKNIFTY": 30,
        "MIDCPNIFTY": 120,
    }
    assert {name: lots[name] for name in known} == known
    ticks = frame.groupby("underlying", observed=True)["tick_size"].first()
    assert {name: ticks[name] for name in ("NIFTY", "RELIANCE", "IDEA", "ONGC")} == {
        "NIFTY": 0.05,
        "RELIANCE": 0.05,
        "IDEA": 0.01,
        "ONGC": 0.01,
    }


@pytest.mark.data
def test_previous_closes_are_those_of_the_exchange(january: RecordedDay, data_folder: Path) -> None:
    """All 206 stocks, to the paisa, against the cash-market daily file of 30 January."""
    daily = pd.read_csv(data_folder / "bhavcopy_cm" / "cm_30012026.csv.gz")
    published = daily[daily["SERIES"] == "EQ"].set_index("SYMBOL")["PREVCLOSE"]
    seen = january.underlyings.to_pandas().groupby("underlying", observed=True)["previous_close"].first()
    stocks = [name for name in seen.index if name not in ("NIFTY", "BANKNIFTY", "MIDCPNIFTY")]
    assert len(stocks) == 206
    assert {name: (seen[name], published[name]) for name in stocks if seen[name] != published[name]} == {}


@pytest.mark.data
def test_golden_facts_of_the_recordings(january: RecordedDay, data_folder: Path, tmp_path: Path) -> None:
    """Totals, ratios and counts of strikes that were computed independently from the raw files."""
    raw = data_folder / "chain_intraday"
    five, one = raw / "allfno_5min_2026", raw / "nifty_banknifty_1min_2025-08-29"
    importing([five / "index_2026-01-22_to_02-05.parquet"], tmp_path / "indices")
    facts = json.loads((data_folder / "golden_facts.json").read_text(encoding="utf-8"))
    days = {
        "allfno_5min_2026/stocks_2026-01-30.parquet": [january],
        "allfno_5min_2026/stocks_2026-02-03.parquet": [
            imported([five / "stocks_2026-02-03.parquet"], tmp_path / "february")
        ],
        "allfno_5min_2026/index": [january, *map(read_day, sorted((tmp_path / "indices").glob("2026-02-*")))],
        "nifty_banknifty_1min_2025-08-29/NIFTY": [
            imported([one / "NIFTY_2025-08-29.parquet", one / "BANKNIFTY_2025-08-29.parquet"], tmp_path / "august")
        ],
    }
    checked = dict.fromkeys(days, 0)
    for name, recorded in days.items():
        for day in recorded:
            of_day = [fact for fact in facts[name] if fact["ts"].startswith(day.manifest.date.isoformat())]
            frame = day.options.to_pandas() if of_day else pd.DataFrame()
            for fact in of_day:
                check_fact(frame, fact)
            checked[name] += len(of_day)
    assert checked == {name: len(facts[name]) for name in days}


def check_fact(frame: pd.DataFrame, fact: dict[str, object]) -> None:
    chain = frame[
        (frame["underlying"] == fact["symbol"]) & (frame["expiry"] == date.fromisoformat(str(fact["expiry"])))
    ]
    at = (
        chain["stamped_at" if "stamped_at" in chain else "observed_at"]
        .dt.tz_convert("Asia/Kolkata")
        .dt.tz_localize(None)
    )
    mine = chain[at == pd.Timestamp(str(fact["ts"]))]
    # a repeated stamp shows the same chain once more
    seen = mine[mine["observed_at"] == mine["observed_at"].min()]
    unit = {"shares": 1.0, "contracts": 75.0}[str(fact["oi_unit"])]
    calls, puts = seen["call_open_interest"], seen["put_open_interest"]
    assert len(seen) == fact["strikes"]
    assert (calls.sum(), puts.sum()) == pytest.approx(
        (fact["total_ce_oi"] * unit, fact["total_pe_oi"] * unit), abs=1e-6
    )  # type: ignore[operator]
    assert round(puts.sum() / calls.sum(), 4) == fact["pcr_oi"]
    assert round(seen["put_volume"].sum() / seen["call_volume"].sum(), 4) == fact["pcr_volume"]
    assert seen.loc[calls.idxmax(), "strike"] == fact["max_ce_oi_strike"]
    assert seen.loc[puts.idxmax(), "strike"] == fact["max_pe_oi_strike"]
    first = fact.get("first_snapshot")
    if first is not None:
        base = chain[at == pd.Timestamp(str(first))]
        assert calls.sum() - base["call_open_interest"].sum() == fact["ce_oi_change_since_first"]
        assert puts.sum() - base["put_open_interest"].sum() == fact["pe_oi_change_since_first"]


@pytest.mark.data
def test_yesterdays_open_interest_from_the_companion(data_folder: Path, tmp_path: Path) -> None:
    """19 January, a Monday, has Friday's closing figures in the companion file."""
    raw = data_folder / "chain_intraday" / "allfno_5min_2026"
    companion = raw / "eod_last_snapshot_2025-12-24_to_2026-02-05.parquet"
    day = imported([raw / "stocks_2026-01-19.parquet", companion], tmp_path / "day")
    closing = pd.read_parquet(companion)
    friday = closing[(closing["date"] == date(2026, 1, 16)) & (closing["symbol"] == "RELIANCE")].set_index("strike")
    mine = day.instruments.to_pandas()
    mine = mine[(mine["underlying"] == "RELIANCE") & (mine["option_type"] == "CE")].set_index("strike")
    common = mine.index.intersection(friday.index)
    assert len(common) == len(friday)
    assert mine.loc[common, "previous_open_interest"].tolist() == friday.loc[common, "ce_oi"].tolist()


@pytest.mark.data
def test_lots_of_the_one_minute_files(data_folder: Path, tmp_path: Path) -> None:
    """75 and 35 for all expiries on 29 August 2025; counts are whole units although contracts are fractional."""
    raw = data_folder / "chain_intraday" / "nifty_banknifty_1min_2025-08-29"
    day = imported([raw / "NIFTY_2025-08-29.parquet", raw / "BANKNIFTY_2025-08-29.parquet"], tmp_path / "day")
    assert {(row["underlying"], row["lot_size"]) for row in day.instruments.to_pylist()} == {
        ("NIFTY", 75.0),
        ("BANKNIFTY", 35.0),
    }
    assert len({row["expiry"] for row in day.instruments.to_pylist()}) == 18
    interest = np.concatenate([day.options[f"{side}_open_interest"].to_numpy() for side in ("call", "put")])
    assert np.array_equal(interest, np.rint(interest))
    assert (interest % 75 != 0).any()
    assert ist("09:24:16", date(2025, 8, 29)) == day.options["observed_at"][0].as_py().timestamp()
