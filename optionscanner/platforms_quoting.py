"""Files that start a command on each system, as bytes: each system has its own way to write a word with a space.

All functions are pure: words in, the file's bytes out.
"""

from __future__ import annotations

import base64
from collections.abc import Sequence
from xml.sax.saxutils import escape

from optionscanner.errors import ConfigError

_WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday")


def batch_file(command: Sequence[str], folder: str) -> bytes:
    """Windows: a .cmd that runs `command` in `folder`; its window stays open after a failure."""
    lines = [
        "@echo off",
        "rem Letters beyond ASCII in the lines below are UTF-8.",
        "chcp 65001 >nul",
        f"cd /d {_batch_word(folder)}",
        " ".join(map(_batch_word, command)),
        "if errorlevel 1 pause",
        "",
    ]
    return "\r\n".join(lines).encode("utf-8")


def _batch_word(word: str) -> str:
    # Between quotes only the per cent sign keeps a meaning; a path cannot hold a quote.
    return '"' + _plain(word, '"').replace("%", "%%") + '"'


def power_shell_shortcut(*, link: str, target: str, folder: str, title: str) -> str:
    """Windows: a PowerShell script that makes the shortcut file `link` to `target`."""
    quoted = {name: "'" + _plain(value).replace("'", "''") + "'" for name, value in
              {"link": link, "target": target, "folder": folder, "title": title}.items()}  # fmt: skip
    return (
        "$ErrorActionPreference = 'Stop'\n"
        f"$shortcut = (New-Object -ComObject WScript.Shell).CreateShortcut({quoted['link']})\n"
        f"$shortcut.TargetPath = {quoted['target']}\n"
        f"$shortcut.WorkingDirectory = {quoted['folder']}\n"
        f"$shortcut.Description = {quoted['title']}\n"
        "$shortcut.Save()\n"
    )


def encoded_power_shell(script: str) -> str:
    """A script as powershell.exe takes it by -EncodedCommand, which spares it every quoting rule between."""
    return base64.b64encode(script.encode("utf-16-le")).decode("ascii")


def windows_task(launcher: str, folder: str, at: str) -> bytes:
    """Windows: a task that opens `launcher` on weekdays at `at` ("09:00", the computer's clock), for schtasks /XML.

    It wakes the computer, is made up for when it was missed, ignores the battery, and starts nothing a second time.
    """
    days = "".join(f"<{day} />" for day in _WEEKDAYS)
    text = f"""\
<?xml version="1.0" encoding="UTF-16"?>
<Task version="1.2" xmlns="http://schemas.microsoft.com/windows/2004/02/mit/task">
  <RegistrationInfo>
    <Description>Starts OptionScanner before the market opens</Description>
  </RegistrationInfo>
  <Triggers>
    <CalendarTrigger>
      <StartBoundary>2026-01-01T{at}:00</StartBoundary>
      <Enabled>true</Enabled>
      <ScheduleByWeek>
        <DaysOfWeek>{days}</DaysOfWeek>
        <WeeksInterval>1</WeeksInterval>
      </ScheduleByWeek>
    </CalendarTrigger>
  </Triggers>
  <Principals>
    <Principal id="Author">
      <LogonType>InteractiveToken</LogonType>
      <RunLevel>LeastPrivilege</RunLevel>
    </Principal>
  </Principals>
  <Settings>
    <MultipleInstancesPolicy>IgnoreNew</MultipleInstancesPolicy>
    <DisallowStartIfOnBatteries>false</DisallowStartIfOnBatteries>
    <StopIfGoingOnBatteries>false</StopIfGoingOnBatteries>
    <StartWhenAvailable>true</StartWhenAvailable>
    <WakeToRun>true</WakeToRun>
    <ExecutionTimeLimit>PT0S</ExecutionTimeLimit>
    <Enabled>true</Enabled>
  </Settings>
  <Actions Context="Author">
    <Exec>
      <Command>"{escape(_plain(launcher))}"</Command>
      <WorkingDirectory>{escape(_plain(folder))}</WorkingDirectory>
    </Exec>
  </Actions>
</Task>
"""
    return b"\xff\xfe" + text.replace("\n", "\r\n").encode("utf-16-le")


def shell_file(command: Sequence[str], folder: str) -> bytes:
    """macOS and Linux: a script that runs `command` in `folder`."""
    words = " ".join(map(_shell_word, command))
    return f"#!/bin/sh\ncd {_shell_word(folder)} || exit 1\nexec {words}\n".encode()


def _shell_word(word: str) -> str:
    return "'" + _plain(word).replace("'", "'\\''") + "'"


def desktop_entry(name: str, command: Sequence[str], folder: str) -> bytes:
    """Linux: an entry of the programs' menu that runs `command` in a terminal."""
    words = " ".join(map(_desktop_word, command))
    return (
        "[Desktop Entry]\nType=Application\nVersion=1.0\n"
        f"Name={name}\nComment=Indian options market in a workbook\n"
        f"Exec={words}\nPath={_desktop_text(folder)}\nTerminal=true\nCategories=Office;Finance;\n"
    ).encode()


def _desktop_word(word: str) -> str:
    for sign in '\\"`$':
        word = word.replace(sign, "\\" + sign)
    # The whole line is a text of the file as well, whose own escapes come on top.
    return '"' + _desktop_text(word.replace("%", "%%")) + '"'


def _desktop_text(text: str) -> str:
    return _plain(text).replace("\\", "\\\\")


def systemd_service(name: str, command: Sequence[str], folder: str) -> bytes:
    """Linux: a service of the user's that runs `command`; stopped, it has two minutes to save."""
    words = " ".join(map(_systemd_word, command))
    return (
        f"[Unit]\nDescription={name}\n\n"
        f"[Service]\nType=simple\nWorkingDirectory={_plain(folder).replace('%', '%%')}\nExecStart={words}\n"
        # Only the small parent is told; it passes the signal on and waits.
        "KillMode=mixed\nTimeoutStopSec=120\n"
    ).encode()


def _systemd_word(word: str) -> str:
    word = _plain(word).replace("\\", "\\\\").replace('"', '\\"')
    return '"' + word.replace("%", "%%").replace("$", "$$") + '"'


def systemd_timer(name: str, at: str) -> bytes:
    """Linux: a timer of the user's that starts the service of the same name on weekdays at `at`."""
    return (
        f"[Unit]\nDescription={name} before the market opens\n\n"
        f"[Timer]\nOnCalendar=Mon..Fri {at}\nPersistent=false\n\n[Install]\nWantedBy=timers.target\n"
    ).encode()


def _plain(text: str, more: str = "") -> str:
    """`text`, which none of these files can hold if it goes over lines or holds one of the signs `more`."""
    if any(sign in text for sign in "\r\n\0" + more):
        raise ConfigError(f"a shortcut cannot be made to {text!r}: rename what has such a sign in its name")
    return text
