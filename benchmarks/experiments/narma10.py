"""NARMA10: a reservoir of 50, 100 or 200 units learns a nonlinear recursion of ten steps from its input alone.

One pass over 2,000 ticks after a warm-up of 200, by recursive least squares; then 2,000 ticks with the weights frozen.
The measures with ``squares`` let the readout see the squares of the units as well, so it has twice the weights. The
constants were chosen on seeds 100 to 109.
"""

from __future__ import annotations

from typing import Any

import numpy as np

import cortexsim as cs
from benchmarks.experiments._chaos import Floats, lagged, narma10
from benchmarks.measures import Goal, Result

SEEDS = 10
WARM_UP, TRAIN, TEST = 200, 2000, 2000
UNITS = (50, 100, 200)
CONSTANTS: dict[str, Any] = {"leak": 1.0, "radius": 0.9, "input_scale": 0.1, "bias_scale": 0.2, "ridge": 1e-8}
TAPS = 20
BOUNDS = {50: 0.172, 100: 0.095, 200: 0.049}
PUBLISHED = {50: 0.166, 100: 0.096, 200: 0.043}
GOALS = {f"nmse_{n}{kind}": Goal(BOUNDS[n], "lower", f"squared error over the variance, {n} units{words}", mean=True,
                                 published=PUBLISHED[n], citation="A. Rodan and P. Tino 2011, echo state network")
         for kind, words in (("", ""), ("_squares", " and their squares")) for n in UNITS}


def learn(u: Floats, y: Floats, units: int, seed: int, squares: bool) -> float:
    """The error of a reservoir on the ticks after those that it learned from."""
    graph = cs.RegionGraph()
    graph.add_source("u", size=1, known="before")
    graph.add_source("y", size=1)
    graph.add_region("reservoir", kind="reservoir", predicts="y", context="u@0", size=units, squares=squares,
                     **CONSTANTS)
    sim = cs.Simulation(graph, seed=seed)
    sim.freeze()
    sim.run({"u": u[:WARM_UP], "y": y[:WARM_UP]})
    sim.unfreeze()
    known = WARM_UP + TRAIN
    sim.run({"u": u[WARM_UP:known], "y": y[WARM_UP:known]})
    sim.freeze()
    probe = sim.record("reservoir.prediction")
    sim.run({"u": u[known:], "y": y[known:]})
    return float(np.mean((probe.values[:, 0] - y[known:]) ** 2) / np.var(y[known:]))


def linear(u: Floats, y: Floats) -> float:
    """The error of least squares on the last inputs, found from all training ticks at once."""
    table = np.column_stack([lagged(u, list(range(TAPS))), np.ones(len(u))])
    known = WARM_UP + TRAIN
    weights = np.linalg.lstsq(table[WARM_UP:known], y[WARM_UP:known], rcond=None)[0]
    return float(np.mean((table[known:] @ weights - y[known:]) ** 2) / np.var(y[known:]))


def run(seed: int) -> dict[str, Result]:
    """All sizes, with and without squares, on the series of one seed."""
    u, y = narma10(WARM_UP + TRAIN + TEST, seed)
    baselines = {f"linear, {TAPS} taps": linear(u, y), "running mean": 1.0}
    return {f"nmse_{n}{'_squares' * squares}": Result(learn(u, y, n, seed, squares), baselines)
            for squares in (False, True) for n in UNITS}
