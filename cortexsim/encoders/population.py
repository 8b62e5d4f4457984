"""Numbers as the answers of a population of neurons, each tuned to a number of its own."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from cortexsim.encoders._base import Encoder, Rows, Values, column, from_bins, levels, number, one_of
from cortexsim.encoders.bins import into_range, positive
from cortexsim.errors import InputError
from cortexsim.sources import whole_number

_FINE, _COARSE = 16, 4  # values tried from one centre to the next: for the best one; for a distribution
_ROUNDS = 200


@dataclass(frozen=True)
class Population(Encoder):
    """A number in a range as bumps of activity: Gaussian tuning curves around evenly spaced centres.

    Parameters
    ----------
    low, high : float
        The range; the first and the last centre.
    size : int
        Units.
    width : float
        Standard deviation of a tuning curve; 0: the distance of two centres.
    normalise : bool
        Whether the units of a code sum to 1.
    outside : {"error", "clip"}
        What is done with a number outside the range: it is refused, or taken as the nearest end.

    Raises
    ------
    InputError
        A parameter is out of range.

    Notes
    -----
    A region that predicts the mean of what follows gives the mean of the tuning curves under the distribution of the
    number. `decode` finds the distribution over the range that does the same, by expectation maximisation, and its
    quantiles.

    Sources: A. Pouget, P. Dayan and R. Zemel, Nature Reviews Neuroscience 1 (2000) 125-132, doi:10.1038/35039062;
    distributions: R. S. Zemel, P. Dayan and A. Pouget, Neural Computation 10 (1998) 403-430.

    Examples
    --------
    >>> code = Population(0, 4, size=5)
    >>> code.encode([1, 2.5]).astype(float).round(2).tolist()
    [[0.61, 1.0, 0.61, 0.14, 0.01], [0.04, 0.32, 0.88, 0.88, 0.32]]
    >>> code.decode(code.encode([1, 2.5])).round(2).tolist()
    [1.0, 2.5]
    """

    low: float
    high: float
    size: int = 16
    width: float = 0.0
    normalise: bool = False
    outside: str = "error"

    def __post_init__(self) -> None:
        number(self._where, "low", self.low)
        number(self._where, "high", self.high)
        if not self.high > self.low:
            raise InputError(self._where, f"high must be above low ({self.low:g})", self.high)
        whole_number(self._where, "size", self.size, 2)
        if number(self._where, "width", self.width, 0) == 0:
            object.__setattr__(self, "width", self._spacing)
        if self.width < self._spacing / 3:
            raise InputError(self._where, "width must be at least a third of the distance of two centres "
                             f"({self._spacing:g}), or numbers between them have no code", self.width)
        one_of(self._where, "outside", self.outside, ("error", "clip"))

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of one code."""
        return (self.size,)

    @property
    def centres(self) -> Values:
        """The number that each unit is tuned to [size]."""
        return np.linspace(self.low, self.high, self.size)

    @property
    def _spacing(self) -> float:
        return (self.high - self.low) / (self.size - 1)

    def _answers(self, values: Values) -> Values:
        away = (values[:, None] - self.centres) / self.width
        bumps = np.exp(-(away**2) / 2)
        return bumps / bumps.sum(axis=1, keepdims=True) if self.normalise else bumps

    def encode(self, values: Any) -> Rows:
        """Give the code of each number; see `Encoder.encode`.

        Parameters
        ----------
        values : float array [n]

        Returns
        -------
        float32 array [n, size]

        Raises
        ------
        InputError
            A number outside the range, where that is an error: the message names it and the range.
        """
        found = into_range(self._where, column(self._where, values), self.low, self.high, self.outside)
        return self._answers(found).astype(np.float32)

    @cached_property
    def _templates(self) -> tuple[Values, Values]:
        """Numbers that are tried [k], and their codes, each of length 1 [k, size]."""
        tried = np.linspace(self.low, self.high, _FINE * (self.size - 1) + 1)
        return tried, unit_length(self._answers(tried))

    def decode(self, rows: Any, quantiles: Iterable[float] | None = None) -> Values:
        """Give the number whose code is most like each row (in its direction); or quantiles.

        Parameters
        ----------
        rows : array [n, size]
            Weights of the units; what is below 0 counts as 0.
        quantiles : sequence of float, optional
            Levels. See the notes of the class; costs some milliseconds for a hundred rows.

        Returns
        -------
        float64 array [n] or [n, quantiles]
            NaN where a row has no weight.
        """
        weights = positive(self._rows(rows))
        if quantiles is None:
            tried, codes = self._templates
            found = peak(unit_length(weights) @ codes.T)
            found = self.low + found * (tried[1] - tried[0])
            return np.where(weights.sum(axis=1) > 0, np.clip(found, self.low, self.high), np.nan)
        wanted = levels(self._where, quantiles)
        bins = _COARSE * (self.size - 1)
        edges = np.linspace(self.low, self.high, bins + 1)
        found = mixture(weights, self._answers((edges[1:] + edges[:-1]) / 2))
        return from_bins(np.cumsum(found, axis=1), edges, wanted)


def unit_length(rows: Values) -> Values:
    """Rows divided by their length; one of zeros stays."""
    length = np.sqrt((rows**2).sum(axis=1, keepdims=True))
    return rows / np.where(length > 0, length, 1)


def peak(scores: Values, ring: bool = False) -> Values:
    """Where each row is highest, between its places: the top of the parabola through the highest and its neighbours."""
    best, n = scores.argmax(axis=1), scores.shape[1]
    rows = np.arange(len(scores))
    before, after = ((best - 1) % n, (best + 1) % n) if ring else (np.maximum(best - 1, 0), np.minimum(best + 1, n - 1))
    left, top, right = scores[rows, before], scores[rows, best], scores[rows, after]
    bend = left - 2 * top + right
    inner = (bend < 0) & (before != best) & (after != best)
    return best + np.where(inner, (left - right) / np.where(inner, 2 * bend, 1), 0)


def mixture(rows: Values, answers: Values) -> Values:
    """The distribution over values whose mean answers are most like each row, [n, values]; NaN for a row of zeros.

    Expectation maximisation from an even start: what is never said of a value stays even, and a few hundred rounds
    smooth what a row cannot tell.
    """
    total = rows.sum(axis=1, keepdims=True)
    target = rows / np.where(total > 0, total, np.nan)
    share = answers / answers.sum(axis=1, keepdims=True)
    found = np.full((len(rows), len(answers)), 1 / len(answers))
    for _ in range(_ROUNDS):
        told = found @ share
        found = found * ((target / np.maximum(told, 1e-300)) @ share.T)
    # a value at the border answers less in all, where codes are not normalised
    found = found / answers.sum(axis=1)
    return found / found.sum(axis=1, keepdims=True)
