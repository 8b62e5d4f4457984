"""The check-up of edges, inputs, clocks and costs: what is planted is found, and told with a remedy."""

from __future__ import annotations

import re

import numpy as np
import pytest

import cortexsim as cs
from cortexsim import bookkeeping as d
from cortexsim.doctor import examine
from cortexsim.doctor_clocks import age, places
from doctor_cases import N, examined, found, graph_of, names, noise, trials, waves

# --- edges ---

def test_an_edge_that_nobody_uses():
    graph = graph_of(learning_rate=0.01)
    graph.add_source("other", size=2)
    graph.connect("other@1", "next")
    data = {"x": waves(noise=0.05), "other": 0.01 * noise(size=2)}
    report = examined(graph, data)
    finding = found(report, "unused edge")
    assert finding.where == "edge 'other.value@1->next'" and finding.severity == "note" and report.ok
    assert abs(finding.numbers["change"]) < 0.005 and "sim.lesion('other.value@1->next')" in finding.remedy
    rows = {row["edge"]: row for row in report.edges}
    assert rows["x.value@1->next"]["verdict"] == "used" and rows["x.value@1->next"]["change"] > 0.1


def test_what_reaches_nobody_changes_no_bit():
    graph = graph_of(learning_rate=0.02)
    graph.add_region("deaf", kind="delta", predicts="x", context="x@1", learning_rate=0.02)
    graph.connect("next.error@1", "deaf")

    def forget(sim):
        weights = sim.get("deaf.W")
        weights[:, :4] = 0
        sim.set("deaf.W", weights)

    report = examined(graph, {"x": waves()}, change=forget)
    assert found(report, "unused edge").where == "edge 'next.error@1->deaf'"
    assert "changed by a bit" in found(report, "unused edge").evidence


def test_an_edge_without_which_errors_are_smaller():
    graph = graph_of(learning_rate=0.02)
    graph.add_source("other", size=4)
    graph.connect("other@1", "next")

    def spoil(sim):
        weights = sim.get("next.W")
        weights[:, :4] = 0.5
        sim.set("next.W", weights)

    report = examined(graph, {"x": waves(), "other": noise()}, change=spoil)
    assert found(report, "harmful edge").where == "edge 'other.value@1->next'"


def test_an_edge_over_which_nothing_came_is_not_judged():
    graph = graph_of(learning_rate=0.02)
    graph.add_source("rare", size=1)
    graph.connect("rare@1", "next")
    rare = np.zeros((2 * N, 1), np.float32)
    rare[100:200] = 1
    report = examined(graph, {"x": waves(), "rare": rare})
    assert "unused edge" not in names(report)
    assert any("rare.value@1->next is used: nothing came over" in text for text in report.unchecked)


def test_edges_of_regions_that_have_hardly_learned_are_not_judged():
    report = examined(graph_of(), {"x": waves()}, ticks=30)
    assert names(report) == [] and any("hardly learned" in text for text in report.unchecked)


def test_an_edge_that_only_others_feel_is_used():
    graph = cs.RegionGraph()
    graph.add_source("x", size=4)
    graph.add_region("echo", kind="reservoir", context="x@1", size=30)
    graph.add_region("next", kind="rls", predicts="x", context="echo.state@1")
    report = examined(graph, {"x": waves()})
    rows = {row["edge"]: row for row in report.edges}
    assert rows["x.value@1->echo"]["verdict"] == "used" and rows["x.value@1->echo"]["felt_by"] == "next"


def test_threads_and_blocks_change_no_number():
    graph = graph_of(learning_rate=0.02)
    graph.add_region("code", kind="subspace", predicts="x", size=2)
    graph.add_region("later", predicts="code.state", context="code.state@1")
    one, other = (examined(graph, {"x": waves()}, ticks=1000, **options)
                  for options in ({}, {"threads": 2, "longest_block": 3}))
    assert one.edges == other.edges and [f.numbers for f in one.findings] == [f.numbers for f in other.findings]


# --- inputs ---

def test_inputs_that_are_constant_wild_or_not_finite():
    graph = graph_of()
    for name in ("still", "huge", "holes", "gate"):
        graph.add_source(name, size=1)
    graph.add_region("gated", predicts="x", context=["still@1", "huge@1", "holes@1", "x@1"], gate="gate@1")
    sim = cs.Simulation(graph)
    rows = {name: noise(600, 1) for name in ("still", "huge", "holes", "gate")}
    rows["still"][:], rows["gate"][:] = 3, 1
    rows["huge"] = 1e5 + rows["huge"]
    rows["holes"][20] = np.nan
    report = examine(sim, {"x": waves(600), **rows})
    assert "nothing but 3" in found(report, "constant input").evidence
    assert found(report, "constant input").where == "source 'still'"
    assert re.search(r"take off the mean and divide by (0.9|1.0)", found(report, "wild input").remedy)
    assert "first in row 20" in found(report, "input not finite").evidence
    sim.on_bad = "skip"
    assert "input not finite" not in names(examine(sim, {"x": waves(600), **rows}))


def test_samples_that_are_not_delivered_are_no_fault():
    values = list(waves())
    values[N + 10] = None
    sim = cs.Simulation(graph_of(learning_rate=0.02))
    sim.run({"x": values[:N]})
    assert examine(sim, {"x": values[N:]}).findings == []


# --- clocks ---

def test_the_arithmetic_of_clocks_agrees_with_counting():
    for period in (1, 2, 3, 4, 6):
        for length in (2, 3, 4, 6):
            for offset in range(period):
                due = {t % length for t in range(offset, 200, period)}
                assert places(period, offset, length) == sorted(due)
    for p in (1, 2, 3, 4, 6):
        for q in (1, 2, 4, 6):
            for a, b, delay in ((0, 0, 0), (p - 1, 0, 1), (0, q - 1, 2), (p // 2, q // 2, 3)):
                old = min((t - delay - a) % p for t in range(b + 100 * q, b + 200 * q, q))
                assert age((p, a), (q, b), delay) == old


def test_a_target_that_is_always_old():
    graph = graph_of(learning_rate=0.02)
    graph.add_region("slow", kind="subspace", predicts="x", size=2, period=4)
    graph.add_region("late", predicts="slow.state", context="x@1", period=4, offset=1)
    finding = found(examined(graph, {"x": waves()}), "clocks never meet")
    assert finding.where == "edge 'slow.state@0->late:target'" and finding.numbers["age"] == 1
    assert finding.remedy.startswith("offset = 0 of 'late'")
    graph.nodes["late"]["offset"] = 0
    assert "clocks never meet" not in names(examined(graph, {"x": waves()}))


def test_spans_and_places_of_a_trial_at_which_a_region_is_never_due():
    data = {"x": waves(2000), "motor": waves(2000)}
    assert "clocks never meet" not in names(examined(trials(), data, ticks=4000))
    report = examined(trials(period=2), data, ticks=4000)
    finding = found(report, "clocks never meet")
    assert finding.where == "edge 'x.value@0->next:target'" and finding.numbers["due"] == [0, 2]
    assert "places 3 to 3" in finding.evidence and finding.remedy.startswith("offset = 1 of 'next'")
    assert report.table[0]["skill"] is not None
    finding = found(examined(trials(period=2, offset=1), data, ticks=4000), "clocks never meet")
    assert finding.where == "region 'next'" and "scored at place 2" in finding.evidence
    assert "offset = 0" in finding.remedy and report.table[0]["scored"] > 0


def test_a_region_that_settles_and_is_never_due_where_it_learns():
    graph = cs.RegionGraph()
    graph.set_trial(6)
    graph.add_source("x", size=4)
    graph.add_region("low", kind="predictive_coding", predicts="x", activation="linear")
    graph.add_region("high", kind="predictive_coding", predicts="low.state", size=2, activation="linear", period=2)
    report = examined(graph, {"x": waves(1200)}, ticks=3600)
    finding = found(report, "clocks never meet", "'high'")
    assert "learns at place 5" in finding.evidence and "learn_at = 4" in finding.remedy
    assert cs.Simulation(graph).run({"x": waves(100)}).final("high")["learned"] > 0, "the curve alone would not tell"


def test_a_gate_that_is_open_only_at_other_ticks():
    graph = graph_of(learning_rate=0.02)
    graph.add_source("gate", size=1, known="before")
    graph.add_region("gated", predicts="x", context="x@1", gate="gate", period=2)
    gate = (np.arange(2 * N) % 2 == 1)[:, None].astype(np.float32)
    report = examined(graph, {"x": waves(), "gate": gate})
    finding = found(report, "clocks never meet")
    assert finding.where == "edge 'gate.value@0->gated:gate'" and finding.remedy.startswith("offset = 1 of 'gated'")
    assert "never open" in found(report, "never due").evidence
    assert "never due" not in names(examined(graph, {"x": waves(), "gate": 1 - gate}))


def test_a_period_longer_than_the_run():
    report = examined(graph_of(period=5000, offset=4000), {"x": waves(9000)})
    assert "only 3,000 ticks have run" in found(report, "never due").evidence


def test_a_target_that_never_comes():
    graph = graph_of(learning_rate=0.02)
    graph.add_source("y", size=1)
    graph.add_region("waits", predicts="y", context="x@1")
    sim = cs.Simulation(graph)
    sim.run({"x": waves(500), "y": [None] * 500})
    assert "never came from y" in found(examine(sim), "never scored").evidence
    sim = cs.Simulation(graph)
    sim.lesion("y->waits")
    sim.run({"x": waves(500), "y": noise(500, 1)})
    assert found(examine(sim), "never scored").remedy == "sim.restore('y.value@0->waits:target')"


# --- costs ---

def test_a_region_that_takes_most_of_the_time_for_nothing():
    graph = graph_of(learning_rate=0.02)
    graph.add_region("also", predicts="x", context="x@1", learning_rate=0.02)
    graph.add_source("crowd", size=2000)
    graph.add_region("eater", predicts="x", context="crowd@1", learning_rate=0.001)
    sim = cs.Simulation(graph)
    sim.run({"x": waves(1000), "crowd": noise(1000, 2000)})

    def spent(**cycles):
        for name, count in cycles.items():
            sim.memory.status[sim.memory.row[name], [d.CYCLES, d.TIMED]] = count, 1
        return examine(sim)

    report = spent(also=20, eater=60, next=20)
    finding = found(report, "time")
    assert finding.where == "region 'eater'" and finding.numbers["share"] == pytest.approx(0.6)
    assert "window or sparse" in finding.remedy and "period = 2" in finding.remedy
    assert report.table[1]["bytes"] > 4 * 4 * 2000 and sum(row["share"] for row in report.table) == pytest.approx(1)
    assert "time" not in names(spent(also=80)), "what works may take its time"
    assert "time" not in names(spent(also=20, eater=20))


def test_a_delay_that_holds_much_memory():
    graph = graph_of()
    graph.add_source("wide", size=2000)
    graph.add_region("code", kind="subspace", predicts="wide", size=2000)
    graph.add_region("far", predicts="x", context=["code.state@20000", "x@1"])
    finding = found(examine(cs.Simulation(graph)), "memory")
    assert finding.where == "region 'code'" and "20,000 ticks later" in finding.evidence
