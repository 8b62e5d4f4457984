"""Does settling find the posterior? Linear regions with Gaussian noise and priors, against the closed form.

The regions of such a graph relax to the mean of what the causes can have been, which linear algebra gives exactly, in
double precision: ``(C^T P C + P0)^-1 C^T P x`` for two layers, with P the precision of the noise and P0 that of the
prior, and the same for the stacked causes of more. Weights are random; a measure is the largest error of any unit over
all questions. Explaining away is the case of two causes of one effect: when one of them is known to be strong, the
other is believed less, though nothing connects them.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

import cortexsim as cs
from benchmarks.measures import Goal, Result

SEEDS = 5
QUESTIONS, STEPS, RATE = 20, 400, 0.1
PRECISION = 2.0  # of the noise of what is seen; that of the priors is 1
SMALL = 1e-5
GOALS = {
    "two_layers": Goal(SMALL, "lower", "largest error of 32 causes, of which 64 units are seen"),
    "three_layers": Goal(SMALL, "lower", "the same with 16 causes of these causes"),
    "known_causes": Goal(SMALL, "lower", "the same as two_layers with half of the causes clamped"),
    "explaining_away": Goal(SMALL, "lower", "largest error of a cause's belief, its rival unknown, or known as strong"),
}

Floats = NDArray[np.float64]


def build(*sizes: int, seed: int) -> cs.Simulation:
    """A chain of linear regions, from what is seen to the highest causes; these alone have a prior of their own."""
    graph = cs.RegionGraph()
    graph.add_source("x", size=sizes[0])
    names = [f"layer{k}" for k in range(len(sizes))]
    for k, (name, size) in enumerate(zip(names, sizes, strict=True)):
        top = {"state_prior": "gaussian", "prior_weight": 1.0} if k == len(sizes) - 1 else {}
        graph.add_region(name, kind="predictive_coding", predicts=f"{names[k - 1]}.state" if k else "x", size=size,
                         activation="linear", rate=RATE, precision=1.0 if k else PRECISION, **top)
    return cs.Simulation(graph, seed=seed)


def exact(sim: cs.Simulation, x: Floats) -> Floats:
    """The posterior means of all causes, the lowest first, float64 [questions, causes]."""
    weights = [sim.get(f"{name}.W").astype(np.float64) for name in sim.plan.regions if name != "layer0"]
    ends = np.cumsum([W.shape[1] for W in weights])
    causes = [slice(end - W.shape[1], end) for end, W in zip(ends, weights, strict=True)]
    hessian = np.zeros((ends[-1], ends[-1]))
    for k, W in enumerate(weights):
        precision = 1.0 if k else PRECISION
        hessian[causes[k], causes[k]] += precision * W.T @ W
        if k:
            hessian[causes[k - 1], causes[k]] = -W
            hessian[causes[k], causes[k - 1]] = -W.T
        # what is expected of these causes, by those above or by the prior
        hessian[causes[k], causes[k]] += np.eye(W.shape[1])
    drive = np.zeros((len(x), ends[-1]))
    drive[:, causes[0]] = PRECISION * x @ weights[0]
    return np.linalg.solve(hessian, drive.T).T


def largest(a: NDArray[np.floating], b: NDArray[np.floating]) -> float:
    """The largest difference of two arrays."""
    return float(np.abs(a - b).max())


def layers(seed: int, *sizes: int) -> Result:
    """Settle a chain of regions and compare all its causes with the closed form."""
    sim = build(*sizes, seed=seed)
    x = np.random.default_rng(seed).standard_normal((QUESTIONS, sizes[0]), np.float32)
    out = sim.infer({"x": x}, steps=STEPS)
    right = exact(sim, x.astype(np.float64))
    settled = np.concatenate([out[f"layer{k}"] for k in range(1, len(sizes))], axis=1)
    likely = x @ np.linalg.pinv(sim.get("layer1.W").astype(np.float64)).T
    return Result(largest(settled, right), {"prior mean": largest(right, np.zeros_like(right)),
                                            "least squares": largest(right[:, :sizes[1]], likely)})


def known_causes(seed: int) -> Result:
    """Clamp half of the causes; the others have to explain what is left."""
    sim = build(64, 32, seed=seed)
    rng = np.random.default_rng(seed)
    x, causes = (rng.standard_normal((QUESTIONS, size), np.float32) for size in (64, 32))
    hidden = np.broadcast_to(np.arange(32) >= 16, causes.shape)
    out = sim.infer({"x": x, "layer1": np.ma.masked_array(causes, hidden)}, steps=STEPS)
    W = sim.get("layer1.W").astype(np.float64)
    left = x - causes[:, :16] @ W[:, :16].T
    right = np.linalg.solve(PRECISION * W[:, 16:].T @ W[:, 16:] + np.eye(16), PRECISION * W[:, 16:].T @ left.T).T
    unaware = exact(sim, x.astype(np.float64))[:, 16:]
    return Result(largest(out["layer1"][:, 16:], right), {"other causes ignored": largest(unaware, right)})


def explaining_away(seed: int) -> Result:
    """Two rivals for one effect: what is believed of one, with nothing known of the other and with it known."""
    graph = cs.RegionGraph()
    graph.add_source("x", size=1)
    graph.add_region("alarm", kind="predictive_coding", predicts="x", activation="linear", precision=PRECISION)
    for cause in ("burglar", "earthquake"):
        graph.add_region(cause, kind="predictive_coding", predicts="alarm.state", size=1, activation="linear",
                         rate=RATE, state_prior="gaussian", prior_weight=1.0)
    sim = cs.Simulation(graph, seed=seed)
    strengths = np.random.default_rng(seed).uniform(0.5, 1.5, 2)
    for cause, strength in zip(("burglar", "earthquake"), strengths, strict=True):
        sim.set(f"{cause}.W", np.full((1, 1), strength, np.float32))
    w = np.array([sim.get(f"{cause}.W")[0, 0] for cause in ("burglar", "earthquake")], np.float64)
    unknown = PRECISION * w[0] / (1 + PRECISION * w @ w)
    strong = 1.2 / w[1]  # an earthquake that would do more than the whole alarm of 1
    known = PRECISION * w[0] * (1 - w[1] * np.float32(strong)) / (1 + PRECISION * w[0] ** 2)
    one = np.ones(1, np.float32)
    before = sim.infer({"x": one}, steps=STEPS)["burglar"]
    after = sim.infer({"x": one, "earthquake": strong * one}, steps=STEPS)["burglar"]
    return Result(largest(np.append(before, after), np.array([unknown, known])),
                  {"belief unchanged": abs(unknown - known)})


def run(seed: int) -> dict[str, Result]:
    """All graphs of one seed."""
    return {"two_layers": layers(seed, 64, 32), "three_layers": layers(seed, 64, 32, 16),
            "known_causes": known_causes(seed), "explaining_away": explaining_away(seed)}
