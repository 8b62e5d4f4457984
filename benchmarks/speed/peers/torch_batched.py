"""PyTorch: all regions at once, eager or compiled."""

from __future__ import annotations

from typing import Any

import numpy as np

from benchmarks.speed.peers._problem import SLOTS, Problem

NAME = "PyTorch"
VARIANTS = {"eager": "torch.bmm and baddbmm_ in place",
            "compiled": "torch.compile of one tick, weights changed in place"}
DIFFERS = ""
NEEDS = "torch"
THREADS = (1, 2)


class Run:
    """The state between ticks."""

    def __init__(self, problem: Problem, variant: str, threads: int) -> None:
        import torch

        torch.set_num_threads(threads)
        torch.set_flush_denormal(True)
        self.torch, self.problem, self.t = torch, problem, 0
        regions, units, context = problem.regions, problem.units, problem.context
        self.W = torch.zeros((regions, units, context))
        self.past = torch.zeros((SLOTS, (regions + 1) * units))
        self.index = torch.from_numpy(problem.flat())
        self.delays = torch.from_numpy(problem.delays())
        self.x = torch.from_numpy(problem.x)
        self.loss: Any = []
        self.tick = torch.compile(self.elementwise) if variant == "compiled" else self.matrices

    def matrices(self, W: Any, y: Any, x: Any) -> Any:
        """One tick by products of batches of matrices."""
        p = self.torch.bmm(W, y.unsqueeze(2)).squeeze(2)
        e = x - p
        W.baddbmm_(e.unsqueeze(2), y.unsqueeze(1), alpha=self.problem.rate)
        return p, (e * e).mean(1)

    def elementwise(self, W: Any, y: Any, x: Any) -> Any:
        """One tick in a form that the compiler can fuse."""
        p = (W * y.unsqueeze(1)).sum(2)
        e = x - p
        W.add_((self.problem.rate * e).unsqueeze(2) * y.unsqueeze(1))
        return p, (e * e).mean(1)

    def run(self, ticks: int) -> None:
        """Run so many ticks."""
        torch, past, n = self.torch, self.past, len(self.x)
        self.loss = []
        with torch.inference_mode():
            for t in range(self.t, self.t + ticks):
                x = self.x[t % n]
                y = past[(t - self.delays) % SLOTS, self.index]
                p, loss = self.tick(self.W, y, x)
                size = p.numel()
                past[t % SLOTS, :size] = p.reshape(-1)
                past[t % SLOTS, size:] = x
                self.loss.append(loss)
        self.t += ticks

    def weights(self) -> np.ndarray:
        """All weights."""
        return self.W.numpy()


def start(problem: Problem, variant: str, threads: int) -> Run:
    """Begin."""
    return Run(problem, variant, threads)
