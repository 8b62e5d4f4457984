"""The bytes of one member of a zip archive: exactly as many as it says, and with its check sum."""

from __future__ import annotations

import os
import stat
import zipfile
import zlib
from typing import IO, Any, Self

from cortexsim.errors import FileError

_CHUNK = 1 << 20


def open_file(path: str | os.PathLike[str], where: str) -> IO[bytes]:
    """Open a regular file to read; a FileError says what is there instead."""
    try:
        # a pipe would never be opened, or never end
        if not stat.S_ISREG(os.stat(path).st_mode):
            raise FileError(where, "is not a file")
        return open(path, "rb")
    except FileNotFoundError:
        raise FileError(where, "there is no such file") from None
    except FileError:
        raise
    except (OSError, ValueError) as error:  # ValueError: NUL in a path, or a half of a pair of surrogates
        raise FileError(where, f"cannot be read ({getattr(error, 'strerror', None) or error})") from error


def in_short(error: Exception) -> str:
    """An error in words, a damaged file's own bytes cut short."""
    text = str(error) or type(error).__name__
    return text if len(text) <= 200 else text[:200] + "..."


def fill(member: Any, place: memoryview, where: str) -> None:
    """Read exactly as many bytes as a place has."""
    at = 0
    try:
        while at < len(place):
            got = member.readinto(place[at:at + _CHUNK])
            if not got:
                break
            at += got
    except (OSError, ValueError, EOFError, zlib.error, zipfile.BadZipFile) as error:
        raise FileError(where, f"is damaged: {in_short(error)}") from error
    if at < len(place):
        raise FileError(where, f"ends after {at} of {len(place)} bytes")


def finish(member: Any, where: str) -> None:
    """Read the end of a member, where its check sum is compared; more must not come."""
    try:
        more = member.read(1)
    except (OSError, ValueError, EOFError, zlib.error, zipfile.BadZipFile) as error:
        raise FileError(where, f"is damaged: {in_short(error)}") from error
    if more:
        raise FileError(where, "holds more bytes than it says")


class StoredMember:
    """A member that is stored as it is: read into its place without a copy, by the interface of a file."""

    def __init__(self, file: IO[bytes], start: int, info: zipfile.ZipInfo) -> None:
        self._file, self._at, self._left = file, start, info.file_size
        self._sum, self._wanted = 0, info.CRC

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        pass

    def readinto(self, place: memoryview) -> int:
        """Fill a place as far as there are bytes; gives how many."""
        self._file.seek(self._at)
        got = self._file.readinto(place[:self._left])  # type: ignore[attr-defined]
        self._sum = zlib.crc32(place[:got], self._sum)
        self._at, self._left = self._at + got, self._left - got
        return got

    def read(self, n: int) -> bytes:
        """At the end nothing, once the check sum has been compared; before it so many zeros as are left."""
        if self._left == 0 and self._sum != self._wanted:
            raise zipfile.BadZipFile("its check sum is wrong")
        return bytes(min(n, self._left))
