"""What showing a cycle costs: `python -m tests.benchmarks.workbook`.

Render: reports of a market of the real size, every underlying moved. Write: frames in which every cell of every block
differs from the one before, fsync on, into the template's own file and into one last saved by LibreOffice.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path

import numpy as np

from optionscanner.model.context import DayContext
from optionscanner.model.picture import MarketPicture
from optionscanner.workbook.file_host import FileHost
from optionscanner.workbook.render import Renderer
from optionscanner.workbook.template import build_template
from tests import builders
from tests.workbook_tools import convert, made_up_frame


def percentiles(milliseconds: list[float]) -> str:
    return f"p50 {np.percentile(milliseconds, 50):5.1f} ms, p95 {np.percentile(milliseconds, 95):5.1f} ms"


def render_times(day: DayContext, rounds: int) -> list[float]:
    picture, renderer, taken = MarketPicture(day), Renderer(), []
    for cycle in range(1, rounds + 1):
        at = builders.ist(9, 30) + 30.0 * cycle
        picture.observe(builders.observation(day.layout, at, holes=0.0))
        report = builders.report(picture.frozen(at), cycle, seed=cycle)
        begun = time.process_time()
        renderer(report)
        taken.append(1_000.0 * (time.process_time() - begun))
    return taken


def write_times(path: Path, rounds: int) -> tuple[list[float], int]:
    """Milliseconds of the processors, all threads together, of each write after the first one, which also reads the
    file; cells changed by the last one."""
    frames = [made_up_frame(seed) for seed in range(8)]
    host, taken, cells = FileHost(path), [], 0
    for i in range(rounds + 1):
        begun = time.process_time()
        result = host.write(frames[i % len(frames)])
        taken.append(1_000.0 * (time.process_time() - begun))
        assert result.status == "written", result.sentence
        cells = result.cells
    host.close()
    return taken[1:], cells


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=100)
    rounds = parser.parse_args().rounds
    day = builders.day_of(builders.full_layout())
    print(f"render, 215 underlyings:            {percentiles(render_times(day, min(rounds, 40)))}")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "OptionsDashboard.xlsx"
        begun = time.perf_counter()
        path.write_bytes(build_template())
        print(f"template built:                     {1_000.0 * (time.perf_counter() - begun):5.0f} ms")
        taken, cells = write_times(path, rounds)
        size = path.stat().st_size / 1e6
        print(f"write, template's own file:         {percentiles(taken)}, {cells:,} cells changed, {size:.2f} MB")
        saved = convert(path, "xlsx", Path(folder) / "saved")
        taken, cells = write_times(saved, rounds)
        size = saved.stat().st_size / 1e6
        print(f"write, last saved by LibreOffice:   {percentiles(taken)}, {cells:,} cells changed, {size:.2f} MB")


if __name__ == "__main__":
    main()
