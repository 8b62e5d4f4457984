"""Simulations as a user meets them: every public method, and the message of every error."""

from __future__ import annotations

import networkx as nx
import numpy as np
import pytest

import cortexsim as cs
from contract.running import arrays_of, same_bits
from cortexsim.sources.arrays import Stream
from small_graphs import data, rows_of, sim, small_graph

__all__ = ["sim"]


# ---------------------------------------------------------------------- run

def test_run_takes_arrays_iterators_callables_dicts_and_streams_with_the_same_result():
    inputs, whole = data(), cs.Simulation(small_graph())
    curves = whole.run(inputs)
    assert curves is whole.curves and whole.tick == curves.n_ticks == 50
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


def test_what_was_learned_is_there_for_whoever_looks_during_a_run():
    inputs, seen, frozen = data(), [], []
    slow = cs.Simulation(small_graph())
    for t in range(12):
        frozen.append({name: array.copy() for name, array in arrays_of(slow, learned_only=True).items()})
        slow.observe({name: values[t] for name, values in inputs.items()})
    sim = cs.Simulation(small_graph())

    def act(tick: int) -> np.ndarray:
        seen.append(arrays_of(sim if tick % 2 else sim.copy(), learned_only=True))
        return inputs["motor"][tick]

    sim.run({"x": inputs["x"], "motor": act}, 12)
    assert len(seen) == 12 and any(array.any() for array in seen[-1].values())
    for tick, (there, expected) in enumerate(zip(seen, frozen, strict=True)):
        assert all(same_bits(array, expected[name]) for name, array in there.items()), tick


def test_live_arrays_hold_what_every_run_and_every_tick_learned():
    inputs, sim, twin = data(), cs.Simulation(small_graph()), cs.Simulation(small_graph())
    live = sim.parameters("next")["W"]
    for t in range(6):
        row = {name: values[t] for name, values in inputs.items()}
        sim.observe(row)
        twin.observe(row)
        assert same_bits(live, twin.get("next.W")), t
    sim.run(rows_of(inputs, 6, 20))
    twin.run(rows_of(inputs, 6, 20))
    assert same_bits(live, twin.get("next.W"))


def test_a_large_graph_answers_ctrl_c_after_every_block():
    sim = cs.Simulation(small_graph())
    sim._seconds_per_tick = 0.3
    assert sim._call_length() == sim.plan.block
    sim._seconds_per_tick = 1e-6
    assert sim._call_length() == 50_000


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
    (lambda s: s.predict({"motor": [0, 0]}, ahead=3), "source 'x': nobody imagines it; give its samples in known=, or"),
    (lambda s: s.observe({"x": np.zeros(4)}), "observe: needs a sample for source 'motor'; None if it delivers"),
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


def test_reset_forgets_that_what_is_in_flight_was_ever_delivered():
    graph = cs.RegionGraph()
    graph.add_source("x", size=2)
    graph.add_region("r", predicts="x@2", context="x@3")
    sim = cs.Simulation(graph)
    learned = sim.curves.acc[0, :, 7]
    sim.run({"x": np.ones((6, 2))})
    assert learned.sum() == 4  # from the third tick on it has a target
    sim.reset()
    sim.run({"x": np.ones((6, 2))})
    assert learned.sum() == 8


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
