"""`--install-shortcut`: an entry among the system's programs, and a start on every weekday at 09:00.

Main entries: `planned` (what would be made, without making it), `install`, `remove`. Everything is the user's own: no
administrator is needed, and nothing is written outside the folders that the system has for this.
"""

from __future__ import annotations

import os
import plistlib
import subprocess
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePath, PurePosixPath, PureWindowsPath

from optionscanner.errors import ConfigError
from optionscanner.platforms_quoting import (
    batch_file,
    desktop_entry,
    encoded_power_shell,
    power_shell_shortcut,
    shell_file,
    systemd_service,
    systemd_timer,
    windows_task,
)

NAME = "OptionScanner"
STARTS = "09:00"
"""Of the computer's own clock; the market opens at 09:15 in India."""

_UNIT = "optionscanner"
_LABEL = "in.optionscanner.dashboard"
_COMMAND_S = 60.0

Run = Callable[[Sequence[str]], str]
"""Runs a command; returns "" when it succeeded, else what it said."""


@dataclass(frozen=True, slots=True)
class Machine:
    """Whose computer it is."""

    platform: str
    """As `sys.platform` says."""
    home: str
    environment: Mapping[str, str]
    user_id: int = 0
    """POSIX: the user's number."""
    has_user_services: bool = True
    """Linux: whether systemd starts services of this user."""


@dataclass(frozen=True, slots=True)
class Program:
    """What is to be started."""

    python: str
    script: str
    """run_dashboard.py; both absolute."""
    arguments: tuple[str, ...] = ()

    @property
    def command(self) -> tuple[str, ...]:
        """The whole command."""
        return (self.python, self.script, *self.arguments)

    def folder(self, kind: type[PurePath]) -> str:
        """The project's folder."""
        return str(kind(self.script).parent)


@dataclass(frozen=True, slots=True)
class File:
    """A file to be written."""

    path: PurePath
    content: bytes
    executable: bool = False


@dataclass(frozen=True, slots=True)
class Plan:
    """What an installation makes, and what takes it away again."""

    files: tuple[File, ...]
    commands: tuple[tuple[str, ...], ...] = ()
    """Run once the files are there."""
    undo: tuple[tuple[str, ...], ...] = ()
    """Run before the files go."""
    others: tuple[PurePath, ...] = ()
    """Further files that go with the rest: made by the commands, or by an earlier installation in the other way."""
    told: tuple[str, ...] = field(default=())
    """Sentences for the user."""


def planned(machine: Machine, program: Program) -> Plan:
    """What a shortcut to `program` takes on this computer; raises ConfigError on a system that is not known."""
    if machine.platform == "win32":
        return _windows(machine, program)
    if machine.platform == "darwin":
        return _mac(machine, program)
    if machine.platform == "linux":
        return _linux(machine, program)
    raise ConfigError(
        f"--install-shortcut knows Windows, macOS and Linux, and this is {machine.platform}; let your system start "
        f"{' '.join(program.command)}"
    )


def install(plan: Plan, run: Run | None = None) -> list[str]:
    """Write the files and run the commands; returns sentences on what was done, raises ConfigError at what failed."""
    done = []
    for file in plan.files:
        path = Path(file.path)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(file.content)
        if file.executable:
            path.chmod(0o755)
        done.append(f"made {path}")
    for command in plan.commands:
        if said := (run or _run)(command):
            raise ConfigError(
                f"--install-shortcut: {command[0]} did not do it ({said}); what was made before stays until "
                "--remove-shortcut"
            )
    return [*done, *plan.told]


def remove(plan: Plan, run: Run | None = None) -> list[str]:
    """Take everything of the plan away; what is not there is left out. Returns sentences on what was done."""
    there = [Path(path) for path in (*(file.path for file in plan.files), *plan.others)]
    if not any(path.exists() for path in there):
        return ["there is no shortcut of this program"]
    for command in plan.undo:
        (run or _run)(command)  # what was never registered cannot be taken back
    done = []
    for path in there:
        if path.exists():
            path.unlink()
            done.append(f"removed {path}")
    return done


def _windows(machine: Machine, program: Program) -> Plan:
    folder = PureWindowsPath(program.folder(PureWindowsPath))
    launcher = folder / "var" / "shortcut" / f"{NAME}.cmd"
    task = launcher.with_name(f"{NAME}.xml")
    roaming = machine.environment.get("APPDATA") or str(PureWindowsPath(machine.home) / "AppData" / "Roaming")
    link = PureWindowsPath(roaming) / "Microsoft" / "Windows" / "Start Menu" / "Programs" / f"{NAME}.lnk"
    script = power_shell_shortcut(link=str(link), target=str(launcher), folder=str(folder), title=NAME)
    return Plan(
        files=(
            File(launcher, batch_file(program.command, str(folder))),
            File(task, windows_task(str(launcher), str(folder), STARTS)),
        ),
        commands=(
            ("powershell.exe", "-NoProfile", "-NonInteractive", "-EncodedCommand", encoded_power_shell(script)),
            ("schtasks.exe", "/Create", "/TN", NAME, "/XML", str(task), "/F"),
        ),
        undo=(("schtasks.exe", "/Delete", "/TN", NAME, "/F"),),
        others=(link,),
        told=(f"{NAME} stands in the Start menu, and starts on weekdays at {STARTS} while you are logged in",),
    )


def _mac(machine: Machine, program: Program) -> Plan:
    home = PurePosixPath(machine.home)
    launcher = home / "Applications" / f"{NAME}.command"
    agent = home / "Library" / "LaunchAgents" / f"{_LABEL}.plist"
    hour, minute = (int(part) for part in STARTS.split(":"))
    described = {
        "Label": _LABEL,
        # A Terminal window, in which the session is seen and ended, and which macOS asks for permission to drive Excel.
        "ProgramArguments": ["/usr/bin/open", "-a", "Terminal", str(launcher)],
        "StartCalendarInterval": [{"Weekday": day, "Hour": hour, "Minute": minute} for day in range(1, 6)],
        "ProcessType": "Interactive",
    }
    domain = f"gui/{machine.user_id}"
    return Plan(
        files=(
            File(launcher, shell_file(program.command, program.folder(PurePosixPath)), executable=True),
            File(agent, plistlib.dumps(described)),
        ),
        commands=(("launchctl", "bootstrap", domain, str(agent)),),
        undo=(("launchctl", "bootout", f"{domain}/{_LABEL}"),),
        told=(
            f"{NAME}.command stands in {launcher.parent}, and starts on weekdays at {STARTS} while you are logged in; "
            "at its first start macOS asks whether Terminal may control Microsoft Excel: allow it",
        ),
    )


def _linux(machine: Machine, program: Program) -> Plan:
    home = PurePosixPath(machine.home)
    data = PurePosixPath(machine.environment.get("XDG_DATA_HOME") or home / ".local" / "share")
    config = PurePosixPath(machine.environment.get("XDG_CONFIG_HOME") or home / ".config")
    folder = program.folder(PurePosixPath)
    entry = File(data / "applications" / f"{_UNIT}.desktop", desktop_entry(NAME, program.command, folder))
    at_login = File(config / "autostart" / f"{_UNIT}.desktop", entry.content)
    units = config / "systemd" / "user"
    service = File(units / f"{_UNIT}.service", systemd_service(NAME, program.command, folder))
    timer = File(units / f"{_UNIT}.timer", systemd_timer(NAME, STARTS))
    user = ("systemctl", "--user")
    undo = ((*user, "disable", "--now", timer.path.name),)
    if not machine.has_user_services:
        told = (
            f"{NAME} stands among your programs, and starts when you log in: systemd, which would start it at "
            f"{STARTS}, does not serve users here"
        )
        return Plan((entry, at_login), undo=undo, others=(service.path, timer.path), told=(told,))
    told = (
        f"{NAME} stands among your programs, and starts on weekdays at {STARTS} while you are logged in; what it says "
        f"then: journalctl --user -u {_UNIT}"
    )
    return Plan(
        (entry, service, timer),
        commands=((*user, "daemon-reload"), (*user, "enable", "--now", timer.path.name)),
        undo=undo, others=(at_login.path,), told=(told,),
    )  # fmt: skip


def has_user_services(run: Run | None = None) -> bool:
    """Linux: whether systemd starts services of this user."""
    return not (run or _run)(("systemctl", "--user", "show-environment"))


def _run(command: Sequence[str]) -> str:
    try:
        done = subprocess.run(
            list(command), capture_output=True, timeout=_COMMAND_S, check=False, stdin=subprocess.DEVNULL,
            env={**os.environ, "LC_ALL": "C"},
        )  # fmt: skip
    except (OSError, subprocess.TimeoutExpired) as error:
        return str(error)
    if done.returncode == 0:
        return ""
    words = (done.stderr or done.stdout).decode("utf-8", "replace").strip().splitlines()
    return words[-1] if words else f"it ended with {done.returncode}"
