"""From files on disk to their contents: archives opened, bytes decoded, pages of apology known for what they are.

Main entries: `DailyPart`, `parts_of`, `text_of`. What a file is follows from its bytes, never from its name.
"""

from __future__ import annotations

import gzip
import io
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from optionscanner.errors import RecordingError, reason_of

GZIP, ZIP, OLD_EXCEL = b"\x1f\x8b", b"PK\x03\x04", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
NEW_EXCEL_PART = "xl/workbook.xml"
LARGEST_BYTES = 256 << 20
"""The largest daily file has about 10 MB; more is no daily file, or an archive made to fill a disk."""
_DEEPEST = 3


@dataclass(frozen=True, slots=True)
class DailyPart:
    """One file as published: on disk, or inside an archive."""

    name: str
    """Name of the file; of a member, the archive's name and its path inside."""
    content: bytes
    """Unpacked."""


def parts_of(path: Path) -> Iterator[DailyPart | tuple[str, RecordingError]]:
    """The files that stand at `path`, archives opened; of one that cannot be read its name and why."""
    try:
        if path.stat().st_size > LARGEST_BYTES:
            yield path.name, _too_large()
            return
        content = path.read_bytes()
    except OSError as error:
        yield path.name, RecordingError(f"the system refused it ({reason_of(error)})")
        return
    yield from unpacked(path.name, content)


def unpacked(name: str, content: bytes, depth: int = 0) -> Iterator[DailyPart | tuple[str, RecordingError]]:
    """The same for bytes in memory."""
    if not content.startswith((GZIP, ZIP)):
        yield DailyPart(name, content)
        return
    if depth == _DEEPEST:
        yield name, RecordingError("it is an archive in an archive in an archive; unpack it and import its files")
        return
    try:
        members = [(name, _gunzipped(content))] if content.startswith(GZIP) else _members(name, content)
    except RecordingError as error:
        yield name, error
        return
    # RuntimeError and NotImplementedError: a password, or a kind of compression that Python has not.
    except (OSError, EOFError, zlib.error, zipfile.BadZipFile, RuntimeError, NotImplementedError, ValueError,
            LookupError, OverflowError) as error:  # fmt: skip
        yield name, RecordingError(f"it is a damaged or locked archive ({_short(error)}); download it again")
        return
    for member, inside in members:
        yield from unpacked(member, inside, depth + 1)


def text_of(part: DailyPart) -> str:
    """The text of a file; raises RecordingError where it is none, or a page instead of data."""
    content = part.content
    if not content.strip():
        raise RecordingError("it is empty; download it again")
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        try:
            text = content.decode("utf-16")
        except UnicodeDecodeError as error:
            raise RecordingError("it begins as UTF-16 text and is none; download it again") from error
    else:
        try:
            text = content.decode("utf-8-sig")
        except UnicodeDecodeError:
            # Names of companies from an old Windows program; it knows every byte.
            text = content.decode("latin-1")
    if "\0" in text:
        raise RecordingError("it is no text; expected a table as the exchange publishes it")
    if text.lstrip()[:200].lower().startswith(("<!doctype", "<html", "<?xml", "<head")):
        raise RecordingError("it is a web page instead of data: the exchange answered so; download it again")
    return text


def _gunzipped(content: bytes) -> bytes:
    with gzip.GzipFile(fileobj=io.BytesIO(content)) as file:
        return _limited(file.read(LARGEST_BYTES + 1))


def _members(name: str, content: bytes) -> list[tuple[str, bytes]]:
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        plain = [member for member in archive.infolist() if not member.is_dir()]
        if any(member.filename == NEW_EXCEL_PART for member in plain):
            raise RecordingError("it is an Excel workbook of the new kind, which the exchange does not publish")
        if sum(member.file_size for member in plain) > LARGEST_BYTES:
            raise _too_large()
        found = []
        for member in plain:
            with archive.open(member) as file:
                found.append((f"{name}/{member.filename}", _limited(file.read(LARGEST_BYTES + 1))))
    if not found:
        raise RecordingError("it is an archive without a file; download it again")
    return found


def _limited(content: bytes) -> bytes:
    if len(content) > LARGEST_BYTES:
        raise _too_large()
    return content


def _too_large() -> RecordingError:
    return RecordingError(f"it is larger than {LARGEST_BYTES >> 20} MB, so it is no daily file; take it away")


def _short(error: Exception) -> str:
    return (str(error).splitlines() or [""])[0].rstrip(".")[:120] or type(error).__name__
