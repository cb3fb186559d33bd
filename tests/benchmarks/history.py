"""What storing a cycle costs: `python -m tests.benchmarks.history [--days] [--day FOLDER]`.

Two days of a market of the real size (17,200 legs), fsync on: a replay in which every leg, chain, future, spot, reading
and state changes in each of 98 cycles (the worst there is), and live cycles in which a tenth of the chains is polled.
Then the time of typical questions to the first file, and its size.

With `--days`, and `--day FOLDER` for a recorded day as well, only this: a whole day is run, then the nearest chain of
two names is asked for now against earlier minutes, and for its map of the day, in memory and in the file; both must
agree.
"""

from __future__ import annotations

import argparse
import dataclasses
import sqlite3
import tempfile
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from threading import Event

import numpy as np
import pandas as pd

from optionscanner.adapters.recorded.format import read_day
from optionscanner.adapters.recorded.replay import RecordedMarket
from optionscanner.adapters.simulated.market import SimulatedMarket
from optionscanner.clocks import ManualClock
from optionscanner.cycle import Cycle, Sinks
from optionscanner.health import Health
from optionscanner.history.queries import HistoryReader
from optionscanner.history.store import SqliteHistory
from optionscanner.model.calendar import load_calendar
from optionscanner.model.context import DayContext
from optionscanner.model.frame import Frame
from optionscanner.model.looking_back import legs_against
from optionscanner.model.picture import MarketPicture
from optionscanner.model.reports import CycleReport
from optionscanner.model.sessions import Mode
from optionscanner.model.settings import EngineSettings
from optionscanner.ports import Market
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


def timed(action: Callable[[], object], clock: Callable[[], float] = time.perf_counter) -> float:
    """Milliseconds of a call, the best of three; of one processor alone where `clock` says so."""
    times = []
    for _ in range(3):
        begun = clock()
        action()
        times.append(clock() - begun)
    return 1000 * min(times)


def look_back(options: argparse.Namespace) -> None:
    """Print what looking back takes at the end of whole days."""
    calendar = load_calendar()
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        if options.days:
            clock = ManualClock(0.0, None, Event())
            market: Market = SimulatedMarket(seed=7, clock=clock, calendar=calendar)
            after_a_day("simulated day", market, clock, Mode.SIMULATED, Path(folder) / "simulated.db")
        if options.day:
            clock = ManualClock(0.0, None, Event())
            recorded = RecordedMarket(read_day(options.day), clock, calendar)
            after_a_day(f"recorded day {options.day.name}", recorded, clock, Mode.REPLAY, Path(folder) / "recorded.db")


def after_a_day(title: str, market: Market, clock: ManualClock, mode: Mode, path: Path) -> None:
    """Run the whole day into a history, then ask memory and file the same."""
    settings, day = EngineSettings(), market.day
    session = builders.run_session(mode, source=title, trading_date=day.session.date, seed=None)
    history = SqliteHistory(path, mode)
    instants = market.instants() or ()
    history.begin(session, day, resume_within=None, now=instants[0])
    sinks = Sinks(history, None, lambda report: Frame.of(datetime.fromtimestamp(report.as_of, UTC), ()))
    cycle = Cycle(session=session, settings=settings, sinks=sinks, health=Health(settings), strict=True, limit=60.0)
    for instant in instants:
        clock.advance_to(instant)
        chains = market.latest()
        if len(chains.polls.segment):
            cycle.run(chains)
    history.close()
    layout, trails = day.layout, cycle.trails
    mapped, ring = cycle.open_interest_map, cycle.state.anchors
    held = sum(values.nbytes for values in mapped.values.values())
    print(f"{title}: {cycle.number} cycles, {2 * layout.rows:,} legs, history {path.stat().st_size / 1e6:.0f} MB")
    print(f"  the map holds {held / 1e6:.1f} MB, the ring "
          f"{sum(v.nbytes for kept in (ring.values, ring.prices) for v in kept.values()) / 1e6:.1f} MB")  # fmt: skip
    with HistoryReader(path) as reader:
        for name in ("NIFTY", "RELIANCE"):
            segment = int(layout.underlying_front[layout.names.index(name)])
            key = layout.segment_keys[segment]
            calls = {
                "against, memory": lambda key=key: legs_against(ring, key.underlying, key.expiry),
                "against, file": lambda key=key: reader.against(key.underlying, key.expiry),
                "map, memory": lambda segment=segment: mapped.chain(segment, day, trails),
                "map, file": lambda key=key: reader.open_interest_map(key.underlying, key.expiry),
            }
            made = {what: call() for what, call in calls.items()}
            same = made["map, memory"], made["map, file"]
            np.testing.assert_array_equal(*(one.change[: len(same[1].begins)] for one in same))
            pd.testing.assert_frame_equal(made["against, memory"], made["against, file"], rtol=0, atol=1e-9)
            times = ", ".join(
                f"{what} {timed(call):.1f} ms (processor {timed(call, time.process_time):.1f})"
                for what, call in calls.items()
            )
            strikes = len(same[0].strike)
            print(f"  {name} {key.expiry}, {strikes} strikes, memory and file equal: {times}")


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, help="where to put the files: a real disk, not one in memory")
    parser.add_argument("--cycles", type=int, default=98)
    parser.add_argument("--days", action="store_true", help="only what looks back over a whole simulated day")
    parser.add_argument("--day", type=Path, help="folder of a recorded day, for the same")
    options = parser.parse_args()
    if options.days or options.day:
        look_back(options)
        return
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
