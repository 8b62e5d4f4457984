"""Arrays from an ``.npz`` file of unknown origin: every claim of the file is checked before memory is taken for it.

An ``.npz`` file is a zip archive of ``.npy`` members. Nothing in it is executed: no pickle is read, and a header is
read by its exact form. What a member says of its size must agree with itself (zip directory, header, shape and dtype),
with the bytes that are there, and, where it is compressed, with what compression of honest data can save.
"""

from __future__ import annotations

import os
import re
import struct
import zipfile
from collections.abc import Iterator
from typing import Any, Self

import numpy as np

from cortexsim.errors import FileError
from cortexsim.npy_header import HEADER, Header, parse_header
from cortexsim.zip_members import StoredMember, fill, finish, in_short, open_file

RATIO = 100
"""How many times the size of the file its arrays may have; deflate itself cannot exceed 1032."""
FREE = 1 << 26
"""Bytes that the arrays may have in any case: small files of zeros compress better than any ratio."""
MEMBERS = 1 << 17
"""Members that a file may hold: each takes some hundred bytes of memory before anything of it is read."""
TEXT = 1 << 26
"""Bytes of a member that is a text."""

_NAME = re.compile(r"[^\x00-\x1f\x7f\\/]+(?:/[^\x00-\x1f\x7f\\/]+)*")
_LOCAL = struct.Struct("<4s22xHH")
_END = 22
_ENCRYPTED, _UTF8 = 0x1, 0x800


class Members:
    """The members of an ``.npz`` file, checked when it is opened; a context manager.

    Parameters
    ----------
    path : path
        Of the file.
    stored_only : bool
        The file is one that cortexsim wrote uncompressed: every member is stored, they lie without gaps, and nothing is
        before the first or behind the directory.
    ratio : float or None
        Where the members have more than `free` bytes in all, how many times the size of the file they may have; None:
        no limit.
    free : int
        Bytes that the members may have in any case.
    where : str, optional
        Begins error messages; by default it names the file.

    Attributes
    ----------
    names : tuple of str
        The arrays, without ``.npy``, in the order of the directory.
    texts : tuple of str
        The other members.

    Raises
    ------
    FileError
        There is no such file, or it is not what it says; the message names the member.

    Examples
    --------
    >>> import tempfile
    >>> path = os.path.join(tempfile.mkdtemp(), "x.npz")
    >>> np.savez(path, weights=np.eye(2, dtype=np.float32))
    >>> with Members(path, stored_only=True) as members:
    ...     members.names, members.header("weights").shape, members.read("weights").tolist()
    (('weights',), (2, 2), [[1.0, 0.0], [0.0, 1.0]])
    """

    def __init__(self, path: str | os.PathLike[str], *, stored_only: bool = False, ratio: float | None = RATIO,
                 free: int = FREE, where: str | None = None) -> None:
        self.where = where or f"file {os.fspath(path)!r}"
        self.stored_only = stored_only
        self._file = open_file(path, self.where)
        try:
            self._size = os.fstat(self._file.fileno()).st_size
            self._zip = self._directory()
            self._infos = self._unique()
            self._starts: dict[str, int] = {}
            self._check_sizes(ratio, free)
            self._check_places()
        except BaseException:
            self._file.close()
            raise
        arrays = [name for name in self._infos if name.endswith(".npy")]
        self.names = tuple(name.removesuffix(".npy") for name in arrays)
        self.texts = tuple(name for name in self._infos if not name.endswith(".npy"))
        self._headers: dict[str, Header] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the file."""
        self._zip.close()
        self._file.close()

    # --- the directory ---

    def _directory(self) -> zipfile.ZipFile:
        start = self._file.read(6)
        if start == b"\x93NUMPY":
            raise FileError(self.where, "holds one array without a name; save it with numpy.savez")
        try:
            found = zipfile.ZipFile(self._file)
        except Exception as error:  # zipfile lets through what struct, int and seek raise over a damaged directory
            raise FileError(self.where, f"is not an .npz file of plain arrays: {in_short(error)}") from error
        if len(found.infolist()) > MEMBERS:
            raise FileError(self.where, f"holds more than {MEMBERS} members", len(found.infolist()))
        return found

    def _unique(self) -> dict[str, zipfile.ZipInfo]:
        infos: dict[str, zipfile.ZipInfo] = {}
        for info in self._zip.infolist():
            name = info.orig_filename
            if len(name) > 1000 or not _NAME.fullmatch(name) or {".", ".."} & set(name.split("/")):
                raise FileError(self.where, "holds a member whose name is no plain name", name[:100])
            where = f"{self.where}: member {name!r}"
            if name in infos:
                raise FileError(where, "is there twice")
            if info.flag_bits & _ENCRYPTED:
                raise FileError(where, "is encrypted")
            allowed = (zipfile.ZIP_STORED,) if self.stored_only else (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
            if info.compress_type not in allowed:
                raise FileError(where, "must be stored uncompressed" if self.stored_only
                                else "must be stored, or compressed by deflate", info.compress_type)
            infos[name] = info
        return infos

    def _check_sizes(self, ratio: float | None, free: int) -> None:
        for name, info in self._infos.items():
            if info.compress_type == zipfile.ZIP_STORED and info.file_size != info.compress_size:
                raise FileError(f"{self.where}: member {name!r}", "is stored, yet has two sizes",
                                (info.file_size, info.compress_size))
        total = sum(info.file_size for info in self._infos.values())
        if ratio is not None and total > max(free, ratio * self._size):
            raise FileError(self.where, f"has {self._size} bytes and says that its members have {total}, more than "
                            f"{ratio:g} times as many", hint="save it with numpy.savez, uncompressed")

    def _check_places(self) -> None:
        """Members lie one after the other, before the directory."""
        end, directory = 0, self._zip.start_dir
        last = ""
        for info in sorted(self._infos.values(), key=lambda info: info.header_offset):
            where = f"{self.where}: member {info.orig_filename!r}"
            if info.header_offset < end:
                raise FileError(where, f"overlaps member {last!r}" if last else "starts before the file")
            if self.stored_only and info.header_offset > end:
                raise FileError(where, f"lies behind {info.header_offset - end} bytes that belong to nothing")
            self._file.seek(info.header_offset)
            head = self._file.read(_LOCAL.size)
            if len(head) < _LOCAL.size or not head.startswith(b"PK\x03\x04"):
                raise FileError(where, "is not where the directory says")
            _, name_length, extra_length = _LOCAL.unpack(head)
            last = info.orig_filename
            encoding = "utf-8" if info.flag_bits & _UTF8 else "cp437"
            if self._file.read(name_length) != last.encode(encoding, "replace"):
                raise FileError(where, "has another name in its own place")
            start = info.header_offset + _LOCAL.size + name_length + extra_length
            self._starts[last], end = start, start + info.compress_size
            if end > directory:
                raise FileError(where, "reaches beyond its part of the file")
        if self.stored_only:
            self._file.seek(-_END, os.SEEK_END)
            if end != directory or not self._file.read(4) == b"PK\x05\x06":
                raise FileError(self.where, "holds bytes that belong to no member")

    # --- members ---

    def _info(self, name: str) -> zipfile.ZipInfo:
        if name not in self._infos:
            raise FileError(self.where, f"holds no member {name!r}")
        return self._infos[name]

    def _open(self, name: str) -> Any:
        info = self._info(name)
        if info.compress_type == zipfile.ZIP_STORED:
            return StoredMember(self._file, self._starts[name], info)
        try:
            return self._zip.open(info)
        except FileError:
            raise
        except Exception as error:  # see _directory
            raise FileError(f"{self.where}: member {name!r}", f"cannot be read: {in_short(error)}") from error

    def header(self, name: str) -> Header:
        """What the array of that name is, without reading it.

        Parameters
        ----------
        name : str
            One of `names`.

        Returns
        -------
        Header

        Raises
        ------
        FileError
            There is no such array, its dtype is not a plain number, word or truth value, or its shape and its size do
            not agree.
        """
        if name not in self._headers:
            with self._open(f"{name}.npy") as member:
                self._headers[name] = self._read_header(name, member)
        return self._headers[name]

    def _read_header(self, name: str, member: Any) -> Header:
        where = f"{self.where}: member {name!r}"
        start = bytearray(10)
        fill(member, memoryview(start), where)
        version = tuple(start[6:8])
        if not start.startswith(b"\x93NUMPY") or version not in ((1, 0), (2, 0), (3, 0)):
            raise FileError(where, "is not an array that numpy saved")
        length, read = int.from_bytes(start[8:10], "little"), 10
        if version > (1, 0):
            more = bytearray(2)
            fill(member, memoryview(more), where)
            length, read = length + (int.from_bytes(more, "little") << 16), 12
        if length > HEADER:
            raise FileError(where, f"has a header of more than {HEADER} bytes", length)
        text = bytearray(length)
        fill(member, memoryview(text), where)
        return parse_header(text.decode("latin1"), read + length, self._infos[f"{name}.npy"].file_size, where)

    def read(self, name: str) -> np.ndarray:
        """The array of that name, new.

        Parameters
        ----------
        name : str
            One of `names`.

        Returns
        -------
        numpy.ndarray

        Raises
        ------
        FileError
            See `header`; or the values are damaged.
        """
        header = self.header(name)
        array = np.empty(header.shape[::-1] if header.fortran else header.shape, header.dtype)
        self._read(name, header, array)
        return array.T if header.fortran else array

    def read_into(self, name: str, array: np.ndarray) -> None:
        """Read the values of an array into one that is there, of the same dtype and shape.

        Parameters
        ----------
        name : str
            One of `names`.
        array : numpy.ndarray
            In C order; where an error is raised it may hold part of the values.

        Raises
        ------
        FileError
            The file holds another dtype or shape; see `read`.
        """
        header = self.header(name)
        wanted = (array.dtype.str, array.shape)
        if (header.dtype.str, header.shape) != wanted or header.fortran and array.ndim > 1:
            raise FileError(f"{self.where}: member {name!r}", f"must be an array {wanted[0]} of shape {wanted[1]}",
                            (header.dtype.str, header.shape, "in Fortran's order" if header.fortran else "in C order"))
        self._read(name, header, array)

    def _read(self, name: str, header: Header, array: np.ndarray) -> None:
        where = f"{self.where}: member {name!r}"
        if not array.flags.c_contiguous:
            raise ValueError("an array to read into must be in C order")
        with self._open(f"{name}.npy") as member:
            fill(member, memoryview(bytearray(header.start)), where)
            if array.nbytes:
                fill(member, array.reshape(-1).view(np.uint8).data, where)
            finish(member, where)
        if array.dtype.kind == "b" and array.size and array.view(np.uint8).max() > 1:
            raise FileError(where, "holds truth values that are neither true nor false")
        if array.dtype.kind == "U" and array.nbytes:
            points = np.frombuffer(array.tobytes(), array.dtype.byteorder.replace("|", "=") + "u4")
            if ((points > 0x10FFFF) | (points >= 0xD800) & (points < 0xE000)).any():
                raise FileError(where, "holds what is no text")

    def text(self, name: str, limit: int = TEXT) -> str:
        """A member that is a text in UTF-8.

        Parameters
        ----------
        name : str
            One of `texts`.
        limit : int
            Bytes that it may have.

        Returns
        -------
        str

        Raises
        ------
        FileError
            There is no such member, it is longer, damaged, or not UTF-8.
        """
        info, where = self._info(name), f"{self.where}: member {name!r}"
        if info.file_size > limit:
            raise FileError(where, f"must have at most {limit} bytes", info.file_size)
        content = bytearray(info.file_size)
        with self._open(name) as member:
            fill(member, memoryview(content), where)
            finish(member, where)
        try:
            return content.decode()
        except UnicodeDecodeError as error:
            raise FileError(where, f"is not UTF-8 text ({error})") from error

    def arrays(self) -> Iterator[tuple[str, np.ndarray]]:
        """The arrays by name, read one after the other."""
        return ((name, self.read(name)) for name in self.names)


def read_npz(path: str | os.PathLike[str], *, ratio: float | None = RATIO, free: int = FREE,
             where: str | None = None) -> dict[str, np.ndarray]:
    """Read all arrays of an ``.npz`` file.

    Parameters
    ----------
    path : path
        Of a file by ``numpy.savez`` or ``numpy.savez_compressed``.
    ratio, free, where
        As in `Members`.

    Returns
    -------
    dict of str to numpy.ndarray

    Raises
    ------
    FileError
        There is no such file, or it is not what it says; the message names the member.
    """
    with Members(path, ratio=ratio, free=free, where=where) as members:
        if members.texts:
            raise FileError(members.where, f"holds {members.texts[0]!r}, which is no array")
        # all headers first: what cannot be read in the end should cost nothing
        for name in members.names:
            members.header(name)
        return dict(members.arrays())
