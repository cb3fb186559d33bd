"""What stands behind each signal of unusual activity, in one line: numbers against limits."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from optionscanner.model.contracts import Floats

_ASKED = (
    "rule", "value", "threshold", "strike", "option_type", "side", "open_interest_flow", "open_interest",
    "distance_pct",
    "percentile",
)  # fmt: skip
"""Columns that a reason is made of."""

PRESSED = {"BUY": "bought", "WRITE": "written", "?": "side unknown"}


def reasons(
    columns: Mapping[str, np.ndarray], *, sessions: Floats, others: Floats, minute: Floats
) -> dict[str, np.ndarray]:
    """(n,) texts `rests_on` and `reason` of signals given by the columns of the reading.

    `sessions` and `others` say what a percentile rests on, NaN where it does not; `minute` is that of the day (India).
    """
    rests_on = [_rests_on(*row) for row in zip(sessions.tolist(), others.tolist(), minute.tolist(), strict=True)]
    # As lists: single elements of arrays are slow to read.
    rows = zip(*(columns[name].tolist() for name in _ASKED), strict=True)
    reason = [_reason(row, words) for row, words in zip(rows, rests_on, strict=True)]
    return {"rests_on": _texts(rests_on), "reason": _texts(reason)}


def _texts(words: list[str]) -> np.ndarray:
    made = np.empty(len(words), dtype=object)
    made[:] = words
    return made


def leg_words(strike: float, option_type: str) -> str:
    """A leg as people say it: 24800 CE."""
    return f"{strike:.10g} {option_type}"


def _rests_on(sessions: float, others: float, minute: float) -> str:
    if sessions == sessions:  # noqa: PLR0124 - only NaN differs from itself
        return f"legs of {sessions:.0f} days at {int(minute) // 60:02d}:{int(minute) % 60:02d}"
    return "" if others != others else f"{others:.0f} legs now"  # noqa: PLR0124


def _reason(row: tuple[Any, ...], rests_on: str) -> str:
    """Words of a row of the columns `_ASKED`."""
    rule, value, limit, strike, option_type, side, flow, interest, distance, percentile = row
    if rule.startswith("PCR"):
        return f"PCR {value:.2f} {'>' if value > limit else '<'} {limit:g}, contrarian"
    if rule == "NEGATIVE_GAMMA_ZONE":
        return f"GEX {value:+.0f} % of all gamma < {limit:+g} %: moves amplified"
    held = interest - flow
    rise = f"OI {100.0 * flow / held:+.0f} %" if held > 0 else f"OI {flow:+,.0f} from 0"
    leg, pressed = leg_words(strike, option_type), PRESSED[side]
    if rule.endswith("ACCUMULATION"):
        return f"{leg} {rise}, {value:.1f} x usual > {limit:g} x, {abs(distance):.1f} % OTM, {pressed}"
    share = f", above {percentile:.0f} % of {rests_on}" if rests_on else ""
    return f"{leg} Vol/OI {value:.1f} > {limit:g}{share}, {rise}, {pressed}"
