"""What storing a cycle costs: `python -m tests.benchmarks.history`.

Two days of a market of the real size (17,200 legs), fsync on: a replay in which every leg, chain, future, spot, reading
and state changes in each of 98 cycles (the worst there is), and live cycles in which a tenth of the chains is polled.
Then the time of typical questions to the first file, and its size.
"""

from __future__ import annotations

import argparse
import dataclasses
import sqlite3
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from optionscanner.history.queries import HistoryReader
from optionscanner.history.store import SqliteHistory
from optionscanner.model.context import DayContext
from optionscanner.model.picture import MarketPicture
from optionscanner.model.reports import CycleReport
from optionscanner.model.sessions import Mode
from tests import builders

QUERIES = {
    "last chain of one name": """
        SELECT strike, option_type, oi, oi_change, ltp, iv FROM option_chain_snapshots
        WHERE session = 1 AND symbol = 'NIFTY'
          AND timestamp = (SELECT max(timestamp) FROM option_chain_snapshots WHERE session = 1 AND symbol = 'NIFTY')""",
    "one leg over the day": """
        SELECT timestamp, ltp, oi FROM option_chain_snapshots
        WHERE session = 1 AND symbol = 'NIFTY' AND strike = 1200 AND option_type = 'CE'""",
    "whole day of one chain": "SELECT count(oi) FROM option_chain_snapshots WHERE session = 1 AND symbol = 'NIFTY'",
    "largest changes in half an hour": """
        SELECT contract, max(oi) - min(oi) AS change FROM option_chain_snapshots
        WHERE session = 1 AND timestamp >= '2026-01-30 15:00' GROUP BY contract ORDER BY change DESC LIMIT 10""",
    "metrics of one name over the day": "SELECT * FROM stock_metrics WHERE session = 1 AND symbol = 'STOCK100'",
    "exchange_metadata": "SELECT * FROM exchange_metadata",
}


def worst_day(day: DayContext, cycles: int) -> Iterator[CycleReport]:
    """Every leg changes in every cycle."""
    picture = MarketPicture(day)
    for cycle in range(1, cycles + 1):
        at = builders.ist(9, 16) + 230.0 * (cycle - 1)
        picture.observe(builders.observation(day.layout, at, holes=0.0))
        yield _report(picture, cycle, at)


def live_cycles(day: DayContext, cycles: int) -> Iterator[CycleReport]:
    """Every five seconds a tenth of the chains is polled, in turn; half of the legs polled changes."""
    picture, segments = MarketPicture(day), np.arange(day.layout.segments)
    for cycle in range(1, cycles + 1):
        at = builders.ist(9, 16) + 5.0 * (cycle - 1)
        seen = builders.observation(day.layout, at, segments=segments[cycle % 10 :: 10].tolist(), holes=0.0)
        rows = np.random.default_rng(cycle).random(len(seen.rows)) < 0.5
        unchanged = {name: np.where(rows[:, None], values, np.nan) for name, values in seen.legs.items()}
        picture.observe(dataclasses.replace(seen, legs=unchanged))
        yield _report(picture, cycle, at)


def _report(picture: MarketPicture, cycle: int, at: float) -> CycleReport:
    chains = picture.frozen(at)
    return builders.report(chains, cycle, readings=builders.readings(chains, events=2))


def stored(path: Path, day: DayContext, reports: Iterator[CycleReport]) -> np.ndarray:
    """Milliseconds of each save."""
    history = SqliteHistory(path, Mode.REPLAY)
    history.begin(builders.run_session(), day, resume_within=None, now=builders.ist(9, 15))
    times, processor = [], []
    for report in reports:
        begun, busy = time.perf_counter(), time.process_time()
        history.save(report)
        times.append(1000 * (time.perf_counter() - begun))
        processor.append(1000 * (time.process_time() - busy))
    legs = history.counts()["quotes"]
    begun = time.perf_counter()
    history.close()
    closing = 1000 * (time.perf_counter() - begun)
    milliseconds = np.array(times)
    p50, p95 = np.percentile(milliseconds, [50, 95])
    print(
        f"  {len(times)} cycles, {legs / len(times):,.0f} legs a cycle: "
        f"p50 {p50:.1f} ms, p95 {p95:.1f} ms, max {milliseconds.max():.1f} ms, "
        f"processor p95 {np.percentile(processor, 95):.1f} ms; close {closing:.0f} ms"
    )
    size = path.stat().st_size
    print(f"  file {size / 1e6:.1f} MB, {size / max(legs, 1):.1f} bytes a stored leg, everything included")
    return milliseconds


def timed(action: Callable[[], object]) -> float:
    """Milliseconds of a call, the best of three."""
    times = []
    for _ in range(3):
        begun = time.perf_counter()
        action()
        times.append(time.perf_counter() - begun)
    return 1000 * min(times)


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, help="where to put the files: a real disk, not one in memory")
    parser.add_argument("--cycles", type=int, default=98)
    options = parser.parse_args()
    day = builders.day_of(builders.full_layout())
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        path = Path(folder) / "worst.db"
        print(f"replay, every leg changed ({2 * day.layout.rows:,} legs, {day.layout.segments} chains)")
        stored(path, day, worst_day(day, options.cycles))
        print("live, a tenth of the chains polled every five seconds")
        stored(Path(folder) / "live.db", day, live_cycles(day, 4 * options.cycles))
        print("begin again on the first file, state included")
        again = SqliteHistory(path, Mode.REPLAY)
        begin = lambda: again.begin(builders.run_session(), day, resume_within=None, now=0.0)  # noqa: E731
        print(f"  {timed(begin):.0f} ms")
        again.close()
        print("questions to the first file")
        with HistoryReader(path) as reader:
            chain = lambda: reader.chain(builders.ist(15, 30), "NIFTY", builders.MONTHLY)  # noqa: E731
            print(f"  HistoryReader.chain: {timed(chain):.1f} ms")
            print(f"  HistoryReader.reading('flow'), whole day: {timed(lambda: reader.reading('flow')):.1f} ms")
        connection = sqlite3.connect(path)
        for name, sql in QUERIES.items():
            rows = connection.execute(sql).fetchall()
            print(f"  {name}: {timed(lambda sql=sql: connection.execute(sql).fetchall()):.1f} ms, {len(rows)} rows")
        connection.close()


if __name__ == "__main__":
    main()
