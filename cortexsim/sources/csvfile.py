"""Numeric time series from a text file: one row a tick, one source a column.

Read are CSV files and their relatives: cells parted by commas, semicolons, tabs or spaces, quoted or not,
with or without a row of names, with comment lines that start with ``#``. Only the columns asked for need to
hold numbers, so a column of dates is no obstacle.

`RunningScale` standardises a series by what was known before each value: nothing of the outcome is in its
own scale.
"""

from __future__ import annotations

import csv
import re
from collections import deque
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from cortexsim.errors import FileError, InputError, nearest
from cortexsim.sources import resolve, whole_number

BLANK = frozenset({"", "na", "n/a", "nan", "null", "none", "."})  # in lower case: how files say "no value"
BLANKS = ("error", "skip", "keep")


class Table(NamedTuple):
    """What `read_csv` returns.

    Attributes
    ----------
    names : list of str
        The columns, in the order asked for.
    values : float64 array [n_rows, n_columns]
        NaN in blank cells, where those are kept.
    info : dict
        ``path``, ``columns`` (every name in the file), ``header`` (whether the file has a row of names),
        ``rows`` (delivered), ``blanks`` (blank cells in these columns), ``skipped`` (rows left out).
    """

    names: list[str]
    values: np.ndarray
    info: dict[str, Any]


def read_csv(path: str | Path, columns: str | Sequence[str] | None = None, blanks: str = "error") -> Table:
    """Read columns of numbers from a text file.

    Parameters
    ----------
    path : path
        A text file in UTF-8.
    columns : str or sequence of str, optional
        Names as in the file's first row; a column without a name is ``"column1"`` and so on, counted from 1.
        Default: every column that holds nothing but numbers and blanks.
    blanks : {"error", "skip", "keep"}
        Of a row with a blank cell in these columns: raise, leave the row out, or keep it with NaN. Blank are
        empty cells, NA, N/A, NaN, null, none and a lone dot.

    Returns
    -------
    Table
        ``names, values, info``.

    Raises
    ------
    FileError
        The file is missing or is not text.
    InputError
        No such column, text in a number column, a blank cell, a row of another length, or no rows.
    """
    path = Path(path)
    where = f"file {str(path)!r}"
    if blanks not in BLANKS:
        raise InputError(where, "blanks must be one of " + ", ".join(map(repr, BLANKS)), got=blanks,
                         hint=nearest(str(blanks), BLANKS))
    header, names, rows = _table(path, where)
    chosen = _choose(where, names, rows, columns)
    values = np.array([_numbers(where, names, chosen, line, row) for line, row in rows])
    blank = np.isnan(values)
    gaps = blank.any(axis=1)
    info = {"path": str(path), "columns": names, "header": header, "rows": len(values),
            "blanks": int(blank.sum()), "skipped": 0}
    if gaps.any() and blanks == "error":
        first = int(gaps.argmax())
        column = names[chosen[int(blank[first].argmax())]]
        raise InputError(where, f"line {rows[first][0]}, column {column!r} is blank (blank cells in all: "
                         f"{info['blanks']}, in {int(gaps.sum())} rows)",
                         hint='blanks="skip" leaves such rows out')
    if blanks == "skip":
        values = values[~gaps]
        info.update(rows=len(values), skipped=int(gaps.sum()))
        if not len(values):
            raise InputError(where, "every row has a blank cell in these columns",
                             got=[names[k] for k in chosen])
    return Table([names[k] for k in chosen], values, info)


class Cells(NamedTuple):
    """What `read_cells` returns.

    Attributes
    ----------
    texts : list of list of str
        The cells of each column asked for, one for each row of data.
    lines : list of int
        The line of each row.
    """

    texts: list[list[str]]
    lines: list[int]


def read_cells(path: str | Path, columns: Sequence[str]) -> Cells:
    """Read columns as text; see `read_csv` for the file, the names of columns and what is raised."""
    where = f"file {str(path)!r}"
    _, names, rows = _table(Path(path), where)
    chosen = _choose(where, names, rows, columns)
    return Cells([[row[k] for _, row in rows] for k in chosen], [line for line, _ in rows])


def _table(path: Path, where: str) -> tuple[bool, list[str], list[tuple[int, list[str]]]]:
    """Give whether there is a row of names, the names, and line number and cells of the rows of data."""
    rows = list(_rows(path, where))
    header, names = _header(rows)
    rows = rows[1:] if header else rows
    if not rows:
        raise InputError(where, "has no rows of data" + (" below the row of names" if header else ""))
    return header, names, rows


def _rows(path: Path, where: str) -> Iterator[tuple[int, list[str]]]:
    """Yield line number and cells of every row that is neither blank nor a comment."""
    try:
        # utf-8-sig: spreadsheets put a byte order mark first, which would become part of the first name
        lines = path.read_text(encoding="utf-8-sig").split("\n")
    except FileNotFoundError:
        raise FileError(where, "no such file") from None
    except UnicodeDecodeError as error:
        raise FileError(where, f"is not text in UTF-8: {error}") from error
    except OSError as error:
        raise FileError(where, f"cannot be read: {error.strerror}") from error
    last = [0]

    def wanted() -> Iterator[str]:
        for number, line in enumerate(lines, 1):
            last[0] = number
            if line.strip() and not line.lstrip().startswith("#"):
                yield line

    first = next(wanted(), "")
    delimiter = next((mark for mark in ";\t," if mark in first), None)
    if delimiter is None:
        yield from ((last[0], line.split()) for line in wanted())
        return
    try:
        for row in csv.reader(wanted(), delimiter=delimiter, skipinitialspace=True):
            yield last[0], [cell.strip() for cell in row]
    except csv.Error as error:
        raise InputError(where, f"line {last[0]} cannot be read: {error}") from error


def _header(rows: list[tuple[int, list[str]]]) -> tuple[bool, list[str]]:
    """Tell whether the first row is one of names, and give a name for each column.

    It is where no cell of it is a number and some cell is not blank.
    """
    if not rows:
        return False, []
    first = rows[0][1]
    header = not any(_is_number(cell) for cell in first) and any(cell.lower() not in BLANK for cell in first)
    return header, [(cell if header else "") or f"column{k}" for k, cell in enumerate(first, 1)]


def _choose(where: str, names: list[str], rows: list[tuple[int, list[str]]],
            columns: str | Sequence[str] | None) -> list[int]:
    """Give the places of the columns asked for, once every row is known to have all of them."""
    for line, row in rows:
        if len(row) != len(names):
            raise InputError(where, f"line {line} has {len(row)} cells where the first row has {len(names)}")
    if columns is None:
        numeric = [k for k in range(len(names)) if any(_is_number(row[k]) for _, row in rows)
                   and all(_is_number(row[k]) or row[k].lower() in BLANK for _, row in rows)]
        if not numeric:
            raise InputError(where, "has no column of numbers", hint="columns: " + ", ".join(names))
        return numeric
    wanted = [columns] if isinstance(columns, str) else list(columns)
    if not wanted:
        raise InputError(where, "no column is asked for", hint="columns: " + ", ".join(names))
    for name in wanted:
        if name not in names:
            raise InputError(where, f"has no column {name!r}", hint=nearest(name, names))
        if names.count(name) > 1:
            raise InputError(where, f"has {names.count(name)} columns called {name!r}",
                             hint="rename one in the file")
        if wanted.count(name) > 1:
            raise InputError(where, f"column {name!r} is asked for twice")
    return [names.index(name) for name in wanted]


def _numbers(where: str, names: list[str], chosen: list[int], line: int, row: list[str]) -> list[float]:
    numbers = []
    for k in chosen:
        if row[k].lower() in BLANK:
            numbers.append(np.nan)
        elif _is_number(row[k]):
            numbers.append(float(row[k]))
        else:
            hint = "write decimals with a dot" if re.fullmatch(r"[+-]?\d*,\d+", row[k]) else ""
            raise InputError(where, f"line {line}, column {names[k]!r} must hold a finite number", got=row[k],
                             hint=hint)
    return numbers


def _is_number(cell: str) -> bool:
    # float() alone would take "1_000", "nan" and "inf" too
    try:
        return "_" not in cell and bool(np.isfinite(float(cell)))
    except ValueError:
        return False


class Scaled(NamedTuple):
    """What `RunningScale.apply` returns; ``values * sd + mean`` is the series, but for what was clipped.

    Attributes
    ----------
    values, mean, sd : float64 arrays [n, size]
        The standardised rows, and the mean and standard deviation that each was standardised by.
    """

    values: np.ndarray
    mean: np.ndarray
    sd: np.ndarray


class RunningScale:
    """Standardise a series by its own past, tick by tick.

    Row t is scaled by mean and standard deviation of rows 0 to t - `horizon`: what is known when row t is
    predicted `horizon` ticks ahead, so that a forecast can be scaled back without its outcome. Before two
    values are known there is no scale: the row is 0, its mean and deviation NaN. A NaN in the series stays
    one and is not counted.

    Parameters
    ----------
    size : int
        Values in a row.
    horizon : int
        Ticks, at least 1.
    clip : float
        Values further than this from the mean, in standard deviations, are clipped: two early values that
        happen to be close make any third look immense. ``inf`` clips nothing.

    Notes
    -----
    Updates in float64 as in B. P. Welford (1962), Technometrics 4, 419-420,
    doi:10.1080/00401706.1962.10490022.

    Examples
    --------
    >>> scale = RunningScale(1)
    >>> scale.apply(np.array([[3.0], [5.0], [6.0]])).values[:, 0].tolist()
    [0.0, 0.0, 2.0]
    """

    def __init__(self, size: int, horizon: int = 1, clip: float = 10.0) -> None:
        self.size = whole_number("RunningScale", "size", size, 1)
        self.horizon = whole_number("RunningScale", "horizon", horizon, 1)
        if not clip > 0:
            raise InputError("RunningScale", "clip must be above 0", got=clip)
        self.clip = float(clip)
        self._count = np.zeros(size)
        self._mean = np.zeros(size)
        self._squares = np.zeros(size)
        self._waiting: deque[np.ndarray] = deque()

    def apply(self, rows: np.ndarray) -> Scaled:
        """Scale the next rows; how they are cut into calls never changes a bit.

        Parameters
        ----------
        rows : array [n, size]

        Returns
        -------
        Scaled
        """
        rows = np.asarray(rows, np.float64)
        if rows.ndim != 2 or rows.shape[1] != self.size:
            raise InputError("RunningScale", f"needs rows of shape [n, {self.size}]", got=rows.shape)
        scaled = Scaled(np.empty_like(rows), np.empty_like(rows), np.empty_like(rows))
        for k, row in enumerate(rows):
            self._waiting.append(row.copy())
            if len(self._waiting) > self.horizon:
                self._learn(self._waiting.popleft())
            sd = np.sqrt(self._squares / np.maximum(self._count, 1))
            sd[sd == 0] = 1  # a series that never changed has no scale of its own
            # 0 * row: a NaN stays one
            scaled.values[k] = np.where(self._count < 2, 0 * row,
                                        np.clip((row - self._mean) / sd, -self.clip, self.clip))
            scaled.mean[k] = np.where(self._count < 2, np.nan, self._mean)
            scaled.sd[k] = np.where(self._count < 2, np.nan, sd)
        return scaled

    def _learn(self, row: np.ndarray) -> None:
        seen = ~np.isnan(row)
        self._count += seen
        shift = np.where(seen, row - self._mean, 0)
        self._mean += shift / np.maximum(self._count, 1)
        self._squares += shift * np.where(seen, row - self._mean, 0)


class Stream:
    """A numeric text file as a stream: one source of one value for each column.

    Parameters
    ----------
    path : path
        See `read_csv`.
    columns : str or sequence of str, optional
        See `read_csv`.
    horizon : int
        Ticks ahead that the series will be predicted; it only matters to ``scale="running"``.
    scale : {"none", "running"}
        Deliver the numbers as they are, or standardised by their past (`RunningScale`).
    blanks : {"error", "skip", "keep"}
        See `read_csv`.
    base_dir : path, optional
        Where a relative `path` starts.

    Attributes
    ----------
    columns : dict
        Source name -> column of the file. Characters that no source name may have become ``_``.
    mean, sd : float64 arrays [length, n_columns]
        ``value * sd + mean`` is the number in the file: 0 and 1 without a scale, else see `RunningScale`.
    length : int
        Ticks in all.
    position : int
        The tick that the next row belongs to.
    info : dict
        See `Table`.

    Raises
    ------
    FileError, InputError
        See `read_csv`.
    """

    def __init__(self, path: str | Path, columns: str | Sequence[str] | None = None, horizon: int = 1,
                 scale: str = "none", blanks: str = "error", base_dir: str | Path | None = None) -> None:
        where = "stream 'csvfile'"
        if scale not in ("none", "running"):
            raise InputError(where, "scale must be 'none' or 'running'", got=scale)
        horizon = whole_number(where, "horizon", horizon, 1)
        names, values, self.info = read_csv(resolve(where, path, base_dir), columns, blanks)
        self.columns = source_names(names)
        scaled = Scaled(values, np.zeros_like(values), np.ones_like(values))
        if scale == "running":
            scaled = RunningScale(len(names), horizon).apply(values)
        self.mean, self.sd = scaled.mean, scaled.sd
        self._values = scaled.values.astype(np.float32)
        self.length = len(values)
        self.position = 0

    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Give the shape of one sample of each source."""
        return dict.fromkeys(self.columns, (1,))

    def seek(self, tick: int) -> None:
        """Go to `tick`, or to the end where the data is shorter."""
        self.position = min(whole_number("stream 'csvfile'", "tick", tick, 0), self.length)

    def read(self, n: int) -> dict[str, np.ndarray]:
        """Give the next ticks of each source, float32 [n, 1]."""
        rows = self._values[self.position:self.position + n]
        self.position += len(rows)
        return {name: rows[:, k:k + 1] for k, name in enumerate(self.columns)}


def source_names(columns: list[str]) -> dict[str, str]:
    """Give a source name for each column; columns that would share one get a number."""
    names: dict[str, str] = {}
    last: dict[str, int] = {}  # so that thousands of one name are not counted through again for each
    for column in columns:
        stem = re.sub(r"[^A-Za-z0-9_+-]+", "_", column)
        stem = stem if stem == column else stem.strip("_") or "column"
        name, number = stem, last.get(stem, 1)
        while name in names:
            number += 1
            name = f"{stem}_{number}"
        names[name], last[stem] = column, number
    return names
