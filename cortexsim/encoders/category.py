"""Names, characters and bytes as one unit each, or as random sparse codes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from cortexsim.encoders._base import Encoder, Rows, one_of, row_error
from cortexsim.encoders.random_codes import RandomCodes
from cortexsim.errors import InputError, nearest

UNKNOWN_CHARACTER = "\ufffd"  #: What characters decode to that have no unit of their own.
_ORDER = "symbols have no order"


@dataclass(frozen=True)
class Category(Encoder):
    """One of some names that are known: one unit for each.

    Parameters
    ----------
    names : sequence of str
        In the order of the units. Whole numbers are taken as their text.
    unknown : {"error", "unit"}
        What another name is: refused (the nearest known one is suggested), or a last unit for all of them.

    Raises
    ------
    InputError
        A name comes twice, or there is none.

    Examples
    --------
    >>> weather = Category(["sun", "rain"], unknown="unit")
    >>> weather.encode(["rain", "hail"]).tolist()
    [[0.0, 1.0, 0.0], [0.0, 0.0, 1.0]]
    >>> weather.decode([[0.6, 0.3, 0.1], [0, 0, 1]])
    ['sun', None]
    """

    names: Sequence[str]
    unknown: str = "error"

    takes = "names"

    def __post_init__(self) -> None:
        names = () if isinstance(self.names, str) else tuple(self.names)
        if not names or not all(isinstance(name, (str, int, np.integer)) for name in names):
            raise InputError(self._where, "names must be a list of names, at least one", self.names)
        object.__setattr__(self, "names", tuple(map(str, names)))
        twice = [name for name in self.names if self.names.count(name) > 1]
        if twice:
            raise InputError(self._where, "names must all be different", twice[0])
        one_of(self._where, "unknown", self.unknown, ("error", "unit"))

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of one code."""
        return (len(self.names) + (self.unknown == "unit"),)

    def encode(self, values: Any) -> Rows:
        """Give the code of each name.

        Parameters
        ----------
        values : sequence of str [n]
            Or of whole numbers, which are taken as their text. None: absent.

        Returns
        -------
        float32 array [n, size]
            NaN where a name is absent.

        Raises
        ------
        InputError
            An unknown name, where that is an error.
        """
        places: dict[str | None, int] = {name: k for k, name in enumerate(self.names)}
        given = [values] if isinstance(values, str) else np.asarray(values, object).ravel().tolist()
        named = [None if value is None else str(value) for value in given]
        for row, name in enumerate(named):
            if self.unknown == "error" and name is not None and name not in places:
                raise row_error(self._where, row, "is none of the names", name, nearest(name, self.names)
                                + "; unknown='unit' gives all others a unit of their own")
        rows = one_hot(np.array([places.get(name, self.size - 1) for name in named], np.intp), self.size)
        rows[[name is None for name in named]] = np.nan
        return rows

    def decode(self, rows: Any, quantiles: Iterable[float] | None = None) -> list[str | None]:
        """Give the name with the largest weight in each row.

        Parameters
        ----------
        rows : array [n, size]
            Weights.
        quantiles : None
            Names have no order.

        Returns
        -------
        list of str or None
            None: an unknown name, or a row in which nothing is above 0.
        """
        self._no_quantiles(quantiles, _ORDER)
        array = self._rows(rows)
        return [self.names[k] if top > 0 and k < len(self.names) else None
                for k, top in zip(array.argmax(axis=1).tolist(), array.max(axis=1).tolist(), strict=True)]


def one_hot(chosen: NDArray[np.intp], size: int) -> Rows:
    """Codes of one unit each; a number of `size` or more has none."""
    rows = np.zeros((len(chosen), size), np.float32)
    known = chosen < size
    rows[known.nonzero()[0], chosen[known]] = 1
    return rows


@dataclass(frozen=True)
class Characters(Encoder):
    """The characters of a text.

    Parameters
    ----------
    alphabet : str
        The characters that have a code, in the order of the units.
    code : {"one_hot", "sparse"}
        One unit for each, or random sparse codes (`RandomCodes`).
    unknown : {"error", "unit"}
        What another character is: refused, or one more symbol for all of them.
    size, active, seed : int
        Of sparse codes.

    Raises
    ------
    InputError
        A character comes twice, or there is none.

    Examples
    --------
    >>> code = Characters("abc ")
    >>> code.encode("cab").tolist()
    [[0.0, 0.0, 1.0, 0.0], [1.0, 0.0, 0.0, 0.0], [0.0, 1.0, 0.0, 0.0]]
    >>> code.decode(code.encode("a cab"))
    'a cab'
    """

    alphabet: str
    code: str = "one_hot"
    unknown: str = "error"
    size: int = 2048
    active: int = 41
    seed: int = 0

    takes = "text"
    _random: ClassVar[RandomCodes | None] = None  # where the code is sparse

    def __post_init__(self) -> None:
        if not isinstance(self.alphabet, str) or not self.alphabet:
            raise InputError(self._where, "alphabet must be a text of at least one character", self.alphabet)
        twice = [character for k, character in enumerate(self.alphabet) if character in self.alphabet[:k]]
        if twice:
            raise InputError(self._where, "the characters of alphabet must all be different", twice[0])
        one_of(self._where, "code", self.code, ("one_hot", "sparse"))
        one_of(self._where, "unknown", self.unknown, ("error", "unit"))
        if self.code == "one_hot":
            object.__setattr__(self, "size", len(self._names))
            return
        # by character, so that another alphabet leaves the codes of those in both alone
        names = [f"{ord(name):x}" for name in self._names]
        object.__setattr__(self, "_random", RandomCodes(names, self.size, self.active, self.seed))

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of one code."""
        return (self.size,)

    @property
    def _names(self) -> list[str]:
        return [*self.alphabet, *([UNKNOWN_CHARACTER] if self.unknown == "unit" else [])]

    def index(self, text: str) -> NDArray[np.intp]:
        """Give the number of each character in the alphabet, int [n]; of an unknown one, their length.

        Parameters
        ----------
        text : str

        Raises
        ------
        InputError
            An unknown character, where that is an error: the message names it and its place.
        """
        if not isinstance(text, str):
            raise InputError(self._where, "encodes a text", type(text).__name__)
        # surrogatepass: a lone half of a pair is a character like any other
        points, known = (np.frombuffer(t.encode("utf-32-le", "surrogatepass"), np.uint32)
                         for t in (text, self.alphabet))
        order = np.argsort(known)
        place = order[np.minimum(np.searchsorted(known[order], points), len(known) - 1)]
        strange = known[place] != points
        if strange.any() and self.unknown == "error":
            first = int(strange.argmax())
            raise row_error(self._where, first, f"is not in the alphabet of {len(known)} characters", text[first],
                            "unknown='unit' gives all others a symbol of their own")
        return np.where(strange, len(known), place)

    def encode(self, values: Any) -> Rows:
        """Give the code of each character.

        Parameters
        ----------
        values : str

        Returns
        -------
        float32 array [n, size]

        Raises
        ------
        InputError
            See `index`.
        """
        return self.encode_numbers(self.index(values))

    def encode_numbers(self, chosen: NDArray[np.intp]) -> Rows:
        """Give the code of each character by its number, as `index` gives it."""
        return self._random.encode(chosen) if self._random else one_hot(chosen, self.size)

    def decode(self, rows: Any, quantiles: Iterable[float] | None = None) -> str:
        """Give the text whose characters have the largest weight in each row.

        Parameters
        ----------
        rows : array [n, size]
            Weights.
        quantiles : None
            Characters have no order.

        Returns
        -------
        str
            U+FFFD for an unknown character, and for a row in which nothing is above 0.
        """
        self._no_quantiles(quantiles, _ORDER)
        best = self._random.most(rows) if self._random else most(self._rows(rows))
        return "".join(self._names[k] if k >= 0 else UNKNOWN_CHARACTER for k in best)


@dataclass(frozen=True)
class Bytes(Encoder):
    """Bytes: 256 symbols.

    Parameters
    ----------
    code : {"one_hot", "sparse"}
        One unit for each, or random sparse codes (`RandomCodes`).
    size, active, seed : int
        Of sparse codes.

    Examples
    --------
    >>> code = Bytes()
    >>> code.encode(b"ab").shape, code.decode(code.encode(b"ab"))
    ((2, 256), b'ab')
    """

    code: str = "one_hot"
    size: int = 2048
    active: int = 41
    seed: int = 0

    takes = "text"
    _random: ClassVar[RandomCodes | None] = None  # where the code is sparse

    def __post_init__(self) -> None:
        one_of(self._where, "code", self.code, ("one_hot", "sparse"))
        if self.code == "one_hot":
            object.__setattr__(self, "size", 256)
        else:
            object.__setattr__(self, "_random", RandomCodes(256, self.size, self.active, self.seed))

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of one code."""
        return (self.size,)

    def encode(self, values: Any) -> Rows:
        """Give the code of each byte.

        Parameters
        ----------
        values : bytes, or uint8 array [n]

        Returns
        -------
        float32 array [n, size]

        Raises
        ------
        InputError
            They are no bytes.
        """
        array = np.frombuffer(values, np.uint8) if isinstance(values, (bytes, bytearray)) else np.asarray(values)
        if array.dtype != np.uint8 or array.ndim != 1:
            raise InputError(self._where, "encodes bytes, or an array of dtype uint8",
                             type(values).__name__ if array.ndim == 0 else str(array.dtype))
        return self.encode_numbers(array.astype(np.intp))

    def encode_numbers(self, chosen: NDArray[np.intp]) -> Rows:
        """Give the code of each byte by its number."""
        return self._random.encode(chosen) if self._random else one_hot(chosen, self.size)

    def decode(self, rows: Any, quantiles: Iterable[float] | None = None) -> bytes:
        """Give the bytes that have the largest weight in each row.

        Parameters
        ----------
        rows : array [n, size]
            Weights.
        quantiles : None
            Bytes are taken as symbols, which have no order.

        Returns
        -------
        bytes
            ``?`` for a row in which nothing is above 0.
        """
        self._no_quantiles(quantiles, _ORDER)
        best = self._random.most(rows) if self._random else most(self._rows(rows))
        return np.where(best < 0, ord("?"), best).astype(np.uint8).tobytes()


def most(rows: NDArray[np.floating]) -> NDArray[np.intp]:
    """The unit with the largest weight in each row, the first of equals; -1 where none is above 0."""
    return np.where(rows.max(axis=1) > 0, rows.argmax(axis=1), -1) if len(rows) else np.zeros(0, np.intp)
