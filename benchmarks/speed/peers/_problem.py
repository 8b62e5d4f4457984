"""The work that all are asked to do, and what it comes to.

At tick t each region r reads the context y (the wiring of :func:`benchmarks.speed.cases.wiring`: slices of other
regions' predictions and of the source, 16 ticks old and more), predicts p = W y, compares it with the source,
e = x - p, learns by W <- W + rate e y^T, and its mean squared error is recorded. float32 throughout; all regions are of
one size.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from benchmarks.speed import cases

SLOTS = 32  # of the ring of past predictions: a power of two above the longest delay
TICKS = 256  # of data, over and over


@dataclass
class Problem:
    """Sizes, data and wiring.

    Attributes
    ----------
    x : float32 array [TICKS, units]
    parts : list of (start, stop, first, delay)
        Of the context: ``y[start:stop]`` is what begins at unit `first` and is `delay` ticks old.
    other : int64 array [regions, parts]
        Whose prediction each part is, -1 for the source.
    """

    regions: int
    units: int
    context: int
    rate: float
    x: np.ndarray
    parts: list[tuple[int, int, int, int]]
    other: np.ndarray

    @property
    def updates(self) -> int:
        """Weight updates a tick."""
        return self.regions * self.units * self.context

    def flat(self) -> np.ndarray:
        """For every region and context unit: where its value lies in [regions + 1, units], the source coming last."""
        index = np.zeros((self.regions, self.context), np.int64)
        for k, (start, stop, first, _) in enumerate(self.parts):
            owner = np.where(self.other[:, k] < 0, self.regions, self.other[:, k])
            index[:, start:stop] = owner[:, None] * self.units + first + np.arange(stop - start)
        return index

    def delays(self) -> np.ndarray:
        """The age of every context unit."""
        found = np.zeros(self.context, np.int64)
        for start, stop, _, delay in self.parts:
            found[start:stop] = delay
        return found


def make(regions: int, units: int, context: int) -> Problem:
    """The work for a graph of so many regions."""
    wires = cases.wiring(regions, units, context)
    parts, at = [], 0
    for reading in wires[0]:
        width = reading.stop - reading.start
        parts.append((at, at + width, reading.start, reading.delay))
        at += width
    if at != context or max(delay for *_, delay in parts) >= SLOTS:
        raise ValueError(f"context of {context} units cannot be cut into equal slices of {units} units")
    other = np.array([[reading.region for reading in row] for row in wires], np.int64)
    x = cases.noise(TICKS, units)
    return Problem(regions, units, context, cases.plain(context)["learning_rate"], x, parts, other)
