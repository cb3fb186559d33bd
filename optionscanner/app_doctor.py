"""`--doctor`: one zip for a bug report. It holds how the program is set up and how it went, and no market data.

Main entry: `write_report`. Whatever cannot be had (no log, a broken configuration, a locked history) is a sentence in
the report. Every text passes `logs_redaction.redacted` on its way into the zip.
"""

from __future__ import annotations

import importlib.metadata
import json
import os
import platform
import re
import sqlite3
import sys
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from optionscanner import __version__, checkup, logs
from optionscanner import config as configuration
from optionscanner.bootstrap import environment as packages
from optionscanner.config import Config
from optionscanner.errors import OptionScannerError, reason_of
from optionscanner.history.summary import summary
from optionscanner.logs_redaction import redacted, secrets_of

_LOG_TAIL_BYTES = 300_000
_HISTORIES = 10

ABOUT = """\
A report of OptionScanner for whoever looks into a problem. It was made on this computer and sent nowhere.

versions.txt   the program, Python, its packages, the system
settings.txt   config.yaml, and every setting as the program took it
check.txt      what `--check` said
health.txt     each history: schema, rows by table, how its last session went; no quotes
log.txt        the end of the log

Secrets are replaced by ***. Please read the files before you pass them on.
"""


@dataclass(frozen=True, slots=True)
class Question:
    """What a report is about."""

    config: Config | OptionScannerError
    findings: Sequence[checkup.Finding]
    history: Path | None
    """One history instead of those in the configured folder."""
    environment: Mapping[str, str]
    project: Path


def write_report(to: Path, question: Question) -> list[str]:
    """Write the zip, replacing an earlier one only when it is whole; returns the names of its parts.

    Raises OSError where it cannot be written.
    """
    secrets = secrets_of(question.environment, _text(question.project / ".env"))
    home = str(Path.home())
    texts = {
        "about.txt": ABOUT,
        "versions.txt": _versions(question.project),
        "settings.txt": _settings(question),
        "check.txt": _check(question.findings),
        "health.txt": _health(question),
        "log.txt": _log(question.config),
    }
    part = to.with_name(f".{to.name}.{os.getpid()}.part")
    try:
        to.parent.mkdir(parents=True, exist_ok=True)
        with zipfile.ZipFile(part, "w", zipfile.ZIP_DEFLATED) as report:
            for name, text in texts.items():
                clean = redacted(text, secrets)
                report.writestr(name, clean.replace(home, "~") if len(home) > 1 else clean)
        part.replace(to)
    finally:
        part.unlink(missing_ok=True)
    return list(texts)


def _versions(project: Path) -> str:
    lines = [
        f"OptionScanner {__version__}",
        f"Python {sys.version}",
        f"system {platform.platform()}",
        f"SQLite {sqlite3.sqlite_version}",
        f"processors {os.cpu_count()}",
    ]
    try:
        wanted = packages.read_requirements(project)
    except packages.SetupError as error:
        return "\n".join([*lines, str(error)])
    for requirement in wanted:
        name = re.split(r"[^\w.-]", requirement, maxsplit=1)[0]
        try:
            lines.append(f"{name} {importlib.metadata.version(name)}")
        except importlib.metadata.PackageNotFoundError:
            lines.append(f"{name} is not installed")
    return "\n".join(lines)


def _settings(question: Question) -> str:
    config = question.config
    if not isinstance(config, Config):
        text = _text(question.project / configuration.FILE_NAME)
        return f"The configuration could not be used:\n{config}\n\n{configuration.FILE_NAME}\n{text}"
    used = json.dumps(config.model_dump(mode="json", warnings=False), indent=1)
    text = _text(config.file) if config.file is not None else ""
    return f"{config.file or config.note}\n{text}\n\nAs the program took it\n{used}"


def _check(findings: Sequence[checkup.Finding]) -> str:
    lines: list[str] = []
    checkup.show(findings, lines.append)
    return "\n".join(lines)


def _health(question: Question) -> str:
    pieces = []
    files = [question.history] if question.history is not None else _histories(question.config)
    for file in files:
        try:
            told = json.dumps(summary(file), indent=1, default=str)
        except (OptionScannerError, OSError) as error:
            told = str(error)
        pieces.append(f"{file}\n{told}")
    return "\n\n".join(pieces) or "There is no history."


def _histories(config: Config | OptionScannerError) -> list[Path]:
    """The newest histories of the configured folder, newest first."""
    folder = (config if isinstance(config, Config) else configuration.defaults()).history.folder
    files = [(file.stat().st_mtime, file) for file in folder.glob("*.db")]
    return [file for _, file in sorted(files, reverse=True)[:_HISTORIES]]


def _log(config: Config | OptionScannerError) -> str:
    folder = (config if isinstance(config, Config) else configuration.defaults()).log.folder
    path = folder / logs.FILE_NAME
    try:
        with path.open("rb") as file:
            size = file.seek(0, os.SEEK_END)
            file.seek(max(size - _LOG_TAIL_BYTES, 0))
            tail = file.read().decode("utf-8", "replace")
    except OSError as error:
        return f"{path}: {reason_of(error)}"
    # The first line may be cut anywhere, also in the middle of a secret that would not be known any more.
    return tail if size <= _LOG_TAIL_BYTES else tail.partition("\n")[2]


def _text(path: Path) -> str:
    """A small text file; "" where it is not there."""
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
