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


def network(sizes: Sequence[int], trial: int, spans: Mapping[str, tuple[int, int]], **hyper: Any) -> cs.RegionGraph:
    """Regions layer0, layer1, ..., each predicting the next; the first is clamped to the source x, the last to y."""
    graph = cs.RegionGraph()
    graph.set_trial(trial, spans)
    graph.add_source("x", size=sizes[0])
    graph.add_source("y", size=sizes[-1])
    last = len(sizes) - 1
    for k, size in enumerate(sizes):
        above = [f"layer{k + 1}.state"] if k < last else []
        clamped = {0: ["x"], last: ["y"]}.get(k, [])
        graph.add_region(f"layer{k}", kind="predictive_coding", predicts=clamped + above, size=size, **hyper)
    return graph


def data(seed: int, rows: int, sizes: Sequence[int]) -> dict[str, Array]:
    """Random samples of both ends, float32 [rows, size]."""
    rng = np.random.default_rng([seed, 7])
    return {name: rng.standard_normal((rows, size)).astype(np.float32) for name, size in
            (("x", sizes[0]), ("y", sizes[-1]))}


def twin(sim: cs.Simulation) -> Any:
    """The plain runner of the tests on the same graph and values, in float64."""
    # it is no part of the package: nobody needs it but to be held against
    folder = str(Path(__file__).parents[2] / "tests")
    if folder not in sys.path:
        sys.path.append(folder)
    arrays = {name: sim.parameters(name) for name in sim.plan.regions}
    return importlib.import_module("reference").Reference(sim.plan, arrays, dtype=np.float64)


def gap(found: Sequence[Array], wanted: Sequence[Array]) -> float:
    """The largest difference of any two numbers, as a share of the largest number wanted."""
    # where nothing at all is wanted (units of relu that are all silent), the difference itself
    scale = max(float(np.abs(array).max()) for array in wanted) or 1.0
    return max(float(np.abs(a.astype(np.float64) - b).max()) for a, b in zip(found, wanted, strict=True)) / scale
