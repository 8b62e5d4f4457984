"""GraphML, node-link JSON and networkx graphs: nothing is lost, foreign graphs are read, bad ones are named."""

from __future__ import annotations

import json
import math

import networkx as nx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cortexsim.errors import CortexsimError, FileError, GraphError, KindError
from cortexsim.fields import window
from cortexsim.graph import RegionGraph
from graph_examples import message, pair, random_graph, rich, u_net

ALLOWED = ["graph_examples:*"]


def by_graphml(graph, folder):
    graph.to_graphml(folder / "g.graphml")
    return RegionGraph.from_graphml(folder / "g.graphml", allow_kinds=ALLOWED)


def by_json(graph, folder):
    graph.to_json(folder / "g.json")
    return RegionGraph.from_json(folder / "g.json", allow_kinds=ALLOWED)


def by_networkx(graph, folder):
    return RegionGraph.from_networkx(nx.MultiDiGraph(graph), allow_kinds=ALLOWED)


FORMATS = [by_graphml, by_json, by_networkx]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("graphs")


# -- nothing is lost -------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("there_and_back", FORMATS)
@pytest.mark.parametrize("make", [RegionGraph, pair, rich, u_net, lambda: random_graph(30, 5)],
                         ids=["empty", "pair", "rich", "u_net", "random"])
def test_graphs_come_back_the_same(make, there_and_back, folder):
    graph = make()
    made = there_and_back(graph, folder)
    assert made.differences(graph) == []
    assert made.check().same(graph)
    for name in graph:  # types too, where a tuple and a list compare as equal
        assert [type(value) for _, value in sorted(made.nodes[name].items())] == [
            type(value) for _, value in sorted(graph.nodes[name].items())]
    for name in graph.edge_names():
        assert made.edge(name)[2]["field"] == graph.edge(name)[2]["field"]
    if graph.graph["trial"]:
        assert made.graph["trial"]["spans"]["plus"] == (75, 100)
    assert made.graph["tick_ms"] == graph.graph["tick_ms"]


texts = st.text(st.characters(codec="utf-8"), max_size=12)
plain = st.one_of(st.booleans(), st.integers(-2**40, 2**40), st.floats(), texts, st.none())
tables = st.dictionaries(texts, st.one_of(plain, st.lists(plain, max_size=3)), max_size=3)


@pytest.mark.parametrize("there_and_back", FORMATS)
@given(why=texts, stream=tables, extra=st.one_of(plain, st.lists(plain, max_size=3), tables),
       field=st.builds(window, st.integers(1, 9), st.floats(0.01, 9)))
def test_any_text_and_value_comes_back(there_and_back, folder, why, stream, extra, field):
    graph = RegionGraph(name=why, stream=stream)
    graph.add_source("s", size=3, why=why)
    graph.add_region("r", why=why, predicts="s", context=("s@2", field), tags=["a", "b c"])
    graph.nodes["r"]["community"] = extra
    graph.edge("s.value@2->r")[2]["colour"] = extra
    made = there_and_back(graph, folder)
    assert made.differences(graph) == []
    assert made.nodes["r"]["why"] == why and made.nodes["r"]["tags"] == ("a", "b c")


@pytest.mark.parametrize("there_and_back", FORMATS)
def test_defaults_of_a_toml_file_travel_too(there_and_back, folder):
    graph = pair()
    graph.graph["defaults"] = {"kind": {"delta": {"learning_rate": 0.05, "why": "a start"}}}
    assert there_and_back(graph, folder).graph["defaults"] == graph.graph["defaults"]


@pytest.mark.parametrize("write", [RegionGraph.to_graphml, RegionGraph.to_json])
def test_a_graph_with_waiting_edges_is_not_written(write, folder):
    graph = RegionGraph()
    graph.add_region("r", predicts="nowhere")
    assert message(GraphError, write, graph, folder / "never") == (
        "region 'r': reads 'nowhere', which is not in the graph; known: r")
    assert not (folder / "never").exists()


# -- graphs of others ------------------------------------------------------------------------------------------------

def test_a_plain_digraph_becomes_a_region_graph():
    plain = nx.DiGraph(name="mine")
    plain.add_node("tone", type="source", size=3)
    plain.add_node("A1", kind="delta", learning_rate=0.1, period="2", colour="red")
    plain.add_edge("tone", "A1", role="target")
    plain.add_edge("A1", "A1", port="prediction", field="one_to_one", name="loop")
    graph = RegionGraph.from_networkx(plain).check()
    assert str(graph) == "RegionGraph 'mine': 1 source, 1 region, 2 edges"
    assert graph.nodes["tone"]["shape"] == (3,)
    data = graph.nodes["A1"]
    assert (data["hyper"], data["period"], data["colour"]) == ({"learning_rate": 0.1}, 2, "red")
    assert sorted(graph.edge_names()) == ["loop", "tone.value@0->A1:target"]
    assert graph.edge("loop")[2]["delay"] == 1
    assert "name" not in graph.edge("loop")[2]


def test_a_multigraph_without_names_gets_them():
    plain = nx.MultiDiGraph()
    plain.add_node("tone", type="source", shape=[4, 4], known="before")
    plain.add_node("A1", type="region")
    plain.add_edge("tone", "A1", role="target")
    plain.add_edge("tone", "A1")
    plain.add_edge("tone", "A1", delay=2, select="0:4")
    assert sorted(RegionGraph.from_networkx(plain).check().edge_names()) == [
        "tone.value@0->A1", "tone.value@0->A1:target", "tone.value[0:4]@2->A1"]


FOREIGN = """<?xml version="1.0" encoding="UTF-8"?>
<graphml xmlns="http://graphml.graphdrawing.org/xmlns">
  <key id="d0" for="node" attr.name="type" attr.type="string"/>
  <key id="d1" for="node" attr.name="shape" attr.type="string"/>
  <key id="d2" for="node" attr.name="kind" attr.type="string"/>
  <key id="d3" for="node" attr.name="hyper" attr.type="string"/>
  <key id="d4" for="node" attr.name="frozen" attr.type="string"/>
  <key id="d5" for="edge" attr.name="role" attr.type="string"/>
  <key id="d6" for="edge" attr.name="port" attr.type="string"/>
  <key id="d7" for="edge" attr.name="delay" attr.type="double"/>
  <key id="d8" for="node" attr.name="tags" attr.type="string"/>
  <key id="d9" for="node" attr.name="note" attr.type="string"/>
  <graph edgedefault="directed">
    <node id="eye"><data key="d0">source</data><data key="d1">(8, 8)</data></node>
    <node id="V1"><data key="d0">region</data><data key="d2">delta</data><data key="d4">True</data>
      <data key="d3">{"learning_rate": 0.25}</data><data key="d8">early</data><data key="d9">json: no</data></node>
    <edge source="eye" target="V1"><data key="d5">target</data></edge>
    <edge source="eye" target="V1"/>
    <edge id="back" source="V1" target="V1"><data key="d6">prediction</data><data key="d7">2.0</data></edge>
  </graph>
</graphml>
"""


def test_graphml_by_other_programs_is_read(folder):
    path = folder / "foreign.graphml"
    path.write_text(FOREIGN)
    graph = RegionGraph.from_graphml(path).check()
    data = graph.nodes["V1"]
    assert (data["hyper"], data["frozen"], data["tags"], data["note"]) == (
        {"learning_rate": 0.25}, True, ("early",), "json: no")
    assert graph.nodes["eye"]["shape"] == (8, 8)
    assert sorted(graph.edge_names()) == ["back", "eye.value@0->V1:target", "eye.value@1->V1"]
    assert graph.edge("back")[2]["delay"] == 2


def test_what_is_written_is_plain_graphml_and_json(folder):
    graph = rich()
    graph.to_graphml(folder / "rich.graphml")
    assert nx.read_graphml(folder / "rich.graphml").number_of_edges() == graph.number_of_edges()
    graph.to_json(folder / "rich.json")
    data = json.loads((folder / "rich.json").read_text())
    assert {node["id"] for node in data["nodes"]} == set(graph)
    assert {edge["key"] for edge in data["edges"]} == set(graph.edge_names())


# -- messages --------------------------------------------------------------------------------------------------------

def plain_pair(**changes):
    plain = nx.MultiDiGraph()
    plain.add_node("s", type="source", shape=(2,))
    plain.add_node("r", type="region", kind="delta")
    for where, attributes in changes.items():
        if where == "edge":
            plain.add_edge("s", "r", **attributes)
        elif where == "graph":
            plain.graph.update(attributes)
        else:
            plain.nodes[where].update(attributes)
    return plain


@pytest.mark.parametrize(("plain", "text"), [
    (nx.Graph(), "graph: must be a networkx DiGraph or MultiDiGraph (got 'Graph'); "
                 "an edge leads from what is read to the region that reads it"),
    ({"a": ["b"]}, "graph: must be a networkx DiGraph or MultiDiGraph (got 'dict'); "
                   "an edge leads from what is read to the region that reads it"),
    (nx.DiGraph([("a", "b")]), "node 'a': needs type='source' or type='region' (got None)"),
    (plain_pair(s={"type": "sauce"}), "node 's': needs type='source' or type='region' (got 'sauce')"),
    (plain_pair(s={"shape": "wide"}), "source 's': shape: must be one to three whole numbers, 1 or more: units, or "
                                      "(height, width, features) (got 'wide')"),
    (plain_pair(s={"shape": "[4, 4"}), "source 's': shape: must be one to three whole numbers, 1 or more: units, or "
                                       "(height, width, features) (got '[4, 4')"),
    (plain_pair(r={"kind": "delt"}), "region 'r': kind 'delt' is not known; did you mean 'delta'?"),
    (plain_pair(r={"hyper": "{"}), "region 'r': hyper: is not JSON (Expecting property name enclosed in double "
                                   "quotes: line 1 column 2 (char 1)) (got '{')"),
    (plain_pair(r={"hyper": [1]}), "region 'r': hyper: must be a table of names and values (got [1])"),
    (plain_pair(r={"tags": [1]}), "region 'r': tags: must be a list of words (got [1])"),
    (plain_pair(r={"period": "often"}), "region 'r': period: must be a whole number (got 'often')"),
    (plain_pair(edge={"key": "e", "delay": math.inf}), "edge 'e': delay: must be a whole number (got inf)"),
    (plain_pair(edge={"field": "windw(3)"}),
     "edge 's' -> 'r': field: no such field (got 'windw(3)'); did you mean 'window'?"),
    (plain_pair(graph={"stream": "{"}), "graph attribute 'stream': is not JSON (Expecting property name enclosed in "
                                        "double quotes: line 1 column 2 (char 1)) (got '{')"),
    (plain_pair(graph={"trial": {"lenght": 3}}),
     "trial: must hold length, and may hold spans and score_at (got {'lenght': 3})"),
])
def test_messages_of_from_networkx(plain, text):
    assert message(GraphError, RegionGraph.from_networkx, plain) == text


def test_a_region_read_without_a_port_is_named():
    plain = nx.DiGraph()
    plain.add_node("r", type="region")
    plain.add_edge("r", "r")
    assert message(GraphError, RegionGraph.from_networkx, plain) == (
        "edge 'r' -> 'r': reads a region, so it must name a port; try .prediction or .error")


def test_an_edge_name_that_comes_twice_is_named():
    plain = plain_pair(edge={"key": "twice"})
    plain.add_edge("r", "r", key="twice", port="prediction")
    assert message(GraphError, RegionGraph.from_networkx, plain) == (
        "edge 'twice': is in the graph twice; give one of them another key")


READERS = [RegionGraph.from_graphml, RegionGraph.from_json]


@pytest.mark.parametrize("read", READERS)
def test_a_file_that_is_not_there_is_named(read, folder):
    path = folder / "missing"
    assert message(FileError, read, path) == f"file {str(path)!r}: cannot be read (No such file or directory)"


@pytest.mark.parametrize(("read", "text", "complaint"), [
    (RegionGraph.from_graphml, "", "is not GraphML that networkx can read (no element found: line 1, column 0)"),
    (RegionGraph.from_graphml, "<graphml>", "is not GraphML that networkx can read (no element found"),
    (RegionGraph.from_graphml, "<html/>", "is not GraphML that networkx can read (file not successfully read"),
    (RegionGraph.from_json, "{", "is not JSON (Expecting property name"),
    (RegionGraph.from_json, "[]", "is not node-link JSON ("),
    (RegionGraph.from_json, '{"nodes": [{"name": "x"}], "links": []}', "is not node-link JSON (KeyError('edges'))"),
    (RegionGraph.from_json, '{"nodes": 5, "edges": []}', "is not node-link JSON (TypeError("),
])
def test_a_file_of_another_format_is_named(read, text, complaint, folder):
    path = folder / "other"
    path.write_text(text)
    assert message(FileError, read, path).startswith(f"file {str(path)!r}: {complaint}")


@pytest.mark.parametrize(("write", "read"), [(RegionGraph.to_graphml, RegionGraph.from_graphml),
                                             (RegionGraph.to_json, RegionGraph.from_json)])
def test_what_a_file_says_wrong_names_the_file(write, read, folder):
    path = folder / "wrong"
    write(RegionGraph.from_networkx(plain_pair()), path)
    path.write_text(path.read_text().replace("delta", "dalta"))
    assert message(GraphError, read, path) == (
        f"{path}: region 'r': kind 'dalta' is not known; did you mean 'delta'?")


def test_errors_keep_their_parts_when_a_file_is_named(folder):
    path = folder / "wrong"
    RegionGraph.from_networkx(plain_pair()).to_json(path)
    path.write_text(path.read_text().replace('"period": 1', '"period": "often"'))
    with pytest.raises(CortexsimError) as caught:
        RegionGraph.from_json(path)
    assert (caught.value.got, caught.value.what) == ("often", "must be a whole number")
    assert not isinstance(caught.value, KindError)


@pytest.mark.parametrize("write", [RegionGraph.to_graphml, RegionGraph.to_json])
def test_a_folder_that_is_not_there_is_named(write, folder):
    path = folder / "no" / "file"
    assert message(FileError, write, pair(), path) == (
        f"folder {str(path.parent)!r}: cannot write 'file' (No such file or directory); "
        "name a folder that exists and can be written to")


# -- differences -----------------------------------------------------------------------------------------------------

def test_differences_name_what_differs():
    one, two = pair(), pair()
    assert one.same(two) and one.differences(two) == []
    two.nodes["V1"]["hyper"]["learning_rate"] = 0.03
    two.nodes["V2"]["frozen"] = 1
    two.nodes["V2"]["colour"] = None
    two.nodes["V2"]["why"] = float("nan")
    two.lesion("V2->motor")
    two.remove_node("saccade")
    two.graph["name"] = "two"
    assert not one.same(two)
    assert one.differences(two) == [
        "edge 'V2.state@3->motor': lesioned is False and True",
        "edge 'saccade.value@0->V1-next': only in the first graph",
        "edge 'saccade.value@0->motor:target': only in the first graph",
        "edge 'saccade.value[0]@0->motor:gate': only in the first graph",
        "graph 'name': 'pair' and 'two'",
        "node 'V1': hyper is {'learning_rate': 0.02} and {'learning_rate': 0.03}",
        "node 'V2': colour is missing and None",
        "node 'V2': frozen is True and 1",
        "node 'V2': why is '' and nan",
        "node 'saccade': only in the first graph",
    ]
    assert "node 'saccade': only in the second graph" in two.differences(one)


def test_an_edge_of_the_same_name_elsewhere_differs():
    one, two = pair(), pair()
    one.connect("retina", "V1-next", name="e")
    two.connect("retina", "motor", name="e")
    assert one.differences(two) == ["edge 'e': to is 'V1-next' and 'motor'"]
