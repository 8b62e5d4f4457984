"""JAX: a scan over ticks, all regions at once, the weights donated from call to call."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np

from benchmarks.speed.peers._problem import SLOTS, Problem

NAME = "JAX scan"
# sums of products, which XLA might fuse, reach a third of this
VARIANTS = {"einsum": "products of batches of matrices"}
DIFFERS = ""
NEEDS = "jax"
THREADS = (1, 2)
CHUNK = 16  # ticks a call; a scan is compiled once for its length


class Run:
    """The state between ticks."""

    def __init__(self, problem: Problem) -> None:
        import jax
        import jax.numpy as jnp

        self.jax, self.jnp, self.problem, self.t = jax, jnp, problem, 0
        regions, units, context = problem.regions, problem.units, problem.context
        self.index, self.delays = jnp.asarray(problem.flat(), np.int32), jnp.asarray(problem.delays(), np.int32)
        self.state = (jnp.zeros((regions, units, context), np.float32),
                      jnp.zeros((SLOTS, (regions + 1) * units), np.float32))
        self.loss: Any = None
        self.chunk = jax.jit(partial(jax.lax.scan, self.tick), donate_argnums=0)

    def tick(self, state: Any, now: Any) -> Any:
        """One tick."""
        jnp, (W, past), (t, x) = self.jnp, state, now
        y = past[(t - self.delays) % SLOTS, self.index]
        p = jnp.einsum("run,rn->ru", W, y)
        e = x - p
        W = W + (self.problem.rate * e)[:, :, None] * y[:, None, :]
        past = past.at[t % SLOTS].set(jnp.concatenate([p.reshape(-1), x]))
        return (W, past), (e * e).mean(1)

    def run(self, ticks: int) -> None:
        """Run so many ticks, rounded up to whole chunks."""
        x, n = self.problem.x, len(self.problem.x)
        for t in range(self.t, self.t + ticks, CHUNK):
            rows = np.arange(t, t + CHUNK)
            self.state, self.loss = self.chunk(self.state, (rows.astype(np.int32), x[rows % n]))
            self.t += CHUNK
        self.jax.block_until_ready(self.state)

    def weights(self) -> np.ndarray:
        """All weights."""
        return np.asarray(self.state[0])


def start(problem: Problem, variant: str, threads: int) -> Run:
    """Begin."""
    return Run(problem)
