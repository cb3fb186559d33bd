"""What a user should know about a write into the workbook or a change of it: sentences that all hosts say alike."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from pathlib import Path

_SHOWN = 5


def workbook_notes(
    name: str, note: str, missing: Sequence[str], truncated: Sequence[str], refused: Iterable[str] = (), *,
    held: Sequence[str] = (),
) -> str:  # fmt: skip
    """Everything worth saying about a write into the workbook `name`; "" when all is well.

    `missing`, `truncated` and `held` name blocks: deleted by the user, without room below, with formulas of the user's
    in our cells. `refused` are sentences already.
    """
    notes = [note] if note else []
    if missing:
        notes.append(
            f"{name} no longer has {shortened(missing)}; the rest is written, and a workbook that is moved away is "
            "made anew with all blocks"
        )
    if held:
        notes.append(f"{shortened(held)}: formulas that other cells depend on were left in our cells")
    if truncated:
        notes.append(f"{shortened(truncated)}: cut off, because the cells below are in use; free them")
    return "; ".join([*notes, *refused])


def kept_beside(path: Path, at: datetime) -> Path:
    """Where a workbook that cannot be saved in its place is saved instead."""
    return path.with_name(f"{path.stem} not saved {at:%d-%b %H.%M.%S}{path.suffix}")


def shortened(names: Sequence[str]) -> str:
    """The first five names, and how many more there are."""
    shown = ", ".join(names[:_SHOWN])
    return shown if len(names) <= _SHOWN else f"{shown} and {len(names) - _SHOWN} more"
