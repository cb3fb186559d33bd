"""README.md against the program: every option, key, column, header, name, reason, query and file it speaks of.

The README is written by hand. What can be known from the program is compared line by line, so that a failure shows
the line that is missing or wrong; meanings that only people can write must be there.
"""

import ast
import contextlib
import io
import re
import shlex
import sqlite3
import string
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from optionscanner import cli
from optionscanner import config as configuration
from optionscanner.adapters.recorded import tables as recorded
from optionscanner.adapters.recorded.manifest import Manifest
from optionscanner.health import Health
from optionscanner.history.store import SqliteHistory
from optionscanner.model.columns import ACTIVITY, ALERTS, READINGS
from optionscanner.model.control import CONTROL_ACKNOWLEDGED, CONTROL_WATCHLIST, Command, Setting
from optionscanner.model.control_settings import SETTINGS
from optionscanner.model.frame import WriteResult
from optionscanner.model.open_interest_map import OpenInterestMap
from optionscanner.model.picture import MarketPicture
from optionscanner.model.reasons import Reason
from optionscanner.model.sessions import Mode
from optionscanner.model.settings import EngineSettings
from optionscanner.workbook.formats import Kind
from optionscanner.workbook.grid import Column, Sheet
from optionscanner.workbook.layout import SAMPLES, SHEETS
from optionscanner.workbook.layout_index import INDICES
from optionscanner.workbook.meanings import meaning_of
from tests import builders, test_house
from tests.broker import command as of_the_broker

ROOT = Path(__file__).resolve().parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
PACKAGE = ROOT / "optionscanner"

Rows = list[tuple[str, ...]]


def tables(text: str) -> dict[str, Rows]:
    """Body rows of each table, by the summary or heading above it, up to the first colon, without marks."""
    found: dict[str, Rows] = {}
    title, inside = "", False
    for line in text.splitlines():
        if line.startswith("#") or "<summary>" in line:
            title = re.sub(r"<[^>]+>|^#+|`", "", line).partition(":")[0].strip()
        if line.startswith("|---"):
            inside = True
            found.setdefault(title, [])
        elif not line.startswith("|"):
            inside = False
        elif inside:
            found[title].append(tuple(cell.strip() for cell in line.strip("|").split("|")))
    return found


def blocks(text: str, language: str) -> list[str]:
    """Fenced code blocks of a language."""
    return re.findall(rf"^```{language}\n(.*?)^```", text, re.MULTILINE | re.DOTALL)


def code(text: str) -> str:
    return f"`{text}`"


TABLES = tables(README)


def rows_of(title: str) -> Rows:
    assert title in TABLES, f"README.md has no table under {title!r}; it has {', '.join(TABLES)}"
    return TABLES[title]


def same(title: str, expected: Sequence[tuple[str, ...]], *, columns: int | None = None) -> None:
    """The table's first columns are these, and none of its cells that only people can write is empty."""
    written = rows_of(title)
    shown = [row[:columns] for row in written]
    missing = [row for row in expected if row not in shown]
    surplus = [row for row in shown if row not in expected]
    lines = [f"{title}: missing | {' | '.join(row)} |" for row in missing]
    lines += [f"{title}: not in the program | {' | '.join(row)} |" for row in surplus]
    assert not lines, "README.md\n" + "\n".join(lines)
    assert shown == list(expected), f"README.md, {title}: the lines stand in another order than in the program"
    if columns is not None:
        assert all(len(row) > columns and row[-1] for row in written), f"README.md, {title}: a meaning is missing"


# Readings, sheets, names, reasons


@pytest.mark.parametrize("spec", [*READINGS, ALERTS], ids=lambda spec: spec.name)
def test_every_column_of_every_reading_is_in_the_glossary(spec):
    same(f"Reading {spec.name}", [(code(c.name), c.unit or "text", c.meaning) for c in spec.columns])


def unit_of(column: Column) -> str:
    """The unit that a sheet's reader sees, or what kind of thing it is."""
    if column.kind.follows_units:
        return "by `workbook.units`"
    return column.unit or {Kind.WORD: "text", Kind.STRIKE: "₹"}.get(column.kind, column.kind.value)


def expected_headers(columns: Sequence[Column]) -> Rows:
    """Header, unit and source of each column; calls and puts, which mirror each other, once."""
    rows = [(c.header, unit_of(c), code(re.sub(r"^(call|put)\.", "leg.", c.source))) for c in columns]
    return list(dict.fromkeys(rows))


def documented_sheets() -> Iterator[tuple[str, Sheet]]:
    for sheet in SHEETS:
        if sheet.name not in INDICES or sheet.name == "NIFTY":
            yield sheet.name, sheet


TABLES_OF_SHEETS = [
    (f"Table {table.name}", table.fields) for _, sheet in documented_sheets() for table in sheet.tables
]


@pytest.mark.parametrize(("title", "fields"), TABLES_OF_SHEETS, ids=[title for title, _ in TABLES_OF_SHEETS])
def test_every_header_of_every_sheet_is_in_the_glossary(title, fields):
    same(title, expected_headers(fields), columns=3)


def test_a_header_has_the_words_of_its_note():
    wrong = [
        (title, *row)
        for title, _ in TABLES_OF_SHEETS
        for row in rows_of(title)
        if (meaning := meaning_of(row[2].strip("`"))) is not None and row[3] != meaning.text
    ]
    assert not wrong


def cards_of(sheet: Sheet) -> Rows:
    """Card, label, and what stands beside the label."""
    values = [cell for cells in sheet.cells[1:] for cell in cells.cells]
    cards = {text.column: text.text for text in sheet.texts if text.style == "card"}
    labels = [text for text in sheet.texts if text.style == "label" and text.column in cards]
    rows = []
    for label in sorted(labels, key=lambda text: (text.column, text.row)):
        end = min((column for column in cards if column > label.column), default=1_000)
        shown = [code(v.source) for v in values if v.row == label.row and label.column < v.column < end]
        shown += [
            f"{code(spark.source)} as a line"
            for spark in sheet.sparks
            if spark.row == label.row and label.column < spark.column < end
        ]
        rows.append((cards[label.column], label.text, ", ".join(shown)))
    return rows


def test_every_label_of_an_index_sheet_is_in_the_glossary():
    sheet = next(sheet for sheet in SHEETS if sheet.name == "NIFTY")
    same("Cards of an index sheet", cards_of(sheet))


def test_the_index_sheets_differ_in_nothing_but_their_name():
    plain = [
        (cards_of(sheet), [(t.name.removeprefix(sheet.name), t.columns) for t in sheet.tables])
        for sheet in SHEETS
        if sheet.name in INDICES
    ]
    assert all(one == plain[0] for one in plain)


def test_every_item_of_the_band_is_described():
    """All sheets have the same band, so one is enough."""
    items = [re.sub(r"\d$", "", cell.source) for cell in SHEETS[0].cells[0].cells]
    meanings = ((item, meaning_of(item)) for item in dict.fromkeys(items))
    same("The band", [(code(item), meaning.text) for item, meaning in meanings if meaning is not None])


def test_every_defined_name_is_in_the_glossary():
    cells = SHEETS[-1].named[0].cells
    first = INDICES[0]
    general = [c for c in cells if not c.name.startswith(tuple(f"{i}_" for i in INDICES))]
    same("Names of the run", [(code(c.name), c.unit or "text", c.clock, c.meaning) for c in general])
    own = [c for c in cells if c.name.startswith(f"{first}_")]
    per_index = [
        (code("<INDEX>" + c.name.removeprefix(first)), c.unit or "text", c.clock, c.meaning.removeprefix(f"{first}: "))
        for c in own
    ]
    same("Names of each index", per_index)
    pattern = {c.name.removeprefix(first) for c in own}
    for index in INDICES:
        assert {c.name.removeprefix(index) for c in cells if c.name.startswith(f"{index}_")} == pattern
        assert code(index) in README


def test_every_setting_and_command_of_control_is_in_the_readme():
    def empty(setting: Setting) -> str:
        if setting.key:
            return code(setting.key)
        value = setting.otherwise
        return "none" if value is None else value if isinstance(value, str) else f"{value:g}"

    units = {s.name: f" ({s.unit})" if s.unit else "" for s in SETTINGS}
    settings = [(code(s.name), s.label, s.allowed + units[s.name], empty(s), s.hint) for s in SETTINGS]
    commands = [(code(command),) for command in Command]
    written = rows_of("CONTROL")
    assert written[: len(settings)] == settings
    assert [row[:1] for row in written[len(settings) :]] == commands
    for name in (CONTROL_WATCHLIST, CONTROL_ACKNOWLEDGED):
        assert code(name) in README


def test_every_sheet_is_listed_in_order():
    listed = [name for row in rows_of("The sheets") for name in re.findall(r"`([A-Z_]+)`", row[0])]
    assert listed == [sheet.name for sheet in (*SHEETS, *SAMPLES)]


def test_every_reason_word_is_explained():
    same("Reasons", [(str(r.value), r.words) for r in Reason if r is not Reason.OK], columns=2)


def test_every_line_of_system_health_is_explained():
    health = Health(EngineSettings())
    report = builders.day_of_reports([builders.ist(10, 30)])[0]
    health.shown(report.as_of, WriteResult("written", "", 1.0, 1, 1))
    shown = {line.item for line in health.items(report)}
    # Those that ask the machine are given to the health by the composition root.
    for module in ("app_probes.py", "app_front.py", "app_morning.py"):
        shown |= set(re.findall(r'HealthItem\(\s*"([^"]+)"', (PACKAGE / module).read_text(encoding="utf-8")))
    assert {row[0] for row in rows_of("Lines of SYSTEM_HEALTH")} == shown


# Options, settings, files


def options_of_help() -> set[str]:
    with contextlib.redirect_stdout(io.StringIO()) as shown, pytest.raises(SystemExit):
        cli.parse(["--help"])
    return set(re.findall(r"^ +(?:-h, )?(--[a-z]+)", shown.getvalue(), re.MULTILINE))


def test_every_option_is_in_the_table_and_no_other():
    written = {option for row in rows_of("Options") for option in re.findall(r"--[a-z]+", row[0])}
    assert written == options_of_help()


def test_no_option_is_invented_anywhere_in_the_text():
    of_the_tests = {"--today", *re.findall(r"--[a-z]+", of_the_broker.parser().format_help())}
    assert set(re.findall(r"`(--[a-z]+)", README)) <= options_of_help() | of_the_tests


def command_lines() -> list[str]:
    lines = [line.strip() for block in blocks(README, "(?:console|bat)") for line in block.splitlines()]
    return [line.partition("  #")[0].strip() for line in lines if line and not line.startswith("#")]


def test_every_command_is_one_that_the_program_takes():
    seen = 0
    for line in command_lines():
        words = shlex.split(line.replace("\\", "/"))
        if "run_dashboard.py" in words:
            arguments = words[words.index("run_dashboard.py") + 1 :]
            if not {"--help", "--version"} & set(arguments):
                cli.parse(arguments)
            seen += 1
        elif "-m" in words:
            module = words[words.index("-m") + 1]
            place = ROOT / Path(*module.split("."))
            assert place.with_suffix(".py").is_file() or (place / "__main__.py").is_file(), line
            seen += 1
        else:
            assert words[0] in ("cd", "git", "sqlite3", ".ci/run"), f"README.md tells to type {line!r}"
    assert seen > 10


def settings_of_file() -> Rows:
    """Key, default, and the rest of the comment behind it, of each setting of config.yaml."""
    rows, section = [], ""
    for line in (ROOT / "config.yaml").read_text(encoding="utf-8").splitlines():
        if match := re.fullmatch(r"(\w+):", line):
            section = match[1]
        elif match := re.fullmatch(r"  (\w+): (.+?)  # (.+)", line):
            allowed = re.sub(r"[;,]? ?default [^;]*(; )?", "", match[3]).strip()
            rows.append((code(f"{section}.{match[1]}"), match[2], allowed or "a folder"))
    return rows


def test_every_setting_is_in_the_table_with_its_default_and_range():
    expected = settings_of_file()
    same("All settings", expected, columns=3)
    keys = {row[0].strip("`") for row in expected}
    declared = {f"{name}.{field.alias or key}" for name, section in configuration.Config.model_fields.items()
                for key, field in getattr(section.annotation, "model_fields", {}).items()}  # fmt: skip
    assert keys == declared
    assert "`rates`" in README


def test_the_example_of_a_configuration_loads(tmp_path):
    (example,) = blocks(README, "yaml")
    file = tmp_path / "mine.yaml"
    file.write_text(example, encoding="utf-8")
    config = configuration.load(file, root=tmp_path)
    assert config != configuration.load(ROOT / "config.yaml", root=tmp_path)


@pytest.mark.parametrize("table", recorded.SCHEMAS)
def test_every_column_of_a_recorded_day_is_described(table):
    kinds = {"timestamp[ms, tz=UTC]": "timestamp", "date32[day]": "date", "double": "float64", "string": "text"}
    expected = [
        (code(field.name), kinds[str(field.type)], "yes" if field.name in recorded.REQUIRED[table] else "")
        for field in recorded.SCHEMAS[table]
    ]
    same(f"Recorded table {table}", expected, columns=3)


def test_every_field_of_the_manifest_is_described():
    manifest = Manifest(builders.TRADING_DATE, "IMPORT", "tests", False, 60.0)
    written = re.findall(r'^  "(\w+)":', manifest.to_json(), re.MULTILINE)
    same("The manifest", [(code(name),) for name in written], columns=1)


# The history


def small_history(path: Path) -> None:
    """A history with something of everything: quotes that change, refusals, events that count, alerts."""
    path.parent.mkdir(parents=True, exist_ok=True)
    day = builders.day_of(builders.small_layout())
    picture = MarketPicture(day)
    history = SqliteHistory(path, Mode.SIMULATED)
    history.begin(
        builders.run_session(Mode.SIMULATED, source="simulated market", seed=7), day,
        resume_within=None, now=builders.ist(9, 15),
    )  # fmt: skip
    for cycle, at in enumerate((builders.ist(9, 30), builders.ist(12, 0), builders.ist(15, 0)), start=1):
        seen = builders.observation(day.layout, at, holes=0.0)
        picture.observe(seen)
        # The same stamp again: refused.
        picture.observe(replace(seen, observed_at=at + 1))
        chains = picture.frozen(at + 2)
        readings = builders.readings(chains)
        named = list(readings["activity"]["underlying"])
        readings["activity"] = builders.reading(
            ACTIVITY, len(named), underlying=named, expiry=[builders.WEEKLY.isoformat()] * len(named),
            option_type=["CE"] * len(named), side=["WRITE"] * len(named), aligned=[1.0] * len(named),
        )  # fmt: skip
        alerts = builders.alerts((at + 2, "NIFTY", "READINESS", "BULLISH", "TRS 90 >= 80"))
        report = builders.report(chains, cycle, readings=readings, alerts=alerts)
        mapped = OpenInterestMap.of_day(chains.day).seen(chains)
        history.save(replace(report, open_interest_map=mapped))
    history.close()


@pytest.fixture(scope="module")
def history(tmp_path_factory):
    path = tmp_path_factory.mktemp("docs") / "history-simulated.db"
    small_history(path)
    connection = sqlite3.connect(path)
    yield connection
    connection.close()


def statements() -> list[str]:
    return [part.strip() for block in blocks(README, "sql") for part in block.split(";") if part.strip()]


@pytest.mark.parametrize("statement", statements(), ids=range(len(statements())))
def test_every_sql_example_runs_and_answers(history, statement):
    rows = history.execute(statement).fetchall()
    assert rows
    assert all(any(value is not None for value in row) for row in rows)


def test_there_are_examples_on_every_view_and_enough_of_them(history):
    views = [name for (name,) in history.execute("SELECT name FROM sqlite_master WHERE type = 'view'")]
    assert len(statements()) >= 6
    assert all(any(view in statement for statement in statements()) for view in views)


def test_every_table_and_view_of_the_history_is_listed_with_its_columns(history):
    """Of the tables of readings, whose columns stand in the glossary, and of the state, only the keys are listed."""
    readings = {spec.name for spec in (*READINGS, ALERTS)}
    keys = ("session", "at", "underlying", "expiry", "cycle", "number", "version")
    expected = {}
    for (name,) in history.execute("SELECT name FROM sqlite_master WHERE type IN ('table', 'view')").fetchall():
        columns = [row[1] for row in history.execute(f'PRAGMA table_info("{name}")')]
        whole = name not in readings | {"state", "state_legs"}
        expected[name] = [column for column in columns if whole or column in keys]
    written = {
        row[0].strip("`"): re.findall(r"`([^`]+)`", row[1])
        for title in ("Tables of the history", "Views of the history")
        for row in rows_of(title)
    }
    assert written == expected


def test_the_python_example_runs(tmp_path, monkeypatch, capsys):
    (example,) = blocks(README, "python")
    small_history(tmp_path / "var" / "history" / "history-simulated.db")
    monkeypatch.chdir(tmp_path)
    exec(compile(example, "README.md", "exec"), {})
    assert "strike" in capsys.readouterr().out


# The text


def slug(heading: str) -> str:
    plain = re.sub(r"[`*]", "", heading).strip().lower()
    return re.sub(r" ", "-", "".join(sign for sign in plain if sign not in string.punctuation.replace("-", "")))


def test_every_link_leads_somewhere():
    headings = {slug(line.lstrip("#")) for line in re.sub(r"^```.*?^```", "", README, flags=re.M | re.S).splitlines()
                if line.startswith("#")}  # fmt: skip
    for target in re.findall(r"\]\(([^)\s]+)\)", README):
        if target.startswith("https://"):
            continue
        file, _, anchor = target.partition("#")
        if file:
            assert (ROOT / file).exists(), f"README.md links to {target}"
        else:
            assert anchor in headings, f"README.md links to #{anchor}; its headings are {', '.join(sorted(headings))}"


def test_every_file_that_is_named_exists():
    places = (ROOT, PACKAGE)
    for name in set(re.findall(r"`([\w./-]+/[\w.-]+\.(?:py|csv|yaml|md|png))`", README)):
        assert any((place / name).exists() for place in places), f"README.md speaks of {name}"


def test_pictures_are_shown_and_small():
    shown = re.findall(r"!\[[^\]]+\]\(([^)]+\.png)\)", README)
    assert shown
    assert {str(path.relative_to(ROOT).as_posix()) for path in (ROOT / "workbooks").rglob("*.png")} == set(shown)
    for name in shown:
        assert (ROOT / name).stat().st_size < 350_000


def test_the_folder_map_shows_every_room():
    (folders,) = [block for block in blocks(README, "text") if "run_dashboard.py" in block.splitlines()[0]]
    rooms = {path.parent.name for path in PACKAGE.rglob("__init__.py")} - {"recorded", "simulated"}
    modules = {path.name for path in PACKAGE.glob("*.py")} - {"__init__.py"}
    for name in {f"{room}/" for room in rooms} | modules | {"recorded/", "simulated/"}:
        assert name in folders, f"the folder map of README.md lacks {name}"


def test_the_rules_of_imports_are_those_that_are_tested():
    expected = []
    inhabited = {test_house.room_of(module).split(".")[0] for module in test_house.SOURCES}
    for name, rules in test_house.ROOMS.items():
        if name and name.split(".")[0] in inhabited:
            ours = "all" if rules.ours == test_house.ANYTHING else ", ".join(sorted(rules.ours)) or "nothing"
            theirs = "all" if rules.theirs == test_house.ANYTHING else ", ".join(sorted(rules.theirs)) or "none"
            expected.append((code(name), ours, theirs, "yes" if rules.pure else ""))
    same("Who may import whom", expected)


def words_of_the_program() -> set[str]:
    """Every text in the package's code; in one that is put together each inserted value is a `…`."""
    texts = set()
    for path in (ROOT / "run_dashboard.py", *PACKAGE.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                texts.add(node.value)
            elif isinstance(node, ast.JoinedStr):
                texts.add("".join(str(p.value) if isinstance(p, ast.Constant) else "…" for p in node.values))
    return texts


@pytest.mark.slow
def test_every_sentence_that_is_quoted_is_one_that_the_program_says():
    texts = words_of_the_program()
    quoted = [row[0] for row in rows_of("Troubleshooting")]
    assert len(quoted) > 25
    for sentence in quoted:
        parts = [part.strip() for part in sentence.strip("`").split("…") if part.strip()]
        assert any(all(part in text for part in parts) for text in texts), f"nothing says {sentence}"


def test_circulars_that_are_cited_are_those_of_the_tables():
    tables_of_facts = "".join(path.read_text(encoding="utf-8") for path in (PACKAGE / "model" / "data").glob("*.csv"))
    cited = set(re.findall(r"NSE/[A-Z]+/\d+|BSE notice \d+-\d+|SEBI HO/\S+?\d{4}\b", README))
    assert cited
    for circular in cited:
        assert circular in tables_of_facts, f"README.md cites {circular}, which no table of the calendar names"


def test_every_benchmark_is_told_and_no_other():
    told = set(re.findall(r"tests\.benchmarks\.(\w+)", README))
    places = (ROOT / "tests" / "benchmarks").glob("*.py")
    assert told == {place.stem for place in places if "__main__" in place.read_text(encoding="utf-8")}
