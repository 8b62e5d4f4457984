"""The characters or bytes of a text file, one a tick.

One source, ``symbol``: one unit for each character of the alphabet or each byte, or random sparse codes
(`cortexsim.encoders`). The alphabet is that of the file, unless one is given.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from cortexsim.encoders._base import RowError
from cortexsim.encoders.category import Bytes, Characters
from cortexsim.errors import FileError, InputError
from cortexsim.sources import resolve, whole_number

_WHERE = "stream 'text'"


class Stream:
    """The symbols of a text file; the text of this module says what the source delivers.

    Parameters
    ----------
    path : path
        Of characters, a text in UTF-8; its line ends are taken as they are.
    unit : {"character", "byte"}
        What a symbol is.
    code : {"one_hot", "sparse"}
        One unit for each symbol, or random sparse codes.
    alphabet : str, optional
        The characters that have a code, so that several files have the same one; by default those of the file, sorted.
    unknown : {"error", "unit"}
        What a character is that the alphabet has not: an error when the file is opened, which names it and its place;
        or one more symbol for all of them.
    columns, active : int
        Units of a sparse code, and of these the ones.
    seed : int
        Of sparse codes.
    base_dir : path, optional
        Where a relative `path` starts.

    Attributes
    ----------
    encoder : Characters or Bytes
        Decodes predictions: `encoder.decode(rows)` is a text.
    text : str or bytes
        What the file holds.
    length, position : int
        Ticks in all, and the tick that comes next.

    Raises
    ------
    FileError
        The file is missing, or is not text in UTF-8 where characters are asked for.
    InputError
        An option is out of range, the file is empty, or a character is unknown.
    """

    def __init__(self, path: str | Path, unit: str = "character", code: str = "one_hot", alphabet: str | None = None,
                 unknown: str = "error", columns: int = 2048, active: int = 41, seed: int = 0,
                 base_dir: str | Path | None = None) -> None:
        if unit not in ("character", "byte"):
            raise InputError(_WHERE, "unit must be 'character' or 'byte'", unit)
        if unit == "byte" and alphabet is not None:
            raise InputError(_WHERE, "has no alphabet of bytes: all 256 have a code", alphabet)
        path = resolve(_WHERE, path, base_dir)
        where = f"file {str(path)!r}"
        held = _load(path, where)
        if not held:
            raise InputError(where, "is empty")
        self.text: str | bytes = _decoded(held, where) if unit == "character" else held
        self.encoder: Any
        if isinstance(self.text, bytes):
            self.encoder = Bytes(code, columns, active, seed)
            symbols = np.frombuffer(self.text, np.uint8)
        else:
            letters = "".join(sorted(set(self.text))) if alphabet is None else alphabet
            self.encoder = Characters(letters, code, unknown, columns, active, seed)
            try:
                symbols = self.encoder.index(self.text)
            except RowError as error:
                line = self.text.count("\n", 0, error.row) + 1
                raise InputError(f"{where}, line {line}, character {error.row}", error.problem, error.got,
                                 error.hint) from None
        self._symbols = symbols.astype(np.int32)
        self.length, self.position = len(self.text), 0

    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Give the shape of one sample of each source."""
        return {"symbol": self.encoder.shape}

    def seek(self, tick: int) -> None:
        """Go to `tick`, or to the end where the text is shorter."""
        self.position = min(whole_number(_WHERE, "tick", tick, 0), self.length)

    def symbols(self, start: int, stop: int) -> np.ndarray:
        """Give the number of the symbol of each tick from `start` to before `stop`, int [n]."""
        return self._symbols[start:stop].astype(np.int64)

    def read(self, n: int) -> dict[str, np.ndarray]:
        """Give the next `n` ticks, float32 [n, size]."""
        start, self.position = self.position, min(self.position + n, self.length)
        return {"symbol": self.encoder.encode_numbers(self._symbols[start:self.position].astype(np.intp))}


def _load(path: Path, where: str) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        raise FileError(where, "no such file") from None
    except OSError as error:
        raise FileError(where, f"cannot be read: {error.strerror}") from error


def _decoded(held: bytes, where: str) -> str:
    try:
        return held.decode("utf-8-sig")  # a byte order mark is no character of the text
    except UnicodeDecodeError as error:
        raise FileError(where, f"is not text in UTF-8: {error}", hint="unit='byte' reads any file") from error
