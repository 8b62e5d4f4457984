"""Copies, edited graphs and interruptions: what is carried over, and what is kept."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

import cortexsim as cs
from contract.running import Recorded, arrays_of, same_bits
from small_graphs import data, rows_of, sim, small_graph

__all__ = ["sim"]

ROOT = Path(__file__).parents[1]


# ---------------------------------------------------------------------- copies and edited graphs

def test_a_copy_follows_the_plan_that_runs_not_an_edit_of_the_graph(sim):
    sim.graph.nodes["next"]["period"] = 5
    sim.graph.add_region("more", predicts="x", context="x@1")
    twin = sim.copy()
    assert set(twin.plan.regions) == {"code", "next"}
    for run in (sim, twin):
        run.run(data(20, 5))
    assert all(same_bits(a, twin.get(name)) for name, a in arrays_of(sim).items())


def test_a_copy_takes_the_traces_of_a_learning_rate_along():
    sim = cs.Simulation(small_graph(step_size="hypergradient", meta_rate=0.1))
    sim.run(data(30))
    twin = sim.copy()
    for run in (sim, twin):
        run.run(data(30, 5))
    assert sim.learning_rates()["next"] != 0.05
    assert sim.learning_rates() == twin.learning_rates()
    assert all(same_bits(a, twin.get(name)) for name, a in arrays_of(sim).items())


def test_an_added_context_edge_keeps_the_weights_of_the_others(sim):
    old, twin = sim.get("next.W"), sim.copy()
    sim.graph.connect("x", "next", delay=1)
    plan = sim.replan()
    assert plan is sim.plan
    new = sim.get("next.W")
    edges = {edge.name: edge for edge in plan.regions["next"].shapes.context}
    at = {name: slice(edge.start, edge.stop) for name, edge in edges.items()}
    assert same_bits(new[:, at["code.state@1->next"]].copy(), old[:, :2].copy())
    assert same_bits(new[:, at["motor.value@0->next"]].copy(), old[:, 2:].copy())
    assert not new[:, at["x.value@1->next"]].any()
    # and the new edge changes nothing until it learns: signals in flight came along
    known = {"motor": [1.0, -1.0]}
    np.testing.assert_allclose(sim.predict(known)["next"], twin.predict(known)["next"], rtol=1e-6)
    assert sim.tick == 50 and sim.curves.n_ticks == 50
    assert sim.curves.acc[sim.curves.regions.index("next"), :, 0].sum() == 49
    sim.run(data(10))
    assert sim.get("next.W")[:, at["x.value@1->next"]].any()


def test_fields_keep_their_weights_too():
    graph = cs.RegionGraph()
    graph.add_source("x", shape=(3, 4))
    graph.add_region("r", predicts="x", context=["x@1", {"from": "x@2", "field": "window(3)", "name": "m"}])
    sim = cs.Simulation(graph)
    x = np.random.default_rng(0).normal(size=(40, 12)).astype(np.float32)
    sim.run({"x": x})
    weights, patch = sim.get("r.W"), sim.get("r.V")
    sim.graph.connect("x", "r", delay=3, field="one_to_one", name="a")  # sorts before the window, and so moves it
    twin = sim.copy()
    sim.replan()
    assert same_bits(sim.get("r.W"), weights)
    assert same_bits(sim.get("r.V")[12:].copy(), patch) and not sim.get("r.V")[:12].any()
    np.testing.assert_allclose(sim.predict()["r"], twin.predict()["r"], rtol=1e-5, atol=1e-6)
    sim.graph.remove_edge("x", "r", key="a")
    sim.replan()
    assert same_bits(sim.get("r.V"), patch)
    # an edge of the same size in the place of another is another edge: its weights start anew, and in their own place
    sim.graph.remove_edge("x", "r", key="m")
    sim.graph.connect("x", "r", delay=2, field="window(3)", name="z")
    sim.replan()
    assert same_bits(sim.get("r.W"), weights) and not sim.get("r.V").any()
    sim.run({"x": x})


def test_a_removed_edge_takes_only_its_own_weights(sim):
    old = sim.get("next.W")
    sim.graph.remove_edge("motor", "next", key="motor.value@0->next")
    sim.replan()
    assert same_bits(sim.get("next.W"), old[:, :2].copy())


def test_regions_come_and_go_with_events(sim):
    code = sim.get("code.W")
    probe = sim.record("next.prediction")
    graph = small_graph()
    graph.remove_node("next")
    graph.add_region("other", predicts="x", context="x@1")
    sim.replan(graph)
    assert set(sim.plan.regions) == {"code", "other"} and same_bits(sim.get("code.W"), code)
    assert [(e["what"], e["where"]) for e in sim.curves.events] == [("grown", "other"), ("removed", "next")]
    sim.run(data(5))
    assert sim.curves.regions == sim.plan.sequence and len(probe.ticks) == 0


def test_a_region_whose_arrays_no_longer_fit_starts_anew_as_a_whole(sim):
    graph = small_graph()
    graph.nodes["next"]["kind"] = "contract.fake_kinds:Readout"
    sim.replan(graph)
    fresh = cs.Simulation(graph)
    assert same_bits(sim.get("next.W"), fresh.get("next.W"))
    assert [(e["what"], e["where"], e["detail"]) for e in sim.curves.events] == [
        ("restarted", "next", "its arrays no longer fit")]


def test_a_graph_that_cannot_be_planned_leaves_the_simulation_as_it_was(sim):
    bad = small_graph()
    bad.connect("x", "next", delay=0)
    twin = sim.copy()
    with pytest.raises(cs.GraphError, match="edge 'x.value@0->next': leaks"):
        sim.replan(bad)
    for run in (sim, twin):
        run.run(data(10, 4))
    assert all(same_bits(a, twin.get(name)) for name, a in arrays_of(sim).items())


def test_replanning_an_unchanged_graph_changes_nothing():
    graph = small_graph(period=3)
    graph.set_trial(4, {"end": (3, 4)})
    graph.add_region("late", predicts={"from": "x@1", "span": "end"}, context=["code.state@6", "late.prediction@2"])
    inputs = data(12)
    whole, parts = Recorded(graph), Recorded(graph)
    whole.sim.run(inputs)
    parts.sim.run(rows_of(inputs, 0, 5))
    parts.sim.replan()
    parts.sim.run(rows_of(inputs, 5))
    assert whole.story().differences(parts.story()) == []


def test_a_copy_takes_the_list_of_active_context_units_along():
    graph = cs.RegionGraph()
    graph.add_source("bits", size=6, sparse=True)
    graph.add_region("r", predicts="bits", context="bits@1", sparse=True)
    graph.add_region("memory", kind="contract.fake_kinds:Memory", predicts="bits", context="memory.state@1")
    bits = np.eye(6, dtype=np.float32)[np.arange(30) % 6]
    whole, first = Recorded(graph), Recorded(graph)
    whole.sim.run({"bits": bits})
    first.sim.run({"bits": bits[:11]})
    second = Recorded(first.sim.copy())
    second.sim.run({"bits": bits[11:]})
    assert whole.story().differences(second.story(first)) == []


def test_a_gate_that_only_a_try_has_opened_leaves_nothing_behind_an_edge_that_holds():
    graph = cs.RegionGraph()
    graph.set_trial(3, {"first": (0, 1)})
    graph.add_source("x", size=2)
    graph.add_source("motor", size=1, known="before")
    graph.add_region("r", predicts="x", context={"from": "x@1", "span": "first"}, gate="motor@0", period=2)
    acting, trying = Recorded(graph), Recorded(graph)
    for trial, motor in enumerate([1, 1, -1, 1, 1]):
        # at tick 6 the region would be due in the span; at tick 10 it is due outside, and reads what the edge holds
        trying.sim.predict({"motor": [1.0]})
        for run in (acting, trying):
            run.sim.observe({"x": [trial, 1.0], "motor": [motor]})
    assert acting.probes["r.prediction"].values[10:].any()
    assert acting.story().differences(trying.story()) == []


# ---------------------------------------------------------------------- interruptions

def test_an_interrupt_by_an_input_keeps_everything_before_it():
    inputs, whole = data(), cs.Simulation(small_graph())
    whole.run(rows_of(inputs, 0, 20))
    sim = cs.Simulation(small_graph())

    def motor(tick: int) -> np.ndarray:
        if tick == 20:
            raise KeyboardInterrupt
        return inputs["motor"][tick]

    with pytest.raises(KeyboardInterrupt):
        sim.run({"x": inputs["x"], "motor": motor})
    assert sim.tick == sim.curves.n_ticks == 20
    assert same_bits(sim.curves.acc, whole.curves.acc)
    assert all(same_bits(a, whole.get(name)) for name, a in arrays_of(sim).items())


INTERRUPTED = """
import signal
import numpy as np
import cortexsim as cs
from small_graphs import data, small_graph
# a shell that runs the tests in the background lets them ignore it
signal.signal(signal.SIGINT, signal.default_int_handler)
sim = cs.Simulation(small_graph())
rows = data(4_000_000)
sim.run(rows, 100)
print("ready", flush=True)
try:
    # again and again: on a busy machine the signal may come late
    while True:
        sim.run(rows)
except KeyboardInterrupt:
    pass
ticks = sim.tick
times, rest = divmod(ticks - 100, 4_000_000)
assert ticks > 100 and rest > 0, ticks
twin = cs.Simulation(small_graph())
twin.run(rows, 100)
for _ in range(times):
    twin.run(rows)
twin.run(rows, rest)
assert sim.curves.n_ticks == ticks == int(sim.curves.acc[0, :, 0].sum()) + 1, (ticks, sim.curves.n_ticks)
assert np.array_equal(sim.get("next.W"), twin.get("next.W")) and np.array_equal(sim.curves.acc, twin.curves.acc)
sim.run(rows, 10)
print("kept", ticks)
"""


def test_ctrl_c_in_the_middle_of_a_run_keeps_state_and_curves_in_step(tmp_path):
    path = os.pathsep.join([str(ROOT), str(ROOT / "tests")])
    with subprocess.Popen([sys.executable, "-c", INTERRUPTED], env={**os.environ, "PYTHONPATH": path}, text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE) as child:
        assert child.stdout is not None and child.stdout.readline() == "ready\n"
        time.sleep(0.05)
        child.send_signal(signal.SIGINT)
        try:
            out, errors = child.communicate(timeout=120)
        finally:
            child.kill()
    assert child.returncode == 0, errors
    assert out.startswith("kept ")
