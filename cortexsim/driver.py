"""The one compiled loop: ticks, blocks, threads. It knows no kind, and is the same code for every graph.

A *block* is D ticks; a *visit* runs one region for the ticks of a block, calling its kernels at their addresses. What
happens around a kernel is in ``bookkeeping.py``. numba's cache looks at one file when it decides whether code is old,
so every entry point takes a stamp of the other files that went into it: an upgrade never runs stale code.
"""

from __future__ import annotations

from pathlib import Path

from numba import njit, prange

from cortexsim import bookkeeping, native
from cortexsim.bookkeeping import (
    COMPARE,
    CYCLES,
    FEEDBACK,
    ON,
    PREDICT,
    PROBE,
    PROBE_END,
    TABLES,
    TICK,
    TIMED,
    UPDATE,
    VIEW,
    W_FEEDBACK,
    before_compare,
    begin,
    compiled,
    default_compare,
    finish,
    gather,
    hold,
    record,
)
from cortexsim.native import DRIVER_FLAGS, call, caster, cycles, flush_denormals, restore

STAMP = native.stamp(Path(native.__file__), Path(bookkeeping.__file__))
tables_at = caster(TABLES.type)
# one visit in so many is timed
TIMED_EVERY = 32


@compiled
def _step(T, r, step, t):
    """One step of one region, by calling its kernel at its address."""
    regions = T.regions
    pointer = T.words_address + 8 * regions[r, VIEW]
    if step == 0:
        if begin(T, r, t):
            call(regions[r, PREDICT], pointer)
    elif step == 1:
        if T.status[r, ON] == 1 and before_compare(T, r, t):
            if regions[r, COMPARE]:
                call(regions[r, COMPARE], pointer)
            else:
                default_compare(T, r)
    else:
        if T.status[r, ON] == 1:
            if regions[r, FEEDBACK + 1] > regions[r, FEEDBACK]:
                gather(T, r, FEEDBACK, W_FEEDBACK, t)
            call(regions[r, UPDATE], pointer)
        elif T.status[r, ON] == 2:
            hold(T, r)
        if T.status[r, ON]:
            finish(T, r, t)
        if regions[r, PROBE_END] > regions[r, PROBE]:
            record(T, r, t)


@compiled
def _visit(T, r, t):
    """One tick of a region that nobody waits for inside it: fused where the kind can."""
    regions = T.regions
    if not regions[r, TICK]:
        _step(T, r, 0, t)
        _step(T, r, 1, t)
        _step(T, r, 2, t)
        return
    if begin(T, r, t):
        pointer = T.words_address + 8 * regions[r, VIEW]
        if before_compare(T, r, t):
            if regions[r, FEEDBACK + 1] > regions[r, FEEDBACK]:
                gather(T, r, FEEDBACK, W_FEEDBACK, t)
            call(regions[r, TICK], pointer)
        else:
            call(regions[r, PREDICT], pointer)
            hold(T, r)
        finish(T, r, t)
    if regions[r, PROBE_END] > regions[r, PROBE]:
        record(T, r, t)


@njit(cache=True, **DRIVER_FLAGS)
def run_units(address, first, last, t, ticks, stamp=STAMP):
    """Run the units [first, last) for a block of ticks, with denormals flushed."""
    T = tables_at(address)
    former = flush_denormals()
    steps, unit_start, status = T.steps, T.unit_start, T.status
    for u in range(first, last):
        a, b = unit_start[u], unit_start[u + 1]
        started = cycles() if (t // ticks) % TIMED_EVERY == 0 else 0
        if steps[a, 1] < 0:
            for k in range(ticks):
                _visit(T, steps[a, 0], t + k)
        else:
            for k in range(ticks):
                for s in range(a, b):
                    _step(T, steps[s, 0], steps[s, 1], t + k)
        if started:
            status[steps[a, 0], CYCLES] += cycles() - started
            status[steps[a, 0], TIMED] += ticks
    restore(former)


@njit(cache=True, **DRIVER_FLAGS)
def run_serial(address, t, end, block, stamp=STAMP):
    """All levels on one thread."""
    T = tables_at(address)
    last = T.unit_start.shape[0] - 1
    while t < end:
        ticks = min(block, end - t)
        run_units(address, 0, last, t, ticks)
        t += ticks


@njit(cache=True, parallel=True, **DRIVER_FLAGS)
def run_parallel(address, t, end, block, stamp=STAMP):
    """Levels one after the other, the partitions of a level at once; no sum crosses a thread."""
    T = tables_at(address)
    parts, level_start = T.parts, T.level_start
    while t < end:
        ticks = min(block, end - t)
        for level in range(level_start.shape[0] - 1):
            for p in prange(level_start[level], level_start[level + 1]):
                run_units(address, parts[p, 0], parts[p, 1], t, ticks)
        t += ticks


@njit(cache=True, **DRIVER_FLAGS)
def run_predict(address, t, stamp=STAMP):
    """Only the predict step of every region, in order: nothing but predictions and scratch is written."""
    T = tables_at(address)
    former = flush_denormals()
    for u in range(T.unit_start.shape[0] - 1):
        for s in range(T.unit_start[u], T.unit_start[u + 1]):
            if T.steps[s, 1] <= 0:
                _step(T, T.steps[s, 0], 0, t)
    restore(former)
