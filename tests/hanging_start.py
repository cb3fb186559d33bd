"""Runs the program with a workbook whose third picture hangs for ever; started again after that, with a sound one, or
(`always`) with one whose first picture hangs.

    python tests/hanging_start.py wait|busy|always arguments of run_dashboard.py
"""

import ctypes
import sys
import threading
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from optionscanner import app, supervised
from optionscanner.workbook.file_host import FileHost


class HangingHost(FileHost):
    """Hangs waiting for something that never comes, or in foreign code that lets no other Python thread run."""

    def __init__(self, path, how):
        super().__init__(path)
        self.how, self.left = how, 0 if supervised.restarted_after() else 2

    def write(self, frame):
        if self.left == 0:
            if self.how == "busy" and sys.platform != "win32":
                ctypes.PyDLL(None).sleep(1_000)
            threading.Event().wait()
        self.left -= 1
        return super().write(frame)


if __name__ == "__main__":
    how, *arguments = sys.argv[1:]
    if how == "always" or not supervised.restarted_after():
        app.open_host = lambda config, asked, book, *, tell: HangingHost(book, how).prepare()
    sys.exit(app.main(arguments))
