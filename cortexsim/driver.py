"""The one compiled loop: ticks, blocks, threads. It knows no kind, and is the same code for every graph.

A *block* is D ticks; a *visit* runs one region for the ticks of a block, calling its kernels at their addresses. What
happens around a kernel is in ``bookkeeping.py`` and ``scoring.py``. numba's cache looks at one file when it decides
whether code is old, so every entry point takes a stamp of the other files that went into it: an upgrade never runs
stale code.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from numba import njit, prange, typeof, types

from cortexsim import views
from cortexsim.bookkeeping import (
    COMPARE,
    CYCLES,
    FLUSH,
    ON,
    PREDICT,
    PROBE,
    PROBE_END,
    TABLES,
    TICK,
    TIMED,
    UPDATE,
    VIEW,
    begin,
    compiled,
    default_compare,
    gather,
    target_there,
)
from cortexsim.native import DRIVER_FLAGS, call, caster, cycles, flush_denormals, restore
from cortexsim.scoring import finish, record

STAMP = views.stamp(*(Path(__file__).with_name(f"{name}.py") for name in ("bookkeeping", "scoring", "native", "views")))
tables_at = caster(TABLES.type)
# one visit in so many is timed
TIMED_EVERY = 32


@compiled
def _advance(T, r, step, t):
    """One step (0 predict, 1 compare, 2 update) of a region at a tick, or all three (-1) where nobody waits between."""
    regions, kernels, status = T.regions, T.kernels, T.status
    if step > 0 or begin(T, r, t):
        if status[r, ON] == 1:
            pointer = T.words_address + 8 * regions[r, VIEW]
            gather(T, r, step, t)
            compares = step == -1 or step == 1
            there = not compares or target_there(T, r)
            fused = step < 0 and there and kernels[r, TICK] != 0
            if step <= 0 and not fused:
                call(kernels[r, PREDICT], pointer)
            if compares and there and not fused:
                if kernels[r, COMPARE]:
                    call(kernels[r, COMPARE], pointer)
                else:
                    default_compare(T, r)
            if there and (step == -1 or step == 2):
                call(kernels[r, TICK if fused else UPDATE], pointer)
        if status[r, ON] and (step == -1 or step == 2):
            finish(T, r, t)
    if regions[r, PROBE_END] > regions[r, PROBE] and (step == -1 or step == 2):
        record(T, r, t)


@njit(cache=True, **DRIVER_FLAGS)
def run_units(address, first, last, t, end, block, predict_only, stamp=STAMP):
    """Run the units [first, last) over the ticks [t, end) in blocks, with denormals flushed.

    With `predict_only` nothing but predictions and scratch is written.
    """
    T = tables_at(address)
    former = flush_denormals()
    steps, unit_start, status = T.steps, T.unit_start, T.status
    while t < end:
        ticks = min(block, end - t)
        for u in range(first, last):
            a, b = unit_start[u], unit_start[u + 1]
            started = cycles() if (t // ticks) % TIMED_EVERY == 0 else 0
            for k in range(ticks):
                for s in range(a, b):
                    step = steps[s, 1]
                    if not predict_only or step <= 0:
                        _advance(T, steps[s, 0], 0 if predict_only else step, t + k)
            if started and not predict_only:
                status[steps[a, 0], CYCLES] += cycles() - started
                status[steps[a, 0], TIMED] += ticks
        t += ticks
    restore(former)


@njit(cache=True, **DRIVER_FLAGS)
def flush(address, n_regions, stamp=STAMP):
    """Let the regions do what their kernels have put off."""
    T = tables_at(address)
    former = flush_denormals()
    for r in range(n_regions):
        if T.kernels[r, FLUSH]:
            call(T.kernels[r, FLUSH], T.words_address + 8 * T.regions[r, VIEW])
    restore(former)


@njit(cache=True, parallel=True, **DRIVER_FLAGS)
def run_parallel(address, t, end, block, stamp=STAMP):
    """Levels one after the other, the partitions of a level at once; no sum crosses a thread."""
    T = tables_at(address)
    parts, level_start = T.parts, T.level_start
    while t < end:
        ticks = min(block, end - t)
        for level in range(T.n_levels):
            for p in prange(level_start[level], level_start[level + 1]):
                run_units(address, parts[p, 0], parts[p, 1], t, t + ticks, ticks, False)
        t += ticks


_entries: dict[Any, Callable[..., None]] = {}


def enter(function: Any, *arguments: Any) -> None:
    """Call one of the functions above from Python: always with the same types, so that numba need not look for them.

    It would, each time, for a function with a default; to look takes longer than many a tick.
    """
    if function not in _entries:
        function(*arguments)
        kinds = (*map(typeof, arguments), types.Omitted(STAMP))
        _entries[function] = function.overloads[kinds].entry_point
        return
    _entries[function](*arguments, STAMP)
