"""What stands behind each signal of unusual activity, in one line: numbers against limits."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from optionscanner.model.contracts import Floats

PRESSED = {"BUY": "bought", "WRITE": "written", "?": "side unknown"}


def reasons(
    columns: Mapping[str, np.ndarray], *, sessions: Floats, others: Floats, minute: Floats
) -> dict[str, np.ndarray]:
    """(n,) texts `rests_on` and `reason` of signals given by the columns of the reading.

    `sessions` and `others` say what a percentile rests on, NaN where it does not; `minute` is that of the day (India).
    """
    count = len(sessions)
    rests_on, reason = np.full(count, "", dtype=object), np.full(count, "", dtype=object)
    for i in range(count):
        rests_on[i] = _rests_on(float(sessions[i]), float(others[i]), float(minute[i]))
        reason[i] = _reason({name: values[i] for name, values in columns.items()}, str(rests_on[i]))
    return {"rests_on": rests_on, "reason": reason}


def leg_words(strike: float, option_type: str) -> str:
    """A leg as people say it: 24800 CE."""
    return f"{strike:.10g} {option_type}"


def _rests_on(sessions: float, others: float, minute: float) -> str:
    if sessions == sessions:  # noqa: PLR0124 - only NaN differs from itself
        return f"legs of {sessions:.0f} days at {int(minute) // 60:02d}:{int(minute) % 60:02d}"
    return "" if others != others else f"{others:.0f} legs now"  # noqa: PLR0124


def _reason(row: Mapping[str, object], rests_on: str) -> str:
    rule = str(row["rule"])
    value, limit = float(row["value"]), float(row["limit"])  # type: ignore[arg-type]
    if rule.startswith("PCR"):
        return f"PCR {value:.2f} {'>' if value > limit else '<'} {limit:g}, contrarian"
    if rule == "NEGATIVE_GAMMA_ZONE":
        return f"GEX {value:+.0f} % of all gamma < {limit:+g} %: moves amplified"
    flow, interest = float(row["open_interest_flow"]), float(row["open_interest"])  # type: ignore[arg-type]
    held = interest - flow
    rise = f"OI {100.0 * flow / held:+.0f} %" if held > 0 else f"OI {flow:+,.0f} from 0"
    leg = leg_words(float(row["strike"]), str(row["option_type"]))  # type: ignore[arg-type]
    pressed = PRESSED[str(row["side"])]
    if rule.endswith("ACCUMULATION"):
        out = abs(float(row["distance_pct"]))  # type: ignore[arg-type]
        return f"{leg} {rise}, {value:.1f} x usual > {limit:g} x, {out:.1f} % OTM, {pressed}"
    share = f", above {float(row['percentile']):.0f} % of {rests_on}" if rests_on else ""  # type: ignore[arg-type]
    return f"{leg} Vol/OI {value:.1f} > {limit:g}{share}, {rise}, {pressed}"
