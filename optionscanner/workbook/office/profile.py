"""The LibreOffice profile of the live workbook: its presets, and the note about the office that runs on it.

The profile is the program's own, so the user's LibreOffice keeps its settings and its windows. What the user changes
in it (toolbars, zoom) stays: only the presets below are set again before each start.
"""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path

import psutil
from lxml import etree

from optionscanner.errors import WorkbookError, reason_of

_OOR = "http://openoffice.org/2001/registry"
_XS = "http://www.w3.org/2001/XMLSchema"
_COMMON = "/org.openoffice.Office.Common"
_FAR_FUTURE = "4102444800"
"""1-Jan-2100 in Unix seconds: bars that LibreOffice shows again some days after this moment never come."""

SECURITY = f"{_COMMON}/Security/Scripting"

_PRESETS = {
    # Formulas of a file that was never opened hold no results yet.
    ("/org.openoffice.Office.Calc/Formula/Load", "OOXMLRecalcMode"): "0",
    # Dashed lines where paper would end, drawn as if pages were not scaled to the sheets' width.
    ("/org.openoffice.Office.Calc/Layout/Line", "PageBreak"): "false",
    # Windows that would wait for an answer, or ask for one at each save.
    (f"{_COMMON}/Save/Document", "WarnAlienFormat"): "false",
    (f"{_COMMON}/Misc", "FirstRun"): "false",
    (f"{_COMMON}/Misc", "ShowTipOfTheDay"): "false",
    (f"{_COMMON}/Misc", "CrashReport"): "false",
    (f"{_COMMON}/Misc", "CollectUsageInformation"): "false",
    ("/org.openoffice.Setup/Office", "ooSetupInstCompleted"): "true",
    ("/org.openoffice.Setup/Product", "WhatsNew"): "false",
    ("/org.openoffice.Setup/Product", "LastTimeDonateShown"): _FAR_FUTURE,
    ("/org.openoffice.Setup/Product", "LastTimeGetInvolvedShown"): _FAR_FUTURE,
    ("/org.openoffice.Office.Jobs/Jobs/org.openoffice.Office.Jobs:Job['UpdateCheck']/Arguments",
     "AutoCheckEnabled"): "false",
    # The engine has its own copies; a save every ten minutes would stop the user for half a second.
    ("/org.openoffice.Office.Recovery/AutoSave", "Enabled"): "false",
    ("/org.openoffice.Office.Recovery/RecoveryInfo", "Enabled"): "false",
    # Looking for Java takes a second and serves nothing here.
    ("/org.openoffice.Office.Java/VirtualMachine", "Enable"): "false",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Running:
    """The office that runs, or ran, on a profile."""

    pid: int
    created: float
    """Start of the process, Unix seconds: a recycled process id is another process."""
    pipe: str
    """Name of the pipe on which it listens."""

    def alive(self) -> bool:
        """Whether that very process still lives."""
        try:
            process = psutil.Process(self.pid)
            if process.create_time() != self.created:
                return False
            if process.status() == psutil.STATUS_ZOMBIE:
                # Where it is a child of ours, its end is collected by this.
                process.wait(0)
                return False
        except psutil.Error:
            return False
        return True


def url(folder: Path) -> str:
    """A path as LibreOffice writes it."""
    return folder.resolve().as_uri()


def prepare(profile: Path, trusted: Path) -> None:
    """Write the presets into the profile; macros of workbooks in the folder `trusted` may run.

    Raises WorkbookError where the profile cannot be written.
    """
    path = profile / "user" / "registrymodifications.xcu"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        root = _read(path)
        for (node, name), value in _PRESETS.items():
            _set(root, node, name, value)
        _set(root, SECURITY, "SecureURL", [*_trusted(root), url(trusted)])
        _replace(path, etree.tostring(root, xml_declaration=True, encoding="UTF-8"))
    except OSError as error:
        raise WorkbookError(
            f"LibreOffice's profile {profile} cannot be written ({reason_of(error)}): make the folder writable"
        ) from error


def remember(profile: Path, running: Running) -> None:
    """Note the office that was started on the profile, for the next start of the program."""
    _replace(_note(profile), json.dumps(asdict(running)).encode("utf-8"))


def forget(profile: Path) -> None:
    """The office of the profile has ended."""
    _note(profile).unlink(missing_ok=True)


def recall(profile: Path) -> Running | None:
    """The office that was last started on the profile, dead or alive; None where there was none."""
    try:
        return Running(**json.loads(_note(profile).read_text("utf-8")))
    except (OSError, ValueError, TypeError):
        return None


def _note(profile: Path) -> Path:
    return profile / "office.json"


def _replace(path: Path, content: bytes) -> None:
    part = path.with_name(f"{path.name}.{os.getpid()}.part")
    part.write_bytes(content)
    part.replace(path)


def _read(path: Path) -> etree._Element:
    """The settings of the profile; those of a file that was cut off by a crash start afresh."""
    try:
        return etree.parse(str(path)).getroot()
    except (OSError, etree.XMLSyntaxError):
        return etree.Element(f"{{{_OOR}}}items", nsmap={"oor": _OOR, "xs": _XS})


def _items(root: etree._Element, node: str, name: str) -> list[etree._Element]:
    return [
        item
        for item in root.iter("item")
        if item.get(f"{{{_OOR}}}path") == node and item.find("prop").get(f"{{{_OOR}}}name") == name
    ]


def _trusted(root: etree._Element) -> list[str]:
    """Folders that are trusted already, without those that are gone."""
    return [
        text
        for item in _items(root, SECURITY, "SecureURL")
        for it in item.iter("it")
        if (text := it.text or "").startswith("file://")
    ]


def _set(root: etree._Element, node: str, name: str, value: str | list[str]) -> None:
    for item in _items(root, node, name):
        root.remove(item)
    item = etree.SubElement(root, "item", {f"{{{_OOR}}}path": node})
    prop = etree.SubElement(item, "prop", {f"{{{_OOR}}}name": name, f"{{{_OOR}}}op": "fuse"})
    holder = etree.SubElement(prop, "value")
    if isinstance(value, str):
        holder.text = value
    else:
        for text in dict.fromkeys(value):
            etree.SubElement(holder, "it").text = text
