"""Forecasts of time series: the region graph of ``cortexsim run forecast``, its run, and the baselines beside it.

A forecast for tick t, `horizon` ticks ahead, is made from values and weights of tick ``t - horizon``: what came
later would have to be known in advance.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from cortexsim.carry import copy_values
from cortexsim.errors import InputError
from cortexsim.forecast_table import Forecasts, rls_autoregression
from cortexsim.graph import RegionGraph
from cortexsim.simulation import Simulation
from cortexsim.sources import whole_number
from cortexsim.sources.changes import Stream, names_of

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


def forecast_graph(columns: Sequence[str], lags: int = 24, horizon: int = 1, learning_rate: float = 0.1,
                   floor: float = 0.1, shared: bool | None = None) -> RegionGraph:
    """The region graph that forecasts columns: a ``delta`` region for each, and one that they share.

    The region of a column predicts by how much it changes in `horizon` ticks, from its last steps, which reach the
    region by delayed edges: nothing younger than `horizon` ticks, so nothing of the outcome. With several columns,
    a ``subspace`` region codes the recent steps of them all, and its code is context to every column's region.

    Parameters
    ----------
    columns : sequence of str
        Names that a node may have.
    lags : int
        Past steps of its own that a region is told.
    horizon : int
        Ticks ahead.
    learning_rate, floor : float
        Of the normalised step; see the kind ``delta``.
    shared : bool, optional
        Whether to add the region that all share; by default where there are several columns.

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
    """
    lags = whole_number("forecast", "lags", lags, 1)
    horizon = whole_number("forecast", "horizon", horizon, 1)
    if not columns or len(set(columns)) < len(columns):
        raise InputError("forecast", "needs columns, each of them once", list(columns))
    graph = RegionGraph(name="forecast", why=f"Forecasts of {', '.join(columns)}, {horizon} tick"
                        f"{'s' * (horizon > 1)} ahead, each column from its own past"
                        + (" and a code of them all." if len(columns) > 1 else "."))
    names = names_of(columns, horizon)
    for column in columns:
        ahead = f"over {horizon} ticks" if horizon > 1 else "since the tick before"
        graph.add_source(names[column].change, size=1,
                         why=f"how {column} changed {ahead}, in units of its past changes")
        if names[column].step not in graph:
            graph.add_source(names[column].step, size=1, why=f"how {column} changed since the tick before")
    common: list[str] = []
    if shared if shared is not None else len(columns) > 1:
        common = [_add_shared(graph, [names[column].step for column in columns], horizon)]
    for column in columns:
        own = [f"{names[column].step}@{horizon + k}" for k in range(lags)]
        graph.add_region(
            column, kind="delta", predicts=names[column].change, context=own + common, learning_rate=learning_rate,
            floor=floor, bias=False, cite=NLMS,
            why="Changes, since levels drift; a tenth of the whole normalised step averages the noise of about "
                "twenty ticks; a floor, since the steps of a quiet stretch would make a step of learning immense; "
                "no constant, since the changes are centred.")
    return graph.check()


def _add_shared(graph: RegionGraph, steps: Sequence[str], horizon: int) -> str:
    """Add the region that codes the recent steps of all columns; returns the signal that others read."""
    name = "shared"
    while name in graph or any(name == step.rpartition("-")[0] for step in steps):
        name += "+"
    graph.add_region(
        name, kind="subspace", predicts=[f"{step}@{lag}" for step in steps for lag in range(SHARED_LAGS)],
        size=2 * len(steps), learning_rate=0.5, decay_updates=200.0,
        why="What the columns have in common is a few directions of their recent steps; the code settles, so that "
            "those who read it need not follow it.")
    return f"{name}.state@{horizon}"


# --- the run ---

class Forecaster:
    """Runs a simulation over a stream of changes and keeps every forecast.

    Parameters
    ----------
    sim : Simulation
        Of a graph that has a region named after each column it forecasts.
    stream : cortexsim.sources.changes.Stream
        What the graph's sources are fed with, at the simulation's tick.

    Notes
    -----
    One tick ahead, a forecast is the region's prediction. Further ahead, that prediction would use weights that
    learned from outcomes later than the forecast; so after every tick a copy runs `horizon` ticks on, without input
    and without learning, and what it then predicts is the forecast.
    """

    def __init__(self, sim: Simulation, stream: Stream) -> None:
        self.sim, self.stream = sim, stream
        self.columns = [name for name in stream.columns if _forecasts(sim, name, stream)]
        self._told = np.full((stream.length + stream.horizon, len(self.columns)), np.nan)
        self._probes = [sim.record(f"{name}.prediction") for name in self.columns] if stream.horizon == 1 else []
        self._twin = sim.copy() if stream.horizon > 1 and self.columns else None

    def run(self, ticks: int) -> None:
        """Run the next ticks; their forecasts are kept even where an error ends the run.

        Parameters
        ----------
        ticks : int
            At most as many as the stream has left.
        """
        if self._twin is None:
            self.sim.run(self.stream, ticks=ticks)
            return
        for _ in range(ticks):
            self.sim.run(self.stream, ticks=1)
            self._told[self.sim.tick - 1 + self.stream.horizon] = self._ahead(self._twin)

    def _ahead(self, twin: Simulation) -> list[float]:
        """What the regions predict for `horizon` ticks from the last one that ran."""
        start, end = self.sim.tick, self.sim.tick + self.stream.horizon
        synchronise(self.sim, twin)
        twin.engine.learn = twin.engine.scoring = False
        longest = twin.engine.staged_limit()
        for tick in range(start, end, longest):
            n = min(longest, end - tick)
            for name in twin.plan.sources:
                twin.engine.stage(name, tick, None, None, 1, n)
            twin.engine.run(tick, tick + n, twin.plan.block)
        return [float(twin.engine.value(f"{name}.prediction", end - 1)[0]) for name in self.columns]

    def result(self, lags: int | None = None) -> Forecasts:
        """All forecasts so far, the baselines, and forecasts of what lies beyond the last tick.

        Parameters
        ----------
        lags : int, optional
            Of the baseline RLS-AR; by default as many as the first column's region is told.

        Returns
        -------
        Forecasts
        """
        stream, ticks = self.stream, self.sim.tick
        told = self._told.copy()
        for k, probe in enumerate(self._probes):
            told[probe.ticks, k] = probe.values[:, 0]
        if self._probes:
            coming = self.sim.predict()
            told[ticks] = [coming[name][0] for name in self.columns]
        rls = np.full_like(told, np.nan)
        for k, name in enumerate(self.columns):
            names, rows = stream.names[name], stream.rows
            order = lags or count_lags(self.sim.graph, name, names.step)
            rls[:ticks + stream.horizon, k] = rls_autoregression(
                rows[names.step][:ticks, 0], rows[names.change][:ticks, 0], order, stream.horizon)
        end, gap = ticks + stream.horizon, np.full((stream.horizon, len(self.columns)), np.nan)
        values = stream.values[:ticks, [list(stream.columns).index(name) for name in self.columns]]
        back = [np.stack([stream.restore(name, table[:, k])[:end] for k, name in enumerate(self.columns)], axis=1)
                for table in (told, rls)]
        return Forecasts([stream.columns[name] for name in self.columns], stream.horizon,
                         np.concatenate([values, gap]), back[0], np.concatenate([gap, values]), back[1])


def _forecasts(sim: Simulation, column: str, stream: Stream) -> bool:
    """Whether a region of that name predicts the change of the column, and nothing else."""
    region = sim.plan.regions.get(column)
    targets = [] if region is None else region.edges["target"]
    return ([edge.signal for edge in targets] == [f"{stream.names[column].change}.value"]
            and f"{column}.prediction" in sim.plan.signals)


def count_lags(graph: RegionGraph, region: str, step: str) -> int:
    """How many past steps a region is told, at least 1."""
    return max(1, sum(data["role"] == "context" for data in (graph.get_edge_data(step, region) or {}).values()))


def synchronise(sim: Simulation, twin: Simulation) -> None:
    """Bring a copy of a simulation, made by ``sim.copy()``, to its present state again, without planning anew."""
    twin.memory.store[:] = sim.memory.store
    copy_values(sim.memory, twin.memory)
    twin.tick = sim.tick
