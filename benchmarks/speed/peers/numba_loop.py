"""A loop written by hand with Numba: what a person who knows Numba writes for exactly this graph."""

from __future__ import annotations

from typing import Any

import numba
import numpy as np
from numba import njit, prange

from benchmarks.speed.peers._problem import SLOTS, Problem

NAME = "Numba by hand"
VARIANTS = {"row by row": "one compiled loop over ticks and regions; dot, error and update of a row together"}
DIFFERS = ""
NEEDS = ""
THREADS = (1, 2)
FLAGS: dict[str, Any] = {"nogil": True, "cache": True, "fastmath": True, "error_model": "numpy"}


@njit(**FLAGS)
def _region(W, past, x, loss, y, starts, firsts, delays, other, rate, t, r):
    n = x.shape[0]
    for k in range(starts.shape[0] - 1):
        here, width = starts[k], starts[k + 1] - starts[k]
        for j in range(width):
            if other[r, k] >= 0:
                y[here + j] = past[(t - delays[k]) % SLOTS, other[r, k], firsts[k] + j]
            elif t >= delays[k]:
                y[here + j] = x[(t - delays[k]) % n, firsts[k] + j]
    units, context = W.shape[1], W.shape[2]
    total = np.float32(0.0)
    for i in range(units):
        p = np.float32(0.0)
        for j in range(context):
            p += W[r, i, j] * y[j]
        e = x[t % n, i] - p
        g = rate * e
        for j in range(context):
            W[r, i, j] += g * y[j]
        past[t % SLOTS, r, i] = p
        total += e * e
    loss[t % n, r] = total / units


@njit(**FLAGS)
def _run(W, past, x, loss, ys, starts, firsts, delays, other, rate, t, ticks):
    for now in range(t, t + ticks):
        for r in range(W.shape[0]):
            _region(W, past, x, loss, ys[0], starts, firsts, delays, other, rate, now, r)


@njit(parallel=True, **FLAGS)
def _run_parallel(W, past, x, loss, ys, starts, firsts, delays, other, rate, t, ticks):
    parts = ys.shape[0]
    for now in range(t, t + ticks):
        for part in prange(parts):
            for r in range(part * W.shape[0] // parts, (part + 1) * W.shape[0] // parts):
                _region(W, past, x, loss, ys[part], starts, firsts, delays, other, rate, now, r)


class Run:
    """The state between ticks."""

    def __init__(self, problem: Problem, threads: int) -> None:
        self.problem, self.t, self.threads = problem, 0, threads
        self.W = np.zeros((problem.regions, problem.units, problem.context), np.float32)
        self.past = np.zeros((SLOTS, problem.regions, problem.units), np.float32)
        self.loss = np.zeros((len(problem.x), problem.regions), np.float32)
        self.y = np.zeros((threads, problem.context), np.float32)
        starts, _, firsts, delays = (np.array(column) for column in zip(*problem.parts, strict=True))
        self.parts = np.append(starts, problem.context), firsts, delays
        numba.set_num_threads(threads)

    def run(self, ticks: int) -> None:
        """Run so many ticks."""
        problem = self.problem
        (_run_parallel if self.threads > 1 else _run)(
            self.W, self.past, problem.x, self.loss, self.y, *self.parts, problem.other, np.float32(problem.rate),
            self.t, ticks)
        self.t += ticks

    def weights(self) -> np.ndarray:
        """All weights."""
        return self.W


def start(problem: Problem, variant: str, threads: int) -> Run:
    """Begin."""
    return Run(problem, threads)
