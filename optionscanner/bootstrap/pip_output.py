"""What pip, ensurepip and the system print while an environment is made, as short lines and sentences for the user.

`progress` and `explain` are the entries, for `environment.py`. Text in, text out; standard library only: it works
before anything is installed.
"""

import re
import shutil
import sys
from pathlib import Path

# In the order in which they are looked for: a full disk or a missing right also ends downloads.
_DISK_FULL = re.compile(r"No space left on device|Disk quota exceeded|not enough space on the disk")
_NOT_WRITABLE = re.compile(r"Permission denied|Read-only file system|Access is denied|Operation not permitted")
_NO_NETWORK = re.compile(
    r"Failed to establish a new connection|Temporary failure in name resolution|getaddrinfo failed|"
    r"Name or service not known|nodename nor servname|NameResolutionError|NewConnectionError|"
    r"ConnectTimeoutError|ReadTimeoutError|Network is unreachable|Connection refused|Max retries exceeded|"
    r"ProxyError|SSLError|CERTIFICATE_VERIFY_FAILED|Connection (?:broken|aborted|reset)"
)
_NO_RELEASE = re.compile(r"No matching distribution found for (?P<requirement>[^\n(]+)")


def progress(line: str) -> str | None:
    """What to show for a line of pip's output: the package being fetched, the install, a retry; else None."""
    if fetched := re.match(r"\s*Downloading (?:\S*/)?(?P<file>[^/\s]+)(?P<size> \([^)]*\))?", line):
        name = re.match(r"[^-]+-[^-]+(?=-|\.tar|\.zip)", fetched["file"])
        # Metadata is fetched ahead of the package itself and would show every name twice.
        shown = (name[0] if name else fetched["file"]) + (fetched["size"] or "")
        return None if ".metadata" in line else f"fetching {shown}"
    if found := re.match(r"Installing collected packages: (?P<names>.*)", line):
        return f"installing {found['names'].count(',') + 1} packages"
    if re.match(r"\s*Building wheel for ", line):
        return line.strip().split(" (")[0].lower()
    if line.startswith("WARNING: Retrying"):
        return "no answer from the package index, trying again"
    return None


def explain(output: str, *, folder: Path, log: Path) -> str:
    """The sentence for a failed pip or ensurepip, from what it printed."""
    if _DISK_FULL.search(output) or _NOT_WRITABLE.search(output):
        return explain_write_failure(output, folder)
    if trouble := _NO_NETWORK.search(output):
        return (
            f"The package index cannot be reached ({trouble[0]}), and OptionScanner has packages to install: "
            "connect this machine to the internet, or name a proxy in HTTPS_PROXY or another index in "
            "PIP_INDEX_URL, and start again."
        )
    if absent := _NO_RELEASE.search(output):
        # pip that may not try twice says this, and nothing else, when it reached no index at all.
        reach = "is not reached or offers" if "(from versions: none)" in output else "offers"
        version = ".".join(map(str, sys.version_info[:3]))
        return (
            f"The package index {reach} no {absent['requirement'].strip()} for Python {version} on "
            f"{sys.platform}: check the internet connection and pip's index settings, or use another Python "
            "from 3.11 on, and start again."
        )
    errors = [line.strip() for line in output.splitlines() if re.match(r"\s*(ERROR|error):", line)]
    last = errors[-1] if errors else (output.strip().splitlines() or ["no output"])[-1]
    return f"Packages could not be installed into {folder} ({last}): see {log}, and start again."


def explain_write_failure(reason: str, folder: Path) -> str:
    """The sentence for a folder that could not be written, from the system's own words."""
    if _DISK_FULL.search(reason):
        free = shutil.disk_usage(folder.parent).free // 1_000_000
        return (
            f"The disk is full: {folder} needs about 1 GB and {free} MB are free: make room and start again, "
            "which takes the set-up from its beginning."
        )
    found = _NOT_WRITABLE.search(reason)
    return (
        f"{folder} cannot be written ({found[0] if found else reason}): move the project to a folder of your "
        "own, or make this one writable, and start again."
    )
