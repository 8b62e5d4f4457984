"""Forecasts beside the truth and the baselines: their errors, as a table, a CSV file and a picture."""

from __future__ import annotations

import csv
import io
import math
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from cortexsim.errors import InputError
from cortexsim.files import write_file
from cortexsim.sources import whole_number

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Floats = NDArray[np.float64]

SCORES = {"nrmse": "forecast", "nrmse_last": "last value", "nrmse_rls": "RLS-AR"}  #: Key of a score -> its heading.


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
    y, guess = np.asarray(truth, np.float64), np.asarray(forecast, np.float64)
    both = np.isfinite(y) & np.isfinite(guess)
    spread = float(np.std(y[both])) if both.any() else 0.0
    return float(np.sqrt(np.mean((y - guess)[both] ** 2))) / spread if spread else math.nan


def rls_autoregression(step: ArrayLike, change: ArrayLike, lags: int, horizon: int = 1, forgetting: float = 1.0,
                       start: float = 1.0) -> Floats:
    """Forecast online by recursive least squares on the last steps: the linear forecast that a rule may hope for.

    Parameters
    ----------
    step : array [ticks]
        What it forecasts from, known at its tick.
    change : array [ticks]
        What it forecasts: at tick t, that of tick ``t + horizon``.
    lags : int
        How many of the last steps it is told.
    horizon : int
        Ticks ahead.
    forgetting : float
        Weight of an error against that of the tick after; 1 forgets nothing.
    start : float
        The first covariance of the weights: the larger, the less they are held to zero.

    Returns
    -------
    float64 array [ticks + horizon]
        The forecast for each tick, made `horizon` ticks before it; NaN at the first `horizon` ticks.

    Raises
    ------
    InputError
        Series of different lengths, or lags or horizon below 1.

    Notes
    -----
    With context z, weights w and their covariance P: ``k = P z / (forgetting + z P z)``, ``w <- w + k e``,
    ``P <- (P - k z P) / forgetting``. See S. Haykin, Adaptive Filter Theory (2002), chapter 9. It costs
    ``lags**2`` a tick, where the delta rule costs ``lags``.
    """
    x, y = np.asarray(step, np.float64).ravel(), np.asarray(change, np.float64).ravel()
    lags, horizon = whole_number("RLS-AR", "lags", lags, 1), whole_number("RLS-AR", "horizon", horizon, 1)
    if len(x) != len(y):
        raise InputError("RLS-AR", "step and change must be of one length", (len(x), len(y)))
    padded = np.concatenate([np.zeros(lags), x])[::-1]
    weights, covariance = np.zeros(lags), np.eye(lags) * start
    told = np.full(len(x) + horizon, np.nan)

    def recent(tick: int) -> Floats:
        """The last steps at a tick, the youngest first."""
        return padded[len(x) - 1 - tick:][:lags]

    for tick in range(len(x)):
        if tick >= horizon:
            z = recent(tick - horizon)
            gain = covariance @ z
            gain /= forgetting + z @ gain
            covariance = (covariance - np.outer(gain, z @ covariance)) / forgetting
            weights = weights + gain * (y[tick] - weights @ z)
        told[tick + horizon] = weights @ recent(tick)
    return told


@dataclass(frozen=True)
class Forecasts:
    """Forecasts of some columns and what they are compared with, all float64 [ticks + horizon, columns].

    Parameters
    ----------
    columns : list of str
        As in the file.
    horizon : int
        Ticks ahead: the last so many rows lie beyond the data.
    truth : array
        NaN beyond the data.
    forecast : array
        For each tick, made `horizon` ticks before it; NaN at the first `horizon` ticks.
    last : array
        The value `horizon` ticks before.
    rls : array
        See `rls_autoregression`.
    """

    columns: list[str]
    horizon: int
    truth: Floats
    forecast: Floats
    last: Floats
    rls: Floats

    @property
    def ticks(self) -> int:
        """Ticks that ran."""
        return len(self.truth) - self.horizon

    def scores(self) -> list[dict[str, Any]]:
        """The errors of each column over the second half of the ticks.

        Returns
        -------
        list of dict
            ``column``, ``nrmse`` (of the forecast), ``nrmse_last``, ``nrmse_rls``, ``first`` and ``last`` (ticks). An
            NRMSE is the root mean squared error over the standard deviation of the truth in the same half.
        """
        half = slice(self.ticks // 2, self.ticks)
        tables = {"nrmse": self.forecast, "nrmse_last": self.last, "nrmse_rls": self.rls}
        return [{"column": column, **{key: nrmse(self.truth[half, k], table[half, k]) for key, table in tables.items()},
                 "first": half.start, "last": half.stop - 1} for k, column in enumerate(self.columns)]

    def table_text(self) -> str:
        """The scores as aligned text, one line a column, with a line that says what they are."""
        scores = self.scores()
        width = max(len(text) for text in ["column", *self.columns])
        lines = ["column".ljust(width) + "".join(f"  {heading:>10}" for heading in SCORES.values())]
        lines.append("  ".join(["-" * width, *["-" * 10] * len(SCORES)]))
        for row in scores:
            cells = ["-" if math.isnan(row[key]) else f"{row[key]:.4f}" for key in SCORES]
            lines.append(row["column"].ljust(width) + "".join(f"  {cell:>10}" for cell in cells))
        ahead = "1 tick ahead" if self.horizon == 1 else f"{self.horizon} ticks ahead"
        if scores:
            lines.append(f"NRMSE {ahead}, ticks {scores[0]['first']} to {scores[0]['last']}: root mean squared error "
                         "over the standard deviation of the truth there")
        return "\n".join(lines)

    def to_csv(self, path: str | os.PathLike[str]) -> None:
        """Write a line for each column and tick: tick, column, truth, forecast, last value, RLS-AR.

        Parameters
        ----------
        path : path
            Of the file; one that is there is replaced. A cell is empty where there is no value.

        Raises
        ------
        FileError
            Where the file cannot be written.
        """
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(["tick", "column", "truth", "forecast", "last value", "RLS-AR"])
        for k, column in enumerate(self.columns):
            rows = np.stack([self.truth[:, k], self.forecast[:, k], self.last[:, k], self.rls[:, k]], axis=1)
            for tick, row in enumerate(rows.tolist()):
                writer.writerow([tick, column, *("" if math.isnan(value) else f"{value:.9g}" for value in row)])
        write_file(path, lambda file: file.write(text.getvalue().encode()))

    def plot(self) -> Figure:
        """Truth and forecast over the second half of the ticks and beyond, a panel for each column.

        Returns
        -------
        matplotlib.figure.Figure
        """
        from cortexsim.plot import plot_forecast  # matplotlib is slow to import, and not everybody plots
        first = self.ticks // 2
        ahead = "1 tick ahead" if self.horizon == 1 else f"{self.horizon} ticks ahead"
        return plot_forecast(np.arange(first, len(self.truth)), self.truth[first:], self.forecast[first:],
                             self.columns, f"Forecast {ahead}: the second half of the run, and beyond")
