"""Probes: signals recorded as the simulation runs, and the progress bar."""

from __future__ import annotations

from typing import Any

import numpy as np
from tqdm import tqdm

from cortexsim import bookkeeping as d
from cortexsim.kind import PORTS


class Probe:
    """A signal being recorded.

    Attributes
    ----------
    signal : str
    every : int
        Ticks between two samples.
    """

    def __init__(self, signal: str, every: int, size: int) -> None:
        self.signal, self.every, self.size = signal, every, size
        self._ticks: list[np.ndarray] = []
        self._values: list[np.ndarray] = []

    @property
    def ticks(self) -> np.ndarray:
        """Ticks of the samples, int64 [n]."""
        return np.concatenate([np.zeros(0, np.int64), *self._ticks])

    @property
    def values(self) -> np.ndarray:
        """Samples, float32 [n, size]."""
        return np.concatenate([np.zeros((0, self.size), np.float32), *self._values])

    def add(self, ticks: np.ndarray, values: np.ndarray) -> None:
        """Append samples."""
        if len(ticks):
            self._ticks.append(ticks)
            self._values.append(values)

    def __repr__(self) -> str:
        return f"Probe({self.signal!r}, every {self.every}, {sum(map(len, self._ticks))} samples)"


class Recorder:
    """All probes of a simulation: makes room before a call of the driver, and collects after it."""

    def __init__(self) -> None:
        self.probes: list[Probe] = []

    def add(self, signal: str, every: int, memory: Any) -> Probe:
        """Add a probe for a signal."""
        probe = Probe(signal, every, memory.rings[signal][1])
        self.probes.append(probe)
        return probe

    @staticmethod
    def _fits(probe: Probe, engine: Any) -> bool:
        """Whether the signal is still there, in the size that the probe began with."""
        return engine.memory.rings.get(probe.signal, (0, -1))[1] == probe.size

    def _inside(self, engine: Any) -> list[Probe]:
        """Probes of regions, in the order of the regions: the driver records these."""
        row = engine.memory.row
        inside = [p for p in self.probes if p.signal.split(".")[0] in row and self._fits(p, engine)]
        return sorted(inside, key=lambda p: row[p.signal.split(".")[0]])

    def open(self, engine: Any, start: int, ticks: int) -> None:
        """Lay out the record buffer for the ticks to come."""
        inside = self._inside(engine)
        rows, at = [], 0
        regions = engine.memory.regions
        regions[:, d.PROBE] = regions[:, d.PROBE_END] = 0
        for k, probe in enumerate(inside):
            node, port = probe.signal.split(".")
            row = engine.memory.row[node]
            rows.append((row, PORTS.index(port), probe.every, at, probe.size))
            at += probe.size * (ticks // probe.every + 1)
            if regions[row, d.PROBE_END] == 0:
                regions[row, d.PROBE] = k
            regions[row, d.PROBE_END] = k + 1
        engine.probes = np.array(rows, np.int64).reshape(-1, 5)
        if len(engine.records) < at:
            engine.records = np.zeros(at, np.float32)
        engine.record_start = start

    def collect(self, engine: Any, start: int, stop: int) -> None:
        """Take what the driver recorded, and the samples of sources."""
        for (_, _, every, at, size), probe in zip(engine.probes, self._inside(engine), strict=True):
            ticks = np.arange(-(-start // every) * every, stop, every)
            probe.add(ticks, engine.records[at : at + len(ticks) * size].reshape(-1, size).copy())
        for probe in self.probes:
            node = probe.signal.split(".")[0]
            if node not in engine.memory.row and self._fits(probe, engine):
                ticks = np.arange(-(-start // probe.every) * probe.every, stop, probe.every)
                rows = [engine.value(probe.signal, int(t)) for t in ticks]
                probe.add(ticks, np.array(rows, np.float32).reshape(-1, probe.size))

    @staticmethod
    def bar(total: int, unit: str = "tick") -> tqdm:
        """A progress bar in ticks, or what the unit says (hidden where `total` is 0)."""
        return tqdm(total=total, unit=unit, unit_scale=True, disable=total == 0, leave=False, dynamic_ncols=True)
