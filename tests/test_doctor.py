"""The report for bug hunters: it holds what is needed, and none of the secrets that were planted everywhere."""

from __future__ import annotations

import base64
import json
import os
import subprocess
import zipfile
from pathlib import Path
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from optionscanner import __version__
from optionscanner.app_doctor import Question, write_report
from optionscanner.config import load
from optionscanner.errors import ConfigError
from optionscanner.history.store import SqliteHistory
from optionscanner.logs_redaction import redacted, secrets_of
from optionscanner.model.sessions import Mode
from tests import builders, program
from tests.builders import ist

PLANTED = {
    "SMARTAPI_API_KEY": "kQ7xZp3L",
    "SMARTAPI_CLIENT_ID": "S5512345",
    "SMARTAPI_PASSWORD": "8341",
    "SMARTAPI_TOTP_SECRET": "JBSWY3DPEHPK3PXPJBSW",
    "BROKER_TOKEN": 'we"ird ₹/+ one',
}
IN_DOT_ENV = "dotenv-only-value"
IN_LOG = {
    "jwtToken": "eyJhbGciOiJIUzUxMiJ9.eyJ1c2VybmFtZSI6IlM1NTEyMzQ1In0.c2lnbmF0dXJlLXBhcnQ",
    "refresh": "bearer-value-0042",
    "seed": "GEZDGNBVGY3TQOJQGEZD",
    "url": "proxyuser:proxypass9",
    "named": "plain-word-secret",
    "two words": "correct horse battery",
}
LOG = f"""\
2026-01-30T10:26:39.123+05:30 INFO cycle cycle=12 updated=209 cycle_ms=41.0
2026-01-30T10:26:40.123+05:30 ERROR angel {PLANTED["SMARTAPI_CLIENT_ID"]} refused: {PLANTED["SMARTAPI_PASSWORD"]}
2026-01-30T10:26:41.123+05:30 DEBUG angel reply {{"jwtToken": "{IN_LOG["jwtToken"]}", "status": true}}
2026-01-30T10:26:42.123+05:30 DEBUG angel headers Authorization: Bearer {IN_LOG["refresh"]}
2026-01-30T10:26:43.123+05:30 DEBUG angel otp from {IN_LOG["seed"]}
2026-01-30T10:26:44.123+05:30 DEBUG angel proxy https://{IN_LOG["url"]}@proxy.example:8080/
2026-01-30T10:26:45.123+05:30 DEBUG angel feed_token={IN_LOG["named"]}&mode=3
2026-01-30T10:26:46.123+05:30 DEBUG angel password: {IN_LOG["two words"]}
2026-01-30T10:26:47.123+05:30 DEBUG angel GET /login?x={quote(PLANTED["BROKER_TOKEN"], safe="")}
2026-01-30T10:26:48.123+05:30 DEBUG angel body {json.dumps({"x": PLANTED["BROKER_TOKEN"]})}
2026-01-30T10:26:49.123+05:30 DEBUG angel {base64.b64encode(PLANTED["SMARTAPI_API_KEY"].encode()).decode()}
"""
CONFIG = """\
cycle:
  every_s: 7  # my own rhythm
# api_key: kQ7xZp3L
# my password: open sesame please
history: {folder: "%s"}
log: {folder: "%s"}
"""


def everything(report: Path) -> dict[str, str]:
    with zipfile.ZipFile(report) as packed:
        assert packed.testzip() is None
        return {name: packed.read(name).decode("utf-8") for name in packed.namelist()}


def secrets() -> list[str]:
    return [*PLANTED.values(), *IN_LOG.values(), IN_DOT_ENV, "open sesame please"]


def assert_clean(texts: dict[str, str]) -> None:
    for secret in secrets():
        forms = {secret, quote(secret, safe=""), json.dumps(secret)[1:-1], base64.b64encode(secret.encode()).decode()}
        for name, text in texts.items():
            for form in forms:
                assert form not in text, f"{name} holds {form!r}"
    # Neither a half of one.
    for name, text in texts.items():
        for part in ("sesame", "horse", "battery", "proxypass", "ird ₹", "c2lnbmF0"):
            assert part not in text, f"{name} holds {part!r}"


@pytest.fixture
def planted(tmp_path: Path) -> Path:
    """A place with secrets in the configuration, the log, `.env` and a stored sentence."""
    (tmp_path / "log").mkdir()
    (tmp_path / "log" / "optionscanner.log").write_text(LOG, encoding="utf-8")
    (tmp_path / ".env").write_text(f"export ANYTHING='{IN_DOT_ENV}'\nOTHER=1\n", encoding="utf-8")
    (tmp_path / "my.yaml").write_text(
        CONFIG % ((tmp_path / "history").as_posix(), (tmp_path / "log").as_posix()), encoding="utf-8"
    )
    day = builders.day_of(builders.small_layout())
    store = SqliteHistory(tmp_path / "history" / "h.db", Mode.REPLAY)
    store.begin(builders.run_session(), day, resume_within=None, now=ist(9, 15))
    for number, report in enumerate(builders.day_of_reports([ist(9, 16), ist(9, 21)], day=day), start=1):
        failed = builders.failure(sentence=f"login with {PLANTED['SMARTAPI_API_KEY']} and {IN_DOT_ENV} refused")
        store.save(builders.report(report.chains, number, failures=(failed,)))
    store.close()
    return tmp_path


def report_of(place: Path) -> dict[str, str]:
    question = Question(load(place / "my.yaml"), (), None, {**PLANTED, "HOME": "/x"}, place)
    names = write_report(place / "out" / "report.zip", question)
    texts = everything(place / "out" / "report.zip")
    assert list(texts) == names
    return texts


def test_no_planted_secret_is_in_the_report(planted: Path) -> None:
    texts = report_of(planted)
    assert_clean(texts)
    assert "***" in texts["log.txt"] and "***" in texts["settings.txt"] and "***" in texts["health.txt"]


def test_the_report_says_what_a_bug_hunter_needs(planted: Path) -> None:
    texts = report_of(planted)
    assert f"OptionScanner {__version__}" in texts["versions.txt"]
    assert "SQLite 3." in texts["versions.txt"]
    assert "my own rhythm" in texts["settings.txt"]
    assert '"every_s": 7.0' in texts["settings.txt"]
    assert "cycle=12 updated=209" in texts["log.txt"]
    told = json.loads(texts["health.txt"].partition("\n")[2])
    assert told["settings"] == {"mode": "REPLAY", "schema_version": "4"}
    assert (told["rows"]["cycle"], told["rows"]["observation"], told["rows"]["session"]) == (2, 8, 1)
    assert told["last_session"]["cycles"]["failures"] == 2
    assert len(told["last_session"]["failures"]) == 2


def test_no_quotes_and_no_workbook(planted: Path) -> None:
    texts = report_of(planted)
    assert set(texts) == {"about.txt", "versions.txt", "settings.txt", "check.txt", "health.txt", "log.txt"}
    for word in ("last_paise", "strike_paise", "spot_paise", "25300", "2530000"):
        assert word not in texts["health.txt"]


def test_what_is_missing_or_broken_is_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "broken.db").write_bytes(b"no database at all, not even nearly one")
    question = Question(ConfigError("line 3: wrong"), (), tmp_path / "broken.db", {}, tmp_path)
    write_report(tmp_path / "r.zip", question)
    texts = everything(tmp_path / "r.zip")
    assert "line 3: wrong" in texts["settings.txt"]
    assert "expected an SQLite database, found something else" in texts["health.txt"]
    question = Question(load(None, root=tmp_path), (), None, {}, tmp_path)
    write_report(tmp_path / "r.zip", question)
    texts = everything(tmp_path / "r.zip")
    assert texts["health.txt"] == "There is no history."
    assert "no such file" in texts["log.txt"]


def test_only_the_end_of_a_long_log_and_no_half_line(tmp_path: Path) -> None:
    (tmp_path / "var" / "log").mkdir(parents=True)
    lines = [f"line {number} of a long log" for number in range(30_000)]
    (tmp_path / "var" / "log" / "optionscanner.log").write_text("\n".join(lines))
    write_report(tmp_path / "r.zip", Question(load(None, root=tmp_path), (), None, {}, tmp_path))
    found = everything(tmp_path / "r.zip")["log.txt"].splitlines()
    assert found == lines[-len(found) :]
    assert 5_000 < len(found) < 20_000


@pytest.mark.slow
def test_the_command_writes_a_clean_report(planted: Path) -> None:
    done = subprocess.run(
        program.command("--doctor", "--to", planted / "r.zip", "--config", planted / "my.yaml"),
        env={**os.environ, **PLANTED, "ANGEL_SECRET": IN_DOT_ENV, "PYTHONIOENCODING": "utf-8"},
        capture_output=True, text=True, encoding="utf-8", cwd=program.ROOT, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
    texts = everything(planted / "r.zip")
    assert_clean(texts)
    assert "Credentials" in texts["check.txt"]
    assert "cycle=12" in texts["log.txt"]
    assert "What will happen" in texts["check.txt"]


@pytest.mark.parametrize(
    "line",
    [
        "cycle=12 as_of=2026-01-30T04:56:39.000+00:00 mode=REPLAY updated=209 refused=0 price_ms=12.0",
        "NIFTY26JAN25300CE expects 65 units, came 64",
        "history /data/history.db: cannot be written now, the disk is full; free some space",
        '  "settings_version": "0f359ede5a5a",',
    ],
)
def test_ordinary_lines_stay_as_they_are(line: str) -> None:
    assert redacted(line, ()) == line


@pytest.mark.parametrize(
    ("line", "clean"),
    [
        ("api_key=abc next=1", "api_key=*** next=1"),
        ('{"apiKey": "abc", "n": 1}', '{"apiKey": ***, "n": 1}'),
        ("totp: 123456", "totp: ***"),
        ("mpin = '12 34' x", "mpin = *** x"),
        ("private-key: a b c", "private-key: ***"),
        ("Authorization=Bearer abcdef end", "Authorization=*** end"),
    ],
)
def test_values_behind_telling_words_go(line: str, clean: str) -> None:
    assert redacted(line, ()) == clean


@given(st.text(min_size=4, max_size=40), st.text(max_size=30), st.text(max_size=30))
def test_a_known_secret_never_survives(secret: str, before: str, after: str) -> None:
    found = redacted(f"{before}{secret}{after}", [secret])
    assert secret not in found.replace("***", "") or secret in "***"


def test_which_variables_are_secret() -> None:
    names = {
        "SMARTAPI_CLIENT_ID": "a" * 4, "MY_PASSWORD": "b" * 4, "X_TOKEN": "c" * 4, "API_KEY": "d" * 4,
        "PATH": "e" * 4, "PWD": "f" * 4, "SHORT_KEY": "abc", "USE_AUTH": "True",
    }  # fmt: skip
    assert secrets_of(names) == {"aaaa", "bbbb", "cccc", "dddd"}
    assert secrets_of({}, 'A="one two"\n# note\nexport B=three\n') == {"one two", "three"}
