"""RegionGraph: building, waiting and automatic edges, patterns, networkx; test_graph_check.py has what is refused."""

from __future__ import annotations

import copy
import pickle
from math import prod

import networkx as nx
import numpy as np
import pytest

import cortexsim.kinds.delta as delta_module
from cortexsim.errors import GraphError
from cortexsim.fields import Dense, field_indices, window
from cortexsim.graph import RegionGraph
from cortexsim.kind import find_kind
from graph_examples import Backward, Settling, message, pair, random_graph, rich, u_net


@pytest.fixture
def graph() -> RegionGraph:
    return pair()


# -- building --------------------------------------------------------------------------------------------------------

def test_a_graph_counts_what_it_holds(graph):
    assert str(graph) == repr(graph) == "RegionGraph 'pair': 2 sources, 4 regions, 9 edges"
    assert str(RegionGraph()) == "RegionGraph: 0 sources, 0 regions, 0 edges"
    assert graph.sources == ["retina", "saccade"]
    assert graph.regions == ["V1", "V1-next", "V2", "motor"]
    assert graph.check() is graph


def test_nodes_hold_all_attributes(graph):
    assert graph.nodes["saccade"] == {
        "type": "source", "shape": (2,), "known": "before", "imagined_by": "motor.prediction", "sparse": False,
        "why": "", "cite": ""}
    assert graph.nodes["V1"] == {
        "type": "region", "kind": "subspace", "shape": (64,), "hyper": {"learning_rate": 0.02}, "period": 1,
        "offset": 0, "when_closed": "silent", "tags": ("seen", "early"), "frozen": False, "on_divergence": "stop",
        "why": "", "cite": ""}


def test_edges_hold_all_attributes(graph):
    source, target, data = graph.edge("V2.state[0:8]@2->V1-next")
    assert (source, target) == ("V2", "V1-next")
    assert str(data.pop("field")) == "sparse(p=0.5, seed=2)"
    assert data == {
        "role": "context", "port": "state", "delay": 2, "select": "0:8", "span": None, "outside": "hold",
        "hyper": None, "mode": "scale", "lesioned": False, "auto": False, "why": ""}


def test_delays_and_names_follow_the_role(graph):
    graph.connect("saccade", "V1", role="modulator", hyper="learning_rate")
    assert sorted(graph.edge_names()) == [
        "V1.state@0->V1-next:target",
        "V1.state@0->V2:target",
        "V1.state@1->V1-next",
        "V2.state@3->motor",
        "V2.state[0:8]@2->V1-next",
        "retina.value@0->V1:target",
        "saccade.value@0->V1-next",
        "saccade.value@0->motor:target",
        "saccade.value@1->V1:modulator",
        "saccade.value[0]@0->motor:gate",
    ]


@pytest.mark.parametrize(("role", "known", "delay"), [
    ("context", "after", 1), ("context", "before", 0), ("gate", "after", 1), ("gate", "before", 0),
    ("target", "after", 0), ("prior", "after", 0), ("feedback", "after", 0), ("modulator", "before", 1),
])
def test_default_delays(role, known, delay):
    graph = RegionGraph()
    graph.add_source("s", size=1, known=known)
    graph.add_region("r", kind=Settling)
    hyper = "learning_rate" if role == "modulator" else None
    name = graph.connect("s", "r", role=role, hyper=hyper)
    assert graph.edge(name)[2]["delay"] == delay
    graph.remove_edge("s", "r", name)
    assert graph.connect("s@4", "r", role=role, name="named", hyper=hyper) == "named"
    assert graph.edge("named")[2]["delay"] == 4


def test_connect_takes_the_delay_beside_the_signal_too(graph):
    assert graph.connect("retina", "V1-next", delay=np.int64(3)) == "retina.value@3->V1-next"
    assert graph.connect("retina@4", "V1-next", delay=4) == "retina.value@4->V1-next"


def test_what_a_region_reads_can_be_written_in_four_ways():
    graph = RegionGraph()
    graph.add_source("a", shape=(4, 4))
    graph.add_region("text", predicts="a", context="a")
    graph.add_region("list", predicts=["a"], context=["a", "a@2"])
    graph.add_region("table", predicts="a", context={"from": "a", "delay": 2, "field": "window(3)", "name": "mine",
                                                     "why": "because", "lesioned": True})
    graph.add_region("pair", predicts="a", context=("a", window(3)))
    graph.add_region("two", predicts="a", context=("a", "text.prediction"))
    graph.add_region("mixed", predicts="a", context=["a", ("a@2", "one_to_one"), {"from": "a@3"}])
    assert [graph.in_degree(name) for name in ("text", "list", "table", "pair", "two", "mixed")] == [2, 3, 2, 2, 3, 4]
    table = graph.edge("mine")[2]
    assert (table["delay"], table["field"], table["why"], table["lesioned"]) == (2, window(3), "because", True)
    assert graph.edge("a.value@1->pair")[2]["field"] == window(3)
    assert graph.edge("a.value@1->two")[2]["field"] == Dense()


def test_a_kind_can_be_a_name_a_module_a_class_or_a_kind():
    graph = RegionGraph()
    graph.add_region("a", kind="delta")
    graph.add_region("b", kind=delta_module)
    graph.add_region("c", kind=find_kind("delta"))
    graph.add_region("d", kind=Settling)
    graph.add_region("e", kind="graph_examples:Settling")
    assert [graph.nodes[name]["kind"] for name in "abcde"] == ["delta"] * 3 + ["graph_examples:Settling"] * 2


def test_hyperparameters_are_only_those_that_were_set():
    graph = RegionGraph()
    graph.add_region("r", learning_rate=np.float32(0.5), bias=None)
    assert graph.nodes["r"]["hyper"] == {"learning_rate": 0.5}
    assert type(graph.nodes["r"]["hyper"]["learning_rate"]) is float


# -- references that wait --------------------------------------------------------------------------------------------

def test_an_edge_waits_for_its_node():
    graph = RegionGraph()
    graph.add_region("r", predicts="late", context=["late", "later.prediction@2"])
    assert graph.number_of_edges() == 0
    graph.add_source("late", size=2, known="before")
    assert sorted(graph.edge_names()) == ["late.value@0->r", "late.value@0->r:target"]
    graph.add_region("later", predicts="late", context="late")
    assert "later.prediction@2->r" in graph.edge_names()
    assert "pending" not in graph.graph
    graph.check()


def test_a_node_that_never_comes_is_named():
    graph = pair()
    graph.add_region("X", predicts="retina", context=["V11.state"])
    expected = "region 'X': reads 'V11', which is not in the graph; did you mean 'V1'?"
    assert message(GraphError, graph.check) == expected
    assert message(GraphError, graph.copy().check) == expected
    graph.remove_node("X")
    graph.check()
    assert "pending" not in graph.graph


def test_removing_several_nodes_forgets_what_they_waited_for():
    graph = pair()
    graph.add_region("X", predicts="retina", context=["nowhere@1", "V1.state"])
    graph.add_region("Y", predicts="nowhere")
    graph.remove_nodes_from(["X"])
    assert [request["owner"] for request in graph.graph["pending"]["nowhere"]] == ["Y"]
    graph.remove_nodes_from(iter(["Y"]))
    graph.check()


def test_a_region_that_fails_leaves_the_graph_as_it_was():
    graph = RegionGraph()
    graph.add_source("a", size=2)
    graph.add_region("reader", predicts="a", context=["broken.stat@1", "other.prediction"])
    before = copy.deepcopy(graph)
    assert "has no port 'stat'" in message(GraphError, graph.add_region, "broken", predicts="a", context="far.state")
    assert graph.same(before) and sorted(graph.graph["pending"]) == ["broken", "other"]
    assert message(GraphError, graph.add_region, "own", predicts="a", context=["a", "a"]) == (
        "edge 'a.value@1->own': is already in the graph; give one of them a name=")
    assert graph.same(before) and "own" not in graph


def test_a_region_may_read_itself():
    graph = RegionGraph()
    graph.add_source("a", size=2)
    graph.add_region("r", predicts="a", context="r.prediction@1")
    assert graph.has_edge("r", "r")
    graph.check()


# -- automatic edges -------------------------------------------------------------------------------------------------

def settling() -> RegionGraph:
    graph = RegionGraph()
    graph.add_source("picture", size=8)
    graph.add_region("low", kind=Settling, predicts="picture", size=8)
    graph.add_region("high", kind=Settling, predicts=["picture[0:4]", "low.state", "late.state"], size=4)
    graph.add_region("late", kind=Settling, size=3)
    return graph


def test_a_region_that_settles_predicts_by_pairs():
    graph = settling().check()
    assert sorted(graph.edge_names()) == [
        "high.prediction@0->late:prior", "high.prediction@0->low:prior", "late.error@0->high:feedback",
        "low.error@0->high:feedback", "picture.value@0->low:target", "picture.value[0:4]@0->high:target"]
    prior = graph.edge("high.prediction@0->late:prior")[2]
    assert (prior["auto"], prior["select"], prior["delay"]) == (True, "auto:2", 0)
    assert graph.edge("high.prediction@0->low:prior")[2]["select"] == "auto:1"
    feedback = graph.edge("low.error@0->high:feedback")[2]
    assert (feedback["auto"], feedback["select"], feedback["delay"]) == (True, None, 0)


def test_a_pair_takes_reasons_and_lesions_for_both_edges():
    graph = settling()
    graph.add_region("top", kind=Settling, predicts={"from": "low.state", "why": "because", "lesioned": True})
    edges = [graph.edge(name)[2] for name in ("top.prediction@0->low:prior", "low.error@0->top:feedback")]
    assert [(data["why"], data["lesioned"]) for data in edges] == [("because", True)] * 2


def test_a_region_that_settles_takes_other_kinds_states_as_plain_targets():
    graph = pair()
    graph.add_region("top", kind=Settling, predicts=["V1.state", "V1-next.prediction"])
    assert graph.match_edges("*->top") == ["V1-next.prediction@0->top:target", "V1.state@0->top:target"]


@pytest.mark.parametrize(("predicts", "text"), [
    ("low.state[0:2]", "region 'top': predicts 'low.state[0:2]': a region that settles predicts the whole state, "
                       "at delay 0"),
    ("low.state@1", "region 'top': predicts 'low.state@1': a region that settles predicts the whole state, at delay 0"),
    (("low.state", "window(3)"), "region 'top': predicts 'low.state': the pair of edges of a region that settles takes "
                                 "no 'field'; it takes: lesioned, why; set others on the edges themselves"),
])
def test_what_a_pair_cannot_say(predicts, text):
    graph = settling()
    assert message(GraphError, graph.add_region, "top", kind=Settling, predicts=predicts) == text
    assert "top" not in graph


def test_a_kind_that_writes_feedback_sends_it_along_its_context_edges():
    graph = settling()
    graph.add_region("b", kind=Backward, context=["low.state", "high.state@2", "picture"])
    graph.connect("low.prediction", "b", name="mine")
    assert graph.match_edges("b->*") == [
        "b.feedback[high.state@2->b]@0->high:feedback", "b.feedback[low.state@1->b]@0->low:feedback",
        "b.feedback[mine]@0->low:feedback"]
    assert graph.edge("b.feedback[mine]@0->low:feedback")[2]["select"] == "auto:mine"
    graph.check()
    graph.remove_edge("low", "b", "mine")
    assert message(GraphError, graph.check) == (
        "edge 'b.feedback[mine]@0->low:feedback': carries feedback for edge 'mine', which is not in the graph; "
        "remove it too, or lesion both instead of removing one of 'b'")


def test_feedback_that_cannot_be_made_takes_its_context_edge_along():
    graph = settling()
    graph.add_region("b", kind=Backward)
    graph.connect("low.state", "high", name="b.feedback[low.state@1->b]@0->low:feedback")
    assert "is already in the graph" in message(GraphError, graph.connect, "low.state", "b")
    assert not graph.has_edge("low", "b")


# -- patterns, lesions, trial ----------------------------------------------------------------------------------------

@pytest.mark.parametrize(("pattern", "names"), [
    ("V1.state@1->V1-next", ["V1.state@1->V1-next"]),
    ("V2.state[0:8]@2->V1-next", ["V2.state[0:8]@2->V1-next"]),
    ("V1->V1-next", ["V1.state@0->V1-next:target", "V1.state@1->V1-next"]),
    ("V1->V1-next:context", ["V1.state@1->V1-next"]),
    ("V1.state@0->*", ["V1.state@0->V1-next:target", "V1.state@0->V2:target"]),
    ("saccade->*", ["saccade.value@0->V1-next", "saccade.value@0->motor:target", "saccade.value[0]@0->motor:gate"]),
    ("*->V?:target", ["V1.state@0->V2:target", "retina.value@0->V1:target"]),
    ("*:gate", ["saccade.value[0]@0->motor:gate"]),
    ("*[0]*", ["saccade.value[0]@0->motor:gate"]),
])
def test_patterns(graph, pattern, names):
    assert graph.match_edges(pattern) == names


@pytest.mark.parametrize(("pattern", "text"), [
    ("V1->V3", "edge 'V1->V3': matches no edge of the graph; did you mean 'V1->V2'?"),
    ("V2.state@3->moto", "edge 'V2.state@3->moto': matches no edge of the graph; did you mean 'V2.state@3->motor'?"),
])
def test_a_pattern_without_a_match_suggests_the_nearest(graph, pattern, text):
    assert message(GraphError, graph.match_edges, pattern) == text
    assert message(GraphError, graph.lesion, pattern) == text


def test_lesions_stay_in_the_graph_and_can_be_undone(graph):
    names = graph.lesion("saccade->*")
    assert names == graph.match_edges("saccade->*")
    assert [name for name in sorted(graph.edge_names()) if graph.edge(name)[2]["lesioned"]] == names
    assert graph.restore("saccade->motor") == names[1:]
    assert [name for name in graph.edge_names() if graph.edge(name)[2]["lesioned"]] == names[:1]


def test_edge_looks_up_by_name_in_views_too(graph):
    view = graph.subgraph(["V1", "V2"])
    assert view.edge("V1.state@0->V2:target")[:2] == ("V1", "V2")
    assert message(GraphError, graph.edge, "V1.state@0->V3:target") == (
        "edge 'V1.state@0->V3:target': is not in the graph; did you mean 'V1.state@0->V2:target'?")


def test_a_trial_with_spans():
    graph = RegionGraph()
    graph.set_trial(100, spans={"init": (0, 1), "plus": [75, 100]}, score_at=74, tick_ms=2)
    assert graph.graph["trial"] == {"length": 100, "spans": {"init": (0, 1), "plus": (75, 100)}, "score_at": 74}
    assert graph.graph["tick_ms"] == 2.0


# -- networkx --------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("make", [
    copy.deepcopy, copy.copy, RegionGraph.copy, RegionGraph, lambda g: pickle.loads(pickle.dumps(g)),
    lambda g: g.subgraph(list(g)).copy(), lambda g: g.edge_subgraph(list(g.edges(keys=True))).copy(),
    lambda g: g.reverse().reverse(), lambda g: nx.relabel_nodes(g, {}), lambda g: nx.compose(RegionGraph(), g),
    lambda g: g.copy(as_view=True),
], ids=["deepcopy", "copy.copy", "copy", "class", "pickle", "subgraph", "edges", "reverse", "relabel", "compose",
        "view"])
def test_copies_are_region_graphs_and_the_same(make):
    graph = rich()
    made = make(graph)
    assert type(made) is RegionGraph
    assert made.differences(graph) == []
    made.check()


def test_a_copy_shares_nothing(graph):
    made = graph.copy()
    made.nodes["V1"]["hyper"]["learning_rate"] = 0.5
    made.graph["stream"]["x"] = 1
    made.lesion("saccade->*")
    made.add_region("new", predicts="retina", context="retina")
    assert graph.same(pair())


def test_a_copy_of_a_graph_with_waiting_edges_fulfils_its_own():
    graph = RegionGraph()
    graph.add_region("r", predicts="late", context="late")
    made = graph.copy()
    made.add_source("late", size=1)
    made.check()
    assert "late" not in graph and list(graph.graph["pending"]) == ["late"]


def test_views_are_frozen_and_follow_the_graph(graph):
    view = graph.subgraph(["retina", "V1"])
    assert str(view) == "RegionGraph 'pair': 1 source, 1 region, 1 edge"
    with pytest.raises(nx.NetworkXError, match="Frozen graph can't be modified"):
        view.add_node("x")


def test_networkx_functions_work(graph):
    assert nx.is_weakly_connected(graph)
    assert nx.has_path(graph, "retina", "motor")
    order = list(nx.topological_sort(nx.condensation(graph)))
    assert len(order) == nx.number_strongly_connected_components(graph)
    renamed = nx.relabel_nodes(graph, {"V2": "V4"})
    assert renamed.check().regions == ["V1", "V1-next", "V4", "motor"]
    assert renamed.edge("V2.state@3->motor")[:2] == ("V4", "motor")


def test_an_edge_that_was_removed_can_be_connected_again(graph):
    graph.remove_edge("V2", "motor", "V2.state@3->motor")
    assert not graph.has_edge_named("V2.state@3->motor")
    assert graph.connect("V2.state@3", "motor") == "V2.state@3->motor"
    graph.clear()
    assert not graph.has_edge_named("V2.state@3->motor")


# -- graphs of a few lines -------------------------------------------------------------------------------------------

def test_a_u_net():
    graph = u_net().check()
    assert nx.is_directed_acyclic_graph(graph)
    assert graph.match_edges("*->up0:context") == ["up1.prediction@1->up0", "view0.value@1->up0"]
    rng = np.random.default_rng(0)
    for source, target, name, data in graph.edges(keys=True, data=True):
        if data["role"] == "context":
            shapes = graph.nodes[source]["shape"], graph.nodes[target]["shape"]
            indices, shared = field_indices(data["field"], *shapes, name, rng)
            assert len(indices) == prod(shapes[1])
            assert set(indices.ravel()) - {-1} == set(range(prod(shapes[0])))  # every unit is seen by somebody
            assert shared is ("shared" in str(data["field"]))


def test_180_regions_at_random():
    graph = random_graph(180, n_context=10).check()
    assert str(graph) == "RegionGraph 'random 180': 1 source, 180 regions, 1980 edges"


def test_5000_regions_and_50000_edges():
    graph = random_graph(5000, n_context=9).check()
    assert str(graph) == "RegionGraph 'random 5000': 1 source, 5000 regions, 50000 edges"
    assert len(graph.lesion("*->r17:context")) == 9


def test_a_run_of_delays_stands_for_an_edge_each():
    graph = RegionGraph()
    graph.add_source("price", size=1)
    graph.add_region("next", kind="delta", predicts="price",
                     context=["price@1..3", {"from": "price@48..49", "why": "a day ago"}, ("price@7..7", "dense")])
    found = {data["delay"]: data["why"] for *_, data in graph.in_edges("next", data=True) if data["role"] == "context"}
    assert found == {1: "", 2: "", 3: "", 7: "", 48: "a day ago", 49: "a day ago"}
    with pytest.raises(GraphError, match=r"a run of delays @first..last must have first <= last \(got 'price@3..1'\)"):
        graph.add_region("bad", kind="delta", predicts="price", context="price@3..1")
    with pytest.raises(GraphError, match=r"several edges, which cannot share one name \(got 'past'\)"):
        graph.add_region("bad", kind="delta", predicts="price", context={"from": "price@1..3", "name": "past"})
    assert "bad" not in graph
