"""Real recorded days for tests: imported once a session into a temporary folder, replayed by a clock of their own.

Import the fixtures into a test module by name. The data itself lies outside the project (`data_folder` of conftest).
"""

from collections.abc import Iterator
from pathlib import Path

import pytest

from optionscanner.adapters.recorded.converters import import_day
from optionscanner.adapters.recorded.format import read_day
from optionscanner.adapters.recorded.replay import RecordedMarket
from optionscanner.model.calendar import load_calendar
from optionscanner.model.chains import Chains
from optionscanner.model.picture import BorderSettings

FIVE_MINUTE = "chain_intraday/allfno_5min_2026"
ONE_MINUTE = "chain_intraday/nifty_banknifty_1min_2025-08-29"
JANUARY_30 = (
    f"{FIVE_MINUTE}/stocks_2026-01-30.parquet",
    f"{FIVE_MINUTE}/index_2026-01-22_to_02-05.parquet",
    f"{FIVE_MINUTE}/eod_last_snapshot_2025-12-24_to_2026-02-05.parquet",
)
AUGUST_29 = (f"{ONE_MINUTE}/NIFTY_2025-08-29.parquet", f"{ONE_MINUTE}/BANKNIFTY_2025-08-29.parquet")


class TapeClock:
    """A clock that stands where it was put."""

    def __init__(self) -> None:
        self.instant = 0.0

    def now(self) -> float:
        return self.instant

    def wait_until(self, instant: float) -> None:
        self.instant = instant


def imported(data_folder: Path, sources: tuple[str, ...], to: Path) -> Path:
    """The recorded day of these raw files."""
    import_day([data_folder / source for source in sources], to, lambda line: None)
    return to


def pictures_of(folder: Path, border: BorderSettings | None = None) -> Iterator[Chains]:
    """The picture after every recorded instant of a day."""
    clock = TapeClock()
    market = RecordedMarket(read_day(folder), clock, load_calendar(), border=border)
    for clock.instant in market.instants():
        yield market.latest()


@pytest.fixture(scope="session")
def january_30(data_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Friday 30 January 2026: 206 stocks and three indices, last prices every five minutes, yesterday unknown."""
    return imported(data_folder, JANUARY_30, tmp_path_factory.mktemp("january") / "day")


@pytest.fixture(scope="session")
def august_29(data_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """29 August 2025: NIFTY and BANKNIFTY, all expiries, bid and ask every minute, no spot."""
    return imported(data_folder, AUGUST_29, tmp_path_factory.mktemp("august") / "day")
