"""A RegionGraph to TOML: region tables for what they can say, ``[[edges]]`` for the rest."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

import tomlkit
from tomlkit.exceptions import ConvertError
from tomlkit.items import AoT, Array, InlineTable, Table

from cortexsim.attributes import (
    EDGE_DEFAULTS,
    GRAPH_DEFAULTS,
    REGION_DEFAULTS,
    SOURCE_DEFAULTS,
    default_delay,
    find_region_kind,
    plain_value,
)
from cortexsim.errors import GraphError
from cortexsim.graph import RegionGraph
from cortexsim.graph_check import check_pending
from cortexsim.shorthand import AUTOMATIC, Reference, edge_name
from cortexsim.toml_read import DEFAULT_KEYS, VERSION, graph_from_tables, layered

Tables = dict[str, Any]

LONG_LIST = 3
"""A list of signals with more entries is written one a line."""


def tables_from_graph(graph: RegionGraph) -> Tables:
    """The tables that `graph_from_tables` turns into the same graph again.

    Parameters
    ----------
    graph : RegionGraph
        A graph without references to nodes that were never added.

    Returns
    -------
    dict
        Plain values, in the order in which they are written.

    Raises
    ------
    GraphError
        A reference that waits, or a value that TOML has no form for.
    """
    check_pending(graph)
    tables: Tables = {"version": VERSION}
    for key in ("name", "why", "cite"):
        if graph.graph.get(key):
            tables[key] = graph.graph[key]
    trial = graph.graph.get("trial")
    tick_ms = graph.graph.get("tick_ms")
    if tick_ms is not None and trial is None:
        tables["tick_ms"] = tick_ms
    tables |= _extra(graph.graph, {**GRAPH_DEFAULTS, "pending": None}, "graph")
    if graph.graph.get("stream"):
        tables["stream"] = _plain_table(graph.graph["stream"], "stream")
    if trial is not None:
        tables["trial"] = _trial_table(trial, tick_ms)
    defaults = _usable_defaults(graph)
    if defaults:
        tables["defaults"] = defaults
    tables["sources"] = {name: _source_table(graph, name) for name in graph if graph.nodes[name]["type"] == "source"}
    tables["regions"] = {
        name: _region_table(graph, name, defaults) for name in graph if graph.nodes[name]["type"] == "region"}
    tables["edges"] = [
        {"from": _signal(graph, source, data)} | {"to": target} | _edge_options(graph, source, target, name, data)
        for source, target, name, data in graph.edges(keys=True, data=True)
        if data["role"] == "modulator" and not data["auto"]
    ]
    tables["edges"] += _corrections(graph, graph_from_tables(tables))
    return {key: value for key, value in tables.items() if value or key not in ("sources", "regions", "edges")}


def _plain_table(given: Mapping[str, Any], where: str) -> Tables:
    return {
        str(key): _plain_table(value, f"{where}: {key}") if isinstance(value, Mapping) else
        plain_value(value, f"{where}: {key}")
        for key, value in given.items()
    }


def _extra(data: Mapping[str, Any], known: Mapping[str, Any], where: str) -> Tables:
    extra = {key: value for key, value in data.items() if key not in known}
    return {"extra": _plain_table(extra, where)} if extra else {}


def _trial_table(trial: Mapping[str, Any], tick_ms: float | None) -> Tables:
    made = {"length": trial["length"], "score_at": trial["score_at"], "tick_ms": tick_ms}
    made = {key: value for key, value in made.items() if value is not None}
    spans = {name: list(span) for name, span in trial["spans"].items()}
    return made | ({"spans": spans} if spans else {})


def _usable_defaults(graph: RegionGraph) -> dict[str, dict[str, Tables]]:
    """The defaults a graph was read with, less those that would change a region that has been edited since."""
    defaults = copy.deepcopy(dict(graph.graph.get("defaults") or {}))
    used = set()
    for name in graph.regions:
        data = graph.nodes[name]
        for selector in (("kind", data["kind"]), *(("tag", tag) for tag in data["tags"])):
            given = defaults.get(selector[0], {}).get(selector[1], {})
            used.add(selector)
            for key in list(given):
                gone = data["shape"] is None if key in ("size", "shape") else (
                    key not in data["hyper"] and key not in (*DEFAULT_KEYS, "why"))
                if gone:
                    del given[key]
    kept = {
        group: {name: given for name, given in names.items() if (group, name) in used and given}
        for group, names in defaults.items()
    }
    return {group: names for group, names in kept.items() if names}


def _source_table(graph: RegionGraph, name: str) -> Tables:
    data = graph.nodes[name]
    made: Tables = _size(data["shape"])
    made |= {key: data[key] for key in ("known", "imagined_by", "sparse", "why") if data[key] != SOURCE_DEFAULTS[key]}
    if data["cite"]:
        made["source"] = data["cite"]
    return made | _extra(data, SOURCE_DEFAULTS, f"source {name!r}")


def _size(shape: tuple[int, ...] | None) -> Tables:
    if shape is None:
        return {}
    return {"size": shape[0]} if len(shape) == 1 else {"shape": list(shape)}


def _region_table(graph: RegionGraph, name: str, defaults: Mapping[str, Any]) -> Tables:
    data = graph.nodes[name]
    made: Tables = {"kind": data["kind"]}
    made |= _signal_lists(graph, name)
    fields = find_region_kind(name, data["kind"]).hyper_fields()
    given = layered(defaults, data["kind"], data["tags"], (*DEFAULT_KEYS, *fields))
    size = _size(data["shape"])
    from_defaults = {key: given[key] for key in ("size", "shape") if key in given}
    made |= {} if size == from_defaults else size
    for key in ("period", "offset", "when_closed", "frozen", "on_divergence"):
        if data[key] != given.get(key, REGION_DEFAULTS[key]):
            made[key] = data[key]
    if data["tags"]:
        made["tags"] = list(data["tags"])
    made |= {key: value for key, value in data["hyper"].items() if key not in given or not _alike(given[key], value)}
    if data["why"]:
        made["why"] = data["why"]
    if data["cite"]:
        made["source"] = data["cite"]
    return made | _extra(data, REGION_DEFAULTS, f"region {name!r}")


def _alike(one: Any, two: Any) -> bool:
    return type(one) is type(two) and (one == two or one != one and two != two)


def _signal_lists(graph: RegionGraph, name: str) -> Tables:
    """What a region reads and predicts, except what only ``[[edges]]`` can say."""
    lists: dict[str, list[Any]] = {"predicts": [], "context": [], "gate": [], "prior": [], "feedback": []}
    for source, _, key, data in graph.in_edges(name, keys=True, data=True):
        if data["auto"] or data["role"] == "modulator":
            continue
        options = _edge_options(graph, source, name, key, data)
        options.pop("role", None)
        signal = _signal(graph, source, data)
        role = "predicts" if data["role"] == "target" else data["role"]
        lists[role].append({"from": signal} | options if options else signal)
    for place, predicted in sorted(_pairs(graph, name).items()):
        lists["predicts"].insert(place, predicted)
    made: Tables = {role: items for role, items in lists.items() if items}
    if len(made.get("predicts", ())) == 1 and isinstance(made["predicts"][0], str):
        made["predicts"] = made["predicts"][0]
    return made


def _pairs(graph: RegionGraph, name: str) -> dict[int, str]:
    """The states that a settling region predicts, by their place in its list."""
    pairs = {}
    for _, target, data in graph.out_edges(name, data=True):
        place = str(data["select"]).removeprefix(AUTOMATIC)
        if data["auto"] and data["role"] == "prior" and place.isdigit():
            pairs[int(place)] = f"{target}.state"
    return pairs


def _signal(graph: RegionGraph, source: str, data: Mapping[str, Any]) -> str:
    """The short notation of an edge's signal, without what is the default anyway."""
    node = graph.nodes[source]
    port = None if node["type"] == "source" and data["port"] == "value" else data["port"]
    delay = None if data["delay"] == default_delay(data["role"], node) else data["delay"]
    return str(Reference(source, port, data["select"], delay))


def _edge_options(graph: RegionGraph, source: str, target: str, name: str, data: Mapping[str, Any]) -> Tables:
    """What has to be said of an edge beside its ends and signal."""
    made: Tables = {}
    select = None if data["auto"] else data["select"]
    if data["auto"] or name != edge_name(Reference(source, data["port"], select, data["delay"]), target, data["role"]):
        made["name"] = name
    for key in ("role", "field", "span", "outside", "hyper", "mode", "lesioned", "why"):
        if data[key] != EDGE_DEFAULTS[key]:
            made[key] = str(data[key]) if key == "field" else data[key]
    return made | _extra(data, EDGE_DEFAULTS, f"edge {name!r}")


def _corrections(graph: RegionGraph, made: RegionGraph) -> list[Tables]:
    """Tables for the edges that the region tables get wrong: edited, removed or left-over automatic ones."""
    removed, changed, added = [], [], []
    wanted = {name: (source, target, data) for source, target, name, data in graph.edges(keys=True, data=True)}
    for name in sorted(made.edge_names()):
        source, target, data = made.edge(name)
        if name not in wanted or wanted[name][:2] != (source, target):
            removed.append({"name": name, "removed": True})
        elif wanted[name][2] != data:
            right = wanted.pop(name)[2]
            changed.append({"name": name} | _changes(right, data, f"edge {name!r}"))
        else:
            del wanted[name]
    for name, (source, target, data) in sorted(wanted.items()):
        signal = Reference(source, data["port"], None, data["delay"])
        options = _edge_options(graph, source, target, name, data)
        select = {} if data["select"] is None else {"select": data["select"]}
        added.append({"from": str(signal), "to": target, "auto": data["auto"]} | options | {"name": name} | select)
    return removed + changed + added


def _changes(right: Mapping[str, Any], wrong: Mapping[str, Any], where: str) -> Tables:
    made: Tables = {}
    for key in EDGE_DEFAULTS:
        if right[key] != wrong[key]:
            # TOML has no word for nothing; an empty text is read as it
            made[key] = "" if right[key] is None else str(right[key]) if key == "field" else right[key]
    if "port" in made:
        raise GraphError(where, "is an automatic edge whose port was changed, which TOML cannot say", right["port"],
                         "remove it and connect another")
    return made | _extra(right, EDGE_DEFAULTS, where)


def text_from_tables(tables: Mapping[str, Any]) -> str:
    """Write tables as TOML: signals one a line where there are many, tables of edges inside lists in one line."""
    document = tomlkit.document()
    for key, value in tables.items():
        if isinstance(value, Mapping):
            document.add(key, _table(value, deep=key in ("sources", "regions", "defaults")))
        elif key == "edges":
            edges: AoT = tomlkit.aot()
            for item in value:
                edges.append(_table(item))
            document.add(key, edges)
        else:
            document.add(key, _item(value))
    return tomlkit.dumps(document)


def _table(given: Mapping[str, Any], deep: bool = False) -> Table:
    made = tomlkit.table(is_super_table=deep and all(isinstance(value, Mapping) for value in given.values()))
    # values before tables: behind [a.b] a plain key would belong to b
    for key, value in sorted(given.items(), key=lambda pair: isinstance(pair[1], Mapping)):
        inner = isinstance(value, Mapping) and key != "extra"
        made.add(key, _table(value, deep) if inner else _item(value))
    return made


def _item(value: Any) -> Any:
    if isinstance(value, Mapping):
        inline: InlineTable = tomlkit.inline_table()
        for key, item in value.items():
            inline.append(key, _item(item))
        return inline
    if isinstance(value, list):
        items: Array = tomlkit.array()
        for item in value:
            items.append(_item(item))
        signals = any(isinstance(item, str | Mapping) for item in value)
        return items.multiline(signals and (len(value) > LONG_LIST or any(isinstance(i, Mapping) for i in value)))
    try:
        return tomlkit.item(value)
    except ConvertError:
        raise GraphError("graph", "holds a value that TOML has no form for", value) from None
