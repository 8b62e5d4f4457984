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

from cortexsim import bookkeeping as d
from cortexsim import native

_COLUMN = {"predict": d.PREDICT, "compare": d.COMPARE, "update": d.UPDATE, "tick": d.TICK}


@cache
def _compiled(kernel: Callable[[Any], None]) -> Callable[[Any], None]:
    if numba.config.DISABLE_JIT:
        return kernel
    return numba.njit(**native.KERNEL_FLAGS)(kernel)


def _call(engine: Any, r: int, step: str) -> None:
    memory = engine.memory
    name = engine.names[r]
    layout = memory.layouts[name]
    at = memory.view_at[name]
    kernel = engine.plan.regions[name].kind.kernel(step)
    with np.errstate(all="ignore"):
        _compiled(kernel)(layout.namespace(memory.words[at : at + layout.n_words]))


def _step(engine: Any, T: Any, r: int, step: int, t: int) -> None:
    cells = T.regions[r]
    if step == 0:
        if d.begin(T, r, t):
            _call(engine, r, "predict")
    elif step == 1:
        if T.status[r, d.ON] == 1 and d.before_compare(T, r, t):
            if cells[d.COMPARE]:
                _call(engine, r, "compare")
            else:
                d.default_compare(T, r)
    else:
        if T.status[r, d.ON] == 1:
            d.gather(T, r, d.FEEDBACK, d.W_FEEDBACK, t)
            _call(engine, r, "update")
        elif T.status[r, d.ON] == 2:
            d.hold(T, r)
        if T.status[r, d.ON]:
            d.finish(T, r, t)
        d.record(T, r, t)


def _visit(engine: Any, T: Any, r: int, t: int) -> None:
    if not T.regions[r, d.TICK]:
        for step in range(3):
            _step(engine, T, r, step, t)
        return
    if d.begin(T, r, t):
        if d.before_compare(T, r, t):
            d.gather(T, r, d.FEEDBACK, d.W_FEEDBACK, t)
            _call(engine, r, "tick")
        else:
            _call(engine, r, "predict")
            d.hold(T, r)
        d.finish(T, r, t)
    d.record(T, r, t)


def run(engine: Any, start: int, end: int, block: int) -> None:
    """Run the ticks [start, end) as the driver does, in blocks."""
    T = engine.namespace()
    for first in range(start, end, block):
        ticks = range(first, min(first + block, end))
        for u in range(len(T.unit_start) - 1):
            steps = T.steps[T.unit_start[u] : T.unit_start[u + 1]]
            for t in ticks:
                if steps[0, 1] < 0:
                    _visit(engine, T, int(steps[0, 0]), t)
                else:
                    for r, step in steps:
                        _step(engine, T, int(r), int(step), t)


def run_predict(engine: Any, tick: int) -> None:
    """Only the predict steps of a tick."""
    T = engine.namespace()
    for r, step in T.steps:
        if step <= 0:
            _step(engine, T, int(r), 0, tick)
