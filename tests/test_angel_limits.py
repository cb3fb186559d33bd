"""The broker's limits, counted on its side of the wire: never exceeded, and used to the full when needed."""

import bisect
import random
from pathlib import Path

import pytest

from optionscanner.adapters.angel.limits import WINDOWS, Limit, Limiter, published
from optionscanner.errors import SourceError

START = 1_769_744_700.0


class Time:
    """A clock that is moved by hand."""

    def __init__(self) -> None:
        self.at = START

    def now(self) -> float:
        return self.at


def most_within(arrivals: list[float], seconds: float) -> int:
    """Most requests that arrived within any window of so many seconds."""
    arrivals = sorted(arrivals)
    return max(bisect.bisect_left(arrivals, at + seconds) - i for i, at in enumerate(arrivals))


def served(limiter: Limiter, time: Time, group: str, until: float, rng: random.Random) -> list[float]:
    """Ask as often as possible until an instant; when each request that was let through arrived at the broker."""
    arrived = []
    while time.at < until:
        wait = limiter.take(group)
        if wait == 0.0:
            arrived.append(time.at + rng.uniform(0.01, 0.09))
            time.at += rng.choice((0.0, 0.001, 0.02))
        else:
            time.at += wait
    return arrived


@pytest.mark.slow
@pytest.mark.parametrize("group", ["quotes", "candles", "positions", "token"])
def test_no_window_is_ever_exceeded_and_the_binding_one_is_used(group: str) -> None:
    """However the requests travel, and with every restart: four hours of asking without a pause."""
    time, rng, limit = Time(), random.Random(5), published()[group]
    arrived = served(Limiter(None, time.now), time, group, START + 4 * 3600, rng)
    for window, seconds in WINDOWS.items():
        allowed = getattr(limit, window)
        if allowed is not None:
            assert most_within(arrived, seconds) <= allowed, window
    hourly = min(getattr(limit, w) * 3600 / s for w, s in WINDOWS.items() if getattr(limit, w) is not None)
    assert len(arrived) >= 0.9 * 4 * hourly
    if limit.hour is not None:
        assert len(arrived) >= 0.95 * 4 * hourly


@pytest.mark.slow
def test_a_restart_does_not_forget_what_was_used(tmp_path: Path) -> None:
    time, rng, arrived = Time(), random.Random(6), []
    for _ in range(12):
        limiter = Limiter(tmp_path / "used.db", time.now)
        arrived += served(limiter, time, "quotes", time.at + 600, rng)
        limiter.close()
        time.at += 1.0
    assert most_within(arrived, 3600) <= 5000
    assert most_within(arrived, 60) <= 500
    assert len(arrived) >= 0.95 * 2 * 5000


def test_a_process_that_is_killed_has_counted_its_requests(tmp_path: Path) -> None:
    """Nothing is closed: what was let through is in the file before it is sent."""
    time = Time()
    first = Limiter(tmp_path / "used.db", time.now)
    for _ in range(10):
        assert first.take("quotes") == 0.0
    again = Limiter(tmp_path / "used.db", time.now)
    assert again.take("quotes") > 0.9
    assert [use.used for use in again.used(["quotes"])] == [10, 10, 10]


def test_a_faster_market_has_faster_limits() -> None:
    time, rng = Time(), random.Random(8)
    arrived = served(Limiter(None, time.now, speed=10.0), time, "quotes", START + 720, rng)
    assert most_within(arrived, 360) <= 5000
    assert len(arrived) >= 0.95 * 2 * 5000


def test_after_a_refusal_nothing_of_the_group_is_sent_for_a_while() -> None:
    time = Time()
    limiter = Limiter(None, time.now)
    limiter.cool("quotes", 60.0)
    assert limiter.take("quotes") == 60.0
    assert limiter.take("candles") == 0.0
    time.at += 60.0
    assert limiter.take("quotes") == 0.0


def test_use_is_told_by_window() -> None:
    time = Time()
    limiter = Limiter(None, time.now)
    limiter.take("quotes")
    time.at += 30.0
    limiter.take("quotes")
    limiter.take("quotes")
    told = {(use.group, use.window): (use.used, use.limit) for use in limiter.used()}
    assert told["quotes", "second"] == (2, 10)
    assert told["quotes", "minute"] == (3, 500)
    assert told["quotes", "hour"] == (3, 5000)
    assert told["candles", "second"] == (0, 2)


def test_the_table_is_the_published_one() -> None:
    """As captured on 15 July 2026; candles by what third parties found to be safe."""
    limits = published()
    assert limits["quotes"] == Limit("quotes", 10, 500, 5000)
    assert limits["login"] == Limit("login", 1, None, None)
    assert (limits["candles"].second, limits["candles"].minute, limits["candles"].hour) == (2, 180, 5000)
    assert limits["quotes"].sustained == pytest.approx(5000 / 3600, rel=0.001)


def test_a_file_of_something_else_is_told(tmp_path: Path) -> None:
    (tmp_path / "used.db").write_bytes(b"not a database, but long enough to be looked at" * 40)
    with pytest.raises(SourceError, match="expected the count of requests to Angel One"):
        Limiter(tmp_path / "used.db", Time().now)
