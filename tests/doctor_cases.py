"""Small graphs to examine, and what was found of them, for the tests of the check-up."""

from __future__ import annotations

import warnings

import numpy as np

import cortexsim as cs
from cortexsim.doctor import examine

N = 3000


def waves(rows: int = 2 * N, size: int = 4, seed: int = 0, noise: float = 0.3) -> np.ndarray:
    """Values that their own past tells, but for noise."""
    rng = np.random.default_rng(seed)
    return (np.sin(np.arange(rows)[:, None] / (2 + np.arange(size))) + noise * rng.normal(size=(rows, size))).astype(
        np.float32)


def noise(rows: int = 2 * N, size: int = 4, seed: int = 1) -> np.ndarray:
    """Values that nothing tells."""
    return np.random.default_rng(seed).normal(size=(rows, size)).astype(np.float32)


def graph_of(**more) -> cs.RegionGraph:
    """A region that predicts x from its past, and whatever `more` sets of it."""
    graph = cs.RegionGraph(name="small")
    graph.add_source("x", size=4)
    graph.add_region("next", **{"kind": "delta", "predicts": "x", "context": ["x@1", "x@2", "x@3"], **more})
    return graph


def examined(graph: cs.RegionGraph, inputs: dict, ticks: int = N, change=None, trial_ticks=None, **options):
    """Run a graph, change it, and examine it with the rows that follow."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        sim = cs.Simulation(graph, seed=0, **options)
        sim.run(inputs, ticks=ticks)
    if change is not None:
        change(sim)
    rows = ticks // sim._repeat()
    return examine(sim, {name: values[rows:] for name, values in inputs.items()}, trial_ticks)


def found(report, what: str, where: str = ""):
    """The one finding of this name."""
    these = [finding for finding in report.findings if finding.what == what and where in finding.where]
    assert len(these) == 1, report
    assert these[0].evidence and these[0].remedy
    return these[0]


def names(report) -> list[str]:
    return sorted({finding.what for finding in report.findings})


def trials(**more) -> cs.RegionGraph:
    """A graph with trials of four ticks, scored at the third, before its target comes."""
    graph = cs.RegionGraph()
    graph.set_trial(4, {"early": (0, 2), "end": (3, 4)}, score_at=2)
    graph.add_source("x", size=4)
    graph.add_source("motor", size=4, known="before")
    graph.add_region("next", predicts={"from": "x", "span": "end"}, context="motor", learning_rate=0.05, **more)
    return graph
