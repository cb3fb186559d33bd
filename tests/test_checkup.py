"""`--check`: each thing it looks at, in each state, with a way out; and it leaves no trace."""

import shlex
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest

from optionscanner import checkup, cli, config
from optionscanner.checkup import Finding, State, check, show
from optionscanner.checkup_probes import Probes
from optionscanner.errors import ConfigError, HistoryError, RecordingError
from optionscanner.platforms_places import Places

FRIDAY = date(2026, 1, 30)
BOOK = b"PK\x03\x04 and the rest"
DATABASE = b"SQLite format 3\0 and the rest"


def machine(**others) -> Probes:
    """A machine on which everything is well."""
    usual = Probes(
        platform="Linux-6.1",
        python="python3",
        python_version=(3, 11, 7),
        environment={},
        today=lambda: FRIDAY,
        utc_offset=lambda: "+0530",
        registered_excel=lambda: None,
        command={"soffice": "/usr/bin/soffice"}.get,
        exists=lambda _place: False,
        free=lambda _folder: 80_000_000_000,
        has_package=lambda _requirement: True,
        package_version=lambda _name: "1.2",
    )
    return replace(usual, **others)


def never_read(folder: Path) -> date:
    pytest.fail(f"{folder} must not be read")


def findings(root: Path, line: str = "", **others) -> list[Finding]:
    arguments = {"read_recording": never_read, "probes": machine(), "config": config.load(root=root)} | others
    return check(arguments.pop("config"), cli.parse(shlex.split(line)), **arguments)


def found(root: Path, item: str, line: str = "", **others) -> Finding:
    (one,) = [finding for finding in findings(root, line, **others) if finding.item == item]
    return one


def refuse(error: Exception):
    def raising(*_arguments):
        raise error

    return raising


# All is well


def test_a_fresh_machine_is_ready_and_stays_as_it_was(tmp_path):
    result = findings(tmp_path)
    assert {finding.state for finding in result} == {State.OK}
    assert [finding.item for finding in result] == [
        "Python", "Packages", "Configuration", "Market", "Calendar", "Spreadsheet", "Workbook", "History", "Disk",
        "Log", "Credentials", "Time zone", "What will happen",
    ]  # fmt: skip
    assert list(tmp_path.iterdir()) == []


def test_nothing_is_created_or_changed_where_things_are(tmp_path):
    book, history = tmp_path / "workbooks" / "OptionsDashboard.xlsx", tmp_path / "var" / "history" / "a.db"
    for file, content in ((book, BOOK), (history, DATABASE)):
        file.parent.mkdir(parents=True)
        file.write_bytes(content)
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")}
    show(findings(tmp_path), lambda _line: None)
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")} == before


@pytest.mark.parametrize(
    ("line", "words"),
    [
        (
            "",
            "takes the simulated market, every name of it, runs from its first instant to its close at the ",
        ),
        ("--once", "takes the simulated market, every name of it, makes one pass over every underlying, and ends. "),
        (
            "--replay day --speed max --from 9:30 --until 11:00",
            "takes the recorded day of 30-Jan-2026, every name of it, runs from 09:30 to 11:00 as fast as it can, and",
        ),
        ("--replay day", "runs from its first instant to its close at 60 times the market's pace, and ends; Ctrl-C"),
    ],
)
def test_what_will_happen(tmp_path, line, words):
    last = findings(tmp_path, line, read_recording=lambda _folder: FRIDAY)[-1]
    assert last.item == checkup.WILL_HAPPEN
    assert words in last.found
    assert str(tmp_path / "workbooks" / "OptionsDashboard.xlsx") in last.found


def test_fewer_names_are_told(tmp_path):
    (tmp_path / "config.yaml").write_text("underlyings:\n  include: [NIFTY, SAIL]\n")
    assert "the simulated market, 2 names of it" in findings(tmp_path)[-1].found


def test_what_stands_in_the_way_is_told_at_the_end(tmp_path):
    result = findings(tmp_path, probes=machine(free=lambda _folder: 0, has_package=lambda _requirement: False))
    assert result[-1].found == "the program would not get far; put right first: Packages, Disk."


# Each thing


def test_python(tmp_path):
    assert found(tmp_path, "Python").found == "3.11.7 on Linux-6.1 (python3)"


def test_packages(tmp_path):
    assert "numpy 1.2, scipy 1.2, pandas 1.2" in found(tmp_path, "Packages").found
    lacking = found(tmp_path, "Packages", probes=machine(has_package=lambda line: not line.startswith("numpy")))
    assert lacking.state is State.BAD
    assert lacking.found.startswith("missing or of another version: numpy>=")
    assert lacking.what_to_do == "start `python run_dashboard.py` without --check: it installs them"


def test_packages_of_a_broken_project(tmp_path, monkeypatch):
    monkeypatch.setattr(checkup, "project_folder", lambda: tmp_path)
    broken = found(tmp_path, "Packages")
    assert (broken.state, broken.what_to_do) == (State.BAD, "fetch the project again")


def test_configuration(tmp_path):
    assert found(tmp_path, "Configuration").found.endswith("config.yaml does not exist; every setting has its default.")
    (tmp_path / "config.yaml").write_text("")
    assert found(tmp_path, "Configuration").found == str(tmp_path / "config.yaml")


def test_a_configuration_with_problems_leaves_the_rest_of_the_check(tmp_path):
    result = findings(tmp_path, config=ConfigError("line 1: one.\nline 2: two."))
    assert result[2] == Finding(
        "Configuration", State.BAD, "line 1: one.\nline 2: two.",
        "correct what is named; the rest of this check assumes defaults",
    )  # fmt: skip
    assert len(result) == 13
    assert result[-1].found == "the program would not get far; put right first: Configuration."
    assert f"{config.project_folder() / 'var' / 'log'}" in [finding.found for finding in result]


@pytest.mark.parametrize(("line", "seed"), [("", 7), ("--seed 0", 0)])
def test_the_simulated_market(tmp_path, line, seed):
    assert found(tmp_path, "Market", line).found == f"simulated, seed {seed}; no recording or credentials needed"


def test_a_recorded_day(tmp_path):
    seen: list[Path] = []

    def read(folder: Path) -> date:
        seen.append(folder)
        return FRIDAY

    result = findings(tmp_path, "--replay day", read_recording=read)
    by_item = {finding.item: finding for finding in result}
    assert seen == [Path("day")]
    assert by_item["Market"].found == "recorded day 30-Jan-2026 in day"
    assert by_item["Recorded date"].found == "30-Jan-2026: trades 09:15 to 15:30"
    assert by_item["Interest rate"].found == "5.25 % a year on 30-Jan-2026"


def test_a_folder_that_is_no_recorded_day(tmp_path):
    broken = found(tmp_path, "Market", "--replay day", read_recording=refuse(RecordingError("day: no manifest.json")))
    assert broken == Finding("Market", State.BAD, "day: no manifest.json", "name a folder that --import has written")


@pytest.mark.parametrize(
    ("day", "state", "words"),
    [
        (date(2026, 1, 26), State.BAD, "26-Jan-2026: closed (Republic Day)"),
        (date(2026, 2, 1), State.OK, "01-Feb-2026: trades 09:15 to 15:30"),
        (date(2023, 6, 1), State.BAD, "2023-06-01 is not in the trading calendar, which covers 2024-01-01 to"),
    ],
)
def test_the_date_of_a_recording(tmp_path, day, state, words):
    one = found(tmp_path, "Recorded date", "--replay day", read_recording=lambda _folder: day)
    assert (one.state, one.found[: len(words)]) == (state, words)
    assert bool(one.what_to_do) == (state is State.BAD)


def test_a_recording_of_before_the_first_rate(tmp_path):
    (tmp_path / "config.yaml").write_text("rates: [{from: 2026-06-01, rate: 0.05, source: me}]\n")
    one = found(tmp_path, "Interest rate", "--replay day", read_recording=lambda _folder: FRIDAY)
    assert one.state is State.BAD
    assert one.found.startswith("rates must hold a rate in force on 2026-01-30")


@pytest.mark.parametrize(
    ("today", "state", "words"),
    [
        (FRIDAY, State.OK, "covers 01-Jan-2024 to 31-Dec-2026; today, 30-Jan-2026: trades 09:15 to 15:30"),
        (date(2026, 1, 26), State.OK, "today, 26-Jan-2026: closed (Republic Day)"),
        (date(2026, 11, 30), State.OK, "today, 30-Nov-2026"),
        (date(2026, 12, 1), State.WARN, "The trading calendar ends on 2026-12-31, in 30 days;"),
        (date(2027, 3, 1), State.WARN, "The trading calendar ended on 2026-12-31;"),
        (date(2023, 12, 31), State.OK, "2023-12-31 is not in the trading calendar"),
    ],
)
def test_the_calendar(tmp_path, today, state, words):
    one = found(tmp_path, "Calendar", probes=machine(today=lambda: today))
    assert one.state is state
    assert words in one.found
    assert one.what_to_do.startswith("Add the exchange's next holiday list") == (state is State.WARN)


# The places in which the programs of each system are found.
PROGRAMS = {
    "excel.exe": {"registered_excel": lambda: r"C:\Office\excel.exe"},
    "Microsoft Excel.app": {"exists": "/Applications/Microsoft Excel.app".__eq__},
    "/usr/bin/libreoffice": {"command": {"libreoffice": "/usr/bin/libreoffice"}.get},
    "program\\soffice.exe": {"exists": r"C:\Program Files\LibreOffice\program\soffice.exe".__eq__},
    "LibreOffice.app": {"exists": "/Applications/LibreOffice.app/Contents/MacOS/soffice".__eq__},
}


@pytest.mark.parametrize("place", PROGRAMS)
def test_a_spreadsheet_program(tmp_path, place):
    one = found(tmp_path, "Spreadsheet", probes=machine(**{"command": {}.get, **PROGRAMS[place]}))
    assert one.state is State.OK
    assert place in one.found


def test_no_spreadsheet_program(tmp_path):
    one = found(tmp_path, "Spreadsheet", probes=machine(command={}.get))
    assert one.state is State.WARN
    assert "the workbook file is written all the same" in one.found
    assert "install Excel, or LibreOffice" in one.what_to_do


def book_at(path: Path, content: bytes = BOOK) -> Path:
    path.write_bytes(content)
    return path


def test_a_workbook_that_is_ready(tmp_path):
    book = book_at(tmp_path / "b.xlsx")
    one = found(tmp_path, "Workbook", f"--workbook {book}")
    assert one == Finding("Workbook", State.OK, f"{book}, 17 bytes")


def test_a_workbook_to_be_made(tmp_path):
    place = tmp_path / "new" / "b.xlsx"
    one = found(tmp_path, "Workbook", f"--workbook {place}")
    assert one == Finding("Workbook", State.OK, f"{place} does not exist yet and will be created")


def test_a_workbook_that_is_a_folder(tmp_path):
    (tmp_path / "b.xlsx").mkdir()
    one = found(tmp_path, "Workbook", f"--workbook {tmp_path / 'b.xlsx'}")
    assert (one.state, one.what_to_do) == (State.BAD, "name a file with --workbook")


def test_a_workbook_that_is_none(tmp_path):
    book = book_at(tmp_path / "b.xlsx", b"a,b,c")
    one = found(tmp_path, "Workbook", f"--workbook {book}")
    assert (one.state, one.found) == (State.BAD, f"{book} is not an .xlsx workbook")


@pytest.mark.parametrize("lock", ["~$b.xlsx", ".~lock.b.xlsx#"])
def test_a_workbook_that_is_open(tmp_path, lock):
    """Excel's lock file, and LibreOffice's."""
    book = book_at(tmp_path / "b.xlsx")
    (tmp_path / lock).write_text("")
    one = found(tmp_path, "Workbook", f"--workbook {book}")
    assert one.state is State.WARN
    assert one.found == f"{book} seems to be open in a spreadsheet ({lock} lies beside it)"


def only_readable(*places: Path):
    return lambda place, _mode: place not in places


def test_a_workbook_that_is_read_only(tmp_path):
    book = book_at(tmp_path / "b.xlsx")
    for place in (book, tmp_path):
        one = found(tmp_path, "Workbook", f"--workbook {book}", probes=machine(access=only_readable(place)))
        assert (one.state, one.found) == (State.BAD, f"{book} is read-only")


def test_places_where_nothing_can_be_made(tmp_path):
    probes = machine(access=only_readable(tmp_path))
    states = {f.item: (f.state, f.found) for f in findings(tmp_path, probes=probes)}
    book, history, log = (tmp_path / p for p in ("workbooks/OptionsDashboard.xlsx", "var/history", "var/log"))
    assert states["Workbook"] == (State.BAD, f"{book} cannot be created: {tmp_path} is read-only")
    assert states["History"] == (State.BAD, f"{history} cannot be created: {tmp_path} is read-only")
    assert states["Log"] == (State.WARN, f"{log} cannot be written: {tmp_path} is read-only")


def test_a_file_where_a_folder_should_be(tmp_path):
    (tmp_path / "var").write_text("")
    assert found(tmp_path, "History").found.endswith(f"{tmp_path / 'var'} is a file, expected a folder")
    assert found(tmp_path, "Log").state is State.WARN


@pytest.mark.parametrize("named", ["--history", "history"])
def test_a_history_that_will_be_made(tmp_path, named):
    place = tmp_path / "new.db"
    one = (
        found(tmp_path, "History", f"--history {place}") if named == "--history"
        else found(tmp_path, "History", history=place)
    )  # fmt: skip
    assert one == Finding("History", State.OK, f"{place} does not exist yet and will be created")


def test_a_history_that_is_there(tmp_path):
    place = book_at(tmp_path / "h.db", DATABASE)
    assert found(tmp_path, "History", f"--history {place}").found == f"{place}, 29 bytes"
    told = found(tmp_path, "History", f"--history {place}", read_history=lambda _path: "12 sessions")
    assert told.found == f"{place}, 29 bytes; 12 sessions"
    newer = found(tmp_path, "History", history=place, read_history=refuse(HistoryError("h.db: of a newer schema")))
    assert (newer.state, newer.found) == (State.BAD, "h.db: of a newer schema")


@pytest.mark.parametrize(("content", "state"), [(b"hello", State.BAD), (b"", State.OK)])
def test_a_history_that_is_no_database(tmp_path, content, state):
    place = book_at(tmp_path / "h.db", content)
    one = found(tmp_path, "History", f"--history {place}")
    assert one.state is state


def test_a_history_that_is_a_folder_or_read_only(tmp_path):
    assert found(tmp_path, "History", f"--history {tmp_path}").found == f"{tmp_path} is a folder, expected a file"
    place = book_at(tmp_path / "h.db", DATABASE)
    one = found(tmp_path, "History", f"--history {place}", probes=machine(access=only_readable(place)))
    assert (one.state, one.found) == (State.BAD, f"{place} is read-only")
    new = tmp_path / "new" / "h.db"
    one = found(tmp_path, "History", f"--history {new}", probes=machine(access=only_readable(tmp_path)))
    assert (one.state, one.what_to_do) == (State.BAD, "name another with --history")


def test_every_database_of_the_folder_is_looked_at(tmp_path):
    folder = tmp_path / "var" / "history"
    folder.mkdir(parents=True)
    book_at(folder / "a.db", DATABASE)
    book_at(folder / "b.db", b"hello")
    (folder / "notes.txt").write_text("")
    assert [f.state for f in findings(tmp_path) if f.item == "History"] == [State.OK, State.BAD]


@pytest.mark.parametrize(
    ("free", "state", "words"),
    [
        (499_999_999, State.BAD, "500.0 MB free"),
        (500_000_000, State.WARN, "500.0 MB free"),
        (4_999_999_999, State.WARN, "5.0 GB free"),
        (5_000_000_000, State.OK, "5.0 GB free"),
        (1_234_000_000_000, State.OK, "1,234.0 GB free"),
    ],
)
def test_the_disk(tmp_path, free, state, words):
    asked: list[Path] = []

    def probe(folder: Path) -> int:
        asked.append(folder)
        return free

    one = found(tmp_path, "Disk", probes=machine(free=probe))
    assert (one.state, one.found) == (state, f"{words} in {tmp_path}")
    assert asked == [tmp_path]
    assert bool(one.what_to_do) == (state is not State.OK)


def test_credentials_are_named_and_never_shown(tmp_path):
    environment = {"SMARTAPI_API_KEY": "hunter2", "SMARTAPI_PASSWORD": ""}
    result = findings(tmp_path, probes=machine(environment=environment))
    one = next(finding for finding in result if finding.item == "Credentials")
    assert one.found == "SMARTAPI_API_KEY present; live market: not in this version, so none are needed"
    assert "hunter2" not in repr(result)


def test_the_time_zone(tmp_path):
    assert found(tmp_path, "Time zone").found.startswith("this computer is at UTC+0530; every time")


# What is printed


def test_what_is_printed():
    lines: list[str] = []
    result = [
        Finding("Disk", State.WARN, "1 MB free", "free some space"),
        Finding("Calendar", State.OK, "first line\nsecond line"),
        Finding(checkup.WILL_HAPPEN, State.OK, "much."),
    ]
    assert show(result, lines.append) == 0
    assert lines == [
        "WARN  Disk      1 MB free",
        "                -> free some space",
        "OK    Calendar  first line",
        "                second line",
        "",
        "What will happen: much.",
    ]


def test_anything_bad_makes_the_exit_code_one():
    assert show([Finding("Disk", State.BAD, "full", "")], lambda _line: None) == 1


def test_lines_fit_a_screen_and_paths_stay_whole():
    lines: list[str] = []
    path = "/" + "x" * 150
    show([Finding("A", State.OK, "word " * 60, "do " * 80), Finding("B", State.OK, f"see {path} there")], lines.append)
    assert max(len(line) for line in lines if path not in line) <= 110
    assert any(path in line for line in lines)


def test_the_real_machine_can_be_asked(tmp_path, capsys):
    """This one: nothing is asserted of what it has, only that every question has an answer."""
    result = check(config.load(root=tmp_path), cli.parse([]), read_recording=never_read)
    assert show(result) in (0, 1)
    printed = capsys.readouterr().out
    assert all(finding.item in printed for finding in result)
    assert list(tmp_path.iterdir()) == []


# Where the files lie


def test_a_workbook_in_a_synchronised_folder_is_told(tmp_path):
    book = tmp_path / "OneDrive - A Firm" / "b.xlsx"
    result = findings(tmp_path, f"--workbook {shlex.quote(str(book))}")
    (one,) = [finding for finding in result if finding.state is State.WARN]
    assert one.item == "Workbook's place"
    assert one.found.startswith(f"{book} is in a folder that OneDrive synchronises, which may hold the file")
    assert one.what_to_do == "keep the workbook in a folder of this computer only"


def test_a_history_on_a_network_drive_is_told(tmp_path):
    places = Places("linux", {}, lambda: [("/", "ext4"), (str(tmp_path / "var"), "cifs")])
    result = findings(tmp_path, probes=machine(places=places))
    (one,) = [finding for finding in result if finding.state is State.WARN]
    assert (one.item, "a database can be damaged" in one.found) == ("History's place", True)


def test_blocked_macros_are_told(tmp_path):
    def none() -> list[tuple[str, str]]:
        return []

    places = Places("win32", {}, none, lambda _drive: False, lambda _file: "[ZoneTransfer]\r\nZoneId=3\r\n")
    one = found(tmp_path, "Macros", f"--workbook {tmp_path / 'b.xlsm'}", probes=machine(places=places))
    assert one.state is State.WARN
    assert "Unblock" in one.what_to_do
