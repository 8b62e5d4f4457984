"""Fixed random sparse codes of symbols: a few units of many are one, each symbol's own."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cortexsim.encoders._base import Encoder, Rows, row_error
from cortexsim.errors import InputError, nearest
from cortexsim.sources import block_rng, whole_number

_CHUNK = 256  # rows decoded at once, so that the overlaps take little memory


@dataclass(frozen=True)
class RandomCodes(Encoder):
    """Random sparse codes: each symbol has `active` units of `size`, drawn from the seed and the symbol alone.

    A symbol more or less never moves the code of another. Two codes share about ``active**2 / size`` units, and hardly
    ever more than a few, so that a symbol is found in a union of several codes.

    Parameters
    ----------
    symbols : int or sequence of str
        How many symbols there are (0, 1, ...), or their names.
    size : int
        Units.
    active : int
        Of these, ones in a code.
    seed : int
        Of the codes.

    Raises
    ------
    InputError
        A parameter is out of range, or a name comes twice.

    Notes
    -----
    Source: S. Ahmad and J. Hawkins, Properties of sparse distributed representations and their application to
    hierarchical temporal memory, arXiv:1503.07469 (2015).

    Examples
    --------
    >>> codes = RandomCodes(["left", "right", "stop"], size=256, active=8)
    >>> rows = codes.encode(["stop", "left"])
    >>> rows.shape, rows.sum(axis=1).tolist(), codes.decode(rows)
    ((2, 256), [8.0, 8.0], ['stop', 'left'])
    >>> codes.predicted(rows.max(axis=0), threshold=7).tolist()  # a union of two
    [[True, False, True]]
    """

    symbols: int | Sequence[str]
    size: int = 2048
    active: int = 41
    seed: int = 0

    @property
    def takes(self) -> str:  # type: ignore[override]
        """What it encodes."""
        return "numbers" if self.names is None else "names"

    def __post_init__(self) -> None:
        if isinstance(self.symbols, str) or (not isinstance(self.symbols, (int, np.integer))
                                             and not all(isinstance(name, str) for name in self.symbols)):
            raise InputError(self._where, "symbols must be a number of symbols, or a list of names", self.symbols)
        if isinstance(self.symbols, (int, np.integer)):
            whole_number(self._where, "symbols", self.symbols, 1)
        else:
            object.__setattr__(self, "symbols", tuple(self.symbols))
            twice = [name for k, name in enumerate(self.names or ()) if name in (self.names or ())[:k]]
            if twice or not self.symbols:
                raise InputError(self._where, "symbols must be different names, at least one",
                                 twice[0] if twice else [])
        whole_number(self._where, "size", self.size, 1)
        whole_number(self._where, "active", self.active, 1)
        whole_number(self._where, "seed", self.seed, 0)
        if self.active > self.size:
            raise InputError(self._where, f"active must be at most size ({self.size})", self.active)

    @property
    def names(self) -> tuple[str, ...] | None:
        """The names of the symbols; None where they are numbers."""
        return None if isinstance(self.symbols, (int, np.integer)) else tuple(self.symbols)

    @property
    def count(self) -> int:
        """How many symbols there are."""
        return int(self.symbols) if isinstance(self.symbols, (int, np.integer)) else len(self.symbols)

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of one code."""
        return (self.size,)

    @cached_property
    def units(self) -> NDArray[np.intp]:
        """The units that are one in each symbol's code, int [symbols, active], rising."""
        keys = range(self.count) if self.names is None else map(_key, self.names)
        drawn = [block_rng("RandomCodes", self.seed, key).choice(self.size, self.active, replace=False) for key in keys]
        return np.sort(np.array(drawn, np.intp), axis=1)

    def encode(self, values: Any) -> Rows:
        """Give the code of each symbol.

        Parameters
        ----------
        values : int array [n], or sequence of str
            Numbers of symbols, or names. NaN or None: absent.

        Returns
        -------
        float32 array [n, size]
            NaN where a symbol is absent.

        Raises
        ------
        InputError
            No such symbol.
        """
        chosen = self.index(values)
        rows = np.zeros((len(chosen), self.size), np.float32)
        rows[np.arange(len(chosen))[:, None], self.units[chosen]] = 1
        rows[chosen < 0] = np.nan
        return rows

    def index(self, values: Any) -> NDArray[np.intp]:
        """Give the number of each symbol, int [n]; -1 where it is absent."""
        array = np.atleast_1d(np.asarray(values)).ravel()
        if self.names is not None and array.dtype.kind in "UO":
            places: dict[str | None, int] = {name: k for k, name in enumerate(self.names)}
            for row, name in enumerate(array.tolist()):
                if name is not None and name not in places:
                    raise row_error(self._where, row, "is none of the names", name, nearest(str(name), self.names))
            return np.array([places.get(name, -1) for name in array.tolist()], np.intp)
        if array.dtype.kind not in "iuf" and array.size:
            raise InputError(self._where, "needs numbers of symbols" + (", or names" if self.names else ""),
                             f"dtype {array.dtype}")
        bad = (array < 0) | (array >= self.count) | (array != np.floor(array)) & ~np.isnan(array)
        if bad.any():
            raise row_error(self._where, int(bad.argmax()), f"is none of the symbols 0 to {self.count - 1}",
                            array[bad.argmax()].item())
        return np.where(np.isnan(array), -1, array).astype(np.intp)

    def overlaps(self, rows: Any) -> NDArray[np.float32]:
        """Give how much of each symbol's code is in each row: the sum over its units, float32 [n, symbols]."""
        array = self._rows(rows)
        if ((array != 0) & (array != 1)).any():
            return np.asarray(array, np.float32) @ self._by_unit
        found = np.empty((len(array), self.count), np.float32)
        # counted: several times faster than a product of matrices where few units are one
        for k, row in enumerate(array):
            held = self._symbols_of_unit[np.flatnonzero(row)].ravel()
            found[k] = np.bincount(held, minlength=self.count + 1)[:-1]
        return found

    @cached_property
    def _by_unit(self) -> NDArray[np.float32]:
        """Whether a unit is in a symbol's code, [size, symbols]."""
        table = np.zeros((self.size, self.count), np.float32)
        table[self.units, np.arange(self.count)[:, None]] = 1
        return table

    @cached_property
    def _symbols_of_unit(self) -> NDArray[np.intp]:
        """The symbols that have each unit in their code, [size, the most that a unit has], filled up with `count`."""
        units = self.units.ravel()
        order = np.argsort(units, kind="stable")
        units = units[order]
        place = np.arange(len(units)) - np.searchsorted(units, units)
        table = np.full((self.size, place.max() + 1), self.count, np.intp)
        table[units, place] = order // self.active
        return table

    def decode(self, rows: Any, quantiles: Iterable[float] | None = None) -> Any:
        """Give the symbol with the largest overlap for each row.

        Parameters
        ----------
        rows : array [n, size]
            Weights, at least 0: a code, a prediction, a union.
        quantiles : None
            Symbols have no order.

        Returns
        -------
        int array [n], or list of str or None
            The first of those that have the same overlap; -1 or None where nothing overlaps.
        """
        self._no_quantiles(quantiles, "symbols have no order")
        best = self.most(rows)
        return best if self.names is None else [None if k < 0 else self.names[k] for k in best]

    def most(self, rows: Any) -> NDArray[np.intp]:
        """Give the number of the symbol with the largest overlap for each row, int [n]; -1 where nothing overlaps."""
        array = self._rows(rows)
        best = np.full(len(array), -1, np.intp)
        for first in range(0, len(array), _CHUNK):
            overlaps = self.overlaps(array[first:first + _CHUNK])
            best[first:first + _CHUNK] = np.where(overlaps.max(axis=1) > 0, overlaps.argmax(axis=1), -1)
        return best

    def predicted(self, rows: Any, threshold: float | None = None) -> NDArray[np.bool_]:
        """Tell which symbols are in each row: those whose overlap reaches a threshold.

        Parameters
        ----------
        rows : array [n, size]
            See `decode`.
        threshold : float, optional
            Overlap that counts; by default three quarters of `active`.

        Returns
        -------
        bool array [n, symbols]
        """
        return self.overlaps(rows) >= (0.75 * self.active if threshold is None else threshold)


def _key(name: str) -> int:
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "big")
