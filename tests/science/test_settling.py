"""What theory says of settling predictive coding: backpropagation, the analytic posterior, one graph for all layers."""

from __future__ import annotations

import numpy as np
import pytest

import cortexsim as cs
import reference
from benchmarks.experiments._layers import ACTIVATIONS, backpropagation, zil_network
from settling_graphs import KIND, causes, examples, layered

pytestmark = pytest.mark.filterwarnings("ignore::cortexsim.SettlingWarning")


@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("layers", [2, 3, 4, 5])
def test_the_zil_schedule_learns_what_backpropagation_learns(activation, layers):
    rng = np.random.default_rng([layers, ACTIVATIONS.index(activation)])
    sizes = tuple(int(n) for n in rng.integers(3, 20, layers + 1))
    sim = cs.Simulation(zil_network(sizes, activation, 0.01, "r"), seed=layers)
    names = [f"r{k}" for k in range(layers)]
    for name in names:  # constants that are not zero
        sim.set(f"{name}.b", 0.1 * rng.standard_normal(sim.get(f"{name}.b").shape))
    before = [{key: sim.get(f"{name}.{key}") for key in ("W", "b")} for name in names]
    plain = reference.Reference(sim.plan, {name: sim.parameters(name) for name in sim.plan.regions}, dtype=np.float64)
    inputs = examples(1, sizes, seed=layers)
    plain.run(inputs, sim.plan.trial.length)
    sim.run(inputs)
    rate = 0.01
    wanted = backpropagation([old["W"] for old in before], [old["b"] for old in before], activation, inputs["x"][0],
                             inputs["y"][0])
    for name, old, (weights, constants) in zip(names, before, wanted, strict=True):
        twin = plain.regions[name].arrays
        np.testing.assert_allclose(twin["W"] - old["W"], rate * weights, rtol=1e-12, atol=1e-15)
        np.testing.assert_allclose(twin["b"] - old["b"], rate * constants, rtol=1e-12, atol=1e-15)
        # a weight of about 1 holds its change to about 1e-7
        np.testing.assert_allclose(sim.get(f"{name}.W") - old["W"], rate * weights, rtol=1e-4, atol=2.5e-7)
        np.testing.assert_allclose(sim.get(f"{name}.b") - old["b"], rate * constants, rtol=1e-4, atol=2.5e-7)


def masked_graph(sizes: tuple[int, ...], trial: int, **hyper) -> tuple[cs.RegionGraph, list[slice]]:
    """One region of all units, which predicts itself; its units in the order x, y, hidden layers."""
    graph = cs.RegionGraph()
    graph.set_trial(trial)
    graph.add_source("x", size=sizes[0])
    graph.add_source("y", size=sizes[-1])
    graph.add_region("all", kind=KIND, predicts=["x", "y", "all.state"], size=sum(sizes), masked=True, **hyper)
    order = [0, len(sizes) - 1, *range(1, len(sizes) - 1)]
    starts = np.cumsum([0, *[sizes[k] for k in order]])
    places = {k: slice(starts[i], starts[i + 1]) for i, k in enumerate(order)}
    return graph, [places[k] for k in range(len(sizes))]


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_one_region_with_a_hierarchical_mask_is_the_layered_network(activation):
    sizes, hyper = (6, 7, 5, 4), {"activation": activation, "rate": 0.3, "learning_rate": 0.05}
    plain = layered(sizes, trial=10, **hyper)
    plain.set_trial(10)
    layers = cs.Simulation(plain, seed=1)
    graph, at = masked_graph(sizes, 10, **hyper)
    whole = cs.Simulation(graph, seed=1)
    W, M = np.zeros_like(whole.get("all.W")), np.zeros_like(whole.get("all.M"))
    for k in range(len(sizes) - 1):
        W[at[k + 1], at[k]], M[at[k + 1], at[k]] = layers.get(f"r{k}.W"), 1
    whole.set("all.W", W)
    whole.set("all.M", M)
    twins = [reference.Reference(sim.plan, {name: sim.parameters(name) for name in sim.plan.regions}, dtype=np.float64)
             for sim in (layers, whole)]
    inputs = examples(5, sizes)
    for run in (layers, whole):
        run.run(inputs)
    for twin in twins:
        twin.run(inputs, 50)
    for k in range(len(sizes) - 1):
        part = at[k + 1], at[k]
        np.testing.assert_allclose(twins[1].regions["all"].arrays["W"][part], twins[0].regions[f"r{k}"].arrays["W"],
                                   rtol=1e-12, atol=1e-14)
        np.testing.assert_allclose(whole.get("all.W")[part], layers.get(f"r{k}.W"), rtol=1e-4, atol=1e-6)
    assert not np.delete(whole.get("all.W")[at[1]], np.r_[at[0]], axis=1).any()


def ring(seed: int, **hyper) -> cs.Simulation:
    """Three regions that predict each other in a circle, and themselves; one of them is clamped."""
    graph = cs.RegionGraph()
    graph.set_trial(40)
    graph.add_source("x", size=6)
    for name, predicts in (("a", ["x", "b.state"]), ("b", ["c.state", "b.state"]), ("c", ["a.state", "b.state"])):
        graph.add_region(name, kind=KIND, predicts=predicts, size=6, rate=0.05, spread=0.5, **hyper)
    return cs.Simulation(graph, seed=seed)


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_free_energy_falls_at_every_step_in_a_graph_with_cycles(activation):
    sim = ring(3, activation=activation, learning_rate=0.02)
    x = 0.5 * examples(300, (6, 1))["x"]
    before = sim.infer({"x": x[:20]}, steps=1500)
    # relu has a corner, over which a step may go a little too far
    rounding = 1e-3 if activation == "relu" else 1e-6
    assert (np.diff(before.energy, axis=1) <= rounding * (1 + before.energy[:, 1:])).all()
    assert before.energy[:, -1].mean() < before.energy[:, 0].mean() - 1e-3
    # at rest every unit's pull is zero: what it errs in is what its predictions want
    again = sim.infer({"x": x[:20]}, free={name: before[name] for name in "bc"}, steps=2)
    np.testing.assert_allclose(again["b"], before["b"], atol=2e-3)
    sim.run({"x": x})
    after = sim.infer({"x": x[:20]}, steps=1500)
    assert after.energy[:, -1].mean() < 0.9 * before.energy[:, -1].mean()


def posterior(sim: cs.Simulation, x: np.ndarray) -> dict[str, np.ndarray]:
    """The mean of the linear-Gaussian posterior of `low` and `high`."""
    C, c = sim.get("low.W").astype(float), sim.get("low.b").astype(float)
    A, a = sim.get("high.W").astype(float), sim.get("high.b").astype(float)
    n, m = C.shape[1], A.shape[1]
    precision = np.zeros((n + m, n + m))
    precision[:n, :n] = C.T @ C + 2.0 * np.eye(n)
    precision[:n, n:], precision[n:, :n] = -2.0 * A, -2.0 * A.T
    precision[n:, n:] = 2.0 * A.T @ A + 0.5 * np.eye(m)
    pull = np.concatenate([C.T @ (x - c) + 2.0 * a, -2.0 * A.T @ a])
    mean = np.linalg.solve(precision, pull)
    return {"low": mean[:n], "high": mean[n:]}


@pytest.mark.parametrize("seed", range(5))
def test_linear_gaussian_settling_finds_the_posterior_mean(seed):
    sim = cs.Simulation(causes(), seed=seed)
    rng = np.random.default_rng(seed)
    for name in ("low", "high"):
        sim.set(f"{name}.b", 0.3 * rng.standard_normal(sim.get(f"{name}.b").shape))
    x = rng.standard_normal((6, 8)).astype(np.float32)
    found = sim.infer({"x": x}, steps=3000)
    for k, row in enumerate(x):
        for name, wanted in posterior(sim, row).items():
            np.testing.assert_allclose(found[name][k], wanted, atol=1e-5)
    assert (np.diff(found.energy, axis=1) <= 1e-5).all()


def test_a_cause_that_is_confirmed_explains_the_other_away():
    graph = cs.RegionGraph()
    graph.add_source("x", size=1)
    graph.add_region("sheet", kind=KIND, predicts="x", activation="linear", precision=10.0)
    graph.add_region("cause", kind=KIND, predicts="sheet.state", size=2, activation="linear", state_prior="gaussian",
                     prior_weight=1.0, rate=0.04)
    sim = cs.Simulation(graph)
    sim.set("cause.W", np.ones((1, 2)))
    both = sim.infer({"x": [1.0]}, steps=2000)["cause"]
    one = sim.infer({"x": [1.0], "cause": np.ma.array([1.0, 0.0], mask=[False, True])}, steps=2000)["cause"]
    # C^T Pi (x - C v) = v: 10 / 21 each; with the first at 1 nothing is left for the second
    np.testing.assert_allclose(both, [10 / 21] * 2, atol=1e-5)
    np.testing.assert_allclose(one, [1.0, 0.0], atol=1e-5)


def test_the_variance_is_learned_down_to_its_floor():
    graph = cs.RegionGraph()
    graph.set_trial(2)
    graph.add_source("x", size=2)
    graph.add_source("one", size=1)
    graph.add_region("sheet", kind=KIND, predicts="x", precision_rate=0.01, floor=0.5, activation="linear")
    graph.add_region("top", kind=KIND, predicts=["one", "sheet.state"], size=1, learning_rate=0.0, spread=0.0)
    sim = cs.Simulation(graph)
    rng = np.random.default_rng(0)
    sim.run({"x": rng.normal(0, [2.0, 0.1], (3000, 2)), "one": np.ones(3000)})
    variance = sim.get("sheet.variance")
    assert abs(variance[0] - 4.0) < 1.0 and variance[1] == np.float32(0.5)
    np.testing.assert_array_equal(sim.get("sheet.inverse"), np.float32(1) / variance)
