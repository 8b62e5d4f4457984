"""A temporal memory on the stream of high-order sequences: elements a second, and what they are spent on.

The graph is ``regions/sequence_memory.toml``, and others with fewer cells or more columns: cost should follow how many
cells are active, not how many there are. It has learned for `LEARNED` elements before it is timed, so that its segments
are at their cap. One thread.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from typing import Any

import cortexsim as cs
from benchmarks.experiments._sequences import Decoder
from benchmarks.speed.clock import Turn, in_turn, ratios, spread
from cortexsim.sources.symbols import Stream

CASES = ((2048, 32), (2048, 8), (8192, 32))  # columns, cells in each
LEARNED, CHUNK = 8000, 500
# so that a ratio to the limit is of the order of 1: about so many weights are touched for an element
TOUCHED = 1e5


class Running:
    """The graph at one size, on its stream.

    Parameters
    ----------
    columns, cells : int
        Columns of the code, and cells in each.
    learned : int
        Elements to learn from first.
    """

    def __init__(self, columns: int, cells: int, learned: int) -> None:
        graph = cs.load("sequence_memory")
        graph.nodes["symbol"]["shape"] = (columns,)
        graph.nodes["memory"]["hyper"]["cells_per_column"] = cells
        self.stream = Stream("sequences", "sparse", columns=columns)
        self.alone = Stream("sequences", "sparse", columns=columns)
        self.sim, self.decoder = cs.Simulation(graph), Decoder(self.stream.encoder, 0)
        self.run(learned)

    def run(self, n: int, decode: bool = False) -> None:
        """Run n elements; with `decode` the symbol that was predicted for each is found."""
        with warnings.catch_warnings():
            # that the region is full is meant
            warnings.simplefilter("ignore", cs.RegionWarning)
            for start in range(0, n, CHUNK):
                probe = self.sim.record("memory.prediction") if decode else None
                self.sim.run(self.stream, ticks=min(n - start, CHUNK))
                if probe is not None:
                    self.decoder(probe.values)
                    self.sim.recorder.probes.remove(probe)

    def decoded(self, n: int) -> None:
        """The job with decoding."""
        self.run(n, decode=True)

    def read(self, n: int) -> None:
        """The stream alone."""
        for start in range(0, n, CHUNK):
            self.alone.read(min(n - start, CHUNK))


def measure(limits: dict[tuple[str, int], float], quick: bool, sizes: tuple[tuple[int, int], ...] = CASES,
            learned: int = LEARNED) -> Iterator[dict[str, Any]]:
    """One row for each size.

    Parameters
    ----------
    limits : dict
        Level, threads -> weight updates per second.
    quick : bool
    sizes : tuple of (columns, cells)
    learned : int
        Elements before anything is timed.

    Yields
    ------
    dict
        Elements per second with decoding (``rate``) and without, microseconds of each part, segments in use, and the
        size of the region's arrays.
    """
    for columns, cells in sizes[:1] if quick else sizes:
        running = Running(columns, cells, learned)
        rates = in_turn({"decoded": Turn(running.decoded, 1), "run": Turn(running.run, 1),
                         "stream": Turn(running.read, 1)}, 5 if quick else 9, 0.2)
        arrays = running.sim.memory.arrays["memory"].values()
        rate = spread(rates["decoded"])
        yield {"section": "memory", "case": {"columns": columns, "cells": cells}, "rate": rate,
               "run": spread(rates["run"]), "microseconds": {name: spread([1e6 / r for r in found])
                                                             for name, found in rates.items()},
               "stream_share": spread(ratios(rates["run"], rates["stream"])),
               "bytes": sum(array.nbytes for array in arrays),
               "ratio": rate["median"] * TOUCHED / limits["L2", 1]}
