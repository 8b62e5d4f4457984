"""AOgmaNeo: a hierarchy of one layer for each region, through its public interface.

Its licence (CC BY-NC-SA 4.0) is for non-commercial use only.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from benchmarks.speed.peers._problem import Problem

NAME = "AOgmaNeo"
VARIANTS = {"one layer": "columns of 16 cells, one of which is active in each, as many cells as units"}
DIFFERS = ("it learns sparse codes of symbols by another rule, touching only what active cells reach; only ticks can "
           "be compared, not updates")
NEEDS = "pyaogmaneo"
THREADS = (1,)
CELLS = 16


class Run:
    """A hierarchy for each region."""

    updates = None

    def __init__(self, problem: Problem, threads: int) -> None:
        import pyaogmaneo

        pyaogmaneo.set_num_threads(threads)
        self.t = 0
        columns, hidden = max(1, problem.units // CELLS), max(1, problem.context // CELLS)
        self.regions: list[Any] = [
            pyaogmaneo.Hierarchy([pyaogmaneo.IODesc(size=(columns, 1, CELLS), io_type=pyaogmaneo.prediction)],
                                 [pyaogmaneo.LayerDesc(hidden_size=(hidden, 1, CELLS))])
            for _ in range(problem.regions)]
        # the noise of the others as symbols
        steps = np.floor((problem.x[:, :columns] + 2.0) / 4.0 * CELLS)
        self.symbols = np.clip(steps, 0, CELLS - 1).astype(np.int32)

    def run(self, ticks: int) -> None:
        """Run so many ticks."""
        for t in range(self.t, self.t + ticks):
            symbols = [self.symbols[t % len(self.symbols)]]
            for region in self.regions:
                region.step(symbols, True)
        self.t += ticks

    def weights(self) -> None:
        """Not those of the others."""
        return None


def start(problem: Problem, variant: str, threads: int) -> Run:
    """Begin."""
    return Run(problem, threads)
