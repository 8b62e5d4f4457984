"""ngc-learn: a Hebbian synapse for each region, its post-synaptic value the error, through its public interface."""

from __future__ import annotations

from typing import Any

import numpy as np

from benchmarks.speed.peers._problem import SLOTS, Problem

NAME = "ngc-learn"
VARIANTS = {"HebbianSynapse": "all regions' synapses in two compiled processes, predict and learn"}
DIFFERS = ""
NEEDS = "ngclearn"
THREADS = (1,)
MOST = 500_000


class Run:
    """A context of synapses."""

    def __init__(self, problem: Problem) -> None:
        from ngclearn import Context, MethodProcess
        from ngclearn.components import HebbianSynapse
        from ngclearn.utils.distribution_generator import DistributionGenerator

        self.problem, self.t = problem, 0
        zero = DistributionGenerator.constant(0.0)
        with Context("regions"):
            self.synapses: list[Any] = [
                HebbianSynapse(f"W{r}", shape=(problem.context, problem.units), eta=problem.rate, weight_init=zero,
                               w_bound=0.0, sign_value=-1.0) for r in range(problem.regions)]
            self.predict, self.learn = MethodProcess("predict"), MethodProcess("learn")
            for synapse in self.synapses:
                self.predict = self.predict >> synapse.advance_state
                self.learn = self.learn >> synapse.evolve
        self.past = np.zeros((SLOTS, (problem.regions + 1) * problem.units), np.float32)
        self.index, self.delays = problem.flat(), problem.delays()
        self.loss: list[np.ndarray] = []

    def run(self, ticks: int) -> None:
        """Run so many ticks."""
        problem, n = self.problem, len(self.problem.x)
        self.loss = []
        for t in range(self.t, self.t + ticks):
            x = problem.x[t % n]
            y = self.past[(t - self.delays) % SLOTS, self.index]
            for synapse, row in zip(self.synapses, y, strict=True):
                synapse.inputs.set(row[None])
            self.predict.run()
            p = np.array([synapse.outputs.get()[0] for synapse in self.synapses])
            e = x - p
            for synapse, row, error in zip(self.synapses, y, e, strict=True):
                synapse.pre.set(row[None])
                synapse.post.set(error[None])
            self.learn.run(dt=1.0)
            self.past[t % SLOTS, : p.size] = p.ravel()
            self.past[t % SLOTS, p.size :] = x
            self.loss.append((e * e).mean(1))
        self.t += ticks

    def weights(self) -> np.ndarray:
        """All weights."""
        return np.array([np.asarray(synapse.weights.get()).T for synapse in self.synapses])


def start(problem: Problem, variant: str, threads: int) -> Run:
    """Begin."""
    return Run(problem)
