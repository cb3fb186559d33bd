"""Where raw files lie: on disk, or inside a tar archive, whose members count as files of their own.

Main entries: `RawFile`, `raw_files_of`. An archive is known by its content, zipped or not, never by its name.
"""

from __future__ import annotations

import gzip
import tarfile
import zlib
from dataclasses import dataclass
from pathlib import Path, PurePath

from optionscanner.errors import RecordingError

GZIP = b"\x1f\x8b"
_TAR_MARK_AT, _TAR_MARK = 257, b"ustar"


@dataclass(frozen=True, slots=True)
class RawFile:
    """One raw file."""

    path: Path
    """The file on disk."""
    member: str | None = None
    """Its path inside `path`, where that is an archive."""

    @property
    def name(self) -> str:
        """For people: the name without its folder; of a member, the archive's name and the path inside."""
        return self.path.name if self.member is None else f"{self.path.name}/{self.member}"

    @property
    def where(self) -> PurePath:
        """The whole path, through the archive: some facts of a file stand nowhere else."""
        return self.path if self.member is None else self.path / self.member

    def content(self) -> bytes:
        """The bytes, unzipped; raises RecordingError where they cannot be read."""
        try:
            if self.member is None:
                raw = self.path.read_bytes()
            else:
                with tarfile.open(self.path) as archive:
                    inside = archive.extractfile(self.member)
                    if inside is None:
                        raise RecordingError(f"{self.name} is no plain file; unpack the archive and import the folder")
                    raw = inside.read()
            return gzip.decompress(raw) if raw[:2] == GZIP else raw
        except (OSError, EOFError, zlib.error, tarfile.TarError, KeyError) as error:
            raise RecordingError(damaged(error)) from error


def raw_files_of(path: Path) -> list[RawFile]:
    """The file itself, or the plain files of the archive that it is; a broken archive is left as the file itself."""
    try:
        if not _is_tar(path):
            return [RawFile(path)]
        with tarfile.open(path) as archive:
            return [RawFile(path, member.name) for member in archive if member.isfile()]
    except (OSError, EOFError, zlib.error, tarfile.TarError):
        return [RawFile(path)]


def damaged(error: Exception) -> str:
    """The sentence for a file that cannot be read."""
    message = str(error).splitlines()[0].rstrip(".")[:160] if str(error) else type(error).__name__
    return f"it is damaged or cut off ({message})"


def _is_tar(path: Path) -> bool:
    wanted = _TAR_MARK_AT + len(_TAR_MARK)
    with path.open("rb") as file:
        start = file.read(wanted)
    if start[:2] == GZIP:
        with gzip.open(path) as inside:
            start = inside.read(wanted)
    return start[_TAR_MARK_AT:] == _TAR_MARK
