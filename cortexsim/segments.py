"""Segments of cells: grown, adapted, forgotten, and found from what is active. Compiled pieces of ``temporal_memory``.

All of them work on the view of a region, whose arrays ``cortexsim/kinds/temporal_memory.py`` describes. Of these,
``synapses``, ``permanences``, ``n_synapses``, ``segment_cell``, ``born`` and ``used`` are what is learned; from them
:func:`rebuild` makes the rest: for each unit of the context the list of the synapses on it, for each cell the list of
its segments, and the order in which segments were useful.

A list of synapses is a chain of chunks, the one that is not full first. An entry is ``synapse << 1 | connected``, and
``synapse >> SHIFT`` its segment, so that counting what is active reads nothing else; ``position`` finds the entry of a
synapse, so that one is removed without a search.
"""

from __future__ import annotations

import numpy as np

from cortexsim.native import exact

f32 = np.float32
SLACK = 1e-6  # permanences are sums of steps: so near to a threshold they are at it
CHUNK = 32  # numbers in a chunk of a presynaptic list: the next chunk, then entries (synapse << 1 | connected)
# of `counters`: free segments, segments made so far, uses so far, synapses; and what caps and learning took away:
# segments of full cells, of the full region, synapses of full segments, segments left too small
FREE, MADE, USES, SYNAPSES, FULL_CELL, FULL_REGION, FULL_SEGMENT, TOO_SMALL = range(8)
# of `work`, which is made anew from what is learned wherever BUILT is 0
(BUILT, TOUCHED, COLUMNS, PARITY, OLDEST, NEWEST, SPARE, CHUNKS, CANDIDATES, MARK, BARE, OWN, OWN_END, SHIFT, UPS,
 DOWNS, PUNISHED, GROWN, WON, CELLS, FRESH, WORDS, DEAD) = range(23)
COUNTERS, WORK = 8, 23
MANY = 1 << 30  # segments of a dead cell, so that it is never the one with the fewest


@exact
def mixed(a, b):
    """A random whole number below 2^62 from two others (splitmix64)."""
    x = np.uint64(a) + np.uint64(b) * np.uint64(0x9E3779B97F4A7C15)
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return np.int64((x ^ (x >> np.uint64(31))) >> np.uint64(2))


@exact
def is_on(r, unit):
    """1 where a unit of the context is active, else 0; one bit a unit stays in the nearest cache."""
    return (r.on[unit >> 6] >> (unit & 63)) & 1


@exact
def _enlist(r, flat, unit, connected):
    """Add a synapse to the list of its unit."""
    lists, chunks, work = r.lists, r.chunks, r.work
    chunk, n = lists[unit, 0], lists[unit, 1]
    if chunk < 0 or n == CHUNK - 1:
        r.listed[unit >> 6] |= np.int64(1) << (unit & 63)
        fresh = work[SPARE]
        if fresh >= 0:
            work[SPARE] = chunks[fresh * CHUNK]
        else:
            fresh = work[CHUNKS]
            work[CHUNKS] += 1
        chunks[fresh * CHUNK] = chunk
        chunk, n = np.int32(fresh), np.int32(0)
        lists[unit, 0] = chunk
    at = chunk * CHUNK + 1 + n
    chunks[at] = flat * 2 + connected
    r.position[flat] = at
    lists[unit, 1] = n + 1


@exact
def _delist(r, flat, unit):
    """Take a synapse from the list of its unit; the last of the list takes its place."""
    lists, chunks, work = r.lists, r.chunks, r.work
    chunk, n, at = lists[unit, 0], lists[unit, 1] - 1, r.position[flat]
    moved = chunks[chunk * CHUNK + 1 + n]
    chunks[at] = moved
    r.position[moved >> 1] = at
    lists[unit, 1] = n
    if n == 0:
        after = chunks[chunk * CHUNK]
        chunks[chunk * CHUNK] = work[SPARE]
        work[SPARE] = chunk
        lists[unit, 0] = after
        lists[unit, 1] = CHUNK - 1 if after >= 0 else 0
        if after < 0:
            r.listed[unit >> 6] &= ~(np.int64(1) << (unit & 63))


@exact
def _link(r, s):
    """Enter a segment as the first of its cell."""
    cell = r.segment_cell[s]
    after = r.first_of[cell]
    r.next_of[s], r.previous_of[s], r.first_of[cell] = after, -1, s
    if after >= 0:
        r.previous_of[after] = s
    r.work[BARE] -= r.n_of[cell] == 0
    r.n_of[cell] += 1


@exact
def _append_use(r, s):
    """Enter a segment as the latest that was useful."""
    newest = r.work[NEWEST]
    r.older[s], r.newer[s] = newest, -1
    if newest >= 0:
        r.newer[newest] = s
    else:
        r.work[OLDEST] = s
    r.work[NEWEST] = s


@exact
def _drop_use(r, s):
    older, newer = r.older[s], r.newer[s]
    if older >= 0:
        r.newer[older] = newer
    else:
        r.work[OLDEST] = newer
    if newer >= 0:
        r.older[newer] = older
    else:
        r.work[NEWEST] = older


@exact
def _use(r, s):
    """Note that a segment was useful."""
    r.used[s] = r.counters[USES]
    r.counters[USES] += 1
    if r.work[NEWEST] != s:
        _drop_use(r, s)
        _append_use(r, s)


@exact
def destroy(r, s):
    """Free a segment with all its synapses."""
    cell, n = r.segment_cell[s], r.n_synapses[s]
    for k in range(n):
        _delist(r, (s << r.work[SHIFT]) + k, r.synapses[s, k])
        r.synapses[s, k], r.permanences[s, k] = -1, f32(0.0)
    after, before = r.next_of[s], r.previous_of[s]
    if before >= 0:
        r.next_of[before] = after
    else:
        r.first_of[cell] = after
    if after >= 0:
        r.previous_of[after] = before
    r.n_of[cell] -= 1
    r.work[BARE] += r.n_of[cell] == 0
    _drop_use(r, s)
    # who still has it in a list of this tick finds that it matches no more
    r.segment_cell[s], r.n_synapses[s], r.overlap[s], r.born[s], r.used[s] = -1, 0, 0, 0, 0
    r.free[r.counters[FREE]] = s
    r.counters[FREE] += 1
    r.counters[SYNAPSES] -= n


@exact
def _rewire(r):
    """After an edit of the graph: point synapses to where their edges lie now; those of edges that are gone go."""
    was, now = r.wiring, r.wiring_now
    for s in range(r.segment_cell.shape[0]):
        kept = 0
        for k in range(r.n_synapses[s]):
            unit, there = r.synapses[s, k], -1
            for i in range(was.shape[0]):
                for j in range(now.shape[0] if was[i, 1] <= unit < was[i, 2] else 0):
                    if was[i, 0] == now[j, 0] and was[i, 2] - was[i, 1] == now[j, 2] - now[j, 1]:
                        there = unit - was[i, 1] + now[j, 1]
            p = r.permanences[s, k]
            r.synapses[s, k], r.permanences[s, k] = -1, f32(0.0)
            if there >= 0:
                r.synapses[s, kept], r.permanences[s, kept] = there, p
                kept += 1
        r.counters[SYNAPSES] -= r.n_synapses[s] - kept
        r.n_synapses[s] = kept
    for i in range(was.shape[0]):
        for k in range(3):
            was[i, k] = now[i, k]


@exact
def _sort_by_use(r):
    """The segments in `touched`, in the order in which they were useful (Shell's sort); returns how many there are."""
    order, n = r.touched, 0
    for s in range(r.segment_cell.shape[0]):
        order[n] = s
        n += r.segment_cell[s] >= 0
    gap = n // 2
    while gap > 0:
        for i in range(gap, n):
            s, j = order[i], i
            while j >= gap and r.used[order[j - gap]] > r.used[s]:
                order[j] = order[j - gap]
                j -= gap
            order[j] = s
        gap = gap // 2 if gap == 2 else gap * 5 // 11
    return n


@exact
def _empty(r):
    """No lists."""
    work = r.work
    for unit in range(r.lists.shape[0]):
        r.lists[unit, 0], r.lists[unit, 1], r.mark[unit] = -1, 0, 0
    for k in range(r.on.shape[0]):
        r.on[k], r.listed[k] = 0, 0
    work[DEAD] = 0
    for cell in range(r.n_of.shape[0]):
        r.first_of[cell], r.n_of[cell] = -1, MANY if r.dead[cell] else 0
        work[DEAD] += r.dead[cell] != 0
    for column in range(r.first_match.shape[0]):
        r.first_match[column] = -1
    work[BARE] = r.n_of.shape[0] - work[DEAD]
    work[TOUCHED], work[COLUMNS], work[CHUNKS], work[WORDS], work[MARK] = 0, 0, 0, 0, 0
    work[OLDEST], work[NEWEST], work[SPARE] = -1, -1, -1


@exact
def rebuild(r):
    """Make lists and orders anew from what is learned."""
    changed, shift = 0, r.work[SHIFT]
    for i in range(r.wiring.shape[0]):
        for k in range(3):
            changed += r.wiring[i, k] != r.wiring_now[i, k]
    if changed > 0:
        _rewire(r)
    _empty(r)
    for i in range(_sort_by_use(r)):
        s = r.touched[i]
        _link(r, s)
        _append_use(r, s)
        for k in range(r.n_synapses[s]):
            _enlist(r, (s << shift) + k, r.synapses[s, k], r.permanences[s, k] >= r.connected - f32(SLACK))
    for s in range(r.overlap.shape[0]):
        r.overlap[s] = 0
    r.built_with[0] = r.connected
    r.work[BUILT] = 1


# ---------------------------------------------------------------------------------------------------------- learning

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
        last, bits = min(n, first + 64), np.int64(0)
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
            _delist(r, base + k, unit)
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
    _delist(r, base + weakest, r.synapses[s, weakest])
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
    for k in range(n):
        mark[r.synapses[s, k]] = work[MARK]
    for i in range(work[CANDIDATES]):
        unit = r.candidates[i]
        pool[m] = unit
        m += mark[unit] != work[MARK]
    want = min(want, m, r.max_synapses)
    _choose(pool, m, want, mixed(mixed(r.seed[0], r.tick), r.born[s]))
    for k in range(n + want - r.max_synapses):
        _lose_weakest(r, s)
    n, first, connected = r.n_synapses[s], r.initial_permanence, r.initial_permanence >= r.connected - f32(SLACK)
    for k in range(want):
        r.synapses[s, n + k], r.permanences[s, n + k] = pool[k], first
        _enlist(r, (s << work[SHIFT]) + n + k, pool[k], connected)
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
    _link(r, s)
    _append_use(r, s)
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
        _use(r, s)


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
