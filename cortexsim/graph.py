"""RegionGraph: which region predicts what, from what, by which rule; names and no indices.

A `RegionGraph` is a `networkx.MultiDiGraph`: nodes are sources and regions, edges carry signals in a role. Every
networkx function works on it; `RegionGraph.check` says whether what they left is sound.
"""

from __future__ import annotations

import copy
from collections.abc import Iterable, Mapping
from typing import Any, Self

from cortexsim.attributes import GRAPH_DEFAULTS, REGION_DEFAULTS, find_region_kind, node_attributes
from cortexsim.edge_patterns import matching_edges
from cortexsim.errors import GraphError, nearest
from cortexsim.graph_check import check_graph, check_node, checked_trial
from cortexsim.graph_io import GraphFiles
from cortexsim.kind import kind_name
from cortexsim.shorthand import check_name, parse_items, parse_reference, with_delay
from cortexsim.wiring import add_wired_node, forget, join

ROLES_OF_ARGUMENTS = ("predicts", "context", "gate", "prior", "feedback")
"""The arguments of `RegionGraph.add_region` that list signals, in the order in which their edges are made."""


class RegionGraph(GraphFiles):
    """A graph of sources and predictive regions.

    Parameters
    ----------
    incoming_graph_data, multigraph_input : optional
        As in networkx; a graph whose attributes need reading goes through `RegionGraph.from_networkx`.
    **attr
        Attributes of the graph: ``name``, ``why``, ``cite``, ``tick_ms``, ``stream``.

    Examples
    --------
    >>> graph = RegionGraph(name="first")
    >>> graph.add_source("retina", shape=(16, 16))
    'retina'
    >>> graph.add_region("V1", kind="delta", predicts="retina", context=["retina@1", "V1.prediction@2"])
    'V1'
    >>> graph.check()
    RegionGraph 'first': 1 source, 1 region, 3 edges
    """

    def __init__(self, incoming_graph_data: Any = None, multigraph_input: bool | None = None, **attr: Any) -> None:
        # where each edge was last put, so that a name is known to be free without a walk over all edges
        self._ends: dict[Any, tuple[Any, Any]] = {}
        super().__init__(incoming_graph_data, multigraph_input, **attr)
        for key, value in GRAPH_DEFAULTS.items():
            self.graph.setdefault(key, copy.copy(value))

    # --- building -----------------------------------------------------------------------------------------------

    def add_source(
        self, name: str, shape: Any = None, size: int | None = None, known: str = "after",
        imagined_by: str | None = None, sparse: bool = False, why: str = "", cite: str = "",
    ) -> str:
        """Add a node that brings data in.

        Parameters
        ----------
        name : str
            Letters, digits, ``_``, ``-``, ``+``.
        shape, size : tuple of int, int
            Either the sheet, (height, width[, features]), or the number of units.
        known : {"after", "before"}
            ``"before"``: its value is known before the outcome of a tick, as a motor command is.
        imagined_by : str, optional
            The region (and port, default ``prediction``) that stands in for it when the graph runs on its own.
        sparse : bool
            Its writer also lists the active units.
        why, cite : str
            The reason it is there, and the paper.

        Returns
        -------
        str
            The name.

        Raises
        ------
        GraphError
            A name in use or badly formed, or no size.
        """
        where = f"source {name!r}"
        self._check_free(name, where)
        if (shape is None) == (size is None):
            raise GraphError(where, "needs either shape= or size=", hint="for example shape=(16, 16) or size=2")
        data = node_attributes(name, {
            "type": "source", "shape": size if shape is None else shape, "known": known,
            "imagined_by": imagined_by, "sparse": sparse, "why": why, "cite": cite,
        })
        if data["imagined_by"] is not None and "." not in data["imagined_by"]:
            data["imagined_by"] += ".prediction"
        # the region that imagines it may come later: check() looks for it
        check_node(self, name, data | {"imagined_by": None})
        add_wired_node(self, name, data, [])
        return name

    def add_region(
        self, name: str, kind: Any = "delta", predicts: Any = None, context: Any = (), gate: Any = (),
        size: int | None = None, shape: Any = None, period: int = 1, offset: int = 0, when_closed: str = "silent",
        tags: Iterable[str] = (), frozen: bool = False, why: str = "", cite: str = "", prior: Any = (),
        feedback: Any = (), on_divergence: str = "stop", **hyper: Any,
    ) -> str:
        """Add a region, and the edges that bring it what it predicts and from what.

        A signal is written ``"name.port[units]@delay"``, as a table ``{"from": ..., "field": ...}``, or as a pair
        (text, field). It may belong to a node that is added later; `check` finds those that never were.

        Parameters
        ----------
        name : str
            Letters, digits, ``_``, ``-``, ``+``.
        kind : str, module or class
            The learning rule: ``"delta"``, ``"package.module:object"``, or the object itself.
        predicts : signal or list of signals
            The target, at delay 0. For a kind that settles, another region's state is predicted by a pair of
            automatic edges: prediction -> prior, error -> feedback.
        context, gate : signal or list of signals
            What it predicts from, and what must be open for it to be due; delay 1 unless written otherwise
            (0 from a source that is known before the outcome).
        size, shape : int, tuple of int
            The number of units, or their sheet; where both are missing the kind takes it from the target.
        period, offset : int
            It is due at ticks offset, offset + period, ...
        when_closed : {"silent", "hold"}
            What it emits while its gate is closed.
        tags : iterable of str
            Words by which defaults and tools select regions.
        frozen : bool
            It does not learn.
        why, cite : str
            The reason for its constants, and the paper.
        prior, feedback : signal or list of signals
            For kinds that take them; delay 0 unless written otherwise.
        on_divergence : {"stop", "reset", "freeze"}
            What becomes of it where its output, loss or weights leave the finite range or explode: it is silent from
            then on; it starts anew, up to 8 times; or it takes back earlier weights and learns no more. The rest of
            the graph goes on.
        **hyper
            Hyperparameters of the kind.

        Returns
        -------
        str
            The name.

        Raises
        ------
        GraphError
            A name in use, an unknown kind, hyperparameter or port; the message names the nearest.
        KindError
            A hyperparameter out of its range.
        """
        where = f"region {name!r}"
        self._check_free(name, where)
        if shape is not None and size is not None:
            raise GraphError(where, "takes either shape= or size=, not both", (shape, size))
        rule = find_region_kind(name, kind_name(kind))
        for key in hyper:
            if key not in rule.hyper_fields():
                known = [*rule.hyper_fields(), *ROLES_OF_ARGUMENTS, "size", *REGION_DEFAULTS]
                raise GraphError(where, f"kind {rule.name!r} has no hyperparameter {key!r}", hint=nearest(key, known))
        data = node_attributes(name, {
            "type": "region", "kind": rule.name, "shape": size if shape is None else shape, "period": period,
            "offset": offset, "when_closed": when_closed, "tags": tags, "frozen": frozen, "why": why, "cite": cite,
            "on_divergence": on_divergence, "hyper": {key: value for key, value in hyper.items() if value is not None},
        })
        check_node(self, name, data)
        lists = zip(ROLES_OF_ARGUMENTS, (predicts, context, gate, prior, feedback), strict=True)
        requests = [
            {"owner": name, "role": role, "place": place, "reference": reference, "options": options}
            for role, items in lists
            for place, (reference, options) in enumerate(parse_items(items, f"{where}: {role}"))
        ]
        add_wired_node(self, name, data, requests)
        return name

    def connect(
        self, source: str, target: str, role: str = "context", delay: int | None = None, field: Any = "dense",
        name: str | None = None, span: str | None = None, outside: str = "hold", hyper: str | None = None,
        mode: str = "scale", why: str = "",
    ) -> str:
        """Add one edge between nodes that are there.

        Parameters
        ----------
        source : str
            The signal, ``"name.port[units]@delay"``.
        target : str
            The region that reads it.
        role : {"context", "target", "prior", "feedback", "gate", "modulator"}
            What it is to the region.
        delay : int, optional
            Ticks; default 1 for context and gate (0 from a source known before the outcome) and modulator, else 0.
        field : str or field
            Which units see which: ``"window(5, stride=2)"``.
        name : str, optional
            Default: ``"V1.state@1->V2"``, with ``":role"`` behind it where the role is not context.
        span, outside : str, {"hold", "silent"}
            The span of the trial in which it delivers, and what it does outside it.
        hyper, mode : str, {"scale", "set"}
            Modulator: the hyperparameter it drives, and whether it multiplies or replaces its value.
        why : str
            The reason it is there.

        Returns
        -------
        str
            The name of the edge.

        Raises
        ------
        GraphError
            An unknown node or port, a role that the region's kind does not take, a name in use.
        """
        where = f"edge {source!r} -> {target!r}"
        reference = with_delay(parse_reference(source, where), delay, where)
        for node in (reference.name, target):
            if node not in self:
                raise GraphError(where, f"{node!r} is not in the graph", hint=nearest(node, self))
        options = {"field": field, "name": name, "span": span, "outside": outside, "hyper": hyper, "mode": mode,
                   "why": why}
        return join(self, reference, target, role, options)

    def set_trial(
        self, length: int, spans: Mapping[str, tuple[int, int]] | None = None, score_at: int | None = None,
        tick_ms: float | None = None,
    ) -> None:
        """Give the graph a trial: a cycle of ticks with named spans.

        Parameters
        ----------
        length : int
            Ticks of a trial.
        spans : dict, optional
            Name to (first tick, tick after the last).
        score_at : int, optional
            The tick of the trial at which regions are scored; by default the last one at which no forecast can know
            the outcome. A plan refuses a later one.
        tick_ms : float, optional
            Duration of a tick in milliseconds.

        Raises
        ------
        GraphError
            A span or the scored tick lies outside the trial.
        """
        trial = checked_trial(length, spans, score_at)
        if tick_ms is not None:
            self.graph["tick_ms"] = float(tick_ms)
        self.graph["trial"] = trial

    # --- reading ------------------------------------------------------------------------------------------------

    @property
    def sources(self) -> list[str]:
        """Names of the sources, sorted."""
        return sorted(name for name, data in self.nodes(data=True) if data.get("type") == "source")

    @property
    def regions(self) -> list[str]:
        """Names of the regions, sorted."""
        return sorted(name for name, data in self.nodes(data=True) if data.get("type") == "region")

    def edge_names(self) -> list[str]:
        """Names of all edges, in the order in which they were added."""
        return [str(key) for _, _, key in self.edges(keys=True)]

    def has_edge_named(self, name: str) -> bool:
        """Whether an edge of that name is in the graph."""
        ends = self._ends.get(name)
        return ends is not None and self.has_edge(*ends, key=name)

    def edge(self, name: str) -> tuple[str, str, dict[str, Any]]:
        """Source, target and attributes of the edge of that name.

        Raises
        ------
        GraphError
            There is none; the nearest name is suggested.
        """
        if self.has_edge_named(name):
            source, target = self._ends[name]
            return source, target, self.edges[source, target, name]
        for source, target, key, data in self.edges(keys=True, data=True):  # a view of a graph keeps no index
            if key == name:
                return source, target, data
        raise GraphError(f"edge {name!r}", "is not in the graph", hint=nearest(name, self.edge_names()))

    def match_edges(self, pattern: str) -> list[str]:
        """Names of the edges that a pattern means.

        Parameters
        ----------
        pattern : str
            A name; ``"V1->V2"``, all edges from V1 to V2; ``"V1.state->V2:context"``; with ``*`` and ``?`` as
            wildcards: ``"saccade->*"``, ``"*->V1:prior"``.

        Returns
        -------
        list of str
            Sorted.

        Raises
        ------
        GraphError
            No edge matches; the nearest name is suggested.
        """
        return matching_edges(self, pattern)

    def lesion(self, pattern: str) -> list[str]:
        """Cut all edges that a pattern means: they stay in the graph and deliver zeros.

        Parameters
        ----------
        pattern : str
            As in `match_edges`.

        Returns
        -------
        list of str
            Names of the edges, sorted.

        Raises
        ------
        GraphError
            No edge matches.
        """
        return self._set_lesioned(pattern, True)

    def restore(self, pattern: str) -> list[str]:
        """Undo `lesion` for all edges that a pattern means, and return their names."""
        return self._set_lesioned(pattern, False)

    def check(self) -> Self:
        """Check the whole graph, and read attributes that networkx functions left as text or left out.

        Returns
        -------
        RegionGraph
            Itself.

        Raises
        ------
        GraphError
            The first thing that is not sound: the message names the region or edge and the nearest right name.
        KindError
            A hyperparameter out of its range.
        """
        check_graph(self)
        return self

    def __str__(self) -> str:
        edges = self.number_of_edges()
        counts = ((len(self.sources), "source"), (len(self.regions), "region"), (edges, "edge"))
        title = f" {self.graph['name']!r}" if self.graph.get("name") else ""
        return f"RegionGraph{title}: " + ", ".join(f"{n} {word}{'' if n == 1 else 's'}" for n, word in counts)

    __repr__ = __str__

    # --- what networkx calls --------------------------------------------------------------------------------------

    def add_edge(self, u_for_edge: Any, v_for_edge: Any, key: Any = None, **attr: Any) -> Any:
        """Add an edge as networkx does, unchecked; `connect` checks."""
        key = super().add_edge(u_for_edge, v_for_edge, key, **attr)
        self._ends[key] = (u_for_edge, v_for_edge)
        return key

    def remove_node(self, n: Any) -> None:
        """Remove a node, its edges, and what it still waited for."""
        super().remove_node(n)
        forget(self, {n})

    def remove_nodes_from(self, nodes: Iterable[Any]) -> None:
        """Remove nodes, their edges, and what they still waited for."""
        names = list(nodes)
        super().remove_nodes_from(names)
        forget(self, set(names))

    def copy(self, as_view: bool = False) -> Self:
        """A copy that shares nothing with this graph: networkx's own would share the tables of hyperparameters."""
        made = super().copy(as_view=as_view)
        return made if as_view else copy.deepcopy(made)

    def _set_lesioned(self, pattern: str, lesioned: bool) -> list[str]:
        names = self.match_edges(pattern)
        for name in names:
            self.edge(name)[2]["lesioned"] = lesioned
        return names

    def _check_free(self, name: str, where: str) -> None:
        if check_name(name, where) in self:
            raise GraphError(where, f"the graph already has a {self.nodes[name].get('type', 'node')} of that name")
