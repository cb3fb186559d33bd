"""What a session asks of the computer it runs on: `looked_after` tells of awkward folders, and keeps it awake."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from optionscanner import cli, console
from optionscanner.config import Config
from optionscanner.platforms_awake import KeepAwake
from optionscanner.platforms_places import warnings_of

log = logging.getLogger(__name__)


@contextmanager
def looked_after(config: Config, options: cli.Options, *, workbook: Path, history: Path) -> Iterator[None]:
    """Around a session with these files: says what is special about their folders, and keeps the computer awake.

    Awake only where the session follows the market's own pace, and so lasts as long as the market.
    """
    for sentence in warnings_of(workbook, history):
        console.warn(sentence)
        log.warning("%s", sentence)
    if config.computer.keep_awake and options.speed == 1 and not options.once:
        with KeepAwake():
            yield
    else:
        yield
