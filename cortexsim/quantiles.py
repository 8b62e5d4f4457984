"""Quantiles of forecasts from the errors of the forecasts before: online, and without a look ahead.

A quantile of the coming error is one of the last errors known, as an empirical quantile of them. Its level is steered:
each time an error comes out below the quantile it moves down a little, else up, in the proportion that keeps the share
of errors below it at the level asked for, whatever the errors do. (The window alone is right for errors that come in
random order; where they grow, it is too narrow until it has filled again.) That is adaptive conformal inference:
I. Gibbs and E. Candes, Adaptive conformal inference under distribution shift, NeurIPS 34 (2021), arXiv:2106.00170.
"""

from __future__ import annotations

import math
from bisect import bisect_left, insort
from collections import deque
from collections.abc import Sequence
from typing import Any

import numpy as np

from cortexsim.errors import InputError

LEVELS = (0.1, 0.25, 0.5, 0.75, 0.9)  #: What is told where nothing else is asked for.
WINDOW = 500  #: Errors that are looked back at.
RATE = 0.02  #: How far an error moves the level of a quantile.


def check_levels(levels: Any, where: str = "quantiles") -> tuple[float, ...]:
    """Levels of quantiles, checked: numbers between 0 and 1, in rising order.

    Raises
    ------
    InputError
        One is not between 0 and 1, or comes twice; the message tells which.

    Examples
    --------
    >>> check_levels([0.9, 0.1])
    (0.1, 0.9)
    """
    given = [levels] if isinstance(levels, int | float) else list(levels)
    for level in given:
        if isinstance(level, bool) or not isinstance(level, int | float | np.floating) or not 0 < level < 1:
            raise InputError(where, "must be numbers above 0 and below 1", level, "0.1 and 0.9 hold a band of 80 %")
        if given.count(level) > 1:
            raise InputError(where, "must each come once", level)
    return tuple(sorted(float(level) for level in given))


class ErrorQuantiles:
    """Quantiles of the next error, from those so far.

    Parameters
    ----------
    levels : sequence of float
        Between 0 and 1.
    window : int
        Errors that are looked back at.
    rate : float
        How far an error moves the level of a quantile; 0 leaves it as it is.

    Examples
    --------
    >>> spread = ErrorQuantiles([0.25, 0.75])
    >>> for error in (-1.0, 0.0, 1.0, 2.0):
    ...     spread.add(error, spread.quantiles())
    >>> [round(error, 3) for error in spread.quantiles()]
    [-0.725, 1.825]
    """

    def __init__(self, levels: Sequence[float] = LEVELS, window: int = WINDOW, rate: float = RATE) -> None:
        self.levels = check_levels(levels)
        self.window, self.rate = window, rate
        self._order: deque[float] = deque()
        self._sorted: list[float] = []
        self._steered = list(self.levels)

    def quantiles(self) -> list[float]:
        """The quantiles of the next error, rising; NaN while there are too few errors to have one of that level."""
        errors, n, highest = self._sorted, len(self._sorted), -math.inf
        told = []
        for level, steered in zip(self.levels, self._steered, strict=True):
            # 9 errors part the axis in 10 stretches, each of which the next one is as likely to fall in
            if (n + 1) * min(level, 1 - level) < 1 - 1e-9:
                told.append(math.nan)
                continue
            place = min(max(steered * (n + 1) - 1, 0.0), n - 1.0)
            low = int(place)
            high = min(low + 1, n - 1)
            highest = max(highest, errors[low] + (place - low) * (errors[high] - errors[low]))
            told.append(highest)
        return told

    def add(self, error: float, told: Sequence[float]) -> None:
        """Take in an error that has come out.

        Parameters
        ----------
        error : float
            Truth minus forecast. NaN, of a value that is absent, changes nothing.
        told : sequence of float
            The quantiles that were told of it when the forecast was made.
        """
        if not math.isfinite(error):
            return
        for k, quantile in enumerate(told):
            if not math.isnan(quantile):
                moved = self._steered[k] + self.rate * (self.levels[k] - (error <= quantile))
                self._steered[k] = min(max(moved, 0.0), 1.0)
        self._order.append(error)
        insort(self._sorted, error)
        if len(self._order) > self.window:
            del self._sorted[bisect_left(self._sorted, self._order.popleft())]


class Bands:
    """Quantiles of forecasts of several ticks ahead, made as outcomes come in.

    Parameters
    ----------
    horizon : int
        Ticks ahead.
    levels : sequence of float
        Between 0 and 1.

    Notes
    -----
    The quantiles of the forecast made at tick t are of errors of outcomes up to tick t.
    """

    def __init__(self, horizon: int, levels: Sequence[float]) -> None:
        self.horizon = horizon
        # what is moved takes `horizon` ticks to show: faster steps would swing
        self._errors = ErrorQuantiles(levels, rate=RATE / horizon)
        self._waiting: deque[tuple[float, list[float]]] = deque()

    def spread(self) -> list[float]:
        """The quantiles of the error to come: by how much a forecast made now may be wrong."""
        return self._errors.quantiles()

    def next(self, truth: float, forecast: float) -> list[float]:
        """Take in the truth of a tick, and give the quantiles of the forecast made at that tick.

        Parameters
        ----------
        truth : float
            NaN where it is absent.
        forecast : float
            Made at this tick, of the tick `horizon` later.

        Returns
        -------
        list of float
            One for each level.
        """
        if len(self._waiting) == self.horizon:
            guess, told = self._waiting.popleft()
            self._errors.add(truth - guess, told)
        told = self._errors.quantiles()
        self._waiting.append((forecast, told))
        return [forecast + error for error in told]
