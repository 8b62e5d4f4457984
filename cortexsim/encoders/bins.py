"""Numbers as overlapping bins: a run of units is one, and near numbers share most of it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np

from cortexsim.encoders._base import Encoder, Rows, Values, column, from_bins, levels, number, one_of, row_error
from cortexsim.errors import InputError
from cortexsim.sources import whole_number


def into_range(where: str, values: Values, low: float, high: float, outside: str) -> Values:
    """Values that lie in a range: those outside are clipped, or an error; NaN stays."""
    out = (values < low) | (values > high)
    if out.any() and outside == "error":
        row = int(out.argmax())
        raise row_error(where, row, f"lies outside the range from {low:g} to {high:g}", float(values[row]),
                        "outside='clip' takes the nearest end of it")
    return np.clip(values, low, high)


@dataclass(frozen=True)
class Scalar(Encoder):
    """A number in a range as `active` neighbouring units of `size`: the first of them tells the bin.

    There are ``size - active + 1`` bins, with their middles from `low` to `high`. Two numbers share units where their
    bins are less than `active` apart.

    Parameters
    ----------
    low, high : float
        The range.
    size : int
        Units.
    active : int
        Of these, ones in a code.
    outside : {"error", "clip"}
        What is done with a number outside the range: it is refused, or taken as the nearest end.

    Raises
    ------
    InputError
        A parameter is out of range.

    Notes
    -----
    Source: S. Purdy, Encoding data for HTM systems, arXiv:1602.05925 (2016).

    A region that predicts the mean of what follows gives, for each unit, the chance that it will be one. Units `active`
    apart part all bins among them, so the chance of a number up to a bin is the sum over every such unit up to that
    bin, as a share of the sum over all of them. `decode` finds quantiles in this way; scale does not matter to it. A
    softmax region's probabilities add up to one, so it needs codes of a single one (`active` 1).

    Examples
    --------
    >>> code = Scalar(0, 10, size=12, active=2)
    >>> code.encode([0, 5, 10]).astype(int).tolist()
    [[1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0], [0, 0, 0, 0, 0, 1, 1, 0, 0, 0, 0, 0], [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 1]]
    >>> code.decode(code.encode([0, 5.2, 10])).tolist()
    [0.0, 5.0, 10.0]
    >>> half = code.encode([2, 8]).mean(axis=0)  # 2 or 8, evenly
    >>> code.decode(half, quantiles=(0.25, 0.75)).tolist()
    [[2.0, 8.0]]
    """

    low: float
    high: float
    size: int = 128
    active: int = 21
    outside: str = "error"

    def __post_init__(self) -> None:
        number(self._where, "low", self.low)
        number(self._where, "high", self.high)
        if not self.high > self.low:
            raise InputError(self._where, f"high must be above low ({self.low:g})", self.high)
        whole_number(self._where, "active", self.active, 1)
        whole_number(self._where, "size", self.size, 2)
        if self.active >= self.size:
            raise InputError(self._where, f"active must be below size ({self.size})", self.active)
        one_of(self._where, "outside", self.outside, ("error", "clip"))

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of one code."""
        return (self.size,)

    @property
    def resolution(self) -> float:
        """The distance of two bins."""
        return (self.high - self.low) / (self.size - self.active)

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
        return runs((found - self.low) / self.resolution, self.size, self.active)

    def decode(self, rows: Any, quantiles: Iterable[float] | None = None) -> Values:
        """Give the number whose code shares most with each row; or quantiles.

        Parameters
        ----------
        rows : array [n, size]
            Weights of the units; what is below 0 counts as 0.
        quantiles : sequence of float, optional
            Levels. See the notes of the class.

        Returns
        -------
        float64 array [n] or [n, quantiles]
            The middle of a bin; NaN where a row has no weight.
        """
        weights = positive(self._rows(rows))
        bins = self.size - self.active + 1
        if quantiles is None:
            sums = np.cumsum(np.pad(weights, ((0, 0), (1, 0))), axis=1)
            overlaps = sums[:, self.active:] - sums[:, :bins]
            found = self.low + overlaps.argmax(axis=1) * self.resolution
            return np.where(weights.sum(axis=1) > 0, found, np.nan)
        wanted = levels(self._where, quantiles)
        rounds = -(-self.size // self.active)
        padded = np.pad(weights, ((0, 0), (0, rounds * self.active - self.size)))
        upto = np.cumsum(padded.reshape(len(weights), rounds, self.active), axis=1)
        share = upto / np.where(upto[:, -1:] > 0, upto[:, -1:], 1)
        share = np.maximum.accumulate(share.reshape(len(weights), -1)[:, :bins], axis=1)
        share = np.where(share[:, -1:] > 0, share / np.where(share[:, -1:] > 0, share[:, -1:], 1), np.nan)
        half = self.resolution / 2
        edges = np.linspace(self.low - half, self.high + half, bins + 1)
        return np.clip(from_bins(share, edges, wanted), self.low, self.high)


def positive(rows: Any) -> Values:
    """Weights of at least 0, float64; a row with NaN has none."""
    weights = np.maximum(np.asarray(rows, np.float64), 0)
    weights[np.isnan(weights).any(axis=1)] = 0
    return weights


def runs(places: Values, size: int, active: int) -> Rows:
    """Codes of `active` neighbouring units, the first at the nearest whole number to a place; NaN: all are NaN."""
    absent = np.isnan(places)
    first = np.floor(np.where(absent, 0, places) + 0.5).astype(np.intp)
    rows = np.zeros((len(places), size), np.float32)
    rows[np.arange(len(places))[:, None], (first[:, None] + np.arange(active)) % size] = 1
    rows[absent] = np.nan
    return rows
