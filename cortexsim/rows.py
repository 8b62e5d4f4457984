"""Sweeps over rows of weights, at the speed of memory, with sums in an order that is written down.

The vectors of these functions are spelled out (:mod:`cortexsim.vectors`), so a product has the same bits in ``predict``
as in a ``tick`` that learns in the same sweep. They are compiled once, apart from the kernels, which call them by name.

==================  ====================================================================================
``dot``             sum of a_k b_k
``multiply``        out = W x
``learn``           W <- keep W + g z^T
``learn_multiply``  both in one sweep: W <- keep W + g z^T, then out = W x
``encode``          y = W x, then out <- out + W^T y
``learn_encode``    W <- W + g z^T, then y = W x and out <- out + W^T y
``spread``          out <- out + W^T y
``add_rows``        out <- out + sum of f_k W_k over the rows k of a list
``learn_rows``      W_k <- keep W_k + f_k g for the rows k of a list
``blend``           out <- keep out + a b, element by element
``add``             out <- out + a
``subtract``        out = a - b
``approach``        out <- out + rate (a - out)
``squash``          out = middle + outer tanh(inner x)
``errors``          e = y - p, g = step e, b <- b + bias g; the sum of e_i^2
``track``           squared distances of x from `last` and from `mean`, which then become x and come nearer to it
``list_rows``       for each row of a matrix how many of its numbers are not zero, and which
``note``            out = a; the sum of a_i^2
``zeros``           how many a_i are zero
``beyond``          whether any a_i is not within +-limit: 1 or 0
``copy``, ``clear`` what they say
==================  ====================================================================================

Arrays are C-ordered float32 of any number of axes; each is followed by the flat index at which it is read or written.
A matrix is `rows` rows of `n` numbers, one after the other. Nothing is checked.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from functools import cache, update_wrapper
from inspect import Signature, signature
from pathlib import Path
from typing import Any

import llvmlite.binding as llvm
import numba
import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.core.errors import TypingError
from numba.extending import intrinsic

from cortexsim.sweeps import WRITERS
from cortexsim.vectors import FLOAT, INT, LIST, ROW, VOID, Code
from cortexsim.views import TableType, stamp

Array = np.ndarray


def _signature(name: str) -> tuple[str, str]:
    """Letters of the parameters of a function, and of its result."""
    parameters, _, result = WRITERS[name][1].partition("=")
    return parameters, result


def _declared(module, name):
    kinds = {"p": ROW, "l": LIST, "i": INT, "f": FLOAT, "": VOID}
    parameters, result = _signature(name)
    kind = ir.FunctionType(kinds[result], [kinds[letter] for letter in parameters])
    return cgutils.get_or_insert_function(module, kind, f"cortexsim.rows.{name}")


@intrinsic
def _written(typingctx):
    """Writes all functions into the module in which it is called."""

    def codegen(context, builder, called, args):
        for name, (write, _) in WRITERS.items():
            function = _declared(builder.module, name)
            # or loops would be unrolled, which takes longer to compile and, beyond the first cache, to run
            function.attributes.add("optsize")
            write(Code(ir.IRBuilder(function.append_basic_block())), *function.args)
        return context.get_dummy_value()

    return types.void(), codegen


# numba watches one file for changes, and the code is written in others
SWEEPS = stamp(*(Path(__file__).with_name(f"{file}.py") for file in ("vectors", "sweeps", "views")))


def _library(stamp=SWEEPS):
    _written()


@cache
def prepare() -> None:
    """Compile the functions, or load them from numba's cache, and make them known to all code that is compiled later.

    They are machine code of their own, which kernels call by name: so a kernel compiles without them.
    """
    dispatcher = numba.njit(cache=True, nogil=True)(_library)
    dispatcher()
    (overload,) = dispatcher.overloads.values()
    for name in WRITERS:
        symbol = f"cortexsim.rows.{name}"
        _places[name] = overload.library.get_pointer_to_function(symbol)
        llvm.add_symbol(symbol, _places[name])
    _kept.append(dispatcher)


_kept: list[Any] = []
_places: dict[str, int] = {}


@cache
def _from_python(name: str) -> Any:
    """A function of the library for Python, to be called with addresses and numbers."""
    prepare()
    kinds = {"p": ctypes.c_void_p, "l": ctypes.c_void_p, "i": ctypes.c_int64, "f": ctypes.c_float}
    return ctypes.CFUNCTYPE(None, *(kinds[letter] for letter in _signature(name)[0]))(_places[name])


def _caller(name: str, *places: int) -> Any:
    """The code of an intrinsic: a call of a function of the library.

    Every array is followed by one place, or by none where `places` says 0 of it.
    """

    def codegen(context, builder, called, args):
        values, left = [], list(zip(called.args, args, strict=True))
        counts = list(places)
        for letter in _signature(name)[0]:
            kind, value = left.pop(0)
            if letter in "if":
                values.append(context.cast(builder, value, kind, types.intp if letter == "i" else types.float32))
                continue
            data = cgutils.create_struct_proxy(kind)(context, builder, value).data
            if not counts or counts.pop(0):
                place_kind, place = left.pop(0)
                data = builder.gep(data, [context.cast(builder, place, place_kind, types.intp)])
            values.append(data)
        found = builder.call(_declared(builder.module, name), values)
        return context.get_dummy_value() if called.return_type == types.void else found

    return codegen


def _swept(*places: int) -> Callable[[Any], Any]:
    """Decorate the plain meaning of a function, which serves where numba's JIT is off, with its machine code."""

    def decorate(plain):
        if numba.config.DISABLE_JIT:
            return plain

        def typed(typingctx, *kinds):
            prepare()
            for kind in kinds:
                if isinstance(kind, (types.Array, TableType)) and kind.dtype not in (types.float32, types.int32):
                    raise TypingError(f"{plain.__name__}() takes arrays of float32, and lists of int32")
            result = types.float32 if _signature(plain.__name__)[1] else types.void
            return result(*kinds), _caller(plain.__name__, *places)

        # numba calls it by the parameters of its signature, of which the first is its own
        parameters = [*signature(typed).parameters.values()][:1] + [*signature(plain).parameters.values()]
        update_wrapper(typed, plain)
        typed.__signature__ = Signature(parameters)  # type: ignore[attr-defined]
        return intrinsic(typed)

    return decorate


def _part(array, start, n):
    return array.reshape(-1)[start : start + n]


@_swept()
def dot(a: Array, i: int, b: Array, j: int, n: int) -> float:
    """Sum of ``a[i + k] * b[j + k]`` over k < n."""
    return np.dot(_part(a, i, n), _part(b, j, n))


@_swept()
def multiply(W: Array, at: int, rows: int, n: int, x: Array, j: int, out: Array, o: int) -> None:
    """``out = W x``."""
    _part(out, o, rows)[:] = _part(W, at, rows * n).reshape(rows, n) @ _part(x, j, n)


@_swept()
def learn(W: Array, at: int, rows: int, n: int, keep: float, g: Array, k: int, z: Array, j: int) -> None:
    """``W <- keep W + g z^T``."""
    matrix = _part(W, at, rows * n)
    matrix[:] = keep * matrix + np.outer(_part(g, k, rows), _part(z, j, n)).ravel()


@_swept()
def learn_multiply(W: Array, at: int, rows: int, n: int, keep: float, g: Array, k: int, z: Array, i: int,
                   x: Array, j: int, out: Array, o: int) -> None:
    """``W <- keep W + g z^T``, then ``out = W x``, in one sweep."""
    learn(W, at, rows, n, keep, g, k, z, i)
    multiply(W, at, rows, n, x, j, out, o)


@_swept()
def encode(W: Array, at: int, rows: int, n: int, x: Array, j: int, y: Array, k: int, out: Array, o: int) -> None:
    """``y = W x``, then ``out <- out + W^T y``, in one sweep."""
    multiply(W, at, rows, n, x, j, y, k)
    _part(out, o, n)[:] += _part(W, at, rows * n).reshape(rows, n).T @ _part(y, k, rows)


@_swept()
def learn_encode(W: Array, at: int, rows: int, n: int, g: Array, i: int, z: Array, h: int, x: Array, j: int,
                 y: Array, k: int, out: Array, o: int) -> None:
    """``W <- W + g z^T``, then ``y = W x`` and ``out <- out + W^T y``, in one sweep."""
    learn(W, at, rows, n, 1.0, g, i, z, h)
    encode(W, at, rows, n, x, j, y, k, out, o)


@_swept()
def spread(W: Array, at: int, rows: int, n: int, y: Array, k: int, out: Array, o: int) -> None:
    """``out <- out + W^T y``."""
    _part(out, o, n)[:] += _part(W, at, rows * n).reshape(rows, n).T @ _part(y, k, rows)


@_swept()
def add_rows(out: Array, o: int, n: int, W: Array, at: int, active: Array, a: int, count: int,
             f: Array, k: int) -> None:
    """Add to ``out`` the `count` rows of W that `active` lists, each times its factor in `f`."""
    rows = W.reshape(-1)[at:].reshape(-1, n)[_part(active, a, count)]
    _part(out, o, n)[:] += _part(f, k, count) @ rows


@_swept()
def learn_rows(W: Array, at: int, n: int, active: Array, a: int, count: int, keep: float, f: Array, k: int,
               g: Array, j: int) -> None:
    """``W_k <- keep W_k + f_k g`` for the `count` rows k of W that `active` lists."""
    matrix, listed = W.reshape(-1)[at:].reshape(-1, n), _part(active, a, count)
    matrix[listed] = keep * matrix[listed] + np.outer(_part(f, k, count), _part(g, j, n))


@_swept()
def blend(out: Array, o: int, n: int, keep: float, a: Array, i: int, b: Array, j: int) -> None:
    """``out = keep * out + a * b`` for `n` numbers, one by one."""
    _part(out, o, n)[:] = keep * _part(out, o, n) + _part(a, i, n) * _part(b, j, n)


@_swept()
def add(out: Array, o: int, n: int, a: Array, i: int) -> None:
    """``out = out + a`` for `n` numbers."""
    _part(out, o, n)[:] += _part(a, i, n)


@_swept()
def subtract(out: Array, o: int, n: int, a: Array, i: int, b: Array, j: int) -> None:
    """``out = a - b`` for `n` numbers."""
    _part(out, o, n)[:] = _part(a, i, n) - _part(b, j, n)


@_swept()
def approach(out: Array, o: int, n: int, rate: float, a: Array, i: int) -> None:
    """``out = out + rate * (a - out)`` for `n` numbers."""
    _part(out, o, n)[:] += rate * (_part(a, i, n) - _part(out, o, n))


@_swept()
def squash(out: Array, o: int, n: int, x: Array, i: int, inner: float, outer: float, middle: float) -> None:
    """``out = middle + outer * tanh(inner * x)`` for `n` numbers, the tangent within 4e-7."""
    _part(out, o, n)[:] = middle + outer * np.tanh(inner * _part(x, i, n))


@_swept(0, 0, 0, 0, 0)
def errors(y: Array, p: Array, e: Array, g: Array, b: Array, n: int, step: float, bias: float) -> float:
    """``e = y - p``, ``g = step * e`` and ``b = b + bias * g`` for `n` numbers; returns the sum of ``e * e``."""
    e[:n] = y[:n] - p[:n]
    g[:n] = step * e[:n]
    b[:n] += bias * g[:n]
    return np.dot(e[:n], e[:n])


@_swept()
def track(x: Array, i: int, last: Array, j: int, mean: Array, k: int, n: int, rate: float, out: Array, o: int) -> None:
    """Squared distances of `x` from `last` and from `mean`, in ``out[o]`` and ``out[o + 1]``.

    Then `last` becomes `x`, and `mean` moves towards it by the share `rate`.
    """
    now, before, middle = _part(x, i, n), _part(last, j, n), _part(mean, k, n)
    out[o], out[o + 1] = ((now - before) ** 2).sum(), ((now - middle) ** 2).sum()
    before[:], middle[:] = now, middle + rate * (now - middle)


@_swept()
def copy(out: Array, o: int, n: int, a: Array, i: int) -> None:
    """``out = a`` for `n` numbers."""
    _part(out, o, n)[:] = _part(a, i, n)


@_swept()
def list_rows(x: Array, i: int, rows: int, n: int, out: Array, o: int) -> None:
    """For each of the rows of a matrix, n + 1 whole numbers: how many of its numbers are not zero, and which."""
    for row, place in zip(_part(x, i, rows * n).reshape(rows, n), _part(out, o, rows * (n + 1)).reshape(rows, n + 1),
                          strict=True):
        active = np.flatnonzero(row)
        place[0], place[1 : 1 + len(active)] = len(active), active


def list_active(x: Array, out: Array) -> None:
    """Call :func:`list_rows` from Python, for a C-ordered matrix and its lists, one a row."""
    if numba.config.DISABLE_JIT:
        list_rows(x, 0, *x.shape, out, 0)
    else:
        _from_python("list_rows")(x.ctypes.data, *x.shape, out.ctypes.data)


@_swept()
def note(out: Array, o: int, n: int, a: Array, i: int) -> float:
    """``out = a`` for `n` numbers; returns the sum of ``a * a``."""
    copy(out, o, n, a, i)
    return np.dot(_part(a, i, n), _part(a, i, n))


@_swept()
def zeros(a: Array, i: int, n: int) -> float:
    """How many of `n` numbers are zero."""
    return float((_part(a, i, n) == 0).sum())


@_swept()
def beyond(a: Array, i: int, n: int, limit: float) -> float:
    """1 where any of `n` numbers is not between -`limit` and `limit`, as NaN never is, else 0."""
    return float(not (np.abs(_part(a, i, n)) <= limit).all())


@_swept()
def clear(out: Array, o: int, n: int) -> None:
    """``out = 0`` for `n` numbers."""
    _part(out, o, n)[:] = 0
