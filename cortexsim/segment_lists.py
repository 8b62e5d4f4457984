"""Where segments of cells are found: lists by unit, by cell, by use and by column. Compiled for ``temporal_memory``.

All of it works on the view of a region, whose arrays ``cortexsim/kinds/temporal_memory.py`` describes. Of these,
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
MANY = 1 << 30  # segments of a dead cell, so that it is never the one with the fewest; marks before all are cleared


@exact
def is_on(r, unit):
    """1 where a unit of the context is active, else 0; one bit a unit stays in the nearest cache."""
    return (r.on[unit >> 6] >> (unit & 63)) & 1


@exact
def enlist(r, flat, unit, connected):
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
def delist(r, flat, unit):
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
def link(r, s):
    """Enter a segment as the first of its cell."""
    cell = r.segment_cell[s]
    after = r.first_of[cell]
    r.next_of[s], r.previous_of[s], r.first_of[cell] = after, -1, s
    if after >= 0:
        r.previous_of[after] = s
    r.work[BARE] -= r.n_of[cell] == 0
    r.n_of[cell] += 1


@exact
def append_use(r, s):
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
def use(r, s):
    """Note that a segment was useful."""
    r.used[s] = r.counters[USES]
    r.counters[USES] += 1
    if r.work[NEWEST] != s:
        _drop_use(r, s)
        append_use(r, s)


@exact
def destroy(r, s):
    """Free a segment with all its synapses."""
    cell, n = r.segment_cell[s], r.n_synapses[s]
    for k in range(n):
        delist(r, (s << r.work[SHIFT]) + k, r.synapses[s, k])
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
def forget(r):
    """Leave nothing of the lists, not even how they came about: a run that goes on from here ends with the same bits.

    The overlaps of the last prediction stay, for those who look: they do not depend on the lists' order.
    """
    if r.work[BUILT] == 0:
        return
    _empty(r)
    for array in (r.chunks, r.position, r.next_of, r.previous_of, r.older, r.newer, r.touched, r.next_match, r.columns):
        for k in range(array.shape[0]):
            array[k] = 0
    r.built_with[0] = f32(0.0)
    r.work[BUILT] = 0


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
        link(r, s)
        append_use(r, s)
        for k in range(r.n_synapses[s]):
            enlist(r, (s << shift) + k, r.synapses[s, k], r.permanences[s, k] >= r.connected - f32(SLACK))
    for s in range(r.overlap.shape[0]):
        r.overlap[s] = 0
    r.built_with[0] = r.connected
    r.work[BUILT] = 1


# ---------------------------------------------------------------------------------------------------------- learning


@exact
def _look(r):
    """Note which units of the context are active; returns how many of them have synapses, which are then in `pool`."""
    work, on, words, listed, pool, n, m = r.work, r.on, r.on_words, r.listed, r.pool, 0, 0
    for k in range(work[WORDS]):
        on[words[k]] = 0
    for k in range(r.active.shape[0]):
        unit = r.active[k]
        word, bit = unit >> 6, np.int64(1) << (unit & 63)
        # no branch that would be guessed wrong: what is written beyond the count is written again
        words[n] = word
        n += on[word] == 0
        on[word] |= bit
        pool[m] = unit
        m += (listed[word] & bit) != 0
    work[WORDS] = n
    return m


@exact
def count(r):
    """Count the active synapses of each segment that has any: in the low half of a number all, in the high half those
    that are connected."""
    overlap, touched, lists, chunks, work, n = r.overlap, r.touched, r.lists, r.chunks, r.work, 0
    for k in range(work[TOUCHED]):
        overlap[touched[k]] = 0
    shift, m, head, ahead = work[SHIFT] + 1, _look(r), np.int32(-1), np.int32(-1)
    for a in range(m + 1):
        chunk, following = head, ahead
        # chunks lie anywhere: the first line of the one to come is read while this one is worked on
        head = lists[r.pool[a], 0] if a < m else np.int32(-1)
        ahead = chunks[head * CHUNK] if head >= 0 else np.int32(-1)
        size = lists[r.pool[a - 1], 1] if a > 0 else np.int32(0)
        while chunk >= 0:
            at, after = chunk * CHUNK, chunks[following * CHUNK] if following >= 0 else np.int32(-1)
            for k in range(at + 1, at + 1 + size):
                s = chunks[k] >> shift
                touched[n] = s
                n += overlap[s] == 0
                overlap[s] += 1 + ((chunks[k] & 1) << 16)
            chunk, following, size = following, after, np.int32(CHUNK - 1)
    work[TOUCHED] = n


@exact
def match(r, s):
    """Enter a segment in the list of its column, in the order in which they were made."""
    column, before = r.segment_cell[s] // r.work[CELLS], -1
    if r.overlap[s] >> 16 >= r.activation_threshold:
        r.prediction[column] = f32(1.0)
    after = r.first_match[column]
    if after < 0:
        r.columns[r.work[COLUMNS]] = column
        r.work[COLUMNS] += 1
    while after >= 0 and r.born[after] < r.born[s]:
        before, after = after, r.next_match[after]
    r.next_match[s] = after
    if before >= 0:
        r.next_match[before] = s
    else:
        r.first_match[column] = s
