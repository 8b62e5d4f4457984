"""What the experiments with reservoirs share: the NARMA10 series, plain recursive least squares in NumPy, errors."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


def narma10(ticks: int, seed: int) -> tuple[Floats, Floats]:
    """Input and outcome of the NARMA10 recursion, float64 [ticks] each: an outcome hangs on its tick's input.

    ``y(t+1) = 0.3 y(t) + 0.05 y(t) sum of y(t-i) + 1.5 u(t-9) u(t) + 0.1`` with i from 0 to 9 and u uniform in 0 to
    0.5; the outcome of tick t is y(t+1). A draw that diverges is drawn anew.
    """
    rng = np.random.default_rng([seed, 10])
    while True:
        u, y = rng.uniform(0, 0.5, ticks), np.zeros(ticks + 1)
        for t in range(9, ticks):
            y[t + 1] = 0.3 * y[t] + 0.05 * y[t] * y[t - 9:t + 1].sum() + 1.5 * u[t - 9] * u[t] + 0.1
            if not abs(y[t + 1]) < 2:
                break
        else:
            return u, y[1:]


def nrmse(forecast: NDArray[np.floating], truth: NDArray[np.floating], spread: float | None = None) -> float:
    """Root of the mean square error over the standard deviation of the truth, or another `spread`."""
    return float(np.sqrt(np.mean((forecast - truth) ** 2)) / (np.std(truth) if spread is None else spread))


def lagged(series: NDArray[np.floating], lags: list[int]) -> Floats:
    """The values so many ticks ago, zeros before the first, float64 [ticks, lags]."""
    table = np.zeros((len(series), len(lags)))
    for k, lag in enumerate(lags):
        table[lag:, k] = series[:len(series) - lag]
    return table


def online_rls(features: Floats, target: NDArray[np.floating], horizon: int = 1, forgetting: float = 1.0,
               ridge: float = 0.1) -> Floats:
    """Forecasts by recursive least squares with a constant, each from the weights of `horizon` ticks ago.

    Parameters
    ----------
    features : array [ticks, m]
        Known `horizon` ticks before the target of their row.
    target : array [ticks]
    horizon : int
        Ticks ahead.
    forgetting, ridge : float
        See the kind ``rls``.

    Returns
    -------
    array [ticks]
    """
    z = np.column_stack([features, np.ones(len(target))])
    P, weights = np.eye(z.shape[1]) / ridge, np.zeros((horizon + 1, z.shape[1]))
    told = np.zeros(len(target))
    for t, (row, y) in enumerate(zip(z, target, strict=True)):
        newest = weights[(t - 1) % (horizon + 1)]
        told[t] = row @ weights[(t - horizon) % (horizon + 1)]
        q = P @ row
        gain = q / (forgetting + row @ q)
        weights[t % (horizon + 1)] = newest + gain * (y - row @ newest)
        P = (P - np.outer(gain, q)) / forgetting
    return told
