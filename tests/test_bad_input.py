"""Bad input meets the running program: a sentence, the documented exit code, and nothing that was stored is lost.

What goes wrong while a session runs, and takes processes of its own, is in `test_bad_moments.py`.
"""

from __future__ import annotations

import hashlib
import json
import math
import random
import shutil
import signal
import sqlite3
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import openpyxl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from optionscanner import app, app_front
from optionscanner.workbook.template import build_template
from tests.program import Ended
from tests.recorded_samples import (
    INDEX_HEADER,
    STOCK_HEADER,
    index_rows,
    stock_rows,
    write_csv,
)
from tests.small_day import NAMES, Name, Place, Row, Spot, main, run_here, small_day, times

HEALTHY = tuple(NAMES)


@pytest.fixture(autouse=True)
def _signals_as_they_were() -> Iterator[None]:
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.fixture(scope="module")
def template() -> bytes:
    return build_template()


@pytest.fixture(autouse=True)
def _template_made_once(template: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every run makes the same template anew, which is most of a short run's time."""
    monkeypatch.setattr(app_front, "workbook_template", lambda book: lambda: template)


@pytest.fixture(scope="module")
def recording(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six minutes of three healthy names."""
    return small_day(tmp_path_factory.mktemp("recording") / "day")


@pytest.fixture(scope="module")
def clean(recording: Path, tmp_path_factory: pytest.TempPathFactory) -> Place:
    """What an undisturbed run on `recording` leaves."""
    place = Place(tmp_path_factory.mktemp("clean"))
    assert run_here(place.replay(recording)) == 0
    return place


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path / "run")


def refused(ended: Ended, *parts: object, code: int = 1) -> None:
    """It ended at once, with one sentence that has these parts."""
    assert ended.code == code, ended
    assert ended.errors.count("\n") == 1, ended.errors
    for part in parts:
        assert str(part) in ended.errors
    assert "Traceback" not in ended.out + ended.errors


def went_on(ended: Ended, *parts: object) -> None:
    """It did its work, and said what was wrong."""
    assert ended.code == 0, ended
    for part in parts:
        assert str(part) in ended.errors, ended.errors
    assert "Traceback" not in ended.out + ended.errors


# --- options and configuration


@pytest.mark.parametrize(
    ("arguments", "parts"),
    [
        (["--workbook", "sheet.xls"], ["--workbook", ".xlsx", "'sheet.xls'"]),
        (["--speed", "fast"], ["--speed", "a number above 0 or the word max", "'fast'"]),
        (["--replya", "day"], ["--replya is not an option", "--replay"]),
        (["--import", "raw"], ["--import needs --to FOLDER"]),
        (["--history", "x" * 300], ["--history", "a path that this system takes", "300 signs", "file name too long"]),
        (["--replay", "/".join(["y" * 200] * 30)], ["--replay", "6,029 signs"]),
        (["--replay", "day", "--seed", "1"], ["--seed belongs to the simulated market"]),
    ],
)
def test_options_that_make_no_sense_end_with_two(
    arguments: list[str], parts: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    refused(main(capsys, arguments), *parts, "--help", code=2)


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("flow:\n  half_lif_s: 3\n", ["line 2", "flow.half_lif_s is not a known key", "flow.half_life_s"]),
        ("flwo:\n  half_life_s: 3\n", ["line 1", "flwo is not a known section", "flow"]),
        ("flow:\n  half_life_s: soon\n", ["line 2", "flow.half_life_s", "soon"]),
        ("flow:\n  half_life_s: -3\n", ["line 2", "flow.half_life_s", "-3"]),
        ("workbook:\n  path: sheet.ods\n", ["line 2", "workbook.path", ".xlsx", "sheet.ods"]),
        ("just words", ["sections", "'just words'"]),
        ("flow: [1\n", ["not YAML"]),
        ("flow:\n\thalf_life_s: 3\n", ["line 2", "tab"]),
    ],
)
def test_a_mistyped_configuration_is_told_by_line_and_nothing_is_made(
    text: str, parts: list[str], recording: Path, place: Place, capsys: pytest.CaptureFixture[str]
) -> None:
    place.config.write_text(text, encoding="utf-8")
    refused(main(capsys, place.replay(recording)), place.config.name, *parts)
    assert [path.name for path in place.folder.iterdir()] == [place.config.name]


def test_every_mistake_of_a_configuration_is_told_at_once(
    recording: Path, place: Place, capsys: pytest.CaptureFixture[str]
) -> None:
    place.config.write_text("flow:\n  half_lif_s: 3\ncycle:\n  every_s: 0\n", encoding="utf-8")
    ended = main(capsys, place.replay(recording))
    assert ended.code == 1
    assert [line.split(":")[0].rpartition(", ")[2] for line in ended.errors.splitlines()] == ["line 2", "line 4"]


def test_a_configuration_file_that_is_none(recording: Path, place: Place, capsys: pytest.CaptureFixture[str]) -> None:
    missing = place.folder / "nowhere.yaml"
    refused(main(capsys, [*place.replay(recording), "--config", missing]), missing, "must exist and does not")
    refused(main(capsys, [*place.replay(recording), "--config", place.folder]), "is a folder, expected a file")
    place.config.write_bytes(b"flow:\n  half_life_s: \xff\xfe\n")
    refused(main(capsys, place.replay(recording)), "line 2", "not UTF-8")


@pytest.mark.parametrize("market", ["replay", "simulated"])
def test_names_that_the_source_lacks(
    market: str, recording: Path, place: Place, capsys: pytest.CaptureFixture[str]
) -> None:
    with place.config.open("a", encoding="utf-8") as config:
        config.write("underlyings:\n  include: [NIFTTY]\n")
    arguments = place.replay(recording) if market == "replay" else place.replay(recording, "--once")[2:]
    ended = main(capsys, arguments)
    assert ended.code == 1
    spelled, none_left = ended.errors.splitlines()
    assert "this source has no NIFTTY; check how they are spelled" in spelled
    assert "the configuration takes none of them; change underlyings.include" in none_left
    assert not place.history.exists()


@pytest.mark.parametrize(("asked", "value"), [("--from", "16:00"), ("--until", "09:00")])
def test_times_without_observations_are_told_and_leave_the_last_picture(
    asked: str, value: str, recording: Path, place: Place, capsys: pytest.CaptureFixture[str]
) -> None:
    place.workbook.write_bytes(b"the picture of yesterday")
    ended = main(capsys, place.replay(recording, asked, value))
    refused(ended, "made up", "09:20:00 to 09:25:00", "change --from or --until")
    assert place.workbook.read_bytes() == b"the picture of yesterday"


# --- places


def test_a_history_that_cannot_be_there(recording: Path, place: Place, capsys: pytest.CaptureFixture[str]) -> None:
    (place.folder / "words.txt").write_text("mine", encoding="utf-8")
    for history, part in [
        (place.folder, "expected a file, found a folder"),
        (place.folder / "words.txt" / "h.db", "its folder cannot be made"),
        (place.folder / "words.txt", "expected an SQLite database, found something else"),
    ]:
        refused(main(capsys, [*place.replay(recording), "--history", history]), f"history {history}", part)
    assert (place.folder / "words.txt").read_text(encoding="utf-8") == "mine"
    assert not place.workbook.exists()


def test_a_history_folder_of_the_configuration_that_is_a_file(
    recording: Path, place: Place, capsys: pytest.CaptureFixture[str]
) -> None:
    place.config.write_text(f"history:\n  folder: {place.config}\n", encoding="utf-8")
    ended = main(capsys, ["--replay", recording, "--workbook", place.workbook, "--config", place.config])
    refused(ended, "history.folder", place.config, "cannot be made", "--history")


@pytest.mark.slow
def test_a_log_that_cannot_be_written_costs_the_log_alone(
    recording: Path, place: Place, clean: Place, capsys: pytest.CaptureFixture[str]
) -> None:
    place.config.write_text(f"log:\n  folder: {place.config}\n", encoding="utf-8")
    went_on(main(capsys, place.replay(recording)), "The log", "the program goes on without", "log.folder")
    assert place.contents() == clean.contents()


def of_another_program(path: Path) -> None:
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE recipes (name TEXT)")
    connection.close()


def of_newer_schema(path: Path) -> None:
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE settings SET value = '999' WHERE key = 'schema_version'")
    connection.close()


def of_another_mode(path: Path) -> None:
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE settings SET value = 'LIVE' WHERE key = 'mode'")
    connection.close()


def damaged(path: Path) -> None:
    data = bytearray(path.read_bytes())
    for page in range(4096, len(data), 4096):
        data[page : page + 64] = b"\xa5" * 64
    path.write_bytes(data)


def cut_off(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-5000])


@pytest.mark.parametrize(
    ("harm", "part"),
    [
        (of_another_program, "found a database of another program"),
        (of_newer_schema, "has schema 999, this program knows up to"),
        (of_another_mode, "holds LIVE sessions and this one is REPLAY"),
        (damaged, "found it damaged"),
        (cut_off, "found it damaged"),
    ],
)
def test_a_history_that_is_not_ours_to_write_is_left_as_it_is(
    harm: Callable[[Path], None],
    part: str,
    recording: Path,
    clean: Place,
    place: Place,
    capsys: pytest.CaptureFixture[str],
) -> None:
    if harm is not of_another_program:
        shutil.copy(clean.history, place.history)
    harm(place.history)
    before = place.history.read_bytes()
    refused(main(capsys, place.replay(recording)), f"history {place.history}", part)
    assert place.history.read_bytes() == before
    assert not place.workbook.exists()


def garbage(path: Path) -> None:
    path.write_bytes(b"this was a workbook once")


def nothing(path: Path) -> None:
    path.write_bytes(b"")


def folder(path: Path) -> None:
    path.mkdir()


def half_a_workbook(path: Path) -> None:
    with zipfile.ZipFile(path, "w") as parts:
        parts.writestr("[Content_Types].xml", "<Types")


def of_somebody_else(path: Path) -> None:
    book = openpyxl.Workbook()
    book.active["A1"] = "my own sheet"
    book.save(path)


IN_THE_PLACE_OF_THE_WORKBOOK = [
    (garbage, "cannot be used as the workbook"),
    (nothing, "cannot be used as the workbook"),
    (half_a_workbook, "cannot be used as the workbook"),
    (of_somebody_else, "none of our named blocks is in it"),
    (folder, "a workbook file was expected, but this is a folder"),
]


@pytest.mark.parametrize(("put", "part"), IN_THE_PLACE_OF_THE_WORKBOOK)
def test_what_is_no_workbook_stays_untouched_and_the_engine_goes_on(
    put: Callable[[Path], None],
    part: str,
    recording: Path,
    clean: Place,
    place: Place,
    capsys: pytest.CaptureFixture[str],
) -> None:
    put(place.workbook)
    before = None if place.workbook.is_dir() else place.workbook.read_bytes()
    ended = main(capsys, place.replay(recording))
    went_on(ended, f"workbook: {place.workbook}", part, "--workbook")
    assert ended.errors.count("workbook: ") == 1
    assert "0 frames written" in ended.out
    assert place.workbook.is_dir() if before is None else place.workbook.read_bytes() == before
    assert place.contents() == clean.contents()
    log = (place.folder / "log" / "optionscanner.log").read_text(encoding="utf-8")
    assert part in log


@pytest.mark.slow
@pytest.mark.parametrize("name", ["~$book.xlsx", ".~lock.book.xlsx#"])
def test_a_locked_workbook_is_left_to_who_has_it_open(
    name: str, recording: Path, clean: Place, place: Place, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copy(clean.workbook, place.workbook)
    (place.folder / name).write_text("somebody", encoding="utf-8")
    went_on(main(capsys, place.replay(recording)), "is open in a spreadsheet program", name, "close it there")
    assert place.workbook.read_bytes() == clean.workbook.read_bytes()
    assert place.contents() == clean.contents()


@pytest.mark.slow
def test_a_read_only_workbook(recording: Path, clean: Place, place: Place, capsys: pytest.CaptureFixture[str]) -> None:
    shutil.copy(clean.workbook, place.workbook)
    place.workbook.chmod(0o444)
    went_on(main(capsys, place.replay(recording)), "book.xlsx is read-only", "allow writing to it")
    assert place.workbook.read_bytes() == clean.workbook.read_bytes()
    assert place.contents() == clean.contents()


def test_a_workbook_whose_name_leaves_no_room_for_the_unfinished_one(
    recording: Path, clean: Place, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    place = Place(tmp_path / "run", workbook_name="w" * 248 + ".xlsx")
    went_on(main(capsys, place.replay(recording)), "cannot be written (file name too long)")
    assert place.contents() == clean.contents()


@pytest.mark.slow
@pytest.mark.parametrize(
    "words", ["मेरा बाज़ार", "with  two spaces", "quote's & <angle> #1 100%", "é" * 100, "=cmd", "ünïcode-\U0001f4c8"]
)
def test_folders_of_any_name(
    words: str, clean: Place, recording: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    day = shutil.copytree(recording, tmp_path / words / "a day" / words)
    place = Place(tmp_path / words / "a run", workbook_name=f"{words}.xlsx")
    ended = main(capsys, place.replay(day))
    went_on(ended)
    assert ended.errors == ""
    assert place.whole()
    assert place.contents() == clean.contents()


@pytest.mark.slow
def test_long_paths(clean: Place, recording: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """SQLite's paths end at 512 bytes; all others go on to the system's limit."""
    deep = tmp_path
    while len(bytes(deep)) < 410:
        deep = deep / ("लंबा" * 3)
    place = Place(deep)
    assert main(capsys, place.replay(recording)).errors == ""
    assert place.whole()
    assert place.contents() == clean.contents()
    while len(bytes(deep)) < 3_000:
        deep = deep / ("लंबा" * 20)
    deeper = Place(deep)
    refused(main(capsys, deeper.replay(recording)), deeper.history, "the whole path is shorter than 500 bytes")
    day = shutil.copytree(recording, deeper.folder / "day")
    assert main(capsys, [*deeper.replay(day), "--history", tmp_path / "h.db"]).errors == ""
    assert deeper.whole()


# --- recordings


def changed(recording: Path, to: Path, table: str, change: Callable[[pa.Table], pa.Table]) -> Path:
    """A copy whose table was changed by somebody who knows the format: digest, rows and columns are right."""
    shutil.copytree(recording, to)
    file = to / f"{table}.parquet"
    made = change(pq.read_table(file))
    pq.write_table(made, file)
    described = json.loads((to / "manifest.json").read_text(encoding="utf-8"))
    described["tables"][table] = {
        "rows": made.num_rows,
        "sha256": hashlib.sha256(file.read_bytes()).hexdigest(),
        "columns": made.column_names,
    }
    (to / "manifest.json").write_text(json.dumps(described), encoding="utf-8")
    return to


def column(name: str, values: Callable[[list[Any]], list[Any]]) -> Callable[[pa.Table], pa.Table]:
    def change(table: pa.Table) -> pa.Table:
        kind = table.schema.field(name).type
        made = values(table[name].to_pylist())
        plain = pa.array(made, pa.int64()) if pa.types.is_timestamp(kind) and isinstance(made[0], int) else None
        array = pa.array(made, kind) if plain is None else plain.cast(kind)
        return table.set_column(table.column_names.index(name), name, array)

    return change


def test_what_is_not_a_recording(recording: Path, place: Place, capsys: pytest.CaptureFixture[str]) -> None:
    for given, part in [
        (place.folder / "nowhere", "there is no such folder"),
        (place.config, "a recorded day is a folder, this is a file"),
        (place.folder, "no manifest.json in it"),
    ]:
        refused(main(capsys, [*place.replay(recording), "--replay", given]), given, part)
    assert not place.history.exists()
    assert not place.workbook.exists()


@pytest.mark.parametrize("table", ["options", "futures", "underlyings", "instruments"])
@pytest.mark.parametrize(
    ("harm", "part"),
    [
        (lambda file: file.unlink(), "lacks this file"),
        (lambda file: file.write_bytes(b""), "cannot be read as Parquet"),
        (lambda file: file.write_bytes(file.read_bytes()[: file.stat().st_size // 2]), "cannot be read as Parquet"),
        (lambda file: file.write_bytes(file.read_bytes().replace(b"ACME", b"ACNE")[::-1]), "cannot be read as Parquet"),
        (lambda file: file.write_bytes(file.read_bytes()[:4] + b"!" + file.read_bytes()[5:]), "sha256 must be"),
    ],
    ids=["missing", "empty", "truncated", "corrupt", "changed"],
)
def test_a_damaged_table(
    table: str,
    harm: Callable[[Path], object],
    part: str,
    recording: Path,
    place: Place,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    day = shutil.copytree(recording, tmp_path / "day")
    harm(day / f"{table}.parquet")
    refused(main(capsys, place.replay(day)), day / f"{table}.parquet", part, "again")
    assert not place.history.exists()
    assert not place.workbook.exists()


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("", "not readable as JSON"),
        ("[" * 100_000, "not readable as JSON"),
        ('{"version": ' + "9" * 5_000 + "}", "not readable as JSON"),
        ("[]", 'must describe an "optionscanner recorded day"'),
        ('{"version": 2}', "update the program"),
        ({"date": "2026-02-30"}, "wrong kind"),
        ({"date": None}, "wrong kind"),
        ({"mode_recorded": "live"}, "mode_recorded must be one of"),
        ({"source": "\ud800"}, "source must be a line of text"),
        ({"observation_step_seconds": float("nan")}, "observation_step_seconds must be above 0"),
        ({"observation_step_seconds": -5}, "observation_step_seconds must be above 0"),
        ({"counts": {"rows": float("inf")}}, "wrong kind"),
        ({"tables": {}}, "tables must be"),
    ],
)
def test_a_damaged_manifest(
    text: str | dict[str, Any],
    part: str,
    recording: Path,
    place: Place,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    day = shutil.copytree(recording, tmp_path / "day")
    described = json.loads((day / "manifest.json").read_text(encoding="utf-8"))
    written = text if isinstance(text, str) else json.dumps(described | text)
    (day / "manifest.json").write_text(written, encoding="utf-8")
    refused(main(capsys, place.replay(day)), day / "manifest.json", part)


@pytest.mark.parametrize(
    ("table", "change", "part"),
    [
        ("options", lambda t: t.take(list(range(t.num_rows))[::-1]), "table options must be in order of time"),
        ("underlyings", lambda t: t.take(list(range(t.num_rows))[::-1]), "table underlyings must be in order of time"),
        ("options", lambda t: t.take([0, *range(t.num_rows)]), "a contract twice at one instant"),
        (
            "options",
            lambda t: t.take([1, 0, *range(2, t.num_rows)]),
            "each chain of an instant in one piece, by strike",
        ),
        (
            "options",
            lambda t: t.take([0, 1, 7, 2, 3, 4, 5, 6, *range(8, t.num_rows)]),
            "each chain of an instant in one piece, by strike",
        ),
        ("options", column("observed_at", lambda at: [at[0].replace(day=29), *at[1:]]), "must lie on 30-Jan-2026"),
        ("options", column("observed_at", lambda at: [2**62] * len(at)), "must lie on 30-Jan-2026"),
        (
            "options",
            column("strike", lambda strikes: [math.nan, *strikes[1:]]),
            "rows whose strike is not a finite number",
        ),
        ("instruments", column("strike", lambda strikes: [math.inf, *strikes[1:]]), "a strike from 0.01 to"),
        ("instruments", column("lot_size", lambda lots: [math.inf] * len(lots)), "lot_size is not a finite number"),
        ("instruments", column("lot_size", lambda lots: [1e300] * len(lots)), "one whole lot size above 0"),
        ("instruments", column("lot_size", lambda lots: [0.5] * len(lots)), "one whole lot size above 0"),
        ("instruments", column("lot_size", lambda lots: [lots[0] + 1, *lots[1:]]), "one whole lot size above 0"),
        ("instruments", column("underlying", lambda names: [" ", *names[1:]]), "rows without a name"),
        (
            "instruments",
            column("expiry", lambda days: [date(9999, 12, 31)] * len(days)),
            "every expiry must lie between",
        ),
        ("instruments", lambda t: t.slice(0, 0), "lists no options"),
    ],
)
def test_a_recording_that_contradicts_itself(
    table: str,
    change: Callable[[pa.Table], pa.Table],
    part: str,
    recording: Path,
    place: Place,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    day = changed(recording, tmp_path / "day", table, change)
    refused(main(capsys, place.replay(day)), day, part, "nothing to replay" if "lists no" in part else "import the day")
    assert not place.workbook.exists()


@pytest.mark.parametrize(
    ("day", "parts"),
    [
        (date(2027, 3, 1), ["2027-03-01 is not in the trading calendar", "calendar_days.csv"]),
        (date(2026, 1, 26), ["when the market was closed (Republic Day)", "choose the recording of a trading day"]),
        (date(2026, 1, 31), ["when the market was closed (Saturday)"]),
        (date(2019, 1, 30), ["rates must hold a rate in force on 2019-01-30"]),
    ],
)
def test_a_date_without_a_session(
    day: date, parts: list[str], place: Place, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    refused(main(capsys, place.replay(small_day(tmp_path / "day", day=day))), *parts)
    assert not place.history.exists()


def test_a_recording_without_observations_is_said_to_be_empty(
    recording: Path, place: Place, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    day = changed(recording, tmp_path / "day", "options", lambda table: table.slice(0, 0))
    ended = main(capsys, place.replay(day))
    went_on(ended, "holds no observations of options")
    assert ended.accounted == {"source": 0, "processed": 0, "refused": 0, "before": 0, "after": 0}


@pytest.mark.slow
def test_times_of_change_that_cannot_be_are_left_out(
    recording: Path, place: Place, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A clock of the far future or past would be beyond what a cell, or a date of Python, can hold."""
    made = small_day(
        tmp_path / "stamped", spoil=lambda rows, spot: ([r | {"call_open_interest_at": r["at"]} for r in rows], spot)
    )
    for number, wrong in enumerate((253_402_300_799_000, -62_135_596_800_000, 2**62)):
        day = changed(
            made,
            tmp_path / f"day {number}",
            "options",
            column("call_open_interest_at", lambda at, w=wrong: [w] * len(at)),
        )
        run = Place(place.folder / str(number))
        assert main(capsys, run.replay(day)).errors == ""
        assert run.rows("SELECT count(*) FROM failure") == [(0,)]
        assert run.whole()


# --- observations: one name of each kind of trouble, from the third minute on, beside three healthy ones


def legs(row: Row, side: str = "") -> list[str]:
    return [key for key in row if key.startswith((f"{side}_",) if side else ("call_", "put_"))]


def without(row: Row, side: str = "") -> Row:
    return {key: value for key, value in row.items() if key not in legs(row, side)}


@dataclass(frozen=True)
class Trouble:
    """What happens to a name's rows and spot, and the words by which a user learns of it."""

    row: Callable[[Row], Row | None] = lambda row: row
    spot: Callable[[float], float] = lambda spot: spot
    refused: str = ""
    """Reason in the sum, in the history and in SYSTEM_HEALTH; "" where the observation is used."""
    says: str = ""
    """What SYSTEM_HEALTH says."""
    fault: int = 0
    """Code at the quotes, or the spot, in the history."""
    kept: int = 6
    """Observations of the name in the recording."""


TROUBLES = {
    "MISSING": Trouble(row=lambda r: None, says="stale 240 s", kept=2),
    "EMPTY": Trouble(row=without, refused="under two strikes quoted", says="newest: EMPTY, LONELY, ZEROES"),
    "ZEROES": Trouble(row=lambda r: r | dict.fromkeys(legs(r), 0.0), refused="under two strikes quoted"),
    "LONELY": Trouble(row=lambda r: r if r["strike"] == 500 else None, refused="under two strikes quoted"),
    "OLD": Trouble(row=lambda r: r | {"stamped_at": "09:05"}, refused="stale stamp", says="newest: OLD"),
    "REPEATED": Trouble(row=lambda r: r | {"stamped_at": "09:21"}, refused="repeated stamp", says="newest: REPEATED"),
    "AHEAD": Trouble(row=lambda r: r | {"stamped_at": "11:00"}, refused="stamp in future", says="newest: AHEAD"),
    "ONESIDED": Trouble(row=lambda r: without(r, "put")),
    "SPOTLESS": Trouble(spot=lambda spot: 0.0, says="no spot", fault=40),
    "BELOW": Trouble(spot=lambda spot: -spot, says="no spot", fault=40),
    "ABSURD": Trouble(spot=lambda spot: 1e6, says="spot absurd", fault=41),
    "MINUS": Trouble(
        row=lambda r: r | {"call_volume": -5.0, "put_open_interest": -75.0},
        says="figures of legs blanked: negative value",
        fault=30,
    ),
    "SHRUNK": Trouble(row=lambda r: r | {"call_volume": 1.0}, says="figures of legs blanked: volume shrank", fault=32),
    "MISREAD": Trouble(
        row=lambda r: r | {"call_open_interest": 1e300, "put_last": math.inf},
        says="figures of legs blanked: absurd value",
        fault=33,
    ),
    "ODD": Trouble(
        row=lambda r: r | {"call_open_interest": r["call_open_interest"] + 1},
        says="ODD: over 5 % of open interest is not a multiple of the lot of 100",
    ),
}


def spoil(rows: list[Row], spot: list[Spot]) -> tuple[list[Row], list[Spot]]:
    made = [TROUBLES[r["underlying"]].row(r) if r["underlying"] in TROUBLES and r["at"] >= "09:22" else r for r in rows]
    spots = [(at, u, TROUBLES[u].spot(s) if u in TROUBLES and at >= "09:22" else s) for at, u, s in spot]
    return [row for row in made if row is not None], spots


@pytest.fixture(scope="module")
def troubled(tmp_path_factory: pytest.TempPathFactory) -> tuple[Place, str]:
    """A run on a day with every trouble at once, and what it printed."""
    folder = tmp_path_factory.mktemp("troubled")
    names = {**NAMES, **dict.fromkeys(TROUBLES, Name()), "PASSED": Name(expiry=date(2026, 1, 27))}
    place = Place(folder / "run")
    arguments = place.replay(small_day(folder / "day", names=names, spoil=spoil))
    with pytest.MonkeyPatch.context() as patch:
        said: list[str] = []
        patch.setattr(app.console, "say", said.append)
        assert run_here(arguments) == 0
    return place, "\n".join(said)


@pytest.mark.parametrize("name", TROUBLES)
def test_a_name_in_trouble_is_told_and_accounted_for(name: str, troubled: tuple[Place, str]) -> None:
    place, _ = troubled
    trouble = TROUBLES[name]
    found = place.rows(
        "SELECT refused_words, count(*) FROM observation WHERE underlying = ? GROUP BY 1 ORDER BY 1", name
    )
    assert found == ([(None, 2), (trouble.refused, 4)] if trouble.refused else [(None, trouble.kept)])
    said = place.health()
    if trouble.refused:
        assert f"observation refused: {trouble.refused}" in said
    assert trouble.says in said
    faults = place.rows(
        "SELECT DISTINCT fault FROM quote JOIN contract ON contract.id = quote.contract WHERE underlying = ? AND fault "
        "UNION SELECT DISTINCT fault FROM underlying_quote WHERE underlying = ? AND fault",
        name,
        name,
    )
    assert faults == ([(trouble.fault,)] if trouble.fault else [])


def test_an_expiry_that_passed(troubled: tuple[Place, str]) -> None:
    place, _ = troubled
    sql = "SELECT refused_words, count(*) FROM observation WHERE underlying = 'PASSED' GROUP BY 1"
    assert place.rows(sql) == [("expiry passed", 6)]
    assert "refused: expiry passed" in place.health()


def test_nobodys_trouble_moves_another_name(troubled: tuple[Place, str], clean: Place) -> None:
    place, _ = troubled
    assert place.contents(of=HEALTHY) == clean.contents(of=HEALTHY)


def test_the_sum_of_a_troubled_day_adds_up(troubled: tuple[Place, str]) -> None:
    place, said = troubled
    accounted = Ended(0, said, "").accounted
    refused_in_all = sum(4 for trouble in TROUBLES.values() if trouble.refused) + 6
    held = 6 * len(NAMES) + sum(trouble.kept for trouble in TROUBLES.values()) + 6
    assert accounted == {
        "source": held, "processed": held - refused_in_all, "refused": refused_in_all, "before": 0, "after": 0,
    }  # fmt: skip
    assert place.rows("SELECT count(*), sum(refused <> 0) FROM observation") == [(held, refused_in_all)]
    assert ", 0 failures" in said
    assert place.rows("SELECT count(*) FROM failure") == [(0,)]


def test_observations_outside_the_session_are_refused_and_the_day_goes_on(
    place: Place, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    moved = {"09:20:00.000000": "08:20", "09:25:00.000000": "15:46"}

    def outside(rows: list[Row], spot: list[Spot]) -> tuple[list[Row], list[Spot]]:
        return (
            [row | {"at": moved.get(row["at"], row["at"])} for row in rows],
            [(moved.get(at, at), name, value) for at, name, value in spot],
        )

    ended = main(capsys, place.replay(small_day(tmp_path / "day", spoil=outside)))
    went_on(ended)
    assert "12 processed + 6 refused (3 before the open, 3 after the close)" in ended.out
    assert "observation refused: after the close" in place.health()


def test_strikes_that_are_listed_during_the_day(
    place: Place, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """They are in the chain from the minute in which they are first seen; nothing is refused."""

    def later(rows: list[Row], spot: list[Spot]) -> tuple[list[Row], list[Spot]]:
        return [row for row in rows if row["strike"] not in (1_060.0, 940.0) or row["at"] >= "09:22"], spot

    day = small_day(tmp_path / "day", spoil=later, mode_recorded="IMPORT")
    ended = main(capsys, place.replay(day))
    assert ended.errors == ""
    assert ended.accounted["processed"] == 18
    sql = "SELECT rows FROM observation WHERE underlying = 'ACME' ORDER BY observed_at"
    assert place.rows(sql) == [(5,), (5,), (7,), (7,), (7,), (7,)]
    first = "SELECT min(at) FROM quote JOIN contract ON contract.id = quote.contract WHERE strike_paise = ?"
    assert place.rows(first, 106_000) == [(1_769_745_120_000,)]  # 09:22:00 in India
    assert place.rows(first, 100_000) == [(1_769_745_000_000,)]


STRANGE = ["=CMD|'/c calc'!A1", "+1+2", "-3", "@SUM(A1)", '<a&b>"', "कंपनी ₹", "A\tB\nC"]


def test_names_that_look_like_formulas_are_text_and_stored_as_they_are(
    place: Place, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    names = {name: Name(middle=500.0 + 100 * i) for i, name in enumerate(STRANGE)}
    ended = main(capsys, place.replay(small_day(tmp_path / "day", names=names)))
    assert ended.errors == ""
    assert {name for (name,) in place.rows("SELECT DISTINCT underlying FROM contract")} == set(STRANGE)
    book = openpyxl.load_workbook(place.workbook, read_only=True)
    for sheet in ("ALERT_SUMMARY", "STOCKS_GROUPED"):
        cells = {cell.value: cell.data_type for row in book[sheet].iter_rows(min_row=5, max_col=2) for cell in row}
        assert {name: cells.get(name) for name in STRANGE} == dict.fromkeys(STRANGE, "s")
    book.close()
    with zipfile.ZipFile(place.workbook) as parts:
        sheets = [parts.read(name).decode() for name in parts.namelist() if name.startswith("xl/worksheets/sheet")]
    assert not any("CMD" in formula.partition("</f>")[0] for sheet in sheets for formula in sheet.split("<f>")[1:])


@pytest.mark.slow
def test_characters_that_no_workbook_can_carry(
    place: Place, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The history keeps them; the workbook leaves them out and opens."""
    names = {"A\x01B": Name(), "\x1b[31m": Name(), "\ufffe": Name(), "x" * 40_000: Name()}
    assert main(capsys, place.replay(small_day(tmp_path / "day", names=names))).errors == ""
    assert {name for (name,) in place.rows("SELECT DISTINCT underlying FROM contract")} == set(names)
    shown = {row[1] for row in place.cells("STOCKS_GROUPED")[5:9]}
    assert shown == {"AB", "[31m", None, "x" * 32_767}


# --- imports


def raw(folder: Path) -> Path:
    """Two good raw files, five minutes of a stock and an index."""
    folder.mkdir(parents=True)
    at = ["2026-01-30 09:20:00", "2026-01-30 09:25:00"]
    write_csv(folder / "stocks.csv", STOCK_HEADER, [row for moment in at for row in stock_rows(moment)])
    write_csv(folder / "indices.csv", INDEX_HEADER, [row for moment in at for row in index_rows(moment)])
    return folder


@pytest.mark.slow
@pytest.mark.parametrize(
    ("content", "part"),
    [
        (b"", "it is empty"),
        (b"hello", "neither Parquet nor comma-separated text"),
        (b"PAR1 and no more", "damaged or cut off"),
        (b"\x1f\x8b\x08\x00 and no more", "damaged or cut off"),
        (b"a,b,c\n1,2,3\n", "belong to no known kind"),
        (b"\xff\xfe,a\n1,2\n", "not UTF-8"),
        (bytes(range(256)) * 9, "neither Parquet nor comma-separated text"),
    ],
)
def test_raw_files_of_nonsense_are_refused_and_the_good_ones_imported(
    content: bytes, part: str, place: Place, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "bad.csv").write_bytes(content)
    to = tmp_path / "day"
    refused(main(capsys, ["--import", tmp_path / "bad.csv", "--to", to]), "every source was refused", "bad.csv", part)
    assert not to.exists()
    ended = main(capsys, ["--import", tmp_path / "bad.csv", raw(tmp_path / "raw"), "--to", to])
    went_on(ended)
    assert "refused bad.csv: " in ended.out
    assert part in ended.out
    assert "observations: 4 read = 4 imported + 0 repeated + 0 refused" in ended.out
    assert main(capsys, place.replay(to)).accounted["processed"] == 4


def test_places_of_an_import_that_cannot_be(
    recording: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source = raw(tmp_path / "raw")
    mine = tmp_path / "mine"
    mine.mkdir()
    (mine / "letter.txt").write_text("dear", encoding="utf-8")
    for sources, to, part in [
        (tmp_path / "nowhere", tmp_path / "day", "there is no such file or folder"),
        (recording, tmp_path / "day", "is a recorded day already; replay it"),
        (tmp_path / "raw" / "stocks.csv", mine, "holds files that are not a recorded day and is left alone"),
        (source, mine / "letter.txt", "a folder is expected, but this is a file"),
        (source, mine / "letter.txt" / "day", "could not be written"),
    ]:
        refused(main(capsys, ["--import", sources, "--to", to]), part)
    assert [path.name for path in mine.iterdir()] == ["letter.txt"]
    assert not (tmp_path / "day").exists()


def test_broken_lines_of_a_raw_file_are_counted(
    place: Place, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Cut off in the middle of a line, a number that is none, a day that is none, and a line twice."""
    lines = stock_rows("2026-01-30 09:20:00") + stock_rows("2026-01-30 09:25:00")
    lines += [lines[0], lines[1].replace("2026-02-24", "2026-02-30"), lines[2].replace("09:20", "09:65"), lines[3][:20]]
    write_csv(tmp_path / "stocks.csv", STOCK_HEADER, lines)
    ended = main(capsys, ["--import", tmp_path / "stocks.csv", "--to", tmp_path / "day"])
    went_on(ended)
    assert "3 rows cut off, or without a readable name, expiry, strike or time" in ended.out
    assert main(capsys, place.replay(tmp_path / "day")).accounted["source"] == 2


def test_a_misread_figure_of_a_raw_file_moves_no_other_contract(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The times of change of a whole day are worked out at once."""
    at = ["2026-01-30 09:20:00", "2026-01-30 09:25:00"]
    lines = [row for moment in at for name in ("ACME", "BETA") for row in stock_rows(moment, name=name)]
    found = {}
    for called, first in {
        "good": lines[0],
        "bad": lines[0].replace(",300.0,", ",1e300,").replace(",31.5,", ",inf,"),
    }.items():
        source = write_csv(tmp_path / f"{called}.csv", STOCK_HEADER, [first, *lines[1:]])
        assert main(capsys, ["--import", source, "--to", tmp_path / called]).errors == ""
        rows = pq.read_table(tmp_path / called / "options.parquet").to_pylist()
        found[called] = [row for row in rows if (row["underlying"], row["strike"]) != ("ACME", 980.0)]
        assert len(found[called]) == 10
    assert found["bad"] == found["good"]


@pytest.mark.slow
def test_no_damage_to_a_file_gets_past_the_sentences(
    recording: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Bytes of good files changed at random (seeded): read and used, or refused with a sentence, nothing else."""
    draw = random.Random(20260130)
    source = raw(tmp_path / "raw")
    targets = [*source.iterdir(), recording / "options.parquet", recording / "manifest.json"]
    for number in range(60):
        target = targets[number % len(targets)]
        data = bytearray(target.read_bytes())
        for _ in range(draw.choice((1, 3, 30))):
            where = draw.randrange(len(data))
            data[where : where + draw.choice((0, 1, 1, 8))] = draw.randbytes(draw.choice((0, 1, 1, 4)))
        place = Place(tmp_path / f"run {number}")
        harmed = place.folder / target.name
        if target.parent == source:
            harmed.write_bytes(data)
            ended = main(capsys, ["--import", harmed, "--to", place.folder / "day"])
        else:
            day = shutil.copytree(recording, place.folder / "day")
            (day / target.name).write_bytes(data)
            if target.suffix == ".parquet":
                described = json.loads((day / "manifest.json").read_text(encoding="utf-8"))
                described["tables"]["options"]["sha256"] = hashlib.sha256(data).hexdigest()
                (day / "manifest.json").write_text(json.dumps(described), encoding="utf-8")
            shutil.copy(recording / "manifest.json", place.folder)
            ended = main(capsys, place.replay(day, "--until", "09:20"))
        assert ended.code in (0, 1), (number, ended)
        assert bool(ended.errors) >= (ended.code == 1), (number, ended)


def test_the_step_of_the_small_day_is_a_minute() -> None:
    """The cases above name its minutes."""
    assert times(3) == ["09:20:00.000000", "09:21:00.000000", "09:22:00.000000"]
