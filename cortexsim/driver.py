"""The one compiled loop: ticks, blocks, threads. It knows no kind, and is the same code for every graph.

A *block* is D ticks; a *visit* runs one region for the ticks of a block, calling its kernels at their addresses. What
happens around a kernel is in ``bookkeeping.py`` and ``scoring.py``. The loop itself is called like a kernel, by address
and with a view of what there is to do. numba's cache looks at one file when it decides whether code is old, so every
entry point takes a stamp of the other files that went into it: an upgrade never runs stale code.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from numba import njit, prange

from cortexsim.adapting import adapt, due
from cortexsim.bookkeeping import (
    ADAPT,
    COMPARE,
    CYCLES,
    FLUSH,
    ON,
    PREDICT,
    PROBE,
    PROBE_END,
    RATE_JOB,
    SCORE_AT,
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
from cortexsim.guard import watch
from cortexsim.native import DRIVER_FLAGS, address, call, caster, cycles, flush_denormals, restore
from cortexsim.scoring import finish, record
from cortexsim.views import Layout, stamp

STAMP = stamp(*(Path(__file__).with_name(f"{name}.py") for name in (
    "bookkeeping", "adapting", "guard", "scoring", "native", "views")))
tables_at = caster(TABLES.type)
# one visit in so many is timed
TIMED_EVERY = 32
# what is handed to `work` and `flush`: where the tables are, units [first, last), ticks [start, end), the longest
# block, and whether to run predictions only; the last name makes cached code new when a file that went into it changes
JOB = Layout([(name, "int") for name in ("tables", "first", "last", "start", "end", "block", "only",
                                         f"stamp_{STAMP}")], ())
RATE_JOB_VIEW = Layout([(name, "int") for name in ("tables", "region", f"stamp_{STAMP}")], ())
START, END, BLOCK = (JOB.word[name] for name in ("start", "end", "block"))


@compiled
def _advance(T, r, step, t, only):
    """One step (0 predict, 1 compare, 2 update) of a region at a tick, or all three (-1) where nobody waits between.

    With `only` 1 it is a try: a prediction, at which nobody looks who could do anything about it.
    """
    regions, kernels, status = T.regions, T.kernels, T.status
    if step > 0 or begin(T, r, t):
        if status[r, ON] & 1:
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
            if only == 0:
                watch(T, r, step, t)
        if status[r, ON] and (step == -1 or step == 2):
            finish(T, r, t)
            if due(T, r):
                call(kernels[r, ADAPT], T.words_address + 8 * (regions[r, SCORE_AT] + RATE_JOB))
    if regions[r, PROBE_END] > regions[r, PROBE] and (step == -1 or step == 2):
        record(T, r, t)


def work(j: Any) -> None:
    """Run the units of a job over its ticks in blocks, with denormals flushed.

    With its `only` 1 nothing but predictions and scratch is written.
    """
    T, only, t, end = tables_at(j.tables), j.only, j.start, j.end
    former = flush_denormals()
    steps, unit_start, status = T.steps, T.unit_start, T.status
    while t < end:
        ticks = min(j.block, end - t)
        for u in range(j.first, j.last):
            a, b = unit_start[u], unit_start[u + 1]
            started = cycles() if (t // ticks) % TIMED_EVERY == 0 else 0
            for k in range(ticks):
                for s in range(a, b):
                    step = steps[s, 1]
                    if only == 0 or step <= 0:
                        _advance(T, steps[s, 0], step if only == 0 else 0, t + k, only)
            if started and only == 0:
                status[steps[a, 0], CYCLES] += cycles() - started
                status[steps[a, 0], TIMED] += ticks
        t += ticks
    restore(former)


def flush(j: Any) -> None:
    """Let the regions do what their kernels have put off."""
    T = tables_at(j.tables)
    former = flush_denormals()
    for r in range(j.last):
        if T.kernels[r, FLUSH]:
            call(T.kernels[r, FLUSH], T.words_address + 8 * T.regions[r, VIEW])
    restore(former)


def change_rate(j: Any) -> None:
    """Change the learning rate of one region: called by address, since most graphs have none that changes."""
    adapt(tables_at(j.tables), j.region)


def prepare_rates() -> int:
    """Compile `change_rate`, or load it from numba's cache; returns its address."""
    return address(change_rate, RATE_JOB_VIEW, DRIVER_FLAGS)


def prepare() -> tuple[int, int]:
    """Compile `work` and `flush`, or load them from numba's cache; returns their addresses."""
    return address(work, JOB, DRIVER_FLAGS), address(flush, JOB, DRIVER_FLAGS)


@njit(cache=True, parallel=True, **DRIVER_FLAGS)
def run_parallel(function, jobs, place, level_start, t, end, block, longest, made_of=STAMP):
    """Levels one after the other, the jobs of a level at once; no sum crosses a thread.

    `jobs` lie at the address `place`, one for each partition. They are done by address: numba would otherwise compile a
    copy of all the work three times over. A barrier follows after `block` ticks, a visit has `longest` at most.
    """
    while t < end:
        ticks = min(block, end - t)
        for level in range(level_start.shape[0] - 1):
            for p in prange(level_start[level], level_start[level + 1]):
                jobs[p, START], jobs[p, END], jobs[p, BLOCK] = t, t + ticks, min(ticks, longest)
                call(function, place + 8 * p * jobs.shape[1])
        t += ticks
