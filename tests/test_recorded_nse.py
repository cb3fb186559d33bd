"""The exchange's own recordings as they were made: all raw files accounted for, facts met in units by the engines."""

import gzip
import io
import json
import tarfile
from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest

from optionscanner.adapters.recorded.converters import ImportReport, import_day
from optionscanner.adapters.recorded.format import read_day
from optionscanner.model.picture import BorderSettings
from tests.builders import ist
from tests.engine_builders import run
from tests.recorded_days import pictures_of
from tests.test_recorded_engines import Replay, check, facts_of

pytestmark = pytest.mark.data

JSON_TABLE = "NIFTY_2025-10-13_to_12-05.parquet"
PAGE_TABLE = "chains_2019-08-26_to_29.parquet"
PAGE_ARCHIVE = "raw_csv_2019-08-27_1000-1045.tar.gz"


@pytest.fixture(scope="module")
def everything(data_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[ImportReport, Path]:
    """All raw chains of the day, good and bad, in one import."""
    place = tmp_path_factory.mktemp("all") / "days"
    return import_day([data_folder / "chain_intraday"], place, lambda line: None), place


@pytest.fixture(scope="module")
def json_days(data_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """28 days of the exchange's JSON."""
    place = tmp_path_factory.mktemp("json") / "days"
    import_day([data_folder / "chain_intraday" / "nse_json_nifty_2025" / JSON_TABLE], place, lambda line: None)
    return place


def raw_rows(path: Path) -> int:
    """Strike rows of a raw file, counted without the program."""
    if path.name.endswith(".tar.gz"):
        with tarfile.open(path) as tar:
            members = [tar.extractfile(member) for member in tar if member.isfile()]
            return sum(lines_of(member.read()) for member in members if member is not None)
    if path.name == "option_chain_20260819.parquet":
        return len(pd.read_parquet(path).drop_duplicates(["timestamp", "expiry", "strike"]))
    if path.suffix == ".parquet":
        return int(pq.read_metadata(path).num_rows)
    raw = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    return len(json.loads(raw)["records"]["data"]) if raw[:1] == b"{" else lines_of(raw)


def lines_of(raw: bytes) -> int:
    """Lines below the header; the page's exports have two of them."""
    lines = [line for line in io.BytesIO(raw) if line.strip()]
    return len(lines) - (2 if lines[0].startswith(b"CALLS,,PUTS") else 1)


REFUSED = {
    "all_zero_before_open_2026-01-30_05-33.csv.gz": "before the open at 09:15: every price, volume",
    "index_dd-mm-yyyy_dates_2026-01-22_04-22.csv.gz": "before the open at 09:15: it shows the previous session",
    "stale_on_holiday_2026-01-15_03-41.csv.gz": "the market was closed (Municipal elections in Maharashtra)",
    "truncated_3_rows_2026-01-09_03-45-45.csv": "belong to no known kind",
    "wrong_columns_and_zero_2026-01-22_05-22.csv.gz": "before the open at 09:15: every price, volume",
    "STALE_holiday_NIFTY_20250827_094517.parquet": "the exchange's stamp is 26-Aug-2025 15:30",
    "STALE_holiday_NIFTY_20250827_095148.parquet": "the exchange's stamp is 26-Aug-2025 15:30",
    PAGE_TABLE: "when the page still shows the previous close",
}
NOT_OBSERVED = ("eod_last_snapshot_2025-12-24_to_2026-02-05.parquet", "truncated_3_rows_2026-01-09_03-45-45.csv")
"""A companion, and a file of which not even the rows can be told."""
LEFT_OUT = {
    "index_2026-01-22_to_02-05.parquet": "22-Jan-2026 is in no five-minute stock file",
    "option_chain_2025-12-30_10-04_older_columns.csv.gz": "30-Dec-2025 is in no five-minute index file",
    "stocks_2026-01-19.parquet": "19-Jan-2026 is in no five-minute index file",
    "stocks_2026-02-04.parquet": "04-Feb-2026 is in no five-minute index file",
}


def test_every_raw_file_is_imported_or_refused_with_the_reason(everything, data_folder: Path) -> None:
    """Row by row: imported, replaced by a later row, refused or left out is all that the files hold."""
    report, _ = everything
    reasons: dict[str, str] = {}
    for refusal in report.refused:
        reasons[refusal.file] = refusal.reason
    of_archive = {name: reason for name, reason in reasons.items() if name.startswith(PAGE_ARCHIVE)}
    assert set(reasons) - set(of_archive) == set(REFUSED)
    assert {name: reasons[name] for name, part in REFUSED.items() if part not in reasons[name]} == {}
    assert sum("header and no rows" in reason for reason in of_archive.values()) == 8
    default_view = [name for name, reason in of_archive.items() if "does not name its expiry" in reason]
    assert len(default_view) == len(of_archive) - 8 == 48
    assert not any("/index/" in name for name in default_view)
    assert {part.file: part.reason.split(";")[0] for part in report.left_out} == LEFT_OUT

    files = [path for path in (data_folder / "chain_intraday").rglob("*") if path.is_file()]
    held = sum(raw_rows(path) for path in files if path.name not in NOT_OBSERVED)
    imported = sum(day.rows + day.replaced_rows for day in report.days)
    assert held == imported + sum(part.rows for part in (*report.refused, *report.left_out))
    parts = report.observations_imported, report.observations_repeated, report.observations_refused
    assert report.observations_read == sum(parts) + report.observations_left_out


def test_every_imported_day_can_be_replayed(everything) -> None:
    """All forty days are read back and taken in; every observation is in the count, most are accepted."""
    report, place = everything
    assert len(report.days) == 40
    new_kinds = [day for day in report.days if day.date.year == 2019 or day.date.month not in (1, 2)]
    for day in new_kinds:
        accepted = total = 0
        for chains in pictures_of(place / day.date.isoformat()):
            accepted += int((chains.polls.refused == 0).sum())
            total += len(chains.polls.refused)
        assert total == day.observations
        assert accepted >= 0.4 * total  # of 2 December each JSON answer is there twice, with and without its capture


def test_rows_of_each_day_of_the_json(json_days: Path, data_folder: Path) -> None:
    raw = pd.read_parquet(data_folder / "chain_intraday" / "nse_json_nifty_2025" / JSON_TABLE)
    counted = raw.groupby(raw["captured_at"].dt.date).size()
    assert len(counted) == 28
    assert {f"{day}": read_day(json_days / f"{day}").options.num_rows for day in counted.index} == {
        f"{day}": n for day, n in counted.items()
    }


def test_facts_of_2_december(json_days: Path, data_folder: Path) -> None:
    """Expiry day: 0-DTE and the next week, in units of 75."""
    replay = Replay(json_days / "2025-12-02", facts_of(data_folder, "nse_json_nifty_2025", day="2025-12-02"))
    assert len(replay.facts) == len(replay.found) == 2
    for i, fact in enumerate(replay.facts):
        assert replay.found[i]["lot"] == 75
        check(fact, replay.found[i])


def test_facts_of_5_december(json_days: Path, data_folder: Path) -> None:
    """The closing snapshot, stamped 15:30:00 and captured at 15:45:49: the border must wait that long to see it."""
    patient = BorderSettings(close_grace=960.0, stamp_lag=960.0)
    facts = facts_of(data_folder, "nse_json_nifty_2025", day="2025-12-05")
    replay = Replay(json_days / "2025-12-05", facts, patient)
    assert len(replay.facts) == len(replay.found) == 2
    for i, fact in enumerate(replay.facts):
        check(fact, replay.found[i])


def test_json_answers_and_the_table_made_of_them_agree(json_days: Path, data_folder: Path, tmp_path) -> None:
    """Sixteen untouched answers of 2 December give the figures of the table, by stamp, expiry and strike."""
    raw = data_folder / "chain_intraday" / "nse_json_nifty_2025" / "raw_json_2025-12-02"
    import_day([raw], tmp_path / "day", lambda line: None)
    keys = ["stamped_at", "expiry", "strike"]
    answers, table = (
        read_day(place).options.to_pandas().sort_values(keys).reset_index(drop=True)
        for place in (tmp_path / "day", json_days / "2025-12-02")
    )
    names = [f"{side}_{name}" for side in ("call", "put") for name in ("last", "bid", "ask", "volume", "open_interest")]
    pd.testing.assert_frame_equal(answers[keys + names], table[keys + names])


def test_lots_while_two_sizes_coexist(json_days: Path) -> None:
    """Before 28 October all 75; afterwards 65 for the January series on, 75 for the old and the quarterly ones."""
    october, december = (
        {row["expiry"]: row["lot_size"] for row in read_day(json_days / day).instruments.to_pylist()}
        for day in ("2025-10-13", "2025-12-05")
    )
    assert set(october.values()) == {75.0}
    assert len(october) == len(december) == 18
    assert {expiry for expiry, lot in december.items() if lot == 65} == {
        date(2026, 1, 6), date(2026, 1, 27), date(2026, 2, 24),
    }  # fmt: skip
    interest = read_day(json_days / "2025-12-05").options["call_open_interest"].drop_null().to_numpy()
    assert np.array_equal(interest, np.rint(interest))
    assert (interest % 75 != 0).any()


def test_the_muhurat_hour(json_days: Path) -> None:
    """13:45 to 14:45: one snapshot within, one captured half an hour after the close."""
    polls = [chains.polls for chains in pictures_of(json_days / "2025-10-21")]
    assert [(int((p.refused == 0).sum()), int((p.refused != 0).sum())) for p in polls] == [(18, 0), (0, 18)]


def replayed(place: Path) -> list[tuple[float, pd.Series]]:
    """(instant, forward by expiry) of every picture of a day of one underlying."""
    state = pricing = None
    found = []
    for chains in pictures_of(place):
        state, made, pricing = run(chains, state, pricing=pricing)
        expiries = [key.expiry for key in chains.layout.segment_keys]
        found.append((chains.as_of, pd.Series(made["price"]["forward"], index=expiries)))
    return found


def test_forwards_of_the_greeks_recorder_at_noon(everything) -> None:
    """19 August 2026, 12:00: the three forwards that the data's description gives, within two points."""
    _, place = everything
    noon = dict(replayed(place / "2026-08-19"))[ist(12, 0, day=date(2026, 8, 19))]
    assert noon.iloc[:3].tolist() == pytest.approx([24131.9, 24168.5, 24196.2], abs=2.0)


def test_forwards_of_the_page_on_expiry_day(everything, data_folder: Path) -> None:
    """26 May 2026, 10:33 to 11:02: parity without a spot, within a point of the raw files' last prices; 24,061 first.

    By hand: the median of K + C - P over the five strikes whose two prices are nearest to each other.
    """
    _, place = everything
    (packed,) = (data_folder / "chain_intraday" / "nse_web_csv_2026-05-26").glob("*.tar.gz")
    expected = []
    with tarfile.open(packed) as tar:
        for name in sorted(tar.getnames()):
            raw = pd.read_csv(tar.extractfile(name), header=1, thousands=",", na_values="-")
            near = (raw["LTP"] - raw["LTP.1"]).abs().nsmallest(5).index
            expected.append(float((raw["STRIKE"] + raw["LTP"] - raw["LTP.1"])[near].median()))
    forwards = [float(forward.iloc[0]) for _, forward in replayed(place / "2026-05-26")]
    assert len(forwards) == 24
    assert forwards == pytest.approx(expected, abs=1.0)
    assert round(forwards[0]) == 24061


def test_units_of_the_page_of_2019(everything, data_folder: Path) -> None:
    """Open interest as it is, volume times the lot, of every chain at 10:00 on 28 August."""
    _, place = everything
    raw = pd.read_parquet(data_folder / "chain_intraday" / "nse_html_multi_15min_2019" / PAGE_TABLE)
    raw = raw[(raw["ts"] == pd.Timestamp("2019-08-28 10:00")) & (raw["tree"] == "index_tree")]
    sums = raw.groupby(["symbol", "expiry"])[["ce_oi", "pe_oi", "ce_volume", "pe_volume"]].sum().astype(float)
    sums.loc[["NIFTY"], ["ce_volume", "pe_volume"]] *= 75
    sums.loc[["BANKNIFTY"], ["ce_volume", "pe_volume"]] *= 20
    sums.loc[["NIFTYIT"], ["ce_volume", "pe_volume"]] *= 50
    frame = read_day(place / "2019-08-28").options.to_pandas()
    frame = frame[frame["observed_at"] == pd.Timestamp("2019-08-28 10:00", tz="Asia/Kolkata")]
    names = ["call_open_interest", "put_open_interest", "call_volume", "put_volume"]
    seen = frame.groupby(["underlying", "expiry"], observed=True)[names].sum()
    assert len(sums) >= 10
    assert {(str(name), expiry): row.tolist() for (name, expiry), row in seen.iterrows()} == {
        (name, expiry): row.tolist() for (name, expiry), row in sums.iterrows()
    }
