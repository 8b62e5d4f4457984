"""NumPy and BLAS at their best: all regions at once by ``np.matmul``, or region by region by BLAS in place."""

from __future__ import annotations

import numpy as np
from scipy.linalg.blas import sgemv, sger

from benchmarks.speed.peers._problem import SLOTS, Problem

NAME = "NumPy, SciPy"
VARIANTS = {"all regions at once": "np.matmul and one product of all errors and contexts, in buffers",
            "BLAS ger": "scipy's sgemv and sger for each region, in place"}
DIFFERS = ""
NEEDS = ""
THREADS = (1,)


class Run:
    """The state between ticks; gathers all contexts by one index."""

    def __init__(self, problem: Problem) -> None:
        self.problem, self.t = problem, 0
        regions, units, context = problem.regions, problem.units, problem.context
        self.W = np.zeros((regions, units, context), np.float32)
        self.past = np.zeros((SLOTS, (regions + 1) * units), np.float32)
        self.index, self.delays = problem.flat(), problem.delays()
        self.change = np.empty_like(self.W)
        self.loss: list[np.ndarray] = []

    def run(self, ticks: int) -> None:
        """Run so many ticks."""
        problem, n = self.problem, len(self.problem.x)
        self.loss = []
        for t in range(self.t, self.t + ticks):
            x = problem.x[t % n]
            y = self.past[(t - self.delays) % SLOTS, self.index]
            p = self.predict(y)
            e = x - p
            self.learn(np.float32(problem.rate) * e, y)
            self.past[t % SLOTS, : p.size] = p.ravel()
            self.past[t % SLOTS, p.size :] = x
            self.loss.append(np.einsum("ru,ru->r", e, e) / e.shape[1])
        self.t += ticks

    def predict(self, y: np.ndarray) -> np.ndarray:
        """All predictions."""
        return np.matmul(self.W, y[:, :, None])[:, :, 0]

    def learn(self, g: np.ndarray, y: np.ndarray) -> None:
        """All updates."""
        np.multiply(g[:, :, None], y[:, None, :], out=self.change)
        self.W += self.change

    def weights(self) -> np.ndarray:
        """All weights."""
        return self.W


class Blas(Run):
    """The same with BLAS on each region: W^T, in Fortran order, is what lies in memory."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem)
        del self.change
        self.turned = [W.T for W in self.W]

    def predict(self, y: np.ndarray) -> np.ndarray:
        """All predictions."""
        return np.array([sgemv(1.0, W, row, trans=1) for W, row in zip(self.turned, y, strict=True)])

    def learn(self, g: np.ndarray, y: np.ndarray) -> None:
        """All updates."""
        for W, own, row in zip(self.turned, g, y, strict=True):
            sger(1.0, row, own, a=W, overwrite_a=1, overwrite_x=0, overwrite_y=0)


def start(problem: Problem, variant: str, threads: int) -> Run:
    """Begin."""
    return Blas(problem) if variant == "BLAS ger" else Run(problem)
