"""What the live workbook costs in LibreOffice, headless: `python -m tests.benchmarks.live [--cycles 2000]`.

From report to cells: a market of the real size, every underlying moved, rendered, handed over and in the cells; and
frames in which every cell of every block differs. Recovery: until the newest frame is in the cells again. With
`--cycles` also the memory of the office, and how many names, conditional formats and styles there are before and after.
"""

from __future__ import annotations

import argparse
import os
import signal
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import psutil

from optionscanner.model.frame import Frame, WriteResult
from optionscanner.model.picture import MarketPicture
from optionscanner.workbook.live.host import LiveHost
from optionscanner.workbook.office.front import LibreOfficeFront
from optionscanner.workbook.render import Renderer
from tests import builders
from tests.workbook_tools import made_up_frame

CYCLE_S = 5.0
PAINT_S = 0.3


class Bench:
    """A host and the clocks around it."""

    def __init__(self, folder: Path) -> None:
        self.begun = time.perf_counter()
        self.profile = folder / "profile"
        self.host = LiveHost(folder / "OptionsDashboard.xlsx", profile=self.profile, headless=True, share=1.0,
                             save_every=0.0)  # fmt: skip

    def processes(self) -> list[psutil.Process]:
        return [psutil.Process(pid) for pid in (self.host._child.process.pid, self.host._child.office) if pid]

    def used(self) -> float:
        """Processor seconds of the writer and of the office."""
        return sum(sum(process.cpu_times()[:2]) for process in self.processes())

    def shown(self, frame: Frame) -> WriteResult:
        self.host.write(frame)
        result = self.host.settle(60.0)
        assert result is not None, self.host.sentence
        assert result.status == "written", self.host.sentence
        return result

    def measure(self, name: str, made: Callable[[int], Frame], rounds: int) -> None:
        whole, painting, cells, blocks = [], [], 0, 0
        before = self.used()
        for number in range(rounds):
            begun = time.perf_counter()
            result = self.shown(made(number))
            whole.append(1_000.0 * (time.perf_counter() - begun))
            # As between cycles: the spreadsheet paints what it was given, and answers nothing meanwhile.
            time.sleep(PAINT_S)
            painting.append(result.milliseconds)
            cells, blocks = result.cells, result.blocks
        used = 1_000.0 * (self.used() - before) / rounds
        p50, p95 = np.percentile(whole, (50, 95))
        print(
            f"{name:34} p50 {p50:6.1f} ms, p95 {p95:6.1f} ms (spreadsheet {np.percentile(painting, 50):6.1f} ms, "
            f"processor {used:5.1f} ms); {cells:,} cells in {blocks} blocks; "
            f"{np.mean(painting) / 10.0 / CYCLE_S:.1f} % of the spreadsheet's time at {CYCLE_S:g} s a cycle"
        )

    def recovery(self, name: str, kind: int, frame: Frame, rounds: int) -> None:
        taken = []
        for _ in range(rounds):
            before = self.host.restarts
            begun = time.perf_counter()
            os.kill(self.host._child.office or 0, kind)
            while self.host.restarts == before:
                time.sleep(0.005)
            self.shown(frame)
            taken.append(time.perf_counter() - begun)
            time.sleep(1.0)
        print(f"{name:34} {min(taken):.2f} s at best, {np.median(taken):.2f} s in the middle, {max(taken):.2f} s")


def reports(rounds: int) -> list[Callable[[], Frame]]:
    """What renders the next report of a market in which every underlying moved."""
    day = builders.day_of(builders.full_layout())
    picture, renderer, made = MarketPicture(day), Renderer(), []
    for cycle in range(1, rounds + 1):
        at = builders.ist(9, 30) + 30.0 * cycle
        picture.observe(builders.observation(day.layout, at, holes=0.0))
        report = builders.report(picture.frozen(at), cycle, seed=cycle)
        made.append(lambda report=report: renderer(report))
    return made


def counts(profile: Path, path: Path) -> dict[str, int]:
    """What must not multiply."""
    front = LibreOfficeFront(profile, headless=True)
    model = front.open(path).book.impl.document.model
    sheets = [model.Sheets.getByIndex(i) for i in range(model.Sheets.getCount())]
    return {
        "names": len(model.NamedRanges.ElementNames),
        "conditional formats": sum(len(s.ConditionalFormats.getConditionalFormats()) for s in sheets),
        "cell styles": len(model.StyleFamilies.getByName("CellStyles").ElementNames),
        "charts": sum(len(s.Charts.ElementNames) for s in sheets),
        "undo entries": len(model.getUndoManager().getAllUndoActionTitles()),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=40)
    parser.add_argument("--recoveries", type=int, default=3)
    parser.add_argument("--cycles", type=int, default=0, help="long run of so many frames")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        bench = Bench(Path(folder))
        frames = [made_up_frame(seed) for seed in range(4)]
        bench.shown(frames[0])
        print(f"{'start to first picture':34} {time.perf_counter() - bench.begun:.2f} s")
        rendered = reports(options.rounds + 1)
        bench.shown(rendered[0]())
        bench.measure("report to cells, every name moved", lambda i: rendered[i + 1](), options.rounds)
        bench.measure("every cell of every block differs", lambda i: frames[i % 4], options.rounds)
        bench.shown(frames[0])
        bench.measure("nothing changed", lambda i: frames[0], options.rounds)
        if options.recoveries:
            bench.recovery("office killed (-9)", signal.SIGKILL, frames[1], options.recoveries)
            bench.recovery("office frozen (stopped)", signal.SIGSTOP, frames[2], options.recoveries)
        if options.cycles:
            long_run(bench, rendered, options.cycles)
        bench.host.close()


def long_run(bench: Bench, rendered: list[Callable[[], Frame]], cycles: int) -> None:
    before = counts(bench.profile, bench.host.path)
    for number in range(cycles):
        bench.shown(rendered[number % len(rendered)]())
        if number % max(cycles // 8, 1) == 0 or number == cycles - 1:
            memory = [process.memory_info().rss / 2**20 for process in bench.processes()]
            print(f"cycle {number + 1:6,}: writer {memory[0]:.0f} MB, office {memory[1]:.0f} MB")
    print("before:", before)
    print("after: ", counts(bench.profile, bench.host.path))


if __name__ == "__main__":
    main()
