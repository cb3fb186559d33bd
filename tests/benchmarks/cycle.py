"""Whole cycles, whole days and the way to the first picture: `python -m tests.benchmarks.cycle [--day FOLDER]`.

1. A simulated session, every leg of the full universe updated in every cycle, history and workbook on a real disk with
   fsync on: milliseconds per step of a cycle, median and 95th percentile over the session; with `--processor` those
   of the processors, all threads together, which other work on the machine disturbs less.
2. With `--day FOLDER` (a recorded day): the whole replay at full speed by the command line, with peak memory.
3. The bare command, from its start to a workbook on the disk.

Run by hand; the figures stand in the README.
"""

import argparse
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path

import numpy as np

from optionscanner.adapters.simulated.market import SimulatedMarket
from optionscanner.analytics.pipeline import ENGINES
from optionscanner.cycle import Cycle, Sinks
from optionscanner.health import Health
from optionscanner.history.store import SqliteHistory
from optionscanner.model.calendar import load_calendar
from optionscanner.model.sessions import Mode
from optionscanner.model.settings import EngineSettings
from optionscanner.workbook.file_host import FileHost
from optionscanner.workbook.render import Renderer
from tests import builders, program

ENGINE_NAMES = tuple(engine.name for engine in ENGINES)
STEPS = {
    "pricing (forwards, IV, Greeks)": ("pricing",),
    "engines": ENGINE_NAMES,
    "store": ("store",),
    "cycle without the workbook": ("pricing", *ENGINE_NAMES, "store"),
    "render": ("render",),
    "workbook": ("workbook",),
    "whole cycle": ("cycle",),
}


class SessionClock:
    """Session time that the benchmark moves."""

    def __init__(self) -> None:
        self.instant = 0.0

    def now(self) -> float:
        return self.instant

    def wait_until(self, instant: float) -> None:
        self.instant = instant


def cycles(count: int, folder: Path, elapsed: Callable[[], float]) -> None:
    """Print what each step of a cycle takes by the clock `elapsed` [s] with everything updated."""
    clock, settings = SessionClock(), EngineSettings()
    market = SimulatedMarket(seed=7, clock=clock, calendar=load_calendar())
    session = builders.run_session(Mode.SIMULATED, source="simulated market", seed=7)
    history = SqliteHistory(folder / "history.db", Mode.SIMULATED)
    instants = market.instants()
    history.begin(session, market.day, resume_within=None, now=instants[0])
    workbook = FileHost(folder / "OptionsDashboard.xlsx")
    sinks = Sinks(history, workbook, Renderer(filtered=lambda: workbook.filtered))
    cycle = Cycle(
        session=session, settings=settings, sinks=sinks, health=Health(settings), strict=True, limit=60.0,
        elapsed=elapsed,
    )  # fmt: skip
    taken: dict[str, list[float]] = defaultdict(list)
    changed = []
    for instant in instants[:count]:
        clock.instant = instant
        begun = elapsed()
        chains = market.latest()
        taken["source: observe and check"].append(1000 * (elapsed() - begun))
        changed.append(int(chains.changed.sum()))
        report = cycle.run(chains)
        for step, parts in STEPS.items():
            taken[step].append(sum(report.timings[part] for part in parts))
    history.close()
    workbook.close()
    layout = market.day.layout
    legs = 2 * layout.rows
    print(
        f"{count} cycles, {len(layout.underlyings)} names, {layout.segments} chains, {legs:,} legs, all updated; "
        f"legs changed a cycle: median {np.median(changed[1:]):,.0f}"
    )
    for step, milliseconds in taken.items():
        median, high = np.percentile(milliseconds[1:], [50, 95])
        print(f"  {step:34} median {median:7.1f} ms   95 % under {high:7.1f} ms   first {milliseconds[0]:7.1f} ms")
    print(f"  frames written {cycle.health.frames_written}, history {_mb(folder / 'history.db'):.0f} MB")


def whole_day(recording: Path, folder: Path) -> None:
    """Print what a whole recorded day takes, by the command line."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    begun = time.perf_counter()
    done = program.run(
        "--replay", recording, "--speed", "max", "--history", folder / "day.db", "--workbook", folder / "day.xlsx"
    )
    seconds = time.perf_counter() - begun
    peak = max(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss, before) / 1024
    print(f"whole day {recording.name}: {seconds:.1f} s from command to exit, peak memory {peak:.0f} MB")
    print("  " + "\n  ".join(done.out.splitlines()[-2:]))


def first_picture(folder: Path) -> None:
    """Print the time from the bare command to a workbook on the disk."""
    place = folder / "first.xlsx"
    begun = time.perf_counter()
    process = subprocess.Popen(
        program.command("--workbook", place, "--history", folder / "first.db"), stdout=subprocess.DEVNULL
    )
    while not place.exists() and process.poll() is None:
        time.sleep(0.01)
    print(f"bare command to first picture: {time.perf_counter() - begun:.1f} s")
    process.terminate()
    process.wait(30)


def _mb(place: Path) -> float:
    return place.stat().st_size / 1e6


def main() -> None:
    """Run all parts."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--day", type=Path, help="folder of a recorded day")
    parser.add_argument("--cycles", type=int, default=751, help="cycles of the simulated session")
    parser.add_argument("--processor", action="store_true", help="time of the processors instead of the clock's")
    given = parser.parse_args()
    # Beside the checkout: /tmp may be memory, where fsync costs nothing.
    with tempfile.TemporaryDirectory(dir=os.environ.get("BENCHMARK_FOLDER") or Path.cwd()) as made:
        folder = Path(made)
        cycles(given.cycles, folder, time.process_time if given.processor else time.perf_counter)
        if given.day:
            whole_day(given.day, folder)
        first_picture(folder)


if __name__ == "__main__":
    sys.exit(main())
