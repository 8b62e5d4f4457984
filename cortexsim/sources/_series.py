"""What the streams of time series share: the file with its timestamps, the calendar, and rows that may be added to.

Sources that are known before their outcome: ``time_of_day``, ``day_of_week`` and ``time_of_year``, each a ring of units
with tuning curves (`cortexsim.encoders.Periodic`; two units: sine and cosine); and ``X``, numbers that a script brings
beside the series.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from cortexsim.encoders.periodic import Periodic
from cortexsim.errors import InputError, nearest
from cortexsim.quantiles import check_levels
from cortexsim.sources import resolve, whole_number
from cortexsim.sources.csvfile import read_cells, read_csv
from cortexsim.timestamps import CYCLES, Step, Times, phases, place, read_times

Floats = NDArray[np.float64]
BLANKS = ("error", "skip", "keep")
UNITS = {"day": 24, "week": 14, "year": 12}  #: Of the calendar's sources, where a graph does not say.
EXTRA = "X"
#: What a report may be asked for -> the least number of it.
REPORT = {"season": 1, "lags": 1, "first": 0, "levels": 0}


class Reading(NamedTuple):
    """What `read_series` returns.

    Attributes
    ----------
    names : list of str
        The columns.
    values : float64 array [ticks, n_columns]
        NaN where a value is absent.
    times : datetime64 array [ticks] or None
    step : Step or None
    """

    names: list[str]
    values: Floats
    times: Times | None
    step: Step | None


def read_series(where: str, path: str | Path, columns: str | Sequence[str] | None, blanks: str, rows: int,
                time: str | None, gaps: str, base_dir: str | Path | None) -> Reading:
    """Read columns of numbers, and one of timestamps.

    Parameters
    ----------
    where : str
        The stream, for messages.
    path, columns
        As `cortexsim.sources.csvfile.read_csv` takes them.
    blanks : {"error", "skip", "keep"}
        Of a row with a blank cell in these columns: raise, leave it out, or take it as a tick without a value.
    rows : int
        Only the first so many; 0 for all.
    time : str, optional
        The column of timestamps.
    gaps : {"error", "keep", "fill"}
        See `cortexsim.timestamps.place`.
    base_dir : path, optional
        Where a relative `path` starts.

    Returns
    -------
    Reading

    Raises
    ------
    FileError, InputError
        See `read_csv`, `cortexsim.timestamps.read_times` and `cortexsim.timestamps.place`.
    """
    if blanks not in BLANKS:
        raise InputError(where, "blanks must be 'error', 'skip' or 'keep'", blanks, nearest(str(blanks), BLANKS))
    rows = whole_number(where, "rows", rows, 0)
    path = resolve(where, path, base_dir)
    if time is None:
        table = read_csv(path, columns, blanks)
        return Reading(table.names, table.values[:rows or None], None, None)
    table = read_csv(path, columns, "error" if blanks == "error" else "keep")
    (stamps,), lines = read_cells(path, [time])
    file = f"file {str(path)!r}"
    kept = np.flatnonzero(np.isfinite(table.values).all(axis=1)) if blanks == "skip" else np.arange(len(lines))
    kept = kept[:rows or None]
    times = read_times([stamps[k] for k in kept], [lines[k] for k in kept], f"{file}, column {time!r}")
    grid = place(times, gaps, f"{file}, column {time!r}", [lines[k] for k in kept])
    values = np.full((len(grid.times), len(table.names)), np.nan)
    values[grid.tick] = table.values[kept[grid.kept]]
    return Reading(table.names, values, grid.times, grid.step)


def check_horizons(horizon: Any, where: str) -> tuple[int, ...]:
    """Ticks ahead, one or several, checked and in rising order.

    Examples
    --------
    >>> check_horizons(3, "here"), check_horizons([5, 1], "here")
    ((3,), (1, 5))
    """
    one = isinstance(horizon, int | float | str | np.number) or not isinstance(horizon, Sequence | range | np.ndarray)
    given = [horizon] if one else list(horizon)
    if not given:
        raise InputError(where, "needs a horizon of at least 1", given)
    made = [whole_number(where, "horizon", h, 1) for h in given]
    if len(set(made)) < len(made):
        raise InputError(where, "horizons must each come once", made)
    return tuple(sorted(made))


def check_report(report: Mapping[str, Any] | None, where: str) -> dict[str, Any]:
    """How forecasts are to be scored, as a ``[stream]`` table says it, checked.

    Parameters
    ----------
    report : mapping or None
        ``season`` (ticks), ``lags`` (of the baseline RLS-AR), ``first`` (the first tick that is scored), ``levels`` (of
        the quantiles), each optional.
    where : str
        For messages.

    Returns
    -------
    dict
        Arguments of `cortexsim.forecasting.ForecastRun.result`.

    Raises
    ------
    InputError
        An unknown key, or a value out of its range.
    """
    made: dict[str, Any] = {}
    for key, value in (report or {}).items():
        if key not in REPORT:
            raise InputError(f"{where}, report", f"has no {key!r}", hint=nearest(key, REPORT))
        made[key] = check_levels(value) if key == "levels" else whole_number(where, key, value, REPORT[key])
    return made


class Series:
    """Time series as sources of a region graph; a stream to which rows may be added.

    A value may be absent at some tick: a simulation that it feeds needs ``on_bad="skip"``.

    Parameters
    ----------
    columns : dict of str to str
        Name in the graph -> name of the column.
    horizons : int or sequence of int
        Ticks ahead.
    calendar : mapping of str to int
        Cycle (``"day"``, ``"week"``, ``"year"``) -> units of the source that tells the place in it.
    step : Step, optional
        Between two timestamps; needed where there is a calendar.
    extra : int
        Numbers of the source ``X``; 0 for none.
    where : str
        For messages.

    Attributes
    ----------
    values : float64 array [length, n_columns]
        NaN where one is absent.
    times : datetime64 array [length] or None
    rows : dict of str to float32 array [length, size]
        What each source delivers that is known only with its tick; NaN where it delivers nothing.
    length, position : int
        Ticks in all, and the tick that the next row belongs to.
    report : dict
        See `check_report`.
    """

    absent = True

    def __init__(self, columns: Mapping[str, str], horizons: int | Sequence[int], calendar: Mapping[str, int],
                 step: Step | None = None, extra: int = 0, where: str = "series") -> None:
        self.columns, self.where, self.step = dict(columns), where, step
        self.horizons = check_horizons(horizons, where)
        self.calendar = {CYCLES[cycle]: (cycle, whole_number(where, CYCLES[cycle], size, 2))
                         for cycle, size in calendar.items() if size}
        self._rings = {name: Periodic(1.0, "population" if size > 2 else "sin_cos", size)
                       for name, (_, size) in self.calendar.items()}
        if self.calendar and step is None:
            raise InputError(where, f"{next(iter(self.calendar))!r} needs timestamps",
                             hint="name their column: time = \"...\"")
        self.values = np.zeros((0, len(self.columns)))
        self.times: Times | None = None
        self.extra = np.zeros((0, extra), np.float32)
        self.rows: dict[str, NDArray[np.float32]] = {}
        self.position = 0
        self.report: dict[str, Any] = {}

    @property
    def horizon(self) -> int:
        """The longest."""
        return self.horizons[-1]

    @property
    def length(self) -> int:
        """Ticks in all."""
        return len(self.values)

    def add(self, values: Floats, times: Times | None = None, extra: NDArray[np.float32] | None = None) -> None:
        """Add rows: values [n, columns], their times, and what else is known."""
        self.values = np.concatenate([self.values, values])
        if times is not None:
            self.times = times if self.times is None else np.concatenate([self.times, times])
        if extra is not None:
            self.extra = np.concatenate([self.extra, extra])
        for name, rows in self._scaled(values).items():
            self.rows[name] = np.concatenate([self.rows[name], rows]) if name in self.rows else rows

    def _scaled(self, values: Floats) -> dict[str, NDArray[np.float32]]:
        """The next rows of every source that is known only with its tick."""
        raise NotImplementedError

    def target(self, column: str, horizon: int) -> str:
        """The source that a region predicts, to forecast a column so many ticks ahead."""
        raise NotImplementedError

    def restore(self, column: str, horizon: int, ticks: NDArray[np.int64], told: Floats) -> Floats:
        """Turn what was told of a source into forecasts of the column's values.

        Parameters
        ----------
        column : str
            Its name in the graph.
        horizon : int
            Ticks ahead.
        ticks : int array [n]
            What was forecast: none before tick `horizon`.
        told : float64 array [n]
            By the region, for each of these.

        Returns
        -------
        float64 array [n]
        """
        raise NotImplementedError

    def known(self, start: int, n: int, extra: NDArray[np.float32] | None = None) -> dict[str, NDArray[np.float32]]:
        """What is known before its outcome: rows of each such source, from a tick on, beyond the data too.

        Parameters
        ----------
        start, n : int
            The first tick, and how many.
        extra : float32 array, optional
            Rows of ``X`` beyond the data, as far as they are known; the others are NaN.
        """
        made = {name: self._rings[name].encode(phases(self.times_of(start, n), cycle))
                for name, (cycle, _) in self.calendar.items()}
        if self.extra.shape[1]:
            rows = np.full((n, self.extra.shape[1]), np.nan, np.float32)
            there = self.extra if extra is None else np.concatenate([self.extra, extra])
            there = there[start:start + n]
            rows[:len(there)] = there
            made[EXTRA] = rows
        return made

    def times_of(self, start: int, n: int) -> Times:
        """Timestamps of ticks, beyond the data too."""
        assert self.times is not None and self.step is not None
        beyond = max(0, start + n - self.length)
        there = self.times[start:start + n]
        if not beyond:
            return there
        ahead = np.arange(max(1, start - self.length + 1), start + n - self.length + 1)
        return np.concatenate([there, self.step.after(self.times[-1], ahead)])

    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Give the shape of one sample of each source."""
        after = {name: rows.shape[1:] for name, rows in self.rows.items()}
        before = {name: (size,) for name, (_, size) in self.calendar.items()}
        return {**after, **before, **({EXTRA: (self.extra.shape[1],)} if self.extra.shape[1] else {})}

    def seek(self, tick: int) -> None:
        """Go to `tick`, or to the end where the data is shorter."""
        self.position = min(whole_number(self.where, "tick", tick, 0), self.length)

    def read(self, n: int) -> dict[str, NDArray[np.float32]]:
        """Give the next ticks of each source, float32 [n, size]."""
        start, self.position = self.position, min(self.position + n, self.length)
        return {**{name: rows[start:self.position] for name, rows in self.rows.items()},
                **self.known(start, self.position - start)}
