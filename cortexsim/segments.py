"""Segments of cells that learn: reinforced, punished, grown, forgotten. Compiled pieces of ``temporal_memory``.

All of them work on the view of a region, whose arrays ``cortexsim/kinds/temporal_memory.py`` describes; where segments
are found is kept by ``segment_lists.py``.
"""

from __future__ import annotations

import numpy as np

from cortexsim.native import exact
from cortexsim.segment_lists import (
    CANDIDATES,
    DOWNS,
    FREE,
    FULL_CELL,
    FULL_REGION,
    FULL_SEGMENT,
    GROWN,
    MADE,
    MANY,
    MARK,
    OLDEST,
    PUNISHED,
    SHIFT,
    SLACK,
    SYNAPSES,
    TOO_SMALL,
    UPS,
    USES,
    append_use,
    delist,
    destroy,
    enlist,
    is_on,
    link,
    use,
)

f32 = np.float32


@exact
def mixed(a, b):
    """A random whole number below 2^62 from two others (splitmix64)."""
    x = np.uint64(a) + np.uint64(b) * np.uint64(0x9E3779B97F4A7C15)
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return np.int64((x ^ (x >> np.uint64(31))) >> np.uint64(2))


@exact
def _place_at(r, s, k, flat, unit, permanence):
    """Move a synapse within its segment to place k; `flat` is where it was."""
    at, to = r.position[flat], (s << r.work[SHIFT]) + k
    r.chunks[at] = to * 2 + (r.chunks[at] & 1)
    r.position[to], r.synapses[s, k], r.permanences[s, k] = at, unit, permanence


@exact
def adapt(r, s, up, down):
    """Add `up` to a segment's synapses on active units, take `down` from the others; returns how many are active."""
    synapses, permanences, on, n = r.synapses, r.permanences, r.on, r.n_synapses[s]
    least, slack, one, active, changed = r.connected - f32(SLACK), f32(SLACK), f32(1.0), 0, 0
    for first in range(0, n, 64):
        last, bits = min(n, first + 64), 0
        # two loops without a branch, the second of which has nothing in its way to be vectorised
        for k in range(first, last):
            unit = synapses[s, k]
            bits |= ((on[unit >> 6] >> (unit & 63)) & 1) << (k - first)
        for k in range(first, last):
            before, bit = permanences[s, k], (bits >> (k - first)) & 1
            after = min(before + up, one) if bit else before - down
            permanences[s, k] = after
            active += bit
            changed += (after < slack) | ((after >= least) != (before >= least))
    if changed > 0:
        _settle(r, s, up < 0, down > 0)
    return active


@exact
def _settle(r, s, active_go, inactive_go):
    """Synapses that have lost all go, and the others are connected or not as their permanence says."""
    synapses, permanences, n, base, kept = r.synapses, r.permanences, r.n_synapses[s], s << r.work[SHIFT], 0
    for k in range(n):
        unit, permanence = synapses[s, k], permanences[s, k]
        if permanence < f32(SLACK) and (active_go if is_on(r, unit) else inactive_go):
            delist(r, base + k, unit)
            continue
        at = r.position[base + k]
        r.chunks[at] = (r.chunks[at] & ~1) | (permanence >= r.connected - f32(SLACK))
        if kept < k:
            _place_at(r, s, kept, base + k, unit, permanence)
        kept += 1
    for k in range(kept, n):
        synapses[s, k], permanences[s, k] = -1, f32(0.0)
    r.n_synapses[s] = kept
    r.counters[SYNAPSES] -= n - kept


@exact
def _lose_weakest(r, s):
    """Make room in a full segment."""
    weakest, n, base = 0, r.n_synapses[s], s << r.work[SHIFT]
    for k in range(1, n):
        if r.permanences[s, k] < r.permanences[s, weakest]:
            weakest = k
    delist(r, base + weakest, r.synapses[s, weakest])
    for k in range(weakest + 1, n):
        _place_at(r, s, k - 1, base + k, r.synapses[s, k], r.permanences[s, k])
    r.synapses[s, n - 1], r.permanences[s, n - 1], r.n_synapses[s] = -1, f32(0.0), n - 1
    r.counters[SYNAPSES] -= 1
    r.counters[FULL_SEGMENT] += 1


@exact
def _choose(pool, n, want, x):
    """Bring `want` of the first n numbers of a pool to its front, at random."""
    few = want <= n // 2
    for j in range(want if few else n - want):
        x = mixed(x, j + 1)
        i = ((x & 0xFFFFFFFF) * (n - j)) >> 32
        if few:
            pool[j], pool[j + i] = pool[j + i], pool[j]
        else:
            pool[i] = pool[n - j - 1]


@exact
def grow(r, s, want):
    """Grow up to `want` synapses of a segment onto candidates that it does not have yet."""
    pool, mark, work, n, m = r.pool, r.mark, r.work, r.n_synapses[s], 0
    work[MARK] += 1
    if work[MARK] == MANY:
        for unit in range(mark.shape[0]):
            mark[unit] = 0
        work[MARK] = 1
    for k in range(n):
        mark[r.synapses[s, k]] = work[MARK]
    for i in range(work[CANDIDATES]):
        unit = r.candidates[i]
        pool[m] = unit
        m += mark[unit] != work[MARK]
    want = min(want, m, r.max_synapses)
    _choose(pool, m, want, mixed(mixed(r.seed[0], r.tick), r.born[s]))
    for _ in range(n + want - r.max_synapses):
        _lose_weakest(r, s)
    n, first, connected = r.n_synapses[s], r.initial_permanence, r.initial_permanence >= r.connected - f32(SLACK)
    for k in range(want):
        r.synapses[s, n + k], r.permanences[s, n + k] = pool[k], first
        enlist(r, (s << work[SHIFT]) + n + k, pool[k], connected)
    r.n_synapses[s] = n + want
    r.counters[SYNAPSES] += want
    work[GROWN] += want


@exact
def create(r, cell):
    """A new segment of a cell on the candidates; at a cap, the one that was useful longest ago makes room."""
    counters = r.counters
    while r.n_of[cell] >= r.max_segments_per_cell:
        s = r.first_of[cell]
        oldest = s
        while s >= 0:
            oldest = s if r.used[s] < r.used[oldest] else oldest
            s = r.next_of[s]
        destroy(r, oldest)
        counters[FULL_CELL] += 1
    if counters[FREE] == 0:
        destroy(r, r.work[OLDEST])
        counters[FULL_REGION] += 1
    counters[FREE] -= 1
    s = r.free[counters[FREE]]
    r.segment_cell[s], r.born[s], r.used[s] = cell, counters[MADE], counters[USES]
    counters[MADE] += 1
    counters[USES] += 1
    link(r, s)
    append_use(r, s)
    grow(r, s, r.new_synapses)


@exact
def _is_left_small(r, s, n):
    """Whether a segment lost synapses of n and can never match again; then it goes."""
    if r.n_synapses[s] >= n or r.n_synapses[s] >= min(r.min_threshold, r.activation_threshold):
        return False
    destroy(r, s)
    r.counters[TOO_SMALL] += 1
    return True


@exact
def learn(r, s):
    """A segment that was right: reinforce and grow."""
    n, want, work = r.n_synapses[s], r.new_synapses - (r.overlap[s] & 0xFFFF), r.work
    active = adapt(r, s, r.increment, r.decrement)
    work[UPS] += active
    work[DOWNS] += n - active
    if want > 0 and work[CANDIDATES] > 0:
        grow(r, s, want)
    if not _is_left_small(r, s, n):
        use(r, s)


@exact
def punish(r, column):
    """Matching segments of a column that did not come."""
    s = r.first_match[column]
    while s >= 0:
        n = r.n_synapses[s]
        if r.overlap[s] & 0xFFFF >= r.min_threshold:
            r.work[PUNISHED] += adapt(r, s, -r.predicted_decrement, f32(0.0))
            _is_left_small(r, s, n)
        s = r.next_match[s]
