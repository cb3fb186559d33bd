"""Pivot levels for the next session, from one session's high, low and close. Pure."""

from __future__ import annotations

from dataclasses import dataclass, fields

from optionscanner.model.contracts import Floats


@dataclass(frozen=True, eq=False)
class Pivots:
    """Levels of the classic (floor trader's) method, in the unit of the prices; NaN where a price is absent."""

    pivot: Floats
    r1: Floats
    r2: Floats
    r3: Floats
    s1: Floats
    s2: Floats
    s3: Floats

    def columns(self) -> dict[str, Floats]:
        """Name of the level -> its values."""
        return {f.name: getattr(self, f.name) for f in fields(self)}


def classic_pivots(*, high: Floats, low: Floats, close: Floats) -> Pivots:
    """Levels for the session that follows the one of these prices [₹ or points].

    P = (H + L + C) / 3; R1 = 2P - L, R2 = P + (H - L), R3 = H + 2(P - L); S1 = 2P - H, S2 = P - (H - L),
    S3 = L - 2(H - P).
    """
    pivot = (high + low + close) / 3.0
    span = high - low
    return Pivots(
        pivot=pivot,
        r1=2.0 * pivot - low,
        r2=pivot + span,
        r3=high + 2.0 * (pivot - low),
        s1=2.0 * pivot - high,
        s2=pivot - span,
        s3=low - 2.0 * (high - pivot),
    )
