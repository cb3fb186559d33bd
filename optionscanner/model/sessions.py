"""Which run of the program a stored row belongs to."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from enum import StrEnum


class Mode(StrEnum):
    """Where the market comes from; histories of different modes never mix."""

    LIVE = "LIVE"
    REPLAY = "REPLAY"
    SIMULATED = "SIMULATED"


@dataclass(frozen=True, slots=True)
class RunSession:
    """One trading day seen through one source."""

    mode: Mode
    source: str
    """What delivered the market, in a few words: a recording's name, the broker, the simulator."""
    trading_date: date
    seed: int | None
    """Seed of a simulated market, None otherwise."""
    settings_version: str
    """Digest of the engine parameters in force; state computed under other parameters is not resumed."""
    code_version: str

    @property
    def label(self) -> str:
        """The mode as sheets show it, without the clock."""
        if self.mode is Mode.SIMULATED:
            return f"SIMULATED seed {self.seed}"
        if self.mode is Mode.REPLAY:
            return f"REPLAY {self.trading_date:%d-%b-%Y}"
        return "LIVE"
