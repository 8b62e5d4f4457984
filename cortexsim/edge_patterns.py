"""Which edges a pattern such as ``"saccade->*"`` means."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from cortexsim.errors import GraphError, nearest

if TYPE_CHECKING:
    from cortexsim.graph import RegionGraph


def matching_edges(graph: RegionGraph, pattern: str) -> list[str]:
    """Names of the edges that a pattern means, sorted; see `RegionGraph.match_edges`."""
    if graph.has_edge_named(pattern):
        return [pattern]
    left, arrow, right = pattern.partition("->")
    whole, starts, stops = _wildcards(pattern), _wildcards(left), _wildcards(right)
    found, names, pairs = [], [], set()
    for source, target, name, data in graph.edges(keys=True, data=True):
        signal = f"{source}.{data.get('port')}"
        readers = (target, f"{target}:{data.get('role')}")
        between = arrow and any(map(starts.fullmatch, (source, signal, f"{signal}@{data.get('delay')}"))) and any(
            map(stops.fullmatch, readers))
        if between or whole.fullmatch(str(name)):
            found.append(name)
        names.append(str(name))
        pairs.add(f"{source}->{target}")
    if not found:
        raise GraphError(f"edge {pattern!r}", "matches no edge of the graph", hint=nearest(pattern, {*names, *pairs}))
    return sorted(found)


def _wildcards(pattern: str) -> re.Pattern[str]:
    # not fnmatch: in the names of edges square brackets are no wildcard
    return re.compile(re.escape(re.sub(r"\*+", "*", pattern)).replace(r"\*", ".*").replace(r"\?", "."))
