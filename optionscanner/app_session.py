"""What a session is: its source, its name, its database. Main entries: `Source`, `history_path`."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from optionscanner import __version__, cli
from optionscanner.clocks import ManualClock
from optionscanner.config import Config
from optionscanner.errors import ConfigError, reason_of
from optionscanner.model.calendar import TradingSession
from optionscanner.model.sessions import Mode, RunSession
from optionscanner.ports import Market


@dataclass
class Source:
    """A market source and the session it makes."""

    market: Market
    mode: Mode
    name: str
    seed: int | None
    clock: ManualClock
    exchange_stamps: bool = False
    """Whether the market's stamps are the exchange's own."""

    def session(self, settings_version: str) -> RunSession:
        """The session under these settings and this program."""
        date = self.market.day.session.date
        return RunSession(self.mode, self.name, date, self.seed, settings_version, __version__)


def history_path(config: Config, options: cli.Options, session: RunSession) -> Path:
    """Separate files per mode, so that they cannot mix."""
    if options.history is not None:
        return options.history
    name = f"history-{session.mode.lower()}"
    if session.mode is Mode.REPLAY:
        name += f"-{session.trading_date:%Y-%m-%d}"
    folder = config.history.folder
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigError(
            f"history.folder {folder}: cannot be made ({reason_of(error)}); "
            "name another in config.yaml, or a file with --history"
        ) from error
    return folder / f"{name}.db"


def speed_word(speed: float | None) -> str:
    """Speed of a session as the band says it."""
    return "" if speed == 1 else "x max" if speed is None else f"x{speed:g}"


def closed_words(session: TradingSession, next_open: datetime | None) -> str:
    """What the band says once the session is over."""
    just_after = session.closes + timedelta(seconds=1)  # the close itself still counts as open
    return session.closed_words(just_after, next_open=next_open)
