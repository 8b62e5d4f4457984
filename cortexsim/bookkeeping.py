"""What happens around a kernel: clocks, gates, gathers, baselines, scores and records of one region at one tick.

Every signal is a ring of slots; a region that is not due keeps its slot, so holding costs nothing. ``counts`` tells for
each node and tick which slot holds its value (-1: silent). All numbers are in the arrays of :data:`TABLES`, which
``tables.py`` fills from a plan. Constants name the columns of those tables: numba freezes them when it compiles.

These functions become part of the loop in ``driver.py``, whose cached code is stamped with the text of this file.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit

from cortexsim.native import DRIVER_FLAGS, HEADER, Layout

# columns of `regions`
(VIEW, PERIOD, OFFSET, HOLD, COUNT_AT, COUNT_MASK, PREDICT, COMPARE, UPDATE, TICK, FROZEN, BITS, BASELINE, N_TARGET,
 TARGET_AT, SPARSE, ACTIVE_AT, CONTEXT_AT, N_CONTEXT, SCORE_AT, PROBE, PROBE_END, EARLY) = range(23)
# then a pair (first, last) of edges for each role, and a triple (place, size, mask) for each port
CONTEXT, TARGET, PRIOR, FEEDBACK, GATE, MODULATOR = 23, 25, 27, 29, 31, 33
PORT = 35
PREDICTION, ERROR, STATE, RECONSTRUCTION, FEEDBACK_OUT = 0, 1, 2, 3, 4
# the ring of lists of active units (-1: none), and where the target lies that a trial is scored by (-1: as usual)
LIST_AT, LIST_MASK, LIST_SIZE, SCORED_AT = 50, 51, 52, 53
# whether the list belongs to a port that is held while there is no target
LIST_HELD = 54
N_REGION = 55
# columns of `edges`
(E_COUNT, E_COUNT_MASK, E_SIGNAL, E_SIZE, E_MASK, E_DELAY, E_START, E_LENGTH, E_INDEX, E_TO, E_CUT, E_SPAN, E_SILENT,
 E_PRESENT, E_DIRECT, E_LIST, E_WORD, E_SET) = range(18)
N_EDGE = 18
# columns of `status`, the counters of a region that change as it runs
DUE, ON, RESET, SEEN, BAD, CYCLES, TIMED = range(7)
N_STATUS = 7
# columns of `probes`
P_REGION, P_PORT, P_EVERY, P_TO, P_SIZE = range(5)
# columns of the curves
TICKS, LOSS, LOSS_LAST, LOSS_MEAN, STEP_SIZE, DEAD, SATURATED, LEARNED = range(8)

TABLE_SCALARS = ("learn", "scoring", "bin_start", "bin_shift", "trial_length", "score_at", "record_start",
                 "signals_address", "gathered_address", "words_address", "active_address")
TABLE_ARRAYS = (("regions", "int64", 2), ("edges", "int64", 2), ("limits", "float64", 2), ("words", "int64", 1),
                ("reals", "float64", 1), ("defaults", "float64", 1), ("signals", "float32", 1),
                ("gathered", "float32", 1), ("indices", "int32", 1), ("counts", "int64", 1), ("active", "int32", 1),
                ("status", "int64", 2), ("baselines", "float32", 1), ("curves", "float64", 3), ("probes", "int64", 2),
                ("records", "float32", 1), ("spans", "int64", 1), ("present", "int64", 1), ("steps", "int64", 2),
                ("unit_start", "int64", 1), ("parts", "int64", 2), ("level_start", "int64", 1))
TABLES = Layout([(name, "int") for name in TABLE_SCALARS], TABLE_ARRAYS)

W_TICK, W_TRIAL, W_PLACE, W_SPAN, W_LEARN, W_RESET, W_DUE = (
    HEADER.word[name] for name in ("tick", "trial", "place", "span", "learn", "reset", "due"))
W_ACTIVE, W_SCORE = HEADER.word["active"], HEADER.word["score"]
W_ROLE = (HEADER.word["context"], HEADER.word["target"], HEADER.word["prior"], HEADER.word["feedback"])
W_CONTEXT, W_TARGET, W_PRIOR, W_FEEDBACK = W_ROLE
W_PREDICTION, W_ERROR, W_STATE, W_RECONSTRUCTION, W_FEEDBACK_OUT = (
    HEADER.word[name] for name in ("prediction", "error", "state", "reconstruction", "feedback_out"))
W_ACTIVE_OUT = HEADER.word["active_out"]
# not cached: the loop that holds them is
compiled = njit(**DRIVER_FLAGS)


@compiled
def slot_of(T, e, t):
    """The slot in which edge `e` finds its value at tick `t`, or -1."""
    edges = T.edges
    then = t - edges[e, E_DELAY]
    if edges[e, E_CUT] or then < 0:
        return -1
    return T.counts[edges[e, E_COUNT] + (then & edges[e, E_COUNT_MASK])]


@compiled
def _copy(T, e, slot, to):
    """Copy what edge `e` delivers into `gathered`; zeros where its writer is silent."""
    edges, gathered, signals = T.edges, T.gathered, T.signals
    n = edges[e, E_LENGTH]
    if slot < 0:
        for i in range(n):
            gathered[to + i] = np.float32(0.0)
        return
    at = edges[e, E_SIGNAL] + (slot & edges[e, E_MASK]) * edges[e, E_SIZE]
    index = edges[e, E_INDEX]
    if index < 0:
        at += edges[e, E_START]
        for i in range(n):
            gathered[to + i] = signals[at + i]
        return
    indices = T.indices
    for i in range(n):
        k = indices[index + i]
        gathered[to + i] = signals[at + k] if k >= 0 else np.float32(0.0)


@compiled
def gather(T, r, role, word, t):
    """Bring in everything that the edges of one role deliver at tick `t`; returns how many of them are present."""
    regions, edges, present = T.regions, T.edges, T.present
    there = 0
    for e in range(regions[r, role], regions[r, role + 1]):
        span = edges[e, E_SPAN]
        if span and not span & T.words[regions[r, VIEW] + W_SPAN]:
            if edges[e, E_SILENT]:
                _copy(T, e, -1, edges[e, E_TO])
                present[edges[e, E_PRESENT]] = 0
            there += present[edges[e, E_PRESENT]]
            continue
        slot = slot_of(T, e, t)
        present[edges[e, E_PRESENT]] = slot >= 0
        there += slot >= 0
        if edges[e, E_DIRECT] and slot >= 0:
            # one whole signal is all there is: the kernel reads it where it lies
            at = edges[e, E_SIGNAL] + (slot & edges[e, E_MASK]) * edges[e, E_SIZE] + edges[e, E_START]
            T.words[regions[r, VIEW] + word] = T.signals_address + 4 * at
        else:
            _copy(T, e, slot, edges[e, E_TO])
            if edges[e, E_DIRECT]:
                T.words[regions[r, VIEW] + word] = T.gathered_address + 4 * edges[e, E_TO]
    return there


@compiled
def gather_sparse(T, r, t):
    """Gather the context of a region that wants the list of its active units, at a cost that follows their number."""
    regions, edges, gathered, active = T.regions, T.edges, T.gathered, T.active
    view, out = regions[r, VIEW], regions[r, ACTIVE_AT]
    start = regions[r, CONTEXT_AT]
    for k in range(T.words[view + W_ACTIVE + 1]):
        gathered[start + active[out + k]] = np.float32(0.0)
    n = 0
    for e in range(regions[r, CONTEXT], regions[r, CONTEXT + 1]):
        slot = slot_of(T, e, t)
        T.present[edges[e, E_PRESENT]] = slot >= 0
        to = edges[e, E_TO]
        if slot < 0:
            continue
        if edges[e, E_LIST] >= 0:
            at = edges[e, E_SIGNAL] + (slot & edges[e, E_MASK]) * edges[e, E_SIZE]
            row = edges[e, E_LIST] + (slot & edges[e, E_MASK]) * (edges[e, E_SIZE] + 1)
            for k in range(active[row]):
                i = active[row + 1 + k]
                gathered[to + i] = T.signals[at + i]
                active[out + n] = to - start + i
                n += 1
        else:
            _copy(T, e, slot, to)
            for i in range(edges[e, E_LENGTH]):
                if gathered[to + i] != 0:
                    active[out + n] = to - start + i
                    n += 1
    T.words[view + W_ACTIVE + 1] = n


@compiled
def modulate(T, r, t):
    """Let modulators set or scale hyperparameters, each within its own range."""
    regions, edges, reals = T.regions, T.edges, T.reals
    first, last = regions[r, MODULATOR], regions[r, MODULATOR + 1]
    for e in range(first, last):
        reals[edges[e, E_WORD]] = T.defaults[edges[e, E_WORD]]
    for e in range(first, last):
        slot = slot_of(T, e, t)
        if slot < 0:
            continue
        at = edges[e, E_SIGNAL] + (slot & edges[e, E_MASK]) * edges[e, E_SIZE] + edges[e, E_START]
        value = np.float64(T.signals[at])
        if edges[e, E_SET] == 0:
            value *= reals[edges[e, E_WORD]]
        reals[edges[e, E_WORD]] = min(max(value, T.limits[e, 0]), T.limits[e, 1])


@compiled
def _gates_open(T, r, t):
    regions, edges = T.regions, T.edges
    for e in range(regions[r, GATE], regions[r, GATE + 1]):
        slot = slot_of(T, e, t)
        if slot < 0:
            return False
        at = edges[e, E_SIGNAL] + (slot & edges[e, E_MASK]) * edges[e, E_SIZE]
        index, opened = edges[e, E_INDEX], False
        for i in range(edges[e, E_LENGTH]):
            k = T.indices[index + i] if index >= 0 else edges[e, E_START] + i
            opened = opened or (k >= 0 and T.signals[at + k] > 0)
        if not opened:
            return False
    return True


@compiled
def begin(T, r, t):
    """Open a region's tick: is it due? Then set its clock and its slots, and bring in modulators and context."""
    regions, status, words, counts = T.regions, T.status, T.words, T.counts
    at, mask = regions[r, COUNT_AT], regions[r, COUNT_MASK]
    status[r, ON] = 0
    period = regions[r, PERIOD]
    if period > 1 and (t - regions[r, OFFSET]) % period != 0:
        counts[at + (t & mask)] = counts[at + ((t - 1) & mask)]
        return False
    if regions[r, GATE + 1] > regions[r, GATE] and not _gates_open(T, r, t):
        counts[at + (t & mask)] = counts[at + ((t - 1) & mask)] if regions[r, HOLD] else -1
        return False
    due = status[r, DUE]
    counts[at + (t & mask)] = due
    status[r, ON] = 1
    view = regions[r, VIEW]
    length = T.trial_length
    words[view + W_TICK] = t
    words[view + W_TRIAL] = t // length if length else t
    words[view + W_PLACE] = t % length if length else 0
    words[view + W_SPAN] = T.spans[t % length] if length else 0
    words[view + W_LEARN] = T.learn and not regions[r, FROZEN]
    words[view + W_RESET] = status[r, RESET]
    words[view + W_DUE] = due
    for port in range(5):
        p = PORT + 3 * port
        if regions[r, p + 1]:
            place = regions[r, p] + (due & regions[r, p + 2]) * regions[r, p + 1]
            words[view + W_PREDICTION + 2 * port] = T.signals_address + 4 * place
    if regions[r, LIST_AT] >= 0:
        row = regions[r, LIST_AT] + (due & regions[r, LIST_MASK]) * regions[r, LIST_SIZE]
        words[view + W_ACTIVE_OUT] = T.active_address + 4 * row
    if regions[r, MODULATOR + 1] > regions[r, MODULATOR]:
        modulate(T, r, t)
    if regions[r, SPARSE]:
        gather_sparse(T, r, t)
    elif regions[r, CONTEXT + 1] > regions[r, CONTEXT]:
        gather(T, r, CONTEXT, W_CONTEXT, t)
    if regions[r, EARLY] and words[view + W_SPAN] & regions[r, EARLY]:
        gather(T, r, PRIOR, W_PRIOR, t)
    return True


@compiled
def port_at(T, r, port, due):
    """Where the value of a port lies in `signals`."""
    p = PORT + 3 * port
    return T.regions[r, p] + (due & T.regions[r, p + 2]) * T.regions[r, p + 1]


@compiled
def before_compare(T, r, t):
    """Bring in target and prior; a region whose target is absent has nothing to compare (False)."""
    regions = T.regions
    if regions[r, PRIOR + 1] > regions[r, PRIOR]:
        gather(T, r, PRIOR, W_PRIOR, t)
    if regions[r, TARGET + 1] == regions[r, TARGET]:
        return True
    if gather(T, r, TARGET, W_TARGET, t):
        return True
    T.status[r, ON] = 2
    due = T.status[r, DUE]
    for port in (ERROR, FEEDBACK_OUT):
        at = port_at(T, r, port, due)
        for i in range(regions[r, PORT + 3 * port + 1]):
            T.signals[at + i] = np.float32(0.0)
    return False


@compiled
def default_compare(T, r):
    """The error of a kind that brings no `compare`: target minus prediction."""
    if T.regions[r, TARGET + 1] == T.regions[r, TARGET]:
        return
    due = T.status[r, DUE]
    p, e = port_at(T, r, PREDICTION, due), port_at(T, r, ERROR, due)
    y, values = target_place(T, r)
    for i in range(T.regions[r, PORT + 3 * ERROR + 1]):
        T.signals[e + i] = values[y + i] - T.signals[p + i]


@compiled
def target_place(T, r):
    """Where the target of this tick lies, and in which of the two arenas."""
    e = T.regions[r, TARGET]
    address = T.words[T.regions[r, VIEW] + W_TARGET]
    direct = T.edges[e, E_DIRECT] and address != T.gathered_address + 4 * T.edges[e, E_TO]
    if direct:
        return (address - T.signals_address) // 4, T.signals
    return T.regions[r, TARGET_AT], T.gathered


@compiled
def hold(T, r):
    """A region without a target keeps its last state and reconstruction."""
    due = T.status[r, DUE]
    for port in (STATE, RECONSTRUCTION):
        at, before = port_at(T, r, port, due), port_at(T, r, port, due - 1)
        for i in range(T.regions[r, PORT + 3 * port + 1]):
            T.signals[at + i] = T.signals[before + i] if due > 0 else np.float32(0.0)
    if T.regions[r, LIST_HELD]:
        place, mask, size = T.regions[r, LIST_AT], T.regions[r, LIST_MASK], T.regions[r, LIST_SIZE]
        at, before = place + (due & mask) * size, place + ((due - 1) & mask) * size
        n = T.active[before] if due > 0 else 0
        T.active[at] = n
        for k in range(n):
            T.active[at + 1 + k] = T.active[before + 1 + k]


@compiled
def finish(T, r, t):
    """Close a region's tick: score it beside its baselines, and count."""
    regions, status = T.regions, T.status
    view = regions[r, VIEW]
    if T.scoring and (T.trial_length == 0 or t % T.trial_length == T.score_at):
        if regions[r, SCORED_AT] >= 0:
            _score_ahead(T, r, t)
        elif status[r, ON] == 1:
            score(T, r, t)
    status[r, RESET] = 0
    status[r, DUE] += 1
    if T.words[view + W_LEARN] and status[r, ON] == 1 and T.scoring:
        curve = T.curves[r, (t - T.bin_start) >> T.bin_shift]
        curve[LEARNED] += 1
        curve[STEP_SIZE] += T.reals[regions[r, SCORE_AT] + 1]


@compiled
def _score_ahead(T, r, t):
    """Score a prediction before its outcome is delivered: the target is read here, not yet by the region."""
    regions, edges, gathered = T.regions, T.edges, T.gathered
    for e in range(regions[r, TARGET], regions[r, TARGET + 1]):
        slot = slot_of(T, e, t)
        if slot < 0:
            return
        _copy(T, e, slot, regions[r, SCORED_AT] + edges[e, E_TO] - regions[r, TARGET_AT])
    p, loss = port_at(T, r, PREDICTION, T.status[r, DUE]), 0.0
    n = regions[r, N_TARGET]
    for i in range(n):
        x, guess = gathered[regions[r, SCORED_AT] + i], T.signals[p + i]
        if regions[r, BITS]:
            loss -= x * math.log2(max(np.float64(guess), 1e-12)) if x > 0 else 0.0
        else:
            loss += np.float64(x - guess) * np.float64(x - guess) / n
    T.reals[regions[r, SCORE_AT]] = loss
    score(T, r, t)


@compiled
def score(T, r, t):
    """Add the loss of this tick and those of the trivial baselines to the region's curve."""
    status, scores = T.status, T.reals
    at = T.regions[r, SCORE_AT]
    loss = scores[at]
    if not math.isfinite(loss):
        if status[r, BAD] < 0:
            status[r, BAD] = t
        return
    seen = status[r, SEEN]
    status[r, SEEN] = seen + 1
    last, mean = _baselines(T, r, seen) if T.regions[r, N_TARGET] else (math.nan, math.nan)
    if seen == 0:
        # neither baseline has anything to say yet, and all are scored on the same ticks
        return
    curve = T.curves[r, (t - T.bin_start) >> T.bin_shift]
    curve[TICKS] += 1
    curve[LOSS] += loss
    curve[LOSS_LAST] += last
    curve[LOSS_MEAN] += mean
    curve[DEAD] += scores[at + 2]
    curve[SATURATED] += scores[at + 3]


@compiled
def _baselines(T, r, seen):
    """Losses of last value and running mean, which then learn this target."""
    n, own = T.regions[r, N_TARGET], T.regions[r, BASELINE]
    place, values = target_place(T, r)
    if T.regions[r, SCORED_AT] >= 0:
        place, values = T.regions[r, SCORED_AT], T.gathered
    baselines = T.baselines
    loss_last, loss_mean = 0.0, 0.0
    rate = np.float32(1.0 / (seen + 1.0))
    if T.regions[r, BITS]:
        # Krichevsky-Trofimov: half a count for each symbol; `mean` holds the frequencies
        for i in range(n):
            x = values[place + i]
            if x > 0:
                loss_mean -= x * math.log2((baselines[own + n + i] * seen + 0.5) / (seen + 0.5 * n))
            baselines[own + n + i] += rate * (x - baselines[own + n + i])
        return math.nan, loss_mean
    for i in range(n):
        x = values[place + i]
        a, b = x - baselines[own + i], x - baselines[own + n + i]
        loss_last += np.float64(a * a)
        loss_mean += np.float64(b * b)
        baselines[own + i] = x
        baselines[own + n + i] += rate * b
    return loss_last / n, loss_mean / n


@compiled
def record(T, r, t):
    """Copy what is being recorded of a region at tick `t`, due or not."""
    regions, probes, records = T.regions, T.probes, T.records
    for k in range(regions[r, PROBE], regions[r, PROBE_END]):
        every = probes[k, P_EVERY]
        if t % every:
            continue
        size = probes[k, P_SIZE]
        to = probes[k, P_TO] + (t // every - (T.record_start + every - 1) // every) * size
        due = T.counts[regions[r, COUNT_AT] + (t & regions[r, COUNT_MASK])]
        at = port_at(T, r, probes[k, P_PORT], due)
        for i in range(size):
            records[to + i] = T.signals[at + i] if due >= 0 else np.float32(0.0)
