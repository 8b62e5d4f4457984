"""Layered networks as graphs of regions, in float32 as they are and in float64 by the plain twin of their kind."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

import cortexsim as cs

ACTIVATIONS = ("linear", "tanh", "relu", "sigmoid")
Array = NDArray[Any]


def network(sizes: Sequence[int], trial: int, spans: Mapping[str, tuple[int, int]], name: str = "layer",
            **hyper: Any) -> cs.RegionGraph:
    """Regions layer0, layer1, ..., each predicting the next; the first is clamped to the source x, the last to y."""
    graph = cs.RegionGraph()
    graph.set_trial(trial, spans)
    graph.add_source("x", size=sizes[0])
    graph.add_source("y", size=sizes[-1])
    last = len(sizes) - 1
    for k, size in enumerate(sizes):
        above = [f"{name}{k + 1}.state"] if k < last else []
        clamped = {0: ["x"], last: ["y"]}.get(k, [])
        graph.add_region(f"{name}{k}", kind="predictive_coding", predicts=clamped + above, size=size, **hyper)
    return graph


def zil_network(sizes: Sequence[int], activation: str, learning_rate: float, name: str = "layer") -> cs.RegionGraph:
    """The schedule of Z-IL: full steps, and each layer learns where the error first arrives above it."""
    last = len(sizes) - 1
    graph = network(sizes, last + 1, {"init": (0, 2)}, name, activation=activation, rate=1.0,
                    learning_rate=learning_rate)
    for k in range(last):
        graph.nodes[f"{name}{k}"]["hyper"]["learn_at"] = last - k
    return graph


def backpropagation(weights: Sequence[Array], constants: Sequence[Array], activation: str, x: Array,
                    y: Array) -> list[tuple[Array, Array]]:
    """How weights and constants of each layer lessen half the squared error, in float64."""
    kind, naive = ACTIVATIONS.index(activation), from_tests("naive_settling")
    values = [x.astype(np.float64)]
    for W, b in zip(weights, constants, strict=True):
        values.append(W.astype(np.float64) @ naive.activate(kind, values[-1]) + b)
    delta, found = y - values[-1], []
    for W, value in zip(weights[::-1], values[-2::-1], strict=True):
        found.append((np.outer(delta, naive.activate(kind, value)), delta))
        delta = naive.slope(kind, value) * (W.astype(np.float64).T @ delta)
    return found[::-1]


def data(seed: int, rows: int, sizes: Sequence[int]) -> dict[str, Array]:
    """Random samples of both ends, float32 [rows, size]."""
    rng = np.random.default_rng([seed, 7])
    return {name: rng.standard_normal((rows, size)).astype(np.float32) for name, size in
            (("x", sizes[0]), ("y", sizes[-1]))}


def from_tests(module: str) -> Any:
    """A module of the tests: plain twins, which are no part of the package, to be held against."""
    folder = str(Path(__file__).parents[2] / "tests")
    if folder not in sys.path:
        sys.path.append(folder)
    return importlib.import_module(module)


def twin(sim: cs.Simulation) -> Any:
    """The plain runner of the tests on the same graph and values, in float64."""
    arrays = {name: sim.parameters(name) for name in sim.plan.regions}
    return from_tests("reference").Reference(sim.plan, arrays, dtype=np.float64)


def gap(found: Sequence[Array], wanted: Sequence[Array]) -> float:
    """The largest difference of any two numbers, as a share of the largest number wanted."""
    # where nothing at all is wanted (units of relu that are all silent), the difference itself
    scale = max(float(np.abs(array).max()) for array in wanted) or 1.0
    return max(float(np.abs(a.astype(np.float64) - b).max()) for a, b in zip(found, wanted, strict=True)) / scale
