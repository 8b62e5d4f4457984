"""Is a layered network a special case of the graph? One region of all units, masked, against a region a layer.

The region predicts itself, as in T. Salvatori et al., NeurIPS 35 (2022); a mask leaves only the weights from each layer
to the next. Nobody predicts the input then, so its errors move nothing. Both run on the same samples from the same
weights; the weights that they have learned are compared, in float64 by the plain twin and in float32 by the kernel. A
mask that lets one more block of weights live, back from the output to the last hidden layer, shows that the measure
would see a difference.
"""

from __future__ import annotations

import numpy as np

import cortexsim as cs
from benchmarks.experiments._layers import ACTIVATIONS, Array, data, gap, network, twin
from benchmarks.measures import Goal, Result

SEEDS = 5
SIZES, TRIAL, SAMPLES = (20, 24, 16, 10), 20, 25
HYPER = {"rate": 0.2, "learning_rate": 0.02}
WHAT = "largest difference of a learned weight from the layered network's, as a share of the largest weight"
GOALS = {
    "twin_gap": Goal(1e-12, "lower", f"{WHAT}, float64"),
    "kernel_gap": Goal(1e-5, "lower", f"{WHAT}, float32"),
}


def places() -> list[slice]:
    """Where the units of each layer lie in the one region: x, y, and the hidden layers."""
    order = [0, len(SIZES) - 1, *range(1, len(SIZES) - 1)]
    ends = np.cumsum([SIZES[k] for k in order])
    found = {k: slice(int(end) - SIZES[k], int(end)) for k, end in zip(order, ends, strict=True)}
    return [found[k] for k in range(len(SIZES))]


def one_region(layers: cs.Simulation, activation: str, back: bool) -> cs.Simulation:
    """All units in one region, with the weights of the layers, and of one more block where `back` is set."""
    graph = cs.RegionGraph()
    graph.set_trial(TRIAL)
    graph.add_source("x", size=SIZES[0])
    graph.add_source("y", size=SIZES[-1])
    graph.add_region("all", kind="predictive_coding", predicts=["x", "y", "all.state"], size=sum(SIZES), masked=True,
                     activation=activation, **HYPER)
    sim = cs.Simulation(graph, seed=0)
    W, M, at = np.zeros_like(sim.get("all.W")), np.zeros_like(sim.get("all.M")), places()
    for k in range(len(SIZES) - 1):
        W[at[k + 1], at[k]], M[at[k + 1], at[k]] = layers.get(f"layer{k}.W"), 1.0
    if back:
        M[at[-2], at[-1]] = 1.0
    sim.set("all.W", W)
    sim.set("all.M", M)
    return sim


def gaps(seed: int, activation: str) -> tuple[float, float, float]:
    """How far the twin, the kernel, and a graph with one more block of weights are from the layers."""
    layers = cs.Simulation(network(SIZES, TRIAL, {}, activation=activation, **HYPER), seed=seed)
    whole, other = (one_region(layers, activation, back) for back in (False, True))
    plain_layers, plain_whole = twin(layers), twin(whole)
    inputs = data(seed, SAMPLES, SIZES)
    for sim in (layers, whole, other):
        sim.run(inputs)
    for plain in (plain_layers, plain_whole):
        plain.run(inputs, SAMPLES * TRIAL)
    at, pairs = places(), range(len(SIZES) - 1)

    def blocks(W: Array) -> list[Array]:
        return [W[at[k + 1], at[k]] for k in pairs]

    wanted = [plain_layers.regions[f"layer{k}"].arrays["W"] for k in pairs]
    return (gap(blocks(plain_whole.regions["all"].arrays["W"]), wanted),
            gap(blocks(whole.get("all.W")), [layers.get(f"layer{k}.W") for k in pairs]),
            gap(blocks(other.get("all.W")), [layers.get(f"layer{k}.W") for k in pairs]))


def run(seed: int) -> dict[str, Result]:
    """The worst of all activations of one seed."""
    double, kernel, other = np.max([gaps(seed, activation) for activation in ACTIVATIONS], axis=0)
    beside = {"one more block of weights": float(other)}
    return {"twin_gap": Result(float(double), beside), "kernel_gap": Result(float(kernel), beside)}
