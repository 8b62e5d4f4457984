"""Every shape that the contract must carry runs, does what it should on a tiny problem, and matches the reference."""

from __future__ import annotations

import networkx as nx
import numpy as np
import pytest

import cortexsim as cs
import reference
from contract.fake_kinds import FAKES, Hidden, Leaky, Memory, Mixer, Phases, Readout, Sense, Settle
from contract.running import Recorded, same_bits
from contract.test_laws import assert_like_reference
from graphs import rows_or_none
from test_plan import wave


def run_both(graph: cs.RegionGraph, inputs: dict[str, np.ndarray], ticks: int, **options) -> Recorded:
    """Run a graph here and in the reference runner, and hold them against each other."""
    recorded = Recorded(graph, **options)
    plain = reference.Reference(recorded.sim.plan, {n: recorded.sim.parameters(n) for n in recorded.sim.plan.regions})
    recorded.sim.run(rows_or_none(inputs), ticks)
    plain.run(inputs, ticks)
    assert_like_reference(recorded.story(), plain)
    return recorded


@pytest.mark.parametrize("fake", FAKES, ids=lambda fake: fake.__name__)
def test_a_fake_kind_keeps_the_contract(fake):
    kind = cs.find_kind(f"contract.fake_kinds:{fake.__name__}")
    assert kind.namespace is fake
    assert kind.check_hyper("r", {}) == {name: field.default for name, field in kind.hyper_fields().items()}


# ---------------------------------------------------------------------- settling predictive coding

def settling(trial: int = 20, cycle: bool = False, spans: dict | None = None, **hyper) -> cs.RegionGraph:
    """A clamped sheet, a region that explains it, and one that explains the second (and, in a cycle, the reverse)."""
    graph = cs.RegionGraph()
    graph.set_trial(trial, spans or {})
    graph.add_source("x", size=6)
    graph.add_region("sheet", kind=Sense, predicts="x")
    low = ["sheet.state", "high.state"] if cycle else ["sheet.state"]
    graph.add_region("low", kind=Settle, predicts=low, size=4, learn_at=trial - 1, **hyper)
    graph.add_region("high", kind=Settle, predicts="low.state", size=3, learn_at=trial - 1)
    return graph


@pytest.mark.parametrize("cycle", [False, True])
def test_settling_regions_relax_over_a_trial_and_learn_at_its_end(cycle):
    rng = np.random.default_rng(0)
    patterns = rng.uniform(-1, 1, (3, 6)).astype(np.float32)
    x = patterns[rng.integers(0, 3, 60)]
    recorded = run_both(settling(cycle=cycle), {"x": x}, 60 * 20)
    error = (recorded.probes["sheet.error"].values ** 2).sum(axis=1).reshape(60, 20)
    # a trial's relaxation explains the sheet better and better, and so do later trials
    assert error[-10:, -1].mean() < 0.2 * error[-10:, 0].mean()
    assert error[-10:, -1].mean() < 0.5 * error[:10, -1].mean()
    recorded.sim.freeze()
    before = recorded.sim.get("low.W")
    recorded.sim.run({"x": x}, trials=5)
    assert same_bits(before, recorded.sim.get("low.W"))


def test_settling_regions_form_one_cluster_whose_steps_have_waves():
    plan = cs.make_plan(settling(cycle=True))
    assert sorted(map(sorted, plan.order.units)) == [["high", "low", "sheet"]]
    assert wave(plan, "low", "predict") == wave(plan, "high", "predict") == 0
    assert wave(plan, "high", "compare") > 0 and wave(plan, "low", "update") > wave(plan, "high", "compare")
    assert "cluster, tick by tick: high, low, sheet" in str(plan)


@pytest.mark.parametrize("top", ["high", "zenith"])
def test_the_span_init_starts_settling_from_the_priors_in_waves(top):
    # the waves say who predicts first, not the names
    graph = nx.relabel_nodes(settling(spans={"init": (0, 1)}, feedforward=True), {"high": top})
    recorded = run_both(graph, {"x": np.random.default_rng(1).uniform(-1, 1, (10, 6)).astype(np.float32)}, 200)
    # at the first tick of a trial `low` starts where `high` predicts it to be: no error is left there
    errors = recorded.probes["low.error"].values.reshape(10, 20, 4)
    np.testing.assert_allclose(errors[:, 0], 0, atol=1e-6)
    assert np.abs(errors[:, 5]).max() > 1e-3
    with pytest.raises(cs.GraphError, match=r"zero-delay cycle: .* \(in the span 'init', priors are read in predict"):
        cs.make_plan(settling(cycle=True, spans={"init": (0, 1)}))


def test_a_lesion_of_an_automatic_edge_parts_the_pair():
    graph = settling()
    graph.lesion("low.prediction@0->sheet:prior")
    recorded = run_both(graph, {"x": np.random.default_rng(1).uniform(-1, 1, (3, 6)).astype(np.float32)}, 60)
    assert same_bits(recorded.probes["sheet.error"].values, recorded.probes["x.value"].values)


# ---------------------------------------------------------------------- temporal memory

def test_a_temporal_memory_grows_segments_and_tells_two_contexts_apart():
    graph = cs.RegionGraph()
    graph.add_source("letters", size=6)
    graph.add_region("memory", kind=Memory, predicts="letters", context="memory.state@1")
    sequence = [0, 1, 2, 3, 6, 4, 1, 2, 5, 6]  # after "1 2" comes 3 or 5: only what was before tells; 6 is a blank
    letters = np.eye(7, 6, dtype=np.float32)[np.tile(sequence, 20)]
    recorded = run_both(graph, {"letters": letters}, len(letters))
    said, wanted = recorded.probes["memory.prediction"].values, letters.copy()
    wanted[::5] = 0  # what begins a sequence comes from nowhere
    assert same_bits(said[-20:], wanted[-20:])
    assert (said[:10] != wanted[:10]).any()
    segments = recorded.sim.get("memory.n_segments")
    assert segments.dtype == np.int32 and 7 <= segments.sum() <= 18 * 4
    # once it knows, one cell a column speaks, not all of them
    assert recorded.probes["memory.state"].values[-10:].sum(axis=1).tolist() == [3, 1, 1, 1, 0] * 2


def test_the_list_of_active_cells_is_held_with_the_state_while_the_target_is_away():
    graph = cs.RegionGraph()
    graph.add_source("letters", size=4)
    graph.add_region("memory", kind=Memory, predicts="letters", context="memory.state@1")
    letters = np.eye(4, dtype=np.float32)[np.arange(80) % 4]
    letters[::7] = np.nan
    run_both(graph, {"letters": letters}, 80)


# ---------------------------------------------------------------------- mixing at zero delay

def test_a_mixer_of_predictions_at_zero_delay_beats_its_experts():
    rng = np.random.default_rng(0)
    side = rng.choice([-1.0, 1.0], 1500).astype(np.float32)[:, None]
    clues = rng.choice([0.0, 1.0], (1500, 2)).astype(np.float32)
    truth = np.where(side[:, 0] > 0, clues[:, 0], clues[:, 1])
    graph = cs.RegionGraph()
    graph.add_source("coin", size=2)
    graph.add_source("side", size=1, known="before")
    graph.add_source("clues", size=2, known="before")
    for k in range(2):
        graph.add_region(f"expert{k}", predicts="coin[1]", context=f"clues[{k}]", output="sigmoid",
                         normalise=False, learning_rate=0.05)
    graph.add_region("mixer", kind=Mixer, predicts="coin",
                     context=["expert0.prediction@0", "expert1.prediction@0", "side"])
    plan = cs.make_plan(graph)
    assert wave(plan, "mixer", "predict") > wave(plan, "expert0", "predict") == 0
    coin = np.stack([1 - truth, truth], axis=1).astype(np.float32)
    recorded = run_both(graph, {"coin": coin, "side": side, "clues": clues}, 300)
    recorded.sim.run({"coin": coin[300:], "side": side[300:], "clues": clues[300:]})
    guess = recorded.probes["mixer.prediction"].values[-300:, 1]
    experts = [recorded.probes[f"expert{k}.prediction"].values[-300:, 0] for k in range(2)]
    bits = [-np.log2(np.where(truth[-300:] > 0, p, 1 - p)).mean() for p in (guess, *experts)]
    assert bits[0] < 0.75 * min(bits[1:])
    assert recorded.sim.curves.final("mixer")["skill"] > 0


# ---------------------------------------------------------------------- minus and plus phase

def phases() -> cs.RegionGraph:
    """The deep sheet is sent a frame once, at its trial's end; the pulvinar sees the next one in the plus phase."""
    graph = cs.RegionGraph()
    graph.set_trial(20, {"minus": (0, 15), "plus": (15, 20), "end": (19, 20)}, score_at=14)
    graph.add_source("frame", size=5)
    graph.add_region("deep", kind=Leaky, size=12, rate=0.6,
                     context={"from": "frame@1", "span": "end", "outside": "hold"})
    graph.add_region("pulvinar", kind=Phases, context="deep.state@1", learn_at=19, learning_rate=0.5,
                     predicts={"from": "frame", "span": "plus", "outside": "silent"})
    return graph


def test_minus_and_plus_phases_predict_the_next_frame_before_it_is_delivered():
    frames = np.eye(5, dtype=np.float32)[np.arange(120) % 5]
    recorded = run_both(phases(), {"frame": frames}, 120 * 20)
    said = recorded.probes["pulvinar.prediction"].values.reshape(120, 20, 5)
    assert same_bits(said[-20:, 14].argmax(axis=1), frames[-20:].argmax(axis=1))
    error = recorded.probes["pulvinar.error"].values.reshape(120, 20, 5)
    assert not error[:, :15].any() and error[0, 15:].any()
    curves = recorded.sim.curves
    assert curves.acc[curves.regions.index("pulvinar"), :, 0].sum() == 119
    assert curves.final("pulvinar")["skill"] > 0.9


@pytest.mark.parametrize("trial", [0, 7])
def test_nothing_of_a_trial_s_outcome_reaches_what_is_scored_in_its_minus_phase(trial):
    frames = np.eye(5, dtype=np.float32)[np.arange(10) % 5]
    noisy = frames.copy()
    noisy[trial] = np.random.default_rng(0).normal(size=5)
    one, two = Recorded(phases()), Recorded(phases())
    one.sim.run({"frame": frames})
    two.sim.run({"frame": noisy})
    a, b = (run.probes["pulvinar.prediction"].values.reshape(10, 20, 5) for run in (one, two))
    assert same_bits(a[:trial], b[:trial]) and same_bits(a[trial, :19], b[trial, :19])
    assert not same_bits(a[trial + 1 :], b[trial + 1 :])


# ---------------------------------------------------------------------- feedback from the predicted side

def test_feedback_written_on_the_predicted_side_trains_a_hidden_layer():
    graph = cs.RegionGraph()
    graph.add_source("bits", size=2, known="before")
    graph.add_source("xor", size=1)
    graph.add_region("hidden", kind=Hidden, context="bits", size=8, learning_rate=0.2)
    graph.add_region("readout", kind=Readout, predicts="xor", context="hidden.prediction@0", learning_rate=0.5)
    back = "readout.feedback[hidden.prediction@0->readout]@0->hidden:feedback"
    assert back in graph.edge_names()
    rng = np.random.default_rng(0)
    bits = rng.choice([-1.0, 1.0], (3000, 2)).astype(np.float32)
    inputs = {"bits": bits, "xor": (bits[:, :1] * bits[:, 1:]).astype(np.float32)}
    run_both(graph, inputs, 40)
    recorded = Recorded(graph)
    recorded.sim.run(inputs)
    assert recorded.sim.curves.final("readout")["skill"] > 0.9
    # a linear readout of two bits knows nothing of their product: without feedback the layer stays as it was
    cut = cs.Simulation(graph)
    cut.lesion(back)
    before = cut.get("hidden.V")
    cut.run(inputs)
    assert same_bits(before, cut.get("hidden.V"))
