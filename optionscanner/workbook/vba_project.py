"""Writes `vbaProject.bin`, the part of an .xlsm that holds its macros, from their sources. Main entry: `vba_project`.

Formats: [MS-OVBA] for the streams, [MS-CFB] for the file around them. Only sources are stored, no compiled code: the
spreadsheet compiles them on opening, which the format foresees with a `_VBA_PROJECT` stream of seven bytes. Equal
sources give equal bytes.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from optionscanner.workbook.compound_file import compound_file

PROJECT_NAME = "VBAProject"

_CODE_PAGE = 1252
_ID = "{6B1F4C52-8A0D-4E3B-9C77-2D5A90E1F346}"
"""Any number that is not all zeros, which would mean a locked project."""
_REFERENCES = (
    # What an empty project of Excel's refers to; where the files are elsewhere, the identifiers are what counts.
    ("stdole", r"*\G{00020430-0000-0000-C000-000000000046}#2.0#0#C:\Windows\System32\stdole2.tlb#OLE Automation"),
    (
        "Office",
        r"*\G{2DF8D04C-5BFA-101B-BDE5-00AA0044DE52}#2.0#0#C:\Program Files\Common Files\Microsoft Shared\OFFICE16"
        r"\MSO.DLL#Microsoft Office 16.0 Object Library",
    ),
)
_BOOK_CLASS, _SHEET_CLASS = "{00020819-0000-0000-C000-000000000046}", "{00020820-0000-0000-C000-000000000046}"
_CHUNK = 4096


@dataclass(frozen=True, slots=True)
class _Module:
    name: str
    source: bytes
    is_document: bool


def vba_project(modules: Mapping[str, str], sheets: Sequence[str]) -> bytes:
    """Bytes of a VBA project with these standard modules, name -> source, and an empty module for each sheet.

    `sheets` are code names of the sheets, not what stands on their tabs. A source is ASCII text that begins with its
    `Attribute VB_Name` line, as the editor exports it; ValueError where it is not.
    """
    parts = [
        _document("ThisWorkbook", _BOOK_CLASS),
        *(_document(sheet, _SHEET_CLASS) for sheet in sheets),
        *(_standard(name, source) for name, source in modules.items()),
    ]
    streams = {part.name: compressed(part.source) for part in parts}
    return compound_file({
        "VBA": {"dir": compressed(_directory(parts)), "_VBA_PROJECT": b"\xcc\x61\xff\xff\x00\x00\x00", **streams},
        "PROJECT": _project(parts),
        "PROJECTwm": b"".join(p.name.encode() + b"\0" + p.name.encode("utf-16-le") + b"\0\0" for p in parts) + b"\0\0",
    })  # fmt: skip


def _standard(name: str, source: str) -> _Module:
    first = f'Attribute VB_Name = "{name}"'
    if not source.isascii() or source.split("\n", 1)[0].rstrip() != first:
        raise ValueError(f"macro module {name}: ASCII text that begins with the line {first} was expected")
    return _Module(name, source.replace("\r\n", "\n").replace("\n", "\r\n").encode("ascii"), is_document=False)


def _document(name: str, kind: str) -> _Module:
    attributes = {
        "VB_Name": f'"{name}"', "VB_Base": f'"0{kind}"', "VB_GlobalNameSpace": "False", "VB_Creatable": "False",
        "VB_PredeclaredId": "True", "VB_Exposed": "True", "VB_TemplateDerived": "False", "VB_Customizable": "True",
    }  # fmt: skip
    lines = "".join(f"Attribute {key} = {value}\r\n" for key, value in attributes.items())
    return _Module(name, lines.encode("ascii"), is_document=True)


# The stream `dir` ([MS-OVBA] 2.3.4.2): what the project is called, refers to and consists of


def _record(number: int, data: bytes = b"") -> bytes:
    return struct.pack("<HI", number, len(data)) + data


def _words(number: int, wide: int, text: str) -> bytes:
    """A text twice: in the project's code page and in UTF-16."""
    return _record(number, text.encode("ascii")) + _record(wide, text.encode("utf-16-le"))


def _directory(parts: Sequence[_Module]) -> bytes:
    number, short = struct.Struct("<I"), struct.Struct("<H")
    english = number.pack(0x409)
    return b"".join([
        _record(0x01, number.pack(1)),  # 32-bit Windows, which every host reads
        _record(0x02, english), _record(0x14, english), _record(0x03, short.pack(_CODE_PAGE)),
        _record(0x04, PROJECT_NAME.encode()), _words(0x05, 0x40, ""), _record(0x06), _record(0x3D),
        _record(0x07, number.pack(0)), _record(0x08, number.pack(0)),
        struct.pack("<HIIH", 0x09, 4, 1, 1),  # its own version; the length counts the first half alone
        _words(0x0C, 0x3C, ""),
        *(_words(0x16, 0x3E, name) + _record(0x0D, _library(place)) for name, place in _REFERENCES),
        _record(0x0F, short.pack(len(parts))), _record(0x13, short.pack(0xFFFF)),
        *map(_described, parts),
        _record(0x10),
    ])  # fmt: skip


def _library(place: str) -> bytes:
    return struct.pack("<I", len(place)) + place.encode("ascii") + bytes(6)


def _described(part: _Module) -> bytes:
    return b"".join([
        _words(0x19, 0x47, part.name), _words(0x1A, 0x32, part.name), _words(0x1C, 0x48, ""),
        _record(0x31, bytes(4)),  # the source begins where its stream does
        _record(0x1E, bytes(4)), _record(0x2C, b"\xff\xff"), _record(0x22 if part.is_document else 0x21),
        _record(0x2B),
    ])  # fmt: skip


# The stream `PROJECT` ([MS-OVBA] 2.3.1): the same for people


def _project(parts: Sequence[_Module]) -> bytes:
    lines = [f'ID="{_ID}"']
    lines += [f"Document={p.name}/&H00000000" if p.is_document else f"Module={p.name}" for p in parts]
    lines += [f'Name="{PROJECT_NAME}"', 'HelpContextID="0"', 'VersionCompatible32="393222000"']
    # Not protected, no password, visible.
    lines += [f'CMG="{_hidden(bytes(4))}"', f'DPB="{_hidden(bytes(1))}"', f'GC="{_hidden(bytes([0xFF]))}"', ""]
    lines += ["[Host Extender Info]", "&H00000001={3832D640-CF90-11CF-8E43-00A0C911005A};VBE;&H00000000", ""]
    lines += ["[Workspace]", *(f"{p.name}=0, 0, 0, 0, C" for p in parts), ""]
    return "\r\n".join(lines).encode("ascii")


def _hidden(data: bytes) -> str:
    return obfuscated(data, project=_ID, seed=0, filler=b"")


def obfuscated(data: bytes, *, project: str, seed: int, filler: bytes) -> str:
    """`data` as the settings of a PROJECT stream hold it, in hexadecimal ([MS-OVBA] 2.4.3.2).

    `project` is the project's identifier with its braces; `seed` a byte, of which ``(seed & 6) // 2`` is the length of
    `filler`.
    """
    if len(filler) != (seed & 6) // 2:
        raise ValueError(f"{(seed & 6) // 2} bytes of filler were expected for the seed {seed}, got {len(filler)}")
    key = sum(project.encode("ascii")) & 0xFF
    out = [seed, seed ^ 2, seed ^ key]
    plain = key
    for byte in filler + struct.pack("<I", len(data)) + data:
        out.append(byte ^ ((out[-2] + plain) & 0xFF))
        plain = byte
    return bytes(out).hex().upper()


# Compression ([MS-OVBA] 2.4.1)


def compressed(data: bytes) -> bytes:
    """`data` in the compression of VBA streams: chunks of 4,096 bytes, each byte kept or copied from further up."""
    return b"\x01" + b"".join(_chunk(data[at : at + _CHUNK]) for at in range(0, len(data), _CHUNK))


def _chunk(data: bytes) -> bytes:
    body = b"".join(_groups(data))
    if len(body) > _CHUNK:
        # Noise: stored as it is, in the one size that this can have.
        return struct.pack("<H", 0x3000 | (_CHUNK - 1)) + data.ljust(_CHUNK, b"\0")
    return struct.pack("<H", 0xB000 | (len(body) - 1)) + body


def _groups(data: bytes) -> Iterator[bytes]:
    """A byte of eight flags, then eight tokens: a literal byte, or two bytes that say how far up and how long."""
    at = 0
    while at < len(data):
        flags, tokens = 0, b""
        for bit in range(8):
            if at == len(data):
                break
            # The further into the chunk, the more of the 16 bits say how far up.
            far_bits = max(4, (at - 1).bit_length())
            length, back = _longest(data, at, most=(0xFFFF >> far_bits) + 3)
            if length:
                flags |= 1 << bit
                tokens += struct.pack("<H", ((back - 1) << (16 - far_bits)) | (length - 3))
            else:
                tokens += data[at : at + 1]
                length = 1
            at += length
        yield bytes([flags]) + tokens


def _longest(data: bytes, at: int, *, most: int) -> tuple[int, int]:
    """Length of the longest earlier text that goes on here, and how far back it begins; (0, 0) under three bytes."""
    length, back = 0, 0
    end = min(len(data), at + most)
    size = 3
    while at + size <= end:
        # Text may run into itself, so the search goes up to the last byte before this one.
        found = data.rfind(data[at : at + size], 0, at + size - 1)
        if found < 0:
            break
        length, back = size, at - found
        while at + length < end and data[found + length] == data[at + length]:
            length += 1
        size = length + 1
    return length, back
