"""Configuration: what is accepted, the sentence for everything that is not, and `config.yaml` against the code."""

import dataclasses
import re
import typing
from datetime import date
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from optionscanner import config
from optionscanner.config_complaints import dotted, every_key
from optionscanner.config_text import read_text
from optionscanner.errors import ConfigError
from optionscanner.model.settings import EngineSettings

DAY = date(2026, 1, 30)

SECONDS = "line 2: flow.half_life_s must be a number from 1 to 86400 (seconds), came"
DIGITS = "; write a number in digits, without quotes, unit or leading zeros."
LIST = "a list of exchange symbols in capitals such as NIFTY, M&M or BAJAJ-AUTO, each once, came"


def load(tmp_path: Path, text: str) -> config.Config:
    file = tmp_path / "my.yaml"
    file.write_text(text, encoding="utf-8")
    return config.load(file, root=tmp_path)


def problems(tmp_path: Path, text: str) -> list[str]:
    """The sentences about a text, without the file's name."""
    with pytest.raises(ConfigError) as caught:
        load(tmp_path, text)
    lines = str(caught.value).splitlines()
    start = f"{tmp_path / 'my.yaml'}"
    assert all(line.startswith(start) for line in lines)
    return [line.removeprefix(start).lstrip(",: ") for line in lines]


# What is accepted


def test_missing_default_file_means_defaults_and_a_note(tmp_path):
    loaded = config.load(root=tmp_path)
    assert loaded.engine(DAY) == EngineSettings()
    assert loaded.note == f"{tmp_path / 'config.yaml'} does not exist; every setting has its default."
    assert loaded.file is None
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("text", ["", "# nothing\n", "---\n", "~\n", "flow:\n", "flow:\n  # half_life_s: 3\n"])
def test_an_empty_file_or_section_means_defaults(tmp_path, text):
    loaded = load(tmp_path, text)
    assert loaded.engine(DAY) == EngineSettings()
    assert (loaded.file, loaded.note) == (tmp_path / "my.yaml", "")


def test_values_reach_the_engines(tmp_path):
    loaded = load(tmp_path, "flow: {half_life_s: 600}\nactivity:\n  shown: 10\nborder:\n  stamp_lag_s: 1.5\n")
    engine = loaded.engine(DAY)
    assert (engine.flow.half_life, engine.activity.shown, engine.border.stamp_lag) == (600.0, 10, 1.5)
    assert engine.readiness == EngineSettings().readiness


def test_every_engine_parameter_can_be_set(tmp_path):
    """But the rate, which has a list of its own."""
    engine = EngineSettings()
    parameters = {
        (group.name, field.name)
        for group in dataclasses.fields(engine)
        for field in dataclasses.fields(getattr(engine, group.name))
    }
    sections = {group.name: config.Config.model_fields[group.name].annotation for group in dataclasses.fields(engine)}
    assert parameters - {("pricing", "rate")} == {(s, n) for s, model in sections.items() for n in model.model_fields}


def test_the_byte_order_mark_of_windows_editors_is_no_problem(tmp_path):
    (tmp_path / "my.yaml").write_bytes(b"\xef\xbb\xbfcycle:\r\n  every_s: 7\r\n")
    assert config.load(tmp_path / "my.yaml").cycle.every_s == 7.0


def test_paths_count_from_the_project_folder(tmp_path):
    loaded = load(tmp_path, f"workbook: {{path: books/à₹.xlsx}}\nhistory:\n  folder: {tmp_path / 'elsewhere'}\n")
    assert loaded.workbook.path == tmp_path / "books" / "à₹.xlsx"
    assert loaded.history.folder == tmp_path / "elsewhere"
    assert loaded.log.folder == tmp_path / "var" / "log"


def test_the_project_folder_holds_the_command():
    assert (config.project_folder() / "run_dashboard.py").is_file()


def test_home_is_understood(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    assert load(tmp_path, "log: {folder: ~/logs}\n").log.folder == tmp_path / "logs"


def test_symbols_that_yaml_1_1_takes_for_words_or_numbers_stay_symbols(tmp_path):
    """NO, ON and Y would be false and true there, 3E7 a number."""
    loaded = load(tmp_path, "workbook:\n  watchlist: [NO, ON, Y, M&M, BAJAJ-AUTO, 360ONE]\n")
    assert loaded.workbook.watchlist == ("NO", "ON", "Y", "M&M", "BAJAJ-AUTO", "360ONE")


@pytest.mark.parametrize(
    ("text", "taken", "named"),
    [
        ("", "NIFTY RELIANCE SAIL", ()),
        ("include: all\n  exclude: [SAIL]", "NIFTY RELIANCE", ("SAIL",)),
        ("include: [NIFTY, SAIL]\n  exclude: [SAIL]", "NIFTY", ("NIFTY", "SAIL", "SAIL")),
    ],
)
def test_underlyings_that_take_part(tmp_path, text, taken, named):
    chosen = load(tmp_path, f"underlyings:\n  {text}\n").underlyings
    assert [name for name in ("NIFTY", "RELIANCE", "SAIL") if chosen.takes(name)] == taken.split()
    assert chosen.named == named


def test_settings_cannot_change(tmp_path):
    loaded = load(tmp_path, "")
    with pytest.raises(ValueError, match="frozen"):
        loaded.cycle.every_s = 1.0


# Rates and versions


@pytest.mark.parametrize(
    ("day", "rate"),
    [
        (date(2025, 12, 4), 0.055),
        (date(2025, 12, 5), 0.0525),
        (date(2026, 12, 31), 0.0525),
        (date(2025, 4, 9), 0.06),
        (date(2025, 2, 6), 0.065),
    ],
)
def test_the_rate_in_force_on_the_day(day, rate):
    """Announcements of the Reserve Bank of India: 6.25 % on 7 Feb 2025, 6 % 9 Apr, 5.5 % 6 Jun, 5.25 % 5 Dec."""
    assert config.Config().engine(day).pricing.rate == rate


def test_a_day_before_the_first_rate_is_refused(tmp_path):
    loaded = load(tmp_path, "rates: [{from: 2026-01-30, rate: 0.05, source: me}]\n")
    assert loaded.engine(DAY).pricing.rate == 0.05
    with pytest.raises(ConfigError) as caught:
        loaded.engine(date(2026, 1, 29))
    assert str(caught.value) == (
        "rates must hold a rate in force on 2026-01-29, and begins on 2026-01-30: add an earlier entry with from, rate "
        "and source to config.yaml."
    )


def test_the_version_of_settings_names_the_parameters(tmp_path):
    default = config.settings_version(EngineSettings())
    assert re.fullmatch("[0-9a-f]{12}", default)
    same = load(tmp_path, "flow: {half_life_s: 900}\nlog: {level: ERROR}\nworkbook: {units: UNITS}\n")
    assert config.settings_version(same.engine(DAY)) == default
    other = load(tmp_path, "flow: {half_life_s: 900.5}\n")
    assert config.settings_version(other.engine(DAY)) != default
    assert config.settings_version(same.engine(date(2025, 8, 29))) != default


# What is refused, each with its sentence


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("flow:\n  half_life: 3", "line 2: flow.half_life is not a known key; did you mean flow.half_life_s?"),
        ("flow:\n  halflife_s: 3", "line 2: flow.halflife_s is not a known key; did you mean flow.half_life_s?"),
        ("flwo:\n  half_life_s: 3", "line 1: flwo is not a known section; did you mean flow?"),
        ("half_life_s: 3", "line 1: half_life_s is not a known section; did you mean flow.half_life_s?"),
        ("flow:\n  every_s: 3", "line 2: flow.every_s is not a known key; did you mean cycle.every_s?"),
        (
            "log:\n  colour: blue",
            "line 2: log.colour is not a known key; known here: folder, level, max_mb, backups.",
        ),
        (
            'flow:\n\n  half_life_s: "0.5"',
            SECONDS.replace("line 2", "line 3") + " the text '0.5'" + DIGITS,
        ),
        (
            "flow:\n  half_life_s: 15m",
            f"{SECONDS} the text '15m'{DIGITS}",
        ),
        (
            "flow:\n  half_life_s: 09:15",
            f"{SECONDS} the text '09:15'{DIGITS}",
        ),
        (
            "workbook:\n  strikes: 010",
            "line 2: workbook.strikes must be a whole number from 1 to 10 (strikes), came the text '010'" + DIGITS,
        ),
        (
            "flow:\n  half_life_s: yes",
            f"{SECONDS} the text 'yes'.",
        ),
        (
            "flow:\n  half_life_s: true",
            f"{SECONDS} true.",
        ),
        ("flow:\n  half_life_s:", f"{SECONDS} nothing."),
        ("flow:\n  half_life_s: 0", f"{SECONDS} 0."),
        (
            "flow:\n  half_life_s: 86_401",
            f"{SECONDS} 86_401.",
        ),
        (
            "flow:\n  half_life_s: .nan",
            f"{SECONDS} the text '.nan'.",
        ),
        (
            "flow:\n  half_life_s: 1e999",
            f"{SECONDS} 1e999.",
        ),
        (
            "flow:\n  half_life_s: 2026-01-30",
            f"{SECONDS} 2026-01-30.",
        ),
        (
            "flow:\n  half_life_s: [3, 4]",
            f"{SECONDS} [3, 4].",
        ),
        (
            "flow:\n  half_life_s: {a: 1}",
            f"{SECONDS} a section.",
        ),
        (
            "pricing:\n  parity_strikes: 5.0",
            "line 2: pricing.parity_strikes must be a whole number from 1 to 50 (strikes), came 5.0.",
        ),
        (
            'log:\n  level: "a\\x1eb"',
            "line 2: log.level must be one of DEBUG, INFO, WARNING, ERROR, came the text 'a\\x1eb'.",
        ),
        (
            "workbook:\n  units: lakh",
            "line 2: workbook.units must be one of LAKH, CONTRACTS, UNITS, came the text 'lakh'.",
        ),
        (
            "workbook:\n  path: book.xls",
            "line 2: workbook.path must be the path of a file whose name ends in .xlsx or .xlsm, "
            "came the text 'book.xls'.",
        ),
        ("log:\n  folder: 3", "line 2: log.folder must be the path of a folder, came 3."),
        ("log:\n  folder: ''", "line 2: log.folder must be the path of a folder, came the text ''."),
        (
            "workbook:\n  watchlist: [NIFTY, reliance]",
            f"line 2: workbook.watchlist must be {LIST} [NIFTY, reliance].",
        ),
        (
            "workbook:\n  watchlist: [SAIL, SAIL]",
            f"line 2: workbook.watchlist must be {LIST} [SAIL, SAIL].",
        ),
        (
            "workbook:\n  watchlist: SAIL",
            f"line 2: workbook.watchlist must be {LIST} the text 'SAIL'.",
        ),
        (
            "underlyings:\n  include: []",
            f"line 2: underlyings.include must be the word all, or {LIST} [].",
        ),
        ("flow: 3", "line 1: flow must be a section with `key: value` lines, came 3."),
        ("flow: [a]", "line 1: flow must be a section with `key: value` lines, came [a]."),
        (
            "rates: []",
            "line 1: rates must be a list of entries with from, rate and source, at least one, dates rising, came [].",
        ),
        (
            "rates:\n  - from: 2026-01-01\n    rate: 5.25\n    source: RBI",
            "line 3: rates[1].rate must be a number from 0 to 0.2 (decimal a year, 0.0525 = 5.25 %), came 5.25.",
        ),
        (
            "rates:\n  - from: 2026-02-30\n    rate: 0.05\n    source: RBI",
            "line 2: rates[1].from must be a date such as 2026-01-30 (the first day on which it holds), came the text "
            "'2026-02-30'.",
        ),
        (
            "rates:\n  - from: 2026-01-01\n    rate: 0.05",
            "line 2: rates[1].source is missing; it must be text that says where the rate was published.",
        ),
        ("readiness:\n  small: 60", "line 1: readiness: small < normal < aggressive must hold, came 60, 60, 80."),
        ("stale:\n  amber_refreshes: 4", "line 1: stale: amber_refreshes < grey_refreshes must hold, came 4, 3."),
        (
            "open_interest:\n  pcr_bullish: 0.7",
            "line 1: open_interest: pcr_bearish < pcr_bullish must hold, came 0.7, 0.7.",
        ),
        ("flow:\n  reset_gap_s: 60", "line 1: flow: min_step_s < reset_gap_s must hold, came 60, 60."),
        (
            "alerts:\n  rearm_below: 81",
            "line 1: alerts.rearm_below must not be above readiness.aggressive (80), came 81.",
        ),
        (
            "flow:\n  half_life_s: 3\n  half_life_s: 4",
            "line 3: flow.half_life_s is given twice, first in line 2; keep one.",
        ),
        ("flow: {}\nflow: {}", "line 2: flow is given twice, first in line 1; keep one."),
        ("flow:\n  [a]: 3", "line 2: flow: a key must be a name, came a list or map."),
        ("[1, 2]", "must hold sections such as `flow:` with `key: value` below them, came a list."),
        ("half an hour", "must hold sections such as `flow:` with `key: value` below them, came only 'half an hour'."),
        ("flow:\n\thalf_life_s: 3", "line 2: is indented with a tab; use spaces."),
        ("flow: {}\n---\nflow: {}", "line 2: begins a second document (---); a configuration is one document."),
        ("flow: &x {}\nlog: *x", "line 2: a reference (*x) is not supported; write the value out."),
        ("flow:\n  half_life_s: 3\x07", "line 2: holds a character that no text file should (code 7); delete it."),
    ],
)  # fmt: skip
def test_one_problem_one_sentence(tmp_path, text, sentence):
    assert problems(tmp_path, text) == [sentence]


@pytest.mark.parametrize(
    "text", ["flow: {half_life_s: 3", "flow:\n half_life_s: 3\n  min_step_s: 4", 'a: "b', "%YAML 9\n"]
)
def test_what_is_not_yaml_is_said_by_line(tmp_path, text):
    (sentence,) = problems(tmp_path, text)
    assert re.fullmatch(r"line \d: is not YAML \(.+\); expected `key: value`, indented with spaces\.", sentence)


def test_endless_nesting_is_said(tmp_path):
    assert problems(tmp_path, "[" * 5000) == ["is nested too deeply; a setting stands at most three levels deep."]


def test_dates_of_rates_rise(tmp_path):
    entry = "  - {{from: {}, rate: 0.05, source: RBI}}\n"
    (sentence,) = problems(tmp_path, "rates:\n" + entry.format("2026-01-02") + entry.format("2026-01-02"))
    assert sentence.startswith("line 1: rates must be a list of entries with from, rate and source, at least one, ")


def test_all_problems_are_told_at_once_in_the_order_of_the_file(tmp_path):
    text = "log:\n  level: LOUD\nflow:\n  half_life_s: no\n  half_life_s: 3\n  spped: 3\nrates: 3\nwrokbook:\n"
    starts = [sentence.split(" ", 3)[:3] for sentence in problems(tmp_path, text)]
    assert starts == [
        ["line", "2:", "log.level"],
        ["line", "4:", "flow.half_life_s"],
        ["line", "5:", "flow.half_life_s"],
        ["line", "6:", "flow.spped"],
        ["line", "7:", "rates"],
        ["line", "8:", "wrokbook"],
    ]


def test_a_missing_file_that_was_asked_for_is_an_error(tmp_path):
    with pytest.raises(ConfigError, match=r"my\.yaml: the configuration file must exist and does not; correct"):
        config.load(tmp_path / "my.yaml")


def test_a_folder_is_no_file(tmp_path):
    with pytest.raises(ConfigError, match="is a folder, expected a file; name a readable text file with --config"):
        config.load(tmp_path)


def test_other_encodings_are_named_by_line(tmp_path):
    (tmp_path / "my.yaml").write_bytes("log:\n  folder: café\n".encode("latin-1"))
    with pytest.raises(ConfigError, match=r"my\.yaml, line 2: is not UTF-8 text; save the file with encoding UTF-8\.$"):
        config.load(tmp_path / "my.yaml")


def test_an_unreadable_file_is_said(tmp_path, monkeypatch):
    def refuse(_path):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "read_bytes", refuse)
    with pytest.raises(ConfigError, match=r"cannot be read \(permission denied\); name a readable text file"):
        config.load(tmp_path / "my.yaml")


def test_an_impossible_path_is_said():
    with pytest.raises(ConfigError, match="is not the path of a file"):
        config.load(Path("a\0b"))


# Laws


TREES = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(), st.dates()),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(st.one_of(st.sampled_from(sorted(config.Config.model_fields)), st.text()), inner, max_size=3),
    ),
    max_leaves=10,
)


@given(TREES)
def test_any_yaml_gives_settings_or_sentences(tree):
    """Nothing but a ConfigError comes out, whatever stands in the file."""
    text = yaml.safe_dump(tree, allow_unicode=True)
    try:
        config._checked(read_text(text, file="my.yaml"), "my.yaml")
    except ConfigError as error:
        lines = str(error).splitlines()
        assert all(line.startswith("my.yaml") and line.endswith((".", "?")) for line in lines)


@given(st.text())
def test_any_text_gives_settings_or_sentences(text):
    try:
        config._checked(read_text(text, file="my.yaml"), "my.yaml")
    except ConfigError as error:
        assert str(error).startswith("my.yaml")


@given(st.integers(-(10**12), 10**12))
def test_whole_numbers_are_read_exactly(number):
    assert read_text(f"a: {number}", file="f").values == {"a": number}


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_decimal_numbers_are_read_exactly(number):
    assert read_text(f"a: {number!r}", file="f").values == {"a": number}


# config.yaml against the code


def documented() -> dict[str, tuple[str, str, list[str]]]:
    """key path -> (value as written, comment behind it, comment lines above it) of `config.yaml`."""
    found: dict[str, tuple[str, str, list[str]]] = {}
    section, above = "", []
    for line in (config.project_folder() / "config.yaml").read_text(encoding="utf-8").splitlines():
        if match := re.fullmatch(r"(\w+):", line):
            section = match[1]
            found[section] = ("", "", above)
        elif match := re.fullmatch(r"  (\w+): (.*?)(?:  # (.*))?", line):
            found[f"{section}.{match[1]}"] = (match[2], match[3] or "", above)
        above = [*above, line.strip("# ")] if line.lstrip().startswith("#") else []
    return found


KEYS = {dotted(place): field for place, field in every_key(config.Config) if place != ("rates",)}


def test_the_file_names_every_key_and_no_other():
    sections = list(config.Config.model_fields)
    assert [key for key in documented() if "." not in key] == sections
    assert [key for key in documented() if "." in key] == list(KEYS)


def test_the_file_holds_the_defaults(tmp_path):
    file = config.project_folder() / "config.yaml"
    assert config.load(file, root=tmp_path).model_dump() == config.load(root=tmp_path).model_dump()


@pytest.mark.parametrize("key", KEYS)
def test_each_key_is_explained_in_place(key):
    """Unit, range and default behind the value; what it is and why above it."""
    value, comment, above = documented()[key]
    field = KEYS[key]
    assert comment.partition("; ")[2].startswith("default") or comment.startswith("default")
    assert re.search(rf"default {re.escape(value)}(;|$)", comment)
    assert len(" ".join(above)) > 20 or key.startswith(("readiness.", "simulated."))
    limits = {name: getattr(m, name) for m in field.metadata for name in ("ge", "le") if hasattr(m, name)}
    if limits:
        assert f"{field.description}, {limits['ge']:.10g} to {limits['le']:.10g};" in comment
    elif typing.get_origin(field.annotation) is typing.Literal:
        assert ", ".join(typing.get_args(field.annotation)) in comment


@pytest.mark.parametrize("section", config.Config.model_fields)
def test_each_section_is_explained_in_place(section):
    assert documented()[section][2]
