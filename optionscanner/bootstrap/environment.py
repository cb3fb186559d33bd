"""Run a command where the project's requirements are installed; on a bare machine make that place first.

`launch` is the entry, for `run_dashboard.py` and `python -m tests`. If the running Python has every requirement
of `pyproject.toml`, nothing happens. Otherwise `.venv` in the project folder is made or completed, and the command
runs in it as a child process. Standard library only: it works before anything is installed.

`.venv` holds files of ours. `optionscanner-setup.json` says whether we made the folder and which requirements are
completely installed (none while an installation runs, so an interrupted one is seen and redone).
`optionscanner-setup.lock` is locked by the operating system while somebody installs; a killed process frees it.
`optionscanner-setup.log` is what pip printed last.
"""

import importlib
import importlib.metadata
import importlib.util
import io
import json
import operator
import os
import re
import shutil
import subprocess
import sys
import time
import tomllib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, NamedTuple

from optionscanner.bootstrap import child_process, pip_output
from optionscanner.errors import OptionScannerError

if sys.platform == "win32":
    import msvcrt
else:
    import fcntl

ENVIRONMENT = ".venv"
STATE = "optionscanner-setup.json"
LOCK = "optionscanner-setup.lock"
LOG = "optionscanner-setup.log"

_INTERRUPTED = 130  # the shell's exit code for Ctrl-C

_REQUIREMENT = re.compile(r"(?P<name>[A-Za-z0-9._-]+)(?P<bounds>(?:[<>=!]=?[0-9.]+,?)*)")
_COMPARE: dict[str, Callable[[tuple[int, ...], tuple[int, ...]], bool]] = {
    ">=": operator.ge,
    "<=": operator.le,
    ">": operator.gt,
    "<": operator.lt,
    "==": operator.eq,
    "!=": operator.ne,
}


class _State(NamedTuple):
    made_by_us: bool
    """False: the user's own environment, which is completed and never deleted."""
    installed: frozenset[str]
    """Requirement lines that are completely installed; empty while an installation runs."""


class SetupError(OptionScannerError):
    """The environment cannot be made; the message is the one sentence for the user."""


def launch(
    *,
    root: str | Path,
    command: Sequence[str],
    start: Callable[[], int],
    extras: Sequence[str] = (),
    supervised: bool = False,
) -> int:
    """Run `start` here if every requirement is installed, else `command` in `.venv`; returns the exit code.

    `supervised`: run `command` as a child in any case, which is started again if it hangs, and `start` in that child.

    Parameters
    ----------
    root
        The project folder, which has `pyproject.toml` and gets `.venv`.
    command
        What to hand to the environment's Python: a script and its arguments, or `-m`, a module and arguments.
    start
        Does the same work in this process.
    extras
        Names of optional dependency groups that are needed as well, such as `test`.
    """
    make_console_safe()
    root = Path(root)
    try:
        requirements = read_requirements(root, extras)
        if not unmet(requirements):
            python = None
        elif _running_in(root / ENVIRONMENT):
            complete_environment(root, requirements, repair=True)
            importlib.invalidate_caches()
            if still := unmet(requirements):
                raise SetupError(
                    f"{root / ENVIRONMENT} was completed but still lacks {_summary(still)}: delete that "
                    "folder and start again."
                )
            python = None
        else:
            python = complete_environment(root, requirements)
    except SetupError as error:
        _say(str(error))
        return 1
    except KeyboardInterrupt:
        _say("Set-up interrupted; the next start begins it anew.")
        return _INTERRUPTED
    if supervised and not child_process.is_supervised():
        return child_process.supervise(python or Path(sys.executable), command)
    return start() if python is None else child_process.hand_over(python, command)


def make_console_safe() -> None:
    """Where a console's encoding lacks ₹, show `?` instead of failing, here and in child processes."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")
    encoding = os.environ.get("PYTHONIOENCODING", "").partition(":")[0]
    os.environ["PYTHONIOENCODING"] = f"{encoding}:replace"


def read_requirements(root: Path, extras: Sequence[str] = ()) -> list[str]:
    """Requirement lines of `pyproject.toml`, such as `numpy>=2.0,<3`: the project's own, then the extras'."""
    try:
        with (root / "pyproject.toml").open("rb") as file:
            project = tomllib.load(file)["project"]
        groups = [project["dependencies"], *(project["optional-dependencies"][extra] for extra in extras)]
    except (OSError, tomllib.TOMLDecodeError, KeyError) as error:
        raise SetupError(
            f"{root / 'pyproject.toml'} must list the project's dependencies and cannot be read ({error}): "
            "fetch the project again."
        ) from error
    return [line for group in groups for line in group]


def unmet(requirements: Sequence[str]) -> list[str]:
    """Those of the requirement lines that the running Python does not have in a fitting version."""
    return [line for line in requirements if not _is_met(line)]


def _is_met(requirement: str) -> bool:
    match = _REQUIREMENT.fullmatch(requirement)
    if match is None:
        raise SetupError(
            f"pyproject.toml: dependency {requirement!r} must look like `name>=1.0,<2`, without markers or extras."
        )
    try:
        # A package whose removal was cut short has no version at all, whatever the signature says.
        version = _version(str(importlib.metadata.version(match["name"])))
    except importlib.metadata.PackageNotFoundError:
        return False
    bounds = re.findall(r"([<>=!]=?)([0-9.]+)", match["bounds"])
    return all(_COMPARE[sign](version, _version(bound)) for sign, bound in bounds)


def _version(text: str) -> tuple[int, ...]:
    """Release numbers without trailing zeros, so that 3.11 equals 3.11.0; a suffix (rc1, .post1) is left out."""
    numbers = [int(number) for number in re.findall(r"\d+", re.sub(r"(?<=\d)\.?[^\d.].*", "", text))]
    while numbers and numbers[-1] == 0:
        numbers.pop()
    return tuple(numbers)


def environment_python(folder: Path) -> Path:
    """Path of the Python inside a virtual environment."""
    return folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")


def is_complete(folder: Path, requirements: Sequence[str]) -> bool:
    """True if our set-up of this environment ended well with these requirements, and its Python exists."""
    state = _read_state(folder)
    return state is not None and state.installed.issuperset(requirements) and _has_python(folder)


def complete_environment(root: Path, requirements: Sequence[str], *, repair: bool = False) -> Path:
    """Make or complete `.venv` where needed; returns its Python.

    `repair` installs in place even when our record says complete: for the case that the running Python is the
    environment's own, which cannot be deleted, and lacks something.

    Raises SetupError with a sentence on what the machine lacks.
    """
    folder = root / ENVIRONMENT
    python = environment_python(folder)
    if is_complete(folder, requirements) and not repair:
        return python
    began = time.monotonic()
    _say(
        f"OptionScanner needs {_summary(unmet(requirements))}, which {sys.executable} does not have: setting "
        f"up {folder}, once, for a minute or two."
    )
    try:
        folder.mkdir(exist_ok=True)
        with _only_one(folder):
            if repair or not is_complete(folder, requirements):
                _build(folder, requirements, in_place=repair)
    except OSError as error:
        raise SetupError(pip_output.explain_write_failure(str(error), folder)) from error
    _say(f"Set-up finished after {time.monotonic() - began:.0f} s.")
    return python


def _build(folder: Path, requirements: Sequence[str], *, in_place: bool) -> None:
    """Bring the locked folder from whatever state it is in to a complete environment."""
    state = _read_state(folder)
    others = [path for path in folder.iterdir() if not path.name.startswith("optionscanner-setup.")]
    ours = not others if state is None else state.made_by_us
    usable = bool(others) and _has_python(folder)
    if ours and not in_place and not (usable and state is not None and state.installed):
        for path in others:
            shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()
        _write_state(folder, _State(True, frozenset()))
        _create(folder)
    elif not usable:
        raise SetupError(
            f"{folder} must be a virtual environment with a working Python, and is not: delete it or move it "
            "away, and start again."
        )
    _write_state(folder, _State(ours, frozenset()))
    _install(folder, requirements)
    _write_state(folder, _State(ours, frozenset(requirements)))


def _create(folder: Path) -> None:
    missing = [name for name in ("venv", "ensurepip") if importlib.util.find_spec(name) is None]
    if missing:
        raise SetupError(
            f"{sys.executable} lacks its standard module {missing[0]}, which makes virtual environments: install "
            f"it (Debian, Ubuntu: `sudo apt install python{sys.version_info[0]}.{sys.version_info[1]}-venv`) or "
            "use the Python from https://www.python.org/downloads/, and start again."
        )
    import venv  # only now: some systems' Python comes without it

    _say("Step 1 of 2: making the virtual environment.")
    try:
        venv.EnvBuilder(with_pip=True, symlinks=os.name != "nt").create(folder)
    except subprocess.CalledProcessError as error:
        output = error.output.decode(errors="replace") if isinstance(error.output, bytes) else str(error)
        raise SetupError(pip_output.explain(output, folder=folder, log=folder / LOG)) from error
    except ValueError as error:
        # venv refuses a path that contains the separator of PATH.
        raise SetupError(
            f"A virtual environment cannot be made at {folder} ({error}): move the project to a folder "
            f"without {os.pathsep!r} in its path, and start again."
        ) from error


def _install(folder: Path, requirements: Sequence[str]) -> None:
    """Install the requirements with the environment's pip, showing a line for each package that is fetched."""
    python = str(environment_python(folder))
    probe = "import sys, pip; sys.exit(sys.version_info < (3, 11))"
    if subprocess.run([python, "-I", "-c", probe], capture_output=True, check=False).returncode:
        raise SetupError(
            f"{folder} must have Python 3.11 or newer with pip, and does not: delete it or move it away, and "
            "start again."
        )
    _say(f"Step 2 of 2: installing {len(requirements)} packages and what they need.")
    environment = {"PIP_RETRIES": "3", **os.environ, "PYTHONIOENCODING": "utf-8:replace"}
    options = ["--no-input", "--disable-pip-version-check", "--progress-bar=off", "--prefer-binary"]
    lines: list[str] = []
    with (
        (folder / LOG).open("w", encoding="utf-8") as log,
        subprocess.Popen(
            # Isolated: nothing on PYTHONPATH or in the working folder may stand in for a package.
            [python, "-I", "-m", "pip", "install", *options, *requirements],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            encoding="utf-8",
            errors="replace",
            env=environment,
            preexec_fn=child_process.end_with_parent(),  # noqa: PLW1509 - one thread only
        ) as pip,
    ):
        try:
            for line in pip.stdout or ():
                lines.append(line)
                log.write(line)
                if progress := pip_output.progress(line):
                    _say("  " + progress)
        except KeyboardInterrupt:
            pip.terminate()
            raise
    if pip.returncode:
        raise SetupError(pip_output.explain("".join(lines), folder=folder, log=folder / LOG))


def _summary(requirements: Sequence[str]) -> str:
    names = [re.split(r"[<>=!]", line)[0] for line in requirements]
    shown = ", ".join(names[:3])
    return shown if len(names) <= 3 else f"{shown} and {len(names) - 3} more packages"


def _running_in(folder: Path) -> bool:
    return folder.exists() and Path(sys.prefix).resolve() == folder.resolve()


def _has_python(folder: Path) -> bool:
    """True if the environment's Python and the Python it was made from both exist."""
    try:
        configuration = (folder / "pyvenv.cfg").read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return False
    home = re.search(r"(?m)^home\s*=\s*(.+)$", configuration)
    return home is not None and Path(home[1].strip()).is_dir() and environment_python(folder).exists()


def _read_state(folder: Path) -> _State | None:
    """What our last set-up recorded in this folder; None if it recorded nothing that can be read."""
    try:
        saved = json.loads((folder / STATE).read_text(encoding="utf-8"))
        return _State(made_by_us=bool(saved["made_by_us"]), installed=frozenset(saved["installed"]))
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _write_state(folder: Path, state: _State) -> None:
    new = folder / (STATE + ".new")
    text = json.dumps({"made_by_us": state.made_by_us, "installed": sorted(state.installed)}, indent=1)
    new.write_text(text, encoding="utf-8")
    new.replace(folder / STATE)


@contextmanager
def _only_one(folder: Path) -> Iterator[None]:
    """Hold the folder's lock; a second start waits here until the first is done or gone."""
    with (folder / LOCK).open("a+b") as handle:
        if not _try_lock(handle):
            _say(f"Another start is setting up {folder}; waiting for it.")
            while not _try_lock(handle):
                time.sleep(0.2)
        yield


def _try_lock(handle: IO[bytes]) -> bool:
    try:
        if sys.platform == "win32":
            msvcrt.locking(handle.fileno(), msvcrt.LK_NBLCK, 1)
        else:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except (BlockingIOError, PermissionError):
        return False
    return True


def _say(text: str) -> None:
    """One line for the user, at once. On stderr, so that a program's output can be piped."""
    if sys.stderr is not None:
        sys.stderr.write(text + "\n")
        sys.stderr.flush()
