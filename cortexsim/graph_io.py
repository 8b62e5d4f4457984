"""RegionGraph to and from networkx graphs, GraphML and node-link JSON; and what differs between two graphs.

GraphML holds numbers, words and truth values only. What is more (tables, lists, nothing at all, text that XML would
change) is written as JSON behind the mark ``json:``, so that every value comes back as it was.
"""

from __future__ import annotations

import io
import json
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self
from xml.parsers import expat

import networkx as nx

from cortexsim.attributes import (
    GRAPH_DEFAULTS,
    edge_attributes,
    node_attributes,
)
from cortexsim.errors import FileError, GraphError, KindError
from cortexsim.fields import FIELDS
from cortexsim.files import write_file
from cortexsim.graph_check import check_pending, trial_from
from cortexsim.shorthand import Reference, edge_name
from cortexsim.trust import DEEPEST, importing_only, json_attribute, read_json
from cortexsim.zip_members import in_short

MARK = "json:"


class _Missing:
    def __repr__(self) -> str:
        return "missing"


_MISSING = _Missing()


class GraphFiles(nx.MultiDiGraph):
    """What a `RegionGraph` can do with files, other graphs and its own kind."""

    @classmethod
    def from_networkx(cls, graph: nx.Graph, allow_kinds: Iterable[str] = ()) -> Self:
        """Read any directed networkx graph whose nodes and edges have the right attributes.

        Parameters
        ----------
        graph : networkx.DiGraph or networkx.MultiDiGraph
            Attributes that are missing get their defaults; text is read as what it stands for. The key of an edge,
            or its attribute ``name``, is its name.
        allow_kinds : iterable of str
            Kinds outside the package that the graph may name, ``"mylab.rules:gain"`` or ``"mylab.*"``: naming one
            imports it, and the attributes may come from somebody else's file.

        Returns
        -------
        RegionGraph
            A graph of its own; `check` it, or give it to a simulation, which does.

        Raises
        ------
        GraphError
            An undirected graph, an attribute that cannot be read, or a kind that is not allowed.

        Examples
        --------
        >>> from cortexsim.graph import RegionGraph
        >>> plain = nx.DiGraph()
        >>> plain.add_node("tone", type="source", shape=3)
        >>> plain.add_node("A1", type="region", kind="delta", learning_rate=0.1)
        >>> plain.add_edge("tone", "A1", role="target")
        >>> plain.add_edge("A1", "A1", port="prediction")
        >>> RegionGraph.from_networkx(plain).check()
        RegionGraph: 1 source, 1 region, 2 edges
        """
        if not isinstance(graph, nx.Graph) or not graph.is_directed():
            raise GraphError("graph", "must be a networkx DiGraph or MultiDiGraph", type(graph).__name__,
                             "an edge leads from what is read to the region that reads it")
        made = cls()
        made.graph.update(_graph_attributes(graph.graph))
        with importing_only(allow_kinds, "RegionGraph.from_networkx(graph"):
            for name, data in graph.nodes(data=True):
                # not as keywords: an attribute may be called "key" or "self"
                made.add_nodes_from([(name, node_attributes(name, data))])
        edges = graph.edges(keys=True, data=True) if graph.is_multigraph() else (
            (source, target, data.get("name", 0), data) for source, target, data in graph.edges(data=True))
        names: set[str] = set()
        for source, target, key, data in edges:
            _read_edge(made, source, target, key, data, names)
        return made

    def to_graphml(self, path: str | os.PathLike[str]) -> None:
        """Write GraphML, which networkx, yEd and Gephi read, without loss."""
        plain = _plain_graph(self, _marked)
        buffer = io.BytesIO()
        nx.write_graphml(plain, buffer)
        write_file(path, lambda file: file.write(buffer.getvalue()))

    @classmethod
    def from_graphml(cls, path: str | os.PathLike[str], allow_kinds: Iterable[str] = ()) -> Self:
        """Read GraphML; a FileError says that the file is missing or is none, a GraphError what does not fit.

        `allow_kinds`: see `from_networkx`.
        """
        where = f"file {os.fspath(path)!r}"
        text = read_bytes(path)
        try:
            _check_xml(text, where)
            plain = nx.read_graphml(io.BytesIO(text), edge_key_type=str, force_multigraph=True)
        except FileError:
            raise
        except Exception as error:  # networkx lets through whatever an XML file that is no GraphML makes of its code
            raise FileError(where, f"is not GraphML that networkx can read ({in_short(error)})") from error
        with naming_file(path), importing_only(allow_kinds):
            for table in (plain.graph, *plain.nodes.values(), *plain.edges.values()):
                table.update({key: _unmarked(value, f"attribute {key!r}") for key, value in table.items()})
            return cls.from_networkx(plain)

    def to_json(self, path: str | os.PathLike[str]) -> None:
        """Write node-link JSON without loss."""
        data = self.node_link()
        write_file(path, lambda file: file.write(json.dumps(data, indent=1, ensure_ascii=False).encode()))

    def node_link(self) -> dict[str, Any]:
        """The graph as the tables of node-link JSON, in values that JSON can hold."""
        return nx.node_link_data(_plain_graph(self, _jsonable), edges="edges")

    @classmethod
    def from_node_link(cls, data: Any, where: str = "node-link data", allow_kinds: Iterable[str] = ()) -> Self:
        """Read what :meth:`node_link` gives; errors begin with `where`. `allow_kinds`: see `from_networkx`."""
        try:
            plain = nx.node_link_graph(data, directed=True, multigraph=True, edges="edges")
        except (ValueError, LookupError, TypeError, AttributeError, nx.NetworkXError) as error:
            raise FileError(where, f"is not node-link JSON ({error!r})"[:250]) from error
        with importing_only(allow_kinds):
            return cls.from_networkx(plain)

    @classmethod
    def from_json(cls, path: str | os.PathLike[str], allow_kinds: Iterable[str] = ()) -> Self:
        """Read node-link JSON; a FileError says that the file is missing or is none, a GraphError what does not fit.

        `allow_kinds`: see `from_networkx`.
        """
        where = f"file {os.fspath(path)!r}"
        data = read_json(read_bytes(path), where)
        with naming_file(path):
            return cls.from_node_link(data, where, allow_kinds)

    def differences(self, other: nx.MultiDiGraph) -> list[str]:
        """What is not equal in two graphs, in words; the order of nodes and edges does not count."""
        return _differences(self, other)

    def same(self, other: nx.MultiDiGraph) -> bool:
        """Whether two graphs have the same sources, regions, edges, trial, stream and words."""
        return not self.differences(other)


def _graph_attributes(given: Mapping[str, Any]) -> dict[str, Any]:
    if not isinstance(given, Mapping):
        raise GraphError("graph", "attributes must be a table", given)
    data = {key: value for key, value in given.items() if key not in ("node_default", "edge_default")}
    if data.pop("pending", None):
        raise GraphError("graph attribute 'pending'", "edges that wait for a node cannot be read from another graph",
                         hint="add the nodes first")
    for key in ("stream", "trial", "defaults"):
        if isinstance(data.get(key), str):
            data[key] = json_attribute(data[key], f"graph attribute {key!r}")
        data[key] = GRAPH_DEFAULTS[key] if data.get(key) is None else data[key]
    if data["trial"] is not None:
        data["trial"] = trial_from(data["trial"])
    return data


def _read_edge(
    made: GraphFiles, source: str, target: str, key: Any, given: Mapping[str, Any], names: set[str]
) -> None:
    given = dict(given)
    name = key if isinstance(key, str) else given.get("name")
    if name is not None and not isinstance(name, str):
        raise GraphError(f"edge {source!r} -> {target!r}", "name must be a text", name)
    if name is not None and given.get("name") == name:
        del given["name"]
    where = f"edge {name!r}" if name else f"edge {source!r} -> {target!r}"
    data = edge_attributes(where, given, made.nodes[source])
    if name is None:
        reference = Reference(source, data["port"], data["select"], data["delay"])
        name = edge_name(reference, target, data["role"])
    if name in names:
        raise GraphError(f"edge {name!r}", "is in the graph twice", hint="give one of them another key")
    names.add(name)
    made.edges[source, target, made.add_edge(source, target, key=name)].update(data)


@contextmanager
def naming_file(path: str | os.PathLike[str]) -> Iterator[None]:
    """Put the name of a file before the errors of what is in it."""
    try:
        yield
    except (GraphError, KindError) as error:
        where = f"{os.fspath(path)}: {error.where}"
        named = type(error)(where, error.what, error.got, error.hint) if error.got is not None else type(error)(
            where, error.what, hint=error.hint)
        raise named from error


def read_bytes(path: str | os.PathLike[str]) -> bytes:
    """The content of a file; a FileError names a file that cannot be read."""
    try:
        return Path(path).read_bytes()
    except (OSError, ValueError) as error:  # ValueError: NUL in a path
        why = getattr(error, "strerror", None) or error
        raise FileError(f"file {os.fspath(path)!r}", f"cannot be read ({why})") from error


def _check_xml(text: bytes, where: str) -> None:
    """Refuse XML that declares anything, or that is deep: an entity can stand for gigabytes, or for another file."""
    parser, depth = expat.ParserCreate(), 0

    def refuse(*_: Any) -> None:
        raise FileError(where, f"line {parser.CurrentLineNumber}: declares a document type, which GraphML has no use "
                        "for", hint="remove <!DOCTYPE ...>")

    def begin(*_: Any) -> None:
        nonlocal depth
        depth += 1
        if depth > DEEPEST:
            raise FileError(where, f"line {parser.CurrentLineNumber}: lies more than {DEEPEST} elements deep")

    def end(_: str) -> None:
        nonlocal depth
        depth -= 1

    parser.StartDoctypeDeclHandler = parser.EntityDeclHandler = refuse
    parser.StartElementHandler, parser.EndElementHandler = begin, end
    parser.Parse(text, True)


def _plain_graph(graph: nx.MultiDiGraph, convert: Callable[[Any], Any]) -> nx.MultiDiGraph:
    """The graph with values that a file format can hold."""
    check_pending(graph)
    plain = nx.MultiDiGraph()
    plain.graph.update({key: convert(value) for key, value in graph.graph.items()})
    for name, data in graph.nodes(data=True):
        plain.add_nodes_from([(name, {key: convert(value) for key, value in data.items()})])
    for source, target, name, data in graph.edges(keys=True, data=True):
        plain.add_edges_from([(source, target, name, {key: convert(value) for key, value in data.items()})])
    return plain


def _jsonable(value: Any) -> Any:
    """Fields as text; the rest as it is, which json turns into lists and tables."""
    return str(value) if isinstance(value, tuple(FIELDS.values())) else value


def _marked(value: Any) -> Any:
    value = _jsonable(value)
    if isinstance(value, bool | int | float):
        return value
    if isinstance(value, str) and value and value.isprintable() and not value.startswith(MARK):
        return value
    return MARK + json.dumps(value)


def _unmarked(value: Any, where: str) -> Any:
    if not (isinstance(value, str) and value.startswith(MARK)):
        return value
    try:
        return read_json(value.removeprefix(MARK), where)
    except FileError:  # somebody else's text
        return value


def _differences(first: nx.MultiDiGraph, second: nx.MultiDiGraph) -> list[str]:
    # defaults have been applied when a graph was read: they are kept for the next file and change nothing
    tables = [
        {("graph", key): value for key, value in graph.graph.items() if key not in ("defaults", "version")}
        | {("node", name): dict(data) for name, data in graph.nodes(data=True)}
        | {("edge", name): {"from": source, "to": target} | data
           for source, target, name, data in graph.edges(keys=True, data=True)}
        for graph in (first, second)
    ]
    found = []
    for what in tables[0].keys() | tables[1].keys():
        label = f"{what[0]} {what[1]!r}"
        if what not in tables[0] or what not in tables[1]:
            found.append(f"{label}: only in the {'second' if what not in tables[0] else 'first'} graph")
            continue
        one, two = (table[what] for table in tables)
        if _comparable(one) == _comparable(two):
            continue
        if what[0] == "graph":
            found.append(f"{label}: {one!r} and {two!r}")
            continue
        for key in one.keys() | two.keys():
            values = (one.get(key, _MISSING), two.get(key, _MISSING))
            if _comparable(values[0]) != _comparable(values[1]):
                found.append(f"{label}: {key} is {values[0]!r} and {values[1]!r}")
    return sorted(found)


def _comparable(value: Any) -> Any:
    """Tuples and lists compare as one, NaN equals itself; True and 1 stay apart."""
    if isinstance(value, Mapping):
        return {key: _comparable(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_comparable(item) for item in value]
    if isinstance(value, bool) or value != value:
        return (type(value), str(value))
    return value
