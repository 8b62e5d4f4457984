"""What every encoder can do, and the checks that several share."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cortexsim.errors import InputError

Rows = NDArray[np.float32]
Values = NDArray[np.float64]


class Encoder:
    """Turns values into codes: rows of float32 that a region can see.

    An encoder is a set of parameters and never changes. Where a code needs the past (`memory`), `start` gives a coder
    that has seen nothing yet, and whose calls of `encode` go on where the last one ended; elsewhere it gives the
    encoder itself.
    """

    memory: int | None = 0  #: Ticks of the past that a code depends on; None: all of them.
    takes: str = "numbers"  #: What it encodes: "numbers", "names", "times", or "text" (a text or bytes as a whole).

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of one code."""
        raise NotImplementedError

    @property
    def size(self) -> int:
        """Units of one code."""
        return math.prod(self.shape)

    def start(self) -> Any:
        """Give a coder that has seen nothing yet."""
        return self

    def encode(self, values: Any) -> Rows:
        """Give the code of each value, float32 [n, size]; a series is encoded from its first tick.

        Where a value is absent (NaN), its code is NaN throughout, which a run takes as not delivered if it is asked to
        skip such samples.
        """
        raise NotImplementedError

    def decode(self, rows: Any, quantiles: Iterable[float] | None = None) -> Any:
        """Give the value that each row stands for [n]; with quantiles, those of what it says of the value [n, q]."""
        raise NotImplementedError

    @property
    def _where(self) -> str:
        return f"encoder {type(self).__name__}"

    def _rows(self, rows: Any) -> NDArray[np.floating]:
        """Rows to decode, checked: [n, size]; one row alone is taken as n = 1."""
        array = np.asarray(rows)
        if array.dtype.kind not in "biuf":
            raise InputError(self._where, "decodes real numbers", f"dtype {array.dtype}")
        array = array[None] if array.ndim == 1 else array
        array = array.reshape(len(array), math.prod(array.shape[1:])) if array.ndim > 2 else array
        if array.ndim != 2 or array.shape[1] != self.size:
            raise InputError(self._where, f"decodes rows of shape [n, {self.size}]", np.shape(rows))
        return array

    def _no_quantiles(self, quantiles: Iterable[float] | None, why: str) -> None:
        if quantiles is not None:
            raise InputError(self._where, f"has no quantiles: {why}", quantiles, "leave quantiles out")


class RowError(InputError):
    """One value of several cannot be encoded.

    Attributes
    ----------
    row : int
        Which.
    problem : str
        What is wrong with it, without the row.
    """

    row = 0
    problem = ""


def row_error(where: str, row: int, problem: str, got: Any, hint: str = "") -> RowError:
    """Make an error that names a row."""
    error = RowError(where, f"row {row} {problem}", got, hint)
    error.row, error.problem = row, problem
    return error


def levels(where: str, quantiles: Any) -> Values:
    """Levels of quantiles, checked: float64 [q], in the order given."""
    found = np.atleast_1d(np.asarray(quantiles, np.float64))
    if found.ndim != 1 or not len(found) or not ((found > 0) & (found < 1)).all():
        raise InputError(where, "quantiles must be numbers above 0 and below 1", quantiles)
    return found


def from_bins(cumulative: Values, edges: Values, wanted: Values) -> Values:
    """Quantiles of distributions over bins, within each of which the weight lies evenly.

    Parameters
    ----------
    cumulative : float64 array [n, bins]
        The share of the weight up to the end of each bin, rising to 1; NaN where there is none.
    edges : float64 array [bins + 1]
        Of the bins.
    wanted : float64 array [q]
        Levels.

    Returns
    -------
    float64 array [n, q]
        NaN for rows without weight.
    """
    told = np.empty((len(cumulative), len(wanted)))
    rows = np.arange(len(cumulative))
    below = np.concatenate([np.zeros((len(cumulative), 1)), cumulative], axis=1)
    for k, level in enumerate(wanted):
        bins = np.minimum((cumulative < level).sum(axis=1), cumulative.shape[1] - 1)
        start, end = below[rows, bins], below[rows, bins + 1]
        part = (level - start) / np.where(end > start, end - start, 1)
        told[:, k] = edges[bins] + np.clip(part, 0, 1) * (edges[bins + 1] - edges[bins])
    told[~np.isfinite(cumulative).all(axis=1)] = np.nan
    return told


def column(where: str, values: Any) -> Values:
    """Numbers to encode, checked: float64 [n]; rows of one number each are taken as such."""
    try:
        array = np.asarray(values)
    except ValueError as error:  # rows of different lengths
        raise InputError(where, f"needs one number for each tick: {error}") from None
    if array.dtype.kind not in "biuf":
        raise InputError(where, "needs real numbers", f"dtype {array.dtype}")
    if array.ndim == 2 and array.shape[1] == 1:
        array = array[:, 0]
    if array.ndim > 1:
        raise InputError(where, "needs one number for each tick", f"shape {array.shape}")
    array = np.atleast_1d(array).astype(np.float64)
    if np.isinf(array).any():
        row = int(np.isinf(array).argmax())
        raise row_error(where, row, "must be finite", float(array[row]))
    return array


def number(where: str, name: str, value: Any, low: float = -math.inf, above: bool = False) -> float:
    """Check a parameter that must be a finite number of at least (or above) `low`; return it as float."""
    real = isinstance(value, (int, float, np.integer, np.floating)) and not isinstance(value, bool)
    if not real or not math.isfinite(value) or value < low or (above and value == low):
        bound = "" if low == -math.inf else f" above {low:g}" if above else f" of at least {low:g}"
        raise InputError(where, f"{name} must be a finite number{bound}", value)
    return float(value)


def one_of(where: str, name: str, value: Any, known: tuple[str, ...]) -> None:
    """Check a parameter that must be one of a few words."""
    if value not in known:
        raise InputError(where, f"{name} must be one of " + ", ".join(map(repr, known)), value)
