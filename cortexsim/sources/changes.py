"""The changes of time series, for forecasts `horizon` ticks ahead that know nothing of their outcome.

For each column ``x`` of a text file there are two sources of one value each:

==============  ==================================================================================
``x-change``    ``x(t) - x(t - horizon)``: what a forecast made at ``t - horizon`` has to tell
``x-step``      ``x(t) - x(t - 1)``: what it is told from. With a horizon of 1 it is ``x-change``,
                and there is one source only.
==============  ==================================================================================

Of several horizons, each has a change of its own, ``x-change-3``, and there is one step. Both are standardised by their
own past (`RunningScale`): the change at tick t by changes up to ``t - horizon``, so that a forecast of it can be scaled
back (`Changes.restore`) before its outcome is known. Before there are two changes to take a scale from, both are 0;
where a value is absent, the change is absent and the step is 0.

``time_of_day``, ``day_of_week`` and ``time_of_year`` tell the time of the tick; they are known before its outcome.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from cortexsim.errors import InputError
from cortexsim.sources._series import Floats, Series, check_horizons, check_report, read_series
from cortexsim.sources.csvfile import RunningScale, source_names
from cortexsim.timestamps import Step

WHERE = "stream 'changes'"


class Names(NamedTuple):
    """The sources of one column.

    Attributes
    ----------
    change : str
        The source of what has to be told (of several horizons, of the first).
    step : str
        The source of what it is told from.
    changes : dict of int to str
        Horizon -> the source of what has to be told.
    """

    change: str
    step: str
    changes: dict[int, str]


def names_of(columns: Sequence[str], horizon: int | Sequence[int]) -> dict[str, Names]:
    """Name the sources of columns.

    Parameters
    ----------
    columns : sequence of str
        Names that a node of a region graph may have, all different.
    horizon : int or sequence of int
        Ticks ahead.

    Returns
    -------
    dict of str to Names
        None of the names is that of a column.

    Examples
    --------
    >>> names_of(["co2"], 1)["co2"][:2], names_of(["co2"], 4)["co2"][:2]
    (('co2-change', 'co2-change'), ('co2-change', 'co2-step'))
    >>> names_of(["co2"], [1, 4])["co2"].changes
    {1: 'co2-step', 4: 'co2-change-4'}
    """
    horizons = check_horizons(horizon, WHERE)
    taken, names = set(columns), {}
    for column in columns:
        mark = ""
        while True:
            change, step = f"{column}-change{mark}", f"{column}-step{mark}"
            changes = {h: change if len(horizons) == 1 else step if h == 1 else f"{column}-change-{h}{mark}"
                       for h in horizons}
            if not taken & {*changes.values(), step}:
                break
            mark += "+"
        step = change if horizons == (1,) else step
        taken |= {*changes.values(), change, step}
        names[column] = Names(changes[horizons[0]], step, changes)
    return names


class Changes(Series):
    """Standardised changes of columns; the parameters are those of `Series`.

    Attributes
    ----------
    names : dict of str to Names
        Name in the graph -> its sources.
    """

    def __init__(self, columns: Mapping[str, str], horizons: int | Sequence[int], calendar: Mapping[str, int],
                 step: Step | None = None, extra: int = 0) -> None:
        super().__init__(columns, horizons, calendar, step, extra, WHERE)
        size = len(self.columns)
        self.names = names_of(list(self.columns), self.horizons)
        self._steps = RunningScale(size)
        self._scales = {h: RunningScale(size, h) for h in self.horizons}
        self._mean = {h: np.zeros((0, size)) for h in self.horizons}
        self._sd = {h: np.ones((0, size)) for h in self.horizons}
        self._last = np.zeros((0, size))

    def _scaled(self, values: Floats) -> dict[str, NDArray[np.float32]]:
        """The next rows of every source; notes the scale of the change at each tick, and at those beyond the end."""
        n, size = self.length - len(values), values.shape[1]
        self._last = np.concatenate([self._last, _filled(values, self._last[-1:])])
        earlier = np.concatenate([np.full((self.horizon, size), np.nan), self.values[:n]])[n:]
        every = np.concatenate([earlier, values])
        now = every[self.horizon:]
        steps = self._steps.apply(now - every[self.horizon - 1:-1]).values
        rows: dict[str, NDArray[np.float32]] = {}
        for k, names in enumerate(self.names.values()):
            rows[names.step] = np.nan_to_num(steps[:, k:k + 1]).astype(np.float32)
        for h, scale in self._scales.items():
            scaled = scale.apply(now - every[self.horizon - h:-h])
            beyond = copy.deepcopy(scale).apply(np.full((h, size), np.nan))
            self._mean[h] = np.concatenate([self._mean[h][:n], np.nan_to_num(scaled.mean), np.nan_to_num(beyond.mean)])
            self._sd[h] = np.concatenate([self._sd[h][:n], np.nan_to_num(scaled.sd, nan=1.0),
                                          np.nan_to_num(beyond.sd, nan=1.0)])
            # before there is a tick so much earlier the change is 0, later one that is NaN is absent
            told = np.where(np.arange(n, n + len(values))[:, None] < h, 0.0, scaled.values)
            for k, names in enumerate(self.names.values()):
                rows[names.changes[h]] = told[:, k:k + 1].astype(np.float32)
        return rows

    def target(self, column: str, horizon: int) -> str:
        """The source that a region predicts, to forecast a column so many ticks ahead."""
        return self.names[column].changes[horizon]

    def restore(self, column: str, horizon: int, ticks: NDArray[np.int64], told: Floats) -> Floats:
        """Turn what was told of the changes of a column into forecasts of its values; see `Series.restore`."""
        k = list(self.columns).index(column)
        return self._last[ticks - horizon, k] + told * self._sd[horizon][ticks, k] + self._mean[horizon][ticks, k]


def _filled(values: Floats, before: Floats) -> Floats:
    """The values with the last one in place of each that is absent."""
    last = before[0] if len(before) else np.full(values.shape[1], np.nan)
    made = values.copy()
    for row in made:
        row[:] = last = np.where(np.isfinite(row), row, last)
    return made


class Stream(Changes):
    """The changes of columns of a text file; the text of this module says what each source delivers.

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
        horizons = check_horizons(horizon, WHERE)
        found = read_series(WHERE, path, columns, blanks, rows, time, gaps, base_dir)
        super().__init__(source_names(found.names), horizons,
                         {"day": time_of_day, "week": day_of_week, "year": time_of_year}, found.step)
        if len(found.values) <= self.horizon:
            raise InputError(f"file {str(path)!r}", f"needs more rows than the horizon, {self.horizon}",
                             len(found.values))
        self.report = check_report(report, WHERE)
        self.add(found.values, found.times)
