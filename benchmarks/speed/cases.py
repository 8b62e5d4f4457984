"""The graphs that are measured, and their kernels without anything around them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numba import njit

import cortexsim as cs
from cortexsim import bookkeeping, native
from cortexsim.kind import Kind, find_kind

NOOP = "benchmarks.speed.noop"
DELAY = 16


def plain(context: int) -> dict[str, Any]:
    """Hyperparameters of the plain delta rule, which everybody can be asked to do alike."""
    return {"learning_rate": 0.2 / context, "normalise": False, "bias": False}


def build(kind: str, regions: int, units: int, context: int, **hyper: Any) -> cs.RegionGraph:
    """A graph of equal regions that all predict the source ``x``.

    Parameters
    ----------
    kind : str
        One that reads context, or one that only codes its target.
    regions : int
    units : int
        Rows of each region's weights.
    context : int
        Columns. Half of the context is a slice of another region's prediction (of several others', where one has too
        few units), the other half of the source; all of it is `DELAY` ticks old and more.
    **hyper
        Hyperparameters of all regions.

    Returns
    -------
    RegionGraph
    """
    graph = cs.RegionGraph(name=f"{regions} x {units}x{context}")
    names = [name_of(region) for region in range(regions)]
    if "context" not in find_kind(kind).needs:
        graph.add_source("x", size=context)
        for name in names:
            graph.add_region(name, kind=kind, predicts="x", size=units, **hyper)
        return graph
    graph.add_source("x", size=units)
    for name, readings in zip(names, wiring(regions, units, context), strict=True):
        graph.add_region(name, kind=kind, predicts="x", context=[r.text() for r in readings], **hyper)
    return graph


@dataclass(frozen=True)
class Reading:
    """One slice of a region's context: `stop` - `start` units of a region's prediction, or of the source (-1)."""

    region: int
    start: int
    stop: int
    delay: int

    def text(self) -> str:
        """The same as an edge's shorthand."""
        signal = "x" if self.region < 0 else f"{name_of(self.region)}.prediction"
        return f"{signal}[{self.start}:{self.stop}]@{self.delay}"


def name_of(region: int) -> str:
    """A region's name: sorted, they stay in order."""
    return f"r{region:05d}"


def wiring(regions: int, units: int, context: int) -> list[list[Reading]]:
    """Where every region's context comes from: slices of other regions' predictions, the last one of the source.

    Without the source nothing would ever be unlike zero, since weights start there.
    """
    rng = np.random.default_rng(0)
    n = max(2, -(-context // units))
    width = context // n
    starts = [min(k * width, units - width) for k in range(n)]
    return [[Reading(int(rng.integers(regions)) if k < n - 1 else -1, start, start + width, DELAY + k)
             for k, start in enumerate(starts)] for _ in range(regions)]


def noise(ticks: int, size: int) -> np.ndarray:
    """Samples of a source, the same for everybody."""
    return np.random.default_rng(1).standard_normal((ticks, size), np.float32)


class Running:
    """A simulation with data to run on, as a job.

    Parameters
    ----------
    graph : RegionGraph
    threads : int
        Threads that the plan is cut for; `run` may use fewer.
    block : int
        The longest block.
    ticks : int
        Ticks of data, over and over.
    warm : int
        Ticks to run first.
    """

    def __init__(self, graph: Any, threads: int = 1, block: int = 1, ticks: int = 256, warm: int = 2 * DELAY) -> None:
        self.sim = cs.Simulation(graph, seed=0, threads=threads, longest_block=block)
        self.data = {"x": noise(ticks, self.sim.plan.sources["x"].size)}
        self.ticks = ticks
        if warm:
            self.sim.run(self.data, ticks=min(ticks, warm))

    def run(self, threads: int = 1) -> Any:
        """The job of running `n` ticks on so many threads."""
        def job(n: int) -> None:
            self.sim.engine.threads = threads
            while n > 0:
                # the data goes on where it stopped, as it does for everybody else
                start = self.sim.tick % self.ticks
                ticks = min(n, self.ticks - start)
                self.sim.run({"x": self.data["x"][start : start + ticks]}, ticks=ticks)
                n -= ticks

        return job

    def bare(self) -> Any:
        """The job of running the kernels alone, `n` ticks."""
        self.sim.engine.behind = True
        return bare_job(*kernels_of(self.sim))

    def weights(self) -> int:
        """Weights of all regions."""
        return sum(array.size for arrays in self.sim.memory.arrays.values() for array in arrays.values()
                   if array.ndim == 2)

    def bytes(self) -> int:
        """Bytes of all arrays and tables."""
        return sum(array.nbytes for array in vars(self.sim.memory).values() if isinstance(array, np.ndarray)
                   and array.base is not None) + self.sim.curves.acc.nbytes


def kernels_of(sim: Any) -> tuple[np.ndarray, np.ndarray]:
    """Addresses of the kernels that a tick of a simulation calls, in order, and of the views they are called with."""
    sim.engine.prepare()
    memory = sim.memory
    functions, views = [], []
    for name in sim.plan.sequence:
        cells = memory.kernels[memory.row[name]]
        steps = (bookkeeping.TICK,) if cells[bookkeeping.TICK] else (bookkeeping.PREDICT, bookkeeping.COMPARE,
                                                                    bookkeeping.UPDATE)
        for column in steps:
            if cells[column]:
                functions.append(cells[column])
                views.append(memory.words.ctypes.data + 8 * memory.view_at[name])
    return np.array(functions, np.int64), np.array(views, np.int64)


def bare_job(functions: np.ndarray, views: np.ndarray) -> Any:
    """The job of calling kernels by their addresses, one after the other, `n` times."""
    return lambda n: _kernels(functions, views, n)


# not cached: numba would not notice an edit of native.py
@njit(nogil=True, error_model="numpy")
def _kernels(functions, views, n):
    former = native.flush_denormals()
    for _ in range(n):
        for k in range(functions.shape[0]):
            native.call(functions[k], views[k])
    native.restore(former)


def update_kinds() -> list[Kind]:
    """The kinds of the package, found by listing its folder."""
    return [find_kind(name) for name in cs.list_kinds()]
