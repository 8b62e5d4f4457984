"""Sweeps over rows of weights, at the speed of memory, with sums in an order that is written down.

A compiler that may reorder sums vectorises each loop as it likes, so the same sum in two kernels need not have the same
bits. These functions spell their vectors out: a sum runs in 16 lanes, what is left over in 4 and then in 1, and the
lanes are added in one order. So a product has the same bits in ``predict`` as in a ``tick`` that learns other rows in
the same sweep, on any processor. They are compiled once, apart from the kernels, which call them by name.

=================  =====================================================================================
``dot``            sum of a_k b_k
``multiply``       out = W x
``learn``          W <- keep W + g x^T
``learn_multiply`` `learn` of four rows, and in the same sweep `multiply` of the four rows that follow them
``combine``        out <- out + c_0 row_0 + ... + c_3 row_3
``blend``          out <- keep out + a b, element by element
=================  =====================================================================================

Arrays are C-ordered float32 of any number of axes; each is followed by the flat index at which it is read or written.
A matrix is `rows` rows of `n` numbers, one after the other. Nothing is checked.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import contextmanager
from functools import cache, update_wrapper
from inspect import Signature, signature
from typing import Any

import llvmlite.binding as llvm
import numba
import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

Array = np.ndarray
WIDTHS = (16, 4, 1)
ROWS = 4
# how many weights ahead of their turn the processor is asked for them
FETCH = 2048
FLOAT, INT, INT32, VOID = ir.FloatType(), ir.IntType(64), ir.IntType(32), ir.VoidType()
ROW, BYTES = FLOAT.as_pointer(), ir.IntType(8).as_pointer()
# numba puts its fastmath flags on every sum that has no flag; this one means nothing to a sum, and keeps the order
FIXED = ("arcp",)


class Code:
    """Vectors, loops and sums as machine code, on top of a builder."""

    def __init__(self, builder: Any) -> None:
        self.builder = builder

    @contextmanager
    def loop(self, start: Any, stop: Any, step: int) -> Any:
        """A counted loop; gives its counter."""
        with cgutils.for_range_slice(self.builder, start, stop, INT(step), INT) as (at, _):
            yield at

    def below(self, n: Any, step: int) -> Any:
        """The largest multiple of `step` (a power of two) up to `n`."""
        return self.builder.and_(n, INT(-step))

    def columns(self, n: Any, step: Callable[[Any, int], None]) -> None:
        """``step(at, lanes)`` over all of 0..n."""
        done: Any = INT(0)
        for lanes in WIDTHS:
            end = self.below(n, lanes)
            with self.loop(done, end, lanes) as at:
                step(at, lanes)
            done = end

    def rows(self, n: Any, step: Callable[[Any, int], None]) -> None:
        """``step(first, count)`` over all rows, some at a time, then the rest one by one."""
        end = self.below(n, ROWS)
        with self.loop(INT(0), end, ROWS) as first:
            step(first, ROWS)
        with self.loop(end, n, 1) as first:
            step(first, 1)

    def row(self, matrix: Any, first: Any, n: Any) -> Any:
        """Where row `first` of a matrix starts."""
        return self.builder.gep(matrix, [self.builder.mul(first, n)])

    def block(self, matrix: Any, n: Any, count: int) -> list[Any]:
        """Where the first `count` rows of a matrix start."""
        return [self.row(matrix, INT(q), n) for q in range(count)]

    def load(self, row: Any, at: Any, lanes: int) -> Any:
        """A vector of a row."""
        return self.builder.load(self._place(row, at, lanes), align=4)

    def store(self, vector: Any, row: Any, at: Any) -> None:
        """Write a vector into a row."""
        self.builder.store(vector, self._place(row, at, vector.type.count), align=4)

    def _place(self, row, at, lanes):
        return self.builder.bitcast(self.builder.gep(row, [at]), ir.VectorType(FLOAT, lanes).as_pointer())

    def fetch(self, row: Any, at: Any) -> None:
        """Ask for a part of a row that is needed soon."""
        kind = ir.FunctionType(VOID, [BYTES, INT32, INT32, INT32])
        function = cgutils.get_or_insert_function(self.builder.module, kind, "llvm.prefetch.p0")
        address = self.builder.bitcast(self.builder.gep(row, [at]), BYTES)
        self.builder.call(function, [address, INT32(0), INT32(3), INT32(1)])

    def splat(self, value: Any, lanes: int) -> Any:
        """A vector with one number in every lane."""
        vector = self.builder.insert_element(ir.VectorType(FLOAT, lanes)(ir.Undefined), value, INT32(0))
        return self.shuffle(vector, vector, [0] * lanes)

    def shuffle(self, a: Any, b: Any, lanes: Sequence[int]) -> Any:
        """The lanes of two vectors, picked by number."""
        return self.builder.shuffle_vector(a, b, ir.VectorType(INT32, len(lanes))(list(lanes)))

    def plus(self, a: Any, b: Any) -> Any:
        """a + b."""
        return self.builder.fadd(a, b, flags=FIXED)

    def times(self, a: Any, b: Any) -> Any:
        """a b."""
        return self.builder.fmul(a, b, flags=FIXED)

    def times_plus(self, a: Any, b: Any, c: Any) -> Any:
        """a b + c, rounded once where the processor can."""
        kind = ir.FunctionType(a.type, [a.type] * 3)
        name = f"llvm.fmuladd.v{a.type.count}f32"
        return self.builder.call(cgutils.get_or_insert_function(self.builder.module, kind, name), [a, b, c])


class Sums:
    """The running sums of some rows."""

    def __init__(self, code: Code, rows: int) -> None:
        self.code = code
        self.slots: dict[int, list[Any]] = {}
        for lanes in WIDTHS:
            zero = ir.VectorType(FLOAT, lanes)([0.0] * lanes)
            self.slots[lanes] = [cgutils.alloca_once(code.builder, zero.type) for _ in range(rows)]
            for slot in self.slots[lanes]:
                code.builder.store(zero, slot)

    def add(self, row: int, a: Any, b: Any) -> None:
        """Add the products of two vectors to the sum of a row."""
        slot, builder = self.slots[a.type.count][row], self.code.builder
        builder.store(self.code.times_plus(a, b, builder.load(slot)), slot)

    def total(self) -> Any:
        """The sums, one lane for each row."""
        vector = self._joined(WIDTHS[0])
        for lanes in WIDTHS[1:]:
            vector = self.code.plus(self._folded(vector, lanes), self._joined(lanes))
        return vector

    def _joined(self, lanes):
        vectors = [self.code.builder.load(slot) for slot in self.slots[lanes]]
        while len(vectors) > 1:
            count = 2 * vectors[0].type.count
            vectors = [self.code.shuffle(a, b, range(count)) for a, b in zip(vectors[::2], vectors[1::2], strict=True)]
        return vectors[0]

    def _folded(self, vector, lanes):
        rows = len(self.slots[lanes])
        while vector.type.count > rows * lanes:
            size = vector.type.count // rows
            low = [row * size + k for row in range(rows) for k in range(size // 2)]
            vector = self.code.plus(self.code.shuffle(vector, vector, low),
                                    self.code.shuffle(vector, vector, [k + size // 2 for k in low]))
        return vector


def _dot(code, a, b, n):
    sums = Sums(code, 1)
    code.columns(n, lambda at, lanes: sums.add(0, code.load(a, at, lanes), code.load(b, at, lanes)))
    code.builder.ret(code.builder.extract_element(sums.total(), INT32(0)))


def _multiply(code, W, rows, n, x, out):
    def block(first, count):
        sums = Sums(code, count)
        here = code.block(code.row(W, first, n), n, count)

        def step(at, lanes):
            right = code.load(x, at, lanes)
            for q, row in enumerate(here):
                sums.add(q, code.load(row, at, lanes), right)

        code.columns(n, step)
        code.store(sums.total(), out, first)

    code.rows(rows, block)
    code.builder.ret_void()


def _learn_step(code, here, keep, g, right, at):
    lanes = right.type.count
    for row, value in zip(here, g, strict=True):
        kept = code.times(code.splat(keep, lanes), code.load(row, at, lanes))
        code.store(code.times_plus(code.splat(value, lanes), right, kept), row, at)


def _learn(code, W, rows, n, keep, g, x):
    def block(first, count):
        here = code.block(code.row(W, first, n), n, count)
        steps = [code.builder.load(row) for row in code.block(code.row(g, first, INT(1)), INT(1), count)]
        code.columns(n, lambda at, lanes: _learn_step(code, here, keep, steps, code.load(x, at, lanes), at))

    code.rows(rows, block)
    code.builder.ret_void()


def _learn_multiply(code, W, n, keep, g, x, out):
    here, ahead = (code.block(code.row(W, INT(first), n), n, ROWS) for first in (0, ROWS))
    steps = [code.builder.load(row) for row in code.block(g, INT(1), ROWS)]
    sums = Sums(code, ROWS)
    block = code.builder.mul(n, INT(ROWS))
    distance = code.builder.select(code.builder.icmp_signed("<", block, INT(FETCH)), block, INT(FETCH))

    def step(at, lanes):
        right = code.load(x, at, lanes)
        for row in ahead if lanes == WIDTHS[0] else ():
            code.fetch(row, code.builder.add(at, distance))
        for q, row in enumerate(ahead):
            sums.add(q, code.load(row, at, lanes), right)
        _learn_step(code, here, keep, steps, right, at)

    code.columns(n, step)
    code.store(sums.total(), out, INT(0))
    code.builder.ret_void()


def _combine(code, out, n, a, b, c, d, factors):
    values = [code.builder.load(row) for row in code.block(factors, INT(1), ROWS)]

    def step(at, lanes):
        total = code.load(out, at, lanes)
        for row, value in zip((a, b, c, d), values, strict=True):
            total = code.times_plus(code.splat(value, lanes), code.load(row, at, lanes), total)
        code.store(total, out, at)

    code.columns(n, step)
    code.builder.ret_void()


def _blend(code, out, n, keep, a, b):
    def step(at, lanes):
        kept = code.times(code.splat(keep, lanes), code.load(out, at, lanes))
        code.store(code.times_plus(code.load(a, at, lanes), code.load(b, at, lanes), kept), out, at)

    code.columns(n, step)
    code.builder.ret_void()


# the functions of the library, by name: what writes each, and its parameters (p a pointer to a row)
WRITERS: dict[str, tuple[Callable[..., None], str]] = {
    "dot": (_dot, "ppi"), "multiply": (_multiply, "piipp"), "learn": (_learn, "piifpp"),
    "learn_multiply": (_learn_multiply, "pifppp"), "combine": (_combine, "pippppp"), "blend": (_blend, "pifpp")}


def _declared(module, name):
    kinds = {"p": ROW, "i": INT, "f": FLOAT}
    kind = ir.FunctionType(FLOAT if name == "dot" else VOID, [kinds[letter] for letter in WRITERS[name][1]])
    return cgutils.get_or_insert_function(module, kind, f"cortexsim.rows.{name}")


@intrinsic
def _written(typingctx):
    """Writes all functions into the module in which it is called."""

    def codegen(context, builder, called, args):
        for name, (write, _) in WRITERS.items():
            function = _declared(builder.module, name)
            write(Code(ir.IRBuilder(function.append_basic_block())), *function.args)
        return context.get_dummy_value()

    return types.void(), codegen


def _library():
    _written()


@cache
def prepare() -> None:
    """Compile the functions, or load them from numba's cache, and make them known to all code that is compiled later.

    They are machine code of their own, which kernels call by name: so a kernel compiles without them.
    """
    dispatcher = numba.njit(types.void(), cache=True, nogil=True)(_library)
    (overload,) = dispatcher.overloads.values()
    for name in WRITERS:
        symbol = f"cortexsim.rows.{name}"
        llvm.add_symbol(symbol, overload.library.get_pointer_to_function(symbol))
    _kept.append(dispatcher)


_kept: list[Any] = []


def _caller(name: str, *places: int) -> Any:
    """The code of an intrinsic: a call of a function of the library.

    Every array is followed by one place, or by as many as `places` says of each.
    """

    def codegen(context, builder, called, args):
        values, left = [], list(zip(called.args, args, strict=True))
        counts = list(places)
        while left:
            kind, value = left.pop(0)
            if not isinstance(kind, types.Array):
                values.append(value)
                continue
            data = cgutils.create_struct_proxy(kind)(context, builder, value).data
            values += [builder.gep(data, [left.pop(0)[1]]) for _ in range(counts.pop(0) if counts else 1)]
        found = builder.call(_declared(builder.module, name), values)
        return context.get_dummy_value() if called.return_type == types.void else found

    return codegen


def _swept(*places: int, result: Any = types.void) -> Callable[[Any], Any]:
    """Decorate the plain meaning of a function, which serves where numba's JIT is off, with its machine code."""

    def decorate(plain):
        if numba.config.DISABLE_JIT:
            return plain

        def typed(typingctx, *kinds):
            prepare()
            return result(*kinds), _caller(plain.__name__, *places)

        # numba calls it by the parameters of its signature, of which the first is its own
        parameters = [*signature(typed).parameters.values()][:1] + [*signature(plain).parameters.values()]
        update_wrapper(typed, plain)
        typed.__signature__ = Signature(parameters)  # type: ignore[attr-defined]
        return intrinsic(typed)

    return decorate


def _part(array, start, n):
    return array.reshape(-1)[start : start + n]


@_swept(result=types.float32)
def dot(a: Array, i: int, b: Array, j: int, n: int) -> float:
    """Sum of ``a[i + k] * b[j + k]`` over k < n."""
    return np.dot(_part(a, i, n), _part(b, j, n))


@_swept()
def multiply(W: Array, at: int, rows: int, n: int, x: Array, j: int, out: Array, o: int) -> None:
    """``out = W x``."""
    _part(out, o, rows)[:] = _part(W, at, rows * n).reshape(rows, n) @ _part(x, j, n)


@_swept()
def learn(W: Array, at: int, rows: int, n: int, keep: float, g: Array, k: int, x: Array, j: int) -> None:
    """``W <- keep W + g x^T``."""
    matrix = _part(W, at, rows * n)
    matrix[:] = keep * matrix + np.outer(_part(g, k, rows), _part(x, j, n)).ravel()


@_swept()
def learn_multiply(W: Array, at: int, n: int, keep: float, g: Array, k: int,
                   x: Array, j: int, out: Array, o: int) -> None:
    """`learn` of four rows, and in the same sweep `multiply` of the four rows that follow them."""
    _part(out, o, ROWS)[:] = _part(W, at + ROWS * n, ROWS * n).reshape(ROWS, n) @ _part(x, j, n)
    matrix = _part(W, at, ROWS * n)
    matrix[:] = keep * matrix + np.outer(_part(g, k, ROWS), _part(x, j, n)).ravel()


@_swept(1, 4, 1)
def combine(out: Array, o: int, n: int, W: Array, a: int, b: int, c: int, d: int, factors: Array, k: int) -> None:
    """Add four rows of `n` numbers, that start at a, b, c and d in W, times four factors."""
    for q, start in enumerate((a, b, c, d)):
        _part(out, o, n)[:] += factors[k + q] * _part(W, start, n)


@_swept()
def blend(out: Array, o: int, n: int, keep: float, a: Array, i: int, b: Array, j: int) -> None:
    """``out = keep * out + a * b`` for `n` numbers, one by one."""
    _part(out, o, n)[:] = keep * _part(out, o, n) + _part(a, i, n) * _part(b, j, n)
