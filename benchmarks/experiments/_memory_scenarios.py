"""Runs scenarios of a temporal memory, given as operations and expectations, on a real simulation.

The format is that of ``conformance/htm_temporal_memory.json``: parameters under the names of HTM, operations that make
segments and synapses by hand or run a tick, and expectations of cells, segments and synapses. A word that is not known
raises ``ValueError``, so that nothing passes unchecked.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

import cortexsim as cs
from cortexsim.memory_cells import MemoryCells

BEYOND = 4096  # context units after the region's own cells, for cells that the scenario has and the region does not
HYPER = {"cellsPerColumn": "cells_per_column", "activationThreshold": "activation_threshold",
         "initialPermanence": "initial_permanence", "connectedPermanence": "connected",
         "minThreshold": "min_threshold", "maxNewSynapseCount": "new_synapses", "permanenceIncrement": "increment",
         "permanenceDecrement": "decrement", "predictedSegmentDecrement": "predicted_decrement",
         "maxSegmentsPerCell": "max_segments_per_cell", "maxSynapsesPerSegment": "max_synapses"}
NOT_HYPER = ("columnDimensions", "seed", "checkInputs")


class Scenario:
    """One scenario as it runs.

    Parameters
    ----------
    params : mapping
        Parameters under the names of HTM.
    seed : int, optional
        By default that of the parameters.
    """

    def __init__(self, params: Mapping[str, Any], seed: int | None = None) -> None:
        unknown = set(params) - set(HYPER) - set(NOT_HYPER)
        if unknown:
            raise ValueError(f"parameters that are not known: {sorted(unknown)}")
        self.n_columns = int(np.prod(params["columnDimensions"]))
        hyper = {HYPER[name]: value for name, value in params.items() if name in HYPER}
        graph = cs.RegionGraph()
        graph.add_source("columns", size=self.n_columns)
        graph.add_source("beyond", size=BEYOND, sparse=True)
        graph.add_region("tm", kind="temporal_memory", predicts="columns", context=["tm.state@1", "beyond@1"], **hyper)
        self.n_cells = self.n_columns * graph.nodes["tm"]["hyper"].get("cells_per_column", 32)
        self.sim = cs.Simulation(graph, seed=int(params.get("seed", 42)) if seed is None else seed)
        self.cells = MemoryCells(self.sim, "tm")
        self.segments: dict[Any, tuple[int, int]] = {}
        self.synapses: dict[Any, tuple[Any, int]] = {}
        self.before = self.learned()

    def learned(self) -> dict[str, np.ndarray]:
        """A copy of all that was learned."""
        names = self.sim.plan.regions["tm"].kind.learned
        return {name: self.sim.get(f"tm.{name}") for name in names}

    # ------------------------------------------------------------------ names

    def unit(self, cell: int) -> int:
        """The context unit that stands for a presynaptic cell."""
        if cell < self.n_cells:
            return self.cells.unit(cell)
        return self.cells.unit(cell - self.n_cells, "beyond")

    def presynaptic(self, unit: int) -> int:
        """The presynaptic cell of a context unit."""
        own, beyond = self.cells.unit(0), self.cells.unit(0, "beyond")
        return unit - own if own <= unit < own + self.n_cells else unit - beyond + self.n_cells

    def segment(self, name: Any) -> int | None:
        """The number of a named segment; None where it is gone."""
        if name not in self.segments:
            raise ValueError(f"no segment is called {name!r}")
        number, born = self.segments[name]
        return number if self.cells.exists(number) and self.sim.get("tm.born")[number] == born else None

    def name_of(self, number: int) -> Any:
        """The name of a segment, or its number where it has none."""
        return next((name for name in self.segments if self.segment(name) == number), number)

    def permanences(self, name: Any) -> dict[int, float]:
        """Presynaptic cell -> permanence of a named segment; nothing where it is gone."""
        number = self.segment(name)
        found = [] if number is None else self.cells.synapses(number)
        return {self.presynaptic(unit): permanence for unit, permanence in found}

    def permanence(self, item: Mapping[str, Any]) -> float | None:
        """The permanence of a synapse, by its own name or its segment's; None where it is gone."""
        if "synapse" in item and item["synapse"] not in self.synapses:
            raise ValueError(f"no synapse is called {item['synapse']!r}")
        segment, cell = self.synapses[item["synapse"]] if "synapse" in item else (item["segment"],
                                                                               item["presynapticCell"])
        return self.permanences(segment).get(cell)

    # ------------------------------------------------------------------ operations

    def do(self, item: Mapping[str, Any]) -> None:
        """One operation."""
        operation = OPERATIONS.get(item["op"])
        if operation is None:
            raise ValueError(f"operation {item['op']!r} is not known")
        operation(self, item)

    def create_segment(self, item: Mapping[str, Any]) -> None:
        """A segment, under a name."""
        number = self.cells.create_segment(item["cell"])
        self.segments[item.get("name") or f"segment {number}"] = number, int(self.sim.get("tm.born")[number])

    def create_synapse(self, item: Mapping[str, Any]) -> None:
        """A synapse, under a name where it has one."""
        number = self.segment(item["segment"])
        if number is None:
            raise ValueError(f"segment {item['segment']!r} is gone")
        self.cells.create_synapse(number, self.unit(item["presynapticCell"]), item["permanence"])
        if item.get("name"):
            self.synapses[item["name"]] = item["segment"], item["presynapticCell"]

    def compute(self, item: Mapping[str, Any]) -> None:
        """One tick."""
        row = np.zeros(self.n_columns, np.float32)
        row[item["activeColumns"]] = 1
        if item.get("learn", True):
            self.sim.unfreeze("tm")
        else:
            self.sim.freeze("tm")
        self.sim.observe({"columns": row, "beyond": np.zeros(BEYOND, np.float32)})

    def name_segment(self, item: Mapping[str, Any]) -> None:
        """Call a segment that has grown by a name: the one of a cell (by default the first winner) at an index."""
        cell = item["cell"] if "cell" in item else self.cells.winners[0]
        number = self.cells.segments(cell)[item.get("index", -1)]
        self.segments[item["name"]] = number, int(self.sim.get("tm.born")[number])

    def remember(self, item: Mapping[str, Any]) -> None:
        """Note all that is learned, for the expectation that it has not changed."""
        self.before = self.learned()

    # ------------------------------------------------------------------ expectations

    def expect(self, item: Mapping[str, Any]) -> str:
        """Check one expectation; returns what is wrong, "" where nothing is."""
        look = LOOKS.get(item["expect"])
        if look is None:
            raise ValueError(f"expectation {item['expect']!r} is not known")
        forms = [word for word in item if word in FORMS]
        unknown = set(item) - set(FORMS) - {"expect", "tol", "segment", "synapse", "cell", "presynapticCell", "column"}
        if not forms or unknown:
            raise ValueError(f"expectation {item} needs one of {sorted(FORMS)} and nothing unknown: {sorted(unknown)}")
        found, tolerance = look(self, item), float(item.get("tol", 1e-5))
        wrong = [f"{word} {item[word]}" for word in forms if not FORMS[word](found, item[word], tolerance)]
        return f"{dict(item)}: is {found}" if wrong else ""

    def count_segments(self, item: Mapping[str, Any]) -> int:
        """Segments of a cell, or all."""
        return len(self.cells.segments(item.get("cell")))

    def count_synapses(self, item: Mapping[str, Any]) -> int:
        """Synapses of a segment, or all."""
        return len(self.permanences(item["segment"])) if "segment" in item else self.cells.n_synapses

    def unchanged(self, item: Mapping[str, Any]) -> bool:
        """Whether what is learned is as it was when it was remembered."""
        return all(np.array_equal(values, self.before[name]) for name, values in self.learned().items())

    def run(self, ops: list[Mapping[str, Any]]) -> list[str]:
        """All operations and expectations in their order; returns what is wrong."""
        wrong = []
        for item in ops:
            if ("op" in item) == ("expect" in item):
                raise ValueError(f"neither an operation nor an expectation: {item}")
            if "op" in item:
                self.do(item)
            else:
                wrong.append(self.expect(item))
        return [text for text in wrong if text]


def _plain(value: Any) -> Any:
    """Lists in order: cells and segments are sets."""
    return sorted(value, key=str) if isinstance(value, (list, tuple, set)) else value


def _same(found: Any, wanted: Any, tolerance: float) -> bool:
    if isinstance(found, float) and isinstance(wanted, (int, float)):
        return abs(found - wanted) <= tolerance
    if isinstance(found, list) and isinstance(wanted, list) and any(isinstance(one, float) for one in found + wanted):
        pairs = zip(sorted(found), sorted(wanted), strict=False)
        return len(found) == len(wanted) and all(abs(one - other) <= tolerance for one, other in pairs)
    return _plain(found) == _plain(wanted)


def _size(found: Any, wanted: Any, _tolerance: float) -> bool:
    return len(found) == wanted


FORMS: dict[str, Callable[[Any, Any, float], bool]] = {
    "equals": _same,
    "notEquals": lambda found, wanted, tolerance: not _same(found, wanted, tolerance),
    "anyOf": lambda found, wanted, tolerance: any(_same(found, one, tolerance) for one in wanted),
    "subsetOf": lambda found, wanted, _: set(found) <= set(wanted),
    "contains": lambda found, wanted, _: set(wanted if isinstance(wanted, list) else [wanted]) <= set(found),
    "disjointFrom": lambda found, wanted, _: not set(found) & set(wanted),
    "nonempty": lambda found, wanted, _: bool(found) == wanted,
    "empty": lambda found, wanted, _: (not found) == wanted,
    "size": _size,
    "atLeast": lambda found, wanted, tolerance: found >= wanted - tolerance,
    "atMost": lambda found, wanted, tolerance: found <= wanted + tolerance,
}
OPERATIONS: dict[str, Callable[[Scenario, Mapping[str, Any]], None]] = {
    "createSegment": Scenario.create_segment,
    "createSynapse": Scenario.create_synapse,
    "compute": Scenario.compute,
    # segments are looked at anew whenever somebody asks
    "activateDendrites": lambda scenario, item: scenario.sim.predict() and None,
    "reset": lambda scenario, item: scenario.sim.reset(),
    "nameSegment": Scenario.name_segment,
    "remember": Scenario.remember,
    "destroySegment": lambda scenario, item: scenario.cells.destroy_segment(scenario.segment(item["segment"]) or 0),
}
LOOKS: dict[str, Callable[[Scenario, Mapping[str, Any]], Any]] = {
    "getPredictiveCells": lambda scenario, item: scenario.cells.predictive(),
    "getActiveCells": lambda scenario, item: scenario.cells.active,
    "getWinnerCells": lambda scenario, item: scenario.cells.winners,
    "getMatchingSegments": lambda scenario, item: list(map(scenario.name_of, scenario.cells.matching_segments())),
    "getActiveSegments": lambda scenario, item: list(map(scenario.name_of, scenario.cells.active_segments())),
    "synapsePermanence": Scenario.permanence,
    "synapseDestroyed": lambda scenario, item: scenario.permanence(item) is None,
    "segmentDestroyed": lambda scenario, item: scenario.segment(item["segment"]) is None,
    "segmentCell": lambda scenario, item: scenario.cells.cell(scenario.segment(item["segment"]) or 0),
    "segmentsForCell": lambda scenario, item: list(map(scenario.name_of, scenario.cells.segments(item["cell"]))),
    "numSegments": Scenario.count_segments,
    "numSynapses": Scenario.count_synapses,
    "presynapticCells": lambda scenario, item: list(scenario.permanences(item["segment"])),
    "permanences": lambda scenario, item: list(scenario.permanences(item["segment"]).values()),
    "connectionsUnchanged": Scenario.unchanged,
    "anomaly": lambda scenario, item: float(scenario.sim.get("tm.anomaly")[0]),
}


def run_scenario(test: Mapping[str, Any], seed: int | None = None) -> list[str]:
    """Run one test of the file.

    Parameters
    ----------
    test : mapping
        ``params`` and ``ops``.
    seed : int, optional
        In place of the one that the parameters name.

    Returns
    -------
    list of str
        What is not as expected.

    Raises
    ------
    ValueError
        For a parameter, an operation or an expectation that is not known.
    """
    return Scenario(test["params"], seed).run(test["ops"])
