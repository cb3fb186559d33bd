"""Twenty simulated sessions in a row in one process: what grows, and what must not.

    python -m tests.benchmarks.soak [--sessions 20] [--step 300] [--folder var/soak]

Every session is the whole day of every name with a seed of its own, at `--speed max`, into one history and one
workbook. After each: resident memory, open files (on Windows handles), threads, files on the disk, size of the history
and the median time of three questions to it. The last line compares the last session with the fourth, by when every
library is loaded and every cache is filled.
"""

import argparse
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import date
from pathlib import Path

import psutil

from optionscanner import app
from optionscanner.adapters.simulated.universe import SESSION_DATE, simulated_session
from optionscanner.history.queries import HistoryReader

FIRST_SEED = 20_260_715
TRIES = 5


def milliseconds(question: Callable[[], object]) -> float:
    times = []
    for _ in range(TRIES):
        begun = time.perf_counter()
        question()
        times.append(1000 * (time.perf_counter() - begun))
    return statistics.median(times)


def questions(history: Path) -> tuple[float, float, float]:
    """Median ms, of the newest session: NIFTY's nearest chain at 12:00, its quotes of an hour, its day of flow."""
    noon = simulated_session().opens.timestamp() + 9_900.0
    with HistoryReader(history) as reader:
        newest = reader.last_session()
        expiry = date.fromisoformat(str(reader.reading("flow", underlying="NIFTY")["expiry"].min())[:10])
        return (
            milliseconds(lambda: reader.chain(noon, "NIFTY", expiry)),
            milliseconds(lambda: reader.quotes("NIFTY", noon - 3_600.0, noon, session=newest)),
            milliseconds(lambda: reader.reading("flow", underlying="NIFTY")),
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sessions", type=int, default=20)
    parser.add_argument("--step", type=int, default=300, help="seconds between observations of the whole market")
    parser.add_argument("--folder", type=Path, help="where the files go; a temporary folder by default")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="soak-") as temporary:
        folder = given.folder or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        config = folder / "config.yaml"
        config.write_text(
            f"log:\n  folder: {folder / 'log'}\nsimulated:\n  step_s: {given.step}\n", encoding="utf-8"
        )
        history, process = folder / "history.db", psutil.Process()
        count = process.num_handles if sys.platform == "win32" else process.num_fds
        print(f"{given.sessions} sessions of {SESSION_DATE:%d-%b-%Y}, every {given.step} s, all names")
        table = [
            f"{'session':>7} {'s':>6} {'RSS MB':>7} {'open':>5} {'threads':>7} {'files':>6} {'MB':>7} "
            f"{'chain ms':>8} {'quotes ms':>9} {'flow ms':>7}"
        ]
        seen = []
        for number in range(given.sessions):
            begun = time.perf_counter()
            code = app.main([
                "--seed", str(FIRST_SEED + number), "--speed", "max", "--config", str(config),
                "--history", str(history), "--workbook", str(folder / "book.xlsx"),
            ])  # fmt: skip
            if code:
                sys.exit(f"session {number + 1} ended with {code}")
            took = time.perf_counter() - begun
            files = [place for place in folder.rglob("*") if place.is_file()]
            times = questions(history)
            line = (process.memory_info().rss / 1e6, count(), process.num_threads(), len(files),
                    history.stat().st_size / 1e6, *times)  # fmt: skip
            seen.append(line)
            table.append(
                f"{number + 1:>7} {took:>6.1f} {line[0]:>7.0f} {line[1]:>5} {line[2]:>7} {line[3]:>6} {line[4]:>7.0f} "
                f"{times[0]:>8.1f} {times[1]:>9.1f} {times[2]:>7.1f}"
            )
            print(table[-1], flush=True)
        print("\n".join(table))
        settled = seen[min(3, len(seen) - 1)]
        print(f"since session 4: RSS {seen[-1][0] - settled[0]:+.0f} MB, open {seen[-1][1] - settled[1]:+}, "
              f"threads {seen[-1][2] - settled[2]:+}, files {seen[-1][3] - settled[3]:+}")  # fmt: skip


if __name__ == "__main__":
    main()
