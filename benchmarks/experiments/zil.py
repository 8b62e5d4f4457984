"""Does settling learn what backpropagation learns? With the schedule of Z-IL it does, to the last digit.

The network starts from its feedforward state, moves by full steps, and each layer learns at the one tick at which the
error first reaches the layer above it (Y. Song et al., NeurIPS 33 (2020), doi:10.48550/arXiv.2103.04689). Its updates
are then those of backpropagation. Random networks of 2 to 5 layers of weights and every activation, one sample each;
the kernel computes in float32, its plain twin in float64. The same networks that settle as usual, and learn at the end,
stand beside them: near backpropagation, and not the same.
"""

from __future__ import annotations

import warnings

import numpy as np

import cortexsim as cs
from benchmarks.experiments._layers import ACTIVATIONS, backpropagation, data, gap, network, twin, zil_network
from benchmarks.measures import Goal, Result

SEEDS = 5
LAYERS = (2, 3, 4, 5)
RATE = 0.01
WHAT = "largest difference of a weight's update from backpropagation's, as a share of the largest update"
GOALS = {
    "twin_gap": Goal(1e-12, "lower", f"{WHAT}, float64"),
    "kernel_gap": Goal(1e-4, "lower", f"{WHAT}, float32 (weights of about 1 hold an update of 0.01 to 1e-5)"),
}


def gaps(seed: int, layers: int, activation: str) -> tuple[float, float, float]:
    """How far the twin, the kernel, and a network that settles as usual are from backpropagation."""
    rng = np.random.default_rng([seed, layers])
    sizes = [int(size) for size in rng.integers(4, 33, layers + 1)]
    inputs = data(seed, 1, sizes)
    exact = zil_network(sizes, activation, RATE)
    usual = network(sizes, 20, {"init": (1, 2)}, activation=activation, rate=0.1, learning_rate=RATE)
    found = []
    for graph in (exact, usual):
        sim = cs.Simulation(graph, seed=seed)
        before = [sim.get(f"layer{k}.W").astype(np.float64) for k in range(layers)]
        constants = [sim.get(f"layer{k}.b") for k in range(layers)]
        wanted = [RATE * W for W, _ in backpropagation(before, constants, activation, inputs["x"][0], inputs["y"][0])]
        plain = twin(sim)
        with warnings.catch_warnings():
            # full steps are not meant to settle
            warnings.simplefilter("ignore", cs.SettlingWarning)
            sim.run(inputs)
        found.append(gap([sim.get(f"layer{k}.W") - before[k] for k in range(layers)], wanted))
        if graph is exact:
            plain.run(inputs, layers + 1)
            found.append(gap([plain.regions[f"layer{k}"].arrays["W"] - before[k] for k in range(layers)], wanted))
    kernel, double, settled = found
    return double, kernel, settled


def run(seed: int) -> dict[str, Result]:
    """The worst of all networks of one seed."""
    double, kernel, settled = np.max([gaps(seed, layers, activation) for layers in LAYERS
                                      for activation in ACTIVATIONS], axis=0)
    beside = {"settled as usual": float(settled)}
    return {"twin_gap": Result(float(double), beside), "kernel_gap": Result(float(kernel), beside)}
