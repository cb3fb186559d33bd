"""The log file: one line per record, rotating, UTF-8, without secrets. Main entries: `set_up`, `kv`.

    2026-01-30T10:26:39.123+05:30 INFO cycle cycle=12 updated=209 cycle_ms=41.0

What goes wrong with the log itself (no disk, no rights) is said once and never reaches the program.
"""

from __future__ import annotations

import json
import logging
import logging.handlers
import re
from collections.abc import Callable, Collection
from datetime import datetime
from pathlib import Path
from typing import Protocol
from zoneinfo import ZoneInfo

PACKAGE = "optionscanner"
FILE_NAME = "optionscanner.log"

_INDIA = ZoneInfo("Asia/Kolkata")
_HIDDEN = "***"
# A shorter secret would blank half of every line.
_LEAST_SECRET = 4
_PLAIN_VALUE = re.compile(r"[^\s\"=\\]+")


class LogSettings(Protocol):
    """What `config.Log` says about the log."""

    @property
    def folder(self) -> Path:
        """Where the file lies."""

    @property
    def level(self) -> str:
        """Least severity that is written: DEBUG, INFO, WARNING or ERROR."""

    @property
    def max_mb(self) -> float:
        """Size [megabytes] at which a new file is begun."""

    @property
    def backups(self) -> int:
        """Earlier files that are kept."""


def set_up(settings: LogSettings, warn: Callable[[str], object], secrets: Collection[str] = ()) -> logging.Logger:
    """The package's logger, writing to its file from here on; Python's warnings go there too.

    Called again, it replaces what the first call set up. Where the file cannot be written, `warn` is told in one
    sentence and nothing is written. Values in `secrets` appear as ``***``, whoever logs them.
    """
    close()
    logger = logging.getLogger(PACKAGE)
    logger.setLevel(settings.level)
    path = settings.folder / FILE_NAME
    handler: logging.Handler
    try:
        settings.folder.mkdir(parents=True, exist_ok=True)
        handler = _File(path, settings, warn)
    except OSError as error:
        warn(_unwritable(path, error))
        handler = _Nowhere()
    handler.setFormatter(LineFormatter(secrets))
    # On the root, so that what libraries warn of is in the file too.
    logging.getLogger().addHandler(handler)
    logging.captureWarnings(True)
    return logger


def close() -> None:
    """Undo `set_up`: close the file and leave logging and warnings as they were."""
    root = logging.getLogger()
    for handler in [handler for handler in root.handlers if isinstance(handler, _File | _Nowhere)]:
        root.removeHandler(handler)
        handler.close()
        logging.captureWarnings(False)


def kv(**fields: object) -> str:
    """``key=value`` of every field, in order; None and NaN are empty, more than one word is quoted as in JSON."""
    return " ".join(f"{key}={_value(value)}" for key, value in fields.items())


class LineFormatter(logging.Formatter):
    """One line per record, stamped with Indian time; what stood on further lines follows after `` | ``."""

    def __init__(self, secrets: Collection[str] = ()) -> None:
        super().__init__()
        # The longest first: one secret may be a part of another.
        self._secrets = sorted({s for s in secrets if len(s) >= _LEAST_SECRET}, key=len, reverse=True)

    def format(self, record: logging.LogRecord) -> str:
        """The record's line, without the line's end."""
        stamp = datetime.fromtimestamp(record.created, _INDIA).isoformat(timespec="milliseconds")
        name = record.name.removeprefix(f"{PACKAGE}.")
        parts = [_message(record)]
        if record.exc_info:
            parts.append(self.formatException(record.exc_info))
        if record.stack_info:
            parts.append(self.formatStack(record.stack_info))
        text = " | ".join(line.strip() for part in parts for line in part.splitlines() if line.strip())
        for secret in self._secrets:
            text = text.replace(secret, _HIDDEN)
        if not text.isprintable():  # no escape sequence of somebody else's reaches the terminal of who reads the log
            text = "".join(sign if sign.isprintable() else repr(sign)[1:-1] for sign in text)
        return f"{stamp} {record.levelname} {name} {text}".rstrip()


class _Nowhere(logging.NullHandler):
    """Stands for the file that cannot be written; without it, warnings would land in the progress line."""


class _File(logging.handlers.RotatingFileHandler):
    """Says once what it cannot do, then keeps silent and keeps trying."""

    def __init__(self, path: Path, settings: LogSettings, warn: Callable[[str], object]) -> None:
        super().__init__(
            path,
            maxBytes=int(settings.max_mb * 1_000_000),
            backupCount=settings.backups,
            encoding="utf-8",
            errors="backslashreplace",
        )
        self._warn = warn
        self._path = path
        self._warned = False

    def emit(self, record: logging.LogRecord) -> None:
        """Write a record; a disk that is full, or a file that another program holds, loses it and nothing else."""
        try:
            if self.shouldRollover(record):
                self._roll()
            line = self.format(record)
            if self.stream is None:
                self.stream = self._open()
            self.stream.write(line + self.terminator)
            self.stream.flush()
        except (OSError, ValueError) as error:
            self._tell(error)

    def close(self) -> None:
        """Close the file; what a full disk does not take any more is lost."""
        try:
            super().close()
        except OSError as error:
            self._tell(error)

    def handleError(self, record: logging.LogRecord) -> None:
        """Nothing: `emit` has told it."""

    def _roll(self) -> None:
        try:
            self.doRollover()
        except OSError as error:  # Windows: another program holds the file; it grows beyond its size meanwhile
            self._tell(error)

    def _tell(self, error: Exception) -> None:
        if not self._warned:
            self._warned = True
            self._warn(_unwritable(self._path, error))


def _unwritable(path: Path, error: Exception) -> str:
    reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    return (
        f"The log {path} cannot be written ({reason}): the program goes on without; free the disk, or name another "
        "folder as log.folder in config.yaml."
    )


def _message(record: logging.LogRecord) -> str:
    try:
        return record.getMessage()
    except (TypeError, ValueError, KeyError):  # arguments that do not fit the text must not stop a trading day
        return f"{record.msg} {record.args!r}"


def _value(value: object) -> str:
    if value is None or value != value:  # noqa: PLR0124 - NaN differs from itself
        return ""
    text = f"{value:.10g}" if isinstance(value, float) else str(value)
    if text.isprintable() and _PLAIN_VALUE.fullmatch(text):
        return text
    return json.dumps(text, ensure_ascii=not text.isprintable())
