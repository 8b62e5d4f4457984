"""What a forecast must beat: the last value, the value a season ago, and recursive least squares on the last steps.

The first two take values float64 [ticks, columns], NaN where one is absent, and return float64 [horizons,
ticks + longest horizon, columns]: for each tick what was forecast of it so many ticks before; the last ticks lie
beyond the data.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from cortexsim.errors import InputError
from cortexsim.sources import whole_number
from cortexsim.timestamps import Step, seasons

Floats = NDArray[np.float64]
LEAST_CORRELATION = 0.4  # of a series with itself a season later, where nothing else tells of the season


class Season(NamedTuple):
    """The season of the seasonal naive forecast.

    Attributes
    ----------
    ticks : int
        0: none was found.
    how : str
        Where it comes from.
    """

    ticks: int
    how: str


def filled(values: Floats) -> Floats:
    """The series with the last value in place of each that is absent; NaN before the first.

    Examples
    --------
    >>> filled(np.array([[np.nan], [1.0], [np.nan]]))[:, 0].tolist()
    [nan, 1.0, 1.0]
    """
    known = np.isfinite(values)
    rows = np.where(known, np.arange(len(values))[:, None], -1)
    last = np.maximum.accumulate(rows, axis=0) if len(rows) else rows
    return np.where(last >= 0, np.take_along_axis(values, np.maximum(last, 0), axis=0), np.nan)


def last_value(values: Floats, horizons: Sequence[int]) -> Floats:
    """The last value known when the forecast is made."""
    made, known = _empty(values, horizons), filled(values)
    for row, horizon in zip(made, horizons, strict=True):
        row[horizon:horizon + len(values)] = known
    return made


def seasonal_naive(values: Floats, horizons: Sequence[int], season: int) -> Floats:
    """The latest value of the same place in the season that is known when the forecast is made.

    Where that is absent, the one a season earlier; before there is any, NaN. With a season of 0 all is NaN.
    """
    made, known = _empty(values, horizons), values.copy()
    if season < 1:
        return made
    for tick in range(season, len(values)):
        known[tick] = np.where(np.isfinite(known[tick]), known[tick], known[tick - season])
    for row, horizon in zip(made, horizons, strict=True):
        back = -(-horizon // season) * season
        end = len(values) + horizon
        row[back:end] = known[:max(0, end - back)]
    return made


def _empty(values: Floats, horizons: Sequence[int]) -> Floats:
    return np.full((len(horizons), len(values) + max(horizons), values.shape[1]), np.nan)


def rls_autoregression(step: ArrayLike, change: ArrayLike, lags: int, horizon: int | Sequence[int] = 1,
                       forgetting: float = 1.0, start: float = 1.0) -> Floats:
    """Forecast online by recursive least squares on the last steps: the linear forecast that a rule may hope for.

    Parameters
    ----------
    step : array [ticks]
        What it forecasts from, known at its tick.
    change : array [ticks] or [horizons, ticks]
        What it forecasts: at tick t, that of tick ``t + horizon``. Where it is NaN there is nothing to learn.
    lags : int
        How many of the last steps it is told.
    horizon : int or sequence of int
        Ticks ahead.
    forgetting : float
        Weight of an error against that of the tick after; 1 forgets nothing.
    start : float
        The first covariance of the weights: the larger, the less they are held to zero.

    Returns
    -------
    float64 array [ticks + horizon] or [horizons, ticks + longest horizon]
        The forecast for each tick, made `horizon` ticks before it; NaN at the first `horizon` ticks.

    Raises
    ------
    InputError
        Series of different lengths, or lags or horizon below 1.

    Notes
    -----
    With context z, weights w and their covariance P: ``k = P z / (forgetting + z P z)``, ``w <- w + k e``,
    ``P <- (P - k z P) / forgetting``. See S. Haykin, Adaptive Filter Theory (2002), chapter 9. It costs
    ``lags**2`` a tick, where the delta rule costs ``lags``; P and k do not depend on the horizon.
    """
    several = not isinstance(horizon, int | np.integer)
    ahead = np.array([whole_number("RLS-AR", "horizon", h, 1) for h in (horizon if several else [horizon])])  # type: ignore[union-attr]
    lags = whole_number("RLS-AR", "lags", lags, 1)
    x, y = np.asarray(step, np.float64).ravel(), np.atleast_2d(np.asarray(change, np.float64))
    if y.shape != (len(ahead), len(x)):
        raise InputError("RLS-AR", "step and change must be of one length", (len(x), y.shape[-1]))
    told = _learn(x, y, lags, ahead, forgetting, start)
    return told if several else told[0]


def _learn(x: Floats, y: Floats, lags: int, ahead: NDArray[np.int64], forgetting: float, start: float) -> Floats:
    padded = np.concatenate([np.zeros(lags), x])[::-1]
    longest = int(ahead.max())
    weights, covariance = np.zeros((len(ahead), lags)), np.eye(lags) * start
    # contexts and gains of the last ticks: a horizon learns from its own when the outcome is there
    contexts, gains = np.zeros((2, longest + 1, lags))
    told = np.full((len(ahead), len(x) + longest), np.nan)
    rows = np.arange(len(ahead))
    for tick in range(len(x)):
        z = padded[len(x) - 1 - tick:][:lags]  # the youngest first
        gain = covariance @ z
        gain /= forgetting + z @ gain
        covariance = (covariance - np.outer(gain, z @ covariance)) / forgetting
        place = tick % (longest + 1)
        contexts[place], gains[place] = z, gain
        then = (tick - ahead) % (longest + 1)
        error = y[:, tick] - np.einsum("hl,hl->h", weights, contexts[then])
        error[(ahead > tick) | ~np.isfinite(error)] = 0.0
        weights += gains[then] * error[:, None]
        told[rows, tick + ahead] = weights @ z
    return told


def find_season(values: Floats, step: Step | None = None) -> Season:
    """The season of a series: from its timestamps, or else from where it is most like itself.

    Parameters
    ----------
    values : float64 array [ticks, columns]
        What may be known of it. A season must fit in at least twice.
    step : Step, optional
        Of its timestamps. Of the day and the week, the one is taken whose naive forecast is better.

    Returns
    -------
    Season

    Examples
    --------
    >>> wave = np.sin(2 * np.pi * np.arange(200) / 12)[:, None]
    >>> find_season(wave)
    Season(ticks=12, how='found by autocorrelation')
    """
    n = len(values)
    if step is not None:
        found = [(name, ticks) for name, ticks in seasons(step) if 2 * ticks <= n]
        if found:
            def error(ticks: int) -> float:
                wrong = np.abs(seasonal_naive(values, [1], ticks)[0, :n] - values)[found[0][1]:]
                return float(wrong[np.isfinite(wrong)].mean()) if np.isfinite(wrong).any() else np.inf
            name, ticks = min(found, key=lambda pair: error(pair[1]))
            return Season(ticks, f"a {name}, by the timestamps")
    ticks = _by_autocorrelation(values)
    return Season(ticks, "found by autocorrelation" if ticks else "none found")


def _by_autocorrelation(values: Floats) -> int:
    """The delay beyond the first zero at which detrended columns are most like themselves, and so at twice that."""
    known = filled(values)
    known = known[np.isfinite(known).all(axis=1)]
    n = len(known)
    if n < 12:
        return 0
    line = np.linspace(-1, 1, n)[:, None]
    rest = known - known.mean(axis=0)
    rest = rest - line * (line * rest).sum(axis=0) / (line * line).sum()
    spread = np.sqrt((rest * rest).mean(axis=0))
    if not spread.all():
        return 0
    power = np.abs(np.fft.rfft(rest / spread, 2 * n, axis=0)) ** 2
    alike = (np.fft.irfft(power, axis=0)[:n] / np.arange(n, 0, -1)[:, None]).mean(axis=1)
    longest = n // 3
    below = np.flatnonzero(alike[:longest] < 0)
    if not len(below):
        return 0
    inner = alike[1:longest]
    peaks = 1 + np.flatnonzero((inner > alike[:longest - 1]) & (inner >= alike[2:longest + 1]))
    peaks = peaks[(peaks > below[0]) & (peaks > 1) & (alike[peaks] >= LEAST_CORRELATION)]
    if not len(peaks):
        return 0
    # the shortest of those that are about as good: whole multiples of a season are as like
    good = peaks[alike[peaks] >= 0.9 * alike[peaks].max()]
    season = int(good[0])
    return season if alike[2 * season] >= LEAST_CORRELATION / 2 else 0
