"""What a checkpoint holds of a simulation: every value that changes in a run, as named arrays and plain words.

What follows from the graph and the seed - tables, places, addresses - is not in it: it is made anew, and each array
must then fit exactly where it belongs.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from cortexsim import bookkeeping as d
from cortexsim import guard
from cortexsim.curve_files import check_counts
from cortexsim.errors import FileError, InputError
from cortexsim.graph import RegionGraph
from cortexsim.kind import find_kind
from cortexsim.pointers import direct_places, point
from cortexsim.safe_npz import Members

# arrays of a Memory that are saved whole; the driver's and the kernels' own tables are made anew
WHOLE = ("signals", "counts", "gathered", "active", "status", "baselines", "gradients", "defaults", "images",
         "diverged")
#: Begins the names of arrays that are not the simulation's.
EXTRA = "extra/"
# reals of a region, its score first, that are no addresses
N_KEPT = d.RATE_JOB
#: What whole numbers may be: nothing else is left behind by a run.
LIMITS: dict[str, tuple[int, int | None]] = {
    "there": (0, 1), "cut": (0, 1), "frozen": (0, 1), "listed": (0, None), "counts": (-1, None), "status": (-1, None),
    "diverged": (0, None)}


def arrays_of(sim: Any) -> dict[str, np.ndarray]:
    """Every array to be saved, by name; those that cannot be used as they lie are copies.

    Parameters
    ----------
    sim : Simulation
        Flushed.

    Returns
    -------
    dict
        ``"regions/V1/W"`` for the arrays of regions, one word for all others.
    """
    memory = sim.memory
    arrays = {f"regions/{name}/{key}": array for name, group in memory.arrays.items() for key, array in group.items()}
    arrays |= {name: getattr(memory, name) for name in WHOLE}
    arrays |= {name: np.ascontiguousarray(array[place]) for name, (array, place) in _parts(memory).items()}
    arrays["direct"], arrays["curves"] = direct_places(memory), sim.curves.acc
    return arrays


def _parts(memory: Any) -> dict[str, tuple[np.ndarray, Any]]:
    """Of tables that hold more: the array, and which of its places are saved."""
    views = np.array([memory.view_at[name] for name in memory.row], np.int64)
    tails = np.array([memory.regions[row, d.SCORE_AT] for row in memory.row.values()], np.int64)
    n_edges = len(memory.plan.edges)
    return {"there": (memory.present, memory.edges[:n_edges, d.E_PRESENT].astype(np.int64)),
            "cut": (memory.edges, (slice(0, n_edges), d.E_CUT)),
            "frozen": (memory.regions, (slice(None), d.FROZEN)),
            "listed": (memory.words, views + d.W_ACTIVE + 1),
            "scores": (memory.reals, tails[:, None] + np.arange(N_KEPT)),
            "hyper": (memory.reals, np.array(list(_float_words(memory)), np.int64))}


def _float_words(memory: Any) -> Iterator[int]:
    """Where the hyperparameters that are numbers lie: modulators and learning rates move them."""
    for name in memory.row:
        fields = memory.plan.regions[name].kind.hyper_fields()
        for key in memory.plan.regions[name].hyper:
            if not fields[key].integer:
                yield memory.view_at[name] + memory.layouts[name].word[key]


def restore(sim: Any, file: Members) -> None:
    """Bring saved arrays to where they belong, and refuse values that no run leaves behind.

    Compiled code would follow a wrong list out of its arrays, so whole numbers are looked at closely.

    Parameters
    ----------
    sim : Simulation
        New, of the same graph. After an error it is of no use.
    file : Members
        With an array of the same type and shape for each of :func:`arrays_of`, and no other.

    Raises
    ------
    FileError
        Naming the array.
    """
    memory, expected = sim.memory, arrays_of(sim)
    for name in sorted(expected.keys() ^ {name for name in file.names if not name.startswith(EXTRA)}):
        raise FileError(file.where, f"{'lacks the' if name in expected else 'holds an unknown'} array {name!r}")
    for name in WHOLE:
        file.read_into(name, getattr(memory, name))
        _check_range(name, getattr(memory, name), file.where)
    for name, (array, place) in _parts(memory).items():
        values = np.empty_like(expected[name])
        file.read_into(name, values)
        _check_range(name, values, file.where)
        array[place] = values
    file.read_into("direct", places := expected["direct"])
    lengths = memory.edges[: len(places), d.E_LENGTH]
    # no sum of theirs, which could wrap
    if (places < -1).any() or (places > len(memory.signals) - lengths).any():
        raise FileError(file.where, "array 'direct' points out of the signals")
    point(memory, places)
    for name in memory.row:
        _restore_region(memory, name, file)
    _check_lists(memory, file.where)
    _check_diverged(memory, file.where)
    file.read_into("curves", sim.curves.acc)
    check_counts(sim.curves.acc, file.where)


def _check_diverged(memory: Any, where: str) -> None:
    """The log of divergences: with room for the next one of a region that goes on, and telling of what can happen."""
    counts, halted = memory.diverged[:, 0], memory.status[:, d.HALTED] != 0
    if (counts > guard.RESETS + halted).any():
        raise FileError(where, "array 'diverged' counts more divergences than a region can have", int(counts.max()))
    for row in np.flatnonzero(counts):
        entries = memory.diverged[row, 1:].reshape(-1, guard.N_TOLD)[: counts[row]]
        if not (np.isin(entries[:, guard.TOLD_REASON], guard.REASONS).all()
                and np.isin(entries[:, guard.TOLD_ACTION], range(len(guard.POLICIES))).all()):
            raise FileError(where, "array 'diverged' tells of what cannot happen")


def _restore_region(memory: Any, name: str, file: Members) -> None:
    region, arrays = memory.plan.regions[name], memory.arrays[name]
    drawn = {key: array.copy() for key, array in arrays.items() if array.dtype.kind == "i"}
    for key, array in arrays.items():
        file.read_into(f"regions/{name}/{key}", array)
    halted = memory.status[memory.row[name], d.HALTED] != 0
    for values in (arrays, *_images(memory, name)):
        bad = "" if halted and values is arrays else not_finite(region, values)
        if bad:
            raise FileError(file.where, f"array {bad!r} of region {name!r} holds NaN or infinity")
        wrong = region.kind.wrong_arrays(region.hyper, region.shapes, values, drawn)
        if wrong:
            raise FileError(file.where, f"region {name!r}: {wrong}")


def not_finite(region: Any, arrays: dict[str, np.ndarray]) -> str:
    """The first of a region's learned arrays that holds NaN or infinity; "" where none does."""
    return next((key for key in region.kind.learned if not np.isfinite(arrays[key]).all()), "")


def check_finite(memory: Any) -> None:
    """Refuse to save what would be refused when it is read: the checkpoints before it are worth more.

    A region that has diverged may have been stopped with such weights.

    Raises
    ------
    InputError
        Naming region and array.
    """
    for name, row in memory.row.items():
        bad = "" if memory.status[row, d.HALTED] else not_finite(memory.plan.regions[name], memory.arrays[name])
        if bad:
            raise InputError(f"region {name!r}", f"its array {bad!r} holds NaN or infinity, so no checkpoint is made",
                             hint=f"sim.restart({name!r}) starts it anew")


def _images(memory: Any, name: str) -> Iterator[dict[str, np.ndarray]]:
    """The arrays to which a region is set back should it diverge."""
    policy = memory.policies[memory.row[name]]
    n_images, start, words, at = policy[[guard.POLICY, guard.STORE, guard.WORDS, guard.IMAGE]]
    first = memory.store_words[start:].ctypes.data
    for k in range(n_images):
        image = memory.images[at + k * words : at + (k + 1) * words].view(np.uint8)
        made = {}
        for key, array in memory.arrays[name].items():
            place = array.ctypes.data - first if array.size else 0
            made[key] = image[place : place + array.nbytes].view(array.dtype).reshape(array.shape)
        yield made


def _check_range(name: str, values: np.ndarray, where: str) -> None:
    low, high = LIMITS.get(name, (None, None))
    if low is not None and values.size and (values.min() < low or high is not None and values.max() > high):
        raise FileError(where, f"array {name!r} holds {values.min()} to {values.max()}, which no run leaves behind")


def _check_lists(memory: Any, where: str) -> None:
    """Lists of active units: as long as they may be, and each of them a unit."""
    for signal, at in memory.list_rings.items():
        _, size, slots = memory.rings[signal]
        rows = memory.active[at : at + slots * (size + 1)].reshape(slots, size + 1)
        _check_list(rows[:, 0], rows[:, 1:], size, f"the list of {signal!r}", where)
    for name in memory.row:
        at, size = memory.active_at.get(name), memory.plan.regions[name].shapes.n_context
        units = np.zeros(0, np.int32) if at is None else memory.active[at : at + size]
        count = memory.words[memory.view_at[name] + d.W_ACTIVE + 1 :][:1]
        _check_list(count, units, size, f"the active context of region {name!r}", where)


def _check_list(counts: np.ndarray, units: np.ndarray, size: int, what: str, where: str) -> None:
    if counts.size and (counts.min() < 0 or counts.max() > size):
        raise FileError(where, f"{what} is as long as {counts.max()}, of {size} units")
    if units.size and (units.min() < 0 or units.max() >= size):
        raise FileError(where, f"{what} names unit {units.max()}, of {size}")


# ---------------------------------------------------------------------- words

def words_of(sim: Any) -> dict[str, Any]:
    """Everything beside arrays, in plain values.

    Raises
    ------
    GraphError
        The graph was edited to something that no file can hold.
    """
    curves, ran = sim.curves, planned_graph(sim)
    return {
        "tick": sim.tick, "seed": str(sim.seed), "threads": sim.threads, "on_bad": sim.on_bad,
        "longest_block": sim._longest_block, "graph": sim.graph.node_link(),
        "planned": None if _same_plan(sim.graph, ran) else ran.node_link(),
        "curves": {"bins": curves.bins, "start": curves.start, "bin_width": curves.bin_width,
                   "n_ticks": curves.n_ticks, "events": curves.events, "rows": [list(row) for row in rows_of(curves)]},
        "skipped": sim.skipped, "told": sorted(map(list, sim._notices._told)),
        "warned": sorted(map(list, sim._watch._warned), key=str),
        "energies": None if sim._watch._seen is None else sim._watch._seen.tolist(),
        "diverged": sim._diverged, "place": [sim._place.row, sim._place.again],
    }


def rows_of(curves: Any) -> tuple[list[str], ...]:
    """What curves know of their regions."""
    return curves.regions, curves.kinds, curves.score, curves.scores, curves.predicts


def planned_graph(sim: Any) -> RegionGraph:
    """The graph that runs, from the plan: ``sim.graph`` may have been edited since, without a replan."""
    graph, trial = RegionGraph(), sim.plan.trial
    if trial is not None:
        graph.graph["trial"] = {"length": trial.length, "spans": {name: list(span) for name, span in
                                                                  trial.spans.items()}, "score_at": trial.score_at}
    for name, source in sim.plan.sources.items():
        graph.add_node(name, type="source", shape=source.shape, known=source.known, imagined_by=source.imagined_by,
                       sparse=source.sparse)
    for name, region in sim.plan.regions.items():
        frozen = bool(sim.memory.regions[sim.memory.row[name], d.FROZEN])
        # not as arguments: an attribute may be called anything
        graph.add_nodes_from([(name, {**region.data, "hyper": dict(region.hyper), "frozen": frozen})])
    for name, edge in sim.plan.edges.items():
        graph.edges[edge.source, edge.target, graph.add_edge(edge.source, edge.target, key=name)].update(edge.data)
    return graph.check()


def _same_plan(graph: RegionGraph, ran: RegionGraph) -> bool:
    """Whether a graph is the one that runs, as far as a plan reads it."""
    try:
        return _essence(graph) == _essence(ran)
    except Exception:  # an edit in progress may be anything
        return False


def _essence(graph: RegionGraph) -> dict[Any, Any]:
    trial = graph.graph.get("trial") or {}
    made: dict[Any, Any] = {"trial": (trial.get("length"), str(trial.get("spans")))}
    for name, data in graph.nodes(data=True):
        made[name] = {key: str(value) for key, value in data.items() if key not in ("why", "cite", "hyper")}
        if data["type"] == "region":
            made[name]["hyper"] = find_kind(data["kind"]).check_hyper(name, data["hyper"])
    for source, target, key, data in graph.edges(keys=True, data=True):
        made["edge", key] = source, target, {word: str(value) for word, value in data.items()}
    return made
