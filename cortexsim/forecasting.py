"""Forecasts of time series: the region graph of ``cortexsim run forecast``, and its run.

A forecast for tick t, `horizon` ticks ahead, is made from values and weights of tick ``t - horizon``: what came
later would have to be known in advance.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from cortexsim.baselines import Season, filled, find_season, last_value, rls_autoregression, seasonal_naive
from cortexsim.carry import copy_values
from cortexsim.errors import InputError
from cortexsim.forecast_graphs import horizon_tag
from cortexsim.forecast_table import Forecasts
from cortexsim.graph import RegionGraph
from cortexsim.quantiles import LEVELS, Bands
from cortexsim.simulation import Simulation
from cortexsim.sources import whole_number
from cortexsim.sources._series import EXTRA, Floats, Series, check_horizons
from cortexsim.sources.changes import Changes, names_of
from cortexsim.timestamps import CYCLES

NLMS = "J. Nagumo and A. Noda, IEEE Trans. Automatic Control 12 (1967) 282-287, doi:10.1109/TAC.1967.1098599"
SHARED_LAGS = 3  #: Recent steps of every column that the shared region codes.


def default_lags(rows: int) -> int:
    """How many past steps a region is told: a twelfth of the rows, at least 1 and at most 53, a year of weeks.

    Examples
    --------
    >>> [default_lags(rows) for rows in (5, 288, 100_000)]
    [1, 24, 53]
    """
    return max(1, min(53, rows // 12))


def forecast_graph(columns: Sequence[str], lags: int = 24, horizon: int | Sequence[int] = 1,
                   learning_rate: float = 0.1, floor: float = 0.1, shared: bool | None = None,
                   calendar: Mapping[str, int] | None = None, extra: int = 0) -> RegionGraph:
    """The region graph that forecasts columns: a ``delta`` region for each, and one that they share.

    The region of a column predicts by how much it changes in `horizon` ticks, from its last steps, which reach the
    region by delayed edges: nothing younger than `horizon` ticks, so nothing of the outcome. With several columns,
    a ``subspace`` region codes the recent steps of them all, and its code is context to every column's region. Of
    several horizons, each has a region, ``co2-3``.

    Parameters
    ----------
    columns : sequence of str
        Names that a node may have.
    lags : int
        Past steps of its own that a region is told.
    horizon : int or sequence of int
        Ticks ahead.
    learning_rate, floor : float
        Of the normalised step; see the kind ``delta``.
    shared : bool, optional
        Whether to add the region that all share; by default where there are several columns.
    calendar : mapping of str to int, optional
        Cycle (``"day"``, ``"week"``, ``"year"``) -> units of the source that tells every region the place in it.
    extra : int
        Numbers of the source ``X``, of which every region is told; 0: there is none.

    Returns
    -------
    RegionGraph
        Its sources are those of the stream ``changes``.

    Raises
    ------
    InputError
        No column, one that comes twice, or lags or horizon below 1.
    GraphError
        A name that no node may have.

    Examples
    --------
    >>> forecast_graph(["co2"], lags=53)
    RegionGraph 'forecast': 1 source, 1 region, 54 edges
    >>> forecast_graph(["rain", "flow"], lags=4, horizon=2).regions
    ['flow', 'rain', 'shared']
    >>> forecast_graph(["co2"], lags=2, horizon=[1, 3]).regions
    ['co2-1', 'co2-3']
    """
    lags = whole_number("forecast", "lags", lags, 1)
    horizons = check_horizons(horizon, "forecast")
    if not columns or len(set(columns)) < len(columns):
        raise InputError("forecast", "needs columns, each of them once", list(columns))
    ahead = ", ".join(map(str, horizons[:-1])) + " and " * (len(horizons) > 1) + str(horizons[-1])
    graph = RegionGraph(name="forecast", why=f"Forecasts of {', '.join(columns)}, {ahead} tick"
                        f"{'s' * (horizons != (1,))} ahead, each column from its own past"
                        + (" and a code of them all." if len(columns) > 1 else "."))
    before = [CYCLES[cycle] for cycle, size in (calendar or {}).items() if size] + [EXTRA] * (extra > 0)
    for cycle, size in (calendar or {}).items():
        if size:
            graph.add_source(CYCLES[cycle], size=size, known="before", why=f"the place in the {cycle}")
    if extra:
        graph.add_source(EXTRA, size=extra, known="before", why="what else is known before the outcome")
    names = names_of(columns, horizons)
    for column in columns:
        for h, change in names[column].changes.items():
            over = f"over {h} ticks" if h > 1 else "since the tick before"
            graph.add_source(change, size=1, why=f"how {column} changed {over}, in units of its past changes")
        if names[column].step not in graph:
            graph.add_source(names[column].step, size=1, why=f"how {column} changed since the tick before")
    code = ""
    if shared if shared is not None else len(columns) > 1:
        code = _add_shared(graph, [names[column].step for column in columns])
    for column in columns:
        for h, change in names[column].changes.items():
            own = [f"{names[column].step}@{h + k}" for k in range(lags)] + [f"{code}.state@{h}"] * bool(code)
            graph.add_region(
                column if len(horizons) == 1 else f"{column}-{h}", kind="delta", predicts=change,
                context=own + before, learning_rate=learning_rate, floor=floor, bias=False, tags=[horizon_tag(h)],
                cite=NLMS, why="Changes, since levels drift; a tenth of the whole normalised step averages the noise "
                "of about twenty ticks; a floor, since the steps of a quiet stretch would make a step of learning "
                "immense; no constant, since the changes are centred.")
    return graph.check()


def _add_shared(graph: RegionGraph, steps: Sequence[str]) -> str:
    """Add the region that codes the recent steps of all columns; returns its name."""
    name = "shared"
    while name in graph or any(name == step.rpartition("-")[0] for step in steps):
        name += "+"
    graph.add_region(
        name, kind="subspace", predicts=[f"{step}@{lag}" for step in steps for lag in range(SHARED_LAGS)],
        size=2 * len(steps), learning_rate=0.5, decay_updates=200.0,
        why="What the columns have in common is a few directions of their recent steps; the code settles, so that "
            "those who read it need not follow it.")
    return name


# --- the run ---

class ForecastRun:
    """Runs a simulation over time series and keeps every forecast.

    Parameters
    ----------
    sim : Simulation
        Of a graph whose regions forecast: each predicts what the stream names as the target of a column and a
        horizon, and has the tag ``horizon-3`` (and so on) where one target serves several.
    stream : Series
        What the graph's sources are fed with, at the simulation's tick.

    Attributes
    ----------
    columns : list of str
        Those that there are regions for at every horizon.

    Notes
    -----
    One tick ahead, a forecast is the region's prediction. Further ahead, that prediction would use weights that
    learned from outcomes later than the forecast (but for kinds that keep the weights of so many ticks ago). So after
    every tick a copy runs on to the longest horizon, without the series and without learning, and what it then predicts
    are the forecasts for all horizons: a tick costs as many more predictions of the graph as that has ticks.
    """

    def __init__(self, sim: Simulation, stream: Series) -> None:
        self.sim, self.stream = sim, stream
        self.regions = find_regions(sim, stream)
        self.columns = [name for name in stream.columns
                        if all((name, h) in self.regions for h in stream.horizons)]
        keep = {(name, h): self.regions[name, h] for name in self.columns for h in stream.horizons}
        honest = [h == 1 or sim.plan.regions[region].hyper.get("horizon") == h for (_, h), region in keep.items()]
        self._probes = {key: sim.record(f"{region}.prediction") for key, region in keep.items()} if all(honest) else {}
        # made when it is needed first: a copy of what nobody asks for would cost as much memory as the graph
        self._twin: Simulation | None = None
        self._told = np.full((len(stream.horizons), 0, len(self.columns)), np.nan)
        # the tick at which something was told last
        self._asked = 0
        # what was said to be known of the ticks to come, and at which tick
        self._said: tuple[int, NDArray[np.float32] | None] = (0, None)

    def run(self, ticks: int) -> None:
        """Run the next ticks; their forecasts are kept even where an error ends the run.

        Parameters
        ----------
        ticks : int
            At most as many as the stream has left.
        """
        if self._probes or not self.columns:
            self.sim.run(self.stream, ticks=ticks)
            return
        self._catch_up()
        for _ in range(ticks):
            self.sim.run(self.stream, ticks=1)
            self.ahead()

    def _catch_up(self) -> None:
        """Tell what there was no time for: an interrupt came just after a tick."""
        if self.columns and not self._probes and self._asked < self.sim.tick:
            self.ahead()

    def _note(self, k: int, tick: int, told: Floats) -> None:
        length = self._told.shape[1]
        if tick >= length:
            more = np.full((len(self._told), max(256, length, tick + 1 - length), len(self.columns)), np.nan)
            self._told = np.concatenate([self._told, more], axis=1)
        self._told[k, tick] = told

    def remember(self, told: Floats) -> None:
        """Take over what another run of the same graph has told up to this tick, as its `told` gives it."""
        self._told, self._asked = told.copy(), self.sim.tick

    def ahead(self, extra: NDArray[np.float32] | None = None, fill: bool = False) -> Floats:
        """What the regions tell now, of the tick that lies each horizon ahead; it is noted as told.

        Parameters
        ----------
        extra : float32 array, optional
            Rows of the source ``X`` beyond the data; those given last at this tick, if they are left out. Where one is
            missing there is no forecast.
        fill : bool
            Note, too, what regions that keep earlier weights told of the ticks before that.

        Returns
        -------
        float64 array [horizons, columns]
        """
        if self._twin is None:
            self._twin = self.sim.copy()
        if extra is not None:
            self._said = self.sim.tick, extra
        elif self._said[0] == self.sim.tick:
            extra = self._said[1]
        twin, horizons = self._twin, self.stream.horizons
        synchronise(self.sim, twin)
        twin.engine.learn = twin.engine.scoring = False
        start, made = self.sim.tick, np.full((len(horizons), len(self.columns)), np.nan)
        known = self.stream.known(start, horizons[-1], extra)
        absent = [bool(np.isnan(row).any()) for row in known.get(EXTRA, np.zeros((horizons[-1], 1)))]
        if EXTRA in known:
            known[EXTRA] = np.nan_to_num(known[EXTRA])
        stops = range(1, horizons[-1] + 1) if fill else horizons
        at = staged = 0
        for stop in stops:
            while at < stop:
                if at == staged:
                    staged = self._stage(twin, at, known)
                end = min(stop, staged)
                twin.engine.run(start + at, start + end, twin.plan.block)
                at = end
            for k, h in enumerate(horizons):
                if h == stop or fill and h > stop:
                    told = np.array([self._value(twin, name, h, start + at - 1) for name in self.columns])
                    told[:] = np.nan if any(absent[:at]) else told
                    self._note(k, start + at - 1, told)
                    if h == stop:
                        made[k] = told
        self._asked = start
        return made

    def _stage(self, twin: Simulation, at: int, known: Mapping[str, NDArray[np.float32]]) -> int:
        """Bring in what is known of the ticks to come, from a tick on; returns up to where."""
        end = min(at + twin.engine.staged_limit(), self.stream.horizon)
        for name in twin.plan.sources:
            rows = known.get(name)
            twin.engine.stage(name, twin.tick + at, None if rows is None else rows[at:end], None, 1, end - at)
        return end

    def _value(self, twin: Simulation, column: str, horizon: int, tick: int) -> float:
        return float(twin.engine.value(f"{self.regions[column, horizon]}.prediction", tick)[0])

    def told(self) -> Floats:
        """What the regions told of every tick, those beyond the last one included [horizons, ticks + longest, columns].

        Forecasts of ``X`` that was not known are NaN.
        """
        stream, ticks = self.stream, self.sim.tick
        if self._probes and self.columns and ticks:
            self.ahead(fill=True)
        self._catch_up()
        told = np.full((len(stream.horizons), ticks + stream.horizon, len(self.columns)), np.nan)
        there = min(told.shape[1], self._told.shape[1])
        told[:, :there] = self._told[:, :there]
        for (name, h), probe in self._probes.items():
            told[stream.horizons.index(h), probe.ticks, self.columns.index(name)] = probe.values[:, 0]
        for k, h in enumerate(stream.horizons):
            told[k, :h] = told[k, ticks + h:] = np.nan
        return told

    def forecasts(self) -> Floats:
        """The same as values of the columns."""
        told = self.told()
        for k, h in enumerate(self.stream.horizons):
            ticks = np.arange(h, self.sim.tick + h)
            for c, name in enumerate(self.columns):
                told[k, ticks, c] = self.stream.restore(name, h, ticks, told[k, ticks, c])
        return told

    def result(self, lags: int | None = None, season: int | None = None, levels: Sequence[float] = LEVELS,
               first: int | None = None) -> Forecasts:
        """All forecasts so far, the baselines, and forecasts of what lies beyond the last tick.

        Parameters
        ----------
        lags : int, optional
            Of the baseline RLS-AR; by default as many as the first column's region is told, or `default_lags`.
        season : int, optional
            Ticks of the seasonal naive baseline; by default it is found in the ticks that are not scored.
        levels : sequence of float
            Of the quantiles.
        first : int, optional
            The first tick that is scored; by default the first of the second half.

        Returns
        -------
        Forecasts
        """
        stream, ticks = self.stream, self.sim.tick
        first = ticks // 2 if first is None else min(first, ticks)
        chosen = [list(stream.columns).index(name) for name in self.columns]
        values = stream.values[:ticks, chosen]
        found = (Season(season, "as given") if season is not None else
                 find_season(values[:first], stream.step) if self.columns else Season(0, "none found"))
        order = lags or self._lags(ticks)
        forecast = self.forecasts()
        gap = np.full((stream.horizon, len(chosen)), np.nan)
        return Forecasts(
            [stream.columns[name] for name in self.columns], stream.horizons, np.concatenate([values, gap]), forecast,
            last_value(values, stream.horizons), linear_forecasts(values, stream.horizons, order),
            seasonal_naive(values, stream.horizons, found.ticks), bands(values, forecast, stream.horizons, levels),
            tuple(levels), found, order, first,
            None if stream.times is None else stream.times_of(0, ticks + stream.horizon))

    def _lags(self, ticks: int) -> int:
        if isinstance(self.stream, Changes) and self.columns:
            name, h = self.columns[0], self.stream.horizons[0]
            return count_lags(self.sim.graph, self.regions[name, h], self.stream.names[name].step)
        return default_lags(ticks)


def find_regions(sim: Simulation, stream: Series) -> dict[tuple[str, int], str]:
    """The region that forecasts each column so many ticks ahead: it predicts its target, and nothing else."""
    found = {}
    for column in stream.columns:
        for h in stream.horizons:
            target = f"{stream.target(column, h)}.value"
            there = [name for name, region in sim.plan.regions.items()
                     if [edge.signal for edge in region.edges["target"]] == [target]
                     and f"{name}.prediction" in sim.plan.signals]
            tagged = [name for name in there if horizon_tag(h) in sim.plan.regions[name].data["tags"]]
            # files of before there were tags have one region for each target
            chosen = tagged or (there if len(there) == 1 else [])
            if chosen:
                found[column, h] = chosen[0]
    return found


def linear_forecasts(values: Floats, horizons: Sequence[int], lags: int) -> Floats:
    """The baseline RLS-AR: changes by recursive least squares on the last steps, as values of the columns."""
    made = np.full((len(horizons), len(values) + max(horizons), values.shape[1]), np.nan)
    if not len(values):
        return made
    series = Changes({f"c{k}": "" for k in range(values.shape[1])}, horizons, {})
    series.add(filled(values))
    for k, names in enumerate(series.names.values()):
        step = np.nan_to_num(series.rows[names.step][:, 0])
        changes = np.stack([series.rows[names.changes[h]][:, 0] for h in series.horizons])
        told = rls_autoregression(step, changes, lags, series.horizons)
        for row, h in enumerate(series.horizons):
            ticks = np.arange(h, len(values) + h)
            made[row, ticks, k] = series.restore(f"c{k}", h, ticks, told[row, ticks])
    return made


def bands(values: Floats, forecast: Floats, horizons: Sequence[int], levels: Sequence[float]) -> Floats:
    """Quantiles of forecasts, from the errors known when each was made [horizons, ticks + longest, columns, levels]."""
    made = np.full((*forecast.shape, len(levels)), np.nan)
    for row, h in enumerate(horizons):
        for k in range(values.shape[1]):
            spread, told = Bands(h, levels), forecast[row, h:h + len(values), k].tolist()
            made[row, h:h + len(values), k] = [
                spread.next(truth, guess) for truth, guess in zip(values[:, k].tolist(), told, strict=True)] or np.nan
    return made


def count_lags(graph: RegionGraph, region: str, step: str) -> int:
    """How many past steps a region is told, at least 1."""
    return max(1, sum(data["role"] == "context" for data in (graph.get_edge_data(step, region) or {}).values()))


def synchronise(sim: Simulation, twin: Simulation) -> None:
    """Bring a copy of a simulation, made by ``sim.copy()``, to its present state again, without planning anew."""
    twin.memory.store[:] = sim.memory.store
    copy_values(sim.memory, twin.memory)
    twin.tick = sim.tick
