"""Forecasts beside the truth and the baselines: their errors, as a table, CSV files and a picture."""

from __future__ import annotations

import csv
import io
import math
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from cortexsim.baselines import Season
from cortexsim.files import write_file
from cortexsim.forecast_scores import MEASURES, coverage
from cortexsim.timestamps import Times, shown_all

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Floats = NDArray[np.float64]

#: Who forecasts -> the end of the names of its scores.
METHODS = {"forecast": "", "last value": "_last", "seasonal naive": "_seasonal", "RLS-AR": "_rls"}
SHOWN = 6  #: Horizons that a table shows.


@dataclass(frozen=True)
class Forecasts:
    """Forecasts of some columns and what they are compared with.

    All are float64 [horizons, ticks + longest horizon, columns]: for each tick what was forecast of it so many ticks
    before. The last ticks lie beyond the data. With one horizon its axis may be left out.

    Parameters
    ----------
    columns : list of str
        As in the file.
    horizons : tuple of int, or int
        Ticks ahead, rising.
    truth : array [ticks + longest horizon, columns]
        NaN beyond the data and where a value is absent.
    forecast : array
        NaN at the first ticks, before which nobody could forecast them.
    last : array
        The last value known so many ticks before.
    rls : array
        See `cortexsim.baselines.rls_autoregression`.
    seasonal : array, optional
        The value a season before; NaN where there is no season.
    quantiles : array [..., levels], optional
        Of the forecasts.
    levels : tuple of float
        Of the quantiles.
    season : Season
        Of the seasonal naive forecast.
    lags : int
        Steps that RLS-AR is told; 0: it is not known.
    first : int, optional
        The first tick that is scored; by default the first of the second half.
    times : datetime64 array [ticks + longest horizon], optional
        Timestamps.
    """

    columns: list[str]
    horizons: tuple[int, ...]
    truth: Floats
    forecast: Floats
    last: Floats
    rls: Floats
    seasonal: Floats | None = None
    quantiles: Floats | None = None
    levels: tuple[float, ...] = ()
    season: Season = Season(0, "none found")
    lags: int = 0
    first: int | None = None
    times: Times | None = None

    def __post_init__(self) -> None:
        given: dict[str, Any] = {}
        given["horizons"] = tuple(np.atleast_1d(np.asarray(self.horizons, int)).tolist())
        for name in ("forecast", "last", "rls"):
            if getattr(self, name).ndim == 2:
                given[name] = getattr(self, name)[None]
        if self.seasonal is None:
            given["seasonal"] = np.full_like(given.get("forecast", self.forecast), np.nan)
        if self.quantiles is None:
            given["quantiles"] = np.full((*given.get("forecast", self.forecast).shape, len(self.levels)), np.nan)
        for name, value in given.items():
            object.__setattr__(self, name, value)
        if self.first is None:
            object.__setattr__(self, "first", self.ticks // 2)

    @property
    def horizon(self) -> int:
        """The longest."""
        return self.horizons[-1]

    @property
    def ticks(self) -> int:
        """Ticks that ran."""
        return len(self.truth) - self.horizon

    def methods(self) -> dict[str, Floats]:
        """Who forecasts -> forecasts."""
        assert self.seasonal is not None
        return dict(zip(METHODS, (self.forecast, self.last, self.seasonal, self.rls), strict=True))

    def scores(self) -> list[dict[str, Any]]:
        """The errors of each column at each horizon, over the second half of the ticks or from `first` on.

        Returns
        -------
        list of dict
            ``column``, ``horizon``; ``nrmse``, ``mape``, ``smape`` of the forecast, and the same with ``_last``,
            ``_seasonal``, ``_rls`` of the baselines, see `cortexsim.forecast_scores`; ``coverage`` (share of the truth
            between the lowest and the highest quantile); ``first``, ``last`` (ticks) and ``ticks`` (how many are
            scored). All are scored at the same ticks: those at which there is a truth and a forecast of each. A
            baseline that has none at more than half of them is left out, and its scores are NaN.
        """
        return [self._score(k, row) for k in range(len(self.columns)) for row in range(len(self.horizons))]

    def _score(self, column: int, row: int) -> dict[str, Any]:
        assert self.first is not None and self.quantiles is not None
        part = slice(self.first, self.ticks)
        truth = self.truth[part, column]
        told = {name: table[row, part, column] for name, table in self.methods().items()}
        there = np.isfinite(truth) & np.isfinite(told["forecast"])
        for name in list(told):
            if name != "forecast" and (np.isfinite(told[name]) & there).sum() <= there.sum() / 2:
                told[name] = np.full_like(truth, np.nan)
            elif name != "forecast":
                there &= np.isfinite(told[name])
        made: dict[str, Any] = {"column": self.columns[column], "horizon": self.horizons[row]}
        for key, (_, measure) in MEASURES.items():
            made |= {key + METHODS[name]: measure(truth[there], guess[there]) for name, guess in told.items()}
        bands = self.quantiles[row, part, column][there]
        made["coverage"] = coverage(truth[there], bands[:, 0], bands[:, -1]) if len(self.levels) > 1 else math.nan
        return {**made, "first": part.start, "last": part.stop - 1, "ticks": int(there.sum())}

    # --- text ---

    def table_text(self) -> str:
        """The scores as aligned text, with lines that say what they are, and what is forecast beyond the data."""
        scores = self.scores()
        if not scores:
            return "no column is forecast"
        shown_rows = set(some(self.horizons, SHOWN))
        several = len(self.horizons) > 1
        head = ["column", *(["ticks ahead"] if several else []), "measure", *METHODS]
        rows = []
        for score in scores:
            if score["horizon"] not in shown_rows:
                continue
            first = [score["column"], *([str(score["horizon"])] if several else [])]
            for key, (heading, _) in MEASURES.items():
                cells = [score[key + end] for end in METHODS.values()]
                rows.append([*first, heading, *map(digits, cells)])
                first = [""] * len(first)
        lines = aligned(head, rows, left=(0, head.index("measure")))
        if len(shown_rows) < len(self.horizons):
            lines.append(f"{len(self.horizons)} horizons in all: the others are in forecast_scores.csv")
        return "\n".join([*lines, *self._meaning(scores), *self._coming()])

    def _meaning(self, scores: Sequence[dict[str, Any]]) -> list[str]:
        one = scores[0]
        ahead = "" if len(self.horizons) > 1 else f" {self.horizon} tick{'s' * (self.horizon > 1)} ahead,"
        lines = [f"NRMSE{ahead} ticks {one['first']} to {one['last']}: root mean squared error over the standard "
                 "deviation of the truth there;", "MAPE: mean absolute error over the mean absolute truth; sMAPE: mean "
                 "of 2 |error| / (|truth| + |forecast|)"]
        season = f"a season is {self.season.ticks} ticks, {self.season.how}" if self.season.ticks else (
            "no season was found")
        steps = f"last {self.lags} steps" if self.lags > 1 else "last step"
        lines.append(season + (f"; RLS-AR: recursive least squares on the {steps}" if self.lags else ""))
        held = [score["coverage"] for score in scores if not math.isnan(score["coverage"])]
        if held:
            span = f"{min(held):.1%}" if max(held) - min(held) < 5e-4 else f"{min(held):.1%} to {max(held):.1%}"
            lines.append(f"the band from the {self.levels[0]:.0%} to the {self.levels[-1]:.0%} quantile held {span} of "
                         "the truth")
        return lines

    def _coming(self) -> list[str]:
        """What was forecast at the last tick."""
        assert self.quantiles is not None
        if not self.ticks:
            return []
        several, rows = len(self.columns) > 1, []
        stamps = None if self.times is None else shown_all(self.times)
        for k, column in enumerate(self.columns):
            for h in some(self.horizons, SHOWN):
                tick, row = self.ticks - 1 + h, self.horizons.index(h)
                told = [self.forecast[row, tick, k], *self.quantiles[row, tick, k]]
                when = str(tick) if stamps is None else stamps[tick]
                rows.append([*([column] if several else []), when,
                             *("-" if math.isnan(value) else f"{value:.6g}" for value in told)])
        head = [*(["column"] if several else []), "tick" if self.times is None else "time", "forecast",
                *(f"{level:.0%}" for level in self.levels)]
        return ["", "beyond the data:", *aligned(head, rows, left=(0,))]

    # --- files ---

    def to_csv(self, path: str | os.PathLike[str]) -> None:
        """Write a line for each forecast: of which tick, made when, how many ticks ahead, and what came.

        The columns are tick, column, horizon, made, time and time made (where there are timestamps), truth, forecast,
        a quantile each (``q0.1``), and the baselines.

        Parameters
        ----------
        path : path
            Of the file; one that is there is replaced. A cell is empty where there is no value.

        Raises
        ------
        FileError
            Where the file cannot be written.
        """
        dated = self.times is not None
        head = ["tick", "column", "horizon", "made", *(["time", "time made"] if dated else []), "truth", "forecast",
                *(f"q{level:g}" for level in self.levels), *list(METHODS)[1:]]
        write_csv(path, head, self._lines())

    def _lines(self) -> Iterable[list[Any]]:
        assert self.quantiles is not None
        stamps = None if self.times is None else shown_all(self.times)
        baselines = list(self.methods().values())[1:]
        for k, column in enumerate(self.columns):
            for row, h in enumerate(self.horizons):
                numbers = np.concatenate([
                    np.stack([self.truth[:, k], self.forecast[row, :, k]], axis=1), self.quantiles[row, :, k],
                    np.stack([table[row, :, k] for table in baselines], axis=1)], axis=1)
                for tick in range(h, self.ticks + h):
                    when = [] if stamps is None else [stamps[tick], stamps[tick - h]]
                    yield [tick, column, h, tick - h, *when, *numbers[tick].tolist()]

    def scores_to_csv(self, path: str | os.PathLike[str]) -> None:
        """Write a line for each column, horizon and method: its scores, the coverage of the band, and the ticks.

        Parameters
        ----------
        path : path
            Of the file; one that is there is replaced.

        Raises
        ------
        FileError
            Where the file cannot be written.
        """
        rows = [[score["column"], score["horizon"], method, *(score[key + end] for key in MEASURES),
                 score["coverage"] if method == "forecast" else math.nan, score["first"], score["last"], score["ticks"]]
                for score in self.scores() for method, end in METHODS.items()]
        write_csv(path, ["column", "horizon", "method", *MEASURES, "coverage", "first", "last", "ticks"], rows)

    def plot(self) -> Figure:
        """Truth, forecast and quantiles over the last stretch and beyond the data.

        Returns
        -------
        matplotlib.figure.Figure
        """
        from cortexsim.plot_forecast import plot_forecasts  # matplotlib is slow to import, and not everybody plots
        return plot_forecasts(self)


def some(horizons: Sequence[int], count: int) -> list[int]:
    """At most so many of the horizons, the first and the last among them.

    Examples
    --------
    >>> some(range(1, 49), 4), some([1, 3], 4)
    ([1, 17, 32, 48], [1, 3])
    """
    if len(horizons) <= count:
        return list(horizons)
    return [horizons[round(k * (len(horizons) - 1) / (count - 1))] for k in range(count)]


def digits(score: float) -> str:
    """A score as a table shows it.

    Examples
    --------
    >>> [digits(score) for score in (0.12345, 0.00086789, 0.0, math.nan)]
    ['0.1235', '0.000868', '0.0000', '-']
    """
    return "-" if math.isnan(score) else f"{score:.4f}" if score >= 0.01 or score == 0 else f"{score:.3g}"


def aligned(head: Sequence[str], rows: Sequence[Sequence[str]], left: Sequence[int]) -> list[str]:
    """A table as lines of text: headings, a rule, rows; the columns at the places `left` start at the left."""
    widths = [max(len(row[k]) for row in [head, *rows]) for k in range(len(head))]

    def line(row: Sequence[str]) -> str:
        cells = [cell.ljust(width) if k in left else cell.rjust(width)
                 for k, (cell, width) in enumerate(zip(row, widths, strict=True))]
        return "  ".join(cells).rstrip()

    return [line(head), "  ".join("-" * width for width in widths), *map(line, rows)]


def write_csv(path: str | os.PathLike[str], head: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """Write a table; a number that is NaN becomes an empty cell."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(head)
    for row in rows:
        writer.writerow([("" if math.isnan(cell) else f"{cell:.9g}") if isinstance(cell, float) else cell
                         for cell in row])
    write_file(path, lambda file: file.write(text.getvalue().encode()))
