"""One peer in a process of its own, which runs when it is told to: ``python -m benchmarks.speed.peers._worker``.

It reads a line of JSON at a time and answers with one: ``{"case": [regions, units, context]}`` makes it ready and gives
some of its weights after a few ticks; ``{"seconds": s}`` runs for about so long and gives its rate in ticks a second.
"""

from __future__ import annotations

import importlib
import json
import os
import sys
import time
from typing import Any

import numpy as np

from benchmarks.speed.clock import Turn
from benchmarks.speed.peers import _problem

CHECKED_TICKS, CHECKED_WEIGHTS = 32, 500
STEP = 16


class Worker:
    """What one process does.

    Parameters
    ----------
    name, variant : str
        Of the peer.
    threads : int
    """

    def __init__(self, name: str, variant: str, threads: int) -> None:
        self.peer: Any = importlib.import_module(f"benchmarks.speed.peers.{name}")
        self.variant, self.threads = variant, threads
        self.turn: Turn | None = None

    def case(self, regions: int, units: int, context: int) -> dict[str, Any]:
        """Make ready."""
        self.turn = None
        problem = _problem.make(regions, units, context)
        run = self.peer.start(problem, self.variant, self.threads)
        run.run(CHECKED_TICKS)
        weights = run.weights()
        self.turn = Turn(lambda n: run.run(n), 1.0, self.threads, step=STEP, elsewhere=True)
        compared = getattr(run, "updates", problem.updates) is not None
        if weights is None:
            return {"weights": None, "updates": compared}
        places = np.random.default_rng(0).integers(weights.size, size=CHECKED_WEIGHTS)
        return {"weights": np.asarray(weights).reshape(-1)[places].astype(float).tolist(),
                "updates": compared}

    def rate(self, seconds: float) -> dict[str, Any]:
        """One sample."""
        assert self.turn is not None
        if self.turn.n is None:
            # from the whole of STEP ticks up: some peers know no shorter run
            self.turn.job(STEP)
            started = time.perf_counter()
            self.turn.job(STEP)
            took = (time.perf_counter() - started) * (1 if self.threads == 1 else 4)
            self.turn.n = max(1, round(seconds / max(took, 1e-9))) * STEP
        return {"rate": self.turn.rate()}


def pin(threads: int) -> None:
    """Keep a worker of one thread on one core: not every library can be told otherwise."""
    if threads == 1 and hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})


def main(name: str, variant: str, threads: int) -> None:
    """Answer lines until there are no more."""
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "w", buffering=1)
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # whatever a library prints is no answer
    pin(threads)
    worker = None
    for line in sys.stdin:
        asked = json.loads(line)
        try:
            worker = worker or Worker(name, variant, threads)
            answer = worker.case(*asked["case"]) if "case" in asked else worker.rate(asked["seconds"])
        except Exception as error:  # a peer that fails is reported, and the others go on
            answer = {"error": f"{type(error).__name__}: {error}".splitlines()[0][:300]}
        print(json.dumps(answer), file=answers)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]))
