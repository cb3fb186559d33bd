"""The exchange's JSON, its page's exports, minute chains with greeks and the page of 2019 become recorded days."""

import gzip
import io
import json
import tarfile
from collections.abc import Mapping
from datetime import date, time
from pathlib import Path, PurePath
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from optionscanner.adapters.recorded import nse_page, path_facts
from optionscanner.adapters.recorded.converters import ImportReport, import_day
from optionscanner.adapters.recorded.format import RecordedDay, read_day
from optionscanner.adapters.recorded.lots import load_lot_table
from optionscanner.errors import RecordingError
from optionscanner.model.calendar import load_calendar

CALENDAR = load_calendar()


def importing(sources: list[Path], to: Path) -> ImportReport:
    """The report, its sum checked."""
    report = import_day(sources, to, lambda line: None)
    parts = (report.observations_imported, report.observations_repeated, report.observations_refused)
    assert report.observations_read == sum(parts) + report.observations_left_out
    return report


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


# --- the exchange's JSON


def leg(**changes: Any) -> dict[str, Any]:
    """A leg as the site serves it, in lots of 75."""
    return {
        "strikePrice": 26000, "underlying": "NIFTY", "openInterest": 4.333333333333333, "changeinOpenInterest": 1,
        "totalTradedVolume": 2, "impliedVolatility": 9.5, "lastPrice": 120.5, "change": -4.25,
        "bidQty": 750, "bidprice": 120.4, "askQty": 75, "askPrice": 120.6, "underlyingValue": 0,
    } | changes  # fmt: skip


def answer(rows: list[dict[str, Any]] | None = None, **changes: Any) -> dict[str, Any]:
    """A whole answer of Tuesday 2 December 2025."""
    usual = [
        {"strikePrice": k, "expiryDate": "02-Dec-2025", "CE": leg(), "PE": leg(openInterest=10, lastPrice=0, change=0)}
        for k in (26000, 26050)
    ]
    records = {
        "timestamp": "02-Dec-2025 12:15:21",
        "underlyingValue": 26055.85,
        "data": usual if rows is None else rows,
        "index": {"open": 26087.95, "high": 26154.6, "low": 26066.15, "previousClose": 26175.75, "last": 26054.5},
    }
    return {"records": records | changes, "filtered": {"data": []}}


def json_file(place: Path, content: Any) -> Path:
    place.write_bytes(gzip.compress(json.dumps(content).encode()))
    return place


def test_json(tmp_path: Path) -> None:
    """Contracts become units with the lot of 75, fractions first; the stamp is all there is of time."""
    day = imported([json_file(tmp_path / "x", answer())], tmp_path / "day")
    row = options_of(day).iloc[0]
    assert (row["underlying"], row["expiry"], row["strike"]) == ("NIFTY", date(2025, 12, 2), 26000.0)
    assert (row["observed_at"], row["stamped_at"]) == ("12:15:21", "12:15:21")
    assert (row["call_open_interest"], row["call_volume"], row["put_open_interest"]) == (325.0, 150.0, 750.0)
    assert (row["call_bid"], row["call_bid_quantity"], row["call_ask"], row["call_ask_quantity"]) == (
        120.4,
        750.0,
        120.6,
        75.0,
    )
    assert row["call_last"] == 120.5
    assert np.isnan(row["put_last"])
    assert day.manifest.exchange_stamps
    (spot,) = day.underlyings.to_pylist()
    assert (spot["spot"], spot["open"], spot["high"], spot["low"], spot["previous_close"]) == (
        26055.85,
        26087.95,
        26154.6,
        26066.15,
        26175.75,
    )
    call = day.instruments.to_pylist()[0]
    assert (call["option_type"], call["previous_open_interest"], call["previous_close"]) == ("CE", 250.0, 124.75)


def test_json_of_two_lot_sizes(tmp_path: Path) -> None:
    """On 2 December 2025 NIFTY of January counts in lots of 65, December and March in lots of 75 (NSE/FAOP/70616)."""
    sizes = {"30-Dec-2025": 75, "27-Jan-2026": 65, "31-Mar-2026": 75}
    rows = [
        {"strikePrice": k, "expiryDate": expiry, "CE": leg(openInterest=3, bidQty=4 * lot, askQty=lot)}
        for expiry, lot in sizes.items()
        for k in (26000, 26100)
    ]
    frame = options_of(imported([json_file(tmp_path / "x", answer(rows))], tmp_path / "day"))
    seen = frame.groupby("expiry")["call_open_interest"].unique()
    assert {f"{expiry:%d-%b-%Y}": list(units) for expiry, units in seen.items()} == {
        expiry: [3.0 * lot] for expiry, lot in sizes.items()
    }
    assert frame["put_open_interest"].isna().all()
    assert frame["put_open_interest_at"].isna().all()


def test_json_in_the_wrong_lots_is_refused(tmp_path: Path) -> None:
    rows = [
        {"strikePrice": 26000 + 50 * i, "expiryDate": "02-Dec-2025", "CE": leg(bidQty=65 * (i + 1), askQty=0)}
        for i in range(10)
    ]
    with pytest.raises(RecordingError, match=r"lot size on 02-Dec-2025 must be 75 by the table .* multiples of 65"):
        importing([json_file(tmp_path / "x", answer(rows))], tmp_path / "day")


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ({}, "it is JSON, but no option chain of the exchange"),
        ([1, 2], "it is JSON, but no option chain of the exchange"),
        (answer([]), "it is JSON, but no option chain of the exchange"),
        (answer(timestamp=None), "records.timestamp the time, they give NIFTY and None"),
        (answer([{"strikePrice": 1, "expiryDate": "02-Dec-2025"}]), "they give no underlying"),
        (
            answer([{"strikePrice": 1, "CE": leg(), "PE": leg(underlying="ACME")}]),
            "must name one underlying .* they give ACME, NIFTY",
        ),
        (answer(timestamp="06-Dec-2025 12:00:00"), r"market was closed \(Saturday\)"),
        (answer(timestamp="02/12/2025 12:00"), "2 rows cut off, or without a readable name, expiry, strike or time"),
    ],
)
def test_json_that_is_no_chain(content: Any, reason: str, tmp_path: Path) -> None:
    with pytest.raises(RecordingError, match=reason):
        importing([json_file(tmp_path / "x", content)], tmp_path / "day")


def test_json_cut_off(tmp_path: Path) -> None:
    place = tmp_path / "x.json"
    place.write_text(json.dumps(answer())[:200], encoding="utf-8")
    with pytest.raises(RecordingError, match=r"x.json: it is damaged or cut off \("):
        importing([place], tmp_path / "day")


def test_json_with_a_row_without_expiry_loses_only_that(tmp_path: Path) -> None:
    rows = [*answer()["records"]["data"], {"strikePrice": 26100, "expiryDate": None, "CE": leg()}, "odd"]
    report = importing([json_file(tmp_path / "x", answer(rows))], tmp_path / "day")
    assert [(r.rows, r.observations) for r in report.refused] == [(1, 1)]
    assert report.days[0].rows == 2


@pytest.mark.parametrize("odd", [None, "-", True, [7], {"a": 7}, 10**400, "1e999"])
def test_a_figure_of_the_json_that_is_no_number_is_absent(odd: Any, tmp_path: Path) -> None:
    """One cell is lost, nothing else; a number written as text is one."""
    rows = answer()["records"]["data"]
    rows[0]["CE"] |= {"lastPrice": odd, "openInterest": "10"}
    frame = options_of(imported([json_file(tmp_path / "x", answer(rows))], tmp_path / "day"))
    assert np.isnan(frame["call_last"][0])
    assert frame["call_last"][1] == 120.5
    assert frame["call_open_interest"].tolist() == [750.0, 325.0]


def json_table(place: Path) -> Path:
    """A table of answers: stamp and capture apart, the underlying's value, no name."""
    names = ("oi", "chg_oi", "volume", "iv", "ltp", "bid_qty", "bid", "ask_qty", "ask")
    legs = {f"{side}_{name}": [10.0, 20.0] for side in ("ce", "pe") for name in names}
    legs |= {f"{side}_{end}_qty": [75.0, 150.0] for side in ("ce", "pe") for end in ("bid", "ask")}
    frame = pd.DataFrame(
        {
            "ts": pd.Timestamp("2025-12-02 12:15:21"),
            "captured_at": pd.Timestamp("2025-12-02 12:16:33"),
            "underlying": 26055.85,
            "expiry": date(2025, 12, 9),
            "strike": [26000, 26050],
            **legs,
        }
    )
    pq.write_table(pa.Table.from_pandas(frame, preserve_index=False), place)
    return place


def test_table_of_answers(tmp_path: Path) -> None:
    """Its name says of what it is; capture and stamp stay apart."""
    day = imported([json_table(tmp_path / "NIFTY_2025-12-02.parquet")], tmp_path / "day")
    frame = options_of(day)
    assert frame["underlying"].astype(str).tolist() == ["NIFTY", "NIFTY"]
    assert (frame["observed_at"][0], frame["stamped_at"][0]) == ("12:16:33", "12:15:21")
    assert frame["call_open_interest"].tolist() == [750.0, 1500.0]
    assert day.underlyings["spot"].to_pylist() == [26055.85]
    assert day.instruments["previous_close"].null_count == 4


def test_table_of_answers_of_an_unknown_underlying(tmp_path: Path) -> None:
    with pytest.raises(RecordingError, match=r"its name does not begin with it; call it NIFTY_chains\.parquet"):
        importing([json_table(tmp_path / "chains.parquet")], tmp_path / "day")


# --- exports of the exchange's page

CALLS = "OI,CHNG IN OI,VOLUME,IV,LTP,CHNG,BID QTY,BID,ASK,ASK QTY"
PUTS = "BID QTY,BID,ASK,ASK QTY,CHNG,LTP,IV,VOLUME,CHNG IN OI,OI"
PAGE = f"""CALLS,,PUTS
,{CALLS},STRIKE,{PUTS},
,"1,23,456",-6,"7,08,901",9.1,"1,043.50",-4.15,130,"1,043.00","1,044.00",65,"24,000.00",65,0.15,0.20,130,-,-,-,-,-,8,
,10,-,-,-,-,-,130,900.00,901.00,65,"24,050.00",65,0.20,0.25,"10,25,180",-0.30,0.15,9.3,100,5,7,
"""


def page_file(place: Path) -> Path:
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_text(PAGE, encoding="utf-8")
    return place


def test_page_export(tmp_path: Path) -> None:
    """Indian digit groups, dashes for nothing, contracts of 65; all else from name and folder."""
    day = imported([page_file(tmp_path / "page_2026-05-26" / "nifty_option_chain_103337.csv")], tmp_path / "day")
    first, second = (options_of(day).iloc[i] for i in (0, 1))
    assert (first["underlying"], first["expiry"], first["observed_at"]) == ("NIFTY", date(2026, 5, 26), "10:33:37")
    assert (first["call_open_interest"], first["call_volume"]) == (123456 * 65, 708901 * 65)
    assert (first["call_last"], first["call_bid"], first["call_bid_quantity"]) == (1043.5, 1043.0, 130.0)
    assert np.isnan(first["put_last"])
    assert np.isnan(first["put_volume"])
    assert first["put_open_interest"] == 8 * 65
    assert second["put_ask_quantity"] == 1025180.0
    assert day.underlyings.num_rows == 0
    known = {
        (row["strike"], row["option_type"]): (row["previous_open_interest"], row["previous_close"])
        for row in day.instruments.to_pylist()
    }
    assert known == {
        (24000.0, "CE"): (123462 * 65, 1047.65),
        (24000.0, "PE"): (8 * 65, None),  # nothing traded, so nothing changed
        (24050.0, "CE"): (10 * 65, None),
        (24050.0, "PE"): (2 * 65, 0.45),
    }


@pytest.mark.parametrize(
    ("path", "symbol", "at", "expiry"),
    [
        ("a_2026-05-26/nifty_option_chain_103337.csv", "NIFTY", "2026-05-26 10:33:37", "26-May-2026"),
        ("2026-05-26/x.tar.gz/nifty_option_chain_1033.csv", "NIFTY", "2026-05-26 10:33:00", "26-May-2026"),
        ("2026-05-26/banknifty_option_chain_103337.csv", "BANKNIFTY", "2026-05-26 10:33:37", "26-May-2026"),
        ("2026-05-21/expiry_2026-05-26/nifty_option_chain_1033.csv", "NIFTY", "2026-05-21 10:33:00", "26-May-2026"),
        ("2026-05-21/option-chain-ED-NIFTY-26-May-2026_1033.csv", "NIFTY", "2026-05-21 10:33:00", "26-May-2026"),
        ("x/nifty_option_chain_2026-05-21_expiry-26-May-2026_0930.csv", "NIFTY", "2026-05-21 09:30:00", "26-May-2026"),
    ],
)
def test_facts_of_a_pages_path(path: str, symbol: str, at: str, expiry: str) -> None:
    """The nearest part speaks; an expiry is marked as one, or is the day itself where contracts expire on it."""
    found = nse_page.facts_of(PurePath("/data") / path, CALENDAR)
    assert (found.symbol, f"{found.at:%Y-%m-%d %H:%M:%S}", f"{found.expiry:%d-%b-%Y}") == (symbol, at, expiry)


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        ("page/nifty_option_chain_103337.csv", "its path names no date; put it into a folder of its date"),
        ("2026-05-26/chain_103337.csv", "names no symbol"),
        ("2026-05-26/nifty_option_chain.csv", "names no time of day"),
        ("2026-05-26/nifty_option_chain_253337.csv", "names no time of day"),
        ("2026-13-45/export.csv", "names no symbol and no date and no time of day"),
        ("2026-05-21/nifty_option_chain_103337.csv", "contracts of NIFTY do not expire on 21-May-2026 itself"),
        ("2026-05-19/banknifty_option_chain_103337.csv", "contracts of BANKNIFTY do not expire on 19-May-2026"),
        ("2028-05-26/nifty_option_chain_103337.csv", "26-May-2028, which the calendar does not know"),
    ],
)
def test_a_path_that_does_not_say_it(path: str, reason: str) -> None:
    """Refused with what is lacking; 19 May 2026, a Tuesday, ends a week of NIFTY and no month."""
    with pytest.raises(RecordingError, match=reason):
        nse_page.facts_of(PurePath("/data") / path, CALENDAR)


def test_an_export_without_its_folder_is_refused(tmp_path: Path) -> None:
    place = page_file(tmp_path / "a" / "b" / "c" / "d" / "nifty_option_chain_103337.csv")
    with pytest.raises(RecordingError, match=r"nifty_option_chain_103337\.csv: it does not say what it is"):
        importing([place], tmp_path / "day")


# --- minute chains with the recorder's greeks


def greeks_file(place: Path, legs: list[Mapping[str, Any]]) -> Path:
    rows = [
        {"timestamp": "202608191127", "symbol": "NIFTY50", "expiry": "25-Aug-2026", "strike": 24000.0,
         "option_type": "CE", "spot": 24045.849609375, "ltp": 101.5, "open": None, "volume": 278.0, "oi": 254.0,
         "oi_chg": 82.0, "iv": 9.7, "delta": 0.5} | dict(changes)
        for changes in legs
    ]  # fmt: skip
    pq.write_table(pa.Table.from_pylist(rows), place)
    return place


def test_minute_greeks(tmp_path: Path) -> None:
    """Two legs of a strike are one row; NIFTY50 is NIFTY; the spot is whole paise; contracts of 65."""
    legs = [{}, {"option_type": "PE", "ltp": 55.0, "oi": 2.0, "oi_chg": -1.0}, {"strike": 24050.0}]
    later = [{**one, "timestamp": "202608191128", "oi": 255.0} for one in legs]
    day = imported([greeks_file(tmp_path / "x", [*legs, *later])], tmp_path / "day")
    frame = options_of(day)
    assert frame["underlying"].astype(str).unique().tolist() == ["NIFTY"]
    assert frame[["observed_at", "strike"]].apply(tuple, axis=1).tolist() == [
        ("11:27:00", 24000.0), ("11:27:00", 24050.0), ("11:28:00", 24000.0), ("11:28:00", 24050.0),
    ]  # fmt: skip
    assert frame["call_open_interest"].tolist() == [254 * 65, 254 * 65, 255 * 65, 255 * 65]
    assert (frame["put_last"][0], frame["put_volume"][0], frame["put_open_interest"][0]) == (55.0, 278 * 65, 130.0)
    assert np.isnan(frame["put_last"][1])
    assert np.isnan(frame["put_open_interest"][1])
    assert "call_bid" not in frame.columns
    assert day.underlyings["spot"].to_pylist() == [24045.85, 24045.85]
    previous = {(r["strike"], r["option_type"]): r["previous_open_interest"] for r in day.instruments.to_pylist()}
    assert previous[24000.0, "CE"] == 172 * 65
    assert previous[24050.0, "PE"] is None


def test_a_leg_that_is_neither_call_nor_put_is_refused(tmp_path: Path) -> None:
    report = importing([greeks_file(tmp_path / "x", [{}, {"option_type": "XX"}])], tmp_path / "day")
    assert [r.rows for r in report.refused] == [1]
    assert report.days[0].rows == 1


def test_minute_greeks_without_a_known_lot(tmp_path: Path) -> None:
    with pytest.raises(RecordingError, match=r"ACME 25-Aug-2026: no lot size .* add the lot size there"):
        importing([greeks_file(tmp_path / "x", [{"symbol": "ACME"}])], tmp_path / "day")


# --- the page of 2019

HEADER_2019 = (
    ",CallOI,CallChnginOI,CallVolume,CallIV,CallLTP,CallNetChng,CallBidQty,CallBidPrice,CallAskPrice,CallAskQty,"
    "StrikePrice,PutBidQty,PutBidPrice,PutAskPrice,PutAskQty,PutNetChng,PutLTP,PutIV,PutVolume,PutChnginOI,PutOI"
)
ROWS_2019 = (
    "0,1500,75,10,89.1,101.35,-0.15,150,101.30,101.40,75,11000.00,75,90.85,91.25,75,-11.05,91.20,17.5,32,-,186825,11091.55",
    "1,825,-,-,-,-,-,150,50.15,51.80,150,11100.00,225,140.40,141.55,75,-,-,-,-,-,300,11091.55",
)


def old_csv(rows: tuple[str, ...] = ROWS_2019) -> str:
    return "\n".join([HEADER_2019 + (",CurrentVal" if rows else ""), *rows]) + "\n"


def archive(place: Path, files: Mapping[str, str], mode: str = "w:gz") -> Path:
    with tarfile.open(place, mode) as tar:  # type: ignore[call-overload]
        for name, text in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(text)
            tar.addfile(entry, io.BytesIO(text.encode()))
    return place


@pytest.mark.parametrize("mode", ["w:gz", "w"])
def test_archive_of_2019(mode: str, tmp_path: Path) -> None:
    """Members are files of their own: one is a chain, one has no expiry, one no rows. Units and contracts of 75."""
    place = archive(
        tmp_path / "whatever",
        {
            "index/NIFTY/5SEP2019/NIFTY_27-08-2019_1000.csv": old_csv(),
            "NIFTY/NIFTY_27-08-2019_1000.csv": old_csv(),
            "index/NIFTY/12SEP2019/NIFTY_27-08-2019_1000.csv": old_csv(()),
        },
        mode,
    )
    report = importing([place], tmp_path / "day")
    assert [(r.file, r.rows, r.observations) for r in report.refused] == [
        ("whatever/NIFTY/NIFTY_27-08-2019_1000.csv", 2, 1),
        ("whatever/index/NIFTY/12SEP2019/NIFTY_27-08-2019_1000.csv", 0, 0),
    ]
    assert "does not name its expiry" in report.refused[0].reason
    assert "no rows" in report.refused[1].reason
    day = read_day(tmp_path / "day")
    row = options_of(day).iloc[0]
    assert (row["underlying"], row["expiry"], row["observed_at"]) == ("NIFTY", date(2019, 9, 5), "10:00:00")
    assert (row["call_open_interest"], row["call_volume"], row["put_volume"]) == (1500.0, 750.0, 2400.0)
    assert (row["call_last"], row["put_ask"], row["put_ask_quantity"]) == (101.35, 91.25, 75.0)
    assert day.underlyings["spot"].to_pylist() == [11091.55]
    assert set(day.instruments["lot_size"].to_pylist()) == {75.0}
    previous = {(r["strike"], r["option_type"]): r["previous_open_interest"] for r in day.instruments.to_pylist()}
    assert (previous[11000.0, "CE"], previous[11000.0, "PE"]) == (1425.0, None)
    assert (previous[11100.0, "CE"], previous[11100.0, "PE"]) == (825.0, 300.0)


def test_the_previous_close_on_the_morning_page_is_refused(tmp_path: Path) -> None:
    """Until the first trades the page shows yesterday's open interest and spot; a first trade at 09:15 counts."""
    quiet = "0,1500,-,-,-,-,-,-,-,-,-,11000.00,-,-,-,-,-,-,-,-,-,186825,11057.85"
    traded = ROWS_2019[0]
    rows = {
        "29AUG2019": {"0900": quiet, "0914": traded, "0915": quiet, "0916": quiet},
        "5SEP2019": {"0900": quiet, "0915": traded},
    }
    for folder, files in rows.items():
        (tmp_path / "raw" / folder).mkdir(parents=True)
        for clock, row in files.items():
            place = tmp_path / "raw" / folder / f"NIFTY_27-08-2019_{clock}.csv"
            place.write_text(old_csv((row,)), encoding="utf-8")
    report = importing([tmp_path / "raw"], tmp_path / "day")
    reasons = [(refusal.file[-8:-4], refusal.reason.split(",")[0]) for refusal in report.refused]
    assert [clock for clock, _ in reasons] == ["0900", "0914", "0915", "0900"]
    assert "recorded on 27-Aug-2019 at 09:14" in reasons[1][1]
    assert all(reason == "1 row taken at the open or before it" for clock, reason in reasons if clock != "0914")
    frame = options_of(read_day(tmp_path / "day"))
    assert [(f"{e:%d%b}", at) for e, at in zip(frame["expiry"], frame["observed_at"], strict=True)] == [
        ("05Sep", "09:15:00"),
        ("29Aug", "09:16:00"),
    ]


@pytest.mark.parametrize("name", ["NIFTY_1000.csv", "nifty_27-08-2019_1000.csv", "NIFTY_27-08-2019.csv"])
def test_a_name_of_2019_that_does_not_say_it(name: str, tmp_path: Path) -> None:
    (tmp_path / name).write_text(old_csv(), encoding="utf-8")
    with pytest.raises(RecordingError, match=r"its name has no (date|symbol|time of day); call it by"):
        importing([tmp_path / name], tmp_path / "day")


def test_table_of_2019(tmp_path: Path) -> None:
    """Rows of the default view have no expiry; they are counted, the others imported."""
    names = ("oi", "chg_oi", "volume", "iv", "ltp", "change", "bid_qty", "bid", "ask", "ask_qty")
    legs = {f"{side}_{name}": [20.0] * 3 for side in ("ce", "pe") for name in names}
    frame = pd.DataFrame(
        {
            "ts": pd.Timestamp("2019-08-28 11:30:00"),
            "symbol": "BANKNIFTY",
            "expiry": [date(2019, 8, 29), date(2019, 8, 29), None],
            "tree": ["index_tree", "index_tree", "symbol_tree"],
            "strike": [28000.0, 28100.0, 28000.0],
            "spot": 28030.75,
            **legs,
        }
    )
    pq.write_table(pa.Table.from_pandas(frame, preserve_index=False), tmp_path / "x")
    report = importing([tmp_path / "x"], tmp_path / "day")
    assert [(r.rows, r.observations) for r in report.refused] == [(1, 1)]
    day = read_day(tmp_path / "day")
    assert day.options["call_open_interest"].to_pylist() == [20.0, 20.0]
    assert day.options["call_volume"].to_pylist() == [400.0, 400.0]
    assert day.manifest.refused == report.refused


@pytest.mark.parametrize(("underlying", "size"), [("NIFTY", 75), ("BANKNIFTY", 20), ("NIFTYIT", 50)])
def test_lots_of_2019(underlying: str, size: float) -> None:
    """Known for the recorded days and no others."""
    table = load_lot_table()
    for on in (date(2019, 8, 26), date(2019, 8, 29)):
        lot = table.lookup(underlying, date(2019, 9, 26), on=on)
        assert lot is not None
        assert lot.size == size
    for on in (date(2019, 8, 23), date(2019, 8, 30)):
        assert table.lookup(underlying, date(2019, 9, 26), on=on) is None


# --- paths and archives


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("chain_2026-05-26", [date(2026, 5, 26)]),
        ("5SEP2019", [date(2019, 9, 5)]),
        ("NIFTY_27-08-2019_1000.csv", [date(2019, 8, 27)]),
        ("26-May-2026 and 02Jun2026", [date(2026, 5, 26), date(2026, 6, 2)]),
        ("03-02-2026", [date(2026, 2, 3)]),
        ("2026-02-30 12026-01-01 31-Foo-2026 20260526", []),
    ],
)
def test_dates_in_names(text: str, found: list[date]) -> None:
    assert path_facts.dates_in(text) == found


@pytest.mark.parametrize(
    ("name", "clock"),
    [
        ("x_103337.csv", time(10, 33, 37)),
        ("x_27-08-2019_0915.csv.gz", time(9, 15)),
        ("x_10-05-15.json.gz", time(10, 5, 15)),
        ("x_2026-05-26.csv", None),
        ("x_2460.csv", None),
        ("x5.csv", None),
    ],
)
def test_times_in_names(name: str, clock: time | None) -> None:
    assert path_facts.time_at_end(name) == clock


def test_a_broken_archive_is_refused_and_stops_nothing(tmp_path: Path) -> None:
    whole = archive(tmp_path / "a.tar.gz", {f"5SEP2019/NIFTY_27-08-2019_{h}00.csv": old_csv() for h in range(10, 15)})
    half = tmp_path / "half.tar.gz"
    half.write_bytes(whole.read_bytes()[:300])
    report = importing([whole, half], tmp_path / "day")
    assert report.days[0].observations == 5
    assert [r.file for r in report.refused] == ["half.tar.gz"]
    assert "damaged or cut off" in report.refused[0].reason
