"""A machine with only Python: what the two commands do before anything is installed."""

import ast
import os
import shutil
import signal
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

import run_dashboard
from optionscanner.bootstrap import environment, pip_output

linux_only = pytest.mark.skipif(sys.platform != "linux", reason="asks something of the Linux kernel")

# A stand-in for the application: says where it runs, with the sign that consoles stumble over.
APP = """
import sys
def main(arguments):
    print("\\u20b9", sys.prefix, arguments)
    return 7
"""


def python(code: str, *, cwd: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run a snippet in a Python of its own that finds this project."""
    return subprocess.run(
        [sys.executable, "-c", code],
        cwd=cwd,
        env={**os.environ, "PYTHONPATH": str(Path(run_dashboard.__file__).parent), **variables},
        capture_output=True,
        encoding="utf-8",
        check=False,
    )


# The running Python


@pytest.mark.parametrize("version", [(2, 7, 18), (3, 6, 15), (3, 10, 13)])
def test_old_python_gets_one_sentence(monkeypatch, version):
    """It says what is needed, what came and what to do."""
    monkeypatch.setattr(sys, "version_info", version)
    with pytest.raises(SystemExit) as ended:
        run_dashboard.require_python()
    sentence = ended.value.code
    assert f"needs Python 3.11 or newer, and this is Python {version[0]}.{version[1]} (" in sentence
    assert "install a newer one" in sentence
    assert "\n" not in sentence


@pytest.mark.parametrize("version", [(3, 11, 0), (3, 12, 1), (4, 0, 0)])
def test_new_enough_python_passes(monkeypatch, version):
    """3.11 itself is new enough."""
    monkeypatch.setattr(sys, "version_info", version)
    run_dashboard.require_python()


@pytest.mark.parametrize("name", ["run_dashboard.py", "tests/__init__.py", "tests/__main__.py"])
def test_entry_files_parse_on_old_python(root, name):
    """Otherwise its user would see a syntax error in place of the sentence."""
    tree = ast.parse((root / name).read_text(encoding="utf-8"), feature_version=(3, 4))
    newer = (ast.AnnAssign, ast.JoinedStr, ast.NamedExpr, ast.Starred)
    assert [node.lineno for node in ast.walk(tree) if isinstance(node, newer)] == []
    functions = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)]
    assert [f.name for f in functions if f.returns or any(a.annotation for a in f.args.args)] == []


# Requirements


@pytest.fixture
def installed(tmp_path, monkeypatch):
    """Put a package on the path that says it has the given version."""

    def install(version: str) -> None:
        folder = tmp_path / f"widget-{version}.dist-info"
        folder.mkdir()
        (folder / "METADATA").write_text(f"Metadata-Version: 2.1\nName: widget\nVersion: {version}\n")
        monkeypatch.syspath_prepend(tmp_path)

    return install


@pytest.mark.parametrize(
    ("version", "bounds", "met"),
    [
        ("2.10.1", "", True),
        ("2.10.1", ">=2.10.1", True),
        ("2.10.1", ">=2.9,<3", True),
        ("2.10.1", ">=2.10.2", False),
        ("2.10.1", "<2.10.1", False),
        ("2.10.1", "<=2.10.1", True),
        ("2.10.1", "!=2.10.1", False),
        ("2.10.1", ">2.10.1", False),
        ("3", ">=2.10,<3", False),
        ("3.0.0", "==3", True),
        ("3.1.0rc1", ">=3.1", True),
        ("2.9.0.post0", "==2.9", True),
    ],
)
def test_requirement_is_met_by_a_fitting_version(installed, version, bounds, met):
    """Bounds compare as numbers, and trailing zeros do not matter."""
    installed(version)
    assert environment.unmet([f"widget{bounds}"]) == ([] if met else [f"widget{bounds}"])


def test_absent_package_is_unmet():
    assert environment.unmet(["surely-not-installed>=1"]) == ["surely-not-installed>=1"]


@pytest.mark.parametrize("line", ["widget~=1.0", "widget[x]>=1", "widget>=1; sys_platform == 'win32'", "widget>=1rc1"])
def test_requirement_beyond_name_and_bounds_is_refused(line):
    """The reader of these lines has only the standard library and must not guess."""
    with pytest.raises(environment.SetupError, match=r"must look like `name>=1\.0,<2`"):
        environment.unmet([line])


def test_the_running_python_has_the_project_requirements(root):
    """The project's real lines can be read, and the suite runs where all of them are met."""
    lines = environment.read_requirements(root, ["test"])
    assert {"numpy>=2.0,<3", "pytest>=8.2,<10"} <= set(lines)
    assert environment.unmet(lines) == []


def test_unreadable_project_file_gets_one_sentence(tmp_path):
    (tmp_path / "pyproject.toml").write_text("[project\n")
    with pytest.raises(environment.SetupError, match=r"pyproject\.toml must list .* fetch the project again"):
        environment.read_requirements(tmp_path)


def test_nothing_happens_when_everything_is_installed(project, packages):
    """In the supervised process: no line, no process, no folder, the program starts at once."""
    (project / "pyproject.toml").write_text('[project]\nname = "optionscanner"\ndependencies = []\n')
    code = """
import sys
sys.addaudithook(lambda name, values: name in ("subprocess.Popen", "os.mkdir") and sys.exit(f"{name} {values}"))
sys.dont_write_bytecode = True
import run_dashboard
sys.exit(run_dashboard.main(["--once"]))
"""
    places = {"PYTHONPATH": str(project), "PYTHONIOENCODING": "utf-8"}
    done = python(code, cwd=project, OPTIONSCANNER_SUPERVISOR="1", **places)
    assert (done.returncode, done.stderr) == (7, "")
    assert done.stdout == f"₹ {sys.prefix} ['--once']\n"
    assert not (project / ".venv").exists()


def test_the_program_runs_as_a_child_of_the_same_python(project, packages):
    (project / "pyproject.toml").write_text('[project]\nname = "optionscanner"\ndependencies = []\n')
    done = subprocess.run(
        [sys.executable, project / "run_dashboard.py", "--once"], capture_output=True, encoding="utf-8", cwd=project,
        env={**os.environ, "PYTHONIOENCODING": "utf-8"}, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stderr, done.stdout) == (7, "", f"₹ {sys.prefix} ['--once']\n")
    assert not (project / ".venv").exists()


# Machines that lack something


def test_python_without_ensurepip_gets_one_sentence(tmp_path, monkeypatch):
    """Debian and Ubuntu ship it apart."""
    monkeypatch.setitem(sys.modules, "ensurepip", None)
    with pytest.raises(environment.SetupError) as caught:
        environment.complete_environment(tmp_path, ["widget>=1"])
    assert "lacks its standard module ensurepip" in str(caught.value)
    assert f"apt install python3.{sys.version_info[1]}-venv" in str(caught.value)


@pytest.mark.skipif(os.name == "nt", reason="POSIX file modes")
def test_read_only_folder_gets_one_sentence(tmp_path):
    """The superuser may write anywhere, so as superuser the attempt is made by nobody."""
    tmp_path.chmod(0o555)
    code = f"""
import os, pathlib, sys
from optionscanner.bootstrap import environment
if os.geteuid() == 0:
    os.seteuid(65534)
try:
    environment.complete_environment(pathlib.Path({str(tmp_path)!r}), ["widget>=1"])
except environment.SetupError as error:
    sys.exit(str(error))
"""
    done = python(code, cwd=Path("/"))
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1] == (
        f"{tmp_path / '.venv'} cannot be written (Permission denied): move the project to a folder of your own, or "
        "make this one writable, and start again."
    )


@linux_only
def test_full_disk_gets_one_sentence(tmp_path):
    """/dev/full refuses every byte as a full disk does."""
    (tmp_path / ".venv").mkdir()
    (tmp_path / ".venv" / "optionscanner-setup.json.new").symlink_to("/dev/full")
    with pytest.raises(environment.SetupError, match=r"The disk is full: .* MB are free: make room and start again"):
        environment.complete_environment(tmp_path, ["widget>=1"])


def test_file_in_the_place_of_the_environment_gets_one_sentence(tmp_path):
    (tmp_path / ".venv").write_text("mine")
    with pytest.raises(environment.SetupError, match="cannot be written"):
        environment.complete_environment(tmp_path, ["widget>=1"])
    assert (tmp_path / ".venv").read_text() == "mine"


def test_foreign_folder_in_the_place_of_the_environment_is_kept(tmp_path):
    """What we did not make is never deleted."""
    (tmp_path / ".venv").mkdir()
    (tmp_path / ".venv" / "thesis.txt").write_text("mine")
    with pytest.raises(environment.SetupError, match="must be a virtual environment with a working Python"):
        environment.complete_environment(tmp_path, ["widget>=1"])
    assert (tmp_path / ".venv" / "thesis.txt").read_text() == "mine"


@pytest.mark.parametrize(
    ("output", "sentence"),
    [
        (
            "WARNING: Retrying (Retry(total=0)) after connection broken by 'NewConnectionError('<x>: Failed to "
            "establish a new connection: [Errno -3] Temporary failure in name resolution')': /simple/numpy/\n"
            "ERROR: Could not find a version that satisfies the requirement numpy<3,>=2.0 (from versions: none)\n"
            "ERROR: No matching distribution found for numpy<3,>=2.0\n",
            "The package index cannot be reached",
        ),
        (
            "ERROR: Could not find a version that satisfies the requirement numpy<3,>=2.0 (from versions: none)\n"
            "ERROR: No matching distribution found for numpy<3,>=2.0\n",
            "The package index is not reached or offers no numpy<3,>=2.0 for Python ",
        ),
        ("ERROR: Could not install packages: [Errno 28] No space left on device\n", "The disk is full"),
        ("ERROR: [WinError 112] There is not enough space on the disk\n", "The disk is full"),
        ("ERROR: Could not install packages: [Errno 30] Read-only file system: 'x'\n", "cannot be written"),
        (
            "ERROR: Could not find a version that satisfies the requirement numpy<3,>=2.0 (from versions: 1.26.4)\n"
            "ERROR: No matching distribution found for numpy<3,>=2.0\n",
            "The package index offers no numpy<3,>=2.0 for Python ",
        ),
        ("Collecting numpy\nERROR: something new\nhint: see above\n", "(ERROR: something new): see log.txt"),
        ("", "(no output): see log.txt"),
    ],
)
def test_failed_pip_becomes_one_sentence(tmp_path, output, sentence):
    """The cause decides, also where its consequence is printed after it."""
    explained = pip_output.explain(output, folder=tmp_path / ".venv", log=Path("log.txt"))
    assert sentence in explained
    assert "start again" in explained
    assert "\n" not in explained


@pytest.mark.parametrize(
    ("line", "shown"),
    [
        ("  Downloading numpy-2.4.6-cp311-cp311-manylinux_2_28_x86_64.whl (16.9 MB)", "fetching numpy-2.4.6 (16.9 MB)"),
        (
            "  Downloading https://x.example/a/et_xmlfile-2.0.0-py3-none-any.whl (18 kB)",
            "fetching et_xmlfile-2.0.0 (18 kB)",
        ),
        ("  Downloading vollib-1.0.11.tar.gz (30 kB)", "fetching vollib-1.0.11 (30 kB)"),
        ("  Downloading numpy-2.4.6-cp311-cp311-x86_64.whl.metadata (6.6 kB)", None),
        ("Installing collected packages: pytz, tzdata, numpy", "installing 3 packages"),
        ("  Building wheel for vollib (pyproject.toml): started", "building wheel for vollib"),
        (
            "WARNING: Retrying (Retry(total=2)) after connection broken",
            "no answer from the package index, trying again",
        ),
        ("Collecting numpy<3,>=2.0", None),
        ("Requirement already satisfied: numpy in ./lib", None),
    ],
)
def test_progress_has_a_line_for_each_download(line, shown):
    assert pip_output.progress(line) == shown


@pytest.mark.parametrize("encoding", ["ascii", "cp1252", "ascii:strict"])
def test_rupee_sign_breaks_no_console(root, encoding):
    """Neither here nor in a child process, which knows nothing of it."""
    code = """
import subprocess, sys
from optionscanner.bootstrap import environment
environment.make_console_safe()
print("\\u20b9 1", flush=True)
subprocess.run([sys.executable, "-c", "print('\\u20b9 2')"], check=True)
"""
    done = python(code, cwd=root, PYTHONIOENCODING=encoding)
    assert (done.returncode, done.stdout) == (0, "? 1\n? 2\n")


# Handing over

HAND_OVER = """
import pathlib, sys
from optionscanner.bootstrap import child_process
sys.exit(child_process.hand_over(pathlib.Path(sys.executable), ["-c", sys.argv[1]]))
"""
# Plain writes: a handler may not enter the buffer of `print` while the line before it is on its way.
WAITING = """
import os, signal, sys
def stop(number, frame):
    os.write(1, b"got %d\\n" % number)
    sys.exit(3)
signal.signal(signal.SIGINT, stop)
signal.signal(signal.SIGTERM, stop)
os.write(1, b"ready\\n")
while True:
    signal.pause()
"""


def hand_over(root: Path, code: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", HAND_OVER, code],
        env={**os.environ, "PYTHONPATH": str(root)},
        stdout=subprocess.PIPE,
        encoding="utf-8",
    )


def test_exit_code_of_the_child_is_ours(root):
    with hand_over(root, "raise SystemExit(42)") as parent:
        assert parent.wait(60) == 42


@pytest.mark.skipif(os.name == "nt", reason="POSIX signals")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_signal_reaches_the_child_once(root, number):
    """The child decides how to end, and its exit code comes back."""
    with hand_over(root, WAITING) as parent:
        assert parent.stdout.readline() == "ready\n"
        parent.send_signal(number)
        output, _ = parent.communicate(timeout=60)
        assert (output, parent.returncode) == (f"got {int(number)}\n", 3)


@pytest.mark.skipif(os.name == "nt", reason="POSIX signals")
def test_child_ended_by_a_signal_counts_as_in_a_shell(root):
    with hand_over(root, "import os; os.kill(os.getpid(), 9)") as parent:
        assert parent.wait(60) == 128 + 9


@linux_only
def test_killed_parent_leaves_no_orphan(root):
    """The child holds the other end of our pipe, which closes only when the child is gone too."""
    with hand_over(root, WAITING) as parent:
        assert parent.stdout.readline() == "ready\n"
        parent.kill()
        output, _ = parent.communicate(timeout=60)
        assert output == ""


def test_python_that_does_not_start_gets_one_sentence(root, tmp_path):
    code = f"""
import pathlib, sys
from optionscanner.bootstrap import child_process
sys.exit(child_process.hand_over(pathlib.Path({str(tmp_path)!r}, ".venv/bin/python"), []))
"""
    done = python(code, cwd=root)
    assert done.returncode == 1
    assert done.stderr.endswith(f"delete {tmp_path / '.venv'} and start again.\n")
    assert done.stderr.count("\n") == 1


# The whole way, in real environments with a package index in a folder


@pytest.fixture
def project(root, tmp_path) -> Path:
    """The real start files around a stand-in application, in a folder with spaces and non-English letters."""
    folder = tmp_path / "मेरा project ₹"
    (folder / "optionscanner").mkdir(parents=True)
    shutil.copy(root / "run_dashboard.py", folder)
    for name in ("__init__.py", "errors.py"):
        shutil.copy(root / "optionscanner" / name, folder / "optionscanner")
    ignored = shutil.ignore_patterns("__pycache__")
    shutil.copytree(root / "optionscanner" / "bootstrap", folder / "optionscanner" / "bootstrap", ignore=ignored)
    (folder / "optionscanner" / "app.py").write_text(APP)
    needs(folder, "widget>=1,<2")
    return folder


def needs(folder: Path, *lines: str) -> None:
    text = f'[project]\nname = "optionscanner"\ndependencies = {list(lines)}\n'
    (folder / "pyproject.toml").write_text(text, encoding="utf-8")


@pytest.fixture
def packages(tmp_path) -> Path:
    """A folder with two small packages, for pip instead of an index."""
    folder = tmp_path / "packages"
    folder.mkdir()
    for name in ("widget", "gadget"):
        with zipfile.ZipFile(folder / f"{name}-1.0-py3-none-any.whl", "w") as wheel:
            wheel.writestr(f"{name}.py", "")
            about = f"{name}-1.0.dist-info"
            wheel.writestr(f"{about}/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
            wheel.writestr(
                f"{about}/WHEEL", "Wheel-Version: 1.0\nGenerator: x\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
            )
            wheel.writestr(f"{about}/RECORD", f"{name}.py,,\n{about}/METADATA,,\n{about}/WHEEL,,\n{about}/RECORD,,\n")
    return folder


def begin(folder: Path, packages: Path, executable: Path | str = sys.executable, **more: str) -> subprocess.Popen[str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PIP_", "PYTHON"))}
    pip = {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(packages), "PIP_CONFIG_FILE": os.devnull}
    return subprocess.Popen(
        [str(executable), "run_dashboard.py", "--once"],
        cwd=folder,
        env={**kept, **pip, "PYTHONIOENCODING": "utf-8", **more},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        encoding="utf-8",
    )


def run(folder: Path, packages: Path, executable: Path | str = sys.executable, **more: str) -> tuple[int, str, str]:
    """Exit code, output and messages of the command; packages come from a folder instead of an index."""
    with begin(folder, packages, executable, **more) as process:
        output, messages = process.communicate()
    return process.returncode, output, messages


def ran(folder: Path) -> str:
    """What the stand-in application says when it runs in the project's own environment."""
    return f"₹ {folder / '.venv'} ['--once']\n"


@pytest.mark.bare
def test_first_start_makes_the_environment_and_the_second_finds_it(project, packages):
    """One line that says so, one for each step, then the program; afterwards only the program."""
    code, output, messages = run(project, packages)
    assert (code, output) == (7, ran(project))
    lines = messages.splitlines()
    assert lines[0] == (
        f"OptionScanner needs widget, which {sys.executable} does not have: setting up {project / '.venv'}, once, for "
        "a minute or two."
    )
    assert [line.partition(":")[0] for line in lines[1:3]] == ["Step 1 of 2", "Step 2 of 2"]
    assert "  installing 1 packages" in lines
    assert lines[-1].startswith("Set-up finished after")
    assert run(project, packages) == (7, ran(project), "")


@pytest.mark.bare
def test_environment_keeps_up_with_the_project(project, packages):
    """A new requirement is installed into what is there, a lost package again, also when its own Python runs."""
    run(project, packages)
    own = environment.environment_python(project / ".venv")
    (project / ".venv" / "kept.txt").write_text("kept")

    needs(project, "widget>=1,<2", "gadget==1.0")
    code, output, messages = run(project, packages)
    assert (code, output) == (7, ran(project))
    assert "Step 1" not in messages
    assert "Step 2 of 2: installing 2 packages" in messages

    subprocess.run([own, "-m", "pip", "uninstall", "-qy", "gadget"], check=True)
    code, output, messages = run(project, packages, own)
    assert (code, output) == (7, ran(project))
    assert "needs gadget" in messages
    assert run(project, packages, own) == (7, ran(project), "")
    assert (project / ".venv" / "kept.txt").read_text() == "kept"


@pytest.mark.bare
@pytest.mark.parametrize("step", ["Step 1 of 2", "Step 2 of 2"])
def test_killed_set_up_is_redone(project, packages, step):
    """Whatever the killed one left behind is neither trusted nor in the way."""
    with begin(project, packages) as first:
        while not first.stderr.readline().startswith(step):
            pass
        first.kill()
    assert run(project, packages)[:2] == (7, ran(project))
    assert run(project, packages) == (7, ran(project), "")


@pytest.mark.bare
def test_two_first_starts_at_once_both_work(project, packages):
    """One sets up, the other waits for it."""
    with begin(project, packages) as one, begin(project, packages) as two:
        results = [process.communicate() for process in (one, two)]
    assert [process.returncode for process in (one, two)] == [7, 7]
    assert [output for output, _ in results] == [ran(project)] * 2
    messages = "".join(text for _, text in results)
    assert messages.count("Step 1 of 2") == 1
    assert messages.count("waiting for it") == 1


@pytest.mark.bare
def test_environment_of_the_user_is_completed_and_kept(project, packages):
    """Somebody made `.venv` by hand: it gets what is missing."""
    subprocess.run([sys.executable, "-m", "venv", project / ".venv"], check=True)
    (project / ".venv" / "thesis.txt").write_text("mine")
    code, output, messages = run(project, packages)
    assert (code, output) == (7, ran(project))
    assert "Step 1" not in messages
    assert (project / ".venv" / "thesis.txt").read_text() == "mine"


@pytest.mark.bare
def test_machine_without_network_gets_one_sentence_and_can_go_on_later(project, packages):
    """Nothing listens on port 9 here; when packages can be had again, the next start makes good."""
    offline = {
        "PIP_NO_INDEX": "0",
        "PIP_FIND_LINKS": "",
        "PIP_INDEX_URL": "http://127.0.0.1:9/simple",
        "PIP_RETRIES": "1",
    }
    code, output, messages = run(project, packages, **offline)
    assert (code, output) == (1, "")
    assert messages.splitlines()[-1].startswith("The package index cannot be reached (")
    assert "Traceback" not in messages
    assert run(project, packages)[:2] == (7, ran(project))


@pytest.mark.bare
@pytest.mark.slow
@pytest.mark.timeout(900)
def test_bare_machine_runs_the_real_program(root, tmp_path):
    """The first command of the README, with the real requirements, by a Python that has no packages at all."""
    project = tmp_path / "मेरा project ₹"
    project.mkdir()
    for name in ("run_dashboard.py", "pyproject.toml", "config.yaml"):
        shutil.copy(root / name, project)
    shutil.copytree(root / "optionscanner", project / "optionscanner", ignore=shutil.ignore_patterns("__pycache__"))
    kept = {name: os.environ[name] for name in os.environ if name in ("PATH", "HOME") or name.startswith("PIP_")}

    def start(*arguments: str) -> subprocess.CompletedProcess[str]:
        # -S hides the packages of this Python from it, and from nobody else.
        command = [sys.executable, "-S", "run_dashboard.py", *arguments]
        return subprocess.run(command, cwd=project, env=kept, capture_output=True, encoding="utf-8", check=False)

    told = start("--help")
    assert told.returncode == 0, told.stderr
    assert "--replay" in told.stdout
    once = start("--once")
    assert once.returncode == 0, once.stderr
    assert "Step 1" not in once.stderr
    assert (project / "workbooks" / "OptionsDashboard.xlsx").stat().st_size > 0
