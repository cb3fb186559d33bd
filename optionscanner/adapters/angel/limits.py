"""How many requests may be made, all windows at once; what was used survives a restart.

Main entry: `Limiter`. The windows slide, and are counted by the broker when a request arrives, so each is taken a
little longer here than it is. The counting itself is that of pyrate-limiter, on a file of SQLite.
"""

from __future__ import annotations

import csv
import sqlite3
import threading
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

from pyrate_limiter import Rate, RateItem, SQLiteBucket

from optionscanner.errors import SourceError

WINDOWS = {"second": 1.0, "minute": 60.0, "hour": 3600.0}
_LONGER = {"second": 0.1, "minute": 0.5, "hour": 2.0}
"""Seconds by which a window is taken longer than it is: two requests may travel differently long."""
_MS = 1000.0


@dataclass(frozen=True, slots=True)
class Limit:
    """What one group of requests may use; None = no limit of that window."""

    group: str
    second: int | None
    minute: int | None
    hour: int | None

    def rates(self, speed: float = 1.0) -> list[Rate]:
        """The windows that can bind, shortest first: the others are implied by them."""
        made: list[Rate] = []
        for name, seconds in WINDOWS.items():
            allowed = getattr(self, name)
            if allowed is None:
                continue
            rate = Rate(allowed, round((seconds + _LONGER[name]) / speed * _MS))
            if all(rate.limit > r.limit and rate.limit / rate.interval < r.limit / r.interval for r in made):
                made.append(rate)
        return made

    @property
    def sustained(self) -> float:
        """Requests a second that can be kept up for a day."""
        return min(rate.limit / rate.interval * _MS for rate in self.rates())


@dataclass(frozen=True, slots=True)
class Use:
    """How much of one window is used."""

    group: str
    window: str
    used: int
    limit: int


def published() -> dict[str, Limit]:
    """The broker's table: group -> limit."""
    text = resources.files("optionscanner.adapters.angel").joinpath("limits.csv").read_text(encoding="utf-8")
    rows = csv.DictReader(line for line in text.splitlines() if not line.startswith("#"))
    return {
        row["group"]: Limit(row["group"], *(int(row[w]) if row[w] else None for w in WINDOWS)) for row in rows
    }


class Limiter:
    """Counts the requests of one client code; safe to use from several threads, and by one process at a time."""

    def __init__(
        self,
        path: Path | None,
        now: Callable[[], float],
        *,
        limits: Mapping[str, Limit] | None = None,
        speed: float = 1.0,
    ) -> None:
        """`path`: where the use is kept, None for nowhere; `now`: a clock [s since 1970 UTC] that is never set back
        while the program runs; `speed`: how much faster than true a market of tests runs, its limits with it.

        Raises SourceError where the file cannot be used.
        """
        self._now, self._speed = now, speed
        self.limits = dict(limits if limits is not None else published())
        self._lock = threading.Lock()
        self._until: dict[str, float] = {}
        self._connection = _opened(path)
        self._buckets = {
            group: SQLiteBucket(limit.rates(speed), _prepared(self._connection, group), group)
            for group, limit in self.limits.items()
        }

    def take(self, group: str) -> float:
        """Count one request of a group: 0.0 if it may be sent now, else the seconds after which to ask again."""
        with self._lock:
            now = self._now()
            wait = self._until.get(group, 0.0) - now
            if wait > 0:
                return wait
            bucket = self._buckets[group]
            item = RateItem(group, round(now * _MS))
            if bucket.put(item):
                bucket.leak(item.timestamp)
                return 0.0
            wait_ms = bucket.waiting(item)
            return max(wait_ms / _MS, 0.001) if isinstance(wait_ms, int) else 0.001

    def cool(self, group: str, seconds: float) -> None:
        """Send nothing of a group for so long: the broker has refused one, so it counts what we do not know of."""
        with self._lock:
            self._until[group] = max(self._until.get(group, 0.0), self._now() + seconds / self._speed)

    def used(self, groups: Iterable[str] | None = None) -> list[Use]:
        """How much of each window is used now."""
        with self._lock:
            now, made = self._now(), []
            for group in self.limits if groups is None else groups:
                for window, seconds in WINDOWS.items():
                    allowed = getattr(self.limits[group], window)
                    if allowed is not None:
                        since = (now - seconds / self._speed) * _MS
                        found = self._connection.execute(
                            f'SELECT count(*) FROM "{group}" WHERE item_timestamp > ?', (since,)
                        )
                        made.append(Use(group, window, int(found.fetchone()[0]), allowed))
            return made

    def close(self) -> None:
        """Give the file back."""
        with self._lock:
            self._connection.close()


def _opened(path: Path | None) -> sqlite3.Connection:
    try:
        connection = sqlite3.connect(":memory:" if path is None else path, check_same_thread=False, timeout=5.0)
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = NORMAL")
        connection.execute("PRAGMA quick_check").fetchone()
    except sqlite3.Error as error:
        raise SourceError(
            f"{path}: expected the count of requests to Angel One, got a file that cannot be used ({error}); "
            "wait an hour, then delete it"
        ) from None
    return connection


def _prepared(connection: sqlite3.Connection, group: str) -> sqlite3.Connection:
    """With the table that pyrate-limiter wants."""
    connection.execute(f'CREATE TABLE IF NOT EXISTS "{group}" (name TEXT, item_timestamp INTEGER)')
    connection.execute(f'CREATE INDEX IF NOT EXISTS "{group}_time" ON "{group}" (item_timestamp)')
    connection.commit()
    return connection
