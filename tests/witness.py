"""The program, and what its engine handed to the workbook's host: `python -m tests.witness FRAME.pickle -- OPTIONS`.

Every block as it was last given ends up in the pickle: block -> rows.
"""

from __future__ import annotations

import pickle
import sys
from pathlib import Path
from typing import Any

from optionscanner import app
from optionscanner.model.frame import Frame


def main(kept: str, *words: str) -> int:
    """Run the program with the words after ``--``."""
    given: dict[str, Any] = {}
    plain = app.open_host

    def watched(*arguments: Any, **more: Any) -> Any:
        host = plain(*arguments, **more)
        write = host.write

        def remembered(frame: Frame) -> Any:
            given.update({name: block.rows for name, block in frame.blocks.items()})
            return write(frame)

        host.write = remembered
        return host

    app.open_host = watched
    code = app.main(list(words[1:]))
    Path(kept).write_bytes(pickle.dumps(given))
    return code


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
