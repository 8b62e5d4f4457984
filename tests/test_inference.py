"""Questions with the weights frozen: nothing changes, many are as good as one, and what cannot be asked is named."""

from __future__ import annotations

import numpy as np
import pytest

import cortexsim as cs
from contract.running import Recorded, hash_of, same_bits
from settling_graphs import KIND, causes, examples, layered

SIZES = (6, 5, 4, 3)


def trained(threads: int = 1, **hyper) -> tuple[cs.Simulation, dict[str, np.ndarray]]:
    """A layered network that has learned for a while."""
    inputs = examples(300, SIZES)
    sim = cs.Simulation(layered(SIZES, rate=0.2, learning_rate=0.05, **hyper), seed=3, threads=threads)
    sim.run(inputs)
    return sim, inputs


def everything(sim: cs.Simulation) -> dict[str, np.ndarray]:
    """All that a simulation holds."""
    memory = sim.memory
    found = {f"{name}.{key}": array.copy() for name in sim.plan.regions for key, array in sim.parameters(name).items()}
    for name in ("signals", "gathered", "counts", "active", "baselines", "present", "status"):
        found[name] = getattr(memory, name).copy()
    return found | {"curves": sim.curves.acc.copy()}


@pytest.mark.parametrize("threads", [1, 2])
def test_a_question_changes_nothing(threads):
    sim, inputs = trained(threads)
    other = sim.copy()
    before, tick, learned = everything(sim), sim.tick, hash_of(sim)
    sim.infer({"x": inputs["x"][:40]}, steps=25, restarts=2)
    sim.infer({"y": inputs["y"][0]}, free={"x": inputs["x"][1]})
    after = everything(sim)
    assert [name for name in before if not same_bits(before[name], after[name])] == []
    assert sim.tick == tick and hash_of(sim) == learned
    # and it goes on as if nobody had asked
    for run in (sim, other):
        run.run(inputs, trials=20)
    assert hash_of(sim) == hash_of(other)


@pytest.mark.parametrize("threads", [1, 2])
def test_many_questions_have_the_bits_of_each_alone(threads):
    sim, inputs = trained(threads)
    x = inputs["x"][:37]
    many = sim.infer({"x": x}, steps=20, restarts=2)
    assert many["y"].shape == (37, 3) and many.energy.shape == (37, 20) and many.surprise["r1"].shape == (37,)
    for k, row in enumerate(x):
        one = sim.infer({"x": row}, steps=20, restarts=2)
        assert all(same_bits(one.signals[name], many.signals[name][k]) for name in sim.plan.signals)
        assert same_bits(one.energy, many.energy[k]) and one.restart == many.restart[k]
        assert one.surprise["r2"] == many.surprise["r2"][k]


def test_a_question_of_all_that_is_known_is_a_frozen_trial():
    sim, inputs = trained()
    row = {name: values[:1] for name, values in inputs.items()}
    found = sim.infer({name: values[0] for name, values in row.items()})
    sim.freeze()
    recorded = Recorded(sim)
    sim.run(row)
    for signal in ("r1.state", "r2.state", "r2.error", "r3.error"):
        np.testing.assert_allclose(found[signal], recorded.probes[signal].values[-1], rtol=1e-5, atol=1e-6)
    # the first place alone may differ: a run is told of its target only after it has predicted


def test_a_clamped_input_gives_the_feedforward_output():
    sim, inputs = trained()
    x = inputs["x"][0].astype(float)
    for k in range(3):
        x = sim.get(f"r{k}.W").astype(float) @ np.tanh(x) + sim.get(f"r{k}.b")
    found = sim.infer({"x": inputs["x"][0]}, steps=30)
    np.testing.assert_allclose(found["y"], x, rtol=1e-4, atol=1e-5)
    assert found.energy[-1] < 1e-9


def test_a_masked_clamp_holds_what_is_known_and_frees_the_rest():
    sim, inputs = trained()
    mask = np.array([True, False, False, True, False, False])
    found = sim.infer({"x": np.ma.array(inputs["x"][0], mask=mask), "y": inputs["y"][0]}, steps=400)
    np.testing.assert_array_equal(found["x"][~mask], inputs["x"][0][~mask])
    assert (found["x"][mask] != inputs["x"][0][mask]).all() and same_bits(found["x"], found["r0.state"])
    assert found.energy[-1] < 0.2 * found.energy[0]


def test_a_pattern_to_start_from_may_move_and_a_list_keeps_the_rest_still():
    sim, _ = trained()
    start = np.linspace(-1, 1, 6).astype(np.float32)
    at_once = sim.infer({"y": np.zeros(3)}, free={"x": start}, steps=3)
    assert 0 < np.abs(at_once["x"] - start).max() < 0.5
    still = sim.infer({"x": start}, free=["r2"], steps=30)
    assert same_bits(still["r1"], sim.value("r1.state")) and same_bits(still["y"], sim.value("r3.state"))
    assert not same_bits(still["r2"], sim.value("r2.state"))


def test_restarts_keep_the_best_and_are_drawn_from_the_seed():
    graph = cs.RegionGraph()
    graph.add_source("x", size=3)
    graph.add_region("sheet", kind=KIND, predicts="x")
    # at zero the slope of relu is zero: from there no unit ever moves
    graph.add_region("parts", kind=KIND, predicts="sheet.state", size=4, activation="relu", rate=0.05)
    sim = cs.Simulation(graph, seed=1)
    sim.set("parts.W", np.eye(3, 4))
    x = {"x": [0.2, 0.4, 0.8]}
    found = [sim.infer(x, steps=300, restarts=n) for n in (1, 2, 4, 8, 16)]
    energies = [answer.energy[-1] for answer in found]
    assert energies == sorted(energies, reverse=True) and found[0].restart == 0 and not found[0]["parts"].any()
    assert energies[-1] < 1e-6 < 0.1 < energies[0]
    np.testing.assert_allclose(found[-1]["parts"][:3], x["x"], atol=1e-3)
    again, other = (sim.infer(x, steps=5, restarts=16, seed=seed) for seed in (0, 1))
    assert again.energy[-1] == sim.infer(x, steps=5, restarts=16).energy[-1] != other.energy[-1]


def test_a_region_may_be_clamped_and_lesions_hold():
    sim, inputs = trained()
    found = sim.infer({"r1": np.ones(5)}, steps=30)
    np.testing.assert_array_equal(found["r1"], np.ones(5, np.float32))
    want = sim.get("r1.W") @ np.tanh(np.ones(5)) + sim.get("r1.b")
    np.testing.assert_allclose(found["r2"], want, rtol=1e-4, atol=1e-5)
    sim.lesion("r1.prediction@0->r2:prior")
    np.testing.assert_array_equal(sim.infer({"r1": np.ones(5)}, steps=30)["r2.reconstruction"], np.zeros(4))


def test_kinds_that_only_predict_do_so_as_their_context_settles():
    graph = causes(trial=20)
    graph.add_source("label", size=2)
    graph.add_region("reader", kind="delta", predicts="label", context="low.state@1")
    sim = cs.Simulation(graph, seed=0)
    rng = np.random.default_rng(0)
    x = rng.standard_normal((200, 8)).astype(np.float32)
    sim.run({"x": x, "label": x[:, :2]})
    before = hash_of(sim)
    found = sim.infer({"x": x[0]}, steps=50)
    earlier = sim.infer({"x": x[0]}, steps=49)
    want = sim.get("reader.W") @ earlier["low"] + sim.get("reader.b")
    np.testing.assert_allclose(found["reader.prediction"], want, rtol=1e-4, atol=1e-5)
    assert np.isnan(found.energies["reader"]).all() and np.isfinite(found.energy).all()
    assert hash_of(sim) == before


def test_the_longest_stretch_of_a_trial_gives_way_and_the_spans_keep_their_length():
    graph = layered(SIZES)
    graph.set_trial(10, {"init": (1, 2), "plus": (8, 10)})
    sim = cs.Simulation(graph)
    x = {"x": np.ones(6)}
    assert sim.infer(x, steps=40).energy.shape == (40,) and sim.infer(x, steps=5).energy.shape == (5,)
    with pytest.raises(cs.InputError, match=r"infer: steps must be at least 5, for all spans of the trial .*got 4"):
        sim.infer(x, steps=4)


def test_where_settling_diverges_a_warning_names_region_and_remedy_and_the_simulation_goes_on():
    sim, inputs = trained()
    before = hash_of(sim)
    sim.set_hyper("r2", rate=6.0)
    with pytest.warns(cs.SettlingWarning, match=r"region 'r\d': diverged while settling; lower its rate \(.*\), for "):
        found = sim.infer({"x": inputs["x"][:3], "y": inputs["y"][:3]}, steps=300)
    assert np.isinf(found.energy[:, -1]).all() and found.diverged
    sim.set_hyper("r2", rate=0.2)
    assert np.isfinite(sim.infer({"x": inputs["x"][0], "y": inputs["y"][0]}, steps=300).energy).all()
    assert hash_of(sim) == before


def test_a_run_that_diverges_names_the_region_and_keeps_the_weights():
    sim, inputs = trained()
    before = {name: sim.get(f"{name}.W") for name in ("r0", "r1", "r2")}
    sim.set_hyper("*", rate=9.0, learning_rate=0.0)
    with pytest.warns(cs.RegionWarning, match=r"region 'r\d': diverged at tick \d+: .*lower its rate \(9\.0\)"):
        sim.run({name: 20 * values for name, values in inputs.items()})
    assert all(same_bits(before[name], sim.get(f"{name}.W")) for name in before)
    sim.set_hyper("*", rate=0.2, learning_rate=0.05)
    sim.restart()
    sim.run(inputs)
    assert all(sim.value(f"{name}.state").any() and np.isfinite(sim.get(f"{name}.W")).all() for name in before)


def test_a_run_in_which_energy_rises_is_warned_of_once_for_each_rate():
    sim, inputs = trained()
    sim.set_hyper("r2", rate=2.6)
    sim.freeze()
    with pytest.warns(cs.SettlingWarning, match=r"region 'r\d': free energy rose while settling, from .*; lower its"):
        sim.run(inputs)
    sim.run(inputs)
    assert [event["what"] for event in sim.curves.events].count("energy rose") == 1


def test_energy_falls_over_trials_and_is_a_curve():
    sim, _ = trained()
    energy, start = (sim.curves.curve("r3", measure) for measure in ("energy", "energy_start"))
    assert np.nanmean(energy[-20:]) < 0.7 * np.nanmean(energy[:20])
    assert np.nanmean(energy) < np.nanmean(start)


@pytest.mark.parametrize(("clamp", "options", "message"), [
    ({"z": [0.0]}, {}, r"infer: clamp names 'z', which is no source and no state; known: r0, r1, r2, r3, x, y"),
    ({"r1.stat": np.ones(5)}, {}, r"infer: clamp names 'r1.stat', but only a source's value or a region's state "),
    ({"r1.error": np.ones(5)}, {}, r"but only a source's value or a region's state can be known; try 'r1'"),
    ({"x": np.ones(5)}, {}, r"infer: clamp of 'x': must have the shape \(6,\), or \(questions, 6\) \(got \(5,\)\)"),
    ({"x": [1, 2, np.nan, 4, 5, 6]}, {}, r"infer: clamp of 'x': must be finite \(got nan\); unit 2; mask what is not"),
    ({"x": np.full((3, 6), np.inf)}, {}, r"infer: clamp of 'x': must be finite \(got inf\); unit 0 of question 0"),
    ({"x": "all"}, {}, r"infer: clamp of 'x': must be numbers"),
    ({"x": np.ones((2, 6)), "y": np.ones((3, 3))}, {}, r"clamp of 'y': brings 3 questions, others 2"),
    ({"x": np.ones((0, 6))}, {}, r"clamp of 'x': brings no question"),
    ([1], {}, r"infer: clamp must be a dict from signals to values \(got 'list'\)"),
    ({}, {"free": ["r1x"]}, r"infer: free names 'r1x', which is no source and no state; did you mean 'r1'\?"),
    ({"x": np.ones(6)}, {"free": {"x": np.ones(6)}}, r"infer: 'x' in free: is clamped, too; leave it out of one"),
    ({}, {"free": 3}, r"infer: free must be names of signals, or a dict"),
    ({}, {"steps": 0}, r"infer: steps must be a whole number of at least 1 \(got 0\)"),
    ({}, {"restarts": 1.5}, r"infer: restarts must be a whole number of at least 1 \(got 1.5\)"),
    ({}, {"spread": -1}, r"infer: spread must be a number of at least 0 \(got -1\)"),
])
def test_what_cannot_be_asked_is_named(clamp, options, message):
    sim = cs.Simulation(layered(SIZES))
    with pytest.raises(cs.InputError, match=message):
        sim.infer(clamp, **options)
    sim.infer({"x": np.ones(6)}, steps=4)


def test_a_graph_in_which_nothing_relaxes_is_refused():
    graph = cs.RegionGraph()
    graph.add_source("x", size=2)
    graph.add_region("r", kind="delta", predicts="x", context="x@1")
    with pytest.raises(cs.InputError, match="infer: nothing in this graph relaxes; give some of its regions a kind "
                                            "that settles, such as predictive_coding"):
        cs.Simulation(graph).infer({"x": [1.0, 2.0]})


def test_a_kind_that_cannot_be_set_and_a_source_that_nobody_relaxes_to_are_named():
    graph = causes()
    graph.add_source("other", size=2)
    graph.add_region("code", kind="subspace", predicts="other", size=1)
    sim = cs.Simulation(graph)
    with pytest.raises(cs.InputError, match=r"infer: clamp of 'code': is the state of a region of kind 'subspace', "
                                            r"which does not relax; states that can be set: high, low, sheet"):
        sim.infer({"code": [1.0]})
    with pytest.raises(cs.InputError, match=r"'other' in free: is the target of no region that relaxes"):
        sim.infer(free=["other"])


def test_a_region_needs_as_many_units_as_its_target_and_dense_edges():
    graph = cs.RegionGraph()
    graph.add_source("x", size=4)
    graph.add_region("r", kind=KIND, predicts="x", size=3)
    with pytest.raises(cs.KindError, match=r"region 'r': needs size= of at least that of its target, 4 \(got 3\)"):
        cs.make_plan(graph)
    graph.nodes["r"]["shape"] = (4,)
    graph.connect("x", "r", "context", delay=1, field="one_to_one")
    with pytest.raises(cs.KindError, match=r"region 'r': takes dense edges only \(got 'x.value@1->r'\); set its field"):
        cs.Simulation(graph)


def test_many_questions_show_a_progress_bar(capsys):
    sim, inputs = trained()
    sim.infer({"x": inputs["x"][:20]}, steps=10, restarts=2)
    assert capsys.readouterr().err == ""
    sim.infer({"x": inputs["x"][:20]}, steps=10, restarts=2, progress=True)
    assert "question" in capsys.readouterr().err


def test_an_answer_says_what_it_is():
    sim, inputs = trained()
    found = sim.infer({"x": inputs["x"][:2]}, steps=10)
    assert repr(found).startswith("Inference: 2 questions, 10 steps, free energy ")
    with pytest.raises(cs.InputError, match=r"inference: there is no signal 'r1.stat'; did you mean 'r1.state'\?"):
        found["r1.stat"]
