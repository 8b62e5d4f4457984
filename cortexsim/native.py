"""Native calls: kernels by their address, denormals, the cycle counter; and a self-test of it all.

Kernels are called through a table of addresses, so the driver is compiled once for every graph, and an outside kind
changes nothing. They see their region through a view (:mod:`cortexsim.views`).

``self_test`` tries all of it once per process; where it fails, or ``CORTEXSIM_NATIVE=0`` is set, or numba's JIT is off,
:mod:`cortexsim.fallback` runs the same kernels through public numba: slower, with the same results.
"""

from __future__ import annotations

import os
import platform
import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import numba
import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.core.errors import NumbaError
from numba.extending import intrinsic

from cortexsim import rows
from cortexsim.errors import KindError
from cortexsim.views import Layout, ViewType

# Reassociation lets LLVM vectorise sums; NaN and infinity stay legal, so that isfinite keeps its meaning.
FASTMATH = {"reassoc", "contract", "nsz"}
KERNEL_FLAGS: dict[str, Any] = {"nogil": True, "fastmath": FASTMATH, "error_model": "numpy"}
DRIVER_FLAGS: dict[str, Any] = {"nogil": True, "error_model": "numpy"}
# of what only compiled code calls: no way in from Python, which takes as long to compile as the function
INNER: dict[str, Any] = {"no_cpython_wrapper": True, "no_cfunc_wrapper": True}

X86 = platform.machine().lower() in ("x86_64", "amd64")

def caster(view_type: ViewType) -> Any:
    """Make an intrinsic that turns an address (int64) into a view of `view_type` inside compiled code."""

    @intrinsic
    def cast(typingctx, address):
        def codegen(context, builder, signature, args):
            return builder.inttoptr(args[0], ir.IntType(8).as_pointer())

        return view_type(types.int64), codegen

    return cast


@intrinsic
def call(typingctx, function, view):
    """Call the kernel at address `function` with the view at address `view` (both int64); exceptions propagate."""

    def codegen(context, builder, signature, args):
        convention = context.call_conv
        kind = convention.get_function_type(types.none, (types.voidptr,))
        pointer = builder.inttoptr(args[0], kind.as_pointer())
        argument = builder.inttoptr(args[1], ir.IntType(8).as_pointer())
        status, _ = convention.call_function(builder, pointer, types.none, (types.voidptr,), [argument])
        with cgutils.if_unlikely(builder, status.is_error):
            convention.return_status_propagate(builder, status)
        return context.get_dummy_value()

    return types.void(types.int64, types.int64), codegen


@intrinsic
def flush_denormals(typingctx):
    """Let the processor take denormal numbers for zero (a decayed trace costs 70 times as much otherwise).

    Returns the former setting, for :func:`restore`. Does nothing where the processor is not an x86.
    """

    def codegen(context, builder, signature, args):
        slot = cgutils.alloca_once(builder, ir.IntType(32))
        if not X86:
            builder.store(ir.IntType(32)(0), slot)
            return builder.load(slot)
        pointer = builder.bitcast(slot, ir.IntType(8).as_pointer())
        builder.call(_mxcsr(builder, "st"), [pointer])
        former = builder.load(slot)
        # bit 15 flushes results to zero, bit 6 takes denormal inputs for zero
        builder.store(builder.or_(former, ir.IntType(32)(0x8040)), slot)
        builder.call(_mxcsr(builder, "ld"), [pointer])
        return former

    return types.int32(), codegen


@intrinsic
def restore(typingctx, former):
    """Undo :func:`flush_denormals`."""

    def codegen(context, builder, signature, args):
        if X86:
            slot = cgutils.alloca_once_value(builder, args[0])
            builder.call(_mxcsr(builder, "ld"), [builder.bitcast(slot, ir.IntType(8).as_pointer())])
        return context.get_dummy_value()

    return types.void(types.int32), codegen


def _mxcsr(builder, verb):
    kind = ir.FunctionType(ir.VoidType(), [ir.IntType(8).as_pointer()])
    return cgutils.get_or_insert_function(builder.module, kind, f"llvm.x86.sse.{verb}mxcsr")


@intrinsic
def cycles(typingctx):
    """The processor's cycle counter (0 where it cannot be read), to share out the time between regions."""

    def codegen(context, builder, signature, args):
        if not X86:
            return ir.IntType(64)(0)
        kind = ir.FunctionType(ir.IntType(64), [])
        counter = cgutils.get_or_insert_function(builder.module, kind, "llvm.readcyclecounter")
        return builder.call(counter, [])

    return types.int64(), codegen


_compiled: dict[tuple[Any, tuple], tuple[int, Any]] = {}


def address(kernel: Any, layout: Layout, flags: Mapping[str, Any] = KERNEL_FLAGS) -> int:
    """Compile a kernel for a layout, or load it from numba's cache, and return its address.

    Parameters
    ----------
    kernel : function of one argument
        A plain Python function, as a kind's file holds it.
    layout : Layout
        Of the views it will be called with.
    flags : dict
        Options of numba.

    Returns
    -------
    int
        The address of the native code, for :func:`call`.
    """
    key = (kernel, layout.fields)
    if key not in _compiled:
        rows.prepare()
        view = layout.type
        try:
            dispatcher = numba.njit(types.void(view), cache=_cacheable(kernel), **flags, **INNER)(kernel)
        except NumbaError as error:
            raise KindError(f"kernel {kernel.__qualname__!r} of {kernel.__module__!r}",
                            f"does not compile: {_reason(error)}") from error
        overload = dispatcher.overloads[(view,)]
        pointer = overload.library.get_pointer_to_function(overload.fndesc.llvm_func_name)
        # the dispatcher is kept, since its code would be freed with it
        _compiled[key] = (pointer, dispatcher)
    return _compiled[key][0]


def _reason(error: NumbaError) -> str:
    """The line of numba's long report that says what is wrong, and where."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip() and not line.startswith("Failed in")]
    what = " ".join(lines[:2]) if lines[0].endswith(":") else lines[0]
    place = next((f" ({line.rstrip(':')})" for line in lines if line.startswith('File "') and ", line" in line), "")
    # the type of a view lists all its fields
    return re.sub(r"View\[.*\]\(.*\)", "View", what) + place


def compiled_count() -> dict[str, int]:
    """How many kernels this process compiled, and how many it found in numba's cache."""
    hits = sum(sum(d.stats.cache_hits.values()) for _, d in _compiled.values())
    misses = sum(sum(d.stats.cache_misses.values()) for _, d in _compiled.values())
    return {"loaded": hits, "compiled": misses}


def _cacheable(kernel) -> bool:
    # code typed at a prompt or in a notebook has no file that numba could watch for changes
    return os.path.isfile(kernel.__code__.co_filename)


def _double(view):
    for i in range(view.state.shape[0]):
        view.state[i] = view.gain * view.state[i] + view.tick


@lru_cache(maxsize=1)
def self_test() -> str:
    """Try views and calls by address once.

    Returns
    -------
    str
        ``""`` where they work, else why not: then :mod:`cortexsim.fallback` is used.
    """
    if os.environ.get("CORTEXSIM_NATIVE", "1") == "0":
        return "CORTEXSIM_NATIVE=0 is set"
    if numba.config.DISABLE_JIT:
        return "numba's JIT is switched off"
    try:
        layout = Layout([("tick", "int"), ("gain", "float")], [("state", "float32", 1)])
        state = np.arange(3, dtype=np.float32)
        words = np.zeros(layout.n_words, np.int64)
        words[0] = 1
        words[1:2].view(np.float64)[0] = 2.0
        layout.put(words, "state", state)
        call_once(address(_double, layout), words.ctypes.data)
    except Exception as error:  # whatever a future numba changes: the reason is shown, and the fallback serves
        return f"{type(error).__name__}: {error}"
    return "" if state.tolist() == [1.0, 3.0, 5.0] else f"a kernel wrote {state.tolist()}"


def helper(function: Any) -> Any:
    """Decorate a function that the kernels of the same file share: compiled with the flags of a kernel."""
    return numba.njit(**KERNEL_FLAGS, **INNER)(function)


def exact(function: Any) -> Any:
    """Decorate a helper whose sums and products are computed as they are written: the same bits on any processor."""
    # said outright, for numba hands the flags of a kernel down to what it calls
    return numba.njit(fastmath=False, **DRIVER_FLAGS, **INNER)(function)


@numba.njit(cache=True, **DRIVER_FLAGS)
def call_once(function, view):
    """Call native code from Python, with denormals flushed; returns the cycles that it took."""
    former = flush_denormals()
    start = cycles()
    call(function, view)
    restore(former)
    return cycles() - start
