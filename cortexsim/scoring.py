"""What happens after the kernels of a region at one tick: hold, score beside the baselines, count and record.

Like ``bookkeeping.py``, whose tables it reads, this becomes part of the loop in ``driver.py`` and of its stamp.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit

from cortexsim.adapting import rate_used
from cortexsim.bookkeeping import (
    ANOMALY,
    ANOMALY_TICKS,
    BASELINE,
    BITS,
    COUNT_AT,
    COUNT_MASK,
    DEAD,
    DUE,
    E_TO,
    ENERGY,
    ENERGY_START,
    ENERGY_TICKS,
    FIRST_ENERGY,
    LEARNED,
    LIST_AT,
    LIST_MASK,
    LIST_SIZE,
    LOSS,
    LOSS_LAST,
    LOSS_MEAN,
    MOVED,
    N_TARGET,
    ON,
    P_EVERY,
    P_PORT,
    P_SIZE,
    P_TO,
    PORT,
    PREDICTION,
    PROBE,
    PROBE_END,
    RATE_SUM,
    RECONSTRUCTION,
    RESET,
    SATURATED,
    SCORE_AT,
    SCORED_ANOMALY,
    SCORED_AT,
    SCORED_ENERGY,
    SCORED_MOVE,
    SEEN,
    STATE,
    STEP_SIZE,
    TARGET,
    TARGET_AT,
    TICKS,
    VIEW,
    W_LEARN,
    WATCHED,
    copy_edge,
    port_at,
    slot_of,
    target_place,
)
from cortexsim.guard import LISTED, keep_image
from cortexsim.native import DRIVER_FLAGS, INNER
from cortexsim.rows import clear, copy, track

# bits of WATCHED: a list that is of the state or the reconstruction is held with them
LISTED_HELD = LISTED << STATE | LISTED << RECONSTRUCTION
# not cached and inlined, like those of bookkeeping.py
compiled = njit(forceinline=True, **DRIVER_FLAGS, **INNER)


@compiled
def hold(T, r):
    """A region without a target keeps its last state and reconstruction."""
    due = T.status[r, DUE]
    for port in (STATE, RECONSTRUCTION):
        at, before = port_at(T, r, port, due), port_at(T, r, port, due - 1)
        size = T.regions[r, PORT + 3 * port + 1]
        if due > 0:
            copy(T.signals, at, size, T.signals, before)
        else:
            clear(T.signals, at, size)
    if T.regions[r, WATCHED] & LISTED_HELD:
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
    if status[r, ON] == 2:
        hold(T, r)
    view = regions[r, VIEW]
    length = T.trial_length
    place = (t - T.trial_start) % length if length else 0
    # a place below 0: every tick
    if T.scoring and (length == 0 or T.score_at < 0 or place == T.score_at):
        if regions[r, SCORED_AT] >= 0:
            _score_ahead(T, r, t)
        elif status[r, ON] == 1:
            score(T, r, t)
    status[r, RESET] = 0
    status[r, DUE] += 1
    keep_image(T, r)
    k = (t - T.bin_start) >> T.bin_shift
    if T.words[view + W_LEARN] and status[r, ON] & 1:
        if T.scoring:
            T.curves[r, k, LEARNED] += 1
            T.curves[r, k, STEP_SIZE] += T.reals[regions[r, SCORE_AT] + 1]
            T.curves[r, k, RATE_SUM] += rate_used(T, r)
    energy = T.reals[regions[r, SCORE_AT] + SCORED_ENERGY]
    if T.scoring and math.isfinite(energy):
        if place == T.energy_at:
            T.reals[regions[r, SCORE_AT] + FIRST_ENERGY] = energy
        if T.score_at < 0 or place == max(length - 1, 0):
            T.curves[r, k, ENERGY] += energy
            T.curves[r, k, ENERGY_START] += T.reals[regions[r, SCORE_AT] + FIRST_ENERGY]
            T.curves[r, k, ENERGY_TICKS] += 1
            T.curves[r, k, MOVED] += T.reals[regions[r, SCORE_AT] + SCORED_MOVE]


@compiled
def _score_ahead(T, r, t):
    """Score a prediction before its outcome is delivered: the target is read here, not yet by the region."""
    regions, edges, gathered = T.regions, T.edges, T.gathered
    for e in range(regions[r, TARGET], regions[r, TARGET + 1]):
        slot = slot_of(T, e, t)
        if slot < 0:
            return
        copy_edge(T, e, slot, np.int64(regions[r, SCORED_AT] + edges[e, E_TO] - regions[r, TARGET_AT]))
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
        # only where nothing learns: guard.py has noted it, and lets the region go on
        return
    seen = status[r, SEEN]
    status[r, SEEN] = seen + 1
    last, mean = _baselines(T, r, seen) if T.regions[r, N_TARGET] else (math.nan, math.nan)
    if seen == 0:
        # neither baseline has anything to say yet, and all are scored on the same ticks
        return
    curves, k = T.curves, (t - T.bin_start) >> T.bin_shift
    curves[r, k, TICKS] += 1
    curves[r, k, LOSS] += loss
    curves[r, k, LOSS_LAST] += last
    curves[r, k, LOSS_MEAN] += mean
    curves[r, k, DEAD] += scores[at + 2]
    curves[r, k, SATURATED] += scores[at + 3]
    if math.isfinite(scores[at + SCORED_ANOMALY]):
        curves[r, k, ANOMALY] += scores[at + SCORED_ANOMALY]
        curves[r, k, ANOMALY_TICKS] += 1


@compiled
def _baselines(T, r, seen):
    """Losses of last value and running mean, which then learn this target."""
    n, own = T.regions[r, N_TARGET], T.regions[r, BASELINE]
    place, values = target_place(T, r)
    if T.regions[r, SCORED_AT] >= 0:
        place, values = T.regions[r, SCORED_AT], T.gathered
    baselines = T.baselines
    rate = np.float32(1.0 / (seen + 1.0))
    if T.regions[r, BITS]:
        loss_mean = 0.0
        # Krichevsky-Trofimov: half a count for each symbol; `mean` holds the frequencies
        for i in range(n):
            x = values[place + i]
            if x > 0:
                loss_mean -= x * math.log2((baselines[own + n + i] * seen + 0.5) / (seen + 0.5 * n))
            baselines[own + n + i] += rate * (x - baselines[own + n + i])
        return math.nan, loss_mean
    track(values, place, baselines, own, baselines, own + n, n, rate, baselines, own + 2 * n)
    return baselines[own + 2 * n] / n, baselines[own + 2 * n + 1] / n


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
        if due >= 0:
            copy(records, to, size, T.signals, at)
        else:
            clear(records, to, size)
