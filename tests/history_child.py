"""A program that stores the same cycles whenever it is started, from the first that its history lacks.

`python -m tests.history_child FILE CYCLES` prints each cycle's number when it is stored;
`tests/test_history.py` kills it.
"""

from __future__ import annotations

import sys
from pathlib import Path

from optionscanner.history.store import SqliteHistory
from optionscanner.model.sessions import Mode
from tests import builders


def main(path: str, cycles: str) -> None:
    day = builders.day_of(builders.small_layout())
    reports = builders.day_of_reports([builders.ist(9, 16) + 5.0 * i for i in range(int(cycles))], day=day)
    history = SqliteHistory(Path(path), Mode.REPLAY)
    resume = history.begin(builders.run_session(), day, resume_within=None, now=builders.ist(9, 15))
    for report in reports[resume.cycles :]:
        history.save(report)
        sys.stdout.write(f"{report.cycle}\n")
        sys.stdout.flush()
    history.close()


if __name__ == "__main__":
    main(*sys.argv[1:])
