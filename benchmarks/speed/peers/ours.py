"""cortexsim itself, at the same work."""

from __future__ import annotations

import numpy as np

from benchmarks.speed import cases
from benchmarks.speed.peers._problem import Problem

NAME = "cortexsim"
VARIANTS = {"D = 1": "a visit of a region is one tick", "D = 8": "a visit of a region is eight ticks"}
DIFFERS = "also scores every region against two baselines"
NEEDS = ""
THREADS = (1, 2)


class Run:
    """A simulation."""

    def __init__(self, problem: Problem, variant: str, threads: int) -> None:
        graph = cases.build("delta", problem.regions, problem.units, problem.context, **cases.plain(problem.context))
        self.running = cases.Running(graph, threads, int(variant[-1]), len(problem.x), warm=0)
        self.running.data = {"x": problem.x}
        self.job = self.running.run(threads)
        self.names = [cases.name_of(region) for region in range(problem.regions)]

    def run(self, ticks: int) -> None:
        """Run so many ticks."""
        self.job(ticks)

    def weights(self) -> np.ndarray:
        """All weights."""
        return np.array([self.running.sim.parameters(name)["W"] for name in self.names])


def start(problem: Problem, variant: str, threads: int) -> Run:
    """Begin."""
    return Run(problem, variant, threads)
