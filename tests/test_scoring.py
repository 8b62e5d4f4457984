"""What a curve says of the trivial baselines, against sums written out: none knows its target before it is scored."""

from __future__ import annotations

import numpy as np
import pytest

import cortexsim as cs
from cortexsim.measures import FIELDS

TICKS = 60


def sums(x: np.ndarray, **hyper) -> dict[str, float]:
    """The sums of a curve after a run."""
    graph = cs.RegionGraph()
    graph.add_source("x", size=x.shape[1])
    graph.add_region("r", predicts="x", context="x@1", learning_rate=0.1, **hyper)
    sim = cs.Simulation(graph)
    sim.run({"x": x})
    return dict(zip(FIELDS, sim.curves.acc[0].sum(axis=0), strict=True))


def test_last_value_and_running_mean_know_what_came_before_and_no_more():
    x = np.random.default_rng(0).normal(size=(TICKS, 3)).astype(np.float32)
    found = sums(x)
    last = sum(np.mean((x[t] - x[t - 1]) ** 2) for t in range(1, TICKS))
    mean = sum(np.mean((x[t] - x[:t].mean(axis=0)) ** 2) for t in range(1, TICKS))
    # the first target is no baseline's and no region's
    assert found["ticks"] == TICKS - 1
    assert found["loss_last"] == pytest.approx(last, rel=1e-5) and found["loss_mean"] == pytest.approx(mean, rel=1e-4)


def test_the_baseline_of_symbols_counts_those_that_came_before():
    symbols = np.random.default_rng(0).choice(3, TICKS, p=[0.7, 0.2, 0.1])
    found = sums(np.eye(3, dtype=np.float32)[symbols], output="softmax", normalise=False)
    # Krichevsky and Trofimov: half a count for each symbol
    wanted = sum(-np.log2((np.sum(symbols[:t] == symbols[t]) + 0.5) / (t + 1.5)) for t in range(1, TICKS))
    assert found["ticks"] == TICKS - 1
    assert found["loss_mean"] == pytest.approx(wanted, rel=1e-4) and np.isnan(found["loss_last"])
