"""Graphs of regions that settle, for the tests of their kind and of inference."""

from __future__ import annotations

from typing import Any

import numpy as np

import cortexsim as cs
from benchmarks.experiments._layers import network

KIND = "predictive_coding"


def layered(sizes: tuple[int, ...], trial: int = 8, **hyper: Any) -> cs.RegionGraph:
    """Regions r0, r1, ..., each predicting the next: r0 is clamped to the source x, the last one to y."""
    return network(sizes, trial, {"init": (1, 2)}, "r", **hyper)


def causes(trial: int = 0, kind: dict[str, Any] | None = None) -> cs.RegionGraph:
    """A linear-Gaussian generative model: high -> low -> sheet, the sheet clamped to x."""
    graph = cs.RegionGraph()
    if trial:
        graph.set_trial(trial)
    graph.add_source("x", size=8)
    shared: dict[str, Any] = {"kind": KIND, "activation": "linear", "rate": 0.1, **(kind or {})}
    graph.add_region("sheet", predicts="x", **shared)
    graph.add_region("low", predicts="sheet.state", size=5, precision=2.0, **shared)
    graph.add_region("high", predicts="low.state", size=3, state_prior="gaussian", prior_weight=0.5, **shared)
    return graph


def examples(n: int, sizes: tuple[int, ...], seed: int = 0) -> dict[str, np.ndarray]:
    """Rows of x, and of y that depend on them."""
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((n, sizes[0])).astype(np.float32)
    y = np.tanh(x @ rng.standard_normal((sizes[0], sizes[-1])) / np.sqrt(sizes[0])).astype(np.float32)
    return {"x": x, "y": y}
