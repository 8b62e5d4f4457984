"""Plans: waves, leaks and cycles refused by name, blocks and what limits them, partitions, printing, size."""

from __future__ import annotations

import random
from typing import Any

import networkx as nx
import numpy as np
import pytest

import cortexsim as cs
from cortexsim.plan import ring_length
from cortexsim.plan_order import partition


def wave(plan: cs.Plan, region: str, step: str) -> int:
    """The wave of a step."""
    return plan.order.waves[region, step]


def graph_of(**regions: dict[str, Any]) -> cs.RegionGraph:
    """A graph with the sources x (4 units) and motor (2 units, known before), and the regions given."""
    graph = cs.RegionGraph(name="small")
    graph.add_source("x", size=4)
    graph.add_source("motor", size=2, known="before")
    for name, options in regions.items():
        graph.add_region(name, **options)
    return graph


# ---------------------------------------------------------------------- waves and order

def test_waves_follow_zero_delay_edges_over_steps():
    plan = cs.make_plan(graph_of(
        V1={"kind": "subspace", "predicts": "x", "size": 3},
        V2={"kind": "subspace", "predicts": "V1.state", "size": 2},
        guess={"predicts": "x", "context": "motor"},
        second={"predicts": "V2.state", "context": "guess.prediction@0"},
    ))
    assert [wave(plan, "V1", step) for step in ("predict", "compare", "update")] == [0, 1, 2]
    assert wave(plan, "V2", "compare") == 3 and wave(plan, "V2", "update") == 4
    assert wave(plan, "second", "predict") == 1 and wave(plan, "second", "compare") == 5
    assert plan.sequence.index("V1") < plan.sequence.index("V2") < plan.sequence.index("second")
    assert plan.order.units == [[name] for name in plan.sequence]


def test_delayed_edges_order_nothing_inside_a_tick():
    plan = cs.make_plan(graph_of(a={"predicts": "x", "context": "b.prediction@1"},
                                 b={"predicts": "x", "context": "a.prediction@1"}))
    assert {wave(plan, name, "predict") for name in "ab"} == {0}


def test_a_plan_is_the_same_for_any_order_of_building():
    regions = {"a": {"predicts": "x", "context": "b.prediction@1"}, "b": {"predicts": "x", "context": "motor"},
               "c": {"kind": "subspace", "predicts": "x", "size": 2},
               "d": {"kind": "contract.fake_kinds:Sense", "predicts": "x"},
               "e": {"kind": "contract.fake_kinds:Settle", "predicts": "d.state", "size": 4}}
    plans = [str(cs.make_plan(graph_of(**dict(order)))) for order in (regions.items(), reversed(regions.items()))]
    assert plans[0] == plans[1]


def test_an_edit_of_the_graph_changes_nothing_until_it_is_planned_again():
    graph = graph_of(a={"predicts": "x", "context": "x@1"})
    plan = cs.make_plan(graph)
    before = str(plan)
    graph.nodes["a"]["period"] = 5
    graph.lesion("x->a")
    assert str(plan) == before
    assert not any(edge.data["lesioned"] for edge in plan.edges.values())


# ---------------------------------------------------------------------- refused

@pytest.mark.parametrize(("context", "message"), [
    ("x@0", r"edge 'x.value@0->a': leaks: 'x' is the outcome of the tick, and a context of delay 0 is read before it "
            r"is known; use delay 1, or declare the source known='before' if 'x' is known before the outcome"),
    ("code.state@0", r"edge 'code.state@0->a': leaks: state is written after the outcome is known, and a context of "
                     r"delay 0 is read before; use delay 1, or read the prediction"),
    ("code.error@0", r"edge 'code.error@0->a': leaks: error is written after"),
])
def test_a_leak_is_refused_by_name(context, message):
    graph = graph_of(code={"kind": "subspace", "predicts": "x", "size": 2}, a={"predicts": "x", "context": context})
    with pytest.raises(cs.GraphError, match=message):
        cs.make_plan(graph)


def test_a_gate_leaks_too():
    with pytest.raises(cs.GraphError, match=r"edge 'x.value\[0\]@0->a:gate': leaks: .* a gate of delay 0"):
        cs.make_plan(graph_of(a={"predicts": "x", "context": "motor", "gate": "x[0]@0"}))
    cs.make_plan(graph_of(a={"predicts": "x", "context": "motor", "gate": "motor[0]@0"}))


def test_an_early_prior_leaks_like_a_context():
    graph = graph_of(sheet={"kind": "contract.fake_kinds:Sense", "predicts": "x"},
                     low={"kind": "contract.fake_kinds:Settle", "predicts": "sheet.state", "size": 4})
    graph.connect("x", "low", "prior", delay=0)
    cs.make_plan(graph)
    graph.set_trial(3, {"init": (0, 1)})
    with pytest.raises(cs.GraphError, match=r"edge 'x.value@0->low:prior': leaks: 'x' is the outcome of the tick, and "
                                            r"a prior of delay 0"):
        cs.make_plan(graph)


def test_a_zero_delay_cycle_is_refused_and_named():
    graph = graph_of(a={"predicts": "x", "context": "b.prediction@0"}, b={"predicts": "x", "context": "c.prediction@0"},
                     c={"predicts": "x", "context": "a.prediction@0"})
    with pytest.raises(cs.GraphError) as caught:
        cs.make_plan(graph)
    text = str(caught.value)
    assert text.startswith("graph: has a zero-delay cycle: ")
    cycle, hint = text.split("cycle: ")[1].split("; give one of these edges a delay of 1: ")
    stops = cycle.split(" -> ")
    assert stops[0] == stops[-1] and sorted(stops[1:]) == ["a predict", "b predict", "c predict"]
    assert sorted(hint.split(", ")) == ["a.prediction@0->c", "b.prediction@0->a", "c.prediction@0->b"]


def test_a_cycle_over_different_steps_is_refused_and_a_path_that_ends_is_not():
    codes = {"a": {"kind": "subspace", "predicts": "b.state", "size": 2},
             "b": {"kind": "subspace", "predicts": "a.state", "size": 2}}
    with pytest.raises(cs.GraphError, match="zero-delay cycle: .*compare -> .*update"):
        cs.make_plan(graph_of(**codes))
    codes["b"]["predicts"] = "a.state@1"
    cs.make_plan(graph_of(**codes))


@pytest.mark.parametrize(("edit", "message"), [
    (lambda g: g.add_region("b", predicts="x", context=("a.prediction@1", cs.window(9))), None),
    (lambda g: g.add_region("b", predicts="x", context=("x[0:3]@1", cs.one_to_one())),
     r"edge 'x.value\[0:3\]@1->b': field one_to_one needs equal sizes, but 3 units meet 4"),
    (lambda g: g.add_region("b", predicts="x", context="a.prediction[9]@1"),
     r"edge 'a.prediction\[9\]@1->b': selects unit"),
    (lambda g: g.add_region("b", kind="subspace", predicts="x"), r"region 'b': a subspace needs size= or shape="),
    (lambda g: g.add_region("b", kind="subspace", predicts="x", size=9),
     r"region 'b': cannot have more units than its target \(4 a position\) \(got 9\)"),
    (lambda g: g.add_region("b", predicts="x", context="x@1", size=3),
     r"region 'b': size must be its target's, 4, or be left out \(got 3\)"),
    (lambda g: g.add_region("b", predicts="c.prediction", context="x@1") and
     g.add_region("c", predicts="b.prediction@1", context="x@1"),
     r"regions b, c: their sizes depend on each other in a circle; give one of them size= or shape="),
    (lambda g: g.add_source("y", size=3, imagined_by="a"), r"source 'y': imagined_by must have its size, 3 \(got 4\)"),
])
def test_what_does_not_fit_is_refused_by_name(edit, message):
    graph = graph_of(a={"predicts": "x", "context": "x@1"})
    edit(graph)
    if message is None:
        cs.make_plan(graph)
        return
    with pytest.raises((cs.GraphError, cs.KindError), match=message):
        cs.Simulation(graph)


def test_a_graph_without_regions_is_refused():
    with pytest.raises(cs.GraphError, match="graph: has no regions; add one with add_region"):
        cs.make_plan(graph_of())


def test_one_writer_for_every_signal():
    plan = cs.make_plan(graph_of(a={"predicts": "x", "context": "x@1"}, b={"kind": "subspace", "predicts": "x",
                                                                         "size": 2}))
    assert sorted(plan.signals) == ["a.error", "a.prediction", "b.error", "b.reconstruction", "b.state",
                                    "motor.value", "x.value"]


# ---------------------------------------------------------------------- blocks, levels, partitions

@pytest.mark.parametrize(("there", "back", "block", "limit"), [
    (1, 1, 1, "b.prediction@1->a"), (1, 3, 3, "b.prediction@3->a"), (2, 2, 2, "b.prediction@2->a"),
    (0, 5, 5, "b.prediction@5->a"), (1, 16, 16, None), (20, 1, 16, None),
])
def test_the_block_is_bounded_by_the_smallest_delay_that_points_backward(there, back, block, limit):
    graph = graph_of(a={"predicts": "x", "context": f"b.prediction@{back}"},
                     b={"predicts": "x", "context": f"a.prediction@{there}"})
    plan = cs.make_plan(graph)
    assert (plan.block, plan.order.limit) in [(block, limit), (block, f"a.prediction@{there}->b")]
    if limit:
        assert f"blocks of {block} ticks, limited by edge {plan.order.limit!r}" in str(plan)


def test_an_edge_to_itself_never_limits_the_block():
    assert cs.make_plan(graph_of(a={"predicts": "x", "context": "a.prediction@1"})).block == 16
    assert cs.make_plan(graph_of(a={"predicts": "x", "context": "a.prediction@1"}), longest_block=7).block == 7


def test_regions_that_a_zero_delay_path_leads_back_to_form_one_unit():
    graph = graph_of(sheet={"kind": "contract.fake_kinds:Sense", "predicts": "x"},
                     low={"kind": "contract.fake_kinds:Settle", "predicts": "sheet.state", "size": 4},
                     alone={"predicts": "x", "context": "low.state@1"})
    plan = cs.make_plan(graph)
    assert plan.order.units == [["low", "sheet"], ["alone"]]
    assert plan.order.fused == {"alone"}


@pytest.mark.parametrize("threads", [1, 2, 3, 8])
def test_partitions_are_contiguous_and_hold_every_unit_once(threads):
    plan = cs.make_plan(random_graph(40, 200), threads)
    runs = [run for level in plan.parts for run in level]
    assert [unit for a, b in runs for unit in range(a, b)] == list(range(len(plan.order.units)))
    assert max(len(level) for level in plan.parts) <= threads
    # a barrier lies between a unit and whoever reads it before it has run its block
    level = {unit: k for k, runs in enumerate(plan.parts) for a, b in runs for unit in range(a, b)}
    for edge in plan.edges.values():
        if edge.source in plan.regions and edge.delay < plan.block:
            place = {name: u for u, unit in enumerate(plan.order.units) for name in unit}
            first, last = place[edge.source], place[edge.target]
            assert first == last or level[first] < level[last]


def test_partitions_are_balanced():
    assert partition([1.0] * 8, 4) == [(0, 2), (2, 4), (4, 6), (6, 8)]
    assert partition([], 3) == []
    costs = np.random.default_rng(0).uniform(1, 2, 100).tolist()
    sums = [sum(costs[a:b]) for a, b in partition(costs, 4)]
    assert max(sums) < 1.2 * min(sums)


@pytest.mark.parametrize(("delay", "block", "length"), [(0, 1, 2), (1, 1, 4), (3, 1, 8), (2, 16, 32)])
def test_a_ring_holds_the_longest_delay_and_a_block(delay, block, length):
    assert ring_length(delay, block) == length > delay + block - 1


# ---------------------------------------------------------------------- trials: scored before the outcome is known

def phased(score_at: int | None, span: str | None = None) -> cs.RegionGraph:
    graph = cs.RegionGraph()
    graph.set_trial(10, {"minus": (0, 6), "plus": (6, 10)}, score_at=score_at)
    graph.add_source("x", size=3)
    graph.add_region("guess")
    graph.connect("x@0", "guess", role="target", **({"span": span, "outside": "silent"} if span else {}))
    graph.connect("x@10", "guess")
    return graph


@pytest.mark.parametrize(("span", "place"), [(None, 0), ("plus", 6)])
def test_a_trial_is_scored_at_the_last_place_at_which_no_forecast_knows_its_outcome(span, place):
    # learning from a target at a place shows in the prediction of the next
    assert cs.make_plan(phased(None, span)).trial.score_at == place
    assert cs.make_plan(phased(place, span)).trial.score_at == place


def test_a_forecast_that_would_know_its_outcome_before_it_is_scored_is_refused():
    with pytest.raises(cs.GraphError) as late:
        cs.make_plan(phased(7, "plus"))
    assert str(late.value) == (
        "region 'guess': leaks: it is scored at place 7 of the trial, but may know the outcome at place 7, by way of "
        "edge 'x.value@0->guess:target'; limit such edges to a span after the scoring, or score at 6")
    early = phased(5, "plus")
    early.connect("x@2", "guess", span="minus", name="peek")
    with pytest.raises(cs.GraphError, match="may know the outcome at place 2, by way of edge "):
        cs.make_plan(early)


# ---------------------------------------------------------------------- printing, size

def test_a_plan_prints_what_it_decided():
    graph = graph_of(V1={"kind": "subspace", "predicts": "x", "size": 3, "period": 2, "offset": 1},
                     guess={"predicts": "V1.state", "context": ["V1.state@1", "motor"], "gate": "motor[0]"})
    graph.set_trial(4, {"minus": (0, 3), "plus": (3, 4)}, score_at=0)
    text = str(cs.make_plan(graph))
    assert text.startswith("plan of small: 2 sources, 2 regions, 5 edges")
    assert "trials of 4 ticks, spans minus [0, 3), plus [3, 4), scored at 0" in text
    rows = [line.split() for line in text.splitlines() if line.strip().startswith(("V1 ", "guess "))]
    assert rows[0][:5] == ["V1", "subspace", "4", "0", "0/1/2"] and "2+1" in rows[0]
    assert rows[1][:5] == ["guess", "delta", "3", "5", "0/3/4"] and "gated" in rows[1]
    assert "blocks of 16 ticks\n" in text


def random_graph(n_regions: int, n_edges: int) -> cs.RegionGraph:
    """Regions with a code each, random context edges between them."""
    rng = random.Random(0)
    graph = cs.RegionGraph(name="random")
    graph.add_source("x", size=8)
    for k in range(n_regions):
        graph.add_region(f"r{k}", predicts="x", context="x@1")
    for k in range(n_edges - graph.number_of_edges()):
        a, b = (rng.randrange(n_regions) for _ in range(2))
        graph.connect(f"r{a}.prediction", f"r{b}", delay=rng.randrange(1, 6), name=f"e{k}")
    return graph


@pytest.mark.parametrize(("n_regions", "n_edges"), [(180, 2000), pytest.param(5000, 50_000, marks=pytest.mark.slow)])
def test_large_graphs_are_planned(n_regions, n_edges):
    graph = random_graph(n_regions, n_edges)
    plan = cs.make_plan(graph, threads=2)
    assert len(plan.regions) == n_regions and len(plan.edges) == n_edges
    assert nx.number_of_edges(graph) == n_edges
