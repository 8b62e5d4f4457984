"""Does ``subspace`` find the principal subspace? Planted data of 256 dimensions, of which 64 are strong.

The samples are Gaussian with variance 2 along 64 random directions and 1 along the other 192: an eigengap of 2:1, and
no help from strong directions of different strength. A subspace is compared with the one that batch PCA finds on the
very samples that were shown, by the largest principal angle. Two runs: 20,000 samples shown ten times over, and 400,000
shown once. The step decays as 1/t.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import subspace_angles

import cortexsim as cs
from benchmarks.measures import Goal, Result

SEEDS = 5
DIMENSIONS, STRONG, GAP = 256, 64, 2.0
SAMPLES, PASSES, CHUNKS = 20_000, 10, 20
# steps of nearly 1 turn the random start within a few thousand samples; the decay then averages the noise away
LEARNING_RATE, DECAY_UPDATES = 0.96, 1000
GOALS = {
    "largest_angle": Goal(0.05, "lower", "largest principal angle to PCA, 20,000 samples shown ten times", "rad"),
    "largest_angle_one_pass": Goal(0.05, "lower", "the same, 400,000 samples shown once", "rad"),
}

Floats = NDArray[np.float32]


def planted(seed: int, chunks: int, samples: int = SAMPLES) -> Iterator[Floats]:
    """Yield chunks of samples, float32 [samples, DIMENSIONS], all with the same strong directions."""
    rng = np.random.default_rng(seed)
    basis = np.linalg.qr(rng.standard_normal((DIMENSIONS, DIMENSIONS)))[0].astype(np.float32)
    basis[:, :STRONG] *= np.float32(GAP ** 0.5)
    for _ in range(chunks):
        yield rng.standard_normal((samples, DIMENSIONS), np.float32) @ basis.T


def principal(rows: Floats) -> NDArray[np.float64]:
    """The directions in which PCA finds the samples strongest, float64 [DIMENSIONS, STRONG]."""
    return strongest(np.cov(rows.T.astype(np.float64), bias=True))


def strongest(covariance: NDArray[np.float64]) -> NDArray[np.float64]:
    """The strongest directions of a covariance, float64 [DIMENSIONS, STRONG]."""
    return np.linalg.eigh(covariance)[1][:, -STRONG:]


def learner(seed: int) -> cs.Simulation:
    """One region that learns a code of its source."""
    graph = cs.RegionGraph()
    graph.add_source("samples", size=DIMENSIONS)
    graph.add_region("code", kind="subspace", predicts="samples", size=STRONG, learning_rate=LEARNING_RATE,
                     decay_updates=DECAY_UPDATES)
    return cs.Simulation(graph, seed=seed)


def angle(a: NDArray[np.floating], b: NDArray[np.floating]) -> float:
    """The largest principal angle between the columns of two arrays."""
    return float(subspace_angles(a, b).max())


def result(sim: cs.Simulation, all_samples: NDArray[np.float64], tenth: NDArray[np.float64], seed: int) -> Result:
    """Compare what a simulation has learned, and the baselines, with PCA on all samples."""
    anyhow = np.linalg.qr(np.random.default_rng([seed, 1]).standard_normal((DIMENSIONS, STRONG)))[0]
    return Result(angle(sim.parameters("code")["W"].T, all_samples),
                  {"random subspace": angle(anyhow, all_samples), "PCA on the first tenth": angle(tenth, all_samples)})


def several_passes(seed: int, samples: int = SAMPLES, passes: int = PASSES) -> Result:
    """The same samples, shown several times over."""
    (rows,) = planted(seed, 1, samples)
    sim = learner(seed)
    for _ in range(passes):
        sim.run({"samples": rows}, ticks=samples)
    return result(sim, principal(rows), principal(rows[:samples // 10]), seed)


def one_pass(seed: int, chunks: int = CHUNKS) -> Result:
    """Every sample is shown once; PCA works on sums of squares and products, so that memory stays small."""
    sim, squares, total = learner(seed), np.zeros((DIMENSIONS, DIMENSIONS)), np.zeros(DIMENSIONS)
    tenth = squares
    for index, rows in enumerate(planted(seed, chunks)):
        squares += (rows.T @ rows).astype(np.float64)
        total += rows.sum(axis=0, dtype=np.float64)
        mean = total / ((index + 1) * len(rows))
        covariance = squares / ((index + 1) * len(rows)) - np.outer(mean, mean)
        if index + 1 == max(1, chunks // 10):
            tenth = covariance
        sim.run({"samples": rows}, ticks=len(rows))
    return result(sim, strongest(covariance), strongest(tenth), seed)


def run(seed: int) -> dict[str, Result]:
    """Both runs of one seed."""
    return {"largest_angle": several_passes(seed), "largest_angle_one_pass": one_pass(seed)}
