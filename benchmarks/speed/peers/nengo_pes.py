"""Nengo: a connection with the learning rule PES for each region, through its public interface."""

from __future__ import annotations

from typing import Any

from benchmarks.speed.peers._problem import TICKS, Problem

NAME = "Nengo"
VARIANTS = {"PES": "rectified linear neurons, error-driven decoders, 32 bits, optimised build"}
DIFFERS = ("its context goes through neurons, and what comes from other regions through a low-pass instead of a delay; "
           "the same number of weights learns at every tick")
NEEDS = "nengo"
THREADS = (1,)
MOST = 500_000


class Run:
    """A simulator."""

    def __init__(self, problem: Problem) -> None:
        import nengo

        nengo.rc.set("precision", "bits", "32")
        with nengo.Network(seed=0) as network:
            x = nengo.Node(lambda t: problem.x[round(t / 0.001) % TICKS])
            posts = [self._region(nengo, problem, x) for _ in range(problem.regions)]
            for r, (pre, _) in enumerate(posts):
                for k, (start, stop, first, _) in enumerate(problem.parts):
                    other = problem.other[r, k]
                    source, synapse = (x, None) if other < 0 else (posts[other][1], 0.005)
                    nengo.Connection(source[first : first + stop - start], pre.neurons[start:stop], synapse=synapse)
        self.simulator: Any = nengo.Simulator(network, progress_bar=False, optimize=True)

    @staticmethod
    def _region(nengo: Any, problem: Problem, x: Any) -> tuple[Any, Any]:
        import numpy as np

        pre = nengo.Ensemble(problem.context, 1, neuron_type=nengo.RectifiedLinear())
        post, error = nengo.Node(size_in=problem.units), nengo.Node(size_in=problem.units)
        learned = nengo.Connection(pre.neurons, post, transform=np.zeros((problem.units, problem.context)),
                                   learning_rule_type=nengo.PES(1e-6))
        nengo.Connection(post, error)
        nengo.Connection(x, error, transform=-1, synapse=None)
        nengo.Connection(error, learned.learning_rule)
        return pre, post

    def run(self, ticks: int) -> None:
        """Run so many ticks."""
        self.simulator.run_steps(ticks, progress_bar=False)

    def weights(self) -> None:
        """Not those of the others."""
        return None


def start(problem: Problem, variant: str, threads: int) -> Run:
    """Begin."""
    return Run(problem)
