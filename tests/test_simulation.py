"""Simulations as a user meets them: every public method, and the message of every error."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import networkx as nx
import numpy as np
import pytest

import cortexsim as cs
from contract.running import Recorded, arrays_of, same_bits

ROOT = Path(__file__).parents[1]


def small_graph(**hyper) -> cs.RegionGraph:
    """A code of x, and a region that predicts the next code from this one and a motor command."""
    graph = cs.RegionGraph(name="small")
    graph.add_source("x", size=4)
    graph.add_source("motor", size=2, known="before")
    graph.add_region("code", kind="subspace", predicts="x", size=2)
    graph.add_region("next", predicts="code.state", context=["code.state@1", "motor"], **hyper)
    return graph


def data(rows: int = 50, seed: int = 0) -> dict[str, np.ndarray]:
    """Values for the small graph."""
    rng = np.random.default_rng(seed)
    return {"x": rng.normal(size=(rows, 4)).astype(np.float32), "motor": rng.normal(size=(rows, 2)).astype(np.float32)}


def rows_of(inputs: dict[str, np.ndarray], first: int, last: int | None = None) -> dict[str, np.ndarray]:
    """Some rows of the data."""
    return {name: values[first:last] for name, values in inputs.items()}


@pytest.fixture
def sim() -> cs.Simulation:
    """The small graph after 50 ticks."""
    sim = cs.Simulation(small_graph())
    sim.run(data())
    return sim


# ---------------------------------------------------------------------- run

def test_run_takes_arrays_iterators_callables_dicts_and_streams_with_the_same_result():
    inputs, whole = data(), cs.Simulation(small_graph())
    curves = whole.run(inputs)
    assert curves is whole.curves and whole.tick == curves.n_ticks == 50
    from cortexsim.sources.arrays import Stream

    ways = {
        "iterators": ({name: iter(values) for name, values in inputs.items()}, 50),
        "callables": ({name: (lambda t, v=values: v[t]) for name, values in inputs.items()}, 50),
        "one of each": ({"x": inputs["x"], "motor": lambda t: inputs["motor"][t]}, None),
        "dicts": ([rows_of(inputs, t, t + 1) | {n: v[t] for n, v in inputs.items()} for t in range(50)], None),
        "stream": (Stream(inputs), None),
    }
    for way, (given, ticks) in ways.items():
        sim = cs.Simulation(small_graph())
        sim.run(given, ticks)
        assert sim.tick == 50, way
        assert all(same_bits(a, sim.get(name)) for name, a in arrays_of(whole).items()), way


def test_a_callable_sees_the_simulation_of_the_tick_before():
    sim, seen = cs.Simulation(small_graph()), []

    def act(tick: int) -> np.ndarray:
        seen.append((tick, sim.tick, float(sim.value("next.prediction")[0])))
        return np.ones(2)

    sim.run({"x": data()["x"], "motor": act}, 10)
    assert [(t, now) for t, now, _ in seen] == [(t, t) for t in range(10)]
    assert len({value for *_, value in seen[5:]}) == 5


def test_run_stops_where_the_data_ends():
    sim = cs.Simulation(small_graph())
    sim.run(data(7))
    assert sim.tick == 7
    with pytest.raises(cs.InputError, match="run: the data ended at tick 12, 3 ticks too soon; all ticks before it"):
        sim.run(data(5), 8)
    assert sim.tick == 12
    sim.run(data(5), 0)
    assert sim.tick == 12


@pytest.mark.parametrize(("given", "options", "message"), [
    ({"x": np.zeros((5, 4))}, {}, "run: source 'motor' gets no data; add 'motor' to the inputs"),
    ({**data(5), "X": [1]}, {}, "run: no source is called 'X'; did you mean 'x'"),
    ({**data(5), "x": np.zeros((5, 3))}, {}, r"run: source 'x', port 'value': needs an array of shape \[ticks, 4\] "
                                             r"\(got \(5, 3\)\)"),
    ({**data(5), "x": np.zeros((6, 4))}, {}, "arrays must have the same number of ticks"),
    (data(5), {"ticks": -1}, r"run: ticks must be a whole number of at least 0 \(got -1\)"),
    (data(5), {"ticks": 2.5}, r"run: ticks must be a whole number of at least 0 \(got 2.5\)"),
    (data(5), {"trials": 2}, r"run: the graph has no trials \(got 2\); use ticks=, or graph.set_trial\(length\)"),
    ({"x": lambda t: np.zeros(4), "motor": lambda t: np.zeros(2)}, {},
     "run: needs ticks=, since the data does not say how long it is"),
    (3, {}, "run: inputs must be a dict of source name"),
])
def test_run_refuses_what_does_not_fit(given, options, message):
    with pytest.raises(cs.InputError, match=message):
        cs.Simulation(small_graph()).run(given, **options)


def test_runs_with_trials_count_trials():
    graph = small_graph()
    graph.set_trial(5)
    sim = cs.Simulation(graph)
    sim.run(data(6), trials=2)
    assert sim.tick == 10
    sim.run(rows_of(data(6), 2))
    assert sim.tick == 30
    with pytest.raises(cs.InputError, match=r"run: ticks must be a multiple of the trial's 5 \(got 7\); use trials="):
        sim.run(data(6), 7)
    with pytest.raises(cs.InputError, match=r"run: takes ticks= or trials=, not both \(got \(5, 1\)\)"):
        sim.run(data(6), 5, trials=1)
    # the inputs advance once a trial
    probe = sim.record("x")
    sim.run(data(6), trials=2)
    assert same_bits(probe.values, np.repeat(data(6)["x"][:2], 5, axis=0))


@pytest.mark.parametrize(("options", "message"), [
    ({"seed": -1}, r"Simulation: seed must be a whole number of at least 0 \(got -1\)"),
    ({"threads": 0}, r"Simulation: threads must be a whole number of at least 1 \(got 0\)"),
    ({"on_bad": "ignore"}, r"Simulation: on_bad must be 'stop' or 'skip' \(got 'ignore'\)"),
    ({"longest_block": 0}, r"Simulation: longest_block must be a whole number of at least 1 \(got 0\)"),
    ({"bins": 3}, r"curves: bins must be even and at least 2 \(got 3\)"),
])
def test_options_are_checked(options, message):
    with pytest.raises(cs.InputError, match=message):
        cs.Simulation(small_graph(), **options)


def test_any_networkx_graph_with_the_right_attributes_runs():
    plain = nx.MultiDiGraph(small_graph())
    sim = cs.Simulation(plain)
    sim.run(data())
    assert repr(sim) == "Simulation('small': 2 regions, tick 50, seed 0)"


def test_a_simulation_keeps_its_own_copy_of_the_graph():
    graph = small_graph()
    sim = cs.Simulation(graph)
    graph.remove_node("next")
    graph.nodes["code"]["hyper"]["learning_rate"] = 0.0
    sim.run(data())
    assert "next" in sim.plan.regions and sim.hyper("code")["learning_rate"] == 0.5


# ---------------------------------------------------------------------- one tick at a time

def test_step_is_predict_and_observe(sim):
    twin, row = sim.copy(), {name: values[0] for name, values in data(1, 9).items()}
    said = sim.step(row)
    assert same_bits(said["next"], twin.predict({"motor": row["motor"]})["next"]) and said["next"].shape == (2,)
    assert set(said) == {"next"}
    twin.observe(row)
    assert sim.tick == twin.tick == 51
    assert all(same_bits(a, twin.get(name)) for name, a in arrays_of(sim).items())
    assert same_bits(sim.value("next.prediction"), said["next"])


def test_trying_two_actions_is_safe_and_tells_them_apart(sim):
    before = arrays_of(sim)
    one, two = (sim.predict({"motor": motor})["next"] for motor in ([1.0, 0.0], [0.0, 1.0]))
    assert not same_bits(one, two)
    assert same_bits(one, sim.predict({"motor": [1.0, 0.0]})["next"])
    assert all(same_bits(a, sim.get(name)) for name, a in before.items()) and sim.tick == 50


@pytest.mark.parametrize(("call", "message"), [
    (lambda s: s.predict({"x": np.zeros(4)}), "source 'x': is not known before the outcome; leave it out of predict"),
    (lambda s: s.predict({"moter": [0, 0]}), "predict: there is no source 'moter'; did you mean 'motor'"),
    (lambda s: s.predict({"motor": [0, np.nan]}), "source 'motor', port 'value': is not finite at tick 50"),
    (lambda s: s.predict(ahead=0), r"predict: ahead must be a whole number of at least 1 \(got 0\)"),
    (lambda s: s.predict({"motor": [0, 0]}, ahead=3), "source 'x': nobody imagines it; give its samples in known=, or declare"),
    (lambda s: s.observe({"x": np.zeros(4)}), "observe: needs a sample for source 'motor'; None if it delivers nothing"),
    (lambda s: s.observe({"x": np.zeros(3), "motor": None}), r"source 'x', port 'value': tick 50: needs a sample of "
                                                             r"shape \[4\] \(got \(3,\)\)"),
    (lambda s: s.observe({"x": [np.inf] * 4, "motor": None}), r"source 'x', port 'value': is not finite at tick 50, "
                                                              r"component 0 \(read by code\) \(got inf\)"),
    (lambda s: s.imagine(0), r"imagine: ticks must be a whole number of at least 1 \(got 0\)"),
    (lambda s: s.imagine(5, {"motor": np.zeros((3, 2))}), r"imagine: needs 5 rows for source 'motor' \(got 3\)"),
    (lambda s: s.imagine(5, {"y": 0}), "imagine: there is no source 'y'"),
    (lambda s: s.freeze("nex"), "simulation: there is no region 'nex'; did you mean 'next'"),
    (lambda s: s.lesion("motor->nex"), "edge 'motor->nex': matches no edge of the graph; did you mean 'motor->next'"),
    (lambda s: s.record("code.stat"), "record: there is no signal 'code.stat'; did you mean 'code.state'"),
    (lambda s: s.record("code.state", every=0), r"record: every must be a whole number of at least 1 \(got 0\)"),
    (lambda s: s.value("code.stat"), "value: there is no signal 'code.stat'; did you mean 'code.state'"),
    (lambda s: s.get("cod.W"), "parameters: there is no region 'cod'; did you mean 'code'"),
    (lambda s: s.get("code.X"), "region 'code': has no array 'X'; "),
    (lambda s: s.set("code.W", [1.0]), r"array 'code.W': must have the shape \(2, 4\) \(got \(1,\)\)"),
    (lambda s: s.set("code.W", np.full((2, 4), np.nan)), "array 'code.W': must be finite; it holds NaN or infinity"),
])
def test_what_does_not_fit_is_refused_and_changes_nothing(sim, call, message):
    before = arrays_of(sim)
    with pytest.raises((cs.InputError, cs.GraphError), match=message):
        call(sim)
    assert sim.tick == 50 and all(same_bits(a, sim.get(name)) for name, a in before.items())


@pytest.mark.parametrize(("values", "message"), [
    ({"learning_rat": 1.0}, "region 'next': kind 'delta' has no hyperparameter 'learning_rat'; did you mean "
                            "'learning_rate'"),
    ({"learning_rate": 3.0}, r"region 'next': learning_rate must be a number in \[0, 2\] \(got 3.0\); the default"),
    ({"output": "softmax"}, "region 'next': output cannot change during a run; edit sim.graph and call sim.replan"),
    ({"decay": 0.5, "normalise": 2}, r"region 'next': normalise must be true or false \(got 2\)"),
])
def test_hyperparameters_are_checked_and_none_is_set_where_one_is_wrong(sim, values, message):
    before = sim.hyper("next")
    with pytest.raises((cs.GraphError, cs.KindError), match=message):
        sim.set_hyper("next", **values)
    assert sim.hyper("next") == before == sim.copy().hyper("next")


# ---------------------------------------------------------------------- changing it

def test_freeze_and_unfreeze_by_wildcard(sim):
    assert sim.freeze("ne*") == ["next"]
    frozen = sim.get("next.W")
    sim.run(data())
    assert same_bits(frozen, sim.get("next.W"))
    assert sim.unfreeze() == ["code", "next"]
    sim.run(data())
    assert not same_bits(frozen, sim.get("next.W"))
    assert [(e["what"], e["where"], e["tick"]) for e in sim.curves.events] == [
        ("freeze", "next", 50), ("unfreeze", "code", 100), ("unfreeze", "next", 100)]


def test_a_lesion_delivers_zeros_until_it_is_restored(sim):
    twin = sim.copy()
    assert sim.lesion("motor->*") == ["motor.value@0->next"]
    silent = {"motor": [1.0, 2.0]}
    assert same_bits(sim.predict(silent)["next"], twin.predict({})["next"])
    assert not same_bits(sim.predict(silent)["next"], twin.predict(silent)["next"])
    assert sim.restore("motor->next") == ["motor.value@0->next"]
    assert same_bits(sim.predict(silent)["next"], twin.predict(silent)["next"])
    assert [(e["what"], e["where"]) for e in sim.curves.events] == [("lesion", "motor.value@0->next"),
                                                                    ("restore", "motor.value@0->next")]


def test_a_lesion_of_a_copy_leaves_the_original_whole(sim):
    twin = sim.copy()
    twin.lesion("motor->next")
    twin.set_hyper("next", learning_rate=0.5)
    third = sim.copy()
    assert not sim.graph.edges["motor", "next", "motor.value@0->next"]["lesioned"]
    known = {"motor": [1.0, 2.0]}
    assert same_bits(third.predict(known)["next"], sim.predict(known)["next"])
    assert sim.hyper("next")["learning_rate"] == third.hyper("next")["learning_rate"] == 0.05


def test_set_hyper_takes_effect_at_the_next_tick(sim):
    sim.set_hyper("*", learning_rate=0.0)
    before = sim.get("next.W")
    sim.run(data())
    assert same_bits(before, sim.get("next.W"))
    assert sim.hyper("next")["learning_rate"] == 0.0 == sim.graph.nodes["next"]["hyper"]["learning_rate"]
    assert [e["detail"] for e in sim.curves.events] == ["learning_rate = 0.0"] * 2


def test_reset_clears_activity_and_keeps_what_was_learned_and_the_curves(sim):
    learned, ticks = sim.get("next.W"), sim.curves.acc[:, :, 0].sum()
    sim.reset()
    assert same_bits(sim.get("next.W"), learned) and sim.curves.acc[:, :, 0].sum() == ticks
    assert not sim.value("code.state").any()
    # nothing of the past reaches the next prediction: only the constant speaks
    assert same_bits(sim.predict()["next"], sim.get("next.b"))
    assert sim.curves.events[-1]["what"] == "reset"
    assert sim.tick == 50


def test_reset_clears_what_an_edge_held_outside_its_span():
    graph = cs.RegionGraph()
    graph.set_trial(3, {"end": (2, 3)})
    graph.add_source("x", size=2)
    graph.add_region("r", predicts={"from": "x", "span": "end", "outside": "hold"}, context="x@1")
    sim = cs.Simulation(graph)
    learned = sim.curves.acc[0, :, 7]
    sim.run({"x": np.ones((4, 2))})
    assert learned.sum() == 10  # from the end of the first trial on
    sim.reset()
    sim.run({"x": np.ones((1, 2))})
    assert learned.sum() == 11


def test_parameters_are_live_get_is_a_copy_and_set_is_checked(sim):
    kept = sim.get("next.b")
    sim.parameters("next")["b"][:] = 7
    assert (sim.get("next.b") == 7).all() and not (kept == 7).all()
    sim.set("next.W", np.zeros((2, 4)))
    sim.set("next.b", [1, 2])
    assert sim.predict()["next"].tolist() == [1, 2]


# ---------------------------------------------------------------------- recording

def test_probes_record_from_now_on_and_grow(sim):
    every, third = sim.record("code.state"), sim.record("next.prediction", every=3)
    source, same = sim.record("x", every=7), sim.record("code.state", every=2)
    inputs = data(40, 3)
    sim.run(rows_of(inputs, 0, 25))
    sim.run(rows_of(inputs, 25))
    assert every.ticks.tolist() == list(range(50, 90)) and every.values.shape == (40, 2)
    assert third.ticks.tolist() == [t for t in range(50, 90) if t % 3 == 0]
    assert source.ticks.tolist() == [56, 63, 70, 77, 84]
    assert same_bits(source.values, inputs["x"][source.ticks - 50])
    assert same_bits(same.values, every.values[::2])
    assert same_bits(every.values[-1], sim.value("code.state"))
    assert repr(source) == "Probe('x.value', every 7, 5 samples)"


def test_a_probe_of_a_region_that_is_not_due_sees_what_it_holds():
    graph = small_graph(period=4)
    sim = cs.Simulation(graph)
    probe = sim.record("next.prediction")
    sim.run(data(16))
    values = probe.values.reshape(4, 4, 2)
    assert same_bits(values, np.repeat(values[:, :1], 4, axis=1))


def test_time_shares_add_up(sim):
    assert sum(sim.time_shares().values()) == pytest.approx(1.0)
    assert set(cs.Simulation(small_graph()).time_shares()) == {"code", "next"}


# ---------------------------------------------------------------------- imagination

def closed_loop() -> cs.Simulation:
    """A rotation learned from its own past, closed on itself."""
    graph = cs.RegionGraph()
    graph.add_source("x", size=2, imagined_by="next")
    graph.add_region("next", predicts="x", context=["x@1", "x@2"], learning_rate=1.0, bias=False)
    sim = cs.Simulation(graph)
    angles = np.arange(400) * 0.3
    sim.run({"x": np.stack([np.cos(angles), np.sin(angles)], axis=1)})
    return sim


def test_imagine_runs_on_its_own_predictions_and_leaves_the_simulation_alone():
    sim = closed_loop()
    before, curve = arrays_of(sim), sim.curves.acc.copy()
    found = sim.imagine(50)
    angles = np.arange(400, 450) * 0.3
    np.testing.assert_allclose(found["x.value"], np.stack([np.cos(angles), np.sin(angles)], axis=1), atol=0.05)
    assert same_bits(found["x.value"], found["next.prediction"])
    assert sim.tick == 400 and same_bits(curve, sim.curves.acc)
    assert all(same_bits(a, sim.get(name)) for name, a in before.items())
    given = np.zeros((50, 2), np.float32)
    assert same_bits(sim.imagine(50, {"x": given})["x.value"], given)


def test_predict_ahead_is_what_imagination_comes_to():
    sim = closed_loop()
    found = sim.imagine(10)["next.prediction"]
    for ahead in (1, 2, 10):
        assert same_bits(sim.predict(ahead=ahead)["next"], found[ahead - 1])


def test_predict_ahead_takes_a_plan_of_commands():
    graph = small_graph()
    graph.nodes["x"]["imagined_by"] = "dream"
    graph.add_region("dream", predicts="x", context=["x@1", "motor"])
    sim = cs.Simulation(graph)
    sim.run(data())
    plans = np.random.default_rng(0).normal(size=(2, 3, 2)).astype(np.float32)
    said = [sim.predict({"motor": plan}, ahead=3)["dream"] for plan in plans]
    assert not same_bits(*said)
    twin = sim.copy()
    twin.freeze()
    for row in plans[0][:2]:
        twin.observe({"x": twin.predict({"motor": row})["dream"], "motor": row})
    assert same_bits(twin.predict({"motor": plans[0][2]})["dream"], said[0])


# ---------------------------------------------------------------------- copies and edited graphs

def test_a_copy_follows_the_plan_that_runs_not_an_edit_of_the_graph(sim):
    sim.graph.nodes["next"]["period"] = 5
    sim.graph.add_region("more", predicts="x", context="x@1")
    twin = sim.copy()
    assert set(twin.plan.regions) == {"code", "next"}
    for run in (sim, twin):
        run.run(data(20, 5))
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
import numpy as np, sys
import cortexsim as cs
from test_simulation import data, small_graph
sim = cs.Simulation(small_graph())
rows = data(4_000_000)
sim.run(rows, 100)
print("ready", flush=True)
try:
    sim.run(rows)
except KeyboardInterrupt:
    pass
ticks = sim.tick
assert 100 < ticks < 4_000_000, ticks
twin = cs.Simulation(small_graph())
twin.run(rows, 100)
twin.run(rows, ticks - 100)
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
        time.sleep(0.3)
        child.send_signal(signal.SIGINT)
        out, errors = child.communicate(timeout=120)
    assert child.returncode == 0, errors
    assert out.startswith("kept ")
