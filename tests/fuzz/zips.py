"""Zip archives that may lie: taken apart, changed and put together again."""

from __future__ import annotations

import io
import struct
import zipfile
import zlib
from dataclasses import dataclass, field
from typing import Any


@dataclass
class Member:
    """One member; `lies` replace what the archive says of it."""

    name: str
    content: bytes
    method: int = zipfile.ZIP_STORED
    lies: dict[str, int] = field(default_factory=dict)


def take_apart(archive: bytes) -> list[Member]:
    """The members of a sound archive."""
    with zipfile.ZipFile(io.BytesIO(archive)) as file:
        return [Member(info.filename, file.read(info), info.compress_type) for info in file.infolist()]


def put_together(members: list[Member], before: bytes = b"", behind: bytes = b"") -> bytes:
    """An archive of members, whatever they say."""
    body, directory = bytearray(before), bytearray()
    for member in members:
        packed = member.content
        if member.method == zipfile.ZIP_DEFLATED:
            packer = zlib.compressobj(9, zlib.DEFLATED, -15)
            packed = packer.compress(member.content) + packer.flush()
        says: dict[str, Any] = {"crc": zlib.crc32(member.content), "packed": len(packed), "size": len(member.content),
                                "at": len(body), "flags": 0x800, "method": member.method} | member.lies
        name = member.name.encode("utf-8", "surrogatepass")[:0xFFFF]
        both = (says["flags"] & 0xFFFF, says["method"] & 0xFFFF, 0, 0x21, says["crc"] & 0xFFFFFFFF,
                says["packed"] & 0xFFFFFFFF, says["size"] & 0xFFFFFFFF, len(name) & 0xFFFF)
        body += struct.pack("<4sHHHHHIIIHH", b"PK\x03\x04", 20, *both, 0) + name + packed
        directory += struct.pack("<4sHHHHHHIIIHHHHHII", b"PK\x01\x02", 20, 20, *both, 0, 0, 0, 0, 0,
                                 says["at"] & 0xFFFFFFFF) + name
    end = struct.pack("<4sHHHHIIH", b"PK\x05\x06", 0, 0, len(members) & 0xFFFF, len(members) & 0xFFFF,
                      len(directory), len(body), len(behind) & 0xFFFF)
    return bytes(body + directory) + end + behind


def npy(text: str, values: bytes = b"") -> bytes:
    """An ``.npy`` file with a header of any text."""
    head = text.encode("latin1", "replace")
    head += b" " * (-(len(head) + 11) % 64) + b"\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(head) & 0xFFFF) + head + values


def split_npy(content: bytes) -> tuple[str, bytes]:
    """The text of a header and the values behind it; an empty text where it is no ``.npy`` file."""
    if not content.startswith(b"\x93NUMPY\x01") or len(content) < 10:
        return "", content
    length = int.from_bytes(content[8:10], "little")
    return content[10:10 + length].decode("latin1"), content[10 + length:]
