"""Looking at the cells of a ``temporal_memory`` region, and changing them: segments, synapses, predictions, death.

Plain Python on the region's arrays, for looking, for tests and for models that start with some segments. What is
changed here counts from the next tick on.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

import numpy as np

from cortexsim import carry, segment_lists
from cortexsim.errors import InputError, nearest

__all__ = ["MemoryCells", "Synapse"]


class Synapse(NamedTuple):
    """One synapse: the place in the region's context that it points to, and its permanence."""

    unit: int
    permanence: float


class MemoryCells:
    """The cells of one ``temporal_memory`` region of a simulation.

    Parameters
    ----------
    sim : Simulation
    region : str
        Its name.

    Raises
    ------
    InputError
        Where there is no such region, or it is of another kind.

    Examples
    --------
    >>> import cortexsim as cs
    >>> graph = cs.RegionGraph()
    >>> _ = graph.add_source("letters", size=4)
    >>> _ = graph.add_region("memory", kind="temporal_memory", predicts="letters", context="memory.state@1",
    ...                      cells_per_column=2, activation_threshold=1, min_threshold=1)
    >>> cells = MemoryCells(cs.Simulation(graph), "memory")
    >>> segment = cells.create_segment(cell=6)
    >>> cells.create_synapse(segment, cells.unit(0), 0.5)
    >>> cells.synapses(segment), cells.segments(6), cells.n_segments
    ([Synapse(unit=0, permanence=0.5)], [0], 1)
    """

    def __init__(self, sim: Any, region: str) -> None:
        if region not in sim.plan.regions:
            raise InputError("MemoryCells", f"there is no region {region!r}", hint=nearest(region, sim.plan.regions))
        self._plan = sim.plan.regions[region]
        if self._plan.kind.name != "temporal_memory":
            raise InputError(f"region {region!r}", "must be of the kind 'temporal_memory'", self._plan.kind.name)
        self.sim, self.region = sim, region

    def _array(self, name: str) -> np.ndarray:
        return carry.parameter(self.sim, f"{self.region}.{name}")

    def _cell(self, cell: int) -> int:
        n = len(self._array("dead"))
        if not 0 <= cell < n:
            raise InputError(f"region {self.region!r}", f"cell must be in [0, {n - 1}]", cell)
        return int(cell)

    def _segment(self, segment: int) -> int:
        if not self.exists(segment):
            raise InputError(f"region {self.region!r}", "there is no such segment (any more)", segment)
        return int(segment)

    # ------------------------------------------------------------------ looking

    @property
    def n_segments(self) -> int:
        """How many segments there are."""
        return int((self._array("segment_cell") >= 0).sum())

    @property
    def n_synapses(self) -> int:
        """How many synapses there are."""
        return int(self._array("n_synapses").sum())

    def exists(self, segment: int) -> bool:
        """Whether there is a segment with this number; numbers of segments that are gone are used again."""
        owners = self._array("segment_cell")
        return bool(0 <= segment < len(owners) and owners[segment] >= 0)

    def cell(self, segment: int) -> int:
        """Whose segment it is."""
        return int(self._array("segment_cell")[self._segment(segment)])

    def segments(self, cell: int | None = None) -> list[int]:
        """The segments of a cell, or all of them, in the order in which they were made."""
        owners = self._array("segment_cell")
        found = np.flatnonzero(owners >= 0 if cell is None else owners == self._cell(cell))
        return found[np.argsort(self._array("born")[found], kind="stable")].tolist()

    def synapses(self, segment: int) -> list[Synapse]:
        """The synapses of a segment, in the order in which they were made."""
        s = self._segment(segment)
        n = self._array("n_synapses")[s]
        return [Synapse(int(unit), float(p)) for unit, p in
                zip(self._array("synapses")[s, :n], self._array("permanences")[s, :n], strict=True)]

    def unit(self, index: int, edge: str | None = None) -> int:
        """The place in the region's context of a unit that a context edge delivers.

        Parameters
        ----------
        index : int
            Number of the cell, or of the component of the signal.
        edge : str, optional
            Name of the edge, or the signal that it reads; by default the region's own state.

        Returns
        -------
        int
        """
        wanted = edge or f"{self.region}.state"
        for part in self._plan.shapes.context:
            if wanted in (part.name, part.source, part.source.removesuffix(".value")):
                size = part.stop - part.start
                if not 0 <= index < size:
                    raise InputError(f"edge {part.name!r}", f"index must be in [0, {size - 1}]", index)
                return part.start + int(index)
        known = [name for part in self._plan.shapes.context for name in (part.name, part.source)]
        raise InputError(f"region {self.region!r}", f"has no context edge {wanted!r}", hint=nearest(wanted, known))

    @property
    def active(self) -> list[int]:
        """The active cells of the last tick."""
        return np.flatnonzero(self.sim.value(f"{self.region}.state").ravel()).tolist()

    @property
    def winners(self) -> list[int]:
        """The winner cells of the last tick: those that learn."""
        won = self._array("winners")[self._array("work")[segment_lists.PARITY]]
        return sorted(won[1 : 1 + won[0]].tolist())

    def _overlap(self, connected: bool) -> np.ndarray:
        # what segments find in the coming tick; the simulation stays as it is
        self.sim.predict()
        counted = self._array("overlap")
        return counted >> 16 if connected else counted & 0xFFFF

    def active_segments(self) -> list[int]:
        """The segments that make their cells predictive for the coming tick."""
        return np.flatnonzero(self._overlap(True) >= self._plan.hyper["activation_threshold"]).tolist()

    def matching_segments(self) -> list[int]:
        """The segments that match for the coming tick, connected or not."""
        return np.flatnonzero(self._overlap(False) >= self._plan.hyper["min_threshold"]).tolist()

    def predictive(self) -> list[int]:
        """The cells that are predictive for the coming tick."""
        return np.unique(self._array("segment_cell")[self.active_segments()]).tolist()

    # ------------------------------------------------------------------ changing

    def create_segment(self, cell: int) -> int:
        """Give a cell a segment without synapses; returns its number."""
        counters, cell = self._array("counters"), self._cell(cell)
        if len(self.segments(cell)) >= self._plan.hyper["max_segments_per_cell"] or counters[segment_lists.FREE] == 0:
            raise InputError(f"region {self.region!r}", f"cell {cell} or the region is full of segments",
                             hint="raise max_segments_per_cell or max_segments")
        counters[segment_lists.FREE] -= 1
        s = int(self._array("free")[counters[segment_lists.FREE]])
        self._array("segment_cell")[s] = cell
        self._array("born")[s], self._array("used")[s] = counters[segment_lists.MADE], counters[segment_lists.USES]
        counters[segment_lists.MADE] += 1
        counters[segment_lists.USES] += 1
        return s

    def create_synapse(self, segment: int, unit: int, permanence: float) -> None:
        """Give a segment a synapse.

        Parameters
        ----------
        segment : int
        unit : int
            Place in the region's context, as :meth:`unit` finds it.
        permanence : float
            In [0, 1].
        """
        s, n = self._segment(segment), int(self._array("n_synapses")[segment])
        where = f"region {self.region!r}"
        if not 0 <= unit < self._plan.shapes.n_context:
            raise InputError(where, f"unit must be in [0, {self._plan.shapes.n_context - 1}]", unit)
        if not 0 <= permanence <= 1:
            raise InputError(where, "permanence must be in [0, 1]", permanence)
        if n >= self._plan.hyper["max_synapses"]:
            raise InputError(where, f"segment {s} is full", n, "raise max_synapses")
        if unit in self._array("synapses")[s, :n]:
            raise InputError(where, f"segment {s} has a synapse on this unit", unit)
        self._array("synapses")[s, n], self._array("permanences")[s, n] = unit, permanence
        self._array("n_synapses")[s] = n + 1
        self._array("counters")[segment_lists.SYNAPSES] += 1

    def destroy_segment(self, segment: int) -> None:
        """Take a segment away, with its synapses."""
        s, counters = self._segment(segment), self._array("counters")
        counters[segment_lists.SYNAPSES] -= self._array("n_synapses")[s]
        self._array("free")[counters[segment_lists.FREE]] = s
        counters[segment_lists.FREE] += 1
        self._array("synapses")[s], self._array("permanences")[s], self._array("segment_cell")[s] = -1, 0, -1
        for name in ("n_synapses", "born", "used"):
            self._array(name)[s] = 0

    def kill(self, cells: Iterable[int] | float, seed: int = 0) -> list[int]:
        """Let cells die: they are never active again, and their segments are gone.

        Parameters
        ----------
        cells : iterable of int, or float
            Which; or what share of them all, drawn at random.
        seed : int
            Of that draw.

        Returns
        -------
        list of int
            Their numbers.
        """
        dead = self._array("dead")
        if isinstance(cells, (int, float)):
            if not 0 <= cells <= 1:
                raise InputError(f"region {self.region!r}", "the share of cells to kill must be in [0, 1]", cells)
            n = round(float(cells) * len(dead))
            drawn: Iterable[int] = np.random.default_rng(seed).choice(len(dead), n, replace=False).tolist()
        else:
            drawn = cells
        chosen = sorted({self._cell(cell) for cell in drawn})
        dead[chosen] = 1
        for s in np.flatnonzero(np.isin(self._array("segment_cell"), chosen)).tolist():
            self.destroy_segment(s)
        return chosen
