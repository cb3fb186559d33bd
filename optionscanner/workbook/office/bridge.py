"""Finds LibreOffice and loads its Python bridge: `available` asks, `load` does it.

The bridge belongs to the LibreOffice installation, not to a package index (what is called `uno` there is something
else). Only its two modules are loaded, by their path: their folder may hold old copies of other libraries.
"""

from __future__ import annotations

import importlib
import importlib.util
import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

from optionscanner.errors import WorkbookError
from optionscanner.platforms_office import libre_office_folder

_BRIDGE_FOLDERS = ("/usr/lib/python3/dist-packages", "/usr/lib/python3/site-packages")
_MODULES = ("uno", "unohelper")
_WAY_OUT = (
    "install LibreOffice Calc and its Python bridge (Debian, Ubuntu: libreoffice-calc and python3-uno), "
    "or choose the file front"
)


@dataclass(frozen=True, slots=True)
class Bridge:
    """The loaded bridge."""

    uno: Any
    """Module `uno`."""
    unohelper: Any
    """Module `unohelper`."""

    @property
    def failed(self) -> type[Exception]:
        """The base class of all errors that LibreOffice raises."""
        return self.error("com.sun.star.uno.Exception")

    def error(self, name: str) -> type[Exception]:
        """The Python class of an error, e.g. `com.sun.star.lang.DisposedException`."""
        found: type[Exception] = self.uno.getClass(name)
        return found

    def interface(self, name: str) -> Any:
        """The Python class of an interface."""
        return self.uno.getClass(name)

    def struct(self, name: str, **members: Any) -> Any:
        """A UNO struct with these members set."""
        made = self.uno.createUnoStruct(name)
        for member, value in members.items():
            setattr(made, member, value)
        return made

    def properties(self, **values: Any) -> tuple[Any, ...]:
        """Named arguments as LibreOffice takes them."""
        return tuple(self.struct("com.sun.star.beans.PropertyValue", Name=n, Value=v) for n, v in values.items())


def available() -> str:
    """One sentence why LibreOffice cannot be driven from here, "" where it can; nothing is loaded or started."""
    if sys.platform == "win32":
        return "LibreOffice is driven on Linux only: its Python bridge for Windows needs LibreOffice's own Python"
    program = libre_office_folder()
    if program is None:
        return f"LibreOffice is not installed (no program soffice was found): {_WAY_OUT}"
    if _bridge_file(program, "uno") is None or not any(_libraries(program)):
        return f"LibreOffice is installed in {program} but without its Python bridge (uno.py): {_WAY_OUT}"
    return ""


def load() -> Bridge:
    """The bridge, loaded once per process; raises WorkbookError where it is missing or does not fit this Python."""
    if not all(name in sys.modules for name in _MODULES):
        reason = available()
        if reason:
            raise WorkbookError(reason)
        program = libre_office_folder()
        assert program is not None
        # The modules import the library beside LibreOffice's programs by its bare name.
        sys.path.append(str(program))
        try:
            for name in _MODULES:
                _load_file(name, program)
        except ImportError as error:
            version = ".".join(str(part) for part in sys.version_info[:2])
            raise WorkbookError(
                f"LibreOffice's Python bridge in {program} cannot be loaded by Python {version} ({error}): "
                "run the program with the system's own Python, or choose the file front"
            ) from error
        finally:
            sys.path.remove(str(program))
    return Bridge(sys.modules["uno"], sys.modules["unohelper"])


def _libraries(program: Path) -> Iterator[Path]:
    return program.glob("pyuno.*")


def _bridge_file(program: Path, name: str) -> Path | None:
    """Where a module of the bridge lies: named by the environment, with the programs, or with the system's Python."""
    named = os.environ.get("UNO_PATH")
    places = [*([named] if named else []), str(program), str(program.parent / "Resources"), *_BRIDGE_FOLDERS]
    places += [str(path) for path in sorted(Path("/usr/lib").glob("python3.*/site-packages"))]
    for place in places:
        path = Path(place) / f"{name}.py"
        if path.is_file():
            return path
    return None


def _load_file(name: str, program: Path) -> ModuleType:
    path = _bridge_file(program, name)
    spec = None if path is None else importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise ImportError(f"{name}.py was not found")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except ImportError:
        del sys.modules[name]
        raise
    return module
