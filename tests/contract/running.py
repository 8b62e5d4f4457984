"""Running a graph and keeping everything it did, so that two runs can be compared bit by bit."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any

import numpy as np

import cortexsim as cs
from graphs import Sketch, rows_or_none


@dataclass
class Story:
    """All that a run left behind: every signal at every tick, every array, and the curves."""

    signals: dict[str, np.ndarray]
    arrays: dict[str, np.ndarray]
    curves: dict[str, np.ndarray]

    def differences(self, other: Story, arrays: bool = True) -> list[str]:
        """What is not bit for bit the same."""
        found = [name for name, values in self.signals.items() if not same_bits(values, other.signals[name])]
        if arrays:
            found += [name for name, values in self.arrays.items() if not same_bits(values, other.arrays[name])]
            found += [f"curve of {name}" for name, values in self.curves.items()
                      if not same_bits(values, other.curves[name])]
        return found


def same_bits(a: np.ndarray, b: np.ndarray) -> bool:
    """Whether two arrays hold the same bits."""
    return a.shape == b.shape and a.dtype == b.dtype and a.tobytes() == b.tobytes()


class Recorded:
    """A simulation with a probe on every signal."""

    def __init__(self, graph: Any, **options: Any) -> None:
        self.sim = graph if isinstance(graph, cs.Simulation) else cs.Simulation(graph, **options)
        self.probes = {signal: self.sim.record(signal) for signal in self.sim.plan.signals}

    def story(self, *earlier: Recorded) -> Story:
        """Everything so far; `earlier` are the runs that this one continues."""
        runs = [*earlier, self]
        signals = {s: np.concatenate([run.probes[s].values for run in runs]) for s in self.probes}
        curves = {name: row.copy() for name, row in zip(self.sim.curves.regions, self.sim.curves.acc, strict=True)}
        return Story(signals, arrays_of(self.sim), curves)


def arrays_of(sim: cs.Simulation, learned_only: bool = False) -> dict[str, np.ndarray]:
    """A copy of every array of every region."""
    return {f"{name}.{key}": array.copy() for name, region in sim.plan.regions.items()
            for key, array in sim.parameters(name).items() if not learned_only or key in region.kind.learned}


def hash_of(sim: cs.Simulation) -> str:
    """A hash of everything that was learned."""
    digest = hashlib.sha256()
    for name, array in sorted(arrays_of(sim, learned_only=True).items()):
        digest.update(name.encode() + array.tobytes())
    return digest.hexdigest()


def run_story(sketch: Sketch, inputs: dict[str, np.ndarray], rows: int, order: list[int] | None = None,
              **options: Any) -> Story:
    """Run a sketch over the first rows of its inputs."""
    recorded = Recorded(sketch.build(order), **options)
    recorded.sim.run(rows_or_none({name: values[:rows] for name, values in inputs.items()}), rows * sketch.trial)
    return recorded.story()


def sample(inputs: dict[str, np.ndarray], row: int, names: Any = None) -> dict[str, Any]:
    """One row of the inputs as `observe` takes it."""
    return {name: None if np.isnan(values[row]).any() else values[row] for name, values in inputs.items()
            if names is None or name in names}
