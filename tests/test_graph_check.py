"""What a region graph refuses, and the words in which it says so."""

from __future__ import annotations

import sys
from types import ModuleType

import networkx as nx
import numpy as np
import pytest

from cortexsim.errors import GraphError, KindError
from cortexsim.fields import window
from cortexsim.graph import RegionGraph
from cortexsim.shorthand import select_indices
from graph_examples import Settling, message, pair


@pytest.fixture
def graph() -> RegionGraph:
    return pair()


# -- messages of the builders ----------------------------------------------------------------------------------------

NAME_RULE = "a name is made of letters, digits, '_', '-' and '+'"
SHAPE_RULE = "must be one to three whole numbers, 1 or more: units, or (height, width, features)"


@pytest.mark.parametrize(("arguments", "text"), [
    ({"name": "retina", "size": 3}, "source 'retina': the graph already has a source of that name"),
    ({"name": "V1", "size": 3}, "source 'V1': the graph already has a region of that name"),
    ({"name": "a.b", "size": 3}, f"source 'a.b': {NAME_RULE} (got 'a.b')"),
    ({"name": "x"}, "source 'x': needs either shape= or size=; for example shape=(16, 16) or size=2"),
    ({"name": "x", "size": 2, "shape": (2,)},
     "source 'x': needs either shape= or size=; for example shape=(16, 16) or size=2"),
    ({"name": "x", "size": 0}, f"source 'x': shape: {SHAPE_RULE} (got 0)"),
    ({"name": "x", "shape": (4, 2.5)}, f"source 'x': shape: {SHAPE_RULE} (got (4, 2.5))"),
    ({"name": "x", "shape": (1, 2, 3, 4)}, f"source 'x': shape: {SHAPE_RULE} (got (1, 2, 3, 4))"),
    ({"name": "x", "shape": ()}, f"source 'x': shape: {SHAPE_RULE} (got ())"),
    ({"name": "x", "size": 2, "known": "befor"},
     "source 'x': known must be after or before (got 'befor'); did you mean 'before'?"),
    ({"name": "x", "size": 2, "sparse": "maybe"}, "source 'x': sparse: must be true or false (got 'maybe')"),
])
def test_messages_of_add_source(graph, arguments, text):
    before = graph.copy()
    assert message(GraphError, graph.add_source, **arguments) == text
    assert graph.same(before)


@pytest.mark.parametrize(("arguments", "text"), [
    ({"name": "V1"}, "region 'V1': the graph already has a region of that name"),
    ({"name": "a b"}, f"region 'a b': {NAME_RULE} (got 'a b')"),
    ({"name": 7}, f"region 7: {NAME_RULE} (got 7)"),
    ({"name": "x", "kind": "delt"}, "region 'x': kind 'delt' is not known; did you mean 'delta'?"),
    ({"name": "x", "size": 2, "shape": (2,)},
     "region 'x': takes either shape= or size=, not both (got ((2,), 2))"),
    ({"name": "x", "learning_rat": 0.1},
     "region 'x': kind 'delta' has no hyperparameter 'learning_rat'; did you mean 'learning_rate'?"),
    ({"name": "x", "predict": "retina"},
     "region 'x': kind 'delta' has no hyperparameter 'predict'; did you mean 'predicts'?"),
    ({"name": "x", "learning_rate": [[{}]]},
     "region 'x': learning_rate: must be a number, a word, true or false, or a list of them (got 'dict')"),
    ({"name": "x", "period": 0}, "region 'x': period must be 1 tick or more (got 0)"),
    ({"name": "x", "period": 1.5}, "region 'x': period: must be a whole number (got 1.5)"),
    ({"name": "x", "period": 4, "offset": 4}, "region 'x': offset must be in [0, 3], below its period (got 4)"),
    ({"name": "x", "when_closed": "hol"},
     "region 'x': when_closed must be silent or hold (got 'hol'); did you mean 'hold'?"),
    ({"name": "x", "on_divergence": "halt"},
     "region 'x': on_divergence must be stop or reset or freeze (got 'halt'); known: freeze, reset, stop"),
    ({"name": "x", "tags": 5}, "region 'x': tags: must be a list of words (got 5)"),
    ({"name": "x", "frozen": 2}, "region 'x': frozen: must be true or false (got 2)"),
    ({"name": "x", "context": 5},
     "region 'x': context: must be a signal or a list of signals (got 5); try ['V1.state@1', 'saccade']"),
    ({"name": "x", "context": [5]},
     "region 'x': context: a signal is given as a text, a table with 'from', or a pair (text, field) (got 5)"),
    ({"name": "x", "context": "V1.state@x"},
     "region 'x': context: a signal is written as name.port[select]@delay (got 'V1.state@x'); "
     "for example 'retina', 'V1.state@2' or 'V1.state[0:4]@1'"),
    ({"name": "x", "context": ""},
     "region 'x': context: a signal is written as name.port[select]@delay (got ''); "
     "for example 'retina', 'V1.state@2' or 'V1.state[0:4]@1'"),
    ({"name": "x", "context": "V1.state[4:2]"},
     "region 'x': context: a select start:stop must have start < stop (got '4:2'); "
     "for example '3', '0:16' or '0,2,5'"),
    ({"name": "x", "context": "V1.state[a]"},
     "region 'x': context: a select is one unit, a span of units, or a list of them (got 'a'); "
     "for example '3', '0:16' or '0,2,5'"),
    ({"name": "x", "context": "V1.state[1,1]"},
     "region 'x': context: a select names each unit once (got '1,1')"),
    ({"name": "x", "context": {"from": "retina", "fild": "dense"}},
     "region 'x': context: an edge has no 'fild'; did you mean 'field'?"),
    ({"name": "x", "context": {"field": "dense"}},
     "region 'x': context: an edge given as a table needs 'from' (got {'field': 'dense'}); try from='V1.state@2'"),
    ({"name": "x", "context": {"from": "retina@2", "delay": 3}},
     "region 'x': context: 'retina@2' already says a delay of 2 (got 3)"),
    ({"name": "x", "context": {"from": "retina", "delay": "soon"}},
     "region 'x': context: delay: must be a whole number (got 'soon')"),
    ({"name": "x", "context": ("retina", "windo(3)")},
     "edge 'retina.value@1->x': field: no such field (got 'windo(3)'); did you mean 'window'?"),
    ({"name": "x", "context": {"from": "retina", "name": 3}}, "edge 3: the name of an edge is a text (got 3)"),
    ({"name": "x", "context": "V1"},
     "region 'x': context 'V1': reads a region, so it must name a port; try .error or .state or .reconstruction"),
    ({"name": "x", "context": "V1.stat"},
     "edge 'V1.stat@1->x': region 'V1' (kind 'subspace') has no port 'stat'; did you mean 'state'?"),
    ({"name": "x", "context": "retina.state"},
     "edge 'retina.state@1->x': source 'retina' has no port 'state'; a source is read as 'value'"),
    ({"name": "x", "context": "retina@-1"},
     "edge 'retina.value@-1->x': the delay of a context must be 0 or more ticks (got -1)"),
    ({"name": "x", "prior": "V1.state"},
     "edge 'V1.state@0->x:prior': region 'x' (kind 'delta') takes no prior; "
     "it takes: context, target, gate, modulator"),
    ({"name": "x", "context": "saccade[2]"},
     "edge 'saccade.value[2]@0->x': selects unit 2 of a signal that has 2 (got '2'); units are counted from 0 to 1"),
    ({"name": "x", "context": "saccade[0:3]"},
     "edge 'saccade.value[0:3]@0->x': selects unit 2 of a signal that has 2 (got '0:3'); "
     "units are counted from 0 to 1"),
])
def test_messages_of_add_region(graph, arguments, text):
    before = graph.copy()
    assert message(GraphError, graph.add_region, **arguments) == text
    assert graph.same(before)


def test_a_hyperparameter_out_of_range_is_refused_at_once(graph):
    text = message(KindError, graph.add_region, "x", learning_rate=9.0)
    assert text.startswith("region 'x': learning_rate must be a number in [0, 2] (got 9.0)")
    assert "x" not in graph


@pytest.mark.parametrize("kind", [5, None, ["delta"]])
def test_a_kind_that_is_none(graph, kind):
    with pytest.raises(KindError, match=r"^kind: must be a name, a module or a class \(got '(int|NoneType|list)'\)$"):
        graph.add_region("x", kind=kind)


def test_a_kind_that_breaks_the_contract_names_the_region(graph, monkeypatch):
    monkeypatch.setitem(sys.modules, "brokenlab.rules", ModuleType("brokenlab.rules"))
    monkeypatch.setitem(sys.modules, "brokenlab", ModuleType("brokenlab"))
    assert message(GraphError, graph.add_region, "x", kind="brokenlab.rules") == (
        "region 'x': kind 'brokenlab.rules' needs Hyper, a frozen dataclass")


@pytest.mark.parametrize(("arguments", "text"), [
    (("retinal", "V1"), "edge 'retinal' -> 'V1': 'retinal' is not in the graph; did you mean 'retina'?"),
    (("V1.state", "moto"), "edge 'V1.state' -> 'moto': 'moto' is not in the graph; did you mean 'motor'?"),
    (("V1.state", "retina"),
     "edge 'V1.state@1->retina': leads into source 'retina', but a source reads nothing"),
    (("V1.state", "V1-next", "contxt"),
     "edge 'V1.state@0->V1-next:contxt': role must be context or target or prior or feedback or gate or modulator "
     "(got 'contxt'); did you mean 'context'?"),
    (("V1.state", "V1-next"), "edge 'V1.state@1->V1-next': is already in the graph; give one of them a name="),
    (("V1.state@1", "V1-next", "context", 2),
     "edge 'V1.state@1' -> 'V1-next': 'V1.state@1' already says a delay of 1 (got 2)"),
])
def test_messages_of_connect(graph, arguments, text):
    before = graph.copy()
    assert message(GraphError, graph.connect, *arguments) == text
    assert graph.same(before)


@pytest.mark.parametrize(("options", "text"), [
    ({"role": "modulator"}, "edge 'retina.value@1->L:modulator': a modulator needs hyper=, the hyperparameter that it "
                            "drives; of kind 'graph_examples:Settling': learning_rate, steps, rule, step_size, "
                            "meta_rate, decay_time"),
    ({"role": "modulator", "hyper": "learning"},
     "edge 'retina.value@1->L:modulator': kind 'graph_examples:Settling' has no hyperparameter 'learning'; "
     "did you mean 'learning_rate'?"),
    ({"role": "modulator", "hyper": "steps"},
     "edge 'retina.value@1->L:modulator': hyperparameter 'steps' is fixed when the graph is planned; "
     "nothing can drive it"),
    ({"role": "modulator", "hyper": "rule"},
     "edge 'retina.value@1->L:modulator': hyperparameter 'rule' is fixed when the graph is planned; "
     "nothing can drive it"),
    ({"role": "modulator", "hyper": "learning_rate", "delay": 0},
     "edge 'retina.value@0->L:modulator': the delay of a modulator must be 1 or more ticks (got 0)"),
    ({"role": "modulator", "hyper": "learning_rate", "mode": "add"},
     "edge 'retina.value@1->L:modulator': mode must be scale or set (got 'add'); known: scale, set"),
    ({"hyper": "learning_rate"}, "edge 'retina.value@1->L': only a modulator drives a hyperparameter "
                                 "(got 'learning_rate'); set role='modulator'"),
    ({"outside": "silent"}, "edge 'retina.value@1->L': outside says what happens outside a span, so it needs span= "
                            "(got 'silent')"),
    ({"outside": "off", "span": "plus"},
     "edge 'retina.value@1->L': outside must be hold or silent (got 'off'); known: hold, silent"),
    ({"name": "a*"}, "edge 'a*': the name of an edge is not empty and holds no '*', '?' or line break"),
    ({"field": "window(3, stid=2)"}, "edge 'retina.value@1->L': field: field window has no argument 'stid' "
                                     "(got 'window(3, stid=2)'); did you mean 'stride'?"),
    ({"delay": 0.5}, "edge 'retina' -> 'L': delay: must be a whole number (got 0.5)"),
])
def test_messages_of_edge_options(graph, options, text):
    graph.add_region("L", kind=Settling)
    assert message(GraphError, graph.connect, "retina", "L", **options) == text


# -- check -----------------------------------------------------------------------------------------------------------

def add_bare_node(graph):
    graph.add_node("bare")


def add_bare_edge(graph):
    graph.add_edge("retina", "V1")


def same_name_twice(graph):
    graph.add_edge("retina", "V1-next", key="V2.state@3->motor")


def slip_in_a_region(graph):
    graph.nodes["V1"]["perod"] = 2


def slip_in_an_edge(graph):
    graph.edge("V2.state@3->motor")[2]["dely"] = 2


def span_without_a_trial(graph):
    graph.connect("retina", "V1-next", span="plus")


def span_that_is_not_declared(graph):
    graph.set_trial(10, {"plus": (5, 10), "minus": (0, 5)})
    graph.connect("retina", "V1-next", span="plos")


def imagined_by_nobody(graph):
    graph.nodes["retina"]["imagined_by"] = "V1next.prediction"


def imagined_by_a_source(graph):
    graph.nodes["retina"]["imagined_by"] = "saccade.value"


def imagined_from_no_port(graph):
    graph.nodes["retina"]["imagined_by"] = "V1.reconstructio"


def no_target(graph):
    graph.add_region("x", context="retina")


def no_context(graph):
    graph.add_region("x", predicts="retina")


def unknown_kind(graph):
    graph.nodes["V1"]["kind"] = "subspac"


def select_left_to_the_plan(graph):
    graph.edge("V2.state@3->motor")[2]["select"] = "auto:0"


def no_shape(graph):
    graph.nodes["retina"]["shape"] = None


def bad_delay(graph):
    graph.edge("V2.state@3->motor")[2]["delay"] = "long"


def bad_trial(graph):
    graph.graph["trial"] = {"length": 10, "spans": {"a": (5, 11)}, "score_at": None}


def bad_trial_key(graph):
    graph.graph["trial"] = {"lenght": 10}


@pytest.mark.parametrize(("break_it", "text"), [
    (add_bare_node, "node 'bare': needs type='source' or type='region' (got None)"),
    (add_bare_edge, "edge 'retina' -> 'V1': needs a name as its key (got 1); add it with connect(), "
                    "or read the graph with RegionGraph.from_networkx"),
    (same_name_twice, "edge 'V2.state@3->motor': names two edges, retina -> V1-next and V2 -> motor"),
    (slip_in_a_region, "region 'V1': has no attribute 'perod'; did you mean 'period'?"),
    (slip_in_an_edge, "edge 'V2.state@3->motor': has no attribute 'dely'; did you mean 'delay'?"),
    (span_without_a_trial, "edge 'retina.value@1->V1-next': is limited to span 'plus', but the graph has no trial; "
                           "declare it with set_trial(length, spans=...)"),
    (span_that_is_not_declared, "edge 'retina.value@1->V1-next': the trial has no span 'plos'; did you mean 'plus'?"),
    (imagined_by_nobody, "source 'retina': imagined_by names 'V1next', which is no region of the graph; "
                         "did you mean 'V1-next'?"),
    (imagined_by_a_source, "source 'retina': imagined_by names 'saccade', which is no region of the graph; "
                           "known: V1, V1-next, V2, motor"),
    (imagined_from_no_port, "source 'retina': region 'V1' (kind 'subspace') has no port 'reconstructio'; "
                            "did you mean 'reconstruction'?"),
    (no_target, "region 'x': kind 'delta' needs a target, and no edge brings one; say predicts='name.port'"),
    (no_context, "region 'x': kind 'delta' needs a context, and no edge brings one; say context='name.port'"),
    (unknown_kind, "region 'V1': kind 'subspac' is not known; did you mean 'subspace'?"),
    (select_left_to_the_plan, "edge 'V2.state@3->motor': only an automatic edge may leave its select to the plan "
                              "(got 'auto:0')"),
    (no_shape, "source 'retina': needs a shape; for example shape=(16, 16) or shape=(2,)"),
    (bad_delay, "edge 'V2.state@3->motor': delay: must be a whole number (got 'long')"),
    (bad_trial, "trial: span 'a': must keep 0 <= first < after the last <= 10 (got (5, 11))"),
    (bad_trial_key, "trial: must hold length, and may hold spans and score_at (got {'lenght': 10})"),
])
def test_messages_of_check(graph, break_it, text):
    break_it(graph)
    assert message(GraphError, graph.check) == text


def test_check_finds_a_hyperparameter_that_was_edited_out_of_range(graph):
    graph.nodes["V1"]["hyper"]["learning_rate"] = -1.0
    assert message(KindError, graph.check).startswith("region 'V1': learning_rate must be")


def test_check_reads_what_networkx_functions_leave_behind(graph):
    graph.add_node("x", type="region", kind="delta", learning_rate=0.5, shape="[4, 4]", period="2")
    graph.add_edge("retina", "x", key="target of x", role="target")
    graph.add_edge("V1", "x", key="context of x", port="state", field="window(3)")
    graph.check()
    data = graph.nodes["x"]
    assert (data["shape"], data["period"], data["hyper"]) == ((4, 4), 2, {"learning_rate": 0.5})
    context = graph.edge("context of x")[2]
    assert (context["delay"], context["field"], context["lesioned"]) == (1, window(3), False)


def test_attributes_of_others_may_stay(graph):
    nx.set_node_attributes(graph, {name: place for place, name in enumerate(graph)}, "community")
    graph.check()
    assert graph.nodes["retina"]["community"] == 0


@pytest.mark.parametrize(("arguments", "text"), [
    ({"length": 0}, "trial: length must be 1 tick or more (got 0)"),
    ({"length": 2.5}, "trial: length: must be a whole number (got 2.5)"),
    ({"length": 10, "score_at": 10}, "trial: score_at must be in [0, 9] (got 10)"),
    ({"length": 10, "spans": {"a": (3, 3)}},
     "trial: span 'a': must keep 0 <= first < after the last <= 10 (got (3, 3))"),
    ({"length": 10, "spans": {"a": (3, 11)}},
     "trial: span 'a': must keep 0 <= first < after the last <= 10 (got (3, 11))"),
    ({"length": 10, "spans": {"a": 3}}, "trial: span 'a': must be a pair (first tick, tick after the last) (got 3)"),
    ({"length": 10, "spans": {"a b": (0, 1)}},
     "trial: span 'a b': a name is made of letters, digits, '_', '-' and '+' (got 'a b')"),
])
def test_a_trial_that_does_not_hold_together(arguments, text):
    graph = RegionGraph()
    assert message(GraphError, graph.set_trial, **arguments) == text
    assert graph.graph["trial"] is None


# -- selects, for the plan -------------------------------------------------------------------------------------------

@pytest.mark.parametrize(("select", "units"), [("3", [3]), ("0:4", [0, 1, 2, 3]), ("5,0,2", [5, 0, 2])])
def test_select_indices(select, units):
    indices = select_indices(select, 6, "edge 'e'")
    assert indices.tolist() == units and indices.dtype == np.int32
    assert select_indices(None, 6, "edge 'e'") is None


@pytest.mark.parametrize("select", ["6", "0:7", "1,6"])
def test_a_select_beyond_its_signal(select):
    assert message(GraphError, select_indices, select, 6, "edge 'e'") == (
        f"edge 'e': selects unit 6 of a signal that has 6 (got {select!r}); units are counted from 0 to 5")
