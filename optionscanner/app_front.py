"""Who shows the workbook: Excel or LibreOffice, live, or the file host where there is neither.

Main entries: `chosen` (pure), `open_host` and `spreadsheet_probe`.
"""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

from optionscanner import console
from optionscanner.checkup_probes import Probes
from optionscanner.config import Config, project_folder
from optionscanner.errors import ConfigError, WorkbookBusy
from optionscanner.model.reports import HealthItem
from optionscanner.workbook.file_host import FileHost
from optionscanner.workbook.layout import TEMPLATE_VERSION
from optionscanner.workbook.live.host import LiveHost
from optionscanner.workbook.office import bridge
from optionscanner.workbook.template import template_for
from optionscanner.workbook.upgrade_file import upgrade_file

log = logging.getLogger(__name__)

Host = FileHost | LiveHost

_SCREENS = ("DISPLAY", "WAYLAND_DISPLAY")
MACROS = Path("workbooks/macros")
"""Sources of an .xlsm's macros, relative to the project folder."""
_FINE = frozenset({"live", "opening", "paused", "busy"})
OFFICE_PROFILE = Path("var/office")
"""LibreOffice's settings for our workbook, relative to the project folder: never the user's own."""


def chosen(
    asked: str, *, excel: str | None, no_libre_office: str, platform: str, environment: Mapping[str, str]
) -> str:
    """`excel`, `libreoffice` or `file` for what the user asked for (one of these or `auto`).

    `excel`: where it is, None where it is not; `no_libre_office`: why LibreOffice cannot be driven, "" where it can.
    Raises ConfigError where the program that was asked for is not there. `auto` takes LibreOffice only where there is
    a screen to see it on.
    """
    live_excel = excel if platform in ("win32", "darwin") else None
    if asked == "excel" and live_excel is None:
        raise ConfigError(
            "front excel: no Excel was found on this machine (it is driven on Windows and macOS); choose libreoffice, "
            "file or auto"
        )
    if asked == "libreoffice" and no_libre_office:
        raise ConfigError(f"front libreoffice: {no_libre_office}; install it, or choose file or auto")
    if asked != "auto":
        return asked
    if live_excel is not None:
        return "excel"
    seen = platform != "linux" or any(environment.get(name) for name in _SCREENS)
    return "libreoffice" if not no_libre_office and seen else "file"


def open_host(config: Config, asked: str | None, book: Path, *, tell: Callable[[str], None]) -> Host:
    """The host of the workbook `book` that the options or the configuration ask for; `tell` gets its sentences."""
    front = chosen(
        asked or config.workbook.front,
        excel=Probes().excel(),
        no_libre_office=bridge.available(),
        platform=sys.platform,
        environment=os.environ,
    )
    log.info("front=%s workbook=%s", front, book)
    template = workbook_template(book)
    if front == "file":
        return FileHost(book, template=template).prepare()
    # A host that writes the file brings it up to date itself.
    try:
        told = upgrade_file(book, template)
    except WorkbookBusy as busy:
        told = f"{busy}; until then what is new in this version is missing"
    if told:
        tell(told)
    settings = config.workbook
    host = LiveHost(
        book,
        front=front,
        template=template,
        profile=OFFICE_PROFILE.absolute(),
        tell=tell,
        share=settings.share_pct / 100.0,
        save_every=settings.save_every_s,
    )
    console.say(f"the workbook is shown live in {'Excel' if front == 'excel' else 'LibreOffice'}")
    return host


def workbook_template(book: Path) -> Callable[[], bytes]:
    """What makes a workbook of this name anew: an .xlsm with its macros."""
    return template_for(book, project_folder() / MACROS)


def spreadsheet_probe(host: Host) -> Callable[[], HealthItem]:
    """The line of SYSTEM_HEALTH on the spreadsheet program: its state, and how much of its time writing takes."""

    def line() -> HealthItem:
        template = f"template {TEMPLATE_VERSION}"
        if isinstance(host, FileHost):
            return HealthItem("Spreadsheet", f"file only, {template}", "", "OK", float("nan"), "")
        fine = host.status in _FINE
        value = f"{host.status}, {100.0 * host.used_share:.1f} % of its time, {template}"
        if host.restarts:
            value += f", restarted {host.restarts} x"
        most, state = f"{100.0 * host.share:.0f} %", "OK" if fine else "WARN"
        return HealthItem("Spreadsheet", value, most, state, float("nan"), "" if fine else host.sentence)

    return line
