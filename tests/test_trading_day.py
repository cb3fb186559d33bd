"""Whole recorded days through the program's own command line; what it stored and showed is read back from outside."""

import json
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
import openpyxl
import pandas as pd
import pytest

from tests import program

IST = ZoneInfo("Asia/Kolkata")
FIVE_MINUTE = "chain_intraday/allfno_5min_2026"
ONE_MINUTE = "chain_intraday/nifty_banknifty_1min_2025-08-29"
INDEX_FILE = f"{FIVE_MINUTE}/index_2026-01-22_to_02-05.parquet"

pytestmark = [pytest.mark.data, pytest.mark.slow]


class Day:
    """A day that was imported and replayed."""

    def __init__(self, folder: Path, sources: list[Path]) -> None:
        self.recording, self.history, self.workbook = folder / "day", folder / "history.db", folder / "book.xlsx"
        self.imported = program.run("--import", *sources, "--to", self.recording)
        assert self.imported.code == 0, self.imported.errors
        self.replayed = self.replay()

    def replay(self, *more: object) -> program.Ended:
        return program.run(
            "--replay", self.recording, "--speed", "max", "--history", self.history, "--workbook", self.workbook, *more
        )

    def rows(self, sql: str, *given: object) -> list[tuple[object, ...]]:
        return program.rows(self.history, sql, given)


@pytest.fixture(scope="module")
def january_30(data_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Day:
    stocks = data_folder / f"{FIVE_MINUTE}/stocks_2026-01-30.parquet"
    return Day(tmp_path_factory.mktemp("january_30"), [stocks, data_folder / INDEX_FILE])


def polls_in(data_folder: Path, file: str, day: str) -> pd.DataFrame:
    """The distinct polls (symbol, expiry, instant) of a raw file, counted by pandas alone."""
    table = pd.read_parquet(data_folder / file, columns=["ts", "symbol", "expiry"])
    table = table[table["ts"].dt.strftime("%Y-%m-%d") == day]
    return table.drop_duplicates()


def test_every_observation_of_30_january_is_accounted_for(january_30: Day, data_folder: Path) -> None:
    assert january_30.replayed.code == 0, january_30.replayed.errors
    assert january_30.replayed.errors == ""
    polls = pd.concat(
        [polls_in(data_folder, f"{FIVE_MINUTE}/stocks_2026-01-30.parquet", "2026-01-30"),
         polls_in(data_folder, INDEX_FILE, "2026-01-30")]
    )  # fmt: skip
    late = (polls["ts"] > pd.Timestamp("2026-01-30 15:45")).sum()  # the close, and the quarter of an hour after it
    accounted = january_30.replayed.accounted
    assert accounted == {
        "source": len(polls), "processed": len(polls) - late, "refused": late, "before": 0, "after": 0,
    }  # fmt: skip
    assert january_30.rows("SELECT count(*), sum(refused <> 0) FROM observation") == [(len(polls), late)]
    assert january_30.rows("SELECT DISTINCT refused_words FROM observation WHERE refused <> 0") == [
        ("after the close",)
    ]


def test_nothing_failed_on_30_january(january_30: Day) -> None:
    assert january_30.rows("SELECT * FROM failure") == []
    assert ", 0 failures" in january_30.replayed.out
    assert january_30.rows("PRAGMA integrity_check") == [("ok",)]


def test_system_health_agrees_with_the_history(january_30: Day) -> None:
    shown = program.health_of(january_30.workbook)
    cycles, seen, refused = january_30.rows("SELECT count(*), sum(observations), sum(refused) FROM cycle")[0]
    assert (shown["Cycles"], shown["Observations seen"]) == (cycles, seen)
    assert (shown["Observations processed"], shown["Observations refused"]) == (seen - refused, refused)


def golden(data_folder: Path, *keys: str) -> Iterator[dict[str, object]]:
    facts = json.loads((data_folder / "golden_facts.json").read_text(encoding="utf-8"))
    for key in keys:
        yield from facts[key]


def milliseconds(fact: dict[str, object]) -> int:
    return round(datetime.fromisoformat(str(fact["ts"])).replace(tzinfo=IST).timestamp() * 1000)


def test_golden_facts_of_30_january_are_met_by_what_was_stored(january_30: Day, data_folder: Path) -> None:
    """Sums, ratios and strikes exactly; forward and volatility within what their conventions differ by.

    The facts discount at 6.5 % and take the plain mean of five strikes' C - P; we discount at the day's own rate.
    """
    checked = 0
    for fact in golden(data_folder, "allfno_5min_2026/stocks_2026-01-30.parquet", "allfno_5min_2026/index"):
        if not str(fact["ts"]).startswith("2026-01-30"):
            continue
        at, name, expiry = milliseconds(fact), fact["symbol"], fact["expiry"]
        key = (name, expiry, at)
        ((spot, forward, atm, iv),) = january_30.rows(
            "SELECT spot, forward, atm_strike, atm_iv FROM price WHERE underlying = ? AND expiry = ? AND at = ?", *key
        )
        names = (
            "call_open_interest, put_open_interest, put_call_ratio, put_call_ratio_volume, max_pain, call_wall, "
            "put_wall, call_open_interest_since_first, put_open_interest_since_first"
        )
        (found,) = january_30.rows(
            f"SELECT {names} FROM open_interest WHERE underlying = ? AND expiry = ? AND at = ?", *key
        )
        expected = [fact["total_ce_oi"], fact["total_pe_oi"], fact["pcr_oi"], fact["pcr_volume"], fact["max_pain"],
                    fact["max_ce_oi_strike"], fact["max_pe_oi_strike"]]  # fmt: skip
        if "ce_oi_change_since_first" in fact:
            expected += [fact["ce_oi_change_since_first"], fact["pe_oi_change_since_first"]]
        given = np.array(found[: len(expected)], float)
        np.testing.assert_allclose(given, np.array(expected, float), rtol=0, atol=6e-5)  # ratios have four decimals
        assert spot == fact["spot"] and atm == fact["atm_strike"], key
        assert forward == pytest.approx(fact["parity_forward"], rel=5e-4), key  # IDEA is quoted in 11 rupees and paise
        sides = (fact["atm_ce_iv_black76_pct"], fact["atm_pe_iv_black76_pct"])
        assert min(sides) - 0.3 <= 100 * iv <= max(sides) + 0.3, key
        checked += 1
    assert checked == 15


def test_the_workbook_shows_what_was_stored_last(january_30: Day) -> None:
    book = openpyxl.load_workbook(january_30.workbook, read_only=True, data_only=True)
    sheet, cells = next(iter(book.defined_names["NIFTY_SPOT"].destinations))
    ((spot, pcr, pain),) = january_30.rows(
        "SELECT p.spot, o.put_call_ratio, o.max_pain FROM price p JOIN open_interest o USING (session, at, underlying, "
        "expiry) WHERE p.underlying = 'NIFTY' ORDER BY at DESC LIMIT 1"
    )
    assert book[sheet][cells.replace("$", "")].value == spot
    for name, expected in (("NIFTY_PCR", pcr), ("NIFTY_MAX_PAIN", pain)):
        sheet, cells = next(iter(book.defined_names[name].destinations))
        assert book[sheet][cells.replace("$", "")].value == pytest.approx(expected)
    stocks = book["STOCKS_GROUPED"]
    header = next(r for r in stocks.iter_rows(max_row=10) if any(c.value == "Symbol" for c in r))
    column = next(c.column for c in header if c.value == "Symbol")
    listed = [stocks.cell(r, column).value for r in range(header[0].row + 1, header[0].row + 251)]
    names = {name for (name,) in january_30.rows("SELECT DISTINCT underlying FROM readiness")}
    assert {n for n in listed if n} == names - {"NIFTY", "BANKNIFTY", "MIDCPNIFTY"}


def test_replaying_a_finished_day_again_stores_nothing_twice(january_30: Day) -> None:
    counts = "SELECT (SELECT count(*) FROM cycle), (SELECT count(*) FROM quote), (SELECT count(*) FROM observation)"
    before = january_30.rows(counts)
    again = january_30.replay()
    assert again.code == 0
    assert again.accounted["processed"] == 0
    assert again.accounted["before"] == again.accounted["source"]
    assert january_30.rows(counts) == before


@pytest.mark.parametrize(
    ("files", "refused"),
    [
        ([f"{FIVE_MINUTE}/stocks_2026-01-19.parquet"], None),
        ([f"{FIVE_MINUTE}/stocks_2026-02-01.parquet", INDEX_FILE], None),
        ([f"{FIVE_MINUTE}/stocks_2026-02-02.parquet", INDEX_FILE], None),
        ([f"{FIVE_MINUTE}/stocks_2026-02-03.parquet", INDEX_FILE], None),
        ([f"{FIVE_MINUTE}/stocks_2026-02-04.parquet"], None),
        ([f"{FIVE_MINUTE}/stocks_2026-02-05.parquet", INDEX_FILE], None),
        ([f"{ONE_MINUTE}/NIFTY_2025-08-29.parquet", f"{ONE_MINUTE}/BANKNIFTY_2025-08-29.parquet"], "repeated stamp"),
    ],
    ids=["19-Jan", "budget Sunday", "2-Feb", "3-Feb expiry", "4-Feb", "5-Feb", "29-Aug one minute"],
)
def test_every_other_recorded_day_runs_through(
    files: list[str], refused: str | None, data_folder: Path, tmp_path: Path
) -> None:
    day = Day(tmp_path, [data_folder / file for file in files])
    assert day.replayed.code == 0, day.replayed.errors
    accounted = day.replayed.accounted
    assert accounted["source"] == accounted["processed"] + accounted["refused"]
    assert accounted["processed"] > 0 and accounted["after"] == 0
    assert day.rows("SELECT * FROM failure") == []
    assert day.rows("SELECT sum(observations), sum(refused) FROM cycle") == [
        (accounted["source"], accounted["refused"])
    ]
    if refused:
        assert day.rows("SELECT count(*) > 0 FROM observation WHERE refused_words = ?", refused) == [(1,)]
