"""Order: what may read what inside a tick, the waves of (region, step), clusters, block length and levels."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, replace

import networkx as nx
import numpy as np

from cortexsim.errors import GraphError
from cortexsim.kind import PORT_STEP, ROLE_STEP, STEPS
from cortexsim.plan_shapes import EdgePlan, Trial

LONGEST_BLOCK = 16
# edges up to which a plan does without SciPy
FEW_EDGES = 2000


@dataclass
class Order:
    """The order in which regions are visited.

    `units` lists the regions of each unit in processing order: a unit is one region, or a cluster of regions that a
    zero-delay path leads back to, which run tick by tick. `level` counts the barriers before a unit. `waves` maps
    (region, step) to its place in the tick. `block` is the number of ticks that a visit may run, `limit` the name of
    the edge that keeps it from being longer.
    """

    units: list[list[str]]
    level: list[int]
    waves: dict[tuple[str, str], int]
    block: int
    limit: str | None
    fused: set[str]


def check_leaks(edges: list[EdgePlan], known_before: dict[str, bool], early_priors: bool = False) -> None:
    """Refuse every delay-0 edge that would let the outcome of a tick reach a prediction for it.

    Parameters
    ----------
    edges : list of EdgePlan
    known_before : dict
        Source -> whether it is known before the outcome.
    early_priors : bool
        Whether a trial has the span ``init``, in which predict reads the priors, too.

    Raises
    ------
    GraphError
        Naming the edge, and what would be allowed.
    """
    for edge in edges:
        early = early_priors and edge.role == "prior"
        if edge.delay or not (early or ROLE_STEP[edge.role] == "predict"):
            continue
        if edge.source in known_before:
            if not known_before[edge.source]:
                raise GraphError(f"edge {edge.name!r}", f"leaks: {edge.source!r} is the outcome of the tick, and a "
                                 f"{edge.role} of delay 0 is read before it is known",
                                 hint=f"use delay 1, or declare the source known='before' if {edge.source!r} is known "
                                 "before the outcome")
        elif edge.port != "prediction":
            raise GraphError(f"edge {edge.name!r}", f"leaks: {edge.port} is written after the outcome is known, and a "
                             f"{edge.role} of delay 0 is read before", hint="use delay 1, or read the prediction")


def settle_score_place(forecasts: list[str], edges: list[EdgePlan], outcomes: set[str], trial: Trial) -> Trial:
    """Find the place in the trial at which regions are scored, or refuse the one that was asked for.

    Parameters
    ----------
    forecasts : list of str
        The regions whose curves score a forecast.
    edges : list of EdgePlan
    outcomes : set of str
        The sources that speak after the prediction.
    trial : Trial
        With `score_at` -1 where nobody asked for a place.

    Returns
    -------
    Trial
        Scored as asked, else at the last place at which no forecast knows its outcome.

    Raises
    ------
    GraphError
        Where a forecast would know the outcome before it is scored: names the region, an edge, and the place.
    """
    known, through = _first_knowledge(edges, outcomes, trial)
    last = min((known.get((name, "predict"), trial.length) - 1 for name in forecasts), default=trial.length - 1)
    if trial.score_at < 0:
        return replace(trial, score_at=min(last, trial.length - 1))
    for name in forecasts:
        place = known.get((name, "predict"), trial.length)
        if place <= trial.score_at:
            raise GraphError(f"region {name!r}", f"leaks: it is scored at place {trial.score_at} of the trial, but may "
                             f"know the outcome at place {place}, by way of edge {through[name]!r}",
                             hint=f"limit such edges to a span after the scoring, or score at {last}")
    return trial


def _first_knowledge(edges: list[EdgePlan], outcomes: set[str], trial: Trial) -> tuple[dict, dict[str, str]]:
    """The earliest place at which each (node, step) may know of the outcome, and an edge that brought it."""
    known = {(name, "compare"): 0 for name in outcomes}
    through: dict[str, str] = {}
    leaving: dict[str, list[EdgePlan]] = defaultdict(list)
    for edge in edges:
        leaving[edge.source].append(edge)
    waiting = sorted(outcomes)
    while waiting:
        source = waiting.pop()
        for edge in leaving[source]:
            spoken = known.get((source, PORT_STEP.get(edge.port, "compare")), trial.length)
            place = _arrival(edge, spoken, trial)
            early = edge.role == "prior" and "init" in trial.spans
            step = "predict" if early else ROLE_STEP[edge.role]
            if place < trial.length and _note(known, edge.target, step, place):
                waiting.append(edge.target)
                through.setdefault(edge.target, edge.name)
    return known, through


def _arrival(edge: EdgePlan, place: int, trial: Trial) -> int:
    """The first place at which an edge delivers what its signal knows at `place` (the trial's length: never)."""
    place += edge.delay
    if edge.data["span"] is not None:
        first, last = trial.spans[edge.data["span"]]
        place = max(place, first)
        return place if place < last else trial.length
    return min(place, trial.length)


def _note(known: dict[tuple[str, str], int], name: str, step: str, place: int) -> bool:
    """Note that a step knows at `place`; so do the later steps, and the next tick, once it has learned from it."""
    later = STEPS[STEPS.index(step):]
    news = {(name, other): place for other in later}
    if step != "predict":
        news[name, "predict"] = place + 1
    better = {node: at for node, at in news.items() if at < known.get(node, place + 2)}
    known.update(better)
    return bool(better)


def _zero_delay_steps(edges: list[EdgePlan], regions: set[str], early_priors: bool) -> list[tuple]:
    arcs = []
    for edge in edges:
        if edge.delay == 0 and edge.source in regions:
            arcs.append(((edge.source, PORT_STEP[edge.port]), (edge.target, ROLE_STEP[edge.role]), edge.name))
            if early_priors and edge.role == "prior" and edge.port == "prediction":
                # in the span `init` priors are read in predict too: a feedforward start
                arcs.append(((edge.source, "predict"), (edge.target, "predict"), edge.name))
    return arcs


def find_waves(regions: list[str], edges: list[EdgePlan], early_priors: bool) -> dict[tuple[str, str], int]:
    """Waves over (region, step) by the zero-delay edges.

    Raises
    ------
    GraphError
        Where they form a cycle, which is named.
    """
    arcs = _zero_delay_steps(edges, set(regions), early_priors)
    following: dict[tuple, list[tuple]] = defaultdict(list)
    waiting: dict[tuple, int] = {(name, step): 0 for name in regions for step in STEPS}
    own = [((name, a), (name, b), "") for name in regions for a, b in zip(STEPS, STEPS[1:], strict=False)]
    for first, second, _ in [*own, *arcs]:
        following[first].append(second)
        waiting[second] += 1
    ready = [node for node, count in waiting.items() if count == 0]
    waves, wave = {}, 0
    while ready:
        later = []
        for node in ready:
            waves[node] = wave
            for other in following[node]:
                waiting[other] -= 1
                if waiting[other] == 0:
                    later.append(other)
        ready, wave = later, wave + 1
    if len(waves) < len(waiting):
        _name_cycle({node for node in waiting if node not in waves}, [*own, *arcs], early_priors)
    return waves


def _name_cycle(stuck: set, arcs: list[tuple], early_priors: bool) -> None:
    graph = nx.DiGraph()
    for first, second, name in arcs:
        if first in stuck and second in stuck:
            graph.add_edge(first, second, name=name)
    cycle = nx.find_cycle(graph)
    steps = " -> ".join(f"{region} {step}" for (region, step), _ in cycle)
    (region, step) = cycle[0][0]
    names = [name for name in (graph.edges[pair]["name"] for pair in cycle) if name]
    hint = f"give one of these edges a delay of 1: {', '.join(names)}"
    if early_priors:
        hint += " (in the span 'init', priors are read in predict, too)"
    raise GraphError("graph", f"has a zero-delay cycle: {steps} -> {region} {step}", hint=hint)


def _groups(n: int, pairs: np.ndarray) -> tuple[int, np.ndarray]:
    """Number of strongly connected groups of nodes, and the group of each."""
    if len(pairs) <= FEW_EDGES:
        graph = nx.DiGraph()
        graph.add_nodes_from(range(n))
        graph.add_edges_from(pairs.tolist())
        found = list(nx.strongly_connected_components(graph))
        group = np.zeros(n, np.int64)
        for number, nodes in enumerate(found):
            group[list(nodes)] = number
        return len(found), group
    # faster, but only for a large plan: it takes as long to import as all the rest of a start
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    ones = np.ones(len(pairs), np.int8)
    matrix = coo_array((ones, (pairs[:, 0], pairs[:, 1])), shape=(n, n))
    return connected_components(matrix, directed=True, connection="strong")


def _layers(n: int, pairs: np.ndarray) -> np.ndarray:
    """Longest path from a start, for every node of an acyclic graph."""
    following: list[list[int]] = [[] for _ in range(n)]
    waiting = np.zeros(n, np.int64)
    for a, b in set(map(tuple, pairs.tolist())):
        following[a].append(b)
        waiting[b] += 1
    layer = np.zeros(n, np.int64)
    ready = [node for node in range(n) if waiting[node] == 0]
    while ready:
        node = ready.pop()
        for other in following[node]:
            layer[other] = max(layer[other], layer[node] + 1)
            waiting[other] -= 1
            if waiting[other] == 0:
                ready.append(other)
    return layer


def find_order(regions: list[str], edges: list[EdgePlan], early_priors: bool = False,
               longest: int = LONGEST_BLOCK) -> Order:
    """Order regions into units, levels and blocks.

    Parameters
    ----------
    regions : list of str
        Sorted names.
    edges : list of EdgePlan
        All edges; those from sources are passed over, since sources speak first.
    early_priors : bool
        Whether a trial has the span ``init``.
    longest : int
        The longest block wanted, in ticks.

    Returns
    -------
    Order

    Raises
    ------
    GraphError
        For a zero-delay cycle.
    """
    waves = find_waves(regions, edges, early_priors)
    index = {name: i for i, name in enumerate(regions)}
    inner = [edge for edge in edges if edge.source in index]
    ends = np.array([(index[e.source], index[e.target]) for e in inner], np.int64).reshape(-1, 2)
    delays = np.array([e.delay for e in inner], np.int64)
    n_units, unit_of = _groups(len(regions), ends[delays == 0])
    between = unit_of[ends]
    crossing = between[:, 0] != between[:, 1]

    def acyclic(block: int) -> bool:
        return _groups(n_units, between[crossing & (delays < block)])[0] == n_units

    # more edges count, and cycles only come, where a block grows past a delay
    grown = sorted({int(delay) + 1 for delay in delays[crossing] if 1 <= delay < longest})
    block = next((d - 1 for d in grown if not acyclic(d)), longest)
    limit = None
    if block < longest:
        _, component = _groups(n_units, between[crossing & (delays <= block)])
        tied = crossing & (delays == block) & (component[between[:, 0]] == component[between[:, 1]])
        limit = min(inner[k].name for k in np.flatnonzero(tied))
    layer = _layers(n_units, between[crossing & (delays < block)])
    members: list[list[str]] = [[] for _ in range(n_units)]
    for name in regions:
        members[unit_of[index[name]]].append(name)
    order = sorted(range(n_units), key=lambda u: (layer[u], members[u][0]))
    looped = {e.target for e in inner if e.source == e.target and e.delay == 0}
    fused = {members[u][0] for u in range(n_units) if len(members[u]) == 1} - looped
    return Order([members[u] for u in order], [int(layer[u]) for u in order], waves, block, limit, fused)


def partition(costs: list[float], threads: int) -> list[tuple[int, int]]:
    """Cut a row of costs into at most `threads` contiguous, balanced runs.

    Examples
    --------
    >>> partition([1.0, 1.0, 2.0, 4.0], 2)
    [(0, 3), (3, 4)]
    """
    if not costs:
        return []
    total = np.cumsum(costs)
    cuts = [0]
    for k in range(1, threads):
        goal = total[-1] * k / threads
        cut = int(np.searchsorted(total, goal - 1e-9)) + 1
        before = total[cut - 2] if cut >= 2 else 0.0
        if cut > 1 and abs(before - goal) < abs(total[cut - 1] - goal):
            cut -= 1
        cuts.append(max(cut, cuts[-1]))
    cuts.append(len(costs))
    return [(a, b) for a, b in zip(cuts, cuts[1:], strict=False) if b > a]
