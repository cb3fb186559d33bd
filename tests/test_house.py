"""The order of the house: who may import whom, what the pure rooms leave alone, and sizes that fit in the head."""

import ast
import fnmatch
import functools
import graphlib
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = "optionscanner"
ANYTHING = frozenset({"*"})

MODULE_LINES = 400
FUNCTION_LINES = 80


@dataclass(frozen=True)
class Room:
    """What the modules of one room may import beside the standard library and each other."""

    ours: frozenset[str] = frozenset()
    theirs: frozenset[str] = frozenset()
    pure: bool = False
    """No clock, files, network, environment, printing or logging."""


def room(ours: str = "", theirs: str = "", *, pure: bool = False) -> Room:
    return Room(frozenset(ours.split()), frozenset(theirs.split()), pure)


# The longest name that fits a module decides; `layout_index` lives in the room `layout`. A room that does not exist
# yet costs nothing.
ROOMS = {
    "": room(),
    "bootstrap": room("errors"),
    "errors": room(pure=True),
    "model": room("errors", "numpy pandas", pure=True),
    "config": room("model errors", "pydantic yaml"),
    "ports": room("model", pure=True),
    "analytics": room("model errors", "numpy scipy pandas", pure=True),
    "trading": room("model errors", "numpy scipy pandas", pure=True),
    "history": room("model errors", "sqlite_utils pandas pyarrow numpy"),
    "workbook": room("workbook model errors platforms", "xlsxwriter openpyxl lxml isal xlwings numpy pandas psutil"),
    "workbook.layout": room("model", "numpy", pure=True),
    "workbook.render": room("workbook.layout model", "numpy", pure=True),
    "adapters": room("model errors ports", "pandas pyarrow numpy scipy xlrd"),
    "adapters.angel": room(
        "model errors ports", "numpy pandas pyarrow requests pyotp aiohttp keyring pyrate_limiter tenacity"
    ),
    "console": room("model errors"),
    "cli": room("errors"),
    "clocks": room("errors"),
    "logs": room("errors"),
    "locks": room("errors"),
    "platforms": room("errors", "psutil"),
    "supervised": room("bootstrap errors", "psutil"),
    "checkup": room("config cli console locks bootstrap model errors platforms"),
    "health": room("model analytics", "numpy"),
    "cycle": room("model analytics trading ports errors health workbook.render", "numpy"),
    "lookback": room("model analytics ports errors", "numpy"),
    "desk": room("model ports errors cycle workbook.render workbook.layout"),
    "runner": room("model analytics trading ports errors logs workbook.render cycle", "apscheduler numpy"),
    "backtest": room("cycle model ports errors", "numpy pandas"),
    "web": room("model history errors"),
    "app": Room(ANYTHING, ANYTHING),
}

# Nouns of the layout that do not carry its name.
MORE_OF = {"workbook.grid": "workbook.layout", "workbook.formats": "workbook.layout"}

# The names of these modules are the whole of what a pure room must not reach for.
IMPURE_MODULES = frozenset(
    "asyncio concurrent ctypes http io logging multiprocessing os pathlib queue random secrets select shutil signal "
    "socket sqlite3 ssl subprocess sys tempfile threading time urllib warnings".split()
)
IMPURE_CALLS = frozenset("open print input exec eval".split())
IMPURE_METHODS = frozenset(
    "now today utcnow read_text write_text read_bytes write_bytes read_csv to_csv read_parquet to_parquet read_excel "
    "to_excel read_sql to_sql to_pickle read_pickle fromfile tofile savez loadtxt savetxt".split()
)
# The tables of the calendar come with the package and do not change while it runs.
READS_ITS_OWN_TABLES = {("model.calendar", ".read_text()")}

TOP_LEVEL = {
    "optionscanner", "workbooks", "tests", "run_dashboard.py", "config.yaml", "pyproject.toml", "README.md",
}  # fmt: skip


def module_name(path: Path) -> str:
    """`model/chains.py` → `model.chains`; the package itself is the empty name."""
    parts = path.relative_to(ROOT / PACKAGE).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


SOURCES = {module_name(path): path for path in sorted((ROOT / PACKAGE).rglob("*.py"))}


@functools.cache
def parse(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"), filename=str(path))


def within(module: str, name: str) -> bool:
    return module == name or module.startswith(name + ".")


def room_of(module: str) -> str:
    """The room that a module lives in; each adapter is a room of its own."""
    module = MORE_OF.get(module, module)
    fitting = [name for name in ROOMS if name and (within(module, name) or module.startswith(name + "_"))]
    if not fitting:
        return "" if module == "" else "unknown"
    name = max(fitting, key=len)
    return ".".join(module.split(".")[:2]) if name == "adapters" else name


def imported(module: str, tree: ast.Module, *, package: bool = False) -> Iterator[tuple[int, str]]:
    """Line and absolute name of everything imported anywhere in a module, also inside functions."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield node.lineno, alias.name
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                here = [PACKAGE, *module.split(".")] if module else [PACKAGE]
                up = node.level - 1 if package else node.level
                base = ".".join([*here[: len(here) - up], *([base] if base else [])])
            for alias in node.names:
                name = f"{base}.{alias.name}"
                known = name.removeprefix(PACKAGE + ".") in SOURCES or (base == PACKAGE and alias.name[0] != "_")
                yield node.lineno, name if known else base


def forbidden_imports(module: str, tree: ast.Module, *, package: bool = False) -> list[str]:
    """A sentence for each import that the table does not allow."""
    home = room_of(module)
    rules = ROOMS["adapters" if home.startswith("adapters") and home not in ROOMS else home]
    found = []
    for line, name in imported(module, tree, package=package):
        top = name.split(".")[0]
        if top == PACKAGE:
            target = name.removeprefix(PACKAGE).removeprefix(".")
            allowed = (
                rules.ours == ANYTHING
                or target == ""
                or room_of(target) == home
                or any(ours == room_of(target) or within(target, ours) for ours in rules.ours)
            )
        elif top in sys.stdlib_module_names:
            allowed = not (rules.pure and top in IMPURE_MODULES)
        else:
            allowed = rules.theirs == ANYTHING or top in rules.theirs
        if not allowed:
            found.append(f"{module}:{line} must not import {name}")
    return found


def impure_calls(module: str, tree: ast.Module) -> list[str]:
    """A sentence for each call in a pure room that reads a clock, a file or the environment, or prints."""
    home = room_of(module)
    if not ROOMS["adapters" if home.startswith("adapters") and home not in ROOMS else home].pure:
        return []
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            if isinstance(node.func, ast.Name) and node.func.id in IMPURE_CALLS:
                found.append((node.lineno, f"{node.func.id}()"))
            elif isinstance(node.func, ast.Attribute) and node.func.attr in IMPURE_METHODS:
                found.append((node.lineno, f".{node.func.attr}()"))
    return [
        f"{module}:{line} must not call {call}" for line, call in found if (module, call) not in READS_ITS_OWN_TABLES
    ]


def broad_handlers(tree: ast.Module) -> list[int]:
    """Lines that catch every exception, by `except` or by `suppress`."""
    lines = []
    for node in ast.walk(tree):
        if isinstance(node, ast.ExceptHandler):
            caught = [node.type]
        elif isinstance(node, ast.Call) and ast.unparse(node.func).endswith("suppress"):
            caught = list(node.args)
        else:
            continue
        types = [part for item in caught for part in (item.elts if isinstance(item, ast.Tuple) else [item])]
        if any(item is None or ast.unparse(item) in ("Exception", "BaseException") for item in types):
            lines.append(node.lineno)
    return lines


def module_state(module: str, tree: ast.Module) -> list[str]:
    """A sentence for each module-level thing that can only be there to change later, or to do work at import."""
    found = [
        f"{module}:{node.lineno} has a global statement" for node in ast.walk(tree) if isinstance(node, ast.Global)
    ]
    for node in tree.body:
        value = node.value if isinstance(node, ast.Assign | ast.AnnAssign) else None
        empty = (isinstance(value, ast.Dict) and not value.keys) or (isinstance(value, ast.List) and not value.elts)
        called = isinstance(value, ast.Call) and ast.unparse(value) in (
            "dict()",
            "list()",
            "set()",
            "defaultdict(list)",
        )
        if empty or called:
            found.append(f"{module}:{node.lineno} keeps an empty container for later")
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Call):
            found.append(f"{module}:{node.lineno} calls {ast.unparse(node.value.func)} at import")
    return found


def every_module() -> Iterator[tuple[str, Path, ast.Module]]:
    for module, path in SOURCES.items():
        yield module, path, parse(path)


# The rules, on the package


def test_every_module_has_a_room():
    """A new room is entered in the table with what it may import."""
    assert [module for module in SOURCES if room_of(module) == "unknown"] == []


def test_imports_keep_to_the_table():
    found = []
    for module, path, tree in every_module():
        if room_of(module) != "unknown":
            found += forbidden_imports(module, tree, package=path.name == "__init__.py")
    assert found == []


def test_pure_rooms_read_no_clock_file_or_environment():
    found = []
    for module, _, tree in every_module():
        if room_of(module) != "unknown":
            found += impure_calls(module, tree)
    assert found == []


def test_nobody_imports_the_composition_root():
    """`run_dashboard.py` and the web entry do, from outside."""
    users = {
        module
        for module, path, tree in every_module()
        for _, name in imported(module, tree, package=path.name == "__init__.py")
        if within(name, f"{PACKAGE}.app") and not within(module, "app")
    }
    assert users <= {"web.__main__"}


def test_there_are_no_import_cycles():
    """Imports inside functions count: they only hide a cycle."""
    graph = {}
    for module, path, tree in every_module():
        names = imported(module, tree, package=path.name == "__init__.py")
        ours = {name.removeprefix(PACKAGE).removeprefix(".") for _, name in names if within(name, PACKAGE)}
        graph[module] = (ours & SOURCES.keys()) - {module}
    order = tuple(graphlib.TopologicalSorter(graph).static_order())
    assert set(order) == set(SOURCES)


def test_modules_and_functions_fit_in_the_head():
    found = []
    for module, path, tree in every_module():
        lines = len(path.read_text(encoding="utf-8").splitlines())
        if lines > MODULE_LINES:
            found.append(f"{module} has {lines} lines")
        for node in ast.walk(tree):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                length = node.end_lineno - node.lineno + 1
                if length > FUNCTION_LINES:
                    found.append(f"{module}.{node.name} has {length} lines")
    assert found == []


def test_broad_excepts_are_the_two_of_the_cycle():
    """One around an engine, one around a sink."""
    found = {module: lines for module, _, tree in every_module() if (lines := broad_handlers(tree))}
    assert set(found) <= {"cycle"}
    assert len(found.get("cycle", [])) <= 2


def test_only_the_console_prints():
    found = [
        f"{module}:{node.lineno}"
        for module, _, tree in every_module()
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "print"
    ]
    assert [place for place in found if not place.startswith("console:")] == []


def test_no_module_holds_state():
    assert [sentence for module, _, tree in every_module() for sentence in module_state(module, tree)] == []


# Runs in a Python of its own: audit hooks cannot be taken off again.
WATCH_IMPORTS = """
import importlib, json, sys, threading
for name in json.loads(sys.argv[1]):
    try:
        importlib.import_module(name)
    except ImportError:
        pass
seen = []
def watch(event, values):
    if event == "open":
        path, mode = str(values[0]), values[1]
        if any(c in (mode or "r") for c in "wax+") or not path.endswith((".py", ".pyc")) and sys.argv[3] in path:
            seen.append(f"{event} {path} {mode}")
    elif event.startswith(("socket.", "subprocess.", "os.mkdir", "os.remove", "os.rename", "sqlite3.", "os.system")):
        seen.append(f"{event} {values}")
sys.addaudithook(watch)
for name in json.loads(sys.argv[2]):
    importlib.import_module(name)
print(json.dumps([seen, threading.active_count()]))
"""


def watch_imports(modules: list[str], place: Path) -> tuple[list[str], int]:
    theirs = sorted({name for rules in ROOMS.values() for name in rules.theirs - ANYTHING})
    # These are reached through the ones above, and have their own ways at import.
    theirs += [
        "pyarrow.parquet",
        "pyarrow.compute",
        "pyarrow.csv",
        "apscheduler.schedulers.background",
        "scipy.special",
        "pandas",
        "multiprocessing",
        "uuid",
    ]
    done = subprocess.run(
        [sys.executable, "-B", "-c", WATCH_IMPORTS, json.dumps(theirs), json.dumps(modules), str(place)],
        cwd=place,
        capture_output=True,
        encoding="utf-8",
        check=False,
    )
    assert done.returncode == 0, done.stderr
    seen, threads = json.loads(done.stdout.splitlines()[-1])
    return seen, threads


def test_importing_a_module_does_nothing():
    """No file, no table of ours, no process, no connection, no thread."""
    assert watch_imports([f"{PACKAGE}.{name}" if name else PACKAGE for name in SOURCES], ROOT) == ([], 1)


# The project folder


def project_files() -> list[Path]:
    """Files of the project, without what `.gitignore` names."""
    ignored = [line.strip("/") for line in (ROOT / ".gitignore").read_text().splitlines() if line]

    def visible(path: Path) -> bool:
        parts = path.relative_to(ROOT).parts
        names = [*parts, "/".join(parts), *("/".join(parts[:n]) for n in range(2, len(parts)))]
        return parts[0] != ".git" and not any(fnmatch.fnmatch(name, rule) for name in names for rule in ignored)

    return [path for path in ROOT.rglob("*") if path.is_file() and visible(path)]


def test_top_level_is_the_house():
    """A reader sees seven things beside the dotfiles."""
    top = {path.relative_to(ROOT).parts[0] for path in project_files()}
    assert {name for name in top if not name.startswith(".")} - TOP_LEVEL == set()


def test_no_file_names_a_place_on_somebodys_machine():
    places = re.compile(rb"(?<![\w.])(?:/ro" rb"ot/|/wo" rb"rk/|/ho" rb"me/\w|/Us" rb"ers/\w|[A-Z]:\\Us" rb"ers\\\w)")
    text = {".py", ".md", ".toml", ".yaml", ".csv", ".json", ".txt", ".bas", ".sql", ""}
    found = [path for path in project_files() if path.suffix in text and places.search(path.read_bytes())]
    assert found == []


def test_nothing_is_left_to_do():
    """What is not done is in an issue, not in a comment."""
    marks = re.compile(rb"\b(?:TO" rb"DO|FIX" rb"ME|XX" rb"X|HA" rb"CK)\b")
    found = [
        path for path in project_files() if path.suffix in (".py", ".yaml", ".md") and marks.search(path.read_bytes())
    ]
    assert found == []


# The rules themselves: each one finds what it is there for


@pytest.mark.parametrize(
    ("module", "source"),
    [
        ("model.chains", "import optionscanner.analytics.flow"),
        ("model.chains", "from optionscanner import history"),
        ("model.chains", "from ..config import settings"),
        ("model.chains", "import os"),
        ("model.chains", "import scipy"),
        ("analytics.flow", "def f():\n    from optionscanner.ports import Clock"),
        ("analytics.flow", "import sqlite3"),
        ("workbook.render", "import openpyxl"),
        ("workbook.render", "from optionscanner.analytics import flow"),
        ("workbook.file_host", "from optionscanner.history import store"),
        ("history.store", "from optionscanner.workbook import layout"),
        ("adapters.recorded.replay", "from optionscanner.adapters.simulated import market"),
        ("adapters.recorded.replay", "import xlsxwriter"),
        ("cycle", "from optionscanner.adapters.recorded import replay"),
        ("cycle", "from optionscanner.workbook.file_host import FileHost"),
        ("bootstrap.environment", "import numpy"),
        ("ports", "from optionscanner.errors import ConfigError"),
    ],
)
def test_a_forbidden_import_is_found(module, source):
    assert len(forbidden_imports(module, ast.parse(source))) == 1


@pytest.mark.parametrize(
    ("module", "source"),
    [
        (
            "model.chains",
            "from optionscanner.errors import ChainError\nfrom .contracts import Layout\nimport numpy as np",
        ),
        (
            "analytics.flow",
            "from optionscanner.model.chains import Chains\nfrom scipy.special import ndtr\nimport math",
        ),
        ("workbook.render", "from optionscanner.workbook.layout import SHEETS"),
        ("workbook.render_index", "from optionscanner.workbook.grid import Column"),
        ("workbook.file_host", "from optionscanner.workbook.render import render\nimport lxml.etree"),
        ("adapters.recorded.replay", "from optionscanner.adapters.recorded.format import read\nimport os"),
        ("cycle", "from optionscanner.workbook.render import render\nfrom optionscanner.ports import Clock"),
        ("app", "from optionscanner.adapters.recorded import replay\nimport psutil"),
    ],
)
def test_an_allowed_import_passes(module, source):
    assert forbidden_imports(module, ast.parse(source)) == []


@pytest.mark.parametrize("source", ["datetime.now(tz)", "date.today()", "open(name)", "print(1)", "path.read_text()"])
def test_an_impure_call_is_found_in_a_pure_room_only(source):
    assert len(impure_calls("analytics.flow", ast.parse(source))) == 1
    assert impure_calls("runner", ast.parse(source)) == []


@pytest.mark.parametrize(
    ("source", "lines"),
    [
        ("try:\n    f()\nexcept Exception:\n    g()", [3]),
        ("try:\n    f()\nexcept:\n    g()", [3]),
        ("try:\n    f()\nexcept (OSError, BaseException) as e:\n    g()", [3]),
        ("with contextlib.suppress(Exception):\n    f()", [1]),
        ("try:\n    f()\nexcept (OSError, ValueError):\n    g()", []),
    ],
)
def test_a_broad_except_is_found(source, lines):
    assert broad_handlers(ast.parse(source)) == lines


@pytest.mark.parametrize(
    ("source", "count"),
    [
        ("CACHE = {}", 1),
        ("cache: list[int] = []", 1),
        ("def f():\n    global x\n    x = 1", 1),
        ("logging.basicConfig()", 1),
        ("TABLE = {1: 2}\nLIMIT = 3", 0),
    ],
)
def test_module_state_is_found(source, count):
    assert len(module_state("m", ast.parse(source))) == count


@pytest.mark.parametrize(
    ("source", "seen"),
    [
        ("open('out.txt', 'w')", "open out.txt w"),
        ("import pathlib\npathlib.Path(__file__).with_name('table.csv').read_text()", "table.csv"),
        ("import socket\nsocket.socket()", "socket.__new__"),
        ("import subprocess, sys\nsubprocess.run([sys.executable, '-c', ''])", "subprocess.Popen"),
        ("LIMIT = 3", None),
    ],
)
def test_work_at_import_is_found(tmp_path, source, seen):
    (tmp_path / "table.csv").write_text("a,b\n")
    (tmp_path / "busy.py").write_text(source)
    events, _ = watch_imports(["busy"], tmp_path)
    assert any(seen in event for event in events) if seen else events == []
