"""Fixtures and options of the whole suite: the recorded market data, and a travelled date."""

import os
from datetime import date, datetime, time
from pathlib import Path
from zoneinfo import ZoneInfo

import hypothesis
import pytest
import time_machine

ROOT = Path(__file__).resolve().parent.parent

# The same examples on every run: a red run can be repeated. No deadline: a busy machine is not a failure.
hypothesis.settings.register_profile("suite", deadline=None, derandomize=True, print_blob=True)
hypothesis.settings.load_profile("suite")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--today",
        type=date.fromisoformat,
        metavar="YYYY-MM-DD",
        help="run the suite as if it were 10:00 in India on this date; no test may depend on the real one",
    )


def pytest_configure(config: pytest.Config) -> None:
    today = config.getoption("--today")
    if today is not None:
        morning = datetime.combine(today, time(10), tzinfo=ZoneInfo("Asia/Kolkata"))
        traveller = time_machine.travel(morning, tick=True)
        traveller.start()
        config.add_cleanup(traveller.stop)


def pytest_report_header(config: pytest.Config) -> str | None:
    today = config.getoption("--today")
    return None if today is None else f"as if today were {today}"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Spread whole files over the parallel workers, so that their fixtures are made once; LibreOffice on one worker."""
    for item in items:
        group = "office" if item.get_closest_marker("office") else item.nodeid.partition("::")[0]
        item.add_marker(pytest.mark.xdist_group(group))


@pytest.fixture(scope="session")
def root() -> Path:
    """The project folder."""
    return ROOT


@pytest.fixture(scope="session")
def data_folder() -> Path:
    """The recorded market data, outside the project; its absence is the one reason for which a test may be skipped."""
    folder = Path(os.environ.get("OPTIONSCANNER_DATA") or ROOT.parent / "shared" / "data")
    if not folder.is_dir():
        pytest.skip(f"recorded market data not found at {folder}: set OPTIONSCANNER_DATA to its folder")
    return folder
