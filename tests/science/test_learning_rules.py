"""The learning rules find what batch methods find. With all seeds: pytest -m slow tests/science"""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.experiments import delta_stationary, subspace_pca
from benchmarks.measures import Result, meets
from benchmarks.science import run_experiments


def test_subspace_finds_the_principal_subspace():
    result = subspace_pca.several_passes(seed=0)
    assert meets(subspace_pca.GOALS["largest_angle"], result), result
    assert all(angle > 0.5 for angle in result.baselines.values())


def test_subspace_gets_near_it_at_first_sight():
    # a short run: the goal is for twenty chunks, and the angle falls as one over the root of their number
    result = subspace_pca.one_pass(seed=0, chunks=5)
    assert result.ours < 0.05 * 2 * 1.2
    assert result.ours < result.baselines["PCA on the first tenth"] / 2


def test_planted_samples_have_the_eigengap_they_are_said_to_have():
    (rows,) = subspace_pca.planted(seed=0, chunks=1, samples=50_000)
    variances = np.linalg.eigvalsh(np.cov(rows.T.astype(np.float64)))[::-1]
    assert variances[:64].mean() == pytest.approx(2.0, rel=0.05)
    assert variances[64:].mean() == pytest.approx(1.0, rel=0.05)


def test_delta_reaches_least_squares():
    result = delta_stationary.run(seed=0)["excess_mse"]
    assert meets(delta_stationary.GOALS["excess_mse"], result), result
    assert min(result.baselines.values()) > 0.5


def test_a_step_that_is_too_large_misses_the_goal():
    result: Result = delta_stationary.run(seed=0, ticks=20_000, learning_rate=0.2)["excess_mse"]
    assert not meets(delta_stationary.GOALS["excess_mse"], result)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["subspace_pca", "delta_stationary"])
def test_every_seed_meets_every_goal(name):
    results, _ = run_experiments([name], quiet=True)
    measures = results["experiments"][name]["measures"]
    assert {measure: entry["met"] for measure, entry in measures.items()} == dict.fromkeys(measures, True)
    assert all(entry["seeds"] == 5 for entry in measures.values())
