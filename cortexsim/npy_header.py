"""The header of an ``.npy`` array, read by its exact form: what it says is data, never an expression.

``numpy.lib.format`` evaluates the text as a Python literal; of a file of unknown origin that is more than is needed.
"""

from __future__ import annotations

import math
import re
from typing import Any, NamedTuple

import numpy as np

from cortexsim.errors import FileError

HEADER = 1 << 16
"""Bytes that the text of a header may have."""
DIMENSIONS = 32
WORD = 1 << 26
"""Characters of a word."""

DTYPES = frozenset({"b1", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "f2", "f4", "f8"})
"""Besides ``U``, words of a fixed length."""

_HEADER = re.compile(
    r"\{ ?'descr': ?'(?P<order>[<>|=])(?P<type>[a-zA-Z]\d{0,9})', ?'fortran_order': ?(?P<fortran>True|False), ?"
    r"'shape': ?\((?P<shape>(?:\d{1,19}(?:, ?\d{1,19})*,?)?)\),? ?\} *\n?")


class Header(NamedTuple):
    """What an ``.npy`` member says of itself, checked against its size.

    Attributes
    ----------
    dtype : numpy.dtype
    shape : tuple of int
    fortran : bool
        The values are in Fortran's order.
    start : int
        Bytes before the first value.
    """

    dtype: np.dtype[Any]
    shape: tuple[int, ...]
    fortran: bool
    start: int


def parse_header(text: str, start: int, size: int, where: str) -> Header:
    """Read a header.

    Parameters
    ----------
    text : str
        From the brace on.
    start : int
        Bytes before the first value.
    size : int
        Bytes of the whole member.
    where : str
        Begins error messages.

    Returns
    -------
    Header

    Raises
    ------
    FileError
        The text has another form, the dtype is not a plain one, or dtype and shape do not make the size.

    Examples
    --------
    >>> parse_header("{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }", 10, 34, "x").shape
    (2, 3)
    """
    match = _HEADER.fullmatch(text)
    if match is None:
        raise FileError(where, "has a header that numpy does not write", text[:100])
    letters = match["type"]
    words = letters[0] == "U"
    if letters not in DTYPES and not (words and letters[1:].isdigit() and int(letters[1:]) <= WORD):
        raise FileError(where, "must hold numbers, truth values or words of a fixed length, nothing else",
                        match["order"] + letters)
    dtype = np.dtype(match["order"] + letters)
    shape = tuple(int(number) for number in re.findall(r"\d+", match["shape"]))
    # an empty array, too, must be one in any dtype that its values may be turned into
    largest = math.prod(max(1, number) for number in shape) * max(dtype.itemsize, 16)
    if len(shape) > DIMENSIONS or largest >= 1 << 62:
        raise FileError(where, "has a shape that no array can have", shape[:DIMENSIONS])
    if start + math.prod(shape) * dtype.itemsize != size:
        raise FileError(where, f"says {dtype.str} of shape {shape}, which does not make its {size - start} bytes")
    return Header(dtype, shape, match["fortran"] == "True", start)
