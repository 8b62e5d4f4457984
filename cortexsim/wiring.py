"""How what a region asks for becomes edges, the automatic ones included.

A request names the region that asks (its owner), a role or "predicts", its place in the list, the signal, and options.
Where the signal's node is not there yet, the request waits in ``graph.graph["pending"]`` under that node's name.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from cortexsim.attributes import default_delay, default_port, edge_attributes, find_region_kind
from cortexsim.errors import GraphError
from cortexsim.graph_check import check_edge
from cortexsim.kind import Kind
from cortexsim.shorthand import AUTOMATIC, Reference, edge_name

if TYPE_CHECKING:
    from cortexsim.graph import RegionGraph

Request = dict[str, Any]

PAIR_OPTIONS = ("lesioned", "why")
"""What may be said of the pair of edges of a region that settles: it goes to both."""


def add_wired_node(graph: RegionGraph, name: str, data: Mapping[str, Any], requests: list[Request]) -> None:
    """Add a node with the edges it asks for and those that waited for it, or leave the graph as it was."""
    waiting = graph.graph.get("pending", {}).pop(name, [])
    graph.add_nodes_from([(name, dict(data))])
    try:
        for request in [*waiting, *requests]:
            fulfil(graph, request)
    except Exception:
        # all edges made here touch the new node, so they leave with it
        graph.remove_node(name)
        if waiting:
            graph.graph.setdefault("pending", {})[name] = waiting
        raise
    if not graph.graph.get("pending", True):
        del graph.graph["pending"]


def fulfil(graph: RegionGraph, request: Request) -> None:
    """Make the edges of a request, or let it wait for its node."""
    reference, owner = request["reference"], request["owner"]
    if reference.name not in graph:
        graph.graph.setdefault("pending", {}).setdefault(reference.name, []).append(request)
    elif request["role"] == "predicts":
        predict(graph, owner, reference, request["place"], request["options"])
    else:
        join(graph, reference, owner, request["role"], request["options"])


def forget(graph: RegionGraph, names: set[Any]) -> None:
    """Drop the waiting requests of nodes that have left the graph."""
    pending = graph.graph.get("pending", {})
    for missing in list(pending):
        pending[missing] = [request for request in pending[missing] if request["owner"] not in names]
        if not pending[missing]:
            del pending[missing]
    if not pending:
        graph.graph.pop("pending", None)


def kind_of(graph: RegionGraph, name: str) -> Kind | None:
    """The kind of a region; None for a source."""
    data = graph.nodes[name]
    return find_region_kind(name, data["kind"]) if data.get("type") == "region" else None


def predict(graph: RegionGraph, owner: str, reference: Reference, place: int, options: Mapping[str, Any]) -> None:
    """Connect what a region predicts: a target edge, or the settling pair of automatic edges."""
    predicted = kind_of(graph, reference.name)
    rule = kind_of(graph, owner)
    pair = rule is not None and rule.settles and predicted is not None and "prior" in predicted.roles
    if not pair or reference.port not in ("state", None):
        join(graph, reference, owner, "target", options)
        return
    where = f"region {owner!r}: predicts {str(reference)!r}"
    if reference.select is not None or reference.delay:
        raise GraphError(where, "a region that settles predicts the whole state, at delay 0")
    for key in options:
        if key not in PAIR_OPTIONS:
            raise GraphError(where, f"the pair of edges of a region that settles takes no {key!r}",
                             hint=f"it takes: {', '.join(PAIR_OPTIONS)}; set others on the edges themselves")
    prediction = Reference(owner, "prediction", f"{AUTOMATIC}{place}", 0)
    join(graph, prediction, reference.name, "prior", options, automatic=True)
    join(graph, Reference(reference.name, "error", None, 0), owner, "feedback", options, automatic=True)


def join(
    graph: RegionGraph, reference: Reference, target: str, role: str, options: Mapping[str, Any],
    automatic: bool = False,
) -> str:
    """Make one edge, and the feedback edge that a context edge brings along; returns the name of the first.

    Both ends must be nodes of the graph.
    """
    options = dict(options)
    source = graph.nodes[reference.name]
    port = reference.port or default_port(source, f"region {target!r}: {role} {str(reference)!r}")
    delay = default_delay(role, source) if reference.delay is None else reference.delay
    full = reference._replace(port=port, delay=delay)
    if automatic:
        full = full._replace(select=None)
    name = options.pop("name", None) or edge_name(full, target, role)
    extra = options.pop("extra", {})
    if not isinstance(extra, Mapping):
        raise GraphError(f"edge {name!r}", "extra must be a table", extra)
    given = dict(extra) | options | {
        "role": role, "port": port, "delay": delay, "select": reference.select, "auto": automatic,
    }
    insert(graph, reference.name, target, name, given)
    if role == "context":
        try:
            join_feedback(graph, reference.name, target, name)
        except Exception:
            graph.remove_edge(reference.name, target, name)
            raise
    return name


def insert(graph: RegionGraph, source: str, target: str, name: str, given: Mapping[str, Any]) -> None:
    """Add a checked edge under a name that is still free."""
    where = f"edge {name!r}"
    if not isinstance(name, str):
        raise GraphError(where, "the name of an edge is a text", name)
    if graph.has_edge_named(name):
        raise GraphError(where, "is already in the graph", hint="give one of them a name=")
    data = edge_attributes(where, given, graph.nodes[source])
    check_edge(graph, source, target, name, data)
    graph.edges[source, target, graph.add_edge(source, target, key=name)].update(data)


def join_feedback(graph: RegionGraph, source: str, target: str, name: str) -> None:
    """The way back of a context edge, for kinds whose weights sit on the predicted side."""
    rule, sender = kind_of(graph, target), kind_of(graph, source)
    if rule is None or sender is None or not rule.writes_feedback or "feedback" not in sender.roles:
        return
    given = {"role": "feedback", "port": "feedback", "delay": 0, "select": f"{AUTOMATIC}{name}", "auto": True}
    insert(graph, target, source, f"{target}.feedback[{name}]@0->{source}:feedback", given)
