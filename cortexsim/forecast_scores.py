"""How wrong forecasts are: measures that are defined for constant series and for zeros, too."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]


def nrmse(truth: ArrayLike, forecast: ArrayLike) -> float:
    """Root mean squared error over the standard deviation of the truth.

    Parameters
    ----------
    truth, forecast : array [ticks]
        Ticks at which one of them is NaN are left out of both the error and the deviation.

    Returns
    -------
    float
        NaN where nothing is left or the truth never changes.

    Examples
    --------
    >>> nrmse([1, 2, 3, 4], [2.5, 2.5, 2.5, 2.5])
    1.0
    """
    y, guess = _both(truth, forecast)
    spread = float(np.std(y)) if len(y) else 0.0
    return float(np.sqrt(np.mean((y - guess) ** 2))) / spread if spread else math.nan


def mape(truth: ArrayLike, forecast: ArrayLike) -> float:
    """Mean absolute error over the mean absolute truth.

    Not the mean of the ratios, which a single truth near zero would decide; this is how the taxi benchmark of Y. Cui et
    al., Neural Computation 28 (2016) 2474-2504, doi:10.1162/NECO_a_00893, is scored.

    Parameters
    ----------
    truth, forecast : array [ticks]
        Ticks at which one of them is NaN are left out.

    Returns
    -------
    float
        A share, not a percentage. NaN where nothing is left or the truth is zero throughout.

    Examples
    --------
    >>> mape([0, 10, 20], [1, 10, 18])
    0.1
    """
    y, guess = _both(truth, forecast)
    size = float(np.abs(y).mean()) if len(y) else 0.0
    return float(np.abs(y - guess).mean()) / size if size else math.nan


def smape(truth: ArrayLike, forecast: ArrayLike) -> float:
    """Mean of the absolute error over the mean of the absolute truth and the absolute forecast.

    Parameters
    ----------
    truth, forecast : array [ticks]
        Ticks at which one of them is NaN are left out; where both are zero the error is zero.

    Returns
    -------
    float
        Between 0 and 2. NaN where nothing is left.

    Examples
    --------
    >>> smape([0, 0, 3], [0, 1, 1])
    1.0
    """
    y, guess = _both(truth, forecast)
    if not len(y):
        return math.nan
    size = (np.abs(y) + np.abs(guess)) / 2
    return float(np.mean(np.abs(y - guess) / np.where(size > 0, size, 1.0)))


def coverage(truth: ArrayLike, low: ArrayLike, high: ArrayLike) -> float:
    """Share of the truth that lies within a band, ends included.

    Parameters
    ----------
    truth, low, high : array [ticks]
        Ticks at which one of them is NaN are left out.

    Returns
    -------
    float
        NaN where nothing is left.

    Examples
    --------
    >>> coverage([1, 2, 3, 4], [0, 0, 0, 0], [3, 3, 3, 3])
    0.75
    """
    y, a, b = (np.asarray(values, np.float64) for values in (truth, low, high))
    known = np.isfinite(y) & np.isfinite(a) & np.isfinite(b)
    return float(np.mean((y >= a)[known] & (y <= b)[known])) if known.any() else math.nan


def _both(truth: ArrayLike, forecast: ArrayLike) -> tuple[Floats, Floats]:
    y, guess = np.asarray(truth, np.float64), np.asarray(forecast, np.float64)
    known = np.isfinite(y) & np.isfinite(guess)
    return y[known], guess[known]


#: Name in summary.json -> heading, measure.
MEASURES: dict[str, tuple[str, Callable[[ArrayLike, ArrayLike], float]]] = {
    "nrmse": ("NRMSE", nrmse), "mape": ("MAPE", mape), "smape": ("sMAPE", smape)}
