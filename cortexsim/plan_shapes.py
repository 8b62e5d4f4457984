"""Sizes: the shape of every signal, and the place of every edge in the gathered vectors of its region."""

from __future__ import annotations

import zlib
from collections import defaultdict, deque
from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np

from cortexsim.errors import GraphError, nearest
from cortexsim.fields import Dense, field_indices
from cortexsim.graph import RegionGraph
from cortexsim.graph_check import UNITS
from cortexsim.kind import EdgeShape, Kind, Shapes, find_kind
from cortexsim.shorthand import AUTOMATIC, check_select_fits, select_indices, select_units

ALL_ENTRIES = 1 << 27
"""Entries of the index lists of all fields together: half a GiB."""
GATHERED = ("context", "target", "prior", "feedback", "gate")


@dataclass
class EdgePlan:
    """One edge with its numbers: what it reads (a slice or an index list) and where its values go."""

    name: str
    source: str
    port: str
    target: str
    role: str
    delay: int
    field: Any
    data: dict[str, Any]
    start: int = 0
    length: int = 0
    indices: np.ndarray | None = None
    rows: int = 0
    shared: bool = False
    offset: int = 0

    @property
    def signal(self) -> str:
        """The signal it reads."""
        return f"{self.source}.{self.port}"

    @property
    def units(self) -> np.ndarray:
        """Which units of its signal it reads."""
        return np.arange(self.start, self.start + self.length) if self.indices is None else self.indices


@dataclass
class RegionPlan:
    """One region with its kind, checked hyperparameters, shapes and ports."""

    name: str
    kind: Kind
    hyper: dict[str, Any]
    data: dict[str, Any]
    shapes: Shapes
    ports: dict[str, tuple[int, ...]]
    edges: dict[str, list[EdgePlan]]


@dataclass(frozen=True)
class Trial:
    """The trial clock: length in ticks, named spans, and the place in the trial at which regions are scored."""

    length: int
    spans: dict[str, tuple[int, int]]
    score_at: int

    def mask(self, span: str | None) -> int:
        """The bit of a span (0 for none)."""
        return 0 if span is None else 1 << list(self.spans).index(span)

    def masks(self) -> np.ndarray:
        """The bits of all spans that hold, for each place in the trial."""
        bits = np.zeros(self.length, np.int64)
        for name, (first, last) in self.spans.items():
            bits[first:last] |= self.mask(name)
        return bits


class Sizes:
    """Finds the shape of every port, region by region, as soon as the signals it depends on are known."""

    def __init__(self, graph: RegionGraph) -> None:
        self.graph = graph
        self.signals: dict[str, tuple[int, ...]] = {}
        self.incoming: dict[str, dict[str, list[EdgePlan]]] = defaultdict(lambda: defaultdict(list))
        self.kinds = {name: find_kind(graph.nodes[name]["kind"]) for name in graph.regions}
        self.hyper = {name: self.kinds[name].check_hyper(name, graph.nodes[name]["hyper"]) for name in graph.regions}
        self.ports: dict[str, dict[str, tuple[int, ...]]] = {}
        self.predicted: dict[str, list[EdgePlan]] = defaultdict(list)
        self.entries: dict[str, int] = {}
        self._collect()

    def _collect(self) -> None:
        for name in self.graph.sources:
            self.signals[f"{name}.value"] = tuple(self.graph.nodes[name]["shape"])
        for name in self.graph.regions:
            shape = self.graph.nodes[name]["shape"]
            if shape is not None and "state" in self.kinds[name].port_names:
                self.signals[f"{name}.state"] = tuple(shape)
        edges = sorted(self.graph.edges(keys=True, data=True), key=lambda item: item[2])
        for source, target, name, data in edges:
            # a copy, so that a later edit of the graph changes nothing until it is planned again
            edge = EdgePlan(name, source, data["port"], target, data["role"], data["delay"], data["field"], dict(data))
            self.incoming[target][edge.role].append(edge)
            if str(data["select"]).startswith(AUTOMATIC) and edge.port == "prediction":
                self.predicted[source].append(edge)
        for edges_of in self.predicted.values():
            edges_of.sort(key=lambda edge: int(edge.data["select"].split(":")[1]))

    def resolve(self) -> dict[str, RegionPlan]:
        """Shapes, ports and edges of every region, by name.

        Raises
        ------
        GraphError
            For a port that is never written, sizes that depend on each other in a circle, or a field or selection
            that does not fit its signal.
        """
        waiting = deque(self.graph.regions)
        stuck = 0
        while waiting:
            name = waiting.popleft()
            if self._try_ports(name):
                stuck = 0
                continue
            waiting.append(name)
            stuck += 1
            if stuck > len(waiting):
                self._explain_stuck(sorted(waiting))
        return {name: self._finish(name) for name in self.graph.regions}

    def _needs(self, name: str) -> list[str]:
        needed = [edge.signal for edge in self.incoming[name]["target"]]
        return needed + [f"{edge.target}.state" for edge in self.predicted[name]]

    def _try_ports(self, name: str) -> bool:
        if any(signal not in self.signals for signal in self._needs(name)):
            return False
        shapes = self._shapes(name, ("target",))
        self.ports[name] = self.kinds[name].ports(self.hyper[name], shapes)
        for port, shape in self.ports[name].items():
            if prod(shape) > UNITS:
                raise GraphError(f"region {name!r}", f"{port} may have at most 2**28 = {UNITS:,} units", shape)
        self.signals.update({f"{name}.{port}": shape for port, shape in self.ports[name].items()})
        return True

    def _explain_stuck(self, names: list[str]) -> None:
        for name in names:
            for edge in self.incoming[name]["target"]:
                if edge.source in self.ports and edge.signal not in self.signals:
                    raise GraphError(f"edge {edge.name!r}", f"{edge.source!r} writes no port {edge.port!r}",
                                     hint=nearest(edge.port, self.ports[edge.source]))
        raise GraphError(f"regions {', '.join(names[:5])}", "their sizes depend on each other in a circle",
                         hint="give one of them size= or shape=")

    def _shapes(self, name: str, roles: tuple[str, ...]) -> Shapes:
        shape = self.graph.nodes[name]["shape"]
        shape = None if shape is None else tuple(shape)
        placed = {role: self._place(name, role, shape) for role in roles}
        predicts, at = [], 0
        for edge in self.predicted[name]:
            state = self.signals[f"{edge.target}.state"]
            predicts.append(EdgeShape(edge.name, f"{edge.target}.state", at, at + int(np.prod(state)), shape=state))
            at += int(np.prod(state))
        return Shapes(name, shape, predicts=tuple(predicts), **placed)

    def _place(self, name: str, role: str, shape: tuple[int, ...] | None) -> tuple[EdgeShape, ...]:
        """Give every edge of a role its slice of the gathered vector: dense edges first, then those with a field."""
        edges = self.incoming[name][role]
        edges.sort(key=lambda edge: (not isinstance(edge.field, Dense), edge.name))
        at, placed = 0, []
        for edge in edges:
            self._measure(edge, shape)
            edge.offset = at
            width = 0 if edge.rows == 0 else edge.length // edge.rows
            sheet = self.signals[edge.signal] if edge.indices is None and edge.data["select"] is None else ()
            placed.append(EdgeShape(edge.name, edge.signal, at, at + edge.length, edge.rows, width, edge.shared,
                                    edge.delay, sheet))
            at += edge.length
        if at > UNITS:
            raise GraphError(f"region {name!r}", f"{role} brings {at:,} values a tick, and may bring 2**28 = {UNITS:,}")
        return tuple(placed)

    def _measure(self, edge: EdgePlan, shape: tuple[int, ...] | None) -> None:
        where = f"edge {edge.name!r}"
        if edge.signal not in self.signals:
            raise GraphError(where, f"{edge.source!r} writes no port {edge.port!r}",
                             hint=nearest(edge.port, self.ports.get(edge.source, {})))
        sheet = self.signals[edge.signal]
        size = int(np.prod(sheet))
        select = self._select(edge)
        units = None if select is None else select_units(select, where)
        if select is not None:
            check_select_fits(select, size, where)
        if isinstance(edge.field, Dense) and not isinstance(units, list):
            span = range(size) if units is None else units
            edge.rows, edge.start, edge.length, edge.indices = 0, span.start, len(span), None
            return
        chosen = select_indices(select, size, where)
        if isinstance(edge.field, Dense):
            assert chosen is not None
            edge.rows = 0
            if np.all(np.diff(chosen) == 1):
                edge.start, edge.length, edge.indices = int(chosen[0]), len(chosen), None
            else:
                edge.length, edge.indices = len(chosen), chosen.astype(np.int32)
            return
        seen = sheet if chosen is None else (len(chosen),)
        rng = np.random.default_rng([zlib.crc32(edge.name.encode()), getattr(edge.field, "seed", 0)])
        indices, edge.shared = field_indices(edge.field, seen, self._receiver(edge, shape), where, rng)
        flat = indices.ravel()
        if chosen is not None:
            inside = flat >= 0
            flat[inside] = chosen[flat[inside]]
        edge.rows, edge.length = len(indices), flat.size
        edge.indices = np.ascontiguousarray(flat, np.int32)
        self.entries[edge.name] = flat.size
        if sum(self.entries.values()) > ALL_ENTRIES:
            raise GraphError(where, "with it the index lists of the fields hold more than 2**27 units", str(edge.field),
                             "make a sheet or a kernel smaller")

    def _receiver(self, edge: EdgePlan, shape: tuple[int, ...] | None) -> tuple[int, ...]:
        """The sheet that an edge with a field arrives at: the region's own, else that of its prediction."""
        if shape is not None:
            return shape
        prediction = self.signals.get(f"{edge.target}.prediction")
        if prediction is None:
            raise GraphError(f"edge {edge.name!r}", f"a field needs the shape of {edge.target!r}", str(edge.field),
                             "give the region shape=")
        return prediction

    def _select(self, edge: EdgePlan) -> str | None:
        """The selection of an edge; those made by ``predicts=`` stand for a slice that is known only now."""
        select = edge.data["select"]
        if not str(select).startswith(AUTOMATIC):
            return select
        if edge.port == "prediction":
            slices, key = self._shapes(edge.source, ()).predicts, edge.name
        else:
            slices = self._place(edge.source, "context", self.graph.nodes[edge.source]["shape"])
            key = select.removeprefix(AUTOMATIC)
        chosen = next((part for part in slices if part.name == key), None)
        if chosen is None:
            raise GraphError(f"edge {edge.name!r}", f"carries feedback for edge {key!r}, which is no context of "
                             f"{edge.source!r}")
        return f"{chosen.start}:{chosen.stop}"

    def _finish(self, name: str) -> RegionPlan:
        data = dict(self.graph.nodes[name])
        if "feedback" in self.kinds[name].port_names and "feedback" not in self.ports[name]:
            context = self._place(name, "context", data["shape"])
            size = (context[-1].stop if context else 0,)
            self.ports[name]["feedback"] = size
            self.signals[f"{name}.feedback"] = size
        return RegionPlan(name, self.kinds[name], self.hyper[name], data, Shapes(name, None), self.ports[name],
                          self.incoming[name])

    def finish(self, regions: dict[str, RegionPlan]) -> None:
        """Place all edges, now that every signal has its shape."""
        for name, region in regions.items():
            region.shapes = self._shapes(name, ("context", "target", "prior", "feedback"))
            self._place(name, "gate", None)
            for edge in self.incoming[name]["modulator"]:
                self._measure(edge, None)


def resolve_shapes(graph: RegionGraph) -> tuple[dict[str, RegionPlan], dict[str, tuple[int, ...]]]:
    """Resolve a checked graph.

    Parameters
    ----------
    graph : RegionGraph

    Returns
    -------
    regions : dict
        Name -> :class:`RegionPlan`.
    signals : dict
        ``"name.port"`` -> shape.
    """
    sizes = Sizes(graph)
    regions = sizes.resolve()
    sizes.finish(regions)
    return regions, sizes.signals
