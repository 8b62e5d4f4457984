"""A small graph and data for it, on which the public methods of a simulation are tried."""

from __future__ import annotations

import numpy as np
import pytest

import cortexsim as cs


def small_graph(**hyper) -> cs.RegionGraph:
    """A code of x, and a region that predicts the next code from this one and a motor command."""
    graph = cs.RegionGraph(name="small")
    graph.add_source("x", size=4)
    graph.add_source("motor", size=2, known="before")
    graph.add_region("code", kind="subspace", predicts="x", size=2)
    graph.add_region("next", predicts="code.state", context=["code.state@1", "motor"], **hyper)
    return graph


def data(rows: int = 50, seed: int = 0) -> dict[str, np.ndarray]:
    """Values for the small graph."""
    rng = np.random.default_rng(seed)
    return {"x": rng.normal(size=(rows, 4)).astype(np.float32), "motor": rng.normal(size=(rows, 2)).astype(np.float32)}


def rows_of(inputs: dict[str, np.ndarray], first: int, last: int | None = None) -> dict[str, np.ndarray]:
    """Some rows of the data."""
    return {name: values[first:last] for name, values in inputs.items()}


@pytest.fixture
def sim() -> cs.Simulation:
    """The small graph after 50 ticks."""
    sim = cs.Simulation(small_graph())
    sim.run(data())
    return sim
