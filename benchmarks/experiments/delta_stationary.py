"""Does ``delta`` reach least squares where nothing changes? A linear problem with noise, 16 inputs and 8 outputs.

The inputs are correlated (an eigenvalue spread of about 10), and a fifth of the targets' variance is noise that nobody
can predict. The excess is the mean squared error over the last tenth of the run less that of batch least squares,
fitted to all samples, on the same ticks; it is given in units of the target's variance.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

import cortexsim as cs
from benchmarks.measures import Goal, Result

SEEDS = 5
INPUTS, OUTPUTS, TICKS = 16, 8, 100_000
NOISE = 0.2  # of the target's variance
# the excess of a normalised step is about rate / 2 of the noise, and it settles within inputs / rate ticks
LEARNING_RATE = 0.005
GOALS = {"excess_mse": Goal(1e-3, "lower", "error above that of least squares", "of the target's variance")}


def problem(seed: int, ticks: int = TICKS) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Draw inputs [ticks, INPUTS] and targets [ticks, OUTPUTS]."""
    rng = np.random.default_rng(seed)
    turn = np.linalg.qr(rng.standard_normal((INPUTS, INPUTS)))[0]
    x = (rng.standard_normal((ticks, INPUTS)) * np.geomspace(1.0, 10.0, INPUTS) ** 0.5) @ turn.T
    told = x @ rng.standard_normal((INPUTS, OUTPUTS))
    told *= np.sqrt((1 - NOISE) / told.var(axis=0))
    y = told + rng.standard_normal((ticks, OUTPUTS)) * NOISE ** 0.5 + rng.standard_normal(OUTPUTS)
    return x.astype(np.float32), y.astype(np.float32)


def least_squares(x: NDArray[np.float32], y: NDArray[np.float32]) -> NDArray[np.float64]:
    """Squared error of batch least squares with a constant, at each tick, mean over the outputs."""
    table = np.column_stack([x, np.ones(len(x))]).astype(np.float64)
    weights = np.linalg.lstsq(table, y.astype(np.float64), rcond=None)[0]
    return ((y - table @ weights) ** 2).mean(axis=1)


def run(seed: int, ticks: int = TICKS, learning_rate: float = LEARNING_RATE) -> dict[str, Result]:
    """One seed; other ticks and rates than the default are for tests."""
    x, y = problem(seed, ticks)
    graph = cs.RegionGraph()
    graph.add_source("x", size=INPUTS, known="before")
    graph.add_source("y", size=OUTPUTS)
    graph.add_region("told", kind="delta", predicts="y", context="x", learning_rate=learning_rate)
    sim = cs.Simulation(graph, seed=seed)
    last = ticks - ticks // 10
    sim.run({"x": x[:last], "y": y[:last]}, ticks=last)
    probe = sim.record("told.error")
    sim.run({"x": x[last:], "y": y[last:]}, ticks=ticks - last)
    variance = float(y.var(axis=0).mean())
    best = float(least_squares(x, y)[last:].mean())
    ours = float((probe.values.astype(np.float64) ** 2).mean())
    trivial = {"running mean": variance, "last value": float((np.diff(y[last - 1:], axis=0) ** 2).mean())}
    return {"excess_mse": Result((ours - best) / variance,
                                 {name: (error - best) / variance for name, error in trivial.items()})}
