"""A virtual screen with a keyboard and a mouse: Xvfb, a window manager, xdotool; and LibreOffice shown on it.

Everything started here is ended by its own process id; every call has a time-out.
"""

from __future__ import annotations

import os
import secrets
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil
import pytest

NEEDED = ("Xvfb", "openbox", "xdotool", "import")
CALL_S = 30.0
"""Seconds that one xdotool call may take."""


def require_office() -> None:
    """Skip where LibreOffice or its bridge is missing."""
    absent = [] if shutil.which("soffice") else ["soffice"]
    if not Path("/usr/lib/python3/dist-packages/uno.py").exists():
        absent.append("python3-uno")
    if absent:
        pytest.skip(f"needs {', '.join(absent)}")


def require_screen() -> None:
    """Skip where the programs for a screen, or LibreOffice and its bridge, are missing."""
    absent = [name for name in NEEDED if shutil.which(name) is None]
    if absent:
        pytest.skip(f"needs {', '.join(absent)}")
    require_office()


class Screen:
    """1920 x 1080 at 96 dpi with a window manager."""

    def __init__(self, display: str, pictures: Path) -> None:
        self.display = display
        self.pictures = pictures
        self.keystrokes = 0
        self._taken = 0

    @property
    def environment(self) -> dict[str, str]:
        """What a program needs to show itself here."""
        return {**os.environ, "DISPLAY": self.display, "SAL_USE_VCLPLUGIN": "gen"}

    def tool(self, *words: object) -> str:
        """Run xdotool."""
        done = subprocess.run(
            ["xdotool", *map(str, words)], env=self.environment, capture_output=True, text=True, timeout=CALL_S,
            check=False,
        )  # fmt: skip
        return done.stdout.strip()

    def type(self, text: str, *, delay: int = 12) -> None:
        """Type plain letters, `delay` milliseconds apart."""
        self.keystrokes += len(text)
        self.tool("type", "--delay", delay, "--", text)

    def key(self, *combinations: str, delay: int = 30) -> None:
        """Press key combinations such as ``ctrl+c``, one after the other."""
        self.keystrokes += len(combinations)
        self.tool("key", "--delay", delay, *combinations)

    def click(self, x: int, y: int, button: int = 1, *, times: int = 1) -> None:
        """Move the pointer and click."""
        self.tool("mousemove", x, y, "click", "--repeat", times, "--delay", 60, button)

    def windows(self) -> list[tuple[int, str]]:
        """(id, title) of the visible windows that have a title."""
        found = []
        for word in self.tool("search", "--onlyvisible", "--name", ".").split():
            title = self.tool("getwindowname", word)
            if title:
                found.append((int(word), title))
        return found

    def window(self, title: str, *, within: float = 30.0) -> int:
        """Id of the visible window whose title holds these words; raises TimeoutError where there is none in time."""
        until = time.monotonic() + within
        while time.monotonic() < until:
            for number, shown in self.windows():
                if title in shown:
                    return number
            time.sleep(0.2)
        raise TimeoutError(f"no window titled {title!r}; shown: {[shown for _, shown in self.windows()]}")

    def focus(self, title: str) -> int:
        """Give a window the keyboard and the whole screen."""
        number = self.window(title)
        self.tool("windowactivate", "--sync", number)
        self.tool("windowsize", number, 1920, 1060)
        self.tool("windowmove", number, 0, 0)
        return number

    def active(self) -> str:
        """Title of the window that has the keyboard."""
        return self.tool("getactivewindow", "getwindowname")

    def picture(self, name: str) -> Path:
        """Keep a picture of the whole screen."""
        self.pictures.mkdir(parents=True, exist_ok=True)
        self._taken += 1
        path = self.pictures / f"{self._taken:03d}-{name}.png"
        subprocess.run(
            ["import", "-window", "root", str(path)], env=self.environment, capture_output=True, timeout=CALL_S,
            check=False,
        )  # fmt: skip
        return path


@contextmanager
def screen(pictures: Path) -> Iterator[Screen]:
    """A screen with a number that nobody uses; ended, with its window manager, at the end."""
    reading, writing = os.pipe()
    server = subprocess.Popen(
        ["Xvfb", "-displayfd", str(writing), "-screen", "0", "1920x1080x24", "-dpi", "96", "-nolisten", "tcp"],
        pass_fds=(writing,), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True,
    )  # fmt: skip
    os.close(writing)
    manager: subprocess.Popen[bytes] | None = None
    try:
        with os.fdopen(reading) as told:
            number = told.readline().strip()
        assert number, "Xvfb did not say which display it has"
        made = Screen(f":{number}", pictures)
        manager = subprocess.Popen(
            ["openbox"], env=made.environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            start_new_session=True,
        )  # fmt: skip
        time.sleep(0.5)
        yield made
    finally:
        for process in (manager, server):
            if process is not None:
                end(process)


class Office:
    """A LibreOffice that was started here."""

    def __init__(self, process: subprocess.Popen[bytes], pipe: str) -> None:
        self.process = process
        self.pipe = pipe

    @property
    def pid(self) -> int:
        """Process id of the office itself, below the script and the splash that start it."""
        for process in [psutil.Process(self.process.pid), *descendants(self.process.pid)]:
            with suppress(psutil.Error):
                if process.name() == "soffice.bin":
                    return process.pid
        raise ProcessLookupError("the office has ended")


@contextmanager
def office(
    folder: Path, *files: Path, shown: Screen | None = None, settings: Mapping[str, str] | None = None
) -> Iterator[Office]:
    """LibreOffice with a profile and a pipe of its own, on `shown` or without a screen; killed at the end."""
    pipe = f"eye{secrets.token_hex(8)}"
    profile = folder / "profile"
    (profile / "user").mkdir(parents=True, exist_ok=True)
    written = {"org.openoffice.Office.Common/Misc FirstRun": "false", **(settings or {})}
    write_settings(profile / "user" / "registrymodifications.xcu", written)
    environment = shown.environment if shown is not None else {**os.environ, "SAL_USE_VCLPLUGIN": "svp"}
    process = subprocess.Popen(
        [
            "soffice", f"-env:UserInstallation={profile.as_uri()}", "--norestore", "--nologo", "--nofirststartwizard",
            "--nodefault", f"--accept=pipe,name={pipe};urp;StarOffice.ComponentContext",
            *([] if shown is not None else ["--headless"]), *map(str, files),
        ],
        env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True,
    )  # fmt: skip
    try:
        yield Office(process, pipe)
    finally:
        end(process)


def write_settings(path: Path, settings: Mapping[str, str]) -> None:
    """A profile's settings: ``path property`` -> value."""
    items = []
    for place, value in settings.items():
        path_, _, name = place.rpartition(" ")
        items.append(
            f'<item oor:path="/{path_}"><prop oor:name="{name}" oor:op="fuse"><value>{value}</value></prop></item>'
        )
    path.write_text(
        '<?xml version="1.0" encoding="UTF-8"?>\n<oor:items xmlns:oor="http://openoffice.org/2001/registry" '
        'xmlns:xs="http://www.w3.org/2001/XMLSchema" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance">'
        + "".join(items) + "</oor:items>\n",
        encoding="utf-8",
    )  # fmt: skip


def descendants(pid: int) -> list[psutil.Process]:
    """Every process below `pid`, the nearest first."""
    try:
        return psutil.Process(pid).children(recursive=True)
    except psutil.NoSuchProcess:
        return []


def offices_below(pid: int) -> list[psutil.Process]:
    """The LibreOffice processes that `pid` or one below it started and that run; one that has ended may linger."""
    found = []
    for process in descendants(pid):
        with suppress(psutil.Error):
            if process.name() == "soffice.bin" and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
    return found


def pipe_of(process: psutil.Process) -> str:
    """Name of the pipe that an office listens on."""
    for word in process.cmdline():
        if word.startswith("--accept=pipe,name="):
            return word.removeprefix("--accept=pipe,name=").partition(";")[0]
    raise LookupError(f"process {process.pid} listens on no pipe: {process.cmdline()}")


def end(process: subprocess.Popen[bytes] | subprocess.Popen[str]) -> None:
    """Kill a process and everything below it."""
    below = descendants(process.pid)
    for one in below:
        with suppress(psutil.Error):
            one.kill()
    with suppress(ProcessLookupError):
        process.send_signal(signal.SIGKILL)
    process.wait(20)
    psutil.wait_procs(below, 10)
    close_streams(process)


def close_streams(process: subprocess.Popen[bytes] | subprocess.Popen[str]) -> None:
    """Close the pipes to a process that has ended."""
    for stream in (process.stdin, process.stdout, process.stderr):
        if stream is not None:
            stream.close()
