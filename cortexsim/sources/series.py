"""Time series as they are, for any graph that predicts ``value`` from its own past, and the calendar beside them.

A column ``x`` of a text file is the source ``value`` (of several columns ``value-x``), standardised by its own past
(`cortexsim.sources.csvfile.RunningScale`): the value at tick t by values up to t less the longest horizon, so that
every forecast can be scaled back when it is made. ``time_of_day``, ``day_of_week`` and ``time_of_year`` tell the time
of the tick; they are known before its outcome.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cortexsim.errors import InputError
from cortexsim.sources._series import Floats, Series, check_report, read_series
from cortexsim.sources.csvfile import RunningScale, source_names
from cortexsim.timestamps import Step

WHERE = "stream 'series'"
VALUE = "value"


def value_name(columns: Sequence[str], column: str) -> str:
    """The source of a column.

    Examples
    --------
    >>> value_name(["co2"], "co2"), value_name(["rain", "flow"], "rain")
    ('value', 'value-rain')
    """
    return VALUE if len(columns) == 1 else f"{VALUE}-{column}"


class Values(Series):
    """Standardised values of columns; the parameters are those of `Series`."""

    def __init__(self, columns: Mapping[str, str], horizons: int | Sequence[int], calendar: Mapping[str, int],
                 step: Step | None = None, extra: int = 0) -> None:
        super().__init__(columns, horizons, calendar, step, extra, WHERE)
        self._scale = RunningScale(len(self.columns), self.horizon)
        # of every tick, those beyond the data included; NaN before there are two values
        self._mean, self._sd = np.zeros((0, len(self.columns))), np.ones((0, len(self.columns)))

    def _scaled(self, values: Floats) -> dict[str, NDArray[np.float32]]:
        scaled = self._scale.apply(values)
        beyond = copy.deepcopy(self._scale).apply(np.full((self.horizon, values.shape[1]), np.nan))
        n = self.length - len(values)
        self._mean = np.concatenate([self._mean[:n], scaled.mean, beyond.mean])
        self._sd = np.concatenate([self._sd[:n], np.nan_to_num(scaled.sd, nan=1.0), np.nan_to_num(beyond.sd, nan=1.0)])
        return {value_name(list(self.columns), name): scaled.values[:, k:k + 1].astype(np.float32)
                for k, name in enumerate(self.columns)}

    def target(self, column: str, horizon: int) -> str:
        """The source that a region predicts, to forecast a column: the same for every horizon."""
        return value_name(list(self.columns), column)

    def restore(self, column: str, horizon: int, ticks: NDArray[np.int64], told: Floats) -> Floats:
        """Turn what was told of a column into forecasts of its values; see `Series.restore`."""
        k = list(self.columns).index(column)
        return told * self._sd[ticks, k] + self._mean[ticks, k]


class Stream(Values):
    """Columns of a text file; the text of this module says what each source delivers.

    Parameters
    ----------
    path : path
        See `cortexsim.sources.csvfile.read_csv`.
    columns : str or sequence of str, optional
        Likewise.
    horizon : int or list of int
        Ticks ahead.
    blanks : {"error", "skip", "keep"}
        Of a row with a blank cell: raise, leave it out, or take it as a tick without a value.
    rows : int
        Only the first so many; 0 for all.
    time : str, optional
        The column of timestamps.
    gaps : {"error", "keep", "fill"}
        Of timestamps that are left out or come twice: see `cortexsim.timestamps.place`.
    time_of_day, day_of_week, time_of_year : int
        Units of these sources; 0 leaves them out.
    report : dict, optional
        How the forecasts are to be scored: see `check_report`.
    base_dir : path, optional
        Where a relative `path` starts.

    Raises
    ------
    FileError, InputError
        See `read_csv` and `cortexsim.timestamps.place`; and where there are no more rows than ticks ahead.
    """

    def __init__(self, path: str | Path, columns: str | Sequence[str] | None = None, horizon: int | Sequence[int] = 1,
                 blanks: str = "error", rows: int = 0, time: str | None = None, gaps: str = "error",
                 time_of_day: int = 0, day_of_week: int = 0, time_of_year: int = 0,
                 report: dict[str, Any] | None = None, base_dir: str | Path | None = None) -> None:
        found = read_series(WHERE, path, columns, blanks, rows, time, gaps, base_dir)
        super().__init__(source_names(found.names), horizon,
                         {"day": time_of_day, "week": day_of_week, "year": time_of_year}, found.step)
        if len(found.values) <= self.horizon:
            raise InputError(f"file {str(path)!r}", f"needs more rows than the horizon, {self.horizon}",
                             len(found.values))
        self.report = check_report(report, WHERE)
        self.add(found.values, found.times)
