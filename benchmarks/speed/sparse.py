"""Sparse contexts: how much faster a region gets when few of its context units are active."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

import cortexsim as cs
from benchmarks.speed import cases
from benchmarks.speed.clock import Turn, in_turn, ratios, spread

ACTIVE = (2, 5, 10, 20, 50)
UNITS, CONTEXT = 256, 512
TICKS = 512


def measure(limits: dict[tuple[str, int], float], quick: bool, regions: tuple[int, ...] = (1, 16),
            units: int = UNITS, context: int = CONTEXT) -> Iterator[dict[str, Any]]:
    """One row for each share of active units, beside the same region with a dense context.

    Parameters
    ----------
    limits : dict
        Level, threads -> weight updates per second.
    quick : bool
    regions : tuple of int
        Numbers of regions that share the source.
    units, context : int
        Sizes of every region.

    Yields
    ------
    dict
        With ticks per second through the whole pipeline of both, and the ratios, of kernels alone too.
    """
    for count in regions[:1] if quick else regions:
        dense = _Run(count, units, context, False, 100)
        for percent in ACTIVE:
            few = _Run(count, units, context, True, percent)
            same = _Run(count, units, context, False, percent, like=dense)
            turns = {"sparse": Turn(few.run, count), "sparse kernel": Turn(few.bare, count),
                     "dense": Turn(same.run, count), "dense kernel": Turn(same.bare, count)}
            rates = in_turn(turns, 5 if quick else 9, 0.02)
            gain = spread(ratios(rates["sparse"], rates["dense"]))
            yield {"section": "sparse", "case": {"regions": count, "units": units, "context": context,
                                                 "active": percent},
                   "ticks": spread([r / count for r in rates["sparse"]]),
                   "dense": spread([r / count for r in rates["dense"]]), "gain": gain,
                   "kernel_gain": spread(ratios(rates["sparse kernel"], rates["dense kernel"])),
                   "ratio": spread(rates["sparse"])["median"] * units * context / limits["L2", 1]}


class _Run:
    """Regions that read one source, of which so many units are active."""

    def __init__(self, regions: int, units: int, context: int, sparse: bool, percent: int,
                 like: _Run | None = None) -> None:
        if like is None:
            graph = cs.RegionGraph()
            graph.add_source("x", size=units)
            graph.add_source("y", size=context, sparse=sparse)
            for i in range(regions):
                graph.add_region(f"r{i:05d}", kind="delta", predicts="x", context=["y@1"], sparse=sparse,
                                 **cases.plain(context))
            self.sim = cs.Simulation(graph, seed=0)
        else:
            self.sim = like.sim
        rng = np.random.default_rng(0)
        rows = np.zeros((TICKS, context), np.float32)
        for row in rows:
            row[rng.choice(context, max(1, context * percent // 100), replace=False)] = 1.0
        self.data = {"x": rng.standard_normal((TICKS, units), np.float32), "y": rows}
        self.run(64)
        functions, views = cases.kernels_of(self.sim)
        self.bare = cases.bare_job(functions, views)

    def run(self, n: int) -> None:
        """Run n ticks."""
        while n > 0:
            ticks = min(n, TICKS)
            self.sim.run(self.data, ticks=ticks)
            n -= ticks
