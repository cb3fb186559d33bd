"""An engine in a process of its own that shows frames until it is killed: `python -m tests.live_engine BOOK PROFILE`.

It says `shown N` after the N-th frame is in the workbook.
"""

import sys
from pathlib import Path

from optionscanner.workbook.live.host import LiveHost
from tests.workbook_tools import made_up_frame


def main() -> None:
    book, profile, keep = sys.argv[1:4]
    host = LiveHost(
        Path(book), profile=Path(profile), headless=True, leave_open=keep == "keep", share=1.0, save_every=0.5
    )  # fmt: skip
    frames = [made_up_frame(seed) for seed in range(3)]
    number = 0
    while True:
        host.write(frames[number % len(frames)])
        result = host.settle(60.0)
        number += 1
        sys.stdout.write(f"shown {number} {result.status if result else 'late'}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
