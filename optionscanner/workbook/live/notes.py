"""What a user should know about a write, as sentences; the file host says the same."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from pathlib import Path


def workbook_notes(
    name: str, note: str, missing: Sequence[str], truncated: Sequence[str], refused: Iterable[str] = ()
) -> str:
    """Everything worth saying about a write into the workbook `name`; "" when all is well."""
    notes = [note] if note else []
    if missing:
        notes.append(
            f"{name} no longer has {listed(missing)}; the rest is written, and a workbook that is moved away is made "
            "anew with all blocks"
        )
    if truncated:
        notes.append(f"{listed(truncated)}: cut off, because the cells below are in use; free them")
    return "; ".join([*notes, *refused])


def kept_beside(path: Path, at: datetime) -> Path:
    """Where a workbook that cannot be saved in its place is saved instead."""
    return path.with_name(f"{path.stem} not saved {at:%d-%b %H.%M.%S}{path.suffix}")


def listed(names: Sequence[str]) -> str:
    """The first five names, and how many more there are."""
    shown = ", ".join(names[:5])
    return shown if len(names) <= 5 else f"{shown} and {len(names) - 5} more"
