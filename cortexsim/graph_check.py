"""What makes a region graph sound: the checks of nodes, edges and the trial, each of which names its culprit."""

from __future__ import annotations

import difflib
import math
from collections.abc import Collection, Mapping
from math import prod
from typing import TYPE_CHECKING, Any

import networkx as nx

from cortexsim.attributes import (
    CHOICES,
    EDGE_DEFAULTS,
    REGION_DEFAULTS,
    SOURCE_DEFAULTS,
    as_whole_number,
    edge_attributes,
    find_region_kind,
    node_attributes,
)
from cortexsim.errors import GraphError, nearest
from cortexsim.shorthand import AUTOMATIC, check_name, check_select, check_select_fits

if TYPE_CHECKING:
    from cortexsim.graph import RegionGraph

# Beyond these nothing sensible lies, and the tables that the compiled code reads hold 32-bit numbers: what a file says
# is refused here, before anything of that size is made.
UNITS = 1 << 28
"""Units of a source, a region or a signal: a GiB of values."""
DELAYS = 1 << 20
"""Ticks of a delay: its ring holds every tick of it."""
PERIODS = 1 << 30
"""Ticks of a period."""
TRIAL = 1 << 20
"""Ticks of a trial: a table has a row for each."""
SPANS = 31
"""Spans of a trial: each is a bit of a 32-bit number."""
WORDS = ("why", "cite")
AUTOMATIC_EDGES = (("prior", "prediction"), ("feedback", "feedback"))
"""Role and port of the edges whose select the plan works out; one that went around could ask for itself."""


def check_graph(graph: RegionGraph) -> None:
    """Raise a GraphError (or a KindError, for a hyperparameter) for the first thing that is not sound."""
    check_pending(graph)
    check_words(graph.graph)
    if graph.graph.get("trial") is not None:
        graph.graph["trial"] = trial_from(graph.graph["trial"])
    for name, data in graph.nodes(data=True):
        data.update(node_attributes(name, data))
        check_node(graph, name, data)
    names: dict[str, tuple[str, str]] = {}
    for source, target, name, data in graph.edges(keys=True, data=True):
        where = f"edge {name!r}"
        if not isinstance(name, str):
            raise GraphError(f"edge {source!r} -> {target!r}", "needs a name as its key", name,
                             "add it with connect(), or read the graph with RegionGraph.from_networkx")
        if name in names:
            raise GraphError(where, f"names two edges, {' -> '.join(names[name])} and {source} -> {target}")
        names[name] = (source, target)
        data.update(edge_attributes(where, data, graph.nodes[source]))
        check_edge(graph, source, target, name, data)
        check_span(graph, where, data)
    for source, _, name, data in graph.edges(keys=True, data=True):
        if data["auto"] and data["select"] is not None:
            check_automatic(graph, source, name, data["select"], names)
    for name in graph.regions:
        check_needs(graph, name)


def check_words(attributes: Mapping[str, Any]) -> None:
    """Check the attributes of a graph that every part of the package may print, read or add up."""
    for key in ("name", *WORDS):
        if not isinstance(attributes.get(key, ""), str | None):
            raise GraphError(f"graph attribute {key!r}", "must be a text", attributes[key])
    for key in ("stream", "defaults"):
        if not isinstance(attributes.get(key, {}), Mapping):
            raise GraphError(f"graph attribute {key!r}", "must be a table", attributes[key])
    duration = attributes.get("tick_ms")
    if duration is not None and (isinstance(duration, bool) or not isinstance(duration, int | float)
                                 or not 0 < duration < math.inf):
        raise GraphError("graph attribute 'tick_ms'", "must be a number of milliseconds, above 0", duration)


def check_pending(graph: nx.MultiDiGraph) -> None:
    """Raise a GraphError where a region reads a node that was never added."""
    for missing, requests in graph.graph.get("pending", {}).items():
        where = f"region {requests[0]['owner']!r}"
        raise GraphError(where, f"reads {missing!r}, which is not in the graph", hint=nearest(missing, graph))


def check_node(graph: RegionGraph, name: str, data: Mapping[str, Any]) -> None:
    """Check the attributes of one source or region."""
    where = f"{data['type']} {name!r}"
    check_name(name, where)
    check_choices(where, data)
    check_texts(where, data)
    if data["shape"] is not None and prod(data["shape"]) > UNITS:
        raise GraphError(where, f"may have at most 2**28 = {UNITS:,} units", data["shape"])
    if data["type"] == "source":
        check_extra(where, data, SOURCE_DEFAULTS)
        if data["shape"] is None:
            raise GraphError(where, "needs a shape", hint="for example shape=(16, 16) or shape=(2,)")
        check_imagined(graph, where, data)
        return
    kind = find_region_kind(name, data["kind"])
    check_extra(where, data, REGION_DEFAULTS)
    kind.check_hyper(name, data["hyper"])
    if data["period"] < 1:
        raise GraphError(where, "period must be 1 tick or more", data["period"])
    if data["period"] > PERIODS:
        raise GraphError(where, f"period must be at most 2**30 = {PERIODS:,} ticks", data["period"])
    if not 0 <= data["offset"] < data["period"]:
        raise GraphError(where, f"offset must be in [0, {data['period'] - 1}], below its period", data["offset"])


def check_choices(where: str, data: Mapping[str, Any]) -> None:
    """Check the attributes that take one of a few words."""
    for key, words in CHOICES.items():
        if key in data and data[key] not in words:
            raise GraphError(where, f"{key} must be {' or '.join(words)}", data[key], nearest(str(data[key]), words))


def check_texts(where: str, data: Mapping[str, Any]) -> None:
    """Check the attributes that are there to be read by people."""
    for key in WORDS:
        if not isinstance(data.get(key, ""), str | None):
            raise GraphError(where, f"{key} must be a text", data[key])


def check_extra(where: str, data: Mapping[str, Any], known: Mapping[str, Any]) -> None:
    """Allow attributes that are not ours, unless one looks like a slip of the pen."""
    for key in data:
        if key not in known and (close := difflib.get_close_matches(str(key), known, n=1, cutoff=0.8)):
            raise GraphError(where, f"has no attribute {key!r}", hint=f"did you mean {close[0]!r}?")


def check_imagined(graph: RegionGraph, where: str, data: Mapping[str, Any]) -> None:
    """Check that the region that imagines a source exists and writes the port."""
    if data["imagined_by"] is None:
        return
    region, _, port = data["imagined_by"].partition(".")
    if region not in graph.nodes or graph.nodes[region].get("type") != "region":
        raise GraphError(where, f"imagined_by names {region!r}, which is no region of the graph",
                         hint=nearest(region, graph.regions))
    check_port(graph, region, port or "prediction", where)


def check_port(graph: RegionGraph, node: str, port: str, where: str) -> None:
    """Check that a node writes a port."""
    data = graph.nodes[node]
    if data["type"] == "source":
        if port != "value":
            raise GraphError(where, f"source {node!r} has no port {port!r}", hint="a source is read as 'value'")
        return
    kind = find_region_kind(node, data["kind"])
    if port not in kind.port_names:
        raise GraphError(where, f"region {node!r} (kind {kind.name!r}) has no port {port!r}",
                         hint=nearest(port, kind.port_names))


def check_edge(graph: RegionGraph, source: str, target: str, name: str, data: Mapping[str, Any]) -> None:
    """Check one edge against the kinds and sizes at its ends."""
    where = f"edge {name!r}"
    if not name or any(character in name for character in "*?\n"):
        raise GraphError(where, "the name of an edge is not empty and holds no '*', '?' or line break")
    for key in ("role", "port"):
        if not isinstance(data[key], str):
            raise GraphError(where, f"{key} must be a word", data[key])
    check_choices(where, data)
    check_texts(where, data)
    check_extra(where, data, EDGE_DEFAULTS)
    reader = graph.nodes[target]
    if reader["type"] != "region":
        raise GraphError(where, f"leads into source {target!r}, but a source reads nothing")
    kind = find_region_kind(target, reader["kind"])
    role, delay = data["role"], data["delay"]
    if role not in kind.roles:
        raise GraphError(where, f"region {target!r} (kind {kind.name!r}) takes no {role}",
                         hint=f"it takes: {', '.join(kind.roles)}")
    check_port(graph, source, data["port"], where)
    least = 1 if role == "modulator" else 0
    if delay < least:
        raise GraphError(where, f"the delay of a {role} must be {least} or more ticks", delay)
    if delay > DELAYS:
        raise GraphError(where, f"the delay must be at most 2**20 = {DELAYS:,} ticks", delay)
    if role == "modulator":
        check_modulator(where, data["hyper"], kind)
    elif data["hyper"] is not None:
        raise GraphError(where, "only a modulator drives a hyperparameter", data["hyper"], "set role='modulator'")
    if data["outside"] != "hold" and data["span"] is None:
        raise GraphError(where, "outside says what happens outside a span, so it needs span=", data["outside"])
    check_edge_select(graph.nodes[source], where, data)


def check_modulator(where: str, hyper: str | None, kind: Any) -> None:
    """Check that a modulator names a hyperparameter that can change during a run."""
    fields = kind.hyper_fields()
    if hyper is None:
        raise GraphError(where, "a modulator needs hyper=, the hyperparameter that it drives",
                         hint=f"of kind {kind.name!r}: {', '.join(fields)}")
    if not isinstance(hyper, str):
        raise GraphError(where, "hyper must be the name of a hyperparameter", hyper)
    if hyper not in fields:
        raise GraphError(where, f"kind {kind.name!r} has no hyperparameter {hyper!r}", hint=nearest(hyper, fields))
    if fields[hyper].structural or fields[hyper].choices:
        raise GraphError(where, f"hyperparameter {hyper!r} is fixed when the graph is planned; nothing can drive it")


def check_edge_select(source: Mapping[str, Any], where: str, data: Mapping[str, Any]) -> None:
    """Check the form of a select, and its units where the size is known before planning."""
    select = data["select"]
    if select is None:
        return
    if select.startswith(AUTOMATIC):
        if not data["auto"]:
            raise GraphError(where, "only an automatic edge may leave its select to the plan", select)
    elif source["type"] == "source" and source["shape"] is not None:
        check_select_fits(select, prod(source["shape"]), where)
    else:
        check_select(select, where)


def check_automatic(graph: RegionGraph, source: str, name: str, select: str, names: Collection[str]) -> None:
    """Check that the edge of which an automatic edge carries the feedback is still there."""
    wanted = select.removeprefix(AUTOMATIC)
    edge = graph.edge(name)[2]
    if select.startswith(AUTOMATIC) and (edge["role"], edge["port"]) not in AUTOMATIC_EDGES:
        raise GraphError(f"edge {name!r}", "only the edges that predicts= and context= make by themselves leave their "
                         "select to the plan: prediction -> prior, and feedback -> feedback", select)
    if select.startswith(AUTOMATIC) and not wanted.isdigit() and wanted not in names:
        raise GraphError(f"edge {name!r}", f"carries feedback for edge {wanted!r}, which is not in the graph",
                         hint=f"remove it too, or lesion both instead of removing one of {source!r}")


def check_span(graph: RegionGraph, where: str, data: Mapping[str, Any]) -> None:
    """Check that the span of an edge is one of the trial's."""
    if data["span"] is None:
        return
    if data["role"] in ("gate", "modulator"):
        raise GraphError(where, f"a {data['role']} takes no span: it acts all through the trial", data["span"])
    trial = graph.graph.get("trial")
    if trial is None:
        raise GraphError(where, f"is limited to span {data['span']!r}, but the graph has no trial",
                         hint="declare it with set_trial(length, spans=...)")
    if data["span"] not in trial["spans"]:
        raise GraphError(where, f"the trial has no span {data['span']!r}", hint=nearest(data["span"], trial["spans"]))


def check_needs(graph: RegionGraph, name: str) -> None:
    """Check that a region has an edge of every role that its kind cannot do without."""
    kind = find_region_kind(name, graph.nodes[name]["kind"])
    roles = {data["role"] for _, _, data in graph.in_edges(name, data=True)}
    for role in kind.needs:
        if role not in roles:
            raise GraphError(f"region {name!r}", f"kind {kind.name!r} needs a {role}, and no edge brings one",
                             hint=f"say {'predicts' if role == 'target' else role}='name.port'")


def trial_from(given: Any) -> dict[str, Any]:
    """A checked trial from the table in which a graph or a file holds it."""
    keys = ("length", "spans", "score_at")
    if not isinstance(given, Mapping) or "length" not in given or not given.keys() <= set(keys):
        raise GraphError("trial", "must hold length, and may hold spans and score_at", given)
    return checked_trial(**given)


def checked_trial(
    length: Any, spans: Mapping[str, Any] | None = None, score_at: Any = None
) -> dict[str, Any]:
    """A trial whose spans and scored tick lie inside it; raises a GraphError otherwise."""
    length = as_whole_number(length, "trial: length")
    if length < 1:
        raise GraphError("trial", "length must be 1 tick or more", length)
    if length > TRIAL:
        raise GraphError("trial", f"length must be at most 2**20 = {TRIAL:,} ticks", length)
    if not isinstance(spans or {}, Mapping):
        raise GraphError("trial", "spans must be a table of names and pairs of ticks", spans)
    if spans and len(spans) > SPANS:
        raise GraphError("trial", f"may have at most {SPANS} spans", len(spans))
    checked: dict[str, tuple[int, int]] = {}
    for name, span in (spans or {}).items():
        where = f"trial: span {name!r}"
        check_name(name, where)
        if not isinstance(span, list | tuple) or len(span) != 2:
            raise GraphError(where, "must be a pair (first tick, tick after the last)", span)
        start, stop = (as_whole_number(tick, where) for tick in span)
        if not 0 <= start < stop <= length:
            raise GraphError(where, f"must keep 0 <= first < after the last <= {length}", (start, stop))
        checked[name] = (start, stop)
    if score_at is not None:
        score_at = as_whole_number(score_at, "trial: score_at")
        if not 0 <= score_at < length:
            raise GraphError("trial", f"score_at must be in [0, {length - 1}]", score_at)
    return {"length": length, "spans": checked, "score_at": score_at}
