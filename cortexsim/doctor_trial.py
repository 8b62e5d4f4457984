"""The next inputs run on a copy that does not learn: once as it is, then once for each edge, with that edge silent.

The copy is the same at the start of each of these runs and nothing in it is random, so two of them differ by nothing
but the edge: where a region's error is the same to the bit, nothing that came over the edge has reached it.
"""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from cortexsim import bookkeeping as d
from cortexsim import carry
from cortexsim.curves import Curves
from cortexsim.doctor_case import FEW_TICKS, GROUPS, Case
from cortexsim.doctor_report import Finding
from cortexsim.doctor_values import Rows
from cortexsim.errors import CortexsimError
from cortexsim.measures import FIELDS
from cortexsim.plan_shapes import EdgePlan
from cortexsim.probe import Recorder

SILENCED = ("context", "prior", "feedback", "modulator")  #: Roles of the edges that are tried.
MANY_EDGES = 256  #: Tried at most; those with the smallest weights first.
UNUSED = 1e-3  #: Relative change of an error below which an edge does nothing.
SURE = 5e-3  #: Where change and noise come to more than that, a change within its noise is not taken as none.
RECORDED = 1 << 22  #: Numbers recorded at once.
WHOLE = "free energy"  #: Of the graph: stands where else the region whose error it is.
SLOW = 3.0  #: Seconds from which on a progress bar is shown.
TICKS, LOSS, LOSS_MEAN, ENERGY, ENERGY_TICKS = (
    FIELDS.index(name) for name in ("ticks", "loss", "loss_mean", "energy", "energy_ticks"))
Seen = dict[str, tuple[NDArray[Any], NDArray[Any]]]


class Twin:
    """A copy of a simulation that does not learn, and can be put back to where it began.

    Parameters
    ----------
    sim : Simulation
    rows : dict of float32 array [rows, size]
        What comes in, NaN where a source brings nothing.
    ticks : int
        To run.
    """

    def __init__(self, sim: Any, rows: Rows, ticks: int) -> None:
        self.sim, self.rows, self.ticks = sim, rows, ticks
        self.repeat = sim._repeat()
        self.copy = sim.copy()
        self.copy.engine.learn, self.copy.on_bad = False, "skip"
        self.rewind()

    def rewind(self) -> None:
        """Put everything back, with curves that have a bin for each tick, if there are not too many."""
        sim, copy = self.sim, self.copy
        copy.memory.store[:] = sim.memory.store
        carry.copy_values(sim.memory, copy.memory)
        copy.tick, copy._diverged = sim.tick, dict(sim._diverged)
        copy.curves = Curves(*carry.curve_rows(copy.plan), bins=min(512, self.ticks + self.ticks % 2), start=sim.tick)
        copy.engine.curves = copy.curves.acc

    def run(self, first: int, ticks: int) -> None:
        """Run some ticks from the `first` of the trial on."""
        a, b = first // self.repeat, (first + ticks) // self.repeat
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            self.copy.run({name: rows[a:b] for name, rows in self.rows.items()}, ticks=ticks)

    def watched(self) -> tuple[Seen, dict[str, int]]:
        """Run as it is; the range of every unit of states, predictions and errors, and how often regions were due."""
        copy, seen = self.copy, Seen()
        signals = [f"{name}.{port}" for name, region in copy.plan.regions.items()
                   for port in ("state", "prediction", "error") if port in region.ports]
        before = copy.memory.status[:, d.DUE].copy()
        size = sum(copy.memory.rings[signal][1] for signal in signals)
        stretch = max(1, RECORDED // max(1, size) // self.repeat) * self.repeat
        for first in range(0, self.ticks, stretch):
            copy.recorder = Recorder()
            probes = [copy.record(signal) for signal in signals]
            self.run(first, min(stretch, self.ticks - first))
            for probe in probes:
                values = probe.values
                low, high = values.min(axis=0), values.max(axis=0)
                former = seen.get(probe.signal, (low, high))
                seen[probe.signal] = np.minimum(low, former[0]), np.maximum(high, former[1])
        copy.recorder = Recorder()
        due = copy.memory.status[:, d.DUE] - before
        return seen, {name: int(due[row]) for name, row in copy.memory.row.items()}

    def without(self, edge: str) -> NDArray[np.float64] | None:
        """The sums of all curves with an edge silent; None where a region does not stand it."""
        self.rewind()
        self.copy.memory.edges[self.copy.memory.edge_row[edge], d.E_CUT] = 1
        try:
            self.run(0, self.ticks)
        except CortexsimError:
            return None
        return self.sums()

    def sums(self) -> NDArray[np.float64]:
        """The sums of all curves of this run [regions, bins, 15]."""
        return self.copy.curves.acc.copy()


def try_edges(case: Case, twin: Twin, base: NDArray[np.float64], due: Mapping[str, int], seconds: float,
              progress: bool | None) -> list[dict[str, Any]]:
    """Silence edges one by one.

    Parameters
    ----------
    case : Case
    twin : Twin
    base : float64 array [regions, bins, 15]
        Sums of the curves of the run with all edges.
    due : mapping of str to int
        Region -> how often it was due there.
    seconds : float
        What that run took.
    progress : bool or None
        Show a progress bar; None: where it takes long.

    Returns
    -------
    list of dict
        A row for each edge that was tried, in the order of readers.
    """
    edges = edges_to_try(case)
    shown = progress if progress is not None else seconds * len(edges) > SLOW
    rows = []
    with Recorder.bar(len(edges) if shown else 0, "edge") as bar:
        for edge in edges:
            silent = _silent(twin, edge, due)
            sums = None if silent else twin.without(edge.name)
            rows.append(_row(case, edge, base, sums, silent))
            bar.update(1)
    return sorted(rows, key=lambda row: (row["reader"], row["edge"]))


def edges_to_try(case: Case) -> list[EdgePlan]:
    """The edges to silence: of the roles that are asked, not cut, into regions that work; few enough."""
    edges = [edge for region in case.regions() for role in SILENCED for edge in region.edges[role]
             if not edge.data["lesioned"] and edge.target not in case.told]
    if len(edges) > MANY_EDGES:
        edges.sort(key=lambda edge: (_weight(case, edge), edge.name))
    return edges[:MANY_EDGES]


def _weight(case: Case, edge: EdgePlan) -> float:
    """The largest weight of an edge, where its kind tells which those are (else infinity: tried last)."""
    region, arrays = case.plan.regions[edge.target], case.sim.memory.arrays[edge.target]
    found = []
    for key, axes in region.kind.axes.items():
        for axis, meaning in enumerate(axes):
            wanted = "dense" if edge.role == "context" and not edge.rows else edge.role
            if meaning in (wanted, edge.role) and key in region.kind.learned and arrays[key].size:
                part = np.take(arrays[key], range(edge.offset, min(edge.offset + edge.length, arrays[key].shape[axis])),
                               axis=axis)
                found.append(float(np.abs(part).max(initial=0.0)))
    return max(found) if found else np.inf


def _silent(twin: Twin, edge: EdgePlan, due: Mapping[str, int]) -> bool:
    """Whether nothing but zeros, or nothing at all, came over an edge."""
    if edge.source in twin.rows:
        units = edge.units[edge.units >= 0]
        return not np.nan_to_num(twin.rows[edge.source][:, units]).any()
    return due[edge.source] == 0


def _row(case: Case, edge: EdgePlan, base: NDArray[np.float64], sums: NDArray[np.float64] | None,
         silent: bool) -> dict[str, Any]:
    row: dict[str, Any] = {"edge": edge.name, "role": edge.role, "reader": edge.target, "felt_by": None, "loss": None,
                           "loss_without": None, "change": None, "noise": None, "verdict": "silent"}
    if silent:
        return row
    if case.total(edge.target, "learned") < FEW_TICKS:
        return row | {"verdict": "too early"}
    if sums is None:
        return row | {"verdict": "used"}
    changes = [Change(name, *change) for r, name in enumerate(case.curves.regions)
               if base[r, :, LOSS_MEAN].sum() > 0 and (change := _change(base[r], sums[r], LOSS, TICKS))]
    # what one region gains another may pay for: only the whole tells
    energy = _change(base.sum(axis=0), sums.sum(axis=0), ENERGY, ENERGY_TICKS)
    if energy:
        changes.append(Change(WHOLE, *energy))
    if not changes:
        return row | {"verdict": "not scored"}
    most = max(changes, key=lambda change: abs(change.change))
    return row | {"felt_by": most.where, "loss": most.loss, "loss_without": most.without, "change": most.change,
                  "noise": most.noise, "verdict": _verdict(edge, changes)}


class Change(NamedTuple):
    """What an error, or the free energy of the graph, is with and without an edge; relative change, and its noise.

    `agree`: nearly all stretches in which anything changed changed in the same direction.
    """

    where: str
    loss: float
    without: float
    change: float
    noise: float
    agree: bool


def _change(base: NDArray[np.float64], sums: NDArray[np.float64], what: int,
            counted: int) -> tuple[float, float, float, float, bool] | None:
    """A `Change` from the bins of a curve with and without an edge; None where nothing was counted."""
    ticks = base[:, counted]
    if ticks.sum() == 0:
        return None
    loss = base[:, what].sum() / ticks.sum()
    if sums[:, counted].sum() != ticks.sum():
        # a region was due at other ticks, or no more at all
        return loss, np.nan, np.inf, 0.0, True
    without = sums[:, what].sum() / ticks.sum()
    # what is nothing beside the running mean's error is rounding
    least = 1e-6 * np.nan_to_num(base[:, LOSS_MEAN].sum()) / ticks.sum() if what == LOSS else 0.0
    scale = max(abs(loss), least, 1e-30)
    groups = np.array_split(np.flatnonzero(ticks > 0), min(GROUPS, int((ticks > 0).sum())))
    parts = np.array([(sums[g, what].sum() - base[g, what].sum()) / ticks[g].sum() for g in groups])
    noise = parts.std(ddof=1) / np.sqrt(len(parts)) if len(parts) > 1 else np.inf
    changed = np.sign(parts[parts != 0])
    agree = len(changed) >= 5 and abs(changed.mean()) >= 0.8  # of 16, fourteen: by chance once in 200
    return loss, without, (without - loss) / scale, noise / scale, agree


def _verdict(edge: EdgePlan, changes: list[Change]) -> str:
    def clear(found: Change) -> bool:
        return (found.agree or abs(found.change) > 2 * found.noise) and abs(found.change) >= UNUSED

    if not any(clear(found) or abs(found.change) >= UNUSED and abs(found.change) + 2 * found.noise >= SURE
               for found in changes):
        return "unused"
    if not any(clear(found) for found in changes):
        return "unclear"
    # without what they are to agree with, regions that settle always explain their own input better
    if edge.role in ("context", "modulator") and not any(clear(found) and found.change > 0 for found in changes):
        if min(found.change + 3 * found.noise for found in changes) < -2 * SURE:
            return "harmful"
    return "used"


def check_edges(rows: list[dict[str, Any]], ticks: int) -> Iterator[Finding]:
    """Edges that nobody uses, and those without which the errors are smaller.

    Parameters
    ----------
    rows : list of dict
        As `try_edges` makes them.
    ticks : int
        Of each run.
    """
    for row in rows:
        name, change = row["edge"], row["change"]
        numbers = {key: row[key] for key in ("felt_by", "loss", "loss_without", "change", "noise")}
        if row["verdict"] == "unused":
            felt = "no error in the graph changed by a bit" if change == 0 else (
                f"what changed most, {_of(row)}, went from {row['loss']:.4g} to "
                f"{row['loss_without']:.4g} ({change:+.2%} +- {row['noise']:.2%})")
            yield Finding("note", "unused edge", f"edge {name!r}", f"silenced for {ticks:,} ticks, {felt}",
                          f"if {row['reader']!r} has learned all it will, leave it out, or sim.lesion({name!r}): it "
                          "costs time and brings nothing", numbers)
        elif row["verdict"] == "harmful":
            yield Finding(
                "note", "harmful edge", f"edge {name!r}", f"without it {_of(row)} is smaller: "
                f"{row['loss']:.4g} to {row['loss_without']:.4g} ({change:+.2%} +- {row['noise']:.2%}) in {ticks:,} "
                "ticks", f"sim.lesion({name!r}) and let {row['reader']!r} learn on; or a smaller learning rate of it",
                numbers)


def _of(row: dict[str, Any]) -> str:
    return "the free energy of the graph" if row["felt_by"] == WHOLE else f"the error of {row['felt_by']!r}"


def timed(work: Callable[[], Any]) -> tuple[Any, float]:
    """What a call returns, and the seconds it took."""
    started = time.perf_counter()
    made = work()
    return made, time.perf_counter() - started
