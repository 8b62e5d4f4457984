"""Plain NumPy, one region after the other, as one writes it first."""

from __future__ import annotations

import numpy as np

from benchmarks.speed.peers._problem import SLOTS, Problem

NAME = "NumPy per region"
VARIANTS = {"W @ y, np.outer": "a loop over regions in Python"}
DIFFERS = ""
NEEDS = ""
THREADS = (1,)


class Run:
    """The state between ticks."""

    def __init__(self, problem: Problem) -> None:
        self.problem, self.t = problem, 0
        self.W = np.zeros((problem.regions, problem.units, problem.context), np.float32)
        self.past = np.zeros((SLOTS, problem.regions, problem.units), np.float32)
        self.loss: list[np.ndarray] = []

    def run(self, ticks: int) -> None:
        """Run so many ticks."""
        problem, W, past = self.problem, self.W, self.past
        rate, n = np.float32(problem.rate), len(problem.x)
        y = np.zeros(problem.context, np.float32)
        self.loss = []
        for t in range(self.t, self.t + ticks):
            x, loss = problem.x[t % n], np.empty(problem.regions, np.float32)
            for r in range(problem.regions):
                for k, (start, stop, first, delay) in enumerate(problem.parts):
                    other = problem.other[r, k]
                    if other >= 0:
                        y[start:stop] = past[(t - delay) % SLOTS, other, first : first + stop - start]
                    elif t >= delay:
                        y[start:stop] = problem.x[(t - delay) % n, first : first + stop - start]
                p = W[r] @ y
                e = x - p
                W[r] += np.outer(rate * e, y)
                past[t % SLOTS, r] = p
                loss[r] = e @ e / len(e)
            self.loss.append(loss)
        self.t += ticks

    def weights(self) -> np.ndarray:
        """All weights."""
        return self.W


def start(problem: Problem, variant: str, threads: int) -> Run:
    """Begin."""
    return Run(problem)
