"""The command line: what is understood, the sentence for everything else, and the help."""

import io
import sys
from datetime import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from optionscanner import __version__, cli
from optionscanner.cli import Options, parse
from optionscanner.config_sections import History, Log, Workbook


@pytest.mark.parametrize(
    ("line", "options"),
    [
        ("", Options(speed=1.0)),
        ("--once", Options(once=True, speed=1.0)),
        ("--replay a", Options(replay=Path("a"), speed=60.0)),
        ("--replay a --speed max", Options(replay=Path("a"), speed=None)),
        ("--replay a --speed 0.5", Options(replay=Path("a"), speed=0.5)),
        ("--speed=1", Options(speed=1.0)),
        ("--from 9:15 --until 10:00", Options(start=time(9, 15), until=time(10))),
        ("--until 00:00", Options(until=time(0))),
        ("--seed 0", Options(seed=0)),
        ("--import a b --to c", Options(sources=(Path("a"), Path("b")), to=Path("c"))),
        ("--to c --import a", Options(sources=(Path("a"),), to=Path("c"))),
        (
            "--workbook b.XLSX --history h.db --config c.yaml --check",
            Options(workbook=Path("b.XLSX"), history=Path("h.db"), config=Path("c.yaml"), check=True),
        ),
        ("--replay a --once --until 11:30", Options(replay=Path("a"), speed=60.0, once=True, until=time(11, 30))),
    ],
)
def test_what_is_understood(line, options):
    assert parse(line.split()) == options


def complaint(capsys, *arguments: str) -> str:
    """The one line on stderr."""
    with pytest.raises(SystemExit) as ended:
        parse(arguments)
    out, err = capsys.readouterr()
    assert (ended.value.code, out) == (2, "")
    start, end = "run_dashboard.py: ", "; see `python run_dashboard.py --help`.\n"
    assert err.startswith(start)
    assert err.endswith(end)
    assert err.count("\n") == 1
    return err.removeprefix(start).removesuffix(end)


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        (
            "--to a",
            "--to says where --import, --export or --doctor puts its result, and all three are missing",
        ),
        ("--export flow", "--export needs --to FILE.csv, the file to write"),
        ("--export flow --to a.txt", "--export needs --to FILE.csv, the file to write"),
        ("--export flow --to a.csv --once", "--export runs no session and has no use for --once; leave it out"),
        ("--export flow --to a.csv --check", "--export runs no session and has no use for --check; leave it out"),
        ("--keep --replay a", "--keep runs no session and has no use for --replay; leave it out"),
        ("--keep --doctor", "--keep runs no session and has no use for --doctor; leave it out"),
        ("--doctor --to a.txt", "--doctor writes a zip, so --to must end in .zip, came 'a.txt'"),
        ("--date 2026-01-30", "--date is about what --export writes, and --export is missing"),
        ("--bom", "--bom is about what --export writes, and --export is missing"),
        ("--export a --to a.csv --date 30.1.", "--date: must be a date such as 2026-01-30, came '30.1.'"),
        ("--import a", "--import needs --to FOLDER, the place for the recorded day"),
        ("--import a --to b --once", "--import only converts files and has no use for --once; leave it out"),
        ("--import a --to b --seed 0", "--import only converts files and has no use for --seed; leave it out"),
        ("--import a --to b --config c", "--import only converts files and has no use for --config; leave it out"),
        ("--import a --to b --check", "--import only converts files and has no use for --check; leave it out"),
        ("--import a --to b --until 10:00", "--import only converts files and has no use for --until; leave it out"),
        ("--import a --to b --from 10:00", "--import only converts files and has no use for --from; leave it out"),
        (
            "--replay a --seed 0",
            "--seed belongs to the simulated market and a recorded day has none; leave out --seed or --replay",
        ),
        ("--once --speed max", "--once is a single pass and has no speed; leave out --once or --speed"),
        (
            "--from 10:00 --until 9:59",
            "--from must be earlier than --until, came --from 10:00 --until 09:59",
        ),
        ("--from 10:00 --until 10:00", "--from must be earlier than --until, came --from 10:00 --until 10:00"),
        ("--speed 0", "--speed: must be a number above 0 or the word max, came '0'"),
        ("--speed -1", "--speed: must be a number above 0 or the word max, came '-1'"),
        ("--speed inf", "--speed: must be a number above 0 or the word max, came 'inf'"),
        ("--speed nan", "--speed: must be a number above 0 or the word max, came 'nan'"),
        ("--speed fast", "--speed: must be a number above 0 or the word max, came 'fast'"),
        ("--speed", "--speed: expected one argument"),
        ("--from 24:00", "--from: must be a time of day such as 09:15, came '24:00'"),
        ("--from 9:60", "--from: must be a time of day such as 09:15, came '9:60'"),
        ("--from 9:5", "--from: must be a time of day such as 09:15, came '9:5'"),
        ("--until 0915", "--until: must be a time of day such as 09:15, came '0915'"),
        ("--until 09:15:00", "--until: must be a time of day such as 09:15, came '09:15:00'"),
        ("--seed 1.5", "--seed: must be a whole number from 0 to 4294967295, came '1.5'"),
        ("--seed -1", "--seed: must be a whole number from 0 to 4294967295, came '-1'"),
        ("--seed 4294967296", "--seed: must be a whole number from 0 to 4294967295, came '4294967296'"),
        ("--workbook a.xls", "--workbook: must be a file whose name ends in .xlsx or .xlsm, came 'a.xls'"),
        ("--replay=", "--replay: must be a path, came ''"),
        ("--sped 5", "--sped is not an option, did you mean --speed?"),
        ("--simulate", "--simulate is not an option"),
        ("--repl a", "--repl is not an option, did you mean --replay?"),
        ("a", "'a' is not an option; folders and files follow an option such as --replay"),
    ],
)
def test_nonsense_gets_one_sentence(capsys, line, sentence):
    assert complaint(capsys, *line.split()) == sentence


def test_without_a_console_nonsense_still_ends_with_two(monkeypatch):
    monkeypatch.setattr(sys, "stderr", None)
    with pytest.raises(SystemExit, match="2"):
        parse(["--sped"])


def printed(capsys, option: str) -> str:
    with pytest.raises(SystemExit) as ended:
        parse([option])
    assert ended.value.code == 0
    return capsys.readouterr().out


def test_version(capsys):
    assert printed(capsys, "--version").startswith(f"OptionScanner {__version__} (Python 3.")


@pytest.mark.parametrize("option", ["--help", "-h"])
def test_help_is_worth_reading(capsys, monkeypatch, option):
    """Every option with a sentence, examples that are understood, places that are true, exit codes."""
    monkeypatch.setenv("COLUMNS", "200")
    text = printed(capsys, option)
    options = (
        "--replay --seed --import --to --once --speed --from --until --workbook --history --config --check --version "
        "--export --date --underlying --bom --keep --doctor"
    )
    for name in options.split():
        assert f"\n  {name} " in text
    assert "default 1; 60 with --replay" in text
    examples = [line.strip() for line in text.splitlines() if line.startswith(f"  python {cli.PROGRAM}")]
    assert len(examples) >= 5
    for example in examples:
        parse(example.split("  ")[0].split()[2:])
    for place in (Workbook().path, Log().folder, History().folder):
        assert place.as_posix() in text
    assert "exit codes:\n  0" in text
    text.encode("ascii")  # no console has trouble with it


def test_help_fits_a_small_terminal(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    assert max(map(len, printed(capsys, "--help").splitlines())) <= 110


@given(
    st.lists(st.one_of(st.text(), st.sampled_from("--once --replay --speed --import --to --from max 9:15 1".split())))
)
def test_any_arguments_are_understood_or_refused(arguments):
    stderr, sys.stderr = sys.stderr, io.StringIO()
    stdout, sys.stdout = sys.stdout, io.StringIO()
    try:
        assert isinstance(parse(arguments), Options)
    except SystemExit as ended:
        assert ended.code in (0, 2)
    finally:
        sys.stderr, sys.stdout = stderr, stdout


@given(st.times())
def test_every_minute_of_the_day_is_understood(at):
    assert parse(["--from", f"{at:%H:%M}"]).start == at.replace(second=0, microsecond=0)
