"""The zip file around a workbook's parts: read once, written again with most parts copied as they are packed.

`zipfile` finds the parts; writing is our own because the standard library cannot copy a packed part without
unpacking it, and because an unchanged part must stay byte-identical.
"""

from __future__ import annotations

import struct
import zipfile
import zlib
from dataclasses import dataclass
from io import BytesIO

from isal import isal_zlib

from optionscanner.errors import WorkbookError

_LOCAL = struct.Struct("<4s5H3I2H")
_CENTRAL = struct.Struct("<4s6H3I5H2I")
_END = struct.Struct("<4s4H2IH")
_DATA_DESCRIPTOR = 0x0008
_ENCRYPTED = 0x0001
_LARGEST = 0xFFFFFFFF
_OLE_MAGIC = bytes.fromhex("d0cf11e0a1b11ae1")
_FAST = 1


@dataclass(frozen=True, slots=True)
class Member:
    """One packed part with what its directory entries say about it."""

    name: bytes
    method: int
    flags: int
    dos_time: int
    dos_date: int
    crc: int
    size: int
    """Bytes when unpacked."""
    packed: bytes
    made_by: int
    attributes: int

    def replaced(self, data: bytes) -> Member:
        """The same entry with other contents, deflated at a fast level."""
        # As small as zlib makes it, in a quarter of the time: packing was a third of what a picture costs.
        deflate = isal_zlib.compressobj(_FAST, isal_zlib.DEFLATED, -isal_zlib.MAX_WBITS)
        packed = deflate.compress(data) + deflate.flush()
        return Member(
            self.name, zipfile.ZIP_DEFLATED, self.flags, self.dos_time, self.dos_date,
            isal_zlib.crc32(data), len(data), packed, self.made_by, self.attributes,
        )  # fmt: skip

    def unpacked(self) -> bytes:
        """Contents of the part; damaged contents raise WorkbookError."""
        try:
            data = self.packed if self.method == zipfile.ZIP_STORED else zlib.decompress(self.packed, -zlib.MAX_WBITS)
        except zlib.error as error:
            raise WorkbookError(f"part {self.name.decode('utf-8', 'replace')} is damaged ({error})") from error
        if zlib.crc32(data) != self.crc:
            raise WorkbookError(f"part {self.name.decode('utf-8', 'replace')} is damaged (its checksum is wrong)")
        return data


def read_package(data: bytes) -> dict[str, Member]:
    """Parts of a workbook file by name, in file order, still packed.

    Raises WorkbookError, with the reason as a half-sentence, for anything but an intact, unencrypted zip file.
    """
    if data[:8] == _OLE_MAGIC:
        raise WorkbookError("it is protected by a password or of the old .xls kind")
    try:
        with zipfile.ZipFile(BytesIO(data)) as archive:
            entries = archive.infolist()
    except (zipfile.BadZipFile, NotImplementedError, ValueError, struct.error) as error:
        raise WorkbookError(f"it is not an .xlsx file, or damaged ({error})") from error
    return {entry.filename: _member(data, entry) for entry in entries if not entry.is_dir()}


def _member(data: bytes, entry: zipfile.ZipInfo) -> Member:
    if entry.flag_bits & _ENCRYPTED:
        raise WorkbookError(f"its part {entry.filename} is encrypted")
    if entry.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise WorkbookError(f"its part {entry.filename} is packed by method {entry.compress_type}, which is not known")
    offset = entry.header_offset
    if data[offset : offset + 4] != b"PK\x03\x04" or offset + _LOCAL.size > len(data):
        raise WorkbookError(f"its part {entry.filename} is not where the directory says")
    name_length, extra_length = struct.unpack_from("<2H", data, offset + 26)
    start = offset + _LOCAL.size + name_length + extra_length
    packed = data[start : start + entry.compress_size]
    if len(packed) != entry.compress_size:
        raise WorkbookError(f"its part {entry.filename} is cut off")
    year, month, day, hour, minute, second = entry.date_time
    return Member(
        name=entry.filename.encode("utf-8"),
        method=entry.compress_type,
        # Sizes are known, so no descriptor follows; the name is written as UTF-8 and marked so where it matters.
        flags=entry.flag_bits & ~_DATA_DESCRIPTOR | (0 if entry.filename.isascii() else 0x0800),
        dos_time=hour << 11 | minute << 5 | second // 2,
        dos_date=max(year - 1980, 0) << 9 | month << 5 | day,
        crc=entry.CRC,
        size=entry.file_size,
        packed=packed,
        made_by=entry.create_system << 8 | entry.create_version,
        attributes=entry.external_attr,
    )


def write_package(members: dict[str, Member]) -> bytes:
    """Bytes of the zip file with these parts, in this order."""
    pieces: list[bytes] = []
    directory: list[bytes] = []
    offset = 0
    for member in members.values():
        fields = (
            member.flags, member.method, member.dos_time, member.dos_date,
            member.crc, len(member.packed), member.size, len(member.name),
        )  # fmt: skip
        pieces += (_LOCAL.pack(b"PK\x03\x04", 20, *fields, 0), member.name, member.packed)
        directory += (
            _CENTRAL.pack(b"PK\x01\x02", member.made_by, 20, *fields, 0, 0, 0, 0, member.attributes, offset),
            member.name,
        )
        offset += _LOCAL.size + len(member.name) + len(member.packed)
    directory_size = sum(map(len, directory))
    if offset + directory_size > _LARGEST:
        raise WorkbookError("it would be larger than 4 GB")
    count = len(members)
    end = _END.pack(b"PK\x05\x06", 0, 0, count, count, directory_size, offset, 0)
    return b"".join((*pieces, *directory, end))
