"""Any graph that predicts the next value, made into one that forecasts several columns several ticks ahead.

Such a graph has a source ``value`` of one unit, and a region that predicts it; it may have ``time_of_day``,
``day_of_week``, ``time_of_year`` and ``X``, known before. It is written for the next tick. To forecast h ticks ahead
the region gets a copy, in which all that it is told, but for what is known before, is h - 1 ticks older: nothing of the
outcome, and of the ticks between, is in it. The regions that only feed it are shared by all horizons. Where a kind has
a hyperparameter ``horizon``, it is set. Of several columns, each has a copy of all.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from cortexsim.errors import GraphError, nearest
from cortexsim.graph import RegionGraph
from cortexsim.kind import find_kind
from cortexsim.shorthand import Reference, edge_name
from cortexsim.sources._series import EXTRA, UNITS
from cortexsim.sources.series import VALUE, value_name
from cortexsim.timestamps import CYCLES

FORECAST = "forecast"  #: The region that is meant where several predict the value.
BEFORE = (*CYCLES.values(), EXTRA)


def horizon_tag(horizon: int) -> str:
    """The tag of a region that forecasts so many ticks ahead.

    Examples
    --------
    >>> horizon_tag(3)
    'horizon-3'
    """
    return f"horizon-{horizon}"


def calendar_of(graph: RegionGraph) -> dict[str, int]:
    """The cycles that a graph is told of, and the units of their sources."""
    return {cycle: _size(graph, name) for cycle, name in CYCLES.items() if name in graph.sources}


def expand(graph: RegionGraph, columns: Sequence[str], horizons: Sequence[int], calendar: Sequence[str] = (),
           extra: int = 0) -> RegionGraph:
    """Make a graph that forecasts columns from one that predicts the next value.

    Parameters
    ----------
    graph : RegionGraph
        With a source ``value``.
    columns : sequence of str
        Names that a node may have.
    horizons : sequence of int
        Ticks ahead.
    calendar : sequence of str
        Cycles to tell the region of, beside those that it is told of: ``"day"``, ``"week"``, ``"year"``.
    extra : int
        Numbers of the source ``X``, which the region is told if the graph has no such source; 0: there are none.

    Returns
    -------
    RegionGraph
        Checked. The regions that forecast have the tag ``horizon-3`` (and so on).

    Raises
    ------
    GraphError
        There is no source ``value``, nobody predicts it, or something else that forecasting cannot serve: the message
        names it.
    """
    base = graph.copy().check()
    where = f"graph {base.graph.get('name') or 'without a name'!r}"
    _check_sources(base, where, extra)
    final = _final(base, where)
    for cycle in calendar:
        if CYCLES[cycle] not in base:
            base.add_source(CYCLES[cycle], size=UNITS[cycle], known="before", why=f"the place in the {cycle}")
            base.connect(f"{CYCLES[cycle]}@0", final)
    if extra and EXTRA not in base:
        base.add_source(EXTRA, size=extra, known="before", why="what else is known before the outcome")
        base.connect(f"{EXTRA}@0", final)
    made = RegionGraph(**{key: value for key, value in base.graph.items() if key != "stream"})
    for column in columns:
        _Copy(base, made, final, columns, column, horizons).make()
    return made.check()


def _size(graph: RegionGraph, name: str) -> int:
    size = 1
    for length in graph.nodes[name]["shape"]:
        size *= length
    return size


def _check_sources(graph: RegionGraph, where: str, extra: int) -> None:
    if graph.graph.get("trial"):
        raise GraphError(where, "has trials, in which a tick is no step of the series")
    if VALUE not in graph.sources:
        raise GraphError(where, f"has no source {VALUE!r}, so there is nothing to forecast", hint="forecasting needs a "
                         f"source {VALUE!r} of size 1 and a region that predicts it; " + nearest(VALUE, graph.sources))
    for name in graph.sources:
        size, known = _size(graph, name), graph.nodes[name]["known"]
        if name != VALUE and name not in BEFORE:
            raise GraphError(f"{where}, source {name!r}", "is none that forecasting feeds",
                             hint=nearest(name, [VALUE, *BEFORE]))
        if name == VALUE and (size != 1 or known != "after"):
            raise GraphError(f"{where}, source {name!r}", "must have one unit, known after its tick", (size, known))
        if name != VALUE and known != "before":
            raise GraphError(f"{where}, source {name!r}", "must be declared as known before the outcome", known,
                             'known = "before"')
        if name == EXTRA and size != extra:
            raise GraphError(f"{where}, source {name!r}", f"needs X with {size} numbers a tick", extra or "no X")


def _predictors(graph: RegionGraph) -> set[str]:
    """The regions that predict the value and nothing else."""
    targets: dict[str, set[str]] = {}
    for source, region, data in graph.edges(data=True):
        if data["role"] == "target":
            targets.setdefault(region, set()).add(f"{source}.{data['port']}")
    return {region for region, signals in targets.items() if signals == {f"{VALUE}.value"}
            and "prediction" in find_kind(graph.nodes[region]["kind"]).port_names}


def _final(graph: RegionGraph, where: str) -> str:
    """The region whose prediction is the forecast: of several, the one that no other of them reads."""
    found = _predictors(graph)
    if not found:
        raise GraphError(where, f"has no region that predicts '{VALUE}.value'", hint=f"predicts = \"{VALUE}\"")
    read = {source for source, target, data in graph.edges(data=True)
            if source in found and target in found - {source} and data["port"] == "prediction"}
    last = sorted(found - read)
    if FORECAST in last:
        return FORECAST
    if len(last) != 1:
        raise GraphError(where, f"has several regions that predict '{VALUE}.value': {', '.join(last or sorted(found))}",
                         hint=f"call the one that is meant {FORECAST!r}")
    return last[0]


@dataclass
class _Copy:
    """The copies of all regions for one column."""

    base: RegionGraph
    made: RegionGraph
    final: str
    columns: Sequence[str]
    column: str
    horizons: Sequence[int]

    def make(self) -> None:
        """Add its nodes and edges."""
        self.chain = self._chain()
        for name, data in self.base.nodes(data=True):
            if name in BEFORE and name in self.made:
                continue
            if data["type"] == "source":
                self.made.add_node(self._source(name), **data)
            elif name not in self.chain:
                self.made.add_node(self._named(name), **_own(data))
        for horizon in self._copied():
            for name in sorted(self.chain):
                self._add_region(name, horizon)
        for name, _, data in self._edges():
            self.made.add_edge(*name, **data)

    def _chain(self) -> set[str]:
        """The final region and the predictors that its prediction is made of: these have a copy for each horizon."""
        found, chain, new = _predictors(self.base), {self.final}, {self.final}
        while new:
            new = {source for source, target, data in self.base.edges(data=True) if target in new and source in found
                   and data["port"] == "prediction"} - chain
            chain |= new
        for source, target, key, data in self.base.edges(keys=True, data=True):
            if {source, target} & chain and data["role"] in ("prior", "feedback"):
                raise GraphError(f"edge {key!r}", "belongs to a region that settles, which cannot forecast")
        return chain

    def _copied(self) -> list[int]:
        """The horizons that there are copies for: the next tick also where regions that are shared read it."""
        read = any(source in self.chain and target not in self.chain for source, target in self.base.edges())
        return sorted({*self.horizons, *([1] if read else [])})

    def _source(self, name: str) -> str:
        return value_name(self.columns, self.column) if name == VALUE else name

    def _named(self, name: str, horizon: int | None = None) -> str:
        if name in self.base.sources:
            return self._source(name)
        parts = [name] + [self.column] * (len(self.columns) > 1)
        return "-".join(parts + [str(horizon)] * (horizon is not None and len(self._copied()) > 1))

    def _add_region(self, name: str, horizon: int) -> None:
        data = _own(self.base.nodes[name])
        if "horizon" in find_kind(data["kind"]).hyper_fields():
            data["hyper"]["horizon"] = horizon
        if name == self.final and horizon in self.horizons:
            data["tags"] = (*data["tags"], horizon_tag(horizon))
        made = self._named(name, horizon)
        if made in self.made:
            raise GraphError(f"region {made!r}", "stands for two things", hint="rename a region of the graph")
        self.made.add_node(made, **data)

    def _edges(self) -> Iterator[tuple[tuple[str, str, str], int | None, dict[str, Any]]]:
        """Ends, name and attributes of every edge of the copies."""
        for source, target, key, data in self.base.edges(keys=True, data=True):
            for horizon in self._copied() if target in self.chain else [None]:
                own = dict(data)
                if horizon is not None and data["role"] != "target":
                    own["delay"] += self._older(source, data, horizon)
                # what is shared reads the copy for the next tick
                sender = self._named(source, (horizon or 1) if source in self.chain else None)
                receiver = self._named(target, horizon)
                reference = Reference(sender, own["port"], own["select"], own["delay"])
                plain = Reference(source, data["port"], data["select"], data["delay"])
                mark = "" if key == edge_name(plain, target, data["role"]) else f"{key}:"
                yield (sender, receiver, mark + edge_name(reference, receiver, own["role"])), horizon, own

    def _older(self, source: str, data: Mapping[str, Any], horizon: int) -> int:
        """How many more ticks an edge into a copy takes."""
        if source in BEFORE or source in self.chain and data["port"] == "prediction":
            return 0  # known before; or made as many ticks ahead itself
        return horizon - 1


def _own(data: Mapping[str, Any]) -> dict[str, Any]:
    return {**data, "hyper": dict(data["hyper"]), "tags": tuple(data["tags"])} if "hyper" in data else dict(data)
