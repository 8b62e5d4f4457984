"""The check-up: planted faults of regions are found under their names, with a remedy; a sound graph is left alone."""

from __future__ import annotations

import json
import re
import warnings

import numpy as np
import pytest

import cortexsim as cs
from cortexsim import bookkeeping as d
from cortexsim.curves import Curves
from cortexsim.doctor import default_ticks, examine, examine_run
from cortexsim.doctor_case import skill_of
from cortexsim.errors import InputError
from cortexsim.measures import FIELDS
from cortexsim.sources import open_stream
from cortexsim.sources.arrays import Stream
from doctor_cases import N, examined, found, graph_of, names, noise, trials, waves

# --- nothing to find ---

def test_of_a_sound_graph_nothing_is_said():
    graph = graph_of(learning_rate=0.02)
    graph.add_region("code", kind="subspace", predicts="x", size=2)
    graph.add_region("later", predicts="code.state", context=["code.state@1", "code.state@2"], learning_rate=0.02)
    report = examined(graph, {"x": waves()})
    assert report.findings == [] and report.ok and report.unchecked == []
    assert [row["region"] for row in report.table] == ["code", "later", "next"]
    assert {row["verdict"] for row in report.edges} == {"used"} and len(report.edges) == 5
    assert str(report).startswith("small after 3,000 ticks: 0 problems, 0 notes\n")


def test_without_inputs_it_says_what_was_not_examined():
    sim = cs.Simulation(graph_of())
    report = examine(sim)
    assert report.ok and report.edges == [] and report.tick == 0
    assert "no inputs were given; sim.doctor(inputs)" in report.unchecked[0]
    assert any("no tick has run" in text for text in report.unchecked)


def state_of(sim: cs.Simulation) -> dict[str, bytes]:
    """Every number of a simulation that could have been changed."""
    sim.engine.flush()
    memory = sim.memory
    kept = ("store", "signals", "counts", "active", "gathered", "present", "baselines", "gradients", "status", "edges",
            "regions", "defaults", "words", "diverged", "images")
    return {**{name: getattr(memory, name).tobytes() for name in kept}, "curves": sim.curves.acc.tobytes(),
            "events": repr(sim.curves.events).encode(), "tick": repr((sim.tick, sim.position, sim.skipped)).encode()}


@pytest.mark.parametrize("step_size", ["fixed", "hypergradient", "autostep"])
def test_the_simulation_stays_as_it_is_to_the_bit(step_size):
    graph = graph_of(step_size=step_size)
    graph.add_region("echo", kind="reservoir", context="x@1", size=20)
    graph.add_region("read", kind="rls", predicts="x", context="echo.state@1")
    data = waves()
    stream = Stream({"x": data})
    sim, other = cs.Simulation(graph), cs.Simulation(graph)
    other.run({"x": data}, ticks=N)
    sim.run(stream, ticks=N // 2)
    probe = sim.record("next.prediction")
    examine(sim, stream, ticks=200)
    sim.run(stream, ticks=N // 2)
    assert len(probe.ticks) == N // 2
    before = state_of(sim)
    assert before["store"] == state_of(other)["store"], "an examination half way leaves no trace"
    report = examine(sim, stream)
    assert state_of(sim) == before and stream.position == N and report.edges
    sim.run(stream), other.run({"x": data[N:]})
    assert all(np.array_equal(sim.get(f"next.{key}"), other.get(f"next.{key}")) for key in sim.parameters("next"))
    assert np.array_equal(sim.curves.acc, other.curves.acc, equal_nan=True)


def test_a_graph_without_sources_needs_no_inputs():
    graph = cs.RegionGraph()
    graph.add_region("echo", kind="reservoir", context="echo.state@1", size=20, radius=1.2, bias_scale=1.0)
    graph.add_region("next", kind="rls", predicts="echo.state", context="echo.state@1")
    sim = cs.Simulation(graph)
    sim.run(ticks=1000)
    assert {row["edge"] for row in examine(sim).edges} == {"echo.state@1->echo", "echo.state@1->next"}


def test_inputs_that_can_be_read_once_are_refused():
    sim = cs.Simulation(graph_of())
    for inputs in ({"x": iter(waves())}, {"x": lambda tick: [0] * 4}, iter([{"x": [0] * 4}])):
        with pytest.raises(InputError, match="read twice"):
            examine(sim, inputs)
    with pytest.raises(InputError, match="ticks must be a whole number"):
        examine(sim, {"x": waves()}, ticks=0)
    assert "hold only 5 more rows" in examine(sim, {"x": waves(5)}).unchecked[0]


# --- skill ---

def test_a_region_no_better_than_the_running_mean():
    report = examined(graph_of(learning_rate=0.001), {"x": noise()})
    finding = found(report, "no better than the running mean", "'next'")
    assert finding.severity == "problem" and not report.ok
    assert re.match(r"skill [+-]0\.0\d+ \+- 0\.0\d+ over its last 3\d\d scored ticks", finding.evidence)
    assert "other context" in finding.remedy and "x.value@1" in finding.remedy
    assert abs(finding.numbers["skill"]) < 3 * finding.numbers["noise"] + 0.01


def test_a_region_that_is_worse_than_a_constant_is_told_to_take_smaller_steps():
    finding = found(examined(graph_of(learning_rate=1.0), {"x": noise()}), "no better than the running mean")
    assert "learning_rate = 0.25 (now 1)" in finding.remedy


def test_a_region_that_was_better_before_is_told_so():
    data = np.concatenate([waves(N // 2, noise=0.1), noise(2 * N)])
    finding = found(examined(graph_of(learning_rate=0.02), {"x": data}), "no better than the running mean")
    assert "it was better before" in finding.remedy and "hypergradient" in finding.remedy


def test_a_small_skill_is_held_against_its_noise():
    rng, fields = np.random.default_rng(1), len(FIELDS)
    base = rng.gamma(1.0, size=200)
    sums = np.zeros((200, fields))
    ticks, loss, mean = (FIELDS.index(name) for name in ("ticks", "loss", "loss_mean"))
    sums[:, ticks], sums[:, mean] = 1, base
    sums[:, loss] = 0.99 * base
    exact = skill_of(sums, mean)
    assert exact.value == pytest.approx(0.01) and exact.noise < 1e-9 and exact.beats()
    tries = []
    for _ in range(400):
        sums[:, loss] = 0.999 * base + 0.2 * rng.normal(size=200)
        tries.append(skill_of(sums, mean))
    values, noises = np.array([each.value for each in tries]), np.array([each.noise for each in tries])
    assert noises.mean() == pytest.approx(values.std(), rel=0.1)
    assert np.mean([each.beats() for each in tries]) < 0.08, "by chance one in 30 is above two standard errors"
    assert np.isnan(skill_of(sums[:0], mean).value)


def test_a_region_worse_than_the_last_value():
    rng = np.random.default_rng(3)
    slow = np.cumsum(rng.normal(size=(2 * N, 1)), axis=0).astype(np.float32)
    slow = np.sin(slow / 20)
    graph = cs.RegionGraph()
    graph.add_source("slow", size=1)
    graph.add_source("hint", size=1)
    graph.add_region("guess", predicts="slow", context="hint@1", learning_rate=0.02)
    report = examined(graph, {"slow": slow, "hint": slow + 0.5 * rng.normal(size=slow.shape).astype(np.float32)})
    finding = found(report, "worse than the last value")
    assert finding.severity == "note" and finding.remedy == "tell it what came last: context slow.value@1"


# --- units ---

def test_dead_units_are_named():
    graph = graph_of(learning_rate=0.02)
    graph.add_region("code", kind="subspace", predicts="x", size=4)

    def kill(sim):
        weights = sim.get("code.W")
        weights[[1, 3]] = 0
        sim.set("code.W", weights)

    finding = found(examined(graph, {"x": waves()}, change=kill), "dead units", "'code'")
    assert finding.numbers["units"] == [1, 3] and "2 of 4 units of its state" in finding.evidence
    assert finding.severity == "note" and "size = 2 (now 4)" in finding.remedy


def test_a_region_that_is_mostly_dead_is_seen_on_its_curve():
    graph = graph_of()
    graph.add_region("code", kind="subspace", predicts="x", size=4)
    sim = cs.Simulation(graph)
    sim.set("code.W", np.eye(4, dtype=np.float32) * [[0], [0], [0], [1]])
    sim.run({"x": waves()}, ticks=N)
    finding = found(examine(sim), "dead units")
    assert finding.severity == "problem" and finding.numbers["dead"] == pytest.approx(0.75)


def test_a_saturated_reservoir():
    graph = cs.RegionGraph()
    graph.add_source("x", size=4)
    graph.add_region("next", kind="reservoir", predicts="x", context="x@1", size=40, leak=1.0,
                     input_scale=100.0)
    report = examined(graph, {"x": waves()})
    finding = next(finding for finding in report.findings if finding.what == "saturated units")
    assert finding.severity == "problem" and "input_scale = 25 (now 100)" in finding.remedy


def test_saturated_outputs_that_are_wrong():
    graph = graph_of(output="sigmoid", normalise=False, learning_rate=2.0)
    coins = (np.random.default_rng(0).random((2 * N, 4)) < 0.5).astype(np.float32)

    def stuck(sim):
        sim.set("next.b", np.full(4, 50, np.float32))

    finding = found(examined(graph, {"x": 10 * coins}, change=stuck), "saturated units")
    assert "4 of 4 units of its prediction" in finding.evidence and finding.severity == "problem"


def test_outputs_that_are_saturated_and_right_are_no_fault():
    pattern = np.tile(np.eye(4, dtype=np.float32), (2 * N // 4, 1))
    report = examined(graph_of(output="sigmoid", learning_rate=2.0, normalise=False), {"x": pattern})
    assert report.table[0]["saturated"] > 0.5 and "saturated units" not in names(report)


# --- learning ---

def test_a_region_that_never_learns():
    report = examined(graph_of(learning_rate=0.0), {"x": waves()})
    finding = found(report, "not learning")
    assert "W, b" in finding.evidence and finding.remedy == "learning_rate = 0.05 (now 0)"
    assert names(report) == ["not learning", "rate at its bound"] and not report.ok


def test_a_region_whose_inputs_are_cut_never_learns():
    graph = graph_of(bias=False)
    graph.lesion("x->next")
    graph.restore("x.value@0->next:target")
    finding = found(examined(graph, {"x": waves()}), "not learning")
    assert "sim.restore('x.value@1->next')" in finding.remedy


def test_weights_that_are_not_finite():
    def spoil(sim):
        sim.parameters("next")["W"][0, 1] = np.nan

    sim = cs.Simulation(graph_of())
    sim.run({"x": waves()}, ticks=N)
    spoil(sim)
    finding = found(examine(sim), "not finite")
    assert finding.numbers == {"arrays": ["W"], "count": 1} and "sim.restart('next')" in finding.remedy


def test_a_region_that_diverged():
    report = examined(graph_of(normalise=False, learning_rate=2.0), {"x": 100 * waves()})
    finding = found(report, "diverged")
    assert finding.severity == "problem" and "on_divergence = 'stop'" in finding.evidence
    assert "learning_rate = 0.5 (now 2)" in finding.remedy and "normalise = true" in finding.remedy
    assert "no better than the running mean" not in names(report), "what follows from it is not told as well"


def test_a_frozen_region_is_a_note():
    report = examined(graph_of(), {"x": waves()}, change=lambda sim: sim.freeze("next"))
    assert found(report, "frozen").severity == "note" and report.ok


@pytest.mark.parametrize(("hyper", "what", "evidence"), [
    ({"learning_rate": 2.0}, "rate at its bound", "learning_rate = 2 is the highest"),
    ({"floor": 1e-9}, "constant at its bound", "floor = 1e-09 is the lowest"),
])
def test_constants_at_the_end_of_their_range(hyper, what, evidence):
    assert found(examined(graph_of(**hyper), {"x": waves()}), what).evidence.startswith(evidence)


def test_constants_whose_default_is_a_bound_are_not_told_of():
    graph = cs.RegionGraph()
    graph.add_source("x", size=4)
    graph.add_region("next", kind="rls", predicts="x", context=["x@1", "x@2"])
    assert names(examined(graph, {"x": waves()})) == []


@pytest.mark.parametrize(("rule", "severity", "rate", "words"), [
    ("hypergradient", "problem", 1e-6, "hypergradient rate has come to 1e-06, the lowest"),
    ("hypergradient", "problem", 2.0, "hypergradient rate has come to 2, the highest"),
    ("decayed", "note", 1e-6, "decayed rate has come to 1e-06, the lowest"),
])
def test_a_rate_that_changes_and_came_to_its_bound(rule, severity, rate, words):
    def move(sim):
        sim.memory.reals[sim.memory.regions[sim.memory.row["next"], d.RATE]] = rate

    report = examined(graph_of(step_size=rule, learning_rate=0.02), {"x": waves()}, change=move)
    finding = found(report, "rate at its bound")
    assert finding.severity == severity and words in finding.evidence


def test_rates_of_weights_at_their_bound():
    def high(sim):
        sim.parameters("next")["W_rate"][0] = 1e12

    finding = found(examined(graph_of(step_size="idbd", learning_rate=0.01), {"x": waves()}, change=high),
                    "rate at its bound")
    assert finding.numbers["high"] == pytest.approx(12 / 52) and "autostep" in finding.remedy


# --- graphs that are sound ---

@pytest.mark.slow
@pytest.mark.parametrize(("name", "expected"), [
    ("glimpses", {("unused edge", "edge 'saccade.value@0->surround-next'")}),
    ("rao_ballard", set()),
    ("reservoir", set()),
    ("sequence_memory", {("region full", "region 'memory'")}),
])
def test_ready_made_graphs_are_told_nothing_that_is_not_so(name, expected):
    graph = cs.load(name)
    stream = open_stream({key: value for key, value in graph.graph["stream"].items() if key != "ticks"}, 0)
    sim = cs.Simulation(graph, seed=0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        sim.run(stream, ticks=19_980)
    report = examine(sim, stream)
    assert {(finding.what, finding.where) for finding in report.findings} == expected and report.ok


# --- what is left of a run; the report ---

def test_a_run_without_its_weights_is_examined_as_far_as_its_curves_tell(tmp_path):
    sim = cs.Simulation(graph_of(learning_rate=1.0, floor=1e-9))
    sim.run({"x": noise()}, ticks=N)
    sim.curves.to_npz(tmp_path / "curves.npz")
    report = examine_run(sim.graph, Curves.from_npz(tmp_path / "curves.npz"),
                         {"regions": {"next": {"rate": 1.0, "share": 1.0}}})
    assert names(report) == ["constant at its bound", "no better than the running mean"]
    assert "--checkpoint-every N" in report.unchecked[0] and report.table[0]["share"] == 1.0
    assert report.table[0]["skill"] == examine(sim).table[0]["skill"]
    assert examine_run(sim.graph, sim.curves, {}).table[0]["share"] is None


def test_a_report_is_plain_values_for_json():
    report = examined(graph_of(learning_rate=1.0), {"x": noise()}, ticks=1000)
    told = json.loads(json.dumps(report.to_dict(), allow_nan=False))
    assert told["ok"] is False and told["tick"] == 1000 and told["findings"][0]["severity"] == "problem"
    assert {row["edge"] for row in told["edges"]} == {f"x.value@{k}->next" for k in (1, 2, 3)}
    lines = str(report).splitlines()
    assert lines[0].startswith("small after 1,000 ticks: 1 problem,") and max(map(len, lines)) <= 120
    assert "  region 'next': no better than the running mean" in lines


def test_edges_are_silenced_for_long_enough():
    graph = graph_of(context=["x@1", "x@300"])
    assert default_ticks(cs.Simulation(graph).plan) == 1200
    assert default_ticks(cs.Simulation(trials()).plan) == 512
    assert examined(graph_of(learning_rate=0.02), {"x": waves()}, trial_ticks=64).findings == []
