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

from cortexsim.native import DRIVER_FLAGS, INNER
from cortexsim.rows import clear, copy, subtract
from cortexsim.views import HEADER, Layout

# columns of `regions` (LIST_*: the ring of lists of active units, -1 where there is none; WATCHED: the ports that are
# looked at when all has been written at once, as bits, and from bit 5 on the port that is listed; SCORED_AT: where the
# target lies that a trial is scored by, -1 where it is the target as usual; PORTS: the first of the ports it has, and
# the end of them; RELAXES: it goes on where its target is away; RATE: the word of its learning rate, -1 where it has
# none; RATE_RULE: by which rule of step_sizes.py that changes; META_RATE and DECAY_TIME: the words of that rule's
# constants; OUTER_WORD, INNER_WORD: those of the two vectors that its steps go along; BIAS, FLOOR, NORMALISED: the
# words of what else decides its steps, -1 where there is none, NORMALISED -2 where they always are; EDGES_AT: its
# context edges in `present`; GRADIENT_AT: what it keeps from step to step)
(VIEW, PERIOD, OFFSET, HOLD, COUNT_AT, COUNT_MASK, FROZEN, BITS, BASELINE, N_TARGET, TARGET_AT, SPARSE, ACTIVE_AT,
 CONTEXT_AT, SCORE_AT, PROBE, PROBE_END, EARLY, LIST_AT, LIST_MASK, LIST_SIZE, WATCHED, SCORED_AT, PORTS,
 PORTS_END, RELAXES, RATE, RATE_RULE, META_RATE, DECAY_TIME, OUTER_WORD, INNER_WORD, BIAS, FLOOR,
 NORMALISED, EDGES_AT, GRADIENT_AT) = range(37)
# then a pair (first, last) of edges for each role, and a triple (place, size, mask) for each port
# (numpy numbers, where a constant is handed to a function: numba compiles that anew for every plain one)
CONTEXT, TARGET, PRIOR, FEEDBACK, GATE, MODULATOR = np.arange(37, 49, 2)
PORT = 49
PREDICTION, ERROR, STATE, RECONSTRUCTION, FEEDBACK_OUT = np.arange(5)
SILENT, NONE = np.int64(-1), np.int64(0)
N_REGION = 64
# columns of `kernels`: addresses, 0 where there is none, in the order of kind.KERNELS
PREDICT, COMPARE, UPDATE, TICK, FLUSH, ADAPT = range(6)
# columns of `edges`
(E_COUNT, E_COUNT_MASK, E_SIGNAL, E_SIZE, E_MASK, E_DELAY, E_START, E_LENGTH, E_INDEX, E_TO, E_CUT, E_SPAN, E_SILENT,
 E_PRESENT, E_DIRECT, E_LIST, E_WORD, E_SET) = range(18)
N_EDGE = 18
# columns of `status`, the counters of a region that change as it runs (ON: 0 not due, 1 on, 2 without its target, 3
# relaxing without it: odd numbers are those whose kernels run; BAD: when it last diverged, -1: not yet; HALTED: stopped
# since then)
DUE, ON, RESET, SEEN, BAD, CYCLES, TIMED, HALTED = range(8)
N_STATUS = 8
# columns of `probes`
P_REGION, P_PORT, P_EVERY, P_TO, P_SIZE = range(5)
# columns of the curves
(TICKS, LOSS, LOSS_LAST, LOSS_MEAN, STEP_SIZE, DEAD, SATURATED, LEARNED, ENERGY, ENERGY_START, ENERGY_TICKS,
 MOVED, RATE_SUM, ANOMALY, ANOMALY_TICKS) = range(15)
N_CURVE = 15
# what a kernel writes into its score, and the places of free energy, movement, learning rate and anomaly in it; after
# it the energy where the trial began, and of a rate that changes: what was set, its updates and their mean error, the
# rate that its trace stands for, and its limits
N_SCORE = 8
(SCORED_ENERGY, SCORED_MOVE, SCORED_RATE, SCORED_ANOMALY, FIRST_ENERGY, BASE_RATE, UPDATES, MEAN_ERROR, STANDING,
 LOW_RATE, HIGH_RATE) = range(4, 15)
# then what the code that changes rates is called with: the address of the tables, and the region
RATE_JOB, N_REALS = 15, 17

TABLE_SCALARS = ("learn", "scoring", "bin_start", "bin_shift", "trial_length", "trial_start", "score_at",
                 "energy_at", "init_mask", "record_start",
                 "signals_address", "gathered_address", "words_address", "active_address")
TABLE_ARRAYS = (("regions", "int32", 2), ("edges", "int32", 2), ("kernels", "int64", 2), ("limits", "float64", 2),
                ("words", "int64", 1), ("reals", "float64", 1), ("defaults", "float64", 1), ("signals", "float32", 1),
                ("gathered", "float32", 1), ("indices", "int32", 1), ("counts", "int64", 1), ("active", "int32", 1),
                ("status", "int64", 2), ("baselines", "float32", 1), ("gradients", "float32", 1),
                ("curves", "float64", 3), ("probes", "int64", 2), ("records", "float32", 1),
                ("spans", "int64", 1), ("present", "int64", 1), ("steps", "int64", 2), ("unit_start", "int64", 1),
                ("policies", "int64", 2), ("images", "int64", 1), ("store_words", "int64", 1),
                ("diverged", "int64", 2))
TABLES = Layout([(name, "int") for name in TABLE_SCALARS], TABLE_ARRAYS, tables=True)

W_TICK, W_TRIAL, W_PLACE, W_SPAN, W_LEARN, W_RESET, W_DUE, W_LENGTH, W_INIT = (
    HEADER.word[name] for name in ("tick", "trial", "place", "span", "learn", "reset", "due", "length", "init"))
W_ACTIVE, W_SCORE = HEADER.word["active"], HEADER.word["score"]
W_CONTEXT, W_TARGET, W_PRIOR, W_FEEDBACK = (
    np.int64(HEADER.word[name]) for name in ("context", "target", "prior", "feedback"))
W_PREDICTION, W_ERROR, W_STATE, W_RECONSTRUCTION, W_FEEDBACK_OUT = (
    HEADER.word[name] for name in ("prediction", "error", "state", "reconstruction", "feedback_out"))
W_ACTIVE_OUT = HEADER.word["active_out"]
# not cached: the loop that holds them is; inlined by force, since saving and restoring registers around each of them
# took a third of the time around a kernel
compiled = njit(forceinline=True, **DRIVER_FLAGS, **INNER)


@compiled
def slot_of(T, e, t):
    """The slot in which edge `e` finds its value at tick `t`, or -1."""
    edges = T.edges
    then = t - edges[e, E_DELAY]
    if edges[e, E_CUT] or then < 0:
        return -1
    return T.counts[edges[e, E_COUNT] + (then & edges[e, E_COUNT_MASK])]


@compiled
def copy_edge(T, e, slot, to):
    """Copy what edge `e` delivers into `gathered`; zeros where its writer is silent."""
    edges, gathered, signals = T.edges, T.gathered, T.signals
    n = edges[e, E_LENGTH]
    if slot < 0:
        clear(gathered, to, n)
        return
    at = edges[e, E_SIGNAL] + (slot & edges[e, E_MASK]) * edges[e, E_SIZE]
    index = edges[e, E_INDEX]
    if index < 0:
        copy(gathered, to, n, signals, at + edges[e, E_START])
        return
    indices = T.indices
    for i in range(n):
        k = indices[index + i]
        gathered[to + i] = signals[at + k] if k >= 0 else np.float32(0.0)


@compiled
def _bring(T, e, span, t):
    """Bring in what edge `e` delivers at tick `t`: by a copy, or by pointing the kernel at the signal itself."""
    edges = T.edges
    slot = slot_of(T, e, t)
    if edges[e, E_SPAN] and not edges[e, E_SPAN] & span:
        if not edges[e, E_SILENT]:
            return
        slot = SILENT
    T.present[edges[e, E_PRESENT]] = slot >= 0
    to = np.int64(edges[e, E_TO])
    if edges[e, E_DIRECT]:
        if slot >= 0:
            # one whole signal is all there is: the kernel reads it where it lies
            at = edges[e, E_SIGNAL] + (slot & edges[e, E_MASK]) * edges[e, E_SIZE] + edges[e, E_START]
            T.words[edges[e, E_WORD]] = T.signals_address + 4 * at
            return
        T.words[edges[e, E_WORD]] = T.gathered_address + 4 * to
    copy_edge(T, e, slot, to)


@compiled
def _list_active(T, r, e, n):
    """Add the active units of context edge `e` to the list of region `r`; returns its new length."""
    edges, gathered, active = T.edges, T.gathered, T.active
    out, start, to = T.regions[r, ACTIVE_AT], T.regions[r, CONTEXT_AT], T.edges[e, E_TO]
    for i in range(edges[e, E_LENGTH]):
        if gathered[to + i] != 0:
            active[out + n] = to - start + i
            n += 1
    return n


@compiled
def _point_sparse(T, r, e, t):
    """Let a kernel read the one sparse signal that is all its context where it lies, with its writer's list."""
    edges, view = T.edges, T.regions[r, VIEW]
    slot = slot_of(T, e, t)
    T.present[edges[e, E_PRESENT]] = slot >= 0
    if slot < 0:
        # nobody writes there: it is zero
        T.words[edges[e, E_WORD]] = T.gathered_address + 4 * np.int64(edges[e, E_TO])
        return NONE
    place = slot & edges[e, E_MASK]
    row = edges[e, E_LIST] + place * (edges[e, E_SIZE] + 1)
    T.words[edges[e, E_WORD]] = T.signals_address + 4 * (edges[e, E_SIGNAL] + place * edges[e, E_SIZE])
    T.words[view + W_ACTIVE] = T.active_address + 4 * (row + 1)
    return np.int64(T.active[row])


@compiled
def _bring_sparse(T, r, e, n, t):
    """The same for an edge whose writer lists its active units, at a cost that follows their number."""
    edges, active = T.edges, T.active
    slot = slot_of(T, e, t)
    T.present[edges[e, E_PRESENT]] = slot >= 0
    if slot < 0:
        return n
    out, start, to = T.regions[r, ACTIVE_AT], T.regions[r, CONTEXT_AT], edges[e, E_TO]
    at = edges[e, E_SIGNAL] + (slot & edges[e, E_MASK]) * edges[e, E_SIZE]
    row = edges[e, E_LIST] + (slot & edges[e, E_MASK]) * (edges[e, E_SIZE] + 1)
    for k in range(active[row]):
        i = active[row + 1 + k]
        T.gathered[to + i] = T.signals[at + i]
        active[out + n] = to - start + i
        n += 1
    return n


@compiled
def gather(T, r, step, t):
    """Bring in what a step reads at tick `t`: 0 predict, 1 compare, 2 update, -1 all of them at once."""
    regions = T.regions
    view = regions[r, VIEW]
    span = T.words[view + W_SPAN]
    first, last = regions[r, CONTEXT], regions[r, FEEDBACK + 1]
    if step == 0:
        # in the span `init` priors are read in predict, too
        last = regions[r, PRIOR + 1 if regions[r, EARLY] & span else CONTEXT + 1]
    elif step == 1:
        first, last = regions[r, TARGET], regions[r, PRIOR + 1]
    elif step == 2:
        first = regions[r, FEEDBACK]
    sparse, n = regions[r, SPARSE], NONE
    pointed = sparse and first < last and T.edges[first, E_LIST] >= 0 and T.edges[first, E_DIRECT]
    if sparse and step <= 0 and not pointed:
        for k in range(T.words[view + W_ACTIVE + 1]):
            T.gathered[regions[r, CONTEXT_AT] + T.active[regions[r, ACTIVE_AT] + k]] = np.float32(0.0)
    for e in range(first, last):
        listed = sparse and e < regions[r, CONTEXT + 1]
        if listed and pointed:
            n = _point_sparse(T, r, e, t)
            continue
        if listed and T.edges[e, E_LIST] >= 0:
            n = _bring_sparse(T, r, e, n, t)
            continue
        _bring(T, e, span, t)
        if listed:
            n = _list_active(T, r, e, n)
    if sparse and step <= 0:
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
    """Open a region's tick: is it due? Then set its clock, its slots and its modulated hyperparameters."""
    regions, status, words, counts = T.regions, T.status, T.words, T.counts
    at, mask = regions[r, COUNT_AT], regions[r, COUNT_MASK]
    status[r, ON] = 0
    if status[r, HALTED]:
        counts[at + (t & mask)] = -1
        return False
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
    words[view + W_TRIAL] = t
    if length:
        # without trials these words stay zero
        since = t - T.trial_start
        span = T.spans[since % length]
        words[view + W_TRIAL] = since // length
        words[view + W_PLACE] = since % length
        words[view + W_SPAN] = span
        words[view + W_LENGTH] = length
        words[view + W_INIT] = span & T.init_mask != 0
    words[view + W_LEARN] = T.learn and not regions[r, FROZEN]
    words[view + W_RESET] = status[r, RESET]
    words[view + W_DUE] = due
    for k in range(N_SCORE):
        T.reals[regions[r, SCORE_AT] + k] = 0.0
    # not a number: this kind has none
    for k in (SCORED_ENERGY, SCORED_RATE, SCORED_ANOMALY):
        T.reals[regions[r, SCORE_AT] + k] = math.nan
    for port in range(regions[r, PORTS], regions[r, PORTS_END]):
        p = PORT + 3 * port
        if regions[r, p + 1]:
            place = regions[r, p] + (due & regions[r, p + 2]) * regions[r, p + 1]
            words[view + W_PREDICTION + 2 * port] = T.signals_address + 4 * place
    if regions[r, LIST_AT] >= 0:
        row = regions[r, LIST_AT] + (due & regions[r, LIST_MASK]) * regions[r, LIST_SIZE]
        words[view + W_ACTIVE_OUT] = T.active_address + 4 * row
    if regions[r, MODULATOR + 1] > regions[r, MODULATOR]:
        modulate(T, r, t)
    return True


@compiled
def port_at(T, r, port, due):
    """Where the value of a port lies in `signals`."""
    p = PORT + 3 * port
    return T.regions[r, p] + (due & T.regions[r, p + 2]) * T.regions[r, p + 1]


@compiled
def target_there(T, r):
    """Whether there is something to compare with: not where a region has target edges and none of them is present."""
    regions = T.regions
    first, last = regions[r, TARGET], regions[r, TARGET + 1]
    for e in range(first, last):
        if T.present[T.edges[e, E_PRESENT]]:
            return True
    if first == last:
        return True
    if regions[r, RELAXES]:
        T.status[r, ON] = 3
        return True
    T.status[r, ON] = 2
    for port in (ERROR, FEEDBACK_OUT):
        at = port_at(T, r, port, T.status[r, DUE])
        clear(T.signals, at, regions[r, PORT + 3 * port + 1])
    return False


@compiled
def default_compare(T, r):
    """The error of a kind that brings no `compare`: target minus prediction."""
    if T.regions[r, TARGET + 1] == T.regions[r, TARGET]:
        return
    due = T.status[r, DUE]
    p, e = port_at(T, r, PREDICTION, due), port_at(T, r, ERROR, due)
    if T.status[r, ON] == 3:
        # a region that goes on without its target makes no error
        clear(T.signals, e, T.regions[r, PORT + 3 * ERROR + 1])
        return
    y, values = target_place(T, r)
    subtract(T.signals, e, T.regions[r, PORT + 3 * ERROR + 1], values, y, T.signals, p)


@compiled
def target_place(T, r):
    """Where the target of this tick lies, and in which of the two arenas."""
    e = T.regions[r, TARGET]
    address = T.words[T.regions[r, VIEW] + W_TARGET]
    direct = T.edges[e, E_DIRECT] and address != T.gathered_address + 4 * T.edges[e, E_TO]
    if direct:
        return (address - T.signals_address) // 4, T.signals
    return T.regions[r, TARGET_AT], T.gathered
