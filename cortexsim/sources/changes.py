"""The changes of time series, for forecasts `horizon` ticks ahead that know nothing of their outcome.

For each column ``x`` of a text file there are two sources of one value each:

==============  ==================================================================================
``x-change``    ``x(t) - x(t - horizon)``: what a forecast made at ``t - horizon`` has to tell
``x-step``      ``x(t) - x(t - 1)``: what it is told from. With a horizon of 1 it is ``x-change``,
                and there is one source only.
==============  ==================================================================================

Both are standardised by their own past (`RunningScale`): the change at tick t by changes up to ``t - horizon``,
so that a forecast of it can be scaled back (`Stream.restore`) before its outcome is known. Before there are two
changes to take a scale from, both are 0.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from cortexsim.errors import InputError
from cortexsim.sources import resolve, whole_number
from cortexsim.sources.csvfile import RunningScale, read_csv, source_names

WHERE = "stream 'changes'"


class Names(NamedTuple):
    """The sources of one column.

    Attributes
    ----------
    change : str
        The source of what has to be told.
    step : str
        The source of what it is told from.
    """

    change: str
    step: str


def names_of(columns: Sequence[str], horizon: int) -> dict[str, Names]:
    """Name the sources of columns.

    Parameters
    ----------
    columns : sequence of str
        Names that a node of a region graph may have, all different.
    horizon : int
        Ticks ahead.

    Returns
    -------
    dict of str to Names
        None of the names is that of a column.

    Examples
    --------
    >>> names_of(["co2"], 1)
    {'co2': Names(change='co2-change', step='co2-change')}
    >>> names_of(["co2"], 4)
    {'co2': Names(change='co2-change', step='co2-step')}
    """
    taken = set(columns)
    names = {}
    for column in columns:
        change, step = f"{column}-change", f"{column}-step"
        while change in taken or step in taken:
            change, step = f"{change}+", f"{step}+"
        taken |= {change, step}
        names[column] = Names(change, step if horizon > 1 else change)
    return names


class Stream:
    """The changes of columns of a text file; the text of this module says what each source delivers.

    Parameters
    ----------
    path : path
        See `cortexsim.sources.csvfile.read_csv`.
    columns : str or sequence of str, optional
        Likewise.
    horizon : int
        Ticks ahead.
    blanks : {"error", "skip"}
        Of a row with a blank cell: raise, or leave it out.
    rows : int
        Only the first so many; 0 for all.
    base_dir : path, optional
        Where a relative `path` starts.

    Attributes
    ----------
    columns : dict of str to str
        Name in the graph -> column of the file.
    names : dict of str to Names
        Name in the graph -> its sources.
    values : float64 array [length, n_columns]
        The numbers of the file.
    rows : dict of str to float32 array [length, 1]
        All that each source delivers.
    horizon, length, position : int
        Ticks ahead, ticks in all, and the tick that the next row belongs to.

    Raises
    ------
    FileError, InputError
        See `read_csv`; and where there are no more rows than ticks ahead.
    """

    def __init__(self, path: str | Path, columns: str | Sequence[str] | None = None, horizon: int = 1,
                 blanks: str = "error", rows: int = 0, base_dir: str | Path | None = None) -> None:
        self.horizon = whole_number(WHERE, "horizon", horizon, 1)
        rows = whole_number(WHERE, "rows", rows, 0)
        if blanks not in ("error", "skip"):
            raise InputError(WHERE, "blanks must be 'error' or 'skip'", blanks, "a change needs both its values")
        table = read_csv(resolve(WHERE, path, base_dir), columns, blanks)
        self.columns = source_names(table.names)
        self.names = names_of(list(self.columns), self.horizon)
        self.values = table.values[:rows] if rows else table.values
        self.length = len(self.values)
        self.position = 0
        if self.length <= self.horizon:
            raise InputError(f"file {table.info['path']!r}", f"needs more rows than the horizon, {self.horizon}",
                             self.length)
        self.rows = self._scaled()

    def _scaled(self) -> dict[str, np.ndarray]:
        """The rows of every source; notes the scale of the change at each tick, and at those beyond the end."""
        size, h = self.values.shape[1], self.horizon
        gap = np.full((h, size), np.nan)
        changes = np.concatenate([gap, self.values[h:] - self.values[:-h], gap])
        scaled = RunningScale(size, h).apply(changes)
        self._mean, self._sd = np.nan_to_num(scaled.mean), np.nan_to_num(scaled.sd, nan=1.0)
        rows = {}
        steps = RunningScale(size).apply(np.diff(self.values, axis=0, prepend=np.nan)).values
        for k, names in enumerate(self.names.values()):
            # the change last: with a horizon of 1 it takes the place of the step
            rows[names.step] = np.nan_to_num(steps[:, k:k + 1]).astype(np.float32)
            rows[names.change] = np.nan_to_num(scaled.values[:self.length, k:k + 1]).astype(np.float32)
        return rows

    def restore(self, column: str, told: np.ndarray) -> np.ndarray:
        """Turn what was told of the changes of a column into forecasts of its values.

        Parameters
        ----------
        column : str
            Its name in the graph.
        told : array [length + horizon]
            The standardised change told for each tick; the last `horizon` of them lie beyond the data.

        Returns
        -------
        float64 array [length + horizon]
            NaN at the first `horizon` ticks, before which there was nothing to tell from.
        """
        k, h = list(self.columns).index(column), self.horizon
        change = np.asarray(told, np.float64) * self._sd[:, k] + self._mean[:, k]
        return np.concatenate([np.full(h, np.nan), self.values[:, k] + change[h:]])

    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Give the shape of one sample of each source."""
        return dict.fromkeys(self.rows, (1,))

    def seek(self, tick: int) -> None:
        """Go to `tick`, or to the end where the data is shorter."""
        self.position = min(whole_number(WHERE, "tick", tick, 0), self.length)

    def read(self, n: int) -> dict[str, np.ndarray]:
        """Give the next ticks of each source, float32 [n, 1]."""
        start, self.position = self.position, min(self.position + n, self.length)
        return {name: rows[start:self.position] for name, rows in self.rows.items()}
