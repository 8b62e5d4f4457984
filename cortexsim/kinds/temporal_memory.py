"""temporal_memory: columns of cells predict which columns come next, from segments that grow onto the cells before.

Rules, in the names of the code. A *segment* belongs to a cell; its synapses point to units of the context. A synapse is
connected at ``permanence >= connected``. A segment is *active* if at least ``activation_threshold`` connected synapses
find their unit active, *matching* if at least ``min_threshold`` of any permanence do. In each tick::

    prediction[column] = 1 if a cell of the column has an active segment
    anomaly            = share of the active columns that were not predicted
    column active, predicted:      the predictive cells are active and winners; each of their active segments learns
    column active, not predicted:  all cells are active; the winner is the cell of the best matching segment, which
                                   learns, else the cell with the fewest segments, which grows a new one
    column not active:             its matching segments lose ``predicted_decrement`` on their active synapses
    learning segment:              + ``increment`` on active synapses, - ``decrement`` on the others, and new synapses
                                   up to ``new_synapses`` - (active ones) onto random candidates

Candidates are the winners of the tick before, through the region's own edge (``"name.state@1"``), and the active units
of all other context edges. A synapse at zero goes, and a segment that learning left too small to match. A full segment
loses its weakest synapse, a full cell or region the segment that was useful longest ago; `counters` counts them. What
is not zero in the target is an active column.

Shapes: ``synapses`` (segments, synapses) places in the context, -1 where there is none; ``permanences`` alike;
``segment_cell`` (segments), -1 where free. ``score[2]`` is the share of cells without a segment, ``score[3]`` of
segments in use. Cost of a tick: a few ns for each synapse on an active unit and each synapse that learns, and a look at
every column; memory 12 bytes a synapse and 4 for its list.

Sources: J. Hawkins and S. Ahmad, Frontiers in Neural Circuits 10 (2016) 23, doi:10.3389/fncir.2016.00023; Y. Cui,
S. Ahmad and J. Hawkins, Neural Computation 28 (2016) 2474-2504, doi:10.1162/NECO_a_00893.
"""

from __future__ import annotations

import math
import zlib
from dataclasses import dataclass

import numpy as np

from cortexsim.errors import KindError
from cortexsim.kind import hyper
from cortexsim.native import exact
from cortexsim.rows import clear, dot, subtract
from cortexsim.segment_lists import (
    BARE,
    BUILT,
    CANDIDATES,
    CELLS,
    CHUNK,
    COLUMNS,
    COUNTERS,
    DEAD,
    DOWNS,
    FREE,
    FRESH,
    FULL_CELL,
    FULL_REGION,
    GROWN,
    OWN,
    OWN_END,
    PARITY,
    PUNISHED,
    SHIFT,
    SYNAPSES,
    TOUCHED,
    UPS,
    WON,
    WORK,
    count,
    forget,
    is_on,
    match,
    rebuild,
)
from cortexsim.segments import create, learn, mixed, punish

ROLES, NEEDS = ("context", "target", "gate", "modulator"), ("context", "target")
PORTS, LISTS, SPARSE_CONTEXT = ("prediction", "error", "state"), "state", True
LEARNED = ("synapses", "permanences", "n_synapses", "segment_cell", "born", "used", "free", "counters", "dead",
           "wiring")
f32 = np.float32
WIRES = 64


@dataclass(frozen=True)
class Hyper:
    """Hyperparameters of ``temporal_memory``."""

    cells_per_column: int = hyper(32, "cells of a column", low=1, high=1 << 16, structural=True)
    activation_threshold: int = hyper(13, "connected active synapses that make a segment active", low=1)
    min_threshold: int = hyper(10, "active synapses of any permanence that make it match", low=1)
    new_synapses: int = hyper(20, "active synapses that a learning segment grows to", low=1)
    initial_permanence: float = hyper(0.21, "of a new synapse", low=0.0, high=1.0)
    connected: float = hyper(0.5, "permanence from which a synapse is connected", low=0.0, high=1.0)
    increment: float = hyper(0.1, "what an active synapse of a learning segment gains", low=0.0, high=1.0)
    decrement: float = hyper(0.1, "what an inactive one loses", low=0.0, high=1.0)
    predicted_decrement: float = hyper(0.002, "what an active synapse loses where its column does not come; about the "
                                       "share of active columns times increment", low=0.0, high=1.0)
    grow: bool = hyper(True, "make new synapses and segments; without it only permanences change")
    max_segments_per_cell: int = hyper(128, "segments of a cell, at most", low=1)
    max_synapses: int = hyper(64, "synapses of a segment, at most", low=1, high=4096, structural=True)
    max_segments: int = hyper(0, "segments of the region, at most; 0: 8 for each cell, but not above 16,384", low=0,
                              high=1 << 26, structural=True)


def ports(hyper, shapes):
    """Prediction and error are columns; the state has all cells."""
    cells = shapes.n_target * hyper.cells_per_column
    if shapes.size is not None and shapes.size != cells:
        raise KindError(f"region {shapes.region!r}", f"size must be {shapes.n_target} columns x cells_per_column "
                        f"{hyper.cells_per_column} = {cells}, or be left out", shapes.size)
    return {"prediction": shapes.target_shape, "error": shapes.target_shape,
            "state": (shapes.n_target, hyper.cells_per_column)}


def _own_edge(shapes, n_cells):
    """Where the region's own state of the tick before lies in the context: start and end, both 0 where it does not."""
    for edge in shapes.context:
        if edge.source == f"{shapes.region}.state" and edge.rows == 0 and edge.stop - edge.start == n_cells:
            if edge.delay != 1:
                raise KindError(f"region {shapes.region!r}", "its own state must come with a delay of 1, since winner "
                                "cells are those of the tick before", f"edge {edge.name!r} with delay {edge.delay}")
            return edge.start, edge.stop
    return 0, 0


def allocate(hyper, shapes, rng):
    """No segment at first: all columns burst."""
    n, n_cells, m = shapes.n_target, shapes.n_target * hyper.cells_per_column, shapes.n_context
    segments = hyper.max_segments or min(1 << 14, 8 * n_cells)
    bits = max(0, hyper.max_synapses - 1).bit_length()
    if segments << (bits + 1) >= 1 << 31:
        raise KindError(f"region {shapes.region!r}", f"max_segments must be below {1 << (30 - bits)} with "
                        f"max_synapses {hyper.max_synapses}", segments)
    entries = segments * hyper.max_synapses
    chunks = -(-entries // (CHUNK - 1)) + min(m, entries)
    wiring = np.full((max(WIRES, len(shapes.context)), 3), -1, np.int64)
    for k, edge in enumerate(shapes.context):
        wiring[k] = zlib.crc32(edge.name.encode()), edge.start, edge.stop
    counters, work = np.zeros(COUNTERS, np.int64), np.zeros(WORK, np.int64)
    counters[FREE] = segments
    work[[OWN, OWN_END]], work[SHIFT], work[CELLS] = _own_edge(shapes, n_cells), bits, hyper.cells_per_column

    def whole(*shape, fill=0):
        return np.full(shape, fill, np.int32)

    return {"synapses": whole(segments, 1 << bits, fill=-1), "permanences": np.zeros((segments, 1 << bits), f32),
            "n_synapses": whole(segments), "segment_cell": whole(segments, fill=-1), "dead": whole(n_cells),
            "born": np.zeros(segments, np.int64), "used": np.zeros(segments, np.int64),
            "free": np.arange(segments, dtype=np.int32)[::-1].copy(), "counters": counters, "wiring": wiring,
            # all that follows is activity, or made from what is above
            "wiring_now": wiring.copy(), "work": work, "seed": rng.integers(0, 1 << 62, 1), "anomaly": np.zeros(1, f32),
            "built_with": np.zeros(1, f32), "lists": whole(m, 2), "chunks": whole(chunks * CHUNK),
            "position": whole(segments << bits), "first_of": whole(n_cells), "n_of": whole(n_cells),
            "next_of": whole(segments), "previous_of": whole(segments), "older": whole(segments),
            "newer": whole(segments), "overlap": whole(segments), "touched": whole(segments + 1),
            "first_match": whole(n), "next_match": whole(segments), "columns": whole(n),
            "winners": whole(2, n_cells + 1),
            "candidates": whole(m), "pool": whole(m), "mark": whole(m), "fresh": whole(n, 2),
            "on": np.zeros(m // 64 + 1, np.int64), "listed": np.zeros(m // 64 + 1, np.int64),
            "on_words": whole(m // 64 + 2)}


def wrong_arrays(hyper, shapes, arrays, drawn):
    """Segments, synapses and winners are places that kernels go to without a look."""
    counters, work, cells, n = arrays["counters"], arrays["work"], arrays["segment_cell"], arrays["n_synapses"]
    segments, width = arrays["synapses"].shape
    n_cells, free = len(arrays["dead"]), arrays["free"][:max(0, counters[FREE])]
    filled = arrays["synapses"][np.arange(width) < n[:, None]]
    # before the first tick after an edit of the graph, synapses are numbered as they were
    same = np.array_equal(arrays["wiring"], arrays["wiring_now"])
    units = shapes.n_context if same else max(0, arrays["wiring"][:, 2].max())
    fixed, used = [OWN, OWN_END, SHIFT, CELLS], np.flatnonzero(cells >= 0)
    sound = {
        "wiring_now": np.array_equal(arrays["wiring_now"], drawn["wiring_now"]),
        "work": not work[BUILT] and work[PARITY] in (0, 1) and (work[fixed] == drawn["work"][fixed]).all(),
        "segment_cell": cells.max() < n_cells,
        "n_synapses": n.min() >= 0 and n.max() <= hyper.max_synapses,
        "synapses": not filled.size or filled.min() >= 0 and filled.max() < units,
        "free": np.array_equal(np.sort(np.concatenate([free, used])), np.arange(segments)),
        "counters": counters.min() >= 0 and counters[SYNAPSES] == n[used].sum(),
        "winners": arrays["winners"].min() >= 0 and arrays["winners"][:, 1:].max() < n_cells
        and arrays["winners"][:, 0].max() <= n_cells}
    return next((f"array {name!r} holds what no run leaves behind" for name, well in sound.items() if not well), "")


def notices(hyper, arrays):
    """What happened at the caps."""
    counters, told = arrays["counters"], {}
    if counters[FULL_REGION]:
        told["region full"] = (f"all its {len(arrays['free'])} segments are in use, and each new one takes the place "
                               "of the one that was useful longest ago; raise max_segments to forget less")
    if counters[FULL_CELL]:
        told["cell full"] = (f"a cell has all {hyper.max_segments_per_cell} segments that it may have, and a new one "
                             "takes the place of the one that was useful longest ago; raise max_segments_per_cell")
    return told


def cost(hyper, shapes):
    """Flops and bytes of a tick with one column in fifty active."""
    learning = max(1.0, 0.02 * shapes.n_target) * hyper.new_synapses
    return 10.0 * learning + 4.0 * shapes.n_target, 40.0 * learning + 20.0 * shapes.n_target


# -------------------------------------------------------------------------------------------------------- activation

@exact
def _activate(r, column, n):
    """Activate the cells of a column that is there; returns how many cells are active with them."""
    state, out, work, first, before, best, most = r.state, r.active_out, r.work, r.first_match[column], n, -1, 0
    s = first
    while s >= 0:
        potential, cell = r.overlap[s] & 0xFFFF, r.segment_cell[s]
        if potential >= r.min_threshold and potential > most:
            best, most = s, potential
        if r.overlap[s] >> 16 >= r.activation_threshold and state[cell] == 0:
            state[cell] = f32(1.0)
            k = n
            while k > before and out[k] > cell:
                out[k + 1] = out[k]
                k -= 1
            out[k + 1] = cell
            n += 1
        s = r.next_match[s]
    if n > before:
        for k in range(before, n):
            _win(r, out[k + 1])
        s = first if r.learn else -1
        while s >= 0:
            after = r.next_match[s]
            if r.overlap[s] >> 16 >= r.activation_threshold:
                learn(r, s)
            s = after
        return n
    for cell in range(column * work[CELLS], (column + 1) * work[CELLS]):
        if work[DEAD] == 0 or r.dead[cell] == 0:
            state[cell] = f32(1.0)
            n += 1
            out[n] = cell
    if best >= 0:
        _win(r, r.segment_cell[best])
        if r.learn:
            learn(r, best)
    elif n > before:
        r.fresh[work[FRESH], 0], r.fresh[work[FRESH], 1] = column, work[WON]
        work[FRESH] += 1
        _win(r, -1)
    return n


@exact
def _win(r, cell):
    r.work[WON] += 1
    r.winners[1 - r.work[PARITY], r.work[WON]] = cell


@exact
def _least_used(r, column):
    """The living cell of a column that has the fewest segments, drawn where there are several."""
    counts, first, last, ties = r.n_of, column * r.work[CELLS], (column + 1) * r.work[CELLS], 0
    fewest = counts[first]
    for cell in range(first + 1, last):
        fewest = min(fewest, counts[cell])
    for cell in range(first, last):
        ties += counts[cell] == fewest
    drawn = ((mixed(mixed(r.seed[0], r.tick), -1 - column) & 0xFFFFFFFF) * ties) >> 32
    cell = first
    while counts[cell] != fewest or drawn > 0:
        drawn -= counts[cell] == fewest
        cell += 1
    return cell


@exact
def _find_candidates(r):
    """What synapses may grow onto: winners of the tick before, and active units that are not the region's own."""
    work, n = r.work, 0
    own, end, winners = work[OWN], work[OWN_END], r.winners[work[PARITY]]
    for k in range(winners[0] if end > own else 0):
        r.candidates[n] = own + winners[1 + k]
        n += is_on(r, own + winners[1 + k])
    for k in range(r.active.shape[0] if r.context.shape[0] > end - own else 0):
        unit = r.active[k]
        if unit < own or unit >= end:
            r.candidates[n] = unit
            n += 1
    work[CANDIDATES] = n


@exact
def _predict(r):
    work, overlap, touched = r.work, r.overlap, r.touched
    if work[BUILT] == 0 or r.built_with[0] != r.connected:
        rebuild(r)
    for k in range(work[COLUMNS]):
        r.first_match[r.columns[k]] = -1
    count(r)
    work[COLUMNS] = 0
    clear(r.prediction, 0, r.prediction.shape[0])
    for k in range(work[TOUCHED]):
        s = touched[k]
        if overlap[s] & 0xFFFF >= r.min_threshold or overlap[s] >> 16 >= r.activation_threshold:
            match(r, s)


@exact
def _compare(r):
    n, active, missed = r.prediction.shape[0], 0, 0
    subtract(r.error, 0, n, r.target, 0, r.prediction, 0)
    for c in range(n):
        active += r.target[c] != 0
        missed += (r.target[c] != 0) & (r.prediction[c] == 0)
    r.anomaly[0] = missed / max(1, active)


@exact
def _update(r):
    work, state, out, target, n = r.work, r.state, r.active_out, r.target, 0
    for k in range(out[0]):
        state[out[k + 1]] = f32(0.0)
    work[CANDIDATES] = work[UPS] = work[DOWNS] = work[PUNISHED] = work[GROWN] = work[WON] = work[FRESH] = 0
    if r.learn and r.grow:
        _find_candidates(r)
    punishes = r.learn == 1 and r.predicted_decrement > 0
    for c in range(r.prediction.shape[0]):
        if target[c] != 0:
            n = _activate(r, c, n)
        elif punishes and r.first_match[c] >= 0:
            punish(r, c)
    out[0] = n
    winners = r.winners[1 - work[PARITY]]
    winners[0] = work[WON]
    for k in range(work[FRESH]):
        cell = _least_used(r, r.fresh[k, 0])
        winners[r.fresh[k, 1] + 1] = cell
        if work[CANDIDATES] > 0:
            create(r, cell)
    work[PARITY] = 1 - work[PARITY]
    squares = (work[UPS] * r.increment ** 2 + work[DOWNS] * r.decrement ** 2
               + work[PUNISHED] * r.predicted_decrement ** 2 + work[GROWN] * r.initial_permanence ** 2)
    columns = r.prediction.shape[0]
    r.score[0] = dot(r.error, 0, r.error, 0, columns) / columns
    r.score[1] = math.sqrt(squares / max(1, r.counters[SYNAPSES]))
    r.score[2] = work[BARE] / r.n_of.shape[0]
    r.score[3] = 1.0 - r.counters[FREE] / r.free.shape[0]
    r.score[7] = r.anomaly[0]


def predict(r):
    """Count active synapses of every segment that has any; predict the columns of the active segments."""
    _predict(r)


def compare(r):
    """The error of the columns, and the share of them that nobody expected."""
    _compare(r)


def update(r):
    """Activate cells, learn, score."""
    _update(r)


def tick(r):
    """All three."""
    _predict(r)
    _compare(r)
    _update(r)


def flush(r):
    """Forget what was made from the permanences: somebody may set them."""
    forget(r)
