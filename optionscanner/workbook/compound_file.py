"""Writes a compound file, the file system inside a file that holds a VBA project. Main entry: `compound_file`.

Format: [MS-CFB], version 3: sectors of 512 bytes, streams under 4,096 bytes in a stream of 64-byte mini sectors. Equal
streams give equal bytes: no times, no class identifiers, nothing random.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

_SECTOR, _MINI, _CUTOFF = 512, 64, 4096
_FREE, _END, _FAT = 0xFFFFFFFF, 0xFFFFFFFE, 0xFFFFFFFD
_STORAGE, _STREAM, _ROOT = 1, 2, 5
_RED, _BLACK = 0, 1
_ENTRY = struct.Struct("<64sHBBIII16sIQQIQ")
_MOST_FAT_SECTORS = 109
"""As many as the header can list: 7 MB, where a VBA project has some kB."""

Folder = Mapping[str, "bytes | Folder"]
"""name -> stream, or storage with more of them."""


@dataclass
class _Entry:
    name: str
    kind: int
    data: bytes = b""
    start: int = 0
    colour: int = _BLACK
    left: int = _FREE
    right: int = _FREE
    child: int = _FREE


@dataclass
class _Chains:
    """Fixed-size pieces of streams, and for each piece the number of the next."""

    size: int
    pieces: list[bytes] = field(default_factory=list)
    following: list[int] = field(default_factory=list)

    def add(self, data: bytes) -> int:
        """Number of the first piece of `data`."""
        if not data:
            return _END
        start = len(self.pieces)
        self.pieces += [data[at : at + self.size].ljust(self.size, b"\0") for at in range(0, len(data), self.size)]
        self.following += [*range(start + 1, len(self.pieces)), _END]
        return start


def compound_file(root: Folder) -> bytes:
    """Bytes of a compound file with these streams and storages; at most 7 MB, names of at most 31 characters."""
    entries = [_Entry("Root Entry", _ROOT)]
    entries[0].child = _add(entries, root)
    big, mini = _Chains(_SECTOR), _Chains(_MINI)
    for entry in entries:
        if entry.kind == _STREAM:
            entry.start = (mini if len(entry.data) < _CUTOFF else big).add(entry.data)
    entries[0].data = b"".join(mini.pieces)
    entries[0].start = big.add(entries[0].data)
    mini_fat = struct.pack(f"<{len(mini.following)}I", *mini.following)
    mini_start = big.add(_filled(mini_fat))
    directory = big.add(_filled(b"".join(map(_packed, entries)), _packed(_Entry("", 0))))
    # The table lists its own sectors too.
    sectors = 1
    while sectors * _SECTOR // 4 < len(big.pieces) + sectors:
        sectors += 1
    if sectors > _MOST_FAT_SECTORS:
        raise ValueError(f"a compound file of at most 7 MB was expected, got {len(big.pieces) * _SECTOR:,} bytes")
    table_at = len(big.pieces)
    table = [*big.following, *([_FAT] * sectors)]
    places = [*range(table_at, table_at + sectors), *([_FREE] * (_MOST_FAT_SECTORS - sectors))]
    header = struct.pack(
        "<8s16sHHHHH6sIIIIIIIII109I",
        b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", b"", 0x3E, 3, 0xFFFE, 9, 6, b"", 0,
        sectors, directory, 0, _CUTOFF, mini_start, len(_filled(mini_fat)) // _SECTOR, _END, 0, *places,
    )  # fmt: skip
    return header + b"".join(big.pieces) + _filled(struct.pack(f"<{len(table)}I", *table))


def _add(entries: list[_Entry], folder: Folder) -> int:
    """Append a storage's entries; number of the one on top of its tree."""
    # The order of a storage is by length first, then by capitals.
    names = sorted(folder, key=lambda name: (len(name), name.upper()))
    numbers = []
    for name in names:
        content = folder[name]
        numbers.append(len(entries))
        if isinstance(content, bytes):
            entries.append(_Entry(name, _STREAM, content))
        else:
            storage = _Entry(name, _STORAGE)
            entries.append(storage)
            storage.child = _add(entries, content)
    top = _tree(entries, numbers, len(numbers).bit_length())
    if numbers:
        entries[top].colour = _BLACK
    return top


def _tree(entries: list[_Entry], numbers: Sequence[int], levels: int) -> int:
    """Link sorted entries as a red-black tree; number of its top.

    Halving fills every level but the lowest, so that one is red and the paths have equally many black entries.
    """
    if not numbers:
        return _FREE
    middle = len(numbers) // 2
    top = entries[numbers[middle]]
    top.colour = _RED if levels == 1 else _BLACK
    top.left = _tree(entries, numbers[:middle], levels - 1)
    top.right = _tree(entries, numbers[middle + 1 :], levels - 1)
    return numbers[middle]


def _packed(entry: _Entry) -> bytes:
    name = entry.name.encode("utf-16-le")
    length = len(name) + 2 if name else 0
    if length > 64:
        raise ValueError(f"a name of at most 31 characters was expected, got {entry.name!r}")
    return _ENTRY.pack(
        name, length, entry.kind, entry.colour, entry.left, entry.right, entry.child, b"", 0, 0, 0,
        entry.start, len(entry.data),
    )  # fmt: skip


def _filled(data: bytes, filler: bytes = b"\xff\xff\xff\xff") -> bytes:
    """`data` up to a whole number of sectors."""
    missing = -len(data) % _SECTOR
    return data + filler * (missing // len(filler))
