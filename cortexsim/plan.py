"""The plan: a region graph with every decision made - order, sizes, blocks, partitions - and no values.

A plan is frozen and printable. It refuses what cannot run: an outcome that would leak into a prediction, a zero-delay
cycle, a field that does not fit. Changing the graph afterwards changes nothing until it is planned again.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from cortexsim.attributes import CHOICES
from cortexsim.errors import GraphError
from cortexsim.graph import RegionGraph
from cortexsim.plan_order import LONGEST_BLOCK, Order, check_leaks, find_order, partition, settle_score_place
from cortexsim.plan_shapes import EdgePlan, RegionPlan, Trial, resolve_shapes


@dataclass(frozen=True)
class SourcePlan:
    """One source: its shape, when it speaks, and who imagines it."""

    name: str
    shape: tuple[int, ...]
    known: str
    imagined_by: str | None
    sparse: bool

    @property
    def size(self) -> int:
        """Number of values a sample has."""
        return int(np.prod(self.shape))


@dataclass(frozen=True)
class Plan:
    """What a simulation runs: made by :func:`make_plan`, printed by ``str``."""

    name: str
    sources: dict[str, SourcePlan]
    regions: dict[str, RegionPlan]
    edges: dict[str, EdgePlan]
    signals: dict[str, tuple[int, ...]]
    order: Order
    trial: Trial | None
    parts: tuple[tuple[tuple[int, int], ...], ...]
    costs: dict[str, tuple[float, float]]
    delays: dict[str, int]
    shared: frozenset[str]

    @property
    def sequence(self) -> list[str]:
        """Regions in processing order."""
        return [name for unit in self.order.units for name in unit]

    @property
    def block(self) -> int:
        """Ticks that a region may run in one visit."""
        return self.order.block

    @property
    def n_weights_estimate(self) -> float:
        """Estimated weights touched at a tick when every region is due."""
        return sum(size for _, size in self.costs.values()) / 8.0

    def slots(self, signal: str) -> int:
        """Slots of the ring of a region's signal: a block more than its delay only where another unit reads it."""
        return ring_length(self.delays.get(signal, 0), self.block if signal in self.shared else 1)

    def memory(self) -> int:
        """Estimated bytes of weights and signals."""
        rings = sum(4 * int(np.prod(shape)) * self.slots(name) for name, shape in self.signals.items())
        # an image to be set back to should it diverge, or two, is as large as the weights
        copies = {name: 1 + CHOICES["on_divergence"].index(region.data["on_divergence"])
                  for name, region in self.regions.items()}
        return rings + int(sum(copies[name] * size for name, (_, size) in self.costs.items()) / 2)

    def __str__(self) -> str:
        waves = max(self.order.waves.values(), default=-1) + 1
        clusters = [unit for unit in self.order.units if len(unit) > 1]
        flops = sum(f / self.regions[name].data["period"] for name, (f, _) in self.costs.items())
        lines = [f"plan of {self.name or 'graph'}: {len(self.sources)} sources, {len(self.regions)} regions, "
                 f"{len(self.edges)} edges",
                 f"  {waves} waves over (region, step), {len(self.parts)} levels, "
                 f"{max((len(p) for p in self.parts), default=0)} partitions",
                 f"  blocks of {self.block} ticks" + (f", limited by edge {self.order.limit!r}"
                                                     if self.order.limit else ""),
                 f"  about {self.memory() / 2**20:.2f} MiB, {flops / 1e6:.3f} Mflop a tick (gates open)"]
        if self.trial:
            spans = ", ".join(f"{n} [{a}, {b})" for n, (a, b) in self.trial.spans.items())
            lines.append(f"  trials of {self.trial.length} ticks, spans {spans or 'none'}, "
                         f"scored at {self.trial.score_at}")
        for unit in clusters:
            lines.append(f"  cluster, tick by tick: {', '.join(unit)}")
        lines.append(self._table())
        return "\n".join(lines)

    def _table(self) -> str:
        rows = [("region", "kind", "units", "context", "waves", "level", "part", "clock", "flop/tick")]
        for row in self.rows():
            rows.append((row["region"], row["kind"], str(row["units"]), str(row["context"]), row["waves"],
                         str(row["level"]), str(row["part"]), row["clock"], f"{row['flops']:.0f}"))
        widths = [max(len(row[k]) for row in rows) for k in range(len(rows[0]))]
        return "\n".join("  " + "  ".join(cell.ljust(w) for cell, w in zip(row, widths, strict=True)).rstrip()
                         for row in rows)

    def rows(self) -> list[dict[str, Any]]:
        """One dict a region: units, context, waves of its three steps, level, partition, clock, cost."""
        found = []
        for u, unit in enumerate(self.order.units):
            level = self.order.level[u]
            part = next(k for k, (a, b) in enumerate(self.parts[level]) if a <= u < b)
            for name in unit:
                region = self.regions[name]
                data = region.data
                clock = f"{data['period']}+{data['offset']}" if data["period"] > 1 else "1"
                if region.edges["gate"]:
                    clock += " gated"
                waves = "/".join(str(self.order.waves[name, step]) for step in ("predict", "compare", "update"))
                ports = region.ports
                # a region that settles predicts others: its own units are those of its state
                shapes = [ports["state"]] if region.kind.settles and "state" in ports else list(ports.values())
                units = max((int(np.prod(s)) for s in shapes), default=0)
                found.append({"region": name, "kind": region.kind.name, "units": units,
                              "context": region.shapes.n_context, "waves": waves, "level": level, "part": part,
                              "clock": clock, "flops": self.costs[name][0], "bytes": self.costs[name][1]})
        return found


def ring_length(delay: int, block: int) -> int:
    """Slots of a ring: the longest delay and a block, rounded up to a power of two so that a mask finds the slot.

    Examples
    --------
    >>> ring_length(2, 4)
    8
    """
    return 1 << max(0, int(delay + block)).bit_length()


def make_plan(graph: Any, threads: int = 1, longest_block: int = LONGEST_BLOCK) -> Plan:
    """Plan a region graph.

    Parameters
    ----------
    graph : RegionGraph or networkx graph with the same attributes
    threads : int
        For how many threads to cut each level into contiguous partitions.
    longest_block : int
        The longest block of ticks wanted.

    Returns
    -------
    Plan

    Raises
    ------
    GraphError, KindError
        Naming the region, edge, port or hyperparameter that is not sound.
    """
    graph = graph if isinstance(graph, RegionGraph) else RegionGraph.from_networkx(graph)
    graph.check()
    if not graph.regions:
        raise GraphError("graph", "has no regions", hint="add one with add_region")
    regions, signals = resolve_shapes(graph)
    edges = {edge.name: edge for region in regions.values() for group in region.edges.values() for edge in group}
    sources = {name: _source(name, graph.nodes[name]) for name in graph.sources}
    trial = _trial(graph)
    early_priors = trial is not None and "init" in trial.spans
    check_leaks(list(edges.values()), {name: source.known == "before" for name, source in sources.items()},
                early_priors)
    if trial:
        forecasts = [name for name, region in sorted(regions.items())
                     if region.kind.scores(region.hyper) == "forecast"]
        outcomes = {name for name, source in sources.items() if source.known == "after"}
        trial = settle_score_place(forecasts, list(edges.values()), outcomes, trial)
    order = find_order(sorted(regions), list(edges.values()), early_priors, longest_block)
    costs = {name: region.kind.cost(region.hyper, region.shapes) for name, region in regions.items()}
    delays: dict[str, int] = {}
    for edge in edges.values():
        delays[edge.signal] = max(delays.get(edge.signal, 0), edge.delay)
    for source in sources.values():
        _check_imagined(source, signals)
    return Plan(graph.graph.get("name", ""), sources, regions, edges, signals, order, trial,
                _parts(order, costs, threads), costs, delays, _shared(order, edges))


def _source(name: str, data: dict[str, Any]) -> SourcePlan:
    return SourcePlan(name, tuple(data["shape"]), data["known"], data["imagined_by"], bool(data["sparse"]))


def _check_imagined(source: SourcePlan, signals: dict[str, tuple[int, ...]]) -> None:
    if source.imagined_by is None:
        return
    signal = source.imagined_by if "." in source.imagined_by else f"{source.imagined_by}.prediction"
    where = f"source {source.name!r}"
    if signal not in signals:
        raise GraphError(where, f"imagined_by names {signal!r}, which nobody writes")
    if int(np.prod(signals[signal])) != source.size:
        raise GraphError(where, f"imagined_by must have its size, {source.size}", int(np.prod(signals[signal])))


def _trial(graph: RegionGraph) -> Trial | None:
    data = graph.graph.get("trial")
    if not data:
        return None
    length = int(data["length"])
    spans = {name: (int(a), int(b)) for name, (a, b) in data.get("spans", {}).items()}
    score_at = data.get("score_at")
    return Trial(length, spans, -1 if score_at is None else int(score_at))


def _shared(order: Order, edges: dict[str, EdgePlan]) -> frozenset[str]:
    """The signals that another unit reads than the one that writes them: it may come a block later, or sooner."""
    unit = {name: u for u, names in enumerate(order.units) for name in names}
    return frozenset(edge.signal for edge in edges.values() if unit.get(edge.source) != unit[edge.target])


def _parts(order: Order, costs: dict[str, tuple[float, float]], threads: int):
    """Contiguous, cost-balanced runs of units for each level."""
    unit_costs = [sum(costs[name][1] + 200.0 for name in unit) for unit in order.units]
    parts, first = [], 0
    for level in range(max(order.level, default=-1) + 1):
        last = first + order.level.count(level)
        runs = partition(unit_costs[first:last], threads)
        parts.append(tuple((first + a, first + b) for a, b in runs))
        first = last
    return tuple(parts)
