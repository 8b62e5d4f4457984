"""TOML tables to a RegionGraph.

A file holds ``version``, ``name``, ``why``, ``cite``, ``tick_ms`` and the tables ``[stream]``, ``[trial]``,
``[defaults]``, ``[sources.NAME]``, ``[regions.NAME]`` and ``[[edges]]``. What a region sets beats the
defaults of its tags (later tags beat earlier ones), these beat the defaults of its kind, and these the kind's own.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from cortexsim.attributes import GRAPH_DEFAULTS, SOURCE_DEFAULTS, edge_attributes, find_region_kind
from cortexsim.errors import GraphError, nearest
from cortexsim.graph import ROLES_OF_ARGUMENTS, RegionGraph
from cortexsim.graph_check import check_edge, check_words
from cortexsim.shorthand import ITEM_OPTIONS, parse_item, run_length
from cortexsim.wiring import insert, join

VERSION = 1
RUNS = 1 << 14
"""Edges that runs of delays may stand for, in a whole file: a few bytes each make one, which takes a kilobyte."""

TOP_KEYS = ("version", "name", "why", "cite", "tick_ms", "extra", "stream", "trial", "defaults", "sources", "regions",
            "edges")
TRIAL_KEYS = ("length", "score_at", "tick_ms", "spans")
SOURCE_KEYS = ("shape", "size", "known", "imagined_by", "sparse", "why", "source", "extra")
DEFAULT_KEYS = ("size", "shape", "period", "offset", "when_closed", "frozen", "on_divergence")
REGION_KEYS = ("kind", *ROLES_OF_ARGUMENTS, *DEFAULT_KEYS, "tags", "why", "source", "extra")
EDGE_KEYS = ("from", "to", "role", "hyper", "mode", "select", "auto", "removed", *ITEM_OPTIONS)


def graph_from_tables(tables: Mapping[str, Any]) -> RegionGraph:
    """Build the graph that parsed TOML describes.

    Parameters
    ----------
    tables : mapping
        What `tomllib` returns.

    Returns
    -------
    RegionGraph
        Not yet checked as a whole.

    Raises
    ------
    GraphError
        An unknown key or a value that does not fit: the message names table, key and the nearest key.
    KindError
        A hyperparameter out of its range.
    """
    check_keys("file", tables, TOP_KEYS)
    version = tables.get("version", VERSION)
    if version != VERSION:
        raise GraphError("file", f"version must be {VERSION}", version, "a newer cortexsim may read it")
    check_runs(table(tables, "regions"))
    graph = RegionGraph()
    graph.graph.update(_extra(tables, "", (*GRAPH_DEFAULTS, "pending")))
    for key in ("name", "why", "cite", "tick_ms"):
        if key in tables:
            graph.graph[key] = tables[key]
    graph.graph["stream"] = dict(table(tables, "stream"))
    _read_trial(graph, tables)
    for name, given in table(tables, "sources").items():
        _read_source(graph, name, given)
    defaults = _read_defaults(tables)
    used: set[tuple[str, str]] = set()
    for name, given in table(tables, "regions").items():
        _read_region(graph, name, given, defaults, used)
    _check_used(defaults, used, graph)
    graph.graph["defaults"] = {key: dict(group) for key, group in defaults.items() if group}
    edges = tables.get("edges", [])
    if not isinstance(edges, list) or not all(isinstance(item, Mapping) for item in edges):
        raise GraphError("[[edges]]", "must be an array of tables", edges)
    for place, given in enumerate(edges):
        _read_edge(graph, given, f"[[edges]] number {place + 1}")
    return graph


def check_runs(regions: Mapping[str, Any]) -> None:
    """Refuse a file whose runs of delays, ``"retina@1..8"``, stand for more edges than its text could list."""
    many = 0
    for given in regions.values():
        for role in ROLES_OF_ARGUMENTS:
            items = given.get(role) if isinstance(given, Mapping) else None
            many += sum(run_length(item) for item in (items if isinstance(items, list) else [items]))
    if many > RUNS:
        raise GraphError("file", f"runs of delays may stand for {RUNS:,} edges in all", many)


def check_keys(where: str, given: Mapping[str, Any], known: Iterable[str]) -> None:
    """Raise a GraphError for the first key that a table does not know."""
    known = list(known)
    for key in given:
        if key not in known:
            raise GraphError(where, f"unknown key {key!r}", hint=nearest(key, known))


def table(tables: Mapping[str, Any], key: str, where: str = "") -> Mapping[str, Any]:
    """A table inside another, empty where it is missing."""
    value = tables.get(key, {})
    if not isinstance(value, Mapping):
        raise GraphError(where or f"[{key}]", "must be a table", value)
    return value


def _read_trial(graph: RegionGraph, tables: Mapping[str, Any]) -> None:
    if "trial" not in tables:
        return
    trial = table(tables, "trial")
    check_keys("[trial]", trial, TRIAL_KEYS)
    if "length" not in trial:
        raise GraphError("[trial]", "needs length, in ticks")
    duration = trial.get("tick_ms")
    check_words({"tick_ms": duration})
    graph.set_trial(trial["length"], table(trial, "spans", "[trial.spans]"), trial.get("score_at"), duration)


def _read_source(graph: RegionGraph, name: str, given: Any) -> None:
    where = f"[sources.{name}]"
    if not isinstance(given, Mapping):
        raise GraphError(where, "must be a table", given)
    check_keys(where, given, SOURCE_KEYS)
    values = {str(key): value for key, value in given.items() if key not in ("extra", "source")}
    if "source" in given:
        values["cite"] = given["source"]
    graph.add_source(name, **values)
    graph.nodes[name].update(_extra(given, where, SOURCE_DEFAULTS))


def _extra(given: Mapping[str, Any], where: str, known: Iterable[str]) -> dict[str, Any]:
    extra = dict(table(given, "extra", f"{where} extra" if where else "[extra]"))
    for key in extra.keys() & set(known):
        raise GraphError(where or "[extra]", f"extra holds {key!r}, which has a place of its own")
    return extra


def _read_defaults(tables: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    defaults = table(tables, "defaults")
    check_keys("[defaults]", defaults, ("kind", "tag"))
    groups = {key: table(defaults, key, f"[defaults.{key}]") for key in ("kind", "tag")}
    for key, group in groups.items():
        for name in group:
            table(group, name, f"[defaults.{key}.{name}]")
    return groups


def _read_region(
    graph: RegionGraph, name: str, given: Any, defaults: Mapping[str, Mapping[str, Any]], used: set[tuple[str, str]]
) -> None:
    where = f"[regions.{name}]"
    if not isinstance(given, Mapping):
        raise GraphError(where, "must be a table", given)
    kind = given.get("kind", "delta")
    if not isinstance(kind, str):
        raise GraphError(where, "kind must be a name or 'package.module:object'", kind)
    fields = find_region_kind(name, kind).hyper_fields()
    check_keys(where, given, (*REGION_KEYS, *fields))
    tags = given.get("tags", [])
    tags = [tags] if isinstance(tags, str) else [tag for tag in tags if isinstance(tag, str)] if isinstance(
        tags, list) else []
    merged = layered(defaults, kind, tags, (*DEFAULT_KEYS, *fields), used)
    own = {key: value for key, value in given.items() if key != "extra"}
    if "size" in own or "shape" in own:
        merged = {key: value for key, value in merged.items() if key not in ("size", "shape")}
    values = merged | own
    if "source" in values:
        values["cite"] = values.pop("source")
    graph.add_region(name, **values)
    graph.nodes[name].update(_extra(given, where, graph.nodes[name]))


def layered(
    defaults: Mapping[str, Mapping[str, Any]], kind: str, tags: Iterable[str], known: Iterable[str],
    used: set[tuple[str, str]] | None = None,
) -> dict[str, Any]:
    """What the defaults give to a region of a kind with these tags; later tags win."""
    merged: dict[str, Any] = {}
    for selector in (("kind", kind), *(("tag", tag) for tag in tags)):
        given = defaults.get(selector[0], {}).get(selector[1])
        if given is None:
            continue
        check_keys(f"[defaults.{selector[0]}.{selector[1]}]", given, (*known, "why"))
        given = {key: value for key, value in given.items() if key != "why"}
        if "size" in given or "shape" in given:
            merged = {key: value for key, value in merged.items() if key not in ("size", "shape")}
        merged |= given
        if used is not None:
            used.add(selector)
    return merged


def _check_used(
    defaults: Mapping[str, Mapping[str, Any]], used: set[tuple[str, str]], graph: RegionGraph
) -> None:
    data = [graph.nodes[name] for name in graph.regions]
    known = {"kind": {item["kind"] for item in data}, "tag": {tag for item in data for tag in item["tags"]}}
    for group, names in defaults.items():
        for name in names:
            if (group, name) not in used:
                raise GraphError(f"[defaults.{group}.{name}]", f"no region has this {group}",
                                 hint=nearest(name, known[group]))


def _read_edge(graph: RegionGraph, given: Mapping[str, Any], where: str) -> None:
    if isinstance(given.get("name"), str):
        where += f" ({given['name']!r})"
    check_keys(where, given, EDGE_KEYS)
    if "from" not in given and "to" not in given:
        _change_edge(graph, given, where)
        return
    for key in ("from", "to"):
        if not isinstance(given.get(key), str):
            raise GraphError(where, f"needs {key!r}, a text", given.get(key))
    own = {key: given[key] for key in ("role", "hyper", "mode", "select", "auto") if key in given}
    item = {key: value for key, value in given.items() if key not in own and key != "to"}
    reference, options = parse_item(item, where)
    target, role = given["to"], own.pop("role", "context")
    for node in (reference.name, target):
        if node not in graph:
            raise GraphError(where, f"{node!r} is not in the graph", hint=nearest(node, graph))
    if "auto" not in own:
        if "select" in own:
            raise GraphError(where, "units are written behind the signal", own["select"],
                             f"try from='{reference}[{own['select']}]'")
        join(graph, reference, target, role, options | own)
        return
    # an automatic edge whose region no longer asks for it: written out in full
    extra = table(options, "extra", f"{where} extra")
    options.pop("extra", None)
    name = options.pop("name", None)
    if name is None:
        raise GraphError(where, "an automatic edge needs its name")
    insert(graph, reference.name, target, name,
           dict(extra) | options | own | {"role": role, "port": reference.port, "delay": reference.delay})


def _change_edge(graph: RegionGraph, given: Mapping[str, Any], where: str) -> None:
    """A table without ends changes, or removes, an edge that the region tables have made."""
    if not isinstance(given.get("name"), str):
        raise GraphError(where, "needs from= and to=, or the name= of an edge to change", given.get("name"))
    if not graph.has_edge_named(given["name"]):
        graph.edge(given["name"])  # raises, with the nearest name
    source, target, data = graph.edge(given["name"])
    if given.get("removed") is True:
        graph.remove_edge(source, target, given["name"])
        return
    changes = {key: value for key, value in given.items() if key not in ("name", "extra", "removed")}
    extra = dict(table(given, "extra", f"{where} extra"))
    changed = edge_attributes(where, data | changes | extra, graph.nodes[source])
    check_edge(graph, source, target, given["name"], changed)
    data.update(changed)
