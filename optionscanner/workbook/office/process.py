"""The LibreOffice process of the live workbook: `Office.have` starts or finds it, `Office.quit` ends it.

It listens on a pipe with a random name, on a profile of its own, and in a session of its own, so that it lives on when
the terminal closes. Only a process that a note in the profile names, by id and start time, is ever ended.
"""

from __future__ import annotations

import os
import secrets
import signal
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from optionscanner.errors import WorkbookBusy, WorkbookError
from optionscanner.platforms_office import libre_office_folder
from optionscanner.workbook.office import profile as profiles
from optionscanner.workbook.office.bridge import Bridge, load
from optionscanner.workbook.office.profile import Running

START_DEADLINE_S = 60.0
"""Seconds for a start: 0.4 s where nothing else runs, some ten times that on a loaded machine with a cold disk."""
ANSWER_DEADLINE_S = 10.0
"""Seconds in which a running office must answer; it may be saving or loading a large file."""
QUIT_DEADLINE_S = 10.0

_TRY_EVERY_S = 0.05
_RESTART_ASKED = (79, 81)
"""Exit codes with which LibreOffice asks to be started once more, after setting up a profile."""


@dataclass(slots=True)
class Office:
    """A running LibreOffice that answers us."""

    bridge: Bridge
    profile: Path
    running: Running | None
    """None where it runs on our profile but was started by someone else."""
    context: Any
    """Remote component context."""
    desktop: Any
    """`com.sun.star.frame.Desktop`."""
    found: bool
    """Whether it ran already."""

    @classmethod
    def have(
        cls, profile: Path, trusted: Path, *, headless: bool | None = None, deadline: float = START_DEADLINE_S
    ) -> Office:
        """The office of `profile`: the one that runs, else a new one that trusts the macros in folder `trusted`.

        Without a display (or with `headless`) it has no windows. Raises WorkbookError where LibreOffice is missing or
        does not start, WorkbookBusy where one runs on the profile and does not answer.
        """
        bridge = load()
        running = profiles.recall(profile)
        until = time.monotonic() + ANSWER_DEADLINE_S
        # One that was killed a moment ago may still be there, and answers no more.
        while running is not None and running.alive():
            context = _ask(bridge, running.pipe, ANSWER_DEADLINE_S)
            if context is not None:
                office = cls(bridge, profile, running, context, _desktop(context), found=True)
                office.trust(trusted)
                return office
            if time.monotonic() > until:
                raise WorkbookBusy(
                    f"LibreOffice (process {running.pid}) that was left open does not answer: "
                    "close its windows and questions, or end it"
                )
            time.sleep(_TRY_EVERY_S)
        return _start(bridge, profile, trusted, headless=headless, deadline=deadline)

    def answers(self) -> bool:
        """Whether calls still reach it."""
        try:
            self.desktop.getCurrentFrame()
        except (self.bridge.failed, AttributeError):
            return False
        return True

    def alive(self) -> bool:
        """Whether the process still runs; one that was started by someone else is taken to."""
        return self.running is None or self.running.alive()

    def components(self) -> Iterator[Any]:
        """Every open document."""
        enumeration = self.desktop.Components.createEnumeration()
        while enumeration.hasMoreElements():
            yield enumeration.nextElement()

    def trust(self, folder: Path) -> None:
        """Macros of workbooks in this folder may run; for an office that was started for another one."""
        provider = self.service("com.sun.star.configuration.ConfigurationProvider")
        node = self.bridge.properties(nodepath=profiles.SECURITY)
        settings = provider.createInstanceWithArguments("com.sun.star.configuration.ConfigurationUpdateAccess", node)
        known = tuple(settings.getByName("SecureURL"))
        if profiles.url(folder) not in known:
            uno = self.bridge.uno
            # The bridge cannot see that a tuple of text is meant.
            uno.invoke(settings, "replaceByName", ("SecureURL", uno.Any("[]string", (*known, profiles.url(folder)))))
            settings.commitChanges()

    def documents(self) -> Iterator[Any]:
        """Every open document; the start centre and help are none."""
        return (component for component in self.components() if hasattr(component, "getURL"))

    def service(self, name: str) -> Any:
        """A service of the office."""
        return self.context.ServiceManager.createInstanceWithContext(name, self.context)

    def quit(self, deadline: float = QUIT_DEADLINE_S) -> None:
        """End the office: ask it in a thread, as the question may never be answered, then kill it if it is ours.

        Documents must be closed before: one with changes makes LibreOffice ask the user.
        """
        gone = (self.bridge.failed, AttributeError)

        def ask() -> None:
            with suppress(*gone):
                self.desktop.terminate()

        asking = threading.Thread(target=ask, daemon=True)
        asking.start()
        if self.running is None:
            asking.join(deadline)
            return
        until = time.monotonic() + deadline
        while self.alive() and time.monotonic() < until:
            time.sleep(_TRY_EVERY_S)
        kill(self.running)
        profiles.forget(self.profile)


def kill(running: Running) -> bool:
    """End this very process at once; False where it had ended, or its id belongs to another process by now."""
    if not running.alive():
        return False
    try:
        process = psutil.Process(running.pid)
        process.kill()
        with suppress(psutil.TimeoutExpired):
            process.wait(QUIT_DEADLINE_S)
    except psutil.Error:
        return False
    return True


def kill_own(profile: Path) -> bool:
    """End the office that was started on this profile, e.g. since it is frozen; loads no bridge."""
    running = profiles.recall(profile)
    return running is not None and kill(running)


def _start(bridge: Bridge, profile: Path, trusted: Path, *, headless: bool | None, deadline: float) -> Office:
    profiles.prepare(profile, trusted)
    pipe = f"optionscanner-{secrets.token_hex(8)}"
    until = time.monotonic() + deadline
    child = _launch(profile, pipe, headless=headless)
    while True:
        code = child.poll()
        if code in _RESTART_ASKED:
            child = _launch(profile, pipe, headless=headless)
        context = _resolve(bridge, pipe)
        if context is not None:
            break
        if code not in (None, 0, *_RESTART_ASKED):
            raise WorkbookError(
                f"LibreOffice ended at once with code {code}: start soffice by hand once and see what it says"
            )
        if time.monotonic() > until:
            _end(child)
            raise WorkbookError(f"LibreOffice did not start within {deadline:.0f} s; start it by hand once to see why")
        time.sleep(_TRY_EVERY_S)
    # One that ended with 0 has handed its arguments to an office that runs on this profile already.
    ours = child.poll() is None
    # From now on it is known by its id; else Python warns of a child that lives on.
    child.returncode = 0
    running = Running(child.pid, psutil.Process(child.pid).create_time(), pipe) if ours else None
    if running is not None:
        profiles.remember(profile, running)
    return Office(bridge, profile, running, context, _desktop(context), found=not ours)


def _launch(profile: Path, pipe: str, *, headless: bool | None) -> subprocess.Popen[bytes]:
    folder = libre_office_folder()
    assert folder is not None
    # The script and the splash screen in front of the program would be other processes, with other ids.
    program = folder / "soffice.bin"
    windows = bool(os.environ.get("DISPLAY")) if headless is None else not headless
    environment = {**os.environ, "SAL_ENABLE_FILE_LOCKING": "1"}
    # The plain X11 windows: those of GTK hang in about one start in five when a document is opened from outside.
    environment["SAL_USE_VCLPLUGIN"] = "gen" if windows else "svp"
    arguments = [
        str(program if program.exists() else folder / "soffice"),
        f"-env:UserInstallation={profiles.url(profile)}",
        f"--accept=pipe,name={pipe};urp;StarOffice.ComponentContext",
        "--norestore", "--nologo", "--nofirststartwizard", "--nodefault", "--quickstart=no",
        *([] if windows else ["--headless"]),
    ]  # fmt: skip
    return subprocess.Popen(
        arguments,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
        close_fds=True,
    )


def _end(child: subprocess.Popen[bytes]) -> None:
    with suppress(ProcessLookupError):
        os.kill(child.pid, signal.SIGKILL)
    child.wait()


def _resolve(bridge: Bridge, pipe: str) -> Any | None:
    """The context behind the pipe, None while nobody listens there."""
    local = bridge.uno.getComponentContext()
    resolver = local.ServiceManager.createInstanceWithContext("com.sun.star.bridge.UnoUrlResolver", local)
    try:
        return resolver.resolve(f"uno:pipe,name={pipe};urp;StarOffice.ComponentContext")
    except bridge.failed:
        return None


def _ask(bridge: Bridge, pipe: str, deadline: float) -> Any | None:
    """Like `_resolve`, in a thread: a stopped office takes the connection and never answers."""
    answers: list[Any] = []
    asking = threading.Thread(target=lambda: answers.append(_resolve(bridge, pipe)), daemon=True)
    asking.start()
    asking.join(deadline)
    return answers[0] if answers else None


def _desktop(context: Any) -> Any:
    return context.ServiceManager.createInstanceWithContext("com.sun.star.frame.Desktop", context)
