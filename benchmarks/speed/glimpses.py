"""The ready-made graph ``glimpses``: where its time goes, between kernels, driver and stream."""

from __future__ import annotations

from typing import Any

import cortexsim as cs
from benchmarks.speed import noop
from benchmarks.speed.clock import Turn, in_turn, spread
from cortexsim import bookkeeping, native
from cortexsim.sources import open_stream

TICKS = 2000


def measure(limits: dict[tuple[str, int], float], quick: bool, name: str = "glimpses") -> dict[str, Any]:
    """Time of a tick as it is, with kernels that do nothing, and of the stream alone.

    Parameters
    ----------
    limits : dict
        Level, threads -> weight updates per second.
    quick : bool
    name : str
        Of a ready-made graph with a stream.

    Returns
    -------
    dict
        A row of the report.
    """
    runs = {key: _Fed(name) for key in ("whole", "around")}
    disarm(runs["around"].sim)
    stream = _Fed(name)
    turns = {**{key: Turn(fed.run, TICKS, n=1) for key, fed in runs.items()}, "stream": Turn(stream.read, TICKS, n=1)}
    for turn in turns.values():
        turn.job(1)
    rates = in_turn(turns, 5 if quick else 11, 0.1)
    micro = {key: spread([1e6 / rate for rate in values]) for key, values in rates.items()}
    outside = [w / a for w, a in zip(rates["whole"], rates["around"], strict=True)]
    return {"section": "glimpses", "case": {"graph": name, "threads": 1}, "ticks": spread(rates["whole"]),
            "microseconds": micro, "outside": spread(outside),
            "ratio": spread(rates["whole"])["median"] / limits["L1", 1]}


class _Fed:
    """A ready-made graph with its stream."""

    def __init__(self, name: str) -> None:
        graph = cs.load(name)
        self.sim = cs.Simulation(graph, seed=0)
        self.stream = open_stream({k: v for k, v in graph.graph["stream"].items() if k != "ticks"}, 0)

    def run(self, n: int) -> None:
        """Run n x `TICKS` ticks."""
        self.sim.run(self.stream, ticks=n * TICKS)

    def read(self, n: int) -> None:
        """Only read the stream, in pieces as large as the simulation's."""
        left = n * TICKS
        while left > 0:
            left -= len(next(iter(self.stream.read(min(left, 1000)).values())))


def disarm(sim: cs.Simulation) -> None:
    """Let a simulation call a kernel that does nothing wherever it calls one."""
    sim.engine.prepare()
    for name, row in sim.memory.row.items():
        nothing = native.address(noop.tick, sim.memory.layouts[name])
        for column in (bookkeeping.PREDICT, bookkeeping.COMPARE, bookkeeping.UPDATE, bookkeeping.TICK):
            if sim.memory.kernels[row, column]:
                sim.memory.kernels[row, column] = nothing
