"""The driver's loop once more, in plain Python over public numba: used where :mod:`cortexsim.native` cannot be.

The same bookkeeping functions and the same kernels run in the same order, so the numbers are the same; a region-tick
costs some tens of microseconds instead of some tens of nanoseconds. It also serves with numba's JIT switched off.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import numba
import numpy as np

from cortexsim import adapting, guard, native, scoring
from cortexsim import bookkeeping as d


@cache
def _compiled(kernel: Callable[[Any], None]) -> Callable[[Any], None]:
    if numba.config.DISABLE_JIT:
        return kernel
    return numba.njit(**native.KERNEL_FLAGS)(kernel)


@cache
def _open(function: Any) -> Callable[..., Any]:
    """A function of the driver's, with a way in from Python."""
    return function if numba.config.DISABLE_JIT else numba.njit(**native.DRIVER_FLAGS)(function.py_func)


def _call(engine: Any, r: int, step: str) -> None:
    memory = engine.memory
    name = engine.names[r]
    layout = memory.layouts[name]
    at = memory.view_at[name]
    region = engine.plan.regions[name]
    kernel = region.kind.kernel(step, region.hyper)
    with np.errstate(all="ignore"):
        _compiled(kernel)(layout.namespace(memory.words[at : at + layout.n_words]))


def _advance(engine: Any, T: Any, r: int, step: int, t: int, only: bool = False) -> None:
    kernels, status = T.kernels[r], T.status[r]
    last = step in (-1, 2)
    if step > 0 or _open(d.begin)(T, r, t):
        if status[d.ON] & 1:
            _open(d.gather)(T, r, step, t)
            compares = step in (-1, 1)
            there = not compares or _open(d.target_there)(T, r)
            fused = step < 0 and there and kernels[d.TICK] != 0
            if step <= 0 and not fused:
                _call(engine, r, "predict")
            if compares and there and not fused:
                if kernels[d.COMPARE]:
                    _call(engine, r, "compare")
                else:
                    _open(d.default_compare)(T, r)
            if there and last:
                _call(engine, r, "tick" if fused else "update")
            if not only:
                _open(guard.watch)(T, r, step, t)
                # the tables here are a copy
                engine.memory.regions[r, d.FROZEN] = T.regions[r, d.FROZEN]
        if status[d.ON] and last:
            _open(scoring.finish)(T, r, t)
            if _open(adapting.due)(T, r):
                _open(adapting.adapt)(T, r)
    if last:
        _open(scoring.record)(T, r, t)


def run(engine: Any, start: int, end: int, block: int) -> None:
    """Run the ticks [start, end) as the driver does, in blocks."""
    T = engine.namespace()
    for first in range(start, end, block):
        ticks = range(first, min(first + block, end))
        for u in range(len(T.unit_start) - 1):
            for t in ticks:
                for r, step in T.steps[T.unit_start[u] : T.unit_start[u + 1]]:
                    _advance(engine, T, int(r), int(step), t)


def flush(engine: Any) -> None:
    """Let the regions do what their kernels have put off."""
    T = engine.namespace()
    for r in range(len(engine.names)):
        if T.kernels[r, d.FLUSH]:
            _call(engine, r, "flush")


def run_predict(engine: Any, tick: int) -> None:
    """Only the predict steps of a tick."""
    T = engine.namespace()
    for r, step in T.steps:
        if step <= 0:
            _advance(engine, T, int(r), 0, tick, only=True)
