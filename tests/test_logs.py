"""The log: one line per record, no secrets, and never a reason to stop."""

import json
import logging
import re
import warnings
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from optionscanner import logs

STAMP = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}\+05:30"


@dataclass(frozen=True)
class Settings:
    folder: Path
    level: str = "INFO"
    max_mb: float = 1.0
    backups: int = 2


@pytest.fixture(autouse=True)
def closed():
    level = logging.getLogger(logs.PACKAGE).level
    yield
    logs.close()
    logging.getLogger(logs.PACKAGE).setLevel(level)


def never(sentence: str) -> None:
    pytest.fail(sentence)


def written(folder: Path) -> list[str]:
    return (folder / logs.FILE_NAME).read_text(encoding="utf-8").splitlines()


def formatted(message: str, *arguments: object, secrets=(), name: str = "optionscanner.cycle", info=None) -> str:
    record = logging.LogRecord(name, logging.INFO, "cycle.py", 1, message, arguments, info)
    record.created = 1_769_748_999.1234  # 30-Jan-2026 10:26:39.123 IST
    return logs.LineFormatter(secrets).format(record)


def test_a_line():
    assert formatted("cycle=%d %s", 12, "x=1") == "2026-01-30T10:26:39.123+05:30 INFO cycle cycle=12 x=1"


def test_records_reach_the_file(tmp_path):
    log = logs.set_up(Settings(tmp_path / "a" / "b"), never)
    logging.getLogger("optionscanner.cycle").info("₹ %s", "नमस्ते")
    log.debug("not at this level")
    (line,) = written(tmp_path / "a" / "b")
    assert re.fullmatch(STAMP + r" INFO cycle ₹ नमस्ते", line)


def test_text_that_is_no_unicode_is_spelt_out(tmp_path):
    """A lone surrogate, as in names of files that are not UTF-8; for our handler alone, as others choke on it."""
    logs.set_up(Settings(tmp_path), never)
    (ours,) = [handler for handler in logging.getLogger().handlers if isinstance(handler, logs._File)]
    ours.handle(logging.LogRecord("optionscanner", logging.INFO, "x.py", 1, "file \ud800", (), None))
    assert written(tmp_path)[0].endswith(" file \\ud800")


def test_libraries_warnings_are_kept_and_their_chatter_is_not(tmp_path):
    logs.set_up(Settings(tmp_path), never)
    logging.getLogger("apscheduler.scheduler").info("added job")
    logging.getLogger("apscheduler.scheduler").warning("missed")
    (line,) = written(tmp_path)
    assert line.endswith(" WARNING apscheduler.scheduler missed")


def test_python_warnings_go_to_the_log(tmp_path):
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        logs.set_up(Settings(tmp_path), never)
        warnings.warn("old function", DeprecationWarning, stacklevel=1)
        logs.close()
    (line,) = written(tmp_path)
    assert "WARNING py.warnings" in line
    assert "DeprecationWarning: old function" in line


def test_an_exception_stands_on_one_line(tmp_path):
    log = logs.set_up(Settings(tmp_path), never)
    try:
        raise ZeroDivisionError("first\nsecond")
    except ZeroDivisionError:
        log.error("engine=%s failed\nnames=-", "flow", exc_info=True)
    (line,) = written(tmp_path)
    assert " ERROR optionscanner engine=flow failed | names=- | Traceback (most recent call last): | File " in line
    assert line.endswith("ZeroDivisionError: first | second")


@given(st.text())
def test_every_record_is_one_printable_line(text):
    assert formatted("%s", text).isprintable()


def test_arguments_that_do_not_fit_are_logged_as_they_are():
    assert formatted("%d cycles", "many").endswith("cycle %d cycles ('many',)")


# Secrets


def test_a_secret_never_reaches_the_file(tmp_path):
    """Nor in arguments, exceptions, or what a library says."""
    logs.set_up(Settings(tmp_path), never, secrets=["hunter2!", "hunter2!!", "", "abc"])
    logging.getLogger("optionscanner.adapters").info("pin=%s key=%s", "hunter2!", "hunter2!!")
    logging.getLogger("urllib3").warning("GET /?pin=hunter2!")
    try:
        raise ValueError("token hunter2! refused")
    except ValueError:
        logging.getLogger("optionscanner").exception("login abc")
    text = "\n".join(written(tmp_path))
    assert "hunter2" not in text
    assert "pin=*** key=***\n" in text
    assert "login abc" in text  # shorter than four signs is no secret but a part of words


@given(st.text(min_size=4), st.text(), st.text())
def test_whatever_the_secret_it_is_gone(secret, before, after):
    line = formatted("%s", before + secret + after, secrets=[secret])
    if len(secret.splitlines()) == 1 and secret.strip() == secret and "*" not in secret:
        assert secret not in line.removeprefix("2026-01-30T10:26:39.123+05:30 INFO cycle ")


# Trouble with the file


def test_a_folder_that_cannot_be_made_is_told_once_and_the_program_goes_on(tmp_path):
    (tmp_path / "file").write_text("")
    told: list[str] = []
    log = logs.set_up(Settings(tmp_path / "file" / "log"), told.append)
    log.error("lost")
    log.error("lost too")
    (sentence,) = told
    assert sentence.startswith(f"The log {tmp_path / 'file' / 'log' / logs.FILE_NAME} cannot be written (")
    assert sentence.endswith("free the disk, or name another folder as log.folder in config.yaml.")


def test_a_disk_that_fills_up_is_told_once(tmp_path):
    told: list[str] = []
    log = logs.set_up(Settings(tmp_path), told.append)
    log.info("kept")
    handler = next(h for h in logging.getLogger().handlers if isinstance(h, logs._File))
    real, handler.stream = handler.stream, FullDisk()
    log.info("lost")
    log.info("lost too")
    handler.stream = real
    log.info("kept again")
    assert [line.split()[-1] for line in written(tmp_path)] == ["kept", "again"]
    assert [sentence.partition(": ")[0].partition("(")[2] for sentence in told] == ["No space left on device)"]


class FullDisk:
    def write(self, text: str) -> int:
        raise OSError(28, "No space left on device")

    def flush(self) -> None:
        """Nothing to flush."""

    def seek(self, *_place: int) -> int:
        return 0

    def tell(self) -> int:
        return 0


def test_the_file_is_put_aside_at_its_size(tmp_path):
    log = logs.set_up(Settings(tmp_path, max_mb=0.001, backups=2), never)
    for number in range(100):
        log.info("number=%d", number)
    files = sorted(path.name for path in tmp_path.iterdir())
    assert files == [logs.FILE_NAME, f"{logs.FILE_NAME}.1", f"{logs.FILE_NAME}.2"]
    assert all(path.stat().st_size <= 1000 for path in tmp_path.iterdir())
    assert written(tmp_path)[-1].endswith("number=99")


def test_a_file_that_another_program_holds_grows_instead(tmp_path, monkeypatch):
    """As on Windows, where an open file cannot be renamed."""
    told: list[str] = []
    log = logs.set_up(Settings(tmp_path, max_mb=0.001), told.append)

    def held(_handler, _source, _target):
        raise PermissionError(13, "held by another program")

    monkeypatch.setattr(logs._File, "rotate", held)
    for number in range(50):
        log.info("number=%d", number)
    assert [line.split("=")[-1] for line in written(tmp_path)] == [str(number) for number in range(50)]
    assert len(told) == 1


def test_set_up_again_replaces_the_file(tmp_path):
    logs.set_up(Settings(tmp_path / "a"), never)
    log = logs.set_up(Settings(tmp_path / "b", level="DEBUG"), never)
    log.debug("here")
    assert written(tmp_path / "a") == []
    assert len(written(tmp_path / "b")) == 1


def test_close_leaves_logging_as_it_was(tmp_path):
    before = list(logging.getLogger().handlers)
    logs.set_up(Settings(tmp_path), never)
    logs.close()
    assert logging.getLogger().handlers == before


# key=value


def test_key_value():
    line = logs.kv(as_of="2026-01-30", names=209, ms=41.25, note='two "words"', none=None, nan=float("nan"), empty="")
    assert line == r'as_of=2026-01-30 names=209 ms=41.25 note="two \"words\"" none= nan= empty=""'


@given(st.dictionaries(st.from_regex("[a-z_]+", fullmatch=True), st.text(st.characters()), max_size=5))
def test_key_value_can_be_read_back(fields):
    line = logs.kv(**fields)
    assert line.isprintable()
    back = {}
    while line:
        key, _, line = line.partition("=")
        quoted = line.startswith('"')
        value, end = json.JSONDecoder().raw_decode(line) if quoted else (line.split(" ")[0], line.find(" "))
        back[key] = value
        line = "" if end in (-1, len(line)) else line[end:].lstrip(" ")
    assert back == fields
