"""Forecasts in a script, in the manner of scikit-learn: fit, partial_fit, predict, score."""

from __future__ import annotations

import copy
import os
from collections.abc import Sequence
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from cortexsim.catalogue import load, names
from cortexsim.errors import FileError, InputError, nearest
from cortexsim.forecast_graphs import calendar_of, expand
from cortexsim.forecast_input import WHERE, Data, extra_rows, read
from cortexsim.forecast_table import Forecasts
from cortexsim.forecasting import ForecastRun, default_lags, forecast_graph
from cortexsim.graph import RegionGraph
from cortexsim.quantiles import Bands, check_levels
from cortexsim.simulation import Simulation
from cortexsim.sources._series import UNITS, Floats, Series, check_horizons
from cortexsim.sources.changes import Changes
from cortexsim.sources.csvfile import source_names
from cortexsim.sources.series import Values
from cortexsim.timestamps import CYCLES, Times, place

CHANGES = "changes"


class Forecaster:
    """Forecasts the next values of a series, and learns from each as it comes.

    Parameters
    ----------
    graph : str, path or RegionGraph
        ``"changes"`` makes a graph for the series (:func:`cortexsim.forecasting.forecast_graph`); else a ready-made
        graph, a TOML file, or a graph with a source ``value`` and a region that predicts it
        (:func:`cortexsim.forecast_graphs.expand`).
    horizon : int or list of int
        Ticks ahead; every horizon has a region of its own.
    calendar : str or list of str, optional
        What of the time is told: ``"day"``, ``"week"``, ``"year"``. Needs timestamps.
    season : int, optional
        Ticks of a season, for the seasonal naive forecasts in `history`; by default found in the data.
    lags : int, optional
        Past steps that the regions of ``"changes"``, and the baseline RLS-AR, are told; by default a twelfth of the
        first data, at most 53.
    gaps : {"error", "keep", "fill"}
        Of timestamps that are left out or come twice; see :func:`cortexsim.timestamps.place`.
    seed : int
        Of the simulation.

    Attributes
    ----------
    simulation : Simulation
        The running graph.
    history : Forecasts
        Every forecast so far, each made before its outcome, beside the baselines.

    Notes
    -----
    Parameters are checked when data comes, as in scikit-learn, and `get_params` and `set_params` are there, so
    ``sklearn.base.clone`` works.

    Examples
    --------
    >>> import numpy as np, cortexsim as cs
    >>> wave = 20 + np.sin(np.arange(400) / 3)
    >>> forecaster = cs.Forecaster(horizon=[1, 2], lags=6).fit(wave[:300])
    >>> bool(np.abs(forecaster.predict() - wave[300:302]).max() < 0.1)
    True
    >>> bool(forecaster.partial_fit(wave[300:]).score() > 0.95)
    True
    """

    def __init__(self, graph: Any = CHANGES, horizon: int | Sequence[int] = 1,
                 calendar: str | Sequence[str] | None = None, season: int | None = None, lags: int | None = None,
                 gaps: str = "error", seed: int = 0) -> None:
        self.graph, self.horizon, self.calendar, self.season = graph, horizon, calendar, season
        self.lags, self.gaps, self.seed = lags, gaps, seed
        self._run: ForecastRun | None = None

    # --- parameters, as scikit-learn asks for them ---

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """The parameters by name; `deep` changes nothing."""
        return {key: getattr(self, key) for key in PARAMETERS}

    def set_params(self, **params: Any) -> Self:
        """Set parameters; they count from the next `fit` on.

        Parameters
        ----------
        **params
            By name.

        Raises
        ------
        InputError
            There is no such parameter; the nearest is named.
        """
        for key, value in params.items():
            if key not in PARAMETERS:
                raise InputError(WHERE, f"has no parameter {key!r}", hint=nearest(key, PARAMETERS))
            setattr(self, key, value)
        return self

    def __repr__(self) -> str:
        return f"Forecaster(graph={self.graph!r}, horizon={self.horizon!r}, seed={self.seed!r})"

    # --- learning ---

    def fit(self, y: ArrayLike, X: ArrayLike | None = None, times: Any = None) -> Self:
        """Begin anew, and run over a series once, learning from every value.

        Parameters
        ----------
        y : array [n] or [n, columns]
            The series; NaN where a value is absent. The index of a pandas object is taken as its times.
        X : array [n] or [n, m], optional
            Numbers that are known before the outcome of their tick. Every forecast is told those of its outcome's tick.
        times : array [n], optional
            Timestamps: datetime64, datetimes, or texts as ISO 8601 writes them.

        Returns
        -------
        Forecaster
            Itself.

        Raises
        ------
        InputError
            Fewer values than the longest horizon asks for, numbers that are infinite, other shapes, or times with gaps.
        FileError, GraphError
            The graph is not there (the nearest name is suggested), or cannot forecast.
        """
        self._run = None
        return self.partial_fit(y, X, times)

    def partial_fit(self, y: ArrayLike, X: ArrayLike | None = None, times: Any = None) -> Self:
        """Go on where the last call ended, from its next tick on; the first call is a `fit`.

        Parameters
        ----------
        y, X, times
            As in `fit`.

        Returns
        -------
        Forecaster
            Itself.
        """
        data = read(y, X, times)
        if self._run is None:
            self._begin(data)
        else:
            self._check_same(data)
        assert self._run is not None
        feed = self._run.stream
        values, stamps, extra = self._placed(feed, data)
        feed.add(values, stamps, extra)
        self._run.run(len(values))
        return self

    def _begin(self, data: Data) -> None:
        horizons = check_horizons(self.horizon, WHERE)
        if len(data.values) <= horizons[-1]:
            raise InputError(WHERE, f"needs more values than the longest horizon, {horizons[-1]}", len(data.values))
        graph = self._graph()
        cycles = self._cycles()
        declared = {} if graph is None else calendar_of(graph)
        calendar = {cycle: declared.get(cycle, UNITS[cycle]) for cycle in CYCLES if cycle in (*declared, *cycles)}
        if calendar and data.times is None:
            raise InputError(WHERE, f"needs times= for {CYCLES[next(iter(calendar))]!r}",
                             hint="the index of a pandas series serves, too")
        columns, extra = source_names(data.names), 0 if data.extra is None else data.extra.shape[1]
        step = None if data.times is None else place(data.times, self.gaps, WHERE, range(len(data.times))).step
        if graph is None:
            lags = self.lags if self.lags is not None else default_lags(len(data.values))
            made = forecast_graph(list(columns), lags, horizons, calendar=calendar, extra=extra)
            feed: Series = Changes(columns, horizons, calendar, step, extra)
        else:
            made = expand(graph, list(columns), horizons, cycles, extra)
            feed = Values(columns, horizons, calendar, step, extra)
        # a value that is absent is a tick without a target
        self._run = ForecastRun(Simulation(made, seed=self.seed, on_bad="skip"), feed)
        self._axes, self._bands, self._past = data.axes, {}, None

    _axes = 1
    _bands: dict[tuple[float, ...], tuple[int, list[list[Bands]]]]
    _past: tuple[int, Forecasts] | None

    def _graph(self) -> RegionGraph | None:
        """The graph that is to forecast; None: it is made for the series."""
        if isinstance(self.graph, RegionGraph):
            return self.graph
        if not isinstance(self.graph, str | os.PathLike):
            raise InputError(WHERE, "graph must be a name, the path of a TOML file, or a RegionGraph",
                             type(self.graph).__name__)
        if self.graph == CHANGES:
            return None
        try:
            return load(self.graph)
        except FileError as error:
            if "is not in the catalogue" not in str(error):
                raise
            raise FileError(f"{WHERE}: graph {self.graph!r}", "is not in the catalogue",
                            hint=nearest(str(self.graph), [*names(), CHANGES])) from error

    def _cycles(self) -> list[str]:
        cycles = [self.calendar] if isinstance(self.calendar, str) else list(self.calendar or [])
        for cycle in cycles:
            if cycle not in CYCLES:
                raise InputError(WHERE, f"calendar must be of {', '.join(CYCLES)}", cycle, nearest(str(cycle), CYCLES))
        return cycles

    def _check_same(self, data: Data) -> None:
        """Whether data goes on with what came before."""
        assert self._run is not None
        feed = self._run.stream
        if data.values.shape[1] != len(feed.columns):
            raise InputError(f"{WHERE}: y", f"must have {len(feed.columns)} columns, as before", data.values.shape[1])
        size = 0 if data.extra is None else data.extra.shape[1]
        if size != feed.extra.shape[1]:
            raise InputError(f"{WHERE}: X", f"must have {feed.extra.shape[1]} numbers a tick, as before", size)
        if (data.times is None) != (feed.times is None):
            raise InputError(f"{WHERE}: times", "must be given in every call, or in none")

    def _placed(self, feed: Series, data: Data) -> tuple[Floats, Times | None, NDArray[np.float32] | None]:
        """Rows by tick: where times are left out and gaps are to be filled, ticks without a value."""
        if data.times is None:
            return data.values, None, data.extra
        before = data.times[:0] if feed.times is None else feed.times[-1:]
        rows = range(-len(before), len(data.times))
        grid = place(np.concatenate([before, data.times]), self.gaps, f"{WHERE}: times", rows, feed.step)
        new = len(before)
        at, kept = grid.tick[grid.kept >= new] - new, grid.kept[grid.kept >= new] - new
        values = np.full((len(grid.times) - new, data.values.shape[1]), np.nan)
        values[at] = data.values[kept]
        extra = None
        if data.extra is not None:
            extra = np.full((len(values), data.extra.shape[1]), np.nan, np.float32)
            extra[at] = data.extra[kept]
        return values, grid.times[new:], extra

    # --- forecasts ---

    def predict(self, horizon: int | Sequence[int] | None = None, quantiles: Sequence[float] | float | None = None,
                X: ArrayLike | None = None) -> Floats:
        """Forecast what comes after the last value seen; nothing that was learned changes.

        Parameters
        ----------
        horizon : int or list of int, optional
            Ticks ahead, of those that were fitted; by default all of them.
        quantiles : float or list of float, optional
            Levels between 0 and 1, rising, of which the quantiles are given in place of the forecasts; they are taken
            from the errors so far (:class:`cortexsim.quantiles.ErrorQuantiles`), and NaN while these are too few.
        X : array [n] or [n, m], optional
            What is known of the ticks to come, if X was fitted: the first row belongs to the tick after the last.
            What is forecast with it goes into the `history`.

        Returns
        -------
        float64 array [horizons, columns, quantiles]
            Without the axis of columns where y had none, and that of quantiles where no list of them is asked for.

        Raises
        ------
        InputError
            It was not fitted, or not for this horizon, or X is missing.
        """
        run = self._fitted()
        horizons = run.stream.horizons
        wanted = horizons if horizon is None else check_horizons(horizon, f"{WHERE}.predict")
        for h in wanted:
            if h not in horizons:
                raise InputError(f"{WHERE}.predict", f"was fitted for the horizons {', '.join(map(str, horizons))}", h)
        told = run.ahead(self._coming(X, wanted[-1]))
        self._past = None if X is not None else self._past
        made = np.empty((len(wanted), len(run.columns)))
        for place_, h in enumerate(wanted):
            ticks = np.array([run.sim.tick - 1 + h])
            for k, name in enumerate(run.columns):
                made[place_, k] = run.stream.restore(name, h, ticks, told[horizons.index(h), k:k + 1])[0]
        if quantiles is not None:
            spread = self._spread(check_levels(quantiles, f"{WHERE}.predict: quantiles"))
            made = made[..., None] + spread[[horizons.index(h) for h in wanted]]
            made = made[..., 0] if isinstance(quantiles, int | float) else made
        return made if self._axes == 2 else made[:, 0]

    def _fitted(self) -> ForecastRun:
        if self._run is None:
            raise InputError(WHERE, "has not been fitted", hint="call fit(y) first")
        return self._run

    def _coming(self, X: ArrayLike | None, ticks: int) -> NDArray[np.float32] | None:
        size = self._fitted().stream.extra.shape[1]
        if X is None and not size:
            return None
        if X is None or not size:
            raise InputError(f"{WHERE}.predict: X", "must be given if, and only if, it was fitted",
                             "none" if X is None else "X")
        rows = extra_rows(X, None)
        if rows.shape[1] != size or len(rows) < ticks:
            raise InputError(f"{WHERE}.predict: X", f"must be at least {ticks} rows of {size} numbers", rows.shape)
        return rows

    def _spread(self, levels: tuple[float, ...]) -> Floats:
        """The quantiles of the errors to come [horizons, columns, levels]."""
        run = self._fitted()
        horizons, values = run.stream.horizons, run.stream.values
        done, made = self._bands.get(levels, (0, [[Bands(h, levels) for _ in run.columns] for h in horizons]))
        forecasts = run.forecasts()
        for row, h in enumerate(horizons):
            for k in range(len(run.columns)):
                for tick in range(done, len(values)):
                    made[row][k].next(float(values[tick, k]), float(forecasts[row, tick + h, k]))
        self._bands[levels] = len(values), made
        return np.array([[band.spread() for band in row] for row in made])

    @property
    def simulation(self) -> Simulation:
        """The running graph."""
        return self._fitted().sim

    @property
    def history(self) -> Forecasts:
        """Every forecast so far, each made before its outcome, beside the baselines."""
        run = self._fitted()
        if self._past is None or self._past[0] != run.sim.tick:
            self._past = run.sim.tick, run.result(self.lags, self.season)
        return self._past[1]

    def score(self, y: ArrayLike | None = None, X: ArrayLike | None = None, times: Any = None) -> float:
        """How good the forecasts are: 1 - squared error over the variance of the truth, mean of columns and horizons.

        Parameters
        ----------
        y, X, times : optional
            What came after the last value seen, as in `fit`: a copy goes on over it, and learns as it goes. Without
            them the second half of what was seen is scored, each value by what was forecast of it before.

        Returns
        -------
        float
            1 is perfect, 0 no better than the mean; NaN where the truth never changes.
        """
        run = self._fitted()
        first = run.sim.tick // 2
        if y is not None:
            first, other = run.sim.tick, self._copy()
            run = other.partial_fit(y, X, times)._fitted()
        truth, told = run.stream.values[first:], run.forecasts()[:, first:len(run.stream.values)]
        scores = []
        for guess in told:
            there = np.isfinite(truth) & np.isfinite(guess)
            for k in range(truth.shape[1]):
                true, error = truth[there[:, k], k], (truth - guess)[there[:, k], k]
                spread = float(np.var(true)) if len(true) else 0.0
                scores.append(1 - float(np.mean(error ** 2)) / spread if spread else np.nan)
        return float(np.mean(scores))

    def _copy(self) -> Forecaster:
        """One that shares nothing with this one, in the same state."""
        run, other = self._fitted(), Forecaster(**self.get_params())
        other._axes, other._bands, other._past = self._axes, {}, None
        other._run = ForecastRun(run.sim.copy(), copy.deepcopy(run.stream))
        other._run.remember(run.told())
        return other


PARAMETERS = ("graph", "horizon", "calendar", "season", "lags", "gaps", "seed")
