"""Everything that touches numba's internals: views of memory, and calls of a kernel by its address.

A *view* is how a kernel sees its region: one pointer to a row of 64-bit words, where ``view.W`` or ``view.rate``
is read at a place that is fixed when the kernel is compiled. Arrays made this way are *borrowed*: they carry no
reference count, so taking one costs a load. Kernels are called through a table of addresses, so the driver is compiled
once for every graph, and an outside kind changes nothing.

``self_test`` tries all of it once per process; where it fails, or ``CORTEXSIM_NATIVE=0`` is set, or numba's JIT is off,
:mod:`cortexsim.fallback` runs the same kernels through public numba: slower, with the same results.
"""

from __future__ import annotations

import ctypes
import hashlib
import os
import platform
import re
from collections import namedtuple
from functools import cache, lru_cache
from pathlib import Path
from typing import Any

import numba
import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.core.datamodel import models
from numba.core.errors import NumbaError
from numba.core.imputils import lower_getattr_generic
from numba.core.typing.templates import AttributeTemplate, infer_getattr
from numba.extending import intrinsic, register_model

from cortexsim.errors import KindError

# Reassociation lets LLVM vectorise sums; NaN and infinity stay legal, so that isfinite keeps its meaning.
FASTMATH = {"reassoc", "contract", "nsz"}
KERNEL_FLAGS: dict[str, Any] = {"nogil": True, "fastmath": FASTMATH, "error_model": "numpy"}
DRIVER_FLAGS: dict[str, Any] = {"nogil": True, "error_model": "numpy"}


def stamp(*files: Path) -> int:
    """A number made of the text of files, to go with cached code that was made from more files than its own."""
    return int.from_bytes(hashlib.sha256(b"".join(file.read_bytes() for file in files)).digest()[:6], "big")


STAMP = stamp(Path(__file__))
X86 = platform.machine().lower() in ("x86_64", "amd64")

SCALARS = ("tick", "trial", "place", "span", "learn", "reset", "key", "due", "n_dense")
ARRAYS = (("context", "float32", 1), ("target", "float32", 1), ("prior", "float32", 1), ("feedback", "float32", 1),
          ("active", "int32", 1), ("prediction", "float32", 1), ("error", "float32", 1), ("state", "float32", 1),
          ("reconstruction", "float32", 1), ("feedback_out", "float32", 1), ("active_out", "int32", 1),
          ("score", "float64", 1), ("units", "int64", 1), ("context_edges", "int64", 2),
          ("target_edges", "int64", 2), ("prior_edges", "int64", 2), ("feedback_edges", "int64", 2))


class ViewType(types.Type):
    """numba's type of a view.

    Parameters
    ----------
    fields : tuple of (name, what, word)
        `what` is ``"int"``, ``"float"`` (a float64 word, read as float32) or ``"dtype/ndim"`` of a C-ordered array,
        whose address and shape start at `word`.
    """

    def __init__(self, fields: tuple[tuple[str, str, int], ...]) -> None:
        self.fields = fields
        self.places = {name: (what, word) for name, what, word in fields}
        # the stamp makes cached kernels new when this file changes, which numba would not notice
        parts = ", ".join(f"{name}:{what}@{word}" for name, what, word in fields)
        super().__init__(name=f"View[{STAMP}]({parts})")


@register_model(ViewType)
class _ViewModel(models.PrimitiveModel):
    def __init__(self, dmm, fe_type):
        super().__init__(dmm, fe_type, ir.IntType(8).as_pointer())


def _numba_type(what: str):
    if what == "int":
        return types.int64
    if what == "float":
        return types.float32
    dtype, ndim = what.split("/")
    return types.Array(getattr(types, dtype), int(ndim), "C")


@infer_getattr
class _ViewAttributes(AttributeTemplate):
    key = ViewType

    def generic_resolve(self, typ, attr):
        if attr in typ.places:
            return _numba_type(typ.places[attr][0])
        return None


@lower_getattr_generic(ViewType)
def _view_getattr(context, builder, typ, value, attr):
    what, word = typ.places[attr]
    words = builder.bitcast(value, ir.IntType(64).as_pointer())

    def load(index):
        return builder.load(cgutils.gep_inbounds(builder, words, index))

    if what == "int":
        return load(word)
    if what == "float":
        return builder.fptrunc(builder.bitcast(load(word), ir.DoubleType()), ir.FloatType())
    return _borrowed_array(context, builder, _numba_type(what), load, word)


def _borrowed_array(context, builder, array_type, load, word):
    element = context.get_data_type(array_type.dtype)
    item = ir.IntType(64)(context.get_abi_sizeof(element))
    shape = [load(word + 1 + axis) for axis in range(array_type.ndim)]
    strides: list[Any] = []
    step, count = item, ir.IntType(64)(1)
    for length in reversed(shape):
        strides.insert(0, step)
        step = builder.mul(step, length)
        count = builder.mul(count, length)
    array = context.make_array(array_type)(context, builder)
    array.data = builder.inttoptr(load(word), element.as_pointer())
    array.shape = cgutils.pack_array(builder, shape)
    array.strides = cgutils.pack_array(builder, strides)
    array.itemsize = item
    array.nitems = count
    # no meminfo, no parent: the arena outlives every kernel call, so nothing needs counting
    array.meminfo = cgutils.get_null_value(array.meminfo.type)
    array.parent = cgutils.get_null_value(array.parent.type)
    return array._getvalue()


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


class Layout:
    """Where the fields of a view lie in its row of words.

    Parameters
    ----------
    scalars : iterable of (name, "int" | "float")
    arrays : iterable of (name, dtype, ndim)
    """

    def __init__(self, scalars: Any, arrays: Any) -> None:
        fields, word = [], 0
        for name, what in scalars:
            fields.append((name, what, word))
            word += 1
        for name, dtype, ndim in arrays:
            fields.append((name, f"{dtype}/{ndim}", word))
            word += 1 + ndim
        self.fields = tuple(fields)
        self.word = {name: word for name, _, word in fields}
        self.n_words = word

    @property
    def type(self) -> ViewType:
        """numba's type of such a view."""
        return ViewType(self.fields)

    def put(self, words: np.ndarray, name: str, array: np.ndarray) -> None:
        """Write address and shape of `array` into a row of words."""
        start = self.word[name]
        words[start] = array.ctypes.data
        words[start + 1 : start + 1 + array.ndim] = array.shape

    def namespace(self, words: np.ndarray) -> Any:
        """The view as a named tuple of numpy arrays on the same memory, for public numba and plain Python."""
        values: list[Any] = []
        for _, what, word in self.fields:
            if what == "int":
                values.append(int(words[word]))
            elif what == "float":
                values.append(np.float32(words[word : word + 1].view(np.float64)[0]))
            else:
                dtype, ndim = what.split("/")
                shape = tuple(int(n) for n in words[word + 1 : word + 1 + int(ndim)])
                values.append(_array_at(int(words[word]), np.dtype(dtype), shape))
        return _tuple_class(tuple(name for name, _, _ in self.fields))(*values)


def region_layout(hypers: Any, arrays: Any) -> Layout:
    """The layout of a region's view: clock, roles and ports first, at the same words for every kind."""
    scalars = [(name, "int") for name in SCALARS]
    return _chained(Layout(scalars, ARRAYS), hypers, arrays)


def _chained(head: Layout, hypers, arrays) -> Layout:
    tail = Layout(hypers, arrays)
    head.fields += tuple((name, what, word + head.n_words) for name, what, word in tail.fields)
    head.word = {name: word for name, _, word in head.fields}
    head.n_words += tail.n_words
    return head


HEADER = Layout([(name, "int") for name in SCALARS], ARRAYS)


@cache
def _tuple_class(names: tuple[str, ...]) -> type:
    return namedtuple("View", names)


def _array_at(address: int, dtype: np.dtype, shape: tuple[int, ...]) -> np.ndarray:
    size = int(np.prod(shape)) * dtype.itemsize
    if size == 0:
        return np.zeros(shape, dtype)
    memory: Any = (ctypes.c_char * size).from_address(address)
    return np.frombuffer(memory, dtype).reshape(shape)


_compiled: dict[tuple[Any, tuple], tuple[int, Any]] = {}


def address(kernel: Any, layout: Layout) -> int:
    """Compile a kernel for a layout, or load it from numba's cache, and return its address.

    Parameters
    ----------
    kernel : function of one argument
        A plain Python function, as a kind's file holds it.
    layout : Layout
        Of the views it will be called with.

    Returns
    -------
    int
        The address of the native code, for :func:`call`.
    """
    key = (kernel, layout.fields)
    if key not in _compiled:
        view = layout.type
        try:
            dispatcher = numba.njit(types.void(view), cache=_cacheable(kernel), **KERNEL_FLAGS)(kernel)
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
        former = _call_once(address(_double, layout), words.ctypes.data)
        del former
    except Exception as error:  # whatever a future numba changes: the reason is shown, and the fallback serves
        return f"{type(error).__name__}: {error}"
    return "" if state.tolist() == [1.0, 3.0, 5.0] else f"a kernel wrote {state.tolist()}"


def helper(function: Any) -> Any:
    """Decorate a function that the kernels of the same file share: compiled with the flags of a kernel."""
    return numba.njit(**KERNEL_FLAGS)(function)


@numba.njit(cache=True, **DRIVER_FLAGS)
def _call_once(function, view):
    former = flush_denormals()
    start = cycles()
    call(function, view)
    restore(former)
    return cycles() - start
