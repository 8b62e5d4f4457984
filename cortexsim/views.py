"""Views of memory: how compiled code sees the arrays of a region, or the tables of the driver, through one pointer.

A *view* is a pointer to a row of 64-bit words, where ``view.W`` or ``view.rate`` is read at a place that is fixed when
the code is compiled. Arrays made this way are *borrowed*: they carry no reference count, so taking one costs a load.
With :mod:`cortexsim.native`, this is all of the package that touches numba's internals.
"""

from __future__ import annotations

import ctypes
import hashlib
import operator
from collections import namedtuple
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.core.datamodel import models
from numba.core.imputils import lower_builtin, lower_getattr_generic
from numba.core.typing import signature
from numba.core.typing.templates import AbstractTemplate, AttributeTemplate, infer_getattr, infer_global
from numba.extending import register_model


def stamp(*files: Path) -> int:
    """A number made of the text of files, to go with cached code that was made from more files than its own."""
    return int.from_bytes(hashlib.sha256(b"".join(file.read_bytes() for file in files)).digest()[:6], "big")


# of the files whose code becomes part of every kernel
STAMP = stamp(*(Path(__file__).with_name(f"{name}.py") for name in (
    "views", "native", "rows", "sweeps", "vectors", "squares", "segments",
    "segment_lists", "weight_rates")))

SCALARS = ("tick", "trial", "place", "span", "learn", "reset", "key", "due", "n_dense", "length",
           "init")
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
    if ndim.endswith("t"):
        return TableType(getattr(types, dtype), int(ndim[:-1]))
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
        word = builder.load(cgutils.gep_inbounds(builder, words, index))
        # the words of a view stay as they are while compiled code holds it: one load of each serves
        word.set_metadata("invariant.load", builder.module.add_metadata([]))
        return word

    if what == "int":
        return load(word)
    if what == "float":
        return builder.fptrunc(builder.bitcast(load(word), ir.DoubleType()), ir.FloatType())
    kind = _numba_type(what)
    if isinstance(kind, TableType):
        parts = cgutils.create_struct_proxy(kind)(context, builder)
        parts.data = builder.inttoptr(load(word), context.get_data_type(kind.dtype).as_pointer())
        for axis in range(1, kind.ndim):
            setattr(parts, f"length{axis}", load(word + 1 + axis))
        return parts._getvalue()
    return _borrowed_array(context, builder, kind, load, word)


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


class TableType(types.Type):
    """numba's type of an array in a view that is only ever indexed whole: a pointer and row lengths, nothing to count.

    It compiles several times faster than an array, which matters where there are dozens of accesses.
    """

    def __init__(self, dtype: Any, ndim: int) -> None:
        self.dtype, self.ndim = dtype, ndim
        super().__init__(name=f"Table[{STAMP}]({dtype}, {ndim})")


@register_model(TableType)
class _TableModel(models.StructModel):
    def __init__(self, dmm, fe_type):
        lengths = [(f"length{axis}", types.intp) for axis in range(1, fe_type.ndim)]
        super().__init__(dmm, fe_type, [("data", types.CPointer(fe_type.dtype)), *lengths])


@infer_global(operator.getitem)
class _TableGet(AbstractTemplate):
    def generic(self, args, kws):
        table, index = args
        return signature(table.dtype, table, index) if isinstance(table, TableType) else None


@infer_global(operator.setitem)
class _TableSet(AbstractTemplate):
    def generic(self, args, kws):
        table, index, value = args
        return signature(types.none, table, index, table.dtype) if isinstance(table, TableType) else None


def _table_place(context, builder, table_type, index_type, table, index):
    """Pointer to one element."""
    parts = cgutils.create_struct_proxy(table_type)(context, builder, value=table)
    if isinstance(index_type, types.BaseTuple):
        pairs = list(zip(cgutils.unpack_tuple(builder, index), index_type, strict=True))
    else:
        pairs = [(index, index_type)]
    place = None
    for axis, (value, kind) in enumerate(pairs):
        value = context.cast(builder, value, kind, types.intp)
        place = value if axis == 0 else builder.add(builder.mul(place, getattr(parts, f"length{axis}")), value)
    return builder.gep(parts.data, [place])


@lower_builtin(operator.getitem, TableType, types.Any)
def _table_getitem(context, builder, sig, args):
    return builder.load(_table_place(context, builder, sig.args[0], sig.args[1], *args))


@lower_builtin(operator.setitem, TableType, types.Any, types.Any)
def _table_setitem(context, builder, sig, args):
    builder.store(args[2], _table_place(context, builder, sig.args[0], sig.args[1], *args[:2]))
    return context.get_dummy_value()


class Layout:
    """Where the fields of a view lie in its row of words.

    Parameters
    ----------
    scalars : iterable of (name, "int" | "float")
    arrays : iterable of (name, dtype, ndim)
    tables : bool
        Whether compiled code shall see the arrays as tables (:class:`TableType`).
    """

    def __init__(self, scalars: Any, arrays: Any, tables: bool = False) -> None:
        fields, word = [], 0
        for name, what in scalars:
            fields.append((name, what, word))
            word += 1
        for name, dtype, ndim in arrays:
            fields.append((name, f"{dtype}/{ndim}" + "t" * tables, word))
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
                dtype, ndim = what.removesuffix("t").split("/")
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
