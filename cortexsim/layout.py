"""Where the nodes and edges of a region graph go in a drawing.

Sources lie at the bottom, and each region above what it predicts and reads. Orders within the rows are found
by barycentres, as in K. Sugiyama, S. Tagawa, M. Toda, IEEE Trans. SMC 11 (1981),
doi:10.1109/TSMC.1981.4308636; long edges pass between the nodes of the rows they cross. Lengths are inches,
so that text fits its box.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import networkx as nx
import numpy as np
from numpy.typing import NDArray
from scipy.optimize import isotonic_regression

Edge = tuple[str, str, Any]
# a node, or the place (low node, high node, row) where a long edge crosses a row
Item = str | tuple[str, str, int]

_BEND_LIMIT = 400  # with more crossings of rows than this, edges run straight: nobody can follow them anyway


@dataclass(frozen=True)
class Drawing:
    """A finished layout.

    Attributes
    ----------
    centres : dict of str to (float, float)
        The middle of each node, in inches from the lower left corner.
    lines : dict of (str, str, key) to float array [points, 2]
        The course of each edge, from its source to its target.
    width, height : float
        Of the whole, in inches.
    """

    centres: dict[str, tuple[float, float]]
    lines: dict[Edge, NDArray[np.float64]]
    width: float
    height: float


def bundle_delays(graph: nx.MultiDiGraph) -> nx.MultiDiGraph:
    """Draw four or more edges that differ only in their delay as one: a region may read a long past.

    Parameters
    ----------
    graph : networkx.MultiDiGraph
        A region graph.

    Returns
    -------
    networkx.MultiDiGraph
        A copy, in which an edge that stands for several has the attribute ``delays``, such as ``"@1..24"``.
    """
    made = nx.MultiDiGraph(graph)
    groups: dict[tuple[Any, ...], list[tuple[int, Any]]] = {}
    for source, target, key, data in made.edges(keys=True, data=True):
        alike = (source, target, *(str(data.get(word)) for word in ("role", "port", "select", "auto", "lesioned")))
        groups.setdefault(alike, []).append((int(data.get("delay") or 0), key))
    for (source, target, *_), members in groups.items():
        if len(members) < 4:
            continue
        delays = sorted(delay for delay, _ in members)
        made.remove_edges_from((source, target, key) for _, key in members[1:])
        gapless = delays == list(range(delays[0], delays[-1] + 1))
        made.edges[source, target, members[0][1]]["delays"] = (
            f"@{delays[0]}..{delays[-1]}" if gapless else f"{len(delays)} delays to @{delays[-1]}")
    return made


def find_levels(graph: nx.MultiDiGraph) -> dict[str, int]:
    """The level of each node: 0 for a source; a region lies above what it predicts and reads.

    Parameters
    ----------
    graph : networkx.MultiDiGraph
        Node attribute ``type``, edge attributes ``role`` and ``delay``.

    Returns
    -------
    dict of str to int
        The longest path through the condensation. Delays of 2 and more do not count: what comes so late comes
        from above, as a rule. Nodes that a cycle joins are ordered by their targets alone, and so are all
        where there would be very many levels.

    Examples
    --------
    >>> graph = nx.MultiDiGraph([("retina", "V1", {"role": "target"}), ("V1", "V2", {"role": "target"}),
    ...                          ("V2", "V1", {"role": "context", "delay": 2})])
    >>> find_levels(graph)
    {'retina': 0, 'V1': 1, 'V2': 2}
    """
    ranked = []
    for low, high, data in graph.edges(data=True):
        role = data.get("role", "context")
        if role == "prior":  # a prediction comes down to what it predicts
            ranked.append((high, low, 0))
        elif role not in ("feedback", "modulator"):
            ranked.append((low, high, 0 if role == "target" else max(int(data.get("delay", 1)), 1)))
    levels = _stack(list(graph), ranked, 1)
    if max(levels.values(), default=0) > 2 + 1.3 * math.sqrt(len(levels)):  # a tower nobody can read
        levels = _stack(list(graph), ranked, 0)
    is_source = {name: graph.nodes[name].get("type") == "source" or not graph.in_degree(name)
                 for name in graph}
    lowest = min((levels[name] for name in graph if not is_source[name]), default=1)
    return {name: 0 if is_source[name] else level + 1 - lowest for name, level in levels.items()}


def _stack(nodes: list[str], ranked: list[tuple[str, str, int]], rank: int) -> dict[str, int]:
    """Levels by edges of at most this rank; within a cycle, by those of lower rank."""
    if rank < 0:
        return dict.fromkeys(nodes, 0)
    order = nx.DiGraph()
    order.add_nodes_from(nodes)
    order.add_edges_from((low, high) for low, high, own in ranked if own <= rank and low != high)
    joined = nx.condensation(order)
    top: dict[int, int] = {}
    levels = {}
    for part in nx.topological_sort(joined):
        members = sorted(joined.nodes[part]["members"])
        inner = {members[0]: 0}
        if len(members) > 1:
            inside = set(members)
            within = [edge for edge in ranked if edge[0] in inside and edge[1] in inside]
            inner = _stack(members, within, rank - 1)
        base = max((top[below] for below in joined.predecessors(part)), default=0)
        levels.update({name: base + level for name, level in inner.items()})
        top[part] = base + max(inner.values()) + 1
    return {name: levels[name] for name in nodes}


def lay_out(graph: nx.MultiDiGraph, widths: Mapping[str, float], height: float, gap: float,
            pitch: float, row_limit: int) -> Drawing:
    """Place nodes in rows and lead the edges between them.

    Parameters
    ----------
    graph : networkx.MultiDiGraph
        The region graph.
    widths : mapping of str to float
        Of each node's box, in inches.
    height : float
        Of every box.
    gap : float
        Least space between boxes of a row.
    pitch : float
        From row to row.
    row_limit : int
        Nodes in a row at most; a larger level takes several rows.

    Returns
    -------
    Drawing
        The same for the same graph, whatever the order its nodes were added in.
    """
    rows = _rows(find_levels(graph), row_limit)
    row_of = {name: row for row, names in enumerate(rows) for name in names}
    pairs = sorted({(low, high) if row_of[low] < row_of[high] else (high, low) for low, high in graph.edges()
                    if row_of[low] != row_of[high]})
    bent = sum(row_of[high] - row_of[low] - 1 for low, high in pairs) <= _BEND_LIMIT
    order: list[list[Item]] = [list(names) for names in rows]
    below: dict[Item, list[Item]] = defaultdict(list)
    above: dict[Item, list[Item]] = defaultdict(list)
    for low, high in pairs:
        steps: list[Item] = [low]
        for row in range(row_of[low] + 1, row_of[high] if bent else 0):
            steps.append((low, high, row))
            order[row].append((low, high, row))
        steps.append(high)
        for one, two in zip(steps, steps[1:], strict=False):
            above[one].append(two)
            below[two].append(one)
    order = _uncross(order, below, above, bent)
    x = _coordinates(order, below, above, widths, gap)
    half = {item: widths[item] / 2 if isinstance(item, str) else 0.0 for item in x}
    left = min(x[item] - half[item] for item in x)
    x = {item: place - left for item, place in x.items()}
    centres = {name: (x[name], row * pitch + height / 2) for name, row in row_of.items()}
    return Drawing(centres, _lines(graph, centres, row_of, x, widths, height, pitch),
                   max(x[item] + half[item] for item in x), (len(rows) - 1) * pitch + height)


def _rows(levels: dict[str, int], row_limit: int) -> list[list[str]]:
    rows = []
    for level in sorted(set(levels.values())):
        names = sorted(name for name, own in levels.items() if own == level)
        parts = math.ceil(len(names) / row_limit)
        rows += [names[part::parts] for part in range(parts)]
    return rows


def _uncross(order: list[list[Item]], below: Mapping[Item, list[Item]], above: Mapping[Item, list[Item]],
             counted: bool) -> list[list[Item]]:
    """Sort every row by the mean place of its neighbours, upward and downward in turn; keep the best."""
    best, fewest = order, math.inf
    place = {item: (index + 0.5) / len(row) for row in order for index, item in enumerate(row)}
    for sweep in range(24):
        upward = sweep % 2 == 0
        near = below if upward else above
        order = list(order)
        for row in range(len(order)) if upward else reversed(range(len(order))):
            wish = {item: float(np.mean([place[other] for other in near.get(item, [])] or [place[item]]))
                    for item in order[row]}
            order[row] = sorted(order[row], key=lambda item: (wish[item], place[item]))
            place.update({item: (index + 0.5) / len(order[row]) for index, item in enumerate(order[row])})
        crossings = _crossings(order, above) if counted else -sweep
        if crossings < fewest:
            best, fewest = order, crossings
    return best


def _crossings(order: list[list[Item]], above: Mapping[Item, list[Item]]) -> int:
    total = 0
    for row, upper in zip(order, order[1:], strict=False):
        index = {item: place for place, item in enumerate(upper)}
        ends = np.array([(place, index[other]) for place, item in enumerate(row)
                         for other in above.get(item, []) if other in index]).reshape(-1, 2)
        apart = ends[:, None] - ends[None]
        total += int((apart[..., 0] * apart[..., 1] < 0).sum()) // 2
    return total


def _coordinates(order: list[list[Item]], below: Mapping[Item, list[Item]], above: Mapping[Item, list[Item]],
                 widths: Mapping[str, float], gap: float) -> dict[Item, float]:
    """Pull every item towards its neighbours, keeping the order and the gaps of its row."""
    x: dict[Item, float] = {}
    offsets, weights = [], []
    for row in order:
        wide = np.array([widths[item] if isinstance(item, str) else 0.0 for item in row])
        offset = np.concatenate([[0.0], np.cumsum((wide[1:] + wide[:-1]) / 2 + gap)])
        offsets.append(offset)
        weights.append(np.where(wide > 0, 1.0, 3.0))  # a bend shows more in a line than in a row of boxes
        x.update(zip(row, (offset - offset[-1] / 2).tolist(), strict=True))
    for sweep in range(40):
        for index in range(len(order)) if sweep % 2 else reversed(range(len(order))):
            row, offset = order[index], offsets[index]
            near = [[x[other] for other in (*below.get(item, []), *above.get(item, []))] for item in row]
            wish = np.array([np.mean(places or [x[item]]) for item, places in zip(row, near, strict=True)])
            moved = isotonic_regression(wish - offset, weights=weights[index]).x + offset
            x.update(zip(row, moved.tolist(), strict=True))
    return x


def _lines(graph: nx.MultiDiGraph, centres: Mapping[str, tuple[float, float]], row_of: Mapping[str, int],
           x: Mapping[Item, float], widths: Mapping[str, float], height: float,
           pitch: float) -> dict[Edge, NDArray[np.float64]]:
    edges = sorted(graph.edges(keys=True), key=str)
    ports = _ports(edges, centres, row_of, x, widths, height)
    lines = {}
    for edge in edges:
        start, end = ports[edge]
        low, high = sorted(edge[:2], key=lambda name: row_of[name])
        between: list[tuple[float, float]] = []
        for row in range(row_of[low] + 1, row_of[high]):
            if (low, high, row) in x:
                side = 0.5 * (start[0] - centres[edge[0]][0])  # lines that share a way run side by side
                between.append((x[low, high, row] + side, row * pitch + height / 2))
        if edge[0] == high != low:
            between.reverse()
        if edge[0] == edge[1]:
            lines[edge] = _bezier(start, end, np.array([0.22 * pitch, 0.0]))
        elif row_of[low] == row_of[high]:
            rise = min(0.18 + 0.07 * abs(end[0] - start[0]), 0.5)
            lines[edge] = _bezier(start, end, np.array([0.0, rise * pitch]))
        else:
            lines[edge] = _course(np.array([start, *between, end]), steepest=0.3 / height)
    return lines


def _ports(edges: list[Edge], centres: Mapping[str, tuple[float, float]], row_of: Mapping[str, int],
           x: Mapping[Item, float], widths: Mapping[str, float],
           height: float) -> dict[Edge, tuple[tuple[float, float], tuple[float, float]]]:
    """The points where edges leave and enter: along the sides of the boxes, in the order of where they go."""
    ends: dict[tuple[str, int], list[tuple[float, str, Edge, int]]] = defaultdict(list)
    for edge in edges:
        if edge[0] == edge[1]:
            continue
        for end, (own, other) in enumerate(((edge[0], edge[1]), (edge[1], edge[0]))):
            side = -1 if row_of[own] > row_of[other] else 1
            low, high = (own, other) if side > 0 else (other, own)
            towards = x.get((low, high, row_of[own] + side), x[other])
            ends[own, side].append((towards, str(edge), edge, end))
    ports: dict[tuple[Edge, int], tuple[float, float]] = {}
    for (name, side), found in ends.items():
        step = min(0.8 * widths[name] / len(found), 0.11)
        for index, (_, _, edge, end) in enumerate(sorted(found, key=lambda one: one[:2])):
            ports[edge, end] = (centres[name][0] + (index - (len(found) - 1) / 2) * step,
                                centres[name][1] + side * height / 2)
    for edge in edges:
        if edge[0] == edge[1]:
            right, middle = centres[edge[0]][0] + widths[edge[0]] / 2, centres[edge[0]][1]
            ports[edge, 0], ports[edge, 1] = (right, middle + height / 4), (right, middle - height / 4)
    return {edge: (ports[edge, 0], ports[edge, 1]) for edge in edges}


def _bezier(start: tuple[float, float], end: tuple[float, float],
            pull: NDArray[np.float64]) -> NDArray[np.float64]:
    """An arc over one side: between neighbours of a row, or from a node to itself."""
    one, two = np.array(start), np.array(end)
    return _cubic(one, one + pull, two + pull, two)


def _course(points: NDArray[np.float64], steepest: float) -> NDArray[np.float64]:
    """A smooth line through the points, upright at its ends and steep enough between boxes to miss them."""
    slope = np.zeros(len(points))
    slope[1:-1] = (points[2:, 0] - points[:-2, 0]) / (points[2:, 1] - points[:-2, 1])
    slope = np.clip(slope, -steepest, steepest)
    parts = []
    for index, (one, two) in enumerate(zip(points, points[1:], strict=False)):
        pull = 0.42 * (two[1] - one[1])
        near, far = np.array([slope[index], 1.0]), np.array([slope[index + 1], 1.0])
        parts.append(_cubic(one, one + pull * near, two - pull * far, two))
    return np.concatenate(parts)


def _cubic(one: NDArray[np.float64], near: NDArray[np.float64], far: NDArray[np.float64],
           two: NDArray[np.float64]) -> NDArray[np.float64]:
    t = np.linspace(0.0, 1.0, 21)[:, None]
    return (1 - t)**3 * one + 3 * (1 - t)**2 * t * near + 3 * (1 - t) * t**2 * far + t**3 * two
