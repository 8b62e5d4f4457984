"""Numbers against their own past: the change since so many ticks, and standardised by what was known.

Nothing of tick t is in the scale or the reference of its own code, and nothing later than ``t - horizon``: a forecast
made so many ticks ahead can be turned back into a value before the outcome is known.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np

from cortexsim.encoders._base import Encoder, Rows, Values, column, number
from cortexsim.errors import InputError
from cortexsim.sources import whole_number
from cortexsim.sources.csvfile import RunningScale


class _OfPast(Encoder):
    """A number made from a value and its past, itself encoded by `then`, or one unit."""

    horizon: int
    then: Encoder | None

    def __post_init__(self) -> None:
        whole_number(self._where, "horizon", self.horizon, 1)
        if self.then is not None and (not isinstance(self.then, Encoder) or self.then.memory != 0
                                      or self.then.takes != "numbers"):
            raise InputError(self._where, "then must be an encoder of numbers that needs no past",
                             type(self.then).__name__)

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of one code."""
        return (1,) if self.then is None else self.then.shape

    def encode(self, values: Any) -> Rows:
        """Give the code of each number of a series from its first tick; `start` gives a coder for pieces of one.

        Parameters
        ----------
        values : float array [n]

        Returns
        -------
        float32 array [n, size]
            See the text of the class for the first ticks; where a value is absent (NaN), NaN.
        """
        return self.start().encode(values)

    def _code(self, numbers: Values) -> Rows:
        return numbers.astype(np.float32)[:, None] if self.then is None else self.then.encode(numbers)

    def _numbers(self, rows: Any, quantiles: Iterable[float] | None, past: Any) -> tuple[Values, Values]:
        """What rows say of the number [n, 1 or q], and the series as far as it is known, both checked."""
        array = self._rows(rows)
        if past is None:
            raise InputError(self._where, "needs past: the series from its first tick, as far as it is known")
        known = column(self._where, past)
        if len(array) > len(known) + self.horizon:
            raise InputError(self._where, f"past must reach to {self.horizon} ticks before the last row: of "
                             f"{len(array)} rows at least {len(array) - self.horizon} values", len(known))
        if self.then is None:
            self._no_quantiles(quantiles, "its code is a number; then=Scalar(...) gives it one")
            return np.asarray(array, np.float64), known
        return np.asarray(self.then.decode(array, quantiles), np.float64).reshape(len(array), -1), known


@dataclass(frozen=True)
class Difference(_OfPast):
    """How much a value differs from that of `horizon` ticks ago.

    Before there is a tick so long ago it is 0. Where either value is absent (NaN), so is the difference.

    Parameters
    ----------
    horizon : int
        Ticks, at least 1.
    then : Encoder, optional
        How the difference is encoded; by default it is one unit.

    Examples
    --------
    >>> change = Difference(2)
    >>> rows = change.encode([1, 2, 4, 8])
    >>> rows[:, 0].tolist()
    [0.0, 0.0, 3.0, 6.0]
    >>> change.decode(rows, past=[1, 2]).tolist()  # what is known two ticks before the end
    [nan, nan, 4.0, 8.0]
    """

    horizon: int = 1
    then: Encoder | None = None

    @property
    def memory(self) -> int:  # type: ignore[override]
        """Ticks of the past that a code depends on."""
        return self.horizon

    def start(self) -> Any:
        """Give a coder that has seen nothing yet: each call of its `encode` goes on where the last one ended."""
        return _Changes(self)

    def decode(self, rows: Any, quantiles: Iterable[float] | None = None, past: Any = None) -> Values:
        """Give the values that differ so much from the past.

        Parameters
        ----------
        rows : array [n, size]
            Codes or predictions of ticks 0 to n - 1.
        quantiles : sequence of float, optional
            Levels; only where `then` has quantiles.
        past : float array [at least n - horizon]
            The series. That of `horizon` ticks before is looked at for each row, and none later.

        Returns
        -------
        float64 array [n] or [n, quantiles]
            NaN where nothing is known so long ago.
        """
        told, known = self._numbers(rows, quantiles, past)
        before = np.concatenate([np.full(self.horizon, np.nan), known])[:len(told)]
        found = told + before[:, None]
        return found[:, 0] if quantiles is None else found


class _Changes:
    """The coder of `Difference`."""

    def __init__(self, encoder: Difference) -> None:
        self.encoder, self._seen = encoder, 0
        self._recent = np.zeros(encoder.horizon)

    def encode(self, values: Any) -> Rows:
        """Give the codes of the next ticks, float32 [n, size]."""
        new = column(self.encoder._where, values)
        h, every = self.encoder.horizon, np.concatenate([self._recent, new])
        changes = every[h:] - every[:len(new)]
        early = self._seen + np.arange(len(new)) < h
        self._recent, self._seen = every[len(new):], self._seen + len(new)
        return self.encoder._code(np.where(early, 0 * new, changes))  # 0 * new: a NaN stays one


@dataclass(frozen=True)
class Standardise(_OfPast):
    """A value by the mean and standard deviation of those up to `horizon` ticks before it.

    Until two of these are known it is 0. See `cortexsim.sources.csvfile.RunningScale`.

    Parameters
    ----------
    horizon : int
        Ticks, at least 1.
    clip : float
        The code of what lies further from the mean, in standard deviations, is that of this distance.
    then : Encoder, optional
        How the number is encoded; by default it is one unit. ``Scalar(-clip, clip, ...)`` takes all.

    Examples
    --------
    >>> scale = Standardise()
    >>> rows = scale.encode([3, 5, 6])
    >>> rows[:, 0].tolist()  # 6 is 2 standard deviations of 1 above 4
    [0.0, 0.0, 2.0]
    >>> scale.decode(rows, past=[3, 5]).tolist()
    [nan, nan, 6.0]
    """

    horizon: int = 1
    clip: float = 10.0
    then: Encoder | None = None

    memory = None

    def __post_init__(self) -> None:
        super().__post_init__()
        number(self._where, "clip", self.clip, 0, above=True)

    def start(self) -> Any:
        """Give a coder that has seen nothing yet: each call of its `encode` goes on where the last one ended."""
        return _Standardised(self)

    def scale(self, past: Any, ticks: int) -> tuple[Values, Values]:
        """Give mean and standard deviation by which ticks 0 to ``ticks - 1`` are standardised.

        Parameters
        ----------
        past : float array [at least ticks - horizon]
            The series.
        ticks : int

        Returns
        -------
        float64 array [ticks], float64 array [ticks]
            NaN until two values are known.
        """
        known = column(self._where, past)[:ticks]
        rows = np.concatenate([known, np.full(ticks - len(known), np.nan)])[:, None]  # what is NaN is not counted
        scaled = RunningScale(1, self.horizon, self.clip).apply(rows)
        return scaled.mean[:, 0], scaled.sd[:, 0]

    def decode(self, rows: Any, quantiles: Iterable[float] | None = None, past: Any = None) -> Values:
        """Give the values that are so many standard deviations from the mean known at the time.

        Parameters
        ----------
        rows : array [n, size]
            Codes or predictions of ticks 0 to n - 1.
        quantiles : sequence of float, optional
            Levels; only where `then` has quantiles.
        past : float array [at least n - horizon]
            The series from its first tick. Values up to `horizon` ticks before it are looked at for each row.

        Returns
        -------
        float64 array [n] or [n, quantiles]
            NaN until two values are known.
        """
        told, known = self._numbers(rows, quantiles, past)
        mean, sd = self.scale(known, len(told))
        found = told * sd[:, None] + mean[:, None]
        return found[:, 0] if quantiles is None else found


class _Standardised:
    """The coder of `Standardise`."""

    def __init__(self, encoder: Standardise) -> None:
        self.encoder = encoder
        self._scale = RunningScale(1, encoder.horizon, encoder.clip)

    def encode(self, values: Any) -> Rows:
        """Give the codes of the next ticks, float32 [n, size]."""
        new = column(self.encoder._where, values)
        return self.encoder._code(self._scale.apply(new[:, None]).values[:, 0])
