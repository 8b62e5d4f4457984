"""A graph to TOML and back: nothing is lost, defaults stay defaults, edits of automatic edges are kept."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cortexsim.catalogue import load_toml, to_toml
from cortexsim.errors import GraphError
from cortexsim.fields import window
from cortexsim.graph import RegionGraph
from graph_examples import Backward, Settling, message, pair, random_graph, rich, u_net

ALLOWED = ["graph_examples:*"]


def assert_comes_back(graph: RegionGraph) -> dict:
    """Check the round trip, and return the tables that were written."""
    text = to_toml(graph)
    made = load_toml(text, allow_kinds=ALLOWED)
    assert made.differences(graph) == []
    assert to_toml(made) == to_toml(load_toml(to_toml(made), allow_kinds=ALLOWED))
    return tomllib.loads(text)


# -- nothing is lost -------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("make", [RegionGraph, pair, rich, u_net, lambda: random_graph(30, 5)],
                         ids=["empty", "pair", "rich", "u_net", "random"])
def test_graphs_come_back_the_same(make):
    assert_comes_back(make())


def test_what_is_written_is_short():
    assert to_toml(pair()) == '''\
version = 1
name = "pair"
why = "an example"
cite = "doi:10.1/1"

[sources.retina]
shape = [16, 16]
source = "doi:10.1/2"

[sources.saccade]
size = 2
known = "before"
imagined_by = "motor.prediction"

[regions.V1]
kind = "subspace"
predicts = "retina"
size = 64
tags = ["seen", "early"]
learning_rate = 0.02

[regions.V1-next]
kind = "delta"
predicts = "V1.state"
context = [
    "saccade",
    "V1.state",
    {from = "V2.state[0:8]@2", field = "sparse(p=0.5, seed=2)"},
]
learning_rate = 0.05
why = "what comes next"

[regions.V2]
kind = "subspace"
predicts = "V1.state"
size = 32
period = 2
offset = 1
frozen = true

[regions.motor]
kind = "delta"
predicts = "saccade"
context = ["V2.state@3"]
gate = ["saccade[0]"]
when_closed = "hold"
'''


def test_trial_stream_and_edges_have_tables_of_their_own():
    tables = assert_comes_back(rich())
    assert tables["trial"] == {"length": 100, "score_at": 74, "tick_ms": 1.5,
                               "spans": {"init": [0, 1], "minus": [1, 75], "plus": [75, 100]}}
    assert tables["stream"] == {"image": "photo.png", "size": [3, 4], "eye": {"jump": 0.25, "free": True}}
    assert tables["edges"] == [
        {"from": "saccade[1]@2", "to": "V1", "role": "modulator", "hyper": "learning_rate", "mode": "set",
         "why": "attention"},
        {"name": "L2.error@0->L1:feedback", "lesioned": True},
    ]


def test_the_length_of_a_tick_needs_no_trial():
    graph = RegionGraph(tick_ms=2.5)
    assert assert_comes_back(graph) == {"version": 1, "tick_ms": 2.5}


texts = st.text(st.characters(codec="utf-8"), max_size=12)
values = st.one_of(st.booleans(), st.integers(-2**60, 2**60), st.floats(), texts)
tables_of_values = st.recursive(
    st.dictionaries(texts, st.one_of(values, st.lists(values, max_size=3)), max_size=3),
    lambda inner: st.dictionaries(texts, st.one_of(values, inner), max_size=3), max_leaves=4)


@given(why=texts, stream=tables_of_values, extra=tables_of_values,
       field=st.builds(window, st.integers(1, 9), st.floats(0.01, 9)))
def test_any_text_and_value_comes_back(why, stream, extra, field):
    graph = RegionGraph(name=why, stream=stream, community=extra)
    graph.add_source("s", size=3, why=why, cite=why)
    graph.add_region("r", why=why, cite=why, predicts="s", context=("s@2", field), tags=["a", "b c"])
    graph.nodes["r"]["community"] = extra
    graph.nodes["s"]["community"] = why
    graph.edge("s.value@2->r")[2]["colour"] = extra
    assert_comes_back(graph)


@st.composite
def random_edits(draw):
    """A graph with automatic edges, some of them removed, lesioned or changed."""
    graph = RegionGraph()
    graph.add_source("picture", size=8)
    regions = ["a", "b", "c", "d"]
    for name in regions:
        kind = draw(st.sampled_from([Settling, Backward]))
        choices = st.lists(st.sampled_from(["picture", *(f"{other}.state" for other in regions)]), max_size=3,
                           unique=True)
        graph.add_region(name, kind=kind, size=draw(st.integers(1, 4)), predicts=draw(choices),
                         context=[f"{signal}@1" for signal in draw(choices)])
    for name in draw(st.lists(st.sampled_from(sorted(graph.edge_names())), unique=True, max_size=4)
                     if graph.number_of_edges() else st.just([])):
        source, target, data = graph.edge(name)
        edit = draw(st.sampled_from(["remove", "lesion", "why", "field", "delay"]))
        if edit == "remove":
            graph.remove_edge(source, target, name)
        elif edit == "lesion":
            graph.lesion(name)
        else:
            data[edit] = {"why": "edited", "field": window(2), "delay": data["delay"] + 1}[edit]
    names = set(graph.edge_names())
    for name in sorted(names):  # a way back leaves with its edge, as check() asks
        if graph.has_edge_named(name):
            source, target, data = graph.edge(name)
            wanted = str(data["select"]).removeprefix("auto:")
            if data["auto"] and data["port"] == "feedback" and wanted not in names:
                graph.remove_edge(source, target, name)
    return graph


@given(random_edits())
def test_edits_of_automatic_edges_come_back(graph):
    assert_comes_back(graph)


def test_edited_automatic_edges_are_written_as_corrections():
    graph = RegionGraph()
    graph.add_source("picture", size=4)
    graph.add_region("low", kind=Settling, predicts="picture", size=4)
    graph.add_region("high", kind=Settling, predicts="low.state", size=2)
    graph.add_region("back", kind=Backward, context=["low.state", "high.state"], size=2)
    graph.set_trial(10, {"plus": (5, 10)})
    graph.edge("high.prediction@0->low:prior")[2].update(span="plus", field=window(2), why="late")
    graph.remove_edge("back", "low", "back.feedback[low.state@1->back]@0->low:feedback")
    assert assert_comes_back(graph)["edges"] == [
        {"name": "back.feedback[low.state@1->back]@0->low:feedback", "removed": True},
        {"name": "high.prediction@0->low:prior", "field": "window(kernel=2)", "span": "plus", "why": "late"},
    ]
    graph.remove_edge("high", "low", "high.prediction@0->low:prior")
    assert assert_comes_back(graph)["edges"] == [
        {"name": "back.feedback[low.state@1->back]@0->low:feedback", "removed": True},
        {"from": "low.error@0", "to": "high", "role": "feedback", "auto": True, "name": "low.error@0->high:feedback"},
    ]


# -- defaults --------------------------------------------------------------------------------------------------------

DEFAULTS = '''
[defaults.kind.delta]
learning_rate = 0.5
period = 2
why = "fast"

[defaults.tag.slow]
period = 8
learning_rate = 0.125
size = 3

[defaults.tag.still]
frozen = true
period = 16

[sources.s]
size = 4

[regions.plain]
predicts = "s"
context = "s"

[regions.both]
predicts = "s"
context = "s"
tags = ["slow", "still"]

[regions.own]
predicts = "s"
context = "s"
tags = ["still", "slow"]
shape = [2, 2]
learning_rate = 1.5
frozen = false

[regions.other]
kind = "subspace"
size = 2
predicts = "s"
'''


def test_a_region_beats_its_tags_which_beat_its_kind():
    graph = load_toml(DEFAULTS)
    data = {name: (node["hyper"], node["period"], node["frozen"], node["shape"])
            for name, node in graph.nodes(data=True) if name != "s"}
    assert data == {
        "plain": ({"learning_rate": 0.5}, 2, False, None),
        "both": ({"learning_rate": 0.125}, 16, True, (3,)),
        "own": ({"learning_rate": 1.5}, 8, False, (2, 2)),
        "other": ({}, 1, False, (2,)),
    }


def test_defaults_are_written_again():
    graph = load_toml(DEFAULTS)
    tables = assert_comes_back(graph)
    assert tables["defaults"] == tomllib.loads(DEFAULTS)["defaults"] == graph.graph["defaults"]
    assert tables["regions"]["plain"] == {"kind": "delta", "predicts": "s", "context": ["s"]}
    assert tables["regions"]["own"] == {
        "kind": "delta", "predicts": "s", "context": ["s"], "shape": [2, 2], "frozen": False,
        "tags": ["still", "slow"], "learning_rate": 1.5}


def test_a_default_that_an_edit_contradicts_is_not_written():
    graph = load_toml(DEFAULTS)
    del graph.nodes["plain"]["hyper"]["learning_rate"]
    graph.nodes["both"]["shape"] = None
    graph.remove_node("other")
    tables = assert_comes_back(graph)
    assert tables["defaults"] == {"kind": {"delta": {"period": 2, "why": "fast"}},
                                  "tag": {"slow": {"period": 8, "learning_rate": 0.125},
                                          "still": {"frozen": True, "period": 16}}}
    graph.remove_nodes_from(["own", "both"])
    assert "tag" not in assert_comes_back(graph)["defaults"]


# -- what cannot be written ------------------------------------------------------------------------------------------

@pytest.mark.parametrize(("break_it", "text"), [
    (lambda graph: graph.add_region("x", predicts="nowhere"),
     "region 'x': reads 'nowhere', which is not in the graph; known: V1, V1-next, V2, motor, retina, saccade, x"),
    (lambda graph: graph.graph["stream"].update(path=Path("a")),
     "stream: path: must be a number, a word, true or false, or a list of them (got 'PosixPath')"),
    (lambda graph: graph.nodes["V1"].update(colour=None),
     "region 'V1': colour: must be a number, a word, true or false, or a list of them (got 'NoneType')"),
])
def test_what_cannot_be_written(break_it, text):
    graph = pair()
    break_it(graph)
    assert message(GraphError, to_toml, graph) == text


def test_a_port_of_an_automatic_edge_cannot_be_changed():
    graph = RegionGraph()
    graph.add_region("low", kind=Settling, size=4)
    graph.add_region("high", kind=Settling, predicts="low.state", size=2)
    graph.edge("low.error@0->high:feedback")[2]["port"] = "state"
    assert message(GraphError, to_toml, graph) == (
        "edge 'low.error@0->high:feedback': is an automatic edge whose port was changed, which TOML cannot say "
        "(got 'state'); remove it and connect another")


def test_writing_leaves_the_graph_as_it_is():
    graph = pair()
    graph.nodes["V1"]["period"] = "3"
    to_toml(graph)
    assert graph.nodes["V1"]["period"] == "3"
